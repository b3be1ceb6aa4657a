//! Webhooks: one signed POST, to an address that was judged before.
//!
//! Headers of each request, beside the JSON body ([`Body`]):
//! - `Fermata-Delivery-Id`: the same in every attempt; the receiver tells repetitions by it.
//! - `Fermata-Timestamp`: seconds since 1970 of this attempt.
//! - `Fermata-Signature`: `v1=` and the hexadecimal HMAC-SHA256, under the contact's secret, of the timestamp, a
//!   dot and the body.
//!
//! Any status of 200 to 299 is a delivery. Redirects are not followed, or they would lead past the judgement
//! of the address.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::{Request, StatusCode, header};
use fermata_billing::clause::ClauseId;
use fermata_billing::notice::{Delivery, NoticeKind};
use fermata_types::AccountId;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::address::Reach;
use crate::limits::{
    WEBHOOK_ADDRESSES_MAX, WEBHOOK_ANSWER_BYTES_MAX, WEBHOOK_CONNECT_TIME_MAX,
    WEBHOOK_HEAD_BYTES_MAX, WEBHOOK_TIME_MAX,
};

/// Header with the id of a delivery.
pub const ID_HEADER: &str = "fermata-delivery-id";
/// Header with the moment of an attempt.
pub const TIMESTAMP_HEADER: &str = "fermata-timestamp";
/// Header with the signature.
pub const SIGNATURE_HEADER: &str = "fermata-signature";

/// Why a webhook was not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// It is no address of a web server.
    #[error("the webhook's URL cannot be used: {0}")]
    Url(String),
    /// The name has no address.
    #[error("the name {host} cannot be resolved")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// Every address of the name is one that webhooks may not reach.
    #[error(
        "{host} leads to {address}, which is not a public address; webhook_private_networks allows such"
    )]
    Address {
        /// The name.
        host: String,
        /// One of its addresses.
        address: std::net::IpAddr,
    },
    /// Nobody answers there.
    #[error("{address} cannot be connected to")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// What went wrong.
        source: std::io::Error,
    },
    /// TLS failed: mostly a certificate that cannot be verified.
    #[error("no TLS connection with {host}")]
    Tls {
        /// With whom.
        host: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The request or its answer broke off.
    #[error("the request broke off")]
    Http(#[from] hyper::Error),
    /// An answer that is none of 200 to 299.
    #[error("the receiver answered {0}; 200 to 299 are deliveries, and redirects are not followed")]
    Status(StatusCode),
    /// It took too long.
    #[error("the receiver took longer than {} seconds", .0.as_secs())]
    Time(Duration),
}

impl WebhookError {
    /// Trying again cannot help.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Url(_))
    }
}

/// The JSON body of a webhook. New fields may come; receivers ignore what they do not know.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    /// Id of the delivery: the same in every attempt.
    pub id: &'a str,
    /// Id of the notice; several contacts may be told of one.
    pub notice: &'a str,
    /// Whose notice it is.
    pub account: &'a str,
    /// What it is about.
    pub kind: NoticeKind,
    /// Episode, hold, package, bill or day that it belongs to; may be empty.
    pub of: &'a str,
    /// Threshold that was crossed, 0 where there is none.
    pub threshold: i64,
    /// When, account time.
    pub at: Timestamp,
    /// One line.
    pub title: &'a str,
    /// Plain text, with what to do.
    pub text: &'a str,
    /// The clauses of the policy that it follows from.
    pub clauses: &'a [ClauseId],
}

impl<'a> Body<'a> {
    /// What is told of a delivery. Never the contact's secret.
    pub fn new(account: &'a AccountId, delivery: &'a Delivery) -> Self {
        let notice = &delivery.notice;
        Self {
            id: &delivery.id,
            notice: notice.id.as_str(),
            account: account.as_str(),
            kind: notice.key.kind,
            of: &notice.key.of,
            threshold: notice.key.threshold,
            at: notice.at,
            title: &notice.title,
            text: &notice.text,
            clauses: &notice.clauses,
        }
    }
}

/// The value of `Fermata-Signature`.
pub fn signature(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    let mut text = "v1=".to_owned();
    for byte in context.sign().as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads the URL of a webhook: `http` or `https`, a host, no user and password.
///
/// # Errors
/// [`WebhookError::Url`] with what is wrong.
pub fn read_url(text: &str) -> Result<Url, WebhookError> {
    let url = Url::parse(text).map_err(|error| WebhookError::Url(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(WebhookError::Url(format!("{}: is neither http: nor https:", url.scheme())));
    }
    if url.host().is_none() {
        return Err(WebhookError::Url("it names no host".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(WebhookError::Url("user and password in it are not taken".to_owned()));
    }
    Ok(url)
}

/// Sends webhooks.
#[derive(Clone)]
pub struct Webhooks {
    reach: Reach,
    tls: TlsConnector,
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// Webhooks that reach so far and trust these authorities.
    ///
    /// # Errors
    /// [`rustls::Error`] if the cryptography at hand knows no TLS 1.2 and 1.3.
    pub fn new(reach: Reach, roots: Arc<rustls::RootCertStore>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { reach, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Delivers once, at `now`, within [`WEBHOOK_TIME_MAX`].
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn send(
        &self,
        url: &str,
        secret: &str,
        id: &str,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), WebhookError> {
        let url = read_url(url)?;
        let timestamp = now.as_second();
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
            (ID_HEADER, id.to_owned()),
            (TIMESTAMP_HEADER, timestamp.to_string()),
            (SIGNATURE_HEADER, signature(secret, timestamp, &body)),
        ];
        let status = self.post(&url, &headers, body, WEBHOOK_TIME_MAX).await?;
        if status.is_success() { Ok(()) } else { Err(WebhookError::Status(status)) }
    }

    /// Posts a body with these headers to a URL of [`read_url`], and answers with the receiver's status, whatever it
    /// is, `within` this time.
    ///
    /// # Errors
    /// [`WebhookError`], but [`WebhookError::Status`].
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&str, String)],
        body: Vec<u8>,
        within: Duration,
    ) -> Result<StatusCode, WebhookError> {
        let request = request(url, headers, body)?;
        let known = OnceLock::new();
        match tokio::time::timeout(within, self.exchange(url, request, &known)).await {
            Ok(answered) => answered,
            // It answered in time, only the body of its answer did not end.
            Err(_) => known.get().copied().ok_or(WebhookError::Time(within)),
        }
    }

    async fn exchange(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        known: &OnceLock<StatusCode>,
    ) -> Result<StatusCode, WebhookError> {
        let socket = self.connect(url).await?;
        if url.scheme() == "http" {
            return post(socket, request, known).await;
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone())
            .map_err(|error| WebhookError::Url(error.to_string()))?;
        let secured = self.tls.connect(name, socket).await;
        let secured = secured.map_err(|source| WebhookError::Tls { host, source })?;
        post(secured, request, known).await
    }

    /// Resolves once, judges, and connects to what was judged.
    async fn connect(&self, url: &Url) -> Result<TcpStream, WebhookError> {
        let port = url.port_or_known_default().unwrap_or(443);
        let host = url.host_str().unwrap_or_default().to_owned();
        let found: Vec<SocketAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![SocketAddr::from((address, port))],
            Some(Host::Ipv6(address)) => vec![SocketAddr::from((address, port))],
            Some(Host::Domain(name)) => match tokio::net::lookup_host((name, port)).await {
                Ok(found) => found.collect(),
                Err(source) => return Err(WebhookError::Resolve { host, source }),
            },
            None => return Err(WebhookError::Url("it names no host".to_owned())),
        };
        let allowed: Vec<_> = found.iter().filter(|a| self.reach.allows(a.ip())).collect();
        let mut failed = match found.first() {
            Some(refused) => WebhookError::Address { host, address: refused.ip() },
            None => WebhookError::Resolve { host, source: std::io::ErrorKind::NotFound.into() },
        };
        for address in allowed.into_iter().take(WEBHOOK_ADDRESSES_MAX) {
            let connecting = TcpStream::connect(address);
            let source = match tokio::time::timeout(WEBHOOK_CONNECT_TIME_MAX, connecting).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => error,
                Err(_) => std::io::ErrorKind::TimedOut.into(),
            };
            failed = WebhookError::Connect { address: *address, source };
        }
        Err(failed)
    }
}

fn request(
    url: &Url,
    headers: &[(&str, String)],
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, WebhookError> {
    let mut target = url.path().to_owned();
    if let Some(query) = url.query() {
        target.push('?');
        target.push_str(query);
    }
    let mut host = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        let _ = write!(host, ":{port}");
    }
    let mut request = Request::post(target)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("fermata/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Full::new(Bytes::from(body))).map_err(|error| WebhookError::Url(error.to_string()))
}

/// One request over a connection of its own. The status is `known` as soon as it is there.
async fn post(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    known: &OnceLock<StatusCode>,
) -> Result<StatusCode, WebhookError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(WEBHOOK_HEAD_BYTES_MAX)
        .handshake(TokioIo::new(socket))
        .await?;
    let answered = async {
        let answer = sender.send_request(request).await?;
        let status = *known.get_or_init(|| answer.status());
        // What the receiver says is of no use; it is read so that the receiver is not cut off while saying it.
        let rest = Limited::new(answer.into_body(), WEBHOOK_ANSWER_BYTES_MAX).collect();
        let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
        Ok(status)
    };
    // The connection ends with the answer: it is driven only as long as somebody waits for it.
    tokio::pin!(answered);
    let mut connection = std::pin::pin!(connection);
    let mut open = true;
    loop {
        tokio::select! {
            status = &mut answered => return status,
            // Its failure shows in the answer, unless that was there already.
            _ = &mut connection, if open => open = false,
        }
    }
}

#[cfg(test)]
mod tests;

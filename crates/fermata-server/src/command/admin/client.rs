//! The operator API from the outside: one request over a connection of its own.
//!
//! What it is not: a general HTTP client. It follows no redirects, keeps no connections and no cookies, and repeats a
//! request only where that cannot make anything happen twice.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rand::RngExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::limits::{CLIENT_ANSWER_BYTES_MAX, CLIENT_CONNECT_TIME_MAX, CLIENT_TIME_MAX};

/// A request did not come to an answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::command) enum ClientError {
    /// The address of the server cannot be used.
    #[error("the server's address {url:?} cannot be used: {problem}")]
    Address { url: String, problem: String },
    /// No certificates can be read from the file.
    #[error("no certificates can be read from {0}")]
    Authorities(String),
    /// Nobody answers there.
    #[error("{host} cannot be connected to; is the server running?")]
    Connect { host: String, source: std::io::Error },
    /// TLS failed: mostly a certificate that cannot be verified.
    #[error("no TLS connection with {host}")]
    Tls { host: String, source: std::io::Error },
    /// The request cannot be written as HTTP.
    #[error("the request cannot be sent")]
    Request(#[from] axum::http::Error),
    /// The connection broke off.
    #[error("the connection to the server broke off")]
    Broken(#[from] hyper::Error),
    /// The answer cannot be read to its end.
    #[error("the answer cannot be read ({0})")]
    Answer(String),
    /// It took too long.
    #[error("the server did not answer within {} seconds", CLIENT_TIME_MAX.as_secs())]
    Time,
}

/// What to ask.
#[derive(Debug, Clone)]
pub(in crate::command) struct Ask {
    pub(in crate::command) method: Method,
    /// Path behind the server's address, with its query.
    pub(in crate::command) path: String,
    /// Media type that is asked for.
    pub(in crate::command) accept: &'static str,
    /// Media type and bytes.
    pub(in crate::command) body: Option<(&'static str, Vec<u8>)>,
}

impl Ask {
    /// Asks for JSON, with JSON if there is any.
    pub(in crate::command) fn json(method: Method, path: &str, body: Option<&Value>) -> Self {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        Self { method, path: path.to_owned(), accept: "application/json", body }
    }

    /// The same, but for another media type.
    pub(in crate::command) fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }
}

/// What was answered.
#[derive(Debug)]
pub(in crate::command) struct Answer {
    pub(in crate::command) status: u16,
    pub(in crate::command) text: String,
}

impl Answer {
    /// The JSON of it; null if it is none.
    pub(in crate::command) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(in crate::command) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Checks the address of a server as it is typed.
pub(in crate::command) fn server_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(text.to_owned()),
        _ => Err("it takes http:// or https:// and a host".to_owned()),
    }
}

/// The same for a server on this machine, without TLS.
pub(in crate::command) fn loopback_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.scheme() == "http" && is_loopback(&url) {
        return Ok(text.to_owned());
    }
    Err("its clients are on this machine, so it takes http:// and a loopback address".to_owned())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A server and a token for it.
pub(in crate::command) struct Client {
    base: Url,
    host: String,
    token: String,
    tls: Option<TlsConnector>,
}

impl Client {
    /// For the server at `base`, `http://` or `https://`. `authorities` is a PEM file of certificates to trust
    /// instead of the public ones.
    pub(in crate::command) fn new(
        base: &str,
        token: &str,
        authorities: Option<&Path>,
    ) -> Result<Self, ClientError> {
        let wrong = |problem: &str| ClientError::Address {
            url: base.to_owned(),
            problem: problem.to_owned(),
        };
        let url = Url::parse(base).map_err(|error| wrong(&error.to_string()))?;
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some(connector(authorities)?),
            _ => return Err(wrong("it takes http:// or https://")),
        };
        let Some(name) = url.host_str() else { return Err(wrong("it names no host")) };
        let mut host = name.to_owned();
        if let Some(port) = url.port() {
            let _ = write!(host, ":{port}");
        }
        Ok(Self { host, token: token.to_owned(), tls, base: url })
    }

    /// The same server with another token.
    pub(in crate::command) fn with_token(&self, token: &str) -> Self {
        Self {
            base: self.base.clone(),
            host: self.host.clone(),
            token: token.to_owned(),
            tls: self.tls.clone(),
        }
    }

    /// Is the server on this machine?
    pub(in crate::command) fn is_loopback(&self) -> bool {
        is_loopback(&self.base)
    }

    /// Asks. A request whose connection failed is repeated once: a POST carries a random `Idempotency-Key`, so
    /// that it happens once all the same.
    pub(in crate::command) async fn ask(&self, ask: &Ask) -> Result<Answer, ClientError> {
        let key: u128 = rand::rng().random();
        let key = format!("cli-{key:032x}");
        let repeatable = matches!(ask.method, Method::GET | Method::POST);
        match self.once(ask, &key).await {
            Err(ClientError::Connect { .. }) => self.once(ask, &key).await,
            Err(ClientError::Broken(_)) if repeatable => self.once(ask, &key).await,
            other => other,
        }
    }

    async fn once(&self, ask: &Ask, key: &str) -> Result<Answer, ClientError> {
        let exchange = async {
            let socket = self.connect().await?;
            let request = self.request(ask, key)?;
            let Some(tls) = &self.tls else { return exchange(socket, request).await };
            let host = self.host.clone();
            let name = self.base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(name).map_err(|error| ClientError::Address {
                url: self.base.to_string(),
                problem: error.to_string(),
            })?;
            let secured = tls.connect(name, socket).await;
            exchange(secured.map_err(|source| ClientError::Tls { host, source })?, request).await
        };
        tokio::time::timeout(CLIENT_TIME_MAX, exchange).await.map_err(|_| ClientError::Time)?
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let failed = |source| ClientError::Connect { host: self.host.clone(), source };
        let port = self.base.port_or_known_default().unwrap_or(80);
        let single = |address: IpAddr| vec![SocketAddr::new(address, port)];
        let found = match self.base.host() {
            Some(Host::Ipv4(address)) => single(address.into()),
            Some(Host::Ipv6(address)) => single(address.into()),
            Some(Host::Domain(name)) => {
                tokio::net::lookup_host((name, port)).await.map_err(failed)?.collect()
            }
            None => Vec::new(),
        };
        let mut last = std::io::ErrorKind::NotFound.into();
        for address in found {
            let connecting = TcpStream::connect(address);
            match tokio::time::timeout(CLIENT_CONNECT_TIME_MAX, connecting).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => last = error,
                Err(_) => last = std::io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed(last))
    }

    fn request(&self, ask: &Ask, key: &str) -> Result<Request<Full<Bytes>>, ClientError> {
        let target = format!("{}{}", self.base.path().trim_end_matches('/'), ask.path);
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(target)
            .header(header::HOST, &self.host)
            .header(header::USER_AGENT, concat!("fermata/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, ask.accept)
            .header(header::CONNECTION, "close");
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if ask.method == Method::POST {
            request = request.header("idempotency-key", key);
        }
        let bytes = match &ask.body {
            Some((kind, bytes)) => {
                request = request.header(header::CONTENT_TYPE, *kind);
                Bytes::from(bytes.clone())
            }
            None => Bytes::new(),
        };
        Ok(request.body(Full::new(bytes))?)
    }
}

/// TLS that trusts the authorities of the file, or the public ones.
fn connector(authorities: Option<&Path>) -> Result<TlsConnector, ClientError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = authorities {
        let wrong = || ClientError::Authorities(path.display().to_string());
        let certificates = CertificateDer::pem_file_iter(path).map_err(|_| wrong())?;
        roots = rustls::RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
        }
        if roots.is_empty() {
            return Err(wrong());
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Answer(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// One request over a connection of its own.
async fn exchange(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, ClientError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let answered = async {
        let answer = sender.send_request(request).await?;
        read(answer).await
    };
    // The connection ends with the answer: it is driven only as long as somebody waits for it.
    tokio::pin!(answered);
    let mut connection = std::pin::pin!(connection);
    let mut open = true;
    loop {
        tokio::select! {
            answer = &mut answered => return answer,
            // Its failure shows in the answer, unless that was there already.
            _ = &mut connection, if open => open = false,
        }
    }
}

async fn read(answer: Response<Incoming>) -> Result<Answer, ClientError> {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, CLIENT_ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| ClientError::Answer(error.to_string()))?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer { status: parts.status.as_u16(), text })
}

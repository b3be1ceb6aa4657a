//! Reading a request: its body within a limit, how it is signed, and what it says.
//!
//! What it is not: nothing here is believed; that comes with the signature.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri, header};
use fermata_auth::{tc_legacy, tc3};
use fermata_trtc::Language;
use fermata_trtc::action::Action;
use fermata_trtc::param;
use fermata_types::Now;
use serde_json::Value;

use super::About;
use super::fault::Fault;
use crate::limits::{SERVER_API_BODY_BYTES_MAX, SERVER_API_SMALL_BODY_BYTES};
use crate::metrics::Metric;
use crate::server::Shared;

/// Header of the action.
const ACTION: &str = "x-tc-action";
/// Header of the version.
const VERSION: &str = "x-tc-version";
/// Header of the language.
const LANGUAGE: &str = "x-tc-language";
/// Form encoding.
const FORM: &str = "application/x-www-form-urlencoded";

/// How a request was signed.
#[derive(Debug)]
pub(super) enum Signature {
    /// `TC3-HMAC-SHA256`.
    Tc3(tc3::Presented),
    /// `HmacSHA1` or `HmacSHA256` over form parameters.
    Legacy(tc_legacy::Presented),
}

impl Signature {
    /// Name of the secret pair.
    pub(super) fn secret_id(&self) -> &str {
        match self {
            Self::Tc3(presented) => presented.secret_id(),
            Self::Legacy(presented) => presented.secret_id(),
        }
    }

    /// The service that it was signed for; older signatures name none.
    pub(super) fn service(&self) -> Option<&str> {
        match self {
            Self::Tc3(presented) => Some(presented.service()),
            Self::Legacy(_) => None,
        }
    }

    /// Compares with what the secret makes of the request.
    pub(super) fn verify(&self, secret_key: &str, now: Now) -> Result<(), Fault> {
        match self {
            Self::Tc3(presented) => presented.verify(secret_key, now.wall)?,
            Self::Legacy(presented) => presented.verify(secret_key, now.wall)?,
        }
        Ok(())
    }
}

/// The parameters of an action as they came.
#[derive(Debug)]
pub(super) enum Input {
    /// JSON, not read before the signature is believed: what it becomes takes many times its own room.
    Json(Bytes),
    /// Form encoding, those of the protocol taken out.
    Flat(Vec<(String, String)>),
}

/// A request as it was read.
#[derive(Debug)]
pub(super) struct Incoming {
    /// How it is signed.
    pub(super) signature: Signature,
    /// The action; empty if it names none.
    pub(super) action: String,
    /// The version; empty if it names none.
    pub(super) version: String,
    /// The host that it was sent to.
    pub(super) host: String,
    /// Its parameters.
    pub(super) input: Input,
}

/// Does a `GET /` call an action, or ask for the root page?
pub(super) fn is_call(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.headers().contains_key(ACTION)
        || request.headers().contains_key(header::AUTHORIZATION)
        || query.split('&').any(|pair| pair.starts_with("Action="))
}

/// Reads a request.
///
/// # Errors
/// `RequestSizeLimitExceeded`, `AuthFailure.*`, `InvalidRequest`.
pub(super) async fn read(
    shared: &Shared,
    request: Request,
    about: &mut About,
) -> Result<Incoming, Fault> {
    let (parts, body) = request.into_parts();
    about.language = Language::of(text(&parts.headers, LANGUAGE));
    let body = read_body(shared, &parts.headers, body).await?;
    let host = host(&parts.headers, &parts.uri);
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return by_tc3(&parts.method, &parts.uri, &parts.headers, &host, body);
    }
    let form =
        text(&parts.headers, header::CONTENT_TYPE.as_str()).is_some_and(|kind| media(kind) == FORM);
    let encoded = match parts.method {
        Method::GET => parts.uri.query().unwrap_or_default(),
        _ if form => {
            std::str::from_utf8(&body).map_err(|_| unreadable("The body is not UTF-8."))?
        }
        _ => "",
    };
    let pairs = tc_legacy::decode_form(encoded)?;
    if !tc_legacy::is_signed(&pairs) {
        let message = "The request is not signed: it takes a header Authorization with TC3-HMAC-SHA256, or \
                       form parameters with Signature.";
        return Err(Fault::new("AuthFailure.InvalidAuthorization", message));
    }
    by_parameters(&parts.method, &parts.uri, &host, pairs, about)
}

impl Input {
    /// As one JSON value, guided by the schema of the action. An absent body is null.
    pub(super) fn into_value(self, action: &Action) -> Result<Value, Fault> {
        match self {
            Self::Json(body) if body.is_empty() => Ok(Value::Null),
            Self::Json(body) => serde_json::from_slice(&body)
                .map_err(|error| unreadable(&format!("The body is no JSON: {error}."))),
            Self::Flat(pairs) => Ok(param::from_flat(action, &pairs)?),
        }
    }
}

/// A request with a header `Authorization`.
fn by_tc3(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    host: &str,
    body: Bytes,
) -> Result<Incoming, Fault> {
    let mut list: Vec<(&str, &str)> = headers
        .iter()
        .filter(|(name, _)| *name != header::HOST)
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    list.push(("host", host));
    let signed = tc3::RequestParts {
        method: method.as_str(),
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &list,
        body: &body,
    };
    let signature = Signature::Tc3(tc3::parse(&signed)?);
    let form = text(headers, header::CONTENT_TYPE.as_str()).is_some_and(|kind| media(kind) == FORM);
    let input = if *method == Method::GET {
        Input::Flat(tc_legacy::decode_form(uri.query().unwrap_or_default())?)
    } else if form {
        let text = std::str::from_utf8(&body).map_err(|_| unreadable("The body is not UTF-8."))?;
        Input::Flat(tc_legacy::decode_form(text)?)
    } else {
        Input::Json(body)
    };
    let header = |name: &str| text(headers, name).unwrap_or_default().to_owned();
    let (action, version) = (header(ACTION), header(VERSION));
    Ok(Incoming { signature, action, version, host: host.to_owned(), input })
}

/// A request whose parameters hold the signature.
fn by_parameters(
    method: &Method,
    uri: &Uri,
    host: &str,
    pairs: Vec<(String, String)>,
    about: &mut About,
) -> Result<Incoming, Fault> {
    let signature = tc_legacy::parse(method.as_str(), host, uri.path(), &pairs)?;
    let take = |name: &str| {
        let found = pairs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    about.language = Language::of(Some(&take("Language")));
    let (action, version) = (take("Action"), take("Version"));
    let own = |(name, _): &(String, String)| !tc_legacy::PROTOCOL_PARAMS.contains(&name.as_str());
    let input = Input::Flat(pairs.into_iter().filter(own).collect());
    let signature = Signature::Legacy(signature);
    Ok(Incoming { signature, action, version, host: host.to_owned(), input })
}

/// Reads the body. Only so many large ones at a time, so that strangers cannot fill the memory.
async fn read_body(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
    let declared =
        text(headers, header::CONTENT_LENGTH.as_str()).and_then(|len| len.parse::<u64>().ok());
    let bytes = declared.or_else(|| body.size_hint().upper());
    let too_large = || {
        let message = format!("The request is larger than {SERVER_API_BODY_BYTES_MAX} bytes.");
        Fault::new("RequestSizeLimitExceeded", message)
    };
    let limit = u64::try_from(SERVER_API_BODY_BYTES_MAX).unwrap_or(u64::MAX);
    if bytes.is_some_and(|bytes| bytes > limit) {
        return Err(too_large());
    }
    let small = bytes.is_some_and(|bytes| bytes <= SERVER_API_SMALL_BODY_BYTES);
    let _room = if small {
        None
    } else {
        let Some(room) = shared.server_api.large_body() else {
            shared.metrics.add(Metric::ServerApiBodiesRefused, 1);
            let message = "The server reads too many large requests now; try again in a second.";
            return Err(Fault::new("RequestLimitExceeded", message));
        };
        Some(room)
    };
    axum::body::to_bytes(body, SERVER_API_BODY_BYTES_MAX).await.map_err(|_| too_large())
}

/// The host as it was signed: the header, or HTTP/2's authority.
fn host(headers: &HeaderMap, uri: &Uri) -> String {
    let header = text(headers, header::HOST.as_str());
    header
        .or_else(|| uri.authority().map(axum::http::uri::Authority::as_str))
        .unwrap_or_default()
        .to_owned()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// `application/json` of `Application/JSON; charset=utf-8`.
fn media(kind: &str) -> String {
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn unreadable(message: &str) -> Fault {
    Fault::new("InvalidRequest", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_is_a_call_if_it_names_an_action() {
        for (uri, headers, expected) in [
            ("/", &[][..], false),
            ("/?NoAction=x", &[], false),
            ("/?Action=DismissRoom", &[], true),
            ("/?Version=1&Action=DismissRoom", &[], true),
            ("/", &[("x-tc-action", "DismissRoom")], true),
            ("/", &[("accept", "text/html")], false),
        ] {
            let mut request = Request::builder().uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            assert_eq!(
                is_call(&request.body(Body::empty()).unwrap()),
                expected,
                "{uri} {headers:?}"
            );
        }
    }

    #[test]
    fn the_host_is_known_without_its_header() {
        let host = "sms.example:443";
        let signed_headers = [("content-type", "application/json"), ("host", host)];
        let parts = tc3::RequestParts {
            method: "POST",
            path: "/",
            query: "",
            headers: &signed_headers,
            body: b"{}",
        };
        let names = ["content-type", "host"];
        let authorization = tc3::sign("AKID", "key", "sms", 1_700_000_000, &names, &parts).unwrap();
        let request = Request::post(format!("https://{host}/"))
            .header("content-type", "application/json")
            .header("x-tc-timestamp", "1700000000")
            .header("authorization", authorization)
            .body(())
            .unwrap();
        let (uri, headers) = (request.uri(), request.headers());
        let body = Bytes::from_static(b"{}");
        let read = by_tc3(&Method::POST, uri, headers, &super::host(headers, uri), body).unwrap();
        assert_eq!(read.host, host);
    }

    #[test]
    fn media_types_are_read_without_their_parameters() {
        assert_eq!(media("Application/X-WWW-Form-Urlencoded; charset=utf-8"), FORM);
        assert_eq!(media(""), "");
    }
}

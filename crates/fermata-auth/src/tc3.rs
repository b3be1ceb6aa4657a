//! The vendor's signature of requests, `TC3-HMAC-SHA256`: reading, checking and making it.
//!
//! Two steps, so that the caller can look the key up between them: [`parse`] reads what the request
//! presents and computes what it must have signed, [`Presented::verify`] compares.
//! The older signatures in form parameters are in [`crate::tc_legacy`].
//!
//! What it is not: it knows no secret pair and no action, and reads no clock.

use aws_lc_rs::{constant_time, digest, hmac};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::limits::{AUTHORIZATION_LEN_MAX, SECRET_ID_LEN_MAX, SIGNED_HEADERS_MAX, SKEW_S};

/// Name of the method, the first word of the header and of what is signed.
pub const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// What ends the scope of a credential.
const TERMINATOR: &str = "tc3_request";

/// Value of `X-TC-Content-SHA256` that leaves the body out of the signature; signed in its place.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Why a signed request is not believed. Texts never hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Tc3Error {
    /// The header or the parameters of the signature cannot be read.
    #[error("{0}")]
    InvalidAuthorization(String),
    /// The name of the secret pair has a form that none can have, or the pair was revoked.
    #[error("{0}")]
    InvalidSecretId(String),
    /// No such secret pair.
    #[error("The SecretId does not exist.")]
    SecretIdNotFound,
    /// The time of the request is too far from ours, or its nonce was used already.
    #[error("{0}")]
    SignatureExpire(String),
    /// Another signature was expected.
    #[error("{0}")]
    SignatureFailure(String),
    /// Temporary credentials, which are not issued here.
    #[error(
        "Temporary credentials are not issued here: leave the token away and use a secret pair."
    )]
    TokenFailure,
    /// The credential may not do this.
    #[error("{0}")]
    UnauthorizedOperation(String),
    /// The memory of nonces is full.
    #[error("{0}")]
    RequestLimitExceeded(String),
}

impl Tc3Error {
    /// The vendor's code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidAuthorization(_) => "AuthFailure.InvalidAuthorization",
            Self::InvalidSecretId(_) => "AuthFailure.InvalidSecretId",
            Self::SecretIdNotFound => "AuthFailure.SecretIdNotFound",
            Self::SignatureExpire(_) => "AuthFailure.SignatureExpire",
            Self::SignatureFailure(_) => "AuthFailure.SignatureFailure",
            Self::TokenFailure => "AuthFailure.TokenFailure",
            Self::UnauthorizedOperation(_) => "AuthFailure.UnauthorizedOperation",
            Self::RequestLimitExceeded(_) => "RequestLimitExceeded",
        }
    }
}

/// A request as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'a> {
    /// `GET` or `POST`, in capitals.
    pub method: &'a str,
    /// Path, `/` for all SDKs.
    pub path: &'a str,
    /// What stands behind the `?`, still encoded; empty if nothing does.
    pub query: &'a str,
    /// Headers in any order, names in any case. HTTP/2's authority is given as `host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; of a GET empty.
    pub body: &'a [u8],
}

impl<'a> RequestParts<'a> {
    /// Value of a header, trimmed; the first if it is there twice.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

/// What a request says of itself, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    secret_id: String,
    service: String,
    timestamp: i64,
    date: String,
    signature: Vec<u8>,
    /// Every text that the signature may be of, see [`strings_to_sign`].
    candidates: Vec<String>,
}

impl Presented {
    /// Name of the secret pair: 1 to 64 letters, digits, `_` and `-`.
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// The service in the scope of the credential, such as `trtc` or `billing`.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// When it was signed, seconds since 1970.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Checks time and signature. Comparisons take the same time for any wrong signature.
    ///
    /// # Errors
    /// [`Tc3Error::SignatureExpire`] when the request is more than [`SKEW_S`] old or early,
    /// [`Tc3Error::SignatureFailure`] when the signature is another one.
    pub fn verify(&self, secret_key: &str, now: Timestamp) -> Result<(), Tc3Error> {
        check_skew(self.timestamp, now)?;
        let key = signing_key(secret_key, &self.date, &self.service);
        let fits = self.candidates.iter().any(|text| {
            let expected = hmac::sign(&key, text.as_bytes());
            constant_time::verify_slices_are_equal(expected.as_ref(), &self.signature).is_ok()
        });
        if fits {
            return Ok(());
        }
        Err(Tc3Error::SignatureFailure(
            "The signature does not verify: check the SecretKey, and that method, path, query, signed headers and \
             body arrive as they were signed."
                .to_owned(),
        ))
    }
}

/// The time of a request against ours.
///
/// # Errors
/// [`Tc3Error::SignatureExpire`] when they are more than [`SKEW_S`] apart.
pub(crate) fn check_skew(timestamp: i64, now: Timestamp) -> Result<(), Tc3Error> {
    let apart = now.as_second().saturating_sub(timestamp);
    if apart.unsigned_abs() <= SKEW_S.unsigned_abs() {
        return Ok(());
    }
    let side = if apart > 0 { "old" } else { "ahead of the server's clock" };
    Err(Tc3Error::SignatureExpire(format!(
        "The request is {} s {side}; at most {SKEW_S} s are allowed.",
        apart.unsigned_abs()
    )))
}

/// The form of a secret pair's name.
///
/// # Errors
/// [`Tc3Error::InvalidSecretId`].
pub(crate) fn check_secret_id(secret_id: &str) -> Result<(), Tc3Error> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if secret_id.is_empty() || secret_id.len() > SECRET_ID_LEN_MAX || !secret_id.chars().all(fine) {
        return Err(Tc3Error::InvalidSecretId(format!(
            "The SecretId must have 1 to {SECRET_ID_LEN_MAX} letters, digits, _ and -."
        )));
    }
    Ok(())
}

/// Reads what a request presents.
///
/// # Errors
/// [`Tc3Error::InvalidAuthorization`] (form of the header, time missing, date not that of the time),
/// [`Tc3Error::InvalidSecretId`], [`Tc3Error::TokenFailure`], and [`Tc3Error::SignatureFailure`] for a
/// signed header that is not there.
pub fn parse(parts: &RequestParts<'_>) -> Result<Presented, Tc3Error> {
    let header = parts
        .header("authorization")
        .ok_or_else(|| invalid("The header Authorization is missing"))?;
    let fields = Fields::read(header)?;
    check_secret_id(fields.secret_id)?;
    if parts.header("x-tc-token").is_some_and(|token| !token.is_empty()) {
        return Err(Tc3Error::TokenFailure);
    }
    let text = parts
        .header("x-tc-timestamp")
        .ok_or_else(|| invalid("The header X-TC-Timestamp is missing"))?;
    let timestamp = read_timestamp(text, "X-TC-Timestamp")?;
    let date = date_of(timestamp)?;
    if fields.date != date {
        return Err(invalid(format!(
            "The date in Credential is {:?}, but X-TC-Timestamp is on {date} (UTC)",
            shown(fields.date)
        )));
    }
    let candidates =
        strings_to_sign(parts, fields.service, timestamp, &date, fields.signed_headers)?;
    Ok(Presented {
        secret_id: fields.secret_id.to_owned(),
        service: fields.service.to_owned(),
        timestamp,
        date,
        signature: unhex(fields.signature)
            .ok_or_else(|| invalid("Signature must have 64 hexadecimal digits"))?,
        candidates,
    })
}

/// Makes the `Authorization` header of a request, as SDKs do; for tests and tools.
///
/// # Errors
/// As [`parse`] for a header to sign that is missing, or a `timestamp` outside of the calendar.
pub fn sign(
    secret_id: &str,
    secret_key: &str,
    service: &str,
    timestamp: i64,
    signed_headers: &[&str],
    parts: &RequestParts<'_>,
) -> Result<String, Tc3Error> {
    let date = date_of(timestamp)?;
    let list = signed_headers.join(";");
    let texts = strings_to_sign(parts, service, timestamp, &date, &list)?;
    let text = texts.first().map(String::as_str).unwrap_or_default();
    let signature = hmac::sign(&signing_key(secret_key, &date, service), text.as_bytes());
    Ok(format!(
        "{ALGORITHM} Credential={secret_id}/{date}/{service}/{TERMINATOR}, SignedHeaders={list}, Signature={}",
        hex(signature.as_ref())
    ))
}

/// The parts of an `Authorization` header.
struct Fields<'a> {
    secret_id: &'a str,
    date: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Fields<'a> {
    fn read(header: &'a str) -> Result<Self, Tc3Error> {
        if header.len() > AUTHORIZATION_LEN_MAX {
            return Err(invalid(format!(
                "Authorization has {} bytes, {AUTHORIZATION_LEN_MAX} are allowed",
                header.len()
            )));
        }
        let (algorithm, rest) = header.split_once(' ').unwrap_or((header, ""));
        if algorithm != ALGORITHM {
            return Err(invalid(format!("Authorization must begin with {ALGORITHM}")));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in rest.split(',') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let place = match name.trim() {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                other => {
                    return Err(invalid(format!(
                        "Authorization has a field {:?}; Credential, SignedHeaders and Signature are known",
                        shown(other)
                    )));
                }
            };
            if place.replace(value.trim()).is_some() {
                return Err(invalid(format!("Authorization has {} twice", name.trim())));
            }
        }
        let need = |value: Option<&'a str>, name: &str| {
            value.ok_or_else(|| invalid(format!("Authorization has no {name}")))
        };
        let scope: Vec<&str> = need(credential, "Credential")?.splitn(5, '/').collect();
        let &[secret_id, date, service, TERMINATOR] = scope.as_slice() else {
            return Err(invalid(format!(
                "Credential must be <SecretId>/<date>/<service>/{TERMINATOR}"
            )));
        };
        Ok(Self {
            secret_id,
            date,
            service,
            signed_headers: need(signed_headers, "SignedHeaders")?,
            signature: need(signature, "Signature")?,
        })
    }
}

/// Every text that the signature may be of, the most likely first.
///
/// Clients differ in two things. Some sign header values as they are, others (the vendor's own examples)
/// in lower case. Some sign `Host` with its port, others only the name of the machine.
fn strings_to_sign(
    parts: &RequestParts<'_>,
    service: &str,
    timestamp: i64,
    date: &str,
    signed_headers: &str,
) -> Result<Vec<String>, Tc3Error> {
    let names: Vec<&str> = signed_headers.split(';').collect();
    check_signed(&names)?;
    let payload = match parts.header("x-tc-content-sha256") {
        Some(UNSIGNED_PAYLOAD) => UNSIGNED_PAYLOAD.as_bytes(),
        _ => parts.body,
    };
    let payload_hash = sha256_hex(payload);
    let mut texts: Vec<String> = Vec::new();
    for (lower, port) in [(false, true), (true, true), (false, false), (true, false)] {
        let mut block = String::new();
        for name in &names {
            let value = parts.header(name).ok_or_else(|| {
                Tc3Error::SignatureFailure(format!(
                    "SignedHeaders names {:?}, which the request does not have.",
                    shown(name)
                ))
            })?;
            let value = if *name == "host" && !port { without_port(value) } else { value };
            block.push_str(name);
            block.push(':');
            if lower {
                block.push_str(&value.to_ascii_lowercase());
            } else {
                block.push_str(value);
            }
            block.push('\n');
        }
        let canonical = format!(
            "{}\n{}\n{}\n{block}\n{signed_headers}\n{payload_hash}",
            parts.method, parts.path, parts.query
        );
        let text = format!(
            "{ALGORITHM}\n{timestamp}\n{date}/{service}/{TERMINATOR}\n{}",
            sha256_hex(canonical.as_bytes())
        );
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    Ok(texts)
}

/// The list of signed headers: bounded, in lower case, each once, with the two that must be in it.
fn check_signed(names: &[&str]) -> Result<(), Tc3Error> {
    if names.len() > SIGNED_HEADERS_MAX {
        return Err(invalid(format!(
            "SignedHeaders has {} names, {SIGNED_HEADERS_MAX} are allowed",
            names.len()
        )));
    }
    for (at, name) in names.iter().enumerate() {
        let token =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if name.is_empty() || !name.bytes().all(token) || names[..at].contains(name) {
            return Err(invalid(
                "SignedHeaders must be names of headers in lower case, each once, joined by ;",
            ));
        }
    }
    match ["content-type", "host"].into_iter().find(|must| !names.contains(must)) {
        Some(must) => Err(invalid(format!("SignedHeaders must contain {must}"))),
        None => Ok(()),
    }
}

/// `host` of `host:port`; an address in brackets keeps them.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Seconds since 1970 in plain decimal.
pub(crate) fn read_timestamp(text: &str, name: &str) -> Result<i64, Tc3Error> {
    let digits = (1..=11).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| {
        invalid(format!("{name} is {:?}; it must be seconds since 1970, in digits", shown(text)))
    })
}

/// The civil day of a moment, in UTC.
fn date_of(timestamp: i64) -> Result<String, Tc3Error> {
    let moment = Timestamp::from_second(timestamp)
        .map_err(|_| invalid(format!("The time {timestamp} is outside of the calendar")))?;
    Ok(moment.to_zoned(TimeZone::UTC).date().to_string())
}

/// The key of a day and a service: three steps from the secret.
fn signing_key(secret_key: &str, date: &str, service: &str) -> hmac::Key {
    let step = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
    };
    let of_date = step(format!("TC3{secret_key}").as_bytes(), date);
    let of_service = step(of_date.as_ref(), service);
    let of_request = step(of_service.as_ref(), TERMINATOR);
    hmac::Key::new(hmac::HMAC_SHA256, of_request.as_ref())
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// 64 hexadecimal digits in lower case to 32 bytes.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if text.len() != 64 {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

/// The beginning of a text from outside, for messages.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A refusal by its sentence, without the full stop.
pub(crate) fn invalid(sentence: impl std::fmt::Display) -> Tc3Error {
    Tc3Error::InvalidAuthorization(format!("{sentence}."))
}

#[cfg(test)]
#[path = "tc3_tests.rs"]
mod tests;

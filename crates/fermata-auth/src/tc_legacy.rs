//! The vendor's older signatures of requests: `HmacSHA1` and `HmacSHA256` over form parameters.
//!
//! The parameters (query of a GET, body of a POST) hold the signature and all that it covers.
//! Two steps as in [`crate::tc3`]: [`parse`], then [`Presented::verify`] with the key; after that
//! [`crate::tc_nonce::NonceMemory`] refuses what was seen before, for these signatures cover no body hash
//! and no header, only a nonce.
//!
//! What it is not: it does not look at what the parameters mean.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::limits::FORM_PAIRS_MAX;
use crate::tc3::{Tc3Error, check_secret_id, check_skew, invalid, read_timestamp, shown};

/// Parameters that belong to the protocol, not to the action.
///
/// They are common to all actions; what is left are the action's own.
pub const PROTOCOL_PARAMS: &[&str] = &[
    "Action",
    "Language",
    "Nonce",
    "Region",
    "RequestClient",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "Timestamp",
    "Token",
    "Version",
];

/// How it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// HMAC over SHA-1, the default when none is named.
    HmacSha1,
    /// HMAC over SHA-256.
    HmacSha256,
}

impl Method {
    fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::HmacSha256 => hmac::HMAC_SHA256,
        }
    }
}

/// What a request says of itself, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    secret_id: String,
    timestamp: i64,
    nonce: u64,
    method: Method,
    signature: Vec<u8>,
    /// With the host as it arrived, and without its port.
    candidates: Vec<String>,
}

impl Presented {
    /// Name of the secret pair: 1 to 64 letters, digits, `_` and `-`.
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// When it was signed, seconds since 1970.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The number that makes it different from all others of the same second.
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// How it was signed.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Checks time and signature; not the nonce. Comparisons take the same time for any wrong signature.
    ///
    /// # Errors
    /// [`Tc3Error::SignatureExpire`] when the request is too old or early,
    /// [`Tc3Error::SignatureFailure`] when the signature is another one.
    pub fn verify(&self, secret_key: &str, now: Timestamp) -> Result<(), Tc3Error> {
        check_skew(self.timestamp, now)?;
        let key = hmac::Key::new(self.method.algorithm(), secret_key.as_bytes());
        let fits = self.candidates.iter().any(|text| {
            let expected = hmac::sign(&key, text.as_bytes());
            constant_time::verify_slices_are_equal(expected.as_ref(), &self.signature).is_ok()
        });
        if fits {
            return Ok(());
        }
        Err(Tc3Error::SignatureFailure(
            "The signature does not verify: check the SecretKey, and that method, host, path and parameters arrive \
             as they were signed."
                .to_owned(),
        ))
    }
}

/// Whether parameters carry one of these signatures.
pub fn is_signed(params: &[(String, String)]) -> bool {
    get(params, "Signature").is_some()
}

/// Reads what a request presents. `method` in capitals, `host` as in the header, `params` decoded (see [`decode_form`]).
///
/// # Errors
/// [`Tc3Error::InvalidAuthorization`] for a protocol parameter that is missing, twice there or malformed,
/// [`Tc3Error::InvalidSecretId`], [`Tc3Error::TokenFailure`].
pub fn parse(
    method: &str,
    host: &str,
    path: &str,
    params: &[(String, String)],
) -> Result<Presented, Tc3Error> {
    let need = |name: &str| {
        get(params, name).ok_or_else(|| invalid(format!("The parameter {name} is missing")))
    };
    let signature = STANDARD
        .decode(need("Signature")?)
        .map_err(|_| invalid("Signature must be standard base64"))?;
    let secret_id = need("SecretId")?;
    check_secret_id(secret_id)?;
    if get(params, "Token").is_some_and(|token| !token.is_empty()) {
        return Err(Tc3Error::TokenFailure);
    }
    let timestamp = read_timestamp(need("Timestamp")?, "Timestamp")?;
    let nonce = need("Nonce")?;
    // Zero is read too: an SDK draws it from 0 to 65535.
    let digits = nonce.bytes().all(|b| b.is_ascii_digit()).then(|| nonce.parse().ok()).flatten();
    let nonce = digits.ok_or_else(|| {
        invalid(format!("Nonce is {:?}; it must be digits, at most 64 bits", shown(nonce)))
    })?;
    let algorithm = match get(params, "SignatureMethod") {
        None | Some("" | "HmacSHA1") => Method::HmacSha1,
        Some("HmacSHA256") => Method::HmacSha256,
        Some(other) => {
            return Err(invalid(format!(
                "SignatureMethod is {:?}; HmacSHA1 and HmacSHA256 are known",
                shown(other)
            )));
        }
    };
    Ok(Presented {
        secret_id: secret_id.to_owned(),
        timestamp,
        nonce,
        method: algorithm,
        signature,
        candidates: strings_to_sign(method, host, path, params)?,
    })
}

/// Makes the value of `Signature` over parameters that do not have one yet; for tests and tools.
///
/// # Errors
/// [`Tc3Error::InvalidAuthorization`] for a parameter that is there twice.
pub fn sign(
    secret_key: &str,
    algorithm: Method,
    method: &str,
    host: &str,
    path: &str,
    params: &[(String, String)],
) -> Result<String, Tc3Error> {
    let texts = strings_to_sign(method, host, path, params)?;
    let key = hmac::Key::new(algorithm.algorithm(), secret_key.as_bytes());
    let text = texts.first().map(String::as_str).unwrap_or_default();
    Ok(STANDARD.encode(hmac::sign(&key, text.as_bytes())))
}

/// Decodes parameters in form encoding: `a=b&c=d`, `+` for a space, `%` with two hexadecimal digits.
///
/// A pair without `=` has an empty value.
///
/// # Errors
/// [`Tc3Error::InvalidAuthorization`] for more than [`FORM_PAIRS_MAX`] pairs, a broken `%`, or bytes that are not UTF-8.
pub fn decode_form(text: &str) -> Result<Vec<(String, String)>, Tc3Error> {
    let mut pairs = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == FORM_PAIRS_MAX {
            return Err(invalid(format!("There are more than {FORM_PAIRS_MAX} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let broken =
            || invalid(format!("The parameter {:?} is not in form encoding of UTF-8", shown(name)));
        let name = decode_part(name).ok_or_else(broken)?;
        pairs.push((name, decode_part(value).ok_or_else(broken)?));
    }
    Ok(pairs)
}

fn decode_part(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                digit(rest.next()?)? << 4 | digit(rest.next()?)?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn get<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}

/// Method, host, path, `?` and the sorted parameters without the signature, values not encoded.
///
/// In names `_` becomes `.`, as SDKs of the vendor do it.
fn strings_to_sign(
    method: &str,
    host: &str,
    path: &str,
    params: &[(String, String)],
) -> Result<Vec<String>, Tc3Error> {
    let mut sorted: Vec<(String, &str)> = params
        .iter()
        .filter(|(name, _)| name != "Signature")
        .map(|(name, value)| (name.replace('_', "."), value.as_str()))
        .collect();
    sorted.sort_unstable();
    // The same name twice would leave open which value was meant.
    if let Some(twice) = sorted.windows(2).find(|two| two[0].0 == two[1].0) {
        return Err(invalid(format!("The parameter {:?} is there twice", shown(&twice[0].0))));
    }
    let list: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let list = list.join("&");
    let text = |host: &str| format!("{method}{host}{path}?{list}");
    let bare = crate::tc3::without_port(host);
    Ok(if bare == host { vec![text(host)] } else { vec![text(host), text(bare)] })
}

#[cfg(test)]
#[path = "tc_legacy_tests.rs"]
mod tests;

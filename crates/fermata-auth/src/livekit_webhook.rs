//! Signatures of `LiveKit` webhooks: a JSON Web Token of an API key that names the hash of the body.
//!
//! The receiver's SDK checks the token with the key's secret and compares the hash.
//! What it is not: a token that lets anybody in; it has no rights and lives for minutes.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::json;

use crate::limits::WEBHOOK_TOKEN_LIFETIME_S;

/// The value of `Authorization` of a webhook with this body, made at `now` under the key pair.
///
/// Claims: `iss` the API key, `nbf` and `exp` in seconds since 1970, `sha256` the hash of the body in base64
/// with padding.
pub fn sign_webhook(body: &[u8], key: &str, secret: &str, now: Timestamp) -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, body));
    let begin = now.as_second();
    let claims = json!({
        "iss": key,
        "nbf": begin,
        "exp": begin.saturating_add(WEBHOOK_TOKEN_LIFETIME_S),
        "sha256": hash,
    });
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signed = format!("{header}.{payload}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use serde_json::Value;

    use super::*;

    const SECRET: &str = "a secret of thirty-two characters";

    fn read(token: &str, secret: &str) -> Option<Value> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::decode::<Value>(token, &key, &validation).ok().map(|data| data.claims)
    }

    #[test]
    fn a_token_names_the_key_and_the_hash_of_the_body() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let token = sign_webhook(b"abc", "APIkey", SECRET, now);
        // The hash of "abc" stands in FIPS 180-4's examples.
        let expected = json!({
            "iss": "APIkey", "nbf": 1_700_000_000, "exp": 1_700_000_300,
            "sha256": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        });
        assert_eq!(read(&token, SECRET), Some(expected));
        assert_eq!(read(&token, "another secret of 32 characters."), None);
        assert_ne!(token, sign_webhook(b"abd", "APIkey", SECRET, now));
    }
}

//! Tokens in `LiveKit`'s form (HS256 JWT with a `video` claim).

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

/// What a token says, with the permissions every participant has by default.
#[derive(Debug, Clone)]
pub struct Token {
    claims: Map<String, Value>,
    video: Map<String, Value>,
    ttl: Duration,
}

/// A token was not made.
#[derive(Debug, thiserror::Error)]
#[error("could not sign a token")]
pub struct TokenError(#[from] jsonwebtoken::errors::Error);

impl Token {
    /// Lets `identity` join `room`, for six hours from signing.
    pub fn join(identity: &str, room: &str) -> Self {
        let mut video = Map::new();
        video.insert("roomJoin".to_owned(), json!(true));
        video.insert("room".to_owned(), json!(room));
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), json!(identity));
        Self { claims, video, ttl: Duration::from_hours(6) }
    }

    /// No identity and no room: for server requests; add grants.
    pub fn server() -> Self {
        Self { claims: Map::new(), video: Map::new(), ttl: Duration::from_mins(10) }
    }

    /// Sets a grant of the `video` claim, for example `canPublish` or `roomAdmin`.
    #[must_use]
    pub fn grant(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.video.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a claim beside `video`, for example `name`, `metadata` or `attributes`.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// How long it is valid from signing.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The signed text.
    ///
    /// # Errors
    /// [`TokenError`] if the secret cannot be used as a key.
    pub fn sign(&self, key: &str, secret: &str) -> Result<String, TokenError> {
        let now = fermata_types::Now::read().wall.as_second();
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        let mut claims = self.claims.clone();
        claims.entry("iss").or_insert_with(|| json!(key));
        claims.entry("nbf").or_insert_with(|| json!(now));
        claims.entry("exp").or_insert_with(|| json!(now.saturating_add(ttl)));
        claims.insert("video".to_owned(), Value::Object(self.video.clone()));
        let header = Header::new(Algorithm::HS256);
        let key = EncodingKey::from_secret(secret.as_bytes());
        Ok(jsonwebtoken::encode(&header, &Value::Object(claims), &key)?)
    }
}

/// A token with which `identity` joins `room` with default permissions.
///
/// # Errors
/// [`TokenError`] if the secret cannot be used as a key.
pub fn token(
    key: &str,
    secret: &str,
    identity: &str,
    room: &str,
    ttl: Duration,
) -> Result<String, TokenError> {
    Token::join(identity, room).ttl(ttl).sign(key, secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation};

    #[test]
    fn says_what_was_asked_and_is_signed() {
        let text = Token::join("ada", "maths")
            .grant("canPublish", false)
            .claim("name", "Ada")
            .sign("key", "a secret of thirty-two characters")
            .unwrap();
        let validation = Validation::new(Algorithm::HS256);
        let good = DecodingKey::from_secret(b"a secret of thirty-two characters");
        let claims = jsonwebtoken::decode::<Value>(&text, &good, &validation).unwrap().claims;
        assert_eq!(claims["sub"], "ada");
        assert_eq!(claims["iss"], "key");
        assert_eq!(claims["name"], "Ada");
        assert_eq!(
            claims["video"],
            json!({"room": "maths", "roomJoin": true, "canPublish": false})
        );
        let other = DecodingKey::from_secret(b"another");
        assert!(jsonwebtoken::decode::<Value>(&text, &other, &validation).is_err());
    }
}

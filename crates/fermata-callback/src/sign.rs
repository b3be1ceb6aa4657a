//! The signature of the vendor's callbacks.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The value of header `Sign`: base64 of HMAC-SHA256 over the body's bytes, under the callback's key.
pub fn sign(key: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    STANDARD.encode(hmac::sign(&key, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vendor's own example.
    const BODY: &str = "ewoJIkV2ZW50R3JvdXBJZCI6CTIsCgkiRXZlbnRUeXBlIjoJMjA0LAoJIkNhbGxiYWNrVHMiOgkxNjY0MjA5NzQ4\
                        MTg4LAoJIkV2ZW50SW5mbyI6CXsKCQkiUm9vbUlkIjoJODQ4OSwKCQkiRXZlbnRUcyI6CTE2NjQyMDk3NDgsCgkJ\
                        IkV2ZW50TXNUcyI6CTE2NjQyMDk3NDgxODAsCgkJIlVzZXJJZCI6CSJ1c2VyXzg1MDM0NjE0IiwKCQkiUmVhc29u\
                        IjoJMAoJfQp9";

    #[test]
    fn the_vendors_example_is_signed_as_it_says() {
        let body = STANDARD.decode(BODY).unwrap();
        assert_eq!(sign("123654", &body), "kkoFeO3Oh2ZHnjtg8tEAQhtXK16/KI05W3BQff8IvGA=");
        assert_ne!(sign("123655", &body), sign("123654", &body));
    }
}

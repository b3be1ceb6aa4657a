//! Tokens of the operator API: random text shown once, of which only the hash is kept.

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::limits::API_TOKEN_LEN_MAX;

/// What every generated token begins with, so that scanners for leaked secrets can find it.
pub const PREFIX: &str = "fmt_";

/// Makes the text of a new token from 32 bytes of a cryptographic generator.
pub fn generate(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// SHA-256 of a token's text, the only form of it that is stored.
///
/// A fast hash is enough because generated tokens carry 256 random bits.
pub fn hash(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

/// Is `text` the token with this hash? Takes the same time for any wrong text of the same length.
pub fn matches(text: &str, expected: &[u8; 32]) -> bool {
    text.len() <= API_TOKEN_LEN_MAX
        && constant_time::verify_slices_are_equal(&hash(text), expected).is_ok()
}

/// Compares two secrets in constant time (their lengths may leak).
pub fn secrets_equal(a: &str, b: &str) -> bool {
    constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_its_hash_alone() {
        let token = generate([7; 32]);
        assert!(token.starts_with("fmt_"));
        assert_eq!(token.len(), 4 + 43);
        assert!(matches(&token, &hash(&token)));
        assert!(!matches(&generate([8; 32]), &hash(&token)));
        assert!(!matches("", &hash(&token)));
        assert!(!matches(
            &"x".repeat(API_TOKEN_LEN_MAX + 1),
            &hash(&"x".repeat(API_TOKEN_LEN_MAX + 1))
        ));
    }

    #[test]
    fn the_hash_is_sha_256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let number =
            hash("abc").iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte));
        assert_eq!(format!("{number:032x}"), expected[..32]);
        assert!(secrets_equal("a", "a") && !secrets_equal("a", "b") && !secrets_equal("a", "aa"));
    }
}

//! Tokens of console sessions, and the word against forged requests (CSRF) that belongs to each.
//!
//! A session's token lives in a cookie that pages cannot read. Browsers add it to requests that other sites make,
//! too, so a request that changes something repeats a second word, which the page was told and which another site
//! cannot know. It is derived from the token, so that nothing more needs to be stored.
//! What it is not: it knows no user and no time.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api_token::secrets_equal;

/// What every token of a session begins with, so that scanners for leaked secrets can find it.
pub const PREFIX: &str = "fms_";

/// Bytes of a token's text: the prefix, and 256 bits as base64.
pub const TOKEN_LEN: usize = PREFIX.len() + 43;

/// What is signed to make the word; another word for another purpose would have another label.
const CSRF_LABEL: &[u8] = b"fermata console csrf 1";

/// Makes the text of a new session's token from 32 bytes of a cryptographic generator. Only its
/// [`crate::api_token::hash`] is stored.
pub fn generate(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// Has this text the form of a session's token? Whatever has not need not be looked up.
pub fn is_token(text: &str) -> bool {
    text.len() == TOKEN_LEN && text.starts_with(PREFIX)
}

/// The word against forged requests of the session with this token: 43 characters.
pub fn csrf_token(token: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, CSRF_LABEL))
}

/// Is `presented` the word of the session with this token? Compared in constant time.
pub fn csrf_matches(token: &str, presented: &str) -> bool {
    secrets_equal(&csrf_token(token), presented)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_form() {
        let token = generate([7; 32]);
        assert!(is_token(&token), "{token}");
        for other in ["", "fms_", &token[1..], &format!("{token}x"), &token.replace("fms", "fmt")] {
            assert!(!is_token(other), "{other}");
        }
    }

    #[test]
    fn each_session_has_a_word_of_its_own_that_is_not_its_token() {
        let (one, two) = (generate([1; 32]), generate([2; 32]));
        let word = csrf_token(&one);
        assert_eq!((word.len(), word.clone()), (43, csrf_token(&one)));
        assert!(!one.contains(&word) && !word.contains(&one[PREFIX.len()..]));
        assert!(csrf_matches(&one, &word));
        for wrong in ["", &word[1..], &csrf_token(&two), &one] {
            assert!(!csrf_matches(&one, wrong), "{wrong}");
        }
    }
}

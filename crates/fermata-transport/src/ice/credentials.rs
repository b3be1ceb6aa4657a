//! Our user fragment and password for one ICE session (RFC 8445 section 5.3).
//!
//! What it is not: those of the peer are read and checked with its description.

use aws_lc_rs::hmac;

use crate::parts::Credentials;

/// The 64 characters of ICE (`ice-char`, RFC 8839 section 5.4).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Characters of our fragments: 72 bits, so that no two connections of a node have the same.
/// At least 4 and 24 bits are asked for.
const UFRAG_LEN: usize = 12;

/// Characters of our passwords: 144 bits. At least 22 and 128 bits are asked for.
const PWD_LEN: usize = 24;

/// Our own from 32 random bytes, which may be used for other things too: what is drawn from them elsewhere
/// and shown to the world tells nothing about the password.
pub(crate) fn generate(seed: &[u8; 32]) -> Credentials {
    let key = hmac::Key::new(hmac::HMAC_SHA256, seed);
    let ufrag = drawn(&key, b"ice-ufrag", UFRAG_LEN);
    Credentials { ufrag, pwd: drawn(&key, b"ice-pwd", PWD_LEN) }
}

/// As many characters, at most 32, for this purpose.
fn drawn(key: &hmac::Key, purpose: &[u8], len: usize) -> String {
    let bytes = hmac::sign(key, purpose);
    let character = |byte: &u8| ALPHABET.get(usize::from(byte % 64)).copied().map(char::from);
    bytes.as_ref().iter().take(len).filter_map(character).collect()
}

//! Long-term credentials (RFC 8489 section 9.2): nonces that nobody has to remember, and keys from passwords.

use std::net::SocketAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use fermata_transport::turn::TurnSecret;
use md5::{Digest as _, Md5};

use super::Flow;
use crate::limits::NONCE_LIFETIME;

/// The realm told to clients.
pub(super) const REALM: &str = "fermata";

/// Hexadecimal digits of a nonce: its end, and a code over that and over whom it was given to.
const NONCE_LEN: usize = 16 + 32;

/// Makes and checks nonces.
pub(super) struct Nonces(hmac::Key);

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces")
    }
}

impl Nonces {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// One for a client, good for [`NONCE_LIFETIME`].
    pub(super) fn give(&self, now_s: i64, flow: Flow) -> String {
        let until = now_s.saturating_add(i64::try_from(NONCE_LIFETIME.as_secs()).unwrap_or(0));
        self.until(until, flow.client)
    }

    /// Is it one of ours for this client, and still good?
    pub(super) fn is_good(&self, nonce: &[u8], now_s: i64, flow: Flow) -> bool {
        let until = nonce.get(..16).and_then(|digits| std::str::from_utf8(digits).ok());
        let until = until.and_then(|digits| i64::from_str_radix(digits, 16).ok());
        nonce.len() == NONCE_LEN
            && until.is_some_and(|until| {
                let right = self.until(until, flow.client);
                until >= now_s && verify_slices_are_equal(right.as_bytes(), nonce).is_ok()
            })
    }

    fn until(&self, until: i64, client: SocketAddr) -> String {
        use std::fmt::Write as _;
        let code = hmac::sign(&self.0, format!("{until} {client}").as_bytes());
        let mut text = format!("{until:016x}");
        for byte in code.as_ref().iter().take(16) {
            // Writing to a text does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// The key of MESSAGE-INTEGRITY (RFC 8489 section 9.2.2). MD5 is what the protocol asks for here; what it protects is
/// a random password.
pub(super) fn key_of(secret: &TurnSecret, username: &str) -> hmac::Key {
    let password = secret.password(username);
    let digest = Md5::digest(format!("{username}:{REALM}:{password}"));
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_client_and_its_hour() {
        let nonces = Nonces::new(&[1; 32]);
        let flow = |client: &str| Flow { tls: false, client: client.parse().unwrap() };
        let (mine, other) = (flow("192.0.2.1:1"), flow("192.0.2.1:2"));
        let nonce = nonces.give(1_000, mine);
        assert_eq!(nonce.len(), NONCE_LEN);
        let good = |nonce: &str, at, flow| nonces.is_good(nonce.as_bytes(), at, flow);
        assert!(good(&nonce, 1_000, mine) && good(&nonce, 4_600, mine));
        assert!(!good(&nonce, 4_601, mine) && !good(&nonce, 1_000, other));
        assert!(!Nonces::new(&[2; 32]).is_good(nonce.as_bytes(), 1_000, mine));
        assert!(!good("", 0, mine) && !good(&"f".repeat(NONCE_LEN), 0, mine));
        assert!(!good(&nonce.replacen('0', "7", 1), 1_000, mine), "a later end");
    }
}

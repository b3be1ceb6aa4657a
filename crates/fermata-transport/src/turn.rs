//! Credentials of relays (TURN, RFC 8656) in the form that servers of other makes take too: the user name says until
//! when it is good and for whom, the password is a code over it. Nobody keeps a list of them.
//!
//! What it is not: no relay. Whoever knows the secret can make credentials and check them.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What both ends of the program share. Never told to anybody.
#[derive(Clone)]
pub struct TurnSecret(hmac::Key);

impl TurnSecret {
    /// From random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, bytes))
    }

    /// User name and password for `participant`, good until `expires_at` (seconds of Unix time).
    pub fn grant(&self, expires_at: i64, participant: &str) -> (String, String) {
        let username = format!("{expires_at}:{participant}");
        let password = self.password(&username);
        (username, password)
    }

    /// The password of a user name: base64 of HMAC-SHA1.
    pub fn password(&self, username: &str) -> String {
        BASE64_STANDARD.encode(hmac::sign(&self.0, username.as_bytes()))
    }
}

impl fmt::Debug for TurnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnSecret")
    }
}

/// Until when a user name is good (seconds of Unix time), and for which participant. `None` if it is none of ours.
pub fn parse_username(username: &str) -> Option<(i64, &str)> {
    let (expires_at, participant) = username.split_once(':')?;
    Some((expires_at.parse().ok()?, participant)).filter(|_| !participant.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_can_be_checked_with_the_secret_alone() {
        let secret = TurnSecret::new(&[1; 32]);
        let (username, password) = secret.grant(1_700_000_000, "PA_x");
        assert_eq!(parse_username(&username), Some((1_700_000_000, "PA_x")));
        assert_eq!(secret.password(&username), password);
        assert_ne!(TurnSecret::new(&[2; 32]).password(&username), password);
        for none in ["", "x:PA_x", "1700000000", "1700000000:"] {
            assert_eq!(parse_username(none), None, "{none}");
        }
        assert_eq!(format!("{secret:?}"), "TurnSecret");
    }
}

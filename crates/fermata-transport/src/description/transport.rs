//! The attributes of the transport: ICE credentials, certificate fingerprint, DTLS role.

use std::fmt::Write as _;

use crate::error::SdpError;
use crate::parts::Credentials;

use super::malformed;

/// Longest user fragment and password (RFC 8839 section 5.4).
const CREDENTIAL_LEN_MAX: usize = 256;

/// `a=setup` (RFC 4145 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    Active,
    Passive,
    ActPass,
    HoldConn,
}

/// What one section, or the session, says of its transport.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TransportText<'t> {
    ufrag: Option<&'t str>,
    pwd: Option<&'t str>,
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) setup: Option<Setup>,
}

impl<'t> TransportText<'t> {
    pub(super) fn credentials(&self) -> Option<Credentials> {
        Some(Credentials { ufrag: self.ufrag?.to_owned(), pwd: self.pwd?.to_owned() })
    }

    /// Reads the attribute if it is one of these; says whether it was.
    pub(super) fn read(&mut self, name: &str, value: &'t str) -> Result<bool, SdpError> {
        match name {
            "ice-ufrag" => self.ufrag = Some(credential(value)?),
            "ice-pwd" => self.pwd = Some(credential(value)?),
            "fingerprint" => self.sha256 = fingerprint(value)?.or(self.sha256),
            "setup" => self.setup = Some(setup(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn credential(value: &str) -> Result<&str, SdpError> {
    // The colon would split the user name of a check (RFC 8445 section 7.2.2).
    let fits = (1..=CREDENTIAL_LEN_MAX).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if fits { Ok(value) } else { Err(malformed("ICE credentials")) }
}

fn setup(value: &str) -> Result<Setup, SdpError> {
    Ok(match value {
        "active" => Setup::Active,
        "passive" => Setup::Passive,
        "actpass" => Setup::ActPass,
        "holdconn" => Setup::HoldConn,
        _ => return Err(malformed("setup is none of active, passive, actpass, holdconn")),
    })
}

/// The bytes of a SHA-256 fingerprint (RFC 8122 section 5); `None` if it is of another hash function.
fn fingerprint(value: &str) -> Result<Option<[u8; 32]>, SdpError> {
    let (function, hex) = value.split_once(' ').ok_or_else(|| malformed("fingerprint"))?;
    if !function.eq_ignore_ascii_case("sha-256") {
        return Ok(None);
    }
    let mut bytes = [0; 32];
    let mut words = hex.trim().split(':');
    for byte in &mut bytes {
        let digits = words.next().filter(|digits| {
            digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        *byte = digits
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| malformed("fingerprint is not of 32 bytes"))?;
    }
    match words.next() {
        None => Ok(Some(bytes)),
        Some(_) => Err(malformed("fingerprint is not of 32 bytes")),
    }
}

/// The value of `a=fingerprint` for a SHA-256 of a certificate.
pub(crate) fn fingerprint_text(sha256: &[u8; 32]) -> String {
    let mut text = "sha-256".to_owned();
    for (index, byte) in sha256.iter().enumerate() {
        text.push(if index == 0 { ' ' } else { ':' });
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

//! STUN (RFC 8489), as much of it as ICE-lite and a relay need: messages taken apart, answers written.
//!
//! What it is not: no client, no transactions, no SHA-256 integrity (ICE has none). What a method means, its callers
//! know.

mod message;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use message::checksum;
pub use message::{Attributes, Class, Malformed, Message, Unknown};
pub use write::Writer;
pub(crate) use write::{ErrorCode, error_len, success_len, write_error, write_success};

/// Bytes of the header.
pub const HEADER_LEN: usize = 20;
/// Bytes of an attribute's type and length.
const ATTRIBUTE_HEADER_LEN: usize = 4;
/// Bytes of a transaction's name.
pub const TRANSACTION_LEN: usize = 12;
/// Bytes of MESSAGE-INTEGRITY: HMAC-SHA1.
const INTEGRITY_LEN: usize = 20;
/// Bytes of FINGERPRINT.
const FINGERPRINT_LEN: usize = 4;
/// Tells STUN from what came before RFC 5389.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// The one method of ICE.
const BINDING: u16 = 0x0001;
/// Message type of an answer to a Binding request.
const BINDING_SUCCESS: u16 = 0x0101;
/// Message type of a refusal of one.
const BINDING_ERROR: u16 = 0x0111;
/// Most attributes that a refusal with UNKNOWN-ATTRIBUTES lists; further ones are left out.
pub(crate) const UNKNOWN_LISTED_MAX: usize = 8;

/// Attribute types (RFC 8489 section 18.3, RFC 8445 section 20.1).
pub(crate) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const PRIORITY: u16 = 0x0024;
    pub(crate) const USE_CANDIDATE: u16 = 0x0025;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
    pub(crate) const ICE_CONTROLLED: u16 = 0x8029;
    pub(crate) const ICE_CONTROLLING: u16 = 0x802A;
    /// Those of RFC 8489 that have no meaning in a check and are passed over, as it asks (section 6.3):
    /// MAPPED-ADDRESS, UNKNOWN-ATTRIBUTES, REALM, NONCE, MESSAGE-INTEGRITY-SHA256, PASSWORD-ALGORITHM, USERHASH.
    pub(crate) const KNOWN_AND_NEEDLESS: [u16; 7] =
        [0x0001, UNKNOWN_ATTRIBUTES, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E];
}

/// Our ICE user fragment in the USERNAME of a STUN binding request, the part before the colon
/// (RFC 8445 section 7.2.2: `RFRAG:LFRAG` from the sender's side, the receiver's fragment first).
///
/// `None` if `data` is not a binding request or has no such attribute. Authenticates nothing: for choosing
/// a connection among many when the source address is new, which then checks MESSAGE-INTEGRITY.
pub fn stun_username_ufrag(data: &[u8]) -> Option<&str> {
    const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
    const USERNAME: [u8; 2] = attribute::USERNAME.to_be_bytes();

    let (header, body) = data.split_at_checked(HEADER_LEN)?;
    if header.get(..2)? != BINDING_REQUEST || header.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([*header.get(2)?, *header.get(3)?]));
    let mut rest = body.get(..len)?;
    while let Some((attribute, tail)) = rest.split_at_checked(4) {
        let len = usize::from(u16::from_be_bytes([*attribute.get(2)?, *attribute.get(3)?]));
        if attribute.get(..2)? == USERNAME {
            let username = std::str::from_utf8(tail.get(..len)?).ok()?;
            let (local, _remote) = username.split_once(':')?;
            return (!local.is_empty()).then_some(local);
        }
        // Attributes are padded to four bytes (RFC 8489 section 14).
        rest = tail.get(len.next_multiple_of(4)..)?;
    }
    None
}

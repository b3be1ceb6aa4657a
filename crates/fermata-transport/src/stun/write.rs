//! Writing STUN messages into a buffer that is there already.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;

use super::message::{fingerprint_of, integrity_of};
use super::{
    ATTRIBUTE_HEADER_LEN, BINDING_ERROR, BINDING_SUCCESS, FINGERPRINT_LEN, HEADER_LEN,
    INTEGRITY_LEN, MAGIC_COOKIE, TRANSACTION_LEN, attribute,
};

/// Why a request is not granted (RFC 8489 section 14.8, RFC 8445 section 16.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    /// Something that has to be in the request is not.
    BadRequest,
    /// Wrong user name or key.
    Unauthorized,
    /// The request insists on attributes that we do not know.
    UnknownAttribute,
    /// Both ends think they are controlled.
    RoleConflict,
}

impl ErrorCode {
    /// The number.
    #[cfg(test)]
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::UnknownAttribute => 420,
            Self::RoleConflict => 487,
        }
    }

    /// Hundreds and the rest, as they are written.
    fn bytes(self) -> [u8; 2] {
        match self {
            Self::BadRequest => [4, 0],
            Self::Unauthorized => [4, 1],
            Self::UnknownAttribute => [4, 20],
            Self::RoleConflict => [4, 87],
        }
    }
}

/// Bytes of [`write_success`].
pub(crate) fn success_len(mapped: SocketAddr) -> usize {
    let address = if mapped.ip().to_canonical().is_ipv4() { 4 } else { 16 };
    let mapped = ATTRIBUTE_HEADER_LEN + 4 + address;
    HEADER_LEN + mapped + integrity_len() + fingerprint_len()
}

/// The answer that the request came from `mapped`. `None` if it does not fit.
pub(crate) fn write_success(
    out: &mut [u8],
    transaction: &[u8; TRANSACTION_LEN],
    mapped: SocketAddr,
    key: &hmac::Key,
) -> Option<usize> {
    let mut writer = Writer::new(out, BINDING_SUCCESS, transaction)?;
    writer.mapped(mapped, transaction)?;
    writer.integrity(key)?;
    writer.fingerprint()
}

/// Bytes of [`write_error`].
pub(crate) fn error_len(unknown: &[u16], is_signed: bool) -> usize {
    let listed = match unknown.len() {
        0 => 0,
        count => ATTRIBUTE_HEADER_LEN + (2 * count).next_multiple_of(4),
    };
    let integrity = if is_signed { integrity_len() } else { 0 };
    HEADER_LEN + ATTRIBUTE_HEADER_LEN + 4 + listed + integrity + fingerprint_len()
}

/// The answer that a request is not granted, without words; signed for those who proved to know the key.
/// `None` if it does not fit.
pub(crate) fn write_error(
    out: &mut [u8],
    transaction: &[u8; TRANSACTION_LEN],
    code: ErrorCode,
    unknown: &[u16],
    key: Option<&hmac::Key>,
) -> Option<usize> {
    let mut writer = Writer::new(out, BINDING_ERROR, transaction)?;
    writer.attribute(attribute::ERROR_CODE, &[&[0, 0], &code.bytes()])?;
    if !unknown.is_empty() {
        writer.begin(attribute::UNKNOWN_ATTRIBUTES, 2 * unknown.len())?;
        for kind in unknown {
            writer.put(&kind.to_be_bytes())?;
        }
        writer.pad()?;
    }
    if let Some(key) = key {
        writer.integrity(key)?;
    }
    writer.fingerprint()
}

fn integrity_len() -> usize {
    ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN
}

fn fingerprint_len() -> usize {
    ATTRIBUTE_HEADER_LEN + FINGERPRINT_LEN
}

/// A message that grows. Its length field always covers what was written.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    used: usize,
}

impl<'a> Writer<'a> {
    /// Writes the header. Every method answers `None` where the buffer is too short.
    pub fn new(out: &'a mut [u8], kind: u16, transaction: &[u8; TRANSACTION_LEN]) -> Option<Self> {
        let mut writer = Self { out, used: 0 };
        writer.put(&kind.to_be_bytes())?;
        writer.put(&[0, 0])?;
        writer.put(&MAGIC_COOKIE)?;
        writer.put(transaction)?;
        Some(writer)
    }

    /// Writes an attribute whose value is the pieces one behind the other.
    pub fn attribute(&mut self, kind: u16, pieces: &[&[u8]]) -> Option<()> {
        self.begin(kind, pieces.iter().map(|piece| piece.len()).sum())?;
        for piece in pieces {
            self.put(piece)?;
        }
        self.pad()
    }

    /// Signs what was written so far.
    pub fn integrity(&mut self, key: &hmac::Key) -> Option<()> {
        let tag = integrity_of(self.out.get(..self.used)?, key)?;
        self.attribute(attribute::MESSAGE_INTEGRITY, &[tag.as_ref()])
    }

    /// Ends the message with a checksum of it. Answers its length.
    pub fn fingerprint(mut self) -> Option<usize> {
        let covered = self.used;
        // The length that the checksum covers includes the checksum.
        self.attribute(attribute::FINGERPRINT, &[&[0; FINGERPRINT_LEN]])?;
        let value = fingerprint_of(self.out.get(..covered)?);
        let place = self.out.get_mut(covered + ATTRIBUTE_HEADER_LEN..self.used)?;
        place.copy_from_slice(&value.to_be_bytes());
        Some(self.used)
    }

    /// Ends the message without a checksum. Answers its length.
    pub fn finish(self) -> usize {
        self.used
    }

    /// XOR-MAPPED-ADDRESS; see [`Self::xor_address`].
    pub(crate) fn mapped(
        &mut self,
        mapped: SocketAddr,
        transaction: &[u8; TRANSACTION_LEN],
    ) -> Option<()> {
        self.xor_address(attribute::XOR_MAPPED_ADDRESS, mapped, transaction)
    }

    /// An address in the form of XOR-MAPPED-ADDRESS (RFC 8489 section 14.2). A socket for both families shows IPv4 peers with addresses of
    /// IPv6, which the peer would not know as its own.
    pub fn xor_address(
        &mut self,
        kind: u16,
        mapped: SocketAddr,
        transaction: &[u8; TRANSACTION_LEN],
    ) -> Option<()> {
        let [high, low, ..] = MAGIC_COOKIE;
        let port = (mapped.port() ^ u16::from_be_bytes([high, low])).to_be_bytes();
        let mask = MAGIC_COOKIE.iter().chain(transaction);
        match mapped.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let mut octets = ip.octets();
                octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
                self.attribute(kind, &[&[0, 1], &port, &octets])
            }
            IpAddr::V6(ip) => {
                let mut octets = ip.octets();
                octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
                self.attribute(kind, &[&[0, 2], &port, &octets])
            }
        }
    }

    fn begin(&mut self, kind: u16, len: usize) -> Option<()> {
        self.put(&kind.to_be_bytes())?;
        self.put(&u16::try_from(len).ok()?.to_be_bytes())?;
        let ends_at = self.used + len.next_multiple_of(4) - HEADER_LEN;
        let told = u16::try_from(ends_at).ok()?;
        self.out.get_mut(2..4)?.copy_from_slice(&told.to_be_bytes());
        Some(())
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.used + bytes.len();
        self.out.get_mut(self.used..end)?.copy_from_slice(bytes);
        self.used = end;
        Some(())
    }

    fn pad(&mut self) -> Option<()> {
        let padding = self.used.next_multiple_of(4) - self.used;
        self.put([0; 3].get(..padding)?)
    }
}

//! A STUN message taken apart, without copying it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use crc::{CRC_32_ISO_HDLC, Crc};

use super::{
    ATTRIBUTE_HEADER_LEN, BINDING, HEADER_LEN, INTEGRITY_LEN, MAGIC_COOKIE, TRANSACTION_LEN,
    UNKNOWN_LISTED_MAX, attribute,
};

/// What FINGERPRINT is mixed with, so that it differs from a CRC of a protocol around (RFC 8489 section 14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// CRC-32 of ITU V.42, the one of FINGERPRINT.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// The value of a FINGERPRINT attribute behind these bytes.
pub(crate) fn fingerprint_of(bytes: &[u8]) -> u32 {
    checksum(bytes) ^ FINGERPRINT_XOR
}

/// What a message is for (RFC 8489 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// Did what was asked.
    Success,
    /// Did not.
    Error,
}

/// Why bytes are no STUN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than the header, or the first bits or the magic cookie are another protocol's.
    #[error("no STUN header with the magic cookie 0x2112A442")]
    Header,
    /// The length in the header is not that of the datagram behind it, in steps of 4.
    #[error("length field says {told} bytes, a multiple of 4 and {there} are needed")]
    Length {
        /// In the header.
        told: usize,
        /// Bytes behind the header.
        there: usize,
    },
    /// An attribute that ends behind the message, or is not as long as it has to be.
    #[error("attribute 0x{kind:04x} has a wrong length")]
    Attribute {
        /// Its type.
        kind: u16,
    },
    /// FINGERPRINT has to be the last attribute (RFC 8489 section 14.7).
    #[error("something follows the fingerprint")]
    BehindFingerprint,
}

/// Attributes that the sender insists on and that we do not know, the first [`UNKNOWN_LISTED_MAX`] of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unknown {
    listed: [u16; UNKNOWN_LISTED_MAX],
    count: usize,
}

impl Unknown {
    fn push(&mut self, kind: u16) {
        if let Some(place) = self.listed.get_mut(self.count) {
            *place = kind;
            self.count += 1;
        }
    }

    /// Their types.
    pub fn listed(&self) -> &[u16] {
        self.listed.get(..self.count).unwrap_or_default()
    }
}

/// A message. Of an attribute that comes more than once, the first one is meant (RFC 8489 section 14).
/// What stands behind MESSAGE-INTEGRITY, but for FINGERPRINT, is not looked at: anyone could have put it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Request, answer or neither.
    pub class: Class,
    /// 1 is Binding.
    pub method: u16,
    /// Repeated in the answer.
    pub transaction: [u8; TRANSACTION_LEN],
    /// USERNAME, any bytes.
    pub username: Option<&'a [u8]>,
    /// PRIORITY (RFC 8445 section 16.1).
    pub priority: Option<u32>,
    /// USE-CANDIDATE was there.
    pub use_candidate: bool,
    /// Tie-breaker of ICE-CONTROLLING.
    pub controlling: Option<u64>,
    /// Tie-breaker of ICE-CONTROLLED.
    pub controlled: Option<u64>,
    /// XOR-MAPPED-ADDRESS.
    pub mapped: Option<SocketAddr>,
    /// ERROR-CODE, 300 to 699.
    pub error: Option<u16>,
    /// What the sender insists on and we do not know.
    pub unknown: Unknown,
    /// Where MESSAGE-INTEGRITY begins.
    integrity_at: Option<usize>,
    /// Value of FINGERPRINT, and where the attribute begins.
    fingerprint: Option<(u32, usize)>,
}

/// Iterator of [`Message::attributes`].
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let found = attribute_at(self.bytes, self.at).ok().flatten()?;
        self.at += ATTRIBUTE_HEADER_LEN + found.1.len().next_multiple_of(4);
        Some(found)
    }
}

impl<'a> Message<'a> {
    /// Reads the message that fills `bytes`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (kind, told, transaction) = header(bytes).ok_or(Malformed::Header)?;
        let there = bytes.len() - HEADER_LEN;
        if told != there || !told.is_multiple_of(4) {
            return Err(Malformed::Length { told, there });
        }
        let mut message = Self {
            bytes,
            class: class_of(kind),
            method: method_of(kind),
            transaction,
            username: None,
            priority: None,
            use_candidate: false,
            controlling: None,
            controlled: None,
            mapped: None,
            error: None,
            unknown: Unknown::default(),
            integrity_at: None,
            fingerprint: None,
        };
        let mut at = HEADER_LEN;
        while let Some((kind, value)) = attribute_at(bytes, at)? {
            if message.fingerprint.is_some() {
                return Err(Malformed::BehindFingerprint);
            }
            message.take(kind, value, at).ok_or(Malformed::Attribute { kind })?;
            at += ATTRIBUTE_HEADER_LEN + value.len().next_multiple_of(4);
        }
        Ok(message)
    }

    /// Remembers an attribute. `None` if it has not the form it has to have.
    fn take(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        if kind == attribute::FINGERPRINT {
            self.fingerprint = Some((u32::from_be_bytes(value.try_into().ok()?), at));
            return Some(());
        }
        if self.integrity_at.is_some() {
            return Some(());
        }
        match kind {
            attribute::MESSAGE_INTEGRITY => {
                if value.len() != INTEGRITY_LEN {
                    return None;
                }
                self.integrity_at = Some(at);
            }
            attribute::USERNAME => _ = self.username.get_or_insert(value),
            attribute::PRIORITY => {
                let priority = u32::from_be_bytes(value.try_into().ok()?);
                self.priority.get_or_insert(priority);
            }
            attribute::USE_CANDIDATE => {
                if !value.is_empty() {
                    return None;
                }
                self.use_candidate = true;
            }
            attribute::ICE_CONTROLLING => {
                let tie_breaker = u64::from_be_bytes(value.try_into().ok()?);
                self.controlling.get_or_insert(tie_breaker);
            }
            attribute::ICE_CONTROLLED => {
                let tie_breaker = u64::from_be_bytes(value.try_into().ok()?);
                self.controlled.get_or_insert(tie_breaker);
            }
            attribute::XOR_MAPPED_ADDRESS => {
                let mapped = unmask(value, &self.transaction)?;
                self.mapped.get_or_insert(mapped);
            }
            attribute::ERROR_CODE => {
                let code = error_code(value)?;
                self.error.get_or_insert(code);
            }
            // Types below 0x8000 must be understood (RFC 8489 section 14).
            _ if kind < 0x8000 && !attribute::KNOWN_AND_NEEDLESS.contains(&kind) => {
                self.unknown.push(kind);
            }
            _ => {}
        }
        Some(())
    }

    /// Its attributes as they stand there, up to MESSAGE-INTEGRITY or FINGERPRINT: type and value.
    pub fn attributes(&self) -> Attributes<'a> {
        let fingerprint_at = self.fingerprint.map(|(_, at)| at);
        let end = self.integrity_at.or(fingerprint_at).unwrap_or(self.bytes.len());
        Attributes { bytes: self.bytes.get(..end).unwrap_or_default(), at: HEADER_LEN }
    }

    /// The address in the value of an attribute that is written like XOR-MAPPED-ADDRESS; `None` if it is none.
    pub fn xor_address(&self, value: &[u8]) -> Option<SocketAddr> {
        unmask(value, &self.transaction)
    }

    /// A Binding request, the only message that an ICE-lite agent answers?
    pub fn is_binding_request(&self) -> bool {
        self.class == Class::Request && self.method == BINDING
    }

    /// Bytes of the whole message.
    #[expect(clippy::len_without_is_empty, reason = "a message is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Does it claim to be authenticated?
    pub fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// Has it a FINGERPRINT, and the right one?
    pub fn has_good_fingerprint(&self) -> bool {
        self.fingerprint.is_some_and(|(told, at)| {
            self.bytes.get(..at).is_some_and(|covered| fingerprint_of(covered) == told)
        })
    }

    /// Was it written by someone who knows the key? In constant time. False without MESSAGE-INTEGRITY.
    pub fn verify(&self, key: &hmac::Key) -> bool {
        let Some(at) = self.integrity_at else { return false };
        let value_at = at + ATTRIBUTE_HEADER_LEN;
        let covered = self.bytes.get(..at).unwrap_or_default();
        let told = self.bytes.get(value_at..value_at + INTEGRITY_LEN).unwrap_or_default();
        integrity_of(covered, key)
            .is_some_and(|computed| verify_slices_are_equal(computed.as_ref(), told).is_ok())
    }
}

/// The value of a MESSAGE-INTEGRITY attribute behind these bytes, which begin with a STUN header.
///
/// The code is made as if the message ended with the attribute (RFC 8489 section 14.5).
pub(crate) fn integrity_of(covered: &[u8], key: &hmac::Key) -> Option<hmac::Tag> {
    let ends_at = covered.len() + ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN - HEADER_LEN;
    let mut context = hmac::Context::with_key(key);
    context.update(covered.get(..2)?);
    context.update(&u16::try_from(ends_at).ok()?.to_be_bytes());
    context.update(covered.get(4..)?);
    Some(context.sign())
}

/// Message type, length field and transaction.
fn header(bytes: &[u8]) -> Option<(u16, usize, [u8; TRANSACTION_LEN])> {
    let (kind, rest) = bytes.split_first_chunk::<2>()?;
    let (told, rest) = rest.split_first_chunk::<2>()?;
    let (cookie, rest) = rest.split_first_chunk::<4>()?;
    let transaction = *rest.first_chunk::<TRANSACTION_LEN>()?;
    let kind = u16::from_be_bytes(*kind);
    let is_stun = kind >> 14 == 0 && *cookie == MAGIC_COOKIE;
    is_stun.then_some((kind, usize::from(u16::from_be_bytes(*told)), transaction))
}

/// Type and value of the attribute at `at`, `None` at the end of the message.
fn attribute_at(bytes: &[u8], at: usize) -> Result<Option<(u16, &[u8])>, Malformed> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((kind, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
    let kind = u16::from_be_bytes(*kind);
    let wrong = Malformed::Attribute { kind };
    let (len, rest) = rest.split_first_chunk::<2>().ok_or(wrong)?;
    let len = usize::from(u16::from_be_bytes(*len));
    // The padding has to be there too, with whatever in it.
    if rest.len() < len.next_multiple_of(4) {
        return Err(wrong);
    }
    rest.get(..len).map(|value| Some((kind, value))).ok_or(wrong)
}

/// The two bits of the class stand between those of the method (RFC 8489 section 5).
fn class_of(kind: u16) -> Class {
    match kind & 0x0110 {
        0x0000 => Class::Request,
        0x0010 => Class::Indication,
        0x0100 => Class::Success,
        _ => Class::Error,
    }
}

fn method_of(kind: u16) -> u16 {
    (kind & 0x000F) | ((kind & 0x00E0) >> 1) | ((kind & 0x3E00) >> 2)
}

/// RFC 8489 section 14.2.
fn unmask(value: &[u8], transaction: &[u8; TRANSACTION_LEN]) -> Option<SocketAddr> {
    let (head, address) = value.split_first_chunk::<4>()?;
    let [_, family, port @ ..] = *head;
    let [high, low, ..] = MAGIC_COOKIE;
    let port = u16::from_be_bytes(port) ^ u16::from_be_bytes([high, low]);
    let mask = MAGIC_COOKIE.iter().chain(transaction);
    let ip: IpAddr = match family {
        1 => {
            let mut octets: [u8; 4] = address.try_into().ok()?;
            octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
            Ipv4Addr::from(octets).into()
        }
        2 => {
            let mut octets: [u8; 16] = address.try_into().ok()?;
            octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// RFC 8489 section 14.8.
fn error_code(value: &[u8]) -> Option<u16> {
    let [_, _, hundreds, rest] = *value.first_chunk::<4>()?;
    let hundreds = u16::from(hundreds & 0x07);
    ((3..=6).contains(&hundreds) && rest < 100).then(|| hundreds * 100 + u16::from(rest))
}

//! What is written to clients.

use std::net::SocketAddr;

use aws_lc_rs::hmac;
use fermata_transport::stun::{Message, Writer};

use super::auth::REALM;
use crate::limits::MESSAGE_LEN_MAX;

pub(super) const ALLOCATE: u16 = 3;
pub(super) const REFRESH: u16 = 4;
pub(super) const SEND: u16 = 6;
pub(super) const CREATE_PERMISSION: u16 = 8;
pub(super) const CHANNEL_BIND: u16 = 9;

pub(super) const USERNAME: u16 = 0x0006;
pub(super) const CHANNEL_NUMBER: u16 = 0x000C;
pub(super) const LIFETIME: u16 = 0x000D;
pub(super) const XOR_PEER_ADDRESS: u16 = 0x0012;
pub(super) const DATA: u16 = 0x0013;
pub(super) const REALM_NAME: u16 = 0x0014;
pub(super) const NONCE: u16 = 0x0015;
pub(super) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub(super) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
pub(super) const REQUESTED_TRANSPORT: u16 = 0x0019;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// Those that a request may insist on and be understood.
pub(super) const KNOWN: [u16; 9] = [
    USERNAME,
    CHANNEL_NUMBER,
    LIFETIME,
    XOR_PEER_ADDRESS,
    DATA,
    REALM_NAME,
    NONCE,
    REQUESTED_ADDRESS_FAMILY,
    REQUESTED_TRANSPORT,
];

/// Longest answer, bytes.
const ANSWER_LEN: usize = 512;

/// Most types listed in UNKNOWN-ATTRIBUTES.
const UNKNOWN_MAX: usize = 8;

/// Why a request is refused (RFC 8656 section 19, RFC 8489 section 14.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400
    BadRequest,
    /// 401, with a nonce.
    Unauthorized(String),
    /// 403: no peer of this relay.
    Forbidden,
    /// 420
    UnknownAttributes(Vec<u16>),
    /// 437: there is none, or one already.
    Mismatch,
    /// 438, with a nonce.
    StaleNonce(String),
    /// 440
    Family,
    /// 441
    WrongCredentials,
    /// 442
    Transport,
    /// 443
    PeerFamily,
    /// 486
    Quota,
    /// 508
    Capacity,
}

impl Refusal {
    fn code(&self) -> (u8, u8) {
        match self {
            Self::BadRequest => (4, 0),
            Self::Unauthorized(_) => (4, 1),
            Self::Forbidden => (4, 3),
            Self::UnknownAttributes(_) => (4, 20),
            Self::Mismatch => (4, 37),
            Self::StaleNonce(_) => (4, 38),
            Self::Family => (4, 40),
            Self::WrongCredentials => (4, 41),
            Self::Transport => (4, 42),
            Self::PeerFamily => (4, 43),
            Self::Quota => (4, 86),
            Self::Capacity => (5, 8),
        }
    }
}

/// What a granted request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Granted {
    pub(super) relayed: Option<SocketAddr>,
    pub(super) mapped: Option<SocketAddr>,
    pub(super) lifetime_s: Option<u32>,
}

/// A success, signed.
pub(super) fn success(message: &Message<'_>, granted: Granted, key: &hmac::Key) -> Option<Vec<u8>> {
    let mut out = vec![0; ANSWER_LEN];
    let transaction = &message.transaction;
    let mut writer = Writer::new(&mut out, message.method | 0x0100, transaction)?;
    if let Some(relayed) = granted.relayed {
        writer.xor_address(XOR_RELAYED_ADDRESS, relayed, transaction)?;
    }
    if let Some(mapped) = granted.mapped {
        writer.xor_address(XOR_MAPPED_ADDRESS, mapped, transaction)?;
    }
    if let Some(lifetime) = granted.lifetime_s {
        writer.attribute(LIFETIME, &[&lifetime.to_be_bytes()])?;
    }
    writer.integrity(key)?;
    let len = writer.fingerprint()?;
    out.truncate(len);
    Some(out)
}

/// A refusal, signed for those who proved who they are.
pub(super) fn refusal(
    message: &Message<'_>,
    refusal: &Refusal,
    key: Option<&hmac::Key>,
) -> Option<Vec<u8>> {
    let mut out = vec![0; ANSWER_LEN];
    let mut writer = Writer::new(&mut out, message.method | 0x0110, &message.transaction)?;
    let (hundreds, rest) = refusal.code();
    writer.attribute(ERROR_CODE, &[&[0, 0, hundreds, rest]])?;
    match refusal {
        Refusal::Unauthorized(nonce) | Refusal::StaleNonce(nonce) => {
            writer.attribute(REALM_NAME, &[REALM.as_bytes()])?;
            writer.attribute(NONCE, &[nonce.as_bytes()])?;
        }
        Refusal::UnknownAttributes(kinds) => {
            let kinds = kinds.iter().take(UNKNOWN_MAX).flat_map(|kind| kind.to_be_bytes());
            writer.attribute(UNKNOWN_ATTRIBUTES, &[&kinds.collect::<Vec<u8>>()])?;
        }
        _ => {}
    }
    if let Some(key) = key {
        writer.integrity(key)?;
    }
    let len = writer.fingerprint()?;
    out.truncate(len);
    Some(out)
}

/// Channel data (RFC 8656 section 12.4), padded in streams.
pub(super) fn channel_data(
    out: &mut Vec<u8>,
    number: u16,
    data: &[u8],
    padded: bool,
) -> Option<()> {
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&u16::try_from(data.len()).ok()?.to_be_bytes());
    out.extend_from_slice(data);
    if padded {
        out.resize(out.len().next_multiple_of(4), 0);
    }
    Some(())
}

/// A Data indication (RFC 8656 section 11.3).
pub(super) fn data_indication(out: &mut Vec<u8>, told: SocketAddr, data: &[u8]) -> Option<()> {
    out.resize(MESSAGE_LEN_MAX, 0);
    // Indications are answered by nobody; the name of their transaction says nothing.
    let transaction = [0; 12];
    let mut writer = Writer::new(out, 0x0017, &transaction)?;
    writer.xor_address(XOR_PEER_ADDRESS, told, &transaction)?;
    writer.attribute(DATA, &[data])?;
    let len = writer.finish();
    out.truncate(len);
    Some(())
}

//! The named limits of this crate.

/// Largest packet that is sealed or opened, in bytes with everything on it: what a UDP datagram can carry.
///
/// Far below the 2^20 bytes after which the counter of AES-CM would run over (RFC 3711 section 4.1.1).
pub const MAX_PACKET_LEN: usize = 65_535;

/// Largest SRTCP index (RFC 3711 section 3.4: 31 bits). After it the keys have to be changed.
pub const MAX_RTCP_INDEX: u32 = 0x7fff_ffff;

/// How many indices below the highest one a [`ReplayWindow`](crate::ReplayWindow) still knows.
///
/// RFC 3711 section 3.3.2 asks for 64 at least; a burst of video in the wrong order needs more.
pub const REPLAY_WINDOW: u64 = 1_024;

/// Largest index of an RTP packet: 48 bits (RFC 3711 section 3.3.1).
pub(crate) const MAX_RTP_INDEX: u64 = (1 << 48) - 1;

/// Fixed part of an RTP header in bytes (RFC 3550 section 5.1).
pub(crate) const RTP_HEADER_LEN: usize = 12;

/// Part of a compound RTCP packet that is never encrypted, in bytes (RFC 3711 section 3.4).
pub(crate) const RTCP_HEADER_LEN: usize = 8;

/// The word with the E bit and the SRTCP index, in bytes.
pub(crate) const RTCP_WORD_LEN: usize = 4;

/// The E bit of that word: this packet is encrypted.
pub(crate) const RTCP_ENCRYPTED: u32 = 0x8000_0000;

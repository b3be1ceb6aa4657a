//! The few fields of RTP and RTCP that the ciphers need, read from packets whose length was checked or not.

use crate::error::Error;
use crate::limits::{MAX_PACKET_LEN, RTP_HEADER_LEN};

/// Sequence number and SSRC of an RTP packet (RFC 3550 section 5.1), if its fixed header is there.
pub(crate) fn rtp_fields(packet: &[u8]) -> Option<(u16, u32)> {
    let header = packet.first_chunk::<RTP_HEADER_LEN>()?;
    let &[_, _, s0, s1, _, _, _, _, c0, c1, c2, c3] = header;
    Some((u16::from_be_bytes([s0, s1]), u32::from_be_bytes([c0, c1, c2, c3])))
}

/// SSRC of the first packet of a compound RTCP packet.
pub(crate) fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    packet.get(4..8)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// Checks the lengths of an RTP packet that ends in a tag; returns where its tag begins.
pub(crate) fn check_rtp(len: usize, header_len: usize, tag_len: usize) -> Result<usize, Error> {
    if len > MAX_PACKET_LEN {
        return Err(Error::TooLong { got: len });
    }
    let want = RTP_HEADER_LEN + tag_len;
    if len < want {
        return Err(Error::TooShort { got: len, want });
    }
    let max = len - tag_len;
    if header_len < RTP_HEADER_LEN || header_len > max {
        return Err(Error::HeaderLength { got: header_len, min: RTP_HEADER_LEN, max });
    }
    Ok(max)
}

/// `base`, with `with` put onto it by exclusive or from byte `at` on; what lies beyond the end is left out.
pub(crate) fn xor_at<const N: usize>(mut base: [u8; N], at: usize, with: &[u8]) -> [u8; N] {
    for (byte, other) in base.iter_mut().skip(at).zip(with) {
        *byte ^= other;
    }
    base
}

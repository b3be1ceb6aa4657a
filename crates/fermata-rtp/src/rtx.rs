//! Retransmission payloads (RFC 4588 section 4): the original sequence number, then the original payload.

use crate::wire;

/// Bytes of the original sequence number (OSN).
pub const OSN_LEN: usize = 2;

/// Takes a retransmission apart: original sequence number and payload. `None` if it is too short, as
/// padding sent on the stream for retransmissions is once its padding is taken off.
pub fn split(payload: &[u8]) -> Option<(u16, &[u8])> {
    Some((wire::u16_at(payload, 0)?, payload.get(OSN_LEN..)?))
}

/// Writes a retransmission of `payload` to the front of `out`; answers its length, `None` if it does not fit.
pub fn write(sequence_number: u16, payload: &[u8], out: &mut [u8]) -> Option<usize> {
    let len = OSN_LEN + payload.len();
    let (osn, place) = out.get_mut(..len)?.split_first_chunk_mut::<OSN_LEN>()?;
    *osn = sequence_number.to_be_bytes();
    place.copy_from_slice(payload);
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let mut out = [0xaa; 6];
        assert_eq!(write(0x1234, &[1, 2, 3], &mut out), Some(5));
        assert_eq!(out, [0x12, 0x34, 1, 2, 3, 0xaa]);
        assert_eq!(split(&out[..5]), Some((0x1234, &[1, 2, 3][..])));
        assert_eq!(split(&out[..2]), Some((0x1234, &[][..])));
        assert_eq!(split(&out[..1]), None);
        assert_eq!(write(1, &[0; 5], &mut out), None);
    }
}

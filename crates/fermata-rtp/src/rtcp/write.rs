//! Writers of RTCP packets; each appends whole packets to a compound packet. None looks at how long that gets:
//! the caller keeps it below what the path takes.

use super::{Delay, ReportBlock, SenderInfo, extended, packet_type};
use crate::limits::{EXTENDED_DELAYS_MAX, NACK_ENTRIES_MAX, RTCP_COUNT_MAX};
use crate::ntp::NtpTime;

const VERSION_BITS: u8 = 2 << 6;

/// Begins a packet; answers where, for [`end`].
pub(crate) fn begin(out: &mut Vec<u8>, packet_type: u8, count: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[VERSION_BITS | count & 0x1f, packet_type, 0, 0]);
    start
}

/// Ends a packet: fills up to a whole word with zeros, and writes its length.
pub(crate) fn end(out: &mut Vec<u8>, start: usize) {
    let len = (out.len() - start).next_multiple_of(4);
    out.resize(start + len, 0);
    let words = u16::try_from(len / 4 - 1).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(start + 2..start + 4) {
        place.copy_from_slice(&words);
    }
}

fn put(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Cannot be cut: all counts are at most [`RTCP_COUNT_MAX`].
fn count(items: usize) -> u8 {
    u8::try_from(items).unwrap_or(u8::MAX)
}

fn report_blocks(out: &mut Vec<u8>, blocks: &[ReportBlock]) {
    for block in blocks {
        put(out, block.ssrc);
        // 24 bits with sign; what is beyond stays at the end of the range (RFC 3550 A.3).
        let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        put(out, u32::from(block.fraction_lost) << 24 | lost);
        put(out, block.highest_seq);
        put(out, block.jitter);
        put(out, block.last_sender_report);
        put(out, block.delay);
    }
}

/// SR of `ssrc`; blocks beyond 31 go into receiver reports behind it.
pub fn sender_report(out: &mut Vec<u8>, ssrc: u32, info: &SenderInfo, blocks: &[ReportBlock]) {
    let (first, more) = blocks.split_at(blocks.len().min(RTCP_COUNT_MAX));
    let start = begin(out, packet_type::SENDER_REPORT, count(first.len()));
    put(out, ssrc);
    out.extend_from_slice(&info.ntp.0.to_be_bytes());
    put(out, info.rtp_time);
    put(out, info.packets);
    put(out, info.octets);
    report_blocks(out, first);
    end(out, start);
    if !more.is_empty() {
        receiver_report(out, ssrc, more);
    }
}

/// RR of `ssrc`, empty if there are no blocks, several if there are more than 31.
pub fn receiver_report(out: &mut Vec<u8>, ssrc: u32, blocks: &[ReportBlock]) {
    let mut rest = blocks;
    loop {
        let (first, more) = rest.split_at(rest.len().min(RTCP_COUNT_MAX));
        let start = begin(out, packet_type::RECEIVER_REPORT, count(first.len()));
        put(out, ssrc);
        report_blocks(out, first);
        end(out, start);
        if more.is_empty() {
            return;
        }
        rest = more;
    }
}

/// SDES with the CNAME of `ssrc`. False, with nothing written, unless the name has 1 to 255 bytes.
pub fn sdes_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) -> bool {
    let Ok(len @ 1..) = u8::try_from(cname.len()) else { return false };
    let start = begin(out, packet_type::SOURCE_DESCRIPTION, 1);
    put(out, ssrc);
    out.extend_from_slice(&[1, len]);
    out.extend_from_slice(cname.as_bytes());
    out.push(0);
    end(out, start);
    true
}

/// BYE of these streams; several packets if there are more than 31, none if there are none.
pub fn goodbye(out: &mut Vec<u8>, ssrcs: &[u32]) {
    for ssrcs in ssrcs.chunks(RTCP_COUNT_MAX) {
        let start = begin(out, packet_type::GOODBYE, count(ssrcs.len()));
        for &ssrc in ssrcs {
            put(out, ssrc);
        }
        end(out, start);
    }
}

/// XR of `ssrc` with its reference time, which a sender answers with [`delays`].
pub fn reference_time(out: &mut Vec<u8>, ssrc: u32, time: NtpTime) {
    let start = begin(out, packet_type::EXTENDED_REPORT, 0);
    put(out, ssrc);
    out.extend_from_slice(&[extended::REFERENCE_TIME, 0, 0, 2]);
    out.extend_from_slice(&time.0.to_be_bytes());
    end(out, start);
}

/// XR of `ssrc` with what became of the receivers' reference times; none if there are none, and of as many as a
/// block has room for.
pub fn delays(out: &mut Vec<u8>, ssrc: u32, delays: &[Delay]) {
    if delays.is_empty() {
        return;
    }
    let fitting = delays.get(..EXTENDED_DELAYS_MAX).unwrap_or(delays);
    let start = begin(out, packet_type::EXTENDED_REPORT, 0);
    put(out, ssrc);
    let words = 3 * u32::from(count(fitting.len()));
    put(out, u32::from(extended::DELAYS) << 24 | words);
    for delay in fitting {
        put(out, delay.ssrc);
        put(out, delay.last_reference);
        put(out, delay.delay);
    }
    end(out, start);
}

/// Generic NACK of `lost`, in their order; neighbours up to 16 behind share an entry. Several packets if there
/// are more than [`NACK_ENTRIES_MAX`] entries, none if nothing is lost.
pub fn nack(out: &mut Vec<u8>, sender: u32, media: u32, lost: &[u16]) {
    let mut lost = lost.iter().copied().peekable();
    while lost.peek().is_some() {
        let start = begin_feedback(out, packet_type::TRANSPORT_FEEDBACK, 1, sender, media);
        for _ in 0..NACK_ENTRIES_MAX {
            let Some(first) = lost.next() else { break };
            let mut mask = 0_u16;
            while let Some(behind @ 0..=16) = lost.peek().map(|next| next.wrapping_sub(first)) {
                // The same one twice needs no bit.
                mask |= if behind == 0 { 0 } else { 1 << (behind - 1) };
                lost.next();
            }
            put(out, u32::from(first) << 16 | u32::from(mask));
        }
        end(out, start);
    }
}

/// PLI for `media`.
pub fn picture_loss(out: &mut Vec<u8>, sender: u32, media: u32) {
    let start = begin_feedback(out, packet_type::PAYLOAD_FEEDBACK, 1, sender, media);
    end(out, start);
}

/// FIR for these streams with the number of each request, which the caller raises for each new one; none if
/// there are none.
pub fn full_intra(out: &mut Vec<u8>, sender: u32, entries: &[(u32, u8)]) {
    if entries.is_empty() {
        return;
    }
    let start = begin_feedback(out, packet_type::PAYLOAD_FEEDBACK, 4, sender, 0);
    for &(ssrc, number) in entries {
        put(out, ssrc);
        put(out, u32::from(number) << 24);
    }
    end(out, start);
}

/// REMB of all these streams together, at most 255 (false, with nothing written, if there are more). The rate
/// is rounded down to 18 bits and an exponent.
pub fn estimated_bitrate(out: &mut Vec<u8>, sender: u32, bps: u64, ssrcs: &[u32]) -> bool {
    let Ok(count) = u8::try_from(ssrcs.len()) else { return false };
    let start = begin_feedback(out, packet_type::PAYLOAD_FEEDBACK, 15, sender, 0);
    out.extend_from_slice(b"REMB");
    let exponent = (u64::BITS - bps.leading_zeros()).saturating_sub(18);
    let mantissa = crate::wire::low32(bps >> exponent);
    put(out, u32::from(count) << 24 | exponent << 18 | mantissa);
    for &ssrc in ssrcs {
        put(out, ssrc);
    }
    end(out, start);
    true
}

/// Begins a feedback packet (RFC 4585 section 6.1).
pub(crate) fn begin_feedback(
    out: &mut Vec<u8>,
    packet_type: u8,
    format: u8,
    sender: u32,
    media: u32,
) -> usize {
    let start = begin(out, packet_type, format);
    put(out, sender);
    put(out, media);
    start
}

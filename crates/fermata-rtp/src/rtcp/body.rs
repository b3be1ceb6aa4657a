//! The packets of a compound packet.

use crate::ntp::NtpTime;
use crate::rtcp::{ExtendedBlocks, packet_type};
use crate::twcc::FeedbackView;
use crate::wire;

/// Bytes of a report block.
const BLOCK_LEN: usize = 24;

/// How one receiver hears one stream, RFC 3550 section 6.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256 of what was expected.
    pub fraction_lost: u8,
    /// Lost since the beginning; 24 bits with sign. Negative: more duplicates than losses.
    pub lost: i32,
    /// Highest sequence number, with its wraps in the upper half.
    pub highest_seq: u32,
    /// Ticks of the stream's clock.
    pub jitter: u32,
    /// LSR: compact NTP time of the last sender report; 0 if there was none.
    pub last_sender_report: u32,
    /// DLSR: time since then, 1/65,536 s.
    pub delay: u32,
}

/// What a sender says of its stream, RFC 3550 section 6.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// When it was sent.
    pub ntp: NtpTime,
    /// The same moment on the stream's clock.
    pub rtp_time: u32,
    /// Packets sent; wraps.
    pub packets: u32,
    /// Bytes of payload sent; wraps.
    pub octets: u32,
}

/// One packet of a compound packet.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// SR, RFC 3550 section 6.4.1.
    SenderReport {
        /// Whose report.
        ssrc: u32,
        /// What it says of its stream.
        info: SenderInfo,
        /// What it hears.
        reports: Reports<'a>,
    },
    /// RR, RFC 3550 section 6.4.2.
    ReceiverReport {
        /// Whose report.
        ssrc: u32,
        /// What it hears.
        reports: Reports<'a>,
    },
    /// SDES, RFC 3550 section 6.5.
    SourceDescription {
        /// SSRC and CNAME of each source.
        names: Names<'a>,
    },
    /// BYE, RFC 3550 section 6.6.
    Goodbye {
        /// Streams that ended.
        ssrcs: Ssrcs<'a>,
    },
    /// Generic NACK, RFC 4585 section 6.2.1.
    Nack {
        /// Who asks.
        sender: u32,
        /// The stream.
        media: u32,
        /// What to send again; up to 17 for each four bytes, and possibly the same twice.
        lost: LostPackets<'a>,
    },
    /// PLI, RFC 4585 section 6.3.1.
    PictureLoss {
        /// Who asks.
        sender: u32,
        /// The stream.
        media: u32,
    },
    /// FIR, RFC 5104 section 4.3.1.
    FullIntra {
        /// Who asks.
        sender: u32,
        /// Streams, with the request's number each.
        entries: FullIntraEntries<'a>,
    },
    /// REMB, draft-alvestrand-rmcat-remb-03.
    EstimatedBitrate {
        /// Who estimates.
        sender: u32,
        /// Bits per second of all the streams together.
        bps: u64,
        /// The streams.
        ssrcs: Ssrcs<'a>,
    },
    /// Transport-wide feedback, draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
    TransportFeedback(FeedbackView<'a>),
    /// XR, RFC 3611 section 2.
    ExtendedReport {
        /// Whose report.
        ssrc: u32,
        /// What it says, as far as we know it.
        blocks: ExtendedBlocks<'a>,
    },
    /// Another packet, or one whose content is broken.
    Unknown {
        /// Second byte.
        packet_type: u8,
        /// Count or format, 5 bits.
        format: u8,
    },
}

/// Reads one packet without its header and padding.
pub(super) fn read(packet_type: u8, count: u8, body: &[u8]) -> Packet<'_> {
    let packet = match (packet_type, count) {
        (packet_type::SENDER_REPORT, _) => sender_report(count, body),
        (packet_type::RECEIVER_REPORT, _) => receiver_report(count, body),
        (packet_type::SOURCE_DESCRIPTION, _) => {
            Some(Packet::SourceDescription { names: Names { left: count, bytes: body } })
        }
        (packet_type::GOODBYE, _) => {
            let ssrcs = body.get(..4 * usize::from(count)).map(|bytes| Ssrcs { bytes });
            ssrcs.map(|ssrcs| Packet::Goodbye { ssrcs })
        }
        (packet_type::TRANSPORT_FEEDBACK | packet_type::PAYLOAD_FEEDBACK, _) => {
            feedback(packet_type, count, body)
        }
        (packet_type::EXTENDED_REPORT, _) => extended_report(body),
        _ => None,
    };
    packet.unwrap_or(Packet::Unknown { packet_type, format: count })
}

fn reports(count: u8, bytes: &[u8]) -> Option<Reports<'_>> {
    // What follows the blocks is a profile's extension.
    Some(Reports { bytes: bytes.get(..BLOCK_LEN * usize::from(count))? })
}

fn sender_report(count: u8, body: &[u8]) -> Option<Packet<'_>> {
    Some(Packet::SenderReport {
        ssrc: wire::u32_at(body, 0)?,
        info: SenderInfo {
            ntp: NtpTime(wire::u64_at(body, 4)?),
            rtp_time: wire::u32_at(body, 12)?,
            packets: wire::u32_at(body, 16)?,
            octets: wire::u32_at(body, 20)?,
        },
        reports: reports(count, body.get(24..)?)?,
    })
}

fn receiver_report(count: u8, body: &[u8]) -> Option<Packet<'_>> {
    let ssrc = wire::u32_at(body, 0)?;
    Some(Packet::ReceiverReport { ssrc, reports: reports(count, body.get(4..)?)? })
}

fn extended_report(body: &[u8]) -> Option<Packet<'_>> {
    let ssrc = wire::u32_at(body, 0)?;
    Some(Packet::ExtendedReport { ssrc, blocks: ExtendedBlocks::new(body.get(4..)?) })
}

fn feedback(packet_type: u8, format: u8, body: &[u8]) -> Option<Packet<'_>> {
    let sender = wire::u32_at(body, 0)?;
    let media = wire::u32_at(body, 4)?;
    let control = body.get(8..)?;
    match (packet_type, format) {
        (packet_type::TRANSPORT_FEEDBACK, 1) => {
            Some(Packet::Nack { sender, media, lost: LostPackets::new(control) })
        }
        (packet_type::TRANSPORT_FEEDBACK, 15) => {
            FeedbackView::parse(sender, media, control).map(Packet::TransportFeedback)
        }
        (packet_type::PAYLOAD_FEEDBACK, 1) => Some(Packet::PictureLoss { sender, media }),
        (packet_type::PAYLOAD_FEEDBACK, 4) => {
            Some(Packet::FullIntra { sender, entries: FullIntraEntries { bytes: control } })
        }
        (packet_type::PAYLOAD_FEEDBACK, 15) => estimated_bitrate(sender, control),
        _ => None,
    }
}

fn estimated_bitrate(sender: u32, control: &[u8]) -> Option<Packet<'_>> {
    let &[b'R', b'E', b'M', b'B', count, high, m1, m0] = control.first_chunk()? else {
        return None;
    };
    let mantissa = u64::from(u32::from_be_bytes([0, high & 0x03, m1, m0]));
    let exponent = u32::from(high >> 2);
    // More than 64 bits is more than anybody has.
    let fits = mantissa.leading_zeros() >= exponent || mantissa == 0;
    let bps = if fits { mantissa.checked_shl(exponent).unwrap_or(0) } else { u64::MAX };
    let bytes = control.get(8..8 + 4 * usize::from(count))?;
    let ssrcs = Ssrcs { bytes };
    Some(Packet::EstimatedBitrate { sender, bps, ssrcs })
}

/// Iterator of the report blocks in a report.
#[derive(Debug, Clone)]
pub struct Reports<'a> {
    bytes: &'a [u8],
}

impl Iterator for Reports<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.bytes.split_at_checked(BLOCK_LEN)?;
        self.bytes = rest;
        let lost = wire::u24_at(block, 5)?;
        Some(ReportBlock {
            ssrc: wire::u32_at(block, 0)?,
            fraction_lost: *block.get(4)?,
            lost: (lost << 8).cast_signed() >> 8,
            highest_seq: wire::u32_at(block, 8)?,
            jitter: wire::u32_at(block, 12)?,
            last_sender_report: wire::u32_at(block, 16)?,
            delay: wire::u32_at(block, 20)?,
        })
    }
}

/// Iterator of SSRC and CNAME of the sources that have one; ends where the description is broken.
#[derive(Debug, Clone)]
pub struct Names<'a> {
    left: u8,
    bytes: &'a [u8],
}

impl<'a> Names<'a> {
    /// The next chunk: SSRC and, if there is one, CNAME.
    fn chunk(&mut self) -> Option<(u32, Option<&'a [u8]>)> {
        self.left = self.left.checked_sub(1)?;
        let ssrc = wire::u32_at(self.bytes, 0)?;
        let mut at = 4;
        let mut name = None;
        loop {
            let kind = *self.bytes.get(at)?;
            if kind == 0 {
                break;
            }
            let len = usize::from(*self.bytes.get(at + 1)?);
            let text = self.bytes.get(at + 2..at + 2 + len)?;
            if kind == 1 {
                name = name.or(Some(text));
            }
            at += 2 + len;
        }
        // One zero ends the items, then more of them up to a whole word.
        self.bytes = self.bytes.get((at + 1).next_multiple_of(4)..)?;
        Some((ssrc, name))
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let chunk = self.chunk();
            let Some((ssrc, name)) = chunk else {
                self.left = 0;
                return None;
            };
            if let Some(name) = name {
                return Some((ssrc, name));
            }
        }
    }
}

/// Iterator of SSRCs.
#[derive(Debug, Clone)]
pub struct Ssrcs<'a> {
    bytes: &'a [u8],
}

impl Iterator for Ssrcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (ssrc, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(u32::from_be_bytes(*ssrc))
    }
}

/// Iterator of the sequence numbers in a generic NACK.
#[derive(Debug, Clone)]
pub struct LostPackets<'a> {
    bytes: &'a [u8],
    /// Number of the entry at hand.
    first: u16,
    /// What is left of it: bit n is the packet n behind `first`.
    mask: u32,
}

impl<'a> LostPackets<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, first: 0, mask: 0 }
    }
}

impl Iterator for LostPackets<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.mask == 0 {
            let (&[p0, p1, m0, m1], rest) = self.bytes.split_first_chunk()?;
            self.bytes = rest;
            self.first = u16::from_be_bytes([p0, p1]);
            self.mask = u32::from(u16::from_be_bytes([m0, m1])) << 1 | 1;
        }
        let behind = self.mask.trailing_zeros();
        self.mask &= self.mask - 1;
        Some(self.first.wrapping_add(u16::try_from(behind).unwrap_or(0)))
    }
}

/// Iterator of (SSRC, request number) in a FIR.
#[derive(Debug, Clone)]
pub struct FullIntraEntries<'a> {
    bytes: &'a [u8],
}

impl Iterator for FullIntraEntries<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[s0, s1, s2, s3, number, ..], rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some((u32::from_be_bytes([s0, s1, s2, s3]), number))
    }
}

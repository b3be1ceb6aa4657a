//! RTCP: compound packets read from any bytes as an iterator, and [`mod@write`].
//!
//! What it is not: no SRTCP, no schedule, and nothing of what to do about a packet.

mod body;
mod extended;
pub mod write;

#[cfg(test)]
mod tests;

pub use body::{
    FullIntraEntries, LostPackets, Names, Packet, ReportBlock, Reports, SenderInfo, Ssrcs,
};
pub use extended::{Delay, Delays, ExtendedBlock, ExtendedBlocks};

/// Types of packets, as the second byte has them (RFC 3550 section 12.1, RFC 4585 section 6.1).
pub mod packet_type {
    /// Sender report.
    pub const SENDER_REPORT: u8 = 200;
    /// Receiver report.
    pub const RECEIVER_REPORT: u8 = 201;
    /// Source description.
    pub const SOURCE_DESCRIPTION: u8 = 202;
    /// Goodbye.
    pub const GOODBYE: u8 = 203;
    /// Transport feedback: generic NACK (1), transport-wide (15).
    pub const TRANSPORT_FEEDBACK: u8 = 205;
    /// Payload-specific feedback: PLI (1), FIR (4), application layer (15).
    pub const PAYLOAD_FEEDBACK: u8 = 206;
    /// Extended report (RFC 3611 section 2).
    pub const EXTENDED_REPORT: u8 = 207;
}

/// Bytes of a packet's header.
const HEADER_LEN: usize = 4;

/// The packets of a compound packet that is in the clear. Ends at the first whose version, length or padding
/// is broken; one whose length is right and whose content is not comes as [`Packet::Unknown`].
pub fn parse(compound: &[u8]) -> Compound<'_> {
    Compound { rest: compound }
}

/// Iterator of [`parse`].
#[derive(Debug, Clone)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Compound<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let rest = std::mem::take(&mut self.rest);
        let (&[first, packet_type, l0, l1], _) = rest.split_first_chunk::<HEADER_LEN>()?;
        let words = usize::from(u16::from_be_bytes([l0, l1]));
        let (packet, rest) = rest.split_at_checked(HEADER_LEN + 4 * words)?;
        let mut body = packet.get(HEADER_LEN..)?;
        if first >> 6 != 2 {
            return None;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*body.last()?);
            // RFC 3550 section 6.4.1 wants it in the last packet only and of whole words; transport-wide feedback of
            // all clients has 1 to 3 bytes of it, wherever it stands.
            if padding == 0 {
                return None;
            }
            body = body.get(..body.len().checked_sub(padding)?)?;
        }
        self.rest = rest;
        Some(body::read(packet_type, first & 0x1f, body))
    }
}

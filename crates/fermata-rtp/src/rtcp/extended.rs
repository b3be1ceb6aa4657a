//! Extended reports (RFC 3611), as far as they tell round trips to those who only receive.

use crate::ntp::NtpTime;
use crate::wire;

/// Block type of a receiver reference time.
pub(super) const REFERENCE_TIME: u8 = 4;
/// Block type of delays since last receiver reference times.
pub(super) const DELAYS: u8 = 5;
/// Bytes of a block's header.
const HEADER_LEN: usize = 4;
/// Bytes of one entry of delays.
const DELAY_LEN: usize = 12;

/// What became of one receiver's reference time, RFC 3611 section 4.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delay {
    /// The receiver.
    pub ssrc: u32,
    /// LRR: compact NTP time of its latest reference time; 0 if none came.
    pub last_reference: u32,
    /// DLRR: time since it came, 1/65,536 s.
    pub delay: u32,
}

/// A block of an extended report.
#[derive(Debug, Clone)]
pub enum ExtendedBlock<'a> {
    /// RRTR, RFC 3611 section 4.4: when the report was sent, on the clock of its sender.
    ReferenceTime(NtpTime),
    /// DLRR, RFC 3611 section 4.5.
    Delays(Delays<'a>),
}

/// Iterator of the blocks that we know; ends at the first that is broken.
#[derive(Debug, Clone)]
pub struct ExtendedBlocks<'a> {
    bytes: &'a [u8],
}

impl<'a> ExtendedBlocks<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl<'a> Iterator for ExtendedBlocks<'a> {
    type Item = ExtendedBlock<'a>;

    fn next(&mut self) -> Option<ExtendedBlock<'a>> {
        loop {
            let bytes = std::mem::take(&mut self.bytes);
            let (&[kind, _, l0, l1], rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
            let len = 4 * usize::from(u16::from_be_bytes([l0, l1]));
            let (content, rest) = rest.split_at_checked(len)?;
            self.bytes = rest;
            match kind {
                REFERENCE_TIME if len == 8 => {
                    let time = wire::u64_at(content, 0)?;
                    return Some(ExtendedBlock::ReferenceTime(NtpTime(time)));
                }
                DELAYS if len.is_multiple_of(DELAY_LEN) => {
                    return Some(ExtendedBlock::Delays(Delays { bytes: content }));
                }
                _ => {}
            }
        }
    }
}

/// Iterator of the entries of [`ExtendedBlock::Delays`].
#[derive(Debug, Clone)]
pub struct Delays<'a> {
    bytes: &'a [u8],
}

impl Iterator for Delays<'_> {
    type Item = Delay;

    fn next(&mut self) -> Option<Delay> {
        let (entry, rest) = self.bytes.split_at_checked(DELAY_LEN)?;
        self.bytes = rest;
        Some(Delay {
            ssrc: wire::u32_at(entry, 0)?,
            last_reference: wire::u32_at(entry, 4)?,
            delay: wire::u32_at(entry, 8)?,
        })
    }
}

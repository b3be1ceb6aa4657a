//! Feedback as it was read.

use super::{REFERENCE_TICKS, TICK_US};
use crate::limits::TWCC_STATUSES_IN_MAX;
use crate::wire;

const RECEIVED_SMALL: u8 = 1;
const RECEIVED_LARGE: u8 = 2;

/// Sequence number to arrival, of consecutive packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedbackView<'a> {
    /// Who reports.
    pub sender: u32,
    /// A stream of those reported on; of no meaning.
    pub media: u32,
    /// Running number of the feedback; wraps.
    pub feedback_count: u8,
    base: u16,
    count: u16,
    /// 64 ms; 24 bits with sign.
    reference: i32,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> FeedbackView<'a> {
    /// Reads the feedback's control information (what follows the two SSRCs), whole: `None` if anything in it
    /// is broken or it speaks of more than [`TWCC_STATUSES_IN_MAX`] packets.
    pub fn parse(sender: u32, media: u32, control: &'a [u8]) -> Option<Self> {
        let base = wire::u16_at(control, 0)?;
        let count = wire::u16_at(control, 2)?;
        let reference = (wire::u24_at(control, 4)? << 8).cast_signed() >> 8;
        let feedback_count = *control.get(7)?;
        let rest = control.get(8..)?;
        if usize::from(count) > TWCC_STATUSES_IN_MAX {
            return None;
        }
        let (mut left, mut chunks_len, mut deltas_len) = (count, 0, 0);
        while left > 0 {
            let mut chunk = Chunk::read(wire::u16_at(rest, chunks_len)?);
            chunks_len += 2;
            let len = chunk.left.min(left);
            left -= len;
            deltas_len += match chunk.symbols {
                Symbols::Run(symbol) => usize::from(len) * delta_len(symbol)?,
                Symbols::Vector { .. } => {
                    (0..len).try_fold(0, |sum, _| Some(sum + delta_len(chunk.next()?)?))?
                }
            };
        }
        let (chunks, rest) = rest.split_at_checked(chunks_len)?;
        let deltas = rest.get(..deltas_len)?;
        Some(Self { sender, media, feedback_count, base, count, reference, chunks, deltas })
    }

    /// First sequence number reported on.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// How many consecutive packets it reports on.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Every packet, in order: its sequence number, and when it arrived.
    ///
    /// Arrivals are microseconds on the reporter's clock, whose zero is its own and which wraps after 12 days:
    /// good for differences only.
    pub fn iter(&self) -> Arrivals<'a> {
        Arrivals {
            next: self.base,
            left: self.count,
            chunks: self.chunks,
            chunk: Chunk { symbols: Symbols::Run(0), left: 0 },
            deltas: self.deltas,
            ticks: i64::from(self.reference) * REFERENCE_TICKS.cast_signed(),
        }
    }
}

impl<'a> IntoIterator for &FeedbackView<'a> {
    type Item = (u16, Option<i64>);
    type IntoIter = Arrivals<'a>;

    fn into_iter(self) -> Arrivals<'a> {
        self.iter()
    }
}

/// Bytes of the delta of a packet with this symbol; `None` for the reserved one.
fn delta_len(symbol: u8) -> Option<usize> {
    match symbol {
        0 => Some(0),
        RECEIVED_SMALL => Some(1),
        RECEIVED_LARGE => Some(2),
        _ => None,
    }
}

#[derive(Debug, Clone)]
enum Symbols {
    /// The same for all.
    Run(u8),
    /// Of so many bits each, the first at the top of 16 bits.
    Vector { bits: u16, width: u32 },
}

/// What is left of a packet status chunk.
#[derive(Debug, Clone)]
struct Chunk {
    symbols: Symbols,
    left: u16,
}

impl Chunk {
    fn read(chunk: u16) -> Self {
        let [high, _] = chunk.to_be_bytes();
        match high >> 6 {
            0b11 => Self { symbols: Symbols::Vector { bits: chunk << 2, width: 2 }, left: 7 },
            0b10 => Self { symbols: Symbols::Vector { bits: chunk << 2, width: 1 }, left: 14 },
            _ => Self { symbols: Symbols::Run(high >> 5 & 0x03), left: chunk & 0x1fff },
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.symbols {
            Symbols::Run(symbol) => Some(*symbol),
            Symbols::Vector { bits, width } => {
                let symbol = u8::try_from(*bits >> (16 - *width)).ok()?;
                *bits <<= *width;
                Some(symbol)
            }
        }
    }
}

/// Iterator of [`FeedbackView::iter`].
#[derive(Debug, Clone)]
pub struct Arrivals<'a> {
    next: u16,
    left: u16,
    chunks: &'a [u8],
    chunk: Chunk,
    deltas: &'a [u8],
    ticks: i64,
}

impl Iterator for Arrivals<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        let symbol = loop {
            if let Some(symbol) = self.chunk.next() {
                break symbol;
            }
            let (chunk, rest) = self.chunks.split_first_chunk()?;
            self.chunks = rest;
            self.chunk = Chunk::read(u16::from_be_bytes(*chunk));
        };
        let delta = match symbol {
            RECEIVED_SMALL => {
                let (delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                i64::from(*delta)
            }
            RECEIVED_LARGE => {
                let (delta, rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                i64::from(i16::from_be_bytes(*delta))
            }
            _ => return Some((seq, None)),
        };
        self.ticks += delta;
        Some((seq, Some(self.ticks * TICK_US.cast_signed())))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize::from(self.left)))
    }
}

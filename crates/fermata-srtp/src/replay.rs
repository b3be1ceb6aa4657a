//! Which index a packet has, and whether it came before (RFC 3711 sections 3.3.1, 3.3.2 and appendix A).

use crate::error::Replayed;
use crate::limits::{MAX_RTP_INDEX, REPLAY_WINDOW};

const WORDS: usize = (REPLAY_WINDOW / 64) as usize;

/// Rollover estimation and replay list of one SSRC.
///
/// The order is: [`estimate`](Self::estimate), open the packet with `index >> 16`, and [`commit`](Self::commit) only
/// if the packet was authentic. So forged packets never move the window.
///
/// The first packet is taken to have a rollover counter of zero: SRTP says nothing of it on the wire. For SRTCP, where
/// the index is written out, use [`check`](Self::check) instead of the estimation.
#[derive(Debug, Clone, Default)]
pub struct ReplayWindow {
    /// Highest index committed; `None` before the first.
    highest: Option<u64>,
    /// One bit per index of the window; index `i` has bit `i % REPLAY_WINDOW`.
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// A window that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Highest index committed, if there was one.
    #[must_use]
    pub const fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// The 48-bit index (rollover counter, then sequence number) that `seq` most likely stands for: the one nearest
    /// to the highest committed.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); [`Replayed::BeforeStart`] if that index would be negative,
    /// [`Replayed::Exhausted`] if it would not fit 48 bits.
    pub fn estimate(&self, seq: u16) -> Result<u64, Replayed> {
        let Some(highest) = self.highest else {
            return Ok(u64::from(seq));
        };
        let round = highest >> 16;
        let last = highest & 0xffff;
        let here = u64::from(seq);
        // Strictly more than half a round away, as in the RFC: at exactly half, the packet is of this round.
        let round = if last < 0x8000 {
            if here > last + 0x8000 {
                round.checked_sub(1).ok_or(Replayed::BeforeStart { sequence_number: seq })?
            } else {
                round
            }
        } else if here < last - 0x8000 {
            round + 1
        } else {
            round
        };
        let index = round << 16 | here;
        if index > MAX_RTP_INDEX {
            return Err(Replayed::Exhausted { sequence_number: seq });
        }
        self.check(index)?;
        Ok(index)
    }

    /// Whether a packet of this index may still come.
    ///
    /// # Errors
    /// [`Replayed::Seen`] if it was committed, [`Replayed::TooOld`] if it is [`REPLAY_WINDOW`] or more behind the
    /// highest.
    pub fn check(&self, index: u64) -> Result<(), Replayed> {
        match self.highest {
            Some(highest) if index <= highest => {
                if highest - index >= REPLAY_WINDOW {
                    Err(Replayed::TooOld { index, highest })
                } else if self.is_set(index) {
                    Err(Replayed::Seen { index })
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// Notes an authentic packet. An index that has left the window changes nothing.
    pub fn commit(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                if highest - index < REPLAY_WINDOW {
                    self.set(index);
                }
                return;
            }
            Some(highest) if index - highest < REPLAY_WINDOW => {
                for skipped in highest + 1..index {
                    self.clear(skipped);
                }
            }
            _ => self.seen = [0; WORDS],
        }
        self.set(index);
        self.highest = Some(index);
    }

    fn is_set(&self, index: u64) -> bool {
        let (word, bit) = place(index);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }

    fn set(&mut self, index: u64) {
        let (word, bit) = place(index);
        if let Some(word) = self.seen.get_mut(word) {
            *word |= bit;
        }
    }

    fn clear(&mut self, index: u64) {
        let (word, bit) = place(index);
        if let Some(word) = self.seen.get_mut(word) {
            *word &= !bit;
        }
    }
}

/// Word and bit of an index.
const fn place(index: u64) -> (usize, u64) {
    ((index % REPLAY_WINDOW / 64) as usize, 1 << (index % 64))
}

#[cfg(test)]
mod tests;

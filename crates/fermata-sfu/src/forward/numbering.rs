//! Renumbering of a stream out of which packets are dropped on purpose: what is sent has no gaps but those
//! of real loss, and a late packet finds the place that was kept for it.
//!
//! What it is not: it does not decide what is dropped.

use super::limits::{DROP_RUNS_MAX, REORDER_WINDOW, SEQUENCE_JUMP_MAX};

/// From this input number on, `output = input - offset` (modulo 2^64).
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    from: u64,
    offset: u64,
}

/// The piecewise constant difference between input and output numbers.
#[derive(Debug, Clone)]
pub(super) struct Offsets {
    /// Ascending by `from`; the first `len` count, and there is always one.
    runs: [Run; DROP_RUNS_MAX],
    len: usize,
    /// Newest input number.
    highest: u64,
}

impl Offsets {
    /// `input` becomes `output`; what was before it has no place.
    pub(super) fn anchored(input: u64, output: u64) -> Self {
        let mut runs = [Run::default(); DROP_RUNS_MAX];
        runs[0] = Run { from: input, offset: input.wrapping_sub(output) };
        Self { runs, len: 1, highest: input }
    }

    /// Newest input number.
    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Output number of the newest input, or of the last one before it that was not dropped.
    pub(super) fn highest_output(&self) -> u64 {
        self.highest.wrapping_sub(self.runs[self.len - 1].offset)
    }

    /// Output number of an input number, unless it is older than what is remembered.
    pub(super) fn map(&self, input: u64) -> Option<u64> {
        let runs = self.runs.get(..self.len)?;
        let run = runs.iter().rev().find(|run| run.from <= input)?;
        Some(input.wrapping_sub(run.offset))
    }

    /// The newest input number is now this one (above the last newest one); it is dropped or not.
    pub(super) fn advance(&mut self, input: u64, dropped: bool) {
        self.highest = input;
        if !dropped {
            return;
        }
        let last = self.runs[self.len - 1];
        let run = Run { from: input + 1, offset: last.offset.wrapping_add(1) };
        if last.from == input && self.len > 1 {
            self.runs[self.len - 1] = run;
            return;
        }
        if self.len == DROP_RUNS_MAX {
            self.runs.rotate_left(1);
            self.len -= 1;
        }
        self.runs[self.len] = run;
        self.len += 1;
    }
}

/// What becomes of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// Goes out with this number.
    Send(u64),
    /// Dropped as was wished.
    Dropped,
    /// Its place is not known any more, or never was.
    Late,
    /// It was placed before.
    Duplicate,
}

const WORDS: usize = (REORDER_WINDOW / 64) as usize;

/// Sequence numbers of one outgoing stream.
#[derive(Debug, Clone)]
pub(super) struct Numbering {
    offsets: Offsets,
    /// One bit for each of the last [`REORDER_WINDOW`] input numbers, at its value modulo the window.
    seen: [u64; WORDS],
}

impl Numbering {
    /// The next packet has number `input` and goes out as `output`.
    pub(super) fn anchored(input: u64, output: u64) -> Self {
        // One before, so that the packet itself is then placed as the newest.
        let mut offsets = Offsets::anchored(input, output);
        offsets.highest = input.wrapping_sub(1);
        Self { offsets, seen: [0; WORDS] }
    }

    /// Highest number given out, places kept for lost packets included.
    pub(super) fn highest_output(&self) -> u64 {
        self.offsets.highest_output()
    }

    /// Whether this would be the newest packet.
    pub(super) fn is_newest(&self, input: u64) -> bool {
        input.wrapping_sub(self.offsets.highest()).cast_signed() > 0
    }

    /// Places a packet that is to be sent, or to be dropped on purpose.
    pub(super) fn place(&mut self, input: u64, drop: bool) -> Placed {
        let highest = self.offsets.highest();
        if !self.is_newest(input) {
            return self.place_late(input, drop);
        }
        let jump = input.wrapping_sub(highest);
        if jump > SEQUENCE_JUMP_MAX {
            *self = Self::anchored(input, self.highest_output().wrapping_add(1));
        } else if jump >= REORDER_WINDOW {
            self.seen = [0; WORDS];
        } else {
            for number in 1..jump {
                self.mark(highest.wrapping_add(number), false);
            }
        }
        self.mark(input, true);
        self.offsets.advance(input, drop);
        if drop {
            return Placed::Dropped;
        }
        self.offsets.map(input).map_or(Placed::Late, Placed::Send)
    }

    fn place_late(&mut self, input: u64, drop: bool) -> Placed {
        if self.offsets.highest().wrapping_sub(input) >= REORDER_WINDOW {
            return Placed::Late;
        }
        let Some(output) = self.offsets.map(input) else { return Placed::Late };
        if self.is_marked(input) {
            return Placed::Duplicate;
        }
        self.mark(input, true);
        if drop { Placed::Dropped } else { Placed::Send(output) }
    }

    fn bit(input: u64) -> (usize, u64) {
        let place = input % REORDER_WINDOW;
        (usize::try_from(place / 64).unwrap_or(0), 1 << (place % 64))
    }

    fn mark(&mut self, input: u64, seen: bool) {
        let (word, bit) = Self::bit(input);
        if let Some(word) = self.seen.get_mut(word) {
            if seen {
                *word |= bit;
            } else {
                *word &= !bit;
            }
        }
    }

    fn is_marked(&self, input: u64) -> bool {
        let (word, bit) = Self::bit(input);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dropped_packets_leave_no_gap_and_lost_ones_do() {
        let mut numbering = Numbering::anchored(100, 7);
        let rows = [
            (100, false, Placed::Send(7)),
            (101, true, Placed::Dropped),
            (102, false, Placed::Send(8)),
            (102, false, Placed::Duplicate),
            (105, false, Placed::Send(11)),
            (103, false, Placed::Send(9)),
            (104, true, Placed::Dropped),
            (104, false, Placed::Duplicate),
            (99, false, Placed::Late),
            (106, true, Placed::Dropped),
            (107, true, Placed::Dropped),
            (108, false, Placed::Send(12)),
            (108 + SEQUENCE_JUMP_MAX + 1, false, Placed::Send(13)),
            (108, false, Placed::Late),
        ];
        for (input, drop, expected) in rows {
            assert_eq!(numbering.place(input, drop), expected, "{input}");
        }
    }

    proptest! {
        /// In order, whatever is dropped: consecutive outputs. Reordered: outputs rise with inputs, are
        /// never given twice, and lie within the count of inputs.
        #[test]
        fn outputs_are_dense_and_in_order(
            drops in prop::collection::vec(any::<bool>(), 1..600),
            swaps in prop::collection::vec((0_usize..600, 0_usize..40), 0..40),
        ) {
            let mut order: Vec<usize> = (1..drops.len()).collect();
            for (at, by) in swaps {
                let (at, to) = (at % drops.len(), (at % drops.len() + by) % drops.len());
                if at < order.len() && to < order.len() && at.abs_diff(to) < 40 {
                    order.swap(at, to);
                }
            }
            let in_order = order.is_sorted();
            let mut numbering = Numbering::anchored(50_000, 9);
            prop_assert_eq!(numbering.place(50_000, false), Placed::Send(9));
            let mut sent = BTreeMap::from([(50_000, 9)]);
            for index in order {
                let input = 50_000 + index as u64;
                if let Placed::Send(output) = numbering.place(input, drops[index]) {
                    sent.insert(input, output);
                }
            }
            let outputs: Vec<u64> = sent.values().copied().collect();
            prop_assert!(outputs.is_sorted());
            prop_assert_eq!(outputs.iter().collect::<BTreeSet<_>>().len(), outputs.len());
            if in_order {
                prop_assert!(outputs.iter().copied().eq(9..9 + outputs.len() as u64));
                prop_assert_eq!(numbering.highest_output(), 8 + outputs.len() as u64);
            }
        }
    }
}

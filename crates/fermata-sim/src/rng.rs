//! Chance from one seed. The same seed gives the same draws on every machine.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A seeded source of draws.
#[derive(Debug)]
pub(crate) struct Dice(StdRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A whole number from `low` to `high`, both included; `low` if they are the wrong way round.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        if low >= high { low } else { self.0.random_range(low..=high) }
    }

    /// An index below `count`; 0 if there is none.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        if count <= 1 { 0 } else { self.0.random_range(0..count) }
    }

    pub(crate) fn permille(&mut self, chance: u32) -> bool {
        self.0.random_range(0..1_000) < chance
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).copied()
    }

    pub(crate) fn seed(&mut self) -> u64 {
        self.0.random()
    }
}

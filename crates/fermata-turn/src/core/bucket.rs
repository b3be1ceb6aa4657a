//! So much in a second, and so much at once.

use std::time::{Duration, Instant};

/// A bucket that fills by itself. Kept as the time when it is full again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes `amount` out of a bucket of `burst` that gets `rate` in a second. False, with nothing taken, if there is
    /// less in it.
    pub(super) fn take(&mut self, now: Instant, amount: u64, rate: u64, burst: u64) -> bool {
        let time =
            |amount: u64| Duration::from_nanos(amount.saturating_mul(1_000_000_000) / rate.max(1));
        let full_at = self.full_at.max(now) + time(amount);
        let granted = full_at.saturating_duration_since(now) <= time(burst);
        if granted {
            self.full_at = full_at;
        }
        granted
    }

    /// Since when it has been full, if it is.
    pub(super) fn full_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.full_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let t0 = fermata_types::Now::read().instant;
        let mut bucket = Bucket::new(t0);
        let taken = (0..100).filter(|_| bucket.take(t0, 1, 10, 20)).count();
        assert_eq!(taken, 20);
        let later = t0 + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| bucket.take(later, 1, 10, 20)).count(), 5);
        assert!(
            !bucket.take(later + Duration::from_hours(1), 21, 10, 20),
            "never more than the burst"
        );
    }
}

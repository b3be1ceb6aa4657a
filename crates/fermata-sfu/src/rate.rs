//! How many messages a client may send.

use std::time::Instant;

use crate::limits::{SIGNALS_BURST, SIGNALS_PER_SECOND};

/// A bucket of tokens that fills with time.
#[derive(Debug)]
pub(crate) struct SignalRate {
    tokens: f64,
    filled_at: Instant,
}

impl SignalRate {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Self {
        Self { tokens: SIGNALS_BURST, filled_at: now }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.tokens = (self.tokens + elapsed * SIGNALS_PER_SECOND).min(SIGNALS_BURST);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fermata_types::Now;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let t0 = Now::read().instant;
        let mut rate = SignalRate::new(t0);
        let passed = (0..10_000).filter(|_| rate.take(t0)).count();
        assert_eq!(passed, 2_000);
        let later = t0 + Duration::from_secs(1);
        assert_eq!((0..10_000).filter(|_| rate.take(later)).count(), 500);
    }
}

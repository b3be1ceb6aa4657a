//! How many messages a client may send: a bucket of tokens that fills steadily.

use std::time::Instant;

/// A bucket; the caller says what time it is.
#[derive(Debug)]
pub(crate) struct Rate {
    /// Most tokens in it.
    burst: f64,
    /// Tokens that flow in each second.
    per_second: f64,
    /// Tokens in it at `at`.
    tokens: f64,
    at: Instant,
}

impl Rate {
    /// A full bucket.
    pub(crate) fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self { burst, per_second: f64::from(per_second), tokens: burst, at: now }
    }

    /// Takes a token; false if there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fermata_types::Now;

    use super::*;

    #[test]
    fn a_burst_then_the_steady_rate() {
        let start = Now::read().instant;
        let mut rate = Rate::new(5, 10, start);
        let taken = (0..10).filter(|_| rate.take(start)).count();
        assert_eq!(taken, 5);
        let later = start + Duration::from_millis(200);
        let taken = (0..10).filter(|_| rate.take(later)).count();
        assert_eq!(taken, 2);
        let much_later = start + Duration::from_secs(100);
        let taken = (0..10).filter(|_| rate.take(much_later)).count();
        assert_eq!(taken, 5);
    }
}

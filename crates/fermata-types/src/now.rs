//! Time as an argument.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Both clocks, read together: the monotonic one measures, the wall clock names.
///
/// Cores get it with every input and never read a clock themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic; all durations and deadlines of the media plane are measured on it.
    pub instant: Instant,
    /// Wall clock; may step. Used for names of moments (joined at, expiry), never for durations.
    pub wall: Timestamp,
}

impl Now {
    /// Reads both clocks. For shells only: the one place in the workspace that does.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    pub fn read() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }

    /// The same moment, `by` later on both clocks; for tests and simulation.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self {
            instant: self.instant + by,
            wall: self.wall.saturating_add(by).unwrap_or(Timestamp::MAX),
        }
    }
}

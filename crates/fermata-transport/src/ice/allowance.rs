//! How many answers somebody who proved nothing may draw from us.

use std::time::{Duration, Instant};

use crate::limits::{CHECK_REFUSAL_INTERVAL, CHECK_REFUSALS_BURST};

/// A bucket of [`CHECK_REFUSALS_BURST`] answers that gets one back every [`CHECK_REFUSAL_INTERVAL`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Allowance {
    /// When it is full again; `None` before the first answer.
    full_at: Option<Instant>,
}

impl Allowance {
    /// Takes one out. False, with nothing taken, if there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + CHECK_REFUSAL_INTERVAL;
        let owed: Duration = full_at.saturating_duration_since(now);
        let granted = owed <= CHECK_REFUSAL_INTERVAL * CHECK_REFUSALS_BURST;
        if granted {
            self.full_at = Some(full_at);
        }
        granted
    }
}

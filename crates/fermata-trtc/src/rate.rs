//! How often an account may call an action: token buckets.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use fermata_types::AccountId;

use crate::action::{Action, Rate};
use crate::code::{ApiError, Code};
use crate::limits::BUCKETS_MAX;

/// Limits as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Calls a second of most actions, at least 1.
    pub default_per_s: u32,
    /// Calls a second of usage statistics, at least 1.
    pub usage_per_s: u32,
}

impl Default for Rates {
    /// The vendor's: 20 and 5.
    fn default() -> Self {
        Self { default_per_s: 20, usage_per_s: 5 }
    }
}

/// Counts calls by account and action.
#[derive(Debug)]
pub struct RateLimiter {
    rates: Rates,
    max: usize,
    buckets: HashMap<(AccountId, &'static str), Bucket>,
}

/// When a bucket will be full again. A full bucket lets one period's calls through at once.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    full_at: Instant,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new(Rates::default())
    }
}

impl RateLimiter {
    /// One with these limits and room for [`BUCKETS_MAX`] buckets.
    pub fn new(rates: Rates) -> Self {
        Self::bounded(rates, BUCKETS_MAX)
    }

    /// One with room for `max` buckets.
    pub fn bounded(rates: Rates, max: usize) -> Self {
        Self { rates, max, buckets: HashMap::new() }
    }

    /// How many buckets it holds; for a gauge.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Takes one call out of the bucket of account and action.
    ///
    /// # Errors
    /// `RequestLimitExceeded` when there is none left, or no room for another bucket.
    pub fn take(
        &mut self,
        account: &AccountId,
        action: &'static Action,
        now: Instant,
    ) -> Result<(), ApiError> {
        let (calls, period) = self.limit(action.rate);
        let one = period / calls;
        let key = (account.clone(), action.name);
        if !self.buckets.contains_key(&key) && self.buckets.len() >= self.max {
            self.buckets.retain(|_, bucket| bucket.full_at > now);
            if self.buckets.len() >= self.max {
                return Err(ApiError::new(
                    Code::REQUEST_LIMIT_EXCEEDED,
                    "The server counts the calls of too many accounts now; try again in a second.",
                ));
            }
        }
        let bucket = self.buckets.entry(key).or_insert(Bucket { full_at: now });
        let full_at = bucket.full_at.max(now) + one;
        if full_at > now + period {
            return Err(exceeded(action, calls, period));
        }
        bucket.full_at = full_at;
        Ok(())
    }

    /// Calls in a period. A configured 0 counts as 1.
    fn limit(&self, rate: Rate) -> (u32, Duration) {
        match rate {
            Rate::Default => (self.rates.default_per_s.max(1), Duration::from_secs(1)),
            Rate::Usage => (self.rates.usage_per_s.max(1), Duration::from_secs(1)),
            Rate::OncePer(seconds) => (1, Duration::from_secs(u64::from(seconds.max(1)))),
        }
    }
}

fn exceeded(action: &Action, calls: u32, period: Duration) -> ApiError {
    let seconds = period.as_secs();
    let allowed = if seconds == 1 {
        format!("{calls} calls a second are allowed")
    } else {
        format!("1 call in {seconds} s is allowed")
    };
    ApiError::new(
        Code::REQUEST_LIMIT_EXCEEDED,
        format!("Too many calls of {} by this account: {allowed}.", action.name),
    )
}

#[cfg(test)]
mod tests;

//! How often somebody may fail: token buckets that fill steadily, one for each name or address.
//!
//! An attempt is taken out when it begins and given back when it did not fail, so that many at the same time are no
//! more than one after another.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Buckets by key; the caller says what time it is.
#[derive(Debug)]
pub struct Throttle<K> {
    /// How long it takes until one attempt has come back.
    one: Duration,
    /// How long it takes until an empty bucket is full.
    period: Duration,
    max: usize,
    /// When each bucket will be full again. Full ones need not be here.
    full_at: HashMap<K, Instant>,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// `attempts` (1 or more) in a `period`, for at most `max` keys. Beyond, the fullest bucket is forgotten: somebody
    /// who fails under ever new names does not free the one that was tried before.
    pub fn new(attempts: u32, period: Duration, max: usize) -> Self {
        let one = period / attempts.max(1);
        Self { one, period: one * attempts.max(1), max, full_at: HashMap::new() }
    }

    /// Takes an attempt out.
    ///
    /// # Errors
    /// How long it takes until there is one again.
    pub fn take(&mut self, key: &K, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.get(key).copied().unwrap_or(now).max(now) + self.one;
        let wait = full_at.saturating_duration_since(now + self.period);
        if !wait.is_zero() {
            return Err(wait);
        }
        if !self.full_at.contains_key(key) && self.full_at.len() >= self.max {
            self.make_room(now);
        }
        self.full_at.insert(key.clone(), full_at);
        Ok(())
    }

    /// Gives an attempt back.
    pub fn give_back(&mut self, key: &K) {
        if let Some(full_at) = self.full_at.get_mut(key)
            && let Some(earlier) = full_at.checked_sub(self.one)
        {
            *full_at = earlier;
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= self.max {
            let fullest = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
            if let Some(key) = fullest.map(|(key, _)| key.clone()) {
                self.full_at.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;

    const PERIOD: Duration = Duration::from_mins(15);

    #[test]
    fn so_many_at_once_then_one_by_one() {
        let start = Now::read().instant;
        let mut throttle = Throttle::new(10, PERIOD, 5);
        for n in 0..10 {
            assert_eq!(throttle.take(&"ann", start), Ok(()), "{n}");
        }
        assert_eq!(throttle.take(&"ann", start), Err(Duration::from_secs(90)));
        assert_eq!(throttle.take(&"bea", start), Ok(()), "another one's");
        let later = start + Duration::from_secs(89);
        assert_eq!(
            throttle.take(&"ann", later),
            Err(Duration::from_secs(1)),
            "refusals cost nothing"
        );
        let later = start + Duration::from_secs(90);
        assert_eq!(throttle.take(&"ann", later), Ok(()));
        assert!(throttle.take(&"ann", later).is_err());
        let whole = later + PERIOD * 3;
        let taken = (0..20).filter(|_| throttle.take(&"ann", whole).is_ok()).count();
        assert_eq!(taken, 10, "a full bucket holds no more");
    }

    #[test]
    fn what_is_given_back_did_not_happen() {
        let start = Now::read().instant;
        let mut throttle = Throttle::new(2, PERIOD, 5);
        for _ in 0..9 {
            assert_eq!(throttle.take(&"ann", start), Ok(()));
            throttle.give_back(&"ann");
        }
        throttle.give_back(&"nobody");
        let taken = (0..9).filter(|_| throttle.take(&"ann", start).is_ok()).count();
        assert_eq!(taken, 2, "giving back fills no bucket over its brim");
    }

    #[test]
    fn it_stays_small_and_remembers_who_failed_most() {
        let start = Now::read().instant;
        let mut throttle = Throttle::new(2, PERIOD, 3);
        assert_eq!((throttle.take(&0, start), throttle.take(&0, start)), (Ok(()), Ok(())));
        for n in 1..100 {
            assert_eq!(throttle.take(&n, start), Ok(()));
            assert!(throttle.full_at.len() <= 3);
        }
        assert!(throttle.take(&0, start).is_err(), "who failed most is not forgotten");
        let later = start + PERIOD;
        assert_eq!(throttle.take(&200, later), Ok(()));
        assert_eq!(throttle.full_at.len(), 1, "full buckets leave when room is needed");
    }
}

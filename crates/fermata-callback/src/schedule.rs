//! Whose turn it is, and when a delivery is tried again.
//!
//! Deliveries of one receiver and room stand in a lane: the first is tried, the others wait until it was delivered or
//! given up. Lanes do not wait for each other, but for places: so many attempts at once, so many an application, and
//! a few fewer for receivers whose last attempt failed. Receivers take turns, however much waits for one of them.
//!
//! A delivery is tried at once, again at once, and then at a steady pace until its window is over. The window begins
//! when the event is due and not when its turn comes, so that what stands behind a failing one does not wait for a
//! window each; but every delivery gets its two first attempts, however late.
//!
//! What it is not: it knows no bodies and keeps nothing; what waits is a number here and lies in the store.

mod queue;

use std::time::{Duration, Instant};

use crate::limits::{
    ATTEMPT_PAUSE, ATTEMPT_SLACK_PART, ATTEMPT_TIME_MAX, ATTEMPT_WINDOW, ATTEMPTS_LEAST,
};

pub use queue::{Attempt, Full, Lane, Outcome, Queue};

/// How fast, how long, and how patiently it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From one attempt to the next, beginning to beginning, behind the first two.
    pub pause: Duration,
    /// From when it is due to the last attempt.
    pub window: Duration,
    /// Longest time of one attempt.
    pub time: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { pause: ATTEMPT_PAUSE, window: ATTEMPT_WINDOW, time: ATTEMPT_TIME_MAX }
    }
}

impl Pace {
    /// When a delivery is tried next whose attempt number `tries` (from 1), begun at `started`, has failed `now`;
    /// none if it is given up.
    pub fn next(self, due: Instant, tries: u32, started: Instant, now: Instant) -> Option<Instant> {
        if tries < ATTEMPTS_LEAST {
            return Some(now);
        }
        let next = now.max(started + self.pause);
        // Clocks and receivers take their moments: the attempt at the window's end is still one of the window.
        (next <= due + self.window + self.pause / ATTEMPT_SLACK_PART).then_some(next)
    }

    /// Most attempts that one delivery gets.
    pub fn attempts_max(self) -> u32 {
        let pauses = self.window.as_nanos().checked_div(self.pause.as_nanos()).unwrap_or(0);
        u32::try_from(pauses).unwrap_or(u32::MAX).saturating_add(ATTEMPTS_LEAST)
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;

    /// When it is tried, in seconds since it was due, if its turn comes at `turn` and each attempt takes `each`.
    fn attempts(turn: u64, each: u64) -> Vec<u64> {
        attempts_late(turn, Duration::from_secs(each), Duration::ZERO)
    }

    /// As [`attempts`], if each begins so much later than it should.
    fn attempts_late(turn: u64, each: Duration, late: Duration) -> Vec<u64> {
        let pace = Pace::default();
        let due = Now::read().instant;
        let mut started = due + Duration::from_secs(turn) + late;
        let mut all = Vec::new();
        for tries in 1.. {
            all.push((started - due).as_secs());
            match pace.next(due, tries, started, started + each) {
                Some(next) => started = next + late,
                None => break,
            }
        }
        all
    }

    #[test]
    fn it_is_tried_at_once_again_at_once_and_every_ten_seconds_for_a_minute() {
        assert_eq!(attempts(0, 0), [0, 0, 10, 20, 30, 40, 50, 60]);
        let (answer, late) = (Duration::from_millis(80), Duration::from_millis(2));
        let real = attempts_late(0, answer, late);
        assert_eq!(real, [0, 0, 10, 20, 30, 40, 50, 60], "timers are late and answers take time");
        assert_eq!(attempts(0, 5), [0, 5, 15, 25, 35, 45, 55]);
        assert_eq!(attempts(0, 0).len(), Pace::default().attempts_max() as usize);
        assert_eq!(attempts(42, 0), [42, 42, 52], "the window is not the turn's");
        assert_eq!(attempts(60, 5), [60, 65]);
        assert_eq!(attempts(5_000, 0), [5_000, 5_000], "twice, however late");
    }
}

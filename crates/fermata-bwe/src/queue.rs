//! How long packets wait on the way: the present delay less the shortest of late, and the time given to make it
//! shorter. Overuse only says that a queue grows; one that has grown would stay for long, since little less than the
//! path's rate is sent afterwards.
//!
//! What it is not: no absolute delay. The clocks have nothing in common but their speed, nearly.

use crate::limits::{
    BASE_DELAY_US, DRAIN_AGAIN_US, DRAIN_LEVEL_PERCENT, DRAIN_PERCENT, DRAIN_SHOWS_PERCENT,
    DRAIN_SHOWS_US, DRAIN_US_MAX, QUEUE_FULL_US, QUEUE_HIGH_US, QUEUE_LOW_US,
};
use crate::num::{percent, since_us};

/// The waiting time, and whether it is being shortened.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Shortest arrival less sending, in the present and in the last [`BASE_DELAY_US`]; on a clock that may wrap.
    base: Option<u64>,
    base_before: Option<u64>,
    base_begun_us: u64,
    /// Shortest of the present feedback: that bears jitter best.
    shortest: Option<u64>,
    queue_us: u64,
    drain_begun_us: Option<u64>,
    /// How long packets waited then.
    drain_from_us: u64,
    draining: bool,
}

impl Queue {
    /// A packet arrived.
    pub(crate) fn on_arrival(&mut self, sent_us: u64, arrived_us: u64) {
        self.shortest = Some(shorter(self.shortest, arrived_us.wrapping_sub(sent_us)));
    }

    /// The feedback is read.
    pub(crate) fn on_feedback_end(&mut self, now_us: u64) {
        let Some(shortest) = self.shortest.take() else { return };
        if now_us.saturating_sub(self.base_begun_us) >= BASE_DELAY_US {
            self.base_before = self.base.take();
            self.base_begun_us = now_us;
        }
        let base = shorter(self.base, shortest);
        self.base = Some(base);
        let base = shorter(self.base_before, base);
        self.queue_us = u64::try_from(since_us(shortest, base)).unwrap_or_default();
        if self.queue_us < QUEUE_LOW_US {
            self.draining = false;
        }
        self.on_time(now_us);
    }

    /// Emptying ends by time, too; also when nothing is sent that could tell.
    pub(crate) fn on_time(&mut self, now_us: u64) {
        self.draining &=
            self.drain_begun_us.is_some_and(|begun| now_us.saturating_sub(begun) < DRAIN_US_MAX);
    }

    /// So much was sent and got through of late. Who sends less than gets through has a queue that empties; if as much
    /// gets through as is sent, and packets wait all the same, the queue is not ours, or the way has become longer.
    pub(crate) fn on_rates(&mut self, now_us: u64, sent_bps: u64, acked_bps: u64) {
        let shows =
            self.drain_begun_us.is_some_and(|begun| now_us.saturating_sub(begun) >= DRAIN_SHOWS_US);
        let left_us = percent(self.drain_from_us, 100 - DRAIN_SHOWS_PERCENT);
        let level = acked_bps <= percent(sent_bps, DRAIN_LEVEL_PERCENT);
        self.draining &= !(shows && level && self.queue_us > left_us);
    }

    /// The estimate was lowered because delays grew: time to empty what has grown.
    pub(crate) fn on_decrease(&mut self, now_us: u64) {
        let again =
            self.drain_begun_us.is_none_or(|begun| now_us.saturating_sub(begun) >= DRAIN_AGAIN_US);
        if again && self.queue_us >= QUEUE_HIGH_US {
            self.drain_begun_us = Some(now_us);
            self.drain_from_us = self.queue_us;
            self.draining = true;
        }
    }

    /// The peer's clock was set.
    pub(crate) fn restart(&mut self) {
        *self = Self { drain_begun_us: self.drain_begun_us, ..Self::default() };
    }

    /// How long packets wait, microseconds.
    pub(crate) fn queue_us(&self) -> u64 {
        self.queue_us
    }

    /// Percent of the estimate that should be sent.
    pub(crate) fn percent(&self) -> u64 {
        if !self.draining {
            100
        } else if self.queue_us >= QUEUE_FULL_US {
            DRAIN_PERCENT.1
        } else {
            DRAIN_PERCENT.0
        }
    }
}

fn shorter(known: Option<u64>, delay: u64) -> u64 {
    known.filter(|known| since_us(*known, delay) < 0).unwrap_or(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN_US: u64 = 1_000_000;

    fn arrive(queue: &mut Queue, now_us: u64, delay_us: u64) {
        queue.on_arrival(now_us, now_us + delay_us);
        queue.on_feedback_end(now_us);
    }

    #[test]
    fn emptying_goes_on_while_it_shows_and_ends_where_the_way_became_longer() {
        let (sent_bps, later_us) = (800_000, BEGAN_US + DRAIN_SHOWS_US);
        let rows = [
            (
                "as much gets through as is sent, and they wait as long",
                later_us,
                320_000,
                800_000,
                false,
            ),
            ("it may still show", later_us - 1, 320_000, 800_000, true),
            ("more gets through than is sent", later_us, 320_000, 1_000_000, true),
            ("half the wait is gone", later_us, 170_000, 800_000, true),
        ];
        for (what, now_us, delay_us, acked_bps, goes_on) in rows {
            let mut queue = Queue::default();
            arrive(&mut queue, 0, 20_000);
            arrive(&mut queue, BEGAN_US, 320_000);
            queue.on_decrease(BEGAN_US);
            assert!(queue.percent() < 100);
            arrive(&mut queue, now_us, delay_us);
            queue.on_rates(now_us, sent_bps, acked_bps);
            assert_eq!(queue.percent() < 100, goes_on, "{what}");
        }
    }
}

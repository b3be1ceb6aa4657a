//! Whether the delay grows: a line through the last groups, and a threshold that adapts to the path (GCC sections
//! 5.3 and 5.4, with libwebrtc's line in place of the draft's filter).
//!
//! What it is not: it does not know how long the delay is, only how it changes.

use crate::groups::Step;
use crate::limits::{
    OVERUSE_MS, THRESHOLD_DOWN, THRESHOLD_MS, THRESHOLD_MS_RANGE, THRESHOLD_OUTLIER_MS,
    THRESHOLD_STEP_MS_MAX, THRESHOLD_UP, TREND_GAIN, TREND_POINTS, TREND_SMOOTHING,
    TREND_STEPS_MAX,
};
use crate::num::{real, real_signed, since_us};

/// What the delay says of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Usage {
    /// Delays stay.
    #[default]
    Normal,
    /// Delays grow: a queue builds up.
    Over,
    /// Delays fall: a queue empties.
    Under,
}

/// Where a group stands: when it arrived and how much later than the first, smoothed; milliseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Point {
    at_ms: f64,
    delay_ms: f64,
}

/// The line, the threshold, and what they say.
#[derive(Debug)]
pub(crate) struct Trend {
    points: [Point; TREND_POINTS],
    /// Where the next point goes.
    next: usize,
    /// Points and groups seen, up to [`TREND_STEPS_MAX`].
    steps: u32,
    origin_us: u64,
    last_us: u64,
    sum_ms: f64,
    smoothed_ms: f64,
    slope_before: f64,
    threshold_ms: f64,
    over_ms: f64,
    over_steps: u32,
    usage: Usage,
}

impl Trend {
    /// Nothing seen yet.
    pub(crate) fn new() -> Self {
        Self {
            points: [Point::default(); TREND_POINTS],
            next: 0,
            steps: 0,
            origin_us: 0,
            last_us: 0,
            sum_ms: 0.0,
            smoothed_ms: 0.0,
            slope_before: 0.0,
            threshold_ms: THRESHOLD_MS,
            over_ms: 0.0,
            over_steps: 0,
            usage: Usage::Normal,
        }
    }

    /// What the groups say so far.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// A further group is whole.
    pub(crate) fn on_step(&mut self, step: &Step) {
        if self.steps == 0 {
            self.origin_us = step.at_us;
            self.last_us = step.at_us;
        }
        self.steps = self.steps.saturating_add(1).min(TREND_STEPS_MAX);
        let later_ms = (real(step.arrived_us) - real(step.sent_us)) / 1_000.0;
        self.sum_ms += later_ms;
        self.smoothed_ms =
            TREND_SMOOTHING * self.smoothed_ms + (1.0 - TREND_SMOOTHING) * self.sum_ms;
        let at_ms = real_signed(since_us(step.at_us, self.origin_us)) / 1_000.0;
        if let Some(point) = self.points.get_mut(self.next) {
            *point = Point { at_ms, delay_ms: self.smoothed_ms };
        }
        self.next = (self.next + 1) % TREND_POINTS;
        let whole = usize::try_from(self.steps).is_ok_and(|steps| steps >= TREND_POINTS);
        let slope = if whole { self.slope().unwrap_or(self.slope_before) } else { 0.0 };
        self.judge(slope, step);
    }

    /// Least squares; `None` if all points arrived at once.
    fn slope(&self) -> Option<f64> {
        let count = f64::from(u32::try_from(TREND_POINTS).unwrap_or(u32::MAX));
        let (mut at, mut delay) = (0.0, 0.0);
        for point in &self.points {
            at += point.at_ms;
            delay += point.delay_ms;
        }
        let (at, delay) = (at / count, delay / count);
        let (mut across, mut along) = (0.0, 0.0);
        for point in &self.points {
            across += (point.at_ms - at) * (point.delay_ms - delay);
            along += (point.at_ms - at) * (point.at_ms - at);
        }
        (along > 0.0).then(|| across / along)
    }

    fn judge(&mut self, slope: f64, step: &Step) {
        let trend_ms = f64::from(self.steps) * slope * TREND_GAIN;
        if trend_ms > self.threshold_ms {
            // The first time only half of the step is certain to have been above.
            let ms = real(step.sent_us) / 1_000.0;
            self.over_ms += if self.over_steps == 0 { ms / 2.0 } else { ms };
            self.over_steps = self.over_steps.saturating_add(1);
            if self.over_ms > OVERUSE_MS && self.over_steps > 1 && slope >= self.slope_before {
                (self.over_ms, self.over_steps) = (0.0, 0);
                self.usage = Usage::Over;
            }
        } else {
            (self.over_ms, self.over_steps) = (0.0, 0);
            self.usage = if trend_ms < -self.threshold_ms { Usage::Under } else { Usage::Normal };
        }
        self.slope_before = slope;
        self.adapt(trend_ms.abs(), step.at_us);
    }

    fn adapt(&mut self, trend_ms: f64, at_us: u64) {
        let passed_ms = real_signed(since_us(at_us, self.last_us)) / 1_000.0;
        self.last_us = at_us;
        if trend_ms > self.threshold_ms + THRESHOLD_OUTLIER_MS {
            return;
        }
        let speed = if trend_ms < self.threshold_ms { THRESHOLD_DOWN } else { THRESHOLD_UP };
        let passed_ms = passed_ms.clamp(0.0, THRESHOLD_STEP_MS_MAX);
        let moved = self.threshold_ms + speed * (trend_ms - self.threshold_ms) * passed_ms;
        self.threshold_ms = moved.clamp(THRESHOLD_MS_RANGE.0, THRESHOLD_MS_RANGE.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups every 10 ms, each later than the one before by `later_us`; what is said at the end.
    fn usage(count: u64, later_us: impl Fn(u64) -> i64) -> Usage {
        let mut trend = Trend::new();
        let mut at_us = u64::MAX - 50_000;
        for index in 0..count {
            let arrived_us = 10_000_u64.saturating_add_signed(later_us(index));
            at_us = at_us.wrapping_add(arrived_us);
            trend.on_step(&Step { sent_us: 10_000, arrived_us, at_us });
        }
        trend.usage()
    }

    #[test]
    fn delays_that_grow_are_overuse() {
        assert_eq!(usage(100, |_| 0), Usage::Normal);
        assert_eq!(usage(100, |_| 1), Usage::Normal, "100 ppm: clocks that drift");
        assert_eq!(usage(30, |_| 2_000), Usage::Over);
        assert_eq!(usage(30, |_| -2_000), Usage::Under);
        assert_eq!(usage(19, |_| 2_000), Usage::Normal, "too few to say");
        assert_eq!(usage(100, |index| if index % 2 == 0 { 4_000 } else { -4_000 }), Usage::Normal);
    }

    #[test]
    fn the_threshold_stays_in_its_range() {
        let mut trend = Trend::new();
        for index in 0..10_000_u64 {
            let arrived_us = if index % 3 == 0 { 60_000 } else { index % 7 * 1_000 };
            let at_us = index.wrapping_mul(10_000);
            trend.on_step(&Step { sent_us: 10_000, arrived_us, at_us });
            let (least, greatest) = THRESHOLD_MS_RANGE;
            assert!((least..=greatest).contains(&trend.threshold_ms));
        }
    }

    /// On a path that swings the threshold rises above the swings, and comes down when it is quiet.
    #[test]
    fn the_threshold_follows_the_path() {
        let mut trend = Trend::new();
        let mut at_us = 0;
        let mut run = |count: u64, swing_us: u64| {
            for index in 0..count {
                let later = if index % 80 < 40 { swing_us } else { 0 };
                let arrived_us = 10_000 - swing_us / 2 + later;
                at_us += arrived_us;
                trend.on_step(&Step { sent_us: 10_000, arrived_us, at_us });
            }
            trend.threshold_ms
        };
        let quiet = run(300, 0);
        let swings = run(1_000, 1_400);
        let again = run(300, 0);
        assert!(quiet < 7.0, "{quiet}");
        assert!(swings > 10.0, "{swings}");
        assert!(again < 7.0, "{again}");
    }
}

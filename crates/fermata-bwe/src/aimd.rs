//! The estimate by delay: down to what got through on overuse, slowly up otherwise (GCC section 5.5).
//!
//! What it is not: it knows nothing of loss, and does not decide what is sent.

use crate::limits::{
    ABOVE_ACKED_BPS, ABOVE_ACKED_PERCENT, CAPACITY_DEVIATIONS, CAPACITY_VARIANCE, CAPACITY_WEIGHT,
    DECREASE_PERCENT, DECREASE_US_RANGE, GROWTH_A_SECOND, GROWTH_BPS_MIN, GROWTH_PACKET_BITS,
    GROWTH_STEP_US_MAX, QUEUE_HIGH_US, RESPONSE_EXTRA_US, THROUGH_PERCENT,
};
use crate::num::{percent, real, whole};
use crate::trend::Usage;

/// What one feedback showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) now_us: u64,
    /// When the first packet was sent that this feedback tells of.
    pub(crate) oldest_us: Option<u64>,
    pub(crate) usage: Usage,
    /// What got through, bounded by what was sent.
    pub(crate) acked_bps: Option<u64>,
    /// The same of the last moments: what the path gives, if a queue grows.
    pub(crate) recent_bps: Option<u64>,
    /// What a burst measured of late.
    pub(crate) probed_bps: Option<u64>,
    /// What was sent of late.
    pub(crate) sent_bps: u64,
    /// How long packets wait.
    pub(crate) queue_us: u64,
    pub(crate) rtt_us: u64,
    pub(crate) app_limited: bool,
    /// Growth ends here; see [`crate::Controller::set_wanted`].
    pub(crate) ceiling_bps: u64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing to tell.
    None,
    /// The estimate was lowered.
    Decreased,
    /// More got through than the path gave when it was last congested.
    Outgrew,
}

/// The estimate.
#[derive(Debug)]
pub(crate) struct Aimd {
    bps: u64,
    capacity: Capacity,
    /// Since when the estimate may grow; `None` while it is held.
    growing_us: Option<u64>,
    decreased_us: Option<u64>,
}

impl Aimd {
    /// Begins at `bps`.
    pub(crate) fn new(bps: u64) -> Self {
        Self { bps, capacity: Capacity::default(), growing_us: None, decreased_us: None }
    }

    /// The estimate, bits per second.
    pub(crate) fn bps(&self) -> u64 {
        self.bps
    }

    /// Whether the path's limit is known.
    pub(crate) fn knows_capacity(&self) -> bool {
        self.capacity.kbps.is_some()
    }

    /// A probe got more through. What was known of the limit is void unless it agrees.
    pub(crate) fn raise(&mut self, bps: u64) {
        if bps > self.bps {
            self.bps = bps;
            self.capacity.forget_below(bps);
        }
    }

    /// Lowers the estimate for another reason than delay.
    pub(crate) fn lower(&mut self, bps: u64) {
        self.bps = self.bps.min(bps);
        self.capacity = Capacity::default();
        self.growing_us = None;
    }

    /// A feedback was read.
    pub(crate) fn on_feedback(&mut self, seen: &Seen) -> Change {
        match seen.usage {
            Usage::Over => self.decrease(seen),
            // The queue empties; whoever sends more now keeps it.
            Usage::Under => {
                self.growing_us = None;
                Change::None
            }
            Usage::Normal => self.increase(seen),
        }
    }

    fn decrease(&mut self, seen: &Seen) -> Change {
        self.growing_us = None;
        let (least, greatest) = DECREASE_US_RANGE;
        let wait = seen.rtt_us.clamp(least, greatest);
        // What was sent before the last decrease cannot tell whether it was enough.
        let before = |last: u64| seen.oldest_us.is_some_and(|oldest| oldest < last);
        let too_soon = self
            .decreased_us
            .is_some_and(|last| seen.now_us.saturating_sub(last) < wait || before(last));
        let short = seen.queue_us < QUEUE_HIGH_US;
        // A burst measured the path just now, while the acknowledged rate is still that of the time before.
        let got_bps = seen.recent_bps.filter(|_| !seen.app_limited).or(seen.acked_bps);
        let acked_bps = got_bps.max(seen.probed_bps.filter(|_| short));
        // Two thirds suffice while packets wait for long: the path is narrower by more than a step.
        let far_below = acked_bps
            .is_some_and(|acked| acked < if short { self.bps / 2 } else { self.bps / 3 * 2 });
        // All that was sent came through, and soon: it tells of no limit, so the estimate is not thrown down to it.
        let through = short
            && seen.acked_bps.is_some_and(|acked| acked >= percent(seen.sent_bps, THROUGH_PERCENT));
        let unclear = seen.app_limited || through;
        if too_soon && (unclear || !far_below) {
            return Change::None;
        }
        let gentle = percent(self.bps, DECREASE_PERCENT);
        let lowered = match acked_bps {
            Some(acked) => {
                let left = percent(acked, DECREASE_PERCENT);
                if !seen.app_limited {
                    self.capacity.learn(acked);
                }
                if unclear { left.max(gentle) } else { left }
            }
            None => gentle,
        };
        self.decreased_us = Some(seen.now_us);
        if lowered >= self.bps {
            return Change::None;
        }
        self.bps = lowered;
        Change::Decreased
    }

    fn increase(&mut self, seen: &Seen) -> Change {
        let Some(since) = self.growing_us.replace(seen.now_us) else { return Change::None };
        // Before anything is known to get through there is nothing to build on.
        let Some(acked_bps) = seen.acked_bps else { return Change::None };
        let outgrew = !seen.app_limited && self.capacity.forget_below(acked_bps);
        let passed_us = seen.now_us.saturating_sub(since).min(GROWTH_STEP_US_MAX);
        let passed_s = real(passed_us) / 1_000_000.0;
        let near = self.capacity.kbps.is_some();
        let a_second = if near {
            let response_us = seen.rtt_us.saturating_add(RESPONSE_EXTRA_US);
            GROWTH_PACKET_BITS / (real(response_us) / 1_000_000.0)
        } else {
            real(self.bps) * GROWTH_A_SECOND
        };
        let grown = real(self.bps) + a_second.max(GROWTH_BPS_MIN) * passed_s;
        let bound = percent(acked_bps, ABOVE_ACKED_PERCENT).saturating_add(ABOVE_ACKED_BPS);
        let bound = bound.min(seen.ceiling_bps);
        // The bounds stop growth; they take nothing back.
        self.bps = whole(grown).min(bound).max(self.bps);
        if outgrew { Change::Outgrew } else { Change::None }
    }
}

/// What the path gave when it was congested (libwebrtc's link capacity).
#[derive(Debug, Default)]
struct Capacity {
    kbps: Option<f64>,
    /// For each kilobit per second of the mean.
    variance: f64,
}

impl Capacity {
    fn learn(&mut self, acked_bps: u64) {
        let sample = real(acked_bps) / 1_000.0;
        if self.kbps.is_some_and(|kbps| sample < kbps - self.deviation()) {
            // The path became narrower: the old limit says nothing.
            *self = Self::default();
        }
        let (least, greatest) = CAPACITY_VARIANCE;
        let Some(kbps) = self.kbps else {
            *self = Self { kbps: Some(sample), variance: least };
            return;
        };
        let mean = (1.0 - CAPACITY_WEIGHT) * kbps + CAPACITY_WEIGHT * sample;
        let off = mean - sample;
        let variance =
            (1.0 - CAPACITY_WEIGHT) * self.variance + CAPACITY_WEIGHT * off * off / mean.max(1.0);
        *self = Self { kbps: Some(mean), variance: variance.clamp(least, greatest) };
    }

    /// Forgets a limit that is clearly below `bps`; whether there was one.
    fn forget_below(&mut self, bps: u64) -> bool {
        let above = self.kbps.is_some_and(|kbps| real(bps) / 1_000.0 > kbps + self.deviation());
        if above {
            *self = Self::default();
        }
        above
    }

    fn deviation(&self) -> f64 {
        CAPACITY_DEVIATIONS * (self.variance * self.kbps.unwrap_or_default()).sqrt()
    }
}

//! The limit by loss, which knows that paths lose packets for other reasons than too many of them.
//!
//! The draft (GCC section 6) holds at 2 % and cuts at 10 %, and so starves on a radio link that loses 10 % whatever
//! is sent. Here every path has an inherent loss, and only what is beyond it counts (the idea of libwebrtc's second
//! loss-based estimate; the way is another). How it is learnt:
//!
//! - Loss beyond it while the delay grows, too, is congestion: hold above 2 %, cut above 10 %, as in the draft.
//! - Loss plainly more than 10 % beyond it at an unchanged delay is either a policer, or chance; what is less is taken
//!   for inherent by and by. The limit goes to nine tenths of what got through, for trial, and only packets sent after
//!   that are counted. If the loss goes, it was a policer: the limit stays, and grows after a while, ever faster until
//!   there is loss again. If it stays, it was inherent: the limit goes.
//! - Loss while the application sends less than it may is inherent: less can hardly be sent.
//! - More than 20 % is never called inherent; it is cut until it is less.
//!
//! What it is not: no estimate of the path's rate; without loss it says nothing.

use crate::limits::{
    GROWTH_A_SECOND, GROWTH_STEP_US_MAX, LOSS_CUT_US, LOSS_DEVIATIONS, LOSS_GROWTH_A_SECOND_MAX,
    LOSS_HIGH, LOSS_HOLD_US, LOSS_INHERENT_MAX, LOSS_LEFT, LOSS_LOW, LOSS_SLOW, LOSS_SOON,
    LOSS_SURE, LOSS_TRIAL_PERCENT,
};
use crate::num::{percent, real, whole};

/// What else is known when loss is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) now_us: u64,
    pub(crate) rtt_us: u64,
    /// Delays grow, or have grown.
    pub(crate) delayed: bool,
    pub(crate) app_limited: bool,
    pub(crate) acked_bps: Option<u64>,
    /// What may be sent now.
    pub(crate) target_bps: u64,
    /// Above this the limit is of no use.
    pub(crate) ceiling_bps: u64,
}

/// Packets since the last judgement, and what was concluded from those before.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    lost: u32,
    total: u32,
    begun_us: Option<u64>,
    /// Packets sent earlier do not count: they tell of a rate that is not sent any more.
    count_from_us: u64,
    share: f64,
    inherent: f64,
    limit_bps: Option<u64>,
    cut_us: Option<u64>,
    /// Since when the limit may not have been needed any more: the last cut or hold.
    needed_us: u64,
    grown_us: u64,
    /// The loss that led to the trial under way.
    trial: Option<f64>,
}

impl Loss {
    /// The limit, bits per second; `None`: loss limits nothing.
    pub(crate) fn limit_bps(&self) -> Option<u64> {
        self.limit_bps
    }

    /// Share lost as last judged, 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    /// Share that is lost whatever is sent, 0 to [`LOSS_INHERENT_MAX`].
    pub(crate) fn inherent(&self) -> f64 {
        self.inherent
    }

    /// There was no feedback for long: what got lost meanwhile tells of an outage, not of a rate.
    pub(crate) fn on_silence_end(&mut self, now_us: u64) {
        (self.lost, self.total, self.begun_us, self.trial) = (0, 0, None, None);
        self.count_from_us = now_us;
    }

    /// The estimate was lowered because of delays: what was sent before tells of a rate that is not sent any more.
    pub(crate) fn on_decrease(&mut self, now_us: u64) {
        (self.lost, self.total, self.begun_us) = (0, 0, None);
        self.count_from_us = now_us;
    }

    /// Nothing is sent that could show whether the limit is still needed: it grows by time, and no trial ends.
    pub(crate) fn on_idle(&mut self, now_us: u64, ceiling_bps: u64) {
        self.trial = None;
        self.grow(now_us, ceiling_bps);
    }

    /// A packet arrived or was lost.
    pub(crate) fn on_outcome(&mut self, sent_us: u64, lost: bool) {
        if sent_us >= self.count_from_us {
            self.total = self.total.saturating_add(1);
            self.lost = self.lost.saturating_add(lost.into());
        }
    }

    /// The feedback is read.
    pub(crate) fn on_feedback_end(&mut self, seen: &Seen) {
        self.grow(seen.now_us, seen.ceiling_bps);
        if self.total == 0 {
            return;
        }
        let begun_us = *self.begun_us.get_or_insert(seen.now_us);
        let passed_us = seen.now_us.saturating_sub(begun_us);
        let share = f64::from(self.lost) / f64::from(self.total);
        let beyond = share - self.inherent;
        let reached = |(packets, us): (u32, u64)| self.total >= packets && passed_us >= us;
        let high = beyond > plain(self.total) && self.trial.is_none();
        if !(reached(LOSS_SURE) || reached(LOSS_SLOW) || (high && reached(LOSS_SOON))) {
            return;
        }
        let (margin, total) = (self.margin(), self.total);
        (self.lost, self.total, self.begun_us) = (0, 0, None);
        self.share = share;
        self.judge(share, total, beyond > margin, seen);
    }

    /// What is beyond the inherent loss by chance only.
    fn margin(&self) -> f64 {
        // With few packets even none lost does not mean a path without loss.
        let likely = self.inherent.max(0.01);
        deviations(likely, self.total).max(LOSS_LOW)
    }

    fn judge(&mut self, share: f64, total: u32, beyond: bool, seen: &Seen) {
        let tried = self.trial.take();
        if seen.delayed {
            if beyond {
                self.congested(share, seen);
            }
            return;
        }
        if let Some(before) = tried {
            // At the lower rate what is left is inherent by definition, unless it is too much for that. That the rest
            // went because of the rate must be more than chance.
            if share <= LOSS_INHERENT_MAX {
                let both = f64::midpoint(before, share);
                let went = share <= before * LOSS_LEFT && before - share > deviations(both, total);
                if went {
                    self.inherent = share;
                } else {
                    self.inherent = both.min(LOSS_INHERENT_MAX);
                    self.limit_bps = None;
                }
                return;
            }
        }
        if !beyond || share - self.inherent <= plain(total) {
            // Up to so much is sent again with little harm, and a trial would do more: who sends in layers gives up a
            // whole one for it.
            // Less than was thought is certain, more may be chance.
            let weight = if beyond || share < self.inherent { 0.25 } else { 0.05 };
            let moved = self.inherent + (share - self.inherent) * weight;
            self.inherent = moved.min(LOSS_INHERENT_MAX);
            return;
        }
        if seen.app_limited && share <= LOSS_INHERENT_MAX {
            self.inherent = share;
            return;
        }
        let wait = LOSS_CUT_US.saturating_add(seen.rtt_us);
        if self.cut_us.is_some_and(|cut| seen.now_us.saturating_sub(cut) < wait) {
            return;
        }
        // The acknowledged rate is late, and has no news of a path that lost everything.
        let left = whole(real(seen.target_bps) * (1.0 - share));
        let through = seen.acked_bps.map_or(left, |acked| acked.min(left));
        // Never to less than half at once: one judgement may be wrong.
        let cut = percent(through, LOSS_TRIAL_PERCENT).max(seen.target_bps / 2);
        self.cut(cut, seen.now_us);
        self.trial = Some(share);
    }

    /// Loss and delay: the draft's rule.
    fn congested(&mut self, share: f64, seen: &Seen) {
        let held = self.limit_bps.unwrap_or(u64::MAX).min(seen.target_bps);
        let wait = LOSS_CUT_US.saturating_add(seen.rtt_us);
        let too_soon = self.cut_us.is_some_and(|cut| seen.now_us.saturating_sub(cut) < wait);
        if share - self.inherent > LOSS_HIGH && !too_soon {
            let left = 1.0 - 0.5 * (share - self.inherent);
            self.cut(whole(real(held) * left), seen.now_us);
        } else {
            self.limit_bps = Some(held);
            self.needed_us = seen.now_us;
        }
    }

    fn cut(&mut self, bps: u64, now_us: u64) {
        self.limit_bps = Some(bps);
        self.cut_us = Some(now_us);
        self.needed_us = now_us;
        self.grown_us = now_us;
        self.count_from_us = now_us;
    }

    fn grow(&mut self, now_us: u64, ceiling_bps: u64) {
        let passed_us = now_us.saturating_sub(self.grown_us).min(GROWTH_STEP_US_MAX);
        self.grown_us = self.grown_us.max(now_us);
        let clean_us = now_us.saturating_sub(self.needed_us);
        let held = clean_us < LOSS_HOLD_US || self.trial.is_some();
        let Some(limit_bps) = self.limit_bps.filter(|_| !held) else { return };
        // Slowly where the loss was, faster the longer there is none. Also while less is sent than it allows: who sends
        // in steps cannot push against it, and would wait for ever for the next step to fit.
        let clean_s = real(clean_us - LOSS_HOLD_US) / 1_000_000.0;
        let a_second = (GROWTH_A_SECOND * (1.0 + clean_s)).min(LOSS_GROWTH_A_SECOND_MAX);
        let by = 1.0 + a_second * real(passed_us) / 1_000_000.0;
        let grown = whole(real(limit_bps) * by).max(limit_bps.saturating_add(passed_us / 125));
        self.limit_bps = (grown < ceiling_bps).then_some(grown);
    }
}

/// Loss beyond the inherent one that hardly is 10 % and chance, with so many packets.
fn plain(packets: u32) -> f64 {
    LOSS_HIGH + deviations(LOSS_HIGH, packets)
}

/// How far the share lost of so many packets may be from the likely one by chance.
fn deviations(likely: f64, packets: u32) -> f64 {
    LOSS_DEVIATIONS * (likely * (1.0 - likely) / f64::from(packets.max(1))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feedback every 100 ms of 20 packets each, `lost` of a hundred of them lost, for `count` times.
    struct Driver {
        loss: Loss,
        now_us: u64,
        number: u64,
        target_bps: u64,
        delayed: bool,
        app_limited: bool,
    }

    impl Driver {
        fn new() -> Self {
            let (target_bps, now_us) = (2_000_000, 1_000_000);
            let (delayed, app_limited) = (false, false);
            Self { loss: Loss::default(), now_us, number: 0, target_bps, delayed, app_limited }
        }

        fn run(&mut self, count: u64, lost: impl Fn(u64) -> u64) {
            for _ in 0..count {
                for index in 0..20 {
                    self.number += 1;
                    // Evenly, so that every window has the same share.
                    let is_lost = self.number * 37 % 100 < lost(self.target_bps);
                    self.loss.on_outcome(self.now_us + index * 5_000, is_lost);
                }
                self.now_us += 100_000;
                self.loss.on_feedback_end(&Seen {
                    now_us: self.now_us,
                    rtt_us: 50_000,
                    delayed: self.delayed,
                    app_limited: self.app_limited,
                    acked_bps: Some(self.target_bps),
                    target_bps: self.target_bps,
                    ceiling_bps: 5_000_000,
                });
                self.target_bps = self.loss.limit_bps().unwrap_or(2_000_000).min(2_000_000);
            }
        }
    }

    #[test]
    fn loss_that_stays_at_a_lower_rate_is_inherent() {
        let mut driver = Driver::new();
        driver.run(12, |_| 18);
        assert!(driver.target_bps < 2_000_000, "on trial");
        driver.run(20, |_| 18);
        assert_eq!(driver.loss.limit_bps(), None);
        assert!((0.16..0.2).contains(&driver.loss.inherent()), "{}", driver.loss.inherent());
        driver.run(100, |_| 18);
        assert_eq!(driver.loss.limit_bps(), None);
    }

    #[test]
    fn loss_of_a_tenth_is_inherent_without_a_trial() {
        let mut driver = Driver::new();
        for _ in 0..200 {
            driver.run(1, |_| 10);
            assert_eq!(driver.loss.limit_bps(), None);
        }
        assert!((0.08..0.12).contains(&driver.loss.inherent()), "{}", driver.loss.inherent());
    }

    #[test]
    fn loss_that_goes_at_a_lower_rate_is_a_limit() {
        let mut driver = Driver::new();
        let policer = |bps: u64| 100 - 100 * 1_000_000 / bps.max(1_000_000);
        driver.run(300, policer);
        assert!((850_000..1_200_000).contains(&driver.target_bps), "{}", driver.target_bps);
        assert!(driver.loss.inherent() < 0.03, "{}", driver.loss.inherent());
    }

    #[test]
    fn loss_with_delay_is_congestion() {
        let mut driver = Driver { delayed: true, ..Driver::new() };
        driver.run(10, |_| 5);
        assert_eq!(driver.loss.limit_bps(), Some(2_000_000), "held");
        driver.run(40, |_| 20);
        assert!(driver.target_bps < 1_500_000, "{}", driver.target_bps);
    }

    #[test]
    fn loss_is_no_limit_while_little_is_sent() {
        let mut driver = Driver { app_limited: true, ..Driver::new() };
        driver.run(100, |_| 15);
        assert_eq!(driver.loss.limit_bps(), None);
    }

    #[test]
    fn heavy_loss_is_never_inherent() {
        let mut driver = Driver::new();
        driver.run(100, |_| 50);
        assert!(driver.target_bps < 100_000, "{}", driver.target_bps);
    }

    #[test]
    fn inherent_loss_has_a_bound() {
        let mut driver = Driver { app_limited: true, ..Driver::new() };
        driver.run(60, |_| 20);
        driver.app_limited = false;
        // At this pace a few packets decide, and much is chance.
        for _ in 0..100 {
            driver.now_us += 1_500_000;
            driver.run(1, |_| 35);
            assert!(driver.loss.inherent() <= LOSS_INHERENT_MAX, "{}", driver.loss.inherent());
        }
    }
}

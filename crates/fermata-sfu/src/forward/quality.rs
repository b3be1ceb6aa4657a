//! How good a participant's connection is, as clients show it.
//!
//! A score from 0 to 100 is lowered by delay and loss, smoothed (down faster than up), and cut into the
//! protocol's words; clients also see it as a mean opinion score from 1 to 4.5.

use std::time::{Duration, Instant};

use livekit_protocol as lk;

/// Scores above are excellent.
const EXCELLENT_ABOVE: f32 = 80.0;
/// Scores above are good, the others poor.
const GOOD_ABOVE: f32 = 40.0;
/// Best score.
const SCORE_MAX: f32 = 100.0;
/// A connection that still carries something is not worse than this.
const SCORE_MIN: f32 = 30.0;
/// Points for each percent of loss.
const LOSS_WEIGHT: f32 = 8.0;
/// Share of the new sample when the score rises, and when it falls.
const RISE: f32 = 0.4;
const FALL: f32 = 0.8;
/// Samples closer together than this are not taken; the last result is given again.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// What was measured since the last sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Packets lost on the way, as a share of those sent, 0 to 1. The worse direction.
    pub loss: f32,
    /// Round trip.
    pub rtt: Option<Duration>,
    /// Jitter of arrivals.
    pub jitter: Option<Duration>,
    /// Anything came in or was acknowledged, or nothing is expected. False means lost.
    pub heard: bool,
}

/// Smooths samples of one participant to a quality.
#[derive(Debug)]
pub struct QualityMeter {
    score: f32,
    quality: lk::ConnectionQuality,
    sampled_at: Option<Instant>,
}

impl QualityMeter {
    /// Excellent until shown otherwise.
    pub fn new(_now: Instant) -> Self {
        Self { score: SCORE_MAX, quality: lk::ConnectionQuality::Excellent, sampled_at: None }
    }

    /// Takes a sample (about every 5 s) and says what to tell: quality, and score 1 to 4.5.
    pub fn update(&mut self, now: Instant, sample: &Sample) -> (lk::ConnectionQuality, f32) {
        let early =
            self.sampled_at.is_some_and(|at| now.saturating_duration_since(at) < INTERVAL_MIN);
        if early {
            return (self.quality, opinion(self.score));
        }
        self.sampled_at = Some(now);
        if !sample.heard {
            self.score = 0.0;
            self.quality = lk::ConnectionQuality::Lost;
            return (self.quality, opinion(self.score));
        }
        let score = raw_score(sample);
        let share = if score > self.score { RISE } else { FALL };
        self.score = (share * score + (1.0 - share) * self.score).max(SCORE_MIN);
        self.quality = if self.score > EXCELLENT_ABOVE {
            lk::ConnectionQuality::Excellent
        } else if self.score > GOOD_ABOVE {
            lk::ConnectionQuality::Good
        } else {
            lk::ConnectionQuality::Poor
        };
        (self.quality, opinion(self.score))
    }

    /// The quality last told.
    pub fn quality(&self) -> lk::ConnectionQuality {
        self.quality
    }
}

/// The score of one sample: the simplified E-model with delay counted as one way and jitter twice.
fn raw_score(sample: &Sample) -> f32 {
    let ms = |duration: Option<Duration>| duration.unwrap_or_default().as_secs_f32() * 1000.0;
    let delay_ms = ms(sample.rtt) / 2.0 + ms(sample.jitter) * 2.0;
    let delay = if delay_ms > 160.0 { (delay_ms - 120.0) / 10.0 } else { delay_ms / 40.0 };
    let loss = if sample.loss.is_finite() { sample.loss.clamp(0.0, 1.0) } else { 0.0 };
    (SCORE_MAX - delay - loss * 100.0 * LOSS_WEIGHT).clamp(0.0, SCORE_MAX)
}

/// Mean opinion score of a score (ITU-T G.107 annex B).
fn opinion(score: f32) -> f32 {
    if score <= 0.0 {
        1.0
    } else if score >= 100.0 {
        4.5
    } else {
        1.0 + 0.035 * score + score * (score - 60.0) * (100.0 - score) * 7.0e-6
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;
    use crate::limits::QUALITY_INTERVAL;

    #[test]
    fn qualities_follow_loss_and_delay() {
        let start = Now::read().instant;
        let check = |loss: f32, rtt_ms: u64, heard: bool, expected: lk::ConnectionQuality| {
            let mut meter = QualityMeter::new(start);
            let rtt = Some(Duration::from_millis(rtt_ms));
            let sample = Sample { loss, rtt, jitter: None, heard };
            let mut last = (lk::ConnectionQuality::Excellent, 0.0);
            for second in 0..5 {
                last = meter.update(start + Duration::from_secs(5 * second), &sample);
            }
            assert_eq!(last.0, expected, "loss {loss}, rtt {rtt_ms}");
            assert!((1.0..=4.5).contains(&last.1));
            assert_eq!(meter.quality(), expected);
        };
        check(0.0, 30, true, lk::ConnectionQuality::Excellent);
        check(0.01, 60, true, lk::ConnectionQuality::Excellent);
        check(0.04, 60, true, lk::ConnectionQuality::Good);
        check(0.1, 60, true, lk::ConnectionQuality::Poor);
        check(0.0, 800, true, lk::ConnectionQuality::Good);
        check(0.0, 2_500, true, lk::ConnectionQuality::Poor);
        check(f32::NAN, 0, true, lk::ConnectionQuality::Excellent);
        check(0.0, 30, false, lk::ConnectionQuality::Lost);
    }

    #[test]
    fn the_guide_tells_these_numbers() {
        let page = include_str!("../../../../docs/guide/connection-quality.md");
        let seconds = QUALITY_INTERVAL.as_secs();
        for told in [
            format!("Every {seconds} s the server looks at each participant"),
            format!("| points for loss | {LOSS_WEIGHT} for each percent"),
            format!("| score of the moment | {SCORE_MAX} less both"),
            format!(
                "by {RISE} of the way when that is better, by {FALL} when it is worse; {SCORE_MIN} at least"
            ),
            format!("| excellent | score above {EXCELLENT_ABOVE} |"),
            format!("| good | score above {GOOD_ABOVE} |"),
            format!("nothing was heard of the participant for {} s", 2 * seconds),
            format!("this server moves by {FALL} and stops at {SCORE_MIN}"),
        ] {
            assert!(page.contains(&told), "docs/guide/connection-quality.md does not say: {told}");
        }
        // What delay costs is a formula; its two branches.
        let after = |rtt_ms| {
            let rtt = Some(Duration::from_millis(rtt_ms));
            SCORE_MAX - raw_score(&Sample { loss: 0.0, rtt, jitter: None, heard: true })
        };
        assert!(page.contains("delay / 40 up to a delay of 160 ms, (delay - 120) / 10 above"));
        assert!((after(320) - 160.0 / 40.0).abs() < 0.01 && (after(340) - 5.0).abs() < 0.01);
    }

    #[test]
    fn the_examples_of_the_guide_are_so() {
        use lk::ConnectionQuality::{Excellent, Good, Poor};
        let start = Now::read().instant;
        let mut meter = QualityMeter::new(start);
        let mut second = 0;
        let mut next = |loss| {
            second += 5;
            let rtt = Some(Duration::from_millis(40));
            let sample = Sample { loss, rtt, jitter: None, heard: true };
            meter.update(start + Duration::from_secs(second), &sample).0
        };
        assert_eq!([0.03; 5].map(&mut next), [Excellent, Good, Good, Good, Good]);
        assert_eq!([0.08; 3].map(&mut next), [Good, Poor, Poor]);
        assert_eq!([0.0; 3].map(&mut next), [Good, Good, Excellent]);
        assert_eq!([0.03; 3].map(&mut next), [Good; 3]);
        assert_eq!(next(0.1), Poor);
    }

    #[test]
    fn falls_at_once_and_rises_slowly() {
        let start = Now::read().instant;
        let mut meter = QualityMeter::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let bad = Sample { loss: 0.2, rtt: None, jitter: None, heard: true };
        let good = Sample { loss: 0.0, ..bad };
        assert_eq!(meter.update(at(0), &bad).0, lk::ConnectionQuality::Poor);
        assert_eq!(meter.update(at(0), &good).0, lk::ConnectionQuality::Poor, "too early to tell");
        assert_eq!(meter.update(at(5), &good).0, lk::ConnectionQuality::Good);
        assert_eq!(meter.update(at(10), &good).0, lk::ConnectionQuality::Good);
        assert_eq!(meter.update(at(15), &good).0, lk::ConnectionQuality::Excellent);
    }
}

//! How much gets through: the rate of what arrived, on the peer's clock (libwebrtc's acknowledged bitrate).
//!
//! What it is not: no proof. The times are the peer's; whoever uses the rate bounds it by what was sent.

use crate::limits::{
    ACKED_FIRST_US, ACKED_PAUSE_US, ACKED_SAMPLE_SCALE, ACKED_VARIANCE, ACKED_WINDOW_US,
    RECENT_POINT_US, RECENT_POINTS, RECENT_US,
};
use crate::num::{rate_bps, real, since_us, whole};

/// One window of arrivals, and the estimate from all before.
#[derive(Debug)]
pub(crate) struct Acked {
    begun_us: Option<u64>,
    last_us: u64,
    bytes: u64,
    kbps: Option<f64>,
    variance: f64,
    recent: Recent,
}

/// What arrived by when, of late: the rate while a queue grows is what the path gives, and the smoothed one needs a
/// second to follow.
#[derive(Debug, Default)]
struct Recent {
    /// Bytes up to a moment, with the packet that arrived then, for the time before was its; on a path of 150 kb/s a
    /// long packet takes 60 ms. The newest is the one before `next`.
    points: [(u64, u64); RECENT_POINTS],
    next: usize,
    count: usize,
    bytes: u64,
}

impl Recent {
    fn on_arrival(&mut self, arrived_us: u64, len: u64) {
        let newest = self.nth(0).map(|(at_us, _)| since_us(arrived_us, at_us));
        if newest.is_some_and(|step| step.unsigned_abs() > ACKED_PAUSE_US.unsigned_abs()) {
            *self = Self::default();
        }
        self.bytes = self.bytes.wrapping_add(len);
        if newest.is_none_or(|step| step >= RECENT_POINT_US || self.count == 0) {
            if let Some(place) = self.points.get_mut(self.next) {
                *place = (arrived_us, self.bytes);
            }
            self.next = (self.next + 1) % RECENT_POINTS;
            self.count = (self.count + 1).min(RECENT_POINTS);
        } else if let Some((_, bytes)) =
            self.points.get_mut((self.next + RECENT_POINTS - 1) % RECENT_POINTS)
        {
            // It came with those of that moment.
            *bytes = self.bytes;
        }
    }

    /// The `nth` point before the newest one.
    fn nth(&self, nth: usize) -> Option<(u64, u64)> {
        let place = (self.next + RECENT_POINTS - 1).checked_sub(nth)? % RECENT_POINTS;
        (nth < self.count).then(|| self.points.get(place).copied()).flatten()
    }

    /// Bits per second between the newest point and the oldest one that is not too old.
    fn bps(&self) -> Option<u64> {
        let (newest_us, bytes) = self.nth(0)?;
        let (least, most) = RECENT_US;
        let within = |nth: &usize| {
            let passed = self.nth(*nth).map(|(at_us, _)| since_us(newest_us, at_us));
            passed.is_some_and(|passed| (least..=most).contains(&passed))
        };
        let (oldest_us, before) = self.nth((1..self.count).rev().find(within)?)?;
        rate_bps(bytes.wrapping_sub(before), since_us(newest_us, oldest_us).unsigned_abs())
    }
}

impl Acked {
    /// Nothing arrived yet.
    pub(crate) fn new() -> Self {
        Self {
            begun_us: None,
            last_us: 0,
            bytes: 0,
            kbps: None,
            variance: ACKED_VARIANCE.0,
            recent: Recent::default(),
        }
    }

    /// Bits per second; `None` before the first window.
    pub(crate) fn bps(&self) -> Option<u64> {
        self.kbps.map(|kbps| whole(kbps * 1_000.0))
    }

    /// The rate of the last moments, bits per second; `None` if too few packets came in them.
    pub(crate) fn recent_bps(&self) -> Option<u64> {
        self.recent.bps()
    }

    /// A packet arrived.
    pub(crate) fn on_arrival(&mut self, arrived_us: u64, len_bytes: u16) {
        let len = u64::from(len_bytes);
        self.recent.on_arrival(arrived_us, len);
        let Some(begun_us) = self.begun_us else {
            self.restart(arrived_us, len);
            return;
        };
        let step = since_us(arrived_us, self.last_us);
        if step.unsigned_abs() > ACKED_PAUSE_US.unsigned_abs() {
            // A pause, or a clock that was set: the window would tell of no rate.
            self.restart(arrived_us, len);
            return;
        }
        let window_us = if self.kbps.is_none() { ACKED_FIRST_US } else { ACKED_WINDOW_US };
        let passed = since_us(arrived_us, begun_us);
        if passed >= window_us {
            // From the first packet to this one, without this one: so many bytes took so long.
            if let Some(bps) = rate_bps(self.bytes, passed.unsigned_abs()) {
                self.learn(real(bps) / 1_000.0);
            }
            self.restart(arrived_us, len);
            return;
        }
        self.bytes = self.bytes.saturating_add(len);
        if step > 0 {
            self.last_us = arrived_us;
        }
    }

    fn restart(&mut self, arrived_us: u64, len: u64) {
        self.begun_us = Some(arrived_us);
        self.last_us = arrived_us;
        self.bytes = len;
    }

    /// The further a sample is from the estimate, the less it is believed; but doubt in the estimate grows with
    /// every sample, so that a few that agree win.
    fn learn(&mut self, sample_kbps: f64) {
        let Some(kbps) = self.kbps else {
            self.kbps = Some(sample_kbps);
            return;
        };
        // By the greater of both: video after speech alone is twenty times as much, and must be believed within a
        // second.
        let greater = kbps.max(sample_kbps).max(1.0);
        let uncertainty = ACKED_SAMPLE_SCALE * (kbps - sample_kbps).abs() / greater;
        let of_sample = uncertainty * uncertainty;
        let of_estimate = self.variance + ACKED_VARIANCE.1;
        let sum = of_sample + of_estimate;
        self.kbps = Some((of_sample * kbps + of_estimate * sample_kbps) / sum);
        self.variance = of_sample * of_estimate / sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 500 bytes for so long; the estimate after it.
    fn receive(acked: &mut Acked, from_us: u64, ms: u64, bps: u64) -> u64 {
        let gap_us = 500 * 8_000_000 / bps;
        for index in 0..ms * 1_000 / gap_us {
            acked.on_arrival(from_us.wrapping_add(index * gap_us), 500);
        }
        acked.bps().unwrap_or_default()
    }

    #[test]
    fn the_estimate_follows_up_and_down() {
        let mut acked = Acked::new();
        // The clock wraps meanwhile.
        let begin_us = u64::MAX - 5_000_000;
        assert_eq!(receive(&mut acked, begin_us, 400, 40_000), 0, "not half a second yet");
        let speech = receive(&mut acked, begin_us, 10_000, 40_000);
        assert!((38_000..=42_000).contains(&speech), "{speech}");
        let second = begin_us.wrapping_add(10_000_000);
        let video = receive(&mut acked, second, 1_500, 2_000_000);
        assert!((1_500_000..=2_000_000).contains(&video), "{video}");
        let third = second.wrapping_add(1_500_000);
        let less = receive(&mut acked, third, 1_500, 300_000);
        assert!((300_000..=600_000).contains(&less), "{less}");
    }

    #[test]
    fn the_recent_rate_follows_at_once() {
        let mut acked = Acked::new();
        let begin_us = u64::MAX - 5_000_000;
        receive(&mut acked, begin_us, 10_000, 40_000);
        let second = begin_us.wrapping_add(10_000_000);
        receive(&mut acked, second, 200, 3_000_000);
        let burst = acked.recent_bps().unwrap();
        assert!((2_900_000..=3_100_000).contains(&burst), "{burst}");
        let third = second.wrapping_add(200_000);
        receive(&mut acked, third, 200, 300_000);
        let less = acked.recent_bps().unwrap();
        assert!((290_000..=330_000).contains(&less), "{less}");
        acked.on_arrival(third.wrapping_add(5_000_000), 500);
        assert_eq!(acked.recent_bps(), None, "after a pause nothing is known");
    }

    /// Sound and a long packet now and then, on a path of 150 kb/s that is never idle.
    #[test]
    fn the_recent_rate_is_right_on_a_slow_path_with_packets_of_all_lengths() {
        let mut acked = Acked::new();
        let mut at_us = 0;
        for index in 0..200_u64 {
            let len = if index % 3 == 0 { 1_200 } else { 120 };
            at_us += u64::from(len) * 8_000_000 / 150_000;
            acked.on_arrival(at_us, len);
            let recent = acked.recent_bps().filter(|_| index > 5);
            assert!(recent.is_none_or(|bps| (140_000..=160_000).contains(&bps)), "{recent:?}");
        }
        assert!(acked.recent_bps().is_some());
    }

    #[test]
    fn a_pause_is_not_a_rate() {
        let mut acked = Acked::new();
        let before = receive(&mut acked, 0, 3_000, 1_000_000);
        acked.on_arrival(60_000_000, 500);
        assert_eq!(acked.bps(), Some(before));
    }
}

//! How much gets through: the rate of what arrived, on the peer's clock (libwebrtc's acknowledged bitrate).
//!
//! What it is not: no proof. The times are the peer's; whoever uses the rate bounds it by what was sent.

use crate::limits::{
    ACKED_FIRST_US, ACKED_PAUSE_US, ACKED_SAMPLE_SCALE, ACKED_VARIANCE, ACKED_WINDOW_US,
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
}

impl Acked {
    /// Nothing arrived yet.
    pub(crate) fn new() -> Self {
        Self { begun_us: None, last_us: 0, bytes: 0, kbps: None, variance: ACKED_VARIANCE.0 }
    }

    /// Bits per second; `None` before the first window.
    pub(crate) fn bps(&self) -> Option<u64> {
        self.kbps.map(|kbps| whole(kbps * 1_000.0))
    }

    /// A packet arrived.
    pub(crate) fn on_arrival(&mut self, arrived_us: u64, len_bytes: u16) {
        let len = u64::from(len_bytes);
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
    fn a_pause_is_not_a_rate() {
        let mut acked = Acked::new();
        let before = receive(&mut acked, 0, 3_000, 1_000_000);
        acked.on_arrival(60_000_000, 500);
        assert_eq!(acked.bps(), Some(before));
    }
}

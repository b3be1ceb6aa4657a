//! How much later or earlier packets arrive than their spacing at the sender says: the jitter that a path adds.
//!
//! What it is not: the delay itself; clocks that differ by a constant cancel out here. It reads no clock.

use serde::Serialize;

use crate::figures::{Histogram, Percentiles};

/// Part of a new deviation in the smoothed one: one in so many (RFC 3550 section 6.4.1).
const SMOOTHING: f64 = 16.0;

/// One stream, packet by packet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spacing {
    /// How long the last packet took, by two clocks that need not agree, microseconds.
    transit_us: Option<i64>,
    jitter_us: f64,
}

impl Spacing {
    /// A packet that was sent and arrived then, microseconds. The difference between the spacing of this packet and the
    /// one before at the receiver and that at the sender (RFC 3550 section 6.4.1, the magnitude of D); none for the first.
    pub fn add(&mut self, sent_us: u64, arrived_us: u64) -> Option<u64> {
        let transit_us = arrived_us.wrapping_sub(sent_us).cast_signed();
        let before_us = self.transit_us.replace(transit_us)?;
        let deviation_us = transit_us.abs_diff(before_us);
        self.jitter_us += (microseconds(deviation_us) - self.jitter_us) / SMOOTHING;
        Some(deviation_us)
    }

    /// Was there a packet?
    pub(crate) fn is_begun(&self) -> bool {
        self.transit_us.is_some()
    }

    /// Interarrival jitter (RFC 3550 section 6.4.1), milliseconds.
    pub fn jitter_ms(&self) -> f64 {
        self.jitter_us / 1_000.0
    }
}

/// Deviations of many streams.
#[derive(Debug, Clone, Default)]
pub struct Deviations {
    all: Histogram,
    streams: u32,
    sum_ms: f64,
    max_ms: f64,
}

impl Deviations {
    /// Counts a deviation, microseconds.
    pub fn add(&mut self, deviation_us: u64) {
        self.all.add(deviation_us);
    }

    /// Counts a stream as it stands at the end.
    pub fn add_stream(&mut self, stream: &Spacing) {
        self.streams += 1;
        self.sum_ms += stream.jitter_ms();
        self.max_ms = self.max_ms.max(stream.jitter_ms());
    }

    /// Takes over another's.
    pub fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        self.streams += other.streams;
        self.sum_ms += other.sum_ms;
        self.max_ms = self.max_ms.max(other.max_ms);
    }

    /// The figures; all zero of nothing.
    pub fn figures(&self) -> Jitter {
        Jitter {
            deviation: self.all.percentiles(),
            mean_ms: self.sum_ms / f64::from(self.streams.max(1)),
            max_ms: self.max_ms,
        }
    }
}

/// How evenly packets arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Jitter {
    /// Between the spacing of two packets at the sender and at the receiver, either way.
    pub deviation: Percentiles,
    /// Interarrival jitter (RFC 3550) at the end, mean of all streams, milliseconds.
    pub mean_ms: f64,
    /// The same of the worst stream.
    pub max_ms: f64,
}

#[expect(clippy::cast_precision_loss, reason = "deviations far below 2^52 microseconds")]
fn microseconds(us: u64) -> f64 {
    us as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets every 20 ms whose arrival is late by so many microseconds; the receiver's clock is another.
    fn arrive(late_us: &[u64]) -> (Vec<u64>, Spacing) {
        let mut spacing = Spacing::default();
        let packets = (0..).map(|n| 20_000 * n).zip(late_us);
        let found = packets.filter_map(|(sent, late)| spacing.add(sent, sent + 7_000_000 + late));
        (found.collect(), spacing)
    }

    #[test]
    fn an_even_path_deviates_by_nothing_however_long_it_takes() {
        let (deviations, spacing) = arrive(&[90_000; 50]);
        assert_eq!(deviations, [0; 49]);
        assert!(spacing.jitter_ms().abs() < 1e-9);
    }

    #[test]
    fn one_late_packet_deviates_twice_and_each_counts_for_a_sixteenth() {
        let (deviations, spacing) = arrive(&[100, 100, 3_300, 100]);
        assert_eq!(deviations, [0, 3_200, 3_200]);
        // 200 after the first, and then 200 + (3,200 - 200) / 16.
        assert!((spacing.jitter_ms() - 0.387_5).abs() < 1e-9, "{}", spacing.jitter_ms());
    }

    #[test]
    fn a_steady_deviation_is_the_jitter() {
        let late: Vec<_> = (0..400).map(|n| if n % 2 == 0 { 0 } else { 2_000 }).collect();
        let (_, spacing) = arrive(&late);
        assert!((spacing.jitter_ms() - 2.0).abs() < 0.01, "{}", spacing.jitter_ms());
        // A receiver whose clock is behind the sender's.
        let mut behind = Spacing::default();
        assert_eq!([behind.add(9_000, 5_000), behind.add(9_500, 5_200)], [None, Some(300)]);
    }

    #[test]
    fn figures_are_over_all_streams() {
        let mut all = Deviations::default();
        assert_eq!(all.figures(), Jitter::default());
        for late in [[0, 0, 0, 0], [0, 1_600, 1_600, 1_600]] {
            let (deviations, spacing) = arrive(&late);
            let mut one = Deviations::default();
            for deviation in deviations {
                one.add(deviation);
            }
            one.add_stream(&spacing);
            all.merge(&one);
        }
        let figures = all.figures();
        assert_eq!(figures.deviation.samples, 6);
        assert!((figures.deviation.max_ms - 1.6).abs() < 1e-9 && figures.deviation.p50_ms < 1e-9);
        assert!((figures.max_ms - 2.0 * figures.mean_ms).abs() < 1e-9 && figures.max_ms > 0.05);
    }
}

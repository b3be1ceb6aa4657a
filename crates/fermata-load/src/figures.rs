//! Sorted samples, histograms and their percentiles; no time and no clients here.

use serde::Serialize;

/// Percentiles of a set of samples, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many samples there were.
    pub samples: usize,
    /// Half are at most this.
    pub p50_ms: f64,
    /// 95 of 100 are at most this.
    pub p95_ms: f64,
    /// 99 of 100 are at most this.
    pub p99_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

impl Percentiles {
    /// Percentiles by nearest rank; all zero when there are no samples.
    pub fn of(mut samples_ms: Vec<f64>) -> Self {
        samples_ms.sort_by(f64::total_cmp);
        let at = |percent: usize| -> f64 {
            let rank = (samples_ms.len() * percent).div_ceil(100).max(1);
            samples_ms.get(rank - 1).copied().unwrap_or(0.0)
        };
        Self {
            samples: samples_ms.len(),
            p50_ms: at(50),
            p95_ms: at(95),
            p99_ms: at(99),
            max_ms: samples_ms.last().copied().unwrap_or(0.0),
        }
    }
}

/// Bits of a sample that its bucket tells apart: an error of 1 part in 32 at most.
const PRECISION_BITS: u32 = 5;
/// Buckets for samples of 64 bits.
const BUCKETS: usize = ((64 - PRECISION_BITS as usize) + 1) << PRECISION_BITS;

/// Any number of samples in bounded memory, each to one part in 32.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// Empty before the first sample.
    counts: Vec<u64>,
    samples: u64,
    max: u64,
}

impl Histogram {
    /// Counts a sample, microseconds.
    pub fn add(&mut self, sample_us: u64) {
        self.counts.resize(BUCKETS, 0);
        if let Some(count) = self.counts.get_mut(bucket(sample_us)) {
            *count += 1;
        }
        self.samples += 1;
        self.max = self.max.max(sample_us);
    }

    /// Takes over another's samples.
    pub fn merge(&mut self, other: &Self) {
        if other.samples == 0 {
            return;
        }
        self.counts.resize(BUCKETS, 0);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.samples += other.samples;
        self.max = self.max.max(other.max);
    }

    /// Percentiles by nearest rank, in the middle of their buckets; all zero when there are no samples.
    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            samples: usize::try_from(self.samples).unwrap_or(usize::MAX),
            p50_ms: self.percentile_ms(50),
            p95_ms: self.percentile_ms(95),
            p99_ms: self.percentile_ms(99),
            max_ms: milliseconds(self.max),
        }
    }

    fn percentile_ms(&self, percent: u64) -> f64 {
        let rank = (self.samples * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return milliseconds(middle(index).min(self.max));
            }
        }
        0.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "delays far below 2^52 microseconds")]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1_000.0
}

fn bucket(sample: u64) -> usize {
    let shift = (64 - sample.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    let mantissa = usize::try_from(sample >> shift).unwrap_or(0);
    // Each doubling above the exact ones has half of a mantissa's values.
    ((shift as usize) << PRECISION_BITS) + mantissa
}

fn middle(bucket: usize) -> u64 {
    let half = 1_usize << PRECISION_BITS;
    if bucket < 2 * half {
        return bucket as u64;
    }
    let shift = bucket / half - 1;
    let mantissa = (bucket % half + half) as u64;
    (mantissa << shift) + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let p = Percentiles::of((1..=100).map(f64::from).collect());
        assert!(close(p.p50_ms, 50.0) && close(p.p95_ms, 95.0) && close(p.p99_ms, 99.0), "{p:?}");
        let p = Percentiles::of(vec![7.0]);
        assert!(close(p.p50_ms, 7.0) && close(p.max_ms, 7.0) && p.samples == 1, "{p:?}");
        assert_eq!(Percentiles::of(vec![]), Percentiles::default());
    }

    #[test]
    fn buckets_are_in_order_and_close() {
        let mut last = 0;
        for sample in (0..5_000).chain((5..63).flat_map(|bits| [(1 << bits) - 1, 1 << bits])) {
            let bucket = bucket(sample);
            assert!(bucket < BUCKETS);
            assert!(bucket >= last || sample < 5_000, "{sample}");
            last = last.max(bucket);
            let off = middle(bucket).abs_diff(sample);
            assert!(off <= sample / 32, "{sample} in {bucket} is {}", middle(bucket));
        }
    }

    #[test]
    fn percentiles_of_many() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        for sample in 1..=10_000 {
            if sample % 2 == 0 { one.add(sample) } else { other.add(sample) }
        }
        one.merge(&other);
        let p = one.percentiles();
        assert_eq!(p.samples, 10_000);
        assert!((p.p50_ms - 5.0).abs() < 0.2 && (p.p99_ms - 9.9).abs() < 0.4, "{p:?}");
        assert!((p.max_ms - 10.0).abs() < 1e-9);
    }
}

//! Sorted samples and their percentiles; no time and no clients here.

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
}

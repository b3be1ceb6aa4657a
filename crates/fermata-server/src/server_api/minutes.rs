//! Seconds of consecutive spans to minutes, as bills round them: up, on the running total of the day.
//!
//! What it is not: it reads no store. Bills, packages and the daily totals use the same rule, so the spans of a
//! day add up to the day's minutes on the bill.

use std::collections::BTreeMap;

use fermata_store::SpanUsage;
use fermata_types::Sku;
use jiff::Timestamp;

/// Minutes of spans that follow each other in one day: each is what the total up to its end, rounded up, has more
/// than the total before it.
pub(super) fn of_spans(seconds: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut total = 0_u64;
    let spans = seconds.into_iter().map(|of_span| {
        let before = total.div_ceil(60);
        total = total.saturating_add(of_span);
        total.div_ceil(60).saturating_sub(before)
    });
    spans.collect()
}

/// Minutes by point of time and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// The kinds, a column each.
    pub(super) skus: Vec<Sku>,
    /// Begins of the spans, ascending.
    pub(super) points: Vec<Timestamp>,
    /// A row a point, a column a kind.
    rows: Vec<Vec<u64>>,
}

impl Table {
    /// Nothing used yet.
    pub(super) fn new(skus: Vec<Sku>, points: Vec<Timestamp>) -> Self {
        let rows = vec![vec![0; skus.len()]; points.len()];
        Self { skus, points, rows }
    }

    /// Adds what one application used in one day, given in seconds. What lies before the first point or is of
    /// another kind is left out; spans need not be in order.
    pub(super) fn add_day(&mut self, usage: &[SpanUsage]) {
        let mut by_sku: BTreeMap<Sku, Vec<u64>> = BTreeMap::new();
        for span in usage {
            let after = self.points.partition_point(|point| *point <= span.start);
            let Some(row) = after.checked_sub(1) else { continue };
            let seconds = by_sku.entry(span.sku).or_insert_with(|| vec![0; self.points.len()]);
            if let Some(cell) = seconds.get_mut(row) {
                *cell = cell.saturating_add(span.seconds);
            }
        }
        for (sku, seconds) in by_sku {
            for (row, minutes) in of_spans(seconds).into_iter().enumerate() {
                self.add(row, sku, minutes);
            }
        }
    }

    /// Adds minutes to a cell.
    pub(super) fn add(&mut self, row: usize, sku: Sku, minutes: u64) {
        let Some(column) = self.skus.iter().position(|known| *known == sku) else { return };
        if let Some(cell) = self.rows.get_mut(row).and_then(|row| row.get_mut(column)) {
            *cell = cell.saturating_add(minutes);
        }
    }

    /// The points with their minutes.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Timestamp, &[u64])> {
        self.points.iter().copied().zip(self.rows.iter().map(Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_rule() {
        assert_eq!(of_spans([30, 20, 40]), [1, 0, 1]);
        assert_eq!(of_spans([0, 1, 59, 0, 1]), [0, 1, 0, 0, 1]);
        assert_eq!(of_spans([u64::MAX, 1]), [u64::MAX.div_ceil(60), 0]);
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn applications_are_rounded_each_for_itself() {
        let mut table = Table::new(vec![Sku::Audio, Sku::VideoHd], vec![at(0), at(300)]);
        let span = |start, sku, seconds| SpanUsage { start: at(start), sku, seconds };
        table.add_day(&[span(0, Sku::Audio, 30), span(300, Sku::Audio, 20)]);
        table.add_day(&[span(0, Sku::Audio, 1), span(300, Sku::VideoHd, 61)]);
        // Of a kind that is not asked for, and before the first point.
        table.add_day(&[span(0, Sku::Relay, 600), span(-300, Sku::Audio, 600)]);
        let rows: Vec<_> = table.rows().map(|(_, row)| row.to_vec()).collect();
        assert_eq!(rows, [vec![2, 0], vec![0, 2]]);
    }

    proptest! {
        #[test]
        fn spans_add_up_to_the_minutes_of_the_day(
            apps in proptest::collection::vec(
                proptest::collection::vec((0_usize..288, 0_usize..3, 0_u64..=40_000), 0..40), 0..4)
        ) {
            let skus = [Sku::Audio, Sku::VideoHd, Sku::LiveAudienceVideo4k];
            let points = (0..288).map(|n| at(n * 300)).collect();
            let mut table = Table::new(skus.to_vec(), points);
            let mut expected = [0_u64; 3];
            for spans in &apps {
                let usage: Vec<_> = spans.iter().map(|(point, sku, seconds)| SpanUsage {
                    start: at(i64::try_from(*point).unwrap() * 300),
                    sku: skus[*sku],
                    seconds: *seconds,
                }).collect();
                table.add_day(&usage);
                for (n, sku) in skus.iter().enumerate() {
                    let day: u64 = usage.iter().filter(|u| u.sku == *sku).map(|u| u.seconds).sum();
                    expected[n] += day.div_ceil(60);
                }
            }
            let mut sums = [0_u64; 3];
            for (_, row) in table.rows() {
                for (sum, minutes) in sums.iter_mut().zip(row) {
                    *sum += minutes;
                }
            }
            prop_assert_eq!(sums, expected);
        }
    }
}

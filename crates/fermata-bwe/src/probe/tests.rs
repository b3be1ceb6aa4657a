//! What bursts show, and when there are none.

use super::{Cluster, Probe, Schedule};
use crate::Outcome;
use crate::limits::{PROBE_ANSWER_US_MAX, PROBE_WAIT_US};

const PROBE: Probe = Probe { id: 7, rate_bps: 960_000, packets_min: 6, bytes: 7_200 };

/// Packets of 1,200 bytes every 10 ms (960 kb/s) that arrive every `gap_us`.
fn burst(gap_us: u64) -> Vec<Outcome> {
    (0..6)
        .map(|index| Outcome {
            sent_us: 1_000 + index * 10_000,
            len_bytes: 1_200,
            arrived_us: Some((index * gap_us).wrapping_sub(20_000)),
            probe: Some(PROBE.id),
        })
        .collect()
}

fn result(outcomes: &[Outcome]) -> Option<u64> {
    let mut cluster = Cluster::new(PROBE);
    for outcome in outcomes {
        cluster.on_outcome(outcome);
    }
    cluster.result_bps()
}

#[test]
fn a_burst_shows_what_got_through() {
    let rows = [
        ("as it was sent", 10_000, Some(960_000)),
        ("a little faster", 8_000, Some(960_000)),
        ("slower", 12_500, Some(729_600)),
        ("held back by the way", 4_000, None),
        ("all at once", 0, None),
        ("for too long", 300_000, None),
    ];
    for (name, gap_us, expected) in rows {
        assert_eq!(result(&burst(gap_us)), expected, "{name}");
    }
}

#[test]
fn a_burst_that_mostly_got_lost_shows_nothing() {
    let mut outcomes = burst(10_000);
    outcomes[2].arrived_us = None;
    assert!(result(&outcomes).is_some());
    outcomes[3].arrived_us = None;
    outcomes[4].arrived_us = None;
    assert_eq!(result(&outcomes), None);
}

/// Media between tagged padding are part of the rate; those before and after are not.
#[test]
fn what_goes_between_counts() {
    let mut outcomes = burst(10_000);
    outcomes[3].probe = None;
    assert_eq!(result(&outcomes), Some(960_000));
    outcomes[3].probe = Some(PROBE.id);
    let late = Outcome {
        sent_us: 5_000_000,
        len_bytes: 1_200,
        arrived_us: Some(9_000_000),
        probe: Some(PROBE.id.wrapping_add(1)),
    };
    outcomes.insert(0, Outcome { sent_us: 1, ..late });
    outcomes.push(late);
    assert_eq!(result(&outcomes), Some(960_000));
}

#[test]
fn probes_that_find_nothing_become_rare() {
    let mut schedule = Schedule::new();
    let (mut now_us, mut begun) = (0, Vec::new());
    while begun.len() < 6 {
        if schedule.poll(now_us, 300_000, 2_000_000).is_some() {
            begun.push(now_us);
        }
        now_us += 10_000;
    }
    let waits: Vec<u64> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [1, 2, 2, 2, 2].map(|times| PROBE_WAIT_US.0 * times + PROBE_ANSWER_US_MAX);
    assert_eq!(waits, expected);
}

#[test]
fn nothing_is_probed_that_is_not_wanted() {
    let mut schedule = Schedule::new();
    assert_eq!(schedule.poll(0, 300_000, 200_000), None);
    let probe = schedule.poll(PROBE_WAIT_US.0, 300_000, 400_000).unwrap();
    assert_eq!((probe.rate_bps, probe.packets_min, probe.bytes), (440_000, 6, 6_600));
}

#[test]
fn a_probe_that_succeeds_is_followed_by_another() {
    let mut schedule = Schedule::new();
    let first = schedule.poll(0, 320_000, 2_000_000).unwrap();
    assert_eq!(first.rate_bps, 960_000);
    for outcome in burst(10_000) {
        schedule.on_outcome(&Outcome { probe: Some(first.id), ..outcome });
    }
    assert_eq!(schedule.on_feedback_end(100_000, 320_000), Some(960_000));
    let second = schedule.poll(100_000, 960_000, 2_000_000).unwrap();
    assert_eq!(second.rate_bps, 1_920_000);
    assert_ne!(second.id, first.id);
}

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fermata_types::Now;
use proptest::prelude::*;

use super::*;
use crate::limits::{TWCC_LOG_LEN, TWCC_OLD_RUN_MAX};
use crate::rtcp::{self, Packet};

/// Sequence number and arrival, microseconds.
type Said = (u16, Option<i64>);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// All feedback that a log has now: control information and what it says.
fn written(log: &mut ArrivalLog) -> Vec<(Vec<u8>, Vec<Said>)> {
    let mut all = Vec::new();
    let mut out = Vec::new();
    while log.feedback(1, 2, &mut out) {
        assert!(out.len() <= 1_052, "{}", out.len());
        let mut packets = rtcp::parse(&out);
        let Some(Packet::TransportFeedback(view)) = packets.next() else { panic!("{out:02x?}") };
        assert!(packets.next().is_none());
        assert_eq!((view.sender, view.media), (1, 2));
        let said: Vec<_> = view.iter().collect();
        assert_eq!(said.len(), usize::from(view.count()));
        all.push((out[12..].to_vec(), said));
        out.clear();
    }
    all
}

#[test]
fn control_information_by_hand() {
    type Row<'a> = (&'a [u8], Option<&'a [Said]>);
    let rows: &[Row<'_>] = &[
        // Run of three received, 1, 0 and 2 ticks apart, at 64 ms.
        (
            &[0xff, 0xff, 0, 3, 0, 0, 1, 9, 0x20, 3, 1, 0, 2],
            Some(&[(65_535, Some(64_250)), (0, Some(64_250)), (1, Some(64_750))]),
        ),
        // One bit each: received, lost, received. Reference before zero.
        (
            &[0, 5, 0, 3, 0xff, 0xff, 0xff, 0, 0xa8, 0, 4, 4],
            Some(&[(5, Some(-63_000)), (6, None), (7, Some(-62_000))]),
        ),
        // Two bits each: large and negative, lost, small.
        (
            &[0, 5, 0, 3, 0, 0, 0, 0, 0xe1, 0, 0xff, 0xff, 255],
            Some(&[(5, Some(-250)), (6, None), (7, Some(63_500))]),
        ),
        // Lost ones alone, in two runs, the second longer than what is told.
        (&[0, 5, 0, 2, 0, 0, 0, 0, 0, 1, 0x1f, 0xff], Some(&[(5, None), (6, None)])),
        (&[0, 5, 0, 0, 0, 0, 0, 0], Some(&[])),
        // Too few chunks; too few deltas; the reserved symbol in a run and in a vector.
        (&[0, 5, 0, 2, 0, 0, 0, 0, 0, 1], None),
        (&[0, 5, 0, 2, 0, 0, 0, 0, 0x20, 2, 1], None),
        (&[0, 5, 0, 1, 0, 0, 0, 0, 0x60, 1, 1, 1], None),
        (&[0, 5, 0, 1, 0, 0, 0, 0, 0xf0, 0, 1, 1], None),
        // It is behind what is told, thus padding.
        (&[0, 5, 0, 1, 0, 0, 0, 0, 0xcc, 0], Some(&[(5, None)])),
        // More than anybody reports in one: 8,193.
        (&[0, 5, 0x20, 0x01, 0, 0, 0, 0, 0x1f, 0xff, 0, 9], None),
        (&[0, 5, 0, 1, 0, 0, 0], None),
        (&[], None),
    ];
    for (control, expected) in rows {
        let read = FeedbackView::parse(1, 2, control).map(|view| view.iter().collect::<Vec<_>>());
        assert_eq!(read.as_deref(), *expected, "{control:02x?}");
    }
}

#[test]
fn feedback_by_hand() {
    let zero = Now::read().instant;
    let mut log = ArrivalLog::new();
    assert_eq!(log.next_timeout(), None);
    // Across the wrap, one lost, two in the wrong order, 100 ms of nothing.
    for (seq, at) in [(65_534, 0), (65_535, 1), (2, 2), (1, 3), (3, 102)] {
        log.record(seq, zero + ms(at));
    }
    let all = written(&mut log);
    let [(bytes, said)] = &all[..] else { panic!("{all:?}") };
    // Base 65,534, six packets, reference 0, number 0; small, small, lost, small, large, large.
    let expected =
        [0xff, 0xfe, 0, 6, 0, 0, 0, 0, 0xd4, 0x68, 0, 4, 8, 0xff, 0xfc, 0x01, 0x90, 0, 0, 0];
    // 65,534: 0; 65,535: +4; 0 lost; 1 at 3 ms: +8; 2 at 2 ms: -4; 3 at 102 ms: +400.
    assert_eq!(bytes[..], expected, "{bytes:02x?}");
    let at = |ms: i64| Some(ms * 1_000);
    assert_eq!(
        said[..],
        [(65_534, at(0)), (65_535, at(1)), (0, None), (1, at(3)), (2, at(2)), (3, at(102))]
    );
    assert_eq!(log.next_timeout(), None);
    // The lost one comes late: reported again from there.
    log.record(0, zero + ms(110));
    let all = written(&mut log);
    assert_eq!(all[0].0[7], 1);
    assert_eq!(all[0].1, [(0, at(110)), (1, at(3)), (2, at(2)), (3, at(102))]);
}

#[test]
fn due_at_once_if_there_is_much() {
    let zero = Now::read().instant;
    let mut log = ArrivalLog::new();
    for seq in 0..9 {
        log.record(seq, zero + ms(u64::from(seq)));
        assert_eq!(log.next_timeout(), Some(zero + ms(100)));
    }
    log.record(9, zero + ms(9));
    assert_eq!(log.next_timeout(), Some(zero + ms(50)));
    log.record(9, zero + ms(10));
    written(&mut log);
    assert_eq!(log.next_timeout(), None);
    log.record(9, zero + ms(60));
    assert_eq!(log.next_timeout(), None);
    log.record(10, zero + ms(61));
    assert_eq!(log.next_timeout(), Some(zero + ms(161)));
}

#[test]
fn bounded_when_nobody_asks() {
    let zero = Now::read().instant;
    let mut log = ArrivalLog::new();
    for seq in 0..5_000 {
        log.record(seq, zero);
    }
    assert_eq!(log.unreported(), 5_000 - TWCC_LOG_LEN as u64);
    let said: Vec<_> = written(&mut log).into_iter().flat_map(|(_, said)| said).collect();
    assert_eq!(said.len(), TWCC_LOG_LEN);
    assert!(said.iter().all(|(_, at)| at.is_some()));
    assert_eq!((said[0].0, said[TWCC_LOG_LEN - 1].0), (3_976, 4_999));
    // A gap wider than the log: what is in it is not told one by one.
    log.record(20_000, zero);
    let said: Vec<_> = written(&mut log).into_iter().flat_map(|(_, said)| said).collect();
    assert_eq!(said.len(), TWCC_LOG_LEN);
    assert_eq!(said.iter().filter(|(_, at)| at.is_some()).count(), 1);
    // A sender that began anew, far behind, is believed after a while.
    let again = 20_000 - 5_000;
    for seq in again..again + 100 {
        log.record(seq, zero);
    }
    let said: Vec<_> = written(&mut log).into_iter().flat_map(|(_, said)| said).collect();
    let from = again + u16::try_from(TWCC_OLD_RUN_MAX).unwrap();
    assert_eq!(said.first().map(|(seq, _)| *seq), Some(from));
    assert_eq!(said.len(), 100 - TWCC_OLD_RUN_MAX as usize);
}

#[derive(Debug, Clone)]
enum Step {
    Arrives { step: i32, wait_us: u64 },
    Feedback,
}

fn step() -> impl Strategy<Value = Step> {
    let step = prop_oneof![10 => Just(1), 3 => 2_i32..30, 3 => -30_i32..0, 1 => 30_i32..300];
    let wait = prop_oneof![10 => 0_u64..3_000, 2 => 0_u64..200_000, 1 => 0_u64..20_000_000];
    prop_oneof![
        12 => (step, wait).prop_map(|(step, wait_us)| Step::Arrives { step, wait_us }),
        1 => Just(Step::Feedback),
    ]
}

/// What feedback says must be what happened; answers how many packets it says have arrived.
fn compare(
    log: &mut ArrivalLog,
    arrived: &BTreeMap<i32, Instant>,
    highest: i32,
    zero: Instant,
    reported: &mut BTreeMap<i32, i64>,
) {
    for (_, said) in written(log) {
        for (seq, at) in said {
            let back = u16::try_from(highest & 0xffff).unwrap().wrapping_sub(seq);
            let seq = highest - i32::from(back);
            let truth = arrived.get(&seq).map(|at| at.saturating_duration_since(zero));
            let truth = truth.map(|truth| i64::try_from(truth.as_micros() / 250).unwrap() * 250);
            assert_eq!(at, truth, "{seq}");
            if let Some(at) = at {
                reported.insert(seq, at);
            }
        }
    }
}

proptest! {
    #[test]
    fn what_the_log_wrote_is_what_arrived(
        first in 0_i32..65_536,
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let zero = Now::read().instant;
        let mut now = zero;
        let mut log = ArrivalLog::new();
        let mut arrived = BTreeMap::from([(first + 1_000_000, zero)]);
        let (mut highest, mut reported) = (first + 1_000_000, BTreeMap::new());
        log.record(u16::try_from(highest & 0xffff).unwrap(), now);
        for step in steps {
            match step {
                Step::Arrives { step, wait_us } => {
                    now += Duration::from_micros(wait_us);
                    let seq = highest + step;
                    highest = highest.max(seq);
                    arrived.entry(seq).or_insert(now);
                    log.record(u16::try_from(seq & 0xffff).unwrap(), now);
                }
                Step::Feedback => compare(&mut log, &arrived, highest, zero, &mut reported),
            }
        }
        compare(&mut log, &arrived, highest, zero, &mut reported);
        prop_assert_eq!(log.next_timeout(), None);
        // Everything was told, unless the log had to let go.
        let missing = arrived.keys().filter(|seq| !reported.contains_key(seq)).count() as u64;
        prop_assert!(missing <= log.unreported(), "{} {}", missing, log.unreported());
    }

    #[test]
    fn any_numbers(seqs in prop::collection::vec(any::<u16>(), 1..200)) {
        let zero = Now::read().instant;
        let mut log = ArrivalLog::new();
        for (index, seq) in (0..).zip(seqs) {
            log.record(seq, zero + ms(index));
            if index % 7 == 0 {
                let said: usize = written(&mut log).iter().map(|(_, said)| said.len()).sum();
                prop_assert!(said <= TWCC_LOG_LEN);
            }
        }
    }
}

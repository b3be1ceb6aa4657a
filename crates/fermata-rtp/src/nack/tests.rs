use std::collections::BTreeSet;

use fermata_types::Now;
use proptest::prelude::*;

use super::*;

const RTT: Duration = Duration::from_millis(50);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn asked(generator: &mut Generator, now: Instant, rtt: Duration) -> Vec<u16> {
    let mut out = Vec::new();
    generator.due(now, rtt, &mut out);
    out
}

#[test]
fn asked_for_after_the_reorder_delay_and_again_after_a_round_trip() {
    let zero = Now::read().instant;
    let mut generator = Generator::new();
    generator.on_packet(65_534, zero);
    assert_eq!(generator.next_timeout(), None);
    // 65,535, 65,536 and 65,537 are missing.
    generator.on_packet(65_538, zero);
    assert_eq!(generator.next_timeout(), Some(zero + ms(10)));
    assert_eq!(asked(&mut generator, zero + ms(9), RTT), []);
    // One was only late.
    generator.on_packet(65_536, zero + ms(9));
    assert_eq!(asked(&mut generator, zero + ms(10), RTT), [65_535, 1]);
    assert_eq!(generator.next_timeout(), Some(zero + ms(60)));
    assert_eq!(asked(&mut generator, zero + ms(59), RTT), []);
    generator.on_packet(65_535, zero + ms(59));
    assert_eq!(asked(&mut generator, zero + ms(60), ms(3)), [1]);
    // A short round trip does not make it frantic.
    assert_eq!(asked(&mut generator, zero + ms(79), ms(3)), []);
    assert_eq!(asked(&mut generator, zero + ms(80), ms(3)), [1]);
    generator.on_packet(65_537, zero + ms(81));
    assert_eq!((generator.open(), generator.next_timeout()), (0, None));
    assert_eq!((generator.asked(), generator.given_up()), (4, 0));
    // The same once more, and duplicates, change nothing.
    generator.on_packet(65_537, zero + ms(82));
    generator.on_packet(65_538, zero + ms(82));
    assert_eq!(generator.open(), 0);
}

#[test]
fn given_up_after_ten_tries_or_two_seconds() {
    for (rtt, times) in [(ms(20), 10), (ms(100), 10), (ms(600), 4)] {
        let mut now = Now::read().instant;
        let mut generator = Generator::new();
        generator.on_packet(1, now);
        generator.on_packet(3, now);
        let mut count = 0;
        while let Some(next) = generator.next_timeout() {
            now = next;
            count += asked(&mut generator, now, rtt).len();
        }
        assert_eq!(count, times, "{rtt:?}");
        assert_eq!((generator.open(), generator.given_up()), (0, 1));
    }
}

#[test]
fn bounded_in_number_and_in_distance() {
    let zero = Now::read().instant;
    let mut generator = Generator::new();
    generator.on_packet(0, zero);
    // The largest step that is a loss: 999 missing, of which the newest are kept.
    generator.on_packet(1_000, zero);
    assert_eq!((generator.open(), generator.given_up()), (NACK_OPEN_MAX, 499));
    let lost = asked(&mut generator, zero + ms(10), RTT);
    assert_eq!((lost.first(), lost.last(), lost.len()), (Some(&500), Some(&999), 500));
    // What the stream leaves far behind is given up.
    for seq in 1_001..=1_600 {
        generator.on_packet(seq, zero + ms(11));
    }
    assert_eq!((generator.open(), generator.given_up()), (400, 599));
    // A step too far is a new start.
    generator.on_packet(2_601, zero + ms(12));
    assert_eq!((generator.open(), generator.given_up(), generator.resets()), (0, 999, 1));
    assert_eq!(generator.next_timeout(), None);
    generator.on_packet(2_603, zero + ms(12));
    assert_eq!(generator.open(), 1);
    // One from far behind is none.
    generator.on_packet(10, zero + ms(13));
    assert_eq!((generator.open(), generator.resets()), (1, 1));
    assert_eq!(asked(&mut generator, zero + ms(30), RTT), [2_602]);
}

proptest! {
    /// Against a set: whatever is lost is asked for exactly while it is missing.
    #[test]
    fn asks_for_what_is_missing(
        fates in prop::collection::vec((0_u8..10, 0_u64..30), 1..150),
        first in 0_u64..200_000,
    ) {
        let zero = Now::read().instant;
        let mut generator = Generator::new();
        generator.on_packet(first, zero);
        let (mut missing, mut late) = (BTreeSet::new(), Vec::new());
        let mut now = zero;
        for (seq, (fate, wait)) in (first + 1..).zip(fates) {
            now += Duration::from_micros(500);
            match fate {
                0 => drop(missing.insert(seq)),
                1 | 2 => late.push((seq, seq + wait)),
                _ => generator.on_packet(seq, now),
            }
            late.retain(|(late_seq, at)| {
                if *at <= seq {
                    generator.on_packet(*late_seq, now);
                }
                *at > seq
            });
        }
        for (seq, _) in late {
            generator.on_packet(seq, now);
        }
        let highest = generator.highest.expect("one came");
        let expected: Vec<u16> =
            missing.range(..highest).map(|seq| wire::low16(*seq)).collect();
        // Late enough that everything is due, whenever it was asked for before.
        let out = asked(&mut generator, now + ms(200), RTT);
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn any_numbers(seqs in prop::collection::vec((any::<u64>(), 0_u64..5_000), 0..60)) {
        let mut now = Now::read().instant;
        let mut generator = Generator::new();
        for (seq, step) in seqs {
            now += ms(step % 100);
            generator.on_packet(seq, now);
            generator.on_packet(seq.saturating_add(step), now);
            let mut out = Vec::new();
            generator.due(now, RTT, &mut out);
            prop_assert!(generator.open() <= NACK_OPEN_MAX && out.len() <= NACK_OPEN_MAX);
        }
    }
}

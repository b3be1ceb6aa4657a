use fermata_types::Now;
use proptest::prelude::*;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn losses_and_fractions() {
    let now = Now::read().instant;
    let mut receiver = Receiver::new(7, 48_000);
    assert_eq!(receiver.report_block(now), None);
    // 65,530 to 65,545 without four of them: 4/16 of 256.
    for seq in 65_530..=65_545 {
        if seq % 4 != 0 {
            receiver.on_packet(seq, 0, 100, now);
        }
    }
    let block = receiver.report_block(now).expect("packets came");
    assert_eq!((block.ssrc, block.fraction_lost, block.lost), (7, 64, 4));
    assert_eq!(block.highest_seq, 0x0001_0009);
    // Two of them come late, beside four new ones: fewer lost than before is no negative fraction.
    for seq in [65_532, 65_536, 65_546, 65_547, 65_548, 65_549] {
        receiver.on_packet(seq, 0, 100, now);
    }
    let block = receiver.report_block(now).expect("packets came");
    assert_eq!((block.fraction_lost, block.lost), (0, 2));
    // Nothing new: nothing lost.
    assert_eq!(receiver.report_block(now).expect("still").fraction_lost, 0);
    // Duplicates make it negative.
    for _ in 0..5 {
        receiver.on_packet(65_549, 0, 100, now);
    }
    assert_eq!(receiver.report_block(now).expect("still").lost, -3);
    assert_eq!(receiver.totals().packets, 23);
    assert_eq!((receiver.totals().bytes, receiver.totals().lost), (2_300, -3));
    // 1 of 255 is the least that shows, and nearly all of it is 255.
    for (came, fraction) in [(255_u64, 0), (1_u64, 255)] {
        let mut receiver = Receiver::new(7, 48_000);
        receiver.on_packet(0, 0, 0, now);
        receiver.report_block(now);
        for seq in (1..=came).map(|seq| if seq == came { 257 } else { seq }) {
            receiver.on_packet(seq, 0, 0, now);
        }
        let expected = u8::try_from(((257 - came) << 8) / 257).unwrap();
        let block = receiver.report_block(now).expect("packets came");
        assert_eq!(block.fraction_lost, expected, "{came}");
        assert!(expected.abs_diff(fraction) <= 1);
    }
}

#[test]
fn a_step_too_far_is_no_loss() {
    let now = Now::read().instant;
    let mut receiver = Receiver::new(7, 90_000);
    receiver.on_packet(10, 0, 1, now);
    receiver.on_packet(10 + RECEIVER_STEP_MAX + 1, 0, 1, now);
    assert_eq!(receiver.totals().lost, 0);
    receiver.on_packet(10 + RECEIVER_STEP_MAX * 2 + 1, 0, 1, now);
    assert_eq!(receiver.totals().lost, RECEIVER_STEP_MAX.cast_signed() - 1);
    let block = receiver.report_block(now).expect("packets came");
    assert_eq!(block.fraction_lost, 255);
    // From long before the first: counted as arrived, not as a range of losses.
    let mut receiver = Receiver::new(7, 90_000);
    receiver.on_packet(1 << 40, 0, 1, now);
    receiver.on_packet(5, 0, 1, now);
    assert_eq!(receiver.totals().lost, -1);
}

#[test]
fn sender_reports_come_back() {
    let zero = Now::read().instant;
    let mut receiver = Receiver::new(7, 90_000);
    receiver.on_packet(1, 0, 1, zero);
    let block = receiver.report_block(zero).expect("a packet came");
    assert_eq!((block.last_sender_report, block.delay), (0, 0));
    receiver.on_sender_report(NtpTime(0xb44d_b705_2000_0000), zero + ms(100));
    let block = receiver.report_block(zero + ms(5_350)).expect("a packet came");
    assert_eq!((block.last_sender_report, block.delay), (0xb705_2000, 0x0005_4000));
}

#[test]
fn jitter_of_a_new_clock_is_none() {
    let zero = Now::read().instant;
    let mut receiver = Receiver::new(7, 90_000);
    for (seq, timestamp) in [(1, 0), (2, 0x8000_0000), (3, 0x8000_0000), (4, 5)] {
        receiver.on_packet(seq, timestamp, 1, zero);
    }
    assert_eq!(receiver.totals().jitter, Duration::ZERO);
    // 160 ticks early once: 160 / 16.
    receiver.on_packet(5, 165, 1, zero);
    assert_eq!(receiver.report_block(zero).expect("packets came").jitter, 10);
    assert_eq!(receiver.totals().jitter, Duration::from_nanos(111_111));
}

proptest! {
    /// Whole numbers against the formula of section 6.4.1: J += (|D| - J) / 16.
    #[test]
    fn jitter_follows_the_formula(
        start in any::<u32>(),
        steps in prop::collection::vec((0_u32..6_000, 0_u64..80), 2..200),
    ) {
        let mut now = Now::read().instant;
        let mut receiver = Receiver::new(7, 90_000);
        let (mut timestamp, mut formula) = (start, 0.0_f64);
        receiver.on_packet(0, timestamp, 1, now);
        for (seq, (ticks, wait)) in (1..).zip(steps) {
            timestamp = timestamp.wrapping_add(ticks);
            now += ms(wait);
            receiver.on_packet(seq, timestamp, 1, now);
            let arrived = 90.0 * f64::from(u32::try_from(wait).unwrap());
            formula += ((arrived - f64::from(ticks)).abs() - formula) / 16.0;
        }
        let jitter = receiver.report_block(now).expect("packets came").jitter;
        prop_assert!((f64::from(jitter) - formula).abs() <= 2.0, "{} {}", jitter, formula);
    }

    #[test]
    fn any_numbers(packets in prop::collection::vec(any::<(u64, u32, u32)>(), 1..60), rate in any::<u32>()) {
        let mut now = Now::read().instant;
        let mut receiver = Receiver::new(7, rate);
        for (seq, timestamp, wait) in packets {
            now += Duration::from_micros(u64::from(wait));
            receiver.on_packet(seq >> 1, timestamp, 1, now);
            prop_assert!(receiver.report_block(now).is_some());
            receiver.totals();
        }
    }
}

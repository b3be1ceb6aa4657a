use proptest::prelude::*;

use super::*;

const LEN: usize = 1_000;

fn link(conditions: Conditions) -> Link<u64> {
    Link::new(7, 0, vec![Step { at_ms: 0, conditions }])
}

/// Sends a packet every `interval_us`; the numbers in the order of their arrival, and when each came.
fn send(link: &mut Link<u64>, from_us: u64, count: u64, interval_us: u64) -> Vec<(u64, u64)> {
    let mut arrived = Vec::new();
    let until_us = from_us + count * interval_us;
    let mut next_us = from_us;
    let mut number = 0;
    loop {
        let due_us = link.next_due_us();
        let now_us = match due_us {
            Some(due_us) if due_us <= next_us || next_us >= until_us => due_us,
            _ if next_us < until_us => next_us,
            _ => return arrived,
        };
        while let Some(what) = link.poll(now_us) {
            arrived.push((what, now_us));
        }
        if now_us == next_us && next_us < until_us {
            let _ = link.offer(now_us, LEN, number);
            number += 1;
            next_us += interval_us;
        }
    }
}

#[test]
fn a_perfect_link_delivers_at_once() {
    let mut link = link(Conditions::default());
    let arrived = send(&mut link, 5, 100, 1_000);
    assert_eq!(arrived, (0..100).map(|n| (n, 5 + n * 1_000)).collect::<Vec<_>>());
}

#[test]
fn a_bottleneck_lets_its_rate_through_and_the_rest_waits_or_is_dropped() {
    let mut link = link(Conditions {
        rate_bps: 800_000,
        queue_ms: 100,
        delay_ms: 30,
        ..Conditions::default()
    });
    // 2 Mb/s for two seconds.
    let arrived = send(&mut link, 0, 500, 4_000);
    let counts = link.counts();
    assert_eq!(counts.offered, 500);
    assert_eq!(counts.delivered + counts.lost_full, 500);
    // 100 packets a second, and what the queue held at the end.
    assert!((195..=215).contains(&counts.delivered), "{counts:?}");
    assert_eq!(arrived[0], (0, 10_000 + 30_000));
    let waited_most = arrived.iter().map(|(n, at_us)| at_us - n * 4_000).max().unwrap();
    assert!((120_000..=140_000).contains(&waited_most), "{waited_most}");
}

#[test]
fn steps_come_in_their_time() {
    let slow = Conditions { rate_bps: 400_000, ..Conditions::default() };
    let fast = Conditions { rate_bps: 4_000_000, ..Conditions::default() };
    let steps = vec![
        Step { at_ms: 0, conditions: fast },
        Step { at_ms: 1_000, conditions: slow },
        Step { at_ms: 3_000, conditions: fast },
    ];
    let mut link = Link::new(1, 0, steps);
    link.restart(500_000);
    let arrived = send(&mut link, 500_000, 400, 10_000);
    let within = |from_ms: u64, to_ms: u64| {
        let range = (500 + from_ms) * 1_000..(500 + to_ms) * 1_000;
        arrived.iter().filter(|(_, at_us)| range.contains(at_us)).count()
    };
    assert_eq!(within(0, 1_000), 100);
    // 50 a second.
    assert!((99..=101).contains(&within(1_000, 3_000)), "{}", within(1_000, 3_000));
    // What waited, and what comes.
    assert!(within(3_000, 3_500) >= 55, "{}", within(3_000, 3_500));
}

#[test]
fn loss_is_what_was_asked_for_alone_and_in_bursts() {
    for (loss_percent, loss_burst) in [(5.0, 1.0), (5.0, 4.0), (20.0, 1.0), (20.0, 8.0)] {
        let mut link = link(Conditions { loss_percent, loss_burst, ..Conditions::default() });
        let arrived = send(&mut link, 0, 40_000, 100);
        let lost = 40_000.0 - f64::from(u32::try_from(arrived.len()).unwrap());
        let share = lost / 400.0;
        assert!((share - loss_percent).abs() < 1.0, "{share} of {loss_percent}");
        let bursts = arrived.windows(2).filter(|pair| pair[1].0 > pair[0].0 + 1).count();
        let mean = lost / f64::from(u32::try_from(bursts).unwrap());
        let expected =
            if loss_burst > 1.0 { loss_burst } else { 1.0 / (1.0 - loss_percent / 100.0) };
        assert!((mean / expected - 1.0).abs() < 0.15, "{mean} instead of {expected}");
    }
}

#[test]
fn reordered_packets_are_overtaken_and_nothing_is_lost() {
    let mut link =
        link(Conditions { reorder_percent: 10.0, reorder_ms: 5, ..Conditions::default() });
    let arrived = send(&mut link, 0, 1_000, 1_000);
    assert_eq!(arrived.len(), 1_000);
    let overtaken = arrived.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
    assert!((60..=140).contains(&overtaken), "{overtaken}");
}

proptest! {
    #[test]
    fn every_packet_is_delivered_or_counted_lost_and_keeps_its_order(
        seed in any::<u64>(),
        rate_bps in prop_oneof![Just(0), 50_000_u64..5_000_000],
        queue_ms in 0_u32..500,
        jitter_ms in 0_u32..50,
        loss_percent in 0.0..30.0,
        interval_us in 100_u64..20_000,
    ) {
        let conditions =
            Conditions { rate_bps, queue_ms, jitter_ms, loss_percent, ..Conditions::default() };
        let run = || {
            let mut link = Link::new(seed, 0, vec![Step { at_ms: 0, conditions }]);
            let arrived = send(&mut link, 0, 300, interval_us);
            (arrived, link.counts())
        };
        let (arrived, counts) = run();
        prop_assert_eq!(counts.offered, 300);
        prop_assert_eq!(counts.delivered + counts.lost_full + counts.lost_chance, 300);
        prop_assert!(arrived.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        prop_assert_eq!(run(), (arrived, counts));
    }
}

//! Feedback that no honest receiver sends: the target stays in its bounds, nothing panics, and a lie gains nothing.

use fermata_bwe::{Config, Controller, Outcome};
use proptest::prelude::*;

const CONFIG: Config = Config { start_bps: 300_000, min_bps: 50_000, max_bps: 5_000_000 };

#[derive(Debug, Clone)]
enum Act {
    Sent(u16),
    Feedback(Vec<(u64, u16, Option<u64>, Option<u8>)>, Option<u64>),
    Remb(u64),
    Wanted(u64),
    Poll,
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let near = (0_u64..20_000_000).boxed();
    let arrived = prop_oneof![
        3 => Just(None),
        5 => (0_u64..2_000_000).prop_map(Some),
        2 => any::<u64>().prop_map(Some),
    ];
    let outcome = (
        prop_oneof![5 => near, 1 => any::<u64>().boxed()],
        any::<u16>(),
        arrived,
        any::<Option<u8>>(),
    );
    let outcomes = prop::collection::vec(outcome, 0..40);
    prop_oneof![
        4 => any::<u16>().prop_map(Act::Sent),
        6 => (outcomes, any::<Option<u64>>()).prop_map(|(list, rtt)| Act::Feedback(list, rtt)),
        1 => any::<u64>().prop_map(Act::Remb),
        1 => any::<u64>().prop_map(Act::Wanted),
        2 => Just(Act::Poll),
        3 => (0_u64..3_000_000).prop_map(Act::Pass),
        1 => any::<u64>().prop_map(Act::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_target_stays_within_its_bounds(
        acts in prop::collection::vec(act(), 1..80),
        begin_us in prop_oneof![0_u64..20_000_000, any::<u64>()],
    ) {
        let mut controller = Controller::new(CONFIG);
        let mut now_us = begin_us;
        for act in acts {
            match act {
                Act::Sent(len) => controller.on_sent(now_us, len),
                Act::Feedback(list, rtt_us) => {
                    // Any times at all: the caller's too, since it may keep them badly.
                    let outcomes: Vec<Outcome> = list
                        .into_iter()
                        .map(|(ago_us, len_bytes, arrived_us, probe)| {
                            Outcome { sent_us: now_us.wrapping_sub(ago_us), len_bytes, arrived_us, probe }
                        })
                        .collect();
                    controller.on_feedback(now_us, &outcomes, rtt_us);
                }
                Act::Remb(bps) => controller.on_remb(now_us, bps),
                Act::Wanted(bps) => controller.set_wanted(now_us, bps),
                Act::Poll => {
                    controller.on_timeout(now_us);
                    if let Some(probe) = controller.poll_probe(now_us) {
                        prop_assert!(probe.rate_bps <= CONFIG.max_bps * 11 / 10);
                        prop_assert!(probe.bytes <= CONFIG.max_bps);
                    }
                }
                Act::Pass(us) => now_us = now_us.saturating_add(us),
            }
            let target_bps = controller.target_bps();
            prop_assert!((CONFIG.min_bps..=CONFIG.max_bps).contains(&target_bps), "{}", target_bps);
            let state = controller.state();
            prop_assert!((0.0..=1.0).contains(&state.loss) && (0.0..=0.2).contains(&state.inherent_loss));
        }
    }
}

/// Sends 20 packets of 1,000 bytes each 100 ms (1.6 Mb/s) and tells of them as `tell` says.
fn told(seconds: u64, mut tell: impl FnMut(u64, u64) -> Option<u64>) -> Controller {
    let mut controller = Controller::new(CONFIG);
    let mut outcomes = Vec::new();
    for tenth in 0..seconds * 10 {
        outcomes.clear();
        for index in 0..20 {
            let sent_us = 1 + tenth * 100_000 + index * 5_000;
            controller.on_sent(sent_us, 1_000);
            let arrived_us = tell(sent_us, tenth * 20 + index);
            outcomes.push(Outcome { sent_us, len_bytes: 1_000, arrived_us, probe: None });
        }
        controller.on_feedback(tenth * 100_000 + 150_000, &outcomes, Some(50_000));
    }
    controller
}

#[test]
fn who_claims_to_receive_faster_than_was_sent_gets_no_more() {
    // A hundred times as fast by the peer's clock: the acknowledged rate would be 160 Mb/s.
    let controller = told(60, |sent_us, _| Some(sent_us / 100));
    let acked_bps = controller.state().acked_bps.unwrap_or_default();
    assert!(acked_bps <= 1_700_000, "{acked_bps}");
    assert!(controller.target_bps() <= 2_600_000, "{}", controller.target_bps());
}

#[test]
fn who_lost_everything_gets_the_least() {
    let controller = told(20, |_, _| None);
    assert_eq!(controller.target_bps(), CONFIG.min_bps);
}

#[test]
fn times_that_go_backwards_or_stand_gain_nothing() {
    for tell in [
        (|sent_us, _| Some(u64::MAX - sent_us)) as fn(u64, u64) -> Option<u64>,
        |_, _| Some(77),
        |sent_us, number| Some(sent_us.wrapping_mul(number % 7 * 1_000_003)),
    ] {
        let controller = told(30, tell);
        assert!(controller.target_bps() <= 2_600_000, "{}", controller.target_bps());
    }
}

#[test]
fn what_was_told_before_does_not_count_again() {
    let mut once = Controller::new(CONFIG);
    let mut thrice = Controller::new(CONFIG);
    let mut outcomes = Vec::new();
    for tenth in 0..200_u64 {
        let new = outcomes.len();
        for index in 0..20 {
            let sent_us = 1 + tenth * 100_000 + index * 5_000;
            once.on_sent(sent_us, 1_000);
            thrice.on_sent(sent_us, 1_000);
            let arrived_us = Some(sent_us + 7 * (index % 3) * 1_000);
            outcomes.push(Outcome { sent_us, len_bytes: 1_000, arrived_us, probe: None });
        }
        let now_us = tenth * 100_000 + 150_000;
        once.on_feedback(now_us, &outcomes[new..], Some(50_000));
        thrice.on_feedback(now_us, &outcomes[new..], Some(50_000));
        thrice.on_feedback(now_us, &outcomes[new..], Some(50_000));
        thrice.on_feedback(now_us, &outcomes[new.saturating_sub(40)..], Some(50_000));
    }
    assert_eq!(once.state().acked_bps, thrice.state().acked_bps);
    assert_eq!(once.target_bps(), thrice.target_bps());
}

//! What the controller reaches on paths of several kinds. Each bound holds for every seed. Beside a test stands what
//! was measured with sixty seeds when it was written: least, median, greatest.

use fermata_bwe::{Config, Controller};

use crate::support::{Flow, Path, Policer, SECOND_US, World};

const SEEDS: std::ops::Range<u64> = 0..8;

fn mean(values: &[(u64, u64)]) -> (u64, u64) {
    let count = values.len() as u64;
    let (targets, arrived) =
        values.iter().fold((0, 0), |(a, b), (target, arrived)| (a + target, b + arrived));
    (targets / count, arrived / count)
}

/// Prints what was measured; shown with `--nocapture` and when a bound is broken.
fn note(name: &str, seed: u64, what: &dyn std::fmt::Debug) {
    println!("{name}, seed {seed}: {what:?}");
}

/// Arrived 877, 888, 898 kb/s; 95 of 100 packets waited at most 17, 20, 27 ms.
#[test]
fn a_steady_bottleneck_is_used_and_its_queue_is_short() {
    for seed in SEEDS {
        let mut world =
            World::new(Path::new(seed, 1_000_000), vec![Flow::new(seed, 300_000, 5_000_000)]);
        world.run_ms(5_000);
        world.flows[0].waits_ms.clear();
        let seconds = world.watch(0, 55, 1_000);
        let (target, arrived) = mean(&seconds);
        let wait = world.flows[0].wait_p95_ms();
        note("steady", seed, &(target, arrived, wait, world.flows[0].probes));
        assert!((700..=1_000).contains(&arrived), "{arrived} kb/s");
        assert!(wait < 100, "{wait} ms");
        // Every second by itself, too.
        assert!(seconds.iter().all(|(_, arrived)| *arrived >= 500), "{seconds:?}");
    }
}

/// Below 300 kb/s after 1.1, 1.3, 1.6 s; the queue empty after 4.6, 5.4, 6.6 s; above 2 Mb/s again after
/// 0.4, 2.2, 3.6 s.
#[test]
fn a_drop_is_followed_and_so_is_the_recovery() {
    for seed in SEEDS {
        let mut world =
            World::new(Path::new(seed, 3_000_000), vec![Flow::new(seed, 300_000, 3_000_000)]);
        world.run_ms(20_000);
        let before = world.flows[0].target_bps() / 1_000;
        world.path.rate_bps = 300_000;
        let below = world.until(0, 10_000, |flow| flow.target_bps() < 300_000);
        let drained = world.until(0, 20_000, |flow| flow.controller.state().queue_us < 50_000);
        world.run_ms(20_000);
        world.flows[0].waits_ms.clear();
        let low = mean(&world.watch(0, 10, 1_000));
        let wait = world.flows[0].wait_p95_ms();
        world.path.rate_bps = 3_000_000;
        let back = world.until(0, 30_000, |flow| flow.target_bps() > 2_000_000);
        note("drop", seed, &(before, below, drained, low, wait, back));
        assert!(before > 2_000, "{before} kb/s");
        assert!(below.is_some_and(|ms| ms <= 2_000), "{below:?} ms");
        // What was sent before the first feedback that shows it takes four seconds at the new rate.
        assert!(drained.is_some_and(|ms| ms <= 7_000), "{drained:?} ms");
        assert!((200..=300).contains(&low.1), "{low:?}");
        assert!(back.is_some_and(|ms| ms <= 10_000), "{back:?} ms");
    }
}

/// Of 2,000 kb/s that were asked for, at 5 % and 10 % loss: arrived 1,766, 1,844, 1,871 and 1,690, 1,738, 1,772; the
/// lowest target at a second's end 1,090, 1,533, 3,050 and 1,071, 1,506, 2,986.
#[test]
fn random_loss_does_not_starve() {
    for loss in [10, 50, 100] {
        for seed in SEEDS {
            let mut path = Path::new(seed, 3_000_000);
            path.loss = loss;
            let mut world = World::new(path, vec![Flow::new(seed, 300_000, 2_000_000)]);
            world.run_ms(10_000);
            let seconds = world.watch(0, 50, 1_000);
            let (target, arrived) = mean(&seconds);
            let least = seconds.iter().map(|(target, _)| *target).min().unwrap();
            let good = seconds.iter().filter(|(target, _)| *target >= 1_200).count();
            note("loss", seed, &(loss, target, arrived, least, good));
            assert!(target >= 1_200, "{target} kb/s");
            assert!(arrived >= 1_200, "{arrived} kb/s");
            assert!(good >= 45, "{good} of 50 seconds");
        }
    }
}

/// At 1.2 Mb/s or more in 38, 40, 40 of 40 seconds.
#[test]
fn random_loss_that_begins_later_does_not_starve() {
    for seed in SEEDS {
        let path = Path::new(seed, 3_000_000);
        let mut world = World::new(path, vec![Flow::new(seed, 300_000, 2_000_000)]);
        world.run_ms(20_000);
        world.path.loss = 100;
        let seconds = world.watch(0, 40, 1_000);
        let target = mean(&seconds).0;
        let good = seconds.iter().filter(|(target, _)| *target >= 1_200).count();
        note("late loss", seed, &(target, good));
        assert!(target >= 1_200, "{target} kb/s");
        assert!(good >= 32, "{good} of 40 seconds");
    }
}

/// Arrived 1,947, 1,961, 1,974 kb/s.
#[test]
fn jitter_alone_does_not_starve() {
    for seed in SEEDS {
        let mut path = Path::new(seed, 1_000_000_000);
        path.jitter_us = 20_000;
        let mut world = World::new(path, vec![Flow::new(seed, 300_000, 2_000_000)]);
        world.run_ms(10_000);
        let seconds = world.watch(0, 50, 1_000);
        let (target, arrived) = mean(&seconds);
        let least = seconds.iter().map(|(target, _)| *target).min().unwrap();
        note("jitter", seed, &(target, arrived, least));
        assert!(arrived >= 1_600, "{arrived} kb/s");
        assert!(least >= 1_000, "{least} kb/s");
    }
}

/// After 0.3, 0.4, 0.5 s.
#[test]
fn who_sent_little_for_long_soon_sends_much() {
    for seed in SEEDS {
        let mut flow = Flow::new(seed, 300_000, 100_000);
        flow.packet_bytes = 250;
        let mut world = World::new(Path::new(seed, 1_000_000_000), vec![flow]);
        let least = world.watch(0, 600, 100).iter().map(|(target, _)| *target).min().unwrap();
        let probes = world.flows[0].probes;
        let now_us = world.now_us;
        let flow = &mut world.flows[0];
        flow.controller.set_wanted(now_us, 2_000_000);
        flow.demand_bps = 2_000_000;
        flow.packet_bytes = 1_200;
        let up = world.until(0, 10_000, |flow| flow.target_bps() >= 1_900_000);
        note("little", seed, &(least, probes, up));
        assert!(least >= 250, "{least} kb/s");
        assert_eq!(probes, 0, "nothing more was wanted");
        assert!(up.is_some_and(|ms| ms <= 2_000), "{up:?} ms");
    }
}

/// Speech alone, on a path with jitter: nothing of it is a ceiling for the video that follows. After 0.2, 0.3, 1.6 s.
#[test]
fn audio_does_not_pin_the_target() {
    for seed in SEEDS {
        let mut path = Path::new(seed, 1_000_000_000);
        path.jitter_us = 15_000;
        let mut flow = Flow::new(seed, 300_000, 40_000);
        flow.packet_bytes = 120;
        let mut world = World::new(path, vec![flow]);
        world.run_ms(60_000);
        let target = world.flows[0].target_bps() / 1_000;
        let now_us = world.now_us;
        let flow = &mut world.flows[0];
        flow.controller.set_wanted(now_us, 1_500_000);
        flow.demand_bps = 1_500_000;
        flow.packet_bytes = 1_200;
        let up = world.until(0, 20_000, |flow| flow.target_bps() >= 1_200_000);
        note("audio", seed, &(target, up));
        assert!(target >= 200, "{target} kb/s");
        assert!(up.is_some_and(|ms| ms <= 4_000), "{up:?} ms");
    }
}

/// Target 995, 1,030, 1,180 kb/s; arrived 947, 962, 974.
#[test]
fn a_policer_is_respected() {
    for seed in SEEDS {
        let mut path = Path::new(seed, 1_000_000_000);
        path.policer = Some(Policer { rate_bps: 1_000_000, burst_bytes: 15_000 });
        let mut world = World::new(path, vec![Flow::new(seed, 300_000, 3_000_000)]);
        world.run_ms(5_000);
        let seconds = world.watch(0, 55, 1_000);
        let (target, arrived) = mean(&seconds);
        note("policer", seed, &(target, arrived, world.flows[0].controller.state()));
        // The limit is tried again and again, and a little above it is seen after 50 packets.
        assert!((700..=1_250).contains(&target), "{target} kb/s");
        assert!(arrived >= 700, "{arrived} kb/s");
    }
}

/// A server sends whole layers, so mostly less than it may. Only probes can find room for the next layer, and what they
/// cost must not cost the layer that is sent.
#[test]
fn layers_climb_and_stay() {
    for (rate_bps, least_kbps) in [(3_000_000, 1_400), (1_000_000, 430)] {
        for seed in SEEDS {
            let mut flow = Flow::new(seed, 300_000, 1_650_000);
            flow.layers_bps = vec![150_000, 500_000, 1_600_000];
            let mut world = World::new(Path::new(seed, rate_bps), vec![flow]);
            world.run_ms(10_000);
            let seconds = world.watch(0, 50, 1_000);
            let least = seconds.iter().map(|(_, arrived)| *arrived).min().unwrap();
            note("layers", seed, &(rate_bps, least, world.flows[0].probes));
            assert!(least >= least_kbps, "{seconds:?}");
            assert!(world.flows[0].probes <= 15, "{}", world.flows[0].probes);
        }
    }
}

/// Paths that are worse in one way, at a rate that is asked for too much of: (name, rate, least share of it in percent,
/// greatest wait in ms).
#[test]
fn paths_of_many_kinds_are_used() {
    type Change = fn(&mut Path);
    let rows: [(&str, u64, Change, u64, u64); 8] = [
        ("jitter", 1_000_000, |path| path.jitter_us = 20_000, 75, 150),
        ("much jitter", 1_000_000, |path| path.jitter_us = 50_000, 65, 300),
        ("a short queue", 1_000_000, |path| path.queue_bytes_max = 3_600, 75, 100),
        ("far away", 1_000_000, |path| path.delay_us = 150_000, 75, 100),
        ("lossy", 1_000_000, |path| path.loss = 100, 60, 100),
        ("fast", 10_000_000, |_| (), 65, 100),
        // A packet of 1,200 bytes takes 64 ms here, and 120 ms there; three of them wait at times.
        ("slow", 150_000, |_| (), 75, 300),
        ("slower", 80_000, |_| (), 75, 400),
    ];
    for (name, rate_bps, change, share, wait_ms) in rows {
        for seed in SEEDS {
            let mut path = Path::new(seed, rate_bps);
            change(&mut path);
            let mut world = World::new(path, vec![Flow::new(seed, 300_000, rate_bps * 2)]);
            world.run_ms(15_000);
            world.flows[0].waits_ms.clear();
            let arrived = mean(&world.watch(0, 45, 1_000)).1;
            let wait = world.flows[0].wait_p95_ms();
            note(name, seed, &(arrived, wait));
            assert!(arrived * 1_000 >= rate_bps * share / 100, "{name}: {arrived} kb/s");
            assert!(wait < wait_ms, "{name}: {wait} ms");
        }
    }
}

/// 813, 937, 1,092 kb/s beside 769, 953, 1,049.
#[test]
fn two_share_a_bottleneck() {
    for seed in SEEDS {
        let first = Flow::new(seed, 300_000, 3_000_000);
        let second = Flow::new(seed + 100, 300_000, 3_000_000);
        let mut world = World::new(Path::new(seed, 2_000_000), vec![first]);
        world.run_ms(20_000);
        world.flows.push(second);
        world.run_ms(40_000);
        let before: Vec<u64> = world.flows.iter().map(|flow| flow.arrived_bytes).collect();
        world.run_ms(60_000);
        let rates: Vec<u64> = world
            .flows
            .iter()
            .zip(before)
            .map(|(flow, before)| (flow.arrived_bytes - before) * 8 / 60_000)
            .collect();
        note("two", seed, &(&rates, world.flows[0].wait_p95_ms()));
        assert!(rates.iter().sum::<u64>() >= 1_300, "{rates:?}");
        assert!(rates[0] <= rates[1] * 3 && rates[1] <= rates[0] * 3, "{rates:?}");
    }
}

#[test]
fn clocks_may_drift() {
    for drift_ppm in [-100, 100] {
        for seed in SEEDS {
            let mut path = Path::new(seed, 1_000_000_000);
            path.drift_ppm = drift_ppm;
            let mut world = World::new(path, vec![Flow::new(seed, 300_000, 2_000_000)]);
            world.run_ms(10_000);
            let seconds = world.watch(0, 110, 1_000);
            let least = seconds.iter().map(|(target, _)| *target).min().unwrap();
            let queue = world.flows[0].controller.state().queue_us;
            note("drift", seed, &(drift_ppm, least, queue));
            assert!(least >= 1_800, "{least} kb/s");
            assert!(queue < 5_000, "{queue} us");
        }
    }
}

/// Back after 1.0, 1.1, 1.2 s.
#[test]
fn silence_halves_and_feedback_brings_it_back() {
    for seed in SEEDS {
        let mut world =
            World::new(Path::new(seed, 1_000_000_000), vec![Flow::new(seed, 300_000, 2_000_000)]);
        world.run_ms(10_000);
        let before = world.flows[0].target_bps();
        world.path.loss = 1_000;
        world.run_ms(5_000);
        let after = world.flows[0].target_bps();
        world.run_ms(20_000);
        let least = world.flows[0].target_bps();
        world.path.loss = 0;
        let back = world.until(0, 30_000, |flow| flow.target_bps() >= 1_800_000);
        note("silence", seed, &(before, after, least, back));
        assert!(after <= before / 4 + 1, "{before} {after}");
        assert!(least <= before / 500 + 30_000, "{least}");
        assert!(back.is_some_and(|ms| ms <= 8_000), "{back:?} ms");
    }
}

#[test]
fn the_receivers_own_estimate_counts_for_a_while() {
    let mut world = World::new(Path::new(1, 1_000_000_000), vec![Flow::new(1, 300_000, 2_000_000)]);
    world.run_ms(10_000);
    let now_us = world.now_us;
    world.flows[0].controller.on_remb(now_us, 400_000);
    assert_eq!(world.flows[0].target_bps(), 400_000);
    world.run_ms(4_000);
    assert_eq!(world.flows[0].target_bps(), 400_000);
    world.run_ms(2_000);
    assert!(world.flows[0].target_bps() > 1_500_000);
    assert!(world.now_us > 1_000 * SECOND_US);
}

/// All pictures were given up and there is no sound: nothing tells that the queue is empty again.
#[test]
fn who_sends_nothing_any_more_finds_room_again() {
    for seed in SEEDS {
        let path = Path::new(seed, 3_000_000);
        let mut world = World::new(path, vec![Flow::new(seed, 300_000, 2_000_000)]);
        world.run_ms(10_000);
        world.path.rate_bps = 1_000_000;
        let full = world.until(0, 10_000, |flow| {
            flow.controller.state().queue_us > 100_000 && flow.target_bps() < 900_000
        });
        assert!(full.is_some());
        world.flows[0].stopped = true;
        world.run_ms(3_000);
        world.path.rate_bps = 3_000_000;
        let back = world.until(0, 30_000, |flow| flow.target_bps() > 1_500_000);
        note("nothing", seed, &(full, back));
        assert!(back.is_some_and(|ms| ms <= 15_000), "{back:?} ms");
    }
}

#[test]
fn without_feedback_the_receivers_own_estimate_is_all_there_is() {
    let (start_bps, max_bps) = (1_000_000, 20_000_000);
    let mut controller = Controller::new(Config { start_bps, min_bps: 30_000, max_bps });
    controller.set_wanted(0, 5_000_000);
    for (now_us, bps) in [(1, 3_000_000), (2, 400_000), (3, 2_000_000)] {
        controller.on_remb(now_us * SECOND_US, bps);
        assert_eq!((controller.target_bps(), controller.path_bps()), (bps, bps));
        // No feedback would tell what came of it.
        assert_eq!(controller.poll_probe(now_us * SECOND_US), None);
    }
    controller.on_timeout(9 * SECOND_US);
    assert_eq!(controller.path_bps(), start_bps);
}

//! A wall clock that steps: durations are measured on the monotonic clock, so nothing is gained or lost.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail that way")]

mod support;

use std::time::Duration;

use fermata_sfu::io::UsageFact;
use fermata_types::StayEnd;
use jiff::{SignedDuration, Timestamp};
use livekit_protocol as lk;
use support::{World, join};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn step(world: &mut World, by: SignedDuration) {
    world.now.wall = world.now.wall.checked_add(by).unwrap();
}

/// Entry and end of a stay, as reported.
fn span(world: &World, sid: &str) -> (Timestamp, Timestamp) {
    let entered = world.usage.iter().find_map(|fact| match fact {
        UsageFact::Opened(fact) if fact.stay.as_str() == sid => Some(fact.entered_at),
        _ => None,
    });
    let ended = world.usage.iter().find_map(|fact| match fact {
        UsageFact::Closed(fact) if fact.stay.as_str() == sid => Some(fact.ended_at),
        _ => None,
    });
    (entered.unwrap(), ended.unwrap())
}

#[test]
fn a_step_during_a_stay_neither_adds_nor_loses_seconds() {
    for steps in [vec![DAY], vec![-DAY], vec![DAY, -DAY], vec![-DAY, DAY + DAY], vec![]] {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        let sid = world.clients[ann].sid.clone();
        let entered = world.now.instant;
        world.run(Duration::from_secs(70));
        for by in &steps {
            step(&mut world, *by);
            world.run(Duration::from_secs(65));
        }
        assert_eq!(world.sfu.stats().participants, 1, "{steps:?}: nobody is thrown out");
        world.send(ann, lk::signal_request::Message::Leave(lk::LeaveRequest::default()));
        let lived = world.now.instant - entered;
        let counted: u32 = world.seconds(&sid).values().sum();
        // `arrive` takes a second or less before `entered` was read.
        let bound = lived.as_secs()..=lived.as_secs() + 2;
        assert!(bound.contains(&u64::from(counted)), "{steps:?}: {counted} of {lived:?}");
        let (from, to) = span(&world, &sid);
        let length = Duration::try_from(to.duration_since(from)).unwrap();
        assert!(
            length >= lived && length <= lived + Duration::from_secs(2),
            "{steps:?}: {length:?}"
        );
        assert_eq!(world.end(&sid), Some(StayEnd::Left), "{steps:?}");
        // Account time does not jump: every window lies inside the stay.
        for fact in &world.usage {
            if let UsageFact::Window(window) = fact {
                let minute = SignedDuration::from_mins(1);
                assert!(
                    window.window_start >= from - minute && window.window_start <= to,
                    "{steps:?}"
                );
                assert!(window.seconds <= 60, "{steps:?}");
            }
        }
    }
}

#[test]
fn a_step_back_ends_no_wait_late_and_a_step_ahead_none_early() {
    for by in [DAY, -DAY] {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        let sid = world.clients[ann].sid.clone();
        world.clients[ann].dead = true;
        let connection = world.clients[ann].connection;
        world.input(fermata_sfu::io::Input::SignalClosed(connection));
        world.run(Duration::from_secs(40));
        step(&mut world, by);
        world.run(Duration::from_secs(45));
        assert_eq!(world.end(&sid), None, "{by}");
        world.run(Duration::from_secs(7));
        assert_eq!(world.end(&sid), Some(StayEnd::TimedOut), "{by}");
    }
}

//! Whatever comes from outside, the shard goes on and others notice nothing.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use fermata_sfu::io::{ConnectionId, Input};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use support::{World, description, join, server};

fn call() -> (World, usize, usize, String) {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    (world, ann, bob, mic)
}

#[test]
fn garbage_datagrams_disturb_no_call() {
    let (mut world, ann, bob, mic) = call();
    let theirs = world.clients[ann].up.address;
    let strange: SocketAddr = "203.0.113.7:4000".parse().unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let bytes = proptest::collection::vec(any::<u8>(), 0..1_500);
    for n in 0..2_000 {
        let mut data = bytes.new_tree(&mut runner).unwrap().current();
        // Every class of RFC 7983: STUN, DTLS, RTP and RTCP, and what is none of them.
        if let Some(first) = data.first_mut() {
            *first = [0, 1, 22, 23, 128, 144, 200, 255][n % 8];
        }
        let source = if n % 2 == 0 { strange } else { theirs };
        world.datagrams(source, server(), &mut data, 0);
    }
    world.stream(ann, "mic", 20);
    assert_eq!(world.clients[bob].heard(&mic).len(), 20);
    let stats = world.sfu.stats();
    assert!(stats.datagrams_unknown >= 1_000, "{stats:?}");
    assert_eq!(stats.internal_errors, 0);
}

#[test]
fn nonsense_messages_are_counted_and_answered_or_dropped() {
    let (mut world, ann, bob, mic) = call();
    let long = "x".repeat(600 * 1024);
    let sids: Vec<String> = (0..5_000).map(|n| format!("TR_{n}")).collect();
    let nonsense = [
        Request::Offer(description("offer", "no sdp".to_owned())),
        Request::Offer(description("offer", long.clone())),
        Request::Offer(lk::SessionDescription::default()),
        Request::Answer(description("answer", "v=0\r\n".to_owned())),
        Request::Answer(description("answer", long)),
        Request::Trickle(lk::TrickleRequest {
            candidate_init: "{".to_owned(),
            ..Default::default()
        }),
        Request::Trickle(lk::TrickleRequest {
            candidate_init: format!("{{\"candidate\":\"{}\"}}", "x".repeat(5_000)),
            ..Default::default()
        }),
        Request::Trickle(lk::TrickleRequest {
            candidate_init: r#"{"candidate":"candidate:x"}"#.to_owned(),
            target: 77,
            ..Default::default()
        }),
        Request::AddTrack(lk::AddTrackRequest::default()),
        Request::AddTrack(lk::AddTrackRequest { cid: "c".into(), r#type: 9, ..Default::default() }),
        Request::Mute(lk::MuteTrackRequest { sid: mic.clone(), muted: true }),
        Request::Subscription(lk::UpdateSubscription {
            track_sids: sids.clone(),
            subscribe: true,
            ..Default::default()
        }),
        Request::TrackSetting(lk::UpdateTrackSettings {
            track_sids: sids,
            quality: -1,
            width: u32::MAX,
            height: u32::MAX,
            ..Default::default()
        }),
        Request::SubscriptionPermission(lk::SubscriptionPermission::default()),
        Request::SyncState(lk::SyncState::default()),
        Request::Simulate(lk::SimulateScenario::default()),
        Request::Ping(i64::MIN),
        Request::PingReq(lk::Ping { timestamp: i64::MAX, rtt: -1 }),
        Request::UpdateVideoTrack(lk::UpdateLocalVideoTrack {
            track_sid: mic.clone(),
            ..Default::default()
        }),
        Request::PublishDataTrackRequest(lk::PublishDataTrackRequest::default()),
        Request::StoreDataBlobRequest(lk::StoreDataBlobRequest::default()),
    ];
    for message in nonsense {
        world.send(bob, message);
    }
    world.input(Input::Signal(ConnectionId(999), Box::new(Request::Ping(1))));
    world.input(Input::SignalClosed(ConnectionId(999)));
    world.input(Input::RefreshToken(ConnectionId(999), "t".to_owned()));
    world.run(Duration::from_secs(1));
    world.stream(ann, "mic", 20);
    assert_eq!(world.clients[bob].heard(&mic).len(), 20);
    let stats = world.sfu.stats();
    assert!(stats.malformed_sdp >= 5, "{stats:?}");
    assert_eq!((stats.malformed_candidates, stats.candidates_unused), (2, 1));
    assert_eq!(stats.participants, 2);
    assert_eq!(world.clients[bob].leave_reason(), None);
}

#[test]
fn a_flood_of_messages_is_cut() {
    let (mut world, _, bob, _) = call();
    let before = world.sfu.stats().signals_out;
    for _ in 0..5_000 {
        world.send(bob, Request::Ping(1));
    }
    let stats = world.sfu.stats();
    assert!(stats.signals_out - before <= 2_001);
    assert!(stats.limited >= 2_999);
}

#[test]
fn many_come_and_go_and_nothing_is_left() {
    let mut world = World::new();
    let clients: Vec<usize> = (0..8)
        .map(|n| {
            let join = join(&n.to_string());
            world.arrive(if n % 2 == 0 { join } else { support::single(join) })
        })
        .collect();
    let tracks: Vec<String> =
        clients.iter().map(|&c| world.publish(c, lk::TrackType::Audio, "mic")).collect();
    world.run(Duration::from_secs(1));
    for &client in &clients {
        world.stream(client, "mic", 2);
    }
    for &client in &clients {
        for track in &tracks {
            let own = world.published(client, "mic").as_ref() == Some(track);
            assert_eq!(world.clients[client].heard(track).len(), if own { 0 } else { 2 });
        }
    }
    assert_eq!(world.sfu.stats().subscriptions, 8 * 7);
    for client in clients {
        world.send(client, Request::Leave(lk::LeaveRequest::default()));
        world.run(Duration::from_millis(100));
    }
    assert_eq!(world.sfu.entries(), 0, "{:?}", world.sfu.stats());
    assert_eq!(world.sfu.stats().subscriptions, 0);
}

#[test]
fn what_is_not_authentic_is_counted_and_stays_counted() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    world.publish(ann, lk::TrackType::Audio, "mic");
    world.stream(ann, "mic", 5);
    let before = world.sfu.stats();
    assert_eq!(before.packets_refused, 0);
    let mut forged = vec![0x80, 111, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1];
    forged.resize(80, 0x5A);
    let (source, destination) = (world.clients[ann].up.address, server());
    for _ in 0..3 {
        world.datagrams(source, destination, &mut forged.clone(), 0);
    }
    let refused = |world: &World| {
        let stats = world.sfu.stats();
        stats.packets_refused + stats.packets_unknown + stats.malformed_datagrams
    };
    assert_eq!(refused(&world), 3, "{:?}", world.sfu.stats());
    world.send(ann, Request::Leave(lk::LeaveRequest::default()));
    world.run(Duration::from_secs(1));
    assert_eq!(world.sfu.stats().transports, 0);
    assert_eq!(refused(&world), 3, "{:?}", world.sfu.stats());
}

//! A room that is served by several shards is one room in every respect.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use fermata_sfu::SfuConfig;
use fermata_types::NodeId;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use support::{Vp8Packet, World, join, server, single};

/// Four shards; whoever comes next is served by the idlest.
fn world() -> World {
    let ports = (0..4).map(|n| vec![SocketAddr::new(server().ip(), server().port() + n)]);
    let mut config = SfuConfig::new(NodeId::from_text("ND_test"), ports.collect());
    config.limits.imbalance_max = 0;
    World::with(config)
}

fn send(world: &mut World, client: usize, cid: &str, packets: &[Vp8Packet]) {
    let now = world.now.instant;
    for packet in packets {
        world.clients[client].up.send_vp8(now, cid, packet);
    }
    world.run(Duration::from_millis(5));
}

#[test]
fn packets_keyframes_and_data_cross_from_shard_to_shard() {
    let mut world = world();
    let names = ["ann", "bob", "cid", "dan", "eve"];
    let people: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(n, name)| world.arrive(if n % 2 == 0 { join(name) } else { single(join(name)) }))
        .collect();
    let ann = people[0];
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let cam = world.publish(ann, lk::TrackType::Video, "cam");
    world.run(Duration::from_secs(1));

    world.stream(ann, "mic", 20);
    let asked = world.clients[ann].up.keyframes_asked;
    send(&mut world, ann, "cam", &Vp8Packet::picture(1_000, 1, false, &[900; 3]));
    world.run(Duration::from_secs(1));
    assert!(world.clients[ann].up.keyframes_asked > asked, "asked for across shards");
    send(&mut world, ann, "cam", &Vp8Packet::picture(1_003, 2, true, &[900; 3]));
    for picture in 3..20_u16 {
        let seq = 1_000 + u64::from(picture) * 3;
        send(&mut world, ann, "cam", &Vp8Packet::picture(seq, picture, false, &[900; 3]));
    }
    for client in &people[1..] {
        assert_eq!(world.clients[*client].heard(&mic).len(), 20, "{}", names[*client]);
        assert_eq!(world.clients[*client].heard(&cam).len(), 18 * 3, "{}", names[*client]);
    }
    let stats = world.sfu.stats();
    assert_eq!(stats.hops_out, stats.hops_in, "{stats:?}");
    assert_eq!(stats.hops_dropped, 0);
    // Once for each of the other three shards, whoever is served there.
    assert!(stats.hops_in >= 3 * (20 + 18 * 3), "{stats:?}");

    let user = lk::UserPacket { payload: b"hello".to_vec(), ..Default::default() };
    let packet =
        lk::DataPacket { value: Some(lk::data_packet::Value::User(user)), ..Default::default() };
    let before = stats.data_out;
    world.send_data(people[1], "_reliable", &packet);
    assert_eq!(world.sfu.stats().data_out - before, 4);
}

#[test]
fn what_nobody_receives_elsewhere_is_not_carried_there() {
    let mut world = world();
    let (ann, bob) = (world.arrive(join("ann")), world.arrive(join("bob")));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    world.stream(ann, "mic", 5);
    let carried = world.sfu.stats().hops_out;
    assert_eq!(carried, 5);
    let wish = lk::UpdateSubscription {
        track_sids: vec![mic.clone()],
        subscribe: false,
        ..Default::default()
    };
    world.send(bob, Request::Subscription(wish));
    world.run(Duration::from_millis(200));
    world.stream(ann, "mic", 5);
    assert_eq!(world.sfu.stats().hops_out, carried);
    let wish =
        lk::UpdateSubscription { track_sids: vec![mic], subscribe: true, ..Default::default() };
    world.send(bob, Request::Subscription(wish));
    world.run(Duration::from_millis(200));
    world.stream(ann, "mic", 5);
    assert_eq!(world.sfu.stats().hops_out, carried + 5);
}

#[test]
fn nothing_is_left_anywhere_when_everybody_has_gone() {
    let mut world = world();
    let people: Vec<_> =
        ["ann", "bob", "cid", "dan", "eve", "fay"].map(|name| world.arrive(join(name))).into();
    for client in &people {
        world.publish(*client, lk::TrackType::Audio, "mic");
    }
    world.stream(people[0], "mic", 5);
    for client in &people {
        world.send(*client, Request::Leave(lk::LeaveRequest::default()));
        world.run(Duration::from_millis(50));
    }
    world.run(Duration::from_secs(1));
    assert_eq!(world.sfu.entries(), 0);
}

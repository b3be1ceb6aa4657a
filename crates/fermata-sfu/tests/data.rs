//! Data messages: order, destinations, identities.

mod support;

use std::time::Duration;

use fermata_sfu::io::RoomPermission;
use livekit_protocol as lk;
use lk::data_packet::Value;
use support::{World, join, permission, single};

fn message(n: u8, to: &[&str]) -> lk::DataPacket {
    let user = lk::UserPacket { payload: vec![n], ..Default::default() };
    lk::DataPacket {
        value: Some(Value::User(user)),
        destination_identities: to.iter().map(|&t| t.to_owned()).collect(),
        ..Default::default()
    }
}

#[expect(clippy::panic, reason = "a helper of tests")]
fn payloads(world: &World, client: usize) -> Vec<u8> {
    let data = world.clients[client].data();
    data.iter()
        .map(|packet| match &packet.value {
            Some(Value::User(user)) => user.payload[0],
            _ => panic!("a user packet"),
        })
        .collect()
}

#[test]
fn messages_reach_the_others_in_order_with_the_senders_name() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(single(join("bob")));
    let cid = world.arrive(join("cid"));
    for n in 0..20 {
        world.send_data(ann, "_reliable", &message(n, &[]));
    }
    world.send_data(ann, "_lossy", &message(20, &["cid"]));
    world.send_data(bob, "_reliable", &message(21, &["ann", "nobody"]));
    world.run(Duration::from_secs(1));
    assert_eq!(payloads(&world, bob), (0..20).collect::<Vec<_>>());
    assert_eq!(payloads(&world, cid), (0..21).collect::<Vec<_>>());
    assert_eq!(payloads(&world, ann), [21]);
    let first = &world.clients[cid].data()[0];
    assert_eq!(first.participant_identity, "ann");
    assert_eq!(first.participant_sid, world.clients[ann].sid);
}

#[test]
fn without_the_right_nothing_is_passed_on() {
    let mut world = World::new();
    let mut mute = join("ann");
    mute.permission = RoomPermission { can_publish_data: false, ..permission() };
    let ann = world.arrive(mute);
    let bob = world.arrive(join("bob"));
    world.send_data(ann, "_reliable", &message(1, &[]));
    world.send_data(bob, "_data_track", &message(1, &[]));
    world.clients[bob].up.send_data("_reliable", b"\xff\xff garbage");
    world.run(Duration::from_secs(1));
    assert!(payloads(&world, bob).is_empty());
    assert!(payloads(&world, ann).is_empty());
    let stats = world.sfu.stats();
    assert_eq!((stats.data_refused, stats.data_track_dropped, stats.malformed_data), (1, 1, 1));
}

#[test]
fn messages_wait_for_a_receiver_that_is_still_connecting() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.enter(join("bob"));
    world.clients[ann].up.send_data("_reliable", &prost::Message::encode_to_vec(&message(7, &[])));
    world.run(Duration::from_secs(1));
    assert_eq!(payloads(&world, bob), [7]);
}

//! Coming back: the same stay over a new signalling connection, and what happens if it is not there.

mod support;

use std::time::Duration;

use fermata_sfu::io::{Input, Join};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use prost::Message as _;
use support::{World, description, join, single};

fn lose_signal(world: &mut World, client: usize) {
    let connection = world.clients[client].connection;
    world.input(Input::SignalClosed(connection));
}

fn resumes(ann_joins: Join, bob_joins: Join) {
    let mut world = World::new();
    let ann = world.arrive(ann_joins);
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let bob = world.arrive(bob_joins.clone());
    let (sid, offers) = (world.clients[bob].sid.clone(), world.clients[bob].down.is_some());
    world.stream(ann, "mic", 10);
    lose_signal(&mut world, bob);
    world.stream(ann, "mic", 10);
    assert_eq!(world.clients[bob].heard(&mic).len(), 20, "media flows on");
    world.resume(bob, bob_joins, None);
    world.run(Duration::from_secs(1));
    assert!(matches!(world.clients[bob].inbox[0], Response::Reconnect(_)));
    let full = world.clients[bob].inbox.iter().find_map(|message| match message {
        Response::Update(update) => Some(update.participants.len()),
        _ => None,
    });
    assert_eq!(full, Some(2), "everybody, itself included");
    assert!(world.clients[bob].inbox.iter().any(|m| matches!(m, Response::RoomUpdate(_))));
    let offered = world.clients[bob].inbox.iter().any(|m| matches!(m, Response::Offer(_)));
    assert_eq!(offered, offers, "two connections: ICE is restarted");
    world.stream(ann, "mic", 10);
    let heard = world.clients[bob].heard(&mic);
    assert_eq!(heard.len(), 30);
    assert!(heard.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    let stats = world.sfu.stats();
    assert_eq!((stats.participants, stats.resumes, stats.joins_admitted), (2, 1, 2));
    assert_eq!(world.end(&sid), None);
}

#[test]
fn a_stay_goes_on_with_two_connections() {
    resumes(join("ann"), join("bob"));
}

#[test]
fn a_stay_goes_on_with_a_single_connection() {
    resumes(single(join("ann")), single(join("bob")));
}

#[test]
fn a_publisher_restarts_ice_and_goes_on() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let bob = world.arrive(join("bob"));
    world.stream(ann, "mic", 5);
    lose_signal(&mut world, ann);
    let published = lk::TrackPublishedResponse {
        cid: "mic".to_owned(),
        track: Some(lk::TrackInfo { sid: mic.clone(), ..Default::default() }),
    };
    world.resume(ann, join("ann"), None);
    let state = lk::SyncState { publish_tracks: vec![published], ..Default::default() };
    world.send(ann, Request::SyncState(state));
    let sdp = world.clients[ann].up.restart();
    world.send(ann, Request::Offer(description("offer", sdp)));
    world.run(Duration::from_secs(2));
    world.stream(ann, "mic", 5);
    assert_eq!(world.clients[bob].heard(&mic).len(), 10);
    assert_eq!(world.clients[ann].leave_reason(), None);
}

#[test]
fn an_unknown_stay_is_told_to_enter_anew() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    world.clients[ann].sid = "PA_other".to_owned();
    let before = world.sfu.entries();
    world.resume(ann, join("ann"), None);
    let reconnect = i32::from(lk::leave_request::Action::Reconnect);
    let told = world.clients[ann].leave_reason();
    assert_eq!(told, Some((lk::DisconnectReason::StateMismatch, reconnect)));
    assert!(world.clients[ann].closed);
    assert_eq!(world.sfu.entries(), before, "the stay that is there is left alone");
}

#[test]
fn a_track_that_is_not_here_needs_a_new_start() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let track = lk::TrackInfo { sid: "TR_lost".to_owned(), ..Default::default() };
    let published = lk::TrackPublishedResponse { cid: "mic".to_owned(), track: Some(track) };
    let state = lk::SyncState { publish_tracks: vec![published], ..Default::default() };
    world.send(ann, Request::SyncState(state));
    let reconnect = i32::from(lk::leave_request::Action::Reconnect);
    assert_eq!(world.clients[ann].leave_reason().map(|(_, action)| action), Some(reconnect));
}

#[test]
fn reliable_messages_are_sent_again_from_where_the_client_is() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    for sequence in 1..=5 {
        let user = lk::UserPacket { payload: vec![7], ..Default::default() };
        let value = Some(lk::data_packet::Value::User(user));
        let packet = lk::DataPacket { sequence, value, ..Default::default() };
        world.clients[ann].up.send_data("_reliable", &packet.encode_to_vec());
    }
    world.run(Duration::from_millis(500));
    let sequences = |world: &World| -> Vec<u32> {
        world.clients[bob].data().iter().map(|packet| packet.sequence).collect()
    };
    assert_eq!(sequences(&world), [1, 2, 3, 4, 5]);
    lose_signal(&mut world, bob);
    let has =
        lk::DataChannelReceiveState { publisher_sid: world.clients[ann].sid.clone(), last_seq: 3 };
    let sync = lk::SyncState { datachannel_receive_states: vec![has], ..Default::default() };
    world.resume(bob, join("bob"), Some(sync));
    world.run(Duration::from_millis(500));
    assert_eq!(sequences(&world), [1, 2, 3, 4, 5, 4, 5]);
    lose_signal(&mut world, ann);
    world.resume(ann, join("ann"), None);
    let Response::Reconnect(response) = &world.clients[ann].inbox[0] else { panic!() };
    assert_eq!(response.last_message_seq, 5);
}

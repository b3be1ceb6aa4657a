//! Joining, publishing, receiving and leaving, with real connections on both ends and a clock that is told.

mod support;

use std::time::Duration;

use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use support::{World, join, single};

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn two_talk(ann: fermata_sfu::io::Join, bob: fermata_sfu::io::Join) {
    let mut world = World::new();
    let ann = world.arrive(ann);
    let audio = world.publish(ann, lk::TrackType::Audio, "mic");
    let bob = world.arrive(bob);
    let video = world.publish(ann, lk::TrackType::Video, "cam");
    let back = world.publish(bob, lk::TrackType::Audio, "bobs");
    world.stream(ann, "mic", 20);
    world.stream(ann, "cam", 20);
    world.stream(bob, "bobs", 20);
    assert_eq!(world.clients[bob].heard(&audio).len(), 20, "audio");
    let pictures = world.clients[bob].heard(&video);
    assert!(pictures.len() >= 19, "video {}", pictures.len());
    assert!(pictures.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    assert_eq!(world.clients[ann].heard(&back).len(), 20, "back");
    let seen = world.clients[bob].sees("ann").unwrap();
    assert_eq!(seen.tracks.len(), 2);
    assert_eq!(seen.state(), lk::participant_info::State::Active);
    assert!(world.clients[ann].inbox.iter().any(|m| matches!(m, Response::TrackSubscribed(_))));

    world.send(ann, Request::Leave(lk::LeaveRequest::default()));
    world.run(Duration::from_millis(200));
    let gone = world.clients[bob].sees("ann").unwrap();
    assert_eq!(gone.state(), lk::participant_info::State::Disconnected);
    assert!(gone.tracks.is_empty());
    assert_eq!(world.sfu.stats().tracks, 1);
    world.send(bob, Request::Leave(lk::LeaveRequest::default()));
    world.run(Duration::from_millis(200));
    assert_eq!(world.sfu.entries(), 0, "{:?}", world.sfu.stats());
}

#[test]
fn two_connections_each() {
    two_talk(join("ann"), join("bob"));
}

#[test]
fn a_single_connection_each() {
    two_talk(single(join("ann")), single(join("bob")));
}

#[test]
fn both_dialects_in_one_room() {
    two_talk(single(join("ann")), join("bob"));
    two_talk(join("ann"), single(join("bob")));
}

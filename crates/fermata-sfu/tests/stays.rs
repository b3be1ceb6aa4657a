//! How stays and rooms begin and end, and what is written down about them, to the second.

mod support;

use std::time::Duration;

use fermata_sfu::io::{Command, Input, Join, Reply, RoomOptions, RoomPermission, UsageFact};
use fermata_types::{Role, Scene, StayEnd};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use support::{APP, World, join, permission, room};

fn audience(identity: &str) -> Join {
    let permission = RoomPermission { can_publish: false, ..permission() };
    Join { role: Role::Audience, permission, ..join(identity) }
}

fn leave() -> Request {
    Request::Leave(lk::LeaveRequest::default())
}

#[test]
fn the_wait_for_a_vanished_user_is_counted() {
    let mut world = World::new();
    let start = world.now.instant;
    let ann = world.arrive(join("ann"));
    let sid = world.clients[ann].sid.clone();
    world.run(Duration::from_secs(9));
    assert_eq!(world.now.instant - start, Duration::from_secs(10));
    world.clients[ann].dead = true;
    let connection = world.clients[ann].connection;
    world.input(Input::SignalClosed(connection));
    world.run(Duration::from_secs(89));
    assert_eq!(world.end(&sid), None);
    world.run(Duration::from_secs(2));
    assert_eq!(world.end(&sid), Some(StayEnd::TimedOut));
    // 10 s there, 90 s missed.
    assert_eq!(world.seconds(&sid).into_iter().collect::<Vec<_>>(), [("audio", 100)]);
    assert_eq!(world.sfu.stats().participants, 0);
}

#[test]
fn a_stepping_wall_clock_adds_and_loses_nothing() {
    for hours in [24, -24] {
        let mut world = World::new();
        let start = world.now;
        let ann = world.arrive(join("ann"));
        let sid = world.clients[ann].sid.clone();
        world.run(Duration::from_secs(30));
        world.now.wall += jiff::SignedDuration::from_hours(hours);
        world.run(Duration::from_secs(59));
        assert_eq!(world.now.instant - start.instant, Duration::from_secs(90));
        world.send(ann, leave());
        assert_eq!(world.end(&sid), Some(StayEnd::Left));
        assert_eq!(world.seconds(&sid).into_iter().collect::<Vec<_>>(), [("audio", 90)]);
        for fact in &world.usage {
            let at = match fact {
                UsageFact::Opened(opened) => opened.entered_at,
                UsageFact::Window(window) => window.window_start,
                UsageFact::Closed(closed) => closed.ended_at,
            };
            let away = at.duration_since(start.wall).abs();
            assert!(away < jiff::SignedDuration::from_mins(3), "{hours} h: {fact:?}");
        }
    }
}

#[test]
fn a_lost_signalling_connection_alone_ends_nothing() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let connection = world.clients[ann].connection;
    world.input(Input::SignalClosed(connection));
    world.run(Duration::from_secs(200));
    assert_eq!(world.sfu.stats().participants, 1, "media is alive");
}

#[test]
fn who_never_connects_is_closed() {
    let mut world = World::new();
    let ann = world.enter(join("ann"));
    let sid = world.clients[ann].sid.clone();
    world.clients[ann].dead = true;
    world.run(Duration::from_secs(59));
    assert_eq!(world.end(&sid), None);
    world.run(Duration::from_secs(2));
    assert_eq!(world.end(&sid), Some(StayEnd::NeverConnected));
    assert_eq!(world.sfu.entries(), 0);
}

#[test]
fn rooms_close_by_scene_last_leaver_and_own_timeouts() {
    let call = RoomOptions { scene: Some(Scene::Call), ..RoomOptions::default() };
    let own = RoomOptions { departure_timeout_s: Some(20), ..RoomOptions::default() };
    let rows = [
        ("call", call, join("ann"), 0),
        ("live, anchor last", RoomOptions::default(), join("ann"), 0),
        ("live, audience last", RoomOptions::default(), audience("ann"), 600),
        ("own timeout", own, join("ann"), 20),
    ];
    for (what, options, join, linger) in rows {
        let mut world = World::new();
        let client = world.enter(Join { room_options: options, ..join });
        world.send(client, leave());
        assert_eq!(world.sfu.stats().rooms, u64::from(linger > 0), "{what}");
        if linger > 0 {
            world.run(Duration::from_secs(linger - 1));
            assert_eq!(world.sfu.stats().rooms, 1, "{what}");
            world.run(Duration::from_secs(2));
        }
        assert_eq!(world.sfu.stats().rooms, 0, "{what}");
        assert_eq!(world.sfu.entries(), 0, "{what}");
    }
}

#[test]
fn a_waiting_room_is_entered_again() {
    let mut world = World::new();
    let first = world.enter(audience("ann"));
    world.send(first, leave());
    world.run(Duration::from_secs(500));
    let second = world.enter(audience("ann"));
    world.run(Duration::from_secs(30));
    let room_of = |client: usize| {
        let joined = &world.joined[&world.clients[client].connection];
        joined.as_ref().unwrap().room.clone()
    };
    assert_eq!(room_of(first), room_of(second));
    world.run(Duration::from_secs(200));
    assert_eq!(world.sfu.stats().rooms, 1, "the wait was over when somebody came");
    world.send(second, leave());
    world.run(Duration::from_secs(601));
    assert_eq!(world.sfu.entries(), 0);
}

#[test]
fn the_same_identity_replaces_its_earlier_stay() {
    let mut world = World::new();
    let bob = world.arrive(join("bob"));
    let old = world.arrive(join("ann"));
    let old_sid = world.clients[old].sid.clone();
    world.clients[bob].inbox.clear();
    let new = world.arrive(join("ann"));
    assert_eq!(
        world.clients[old].leave_reason(),
        Some((lk::DisconnectReason::DuplicateIdentity, 0))
    );
    assert_eq!(world.end(&old_sid), Some(StayEnd::Replaced));
    assert_eq!(world.sfu.stats().participants, 2);
    let seen = world.clients[bob].sees("ann").unwrap();
    assert_eq!(seen.sid, world.clients[new].sid);
    let gone = lk::participant_info::State::Disconnected;
    let told = world.clients[bob].inbox.iter().any(|message| match message {
        lk::signal_response::Message::Update(update) => {
            update.participants.iter().any(|info| info.state() == gone)
        }
        _ => false,
    });
    assert!(!told, "no word of the earlier stay");
}

#[test]
fn dismissal_and_shutdown_tell_everybody_and_close_every_stay() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(Join { room: room("other"), ..join("bob") });
    let dismissed = world.command(Command::DismissRoom { app: APP, room: room("r") });
    assert!(matches!(dismissed, Reply::Done));
    assert_eq!(world.clients[ann].leave_reason(), Some((lk::DisconnectReason::RoomDeleted, 0)));
    assert_eq!(world.clients[bob].leave_reason(), None);
    let Reply::Rooms(rooms) = world.command(Command::ListRooms { app: APP }) else { panic!() };
    assert_eq!(rooms.len(), 1);
    assert_eq!(rooms[0].info.num_participants, 1);
    world.input(Input::Shutdown);
    assert_eq!(world.clients[bob].leave_reason(), Some((lk::DisconnectReason::ServerShutdown, 0)));
    assert_eq!(world.sfu.entries(), 0);
    let late = world.enter(join("cid"));
    assert_eq!(world.refusal(late), Some(fermata_types::Reason::Unavailable));
    let opened = world.usage.iter().filter(|fact| matches!(fact, UsageFact::Opened(_))).count();
    let closed = world.usage.iter().filter(|fact| matches!(fact, UsageFact::Closed(_))).count();
    assert_eq!((opened, closed), (2, 2));
}

#[test]
fn rooms_of_two_applications_are_two_rooms() {
    let mut world = World::new();
    let other = fermata_types::SdkAppId(2);
    world.input(Input::Verdict(other, support::verdict(1)));
    let ann = world.arrive(join("ann"));
    world.arrive(Join { app: other, ..join("bob") });
    world.arrive(Join { room: room("int/5"), ..join("cid") });
    world.arrive(Join { room: room("5"), ..join("cid") });
    assert_eq!(world.sfu.stats().rooms, 4);
    assert!(world.clients[ann].sees("bob").is_none());
    let list = world.command(Command::ListParticipants { app: other, room: room("r") });
    let Reply::Participants(list) = list else { panic!() };
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].info.identity, "bob");
}

#[test]
fn received_video_is_counted_by_its_size_and_only_while_it_comes() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    let (ann_sid, bob_sid) = (world.clients[ann].sid.clone(), world.clients[bob].sid.clone());
    world.publish(ann, lk::TrackType::Video, "cam");
    world.stream(ann, "cam", 250);
    world.run(Duration::from_secs(10));
    world.send(bob, leave());
    world.send(ann, leave());
    let (ann_used, bob_used) = (world.seconds(&ann_sid), world.seconds(&bob_sid));
    assert_eq!(ann_used.keys().copied().collect::<Vec<_>>(), ["audio"]);
    // 5 s of packets, and the second or so that a picture is held to be there.
    let video = bob_used["live_video_hd".trim_start_matches("live_")];
    assert!((5..=8).contains(&video), "{bob_used:?}");
    let total: u32 = bob_used.values().sum();
    assert_eq!(
        total, 17,
        "1 s to connect, 0.2 s to publish, 5 s of video, 10 s after it: {bob_used:?}"
    );
}

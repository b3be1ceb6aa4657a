//! Requests of APIs about tracks: muted, blocked, subscribed for somebody.

mod support;

use std::time::Duration;

use fermata_sfu::io::{Command, Input, Reply, RoomEventKind};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use support::{APP, World, join, room, single};

fn mute(world: &mut World, identity: &str, track: &str, muted: bool) -> Reply {
    world.command(Command::MuteTrack {
        app: APP,
        room: room("r"),
        identity: identity.to_owned(),
        track: track.to_owned(),
        muted,
    })
}

fn block(world: &mut World, identity: &str, audio: bool, video: bool) -> Reply {
    let (room, identity) = (room("r"), identity.to_owned());
    world.command(Command::BlockUser { app: APP, room, identity, audio, video })
}

fn leave() -> Request {
    Request::Leave(lk::LeaveRequest::default())
}

/// How often the client was asked to mute a track.
fn asked(world: &World, client: usize, track: &str) -> usize {
    let inbox = world.clients[client].inbox.iter();
    inbox
        .filter(
            |message| matches!(message, Response::Mute(mute) if mute.sid == track && mute.muted),
        )
        .count()
}

/// What `client` was last told about a track of `identity`.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn muted(world: &World, client: usize, identity: &str, track: &str) -> bool {
    let seen = world.clients[client].sees(identity).unwrap();
    seen.tracks.iter().find(|info| info.sid == track).unwrap().muted
}

#[test]
fn the_server_mutes_and_only_the_user_unmutes() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let Reply::Track(track) = mute(&mut world, "ann", &mic, false) else { panic!() };
    assert!(!track.muted, "what is not muted stays so");
    assert_eq!(asked(&world, ann, &mic), 0);
    let Reply::Track(track) = mute(&mut world, "ann", &mic, true) else { panic!() };
    assert!(track.muted);
    assert_eq!(asked(&world, ann, &mic), 1);
    assert!(muted(&world, bob, "ann", &mic));
    let Reply::Invalid(words) = mute(&mut world, "ann", &mic, false) else { panic!() };
    assert!(words.contains("only its user"), "{words}");
    assert!(muted(&world, bob, "ann", &mic));
    world.send(ann, Request::Mute(lk::MuteTrackRequest { sid: mic.clone(), muted: false }));
    assert!(!muted(&world, bob, "ann", &mic));
    assert!(matches!(mute(&mut world, "ann", "TR_none", true), Reply::NoSuchTrack));
    assert!(matches!(mute(&mut world, "bob", &mic, true), Reply::NoSuchTrack));
    assert!(matches!(mute(&mut world, "zoe", &mic, true), Reply::NoSuchParticipant));
}

#[test]
fn a_track_that_is_only_announced_is_muted_from_its_beginning() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    world.add_track(ann, lk::TrackType::Audio, "mic");
    let mic = world.published(ann, "mic").unwrap();
    let Reply::Track(track) = mute(&mut world, "ann", &mic, true) else { panic!() };
    assert!(track.muted && track.sid == mic);
    world.clients[ann].up.add_track(lk::TrackType::Audio, "mic");
    world.offer(ann);
    world.run(Duration::from_millis(200));
    assert!(muted(&world, bob, "ann", &mic));
}

fn blocks(ann: fermata_sfu::io::Join, bob: fermata_sfu::io::Join) {
    let mut world = World::new();
    let ann = world.arrive(ann);
    let bob = world.arrive(bob);
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let cam = world.publish(ann, lk::TrackType::Video, "cam");
    world.stream(ann, "cam", 50);
    let before = world.clients[bob].heard(&cam).len();
    assert!(before >= 48, "{before}");
    assert!(matches!(block(&mut world, "ann", false, true), Reply::Done));
    assert!(muted(&world, bob, "ann", &cam) && !muted(&world, bob, "ann", &mic));
    // The client does as it likes.
    world.send(ann, Request::Mute(lk::MuteTrackRequest { sid: cam.clone(), muted: false }));
    assert!(muted(&world, bob, "ann", &cam));
    world.stream(ann, "cam", 250);
    world.stream(ann, "mic", 10);
    assert_eq!(world.clients[bob].heard(&cam).len(), before, "nothing of it arrives");
    assert_eq!(world.clients[bob].heard(&mic).len(), 10, "what is not blocked does");
    // The same again changes nothing.
    assert!(matches!(block(&mut world, "ann", false, true), Reply::Done));
    assert_eq!(asked(&world, ann, &cam), 0, "it would stay muted after the block");
    let keyframes = world.clients[ann].up.keyframes_asked;
    assert!(matches!(block(&mut world, "ann", false, false), Reply::Done));
    assert!(!muted(&world, bob, "ann", &cam), "as the client says");
    world.run(Duration::from_millis(100));
    assert!(world.clients[ann].up.keyframes_asked > keyframes, "a keyframe is asked for");
    world.stream(ann, "cam", 50);
    let seen = world.clients[bob].heard(&cam);
    assert!(seen.len() >= before + 49, "{} after {before}", seen.len());
    assert!(seen.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq), "no gap was seen");
    let sid = world.clients[bob].sid.clone();
    world.send(bob, leave());
    let used = world.seconds(&sid);
    // 1 s before the block, 1 s after it, seconds that were touched counted whole; not the 5 s between.
    let muted = world.events.iter().filter_map(|event| match &event.kind {
        RoomEventKind::TrackMuted { track, .. } if track.sid == cam => Some(track.muted),
        _ => None,
    });
    assert_eq!(muted.collect::<Vec<_>>(), [true, false], "listeners hear of it");
    let video = used["video_hd"];
    assert!((2..=4).contains(&video), "{used:?}");
}

#[test]
fn the_blocked_are_not_forwarded_and_not_counted() {
    blocks(join("ann"), join("bob"));
    blocks(single(join("ann")), single(join("bob")));
}

#[test]
fn a_block_lasts_as_long_as_the_room() {
    let mut world = World::new();
    let bob = world.arrive(join("bob"));
    let ann = world.arrive(join("ann"));
    assert!(matches!(block(&mut world, "ann", true, false), Reply::Done));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    assert!(muted(&world, bob, "ann", &mic), "also what is published later");
    world.stream(ann, "mic", 5);
    world.send(ann, leave());
    let ann = world.arrive(join("ann"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let cam = world.publish(ann, lk::TrackType::Video, "cam");
    assert!(muted(&world, bob, "ann", &mic) && !muted(&world, bob, "ann", &cam));
    world.stream(ann, "mic", 5);
    assert!(world.clients[bob].receiver().received.is_empty(), "also after coming back");
    let late = world.arrive(single(join("late")));
    world.stream(ann, "mic", 5);
    assert!(world.clients[late].heard(&mic).is_empty(), "also to who comes later");
    let speaks = |message: &Response| matches!(message, Response::SpeakersChanged(_));
    assert!(!world.clients[bob].inbox.iter().any(speaks));
    assert!(matches!(block(&mut world, "ann", false, false), Reply::Done));
    world.stream(ann, "mic", 5);
    for client in [bob, late] {
        assert_eq!(world.clients[client].heard(&mic).len(), 5);
    }
    // Another life of the room knows nothing of it.
    assert!(matches!(block(&mut world, "ann", true, true), Reply::Done));
    for client in [ann, bob, late] {
        world.send(client, leave());
    }
    assert_eq!(world.sfu.entries(), 0);
    let bob = world.arrive(join("bob"));
    let ann = world.arrive(join("ann"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    assert!(!muted(&world, bob, "ann", &mic));
}

#[test]
fn only_who_was_there_is_blocked_or_unblocked() {
    let mut world = World::new();
    assert!(matches!(block(&mut world, "ann", true, true), Reply::NoSuchRoom));
    world.arrive(join("bob"));
    assert!(matches!(block(&mut world, "ann", true, true), Reply::NoSuchParticipant));
    let ann = world.enter(join("ann"));
    assert!(matches!(block(&mut world, "ann", true, true), Reply::Done));
    world.send(ann, leave());
    assert!(matches!(block(&mut world, "ann", false, true), Reply::Done));
    assert!(matches!(block(&mut world, "ann", false, false), Reply::Done));
    assert!(matches!(block(&mut world, "ann", true, true), Reply::NoSuchParticipant), "forgotten");
}

#[test]
fn a_room_remembers_so_many_blocks() {
    let mut world = World::new();
    world.arrive(join("bob"));
    for n in 0..2_001 {
        let mut guest = single(join(&format!("guest{n}")));
        guest.connection = world.connection();
        let connection = guest.connection;
        world.sfu.handle_input(world.now, Input::Join(Box::new(guest)));
        let reply = block(&mut world, &format!("guest{n}"), true, true);
        assert_eq!(matches!(reply, Reply::Done), n < 2_000, "{n}: {reply:?}");
        assert!(matches!(reply, Reply::Done) || format!("{reply:?}").contains("2000 users"));
        world.input(Input::Signal(connection, Box::new(leave())));
    }
    assert!(matches!(block(&mut world, "guest5", false, false), Reply::Done));
    assert!(matches!(block(&mut world, "bob", true, true), Reply::Done));
}

fn choose(world: &mut World, tracks: &[&str], nested: &[(&str, &str)], subscribe: bool) -> Reply {
    let nested = nested.iter().map(|(publisher, track)| lk::ParticipantTracks {
        participant_sid: (*publisher).to_owned(),
        track_sids: vec![(*track).to_owned()],
    });
    world.command(Command::UpdateSubscriptions {
        app: APP,
        room: room("r"),
        identity: "bob".to_owned(),
        tracks: tracks.iter().map(|&track| track.to_owned()).collect(),
        participant_tracks: nested.collect(),
        subscribe,
    })
}

#[test]
fn subscriptions_are_changed_as_if_the_client_had_asked() {
    for mut bob in [join("bob"), single(join("bob"))] {
        bob.client.auto_subscribe = false;
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        let mic = world.publish(ann, lk::TrackType::Audio, "mic");
        let cam = world.publish(ann, lk::TrackType::Video, "cam");
        let bob = world.arrive(bob);
        let (ann_sid, bob_sid) = (world.clients[ann].sid.clone(), world.clients[bob].sid.clone());
        assert!(matches!(choose(&mut world, &[&mic, "TR_none"], &[], true), Reply::NoSuchTrack));
        let foreign = [(bob_sid.as_str(), cam.as_str())];
        assert!(matches!(choose(&mut world, &[&mic], &foreign, true), Reply::NoSuchTrack));
        assert_eq!(world.sfu.stats().subscriptions, 0, "all or nothing");
        let own = [(ann_sid.as_str(), cam.as_str())];
        assert!(matches!(choose(&mut world, &[&mic], &own, true), Reply::Done));
        world.run(Duration::from_millis(300));
        world.stream(ann, "mic", 5);
        world.stream(ann, "cam", 5);
        assert_eq!(world.clients[bob].heard(&mic).len(), 5);
        assert!(world.clients[bob].heard(&cam).len() >= 4);
        assert!(matches!(choose(&mut world, &[&mic, &cam], &[], false), Reply::Done));
        assert_eq!(world.sfu.stats().subscriptions, 0);
        let many = vec!["TR_none"; 1_001];
        let Reply::Invalid(words) = choose(&mut world, &many, &[], true) else { panic!() };
        assert!(words.contains("at most 1000"), "{words}");
    }
}

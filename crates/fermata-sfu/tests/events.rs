//! What listeners are told about rooms: which events, in which order, with what in them.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fermata_sfu::io::{
    Command, Input, Join, Output, ParticipantChange, RoomEvent, RoomEventKind, RoomOptions,
    RoomPermission,
};
use fermata_types::StayEnd;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use proptest::prelude::*;
use support::{APP, World, join, permission, room, single};

fn leave() -> Request {
    Request::Leave(lk::LeaveRequest::default())
}

/// One word an event.
fn word(event: &RoomEvent) -> String {
    use RoomEventKind as K;
    match &event.kind {
        K::RoomStarted { creator, .. } => {
            format!("started by {}", creator.as_deref().unwrap_or("-"))
        }
        K::RoomFinished { dismissed } => {
            if *dismissed { "dismissed" } else { "finished" }.to_owned()
        }
        K::Entered(who) => format!("{} entered", who.info.identity),
        K::Active(who) => format!("{} active", who.info.identity),
        K::Resumed(who) => format!("{} resumed", who.info.identity),
        K::RoleChanged(who) => format!("{} is {:?}", who.info.identity, who.role),
        K::Left { occupant, end, was_active } => {
            format!("{} left {end:?} {was_active}", occupant.info.identity)
        }
        K::TrackPublished { occupant, track } => {
            format!("{} published {:?}", occupant.info.identity, track.source())
        }
        K::TrackUnpublished { occupant, track } => {
            format!("{} unpublished {:?}", occupant.info.identity, track.source())
        }
        K::TrackMuted { occupant, track } => {
            format!("{} muted {}", occupant.info.identity, track.muted)
        }
    }
}

fn words(world: &World) -> Vec<String> {
    world.events.iter().map(word).collect()
}

/// What holds of every room's events.
fn check(events: &[RoomEvent]) {
    let mut rooms: BTreeMap<&str, Vec<&RoomEvent>> = BTreeMap::new();
    for event in events {
        rooms.entry(event.room_sid.as_str()).or_default().push(event);
    }
    for events in rooms.values() {
        let mut inside = BTreeSet::new();
        let mut tracks = BTreeSet::new();
        for (n, event) in events.iter().enumerate() {
            use RoomEventKind as K;
            assert_eq!(event.seq, n as u64 + 1);
            assert_eq!(event.info.sid, event.room_sid.as_str());
            assert_eq!(n == 0, matches!(event.kind, K::RoomStarted { .. }));
            let last = n + 1 == events.len();
            assert!(last || !matches!(event.kind, K::RoomFinished { .. }), "{}", word(event));
            match &event.kind {
                K::Entered(who) => assert!(inside.insert(who.stay.to_string())),
                K::Active(who) | K::Resumed(who) | K::RoleChanged(who) => {
                    assert!(inside.contains(who.stay.as_str()));
                }
                K::Left { occupant, .. } => assert!(inside.remove(occupant.stay.as_str())),
                K::TrackPublished { occupant, track } => {
                    assert!(inside.contains(occupant.stay.as_str()));
                    assert!(tracks.insert(track.sid.clone()));
                }
                K::TrackUnpublished { track, .. } => assert!(tracks.remove(&track.sid)),
                K::TrackMuted { track, .. } => assert!(tracks.contains(&track.sid)),
                K::RoomFinished { .. } => assert!(inside.is_empty()),
                K::RoomStarted { .. } => {}
            }
        }
    }
}

#[expect(clippy::panic, reason = "a helper of tests")]
fn meeting(ann_joins: Join, bob_joins: Join) {
    let mut world = World::new();
    let ann = world.arrive(ann_joins);
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let bob = world.arrive(bob_joins.clone());
    let connection = world.clients[bob].connection;
    world.input(Input::SignalClosed(connection));
    world.resume(bob, bob_joins, None);
    for muted in [true, true, false] {
        world.send(ann, Request::Mute(lk::MuteTrackRequest { sid: mic.clone(), muted }));
    }
    world.publish(ann, lk::TrackType::Video, "cam");
    world.clients[ann].up.stop_track("cam");
    world.offer(ann);
    world.run(Duration::from_millis(200));
    world.send(ann, leave());
    world.send(bob, leave());
    let expected = [
        "started by ann",
        "ann entered",
        "ann active",
        "ann published Microphone",
        "bob entered",
        "bob active",
        "bob resumed",
        "ann muted true",
        "ann muted false",
        "ann published Camera",
        "ann unpublished Camera",
        "ann left Left true",
        "bob left Left true",
        "finished",
    ];
    assert_eq!(words(&world), expected);
    check(&world.events);
    let numbers: Vec<_> = world.events.iter().map(|event| event.info.num_participants).collect();
    assert_eq!(numbers, [0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 0, 0]);
    let RoomEventKind::Left { occupant, .. } = &world.events[11].kind else { panic!() };
    assert_eq!(occupant.info.tracks.len(), 1, "as it was");
    assert_eq!(occupant.info.disconnect_reason(), lk::DisconnectReason::ClientInitiated);
    assert_eq!(occupant.address, "10.0.0.9");
}

#[test]
fn a_meeting_with_two_connections_each() {
    meeting(join("ann"), join("bob"));
}

#[test]
fn a_meeting_with_a_single_connection_each() {
    meeting(single(join("ann")), single(join("bob")));
}

#[test]
fn a_track_is_told_once_media_of_its_publisher_is_connected() {
    let mut world = World::new();
    let ann = world.enter(join("ann"));
    world.add_track(ann, lk::TrackType::Audio, "mic");
    world.clients[ann].up.add_track(lk::TrackType::Audio, "mic");
    world.offer(ann);
    assert_eq!(words(&world), ["started by ann", "ann entered"]);
    world.run(Duration::from_secs(1));
    let told = words(&world).split_off(2);
    assert_eq!(told, ["ann active", "ann published Microphone"]);
}

#[test]
fn replaced_vanished_never_connected_removed_and_dismissed() {
    let mut world = World::new();
    world.arrive(join("ann"));
    let ann = world.arrive(join("ann"));
    let bob = world.enter(join("bob"));
    world.clients[bob].dead = true;
    world.run(Duration::from_secs(61));
    world.arrive(join("cid"));
    let remove = Command::RemoveParticipant { app: APP, room: room("r"), identity: "cid".into() };
    world.command(remove);
    world.clients[ann].dead = true;
    let connection = world.clients[ann].connection;
    world.input(Input::SignalClosed(connection));
    world.arrive(join("dan"));
    world.run(Duration::from_secs(92));
    world.command(Command::DismissRoom { app: APP, room: room("r") });
    let expected = [
        "started by ann",
        "ann entered",
        "ann active",
        "ann left Replaced true",
        "ann entered",
        "ann active",
        "bob entered",
        "bob left NeverConnected false",
        "cid entered",
        "cid active",
        "cid left Removed true",
        "dan entered",
        "dan active",
        "ann left TimedOut true",
        "dan left Dismissed true",
        "dismissed",
    ];
    assert_eq!(words(&world), expected);
    check(&world.events);
}

#[test]
fn a_shutdown_ends_everything_and_a_new_life_counts_anew() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    world.send(ann, leave());
    world.arrive(join("ann"));
    world.arrive(Join { room: room("other"), ..join("bob") });
    let own = RoomOptions { departure_timeout_s: Some(60), ..RoomOptions::default() };
    let cid = world.enter(Join { room: room("waits"), room_options: own, ..join("cid") });
    world.send(cid, leave());
    world.events.clear();
    world.input(Input::Shutdown);
    let expected =
        ["ann left Shutdown true", "finished", "bob left Shutdown true", "finished", "finished"];
    assert_eq!(words(&world), expected);
}

#[test]
fn the_hidden_are_told_as_hidden() {
    let mut world = World::new();
    let permission = RoomPermission { hidden: true, ..permission() };
    world.arrive(Join { permission, ..join("ghost") });
    assert_eq!(words(&world), ["started by ghost", "ghost entered", "ghost active"]);
    let RoomEventKind::Active(who) = &world.events[2].kind else { panic!() };
    assert!(who.info.permission.as_ref().is_some_and(|permission| permission.hidden));
    assert_eq!(world.events[2].info.num_participants, 0);
}

#[test]
fn nothing_is_told_where_nobody_listens() {
    let mut config = support::config();
    config.events = false;
    let mut world = World::with(config);
    let ann = world.arrive(join("ann"));
    world.publish(ann, lk::TrackType::Audio, "mic");
    world.run(Duration::from_secs(12));
    world.send(ann, leave());
    assert!(world.events.is_empty() && world.samples.is_empty());
    assert_eq!(world.sfu.entries(), 0);
    assert!(matches!(world.sfu.poll_output(), Output::Timeout(_)));
}

#[derive(Debug, Clone)]
enum Step {
    Enter { who: u8, room: u8, hidden: bool },
    Leave(u8),
    Lose(u8),
    Publish(u8),
    Mute(u8, bool),
    Dismiss(u8),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, 0..2_u8, any::<bool>())
            .prop_map(|(who, room, hidden)| Step::Enter { who, room, hidden }),
        2 => any::<u8>().prop_map(Step::Leave),
        1 => any::<u8>().prop_map(Step::Lose),
        2 => any::<u8>().prop_map(Step::Publish),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(n, muted)| Step::Mute(n, muted)),
        1 => (0..2_u8).prop_map(Step::Dismiss),
        2 => (1..60_000_u16).prop_map(Step::Wait),
    ]
}

fn play(steps: Vec<Step>) -> World {
    let mut world = World::new();
    let pick = |world: &World, n: u8| {
        let there = world.clients.len();
        (there > 0).then(|| usize::from(n) % there)
    };
    for step in steps {
        match step {
            Step::Enter { who, room: n, hidden } => {
                let permission = RoomPermission { hidden, ..permission() };
                let name = room(&format!("r{n}"));
                world.enter(Join { room: name, permission, ..join(&format!("u{who}")) });
            }
            Step::Leave(n) => {
                if let Some(client) = pick(&world, n) {
                    world.send(client, leave());
                }
            }
            Step::Lose(n) => {
                if let Some(client) = pick(&world, n) {
                    world.clients[client].dead = true;
                    let connection = world.clients[client].connection;
                    world.input(Input::SignalClosed(connection));
                }
            }
            Step::Publish(n) => {
                if let Some(client) = pick(&world, n)
                    && !world.clients[client].up.has_pending()
                    && world.published(client, "mic").is_none()
                {
                    world.add_track(client, lk::TrackType::Audio, "mic");
                    world.clients[client].up.add_track(lk::TrackType::Audio, "mic");
                    world.offer(client);
                }
            }
            Step::Mute(n, muted) => {
                if let Some(client) = pick(&world, n)
                    && let Some(sid) = world.published(client, "mic")
                {
                    world.send(client, Request::Mute(lk::MuteTrackRequest { sid, muted }));
                }
            }
            Step::Dismiss(n) => {
                let name = room(&format!("r{n}"));
                world.command(Command::DismissRoom { app: APP, room: name });
            }
            Step::Wait(ms) => world.run(Duration::from_millis(ms.into())),
        }
        // Clients that were sent away do not go on with a handshake that nobody answers.
        for client in world.clients.iter_mut().filter(|client| client.closed) {
            client.dead = true;
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn whatever_happens_events_of_a_room_are_in_order(
        steps in proptest::collection::vec(step(), 1..25)
    ) {
        let mut world = play(steps);
        check(&world.events);
        world.input(Input::Shutdown);
        check(&world.events);
        let count = |wanted: fn(&RoomEventKind) -> bool| {
            world.events.iter().filter(|event| wanted(&event.kind)).count()
        };
        let started = count(|kind| matches!(kind, RoomEventKind::RoomStarted { .. }));
        let finished = count(|kind| matches!(kind, RoomEventKind::RoomFinished { .. }));
        prop_assert_eq!(started, finished);
        let entered = count(|kind| matches!(kind, RoomEventKind::Entered(_)));
        let left = count(|kind| matches!(kind, RoomEventKind::Left { .. }));
        prop_assert_eq!(entered, left);
        let absurd = count(|kind| {
            matches!(
                kind,
                RoomEventKind::Left { end: StayEnd::NeverConnected, was_active: true, .. }
            )
        });
        prop_assert_eq!(absurd, 0);
    }
}

#[test]
fn a_room_made_by_an_api_has_no_creator_and_its_agents() {
    let mut world = World::new();
    let agent = lk::RoomAgentDispatch { agent_name: "helper".to_owned(), ..Default::default() };
    let options =
        RoomOptions { agents: vec![agent], empty_timeout_s: Some(30), ..RoomOptions::default() };
    world.command(Command::CreateRoom { app: APP, room: room("r"), options });
    let ann = world.arrive(join("ann"));
    let RoomEventKind::RoomStarted { creator, agents } = &world.events[0].kind else { panic!() };
    assert_eq!((creator, agents[0].agent_name.as_str()), (&None, "helper"));
    world.send(ann, leave());
    world.run(Duration::from_secs(40));
    let expected = ["started by -", "ann entered", "ann active", "ann left Left true", "finished"];
    assert_eq!(words(&world), expected);
    check(&world.events);
}

#[test]
fn what_an_api_changes_is_told_like_what_a_client_does() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    world.events.clear();
    let (app, name, identity) = (APP, room("r"), "ann".to_owned());
    let block = |audio| Command::BlockUser {
        app,
        room: name.clone(),
        identity: identity.clone(),
        audio,
        video: false,
    };
    let rights = |can_publish| {
        let permission = Some(RoomPermission { can_publish, ..permission() });
        let change = ParticipantChange { permission, ..ParticipantChange::default() };
        Command::UpdateParticipant {
            app,
            room: name.clone(),
            identity: identity.clone(),
            change: Box::new(change),
        }
    };
    let mute = Command::MuteTrack {
        app,
        room: name.clone(),
        identity: identity.clone(),
        track: mic,
        muted: true,
    };
    for command in [block(true), block(true), block(false), mute, rights(false), rights(true)] {
        world.command(command);
    }
    let expected = [
        "ann muted true",
        "ann muted false",
        "ann muted true",
        "ann is Audience",
        "ann unpublished Microphone",
        "ann is Anchor",
    ];
    assert_eq!(words(&world), expected);
}

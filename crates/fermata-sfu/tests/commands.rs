//! Requests of APIs about rooms and participants, against real clients, hostile arguments included.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use fermata_sfu::io::{
    Command, Input, Join, ParticipantChange, ParticipantSnapshot, Reply, RoomEventKind,
    RoomOptions, RoomPermission, RoomSnapshot, Verdict,
};
use fermata_types::{Reason, Role, RoomName, Scene, SdkAppId, StayEnd};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use support::{APP, World, join, permission, room, single, verdict};

fn create(world: &mut World, name: &str, options: RoomOptions) -> Reply {
    world.command(Command::CreateRoom { app: APP, room: room(name), options })
}

#[expect(clippy::panic, reason = "a helper of tests")]
fn made(reply: Reply) -> Box<RoomSnapshot> {
    match reply {
        Reply::Room(room) => room,
        other => panic!("a room, not {other:?}"),
    }
}

#[expect(clippy::panic, reason = "a helper of tests")]
fn changed(reply: Reply) -> Box<ParticipantSnapshot> {
    match reply {
        Reply::Participant(participant) => participant,
        other => panic!("a participant, not {other:?}"),
    }
}

#[expect(clippy::panic, reason = "a helper of tests")]
fn words(reply: Reply) -> String {
    match reply {
        Reply::Invalid(words) => words,
        other => panic!("an invalid argument, not {other:?}"),
    }
}

fn update(world: &mut World, identity: &str, change: ParticipantChange) -> Reply {
    world.command(Command::UpdateParticipant {
        app: APP,
        room: room("r"),
        identity: identity.to_owned(),
        change: Box::new(change),
    })
}

fn rights(permission: RoomPermission) -> ParticipantChange {
    ParticipantChange { permission: Some(permission), ..ParticipantChange::default() }
}

fn audience(identity: &str) -> Join {
    let permission = RoomPermission { can_publish: false, ..permission() };
    Join { role: Role::Audience, permission, ..join(identity) }
}

fn leave() -> Request {
    Request::Leave(lk::LeaveRequest::default())
}

#[test]
fn a_made_room_waits_for_its_first_user() {
    for (own, wait) in [(None, 300), (Some(20), 20)] {
        let mut world = World::new();
        let options = RoomOptions {
            scene: Some(Scene::Call),
            metadata: "hello".to_owned(),
            empty_timeout_s: own,
            max_participants: Some(1),
            ..RoomOptions::default()
        };
        let first = made(create(&mut world, "r", options));
        assert_eq!(first.scene, Scene::Call);
        assert_eq!((first.info.metadata.as_str(), first.info.num_participants), ("hello", 0));
        assert_eq!((u64::from(first.info.empty_timeout), first.info.max_participants), (wait, 1));
        world.run(Duration::from_secs(wait - 1));
        let again = made(create(&mut world, "r", RoomOptions::default()));
        assert_eq!(again.info, first.info, "what lives is answered as it is");
        world.run(Duration::from_secs(2));
        assert_eq!(world.sfu.entries(), 0, "nobody came, and asking again prolonged nothing");
        let later = made(create(&mut world, "r", RoomOptions::default()));
        assert_ne!(later.info.sid, first.info.sid, "another life");
    }
}

#[test]
fn a_made_room_is_entered_and_closes_by_its_own_rules() {
    let mut world = World::new();
    let options = RoomOptions {
        scene: Some(Scene::Call),
        max_participants: Some(1),
        empty_timeout_s: Some(30),
        ..RoomOptions::default()
    };
    let made = made(create(&mut world, "r", options));
    let ann = world.arrive(Join { may_create: false, ..join("ann") });
    let joined = world.joined[&world.clients[ann].connection].as_ref().unwrap();
    assert_eq!(joined.room.as_str(), made.info.sid);
    world.run(Duration::from_mins(1));
    assert_eq!(world.sfu.stats().rooms, 1, "the wait was over when somebody came");
    let bob = world.enter(join("bob"));
    assert_eq!(world.refusal(bob), Some(Reason::RoomFull));
    world.send(ann, leave());
    assert_eq!(world.sfu.entries(), 0);
}

#[test]
fn an_empty_wait_of_nothing_ends_at_once() {
    let mut world = World::new();
    let options = RoomOptions { empty_timeout_s: Some(0), ..RoomOptions::default() };
    made(create(&mut world, "r", options));
    assert_eq!(world.sfu.entries(), 0);
}

#[test]
fn making_a_room_is_refused_as_a_join_that_makes_it() {
    let with = |reasons: &[Reason]| Verdict { refused: reasons.to_vec(), ..verdict(2) };
    let metadata = RoomOptions { metadata: "x".repeat(512 * 1024 + 1), ..RoomOptions::default() };
    let plain = RoomOptions::default;
    let (app, strange) = (APP, SdkAppId(9));
    let long = RoomName::Text("x".repeat(257).into());
    let rows = [
        ("plain", app, room("r"), plain(), verdict(2), None),
        ("unknown", strange, room("r"), plain(), verdict(2), Some(Reason::KeyUnknown)),
        ("arrears", app, room("r"), plain(), with(&[Reason::Arrears]), Some(Reason::Arrears)),
        ("name", app, long, plain(), verdict(2), Some(Reason::RoomNameInvalid)),
        ("metadata", app, room("r"), metadata, verdict(2), Some(Reason::AttributesTooLarge)),
    ];
    for (what, app, room, options, verdict, expected) in rows {
        let mut world = World::new();
        world.input(Input::Verdict(APP, verdict));
        let refused = match world.command(Command::CreateRoom { app, room, options }) {
            Reply::Refused(refusal) => Some(refusal.reason()),
            reply => {
                made(reply);
                None
            }
        };
        assert_eq!(refused, expected, "{what}");
        assert_eq!(world.sfu.stats().rooms, u64::from(expected.is_none()), "{what}");
    }
}

#[test]
fn a_full_or_stopping_server_makes_no_room() {
    let mut config = support::config();
    config.limits.rooms_max = 1;
    let mut world = World::with(config);
    made(create(&mut world, "one", RoomOptions::default()));
    let second = create(&mut world, "two", RoomOptions::default());
    assert!(matches!(second, Reply::Refused(refusal) if refusal.reason() == Reason::NodeFull));
    made(create(&mut world, "one", RoomOptions::default()));
    world.input(Input::Shutdown);
    let late = create(&mut world, "one", RoomOptions::default());
    assert!(matches!(late, Reply::Refused(refusal) if refusal.reason() == Reason::Unavailable));
    assert_eq!(world.sfu.entries(), 0);
}

#[test]
fn what_a_room_is_made_with_is_bounded() {
    let agent = |len| lk::RoomAgentDispatch { metadata: "x".repeat(len), ..Default::default() };
    let agents = |agents| RoomOptions { agents, ..RoomOptions::default() };
    let name = lk::RoomAgentDispatch { agent_name: "x".repeat(257), ..Default::default() };
    let rows = [
        (RoomOptions { empty_timeout_s: Some(86_401), ..RoomOptions::default() }, "86400 s"),
        (agents(vec![agent(1); 17]), "at most 16"),
        (agents(vec![agent(300_000); 2]), "at most 524288"),
        (agents(vec![name]), "at most 256"),
    ];
    for (options, limit) in rows {
        let mut world = World::new();
        let words = words(create(&mut world, "r", options));
        assert!(words.contains(limit), "{words}");
        assert_eq!(world.sfu.entries(), 0);
    }
}

#[test]
fn an_application_has_so_many_rooms_waiting_and_no_more() {
    let mut world = World::new();
    for n in 0..1_000 {
        made(create(&mut world, &format!("r{n}"), RoomOptions::default()));
    }
    let more = create(&mut world, "more", RoomOptions::default());
    assert!(matches!(more, Reply::Refused(refusal) if refusal.reason() == Reason::NodeFull));
    let ann = world.enter(Join { room: room("more"), ..join("ann") });
    assert_eq!(world.refusal(ann), None, "people make rooms as before");
    world.run(Duration::from_secs(301));
    made(create(&mut world, "later", RoomOptions::default()));
}

#[test]
fn a_room_of_an_api_has_no_creator_but_its_agents() {
    let mut world = World::new();
    let agent = lk::RoomAgentDispatch { agent_name: "echo".to_owned(), ..Default::default() };
    let options = RoomOptions { agents: vec![agent.clone()], ..RoomOptions::default() };
    made(create(&mut world, "r", options));
    let RoomEventKind::RoomStarted { creator, agents } = &world.events[0].kind else { panic!() };
    assert_eq!((creator, agents), (&None, &vec![agent]));
    world.run(Duration::from_secs(301));
    let last = &world.events.last().unwrap().kind;
    assert!(matches!(last, RoomEventKind::RoomFinished { dismissed: false }));
}

#[test]
fn new_metadata_of_a_room_reaches_everybody() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(single(join("bob")));
    let set = |metadata: String| Command::SetRoomMetadata { app: APP, room: room("r"), metadata };
    let told = made(world.command(set("new".to_owned())));
    assert_eq!(told.info.metadata, "new");
    for client in [ann, bob] {
        let told = world.clients[client].inbox.iter().any(|message| {
            matches!(message, Response::RoomUpdate(update)
                if update.room.as_ref().is_some_and(|room| room.metadata == "new"))
        });
        assert!(told);
    }
    made(world.command(set("x".repeat(512 * 1024))));
    assert!(words(world.command(set("x".repeat(512 * 1024 + 1)))).contains("524288"));
    let none = Command::SetRoomMetadata { app: APP, room: room("no"), metadata: String::new() };
    assert!(matches!(world.command(none), Reply::NoSuchRoom));
}

#[test]
fn name_metadata_and_attributes_change_for_everybody() {
    let mut world = World::new();
    let with = BTreeMap::from([("keep".into(), "1".into()), ("drop".into(), "2".into())]);
    world.arrive(Join { attributes: with, name: "Ann".to_owned(), ..join("ann") });
    let bob = world.arrive(join("bob"));
    let orders = world.orders;
    let change = ParticipantChange {
        metadata: Some("m".to_owned()),
        attributes: [("drop", ""), ("new", "3")].map(|(k, v)| (k.into(), v.into())).into(),
        ..ParticipantChange::default()
    };
    let reply = changed(update(&mut world, "ann", change));
    assert_eq!((reply.info.name.as_str(), reply.info.metadata.as_str()), ("Ann", "m"));
    assert_eq!(world.orders, orders + 1, "a fresh token says it, too");
    world.run(Duration::from_millis(200));
    let seen = world.clients[bob].sees("ann").unwrap();
    assert_eq!(seen.metadata, "m");
    let expected = [("keep", "1"), ("new", "3")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(seen.attributes, expected.into());
    let name = ParticipantChange { name: Some("Anna".to_owned()), ..ParticipantChange::default() };
    assert_eq!(changed(update(&mut world, "ann", name)).info.name, "Anna");
}

#[test]
fn a_change_that_is_too_large_changes_nothing() {
    let mut world = World::new();
    let ann = world
        .arrive(Join { attributes: [("a".to_owned(), "x".repeat(60_000))].into(), ..join("ann") });
    let name = || Some("new".to_owned());
    let none = ParticipantChange::default;
    let sources = |list: Vec<i32>| RoomPermission { can_publish_sources: list, ..permission() };
    let rows = [
        (ParticipantChange { name: Some("x".repeat(257)), ..none() }, "at most 256"),
        (
            ParticipantChange {
                metadata: Some("x".repeat(512 * 1024 + 1)),
                name: name(),
                ..none()
            },
            "at most 524288",
        ),
        (
            ParticipantChange {
                attributes: [("b".to_owned(), "x".repeat(6_000))].into(),
                name: name(),
                ..none()
            },
            "at most 65536",
        ),
        (ParticipantChange { name: name(), ..rights(sources(vec![77])) }, "77 is no source"),
        (ParticipantChange { name: name(), ..rights(sources(vec![1; 17])) }, "at most 16"),
    ];
    world.clients[ann].inbox.clear();
    for (change, limit) in rows {
        let words = words(update(&mut world, "ann", change));
        assert!(words.contains(limit), "{words}");
    }
    world.run(Duration::from_secs(1));
    let news = world.clients[ann].inbox.iter();
    assert_eq!(news.filter(|m| matches!(m, Response::Update(_))).count(), 0);
    let swap = [("a".to_owned(), String::new()), ("b".to_owned(), "x".repeat(60_000))].into();
    changed(update(&mut world, "ann", ParticipantChange { attributes: swap, ..none() }));
    assert!(matches!(update(&mut world, "zoe", none()), Reply::NoSuchParticipant));
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn loses_rights(ann: Join, bob: Join) {
    let mut world = World::new();
    let ann = world.arrive(ann);
    let bob = world.arrive(bob);
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let cam = world.publish(ann, lk::TrackType::Video, "cam");
    world.add_track(ann, lk::TrackType::Video, "announced");
    let announced = world.published(ann, "announced").unwrap();
    let only_mic = RoomPermission {
        can_publish_sources: vec![lk::TrackSource::Microphone.into()],
        ..permission()
    };
    let reply = changed(update(&mut world, "ann", rights(only_mic)));
    assert_eq!(reply.info.tracks.len(), 1);
    assert_eq!(reply.role, Role::Anchor);
    let unpublished = |world: &World| -> Vec<String> {
        let told = world.clients[ann].inbox.iter().filter_map(|message| match message {
            Response::TrackUnpublished(told) => Some(told.track_sid.clone()),
            _ => None,
        });
        told.collect()
    };
    assert_eq!(unpublished(&world), [cam.clone(), announced]);
    world.stream(ann, "mic", 5);
    world.stream(ann, "cam", 5);
    assert_eq!(world.clients[bob].heard(&mic).len(), 5);
    assert!(world.clients[bob].heard(&cam).is_empty());
    let tracks = world.clients[bob].sees("ann").unwrap().tracks;
    assert_eq!(tracks.iter().map(|track| &track.sid).collect::<Vec<_>>(), [&mic]);
    let none = RoomPermission { can_publish: false, ..permission() };
    let reply = changed(update(&mut world, "ann", rights(none)));
    assert_eq!((reply.role, reply.info.tracks.len()), (Role::Audience, 0));
    world.stream(ann, "mic", 5);
    assert_eq!(world.clients[bob].receiver().received.len(), 5);
    assert_eq!(unpublished(&world).last(), Some(&mic));
    world.add_track(ann, lk::TrackType::Audio, "again");
    assert!(world.published(ann, "again").is_none(), "and none can be announced");
    changed(update(&mut world, "ann", rights(permission())));
    world.publish(ann, lk::TrackType::Audio, "more");
    world.run(Duration::from_secs(1));
    assert_eq!(world.sfu.stats().tracks, 1);
    assert_eq!(world.clients[ann].leave_reason(), None);
}

#[test]
fn revoked_rights_take_tracks_back_at_once() {
    loses_rights(join("ann"), join("bob"));
    loses_rights(single(join("ann")), single(join("bob")));
}

#[test]
fn who_may_not_subscribe_any_more_receives_nothing() {
    for bob in [join("bob"), single(join("bob"))] {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        let bob = world.arrive(bob);
        let mic = world.publish(ann, lk::TrackType::Audio, "mic");
        world.stream(ann, "mic", 5);
        let deaf = RoomPermission { can_subscribe: false, ..permission() };
        changed(update(&mut world, "bob", rights(deaf)));
        world.stream(ann, "mic", 5);
        assert_eq!(world.clients[bob].receiver().received.len(), 5);
        assert_eq!(world.sfu.stats().subscriptions, 0);
        changed(update(&mut world, "bob", rights(permission())));
        world.run(Duration::from_millis(300));
        world.stream(ann, "mic", 5);
        assert_eq!(world.clients[bob].receiver().received.len(), 10);
        assert_eq!(world.clients[bob].heard(&mic).last().unwrap().payload, [0x78, 1, 2, 3]);
    }
}

#[test]
fn what_a_token_says_for_good_is_not_changed() {
    let mut world = World::new();
    world.arrive(Join {
        permission: RoomPermission { hidden: true, agent: true, ..permission() },
        ..join("ghost")
    });
    let bob = world.arrive(join("bob"));
    let seen = RoomPermission { hidden: false, can_publish_data: false, ..permission() };
    let info = changed(update(&mut world, "ghost", rights(seen))).info;
    let permission = info.permission.unwrap();
    assert!(permission.hidden && !permission.can_publish_data);
    world.run(Duration::from_secs(1));
    assert!(world.clients[bob].sees("ghost").is_none());
}

#[test]
fn a_role_is_paid_for_from_the_second_it_changes() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(audience("bob"));
    world.publish(ann, lk::TrackType::Audio, "mic");
    let sid = world.clients[bob].sid.clone();
    let may = permission;
    let may_not = || RoomPermission { can_publish: false, ..permission() };
    // 1 s to connect and 0.2 s to publish have passed.
    world.run(Duration::from_millis(8_900));
    assert_eq!(changed(update(&mut world, "bob", rights(may()))).role, Role::Anchor);
    world.run(Duration::from_secs(10));
    assert_eq!(changed(update(&mut world, "bob", rights(may_not()))).role, Role::Audience);
    world.run(Duration::from_secs(10));
    world.send(bob, leave());
    let used: BTreeMap<_, _> = world.seconds(&sid);
    // Spent to 10.1 s as audience, to 20.1 s as anchor, to 30.1 s as audience: the two touched seconds
    // are an anchor's.
    let expected = [("audio", 11), ("live_audience_audio", 20)];
    assert_eq!(used.into_iter().collect::<Vec<_>>(), expected);
    let told = world.events.iter().filter_map(|event| match &event.kind {
        RoomEventKind::RoleChanged(who) => Some((who.info.identity.as_str(), who.role)),
        _ => None,
    });
    let expected = [("bob", Role::Anchor), ("bob", Role::Audience)];
    assert_eq!(told.collect::<Vec<_>>(), expected, "listeners hear of it");
}

#[test]
fn in_a_call_everybody_stays_an_anchor() {
    let mut world = World::new();
    let call = RoomOptions { scene: Some(Scene::Call), ..RoomOptions::default() };
    world.arrive(Join { room_options: call, ..join("ann") });
    let may_not = RoomPermission { can_publish: false, ..permission() };
    assert_eq!(changed(update(&mut world, "ann", rights(may_not))).role, Role::Anchor);
}

#[test]
fn the_removed_and_the_dismissed_are_told_why() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(single(join("bob")));
    let (ann_sid, bob_sid) = (world.clients[ann].sid.clone(), world.clients[bob].sid.clone());
    let remove = Command::RemoveParticipant { app: APP, room: room("r"), identity: "ann".into() };
    assert!(matches!(world.command(remove), Reply::Done));
    let removed = (lk::DisconnectReason::ParticipantRemoved, 0);
    assert_eq!(world.clients[ann].leave_reason(), Some(removed));
    assert_eq!(world.end(&ann_sid), Some(StayEnd::Removed));
    assert!(matches!(
        world.command(Command::DismissRoom { app: APP, room: room("r") }),
        Reply::Done
    ));
    let deleted = (lk::DisconnectReason::RoomDeleted, 0);
    assert_eq!(world.clients[bob].leave_reason(), Some(deleted));
    assert_eq!(world.end(&bob_sid), Some(StayEnd::Dismissed));
    assert!(matches!(
        world.command(Command::DismissRoom { app: APP, room: room("r") }),
        Reply::NoSuchRoom
    ));
}

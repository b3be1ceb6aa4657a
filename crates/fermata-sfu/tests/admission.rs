//! Who may enter: the decision as a table, and the shard acting on it.

mod support;

use std::time::Duration;

use fermata_sfu::Limits;
use fermata_sfu::admission::{Facts, RoomFacts, admit};
use fermata_sfu::io::{Command, Input, Join, Reply, Verdict};
use fermata_types::{Reason, Role, RoomName, Scene};
use jiff::Timestamp;
use livekit_protocol as lk;
use support::{APP, World, join, room, verdict};

fn facts(scene: Scene, others: usize) -> Facts {
    let room = RoomFacts { scene, others, participants_max: 0, replaces: false };
    Facts { room: Some(room), rooms: 1, participants: others, ..Facts::default() }
}

#[test]
fn every_rule_has_its_reason() {
    let with = |change: fn(&mut Join)| {
        let mut join = join("ann");
        change(&mut join);
        join
    };
    let plain = || join("ann");
    let empty = Facts::default();
    let removed_at = Some(Timestamp::from_second(1_000).unwrap());
    let live = facts(Scene::Live, 400);
    let own_max = Facts {
        room: Some(RoomFacts { participants_max: 5, ..facts(Scene::Live, 5).room.unwrap() }),
        ..live
    };
    let limits = Limits { participants_max: 1_000, rooms_max: 10, ..Limits::default() };
    let rows: Vec<(&str, Join, Facts, Option<Reason>)> = vec![
        ("plain", plain(), empty, None),
        ("no identity", with(|j| j.identity.clear()), empty, Some(Reason::IdentityMissing)),
        ("identity at the bound", with(|j| j.identity = "x".repeat(256)), empty, None),
        (
            "identity beyond",
            with(|j| j.identity = "x".repeat(257)),
            empty,
            Some(Reason::IdentityTooLong),
        ),
        (
            "name beyond",
            with(|j| j.name = "x".repeat(257)),
            empty,
            Some(Reason::AttributesTooLarge),
        ),
        ("metadata at the bound", with(|j| j.metadata = "x".repeat(512 * 1024)), empty, None),
        (
            "metadata beyond",
            with(|j| j.metadata = "x".repeat(512 * 1024 + 1)),
            empty,
            Some(Reason::AttributesTooLarge),
        ),
        (
            "attributes beyond",
            with(|j| {
                j.attributes.insert("k".into(), "x".repeat(64 * 1024));
            }),
            empty,
            Some(Reason::AttributesTooLarge),
        ),
        (
            "room name beyond",
            with(|j| j.room = RoomName::Text("x".repeat(257).into())),
            empty,
            Some(Reason::RoomNameInvalid),
        ),
        (
            "no room, may not create",
            with(|j| j.may_create = false),
            empty,
            Some(Reason::RoomMissing),
        ),
        ("room there, may not create", with(|j| j.may_create = false), live, None),
        ("call with a place", plain(), facts(Scene::Call, 299), None),
        ("call full", plain(), facts(Scene::Call, 300), Some(Reason::RoomFull)),
        ("live has no such cap", plain(), live, None),
        ("own cap", plain(), own_max, Some(Reason::RoomFull)),
        (
            "too many of one application connect",
            plain(),
            Facts { connecting: limits.connecting_max, ..live },
            Some(Reason::NodeFull),
        ),
        ("node full", plain(), Facts { participants: 1_000, ..live }, Some(Reason::NodeFull)),
        (
            "node full, but it replaces",
            plain(),
            Facts {
                participants: 1_000,
                room: Some(RoomFacts { replaces: true, ..live.room.unwrap() }),
                ..live
            },
            None,
        ),
        ("too many rooms", plain(), Facts { rooms: 10, ..empty }, Some(Reason::NodeFull)),
        (
            "old token",
            with(|j| j.issued_at = 1_000),
            Facts { removed_at, ..live },
            Some(Reason::Revoked),
        ),
        ("newer token", with(|j| j.issued_at = 1_001), Facts { removed_at, ..live }, None),
        ("unknown issue time", plain(), Facts { removed_at, ..live }, Some(Reason::Revoked)),
        ("stopping", plain(), Facts { stopping: true, ..empty }, Some(Reason::Unavailable)),
    ];
    for (what, join, facts, expected) in rows {
        let reason = admit(&join, Some(&verdict(1)), &facts, &limits).err().map(|r| r.reason());
        assert_eq!(reason, expected, "{what}");
    }
    let unknown = admit(&plain(), None, &empty, &limits).unwrap_err();
    assert_eq!(unknown.reason(), Reason::KeyUnknown);
    let refused = vec![Reason::AppDisabled, Reason::Unavailable];
    let held = Verdict { refused: refused.clone(), ..verdict(1) };
    assert_eq!(admit(&plain(), Some(&held), &empty, &limits).unwrap_err().reasons(), refused);
}

#[test]
fn scene_and_role_come_from_the_room() {
    let audience = || Join { role: Role::Audience, ..join("ann") };
    let limits = Limits::default();
    let decide =
        |facts: &Facts, join: Join| admit(&join, Some(&verdict(1)), facts, &limits).unwrap();
    let made = decide(&Facts::default(), audience());
    assert_eq!((made.scene, made.role), (Scene::Live, Role::Audience));
    let mut call = audience();
    call.room_options.scene = Some(Scene::Call);
    let made = decide(&Facts::default(), call.clone());
    assert_eq!((made.scene, made.role), (Scene::Call, Role::Anchor));
    let joined = decide(&facts(Scene::Live, 1), call);
    assert_eq!((joined.scene, joined.role), (Scene::Live, Role::Audience));
}

#[test]
fn a_refused_join_displaces_nobody_and_a_probe_changes_nothing() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let before = world.sfu.entries();
    let probe = world.enter(Join { probe: true, ..join("ann") });
    assert_eq!(world.refusal(probe), None);
    let too_long = world.enter(Join { name: "x".repeat(300), ..join("ann") });
    assert_eq!(world.refusal(too_long), Some(Reason::AttributesTooLarge));
    let held = Verdict { refused: vec![Reason::AppDisabled], ..verdict(2) };
    world.input(Input::Verdict(APP, held));
    let refused = world.enter(join("bob"));
    assert_eq!(world.refusal(refused), Some(Reason::AppDisabled));
    // An outdated verdict does not open the door again.
    world.input(Input::Verdict(APP, verdict(1)));
    let refused = world.enter(join("bob"));
    assert_eq!(world.refusal(refused), Some(Reason::AppDisabled));
    assert_eq!(world.clients[ann].leave_reason(), None);
    assert_eq!(world.sfu.entries(), before);
    assert_eq!(world.sfu.stats().participants, 1);
    world.input(Input::Verdict(APP, verdict(3)));
    let foreign = world.enter(Join { app: fermata_types::SdkAppId(9), ..join("ann") });
    assert_eq!(world.refusal(foreign), Some(Reason::KeyUnknown));
}

#[test]
fn a21_who_is_inside_comes_back_while_newcomers_are_refused() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let reasons = vec![Reason::Arrears, Reason::AppDisabled];
    let held = Verdict { refused: reasons, ..verdict(2) };
    world.input(Input::Verdict(APP, held.clone()));
    assert_eq!(world.clients[ann].leave_reason(), None, "S12: nobody inside is thrown out");
    let probe = world.enter(Join { probe: true, ..join("ann") });
    assert_eq!(world.refusal(probe), None);
    let again = world.enter(join("ann"));
    assert_eq!(world.refusal(again), None, "a reload of the page is the same person");
    let bob = world.enter(join("bob"));
    assert_eq!(world.refusal(bob), Some(Reason::Arrears));
    assert_eq!(world.sfu.stats().participants, 1);
    // Elsewhere she is a newcomer like anybody.
    let elsewhere = Join { room: RoomName::parse("other").unwrap(), ..join("ann") };
    let elsewhere = world.enter(elsewhere);
    assert_eq!(world.refusal(elsewhere), Some(Reason::Arrears));
    // A violation ends what goes on, and nobody comes back.
    world.input(Input::Verdict(APP, Verdict { epoch: 3, inside: false, ..held }));
    assert_eq!(world.sfu.stats().participants, 0);
    let back = world.enter(join("ann"));
    assert_eq!(world.refusal(back), Some(Reason::Arrears));
}

#[test]
fn a8_a_stay_that_nobody_pays_for_ends_at_last() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    world.run(Duration::from_secs(5));
    let held = Verdict { refused: vec![Reason::Unfunded], ..verdict(2) };
    world.input(Input::Verdict(APP, held.clone()));
    world.run(Duration::from_secs(5));
    assert_eq!(world.clients[ann].leave_reason(), None);
    let bounded = Verdict { epoch: 3, stay_age_max: Some(Duration::from_secs(20)), ..held };
    world.input(Input::Verdict(APP, bounded));
    world.run(Duration::from_secs(5));
    assert_eq!(world.clients[ann].leave_reason(), None, "not before");
    world.run(Duration::from_secs(10));
    let (reason, _) = world.clients[ann].leave_reason().expect("it was ended");
    assert_eq!(reason, lk::DisconnectReason::ParticipantRemoved);
}

#[test]
fn a21_a_page_that_is_reloaded_says_good_bye_and_is_back() {
    let mut world = World::new();
    let bye = || lk::signal_request::Message::Leave(lk::LeaveRequest::default());
    let ann = world.arrive(join("ann"));
    world.input(Input::Verdict(APP, Verdict { refused: vec![Reason::Arrears], ..verdict(2) }));
    world.send(ann, bye());
    assert_eq!(world.sfu.stats().participants, 0);
    let back = world.enter(join("ann"));
    assert_eq!(world.refusal(back), None);
    world.send(back, bye());
    // Only for as long as a vanished user would have been kept.
    world.run(Duration::from_secs(91));
    let late = world.enter(join("ann"));
    assert_eq!(world.refusal(late), Some(Reason::Arrears));
}

#[test]
fn the_removed_need_a_newer_token() {
    let mut world = World::new();
    let old = Join { issued_at: world.now.wall.as_second(), ..join("ann") };
    let ann = world.arrive(old.clone());
    world.arrive(join("bob"));
    let remove = |room: &str, identity: &str| Command::RemoveParticipant {
        app: APP,
        room: support::room(room),
        identity: identity.to_owned(),
    };
    assert!(matches!(world.command(remove("x", "ann")), Reply::NoSuchRoom));
    assert!(matches!(world.command(remove("r", "eve")), Reply::NoSuchParticipant));
    assert!(matches!(world.command(remove("r", "ann")), Reply::Done));
    assert_eq!(
        world.clients[ann].leave_reason(),
        Some((lk::DisconnectReason::ParticipantRemoved, 0))
    );
    assert!(world.clients[ann].closed);
    let again = world.enter(old.clone());
    assert_eq!(world.refusal(again), Some(Reason::Revoked));
    let elsewhere = world.enter(Join { room: room("other"), ..old.clone() });
    assert_eq!(world.refusal(elsewhere), None);
    world.run(Duration::from_secs(2));
    let newer = Join { issued_at: world.now.wall.as_second(), ..old };
    let newer = world.enter(newer);
    assert_eq!(world.refusal(newer), None);
}

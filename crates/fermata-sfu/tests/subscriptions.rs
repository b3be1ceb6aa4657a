//! Who receives what: wishes, permissions, hidden users, limits, and m-lines used again.

mod support;

use std::time::Duration;

use fermata_sfu::io::{Join, RoomPermission};
use livekit_protocol as lk;
use lk::request_response::Reason;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use support::{World, join, permission, single};

fn subscribe(sids: &[&str], subscribe: bool) -> Request {
    Request::Subscription(lk::UpdateSubscription {
        track_sids: sids.iter().map(|&sid| sid.to_owned()).collect(),
        subscribe,
        ..Default::default()
    })
}

fn wishes(mut bob: Join) {
    bob.client.auto_subscribe = false;
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let bob = world.arrive(bob);
    world.stream(ann, "mic", 5);
    assert_eq!(world.clients[bob].heard(&mic).len(), 0, "nothing by itself");
    world.send(bob, subscribe(&[&mic, "TR_none"], true));
    world.run(Duration::from_millis(200));
    world.stream(ann, "mic", 5);
    assert_eq!(world.clients[bob].heard(&mic).len(), 5);
    let not_found = world.clients[bob].inbox.iter().any(
        |message| matches!(message, Response::SubscriptionResponse(r) if r.track_sid == "TR_none"),
    );
    assert!(not_found);
    world.send(bob, subscribe(&[&mic], false));
    world.run(Duration::from_millis(200));
    world.stream(ann, "mic", 5);
    assert_eq!(world.clients[bob].receiver().received.len(), 5);
    world.send(bob, subscribe(&[&mic], true));
    world.run(Duration::from_millis(200));
    world.stream(ann, "mic", 5);
    let all = &world.clients[bob].receiver().received;
    assert_eq!(all.len(), 10, "the m-line is used again and its numbers go on");
    assert!(all.windows(2).all(|pair| pair[0].seq < pair[1].seq), "{all:?}");
    assert_eq!(world.sfu.stats().subscriptions, 1);
}

#[test]
fn tracks_come_and_go_by_wish() {
    wishes(join("bob"));
    wishes(single(join("bob")));
}

#[test]
fn another_track_takes_the_place_of_one_that_ended() {
    for bob in [join("bob"), single(join("bob"))] {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        let bob = world.arrive(bob);
        let first = world.publish(ann, lk::TrackType::Video, "one");
        world.stream(ann, "one", 5);
        world.clients[ann].up.stop_track("one");
        world.offer(ann);
        world.run(Duration::from_millis(300));
        assert!(world.clients[bob].sees("ann").unwrap().tracks.is_empty());
        let second = world.publish(ann, lk::TrackType::Video, "two");
        world.run(Duration::from_millis(300));
        world.stream(ann, "two", 5);
        assert_ne!(first, second);
        assert!(world.clients[bob].heard(&second).len() >= 4);
        assert_eq!(world.sfu.stats().tracks, 1);
    }
}

#[test]
fn a_publisher_says_who_may_receive() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let bob = world.arrive(join("bob"));
    let cid = world.arrive(join("cid"));
    let only_bob = lk::SubscriptionPermission {
        all_participants: false,
        track_permissions: vec![lk::TrackPermission {
            participant_identity: "bob".to_owned(),
            all_tracks: true,
            ..Default::default()
        }],
    };
    world.send(ann, Request::SubscriptionPermission(only_bob));
    world.run(Duration::from_millis(300));
    world.stream(ann, "mic", 5);
    assert_eq!(world.clients[bob].heard(&mic).len(), 5);
    assert_eq!(world.clients[cid].heard(&mic).len(), 0);
    let told = |world: &World, client: usize| -> Vec<bool> {
        let inbox = world.clients[client].inbox.iter();
        inbox
            .filter_map(|message| match message {
                Response::SubscriptionPermissionUpdate(update) => Some(update.allowed),
                _ => None,
            })
            .collect()
    };
    assert_eq!((told(&world, bob), told(&world, cid)), (vec![], vec![false]));
    let all = lk::SubscriptionPermission { all_participants: true, ..Default::default() };
    world.send(ann, Request::SubscriptionPermission(all));
    world.run(Duration::from_millis(300));
    world.stream(ann, "mic", 5);
    assert_eq!(told(&world, cid), [false, true]);
    assert_eq!(world.clients[cid].heard(&mic).len(), 5);
}

#[test]
fn the_hidden_are_seen_by_nobody() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    let spy = RoomPermission { hidden: true, ..permission() };
    let spy = world.arrive(Join { permission: spy, ..join("spy") });
    world.publish(spy, lk::TrackType::Audio, "bug");
    world.stream(ann, "mic", 5);
    assert_eq!(world.clients[spy].heard(&mic).len(), 5);
    assert!(world.clients[spy].sees("spy").is_some());
    let late = world.arrive(join("late"));
    world.send(spy, Request::Leave(lk::LeaveRequest::default()));
    world.run(Duration::from_millis(300));
    for client in [ann, late] {
        assert!(world.clients[client].sees("spy").is_none());
    }
    assert_eq!(world.sfu.stats().participants, 2);
}

#[test]
fn publishing_needs_the_right_and_has_limits() {
    let sources = vec![lk::TrackSource::Camera.into()];
    let rows = [
        (RoomPermission { can_publish: false, ..permission() }, false, false),
        (RoomPermission { can_publish_sources: sources, ..permission() }, false, true),
        (permission(), true, true),
    ];
    for (permission, audio, video) in rows {
        let mut world = World::new();
        let ann = world.enter(Join { permission, ..join("ann") });
        world.add_track(ann, lk::TrackType::Audio, "mic");
        world.add_track(ann, lk::TrackType::Video, "cam");
        assert_eq!(world.published(ann, "mic").is_some(), audio);
        assert_eq!(world.published(ann, "cam").is_some(), video);
        let refused = world.clients[ann].inbox.iter().filter(|message| {
            matches!(message, Response::RequestResponse(r)
                if r.reason() == Reason::NotAllowed)
        });
        assert_eq!(refused.count(), 2 - usize::from(audio) - usize::from(video));
    }
    let mut world = World::new();
    let ann = world.enter(join("ann"));
    for n in 0..30 {
        world.add_track(ann, lk::TrackType::Audio, &n.to_string());
    }
    let published = (0..30).filter(|n| world.published(ann, &n.to_string()).is_some()).count();
    assert_eq!((published, world.sfu.stats().limited), (20, 10));
    for n in 0..50 {
        let client = world.enter(join(&format!("p{n}")));
        world.add_track(client, lk::TrackType::Audio, "mic");
        assert_eq!(world.published(client, "mic").is_some(), n < 49, "{n}");
    }
}

#[test]
fn muting_and_metadata_are_told_with_rising_versions() {
    let mut world = World::new();
    let rights = RoomPermission { can_update_metadata: true, ..permission() };
    let ann = world.arrive(Join { permission: rights, ..join("ann") });
    let bob = world.arrive(join("bob"));
    let mic = world.publish(ann, lk::TrackType::Audio, "mic");
    world.send(ann, Request::Mute(lk::MuteTrackRequest { sid: mic, muted: true }));
    let orders = world.orders;
    let update = |id: u32, metadata: &str| {
        Request::UpdateMetadata(lk::UpdateParticipantMetadata {
            metadata: metadata.to_owned(),
            name: "Ann".to_owned(),
            attributes: [("k".to_owned(), "v".to_owned())].into(),
            request_id: id,
        })
    };
    world.send(ann, update(5, "new"));
    world.send(bob, update(6, "no"));
    world.send(ann, update(7, &"x".repeat(512 * 1024 + 1)));
    world.run(Duration::from_millis(300));
    let seen = world.clients[bob].sees("ann").unwrap();
    assert!(seen.tracks[0].muted);
    assert_eq!((seen.name.as_str(), seen.metadata.as_str()), ("Ann", "new"));
    assert_eq!(seen.attributes["k"], "v");
    assert_eq!(world.orders, orders + 1, "claims changed, so the token is made anew");
    let answers = |client: usize| -> Vec<(u32, Reason)> {
        let inbox = world.clients[client].inbox.iter();
        inbox
            .filter_map(|message| match message {
                Response::RequestResponse(r) => Some((r.request_id, r.reason())),
                _ => None,
            })
            .collect()
    };
    assert_eq!(answers(ann), [(5, Reason::Ok), (7, Reason::LimitExceeded)]);
    assert_eq!(answers(bob), [(6, Reason::NotAllowed)]);
    assert_eq!(world.clients[ann].sees("bob").unwrap().metadata, "");
}

#[test]
fn speaking_is_told_to_those_who_hear() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    let mut deaf = join("cid");
    deaf.client.auto_subscribe = false;
    let cid = world.arrive(deaf);
    world.publish(ann, lk::TrackType::Audio, "mic");
    world.stream(ann, "mic", 100);
    let sid = world.clients[ann].sid.clone();
    let spoke = |client: usize| {
        world.clients[client].inbox.iter().any(|message| match message {
            Response::SpeakersChanged(changed) => {
                changed.speakers.iter().any(|speaker| speaker.sid == sid && speaker.active)
            }
            _ => false,
        })
    };
    assert!(spoke(bob) && spoke(ann));
    assert!(!spoke(cid));
}

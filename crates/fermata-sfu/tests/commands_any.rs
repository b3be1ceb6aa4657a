//! Whatever APIs ask for, in whatever order: each request has one reply, and nothing is left behind.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use fermata_sfu::io::{
    Command, Input, Join, ParticipantChange, RequestId, RoomOptions, RoomPermission, RpcCall,
    UsageFact,
};
use fermata_types::{Role, RoomName};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use proptest::prelude::*;
use support::{APP, World, join, permission, room, single};

#[derive(Debug, Clone, Copy)]
enum Step {
    Enter { who: u8, room: u8, audience: bool, single: bool },
    Leave(u8),
    Publish(u8, bool),
    Mute(u8, bool),
    Ask(Ask),
    Wait(u16),
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    Create { room: u8, wait: u16 },
    Metadata { room: u8, len: usize },
    Dismiss(u8),
    Remove { room: u8, who: u8 },
    Change { room: u8, who: u8, bits: u8, len: usize },
    Mute { room: u8, who: u8, track: u8, muted: bool },
    Block { room: u8, who: u8, bits: u8 },
    Subscribe { room: u8, who: u8, track: u8, subscribe: bool },
    Data { room: u8, to: u8, len: usize, reliable: bool },
    Call { room: u8, who: u8, ms: u64, len: usize },
}

fn ask() -> impl Strategy<Value = Ask> {
    let (room, who) = (0..2_u8, 0..4_u8);
    let len = prop_oneof![0..100_usize, Just(20_000), Just(70_000), Just(600_000)];
    let at = (room.clone(), who);
    prop_oneof![
        (room.clone(), 0..400_u16).prop_map(|(room, wait)| Ask::Create { room, wait }),
        (room.clone(), len.clone()).prop_map(|(room, len)| Ask::Metadata { room, len }),
        room.prop_map(Ask::Dismiss),
        at.clone().prop_map(|(room, who)| Ask::Remove { room, who }),
        (at.clone(), any::<u8>(), len.clone()).prop_map(|((room, who), bits, len)| Ask::Change {
            room,
            who,
            bits,
            len
        }),
        (at.clone(), any::<u8>(), any::<bool>())
            .prop_map(|((room, who), track, muted)| Ask::Mute { room, who, track, muted }),
        (at.clone(), 0..4_u8).prop_map(|((room, who), bits)| Ask::Block { room, who, bits }),
        (at.clone(), any::<u8>(), any::<bool>()).prop_map(|((room, who), track, subscribe)| {
            Ask::Subscribe { room, who, track, subscribe }
        }),
        (at.clone(), len.clone(), any::<bool>())
            .prop_map(|((room, to), len, reliable)| Ask::Data { room, to, len, reliable }),
        (at, 0..70_000_u64, len).prop_map(|((room, who), ms, len)| Ask::Call {
            room,
            who,
            ms,
            len
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, 0..2_u8, any::<bool>(), any::<bool>()).prop_map(
            |(who, room, audience, single)| Step::Enter { who, room, audience, single }
        ),
        1 => any::<u8>().prop_map(Step::Leave),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(n, video)| Step::Publish(n, video)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(n, muted)| Step::Mute(n, muted)),
        10 => ask().prop_map(Step::Ask),
        4 => (1..20_000_u16).prop_map(Step::Wait),
    ]
}

fn named(n: u8) -> RoomName {
    room(&format!("r{n}"))
}

fn user(n: u8) -> String {
    format!("u{n}")
}

/// A track of anybody, or one that never was.
fn track(world: &World, n: u8) -> String {
    let mut sids = vec!["TR_none".to_owned()];
    for client in 0..world.clients.len() {
        sids.extend(["mic", "cam"].iter().filter_map(|cid| world.published(client, cid)));
    }
    sids.swap_remove(usize::from(n) % sids.len())
}

fn command(world: &World, ask: Ask) -> Command {
    let app = APP;
    match ask {
        Ask::Create { room, wait } => Command::CreateRoom {
            app,
            room: named(room),
            options: RoomOptions { empty_timeout_s: Some(wait.into()), ..RoomOptions::default() },
        },
        Ask::Metadata { room, len } => {
            Command::SetRoomMetadata { app, room: named(room), metadata: "x".repeat(len) }
        }
        Ask::Dismiss(room) => Command::DismissRoom { app, room: named(room) },
        Ask::Remove { room, who } => {
            Command::RemoveParticipant { app, room: named(room), identity: user(who) }
        }
        Ask::Change { room, who, bits, len } => {
            let rights = RoomPermission {
                can_publish: bits & 1 > 0,
                can_subscribe: bits & 2 > 0,
                can_publish_sources: if bits & 4 > 0 { vec![2] } else { Vec::new() },
                ..permission()
            };
            let change = ParticipantChange {
                name: (bits & 8 > 0).then(|| "x".repeat(len)),
                metadata: (bits & 16 > 0).then(|| "x".repeat(len)),
                attributes: [(len.to_string(), "x".repeat(len))].into(),
                permission: (bits & 32 > 0).then_some(rights),
            };
            let (room, identity, change) = (named(room), user(who), Box::new(change));
            Command::UpdateParticipant { app, room, identity, change }
        }
        Ask::Mute { room, who, track: n, muted } => {
            let (room, identity, track) = (named(room), user(who), track(world, n));
            Command::MuteTrack { app, room, identity, track, muted }
        }
        Ask::Block { room, who, bits } => {
            let (room, identity) = (named(room), user(who));
            Command::BlockUser { app, room, identity, audio: bits & 1 > 0, video: bits & 2 > 0 }
        }
        Ask::Subscribe { room, who, track: n, subscribe } => Command::UpdateSubscriptions {
            app,
            room: named(room),
            identity: user(who),
            tracks: vec![track(world, n)],
            participant_tracks: Vec::new(),
            subscribe,
        },
        Ask::Data { room, to, len, reliable } => Command::SendData {
            app,
            room: named(room),
            data: vec![0; len],
            reliable,
            topic: None,
            to_identities: vec![user(to)],
            to_sids: Vec::new(),
        },
        Ask::Call { room, who, ms, len } => {
            let call = RpcCall {
                destination: user(who),
                method: "m".to_owned(),
                payload: "x".repeat(len),
                response_timeout: Duration::from_millis(ms),
            };
            Command::PerformRpc { app, room: named(room), call }
        }
    }
}

fn publish(world: &mut World, client: usize, video: bool) {
    let (kind, cid) =
        if video { (lk::TrackType::Video, "cam") } else { (lk::TrackType::Audio, "mic") };
    if !world.clients[client].up.has_pending() && world.published(client, cid).is_none() {
        world.add_track(client, kind, cid);
        world.clients[client].up.add_track(kind, cid);
        world.offer(client);
    }
}

/// Plays the steps; returns how many requests were made.
fn play(world: &mut World, steps: Vec<Step>) -> usize {
    let mut asked = 0;
    let pick = |world: &World, n: u8| {
        let there = world.clients.len();
        (there > 0).then(|| usize::from(n) % there)
    };
    for step in steps {
        match step {
            Step::Enter { who, room, audience, single: one } => {
                let role = if audience { Role::Audience } else { Role::Anchor };
                let join = Join { room: named(room), role, ..join(&user(who)) };
                let client = world.enter(if one { single(join) } else { join });
                if !one && !world.clients[client].sid.is_empty() {
                    // As clients do; this engine's handshake does not wait for ever to be begun.
                    world.offer(client);
                }
            }
            Step::Leave(n) => {
                if let Some(client) = pick(world, n) {
                    world.send(client, Request::Leave(lk::LeaveRequest::default()));
                }
            }
            Step::Publish(n, video) => {
                if let Some(client) = pick(world, n) {
                    publish(world, client, video);
                }
            }
            Step::Mute(n, muted) => {
                let sid = track(world, n);
                if let Some(client) = pick(world, n) {
                    world.send(client, Request::Mute(lk::MuteTrackRequest { sid, muted }));
                }
            }
            Step::Ask(ask) => {
                asked += 1;
                let command = command(world, ask);
                world.input(Input::Command(RequestId(asked as u64), command));
            }
            Step::Wait(ms) => world.run(Duration::from_millis(ms.into())),
        }
        // Clients that were sent away do not go on with a handshake that nobody answers.
        for client in world.clients.iter_mut().filter(|client| client.closed) {
            client.dead = true;
        }
    }
    asked
}

/// Seconds of a stay never outlast it, whatever its role and its tiers were.
fn check_seconds(world: &World) -> Result<(), TestCaseError> {
    let mut opened = BTreeMap::new();
    for fact in &world.usage {
        match fact {
            UsageFact::Opened(stay) => {
                opened.insert(stay.stay.to_string(), stay.entered_at);
            }
            UsageFact::Closed(stay) => {
                let lasted = stay.ended_at.duration_since(opened[stay.stay.as_str()]);
                let used: u32 = world.seconds(stay.stay.as_str()).values().sum();
                let whole = lasted.as_secs() + i64::from(lasted.subsec_nanos() > 0);
                prop_assert_eq!(i64::from(used), whole);
            }
            UsageFact::Window(_) => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn each_request_has_one_reply_and_leaves_nothing_behind(
        steps in proptest::collection::vec(step(), 1..40)
    ) {
        let mut world = World::new();
        let asked = play(&mut world, steps);
        // Longer than any call may wait.
        world.run(Duration::from_secs(61));
        prop_assert_eq!(world.replies.len(), asked);
        for client in 0..world.clients.len() {
            for who in 0..4 {
                // That versions only grow is asserted inside.
                world.clients[client].sees(&user(who));
            }
        }
        world.input(Input::Shutdown);
        prop_assert_eq!(world.sfu.entries(), 0);
        prop_assert_eq!(world.sfu.stats().internal_errors, 0);
        check_seconds(&world)?;
    }
}

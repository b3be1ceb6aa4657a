//! Data and remote procedure calls of the server, as clients see them.

mod support;

use std::time::Duration;

use fermata_sfu::io::{
    Command, Input, Join, Reply, RequestId, RoomPermission, RpcCall, RpcFailure,
};
use fermata_types::SdkAppId;
use livekit_protocol as lk;
use lk::data_packet::Value;
use lk::signal_request::Message as Request;
use support::{APP, World, join, permission, room, single, verdict};

fn send(
    world: &mut World,
    data: Vec<u8>,
    reliable: bool,
    identities: &[&str],
    sids: &[&str],
) -> Reply {
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    world.command(Command::SendData {
        app: APP,
        room: room("r"),
        data,
        reliable,
        topic: Some("news".to_owned()),
        to_identities: texts(identities),
        to_sids: texts(sids),
    })
}

#[expect(clippy::panic, reason = "a helper of tests")]
fn payloads(world: &World, client: usize) -> Vec<u8> {
    let data = world.clients[client].data();
    let payload = |packet: &lk::DataPacket| match &packet.value {
        Some(Value::User(user)) => user.payload[0],
        _ => panic!("a user packet"),
    };
    data.iter().map(payload).collect()
}

#[test]
fn data_of_the_server_has_no_sender_and_reaches_whom_it_names() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(single(join("bob")));
    // Whoever may not send, or is not seen, may receive.
    let permission = RoomPermission { hidden: true, can_publish_data: false, ..permission() };
    let ghost = world.arrive(Join { permission, ..join("ghost") });
    let bob_sid = world.clients[bob].sid.clone();
    for (n, reliable, identities, sids) in [
        (1, true, vec![], vec![]),
        (2, true, vec!["ann"], vec![]),
        (3, true, vec![], vec![bob_sid.as_str()]),
        (4, true, vec!["ann", "nobody"], vec![bob_sid.as_str()]),
        (5, false, vec!["ghost"], vec![]),
        (6, true, vec!["nobody"], vec![]),
    ] {
        let reply = send(&mut world, vec![n], reliable, &identities, &sids);
        assert!(matches!(reply, Reply::Done), "{n}");
    }
    world.run(Duration::from_secs(1));
    assert_eq!(payloads(&world, ann), [1, 2, 4]);
    assert_eq!(payloads(&world, bob), [1, 3, 4]);
    assert_eq!(payloads(&world, ghost), [1, 5]);
    let packet = &world.clients[ann].data()[0];
    assert!(packet.participant_identity.is_empty() && packet.participant_sid.is_empty());
    let Some(Value::User(user)) = &packet.value else { panic!() };
    assert_eq!(user.topic.as_deref(), Some("news"));
    let lossy = world.clients[ghost].receiver().data.iter().any(|(label, _)| label == "_lossy");
    assert!(lossy);
}

#[test]
fn data_of_the_server_is_bounded() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    assert!(matches!(send(&mut world, vec![9; 64_000], true, &[], &[]), Reply::Done));
    let many = vec!["x"; 600];
    for (reply, limit) in [
        (send(&mut world, vec![9; 64_001], true, &[], &[]), "at most 64000"),
        (send(&mut world, vec![9], true, &many, &many), "at most 1000"),
    ] {
        let Reply::Invalid(words) = reply else { panic!() };
        assert!(words.contains(limit), "{words}");
    }
    let long = Command::SendData {
        app: APP,
        room: room("r"),
        data: vec![1],
        reliable: true,
        topic: Some("x".repeat(257)),
        to_identities: Vec::new(),
        to_sids: Vec::new(),
    };
    assert!(matches!(world.command(long), Reply::Invalid(_)));
    world.run(Duration::from_secs(1));
    assert_eq!(payloads(&world, ann), [9]);
}

fn call(destination: &str) -> RpcCall {
    RpcCall {
        destination: destination.to_owned(),
        method: "greet".to_owned(),
        payload: "hello".to_owned(),
        response_timeout: Duration::from_secs(10),
    }
}

/// Asks, and gives the network time to carry it.
fn perform(world: &mut World, call: RpcCall) {
    let command = Command::PerformRpc { app: APP, room: room("r"), call };
    world.input(Input::Command(RequestId(7), command));
    world.run(Duration::from_millis(100));
}

/// The last call that a client got, and who calls.
#[expect(clippy::expect_used, reason = "a helper of tests")]
fn asked(world: &World, client: usize) -> (lk::RpcRequest, String) {
    let data = world.clients[client].data();
    let mut calls = data.into_iter().filter_map(|packet| match packet.value {
        Some(Value::RpcRequest(request)) => Some((request, packet.participant_identity)),
        _ => None,
    });
    calls.next_back().expect("it was called")
}

fn answer(world: &mut World, client: usize, to: &str, value: Value) {
    let packet = lk::DataPacket {
        value: Some(value),
        destination_identities: vec![to.to_owned()],
        ..Default::default()
    };
    world.send_data(client, "_reliable", &packet);
    world.run(Duration::from_millis(50));
}

fn ack(id: &str) -> Value {
    Value::RpcAck(lk::RpcAck { request_id: id.to_owned() })
}

fn response(id: &str, value: lk::rpc_response::Value) -> Value {
    Value::RpcResponse(lk::RpcResponse { request_id: id.to_owned(), value: Some(value) })
}

fn text(payload: &str) -> lk::rpc_response::Value {
    lk::rpc_response::Value::Payload(payload.to_owned())
}

/// The one reply there must be.
#[expect(clippy::panic, reason = "a helper of tests")]
fn outcome(world: &mut World) -> Result<String, RpcFailure> {
    assert_eq!(world.replies.len(), 1, "exactly one reply");
    match world.replies.pop() {
        Some(Reply::RpcAnswered(outcome)) => outcome,
        other => panic!("an answer, not {other:?}"),
    }
}

#[test]
fn a_call_is_acknowledged_answered_and_over() {
    for ann in [join("ann"), single(join("ann"))] {
        let mut world = World::new();
        let ann = world.arrive(ann);
        let bob = world.arrive(join("bob"));
        perform(&mut world, call("ann"));
        let (request, caller) = asked(&world, ann);
        assert_eq!((request.method.as_str(), request.payload.as_str()), ("greet", "hello"));
        assert_eq!((request.version, request.response_timeout_ms), (1, 10_000));
        assert!(!caller.is_empty() && !request.id.is_empty());
        assert!(world.clients[bob].data().is_empty(), "nobody else hears of it");
        answer(&mut world, ann, &caller, ack(&request.id));
        // An acknowledged call may take longer than a sign of life.
        world.run(Duration::from_secs(9));
        assert!(world.replies.is_empty());
        answer(&mut world, ann, &caller, response(&request.id, text("hi")));
        assert_eq!(outcome(&mut world), Ok("hi".to_owned()));
        answer(&mut world, ann, &caller, response(&request.id, text("again")));
        world.run(Duration::from_secs(20));
        assert!(world.replies.is_empty(), "once");
        assert!(world.clients[bob].data().is_empty());
    }
}

#[test]
fn what_the_clients_handler_says_is_passed_on_and_bounded() {
    use lk::rpc_response::Value as Outcome;
    let mut world = World::new();
    let mute = RoomPermission { can_publish_data: false, ..permission() };
    let ann = world.arrive(Join { permission: mute, ..join("ann") });
    let own = lk::RpcError { code: 7, message: "no".to_owned(), data: "why".to_owned() };
    let long = lk::RpcError { code: 8, message: "ä".repeat(300), data: "x".repeat(20_000) };
    let rows = [
        (text("hi"), Ok("hi".to_owned())),
        (Outcome::Error(own), Err((7, 2, 3))),
        (Outcome::Error(long), Err((8, 256, 15_360))),
        (text(&"x".repeat(15_361)), Err((1504, 26, 0))),
        (Outcome::CompressedPayload(vec![1, 2]), Err((1404, 23, 0))),
    ];
    for (said, expected) in rows {
        perform(&mut world, call("ann"));
        let (request, caller) = asked(&world, ann);
        answer(&mut world, ann, &caller, response(&request.id, said));
        let outcome = outcome(&mut world);
        let outcome = outcome.map_err(|e| (e.code, e.message.len(), e.data.len()));
        assert_eq!(outcome, expected, "an answer of who may not send data is taken, too");
    }
}

#[test]
fn a_call_that_is_not_answered_fails_in_time() {
    let rows = [
        ("nothing comes", Duration::from_secs(10), false, 7, 1501),
        ("only the acknowledgement", Duration::from_secs(10), true, 10, 1502),
        ("nothing in a short time", Duration::from_secs(2), false, 2, 1502),
    ];
    for (what, response_timeout, acknowledged, seconds, code) in rows {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        let start = world.now.instant;
        perform(&mut world, RpcCall { response_timeout, ..call("ann") });
        if acknowledged {
            let (request, caller) = asked(&world, ann);
            answer(&mut world, ann, &caller, ack(&request.id));
        }
        let spent = world.now.instant - start;
        let left = Duration::from_secs(seconds).saturating_sub(spent);
        world.run(left.saturating_sub(Duration::from_millis(10)));
        assert!(world.replies.is_empty(), "{what}: not yet");
        world.run(Duration::from_millis(20));
        assert_eq!(outcome(&mut world).unwrap_err().code, code, "{what}");
    }
}

#[test]
fn a_call_to_who_leaves_fails_at_once() {
    let ways: [fn(&mut World, usize); 4] = [
        |world, ann| world.send(ann, Request::Leave(lk::LeaveRequest::default())),
        |world, _| {
            world.enter(join("ann"));
        },
        |world, _| {
            let dismiss = Command::DismissRoom { app: APP, room: room("r") };
            world.input(Input::Command(RequestId(8), dismiss));
            assert!(matches!(world.replies.pop(), Some(Reply::Done)));
        },
        |world, _| world.input(Input::Shutdown),
    ];
    for way in ways {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        perform(&mut world, call("ann"));
        way(&mut world, ann);
        assert_eq!(outcome(&mut world).unwrap_err().code, 1503);
        world.run(Duration::from_secs(20));
        assert!(world.replies.is_empty());
    }
}

#[test]
fn calls_that_cannot_be_made_are_refused() {
    let mut world = World::new();
    let with = |change: fn(&mut RpcCall)| {
        let mut call = call("ann");
        change(&mut call);
        call
    };
    assert!(matches!(
        world.command(Command::PerformRpc { app: APP, room: room("r"), call: call("ann") }),
        Reply::NoSuchRoom
    ));
    let ann = world.arrive(join("ann"));
    perform(&mut world, call("zoe"));
    assert!(matches!(world.replies.pop(), Some(Reply::NoSuchParticipant)));
    perform(&mut world, with(|call| call.payload = "x".repeat(15_361)));
    assert_eq!(outcome(&mut world).unwrap_err().code, 1402);
    let invalid = [
        with(|call| call.method.clear()),
        with(|call| call.method = "x".repeat(257)),
        with(|call| call.response_timeout = Duration::ZERO),
        with(|call| call.response_timeout = Duration::from_secs(61)),
    ];
    for call in invalid {
        perform(&mut world, call);
        assert!(matches!(world.replies.pop(), Some(Reply::Invalid(_))));
    }
    assert!(world.clients[ann].data().is_empty());
    perform(&mut world, with(|call| call.payload = "x".repeat(15_360)));
    assert_eq!(asked(&world, ann).0.payload.len(), 15_360);
}

#[test]
fn so_many_calls_wait_and_no_more() {
    let mut world = World::new();
    let mut users = Vec::new();
    // What one application has waiting does not keep another from calling, until all places are taken.
    for app in (1..=5).map(|n| SdkAppId(APP.0 + n)) {
        world.input(Input::Verdict(app, verdict(1)));
        users.push(world.arrive(Join { app, ..join("ann") }));
        let perform = |world: &mut World| {
            let command = Command::PerformRpc { app, room: room("r"), call: call("ann") };
            world.input(Input::Command(RequestId(7), command));
        };
        let places = if users.len() > 4 { 0 } else { 250 };
        for _ in 0..places {
            perform(&mut world);
        }
        assert!(world.replies.is_empty(), "{app}");
        perform(&mut world);
        assert_eq!(outcome(&mut world).unwrap_err().code, 1505, "{app}");
    }
    for ann in users {
        world.send(ann, Request::Leave(lk::LeaveRequest::default()));
    }
    assert_eq!(world.replies.len(), 1_000);
    assert_eq!(world.sfu.entries(), 0);
}

#[test]
fn nobody_else_answers_a_call() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    perform(&mut world, call("ann"));
    let (request, caller) = asked(&world, ann);
    answer(&mut world, bob, &caller, ack(&request.id));
    answer(&mut world, bob, &caller, response(&request.id, text("forged")));
    assert!(world.replies.is_empty());
    answer(&mut world, ann, &caller, response("another", text("strange")));
    assert!(world.replies.is_empty());
    answer(&mut world, ann, &caller, response(&request.id, text("true")));
    assert_eq!(outcome(&mut world), Ok("true".to_owned()));
}

#[test]
fn clients_call_each_other_as_before() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(single(join("bob")));
    let request = lk::RpcRequest {
        id: "theirs".to_owned(),
        method: "m".to_owned(),
        version: 1,
        ..Default::default()
    };
    answer(&mut world, bob, "ann", Value::RpcRequest(request));
    assert_eq!(asked(&world, ann).1, "bob");
    answer(&mut world, ann, "bob", ack("theirs"));
    answer(&mut world, ann, "bob", response("theirs", text("hi")));
    let got = world.clients[bob].data();
    assert_eq!(got.len(), 2);
    assert!(got.iter().all(|packet| packet.participant_identity == "ann"));
    assert!(matches!(got[1].value, Some(Value::RpcResponse(_))));
    assert!(world.replies.is_empty());
}

//! `LiveKit`'s server APIs: routes, tokens, grants, both encodings, standing, and their effect on live rooms.

use axum::body::Body;
use axum::http::Request;
use fermata_auth::{Claims, VideoGrant};
use fermata_node::signal_channel;
use fermata_server::dev::{API_KEY, API_SECRET};
use fermata_server::limits::{TWIRP_BODY_BYTES_MAX, TWIRP_LARGE_BODIES_MAX};
use fermata_server::twirp::method::METHODS;
use fermata_testkit::client::{ClientEvent, Session, SessionOptions};
use fermata_types::Now;
use livekit_protocol as lk;
use prost::Message as _;
use serde_json::{Value, json};

use crate::common::program::Program;
use crate::common::{Answer, InProcess, dev_token, join};

/// A token with this grant.
pub(crate) fn token(video: VideoGrant) -> String {
    let expires_at = Now::read().wall.as_second() + 600;
    let claims = Claims { expires_at, video, ..Claims::default() };
    fermata_auth::sign(&claims, API_KEY, API_SECRET)
}

/// A token that may do everything, in `room`.
pub(crate) fn all(room: &str) -> String {
    token(VideoGrant {
        room_create: true,
        room_list: true,
        room_admin: true,
        room: room.to_owned(),
        ..VideoGrant::default()
    })
}

async fn post(server: &InProcess, method: &str, token: &str, kind: &str, body: Vec<u8>) -> Answer {
    let mut request = Request::post(format!("/twirp/livekit.{method}"))
        .header("host", "localhost:7880")
        .header("content-type", kind);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    server.send(request.body(Body::from(body)).unwrap()).await
}

/// Calls a method of the room service with JSON, with every grant for `room`.
async fn call(server: &InProcess, method: &str, room: &str, body: Value) -> (u16, Value) {
    let method = format!("RoomService/{method}");
    let answer =
        post(server, &method, &all(room), "application/json", body.to_string().into()).await;
    (answer.status, answer.json())
}

/// Somebody in a room, without media; stays while the node runs.
async fn enter(server: &InProcess, identity: &str, room: &str) {
    let (sink, signals) = signal_channel();
    server.shared.node.join(join(&server.shared.node, identity, room), sink).await.unwrap();
    // Nobody reads what it is told; the queue is large enough.
    drop(tokio::spawn(async move {
        let mut signals = signals;
        while signals.recv().await.is_some() {}
    }));
}

#[tokio::test]
async fn routes_tokens_and_bodies_are_checked_in_this_order() {
    let server = InProcess::start(&[]).await;
    let good = all("r");
    let other_key = fermata_auth::sign(&Claims::default(), "nokey", "x");
    let json = "application/json";
    let rows: [(&str, &str, &str, &str, u16, &str); 9] = [
        ("RoomService/Nothing", "", "text/plain", "", 404, "bad_route"),
        ("Nothing/ListRooms", &good, json, "{}", 404, "bad_route"),
        ("RoomService/ListRooms", "", "text/plain", "{}", 404, "bad_route"),
        ("RoomService/ListRooms", "", json, "{", 401, "unauthenticated"),
        ("RoomService/ListRooms", "x.y.z", json, "{", 401, "unauthenticated"),
        ("RoomService/ListRooms", &other_key, json, "{}", 401, "unauthenticated"),
        ("RoomService/ListRooms", &good, json, "{", 400, "malformed"),
        ("RoomService/ListRooms", &good, "application/protobuf", "\u{1}", 400, "malformed"),
        ("RoomService/ListRooms", &good, "application/json; charset=utf-8", "{\"new\":1}", 200, ""),
    ];
    for (method, token, kind, body, status, code) in rows {
        let answer = post(&server, method, token, kind, body.into()).await;
        assert_eq!(answer.status, status, "{method} {kind} {body}: {answer:?}");
        if status != 200 {
            assert_eq!(answer.json()["code"], code, "{answer:?}");
            assert!(answer.json()["msg"].as_str().is_some_and(|text| !text.is_empty()));
            assert_eq!(answer.headers["content-type"], "application/json");
        }
    }
    let answer = server.ask("GET /twirp/livekit.RoomService/ListRooms", &[], None).await;
    assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("bad_route")));
    server.stop().await;
}

#[tokio::test]
async fn bodies_may_be_large_but_not_without_bound() {
    let server = InProcess::start(&[]).await;
    let metadata = "x".repeat(200 * 1024);
    let (status, room) =
        call(&server, "CreateRoom", "", json!({"name": "large", "metadata": metadata})).await;
    assert_eq!((status, room["metadata"].as_str().unwrap().len()), (200, metadata.len()));
    let body = vec![b' '; TWIRP_BODY_BYTES_MAX + 1];
    let answer = post(&server, "RoomService/CreateRoom", &all(""), "application/json", body).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("malformed")));
    server.stop().await;
}

#[tokio::test]
async fn only_so_many_large_bodies_are_read_and_none_without_a_grant() {
    let server = InProcess::start(&[]).await;
    // Whoever may only join a room: refused before the body is looked at.
    let guest = VideoGrant { room_join: true, room: "r".to_owned(), ..VideoGrant::default() };
    for method in ["RoomService/ListRooms", "RoomService/SendData", "RoomService/CreateRoom"] {
        let body = vec![b' '; TWIRP_BODY_BYTES_MAX + 1];
        let answer = post(&server, method, &token(guest.clone()), "application/json", body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("permission_denied")));
    }
    let endless = || {
        let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = Request::post("/twirp/livekit.RoomService/ListRooms")
            .header("host", "localhost:7880")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", all("r")));
        Box::pin(server.send(request.body(Body::from_stream(never)).unwrap()))
    };
    let reading = futures_util::future::join_all((0..TWIRP_LARGE_BODIES_MAX).map(|_| endless()));
    let futures_util::future::Either::Right((answer, reading)) =
        futures_util::future::select(reading, endless()).await
    else {
        panic!("a body without end was read");
    };
    assert_eq!((answer.status, &answer.json()["code"]), (429, &json!("resource_exhausted")));
    // Small ones are not held up.
    assert_eq!(call(&server, "ListRooms", "", json!({})).await.0, 200);
    drop(reading);
    let large = json!({ "names": ["x".repeat(100 << 10)] });
    assert_eq!(call(&server, "ListRooms", "", large).await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn every_method_needs_its_grant() {
    let server = InProcess::start(&[]).await;
    enter(&server, "ann", "r").await;
    let named = |room: &str| VideoGrant { room: room.to_owned(), ..VideoGrant::default() };
    let admin = |room: &str| VideoGrant { room_admin: true, ..named(room) };
    let creator = VideoGrant { room_create: true, ..VideoGrant::default() };
    let lister = VideoGrant { room_list: true, ..VideoGrant::default() };
    let moving = VideoGrant { destination_room: "s".to_owned(), ..admin("r") };
    let create = json!({"name": "r"});
    let who = json!({"room": "r", "identity": "ann"});
    let transfer = json!({"room": "r", "identity": "ann", "destinationRoom": "s"});
    let same = json!({"room": "r", "identity": "ann", "destinationRoom": "r"});
    let to_itself = VideoGrant { destination_room: "r".to_owned(), ..admin("r") };
    let rows = [
        ("RoomService/CreateRoom", &create, lister.clone(), 403),
        ("RoomService/CreateRoom", &create, admin("r"), 403),
        ("RoomService/CreateRoom", &create, creator.clone(), 200),
        ("RoomService/ListRooms", &json!({}), creator.clone(), 403),
        ("RoomService/ListRooms", &json!({}), lister, 200),
        ("RoomService/DeleteRoom", &json!({"room": "r"}), admin("r"), 403),
        ("RoomService/GetParticipant", &who, named("r"), 403),
        ("RoomService/GetParticipant", &who, admin("s"), 403),
        ("RoomService/GetParticipant", &who, admin(""), 403),
        ("RoomService/GetParticipant", &who, admin("r"), 200),
        ("AgentDispatchService/ListDispatch", &json!({"room": "r"}), creator, 403),
        ("AgentDispatchService/ListDispatch", &json!({"room": "r"}), admin("r"), 200),
        ("RoomService/MoveParticipant", &transfer, admin("r"), 403),
        ("RoomService/MoveParticipant", &transfer, moving.clone(), 501),
        ("RoomService/ForwardParticipant", &transfer, moving, 501),
        ("RoomService/ForwardParticipant", &same, to_itself, 400),
    ];
    for (method, body, grant, status) in rows {
        let body = body.to_string().into();
        let answer = post(&server, method, &token(grant.clone()), "application/json", body).await;
        assert_eq!(answer.status, status, "{method} with {grant:?}: {answer:?}");
        if status == 403 {
            assert_eq!(answer.json()["code"], "permission_denied");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn rooms_in_both_encodings() {
    let server = InProcess::start(&[]).await;
    let ask = lk::CreateRoomRequest {
        name: "int/7".to_owned(),
        empty_timeout: 30,
        departure_timeout: 5,
        max_participants: 2,
        metadata: "first".to_owned(),
        min_playout_delay: 100,
        sync_streams: true,
        ..Default::default()
    };
    let protobuf = "application/protobuf";
    let create = "RoomService/CreateRoom";
    let mut request = Request::post("/twirp/livekit.RoomService/CreateRoom")
        .header("host", "localhost:7880")
        .header("content-type", protobuf)
        .header("authorization", format!("Bearer {}", all("")));
    request.headers_mut().unwrap();
    let mut request = request.body(Body::from(ask.encode_to_vec())).unwrap();
    request
        .extensions_mut()
        .insert(axum::extract::ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 9))));
    let response = tower::ServiceExt::oneshot(server.router.clone(), request).await.unwrap();
    assert_eq!(response.headers()["content-type"], protobuf);
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let room = lk::Room::decode(bytes).unwrap();
    assert_eq!((room.name.as_str(), room.empty_timeout, room.max_participants), ("int/7", 30, 2));

    // Made again: the same one, as it is.
    let body = json!({"name": "int/7", "metadata": "second"}).to_string().into();
    let again = post(&server, create, &all(""), "application/json", body).await.json();
    assert_eq!((&again["sid"], &again["metadata"]), (&json!(room.sid), &json!("first")));
    call(&server, "CreateRoom", "", json!({"name": "b"})).await;
    let (_, listed) = call(&server, "ListRooms", "", json!({})).await;
    assert_eq!(listed["rooms"].as_array().unwrap().len(), 2);
    let (_, listed) = call(&server, "ListRooms", "", json!({"names": ["b", "c"]})).await;
    assert_eq!(listed["rooms"].as_array().unwrap().len(), 1);
    let (status, changed) =
        call(&server, "UpdateRoomMetadata", "b", json!({"room": "b", "metadata": "new"})).await;
    assert_eq!((status, &changed["metadata"]), (200, &json!("new")));
    assert_eq!(call(&server, "DeleteRoom", "", json!({"room": "b"})).await.0, 200);
    let (status, error) = call(&server, "DeleteRoom", "", json!({"room": "b"})).await;
    assert_eq!((status, &error["code"]), (404, &json!("not_found")));
    server.stop().await;
}

#[tokio::test]
async fn people_are_listed_changed_and_removed_for_good() {
    let server = InProcess::start(&[]).await;
    enter(&server, "ann", "r").await;
    enter(&server, "ben", "r").await;
    let old = dev_token("ann", "r");
    let who = json!({"room": "r", "identity": "ann"});
    let (_, listed) = call(&server, "ListParticipants", "r", json!({"room": "r"})).await;
    assert_eq!(listed["participants"].as_array().unwrap().len(), 2);
    let change = json!({"room": "r", "identity": "ann", "name": "Ann", "attributes": {"a": "1"}});
    let (status, changed) = call(&server, "UpdateParticipant", "r", change).await;
    assert_eq!(
        (status, &changed["name"], &changed["attributes"]["a"]),
        (200, &json!("Ann"), &json!("1"))
    );
    let (status, _) = call(&server, "RemoveParticipant", "r", who.clone()).await;
    assert_eq!(status, 200);
    let validate = format!("GET /rtc/validate?access_token={old}");
    let refused = server.ask(&validate, &[], None).await;
    assert!(refused.status == 403 && refused.text.starts_with("revoked: "), "{refused:?}");
    for (method, body) in [
        ("GetParticipant", who.clone()),
        ("RemoveParticipant", who),
        ("UpdateParticipant", json!({"room": "r", "identity": "cleo", "name": "x"})),
        (
            "MutePublishedTrack",
            json!({"room": "r", "identity": "ben", "trackSid": "TR_x", "muted": true}),
        ),
        ("PerformRpc", json!({"room": "r", "destinationIdentity": "cleo", "method": "m"})),
        ("UpdateSubscriptions", json!({"room": "r", "identity": "cleo", "trackSids": ["TR_x"]})),
    ] {
        let (status, error) = call(&server, method, "r", body).await;
        assert_eq!((status, &error["code"]), (404, &json!("not_found")), "{method}: {error}");
    }
    for method in ["ListParticipants", "SendData", "UpdateRoomMetadata"] {
        let (status, error) = call(&server, method, "gone", json!({"room": "gone"})).await;
        assert_eq!((status, &error["code"]), (404, &json!("not_found")), "{method}: {error}");
    }
    server.stop().await;
}

#[tokio::test]
async fn arguments_that_cannot_be_used_are_named() {
    let server = InProcess::start(&[]).await;
    enter(&server, "ann", "r").await;
    let agents = vec![json!({"agentName": "a"}); 17];
    let rows = [
        ("CreateRoom", "", json!({"name": ""}), 400, "the room name is empty"),
        ("CreateRoom", "", json!({"name": "int/0"}), 400, "int/ takes a number"),
        ("CreateRoom", "", json!({"name": "x".repeat(257)}), 400, "257 bytes"),
        ("CreateRoom", "", json!({"name": "n", "metadata": "x".repeat(600_000)}), 400, "metadata"),
        ("CreateRoom", "", json!({"name": "n", "agents": agents}), 400, "17 agents"),
        (
            "CreateRoom",
            "",
            json!({"name": "n", "roomPreset": "p"}),
            501,
            "room_preset is not implemented",
        ),
        ("CreateRoom", "", json!({"name": "n", "egress": {}}), 501, "egress is not implemented"),
        ("SendData", "r", json!({"room": "r", "nonce": "AAAA"}), 400, "the nonce has 3 bytes"),
        ("SendData", "r", json!({"room": "r", "kind": 7}), 400, "RELIABLE"),
        ("PerformRpc", "r", json!({"room": "r"}), 400, "destination_identity is required"),
        (
            "PerformRpc",
            "r",
            json!({"room": "r", "destinationIdentity": "ann", "responseTimeoutMs": 60_000}),
            400,
            "response_timeout_ms is 60000; at most 18000",
        ),
    ];
    for (method, room, body, status, words) in rows {
        let (got, error) = call(&server, method, room, body).await;
        let text = error["msg"].as_str().unwrap_or_default();
        assert!(got == status && text.contains(words), "{method}: {got} {error}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let server = InProcess::start(&[]).await;
    for method in METHODS.iter().filter(|method| !method.is_built()) {
        let name = format!("{}/{}", method.service, method.name);
        let body = json!({"room": "r", "destinationRoom": "d"}).to_string();
        let grant = VideoGrant {
            room_admin: true,
            room: "r".to_owned(),
            destination_room: "d".to_owned(),
            ..VideoGrant::default()
        };
        let answer = post(&server, &name, &token(grant), "application/json", body.into()).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (501, &json!("unimplemented")),
            "{name}"
        );
        assert_eq!(post(&server, &name, "", "application/json", "{}".into()).await.status, 401);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_suspended_application_can_still_close_and_remove() {
    let server = InProcess::start(&[]).await;
    enter(&server, "ann", "r").await;
    enter(&server, "ben", "r").await;
    let disable = server.api("POST /apps/1400000001/disable", Some(&json!({}))).await;
    assert_eq!(disable.status, 200, "{disable:?}");
    let who = json!({"room": "r", "identity": "ann"});
    let rows = [
        ("RoomService/CreateRoom", json!({"name": "n"}), 412),
        ("AgentDispatchService/CreateDispatch", json!({"room": "r", "agentName": "a"}), 412),
        ("RoomService/UpdateParticipant", who.clone(), 412),
        ("RoomService/UpdateSubscriptions", who.clone(), 412),
        ("RoomService/SendData", json!({"room": "r"}), 412),
        ("RoomService/UpdateRoomMetadata", json!({"room": "r"}), 412),
        ("RoomService/PerformRpc", who.clone(), 412),
        ("RoomService/ListRooms", json!({}), 200),
        ("RoomService/ListParticipants", json!({"room": "r"}), 200),
        ("RoomService/GetParticipant", who.clone(), 200),
        ("AgentDispatchService/ListDispatch", json!({"room": "r"}), 200),
        ("RoomService/RemoveParticipant", who, 200),
        ("RoomService/DeleteRoom", json!({"room": "r"}), 200),
    ];
    for (method, body, status) in rows {
        let body = body.to_string().into();
        let answer = post(&server, method, &all("r"), "application/json", body).await;
        assert_eq!(answer.status, status, "{method}: {answer:?}");
        if status == 412 {
            let error = answer.json();
            assert_eq!(error["code"], "failed_precondition");
            assert_eq!(error["meta"]["reasons"], "app_disabled");
            let text = error["msg"].as_str().unwrap();
            assert!(text.contains("app_disabled: ") && text.contains("enable it again"), "{text}");
        }
    }
    server.api("POST /apps/1400000001/enable", Some(&json!({}))).await;
    assert_eq!(call(&server, "CreateRoom", "", json!({"name": "n"})).await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn applications_do_not_see_each_others_rooms() {
    let server = InProcess::start(&[]).await;
    enter(&server, "ann", "r").await;
    let account = server.api("POST /accounts", Some(&json!({"name": "Other"}))).await.json();
    let path = format!("POST /accounts/{}/apps", account["id"].as_str().unwrap());
    let app = server.api(&path, Some(&json!({"name": "App"}))).await.json();
    let grant = VideoGrant { room_list: true, room_create: true, ..VideoGrant::default() };
    let expires_at = Now::read().wall.as_second() + 600;
    let claims = Claims { expires_at, video: grant, ..Claims::default() };
    let (key, secret) = (app["api_key"].as_str().unwrap(), app["api_secret"].as_str().unwrap());
    let theirs = fermata_auth::sign(&claims, key, secret);
    let list = "RoomService/ListRooms";
    let answer = post(&server, list, &theirs, "application/json", "{}".into()).await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let body = json!({"room": "r"}).to_string().into();
    let answer = post(&server, "RoomService/DeleteRoom", &theirs, "application/json", body).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    server.stop().await;
}

/// Calls a method of a server behind sockets.
pub(crate) fn call_program(
    program: &Program,
    method: &str,
    room: &str,
    body: &Value,
) -> (u16, Value) {
    let authorization = format!("Bearer {}", all(room));
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let path = format!("POST /twirp/livekit.{method}");
    let (status, text) = program.ask(&path, &headers, &body.to_string());
    (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}

#[tokio::test]
async fn data_of_the_server_reaches_a_client() {
    let program = Program::serve(&["--dev"]);
    let url = format!("ws://{}", program.address());
    let options = SessionOptions::new(&url, &dev_token("ann", "r"));
    let mut ann = Session::connect(options).await.unwrap();
    let patience = std::time::Duration::from_secs(30);
    ann.wait_for(patience, |event| matches!(event, ClientEvent::Connected(_)).then_some(()))
        .await
        .unwrap();
    let body =
        json!({"room": "r", "data": "aGVsbG8=", "topic": "news", "destinationIdentities": ["ann"]});
    let (status, answer) = call_program(&program, "RoomService/SendData", "r", &body);
    assert_eq!(status, 200, "{answer}");
    let packet = ann
        .wait_for(patience, |event| match event {
            ClientEvent::Data { packet, .. } => Some(packet.clone()),
            _ => None,
        })
        .await
        .unwrap();
    let Some(lk::data_packet::Value::User(user)) = packet.value else { panic!("{packet:?}") };
    assert_eq!((user.payload.as_slice(), user.topic.as_deref()), (&b"hello"[..], Some("news")));
    ann.leave().await;
}

//! The client paths in process: refusals, CORS, the exchange of a UserSig, pages, health, development mode's guard.

use crate::common::{Answer, InProcess, claims, dev_token};
use axum::http::Request;
use fermata_auth::{PrivateMap, Privileges, UserSig, sign, verify};
use fermata_server::dev::{API_KEY, API_SECRET, SDK_APP_ID, USERSIG_KEY};
use fermata_types::{Now, Role, RoomName};
use serde_json::{Value, json};

fn now_s() -> i64 {
    Now::read().wall.as_second()
}

/// Tokens and the code that each is refused with.
fn bad_tokens() -> Vec<(&'static str, String, u16, &'static str)> {
    let expired = fermata_auth::Claims { expires_at: now_s() - 61, ..claims("ann", "r") };
    let early = fermata_auth::Claims { not_before: Some(now_s() + 90), ..claims("ann", "r") };
    let mut no_join = claims("ann", "r");
    no_join.video.room_join = false;
    let dev = |claims| sign(&claims, API_KEY, API_SECRET);
    vec![
        ("none", String::new(), 401, "token_missing"),
        ("no JWT", "abc".to_owned(), 401, "token_invalid"),
        ("wrong secret", sign(&claims("ann", "r"), API_KEY, "other"), 401, "token_invalid"),
        ("unknown key", sign(&claims("ann", "r"), "nokey", API_SECRET), 401, "key_unknown"),
        ("expired", dev(expired), 401, "token_expired"),
        ("not yet", dev(early), 401, "token_expired"),
        ("no roomJoin", dev(no_join), 401, "join_not_granted"),
        ("no room", dev(claims("ann", "")), 400, "room_name_invalid"),
        ("long room", dev(claims("ann", &"r".repeat(257))), 400, "room_name_invalid"),
        ("no integer", dev(claims("ann", "int/0")), 400, "room_name_invalid"),
        ("no identity", dev(claims("", "r")), 400, "identity_missing"),
        ("long identity", dev(claims(&"x".repeat(257), "r")), 400, "identity_too_long"),
    ]
}

#[tokio::test]
async fn refusals_have_status_code_and_the_form_asked_for() {
    let server = InProcess::start(&[]).await;
    for (what, token, status, code) in bad_tokens() {
        let path = format!("GET /rtc/validate?access_token={token}");
        let text = server.ask(&path, &[], None).await;
        assert_eq!(text.status, status, "{what}: {text:?}");
        assert!(text.text.starts_with(&format!("{code}: ")), "{what}: {text:?}");
        assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(text.headers["access-control-allow-origin"], "*");
        let json = server.ask(&path, &[("accept", "application/json")], None).await;
        assert_eq!((json.status, json.json()["code"].as_str()), (status, Some(code)), "{what}");
        let bearer = format!("Bearer {token}");
        let by_header = server.ask("GET /rtc/validate", &[("authorization", &bearer)], None).await;
        assert_eq!((by_header.status, &by_header.text), (status, &text.text), "{what}");
    }
    server.stop().await;
}

#[tokio::test]
async fn validate_says_what_the_websocket_would_say_and_changes_nothing() {
    let server = InProcess::start(&[]).await;
    let token = dev_token("ann", "r");
    for path in ["/rtc/validate", "//rtc//validate"] {
        let answer = server.ask(&format!("GET {path}?access_token={token}"), &[], None).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "success"), "{path}");
    }
    let rooms = server.api("GET /apps/1400000001/rooms", None).await.json();
    assert_eq!(rooms["items"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn rooms_are_not_created_when_configured_so() {
    let server = InProcess::start(&[("auto_create", "false")]).await;
    let mut may_create = claims("ann", "r");
    let refused = sign(&may_create, API_KEY, API_SECRET);
    may_create.video.room_create = true;
    let admitted = sign(&may_create, API_KEY, API_SECRET);
    let refused = server.ask(&format!("GET /rtc/validate?access_token={refused}"), &[], None).await;
    assert_eq!(refused.status, 404);
    assert!(refused.text.starts_with("room_missing: "));
    let admitted =
        server.ask(&format!("GET /rtc/validate?access_token={admitted}"), &[], None).await;
    assert_eq!(admitted.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn websocket_paths_are_not_found_without_an_upgrade() {
    let server = InProcess::start(&[]).await;
    for path in ["/rtc", "/rtc/v1", "//rtc"] {
        let answer = server
            .ask(&format!("GET {path}?access_token={}", dev_token("a", "r")), &[], None)
            .await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text.contains("requested room does not exist"));
    }
    server.stop().await;
}

#[tokio::test]
async fn cors_is_for_client_paths_alone() {
    let server = InProcess::start(&[("dev", "false"), ("data_dir", "/nonexistent")]).await;
    let preflight = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,x-anything"),
    ];
    for path in ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate", "/usersig/token"] {
        let answer = server.ask(&format!("OPTIONS {path}"), &preflight, None).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
        assert_eq!(
            answer.headers["access-control-allow-headers"], "authorization,x-anything",
            "{path}"
        );
    }
    for path in ["/", "/healthz", "/metrics", "/meet", "/api/v1/accounts"] {
        let answer = server.ask(&format!("GET {path}"), &preflight[..1], None).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn development_mode_answers_this_machine_alone() {
    let server = InProcess::start(&[]).await;
    let check = async |headers: &[(&str, &str)], status: u16| {
        for path in
            ["/", "/rtc/validate", "/api/v1/accounts", "/usersig/token", "/meet", "/metrics"]
        {
            let answer = server.ask(&format!("GET {path}"), headers, None).await;
            assert_eq!(answer.status == 403, status == 403, "{path} {headers:?}: {answer:?}");
        }
    };
    check(&[("host", "localhost:7880")], 200).await;
    check(&[("host", "127.0.0.1:7880"), ("origin", "http://localhost:5173")], 200).await;
    check(&[("host", "[::1]:7880")], 200).await;
    check(&[("host", "rebound.example")], 403).await;
    check(&[("host", "localhost"), ("origin", "https://evil.example")], 403).await;
    check(&[("host", "localhost"), ("origin", "null")], 403).await;
    check(&[("host", "evil.example"), ("x-forwarded-host", "localhost")], 403).await;
    let without_host = Request::get("/").body(axum::body::Body::empty()).unwrap();
    assert_eq!(server.send(without_host).await.status, 403);
    server.stop().await;
}

async fn exchange(server: &InProcess, body: &Value) -> Answer {
    server.ask("POST /usersig/token", &[], Some(body)).await
}

fn user_sig(user: &str, made_at: i64, lifetime_s: i64) -> String {
    let sig =
        UserSig { user_id: user.to_owned(), app: SDK_APP_ID, made_at, lifetime_s, user_buf: None };
    sig.sign(USERSIG_KEY)
}

fn body(user: &str, role: &str) -> Value {
    let sig = user_sig(user, now_s(), 86_400);
    json!({"sdk_app_id": SDK_APP_ID.0, "user_id": user, "user_sig": sig, "room": "r", "role": role})
}

fn with(mut body: Value, key: &str, value: impl Into<Value>) -> Value {
    body[key] = value.into();
    body
}

fn without(mut body: Value, key: &str) -> Value {
    body.as_object_mut().unwrap().remove(key);
    body
}

#[tokio::test]
async fn a_user_sig_is_exchanged_for_the_rights_of_its_role() {
    let server = InProcess::start(&[]).await;
    for (role, publishes) in [("anchor", true), ("audience", false)] {
        let answer = exchange(&server, &body("ann", role)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        assert_eq!(answer["url"], "ws://localhost:7880");
        assert_eq!((&answer["room"], &answer["identity"]), (&json!("r"), &json!("ann")));
        let token = answer["token"].as_str().unwrap();
        let claims = verify(token, API_SECRET, Now::read().wall).unwrap();
        assert_eq!(claims.video.may_publish(), publishes);
        assert_eq!(claims.video.may_publish_data(), publishes);
        assert!(claims.video.may_subscribe());
        assert_eq!(claims.role, Some(if publishes { Role::Anchor } else { Role::Audience }));
        let validated =
            server.ask(&format!("GET /rtc/validate?access_token={token}"), &[], None).await;
        assert_eq!(validated.status, 200);
    }
    let integer =
        exchange(&server, &with(without(body("ann", "anchor"), "room"), "room_id", 7)).await;
    assert_eq!(integer.json()["room"], "int/7");
    server.stop().await;
}

#[tokio::test]
async fn what_a_user_sig_does_not_give_is_refused() {
    let server = InProcess::start(&[]).await;
    let good = || body("ann", "anchor");
    let old = user_sig("ann", now_s() - 1000, 900);
    let rows: Vec<(Value, u16, &str)> = vec![
        (with(good(), "user_sig", "garbage"), 401, "usersig_invalid"),
        (with(good(), "user_sig", user_sig("bob", now_s(), 900)), 401, "usersig_invalid"),
        (with(good(), "user_sig", old), 401, "usersig_expired"),
        (with(good(), "sdk_app_id", 7), 401, "usersig_invalid"),
        (with(good(), "user_id", ""), 400, "identity_missing"),
        (body(&"x".repeat(33), "anchor"), 400, "identity_too_long"),
        (with(good(), "room", "r".repeat(65)), 400, "room_name_invalid"),
        (with(good(), "room", ""), 400, "room_name_invalid"),
        (with(good(), "room", "int/7"), 400, "room_name_invalid"),
        (with(good(), "room_id", 7), 400, "room_name_invalid"),
        (with(without(good(), "room"), "room_id", 0), 400, "room_name_invalid"),
        (without(good(), "room"), 400, "room_name_invalid"),
        (with(good(), "role", "king"), 400, "request_invalid"),
        (with(good(), "rool", "anchor"), 400, "request_invalid"),
        (with(good(), "private_map_key", "garbage"), 401, "usersig_invalid"),
    ];
    for (body, status, code) in rows {
        let answer = exchange(&server, &body).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (status, Some(code)),
            "{body}: {answer:?}"
        );
    }
    assert_eq!(server.api("POST /apps/1400000001/disable", None).await.status, 200);
    let disabled = exchange(&server, &good()).await;
    assert_eq!((disabled.status, disabled.json()["code"].as_str()), (403, Some("app_disabled")));
    server.stop().await;
}

/// A ticket of ten minutes.
fn private_map_key(user: &str, room: &str, privileges: u32) -> String {
    let map = PrivateMap {
        user_id: user.to_owned(),
        app: SDK_APP_ID,
        room: RoomName::parse(room).unwrap(),
        expires_at: u32::try_from(now_s() + 600).unwrap(),
        privileges: Privileges(privileges),
        account_type: 0,
    };
    map.sign(USERSIG_KEY, now_s())
}

#[tokio::test]
async fn a_private_map_key_without_the_create_bit_makes_no_room() {
    // Rooms come into being by being joined here, as by default.
    let server = InProcess::start(&[]).await;
    let ask = async |privileges: u32| {
        let key = private_map_key("ann", "r", privileges);
        exchange(&server, &with(body("ann", "anchor"), "private_map_key", key)).await
    };
    let refused = ask(255 - 1).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (404, Some("room_missing")));
    assert_eq!(ask(255).await.status, 200);

    // Somebody opens the room; now the ticket is good, and so is its token, until the room is gone.
    let host = crate::common::join(&server.shared.node, "host", "r");
    let (sink, _signals) = fermata_node::signal_channel();
    server.shared.node.join(host, sink).await.unwrap();
    let answer = ask(255 - 1).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert!(verify(&token, API_SECRET, Now::read().wall).unwrap().creation_denied);
    let validate = format!("GET /rtc/validate?access_token={token}");
    assert_eq!(server.ask(&validate, &[], None).await.status, 200);
    assert!(server.api("DELETE /apps/1400000001/rooms/r", None).await.status < 300);
    let gone = server.ask(&validate, &[], None).await;
    assert_eq!(gone.status, 404, "{gone:?}");
    assert!(gone.text.starts_with("room_missing: "), "{gone:?}");
    server.stop().await;
}

#[tokio::test]
async fn limits_are_those_configured() {
    let check = async |flag: &'static str, second: (&str, &str), status: u16, code: &str| {
        let server = InProcess::start(&[(flag, "1")]).await;
        let host = crate::common::join(&server.shared.node, "host", "r");
        let (sink, _signals) = fermata_node::signal_channel();
        server.shared.node.join(host, sink).await.unwrap();
        let path = format!("GET /rtc/validate?access_token={}", dev_token(second.0, second.1));
        let answer = server.ask(&path, &[], None).await;
        assert_eq!(answer.status, status, "{flag}: {answer:?}");
        assert!(answer.text.starts_with(code), "{flag}: {answer:?}");
        server.stop().await;
    };
    check("rooms_max", ("ann", "other"), 503, "node_full: ").await;
    check("participants_max", ("ann", "r"), 503, "node_full: ").await;
    check("live_users_max", ("ann", "r"), 403, "room_full: ").await;
}

#[tokio::test]
async fn a_private_map_key_narrows_the_rights_and_can_be_required() {
    let server = InProcess::start(&[]).await;
    let map = |room: &str, privileges: u32| private_map_key("ann", room, privileges);
    server.api("PATCH /apps/1400000001", Some(&json!({"private_map_required": true}))).await;
    let missing = exchange(&server, &body("ann", "anchor")).await;
    assert_eq!((missing.status, missing.json()["code"].as_str()), (401, Some("usersig_invalid")));
    // Make the room, enter, send and receive sound.
    let answer =
        exchange(&server, &with(body("ann", "anchor"), "private_map_key", map("r", 1 + 2 + 4 + 8)))
            .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let claims = verify(&token, API_SECRET, Now::read().wall).unwrap();
    assert_eq!(claims.video.can_publish_sources, vec![fermata_auth::Source::Microphone]);
    assert!(claims.expires_at <= now_s() + 600, "it does not outlive the ticket");
    for bad in [map("other", 255), map("r", 1)] {
        let answer = exchange(&server, &with(body("ann", "anchor"), "private_map_key", bad)).await;
        assert_eq!(answer.status, 401);
    }
    server.stop().await;
}

#[tokio::test]
async fn health_tells_the_truth() {
    let server = InProcess::start(&[]).await;
    for method in ["GET", "HEAD"] {
        let root = server.ask(&format!("{method} /"), &[], None).await;
        assert_eq!(root.status, 200);
        assert_eq!(root.text, if method == "GET" { "OK" } else { "" });
    }
    let ready = server.ask("GET /readyz", &[], None).await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ok")));
    server.shared.stop();
    let ready = server.ask("GET /readyz", &[], None).await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("stopping")));
    let token = dev_token("ann", "r");
    let refused = server.ask(&format!("GET /rtc/validate?access_token={token}"), &[], None).await;
    assert_eq!(refused.status, 503);
    assert!(refused.text.starts_with("unavailable: "));
    server.stop().await;

    let server = InProcess::start(&[]).await;
    server.shared.store.close().await.unwrap();
    let (ready, health) =
        (server.ask("GET /readyz", &[], None).await, server.ask("GET /healthz", &[], None).await);
    assert_eq!((ready.status, &ready.json()["store"]), (503, &json!("failing")));
    assert_eq!(health.status, 200, "a restart would not help");
    server.shared.node.shutdown().await;
    let health = server.ask("GET /healthz", &[], None).await;
    assert_eq!((health.status, &health.json()["node"]), (503, &json!("failing")));
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_operators() {
    let server = InProcess::start(&[("dev", "false"), ("data_dir", "/nonexistent")]).await;
    let local = server.ask("GET /metrics", &[], None).await;
    assert_eq!(local.status, 200);
    assert!(local.text.contains("\nfermata_rooms 0\n"), "{}", local.text);
    for headers in [
        vec![("host", "rtc.example.org")],
        vec![("host", "localhost"), ("x-forwarded-for", "203.0.113.9")],
        vec![("host", "rtc.example.org"), ("authorization", "Bearer wrong")],
    ] {
        assert_eq!(server.ask("GET /metrics", &headers, None).await.status, 401, "{headers:?}");
    }
    let operator = [("host", "rtc.example.org"), ("authorization", "Bearer dev-operator")];
    assert_eq!(server.ask("GET /metrics", &operator, None).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn pages_come_from_a_folder_with_their_headers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    std::fs::write(folder.path().join("index.html"), "<title>page</title>").unwrap();
    std::fs::write(folder.path().join("assets/a-1.js"), "1").unwrap();
    let server = InProcess::start(&[("meet_dir", folder.path().to_str().unwrap())]).await;
    for path in ["/meet", "/meet/", "/meet/standup", "/meet/int/7"] {
        let page = server.ask(&format!("GET {path}"), &[], None).await;
        assert_eq!((page.status, page.text.as_str()), (200, "<title>page</title>"), "{path}");
        assert_eq!(page.headers["cache-control"], "no-cache");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("connect-src"));
    }
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let start = server.ask("GET /", &browser, None).await;
    assert_eq!((start.status, &start.headers["location"]), (303, &"/meet/".parse().unwrap()));
    assert_eq!(server.ask("GET /", &[("accept", "*/*")], None).await.text, "OK");
    let asset = server.ask("GET /meet/assets/a-1.js", &[], None).await;
    assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert!(asset.headers["content-type"].to_str().unwrap().starts_with("text/javascript"));
    for path in ["/meet/assets/none.js", "/meet/..%2F..%2Fetc%2Fpasswd.x", "/console", "/nothing"] {
        assert_eq!(server.ask(&format!("GET {path}"), &[], None).await.status, 404, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_a_page_the_server_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = InProcess::start(&[("meet_dir", folder.path().to_str().unwrap())]).await;
    let page = server.ask("GET /meet", &[], None).await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("cargo xtask web"), "{}", page.text);
    assert_eq!(server.ask("GET /healthz", &[], None).await.json()["meet"], "absent");
    server.stop().await;
}

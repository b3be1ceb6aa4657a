//! The vendor's server API over the router: signatures, checks in their order, and what each action answers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::Request;
use fermata_auth::{tc_legacy, tc3};
use fermata_node::signal_channel;
use fermata_sfu::io::{Command, Reply};
use fermata_store::{ApiSecret, SecretPolicy};
use fermata_trtc::action::{Service, Status};
use fermata_types::{AccountId, Now, SdkAppId};
use serde_json::{Value, json};

use crate::common::{self, Answer, InProcess};
use fermata_server::dev;

const HOST: &str = "localhost:7880";
const TRTC: (&str, &str) = ("trtc", "2019-07-22");
const BILLING: (&str, &str) = ("billing", "2018-07-09");

/// A program of a customer.
struct Caller<'a> {
    server: &'a InProcess,
    id: String,
    key: String,
}

/// How a request is to differ from a good one.
#[derive(Default)]
struct Twist {
    /// Seconds to add to the time.
    skew: i64,
    /// Method; POST if empty.
    method: &'static str,
    /// `X-TC-Language`.
    language: &'static str,
    /// Leave the body out of the signature.
    unsigned: bool,
}

impl<'a> Caller<'a> {
    /// The pair of development mode.
    fn dev(server: &'a InProcess) -> Self {
        Self { server, id: dev::SECRET_ID.to_owned(), key: dev::SECRET_KEY.to_owned() }
    }

    /// A new pair of an account.
    async fn new(server: &'a InProcess, account: &str, policy: SecretPolicy, apps: &[u32]) -> Self {
        let count =
            server.shared.store.list_secrets(AccountId::from_text(account)).await.unwrap().len();
        let secret = ApiSecret {
            secret_id: format!("AKID{}{count}", account.replace('_', "")),
            account: AccountId::from_text(account),
            name: "test".to_owned(),
            policy,
            apps: apps.iter().copied().map(SdkAppId).collect(),
            secret_key: format!("key-of-{account}-{count}-0123456789"),
            created_at: Now::read().wall,
            revoked_at: None,
        };
        let secret = server.shared.store.create_secret(secret).await.unwrap();
        server.shared.directory.put_secret(&secret);
        Self { server, id: secret.secret_id, key: secret.secret_key }
    }

    /// Calls with JSON and TC3; answers what stands in `Response`.
    async fn call(&self, action: &str, params: Value) -> Value {
        let service = if Service::Billing.actions().iter().any(|known| known.name == action) {
            BILLING
        } else {
            TRTC
        };
        self.twisted(service, action, params.to_string(), Twist::default()).await
    }

    /// Calls and answers the code, `OK` if there is none.
    async fn code(&self, action: &str, params: Value) -> String {
        code(&self.call(action, params).await)
    }

    async fn twisted(
        &self,
        service: (&str, &str),
        action: &str,
        text: String,
        twist: Twist,
    ) -> Value {
        let timestamp = Now::read().wall.as_second() + twist.skew;
        let method = if twist.method.is_empty() { "POST" } else { twist.method };
        let get = method == "GET";
        let kind = if get { "application/x-www-form-urlencoded" } else { "application/json" };
        let (query, body) = if get { (text.as_str(), "") } else { ("", text.as_str()) };
        let time = timestamp.to_string();
        let mut headers = vec![
            ("content-type", kind),
            ("host", HOST),
            ("x-tc-action", action),
            ("x-tc-version", service.1),
            ("x-tc-timestamp", time.as_str()),
            ("x-tc-region", "ap-guangzhou"),
        ];
        if twist.unsigned {
            headers.push(("x-tc-content-sha256", "UNSIGNED-PAYLOAD"));
        }
        if !twist.language.is_empty() {
            headers.push(("x-tc-language", twist.language));
        }
        let parts = tc3::RequestParts {
            method,
            path: "/",
            query,
            headers: &headers,
            body: body.as_bytes(),
        };
        let signed = ["content-type", "host"];
        let authorization =
            tc3::sign(&self.id, &self.key, service.0, timestamp, &signed, &parts).unwrap();
        headers.push(("authorization", &authorization));
        let uri = if get { format!("/?{query}") } else { "/".to_owned() };
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        response(&self.server.send(request.body(Body::from(body.to_owned())).unwrap()).await)
    }

    /// Calls in the older way.
    async fn legacy(&self, method: &str, action: &str, nonce: u64, own: &[(&str, &str)]) -> Value {
        let mut pairs: Vec<(String, String)> = [
            ("Action", action),
            ("Version", TRTC.1),
            ("Region", "ap-guangzhou"),
            ("SecretId", &self.id),
            ("SignatureMethod", "HmacSHA256"),
            ("Nonce", &nonce.to_string()),
            ("Timestamp", &Now::read().wall.as_second().to_string()),
        ]
        .iter()
        .chain(own)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        let signature =
            tc_legacy::sign(&self.key, tc_legacy::Method::HmacSha256, method, HOST, "/", &pairs)
                .unwrap();
        pairs.push(("Signature".to_owned(), signature));
        self.send_form(method, &pairs).await
    }

    async fn send_form(&self, method: &str, pairs: &[(String, String)]) -> Value {
        let encode = |text: &str| {
            let mut out = String::new();
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() {
                    out.push(char::from(byte));
                } else {
                    write!(out, "%{byte:02X}").unwrap();
                }
            }
            out
        };
        let form: Vec<_> =
            pairs.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
        let form = form.join("&");
        let (uri, body) = if method == "GET" {
            (format!("/?{form}"), String::new())
        } else {
            ("/".to_owned(), form)
        };
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", HOST)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        response(&self.server.send(request).await)
    }
}

/// What stands in `Response`; every answer has status 200 and an id in the form of a UUID.
fn response(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json");
    let response = answer.json()["Response"].clone();
    let id = response["RequestId"].as_str().unwrap_or_default();
    let lens: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(lens, [8, 4, 4, 4, 12], "{answer:?}");
    response
}

fn code(response: &Value) -> String {
    response["Error"]["Code"].as_str().unwrap_or("OK").to_owned()
}

fn message(response: &Value) -> &str {
    response["Error"]["Message"].as_str().unwrap_or_default()
}

fn today() -> String {
    Now::read().wall.to_string()[..10].to_owned()
}

/// Somebody enters a room of development mode's application.
async fn enter(server: &InProcess, identity: &str, room: &str) -> impl Sized + use<> {
    let (sink, signals) = signal_channel();
    let join = common::join(&server.shared.node, identity, room);
    server.shared.node.join(join, sink).await.unwrap();
    signals
}

async fn rooms(server: &InProcess) -> BTreeSet<String> {
    match server.shared.command(Command::ListRooms { app: dev::SDK_APP_ID }).await.unwrap() {
        Reply::Rooms(rooms) => rooms.iter().map(|room| room.name.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

/// A new account with an application; id and number.
async fn account(server: &InProcess, body: Value) -> (String, u32) {
    let made = server.api("POST /accounts", Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let app = server.api(&format!("POST /accounts/{id}/apps"), Some(&json!({"name": "App"}))).await;
    assert_eq!(app.status, 201, "{app:?}");
    (id, u32::try_from(app.json()["sdk_app_id"].as_u64().unwrap()).unwrap())
}

/// The operator does something that must succeed.
async fn did(server: &InProcess, request: &str, body: Value) -> Value {
    let answer = server.api(request, Some(&body)).await;
    assert!(matches!(answer.status, 200 | 201), "{request}: {answer:?}");
    answer.json()
}

#[tokio::test]
async fn the_root_page_stays_and_unsigned_calls_are_refused() {
    let server = InProcess::start(&[]).await;
    let root = server.ask("GET /", &[], None).await;
    assert_eq!((root.status, root.text.as_str()), (200, "OK"));
    for (request, headers) in [
        ("POST /", &[][..]),
        ("POST /", &[("x-tc-action", "DismissRoom")]),
        ("GET /?Action=DismissRoom", &[]),
        ("GET /", &[("x-tc-action", "DismissRoom")]),
        ("POST /", &[("authorization", "Bearer x")]),
        ("POST /", &[("authorization", "TC3-HMAC-SHA256 Credential=a/b")]),
    ] {
        let answer = response(&server.ask(request, headers, Some(&json!({}))).await);
        assert_eq!(
            code(&answer),
            "AuthFailure.InvalidAuthorization",
            "{request} {headers:?}: {answer}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn signatures_times_and_nonces_are_checked() {
    let server = InProcess::start(&[("server_api_usage_rate", "1000")]).await;
    let ann = Caller::dev(&server);
    let app = dev::SDK_APP_ID.0;
    let body = json!({"SdkAppId": app, "StartTime": today(), "EndTime": today()});
    let ask = async |caller: &Caller<'_>, twist: Twist| {
        caller.twisted(TRTC, "DescribeTrtcUsage", body.to_string(), twist).await
    };
    assert_eq!(code(&ask(&ann, Twist::default()).await), "OK");
    assert_eq!(code(&ask(&ann, Twist { unsigned: true, ..Twist::default() }).await), "OK");
    for (skew, expected) in [
        (-290, "OK"),
        (290, "OK"),
        (-310, "AuthFailure.SignatureExpire"),
        (310, "AuthFailure.SignatureExpire"),
    ] {
        assert_eq!(code(&ask(&ann, Twist { skew, ..Twist::default() }).await), expected, "{skew}");
    }
    let forged = Caller { server: &server, id: ann.id.clone(), key: "another".to_owned() };
    assert_eq!(code(&ask(&forged, Twist::default()).await), "AuthFailure.SignatureFailure");
    let unknown = Caller { server: &server, id: "AKIDnobody".to_owned(), key: "x".to_owned() };
    assert_eq!(code(&ask(&unknown, Twist::default()).await), "AuthFailure.SecretIdNotFound");

    let own = [("SdkAppId", app.to_string()), ("StartTime", today()), ("EndTime", today())];
    let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for (method, nonce) in [("POST", 1), ("GET", 2)] {
        let first = ann.legacy(method, "DescribeTrtcUsage", nonce, &own).await;
        assert_eq!(code(&first), "OK", "{method}: {first}");
        let again = ann.legacy(method, "DescribeTrtcUsage", nonce, &own).await;
        assert_eq!(code(&again), "AuthFailure.SignatureExpire", "{method}: {again}");
    }
    let answer = forged.legacy("POST", "DescribeTrtcUsage", 3, &own).await;
    assert_eq!(code(&answer), "AuthFailure.SignatureFailure");
    server.stop().await;
}

#[tokio::test]
async fn services_versions_and_actions_are_looked_up() {
    let server = InProcess::start(&[("server_api_rate", "1000")]).await;
    let ann = Caller::dev(&server);
    let ask = async |service: (&str, &str), action: &str| {
        code(&ann.twisted(service, action, "{}".to_owned(), Twist::default()).await)
    };
    assert_eq!(ask(("cvm", "2017-03-12"), "DescribeInstances").await, "NoSuchProduct");
    assert_eq!(ask(("trtc", "2018-07-09"), "DismissRoom").await, "NoSuchVersion");
    assert_eq!(ask(TRTC, "Dismiss").await, "InvalidAction");
    assert_eq!(ask(TRTC, "").await, "InvalidAction");
    assert_eq!(ask(TRTC, "DescribeAccountBalance").await, "InvalidAction");
    for service in Service::ALL {
        for action in service.actions() {
            let expected = match action.status {
                Status::Built => continue,
                Status::NotYet(_) => "UnsupportedOperation",
                Status::Offline => "ActionOffline",
            };
            let service = (service.code(), service.version());
            assert_eq!(ask(service, action.name).await, expected, "{}", action.name);
        }
    }
    let chinese = Twist { language: "zh-CN", ..Twist::default() };
    let answer = ann.twisted(TRTC, "Dismiss", "{}".to_owned(), chinese).await;
    assert!(!message(&answer).is_ascii(), "{answer}");
    let metrics = server.ask("GET /metrics", &[], None).await.text;
    let line = "fermata_server_api_calls_total{action=\"unknown\",code=\"NoSuchProduct\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn bodies_are_json_and_not_too_large() {
    let server = InProcess::start(&[]).await;
    let ann = Caller::dev(&server);
    for (body, expected) in [
        ("", "MissingParameter.SdkAppId"),
        ("null", "MissingParameter.SdkAppId"),
        ("{", "InvalidRequest"),
        ("[]", "InvalidRequest"),
        ("\"x\"", "InvalidRequest"),
    ] {
        let answer = ann.twisted(TRTC, "DismissRoom", body.to_owned(), Twist::default()).await;
        assert_eq!(code(&answer), expected, "{body:?}: {answer}");
    }
    // Nobody's JSON is read before it is known whose it is.
    for (id, key, expected) in [
        ("AKIDnobody", dev::SECRET_KEY, "AuthFailure.SecretIdNotFound"),
        (dev::SECRET_ID, "another-key-0123456789", "AuthFailure.SignatureFailure"),
    ] {
        let stranger = Caller { server: &server, id: id.to_owned(), key: key.to_owned() };
        let answer = stranger.twisted(TRTC, "DismissRoom", "{".to_owned(), Twist::default()).await;
        assert_eq!(code(&answer), expected, "{answer}");
    }
    // The last hours of the calendar are no moment.
    let last = json!({"StartTime": "9999-12-31 23:00:00", "EndTime": "9999-12-31 23:59:59", "Offset": 0, "Limit": 9});
    assert_eq!(ann.code("DescribeBillList", last).await, "InvalidParameterValue");
    let padded = |len: usize| format!("{{}}{}", " ".repeat(len - 2));
    let largest = ann.twisted(TRTC, "DismissRoom", padded(10 << 20), Twist::default()).await;
    assert_eq!(code(&largest), "MissingParameter.SdkAppId");
    let larger = ann.twisted(TRTC, "DismissRoom", padded((10 << 20) + 1), Twist::default()).await;
    assert_eq!(code(&larger), "RequestSizeLimitExceeded", "{larger}");
    server.stop().await;
}

#[tokio::test]
async fn parameters_are_checked_and_rooms_are_managed() {
    let server = InProcess::start(&[("server_api_rate", "1000")]).await;
    let ann = Caller::dev(&server);
    let app = dev::SDK_APP_ID.0;
    let users: Vec<_> = (0..11).map(|n| format!("u{n}")).collect();
    for (action, params, expected) in [
        ("DismissRoom", json!({"RoomId": 7}), "MissingParameter.SdkAppId"),
        ("DismissRoom", json!({"SdkAppId": app}), "MissingParameter.RoomId"),
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": null}), "MissingParameter.RoomId"),
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": "x"}), "InvalidParameter.RoomId"),
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": 0}), "InvalidParameterValue.RoomId"),
        (
            "DismissRoom",
            json!({"SdkAppId": app, "RoomId": 1u64 << 32}),
            "InvalidParameterValue.RoomId",
        ),
        ("DismissRoom", json!({"SdkAppId": "x", "RoomId": 7}), "InvalidParameter.SdkAppId"),
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": 7, "Room": 1}), "UnknownParameter"),
        (
            "DismissRoomByStrRoomId",
            json!({"SdkAppId": app, "RoomId": "a/b"}),
            "InvalidParameterValue.RoomId",
        ),
        ("RemoveUser", json!({"SdkAppId": app, "RoomId": 7}), "MissingParameter.UserIds"),
        (
            "RemoveUser",
            json!({"SdkAppId": app, "RoomId": 7, "UserIds": "x"}),
            "InvalidParameter.UserIds",
        ),
        (
            "SetUserBlocked",
            json!({"SdkAppId": app, "RoomId": 7, "UserId": "u"}),
            "MissingParameter",
        ),
        (
            "SetUserBlocked",
            json!({"SdkAppId": app, "RoomId": 7, "UserId": "u", "IsMute": 4}),
            "InvalidParameterValue",
        ),
        (
            "DescribeTrtcUsage",
            json!({"StartTime": "2026-1-1x", "EndTime": today()}),
            "InvalidParameter",
        ),
        // Of rooms and users that are not there.
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": 7}), "FailedOperation.RoomNotExist"),
        (
            "RemoveUser",
            json!({"SdkAppId": app, "RoomId": 7, "UserIds": ["u"]}),
            "FailedOperation.RoomNotExist",
        ),
        // Applications of others, and none.
        ("DismissRoom", json!({"SdkAppId": 1, "RoomId": 7}), "UnauthorizedOperation.SdkAppId"),
    ] {
        let answer = ann.call(action, params.clone()).await;
        let found = code(&answer);
        let same = found == expected
            || (expected == "InvalidParameter" && found.starts_with("InvalidParameter"));
        assert!(same, "{action} {params}: {answer} instead of {expected}");
    }
    let many = json!({"SdkAppId": app, "RoomId": 7, "UserIds": users});
    assert!(ann.code("RemoveUser", many).await.starts_with("InvalidParameter"));

    let _kept = [
        enter(&server, "ann", "int/7").await,
        enter(&server, "bob", "int/7").await,
        enter(&server, "ann", "7").await,
        enter(&server, "eve", "lobby").await,
    ];
    let room = |room: Value, more: Value| {
        let mut params = json!({"SdkAppId": app, "RoomId": room});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    assert_eq!(
        ann.code("RemoveUser", room(json!(7), json!({"UserIds": ["nobody"]}))).await,
        "FailedOperation.UserNotExist"
    );
    assert_eq!(
        ann.code("RemoveUser", room(json!(7), json!({"UserIds": ["bob", "nobody"]}))).await,
        "OK"
    );
    assert_eq!(
        ann.code("RemoveUser", room(json!(7), json!({"UserIds": ["bob"]}))).await,
        "FailedOperation.UserNotExist"
    );
    for mute in 0..4 {
        let more = json!({"UserId": "ann", "IsMute": mute});
        assert_eq!(ann.code("SetUserBlocked", room(json!(7), more)).await, "OK", "{mute}");
    }
    let string = json!({"SdkAppId": app, "StrRoomId": "lobby", "UserId": "eve", "IsMute": 1});
    assert_eq!(ann.code("SetUserBlockedByStrRoomId", string).await, "OK");
    assert_eq!(ann.code("DismissRoom", room(json!(7), json!({}))).await, "OK");
    assert_eq!(
        rooms(&server).await,
        BTreeSet::from(["7".to_owned(), "lobby".to_owned()]),
        "only the integer room"
    );
    assert_eq!(ann.code("DismissRoomByStrRoomId", room(json!("7"), json!({}))).await, "OK");
    let query = format!("SdkAppId={app}&RoomId=lobby&UserIds.0=eve");
    let get = Twist { method: "GET", ..Twist::default() };
    let answer = ann.twisted(TRTC, "RemoveUserByStrRoomId", query, get).await;
    assert_eq!(code(&answer), "OK", "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn secrets_do_what_their_policy_says() {
    let server = InProcess::start(&[]).await;
    let (one, app) = account(&server, json!({"name": "One"})).await;
    let second = did(&server, &format!("POST /accounts/{one}/apps"), json!({"name": "B"})).await;
    let second = u32::try_from(second["sdk_app_id"].as_u64().unwrap()).unwrap();
    let (_, foreign) = account(&server, json!({"name": "Two"})).await;
    let full = Caller::new(&server, &one, SecretPolicy::Full, &[]).await;
    let reads = Caller::new(&server, &one, SecretPolicy::ReadOnly, &[]).await;
    let narrow = Caller::new(&server, &one, SecretPolicy::Full, &[app]).await;
    let usage = |app: Value| json!({"SdkAppId": app, "StartTime": today(), "EndTime": today()});
    let dismiss = |app: u32| json!({"SdkAppId": app, "RoomId": 7});
    let (foreign_app, auth) =
        ("UnauthorizedOperation.SdkAppId", "AuthFailure.UnauthorizedOperation");
    for (who, caller, action, params, expected) in [
        ("full", &full, "DismissRoom", dismiss(app), "FailedOperation.RoomNotExist"),
        ("full", &full, "DismissRoom", dismiss(foreign), foreign_app),
        ("full", &full, "DismissRoom", dismiss(4_000_000_000), foreign_app),
        ("full", &full, "DescribeTrtcUsage", usage(Value::Null), "OK"),
        ("reads", &reads, "DismissRoom", dismiss(app), auth),
        ("reads", &reads, "DescribeTrtcUsage", usage(app.into()), "OK"),
        ("reads", &reads, "DescribeAccountBalance", json!({}), "OK"),
        ("narrow", &narrow, "DismissRoom", dismiss(app), "FailedOperation.RoomNotExist"),
        ("narrow", &narrow, "DismissRoom", dismiss(second), foreign_app),
        ("narrow", &narrow, "DescribeTrtcUsage", usage(Value::Null), foreign_app),
        ("narrow", &narrow, "DescribeAccountBalance", json!({}), auth),
    ] {
        assert_eq!(caller.code(action, params.clone()).await, expected, "{who} {action} {params}");
    }
    let unknown = full.call("DismissRoom", dismiss(4_000_000_000)).await;
    let others = full.call("DismissRoom", dismiss(foreign)).await;
    let words = |answer: &Value, app: u32| message(answer).replace(&app.to_string(), "N");
    assert_eq!(
        words(&unknown, 4_000_000_000),
        words(&others, foreign),
        "nobody learns which numbers exist"
    );
    server.shared.directory.drop_secret(&reads.id);
    assert_eq!(
        reads.code("DescribeAccountBalance", json!({})).await,
        "AuthFailure.SecretIdNotFound"
    );
    server.stop().await;
}

#[tokio::test]
async fn rates_are_counted_by_account_and_action() {
    let flags = [("server_api_rate", "3"), ("server_api_usage_rate", "1")];
    let server = InProcess::start(&flags).await;
    let (one, app) = account(&server, json!({"name": "One"})).await;
    let (two, _) = account(&server, json!({"name": "Two"})).await;
    let full = Caller::new(&server, &one, SecretPolicy::Full, &[]).await;
    let same = Caller::new(&server, &one, SecretPolicy::ReadOnly, &[]).await;
    let other = Caller::new(&server, &two, SecretPolicy::Full, &[]).await;
    let mut codes = Vec::new();
    for _ in 0..20 {
        codes.push(full.code("DescribeAccountBalance", json!({})).await);
    }
    let limited = codes.iter().filter(|code| *code == "RequestLimitExceeded").count();
    assert!(codes.starts_with(&["OK".to_owned(), "OK".to_owned(), "OK".to_owned()]), "{codes:?}");
    assert!(limited > 0, "{codes:?}");
    assert_eq!(other.code("DescribeAccountBalance", json!({})).await, "OK");
    assert_eq!(same.code("DescribeAccountWarning", json!({})).await, "OK");
    let body = json!({"SdkAppid": app, "StartTime": format!("{} 00:00", today()), "EndTime": format!("{} 23:59", today())});
    let first = full.call("DescribeTrtcRoomUsage", body.clone()).await;
    assert_eq!(first["Data"], "RoomId,Audio,SD,hd,FullHD,2K,4K\n", "{first}");
    assert_eq!(same.code("DescribeTrtcRoomUsage", body).await, "RequestLimitExceeded");
    server.stop().await;
}

#[tokio::test]
async fn suspension_leaves_open_what_lowers_harm_and_names_every_reason() {
    let server =
        InProcess::start(&[("server_api_rate", "1000"), ("server_api_usage_rate", "1000")]).await;
    let (id, app) = account(&server, json!({"name": "A", "sandbox": true})).await;
    let ann = Caller::new(&server, &id, SecretPolicy::Full, &[]).await;
    let usage = json!({"SdkAppId": app, "StartTime": today(), "EndTime": today()});
    assert_eq!(ann.code("DescribeTrtcUsage", usage.clone()).await, "OK");
    did(
        &server,
        &format!("POST /accounts/{id}/adjustments"),
        json!({"amount": "-5", "reason": "debt"}),
    )
    .await;
    assert_eq!(ann.code("DescribeTrtcUsage", usage.clone()).await, "OK", "within the grace");
    did(&server, &format!("POST /accounts/{id}/clock"), json!({"advance": "PT25H"})).await;
    did(&server, &format!("POST /apps/{app}/disable"), json!({})).await;
    let refused = ann.call("DescribeTrtcUsage", usage.clone()).await;
    assert_eq!(code(&refused), "FailedOperation.ServiceSuspended");
    for word in ["[arrears] of the account", &format!("[manual] of application {app}"), "since"] {
        assert!(message(&refused).contains(word), "{refused} lacks {word}");
    }
    for (action, params, expected) in [
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": 7}), "FailedOperation.RoomNotExist"),
        (
            "RemoveUser",
            json!({"SdkAppId": app, "RoomId": 7, "UserIds": ["u"]}),
            "FailedOperation.RoomNotExist",
        ),
        (
            "SetUserBlocked",
            json!({"SdkAppId": app, "RoomId": 7, "UserId": "u", "IsMute": 2}),
            "FailedOperation.RoomNotExist",
        ),
        (
            "SetUserBlocked",
            json!({"SdkAppId": app, "RoomId": 7, "UserId": "u", "IsMute": 0}),
            "FailedOperation.ServiceSuspended",
        ),
        ("DescribeAccountBalance", json!({}), "OK"),
        (
            "DescribeTRTCRealTimeScaleData",
            json!({"SdkAppId": app.to_string(), "StartTime": 1, "EndTime": 2}),
            "FailedOperation.ServiceSuspended",
        ),
    ] {
        assert_eq!(ann.code(action, params).await, expected, "{action}");
    }
    let all = json!({"StartTime": today(), "EndTime": today()});
    assert_eq!(
        ann.code("DescribeTrtcUsage", all.clone()).await,
        "FailedOperation.ServiceSuspended"
    );
    did(
        &server,
        &format!("POST /accounts/{id}/payments"),
        json!({"amount": "10", "provider_ref": "p1"}),
    )
    .await;
    assert_eq!(ann.code("DescribeTrtcUsage", all).await, "OK", "the account is paid");
    let still = ann.call("DescribeTrtcUsage", usage.clone()).await;
    assert!(
        message(&still).contains("[manual]") && !message(&still).contains("arrears"),
        "{still}"
    );
    did(&server, &format!("POST /apps/{app}/enable"), json!({})).await;
    assert_eq!(ann.code("DescribeTrtcUsage", usage).await, "OK");
    server.stop().await;
}

#[tokio::test]
async fn usage_has_five_minutes_of_a_day_and_days_of_more() {
    let server = InProcess::start(&[("server_api_usage_rate", "1000")]).await;
    let ann = Caller::dev(&server);
    let mut keys = Vec::new();
    for (action, count, first) in [
        ("DescribeTrtcUsage", 10, "audio"),
        ("DescribeRecordingUsage", 7, "record_audio"),
        ("DescribeMixTranscodingUsage", 5, "mix_audio"),
        ("DescribeRelayUsage", 1, "relay"),
    ] {
        let mut params = json!({"StartTime": "2026-01-31", "EndTime": "2026-01-31"});
        if action == "DescribeRecordingUsage" {
            params["MixType"] = "single".into();
        }
        let answer = ann.call(action, params).await;
        let list = answer["UsageKey"].as_array().unwrap().clone();
        assert_eq!((list.len(), &list[0]), (count, &json!(first)), "{action}: {answer}");
        let rows = answer["UsageList"].as_array().unwrap();
        assert_eq!(rows.len(), 288, "{action}");
        assert_eq!(rows[1]["TimeKey"], "2026-01-31 00:05:00");
        assert_eq!(rows[1]["TimeStampKey"], 1_769_817_900);
        assert!(rows.iter().all(|row| row["UsageValue"] == json!(vec![0.0; count])), "{action}");
        keys.extend(list);
    }
    assert_eq!(keys.len(), fermata_types::Sku::ALL.len());
    let days = |from: &str, to: &str| json!({"StartTime": from, "EndTime": to});
    let month = ann.call("DescribeTrtcUsage", days("2026-01-01", "2026-01-31")).await;
    let rows = month["UsageList"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[30]["TimeKey"]), (31, &json!("2026-01-31 00:00:00")));
    for (from, to) in
        [("2026-01-01", "2026-02-01"), ("2026-01-02", "2026-01-01"), ("0001-01-01", "9999-12-31")]
    {
        assert_eq!(
            ann.code("DescribeTrtcUsage", days(from, to)).await,
            "InvalidParameterValue",
            "{from} {to}"
        );
    }
    let future = ann.call("DescribeTrtcUsage", days("9000-01-01", "9000-01-01")).await;
    assert_eq!(future["UsageList"], json!([]), "what has not begun is left out: {future}");
    server.stop().await;
}

#[tokio::test]
async fn usage_agrees_with_the_totals_of_the_day() {
    let server = InProcess::start(&[("server_api_usage_rate", "100000")]).await;
    let ann = Caller::dev(&server);
    let signals = enter(&server, "ann", "int/9").await;
    let day = today();
    let days = json!({"SdkAppId": dev::SDK_APP_ID.0, "StartTime": day, "EndTime": day});
    let sum = |answer: &Value| -> f64 {
        let rows = answer["UsageList"].as_array().unwrap();
        rows.iter()
            .flat_map(|row| row["UsageValue"].as_array().unwrap())
            .filter_map(Value::as_f64)
            .sum()
    };
    let seen = async {
        while sum(&ann.call("DescribeTrtcUsage", days.clone()).await) < 1.0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), seen).await.unwrap();
    drop(signals);
    let all = ann.call("DescribeTrtcUsage", json!({"StartTime": day, "EndTime": day})).await;
    assert!((sum(&all) - 1.0).abs() < f64::EPSILON, "{all}");
    let next = Now::read().wall + jiff::SignedDuration::from_hours(24);
    let two = json!({"StartTime": day, "EndTime": next.to_string()[..10]});
    let two = ann.call("DescribeTrtcUsage", two).await;
    assert!((sum(&two) - 1.0).abs() < f64::EPSILON, "{two}");
    assert_eq!(two["UsageList"].as_array().unwrap().len(), 1, "tomorrow has not begun");
    let body = json!({"SdkAppid": dev::SDK_APP_ID.0, "StartTime": format!("{day} 00:00"), "EndTime": format!("{day} 23:59")});
    let rooms = ann.call("DescribeTrtcRoomUsage", body).await;
    let text = rooms["Data"].as_str().unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("9,"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn bills_say_the_same_as_the_books() {
    let server = InProcess::start(&[("server_api_rate", "1000")]).await;
    let (id, app) =
        account(&server, json!({"name": "A", "sandbox": true, "credit_limit": "3"})).await;
    let ann = Caller::new(&server, &id, SecretPolicy::Full, &[]).await;
    let at = |path: &str| format!("POST /accounts/{id}{path}");
    let empty = ann.call("DescribeAccountBalance", json!({})).await;
    assert_eq!((&empty["Balance"], &empty["CreditBalance"]), (&json!(0), &json!(300)), "{empty}");
    let warning = ann.call("DescribeAccountWarning", json!({})).await;
    assert_eq!((&warning["Threshold"], &warning["Open"]), (&Value::Null, &json!("0")));
    did(
        &server,
        "POST /notice-subscriptions",
        json!({"account": id, "kind": "balance_low", "below": "7.5"}),
    )
    .await;
    let warning = ann.call("DescribeAccountWarning", json!({})).await;
    assert_eq!((&warning["Threshold"], &warning["Open"]), (&json!("750"), &json!("1")));

    let begin = Now::read().wall;
    did(&server, &at("/payments"), json!({"amount": "100", "provider_ref": "p1"})).await;
    did(&server, &at("/packages"), json!({"type": "minutes_25k"})).await;
    let end = (begin + jiff::SignedDuration::from_hours(24 * 300)).to_string();
    did(&server, &at("/vouchers"), json!({"amount": "1.25", "expires_at": end, "reason": "hello"}))
        .await;
    let used = json!({"app": app, "sku": "video_4k", "minutes": 11_000});
    did(&server, &at("/usage"), used).await;
    did(&server, &at("/clock"), json!({"advance": "PT48H"})).await;

    let bills = server.api(&format!("GET /accounts/{id}/bills"), None).await.json();
    let bill = bills["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|bill| bill["total"] != "0.00")
        .unwrap()
        .clone();
    let day = bill["period"]["from_day"].as_str().unwrap().to_owned();
    let month = day[..7].to_owned();
    let total = bill["total"].as_str().unwrap();
    let balance = server.api(&format!("GET /accounts/{id}/balance"), None).await.json();
    let told = ann.call("DescribeAccountBalance", json!({})).await;
    let cents = |text: &Value| text.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    let cash = cents(&balance["cash"]);
    assert_eq!(
        told["CashAccountBalance"].as_i64().unwrap() - told["OweAmount"].as_i64().unwrap(),
        cash,
        "{told}"
    );
    assert_eq!(told["RealCreditBalance"], cents(&balance["available"]), "{told}");

    let body = json!({"Offset": 0, "Limit": 100, "Month": month, "NeedRecordNum": 1});
    let detail = ann.call("DescribeBillDetail", body).await;
    let rows = detail["DetailSet"].as_array().unwrap_or_else(|| panic!("{detail}"));
    assert_eq!(detail["Total"], rows.len());
    let line =
        rows.iter().find(|row| row["OrderId"] == bill["id"]).unwrap_or_else(|| panic!("{detail}"));
    let component = &line["ComponentSet"][0];
    assert_eq!(
        (&component["RealCost"], &component["ItemCode"]),
        (&json!(total), &json!("video_4k"))
    );
    assert_eq!(component["VoucherPayAmount"], "1.25", "vouchers pay first");
    assert_eq!(
        (&line["BillDay"], &line["ProjectId"], &line["PayModeName"]),
        (&json!(day), &json!(app), &json!("Pay as you go"))
    );
    let bought = rows.iter().find(|row| row["ActionType"] == "prepay_purchase").unwrap();
    assert_eq!(bought["ComponentSet"][0]["RealCost"], "24.00");
    for (filter, count) in [
        (json!({"PayMode": "prePay"}), 1),
        (json!({"ProjectId": 0}), 1),
        (json!({"ActionType": "postpay_deduct_m"}), 0),
        (json!({"Offset": rows.len()}), 0),
    ] {
        let mut body = json!({"Offset": 0, "Limit": 100, "Month": month});
        body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let some = ann.call("DescribeBillDetail", body).await;
        assert_eq!(some["DetailSet"].as_array().unwrap().len(), count, "{filter}: {some}");
    }

    let span = json!({"BeginTime": format!("{month}-01 00:00:00"), "EndTime": format!("{month}-28 00:00:00")});
    let by_product = ann.call("DescribeBillSummaryByProduct", span.clone()).await;
    let whole = by_product["SummaryTotal"]["RealTotalCost"]
        .as_str()
        .unwrap_or_else(|| panic!("{by_product}"));
    let micros = |text: &str| fermata_billing::money::Money::parse_decimal(text).unwrap().micros();
    assert_eq!(micros(whole), micros(total) + 24_000_000);
    assert_eq!(by_product["SummaryOverview"][0]["RealTotalCostRatio"], "100.00");
    for (action, groups) in [
        ("DescribeBillSummaryByProject", 2),
        ("DescribeBillSummaryByRegion", 1),
        ("DescribeBillSummaryByPayMode", 2),
    ] {
        let answer = ann.call(action, span.clone()).await;
        let rows =
            answer["SummaryOverview"].as_array().unwrap_or_else(|| panic!("{action}: {answer}"));
        let sum: i64 = rows.iter().map(|row| micros(row["RealTotalCost"].as_str().unwrap())).sum();
        assert_eq!((rows.len(), sum), (groups, micros(whole)), "{action}: {answer}");
    }
    for group in ["business", "project", "region", "payMode", "tag"] {
        let answer =
            ann.call("DescribeBillSummary", json!({"Month": month, "GroupType": group})).await;
        let rows =
            answer["SummaryDetail"].as_array().unwrap_or_else(|| panic!("{group}: {answer}"));
        let sum: i64 = rows.iter().map(|row| micros(row["RealTotalCost"].as_str().unwrap())).sum();
        assert_eq!((sum, &answer["Ready"]), (micros(whole), &json!(1)), "{group}: {answer}");
    }
    let body = json!({"Offset": 0, "Limit": 10, "Month": month, "NeedRecordNum": 1});
    let resources = ann.call("DescribeBillResourceSummary", body).await;
    assert_eq!(resources["Total"], 2, "{resources}");

    let list =
        |from: &str, to: &str| json!({"StartTime": from, "EndTime": to, "Offset": 0, "Limit": 100});
    let from = (begin - jiff::SignedDuration::from_hours(24)).to_string()[..10].to_owned();
    let to = (begin + jiff::SignedDuration::from_hours(24 * 5)).to_string()[..10].to_owned();
    let moves = ann
        .call("DescribeBillList", list(&format!("{from} 00:00:00"), &format!("{to} 00:00:00")))
        .await;
    let rows = moves["TransactionList"].as_array().unwrap_or_else(|| panic!("{moves}"));
    let (mut before, mut kinds) = (0, Vec::new());
    for row in rows {
        before += row["Amount"].as_i64().unwrap();
        assert_eq!(row["Balance"], before, "each balance follows from the one before: {moves}");
        kinds.push(row["ActionType"].as_str().unwrap());
    }
    assert_eq!(kinds, ["recharge", "deduct", "recharge", "deduct"], "{moves}");
    assert_eq!((&moves["RechargeAmount"], &moves["Total"]), (&json!(10_125), &json!(4)));
    let years = list("2020-01-01 00:00:00", "2026-01-01 00:00:00");
    assert_eq!(ann.code("DescribeBillList", years).await, "InvalidParameterValue");

    let vouchers = ann.call("DescribeVoucherInfo", json!({})).await;
    let voucher = &vouchers["VoucherInfos"][0];
    assert_eq!(
        (&voucher["NominalValue"], &voucher["Status"]),
        (&json!(125_000_000), &json!("used")),
        "{vouchers}"
    );
    assert_eq!(vouchers["TotalCount"], 1);
    server.stop().await;
}

//! The vendor's server API over the router: a program of a customer that signs its calls, for the tests in
//! [`edge`] (signatures, checks in their order, rooms, standing), [`figures`] (usage and bills) and [`busy`] (bills
//! of an account with long books).

mod busy;
mod edge;
mod figures;

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

//! Callbacks and webhooks from events of rooms to real receivers that are up, down, slow or wrong.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fermata_callback::limits::WAITING_PER_ROOM_MAX;
use fermata_callback::schedule::Pace;
use fermata_callback::sign::sign;
use fermata_server::metrics::Metric;
use fermata_server::{callback, dev};
use fermata_sfu::io::{Occupant, RoomEvent, RoomEventKind};
use fermata_store::deliveries::{Deliveries, DeliveryFilter, DeliveryReceiver, NewDelivery};
use fermata_store::{AppCallbacks, Callback, MemoryStore, Store, Webhook};
use fermata_types::{Now, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, StayEnd};
use livekit_protocol as lk;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::common::{self, InProcess};

const KEY: &str = "123654";
const APP: SdkAppId = dev::SDK_APP_ID;

/// Tries again soon, and does not give up for long.
const PATIENT: Pace = Pace {
    pause: Duration::from_millis(20),
    window: Duration::from_mins(2),
    time: Duration::from_secs(20),
};
/// Gives up soon.
const HASTY: Pace =
    Pace { pause: Duration::from_millis(20), window: Duration::from_millis(60), ..PATIENT };

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(u16),
    /// Nothing, until the other side goes.
    Hang,
    /// 200, and a body that does not come.
    Endless,
    /// The connection ends before the request is read, as if nobody was there.
    Down,
}

/// A request that a receiver read.
#[derive(Debug, Clone)]
struct Got {
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find(|line| {
            line.split_once(": ").is_some_and(|(of, _)| of.eq_ignore_ascii_case(name))
        });
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head)).split_once(": ").unwrap().1
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Script = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

struct Receiver {
    url: String,
    got: mpsc::UnboundedReceiver<Got>,
    script: Arc<Mutex<Script>>,
}

impl Receiver {
    /// Answers as the script says for a body; for [`Answer::Down`] it is asked without one.
    async fn start(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, got) = mpsc::unbounded_channel();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Arc::new(script)));
        let answers = Arc::clone(&script);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let script = Arc::clone(&*answers.lock().unwrap());
                if matches!(script(""), Answer::Down) {
                    continue;
                }
                tokio::spawn(serve(socket, script, sender.clone()));
            }
        });
        Self { url, got, script }
    }

    fn now(&self, script: impl Fn(&str) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    async fn next(&mut self) -> Got {
        tokio::time::timeout(Duration::from_secs(30), self.got.recv()).await.unwrap().unwrap()
    }
}

async fn serve(mut socket: TcpStream, script: Script, sender: mpsc::UnboundedSender<Got>) {
    let mut bytes = Vec::new();
    let got = loop {
        let mut chunk = [0; 4096];
        let read = socket.read(&mut chunk).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let got = Got {
            head: String::from_utf8(bytes[..end].to_vec()).unwrap(),
            body: bytes[end + 4..].to_vec(),
        };
        if got.body.len() == got.header("content-length").parse::<usize>().unwrap() {
            break got;
        }
    };
    let answer = script(&String::from_utf8_lossy(&got.body));
    let _ = sender.send(got);
    match answer {
        Answer::Status(status) => {
            let text = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            let _ = socket.write_all(text.as_bytes()).await;
        }
        Answer::Endless => {
            let _ = socket.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\n").await;
            while socket.read(&mut [0; 64]).await.unwrap_or(0) > 0 {}
        }
        Answer::Hang | Answer::Down => while socket.read(&mut [0; 64]).await.unwrap_or(0) > 0 {},
    }
}

async fn start(pace: Pace) -> InProcess {
    InProcess::start_calling(&[], |_| Arc::new(MemoryStore::new()), pace).await
}

/// Sends groups 1 and 2 to `callback` and all events to `webhook`.
fn send_to(server: &InProcess, callback: Option<&str>, webhook: Option<&str>) {
    server.shared.directory.put_callbacks(APP, settings(callback, webhook));
}

fn settings(callback: Option<&str>, webhook: Option<&str>) -> AppCallbacks {
    let callback = callback.map(|url| Callback {
        url: url.to_owned(),
        key: KEY.to_owned(),
        groups: vec![1, 2],
    });
    let webhooks = webhook.map(|url| Webhook { url: url.to_owned(), api_key: None });
    AppCallbacks { callback, webhooks: webhooks.into_iter().collect() }
}

fn occupant(who: &str) -> Box<Occupant> {
    let sid = format!("PA_{who}");
    let info =
        lk::ParticipantInfo { sid: sid.clone(), identity: who.to_owned(), ..Default::default() };
    Box::new(Occupant {
        info,
        stay: ParticipantSid::from_text(&sid),
        role: Role::Anchor,
        client: lk::ClientInfo::default(),
        address: String::new(),
        entered_at: Now::read().wall,
    })
}

/// Tells an event of a room, as the node does.
fn tell(server: &InProcess, room: &str, seq: u64, kind: RoomEventKind) {
    let event = RoomEvent {
        app: APP,
        room: RoomName::parse(room).unwrap(),
        room_sid: RoomSid::from_text(&format!("RM_{}", room.replace('/', ""))),
        seq,
        at: Now::read().wall,
        scene: Scene::Call,
        info: lk::Room { name: room.to_owned(), ..Default::default() },
        kind,
    };
    callback::on_event(&server.shared, &event);
}

/// Users `u0` to `u<n - 1>` enter, media and all.
fn enter(server: &InProcess, room: &str, users: std::ops::Range<u64>) {
    for n in users {
        tell(server, room, n * 2 + 1, RoomEventKind::Entered(occupant(&format!("u{n}"))));
        tell(server, room, n * 2 + 2, RoomEventKind::Active(occupant(&format!("u{n}"))));
    }
}

async fn wait_for(server: &InProcess, metric: Metric, value: u64) {
    let waiting = async {
        while server.shared.metrics.get(metric) != value {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    waited.unwrap_or_else(|_| panic!("{metric:?} is {}", server.shared.metrics.get(metric)));
}

async fn deliveries(server: &InProcess, query: &str) -> Vec<Value> {
    let path = format!("GET /apps/{APP}/deliveries?{query}");
    let answer = server.api(&path, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_callback_is_signed_and_a_webhook_has_its_token() {
    let server = start(PATIENT).await;
    let mut vendor = Receiver::start(|_| Answer::Status(200)).await;
    let mut livekit = Receiver::start(|_| Answer::Status(204)).await;
    let body =
        json!({"callback": {"url": vendor.url, "key": KEY}, "webhooks": [{"url": livekit.url}]});
    let set = server.api(&format!("PUT /apps/{APP}/callbacks"), Some(&body)).await;
    assert_eq!(set.status, 200, "{set:?}");
    tell(
        &server,
        "int/7",
        1,
        RoomEventKind::RoomStarted { creator: Some("ann".into()), agents: vec![] },
    );

    let got = vendor.next().await;
    assert!(got.head.starts_with("POST /hook HTTP/1.1"), "{}", got.head);
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("sign"), sign(KEY, &got.body));
    assert_eq!(got.header("sdkappid"), APP.to_string());
    assert_eq!(got.header("fermata-delivery-id"), "EV_RM_int7_1_0");
    let json = got.json();
    assert_eq!((&json["EventGroupId"], &json["EventType"]), (&json!(1), &json!(101)));
    assert_eq!(
        (&json["EventInfo"]["RoomId"], &json["EventInfo"]["UserId"]),
        (&json!(7), &json!("ann"))
    );

    let hook = livekit.next().await;
    assert_eq!(hook.header("content-type"), "application/webhook+json");
    let token = hook.header("authorization");
    fermata_auth::verify(token, dev::API_SECRET, Now::read().wall).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &hook.body);
    assert_eq!(
        (&claims["iss"], &claims["sha256"]),
        (&json!(dev::API_KEY), &json!(STANDARD.encode(hash)))
    );
    let json = hook.json();
    assert_eq!((&json["event"], &json["id"]), (&json!("room_started"), &json!("EV_RM_int7_1_1")));
    assert_eq!(json["room"]["name"], "int/7");

    wait_for(&server, Metric::CallbacksDelivered, 2).await;
    wait_for(&server, Metric::CallbacksWaiting, 0).await;
    let delivered = deliveries(&server, "state=delivered&room=int/7").await;
    assert_eq!(delivered.len(), 2);
    let read = server.api(&format!("GET /apps/{APP}/deliveries/EV_RM_int7_1_0"), None).await.json();
    assert_eq!(read["body"].as_str().unwrap().as_bytes(), got.body);
    assert_eq!(
        (&read["last_attempt"]["status"], &read["receiver"]),
        (&json!(200), &json!("callback"))
    );
    // What was told before makes no second delivery.
    tell(&server, "int/7", 1, RoomEventKind::RoomStarted { creator: None, agents: vec![] });
    tell(&server, "int/7", 2, RoomEventKind::RoomFinished { dismissed: false });
    assert_eq!(vendor.next().await.json()["EventType"], 102);
    assert_eq!(livekit.next().await.json()["event"], "room_finished");
    server.stop().await;
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_everything_in_order() {
    let server = start(PATIENT).await;
    let mut receiver = Receiver::start(|_| Answer::Down).await;
    send_to(&server, Some(&receiver.url), None);
    enter(&server, "a", 0..40);
    enter(&server, "b", 0..40);
    wait_for(&server, Metric::CallbackAttemptsFailed, 10).await;
    assert_eq!(server.shared.metrics.get(Metric::CallbacksDelivered), 0);
    assert_eq!(server.shared.metrics.get(Metric::CallbacksWaiting), 80);
    receiver.now(|_| Answer::Status(200));
    let mut users = [Vec::new(), Vec::new()];
    for _ in 0..80 {
        let info = receiver.next().await.json()["EventInfo"].clone();
        let room = usize::from(info["RoomId"] == "b");
        users[room].push(info["UserId"].as_str().unwrap().to_owned());
    }
    let expected: Vec<_> = (0..40).map(|n| format!("u{n}")).collect();
    assert_eq!(users, [expected.clone(), expected]);
    wait_for(&server, Metric::CallbacksWaiting, 0).await;
    assert_eq!(server.shared.metrics.get(Metric::CallbacksFailed), 0);
    assert!(receiver.got.try_recv().is_err(), "something came twice");
    server.stop().await;
}

#[tokio::test]
async fn what_is_given_up_can_be_replayed_with_its_id_and_body() {
    let server = start(HASTY).await;
    let mut receiver = Receiver::start(|_| Answer::Status(500)).await;
    send_to(&server, Some(&receiver.url), None);
    enter(&server, "a", 0..3);
    wait_for(&server, Metric::CallbacksFailed, 3).await;
    wait_for(&server, Metric::CallbacksWaiting, 0).await;
    let failed = deliveries(&server, "state=failed&limit=2").await;
    assert_eq!(failed.len(), 2, "the newest first, in parts");
    let all = deliveries(&server, "event=103&cursor=100000").await;
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|one| one["attempts"].as_u64().unwrap() >= 2), "{all:?}");
    assert!(all.iter().all(|one| one["last_attempt"]["status"] == 500), "{all:?}");
    let mut first = Vec::new();
    while let Ok(got) = receiver.got.try_recv() {
        first.push(got);
    }

    receiver.now(|_| Answer::Status(200));
    let id = all[2]["id"].as_str().unwrap();
    let replay = server.api(&format!("POST /apps/{APP}/deliveries/{id}/replay"), None).await;
    assert_eq!(replay.status, 202, "{replay:?}");
    let again = receiver.next().await;
    assert_eq!(again.body, first[0].body);
    assert_eq!(again.header("fermata-delivery-id"), id);
    wait_for(&server, Metric::CallbacksDelivered, 1).await;
    wait_for(&server, Metric::CallbacksWaiting, 0).await;
    let read = server.api(&format!("GET /apps/{APP}/deliveries/{id}"), None).await.json();
    assert_eq!((&read["state"], &read["replays"]), (&json!("delivered"), &json!(1)));

    for path in ["deliveries/EV_none/replay", "deliveries/EV_none"] {
        let method = if path.ends_with("replay") { "POST" } else { "GET" };
        let answer = server.api(&format!("{method} /apps/{APP}/{path}"), None).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    for query in ["state=lost", "limit=0", "cursor=x", "room=int/0", "colour=red"] {
        let answer = server.api(&format!("GET /apps/{APP}/deliveries?{query}"), None).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "invalid"),
            "{query}: {answer:?}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_slow_receiver_holds_up_its_own_room_and_nothing_else() {
    let server = start(PATIENT).await;
    let hangs =
        |body: &str| if body.contains("\"a\"") { Answer::Hang } else { Answer::Status(200) };
    let mut receiver = Receiver::start(hangs).await;
    let mut hook = Receiver::start(|_| Answer::Status(200)).await;
    send_to(&server, Some(&receiver.url), Some(&hook.url));
    enter(&server, "a", 0..2);
    assert_eq!(receiver.next().await.json()["EventInfo"]["RoomId"], "a");
    enter(&server, "b", 0..2);
    for user in ["u0", "u1"] {
        let info = receiver.next().await.json()["EventInfo"].clone();
        assert_eq!((&info["RoomId"], &info["UserId"]), (&json!("b"), &json!(user)));
    }
    // The other receiver hears of both rooms.
    let mut heard = BTreeSet::new();
    for _ in 0..4 {
        let json = hook.next().await.json();
        heard.insert((
            json["room"]["name"].to_string(),
            json["participant"]["identity"].to_string(),
        ));
    }
    assert_eq!(heard.len(), 4);
    wait_for(&server, Metric::CallbacksDelivered, 6).await;
    wait_for(&server, Metric::CallbacksWaiting, 2).await;
    let busy = deliveries(&server, "state=waiting&room=a").await;
    let id = busy[0]["id"].as_str().unwrap();
    let replay = server.api(&format!("POST /apps/{APP}/deliveries/{id}/replay"), None).await;
    assert_eq!((replay.status, replay.code().as_str()), (409, "conflict"), "{replay:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_dead_receiver_is_bounded_and_the_rest_is_told_as_dropped() {
    let server = start(PATIENT).await;
    let mut receiver = Receiver::start(|_| Answer::Down).await;
    send_to(&server, None, Some(&receiver.url));
    let most = WAITING_PER_ROOM_MAX as u64;
    enter(&server, "a", 0..most + 50);
    wait_for(&server, Metric::CallbacksOverLimit, 50).await;
    wait_for(&server, Metric::CallbacksWaiting, most).await;
    while !server.shared.callbacks.is_kept() {
        tokio::task::yield_now().await;
    }
    let over = deliveries(&server, "state=failed").await;
    assert_eq!(over.len(), 50);
    assert!(over[0]["problem"].as_str().unwrap().contains("1000"), "{}", over[0]);
    assert_eq!(over[0]["attempts"], 0);
    receiver.now(|_| Answer::Status(200));
    for n in 0..most {
        assert_eq!(receiver.next().await.json()["participant"]["identity"], format!("u{n}"));
    }
    wait_for(&server, Metric::CallbacksWaiting, 0).await;
    let left =
        RoomEventKind::Left { occupant: occupant("u0"), end: StayEnd::Left, was_active: true };
    tell(&server, "a", 10_000, left);
    let next = receiver.next().await.json();
    assert_eq!((&next["event"], &next["numDropped"]), (&json!("participant_left"), &json!(50)));
    assert_eq!(server.shared.metrics.get(Metric::CallbacksDropped), 0);
    server.stop().await;
}

#[tokio::test]
async fn what_an_earlier_run_left_is_delivered() {
    let mut receiver = Receiver::start(|_| Answer::Status(200)).await;
    let url = receiver.url.clone();
    let before = move |folder: &Path| -> Arc<dyn Store> {
        let (folder, store) = (folder.to_owned(), Arc::new(MemoryStore::new()));
        let prepared: Arc<dyn Store> = store;
        let kept = Arc::clone(&prepared);
        let left = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                dev::prepare(&*kept).await.unwrap();
                kept.set_callbacks(APP, settings(Some(&url), None)).await.unwrap();
                let delivery = |n: u64| NewDelivery {
                    id: format!("EV_RM_a_{n}_0"),
                    app: APP,
                    receiver: DeliveryReceiver::Callback,
                    url: url.clone(),
                    room: RoomName::parse("a").unwrap(),
                    event: "103".to_owned(),
                    created_at: Now::read().wall,
                    body: format!("{{\"n\":{n}}}").into_bytes(),
                    failed: None,
                };
                let deliveries = Deliveries::open(&folder).unwrap();
                deliveries.append((0..20).map(delivery).collect::<Vec<_>>()).await.unwrap();
            });
        };
        std::thread::spawn(left).join().unwrap();
        prepared
    };
    let server = InProcess::start_calling(&[], before, PATIENT).await;
    for n in 0..20 {
        assert_eq!(receiver.next().await.json(), json!({"n": n}));
    }
    wait_for(&server, Metric::CallbacksDelivered, 20).await;
    server.stop().await;
}

#[tokio::test]
async fn t21_clearing_takes_the_deliveries_of_an_account_and_of_no_other() {
    let server = start(PATIENT).await;
    let mut parties = Vec::new();
    for name in ["one", "two"] {
        let body = json!({"name": name, "sandbox": true});
        let account = server.api("POST /accounts", Some(&body)).await.json()["id"].clone();
        let account = account.as_str().unwrap().to_owned();
        let made = format!("POST /accounts/{account}/apps");
        let app = server.api(&made, Some(&json!({"name": name}))).await.json();
        let app = SdkAppId(app["sdk_app_id"].as_u64().unwrap().try_into().unwrap());
        let delivery = |n: u32, failed: Option<&str>| NewDelivery {
            id: format!("EV_{name}_{n}"),
            app,
            receiver: DeliveryReceiver::Callback,
            url: "http://127.0.0.1:9/".to_owned(),
            room: RoomName::parse("a").unwrap(),
            event: "103".to_owned(),
            created_at: Now::read().wall,
            body: b"{}".to_vec(),
            failed: failed.map(str::to_owned),
        };
        let batch = vec![delivery(1, None), delivery(2, Some("no"))];
        server.shared.deliveries.append(batch).await.unwrap();
        parties.push((account, app));
    }
    let [(account, app), (_, other)] = &parties[..] else { panic!("{parties:?}") };
    let kept = async |app: &SdkAppId| {
        server
            .shared
            .deliveries
            .list(*app, DeliveryFilter::default(), None, 10)
            .await
            .unwrap()
            .len()
    };
    assert_eq!((kept(app).await, kept(other).await), (2, 2));
    let debt = json!({"amount": "-5.00", "reason": "test"});
    let adjusted = server.api(&format!("POST /accounts/{account}/adjustments"), Some(&debt)).await;
    assert_eq!(adjusted.status, 201, "{adjusted:?}");
    let moved = json!({"advance": "PT1536H"});
    let moved = server.api(&format!("POST /accounts/{account}/clock"), Some(&moved)).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let cleared = async {
        while kept(app).await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), cleared).await.expect("nothing was cleared");
    assert_eq!(kept(other).await, 2);
    server.stop().await;
}

#[tokio::test]
async fn a_receiver_that_says_200_and_then_no_end_has_taken_it() {
    let pace = Pace { time: Duration::from_millis(600), ..PATIENT };
    let server = start(pace).await;
    let mut receiver = Receiver::start(|_| Answer::Endless).await;
    send_to(&server, Some(&receiver.url), None);
    enter(&server, "a", 0..1);
    receiver.next().await;
    wait_for(&server, Metric::CallbacksWaiting, 0).await;
    assert_eq!(server.shared.metrics.get(Metric::CallbacksDelivered), 1);
    assert_eq!(server.shared.metrics.get(Metric::CallbackAttemptsFailed), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_test_event_reaches_every_receiver() {
    let server = start(PATIENT).await;
    let path = format!("POST /apps/{APP}/callbacks/test");
    let none = server.api(&path, None).await;
    assert_eq!((none.status, none.code().as_str()), (409, "conflict"), "{none:?}");
    let mut receiver = Receiver::start(|_| Answer::Status(200)).await;
    let mut settings = settings(Some(&receiver.url), Some(&receiver.url));
    settings.callback.as_mut().unwrap().groups = vec![2];
    server.shared.directory.put_callbacks(APP, settings);
    // Of a group that is not sent.
    tell(&server, "a", 1, RoomEventKind::Entered(occupant("ann")));
    let tested = server.api(&path, None).await;
    assert_eq!(tested.status, 202, "{tested:?}");
    let ids: BTreeSet<_> =
        tested.json()["deliveries"].as_array().unwrap().iter().map(Value::to_string).collect();
    let mut got = BTreeSet::new();
    for _ in 0..2 {
        got.insert(json!(receiver.next().await.header("fermata-delivery-id")).to_string());
    }
    assert_eq!(got, ids);
    wait_for(&server, Metric::CallbacksDelivered, 2).await;
    assert!(receiver.got.try_recv().is_err());
    server.stop().await;
}

#[tokio::test]
async fn private_networks_are_not_reached_and_missing_settings_are_said() {
    let flags = [("dev", "false"), ("data_dir", "/nonexistent"), ("udp_address", "127.0.0.1")];
    let server = InProcess::start_calling(&flags, |_| Arc::new(MemoryStore::new()), HASTY).await;
    let mut receiver = Receiver::start(|_| Answer::Status(200)).await;
    send_to(&server, Some(&receiver.url), None);
    enter(&server, "a", 0..1);
    wait_for(&server, Metric::CallbacksFailed, 1).await;
    assert!(server.shared.metrics.get(Metric::WebhooksRefused) >= 2);
    let failed = deliveries(&server, "state=failed").await;
    let error = failed[0]["last_attempt"]["error"].as_str().unwrap();
    assert!(error.contains("not a public address"), "{error}");
    send_to(&server, None, None);
    let id = failed[0]["id"].as_str().unwrap();
    let replay = server.api(&format!("POST /apps/{APP}/deliveries/{id}/replay"), None).await;
    assert_eq!(replay.status, 202, "{replay:?}");
    wait_for(&server, Metric::CallbacksFailed, 2).await;
    wait_for(&server, Metric::CallbacksWaiting, 0).await;
    let failed = deliveries(&server, "state=failed").await;
    assert_eq!(failed[0]["last_attempt"]["error"], "the application has no callback any more");
    assert!(receiver.got.try_recv().is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_user_of_a_real_room_is_told_and_the_servers_end_too() {
    let server = start(PATIENT).await;
    let mut receiver = Receiver::start(|_| Answer::Status(200)).await;
    send_to(&server, Some(&receiver.url), None);
    let (sink, _signals) = fermata_node::signal_channel();
    let join = common::join(&server.shared.node, "ann", "int/42");
    server.shared.node.join(join, sink).await.unwrap();
    for expected in [101, 103] {
        let json = receiver.next().await.json();
        assert_eq!(json["EventType"], expected, "{json}");
        assert_eq!(json["EventInfo"]["RoomId"], 42);
    }
    server.shared.node.shutdown().await;
    let left = receiver.next().await.json();
    assert_eq!((&left["EventType"], &left["EventInfo"]["Reason"]), (&json!(104), &json!(3)));
    assert_eq!(receiver.next().await.json()["EventType"], 102);
    let shared = Arc::clone(&server.shared);
    server.stop().await;
    assert!(shared.callbacks.is_kept());
}

//! A whole node with real sockets on the loopback and a store in memory: entering, leaving, floods, slow
//! clients, refusals while the disk fails, and what is in the store after stopping.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail that way"
)]

#[path = "node/tcp.rs"]
mod tcp;

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fermata_billing::command::{Actor, OpenAccount};
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_node::{
    Listen, Node, NodeConfig, NodeHandle, NodeStopped, SignalOut, StartError, TcpListen,
    UsageIntake, signal_channel,
};
use fermata_sfu::io::{ClientSettings, Command, Join, Reply, RoomOptions, RoomPermission, Verdict};
use fermata_store::{Account, ApiKey, App, AppWithKeys, MemoryStore, Stay, Store};
use fermata_types::{
    AccountId, NodeId, Now, ParticipantSid, Reason, Role, RoomName, RoomSid, Scene, SdkAppId, Sku,
    StayClosed, StayEnd, StayOpened, UsageBatch, UsageWindow,
};
use jiff::{SignedDuration, Timestamp};
use livekit_protocol as lk;
use lk::signal_response::Message as Response;
use tokio::sync::mpsc::Receiver;

const APP: SdkAppId = SdkAppId(7);

async fn store() -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (created_at, name) = (Now::read().wall, "n".to_owned());
    let id = AccountId::from_text("AC_1");
    let account = Account { id: id.clone(), name: name.clone(), created_at };
    let terms = OpenAccount {
        account: id.clone(),
        currency: Currency::USD,
        zone: "UTC".to_owned(),
        billing: BillingMode::Daily,
        sandbox: false,
        partner: None,
        credit_limit: Money::ZERO,
    };
    store.open_account(account, terms, created_at, Actor::system(), None).await.unwrap();
    let app = App {
        sdk_app_id: APP,
        account: id,
        name,
        default_scene: Scene::Live,
        disconnect_timeout_s: 90,
        private_map_required: false,
        created_at,
        epoch: 1,
    };
    let key = ApiKey { key: "key".to_owned(), secret: "s".repeat(32), created_at };
    let app = AppWithKeys { app, usersig_key: "u".repeat(64), api_keys: vec![key] };
    store.create_app(app, created_at, Actor::system(), None).await.unwrap();
    store
}

fn config(folder: &Path) -> NodeConfig {
    let listen = vec![Listen::on("127.0.0.1:0".parse().unwrap())];
    NodeConfig::new(NodeId::from_text("ND_1"), folder.to_owned(), listen)
}

async fn start(folder: &Path, store: &Arc<dyn Store>) -> NodeHandle {
    start_with(config(folder), store).await
}

async fn start_with(config: NodeConfig, store: &Arc<dyn Store>) -> NodeHandle {
    let node = Node::start(config, Arc::new(Arc::clone(store))).await.unwrap();
    let verdict = Verdict {
        epoch: 1,
        refused: vec![],
        inside: true,
        stay_age_max: None,
        clock_offset: SignedDuration::ZERO,
        default_scene: Scene::Live,
        disconnect_timeout: Duration::from_secs(90),
    };
    node.set_verdict(APP, verdict).await.unwrap();
    node
}

fn join(node: &NodeHandle, identity: &str) -> Join {
    Join {
        connection: node.next_connection(),
        probe: false,
        app: APP,
        room: RoomName::Text("r".into()),
        identity: identity.to_owned(),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::default(),
        permission: RoomPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_data: true,
            can_publish_sources: vec![],
            can_update_metadata: false,
            hidden: false,
            recorder: false,
            agent: false,
            can_subscribe_metrics: false,
        },
        role: Role::Anchor,
        kind: 0,
        issued_at: 0,
        may_create: true,
        room_options: RoomOptions::default(),
        client: ClientSettings { protocol: 17, auto_subscribe: true, ..ClientSettings::default() },
    }
}

/// The next message of a kind that `pick` wants; others are skipped.
async fn next<T>(queue: &mut Receiver<SignalOut>, pick: impl Fn(Response) -> Option<T>) -> T {
    let wait = async {
        loop {
            match queue.recv().await.expect("the connection was closed") {
                SignalOut::Message(message) => {
                    if let Some(found) = message.message.and_then(&pick) {
                        return found;
                    }
                }
                SignalOut::RefreshToken(_) => {}
                SignalOut::Close => panic!("the connection was closed"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("no such message came")
}

async fn stays(store: &Arc<dyn Store>) -> Vec<Stay> {
    store.list_stays(APP, None, Timestamp::UNIX_EPOCH, Timestamp::MAX, None, 100).await.unwrap()
}

async fn room_count(node: &NodeHandle) -> usize {
    match node.command(Command::ListRooms { app: APP }).await.unwrap() {
        Reply::Rooms(rooms) => rooms.len(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn entering_leaving_and_stopping_are_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let node = start(folder.path(), &store).await;
    assert!(node.candidates()[0].port() != 0);

    let (sink, mut ann) = signal_channel();
    let request = join(&node, "ann");
    let ann_connection = request.connection;
    let admitted = node.join(request, sink).await.unwrap();
    let welcome = next(&mut ann, |m| if let Response::Join(j) = m { Some(j) } else { None }).await;
    assert_eq!(welcome.participant.unwrap().sid, admitted.participant.as_str());
    let (sink, mut bob) = signal_channel();
    node.join(join(&node, "bob"), sink).await.unwrap();
    next(&mut bob, |m| if let Response::Join(j) = m { Some(j) } else { None }).await;
    assert_eq!(room_count(&node).await, 1);

    let leave = lk::signal_request::Message::Leave(lk::LeaveRequest::default());
    node.signal(ann_connection, leave).await.unwrap();
    node.shutdown().await;
    let goodbye = next(&mut bob, |m| if let Response::Leave(l) = m { Some(l) } else { None }).await;
    assert_eq!(goodbye.reason(), lk::DisconnectReason::ServerShutdown);
    assert_eq!(node.signal_closed(ann_connection).await, Err(NodeStopped));
    assert_eq!(node.command(Command::ListRooms { app: APP }).await.map(|_| ()), Err(NodeStopped));

    let ends: Vec<_> = stays(&store).await.into_iter().map(|s| (s.identity, s.end)).collect();
    assert!(ends.contains(&("ann".to_owned(), Some(StayEnd::Left))), "{ends:?}");
    assert!(ends.contains(&("bob".to_owned(), Some(StayEnd::Shutdown))), "{ends:?}");
    for stay in stays(&store).await {
        // Entering and leaving may be handled in one go, at one moment: then no second was begun.
        let begun = stay.ended_at.is_some_and(|ended_at| ended_at > stay.entered_at);
        let seconds: u64 = stay.seconds.iter().map(|(_, seconds)| seconds).sum();
        assert_eq!(seconds >= 1, begun, "a begun second counts: {stay:?}");
    }
    let left = std::fs::read_dir(folder.path().join("usage")).unwrap().count();
    assert_eq!(left, 1, "only the lock is left of a log that the store has altogether");
}

#[tokio::test]
async fn refusals_and_probes_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let node = start(folder.path(), &store).await;
    let refused = |app, identity: &str| {
        let mut request = join(&node, identity);
        request.app = app;
        let node = node.clone();
        async move { node.join(request, signal_channel().0).await.unwrap_err().reason() }
    };
    assert_eq!(refused(SdkAppId(8), "ann").await, Reason::KeyUnknown);
    assert_eq!(refused(APP, &"x".repeat(257)).await, Reason::IdentityTooLong);
    let mut probe = join(&node, "ann");
    probe.probe = true;
    let (sink, mut queue) = signal_channel();
    node.join(probe, sink).await.unwrap();
    assert!(queue.recv().await.is_none(), "a probe hears nothing");
    assert_eq!(room_count(&node).await, 0);
    let stats = node.stats().await.unwrap();
    assert_eq!((stats.sfu.participants, stats.sfu.joins_refused), (0, 2));
    node.shutdown().await;
    assert!(stays(&store).await.is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let node = start(folder.path(), &store).await;
    let (slow, mut unread) = tokio::sync::mpsc::channel(1);
    node.join(join(&node, "slow"), slow).await.unwrap();
    let (sink, mut queue) = signal_channel();
    node.join(join(&node, "quick"), sink).await.unwrap();
    next(&mut queue, |m| if let Response::Join(j) = m { Some(j) } else { None }).await;
    for _ in 0..3 {
        let request = join(&node, "more");
        node.join(request, signal_channel().0).await.unwrap();
    }
    let stats = node.stats().await.unwrap();
    assert!(stats.signal_queue_full >= 1, "{stats:?}");
    assert!(matches!(unread.recv().await, Some(SignalOut::Message(_))));
    assert!(unread.recv().await.is_none(), "its end was dropped");
    node.shutdown().await;
    next(&mut queue, |m| if let Response::Leave(l) = m { Some(l) } else { None }).await;
}

#[tokio::test]
async fn a_flood_of_garbage_disturbs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let node = start(folder.path(), &store).await;
    let target = node.candidates()[0];
    let flood = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0;
    for round in 0..3_000usize {
        let packet = vec![u8::try_from(round % 256).unwrap(); round % 3_000];
        sent += usize::from(flood.send_to(&packet, target).is_ok());
    }
    assert!(sent > 0);
    let (sink, mut queue) = signal_channel();
    node.join(join(&node, "ann"), sink).await.unwrap();
    next(&mut queue, |m| if let Response::Join(j) = m { Some(j) } else { None }).await;
    let wait = async {
        while node.stats().await.unwrap().sfu.datagrams_in == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
    assert_eq!(node.stats().await.unwrap().sfu.participants, 1);
    node.shutdown().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let node = start(folder.path(), &store).await;
    let (sink, queue) = signal_channel();
    drop(queue);
    // Admitted or not, nothing hangs and nothing breaks.
    let _ = node.join(join(&node, "ann"), sink).await;
    let (sink, mut queue) = signal_channel();
    node.join(join(&node, "ann"), sink).await.unwrap();
    next(&mut queue, |m| if let Response::Join(j) = m { Some(j) } else { None }).await;
    assert_eq!(node.stats().await.unwrap().sfu.participants, 1);
    node.shutdown().await;
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let check = |listen: Vec<Listen>, word: &'static str| {
        let mut config = config(folder.path());
        config.listen = listen;
        let intake: Arc<dyn UsageIntake> = Arc::new(Arc::clone(&store));
        async move {
            let error = Node::start(config, intake).await.unwrap_err();
            assert!(error.to_string().contains(word), "{error} lacks {word:?}");
        }
    };
    check(vec![], "1 to 64").await;
    check(vec![Listen::on("0.0.0.0:0".parse().unwrap())], "clients reach it").await;
    let crossed = Listen::on("127.0.0.1:0".parse().unwrap()).advertised_as("::1".parse().unwrap());
    check(vec![crossed], "other IP version").await;
    let first = start(folder.path(), &store).await;
    check(vec![Listen::on(first.candidates()[0])], "cannot be used").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListen::on(taken.local_addr().unwrap().port());
    check(vec![Listen::on("127.0.0.1:0".parse().unwrap()).with_tcp(tcp)], "the TCP address").await;
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let same = Listen::on(free).with_tcp(TcpListen::on(free.port()));
    check(vec![same], "must be another one").await;
    check(vec![Listen::on("127.0.0.1:0".parse().unwrap())], "usage log").await;
    first.shutdown().await;
    let public =
        Listen::on("0.0.0.0:0".parse().unwrap()).advertised_as("192.0.2.1".parse().unwrap());
    let mut config = config(folder.path());
    config.listen = vec![public];
    let node = Node::start(config, Arc::new(Arc::clone(&store))).await;
    let node = node.map_err(|e: StartError| e.to_string()).unwrap();
    assert_eq!(node.candidates()[0].ip().to_string(), "192.0.2.1");
    node.shutdown().await;
}

#[tokio::test]
async fn while_usage_cannot_be_written_newcomers_are_refused_and_calls_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let mut config = config(folder.path());
    config.usage.segment_len_max = 1;
    config.usage.sync_interval = Duration::from_millis(5);
    let node = start_with(config, &store).await;
    let (sink, mut queue) = signal_channel();
    let request = join(&node, "ann");
    let ann = request.connection;
    node.join(request, sink).await.unwrap();
    next(&mut queue, |m| if let Response::Join(j) = m { Some(j) } else { None }).await;

    let (usage, moved) = (folder.path().join("usage"), folder.path().join("moved"));
    std::fs::rename(&usage, &moved).unwrap();
    std::fs::write(&usage, b"").unwrap();
    until(|| !node.usage_writable()).await;
    let refusal = node.join(join(&node, "bob"), signal_channel().0).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::Unavailable);
    let ping = lk::signal_request::Message::PingReq(lk::Ping { timestamp: 1, rtt: 0 });
    node.signal(ann, ping).await.unwrap();
    next(&mut queue, |m| if let Response::PongResp(p) = m { Some(p) } else { None }).await;
    assert_eq!(room_count(&node).await, 1);
    let stats = node.stats().await.unwrap();
    assert_eq!((stats.sfu.participants, stats.joins_refused_unwritable), (1, 1));
    assert!(!stats.usage_writable && stats.usage_write_failures > 0);

    std::fs::remove_file(&usage).unwrap();
    std::fs::rename(&moved, &usage).unwrap();
    until(|| node.usage_writable()).await;
    node.join(join(&node, "bob"), signal_channel().0).await.unwrap();
    assert!(node.is_running());
    node.shutdown().await;
    assert!(!node.is_running());
    assert_eq!(stays(&store).await.len(), 2);
    assert_eq!(node.stats().await, Err(NodeStopped));
}

/// A run whose wall clock was a day ahead left a stay open; this one starts with the clock put right.
#[tokio::test]
async fn a_clock_that_stepped_back_before_the_restart_stretches_and_reopens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let now = Now::read().wall;
    let day = SignedDuration::from_hours(24);
    // Entered an hour ago by the right clock, which then jumped ahead.
    let minute = Timestamp::from_second(now.as_second() / 60 * 60 - 3_600).unwrap();
    let opened = |stay: &str| StayOpened {
        stay: ParticipantSid::from_text(stay),
        app: APP,
        room: RoomName::Text("r".into()),
        room_sid: RoomSid::from_text("RM_old"),
        identity: stay.to_owned(),
        scene: Scene::Live,
        role: Role::Anchor,
        entered_at: minute,
    };
    let window = |stay: &str| UsageWindow {
        stay: ParticipantSid::from_text(stay),
        sku: Sku::Audio,
        window_start: minute,
        seconds: 60,
    };
    let left = minute + SignedDuration::from_secs(60);
    let batch = UsageBatch {
        node: NodeId::from_text("ND_1"),
        opened: vec![opened("PA_open"), opened("PA_left")],
        windows: vec![window("PA_open"), window("PA_left")],
        closed: vec![StayClosed {
            stay: ParticipantSid::from_text("PA_left"),
            ended_at: left,
            end: StayEnd::Left,
        }],
        watermark: now + day,
    };
    store.intake(batch).await.unwrap();
    for run in 1..=2 {
        let node = start(folder.path(), &store).await;
        let ended: BTreeMap<_, _> = stays(&store)
            .await
            .into_iter()
            .map(|stay| (stay.identity.clone(), (stay.ended_at, stay.end, stay.seconds)))
            .collect();
        let seconds = vec![(Sku::Audio, 60)];
        let last = left + SignedDuration::from_secs(60);
        let lost = (Some(last), Some(StayEnd::Lost), seconds.clone());
        assert_eq!(ended["PA_open"], lost, "run {run}");
        assert_eq!(ended["PA_left"], (Some(left), Some(StayEnd::Left), seconds), "run {run}");
        // Who comes now is counted by the clock of now, and is not closed as lost.
        let (sink, mut queue) = signal_channel();
        let name = format!("ann {run}");
        node.join(join(&node, &name), sink).await.unwrap();
        next(&mut queue, |m| if let Response::Join(j) = m { Some(j) } else { None }).await;
        node.shutdown().await;
        let ann = stays(&store).await.into_iter().find(|stay| stay.identity == name).unwrap();
        assert_eq!(ann.end, Some(StayEnd::Shutdown));
        assert!(ann.ended_at.unwrap() < now + day / 2, "{ann:?}");
    }
}

/// Waits, bounded, until something is so.
async fn until(so: impl Fn() -> bool) {
    let wait = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
}

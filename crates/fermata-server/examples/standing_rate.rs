//! How fast the standing of an account is asked for, and how fast a change of it reaches the door, on this machine.
//!
//! `cargo run --release -p fermata-server --example standing_rate -- [--json] [--rounds N] [FOLDER]`
//! A whole server in this process: SQLite with every commit on the disk, a real media node, and the tasks that
//! run beside the requests; only the sockets are left out. Each figure is from before a call is made:
//!
//! - `admit`: `Server::allows` for a join, over a thousand accounts of which every tenth is shut.
//! - `door`: the whole admission, asked of the node's own thread.
//! - `suspension`: from moving a sandbox clock past the grace, through its commit and whatever else falls due on
//!   the way, until the node refuses. Nobody pushes: the server has to hear of it.
//! - `restoration`: from a payment, through its commit, until the node admits. The same.
//! - `payment_call`: `POST .../payments` until its answer, which comes when the node has applied it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hint::black_box;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use fermata_auth::{Claims, VideoGrant};
use fermata_billing::command::{Actor, ActorRole, Command, OpenAccount};
use fermata_billing::effect::OperationClass;
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_node::{Listen, Node, NodeConfig, event_channel, signal_channel};
use fermata_server::config::{Layers, Settings};
use fermata_server::directory::Directory;
use fermata_server::server::{Server, Shared, Tasks};
use fermata_server::{dev, http};
use fermata_signal::{Hello, JoinParts};
use fermata_store::{
    Account, ApiKey, App, AppWithKeys, BillingCall, ClockTarget, SqliteOptions, SqliteStore, Store,
    StoreStats,
};
use fermata_types::{AccountId, NodeId, Now, Scene, SdkAppId};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Accounts in the map, each with one application.
const ACCOUNTS: u32 = 1_000;
/// Every so many is shut.
const SHUT_EVERY: u32 = 10;
/// Calls of `Server::allows`.
const MAP_READS: usize = 1_000_000;
/// Times the node is asked.
const DOOR_CALLS: usize = 20_000;
/// Suspensions and restorations, unless it is told otherwise.
const ROUNDS: usize = 200;
/// Longest time that a door may take; then something is broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first application's number.
const FIRST_APP: u32 = 1_400_100_000;
const KEY_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What was asked for on the command line.
struct Options {
    json: bool,
    rounds: usize,
    folder: Option<OsString>,
}

impl Options {
    fn read() -> anyhow::Result<Self> {
        let mut options = Self { json: false, rounds: ROUNDS, folder: None };
        let mut args = std::env::args_os().skip(1);
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--json") => options.json = true,
                Some("--rounds") => {
                    let count = args.next().and_then(|count| count.to_str()?.parse().ok());
                    options.rounds = count.context("--rounds takes a number")?;
                }
                _ => options.folder = Some(arg),
            }
        }
        if options.rounds == 0 {
            bail!("--rounds takes 1 or more");
        }
        Ok(options)
    }
}

/// How long each of many calls took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    /// Since `began`, the reading of the clock included.
    fn add(&mut self, began: Instant) {
        self.0.push(Now::read().instant.saturating_duration_since(began));
    }

    fn json(mut self) -> Value {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let last = self.0.len().saturating_sub(1);
            let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
            self.0.get(place.min(last)).map_or(0, Duration::as_nanos)
        };
        let [p50, p99, most] =
            [at(50), at(99), at(100)].map(|nanos| u64::try_from(nanos).unwrap_or(u64::MAX));
        json!({"calls": self.0.len(), "p50_ns": p50, "p99_ns": p99, "max_ns": most})
    }
}

fn id(number: u32) -> AccountId {
    AccountId::from_text(&format!("AC_{number}"))
}

fn operator() -> Actor {
    Actor { role: ActorRole::Operator, name: "rate".to_owned() }
}

fn five_dollars() -> Money {
    Money::from_micros(5_000_000)
}

/// The account whose clock is moved; its application is [`FIRST_APP`].
fn sandbox() -> AccountId {
    id(0)
}

/// Account `number` with its application; number 0 is a sandbox.
async fn open(store: &dyn Store, number: u32) -> anyhow::Result<()> {
    let wall = Now::read().wall;
    let account = Account { id: id(number), name: "Rate".to_owned(), created_at: wall };
    let terms = OpenAccount {
        account: id(number),
        currency: Currency::USD,
        zone: "UTC".to_owned(),
        billing: BillingMode::Daily,
        sandbox: number == 0,
        partner: None,
        credit_limit: Money::ZERO,
    };
    store.open_account(account, terms, wall, operator(), None).await?;
    let key =
        ApiKey { key: format!("key{number}"), secret: KEY_SECRET.to_owned(), created_at: wall };
    let app = SdkAppId(FIRST_APP + number);
    let record = App {
        sdk_app_id: app,
        account: id(number),
        name: "Rate".to_owned(),
        default_scene: Scene::Live,
        disconnect_timeout_s: 90,
        private_map_required: false,
        created_at: wall,
        epoch: 1,
    };
    let usersig_key = KEY_SECRET.to_owned();
    let record = AppWithKeys { app: record, usersig_key, api_keys: vec![key] };
    store.create_app(record, wall, operator(), None).await?;
    if number % SHUT_EVERY == 1 {
        let command = Command::DisableApp { app };
        let account = id(number);
        store.bill(BillingCall { account, command, actor: operator(), wall, once: None }).await?;
    }
    Ok(())
}

fn claims() -> Claims {
    let video = VideoGrant { room_join: true, room: "r".to_owned(), ..VideoGrant::default() };
    Claims {
        identity: "newcomer".to_owned(),
        expires_at: Now::read().wall.as_second() + 3_600,
        video,
        ..Claims::default()
    }
}

/// A whole server.
struct Whole {
    shared: Shared,
    router: Router,
    tasks: Tasks,
}

impl Whole {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let flags = [("dev", "true"), ("udp_port", "0")];
        let flags = flags.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
        let settings = Settings::new(&Layers::merge(&flags, None, &BTreeMap::new())?)?;
        let sqlite = Arc::new(SqliteStore::open(SqliteOptions::in_dir(folder)?)?);
        let store: Arc<dyn Store> = sqlite;
        dev::prepare(&*store).await?;
        // Many at a time, so that they share commits.
        let opening = stream::iter(0..ACCOUNTS).map(|number| open(&*store, number));
        opening.buffer_unordered(64).try_collect::<()>().await?;
        let directory = Directory::load(&*store, dev::built_in()).await?;
        let listen = vec![Listen::on(SocketAddr::from(([127, 0, 0, 1], 0)))];
        let data_dir = PathBuf::from(folder);
        let mut config = NodeConfig::new(NodeId::from_text("ND_rate"), data_dir.clone(), listen);
        config.limits = settings.limits();
        let (events_in, events) = event_channel();
        config.events = Some(events_in);
        let node = Node::start(config, Arc::new(Arc::clone(&store))).await?;
        let channels = Tasks::channels(&settings)?;
        let stats = Box::new(StoreStats::default);
        let shared = Arc::new(Server::new(settings, data_dir, store, stats, node, directory)?);
        let tasks = Tasks::start(&shared, channels, events).await?;
        let router = http::router(&shared);
        Ok(Self { shared, router, tasks })
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.shared.stop();
        self.shared.node.shutdown().await;
        self.tasks.stop().await;
        Ok(self.shared.store.close().await?)
    }

    /// Asks the HTTP server; answers status and body.
    async fn ask(&self, mut request: Request<Body>) -> anyhow::Result<(u16, String)> {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
        let response = self.router.clone().oneshot(request).await?;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// What a client is told that asks whether it may enter.
    async fn validate(&self) -> anyhow::Result<u16> {
        let token = fermata_auth::sign(&claims(), "key0", KEY_SECRET);
        let request = Request::get(format!("/rtc/validate?access_token={token}"))
            .header("host", "localhost:7880")
            .body(Body::empty())?;
        Ok(self.ask(request).await?.0)
    }

    /// Would the node let somebody new in?
    async fn admits(&self) -> anyhow::Result<bool> {
        let join = fermata_signal::join(JoinParts {
            connection: self.shared.node.next_connection(),
            probe: true,
            app: SdkAppId(FIRST_APP),
            claims: claims(),
            hello: Hello::default(),
            auto_create: true,
        })?;
        let (sink, _signals) = signal_channel();
        Ok(self.shared.node.join(join, sink).await.is_ok())
    }

    /// Waits until the node admits, or refuses; nobody tells it to.
    async fn until_it_admits(&self, admits: bool) -> anyhow::Result<()> {
        let waiting = async {
            while self.admits().await? != admits {
                tokio::task::yield_now().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .with_context(|| format!("the door did not change; it should admit: {admits}"))?
    }

    async fn bill(&self, command: Command) -> anyhow::Result<()> {
        let wall = Now::read().wall;
        let call = BillingCall { account: sandbox(), command, actor: operator(), wall, once: None };
        self.shared.store.bill(call).await?;
        Ok(())
    }

    /// Spends more than there is and lets a day pass; answers when that was asked for, once the node refuses.
    async fn suspend(&self) -> anyhow::Result<Instant> {
        let amount = Money::from_micros(-five_dollars().micros());
        self.bill(Command::Adjust { amount, reason: "overspent".to_owned() }).await?;
        let began = Now::read();
        let target = ClockTarget::By(SignedDuration::from_hours(25));
        self.shared.store.advance_clock(sandbox(), target, began.wall, operator(), None).await?;
        self.until_it_admits(false).await?;
        Ok(began.instant)
    }

    /// Pays through the API.
    async fn pay(&self, provider_ref: &str) -> anyhow::Result<()> {
        let body = json!({"amount": "5.00", "provider_ref": provider_ref}).to_string();
        let request = Request::post(format!("/api/v1/accounts/{}/payments", sandbox()))
            .header("host", "localhost:7880")
            .header("authorization", format!("Bearer {}", dev::OPERATOR_TOKENS[0]))
            .header("content-type", "application/json")
            .body(Body::from(body))?;
        match self.ask(request).await? {
            (200 | 201, _) => Ok(()),
            (status, text) => bail!("a payment was answered with {status}: {text}"),
        }
    }

    async fn expect(&self, expected: u16) -> anyhow::Result<()> {
        let status = self.validate().await?;
        if status != expected {
            bail!("a client that asks is told {status} instead of {expected}");
        }
        Ok(())
    }
}

/// The map read of admission.
fn map_reads(server: &Server) -> anyhow::Result<Times> {
    let known: Vec<_> =
        (0..ACCOUNTS).map(|number| (id(number), SdkAppId(FIRST_APP + number))).collect();
    let mut times = Times(Vec::with_capacity(MAP_READS));
    let mut refused = 0;
    for n in 0..MAP_READS {
        // A stride that meets all of them, but no neighbours one after the other.
        let Some((account, app)) = known.get(n.wrapping_mul(379) % known.len()) else { continue };
        let began = Now::read().instant;
        let answer = black_box(server.allows(account, Some(*app), OperationClass::Join));
        times.add(began);
        refused += usize::from(answer.is_err());
    }
    if refused * SHUT_EVERY as usize != MAP_READS {
        bail!("{refused} of {MAP_READS} were refused, which is not one of {SHUT_EVERY}");
    }
    Ok(times)
}

async fn door(whole: &Whole) -> anyhow::Result<Times> {
    let mut times = Times::default();
    for _ in 0..DOOR_CALLS {
        let began = Now::read().instant;
        let admitted = whole.admits().await?;
        times.add(began);
        if !admitted {
            bail!("the node refuses, and nothing is owed");
        }
    }
    Ok(times)
}

fn tell(done: usize, of: usize) {
    if std::io::stderr().is_terminal() {
        // Nobody reads any more: there is nobody to tell either.
        let _ = if done == of {
            write!(std::io::stderr(), "\r\x1b[K")
        } else {
            write!(std::io::stderr(), "\r\x1b[Ksuspended and restored: {done} of {of}")
        };
    }
}

async fn measure(whole: &Whole, rounds: usize) -> anyhow::Result<Value> {
    let admit = map_reads(&whole.shared)?;
    let door = door(whole).await?;
    let (mut suspension, mut restoration, mut call) =
        (Times::default(), Times::default(), Times::default());
    for round in 0..rounds {
        tell(round, rounds);
        suspension.add(whole.suspend().await?);
        whole.expect(403).await?;
        let provider_ref = format!("store-{round}");
        let began = Now::read().instant;
        whole.bill(Command::Pay { amount: five_dollars(), provider_ref }).await?;
        whole.until_it_admits(true).await?;
        restoration.add(began);
        whole.expect(200).await?;

        whole.suspend().await?;
        let began = Now::read().instant;
        whole.pay(&format!("api-{round}")).await?;
        call.add(began);
        // With the answer, not after it.
        whole.expect(200).await?;
    }
    tell(rounds, rounds);
    Ok(json!({
        "accounts": ACCOUNTS,
        "rounds": rounds,
        "admit": admit.json(),
        "door": door.json(),
        "suspension": suspension.json(),
        "restoration": restoration.json(),
        "payment_call": call.json(),
    }))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Options { json, rounds, folder } = Options::read()?;
    let folder = match folder {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let whole = Whole::start(folder.path()).await?;
    let figures = measure(&whole, rounds).await;
    whole.stop().await?;
    let figures = figures?;
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{figures}")?;
        return Ok(());
    }
    for name in ["admit", "door", "suspension", "restoration", "payment_call"] {
        let [calls, p50, p99, most] =
            ["calls", "p50_ns", "p99_ns", "max_ns"].map(|field| figures[name][field].as_u64());
        let micros = |nanos: Option<u64>| {
            let tenths = nanos.unwrap_or(0).div_ceil(100);
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        let (p50, p99, most) = (micros(p50), micros(p99), micros(most));
        let calls = calls.unwrap_or(0);
        writeln!(out, "{name:<12} p50 {p50} us, p99 {p99} us, max {most} us ({calls} calls)")?;
    }
    Ok(())
}

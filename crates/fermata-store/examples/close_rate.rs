//! How long the SQLite store takes to close a day of many accounts and to bill them, on this machine.
//!
//! `cargo run --release -p fermata-store --example close_rate -- [--json] [--accounts N] [FOLDER]`
//! Each account is billed daily, has paid something, and has used five SKUs in one day: four that its free
//! minutes cover and one that costs money. The use comes in as a node reports it. Then the wall clock is past
//! the close, and what is timed is firing all that is due, as the running server does it.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use fermata_billing::command::{Actor, ActorRole, Command, OpenAccount};
use fermata_billing::journal::{Record, RecordKind};
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_billing::timer::TimerKind;
use fermata_store::{
    Account, ApiKey, App, AppWithKeys, BillingCall, SecretKey, SqliteOptions, SqliteStore, Store,
    StoreFuture,
};
use fermata_types::{
    AccountId, NodeId, Now, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, Sku,
    StayClosed, StayEnd, StayOpened, UsageBatch, UsageWindow,
};
use jiff::Timestamp;
use serde_json::json;

/// Accounts, unless it is told otherwise.
const ACCOUNTS: u32 = 10_000;
/// Calls that wait for the store at a time while everything is prepared.
const UNDER_WAY: u32 = 512;
/// Accounts of one report of the node.
const REPORTED: u32 = 64;
/// Timers of one call, as the server's scheduler asks for.
const TIMERS_PER_CALL: u32 = 256;
/// What is used; the last one is never covered by a package.
const SKUS: [Sku; 5] =
    [Sku::Audio, Sku::VideoHd, Sku::VideoFhd, Sku::LiveAudienceAudio, Sku::Relay];
/// Minutes of each account: one of each SKU, and the rest of the last one, so that it comes to a cent.
const MINUTES: u32 = 8;
/// 2027-01-15T08:00:00Z.
const START_S: i64 = 1_800_000_000;
/// 12:00:01 of the next day: the window of bills has passed.
const CLOSE_S: i64 = START_S + 28 * 3_600 + 1;

type Failure = Box<dyn std::error::Error>;

/// What was asked for on the command line.
struct Options {
    json: bool,
    accounts: u32,
    folder: Option<OsString>,
}

impl Options {
    fn read() -> Result<Self, Failure> {
        let mut options = Self { json: false, accounts: ACCOUNTS, folder: None };
        let mut args = std::env::args_os().skip(1);
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--json") => options.json = true,
                Some("--accounts") => {
                    let count = args.next().and_then(|count| count.to_str()?.parse().ok());
                    options.accounts = count.ok_or("--accounts takes a number")?;
                }
                _ => options.folder = Some(arg),
            }
        }
        if options.accounts == 0 {
            return Err("--accounts takes 1 or more".into());
        }
        Ok(options)
    }
}

/// Tells a person at a terminal how far it is; says nothing elsewhere.
struct Progress {
    shown: bool,
}

impl Progress {
    fn tell(&self, what: &str, done: u32, of: u32) {
        if self.shown {
            // Nobody reads any more: there is nobody to tell either.
            let _ = write!(std::io::stderr(), "\r\x1b[K{what}: {done} of {of}");
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn at(second: i64) -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_second(second)?)
}

fn id(number: u32) -> AccountId {
    AccountId::from_text(&format!("AC_{number}"))
}

fn sid(number: u32) -> ParticipantSid {
    ParticipantSid::from_text(&format!("PA_{number}"))
}

fn operator() -> Actor {
    Actor { role: ActorRole::Operator, name: "rate".to_owned() }
}

fn open(store: &SqliteStore, number: u32, wall: Timestamp) -> StoreFuture<'_, Account> {
    let account = Account { id: id(number), name: "Rate".to_owned(), created_at: wall };
    let terms = OpenAccount {
        account: id(number),
        currency: Currency::USD,
        zone: "UTC".to_owned(),
        billing: BillingMode::Daily,
        sandbox: false,
        partner: None,
        credit_limit: Money::ZERO,
    };
    store.open_account(account, terms, wall, operator(), None)
}

fn create(store: &SqliteStore, number: u32, wall: Timestamp) -> StoreFuture<'_, App> {
    let key = ApiKey { key: format!("key{number}"), secret: "secret".to_owned(), created_at: wall };
    let app = App {
        sdk_app_id: SdkAppId(number),
        account: id(number),
        name: "Rate".to_owned(),
        default_scene: Scene::Call,
        disconnect_timeout_s: 90,
        private_map_required: false,
        created_at: wall,
        epoch: 0,
    };
    let app = AppWithKeys { app, usersig_key: "secret".to_owned(), api_keys: vec![key] };
    store.create_app(app, wall, operator(), None)
}

fn pay(number: u32, wall: Timestamp) -> BillingCall {
    let amount = Money::from_micros(1_000_000);
    let command = Command::Pay { amount, provider_ref: format!("ref{number}") };
    BillingCall { account: id(number), command, actor: operator(), wall, once: None }
}

/// One stay of each of these accounts, from its entry to its end.
fn report(numbers: std::ops::Range<u32>, start: Timestamp) -> UsageBatch {
    let minute = |n: u32| start + Duration::from_secs(60 * u64::from(n));
    let window = |number: u32, n: u32| UsageWindow {
        stay: sid(number),
        sku: SKUS[(n as usize).min(SKUS.len() - 1)],
        window_start: minute(n),
        seconds: 60,
    };
    let opened = |number: u32| StayOpened {
        stay: sid(number),
        app: SdkAppId(number),
        room: RoomName::Integer(1),
        room_sid: RoomSid::from_text(&format!("RM_{number}")),
        identity: "user".to_owned(),
        scene: Scene::Call,
        role: Role::Anchor,
        entered_at: start,
    };
    let closed = |number: u32| StayClosed {
        stay: sid(number),
        ended_at: minute(MINUTES),
        end: StayEnd::Left,
    };
    UsageBatch {
        node: NodeId::from_text("ND_1"),
        opened: numbers.clone().map(opened).collect(),
        windows: numbers
            .clone()
            .flat_map(|number| (0..MINUTES).map(move |n| window(number, n)))
            .collect(),
        closed: numbers.map(closed).collect(),
        watermark: minute(MINUTES),
    }
}

/// Calls made for every account, many at a time, and awaited.
async fn each<'a, T>(
    progress: &Progress,
    what: &str,
    accounts: u32,
    call: impl Fn(u32) -> StoreFuture<'a, T>,
) -> Result<Vec<T>, Failure> {
    let mut answers = Vec::new();
    for first in (1..=accounts).step_by(UNDER_WAY as usize) {
        let last = first.saturating_add(UNDER_WAY - 1).min(accounts);
        let calls: Vec<_> = (first..=last).map(&call).collect();
        for call in calls {
            answers.push(call.await?);
        }
        progress.tell(what, last, accounts);
    }
    Ok(answers)
}

/// Accounts with money, an application and a day of use; the node says that this was all of the day.
async fn prepare(store: &SqliteStore, accounts: u32, progress: &Progress) -> Result<(), Failure> {
    let start = at(START_S)?;
    each(progress, "opening accounts", accounts, |n| open(store, n, start)).await?;
    each(progress, "making applications", accounts, |n| create(store, n, start)).await?;
    each(progress, "paying", accounts, |n| store.bill(pay(n, start))).await?;
    let wall = start + Duration::from_mins(10);
    for first in (1..=accounts).step_by(REPORTED as usize) {
        let end = first.saturating_add(REPORTED).min(accounts + 1);
        store.intake(report(first..end, start), wall).await?;
        progress.tell("reporting use of accounts", end - 1, accounts);
    }
    let mut last = report(0..0, start);
    last.watermark = at(CLOSE_S)?;
    store.intake(last, at(CLOSE_S)?).await?;
    Ok(())
}

/// Fires all that is due; answers how many days were closed.
async fn close(store: &SqliteStore, accounts: u32, progress: &Progress) -> Result<u32, Failure> {
    let wall = at(CLOSE_S)?;
    let mut closed = 0;
    loop {
        let fired = store.fire_due(wall, TIMERS_PER_CALL).await?;
        let days = fired.iter().filter(|one| matches!(one.timer, TimerKind::DayClose(_)));
        closed += u32::try_from(days.count())?;
        progress.tell("closing days of accounts", closed, accounts);
        if fired.len() < TIMERS_PER_CALL as usize {
            return Ok(closed);
        }
    }
}

/// Each account must have one bill with a line for each SKU; a fast close that forgets somebody is none.
async fn check(store: &SqliteStore, accounts: u32, progress: &Progress) -> Result<(), Failure> {
    let bills = |n| store.journal(id(n), &[RecordKind::Bill], &[], 0, 10);
    for rows in each(progress, "checking bills", accounts, bills).await? {
        match rows.iter().map(|row| &row.record).collect::<Vec<_>>().as_slice() {
            [Record::Bill(bill)] if bill.lines.len() == SKUS.len() && !bill.total.is_zero() => {}
            other => return Err(format!("not one bill of five lines, but {other:?}").into()),
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Options { json, accounts, folder } = Options::read()?;
    let folder = match folder {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let progress = Progress { shown: std::io::stderr().is_terminal() };
    let options = SqliteOptions::new(folder.path().join("rate.db"), SecretKey::generate()?);
    let store = SqliteStore::open(options)?;
    prepare(&store, accounts, &progress).await?;

    let commits = store.stats().commits;
    let began = Now::read().instant;
    let closed = close(&store, accounts, &progress).await?;
    let elapsed_ms = u64::try_from(began.elapsed().as_millis())?;
    let commits = store.stats().commits - commits;
    if closed != accounts {
        return Err(format!("{closed} days were closed of {accounts} accounts").into());
    }
    check(&store, accounts, &progress).await?;
    progress.end();

    let per_second = u64::from(accounts) * 1_000 / elapsed_ms.max(1);
    let text = if json {
        let skus = SKUS.len();
        json!({"accounts": accounts, "skus": skus, "elapsed_ms": elapsed_ms,
            "accounts_per_second": per_second, "commits": commits})
        .to_string()
    } else {
        format!(
            "{accounts} accounts x {} SKUs closed and billed in {elapsed_ms} ms: {per_second} accounts/s, \
             {commits} commits",
            SKUS.len()
        )
    };
    writeln!(std::io::stdout(), "{text}")?;
    store.close().await?;
    Ok(())
}

//! How many usage windows a second the SQLite store takes in, made durable, on this machine.
//!
//! `cargo run --release -p fermata-store --example intake_rate -- [--json] [FOLDER]`; it measures for five
//! seconds.
//! Every batch has 512 windows of 512 stays in one minute, as a busy node reports them, and is
//! acknowledged before the next one but three is sent. The stays are of eight applications of as many
//! accounts, each with free minutes and a bought package, so that every batch burns them.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use fermata_billing::command::{Actor, ActorRole, Command, OpenAccount};
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_store::{
    Account, ApiKey, App, AppWithKeys, BillingCall, SecretKey, SqliteOptions, SqliteStore, Store,
    StoreError,
};
use fermata_types::{
    AccountId, NodeId, Now, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, Sku,
    StayOpened, UsageBatch, UsageWindow,
};
use jiff::Timestamp;
use serde_json::json;

const STAYS: i64 = 512;
const ACCOUNTS: u32 = 8;
const UNDER_WAY: usize = 4;
const MEASURED: Duration = Duration::from_secs(5);

fn batch(minute: i64, start: Timestamp) -> UsageBatch {
    let stay = |n| ParticipantSid::from_text(&format!("PA_stay{n:08}"));
    let first = minute == 0;
    let window_start = start + Duration::from_secs(60 * minute.unsigned_abs());
    UsageBatch {
        node: NodeId::from_text("ND_1"),
        opened: (0..if first { STAYS } else { 0 })
            .map(|n| StayOpened {
                stay: stay(n),
                app: SdkAppId(u32::try_from(n).unwrap_or(0) % ACCOUNTS + 1),
                room: RoomName::Integer(1),
                room_sid: RoomSid::from_text("RM_1"),
                identity: format!("user{n}"),
                scene: Scene::Call,
                role: Role::Anchor,
                entered_at: start,
            })
            .collect(),
        windows: (0..STAYS)
            .map(|n| UsageWindow { stay: stay(n), sku: Sku::VideoHd, window_start, seconds: 60 })
            .collect(),
        closed: vec![],
        watermark: window_start,
    }
}

/// One account with one application and a package.
async fn prepare(store: &SqliteStore, number: u32, start: Timestamp) -> Result<(), StoreError> {
    let id = AccountId::from_text(&format!("AC_{number}"));
    let actor = || Actor { role: ActorRole::Operator, name: "rate".to_owned() };
    let account = Account { id: id.clone(), name: "Rate".to_owned(), created_at: start };
    let terms = OpenAccount {
        account: id.clone(),
        currency: Currency::USD,
        zone: "UTC".to_owned(),
        billing: BillingMode::Daily,
        sandbox: false,
        partner: None,
        credit_limit: Money::ZERO,
    };
    store.open_account(account, terms, start, actor(), None).await?;
    let key =
        ApiKey { key: format!("key{number}"), secret: "secret".to_owned(), created_at: start };
    let app = App {
        sdk_app_id: SdkAppId(number),
        account: id.clone(),
        name: "Rate".to_owned(),
        default_scene: Scene::Call,
        disconnect_timeout_s: 90,
        private_map_required: false,
        created_at: start,
        epoch: 0,
    };
    let app = AppWithKeys { app, usersig_key: "secret".to_owned(), api_keys: vec![key] };
    store.create_app(app, start, actor(), None).await?;
    let amount = Money::from_micros(1_000_000_000);
    let pay = Command::Pay { amount, provider_ref: format!("ref{number}") };
    let buy = Command::BuyPackage { type_code: "minutes_250k".to_owned(), app: None };
    for command in [pay, buy] {
        let account = id.clone();
        store
            .bill(BillingCall { account, command, actor: actor(), wall: start, once: None })
            .await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (json, folders): (Vec<_>, Vec<_>) =
        std::env::args_os().skip(1).partition(|arg| arg == "--json");
    let folder = match folders.first() {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let options = SqliteOptions::new(folder.path().join("rate.db"), SecretKey::generate()?);
    let store = SqliteStore::open(options)?;
    let start = Timestamp::from_second(1_800_000_000)?;
    for number in 1..=ACCOUNTS {
        prepare(&store, number, start).await?;
    }

    let began = Now::read().instant;
    let mut under_way = VecDeque::new();
    let mut minute = 0;
    while began.elapsed() < MEASURED {
        under_way.push_back(
            store.intake(
                batch(minute, start),
                start + Duration::from_secs(60 * minute.unsigned_abs()),
            ),
        );
        minute += 1;
        if under_way.len() == UNDER_WAY
            && let Some(oldest) = under_way.pop_front()
        {
            oldest.await?;
        }
    }
    for rest in under_way {
        rest.await?;
    }
    let elapsed_ms = u64::try_from(began.elapsed().as_millis())?;
    let stats = store.stats();
    let per_second = stats.windows * 1_000 / elapsed_ms.max(1);
    let (windows, commits) = (stats.windows, stats.commits);
    let text = if json.is_empty() {
        format!(
            "{windows} windows in {elapsed_ms} ms: {per_second} windows/s, {minute} batches, {commits} commits"
        )
    } else {
        json!({"batch": STAYS, "accounts": ACCOUNTS, "windows": windows, "elapsed_ms": elapsed_ms,
            "windows_per_second": per_second, "commits": commits})
        .to_string()
    };
    writeln!(std::io::stdout(), "{text}")?;
    let problems = store.check().await?.problems;
    store.close().await?;
    if problems.is_empty() { Ok(()) } else { Err(problems.join(" ").into()) }
}

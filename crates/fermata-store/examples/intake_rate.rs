//! How many usage windows a second the SQLite store takes in, made durable, on this machine.
//!
//! `cargo run -p fermata-store --example intake_rate [FOLDER]`; it measures for five seconds.
//! Every batch has 512 windows of 512 stays in one minute, as a busy node reports them, and is
//! acknowledged before the next one but three is sent.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use fermata_store::{
    Account, ApiKey, App, AppWithKeys, SecretKey, SqliteOptions, SqliteStore, Store,
};
use fermata_types::{
    AccountId, NodeId, Now, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, Sku,
    StayOpened, UsageBatch, UsageWindow,
};
use jiff::Timestamp;

const STAYS: i64 = 512;
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
                app: SdkAppId(1),
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = match std::env::args_os().nth(1) {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let options = SqliteOptions::new(folder.path().join("rate.db"), SecretKey::generate()?);
    let store = SqliteStore::open(options)?;
    let start = Timestamp::from_second(1_800_000_000)?;
    let account = AccountId::from_text("AC_1");
    let zone = "UTC".to_owned();
    let name = "Rate".to_owned();
    store
        .create_account(Account {
            id: account.clone(),
            name: name.clone(),
            zone,
            created_at: start,
        })
        .await?;
    let key = ApiKey { key: "key".to_owned(), secret: "secret".to_owned(), created_at: start };
    let app = App {
        sdk_app_id: SdkAppId(1),
        account,
        name,
        enabled: true,
        default_scene: Scene::Call,
        disconnect_timeout_s: 90,
        private_map_required: false,
        created_at: start,
        epoch: 0,
    };
    store
        .create_app(AppWithKeys { app, usersig_key: "secret".to_owned(), api_keys: vec![key] })
        .await?;

    let began = Now::read().instant;
    let mut under_way = VecDeque::new();
    let mut minute = 0;
    while began.elapsed() < MEASURED {
        under_way.push_back(store.intake(batch(minute, start)));
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
    writeln!(
        std::io::stdout(),
        "{} windows in {elapsed_ms} ms: {} windows/s, {} batches, {} commits",
        stats.windows,
        stats.windows * 1_000 / elapsed_ms.max(1),
        minute,
        stats.commits
    )?;
    let problems = store.check().await?.problems;
    store.close().await?;
    if problems.is_empty() { Ok(()) } else { Err(problems.join(" ").into()) }
}

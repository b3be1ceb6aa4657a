//! `kill -9` at any moment: a child process meters as a node does and is killed; what a new run finds is
//! compared with what the child said it had done.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fermata_billing::command::{Actor, OpenAccount};
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_store::{Account, ApiKey, App, AppWithKeys, MemoryStore, Store};
use fermata_types::{AccountId, NodeId, Scene, SdkAppId, StayEnd, UsageBatch};

use super::tests::{MINUTE, at, opened, window};
use crate::config::UsageConfig;
use crate::counters::Counters;
use crate::seam::{IntakeError, IntakeFuture, UsageIntake};

/// Names the folder for the child; not set in ordinary runs.
const FOLDER: &str = "FERMATA_TEST_USAGE_FOLDER";

/// A store that never answers with success, so that everything stays in the log.
#[derive(Debug)]
struct Deaf;

impl UsageIntake for Deaf {
    fn intake(&self, batch: UsageBatch) -> IntakeFuture<'_, ()> {
        drop(batch);
        Box::pin(async { Err(IntakeError("deaf".to_owned())) })
    }

    fn close_lost_stays(&self, _node: NodeId) -> IntakeFuture<'_, u64> {
        Box::pin(async { Ok(0) })
    }
}

fn node() -> NodeId {
    NodeId::from_text("ND_1")
}

/// The child: raises one stay's seconds, and prints each value once the log has taken it.
#[test]
fn child_that_meters_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "the parent test tells its child this way")]
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let counters = Arc::new(Counters::default());
        // Small segments, so that the kill also falls into changes of files.
        let config = UsageConfig {
            sync_interval: Duration::from_millis(5),
            segment_len_max: 700,
            ..UsageConfig::default()
        };
        let (mut out, pipe) =
            super::start(folder.into(), node(), config, Arc::new(Deaf), Arc::clone(&counters))
                .await
                .unwrap();
        out.push(opened(1));
        for number in 0..u64::MAX {
            let (minute, seconds) = (number / 60, u32::try_from(number % 60).unwrap() + 1);
            let mut fact = window(1, seconds);
            if let fermata_sfu::io::UsageFact::Window(w) = &mut fact {
                w.window_start = at(MINUTE + i64::try_from(minute).unwrap() * 60);
            }
            out.push(fact);
            let records = number + 2;
            while counters.usage_records.load(std::sync::atomic::Ordering::Relaxed) < records {
                tokio::task::yield_now().await;
            }
            println!("\nlogged {}", number + 1);
        }
        drop(pipe);
    });
}

/// Kills a child after it has said `lines` values; gives back the last value it said.
fn run_and_kill(folder: &std::path::Path, lines: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "usage::crash_tests::child_that_meters_until_it_is_killed",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("logged ")?.parse::<u64>().ok());
    let before = said.by_ref().take(lines).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    said.last().unwrap_or(before)
}

/// A store that knows the application of [`opened`].
async fn store_with_app() -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let account =
        Account { id: AccountId::from_text("AC_1"), name: "a".to_owned(), created_at: at(MINUTE) };
    let terms = OpenAccount {
        account: account.id.clone(),
        currency: Currency::USD,
        zone: "UTC".to_owned(),
        billing: BillingMode::Daily,
        sandbox: false,
        partner: None,
        credit_limit: Money::ZERO,
    };
    store.open_account(account.clone(), terms, at(MINUTE), Actor::system(), None).await.unwrap();
    let app = App {
        sdk_app_id: SdkAppId(7),
        account: account.id,
        name: "app".to_owned(),
        default_scene: Scene::Call,
        disconnect_timeout_s: 90,
        private_map_required: false,
        created_at: at(0),
        epoch: 1,
    };
    let key = ApiKey { key: "key".to_owned(), secret: "s".repeat(32), created_at: at(0) };
    let app = AppWithKeys { app, usersig_key: "u".repeat(64), api_keys: vec![key] };
    store.create_app(app, at(MINUTE), Actor::system(), None).await.unwrap();
    store
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_logged_and_counts_nothing_twice() {
    for lines in [1, 2, 17, 59, 60, 61, 150, 400] {
        let folder = tempfile::tempdir().unwrap();
        let said = run_and_kill(folder.path(), lines);
        let store = store_with_app().await;
        let counters = Arc::new(Counters::default());
        // Two runs, so that the second one replays what the first one left (nothing) on top.
        for run in 0..2 {
            let intake: Arc<dyn UsageIntake> = Arc::new(Arc::clone(&store));
            let config = UsageConfig::default();
            let (out, pipe) =
                super::start(folder.path().into(), node(), config, intake, Arc::clone(&counters))
                    .await
                    .unwrap();
            let lost = counters.stays_lost.load(std::sync::atomic::Ordering::Relaxed);
            assert_eq!(lost, u64::from(run == 0), "run {run} closes the stay once");
            tokio::task::spawn_blocking(move || out.finish()).await.unwrap();
            pipe.stop().await;
        }
        let stays = store
            .list_stays(SdkAppId(7), None, at(0), at(MINUTE + 1_000_000), None, 10)
            .await
            .unwrap();
        assert_eq!(stays.len(), 1);
        let seconds: u64 = stays[0].seconds.iter().map(|(_, s)| s).sum();
        // The child may have logged one more than it got round to say.
        assert!((said..=said + 1).contains(&seconds), "said {said}, found {seconds}");
        assert_eq!(stays[0].end, Some(StayEnd::Lost));
    }
}

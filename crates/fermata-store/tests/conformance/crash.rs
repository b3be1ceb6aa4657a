//! A process that is killed while it writes loses nothing that was acknowledged.
//!
//! The test binary runs itself as a child, which writes and says which batches were acknowledged;
//! the parent kills it after a number of them and opens what is left.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use fermata_store::{SecretKey, SqliteOptions, SqliteStore, Store, StoreError};
use fermata_types::{AccountId, SdkAppId, Sku};

use crate::common::{at, batch, days, opened, populate, wall, window};

/// Where the child finds its data; a child without it has nothing to do.
const DIR: &str = "FERMATA_STORE_CRASH_DIR";
/// The child ends by itself after so many batches, should nobody kill it.
const BATCHES_MAX: u32 = 100_000;
/// Batches the child has under way at a time, so that commits are shared.
const UNDER_WAY: u32 = 8;

fn open(dir: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(SqliteOptions::new(dir.join("s.db"), SecretKey::from_bytes([9; 32])))
}

/// Batch `n` of `round`: one stay with one window of one second.
async fn write(store: &SqliteStore, round: u32, first: u32) -> Result<(), StoreError> {
    let batches = (first..first + UNDER_WAY).map(|n| {
        let stay = format!("PA_{round}_{n}");
        let mut report = batch("ND_1");
        report.opened = vec![opened(&stay, 1, "hall", i64::from(round))];
        report.windows = vec![window(&stay, Sku::Audio, 0, 1)];
        (n, store.intake(report, wall()))
    });
    for (n, taken) in batches.collect::<Vec<_>>() {
        taken.await?;
        let mut out = std::io::stdout().lock();
        // Flushed at once: what was said must be out before the process can die.
        writeln!(out, "\nack {n}").and_then(|()| out.flush()).expect("the parent listens");
    }
    Ok(())
}

/// Not a test by itself: the child's part of the test below.
#[tokio::test]
async fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let round = std::fs::read_to_string(dir.join("round")).expect("round");
    let round = round.parse().expect("a number");
    let store = open(dir).expect("the store opens");
    for first in (0..BATCHES_MAX).step_by(UNDER_WAY as usize) {
        write(&store, round, first).await.expect("taken");
    }
}

/// Runs a child until it has acknowledged `acks` batches, kills it, and says the last one it named.
fn run_and_kill(dir: &Path, acks: usize) -> u32 {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("child");
    let mut last = None;
    let mut seen = 0;
    let out = BufReader::new(child.stdout.take().expect("piped"));
    for line in out.lines().map_while(Result::ok) {
        let Some(n) = line.strip_prefix("ack ") else { continue };
        last = n.parse().ok();
        seen += 1;
        if seen == acks {
            child.kill().expect("killed");
        }
    }
    let status = child.wait().expect("gone");
    assert!(!status.success(), "it was killed, not finished");
    last.expect("something was acknowledged")
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path()).expect("the store opens");
    populate(&store).await;
    store.close().await.expect("closes");
    let mut expected = vec![];
    for (round, acks) in [(0_u32, 1), (1, 30), (2, 300)] {
        std::fs::write(dir.path().join("round"), round.to_string()).expect("round");
        let path = dir.path().to_owned();
        let last = tokio::task::spawn_blocking(move || run_and_kill(&path, acks));
        expected.push((round, last.await.expect("ran")));

        let store = open(dir.path()).expect("the killed process holds no lock");
        let report = store.check().await.expect("checked");
        assert_eq!(report.problems, Vec::<String>::new());
        let proof = store.verify().await.expect("verified");
        assert_eq!(proof.problems, Vec::<String>::new());
        // P20: whatever second was counted is in the books, and no other.
        let (from, to) = days();
        let uses = store.day_uses(AccountId::from_text("AC_1"), from, to).await.expect("days");
        let booked: i64 = uses.iter().map(|day| day.seconds).sum();
        let counted = store.usage_by_day(SdkAppId(1), from, to).await.expect("days");
        assert_eq!(booked.unsigned_abs(), counted.iter().map(|row| row.seconds).sum::<u64>());
        for (round, last) in &expected {
            let (from, to) = (at(i64::from(*round)), at(i64::from(*round) + 1));
            let rooms = store.usage_by_room(SdkAppId(1), from, to).await.expect("rooms");
            let seconds: u64 = rooms.iter().map(|row| row.seconds).sum();
            assert!(seconds > u64::from(*last), "round {round}: {seconds} s after ack {last}");
            // Never more than was sent: at most one more group was under way.
            assert!(seconds <= u64::from(last + 1 + 2 * UNDER_WAY), "{seconds} s after {last}");
        }
        store.close().await.expect("closes");
    }
}

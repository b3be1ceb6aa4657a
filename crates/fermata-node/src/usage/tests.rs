//! The usage log: records survive being written, torn ends are tolerated, nothing leaves before it is acknowledged.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fermata_sfu::io::UsageFact;
use fermata_types::{
    NodeId, Now, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, Sku, StayClosed,
    StayEnd, StayOpened, UsageWindow,
};
use jiff::Timestamp;
use proptest::prelude::*;

use super::log::{Log, Replay};
use super::merged::Merged;
use super::record::{Record, Torn};
use super::writer::Writer;
use crate::config::UsageConfig;
use crate::counters::Counters;
use crate::limits::{USAGE_BATCH_LEN_MAX, USAGE_QUEUE_LEN};
use crate::seam::{IntakeError, IntakeFuture, UsageIntake};

/// A whole minute.
pub(super) const MINUTE: i64 = 1_699_999_980;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn stay(number: u64) -> ParticipantSid {
    ParticipantSid::from_text(&format!("PA_{number}"))
}

pub(super) fn opened(number: u64) -> UsageFact {
    UsageFact::Opened(StayOpened {
        stay: stay(number),
        app: SdkAppId(7),
        room: RoomName::Text("r".into()),
        room_sid: RoomSid::from_text("RM_1"),
        identity: format!("user {number}"),
        scene: Scene::Call,
        role: Role::Anchor,
        entered_at: at(MINUTE),
    })
}

pub(super) fn window(number: u64, seconds: u32) -> UsageFact {
    let (sku, window_start) = (Sku::Audio, at(MINUTE));
    UsageFact::Window(UsageWindow { stay: stay(number), sku, window_start, seconds })
}

pub(super) fn closed(number: u64) -> UsageFact {
    let (ended_at, end) = (at(MINUTE + 30), StayEnd::Left);
    UsageFact::Closed(StayClosed { stay: stay(number), ended_at, end })
}

fn merged(facts: impl IntoIterator<Item = UsageFact>) -> Merged {
    let mut merged = Merged::default();
    facts.into_iter().for_each(|fact| merged.add(fact));
    merged
}

fn writer(folder: &Path, segment_len_max: u64) -> (Writer, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    let (log, _) = Log::open(folder, segment_len_max).unwrap();
    let node = NodeId::from_text("ND_1");
    (Writer::new(node, log, Arc::clone(&counters), Duration::from_secs(1)), counters)
}

/// What a new run finds.
fn replay(folder: &Path) -> Merged {
    reopen(folder, 1 << 20).1.facts
}

/// Opens a log that was just let go. A child process that another test starts at this moment holds a copy of
/// the lock until it runs its own program.
fn reopen(folder: &Path, segment_len_max: u64) -> (Log, Replay) {
    loop {
        match Log::open(folder, segment_len_max) {
            Err(error) if error.to_string().contains("another process") => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

fn segment_count(folder: &Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .filter(|e| e.as_ref().unwrap().path().extension().is_some())
        .count()
}

#[test]
fn facts_merge_by_max_and_come_out_in_order() {
    let mut facts =
        merged([closed(1), window(1, 5), window(1, 9), window(1, 7), opened(1), opened(1)]);
    assert_eq!(facts.len(), 3);
    assert_eq!(facts.latest(), Some(at(MINUTE + 30)));
    let batch = facts.take(2, NodeId::from_text("ND_1"), at(5));
    assert_eq!((batch.opened.len(), batch.windows[0].seconds, batch.closed.len()), (1, 9, 0));
    assert_eq!(facts.pop(), Some(closed(1)));
    assert!(facts.is_empty());
}

#[test]
fn a_new_run_finds_everything_without_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let facts = [opened(1), window(1, 3), opened(2), window(1, 4), closed(1)];
    let (mut writer, _) = writer(folder.path(), 1 << 20);
    writer.facts(Now::read(), facts.clone().into_iter());
    drop(writer);
    let (_, found) = reopen(folder.path(), 1 << 20);
    assert_eq!(found.facts, merged(facts));
    assert!(found.heartbeat.is_some() && found.torn == 0);
    assert_eq!(found.records, 6);
}

#[test]
fn a_stepping_wall_clock_changes_no_fact_and_never_takes_the_watermark_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer(folder.path(), 1 << 20);
    let start = Now::read();
    let at_step = |seconds: u64, hours: i64| {
        let now = start.plus(Duration::from_secs(seconds));
        let step = jiff::SignedDuration::from_hours(hours);
        Now { instant: now.instant, wall: now.wall.checked_add(step).unwrap() }
    };
    let mut told = Timestamp::UNIX_EPOCH;
    let rows = [(0, 0), (1, 24), (2, 0), (3, -24), (4, 0)];
    for (number, (second, step)) in rows.into_iter().enumerate() {
        let (now, seconds) = (at_step(second, step), u32::try_from(number + 1).unwrap());
        let facts = if number == 0 { vec![opened(1)] } else { vec![window(1, seconds)] };
        writer.facts(now, facts.clone().into_iter());
        writer.tick(now);
        let taken = writer.take(now);
        assert_eq!(taken.batch.opened.len() + taken.batch.windows.len(), 1, "{step}");
        assert!(taken.batch.watermark >= told, "{step}");
        told = taken.batch.watermark;
        writer.acked(&taken);
    }
    drop(writer);
    let (_, found) = reopen(folder.path(), 1 << 20);
    assert_eq!(found.facts, merged([opened(1), window(1, 5)]));
    assert_eq!(found.heartbeat, Some(at_step(1, 24).wall));
}

#[test]
fn an_idle_node_beats_too_but_seldom() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, counters) = writer(folder.path(), 1 << 20);
    let start = Now::read();
    for second in 0..20 {
        writer.tick(start.plus(Duration::from_secs(second)));
    }
    assert_eq!(counters.usage_syncs.load(Ordering::Relaxed), 4);
}

#[test]
fn two_nodes_cannot_share_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let first = Log::open(folder.path(), 100).unwrap();
    assert!(Log::open(folder.path(), 100).unwrap_err().to_string().contains("another process"));
    drop(first);
    reopen(folder.path(), 100);
}

#[test]
fn a_file_cut_anywhere_loses_only_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), 1 << 20).unwrap();
    let mut bytes = Vec::new();
    let mut ends = vec![0];
    for number in 0..6 {
        Record::from(window(number, 1)).write(&mut bytes).unwrap();
        ends.push(bytes.len());
    }
    log.append(&bytes).unwrap();
    drop(log);
    let path = folder.path().join("usage-0000000000000000.log");
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let (mut log, found) = reopen(folder.path(), 1 << 20);
        let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
        assert_eq!(found.facts.len(), whole, "{cut}");
        assert_eq!(found.torn, u64::from(!ends.contains(&cut)), "{cut}");
        log.renew().unwrap();
        let newest = log.number();
        // Tidy up what this round made, but for the file under test.
        drop(log);
        for number in 1..=newest {
            fs::remove_file(folder.path().join(format!("usage-{number:016x}.log"))).unwrap();
        }
    }
}

#[test]
fn segments_go_only_after_the_store_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, counters) = writer(folder.path(), 400);
    for number in 0..10 {
        writer.facts(Now::read(), [opened(number)].into_iter());
    }
    let many = segment_count(folder.path());
    assert!(many >= 5, "{many}");
    let taken = writer.take(Now::read());
    assert_eq!(taken.batch.opened.len(), 10);
    assert!(!taken.more && taken.stays_open);
    writer.facts(Now::read(), [opened(11)].into_iter());
    assert!(segment_count(folder.path()) >= many);
    assert_eq!(counters.usage_pending.load(Ordering::Relaxed), 11);
    writer.acked(&taken);
    assert!(segment_count(folder.path()) <= 2);
    assert_eq!(counters.usage_pending.load(Ordering::Relaxed), 1);
    drop(writer);
    assert!(replay(folder.path()).facts().any(|fact| fact == opened(11)));
}

#[test]
fn a_report_that_leaves_something_behind_moves_no_watermark_and_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer(folder.path(), 1 << 10);
    let facts: Vec<_> = (0..=USAGE_BATCH_LEN_MAX as u64).map(|n| window(n, 1)).collect();
    writer.facts(Now::read(), facts.into_iter());
    let first = writer.take(Now::read());
    assert_eq!(first.batch.windows.len(), USAGE_BATCH_LEN_MAX);
    assert!(first.more && first.covers.is_none());
    assert_eq!(first.batch.watermark, Timestamp::UNIX_EPOCH);
    let before = segment_count(folder.path());
    writer.acked(&first);
    assert_eq!(segment_count(folder.path()), before);
    let now = Now::read();
    let second = writer.take(now);
    assert_eq!((second.batch.windows.len(), second.batch.watermark), (1, now.wall));
    writer.acked(&second);
    assert_eq!(segment_count(folder.path()), 1);
}

#[test]
fn a_failing_disk_is_told_and_nothing_is_lost() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("usage");
    let (mut writer, counters) = writer(&folder, 200);
    writer.facts(Now::read(), [opened(1)].into_iter());
    // The next segment cannot be made: its folder is gone, and a file stands in its place.
    let moved = outer.path().join("moved");
    fs::rename(&folder, &moved).unwrap();
    fs::write(&folder, b"").unwrap();
    writer.facts(Now::read(), [opened(2), window(1, 5)].into_iter());
    assert!(!counters.usage_writable());
    writer.facts(Now::read(), [window(1, 6), closed(1)].into_iter());
    writer.tick(Now::read());
    assert!(!counters.usage_writable());
    assert!(counters.usage_write_failures.load(Ordering::Relaxed) >= 2);
    // The store still gets its reports; they release nothing of the log.
    let taken = writer.take(Now::read());
    assert_eq!((taken.batch.opened.len(), taken.covers), (2, None));
    writer.facts(Now::read(), [window(1, 7)].into_iter());
    writer.acked(&taken);
    // The disk is back.
    fs::remove_file(&folder).unwrap();
    fs::rename(&moved, &folder).unwrap();
    writer.tick(Now::read());
    assert!(counters.usage_writable());
    drop(writer);
    // What the store acknowledged meanwhile need not be in the log; the rest is.
    assert_eq!(replay(&folder), merged([opened(1), window(1, 7)]));
    assert_eq!(counters.usage_facts_lost.load(Ordering::Relaxed), 0);
}

#[test]
fn an_open_stay_has_heartbeats_though_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer(folder.path(), 1 << 20);
    let start = Now::read();
    writer.facts(start, [opened(1)].into_iter());
    let later = start.plus(Duration::from_secs(40));
    writer.tick(later);
    drop(writer);
    let (_, found) = reopen(folder.path(), 1 << 20);
    assert_eq!(found.heartbeat, Some(later.wall));
}

fn any_record() -> impl Strategy<Value = Record> {
    (any::<u64>(), 0u32..100, 0u8..4, ".{0,40}").prop_map(|(number, seconds, kind, identity)| {
        let fact = match kind {
            0 => window(number, seconds),
            1 => closed(number),
            2 => return Record::Heartbeat(at(i64::from(seconds))),
            _ => {
                let UsageFact::Opened(mut fact) = opened(number) else { panic!() };
                fact.identity = identity;
                UsageFact::Opened(fact)
            }
        };
        fact.into()
    })
}

proptest! {
    #[test]
    fn records_survive(records in prop::collection::vec(any_record(), 0..20)) {
        let mut bytes = Vec::new();
        for record in &records {
            record.write(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        for record in records {
            prop_assert_eq!(Record::read(&mut rest), Ok(Some(record)));
        }
        prop_assert_eq!(Record::read(&mut rest), Ok(None));
    }

    #[test]
    fn a_damaged_byte_is_noticed(record in any_record(), place: prop::sample::Index, with in 1u8..) {
        let mut bytes = Vec::new();
        record.write(&mut bytes).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= with;
        prop_assert_eq!(Record::read(&mut bytes.as_slice()), Err(Torn));
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Record::read(&mut bytes.as_slice());
    }
}

/// A store in which everything fails `left` times before it succeeds.
#[derive(Debug, Default)]
struct Flaky {
    left: std::sync::atomic::AtomicU64,
    taken: std::sync::Mutex<Vec<fermata_types::UsageBatch>>,
}

impl UsageIntake for Flaky {
    fn intake(&self, batch: fermata_types::UsageBatch) -> IntakeFuture<'_, ()> {
        let fails = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok();
        Box::pin(async move {
            if fails {
                return Err(IntakeError("not now".to_owned()));
            }
            self.taken.lock().unwrap().push(batch);
            Ok(())
        })
    }

    fn close_lost_stays(&self, _node: NodeId) -> IntakeFuture<'_, u64> {
        Box::pin(async { Ok(0) })
    }
}

async fn run_pipe(folder: &Path, intake: &Arc<Flaky>, facts: Vec<UsageFact>) -> Arc<Counters> {
    let counters = Arc::new(Counters::default());
    let config =
        UsageConfig { report_interval: Duration::from_millis(5), ..UsageConfig::default() };
    let node = NodeId::from_text("ND_1");
    let intake = Arc::clone(intake);
    let (mut out, pipe) =
        super::start(folder.to_owned(), node, config, intake, Arc::clone(&counters)).await.unwrap();
    for fact in facts {
        out.push(fact);
    }
    tokio::task::spawn_blocking(move || out.finish()).await.unwrap();
    pipe.stop().await;
    counters
}

#[tokio::test]
async fn a_report_is_repeated_until_it_is_taken_and_waits_in_the_log_if_it_never_is() {
    let folder = tempfile::tempdir().unwrap();
    let facts = vec![opened(1), window(1, 3), closed(1)];
    let intake = Arc::new(Flaky::default());
    intake.left.store(u64::MAX, Ordering::Relaxed);
    let counters = run_pipe(folder.path(), &intake, facts.clone()).await;
    assert!(counters.usage_report_failures.load(Ordering::Relaxed) >= 1);
    assert_eq!(replay(folder.path()), merged(facts.clone()), "all of it waits");

    // The next start insists until the store takes it, and then the log is gone.
    intake.left.store(2, Ordering::Relaxed);
    let counters = run_pipe(folder.path(), &intake, vec![]).await;
    assert_eq!(counters.usage_replayed.load(Ordering::Relaxed), 4);
    let taken = intake.taken.lock().unwrap().clone();
    let all = taken.iter().flat_map(|batch| batch.opened.iter()).count();
    assert_eq!(all, 1);
    assert!(
        taken.iter().any(|b| b.watermark > at(MINUTE + 30)),
        "with the earlier run's heartbeat"
    );
    assert!(replay(folder.path()).is_empty());
}

#[tokio::test]
async fn what_the_writer_cannot_take_at_once_is_not_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let intake = Arc::new(Flaky::default());
    let count = USAGE_QUEUE_LEN as u64 + 20_000;
    let facts = (0..count).map(|n| window(n, 1)).collect();
    let counters = run_pipe(folder.path(), &intake, facts).await;
    let taken: usize = intake.taken.lock().unwrap().iter().map(|batch| batch.windows.len()).sum();
    assert_eq!(taken as u64, count);
    assert_eq!(counters.usage_facts_lost.load(Ordering::Relaxed), 0);
    assert!(replay(folder.path()).is_empty());
}

//! The log writer: takes facts from the rooms, appends and syncs them, and holds what the store lacks.
//!
//! Runs on a thread of its own because the disk may take its time. While the log cannot be written it says so
//! (newcomers are refused), holds the facts in memory, and still lets the sender report them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fermata_sfu::io::UsageFact;
use fermata_types::{NodeId, Now, ParticipantSid, UsageBatch};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::log::Log;
use super::merged::Merged;
use super::record::Record;
use crate::counters::{Counters, count};
use crate::limits::{USAGE_BATCH_LEN_MAX, USAGE_IDLE_HEARTBEAT_INTERVAL, USAGE_PENDING_MAX};

/// Facts taken from the queue before they are appended together.
const FACTS_PER_APPEND: usize = 1_024;

/// What the sender asks.
#[derive(Debug)]
pub(crate) enum Ask {
    /// What is waiting, after a sync.
    Take(oneshot::Sender<Taken>),
    /// The store has this one.
    Acked(Taken),
    /// The end: sync, and delete the log if the store has everything.
    Stop(oneshot::Sender<()>),
}

/// A report to be.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) batch: UsageBatch,
    /// Nothing was left behind: once the store has it, segments before this one are not needed.
    pub(crate) covers: Option<u64>,
    /// There is more than fits into one report.
    pub(crate) more: bool,
    /// Is any stay open?
    pub(crate) stays_open: bool,
}

impl Taken {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.batch.opened.len() + self.batch.windows.len() + self.batch.closed.len()
    }
}

/// The writer's state.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) node: NodeId,
    pub(crate) log: Log,
    pub(crate) counters: Arc<Counters>,
    pub(crate) sync_interval: Duration,
    /// What the sender has not taken yet.
    pending: Merged,
    /// Given to the sender, not acknowledged.
    in_flight: usize,
    /// Appended but not synced, or not even appended.
    unsynced: Merged,
    /// Something was appended since the last sync.
    dirty: bool,
    /// The last attempt failed; the next one begins a new segment and writes `unsynced` again.
    broken: bool,
    open: HashSet<ParticipantSid>,
    watermark: Timestamp,
    heartbeat_at: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(
        node: NodeId,
        log: Log,
        counters: Arc<Counters>,
        sync_interval: Duration,
    ) -> Self {
        Self {
            node,
            log,
            counters,
            sync_interval,
            pending: Merged::default(),
            in_flight: 0,
            unsynced: Merged::default(),
            dirty: false,
            broken: false,
            open: HashSet::new(),
            watermark: Timestamp::UNIX_EPOCH,
            heartbeat_at: None,
        }
    }

    /// Runs until asked to stop, or until nobody is left to ask.
    pub(crate) async fn run(
        mut self,
        mut facts: mpsc::Receiver<UsageFact>,
        mut asks: mpsc::Receiver<Ask>,
    ) {
        let mut taken = Vec::new();
        let mut tick = tokio::time::interval(self.sync_interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut facts_open = true;
        loop {
            tokio::select! {
                biased;
                _ = tick.tick() => self.tick(Now::read()),
                n = facts.recv_many(&mut taken, FACTS_PER_APPEND), if facts_open => {
                    facts_open = n > 0;
                    self.facts(Now::read(), taken.drain(..));
                }
                ask = asks.recv() => {
                    // Facts sent before the question belong to the answer.
                    while let Ok(fact) = facts.try_recv() {
                        taken.push(fact);
                    }
                    self.facts(Now::read(), taken.drain(..));
                    match ask {
                        Some(Ask::Take(answer)) => {
                            let _ = answer.send(self.take(Now::read()));
                        }
                        Some(Ask::Acked(taken)) => self.acked(&taken),
                        Some(Ask::Stop(answer)) => {
                            self.stop();
                            let _ = answer.send(());
                            return;
                        }
                        None => return self.stop(),
                    }
                }
            }
        }
    }

    /// Facts arrived: to the log's file at once (a killed process loses nothing that is there), synced at the tick.
    pub(crate) fn facts(&mut self, now: Now, facts: impl Iterator<Item = UsageFact>) {
        let mut bytes = Vec::new();
        let mut records = 0;
        for fact in facts {
            match &fact {
                UsageFact::Opened(fact) => {
                    self.open.insert(fact.stay.clone());
                }
                UsageFact::Closed(fact) => {
                    self.open.remove(&fact.stay);
                }
                UsageFact::Window(_) => {}
            }
            if self.pending.len().max(self.unsynced.len()) >= USAGE_PENDING_MAX {
                count(&self.counters.usage_facts_lost);
                continue;
            }
            self.pending.add(fact.clone());
            self.unsynced.add(fact.clone());
            if !self.broken {
                self.encode(&fact.into(), &mut bytes);
                records += 1;
            }
        }
        self.show_pending();
        if records == 0 {
            return;
        }
        self.heartbeat(now, &mut bytes);
        self.append(&bytes, records);
    }

    /// Time to sync, to beat, or to try again.
    pub(crate) fn tick(&mut self, now: Now) {
        if self.broken {
            self.mend(now);
        }
        if self.broken {
            return;
        }
        // Also when nobody is there: a full disk must show before the next user comes.
        let every = if self.open.is_empty() {
            self.sync_interval.max(USAGE_IDLE_HEARTBEAT_INTERVAL)
        } else {
            self.sync_interval
        };
        if self.heartbeat_at.is_none_or(|at| now.instant.duration_since(at) >= every) {
            let mut bytes = Vec::new();
            self.heartbeat(now, &mut bytes);
            self.append(&bytes, 0);
        }
        self.sync();
    }

    /// What is waiting, at most one batch of it. Synced first, so that the log always knows at least what the store does.
    pub(crate) fn take(&mut self, now: Now) -> Taken {
        if !self.broken {
            self.sync();
        }
        let all = self.pending.len() <= USAGE_BATCH_LEN_MAX;
        // Only a report that leaves nothing behind may say that everything before now has been reported.
        if all {
            self.watermark = self.watermark.max(now.wall);
        }
        let batch = self.pending.take(USAGE_BATCH_LEN_MAX, self.node.clone(), self.watermark);
        let covers = (all && !self.broken).then(|| self.log.number());
        let taken = Taken { batch, covers, more: !all, stays_open: !self.open.is_empty() };
        self.in_flight += taken.len();
        self.show_pending();
        taken
    }

    /// The store has it.
    pub(crate) fn acked(&mut self, taken: &Taken) {
        self.in_flight = self.in_flight.saturating_sub(taken.len());
        if self.broken {
            // The store has them, so the log need not: memory stays small while the disk fails.
            self.unsynced.forget(&taken.batch);
        }
        self.show_pending();
        if let Some(number) = taken.covers
            && self.in_flight == 0
            && let Err(error) = self.log.delete_before(number)
        {
            // They stay and are replayed at the next start, which changes nothing in the store.
            tracing::warn!(%error, "Old segments of the usage log cannot be deleted.");
        }
    }

    /// The end: what the store lacks stays on disk, a log that it has altogether is deleted.
    fn stop(&mut self) {
        self.tick(Now::read());
        if self.pending.is_empty() && self.in_flight == 0 && self.open.is_empty() && !self.broken {
            if let Err(error) = self.log.delete_all() {
                tracing::warn!(%error, "The usage log cannot be deleted.");
            }
        } else if self.broken && !self.unsynced.is_empty() {
            // The tick has just tried once more.
            tracing::error!(
                facts = self.unsynced.len(),
                "Usage is lost: neither the log nor the store can be written."
            );
        } else {
            tracing::info!(
                facts = self.pending.len() + self.in_flight,
                "Usage stays in the log for the next start."
            );
        }
    }

    fn encode(&self, record: &Record, bytes: &mut Vec<u8>) {
        if record.write(bytes).is_err() {
            // Names are bounded far below a record's size, so this is a bug, but no reason to stop metering.
            count(&self.counters.usage_write_failures);
        }
    }

    fn heartbeat(&mut self, now: Now, bytes: &mut Vec<u8>) {
        self.heartbeat_at = Some(now.instant);
        self.encode(&Record::Heartbeat(now.wall), bytes);
    }

    fn append(&mut self, bytes: &[u8], records: u64) {
        match self.log.append(bytes) {
            Ok(()) => {
                self.dirty = true;
                self.counters.usage_records.fetch_add(records, Ordering::Relaxed);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn sync(&mut self) {
        if !self.dirty {
            return;
        }
        match self.log.sync() {
            Ok(()) => {
                self.dirty = false;
                self.unsynced = Merged::default();
                count(&self.counters.usage_syncs);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &std::io::Error) {
        count(&self.counters.usage_write_failures);
        if !self.broken {
            tracing::error!(%error, "The usage log cannot be written; newcomers are refused until it can.");
        }
        self.broken = true;
        self.counters.usage_unwritable.store(true, Ordering::Relaxed);
    }

    /// Tries a new segment, with everything that is not known to be on disk.
    fn mend(&mut self, now: Now) {
        let mut bytes = Vec::new();
        let mut records = 0;
        for fact in self.unsynced.facts() {
            self.encode(&fact.into(), &mut bytes);
            records += 1;
        }
        self.heartbeat(now, &mut bytes);
        match self.log.renew_with(&bytes) {
            Ok(()) => {
                tracing::info!(records, "The usage log can be written again.");
                self.broken = false;
                self.dirty = false;
                self.unsynced = Merged::default();
                self.counters.usage_records.fetch_add(records, Ordering::Relaxed);
                self.counters.usage_unwritable.store(false, Ordering::Relaxed);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn show_pending(&self) {
        let waiting = u64::try_from(self.pending.len() + self.in_flight).unwrap_or(u64::MAX);
        self.counters.usage_pending.store(waiting, Ordering::Relaxed);
    }
}

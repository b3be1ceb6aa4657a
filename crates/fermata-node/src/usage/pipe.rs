//! The way of a fact, put together: rooms, writer, sender; and what comes before the first one: the replay.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fermata_sfu::io::UsageFact;
use fermata_types::{NodeId, UsageBatch};
use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::log::{Log, Replay};
use super::merged::Merged;
use super::sender::Sender;
use super::writer::{Ask, Writer};
use crate::config::UsageConfig;
use crate::counters::{Counters, count};
use crate::limits::{
    USAGE_BATCH_LEN_MAX, USAGE_PENDING_MAX, USAGE_QUEUE_LEN, USAGE_REPLAY_MAX, USAGE_RETRY_MAX,
    USAGE_RETRY_MIN,
};
use crate::node::StartError;
use crate::seam::{IntakeError, UsageIntake};

/// The rooms' end. Never blocks and never drops: what the queue does not take is merged here and offered again.
#[derive(Debug)]
pub(crate) struct UsageOut {
    facts: mpsc::Sender<UsageFact>,
    waiting: Merged,
    counters: Arc<Counters>,
}

impl UsageOut {
    /// Passes a fact on.
    pub(crate) fn push(&mut self, fact: UsageFact) {
        if self.waiting.is_empty() {
            match self.facts.try_send(fact) {
                Ok(()) => {}
                Err(TrySendError::Full(fact)) => self.hold(fact),
                Err(TrySendError::Closed(fact)) => {
                    // The writer is gone: nothing can be written down any more.
                    self.counters.usage_unwritable.store(true, Ordering::Relaxed);
                    self.hold(fact);
                }
            }
        } else {
            self.hold(fact);
        }
    }

    /// Offers again what had to wait.
    pub(crate) fn flush(&mut self) {
        while !self.waiting.is_empty() {
            match self.facts.try_reserve() {
                Err(_) => return,
                Ok(place) => {
                    if let Some(fact) = self.waiting.pop() {
                        place.send(fact);
                    }
                }
            }
        }
    }

    /// The end: waits for the writer to take the rest. Only for a thread that has nothing else to do.
    pub(crate) fn finish(self) {
        for fact in self.waiting.drain() {
            if self.facts.blocking_send(fact).is_err() {
                count(&self.counters.usage_facts_lost);
            }
        }
    }

    fn hold(&mut self, fact: UsageFact) {
        count(&self.counters.usage_queue_full);
        if self.waiting.len() < USAGE_PENDING_MAX {
            self.waiting.add(fact);
        } else {
            count(&self.counters.usage_facts_lost);
        }
    }
}

/// The running writer and sender.
#[derive(Debug)]
pub(crate) struct Pipe {
    stop: watch::Sender<bool>,
    sender: tokio::task::JoinHandle<()>,
    writer: std::thread::JoinHandle<()>,
}

impl Pipe {
    /// Reports what is left, bounded in time, and ends both. The rooms' end must be finished before.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.sender.await;
        let _ = tokio::task::spawn_blocking(move || self.writer.join()).await;
    }
}

/// Opens the log, replays it into the intake, closes the stays that were left open, and starts writer and sender.
pub(crate) async fn start(
    folder: PathBuf,
    node: NodeId,
    config: UsageConfig,
    intake: Arc<dyn UsageIntake>,
    counters: Arc<Counters>,
) -> Result<(UsageOut, Pipe), StartError> {
    let shown = folder.display().to_string();
    let unusable = |source| StartError::UsageLog { folder: shown, source };
    let opened =
        tokio::task::spawn_blocking(move || Log::open(&folder, config.segment_len_max)).await;
    let (mut log, replay) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return Err(unusable(error)),
        Err(error) => return Err(unusable(std::io::Error::other(error))),
    };
    counters.usage_replayed.store(replay.records, Ordering::Relaxed);
    counters.usage_torn.store(replay.torn, Ordering::Relaxed);
    let lost = replay_into(&*intake, &node, replay).await.map_err(StartError::Replay)?;
    counters.stays_lost.store(lost, Ordering::Relaxed);
    if let Err(error) = log.delete_before(log.number()) {
        tracing::warn!(%error, "Replayed segments of the usage log cannot be deleted.");
    }
    spawn(log, node, &config, intake, counters).map_err(StartError::Thread)
}

fn spawn(
    log: Log,
    node: NodeId,
    config: &UsageConfig,
    intake: Arc<dyn UsageIntake>,
    counters: Arc<Counters>,
) -> std::io::Result<(UsageOut, Pipe)> {
    let (facts, facts_in) = mpsc::channel(USAGE_QUEUE_LEN);
    // One report is outstanding at a time, so two places are enough.
    let (asks, asks_in) = mpsc::channel::<Ask>(2);
    let (stop, stopping) = watch::channel(false);
    let writer = Writer::new(node, log, Arc::clone(&counters), config.sync_interval);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let writer = std::thread::Builder::new()
        .name("fermata-usage".to_owned())
        .spawn(move || runtime.block_on(writer.run(facts_in, asks_in)))?;
    let interval = config.report_interval;
    let sender = Sender { intake, asks, counters: Arc::clone(&counters), interval, stopping };
    let sender = tokio::spawn(sender.run());
    let out = UsageOut { facts, waiting: Merged::default(), counters };
    Ok((out, Pipe { stop, sender, writer }))
}

/// Hands an earlier run's facts to the store, with its last heartbeat as watermark, and closes what it left open.
/// Must end before this run's first stay, or that would be closed too.
async fn replay_into(
    intake: &dyn UsageIntake,
    node: &NodeId,
    replay: Replay,
) -> Result<u64, IntakeError> {
    let Replay { mut facts, heartbeat, .. } = replay;
    let last = facts.latest().max(heartbeat);
    if let Some(last) = last {
        while !facts.is_empty() {
            // Not all is reported before the last batch, so only that one has the watermark.
            let more = facts.len() > USAGE_BATCH_LEN_MAX;
            let watermark = if more { Timestamp::UNIX_EPOCH } else { last };
            let batch = facts.take(USAGE_BATCH_LEN_MAX, node.clone(), watermark);
            insist(|| intake.intake(batch.clone())).await?;
        }
        let (opened, windows, closed) = (Vec::new(), Vec::new(), Vec::new());
        let end = UsageBatch { node: node.clone(), opened, windows, closed, watermark: last };
        insist(|| intake.intake(end.clone())).await?;
    }
    insist(|| intake.close_lost_stays(node.clone())).await
}

/// Repeats until it succeeds, at most [`USAGE_REPLAY_MAX`] long.
async fn insist<F, T>(mut attempt: impl FnMut() -> F) -> Result<T, IntakeError>
where
    F: Future<Output = Result<T, IntakeError>>,
{
    let (mut waited, mut pause) = (Duration::ZERO, USAGE_RETRY_MIN);
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if waited >= USAGE_REPLAY_MAX => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "The store does not take an earlier run's usage yet.");
            }
        }
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(USAGE_RETRY_MAX);
    }
}

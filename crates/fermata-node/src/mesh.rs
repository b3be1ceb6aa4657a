//! The queues between the threads of a node, each with what wakes the thread that reads it.
//!
//! The rooms may wait for a shard, a shard for nobody: what a full queue does not take stays in its core, which drops
//! what can be done without. So nobody waits in a circle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use fermata_sfu::{SfuStats, ShardHop, ShardId, ShardOrder, ShardReport};
use mio::Waker;
use tokio::sync::oneshot;

use crate::limits::{HOP_QUEUE_LEN, REPORT_QUEUE_LEN, WORK_QUEUE_LEN};

/// What a shard's thread is told.
#[derive(Debug)]
pub(crate) enum Work {
    /// By the rooms.
    Order(ShardOrder),
    /// Counters are wanted.
    Stats(oneshot::Sender<SfuStats>),
    /// The node stops; what was ordered before is still done.
    Stop,
}

/// The other side is gone: its thread has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone;

/// The way to a shard's thread.
#[derive(Debug, Clone)]
pub(crate) struct ToShard {
    work: SyncSender<Work>,
    hops: SyncSender<(ShardId, ShardHop)>,
    waker: Arc<Waker>,
    ended: Arc<AtomicBool>,
}

/// What comes to a shard's thread.
#[derive(Debug)]
pub(crate) struct ShardInbox {
    pub(crate) work: Receiver<Work>,
    pub(crate) hops: Receiver<(ShardId, ShardHop)>,
    /// Says that the thread has ended, however it did.
    _end: End,
}

/// Notes that it was dropped.
#[derive(Debug)]
struct End(Arc<AtomicBool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The way from shards to the rooms.
#[derive(Debug, Clone)]
pub(crate) struct ToRooms {
    reports: SyncSender<ShardReport>,
    waker: Arc<Waker>,
}

/// Queues to one shard.
pub(crate) fn to_shard(waker: Arc<Waker>) -> (ToShard, ShardInbox) {
    let (work, work_in) = sync_channel(WORK_QUEUE_LEN);
    let (hops, hops_in) = sync_channel(HOP_QUEUE_LEN);
    let ended = Arc::new(AtomicBool::new(false));
    let inbox = ShardInbox { work: work_in, hops: hops_in, _end: End(Arc::clone(&ended)) };
    (ToShard { work, hops, waker, ended }, inbox)
}

/// The queue to the rooms.
pub(crate) fn to_rooms(waker: Arc<Waker>) -> (ToRooms, Receiver<ShardReport>) {
    let (reports, reports_in) = sync_channel(REPORT_QUEUE_LEN);
    (ToRooms { reports, waker }, reports_in)
}

impl ToShard {
    /// Hands over work, waiting while the queue is full; [`Self::wake`] has to follow.
    pub(crate) fn put(&self, work: Work) -> Result<(), Gone> {
        match self.work.try_send(work) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(work)) => {
                // It may sleep on what was put before.
                self.wake();
                self.work.send(work).map_err(|_| Gone)
            }
            Err(TrySendError::Disconnected(_)) => Err(Gone),
        }
    }

    /// Tells it to end, behind what was put before. One that has ended needs no word.
    pub(crate) fn stop(&self) {
        let _ = self.put(Work::Stop);
        self.wake();
    }

    /// Has its thread ended?
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Asks for counters, unless it has too much to do.
    pub(crate) fn ask_stats(&self) -> Option<oneshot::Receiver<SfuStats>> {
        let (answer, answered) = oneshot::channel();
        self.work.try_send(Work::Stats(answer)).ok()?;
        self.wake();
        Some(answered)
    }

    /// Hands over a hop; gives it back if there is no room.
    pub(crate) fn put_hop(&self, from: ShardId, hop: ShardHop) -> Result<(), Option<ShardHop>> {
        match self.hops.try_send((from, hop)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full((_, hop))) => Err(Some(hop)),
            Err(TrySendError::Disconnected(_)) => Err(None),
        }
    }

    /// Sees to it that what was put is read soon. A failed wake-up delays it until the next one, at most
    /// [`crate::limits::SLEEP_MAX`].
    pub(crate) fn wake(&self) {
        let _ = self.waker.wake();
    }
}

impl ToRooms {
    /// Hands over a report; gives it back if there is no room.
    pub(crate) fn put(&self, report: ShardReport) -> Result<(), Result<ShardReport, Gone>> {
        self.reports.try_send(report).map_err(|error| match error {
            TrySendError::Full(report) => Ok(report),
            TrySendError::Disconnected(_) => Err(Gone),
        })
    }

    /// See [`ToShard::wake`].
    pub(crate) fn wake(&self) {
        let _ = self.waker.wake();
    }
}

//! The threads that own the connections, and how futures reach them.
//!
//! One writer groups what waits for it into one transaction, each command in a savepoint of its own,
//! and answers after the commit. Readers take one snapshot a question. A call is queued when the
//! method is called, not when its future is polled, and is carried out even if the future is dropped.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fermata_types::Now;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::books::BookKeeper;
use super::fault::{Fault, Outcome};
use crate::limits::BATCH_COMMANDS_MAX;
use crate::stats::Counters;
use crate::{StoreError, StoreFuture};

/// One end of a bounded queue of work. Full: the call is refused at once, nothing waits unseen.
pub(super) struct Queue<J> {
    sender: Mutex<Option<SyncSender<J>>>,
    len_max: usize,
}

impl<J> std::fmt::Debug for Queue<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("len_max", &self.len_max).finish_non_exhaustive()
    }
}

impl<J> Queue<J> {
    pub(super) fn new(len_max: usize) -> (Self, Receiver<J>) {
        let (sender, receiver) = sync_channel(len_max);
        (Self { sender: Mutex::new(Some(sender)), len_max }, receiver)
    }

    fn send(&self, job: J) -> Result<(), StoreError> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = sender.as_ref().ok_or(StoreError::Closed)?;
        sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy { waiting: self.len_max },
            TrySendError::Disconnected(_) => StoreError::Backend("a thread ended".to_owned()),
        })
    }

    /// Takes nothing more; the thread behind ends when it has done what waits.
    pub(super) fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A read, or long work such as a backup: runs on a connection and answers by itself.
pub(super) type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// Queues `work` for a thread that runs [`serve_reads`].
pub(super) fn read<T: Send + 'static>(
    queue: &Queue<ReadJob>,
    counters: &Arc<Counters>,
    work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
) -> StoreFuture<'static, T> {
    let (reply, answer) = oneshot::channel();
    let tally = Arc::clone(counters);
    let sent = queue.send(Box::new(move |conn| {
        let outcome = work(conn).map_err(StoreError::from);
        tally.reads.add(1);
        count_failure(&tally, outcome.as_ref().err());
        // Nobody may be listening any more; that is their business.
        let _ = reply.send(outcome);
    }));
    await_answer(sent, answer, counters)
}

/// Runs reads until the queue is closed and empty. Several threads may share one receiver.
pub(super) fn serve_reads(conn: &Connection, queue: &Mutex<Receiver<ReadJob>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(conn),
            Err(_) => return,
        }
    }
}

/// Runs `work` on one snapshot of the data.
pub(super) fn snapshot<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> Outcome<T>,
) -> Outcome<T> {
    let transaction = conn.unchecked_transaction()?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// A command on its way through the writer.
pub(super) trait WriteJob: Send {
    /// Carries it out inside its savepoint and keeps the outcome. Says whether to keep its effect.
    fn run(&mut self, conn: &Connection) -> bool;
    /// Answers. `failure` is that of the whole group; it takes the place of success only.
    fn finish(self: Box<Self>, failure: Option<&GroupFailure>, counters: &Counters);
}

/// Why a whole group of commands came to nothing.
#[derive(Debug)]
pub(super) struct GroupFailure {
    not_writable: bool,
    text: String,
}

impl GroupFailure {
    fn new(error: rusqlite::Error) -> Self {
        match StoreError::from(Fault::Sqlite(error)) {
            StoreError::NotWritable(text) => Self { not_writable: true, text },
            other => Self { not_writable: false, text: other.to_string() },
        }
    }

    fn error(&self) -> StoreError {
        let text = self.text.clone();
        if self.not_writable { StoreError::NotWritable(text) } else { StoreError::Backend(text) }
    }
}

struct Write<T, F> {
    work: Option<F>,
    outcome: Option<Outcome<T>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> WriteJob for Write<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Outcome<T> + Send,
    Outcome<T>: Send,
{
    fn run(&mut self, conn: &Connection) -> bool {
        self.outcome = self.work.take().map(|work| work(conn));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, failure: Option<&GroupFailure>, counters: &Counters) {
        let outcome = match (self.outcome, failure) {
            (Some(Err(fault)), _) => Err(fault.into()),
            (_, Some(failure)) => Err(failure.error()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(StoreError::Backend("a command was not carried out".to_owned())),
        };
        counters.commands.add(1);
        count_failure(counters, outcome.as_ref().err());
        let _ = self.reply.send(outcome);
    }
}

/// Queues `work` for the writer; resolves after the commit.
pub(super) fn write<T: Send + 'static>(
    queue: &Queue<Box<dyn WriteJob>>,
    counters: &Arc<Counters>,
    work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
) -> StoreFuture<'static, T> {
    let (reply, answer) = oneshot::channel();
    // Counted before it is queued, so that the writer never subtracts from zero.
    counters.queue_depth.add(1);
    let sent = queue.send(Box::new(Write { work: Some(work), outcome: None, reply }));
    if sent.is_err() {
        counters.queue_depth.subtract(1);
    }
    await_answer(sent, answer, counters)
}

fn await_answer<T: Send + 'static>(
    sent: Result<(), StoreError>,
    answer: oneshot::Receiver<Result<T, StoreError>>,
    counters: &Counters,
) -> StoreFuture<'static, T> {
    if matches!(sent, Err(StoreError::Busy { .. })) {
        counters.refused.add(1);
    }
    Box::pin(async move {
        sent?;
        let ended = || StoreError::Backend("a thread of the store ended".to_owned());
        answer.await.unwrap_or_else(|_| Err(ended()))
    })
}

fn count_failure(counters: &Counters, error: Option<&StoreError>) {
    match error {
        Some(StoreError::NotWritable(_)) => {
            counters.failures.add(1);
            counters.not_writable.add(1);
        }
        Some(StoreError::Backend(_)) => counters.failures.add(1),
        _ => {}
    }
}

/// The thread that owns the one writing connection.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) queue: Receiver<Box<dyn WriteJob>>,
    pub(super) counters: Arc<Counters>,
    pub(super) books: Arc<BookKeeper>,
    /// How long the first command of a group waits for company.
    pub(super) batch_wait: Duration,
    /// The last group failed: told once when it begins and once when it is over.
    pub(super) failing: Cell<bool>,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn serve(&self) {
        while let Ok(first) = self.queue.recv() {
            let group = self.gather(first);
            self.counters.queue_depth.subtract(group.len() as u64);
            self.commit(group);
        }
    }

    fn gather(&self, first: Box<dyn WriteJob>) -> Vec<Box<dyn WriteJob>> {
        let mut group = vec![first];
        let deadline = Now::read().instant + self.batch_wait;
        while group.len() < BATCH_COMMANDS_MAX {
            let left = deadline.saturating_duration_since(Now::read().instant);
            match self.queue.recv_timeout(left) {
                Ok(job) => group.push(job),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        group
    }

    fn commit(&self, mut group: Vec<Box<dyn WriteJob>>) {
        self.counters.batches.add(1);
        let failure = self.transact(&mut group).map_err(GroupFailure::new).err();
        if let Some(failure) = &failure {
            if !self.failing.replace(true) {
                let error = failure.text.as_str();
                tracing::error!(error, "The store cannot be written; reading goes on.");
            }
            // Whatever is left of the transaction must not leak into the next one.
            if !self.conn.is_autocommit() {
                let _ = self.conn.execute_batch("ROLLBACK");
            }
        }
        // Before the answers, so that whoever has one finds the change told.
        self.books.group_ended(failure.is_none());
        if failure.is_none() && self.failing.replace(false) {
            tracing::info!("The store can be written again.");
        }
        for job in group {
            job.finish(failure.as_ref(), &self.counters);
        }
    }

    fn transact(&self, group: &mut [Box<dyn WriteJob>]) -> rusqlite::Result<()> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let mut changed = false;
        for job in group {
            self.conn.execute_batch("SAVEPOINT command")?;
            let done = job.run(&self.conn);
            self.books.command_ended(done);
            if done {
                changed = true;
            } else if self.conn.is_autocommit() {
                // A full disk makes SQLite drop the whole transaction, the others' part too.
                let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
                let text = "the transaction was rolled back".to_owned();
                return Err(rusqlite::Error::SqliteFailure(full, Some(text)));
            } else {
                self.conn.execute_batch("ROLLBACK TO command")?;
            }
            self.conn.execute_batch("RELEASE command")?;
        }
        self.conn.execute_batch("COMMIT")?;
        if changed {
            self.counters.commits.add(1);
        }
        Ok(())
    }
}

//! The two threads of the database: one writes, in groups that share a commit, and one reads.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use fermata_types::Now;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::limits::{BATCH_CALLS_MAX, BATCH_WAIT};
use super::table::Tally;
use crate::sqlite::fault::{Fault, Outcome};
use crate::{StoreError, StoreFuture};

/// One call on its way: first its work, in a savepoint, then, after the commit, its answer.
trait Job: Send {
    /// True if its effect is to be kept.
    fn run(&mut self, conn: &Connection, tally: &mut Tally) -> bool;
    /// Answers; `failure` is that of the whole group.
    fn finish(self: Box<Self>, failure: Option<&rusqlite::Error>);
}

struct Call<T, F> {
    work: Option<F>,
    outcome: Option<Outcome<T>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnOnce(&Connection, &mut Tally) -> Outcome<T> + Send,
    Outcome<T>: Send,
{
    fn run(&mut self, conn: &Connection, tally: &mut Tally) -> bool {
        self.outcome = self.work.take().map(|work| work(conn, tally));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, failure: Option<&rusqlite::Error>) {
        let nothing = || StoreError::Backend("a call was not carried out".to_owned());
        let outcome = match (self.outcome, failure) {
            (Some(Err(fault)), _) => Err(fault.into()),
            (Some(Ok(_)), Some(error)) => Err(group_error(error)),
            (Some(Ok(value)), None) => Ok(value),
            (None, failure) => Err(failure.map_or_else(nothing, group_error)),
        };
        // Nobody may be listening any more.
        let _ = self.reply.send(outcome);
    }
}

fn group_error(error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error {
        rusqlite::Error::SqliteFailure(code, _) => {
            Fault::Sqlite(rusqlite::Error::SqliteFailure(*code, Some(text))).into()
        }
        _ => StoreError::Backend(text),
    }
}

/// The way to a thread. Dropped, the thread ends when it has done what waits.
pub(super) struct Thread {
    jobs: SyncSender<Box<dyn Job>>,
    len_max: usize,
}

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Thread").field("len_max", &self.len_max).finish_non_exhaustive()
    }
}

impl Thread {
    /// A thread that works with `conn`; `writes` says whether it commits.
    pub(super) fn start(
        name: &str,
        conn: Connection,
        tally: Tally,
        len_max: usize,
        writes: bool,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = sync_channel(len_max);
        let body = move || {
            if writes {
                write(&conn, &queue, tally);
            } else {
                read(&conn, &queue, tally);
            }
        };
        let started = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        started.map_err(|error| StoreError::Backend(format!("no thread: {error}")))?;
        Ok(Self { jobs, len_max })
    }

    /// Queues a call at once; it is carried out even if its future is dropped.
    pub(super) fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &mut Tally) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Call { work: Some(work), outcome: None, reply });
        let sent = self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy { waiting: self.len_max },
            TrySendError::Disconnected(_) => StoreError::Closed,
        });
        Box::pin(async move {
            sent?;
            let ended = || StoreError::Backend("a thread of the deliveries ended".to_owned());
            answer.await.unwrap_or_else(|_| Err(ended()))
        })
    }
}

fn read(conn: &Connection, queue: &Receiver<Box<dyn Job>>, mut tally: Tally) {
    while let Ok(mut job) = queue.recv() {
        job.run(conn, &mut tally);
        job.finish(None);
    }
}

fn write(conn: &Connection, queue: &Receiver<Box<dyn Job>>, mut tally: Tally) {
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        let mut group = gather(queue, first, BATCH_WAIT);
        let before = tally;
        let failure = transact(conn, &mut group, &mut tally).err();
        if let Some(error) = &failure {
            tally = before;
            if !conn.is_autocommit() {
                let _ = conn.execute_batch("ROLLBACK");
            }
            if !failing {
                tracing::error!(%error, "The database of callbacks cannot be written.");
            }
        }
        failing = failure.is_some();
        for job in group {
            job.finish(failure.as_ref());
        }
    }
}

fn gather(
    queue: &Receiver<Box<dyn Job>>,
    first: Box<dyn Job>,
    wait: Duration,
) -> Vec<Box<dyn Job>> {
    let mut group = vec![first];
    let deadline = Now::read().instant + wait;
    while group.len() < BATCH_CALLS_MAX {
        let left = deadline.saturating_duration_since(Now::read().instant);
        match queue.recv_timeout(left) {
            Ok(job) => group.push(job),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    group
}

fn transact(
    conn: &Connection,
    group: &mut [Box<dyn Job>],
    tally: &mut Tally,
) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    for job in group {
        conn.execute_batch("SAVEPOINT call")?;
        let before = *tally;
        if !job.run(conn, tally) {
            *tally = before;
            if conn.is_autocommit() {
                // A full disk makes SQLite drop the whole transaction, the others' part too.
                let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
                let text = "the transaction was rolled back".to_owned();
                return Err(rusqlite::Error::SqliteFailure(full, Some(text)));
            }
            conn.execute_batch("ROLLBACK TO call")?;
        }
        conn.execute_batch("RELEASE call")?;
    }
    conn.execute_batch("COMMIT")
}

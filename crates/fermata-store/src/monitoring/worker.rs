//! The threads of the monitoring database, and how futures reach them. Simpler than the store's: a batch is a
//! group already, so each call is a transaction of its own.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::place::Place;
use crate::limits::{MONITORING_READ_QUEUE_LEN, MONITORING_READERS, MONITORING_WRITE_QUEUE_LEN};
use crate::sqlite::fault::Outcome;
use crate::{StoreError, StoreFuture};

/// Work that answers by itself; without a connection it tells why there is none.
type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// The ways to the threads. Dropped, it waits until they have done what waits, so that the file is closed then.
#[derive(Debug)]
pub(super) struct Threads {
    place: Arc<Place>,
    /// None while it is being dropped.
    writes: Option<SyncSender<Job>>,
    reads: Option<SyncSender<Job>>,
    handles: Vec<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        (self.reads, self.writes) = (None, None);
        for handle in self.handles.drain(..) {
            // One that panicked has said so.
            let _ = handle.join();
        }
    }
}

impl Threads {
    pub(super) fn start(path: &Path, bytes_max: u64) -> Result<Self, StoreError> {
        let place = Arc::new(Place::new(path, bytes_max));
        let conn = place.writer()?;
        let (writes, jobs) = sync_channel(MONITORING_WRITE_QUEUE_LEN);
        let own = Arc::clone(&place);
        let mut handles = vec![spawn("fermata-monit-w", move || serve_writes(&own, conn, &jobs))?];
        let (reads, jobs) = sync_channel(MONITORING_READ_QUEUE_LEN);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..MONITORING_READERS {
            let (own, jobs) = (Arc::clone(&place), Arc::clone(&jobs));
            handles.push(spawn("fermata-monit-r", move || serve_reads(&own, &jobs))?);
        }
        Ok(Self { place, writes: Some(writes), reads: Some(reads), handles })
    }

    pub(super) fn renewed(&self) -> u64 {
        self.place.generation()
    }

    /// Runs `work` in a transaction of its own.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        self.queue(self.writes.as_ref(), MONITORING_WRITE_QUEUE_LEN, work)
    }

    /// Runs `work` on one snapshot.
    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        self.queue(self.reads.as_ref(), MONITORING_READ_QUEUE_LEN, work)
    }

    fn queue<T: Send + 'static>(
        &self,
        queue: Option<&SyncSender<Job>>,
        len_max: usize,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        let (reply, answer) = oneshot::channel();
        let place = Arc::clone(&self.place);
        let job = move |conn: Result<&Connection, StoreError>| {
            let outcome = conn.and_then(|conn| {
                transact(conn, work).map_err(|fault| {
                    place.judge(&fault);
                    StoreError::from(fault)
                })
            });
            // Nobody may be listening any more; that is their business.
            let _ = reply.send(outcome);
        };
        let sent = queue.ok_or(StoreError::Closed).and_then(|queue| {
            queue.try_send(Box::new(job)).map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Busy { waiting: len_max },
                TrySendError::Disconnected(_) => ended(),
            })
        });
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(ended()))
        })
    }
}

fn ended() -> StoreError {
    StoreError::Backend("a thread of the monitoring database ended".to_owned())
}

fn transact<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
    // Dropped without a commit, it is undone.
    let transaction = conn.unchecked_transaction()?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn serve_writes(place: &Place, conn: Connection, jobs: &Receiver<Job>) {
    let mut conn = Some(conn);
    while let Ok(job) = jobs.recv() {
        if place.is_damaged() {
            tracing::error!("The monitoring database is damaged; a fresh one takes its place.");
            drop(conn.take());
        }
        let opened = match conn.take() {
            Some(conn) => Ok(conn),
            None if place.is_damaged() => place.renew(),
            None => place.writer(),
        };
        match opened {
            Ok(opened) => job(Ok(conn.insert(opened))),
            Err(error) => job(Err(error)),
        }
    }
}

fn serve_reads(place: &Place, jobs: &Mutex<Receiver<Job>>) {
    let mut kept: Option<(u64, Connection)> = None;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let generation = place.generation();
        kept = kept.filter(|(of, _)| *of == generation);
        if kept.is_none() {
            match place.reader() {
                Ok(conn) => kept = Some((generation, conn)),
                Err(fault) => {
                    place.judge(&fault);
                    job(Err(fault.into()));
                    continue;
                }
            }
        }
        if let Some((_, conn)) = &kept {
            job(Ok(conn));
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| StoreError::Backend(format!("no thread: {error}")))
}

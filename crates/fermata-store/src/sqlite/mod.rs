//! The store in one SQLite file.
//!
//! One thread owns the writing connection and groups commands into transactions; readers have
//! connections and threads of their own and see snapshots; backups and checks have one more, so that
//! they keep nobody waiting. Nothing here blocks the async runtime, except [`SqliteStore::open`].
//!
//! Beside the database lie a lock file (against a second process), SQLite's own write-ahead log,
//! and, for a whole data folder, the master key.

mod apps;
mod backup;
mod books;
mod check;
mod console;
mod credentials;
pub(crate) mod fault;
mod open;
mod parties;
mod store;
mod usage_in;
mod usage_out;
mod worker;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

pub use self::backup::{copy_key, restore, verify_backup};
use self::books::{BookKeeper, SqlShelf};
use self::fault::Outcome;
use self::open::Lock;
use self::worker::{Queue, ReadJob, WriteJob, Writer, serve_reads};
use crate::books::Judged;
use crate::limits::{BATCH_WAIT, MAINTENANCE_QUEUE_LEN, READ_QUEUE_LEN, READERS, WRITE_QUEUE_LEN};
use crate::stats::Counters;
use crate::{SecretKey, StoreError, StoreFuture, StoreStats};

/// Name of the database in a data folder.
pub const DATABASE_FILE: &str = "fermata.db";
/// Name of the master key in a data folder.
pub const KEY_FILE: &str = "fermata.key";

/// How to open a store.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file; made if it does not exist. Its folder must exist.
    pub path: PathBuf,
    /// The master key of the secrets in it.
    pub key: SecretKey,
    /// How long the first command of a group waits for others to share its commit.
    /// Zero: takes what waits already, and goes.
    pub batch_wait: Duration,
    /// Quota of the database file, pages of 4,096 bytes; none: as large as the disk.
    /// Reaching it is told as a full disk is.
    pub pages_max: Option<u32>,
    /// Writing commands that may wait, 1 or more.
    pub write_queue_len: usize,
}

impl SqliteOptions {
    /// The defaults for a database file and its key.
    pub fn new(path: impl Into<PathBuf>, key: SecretKey) -> Self {
        Self {
            path: path.into(),
            key,
            batch_wait: BATCH_WAIT,
            pages_max: None,
            write_queue_len: WRITE_QUEUE_LEN,
        }
    }

    /// The defaults for a data folder: [`DATABASE_FILE`] and [`KEY_FILE`] in it.
    /// Folder and key are made if there is no database yet.
    ///
    /// # Errors
    /// [`StoreError::Key`] if the key is unreadable, or missing although there is a database;
    /// [`StoreError::NotWritable`] if the folder cannot be made.
    pub fn in_dir(dir: &Path) -> Result<Self, StoreError> {
        backup::create_private_dir(dir)
            .map_err(|error| StoreError::NotWritable(format!("{}: {error}", dir.display())))?;
        let (database, key) = (dir.join(DATABASE_FILE), dir.join(KEY_FILE));
        // A new key beside old data would only hide what is missing.
        let load = if database.exists() { SecretKey::load } else { SecretKey::load_or_create };
        Ok(Self::new(database, load(&key)?))
    }
}

/// The store in one SQLite file. Close it before the process ends to hand over the lock at once;
/// without that, nothing that was acknowledged is lost either.
#[derive(Debug)]
pub struct SqliteStore {
    key: Arc<SecretKey>,
    books: Arc<BookKeeper>,
    counters: Arc<Counters>,
    writes: Queue<Box<dyn WriteJob>>,
    reads: Queue<ReadJob>,
    maintenance: Queue<ReadJob>,
    /// Ends when the last thread has ended.
    ended: watch::Receiver<()>,
}

/// What every thread holds until it ends: first the lock goes, then those who wait are told.
struct Hold {
    lock: Arc<Lock>,
    ended: watch::Sender<()>,
}

impl SqliteStore {
    /// Opens the store; makes the file, or brings its schema up to date, if need be.
    ///
    /// Blocks on the disk: call it before serving, or off the async runtime's threads.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::SchemaTooNew`], [`StoreError::NotAStore`],
    /// [`StoreError::Key`], [`StoreError::NotWritable`], [`StoreError::Backend`].
    pub fn open(options: SqliteOptions) -> Result<Self, StoreError> {
        let SqliteOptions { path, key, batch_wait, pages_max, write_queue_len } = options;
        let lock = Arc::new(open::lock(&path)?);
        let conn = open::writer(&path, &key)?;
        let key = Arc::new(key);
        let books = Arc::new(BookKeeper::new(Arc::clone(&key)));
        books::ready_catalog(&conn)?;
        books::adopt(&conn, &books)?;
        if let Some(pages) = pages_max {
            limit_pages(&conn, pages)?;
        }
        let readers: Vec<_> = (0..READERS).map(|_| open::reader(&path)).collect::<Outcome<_>>()?;
        let keeper = open::keeper(&path)?;

        let counters = Arc::new(Counters::default());
        let (ended_sender, ended) = watch::channel(());
        let hold = || Hold { lock: Arc::clone(&lock), ended: ended_sender.clone() };
        let (writes, write_jobs) = Queue::new(write_queue_len.max(1));
        let (reads, read_jobs) = Queue::new(READ_QUEUE_LEN);
        let (maintenance, maintenance_jobs) = Queue::new(MAINTENANCE_QUEUE_LEN);

        let writer = Writer {
            conn,
            queue: write_jobs,
            counters: Arc::clone(&counters),
            books: Arc::clone(&books),
            batch_wait,
            failing: Cell::new(false),
        };
        spawn("fermata-store-w", hold(), move || writer.serve())?;
        let read_jobs = Arc::new(Mutex::new(read_jobs));
        for conn in readers {
            let jobs = Arc::clone(&read_jobs);
            spawn("fermata-store-r", hold(), move || serve_reads(&conn, &jobs))?;
        }
        let jobs = Mutex::new(maintenance_jobs);
        spawn("fermata-store-m", hold(), move || serve_reads(&keeper, &jobs))?;
        Ok(Self { key, books, counters, writes, reads, maintenance, ended })
    }

    /// The counters since opening.
    pub fn stats(&self) -> StoreStats {
        self.counters.read()
    }

    /// Changes the quota of the database file while serving, pages of 4,096 bytes.
    /// Less than what is used already lets nothing grow.
    pub fn set_pages_max(&self, pages: u32) -> StoreFuture<'_, ()> {
        self.write(move |conn| limit_pages(conn, pages))
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        worker::write(&self.writes, &self.counters, work)
    }

    /// Works on books. The outer error undoes the call; the inner one is a refusal, before which something
    /// may have happened that stays.
    fn judge<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqlShelf<'_>) -> Judged<T> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        let books = Arc::clone(&self.books);
        let answer = self.write(move |conn| Ok(books.work(conn, work)?));
        Box::pin(async move { answer.await? })
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        worker::read(&self.reads, &self.counters, |conn| worker::snapshot(conn, work))
    }
}

fn limit_pages(conn: &Connection, pages: u32) -> Outcome<()> {
    conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    Ok(())
}

fn spawn(name: &str, hold: Hold, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let body = move || {
        work();
        // `work` and the connection in it are gone by now.
        let Hold { lock, ended } = hold;
        drop(lock);
        drop(ended);
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| StoreError::Backend(format!("no thread: {error}")))
}

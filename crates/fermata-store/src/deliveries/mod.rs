//! The outbox and log of callbacks: a database of its own (`deliveries.db`), so that a busy application never
//! makes the books wait.
//!
//! A delivery is kept before it is tried, is found again by whoever opens the file next, and stays for some days
//! after it was settled. Commits reach the operating system, not the disk (`synchronous = NORMAL`): a killed program
//! loses nothing, a power cut may lose the last seconds, and with them the rooms whose events they were. In exchange,
//! callbacks do not compete with usage and money for the disk's flushes.
//!
//! What it is not: it decides nothing about when something is tried; keys that sign are not in it.

pub mod limits;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod worker;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use fermata_types::SdkAppId;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use self::limits::{BUSY_TIMEOUT, PAGE_LEN_MAX, READ_QUEUE_LEN, WAL_SIZE_KEPT, WRITE_QUEUE_LEN};
pub use self::record::{
    Delivery, DeliveryAttempt, DeliveryCounts, DeliveryFilter, DeliveryReceiver, DeliveryState,
    NewDelivery, Outgoing, WaitingDelivery,
};
use self::table::Tally;
use self::worker::Thread;
use crate::seal::private_file;
use crate::sqlite::fault::{Fault, Outcome};
use crate::{StoreError, StoreFuture};

/// Name of the database in a data folder.
pub const DELIVERIES_FILE: &str = "deliveries.db";

/// Marks the file as ours in SQLite's header: "FRMD".
const APPLICATION_ID: i32 = 0x4652_4d44;
/// Version of the schema.
const SCHEMA: u32 = 1;

/// What [`Deliveries::prune`] or [`Deliveries::forget_app`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Deliveries that were removed.
    pub removed: u64,
    /// There is more to remove.
    pub more: bool,
}

/// Deliveries of callbacks, durable.
#[derive(Debug)]
pub struct Deliveries {
    writer: Thread,
    /// For the bodies of attempts; lists do not make them wait.
    bodies: Thread,
    lists: Thread,
}

impl Deliveries {
    /// Opens or makes the database in `folder`. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`], [`StoreError::NotAStore`], [`StoreError::SchemaTooNew`],
    /// [`StoreError::Backend`].
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(DELIVERIES_FILE);
        match private_file(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(StoreError::NotWritable(format!("{}: {error}", path.display())));
            }
        }
        let conn = connect(&path)?;
        prepare(&conn, &path)?;
        let tally = Tally::read(&conn)?;
        let reader = |name| -> Result<Thread, StoreError> {
            let conn = connect(&path)?;
            conn.pragma_update(None, "query_only", true).map_err(Fault::from)?;
            Thread::start(name, conn, Tally::default(), READ_QUEUE_LEN, false)
        };
        let (bodies, lists) = (reader("fermata-calls-b")?, reader("fermata-calls-l")?);
        let writer = Thread::start("fermata-calls-w", conn, tally, WRITE_QUEUE_LEN, true)?;
        Ok(Self { writer, bodies, lists })
    }

    /// Keeps deliveries, in this order. Answers with the turn of each, by which it is called until it is settled;
    /// none where the id is there already.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::NotWritable`], [`StoreError::Backend`]: nothing was kept.
    pub fn append(
        &self,
        batch: impl Into<Arc<[NewDelivery]>>,
    ) -> StoreFuture<'static, Vec<Option<u64>>> {
        let batch = batch.into();
        self.writer.call(move |conn, tally| table::append(conn, tally, &batch))
    }

    /// All that wait, in the order of their turns, `most` at most; what waits beyond that is given up.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn take_up(&self, most: u32, now: Timestamp) -> StoreFuture<'static, Vec<WaitingDelivery>> {
        self.writer.call(move |conn, tally| table::take_up(conn, tally, most, now))
    }

    /// What an attempt of this turn needs; none if it does not wait any more.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Backend`].
    pub fn outgoing(&self, turn: u64) -> StoreFuture<'static, Option<Outgoing>> {
        self.bodies.call(move |conn, _| table::outgoing(conn, turn))
    }

    /// Writes down an attempt of this turn, and the state that it led to. Of no effect if it does not wait.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn attempted(
        &self,
        turn: u64,
        attempt: DeliveryAttempt,
        state: DeliveryState,
    ) -> StoreFuture<'static, ()> {
        self.writer.call(move |conn, tally| table::attempted(conn, tally, turn, &attempt, state))
    }

    /// Deliveries of an application, the newest first, below row `before`.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a `limit` of 0 or above [`PAGE_LEN_MAX`]; [`StoreError::Busy`],
    /// [`StoreError::Backend`].
    pub fn list(
        &self,
        app: SdkAppId,
        filter: DeliveryFilter,
        before: Option<u64>,
        limit: u32,
    ) -> StoreFuture<'static, Vec<Delivery>> {
        if !(1..=PAGE_LEN_MAX).contains(&limit) {
            let problem = format!("{limit}; it takes 1 to {PAGE_LEN_MAX}");
            let error = StoreError::Invalid { field: "limit", problem };
            return Box::pin(std::future::ready(Err(error)));
        }
        self.lists.call(move |conn, _| table::list(conn, app, &filter, before, limit))
    }

    /// One delivery of an application, with its body.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Busy`], [`StoreError::Backend`].
    pub fn get(&self, app: SdkAppId, id: &str) -> StoreFuture<'static, (Delivery, Vec<u8>)> {
        let id = id.to_owned();
        self.lists.call(move |conn, _| table::get(conn, app, &id))
    }

    /// Lets a settled delivery wait once more, behind all others, with the same id and body.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Invalid`] if it is waiting; as [`Self::append`].
    pub fn replay(
        &self,
        app: SdkAppId,
        id: &str,
        now: Timestamp,
    ) -> StoreFuture<'static, WaitingDelivery> {
        let id = id.to_owned();
        self.writer.call(move |conn, tally| table::replay(conn, tally, app, &id, now))
    }

    /// Removes settled deliveries that are too old or too many, some at a time.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn prune(&self, now: Timestamp) -> StoreFuture<'static, Pruned> {
        self.writer.call(move |conn, tally| table::prune(conn, tally, now))
    }

    /// Removes everything of an application, waiting or settled, some at a time. An attempt that is under way leaves
    /// nothing behind.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn forget_app(&self, app: SdkAppId) -> StoreFuture<'static, Pruned> {
        self.writer.call(move |conn, tally| table::forget_app(conn, tally, app))
    }

    /// How many there are.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn counts(&self) -> StoreFuture<'static, DeliveryCounts> {
        self.writer.call(|_, tally| Ok(tally.counts))
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> Outcome<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.pragma_update(None, "trusted_schema", false)?;
        Ok(conn)
    };
    Ok(open()?)
}

/// Makes the schema, or finds it.
fn prepare(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let not_ours = |problem: String| StoreError::NotAStore { path: path.to_owned(), problem };
    let header = || -> rusqlite::Result<(i32, u32, u32)> {
        let application = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((application, version, tables))
    };
    let (application, version, tables) = match header() {
        Err(rusqlite::Error::SqliteFailure(error, _))
            if error.code == rusqlite::ffi::ErrorCode::NotADatabase =>
        {
            return Err(not_ours("it is no SQLite file".to_owned()));
        }
        header => header.map_err(Fault::from)?,
    };
    let fresh = (application, version, tables) == (0, 0, 0);
    if !fresh && application != APPLICATION_ID {
        return Err(not_ours(format!("its application id is {application:#x}")));
    }
    if version > SCHEMA {
        return Err(StoreError::SchemaTooNew { found: version, known: SCHEMA });
    }
    let ready = || -> Outcome<()> {
        conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        conn.pragma_update(None, "synchronous", "normal")?;
        conn.pragma_update_and_check(None, "journal_size_limit", WAL_SIZE_KEPT, |_| Ok(()))?;
        if fresh {
            let schema = include_str!("schema.sql");
            conn.execute_batch(&format!(
                "BEGIN IMMEDIATE;\n{schema}\nPRAGMA application_id = {APPLICATION_ID};\n\
                 PRAGMA user_version = {SCHEMA};\nCOMMIT;"
            ))?;
        }
        Ok(())
    };
    Ok(ready()?)
}

//! The file: opening it, setting a damaged one aside, connections to it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, OpenFlags};

use super::OPEN;
use crate::StoreError;
use crate::limits::{BUSY_TIMEOUT, WAL_SIZE_KEPT};
use crate::seal::private_file;
use crate::sqlite::fault::{Fault, Outcome};

/// Marks the file as ours in SQLite's header: "FRMM".
const APPLICATION_ID: i32 = 0x4652_4d4d;

/// Version of the schema. A file with another one is set aside: two weeks of samples are not worth a migration.
const VERSION: i32 = 1;

const TABLES: [&str; 6] = ["life", "stay", "event", "unusual", "block", "total"];

/// Where the file is, and how it fares.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    bytes_max: u64,
    /// Rises when a fresh file took the place of another.
    generation: AtomicU64,
    /// Somebody read nonsense: the writer is to set the file aside.
    damaged: AtomicBool,
}

impl Place {
    pub(super) fn new(path: &Path, bytes_max: u64) -> Self {
        let (generation, damaged) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { path: path.to_owned(), bytes_max, generation, damaged }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Remembers a failure that means that the file is damaged.
    pub(super) fn judge(&self, fault: &Fault) {
        if is_damage(fault) {
            self.damaged.store(true, Ordering::Release);
        }
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Acquire)
    }

    /// The writing connection. A file that cannot be used is set aside first.
    pub(super) fn writer(&self) -> Result<Connection, StoreError> {
        let fault = match self.try_writer() {
            Ok(conn) => return Ok(conn),
            Err(fault) => fault,
        };
        if !is_damage(&fault) && !lacks_something(&fault) {
            return Err(fault.into());
        }
        let error = StoreError::from(fault);
        tracing::error!(
            %error, file = %self.path.display(),
            "The monitoring database is damaged or foreign; it is set aside and a fresh one is made."
        );
        self.renew()
    }

    /// Sets the file aside and makes a fresh one. Nobody may have a writing connection.
    pub(super) fn renew(&self) -> Result<Connection, StoreError> {
        let io = |error| StoreError::NotWritable(format!("{}: {error}", self.path.display()));
        match std::fs::rename(&self.path, self.beside(".aside")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        for suffix in ["-wal", "-shm"] {
            match std::fs::remove_file(self.beside(suffix)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
                _ => {}
            }
        }
        let conn = self.try_writer()?;
        self.damaged.store(false, Ordering::Release);
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(conn)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    fn try_writer(&self) -> Outcome<Connection> {
        match private_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                let text = format!("{}: {error}", self.path.display());
                return Err(StoreError::NotWritable(text).into());
            }
            _ => {}
        }
        let conn = self.connect()?;
        // Only of use before the first table; a file that has some keeps what it has.
        conn.pragma_update(None, "auto_vacuum", "incremental")?;
        settle(&conn)?;
        let bytes = self.bytes_max.saturating_add(self.bytes_max / 4);
        let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
        // Sweeping keeps the file below its limit; this is for when it cannot follow.
        let pages = bytes / u64::try_from(page).unwrap_or(4_096).max(512) + 64;
        let pages = u32::try_from(pages).unwrap_or(u32::MAX - 1);
        conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        prepare(&conn)?;
        Ok(conn)
    }

    /// A connection for reading.
    pub(super) fn reader(&self) -> Outcome<Connection> {
        let conn = self.connect()?;
        settle(&conn)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    }

    fn connect(&self) -> Outcome<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        Ok(conn)
    }
}

fn settle(conn: &Connection) -> Outcome<()> {
    conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // A power cut may take the last transactions, never the file.
    conn.pragma_update(None, "synchronous", "normal")?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_SIZE_KEPT, |_| Ok(()))?;
    Ok(())
}

/// Makes the tables in an empty file; in ours, ends what an earlier run left open.
fn prepare(conn: &Connection) -> Outcome<()> {
    let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (application, version, tables) == (0, 0, 0) {
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE;\n{}\nPRAGMA application_id = {APPLICATION_ID};\n\
             PRAGMA user_version = {VERSION};\nCOMMIT;",
            include_str!("schema.sql")
        ))?;
        return Ok(());
    }
    if (application, version) != (APPLICATION_ID, VERSION) {
        // Told as damage is: for monitoring it comes to the same.
        let foreign = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        let text = format!("application id {application:#x}, version {version}");
        return Err(rusqlite::Error::SqliteFailure(foreign, Some(text)).into());
    }
    for table in TABLES {
        // Both ends of each table can be read. The middle is found out when it is.
        for order in ["ASC", "DESC"] {
            let sql = format!("SELECT * FROM {table} ORDER BY 1 {order} LIMIT 1");
            conn.prepare(&sql)?.query([])?.next()?;
        }
    }
    let transaction = conn.unchecked_transaction()?;
    end_lost(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// Ends stays and rooms that are open, where they were last heard of.
fn end_lost(conn: &Connection) -> Outcome<()> {
    conn.execute(
        "UPDATE stay SET end = 'lost', ended = max(entered, coalesce(connected, 0),
             coalesce((SELECT max(at) FROM event WHERE event.stay = stay.stay), 0),
             coalesce((SELECT max(ended) FROM block WHERE block.stay = stay.stay), 0))
         WHERE ended = ?1",
        [OPEN],
    )?;
    conn.execute(
        "UPDATE life SET ended = max(began,
             coalesce((SELECT max(ended) FROM stay WHERE stay.room_sid = life.room_sid), 0))
         WHERE ended = ?1",
        [OPEN],
    )?;
    Ok(())
}

/// Does it mean that the file is damaged, or none of ours? (A disk that is full or read-only is neither.)
fn is_damage(fault: &Fault) -> bool {
    let Fault::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = fault else { return false };
    matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
}

/// A table or column that should be there is not. Judged when opening only, where the questions are few.
fn lacks_something(fault: &Fault) -> bool {
    match fault {
        Fault::Sqlite(rusqlite::Error::SqlInputError { .. }) => true,
        Fault::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => {
            failure.code == ErrorCode::Unknown
        }
        _ => false,
    }
}

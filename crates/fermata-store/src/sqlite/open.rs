//! Opening a file: the lock, the settings of a connection, the schema and its migrations, the key.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::fault::Outcome;
use crate::limits::{BUSY_TIMEOUT, WAL_SIZE_KEPT};
use crate::seal::{Cell, private_file};
use crate::{SecretKey, StoreError};

/// Marks the file as ours in SQLite's header: "FRMT".
pub(super) const APPLICATION_ID: i32 = 0x4652_4d54;

/// The schema's steps, oldest first. Step n leads to schema version n. Never edited once released.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001_start", sql: include_str!("migrations/0001_start.sql") },
    Migration { name: "0002_books", sql: include_str!("migrations/0002_books.sql") },
    Migration { name: "0003_server_apis", sql: include_str!("migrations/0003_server_apis.sql") },
    Migration { name: "0004_postings", sql: include_str!("migrations/0004_postings.sql") },
    Migration { name: "0005_console", sql: include_str!("migrations/0005_console.sql") },
];

/// One step forward; there is none back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// The sealed text of table `key_check`.
const KEY_WORD: &[u8] = b"fermata";
const KEY_CELL: Cell<'static> = Cell { table: "key_check", column: "word_sealed", row: "1" };

/// Held as long as the data is open; the system drops it when the process dies.
#[derive(Debug)]
pub(super) struct Lock(
    #[expect(dead_code, reason = "the lock lives as long as the open file")] File,
);

/// The lock file of a database file.
pub(super) fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Makes sure that no other process (and no other store of this one) has the data open.
pub(super) fn lock(database: &Path) -> Result<Lock, StoreError> {
    let path = lock_path(database);
    let io = |error| StoreError::NotWritable(format!("{}: {error}", path.display()));
    let mut options = OpenOptions::new();
    let file =
        options.create(true).truncate(false).read(true).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Opens the writing connection: makes the file if need be, brings its schema up to date, and checks
/// that the key fits.
pub(super) fn writer(path: &Path, key: &SecretKey) -> Result<Connection, StoreError> {
    match private_file(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(StoreError::NotWritable(format!("{}: {error}", path.display())));
        }
    }
    let conn = connect(path).map_err(StoreError::from)?;
    // Before anything is written: a foreign or newer file stays as it is.
    is_ours(&conn, path)?;
    durable(&conn).map_err(StoreError::from)?;
    migrate(&conn, MIGRATIONS)?;
    check_key(&conn, key).map_err(StoreError::from)?;
    Ok(conn)
}

/// Opens one more connection, for checks and backups, to a file that [`writer`] has opened before.
pub(super) fn keeper(path: &Path) -> Outcome<Connection> {
    let conn = connect(path)?;
    durable(&conn)?;
    Ok(conn)
}

/// The same for reading only. (Copying into another file counts as writing, so backups cannot use it.)
pub(super) fn reader(path: &Path) -> Outcome<Connection> {
    let conn = keeper(path)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// Opens a file that nobody has open, to look at it only.
pub(super) fn inspector(path: &Path) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

fn connect(path: &Path) -> Outcome<Connection> {
    // Neither creation (done above, with the right mode) nor URIs (a path is a path).
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(conn)
}

fn durable(conn: &Connection) -> Outcome<()> {
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        // Some network file systems cannot; without it a reader would block the writer.
        let text = format!("the file system does not do write-ahead logs (mode {mode})");
        return Err(StoreError::NotWritable(text).into());
    }
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_SIZE_KEPT, |_| Ok(()))?;
    Ok(())
}

/// The schema version of the file; 0 for an empty one.
///
/// # Errors
/// [`StoreError::NotAStore`] and [`StoreError::SchemaTooNew`].
pub(super) fn is_ours(conn: &Connection, path: &Path) -> Result<u32, StoreError> {
    let not_ours = |problem: String| StoreError::NotAStore { path: path.to_owned(), problem };
    let header = || -> rusqlite::Result<(i32, u32, u32)> {
        let application = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((application, version, tables))
    };
    let (application, version, tables) = match header() {
        Ok(header) => header,
        Err(rusqlite::Error::SqliteFailure(error, _))
            if error.code == rusqlite::ffi::ErrorCode::NotADatabase =>
        {
            return Err(not_ours("it is no SQLite file".to_owned()));
        }
        Err(error) => return Err(super::fault::Fault::from(error).into()),
    };
    if application == 0 && version == 0 && tables == 0 {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        return Err(not_ours(format!("its application id is {application:#x}")));
    }
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if version > known {
        return Err(StoreError::SchemaTooNew { found: version, known });
    }
    Ok(version)
}

/// Takes the steps that are missing, each in one transaction with its version number.
pub(super) fn migrate(conn: &Connection, steps: &[Migration]) -> Result<(), StoreError> {
    let version: u32 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(super::fault::Fault::from)?;
    for (number, step) in (1_u32..).zip(steps).skip_while(|(number, _)| *number <= version) {
        let sql = format!(
            "BEGIN IMMEDIATE;\n{}\nPRAGMA application_id = {APPLICATION_ID};\n\
             PRAGMA user_version = {number};\nCOMMIT;",
            step.sql
        );
        if let Err(error) = conn.execute_batch(&sql) {
            if !conn.is_autocommit() {
                let _ = conn.execute_batch("ROLLBACK");
            }
            return Err(match super::fault::Fault::from(error).into() {
                StoreError::Backend(text) => {
                    StoreError::Backend(format!("migration {}: {text}", step.name))
                }
                other => other,
            });
        }
        tracing::info!(migration = step.name, version = number, "The data has a new schema.");
    }
    Ok(())
}

/// Does the key open what is here? In a new file: leaves the mark by which to tell next time.
fn check_key(conn: &Connection, key: &SecretKey) -> Outcome<()> {
    let sealed: Option<Vec<u8>> =
        conn.query_row("SELECT word_sealed FROM key_check", [], |row| row.get(0)).optional()?;
    let Some(sealed) = sealed else {
        let sealed = key.seal(&KEY_CELL, KEY_WORD)?;
        conn.execute("INSERT INTO key_check (id, word_sealed) VALUES (1, ?1)", [sealed])?;
        return Ok(());
    };
    match key.open(&KEY_CELL, &sealed) {
        Ok(word) if word == KEY_WORD => Ok(()),
        _ => Err(wrong_key(key).into()),
    }
}

fn wrong_key(key: &SecretKey) -> StoreError {
    StoreError::Key {
        path: key.named(),
        problem: "the data was written with another key; put that one back".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration =
        Migration { name: "0001_one", sql: "CREATE TABLE t (a INTEGER) STRICT;" };
    const TWO: Migration = Migration {
        name: "0002_two",
        sql: "ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 7; UPDATE t SET b = a + 1;",
    };
    const BAD: Migration =
        Migration { name: "0002_bad", sql: "DROP TABLE t; INSERT INTO missing VALUES (1);" };

    fn version(conn: &Connection) -> u32 {
        conn.pragma_query_value(None, "user_version", |row| row.get(0)).expect("version")
    }

    #[test]
    fn steps_are_taken_once_and_in_order_and_keep_the_rows() {
        let conn = Connection::open_in_memory().expect("open");
        migrate(&conn, &[ONE]).expect("first");
        conn.execute("INSERT INTO t VALUES (41)", []).expect("row");
        assert_eq!(version(&conn), 1);
        for _ in 0..2 {
            migrate(&conn, &[ONE, TWO]).expect("second");
            assert_eq!(version(&conn), 2);
            let b: i64 = conn.query_row("SELECT b FROM t", [], |row| row.get(0)).expect("row");
            assert_eq!(b, 42);
        }
    }

    #[test]
    fn a_step_that_fails_leaves_everything_as_it_was() {
        let conn = Connection::open_in_memory().expect("open");
        migrate(&conn, &[ONE]).expect("first");
        let error = migrate(&conn, &[ONE, BAD]).expect_err("bad");
        assert!(error.to_string().contains("0002_bad"), "{error}");
        assert_eq!(version(&conn), 1);
        assert!(conn.is_autocommit());
        conn.execute("INSERT INTO t VALUES (1)", []).expect("the table is still there");
    }

    #[test]
    fn the_released_steps_run_on_an_empty_file() {
        let conn = Connection::open_in_memory().expect("open");
        assert_eq!(is_ours(&conn, Path::new("x")).expect("empty"), 0);
        migrate(&conn, MIGRATIONS).expect("migrate");
        assert_eq!(is_ours(&conn, Path::new("x")).expect("ours") as usize, MIGRATIONS.len());
        let loose: u32 = conn
            .query_row(
                "SELECT count(*) FROM pragma_table_list
                 WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
                [],
                |row| row.get(0),
            )
            .expect("tables");
        assert_eq!(loose, 0, "every table is STRICT");
    }
}

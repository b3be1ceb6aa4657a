//! From SQLite's errors to the store's.

use rusqlite::ffi::{ErrorCode, SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ};

use crate::StoreError;

/// Why a piece of work on a connection failed: by our rules, or in SQLite.
#[derive(Debug)]
pub(crate) enum Fault {
    Store(StoreError),
    Sqlite(rusqlite::Error),
}

/// What work on a connection returns.
pub(crate) type Outcome<T> = Result<T, Fault>;

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Sqlite(error) if not_writable(&error) => Self::NotWritable(error.to_string()),
            Fault::Sqlite(error) => Self::Backend(error.to_string()),
        }
    }
}

/// Is it the disk (full, read-only, failing) or somebody else's lock? Then trying later makes sense.
fn not_writable(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return false };
    match failure.code {
        ErrorCode::DiskFull
        | ErrorCode::ReadOnly
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked => true,
        ErrorCode::SystemIoFailure => {
            ![SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ].contains(&failure.extended_code)
        }
        _ => false,
    }
}

/// A value in the file that this program cannot have written.
pub(crate) fn corrupt(what: &'static str, value: &dyn std::fmt::Display) -> Fault {
    Fault::Store(StoreError::Backend(format!("{value} is no {what}; the file is damaged")))
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_the_disk_says_is_told_apart() {
        let rows = [
            (ffi::SQLITE_FULL, true),
            (ffi::SQLITE_READONLY, true),
            (ffi::SQLITE_READONLY_DBMOVED, true),
            (ffi::SQLITE_IOERR_WRITE, true),
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_CANTOPEN, true),
            (ffi::SQLITE_PERM, true),
            (ffi::SQLITE_BUSY, true),
            (SQLITE_IOERR_READ, false),
            (ffi::SQLITE_CORRUPT, false),
            (ffi::SQLITE_CONSTRAINT, false),
        ];
        for (code, expected) in rows {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = StoreError::from(Fault::Sqlite(error));
            assert_eq!(matches!(error, StoreError::NotWritable(_)), expected, "{code}: {error}");
        }
    }
}

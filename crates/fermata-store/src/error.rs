//! What can go wrong in the store.

use std::path::PathBuf;

/// Why a command of the store failed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// Noun.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// It exists already with other contents.
    #[error("{what} {id} exists already")]
    Exists {
        /// Noun.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A value is outside what is allowed.
    #[error("{field}: {problem}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// The books refuse the command; nothing of it was done. Timers that were due fired all the same.
    #[error(transparent)]
    Refused(Box<fermata_billing::command::Refusal>),
    /// The key of a call that is to happen once was used for another request.
    #[error("this idempotency key was used for another request; take a new one")]
    OnceReused,
    /// The file was written by a newer program.
    #[error(
        "the data has schema version {found}; this program knows {known} at most. Use the newer program"
    )]
    SchemaTooNew {
        /// In the file.
        found: u32,
        /// In this program.
        known: u32,
    },
    /// The file is no store of this program.
    #[error("{} is not a store of this program: {problem}", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// How that shows.
        problem: String,
    },
    /// Another process has the data open.
    #[error("{} is locked: another process has this data open. Stop it first", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The master key is missing, unreadable or another one than the data was written with.
    #[error("the key file {}: {problem}", path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// As many calls wait as may wait; try again.
    #[error("the store is busy: {waiting} calls wait already")]
    Busy {
        /// How many may wait.
        waiting: usize,
    },
    /// The disk is full or read-only; reading goes on, writing works again once there is room.
    #[error("the store cannot be written: {0}")]
    NotWritable(String),
    /// The backend failed otherwise.
    #[error("the store failed: {0}")]
    Backend(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl From<fermata_billing::command::Refusal> for StoreError {
    fn from(refusal: fermata_billing::command::Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

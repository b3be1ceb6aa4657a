//! The books in SQL: what [`crate::books`] needs of a backend, and questions about them.

mod adopt;
mod cache;
mod clear;
mod journal;
mod out;
mod outbox;
mod proof;
mod rows;
mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub(super) use self::adopt::{adopt, ready_catalog};
use self::cache::Cache;
pub(super) use self::journal::journal;
pub(super) use self::out::{
    agreement, books, catalog, day_uses, next_due, partners, profile, put_partner, record,
    set_switch, standing, standings, switch,
};
pub(super) use self::outbox::{outbox_claim, outbox_done, outbox_failed, outbox_len};
pub(super) use self::proof::{sealed_problems, verify};
pub(super) use self::shelf::SqlShelf;
use crate::SecretKey;
use crate::books::changes::Changes;

/// What the writer keeps of books between commands, and who is told of changes.
#[derive(Debug)]
pub(super) struct BookKeeper {
    key: Arc<SecretKey>,
    /// For the writer's thread only; the lock is never waited for.
    cache: Mutex<Cache>,
    pub(super) changes: Changes,
}

impl BookKeeper {
    pub(super) fn new(key: Arc<SecretKey>) -> Self {
        Self { key, cache: Mutex::default(), changes: Changes::default() }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the books in the writer's transaction.
    pub(super) fn work<T>(
        &self,
        conn: &Connection,
        work: impl FnOnce(&mut SqlShelf<'_>) -> T,
    ) -> T {
        let mut cache = self.cache();
        work(&mut SqlShelf { conn, key: &self.key, cache: &mut cache })
    }

    /// A switch was set; the next step reads it anew.
    pub(super) fn forget_switches(&self) {
        self.cache().switches.clear();
    }

    /// A command of the group ended; if it failed, what it did is undone on the disk.
    pub(super) fn command_ended(&self, done: bool) {
        self.cache().command_ended(done);
    }

    /// The group was committed, or nothing of it was.
    pub(super) fn group_ended(&self, committed: bool) {
        let changed = self.cache().group_ended(committed);
        self.changes.publish(changed);
    }
}

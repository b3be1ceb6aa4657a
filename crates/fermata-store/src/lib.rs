//! The durable store: accounts, applications, credentials, stays and usage.
//!
//! [`Store`] is a trait of coarse commands: each is one transaction, and each is written so that
//! repeating it is harmless. [`SqliteStore`] is the embedded default; [`MemoryStore`] is the model
//! it is checked against by one conformance suite. PostgreSQL comes behind the same trait.
//!
//! Each account has books: the facts of `fermata-billing`, which decides; this crate loads them, asks the
//! core, and commits what it says in the same transaction as the cause.
//!
//! What it is not: it decides nothing about admission, and it never reads a clock to name a moment
//! (`now` is an argument). Moments are kept in whole microseconds UTC; finer parts are cut off.

mod book;
mod books;
mod console;
mod credential;
pub mod deliveries;
mod error;
mod intake;
pub mod limits;
mod memory;
pub mod monitoring;
mod record;
mod rules;
mod seal;
mod sqlite;
mod stats;
mod store;

pub use book::*;
pub use console::*;
pub use credential::*;
pub use error::StoreError;
pub use memory::MemoryStore;
pub use record::*;
pub use seal::SecretKey;
pub use sqlite::{
    DATABASE_FILE, KEY_FILE, SqliteOptions, SqliteStore, copy_key, restore, verify_backup,
};
pub use stats::StoreStats;
pub use store::{Store, StoreFuture};

//! Minutes to money to standing: the pure core of metering, packages, ledger, bills and holds.
//!
//! One function, [`step`]: a command meets the state of one account at `now`, and out come changes and
//! messages that are committed together, or a typed refusal and nothing at all.
//!
//! What it is not: it reads no clock, draws no random number, opens no file. It knows no HTTP, no SQL and
//! no media; a shell loads the state, calls it, and commits what it says.

mod account;
pub mod bills;
pub mod calendar;
pub mod catalog;
pub mod chain;
pub mod clause;
pub mod command;
pub mod effect;
pub mod hold;
pub mod id;
pub mod journal;
mod ledger;
pub mod limits;
mod metering;
pub mod money;
pub mod notice;
mod notices;
pub mod packages;
pub mod page;
mod payments;
pub mod policy;
mod reclaim;
pub mod standing;
pub mod state;
mod step;
#[cfg(test)]
mod testing;
pub mod timer;
pub mod transition;
pub mod units;
pub mod verify;

pub use step::{Env, Outcome, ReadError, Reads, Step, step};

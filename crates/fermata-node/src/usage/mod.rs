//! The node's own record of usage: facts are written down here before the store acknowledges them.
//!
//! A fact goes from the rooms to the writer (a thread, [`writer`]), which appends it to the log ([`log`]),
//! syncs, and merges it into what is waiting; the sender (a task, [`sender`]) takes what is waiting,
//! reports it, repeats until the store has it, and then lets the writer delete what is no longer needed.
//!
//! **Invariant:** nothing here is a delta. A record repeated after a crash changes nothing in the store.

mod log;
mod merged;
mod pipe;
mod record;
mod sender;
mod writer;

pub(crate) use pipe::{Pipe, UsageOut, start};

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

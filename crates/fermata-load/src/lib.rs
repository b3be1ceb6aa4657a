//! Puts a measured, bounded load of in-process clients on a server of this machine.
//!
//! What it is not: no browser and no decoder. Clients count packets and read timestamps inside payloads;
//! they decrypt everything, so for large loads they cost more than the server does.

pub mod figures;
pub mod options;
pub mod process;
pub mod report;
mod run;

pub use options::{Options, Shape};
pub use report::Report;
pub use run::{LoadError, run};

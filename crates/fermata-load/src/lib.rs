//! Puts a measured, bounded load of in-process clients on a server of this machine.
//!
//! What it is not: no browser and no decoder. Publishers are whole clients. Receivers are light where the dialect
//! allows it: they count every packet, answer with feedback, and decrypt one in sixteen to read its timestamp.

mod control;
pub mod figures;
pub mod flood;
pub mod limits;
pub mod options;
pub mod process;
mod receive;
pub mod report;
mod run;
pub mod spacing;

pub use options::{Options, Shape};
pub use report::Report;
pub use run::{LoadError, run};

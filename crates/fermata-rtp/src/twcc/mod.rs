//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): what arrived when, written
//! from a log and read from a packet.
//!
//! What it is not: no estimate of bandwidth.

mod log;
mod view;

#[cfg(test)]
mod tests;

pub use log::ArrivalLog;
pub use view::{Arrivals, FeedbackView};

/// Unit of arrival times in feedback, microseconds.
pub const TICK_US: u64 = 250;

/// Unit of the reference time, in ticks: 64 ms.
const REFERENCE_TICKS: u64 = 256;

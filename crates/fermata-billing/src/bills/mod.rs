//! Bills: closing days and months, what a bill says, and giving part of one back.
//!
//! An issued bill never changes (P11): what comes late goes on the next one, what was too much is given back by
//! a credit note.
//! What it is not: it meters nothing and burns no package; it freezes what [`crate::metering`] found.

mod balance;
mod close;
mod credit;
mod issue;
pub mod render;
#[cfg(test)]
mod tests;

pub use balance::{BalanceView, balance, unbilled};
pub(crate) use close::{arm_closings, close_day, close_month};
pub(crate) use credit::credit_note;

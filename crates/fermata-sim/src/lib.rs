//! The simulator: whole worlds of accounts in virtual time, each from one seed, next to an oracle.
//!
//! A seed draws accounts, applications, nodes with people in rooms, a network that loses, repeats, delays and
//! reorders, crashes, operators, customers, payments and chargebacks. A driver carries it out on the real rules;
//! an oracle finds the truth from the same events in another way. The first fact that differs ends the run, with
//! the history made as short as it can be while it still differs.
//!
//! What it is not: a test of media or of HTTP; and the oracle calls none of the handlers it checks.

mod actors;
mod check;
mod compare;
mod coverage;
mod driver;
mod faults;
mod history;
mod kept;
mod network;
mod options;
mod oracle;
mod rng;
mod run;
mod shrink;
mod terms;
mod world;

pub use coverage::{Coverage, CrashPoint};
pub use faults::Fault;
pub use kept::{Kept, parse_kept};
pub use options::{Options, Polling};
pub use run::{
    Backend, Divergence, Notices, crash_or_not, late_or_not, replayed, run, run_kept, run_on,
};
pub use shrink::shrink;

/// What goes wrong, in words.
pub(crate) type Fallible<T> = Result<T, String>;

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

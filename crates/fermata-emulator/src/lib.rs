//! Bad networks on purpose: what a packet meets on its way, from a seed.
//!
//! What it is: [`Link`], one direction of a path, with a bottleneck and its queue, loss, delay, jitter and reordering,
//! which may change as time goes on ([`Conditions`], [`Step`]); pure, so that the same seed and the same packets meet
//! the same. The program of this crate puts such links between network namespaces, for clients that know nothing of it.
//! What it is not: no part of a running Fermata, and no model of any network in particular.
//!
//! Times are microseconds of one clock of the caller.

mod conditions;
mod link;

pub use conditions::{Conditions, Step};
pub use link::{Counts, Link, Lost};

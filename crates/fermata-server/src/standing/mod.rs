//! The standing policy at work: holds reach the doors, and what is due happens.
//!
//! - [`enforce`]: what the books allow, in memory and at the media node.
//! - [`scheduler`]: fires what is due.
//!
//! What it is not: it decides nothing; that is `fermata-billing`, and the store keeps it.
//!
//! **Invariant:** an older standing never replaces a newer one, neither here nor at the node.

pub mod enforce;
pub mod scheduler;

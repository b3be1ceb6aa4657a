//! Media that says of every packet which it is, and what a receiver makes of it.

pub mod decoder;
pub mod dice;
pub mod source;

/// Milliseconds since the world began. Nothing here is finer.
pub type Ms = u64;

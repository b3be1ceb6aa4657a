//! The seams along which one process later becomes several machines.
//!
//! Each is a small trait whose messages are owned values that could cross a wire; each has exactly one
//! implementation here, for one process. Nothing in this module knows how to span machines.

mod directory;
mod intake;
mod media;
mod relay;
mod verdicts;

pub use directory::{Directory, OneNode, RoomPlace};
pub use intake::{IntakeError, IntakeFuture, UsageIntake};
pub use media::{HandOff, MediaPacket, NoOtherShard};
pub use relay::SignalRelay;
pub use verdicts::Verdicts;

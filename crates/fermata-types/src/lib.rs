//! Words that every other crate shares: ids, SKUs, time, usage facts, refusals.
//!
//! What it is not: there is no IO here, no protocol and no decision.
//! The one place that reads a clock is [`Now::read`], for shells.

mod id;
mod now;
mod quality;
pub mod refusal;
mod room;
mod sku;
mod usage;

pub use id::{
    AccountId, ConsoleUserId, NodeId, ParticipantSid, RoomSid, SdkAppId, TokenId, TrackSid,
};
pub use now::Now;
pub use quality::{Downlink, Media, SAMPLE_SECONDS, StaySample, TrackSample, Via};
pub use refusal::{Reason, Refusal};
pub use room::{MediaKind, Role, RoomName, RoomNameError, Scene};
pub use sku::{Sku, SkuKind, Tier};
pub use usage::{StayClosed, StayEnd, StayOpened, UsageBatch, UsageWindow, WINDOW_SECONDS};

//! Forwarding decisions: which packets of a published track reach which subscriber, and rewritten how.
//!
//! What it is: [`UpTrack`] knows what a publisher sends (layers, sizes, rates, keyframe requests);
//! [`DownTrack`] decides for one subscriber (layer, switching, rewriting); [`Speakers`] and
//! [`QualityMeter`] turn levels and losses into what clients are told.
//! What it is not: no transport, no signalling, no rooms. All of it is driven by `now` and plain values.
//!
//! Invariant: nothing on the packet path ([`UpTrack::receive`], [`DownTrack::forward`]) allocates.

mod clock;
mod declared;
mod dependent;
mod down;
mod layer;
mod layers;
mod limits;
mod numbering;
mod pictures;
mod quality;
mod rate;
mod select;
mod speakers;
mod steps;
mod tally;
#[cfg(test)]
mod tests;
mod up;

pub use declared::{Declared, counted_area};
pub use down::{Continuation, DownTrack, Dropped, Forward, Sending};
pub use layers::{LayerIndex, LayerSpec, Quality, Settings};
pub(crate) use limits::LAYERS_MAX;
pub use quality::{QualityMeter, Sample};
pub use speakers::{Speaker, Speakers};
pub use steps::{Allowed, Step, Steps};
pub use tally::{
    Counts, DownTaken, DownTally, FREEZE_FACTOR, FREEZE_MIN, Feedback, Flow, UpTaken, UpTally,
};
pub use up::{PacketIn, RtpView, SenderReport, UpTrack};

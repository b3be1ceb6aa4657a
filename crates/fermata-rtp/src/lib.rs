//! Views into RTP payloads, and the little rewriting that forwarding needs; pure.
//!
//! What it is: for each codec, is this a keyframe, how large is the picture, which spatial and
//! temporal layer ([`View`]); the VP8 descriptor and its rewriting ([`vp8`]); unwrapping of sequence
//! numbers and timestamps ([`unwrap`]).
//! What it is not: no RTP header, no SRTP, no RTCP (the transport does those), and no decoder: nothing
//! behind a picture's header is read, and nothing is ever changed but the VP8 payload descriptor, which
//! is outside of end-to-end encryption.
//!
//! Invariant: every function takes any bytes, never panics, never allocates, and reads a bounded number of them.

mod av1;
mod bits;
mod codec;
mod h264;
mod h265;
pub mod unwrap;
mod view;
pub mod vp8;
mod vp9;

pub use codec::Codec;
pub use view::{FrameSize, SPATIAL_LAYERS_MAX, View};

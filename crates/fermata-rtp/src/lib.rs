//! RTP and RTCP: reading, writing, statistics, and views into payloads; pure.
//!
//! What it is: packet headers ([`header`], [`extension`]), control packets ([`rtcp`], [`twcc`]), what a receiver
//! keeps of a stream ([`receiver`], [`nack`], [`ring`]), retransmission payloads ([`rtx`]), times ([`ntp`]), the
//! unwrapping of counters ([`unwrap`]). For each codec: is this a keyframe, how large is the picture, which
//! spatial and temporal layer ([`View`]); the VP8 descriptor and its rewriting ([`vp8`]); the dependency descriptor,
//! which says the same of any codec outside of its payload ([`dependency`]).
//! What it is not: no SRTP, no schedule, no sockets, and no decoder: nothing behind a picture's header is read,
//! and nothing of a payload is ever changed but the VP8 descriptor, which is outside of end-to-end encryption.
//!
//! Invariant: every function that reads takes any bytes, never panics, never allocates, and reads a bounded
//! number of them. Everything that keeps something is bounded by [`limits`].

#[cfg(test)]
mod any_bytes;
mod av1;
mod bits;
mod codec;
pub mod dependency;
pub mod extension;
mod h264;
mod h265;
pub mod header;
pub mod limits;
pub mod nack;
pub mod ntp;
pub mod receiver;
pub mod ring;
pub mod rtcp;
pub mod rtx;
pub mod twcc;
pub mod unwrap;
mod view;
pub mod vp8;
mod vp9;
mod wire;

pub use codec::Codec;
pub use view::{FrameSize, SPATIAL_LAYERS_MAX, View};

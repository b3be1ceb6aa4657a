//! In-process clients of `LiveKit`'s protocol, for tests and for the load command.
//!
//! - [`client::RtcClient`]: WebRTC and signalling of one participant without IO, in both dialects.
//! - [`client::Session`]: the same behind a WebSocket and UDP sockets, on tokio.
//! - [`synth`]: packets that look like Opus and VP8 and carry a stamp for measuring loss and delay.
//! - [`Token`]: tokens signed with an API key.
//!
//! What it is not: no codec, no congestion control, no reconnection of its own; a client for tests and for
//! bounded load on one's own machine. Its bounds are in [`limits`].
//!
//! It plays the client with str0m, a WebRTC stack of other hands than the server's, and so is an oracle for it; it
//! cannot show what a browser makes of our SDP.

pub mod client;
pub mod limits;
mod publish;
pub mod statistics;
pub mod synth;
mod token;

pub use publish::{AudioOptions, VideoOptions};
pub use statistics::{Latency, Received, Sent, Statistics};
pub use token::{Token, TokenError, token};

//! `LiveKit`'s signalling as it travels: frames, the ways a client asks to join, refusals as HTTP bodies.
//!
//! - [`frame`]: WebSocket messages to requests, responses to WebSocket messages, binary or JSON.
//! - [`hello`]: query parameters and `join_request` to what the client wants ([`Hello`]).
//! - [`join`]: token, request and application to a [`fermata_sfu::io::Join`], and rights back to claims.
//! - [`path`]: which paths are whose.
//! - [`refusal`]: a refusal as text or JSON.
//!
//! What it is not: it opens no socket, looks up no key, keeps no state, and admits nobody (the SFU does).
//!
//! **Invariant:** whatever comes from the network is parsed within the bounds of [`limits`]; nothing here panics on it.

pub mod frame;
pub mod hello;
pub mod join;
pub mod limits;
pub mod path;
pub mod refusal;

pub use frame::{Frame, FrameError, Style, decode_binary, decode_text, encode};
pub use hello::Hello;
pub use join::{JoinParts, join, refresh_claims, scene_of};
pub use path::Endpoint;
pub use refusal::RefusalBody;

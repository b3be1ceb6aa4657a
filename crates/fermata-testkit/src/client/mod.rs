//! The client: [`RtcClient`] decides, [`Session`] moves bytes.

mod bypass;
mod data;
mod janus;
mod negotiate;
mod peer;
mod rtc;
mod session;
mod socket;
mod streams;
mod url;
mod wire;

pub use bypass::{
    Bypass, BypassMessage, MediaKeys, MediaProfile, StreamMap, StreamTrack, is_media,
};
pub use janus::JanusOptions;

pub use rtc::{
    ClientConfig, ClientError, ClientEvent, ClientOutput, Dialect, Layout, Role, RtcClient,
};
pub use session::{Session, SessionError, SessionOptions, create_janus_room};
pub use wire::Transmit;

//! The client: [`RtcClient`] decides, [`Session`] moves bytes.

mod data;
mod negotiate;
mod peer;
mod rtc;
mod session;
mod socket;
mod url;

pub use rtc::{ClientConfig, ClientError, ClientEvent, ClientOutput, Dialect, Role, RtcClient};
pub use session::{Session, SessionError, SessionOptions};

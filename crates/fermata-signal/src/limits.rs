//! Every bound of this crate. What is larger is refused, and the refusal or error says so.

use std::time::Duration;

/// Longest WebSocket message in either direction that is read or written, bytes. As `LiveKit`: 2 MiB.
pub const FRAME_LEN_MAX: usize = 2 * 1024 * 1024;

/// Longest `join_request` parameter as it stands in the URL, bytes.
pub const JOIN_REQUEST_TEXT_LEN_MAX: usize = 1024 * 1024;

/// Most bytes a compressed join request may inflate to. As `LiveKit`: 1 MiB.
pub const JOIN_REQUEST_LEN_MAX: usize = 1024 * 1024;

/// Longest `attributes` parameter, bytes of text.
pub const ATTRIBUTES_TEXT_LEN_MAX: usize = 64 * 1024;

/// Longest text of one client property (version, device, browser, ...), bytes; longer ones are cut.
pub const CLIENT_TEXT_LEN_MAX: usize = 256;

/// Most capabilities a client may name; more are ignored.
pub const CAPABILITIES_MAX: usize = 32;

/// Most tracks a client may announce together with its join.
pub const ADD_TRACKS_MAX: usize = 64;

/// Life of a refreshed token. Clients get a new one long before.
pub const REFRESHED_TOKEN_LIFETIME: Duration = Duration::from_mins(10);

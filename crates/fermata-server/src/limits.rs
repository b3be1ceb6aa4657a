//! Every bound of this crate, with what happens when it is reached.
//!
//! Each has a counter in [`crate::metrics`]; the bounds of media and rooms live with the media plane.

use std::time::Duration;

/// Largest body of a request, bytes. Larger: status 413.
pub const HTTP_BODY_BYTES_MAX: usize = 64 * 1024;

/// Longest time a request without an upgrade may take. Longer: status 503, the work is dropped.
pub const HTTP_REQUEST_TIME_MAX: Duration = Duration::from_secs(20);

/// Longest time until a connection has sent its first request, or the header of a further one.
/// Longer: the connection is closed.
pub const HTTP_HEADER_TIME_MAX: Duration = Duration::from_secs(20);

/// Largest request head, bytes; a first offer rides in the query of `/rtc/v1` (the HTTP library takes no
/// URL above 64 KiB). Larger: status 431 or 414.
pub const HTTP_HEAD_BYTES_MAX: usize = 128 * 1024;

/// Longest TLS handshake. Longer: the connection is closed.
pub const TLS_HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Largest WebSocket message (LiveKit's own limit), bytes. Larger: the connection is closed.
pub const WS_MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Most bytes waiting to be written to one WebSocket. More: the connection is closed, the client resumes.
pub const WS_WRITE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How often the server pings a WebSocket.
pub const WS_PING_EVERY: Duration = Duration::from_secs(10);

/// Longest silence of a WebSocket, pings unanswered. Longer: the connection is closed, the client resumes.
pub const WS_SILENCE_MAX: Duration = Duration::from_secs(30);

/// Longest time a WebSocket may take to accept one message. Longer: the connection is closed.
pub const WS_WRITE_TIME_MAX: Duration = Duration::from_secs(10);

/// Messages a client may send in one burst. More: see [`WS_MESSAGES_PER_SECOND`].
pub const WS_MESSAGES_BURST: u32 = 500;

/// Messages a second a client may send for long. More: the connection is closed with 1008.
pub const WS_MESSAGES_PER_SECOND: u32 = 100;

/// How long a closing WebSocket may take to say good-bye. Longer: the connection is dropped.
pub const WS_CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// Malformed messages one connection may send. More: the connection is closed with 1007.
pub const WS_MALFORMED_MAX: u32 = 16;

/// Most operator tokens that are not revoked. More: the API refuses to create another.
pub const OPERATOR_TOKENS_MAX: usize = 1_000;

/// Most `LiveKit` key pairs of one application. More: the API refuses to add another.
pub const API_KEYS_PER_APP_MAX: usize = 100;

/// Longest life of a token that a `UserSig` was exchanged for; it never outlives the `UserSig`.
pub const EXCHANGED_TOKEN_LIFETIME_MAX: Duration = Duration::from_hours(6);

/// How long the answer of a store probe is reused by `/healthz` and `/readyz`.
pub const PROBE_REUSED: Duration = Duration::from_secs(1);

/// Longest time a store probe may take. Longer: the store counts as not writable.
pub const PROBE_TIME_MAX: Duration = Duration::from_secs(5);

/// Most civil days one usage query may span. More: status 400.
pub const USAGE_DAYS_MAX: i32 = 400;

/// Most items one page of a list may have.
pub const PAGE_ITEMS_MAX: u32 = 1_000;

/// Items of a page when the request says nothing.
pub const PAGE_ITEMS: u32 = 100;

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

/// How often every account's standing is read again, beside being told of changes (policy A20).
pub const STANDING_REFRESH_EVERY: Duration = Duration::from_secs(10);

/// How long entries are admitted after the last time that standings could be read (policy A23).
/// Longer: newcomers are refused until they can be read again.
pub const STANDING_AGE_MAX: Duration = Duration::from_mins(5);

/// Accounts whose standing is brought to the node at the same time. More wait.
pub const ENFORCED_AT_ONCE_MAX: usize = 16;

/// How soon an account is tried again whose standing could not be brought to the node.
pub const ENFORCE_RETRY: Duration = Duration::from_secs(1);

/// Timers that one call of the store fires. More: another call follows at once.
pub const TIMERS_PER_CALL_MAX: u32 = 256;

/// Longest sleep of the scheduler: timers that are armed meanwhile and due at once are late by this at most.
pub const SCHEDULER_SLEEP_MAX: Duration = Duration::from_secs(1);

/// First and longest pause of the scheduler after an error; it doubles in between.
pub const SCHEDULER_PAUSE: Duration = Duration::from_secs(1);
/// See [`SCHEDULER_PAUSE`].
pub const SCHEDULER_PAUSE_MAX: Duration = Duration::from_mins(1);

/// Longest time that overdue timers are fired before the server begins to serve; the rest follows while serving.
pub const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(10);

/// Deliveries of notices under way at a time. More wait in the outbox.
pub const DELIVERIES_MAX: usize = 32;

/// How often the outbox is looked at when nothing tells of news.
pub const OUTBOX_POLL: Duration = Duration::from_secs(1);

/// How long a delivery that was begun belongs to who began it; longer than one can take.
pub const OUTBOX_LEASE: Duration = Duration::from_secs(90);

/// Attempts of one delivery, spread over about a day. After them it is given up, and counted.
pub const DELIVERY_ATTEMPTS_MAX: u32 = 12;

/// Pause after the first failed attempt; it grows threefold with each one.
pub const DELIVERY_PAUSE: Duration = Duration::from_secs(10);

/// Longest pause between two attempts.
pub const DELIVERY_PAUSE_MAX: Duration = Duration::from_hours(6);

/// Deliveries of which one channel is known to have succeeded and another not. More: the oldest is forgotten, and
/// its contact may be told twice over the first channel.
pub const HALF_DELIVERED_MAX: usize = 10_000;

/// Bytes of an error that are kept with a delivery. More are cut off.
pub const DELIVERY_ERROR_BYTES_MAX: usize = 500;

/// Longest time one webhook may take, from the name to the answer. Longer: the attempt failed.
pub const WEBHOOK_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest time one address of a webhook may take to be connected to. Longer: the next address is tried.
pub const WEBHOOK_CONNECT_TIME_MAX: Duration = Duration::from_secs(4);

/// Addresses of one name that are tried in one attempt.
pub const WEBHOOK_ADDRESSES_MAX: usize = 4;

/// Largest head of a webhook's answer, bytes. Larger: the attempt failed.
pub const WEBHOOK_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a webhook's answer that are read, and not used. More are not read.
pub const WEBHOOK_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Longest time the mail server may take for one command. Longer: the attempt failed.
pub const MAIL_COMMAND_TIME_MAX: Duration = Duration::from_secs(20);

/// Longest time one mail may take. Longer: the attempt failed.
pub const MAIL_TIME_MAX: Duration = Duration::from_mins(1);

/// Longest key of a call that is to happen once, bytes. Longer: status 400.
pub const IDEMPOTENCY_KEY_LEN_MAX: usize = 128;

/// Longest stay in an application without funding, whose minutes nobody pays for (policy A8). Longer: it ends.
pub const ABSORBED_STAY_AGE_MAX: Duration = Duration::from_hours(24);

/// Largest body of a call that is to happen once, bytes; above what any call takes. Larger: status 413.
pub const IDEMPOTENT_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Accounts looked through for one page of a partner's list. More: the page has fewer items, and a cursor.
pub const ACCOUNTS_SCANNED_MAX: u32 = 1_000;

/// Longest id of a partner, bytes. Longer: status 400.
pub const PARTNER_ID_LEN_MAX: usize = 64;

/// Longest time that the command line waits for one answer of a server. Longer: the command fails.
pub const CLIENT_TIME_MAX: Duration = Duration::from_mins(1);

/// Longest time that the command line takes to connect to one address of a server. Longer: the next one is tried.
pub const CLIENT_CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Largest answer that the command line reads, bytes. Larger: the command fails.
pub const CLIENT_ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Items that the command line collects of a list whose parts it follows. More: it stops and says so.
pub const CLIENT_ITEMS_MAX: usize = 10_000;

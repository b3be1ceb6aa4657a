//! Every bound of this crate, with what happens when it is reached.
//!
//! Each has a counter in [`crate::metrics`]; the bounds of media and rooms live with the media plane.

use std::time::Duration;

use jiff::SignedDuration;

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

/// Read buffer of one WebSocket, bytes; it is taken whole when the connection begins and kept to its end. A longer
/// message makes a buffer of its own. The library's own 128 KiB would be the most that a quiet client costs.
pub const WS_READ_BYTES: usize = 8 * 1024;

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

/// How often the kernel is asked how many datagrams it dropped.
pub const UDP_DROPS_READ_EVERY: Duration = Duration::from_secs(5);

/// Most operator tokens that are not revoked. More: the API refuses to create another.
pub const OPERATOR_TOKENS_MAX: usize = 1_000;

/// How long a session of the console lasts, whatever is done in it. Longer: one signs in again.
pub const CONSOLE_SESSION_LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// Failed attempts to sign in under one name in [`SIGN_IN_PERIOD`]; they come back one by one. More: status 429.
pub const SIGN_IN_FAILURES_PER_NAME: u32 = 10;

/// The same from one address (of IPv6: one network of 64 bits). More: status 429.
pub const SIGN_IN_FAILURES_PER_ADDRESS: u32 = 50;

/// See [`SIGN_IN_FAILURES_PER_NAME`].
pub const SIGN_IN_PERIOD: Duration = Duration::from_mins(15);

/// Names, and apart from them addresses, whose failed attempts are counted. More: the one with the fewest is
/// forgotten.
pub const SIGN_IN_COUNTED_MAX: usize = 10_000;

/// Passwords that are hashed at the same time, 19 MiB each. More wait.
pub const PASSWORD_HASHES_MAX: usize = 2;

/// Passwords that are hashed or wait for it. More: status 503.
pub const PASSWORD_HASHES_WAITING_MAX: usize = 64;

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

/// Largest body of a call of the vendor's server API, bytes (the vendor's own limit).
/// Larger: `RequestSizeLimitExceeded`.
pub const SERVER_API_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Bodies up to so many bytes are read at once; of larger ones, and those that do not say how large they are,
/// [`SERVER_API_LARGE_BODIES_MAX`] at a time.
pub const SERVER_API_SMALL_BODY_BYTES: u64 = 64 * 1024;

/// Large bodies of the vendor's server API that are read at a time. More: `RequestLimitExceeded`.
pub const SERVER_API_LARGE_BODIES_MAX: usize = 16;

/// Most civil days of one question about usage (the vendor's rule). More: `InvalidParameterValue`.
pub const SERVER_API_USAGE_DAYS_MAX: i32 = 31;

/// Longest window of one question about usage by room (the vendor's rule). Longer: `InvalidParameterValue`.
pub const SERVER_API_ROOM_USAGE_SPAN_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Rows of an account's journal that are read at a time for an answer about bills.
pub const SERVER_API_JOURNAL_PAGE: u32 = 1_000;

/// Most rows of an account's journal that one answer about bills is made of. More: `LimitExceeded`.
pub const SERVER_API_JOURNAL_ROWS_MAX: usize = 50_000;

/// Largest body of a call of `LiveKit`'s server APIs, bytes (`LiveKit`'s own limit). Larger: `malformed`.
pub const TWIRP_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Most calls of `LiveKit`'s server APIs at a time whose body is larger than [`SERVER_API_SMALL_BODY_BYTES`], or of
/// unknown length. More: `resource_exhausted`.
pub const TWIRP_LARGE_BODIES_MAX: usize = 16;

/// Most agents that `CreateRoom` may ask for. More: `invalid_argument`.
pub const TWIRP_ROOM_AGENTS_MAX: usize = 16;

/// How long a client may take to answer `PerformRpc` when the call does not say (`LiveKit`'s own default).
pub const RPC_TIME: Duration = Duration::from_secs(15);

/// Longest time that `PerformRpc` may give a client; below [`HTTP_REQUEST_TIME_MAX`]. Longer: `invalid_argument`.
pub const RPC_TIME_MAX: Duration = Duration::from_secs(18);

/// News of rooms that wait for the dispatcher of agents, and, apart from them, messages and calls. More: news are
/// dropped and counted, workers and calls wait.
pub const AGENT_QUEUE_LEN: usize = 4_096;

/// Messages waiting to be written to one agent worker. More: its connection is closed, it connects anew.
pub const AGENT_WORKER_QUEUE_LEN: usize = 128;

/// How long a call about dispatches waits for the beginning of its room to be told. Longer: there is no such room.
pub const DISPATCH_ROOM_WAIT_MAX: Duration = Duration::from_secs(1);

/// Life of a token that an agent joins with (`LiveKit`'s own value); it is refreshed while the agent is in a room.
pub const AGENT_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// Events and groups of samples that wait to be recorded for monitoring. More: dropped and counted.
pub const MONITORING_QUEUE_LEN: usize = 8_192;

/// Stays that are watched at a time. What happens to further ones is dropped and counted.
pub const MONITORED_STAYS_MAX: usize = 200_000;

/// Rooms that are watched at a time. What happens in further ones is dropped and counted.
pub const MONITORED_ROOMS_MAX: usize = 100_000;

/// Comings back of one stay that are remembered until its next samples are stored. More: only counted as events.
pub const MONITORED_RESUMES_MAX: usize = 16;

/// How often samples of a room are packed and stored; the most that a power cut takes.
pub const MONITORING_BLOCK_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// Rows that are written together. More: they are written before more is taken in.
pub const MONITORING_BATCH_ROWS: usize = 4_096;

/// How often what was recorded is written, and how late a minute may be told.
pub const MONITORING_WRITE_EVERY: Duration = Duration::from_secs(1);

/// How often the monitoring database is swept.
pub const MONITORING_SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Steps of one sweep without a pause between them. More: the rest is done by the next.
pub const MONITORING_SWEEP_STEPS: usize = 50;

/// How long a question about monitoring waits for what was recorded just now. Longer: it is answered without.
pub const MONITORING_SETTLE_MAX: Duration = Duration::from_secs(2);

/// How often the recorder looks whether something was dropped, and asks the node about one room if so.
pub const MONITORING_CHECK_EVERY: Duration = Duration::from_secs(5);

/// How long a stay may be silent, after something was dropped, before the node is asked whether it is still there.
pub const MONITORED_SILENCE_MAX: SignedDuration = SignedDuration::from_mins(2);

/// Points of one answer with series. More: `InvalidParameter.QueryScaleOversize`.
pub const MONITORING_POINTS_MAX: usize = 500_000;

/// Callbacks and webhooks that wait to be written into their outbox. More: dropped and counted.
pub const CALLBACK_INTAKE_LEN: usize = 8_192;

/// Bytes of them. More: dropped and counted.
pub const CALLBACK_INTAKE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Receivers of which it is remembered how many webhooks they missed. More: theirs is told as none.
pub const CALLBACK_MISSED_MAX: usize = 10_000;

/// Callbacks and webhooks that are written together.
pub const CALLBACK_BATCH_MAX: usize = 256;

/// Pause before the outbox of callbacks is tried again after an error.
pub const CALLBACK_STORE_PAUSE: Duration = Duration::from_secs(1);

/// Attempts to write down that a callback was settled. More: it stays in the outbox, and the next run repeats it.
pub const CALLBACK_MARKS_MAX: u32 = 10;

/// How often old callbacks are removed.
pub const CALLBACK_PRUNE_EVERY: Duration = Duration::from_mins(1);

/// How often the deliveries of a cleared application are removed, [`CALLBACK_PRUNE_EVERY`] apart: the last time takes
/// what was on its way into the outbox the first time.
pub const CALLBACK_FORGET_ROUNDS: u32 = 2;

/// Longest time that a stopping server takes to write the last callbacks down. Longer: they are lost.
pub const CALLBACK_STOP_TIME_MAX: Duration = Duration::from_secs(2);

/// How often a stopping server looks whether they are.
pub const CALLBACK_STOP_POLL: Duration = Duration::from_millis(5);

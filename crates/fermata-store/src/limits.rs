//! Every bound of this crate, in one place, with what happens at it.
//!
//! Text is bounded in bytes unless a line says characters.

use std::time::Duration;

use jiff::SignedDuration;

/// Commands that may wait for the writer. Above: the call is refused with `Busy` and counted.
pub const WRITE_QUEUE_LEN: usize = 4_096;
/// Reads that may wait for a reader. Above: the call is refused with `Busy` and counted.
pub const READ_QUEUE_LEN: usize = 4_096;
/// Backups and checks that may wait for the maintenance thread. Above: `Busy`.
pub const MAINTENANCE_QUEUE_LEN: usize = 8;
/// Reader threads, each with a connection of its own.
pub const READERS: usize = 2;

/// Commands that share one commit at most.
pub const BATCH_COMMANDS_MAX: usize = 512;
/// How long the writer waits for more commands to share a commit, by default.
pub const BATCH_WAIT: Duration = Duration::from_millis(2);
/// How long `SQLite` waits for a lock that another program holds on the file. Then: `NotWritable`.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this many bytes after a checkpoint.
pub const WAL_SIZE_KEPT: i64 = 64 * 1_024 * 1_024;

/// Display names of accounts, applications and tokens, and names of users of the console, characters. Above: `Invalid`.
pub const NAME_CHARS_MAX: usize = 128;
/// Ids (accounts, tokens, nodes, stays, room lives). Above: `Invalid`, in a batch: quarantine.
pub const ID_LEN_MAX: usize = 64;
/// Public names of API keys. Above: `Invalid`.
pub const API_KEY_LEN_MAX: usize = 128;
/// Secrets of API keys and of `UserSig`. Above: `Invalid`.
pub const SECRET_LEN_MAX: usize = 1_024;
/// API keys of one application. Above: `Invalid`.
pub const API_KEYS_PER_APP_MAX: usize = 100;
/// Applications of one account, because they are listed in one answer. Above: `Invalid`.
pub const APPS_PER_ACCOUNT_MAX: usize = 10_000;
/// Operator API tokens, revoked ones included, because they are listed in one answer. Above: `Invalid`.
pub const API_TOKENS_MAX: usize = 10_000;
/// Secret pairs of one account that are in force. Above: `Invalid`.
pub const SECRETS_IN_FORCE_MAX: usize = 20;
/// Secret pairs of one account, revoked ones included, because they are listed in one answer. Above: `Invalid`.
pub const SECRETS_PER_ACCOUNT_MAX: usize = 1_000;
/// Applications that one secret pair is limited to. Above: `Invalid`.
pub const APPS_PER_SECRET_MAX: usize = 100;
/// Public names of secret pairs, letters and digits; the fewest are [`SECRET_ID_LEN_MIN`]. Otherwise: `Invalid`.
pub const SECRET_ID_LEN_MAX: usize = 64;
/// Fewest letters and digits of a secret pair's public name.
pub const SECRET_ID_LEN_MIN: usize = 4;
/// Keys of secret pairs, visible ASCII; the fewest are [`SECRET_KEY_LEN_MIN`]. Otherwise: `Invalid`.
pub const SECRET_KEY_LEN_MAX: usize = 128;
/// Fewest characters of a secret pair's key.
pub const SECRET_KEY_LEN_MIN: usize = 16;
/// Users of the console, disabled ones included, because they are listed in one answer. Above: `Invalid`.
pub const CONSOLE_USERS_MAX: usize = 10_000;
/// Sessions of one user of the console. Above: the oldest gives way.
pub const CONSOLE_SESSIONS_PER_USER_MAX: u32 = 32;
/// Hashes of passwords. Above: `Invalid`.
pub const PASSWORD_HASH_LEN_MAX: usize = 256;
/// Secrets of one-time codes, bytes. Above, and for none: `Invalid`.
pub const TOTP_SECRET_LEN_MAX: usize = 64;
/// `LiveKit` webhooks of one application. Above: `Invalid`.
pub const WEBHOOKS_PER_APP_MAX: usize = 8;
/// Addresses that events go to. Above: `Invalid`.
pub const CALLBACK_URL_LEN_MAX: usize = 2_083;
/// Keys that sign the vendor's callbacks, letters and digits. Above: `Invalid`.
pub const CALLBACK_KEY_LEN_MAX: usize = 32;
/// Highest event group of the vendor's callbacks; the lowest is 1. Others: `Invalid`.
pub const CALLBACK_GROUP_MAX: u8 = 11;

/// Identities of users. Above: the opening goes to the quarantine.
pub const IDENTITY_LEN_MAX: usize = 1_024;
/// Values of settings. Above: `Invalid`.
pub const SETTING_LEN_MAX: usize = 4_096;
/// Names of settings. Above: `Invalid`.
pub const SETTING_NAME_LEN_MAX: usize = 64;

/// Longest disconnect timeout, seconds. The shortest is [`DISCONNECT_TIMEOUT_S_MIN`].
pub const DISCONNECT_TIMEOUT_S_MAX: u32 = 300;
/// Disconnect timeout of an application whose settings were cleared, seconds.
pub const DISCONNECT_TIMEOUT_S_DEFAULT: u32 = 90;
/// Shortest disconnect timeout, seconds.
pub const DISCONNECT_TIMEOUT_S_MIN: u32 = 5;

/// Rows of one page. Above, and for 0: `Invalid`.
pub const PAGE_LEN_MAX: u32 = 1_000;
/// Civil days of one usage question. Above: `Invalid`.
pub const USAGE_DAYS_MAX: usize = 400;
/// Rows of one usage-by-room answer. Above: `Invalid`, ask for a shorter range.
pub const ROOM_USAGE_ROWS_MAX: usize = 100_000;
/// Longest range of one usage-by-span question: 31 civil days, one of which may have 25 hours. Above: `Invalid`.
pub const SPAN_RANGE_MAX: SignedDuration = SignedDuration::from_hours(31 * 24 + 1);
/// Longest span, seconds; the shortest is a minute. Otherwise, and for parts of minutes: `Invalid`.
pub const SPAN_S_MAX: u32 = 86_400;
/// Facts (openings, windows, closings) of one batch. Above: `Invalid`, nothing of it is taken.
pub const BATCH_FACTS_MAX: usize = 65_536;
/// Rows of the quarantine. Above: the row is not kept, only counted; what it accuses stays uncounted.
pub const QUARANTINE_ROWS_MAX: u64 = 10_000;
/// Problems a check reports one by one; the rest is summed up in one more sentence.
pub const PROBLEMS_MAX: usize = 100;

/// Accounts whose books the writer keeps at hand. Above: the least recently used leaves, to be loaded again.
pub const BOOKS_CACHED: usize = 4_096;
/// Changes of standing that can be asked for one by one. Above: "any account may have changed".
pub const CHANGES_KEPT: usize = 65_536;
/// How long an account is left alone whose timer cannot fire.
pub const FIRE_RETRY: SignedDuration = SignedDuration::from_mins(5);
/// Accounts with usage that waits that one call of `fire_due` tries again.
pub const WAITING_RETRIED: usize = 16;
/// Accounts whose timers one call computes anew for a new agreement. Above: the rest with the next calls.
pub const REEVALUATED_PER_CALL: usize = 1_000;
/// Partners, because they are listed in one answer. Above: `Invalid`.
pub const PARTNERS_MAX: usize = 10_000;
/// How long the answer to a call that is to happen once is kept. Later the key is free again.
pub const ONCE_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Kept answers of one credential. Above: the oldest leaves.
pub const ONCE_PER_SCOPE_MAX: usize = 10_000;
/// Caller's keys of calls that are to happen once. Above: `Invalid`.
pub const ONCE_KEY_LEN_MAX: usize = 255;
/// How long a node that reports nothing and has no open stay holds the closing of days up.
pub const NODE_QUIET_MAX: SignedDuration = SignedDuration::from_mins(15);
/// Deliveries that were given up and are kept to be looked at. Above: the oldest leaves.
pub const OUTBOX_DEAD_MAX: u32 = 10_000;
/// Texts of failed deliveries, characters; what is longer is cut.
pub const OUTBOX_ERROR_CHARS_MAX: usize = 500;
/// Rows of one answer about use by day. Above: `Invalid`, ask for a shorter range.
pub const DAY_USES_MAX: usize = 100_000;

/// How long rooms, stays, events and samples are kept for monitoring.
pub const MONITORING_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long totals of minutes are kept.
pub const MONITORING_MINUTES_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long totals of hours and days are kept.
pub const MONITORING_TOTALS_KEPT: SignedDuration = SignedDuration::from_hours(61 * 24);
/// Bytes of the monitoring database by default. Above: the oldest rows leave, and are counted.
pub const MONITORING_BYTES_MAX: u64 = 4 * 1_024 * 1_024 * 1_024;
/// Batches, clearings and sweeps that may wait for the writer of monitoring. Above: `Busy`.
pub const MONITORING_WRITE_QUEUE_LEN: usize = 64;
/// Questions that may wait for a reader of monitoring. Above: `Busy`.
pub const MONITORING_READ_QUEUE_LEN: usize = 256;
/// Reader threads of monitoring, each with a connection of its own.
pub const MONITORING_READERS: usize = 2;
/// Texts of clients, characters; what is longer is cut.
pub const MONITORING_TEXT_CHARS_MAX: usize = 128;
/// Rows of one page. Above: that many.
pub const MONITORING_PAGE_MAX: u32 = 1_000;
/// Events of one answer. Above: the latest are left out.
pub const MONITORING_EVENTS_MAX: u32 = 10_000;
/// Packed samples of one answer, bytes. Above: `Invalid`, ask for fewer users or a shorter time.
pub const MONITORING_SAMPLES_BYTES_MAX: u64 = 32 * 1_024 * 1_024;
/// Rows that one step of sweeping takes from a table.
pub const MONITORING_SWEEP_ROWS: u32 = 2_000;
/// Pages that one step of sweeping gives back to the disk.
pub const MONITORING_SWEEP_PAGES: u32 = 1_000;
/// How long after its end an hour or a day is counted, so that what is late is in it.
pub const MONITORING_COUNT_AFTER: SignedDuration = SignedDuration::from_mins(10);

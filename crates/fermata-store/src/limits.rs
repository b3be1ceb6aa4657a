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

/// Display names of accounts, applications and tokens, characters. Above: `Invalid`.
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

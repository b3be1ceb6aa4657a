//! Every bound of this crate, in one place, with what happens at it.
//!
//! Text is bounded in bytes unless a line says characters.

use std::time::Duration;

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

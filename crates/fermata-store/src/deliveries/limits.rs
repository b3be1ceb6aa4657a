//! Every bound of the database of deliveries, with what happens at it.

use std::time::Duration;

use jiff::SignedDuration;

/// Calls that may wait for the writer. Above: the call is refused with `Busy`.
pub const WRITE_QUEUE_LEN: usize = 1_024;
/// Calls that may wait for the reader. Above: the call is refused with `Busy`.
pub const READ_QUEUE_LEN: usize = 1_024;
/// Calls that share one commit at most.
pub const BATCH_CALLS_MAX: usize = 256;
/// How long the first call of a group waits for others.
pub const BATCH_WAIT: Duration = Duration::from_millis(2);
/// How long `SQLite` waits for a lock that another program holds on the file. Then: `NotWritable`.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this many bytes after a checkpoint.
pub const WAL_SIZE_KEPT: i64 = 16 * 1_024 * 1_024;
/// How long a delivery is kept that arrived.
pub const DELIVERED_KEPT: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How long a delivery is kept that was given up.
pub const FAILED_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Settled deliveries that are kept. Above: the oldest leave.
pub const SETTLED_ROWS_MAX: u64 = 500_000;
/// Bytes of the bodies of settled deliveries that are kept. Above: the oldest leave.
pub const SETTLED_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;
/// Deliveries that one call of `prune` or `forget_app` removes. Above: the rest with the next calls.
pub const PRUNED_PER_CALL: u32 = 2_000;
/// Text of a failed attempt, bytes; what is longer is cut.
pub const ERROR_BYTES_MAX: usize = 500;
/// Rows of one page. Above, and for 0: `Invalid`.
pub const PAGE_LEN_MAX: u32 = 1_000;

//! How long monitoring data is kept, how much may be asked for at once, and how large anything may grow.

use std::time::Duration;

/// Samples and events are kept this long, then deleted; queries reach no further back (14 days, vendor's rule).
pub const RETENTION: Duration = Duration::from_hours(14 * 24);
/// Longest span of a query for data points. Longer: refused.
pub const SERIES_SPAN_MAX: Duration = Duration::from_hours(1);
/// Longest span of a query for lists of users. Longer: refused.
pub const LIST_SPAN_MAX: Duration = Duration::from_hours(4);
/// Longest span of a query for unusual events. Longer: refused.
pub const UNUSUAL_SPAN_MAX: Duration = Duration::from_hours(1);
/// Most unusual events in one answer. The rest is left out.
pub const UNUSUAL_ANSWER_MAX: usize = 20;
/// Most users in one answer with data points. The rest is on further pages.
pub const SERIES_USERS_MAX: usize = 6;
/// Most users or rooms on one page of a list.
pub const PAGE_MAX: usize = 100;

/// Samples in one block: five minutes. When it is reached the block is full and the next one begins.
pub const BLOCK_SAMPLES_MAX: usize = 60;
/// Different tracks of one stay in one block. Samples of further tracks are dropped, counted.
pub const BLOCK_TRACKS_MAX: usize = 64;
/// Longest id inside a block, bytes. A track with a longer one is dropped, counted.
pub const BLOCK_ID_LEN_MAX: usize = 64;
/// Longest block, bytes; longer ones are not read. The longest that can be built is shorter.
pub const BLOCK_BYTES_MAX: usize = 384 * 1024;

/// Points of one line: an hour of samples. Later ones are left out.
pub const SERIES_POINTS_MAX: usize = 720;
/// Lines of one stay in one answer. Further ones are left out.
pub const SERIES_LINES_MAX: usize = 1_024;
/// Unusual events found in one stay. Further ones are left out.
pub const DETECT_MAX: usize = 256;
/// Tracks of one stay that are followed for unusual events. Further ones are not looked at.
pub const DETECT_TRACKS_MAX: usize = 256;

//! Every bound of this crate, with what happens at it.

use std::time::Duration;

/// Deliveries that may wait for one receiver and room. More: marked as failed at once, to be sent by hand.
pub const WAITING_PER_ROOM_MAX: usize = 1_000;

/// Deliveries of one application that may wait. More: marked as failed at once.
pub const WAITING_PER_APP_MAX: usize = 10_000;

/// Deliveries that may wait, of all applications; about 100 bytes each. More: marked as failed at once.
pub const WAITING_MAX: usize = 100_000;

/// Bytes of the deliveries of one application that may wait. More: marked as failed at once.
pub const WAITING_APP_BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// Bytes of the deliveries that may wait, of all applications; they lie on the disk. More: marked as failed at once.
pub const WAITING_BYTES_MAX: u64 = 4 * 1_024 * 1_024 * 1_024;

/// Attempts under way at the same time. More wait.
pub const ATTEMPTS_AT_ONCE_MAX: usize = 64;

/// Attempts of one application under way at the same time. More wait.
pub const ATTEMPTS_PER_APP_MAX: usize = 8;

/// Of these, attempts for receivers whose last attempt failed, so that a dead one leaves room for the application's
/// others. More wait.
pub const ATTEMPTS_PER_APP_FAILING_MAX: usize = 6;

/// Attempts under way for receivers whose last attempt failed, so that dead receivers leave room for the rest.
/// More wait.
pub const ATTEMPTS_FAILING_MAX: usize = 48;

/// Longest time of one attempt (the vendor's figure). Longer: it failed.
pub const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(5);

/// From one attempt to the next, beginning to beginning, behind the first two (the vendor's figure).
pub const ATTEMPT_PAUSE: Duration = Duration::from_secs(10);

/// How long a delivery is tried, from when it is due (the vendor's figure).
pub const ATTEMPT_WINDOW: Duration = Duration::from_mins(1);

/// How much later than the window's end the last attempt may begin: this part of a pause.
pub const ATTEMPT_SLACK_PART: u32 = 20;

/// Attempts that every delivery gets, however long it waited for its turn.
pub const ATTEMPTS_LEAST: u32 = 2;

/// `LiveKit` webhooks of one application; ids of events have room for no more.
pub const WEBHOOKS_PER_APP_MAX: usize = 8;

/// Rooms whose tracks are remembered. More: the one that was quiet longest is forgotten, and counted; the stop of
/// a medium that was started in it is not told then.
pub const ROOMS_FOLLOWED_MAX: usize = 100_000;

/// Publishing users of one room whose tracks are remembered. More: theirs are not told in the vendor's form.
pub const PUBLISHERS_FOLLOWED_MAX: usize = 10_000;

/// Tracks of one user that are remembered, above what a user may publish. More are not told in the vendor's form.
pub const TRACKS_FOLLOWED_MAX: usize = 64;

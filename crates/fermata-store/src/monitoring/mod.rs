//! What monitoring keeps for two weeks: a database of its own (`monitoring.db`), which may be lost without losing
//! a minute or a cent.
//!
//! One thread writes, a batch a transaction; two read. A file that is damaged, or that a newer program wrote, is
//! set aside (`monitoring.db.aside`, over an earlier one), told in the log, and a fresh one takes its place, when
//! opening and while serving.
//!
//! What it is not: it decides nothing about what is unusual and does not look into packed samples (that is
//! `fermata-monitor`), and nothing here is usage.

mod place;
mod read;
mod row;
mod scale;
mod sweep;
mod worker;
mod write;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use fermata_types::{ParticipantSid, RoomSid, SdkAppId};
use jiff::Timestamp;

pub use self::row::*;
use self::worker::Threads;
use crate::{StoreError, StoreFuture};

/// Name of the database in a data folder.
pub const MONITORING_FILE: &str = "monitoring.db";

/// Length of a minute, milliseconds.
const MINUTE_MS: i64 = 60_000;
/// Length of an hour.
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Length of a day.
const DAY_MS: i64 = 24 * HOUR_MS;
/// End of what has none yet.
const OPEN: i64 = i64::MAX;

/// Stays, events and quality samples, for monitoring. Methods queue when they are called, not when their future
/// is polled; each fails with `Busy` at once when too much waits.
#[derive(Debug)]
pub struct Monitoring {
    threads: Arc<Threads>,
    bytes_max: u64,
}

impl Monitoring {
    /// Opens or makes the database in `folder`, for `bytes_max` bytes. Rooms and stays that an earlier run left
    /// open are ended where they were last heard of, as lost.
    ///
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError`] if not even a fresh file can be made.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self, StoreError> {
        let threads = Arc::new(Threads::start(&folder.join(MONITORING_FILE), bytes_max)?);
        Ok(Self { threads, bytes_max })
    }

    /// Times that a damaged file was set aside since the start.
    pub fn renewed(&self) -> u64 {
        self.threads.renewed()
    }

    /// Writes what happened, all of it or nothing.
    pub fn append(&self, batch: Batch) -> StoreFuture<'static, ()> {
        self.threads.write(move |conn| write::append(conn, &batch))
    }

    /// Forgets everything about an application, in small steps. If one fails, the rest is left.
    pub fn forget_app(&self, app: SdkAppId) -> StoreFuture<'static, ()> {
        let threads = Arc::clone(&self.threads);
        Box::pin(async move {
            while threads.write(move |conn| write::forget_some(conn, app)).await? {}
            Ok(())
        })
    }

    /// Takes one small step of forgetting what is too old, or too much, and of counting hours and days that are
    /// over.
    pub fn sweep(&self, now: Timestamp) -> StoreFuture<'static, Swept> {
        let bytes_max = self.bytes_max;
        self.threads.write(move |conn| sweep::step(conn, now, bytes_max))
    }

    /// Lives of rooms that were there at some time between `from` and `to`, the latest first.
    /// `room`: only those of this text, integer rooms as plain digits.
    pub fn room_lives(
        &self,
        app: SdkAppId,
        from: Timestamp,
        to: Timestamp,
        room: Option<String>,
        page: Page,
    ) -> StoreFuture<'static, Listed<RoomLife>> {
        self.threads.read(move |conn| read::lives(conn, app, (from, to), room.as_deref(), page))
    }

    /// The life that a `CommId` names.
    pub fn life(
        &self,
        app: SdkAppId,
        room: String,
        comm_second: i64,
    ) -> StoreFuture<'static, Option<RoomLife>> {
        self.threads.read(move |conn| read::life(conn, app, &room, comm_second))
    }

    /// Stays of a room's life that were there at some time between `from` and `to`, the earliest first; with
    /// `users`: only theirs.
    pub fn stays_of_room(
        &self,
        room_sid: RoomSid,
        from: Timestamp,
        to: Timestamp,
        users: Vec<String>,
        page: Page,
    ) -> StoreFuture<'static, Listed<StayRow>> {
        self.threads.read(move |conn| read::stays(conn, &room_sid, (from, to), &users, page))
    }

    /// Who all these stays are; unknown ones are left out.
    pub fn identities(
        &self,
        stays: Vec<ParticipantSid>,
    ) -> StoreFuture<'static, Vec<(ParticipantSid, String)>> {
        self.threads.read(move |conn| read::identities(conn, &stays))
    }

    /// Packed samples of stays that have any between `from` and `to`, by stay and time.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for more than [`crate::limits::MONITORING_SAMPLES_BYTES_MAX`].
    pub fn series(
        &self,
        stays: Vec<ParticipantSid>,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'static, Vec<Block>> {
        self.threads.read(move |conn| read::blocks(conn, &stays, from, to))
    }

    /// Events of a user in a room's life between `from` and `to`, in order.
    pub fn events_of(
        &self,
        room_sid: RoomSid,
        identity: String,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'static, Vec<EventRow>> {
        self.threads.read(move |conn| read::events(conn, &room_sid, &identity, from, to))
    }

    /// What went badly between `from` and `to`, the latest first; only what has one of these ids.
    pub fn unusual(
        &self,
        app: SdkAppId,
        from: Timestamp,
        to: Timestamp,
        room: Option<String>,
        experiences: Vec<u32>,
        page: Page,
    ) -> StoreFuture<'static, Listed<Unusual>> {
        self.threads.read(move |conn| {
            read::unusual(conn, app, (from, to), room.as_deref(), &experiences, page)
        })
    }

    /// Totals of the minutes, hours or days that begin from `from` to before `to` and in which somebody was
    /// there, in order. Minutes can be those of `room` alone.
    pub fn totals(
        &self,
        app: SdkAppId,
        period: Period,
        from: Timestamp,
        to: Timestamp,
        room: Option<String>,
    ) -> StoreFuture<'static, Vec<Totals>> {
        self.threads.read(move |conn| match (period, room) {
            (Period::Minute, Some(room)) => scale::room_minutes(conn, app, from, to, &room),
            _ => scale::totals(conn, app, period, from, to),
        })
    }
}

/// Milliseconds since 1970.
fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The moment of so many milliseconds; what no clock shows is the nearest that one does.
fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

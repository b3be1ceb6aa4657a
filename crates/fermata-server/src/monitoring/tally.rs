//! Totals of minutes while they grow: for whole applications, and for rooms.

use std::collections::HashMap;

use fermata_monitor::QualityTotals;
use fermata_store::monitoring::{Sums, Tally};
use fermata_types::{RoomSid, SdkAppId, StaySample};
use jiff::Timestamp;

/// Whose total: of an application, or of one life of a room of it.
pub(super) type Key = (SdkAppId, Option<RoomSid>);

/// Parts of totals that were not handed out yet. Bounded by the rooms and applications that are watched, in two
/// minutes or three.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    parts: HashMap<(Key, i64), Part>,
}

#[derive(Debug, Default)]
struct Part {
    sums: Sums,
    quality: QualityTotals,
    users: u32,
    rooms: u32,
}

/// Which minute a moment is in.
pub(super) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

impl Tallies {
    fn part(&mut self, key: Key, at: Timestamp) -> &mut Part {
        self.parts.entry((key, minute(at))).or_default()
    }

    /// So many were there at this moment.
    pub(super) fn present(&mut self, key: Key, at: Timestamp, users: u32, rooms: u32) {
        let part = self.part(key, at);
        part.users = part.users.max(users);
        part.rooms = part.rooms.max(rooms);
    }

    /// An entry came to its end: connected within so many milliseconds, or not at all.
    pub(super) fn joined(&mut self, key: Key, at: Timestamp, took_ms: Option<i64>) {
        let sums = &mut self.part(key, at).sums;
        sums.joins += 1;
        if let Some(took_ms) = took_ms {
            sums.joined += 1;
            let soon = i64::try_from(fermata_monitor::JoinTotals::FAST.as_millis());
            sums.joined_soon += u64::from(soon.is_ok_and(|soon| took_ms <= soon));
        }
    }

    pub(super) fn sampled(&mut self, key: Key, sample: &StaySample) {
        self.part(key, sample.at).quality.add(sample);
    }

    /// Everything, to be added to what is stored.
    pub(super) fn take(&mut self) -> Vec<Tally> {
        let parts = self.parts.drain().filter_map(|(((app, room_sid), minute), part)| {
            let quality = part.quality;
            let sums = Sums {
                audio_ms: quality.audio_ms,
                audio_freeze_ms: quality.audio_freeze_ms,
                video_ms: quality.video_ms,
                video_freeze_ms: quality.video_freeze_ms,
                delay_ms: quality.rtt_sum_ms,
                delays: quality.rtt_count,
                ..part.sums
            };
            let minute = Timestamp::from_second(minute * 60).ok()?;
            Some(Tally { app, room_sid, minute, sums, users: part.users, rooms: part.rooms })
        });
        parts.collect()
    }
}

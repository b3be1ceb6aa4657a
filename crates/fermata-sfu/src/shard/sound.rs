//! What sound takes of a path, and whether the copies that it carries of itself are worth their room.
//!
//! Redundant audio (RED, RFC 2198) sends every moment of sound twice or three times. On a wide path that costs nothing
//! that anybody misses. On a narrow one it takes the room of the picture, or even of other people's voices; then only
//! the newest block goes out, as plain Opus. Where packets are lost whatever is sent, copies are what keeps voices
//! whole, and are given up much later.
//!
//! What it is not: it never holds sound back.

use std::time::{Duration, Instant};

/// Bytes that a packet has beside its payload: header and extensions, tag.
const OVERHEAD_BYTES: u64 = 40;
/// Rates are of windows of this length. Short, so that somebody who begins to speak is counted soon.
const WINDOW: Duration = Duration::from_millis(500);

/// Copies are given up if sound with them takes more than this share of the path, hundredths ...
const COPIES_PERCENT_MAX: u64 = 25;
/// ... or this one if packets are lost whatever is sent: without the copies they would be heard missing.
const COPIES_PERCENT_MAX_LOSSY: u64 = 60;
/// A path is one of those if so many in a hundred are.
const LOSSY_PERCENT: u64 = 3;
/// They come back once sound with them takes less than this share of what it may.
const COPIES_BACK_PERCENT: u64 = 60;

/// Bits per second of sound on the wire.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct SoundBps {
    /// As it comes.
    pub(super) whole: u64,
    /// Without copies of earlier sound.
    pub(super) plain: u64,
}

impl SoundBps {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            whole: self.whole.saturating_add(other.whole),
            plain: self.plain.saturating_add(other.plain),
        }
    }

    /// Should copies stay away from a path that takes `path_bps` and loses `inherent_loss_percent` whatever is sent?
    /// `plain_now`: they do.
    pub(super) fn too_much(
        self,
        path_bps: u64,
        inherent_loss_percent: u8,
        plain_now: bool,
    ) -> bool {
        let lossy = u64::from(inherent_loss_percent) >= LOSSY_PERCENT;
        let percent = if lossy { COPIES_PERCENT_MAX_LOSSY } else { COPIES_PERCENT_MAX };
        let most_bps = path_bps.saturating_mul(percent) / 100;
        let back_bps = most_bps.saturating_mul(COPIES_BACK_PERCENT) / 100;
        self.whole > self.plain && self.whole > if plain_now { back_bps } else { most_bps }
    }
}

/// How much of a track of sound comes.
#[derive(Debug, Default)]
pub(super) struct SoundRate {
    since: Option<Instant>,
    packets: u64,
    whole_bytes: u64,
    plain_bytes: u64,
    /// In the last two windows, the later one first.
    bps: [SoundBps; 2],
}

impl SoundRate {
    /// Counts a packet's payload: as it came, and its newest block.
    pub(super) fn count(&mut self, now: Instant, whole_len: usize, plain_len: usize) {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed >= WINDOW {
            self.close(passed);
            self.since = Some(now);
        }
        self.packets += 1;
        self.whole_bytes += whole_len as u64;
        self.plain_bytes += plain_len as u64;
    }

    /// Who pauses for breath goes on: what counts is the louder one of two windows.
    fn close(&mut self, passed: Duration) {
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
        let overhead = self.packets * OVERHEAD_BYTES;
        let rate = |bytes: u64| (bytes + overhead).saturating_mul(8_000) / millis;
        let now = SoundBps { whole: rate(self.whole_bytes), plain: rate(self.plain_bytes) };
        let [before, _] = self.bps;
        self.bps = [now, before];
        (self.packets, self.whole_bytes, self.plain_bytes) = (0, 0, 0);
    }

    /// On the wire, of late; nothing before the first window has passed.
    pub(super) fn bps(&self) -> SoundBps {
        let [now, before] = self.bps;
        SoundBps { whole: now.whole.max(before.whole), plain: now.plain.max(before.plain) }
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;

    fn talk(rate: &mut SoundRate, now: &mut Instant, packets: u32, gap_ms: u64, len: usize) {
        for _ in 0..packets {
            *now += Duration::from_millis(gap_ms);
            rate.count(*now, len * 2, len);
        }
    }

    #[test]
    fn a_voice_is_counted_soon_and_a_pause_a_moment_later() {
        let (mut rate, mut now) = (SoundRate::default(), Now::read().instant);
        talk(&mut rate, &mut now, 10, 400, 4);
        let silent = rate.bps();
        // Two or three packets a second: hardly anything, and not the overhead of fifty.
        assert!(silent.whole < 2_000 && silent.plain < silent.whole, "{silent:?}");
        talk(&mut rate, &mut now, 60, 20, 80);
        let voice = rate.bps();
        assert!((78_000..=82_000).contains(&voice.whole), "{voice:?}");
        assert!((47_000..=49_000).contains(&voice.plain), "{voice:?}");
        talk(&mut rate, &mut now, 2, 400, 4);
        assert!(rate.bps().whole > 35_000, "{:?}", rate.bps());
        talk(&mut rate, &mut now, 4, 400, 4);
        assert!(rate.bps().whole < 2_000, "{:?}", rate.bps());
    }

    #[test]
    fn copies_go_where_they_take_much_and_heal_little() {
        let sound = SoundBps { whole: 130_000, plain: 80_000 };
        let rows = [
            (1_000_000, 0, false, false),
            (300_000, 0, false, true),
            // Not back at once when the path is a little wider.
            (600_000, 0, true, true),
            (600_000, 0, false, false),
            (1_000_000, 0, true, false),
            // Where packets are lost anyway, they are worth more.
            (300_000, 5, false, false),
            (200_000, 5, false, true),
        ];
        for (path_bps, loss, plain_now, expected) in rows {
            let judged = sound.too_much(path_bps, loss, plain_now);
            assert_eq!(judged, expected, "{path_bps} b/s, {loss} % lost, plain now: {plain_now}");
        }
        let plain = SoundBps { whole: 80_000, plain: 80_000 };
        assert!(!plain.too_much(100_000, 0, false), "there are none");
    }
}

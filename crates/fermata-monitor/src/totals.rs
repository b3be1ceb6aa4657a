//! Quality of a period in a few numbers: freeze rates, delay, loss, success of joins.
//!
//! All sums are whole numbers, so that totals of parts add up to the total in whatever order.

use std::time::Duration;

use fermata_types::{StaySample, TrackSample};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A share, kept as its two whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How much of it.
    pub part: u64,
    /// Of how much.
    pub whole: u64,
}

impl Rate {
    /// Millionths, 0 to 1,000,000; none if there was nothing to measure.
    pub fn millionths(self) -> Option<u64> {
        let part = u128::from(self.part.min(self.whole)) * 1_000_000;
        u64::try_from(part.checked_div(self.whole.into())?).ok()
    }

    /// Percent, 0.0 to 100.0; none if there was nothing to measure.
    #[expect(clippy::cast_precision_loss, reason = "at most a million")]
    pub fn percent(self) -> Option<f64> {
        self.millionths().map(|millionths| millionths as f64 / 10_000.0)
    }
}

/// How media fared in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityTotals {
    /// Time of received sound, milliseconds: spans of received tracks in which something came or was missing.
    pub audio_ms: u64,
    /// Of it without sound.
    pub audio_freeze_ms: u64,
    /// Time of received pictures.
    pub video_ms: u64,
    /// Of it with a picture that stood still.
    pub video_freeze_ms: u64,
    /// Round trips, one a sample, milliseconds.
    pub rtt_sum_ms: u64,
    /// How many.
    pub rtt_count: u64,
    /// Packets that went out to receivers.
    pub packets_down: u64,
    /// Of those lost on the way.
    pub lost_down: u64,
    /// Packets that came from publishers.
    pub packets_up: u64,
    /// Packets lost on the way to us, not contained in the above.
    pub lost_up: u64,
}

impl QualityTotals {
    /// Adds a sample.
    pub fn add(&mut self, sample: &StaySample) {
        if let Some(rtt) = sample.rtt_ms {
            self.rtt_sum_ms += u64::from(rtt);
            self.rtt_count += 1;
        }
        for track in &sample.tracks {
            self.add_track(sample.span_ms, track);
        }
    }

    fn add_track(&mut self, span_ms: u32, track: &TrackSample) {
        if track.from.is_none() {
            self.packets_up += u64::from(track.packets);
            self.lost_up += u64::from(track.lost);
            return;
        }
        self.packets_down += u64::from(track.packets);
        self.lost_down += u64::from(track.lost);
        if track.packets == 0 && track.freeze_ms == 0 {
            return;
        }
        let (span, frozen) = (u64::from(span_ms), u64::from(track.freeze_ms.min(span_ms)));
        if track.media.is_video() {
            self.video_ms += span;
            self.video_freeze_ms += frozen;
        } else {
            self.audio_ms += span;
            self.audio_freeze_ms += frozen;
        }
    }

    /// Adds the totals of another part.
    pub fn merge(&mut self, other: &Self) {
        self.audio_ms += other.audio_ms;
        self.audio_freeze_ms += other.audio_freeze_ms;
        self.video_ms += other.video_ms;
        self.video_freeze_ms += other.video_freeze_ms;
        self.rtt_sum_ms += other.rtt_sum_ms;
        self.rtt_count += other.rtt_count;
        self.packets_down += other.packets_down;
        self.lost_down += other.lost_down;
        self.packets_up += other.packets_up;
        self.lost_up += other.lost_up;
    }

    /// Share of received sound that was missing.
    pub fn audio_freeze(&self) -> Rate {
        Rate { part: self.audio_freeze_ms, whole: self.audio_ms }
    }

    /// Share of received pictures' time in which they stood still.
    pub fn video_freeze(&self) -> Rate {
        Rate { part: self.video_freeze_ms, whole: self.video_ms }
    }

    /// Share of packets lost towards receivers.
    pub fn loss_down(&self) -> Rate {
        Rate { part: self.lost_down, whole: self.packets_down }
    }

    /// Share of packets lost from publishers.
    pub fn loss_up(&self) -> Rate {
        Rate { part: self.lost_up, whole: self.packets_up + self.lost_up }
    }

    /// Mean delay between client and server one way, taken for half the round trip, thousandths of a
    /// millisecond; none without a measurement.
    pub fn delay_us(&self) -> Option<u64> {
        self.rtt_sum_ms.saturating_mul(500).checked_div(self.rtt_count)
    }
}

/// How joins of a period fared. A join is an admitted entry; it succeeded once media connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinTotals {
    /// Admitted entries.
    pub entered: u64,
    /// Of those, media connected.
    pub connected: u64,
    /// Of those, within five seconds.
    pub connected_in_5s: u64,
}

impl JoinTotals {
    /// A join is fast up to this.
    pub const FAST: Duration = Duration::from_secs(5);

    /// Adds an entry and when its media connected, if it ever did.
    /// Entries that may still connect should be left out until they have, or have ended.
    pub fn add(&mut self, entered_at: Timestamp, active_at: Option<Timestamp>) {
        self.entered += 1;
        let Some(active_at) = active_at else { return };
        self.connected += 1;
        let fast = jiff::SignedDuration::try_from(Self::FAST).unwrap_or_default();
        self.connected_in_5s += u64::from(active_at.duration_since(entered_at) <= fast);
    }

    /// Adds the totals of another part.
    pub fn merge(&mut self, other: &Self) {
        self.entered += other.entered;
        self.connected += other.connected;
        self.connected_in_5s += other.connected_in_5s;
    }

    /// Share of joins that connected.
    pub fn success(&self) -> Rate {
        Rate { part: self.connected, whole: self.entered }
    }

    /// Share of joins that connected within five seconds.
    pub fn success_in_5s(&self) -> Rate {
        Rate { part: self.connected_in_5s, whole: self.entered }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Samples for tests of this crate.

    use fermata_types::{Downlink, Media, ParticipantSid, RoomSid, SdkAppId, TrackSid};

    use super::*;

    /// A moment, counted in samples.
    pub(crate) fn at(n: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 5 * n).unwrap()
    }

    pub(crate) fn sample(n: i64, tracks: Vec<TrackSample>) -> StaySample {
        StaySample {
            app: SdkAppId(1),
            room_sid: RoomSid::from_text("RM_1"),
            stay: ParticipantSid::from_text("PA_a"),
            at: at(n),
            span_ms: 5_000,
            rtt_ms: Some(40),
            cpu_percent: None,
            downlink: Downlink::default(),
            peer: None,
            tracks,
        }
    }

    pub(crate) fn track(sid: &str, from: Option<&str>, media: Media) -> TrackSample {
        TrackSample {
            track: TrackSid::from_text(sid),
            from: from.map(ParticipantSid::from_text),
            media,
            packets: 250,
            bytes: 20_000,
            lost: 0,
            frames: 0,
            width: 0,
            height: 0,
            freeze_ms: 0,
            jitter_ms: None,
            keyframe_requests: 0,
            nacks: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Media;

    use super::testing::{at, sample, track};
    use super::*;

    #[test]
    fn rates_and_delay_of_a_period() {
        let mut totals = QualityTotals::default();
        assert_eq!(totals.audio_freeze().millionths(), None);
        assert_eq!(totals.delay_us(), None);
        let down = |media, freeze_ms| TrackSample {
            freeze_ms,
            lost: 5,
            ..track("TR_1", Some("PA_b"), media)
        };
        let up = TrackSample { lost: 50, ..track("TR_2", None, Media::Audio) };
        let silent = TrackSample { packets: 0, ..track("TR_3", Some("PA_b"), Media::Audio) };
        totals
            .add(&sample(0, vec![down(Media::Audio, 250), down(Media::Video, 9_000), up, silent]));
        totals.add(&sample(1, vec![down(Media::Audio, 0), down(Media::Screen, 0)]));
        assert_eq!(totals.audio_freeze().millionths(), Some(25_000));
        assert_eq!(totals.video_freeze().percent(), Some(50.0), "no more than the span");
        assert_eq!(totals.loss_down(), Rate { part: 20, whole: 1_000 });
        assert_eq!(totals.loss_up(), Rate { part: 50, whole: 300 });
        assert_eq!(totals.delay_us(), Some(20_000));
        let mut twice = totals;
        twice.merge(&totals);
        assert_eq!(twice.audio_freeze().millionths(), Some(25_000));
        assert_eq!(twice.audio_ms, 20_000);
    }

    #[test]
    fn joins_succeed_and_are_fast() {
        let mut joins = JoinTotals::default();
        joins.add(at(0), Some(at(0)));
        joins.add(at(0), Some(at(1)));
        joins.add(at(0), Some(at(2)));
        joins.add(at(0), None);
        assert_eq!(joins.success().percent(), Some(75.0));
        assert_eq!(joins.success_in_5s().percent(), Some(50.0));
        let mut all = JoinTotals::default();
        all.merge(&joins);
        assert_eq!(all, joins);
    }
}

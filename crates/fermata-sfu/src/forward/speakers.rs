//! Who speaks, from the audio levels that publishers put on their packets (RFC 6464).
//!
//! Over each interval a track is active if it was loud for a good part of it; its level is that of its
//! loudest packet, lowered for the quiet part, made linear and smoothed. A participant is as loud as its
//! loudest track. Told are coarse steps, and only changes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fermata_types::{ParticipantSid, TrackSid};

use super::limits::{SPEAKER_TRACKS_MAX, SPEAKERS_INTERVAL, SPEAKERS_MAX};

/// Packets at least this loud count as speech, in dB below overload.
const ACTIVE_DBOV: u8 = 35;
/// Share of an interval that must be speech.
const ACTIVE_SHARE: f32 = 0.4;
/// Share of the newest interval in the smoothed level: 2 / (N + 1) over N = 2 intervals.
const SMOOTHING: f32 = 2.0 / 3.0;
/// Steps in which levels are told.
const STEPS: f32 = 8.0;
/// Time that one packet stands for if it is the first, and at most.
const PACKET_TIME: Duration = Duration::from_millis(20);
const PACKET_TIME_MAX: Duration = Duration::from_millis(60);

/// A participant's loudness as clients are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Speaker {
    /// Who.
    pub participant: ParticipantSid,
    /// 0 to 1, 1 is loudest, in steps of 1/8; 0 if not active.
    pub level: f32,
    /// Speaks now.
    pub active: bool,
}

/// Level of one track.
#[derive(Debug)]
struct TrackLevel {
    track: TrackSid,
    /// Last packet.
    heard_at: Instant,
    /// Time of loud packets in this interval.
    active: Duration,
    /// Loudest packet of this interval.
    loudest_dbov: u8,
    /// Linear, 0 to 1.
    smoothed: f32,
}

impl TrackLevel {
    fn observe(&mut self, now: Instant, dbov: u8) {
        let since = now.saturating_duration_since(self.heard_at).min(PACKET_TIME_MAX);
        self.heard_at = now;
        if dbov <= ACTIVE_DBOV {
            self.active += since;
            self.loudest_dbov = self.loudest_dbov.min(dbov);
        }
    }

    /// Closes an interval.
    fn settle(&mut self) {
        let share = self.active.as_secs_f32() / SPEAKERS_INTERVAL.as_secs_f32();
        if share >= ACTIVE_SHARE {
            let adjusted = f32::from(self.loudest_dbov) - 20.0 * share.min(1.0).log10();
            let linear = 10.0_f32.powf(-adjusted / 20.0);
            self.smoothed += (linear - self.smoothed) * SMOOTHING;
        } else {
            self.smoothed = 0.0;
        }
        self.active = Duration::ZERO;
        self.loudest_dbov = 127;
    }
}

#[derive(Debug, Default)]
struct Levels {
    tracks: Vec<TrackLevel>,
    /// Last told, in steps; 0 = not active.
    told: u8,
}

impl Levels {
    fn step(&self) -> u8 {
        let level = self.tracks.iter().map(|track| track.smoothed).fold(0.0, f32::max);
        // Below the least level that can be active, smoothing is still on its way up.
        if level < 10.0_f32.powf(-f32::from(ACTIVE_DBOV) / 20.0) * SMOOTHING * ACTIVE_SHARE {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8")]
        let step = (level.clamp(0.0, 1.0) * STEPS).ceil() as u8;
        step
    }
}

/// The speakers of one room.
#[derive(Debug)]
pub struct Speakers {
    participants: BTreeMap<ParticipantSid, Levels>,
    next_at: Instant,
    /// Something may have changed since the last poll.
    heard: bool,
}

impl Speakers {
    /// Nobody speaks.
    pub fn new(now: Instant) -> Self {
        Self { participants: BTreeMap::new(), next_at: now + SPEAKERS_INTERVAL, heard: false }
    }

    /// Level of one packet: `dbov` is RFC 6464's, 0 (loudest) to 127 (silence), or its negative.
    pub fn observe(
        &mut self,
        now: Instant,
        participant: &ParticipantSid,
        track: &TrackSid,
        dbov: i8,
    ) {
        if !self.heard {
            self.heard = true;
            if self.next_at <= now {
                self.next_at = now + SPEAKERS_INTERVAL;
            }
        }
        if !self.participants.contains_key(participant) {
            if self.participants.len() >= SPEAKERS_MAX {
                return;
            }
            self.participants.insert(participant.clone(), Levels::default());
        }
        let Some(levels) = self.participants.get_mut(participant) else { return };
        let dbov = dbov.unsigned_abs().min(127);
        if let Some(level) = levels.tracks.iter_mut().find(|level| level.track == *track) {
            level.observe(now, dbov);
        } else if levels.tracks.len() < SPEAKER_TRACKS_MAX {
            let heard_at = now.checked_sub(PACKET_TIME).unwrap_or(now);
            let mut level = TrackLevel {
                track: track.clone(),
                heard_at,
                active: Duration::ZERO,
                loudest_dbov: 127,
                smoothed: 0.0,
            };
            level.observe(now, dbov);
            levels.tracks.push(level);
        }
    }

    /// A track is gone or muted.
    pub fn remove_track(&mut self, participant: &ParticipantSid, track: &TrackSid) {
        if let Some(levels) = self.participants.get_mut(participant) {
            levels.tracks.retain(|level| level.track != *track);
            self.heard |= levels.told > 0;
        }
    }

    /// A participant is gone. Clients learn that otherwise; no change is told.
    pub fn remove_participant(&mut self, participant: &ParticipantSid) {
        self.participants.remove(participant);
    }

    /// What changed, loudest first, if an update is due and anything did. Each 500 ms.
    pub fn poll(&mut self, now: Instant) -> Vec<Speaker> {
        if !self.heard || now < self.next_at {
            return Vec::new();
        }
        self.next_at = now + SPEAKERS_INTERVAL;
        let mut changed = Vec::new();
        self.heard = false;
        for (participant, levels) in &mut self.participants {
            levels.tracks.iter_mut().for_each(TrackLevel::settle);
            let step = levels.step();
            self.heard |= step > 0;
            if step != levels.told {
                levels.told = step;
                changed.push(speaker(participant, step));
            }
        }
        self.participants.retain(|_, levels| levels.told > 0 || !levels.tracks.is_empty());
        sort(&mut changed);
        changed
    }

    /// Everybody who speaks now, loudest first; for somebody who enters.
    pub fn active(&self) -> Vec<Speaker> {
        let speaking = self.participants.iter().filter(|(_, levels)| levels.told > 0);
        let mut active: Vec<_> =
            speaking.map(|(participant, levels)| speaker(participant, levels.told)).collect();
        sort(&mut active);
        active
    }

    /// When to poll next; `None` while nobody is heard.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.heard.then_some(self.next_at)
    }
}

fn speaker(participant: &ParticipantSid, step: u8) -> Speaker {
    let level = f32::from(step) / STEPS;
    Speaker { participant: participant.clone(), level, active: step > 0 }
}

fn sort(speakers: &mut [Speaker]) {
    speakers.sort_by(|one, other| other.level.total_cmp(&one.level));
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;

    struct Room {
        speakers: Speakers,
        now: Instant,
    }

    impl Room {
        fn new() -> Self {
            let now = Now::read().instant;
            Self { speakers: Speakers::new(now), now }
        }

        /// Packets of 20 ms from some participants for 500 ms, then what is told.
        fn interval(&mut self, levels: &[(&str, i8)]) -> Vec<(String, f32, bool)> {
            for _ in 0..25 {
                self.now += Duration::from_millis(20);
                for (who, dbov) in levels {
                    let participant = ParticipantSid::from_text(who);
                    self.speakers.observe(
                        self.now,
                        &participant,
                        &TrackSid::from_text("TR_a"),
                        *dbov,
                    );
                }
            }
            self.now = self.now.max(self.speakers.next_timeout().unwrap_or(self.now));
            let told = self.speakers.poll(self.now);
            told.into_iter()
                .map(|speaker| (speaker.participant.to_string(), speaker.level, speaker.active))
                .collect()
        }
    }

    #[test]
    fn the_louder_comes_first_and_changes_only_are_told() {
        let mut room = Room::new();
        let first = room.interval(&[("PA_a", -30), ("PA_b", -7), ("PA_c", 127)]);
        assert_eq!(first.len(), 2, "{first:?}");
        assert_eq!((first[0].0.as_str(), first[1].0.as_str()), ("PA_b", "PA_a"));
        assert!(first[0].1 > first[1].1 && first.iter().all(|speaker| speaker.2));
        for _ in 0..4 {
            room.interval(&[("PA_a", -30), ("PA_b", -7), ("PA_c", 127)]);
        }
        assert_eq!(room.interval(&[("PA_a", -30), ("PA_b", -7), ("PA_c", 127)]), []);
        assert_eq!(room.speakers.active().len(), 2);
        let silent = room.interval(&[("PA_a", 127), ("PA_b", 60)]);
        assert_eq!(silent.len(), 2);
        assert!(silent.iter().all(|(_, level, active)| *level == 0.0 && !active));
        room.interval(&[]);
        assert_eq!(room.speakers.next_timeout(), None, "nothing to wake up for");
    }

    #[test]
    fn the_guide_tells_these_numbers() {
        let page = include_str!("../../../../docs/guide/connection-quality.md");
        let share_percent = ACTIVE_SHARE * 100.0;
        for told in [
            format!("Every {} ms the server tells", SPEAKERS_INTERVAL.as_millis()),
            format!("| a loud packet | -{ACTIVE_DBOV} dBov or louder |"),
            format!("when loud packets make up {share_percent} % of the interval"),
            format!("who falls below {share_percent} % for one interval"),
            format!(
                "a noise shorter than {} ms is none",
                (SPEAKERS_INTERVAL.mul_f32(ACTIVE_SHARE)).as_millis()
            ),
            format!("in steps of 1/{STEPS}, rounded up"),
            format!("{} ms at most, so a client", PACKET_TIME_MAX.as_millis()),
            format!(
                "Levels of {SPEAKER_TRACKS_MAX} tracks of a participant and of {SPEAKERS_MAX} participants"
            ),
        ] {
            assert!(page.contains(&told), "docs/guide/connection-quality.md does not say: {told}");
        }
        assert!(
            page.contains("the level moves 2/3 of the way") && (SMOOTHING - 2.0 / 3.0).abs() < 1e-6
        );
    }

    #[test]
    fn short_noises_are_no_speech_and_mute_ends_it() {
        let mut room = Room::new();
        let (participant, track) = (ParticipantSid::from_text("PA_a"), TrackSid::from_text("TR_a"));
        for _ in 0..5 {
            room.now += Duration::from_millis(20);
            room.speakers.observe(room.now, &participant, &track, -3);
        }
        assert_eq!(room.interval(&[("PA_a", 127)]), []);
        assert_eq!(room.interval(&[("PA_a", -10)]).len(), 1);
        room.speakers.remove_track(&participant, &track);
        let told = room.interval(&[]);
        assert_eq!(told, [("PA_a".to_owned(), 0.0, false)]);
        assert!(room.speakers.participants.is_empty());
    }

    #[test]
    fn bounded() {
        let mut room = Room::new();
        for index in 0..SPEAKERS_MAX + 9 {
            let participant = ParticipantSid::from_text(&format!("PA_{index}"));
            for track in 0..2 {
                let track = TrackSid::from_text(&format!("TR_{track}"));
                room.speakers.observe(room.now, &participant, &track, -9);
            }
        }
        assert_eq!(room.speakers.participants.len(), SPEAKERS_MAX);
        let participant = ParticipantSid::from_text("PA_1");
        for track in 0..SPEAKER_TRACKS_MAX + 3 {
            let track = TrackSid::from_text(&format!("TR_{track}"));
            room.speakers.observe(room.now, &participant, &track, -9);
        }
        assert_eq!(room.speakers.participants[&participant].tracks.len(), SPEAKER_TRACKS_MAX);
    }
}

//! What clients are told about each other now and then: who speaks, and whose connection is how good.

use std::collections::{BTreeMap, BTreeSet};

use fermata_transport::MediaKind;
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::forward::{Sample, Speaker};
use crate::key::{ParticipantId, RoomId};
use crate::limits::QUALITY_INTERVAL;
use crate::participant::Participant;
use crate::sfu::Sfu;
use crate::timer::Timer;

impl Sfu {
    /// Tells who began or stopped speaking, to those who hear them.
    pub(crate) fn on_speakers(&mut self, id: RoomId) {
        let now = self.context.now.instant;
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let changed = room.speakers.poll(now);
        if let Some(at) = room.speakers.next_timeout() {
            let soonest = now + std::time::Duration::from_millis(10);
            self.context.timers.arm_earlier(Timer::Speakers(id), at.max(soonest));
        }
        if changed.is_empty() {
            return;
        }
        let members: Vec<_> = room.members.values().copied().collect();
        for member in members {
            self.tell_speakers(member, &changed);
        }
    }

    /// Tells a newcomer who speaks now.
    pub(crate) fn tell_active_speakers(&mut self, id: ParticipantId) {
        let room = self.participants.get(&id).and_then(|p| self.rooms.get(&p.room));
        let active = room.map(|room| room.speakers.active()).unwrap_or_default();
        if !active.is_empty() {
            self.tell_speakers(id, &active);
        }
    }

    fn tell_speakers(&mut self, id: ParticipantId, speakers: &[Speaker]) {
        let Some(participant) = self.participants.get(&id) else { return };
        let heard = self.heard_by(participant, MediaKind::Audio);
        let speakers: Vec<_> = speakers
            .iter()
            .filter(|speaker| heard.contains_key(speaker.participant.as_str()))
            .map(|speaker| lk::SpeakerInfo {
                sid: speaker.participant.to_string(),
                level: speaker.level,
                active: speaker.active,
            })
            .collect();
        if !speakers.is_empty() {
            let update = lk::SpeakersChanged { speakers };
            self.context.signal(participant.connection, Response::SpeakersChanged(update));
        }
    }

    /// Whose tracks of a kind the participant receives, and itself, by sid.
    fn heard_by(
        &self,
        participant: &Participant,
        kind: MediaKind,
    ) -> BTreeMap<&str, ParticipantId> {
        self.received_from(participant, |k| k == kind)
    }

    fn received_from<'a>(
        &'a self,
        participant: &Participant,
        kind: impl Fn(MediaKind) -> bool,
    ) -> BTreeMap<&'a str, ParticipantId> {
        let tracks = participant.subscriptions.keys().filter_map(|track| self.tracks.get(track));
        let publishers = tracks.filter(|track| kind(track.kind)).map(|track| track.publisher);
        let all = publishers.chain(std::iter::once(participant.id));
        all.filter_map(|id| Some((self.participants.get(&id)?.sid.as_str(), id))).collect()
    }

    /// Samples every connection of a room and tells what changed.
    pub(crate) fn on_quality(&mut self, id: RoomId) {
        let now = self.context.now.instant;
        self.context.timers.arm(Timer::Quality(id), now + QUALITY_INTERVAL);
        let Some(room) = self.rooms.get(&id) else { return };
        let mut changed = BTreeSet::new();
        let mut all = BTreeMap::new();
        for member in room.members.values() {
            let Some(participant) = self.participants.get_mut(member) else { continue };
            if !participant.was_connected {
                continue;
            }
            let sample = sample(participant, now);
            let (quality, score) = participant.quality.update(now, &sample);
            if participant.quality_told != Some(quality) {
                participant.quality_told = Some(quality);
                changed.insert(*member);
            }
            let info = lk::ConnectionQualityInfo {
                participant_sid: participant.sid.to_string(),
                quality: quality.into(),
                score,
            };
            all.insert(*member, info);
        }
        let members: Vec<_> = room.members.values().copied().collect();
        for member in members {
            let Some(participant) = self.participants.get_mut(&member) else { continue };
            let due = participant.qualities_due && participant.connection.is_some();
            participant.qualities_due &= !due;
            if changed.is_empty() && !due {
                continue;
            }
            let Some(participant) = self.participants.get(&member) else { continue };
            let seen = self.received_from(participant, |_| true);
            let news = seen.values().filter(|publisher| due || changed.contains(publisher));
            let updates: Vec<_> =
                news.filter_map(|publisher| all.get(publisher)).cloned().collect();
            if !updates.is_empty() {
                let update = lk::ConnectionQualityUpdate { updates };
                self.context.signal(participant.connection, Response::ConnectionQuality(update));
            }
        }
    }
}

/// What was measured on a participant's connections, the worse of each.
fn sample(participant: &Participant, now: std::time::Instant) -> Sample {
    let health = participant.health;
    Sample {
        loss: health.loss,
        rtt: health.rtt,
        jitter: None,
        heard: now.saturating_duration_since(health.at) < QUALITY_INTERVAL * 2,
    }
}

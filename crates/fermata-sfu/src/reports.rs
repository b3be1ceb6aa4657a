//! What shards noticed, and what follows from it for rooms and stays.

use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::io::{Output, UsageFact};
use crate::key::{LinkId, ParticipantId, TrackId};
use crate::leave::Leaving;
use crate::limits::METER_INTERVAL;
use crate::link::Link;
use crate::publish::set_mime;
use crate::seam::{Health, Level, Order, Report};
use crate::sfu::Sfu;
use crate::timer::Timer;

impl Sfu {
    /// Takes a report. One about somebody or something that is gone is ignored.
    pub(crate) fn on_report(&mut self, report: Report) {
        match report {
            Report::Connected(id, nth) => {
                if self.renew(id, nth, |link| link.connected = !link.closed) {
                    self.on_connected(id);
                }
            }
            Report::Disconnected(id, nth) => {
                self.renew(id, nth, |link| link.connected = false);
            }
            Report::Closed(id, nth) => {
                if self.renew(id, nth, Link::end) {
                    self.close_if_gone(id.participant);
                }
            }
            Report::Broken(id, nth) => {
                if self.renew(id, nth, Link::end) {
                    self.on_broken(id.participant);
                }
            }
            Report::Heard(id, health) => self.on_heard(id, health),
            Report::Area(id, area, at) => {
                if let Some(participant) = self.participants.get_mut(&id) {
                    participant.meter.set_area(at, area);
                }
            }
            Report::Data { link, channel, binary, data } => {
                self.on_data(link, channel, binary, &data);
            }
            Report::Codec(track, codec) => {
                let Some(publication) = self.tracks.get_mut(&track) else { return };
                let publisher = publication.publisher;
                let backup = publication.backup_of.is_some();
                if set_mime(&mut publication.info, codec) && !backup {
                    self.announce(publisher);
                    self.choose_sources_of(track);
                }
            }
            Report::Wanted { track, at, wanted } => self.on_wanted(track, at, wanted),
            Report::Paused { peer, track, paused } => self.tell_stream_state(peer, track, paused),
            Report::Levels(levels) => self.on_levels(&levels),
            Report::Samples(samples) => self.context.out.push_back(Output::Samples(samples)),
        }
    }

    /// Notes something about a connection; false if that has been replaced, or is gone.
    fn renew(&mut self, id: LinkId, nth: u32, note: impl FnOnce(&mut Link)) -> bool {
        let participant = self.participants.get_mut(&id.participant);
        let link = participant.and_then(|participant| participant.link_mut(id.side));
        let Some(link) = link.filter(|link| link.nth() == nth) else { return false };
        note(link);
        true
    }

    fn on_connected(&mut self, id: LinkId) {
        let Some(participant) = self.participants.get_mut(&id.participant) else { return };
        // The primary connection is the one the client receives on.
        if id.side != participant.out_side() {
            self.tell_published(id.participant);
            return;
        }
        let first = !std::mem::replace(&mut participant.was_connected, true);
        let room = participant.room;
        self.context.timers.disarm(Timer::JoinDeadline(id.participant));
        if participant.state != lk::participant_info::State::Active {
            participant.state = lk::participant_info::State::Active;
            self.announce(id.participant);
        }
        if first {
            self.note_not_connecting(room);
            self.tell_active(id.participant);
        }
        self.tell_published(id.participant);
        self.refresh_pictures(id.participant);
    }

    fn on_heard(&mut self, id: ParticipantId, health: Health) {
        if let Some(participant) = self.participants.get_mut(&id) {
            participant.heard_at = participant.heard_at.max(health.at);
            participant.health = health;
        }
    }

    fn on_levels(&mut self, levels: &[Level]) {
        let Self { participants, tracks, rooms, context, .. } = self;
        for level in levels {
            let Some(publication) = tracks.get(&level.track) else { continue };
            let Some(room) = rooms.get_mut(&publication.room) else { continue };
            if publication.info.muted || !participants.contains_key(&publication.publisher) {
                continue;
            }
            let (who, which) = (&publication.publisher_sid, &publication.sid);
            room.speakers.observe(level.at, who, which, level.dbov);
            if let Some(at) = room.speakers.next_timeout() {
                context.timers.arm_earlier(Timer::Speakers(publication.room), at);
            }
        }
    }

    /// Tells a subscriber that a track pauses for want of room, or goes on.
    fn tell_stream_state(&mut self, id: ParticipantId, track: TrackId, paused: bool) {
        let Some(participant) = self.participants.get(&id) else { return };
        let Some(publication) = self.tracks.get(&track) else { return };
        let track = publication.backup_of.unwrap_or(track);
        if !participant.subscriptions.contains_key(&track) {
            return;
        }
        let state = if paused { lk::StreamState::Paused } else { lk::StreamState::Active };
        let info = lk::StreamStateInfo {
            participant_sid: publication.publisher_sid.to_string(),
            track_sid: publication.sid.to_string(),
            state: state.into(),
        };
        let update = lk::StreamStateUpdate { stream_states: vec![info] };
        self.context.signal(participant.connection, Response::StreamStateUpdate(update));
    }

    /// Tells every shard that knows a track what has changed of it.
    pub(crate) fn tell_shards(&mut self, id: TrackId) {
        let Self { tracks, context, .. } = self;
        let Some(publication) = tracks.get_mut(&id) else { return };
        let state = publication.state();
        if state == publication.state_told {
            return;
        }
        publication.state_told = state;
        for shard in publication.shards() {
            let state = Box::new(publication.state_told.clone());
            context.order(shard, Order::Change(id, state));
        }
    }

    /// Has the stay lasted longer than it may while nobody pays for it (policy A8)?
    fn outstayed(&self, id: ParticipantId) -> bool {
        let Some(participant) = self.participants.get(&id) else { return false };
        let room = self.rooms.get(&participant.room);
        let verdict = room.and_then(|room| self.verdicts.get(&room.app));
        let age_max = verdict.and_then(|verdict| verdict.stay_age_max);
        age_max.is_some_and(|max| participant.meter.age(self.context.now.instant) > max)
    }

    /// Reports usage.
    pub(crate) fn on_meter(&mut self, id: ParticipantId) {
        if self.outstayed(id) {
            self.close_participant(id, Leaving::Removed);
            return;
        }
        let Self { participants, context, .. } = self;
        let now = context.now.instant;
        let Some(participant) = participants.get_mut(&id) else { return };
        for window in participant.meter.drain(now) {
            context.out.push_back(Output::Usage(UsageFact::Window(window)));
        }
        context.timers.arm(Timer::Meter(id), now + METER_INTERVAL);
    }
}

//! What connections report, and the work on tracks and stays that is due now and then.
//!
//! What it is not: the way of packets; that is [`crate::path`].

use fermata_transport::{Event, Mid, Rid};
use livekit_protocol as lk;

use crate::context::{Context, LinkEvent};
use crate::forward::{SenderReport, UpTally, UpTrack};
use crate::io::{Output, UsageFact};
use crate::key::{LinkId, ParticipantId, TrackId};
use crate::leave::Leaving;
use crate::limits::{METER_INTERVAL, SELECT_INTERVAL};
use crate::link::Link;
use crate::publish::set_mime;
use crate::sfu::Sfu;
use crate::timer::Timer;

impl Sfu {
    /// Handles one event of a connection.
    pub(crate) fn on_link_event(&mut self, id: LinkId, event: LinkEvent) {
        let event = match event {
            LinkEvent::Transport(event) => event,
            LinkEvent::Broken => {
                self.context.stats.internal_errors += 1;
                tracing::error!("A connection failed inside; its participant is closed.");
                self.close_participant(id.participant, Leaving::Failed);
                return;
            }
        };
        match event {
            Event::Connected => self.on_connected(id),
            Event::Disconnected => {
                if let Some(link) = self.link_mut(id) {
                    link.connected = false;
                }
            }
            Event::Closed => {
                if let Some(link) = self.link_mut(id) {
                    link.connected = false;
                    link.closed = true;
                }
                self.close_if_gone(id.participant);
            }
            Event::KeyframeRequested { mid } => self.on_keyframe_requested(id.participant, mid),
            Event::Nack { mid, lost } => self.on_nack(id, mid, lost),
            Event::ChannelOpened(_) => self.flush_data(id.participant),
            Event::Data { channel, binary, data } => {
                self.on_data(id, channel, binary, &data);
            }
            // Estimates are not acted on yet.
            _ => {}
        }
    }

    fn on_connected(&mut self, id: LinkId) {
        let Some(participant) = self.participants.get_mut(&id.participant) else { return };
        let Some(link) = participant.link_mut(id.side) else { return };
        link.connected = true;
        // The primary connection is the one the client receives on.
        if id.side != participant.out_side() {
            self.tell_published(id.participant);
            return;
        }
        let first = !std::mem::replace(&mut participant.was_connected, true);
        self.context.timers.disarm(Timer::JoinDeadline(id.participant));
        if participant.state != lk::participant_info::State::Active {
            participant.state = lk::participant_info::State::Active;
            self.announce(id.participant);
        }
        if first {
            self.tell_active(id.participant);
        }
        self.tell_published(id.participant);
        self.refresh_pictures(id.participant);
        self.flush_data(id.participant);
    }

    /// A subscriber lost its picture.
    fn on_keyframe_requested(&mut self, id: ParticipantId, mid: Mid) {
        let Self { participants, tracks, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let Some(track) = participant.receiving.get(&mid).copied() else { return };
        let Some(subscription) = participant.subscriptions.get_mut(track) else { return };
        let Some(up) = tracks.get_mut(&track).and_then(|track| track.up.as_mut()) else { return };
        subscription.tally.keyframe_asked();
        if let Some(layer) = subscription.down.keyframe_requested() {
            up.request_keyframe(layer);
            context.timers.arm_earlier(Timer::Track(track), context.now.instant);
        }
    }

    /// Work on a track that is due: keyframes asked for, layers chosen, the publisher told what is wanted.
    pub(crate) fn on_track_timer(&mut self, id: TrackId) {
        let Self { participants, tracks, context, .. } = self;
        let now = context.now.instant;
        let Some(publication) = tracks.get_mut(&id) else { return };
        let mut next = now + SELECT_INTERVAL;
        // What comes in decides, whatever was announced and offered.
        let codec = publication.up.as_ref().map(UpTrack::codec);
        let renamed = codec.is_some_and(|codec| set_mime(&mut publication.info, codec));
        let publisher = publication.publisher;
        let link = participants.get_mut(&publication.publisher).and_then(|p| p.up.as_mut());
        if let (Some(link), false) = (link, publication.rids.is_empty()) {
            for rid in publication.rids.clone() {
                let report = link.transport().sender_report(publication.mid, Some(rid));
                let Some(info) = report else { continue };
                let Some(ntp) = publication.on_our_clock(info.ntp, info.received) else { continue };
                let report = SenderReport { rtp_time: info.rtp_time, ntp };
                if let Some(up) = publication.up.as_mut() {
                    up.set_sender_report(Some(rid.as_str()), report);
                }
            }
        }
        if let Some(up) = publication.up.as_mut() {
            for subscriber in publication.subscribers.each() {
                let participant = participants.get_mut(&subscriber.participant);
                let subscriptions = participant.map(|participant| &mut participant.subscriptions);
                let subscription = subscriptions.and_then(|s| s.find(id, &mut subscriber.hint));
                let Some(subscription) = subscription else { continue };
                subscription.down.select(now, up);
                if let Some(layer) = subscription.down.needs_keyframe() {
                    up.request_keyframe(layer);
                }
            }
            let link = participants.get_mut(&publication.publisher).and_then(|p| p.up.as_mut());
            if let Some(link) = link {
                ask_keyframes(link, publication.mid, up, &mut publication.tally, context);
            }
            if let Some(at) = up.next_timeout(now) {
                next = next.min(at);
            }
            if up.take_contradicted() {
                tracing::warn!(
                    track = %publication.sid,
                    "The bitrate contradicts the declared size; it is counted a tier higher."
                );
            }
        }
        self.update_dynacast(id);
        if renamed {
            self.announce(publisher);
        }
        // Never earlier than the next tick of the clock, or this would not end.
        let at = next.max(now + std::time::Duration::from_millis(10));
        self.context.timers.arm(Timer::Track(id), at);
    }

    /// Has the stay lasted longer than it may while nobody pays for it (policy A8)?
    fn outstayed(&self, id: ParticipantId) -> bool {
        let Some(participant) = self.participants.get(&id) else { return false };
        let room = self.rooms.get(&participant.room);
        let verdict = room.and_then(|room| self.verdicts.get(&room.app));
        let age_max = verdict.and_then(|verdict| verdict.stay_age_max);
        age_max.is_some_and(|max| participant.meter.age(self.context.now.instant) > max)
    }

    /// Reports usage, and notices video that stopped.
    pub(crate) fn on_meter(&mut self, id: ParticipantId) {
        if self.outstayed(id) {
            self.close_participant(id, Leaving::Removed);
            return;
        }
        let Self { participants, tracks, context, .. } = self;
        let now = context.now.instant;
        let Some(participant) = participants.get_mut(&id) else { return };
        let mut next = now + METER_INTERVAL;
        let mut area = 0;
        for (track, subscription) in participant.subscriptions.iter_mut() {
            let up = tracks.get(&track).and_then(|track| track.up.as_ref());
            subscription.area = up.map_or(0, |up| subscription.down.area(now, up));
            area += subscription.area;
            if let Some(at) = subscription.down.area_lapses_at().filter(|_| subscription.area > 0) {
                next = next.min(at);
            }
        }
        participant.area = area;
        participant.meter.set_area(now, area);
        for window in participant.meter.drain(now) {
            context.out.push_back(Output::Usage(UsageFact::Window(window)));
        }
        let at = next.max(now + std::time::Duration::from_millis(1));
        context.timers.arm(Timer::Meter(id), at);
    }
}

/// Sends the keyframe requests that are due.
fn ask_keyframes(
    link: &mut Link,
    mid: Mid,
    up: &mut UpTrack,
    tally: &mut UpTally,
    context: &mut Context,
) {
    let now = context.now.instant;
    loop {
        let Some(rid) = up.poll_keyframe(now) else { return };
        let rid = rid.map(Rid::from);
        context.stats.keyframe_requests += 1;
        tally.keyframe_asked();
        if link.steady(context, |t| t.request_keyframe(mid, rid)).is_none() {
            return;
        }
    }
}

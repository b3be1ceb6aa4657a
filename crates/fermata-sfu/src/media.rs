//! What connections report, above all media packets on their way to subscribers.

use std::time::Instant;

use fermata_transport::{Codec, Event, MediaKind, Mid, Rid, RtpIn, RtpOut};
use livekit_protocol as lk;

use crate::context::{Context, LinkEvent};
use crate::forward::{
    Dropped, Forward, PacketIn, RtpView, SenderReport, Sending, UpTally, UpTrack,
};
use crate::io::{Output, UsageFact};
use crate::key::{LinkId, ParticipantId, Side, TrackId};
use crate::leave::Leaving;
use crate::limits::{METER_INTERVAL, SELECT_INTERVAL};
use crate::link::Link;
use crate::participant::Participant;
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
            Event::Rtp(packet) => self.on_rtp(id, &packet),
            Event::KeyframeRequested { mid } => self.on_keyframe_requested(id.participant, mid),
            Event::ChannelOpened(_) => self.flush_data(id.participant),
            Event::Data { channel, binary, data } => {
                self.on_data(id, channel, binary, &data);
            }
            // Sections are known from the offer already; estimates are not acted on yet.
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

    /// A packet of a publisher goes to everybody who receives its track.
    fn on_rtp(&mut self, link: LinkId, rtp: &RtpIn) {
        let Self { participants, tracks, rooms, context, scratch, .. } = self;
        let now = context.now.instant;
        context.stats.rtp_in += 1;
        let publisher = participants.get(&link.participant).filter(|_| link.side == Side::Up);
        let track = publisher.and_then(|publisher| publisher.publications.get(&rtp.mid));
        let Some((publisher, publication)) = publisher.zip(track.and_then(|id| tracks.get_mut(id)))
        else {
            context.stats.rtp_dropped_unbound += 1;
            return;
        };
        if let Some(dbov) = rtp.audio_level_db
            && !publication.info.muted
            && let Some(room) = rooms.get_mut(&publication.room)
        {
            room.speakers.observe(now, &publisher.sid, &publication.sid, dbov);
            if let Some(at) = room.speakers.next_timeout() {
                context.timers.arm_earlier(Timer::Speakers(publication.room), at);
            }
        }
        if publication.needs_start(rtp.codec) {
            publication.start(rtp.codec);
            for subscriber in &publication.subscribers {
                let subscriptions = participants.get_mut(subscriber).map(|p| &mut p.subscriptions);
                if let Some(subscription) = subscriptions.and_then(|s| s.get_mut(&publication.id)) {
                    subscription.restart();
                }
            }
            context.timers.arm_earlier(Timer::Track(publication.id), now);
        }
        let Some(up) = publication.up.as_mut() else { return };
        let packet = PacketIn {
            rid: rtp.rid.as_ref().map(Rid::as_str),
            seq: rtp.seq,
            timestamp: rtp.timestamp,
            marker: rtp.marker,
            payload: &rtp.payload,
            arrived: rtp.arrived,
        };
        let Some(view) = up.receive(packet) else {
            context.stats.rtp_dropped_unbound += 1;
            return;
        };
        let len = rtp.payload.len();
        publication.tally.packet(now, view.layer, rtp.seq, rtp.timestamp, len);
        if publication.blocked {
            return;
        }
        let mut asked = false;
        for subscriber in &publication.subscribers {
            let Some(participant) = participants.get_mut(subscriber) else { continue };
            let outgoing = Outgoing { track: publication.id, rtp, now };
            asked |= outgoing.forward(participant, up, &view, scratch, context);
        }
        if asked {
            context.timers.arm_earlier(Timer::Track(publication.id), now);
        }
    }

    /// A subscriber lost its picture.
    fn on_keyframe_requested(&mut self, id: ParticipantId, mid: Mid) {
        let Self { participants, tracks, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let Some(track) = participant.receiving.get(&mid).copied() else { return };
        let Some(subscription) = participant.subscriptions.get_mut(&track) else { return };
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
            for subscriber in &publication.subscribers {
                let subscription =
                    participants.get_mut(subscriber).and_then(|p| p.subscriptions.get_mut(&id));
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
        for (track, subscription) in &mut participant.subscriptions {
            let up = tracks.get(track).and_then(|track| track.up.as_ref());
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
        if link.with(context, |t| t.request_keyframe(mid, rid)).is_none() {
            return;
        }
    }
}

/// The codec in which the packet can go out on the section: its own, or for redundant audio the plain one.
fn sendable(link: &Link, mid: Mid, codec: Codec) -> Option<Codec> {
    let transport = link.transport();
    if transport.sends(mid, codec) {
        return Some(codec);
    }
    (codec == Codec::Red && transport.sends(mid, Codec::Opus)).then_some(Codec::Opus)
}

/// The newest block of a redundant audio payload (RFC 2198 section 3): what is left once
/// the older ones, whose lengths stand in the headers, are taken away.
fn red_primary(payload: &[u8]) -> Option<&[u8]> {
    let mut rest = payload;
    let mut older = 0;
    loop {
        match rest {
            [first, tail @ ..] if first & 0x80 == 0 => return tail.get(older..),
            [_, _, high, low, tail @ ..] => {
                older += usize::from(u16::from_be_bytes([high & 0x03, *low]));
                rest = tail;
            }
            _ => return None,
        }
    }
}

/// A packet on its way to subscribers.
struct Outgoing<'a> {
    track: TrackId,
    rtp: &'a RtpIn,
    now: Instant,
}

impl Outgoing<'_> {
    /// Hands the packet to one subscriber if it should get it. True if it needs a keyframe.
    fn forward(
        &self,
        participant: &mut Participant,
        up: &mut UpTrack,
        view: &RtpView<'_>,
        scratch: &mut Vec<u8>,
        context: &mut Context,
    ) -> bool {
        let side = participant.out_side();
        let id = participant.id;
        let link = match side {
            Side::Up => participant.up.as_mut(),
            Side::Down => participant.down.as_mut(),
        };
        let Some(link) = link.filter(|link| link.connected) else { return false };
        let Some(subscription) = participant.subscriptions.get_mut(&self.track) else {
            return false;
        };
        let Some(mid) = subscription.mid else { return false };
        let Some(codec) = sendable(link, mid, self.rtp.codec) else {
            context.stats.rtp_dropped_unsendable += 1;
            return false;
        };
        match subscription.down.forward(self.now, up, view, scratch) {
            Forward::Send(sending) => {
                let out = self.outgoing(&sending, codec);
                match link.with(context, |t| t.send_rtp(mid, &out)) {
                    Some(Ok(())) => {
                        context.stats.rtp_out += 1;
                        let (seq, timestamp) = (out.seq, out.timestamp);
                        subscription.tally.packet(self.now, seq, timestamp, out.payload.len());
                    }
                    Some(Err(_)) | None => context.stats.rtp_dropped_unsendable += 1,
                }
            }
            Forward::Drop(Dropped::Malformed) => context.stats.rtp_dropped_malformed += 1,
            Forward::Drop(_) => {}
        }
        let area = subscription.down.area(self.now, up);
        if area != subscription.area {
            participant.area = participant.area.saturating_sub(subscription.area) + area;
            subscription.area = area;
            participant.meter.set_area(self.now, participant.area);
            if let Some(at) = subscription.down.area_lapses_at() {
                context.timers.arm_earlier(Timer::Meter(id), at);
            }
        }
        match subscription.down.needs_keyframe() {
            Some(layer) => {
                up.request_keyframe(layer);
                true
            }
            None => false,
        }
    }

    /// The packet as it goes out in `codec`.
    fn outgoing<'p>(&self, sending: &Sending<'p>, codec: Codec) -> RtpOut<'p> {
        let rtp = self.rtp;
        let payload = if codec == rtp.codec {
            sending.payload
        } else {
            red_primary(sending.payload).unwrap_or_default()
        };
        RtpOut {
            codec,
            seq: sending.seq,
            timestamp: sending.timestamp,
            marker: sending.marker,
            payload,
            at: rtp.arrived,
            audio_level_db: rtp.audio_level_db,
            voice_activity: rtp.voice_activity,
            nackable: codec.kind() == MediaKind::Video,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_block_is_what_the_headers_leave() {
        let rows: [(&[u8], Option<&[u8]>); 5] = [
            (&[111, 1, 2, 3], Some(&[1, 2, 3])),
            (&[0xEF, 0, 0, 2, 111, 9, 9, 1, 2, 3], Some(&[1, 2, 3])),
            (&[0xEF, 0, 0, 9, 111, 9, 9, 1], None),
            (&[0xEF, 0], None),
            (&[], None),
        ];
        for (payload, primary) in rows {
            assert_eq!(red_primary(payload), primary, "{payload:?}");
        }
    }
}

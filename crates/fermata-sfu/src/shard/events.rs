//! What connections report, and the work on tracks that is due now and then.
//!
//! What it is not: the way of packets; that is [`super::path`].

use fermata_transport::{Event, Mid, Rid};

use super::Shard;
use super::context::{Context, LinkEvent, Timer};
use super::link::Link;
use super::track::Track;
use crate::forward::{Quality, SenderReport, UpTally, UpTrack};
use crate::key::{LinkId, ParticipantId, TrackId};
use crate::limits::{SELECT_INTERVAL, TRACK_PAUSE};
use crate::seam::{Hop, Report, ShardId};

impl Shard {
    /// Handles one event of a connection, unless that has been replaced.
    pub(super) fn on_link_event(&mut self, id: LinkId, nth: u32, event: LinkEvent) {
        let Some(link) = self.link_mut(id).filter(|link| link.nth() == nth) else { return };
        let event = match event {
            LinkEvent::Wire(event) => event,
            LinkEvent::Broken => {
                tracing::error!("A connection failed inside; its participant is closed.");
                self.context.report(Report::Broken(id, nth));
                return;
            }
        };
        match event {
            Event::Connected => {
                link.connected = true;
                self.context.report(Report::Connected(id, nth));
                self.flush_data(id.participant);
            }
            Event::Disconnected => {
                link.connected = false;
                self.context.report(Report::Disconnected(id, nth));
            }
            Event::Closed => {
                link.connected = false;
                self.context.report(Report::Closed(id, nth));
            }
            Event::KeyframeRequested { mid } => self.on_keyframe_requested(id.participant, mid),
            Event::Nack { mid, lost } => self.on_nack(id, mid, lost),
            Event::ChannelOpened(_) => self.flush_data(id.participant),
            Event::Data { channel, binary, data } => {
                self.context.report_if_room(Report::Data { link: id, channel, binary, data });
            }
            Event::BandwidthEstimate(estimate) => {
                // Of the connection that media goes out on; nothing is held back on the other.
                let out = self.peers.get(&id.participant).is_some_and(|p| p.out_side() == id.side);
                if out {
                    self.on_estimate(id.participant, estimate);
                }
            }
            _ => {}
        }
    }

    /// A subscriber lost its picture.
    fn on_keyframe_requested(&mut self, id: ParticipantId, mid: Mid) {
        let Self { peers, tracks, context, .. } = self;
        let Some(peer) = peers.get_mut(&id) else { return };
        let Some(track) = peer.receiving.get(&mid).copied() else { return };
        let Some(subscription) = peer.subscriptions.get_mut(track) else { return };
        let Some(up) = tracks.get_mut(&track).and_then(|track| track.up.as_mut()) else { return };
        subscription.tally.keyframe_asked();
        if let Some(layer) = subscription.down.keyframe_requested() {
            up.request_keyframe(layer);
            context.timers.arm_earlier(Timer::Track(track), context.now.instant);
        }
    }

    /// Work on a track that is due: keyframes asked for, layers chosen, the rooms told what is wanted.
    pub(super) fn on_track_timer(&mut self, id: TrackId) {
        self.take_sender_reports(id);
        let Self { id: own, peers, tracks, context, .. } = self;
        let now = context.now.instant;
        let Some(track) = tracks.get_mut(&id) else { return };
        let mut next = now + SELECT_INTERVAL;
        let mut wanted = None;
        let origin = track.is_origin(*own);
        for subscriber in track.subscribers.each() {
            let peer = peers.get_mut(&subscriber.participant);
            let subscriptions = peer.map(|peer| &mut peer.subscriptions);
            let subscription = subscriptions.and_then(|s| s.find(id, &mut subscriber.hint));
            let Some(subscription) = subscription else { continue };
            let Some(up) = track.up.as_mut() else {
                // Nothing came yet; how could it, if it was stopped: everything is wanted.
                wanted = Some(Quality::High);
                continue;
            };
            subscription.down.select(now, up);
            if let Some(layer) = subscription.down.needs_keyframe() {
                up.request_keyframe(layer);
            }
            wanted = wanted.max(subscription.down.wanted_quality(up));
        }
        if origin {
            let publisher = peers.get_mut(&track.spec.publisher);
            let link = publisher.and_then(|publisher| publisher.up.as_mut());
            if let (Some(link), Some(up)) = (link, track.up.as_mut()) {
                ask_keyframes(link, track.spec.mid, up, &mut track.tally, context);
            }
        } else {
            ask_origin(track, context);
        }
        if let Some(up) = track.up.as_mut() {
            if let Some(at) = up.next_timeout(now) {
                next = next.min(at);
            }
            if up.take_contradicted() && origin {
                tracing::warn!(
                    track = %track.spec.sid,
                    "The bitrate contradicts the declared size; it is counted a tier higher."
                );
            }
        }
        tell(track, *own, wanted, context);
        // Never earlier than the next tick of the clock, or this would not end.
        context.timers.arm(Timer::Track(id), next.max(now + TRACK_PAUSE));
    }

    /// Clocks of the layers of a track that comes in here, for all who forward it.
    fn take_sender_reports(&mut self, id: TrackId) {
        let Self { id: own, peers, tracks, context, .. } = self;
        let Some(track) = tracks.get_mut(&id).filter(|track| track.is_origin(*own)) else { return };
        let Some(link) = peers.get(&track.spec.publisher).and_then(|peer| peer.up.as_ref()) else {
            return;
        };
        for place in 0..track.spec.rids.len() {
            let Some(rid) = track.spec.rids.get(place).copied() else { return };
            let info = link.wire().sender_report(track.spec.mid, Some(rid));
            let Some(info) = info else { continue };
            let Some(ntp) = track.on_our_clock(info.ntp, info.received) else { continue };
            let report = SenderReport { rtp_time: info.rtp_time, ntp };
            let Some(up) = track.up.as_mut() else { return };
            if up.sender_report(Some(rid.as_str())) == Some(report) {
                continue;
            }
            up.set_sender_report(Some(rid.as_str()), report);
            for to in super::relay::shards_of(track.feeds) {
                context.hops.push_back((to, Hop::SenderReport { track: id, rid, report }));
            }
        }
    }

    /// Tells how loud packets were.
    pub(super) fn tell_levels(&mut self) {
        let levels: Vec<_> = self.context.levels.drain(..).collect();
        if !levels.is_empty() {
            self.context.report_if_room(Report::Levels(levels));
        }
    }
}

/// Tells the rooms in which codec a track comes and what of it is wanted here, if that has changed.
fn tell(track: &mut Track, at: ShardId, wanted: Option<Quality>, context: &mut Context) {
    let origin = track.is_origin(at);
    // What comes in decides, whatever was announced and offered.
    let codec = track.up.as_ref().map(UpTrack::codec).filter(|_| origin);
    if let Some(codec) = codec.filter(|codec| track.codec_told != Some(*codec)) {
        track.codec_told = Some(codec);
        context.report(Report::Codec(track.spec.id, codec));
    }
    if track.wanted_told != Some(wanted) {
        track.wanted_told = Some(wanted);
        context.report(Report::Wanted { track: track.spec.id, at, wanted });
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
        if link.with(context, |wire| wire.request_keyframe(mid, rid)).is_none() {
            return;
        }
    }
}

/// Asks the shard where the track comes in for the keyframes that are due.
fn ask_origin(track: &mut Track, context: &mut Context) {
    let now = context.now.instant;
    let (id, origin) = (track.spec.id, track.spec.origin);
    let Some(up) = track.up.as_mut() else { return };
    while let Some(rid) = up.poll_keyframe(now) {
        let rid = rid.map(Rid::from);
        context.hops.push_back((origin, Hop::Keyframe { track: id, rid }));
    }
}

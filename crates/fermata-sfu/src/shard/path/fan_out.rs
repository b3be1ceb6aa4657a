//! One decision for each packet of a batch and each receiver: receivers outside, packets inside, so that what is known
//! of a receiver is fetched once a batch.

use std::time::Instant;

use fermata_transport::{Codec, MediaKind};

use super::queue::Item;
use super::{Arrival, Entry, Outgoing, Pacer};
use crate::SfuStats;
use crate::forward::{Dropped, Forward, Sending, UpTrack};
use crate::key::{LinkId, TrackId};
use crate::shard::Shard;
use crate::shard::context::{Context, Timer};
use crate::shard::peer::Peer;
use crate::shard::subscriptions::{Subscriber, TrackSubscription};

impl Shard {
    /// Hands the media packets of a batch to those who receive them.
    pub(in crate::shard) fn fan_out(&mut self) {
        while let Some(track) = self.restarts.pop() {
            self.restart_subscribers(track);
        }
        if self.arrivals.is_empty() {
            return;
        }
        let mut arrivals = std::mem::take(&mut self.arrivals);
        for run in arrivals.chunk_by(|one, two| one.track == two.track) {
            self.fan_out_run(run);
        }
        arrivals.clear();
        self.arrivals = arrivals;
    }

    /// The track comes in another codec from now on.
    fn restart_subscribers(&mut self, track: TrackId) {
        let Self { peers, tracks, .. } = self;
        let Some(publication) = tracks.get(&track) else { return };
        for subscriber in publication.subscribers.iter() {
            let subscriptions = peers.get_mut(&subscriber).map(|p| &mut p.subscriptions);
            if let Some(subscription) = subscriptions.and_then(|s| s.get_mut(track)) {
                subscription.restart();
            }
        }
    }

    /// Packets of one track.
    fn fan_out_run(&mut self, run: &[Arrival]) {
        let Self { peers, tracks, context, pacer, .. } = self;
        let Some(track) = run.first().map(|arrival| arrival.track) else { return };
        let Some(publication) = tracks.get_mut(&track) else { return };
        let Some(up) = publication.up.as_mut() else { return };
        let now = context.now.instant;
        let mut fan = Fan { track, kind: publication.spec.kind, run, now, asked: false };
        for subscriber in publication.subscribers.each() {
            if let Some(peer) = peers.get_mut(&subscriber.participant) {
                fan.hand(peer, subscriber, up, context, pacer);
            }
        }
        // Coalesced: until a request is due again, nothing needs to be done.
        if fan.asked
            && let Some(at) = up.next_timeout(now)
        {
            context.timers.arm_earlier(Timer::Track(track), at);
        }
    }
}

/// Packets of one track on their way to its receivers.
struct Fan<'a> {
    track: TrackId,
    kind: MediaKind,
    run: &'a [Arrival],
    now: Instant,
    /// A keyframe was asked for.
    asked: bool,
}

impl Fan<'_> {
    /// Queues at one receiver's connection what it should get.
    fn hand(
        &mut self,
        peer: &mut Peer,
        subscriber: &mut Subscriber,
        up: &mut UpTrack,
        context: &mut Context,
        pacer: &mut Pacer,
    ) {
        let (id, side, plain) = (peer.id, peer.out_side(), peer.sharing.plain_sound);
        let Some((link, subscriptions)) = peer.sending() else { return };
        if !link.connected {
            return;
        }
        let found = subscriptions.find(self.track, &mut subscriber.hint);
        let Some(subscription) = found else { return };
        let (version, wire, queue) = link.parts();
        let Some(route) = subscription.route(version, wire) else { return };
        let stats = &mut context.stats;
        let mut queued = false;
        for arrival in self.run {
            let Some(codec) = route.codec_for(arrival.codec, plain) else {
                stats.rtp_dropped_unsendable += 1;
                continue;
            };
            if self.kind == MediaKind::Video && queue.is_video_full() {
                if subscription.down.wanted_layer() == Some(arrival.view.layer) {
                    subscription.down.interrupt();
                    stats.paced_dropped += 1;
                }
                continue;
            }
            queued |= self.queue(arrival, codec, subscription, up, queue, stats);
        }
        if queued {
            pacer.list(LinkId { participant: id, side }, queue);
        }
        if let Some(layer) = subscription.down.needs_keyframe() {
            up.request_keyframe(layer);
            self.asked = true;
        }
        if self.kind == MediaKind::Video {
            let (area, lapses) =
                (subscription.down.area(self.now, up), subscription.down.area_lapses_at());
            if area != subscription.area {
                let before = std::mem::replace(&mut subscription.area, area);
                peer.set_area(context, before, area);
                if let Some(at) = lapses {
                    context.timers.arm_earlier(Timer::Area(id), at);
                }
            }
        }
    }

    /// Queues one packet if the receiver should get it.
    fn queue(
        &self,
        arrival: &Arrival,
        codec: Codec,
        subscription: &mut TrackSubscription,
        up: &UpTrack,
        queue: &mut Outgoing,
        stats: &mut SfuStats,
    ) -> bool {
        let view = &arrival.view;
        let sending = match subscription.down.forward(self.now, up, view) {
            Forward::Send(sending) => sending,
            Forward::Drop(Dropped::Malformed) => {
                stats.rtp_dropped_malformed += 1;
                return false;
            }
            Forward::Drop(_) => return false,
        };
        let Sending { seq, timestamp, .. } = sending;
        let primary = codec != arrival.codec;
        let entry = Entry::new(view.seq, view.layer, codec, primary, &sending);
        let item = Item { track: self.track, seq, entry };
        let room = if codec.kind() == MediaKind::Video {
            subscription.history.put(seq, entry);
            queue.push_video(item)
        } else {
            queue.push_audio(item)
        };
        if room {
            let len = if primary { arrival.primary_len } else { arrival.len };
            subscription.tally.packet(self.now, seq, timestamp, len);
        } else {
            stats.paced_dropped += 1;
        }
        room
    }
}

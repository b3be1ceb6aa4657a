//! What the rooms want done: who is served, on which connections, and which tracks there are.

use fermata_transport::{Agreement, Wire};

use super::Shard;
use super::context::Timer;
use super::link::Link;
use super::peer::Peer;
use super::track::Track;
use crate::key::{LinkId, ParticipantId, Side, TrackId};
use crate::limits::SELECT_INTERVAL;
use crate::seam::{Hop, Order, PeerSpec, ShardId, TrackSpec, TrackState};

impl Shard {
    /// Does it. What names somebody or something that is not here is ignored.
    pub(super) fn on_order(&mut self, order: Order) {
        match order {
            Order::Enter(spec) => self.enter(*spec),
            Order::Leave(peer) => self.leave(peer),
            Order::Open { link, nth, ufrag, agreement } => self.open(link, nth, ufrag, &agreement),
            Order::Close(link) => self.close(link),
            Order::Agree { link, ufrag, agreement } => self.agree(link, ufrag, &agreement),
            Order::Publish(spec) => self.publish(*spec),
            Order::Mirror(spec) => self.take_track(*spec),
            Order::Feed { track, to, on } => self.feed(track, to, on),
            Order::Unpublish(track) => self.unpublish(track),
            Order::Change(track, state) => self.change(track, *state),
            Order::Rest(track) => self.rest(track),
            Order::Subscribe { peer, track, mid } => self.subscribe(peer, track, mid),
            Order::Unsubscribe { peer, track } => self.unsubscribe(peer, track),
            Order::Move { peer, track, mid } => self.move_subscription(peer, track, mid),
            Order::Settings { peer, track, settings } => self.set_settings(peer, track, settings),
            Order::Renumber { peer, mid } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.continuations.remove(&mid);
                }
            }
            Order::Refresh(peer) => self.refresh(peer),
            Order::Data { peers, message } => self.give(&peers, &message),
            Order::Replay { peer, has } => self.replay(peer, &has),
            Order::Sample { peers, at } => self.sample(&peers, at),
        }
    }

    fn enter(&mut self, spec: PeerSpec) {
        let now = self.context.now.instant;
        self.peers.insert(spec.id, Peer::new(now, spec));
    }

    fn leave(&mut self, id: ParticipantId) {
        for side in [Side::Up, Side::Down] {
            self.close(LinkId { participant: id, side });
        }
        self.context.timers.disarm(Timer::Area(id));
        self.context.timers.disarm(Timer::Share(id));
        self.peers.remove(&id);
    }

    fn open(&mut self, id: LinkId, nth: u32, ufrag: String, agreement: &Agreement) {
        let Self { peers, context, demux, config, .. } = self;
        let Some(peer) = peers.get_mut(&id.participant) else { return };
        demux.set_ufrag(id, "", &ufrag);
        let link = Link::new(context.now.instant, (id, nth), ufrag, config, agreement);
        if let Some(before) = peer.place_mut(id.side).replace(link) {
            context.stats.add_link(&before.wire().stats());
        }
    }

    fn close(&mut self, id: LinkId) {
        let Self { peers, context, demux, .. } = self;
        let Some(peer) = peers.get_mut(&id.participant) else { return };
        if let Some(mut link) = peer.place_mut(id.side).take() {
            link.with(context, Wire::close);
            context.stats.add_link(&link.wire().stats());
            demux.remove(id, link.ufrag());
            context.timers.disarm(Timer::Link(id));
        }
    }

    fn agree(&mut self, id: LinkId, ufrag: String, agreement: &Agreement) {
        let Self { peers, context, demux, .. } = self;
        let link = peers.get_mut(&id.participant).and_then(|peer| peer.link_mut(id.side));
        let Some(link) = link else { return };
        if let Some(old) = link.agree(context, ufrag, agreement) {
            demux.set_ufrag(id, &old, link.ufrag());
        }
    }

    fn publish(&mut self, spec: TrackSpec) {
        if let Some(peer) = self.peers.get_mut(&spec.publisher) {
            peer.publications.insert(spec.mid, spec.id);
        }
        self.take_track(spec);
    }

    fn take_track(&mut self, spec: TrackSpec) {
        let at = self.context.now.instant + SELECT_INTERVAL;
        self.context.timers.arm(Timer::Track(spec.id), at);
        self.tracks.insert(spec.id, Track::new(spec));
    }

    fn feed(&mut self, track: TrackId, to: ShardId, on: bool) {
        let Self { tracks, context, .. } = self;
        let Some(track) = tracks.get_mut(&track) else { return };
        let bit = 1_u64.checked_shl(to.0.into()).unwrap_or(0);
        track.feeds = if on { track.feeds | bit } else { track.feeds & !bit };
        if !on {
            return;
        }
        // What is known of the layers' clocks; the rest it learns from packets.
        let Some(up) = track.up.as_ref() else { return };
        for rid in &track.spec.rids {
            if let Some(report) = up.sender_report(Some(rid.as_str())) {
                let hop = Hop::SenderReport { track: track.spec.id, rid: *rid, report };
                context.hops.push_back((to, hop));
            }
        }
    }

    fn unpublish(&mut self, id: TrackId) {
        self.context.timers.disarm(Timer::Track(id));
        let Some(track) = self.tracks.remove(&id) else { return };
        if let Some(peer) = self.peers.get_mut(&track.spec.publisher)
            && peer.publications.get(&track.spec.mid) == Some(&id)
        {
            peer.publications.remove(&track.spec.mid);
        }
    }

    fn change(&mut self, id: TrackId, state: TrackState) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let blocked = state.blocked;
        let paused = blocked != track.state().blocked;
        track.change(state);
        if paused {
            self.pause(id, blocked);
        }
    }

    /// Nothing is expected of a track until something comes of it, here and at its receivers.
    fn rest(&mut self, id: TrackId) {
        let Self { peers, tracks, .. } = self;
        let Some(track) = tracks.get_mut(&id) else { return };
        track.tally.rest();
        for subscriber in track.subscribers.iter() {
            let subscriber = peers.get_mut(&subscriber);
            if let Some(subscription) = subscriber.and_then(|s| s.subscriptions.get_mut(id)) {
                subscription.tally.rest();
            }
        }
    }
}

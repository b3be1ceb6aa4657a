//! Who receives which track, on which section, and how.

use fermata_transport::Mid;
use fermata_types::MediaKind;

use super::Shard;
use super::context::Timer;
use super::subscriptions::TrackSubscription;
use super::track::flow;
use crate::forward::{DownTally, DownTrack, Settings};
use crate::key::{ParticipantId, TrackId};

impl Shard {
    /// Somebody receives a track, on that section once there is one.
    pub(super) fn subscribe(&mut self, id: ParticipantId, track: TrackId, mid: Option<Mid>) {
        let Self { peers, tracks, context, .. } = self;
        let (Some(peer), Some(publication)) = (peers.get_mut(&id), tracks.get_mut(&track)) else {
            return;
        };
        let from = mid.and_then(|mid| peer.continuations.get(&mid).copied());
        let mut down = DownTrack::new(from.unwrap_or_default());
        down.set_paused(publication.state().blocked);
        let tally = DownTally::new(flow(publication.spec.media));
        peer.subscriptions.insert(track, TrackSubscription::new(mid, down, tally));
        if let Some(mid) = mid {
            peer.receiving.insert(mid, track);
        }
        publication.subscribers.insert(id);
        peer.divide_soon(context);
        context.timers.arm_earlier(Timer::Track(track), context.now.instant);
    }

    /// Takes a subscription away.
    pub(super) fn unsubscribe(&mut self, id: ParticipantId, track: TrackId) {
        let Self { peers, tracks, context, .. } = self;
        if let Some(publication) = tracks.get_mut(&track) {
            publication.subscribers.remove(id);
            context.timers.arm_earlier(Timer::Track(track), context.now.instant);
        }
        let Some(peer) = peers.get_mut(&id) else { return };
        let Some(subscription) = peer.subscriptions.remove(track) else { return };
        if let Some(mid) = subscription.mid {
            peer.receiving.remove(&mid);
            peer.continuations.insert(mid, subscription.down.continuation());
            if let Some((link, _)) = peer.sending() {
                link.queue.forget(track);
            }
        }
        peer.set_area(context, subscription.area, 0);
        peer.divide_soon(context);
    }

    /// A track goes out on another section, whose numbering goes on, or on none.
    pub(super) fn move_subscription(
        &mut self,
        id: ParticipantId,
        track: TrackId,
        mid: Option<Mid>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(subscription) = peer.subscriptions.get_mut(track) else { return };
        if let Some(old) = subscription.mid {
            peer.receiving.remove(&old);
            peer.continuations.insert(old, subscription.down.continuation());
        }
        subscription.move_to(mid);
        if let Some(mid) = mid {
            let from = peer.continuations.get(&mid).copied().unwrap_or_default();
            let blocked = self.tracks.get(&track).is_some_and(|track| track.state().blocked);
            subscription.renew(from);
            subscription.down.set_paused(blocked);
            peer.receiving.insert(mid, track);
        }
        if let Some((link, _)) = peer.sending() {
            link.queue.forget(track);
        }
    }

    /// How somebody wants to see a track.
    pub(super) fn set_settings(&mut self, id: ParticipantId, track: TrackId, settings: Settings) {
        let Self { peers, tracks, context, .. } = self;
        let now = context.now.instant;
        let Some(peer) = peers.get_mut(&id) else { return };
        let Some(subscription) = peer.subscriptions.get_mut(track) else { return };
        subscription.settings = settings;
        subscription.down.set_settings(settings);
        if settings.disabled {
            subscription.tally.rest();
        }
        let Some(publication) = tracks.get_mut(&track) else { return };
        if let Some(up) = publication.up.as_mut() {
            subscription.down.select(now, up);
            if let Some(layer) = subscription.down.needs_keyframe() {
                up.request_keyframe(layer);
            }
        }
        peer.divide_soon(context);
        context.timers.arm_earlier(Timer::Track(track), now);
    }

    /// Asks for keyframes of every video that somebody should see and does not yet.
    pub(super) fn refresh(&mut self, id: ParticipantId) {
        let Self { peers, tracks, context, .. } = self;
        let now = context.now.instant;
        let Some(peer) = peers.get_mut(&id) else { return };
        for (track, subscription) in peer.subscriptions.iter_mut() {
            let Some(publication) = tracks.get_mut(&track) else { continue };
            if publication.spec.kind != MediaKind::Video {
                continue;
            }
            let Some(up) = publication.up.as_mut() else { continue };
            subscription.down.select(now, up);
            if let Some(layer) = subscription.down.needs_keyframe() {
                up.request_keyframe(layer);
                context.timers.arm_earlier(Timer::Track(track), now);
            }
        }
    }

    /// Ends what is being forwarded of a track, so that nobody is counted as receiving it; or lets it go on, video
    /// from a keyframe on.
    pub(super) fn pause(&mut self, track: TrackId, paused: bool) {
        let Self { peers, tracks, context, .. } = self;
        let now = context.now.instant;
        let Some(publication) = tracks.get_mut(&track) else { return };
        for subscriber in publication.subscribers.iter() {
            let Some(peer) = peers.get_mut(&subscriber) else { continue };
            let Some(subscription) = peer.subscriptions.get_mut(track) else { continue };
            subscription.down.set_paused(paused);
            if paused {
                peer.cut_off(context, track);
            } else if let Some(up) = publication.up.as_mut() {
                subscription.down.select(now, up);
                if let Some(layer) = subscription.down.needs_keyframe() {
                    up.request_keyframe(layer);
                }
            }
        }
        context.timers.arm_earlier(Timer::Track(track), now);
    }

    /// Looks which video is still being forwarded to somebody.
    pub(super) fn on_area_timer(&mut self, id: ParticipantId) {
        let Self { peers, tracks, context, .. } = self;
        let now = context.now.instant;
        let Some(peer) = peers.get_mut(&id) else { return };
        let (mut area, mut next) = (0, None);
        for (track, subscription) in peer.subscriptions.iter_mut() {
            let up = tracks.get(&track).and_then(|track| track.up.as_ref());
            subscription.area = up.map_or(0, |up| subscription.down.area(now, up));
            area += subscription.area;
            if let Some(at) = subscription.down.area_lapses_at().filter(|_| subscription.area > 0) {
                next = Some(next.map_or(at, |next: std::time::Instant| next.min(at)));
            }
        }
        peer.set_whole_area(context, area);
        if let Some(at) = next {
            let at = at.max(now + std::time::Duration::from_millis(1));
            context.timers.arm(Timer::Area(id), at);
        }
    }
}

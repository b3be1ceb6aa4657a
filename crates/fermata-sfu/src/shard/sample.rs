//! Quality samples: what passed of the tracks of a stay since the last one.
//!
//! What it is not: on the path of packets. The counts are kept there ([`crate::forward::UpTally`],
//! [`crate::forward::DownTally`]); here they are only read. How many at once, the rooms decide.

use std::time::{Duration, Instant};

use fermata_transport::{Protocol, Rid, StreamStats, Wire};
use fermata_types::{Downlink, MediaKind, StaySample, TrackSample, Via};
use jiff::Timestamp;
use rustc_hash::FxHashMap;

use super::Shard;
use super::link::Link;
use super::peer::Peer;
use super::subscriptions::TrackSubscription;
use super::track::Track;
use crate::forward::{Allowed, Feedback};
use crate::key::{ParticipantId, TrackId};
use crate::limits::SAMPLE_SPAN_MIN;
use crate::seam::Report;

/// When a stay was sampled last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampled {
    /// Monotonic: counts are since then.
    since: Instant,
    /// Time of that sample, if there was one.
    at: Option<Timestamp>,
}

impl Sampled {
    /// Not yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, at: None }
    }
}

impl Shard {
    /// Samples some stays, as of a time.
    pub(super) fn sample(&mut self, ids: &[ParticipantId], at: Timestamp) {
        let Self { peers, tracks, context, .. } = self;
        let now = context.now.instant;
        let mut samples = Vec::new();
        for id in ids {
            let Some(peer) = peers.get_mut(id) else { continue };
            let Some(span) = due(peer, now, at) else { continue };
            let spec = peer.spec.clone();
            samples.push(StaySample {
                app: spec.app,
                room_sid: spec.room_sid,
                stay: spec.sid,
                at,
                span_ms: millis(span),
                rtt_ms: round_trip(peer).map(millis),
                cpu_percent: None,
                downlink: downlink(peer, tracks),
                peer: peer.link(peer.out_side()).and_then(|link| link.wire().peer_address()),
                tracks: sample_tracks(peer, tracks, now, span),
            });
        }
        if !samples.is_empty() {
            context.report_if_room(Report::Samples(samples));
        }
    }
}

/// How long the sample covers, if the stay is to be sampled: connected, not sampled for this time already, and
/// long enough since the last one to mean anything.
fn due(peer: &mut Peer, now: Instant, at: Timestamp) -> Option<Duration> {
    if !peer.link(peer.out_side()).is_some_and(|link| link.connected) {
        return None;
    }
    let span = now.saturating_duration_since(peer.sampled.since);
    if peer.sampled.at == Some(at) || span < SAMPLE_SPAN_MIN {
        return None;
    }
    peer.sampled = Sampled { since: now, at: Some(at) };
    Some(span)
}

/// The way to the client. Of a client that comes through a relay it says UDP: a shard sees addresses alone.
fn downlink(peer: &mut Peer, tracks: &FxHashMap<TrackId, Track>) -> Downlink {
    let wire = peer.link(peer.out_side()).map(Link::wire);
    let estimate = wire.and_then(Wire::estimate);
    let mut downlink = Downlink {
        estimate_bps: estimate.map(|it| u32::try_from(it.bps).unwrap_or(u32::MAX)),
        via: wire.and_then(Wire::protocol).map(|protocol| match protocol {
            Protocol::Udp => Via::Udp,
            Protocol::Tcp => Via::Tcp,
        }),
        ..Downlink::default()
    };
    for (id, subscription) in peer.subscriptions.iter_mut() {
        let Some(track) = tracks.get(&id) else { continue };
        let video = track.spec.kind == MediaKind::Video && track.up.is_some();
        let off = subscription.mid.is_none() || subscription.settings.disabled;
        if !video || off || track.state().muted || track.state().blocked {
            continue;
        }
        match subscription.down.allowed() {
            None => downlink.tracks_paused += 1,
            Some(allowed) => downlink.tracks_limited += u32::from(allowed != Allowed::ALL),
        }
    }
    downlink
}

/// Its tracks, published and then received.
fn sample_tracks(
    peer: &mut Peer,
    tracks: &mut FxHashMap<TrackId, Track>,
    now: Instant,
    span: Duration,
) -> Vec<TrackSample> {
    let single = peer.spec.single;
    let Peer { publications, subscriptions, up, down, .. } = peer;
    let mut samples = Vec::with_capacity(publications.len() + subscriptions.len());
    for track in publications.values() {
        let track = tracks.get_mut(track);
        samples.extend(track.and_then(|track| published(track, up.as_ref(), now, span)));
    }
    let link = if single { up.as_ref() } else { down.as_ref() };
    for (track, subscription) in subscriptions.iter_mut() {
        let track = tracks.get(&track);
        samples.extend(track.and_then(|track| received(track, subscription, link, now, span)));
    }
    samples
}

/// A track on its way to us. One of which nothing came is left out where nothing was to come: muted, or video that
/// nobody wants.
fn published(
    track: &mut Track,
    link: Option<&Link>,
    now: Instant,
    span: Duration,
) -> Option<TrackSample> {
    let clock = track.clock_rate_hz();
    let video = track.spec.kind == MediaKind::Video;
    let expected = !(track.state().muted || video && !track.state().awaited);
    if !expected {
        track.tally.rest();
    }
    let taken = track.tally.take(now, clock);
    let told = track.nacks_told;
    let feedback = feedback(track, link);
    track.nacks_told = feedback.map_or(told, |feedback| feedback.nacks);
    if taken.counts.packets == 0 && !expected {
        return None;
    }
    let size = track.up.as_ref().and_then(|up| up.size(taken.layer));
    let size = size.filter(|_| video);
    Some(TrackSample {
        track: track.spec.sid.clone(),
        from: None,
        media: track.spec.media,
        packets: taken.counts.packets,
        bytes: taken.counts.bytes,
        lost: taken.counts.missing,
        frames: taken.counts.frames,
        width: size.map_or(0, |size| size.width),
        height: size.map_or(0, |size| size.height),
        freeze_ms: taken.freeze_ms.min(millis(span)),
        jitter_ms: feedback.map(|feedback| jitter_ms(feedback, clock)),
        keyframe_requests: taken.keyframes,
        nacks: feedback.map_or(0, |feedback| {
            u32::try_from(feedback.nacks.saturating_sub(told)).unwrap_or(u32::MAX)
        }),
    })
}

/// A track on its way to a receiver. One of which nothing went out is left out where nothing was to go: muted,
/// disabled, not there yet.
fn received(
    track: &Track,
    subscription: &mut TrackSubscription,
    link: Option<&Link>,
    now: Instant,
    span: Duration,
) -> Option<TrackSample> {
    let mid = subscription.mid?;
    let clock = track.clock_rate_hz();
    let stats = link.and_then(|link| link.wire().sent_stats(mid));
    let feedback = stats.map(|stats| Feedback { lost: stats.lost, nacks: stats.nacks });
    let up = track.up.as_ref();
    let expected = up.is_some() && !track.state().muted && !subscription.settings.disabled;
    if !expected {
        subscription.tally.rest();
    }
    let taken = subscription.tally.take(now, span, clock, feedback);
    if taken.counts.packets == 0 && !expected {
        return None;
    }
    let layer = subscription.down.current_layer();
    let size = up.zip(layer).and_then(|(up, layer)| up.size(layer));
    let size = size.filter(|_| track.spec.kind == MediaKind::Video);
    Some(TrackSample {
        track: track.spec.sid.clone(),
        from: Some(track.spec.publisher_sid.clone()),
        media: track.spec.media,
        packets: taken.counts.packets,
        bytes: taken.counts.bytes,
        lost: taken.lost,
        frames: taken.counts.frames,
        width: size.map_or(0, |size| size.width),
        height: size.map_or(0, |size| size.height),
        freeze_ms: taken.freeze_ms,
        jitter_ms: stats.map(|stats| jitter_ms(stats, clock)),
        keyframe_requests: taken.keyframes,
        nacks: taken.nacks,
    })
}

/// What was measured on the way to us, over all layers; the worst jitter.
fn feedback(track: &Track, link: Option<&Link>) -> Option<StreamStats> {
    let wire = link?.wire();
    let of = |rid: Option<Rid>| wire.received_stats(track.spec.mid, rid);
    let layers = track.spec.rids.iter().map(|rid| of(Some(*rid))).chain([of(None)]);
    layers.flatten().reduce(|a, b| StreamStats {
        lost: a.lost + b.lost,
        nacks: a.nacks + b.nacks,
        jitter: a.jitter.max(b.jitter),
    })
}

fn round_trip(peer: &Peer) -> Option<Duration> {
    let links = [peer.up.as_ref(), peer.down.as_ref()];
    links.into_iter().flatten().filter_map(|link| link.wire().stats().rtt).max()
}

fn jitter_ms(stats: StreamStats, clock_rate_hz: u32) -> u32 {
    let ms = u64::from(stats.jitter) * 1_000 / u64::from(clock_rate_hz.max(1));
    u32::try_from(ms).unwrap_or(u32::MAX)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

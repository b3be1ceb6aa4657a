//! Quality samples: every few seconds what passed, for each stay of a room, in small steps.
//!
//! What it is not: on the path of packets. The counts are kept there ([`crate::forward::UpTally`],
//! [`crate::forward::DownTally`]); here they are only read, at most [`SAMPLE_TRACKS_STEP`] tracks at a time, so that
//! a large room holds up no packet for long.

use std::ops::Bound;
use std::time::{Duration, Instant};

use fermata_transport::{Codec, MediaKind, Rid, StreamStats};
use fermata_types::{Media, Now, SAMPLE_SECONDS, StaySample, TrackSample};
use jiff::Timestamp;
use livekit_protocol as lk;

use crate::forward::{Feedback, Flow, UpTrack};
use crate::io::Output;
use crate::key::{RoomId, Side, TrackId};
use crate::limits::{SAMPLE_PAUSE, SAMPLE_SPAN_MIN, SAMPLE_SPREAD_MS, SAMPLE_TRACKS_STEP};
use crate::link::Link;
use crate::participant::Participant;
use crate::publication::Publication;
use crate::sfu::Sfu;
use crate::subscriptions::TrackSubscription;
use crate::timer::Timer;

/// A round of samples in a room that is not finished.
#[derive(Debug)]
pub(crate) struct Round {
    /// Time of its samples.
    at: Timestamp,
    /// Who was sampled last.
    after: String,
}

/// When a stay was sampled last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampled {
    /// Monotonic: counts are since then.
    since: Instant,
    /// Time of that sample, if there was one.
    at: Option<Timestamp>,
}

impl Sampled {
    /// Not yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, at: None }
    }
}

impl Sfu {
    /// Sets the time of a room's next round: soon after the next multiple of [`SAMPLE_SECONDS`], each room at its
    /// own moment.
    pub(crate) fn arm_samples(&mut self, id: RoomId) {
        if self.config.events {
            let Now { instant, wall } = self.context.now;
            let period = i64::from(SAMPLE_SECONDS) * 1_000;
            let offset = i64::try_from(id.0 % SAMPLE_SPREAD_MS).unwrap_or(0);
            let passed = (wall.as_millisecond() - offset).rem_euclid(period);
            let wait = Duration::from_millis((period - passed).unsigned_abs());
            self.context.timers.arm(Timer::Samples(id), instant + wait);
        }
    }

    /// Samples the stays of a room, or goes on with that.
    pub(crate) fn on_samples(&mut self, id: RoomId) {
        let Self { rooms, participants, tracks, context, .. } = self;
        let now = context.now;
        let Some(room) = rooms.get_mut(&id) else { return };
        let round = room.round.take();
        let at = round.as_ref().map_or_else(|| whole(now.wall), |round| round.at);
        let from = round.map_or(Bound::Unbounded, |round| Bound::Excluded(round.after));
        let mut samples = Vec::new();
        let mut budget = SAMPLE_TRACKS_STEP;
        for (identity, member) in room.members.range::<String, _>((from, Bound::Unbounded)) {
            let Some(participant) = participants.get_mut(member) else { continue };
            budget = budget.saturating_sub(participant.sampled_tracks());
            if let Some(due) = due(participant, now.instant, at) {
                let sample = StaySample {
                    app: room.app,
                    room_sid: room.sid.clone(),
                    stay: participant.sid.clone(),
                    at,
                    span_ms: millis(due),
                    rtt_ms: round_trip(participant).map(millis),
                    cpu_percent: None,
                    tracks: sample_tracks(participant, now.instant, due, |id, publication| {
                        tracks.get_mut(&id).map(publication)
                    }),
                };
                samples.push(sample);
            }
            if budget == 0 {
                room.round = Some(Round { at, after: identity.clone() });
                break;
            }
        }
        let goes_on = room.round.is_some();
        if !samples.is_empty() {
            context.out.push_back(Output::Samples(samples));
        }
        if goes_on {
            context.timers.arm(Timer::Samples(id), now.instant + SAMPLE_PAUSE);
        } else {
            self.arm_samples(id);
        }
    }
}

impl Sfu {
    /// Nothing is expected of a track until something comes of it, here and at its receivers.
    pub(crate) fn rest(&mut self, id: TrackId) {
        let Self { participants, tracks, .. } = self;
        let Some(publication) = tracks.get_mut(&id) else { return };
        publication.tally.rest();
        for subscriber in publication.subscribers.iter() {
            let subscriber = participants.get_mut(&subscriber);
            if let Some(subscription) = subscriber.and_then(|s| s.subscriptions.get_mut(id)) {
                subscription.tally.rest();
            }
        }
    }
}

impl Participant {
    /// What sampling it costs, in tracks.
    fn sampled_tracks(&self) -> usize {
        1 + self.publications.len() + self.subscriptions.len()
    }
}

/// How long the sample covers, if the stay is to be sampled: connected, not sampled for this time already, and
/// long enough since the last one to mean anything.
fn due(participant: &mut Participant, now: Instant, at: Timestamp) -> Option<Duration> {
    if !participant.link(participant.out_side()).is_some_and(|link| link.connected) {
        return None;
    }
    let span = now.saturating_duration_since(participant.sampled.since);
    if participant.sampled.at == Some(at) || span < SAMPLE_SPAN_MIN {
        return None;
    }
    participant.sampled = Sampled { since: now, at: Some(at) };
    Some(span)
}

/// Its tracks, published and then received.
fn sample_tracks(
    participant: &mut Participant,
    now: Instant,
    span: Duration,
    mut with: impl FnMut(
        TrackId,
        &mut dyn FnMut(&mut Publication) -> Option<TrackSample>,
    ) -> Option<Option<TrackSample>>,
) -> Vec<TrackSample> {
    let side = participant.out_side();
    let Participant { publications, subscriptions, up, down, .. } = participant;
    let mut samples = Vec::with_capacity(publications.len() + subscriptions.len());
    for track in publications.values() {
        let link = up.as_ref();
        let sample = with(*track, &mut |publication| published(publication, link, now, span));
        samples.extend(sample.flatten());
    }
    let link = match side {
        Side::Up => up.as_ref(),
        Side::Down => down.as_ref(),
    };
    for (track, subscription) in subscriptions.iter_mut() {
        let sample =
            with(track, &mut |publication| received(publication, subscription, link, now, span));
        samples.extend(sample.flatten());
    }
    samples
}

/// A track on its way to us. One of which nothing came is left out where nothing was to come: muted, or video that
/// nobody wants.
fn published(
    publication: &mut Publication,
    link: Option<&Link>,
    now: Instant,
    span: Duration,
) -> Option<TrackSample> {
    let clock = publication.clock_rate_hz();
    let unwanted = publication.subscribers.is_empty() || publication.dynacast.wants_nothing();
    let video = publication.kind == MediaKind::Video;
    let expected = !(publication.info.muted || video && unwanted);
    if !expected {
        publication.tally.rest();
    }
    let taken = publication.tally.take(now, clock);
    let told = publication.nacks_told;
    let feedback = publication.feedback(link);
    publication.nacks_told = feedback.map_or(told, |feedback| feedback.nacks);
    if taken.counts.packets == 0 && !expected {
        return None;
    }
    let size = publication.up.as_ref().and_then(|up| up.size(taken.layer));
    let size = size.filter(|_| video);
    Some(TrackSample {
        track: publication.sid.clone(),
        from: None,
        media: publication.media(),
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
    publication: &Publication,
    subscription: &mut TrackSubscription,
    link: Option<&Link>,
    now: Instant,
    span: Duration,
) -> Option<TrackSample> {
    let mid = subscription.mid?;
    let clock = publication.clock_rate_hz();
    let stats = link.and_then(|link| link.transport().sent_stats(mid));
    let feedback = stats.map(|stats| Feedback { lost: stats.lost, nacks: stats.nacks });
    let up = publication.up.as_ref();
    let expected = up.is_some() && !publication.info.muted && !subscription.settings.disabled;
    if !expected {
        subscription.tally.rest();
    }
    let taken = subscription.tally.take(now, span, clock, feedback);
    if taken.counts.packets == 0 && !expected {
        return None;
    }
    let layer = subscription.down.current_layer();
    let size = up.zip(layer).and_then(|(up, layer)| up.size(layer));
    let size = size.filter(|_| publication.kind == MediaKind::Video);
    Some(TrackSample {
        track: publication.sid.clone(),
        from: Some(publication.publisher_sid.clone()),
        media: publication.media(),
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

impl Publication {
    /// What it carries, by its source; by its kind where the source says nothing.
    pub(crate) fn media(&self) -> Media {
        media(self.kind, self.info.source)
    }

    /// Ticks of its RTP clock in a second.
    fn clock_rate_hz(&self) -> u32 {
        let first = match self.kind {
            MediaKind::Audio => Codec::Opus,
            MediaKind::Video => Codec::Vp8,
        };
        self.up.as_ref().map_or(first, UpTrack::codec).clock_rate_hz()
    }

    /// What was measured on the way to us, over all layers; the worst jitter.
    fn feedback(&self, link: Option<&Link>) -> Option<StreamStats> {
        let transport = link?.transport();
        let of = |rid: Option<Rid>| transport.received_stats(self.mid, rid);
        let layers = self.rids.iter().map(|rid| of(Some(*rid))).chain([of(None)]);
        layers.flatten().reduce(|a, b| StreamStats {
            lost: a.lost + b.lost,
            nacks: a.nacks + b.nacks,
            jitter: a.jitter.max(b.jitter),
        })
    }
}

/// What a track of a kind and a source (`lk::TrackSource`) carries.
pub(crate) fn media(kind: MediaKind, source: i32) -> Media {
    use lk::TrackSource as S;
    match (kind, S::try_from(source)) {
        (MediaKind::Video, Ok(S::ScreenShare)) => Media::Screen,
        (MediaKind::Video, _) => Media::Video,
        (MediaKind::Audio, Ok(S::ScreenShareAudio)) => Media::ScreenAudio,
        (MediaKind::Audio, _) => Media::Audio,
    }
}

/// How a track of a kind and a source flows.
pub(crate) fn flow(kind: MediaKind, source: i32) -> Flow {
    match media(kind, source) {
        Media::Audio | Media::ScreenAudio => Flow::Sound,
        Media::Video => Flow::Camera,
        Media::Screen => Flow::Screen,
    }
}

fn round_trip(participant: &Participant) -> Option<Duration> {
    let links = [participant.up.as_ref(), participant.down.as_ref()];
    links.into_iter().flatten().filter_map(|link| link.transport().stats().rtt).max()
}

fn jitter_ms(stats: StreamStats, clock_rate_hz: u32) -> u32 {
    let ms = u64::from(stats.jitter) * 1_000 / u64::from(clock_rate_hz.max(1));
    u32::try_from(ms).unwrap_or(u32::MAX)
}

/// The last multiple of [`SAMPLE_SECONDS`].
fn whole(wall: Timestamp) -> Timestamp {
    let second = wall.as_millisecond().div_euclid(1_000);
    let second = second - second.rem_euclid(i64::from(SAMPLE_SECONDS));
    Timestamp::from_second(second).unwrap_or(wall)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

//! What a connection can take is divided among what goes out on it: sound always, then pictures, by priority.
//!
//! Nothing is held back until the estimate says that the path is full; from then on, until the estimate has grown to
//! all that is wanted.
//!
//! What it is not: it estimates nothing ([`fermata_bwe::Controller`], in the transport) and divides nothing itself
//! ([`fermata_bwe::Share`]).

use std::time::Instant;

use fermata_bwe::{STEPS_MAX, Share, Wish};
use fermata_transport::Estimate;
use fermata_types::{Media, MediaKind};

use super::Shard;
use super::context::{Context, Timer};
use super::peer::Peer;
use super::sound::SoundBps;
use super::subscriptions::TrackSubscription;
use super::track::Track;
use crate::forward::{Allowed, Quality, Steps};
use crate::key::{ParticipantId, TrackId};
use crate::limits::{SHARE_INTERVAL, SHARE_PAUSE};
use crate::seam::Report;

/// Overhead of video packets, hundredths of their payload.
const VIDEO_OVERHEAD_PERCENT: u64 = 4;
/// Room beside what is wanted that the path should have before nothing is held back any more, hundredths.
const WANTED_SPARE_PERCENT: u64 = 10;

/// What is going out is given up at once, and not only when its successor begins, if it takes so many times what there is
/// room for.
const TOO_MUCH: u64 = 2;

/// Priorities of what nobody gave one: a shared screen before a camera. Given ones go from 255 downwards.
const SCREEN_PRIORITY: u8 = 100;
const CAMERA_PRIORITY: u8 = 50;

/// How the connection of a peer is shared.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    share: Share,
    estimate: Option<Estimate>,
    /// Not all that is wanted fits.
    pub(super) constrained: bool,
    /// Sound goes out without copies of itself; see [`SoundBps::too_much`].
    pub(super) plain_sound: bool,
    /// When it was divided last.
    divided: Option<Instant>,
    wishes: Vec<Wish>,
    /// What each wish is for, and its steps.
    whose: Vec<(TrackId, Steps)>,
}

impl Shard {
    /// How much a connection can take has changed.
    pub(super) fn on_estimate(&mut self, id: ParticipantId, estimate: Estimate) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.sharing.estimate = Some(estimate);
        if let Some((link, _)) = peer.sending() {
            link.queue.set_pace(estimate.pace_bps);
        }
        peer.divide_soon(&mut self.context);
    }

    /// It is time to divide anew.
    pub(super) fn on_share_timer(&mut self, id: ParticipantId) {
        let Self { peers, tracks, context, .. } = self;
        let now = context.now.instant;
        let Some(peer) = peers.get_mut(&id) else { return };
        let Some(estimate) = peer.sharing.estimate else { return };
        peer.sharing.divided = Some(now);
        let (sound, wanted_bps) = peer.gather_wishes(tracks);
        let whole_bps = wanted_bps.saturating_add(wanted_bps / 100 * WANTED_SPARE_PERCENT);
        if let Some((link, _)) = peer.sending() {
            link.with(context, |wire| wire.set_wanted(now, whole_bps));
        }
        peer.divide(now, estimate, sound, whole_bps);
        apply(peer, tracks, context);
        let next = now + SHARE_INTERVAL;
        context.timers.arm(Timer::Share(id), next);
    }
}

impl Peer {
    /// What goes out is divided anew, a moment after the last time at the earliest. Nothing happens before anything
    /// is known of the path.
    pub(super) fn divide_soon(&mut self, context: &mut Context) {
        if self.sharing.estimate.is_none() {
            return;
        }
        let now = context.now.instant;
        let at = self.sharing.divided.map_or(now, |last| now.max(last + SHARE_PAUSE));
        context.timers.arm_earlier(Timer::Share(self.id), at);
    }

    /// Takes down what is wanted. What sound takes, and what everything would, bits per second.
    fn gather_wishes(&mut self, tracks: &rustc_hash::FxHashMap<TrackId, Track>) -> (SoundBps, u64) {
        let Sharing { wishes, whose, .. } = &mut self.sharing;
        wishes.clear();
        whose.clear();
        let (mut sound, mut video_bps) = (SoundBps::default(), 0_u64);
        for (id, subscription) in self.subscriptions.iter_mut() {
            let Some(track) = tracks.get(&id) else { continue };
            if subscription.mid.is_none() || subscription.settings.disabled {
                continue;
            }
            if track.state().blocked || track.state().muted {
                continue;
            }
            if track.spec.kind == MediaKind::Audio {
                sound = sound.and(track.sound.bps());
                continue;
            }
            let (wish, steps) = wish(track, subscription);
            video_bps = video_bps.saturating_add(wish.whole_bps());
            wishes.push(wish);
            whose.push((id, steps));
        }
        (sound, sound.whole.saturating_add(video_bps))
    }

    /// Decides, by the estimate.
    fn divide(&mut self, now: Instant, estimate: Estimate, sound: SoundBps, whole_bps: u64) {
        let Sharing { share, constrained, plain_sound, wishes, .. } = &mut self.sharing;
        if estimate.limited {
            *constrained = estimate.bps < whole_bps;
        } else if estimate.bps >= whole_bps {
            *constrained = false;
        }
        let Estimate { bps, inherent_loss_percent, .. } = estimate;
        *plain_sound = *constrained && sound.too_much(bps, inherent_loss_percent, *plain_sound);
        let sound_bps = if *plain_sound { sound.plain } else { sound.whole };
        let budget_bps = if *constrained { bps.saturating_sub(sound_bps) } else { u64::MAX };
        let now_us = now.saturating_duration_since(self.since).as_micros();
        share.divide(u64::try_from(now_us).unwrap_or(u64::MAX), budget_bps, wishes);
    }
}

/// What somebody wants of a track, and what each step is.
fn wish(track: &Track, subscription: &TrackSubscription) -> (Wish, Steps) {
    let steps = track.up.as_ref().map_or_else(Steps::default, |up| {
        Steps::of(up, subscription.down.wanted_quality(up).unwrap_or(Quality::Low))
    });
    let mut steps_bps = [0; STEPS_MAX];
    for (place, step) in steps_bps.iter_mut().zip(steps.as_slice()) {
        *place = step.bps.saturating_add(step.bps / 100 * VIDEO_OVERHEAD_PERCENT);
    }
    let given = subscription.settings.priority;
    let priority = match track.spec.media {
        _ if given > 0 => u8::MAX - u8::try_from(given - 1).unwrap_or(u8::MAX),
        Media::Screen => SCREEN_PRIORITY,
        _ => CAMERA_PRIORITY,
    };
    let steps_bps = steps_bps.get(..steps.as_slice().len()).unwrap_or_default();
    (Wish::new(priority, steps_bps, subscription.granted), steps)
}

/// Lets go out what was granted, and tells who is paused.
fn apply(
    peer: &mut Peer,
    tracks: &mut rustc_hash::FxHashMap<TrackId, Track>,
    context: &mut Context,
) {
    let now = context.now.instant;
    let wishes = std::mem::take(&mut peer.sharing.wishes);
    let whose = std::mem::take(&mut peer.sharing.whose);
    for (wish, (id, steps)) in wishes.iter().zip(&whose) {
        let Some(track) = tracks.get_mut(id) else { continue };
        let Some(up) = track.up.as_mut() else { continue };
        let Some(subscription) = peer.subscriptions.get_mut(*id) else { continue };
        let granted = wish.granted();
        subscription.granted = Some(granted);
        let last = usize::from(granted).checked_sub(1);
        let allowed = if wish.is_whole() {
            // Nothing is in the way of what may come.
            Some(Allowed::ALL)
        } else {
            last.and_then(|last| steps.as_slice().get(last)).map(|step| step.allowed)
        };
        let before = subscription.down.allowed();
        if before == allowed {
            continue;
        }
        subscription.down.set_allowed(allowed);
        let paused = allowed.is_none();
        if paused != before.is_none() {
            context.report(Report::Paused { peer: peer.id, track: *id, paused });
        }
        if paused {
            peer.cut_off(context, *id);
            continue;
        }
        subscription.down.select(now, up);
        if let Some(layer) = subscription.down.needs_keyframe() {
            up.request_keyframe(layer);
            context.timers.arm_earlier(Timer::Track(*id), now);
            let going_bps = subscription.down.current_layer().map_or(0, |now| up.bitrate_bps(now));
            if going_bps > wish.granted_bps().saturating_mul(TOO_MUCH) {
                // Until the keyframe comes it would only fill the path, and delay the keyframe.
                subscription.down.interrupt();
                peer.cut_off(context, *id);
            }
        }
    }
    peer.sharing.wishes = wishes;
    peer.sharing.whose = whose;
}

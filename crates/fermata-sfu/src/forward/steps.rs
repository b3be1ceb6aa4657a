//! What a track could be sent as, from the least to the most: its steps.
//!
//! What it is not: it chooses none of them; [`fermata_bwe::Share`] does, and [`super::DownTrack::set_allowed`] takes
//! what was chosen.

use fermata_bwe::STEPS_MAX;

use super::layers::{LayerIndex, Quality};
use super::select::spatial_of;
use super::up::{SUBLAYER_MAX, UpTrack};

/// What the lowest temporal layer takes of a stream whose layers are not known yet, hundredths: encoders give it
/// between two and three fifths.
const LOWEST_TEMPORAL_PERCENT: u64 = 50;

/// The most that may be sent of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Highest quality: a stream of a track with several, a spatial layer of a track with one.
    pub quality: Quality,
    /// Highest temporal layer, 0 to 7; 7: all there are.
    pub temporal: u8,
}

impl Allowed {
    /// Everything.
    pub const ALL: Self = Self { quality: Quality::High, temporal: SUBLAYER_MAX };
}

/// One step, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What may be sent then.
    pub allowed: Allowed,
    /// Bits per second of payload.
    pub bps: u64,
}

/// Steps in ascending order.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    all: [Step; STEPS_MAX],
    count: usize,
}

impl Default for Steps {
    fn default() -> Self {
        Self { all: [Step { allowed: Allowed::ALL, bps: 0 }; STEPS_MAX], count: 0 }
    }
}

impl Steps {
    /// The steps, the least first.
    pub fn as_slice(&self) -> &[Step] {
        self.all.get(..self.count).unwrap_or_default()
    }

    /// Of a track up to a quality. Of a track that has none so low, the lowest it has.
    ///
    /// The lowest quality has a step for each of its temporal layers; higher ones have theirs without the lowest,
    /// because a larger picture that hardly moves is worse than a smaller one that does.
    pub fn of(up: &UpTrack, most: Quality) -> Self {
        let mut steps = Self::default();
        let single = up.layers().count() == 1;
        let mut before = None;
        for quality in Quality::ALL {
            let layer = up.layers().find(|layer| single || up.quality(*layer) == quality);
            let Some(layer) = layer else { continue };
            let spatial = if single { spatial_of(up, quality) } else { None };
            if before == Some((layer, spatial)) {
                // The same again under the name of a higher quality.
                steps.rename(quality);
                continue;
            }
            if quality > most && before.is_some() {
                break;
            }
            before = Some((layer, spatial));
            steps.add(up, (layer, spatial), quality);
        }
        steps
    }

    fn add(&mut self, up: &UpTrack, (layer, spatial): (LayerIndex, Option<u8>), quality: Quality) {
        let top = up.temporal_top(layer);
        if self.count == 0 && top == 0 && up.may_have_temporal(layer) {
            // It has to come once before that is known; if it has none, the whole of it comes, and then it is known.
            let bps = up.known_bps(layer, spatial.unwrap_or(SUBLAYER_MAX), SUBLAYER_MAX);
            let bps = bps / 100 * LOWEST_TEMPORAL_PERCENT;
            self.push(Step { allowed: Allowed { quality, temporal: 0 }, bps });
        }
        let least = if self.count == 0 { 0 } else { top.min(1) };
        for temporal in least..=top {
            let bps = up.known_bps(layer, spatial.unwrap_or(SUBLAYER_MAX), temporal);
            let temporal = if temporal == top { SUBLAYER_MAX } else { temporal };
            self.push(Step { allowed: Allowed { quality, temporal }, bps });
        }
    }

    /// A step that takes no more than those before it takes their place.
    fn push(&mut self, step: Step) {
        let before = self.all.iter().take(self.count);
        self.count = before.take_while(|before| before.bps < step.bps).count();
        if let Some(place) = self.all.get_mut(self.count) {
            *place = step;
            self.count += 1;
        }
    }

    /// The last quality is the same as this higher one.
    fn rename(&mut self, quality: Quality) {
        let last = self.count.checked_sub(1).and_then(|last| self.all.get(last));
        let Some(old) = last.map(|step| step.allowed.quality) else { return };
        for step in self.all.iter_mut().take(self.count) {
            if step.allowed.quality == old {
                step.allowed.quality = quality;
            }
        }
    }
}

//! Which layer of a track a subscriber should get, from what it wants and what there is.

use fermata_rtp::{Codec, FrameSize};

use super::layers::{LayerIndex, Quality, Settings};
use super::steps::Allowed;
use super::up::{SUBLAYER_MAX, UpTrack};

/// What is aimed at; reached at the next opportunity that the codec offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) layer: LayerIndex,
    /// Highest spatial layer; the highest there can be if all are wanted.
    pub(super) spatial: u8,
    /// Highest temporal layer; likewise.
    pub(super) temporal: u8,
}

/// A picture that is this part of the wanted size is good enough.
const SIZE_TOLERANCE: (u32, u32) = (9, 10);

/// Shorter sides assumed for qualities of which no size is known.
fn assumed_side(quality: Quality) -> u32 {
    match quality {
        Quality::Low => 180,
        Quality::Medium => 360,
        Quality::High => 720,
    }
}

/// Chooses; `None` if nothing is wanted.
pub(super) fn target(up: &UpTrack, settings: &Settings, max: Allowed) -> Option<Target> {
    if settings.disabled {
        return None;
    }
    let layer = layer(up, wanted_quality(up, settings).min(max.quality));
    let count = up.spatial_count(layer);
    // Where neither a dependency descriptor nor the payload tells layers apart, all are forwarded.
    let told = up.known(layer).is_some();
    let spatial = if count > 1 && (told || up.codec() == Codec::Vp9) {
        spatial(up, layer, count, settings, max.quality)
    } else {
        SUBLAYER_MAX
    };
    let temporal = match up.codec() {
        Codec::Vp8 | Codec::Vp9 => up.temporal_max(layer, settings.fps).min(max.temporal),
        _ if told => up.temporal_max(layer, settings.fps).min(max.temporal),
        _ => SUBLAYER_MAX,
    };
    Some(Target { layer, spatial, temporal })
}

/// The quality that settings amount to: the least whose layer covers the wanted size.
pub(super) fn wanted_quality(up: &UpTrack, settings: &Settings) -> Quality {
    let Some(wanted) = settings.size.map(tolerated_side) else { return settings.quality };
    let side_of = |quality| {
        let declared = up.layers().find(|layer| up.quality(*layer) == quality);
        let spatial = if up.layers().count() == 1 { spatial_of(up, quality) } else { None };
        let size = match spatial {
            Some(spatial) => up.spatial_size(LayerIndex(0), spatial),
            None => declared.and_then(|layer| up.size(layer)),
        };
        size.map_or(assumed_side(quality), |size| size.width.min(size.height))
    };
    let covers = |quality: &Quality| side_of(*quality) >= wanted;
    Quality::ALL.into_iter().find(covers).unwrap_or(Quality::High)
}

fn tolerated_side(size: FrameSize) -> u32 {
    size.width.min(size.height) * SIZE_TOLERANCE.0 / SIZE_TOLERANCE.1
}

/// The best living layer up to a quality; else the least living one; else, nothing living, the best.
fn layer(up: &UpTrack, quality: Quality) -> LayerIndex {
    let fits = |layer: &LayerIndex| up.quality(*layer) <= quality;
    let lives = |layer: &LayerIndex| up.is_alive(*layer);
    up.layers()
        .rev()
        .find(|layer| fits(layer) && lives(layer))
        .or_else(|| up.layers().find(lives))
        .or_else(|| up.layers().rev().find(fits))
        .unwrap_or_default()
}

/// The highest spatial layer of a quality, for a stream that has several.
pub(super) fn spatial_of(up: &UpTrack, quality: Quality) -> Option<u8> {
    let count = up.spatial_total(LayerIndex(0));
    (count > 1).then(|| match quality {
        Quality::Low => 0,
        Quality::Medium => count / 2,
        Quality::High => count - 1,
    })
}

fn spatial(up: &UpTrack, layer: LayerIndex, count: u8, settings: &Settings, max: Quality) -> u8 {
    let by_quality = |quality| spatial_of(up, quality).unwrap_or(count - 1);
    let wanted = match settings.size.map(tolerated_side) {
        None => by_quality(settings.quality),
        Some(side) => (0..count)
            .find(|spatial| {
                let size = up.spatial_size(layer, *spatial);
                size.is_none_or(|size| size.width.min(size.height) >= side)
            })
            .unwrap_or(count - 1),
    };
    wanted.min(by_quality(max)).min(count - 1)
}

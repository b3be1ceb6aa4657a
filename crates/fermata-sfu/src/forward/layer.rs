//! One stream of a published track: what was learned of it.

use std::time::Instant;

use fermata_rtp::dependency::{Frame, Reader, Structure};
use fermata_rtp::{FrameSize, SPATIAL_LAYERS_MAX, View};

use super::dependent::Known;
use super::layers::{LayerSpec, Quality};
use super::limits::{KEYFRAME_INTERVAL, KEYFRAME_INTERVAL_IDLE, LAYER_SILENCE};
use super::rate::{Rate, Steps, step};
use super::up::SenderReport;

/// Place of a rid among its track's, smallest picture first: by its declaration, else by the names that
/// clients use (`q h f`, or `2 1 0`). Unknown ones keep their order behind.
pub(super) fn order(rid: Option<&str>, declared: &[LayerSpec]) -> u8 {
    let rid = rid.unwrap_or_default();
    if let Some(spec) = declared.iter().find(|spec| !rid.is_empty() && spec.rid == rid) {
        return match spec.quality {
            Quality::Low => 0,
            Quality::Medium => 1,
            Quality::High => 2,
        };
    }
    match rid {
        "q" | "2" => 0,
        "h" | "1" => 1,
        "f" | "0" => 2,
        _ => 3,
    }
}

/// When a keyframe of a stream is to be asked for.
#[derive(Debug, Default)]
pub(super) struct Keyframes {
    /// Somebody waits for one.
    pub(super) wanted: bool,
    /// Last request.
    pub(super) asked_at: Option<Instant>,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) rid: Option<String>,
    pub(super) quality: Quality,
    pub(super) declared: Option<FrameSize>,
    /// From its last keyframe.
    pub(super) size: Option<FrameSize>,
    pub(super) spatial_sizes: [Option<FrameSize>; SPATIAL_LAYERS_MAX],
    /// Spatial layers seen since the last keyframe that told, or, by the dependency descriptors, sent now.
    pub(super) spatial_count: u8,
    /// Of its dependency descriptors, if it has any.
    pub(super) dependency: Reader,
    pub(super) highest_seq: Option<u64>,
    pub(super) last_at: Option<Instant>,
    pub(super) alive: bool,
    pub(super) rate: Rate,
    pub(super) report: Option<SenderReport>,
    pub(super) keyframes: Keyframes,
    /// Area that counts instead of the declared one, while the bitrate contradicts that.
    pub(super) raised: Option<u64>,
}

impl Layer {
    pub(super) fn new(rid: Option<&str>) -> Self {
        Self {
            rid: rid.map(str::to_owned),
            quality: Quality::High,
            declared: None,
            size: None,
            spatial_sizes: [None; SPATIAL_LAYERS_MAX],
            spatial_count: 0,
            dependency: Reader::default(),
            highest_seq: None,
            last_at: None,
            alive: false,
            rate: Rate::default(),
            report: None,
            keyframes: Keyframes::default(),
            raised: None,
        }
    }

    /// Puts what the dependency descriptor of a packet says in the place of what its payload shows. The frame it
    /// belongs to; `None` if the descriptor cannot be read, then the packet cannot be made sense of.
    pub(super) fn depend(
        &mut self,
        descriptor: &[u8],
        newest: bool,
        view: &mut View,
    ) -> Option<Frame> {
        let Some(frame) = self.dependency.read(descriptor, newest) else {
            *view = View::default();
            return None;
        };
        view.keyframe = frame.begins && view.understood;
        view.frame_start = frame.start;
        view.frame_end = frame.end;
        view.spatial = Some(frame.spatial);
        view.temporal = Some(frame.temporal);
        view.switch_up = false;
        if frame.begins
            && let Some(sizes) = self.dependency.structure().and_then(|s| s.sizes())
        {
            view.spatial_sizes = *sizes;
            view.size = sizes.iter().flatten().copied().max_by_key(|size| size.area());
        }
        Some(frame)
    }

    /// The steps of which a frame is part, by its decode targets.
    pub(super) fn served(&self, frame: &Frame) -> Steps {
        let targets = self.dependency.structure().map(Structure::targets).unwrap_or_default();
        let served = targets.iter().enumerate().filter(|(place, _)| frame.serves(*place));
        served.fold(0, |steps, (_, target)| steps | 1 << step(target.spatial, target.temporal))
    }

    /// What its dependency descriptors refer to.
    pub(super) fn known(&self) -> Option<Known<'_>> {
        let structure = self.dependency.structure()?;
        let (active, since) = (self.dependency.active(), self.dependency.since());
        Some(Known { structure, active, since })
    }

    /// Learns from a payload; true if sizes or spatial layers changed.
    pub(super) fn learn(&mut self, view: &View) -> bool {
        let about = |this: &Self| (this.size, this.spatial_count, this.dependency.since());
        let before = about(self);
        if view.keyframe {
            // Even if it was on its way before the request was sent: who missed it asks again.
            self.keyframes.wanted = false;
        }
        if view.size.is_some() {
            self.size = view.size;
        }
        if view.spatial_sizes.iter().any(Option::is_some) {
            self.spatial_sizes = view.spatial_sizes;
            let told = view.spatial_sizes.iter().rposition(Option::is_some).unwrap_or(0) + 1;
            self.spatial_count = u8::try_from(told).unwrap_or(1);
        }
        if let Some(spatial) = view.spatial {
            let count = self.known().map(|known| known.spatial_count());
            self.spatial_count = count.unwrap_or_else(|| self.spatial_count.max(spatial + 1));
        }
        before != about(self)
    }

    /// When a keyframe is to be asked for; `None` if nobody wants one or the stream never sent anything
    /// (then it cannot be asked, and will begin with one).
    pub(super) fn keyframe_due(&self, newest: Option<Instant>) -> Option<Instant> {
        let last = self.last_at.filter(|_| self.keyframes.wanted)?;
        let Some(asked) = self.keyframes.asked_at else { return Some(last) };
        // Silent itself, or the whole track has been since it was asked.
        let idle = !self.alive || newest.is_some_and(|at| at + LAYER_SILENCE < asked);
        Some(asked + if idle { KEYFRAME_INTERVAL_IDLE } else { KEYFRAME_INTERVAL })
    }
}

//! One stream of a published track: what was learned of it.

use std::time::{Duration, Instant};

use fermata_rtp::{FrameSize, SPATIAL_LAYERS_MAX, View};

use super::layers::{LayerSpec, Quality};
use super::limits::{KEYFRAME_INTERVAL, KEYFRAME_INTERVAL_IDLE, LAYER_SILENCE, RATE_WINDOW};
use super::up::{PacketIn, SUBLAYER_MAX, SenderReport};

/// Temporal layers that are counted apart; real streams have at most three.
const TEMPORAL_LAYERS: usize = 4;

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
    /// Spatial layers seen since the last keyframe that told.
    pub(super) spatial_count: u8,
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
            highest_seq: None,
            last_at: None,
            alive: false,
            rate: Rate::default(),
            report: None,
            keyframes: Keyframes::default(),
            raised: None,
        }
    }

    /// Learns from a payload; true if sizes or spatial layers changed.
    pub(super) fn learn(&mut self, view: &View) -> bool {
        let before = (self.size, self.spatial_count);
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
            self.spatial_count = self.spatial_count.max(spatial + 1);
        }
        before != (self.size, self.spatial_count)
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

/// Bits and pictures per second, over windows of a second.
#[derive(Debug, Default)]
pub(super) struct Rate {
    window_at: Option<Instant>,
    bytes: u64,
    frames: [u32; TEMPORAL_LAYERS],
    /// Payload bits per second, smoothed.
    pub(super) bitrate_bps: u64,
    /// Pictures per second of each temporal layer alone, in the last window.
    frame_rates: [f64; TEMPORAL_LAYERS],
}

impl Rate {
    /// Counts a packet; true if a window was closed by it.
    pub(super) fn count(&mut self, packet: &PacketIn<'_>, view: &View) -> bool {
        let since = *self.window_at.get_or_insert(packet.arrived);
        let elapsed = packet.arrived.saturating_duration_since(since);
        let closed = elapsed >= RATE_WINDOW;
        if closed {
            self.close(elapsed);
            self.window_at = Some(packet.arrived);
        }
        self.bytes += packet.payload.len() as u64;
        let temporal = usize::from(view.temporal.unwrap_or(0)).min(TEMPORAL_LAYERS - 1);
        if packet.marker
            && let Some(frames) = self.frames.get_mut(temporal)
        {
            *frames += 1;
        }
        closed
    }

    fn close(&mut self, elapsed: Duration) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let bitrate_bps = self.bytes.saturating_mul(8_000) / millis;
        self.bitrate_bps = if self.bitrate_bps == 0 {
            bitrate_bps
        } else {
            self.bitrate_bps.midpoint(bitrate_bps)
        };
        for (rate, frames) in self.frame_rates.iter_mut().zip(self.frames) {
            *rate = f64::from(frames) / elapsed.as_secs_f64();
        }
        self.bytes = 0;
        self.frames = [0; TEMPORAL_LAYERS];
    }

    /// Pictures per second; 0 until a window has passed.
    pub(super) fn fps(&self) -> f64 {
        self.frame_rates.iter().sum()
    }

    /// The highest temporal layer up to which there are at most `fps` pictures a second; the lowest is
    /// never left out.
    pub(super) fn temporal_max(&self, fps: f64) -> u8 {
        let mut sum = 0.0;
        for (temporal, rate) in (0_u8..).zip(self.frame_rates) {
            sum += rate;
            if sum > fps && rate > 0.0 {
                return temporal.saturating_sub(1);
            }
        }
        SUBLAYER_MAX
    }
}

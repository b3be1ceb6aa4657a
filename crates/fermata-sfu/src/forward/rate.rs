//! Bits and pictures per second of one stream, as a whole and of each step of its layers.
//!
//! What it is not: it does not know which steps there are to choose from ([`super::steps`]).

use std::time::{Duration, Instant};

use fermata_rtp::View;

use super::limits::RATE_WINDOW;
use super::up::{PacketIn, SUBLAYER_MAX};

/// Temporal layers that are counted apart; real streams have at most three.
pub(super) const TEMPORAL_LAYERS: usize = 4;

/// Spatial layers that are counted apart; real streams have at most three.
const SPATIAL_LAYERS: usize = 4;

/// One bit for each step, see [`step`].
pub(super) type Steps = u16;

/// A step: what is sent up to a spatial and a temporal layer.
pub(super) fn step(spatial: u8, temporal: u8) -> usize {
    let spatial = usize::from(spatial).min(SPATIAL_LAYERS - 1);
    spatial * TEMPORAL_LAYERS + usize::from(temporal).min(TEMPORAL_LAYERS - 1)
}

/// The steps of which a packet is part, where each layer builds on all below it.
fn steps_above(view: &View) -> Steps {
    let (spatial, temporal) = (view.spatial.unwrap_or(0), view.temporal.unwrap_or(0));
    (spatial.min(3)..4)
        .flat_map(|spatial| (temporal.min(3)..4).map(move |temporal| step(spatial, temporal)))
        .fold(0, |steps, step| steps | 1 << step)
}

/// A stream begins with a keyframe, which may be as large as all the pictures of a second or more: what the first
/// window shows is no rate that goes on.
const WINDOWS_BEGINNING: u8 = 1;

/// Keyframes that come more often are part of what a stream takes.
const KEYFRAMES_OFTEN: Duration = Duration::from_secs(3);

/// Bits and pictures per second, over windows of a second.
#[derive(Debug, Default)]
pub(super) struct Rate {
    window_at: Option<Instant>,
    bytes: u64,
    frames: [u32; TEMPORAL_LAYERS],
    step_bytes: [u64; SPATIAL_LAYERS * TEMPORAL_LAYERS],
    /// Payload bits per second of each step, smoothed over some seconds: of the lowest temporal layer there may be a
    /// picture a second.
    steps_bps: [u64; SPATIAL_LAYERS * TEMPORAL_LAYERS],
    /// Windows closed since the stream began, or began again after a silence, up to [`WINDOWS_BEGINNING`].
    windows: u8,
    /// `steps_bps` are of windows that the stream did not begin in.
    settled: bool,
    /// When the last keyframe came, its RTP time, and whether it counts for `steps_bps`.
    keyframe: Option<(Instant, u32, bool)>,
    /// Payload bits per second, smoothed.
    pub(super) bitrate_bps: u64,
    /// Pictures per second of each temporal layer alone, in the last window.
    frame_rates: [f64; TEMPORAL_LAYERS],
}

impl Rate {
    /// Counts a packet; true if a window was closed by it. `asked`: a keyframe was asked for and has not come.
    pub(super) fn count(
        &mut self,
        packet: &PacketIn<'_>,
        view: &View,
        served: Option<Steps>,
        asked: bool,
    ) -> bool {
        let since = *self.window_at.get_or_insert(packet.arrived);
        let elapsed = packet.arrived.saturating_duration_since(since);
        let closed = elapsed >= RATE_WINDOW;
        if closed {
            self.close(elapsed);
            self.window_at = Some(packet.arrived);
        }
        self.bytes += packet.payload.len() as u64;
        let steps = if self.is_rare(packet, view, asked) {
            0
        } else {
            served.unwrap_or_else(|| steps_above(view))
        };
        for (place, bytes) in self.step_bytes.iter_mut().enumerate() {
            *bytes += u64::from(steps >> place & 1) * packet.payload.len() as u64;
        }
        let temporal = usize::from(view.temporal.unwrap_or(0)).min(TEMPORAL_LAYERS - 1);
        if packet.marker
            && let Some(frames) = self.frames.get_mut(temporal)
        {
            *frames += 1;
        }
        closed
    }

    /// Does a packet belong to a keyframe that was asked for, or came long after the one before? Those are for whoever
    /// begins to receive, and tell nothing of what goes on; counted, they would look like more than there is room for,
    /// to the very receiver that asked.
    fn is_rare(&mut self, packet: &PacketIn<'_>, view: &View, asked: bool) -> bool {
        let Some((at, timestamp, rare)) = self.keyframe else {
            if view.keyframe {
                self.keyframe = Some((packet.arrived, packet.timestamp, true));
            }
            return view.keyframe;
        };
        if timestamp == packet.timestamp {
            return rare;
        }
        if !view.keyframe {
            return false;
        }
        let rare = asked || packet.arrived.saturating_duration_since(at) >= KEYFRAMES_OFTEN;
        self.keyframe = Some((packet.arrived, packet.timestamp, rare));
        rare
    }

    fn close(&mut self, elapsed: Duration) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let smooth = |old: &mut u64, bytes: u64| {
            let bps = bytes.saturating_mul(8_000) / millis;
            *old = if *old == 0 { bps } else { old.midpoint(bps) };
        };
        smooth(&mut self.bitrate_bps, self.bytes);
        if elapsed >= RATE_WINDOW * 2 {
            // It was silent in between, and begins again.
            self.windows = 0;
        } else {
            let begun = self.windows >= WINDOWS_BEGINNING;
            self.windows += u8::from(!begun);
            if begun && !self.settled {
                self.settled = true;
                self.steps_bps = [0; SPATIAL_LAYERS * TEMPORAL_LAYERS];
            }
            if begun || !self.settled {
                for (bps, bytes) in self.steps_bps.iter_mut().zip(self.step_bytes) {
                    let now = bytes.saturating_mul(8_000) / millis;
                    *bps = if *bps == 0 { now } else { (*bps * 3 + now) / 4 };
                }
            }
        }
        self.step_bytes = [0; SPATIAL_LAYERS * TEMPORAL_LAYERS];
        for (rate, frames) in self.frame_rates.iter_mut().zip(self.frames) {
            *rate = f64::from(frames) / elapsed.as_secs_f64();
        }
        self.bytes = 0;
        self.frames = [0; TEMPORAL_LAYERS];
    }

    /// Payload bits per second of what is sent up to a spatial and a temporal layer; 0 until a window has passed.
    pub(super) fn step_bps(&self, spatial: u8, temporal: u8) -> u64 {
        self.steps_bps.get(step(spatial, temporal)).copied().unwrap_or(0)
    }

    /// Has [`Self::step_bps`] seen more than how the stream began?
    pub(super) fn is_settled(&self) -> bool {
        self.settled
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

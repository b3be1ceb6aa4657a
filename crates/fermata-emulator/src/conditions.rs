//! What a link is like, and when it changes.

use serde::Deserialize;

/// A link as it is for a while. The default is a perfect one.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// Bits per second of the bottleneck, IP headers included; 0: there is none.
    pub rate_bps: u64,
    /// How long the queue before the bottleneck is, milliseconds at its rate; what is more is dropped. At least
    /// two packets fit in.
    pub queue_ms: u32,
    /// Time on the way besides the queue, milliseconds.
    pub delay_ms: u32,
    /// Up to so much more for each packet, milliseconds; packets stay in order.
    pub jitter_ms: u32,
    /// Packets lost behind the bottleneck, percent.
    pub loss_percent: f64,
    /// How many are lost in a row, on average; 1: each for itself.
    pub loss_burst: f64,
    /// Packets that are overtaken by those behind them, percent.
    pub reorder_percent: f64,
    /// By how much these come late, milliseconds.
    pub reorder_ms: u32,
}

/// Bytes that the queue holds at any rate: two packets.
pub(crate) const QUEUE_BYTES_MIN: u64 = 3_000;

impl Default for Conditions {
    fn default() -> Self {
        Self {
            rate_bps: 0,
            queue_ms: 250,
            delay_ms: 0,
            jitter_ms: 0,
            loss_percent: 0.0,
            loss_burst: 1.0,
            reorder_percent: 0.0,
            reorder_ms: 20,
        }
    }
}

impl Conditions {
    /// Bytes that fit into the queue.
    pub(crate) fn queue_bytes(&self) -> u64 {
        if self.rate_bps == 0 {
            return u64::MAX;
        }
        (self.rate_bps / 8)
            .saturating_mul(self.queue_ms.into())
            .div_euclid(1_000)
            .max(QUEUE_BYTES_MIN)
    }

    /// How long the bottleneck needs for a packet, microseconds.
    pub(crate) fn serving_us(&self, len: u64) -> u64 {
        len.saturating_mul(8_000_000).checked_div(self.rate_bps).unwrap_or(0)
    }
}

/// From a moment on, a link is like this.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Step {
    /// Milliseconds since the beginning.
    #[serde(default)]
    pub at_ms: u64,
    /// How it is from then on.
    #[serde(flatten)]
    pub conditions: Conditions,
}

//! What a client has sent and received, per track.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::limits;
use crate::synth::{self, Stamp};

/// Everything counted by one client. A copy; later packets do not change it.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Published tracks by the client's own track id (`cid`).
    pub sent: BTreeMap<String, Sent>,
    /// Received tracks by sid.
    pub received: BTreeMap<String, Received>,
    /// Packets of sections that carry no track we were told of.
    pub packets_unknown: u64,
    /// Data messages received.
    pub data_received: u64,
    /// Data messages sent.
    pub data_sent: u64,
    /// One-way delay of data messages that carry a stamp of ours.
    pub data_latency: Latency,
    /// Outputs dropped because nobody polled.
    pub outputs_dropped: u64,
    /// Events dropped because nobody took them (sessions only).
    pub events_dropped: u64,
}

/// One published track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Packets of all layers.
    pub packets: u64,
    /// Their payload, bytes.
    pub bytes: u64,
    /// Keyframes of all layers.
    pub keyframes: u64,
    /// Keyframe requests from the server.
    pub keyframe_requests: u64,
    /// Times at which the sender had been late by more than it catches up.
    pub skipped: u64,
}

/// One received track.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Packets, without repeated ones.
    pub packets: u64,
    /// Their payload, bytes.
    pub bytes: u64,
    /// Frames of which the last packet (marker) came; for audio, packets.
    pub frames: u64,
    /// Keyframes begun.
    pub keyframes: u64,
    /// Sequence numbers missing between the first and the highest.
    pub lost: u64,
    /// Steps of the VP8 picture id that are not one: frames lost, or a switch that does not continue.
    pub picture_id_jumps: u64,
    /// Payloads without a stamp of ours.
    pub unstamped: u64,
    /// Width and height of the latest keyframe, pixels.
    pub size: Option<(u16, u16)>,
    /// One-way delay from the sender's wall clock to ours, which on one machine are the same.
    pub latency: Latency,
    /// When the first packet came.
    pub first_at: Option<Instant>,
    /// When the latest packet came.
    pub last_at: Option<Instant>,
    first_seq: Option<u64>,
    highest_seq: u64,
    last_picture_id: Option<u16>,
}

impl Received {
    /// Share of packets missing, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^52")]
    pub fn loss(&self) -> f64 {
        let expected = self.packets + self.lost;
        if expected == 0 { 0.0 } else { self.lost as f64 / expected as f64 }
    }

    pub(crate) fn packet(&mut self, now: Instant, wall_us: u64, packet: &Packet<'_>) {
        self.first_at.get_or_insert(now);
        self.last_at = Some(now);
        self.packets += 1;
        self.bytes += packet.payload.len() as u64;
        let first = *self.first_seq.get_or_insert(packet.seq);
        self.highest_seq = self.highest_seq.max(packet.seq);
        // Packets from before the first make the span no longer, but count as received.
        self.lost = (self.highest_seq - first + 1).saturating_sub(self.packets);
        if packet.marker || !packet.video {
            self.frames += 1;
        }
        match Stamp::read(packet.payload) {
            Some(stamp) => self.latency.add(wall_us.saturating_sub(stamp.sent_us)),
            None => self.unstamped += 1,
        }
        if packet.vp8 {
            self.vp8(packet.payload);
        }
    }

    fn vp8(&mut self, payload: &[u8]) {
        let Some(vp8) = synth::read_vp8(payload).filter(|vp8| vp8.start) else { return };
        if let Some(size) = vp8.keyframe {
            self.keyframes += 1;
            self.size = Some(size);
        }
        if let (Some(last), Some(id)) = (self.last_picture_id, vp8.picture_id)
            && (last + 1) & 0x7FFF != id
        {
            self.picture_id_jumps += 1;
        }
        self.last_picture_id = vp8.picture_id;
    }
}

/// A packet as the counters want it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) seq: u64,
    pub(crate) marker: bool,
    pub(crate) video: bool,
    pub(crate) vp8: bool,
    pub(crate) payload: &'a [u8],
}

/// Delays, all of them in sum and an even sample for percentiles.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Their sum, microseconds.
    pub sum_us: u64,
    /// The largest, microseconds.
    pub max_us: u64,
    samples_us: Vec<u64>,
    stride: u64,
}

impl Latency {
    pub(crate) fn add(&mut self, latency_us: u64) {
        let stride = self.stride.max(1);
        if self.count.is_multiple_of(stride) {
            if self.samples_us.len() >= limits::LATENCY_SAMPLES_MAX {
                let mut keep = false;
                self.samples_us.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.stride = stride * 2;
            }
            self.samples_us.push(latency_us);
        }
        self.count += 1;
        self.sum_us += latency_us;
        self.max_us = self.max_us.max(latency_us);
    }

    /// An even sample of the delays in the order of arrival, microseconds; at most
    /// [`limits::LATENCY_SAMPLES_MAX`].
    pub fn samples_us(&self) -> &[u64] {
        &self.samples_us
    }

    /// The delay that `percent` of 100 samples do not exceed, microseconds; `None` without samples.
    pub fn percentile_us(&self, percent: usize) -> Option<u64> {
        let mut sorted = self.samples_us.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent.min(100)).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stay_bounded_and_even() {
        let mut latency = Latency::default();
        for value in 0..100_000 {
            latency.add(value);
        }
        assert_eq!((latency.count, latency.max_us), (100_000, 99_999));
        assert!(latency.samples_us().len() <= limits::LATENCY_SAMPLES_MAX);
        let median = latency.percentile_us(50).unwrap();
        assert!(median.abs_diff(50_000) < 2_000, "{median}");
    }

    #[test]
    fn loss_counts_holes_until_they_are_filled() {
        let now = fermata_types::Now::read().instant;
        let mut received = Received::default();
        let packet = |seq| Packet { seq, marker: true, video: true, vp8: false, payload: b"x" };
        for (seq, lost) in [(10, 0), (11, 0), (14, 2), (13, 1), (12, 0)] {
            received.packet(now, 0, &packet(seq));
            assert_eq!(received.lost, lost, "after {seq}");
        }
        assert_eq!((received.packets, received.unstamped), (5, 5));
        assert!(received.loss() < f64::EPSILON);
    }
}

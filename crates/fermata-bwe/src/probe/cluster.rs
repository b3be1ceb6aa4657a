//! What came back of one burst.

use super::Probe;
use crate::Outcome;
use crate::limits::{
    PROBE_ARRIVED_PERCENT, PROBE_CONGESTED_PERCENT, PROBE_INTERVAL_US_MAX, PROBE_RATIO_MAX,
    PROBE_RESULT_PERCENT,
};
use crate::num::{percent, rate_bps, since_us};

/// Packets of a stretch of time.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    packets: u32,
    arrived: u32,
    bytes: u64,
    arrived_bytes: u64,
    last_sent: Option<(u64, u16)>,
    /// First and last arrival with its length, in the order of arrival.
    first_arrived: Option<(u64, u16)>,
    last_arrived: Option<u64>,
}

impl Stretch {
    fn add(&mut self, outcome: &Outcome) {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(outcome.len_bytes.into());
        self.last_sent = Some((outcome.sent_us, outcome.len_bytes));
        let Some(arrived_us) = outcome.arrived_us else { return };
        self.arrived = self.arrived.saturating_add(1);
        self.arrived_bytes = self.arrived_bytes.saturating_add(outcome.len_bytes.into());
        if self.first_arrived.is_none_or(|(first, _)| since_us(arrived_us, first) < 0) {
            self.first_arrived = Some((arrived_us, outcome.len_bytes));
        }
        if self.last_arrived.is_none_or(|last| since_us(arrived_us, last) > 0) {
            self.last_arrived = Some(arrived_us);
        }
    }
}

/// A burst and its outcomes.
#[derive(Debug)]
pub(crate) struct Cluster {
    probe: Probe,
    first_sent_us: u64,
    /// From the first tagged packet to the last.
    certain: Stretch,
    /// The same and the untagged packets behind, which count if a tagged one follows.
    so_far: Stretch,
}

impl Cluster {
    /// Nothing came back yet.
    pub(crate) fn new(probe: Probe) -> Self {
        let none = Stretch::default();
        Self { probe, first_sent_us: 0, certain: none, so_far: none }
    }

    /// The burst.
    pub(crate) fn probe(&self) -> &Probe {
        &self.probe
    }

    /// The outcome of a packet, of the burst or not.
    pub(crate) fn on_outcome(&mut self, outcome: &Outcome) {
        let tagged = outcome.probe == Some(self.probe.id);
        if self.certain.packets == 0 {
            if !tagged {
                return;
            }
            self.first_sent_us = outcome.sent_us;
        }
        self.so_far.add(outcome);
        if tagged {
            self.certain = self.so_far;
        }
    }

    /// Whether all of the burst came back.
    pub(crate) fn is_whole(&self) -> bool {
        self.certain.packets >= self.probe.packets_min && self.certain.bytes >= self.probe.bytes
    }

    /// What it shows, bits per second; `None` if nothing.
    pub(crate) fn result_bps(&self) -> Option<u64> {
        let seen = &self.certain;
        let enough_packets = u64::from(seen.arrived)
            >= percent(self.probe.packets_min.into(), PROBE_ARRIVED_PERCENT);
        let enough_bytes = seen.arrived_bytes >= percent(self.probe.bytes, PROBE_ARRIVED_PERCENT);
        if !(enough_packets && enough_bytes) {
            return None;
        }
        let (last_sent_us, last_len) = seen.last_sent?;
        let (first_arrived_us, first_len) = seen.first_arrived?;
        let sent_us = last_sent_us.saturating_sub(self.first_sent_us);
        let arrived_us = u64::try_from(since_us(seen.last_arrived?, first_arrived_us)).ok()?;
        if sent_us > PROBE_INTERVAL_US_MAX || arrived_us > PROBE_INTERVAL_US_MAX {
            return None;
        }
        // Between the first packet and the last, one of them is not on the way: the last when sending, the first
        // when receiving.
        let sent_bps = rate_bps(seen.bytes.saturating_sub(last_len.into()), sent_us)?;
        let arrived_bytes = seen.arrived_bytes.saturating_sub(first_len.into());
        let arrived_bps = rate_bps(arrived_bytes, arrived_us)?;
        if arrived_bps > sent_bps.saturating_mul(PROBE_RATIO_MAX) {
            return None;
        }
        if arrived_bps < percent(sent_bps, PROBE_CONGESTED_PERCENT) {
            return Some(percent(arrived_bps, PROBE_RESULT_PERCENT));
        }
        // A driver that sends faster than it was asked to gets no more than it was asked for.
        Some(sent_bps.min(arrived_bps).min(percent(self.probe.rate_bps, 110)))
    }
}

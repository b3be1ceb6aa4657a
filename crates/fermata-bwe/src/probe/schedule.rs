//! When to probe, and how high.

use super::{Cluster, Probe};
use crate::Outcome;
use crate::limits::{
    PROBE_AFTER_DROP_US, PROBE_AFTER_OVERUSE_US, PROBE_ANSWER_US_MAX, PROBE_FACTORS,
    PROBE_FURTHER_PERCENT, PROBE_PACKET_BYTES, PROBE_PACKET_US, PROBE_PACKETS_MIN, PROBE_REASON_US,
    PROBE_REPEATS, PROBE_US_MIN, PROBE_WAIT_US, PROBE_WANTED_PERCENT, PROBE_WORTH_PERCENT,
};
use crate::num::{bytes_in, percent};

/// The probe under way, and when the next is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    next_us: u64,
    wait_us: u64,
    begun_us: Option<u64>,
    factor: u64,
    repeats: u8,
    id: u8,
    active: Option<Cluster>,
}

impl Schedule {
    /// The first probe is due at once.
    pub(crate) fn new() -> Self {
        Self {
            next_us: 0,
            wait_us: PROBE_WAIT_US.0,
            begun_us: None,
            factor: PROBE_FACTORS.0,
            repeats: PROBE_REPEATS,
            id: 0,
            active: None,
        }
    }

    /// When [`Self::poll`] has something to do.
    pub(crate) fn next_timeout_us(&self) -> u64 {
        match self.active {
            Some(_) => self.begun_us.unwrap_or_default().saturating_add(PROBE_ANSWER_US_MAX),
            None => self.next_us,
        }
    }

    /// There is a reason to probe: the next is due at once, and if nothing is found, others soon.
    pub(crate) fn on_reason(&mut self, now_us: u64) {
        let soonest = match self.begun_us {
            Some(begun_us) => begun_us.saturating_add(PROBE_REASON_US),
            None => 0,
        };
        self.next_us = self.next_us.min(now_us.max(soonest));
        self.wait_us = PROBE_WAIT_US.0;
        self.factor = PROBE_FACTORS.0;
        self.repeats = PROBE_REPEATS;
    }

    /// The path is congested: no probe for a while.
    pub(crate) fn on_congestion(&mut self, now_us: u64) {
        self.next_us = self.next_us.max(now_us.saturating_add(PROBE_AFTER_OVERUSE_US));
        self.factor = PROBE_FACTORS.1;
        self.repeats = 0;
    }

    /// The rate of the path fell: what was found before may come back soon.
    pub(crate) fn on_drop(&mut self, now_us: u64) {
        self.wait_us = PROBE_WAIT_US.0;
        self.next_us = now_us.saturating_add(PROBE_AFTER_DROP_US);
    }

    /// The outcome of any packet.
    pub(crate) fn on_outcome(&mut self, outcome: &Outcome) {
        if let Some(cluster) = &mut self.active {
            cluster.on_outcome(outcome);
        }
    }

    /// Feedback does not come: nothing will be heard of the probe under way.
    pub(crate) fn on_silence(&mut self) {
        self.active = None;
    }

    /// The feedback is read; `target_bps` is what the result is compared with. The rate that a probe showed, bits
    /// per second, if one ended and showed any.
    pub(crate) fn on_feedback_end(&mut self, now_us: u64, target_bps: u64) -> Option<u64> {
        let cluster = self.active.take_if(|cluster| cluster.is_whole())?;
        self.finish(&cluster, now_us, target_bps)
    }

    /// A burst, if one is due: up to `wanted_bps` from `target_bps`.
    pub(crate) fn poll(&mut self, now_us: u64, target_bps: u64, wanted_bps: u64) -> Option<Probe> {
        if self.next_timeout_us() > now_us {
            return None;
        }
        if self.active.take().is_some() {
            // Nothing came back, or not enough: something is wrong with the path, or nothing could be sent.
            self.postpone(now_us);
            return None;
        }
        let rate_bps =
            target_bps.saturating_mul(self.factor).min(percent(wanted_bps, PROBE_WANTED_PERCENT));
        if rate_bps < percent(target_bps, PROBE_WORTH_PERCENT) {
            self.next_us = now_us.saturating_add(PROBE_WAIT_US.0);
            return None;
        }
        self.id = self.id.wrapping_add(1);
        let (shortest, longest) = PROBE_PACKET_BYTES;
        let packet = bytes_in(rate_bps, PROBE_PACKET_US).clamp(shortest, longest);
        let least = packet.saturating_mul(PROBE_PACKETS_MIN.into());
        let probe = Probe {
            id: self.id,
            rate_bps,
            packets_min: PROBE_PACKETS_MIN,
            bytes: bytes_in(rate_bps, PROBE_US_MIN).max(least),
        };
        self.begun_us = Some(now_us);
        self.active = Some(Cluster::new(probe));
        Some(probe)
    }

    fn finish(&mut self, cluster: &Cluster, now_us: u64, target_bps: u64) -> Option<u64> {
        let Some(bps) = cluster.result_bps() else {
            self.repeat(now_us);
            return None;
        };
        let found = bps > percent(target_bps, PROBE_WORTH_PERCENT);
        if !found {
            self.repeat(now_us);
        } else if bps >= percent(cluster.probe().rate_bps, PROBE_FURTHER_PERCENT) {
            self.next_us = now_us;
            self.wait_us = PROBE_WAIT_US.0;
        } else {
            self.postpone(now_us);
        }
        self.factor = PROBE_FACTORS.1;
        Some(bps)
    }

    /// Nothing was found: soon once more if there was a reason, later if not.
    fn repeat(&mut self, now_us: u64) {
        if let Some(left) = self.repeats.checked_sub(1) {
            self.repeats = left;
            self.next_us = now_us.saturating_add(PROBE_REASON_US);
        } else {
            self.postpone(now_us);
        }
    }

    fn postpone(&mut self, now_us: u64) {
        self.next_us = now_us.saturating_add(self.wait_us);
        self.wait_us = self.wait_us.saturating_mul(2).min(PROBE_WAIT_US.1);
        self.factor = PROBE_FACTORS.1;
    }
}

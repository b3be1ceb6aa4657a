//! The path: a queue before a bottleneck, loss, a policer, delay, jitter, and the clock at its other end.

use std::collections::VecDeque;

use super::{Chance, Packet};

/// Of a byte: a policer at one bit per second gains one token in a microsecond.
const TOKENS: u64 = 8_000_000;

/// Lets `rate_bps` through and drops the rest without a queue, but for bursts.
#[derive(Debug)]
pub(crate) struct Policer {
    pub(crate) rate_bps: u64,
    pub(crate) burst_bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) chance: Chance,
    /// Of the bottleneck now; 1 Gb/s is none.
    pub(crate) rate_bps: u64,
    /// One way; the feedback takes as long.
    pub(crate) delay_us: u64,
    /// Up to so much more, packets stay in order.
    pub(crate) jitter_us: u64,
    /// Lost at random, of a thousand.
    pub(crate) loss: u64,
    /// The queue drops what is more.
    pub(crate) queue_bytes_max: u64,
    pub(crate) policer: Option<Policer>,
    /// The peer's clock is faster by so many millionths.
    pub(crate) drift_ppm: i64,
    tokens: u64,
    tokens_us: u64,
    queue: VecDeque<Packet>,
    queued_bytes: u64,
    free_us: u64,
    last_us: u64,
}

impl Path {
    pub(crate) fn new(seed: u64, rate_bps: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            rate_bps,
            delay_us: 25_000,
            jitter_us: 2_000,
            loss: 0,
            queue_bytes_max: 1_000_000,
            policer: None,
            drift_ppm: 0,
            tokens: 0,
            tokens_us: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            free_us: 0,
            last_us: 0,
        }
    }

    pub(super) fn enter(&mut self, packet: Packet) {
        if self.chance.of_thousand(self.loss) || !self.passes(&packet) {
            return;
        }
        if self.queued_bytes + u64::from(packet.len) > self.queue_bytes_max {
            return;
        }
        self.queued_bytes += u64::from(packet.len);
        self.queue.push_back(packet);
    }

    fn passes(&mut self, packet: &Packet) -> bool {
        let Some(policer) = &self.policer else { return true };
        let passed_us = packet.sent_us - self.tokens_us;
        self.tokens_us = packet.sent_us;
        let filled = self.tokens + passed_us * policer.rate_bps;
        let left =
            filled.min(policer.burst_bytes * TOKENS).checked_sub(u64::from(packet.len) * TOKENS);
        self.tokens = left.unwrap_or(filled);
        left.is_some()
    }

    /// What left the bottleneck until now, and when it arrives.
    pub(super) fn serve(&mut self, now_us: u64) -> Vec<(u64, Packet)> {
        let mut served = Vec::new();
        while let Some(packet) = self.queue.front().copied() {
            let begins_us = self.free_us.max(packet.sent_us);
            let ends_us = begins_us + u64::from(packet.len) * 8_000_000 / self.rate_bps;
            if ends_us > now_us {
                break;
            }
            self.queue.pop_front();
            self.queued_bytes -= u64::from(packet.len);
            self.free_us = ends_us;
            let arrives_us = ends_us + self.delay_us + self.chance.below(self.jitter_us);
            self.last_us = self.last_us.max(arrives_us);
            served.push((self.last_us, packet));
        }
        served
    }

    /// The peer's clock, which wraps soon after the beginning, and tells quarters of a millisecond.
    pub(super) fn peer_clock(&self, now_us: u64) -> u64 {
        let drift = i64::try_from(now_us).unwrap() * self.drift_ppm / 1_000_000;
        let ticks = now_us.wrapping_add_signed(drift) / 250 * 250;
        ticks.wrapping_sub(1_005 * super::SECOND_US)
    }
}

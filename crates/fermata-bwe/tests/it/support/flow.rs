//! One sender with its controller, and its receiver.

use std::collections::VecDeque;

use fermata_bwe::{Config, Controller, Outcome};

use super::{Chance, Packet, STEP_US};

const FRAME_US: u64 = 33_333;
const PACKET_BYTES: u16 = 1_200;

/// A burst under way.
#[derive(Debug)]
struct Burst {
    id: u8,
    rate_bps: u64,
    bytes: u64,
    sent_bytes: u64,
    packets_left: u32,
    padding: u16,
    begun_us: u64,
}

/// Sends video of the rate that is allowed and asked for, a frame paced over its interval.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) controller: Controller,
    pub(crate) demand_bps: u64,
    /// Of a packet that carries nothing else, so that low rates have packets, too.
    pub(crate) packet_bytes: u16,
    pub(crate) arrived_bytes: u64,
    /// Time that packets waited in the queue, milliseconds.
    pub(crate) waits_ms: Vec<u64>,
    pub(crate) probes: u64,
    /// Rates of the layers, if only these can be sent; the lowest is sent whatever is allowed.
    pub(crate) layers_bps: Vec<u64>,
    /// Nothing is sent but bursts.
    pub(crate) stopped: bool,
    chance: Chance,
    frame_us: u64,
    pacing: VecDeque<(u64, u16)>,
    burst: Option<Burst>,
    sent: Vec<Outcome>,
    reported: usize,
    arrived: usize,
    feedback_us: u64,
    feedbacks: VecDeque<(u64, Vec<Outcome>)>,
}

impl Flow {
    pub(crate) fn new(seed: u64, start_bps: u64, wanted_bps: u64) -> Self {
        let config = Config { start_bps, min_bps: 30_000, max_bps: 20_000_000 };
        let mut controller = Controller::new(config);
        controller.set_wanted(0, wanted_bps);
        Self {
            controller,
            demand_bps: wanted_bps,
            packet_bytes: PACKET_BYTES,
            arrived_bytes: 0,
            waits_ms: Vec::new(),
            probes: 0,
            layers_bps: Vec::new(),
            stopped: false,
            chance: Chance::new(seed ^ 0x5eed),
            frame_us: 0,
            pacing: VecDeque::new(),
            burst: None,
            sent: Vec::new(),
            reported: 0,
            arrived: 0,
            feedback_us: 0,
            feedbacks: VecDeque::new(),
        }
    }

    pub(crate) fn target_bps(&self) -> u64 {
        self.controller.target_bps()
    }

    /// The wait that 95 of 100 packets did not exceed.
    pub(crate) fn wait_p95_ms(&self) -> u64 {
        let mut waits = self.waits_ms.clone();
        waits.sort_unstable();
        waits.get(waits.len() * 95 / 100).copied().unwrap_or_default()
    }

    /// One step: feedback that came, a frame if it is time, what is paced, a burst if one is due.
    pub(super) fn send(&mut self, now_us: u64, mut out: impl FnMut(Packet)) {
        while self.feedbacks.front().is_some_and(|(at, _)| *at <= now_us) {
            let (_, outcomes) = self.feedbacks.pop_front().unwrap();
            let newest = outcomes.last().map(|outcome| now_us - outcome.sent_us);
            self.controller.on_feedback(now_us, &outcomes, newest);
        }
        if self.controller.next_timeout_us().is_some_and(|at| at <= now_us) {
            self.controller.on_timeout(now_us);
        }
        if now_us >= self.frame_us && !self.stopped {
            self.frame(now_us);
        }
        if self.burst.is_none()
            && let Some(probe) = self.controller.poll_probe(now_us)
        {
            self.probes += 1;
            let (id, rate_bps, bytes) = (probe.id, probe.rate_bps, probe.bytes);
            let packets_left = probe.packets_min;
            let padding = u16::try_from(bytes / u64::from(packets_left)).unwrap().min(PACKET_BYTES);
            let (sent_bytes, begun_us) = (0, now_us);
            let burst = Burst { id, rate_bps, bytes, sent_bytes, packets_left, padding, begun_us };
            self.burst = Some(burst);
        }
        if self.burst.is_some() {
            self.send_burst(now_us, &mut out);
        }
        while self.burst.is_none() && self.pacing.front().is_some_and(|(at, _)| *at <= now_us) {
            let (_, len) = self.pacing.pop_front().unwrap();
            self.send_one(now_us, len, None, &mut out);
        }
    }

    fn frame(&mut self, now_us: u64) {
        self.frame_us = now_us + FRAME_US;
        let allowed_bps = self.target_bps().min(self.demand_bps);
        let fits = self.layers_bps.iter().filter(|layer| **layer <= allowed_bps).max();
        let rate_bps = fits.or(self.layers_bps.first()).copied().unwrap_or(allowed_bps);
        let mean = rate_bps * FRAME_US / 8_000_000;
        let mut left = mean * (80 + self.chance.below(41)) / 100;
        let count = left.div_ceil(self.packet_bytes.into()).max(1);
        for index in 0..count {
            let len = left.min(self.packet_bytes.into());
            left -= len;
            let at = now_us + FRAME_US * index / count;
            self.pacing.push_back((at, u16::try_from(len).unwrap().max(50)));
        }
    }

    /// Media go at the burst's rate, and padding when there are none.
    fn send_burst(&mut self, now_us: u64, out: &mut impl FnMut(Packet)) {
        let Some(mut burst) = self.burst.take() else { return };
        let allowed = burst.rate_bps * (now_us + STEP_US - burst.begun_us) / 8_000_000;
        let is_open = |burst: &Burst| burst.sent_bytes < burst.bytes || burst.packets_left > 0;
        while burst.sent_bytes < allowed && is_open(&burst) {
            let len = self.pacing.pop_front().map_or(burst.padding, |(_, len)| len);
            self.send_one(now_us, len, Some(burst.id), out);
            burst.sent_bytes += u64::from(len);
            burst.packets_left = burst.packets_left.saturating_sub(1);
        }
        if is_open(&burst) {
            self.burst = Some(burst);
        }
    }

    fn send_one(&mut self, now_us: u64, len: u16, probe: Option<u8>, out: &mut impl FnMut(Packet)) {
        self.controller.on_sent(now_us, len);
        out(Packet { flow: 0, number: self.sent.len(), len, sent_us: now_us });
        self.sent.push(Outcome { sent_us: now_us, len_bytes: len, arrived_us: None, probe });
    }

    pub(super) fn arrive(&mut self, packet: &Packet, peer_us: u64, waited_us: u64) {
        self.sent[packet.number].arrived_us = Some(peer_us);
        self.arrived = packet.number + 1;
        self.arrived_bytes += u64::from(packet.len);
        self.waits_ms.push(waited_us / 1_000);
    }

    /// The receiver tells what came, every 50 to 100 ms.
    pub(super) fn feed_back(&mut self, now_us: u64, delay_us: u64, chance: &mut Chance) {
        if now_us < self.feedback_us || self.arrived <= self.reported {
            return;
        }
        self.feedback_us = now_us + 50_000 + chance.below(50_000);
        let outcomes = self.sent[self.reported..self.arrived].to_vec();
        self.reported = self.arrived;
        self.feedbacks.push_back((now_us + delay_us, outcomes));
    }
}

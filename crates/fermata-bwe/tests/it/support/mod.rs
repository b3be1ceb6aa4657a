//! A path with a queue, in steps of a millisecond from a seed, with one or more senders of video.
//!
//! What it is not: no RTP; the transport's part (numbers, feedback on the wire) is reduced to what it means.

mod flow;
mod path;

use std::collections::VecDeque;

pub(crate) use flow::Flow;
pub(crate) use path::{Path, Policer};

/// A second of the simulation.
pub(crate) const SECOND_US: u64 = 1_000_000;
/// A step of the simulation.
pub(crate) const STEP_US: u64 = 1_000;

/// Seeded chance (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    /// True in so many of a thousand.
    pub(crate) fn of_thousand(&mut self, share: u64) -> bool {
        self.below(1_000) < share
    }
}

/// A packet on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) flow: usize,
    pub(crate) number: usize,
    pub(crate) len: u16,
    pub(crate) sent_us: u64,
}

/// All of it.
pub(crate) struct World {
    pub(crate) now_us: u64,
    pub(crate) path: Path,
    pub(crate) flows: Vec<Flow>,
    arriving: VecDeque<(u64, Packet)>,
}

impl World {
    pub(crate) fn new(path: Path, flows: Vec<Flow>) -> Self {
        // Not at zero: nothing may depend on where the clock begins.
        Self { now_us: 1_000 * SECOND_US, path, flows, arriving: VecDeque::new() }
    }

    /// Lets so many milliseconds pass.
    pub(crate) fn run_ms(&mut self, ms: u64) {
        for _ in 0..ms {
            let now_us = self.now_us;
            for (index, flow) in self.flows.iter_mut().enumerate() {
                flow.send(now_us, |packet| {
                    self.path.enter(Packet { flow: index, ..packet });
                });
            }
            self.now_us += STEP_US;
            for (arrives_us, packet) in self.path.serve(self.now_us) {
                self.arriving.push_back((arrives_us, packet));
            }
            while let Some((arrives_us, packet)) = self.arriving.front().copied() {
                if arrives_us > self.now_us {
                    break;
                }
                self.arriving.pop_front();
                let peer_us = self.path.peer_clock(arrives_us);
                let waited_us = (arrives_us - packet.sent_us).saturating_sub(self.path.delay_us);
                self.flows[packet.flow].arrive(&packet, peer_us, waited_us);
            }
            for flow in &mut self.flows {
                flow.feed_back(self.now_us, self.path.delay_us, &mut self.path.chance);
            }
        }
    }

    /// Lets so many seconds pass; for each of `count` parts of them, the target and what arrived, in kb/s.
    pub(crate) fn watch(&mut self, flow: usize, count: u64, part_ms: u64) -> Vec<(u64, u64)> {
        (0..count)
            .map(|_| {
                let before = self.flows[flow].arrived_bytes;
                self.run_ms(part_ms);
                let flow = &self.flows[flow];
                (flow.target_bps() / 1_000, (flow.arrived_bytes - before) * 8 / part_ms)
            })
            .collect()
    }

    /// Milliseconds until the target of a flow is as asked for; `None` if not within the time.
    pub(crate) fn until(
        &mut self,
        flow: usize,
        ms_max: u64,
        good: impl Fn(&Flow) -> bool,
    ) -> Option<u64> {
        (0..ms_max).find(|_| {
            self.run_ms(1);
            good(&self.flows[flow])
        })
    }
}

//! A network in memory: loss, bursts of it, delay, packets that come late, duplicates, all from a seed.
//!
//! What becomes of a packet of media depends on which packet it is and not on how many went before it. So two
//! forwarders that treat their feedback differently still lose the same packets, and differ only in what they make of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use crate::dice::{fraction, part, unit};
use crate::shape::Shape;
pub(crate) use crate::support::media::Ms;
use crate::wire::{Formats, Kind};

/// Time from end to end: so much, and up to so much more, for each direction of each connection. They differ, because
/// between ways of equal length a request and its answer would always meet in the same moment.
const DELAY: (Ms, Ms) = (12, 20);
/// Bursts start at multiples of this.
const BURST_STEP: Ms = 20;

/// A stream of media on the wire.
#[derive(Debug)]
struct Stream {
    ssrc: u32,
    kind: Kind,
    first: u16,
    seen: HashSet<u16>,
}

/// What went into a direction while it was bad.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// By [`Kind`].
    pub(crate) sent: [u64; 5],
    /// Media packets that were sent a second time under their own number.
    pub(crate) repeated: u64,
}

impl Tally {
    pub(crate) fn of(&self, kind: Kind) -> u64 {
        self.sent[kind as usize]
    }
}

/// One direction of one connection.
pub(crate) struct Direction {
    seed: u64,
    shape: Shape,
    pub(crate) delay: Ms,
    /// Before, it is clean.
    from: Ms,
    pub(crate) formats: Formats,
    streams: Vec<Stream>,
    /// By [`Kind`]: the latest millisecond, and how many were in it.
    numbers: [(Ms, u64); 5],
    order: u64,
    flying: BinaryHeap<Reverse<(Ms, u64, Vec<u8>)>>,
    pub(crate) tally: Tally,
}

impl Direction {
    pub(crate) fn new(seed: u64, shape: Shape, from: Ms) -> Self {
        let formats = Formats::default();
        let (streams, flying) = (Vec::new(), BinaryHeap::new());
        let tally = Tally::default();
        let delay = DELAY.0 + part(unit(seed, [31, 0, 0, 0]), DELAY.1);
        Self {
            seed,
            shape,
            delay,
            from,
            formats,
            streams,
            numbers: [(0, 0); 5],
            order: 0,
            flying,
            tally,
        }
    }

    /// A datagram goes in.
    pub(crate) fn send(&mut self, now: Ms, data: Vec<u8>) {
        let kind = self.formats.of(&data);
        let name = self.name(now, kind, &data);
        if now < self.from {
            self.fly(now + self.delay, data);
            return;
        }
        self.tally.sent[kind as usize] += 1;
        let share = |salt| unit(self.seed, [salt, kind as u64, name.0, name.1]);
        if share(1) < self.shape.loss || self.in_burst(now) {
            return;
        }
        let (seldom, most) = self.shape.late;
        let late = |salt| if share(salt) < seldom { part(share(salt + 10), most) } else { 0 };
        let (first, second) = (now + self.delay + late(2), now + self.delay + late(3));
        if share(4) < self.shape.twice {
            self.fly(second, data.clone());
        }
        self.fly(first, data);
    }

    /// A datagram that has arrived.
    pub(crate) fn receive(&mut self, now: Ms) -> Option<Vec<u8>> {
        self.flying.peek().filter(|Reverse((at, ..))| *at <= now)?;
        self.flying.pop().map(|Reverse((.., data))| data)
    }

    fn fly(&mut self, at: Ms, data: Vec<u8>) {
        self.order += 1;
        self.flying.push(Reverse((at, self.order, data)));
    }

    /// What tells a datagram from others of its kind: stream and place in it for media, else the moment.
    fn name(&mut self, now: Ms, kind: Kind, data: &[u8]) -> (u64, u64) {
        if !matches!(kind, Kind::Video | Kind::Audio) {
            let (at, number) = &mut self.numbers[kind as usize];
            *number = if *at == now { *number + 1 } else { 0 };
            *at = now;
            return (*number, now);
        }
        let seq = u16::from_be_bytes([data[2], data[3]]);
        let ssrc = u32::from_be_bytes([data[8], data[9], data[10], data[11]]);
        let known = self.streams.iter().position(|stream| stream.ssrc == ssrc);
        let place = known.unwrap_or_else(|| {
            self.streams.push(Stream { ssrc, kind, first: seq, seen: HashSet::new() });
            self.streams.len() - 1
        });
        let number = self.streams[..place].iter().filter(|stream| stream.kind == kind).count();
        let stream = &mut self.streams[place];
        self.tally.repeated += u64::from(!stream.seen.insert(seq));
        (number as u64, u64::from(seq.wrapping_sub(stream.first)))
    }

    fn in_burst(&self, now: Ms) -> bool {
        let (per_second, length) = self.shape.bursts;
        let chance = per_second * fraction(BURST_STEP, 1_000);
        let step = now / BURST_STEP;
        let back = length.div_ceil(BURST_STEP);
        (0..back).any(|back| {
            let start = step.saturating_sub(back);
            start * BURST_STEP >= self.from && unit(self.seed, [9, start, 0, 0]) < chance
        })
    }
}

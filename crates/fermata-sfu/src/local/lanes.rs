//! What one part told another and that one has not heard yet: a lane for each two, in order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::seam::{ShardHop, ShardId, ShardOrder, ShardReport};

/// Who tells or hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Rooms,
    Shard(ShardId),
}

/// What is told.
#[derive(Debug)]
pub(super) enum Message {
    /// By the rooms to a shard.
    Order(ShardOrder),
    /// By a shard to the rooms.
    Report(ShardReport),
    /// By that shard to another.
    Hop(ShardId, ShardHop),
}

/// From one part to another; the earliest in front.
#[derive(Debug)]
struct Lane {
    to: Part,
    waiting: VecDeque<(Instant, Message)>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Lanes {
    /// By who tells, then by who hears.
    lanes: Vec<Lane>,
    parts: usize,
    delay_max: Duration,
    random: StdRng,
}

/// Place of a part among all.
fn place(part: Part) -> usize {
    match part {
        Part::Rooms => 0,
        Part::Shard(id) => 1 + id.index(),
    }
}

impl Lanes {
    /// Empty ones between the rooms and so many shards.
    pub(super) fn new(shards: usize, seed: [u8; 32], delay_max: Duration) -> Self {
        let hearers = || std::iter::once(Part::Rooms).chain((0..).map(ShardId).map(Part::Shard));
        let parts = 1 + shards;
        let lanes = (0..parts).flat_map(|_| hearers().take(parts));
        Self {
            lanes: lanes.map(|to| Lane { to, waiting: VecDeque::new() }).collect(),
            parts,
            delay_max,
            random: StdRng::from_seed(seed),
        }
    }

    /// One tells another something.
    pub(super) fn put(&mut self, now: Instant, from: Part, to: Part, message: Message) {
        let delay = if self.delay_max.is_zero() {
            Duration::ZERO
        } else {
            self.random.random_range(Duration::ZERO..=self.delay_max)
        };
        let lane = self.lanes.get_mut(place(from) * self.parts + place(to));
        if let Some(lane) = lane {
            // Nothing overtakes what was told before.
            let last = lane.waiting.back().map_or(now, |(due, _)| *due);
            lane.waiting.push_back((last.max(now + delay), message));
        }
    }

    /// The next that is heard by now, and by whom.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Part, Message)> {
        let due = |lane: &Lane| lane.waiting.front().map(|(due, _)| *due);
        let lanes = self.lanes.iter_mut().filter(|lane| due(lane).is_some_and(|due| due <= now));
        let lane = lanes.min_by_key(|lane| due(lane))?;
        lane.waiting.pop_front().map(|(_, message)| (lane.to, message))
    }

    /// When the next is heard.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|lane| lane.waiting.front()).map(|(due, _)| *due).min()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;
    use crate::key::ParticipantId;
    use crate::seam::Order;

    #[test]
    fn lanes_keep_their_order_and_their_time() {
        let now = Now::read().instant;
        let max = Duration::from_millis(100);
        let mut lanes = Lanes::new(2, [3; 32], max);
        let order = |n| Message::Order(ShardOrder(Order::Leave(ParticipantId(n))));
        let to = Part::Shard(ShardId(1));
        for n in 0..50 {
            lanes.put(now, Part::Rooms, to, order(n));
        }
        assert!(lanes.next_due().is_some_and(|due| due <= now + max));
        let mut heard = Vec::new();
        for ms in 0..=100 {
            while let Some((who, message)) = lanes.take_due(now + Duration::from_millis(ms)) {
                let Message::Order(ShardOrder(Order::Leave(ParticipantId(n)))) = message else {
                    panic!("{message:?}");
                };
                assert_eq!(who, to);
                heard.push(n);
            }
        }
        assert_eq!(heard, (0..50).collect::<Vec<_>>());
        assert_eq!((lanes.len(), lanes.next_due()), (0, None));
    }
}

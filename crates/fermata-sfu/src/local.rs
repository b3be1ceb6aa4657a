//! Rooms and shards in one thread, for whoever drives them by hand: tests, simulators, fuzzers.
//!
//! What it is not: a way to run a node; there each has a thread of its own. Here everything that one part tells
//! another is heard at once, or, to see that nobody depends on that, after a while ([`Local::delayed`]).

mod lanes;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use fermata_transport::egress::Egress;
use fermata_types::Now;

use self::lanes::{Lanes, Message, Part};
use crate::io::{Input, Output};
use crate::{Datagrams, Sfu, SfuConfig, SfuStats, Shard};

/// An [`Sfu`] and its [`Shard`]s.
#[derive(Debug)]
pub struct Local {
    sfu: Sfu,
    shards: Vec<Shard>,
    /// Where each of them receives.
    addresses: Vec<Vec<SocketAddr>>,
    out: VecDeque<Output>,
    /// What one part told another.
    lanes: Lanes,
    now: Now,
}

impl Local {
    /// Rooms without anybody; see [`Sfu::new`].
    pub fn new(config: SfuConfig, seed: [u8; 32], now: Now) -> Self {
        Self::delayed(config, seed, now, Duration::ZERO)
    }

    /// The same, where whatever one part tells another takes a while of up to `delay_max`, by the seed; what it was
    /// told by one part stays in order.
    pub fn delayed(config: SfuConfig, seed: [u8; 32], now: Now, delay_max: Duration) -> Self {
        let addresses = config.shards.clone();
        let (sfu, shards) = Sfu::new(config, seed, now);
        let lanes = Lanes::new(shards.len(), seed, delay_max);
        Self { sfu, shards, addresses, out: VecDeque::new(), lanes, now }
    }

    /// Takes one thing that happened. Then call [`Local::poll_egress`] until there is nothing more, and
    /// [`Local::poll_output`] until [`Output::Timeout`].
    pub fn handle_input(&mut self, now: Now, input: Input) {
        self.now = now;
        let passes = matches!(input, Input::Timeout);
        self.sfu.handle_input(now, input);
        if passes {
            for shard in &mut self.shards {
                shard.handle_timeout(now);
            }
        }
        self.settle();
    }

    /// Takes datagrams; they belong to the shard that receives at their destination, or to nobody.
    pub fn handle_datagrams(&mut self, now: Now, datagrams: Datagrams<'_>) {
        self.now = now;
        let place = self.addresses.iter().position(|all| all.contains(&datagrams.destination));
        if let Some(shard) = place.and_then(|place| self.shards.get_mut(place)) {
            shard.handle_datagrams(now, datagrams);
        }
        self.settle();
    }

    /// Datagrams to send now; `None` when nothing more is due. What is given is gone at the next call.
    pub fn poll_egress(&mut self, now: Now) -> Option<&Egress> {
        let mut place = 0;
        while place < self.shards.len() {
            // Looked at again below, since what is lent cannot be given back from a loop.
            if self.shards.get_mut(place)?.begin_egress(now) {
                return self.shards.get(place).map(Shard::egress);
            }
            place += 1;
        }
        self.settle();
        None
    }

    /// The next thing to do, or until when there is nothing.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        let mut next = match self.sfu.poll_output() {
            Output::Timeout(at) => at,
            output => return output,
        };
        for shard in &mut self.shards {
            next = next.min(shard.next_timeout());
        }
        Output::Timeout(self.lanes.next_due().map_or(next, |due| next.min(due)))
    }

    /// Counters and gauges as of now, of all parts together.
    pub fn stats(&self) -> SfuStats {
        let mut stats = self.sfu.stats();
        for shard in &self.shards {
            stats.add(&shard.stats());
        }
        stats
    }

    /// Entries in every map that should be empty when nobody is there. For leak tests.
    pub fn entries(&self) -> usize {
        let shards: usize = self.shards.iter().map(Shard::entries).sum();
        self.sfu.entries() + self.out.len() + self.lanes.len() + shards
    }

    /// Carries what is due to where it belongs, until nobody has anything more to say.
    fn settle(&mut self) {
        loop {
            self.gather();
            let mut quiet = true;
            while let Some((to, message)) = self.lanes.take_due(self.now.instant) {
                quiet = false;
                self.deliver(to, message);
            }
            if quiet {
                return;
            }
        }
    }

    /// Takes what everybody has to say.
    fn gather(&mut self) {
        let Self { sfu, shards, out, lanes, now, .. } = self;
        loop {
            match sfu.poll_output() {
                Output::Timeout(_) => break,
                Output::Order(to, order) => {
                    lanes.put(now.instant, Part::Rooms, Part::Shard(to), Message::Order(order));
                }
                output => out.push_back(output),
            }
        }
        for shard in shards {
            let from = Part::Shard(shard.id());
            while let Some(report) = shard.poll_report() {
                lanes.put(now.instant, from, Part::Rooms, Message::Report(report));
            }
            while let Some((to, hop)) = shard.poll_hop() {
                let message = Message::Hop(shard.id(), hop);
                lanes.put(now.instant, from, Part::Shard(to), message);
            }
        }
    }

    fn deliver(&mut self, to: Part, message: Message) {
        let now = self.now;
        let shard = match to {
            Part::Rooms => None,
            Part::Shard(id) => self.shards.get_mut(id.index()),
        };
        match (message, shard) {
            (Message::Report(report), _) => self.sfu.handle_input(now, Input::Report(report)),
            (Message::Order(order), Some(shard)) => shard.handle_order(now, order),
            (Message::Hop(from, hop), Some(shard)) => shard.handle_hop(now, from, hop),
            (Message::Order(_) | Message::Hop(..), None) => {}
        }
    }
}

//! Rooms and shards in one thread, for whoever drives them by hand: tests, simulators, fuzzers.
//!
//! What it is not: a way to run a node; there each has a thread of its own. Here everything that one part tells
//! another is heard at once.

use std::collections::VecDeque;
use std::net::SocketAddr;

use fermata_transport::egress::Egress;
use fermata_types::Now;

use crate::io::{Input, Output};
use crate::seam::{ShardHop, ShardId, ShardOrder};
use crate::{Datagrams, Sfu, SfuConfig, SfuStats, Shard};

/// An [`Sfu`] and its [`Shard`]s.
#[derive(Debug)]
pub struct Local {
    sfu: Sfu,
    shards: Vec<Shard>,
    /// Where each of them receives.
    addresses: Vec<Vec<SocketAddr>>,
    out: VecDeque<Output>,
    now: Now,
}

impl Local {
    /// Rooms without anybody; see [`Sfu::new`].
    pub fn new(config: SfuConfig, seed: [u8; 32], now: Now) -> Self {
        let addresses = config.shards.clone();
        let (sfu, shards) = Sfu::new(config, seed, now);
        Self { sfu, shards, addresses, out: VecDeque::new(), now }
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
        Output::Timeout(next)
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
        self.sfu.entries() + self.out.len() + shards
    }

    /// Carries everything to where it belongs, until nobody has anything to say.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            loop {
                match self.sfu.poll_output() {
                    Output::Timeout(_) => break,
                    Output::Order(to, order) => {
                        quiet = false;
                        self.order(to, order);
                    }
                    output => self.out.push_back(output),
                }
            }
            for place in 0..self.shards.len() {
                quiet &= self.settle_shard(place);
            }
            if quiet {
                return;
            }
        }
    }

    /// What one shard has to say; true if nothing.
    fn settle_shard(&mut self, place: usize) -> bool {
        let mut quiet = true;
        while let Some(shard) = self.shards.get_mut(place) {
            let from = shard.id();
            if let Some(report) = shard.poll_report() {
                self.sfu.handle_input(self.now, Input::Report(report));
            } else if let Some((to, hop)) = shard.poll_hop() {
                self.hop(from, to, hop);
            } else {
                break;
            }
            quiet = false;
        }
        quiet
    }

    fn order(&mut self, to: ShardId, order: ShardOrder) {
        if let Some(shard) = self.shards.get_mut(to.index()) {
            shard.handle_order(self.now, order);
        }
    }

    fn hop(&mut self, from: ShardId, to: ShardId, hop: ShardHop) {
        if let Some(shard) = self.shards.get_mut(to.index()) {
            shard.handle_hop(self.now, from, hop);
        }
    }
}

//! Which shard serves whom: small rooms whole, large ones over all shards.
//!
//! Who is served where decides only about cores: people of one room on several shards are in the same room in every
//! respect, at the price of carrying packets over.

use crate::seam::ShardId;

/// How much each shard has to do, in streams: one for everybody served, and one for every track that somebody
/// receives.
#[derive(Debug)]
pub(crate) struct Placement {
    loads: Vec<usize>,
    /// How much more than the idlest shard one may have to do before people of its rooms go elsewhere.
    imbalance_max: usize,
}

impl Placement {
    /// Nobody is served yet; at least one shard.
    pub(crate) fn new(shards: usize, imbalance_max: usize) -> Self {
        Self { loads: vec![0; shards.max(1)], imbalance_max }
    }

    /// Where a room begins: where least is to be done.
    pub(crate) fn home(&self) -> ShardId {
        self.idlest().0
    }

    /// Where somebody is served whose room began at `home`.
    pub(crate) fn place(&self, home: ShardId) -> ShardId {
        let (idlest, least) = self.idlest();
        let load = self.loads.get(home.index()).copied().unwrap_or(usize::MAX);
        if load > least.saturating_add(self.imbalance_max) { idlest } else { home }
    }

    /// One stream more.
    pub(crate) fn add(&mut self, shard: ShardId) {
        if let Some(load) = self.loads.get_mut(shard.index()) {
            *load += 1;
        }
    }

    /// One stream less.
    pub(crate) fn remove(&mut self, shard: ShardId) {
        if let Some(load) = self.loads.get_mut(shard.index()) {
            *load = load.saturating_sub(1);
        }
    }

    /// Streams of all shards together. For leak tests.
    pub(crate) fn streams(&self) -> usize {
        self.loads.iter().sum()
    }

    fn idlest(&self) -> (ShardId, usize) {
        let loads = (0..).map(ShardId).zip(self.loads.iter().copied());
        loads.min_by_key(|(_, load)| *load).unwrap_or((ShardId(0), 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_rooms_stay_whole_and_large_ones_spread() {
        let mut placement = Placement::new(3, 10);
        let mut served = [0; 3];
        for _ in 0..100 {
            let shard = placement.place(ShardId(1));
            placement.add(shard);
            served[shard.index()] += 1;
            assert!(served[1] <= 11 || served.iter().all(|n| *n > 0), "{served:?}");
        }
        assert_eq!(served.iter().sum::<usize>(), 100);
        assert!(served.iter().max().unwrap() - served.iter().min().unwrap() <= 11, "{served:?}");
        for _ in 0..served[0] {
            placement.remove(ShardId(0));
        }
        assert_eq!((placement.home(), placement.place(ShardId(0))), (ShardId(0), ShardId(0)));
        assert_eq!(placement.place(ShardId(1)), ShardId(0));
    }
}

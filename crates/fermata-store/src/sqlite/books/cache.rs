//! Books at hand: states by account, and documents that every step reads.
//!
//! What it is not: a source of truth. Whatever is undone on the disk leaves the cache, and dropping all of it
//! changes nothing but speed (P23).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fermata_billing::catalog::Catalog;
use fermata_billing::id::PartnerId;
use fermata_billing::policy::Agreement;
use fermata_billing::state::State;
use fermata_types::AccountId;

use crate::limits::BOOKS_CACHED;

#[derive(Debug, Default)]
pub(super) struct Cache {
    states: HashMap<AccountId, (u64, State)>,
    /// Rises with every use.
    clock: u64,
    pub(super) catalog: Option<Arc<Catalog>>,
    pub(super) agreements: HashMap<PartnerId, Arc<Agreement>>,
    pub(super) switches: HashMap<&'static str, bool>,
    /// Accounts worked on by the command under way, and by the commands before it in the group.
    touched: BTreeSet<AccountId>,
    touched_before: BTreeSet<AccountId>,
    /// Accounts whose epoch changed, in the same two parts.
    changed: Vec<AccountId>,
    changed_before: Vec<AccountId>,
}

impl Cache {
    pub(super) fn take(&mut self, account: &AccountId) -> Option<State> {
        self.touched.insert(account.clone());
        self.states.remove(account).map(|(_, state)| state)
    }

    pub(super) fn put(&mut self, account: &AccountId, state: State) {
        self.clock += 1;
        self.states.insert(account.clone(), (self.clock, state));
        if self.states.len() > BOOKS_CACHED {
            // An eighth at a time, so that looking for the oldest costs little on average.
            let keep = BOOKS_CACHED - BOOKS_CACHED / 8;
            let mut uses: Vec<_> = self.states.values().map(|(used, _)| *used).collect();
            let (_, oldest, _) = uses.select_nth_unstable_by(keep, |a, b| b.cmp(a));
            let oldest = *oldest;
            self.states.retain(|_, (used, _)| *used > oldest);
        }
    }

    pub(super) fn changed(&mut self, account: &AccountId) {
        self.changed.push(account.clone());
    }

    fn forget_documents(&mut self) {
        self.catalog = None;
        self.agreements.clear();
        self.switches.clear();
    }

    pub(super) fn command_ended(&mut self, done: bool) {
        let touched = std::mem::take(&mut self.touched);
        let changed = std::mem::take(&mut self.changed);
        if done {
            self.touched_before.extend(touched);
            self.changed_before.extend(changed);
        } else {
            self.states.retain(|account, _| !touched.contains(account));
            self.forget_documents();
        }
    }

    /// Gives the accounts whose change is now durable.
    pub(super) fn group_ended(&mut self, committed: bool) -> Vec<AccountId> {
        let mut touched = std::mem::take(&mut self.touched_before);
        touched.append(&mut self.touched);
        let changed = std::mem::take(&mut self.changed_before);
        self.changed.clear();
        if committed {
            return changed;
        }
        self.states.retain(|account, _| !touched.contains(account));
        self.forget_documents();
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: usize) -> AccountId {
        AccountId::from_text(&format!("AC_{n}"))
    }

    #[test]
    fn p23_what_is_undone_leaves_the_cache() {
        let mut cache = Cache::default();
        let work = |cache: &mut Cache, n| {
            assert!(cache.take(&account(n)).is_none());
            cache.put(&account(n), State::default());
            cache.changed(&account(n));
        };
        work(&mut cache, 1);
        cache.command_ended(true);
        work(&mut cache, 2);
        cache.command_ended(false);
        assert_eq!(cache.group_ended(true), [account(1)], "nobody hears of what was undone");
        assert!(cache.take(&account(1)).is_some());
        assert!(cache.take(&account(2)).is_none());
        cache.group_ended(false);

        work(&mut cache, 3);
        cache.command_ended(true);
        assert_eq!(cache.group_ended(false), []);
        assert!(cache.take(&account(3)).is_none(), "the commit failed");
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_was_used_last() {
        let mut cache = Cache::default();
        for n in 0..=BOOKS_CACHED {
            cache.put(&account(n), State::default());
        }
        assert!(cache.states.len() <= BOOKS_CACHED);
        assert!(cache.take(&account(0)).is_none());
        assert!(cache.take(&account(BOOKS_CACHED)).is_some());
    }
}

//! Telling who listens that what is allowed changed in an account, after the commit.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use fermata_types::AccountId;
use tokio::sync::watch;

use crate::Changed;
use crate::limits::CHANGES_KEPT;

/// The last changes by number, and a bell.
#[derive(Debug)]
pub(crate) struct Changes {
    bell: watch::Sender<u64>,
    last: Mutex<VecDeque<AccountId>>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { bell: watch::Sender::new(0), last: Mutex::default() }
    }
}

impl Changes {
    /// A receiver of the number of the last change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Call after the commit only.
    pub(crate) fn publish(&self, accounts: impl IntoIterator<Item = AccountId>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        for account in accounts {
            if last.len() == CHANGES_KEPT {
                last.pop_front();
            }
            last.push_back(account);
            count += 1;
        }
        // Under the lock, so that number and list agree.
        if count > 0 {
            self.bell.send_modify(|number| *number += count);
        }
    }

    /// Changes with numbers above `since`.
    pub(crate) fn since(&self, since: u64) -> Changed {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let upto = *self.bell.borrow();
        let missed = upto.saturating_sub(since);
        let kept = last.len() as u64;
        let accounts = (missed <= kept).then(|| {
            let skip = usize::try_from(kept - missed).unwrap_or(usize::MAX);
            last.iter().skip(skip).cloned().collect::<BTreeSet<_>>()
        });
        Changed { upto, accounts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: usize) -> AccountId {
        AccountId::from_text(&format!("AC_{n}"))
    }

    #[test]
    fn changes_are_told_by_number_until_they_are_too_many() {
        let changes = Changes::default();
        let bell = changes.subscribe();
        assert_eq!(changes.since(0), Changed { upto: 0, accounts: Some(BTreeSet::new()) });
        changes.publish([]);
        assert!(!bell.has_changed().expect("open"));
        changes.publish([account(1), account(2)]);
        changes.publish([account(1)]);
        assert_eq!(*bell.borrow(), 3);
        let told = |since| changes.since(since).accounts.map(|accounts| accounts.len());
        assert_eq!((told(0), told(1), told(2), told(3)), (Some(2), Some(2), Some(1), Some(0)));
        changes.publish((0..CHANGES_KEPT).map(account));
        assert_eq!(told(3), Some(CHANGES_KEPT));
        assert_eq!(told(2), None, "the one before is forgotten");
    }
}

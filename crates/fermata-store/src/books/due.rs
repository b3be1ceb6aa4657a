//! Firing what is due over all accounts.

use jiff::Timestamp;

use super::{Shelf, at_desk, reevaluate_due, usage, wall_due};
use crate::limits::{FIRE_RETRY, WAITING_RETRIED};
use crate::rules::stored;
use crate::{Fired, StoreError};

/// Fires what is due at `wall`, the account with the oldest timer first, `limit` timers at most.
///
/// An account whose timer the core refuses to fire is left alone for a while, so that it stops nobody else.
pub(crate) fn fire_due<S: Shelf>(
    shelf: &mut S,
    wall: Timestamp,
    limit: usize,
) -> Result<Vec<Fired>, StoreError> {
    let wall = stored(wall);
    reevaluate_due(shelf, wall)?;
    for account in shelf.accounts_waiting(WAITING_RETRIED)? {
        usage(shelf, [(account, Vec::new())], wall)?;
    }
    let mut fired = Vec::new();
    while fired.len() < limit {
        let Some(account) = shelf.first_due(wall)? else { break };
        let left = limit - fired.len();
        at_desk(shelf, &account, wall, |desk| {
            let now = desk.now();
            let mut caught = desk.catch_up(now, false, left)?;
            if let Some(error) = caught.refused.take() {
                tracing::error!(%account, %error, "A timer cannot fire; the account waits.");
                let later = wall.saturating_add(FIRE_RETRY).unwrap_or(Timestamp::MAX);
                desk.shelf.set_due(&account, Some(later))?;
            } else if caught.fired.is_empty() {
                // It was looked at too early: a postponed account, or a clock that stepped back.
                let next = wall_due(&desk.state);
                desk.shelf.set_due(&account, next)?;
            }
            fired.append(&mut caught.fired);
            Ok(())
        })?;
    }
    Ok(fired)
}

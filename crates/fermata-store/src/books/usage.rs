//! Usage on its way into the books: changes of totals become one command an account.

use std::collections::BTreeMap;

use fermata_billing::command::{Actor, Command, Meta, UsageDelta};
use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::{Timestamp, civil::Date};

use super::{Desk, Shelf, at_desk};
use crate::StoreError;
use crate::rules::stored;

/// Changes of one account's totals, by application, start of the minute and SKU. Nodes stamp account time.
pub(crate) type Minutes = Vec<(SdkAppId, Timestamp, Sku, i64)>;

/// Books usage; what is due in those accounts fires first. Returns whose epoch changed, by id.
///
/// What the books refuse waits with the account and is tried again with its next usage.
pub(crate) fn usage<S: Shelf>(
    shelf: &mut S,
    accounts: impl IntoIterator<Item = (AccountId, Minutes)>,
    wall: Timestamp,
) -> Result<Vec<AccountId>, StoreError> {
    let wall = stored(wall);
    let mut changed = Vec::new();
    for (account, minutes) in accounts {
        let moved = at_desk(shelf, &account, wall, |desk| {
            let before = desk.state.head.epoch;
            book(desk, &minutes)?;
            Ok(desk.state.head.epoch != before)
        })?;
        if moved {
            changed.push(account);
        }
    }
    Ok(changed)
}

fn book<S: Shelf>(desk: &mut Desk<'_, S>, minutes: &Minutes) -> Result<(), StoreError> {
    let mut caught = desk.catch_up_before_now()?;
    let mut deltas = desk.shelf.take_waiting(desk.account)?;
    deltas.extend(by_day(desk, minutes));
    if deltas.is_empty() {
        return Ok(());
    }
    let obstacle = if let Some(obstacle) = caught.obstacle() {
        Some(obstacle)
    } else {
        let now = desk.now();
        let meta = Meta { now, applied: now, actor: Actor::system() };
        let command = Command::Usage { deltas: deltas.clone() };
        desk.run(&command, &meta)?.err()
    };
    if let Some(error) = obstacle {
        let account = desk.account;
        tracing::error!(%account, %error, "Usage cannot be booked; it waits.");
        desk.shelf.keep_waiting(account, &deltas)?;
    }
    Ok(())
}

/// Sums over civil days; the earliest minute stands for its day.
fn by_day<S: Shelf>(desk: &Desk<'_, S>, minutes: &Minutes) -> Vec<UsageDelta> {
    let calendar = desk.state.profile.as_ref().map(|profile| &profile.calendar);
    let mut days = BTreeMap::<Timestamp, Option<Date>>::new();
    let mut sums = BTreeMap::<(SdkAppId, Sku, Option<Date>), (Timestamp, i64)>::new();
    for (app, start, sku, seconds) in minutes {
        let at = *start;
        let day = *days.entry(at).or_insert_with(|| calendar?.day_of(at).ok());
        let sum = sums.entry((*app, *sku, day)).or_insert((at, 0));
        *sum = (at.min(sum.0), sum.1 + seconds);
    }
    let used = sums.into_iter().filter(|(_, (_, seconds))| *seconds != 0);
    used.map(|((app, sku, _), (at, seconds))| UsageDelta { app, sku, at, seconds }).collect()
}

//! Usage of days that are closed (T25, A18).

use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::journal::{LedgerAccount, PostingKind};
use crate::ledger::{self, Posting, overflow};
use crate::metering::allocate::Terms;
use crate::metering::intake::{Aside, TOO_MUCH, UNPRICED, total};
use crate::metering::{Late, blank, key_of};
use crate::packages::{Pool, merge, released};
use crate::state::{
    Burn, DayKey, DayUse, Item, ItemKey, Package, PackageStatus, PendingKey, PendingLine,
};
use crate::step::Step;

/// Books late seconds. New whole minutes beyond those already charged are allocated at once, to packages valid
/// on their day, live or expired, and the rest by the terms of now; they wait for the next bill. A lower total
/// takes nothing back: the minutes that were charged stay, and only more than those is charged later (P17).
/// Answers whether anything was booked.
///
/// A late minute comes before those of open days: a live package pays for it with what is settled, and the
/// caller reallocates the open days afterwards.
///
/// # Errors
/// [`Refusal::Reads`], [`Refusal::Corrupt`], [`Refusal::Money`].
pub(super) fn book(step: &mut Step<'_>, late: Late, aside: &mut Aside) -> Result<bool, Refusal> {
    let mut any = false;
    for (order, seconds) in late {
        let key = key_of(order);
        let closed = match step.lookup(&ItemKey::ClosedDay(key))? {
            Some(Item::ClosedDay(closed)) => Some(closed),
            Some(_) => return Err(Refusal::Corrupt(format!("{key:?} is no closed day"))),
            None => blank(step, key)?,
        };
        let Some(mut closed) = closed else {
            aside.add(key, seconds, UNPRICED);
            continue;
        };
        let Some(total) = total(closed.seconds, seconds) else {
            aside.add(key, seconds, TOO_MUCH);
            continue;
        };
        closed.seconds = total;
        let charged = charged(&closed)?;
        let fresh = closed.minutes().saturating_sub(charged);
        if fresh > 0 {
            charge(step, &mut closed, fresh)?;
        }
        step.put(Item::ClosedDay(closed));
        any = true;
    }
    Ok(any)
}

/// Minutes of a closed day that are on a bill or on their way to one.
fn charged(closed: &DayUse) -> Result<u64, Refusal> {
    let sum = closed.covered().checked_add(closed.billed);
    sum.and_then(|sum| sum.checked_add(closed.absorbed)).ok_or_else(overflow)
}

fn charge(step: &mut Step<'_>, closed: &mut DayUse, fresh: u64) -> Result<(), Refusal> {
    let key = closed.key;
    let terms = Terms::of(step)?;
    let (burns, rest) = if terms.paused {
        (Vec::new(), fresh)
    } else {
        let pays = |package: &Package| {
            matches!(package.status, PackageStatus::Live | PackageStatus::Expired)
                && package.settled.is_positive()
        };
        Pool::new(step.state(), step.env().catalog, pays)?.take(key, fresh)?
    };
    let (billed, absorbed) = if terms.billed { (rest, 0) } else { (0, rest) };
    for burn in &burns {
        consume(step, burn)?;
    }
    absorb(step, closed, absorbed)?;
    merge(&mut closed.burns, &burns)?;
    closed.billed = closed.billed.checked_add(billed).ok_or_else(overflow)?;
    closed.absorbed = closed.absorbed.checked_add(absorbed).ok_or_else(overflow)?;
    let pending = PendingKey { key, late: true };
    let mut line = step.state().pending.get(&pending).cloned().unwrap_or(PendingLine {
        key: pending,
        minutes: 0,
        burns: Vec::new(),
        billed: 0,
        absorbed: 0,
        catalog_version: closed.catalog_version,
    });
    merge(&mut line.burns, &burns)?;
    line.minutes = line.minutes.checked_add(fresh).ok_or_else(overflow)?;
    line.billed = line.billed.checked_add(billed).ok_or_else(overflow)?;
    line.absorbed = line.absorbed.checked_add(absorbed).ok_or_else(overflow)?;
    step.put(Item::Pending(line));
    Ok(())
}

/// Posts a late burn: off a live package, or out of what had expired, with the revenue that earns.
fn consume(step: &mut Step<'_>, burn: &Burn) -> Result<(), Refusal> {
    let package = step.state().packages.get(&burn.package).cloned();
    let package = package.ok_or_else(|| Refusal::Corrupt(format!("{} is gone", burn.package)))?;
    let settled = package.settled.checked_sub(burn.units).map_err(|_| overflow())?;
    let money = released(&package, package.settled, settled)?;
    let (units_from, money_from) = if package.status == PackageStatus::Expired {
        (LedgerAccount::UnitsExpired, LedgerAccount::Breakage)
    } else {
        (LedgerAccount::Package(package.id.clone()), LedgerAccount::DeferredRevenue)
    };
    let units = burn.units.thousandths();
    let minus = |amount: i64| amount.checked_neg().ok_or_else(overflow);
    let entries = vec![
        (units_from, minus(units)?),
        (LedgerAccount::UnitsConsumed, units),
        (money_from, minus(money)?),
        (LedgerAccount::Revenue, money),
    ];
    step.put(Item::Package(Package { settled, ..package }));
    let (kind, cause) = (PostingKind::Consumption, ClauseId::T25);
    let subject = burn.package.as_str();
    ledger::post(step, Posting { kind, cause, subject, reverses: None, entries })?;
    Ok(())
}

/// Posts minutes that nobody pays for, at the price list of their day (A8).
fn absorb(step: &mut Step<'_>, closed: &DayUse, minutes: u64) -> Result<(), Refusal> {
    if minutes == 0 {
        return Ok(());
    }
    let DayKey { day, app, sku } = closed.key;
    let currency = step.profile()?.currency;
    let version = step.env().catalog.version(closed.catalog_version);
    let version = version.ok_or_else(|| {
        Refusal::Corrupt(format!("there is no catalog version {}", closed.catalog_version))
    })?;
    let cost = version.price(currency, sku)?.charge(minutes, currency)?;
    let entries = vec![
        (LedgerAccount::AbsorbedCost, cost.checked_neg()?.micros()),
        (LedgerAccount::Revenue, cost.micros()),
    ];
    let subject = format!("{day}/{app}/{}", sku.code());
    let (kind, cause) = (PostingKind::Absorption, ClauseId::A8);
    ledger::post(step, Posting { kind, cause, subject: &subject, reverses: None, entries })?;
    Ok(())
}

//! Closing a civil day (T2) and a civil month (T3).

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::balance::price_of;
use super::issue::{self, Period};
use crate::calendar::{YearMonth, spread_s};
use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::id::PackageId;
use crate::journal::{DayClosed, LedgerAccount, PostingKind, Record};
use crate::ledger::{self, Posting};
use crate::limits::CLOSE_RETRY;
use crate::money::Money;
use crate::packages;
use crate::state::{BillingMode, DayUse, Item, ItemKey, PendingKey, PendingLine, Reclaim};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::units::Units;

/// Closes a civil day: who pays for its minutes is frozen, packages and absorbed minutes are posted, and under
/// daily billing (or none) what waits goes on a bill.
///
/// Waits for the nodes' watermarks, at most until 12:00 (A17). A day that is closed already stays as it is (P10).
/// A day without use leaves no record, since there is nothing to say about it.
///
/// # Errors
/// [`Refusal::Reads`], [`Refusal::Money`], [`Refusal::Catalog`]; [`Refusal::Corrupt`] where facts contradict.
pub(crate) fn close_day(step: &mut Step<'_>, day: Date) -> Result<(), Refusal> {
    let profile = step.profile()?;
    if day != profile.open_day {
        return Ok(());
    }
    let (end, latest) = (profile.calendar.day_end(day)?, profile.calendar.daily_latest(day)?);
    if step.applied() < latest && step.env().reads.watermark()? < end {
        // From the real time on, so that a program that was down does not look again for every interval missed.
        let again = step.applied().checked_add(CLOSE_RETRY).unwrap_or(latest).min(latest);
        step.arm(TimerKind::DayClose(day), again);
        return Ok(());
    }
    freeze_day(step, day)?;
    let next = day.tomorrow().map_err(|_| beyond(&day))?;
    step.edit_profile(|profile| profile.open_day = next)?;
    if step.profile()?.billing != BillingMode::Monthly {
        let lines: Vec<_> = step.state().pending.values().cloned().collect();
        let from_day = step.profile()?.unbilled_from.min(day);
        step.edit_profile(|profile| profile.unbilled_from = next)?;
        if !lines.is_empty() {
            issue::issue(step, lines, Period { from_day, to_day: day, month: None })?;
            step.took(Transition::T2);
        }
    }
    arm_closings(step)
}

/// Arms the close of the open day and of the open month from facts.
///
/// Never before the moment of this step: where an account moves far to the east, the first day of the new zone
/// is due before the last one of the old. Never earlier than they are armed: a day that waits for watermarks
/// keeps its later moment (A17). A cleared account closes only what is still to be billed (A18, T22).
///
/// # Errors
/// [`Refusal::Calendar`].
pub(crate) fn arm_closings(step: &mut Step<'_>) -> Result<(), Refusal> {
    let state = step.state();
    let cleared = matches!(state.reclaim, Reclaim::Cleared { .. });
    if cleared && state.days.is_empty() && state.pending.is_empty() {
        return Ok(());
    }
    let profile = step.profile()?;
    let (day, month) = (profile.open_day, profile.open_month);
    let spread = spread_s(profile.account.as_str());
    let day_due = profile.calendar.daily_close(day, spread)?;
    let month_due = profile.calendar.monthly_close(month, spread)?;
    let monthly = profile.billing == BillingMode::Monthly;
    let mut timers = vec![(TimerKind::DayClose(day), day_due)];
    if monthly || !cleared {
        timers.push((TimerKind::MonthClose(month), month_due));
    }
    for (timer, due) in timers {
        let due = due.max(step.now());
        if step.state().timers.get(&timer).is_none_or(|armed| *armed < due) {
            step.arm(timer, due);
        }
    }
    Ok(())
}

fn freeze_day(step: &mut Step<'_>, day: Date) -> Result<(), Refusal> {
    let of_day = |key_day: Date| key_day <= day;
    let uses: Vec<DayUse> =
        step.state().days.values().filter(|one| of_day(one.key.day)).cloned().collect();
    if uses.is_empty() {
        return Ok(());
    }
    step.record(ClauseId::T2, Record::DayClosed(DayClosed { day, uses: uses.clone() }))?;
    let mut burnt: BTreeMap<PackageId, Vec<Units>> = BTreeMap::new();
    for burn in uses.iter().flat_map(|one| &one.burns) {
        burnt.entry(burn.package.clone()).or_default().push(burn.units);
    }
    let subject = format!("day {day}");
    for (package, units) in burnt {
        let units = Units::try_sum(units).map_err(|_| ledger::overflow())?;
        consume(step, &package, units, &subject)?;
    }
    absorb(step, &uses, &subject)?;
    for one in uses {
        step.remove(ItemKey::Day(one.key));
        let line = PendingLine {
            key: PendingKey { key: one.key, late: false },
            minutes: one.minutes(),
            burns: one.burns.clone(),
            billed: one.billed,
            absorbed: one.absorbed,
            catalog_version: one.catalog_version,
        };
        step.put(Item::ClosedDay(one));
        // Reports that were taken back entirely leave no line.
        if line.minutes > 0 || line.billed > 0 || line.absorbed > 0 {
            step.put(Item::Pending(line));
        }
    }
    Ok(())
}

/// A closed day takes its units off a package and earns their share of its price.
fn consume(
    step: &mut Step<'_>,
    id: &PackageId,
    units: Units,
    subject: &str,
) -> Result<(), Refusal> {
    let Some(mut package) = step.state().packages.get(id).cloned() else {
        return Err(Refusal::Corrupt(format!("{subject} burns {id}, which is not there")));
    };
    let after = package.settled.checked_sub(units).map_err(|_| ledger::overflow())?;
    let earned = packages::released(&package, package.settled, after)?;
    package.settled = after;
    step.put(Item::Package(package));
    let entries = vec![
        (LedgerAccount::Package(id.clone()), -units.thousandths()),
        (LedgerAccount::UnitsConsumed, units.thousandths()),
        (LedgerAccount::DeferredRevenue, -earned),
        (LedgerAccount::Revenue, earned),
    ];
    let kind = PostingKind::Consumption;
    ledger::post(step, Posting { kind, cause: ClauseId::T2, subject, reverses: None, entries })?;
    Ok(())
}

/// Minutes nobody pays for are the operator's cost, at the price they would have had (A8).
fn absorb(step: &mut Step<'_>, uses: &[DayUse], subject: &str) -> Result<(), Refusal> {
    let currency = step.profile()?.currency;
    let catalog = step.env().catalog;
    let mut cost = Money::ZERO;
    for one in uses.iter().filter(|one| one.absorbed > 0) {
        let price = price_of(catalog, one.catalog_version, currency, one.key.sku)?;
        cost = cost.checked_add(price.charge(one.absorbed, currency)?)?;
    }
    if cost.is_zero() {
        return Ok(());
    }
    let entries = vec![
        (LedgerAccount::AbsorbedCost, cost.checked_neg()?.micros()),
        (LedgerAccount::Revenue, cost.micros()),
    ];
    let kind = PostingKind::Absorption;
    ledger::post(step, Posting { kind, cause: ClauseId::A8, subject, reverses: None, entries })?;
    Ok(())
}

/// Closes a civil month: under monthly billing, the lines of its days, those that were left from before and late
/// ones go on a bill. Otherwise it only goes on to the next month, since daily bills have taken them.
///
/// # Errors
/// As [`close_day`].
pub(crate) fn close_month(step: &mut Step<'_>, month: YearMonth) -> Result<(), Refusal> {
    let profile = step.profile()?;
    if month != profile.open_month {
        return Ok(());
    }
    let last = month.last_day();
    if profile.open_day <= last {
        // Its last day closes first. Only a day that is late itself can get here, or an account that was cleared
        // and closes no days until there is something to bill again.
        let closing = TimerKind::DayClose(profile.open_day);
        if step.state().timers.contains_key(&closing) {
            let again = step.applied().checked_add(CLOSE_RETRY).map_err(|_| beyond(&month))?;
            step.arm(TimerKind::MonthClose(month), again);
        }
        return Ok(());
    }
    let next = month.next()?;
    let (monthly, unbilled_from) = (profile.billing == BillingMode::Monthly, profile.unbilled_from);
    step.edit_profile(|profile| profile.open_month = next)?;
    // Where daily bills cover the month to its end, what came late waits for the first monthly bill of its own.
    if !monthly || unbilled_from > last {
        return arm_closings(step);
    }
    let ready = |line: &&PendingLine| line.key.late || line.key.key.day <= last;
    let lines: Vec<_> = step.state().pending.values().filter(ready).cloned().collect();
    step.edit_profile(|profile| profile.unbilled_from = next.first_day())?;
    if !lines.is_empty() {
        let period = Period { from_day: unbilled_from, to_day: last, month: Some(month) };
        issue::issue(step, lines, period)?;
        step.took(Transition::T3);
    }
    arm_closings(step)
}

fn beyond(what: &impl ToString) -> Refusal {
    Refusal::Calendar(crate::calendar::CalendarError::OutOfRange { what: what.to_string() })
}

//! The end of packages: expiry, forfeiture, and when their items go.

use jiff::{SignedDuration, Timestamp};

use crate::calendar::spread_s;
use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::id::PackageId;
use crate::journal::{LedgerAccount, PostingKind};
use crate::ledger::{self, Posting, overflow};
use crate::limits::{CLOSE_RETRY, LATE_WINDOW};
use crate::notice::NoticeKind;
use crate::packages::value::released;
use crate::state::{Item, ItemKey, Package, PackageStatus, Reclaim};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::units::Units;
use crate::{metering, notices, standing};

/// Expiry looks this long after the moment at which its last day is to close, so that the close goes first.
const AFTER_CLOSE: SignedDuration = SignedDuration::from_secs(1);

/// The timer of a package: at the end of its last day its applications' funding is checked (T9); once that day
/// has closed, what is left is posted as expired; at the end of the late window the item goes.
///
/// # Errors
/// [`Refusal::Calendar`]; whatever the checks that follow refuse.
pub(crate) fn expire(step: &mut Step<'_>, id: &PackageId) -> Result<(), Refusal> {
    let Some(package) = step.state().packages.get(id).cloned() else { return Ok(()) };
    if matches!(step.state().reclaim, Reclaim::Cleared { .. }) {
        // Its packages are forfeited, and nothing of it is due any more (T22).
        return Ok(());
    }
    let timer = TimerKind::PackageExpiry(id.clone());
    let profile = step.profile()?;
    let (end, open_day) = (profile.calendar.day_end(package.until)?, profile.open_day);
    // A change of zone may have moved the end.
    if step.now() < end {
        step.arm(timer, end);
        return Ok(());
    }
    let closed = open_day > package.until;
    if !closed && package.settled.is_positive() {
        let again = after_close(step, &package)?;
        step.arm(timer, again);
        return standing::check_funding(step);
    }
    if package.status == PackageStatus::Live || package.settled_in_ledger() {
        give_up_rest(step, &package)?;
    }
    let goes = later(end, LATE_WINDOW)?;
    if step.now() < goes {
        step.arm(timer, goes);
    } else {
        forget(step, id);
    }
    standing::check_funding(step)
}

impl Package {
    /// Is there something on its ledger account though it is live no more? Only of a forfeited one whose
    /// open days then turned out to have burnt less.
    fn settled_in_ledger(&self) -> bool {
        self.status == PackageStatus::Reclaimed && self.settled.is_positive()
    }
}

/// When to look again whether the package's last day has closed.
fn after_close(step: &Step<'_>, package: &Package) -> Result<Timestamp, Refusal> {
    let profile = step.profile()?;
    let spread = spread_s(profile.account.as_str());
    let close = later(profile.calendar.daily_close(package.until, spread)?, AFTER_CLOSE)?;
    // From the real time on, so that a program that was down does not look for every interval it missed.
    if close > step.now() { Ok(close) } else { later(step.applied(), CLOSE_RETRY) }
}

fn later(moment: Timestamp, by: SignedDuration) -> Result<Timestamp, Refusal> {
    moment.checked_add(by).map_err(|_| overflow())
}

/// Posts what no day burnt. Of a live package it stays in `settled` for late usage (T25).
fn give_up_rest(step: &mut Step<'_>, package: &Package) -> Result<(), Refusal> {
    let money = released(package, package.settled, Units::ZERO)?;
    let mut after = package.clone();
    after.left = Units::ZERO;
    let (kind, cause, to) = if package.status == PackageStatus::Live {
        after.status = PackageStatus::Expired;
        (PostingKind::Expiry, ClauseId::T9, LedgerAccount::UnitsExpired)
    } else {
        after.settled = Units::ZERO;
        (PostingKind::Reclaim, ClauseId::T21, LedgerAccount::UnitsReclaimed)
    };
    step.put(Item::Package(after));
    post(step, package, kind, cause, (to, package.settled, money))
}

/// Moves units off a package, and their money from deferred revenue to breakage; nothing if there is nothing.
fn post(
    step: &mut Step<'_>,
    package: &Package,
    kind: PostingKind,
    cause: ClauseId,
    (to, units, money): (LedgerAccount, Units, i64),
) -> Result<(), Refusal> {
    if units.is_zero() {
        return Ok(());
    }
    let out = units.checked_neg().map_err(|_| overflow())?.thousandths();
    let entries = vec![
        (LedgerAccount::Package(package.id.clone()), out),
        (to, units.thousandths()),
        (LedgerAccount::DeferredRevenue, money.checked_neg().ok_or_else(overflow)?),
        (LedgerAccount::Breakage, money),
    ];
    let subject = package.id.as_str();
    ledger::post(step, Posting { kind, cause, subject, reverses: None, entries })?;
    Ok(())
}

/// Nothing can refer to the package any more: its item goes, with its balance of zero and its notices.
fn forget(step: &mut Step<'_>, id: &PackageId) {
    step.remove(ItemKey::Package(id.clone()));
    let balance = LedgerAccount::Package(id.clone());
    if step.state().balances.get(&balance) == Some(&0) {
        step.remove(ItemKey::Balance(balance));
    }
    notices::forget(step, &[NoticeKind::PackageUsed, NoticeKind::PackageAlarm], id.as_str());
}

/// Forfeits every live package (T21). What open days have burnt by now stays burnt, and is settled when they
/// close; nothing can be burnt beyond. Does nothing the second time.
///
/// # Errors
/// [`Refusal::Corrupt`] if the ledger does not have what the packages say.
pub(crate) fn forfeit_all(step: &mut Step<'_>) -> Result<(), Refusal> {
    let live = |package: &&Package| package.status == PackageStatus::Live;
    let packages: Vec<Package> = step.state().packages.values().filter(live).cloned().collect();
    for package in packages {
        let burnt = package.settled.checked_sub(package.left).map_err(|_| overflow())?;
        let money = released(&package, package.settled, burnt)?;
        let mut after = package.clone();
        (after.settled, after.left, after.status) = (burnt, Units::ZERO, PackageStatus::Reclaimed);
        step.put(Item::Package(after));
        let moved = (LedgerAccount::UnitsReclaimed, package.left, money);
        post(step, &package, PostingKind::Reclaim, ClauseId::T21, moved)?;
        if burnt.is_zero() {
            step.disarm(&TimerKind::PackageExpiry(package.id.clone()));
        }
    }
    metering::reallocate(step)
}

/// Arms the timers of live packages anew for the end of their last days, which a change of zone moves (A16).
///
/// # Errors
/// [`Refusal::Calendar`].
pub(crate) fn rearm(step: &mut Step<'_>) -> Result<(), Refusal> {
    let live = |package: &&Package| package.status == PackageStatus::Live;
    let packages: Vec<Package> = step.state().packages.values().filter(live).cloned().collect();
    for package in packages {
        let end = step.profile()?.calendar.day_end(package.until)?;
        // One whose days are over waits for the close of the last.
        if end > step.now() {
            step.arm(TimerKind::PackageExpiry(package.id), end);
        }
    }
    Ok(())
}

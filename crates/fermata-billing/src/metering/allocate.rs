//! Who pays for the minutes of open days: packages, the customer, or nobody.
//!
//! A pure function of the totals, of what packages have settled, of the floors and of the terms, carried out
//! day by day, within a day by SKU and then by application, within a use by the published burning order.
//! Nothing of the order in which reports came is in it (P5).
//!
//! Floors are what earlier facts decided and later ones do not undo: minutes of a time in which nobody had
//! agreed to pay stay absorbed, minutes of a time with postpaid stay billed after it was switched off. They
//! are cut to the minutes there are, absorbed ones first, since corrections may lower a total.
//!
//! While packages are paused by an agreement (A3) burns of before are kept and new minutes go to money, and
//! stay there when the pause ends. Only then may the order matter: a minute that a correction takes from a
//! package in the pause does not come back to it.

use crate::catalog::Catalog;
use crate::command::Refusal;
use crate::hold::HoldKind;
use crate::id::PackageId;
use crate::metering::use_order;
use crate::notices;
use crate::packages::Pool;
use crate::state::{BillingMode, DayUse, Item, Package, PackageStatus, State};
use crate::step::Step;
use crate::units::Units;

/// What decides about minutes that no package covers, and whether packages burn at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// Uncovered minutes are billed; otherwise absorbed (A8).
    pub(super) billed: bool,
    /// Packages burn nothing more while suspended for arrears (A3).
    pub(super) paused: bool,
}

impl Terms {
    /// The terms in force in the middle of a step.
    pub(super) fn of(step: &Step<'_>) -> Result<Self, Refusal> {
        let policy = step.env().policy;
        let arrears = |hold: &crate::state::Hold| hold.kind == HoldKind::Arrears && !hold.proposed;
        Ok(Self {
            billed: step.profile()?.billing != BillingMode::Off || policy.unfunded_billed,
            paused: !policy.burn_while_suspended && step.state().holds.values().any(arrears),
        })
    }
}

/// What allocating anew changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Uses that are not as they were.
    pub(super) uses: Vec<DayUse>,
    /// Packages that have not what they had left.
    pub(super) left: Vec<(PackageId, Units)>,
}

/// Does the package pay for minutes of open days? A forfeited one only for those it paid for before, which are
/// all that it has left.
fn pays_for_open_days(package: &Package) -> bool {
    matches!(package.status, PackageStatus::Live | PackageStatus::Reclaimed)
}

/// Allocates all open days anew.
///
/// # Errors
/// As [`Pool::new`].
pub(super) fn plan(state: &State, catalog: &Catalog, terms: Terms) -> Result<Plan, Refusal> {
    let open_day = state.profile.as_ref().ok_or(Refusal::NotOpen)?.open_day;
    let open = |package: &Package| {
        pays_for_open_days(package) && package.settled.is_positive() && package.until >= open_day
    };
    let mut pool = Pool::new(state, catalog, open)?;
    let mut uses: Vec<&DayUse> = state.days.values().collect();
    uses.sort_by_key(|day| use_order(day.key));
    let mut plan = Plan::default();
    for old in uses {
        let new = allocate(old, &mut pool, terms)?;
        if new != *old {
            plan.uses.push(new);
        }
    }
    let left = pool.left();
    for package in state.packages.values().filter(|package| pays_for_open_days(package)) {
        // Not in the pool: no open day can burn it.
        let now = left.get(&package.id).copied().unwrap_or(package.settled);
        if now != package.left {
            plan.left.push((package.id.clone(), now));
        }
    }
    Ok(plan)
}

/// Shares the minutes of one use out: floors, packages, and the rest by the terms (P4).
fn allocate(old: &DayUse, pool: &mut Pool<'_>, terms: Terms) -> Result<DayUse, Refusal> {
    let mut new = old.clone();
    // Without postpaid nothing becomes billed, so what is billed was so before and stays.
    freeze(&mut new, terms);
    let minutes = old.minutes();
    new.absorbed = new.absorbed_floor.min(minutes);
    new.billed = new.billed_floor.min(minutes.saturating_sub(new.absorbed));
    let rest = minutes.saturating_sub(new.absorbed).saturating_sub(new.billed);
    let (burns, rest) = if terms.paused {
        pool.keep(old.key, &old.burns, rest)?
    } else {
        pool.take(old.key, rest)?
    };
    new.burns = burns;
    // Never more than the minutes, so the sums fit.
    if terms.billed {
        new.billed = new.billed.saturating_add(rest);
    } else {
        new.absorbed = new.absorbed.saturating_add(rest);
    }
    freeze(&mut new, terms);
    Ok(new)
}

/// Raises the floors that the terms themselves set.
fn freeze(day: &mut DayUse, terms: Terms) {
    if terms.paused || !terms.billed {
        day.billed_floor = day.billed_floor.max(day.billed);
    }
    if terms.paused {
        day.absorbed_floor = day.absorbed_floor.max(day.absorbed);
    }
}

/// Computes anew who pays for the minutes of open days, and tells of packages whose rest changed (T1).
/// Doing it twice changes nothing.
///
/// # Errors
/// [`Refusal::Corrupt`], [`Refusal::Calendar`], [`Refusal::Money`].
pub(crate) fn reallocate(step: &mut Step<'_>) -> Result<(), Refusal> {
    let plan = plan(step.state(), step.env().catalog, Terms::of(step)?)?;
    for day in plan.uses {
        step.put(Item::Day(day));
    }
    for (id, left) in plan.left {
        let Some(before) = step.state().packages.get(&id).cloned() else { continue };
        let after = Package { left, ..before.clone() };
        step.put(Item::Package(after.clone()));
        notices::package_moved(step, &before, &after)?;
    }
    Ok(())
}

/// To be called before the facts change: postpaid is switched, or a package is bought, granted or given back.
/// What nobody paid for so far stays absorbed, since nobody had agreed to pay.
///
/// What is billed stays billed only where postpaid is switched off, which the next [`reallocate`] sees by
/// itself: a package bought with postpaid on may well take over what was to be billed today.
///
/// # Errors
/// [`Refusal::NotOpen`].
pub(crate) fn freeze_floors(step: &mut Step<'_>) -> Result<(), Refusal> {
    let terms = Terms::of(step)?;
    let mut raised = Vec::new();
    for day in step.state().days.values() {
        let mut new = day.clone();
        new.absorbed_floor = new.absorbed_floor.max(new.absorbed);
        freeze(&mut new, terms);
        if new != *day {
            raised.push(new);
        }
    }
    for day in raised {
        step.put(Item::Day(day));
    }
    Ok(())
}

//! The free minutes of a month (T11, S16, A7).

use crate::calendar::YearMonth;
use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::hold::HoldKind;
use crate::journal::PostingKind;
use crate::ledger::{self, Posting};
use crate::money::Money;
use crate::packages::buy::{made, put, units_in};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::{metering, standing};

/// Grants the free packages of a civil month, once, and arms the grant of the next.
///
/// They are of the catalog in force at `now`, full also in the first month of an account, and valid for the
/// month, of which the first begins with the day of opening. With a violation nothing is granted, though the
/// next month is looked at again. An account that is being cleared or is cleared has no next month.
/// They do not lift `unfunded`, unless the policy says that a new month reopens (A7).
///
/// # Errors
/// [`Refusal::Calendar`], [`Refusal::Catalog`].
pub(crate) fn grant_free(step: &mut Step<'_>, month: YearMonth) -> Result<(), Refusal> {
    if step.state().reclaim.is_irreversible() {
        return Ok(());
    }
    let next = month.next()?;
    let due = step.profile()?.calendar.month_start(next)?;
    step.arm(TimerKind::FreeGrant(next), due);
    let known = step.profile()?.free_month.is_some_and(|granted| granted >= month);
    let mut holds = step.state().holds.values();
    if known || holds.any(|hold| hold.kind == HoldKind::Violation && !hold.proposed) {
        return Ok(());
    }
    metering::freeze_floors(step)?;
    let profile = step.profile()?;
    let opened = profile.calendar.day_of(profile.opened_at)?;
    let days = (month.first_day().max(opened), month.last_day());
    let version = step.env().catalog.version_at(step.now())?;
    for package_type in version.free_types() {
        let package = made(step, package_type, version.version, None, Money::ZERO, days)?;
        let (id, entries) = (package.id.clone(), units_in(&package).to_vec());
        put(step, package)?;
        let kind = PostingKind::Grant;
        let subject = id.as_str();
        let cause = ClauseId::T11;
        ledger::post(step, Posting { kind, cause, subject, reverses: None, entries })?;
    }
    step.edit_profile(|profile| profile.free_month = Some(month))?;
    step.took(Transition::T11);
    metering::reallocate(step)?;
    if step.env().policy.free_renewal_reopens {
        standing::lift_unfunded(step)?;
    }
    Ok(())
}

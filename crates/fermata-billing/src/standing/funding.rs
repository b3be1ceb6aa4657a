//! Does anything pay for an application's minutes? One test raises `unfunded` (T9), its stricter half lifts it
//! (T10): what was bought, not what was given (A7).

use std::collections::BTreeSet;

use fermata_types::SdkAppId;
use jiff::civil::Date;

use super::{new_hold, put_hold, remaining, remove_hold, told};
use crate::catalog::PackageScope;
use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::hold::{HoldCause, HoldKind, Scope};
use crate::notice::{NoticeKey, NoticeKind};
use crate::notices::{self, texts};
use crate::state::{BillingMode, Hold, Package, PackageStatus, State};
use crate::step::Step;
use crate::transition::Transition;

/// Raises `unfunded` on every application for which there are no free minutes, no package that was bought, and
/// no postpaid (T9).
///
/// # Errors
/// What the calendar or writing records down may answer.
pub(crate) fn check_funding(step: &mut Step<'_>) -> Result<(), Refusal> {
    let state = step.state();
    let profile = step.profile()?;
    if profile.billing != BillingMode::Off || state.reclaim.is_irreversible() {
        return Ok(());
    }
    let today = profile.calendar.day_of(step.now())?;
    let held = held_apps(state);
    let dry: Vec<_> = state
        .apps
        .keys()
        .copied()
        .filter(|app| !held.contains(app))
        .filter(|app| !covered(state, *app, today, true) && !covered(state, *app, today, false))
        .collect();
    let mut first = None;
    for app in &dry {
        let mut hold = new_hold(step, HoldKind::Unfunded, Scope::App(*app))?;
        hold.cause = Some(cause(step.state(), *app, today));
        put_hold(step, &hold, "hold_raised", ClauseId::T9)?;
        step.took(Transition::T9);
        first.get_or_insert(hold);
    }
    match first {
        Some(hold) => notices::tell(step, told(NoticeKind::Unfunded, &hold), texts::unfunded(&dry)),
        None => Ok(()),
    }
}

fn held_apps(state: &State) -> BTreeSet<SdkAppId> {
    let unfunded = state.holds.values().filter(|hold| hold.kind == HoldKind::Unfunded);
    unfunded
        .filter_map(|hold| match hold.scope {
            Scope::App(app) => Some(app),
            Scope::Account => None,
        })
        .collect()
}

/// Has the account a package, free or bought, with minutes left that covers `app` today?
fn covered(state: &State, app: SdkAppId, today: Date, free: bool) -> bool {
    state.packages.values().any(|package| {
        package.free == free
            && package.status == PackageStatus::Live
            && package.left.is_positive()
            && (package.from..=package.until).contains(&today)
            && is_for(package, app)
    })
}

fn is_for(package: &Package, app: SdkAppId) -> bool {
    match package.scope {
        PackageScope::Account => true,
        PackageScope::App => package.app == Some(app),
    }
}

/// What ended last: a package that is used up while its days last, or else one that expired; without any, the
/// free minutes.
fn cause(state: &State, app: SdkAppId, today: Date) -> HoldCause {
    let bought = state
        .packages
        .values()
        .filter(|package| !package.free && is_for(package, app))
        .filter(|package| package.status != PackageStatus::Refunded);
    let mut cause = HoldCause::FreeUsed;
    for package in bought {
        if package.until >= today && !package.left.is_positive() {
            return HoldCause::PackageUsed;
        }
        cause = HoldCause::PackageExpired;
    }
    cause
}

/// Drops `unfunded` where something that was bought pays again (T10, A7).
///
/// # Errors
/// What the calendar or writing records down may answer.
pub(crate) fn lift_unfunded(step: &mut Step<'_>) -> Result<(), Refusal> {
    if step.state().reclaim.is_irreversible() {
        return Ok(());
    }
    let profile = step.profile()?;
    let postpaid = profile.billing != BillingMode::Off;
    let today = profile.calendar.day_of(step.now())?;
    let free_suffices = step.env().policy.free_renewal_reopens;
    let state = step.state();
    let funded: Vec<(Hold, SdkAppId)> = state
        .holds
        .values()
        .filter(|hold| hold.kind == HoldKind::Unfunded)
        .filter_map(|hold| match hold.scope {
            Scope::App(app) => Some((hold, app)),
            Scope::Account => None,
        })
        .filter(|(_, app)| {
            postpaid
                || covered(state, *app, today, false)
                || (free_suffices && covered(state, *app, today, true))
        })
        .map(|(hold, app)| (hold.clone(), app))
        .collect();
    let mut open = Vec::new();
    let mut first: Option<NoticeKey> = None;
    for (hold, app) in funded {
        remove_hold(step, &hold, "hold_dropped", ClauseId::T10)?;
        step.took(Transition::T10);
        if remaining(step, Scope::App(app)).is_empty() {
            open.push(app);
            first.get_or_insert_with(|| told(NoticeKind::Restored, &hold));
        }
    }
    match first {
        Some(key) => {
            let words = texts::restored(&texts::apps(&open), 0, &[ClauseId::T10, ClauseId::S17]);
            notices::tell(step, key, words)
        }
        None => Ok(()),
    }
}

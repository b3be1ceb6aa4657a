//! Holds and the arrears episode: what is judged after every posting, what people may change, and what follows
//! for everybody who asks whether something is allowed.
//!
//! The views ([`effective`], [`verdicts`], [`allows`], [`view`]) are pure functions of the state and the terms.
//! What it is not: there is no annulment of a violation here (A10 is outside these rules), and no door of its
//! own: rooms, APIs and pages ask [`allows`].

mod arrears;
mod changes;
mod funding;
mod holds;
#[cfg(test)]
mod tests;
mod view;
#[cfg(test)]
pub(crate) mod world;

use fermata_types::SdkAppId;
use jiff::{SignedDuration, Timestamp};

use crate::command::Refusal;
use crate::effect::{self, OperationClass};
use crate::hold::Scope;
use crate::journal::LedgerAccount;
use crate::money::Money;
use crate::state::{Hold, State};
use crate::step::Step;

pub(crate) use arrears::{after_posting, reevaluate, suspend, warn};
pub(crate) use changes::{
    approve_hold, disable_app, drop_hold, enable_app, not_cleared, raise_hold,
};
pub(crate) use funding::{check_funding, lift_unfunded};
pub(crate) use holds::{new_hold, put_hold, remaining, remove_hold, told};
pub use view::{
    AppStanding, AppVerdict, ArrearsView, HoldView, ReclaimView, StandingView, TimerView, allows,
    effective, verdicts, view,
};

/// Cash, usable vouchers and credit limit, less debts (A4); none on overflow.
pub fn available(state: &State) -> Option<Money> {
    let of = |account| state.balances.get(&account).copied().unwrap_or(0);
    let limit = state.profile.as_ref()?.credit_limit.micros();
    let sum = of(LedgerAccount::Customer).checked_add(of(LedgerAccount::Vouchers))?;
    Some(Money::from_micros(sum.checked_add(limit)?))
}

/// Is `class` allowed to `app`, or to the account where no application is concerned?
///
/// # Errors
/// [`Refusal::Suspended`] with all holds in force, the earliest first (A9, I14).
pub(crate) fn require(
    step: &Step<'_>,
    class: OperationClass,
    app: Option<SdkAppId>,
) -> Result<(), Refusal> {
    let state = step.state();
    let holds = effective(state, app);
    let cleared = state.reclaim.is_irreversible();
    let kinds = holds.iter().map(|hold| hold.kind);
    if effect::allows(class, kinds, cleared, Some(&step.env().policy.freeze)) {
        return Ok(());
    }
    Err(Refusal::Suspended { class, holds: holds.into_iter().cloned().collect(), cleared })
}

/// `at` and a duration; the end of time where that is beyond it.
pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `at` and so many hours.
pub(crate) fn hours_later(at: Timestamp, hours: u32) -> Timestamp {
    later(at, SignedDuration::from_hours(i64::from(hours)))
}

/// What a hold or an answer is about, in a sentence.
pub(crate) fn scope_text(scope: Scope) -> String {
    match scope {
        Scope::Account => "the account".to_owned(),
        Scope::App(app) => format!("application {app}"),
    }
}

/// The holds in force that weigh on `scope`, copied, the earliest first.
pub(crate) fn holds_on(state: &State, scope: Scope) -> Vec<Hold> {
    let app = match scope {
        Scope::Account => None,
        Scope::App(app) => Some(app),
    };
    effective(state, app).into_iter().cloned().collect()
}

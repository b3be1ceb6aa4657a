//! What the standing looks like from outside: to doors, to programs, to people. Pure functions.

use std::collections::BTreeMap;

use fermata_types::SdkAppId;
use jiff::Timestamp;
use serde::Serialize;

use crate::clause::ClauseId;
use crate::effect::{self, OperationClass};
use crate::hold::{HoldCause, HoldKind, Label, Scope, label};
use crate::id::HoldId;
use crate::policy::Policy;
use crate::state::{Hold, Reclaim, State};

/// The holds in force on `app`: its own and the account's; without one, the account's (policy section 2).
/// The earliest first; proposals are not among them.
pub fn effective(state: &State, app: Option<SdkAppId>) -> Vec<&Hold> {
    let mut holds: Vec<_> = state
        .holds
        .values()
        .filter(|hold| !hold.proposed)
        .filter(|hold| match (hold.scope, app) {
            (Scope::Account, _) => true,
            (Scope::App(own), Some(app)) => own == app,
            (Scope::App(_), None) => false,
        })
        .collect();
    holds.sort_by(|a, b| (a.since, a.kind, &a.id).cmp(&(b.since, b.kind, &b.id)));
    holds
}

/// Is `class` allowed to `app`, or to the account where no application is concerned (policy 2.2)?
pub fn allows(
    state: &State,
    policy: &Policy,
    class: OperationClass,
    app: Option<SdkAppId>,
) -> bool {
    under(state, policy, class, &effective(state, app))
}

/// Is `class` allowed under these holds?
fn under(state: &State, policy: &Policy, class: OperationClass, holds: &[&Hold]) -> bool {
    let kinds = holds.iter().map(|hold| hold.kind);
    effect::allows(class, kinds, state.reclaim.is_irreversible(), Some(&policy.freeze))
}

/// What the doors of one application need to know; pushed to nodes with every new epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each answers another door")]
pub struct AppVerdict {
    /// Which application.
    pub app: SdkAppId,
    /// The account's epoch that it follows from; a higher one replaces it.
    pub epoch: u64,
    /// Kinds of holds in force on it, the earliest first, each once; the reasons of a refusal (I14).
    pub holds: Vec<HoldKind>,
    /// Being cleared, or cleared.
    pub cleared: bool,
    /// May new users enter? Exactly when there is no hold and no stage (I6).
    pub enter: bool,
    /// May users come back to a stay that is still open (A21)?
    pub resume: bool,
    /// Must stays inside be ended (`violation`, `closure`, cleared, a freeze by agreement; I12)?
    pub dismiss: bool,
}

/// The verdict on every application of the account.
pub fn verdicts(state: &State, policy: &Policy) -> Vec<AppVerdict> {
    let of = |app| {
        let holds = effective(state, Some(app));
        let may = |class| under(state, policy, class, &holds);
        AppVerdict {
            app,
            epoch: state.head.epoch,
            holds: kinds(&holds),
            cleared: state.reclaim.is_irreversible(),
            enter: may(OperationClass::Join),
            resume: may(OperationClass::Resume),
            dismiss: !may(OperationClass::MediaOfStay),
        }
    };
    state.apps.keys().copied().map(of).collect()
}

fn kinds(holds: &[&Hold]) -> Vec<HoldKind> {
    let mut kinds = Vec::new();
    for hold in holds {
        if !kinds.contains(&hold.kind) {
            kinds.push(hold.kind);
        }
    }
    kinds
}

/// The whole standing of an account, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StandingView {
    /// Account time it is of.
    pub now: Timestamp,
    /// One word for display. Where every application has holds of its own, that of the application that is
    /// held the least.
    pub label: Label,
    /// What is allowed, by [`OperationClass::code`]: to the account, and to at least one of its applications.
    pub allows: BTreeMap<&'static str, bool>,
    /// All holds of the account and its applications, proposals included, the earliest first.
    pub holds: Vec<HoldView>,
    /// The arrears episode, if one is open.
    pub arrears: Option<ArrearsView>,
    /// How far reclamation has come.
    pub reclaim: ReclaimView,
    /// What is due by itself, the earliest first.
    pub timers: Vec<TimerView>,
    /// Each application by itself.
    pub apps: Vec<AppStanding>,
}

/// A hold, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldView {
    /// Its id.
    pub id: HoldId,
    /// Which kind.
    pub kind: HoldKind,
    /// `account`, or the application's number.
    pub scope: Scope,
    /// The finer reason, where the kind has one.
    pub cause: Option<HoldCause>,
    /// In words; may be empty.
    pub reason: String,
    /// From when it holds.
    pub since: Timestamp,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// What to do about it.
    pub remedy: &'static str,
    /// The clauses it follows from.
    pub clauses: &'static [ClauseId],
    /// Waits for approval, and is without effect until then (T14).
    pub proposed: bool,
}

impl From<&Hold> for HoldView {
    fn from(hold: &Hold) -> Self {
        let rule = hold.kind.rule();
        Self {
            id: hold.id.clone(),
            kind: hold.kind,
            scope: hold.scope,
            cause: hold.cause,
            reason: hold.reason.clone(),
            since: hold.since,
            applied_at: hold.applied_at,
            remedy: rule.remedy,
            clauses: rule.clauses,
            proposed: hold.proposed,
        }
    }
}

/// An open arrears episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ArrearsView {
    /// When the balance fell below zero.
    pub since: Timestamp,
    /// When suspension is due; none under an agreement without suspension.
    pub suspend_due: Option<Timestamp>,
}

/// How far reclamation has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReclaimView {
    /// `none`, `due`, `clearing` or `cleared`.
    pub stage: &'static str,
    /// `due`: clearing may begin after this. `clearing`: when it began. `cleared`: when it was done.
    pub at: Option<Timestamp>,
    /// `clearing`: the next step, from 0.
    pub step: Option<u32>,
    /// Exempt for legal reasons (A13)?
    pub exempt: bool,
}

impl ReclaimView {
    fn of(state: &State) -> Self {
        let exempt = state.profile.as_ref().is_some_and(|profile| profile.reclaim_exempt);
        let (stage, at, step) = match state.reclaim {
            Reclaim::None => ("none", None, None),
            Reclaim::Due { at } => ("due", Some(at), None),
            Reclaim::Clearing { step, since } => ("clearing", Some(since), Some(step)),
            Reclaim::Cleared { at } => ("cleared", Some(at), None),
        };
        Self { stage, at, step, exempt }
    }
}

/// Something that is due by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimerView {
    /// [`crate::timer::TimerKind::code`].
    pub kind: String,
    /// When, account time.
    pub due: Timestamp,
}

/// The standing of one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppStanding {
    /// Its number.
    pub sdk_app_id: SdkAppId,
    /// One word for display.
    pub label: Label,
    /// What is allowed, by [`OperationClass::code`].
    pub allows: BTreeMap<&'static str, bool>,
    /// The holds in force on it, the account's included, the earliest first.
    pub holds: Vec<HoldView>,
}

/// The standing of the account at `now` under these terms.
pub fn view(state: &State, policy: &Policy, now: Timestamp) -> StandingView {
    let apps: Vec<_> = state.apps.keys().map(|app| app_standing(state, policy, *app)).collect();
    let account = effective(state, None);
    let own = label_of(state, &account);
    let allows = OperationClass::ALL.iter().map(|class| {
        let to_one = |app: &AppStanding| app.allows.get(class.code()) == Some(&true);
        let to_apps = apps.is_empty() || apps.iter().any(to_one);
        (class.code(), under(state, policy, *class, &account) && to_apps)
    });
    let mut holds: Vec<_> = state.holds.values().collect();
    holds.sort_by(|a, b| (a.since, a.kind, &a.id).cmp(&(b.since, b.kind, &b.id)));
    let mut timers: Vec<_> = state.timers.iter().map(|(kind, due)| (*due, kind)).collect();
    timers.sort();
    StandingView {
        now,
        label: apps.iter().map(|app| app.label).max().map_or(own, |least| least.min(own)),
        allows: allows.collect(),
        holds: holds.into_iter().map(HoldView::from).collect(),
        arrears: state
            .episode
            .map(|episode| ArrearsView { since: episode.since, suspend_due: episode.suspend_due }),
        reclaim: ReclaimView::of(state),
        timers: timers
            .into_iter()
            .map(|(due, kind)| TimerView { kind: kind.code(), due })
            .collect(),
        apps,
    }
}

fn app_standing(state: &State, policy: &Policy, app: SdkAppId) -> AppStanding {
    let holds = effective(state, Some(app));
    let allows = OperationClass::ALL
        .iter()
        .map(|class| (class.code(), under(state, policy, *class, &holds)));
    AppStanding {
        sdk_app_id: app,
        label: label_of(state, &holds),
        allows: allows.collect(),
        holds: holds.into_iter().map(HoldView::from).collect(),
    }
}

fn label_of(state: &State, holds: &[&Hold]) -> Label {
    label(
        matches!(state.reclaim, Reclaim::Clearing { .. }),
        matches!(state.reclaim, Reclaim::Cleared { .. }),
        holds.iter().map(|hold| hold.kind),
        state.episode.is_some(),
    )
}

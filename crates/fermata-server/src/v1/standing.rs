//! The standing of an account: what is in its way, what it may do, what is due by itself.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use fermata_billing::hold::Scope;
use fermata_billing::standing::{self as core, HoldView as Held};
use fermata_billing::state::Hold;
use fermata_types::AccountId;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::call::books;
use super::error::{ApiError, ErrorBody};
use super::extract::UrlPath;
use crate::server::Shared;

/// What a hold is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ScopeView {
    /// The word `account`.
    Account(&'static str),
    /// The number of an application.
    App(u32),
}

impl From<Scope> for ScopeView {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Account => Self::Account("account"),
            Scope::App(app) => Self::App(app.0),
        }
    }
}

/// One reason why something is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReasonView {
    /// Kind of the hold.
    pub kind: &'static str,
    /// `account`, or the number of the application it is about.
    pub scope: ScopeView,
    /// From when it holds, RFC 3339.
    pub since: String,
    /// What to do about it.
    pub remedy: &'static str,
    /// The clauses of the policy that it follows from.
    pub clauses: Vec<String>,
}

impl From<&Hold> for ReasonView {
    fn from(hold: &Hold) -> Self {
        let rule = hold.kind.rule();
        Self {
            kind: hold.kind.code(),
            scope: hold.scope.into(),
            since: hold.since.to_string(),
            remedy: rule.remedy,
            clauses: rule.clauses.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A hold: one reason for which service is restricted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HoldView {
    /// Its id, `HD_...`.
    pub id: String,
    /// Why, in short.
    #[serde(flatten)]
    pub because: ReasonView,
    /// The finer reason, where the kind has one, such as `free_used` or `content`.
    pub cause: Option<&'static str>,
    /// In words; may be empty.
    pub reason: String,
    /// When it was applied, RFC 3339; later than `since` if the program was late.
    pub applied_at: String,
    /// It waits for another operator's approval, and is without effect until then.
    pub proposed: bool,
}

impl From<&Hold> for HoldView {
    fn from(hold: &Hold) -> Self {
        Self {
            id: hold.id.to_string(),
            because: hold.into(),
            cause: hold.cause.map(fermata_billing::hold::HoldCause::code),
            reason: hold.reason.clone(),
            applied_at: hold.applied_at.to_string(),
            proposed: hold.proposed,
        }
    }
}

impl From<Held> for HoldView {
    fn from(hold: Held) -> Self {
        Self {
            id: hold.id.to_string(),
            because: ReasonView {
                kind: hold.kind.code(),
                scope: hold.scope.into(),
                since: hold.since.to_string(),
                remedy: hold.remedy,
                clauses: hold.clauses.iter().map(ToString::to_string).collect(),
            },
            cause: hold.cause.map(fermata_billing::hold::HoldCause::code),
            reason: hold.reason,
            applied_at: hold.applied_at.to_string(),
            proposed: hold.proposed,
        }
    }
}

/// An open arrears episode.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArrearsView {
    /// When the balance fell below zero, RFC 3339.
    pub since: String,
    /// When suspension is due, RFC 3339; null under an agreement without suspension.
    pub suspend_due: Option<String>,
}

/// How far reclamation has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReclaimView {
    /// `none`, `due`, `clearing` or `cleared`.
    pub stage: &'static str,
    /// `due`: clearing may begin after this. `clearing`: when it began. `cleared`: when it was done.
    pub at: Option<String>,
    /// `clearing`: the next step, from 0.
    pub step: Option<u32>,
    /// Exempt for legal reasons?
    pub exempt: bool,
}

/// Something that is due by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimerView {
    /// What, such as `suspend` or `day_close/2026-01-31`.
    pub kind: String,
    /// When, in the account's time, RFC 3339.
    pub due: String,
}

/// The standing of one application.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppStandingView {
    /// Its number.
    pub sdk_app_id: u32,
    /// One word for people; decides nothing.
    pub label: &'static str,
    /// What is allowed, by class of operation.
    pub allows: BTreeMap<&'static str, bool>,
    /// The holds in force on it, the account's included, the earliest first.
    pub holds: Vec<HoldView>,
}

/// The standing of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingView {
    /// The account's time: wall time, or what its own clock shows. RFC 3339.
    pub now: String,
    /// One word for people; decides nothing.
    pub label: &'static str,
    /// What is allowed, by class of operation: to the account and at least one of its applications.
    pub allows: BTreeMap<&'static str, bool>,
    /// All holds of the account and its applications, the earliest first. Operators see proposed ones, too.
    pub holds: Vec<HoldView>,
    /// The arrears episode, if one is open.
    pub arrears: Option<ArrearsView>,
    /// How far reclamation has come.
    pub reclaim: ReclaimView,
    /// What is due by itself, the earliest first.
    pub timers: Vec<TimerView>,
    /// Each application by itself.
    pub apps: Vec<AppStandingView>,
}

impl From<core::StandingView> for StandingView {
    fn from(view: core::StandingView) -> Self {
        let app = |app: core::AppStanding| AppStandingView {
            sdk_app_id: app.sdk_app_id.0,
            label: app.label.code(),
            allows: app.allows,
            holds: app.holds.into_iter().map(Into::into).collect(),
        };
        Self {
            now: view.now.to_string(),
            label: view.label.code(),
            allows: view.allows,
            holds: view.holds.into_iter().map(Into::into).collect(),
            arrears: view.arrears.map(|arrears| ArrearsView {
                since: arrears.since.to_string(),
                suspend_due: arrears.suspend_due.map(|due| due.to_string()),
            }),
            reclaim: ReclaimView {
                stage: view.reclaim.stage,
                at: view.reclaim.at.map(|at| at.to_string()),
                step: view.reclaim.step,
                exempt: view.reclaim.exempt,
            },
            timers: view
                .timers
                .into_iter()
                .map(|timer| TimerView { kind: timer.kind, due: timer.due.to_string() })
                .collect(),
            apps: view.apps.into_iter().map(app).collect(),
        }
    }
}

/// Read the standing of an account and its applications
#[utoipa::path(get, path = "/accounts/{account}/standing", operation_id = "read_standing", tag = "standing",
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = StandingView), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    caller: Caller,
    UrlPath(account): UrlPath<String>,
) -> Result<Json<StandingView>, ApiError> {
    let (books, _) = books(&shared, &AccountId::from_text(&account)).await?;
    let mut view = core::view(&books.state, &books.policy, books.now);
    if !caller.is_operator() {
        // Nobody is told of a finding before it is one.
        view.holds.retain(|hold| !hold.proposed);
    }
    Ok(Json(view.into()))
}

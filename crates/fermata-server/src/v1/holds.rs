//! Holds that people raise and drop: violations, the operator's, a partner's freeze, closure (policy 2.1).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::{Answer, Command};
use fermata_billing::hold::{HoldCause, HoldKind, Scope};
use fermata_billing::id::HoldId;
use fermata_types::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, MaybeBody, UrlPath, app_id};
use super::once::OnlyOnce;
use super::standing::HoldView;
use crate::server::Shared;

/// Kinds of holds that people raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldKindName {
    /// Contents or conduct against the rules; final. Operators only, two of them.
    Violation,
    /// A reversible hold of the operator.
    Admin,
    /// A freeze by the account's partner.
    PartnerFreeze,
    /// The end of service that the customer asked for. Operators only.
    Closure,
}

impl From<HoldKindName> for HoldKind {
    fn from(kind: HoldKindName) -> Self {
        match kind {
            HoldKindName::Violation => Self::Violation,
            HoldKindName::Admin => Self::Admin,
            HoldKindName::PartnerFreeze => Self::PartnerFreeze,
            HoldKindName::Closure => Self::Closure,
        }
    }
}

/// Finer reasons of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldCauseName {
    /// The contents.
    Content,
    /// A breach of the agreement.
    Agreement,
}

impl From<HoldCauseName> for HoldCause {
    fn from(cause: HoldCauseName) -> Self {
        match cause {
            HoldCauseName::Content => Self::Content,
            HoldCauseName::Agreement => Self::Agreement,
        }
    }
}

/// A hold to raise, or a violation to propose.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// Which kind.
    pub kind: HoldKindName,
    /// In words, for people; a violation needs it.
    pub reason: Option<String>,
    /// Reference of the evidence; a violation needs it.
    pub evidence: Option<String>,
    /// `content` or `agreement`, for a violation.
    pub cause: Option<HoldCauseName>,
    /// One application of the account, where the kind allows that (`admin`); the whole account if absent.
    pub app: Option<u32>,
}

/// Raise a hold; a violation is only proposed until another operator approves it
#[utoipa::path(post, path = "/accounts/{account}/holds", operation_id = "raise_hold", tag = "standing", request_body = NewHold,
    params(("account" = String, Path, description = "Account id")),
    responses((status = 201, body = HoldView), (status = "4XX", body = ErrorBody)))]
pub async fn raise(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(new): Body<NewHold>,
) -> Result<(StatusCode, Json<HoldView>), ApiError> {
    let account = AccountId::from_text(&account);
    let command = Command::RaiseHold {
        kind: new.kind.into(),
        scope: new.app.map(app_id).transpose()?.map_or(Scope::Account, Scope::App),
        cause: new.cause.map(Into::into),
        reason: new.reason.unwrap_or_default(),
        evidence: new.evidence.unwrap_or_default(),
    };
    let hold = held(call(&shared, &caller, once, &account, command).await?.answer)?;
    tracing::info!(%account, hold = %hold.id, kind = hold.because.kind, proposed = hold.proposed, "Raised a hold.");
    Ok((StatusCode::CREATED, Json(hold)))
}

/// Nothing to say about an approval.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {}

/// Approve a proposed violation, which is in force when the answer comes; not by who proposed it
#[utoipa::path(post, path = "/accounts/{account}/holds/{hold}/approve", operation_id = "approve_hold", tag = "standing", request_body = Option<Approval>,
    params(
        ("account" = String, Path, description = "Account id"),
        ("hold" = String, Path, description = "Hold id"),
    ),
    responses((status = 200, body = HoldView), (status = "4XX", body = ErrorBody)))]
pub async fn approve(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath((account, hold)): UrlPath<(String, String)>,
    MaybeBody(Approval {}): MaybeBody<Approval>,
) -> Result<Json<HoldView>, ApiError> {
    let account = AccountId::from_text(&account);
    let command = Command::ApproveHold { hold: HoldId::from_text(&hold) };
    let hold = held(call(&shared, &caller, once, &account, command).await?.answer)?;
    tracing::info!(%account, hold = %hold.id, "Approved a violation.");
    Ok(Json(hold))
}

/// What is left after a hold was dropped.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldsLeft {
    /// The holds that remain on the account and its applications, the earliest first.
    pub holds: Vec<HoldView>,
}

/// Drop a hold, where that is possible by hand; never a violation
#[utoipa::path(delete, path = "/accounts/{account}/holds/{hold}", operation_id = "drop_hold", tag = "standing",
    params(
        ("account" = String, Path, description = "Account id"),
        ("hold" = String, Path, description = "Hold id"),
    ),
    responses((status = 200, body = HoldsLeft), (status = "4XX", body = ErrorBody)))]
pub async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    UrlPath((account, hold)): UrlPath<(String, String)>,
) -> Result<Json<HoldsLeft>, ApiError> {
    let account = AccountId::from_text(&account);
    let command = Command::DropHold { hold: HoldId::from_text(&hold) };
    call(&shared, &caller, None, &account, command).await?;
    tracing::info!(%account, %hold, "Dropped a hold.");
    let (books, _) = books(&shared, &account).await?;
    let mut left: Vec<_> = books.state.holds.values().collect();
    left.retain(|hold| caller.is_operator() || !hold.proposed);
    left.sort_by(|a, b| (a.since, a.kind, &a.id).cmp(&(b.since, b.kind, &b.id)));
    Ok(Json(HoldsLeft { holds: left.into_iter().map(HoldView::from).collect() }))
}

fn held(answer: Answer) -> Result<HoldView, ApiError> {
    match answer {
        Answer::Hold(hold) => Ok(HoldView::from(&hold)),
        _ => Err(ApiError::Internal),
    }
}

//! Postpaid: whether minutes that no package covers are billed in money, and how often.

use axum::Json;
use axum::extract::State;
use fermata_billing::command::Command;
use fermata_types::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::BillingView;
use super::auth::Caller;
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath};
use super::once::OnlyOnce;
use crate::server::Shared;

/// Postpaid of an account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Postpaid {
    /// Whether and how often.
    pub billing: BillingView,
}

/// Switch postpaid; service that it brings back is back when the answer comes
#[utoipa::path(post, path = "/accounts/{account}/postpaid", operation_id = "set_postpaid", tag = "accounts",
    params(("account" = String, Path, description = "Account id")), request_body = Postpaid,
    responses((status = 200, body = Postpaid), (status = "4XX", body = ErrorBody)))]
pub async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(Postpaid { billing }): Body<Postpaid>,
) -> Result<Json<Postpaid>, ApiError> {
    let account = AccountId::from_text(&account);
    books(&shared, &account).await?;
    let command = Command::SetBilling { billing: billing.into() };
    call(&shared, &caller, once, &account, command).await?;
    tracing::info!(%account, ?billing, "Switched postpaid.");
    Ok(Json(Postpaid { billing }))
}

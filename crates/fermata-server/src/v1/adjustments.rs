//! Adjustments: an operator's correction of a balance, up or down, with its reason (policy A22).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::Command;
use fermata_types::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::balance::{self, BalanceView};
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath};
use super::money;
use super::once::OnlyOnce;
use crate::server::Shared;

/// A correction of a balance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAdjustment {
    /// Decimal number of the account's currency, not zero; negative takes money away.
    pub amount: String,
    /// Why, for people; 1 to 1000 characters.
    pub reason: String,
}

/// A correction that was made. Its ledger transaction and audit row say the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdjustmentView {
    /// Decimal number.
    pub amount: String,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub actor: String,
    /// The balance after it.
    pub balance: BalanceView,
}

/// Correct the balance of an account, up or down
#[utoipa::path(post, path = "/accounts/{account}/adjustments", operation_id = "create_adjustment", tag = "payments",
    params(("account" = String, Path, description = "Account id")), request_body = NewAdjustment,
    responses((status = 201, body = AdjustmentView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(new): Body<NewAdjustment>,
) -> Result<(StatusCode, Json<AdjustmentView>), ApiError> {
    let account = AccountId::from_text(&account);
    let (_, profile) = books(&shared, &account).await?;
    let currency = profile.currency;
    let amount = money::amount("amount", &new.amount)?;
    let command = Command::Adjust { amount, reason: new.reason.clone() };
    call(&shared, &caller, once, &account, command).await?;
    tracing::info!(%account, "Corrected a balance.");
    let view = AdjustmentView {
        amount: money::text(amount, currency),
        currency: currency.code(),
        reason: new.reason,
        actor: caller.actor().text(),
        balance: balance::of(&shared, &account).await?,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

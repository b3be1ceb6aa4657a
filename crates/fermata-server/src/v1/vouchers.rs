//! Vouchers: money that an operator gives, usable until it ends (policy A4).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::{Answer, Command};
use fermata_billing::journal::VoucherGranted;
use fermata_billing::money::Currency;
use fermata_types::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath};
use super::money;
use super::once::OnlyOnce;
use super::usage::moment;
use crate::server::Shared;

/// A voucher to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVoucher {
    /// Decimal number of the account's currency, more than zero.
    pub amount: String,
    /// Last moment it is usable, RFC 3339, account time.
    pub expires_at: String,
    /// Why it is given, for people; 1 to 1000 characters.
    pub reason: String,
}

/// A voucher that was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct VoucherView {
    /// Its id, `VO_...`.
    pub id: String,
    /// Decimal number.
    pub amount: String,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// Last moment it is usable, RFC 3339, account time.
    pub expires_at: String,
    /// Why it was given.
    pub reason: String,
    /// Who gave it.
    pub actor: String,
    /// Its ledger transaction, `TX_...`.
    pub txn: String,
}

impl VoucherView {
    fn new(voucher: VoucherGranted, currency: Currency, actor: String) -> Self {
        Self {
            id: voucher.id.to_string(),
            amount: money::text(voucher.amount, currency),
            currency: currency.code(),
            expires_at: voucher.expires_at.to_string(),
            reason: voucher.reason,
            actor,
            txn: voucher.txn.to_string(),
        }
    }
}

/// Give a voucher
#[utoipa::path(post, path = "/accounts/{account}/vouchers", operation_id = "create_voucher", tag = "payments",
    params(("account" = String, Path, description = "Account id")), request_body = NewVoucher,
    responses((status = 201, body = VoucherView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(new): Body<NewVoucher>,
) -> Result<(StatusCode, Json<VoucherView>), ApiError> {
    let account = AccountId::from_text(&account);
    let (_, profile) = books(&shared, &account).await?;
    let command = Command::GrantVoucher {
        amount: money::coins("amount", &new.amount, profile.currency)?,
        expires_at: moment("expires_at", &new.expires_at)?,
        reason: new.reason,
    };
    let billed = call(&shared, &caller, once, &account, command).await?;
    let Answer::Voucher(voucher) = billed.answer else { return Err(ApiError::Internal) };
    tracing::info!(%account, voucher = %voucher.id, "Gave a voucher.");
    let view = VoucherView::new(voucher, profile.currency, caller.actor().text());
    Ok((StatusCode::CREATED, Json(view)))
}

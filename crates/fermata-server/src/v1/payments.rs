//! Payments: money that came in through a provider, and money that was taken back.
//!
//! What it is not: a provider's callback; whoever receives that reports it here, once or often, with the provider's
//! own reference.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::{Answer, Command};
use fermata_billing::journal::{JournalRow, Payment, PaymentReversed, Record, RecordKind};
use fermata_billing::money::Currency;
use fermata_types::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::Page;
use super::auth::Caller;
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, UrlQuery};
use super::once::OnlyOnce;
use super::{journal, money};
use crate::server::Shared;

/// A payment that came in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    /// Decimal number of the account's currency, more than zero: `"49.00"`.
    pub amount: String,
    /// The provider's reference, 1 to 128 printable ASCII characters. The same one twice credits once.
    pub provider_ref: String,
}

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentView {
    /// The provider's reference.
    pub provider_ref: String,
    /// Decimal number.
    pub amount: String,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// When it was booked, RFC 3339, account time.
    pub at: String,
    /// Its ledger transaction, `TX_...`.
    pub txn: String,
}

impl PaymentView {
    fn new(payment: &Payment, currency: Currency) -> Self {
        Self {
            provider_ref: payment.provider_ref.clone(),
            amount: money::text(payment.amount, currency),
            currency: currency.code(),
            at: payment.at.to_string(),
            txn: payment.txn.to_string(),
        }
    }
}

/// Book a payment; service that it brings back is back when the answer comes
#[utoipa::path(post, path = "/accounts/{account}/payments", operation_id = "create_payment", tag = "payments",
    params(("account" = String, Path, description = "Account id")), request_body = NewPayment,
    responses((status = 201, body = PaymentView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(new): Body<NewPayment>,
) -> Result<(StatusCode, Json<PaymentView>), ApiError> {
    let account = AccountId::from_text(&account);
    let (_, profile) = books(&shared, &account).await?;
    let amount = money::coins("amount", &new.amount, profile.currency)?;
    let command = Command::Pay { amount, provider_ref: new.provider_ref };
    let billed = call(&shared, &caller, once, &account, command).await?;
    let Answer::Payment(payment) = billed.answer else { return Err(ApiError::Internal) };
    tracing::info!(%account, txn = %payment.txn, "Booked a payment.");
    Ok((StatusCode::CREATED, Json(PaymentView::new(&payment, profile.currency))))
}

/// Why a payment is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentReversal {
    /// For people, 1 to 1000 characters.
    pub reason: String,
}

/// A payment that was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentReversalView {
    /// The payment's reference.
    pub provider_ref: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339, account time.
    pub at: String,
    /// The reversing ledger transaction, `TX_...`.
    pub txn: String,
}

impl From<&PaymentReversed> for PaymentReversalView {
    fn from(reversal: &PaymentReversed) -> Self {
        Self {
            provider_ref: reversal.provider_ref.clone(),
            reason: reversal.reason.clone(),
            at: reversal.at.to_string(),
            txn: reversal.txn.to_string(),
        }
    }
}

/// Take a payment back (a chargeback); repeating it changes nothing
#[utoipa::path(post, path = "/accounts/{account}/payments/{ref}/reverse", operation_id = "reverse_payment",
    tag = "payments",
    params(
        ("account" = String, Path, description = "Account id"),
        ("ref" = String, Path, description = "The provider's reference"),
    ),
    request_body = PaymentReversal,
    responses((status = 200, body = PaymentReversalView), (status = "4XX", body = ErrorBody)))]
pub async fn reverse(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath((account, provider_ref)): UrlPath<(String, String)>,
    Body(PaymentReversal { reason }): Body<PaymentReversal>,
) -> Result<Json<PaymentReversalView>, ApiError> {
    let account = AccountId::from_text(&account);
    let command = Command::ReversePayment { provider_ref, reason };
    let billed = call(&shared, &caller, once, &account, command).await?;
    let Answer::PaymentReversed(reversal) = &billed.answer else { return Err(ApiError::Internal) };
    tracing::info!(%account, txn = %reversal.txn, "Took a payment back.");
    Ok(Json(reversal.into()))
}

/// A payment, or that it was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentRow {
    /// Its row in the account's journal; rises.
    pub seq: u64,
    /// `payment` or `reversal`.
    pub kind: &'static str,
    /// The provider's reference.
    pub provider_ref: String,
    /// Decimal number; null for a reversal, which takes all of the payment back.
    pub amount: Option<String>,
    /// Why it was taken back; null for a payment.
    pub reason: Option<String>,
    /// When, RFC 3339, account time.
    pub at: String,
    /// Its ledger transaction, `TX_...`.
    pub txn: String,
}

impl PaymentRow {
    fn of(row: &JournalRow, currency: Currency) -> Option<Self> {
        let seq = row.seq;
        if let Record::Payment(payment) = &row.record {
            return Some(Self {
                seq,
                kind: "payment",
                provider_ref: payment.provider_ref.clone(),
                amount: Some(money::text(payment.amount, currency)),
                reason: None,
                at: payment.at.to_string(),
                txn: payment.txn.to_string(),
            });
        }
        let Record::PaymentReversed(reversal) = &row.record else { return None };
        Some(Self {
            seq,
            kind: "reversal",
            provider_ref: reversal.provider_ref.clone(),
            amount: None,
            reason: Some(reversal.reason.clone()),
            at: reversal.at.to_string(),
            txn: reversal.txn.to_string(),
        })
    }
}

/// Payments and reversals, by row.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payments {
    /// This part of the list.
    pub items: Vec<PaymentRow>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List the payments of an account and their reversals
#[utoipa::path(get, path = "/accounts/{account}/payments", operation_id = "list_payments", tag = "payments",
    params(("account" = String, Path, description = "Account id"), Page),
    responses((status = 200, body = Payments), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<Payments>, ApiError> {
    let account = AccountId::from_text(&account);
    let (_, profile) = books(&shared, &account).await?;
    let kinds = [RecordKind::Payment, RecordKind::PaymentReversed];
    let part = journal::rows(&shared, &account, &kinds, &page).await?;
    let items = part.rows.iter().filter_map(|row| PaymentRow::of(row, profile.currency)).collect();
    Ok(Json(Payments { items, next: part.next }))
}

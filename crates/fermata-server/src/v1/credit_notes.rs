//! Credit notes: part of a bill is given back; the bill itself never changes (billing P11, P14).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::{Answer, Command};
use fermata_billing::id::BillId;
use fermata_billing::journal::CreditNote;
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
use crate::server::Shared;

/// A credit note to issue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCreditNote {
    /// Of which bill, `BL_...`.
    pub bill: String,
    /// Decimal number, more than zero; all credit notes of a bill together never exceed its total.
    pub amount: String,
    /// Why, for people; 1 to 1000 characters.
    pub reason: String,
}

/// A credit note.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditNoteView {
    /// Its id, `CN_...`.
    pub id: String,
    /// Of which bill.
    pub bill: String,
    /// Decimal number.
    pub amount: String,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// Why.
    pub reason: String,
    /// Who issued it.
    pub actor: String,
    /// When, RFC 3339, account time.
    pub at: String,
    /// Its ledger transaction, `TX_...`.
    pub txn: String,
}

impl CreditNoteView {
    fn new(note: CreditNote, currency: Currency, actor: String) -> Self {
        Self {
            id: note.id.to_string(),
            bill: note.bill.to_string(),
            amount: money::text(note.amount, currency),
            currency: currency.code(),
            reason: note.reason,
            actor,
            at: note.at.to_string(),
            txn: note.txn.to_string(),
        }
    }
}

/// Issue a credit note: give part of a bill back to the balance
#[utoipa::path(post, path = "/accounts/{account}/credit-notes", operation_id = "create_credit_note", tag = "bills",
    params(("account" = String, Path, description = "Account id")), request_body = NewCreditNote,
    responses((status = 201, body = CreditNoteView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(new): Body<NewCreditNote>,
) -> Result<(StatusCode, Json<CreditNoteView>), ApiError> {
    let account = AccountId::from_text(&account);
    let (_, profile) = books(&shared, &account).await?;
    let command = Command::IssueCreditNote {
        bill: BillId::from_text(&new.bill),
        amount: money::coins("amount", &new.amount, profile.currency)?,
        reason: new.reason,
    };
    let billed = call(&shared, &caller, once, &account, command).await?;
    let Answer::CreditNote(note) = billed.answer else { return Err(ApiError::Internal) };
    tracing::info!(%account, note = %note.id, "Issued a credit note.");
    let view = CreditNoteView::new(note, profile.currency, caller.actor().text());
    Ok((StatusCode::CREATED, Json(view)))
}

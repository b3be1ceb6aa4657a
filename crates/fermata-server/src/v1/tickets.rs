//! Tickets: a customer asks to end the service and have the account's data cleared (policy S23, T28).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::{Answer, Command};
use fermata_billing::id::TicketId;
use fermata_billing::state::Ticket;
use fermata_types::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::call::call;
use super::error::{ApiError, ErrorBody};
use super::extract::{MaybeBody, UrlPath};
use super::once::OnlyOnce;
use crate::server::Shared;

/// A ticket that asks to close the account.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketView {
    /// Its id, `TI_...`.
    pub id: String,
    /// When it was opened, RFC 3339.
    pub opened_at: String,
    /// The days to think again end here, RFC 3339; only then can it be confirmed.
    pub confirm_due: String,
    /// The hold `closure` that it raised; null if none stands.
    pub hold: Option<String>,
}

impl From<Ticket> for TicketView {
    fn from(ticket: Ticket) -> Self {
        Self {
            id: ticket.id.to_string(),
            opened_at: ticket.opened_at.to_string(),
            confirm_due: ticket.confirm_due.to_string(),
            hold: ticket.hold.map(|hold| hold.to_string()),
        }
    }
}

/// Nothing to say with a ticket.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoWords {}

/// Ask to close an account and clear its data
#[utoipa::path(post, path = "/accounts/{account}/tickets", operation_id = "open_ticket", tag = "standing", request_body = Option<NoWords>,
    params(("account" = String, Path, description = "Account id")),
    responses((status = 201, body = TicketView), (status = "4XX", body = ErrorBody)))]
pub async fn open(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    MaybeBody(NoWords {}): MaybeBody<NoWords>,
) -> Result<(StatusCode, Json<TicketView>), ApiError> {
    let account = AccountId::from_text(&account);
    let billed = call(&shared, &caller, once, &account, Command::OpenTicket).await?;
    let Answer::Ticket(ticket) = billed.answer else { return Err(ApiError::Internal) };
    tracing::info!(%account, ticket = %ticket.id, "Opened a ticket.");
    Ok((StatusCode::CREATED, Json(ticket.into())))
}

/// A ticket that was confirmed or taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketDone {
    /// Its id.
    pub id: String,
    /// `confirmed`: clearing begins. `cancelled`: the account stays.
    pub state: &'static str,
}

/// Confirm the closing of an account after the days to think again; its data is cleared
#[utoipa::path(post, path = "/accounts/{account}/tickets/{ticket}/confirm", operation_id = "confirm_ticket", tag = "standing", request_body = Option<NoWords>,
    params(
        ("account" = String, Path, description = "Account id"),
        ("ticket" = String, Path, description = "Ticket id"),
    ),
    responses((status = 200, body = TicketDone), (status = "4XX", body = ErrorBody)))]
pub async fn confirm(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath((account, id)): UrlPath<(String, String)>,
    MaybeBody(NoWords {}): MaybeBody<NoWords>,
) -> Result<Json<TicketDone>, ApiError> {
    let account = AccountId::from_text(&account);
    let command = Command::ConfirmTicket { ticket: TicketId::from_text(&id) };
    call(&shared, &caller, once, &account, command).await?;
    tracing::info!(%account, ticket = %id, "Confirmed a ticket.");
    Ok(Json(TicketDone { id, state: "confirmed" }))
}

/// Take a ticket back; the account stays
#[utoipa::path(post, path = "/accounts/{account}/tickets/{ticket}/cancel", operation_id = "cancel_ticket", tag = "standing", request_body = Option<NoWords>,
    params(
        ("account" = String, Path, description = "Account id"),
        ("ticket" = String, Path, description = "Ticket id"),
    ),
    responses((status = 200, body = TicketDone), (status = "4XX", body = ErrorBody)))]
pub async fn cancel(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath((account, id)): UrlPath<(String, String)>,
    MaybeBody(NoWords {}): MaybeBody<NoWords>,
) -> Result<Json<TicketDone>, ApiError> {
    let account = AccountId::from_text(&account);
    let command = Command::CancelTicket { ticket: TicketId::from_text(&id) };
    call(&shared, &caller, once, &account, command).await?;
    tracing::info!(%account, ticket = %id, "Cancelled a ticket.");
    Ok(Json(TicketDone { id, state: "cancelled" }))
}

//! Asking something of an account's books: one command, in force when the answer comes.

use fermata_billing::command::{Command, Refusal};
use fermata_billing::state::Profile;
use fermata_store::{Billed, BillingCall, Books, Once, StoreError};
use fermata_types::{AccountId, Now};

use super::auth::Caller;
use super::error::ApiError;
use super::refusal;
use crate::server::Shared;

/// Carries a command out on an account's books. What it changed about who may enter is in force at this
/// server's doors when this returns.
///
/// # Errors
/// [`ApiError`]; nothing was changed then, except where it is [`ApiError::Unavailable`] and only the doors
/// could not be told yet.
pub async fn call(
    shared: &Shared,
    caller: &Caller,
    once: Option<Once>,
    account: &AccountId,
    command: Command,
) -> Result<Billed, ApiError> {
    let call = BillingCall {
        account: account.clone(),
        command,
        actor: caller.actor(),
        wall: Now::read().wall,
        once,
    };
    let billed = match shared.store.bill(call).await {
        Ok(billed) => billed,
        Err(StoreError::Refused(refused)) => return Err(explain(shared, account, *refused).await),
        Err(error) => return Err(error.into()),
    };
    // A repetition may be the first that lives to tell the doors.
    let changed = billed.epoch_changed || billed.replayed;
    if changed || billed.fired.iter().any(|fired| fired.epoch_changed) {
        shared.enforce(account).await?;
    }
    Ok(billed)
}

/// The error for a refusal, with amounts in the account's currency.
pub async fn explain(shared: &Shared, account: &AccountId, refused: Refusal) -> ApiError {
    let currency = match refused {
        Refusal::InsufficientBalance { .. } => {
            books(shared, account).await.ok().map(|(_, profile)| profile.currency)
        }
        _ => None,
    };
    refusal::told(refused, currency)
}

/// The books of an account, and how it is run.
///
/// # Errors
/// [`ApiError::NotFound`] for an unknown account; whatever the store says.
pub async fn books(shared: &Shared, account: &AccountId) -> Result<(Books, Profile), ApiError> {
    let books = shared.store.books(account.clone(), Now::read().wall).await?;
    let Some(profile) = books.state.profile.clone() else {
        return Err(ApiError::NotFound(format!("account {account}")));
    };
    Ok((books, profile))
}

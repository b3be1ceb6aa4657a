//! One's own password at the console.

use std::net::IpAddr;

use axum::extract::State;
use axum::http::StatusCode;
use fermata_store::{ConsoleUser, ConsoleUserChange};
use fermata_types::Now;
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::OwnSession;
use super::console_session::{MaybePeer, address};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::secret_text::SecretText;
use crate::console::{SignedIn, attempt, in_force};
use crate::metrics::Metric;
use crate::server::Shared;

/// A password for another one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The present password.
    pub old: SecretText,
    /// The new one, 12 to 256 characters.
    pub new: SecretText,
}

/// Is this the password of who asks? `field` is what the error calls it. Wrong ones count as failed attempts to sign in.
pub(super) async fn verify_own(
    shared: &Shared,
    own: &SignedIn,
    from: IpAddr,
    (field, text): (&str, &str),
) -> Result<(), ApiError> {
    let attempt = attempt(shared, &own.user.name, from)?;
    let fits = shared.console.verify(text, &own.user.password_hash).await;
    if matches!(fits, Ok(false)) {
        shared.metrics.add(Metric::ConsoleSignInsFailed, 1);
        tracing::info!(user = %own.user.id, "A password was wrong at the console.");
        return Err(ApiError::Invalid(format!("{field}: it is not your password")));
    }
    shared.console.forgive(&attempt);
    fits.map(drop)
}

/// The user of a session as it is now, for a change under [`crate::console::Console::changing`]. Who was signed out, or
/// got another password, since the call began changes nothing.
pub(super) async fn still(shared: &Shared, own: &SignedIn) -> Result<ConsoleUser, ApiError> {
    let found = shared.store.console_session(own.session.hash, Now::read().wall).await?;
    let same =
        |user: &ConsoleUser| user.password_hash == own.user.password_hash && in_force(shared, user);
    found.map(|(_, user)| user).filter(same).ok_or(ApiError::Unauthorized)
}

/// Change one's own password; all other sessions of the user end
#[utoipa::path(post, path = "/console-session/password", operation_id = "change_own_console_password", tag = "console",
    request_body = NewPassword,
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub async fn change(
    State(shared): State<Shared>,
    peer: MaybePeer,
    OwnSession(own): OwnSession,
    Body(new): Body<NewPassword>,
) -> Result<StatusCode, ApiError> {
    verify_own(&shared, &own, address(&peer), ("old", &new.old)).await?;
    let hash = shared.console.hash("new", &new.new).await?;
    let _changing = shared.console.changing().await;
    still(&shared, &own).await?;
    let change = ConsoleUserChange {
        password: Some((hash, Now::read().wall)),
        keep_session: Some(own.session.hash),
        ..Default::default()
    };
    shared.store.change_console_user(own.user.id.clone(), change).await?;
    tracing::info!(user = %own.user.id, "A user of the console changed its password.");
    Ok(StatusCode::NO_CONTENT)
}

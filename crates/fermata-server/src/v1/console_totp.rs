//! One's own one-time codes at the console (TOTP, RFC 6238): begun, confirmed with a first code, removed.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use fermata_auth::totp;
use fermata_store::{ConsoleTotp, ConsoleUserChange};
use fermata_types::Now;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::OwnSession;
use super::console_password::{still, verify_own};
use super::console_session::{MaybePeer, NO_STORE, address, has_totp, taken};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::secret_text::SecretText;
use crate::console::attempt;
use crate::metrics::Metric;
use crate::secret;
use crate::server::Shared;

/// Whose codes an app says that they are.
const ISSUER: &str = "Fermata";

/// What an authenticator app needs.
#[derive(Serialize, ToSchema)]
pub struct TotpSecret {
    /// The secret to type, base32. Shown once.
    pub secret: String,
    /// The same to be shown as a QR code, `otpauth://totp/...`.
    pub uri: String,
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TotpSecret").finish_non_exhaustive()
    }
}

/// Begin with one-time codes; they are asked for once the first is confirmed
#[utoipa::path(post, path = "/console-session/totp", operation_id = "begin_console_totp", tag = "console",
    responses((status = 201, body = TotpSecret), (status = "4XX", body = ErrorBody)))]
pub async fn begin(
    State(shared): State<Shared>,
    OwnSession(own): OwnSession,
) -> Result<Response, ApiError> {
    let secret = secret::totp_secret()?;
    let _changing = shared.console.changing().await;
    if has_totp(&still(&shared, &own).await?) {
        let text = "One-time codes are in use; remove them first.".to_owned();
        return Err(ApiError::Conflict(text));
    }
    let new = ConsoleTotp { secret: secret.to_vec(), last_step: None };
    let change = ConsoleUserChange { totp: Some(Some(new)), ..Default::default() };
    shared.store.change_console_user(own.user.id.clone(), change).await?;
    let view = TotpSecret {
        secret: totp::secret_text(&secret),
        uri: totp::uri(ISSUER, &own.user.name, &secret),
    };
    Ok((StatusCode::CREATED, [NO_STORE], Json(view)).into_response())
}

/// A first code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpCode {
    /// Six digits, as the app shows them.
    pub code: SecretText,
}

/// Confirm one-time codes with the first; from now on they are asked for
#[utoipa::path(put, path = "/console-session/totp", operation_id = "confirm_console_totp", tag = "console",
    request_body = TotpCode,
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub async fn confirm(
    State(shared): State<Shared>,
    peer: MaybePeer,
    OwnSession(own): OwnSession,
    Body(new): Body<TotpCode>,
) -> Result<StatusCode, ApiError> {
    let attempt = attempt(&shared, &own.user.name, address(&peer))?;
    let _changing = shared.console.changing().await;
    let user = still(&shared, &own).await?;
    let begun = user.totp.as_ref().filter(|totp| totp.last_step.is_none());
    let Some(begun) = begun else {
        shared.console.forgive(&attempt);
        let text = "There are no one-time codes that wait to be confirmed.".to_owned();
        return Err(ApiError::Conflict(text));
    };
    let Some(taken) = taken(begun, &new.code, Now::read().wall) else {
        shared.metrics.add(Metric::ConsoleSignInsFailed, 1);
        let text = "code: it is not the code of this moment; six digits are needed".to_owned();
        return Err(ApiError::Invalid(text));
    };
    shared.console.forgive(&attempt);
    let change = ConsoleUserChange { totp: Some(Some(taken)), ..Default::default() };
    shared.store.change_console_user(user.id.clone(), change).await?;
    tracing::info!(user = %user.id, "A user of the console has one-time codes from now on.");
    Ok(StatusCode::NO_CONTENT)
}

/// One's password once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPassword {
    /// The present password.
    pub password: SecretText,
}

/// Remove one's own one-time codes
#[utoipa::path(delete, path = "/console-session/totp", operation_id = "remove_console_totp", tag = "console",
    request_body = OwnPassword,
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub async fn remove(
    State(shared): State<Shared>,
    peer: MaybePeer,
    OwnSession(own): OwnSession,
    Body(own_password): Body<OwnPassword>,
) -> Result<StatusCode, ApiError> {
    let typed = ("password", &*own_password.password);
    verify_own(&shared, &own, address(&peer), typed).await?;
    let _changing = shared.console.changing().await;
    still(&shared, &own).await?;
    let change = ConsoleUserChange { totp: Some(None), ..Default::default() };
    shared.store.change_console_user(own.user.id.clone(), change).await?;
    tracing::info!(user = %own.user.id, "A user of the console removed its one-time codes.");
    Ok(StatusCode::NO_CONTENT)
}

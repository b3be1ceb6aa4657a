//! Users of the console: people who sign in with a name and a password, for operators, partners and customers.
//!
//! What it is not: tokens, which programs use (`tokens`); a user's own sign-in (`console_session`).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_store::{ConsoleUser, ConsoleUserChange};
use fermata_types::{ConsoleUserId, Now};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::console_session::has_totp;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath};
use super::secret_text::SecretText;
use super::tokens::{RoleName, role, shown};
use crate::server::Shared;

/// A user of the console, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsoleUserView {
    /// Its id, `CU_...`.
    pub id: String,
    /// Its sign-in name.
    pub name: String,
    /// For whom it speaks.
    pub role: RoleName,
    /// The customer's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The partner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// It may look at things, and change nothing but its own sign-in.
    pub read_only: bool,
    /// Does it sign in with one-time codes, too?
    pub totp: bool,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it got its present password, RFC 3339.
    pub password_changed_at: String,
    /// When it was disabled, RFC 3339; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<String>,
}

impl From<&ConsoleUser> for ConsoleUserView {
    fn from(user: &ConsoleUser) -> Self {
        let (role, account, partner) = shown(&user.role);
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            role,
            account,
            partner,
            read_only: user.read_only,
            totp: has_totp(user),
            created_at: user.created_at.to_string(),
            password_changed_at: user.password_changed_at.to_string(),
            disabled_at: user.disabled_at.map(|at| at.to_string()),
        }
    }
}

/// A user to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsoleUser {
    /// Sign-in name, 1 to 128 characters; no other user's, whatever its case.
    pub name: String,
    /// Password, 12 to 256 characters.
    pub password: SecretText,
    /// For whom it speaks; `operator` if absent.
    pub role: Option<RoleName>,
    /// The account, for a customer's.
    pub account: Option<String>,
    /// The partner's id, for a partner's.
    pub partner: Option<String>,
    /// May it only look at things? No, if absent.
    pub read_only: Option<bool>,
}

/// Make a user of the console
#[utoipa::path(post, path = "/console-users", operation_id = "create_console_user", tag = "console",
    request_body = NewConsoleUser,
    responses((status = 201, body = ConsoleUserView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    Body(new): Body<NewConsoleUser>,
) -> Result<(StatusCode, Json<ConsoleUserView>), ApiError> {
    let role = role(&shared, new.role, new.account.as_deref(), new.partner.as_deref()).await?;
    let password_hash = shared.console.hash("password", &new.password).await?;
    let now = Now::read().wall;
    let user = ConsoleUser {
        id: shared.fresh(ConsoleUserId::random),
        name: new.name,
        password_hash,
        role,
        read_only: new.read_only.unwrap_or(false),
        totp: None,
        created_at: now,
        password_changed_at: now,
        disabled_at: None,
    };
    let user = shared.store.create_console_user(user).await?;
    tracing::info!(user = %user.id, role = user.role.code(), "Made a user of the console.");
    Ok((StatusCode::CREATED, Json(ConsoleUserView::from(&user))))
}

/// Users of the console, by creation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsoleUsers {
    /// All, disabled ones included.
    pub items: Vec<ConsoleUserView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// List users of the console
#[utoipa::path(get, path = "/console-users", operation_id = "list_console_users", tag = "console",
    responses((status = 200, body = ConsoleUsers), (status = "4XX", body = ErrorBody)))]
pub async fn list(State(shared): State<Shared>) -> Result<Json<ConsoleUsers>, ApiError> {
    let users = shared.store.list_console_users().await?;
    Ok(Json(ConsoleUsers { items: users.iter().map(Into::into).collect(), next: None }))
}

/// What of a user to change; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedConsoleUser {
    /// Is it disabled? Its sessions end with that.
    pub disabled: Option<bool>,
    /// A new password, 12 to 256 characters. Its sessions end with that.
    pub password: Option<SecretText>,
    /// May it only look at things?
    pub read_only: Option<bool>,
    /// `true`: it has no one-time codes any more.
    pub remove_totp: Option<bool>,
}

/// Change a user of the console; in force when the answer comes
///
/// Also the last operator's user that is neither disabled nor read-only may become so: operator tokens exist beside.
#[utoipa::path(patch, path = "/console-users/{user}", operation_id = "change_console_user", tag = "console",
    request_body = ChangedConsoleUser,
    params(("user" = String, Path, description = "User id, CU_...")),
    responses((status = 200, body = ConsoleUserView), (status = "4XX", body = ErrorBody)))]
pub async fn change(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<String>,
    Body(new): Body<ChangedConsoleUser>,
) -> Result<Json<ConsoleUserView>, ApiError> {
    let id = ConsoleUserId::from_text(&id);
    let hash = match &new.password {
        Some(password) => Some(shared.console.hash("password", password).await?),
        None => None,
    };
    let now = Now::read().wall;
    let change = ConsoleUserChange {
        password: hash.map(|hash| (hash, now)),
        read_only: new.read_only,
        disabled: new.disabled.map(|disabled| disabled.then_some(now)),
        totp: (new.remove_totp == Some(true)).then_some(None),
        keep_session: None,
    };
    let _changing = shared.console.changing().await;
    let user = shared.store.change_console_user(id, change).await?;
    tracing::info!(
        user = %user.id,
        password = new.password.is_some(),
        disabled = new.disabled,
        read_only = new.read_only,
        remove_totp = new.remove_totp,
        "Changed a user of the console."
    );
    Ok(Json(ConsoleUserView::from(&user)))
}

/// Remove a user of the console with its sessions
///
/// Also the last operator's user that is neither disabled nor read-only may be removed: operator tokens exist beside,
/// and make others.
#[utoipa::path(delete, path = "/console-users/{user}", operation_id = "remove_console_user", tag = "console",
    params(("user" = String, Path, description = "User id, CU_...")),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub async fn remove(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<String>,
) -> Result<StatusCode, ApiError> {
    let id = ConsoleUserId::from_text(&id);
    let _changing = shared.console.changing().await;
    shared.store.remove_console_user(id.clone()).await?;
    tracing::info!(user = %id, "Removed a user of the console.");
    Ok(StatusCode::NO_CONTENT)
}

//! Keys of an application: `LiveKit` key pairs and the secret behind `UserSig`. Secrets are shown once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_store::ApiKey;
use fermata_types::Now;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::apps::AppView;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, app_id};
use crate::limits::API_KEYS_PER_APP_MAX;
use crate::secret::{self, SECRET_BYTES_MIN};
use crate::server::Shared;

/// The public half of a key pair.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Public name, `iss` of tokens.
    pub key: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

/// A key pair with its secret.
#[derive(Serialize, ToSchema)]
pub struct KeyWithSecret {
    /// Public name, `iss` of tokens.
    pub key: String,
    /// The secret. Shown once.
    pub secret: String,
}

impl std::fmt::Debug for KeyWithSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyWithSecret").field("key", &self.key).finish_non_exhaustive()
    }
}

impl From<&ApiKey> for KeyWithSecret {
    fn from(key: &ApiKey) -> Self {
        Self { key: key.key.clone(), secret: key.secret.clone() }
    }
}

/// Refuses short secrets, which can be guessed from one token. Development mode has a short one built in.
pub(super) fn checked_secret(field: &str, secret: String, dev: bool) -> Result<String, ApiError> {
    if secret.len() < SECRET_BYTES_MIN && !dev {
        let len = secret.len();
        return Err(ApiError::Invalid(format!(
            "{field}: it has {len} bytes; {SECRET_BYTES_MIN} are the least"
        )));
    }
    Ok(secret)
}

/// A key pair to add.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Public name, if it must be a certain one; else one is made.
    pub key: Option<String>,
    /// Secret of 32 bytes or more, if it must be a certain one; else one is made.
    pub secret: Option<String>,
}

/// Add a LiveKit key pair; in force when the answer comes
#[utoipa::path(post, path = "/apps/{sdk_app_id}/keys", operation_id = "create_key", tag = "keys", request_body = NewKey,
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 201, body = KeyWithSecret), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
    Body(new): Body<NewKey>,
) -> Result<(StatusCode, Json<KeyWithSecret>), ApiError> {
    let id = app_id(id)?;
    let secret = match new.secret {
        Some(secret) => checked_secret("secret", secret, shared.settings.dev)?,
        None => secret::api_secret()?,
    };
    let name = match new.key {
        Some(key) => key,
        None => secret::api_key()?,
    };
    let key = ApiKey { key: name, secret, created_at: Now::read().wall };
    let _changing = shared.directory.changing().await;
    let held = shared.directory.app(id).map_or(0, |app| app.api_keys.len());
    if held >= API_KEYS_PER_APP_MAX {
        let text =
            format!("The application has {held} key pairs; {API_KEYS_PER_APP_MAX} are the most.");
        return Err(ApiError::Limit(text));
    }
    shared.store.add_api_key(id, key.clone()).await?;
    shared.apply(id).await?;
    tracing::info!(sdk_app_id = %id, key = %key.key, "Added a key pair.");
    Ok((StatusCode::CREATED, Json(KeyWithSecret::from(&key))))
}

/// Key pairs without their secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct Keys {
    /// All of the application.
    pub items: Vec<KeyView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// List the LiveKit key pairs of an application, without secrets
#[utoipa::path(get, path = "/apps/{sdk_app_id}/keys", operation_id = "list_keys", tag = "keys",
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 200, body = Keys), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
) -> Result<Json<Keys>, ApiError> {
    let app = shared.store.app_with_keys(app_id(id)?).await?;
    let view =
        |key: &ApiKey| KeyView { key: key.key.clone(), created_at: key.created_at.to_string() };
    Ok(Json(Keys { items: app.api_keys.iter().map(view).collect(), next: None }))
}

/// Remove a LiveKit key pair; its tokens are refused when the answer comes
#[utoipa::path(delete, path = "/apps/{sdk_app_id}/keys/{key}", operation_id = "remove_key", tag = "keys",
    params(
        ("sdk_app_id" = u32, Path, description = "Application number"),
        ("key" = String, Path, description = "Public name of the pair"),
    ),
    responses((status = 200, body = AppView), (status = "4XX", body = ErrorBody)))]
pub async fn remove(
    State(shared): State<Shared>,
    UrlPath((id, key)): UrlPath<(u32, String)>,
) -> Result<Json<AppView>, ApiError> {
    let id = app_id(id)?;
    let _changing = shared.directory.changing().await;
    let app = shared.store.remove_api_key(id, key.clone()).await?;
    shared.apply(id).await?;
    tracing::info!(sdk_app_id = %id, %key, "Removed a key pair.");
    Ok(Json(app.into()))
}

/// A new secret behind UserSig.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserSigKey {
    /// The secret, 32 bytes or more, if it must be a certain one; else one is made.
    pub usersig_key: Option<String>,
}

/// The secret behind UserSig.
#[derive(Serialize, ToSchema)]
pub struct UserSigKey {
    /// The secret. Shown once.
    pub usersig_key: String,
}

impl std::fmt::Debug for UserSigKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserSigKey").finish_non_exhaustive()
    }
}

/// Replace the secret behind UserSig; signatures of the old one are refused when the answer comes
#[utoipa::path(post, path = "/apps/{sdk_app_id}/usersig-key", operation_id = "rotate_usersig_key", tag = "keys", request_body = NewUserSigKey,
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 201, body = UserSigKey), (status = "4XX", body = ErrorBody)))]
pub async fn rotate_usersig(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
    Body(new): Body<NewUserSigKey>,
) -> Result<(StatusCode, Json<UserSigKey>), ApiError> {
    let id = app_id(id)?;
    let usersig_key = match new.usersig_key {
        Some(key) => checked_secret("usersig_key", key, shared.settings.dev)?,
        None => secret::usersig_key()?,
    };
    let _changing = shared.directory.changing().await;
    shared.store.set_usersig_key(id, usersig_key.clone()).await?;
    shared.apply(id).await?;
    tracing::info!(sdk_app_id = %id, "Replaced the secret behind UserSig.");
    Ok((StatusCode::CREATED, Json(UserSigKey { usersig_key })))
}

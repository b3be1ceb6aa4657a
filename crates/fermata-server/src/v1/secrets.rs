//! Secret pairs of the server APIs: an account's programs sign their requests with them. The key is shown once.
//!
//! What it is not: tokens of this API (`tokens`), or key pairs that let users into rooms (`keys`).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_store::limits::{SECRETS_IN_FORCE_MAX, SECRETS_PER_ACCOUNT_MAX};
use fermata_store::{ApiSecret, SecretPolicy};
use fermata_types::{AccountId, Now};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, app_id};
use crate::secret;
use crate::server::Shared;

/// What a secret pair may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretPolicyName {
    /// Every action.
    Full,
    /// Actions that change nothing.
    ReadOnly,
}

impl From<SecretPolicy> for SecretPolicyName {
    fn from(policy: SecretPolicy) -> Self {
        match policy {
            SecretPolicy::Full => Self::Full,
            SecretPolicy::ReadOnly => Self::ReadOnly,
        }
    }
}

impl From<SecretPolicyName> for SecretPolicy {
    fn from(name: SecretPolicyName) -> Self {
        match name {
            SecretPolicyName::Full => Self::Full,
            SecretPolicyName::ReadOnly => Self::ReadOnly,
        }
    }
}

/// A secret pair without its key.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretView {
    /// Its public name, `AKID...`; `SecretId` of the vendor's SDKs.
    pub secret_id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub policy: SecretPolicyName,
    /// Numbers of the applications it may be used for; empty: all of the account, and what belongs to none.
    pub apps: Vec<u32>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it was revoked, RFC 3339; absent if it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

impl From<&ApiSecret> for SecretView {
    fn from(secret: &ApiSecret) -> Self {
        Self {
            secret_id: secret.secret_id.clone(),
            name: secret.name.clone(),
            policy: secret.policy.into(),
            apps: secret.apps.iter().map(|app| app.0).collect(),
            created_at: secret.created_at.to_string(),
            revoked_at: secret.revoked_at.map(|at| at.to_string()),
        }
    }
}

/// A secret pair to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// What it is for, 1 to 128 characters.
    pub name: String,
    /// What it may do; `full` if absent.
    pub policy: Option<SecretPolicyName>,
    /// Numbers of the account's applications that it may be used for, 100 at most; all if absent or empty.
    pub apps: Option<Vec<u32>>,
}

/// A new secret pair.
#[derive(Serialize, ToSchema)]
pub struct CreatedSecret {
    /// Its record.
    #[serde(flatten)]
    pub record: SecretView,
    /// The key that signs; `SecretKey` of the vendor's SDKs. Shown once.
    pub secret_key: String,
}

impl std::fmt::Debug for CreatedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedSecret").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Make a secret pair of the server APIs; in force when the answer comes
#[utoipa::path(post, path = "/accounts/{account}/secrets", operation_id = "create_secret", tag = "secrets", request_body = NewSecret,
    params(("account" = String, Path, description = "Account id")),
    responses((status = 201, body = CreatedSecret), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
    Body(new): Body<NewSecret>,
) -> Result<(StatusCode, Json<CreatedSecret>), ApiError> {
    let account = AccountId::from_text(&account);
    let apps = new.apps.unwrap_or_default().into_iter().map(app_id);
    let secret = ApiSecret {
        secret_id: secret::secret_id()?,
        account: account.clone(),
        name: new.name,
        policy: new.policy.unwrap_or(SecretPolicyName::Full).into(),
        apps: apps.collect::<Result<_, _>>()?,
        secret_key: secret::secret_key()?,
        created_at: Now::read().wall,
        revoked_at: None,
    };
    let _changing = shared.directory.changing().await;
    let known = shared.store.list_secrets(account.clone()).await?;
    let in_force = known.iter().filter(|secret| secret.revoked_at.is_none()).count();
    if in_force >= SECRETS_IN_FORCE_MAX {
        let text = format!("The account has {in_force} secret pairs in force");
        return Err(ApiError::Limit(format!("{text}, which are the most; revoke one first.")));
    }
    if known.len() >= SECRETS_PER_ACCOUNT_MAX {
        let text = format!("The account has had {} secret pairs, which are the most.", known.len());
        return Err(ApiError::Limit(text));
    }
    let secret = shared.store.create_secret(secret).await?;
    shared.directory.put_secret(&secret);
    tracing::info!(%account, secret_id = %secret.secret_id, "Made a secret pair.");
    let record = SecretView::from(&secret);
    Ok((StatusCode::CREATED, Json(CreatedSecret { record, secret_key: secret.secret_key })))
}

/// Secret pairs without their keys, by creation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Secrets {
    /// All of the account, revoked ones included; the one built into development mode is not stored and not listed.
    pub items: Vec<SecretView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// List the secret pairs of an account, without keys
#[utoipa::path(get, path = "/accounts/{account}/secrets", operation_id = "list_secrets", tag = "secrets",
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = Secrets), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
) -> Result<Json<Secrets>, ApiError> {
    let secrets = shared.store.list_secrets(AccountId::from_text(&account)).await?;
    Ok(Json(Secrets { items: secrets.iter().map(Into::into).collect(), next: None }))
}

/// Revoke a secret pair; requests signed with it are refused when the answer comes
#[utoipa::path(delete, path = "/accounts/{account}/secrets/{secret}", operation_id = "revoke_secret", tag = "secrets",
    params(
        ("account" = String, Path, description = "Account id"),
        ("secret" = String, Path, description = "Public name of the pair, AKID..."),
    ),
    responses((status = 200, body = SecretView), (status = "4XX", body = ErrorBody)))]
pub async fn revoke(
    State(shared): State<Shared>,
    UrlPath((account, secret_id)): UrlPath<(String, String)>,
) -> Result<Json<SecretView>, ApiError> {
    let account = AccountId::from_text(&account);
    let _changing = shared.directory.changing().await;
    let at = Now::read().wall;
    let secret = shared.store.revoke_secret(account.clone(), secret_id, at).await?;
    shared.directory.drop_secret(&secret.secret_id);
    tracing::info!(%account, secret_id = %secret.secret_id, "Revoked a secret pair.");
    Ok(Json(SecretView::from(&secret)))
}

//! Tokens of this API. Only their hashes are stored; a token is shown once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_auth::api_token;
use fermata_store::ApiToken;
use fermata_types::{Now, TokenId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath};
use crate::limits::OPERATOR_TOKENS_MAX;
use crate::secret;
use crate::server::Shared;

/// A token's record.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id, `TK_...`; no secret.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it was revoked, RFC 3339; absent if it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name,
            created_at: token.created_at.to_string(),
            revoked_at: token.revoked_at.map(|at| at.to_string()),
        }
    }
}

/// A token to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, 1 to 128 characters.
    pub name: String,
}

/// A new token.
#[derive(Serialize, ToSchema)]
pub struct CreatedToken {
    /// Its record.
    #[serde(flatten)]
    pub record: TokenView,
    /// The token itself. Shown once.
    pub token: String,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Create an operator token
#[utoipa::path(post, path = "/tokens", operation_id = "create_token", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = CreatedToken), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let token = secret::operator_token()?;
    let record = ApiToken {
        id: shared.fresh(TokenId::random),
        name: new.name,
        hash: api_token::hash(&token),
        created_at: Now::read().wall,
        revoked_at: None,
    };
    let _changing = shared.directory.changing().await;
    if shared.directory.tokens_len() >= OPERATOR_TOKENS_MAX {
        let text =
            format!("There are {OPERATOR_TOKENS_MAX} operator tokens already, which are the most.");
        return Err(ApiError::Limit(text));
    }
    let record = shared.store.create_api_token(record).await?;
    shared.directory.put_token(&record);
    tracing::info!(token = %record.id, "Created an operator token.");
    Ok((StatusCode::CREATED, Json(CreatedToken { record: record.into(), token })))
}

/// Tokens, by creation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// All, revoked ones included; those built into development mode are not stored and not listed.
    pub items: Vec<TokenView>,
}

/// List operator tokens
#[utoipa::path(get, path = "/tokens", operation_id = "list_tokens", tag = "tokens",
    responses((status = 200, body = Tokens), (status = "4XX", body = ErrorBody)))]
pub async fn list(State(shared): State<Shared>) -> Result<Json<Tokens>, ApiError> {
    let items = shared.store.list_api_tokens().await?;
    Ok(Json(Tokens { items: items.into_iter().map(Into::into).collect() }))
}

/// Revoke an operator token; it is refused when the answer comes
#[utoipa::path(delete, path = "/tokens/{token}", operation_id = "revoke_token", tag = "tokens",
    params(("token" = String, Path, description = "Token id")),
    responses((status = 200, body = TokenView), (status = "4XX", body = ErrorBody)))]
pub async fn revoke(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<String>,
) -> Result<Json<TokenView>, ApiError> {
    let id = TokenId::from_text(&id);
    let _changing = shared.directory.changing().await;
    let record = shared.store.revoke_api_token(id.clone(), Now::read().wall).await?;
    shared.directory.drop_token(&id);
    tracing::info!(token = %id, "Revoked an operator token.");
    Ok(Json(record.into()))
}

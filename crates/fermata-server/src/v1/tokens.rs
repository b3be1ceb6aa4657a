//! Tokens of this API: for operators, partners and customers. Only their hashes are stored; a token is shown once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_auth::api_token;
use fermata_store::{ApiToken, StoreError, TokenRole};
use fermata_types::{AccountId, Now, TokenId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath};
use crate::limits::OPERATOR_TOKENS_MAX;
use crate::secret;
use crate::server::Shared;

/// For whom a token speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleName {
    /// Who runs the installation: everything.
    Operator,
    /// A reseller: the accounts it serves.
    Partner,
    /// A customer: one account.
    Customer,
}

/// A token's record.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id, `TK_...`; no secret.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// For whom it speaks.
    pub role: RoleName,
    /// The customer's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The partner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// It may look at things, and change nothing.
    pub read_only: bool,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it was revoked, RFC 3339; absent if it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        let (role, account, partner) = shown(&token.role);
        Self {
            id: token.id.to_string(),
            name: token.name,
            role,
            account,
            partner,
            read_only: token.read_only,
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
    /// For whom it speaks; `operator` if absent.
    pub role: Option<RoleName>,
    /// The account, for a customer's.
    pub account: Option<String>,
    /// The partner's id, for a partner's.
    pub partner: Option<String>,
    /// May it only look at things? No, if absent.
    pub read_only: Option<bool>,
}

/// A role as it is shown: its name, and the account or partner it is tied to.
pub(super) fn shown(role: &TokenRole) -> (RoleName, Option<String>, Option<String>) {
    match role {
        TokenRole::Operator => (RoleName::Operator, None, None),
        TokenRole::Partner { partner } => (RoleName::Partner, None, Some(partner.0.clone())),
        TokenRole::Customer { account } => (RoleName::Customer, Some(account.to_string()), None),
    }
}

/// The role with what it is tied to, both of which must exist; an operator's if none is named.
pub(super) async fn role(
    shared: &Shared,
    role: Option<RoleName>,
    account: Option<&str>,
    partner: Option<&str>,
) -> Result<TokenRole, ApiError> {
    let wrong = |text: &str| Err(ApiError::Invalid(text.to_owned()));
    match (role.unwrap_or(RoleName::Operator), account, partner) {
        (RoleName::Operator, None, None) => Ok(TokenRole::Operator),
        (RoleName::Operator, ..) => wrong("role: an operator is tied to no account and no partner"),
        (RoleName::Customer, Some(account), None) => {
            let account = AccountId::from_text(account);
            match shared.store.account(account.clone()).await {
                Ok(_) => Ok(TokenRole::Customer { account }),
                Err(StoreError::NotFound { .. }) => wrong("account: there is no such account"),
                Err(error) => Err(error.into()),
            }
        }
        (RoleName::Customer, ..) => wrong("account: a customer needs its account, and no partner"),
        (RoleName::Partner, None, Some(id)) => {
            let partners = shared.store.partners().await?;
            match partners.into_iter().find(|partner| partner.id.0 == id) {
                Some(partner) => Ok(TokenRole::Partner { partner: partner.id }),
                None => wrong("partner: there is no such partner"),
            }
        }
        (RoleName::Partner, ..) => {
            wrong("partner: a partner needs the partner's id, and no account")
        }
    }
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

/// Create a token for an operator, a partner or a customer
#[utoipa::path(post, path = "/tokens", operation_id = "create_token", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = CreatedToken), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let token = secret::operator_token()?;
    let role = role(&shared, new.role, new.account.as_deref(), new.partner.as_deref()).await?;
    let record = ApiToken {
        id: shared.fresh(TokenId::random),
        name: new.name,
        hash: api_token::hash(&token),
        role,
        read_only: new.read_only.unwrap_or(false),
        created_at: Now::read().wall,
        revoked_at: None,
    };
    let _changing = shared.directory.changing().await;
    if shared.directory.tokens_len() >= OPERATOR_TOKENS_MAX {
        let text = format!("There are {OPERATOR_TOKENS_MAX} tokens already, which are the most.");
        return Err(ApiError::Limit(text));
    }
    let record = shared.store.create_api_token(record).await?;
    shared.directory.put_token(&record);
    tracing::info!(token = %record.id, role = record.role.code(), "Created a token.");
    Ok((StatusCode::CREATED, Json(CreatedToken { record: record.into(), token })))
}

/// Tokens, by creation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// All, revoked ones included; those built into development mode are not stored and not listed.
    pub items: Vec<TokenView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// List tokens
#[utoipa::path(get, path = "/tokens", operation_id = "list_tokens", tag = "tokens",
    responses((status = 200, body = Tokens), (status = "4XX", body = ErrorBody)))]
pub async fn list(State(shared): State<Shared>) -> Result<Json<Tokens>, ApiError> {
    let items = shared.store.list_api_tokens().await?;
    Ok(Json(Tokens { items: items.into_iter().map(Into::into).collect(), next: None }))
}

/// Revoke a token; it is refused when the answer comes
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
    tracing::info!(token = %id, "Revoked a token.");
    Ok(Json(record.into()))
}

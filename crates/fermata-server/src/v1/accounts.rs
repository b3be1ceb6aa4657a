//! Accounts: the parties that pay.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_store::Account;
use fermata_types::{AccountId, Now};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, UrlQuery};
use crate::limits::{PAGE_ITEMS, PAGE_ITEMS_MAX};
use crate::server::Shared;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// Its id, `AC_...`.
    pub id: String,
    /// Display name.
    pub name: String,
    /// IANA time zone of its civil days.
    pub zone: String,
    /// When it was created, RFC 3339.
    pub created_at: String,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        Self {
            id: account.id.to_string(),
            name: account.name,
            zone: account.zone,
            created_at: account.created_at.to_string(),
        }
    }
}

/// An account to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Display name, 1 to 128 characters.
    pub name: String,
    /// IANA time zone of its civil days, such as `Europe/Berlin`; `UTC` if absent.
    pub zone: Option<String>,
}

/// Create an account
#[utoipa::path(post, path = "/accounts", operation_id = "create_account", tag = "accounts", request_body = NewAccount, responses(
    (status = 201, body = AccountView),
    (status = "4XX", body = ErrorBody),
))]
pub async fn create(
    State(shared): State<Shared>,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, Json<AccountView>), ApiError> {
    let zone = new.zone.unwrap_or_else(|| "UTC".to_owned());
    if jiff::tz::TimeZone::get(&zone).is_err() {
        return Err(ApiError::Invalid(format!("zone: {zone:?} is no IANA time zone")));
    }
    let account = Account {
        id: shared.fresh(AccountId::random),
        name: new.name,
        zone,
        created_at: Now::read().wall,
    };
    let account = shared.store.create_account(account).await?;
    tracing::info!(account = %account.id, "Created an account.");
    Ok((StatusCode::CREATED, Json(account.into())))
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Begin behind this id: `next` of the part before.
    pub after: Option<String>,
    /// Items at most, 1 to 1000; 100 if absent.
    pub limit: Option<u32>,
}

/// Checks how many items are asked for.
pub(super) fn page_limit(limit: Option<u32>) -> Result<u32, ApiError> {
    match limit.unwrap_or(PAGE_ITEMS) {
        limit if (1..=PAGE_ITEMS_MAX).contains(&limit) => Ok(limit),
        other => Err(ApiError::Invalid(format!("limit: {other}; it takes 1 to {PAGE_ITEMS_MAX}"))),
    }
}

/// Accounts, by id.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accounts {
    /// This part of the list.
    pub items: Vec<AccountView>,
    /// What to ask with `after` for the next part; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// List accounts
#[utoipa::path(get, path = "/accounts", operation_id = "list_accounts", tag = "accounts", params(Page), responses(
    (status = 200, body = Accounts),
    (status = "4XX", body = ErrorBody),
))]
pub async fn list(
    State(shared): State<Shared>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<Accounts>, ApiError> {
    let limit = page_limit(page.limit)?;
    let after = page.after.map(|after| AccountId::from_text(&after));
    let items = shared.store.list_accounts(after, limit).await?;
    let full = u32::try_from(items.len()).is_ok_and(|len| len == limit);
    let next = items.last().filter(|_| full).map(|account| account.id.to_string());
    Ok(Json(Accounts { items: items.into_iter().map(Into::into).collect(), next }))
}

/// Read an account
#[utoipa::path(get, path = "/accounts/{account}", operation_id = "read_account", tag = "accounts",
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = AccountView), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<String>,
) -> Result<Json<AccountView>, ApiError> {
    Ok(Json(shared.store.account(AccountId::from_text(&id)).await?.into()))
}

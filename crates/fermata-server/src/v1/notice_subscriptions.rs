//! Notice subscriptions: which contact of an account wants to be told of what (policy S11).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::Command;
use fermata_billing::money::Currency;
use fermata_billing::notice::{NoticeKind, Subscription};
use fermata_store::TokenRole;
use fermata_types::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, UrlQuery};
use super::money;
use super::once::OnlyOnce;
use crate::server::Shared;

/// Between account and name in an id; no name has it.
const DOT: char = '.';

/// A notice subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// Its id: the account's, a dot, its name.
    pub id: String,
    /// The account.
    pub account: String,
    /// Its name, unique in the account.
    pub name: String,
    /// Name of the contact who is told.
    pub contact: String,
    /// About what.
    pub kind: &'static str,
    /// Available balance below which `balance_low` goes out, a decimal number.
    pub below: Option<String>,
    /// Share left, percent, at which `package_alarm` goes out.
    pub percent: Option<u8>,
}

impl SubscriptionView {
    fn new(account: &AccountId, currency: Currency, subscription: &Subscription) -> Self {
        Self {
            id: format!("{account}{DOT}{}", subscription.name),
            account: account.to_string(),
            name: subscription.name.clone(),
            contact: subscription.contact.clone(),
            kind: subscription.kind.code(),
            below: subscription.below.map(|below| money::text(below, currency)),
            percent: subscription.percent,
        }
    }
}

/// A notice subscription to add, or to put in place of the one with its name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// The account; a customer's token need not name it.
    pub account: Option<String>,
    /// Its name, 1 to 64 of `a-z`, `0-9`, `_` and `-`; made of kind, contact and threshold if absent.
    pub name: Option<String>,
    /// Name of the contact to tell; `owner` if absent.
    pub contact: Option<String>,
    /// About what, such as `balance_low`, `package_alarm`, `arrears_warning` or `suspended`.
    pub kind: String,
    /// Available balance below which `balance_low` goes out, a decimal number.
    pub below: Option<String>,
    /// Share left, percent 0 to 99, at which `package_alarm` goes out.
    pub percent: Option<u8>,
}

/// Subscribe a contact to notices
#[utoipa::path(post, path = "/notice-subscriptions", operation_id = "create_notice_subscription", tag = "notices", request_body = NewSubscription,
    responses((status = 201, body = SubscriptionView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    Body(new): Body<NewSubscription>,
) -> Result<(StatusCode, Json<SubscriptionView>), ApiError> {
    let account = account(&shared, &caller, new.account.as_deref()).await?;
    let Some(kind) = NoticeKind::ALL.iter().copied().find(|kind| kind.code() == new.kind) else {
        let codes: Vec<_> = NoticeKind::ALL.iter().map(|kind| kind.code()).collect();
        let text = format!("kind: {:?}; it takes one of {}", new.kind, codes.join(", "));
        return Err(ApiError::Invalid(text));
    };
    let below = new.below.as_deref().map(|text| money::amount("below", text)).transpose()?;
    let contact = new.contact.unwrap_or_else(|| "owner".to_owned());
    let (percent, name) = (new.percent, new.name);
    let name = name.unwrap_or_else(|| named(kind, &contact, new.below.as_deref(), percent));
    let subscription = Subscription { name, contact, kind, below, percent };
    let (_, profile) = books(&shared, &account).await?;
    let view = SubscriptionView::new(&account, profile.currency, &subscription);
    call(&shared, &caller, once, &account, Command::Subscribe(subscription)).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// A name that tells subscriptions apart which differ in anything.
fn named(kind: NoticeKind, contact: &str, below: Option<&str>, percent: Option<u8>) -> String {
    let mut name = format!("{}-{contact}", kind.code());
    if let Some(below) = below {
        name = format!("{name}-{}", below.replace('.', "_"));
    }
    if let Some(percent) = percent {
        name = format!("{name}-{percent}");
    }
    name
}

/// Of which account.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfAccount {
    /// The account; a customer's token need not name it.
    pub account: Option<String>,
}

/// Notice subscriptions, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Subscriptions {
    /// All of the account.
    pub items: Vec<SubscriptionView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// List the notice subscriptions of an account
#[utoipa::path(get, path = "/notice-subscriptions", operation_id = "list_notice_subscriptions", tag = "notices", params(OfAccount),
    responses((status = 200, body = Subscriptions), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    UrlQuery(of): UrlQuery<OfAccount>,
) -> Result<Json<Subscriptions>, ApiError> {
    let account = account(&shared, &caller, of.account.as_deref()).await?;
    let (books, profile) = books(&shared, &account).await?;
    let view = |one: &Subscription| SubscriptionView::new(&account, profile.currency, one);
    let items = books.state.subscriptions.values().map(view).collect();
    Ok(Json(Subscriptions { items, next: None }))
}

/// Remove a notice subscription
#[utoipa::path(delete, path = "/notice-subscriptions/{subscription}", operation_id = "remove_notice_subscription", tag = "notices",
    params(("subscription" = String, Path, description = "Subscription id")),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    UrlPath(id): UrlPath<String>,
) -> Result<StatusCode, ApiError> {
    let none = || ApiError::NotFound(format!("notice subscription {id}"));
    let (account, name) = id.rsplit_once(DOT).ok_or_else(none)?;
    let account = AccountId::from_text(account);
    caller.may_see(&shared, &account).await.map_err(|error| match error {
        ApiError::NotFound(_) => none(),
        other => other,
    })?;
    let command = Command::Unsubscribe { name: name.to_owned() };
    call(&shared, &caller, None, &account, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The account that is meant, if the caller may see it.
async fn account(
    shared: &Shared,
    caller: &Caller,
    named: Option<&str>,
) -> Result<AccountId, ApiError> {
    let account = match (named, &caller.role) {
        (Some(named), _) => AccountId::from_text(named),
        (None, TokenRole::Customer { account }) => account.clone(),
        (None, _) => return Err(ApiError::Invalid("account: it is missing".to_owned())),
    };
    caller.may_see(shared, &account).await?;
    Ok(account)
}

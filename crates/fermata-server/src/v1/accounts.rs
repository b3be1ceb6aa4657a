//! Accounts: the parties that pay.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::{ChangeAccount, Command, OpenAccount};
use fermata_billing::id::PartnerId;
use fermata_billing::money::{Currency, Money};
use fermata_billing::standing;
use fermata_billing::state::{BillingMode, Profile};
use fermata_store::{Account, Books, StoreError, TokenRole};
use fermata_types::{AccountId, Now};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::call::{books, call};
use super::contacts::{ContactView, NewContact, contacts};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, UrlQuery};
use super::money;
use super::once::OnlyOnce;
use crate::limits::{ACCOUNTS_SCANNED_MAX, PAGE_ITEMS, PAGE_ITEMS_MAX};
use crate::server::Shared;

/// What happens to minutes that no package covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BillingView {
    /// They are billed every day.
    Daily,
    /// They are billed every month.
    Monthly,
    /// There is no postpaid: without minutes, service is suspended.
    Off,
}

impl From<BillingMode> for BillingView {
    fn from(mode: BillingMode) -> Self {
        match mode {
            BillingMode::Daily => Self::Daily,
            BillingMode::Monthly => Self::Monthly,
            BillingMode::Off => Self::Off,
        }
    }
}

impl From<BillingView> for BillingMode {
    fn from(mode: BillingView) -> Self {
        match mode {
            BillingView::Daily => Self::Daily,
            BillingView::Monthly => Self::Monthly,
            BillingView::Off => Self::Off,
        }
    }
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// Its id, `AC_...`.
    pub id: String,
    /// Display name.
    pub name: String,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// Its one currency, a code of ISO 4217.
    pub currency: &'static str,
    /// IANA time zone of its civil days; a new one is in force from the next civil month on.
    pub time_zone: String,
    /// What happens to minutes that no package covers.
    pub billing: BillingView,
    /// Has it a clock of its own?
    pub sandbox: bool,
    /// Its partner, if it has one.
    pub partner: Option<String>,
    /// How far below zero its cash may go, a decimal number.
    pub credit_limit: String,
    /// Is it exempt from reclamation for legal reasons?
    pub reclaim_exempt: bool,
    /// Its standing in one word, for people; decides nothing.
    pub label: &'static str,
    /// Whom to tell.
    pub contacts: Vec<ContactView>,
}

impl AccountView {
    fn new(account: Account, books: &Books, profile: Profile) -> Self {
        let label = standing::view(&books.state, &books.policy, books.now).label;
        Self {
            id: account.id.to_string(),
            name: account.name,
            created_at: account.created_at.to_string(),
            currency: profile.currency.code(),
            time_zone: latest_zone(&profile),
            billing: profile.billing.into(),
            sandbox: profile.sandbox,
            partner: profile.partner.map(|partner| partner.0),
            credit_limit: money::text(profile.credit_limit, profile.currency),
            reclaim_exempt: profile.reclaim_exempt,
            label: label.code(),
            contacts: books.state.contacts.values().map(Into::into).collect(),
        }
    }

    async fn read(shared: &Shared, account: Account) -> Result<Self, ApiError> {
        let (books, profile) = books(shared, &account.id).await?;
        Ok(Self::new(account, &books, profile))
    }
}

/// The zone that was asked for last, which may begin with the next month only.
fn latest_zone(profile: &Profile) -> String {
    let last = profile.calendar.eras().into_iter().next_back();
    last.map(|era| era.zone).unwrap_or_default()
}

/// An account to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Display name, 1 to 128 characters.
    pub name: String,
    /// Its currency, a code of ISO 4217 that the catalog has prices in; `USD` if absent.
    pub currency: Option<String>,
    /// IANA time zone of its civil days, such as `Europe/Berlin`; `UTC` if absent. `zone` is the same.
    #[serde(alias = "zone")]
    pub time_zone: Option<String>,
    /// What happens to minutes that no package covers; `daily` if absent.
    pub billing: Option<BillingView>,
    /// A clock of its own, for trying things? No, if absent.
    pub sandbox: Option<bool>,
    /// Its partner's id, if it has one.
    pub partner: Option<String>,
    /// How far below zero its cash may go, a decimal number; zero if absent.
    pub credit_limit: Option<String>,
}

/// Create an account
#[utoipa::path(post, path = "/accounts", operation_id = "create_account", tag = "accounts", request_body = NewAccount, responses(
    (status = 201, body = AccountView),
    (status = "4XX", body = ErrorBody),
))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, Json<AccountView>), ApiError> {
    let now = Now::read().wall;
    let zone = checked_zone(new.time_zone.unwrap_or_else(|| "UTC".to_owned()))?;
    let currency = new.currency.as_deref().map(|code| money::currency("currency", code));
    let limit = new.credit_limit.as_deref().map(|text| money::amount("credit_limit", text));
    let id = shared.fresh(AccountId::random);
    let terms = OpenAccount {
        account: id.clone(),
        currency: currency.transpose()?.unwrap_or(Currency::USD),
        zone,
        billing: new.billing.map_or(BillingMode::Daily, Into::into),
        sandbox: new.sandbox.unwrap_or(false),
        partner: new.partner.map(PartnerId),
        credit_limit: limit.transpose()?.unwrap_or(Money::ZERO),
    };
    let account = Account { id, name: new.name, created_at: now };
    let opened = shared.store.open_account(account, terms, now, caller.actor(), once).await;
    let account = opened.map_err(|error| match error {
        StoreError::NotFound { what: "partner", id } => {
            ApiError::Invalid(format!("partner: there is no partner {id}"))
        }
        other => other.into(),
    })?;
    shared.enforce(&account.id).await?;
    tracing::info!(account = %account.id, "Created an account.");
    Ok((StatusCode::CREATED, Json(AccountView::read(&shared, account).await?)))
}

/// Characters of a refused zone that its error repeats.
const ZONE_SHOWN_CHARS: usize = 40;

fn checked_zone(zone: String) -> Result<String, ApiError> {
    if jiff::tz::TimeZone::get(&zone).is_ok() {
        return Ok(zone);
    }
    // Cut short, so that an error is never as long as what it refuses.
    let shown: String = zone.chars().take(ZONE_SHOWN_CHARS).collect();
    Err(ApiError::Invalid(format!("time_zone: {shown:?} is no IANA time zone")))
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Begin behind this: `next` of the part before.
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
    /// This part of the list: what the token may see.
    pub items: Vec<AccountView>,
    /// What to ask with `after` for the next part; null at the end. Behind a part with fewer items than asked for
    /// there may be more.
    pub next: Option<String>,
}

/// List accounts: all for an operator, its own for a partner, the one for a customer
#[utoipa::path(get, path = "/accounts", operation_id = "list_accounts", tag = "accounts", params(Page), responses(
    (status = 200, body = Accounts),
    (status = "4XX", body = ErrorBody),
))]
pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<Accounts>, ApiError> {
    let limit = page_limit(page.limit)?;
    let after = page.after.map(|after| AccountId::from_text(&after));
    let partner = match caller.role {
        TokenRole::Operator => None,
        TokenRole::Partner { partner } => Some(partner),
        TokenRole::Customer { account } => {
            let behind = after.is_none_or(|after| after < account);
            let account = shared.store.account(account).await?;
            let own = AccountView::read(&shared, account).await?;
            let items = if behind { vec![own] } else { Vec::new() };
            return Ok(Json(Accounts { items, next: None }));
        }
    };
    let scan = if partner.is_some() { ACCOUNTS_SCANNED_MAX } else { limit };
    let rows = shared.store.list_accounts(after, scan).await?;
    let full = u32::try_from(rows.len()).is_ok_and(|len| len == scan);
    let (mut items, mut next) = (Vec::new(), None);
    let last = rows.last().map(|account| account.id.to_string()).filter(|_| full);
    for account in rows {
        let id = account.id.clone();
        let (books, profile) = books(&shared, &id).await?;
        if partner.is_some() && profile.partner != partner {
            continue;
        }
        items.push(AccountView::new(account, &books, profile));
        if u32::try_from(items.len()).is_ok_and(|len| len == limit) {
            next = Some(id.to_string());
            break;
        }
    }
    // A whole part without a cursor is the end only if the store had no more either.
    let next = if partner.is_none() { last } else { next.or(last) };
    Ok(Json(Accounts { items, next }))
}

/// Read an account
#[utoipa::path(get, path = "/accounts/{account}", operation_id = "read_account", tag = "accounts",
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = AccountView), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<String>,
) -> Result<Json<AccountView>, ApiError> {
    let account = shared.store.account(AccountId::from_text(&id)).await?;
    Ok(Json(AccountView::read(&shared, account).await?))
}

/// Changes to an account; absent fields stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// IANA time zone of its civil days, from the next civil month on. `zone` is the same.
    #[serde(alias = "zone")]
    pub time_zone: Option<String>,
    /// How far below zero its cash may go, a decimal number. Operators only.
    pub credit_limit: Option<String>,
    /// Exempt from reclamation for legal reasons? Operators only.
    pub reclaim_exempt: Option<bool>,
    /// Whom to tell: the whole list. Contacts that are not in it go, with their subscriptions; only `owner` stays
    /// as it is if it is not named.
    pub contacts: Option<Vec<NewContact>>,
}

/// Change an account
#[utoipa::path(patch, path = "/accounts/{account}", operation_id = "change_account", tag = "accounts", request_body = AccountPatch,
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = AccountView), (status = "4XX", body = ErrorBody)))]
pub async fn change(
    State(shared): State<Shared>,
    caller: Caller,
    UrlPath(id): UrlPath<String>,
    Body(patch): Body<AccountPatch>,
) -> Result<Json<AccountView>, ApiError> {
    let id = AccountId::from_text(&id);
    let account = shared.store.account(id.clone()).await?;
    let limit = patch.credit_limit.as_deref().map(|text| money::amount("credit_limit", text));
    let change = ChangeAccount {
        zone: patch.time_zone.map(checked_zone).transpose()?,
        credit_limit: limit.transpose()?,
        reclaim_exempt: patch.reclaim_exempt,
        contacts: match patch.contacts {
            Some(new) => Some(contacts(new, &books(&shared, &id).await?.0.state)?),
            None => None,
        },
    };
    call(&shared, &caller, None, &id, Command::Change(change)).await?;
    tracing::info!(account = %id, "Changed an account.");
    Ok(Json(AccountView::read(&shared, account).await?))
}

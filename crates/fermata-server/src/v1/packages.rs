//! Packages: prepaid minutes of an account or of one application.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::{Answer, Command};
use fermata_billing::id::PackageId;
use fermata_billing::journal::Refund;
use fermata_billing::money::Currency;
use fermata_billing::state::{Package, PackageStatus};
use fermata_types::{AccountId, SdkAppId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, app_id};
use super::money;
use super::once::OnlyOnce;
use crate::server::Shared;

/// A package to buy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPackage {
    /// Code of the type in the catalog: `monthly_starter`.
    #[serde(rename = "type")]
    pub type_code: String,
    /// SDKAppID it is for; needed where the type's scope is `app`, and not allowed otherwise.
    pub app: Option<u32>,
}

/// Prepaid minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct PackageView {
    /// Its id, `PK_...`.
    pub id: String,
    /// Code of its type.
    #[serde(rename = "type")]
    pub type_code: String,
    /// `account` or `app`: whose minutes it covers.
    pub scope: &'static str,
    /// The application, or null.
    pub app: Option<u32>,
    /// Given every month, and not bought?
    pub free: bool,
    /// `live`, `expired`, `refunded` or `reclaimed`.
    pub status: &'static str,
    /// First civil day it covers, from 00:00 in the account's zone.
    pub from: String,
    /// Last civil day it covers, to 23:59:59.
    pub until: String,
    /// Package minutes it began with, a decimal number.
    pub units: String,
    /// Package minutes left now, a decimal number.
    pub left: String,
    /// What was paid, a decimal number.
    pub price: String,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// Version of the catalog it was sold by, which has its ratios.
    pub catalog_version: u32,
    /// Of packages that are otherwise alike, the lower one is used first.
    pub priority: i32,
    /// When it was bought or given, RFC 3339, account time.
    pub created_at: String,
}

impl PackageView {
    fn new(package: &Package, currency: Currency) -> Self {
        Self {
            id: package.id.to_string(),
            type_code: package.type_code.clone(),
            scope: package.scope.code(),
            app: package.app.map(|app| app.0),
            free: package.free,
            status: status_code(package.status),
            from: package.from.to_string(),
            until: package.until.to_string(),
            units: package.units.to_string(),
            left: package.left.to_string(),
            price: money::text(package.price, currency),
            currency: currency.code(),
            catalog_version: package.catalog_version,
            priority: package.priority,
            created_at: package.created_at.to_string(),
        }
    }
}

/// Stable word for where a package stands.
fn status_code(status: PackageStatus) -> &'static str {
    match status {
        PackageStatus::Live => "live",
        PackageStatus::Expired => "expired",
        PackageStatus::Refunded => "refunded",
        PackageStatus::Reclaimed => "reclaimed",
    }
}

/// Buy a package; service that it brings back is back when the answer comes
#[utoipa::path(post, path = "/accounts/{account}/packages", operation_id = "buy_package", tag = "packages",
    params(("account" = String, Path, description = "Account id")), request_body = NewPackage,
    responses((status = 201, body = PackageView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(new): Body<NewPackage>,
) -> Result<(StatusCode, Json<PackageView>), ApiError> {
    let account = AccountId::from_text(&account);
    let app = new.app.map(app_number).transpose()?;
    let (_, profile) = books(&shared, &account).await?;
    let command = Command::BuyPackage { type_code: new.type_code, app };
    let billed = call(&shared, &caller, once, &account, command).await?;
    let Answer::Package(package) = billed.answer else { return Err(ApiError::Internal) };
    tracing::info!(%account, package = %package.id, "Sold a package.");
    Ok((StatusCode::CREATED, Json(PackageView::new(&package, profile.currency))))
}

/// The application number in a body's `app`.
pub(super) fn app_number(number: u32) -> Result<SdkAppId, ApiError> {
    app_id(number).map_err(|_| {
        ApiError::Invalid("app: it takes the number of an application, 1 to 4294967295".to_owned())
    })
}

/// Packages of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Packages {
    /// By purchase; those whose days and late usage are over are only in the ledger.
    pub items: Vec<PackageView>,
    /// Always null: the list is bounded and comes whole.
    pub next: Option<String>,
}

/// List the packages of an account
#[utoipa::path(get, path = "/accounts/{account}/packages", operation_id = "list_packages", tag = "packages",
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = Packages), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
) -> Result<Json<Packages>, ApiError> {
    let (books, profile) = books(&shared, &AccountId::from_text(&account)).await?;
    let mut packages: Vec<_> = books.state.packages.values().collect();
    packages.sort_by(|a, b| (a.created_at, a.from, &a.id).cmp(&(b.created_at, b.from, &b.id)));
    let items = packages.into_iter().map(|one| PackageView::new(one, profile.currency)).collect();
    Ok(Json(Packages { items, next: None }))
}

/// Money for a package that was given back.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundView {
    /// Which package.
    pub package: String,
    /// What came back to the balance, a decimal number: the price by the days that remained.
    pub amount: String,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// When, RFC 3339, account time.
    pub at: String,
    /// Its ledger transaction, `TX_...`.
    pub txn: String,
}

impl RefundView {
    fn new(refund: &Refund, currency: Currency) -> Self {
        Self {
            package: refund.package.to_string(),
            amount: money::text(refund.amount, currency),
            currency: currency.code(),
            at: refund.at.to_string(),
            txn: refund.txn.to_string(),
        }
    }
}

/// Give an unused monthly package back
#[utoipa::path(post, path = "/accounts/{account}/packages/{package}/refund", operation_id = "refund_package",
    tag = "packages",
    params(
        ("account" = String, Path, description = "Account id"),
        ("package" = String, Path, description = "Package id"),
    ),
    responses((status = 200, body = RefundView), (status = "4XX", body = ErrorBody)))]
pub async fn refund(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath((account, package)): UrlPath<(String, String)>,
) -> Result<Json<RefundView>, ApiError> {
    let account = AccountId::from_text(&account);
    let (_, profile) = books(&shared, &account).await?;
    let command = Command::RefundPackage { package: PackageId::from_text(&package) };
    let billed = call(&shared, &caller, once, &account, command).await?;
    let Answer::Refund(refund) = billed.answer else { return Err(ApiError::Internal) };
    tracing::info!(%account, %package, "Took a package back.");
    Ok(Json(RefundView::new(&refund, profile.currency)))
}

#[cfg(test)]
mod tests {
    use fermata_billing::catalog::{PackageScope, Validity};
    use fermata_billing::money::Money;
    use fermata_billing::units::Units;
    use jiff::Timestamp;
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_package_shows_days_units_and_price() {
        let package = Package {
            id: PackageId::from_text("PK_a_1"),
            type_code: "monthly_starter".into(),
            catalog_version: 2,
            scope: PackageScope::App,
            app: Some(SdkAppId(7)),
            free: false,
            validity: Validity::Month,
            from: date(2026, 1, 31),
            until: date(2026, 2, 27),
            priority: 0,
            created_at: Timestamp::UNIX_EPOCH,
            price: Money::from_micros(49_000_000),
            units: Units::from_minutes(50_000).unwrap(),
            settled: Units::from_minutes(50_000).unwrap(),
            left: Units::from_thousandths(12_500),
            status: PackageStatus::Live,
        };
        assert_eq!(
            serde_json::to_value(PackageView::new(&package, Currency::USD)).unwrap(),
            json!({"id": "PK_a_1", "type": "monthly_starter", "scope": "app", "app": 7,
                "free": false, "status": "live", "from": "2026-01-31", "until": "2026-02-27",
                "units": "50000", "left": "12.5", "price": "49.00", "currency": "USD",
                "catalog_version": 2, "priority": 0, "created_at": "1970-01-01T00:00:00Z"})
        );
    }
}

//! Bills: what was used, what covered it and what it cost; for programs, spreadsheets and paper (policy S6).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use fermata_billing::bills::render;
use fermata_billing::journal::{Bill, BillLine, Record, RecordKind};
use fermata_billing::money::Currency;
use fermata_types::AccountId;
use serde::Serialize;
use utoipa::ToSchema;

use super::accept::{Kind, preferred};
use super::accounts::Page;
use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, UrlQuery};
use super::{journal, money};
use crate::server::Shared;

/// The time a bill is for.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodView {
    /// Begin, inclusive, RFC 3339.
    pub from: String,
    /// End, exclusive, RFC 3339.
    pub to: String,
    /// First civil day.
    pub from_day: String,
    /// Last civil day, inclusive.
    pub to_day: String,
    /// The civil month, `2026-01`, for a monthly bill; else null.
    pub month: Option<String>,
    /// IANA zone of the days.
    pub time_zone: String,
}

/// A bill without its lines. Never changes after it was issued.
#[derive(Debug, Serialize, ToSchema)]
pub struct BillSummary {
    /// Its id, `BL_...`.
    pub id: String,
    /// The time it is for; late lines may lie before.
    pub period: PeriodView,
    /// When it was issued, RFC 3339, account time.
    pub issued_at: String,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// Sum of the lines, a decimal number; it was taken from the balance, vouchers first.
    pub total: String,
    /// Cash and vouchers together before, a decimal number.
    pub balance_before: String,
    /// The same after.
    pub balance_after: String,
    /// The one ledger transaction that took it; null if nothing was to be paid.
    pub txn: Option<String>,
}

impl From<&Bill> for BillSummary {
    fn from(bill: &Bill) -> Self {
        let currency = bill.currency;
        Self {
            id: bill.id.to_string(),
            period: PeriodView {
                from: bill.from.to_string(),
                to: bill.to.to_string(),
                from_day: bill.from_day.to_string(),
                to_day: bill.to_day.to_string(),
                month: bill.month.map(|month| month.to_string()),
                time_zone: bill.zone.clone(),
            },
            issued_at: bill.issued_at.to_string(),
            currency: currency.code(),
            total: money::text(bill.total, currency),
            balance_before: money::text(bill.balance_before, currency),
            balance_after: money::text(bill.balance_after, currency),
            txn: bill.txn.as_ref().map(ToString::to_string),
        }
    }
}

/// A bill.
#[derive(Debug, Serialize, ToSchema)]
pub struct BillView {
    /// Everything but its lines.
    #[serde(flatten)]
    pub summary: BillSummary,
    /// One an application, SKU and civil day.
    pub lines: Vec<BillLineView>,
}

/// One line of a bill. `minutes` = `covered` + `billed` + `absorbed`.
#[derive(Debug, Serialize, ToSchema)]
pub struct BillLineView {
    /// Civil day of the use.
    pub day: String,
    /// SDKAppID.
    pub app: u32,
    /// SKU code.
    pub sku: &'static str,
    /// Arrived after its day was closed.
    pub late: bool,
    /// All minutes.
    pub minutes: u64,
    /// Minutes that packages covered.
    pub covered: u64,
    /// Which packages covered them, in the order they were used.
    pub packages: Vec<BurnView>,
    /// Minutes to be paid.
    pub billed: u64,
    /// Minutes nobody pays for.
    pub absorbed: u64,
    /// Price by the version of the catalog in force on the day.
    pub price: PriceView,
    /// `billed` at `price`, rounded once; a decimal number.
    pub amount: String,
}

/// What one package gave.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BurnView {
    /// The package.
    pub package: String,
    /// Minutes it covered.
    pub minutes: u64,
    /// Package minutes that took, a decimal number.
    pub units: String,
}

impl From<&fermata_billing::state::Burn> for BurnView {
    fn from(burn: &fermata_billing::state::Burn) -> Self {
        let (package, units) = (burn.package.to_string(), burn.units.to_string());
        Self { package, minutes: burn.minutes, units }
    }
}

/// A price: an amount for so many minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceView {
    /// Decimal number.
    pub amount: String,
    /// For so many minutes.
    pub per: u32,
    /// Version of the catalog that says so.
    pub catalog_version: u32,
}

impl BillLineView {
    fn new(line: &BillLine, currency: Currency) -> Self {
        Self {
            day: line.key.day.to_string(),
            app: line.key.app.0,
            sku: line.key.sku.code(),
            late: line.late,
            minutes: line.minutes,
            covered: line.covered.iter().map(|burn| burn.minutes).fold(0, u64::saturating_add),
            packages: line.covered.iter().map(Into::into).collect(),
            billed: line.billed,
            absorbed: line.absorbed,
            price: PriceView {
                amount: money::text(line.price.amount, currency),
                per: line.price.per,
                catalog_version: line.catalog_version,
            },
            amount: money::text(line.amount, currency),
        }
    }
}

impl From<&Bill> for BillView {
    fn from(bill: &Bill) -> Self {
        let lines = bill.lines.iter().map(|line| BillLineView::new(line, bill.currency)).collect();
        Self { summary: bill.into(), lines }
    }
}

/// Bills, in the order they were issued.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bills {
    /// This part of the list.
    pub items: Vec<BillSummary>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List the bills of an account
#[utoipa::path(get, path = "/accounts/{account}/bills", operation_id = "list_bills", tag = "bills",
    params(("account" = String, Path, description = "Account id"), Page),
    responses((status = 200, body = Bills), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<Bills>, ApiError> {
    let account = shared.store.account(AccountId::from_text(&account)).await?.id;
    let part = journal::rows(&shared, &account, &[RecordKind::Bill], &page).await?;
    let items = part.rows.iter().filter_map(|row| {
        let Record::Bill(bill) = &row.record else { return None };
        Some(bill.into())
    });
    Ok(Json(Bills { items: items.collect(), next: part.next }))
}

/// The forms a bill has; the first is what a request gets that does not say.
const FORMS: &[Kind] = &[Kind::Json, Kind::Csv, Kind::Html];

/// What the page of a bill may do: show itself in its own style, and nothing else.
const PAGE_MAY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// Read a bill: as JSON, as CSV (`Accept: text/csv`) or as a page to print (`Accept: text/html`)
#[utoipa::path(get, path = "/accounts/{account}/bills/{bill}", operation_id = "read_bill", tag = "bills",
    params(
        ("account" = String, Path, description = "Account id"),
        ("bill" = String, Path, description = "Bill id"),
    ),
    responses(
        (status = 200, content(
            (BillView = "application/json"),
            (String = "text/csv"),
            (String = "text/html"),
        )),
        (status = "4XX", body = ErrorBody),
    ))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath((account, bill)): UrlPath<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let account = shared.store.account(AccountId::from_text(&account)).await?;
    let found = shared.store.record(account.id.clone(), RecordKind::Bill, bill.clone()).await?;
    let Some(Record::Bill(bill)) = found else {
        return Err(ApiError::NotFound(format!("bill {bill} of account {}", account.id)));
    };
    let kind = preferred(&headers, FORMS);
    let mut response = match kind {
        Kind::Csv => render::csv(&bill).into_response(),
        Kind::Html => render::html(&bill, &account.name).into_response(),
        Kind::Json | Kind::Toml => Json(BillView::from(&bill)).into_response(),
    };
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.content_type()));
    answer.insert(header::VARY, HeaderValue::from_static("accept"));
    answer.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if kind == Kind::Html {
        answer.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_MAY));
    }
    if kind == Kind::Csv {
        let file = format!("attachment; filename=\"{}.csv\"", bill.id);
        answer.insert(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&file).map_err(|_| ApiError::Internal)?,
        );
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use fermata_billing::id::{BillId, PackageId};
    use fermata_billing::money::{Money, Price};
    use fermata_billing::state::{Burn, DayKey};
    use fermata_billing::units::Units;
    use fermata_types::{SdkAppId, Sku};
    use jiff::Timestamp;
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    fn bill() -> Bill {
        let at = |second| Timestamp::from_second(second).unwrap();
        let price = Price::new(Money::from_micros(3_990_000), 1_000).unwrap();
        let burn = Burn {
            package: PackageId::from_text("PK_a_1"),
            minutes: 40,
            units: Units::from_minutes(160).unwrap(),
        };
        Bill {
            id: BillId::from_text("BL_a_5"),
            from_day: date(1970, 1, 1),
            to_day: date(1970, 1, 1),
            from: at(0),
            to: at(86_400),
            zone: "UTC".into(),
            month: None,
            issued_at: at(115_200),
            currency: Currency::USD,
            lines: vec![BillLine {
                key: DayKey { day: date(1970, 1, 1), app: SdkAppId(7), sku: Sku::VideoHd },
                late: false,
                minutes: 1_042,
                covered: vec![burn],
                billed: 1_000,
                absorbed: 2,
                catalog_version: 1,
                price,
                amount: Money::from_micros(3_990_000),
            }],
            total: Money::from_micros(3_990_000),
            balance_before: Money::from_micros(10_000_000),
            balance_after: Money::from_micros(6_010_000),
            txn: None,
        }
    }

    #[test]
    fn s6_a_bill_shows_every_deduction() {
        let view = serde_json::to_value(BillView::from(&bill())).unwrap();
        assert_eq!(view["period"]["from"], "1970-01-01T00:00:00Z");
        assert_eq!(view["period"]["to"], "1970-01-02T00:00:00Z");
        assert_eq!((&view["total"], &view["balance_after"]), (&json!("3.99"), &json!("6.01")));
        assert_eq!(
            view["lines"][0],
            json!({"day": "1970-01-01", "app": 7, "sku": "video_hd", "late": false,
                "minutes": 1042, "covered": 40,
                "packages": [{"package": "PK_a_1", "minutes": 40, "units": "160"}],
                "billed": 1000, "absorbed": 2,
                "price": {"amount": "3.99", "per": 1000, "catalog_version": 1}, "amount": "3.99"})
        );
    }
}

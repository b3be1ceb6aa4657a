//! Usage of an account: what each application used each day, and who pays for it.
//!
//! What it is not: per room or per stay; those are asked of the application.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::command::{Command, Refusal, UsageDelta};
use fermata_billing::limits::DAY_SECONDS_MAX;
use fermata_billing::state::{DayUse, Profile};
use fermata_billing::transition::Transition;
use fermata_types::{AccountId, Sku};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::bills::BurnView;
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, UrlQuery};
use super::once::OnlyOnce;
use super::packages::app_number;
use super::refusal;
use super::usage::{date, moment};
use crate::limits::USAGE_DAYS_MAX;
use crate::server::Shared;

/// Days that are shown when the request says nothing, today included.
const DAYS_SHOWN: i32 = 31;

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageDays {
    /// First civil day in the account's zone, `2026-01-31`; 30 days before `to` if absent.
    pub from: Option<String>,
    /// Last civil day, inclusive, at most 400 days in all; the account's today if absent.
    pub to: Option<String>,
}

/// Use of one application, SKU and day, and who pays for it. `minutes` = `covered` + `billed` + `absorbed`.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountUsageView {
    /// Civil day in the account's zone.
    pub day: String,
    /// SDKAppID.
    pub app: u32,
    /// SKU code.
    pub sku: &'static str,
    /// Seconds of the whole day so far.
    pub seconds: u64,
    /// These seconds rounded up to minutes.
    pub minutes: u64,
    /// Minutes that packages cover.
    pub covered: u64,
    /// Which packages cover them, in the order they are used.
    pub packages: Vec<BurnView>,
    /// Minutes to be paid by the price list.
    pub billed: u64,
    /// Minutes nobody pays for.
    pub absorbed: u64,
    /// The day is closed: its minutes are on a bill or wait for one. Of an open day, all but the seconds may change.
    pub closed: bool,
    /// Version of the catalog in force on the day.
    pub catalog_version: u32,
}

impl AccountUsageView {
    fn new(of: &DayUse, open_day: Date) -> Self {
        Self {
            day: of.key.day.to_string(),
            app: of.key.app.0,
            sku: of.key.sku.code(),
            seconds: u64::try_from(of.seconds).unwrap_or(0),
            minutes: of.minutes(),
            covered: of.covered(),
            packages: of.burns.iter().map(Into::into).collect(),
            billed: of.billed,
            absorbed: of.absorbed,
            closed: of.key.day < open_day,
            catalog_version: of.catalog_version,
        }
    }
}

/// Usage of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountUsage {
    /// By day, application and SKU; those without usage are absent.
    pub items: Vec<AccountUsageView>,
    /// Always null: the list is bounded and comes whole.
    pub next: Option<String>,
}

/// Read usage per application, SKU and day, and who pays for it
#[utoipa::path(get, path = "/accounts/{account}/usage", operation_id = "account_usage", tag = "usage",
    params(("account" = String, Path, description = "Account id"), UsageDays),
    responses((status = 200, body = AccountUsage), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
    UrlQuery(days): UrlQuery<UsageDays>,
) -> Result<Json<AccountUsage>, ApiError> {
    let account = AccountId::from_text(&account);
    let (books, profile) = books(&shared, &account).await?;
    let (from, to) = range(&days, &profile, books.now)?;
    let mut uses = shared.store.day_uses(account, from, to).await?;
    uses.sort_by_key(|of| of.key);
    let items = uses.iter().map(|of| AccountUsageView::new(of, profile.open_day)).collect();
    Ok(Json(AccountUsage { items, next: None }))
}

/// The days that are asked for.
fn range(days: &UsageDays, profile: &Profile, now: Timestamp) -> Result<(Date, Date), ApiError> {
    let to = match &days.to {
        Some(to) => date("to", to)?,
        None => profile.calendar.day_of(now).map_err(|e| refusal::told(e.into(), None))?,
    };
    let from = match &days.from {
        Some(from) => date("from", from)?,
        None => to.saturating_sub((DAYS_SHOWN - 1).days()),
    };
    if from > to {
        return Err(ApiError::Invalid(format!("to: {to} is before from, {from}")));
    }
    if from.until(to).map_or(i32::MAX, |span| span.get_days()) >= USAGE_DAYS_MAX {
        let text = format!("to: from {from} to {to} are more than {USAGE_DAYS_MAX} days");
        return Err(ApiError::Invalid(text));
    }
    Ok((from, to))
}

/// Usage to pretend.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SandboxUse {
    /// SDKAppID, of this account.
    pub app: u32,
    /// SKU code: `audio`, `video_hd`, ...
    pub sku: String,
    /// Minutes, 1 or more.
    pub minutes: u64,
    /// When, RFC 3339, account time; the account's now if absent. Cut down to its whole minute.
    pub at: Option<String>,
}

/// Usage that was booked as if a room had used it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SandboxUseView {
    /// SDKAppID.
    pub app: u32,
    /// SKU code.
    pub sku: &'static str,
    /// Minutes.
    pub minutes: u64,
    /// The minute it began, RFC 3339, account time.
    pub at: String,
    /// It was set aside and not counted: too late, or too far in the future.
    pub quarantined: bool,
}

/// Use minutes as if a room had used them; only sandbox accounts
#[utoipa::path(post, path = "/accounts/{account}/usage", operation_id = "create_sandbox_usage", tag = "usage",
    params(("account" = String, Path, description = "Account id")), request_body = SandboxUse,
    responses((status = 201, body = SandboxUseView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(used): Body<SandboxUse>,
) -> Result<(StatusCode, Json<SandboxUseView>), ApiError> {
    let account = AccountId::from_text(&account);
    let (books, profile) = books(&shared, &account).await?;
    if !profile.sandbox {
        return Err(refusal::told(Refusal::NotSandbox, None));
    }
    let app = app_number(used.app)?;
    if !books.state.apps.contains_key(&app) {
        return Err(ApiError::NotFound(format!("application {app} in this account")));
    }
    let (sku, seconds) = (sku(&used.sku)?, seconds(used.minutes)?);
    let at = match &used.at {
        Some(at) => moment("at", at)?,
        None => books.now,
    };
    let at = whole_minute(at);
    let command = Command::Usage { deltas: vec![UsageDelta { app, sku, at, seconds }] };
    let billed = call(&shared, &caller, once, &account, command).await?;
    let view = SandboxUseView {
        app: app.0,
        sku: sku.code(),
        minutes: used.minutes,
        at: at.to_string(),
        quarantined: billed.transitions.contains(&Transition::T26),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

fn sku(code: &str) -> Result<Sku, ApiError> {
    Sku::from_code(code).ok_or_else(|| {
        let codes: Vec<_> = Sku::ALL.iter().map(|sku| sku.code()).collect();
        let shown: String = code.chars().take(40).collect();
        ApiError::Invalid(format!("sku: {shown:?} is none; there are {}", codes.join(", ")))
    })
}

/// Seconds of so many minutes, if a day can have them.
fn seconds(minutes: u64) -> Result<i64, ApiError> {
    let most = DAY_SECONDS_MAX / 60;
    i64::try_from(minutes)
        .ok()
        .filter(|minutes| (1..=most).contains(minutes))
        .map(|minutes| minutes * 60)
        .ok_or_else(|| ApiError::Invalid(format!("minutes: {minutes}; it takes 1 to {most}")))
}

/// The begin of the minute that a moment lies in.
fn whole_minute(at: Timestamp) -> Timestamp {
    // Less than a minute of nanoseconds always fits.
    let over = i64::try_from(at.as_nanosecond().rem_euclid(60_000_000_000)).unwrap_or(0);
    at.saturating_sub(SignedDuration::from_nanos(over)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use fermata_billing::id::PackageId;
    use fermata_billing::state::{Burn, DayKey};
    use fermata_billing::units::Units;
    use fermata_types::SdkAppId;
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    #[test]
    fn p4_minutes_are_covered_billed_or_absorbed() {
        let of = DayUse {
            key: DayKey { day: date(2026, 1, 31), app: SdkAppId(7), sku: Sku::Audio },
            seconds: 541,
            burns: vec![Burn {
                package: PackageId::from_text("PK_a_1"),
                minutes: 4,
                units: Units::from_minutes(4).unwrap(),
            }],
            billed: 5,
            absorbed: 1,
            billed_floor: 0,
            absorbed_floor: 1,
            catalog_version: 3,
        };
        let view = serde_json::to_value(AccountUsageView::new(&of, date(2026, 1, 31))).unwrap();
        assert_eq!(
            view,
            json!({"day": "2026-01-31", "app": 7, "sku": "audio", "seconds": 541, "minutes": 10,
                "covered": 4, "packages": [{"package": "PK_a_1", "minutes": 4, "units": "4"}],
                "billed": 5, "absorbed": 1, "closed": false, "catalog_version": 3})
        );
        assert!(AccountUsageView::new(&of, date(2026, 2, 1)).closed);
    }

    #[test]
    fn minutes_have_bounds() {
        assert_eq!(seconds(1).unwrap(), 60);
        assert_eq!(seconds(16_666_666_666).unwrap(), 999_999_999_960);
        for wrong in [0, 16_666_666_667, u64::MAX] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_cut_to_their_minute() {
        for (at, minute) in [
            ("2026-01-31T23:59:59.999999Z", "2026-01-31T23:59:00Z"),
            ("2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:00Z"),
        ] {
            assert_eq!(whole_minute(at.parse().unwrap()).to_string(), minute, "{at}");
        }
    }
}

//! Usage of an application: per civil day, and per room.

use axum::Json;
use axum::extract::State;
use fermata_store::{DayUsage, RoomUsage};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, UrlQuery, app_id};
use crate::limits::USAGE_DAYS_MAX;
use crate::server::Shared;

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Days {
    /// First civil day in the account's zone, `2026-01-31`.
    pub from: String,
    /// Last civil day, inclusive; at most 400 days in all.
    pub to: String,
}

/// Seconds of one day and SKU.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayView {
    /// Civil day in the account's zone.
    pub day: String,
    /// SKU code.
    pub sku: &'static str,
    /// Seconds of the whole day so far.
    pub seconds: u64,
    /// These seconds rounded up to minutes.
    pub minutes: u64,
}

impl From<DayUsage> for DayView {
    fn from(usage: DayUsage) -> Self {
        Self {
            day: usage.day.to_string(),
            sku: usage.sku.code(),
            seconds: usage.seconds,
            minutes: usage.minutes(),
        }
    }
}

/// Usage by day and SKU.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageByDay {
    /// By day, then SKU; days and SKUs without usage are absent.
    pub items: Vec<DayView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// Read usage per day and SKU
#[utoipa::path(get, path = "/apps/{sdk_app_id}/usage", operation_id = "usage_by_day", tag = "usage",
    params(("sdk_app_id" = u32, Path, description = "Application number"), Days),
    responses((status = 200, body = UsageByDay), (status = "4XX", body = ErrorBody)))]
pub async fn by_day(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
    UrlQuery(days): UrlQuery<Days>,
) -> Result<Json<UsageByDay>, ApiError> {
    let id = app_id(id)?;
    let (from, to) = (date("from", &days.from)?, date("to", &days.to)?);
    if from > to {
        return Err(ApiError::Invalid(format!("to: {to} is before from, {from}")));
    }
    if from.until(to).map_or(i32::MAX, |span| span.get_days()) >= USAGE_DAYS_MAX {
        let text = format!("to: from {from} to {to} are more than {USAGE_DAYS_MAX} days");
        return Err(ApiError::Invalid(text));
    }
    shared.store.app(id).await?;
    let items = shared.store.usage_by_day(id, from, to).await?;
    Ok(Json(UsageByDay { items: items.into_iter().map(Into::into).collect(), next: None }))
}

pub(super) fn date(field: &str, text: &str) -> Result<Date, ApiError> {
    text.parse().map_err(|_| {
        ApiError::Invalid(format!("{field}: {text:?}; it takes a day such as 2026-01-31"))
    })
}

/// Which moments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Moments {
    /// Stays that entered at or after this, RFC 3339.
    pub from: String,
    /// Stays that entered before this, RFC 3339.
    pub to: String,
}

/// Reads a moment of a query.
pub(super) fn moment(field: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| {
        ApiError::Invalid(format!(
            "{field}: {text:?}; it takes a moment such as 2026-01-31T00:00:00Z"
        ))
    })
}

/// Reads both ends.
pub(super) fn moments(from: &str, to: &str) -> Result<(Timestamp, Timestamp), ApiError> {
    let (from, to) = (moment("from", from)?, moment("to", to)?);
    if from > to {
        return Err(ApiError::Invalid(format!("to: {to} is before from, {from}")));
    }
    Ok((from, to))
}

/// Seconds of one life of a room and SKU.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomUsageView {
    /// The room's name.
    pub room: String,
    /// Which life of it.
    pub room_sid: String,
    /// SKU code.
    pub sku: &'static str,
    /// Seconds so far.
    pub seconds: u64,
}

impl From<RoomUsage> for RoomUsageView {
    fn from(usage: RoomUsage) -> Self {
        Self {
            room: usage.room.to_string(),
            room_sid: usage.room_sid.to_string(),
            sku: usage.sku.code(),
            seconds: usage.seconds,
        }
    }
}

/// Usage by room and SKU.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageByRoom {
    /// By room, life and SKU.
    pub items: Vec<RoomUsageView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// Read usage per room and SKU
#[utoipa::path(get, path = "/apps/{sdk_app_id}/usage/rooms", operation_id = "usage_by_room", tag = "usage",
    params(("sdk_app_id" = u32, Path, description = "Application number"), Moments),
    responses((status = 200, body = UsageByRoom), (status = "4XX", body = ErrorBody)))]
pub async fn by_room(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
    UrlQuery(query): UrlQuery<Moments>,
) -> Result<Json<UsageByRoom>, ApiError> {
    let id = app_id(id)?;
    let (from, to) = moments(&query.from, &query.to)?;
    shared.store.app(id).await?;
    let items = shared.store.usage_by_room(id, from, to).await?;
    Ok(Json(UsageByRoom { items: items.into_iter().map(Into::into).collect(), next: None }))
}

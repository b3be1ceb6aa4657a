//! The log of callbacks and webhooks: what was sent where, what came of it, and sending it again.
//!
//! What it is not: where they go (`callbacks`), or notices to people (`notices`).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_store::deliveries::{
    Delivery, DeliveryAttempt, DeliveryFilter, DeliveryReceiver, DeliveryState,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::accounts::page_limit;
use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, UrlQuery, app_id, room_name};
use super::journal::row_number;
use crate::callback;
use crate::server::Shared;

/// Whether a delivery arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStateView {
    /// It is being tried, or waits for its turn.
    Waiting,
    /// It arrived.
    Delivered,
    /// It was given up; it can be replayed.
    Failed,
}

impl From<DeliveryState> for DeliveryStateView {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Waiting => Self::Waiting,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Failed => Self::Failed,
        }
    }
}

impl From<DeliveryStateView> for DeliveryState {
    fn from(state: DeliveryStateView) -> Self {
        match state {
            DeliveryStateView::Waiting => Self::Waiting,
            DeliveryStateView::Delivered => Self::Delivered,
            DeliveryStateView::Failed => Self::Failed,
        }
    }
}

/// In whose form a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryReceiverView {
    /// The vendor's.
    Callback,
    /// LiveKit's.
    Webhook,
}

/// The last attempt of a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// When it began, RFC 3339.
    pub at: String,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// HTTP status of the answer; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong; absent if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<DeliveryAttempt> for AttemptView {
    fn from(attempt: DeliveryAttempt) -> Self {
        let DeliveryAttempt { at, took_ms, status, error } = attempt;
        Self { at: at.to_string(), took_ms, status, error }
    }
}

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its id, `EV_...`, the same in every attempt and replay; header `Fermata-Delivery-Id`, and `id` of webhooks.
    pub id: String,
    /// In whose form.
    pub receiver: DeliveryReceiverView,
    /// Where to, as it was set when it was made. A callback goes to the present URL.
    pub url: String,
    /// Room.
    pub room: String,
    /// What it tells: the vendor's event type, such as `103`, or LiveKit's name, such as `room_started`.
    pub event: String,
    /// Whether it arrived.
    pub state: DeliveryStateView,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Attempts so far.
    pub attempts: u64,
    /// How often it was replayed.
    pub replays: u64,
    /// When it arrived or was given up, RFC 3339; absent while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
    /// The last attempt; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<AttemptView>,
    /// Why it was given up without an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            receiver: match delivery.receiver {
                DeliveryReceiver::Callback => DeliveryReceiverView::Callback,
                DeliveryReceiver::Webhook => DeliveryReceiverView::Webhook,
            },
            url: delivery.url,
            room: delivery.room.to_string(),
            event: delivery.event,
            state: delivery.state.into(),
            created_at: delivery.created_at.to_string(),
            attempts: delivery.attempts,
            replays: delivery.replays,
            settled_at: delivery.settled_at.map(|at| at.to_string()),
            last_attempt: delivery.last.map(Into::into),
            problem: delivery.problem,
        }
    }
}

/// A delivery with its body.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// The body as it is signed and sent: JSON, in a string.
    pub body: String,
}

/// Deliveries, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deliveries {
    /// This part of the list.
    pub items: Vec<DeliveryView>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichDeliveries {
    /// Only in this state.
    #[param(inline)]
    pub state: Option<DeliveryStateView>,
    /// Only of this room.
    pub room: Option<String>,
    /// Only of this event: `103`, `room_started`, ...
    pub event: Option<String>,
    /// Begin behind this: `next` of the part before. `cursor` is the same.
    #[serde(alias = "cursor")]
    pub after: Option<String>,
    /// Items at most, 1 to 1000; 100 if absent.
    pub limit: Option<u32>,
}

/// List the deliveries of an application's callbacks and webhooks, the newest first
#[utoipa::path(get, path = "/apps/{sdk_app_id}/deliveries", operation_id = "list_deliveries", tag = "callbacks",
    params(("sdk_app_id" = u32, Path, description = "Application number"), WhichDeliveries),
    responses((status = 200, body = Deliveries), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
    UrlQuery(which): UrlQuery<WhichDeliveries>,
) -> Result<Json<Deliveries>, ApiError> {
    let id = app_id(id)?;
    let limit = page_limit(which.limit)?;
    let before = which.after.as_deref().map(|after| row_number(Some(after))).transpose()?;
    let filter = DeliveryFilter {
        state: which.state.map(Into::into),
        room: which.room.as_deref().map(room_name).transpose()?,
        event: which.event,
    };
    shared.store.app(id).await?;
    let items = shared.deliveries.list(id, filter, before, limit).await?;
    let full = u32::try_from(items.len()).is_ok_and(|len| len == limit);
    let next = items.last().filter(|_| full).map(|delivery| delivery.n.to_string());
    Ok(Json(Deliveries { items: items.into_iter().map(Into::into).collect(), next }))
}

/// Read a delivery, with its body
#[utoipa::path(get, path = "/apps/{sdk_app_id}/deliveries/{delivery}", operation_id = "read_delivery", tag = "callbacks",
    params(("sdk_app_id" = u32, Path, description = "Application number"),
        ("delivery" = String, Path, description = "Id of the delivery")),
    responses((status = 200, body = DeliveryDetail), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath((id, delivery)): UrlPath<(u32, String)>,
) -> Result<Json<DeliveryDetail>, ApiError> {
    let (delivery, body) = shared.deliveries.get(app_id(id)?, &delivery).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Json(DeliveryDetail { delivery: delivery.into(), body }))
}

/// Send a delivery again, with the same id and body
///
/// It is tried as a new one is, behind those that wait for the same receiver and room.
#[utoipa::path(post, path = "/apps/{sdk_app_id}/deliveries/{delivery}/replay", operation_id = "replay_delivery", tag = "callbacks",
    params(("sdk_app_id" = u32, Path, description = "Application number"),
        ("delivery" = String, Path, description = "Id of a delivery that arrived or was given up")),
    responses((status = 202, description = "It is tried now."), (status = "4XX", body = ErrorBody)))]
pub async fn replay(
    State(shared): State<Shared>,
    UrlPath((id, delivery)): UrlPath<(u32, String)>,
) -> Result<StatusCode, ApiError> {
    let id = app_id(id)?;
    callback::replay(&shared, id, &delivery).await?;
    tracing::info!(sdk_app_id = %id, delivery, "Replayed a delivery.");
    Ok(StatusCode::ACCEPTED)
}

/// Deliveries of a test event.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestedCallbacks {
    /// Ids of the deliveries, one a receiver.
    pub deliveries: Vec<String>,
}

/// Send a test event to the application's callback and webhooks
///
/// It tells that the room `callback-test` started (`101`, `room_started`), and goes the way of all events.
#[utoipa::path(post, path = "/apps/{sdk_app_id}/callbacks/test", operation_id = "test_callbacks", tag = "callbacks",
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 202, body = TestedCallbacks), (status = "4XX", body = ErrorBody)))]
pub async fn test(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
) -> Result<(StatusCode, Json<TestedCallbacks>), ApiError> {
    let deliveries = callback::test(&shared, app_id(id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(TestedCallbacks { deliveries })))
}

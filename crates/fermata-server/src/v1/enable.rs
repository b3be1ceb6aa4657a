//! Switching an application off and on by hand: the hold `manual` (policy S18).

use axum::Json;
use axum::extract::State;
use fermata_billing::command::Command;
use fermata_billing::standing::effective;
use fermata_sfu::io::{Command as Ask, Reply};
use fermata_types::SdkAppId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::call::{books, call};
use super::error::{ApiError, ErrorBody};
use super::extract::{MaybeBody, UrlPath, app_id};
use super::once::OnlyOnce;
use super::standing::HoldView;
use crate::server::Shared;

/// How an application is to be disabled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Disable {
    /// Close its live rooms, too? Else who is inside stays inside. No, if absent.
    pub dismiss_rooms: Option<bool>,
}

/// An application after it was disabled or enabled.
#[derive(Debug, Serialize, ToSchema)]
pub struct SwitchedApp {
    /// Its number.
    pub sdk_app_id: u32,
    /// The holds that are in force on it now, the account's included, the earliest first. People may enter when
    /// there is none.
    pub holds: Vec<HoldView>,
    /// Rooms that were closed.
    pub rooms_dismissed: u32,
}

/// Disable an application; in force when the answer comes
#[utoipa::path(post, path = "/apps/{sdk_app_id}/disable", operation_id = "disable_app", tag = "standing", request_body = Option<Disable>,
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 200, body = SwitchedApp), (status = "4XX", body = ErrorBody)))]
pub async fn disable(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(id): UrlPath<u32>,
    MaybeBody(how): MaybeBody<Disable>,
) -> Result<Json<SwitchedApp>, ApiError> {
    let app = app_id(id)?;
    let account = shared.store.app(app).await?.account;
    call(&shared, &caller, once, &account, Command::DisableApp { app }).await?;
    tracing::info!(sdk_app_id = %app, "Disabled an application.");
    // After the doors are closed, so that no new room slips in between.
    let rooms_dismissed = match how.dismiss_rooms {
        Some(true) => dismiss_rooms(&shared, app).await?,
        _ => 0,
    };
    Ok(Json(SwitchedApp { rooms_dismissed, ..switched(&shared, app).await? }))
}

/// Nothing to say about how an application is to be enabled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enable {}

/// Enable an application; the answer lists the holds that remain
#[utoipa::path(post, path = "/apps/{sdk_app_id}/enable", operation_id = "enable_app", tag = "standing", request_body = Option<Enable>,
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 200, body = SwitchedApp), (status = "4XX", body = ErrorBody)))]
pub async fn enable(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(id): UrlPath<u32>,
    MaybeBody(Enable {}): MaybeBody<Enable>,
) -> Result<Json<SwitchedApp>, ApiError> {
    let app = app_id(id)?;
    let account = shared.store.app(app).await?.account;
    call(&shared, &caller, once, &account, Command::EnableApp { app }).await?;
    tracing::info!(sdk_app_id = %app, "Enabled an application.");
    Ok(Json(switched(&shared, app).await?))
}

async fn switched(shared: &Shared, app: SdkAppId) -> Result<SwitchedApp, ApiError> {
    let account = shared.store.app(app).await?.account;
    let (books, _) = books(shared, &account).await?;
    let holds = effective(&books.state, Some(app)).into_iter().map(HoldView::from).collect();
    Ok(SwitchedApp { sdk_app_id: app.0, holds, rooms_dismissed: 0 })
}

/// Closes all live rooms of an application; says how many.
async fn dismiss_rooms(shared: &Shared, app: SdkAppId) -> Result<u32, ApiError> {
    let Reply::Rooms(rooms) = shared.command(Ask::ListRooms { app }).await? else {
        return Err(ApiError::Internal);
    };
    let mut dismissed = 0;
    for room in rooms {
        // A room that ended meanwhile is as good as dismissed.
        if let Reply::Done = shared.command(Ask::DismissRoom { app, room: room.name }).await? {
            dismissed += 1;
        }
    }
    tracing::info!(sdk_app_id = %app, dismissed, "Dismissed the rooms of an application.");
    Ok(dismissed)
}

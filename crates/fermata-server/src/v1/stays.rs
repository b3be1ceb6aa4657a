//! Stays: one user's presence in one room, from entry to exit.

use axum::Json;
use axum::extract::State;
use fermata_store::Stay;
use fermata_types::ParticipantSid;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::accounts::page_limit;
use super::apps::SceneView;
use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, UrlQuery, app_id, room_name};
use super::rooms::RoleView;
use super::usage::{moment, moments};
use crate::server::Shared;

/// Which stays.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Stays that entered at or after this, RFC 3339.
    pub from: String,
    /// Stays that entered before this, RFC 3339.
    pub to: String,
    /// Only of this room.
    pub room: Option<String>,
    /// Begin behind this: `next` of the part before.
    pub after: Option<String>,
    /// Items at most, 1 to 1000; 100 if absent.
    pub limit: Option<u32>,
}

/// Seconds of one SKU.
#[derive(Debug, Serialize, ToSchema)]
pub struct SkuSeconds {
    /// SKU code.
    pub sku: &'static str,
    /// Seconds so far.
    pub seconds: u64,
}

/// A stay.
#[derive(Debug, Serialize, ToSchema)]
pub struct StayView {
    /// Its id, `PA_...`.
    pub stay: String,
    /// The room's name.
    pub room: String,
    /// Which life of it.
    pub room_sid: String,
    /// Who.
    pub identity: String,
    /// Scene at entry.
    pub scene: SceneView,
    /// Role at entry.
    pub role: RoleView,
    /// Entry, RFC 3339.
    pub entered_at: String,
    /// Exit, RFC 3339; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Why it ended; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub end: Option<fermata_types::StayEnd>,
    /// Seconds so far by SKU.
    pub seconds: Vec<SkuSeconds>,
}

impl From<Stay> for StayView {
    fn from(stay: Stay) -> Self {
        let seconds =
            |(sku, seconds): (fermata_types::Sku, u64)| SkuSeconds { sku: sku.code(), seconds };
        Self {
            stay: stay.stay.to_string(),
            room: stay.room.to_string(),
            room_sid: stay.room_sid.to_string(),
            identity: stay.identity,
            scene: stay.scene.into(),
            role: stay.role.into(),
            entered_at: stay.entered_at.to_string(),
            ended_at: stay.ended_at.map(|at| at.to_string()),
            end: stay.end,
            seconds: stay.seconds.into_iter().map(seconds).collect(),
        }
    }
}

/// Stays, by entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stays {
    /// This part of the list.
    pub items: Vec<StayView>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List stays
#[utoipa::path(get, path = "/apps/{sdk_app_id}/stays", operation_id = "list_stays", tag = "usage",
    params(("sdk_app_id" = u32, Path, description = "Application number"), Which),
    responses((status = 200, body = Stays), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
    UrlQuery(which): UrlQuery<Which>,
) -> Result<Json<Stays>, ApiError> {
    let id = app_id(id)?;
    let (from, to) = moments(&which.from, &which.to)?;
    let room = which.room.as_deref().map(room_name).transpose()?;
    let limit = page_limit(which.limit)?;
    let after = which.after.as_deref().map(cursor).transpose()?;
    shared.store.app(id).await?;
    let items = shared.store.list_stays(id, room, from, to, after, limit).await?;
    let full = u32::try_from(items.len()).is_ok_and(|len| len == limit);
    let next =
        items.last().filter(|_| full).map(|stay| format!("{}~{}", stay.entered_at, stay.stay));
    Ok(Json(Stays { items: items.into_iter().map(Into::into).collect(), next }))
}

/// Where a part of the list begins: the entry and the id of the last stay of the part before.
fn cursor(text: &str) -> Result<(jiff::Timestamp, ParticipantSid), ApiError> {
    let Some((entered, stay)) = text.split_once('~') else {
        return Err(ApiError::Invalid(format!(
            "after: {text:?}; it takes `next` of an earlier answer"
        )));
    };
    Ok((moment("after", entered)?, ParticipantSid::from_text(stay)))
}

//! Live rooms and who is in them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_sfu::io::{Command, ParticipantSnapshot, Reply, RoomSnapshot};
use fermata_types::{Role, RoomName, SdkAppId};
use livekit_protocol::participant_info::State as ParticipantState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::apps::SceneView;
use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, app_id, room_name};
use crate::server::Shared;

/// A live room.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomView {
    /// Its name; `int/123` is the integer room 123.
    pub name: String,
    /// This life of it, `RM_...`.
    pub sid: String,
    /// Its scene.
    pub scene: SceneView,
    /// When it began, seconds since 1970.
    pub created_at_s: i64,
    /// Participants in it.
    pub participants: u32,
    /// Those of them that publish.
    pub publishers: u32,
    /// Metadata.
    pub metadata: String,
}

impl From<RoomSnapshot> for RoomView {
    fn from(room: RoomSnapshot) -> Self {
        Self {
            name: room.name.to_string(),
            sid: room.info.sid,
            scene: room.scene.into(),
            created_at_s: room.info.creation_time,
            participants: room.info.num_participants,
            publishers: room.info.num_publishers,
            metadata: room.info.metadata,
        }
    }
}

/// Live rooms.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rooms {
    /// All of the application.
    pub items: Vec<RoomView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// List the live rooms of an application
#[utoipa::path(get, path = "/apps/{sdk_app_id}/rooms", operation_id = "list_rooms", tag = "rooms",
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 200, body = Rooms), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
) -> Result<Json<Rooms>, ApiError> {
    let app = known_app(&shared, id)?;
    match shared.command(Command::ListRooms { app }).await? {
        Reply::Rooms(rooms) => {
            Ok(Json(Rooms { items: rooms.into_iter().map(Into::into).collect(), next: None }))
        }
        _ => Err(ApiError::Internal),
    }
}

/// May a user publish?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleView {
    /// May publish.
    Anchor,
    /// Only subscribes.
    Audience,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        match role {
            Role::Anchor => Self::Anchor,
            Role::Audience => Self::Audience,
        }
    }
}

/// A participant.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParticipantView {
    /// Who.
    pub identity: String,
    /// This stay, `PA_...`.
    pub sid: String,
    /// Display name.
    pub name: String,
    /// Anchor or audience.
    pub role: RoleView,
    /// `joining`, `joined`, `active` or `disconnected`.
    pub state: &'static str,
    /// When it entered, seconds since 1970.
    pub joined_at_s: i64,
    /// Does it publish now?
    pub publishes: bool,
    /// Ids of its tracks.
    pub tracks: Vec<String>,
    /// Invisible to the others?
    pub hidden: bool,
    /// Where it connects from.
    pub address: String,
}

impl From<ParticipantSnapshot> for ParticipantView {
    fn from(participant: ParticipantSnapshot) -> Self {
        let info = participant.info;
        Self {
            state: match info.state() {
                ParticipantState::Joining => "joining",
                ParticipantState::Joined => "joined",
                ParticipantState::Active => "active",
                ParticipantState::Disconnected => "disconnected",
            },
            hidden: info.permission.as_ref().is_some_and(|permission| permission.hidden),
            tracks: info.tracks.into_iter().map(|track| track.sid).collect(),
            identity: info.identity,
            sid: info.sid,
            name: info.name,
            role: participant.role.into(),
            joined_at_s: info.joined_at,
            publishes: info.is_publisher,
            address: participant.address,
        }
    }
}

/// Participants of a room.
#[derive(Debug, Serialize, ToSchema)]
pub struct Participants {
    /// All of the room, hidden ones included.
    pub items: Vec<ParticipantView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// List the participants of a live room
#[utoipa::path(get, path = "/apps/{sdk_app_id}/rooms/{room}/participants", operation_id = "list_participants", tag = "rooms",
    params(
        ("sdk_app_id" = u32, Path, description = "Application number"),
        ("room" = String, Path, description = "Room name, percent-encoded: `int%2F123` is the integer room 123"),
    ),
    responses((status = 200, body = Participants), (status = "4XX", body = ErrorBody)))]
pub async fn participants(
    State(shared): State<Shared>,
    UrlPath((id, room)): UrlPath<(u32, String)>,
) -> Result<Json<Participants>, ApiError> {
    let (app, room) = (known_app(&shared, id)?, room_name(&room)?);
    match shared.command(Command::ListParticipants { app, room: room.clone() }).await? {
        Reply::Participants(items) => Ok(Json(Participants {
            items: items.into_iter().map(Into::into).collect(),
            next: None,
        })),
        other => Err(refused(&other, &room, None)),
    }
}

/// Remove a participant; it needs a token made after this to come back
#[utoipa::path(delete, path = "/apps/{sdk_app_id}/rooms/{room}/participants/{identity}", operation_id = "remove_participant", tag = "rooms",
    params(
        ("sdk_app_id" = u32, Path, description = "Application number"),
        ("room" = String, Path, description = "Room name, percent-encoded"),
        ("identity" = String, Path, description = "Identity, percent-encoded"),
    ),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub async fn remove(
    State(shared): State<Shared>,
    UrlPath((id, room, identity)): UrlPath<(u32, String, String)>,
) -> Result<StatusCode, ApiError> {
    let (app, room) = (known_app(&shared, id)?, room_name(&room)?);
    let command =
        Command::RemoveParticipant { app, room: room.clone(), identity: identity.clone() };
    match shared.command(command).await? {
        Reply::Done => {
            tracing::info!(sdk_app_id = %app, %room, %identity, "Removed a participant.");
            Ok(StatusCode::NO_CONTENT)
        }
        other => Err(refused(&other, &room, Some(&identity))),
    }
}

/// Remove everybody and close a room
#[utoipa::path(delete, path = "/apps/{sdk_app_id}/rooms/{room}", operation_id = "dismiss_room", tag = "rooms",
    params(
        ("sdk_app_id" = u32, Path, description = "Application number"),
        ("room" = String, Path, description = "Room name, percent-encoded"),
    ),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub async fn dismiss(
    State(shared): State<Shared>,
    UrlPath((id, room)): UrlPath<(u32, String)>,
) -> Result<StatusCode, ApiError> {
    let (app, room) = (known_app(&shared, id)?, room_name(&room)?);
    match shared.command(Command::DismissRoom { app, room: room.clone() }).await? {
        Reply::Done => {
            tracing::info!(sdk_app_id = %app, %room, "Dismissed a room.");
            Ok(StatusCode::NO_CONTENT)
        }
        other => Err(refused(&other, &room, None)),
    }
}

fn known_app(shared: &Shared, id: u32) -> Result<SdkAppId, ApiError> {
    let app = app_id(id)?;
    match shared.directory.app(app) {
        Some(_) => Ok(app),
        None => Err(ApiError::NotFound(format!("application {app}"))),
    }
}

fn refused(reply: &Reply, room: &RoomName, identity: Option<&str>) -> ApiError {
    match reply {
        Reply::NoSuchRoom => ApiError::NotFound(format!("live room {room}")),
        Reply::NoSuchParticipant => ApiError::NotFound(format!(
            "participant {} in room {room}",
            identity.unwrap_or_default()
        )),
        _ => ApiError::Internal,
    }
}

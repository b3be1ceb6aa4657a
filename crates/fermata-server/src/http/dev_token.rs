//! `GET /dev/info` and `POST /dev/token`: how the page gets a token in development mode, and only there.
//!
//! Everywhere else both paths answer 404. The guard has already refused whatever does not come from this machine.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use fermata_auth::{Claims, VideoGrant, sign};
use fermata_signal::RefusalBody;
use fermata_types::{Now, Reason, Refusal, Role, RoomName};
use serde::{Deserialize, Serialize};

use super::livekit::refusal_response;
use super::peer::Peer;
use crate::dev::{API_KEY, API_SECRET, SDK_APP_ID, SECRET_ID, SECRET_KEY};
use crate::limits::EXCHANGED_TOKEN_LIFETIME_MAX;
use crate::server::Shared;

/// What the page has to know, and what a program on this machine signs requests of the server APIs with.
#[derive(Debug, Serialize)]
struct Info {
    dev: bool,
    sdk_app_id: u32,
    livekit_url: String,
    secret_id: &'static str,
    secret_key: &'static str,
}

/// Who wants in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Room as LiveKit writes it.
    room: String,
    /// Identity, 1 to 256 bytes.
    identity: String,
    /// Display name.
    #[serde(default)]
    name: String,
    /// Anchor if absent.
    role: Option<Role>,
}

/// What it gets.
#[derive(Debug, Serialize)]
struct Answer {
    token: String,
    url: String,
}

/// Says that this is development mode.
pub async fn info(State(shared): State<Shared>, Extension(peer): Extension<Peer>) -> Response {
    if !shared.settings.dev {
        return StatusCode::NOT_FOUND.into_response();
    }
    let livekit_url = peer.ws_url(None);
    Json(Info {
        dev: true,
        sdk_app_id: SDK_APP_ID.0,
        livekit_url,
        secret_id: SECRET_ID,
        secret_key: SECRET_KEY,
    })
    .into_response()
}

/// Gives anybody on this machine a token for any room.
pub async fn token(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    ask: Result<Json<Ask>, JsonRejection>,
) -> Response {
    if !shared.settings.dev {
        return StatusCode::NOT_FOUND.into_response();
    }
    let answer = ask
        .map_err(|rejection| Refusal::with_detail(Reason::RequestInvalid, rejection.body_text()))
        .and_then(|Json(ask)| claims(ask));
    match answer {
        Ok(claims) => {
            let token = sign(&claims, API_KEY, API_SECRET);
            Json(Answer { token, url: peer.ws_url(None) }).into_response()
        }
        Err(refusal) => refusal_response(RefusalBody::json(&refusal)),
    }
}

fn claims(ask: Ask) -> Result<Claims, Refusal> {
    let room = RoomName::parse(&ask.room)
        .map_err(|error| Refusal::with_detail(Reason::RoomNameInvalid, error.to_string()))?;
    if ask.identity.is_empty() {
        return Err(Reason::IdentityMissing.into());
    }
    let role = ask.role.unwrap_or(Role::Anchor);
    let now = Now::read().wall.as_second();
    let lifetime = i64::try_from(EXCHANGED_TOKEN_LIFETIME_MAX.as_secs()).unwrap_or(0);
    Ok(Claims {
        identity: ask.identity,
        name: ask.name,
        not_before: Some(now),
        expires_at: now.saturating_add(lifetime),
        video: VideoGrant {
            room_join: true,
            room: room.to_string(),
            can_publish: Some(role == Role::Anchor),
            can_update_own_metadata: true,
            ..VideoGrant::default()
        },
        role: Some(role),
        ..Claims::default()
    })
}

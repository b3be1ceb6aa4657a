//! `POST /usersig/token`: a vendor's `UserSig` for a `LiveKit` token and URL.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use fermata_auth::names::check_room;
use fermata_auth::{Claims, PrivateMap, Privileges, UserSig, sign};
use fermata_node::signal_channel;
use fermata_signal::{Hello, JoinParts, RefusalBody};
use fermata_types::{Now, Reason, Refusal, Role, RoomName, SdkAppId};
use serde::{Deserialize, Serialize};

use super::livekit::refusal_response;
use super::peer::Peer;
use crate::limits::EXCHANGED_TOKEN_LIFETIME_MAX;
use crate::metrics::Metric;
use crate::server::Shared;

/// What a client shows and asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The application.
    sdk_app_id: u32,
    /// The user, 1 to 32 bytes.
    user_id: String,
    /// Its signature.
    user_sig: String,
    /// A string room, 1 to 64 bytes; either this or `room_id`.
    room: Option<String>,
    /// An integer room.
    room_id: Option<u32>,
    /// Anchor or audience.
    role: Role,
    /// Permission ticket for the room; needed if the application says so.
    private_map_key: Option<String>,
    /// Display name; the user's name if absent.
    name: Option<String>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// What it gets.
#[derive(Debug, Serialize)]
struct Exchanged {
    /// `LiveKit` access token.
    token: String,
    /// WebSocket URL to connect to.
    url: String,
    /// The room as `LiveKit` writes it; `int/123` is the integer room 123.
    room: String,
    /// Identity in the room.
    identity: String,
}

/// The handler. Errors are JSON, with the codes of joins.
pub async fn exchange(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    request: Result<Json<Exchange>, JsonRejection>,
) -> Response {
    let answer = match request {
        Ok(Json(request)) => try_exchange(&shared, &peer, request).await,
        Err(rejection) => Err(Refusal::with_detail(Reason::RequestInvalid, rejection.body_text())),
    };
    match answer {
        Ok(exchanged) => Json(exchanged).into_response(),
        Err(refusal) => {
            shared.metrics.add(Metric::Refusals, 1);
            refusal_response(RefusalBody::json(&refusal))
        }
    }
}

async fn try_exchange(
    shared: &Shared,
    peer: &Peer,
    request: Exchange,
) -> Result<Exchanged, Refusal> {
    let id = SdkAppId(request.sdk_app_id);
    let Some(app) = shared.directory.app(id) else {
        return Err(Refusal::with_detail(
            Reason::UserSigInvalid,
            format!("there is no application {id}"),
        ));
    };
    let Some(pair) = app.api_keys.first() else { return Err(Reason::Unavailable.into()) };
    let claims = exchanged_claims(&request, &app.usersig_key, app.app.private_map_required)?;
    let exchanged = Exchanged {
        token: sign(&claims, &pair.key, &pair.secret),
        url: peer.ws_url(shared.settings.external_url.as_deref()),
        room: claims.video.room.clone(),
        identity: claims.identity.clone(),
    };
    // Whether the token would be admitted is asked of the one place that decides it.
    let join = fermata_signal::join(JoinParts {
        connection: shared.node.next_connection(),
        probe: true,
        app: id,
        claims,
        hello: Hello::default(),
        auto_create: shared.settings.auto_create,
    })?;
    let (sink, _signals) = signal_channel();
    shared.node.join(join, sink).await?;
    Ok(exchanged)
}

/// What the token will say.
fn exchanged_claims(
    request: &Exchange,
    key: &str,
    private_map_required: bool,
) -> Result<Claims, Refusal> {
    let now = Now::read().wall;
    let id = SdkAppId(request.sdk_app_id);
    let room = room_of(request)?;
    let sig = UserSig::verify(&request.user_sig, key, id, &request.user_id, now)?;
    let mut expires_at = sig.expires_at();
    let privileges = match &request.private_map_key {
        Some(text) => {
            let map = PrivateMap::verify(text, key, id, &request.user_id, &room, now)?;
            expires_at = expires_at.min(i64::from(map.expires_at));
            map.privileges
        }
        None if private_map_required => {
            let detail = "this application requires private_map_key";
            return Err(Refusal::with_detail(Reason::UserSigInvalid, detail));
        }
        None => Privileges::ALL,
    };
    let lifetime = i64::try_from(EXCHANGED_TOKEN_LIFETIME_MAX.as_secs()).unwrap_or(0);
    Ok(Claims {
        identity: request.user_id.clone(),
        name: request.name.clone().unwrap_or_else(|| request.user_id.clone()),
        not_before: Some(now.as_second()),
        expires_at: expires_at.min(now.as_second().saturating_add(lifetime)),
        video: privileges.to_grant(&room, request.role),
        role: Some(request.role),
        creation_denied: !privileges.create_room(),
        ..Claims::default()
    })
}

fn room_of(request: &Exchange) -> Result<RoomName, Refusal> {
    let invalid = |detail: &str| Err(Refusal::with_detail(Reason::RoomNameInvalid, detail));
    match (&request.room, request.room_id) {
        (Some(text), None) => {
            // Never read as `int/...`: a slash is not allowed in a string room.
            let room = RoomName::Text(text.as_str().into());
            check_room(&room)?;
            Ok(room)
        }
        (None, Some(0)) => invalid("room_id takes 1 to 4294967295"),
        (None, Some(number)) => Ok(RoomName::Integer(number)),
        (Some(_), Some(_)) => invalid("give room or room_id, not both"),
        (None, None) => invalid("room or room_id is missing"),
    }
}

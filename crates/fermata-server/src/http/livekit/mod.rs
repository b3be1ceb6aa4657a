//! `LiveKit`'s client paths: the WebSockets `/rtc` and `/rtc/v1`, and their validate endpoints.
//!
//! Admission is decided before the upgrade, so that a refusal is an HTTP status that every SDK understands.

mod pump;
pub(crate) mod rate;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use fermata_auth::{Claims, decode_unverified_key, verify};
use fermata_node::signal_channel;
use fermata_sfu::io::Join;
use fermata_signal::path::VALIDATE_BODY;
use fermata_signal::{Endpoint, Hello, JoinParts, RefusalBody};
use fermata_types::{Now, Reason, Refusal, SdkAppId};

use super::peer::Peer;
use crate::limits::{WS_MESSAGE_BYTES_MAX, WS_READ_BYTES, WS_WRITE_BYTES_MAX};
use crate::metrics::Metric;
use crate::server::Shared;
use crate::v1::auth::bearer;

/// Query parameters in their order, percent-decoded.
type Pairs = Vec<(String, String)>;

/// `GET /rtc`, `GET /rtc/v1`: joins or resumes, then carries signal messages.
pub async fn rtc(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    // A plain GET finds nothing here, as with LiveKit's own server.
    let Ok(upgrade) = upgrade else {
        return (StatusCode::NOT_FOUND, "This path takes WebSockets only.\n").into_response();
    };
    let request = match read(&shared, &uri, &headers, &peer, false) {
        Ok(join) => join,
        Err(refusal) => return refused(&shared, &headers, &refusal),
    };
    let (connection, resumes) = (request.connection, request.client.resume.is_some());
    settle(&shared, request.app).await;
    let (sink, signals) = signal_channel();
    let admitted = match shared.node.join(request, sink).await {
        Ok(admitted) => admitted,
        // The client takes a Leave as first message as the answer to a resume; that is the node's doing.
        Err(refusal) => return refused(&shared, &headers, &refusal),
    };
    tracing::debug!(participant = %admitted.participant, room = %admitted.room, resumes, "Admitted.");
    let lost = shared.clone();
    upgrade
        .max_message_size(WS_MESSAGE_BYTES_MAX)
        .max_frame_size(WS_MESSAGE_BYTES_MAX)
        .read_buffer_size(WS_READ_BYTES)
        .max_write_buffer_size(WS_WRITE_BYTES_MAX)
        .on_failed_upgrade(move |error| {
            tracing::debug!(%error, "An admitted client did not take the WebSocket.");
            tokio::spawn(async move { lost.node.signal_closed(connection).await });
        })
        .on_upgrade(move |socket| pump::run(shared, socket, connection, signals))
}

/// `GET /rtc/validate`, `GET /rtc/v1/validate`: what the WebSocket would have said; nothing changes.
pub async fn validate(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let answer = match read(&shared, &uri, &headers, &peer, true) {
        Ok(join) => {
            settle(&shared, join.app).await;
            // A probe gets no messages; its queue only has to exist.
            let (sink, _signals) = signal_channel();
            shared.node.join(join, sink).await
        }
        Err(refusal) => Err(refusal),
    };
    match answer {
        Ok(_) => VALIDATE_BODY.into_response(),
        Err(refusal) => refused(&shared, &headers, &refusal),
    }
}

/// What was committed before this join was asked for decides on it.
async fn settle(shared: &Shared, app: SdkAppId) {
    if let Some(app) = shared.directory.app(app) {
        shared.settle(&app.app.account).await;
    }
}

/// Reads token and request; everything that can be said without asking the node.
fn read(
    shared: &Shared,
    uri: &Uri,
    headers: &HeaderMap,
    peer: &Peer,
    probe: bool,
) -> Result<Join, Refusal> {
    if shared.is_stopping() {
        return Err(Refusal::with_detail(Reason::Unavailable, "the server is shutting down"));
    }
    let Ok(Query(pairs)) = Query::<Pairs>::try_from_uri(uri) else {
        return Err(Refusal::with_detail(Reason::RequestInvalid, "the query cannot be read"));
    };
    let parameter =
        pairs.iter().find(|(name, _)| name == "access_token").map(|(_, value)| value.as_str());
    let token = bearer(headers).or(parameter).unwrap_or_default();
    let (app, claims) = authenticate(shared, token)?;
    let Some(endpoint) = Endpoint::of_path(uri.path()) else {
        return Err(Reason::RequestInvalid.into());
    };
    let query = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let hello = Hello::read(endpoint, query, &peer.address.to_string())?;
    fermata_signal::join(JoinParts {
        connection: shared.node.next_connection(),
        probe,
        app,
        claims,
        hello,
        auto_create: shared.settings.auto_create,
    })
}

/// Finds the application of a token and checks the token with its secret.
fn authenticate(shared: &Shared, token: &str) -> Result<(SdkAppId, Claims), Refusal> {
    let key = decode_unverified_key(token)?;
    let app = shared.directory.app_of_key(&key).ok_or(Reason::KeyUnknown)?;
    let pair = app.api_keys.iter().find(|pair| pair.key == key).ok_or(Reason::KeyUnknown)?;
    let claims = verify(token, &pair.secret, Now::read().wall)?;
    Ok((app.app.sdk_app_id, claims))
}

/// A refusal in the form that the client asks for.
fn refused(shared: &Shared, headers: &HeaderMap, refusal: &Refusal) -> Response {
    shared.metrics.add(Metric::Refusals, 1);
    tracing::debug!(%refusal, "Refused.");
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    refusal_response(RefusalBody::for_accept(refusal, accept))
}

/// Turns a rendered refusal into a response.
pub(super) fn refusal_response(body: RefusalBody) -> Response {
    let status = StatusCode::from_u16(body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, body.content_type)], body.body).into_response()
}

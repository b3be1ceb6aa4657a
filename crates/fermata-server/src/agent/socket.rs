//! One worker's WebSocket: its messages to the machine, the machine's messages to it.
//!
//! Binary frames carry protobuf, text frames proto3 JSON; the answer has the form of the last message.
//! It bounds what a worker may cost: message size and rate, silence, slowness.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use fermata_agent::WorkerId;
use fermata_auth::{decode_unverified_key, verify};
use fermata_types::{Now, Reason, Refusal, SdkAppId};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as lk;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{AgentsError, Order, may_dispatch};
use crate::http::livekit::rate::Rate;
use crate::limits::{
    WS_CLOSE_TIME_MAX, WS_MALFORMED_MAX, WS_MESSAGE_BYTES_MAX, WS_MESSAGES_BURST,
    WS_MESSAGES_PER_SECOND, WS_PING_EVERY, WS_READ_BYTES, WS_SILENCE_MAX, WS_WRITE_BYTES_MAX,
    WS_WRITE_TIME_MAX,
};
use crate::metrics::Metric;
use crate::server::Shared;
use crate::v1::auth::bearer;

/// Why a connection ends, as the close frame says it.
type Ending = Option<(u16, &'static str)>;

type FromDesk = mpsc::Receiver<lk::server_message::Message>;

/// `GET /agent`.
pub(super) async fn connect(
    State(shared): State<Shared>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    // A plain GET finds nothing here, as with LiveKit's own server.
    let Ok(upgrade) = upgrade else {
        return (StatusCode::NOT_FOUND, "This path takes WebSockets only.\n").into_response();
    };
    if shared.is_stopping() {
        let refusal = Refusal::with_detail(Reason::Unavailable, "the server is shutting down");
        return refused(503, &refusal.to_string());
    }
    let (app, key) = match authenticate(&shared, request.uri(), request.headers()) {
        Ok(found) => found,
        Err(text) => return refused(401, &text),
    };
    let (id, messages) = match shared.agents.open(app, key).await {
        Ok((Ok(id), messages)) => (id, messages),
        Ok((Err(full), _)) => return refused(503, &format!("agent_workers_full: {full}.")),
        Err(AgentsError::Unavailable | AgentsError::Dispatch(_)) => {
            return refused(503, &Refusal::new(Reason::Unavailable).to_string());
        }
    };
    let (lost, lost_id) = (shared.clone(), id.clone());
    upgrade
        .max_message_size(WS_MESSAGE_BYTES_MAX)
        .max_frame_size(WS_MESSAGE_BYTES_MAX)
        .read_buffer_size(WS_READ_BYTES)
        .max_write_buffer_size(WS_WRITE_BYTES_MAX)
        .on_failed_upgrade(move |error| {
            tracing::debug!(%error, "An agent worker did not take the WebSocket.");
            tokio::spawn(async move { lost.agents.orders.send(Order::Gone(lost_id)).await });
        })
        .on_upgrade(move |socket| carry(shared, socket, app, id, messages))
}

fn refused(status: u16, text: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, format!("{text}\n")).into_response()
}

/// The application of a token that grants being a worker, and its API key. The error is what to answer.
fn authenticate(
    shared: &Shared,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(SdkAppId, String), String> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs);
    let pairs = pairs.unwrap_or_default();
    let parameter = pairs.iter().find(|(name, _)| name == "access_token");
    let token = bearer(headers).or(parameter.map(|(_, value)| value.as_str())).unwrap_or_default();
    let read = || {
        let key = decode_unverified_key(token)?;
        let app = shared.directory.app_of_key(&key).ok_or(Reason::KeyUnknown)?;
        let pair = app.api_keys.iter().find(|pair| pair.key == key).ok_or(Reason::KeyUnknown)?;
        let claims = verify(token, &pair.secret, Now::read().wall)?;
        Ok((app.app.sdk_app_id, key, claims.video.agent))
    };
    match read().map_err(|refusal: Refusal| refusal.to_string())? {
        (app, key, true) => Ok((app, key)),
        (_, _, false) => Err(
            "agent_not_granted: The token does not allow being an agent worker; it needs the agent grant."
                .to_owned(),
        ),
    }
}

/// Carries messages until either side ends.
async fn carry(
    shared: Shared,
    socket: WebSocket,
    app: SdkAppId,
    id: WorkerId,
    mut messages: FromDesk,
) {
    let (mut sink, mut stream) = socket.split();
    let text = AtomicBool::new(false);
    let mut stopping = shared.agents.stopping.subscribe();
    let ending = tokio::select! {
        ending = read(&shared, &mut stream, app, &id, &text) => ending,
        ending = write(&shared, &mut sink, &mut messages, &text) => ending,
        _ = stopping.wait_for(|stops| *stops) => Some((close_code::AWAY, "the server stops")),
    };
    let _ = shared.agents.orders.send(Order::Gone(id)).await;
    if let Some((code, reason)) = ending {
        let frame = CloseFrame { code, reason: reason.into() };
        let good_bye = async {
            if sink.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = stream.next().await {}
            }
        };
        let _ = timeout(WS_CLOSE_TIME_MAX, good_bye).await;
    }
}

/// The worker's messages. Ends with the connection, or with what the worker did wrong.
async fn read(
    shared: &Shared,
    stream: &mut SplitStream<WebSocket>,
    app: SdkAppId,
    id: &WorkerId,
    text: &AtomicBool,
) -> Ending {
    let mut rate = Rate::new(WS_MESSAGES_BURST, WS_MESSAGES_PER_SECOND, Now::read().instant);
    let mut malformed = 0;
    loop {
        let Ok(next) = timeout(WS_SILENCE_MAX, stream.next()).await else {
            return Some((close_code::AWAY, "no answer to pings"));
        };
        let Some(Ok(message)) = next else { return None };
        if !rate.take(Now::read().instant) {
            shared.metrics.add(Metric::WsLimited, 1);
            return Some((close_code::POLICY, "too many messages"));
        }
        let decoded = match &message {
            Message::Binary(bytes) => {
                lk::WorkerMessage::decode(bytes.clone()).map_err(|error| error.to_string())
            }
            Message::Text(words) => {
                text.store(true, Ordering::Relaxed);
                serde_json::from_str(words).map_err(|error| error.to_string())
            }
            Message::Close(_) => return None,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        match decoded {
            Ok(lk::WorkerMessage { message: Some(message) }) => {
                let may = may_dispatch(shared, app);
                let order = Order::Message(id.clone(), Box::new(message), may);
                if shared.agents.orders.send(order).await.is_err() {
                    return Some((close_code::AWAY, "the server stops"));
                }
            }
            // A kind of message that is newer than this server.
            Ok(lk::WorkerMessage { message: None }) => {}
            Err(error) => {
                shared.metrics.add(Metric::AgentMalformed, 1);
                tracing::debug!(worker = %id, error, "Malformed message.");
                malformed += 1;
                if malformed > WS_MALFORMED_MAX {
                    return Some((close_code::INVALID, "too many malformed messages"));
                }
            }
        }
    }
}

/// The machine's messages, and pings between them.
async fn write(
    shared: &Shared,
    sink: &mut SplitSink<WebSocket, Message>,
    messages: &mut FromDesk,
    text: &AtomicBool,
) -> Ending {
    let mut ping = interval(WS_PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.tick().await;
    loop {
        let frame = tokio::select! {
            message = messages.recv() => match message {
                Some(message) => encode(message, text.load(Ordering::Relaxed)),
                // The machine let go of it: no registration, or messages that were not read.
                None => return Some((close_code::POLICY, "not registered, or too slow")),
            },
            _ = ping.tick() => Message::Ping(Vec::new().into()),
        };
        match timeout(WS_WRITE_TIME_MAX, sink.send(frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return None,
            Err(_) => {
                shared.metrics.add(Metric::AgentWorkersSlow, 1);
                return None;
            }
        }
    }
}

fn encode(message: lk::server_message::Message, as_text: bool) -> Message {
    let message = lk::ServerMessage { message: Some(message) };
    match as_text.then(|| serde_json::to_string(&message)) {
        Some(Ok(text)) => Message::Text(text.into()),
        Some(Err(_)) | None => Message::Binary(message.encode_to_vec().into()),
    }
}

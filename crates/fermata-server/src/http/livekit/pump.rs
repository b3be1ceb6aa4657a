//! One signalling WebSocket: the client's messages to the node, the node's messages to the client.
//!
//! It decides nothing about rooms. It bounds what a client may cost: message size and rate, silence, slowness.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use fermata_node::{NodeHandle, SignalOut};
use fermata_sfu::io::{ConnectionId, TokenOrder};
use fermata_signal::{
    Frame, FrameError, Style, decode_binary, decode_text, encode, refresh_claims,
};
use fermata_types::Now;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as lk;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::rate::Rate;
use crate::limits::{
    WS_CLOSE_TIME_MAX, WS_MALFORMED_MAX, WS_MESSAGES_BURST, WS_MESSAGES_PER_SECOND, WS_PING_EVERY,
    WS_SILENCE_MAX, WS_WRITE_TIME_MAX,
};
use crate::metrics::Metric;
use crate::server::{Server, Shared};

/// Why a connection ends, as the close frame says it.
type Ending = Option<(u16, &'static str)>;

/// Carries messages until either side ends.
pub(super) async fn run(
    shared: Shared,
    socket: WebSocket,
    connection: ConnectionId,
    signals: mpsc::Receiver<SignalOut>,
) {
    shared.metrics.add(Metric::WsConnections, 1);
    let (mut sink, mut stream) = socket.split();
    let ending = carry(&shared, &mut sink, &mut stream, connection, signals).await;
    if let Some((code, reason)) = ending {
        let frame = CloseFrame { code, reason: reason.into() };
        let good_bye = async {
            if sink.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = stream.next().await {}
            }
        };
        let _ = timeout(WS_CLOSE_TIME_MAX, good_bye).await;
    }
    let _ = shared.node.signal_closed(connection).await;
    shared.metrics.subtract(Metric::WsConnections, 1);
}

/// Both directions, until one ends. A client that does not take messages any more may have said something
/// before, above all that it leaves: that is still heard, and its queue is kept so long.
async fn carry(
    shared: &Server,
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    connection: ConnectionId,
    mut signals: mpsc::Receiver<SignalOut>,
) -> Ending {
    let text = AtomicBool::new(false);
    let mut reading = pin!(read(shared, stream, connection, &text));
    let written = tokio::select! {
        ending = &mut reading => return ending,
        ending = write(shared, sink, connection, &mut signals, &text) => ending,
    };
    if written.is_some() {
        return written;
    }
    let last_words = async {
        tokio::select! {
            _ = &mut reading => {}
            () = async { while signals.recv().await.is_some() {} } => {}
        }
    };
    let _ = timeout(WS_CLOSE_TIME_MAX, last_words).await;
    None
}

/// The client's messages. Ends with the connection, or with what the client did wrong.
async fn read(
    shared: &Server,
    stream: &mut SplitStream<WebSocket>,
    connection: ConnectionId,
    text: &AtomicBool,
) -> Ending {
    let mut rate = Rate::new(WS_MESSAGES_BURST, WS_MESSAGES_PER_SECOND, Now::read().instant);
    let mut malformed = 0;
    loop {
        let Ok(next) = timeout(WS_SILENCE_MAX, stream.next()).await else {
            shared.metrics.add(Metric::WsSilent, 1);
            return Some((close_code::AWAY, "no answer to pings"));
        };
        // An error of the stream is a broken connection or a frame against the protocol; both end it.
        let Some(Ok(message)) = next else { return None };
        if !rate.take(Now::read().instant) {
            shared.metrics.add(Metric::WsLimited, 1);
            return Some((close_code::POLICY, "too many messages"));
        }
        let request = match &message {
            Message::Binary(bytes) => decode_binary(bytes),
            Message::Text(words) => {
                text.store(true, Ordering::Relaxed);
                decode_text(words)
            }
            Message::Close(_) => return None,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        shared.metrics.add(Metric::WsMessagesIn, 1);
        match request {
            Ok(Some(request)) => {
                if shared.node.signal(connection, request).await.is_err() {
                    return Some((close_code::AWAY, "the server stops"));
                }
            }
            // A kind of request that is newer than this server.
            Ok(None) => {}
            Err(error) => {
                shared.metrics.add(Metric::WsMalformed, 1);
                tracing::debug!(connection = connection.0, %error, "Malformed message.");
                malformed += 1;
                if malformed > WS_MALFORMED_MAX {
                    return Some((close_code::INVALID, "too many malformed messages"));
                }
            }
        }
    }
}

/// The node's messages, and pings between them.
async fn write(
    shared: &Server,
    sink: &mut SplitSink<WebSocket, Message>,
    connection: ConnectionId,
    signals: &mut mpsc::Receiver<SignalOut>,
    text: &AtomicBool,
) -> Ending {
    let mut ping = interval(WS_PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.tick().await;
    loop {
        let message = tokio::select! {
            signal = signals.recv() => match signal {
                Some(SignalOut::Message(response)) => {
                    let style = if text.load(Ordering::Relaxed) { Style::Text } else { Style::Binary };
                    match frame(style, &response) {
                        Ok(message) => message,
                        Err(error) => {
                            tracing::error!(connection = connection.0, %error, "A message cannot be sent.");
                            continue;
                        }
                    }
                }
                Some(SignalOut::RefreshToken(order)) => {
                    refresh(shared, &shared.node, connection, &order).await;
                    continue;
                }
                Some(SignalOut::Close) => return Some((close_code::NORMAL, "")),
                // The node dropped its end: this client did not read, or the node is gone.
                None => {
                    shared.metrics.add(Metric::WsSlow, 1);
                    return Some((close_code::AGAIN, "the queue is full"));
                }
            },
            _ = ping.tick() => Message::Ping(Vec::new().into()),
        };
        let is_signal = !matches!(message, Message::Ping(_));
        match timeout(WS_WRITE_TIME_MAX, sink.send(message)).await {
            Ok(Ok(())) => shared.metrics.add(Metric::WsMessagesOut, u64::from(is_signal)),
            Ok(Err(_)) => return None,
            Err(_) => {
                shared.metrics.add(Metric::WsSlow, 1);
                return None;
            }
        }
    }
}

fn frame(style: Style, response: &lk::SignalResponse) -> Result<Message, FrameError> {
    Ok(match encode(style, response)? {
        Frame::Binary(bytes) => Message::Binary(bytes.into()),
        Frame::Text(text) => Message::Text(text.into()),
    })
}

/// Signs a fresh token with the application's first key.
async fn refresh(shared: &Server, node: &NodeHandle, connection: ConnectionId, order: &TokenOrder) {
    let Some(app) = shared.directory.app(order.app) else { return };
    let Some(pair) = app.api_keys.first() else { return };
    let token =
        fermata_auth::sign(&refresh_claims(order, Now::read().wall), &pair.key, &pair.secret);
    let _ = node.refresh_token(connection, token).await;
}

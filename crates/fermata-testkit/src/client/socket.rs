//! The WebSocket of a session: connecting, reading and writing protobuf frames.

use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as lk;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::janus::Janus;
use super::session::SessionError;
use crate::limits;

/// A connected WebSocket.
pub(super) enum Socket {
    /// To a server of `LiveKit`'s protocol.
    LiveKit(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    /// To Janus.
    Janus(Box<Janus>),
}

impl Socket {
    /// Connects within [`limits::JOIN_TIMEOUT`].
    pub(super) async fn connect(url: &str) -> Result<Self, SessionError> {
        let connecting = tokio_tungstenite::connect_async(url);
        match tokio::time::timeout(limits::JOIN_TIMEOUT, connecting).await {
            Ok(Ok((stream, _))) => Ok(Self::LiveKit(Box::new(stream))),
            Ok(Err(Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(SessionError::Refused {
                    status: response.status().as_u16(),
                    body: String::from_utf8_lossy(body).into_owned(),
                })
            }
            Ok(Err(error)) => Err(SessionError::Network { detail: error.to_string() }),
            Err(_) => Err(SessionError::TimedOut),
        }
    }

    /// The next message; `None` when the connection ended. Safe to be cancelled.
    pub(super) async fn next(&mut self) -> Option<lk::signal_response::Message> {
        let ws = match self {
            Self::LiveKit(ws) => ws,
            Self::Janus(janus) => return janus.next().await,
        };
        loop {
            match ws.next().await? {
                Ok(Message::Binary(bytes)) => {
                    let response = lk::SignalResponse::decode(bytes.as_ref()).ok()?;
                    if let Some(message) = response.message {
                        return Some(message);
                    }
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The first message, within [`limits::JOIN_TIMEOUT`].
    pub(super) async fn first(&mut self) -> Result<lk::signal_response::Message, SessionError> {
        match tokio::time::timeout(limits::JOIN_TIMEOUT, self.next()).await {
            Ok(Some(lk::signal_response::Message::Leave(leave))) => {
                Err(SessionError::Left { reason: leave.reason, action: leave.action })
            }
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(SessionError::Ended),
            Err(_) => Err(SessionError::TimedOut),
        }
    }

    /// Is it still there after sending?
    pub(super) async fn send(&mut self, request: &lk::SignalRequest) -> bool {
        match self {
            Self::LiveKit(ws) => {
                ws.send(Message::Binary(request.encode_to_vec().into())).await.is_ok()
            }
            Self::Janus(janus) => janus.send(request).await,
        }
    }

    /// Says goodbye.
    pub(super) async fn close(&mut self) {
        match self {
            Self::LiveKit(ws) => {
                let _ = ws.as_mut().close(None).await;
            }
            Self::Janus(janus) => janus.close().await,
        }
    }
}

//! Joining as any client may, and then doing as little as possible: the WebSocket, and descriptions by hand.

use std::time::Duration;

use fermata_testkit::Token;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::options::FloodOptions;
use super::random::Random;
use super::sdp::{self, Local, Remote};

/// Longest time for a join, and for the server's two descriptions after it.
const JOIN_MAX: Duration = Duration::from_secs(20);
/// Tokens live longer than the longest flood.
const TOKEN_TTL: Duration = Duration::from_hours(1);
/// Read buffer of a WebSocket, bytes: there are thousands.
const READ_LEN: usize = 4 * 1024;
/// The last version of the protocol with two connections for every client.
const PROTOCOL: u32 = 16;

/// The server, and how to get in.
#[derive(Debug, Clone)]
pub(super) struct Door {
    authority: String,
    key: String,
    secret: String,
}

/// A signalling connection.
pub(super) struct Signalling(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What the server said, with what we are called there.
pub(super) struct Described {
    pub(super) local: Local,
    pub(super) remote: Remote,
}

impl Door {
    pub(super) fn new(options: &FloodOptions, authority: String) -> Self {
        Self { authority, key: options.key.clone(), secret: options.secret.clone() }
    }

    /// Joins, subscribing to nothing.
    pub(super) async fn join(&self, identity: &str, room: &str) -> Result<Signalling, String> {
        let token = Token::join(identity, room).ttl(TOKEN_TTL).sign(&self.key, &self.secret);
        let token = token.map_err(|error| error.to_string())?;
        let url = format!(
            "ws://{}/rtc?access_token={token}&auto_subscribe=0&adaptive_stream=0&sdk=rust&version=0.0.0\
             &protocol={PROTOCOL}",
            self.authority
        );
        let config = WebSocketConfig::default().read_buffer_size(READ_LEN).write_buffer_size(0);
        let connecting = tokio_tungstenite::connect_async_with_config(url, Some(config), true);
        let (stream, _) = within(connecting).await?.map_err(|error| words(&error))?;
        Ok(Signalling(stream))
    }
}

impl Signalling {
    /// The next message; `None` when the connection is over.
    pub(super) async fn next(&mut self) -> Option<Response> {
        loop {
            match self.0.next().await? {
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

    /// The first message, which must be the answer to the join.
    pub(super) async fn joined(&mut self) -> Result<Response, String> {
        match within(self.next()).await? {
            Some(response @ Response::Join(_)) => Ok(response),
            Some(Response::Leave(leave)) => Err(format!("told to leave, reason {}", leave.reason)),
            _ => Err("the first message is no answer to a join".to_owned()),
        }
    }

    /// Offers a connection, answers the server's, and returns both.
    pub(super) async fn describe(&mut self, random: &mut Random) -> Result<Vec<Described>, String> {
        let (ours, theirs) = (Local::new(random), Local::new(random));
        let offer = description("offer", ours.offer(), 1);
        self.send(Request::Offer(offer)).await;
        let mut found: [Option<Remote>; 2] = [None, None];
        let both = async {
            while found.iter().any(Option::is_none) {
                match self.next().await {
                    Some(Response::Answer(answer)) => found[0] = sdp::remote(&answer.sdp),
                    Some(Response::Offer(offer)) => {
                        let answer = description("answer", theirs.answer(&offer.sdp), offer.id);
                        self.send(Request::Answer(answer)).await;
                        found[1] = sdp::remote(&offer.sdp);
                    }
                    Some(_) => {}
                    None => return Err("closed before a connection was described".to_owned()),
                }
            }
            Ok(())
        };
        // One of the two is enough.
        match within(both).await {
            Ok(Err(error)) | Err(error) if found.iter().all(Option::is_none) => return Err(error),
            _ => {}
        }
        let described = [ours, theirs].into_iter().zip(found);
        let described =
            described.filter_map(|(local, remote)| Some(Described { local, remote: remote? }));
        Ok(described.collect())
    }

    /// Says something; a connection that is gone shows when it is read.
    pub(super) async fn send(&mut self, message: Request) {
        let request = lk::SignalRequest { message: Some(message) };
        let _ = self.0.send(Message::Binary(request.encode_to_vec().into())).await;
    }

    /// Says goodbye, as a client does.
    pub(super) async fn leave(mut self) {
        let reason = lk::DisconnectReason::ClientInitiated.into();
        self.send(Request::Leave(lk::LeaveRequest { reason, ..Default::default() })).await;
        let _ = self.0.close(None).await;
    }
}

fn description(kind: &str, sdp: String, id: u32) -> lk::SessionDescription {
    lk::SessionDescription { r#type: kind.to_owned(), sdp, id, ..Default::default() }
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(JOIN_MAX, work).await.map_err(|_| "timed out".to_owned())
}

/// What the server said in place of a WebSocket.
fn words(error: &Error) -> String {
    match error {
        Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            format!("status {}: {}", response.status(), String::from_utf8_lossy(body))
        }
        other => other.to_string(),
    }
}

//! The same client against Janus' `VideoRoom`: its JSON over a WebSocket, told to the client as `LiveKit`'s messages.
//!
//! A publisher is a handle that joins as `publisher` and offers; what a client receives comes on a second handle that
//! joins as `subscriber`, with more streams by `update`. For yardsticks only: no data, no resume, no trickling.

use std::collections::VecDeque;

use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::session::SessionError;
use crate::limits;

/// Goes before a section's name to make a track's.
const TRACK_PREFIX: &str = "JT_";
/// Janus' error when a room of that number is there already.
const ROOM_EXISTS: u64 = 427;

/// One participant of a `VideoRoom`.
#[derive(Debug, Clone, Default)]
pub struct JanusOptions {
    /// Number of the room.
    pub room: u64,
    /// Our number among its publishers; with 0 we do not publish.
    pub publisher: u64,
    /// Numbers of publishers to receive.
    pub feeds: Vec<u64>,
    /// Receive also those of whom we hear as a publisher.
    pub follow: bool,
}

/// A session of Janus with one or two handles.
pub(super) struct Janus {
    ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    options: JanusOptions,
    session: u64,
    publisher: Option<u64>,
    subscriber: Option<u64>,
    transactions: u64,
    /// Publishers whose streams are yet to be asked for.
    wanted: Vec<u64>,
    joined: bool,
    /// What is asked of streams, to be sent once they have started: earlier it is forgotten.
    settings: Vec<Value>,
    /// Asked for streams and not yet through with the offer.
    busy: bool,
    published: bool,
    offers: u32,
    offer_id: u32,
    incoming: VecDeque<Response>,
    outgoing: VecDeque<String>,
}

/// Makes a room, if there is none of that number.
///
/// # Errors
/// [`SessionError`] says what Janus or the network said.
pub(crate) async fn create_room(url: &str, room: u64) -> Result<(), SessionError> {
    let mut janus = Janus::open(url, JanusOptions { room, ..JanusOptions::default() }).await?;
    let handle = janus.attach().await?;
    let body = json!({"request": "create", "room": room, "publishers": 1_000, "permanent": false,
        "audiocodec": "opus", "videocodec": "vp8", "notify_joining": false});
    let made = janus.ask(json!({"janus": "message", "handle_id": handle, "body": body})).await?;
    let data = made.pointer("/plugindata/data").unwrap_or(&Value::Null);
    match data.get("error_code").and_then(Value::as_u64) {
        None | Some(ROOM_EXISTS) => {}
        Some(_) => return Err(network(data)),
    }
    janus.close().await;
    Ok(())
}

impl Janus {
    async fn open(url: &str, options: JanusOptions) -> Result<Self, SessionError> {
        let mut request = url.into_client_request().map_err(network)?;
        let protocol = HeaderValue::from_static("janus-protocol");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let connecting = tokio_tungstenite::connect_async(request);
        let ws = match tokio::time::timeout(limits::JOIN_TIMEOUT, connecting).await {
            Ok(Ok((ws, _))) => ws,
            Ok(Err(error)) => return Err(network(error)),
            Err(_) => return Err(SessionError::TimedOut),
        };
        let mut janus = Self {
            ws,
            wanted: options.feeds.clone(),
            options,
            session: 0,
            publisher: None,
            subscriber: None,
            transactions: 0,
            joined: false,
            settings: Vec::new(),
            busy: false,
            published: false,
            offers: 0,
            offer_id: 0,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
        };
        let made = janus.ask(json!({"janus": "create"})).await?;
        janus.session = id(&made)?;
        Ok(janus)
    }

    /// Connects and enters the room.
    pub(super) async fn connect(url: &str, options: JanusOptions) -> Result<Self, SessionError> {
        let (publisher, follow) = (options.publisher, options.follow);
        let mut janus = Self::open(url, options).await?;
        if publisher != 0 {
            let handle = janus.attach().await?;
            janus.publisher = Some(handle);
            let body = json!({"request": "join", "ptype": "publisher", "id": publisher,
                "room": janus.options.room});
            let message = json!({"janus": "message", "handle_id": handle, "body": body});
            let joined = janus.ask(message).await?;
            janus.hear_of_publishers(&joined);
        }
        if follow || !janus.wanted.is_empty() {
            janus.subscriber = Some(janus.attach().await?);
        }
        janus.incoming.push_back(Response::Join(lk::JoinResponse {
            participant: Some(lk::ParticipantInfo {
                sid: format!("JP_{publisher}"),
                ..Default::default()
            }),
            subscriber_primary: true,
            ..Default::default()
        }));
        janus.subscribe();
        Ok(janus)
    }

    async fn attach(&mut self) -> Result<u64, SessionError> {
        let made = self.ask(json!({"janus": "attach", "plugin": "janus.plugin.videoroom"})).await?;
        id(&made)
    }

    /// Sends a request and waits for its last answer.
    async fn ask(&mut self, request: Value) -> Result<Value, SessionError> {
        let transaction = self.queue(request);
        let answered = async {
            loop {
                let answer = self.read().await.ok_or(SessionError::Ended)?;
                let ours = answer.get("transaction").and_then(Value::as_str) == Some(&transaction);
                match answer.get("janus").and_then(Value::as_str) {
                    Some("ack") => {}
                    Some("error") if ours => return Err(network(answer)),
                    _ if ours => return Ok(answer),
                    _ => self.take(&answer),
                }
            }
        };
        let answered = tokio::time::timeout(limits::JOIN_TIMEOUT, answered).await;
        answered.map_err(|_| SessionError::TimedOut)?
    }

    fn queue(&mut self, mut request: Value) -> String {
        self.transactions += 1;
        let transaction = format!("t{}", self.transactions);
        if let Some(object) = request.as_object_mut() {
            object.insert("transaction".to_owned(), json!(transaction));
            if self.session != 0 {
                object.insert("session_id".to_owned(), json!(self.session));
            }
        }
        self.outgoing.push_back(request.to_string());
        transaction
    }

    fn message(&mut self, handle: Option<u64>, body: &Value, jsep: Option<(&str, &str)>) {
        let Some(handle) = handle else { return };
        let mut message = json!({"janus": "message", "handle_id": handle, "body": body});
        if let (Some((kind, sdp)), Some(object)) = (jsep, message.as_object_mut()) {
            // Our layers are named from the smallest on; Janus takes the opposite for granted.
            let jsep = json!({"type": kind, "sdp": sdp, "rid_order": "lmh"});
            object.insert("jsep".to_owned(), jsep);
        }
        self.queue(message);
    }

    /// Writes what waits. Safe to be cancelled: what was not taken stays.
    async fn flush(&mut self) -> bool {
        if self.outgoing.is_empty() {
            return true;
        }
        while let Some(text) = self.outgoing.front() {
            if self.ws.feed(Message::text(text.clone())).await.is_err() {
                return false;
            }
            self.outgoing.pop_front();
        }
        self.ws.flush().await.is_ok()
    }

    /// The next JSON; `None` when the connection ended.
    async fn read(&mut self) -> Option<Value> {
        loop {
            if !self.flush().await {
                return None;
            }
            match self.ws.next().await? {
                Ok(Message::Text(text)) => return serde_json::from_str(text.as_str()).ok(),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message in the client's words; `None` when the connection ended. Safe to be cancelled.
    pub(super) async fn next(&mut self) -> Option<Response> {
        loop {
            if let Some(response) = self.incoming.pop_front() {
                return Some(response);
            }
            let event = self.read().await?;
            self.take(&event);
        }
    }

    /// Is it still there after sending?
    pub(super) async fn send(&mut self, request: &lk::SignalRequest) -> bool {
        match request.message.as_ref() {
            Some(Request::Offer(offer)) => {
                self.offer_id = offer.id;
                let verb = if self.published { "configure" } else { "publish" };
                self.published = true;
                let body = json!({"request": verb});
                self.message(self.publisher, &body, Some(("offer", &offer.sdp)));
            }
            Some(Request::Answer(answer)) => {
                let body = json!({"request": "start"});
                self.message(self.subscriber, &body, Some(("answer", &answer.sdp)));
            }
            Some(Request::TrackSetting(settings)) => {
                let mids = settings.track_sids.iter().filter_map(|s| s.strip_prefix(TRACK_PREFIX));
                let stream = |mid: &str| json!({"mid": mid, "send": !settings.disabled, "substream": settings.quality});
                self.settings.extend(mids.map(stream));
                self.configure();
            }
            Some(Request::AddTrack(track)) => {
                let info = lk::TrackInfo { sid: track.cid.clone(), ..Default::default() };
                let published =
                    lk::TrackPublishedResponse { cid: track.cid.clone(), track: Some(info) };
                self.incoming.push_back(Response::TrackPublished(published));
            }
            Some(Request::PingReq(_)) => {
                self.queue(json!({"janus": "keepalive"}));
            }
            Some(Request::Leave(_)) => {
                self.queue(json!({"janus": "destroy"}));
            }
            _ => {}
        }
        self.flush().await
    }

    /// Says goodbye.
    pub(super) async fn close(&mut self) {
        self.queue(json!({"janus": "destroy"}));
        let _ = self.flush().await;
        let _ = self.ws.close(None).await;
    }

    fn take(&mut self, event: &Value) {
        if event.get("janus").and_then(Value::as_str) != Some("event") {
            return;
        }
        self.hear_of_publishers(event);
        let data = event.pointer("/plugindata/data").unwrap_or(&Value::Null);
        if data.get("error_code").is_some() {
            self.incoming.push_back(Response::RequestResponse(lk::RequestResponse {
                message: data.to_string(),
                ..Default::default()
            }));
        }
        let sender = event.get("sender").and_then(Value::as_u64);
        let sdp = event.pointer("/jsep/sdp").and_then(Value::as_str);
        if sender == self.publisher {
            if let Some(sdp) = sdp {
                self.incoming.push_back(Response::Answer(lk::SessionDescription {
                    r#type: "answer".to_owned(),
                    sdp: sdp.to_owned(),
                    id: self.offer_id,
                    ..Default::default()
                }));
            }
        } else if let Some(sdp) = sdp {
            self.offers += 1;
            self.incoming.push_back(Response::Offer(lk::SessionDescription {
                r#type: "offer".to_owned(),
                sdp: name_tracks(sdp),
                id: self.offers,
                ..Default::default()
            }));
        } else if data.get("started").is_some() || data.get("videoroom") == Some(&json!("updated"))
        {
            self.busy = false;
            self.configure();
        }
        self.subscribe();
    }

    /// Sends the settings that wait, unless streams are being added.
    fn configure(&mut self) {
        if self.busy || self.settings.is_empty() {
            return;
        }
        let streams = std::mem::take(&mut self.settings);
        let body = json!({"request": "configure", "streams": streams});
        self.message(self.subscriber, &body, None);
    }

    fn hear_of_publishers(&mut self, event: &Value) {
        let publishers = event.pointer("/plugindata/data/publishers").and_then(Value::as_array);
        if self.options.follow {
            let ids = publishers.into_iter().flatten().filter_map(|one| one.get("id")?.as_u64());
            self.wanted.extend(ids);
        }
    }

    /// Asks for the streams of everybody heard of, one request at a time.
    fn subscribe(&mut self) {
        if self.busy || self.wanted.is_empty() || self.subscriber.is_none() {
            return;
        }
        self.busy = true;
        let feeds: Vec<Value> = self.wanted.drain(..).map(|feed| json!({"feed": feed})).collect();
        let body = if std::mem::replace(&mut self.joined, true) {
            json!({"request": "update", "subscribe": feeds})
        } else {
            json!({"request": "join", "ptype": "subscriber", "room": self.options.room,
                "streams": feeds})
        };
        self.message(self.subscriber, &body, None);
    }
}

/// Names every track by its section, so that settings find the way back.
fn name_tracks(sdp: &str) -> String {
    let mut named = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        if line.starts_with("a=msid:") {
            continue;
        }
        named.push_str(line);
        named.push_str("\r\n");
        if let Some(mid) = line.strip_prefix("a=mid:") {
            named.push_str("a=msid:janus ");
            named.push_str(TRACK_PREFIX);
            named.push_str(mid);
            named.push_str("\r\n");
        }
    }
    named
}

fn id(answer: &Value) -> Result<u64, SessionError> {
    answer.pointer("/data/id").and_then(Value::as_u64).ok_or_else(|| network(answer))
}

fn network(error: impl std::fmt::Display) -> SessionError {
    SessionError::Network { detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_are_named_by_their_sections() {
        let sdp =
            "m=audio 9 X 0\r\na=msid:janus janus0\r\na=mid:0\r\nm=video 9 X 0\r\na=mid:v1\r\n";
        let named = name_tracks(sdp);
        assert!(named.contains("a=mid:0\r\na=msid:janus JT_0\r\n"), "{named}");
        assert!(named.contains("a=msid:janus JT_v1") && !named.contains("janus0"), "{named}");
    }
}

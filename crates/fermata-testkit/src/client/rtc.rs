//! One participant without IO: signalling messages and datagrams in and out.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fermata_types::Now;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use str0m::format::PayloadParams;
use str0m::media::{MediaKind, Mid};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite};
use str0m::{IceConnectionState, Output};

use super::bypass::{self, MediaKeys};
use super::peer::Peer;
use super::streams::StreamMap;
use super::wire::{Channel, Transmit};
use crate::limits;
use crate::publish::{AudioOptions, Published, VideoOptions};
use crate::statistics::{Packet, Statistics};

/// Which of the two ways of connecting the client uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Two connections: the client offers one to publish on, the server offers one to receive on (`/rtc`).
    Dual,
    /// One connection, always offered by the client (`/rtc/v1`).
    Single,
}

/// Which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one that the client offers; the only one in [`Dialect::Single`].
    Publisher,
    /// The one that the server offers.
    Subscriber,
}

/// How to build a client.
#[derive(Debug, Clone, Copy)]
pub struct ClientConfig {
    /// The dialect.
    pub dialect: Dialect,
    /// Local addresses of publisher and subscriber. They must differ: the server tells connections apart by address.
    pub local: [SocketAddr; 2],
    /// Places for tracks (audio, video) in the first offer of [`Dialect::Single`]; others come on demand.
    pub places: (u32, u32),
    /// Media of the subscriber connection goes past the engine; see [`super::Bypass`]. Only in [`Dialect::Dual`].
    pub light: bool,
    /// Open data channels, as clients of the protocol do.
    pub channels: bool,
    /// What is asked of the video tracks received.
    pub layout: Layout,
}

impl ClientConfig {
    /// A client as people use it: data channels, everything received in full.
    pub fn new(dialect: Dialect, local: [SocketAddr; 2]) -> Self {
        Self { dialect, local, places: (0, 0), light: false, channels: true, layout: Layout::All }
    }
}

/// What a client asks of the video tracks that it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Nothing: every track in the best quality.
    #[default]
    All,
    /// The first track large, the others of so many places small, the rest not at all.
    Grid(u32),
}

/// Something went by or happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientEvent {
    /// Every message from the server, after the client has acted on it.
    Signal(Box<Response>),
    /// A connection is up.
    Connected(Role),
    /// A connection went silent or ended.
    Lost(Role),
    /// The first packet of a track came.
    TrackStarted {
        /// Its sid.
        sid: String,
    },
    /// A data message of another participant.
    Data {
        /// On the reliable channel.
        reliable: bool,
        /// The message, stamped by the server with its sender.
        packet: Box<lk::DataPacket>,
    },
    /// The server did something that no client would understand (sessions only).
    Fault(ClientError),
    /// The WebSocket ended (sessions only).
    SignalClosed,
}

impl ClientEvent {
    /// In words, if it is something that should not happen to a client at rest.
    pub fn complaint(&self) -> Option<String> {
        match self {
            Self::Fault(error) => Some(error.to_string()),
            Self::SignalClosed => Some("signalling ended".to_owned()),
            Self::Lost(role) => Some(format!("{role:?} connection lost")),
            Self::Signal(response) => match response.as_ref() {
                Response::RequestResponse(refused) => Some(refused.message.clone()),
                Response::Leave(leave) => Some(format!("told to leave, reason {}", leave.reason)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// One result of [`RtcClient::poll`].
#[derive(Debug)]
pub enum ClientOutput {
    /// To be sent to the server over signalling.
    Signal(Box<lk::SignalRequest>),
    /// To be sent from the socket bound to `source`.
    Transmit(Transmit),
    /// Keys of a connection whose media goes past the engine.
    Keys(MediaKeys),
    /// What the server sends on it, after every negotiation.
    Streams(Box<StreamMap>),
    /// Something happened.
    Event(ClientEvent),
    /// Nothing more until a message, a datagram or this moment.
    Timeout(Instant),
}

/// The client could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// [`limits::PUBLISHED_TRACKS_MAX`] tracks are published.
    #[error("too many published tracks")]
    TooManyTracks,
    /// [`limits::DATA_WAITING_MAX`] messages wait for the channel.
    #[error("too many data messages are waiting")]
    DataFull,
    /// No track with this id.
    #[error("no such track")]
    NoTrack,
    /// The server's SDP was refused.
    #[error("SDP refused: {0}")]
    Sdp(String),
}

/// A section kept for receiving in [`Dialect::Single`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) mid: Mid,
    pub(super) kind: MediaKind,
}

/// One participant: media, data and signalling state, without IO.
///
/// Poll to [`ClientOutput::Timeout`] after every call.
#[derive(Debug)]
pub struct RtcClient {
    pub(super) dialect: Dialect,
    pub(super) publisher: Peer,
    pub(super) subscriber: Option<Peer>,
    pub(super) published: Vec<Published>,
    pub(super) infos: HashMap<String, lk::TrackInfo>,
    pub(super) places: Vec<Place>,
    pub(super) places_wanted: (u32, u32),
    pub(super) channels_offered: bool,
    pub(super) offer_again: bool,
    pub(super) offer_id: u32,
    pub(super) last_offer: Option<lk::SessionDescription>,
    pub(super) last_answer: Option<lk::SessionDescription>,
    pub(super) gone: Vec<Mid>,
    pub(super) data_waiting: VecDeque<(Channel, Vec<u8>)>,
    pub(super) data_sequence: u32,
    pub(super) statistics: Statistics,
    layout: Layout,
    watched: Vec<String>,
    participant_sid: String,
    joined: bool,
    cids: u32,
    pub(super) now: Now,
    out: VecDeque<ClientOutput>,
}

impl RtcClient {
    /// A client that has not spoken to the server yet.
    pub fn new(now: Now, config: &ClientConfig) -> Self {
        let [publisher, subscriber] = config.local;
        let dual = config.dialect == Dialect::Dual;
        Self {
            dialect: config.dialect,
            publisher: Peer::new(now.instant, publisher, false),
            subscriber: dual.then(|| Peer::new(now.instant, subscriber, config.light)),
            published: Vec::new(),
            infos: HashMap::new(),
            places: Vec::new(),
            places_wanted: if dual { (0, 0) } else { config.places },
            channels_offered: !config.channels,
            offer_again: false,
            offer_id: 0,
            last_offer: None,
            last_answer: None,
            gone: Vec::new(),
            data_waiting: VecDeque::new(),
            data_sequence: 0,
            statistics: Statistics::default(),
            layout: config.layout,
            watched: Vec::new(),
            participant_sid: String::new(),
            joined: false,
            cids: 0,
            now,
            out: VecDeque::new(),
        }
    }

    /// The dialect it was built for.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Our participant sid, empty before the server told it.
    pub fn participant_sid(&self) -> &str {
        &self.participant_sid
    }

    /// Are all connections of the dialect up?
    pub fn is_connected(&self) -> bool {
        self.publisher.connected && self.subscriber.as_ref().is_none_or(|peer| peer.connected)
    }

    /// A copy of all counters.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.statistics.clone();
        for track in &self.published {
            statistics.sent.insert(track.cid.clone(), track.sent);
        }
        statistics
    }

    /// Events that the owner of a session did not take in time, in all.
    pub(super) fn note_events_dropped(&mut self, dropped: u64) {
        self.statistics.events_dropped = dropped;
    }

    /// Sid that the server gave to a published track.
    pub fn sid_of(&self, cid: &str) -> Option<&str> {
        self.published.iter().find(|track| track.cid == cid)?.sid.as_deref()
    }

    /// The offer that rides in the join request of [`Dialect::Single`]; `None` for the other dialect.
    pub fn first_offer(&mut self) -> Option<lk::SessionDescription> {
        (self.dialect == Dialect::Single).then(|| self.make_offer(false)).flatten()
    }

    /// Takes a message from the server.
    ///
    /// # Errors
    /// [`ClientError::Sdp`] if the server's SDP is refused. A finding: the server must never send such.
    pub fn handle_signal(&mut self, now: Now, response: &Response) -> Result<(), ClientError> {
        self.now = now;
        let result = match response {
            Response::Join(join) => {
                self.joined(join);
                Ok(())
            }
            Response::Offer(offer) => self.take_offer(offer),
            Response::Answer(answer) => self.take_answer(answer),
            Response::TrackPublished(published) => {
                self.track_published(published);
                Ok(())
            }
            Response::MediaSectionsRequirement(wanted) => {
                self.places_wanted.0 += wanted.num_audios;
                self.places_wanted.1 += wanted.num_videos;
                self.negotiate();
                Ok(())
            }
            Response::Mute(mute) => {
                let muted = |track: &&mut Published| track.sid.as_deref() == Some(&mute.sid);
                if let Some(track) = self.published.iter_mut().find(muted) {
                    track.muted = mute.muted;
                }
                Ok(())
            }
            _ => Ok(()),
        };
        self.event(ClientEvent::Signal(Box::new(response.clone())));
        self.pump_all();
        result
    }

    fn joined(&mut self, join: &lk::JoinResponse) {
        self.joined = true;
        if let Some(participant) = &join.participant {
            self.participant_sid.clone_from(&participant.sid);
        }
        let requests: Vec<_> = self.published.iter().map(Published::request).collect();
        for request in requests {
            self.request(Request::AddTrack(request));
        }
        if self.dialect == Dialect::Dual || self.published.iter().any(|track| track.mid.is_none()) {
            self.negotiate();
        }
    }

    fn track_published(&mut self, published: &lk::TrackPublishedResponse) {
        let Some(info) = &published.track else { return };
        if let Some(track) = self.published.iter_mut().find(|track| track.cid == published.cid) {
            track.sid = Some(info.sid.clone());
            self.infos.insert(published.cid.clone(), info.clone());
        }
    }

    /// Takes a datagram that came to `local`.
    pub fn handle_datagram(
        &mut self,
        now: Now,
        source: SocketAddr,
        local: SocketAddr,
        data: &[u8],
    ) {
        self.now = now;
        let role = if self.subscriber.as_ref().is_some_and(|peer| peer.local == local) {
            Role::Subscriber
        } else {
            Role::Publisher
        };
        if let Some(peer) = self.peer(role) {
            peer.datagram(now.instant, source, data);
        }
        self.pump(role);
    }

    /// Tells the time; sends the media that is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        for role in [Role::Publisher, Role::Subscriber] {
            if let Some(peer) = self.peer(role)
                && (!peer.lazy || !peer.connected || now.instant >= peer.due())
            {
                peer.time(now.instant);
                self.pump(role);
            }
        }
        let light = self.subscriber.as_ref().is_some_and(|peer| peer.light);
        self.publisher.lazy = light && self.published.is_empty();
        self.send_media();
        self.flush_data();
    }

    /// The next output.
    pub fn poll(&mut self) -> ClientOutput {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        let peers = [Some(&self.publisher), self.subscriber.as_ref()];
        let mut at = self.now.instant + Duration::from_secs(1);
        for peer in peers.into_iter().flatten() {
            at = at.min(peer.due());
        }
        if self.publisher.connected {
            for due in self.published.iter().filter_map(Published::next_at) {
                at = at.min(due);
            }
        }
        // Never a moment that has passed: the owner would spin.
        ClientOutput::Timeout(at.max(self.now.instant + Duration::from_millis(1)))
    }

    /// Publishes audio; returns the track's `cid`.
    ///
    /// # Errors
    /// [`ClientError::TooManyTracks`].
    pub fn publish_audio(&mut self, options: AudioOptions) -> Result<String, ClientError> {
        self.publish(|cid| Published::audio(cid, options))
    }

    /// Publishes VP8 video; returns the track's `cid`.
    ///
    /// # Errors
    /// [`ClientError::TooManyTracks`].
    pub fn publish_video(&mut self, options: VideoOptions) -> Result<String, ClientError> {
        self.publish(|cid| Published::video(cid, options))
    }

    fn publish(&mut self, make: impl FnOnce(String) -> Published) -> Result<String, ClientError> {
        if self.published.len() >= limits::PUBLISHED_TRACKS_MAX {
            return Err(ClientError::TooManyTracks);
        }
        self.cids += 1;
        let track = make(format!("cid{}", self.cids));
        let (cid, request) = (track.cid.clone(), track.request());
        self.published.push(track);
        if self.joined {
            self.request(Request::AddTrack(request));
            self.negotiate();
        }
        Ok(cid)
    }

    /// Ends a published track, as clients do: its section goes inactive in the next offer.
    ///
    /// # Errors
    /// [`ClientError::NoTrack`].
    pub fn unpublish(&mut self, cid: &str) -> Result<(), ClientError> {
        let at = self.published.iter().position(|track| track.cid == cid);
        let track = self.published.remove(at.ok_or(ClientError::NoTrack)?);
        self.statistics.sent.insert(track.cid.clone(), track.sent);
        self.infos.remove(cid);
        self.gone.extend(track.mid);
        self.negotiate();
        Ok(())
    }

    /// Mutes or unmutes a published track: tells the server and stops or resumes sending.
    ///
    /// # Errors
    /// [`ClientError::NoTrack`] also while the server has not given it a sid.
    pub fn mute(&mut self, cid: &str, muted: bool) -> Result<(), ClientError> {
        let track = self.published.iter_mut().find(|track| track.cid == cid);
        let track = track.ok_or(ClientError::NoTrack)?;
        let sid = track.sid.clone().ok_or(ClientError::NoTrack)?;
        track.muted = muted;
        self.request(Request::Mute(lk::MuteTrackRequest { sid, muted }));
        Ok(())
    }

    /// Subscribes to tracks or ends it.
    pub fn subscribe(&mut self, track_sids: Vec<String>, subscribe: bool) {
        let update = lk::UpdateSubscription { track_sids, subscribe, ..Default::default() };
        self.request(Request::Subscription(update));
    }

    /// Asks for a quality, a size or a pause of received tracks.
    pub fn set_track_settings(&mut self, settings: lk::UpdateTrackSettings) {
        self.request(Request::TrackSetting(settings));
    }

    /// Says goodbye. The server ends the participant; the connections are closed.
    pub fn leave(&mut self) {
        self.request(Request::Leave(lk::LeaveRequest {
            reason: lk::DisconnectReason::ClientInitiated.into(),
            ..Default::default()
        }));
        for role in [Role::Publisher, Role::Subscriber] {
            if let Some(peer) = self.peer(role) {
                let _ = peer.rtc.close();
                self.pump(role);
            }
        }
    }

    /// Any other request.
    pub fn request(&mut self, message: Request) {
        self.push(ClientOutput::Signal(Box::new(lk::SignalRequest { message: Some(message) })));
    }

    pub(super) fn peer(&mut self, role: Role) -> Option<&mut Peer> {
        match role {
            Role::Publisher => Some(&mut self.publisher),
            Role::Subscriber => self.subscriber.as_mut(),
        }
    }

    pub(super) fn event(&mut self, event: ClientEvent) {
        self.push(ClientOutput::Event(event));
    }

    pub(super) fn push(&mut self, output: ClientOutput) {
        if self.out.len() >= limits::OUTPUT_MAX {
            self.out.pop_front();
            self.statistics.outputs_dropped += 1;
        }
        self.out.push_back(output);
    }

    /// Asks for the quality of video tracks that are new in an offer, by their place in the layout.
    pub(super) fn watch(&mut self, offer: &str) {
        let Layout::Grid(places) = self.layout else { return };
        let map = StreamMap::read(offer, "");
        for track in map.tracks.into_iter().filter(|track| track.video) {
            if self.watched.contains(&track.sid) || self.watched.len() >= limits::PLACES_MAX {
                continue;
            }
            let place = u32::try_from(self.watched.len()).unwrap_or(u32::MAX);
            let large = place == 0;
            self.watched.push(track.sid.clone());
            let quality = if large { lk::VideoQuality::High } else { lk::VideoQuality::Low };
            let (width, height) = if large { (1_280, 720) } else { (320, 180) };
            self.request(Request::TrackSetting(lk::UpdateTrackSettings {
                track_sids: vec![track.sid],
                disabled: place >= places,
                quality: quality.into(),
                width,
                height,
                ..Default::default()
            }));
        }
    }

    fn send_media(&mut self) {
        if !self.publisher.connected {
            return;
        }
        for index in 0..self.published.len() {
            let Some(track) = self.published.get_mut(index) else { continue };
            let Some(mid) = track.mid.filter(|mid| self.publisher.rtc.media(*mid).is_some()) else {
                continue;
            };
            let mut wrote = false;
            for due in track.due(self.now) {
                wrote = true;
                let rtc = &mut self.publisher.rtc;
                let config = rtc.codec_config();
                let pt =
                    config.find(|params| params.spec().codec == due.codec).map(PayloadParams::pt);
                let mut api = rtc.direct_api();
                let stream = api.stream_tx_by_mid(mid, due.rid);
                let (Some(pt), Some(stream)) = (pt, stream) else { continue };
                let extensions = ExtensionValues {
                    audio_level: due.level_db,
                    voice_activity: due.level_db.map(|_| true),
                    ..ExtensionValues::default()
                };
                let seq = due.seq.into();
                stream.write_rtp(
                    RtpWrite::new(pt, seq, due.timestamp, self.now.instant, due.payload)
                        .marker(due.marker)
                        .ext_vals(extensions)
                        .nackable(due.level_db.is_none()),
                );
                self.pump(Role::Publisher);
            }
            if wrote {
                // The engine lets packets go when it is told the time, which is now and not a timer later.
                self.publisher.time(self.now.instant);
                self.pump(Role::Publisher);
            }
        }
    }

    pub(super) fn pump_all(&mut self) {
        self.pump(Role::Publisher);
        self.pump(Role::Subscriber);
    }

    /// Takes everything that a connection has to say.
    pub(super) fn pump(&mut self, role: Role) {
        loop {
            let Some(peer) = self.peer(role) else { return };
            let output = peer.rtc.poll_output();
            let light = peer.light;
            if light && let Some(keys) = bypass::take_keys() {
                self.push(ClientOutput::Keys(keys));
            }
            let Some(peer) = self.peer(role) else { return };
            match output {
                Ok(Output::Timeout(at)) => {
                    peer.timeout = at;
                    if peer.connected && !peer.rtc.is_alive() {
                        peer.connected = false;
                        self.event(ClientEvent::Lost(role));
                    }
                    return;
                }
                // The engine's feedback says that nothing came; whoever reads the media sends the true one.
                Ok(Output::Transmit(transmit)) if light && bypass::is_media(&transmit.contents) => {
                }
                Ok(Output::Transmit(transmit)) => self.push(ClientOutput::Transmit(Transmit {
                    source: transmit.source,
                    destination: transmit.destination,
                    data: transmit.contents.into(),
                })),
                Ok(Output::Event(event)) => self.engine_event(role, event),
                Err(_) => peer.rtc.disconnect(),
            }
        }
    }

    fn engine_event(&mut self, role: Role, event: str0m::Event) {
        use IceConnectionState as Ice;
        use str0m::Event as Engine;
        let Some(peer) = self.peer(role) else { return };
        match event {
            Engine::Connected if !peer.connected => {
                peer.connected = true;
                self.event(ClientEvent::Connected(role));
            }
            Engine::IceConnectionStateChange(Ice::Disconnected) if peer.connected => {
                peer.connected = false;
                self.event(ClientEvent::Lost(role));
            }
            Engine::IceConnectionStateChange(Ice::Connected | Ice::Completed)
                if !peer.connected && peer.rtc.is_connected() =>
            {
                peer.connected = true;
                self.event(ClientEvent::Connected(role));
            }
            Engine::RtpPacket(packet) => self.rtp(role, &packet),
            Engine::KeyframeRequest(request) => {
                let wanted = |track: &&mut Published| track.mid == Some(request.mid);
                if let Some(track) = self.published.iter_mut().find(wanted) {
                    track.keyframe(request.rid);
                }
            }
            Engine::ChannelOpen(id, label) => {
                if let Some(channel) = Channel::from_label(&label) {
                    peer.channels.insert(channel, id);
                }
                self.flush_data();
            }
            Engine::ChannelData(message) => self.data(role, message.id, &message.data),
            _ => {}
        }
    }

    fn rtp(&mut self, role: Role, packet: &RtpPacket) {
        if packet.payload.is_empty() {
            return;
        }
        let now = self.now;
        let Some(peer) = self.peer(role) else { return };
        let mid = peer.section_of(packet.header.ssrc, packet.header.ext_vals.mid);
        let sid = mid.and_then(|mid| peer.tracks.get(&mid).cloned());
        let codec =
            peer.rtc.codec_config().find(|params| params.pt() == packet.header.payload_type);
        let codec = codec.map(|params| params.spec().codec);
        let full = self.statistics.received.len() >= limits::RECEIVED_TRACKS_MAX;
        let Some(sid) = sid.filter(|sid| !full || self.statistics.received.contains_key(sid))
        else {
            self.statistics.packets_unknown += 1;
            return;
        };
        let received = self.statistics.received.entry(sid.clone()).or_default();
        let first = received.packets == 0;
        let wall_us = u64::try_from(now.wall.as_microsecond()).unwrap_or_default();
        let packet = Packet {
            seq: *packet.seq_no,
            marker: packet.header.marker,
            video: codec.is_some_and(|codec| codec.is_video()),
            vp8: codec == Some(str0m::format::Codec::Vp8),
            payload: &packet.payload,
        };
        received.packet(now.instant, wall_us, &packet);
        if first {
            self.event(ClientEvent::TrackStarted { sid });
        }
    }
}

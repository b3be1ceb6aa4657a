//! A shard and its clients in one thread, on a clock that only moves when told.
//!
//! The clients are str0m in its ordinary (not lite) role: an implementation that the shard's own
//! connections did not write. Datagrams travel without loss and without delay, but on the ways that tests make worse
//! ([`World::ways`]).
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::allow_attributes,
    reason = "every test file uses its own part of this"
)]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests are here")]

pub mod media;
mod peer;
mod way;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fermata_sfu::io::{
    Admitted, ClientSettings, ConnectionId, Input, Join, Output, Reply, RequestId, Resume,
    RoomOptions, RoomPermission, UsageFact, Verdict,
};
use fermata_sfu::{Datagrams, Local, SfuConfig};
use fermata_types::{NodeId, Now, Refusal, Role, RoomName, Scene, SdkAppId};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
pub use peer::{Peer, Received, Vp8Packet};
use prost::Message as _;
pub use way::Way;

pub const APP: SdkAppId = SdkAppId(1_400_000_001);

/// A client: its settings, its messages, its connections.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts about a client")]
pub struct Client {
    pub identity: String,
    pub connection: ConnectionId,
    pub single: bool,
    pub inbox: Vec<Response>,
    pub sid: String,
    /// The one the client offers.
    pub up: Peer,
    /// The one the server offers.
    pub down: Option<Peer>,
    pub closed: bool,
    /// Nothing of it moves any more.
    pub dead: bool,
    /// Keeps offers to itself.
    pub holds_offers: bool,
    /// v1: track of each section.
    pub mids: HashMap<String, String>,
    offer_id: u32,
    seq: HashMap<String, u64>,
}

/// Whether a datagram to an address gets lost.
pub type Loses = Box<dyn FnMut(SocketAddr, &[u8]) -> bool>;

/// Datagrams that went out in one go.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub at: Instant,
    pub to: SocketAddr,
    pub segment_len: usize,
    pub count: usize,
    /// SRTP, by the first two bytes (RFC 7983, RFC 5761 section 4).
    pub media: bool,
}

/// Is it RTP and not RTCP, DTLS or STUN?
pub fn is_media(data: &[u8]) -> bool {
    data.len() > 12 && (128..192).contains(&data[0]) && !(192..=223).contains(&data[1])
}

pub struct World {
    pub sfu: Local,
    pub now: Now,
    pub clients: Vec<Client>,
    pub joined: HashMap<ConnectionId, Result<Admitted, Refusal>>,
    pub usage: Vec<UsageFact>,
    pub events: Vec<fermata_sfu::io::RoomEvent>,
    pub samples: Vec<fermata_types::StaySample>,
    pub replies: Vec<Reply>,
    pub orders: usize,
    /// What went out, as the kernel would be given it.
    pub batches: Vec<Sent>,
    /// Which datagrams from here get lost.
    pub loses: Loses,
    /// Ways that are not perfect, by the client's address.
    pub ways: BTreeMap<SocketAddr, Way>,
    next_connection: u64,
    next_port: u16,
    /// Who comes next can decode VP8 and nothing else of video.
    pub vp8_only: bool,
    sfu_at: Instant,
}

pub fn server() -> SocketAddr {
    "10.0.0.1:7882".parse().unwrap()
}

/// How many shards the tests' nodes have, by `FERMATA_TEST_SHARDS`; one if nothing else is asked for.
#[expect(clippy::disallowed_methods, reason = "it is the test runner that asks")]
pub fn shards() -> u16 {
    std::env::var("FERMATA_TEST_SHARDS").map_or(1, |count| count.parse().unwrap())
}

/// A node on which every room of two or more is on several shards, if there are several.
pub fn config() -> SfuConfig {
    config_of(shards())
}

/// The same with so many shards.
pub fn config_of(shards: u16) -> SfuConfig {
    let ports = (0..shards).map(|n| server().port() + n);
    let addresses = ports.map(|port| vec![SocketAddr::new(server().ip(), port)]).collect();
    let mut config = SfuConfig::new(NodeId::from_text("ND_test"), addresses);
    config.limits.imbalance_max = 0;
    config
}

pub fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

pub fn permission() -> RoomPermission {
    RoomPermission {
        can_subscribe: true,
        can_publish: true,
        can_publish_data: true,
        can_publish_sources: Vec::new(),
        can_update_metadata: false,
        hidden: false,
        recorder: false,
        agent: false,
        can_subscribe_metrics: false,
    }
}

pub fn verdict(epoch: u64) -> Verdict {
    Verdict {
        epoch,
        refused: Vec::new(),
        inside: true,
        stay_age_max: None,
        clock_offset: jiff::SignedDuration::ZERO,
        default_scene: Scene::Live,
        disconnect_timeout: Duration::from_secs(90),
    }
}

/// A plain join of an anchor who may create the room.
pub fn join(identity: &str) -> Join {
    Join {
        connection: ConnectionId(0),
        probe: false,
        app: APP,
        room: room("r"),
        identity: identity.to_owned(),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        permission: permission(),
        role: Role::Anchor,
        kind: 0,
        issued_at: 0,
        may_create: true,
        room_options: RoomOptions::default(),
        client: ClientSettings {
            info: lk::ClientInfo::default(),
            protocol: 17,
            single_connection: false,
            auto_subscribe: true,
            adaptive_stream: false,
            publisher_offer: None,
            add_tracks: Vec::new(),
            resume: None,
            address: "10.0.0.9".to_owned(),
        },
    }
}

pub fn single(mut join: Join) -> Join {
    join.client.single_connection = true;
    join
}

impl World {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: SfuConfig) -> Self {
        let now = Now::read();
        Self::of(Local::new(config, [7; 32], now), now)
    }

    /// A node of several shards; whatever its parts tell each other takes a while of up to `delay_max`, by the seed.
    pub fn delayed(shards: u16, seed: [u8; 32], delay_max: Duration) -> Self {
        let now = Now::read();
        Self::of(Local::delayed(config_of(shards), seed, now, delay_max), now)
    }

    fn of(sfu: Local, now: Now) -> Self {
        let mut world = Self {
            sfu,
            now,
            clients: Vec::new(),
            joined: HashMap::new(),
            usage: Vec::new(),
            events: Vec::new(),
            samples: Vec::new(),
            replies: Vec::new(),
            orders: 0,
            batches: Vec::new(),
            loses: Box::new(|_, _| false),
            ways: BTreeMap::new(),
            next_connection: 0,
            next_port: 10_000,
            vp8_only: false,
            sfu_at: now.instant,
        };
        world.input(Input::Verdict(APP, verdict(1)));
        world
    }

    fn peer(&mut self) -> Peer {
        self.next_port += 1;
        let address = SocketAddr::from(([10, 0, 0, 2], self.next_port));
        let new = if self.vp8_only { Peer::of_vp8 } else { Peer::new };
        new(self.now.instant, address)
    }

    pub fn connection(&mut self) -> ConnectionId {
        self.next_connection += 1;
        ConnectionId(self.next_connection)
    }

    /// Asks to enter and returns the client's index; `joined` has the answer.
    pub fn enter(&mut self, mut join: Join) -> usize {
        let connection = self.connection();
        join.connection = connection;
        let single = join.client.single_connection;
        let mut up = self.peer();
        up.add_channels();
        if single {
            up.add_places();
            join.client.publisher_offer =
                Some(lk::SessionDescription { id: 1, ..description("offer", up.offer().unwrap()) });
        }
        let down = (!single).then(|| self.peer());
        self.clients.push(Client {
            identity: join.identity.clone(),
            connection,
            single,
            inbox: Vec::new(),
            sid: String::new(),
            up,
            down,
            closed: false,
            dead: false,
            holds_offers: false,
            mids: HashMap::new(),
            offer_id: 1,
            seq: HashMap::new(),
        });
        self.input(Input::Join(Box::new(join)));
        self.clients.len() - 1
    }

    /// Enters and waits until media is connected.
    pub fn arrive(&mut self, join: Join) -> usize {
        let client = self.enter(join);
        if !self.clients[client].single {
            self.offer(client);
        }
        self.run(Duration::from_secs(1));
        assert!(self.clients[client].is_connected(), "{} connected", self.clients[client].identity);
        client
    }

    /// The refusal of a client that was not let in.
    pub fn refusal(&self, client: usize) -> Option<fermata_types::Reason> {
        let joined = &self.joined[&self.clients[client].connection];
        joined.as_ref().err().map(Refusal::reason)
    }

    /// Comes back over a new signalling connection.
    pub fn resume(&mut self, client: usize, mut join: Join, sync: Option<lk::SyncState>) {
        let connection = self.connection();
        join.connection = connection;
        join.client.resume = Some(Resume {
            participant: self.clients[client].sid.clone(),
            reason: 1,
            sync_state: sync,
        });
        let who = &mut self.clients[client];
        who.connection = connection;
        who.closed = false;
        who.inbox.clear();
        self.input(Input::Join(Box::new(join)));
    }

    pub fn send(&mut self, client: usize, message: Request) {
        let connection = self.clients[client].connection;
        self.input(Input::Signal(connection, Box::new(message)));
    }

    /// Offers the connection that the client offers.
    pub fn offer(&mut self, client: usize) {
        let who = &mut self.clients[client];
        let Some(sdp) = who.up.offer() else { return };
        who.offer_id += 1;
        let offer = lk::SessionDescription { id: who.offer_id, ..description("offer", sdp) };
        self.send(client, Request::Offer(offer));
    }

    /// Announces and offers a track; returns its sid.
    pub fn publish(&mut self, client: usize, kind: lk::TrackType, cid: &str) -> String {
        self.add_track(client, kind, cid);
        self.clients[client].up.add_track(kind, cid);
        self.offer(client);
        self.run(Duration::from_millis(200));
        self.published(client, cid).unwrap()
    }

    pub fn add_track(&mut self, client: usize, kind: lk::TrackType, cid: &str) {
        let source = match kind {
            lk::TrackType::Audio => lk::TrackSource::Microphone,
            _ => lk::TrackSource::Camera,
        };
        let request = lk::AddTrackRequest {
            cid: cid.to_owned(),
            r#type: kind.into(),
            source: source.into(),
            width: 320,
            height: 180,
            ..Default::default()
        };
        self.send(client, Request::AddTrack(request));
    }

    /// Sid of a track by the client's name for it.
    pub fn published(&self, client: usize, cid: &str) -> Option<String> {
        self.clients[client].inbox.iter().find_map(|message| match message {
            Response::TrackPublished(published) if published.cid == cid => {
                published.track.as_ref().map(|track| track.sid.clone())
            }
            _ => None,
        })
    }

    /// Sends media packets 20 ms apart.
    pub fn stream(&mut self, client: usize, cid: &str, packets: usize) {
        for _ in 0..packets {
            let now = self.now.instant;
            let who = &mut self.clients[client];
            let seq = who.seq.entry(cid.to_owned()).or_insert(100);
            *seq += 1;
            let seq = *seq;
            who.up.send_media(now, cid, seq);
            self.run(Duration::from_millis(20));
        }
    }

    /// The next packets of a track get lost on the way here.
    pub fn lose(&mut self, client: usize, cid: &str, packets: u64) {
        *self.clients[client].seq.get_mut(cid).unwrap() += packets;
    }

    pub fn send_data(&mut self, client: usize, label: &str, packet: &lk::DataPacket) {
        self.clients[client].up.send_data(label, &packet.encode_to_vec());
        self.run(Duration::from_millis(20));
    }

    pub fn input(&mut self, input: Input) {
        self.sfu.handle_input(self.now, input);
        self.drain();
    }

    /// Datagrams of one sender arrive; see [`Datagrams::segment_len`].
    pub fn datagrams(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        data: &mut [u8],
        segment_len: usize,
    ) {
        let datagrams = Datagrams { source, destination, data, segment_len };
        self.sfu.handle_datagrams(self.now, datagrams);
        self.drain();
    }

    pub fn command(&mut self, command: fermata_sfu::io::Command) -> Reply {
        self.input(Input::Command(RequestId(1), command));
        self.replies.pop().unwrap()
    }

    /// Lets time pass and everything happen that happens meanwhile.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now.instant + duration;
        self.exchange();
        while self.now.instant < end {
            let clients = self.clients.iter().filter(|client| !client.dead);
            let theirs = clients.flat_map(Client::peers).map(|peer| peer.at).min();
            let next = theirs.unwrap_or(self.sfu_at).min(self.sfu_at).min(end);
            let arrives = self.ways.values().filter_map(Way::next_due).min();
            let next = arrives.unwrap_or(next).min(next);
            let least = self.now.instant + Duration::from_micros(100);
            self.now = self.now.plus(next.max(least) - self.now.instant);
            let now = self.now.instant;
            for client in self.clients.iter_mut().filter(|client| !client.dead) {
                for peer in client.peers_mut().filter(|peer| peer.at <= now) {
                    peer.timeout(now);
                }
            }
            if self.sfu_at <= now {
                self.sfu.handle_input(self.now, Input::Timeout);
            }
            self.exchange();
        }
    }

    /// Carries datagrams and messages until nothing moves.
    fn exchange(&mut self) {
        loop {
            let moved = self.drain();
            let mut datagrams = self.arrive_over_ways();
            let mut messages = Vec::new();
            for client in self.clients.iter_mut().filter(|client| !client.dead) {
                for peer in client.peers_mut() {
                    let Some(way) = self.ways.get_mut(&peer.address) else {
                        datagrams.extend(peer.outgoing());
                        continue;
                    };
                    for (_, destination, data) in peer.outgoing() {
                        way.send_up(self.now.instant, destination, data);
                    }
                }
                messages.extend(client.react());
            }
            if !moved && datagrams.is_empty() && messages.is_empty() {
                return;
            }
            for (source, destination, mut data) in datagrams {
                self.datagrams(source, destination, &mut data, 0);
            }
            for (connection, message) in messages {
                self.input(Input::Signal(connection, Box::new(message)));
            }
        }
    }

    /// What arrives over ways that are not perfect: what is for clients is handed to them, the rest is given.
    fn arrive_over_ways(&mut self) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let mut datagrams = Vec::new();
        let now = self.now.instant;
        for (address, way) in &mut self.ways {
            let us = way.us(now);
            while let Some((destination, data)) = way.up.poll(us) {
                datagrams.push((*address, destination, data));
            }
            while let Some((source, data)) = way.down.poll(us) {
                let peers = self.clients.iter_mut().filter(|client| !client.dead);
                let mut peers = peers.flat_map(Client::peers_mut);
                if let Some(peer) = peers.find(|peer| peer.address == *address) {
                    peer.receive(now, source, &data);
                }
            }
        }
        datagrams
    }

    /// Several datagrams of one client at once, all of one length but for the last.
    pub fn receive_batch(
        &mut self,
        (source, destination): (SocketAddr, SocketAddr),
        datagrams: &[Vec<u8>],
    ) {
        let segment_len = datagrams[0].len();
        self.datagrams(source, destination, &mut datagrams.concat(), segment_len);
    }

    fn drain(&mut self) -> bool {
        let mut moved = false;
        let Self { sfu, clients, now, batches, loses, ways, .. } = self;
        while let Some(egress) = sfu.poll_egress(*now) {
            moved = true;
            batches.extend(egress.batches().map(|batch| Sent {
                at: now.instant,
                to: batch.path.destination,
                segment_len: batch.segment_len,
                count: batch.count(),
                media: is_media(batch.bytes),
            }));
            for (path, data) in egress.datagrams() {
                if loses(path.destination, data) {
                    continue;
                }
                if let Some(way) = ways.get_mut(&path.destination) {
                    way.send_down(now.instant, path.source, data);
                    continue;
                }
                let peers = clients.iter_mut().filter(|client| !client.dead);
                let mut peers = peers.flat_map(Client::peers_mut);
                if let Some(peer) = peers.find(|peer| peer.address == path.destination) {
                    peer.receive(now.instant, path.source, data);
                }
            }
        }
        loop {
            match self.sfu.poll_output() {
                Output::Timeout(at) => {
                    self.sfu_at = at;
                    return moved;
                }
                Output::Signal(connection, response) => {
                    let Some(message) = response.message else { panic!("an empty message") };
                    if let Some(client) = self.client(connection) {
                        client.inbox.push(message.clone());
                        client.todo(message);
                    }
                }
                Output::CloseSignal(connection) => {
                    if let Some(client) = self.client(connection) {
                        client.closed = true;
                    }
                }
                Output::Joined(connection, result) => {
                    self.joined.insert(connection, result);
                }
                Output::Order(..) => panic!("orders go to shards"),
                Output::RefreshToken(..) => self.orders += 1,
                Output::Usage(fact) => self.usage.push(fact),
                Output::Reply(_, reply) => self.replies.push(reply),
                Output::Event(event) => self.events.push(*event),
                Output::Samples(samples) => self.samples.extend(samples),
            }
            moved = true;
        }
    }

    fn client(&mut self, connection: ConnectionId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.connection == connection && !client.dead)
    }

    /// Seconds recorded for a stay, by SKU code.
    pub fn seconds(&self, sid: &str) -> BTreeMap<&'static str, u32> {
        let mut windows = BTreeMap::new();
        for fact in &self.usage {
            if let UsageFact::Window(window) = fact
                && window.stay.as_str() == sid
            {
                let seconds = windows.entry((window.sku, window.window_start)).or_insert(0);
                *seconds = window.seconds.max(*seconds);
            }
        }
        let mut sums = BTreeMap::new();
        for ((sku, _), seconds) in windows {
            *sums.entry(sku.code()).or_insert(0) += seconds;
        }
        sums
    }

    /// How a stay ended.
    pub fn end(&self, sid: &str) -> Option<fermata_types::StayEnd> {
        self.usage.iter().find_map(|fact| match fact {
            UsageFact::Closed(closed) if closed.stay.as_str() == sid => Some(closed.end),
            _ => None,
        })
    }
}

impl Client {
    pub fn is_connected(&self) -> bool {
        self.down.as_ref().unwrap_or(&self.up).connected
    }

    fn peers(&self) -> impl Iterator<Item = &Peer> {
        std::iter::once(&self.up).chain(self.down.as_ref())
    }

    fn peers_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        std::iter::once(&mut self.up).chain(self.down.as_mut())
    }

    /// The connection on which it receives.
    pub fn receiver(&self) -> &Peer {
        self.down.as_ref().unwrap_or(&self.up)
    }

    /// Packets received of a track.
    pub fn heard(&self, track: &str) -> Vec<&Received> {
        let received = &self.receiver().received;
        if self.single {
            let mid = self.mids.iter().find(|(_, sid)| *sid == track).map(|(mid, _)| mid.as_str());
            return received.iter().filter(|packet| Some(packet.mid.as_str()) == mid).collect();
        }
        received.iter().filter(|packet| packet.track == track).collect()
    }

    pub fn data(&self) -> Vec<lk::DataPacket> {
        let data = &self.receiver().data;
        data.iter().map(|(_, data)| lk::DataPacket::decode(&data[..]).unwrap()).collect()
    }

    /// What it was last told about somebody.
    pub fn sees(&self, identity: &str) -> Option<lk::ParticipantInfo> {
        let mut seen = None::<lk::ParticipantInfo>;
        for message in &self.inbox {
            let list = match message {
                Response::Join(join) => {
                    join.other_participants.iter().chain(join.participant.as_ref()).collect()
                }
                Response::Update(update) => update.participants.iter().collect::<Vec<_>>(),
                _ => continue,
            };
            for info in list.into_iter().filter(|info| info.identity == identity) {
                let newer =
                    seen.as_ref().is_none_or(|s| s.sid != info.sid || s.version <= info.version);
                assert!(newer, "versions of {identity} grow");
                seen = Some(info.clone());
            }
        }
        seen
    }

    pub fn leave_reason(&self) -> Option<(lk::DisconnectReason, i32)> {
        self.inbox.iter().find_map(|message| match message {
            Response::Leave(leave) => Some((leave.reason(), leave.action)),
            _ => None,
        })
    }

    fn todo(&mut self, message: Response) {
        match message {
            Response::Join(join) => self.sid = join.participant.unwrap().sid,
            Response::Offer(offer) if !self.holds_offers => {
                self.down.as_mut().unwrap().waiting = Some((offer.id, offer.sdp));
            }
            Response::Answer(answer) => {
                self.mids = answer.mid_to_track_id;
                self.up.accept_answer(&answer.sdp);
            }
            Response::MediaSectionsRequirement(need) => {
                // This engine makes no offer without a change, so it adds a place nobody asked for.
                let none = need.num_audios + need.num_videos == 0;
                self.up.add_media_places(need.num_audios + u32::from(none), need.num_videos);
                self.up.wants_offer = true;
            }
            _ => {}
        }
    }

    fn react(&mut self) -> Vec<(ConnectionId, Request)> {
        let mut messages = Vec::new();
        if let Some((id, sdp)) = self.down.as_mut().and_then(|down| down.waiting.take()) {
            let answer = self.down.as_mut().unwrap().answer(&sdp);
            let answer = lk::SessionDescription { id, ..description("answer", answer) };
            messages.push((self.connection, Request::Answer(answer)));
        }
        if self.up.wants_offer && !self.up.has_pending() {
            self.up.wants_offer = false;
            if let Some(sdp) = self.up.offer() {
                self.offer_id += 1;
                let offer =
                    lk::SessionDescription { id: self.offer_id, ..description("offer", sdp) };
                messages.push((self.connection, Request::Offer(offer)));
            }
        }
        messages
    }
}

pub fn description(kind: &str, sdp: String) -> lk::SessionDescription {
    lk::SessionDescription { r#type: kind.to_owned(), sdp, ..Default::default() }
}

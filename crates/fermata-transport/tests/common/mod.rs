//! Two ends in memory: a [`Transport`] and a client that is str0m itself, under a virtual clock.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fermata_transport::egress::Egress;
use fermata_transport::{
    Certificate, Channel, Codec as OurCodec, Event, Mid as OurMid, PeerKind, Rid as OurRid, RtpIn,
    RtpOut, SendError, Transport, TransportConfig,
};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Rid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};

/// How far time jumps between rounds.
pub const STEP: Duration = Duration::from_millis(10);

/// What the client saw.
#[derive(Default)]
pub struct Seen {
    pub rtp: Vec<RtpPacket>,
    pub channels: Vec<(ChannelId, String)>,
    pub data: Vec<(ChannelId, bool, Vec<u8>)>,
    pub keyframe_requests: Vec<(Mid, Option<Rid>)>,
    pub media: Vec<Mid>,
    pub estimates: usize,
    /// Round trips that the client worked out for what it receives.
    pub round_trips: Vec<Duration>,
    pub closed: bool,
}

/// What came in at the server, kept.
#[derive(Debug, Clone)]
pub struct Got {
    pub mid: OurMid,
    pub rid: Option<OurRid>,
    pub codec: OurCodec,
    pub seq: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
    pub audio_level_db: Option<i8>,
    pub voice_activity: Option<bool>,
}

impl From<RtpIn<'_>> for Got {
    fn from(packet: RtpIn<'_>) -> Self {
        Self {
            mid: packet.mid,
            rid: packet.rid,
            codec: packet.codec,
            seq: packet.seq,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload: packet.payload.to_vec(),
            audio_level_db: packet.audio_level_db,
            voice_activity: packet.voice_activity,
        }
    }
}

/// What happens to datagrams on their way, by shares of 1,000; each way alike.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub lost: u64,
    pub doubled: u64,
    /// Kept back for one to three steps, so that others overtake.
    pub late: u64,
}

/// Random numbers for tests (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

/// One way of the network.
#[derive(Default)]
pub struct Way {
    ready: VecDeque<Vec<u8>>,
    late: Vec<(u64, Vec<u8>)>,
}

impl Way {
    fn carry(&mut self, data: Vec<u8>, weather: Weather, dice: &mut Dice, step: u64) {
        let fate = dice.below(1_000);
        if fate < weather.lost {
            return;
        }
        if fate < weather.lost + weather.doubled {
            self.ready.push_back(data.clone());
        }
        if dice.below(1_000) < weather.late {
            self.late.push((step + 1 + dice.below(3), data));
        } else {
            self.ready.push_back(data);
        }
    }

    fn ripen(&mut self, step: u64) {
        let (ready, late) =
            std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= step);
        self.late = late;
        let ready: Vec<(u64, Vec<u8>)> = ready;
        self.ready.extend(ready.into_iter().map(|(_, data)| data));
    }
}

/// What a test keeps of a packet to send it again.
#[derive(Clone)]
struct Kept {
    codec: OurCodec,
    timestamp: u32,
    payload: Vec<u8>,
}

pub struct Pair {
    pub now: Instant,
    pub server: Transport,
    pub client: Rtc,
    pub seen: Seen,
    pub events: Vec<Event>,
    pub got: Vec<Got>,
    pub egress: Egress,
    pub server_at: SocketAddr,
    pub client_at: SocketAddr,
    /// Datagrams from the client are lost.
    pub client_mute: bool,
    pub weather: Weather,
    pub dice: Dice,
    /// Bytes of each datagram of the server.
    pub sizes: Vec<usize>,
    /// Packets that the server sends again when it is asked to.
    kept: BTreeMap<(OurMid, u64), Kept>,
    steps: u64,
    to_server: Way,
    to_client: Way,
}

/// A seed that no other connection of this process has.
pub fn seed() -> [u8; 32] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut dice = Dice(NEXT.fetch_add(1, Ordering::Relaxed));
    let mut seed = [0; 32];
    seed.fill_with(|| dice.roll().to_le_bytes()[0]);
    seed
}

/// One for all, as in earnest.
pub fn certificate() -> Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| Certificate::generate().unwrap()).clone()
}

/// A client as most tests use it.
pub fn client_config() -> RtcConfig {
    Rtc::builder().set_rtp_mode(true).enable_opus(true, true)
}

impl Pair {
    pub fn new(kind: PeerKind) -> Self {
        Self::with(kind, &TransportConfig::default())
    }

    pub fn with(kind: PeerKind, config: &TransportConfig) -> Self {
        Self::with_client(kind, config, client_config())
    }

    pub fn with_client(kind: PeerKind, config: &TransportConfig, client: RtcConfig) -> Self {
        let now = fermata_types::Now::read().instant;
        let server_at: SocketAddr = "192.0.2.1:7882".parse().unwrap();
        let client_at: SocketAddr = "198.51.100.7:40000".parse().unwrap();
        let config = TransportConfig {
            candidates: vec![server_at],
            certificate: Some(certificate()),
            ..config.clone()
        };
        let mut client = client.build(now);
        client.add_local_candidate(Candidate::host(client_at, "udp").unwrap());
        Self {
            now,
            server: Transport::new(now, kind, &config, seed()),
            client,
            seen: Seen::default(),
            events: Vec::new(),
            got: Vec::new(),
            egress: Egress::new(1 << 20, 4_096),
            server_at,
            client_at,
            client_mute: false,
            weather: Weather::default(),
            dice: Dice(1),
            sizes: Vec::new(),
            kept: BTreeMap::new(),
            steps: 0,
            to_server: Way::default(),
            to_client: Way::default(),
        }
    }

    /// Flushes the server and takes out all that it has to say.
    pub fn poll_server(&mut self) {
        self.server.flush(self.now, &mut self.egress);
        self.take_from_server(false);
    }

    /// The same while the network loses everything.
    pub fn poll_server_losing(&mut self) {
        self.server.flush(self.now, &mut self.egress);
        self.take_from_server(true);
    }

    fn take_from_server(&mut self, losing: bool) {
        loop {
            for (path, data) in self.egress.datagrams() {
                assert_eq!(path.source, self.server_at);
                self.sizes.push(data.len());
                // Nobody lives elsewhere.
                if !losing && path.destination == self.client_at {
                    self.to_client.carry(data.to_vec(), self.weather, &mut self.dice, self.steps);
                }
            }
            assert_eq!(self.egress.dropped(), 0);
            self.egress.clear();
            let mut again = false;
            while let Some(event) = self.server.poll_event() {
                if let Event::Nack { mid, lost } = &event {
                    for seq in lost.iter() {
                        again |= self.send_again(*mid, seq).is_ok();
                    }
                }
                self.events.push(event);
            }
            if !again {
                return;
            }
        }
    }

    fn send_again(&mut self, mid: OurMid, seq: u64) -> Result<(), SendError> {
        let Some(kept) = self.kept.get(&(mid, seq)).cloned() else {
            return Err(SendError::NotAgain);
        };
        let slot = self.server.send_slot(mid).ok_or(SendError::NotSending)?;
        let packet = packet(self.now, kept.codec, seq, kept.timestamp, &kept.payload);
        self.server.send_rtx(self.now, slot, &packet, &mut self.egress)
    }

    /// The server sends a packet; what it has to say stays inside.
    pub fn put(
        &mut self,
        mid: OurMid,
        codec: OurCodec,
        seq: u64,
        payload: &[u8],
        pad_to: usize,
    ) -> Result<(), SendError> {
        let slot = self.server.send_slot(mid).ok_or(SendError::NotSending)?;
        let timestamp = u32::try_from(seq).unwrap() * 3_000;
        let packet = packet(self.now, codec, seq, timestamp, payload);
        self.server.send_rtp(self.now, slot, &packet, pad_to, &mut self.egress)?;
        let kept = Kept { codec, timestamp, payload: payload.to_vec() };
        self.kept.insert((mid, seq), kept);
        Ok(())
    }

    /// The server sends a packet and time goes on.
    pub fn send(&mut self, mid: OurMid, codec: OurCodec, seq: u64, payload: &[u8]) {
        self.put(mid, codec, seq, payload, 0).unwrap();
        self.poll_server();
        self.step();
    }

    /// The first datagram that the client sends of itself.
    pub fn first_from_client(&mut self) -> Vec<u8> {
        for _ in 0..100 {
            self.now += STEP;
            self.client.handle_input(Input::Timeout(self.now)).unwrap();
            self.poll_client();
            if let Some(data) = self.to_server.ready.pop_front() {
                return data;
            }
        }
        panic!("the client never speaks");
    }

    pub fn poll_client(&mut self) {
        loop {
            match self.client.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    if !self.client_mute {
                        let data = transmit.contents.into();
                        self.to_server.carry(data, self.weather, &mut self.dice, self.steps);
                    }
                }
                Output::Event(event) => self.client_event(event),
                Output::Timeout(_) => return,
            }
        }
    }

    fn client_event(&mut self, event: str0m::Event) {
        match event {
            str0m::Event::RtpPacket(packet) => self.seen.rtp.push(packet),
            str0m::Event::ChannelOpen(id, label) => self.seen.channels.push((id, label)),
            str0m::Event::ChannelData(data) => {
                self.seen.data.push((data.id, data.binary, data.data));
            }
            str0m::Event::KeyframeRequest(request) => {
                self.seen.keyframe_requests.push((request.mid, request.rid));
            }
            str0m::Event::MediaAdded(added) => self.seen.media.push(added.mid),
            str0m::Event::EgressBitrateEstimate(_) => self.seen.estimates += 1,
            str0m::Event::MediaIngressStats(stats) => self.seen.round_trips.extend(stats.rtt),
            str0m::Event::Closed => self.seen.closed = true,
            _ => {}
        }
    }

    /// Time goes on for the client alone.
    pub fn client_waits(&mut self, by: Duration) {
        self.now += by;
        self.client.handle_input(Input::Timeout(self.now)).unwrap();
        self.poll_client();
    }

    /// What the client has sent and the server has not taken.
    pub fn sent_by_client(&mut self) -> Vec<Vec<u8>> {
        self.to_server.ready.drain(..).collect()
    }

    /// The server takes a datagram that came from the client's address.
    pub fn carry_up(&mut self, mut data: Vec<u8>) {
        let taken = self.server.handle_datagram(
            self.now,
            self.client_at,
            self.server_at,
            &mut data,
            &mut self.egress,
        );
        // An end is told by an event.
        if let Ok(Some(packet)) = taken {
            self.got.push(packet.into());
        }
        self.take_from_server(false);
    }

    fn carry_down(&mut self, data: &[u8]) {
        let receive = Receive {
            proto: Protocol::Udp,
            source: self.server_at,
            destination: self.client_at,
            contents: data.try_into().unwrap(),
        };
        self.client.handle_input(Input::Receive(self.now, receive)).unwrap();
        self.poll_client();
    }

    /// One jump in time and everything it sets off.
    pub fn step(&mut self) {
        self.now += STEP;
        self.steps += 1;
        self.to_server.ripen(self.steps);
        self.to_client.ripen(self.steps);
        if self.server.next_timeout() <= self.now {
            self.server.handle_timeout(self.now, &mut self.egress);
            assert!(self.server.next_timeout() > self.now, "a deadline that passes nothing on");
        }
        self.poll_server();
        self.client.handle_input(Input::Timeout(self.now)).unwrap();
        self.poll_client();
        // Answers to answers, without letting two ends chat for ever.
        for _ in 0..100 {
            if let Some(data) = self.to_server.ready.pop_front() {
                self.carry_up(data);
            }
            if let Some(data) = self.to_client.ready.pop_front() {
                self.carry_down(&data);
            }
        }
    }

    /// Steps until `done`, at most ten virtual seconds.
    pub fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..1_000 {
            if done(self) {
                return;
            }
            self.step();
        }
        panic!("never: {what}");
    }

    pub fn connect(&mut self) {
        self.until("connected", |pair| pair.server.is_connected() && pair.client.is_connected());
    }

    /// The client answers our offer.
    pub fn answer(&mut self, offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).unwrap();
        let answer = self.client.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        self.poll_client();
        answer
    }

    /// We offer what is staged and the client answers.
    pub fn renegotiate(&mut self) -> String {
        let offer = self.server.create_offer(false).expect("something staged");
        self.poll_server();
        let answer = self.answer(&offer);
        self.server.accept_answer(&answer).unwrap();
        self.poll_server();
        offer
    }

    /// The client takes our answer.
    pub fn take_answer(&mut self, pending: SdpPendingOffer, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.client.sdp_api().accept_answer(pending, answer).unwrap();
        self.poll_client();
    }

    pub fn rtp(&self) -> &[Got] {
        &self.got
    }

    pub fn data(&self) -> Vec<(Channel, bool, &[u8])> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Data { channel, binary, data } => Some((*channel, *binary, data.as_slice())),
                _ => None,
            })
            .collect()
    }

    /// The client sends one packet.
    pub fn client_sends(
        &mut self,
        mid: Mid,
        rid: Option<Rid>,
        codec: Codec,
        seq: u64,
        payload: &[u8],
    ) {
        let pt = self
            .client
            .codec_config()
            .params()
            .iter()
            .find(|params| params.spec().codec == codec)
            .unwrap()
            .pt();
        let now = self.now;
        let mut api = self.client.direct_api();
        let stream = api.stream_tx_by_mid(mid, rid).expect("a stream to send with");
        let time = u32::try_from(seq).unwrap() * 960;
        let write = RtpWrite::new(pt, seq.into(), time, now, payload.to_vec()).nackable(true);
        stream.write_rtp(write);
        self.poll_client();
    }
}

/// A packet as the tests send it.
pub fn packet(
    now: Instant,
    codec: OurCodec,
    seq: u64,
    timestamp: u32,
    payload: &[u8],
) -> RtpOut<'_> {
    RtpOut {
        codec,
        seq,
        timestamp,
        marker: true,
        payload,
        vp8: None,
        dependency: None,
        audio_level_db: None,
        voice_activity: None,
        at: now,
    }
}

/// Adds the three data channels, as clients do.
pub fn add_channels(client: &mut str0m::change::SdpApi<'_>) -> Vec<ChannelId> {
    Channel::ALL
        .iter()
        .map(|channel| {
            client.add_channel_with_config(ChannelConfig {
                label: channel.label().into(),
                ordered: *channel == Channel::Reliable,
                ..Default::default()
            })
        })
        .collect()
}

/// A placeholder, as clients of the one-connection dialect offer.
pub fn add_placeholder(client: &mut str0m::change::SdpApi<'_>, kind: MediaKind) -> Mid {
    client.add_media(kind, Direction::RecvOnly, None, None, None)
}

/// Lines of one section of an SDP.
pub fn section<'a>(sdp: &'a str, mid: &str) -> Vec<&'a str> {
    let wanted = format!("a=mid:{mid}");
    sdp.split("m=")
        .map(|section| section.lines().collect::<Vec<_>>())
        .find(|lines| lines.iter().any(|line| *line == wanted))
        .unwrap_or_default()
}

//! Two ends in memory: a [`Transport`] and a client that is str0m itself, under a virtual clock.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fermata_transport::{Channel, Event, PeerKind, Poll, RtpIn, Transport, TransportConfig};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Rid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Input, Output, Rtc};

/// How far time jumps between rounds.
const STEP: Duration = Duration::from_millis(10);

/// What the client saw.
#[derive(Default)]
pub struct Seen {
    pub rtp: Vec<RtpPacket>,
    pub channels: Vec<(ChannelId, String)>,
    pub data: Vec<(ChannelId, bool, Vec<u8>)>,
    pub keyframe_requests: Vec<(Mid, Option<Rid>)>,
    pub media: Vec<Mid>,
}

pub struct Pair {
    pub now: Instant,
    pub server: Transport,
    pub client: Rtc,
    pub seen: Seen,
    pub events: Vec<Event>,
    pub server_at: SocketAddr,
    pub client_at: SocketAddr,
    /// Datagrams from the client are lost.
    pub client_mute: bool,
    to_server: VecDeque<Vec<u8>>,
    to_client: VecDeque<Vec<u8>>,
}

impl Pair {
    pub fn new(kind: PeerKind) -> Self {
        Self::with(kind, &TransportConfig::default())
    }

    pub fn with(kind: PeerKind, config: &TransportConfig) -> Self {
        let now = fermata_types::Now::read().instant;
        let server_at: SocketAddr = "192.0.2.1:7882".parse().unwrap();
        let client_at: SocketAddr = "198.51.100.7:40000".parse().unwrap();
        let config = TransportConfig { candidates: vec![server_at], ..config.clone() };
        let mut client = Rtc::builder().set_rtp_mode(true).enable_opus(true, true).build(now);
        client.add_local_candidate(Candidate::host(client_at, "udp").unwrap());
        Self {
            now,
            server: Transport::new(now, kind, &config),
            client,
            seen: Seen::default(),
            events: Vec::new(),
            server_at,
            client_at,
            client_mute: false,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
        }
    }

    pub fn poll_server(&mut self) {
        loop {
            match self.server.poll() {
                Poll::Transmit(transmit) => {
                    assert_eq!(transmit.destination, self.client_at);
                    self.to_client.push_back(transmit.data);
                }
                Poll::Event(event) => self.events.push(event),
                Poll::Timeout(_) => return,
            }
        }
    }

    /// Polls the server while the network loses everything.
    pub fn poll_server_losing(&mut self) {
        let kept = std::mem::take(&mut self.to_client);
        self.poll_server();
        self.to_client = kept;
    }

    /// The first datagram that the client sends of itself.
    pub fn first_from_client(&mut self) -> Vec<u8> {
        for _ in 0..100 {
            self.now += STEP;
            self.client.handle_input(Input::Timeout(self.now)).unwrap();
            self.poll_client();
            if let Some(data) = self.to_server.pop_front() {
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
                        self.to_server.push_back(transmit.contents.into());
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
            _ => {}
        }
    }

    /// One jump in time and everything it sets off.
    pub fn step(&mut self) {
        self.now += STEP;
        self.server.handle_timeout(self.now);
        self.poll_server();
        self.client.handle_input(Input::Timeout(self.now)).unwrap();
        self.poll_client();
        // Answers to answers, without letting two ends chat for ever.
        for _ in 0..100 {
            if let Some(data) = self.to_server.pop_front() {
                assert!(self.server.accepts(self.now, self.client_at, self.server_at, &data));
                self.server
                    .handle_datagram(self.now, self.client_at, self.server_at, &data)
                    .unwrap();
                self.poll_server();
            }
            if let Some(data) = self.to_client.pop_front() {
                let contents = data.as_slice().try_into().unwrap();
                let receive = Receive {
                    proto: Protocol::Udp,
                    source: self.server_at,
                    destination: self.client_at,
                    contents,
                };
                self.client.handle_input(Input::Receive(self.now, receive)).unwrap();
                self.poll_client();
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

    pub fn rtp(&self) -> Vec<&RtpIn> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Rtp(packet) => Some(packet),
                _ => None,
            })
            .collect()
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

//! One WebRTC connection of a test client.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use livekit_protocol as lk;
use str0m::bwe::Bitrate;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::format::Codec;
use str0m::media::{
    Direction, KeyframeRequestKind, MediaKind, Mid, Rid, Simulcast, SimulcastLayer,
};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::media::source::Due;

/// A packet that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub mid: String,
    /// Track name of the section's msid.
    pub track: String,
    pub seq: u64,
    pub timestamp: u32,
    pub payload: Vec<u8>,
}

pub struct Peer {
    pub rtc: Rtc,
    pub address: SocketAddr,
    pub at: Instant,
    last: Instant,
    pub connected: bool,
    pub received: Vec<Received>,
    pub data: Vec<(String, Vec<u8>)>,
    /// An offer of the server that is to be answered.
    pub waiting: Option<(u32, String)>,
    pub wants_offer: bool,
    pub keyframes_asked: usize,
    /// Layers of which a keyframe was asked for.
    pub layers_asked: Vec<Option<String>>,
    /// In which video is sent; what is not VP8 is noise that, taken for H264, begins a picture.
    pub video: Codec,
    labels: HashMap<ChannelId, String>,
    pending: Option<SdpPendingOffer>,
    channels: bool,
    places: (usize, usize),
    tracks: Vec<(String, MediaKind, Option<Simulcast>)>,
    stops: Vec<Mid>,
    mids: HashMap<String, Mid>,
    msids: HashMap<String, String>,
    out: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Peer {
    pub fn new(now: Instant, address: SocketAddr) -> Self {
        Self::of(Rtc::builder().set_rtp_mode(true).build(now), now, address)
    }

    /// One that can encode and decode VP8 and nothing else of video.
    pub fn of_vp8(now: Instant, address: SocketAddr) -> Self {
        let builder = Rtc::builder().set_rtp_mode(true).clear_codecs();
        Self::of(builder.enable_opus(true, false).enable_vp8(true).build(now), now, address)
    }

    fn of(mut rtc: Rtc, now: Instant, address: SocketAddr) -> Self {
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Self {
            rtc,
            address,
            at: now,
            last: now,
            connected: false,
            received: Vec::new(),
            data: Vec::new(),
            waiting: None,
            wants_offer: false,
            keyframes_asked: 0,
            layers_asked: Vec::new(),
            video: Codec::Vp8,
            labels: HashMap::new(),
            pending: None,
            channels: false,
            places: (0, 0),
            tracks: Vec::new(),
            stops: Vec::new(),
            mids: HashMap::new(),
            msids: HashMap::new(),
            out: Vec::new(),
        }
    }

    pub fn add_channels(&mut self) {
        self.channels = true;
    }

    pub fn add_places(&mut self) {
        self.places = (3, 3);
    }

    pub fn add_media_places(&mut self, audios: u32, videos: u32) {
        self.places.0 += audios as usize;
        self.places.1 += videos as usize;
    }

    pub fn add_track(&mut self, kind: lk::TrackType, cid: &str) {
        let kind = if kind == lk::TrackType::Audio { MediaKind::Audio } else { MediaKind::Video };
        self.tracks.push((cid.to_owned(), kind, None));
    }

    /// Video in several layers of these names.
    pub fn add_simulcast(&mut self, cid: &str, rids: &[&str]) {
        let send = rids.iter().map(|rid| SimulcastLayer::new(&Rid::from(*rid))).collect();
        let layers = Some(Simulcast { send, recv: Vec::new() });
        self.tracks.push((cid.to_owned(), MediaKind::Video, layers));
    }

    pub fn stop_track(&mut self, cid: &str) {
        self.stops.push(self.mids[cid]);
    }

    pub fn has_pending(&self) -> bool {
        self.pending.is_some()
    }

    pub fn offer(&mut self) -> Option<String> {
        let mut api = self.rtc.sdp_api();
        if std::mem::take(&mut self.channels) {
            for (label, ordered) in [("_reliable", true), ("_lossy", false), ("_data_track", false)]
            {
                let reliability = if ordered {
                    Reliability::Reliable
                } else {
                    Reliability::MaxRetransmits { retransmits: 0 }
                };
                let label = label.to_owned();
                api.add_channel_with_config(ChannelConfig {
                    label,
                    ordered,
                    reliability,
                    ..Default::default()
                });
            }
        }
        let (audios, videos) = std::mem::take(&mut self.places);
        for kind in std::iter::repeat_n(MediaKind::Audio, audios)
            .chain(std::iter::repeat_n(MediaKind::Video, videos))
        {
            api.add_media(kind, Direction::RecvOnly, None, None, None);
        }
        for (cid, kind, layers) in self.tracks.drain(..) {
            let stream = Some("stream".to_owned());
            let mid = api.add_media(kind, Direction::SendOnly, stream, Some(cid.clone()), layers);
            self.mids.insert(cid, mid);
        }
        for mid in self.stops.drain(..) {
            api.set_direction(mid, Direction::Inactive);
        }
        let changes = api.apply();
        let sdp = changes.map(|(offer, pending)| {
            self.pending = Some(pending);
            offer.to_sdp_string()
        });
        self.pump();
        sdp
    }

    /// An offer that restarts ICE.
    pub fn restart(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        self.pump();
        offer.to_sdp_string()
    }

    pub fn accept_answer(&mut self, sdp: &str) {
        let answer = SdpAnswer::from_sdp_string(sdp).unwrap();
        let pending = self.pending.take().expect("an offer is outstanding");
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.pump();
    }

    pub fn answer(&mut self, sdp: &str) -> String {
        self.msids = msids(sdp);
        let offer = SdpOffer::from_sdp_string(sdp).unwrap();
        let answer = self.rtc.sdp_api().accept_offer(offer).unwrap();
        self.pump();
        // Nothing would wake it before the first check is due otherwise.
        self.at = self.last;
        answer.to_sdp_string()
    }

    pub fn send_data(&mut self, label: &str, data: &[u8]) {
        let id = self.labels.iter().find(|(_, l)| *l == label).map(|(id, _)| *id);
        let mut channel = self.rtc.channel(id.expect("the channel is open")).unwrap();
        assert!(channel.write(true, data).unwrap());
        self.pump();
    }

    pub fn has_channel(&self, label: &str) -> bool {
        self.labels.values().any(|l| l == label)
    }

    /// Sends one packet of a track: Opus noise, or a whole VP8 key frame of 320 by 180.
    pub fn send_media(&mut self, now: Instant, cid: &str, seq: u64) {
        let mid = self.mids[cid];
        let kind = self.rtc.media(mid).unwrap().kind();
        let (codec, rate, payload) = match kind {
            MediaKind::Audio => (Codec::Opus, 960, vec![0x78, 1, 2, 3]),
            MediaKind::Video if self.video == Codec::Vp8 => (Codec::Vp8, 1800, vp8_keyframe(seq)),
            MediaKind::Video => (self.video, 1800, vec![0x67; 50]),
        };
        let pt = self.rtc.codec_config().find(|c| c.spec().codec == codec).unwrap().pt();
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        let timestamp = u32::try_from(seq).unwrap().wrapping_mul(rate);
        let mut write = RtpWrite::new(pt, seq.into(), timestamp, now, payload).marker(true);
        if kind == MediaKind::Audio {
            write = write.ext_vals(str0m::rtp::ExtensionValues {
                audio_level: Some(-20),
                voice_activity: Some(true),
                ..Default::default()
            });
        }
        stream.write_rtp(write);
        self.timeout(now);
    }

    /// Has a section of its own been agreed for the track?
    pub fn sends(&self, cid: &str) -> bool {
        self.mids.contains_key(cid) && self.pending.is_none()
    }

    /// Sends one packet of a VP8 track, as it is given.
    pub fn send_vp8(&mut self, now: Instant, cid: &str, packet: &Vp8Packet) {
        let mid = self.mids[cid];
        let config = self.rtc.codec_config();
        let pt = config.find(|c| c.spec().codec == Codec::Vp8).unwrap().pt();
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        let timestamp = u32::from(packet.picture).wrapping_mul(3_000);
        let write = RtpWrite::new(pt, packet.seq.into(), timestamp, now, packet.payload());
        stream.write_rtp(write.marker(packet.last));
        self.timeout(now);
    }

    /// Sends one packet of a layer of a track, as it is given.
    pub fn send_due(&mut self, now: Instant, cid: &str, rid: Option<&str>, codec: Codec, due: Due) {
        let mid = self.mids[cid];
        let pt = self.rtc.codec_config().find(|c| c.spec().codec == codec).unwrap().pt();
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, rid.map(Rid::from)).unwrap();
        let write = RtpWrite::new(pt, due.seq.into(), due.timestamp, now, due.payload);
        stream.write_rtp(write.marker(due.marker).nackable(codec != Codec::Opus));
        self.pump();
    }

    /// Asks for a keyframe of what comes in a section.
    pub fn ask_keyframe(&mut self, now: Instant, mid: &str) {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx_by_mid(Mid::from(mid), None).unwrap();
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.timeout(now);
    }

    /// Says how much it can take (draft-alvestrand-rmcat-remb-03).
    pub fn say_remb(&mut self, now: Instant, mid: &str, bps: u64) {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx_by_mid(Mid::from(mid), None).unwrap();
        stream.request_remb(Bitrate::bps(bps));
        self.timeout(now);
    }

    pub fn receive(&mut self, now: Instant, source: SocketAddr, data: &[u8]) {
        let contents = data.try_into().unwrap();
        let receive = Receive { proto: Protocol::Udp, source, destination: self.address, contents };
        self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
        self.pump();
    }

    pub fn timeout(&mut self, now: Instant) {
        self.last = now;
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.pump();
    }

    pub fn outgoing(&mut self) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.out)
    }

    fn pump(&mut self) {
        loop {
            if !self.rtc.is_alive() {
                self.connected = false;
                self.at += std::time::Duration::from_hours(1);
                return;
            }
            let output = match self.rtc.poll_output() {
                Ok(output) => output,
                // A handshake that nobody answers any more ends the engine.
                Err(str0m::RtcError::Dtls(_)) => {
                    self.rtc.disconnect();
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            match output {
                Output::Timeout(at) => {
                    self.at = at;
                    return;
                }
                Output::Transmit(t) => self.out.push((t.source, t.destination, t.contents.into())),
                Output::Event(event) => self.event(event),
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::ChannelOpen(id, label) => {
                self.labels.insert(id, label);
            }
            Event::ChannelData(data) => {
                self.data.push((self.labels[&data.id].clone(), data.data));
            }
            Event::KeyframeRequest(request) => {
                self.keyframes_asked += 1;
                self.layers_asked.push(request.rid.map(|rid| rid.to_string()));
            }
            Event::RtpPacket(packet) => {
                let ssrc = packet.header.ssrc;
                let stream = self.rtc.direct_api().stream_rx(&ssrc).map(|stream| stream.mid());
                let mid = stream.expect("packets belong to sections").to_string();
                self.received.push(Received {
                    track: self.msids.get(&mid).cloned().unwrap_or_default(),
                    mid,
                    seq: *packet.seq_no,
                    timestamp: packet.header.timestamp,
                    payload: packet.payload.to_vec(),
                });
            }
            _ => {}
        }
    }
}

/// Track names by section.
fn msids(sdp: &str) -> HashMap<String, String> {
    let sections = sdp.split("\r\nm=").skip(1);
    let line = |section: &str, prefix| {
        section.lines().find_map(|line| line.strip_prefix(prefix)).map(str::to_owned)
    };
    sections
        .filter_map(|section| {
            let track = line(section, "a=msid:")?.split(' ').nth(1)?.to_owned();
            Some((line(section, "a=mid:")?, track))
        })
        .collect()
}

/// A packet of a VP8 picture of 320 by 180.
#[derive(Debug, Clone, Copy)]
pub struct Vp8Packet {
    pub seq: u64,
    pub picture: u16,
    pub keyframe: bool,
    pub first: bool,
    pub last: bool,
    /// Bytes of the payload.
    pub len: usize,
}

impl Vp8Packet {
    /// A whole picture of so many packets.
    pub fn picture(seq: u64, picture: u16, keyframe: bool, lens: &[usize]) -> Vec<Self> {
        let count = lens.len();
        let packets = lens.iter().zip(seq..).enumerate();
        packets
            .map(|(place, (len, seq))| {
                let (first, last) = (place == 0, place + 1 == count);
                Self { seq, picture, keyframe, first, last, len: *len }
            })
            .collect()
    }

    fn payload(&self) -> Vec<u8> {
        let id = (self.picture & 0x7FFF) | 0x8000;
        let mut payload = vec![if self.first { 0x90 } else { 0x80 }, 0x80];
        payload.extend(id.to_be_bytes());
        if self.first {
            payload.extend([u8::from(!self.keyframe), 0, 0, 0x9d, 0x01, 0x2a]);
            payload.extend(320_u16.to_le_bytes());
            payload.extend(180_u16.to_le_bytes());
        }
        // Says where it came from, whatever becomes of the numbers.
        payload.extend(self.seq.to_be_bytes());
        payload.resize(self.len, 0xAA);
        payload
    }
}

/// RFC 7741 descriptor with a 15-bit picture id, then a VP8 key frame header (RFC 6386 section 9.1).
fn vp8_keyframe(seq: u64) -> Vec<u8> {
    let id = u16::try_from(seq & 0x7FFF).unwrap() | 0x8000;
    let mut payload = vec![0x90, 0x80];
    payload.extend(id.to_be_bytes());
    payload.extend([0x10, 0, 0, 0x9d, 0x01, 0x2a]);
    payload.extend(320_u16.to_le_bytes());
    payload.extend(180_u16.to_le_bytes());
    payload.extend([0xAA; 100]);
    payload
}

//! The people: one who publishes three layers and sound, and those who receive. All of them are str0m.

use std::net::SocketAddr;
use std::time::Instant;

use fermata_testkit::synth;
use str0m::Event;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{
    Direction, KeyframeRequestKind, MediaKind, Mid, Rid, Simulcast, SimulcastLayer,
};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc};

use crate::decoder::Decoder;
use crate::engine::Engine;
use crate::net::Ms;
use crate::source::{Due, Encoder, Mark, RIDS, Source};
use crate::world::MEDIA_UNTIL;

/// So long a missing packet may come again.
const PATIENCE: Ms = 300;

/// Who sends.
pub(crate) struct Publisher {
    pub(crate) engine: Engine,
    pub(crate) source: Source,
    pending: Option<SdpPendingOffer>,
    audio: Option<Mid>,
    video: Option<Mid>,
}

impl Publisher {
    pub(crate) fn new(now: Instant, address: SocketAddr, seed: u64) -> Self {
        let (engine, source) = (Engine::new(now, address, false), Source::new(seed, Encoder::Few));
        Self { engine, source, pending: None, audio: None, video: None }
    }

    pub(crate) fn offer(&mut self) -> String {
        let send = RIDS.iter().map(|rid| SimulcastLayer::new(&Rid::from(*rid))).collect();
        let layers = Simulcast { send, recv: Vec::new() };
        let mut api = self.engine.rtc.sdp_api();
        let mut add = |kind, name: &str, layers| {
            let (stream, name) = (Some("camera".to_owned()), Some(name.to_owned()));
            Some(api.add_media(kind, Direction::SendOnly, stream, name, layers))
        };
        self.audio = add(MediaKind::Audio, "sound", None);
        self.video = add(MediaKind::Video, "picture", Some(layers));
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        self.engine.pump();
        offer.to_sdp_string()
    }

    pub(crate) fn accept_answer(&mut self, now: Instant, sdp: &str) {
        let answer = SdpAnswer::from_sdp_string(sdp).unwrap();
        let pending = self.pending.take().unwrap();
        self.engine.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.engine.time(now);
    }

    /// Takes note of requests for keyframes.
    pub(crate) fn listen(&mut self, now: Ms) {
        while let Some(event) = self.engine.events.pop_front() {
            if let Event::KeyframeRequest(request) = event {
                assert_eq!(Some(request.mid), self.video);
                let layer = RIDS.iter().position(|rid| request.rid == Some(Rid::from(*rid)));
                self.source.request(now, layer.unwrap());
            }
        }
    }

    pub(crate) fn send(&mut self, now: Instant, due: Due) {
        let codec = if due.layer.is_some() { Codec::Vp8 } else { Codec::Opus };
        let mid = if due.layer.is_some() { self.video } else { self.audio }.unwrap();
        let rtc = &mut self.engine.rtc;
        let number = rtc.codec_config().find(|known| known.spec().codec == codec).unwrap().pt();
        let rid = due.layer.map(|layer| Rid::from(RIDS[layer]));
        let mut api = rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, rid).unwrap();
        let write = RtpWrite::new(number, due.seq.into(), due.timestamp, now, due.payload);
        stream.write_rtp(write.marker(due.marker).nackable(due.layer.is_some()));
        self.engine.pump();
    }
}

/// A packet that arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    pub(crate) at: Ms,
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    /// Which it is; of sound only the frame counts.
    pub(crate) mark: Mark,
    pub(crate) picture: u16,
}

/// Who receives.
pub(crate) struct Receiver {
    pub(crate) engine: Engine,
    pub(crate) decoder: Decoder,
    pub(crate) pictures: Vec<Received>,
    pub(crate) sounds: Vec<Received>,
    video: Option<(Ssrc, Mid)>,
}

impl Receiver {
    pub(crate) fn new(now: Instant, address: SocketAddr) -> Self {
        Self {
            engine: Engine::new(now, address, false),
            decoder: Decoder::new(PATIENCE),
            pictures: Vec::new(),
            sounds: Vec::new(),
            video: None,
        }
    }

    pub(crate) fn answer(&mut self, now: Instant, sdp: &str) -> String {
        let offer = SdpOffer::from_sdp_string(sdp).unwrap();
        let answer = self.engine.rtc.sdp_api().accept_offer(offer).unwrap();
        // Nothing would wake it before the first check is due otherwise.
        self.engine.time(now);
        answer.to_sdp_string()
    }

    /// Takes what came, and asks for a keyframe where one is needed.
    pub(crate) fn listen(&mut self, now: Ms, instant: Instant) {
        while let Some(event) = self.engine.events.pop_front() {
            if let Event::RtpPacket(packet) = event {
                self.packet(now, &packet);
            }
        }
        // What was sent last is missed by nobody, and no keyframe would come.
        if now < MEDIA_UNTIL
            && self.decoder.time(now)
            && let Some((_, mid)) = self.video
        {
            let mut api = self.engine.rtc.direct_api();
            let stream = api.stream_rx_by_mid(mid, None).unwrap();
            stream.request_keyframe(KeyframeRequestKind::Pli);
            self.engine.time(instant);
        }
    }

    fn packet(&mut self, now: Ms, packet: &RtpPacket) {
        // Padding of its own has a number and nothing else.
        assert!(!packet.payload.is_empty(), "padding: {packet:?}");
        let number = packet.header.payload_type;
        let codec = self.engine.rtc.codec_config().find(|known| known.pt() == number).unwrap();
        let mark = Mark::read(&packet.payload).expect("whole payloads end in a stamp");
        let mut received = Received {
            at: now,
            seq: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            mark,
            picture: 0,
        };
        if codec.spec().codec == Codec::Opus {
            self.sounds.push(received);
            return;
        }
        let ssrc = packet.header.ssrc;
        if self.video.is_none_or(|(known, _)| known != ssrc) {
            assert!(self.video.is_none(), "a track stays on its stream");
            let mid = self.engine.rtc.direct_api().stream_rx(&ssrc).unwrap().mid();
            self.video = Some((ssrc, mid));
        }
        let vp8 = synth::read_vp8(&packet.payload).unwrap();
        assert_eq!(vp8.start, mark.index == 0);
        received.picture = vp8.picture_id.unwrap();
        self.decoder.packet(now, received.seq, mark, vp8.keyframe.is_some());
        self.pictures.push(received);
    }
}

//! One receiver of the reference: one layer at a time, and numbers that go on where layers change.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::{RtpPacket, RtpWrite};

use crate::engine::Engine;
use crate::source::RIDS;
use crate::world::server;

/// Bytes of the VP8 descriptor that the publisher writes, up to what is patched (RFC 7741 section 4.2).
const PICTURE_ID_AT: usize = 2;

/// A stream that goes out.
pub(crate) struct Out {
    pub(crate) client: usize,
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    pending: Option<SdpPendingOffer>,
    audio: Option<Mid>,
    video: Option<Mid>,
    /// The layer it shall get.
    pub(crate) wanted: usize,
    current: Option<Current>,
    last: Option<Last>,
}

/// The layer that is sent: what its numbers are less.
#[derive(Clone, Copy)]
struct Current {
    layer: usize,
    from: u64,
    seq: u64,
    timestamp: u32,
    picture: u16,
    base: u8,
}

/// Where the numbers of a receiver are.
#[derive(Clone, Copy)]
struct Last {
    seq: u64,
    timestamp: u32,
    picture: u16,
    base: u8,
    at: Instant,
}

impl Out {
    /// A receiver, and what is offered to it.
    pub(crate) fn new(now: Instant, client: usize, address: SocketAddr) -> (Self, String) {
        let mut engine = Engine::new(now, server(), true);
        let mut api = engine.rtc.sdp_api();
        let mut add = |kind| {
            let (stream, name) = (Some("camera".to_owned()), Some(format!("{kind:?}")));
            Some(api.add_media(kind, Direction::SendOnly, stream, name, None))
        };
        let (audio, video) = (add(MediaKind::Audio), add(MediaKind::Video));
        let (offer, pending) = api.apply().unwrap();
        engine.pump();
        let (pending, wanted) = (Some(pending), RIDS.len() - 1);
        let (current, last) = (None, None);
        let out = Self { client, address, engine, pending, audio, video, wanted, current, last };
        (out, offer.to_sdp_string())
    }

    /// It takes the offer.
    pub(crate) fn answered(&mut self, now: Instant, sdp: &str) {
        let answer = SdpAnswer::from_sdp_string(sdp).unwrap();
        let pending = self.pending.take().unwrap();
        self.engine.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.engine.time(now);
    }

    /// The layer that is sent.
    pub(crate) fn layer(&self) -> Option<usize> {
        self.current.map(|current| current.layer)
    }

    /// Begins with a layer at the first packet of a keyframe.
    pub(crate) fn switch(&mut self, now: Instant, layer: usize, packet: &RtpPacket) {
        let (picture, base) = numbers(&packet.payload);
        let (seq, timestamp) = (*packet.seq_no, packet.header.timestamp);
        let last = self.last.unwrap_or(Last {
            seq: seq - 1,
            timestamp: timestamp.wrapping_sub(1),
            picture: picture.wrapping_sub(1),
            base: base.wrapping_sub(1),
            at: now,
        });
        // The moment of arrival stands for that of capture.
        let passed = now.saturating_duration_since(last.at).as_millis() * 90;
        let passed = u32::try_from(passed).unwrap().max(1);
        self.current = Some(Current {
            layer,
            from: seq,
            seq: seq.wrapping_sub(last.seq + 1),
            timestamp: timestamp.wrapping_sub(last.timestamp.wrapping_add(passed)),
            picture: picture.wrapping_sub(last.picture.wrapping_add(1)),
            base: base.wrapping_sub(last.base.wrapping_add(1)),
        });
    }

    /// Sends a packet of the layer that is sent.
    pub(crate) fn forward(&mut self, now: Instant, layer: usize, packet: &RtpPacket) {
        let current = self.current.filter(|current| current.layer == layer);
        let Some(current) = current.filter(|current| *packet.seq_no >= current.from) else {
            return;
        };
        let (picture, base) = numbers(&packet.payload);
        let sent = Last {
            seq: packet.seq_no.wrapping_sub(current.seq),
            timestamp: packet.header.timestamp.wrapping_sub(current.timestamp),
            picture: picture.wrapping_sub(current.picture) & 0x7fff,
            base: base.wrapping_sub(current.base),
            at: now,
        };
        let mut payload = packet.payload.to_vec();
        let [high, low] = (sent.picture | 0x8000).to_be_bytes();
        payload[PICTURE_ID_AT..PICTURE_ID_AT + 3].copy_from_slice(&[high, low, sent.base]);
        if self.last.is_none_or(|last| last.seq < sent.seq) {
            self.last = Some(sent);
        }
        self.write(true, sent.seq, sent.timestamp, packet, payload);
    }

    /// Sends a packet with numbers of its own.
    pub(crate) fn write(
        &mut self,
        video: bool,
        seq: u64,
        timestamp: u32,
        from: &RtpPacket,
        payload: Vec<u8>,
    ) {
        let codec = if video { Codec::Vp8 } else { Codec::Opus };
        let mid = if video { self.video } else { self.audio }.unwrap();
        let rtc = &mut self.engine.rtc;
        let number = rtc.codec_config().find(|known| known.spec().codec == codec).unwrap().pt();
        let mut api = rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        let write = RtpWrite::new(number, seq.into(), timestamp, from.timestamp, payload);
        stream.write_rtp(write.marker(from.header.marker).nackable(video));
        self.engine.pump();
    }
}

/// Picture id and running index of the base layer.
fn numbers(payload: &[u8]) -> (u16, u8) {
    let at = PICTURE_ID_AT;
    (u16::from_be_bytes([payload[at], payload[at + 1]]) & 0x7fff, payload[at + 2])
}

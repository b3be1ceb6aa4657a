//! The forwarder that ours is measured against: str0m on both sides, and the least that a forwarder of simulcast does.
//!
//! Retransmissions in both directions, reports and encryption are str0m's. What is added: one layer for each receiver,
//! changed at a keyframe; numbers that go on; keyframes asked for until they come, twice a second at most.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::Event;
use str0m::change::SdpOffer;
use str0m::media::{KeyframeRequestKind, MediaKind, Mid, Rid};
use str0m::rtp::RtpPacket;

use crate::engine::Engine;
use crate::outgoing::Out;
use crate::source::RIDS;
use crate::world::{Forwarder, ToClient, ToServer, server};

/// Least time between two requests for one layer.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);
#[derive(Clone, Copy, Default)]
struct Layer {
    seen: bool,
    highest: u64,
    wanted: bool,
    asked_at: Option<Instant>,
}

pub(crate) struct Reference {
    publisher: Option<(SocketAddr, Engine)>,
    video: Option<Mid>,
    layers: [Layer; 3],
    outs: Vec<Out>,
    messages: Vec<(usize, ToClient)>,
}

impl Reference {
    pub(crate) fn new() -> Self {
        let (outs, messages) = (Vec::new(), Vec::new());
        Self { publisher: None, video: None, layers: Default::default(), outs, messages }
    }

    fn published(&mut self, now: Instant, sdp: &str) {
        let (_, engine) = self.publisher.as_mut().unwrap();
        let offer = SdpOffer::from_sdp_string(sdp).unwrap();
        let answer = engine.rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        engine.time(now);
        self.messages.push((0, ToClient::Answer(answer)));
    }

    /// Everything that connections have to say.
    fn listen(&mut self, now: Instant) {
        let mut events = Vec::new();
        if let Some((_, engine)) = &mut self.publisher {
            events.extend(engine.events.drain(..));
        }
        for event in events {
            match event {
                Event::MediaAdded(added) if added.kind == MediaKind::Video => {
                    self.video = Some(added.mid);
                }
                Event::RtpPacket(packet) => self.packet(now, &packet),
                _ => {}
            }
        }
        for out in &mut self.outs {
            while let Some(event) = out.engine.events.pop_front() {
                if let Event::KeyframeRequest(_) = event {
                    let layer = out.layer().unwrap_or(out.wanted);
                    self.layers[layer].wanted = true;
                }
            }
        }
        self.ask(now);
    }

    fn packet(&mut self, now: Instant, packet: &RtpPacket) {
        let (_, engine) = self.publisher.as_mut().unwrap();
        let mut api = engine.rtc.direct_api();
        let rid = api.stream_rx(&packet.header.ssrc).unwrap().rid();
        let Some(rid) = rid else {
            for out in self.outs.iter_mut().filter(|out| out.engine.connected) {
                let seq = *packet.seq_no;
                out.write(false, seq, packet.header.timestamp, packet, packet.payload.to_vec());
            }
            return;
        };
        let layer = RIDS.iter().position(|name| rid == Rid::from(*name)).unwrap();
        let state = &mut self.layers[layer];
        let seq = *packet.seq_no;
        let newest = !state.seen || seq > state.highest;
        state.highest = state.highest.max(seq);
        state.seen = true;
        let begins = begins_keyframe(&packet.payload);
        state.wanted &= !begins;
        for out in self.outs.iter_mut().filter(|out| out.engine.connected) {
            if layer == out.wanted && out.layer() != Some(layer) {
                if begins && newest {
                    out.switch(now, layer, packet);
                } else {
                    self.layers[layer].wanted = true;
                }
            }
            out.forward(now, layer, packet);
        }
    }

    fn ask(&mut self, now: Instant) {
        let Some(((_, engine), video)) = self.publisher.as_mut().zip(self.video) else { return };
        for (layer, rid) in self.layers.iter_mut().zip(RIDS) {
            let due = layer.asked_at.is_none_or(|at| now >= at + KEYFRAME_INTERVAL);
            if !(layer.wanted && layer.seen && due) {
                continue;
            }
            layer.asked_at = Some(now);
            let mut api = engine.rtc.direct_api();
            let stream = api.stream_rx_by_mid(video, Some(rid.into())).unwrap();
            stream.request_keyframe(KeyframeRequestKind::Pli);
            engine.time(now);
        }
    }

    fn out(&mut self, client: usize) -> &mut Out {
        self.outs.iter_mut().find(|out| out.client == client).unwrap()
    }

    fn engines(&mut self) -> impl Iterator<Item = (SocketAddr, &mut Engine)> {
        let publisher = self.publisher.iter_mut().map(|(address, engine)| (*address, engine));
        publisher.chain(self.outs.iter_mut().map(|out| (out.address, &mut out.engine)))
    }
}

impl Forwarder for Reference {
    fn enter(&mut self, now: Instant, client: usize, addresses: [SocketAddr; 2]) {
        if client == 0 {
            self.publisher = Some((addresses[0], Engine::new(now, server(), true)));
            return;
        }
        let (out, offer) = Out::new(now, client, addresses[1]);
        self.outs.push(out);
        self.messages.push((client, ToClient::Offer(1, offer)));
    }

    fn signal(&mut self, now: Instant, client: usize, message: ToServer) {
        match message {
            ToServer::Offer(sdp) => self.published(now, &sdp),
            ToServer::Answer(_, sdp) => self.out(client).answered(now, &sdp),
            ToServer::Want(layer) => {
                self.out(client).wanted = layer;
                self.layers[layer].wanted = true;
                self.ask(now);
            }
        }
    }

    fn datagram(&mut self, now: Instant, source: SocketAddr, data: &[u8]) {
        let (_, engine) = self.engines().find(|(address, _)| *address == source).unwrap();
        engine.receive(now, source, data);
        self.listen(now);
    }

    fn time(&mut self, now: Instant) {
        for (_, engine) in self.engines() {
            if engine.at <= now {
                engine.time(now);
            }
        }
        self.listen(now);
    }

    fn outgoing(&mut self, _now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.engines().flat_map(|(_, engine)| engine.outgoing()).collect()
    }

    fn messages(&mut self) -> Vec<(usize, ToClient)> {
        std::mem::take(&mut self.messages)
    }
}

fn begins_keyframe(payload: &[u8]) -> bool {
    fermata_testkit::synth::read_vp8(payload).is_some_and(|vp8| vp8.keyframe.is_some())
}

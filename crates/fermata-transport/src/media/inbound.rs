//! Received streams: which SSRC belongs to which section and layer, and what is known of each.

use std::time::Instant;

use fermata_rtp::nack::Generator;
use fermata_rtp::receiver::Receiver;
use fermata_rtp::{Codec, extension, header};
use fermata_srtp::ReplayWindow;
use fermata_types::MediaKind;

use crate::event::SenderInfo;
use crate::id::{Mid, Rid};
use crate::limits::{INBOUND_LAYERS_MAX, INBOUND_STREAMS_MAX};
use crate::parts::{ExtensionIds, Negotiated};
use crate::stats::StreamStats;

/// Payload types are seven bits.
const PAYLOAD_TYPES: usize = 128;

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) codec: Codec,
    /// A retransmission of it.
    pub(super) again: bool,
}

/// A section that may come in.
#[derive(Debug)]
struct Line {
    mid: Mid,
    asks: Asks,
    rids: Vec<Rid>,
}

/// A section and layer of which something came.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) mid: Mid,
    pub(super) rid: Option<Rid>,
    /// The section is still one that comes in.
    pub(super) receiving: bool,
    /// Its media stream now.
    pub(super) main: Option<u32>,
    /// Beyond the highest sequence number so far; where another stream goes on.
    pub(super) next_seq: u64,
    pub(super) sender_report: Option<SenderInfo>,
    /// A keyframe is to be asked for.
    pub(super) keyframe: bool,
    asks: Asks,
}

/// What may be asked of the sender of a section.
#[derive(Debug, Clone, Copy, Default)]
struct Asks {
    packets: bool,
    keyframes: bool,
}

/// What only a media stream has.
#[derive(Debug)]
pub(super) struct Main {
    /// A multiple of 65,536 between the packet index of the stream and the sequence number of the layer.
    pub(super) offset: u64,
    pub(super) receiver: Receiver,
    clock_rate_hz: u32,
    /// Where missing packets are asked for.
    pub(super) missing: Option<Generator>,
    /// NACKs written.
    pub(super) nacks: u64,
    /// Of the latest report.
    pub(super) fraction_lost: Option<u8>,
    /// Packets since the latest report.
    pub(super) fresh: bool,
}

/// One SSRC.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) ssrc: u32,
    pub(super) layer: usize,
    pub(super) window: ReplayWindow,
    pub(super) heard: Instant,
    /// `None`: retransmissions.
    pub(super) main: Option<Box<Main>>,
}

/// What the header extensions of a packet say.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) mid: Option<Mid>,
    pub(super) rid: Option<Rid>,
    pub(super) twcc: Option<u16>,
    pub(super) level: Option<(i8, bool)>,
}

/// Everything that comes in.
#[derive(Debug)]
pub(super) struct Inbound {
    lines: Vec<Line>,
    /// SSRC, section, whether it is of retransmissions; by SSRC.
    announced: Vec<(u32, Mid, bool)>,
    pub(super) layers: Vec<Layer>,
    /// By SSRC.
    pub(super) streams: Vec<Stream>,
    /// Where the last packet's stream was.
    last: usize,
    meanings: [Option<Meaning>; PAYLOAD_TYPES],
    ids: ExtensionIds,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            announced: Vec::new(),
            layers: Vec::new(),
            streams: Vec::new(),
            last: 0,
            meanings: [None; PAYLOAD_TYPES],
            ids: ExtensionIds::default(),
        }
    }
}

impl Inbound {
    pub(super) fn configure(&mut self, negotiated: &Negotiated) {
        self.ids = negotiated.extensions;
        self.lines.clear();
        self.announced.clear();
        self.meanings = [None; PAYLOAD_TYPES];
        let receiving = negotiated.lines.iter().filter(|line| line.receiving && !line.rejected);
        for line in receiving {
            for payload in &line.payloads {
                let numbers = [(Some(payload.pt), false), (payload.rtx, true)];
                for (pt, again) in numbers {
                    let slot = pt.and_then(|pt| self.meanings.get_mut(usize::from(pt)));
                    if let Some(slot) = slot {
                        *slot = Some(Meaning { codec: payload.codec, again });
                    }
                }
            }
            for stream in &line.remote_ssrcs {
                self.announced.push((stream.ssrc, line.mid, false));
                self.announced.extend(stream.rtx.map(|ssrc| (ssrc, line.mid, true)));
            }
            self.lines.push(Line {
                mid: line.mid,
                asks: Asks {
                    packets: line.feedback.nack && line.kind == MediaKind::Video,
                    keyframes: line.feedback.pli,
                },
                rids: line.rids.clone(),
            });
        }
        self.announced.sort_unstable_by_key(|entry| entry.0);
        self.forget_gone(negotiated);
        for layer in &mut self.layers {
            let line = self.lines.iter().find(|line| line.mid == layer.mid);
            layer.receiving = line.is_some();
            layer.asks = line.map(|line| line.asks).unwrap_or_default();
        }
    }

    /// Forgets layers whose section is not there any more, and their streams.
    fn forget_gone(&mut self, negotiated: &Negotiated) {
        let gone = |layer: &Layer| negotiated.line(layer.mid).is_none();
        if !self.layers.iter().any(gone) {
            return;
        }
        let mut kept = 0..;
        let places = self.layers.iter().map(|layer| if gone(layer) { None } else { kept.next() });
        let places: Vec<Option<usize>> = places.collect();
        self.layers.retain(|layer| !gone(layer));
        self.streams.retain_mut(|stream| match places.get(stream.layer).copied().flatten() {
            Some(place) => {
                stream.layer = place;
                true
            }
            None => false,
        });
        self.last = 0;
    }

    pub(super) fn meaning(&self, payload_type: u8) -> Option<Meaning> {
        self.meanings.get(usize::from(payload_type)).copied().flatten()
    }

    /// Reads the extensions that tell us something.
    pub(super) fn said(&self, packet: &[u8], header: &header::Header) -> Said {
        let mut said = Said::default();
        let ids = &self.ids;
        for (id, content) in header::extensions(packet, header) {
            let id = Some(id);
            if id == ids.transport_cc {
                said.twcc = extension::transport_cc(content);
            } else if id == ids.audio_level {
                said.level = extension::audio_level(content);
            } else if id == ids.mid {
                said.mid = Mid::from_bytes(content);
            } else if id == ids.rid || id == ids.repaired_rid {
                said.rid = Rid::from_bytes(content);
            }
        }
        said
    }

    /// The dependency descriptor of a packet. VP8 has none that is of use: receivers take what its payload says, and
    /// some stumble over both.
    pub(super) fn dependency<'p>(
        &self,
        packet: &'p [u8],
        header: &header::Header,
        codec: Codec,
    ) -> Option<&'p [u8]> {
        let id = self.ids.dependency?;
        if codec.kind() != MediaKind::Video || codec == Codec::Vp8 {
            return None;
        }
        let mut all = header::extensions(packet, header);
        all.find(|(known, _)| *known == id).map(|(_, content)| content)
    }

    /// Where the stream of this SSRC is.
    pub(super) fn find(&mut self, ssrc: u32) -> Option<usize> {
        if self.streams.get(self.last).is_some_and(|stream| stream.ssrc == ssrc) {
            return Some(self.last);
        }
        self.last = self.streams.binary_search_by_key(&ssrc, |stream| stream.ssrc).ok()?;
        Some(self.last)
    }

    /// Is a known stream still what this packet says it is?
    pub(super) fn fits(&self, at: usize, meaning: Meaning, said: &Said) -> bool {
        let Some(stream) = self.streams.get(at) else { return false };
        let Some(layer) = self.layers.get(stream.layer) else { return false };
        layer.receiving
            && said.mid.is_none_or(|mid| mid == layer.mid)
            && stream.main.is_none() == meaning.again
    }

    /// The media stream of a layer.
    pub(super) fn main_of(&self, layer: usize) -> Option<usize> {
        let ssrc = self.layers.get(layer)?.main?;
        self.streams.binary_search_by_key(&ssrc, |stream| stream.ssrc).ok()
    }

    /// Section and layer of a stream that is not known: by what the packet says of itself (RFC 9143 section 9.2),
    /// else by what the SDP says of its SSRC.
    pub(super) fn place(&self, ssrc: u32, said: &Said) -> Option<(Mid, Option<Rid>)> {
        let announced = || {
            let place = self.announced.binary_search_by_key(&ssrc, |entry| entry.0).ok()?;
            self.announced.get(place).map(|entry| entry.1)
        };
        let mid = said.mid.or_else(announced)?;
        let line = self.lines.iter().find(|line| line.mid == mid)?;
        if line.rids.is_empty() {
            return Some((mid, None));
        }
        said.rid.filter(|rid| line.rids.contains(rid)).map(|rid| (mid, Some(rid)))
    }

    /// Takes up a stream whose first packet was authentic. Where it is; `None` if there are too many layers.
    pub(super) fn insert(
        &mut self,
        ssrc: u32,
        place: (Mid, Option<Rid>),
        meaning: Meaning,
        now: Instant,
    ) -> Option<usize> {
        // An SSRC that moves keeps what was seen under it, against repetition.
        let before = self.streams.iter().position(|stream| stream.ssrc == ssrc);
        let window = before.map(|at| self.streams.remove(at).window).unwrap_or_default();
        if self.streams.len() >= INBOUND_STREAMS_MAX {
            let oldest = self.streams.iter().enumerate().min_by_key(|(_, stream)| stream.heard);
            if let Some((oldest, _)) = oldest {
                self.streams.remove(oldest);
            }
        }
        let index = self.layer_index(place)?;
        let layer = self.layers.get_mut(index)?;
        let main = (!meaning.again).then(|| {
            layer.main = Some(ssrc);
            Box::new(Main {
                offset: layer.next_seq.next_multiple_of(1 << 16),
                receiver: Receiver::new(ssrc, meaning.codec.clock_rate_hz()),
                clock_rate_hz: meaning.codec.clock_rate_hz(),
                missing: layer.asks.packets.then(Generator::new),
                nacks: 0,
                fraction_lost: None,
                fresh: false,
            })
        });
        let stream = Stream { ssrc, layer: index, window, heard: now, main };
        let at = self.streams.partition_point(|stream| stream.ssrc < ssrc);
        self.streams.insert(at, stream);
        self.last = at;
        Some(at)
    }

    fn layer_index(&mut self, (mid, rid): (Mid, Option<Rid>)) -> Option<usize> {
        let known = self.layers.iter().position(|layer| layer.mid == mid && layer.rid == rid);
        if known.is_some() {
            return known;
        }
        if self.layers.len() >= INBOUND_LAYERS_MAX {
            return None;
        }
        let line = self.lines.iter().find(|line| line.mid == mid)?;
        self.layers.push(Layer {
            mid,
            rid,
            receiving: true,
            main: None,
            next_seq: 0,
            sender_report: None,
            keyframe: false,
            asks: line.asks,
        });
        Some(self.layers.len() - 1)
    }

    pub(super) fn layer(&self, mid: Mid, rid: Option<Rid>) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.mid == mid && layer.rid == rid)
    }

    /// Notes that a keyframe is to be asked for; false if there is nobody to ask.
    pub(super) fn ask_keyframe(&mut self, mid: Mid, rid: Option<Rid>) -> bool {
        let layer = self.layers.iter_mut().find(|layer| layer.mid == mid && layer.rid == rid);
        let Some(layer) = layer.filter(|layer| layer.asks.keyframes && layer.main.is_some()) else {
            return false;
        };
        layer.keyframe = true;
        true
    }

    pub(super) fn loss(&self) -> Option<f32> {
        let streams = self.streams.iter().filter_map(|stream| stream.main.as_ref());
        super::mean(streams.filter_map(|main| main.fraction_lost))
    }

    pub(super) fn stats(&self, mid: Mid, rid: Option<Rid>) -> Option<StreamStats> {
        let layer = self.layers.iter().position(|layer| layer.mid == mid && layer.rid == rid)?;
        let main = self.streams.get(self.main_of(layer)?)?.main.as_ref()?;
        let jitter = main.receiver.totals().jitter.as_nanos() * u128::from(main.clock_rate_hz);
        let jitter = u32::try_from(jitter / 1_000_000_000).unwrap_or(u32::MAX);
        Some(StreamStats { lost: 0, nacks: main.nacks, jitter })
    }
}

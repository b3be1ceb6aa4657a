//! The sections of a connection as the send and receive paths need them, looked up without the engine.

use std::collections::HashMap;

use fermata_rtp::Codec;
use fermata_types::MediaKind;
use str0m::Rtc;
use str0m::media::{Mid as EngineMid, Pt};
use str0m::rtp::Ssrc;

use crate::codecs;
use crate::id::Mid;

/// Payload types are seven bits.
const PAYLOAD_TYPES: usize = 128;

/// One section.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) wire: EngineMid,
    pub(crate) kind: MediaKind,
    /// Negotiated and in a direction in which we send.
    pub(crate) sending: bool,
    /// The stream we send with, once there is one.
    pub(crate) ssrc: Option<Ssrc>,
    /// Something was sent with this SSRC.
    pub(crate) started: bool,
    /// The section was rejected or stopped for good.
    pub(crate) dead: bool,
    pts: [Option<Pt>; codecs::COUNT],
}

impl Line {
    fn new(wire: EngineMid, kind: MediaKind) -> Self {
        Self {
            wire,
            kind,
            sending: false,
            ssrc: None,
            started: false,
            dead: false,
            pts: [None; codecs::COUNT],
        }
    }

    /// The payload type agreed for a codec on this section.
    pub(crate) fn pt(&self, codec: Codec) -> Option<Pt> {
        self.pts.get(codecs::index(codec)).copied().flatten()
    }

    /// Codecs agreed on this section, in the order of [`Codec::ALL`].
    pub(crate) fn codecs(&self) -> Vec<Codec> {
        Codec::ALL.iter().copied().filter(|codec| self.pt(*codec).is_some()).collect()
    }
}

/// All sections of a connection, by our name and by the engine's.
#[derive(Debug)]
pub(crate) struct Lines {
    by_mid: HashMap<Mid, Line>,
    by_wire: HashMap<EngineMid, Mid>,
    codec_by_pt: [Option<Codec>; PAYLOAD_TYPES],
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { by_mid: HashMap::new(), by_wire: HashMap::new(), codec_by_pt: [None; PAYLOAD_TYPES] }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_mid.len()
    }

    pub(crate) fn insert(&mut self, mid: Mid, wire: EngineMid, kind: MediaKind) {
        self.by_wire.insert(wire, mid);
        self.by_mid.entry(mid).or_insert_with(|| Line::new(wire, kind));
    }

    pub(crate) fn remove(&mut self, mid: Mid) {
        if let Some(line) = self.by_mid.remove(&mid) {
            self.by_wire.remove(&line.wire);
        }
    }

    /// Forgets every section whose name the predicate refuses.
    pub(crate) fn retain(&mut self, keep: impl Fn(Mid) -> bool) {
        self.by_mid.retain(|mid, _| keep(*mid));
        self.by_wire.retain(|_, mid| keep(*mid));
    }

    pub(crate) fn get(&self, mid: Mid) -> Option<&Line> {
        self.by_mid.get(&mid)
    }

    pub(crate) fn get_mut(&mut self, mid: Mid) -> Option<&mut Line> {
        self.by_mid.get_mut(&mid)
    }

    pub(crate) fn mid_of(&self, wire: EngineMid) -> Option<Mid> {
        self.by_wire.get(&wire).copied()
    }

    pub(crate) fn codec_of(&self, pt: Pt) -> Option<Codec> {
        self.codec_by_pt.get(usize::from(*pt)).copied().flatten()
    }

    /// Reads back what a negotiation agreed. To be called after each.
    pub(crate) fn refresh(&mut self, rtc: &mut Rtc) {
        self.codec_by_pt = [None; PAYLOAD_TYPES];
        for params in rtc.codec_config().params() {
            let Some(codec) = codecs::from_engine(params.spec().codec) else { continue };
            if let Some(slot) = self.codec_by_pt.get_mut(usize::from(*params.pt())) {
                *slot = Some(codec);
            }
            let red = params.red().and_then(|pt| self.codec_by_pt.get_mut(usize::from(*pt)));
            if let Some(slot) = red {
                *slot = Some(Codec::Red);
            }
        }
        for line in self.by_mid.values_mut() {
            refresh_line(line, rtc);
        }
    }
}

fn refresh_line(line: &mut Line, rtc: &mut Rtc) {
    line.pts = [None; codecs::COUNT];
    line.sending = false;
    let Some(media) = rtc.media(line.wire) else { return };
    line.dead = media.stopped();
    if media.disabled() {
        return;
    }
    line.sending = media.direction().is_sending();
    // The first match wins: our table lists the most widely decodable variant of a codec first.
    for params in rtc.codec_config().params() {
        if !media.remote_pts().contains(&params.pt()) {
            continue;
        }
        let Some(codec) = codecs::from_engine(params.spec().codec) else { continue };
        if let Some(slot) = line.pts.get_mut(codecs::index(codec)) {
            slot.get_or_insert(params.pt());
        }
        if let (Some(red), Some(slot)) = (params.red(), line.pts.get_mut(codecs::index(Codec::Red)))
        {
            slot.get_or_insert(red);
        }
    }
    let ssrc = rtc.direct_api().stream_tx_by_mid(line.wire, None).map(|stream| stream.ssrc());
    if ssrc != line.ssrc {
        line.ssrc = ssrc;
        line.started = false;
    }
}

//! One track on its way to one subscriber.
//!
//! What it is not: it sends nothing, and it does not ask the publisher for keyframes itself; it says which
//! one it needs ([`DownTrack::needs_keyframe`]).
//!
//! Invariants: within an m-line sequence numbers go on without a gap but those of lost packets, RTP times
//! only rise from picture to picture, and a layer begins only at a place where a decoder can begin.

use std::time::Instant;

use fermata_rtp::SPATIAL_LAYERS_MAX;
use fermata_rtp::dependency::{Frame, Rewrite};
use fermata_rtp::unwrap::rtp_time_delta;
use fermata_rtp::vp8::Numbers;
use fermata_types::MediaKind;

use super::clock::{Next, Sent, Source, align};
use super::dependent::Dependent;
use super::layers::{LayerIndex, Quality, Settings};
use super::limits::AREA_HOLD;
use super::numbering::{Numbering, Placed};
use super::pictures::{LastPicture, Pictures};
use super::select::{Target, target, wanted_quality};
use super::steps::Allowed;
use super::up::{RtpView, SenderReport, UpTrack};

/// First sequence number of a stream lies below this: receivers of SRTP assume that nothing has wrapped
/// before what they see first (RFC 3711 section 3.3.1).
const FIRST_SEQUENCE_MASK: u64 = 0x7fff;

/// Where the outgoing numbering of an m-line stands. A new track on the same m-line goes on from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Continuation {
    /// Highest sequence number given out, and the last packet, if any was sent.
    last: Option<(u64, Sent)>,
    picture: Option<LastPicture>,
    /// Highest frame number in a dependency descriptor.
    frame: Option<u16>,
}

/// What becomes of a packet for this subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Send it like this.
    Send(Sending),
    /// Do not.
    Drop(Dropped),
}

/// A packet as it leaves; its payload is the one that came, but for these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// Sequence number, unwrapped.
    pub seq: u64,
    /// RTP time.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// What goes into the VP8 descriptor in the place of what is there.
    pub vp8: Option<Numbers>,
    /// What changes in the dependency descriptor, if there is one.
    pub dependency: Option<Rewrite>,
}

/// Why a packet is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// Disabled, muted or paused.
    Off,
    /// Of a layer that this subscriber does not get.
    OtherLayer,
    /// Before the first keyframe of the layer.
    AwaitingKeyframe,
    /// Above the wanted temporal layer.
    Temporal,
    /// Above the wanted spatial layer.
    Spatial,
    /// Too old: its place in the outgoing numbering is not known any more, or was before a switch.
    Late,
    /// Came twice.
    Duplicate,
    /// The payload is none of its codec, or empty (padding).
    Malformed,
}

/// A layer that is being forwarded.
#[derive(Debug)]
struct Current {
    layer: LayerIndex,
    numbering: Numbering,
    pictures: Option<Pictures>,
    dependent: Option<Dependent>,
    /// RTP time of the last packet as it came.
    picture_at: Option<u32>,
    /// `outgoing time = incoming - offset`.
    ts_offset: u32,
    /// Highest spatial and temporal layer being sent.
    spatial: u8,
    temporal: u8,
    /// Last packet of each spatial layer that was sent.
    spatial_at: [Option<Instant>; SPATIAL_LAYERS_MAX],
}

/// One subscriber's view of one track.
#[derive(Debug)]
pub struct DownTrack {
    settings: Settings,
    /// What the path to the subscriber has room for; `None`: nothing.
    allowed: Option<Allowed>,
    paused: bool,
    /// [`UpTrack::version`] that the target was chosen by; 0 = choose.
    version: u64,
    target: Option<Target>,
    current: Option<Current>,
    /// The layer that was sent last and its offset, kept over pauses.
    source: Option<(LayerIndex, u32)>,
    last: Continuation,
    /// Last forwarded packet of video.
    sent_at: Option<Instant>,
}

impl DownTrack {
    /// Begins on an m-line; `from` is what the last track on it left (default for a fresh one).
    pub fn new(from: Continuation) -> Self {
        Self {
            settings: Settings::default(),
            allowed: Some(Allowed::ALL),
            paused: false,
            version: 0,
            target: None,
            current: None,
            source: None,
            last: from,
            sent_at: None,
        }
    }

    /// What the next track on this m-line has to go on from.
    pub fn continuation(&self) -> Continuation {
        let Some(current) = &self.current else { return self.last };
        let seq = current.numbering.highest_output();
        Continuation {
            last: self.last.last.map(|(_, sent)| (seq, sent)),
            picture: current.pictures.as_ref().map(Pictures::last).or(self.last.picture),
            frame: current.dependent.as_ref().map(Dependent::last).or(self.last.frame),
        }
    }

    /// The subscriber's wishes.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
        self.version = 0;
        if settings.disabled {
            self.stop();
        }
    }

    /// Paused by us (the publisher muted, no bandwidth, not connected yet).
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
        self.version = 0;
        if paused {
            self.stop();
        }
    }

    /// The most that the path to the subscriber has room for; `None`: nothing goes out.
    pub fn set_allowed(&mut self, allowed: Option<Allowed>) {
        if self.allowed == allowed {
            return;
        }
        self.allowed = allowed;
        self.version = 0;
        if allowed.is_none() {
            self.stop();
        }
    }

    /// What the path has room for.
    pub fn allowed(&self) -> Option<Allowed> {
        self.allowed
    }

    /// Quality this subscriber wants published, `None` = nothing; for dynacast. What there is no room for at the moment
    /// is wanted all the same: it could not come back otherwise.
    pub fn wanted_quality(&self, up: &UpTrack) -> Option<Quality> {
        let off = self.settings.disabled || self.paused;
        (!off).then(|| wanted_quality(up, &self.settings))
    }

    /// Chooses the layer anew. After any change of settings, and on a timer of about a second
    /// (picture rates change); done by itself when layers come and go.
    pub fn select(&mut self, _now: Instant, up: &UpTrack) {
        self.version = up.version();
        let allowed = self.allowed.filter(|_| !self.paused);
        self.target = allowed.and_then(|allowed| target(up, &self.settings, allowed));
        if let (Some(current), Some(target)) = (self.current.as_mut(), self.target) {
            current.aim(up, target);
        }
    }

    /// Decides on a packet.
    pub fn forward(&mut self, now: Instant, up: &UpTrack, packet: &RtpView) -> Forward {
        match self.decide(now, up, packet) {
            Ok(sending) => Forward::Send(sending),
            Err(dropped) => Forward::Drop(dropped),
        }
    }

    fn decide(&mut self, now: Instant, up: &UpTrack, packet: &RtpView) -> Result<Sending, Dropped> {
        if !packet.view.understood {
            // Above all padding; its number must not be missing from what is sent.
            if let Some(current) = self.current.as_mut().filter(|c| c.layer == packet.layer) {
                current.numbering.place(packet.seq, true);
            }
            return Err(Dropped::Malformed);
        }
        if self.version != up.version() {
            self.select(now, up);
        }
        let target = self.target.ok_or(Dropped::Off)?;
        if self.current.as_ref().is_none_or(|current| current.layer != packet.layer) {
            if packet.layer != target.layer {
                return Err(Dropped::OtherLayer);
            }
            let video = up.codec().kind() == MediaKind::Video;
            if video && !(packet.view.keyframe && packet.newest) {
                return Err(Dropped::AwaitingKeyframe);
            }
            self.switch(up, packet, target);
        }
        let current = self.current.as_mut().ok_or(Dropped::Off)?;
        let filtered = current.filter(up, packet, target);
        let newest = current.numbering.is_newest(packet.seq);
        let seq = match current.numbering.place(packet.seq, filtered.is_some()) {
            Placed::Send(seq) => seq,
            Placed::Dropped => return Err(filtered.unwrap_or(Dropped::Off)),
            Placed::Late => return Err(Dropped::Late),
            Placed::Duplicate => return Err(Dropped::Duplicate),
        };
        let timestamp = packet.timestamp.wrapping_sub(current.ts_offset);
        let vp8 = current.renumber(packet);
        let frame = packet.dependency.as_ref();
        let dependency = frame.and_then(|f| Some(current.dependent.as_mut()?.rewrite(f)));
        let marker = packet.marker || current.ends_picture(packet);
        if let Some(at) = current.spatial_at.get_mut(usize::from(packet.view.spatial.unwrap_or(0)))
        {
            *at = Some(now);
        }
        self.sent_at = Some(now);
        if newest {
            self.last.last = Some((seq, self.latest(timestamp, packet.arrived)));
        }
        Ok(Sending { seq, timestamp, marker, vp8, dependency })
    }

    /// The layer whose keyframe this subscriber waits for; hand it to [`UpTrack::request_keyframe`].
    /// As of the last [`Self::select`] or [`Self::forward`].
    pub fn needs_keyframe(&self) -> Option<LayerIndex> {
        let target = self.target?;
        match &self.current {
            Some(Current { layer, dependent: Some(dependent), .. }) if *layer == target.layer => {
                dependent.awaits_keyframe().then_some(target.layer)
            }
            Some(current) if current.layer == target.layer => {
                let rising = target.spatial != current.spatial && target.spatial > current.spatial;
                rising.then_some(target.layer)
            }
            _ => Some(target.layer),
        }
    }

    /// The subscriber lost its picture (PLI or FIR); returns the layer to ask for.
    pub fn keyframe_requested(&mut self) -> Option<LayerIndex> {
        self.wanted_layer()
    }

    /// The layer being forwarded, else the one that is waited for.
    pub fn wanted_layer(&self) -> Option<LayerIndex> {
        self.current_layer().or(self.target.map(|target| target.layer))
    }

    /// Pixels of the layer being forwarded; 0 unless a packet went out within about the last second.
    pub fn area(&self, now: Instant, up: &UpTrack) -> u64 {
        let fresh = |at: Instant| now.saturating_duration_since(at) < AREA_HOLD;
        let Some(current) = &self.current else { return 0 };
        if up.codec().kind() != MediaKind::Video || !self.sent_at.is_some_and(fresh) {
            return 0;
        }
        let mut sent = current.spatial_at.iter().take(usize::from(current.spatial) + 1);
        let highest = sent.rposition(|at| at.is_some_and(fresh)).unwrap_or(0);
        up.counted_area(current.layer, u8::try_from(highest).unwrap_or(0))
    }

    /// When [`Self::area`] falls to 0 if nothing more is forwarded.
    pub fn area_lapses_at(&self) -> Option<Instant> {
        self.current.as_ref()?;
        Some(self.sent_at? + AREA_HOLD)
    }

    /// The layer being forwarded.
    pub fn current_layer(&self) -> Option<LayerIndex> {
        self.current.as_ref().map(|current| current.layer)
    }

    /// A packet of what is being forwarded cannot be sent: nothing more is until a keyframe, which
    /// [`Self::needs_keyframe`] asks for; there is no gap in the numbers then.
    pub fn interrupt(&mut self) {
        let target = self.target;
        self.stop();
        self.target = target;
    }

    /// Ends what is being forwarded; it goes on at a keyframe, without a gap.
    fn stop(&mut self) {
        self.last = self.continuation();
        self.target = None;
        self.current = None;
        self.sent_at = None;
    }

    /// Begins with a layer at this packet.
    fn switch(&mut self, up: &UpTrack, packet: &RtpView, target: Target) {
        let before = self.continuation();
        let (seq, timestamp) = match before.last {
            None => (packet.seq & FIRST_SEQUENCE_MASK, packet.timestamp),
            Some((seq, sent)) => {
                (seq.wrapping_add(1), align(sent, self.source(up, packet), self.next(up, packet)))
            }
        };
        let ts_offset = packet.timestamp.wrapping_sub(timestamp);
        let pictures = packet.vp8.map(|descriptor| Pictures::anchored(&descriptor, before.picture));
        self.source = Some((packet.layer, ts_offset));
        self.last = before;
        let mut current = Current {
            layer: packet.layer,
            numbering: Numbering::anchored(packet.seq, seq),
            pictures,
            dependent: None,
            picture_at: None,
            ts_offset,
            spatial: target.spatial,
            temporal: target.temporal,
            spatial_at: [None; SPATIAL_LAYERS_MAX],
        };
        if let Some(frame) = packet.dependency.as_ref() {
            current.depend(up, frame, target, before.frame);
        }
        self.current = Some(current);
    }

    /// The source before this packet, if it was of this track.
    fn source(&self, up: &UpTrack, packet: &RtpView) -> Option<Source> {
        let (layer, offset) = self.source?;
        let report = self.report(up, layer, packet);
        Some(Source { offset, report })
    }

    /// The packet as the first of its source.
    fn next(&self, up: &UpTrack, packet: &RtpView) -> Next {
        Next {
            timestamp: packet.timestamp,
            arrived: packet.arrived,
            report: self.report(up, packet.layer, packet),
            clock_rate_hz: up.codec().clock_rate_hz(),
        }
    }

    /// The report by which a layer is aligned. One that goes on after a pause is aligned with itself,
    /// as its clock ran on; any report does for that.
    fn report(&self, up: &UpTrack, layer: LayerIndex, packet: &RtpView) -> Option<SenderReport> {
        if self.source.is_some_and(|(last, _)| last == packet.layer) {
            return Some(SenderReport { rtp_time: packet.timestamp, ntp: packet.arrived });
        }
        up.report(layer)
    }

    /// The last packet in the outgoing order of times.
    fn latest(&self, timestamp: u32, arrived: Instant) -> Sent {
        match self.last.last {
            Some((_, sent)) if rtp_time_delta(sent.timestamp, timestamp) <= 0 => {
                Sent { timestamp: sent.timestamp, arrived: sent.arrived.max(arrived) }
            }
            _ => Sent { timestamp, arrived },
        }
    }
}

impl Current {
    /// Another target, or another stream, than before.
    fn aim(&mut self, up: &UpTrack, target: Target) {
        let known = up.known(self.layer).filter(|_| target.layer == self.layer);
        let wanted = known.and_then(|known| known.best(target.spatial, target.temporal));
        if let (Some(dependent), Some(wanted)) = (self.dependent.as_mut(), wanted) {
            dependent.aim(known, wanted);
        }
    }

    /// Begins with decode targets, at a frame that brings a structure.
    fn depend(&mut self, up: &UpTrack, frame: &Frame, target: Target, last: Option<u16>) {
        let Some(known) = up.known(self.layer).filter(|_| frame.begins) else { return };
        let Some(wanted) = known.best(target.spatial, target.temporal) else { return };
        self.dependent = Some(Dependent::anchored(frame, last, known, wanted));
    }

    /// The same as [`Self::filter`] by the decode targets of a frame.
    fn filter_frame(
        &mut self,
        up: &UpTrack,
        packet: &RtpView,
        frame: &Frame,
        target: Target,
    ) -> Option<Dropped> {
        if self.dependent.is_none() {
            // Descriptors begin in the middle.
            self.depend(up, frame, target, None);
        }
        let Some(dependent) = self.dependent.as_mut() else {
            return Some(Dropped::AwaitingKeyframe);
        };
        let new_picture = self.picture_at.replace(packet.timestamp) != Some(packet.timestamp);
        let known = up.known(self.layer);
        let keep = dependent.keep(frame, known, new_picture);
        if let Some(layers) = dependent.layers(known) {
            (self.spatial, self.temporal) = (layers.spatial, layers.temporal);
        }
        let above =
            if frame.spatial == self.spatial { Dropped::Temporal } else { Dropped::Spatial };
        (!keep).then_some(above)
    }

    /// Whether a packet is left out on purpose; takes up a new target where the stream allows it.
    fn filter(&mut self, up: &UpTrack, packet: &RtpView, target: Target) -> Option<Dropped> {
        if let Some(frame) = &packet.dependency {
            return self.filter_frame(up, packet, frame, target);
        }
        let view = &packet.view;
        let vp8 = packet.vp8.as_ref();
        let begins = match (vp8, self.pictures.as_mut()) {
            (Some(descriptor), Some(pictures)) => pictures.is_new(descriptor),
            _ => view.frame_start && view.spatial.unwrap_or(0) == 0 && packet.newest,
        };
        if begins && target.layer == self.layer {
            self.retarget(packet, target);
        }
        if view.spatial.is_some_and(|spatial| spatial > self.spatial) {
            return Some(Dropped::Spatial);
        }
        let mut keep = view.temporal.is_none_or(|temporal| temporal <= self.temporal);
        if let (Some(descriptor), Some(pictures)) = (vp8, self.pictures.as_mut()) {
            keep = pictures.keep(descriptor, keep);
        }
        (!keep).then_some(Dropped::Temporal)
    }

    /// At the first packet of a picture.
    fn retarget(&mut self, packet: &RtpView, target: Target) {
        let view = &packet.view;
        if view.keyframe || target.spatial < self.spatial {
            self.spatial = target.spatial;
        }
        let temporal = view.temporal.unwrap_or(0);
        let may_rise = view.keyframe || (view.switch_up && temporal > self.temporal);
        if target.temporal < self.temporal || view.keyframe {
            self.temporal = target.temporal;
        } else if may_rise && temporal <= target.temporal {
            self.temporal = temporal;
        }
    }

    /// With spatial layers left out, the last packet of the highest one that is sent ends the picture.
    fn ends_picture(&self, packet: &RtpView) -> bool {
        packet.view.frame_end && packet.view.spatial.is_some_and(|spatial| spatial == self.spatial)
    }

    /// The outgoing numbers of its picture, if it has any.
    fn renumber(&mut self, packet: &RtpView) -> Option<Numbers> {
        let mut descriptor = packet.vp8?;
        self.pictures.as_mut()?.rewrite(&mut descriptor);
        Some(descriptor.numbers())
    }
}

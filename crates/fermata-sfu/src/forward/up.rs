//! One published track in one codec: its layers, sizes, rates, and when to ask for keyframes.
//!
//! What it is not: it does not know subscribers. Everything here is learned from packets, announcements
//! and reports.

use std::time::Instant;

use fermata_rtp::dependency::Frame;
use fermata_rtp::vp8::Descriptor;
use fermata_rtp::{Codec, FrameSize, View};
use fermata_types::MediaKind;

use super::declared::{AREA_UNKNOWN, counted_area};
use super::dependent::Known;
use super::layer::{Layer, order};
use super::layers::{LayerIndex, LayerSpec, Quality};
use super::limits::{LAYER_SILENCE, LAYERS_MAX};
use super::rate::TEMPORAL_LAYERS;

/// Temporal and spatial layer numbers end here (3 bits).
pub(super) const SUBLAYER_MAX: u8 = 7;

/// One packet from the publisher, in the transport's words.
#[derive(Debug, Clone, Copy)]
pub struct PacketIn<'a> {
    /// Restriction identifier of the stream, absent for one stream.
    pub rid: Option<&'a str>,
    /// Sequence number, unwrapped.
    pub seq: u64,
    /// RTP time.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// Payload without padding.
    pub payload: &'a [u8],
    /// Its dependency descriptor, if it has one.
    pub dependency: Option<&'a [u8]>,
    /// When it arrived.
    pub arrived: Instant,
}

/// A packet that was looked at, without its payload; what
/// [`DownTrack::forward`](super::DownTrack::forward) takes.
#[derive(Debug, Clone, Copy)]
pub struct RtpView {
    /// Its layer.
    pub layer: LayerIndex,
    /// Sequence number, unwrapped.
    pub seq: u64,
    /// RTP time.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// When it arrived.
    pub arrived: Instant,
    /// What its payload shows.
    pub view: View,
    /// The descriptor of a VP8 payload.
    pub vp8: Option<Descriptor>,
    /// Its frame, where a dependency descriptor tells.
    pub dependency: Option<Frame>,
    /// No later packet of its layer came before it.
    pub newest: bool,
}

/// When a stream's RTP time was which moment, from its RTCP sender report (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// RTP time.
    pub rtp_time: u32,
    /// The publisher's clock (NTP) on our scale. Only differences between layers of one publisher are used.
    pub ntp: Instant,
}

/// What a publisher sends: layers, sizes, rates, and when to ask for keyframes.
#[derive(Debug)]
pub struct UpTrack {
    codec: Codec,
    encrypted: bool,
    muted: bool,
    /// Smallest first; one to [`LAYERS_MAX`].
    layers: Vec<Layer>,
    /// As announced, by quality.
    declared: Vec<LayerSpec>,
    /// Newest packet of any layer.
    newest_at: Option<Instant>,
    /// Rises whenever subscribers should choose anew.
    version: u64,
    contradicted: bool,
}

impl UpTrack {
    /// A track (video or audio) of `codec`. `rids` as in the offer (empty: one stream; more than
    /// three: the rest is ignored), `declared` as announced. `encrypted`: pictures' sizes cannot be
    /// trusted, the declared ones count.
    pub fn new(codec: Codec, rids: &[&str], declared: &[LayerSpec], encrypted: bool) -> Self {
        let mut this = Self {
            codec,
            encrypted,
            muted: false,
            layers: Vec::with_capacity(LAYERS_MAX),
            declared: Vec::new(),
            newest_at: None,
            version: 1,
            contradicted: false,
        };
        this.layers.extend(rids.iter().take(LAYERS_MAX).map(|rid| Layer::new(Some(rid))));
        if this.layers.is_empty() {
            this.layers.push(Layer::new(None));
        }
        this.layers.sort_by_key(|layer| order(layer.rid.as_deref(), declared));
        this.set_declared(declared);
        this
    }

    /// Its codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Rises whenever subscribers should choose their layer anew.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Announced layers have changed (`lk::UpdateVideoLayers`).
    pub fn set_declared(&mut self, declared: &[LayerSpec]) {
        self.declared = declared.iter().take(LAYERS_MAX).cloned().collect();
        self.declared.sort_by_key(|spec| spec.quality);
        let streams = self.layers.len();
        let whole =
            self.declared.iter().filter_map(|spec| spec.size).max_by_key(|size| size.area());
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let named = self.declared.iter().find(|spec| layer.rid.as_ref() == Some(&spec.rid));
            let placed = self.declared.get(index).filter(|_| self.declared.len() == streams);
            let spec = named.or(placed);
            layer.quality = match spec {
                _ if streams == 1 => Quality::High,
                Some(spec) => spec.quality,
                None => Quality::ALL.get(index).copied().unwrap_or(Quality::High),
            };
            layer.declared = if streams == 1 { whole } else { spec.and_then(|spec| spec.size) };
        }
        self.version += 1;
    }

    /// Muted by the publisher: nothing is expected, no keyframe is asked for.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Takes note of a packet and looks into it. `None`: a stream beyond the limit, to be dropped.
    pub fn receive(&mut self, packet: &PacketIn<'_>) -> Option<RtpView> {
        let index = self.index_of(packet.rid)?;
        let mut view = View::of(self.codec, packet.payload);
        let vp8 = (self.codec == Codec::Vp8).then(|| Descriptor::parse(packet.payload)).flatten();
        let video = self.codec.kind() == MediaKind::Video;
        let encrypted = self.encrypted;
        let layer = self.layers.get_mut(index)?;
        let mut changed = false;
        let newest = layer.highest_seq.is_none_or(|seq| seq < packet.seq);
        if newest {
            layer.highest_seq = Some(packet.seq);
        }
        // VP8 tells its layers itself; clients describe them as one.
        let described = video && vp8.is_none() && !packet.payload.is_empty();
        let descriptor = packet.dependency.filter(|_| described);
        let dependency = descriptor.and_then(|bytes| layer.depend(bytes, newest, &mut view));
        if video && view.understood {
            changed |= layer.learn(&view);
            let served = dependency.as_ref().map(|frame| layer.served(frame));
            let asked = layer.keyframes.wanted;
            if layer.rate.count(packet, &view, served, asked) && encrypted {
                let rate = &layer.rate;
                let judged = counted_area(layer.declared, rate.bitrate_bps, rate.fps());
                let raised = judged.contradicted.then_some(judged.area);
                self.contradicted |= raised.is_some() && layer.raised.is_none();
                layer.raised = raised;
            }
        }
        layer.last_at = Some(packet.arrived);
        changed |= self.note_liveness(packet.arrived);
        self.version += u64::from(changed);
        let layer = LayerIndex(u8::try_from(index).ok()?);
        Some(RtpView {
            layer,
            seq: packet.seq,
            timestamp: packet.timestamp,
            marker: packet.marker,
            arrived: packet.arrived,
            view,
            vp8: vp8.map(|(descriptor, _)| descriptor),
            dependency,
            newest,
        })
    }

    /// A sender report of a stream.
    pub fn set_sender_report(&mut self, rid: Option<&str>, report: SenderReport) {
        if let Some(index) = self.index_of(rid)
            && let Some(layer) = self.layers.get_mut(index)
        {
            layer.report = Some(report);
        }
    }

    /// The last sender report of a stream.
    pub fn sender_report(&self, rid: Option<&str>) -> Option<SenderReport> {
        self.layers.iter().find(|layer| layer.rid.as_deref() == rid)?.report
    }

    /// Somebody needs a keyframe of a stream; see [`Self::request_keyframe`].
    pub fn request_keyframe_of(&mut self, rid: Option<&str>) {
        let place = self.layers.iter().position(|layer| layer.rid.as_deref() == rid);
        if let Some(place) = place.and_then(|place| u8::try_from(place).ok()) {
            self.request_keyframe(LayerIndex(place));
        }
    }

    /// A subscriber needs a keyframe of a layer. Coalesced; see [`Self::poll_keyframe`]. Audio has none: every packet
    /// is a beginning.
    pub fn request_keyframe(&mut self, layer: LayerIndex) {
        if self.codec.kind() == MediaKind::Video
            && let Some(layer) = self.layers.get_mut(usize::from(layer.0))
        {
            layer.keyframes.wanted = true;
        }
    }

    /// The stream for which a keyframe should be asked for now; call until `None`.
    /// The inner option is its rid. Asked again until that layer's keyframe comes.
    pub fn poll_keyframe(&mut self, now: Instant) -> Option<Option<&str>> {
        let newest = self.newest_at;
        let muted = self.muted;
        let layer = self
            .layers
            .iter_mut()
            .find(|layer| !muted && layer.keyframe_due(newest).is_some_and(|at| at <= now))?;
        layer.keyframes.asked_at = Some(now);
        Some(layer.rid.as_deref())
    }

    /// When [`Self::poll_keyframe`] next has something.
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let due = |layer: &Layer| layer.keyframe_due(self.newest_at).map(|at| at.max(now));
        self.layers.iter().filter(|_| !self.muted).filter_map(due).min()
    }

    /// Whether packets of the layer have come lately, compared with the other layers.
    pub fn is_alive(&self, layer: LayerIndex) -> bool {
        self.layer(layer).is_some_and(|layer| layer.alive)
    }

    /// Rate of a layer over the last second or so, bits per second of payload.
    pub fn bitrate_bps(&self, layer: LayerIndex) -> u64 {
        self.layer(layer).map_or(0, |layer| layer.rate.bitrate_bps)
    }

    /// The highest temporal layer that comes with a layer, 0 without any.
    pub fn temporal_top(&self, layer: LayerIndex) -> u8 {
        let up_to = |temporal| self.step_bps(layer, SUBLAYER_MAX, temporal);
        let more = |temporal: &u8| up_to(*temporal) > up_to(temporal - 1);
        (1_u8..).take(TEMPORAL_LAYERS - 1).filter(more).last().unwrap_or(0)
    }

    /// [`Self::step_bps`] as it was when the layer last came. Of a layer of which hardly more than its first keyframe
    /// was seen: of the rate that was announced for the whole layer, so much as is the step's part by what was seen.
    /// 0 if neither is known.
    pub fn known_bps(&self, layer: LayerIndex, spatial: u8, temporal: u8) -> u64 {
        let measured = self.step_bps(layer, spatial, temporal);
        let quality = self.quality(layer);
        let spec = self.declared.iter().find(|spec| spec.quality == quality);
        let declared = spec.map_or(0, |spec| u64::from(spec.bitrate_bps));
        let settled = self.layer(layer).is_some_and(|state| state.rate.is_settled());
        if settled || declared == 0 {
            return measured;
        }
        match self.step_bps(layer, SUBLAYER_MAX, SUBLAYER_MAX) {
            0 => declared,
            whole => declared.saturating_mul(measured) / whole,
        }
    }

    /// Is nothing known of the temporal layers of a layer, though its codec may have some?
    pub fn may_have_temporal(&self, layer: LayerIndex) -> bool {
        let settled = self.layer(layer).is_some_and(|state| state.rate.is_settled());
        !settled && matches!(self.codec, Codec::Vp8 | Codec::Vp9 | Codec::Av1)
    }

    /// Rate of what is sent of a layer up to a spatial and a temporal layer (beyond the highest: all), bits per second
    /// of payload over the last second or so; 0 if it is not known.
    pub fn step_bps(&self, layer: LayerIndex, spatial: u8, temporal: u8) -> u64 {
        let Some(state) = self.layer(layer) else { return 0 };
        let target = self.known(layer).and_then(|known| {
            known.structure.targets().get(known.best(spatial, temporal)?).copied()
        });
        let (spatial, temporal) = target.map_or((spatial, temporal), |t| (t.spatial, t.temporal));
        state.rate.step_bps(spatial, temporal)
    }

    /// Pictures of a layer per second, over the last second or so.
    pub fn fps(&self, layer: LayerIndex) -> f64 {
        self.layer(layer).map_or(0.0, |layer| layer.rate.fps())
    }

    /// Quality that a layer serves.
    pub fn quality(&self, layer: LayerIndex) -> Quality {
        self.layer(layer).map_or(Quality::High, |layer| layer.quality)
    }

    /// Size of a layer's pictures as last seen, or as declared; `None` if neither is known.
    /// For a stream with spatial layers the size of the highest.
    pub fn size(&self, layer: LayerIndex) -> Option<FrameSize> {
        let layer = self.layer(layer)?;
        if self.encrypted { layer.declared } else { layer.size.or(layer.declared) }
    }

    /// Whether the bitrate contradicts a declaration for the first time since last asked; to be logged.
    pub fn take_contradicted(&mut self) -> bool {
        std::mem::take(&mut self.contradicted)
    }

    /// Pixels of a layer that count, of its spatial layer `spatial` if it has some.
    pub(super) fn counted_area(&self, layer: LayerIndex, spatial: u8) -> u64 {
        let Some(state) = self.layer(layer) else { return 0 };
        if self.encrypted
            && let Some(raised) = state.raised
        {
            return raised;
        }
        self.spatial_size(layer, spatial).map_or(AREA_UNKNOWN, FrameSize::area)
    }

    /// Size of a spatial layer of a stream; of its whole if it has no such layers. Where only the whole
    /// is known, each layer is taken for half as wide and high as the one above it.
    pub(super) fn spatial_size(&self, layer: LayerIndex, spatial: u8) -> Option<FrameSize> {
        let state = self.layer(layer)?;
        let count = self.spatial_total(layer);
        if count <= 1 {
            return self.size(layer);
        }
        let seen = state.spatial_sizes.get(usize::from(spatial)).copied().flatten();
        let each = self.declared.len() == usize::from(count);
        let declared = self.declared.get(usize::from(spatial)).filter(|_| each);
        let declared = declared.and_then(|spec| spec.size);
        let known = if self.encrypted { declared } else { seen.or(declared) };
        known.or_else(|| {
            let whole = self.size(layer)?;
            let below = u32::from(count.saturating_sub(1).saturating_sub(spatial));
            FrameSize::new((whole.width >> below).max(1), (whole.height >> below).max(1))
        })
    }

    /// Spatial layers of a stream with those that are not sent at present, 1 if it has none.
    pub(super) fn spatial_total(&self, layer: LayerIndex) -> u8 {
        let structure = self.known(layer).map(|known| known.structure.spatial_count());
        structure.unwrap_or_else(|| self.spatial_count(layer))
    }

    /// What the dependency descriptors of a stream refer to, if it has any.
    pub(super) fn known(&self, layer: LayerIndex) -> Option<Known<'_>> {
        self.layer(layer)?.known()
    }

    /// Spatial layers of a stream, 1 if it has none.
    pub(super) fn spatial_count(&self, layer: LayerIndex) -> u8 {
        self.layer(layer).map_or(1, |layer| layer.spatial_count.max(1))
    }

    /// Layers, smallest first.
    pub(crate) fn layers(&self) -> impl DoubleEndedIterator<Item = LayerIndex> {
        let count = u8::try_from(self.layers.len()).unwrap_or(u8::MAX);
        (0..count).map(LayerIndex)
    }

    /// The highest temporal layer with which a layer has at most `fps` pictures a second
    /// (a tenth more is tolerated); 0 pictures means no limit.
    pub(super) fn temporal_max(&self, layer: LayerIndex, fps: u32) -> u8 {
        match self.layer(layer) {
            Some(layer) if fps > 0 => layer.rate.temporal_max(f64::from(fps) * 1.1),
            _ => SUBLAYER_MAX,
        }
    }

    /// Last sender report of a layer.
    pub(super) fn report(&self, layer: LayerIndex) -> Option<SenderReport> {
        self.layer(layer)?.report
    }

    fn layer(&self, layer: LayerIndex) -> Option<&Layer> {
        self.layers.get(usize::from(layer.0))
    }

    /// The layer of a rid. A single stream that was expected without a rid takes any.
    fn index_of(&mut self, rid: Option<&str>) -> Option<usize> {
        let found = self.layers.iter().position(|layer| layer.rid.as_deref() == rid);
        if found.is_some() {
            return found;
        }
        let [only] = self.layers.as_mut_slice() else { return None };
        if only.rid.is_none() && only.last_at.is_none() {
            only.rid = rid.map(str::to_owned);
            return Some(0);
        }
        rid.is_none().then_some(0)
    }

    /// Marks layers alive or dead as of the newest packet; true if anything changed.
    fn note_liveness(&mut self, arrived: Instant) -> bool {
        let newest = self.newest_at.map_or(arrived, |at| at.max(arrived));
        self.newest_at = Some(newest);
        let mut changed = false;
        for layer in &mut self.layers {
            let silence = layer.last_at.map(|at| newest.saturating_duration_since(at));
            let alive = silence.is_some_and(|silence| silence <= LAYER_SILENCE);
            changed |= alive != layer.alive;
            layer.alive = alive;
        }
        changed
    }
}

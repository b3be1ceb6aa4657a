//! A published track and who receives it.

use std::time::{Instant, SystemTime};

use fermata_transport::{AudioTuning, Codec, MediaKind, Mid, Rid};
use fermata_types::{ParticipantSid, TrackSid};
use livekit_protocol as lk;

use crate::dynacast::Dynacast;
use crate::forward::{LayerSpec, UpTally, UpTrack};
use crate::key::{ParticipantId, RoomId, TrackId};
use crate::path::Rings;
use crate::sample::flow;
use crate::subscriptions::Subscribers;

/// A track on an m-line of its publisher.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts about a track")]
pub(crate) struct Publication {
    pub(crate) id: TrackId,
    pub(crate) sid: TrackSid,
    pub(crate) room: RoomId,
    pub(crate) publisher: ParticipantId,
    pub(crate) publisher_sid: ParticipantSid,
    pub(crate) kind: MediaKind,
    pub(crate) mid: Mid,
    /// Track name in the client's SDP, to notice another track on the same m-line.
    pub(crate) sdp_track_id: String,
    pub(crate) rids: Vec<Rid>,
    pub(crate) info: lk::TrackInfo,
    /// The client says so; what the others are told is in `info`.
    pub(crate) client_muted: bool,
    /// Its user is blocked: nothing of it is forwarded.
    pub(crate) blocked: bool,
    /// What comes in; known from the first packet on.
    pub(crate) up: Option<UpTrack>,
    /// What came, for samples.
    pub(crate) tally: UpTally,
    /// Packets asked for again, up to the last sample.
    pub(crate) nacks_told: u64,
    /// Its packets, one ring for each layer.
    pub(crate) rings: Rings,
    pub(crate) subscribers: Subscribers,
    /// The publisher was told that somebody subscribed.
    pub(crate) told_subscribed: bool,
    /// Listeners of events know of it.
    pub(crate) told_published: bool,
    /// Muted or not, when it was last looked at.
    pub(crate) muted_noted: bool,
    pub(crate) dynacast: Dynacast,
    /// A moment on the publisher's wall clock and on ours, to compare its sender reports.
    clock: Option<(SystemTime, Instant)>,
}

/// What a track is made of; the rest begins empty.
pub(crate) struct NewPublication {
    pub(crate) id: TrackId,
    pub(crate) sid: TrackSid,
    pub(crate) room: RoomId,
    pub(crate) publisher: ParticipantId,
    pub(crate) publisher_sid: ParticipantSid,
    pub(crate) kind: MediaKind,
    pub(crate) mid: Mid,
    pub(crate) sdp_track_id: String,
    pub(crate) rids: Vec<Rid>,
    pub(crate) info: lk::TrackInfo,
}

impl Publication {
    /// A track nobody receives yet.
    pub(crate) fn new(new: NewPublication) -> Self {
        Self {
            id: new.id,
            sid: new.sid,
            room: new.room,
            publisher: new.publisher,
            publisher_sid: new.publisher_sid,
            tally: UpTally::new(flow(new.kind, new.info.source)),
            nacks_told: 0,
            kind: new.kind,
            mid: new.mid,
            sdp_track_id: new.sdp_track_id,
            rids: new.rids,
            muted_noted: new.info.muted,
            client_muted: new.info.muted,
            blocked: false,
            info: new.info,
            up: None,
            rings: Rings::default(),
            subscribers: Subscribers::default(),
            told_subscribed: false,
            told_published: false,
            dynacast: Dynacast::default(),
            clock: None,
        }
    }

    /// The layers that were announced.
    pub(crate) fn declared(&self) -> Vec<LayerSpec> {
        #[expect(deprecated, reason = "older clients announce layers here only")]
        let plain = &self.info.layers;
        let layers = match self.info.codecs.first() {
            Some(codec) if !codec.layers.is_empty() => &codec.layers,
            _ => plain,
        };
        let mut specs: Vec<_> = layers.iter().filter_map(LayerSpec::from_lk).collect();
        if specs.is_empty() && self.info.width > 0 {
            let whole = lk::VideoLayer {
                quality: lk::VideoQuality::High.into(),
                width: self.info.width,
                height: self.info.height,
                ..Default::default()
            };
            specs.extend(LayerSpec::from_lk(&whole));
        }
        specs
    }

    /// Whether a packet of this codec begins reception: the first one, or one in another video codec.
    /// Audio may change between plain and redundant at any packet.
    pub(crate) fn needs_start(&self, codec: Codec) -> bool {
        let other = |up: &UpTrack| up.codec() != codec && self.kind == MediaKind::Video;
        self.up.as_ref().is_none_or(other)
    }

    /// Begins reception in a codec.
    pub(crate) fn start(&mut self, codec: Codec) {
        let rids: Vec<&str> = self.rids.iter().map(Rid::as_str).collect();
        let encrypted = self.info.encryption != i32::from(lk::encryption::Type::None);
        let mut up = UpTrack::new(codec, &rids, &self.declared(), encrypted);
        up.set_muted(self.info.muted);
        self.up = Some(up);
    }

    /// A moment of the publisher's wall clock on our scale. Only differences mean anything.
    pub(crate) fn on_our_clock(&mut self, ntp: SystemTime, received: Instant) -> Option<Instant> {
        let (wall, instant) = *self.clock.get_or_insert((ntp, received));
        match ntp.duration_since(wall) {
            Ok(later) => instant.checked_add(later),
            Err(earlier) => instant.checked_sub(earlier.duration()),
        }
    }

    /// How Opus is to be negotiated, by what was announced.
    pub(crate) fn tuning(&self) -> AudioTuning {
        use lk::AudioTrackFeature as Feature;
        let has = |feature: Feature| self.info.audio_features.contains(&feature.into());
        #[expect(deprecated, reason = "older clients announce it here")]
        let (stereo, no_dtx) = (self.info.stereo, self.info.disable_dtx);
        AudioTuning {
            dtx: !(no_dtx || has(Feature::TfNoDtx)),
            stereo: stereo || has(Feature::TfStereo),
        }
    }

    /// Stream name for subscribers: tracks of one name are played in step.
    pub(crate) fn stream_name(&self) -> &str {
        use lk::TrackSource as S;
        if !self.info.stream.is_empty() {
            return &self.info.stream;
        }
        match S::try_from(self.info.source) {
            Ok(S::Camera | S::Microphone) => "camera",
            Ok(S::ScreenShare | S::ScreenShareAudio) => "screen",
            _ => "unknown",
        }
    }
}

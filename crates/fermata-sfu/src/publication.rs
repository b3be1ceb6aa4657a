//! A published track and who receives it.

use std::collections::{BTreeMap, BTreeSet};

use fermata_transport::{AudioTuning, MediaKind, Mid, Rid};
use fermata_types::{Media, ParticipantSid, TrackSid};
use livekit_protocol as lk;

use crate::backup::Backup;
use crate::dynacast::Dynacast;
use crate::forward::{LayerSpec, Quality};
use crate::key::{ParticipantId, RoomId, TrackId};
use crate::seam::{ShardId, TrackSpec, TrackState};

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
    /// Where it comes in.
    pub(crate) shard: ShardId,
    pub(crate) subscribers: BTreeSet<ParticipantId>,
    /// How many of them are served by which other shard.
    pub(crate) mirrors: BTreeMap<ShardId, usize>,
    /// The highest quality wanted at each shard.
    pub(crate) wanted: BTreeMap<ShardId, Option<Quality>>,
    /// What the shards were told.
    pub(crate) state_told: TrackState,
    /// The publisher was told that somebody subscribed.
    pub(crate) told_subscribed: bool,
    /// Listeners of events know of it.
    pub(crate) told_published: bool,
    /// Muted or not, when it was last looked at.
    pub(crate) muted_noted: bool,
    pub(crate) dynacast: Dynacast,
    /// For those who cannot decode its codec.
    pub(crate) backup: Backup,
    /// The track of which it is the backup, under the same sid.
    pub(crate) backup_of: Option<TrackId>,
}

/// What a track is made of; the rest begins empty.
pub(crate) struct NewPublication {
    pub(crate) id: TrackId,
    pub(crate) sid: TrackSid,
    pub(crate) room: RoomId,
    pub(crate) publisher: ParticipantId,
    pub(crate) shard: ShardId,
    pub(crate) publisher_sid: ParticipantSid,
    pub(crate) kind: MediaKind,
    pub(crate) mid: Mid,
    pub(crate) sdp_track_id: String,
    pub(crate) rids: Vec<Rid>,
    pub(crate) info: lk::TrackInfo,
    pub(crate) backup_of: Option<TrackId>,
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
            shard: new.shard,
            kind: new.kind,
            mid: new.mid,
            sdp_track_id: new.sdp_track_id,
            rids: new.rids,
            muted_noted: new.info.muted,
            client_muted: new.info.muted,
            blocked: false,
            info: new.info,
            subscribers: BTreeSet::new(),
            mirrors: BTreeMap::new(),
            wanted: BTreeMap::new(),
            state_told: TrackState {
                muted: false,
                blocked: false,
                awaited: false,
                declared: Vec::new(),
            },
            told_subscribed: false,
            told_published: false,
            dynacast: Dynacast::default(),
            backup: Backup::default(),
            backup_of: new.backup_of,
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

    /// What shards are told of it now.
    pub(crate) fn state(&self) -> TrackState {
        TrackState {
            muted: self.info.muted,
            blocked: self.blocked,
            awaited: !(self.subscribers.is_empty() || self.dynacast.wants_nothing()),
            declared: self.declared(),
        }
    }

    /// The track for a shard that does not know it.
    pub(crate) fn spec(&self) -> TrackSpec {
        TrackSpec {
            id: self.id,
            sid: self.sid.clone(),
            publisher: self.publisher,
            publisher_sid: self.publisher_sid.clone(),
            origin: self.shard,
            mid: self.mid,
            kind: self.kind,
            media: self.media(),
            rids: self.rids.clone(),
            encrypted: self.info.encryption != i32::from(lk::encryption::Type::None),
            state: self.state_told.clone(),
        }
    }

    /// Every shard that knows the track.
    pub(crate) fn shards(&self) -> impl Iterator<Item = ShardId> {
        std::iter::once(self.shard).chain(self.mirrors.keys().copied())
    }

    /// What it carries, by its source; by its kind where the source says nothing.
    pub(crate) fn media(&self) -> Media {
        use lk::TrackSource as S;
        match (self.kind, S::try_from(self.info.source)) {
            (MediaKind::Video, Ok(S::ScreenShare)) => Media::Screen,
            (MediaKind::Video, _) => Media::Video,
            (MediaKind::Audio, Ok(S::ScreenShareAudio)) => Media::ScreenAudio,
            (MediaKind::Audio, _) => Media::Audio,
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

//! A track as it is forwarded here: its packets, its layers, and who of those served here receives it.

use std::time::{Instant, SystemTime};

use fermata_transport::{Codec, Rid};
use fermata_types::{Media, MediaKind};

use super::path::Rings;
use super::sound::SoundRate;
use super::subscriptions::Subscribers;
use crate::forward::{Flow, Quality, UpTally, UpTrack};
use crate::seam::{ShardId, TrackSpec, TrackState};

/// A track that comes in here, or is mirrored from the shard where it does.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) spec: TrackSpec,
    /// What comes in; known from the first packet on.
    pub(super) up: Option<UpTrack>,
    /// What came, for samples.
    pub(super) tally: UpTally,
    /// How much of it comes, if it is sound.
    pub(super) sound: SoundRate,
    /// Packets asked for again, up to the last sample.
    pub(super) nacks_told: u64,
    /// Its packets, one ring for each layer.
    pub(super) rings: Rings,
    pub(super) subscribers: Subscribers,
    /// Shards that get its packets, one bit for each.
    pub(super) feeds: u64,
    /// What the rooms know.
    pub(super) codec_told: Option<Codec>,
    #[expect(clippy::option_option, reason = "nothing was told, or that nothing is wanted")]
    pub(super) wanted_told: Option<Option<Quality>>,
    /// A moment on the publisher's wall clock and on ours, to compare its sender reports.
    clock: Option<(SystemTime, Instant)>,
}

impl Track {
    /// A track nobody receives yet.
    pub(super) fn new(spec: TrackSpec) -> Self {
        Self {
            tally: UpTally::new(flow(spec.media)),
            sound: SoundRate::default(),
            spec,
            up: None,
            nacks_told: 0,
            rings: Rings::default(),
            subscribers: Subscribers::default(),
            feeds: 0,
            codec_told: None,
            wanted_told: None,
            clock: None,
        }
    }

    /// What was said about it.
    pub(super) fn state(&self) -> &TrackState {
        &self.spec.state
    }

    /// Does it come in at this shard?
    pub(super) fn is_origin(&self, shard: ShardId) -> bool {
        self.spec.origin == shard
    }

    /// Whether a packet of this codec begins reception: the first one, or one in another video codec.
    /// Audio may change between plain and redundant at any packet.
    pub(super) fn needs_start(&self, codec: Codec) -> bool {
        let other = |up: &UpTrack| up.codec() != codec && self.spec.kind == MediaKind::Video;
        self.up.as_ref().is_none_or(other)
    }

    /// Begins reception in a codec.
    pub(super) fn start(&mut self, codec: Codec) {
        let TrackSpec { rids, state, encrypted, .. } = &self.spec;
        let rids: Vec<&str> = rids.iter().map(Rid::as_str).collect();
        let mut up = UpTrack::new(codec, &rids, &state.declared, *encrypted);
        up.set_muted(state.muted);
        self.up = Some(up);
    }

    /// Something else is said about it.
    pub(super) fn change(&mut self, state: TrackState) {
        if let Some(up) = self.up.as_mut() {
            up.set_muted(state.muted);
            if state.declared != self.spec.state.declared {
                up.set_declared(&state.declared);
            }
        }
        self.spec.state = state;
    }

    /// A moment of the publisher's wall clock on our scale. Only differences mean anything.
    pub(super) fn on_our_clock(&mut self, ntp: SystemTime, received: Instant) -> Option<Instant> {
        let (wall, instant) = *self.clock.get_or_insert((ntp, received));
        match ntp.duration_since(wall) {
            Ok(later) => instant.checked_add(later),
            Err(earlier) => instant.checked_sub(earlier.duration()),
        }
    }

    /// Ticks of its RTP clock in a second.
    pub(super) fn clock_rate_hz(&self) -> u32 {
        let first = match self.spec.kind {
            MediaKind::Audio => Codec::Opus,
            MediaKind::Video => Codec::Vp8,
        };
        self.up.as_ref().map_or(first, UpTrack::codec).clock_rate_hz()
    }
}

/// How a track flows, by what it carries.
pub(super) fn flow(media: Media) -> Flow {
    match media {
        Media::Audio | Media::ScreenAudio => Flow::Sound,
        Media::Video => Flow::Camera,
        Media::Screen => Flow::Screen,
    }
}

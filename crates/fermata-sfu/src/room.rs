//! One life of a room: who is in it, how it was made, when it closes.

use std::collections::BTreeMap;
use std::time::Duration;

use fermata_types::{Now, Role, RoomName, RoomSid, Scene, SdkAppId};
use livekit_protocol as lk;

use crate::Limits;
use crate::forward::Speakers;
use crate::io::RoomOptions;
use crate::key::{ParticipantId, RoomId};
use crate::mute::Blocked;
use crate::sample::Round;
use crate::seam::ShardId;

/// What an empty room waits for by default, as clients are told, seconds.
pub(crate) const EMPTY_TIMEOUT_S: u32 = 300;

/// A room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    /// Where its people are served while it is small.
    pub(crate) home: ShardId,
    pub(crate) app: SdkAppId,
    pub(crate) name: RoomName,
    pub(crate) sid: RoomSid,
    pub(crate) scene: Scene,
    pub(crate) options: RoomOptions,
    pub(crate) created: Now,
    /// Who is in it, by identity.
    pub(crate) members: BTreeMap<String, ParticipantId>,
    /// Participants whose news wait, by sid.
    pub(crate) news: BTreeMap<String, lk::ParticipantInfo>,
    /// Whose tracks are not forwarded, by identity; kept while they are away.
    pub(crate) blocked: BTreeMap<String, Blocked>,
    pub(crate) speakers: Speakers,
    /// Numbers told last: participants, publishers.
    pub(crate) told: (u32, u32),
    /// Number of the last event told.
    pub(crate) last_event: u64,
    /// Samples that are being taken.
    pub(crate) round: Option<Round>,
    /// It was closed while it could have gone on.
    pub(crate) dismissed: bool,
}

/// What a room is made of; the rest begins empty.
pub(crate) struct NewRoom {
    pub(crate) id: RoomId,
    pub(crate) home: ShardId,
    pub(crate) sid: RoomSid,
    pub(crate) app: SdkAppId,
    pub(crate) name: RoomName,
    pub(crate) scene: Scene,
    pub(crate) options: RoomOptions,
    pub(crate) now: Now,
}

impl Room {
    /// A new room without anybody in it.
    pub(crate) fn new(new: NewRoom) -> Self {
        Self {
            id: new.id,
            home: new.home,
            app: new.app,
            name: new.name,
            sid: new.sid,
            scene: new.scene,
            options: new.options,
            created: new.now,
            members: BTreeMap::new(),
            news: BTreeMap::new(),
            blocked: BTreeMap::new(),
            speakers: Speakers::new(new.now.instant),
            told: (0, 0),
            last_event: 0,
            round: None,
            dismissed: false,
        }
    }

    /// How long the room stays after its last user, who was `last`, left.
    ///
    /// Its own departure timeout if it has one; else a live room left by its audience
    /// waits for an anchor to come back, and every other room closes at once (vendor's rule).
    pub(crate) fn linger(&self, last: Role, limits: &Limits) -> Duration {
        match (self.options.departure_timeout_s, self.scene, last) {
            (Some(seconds), _, _) => Duration::from_secs(seconds.into()),
            (None, Scene::Live, Role::Audience) => limits.live_room_linger,
            (None, _, _) => Duration::ZERO,
        }
    }

    /// The room as the protocol shows it; the numbers come from outside.
    pub(crate) fn info(&self, participants: u32, publishers: u32) -> lk::Room {
        lk::Room {
            sid: self.sid.to_string(),
            name: self.name.to_string(),
            empty_timeout: self.options.empty_timeout_s.unwrap_or(EMPTY_TIMEOUT_S),
            departure_timeout: self.options.departure_timeout_s.unwrap_or(0),
            max_participants: self.options.max_participants.unwrap_or(0),
            creation_time: self.created.wall.as_second(),
            creation_time_ms: self.created.wall.as_millisecond(),
            enabled_codecs: enabled_codecs(),
            metadata: self.options.metadata.clone(),
            num_participants: participants,
            num_publishers: publishers,
            ..Default::default()
        }
    }
}

/// What clients may publish, best known first.
pub(crate) fn enabled_codecs() -> Vec<lk::Codec> {
    ["audio/opus", "audio/red", "video/VP8", "video/H264", "video/VP9", "video/AV1", "video/rtx"]
        .into_iter()
        .map(|mime| lk::Codec { mime: mime.to_owned(), fmtp_line: String::new() })
        .collect()
}

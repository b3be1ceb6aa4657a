//! What happens in rooms, told to whoever wants to know: callbacks, webhooks, agents, monitoring.
//!
//! What it is not: usage. Minutes are counted from [`super::UsageFact`]s, which are never lost; an event may be,
//! when nobody takes events as fast as they come.

use fermata_types::{ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, StayEnd};
use jiff::Timestamp;
use livekit_protocol as lk;

/// Something that happened in a room.
#[derive(Debug, Clone)]
pub struct RoomEvent {
    /// Application.
    pub app: SdkAppId,
    /// Room.
    pub room: RoomName,
    /// This life of it.
    pub room_sid: RoomSid,
    /// Rises by one with each event of this life, from 1; with `room_sid` it names the event for ever.
    pub seq: u64,
    /// Wall time.
    pub at: Timestamp,
    /// Its scene.
    pub scene: Scene,
    /// The room as it is after the event (with who is left in it).
    pub info: lk::Room,
    /// What happened.
    pub kind: RoomEventKind,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum RoomEventKind {
    /// The room was made; always the first event of its life.
    RoomStarted {
        /// Who entered it first; none if an API made it.
        creator: Option<String>,
        /// Agents that its maker asked for.
        agents: Vec<lk::RoomAgentDispatch>,
    },
    /// The room is gone; always the last event of its life.
    RoomFinished {
        /// An API closed it, or the standing did; otherwise it was empty.
        dismissed: bool,
    },
    /// A user was admitted; media may still be connecting. (The vendor's "enter room".)
    Entered(Box<Occupant>),
    /// Media connected for the first time. (`LiveKit`'s `participant_joined`.)
    Active(Box<Occupant>),
    /// A stay was taken up again over a new connection.
    Resumed(Box<Occupant>),
    /// Anchor became audience, or the other way round.
    RoleChanged(Box<Occupant>),
    /// A user is gone. Tracks it still published ended with it, without events of their own.
    Left {
        /// Who, with rights and tracks as they were; `info.disconnect_reason` says what the client was told.
        occupant: Box<Occupant>,
        /// Why.
        end: StayEnd,
        /// Media had been connected.
        was_active: bool,
    },
    /// A track can be received: it was announced and offered, and media of its publisher is connected.
    /// Never before [`Self::Active`].
    TrackPublished {
        /// Whose.
        occupant: Box<Occupant>,
        /// The track.
        track: Box<lk::TrackInfo>,
    },
    /// A track ended while its publisher stays.
    TrackUnpublished {
        /// Whose.
        occupant: Box<Occupant>,
        /// The track.
        track: Box<lk::TrackInfo>,
    },
    /// A track was muted or unmuted (see `track.muted`).
    TrackMuted {
        /// Whose.
        occupant: Box<Occupant>,
        /// The track.
        track: Box<lk::TrackInfo>,
    },
}

/// Who it happened to.
#[derive(Debug, Clone)]
pub struct Occupant {
    /// `LiveKit`'s record, with rights and tracks; `permission.hidden` tells the invisible.
    pub info: lk::ParticipantInfo,
    /// The stay.
    pub stay: ParticipantSid,
    /// Anchor or audience.
    pub role: Role,
    /// SDK, OS, device.
    pub client: lk::ClientInfo,
    /// Where it connects from.
    pub address: String,
    /// When it entered, wall time.
    pub entered_at: Timestamp,
}

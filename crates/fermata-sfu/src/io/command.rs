//! Requests of APIs about live rooms, and their answers: the operator API, the vendor's and `LiveKit`'s ask alike.

use std::collections::BTreeMap;
use std::time::Duration;

use fermata_types::{Role, RoomName, Scene, SdkAppId};
use livekit_protocol as lk;

use super::{RoomOptions, RoomPermission};

/// A request of an API.
#[derive(Debug, Clone)]
pub enum Command {
    /// Live rooms of an application.
    ListRooms {
        /// Whose.
        app: SdkAppId,
    },
    /// Participants of a room, hidden ones included.
    ListParticipants {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
    },
    /// Makes a room that nobody is in yet; one that lives is answered as it is, with nothing changed.
    /// It waits for its first user as long as its options say (300 s, a day at most), then it closes.
    /// Answered by [`Reply::Room`], or [`Reply::Refused`] where admission would refuse to make it.
    CreateRoom {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// How it is made.
        options: RoomOptions,
    },
    /// Replaces a room's metadata and tells everybody. Answered by [`Reply::Room`].
    SetRoomMetadata {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// The new text, 512 KiB at most.
        metadata: String,
    },
    /// Removes one participant; its token must be newer than this to come back.
    RemoveParticipant {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// Whom.
        identity: String,
    },
    /// Changes what others see of a participant, and its rights: all of it or, if something is too long, nothing.
    /// In a live room who gets the right to publish becomes an anchor, and who loses it audience.
    /// Answered by [`Reply::Participant`].
    UpdateParticipant {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// Whose.
        identity: String,
        /// What changes.
        change: Box<ParticipantChange>,
    },
    /// Asks a client to mute one of its tracks, and shows it as muted at once; the client may unmute it again.
    /// Nobody unmutes from afar: without `muted`, a muted track is answered by [`Reply::Invalid`].
    /// Answered by [`Reply::Track`].
    MuteTrack {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// Whose.
        identity: String,
        /// Track id, `TR_...`.
        track: String,
        /// Muted or not.
        muted: bool,
    },
    /// Blocks a user's audio or video in this room: nothing of it is forwarded, whatever the client says, until it
    /// is unblocked or the room ends; it survives leaving and coming back. Both false: unblocks.
    /// Its client is not asked to mute; what it sends is heard again once it is unblocked.
    /// Answered by [`Reply::Done`]; who is neither here nor blocked already is [`Reply::NoSuchParticipant`].
    BlockUser {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// Whose.
        identity: String,
        /// Audio tracks.
        audio: bool,
        /// Video tracks, screen shares too.
        video: bool,
    },
    /// Subscribes a participant to tracks, or unsubscribes it, as if its client had asked; 1,000 tracks at most.
    /// Answered by [`Reply::Done`]; if one of the tracks is not there, by [`Reply::NoSuchTrack`] and nothing changes.
    UpdateSubscriptions {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// Whose subscriptions.
        identity: String,
        /// Track ids.
        tracks: Vec<String>,
        /// Track ids by publisher's participant id.
        participant_tracks: Vec<lk::ParticipantTracks>,
        /// To, or from.
        subscribe: bool,
    },
    /// Sends data to people in a room as the server, which has no name. Answered by [`Reply::Done`], also where
    /// nobody of those named is there.
    SendData {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// The payload, 64,000 bytes at most.
        data: Vec<u8>,
        /// Reliable, or lossy.
        reliable: bool,
        /// Topic, 256 bytes at most; may be empty.
        topic: Option<String>,
        /// Identities that get it; with `to_sids` empty: everybody. 1,000 of both at most.
        to_identities: Vec<String>,
        /// Participant ids that get it.
        to_sids: Vec<String>,
    },
    /// Calls a method of a participant's client and waits for its answer. Answered by [`Reply::RpcAnswered`], later.
    PerformRpc {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// What is called.
        call: RpcCall,
    },
    /// Removes everybody and closes the room.
    DismissRoom {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
    },
}

/// Changes to a participant; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParticipantChange {
    /// Display name, 256 bytes at most.
    pub name: Option<String>,
    /// Metadata, 512 KiB at most.
    pub metadata: Option<String>,
    /// Attributes that change; an empty value removes one. 64 KiB at most with those that stay.
    pub attributes: BTreeMap<String, String>,
    /// All rights anew; what is no longer allowed is taken back at once. Whether it is hidden, a recorder or an
    /// agent stays as its token said.
    pub permission: Option<RoomPermission>,
}

/// A remote procedure call to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcCall {
    /// Whom to call, by identity.
    pub destination: String,
    /// Which method; 1 to 256 bytes.
    pub method: String,
    /// Its argument, 15,360 bytes at most.
    pub payload: String,
    /// How long the whole call may take, a minute at most. Within 7 s of it the client must acknowledge.
    pub response_timeout: Duration,
}

/// Why a remote procedure call brought nothing; code and words as in `LiveKit`'s RPC (1500 application error,
/// 1501 connection timeout, 1502 response timeout, 1503 recipient disconnected, 1400 unsupported method, ...),
/// or what the client's own handler said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcFailure {
    /// Code.
    pub code: u32,
    /// Words.
    pub message: String,
    /// What the client added.
    pub data: String,
}

/// Answer to a [`Command`].
#[derive(Debug, Clone)]
pub enum Reply {
    /// To [`Command::ListRooms`].
    Rooms(Vec<RoomSnapshot>),
    /// To [`Command::ListParticipants`].
    Participants(Vec<ParticipantSnapshot>),
    /// A room as it is now.
    Room(Box<RoomSnapshot>),
    /// A participant as it is now.
    Participant(Box<ParticipantSnapshot>),
    /// A track as it is now.
    Track(Box<lk::TrackInfo>),
    /// To [`Command::PerformRpc`].
    RpcAnswered(Result<String, RpcFailure>),
    /// It was done.
    Done,
    /// There is no such room.
    NoSuchRoom,
    /// There is no such participant.
    NoSuchParticipant,
    /// There is no such track.
    NoSuchTrack,
    /// Admission refuses it (making a room: suspended, disabled, too many rooms, server stopping).
    Refused(fermata_types::Refusal),
    /// An argument cannot be used; says which and what is allowed.
    Invalid(String),
}

/// A live room as lists show it.
#[derive(Debug, Clone)]
pub struct RoomSnapshot {
    /// `LiveKit`'s record of it.
    pub info: lk::Room,
    /// Its name, typed.
    pub name: RoomName,
    /// Its scene.
    pub scene: Scene,
}

/// A participant as lists show it.
#[derive(Debug, Clone)]
pub struct ParticipantSnapshot {
    /// `LiveKit`'s record of it.
    pub info: lk::ParticipantInfo,
    /// Anchor or audience.
    pub role: Role,
    /// Where it connects from.
    pub address: String,
}

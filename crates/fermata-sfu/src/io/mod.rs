//! What goes into the SFU and what comes out of it: owned values that could cross a wire.
//!
//! The SFU is driven like every core here: one [`Input`], then [`crate::Sfu::poll_output`] until
//! [`Output::Timeout`].

mod command;
mod event;

use std::time::{Duration, Instant};

use fermata_types::{
    ParticipantSid, Refusal, Role, RoomName, RoomSid, Scene, SdkAppId, StayClosed, StayOpened,
    UsageWindow,
};
use livekit_protocol as lk;

pub use command::{
    Command, ParticipantChange, ParticipantSnapshot, Reply, RoomSnapshot, RpcCall, RpcFailure,
};
pub use event::{Occupant, RoomEvent, RoomEventKind};

/// One signalling connection of a client (a WebSocket). A resume brings a new one for the same participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Correlates a [`Command`] with its [`Reply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// Everything that can happen to the SFU.
#[derive(Debug)]
pub enum Input {
    /// A shard noticed something.
    Report(crate::seam::ShardReport),
    /// The instant of the last [`Output::Timeout`] has come (or nothing else happened).
    Timeout,
    /// A client asks to enter, or to resume; answered by [`Output::Joined`] for the same connection.
    Join(Box<Join>),
    /// A client's message.
    Signal(ConnectionId, Box<lk::signal_request::Message>),
    /// The client's signalling connection is gone (not a leave: it may resume).
    SignalClosed(ConnectionId),
    /// A token of a participant should be made anew and sent; the shell signs, see [`Output::RefreshToken`].
    RefreshToken(ConnectionId, String),
    /// What an application may do has changed. Kept per application; a higher epoch wins.
    Verdict(SdkAppId, Verdict),
    /// A request of an API.
    Command(RequestId, Command),
    /// The server is stopping: tell everybody (`SERVER_SHUTDOWN`), close all stays.
    Shutdown,
}

/// Whether an application's people may enter, and the defaults of its rooms.
/// Unknown applications are refused. The standing policy speaks here, and only here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Rises with every change; a lower one than known is ignored.
    pub epoch: u64,
    /// Why nobody new may enter; empty means they may.
    pub refused: Vec<fermata_types::Reason>,
    /// May those who are inside stay and come back (policy A21)? If not, all rooms are dismissed.
    pub inside: bool,
    /// Longest stay while nobody pays for its minutes (policy A8); none: as long as people like.
    pub stay_age_max: Option<Duration>,
    /// Account time less wall time; more than zero only for sandboxes. It only grows.
    pub clock_offset: jiff::SignedDuration,
    /// Scene of rooms that say nothing themselves.
    pub default_scene: Scene,
    /// How long a vanished user is kept (and counted). Default 90 s.
    pub disconnect_timeout: Duration,
}

/// A request to enter a room: verified claims, in our words. Admission decides on it, once, in the SFU.
#[derive(Debug, Clone)]
pub struct Join {
    /// The signalling connection that asks.
    pub connection: ConnectionId,
    /// Only ask whether it would be admitted (validate endpoints); nothing changes, nobody is displaced.
    pub probe: bool,
    /// The application of the token's key.
    pub app: SdkAppId,
    /// The room asked for.
    pub room: RoomName,
    /// Who asks; 1 to 256 bytes (checked by admission).
    pub identity: String,
    /// Display name.
    pub name: String,
    /// Participant metadata.
    pub metadata: String,
    /// Participant attributes.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// What the token grants.
    pub permission: RoomPermission,
    /// Anchor or audience. Audience loses every right to publish.
    pub role: Role,
    /// LiveKit participant kind (standard, agent, ...), as `lk::participant_info::Kind`.
    pub kind: i32,
    /// Issue time of the token, seconds since 1970 (`nbf` or `iat`), 0 if unknown; for revocation.
    pub issued_at: i64,
    /// May this join create the room when it is missing (`roomCreate`, or auto-create is on).
    pub may_create: bool,
    /// Room settings of the token, used when this join creates the room.
    pub room_options: RoomOptions,
    /// Client's settings and abilities.
    pub client: ClientSettings,
}

/// Rights in a room, from the token. (Called `VideoGrant` only on the wire.)
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent rights of LiveKit's grant")]
pub struct RoomPermission {
    /// May receive media.
    pub can_subscribe: bool,
    /// May publish media.
    pub can_publish: bool,
    /// May send data.
    pub can_publish_data: bool,
    /// Sources that may be published, as `lk::TrackSource`; empty means all.
    pub can_publish_sources: Vec<i32>,
    /// May change its own name, metadata and attributes.
    pub can_update_metadata: bool,
    /// Invisible to everybody else.
    pub hidden: bool,
    /// Records (shown to clients).
    pub recorder: bool,
    /// An agent: may speak for others in transcriptions and text streams.
    pub agent: bool,
    /// May receive metrics packets.
    pub can_subscribe_metrics: bool,
}

/// How a room is made; absent fields take the application's or the server's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoomOptions {
    /// Scene, from the options or from `{"scene":"call"|"live"}` in the metadata.
    pub scene: Option<Scene>,
    /// Room metadata.
    pub metadata: String,
    /// Seconds an empty room waits for its first user.
    pub empty_timeout_s: Option<u32>,
    /// Seconds a room stays after its last user left.
    pub departure_timeout_s: Option<u32>,
    /// Most users in it, 0 or absent = the scene's rule.
    pub max_participants: Option<u32>,
    /// Agents to be dispatched to the room once it is made; 16 at most.
    pub agents: Vec<lk::RoomAgentDispatch>,
}

/// What the client said about itself and how it wants to be served.
#[derive(Debug, Clone, Default)]
pub struct ClientSettings {
    /// SDK, version, OS, protocol version.
    pub info: lk::ClientInfo,
    /// Protocol version (gates of livekit 'protocol').
    pub protocol: i32,
    /// One connection for both directions (`/rtc/v1`), else two.
    pub single_connection: bool,
    /// Subscribe to everything published.
    pub auto_subscribe: bool,
    /// The client reports visible sizes.
    pub adaptive_stream: bool,
    /// First offer of the single connection.
    pub publisher_offer: Option<lk::SessionDescription>,
    /// Tracks announced with the join.
    pub add_tracks: Vec<lk::AddTrackRequest>,
    /// This is a resume of that participant.
    pub resume: Option<Resume>,
    /// Address the client connects from; for lists and monitoring.
    pub address: String,
}

/// A client wants to go on with an earlier stay.
#[derive(Debug, Clone)]
pub struct Resume {
    /// The participant it was (may be empty: then found by identity).
    pub participant: String,
    /// Why, as `lk::ReconnectReason`.
    pub reason: i32,
    /// What the client still has (v1 sends it along; v0 sends it as a message).
    pub sync_state: Option<lk::SyncState>,
}

/// Everything that the SFU wants done.
#[derive(Debug)]
pub enum Output {
    /// Hand this to a shard: [`crate::Shard::handle_order`].
    Order(crate::seam::ShardId, crate::seam::ShardOrder),
    /// Send a message to a client.
    Signal(ConnectionId, Box<lk::SignalResponse>),
    /// Close a client's signalling connection once what was sent before has gone out.
    CloseSignal(ConnectionId),
    /// Answer to [`Input::Join`]. `Ok` carries who it is now; messages follow as [`Output::Signal`].
    Joined(ConnectionId, Result<Admitted, Refusal>),
    /// Sign a fresh token with these rights and hand it back through [`Input::RefreshToken`].
    RefreshToken(ConnectionId, Box<TokenOrder>),
    /// A fact of usage, to be written down before it is forgotten.
    Usage(UsageFact),
    /// Answer to [`Input::Command`].
    Reply(RequestId, Reply),
    /// Something happened in a room: for callbacks, webhooks, agents and monitoring. Facts of a room come in order.
    Event(Box<RoomEvent>),
    /// How the stays of a room fared since the last sample, one entry a stay; for monitoring.
    Samples(Vec<fermata_types::StaySample>),
    /// Nothing more to do before this instant.
    Timeout(Instant),
}

/// An admitted join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The stay.
    pub participant: ParticipantSid,
    /// The room's life.
    pub room: RoomSid,
}

/// What a refreshed token must say; same claims as the participant's rights now.
#[derive(Debug, Clone)]
pub struct TokenOrder {
    /// Application to sign for.
    pub app: SdkAppId,
    /// Room it is for.
    pub room: RoomName,
    /// Subject.
    pub identity: String,
    /// Display name.
    pub name: String,
    /// Metadata.
    pub metadata: String,
    /// Attributes.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// Rights.
    pub permission: RoomPermission,
    /// Role.
    pub role: Role,
    /// Participant kind.
    pub kind: i32,
    /// May the room be made anew with it, as with the token that the participant came with?
    pub may_create: bool,
}

/// One fact of usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageFact {
    /// A stay began.
    Opened(StayOpened),
    /// Seconds so far in a window.
    Window(UsageWindow),
    /// A stay ended; its windows came before it.
    Closed(StayClosed),
}

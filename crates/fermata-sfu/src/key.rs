//! Short names for what lives in a node; never shown outside.

/// A participant of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ParticipantId(pub(crate) u64);

/// A room of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RoomId(pub(crate) u64);

/// A published track of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TrackId(pub(crate) u64);

/// A remote procedure call of the server that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallId(pub(crate) u64);

/// Which of a participant's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    /// The one the client offers: its media comes in here. The only one with a single connection.
    Up,
    /// The one we offer: media goes out here. Missing with a single connection.
    Down,
}

/// A WebRTC connection of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId {
    /// Whose.
    pub(crate) participant: ParticipantId,
    /// Which.
    pub(crate) side: Side,
}

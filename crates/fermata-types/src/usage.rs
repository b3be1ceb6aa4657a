//! Usage facts on their way from a media node to the store.
//!
//! Windows form a join-semilattice: key `(stay, sku, window start)`, value seconds, merge = `max`.
//! Replays, duplicates, reordering and restarts are therefore harmless.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{NodeId, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, Sku};

/// Length of a usage window. Windows start at whole UTC minutes.
pub const WINDOW_SECONDS: u32 = 60;

/// Seconds so far of one stay and SKU inside one window. Merged by `max` on `seconds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageWindow {
    /// Whose seconds.
    pub stay: ParticipantSid,
    /// What kind.
    pub sku: Sku,
    /// Start of the window: a whole UTC minute, in account time.
    pub window_start: Timestamp,
    /// 1 to [`WINDOW_SECONDS`]. Over all SKUs of a stay, never more than [`WINDOW_SECONDS`] a window.
    pub seconds: u32,
}

/// A user entered a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StayOpened {
    /// The stay.
    pub stay: ParticipantSid,
    /// Application it is charged to.
    pub app: SdkAppId,
    /// The room's name.
    pub room: RoomName,
    /// This life of the room.
    pub room_sid: RoomSid,
    /// The user's identity, as its token says.
    pub identity: String,
    /// Scene at entry.
    pub scene: Scene,
    /// Role at entry.
    pub role: Role,
    /// Account time of entry; the first second starts here.
    pub entered_at: Timestamp,
}

/// Why a stay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StayEnd {
    /// The user left.
    Left,
    /// The same identity entered again; the later one stays.
    Replaced,
    /// Removed through an API.
    Removed,
    /// The room was dismissed.
    Dismissed,
    /// Vanished, and the disconnect timeout passed (the wait is counted).
    TimedOut,
    /// The server was shut down.
    Shutdown,
    /// The connection broke in a way that closes it (protocol or media failure).
    Failed,
    /// Never reached media within the join deadline.
    NeverConnected,
    /// Found open after the node was lost; closed at its last heartbeat.
    Lost,
}

/// A user left a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StayClosed {
    /// The stay.
    pub stay: ParticipantSid,
    /// Account time of exit.
    pub ended_at: Timestamp,
    /// Why.
    pub end: StayEnd,
}

/// What a node reports in one go. Applying it any number of times, in any order, gives the same store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageBatch {
    /// The reporting node.
    pub node: NodeId,
    /// Stays entered.
    pub opened: Vec<StayOpened>,
    /// Seconds so far.
    pub windows: Vec<UsageWindow>,
    /// Stays ended.
    pub closed: Vec<StayClosed>,
    /// Every fact of this node before this moment has been reported, this batch included;
    /// also the node's heartbeat: stays found open later are closed here.
    pub watermark: Timestamp,
}

//! Directory: which node and shard owns a room. One machine: always this one.

use fermata_types::{NodeId, RoomName, SdkAppId};
use serde::{Deserialize, Serialize};

/// Where a room lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomPlace {
    /// The machine.
    pub node: NodeId,
    /// The media thread on it.
    pub shard: u16,
    /// Fencing token: rises whenever the room moves; an owner with a lower one has lost it.
    pub term: u64,
}

/// Finds, or decides, the owner of a room.
pub trait Directory: Send + Sync + std::fmt::Debug {
    /// The owner of a room; an unowned one gets an owner.
    fn place(&self, app: SdkAppId, room: &RoomName) -> RoomPlace;
}

/// The directory of a single node with a single shard.
#[derive(Debug, Clone)]
pub struct OneNode(pub NodeId);

impl Directory for OneNode {
    fn place(&self, _app: SdkAppId, _room: &RoomName) -> RoomPlace {
        RoomPlace { node: self.0.clone(), shard: 0, term: 1 }
    }
}

//! What an operator may choose about a shard. Fixed limits are in `limits.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use fermata_types::NodeId;

/// Settings of one [`crate::Sfu`].
#[derive(Debug, Clone)]
pub struct SfuConfig {
    /// Name of the machine, shown to clients.
    pub node: NodeId,
    /// Region shown to clients; may be empty.
    pub region: String,
    /// Addresses of the media socket that clients can reach, as host candidates. Never empty.
    pub candidates: Vec<SocketAddr>,
    /// Limits that depend on the machine.
    pub limits: Limits,
    /// Somebody takes [`crate::io::Output::Event`] and [`crate::io::Output::Samples`]; else neither is made.
    pub events: bool,
}

impl SfuConfig {
    /// Default limits and timings with the given name and candidates.
    pub fn new(node: NodeId, candidates: Vec<SocketAddr>) -> Self {
        Self { node, region: String::new(), candidates, limits: Limits::default(), events: true }
    }
}

/// Limits and timings that an operator may set.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most rooms of this shard. Above: `node_full`.
    pub rooms_max: usize,
    /// Most participants of this shard. Above: `node_full`.
    pub participants_max: usize,
    /// Most users in one room of scene `live`.
    pub live_users_max: usize,
    /// Most users in one room of scene `call` (vendor's rule).
    pub call_users_max: usize,
    /// Most users of one room that publish at the same time, either scene (vendor's rule).
    pub publishers_max: usize,
    /// A participant whose media never connects is closed after this.
    pub join_deadline: Duration,
    /// How long a live room waits after its last leaver was audience.
    pub live_room_linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms_max: 10_000,
            participants_max: 20_000,
            live_users_max: 10_000,
            call_users_max: 300,
            publishers_max: 50,
            join_deadline: Duration::from_mins(1),
            live_room_linger: Duration::from_mins(10),
        }
    }
}

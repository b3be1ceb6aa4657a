//! What an operator may choose about a shard. Fixed limits are in `limits.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use fermata_transport::turn::TurnSecret;
use fermata_types::{NodeId, ParticipantSid};
use jiff::Timestamp;
use livekit_protocol as lk;

use crate::limits::RELAY_GRANT_LIFETIME;

/// Settings of one [`crate::Sfu`].
#[derive(Debug, Clone)]
pub struct SfuConfig {
    /// Name of the machine, shown to clients.
    pub node: NodeId,
    /// Region shown to clients; may be empty.
    pub region: String,
    /// Each shard's addresses that clients can reach, as host candidates. 1 to 64 shards, none without an address.
    pub shards: Vec<Vec<SocketAddr>>,
    /// The same over TCP, in the order of `shards`; a shard beyond its end has none. No address is in both.
    pub tcp: Vec<Vec<SocketAddr>>,
    /// Relays that clients may use; `None`: none.
    pub relays: Option<Relays>,
    /// Limits that depend on the machine.
    pub limits: Limits,
    /// Somebody takes [`crate::io::Output::Event`] and [`crate::io::Output::Samples`]; else neither is made.
    pub events: bool,
}

impl SfuConfig {
    /// Default limits and timings with the given name and the candidates of each shard.
    pub fn new(node: NodeId, shards: Vec<Vec<SocketAddr>>) -> Self {
        let (region, tcp, limits) = (String::new(), Vec::new(), Limits::default());
        Self { node, region, shards, tcp, relays: None, limits, events: true }
    }
}

/// Relays (TURN) for clients that do not reach the shards' addresses.
#[derive(Debug, Clone)]
pub struct Relays {
    /// Their URLs (RFC 7065), as clients take them.
    pub urls: Vec<String>,
    /// What the relays know too.
    pub secret: TurnSecret,
}

impl Relays {
    /// What a participant is told at `now`: credentials for a day.
    pub(crate) fn grant(&self, participant: &ParticipantSid, now: Timestamp) -> lk::IceServer {
        let lifetime = i64::try_from(RELAY_GRANT_LIFETIME.as_secs()).unwrap_or(0);
        let expires_at = now.as_second().saturating_add(lifetime);
        let (username, credential) = self.secret.grant(expires_at, participant.as_str());
        lk::IceServer { urls: self.urls.clone(), username, credential }
    }
}

/// Limits and timings that an operator may set.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most rooms of this node. Above: `node_full`.
    pub rooms_max: usize,
    /// Most participants of this node. Above: `node_full`.
    pub participants_max: usize,
    /// Most participants of one application whose media has never connected so far. Above: `node_full`.
    pub connecting_max: usize,
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
    /// How much more than the idlest shard one may have to do, in streams (people, and tracks they receive), before
    /// people of its rooms are served elsewhere too.
    pub imbalance_max: usize,
    /// Estimate what each receiver's path can take, and hold back what there is no room for.
    pub congestion_control: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms_max: 10_000,
            participants_max: 20_000,
            connecting_max: 15_000,
            live_users_max: 10_000,
            call_users_max: 300,
            publishers_max: 50,
            join_deadline: Duration::from_mins(1),
            live_room_linger: Duration::from_mins(10),
            imbalance_max: 100,
            congestion_control: true,
        }
    }
}

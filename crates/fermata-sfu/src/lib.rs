//! Rooms, participants, tracks, forwarding and metering of one node, without IO.
//!
//! There are two kinds of parts, which share nothing and tell each other what they have to ([`ShardOrder`],
//! [`ShardReport`], [`ShardHop`]):
//! - [`Sfu`], the rooms: who may enter ([`admission`]), what is offered, who receives what, what is counted
//!   ([`meter`]);
//! - [`Shard`], the connections of some of the people, and the way of packets through them ([`forward`]). A room may
//!   be served by several.
//!
//! They own no socket and read no clock. [`Local`] is all of them in one thread.
//!
//! What it is not: it knows no HTTP, no WebSocket, no token and no store.
//!
//! Invariants:
//! - a refused join changes nothing; a participant is in exactly one room, under one identity;
//! - every stay that was opened is closed once, its windows before it;
//! - what breaks inside one connection closes that participant and no other;
//! - a media packet is stored once in each shard, whoever receives it, and on its way nothing is allocated;
//! - every queue and map has a bound in `limits.rs` or in [`Limits`].

pub mod admission;
mod backup;
mod command;
mod config;
mod context;
mod data;
mod departure;
mod dynacast;
mod events;
pub mod forward;
pub mod io;
mod join;
mod key;
mod leave;
mod limits;
mod link;
mod local;
pub mod meter;
mod mute;
mod negotiate;
mod participant;
mod permission;
mod placement;
mod publication;
mod publish;
mod quality;
mod rate;
mod recent;
mod reports;
mod resume;
mod revocation;
mod room;
mod sample;
mod seam;
mod sections;
mod sfu;
mod shard;
mod signal;
mod stats;
mod subscribe;
mod timer;
mod update;

pub use config::{Limits, Relays, SfuConfig};
pub use data::read_data_packet;
pub use local::Local;
pub use seam::{ShardHop, ShardId, ShardOrder, ShardReport};
pub use sfu::Sfu;
pub use shard::{Datagrams, Shard};
pub use stats::SfuStats;

//! Rooms, participants, tracks, forwarding and metering of one shard, without IO.
//!
//! One [`Sfu`] belongs to one media thread. It is driven by [`Sfu::handle_input`], [`Sfu::poll_egress`] and
//! [`Sfu::poll_output`]; it owns no socket, reads no clock and decides everything: who may enter ([`admission`]),
//! what is offered, what is forwarded ([`forward`]), what is counted ([`meter`]).
//!
//! What it is not: it knows no HTTP, no WebSocket, no token and no store.
//!
//! Invariants:
//! - a refused join changes nothing; a participant is in exactly one room, under one identity;
//! - every stay that was opened is closed once, its windows before it;
//! - what breaks inside one connection closes that participant and no other;
//! - a media packet is stored once, whoever receives it, and on its way nothing is allocated;
//! - every queue and map has a bound in `limits.rs` or in [`Limits`].

pub mod admission;
mod command;
mod config;
mod context;
mod data;
mod demux;
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
mod media;
pub mod meter;
mod mute;
mod negotiate;
mod participant;
mod path;
mod permission;
mod publication;
mod publish;
mod quality;
mod rate;
mod recent;
mod resume;
mod revocation;
mod room;
mod sample;
mod sections;
mod sfu;
mod signal;
mod stats;
mod subscribe;
mod subscriptions;
mod timer;
mod update;

pub use config::{Limits, SfuConfig};
pub use data::read_data_packet;
pub use sfu::Sfu;
pub use stats::SfuStats;

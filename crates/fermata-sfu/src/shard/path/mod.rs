//! The way of media packets through the shard: in by batches, one small decision for each receiver, out by batches.
//!
//! 1. `ingest`: the datagrams of one peer are decrypted where they lie, media packets are looked at once and put
//!    into the ring of their layer (`rings`).
//! 2. `fan_out`: for each receiver of the track its [`DownTrack`](crate::forward::DownTrack) decides; what is to be
//!    sent is an [`Entry`] of 16 bytes, kept for retransmissions (`history`) and queued at the connection (`queue`).
//! 3. `pacer` says whose turn it is; `render` writes headers, numbers and encryption straight into the datagrams.
//! 4. `again`: what a receiver misses is found by its entry and sent once more.
//!
//! What it is not: it does not choose layers ([`crate::forward`]) and knows no wire format (the transport does).
//!
//! Invariants: payloads are stored once, whoever receives them; nothing here allocates per packet once queues and
//! rings have grown; no sequence number goes out twice on one section but as a retransmission.

mod again;
mod control;
mod entry;
mod fan_out;
mod history;
mod ingest;
mod pacer;
mod queue;
mod render;
mod rings;

pub(crate) use control::Control;
pub(crate) use entry::Entry;
pub(crate) use history::History;
pub(super) use ingest::{Arrival, Taken};
pub(crate) use pacer::Pacer;
pub(crate) use queue::Outgoing;
pub(super) use render::Lent;
pub(crate) use rings::Rings;

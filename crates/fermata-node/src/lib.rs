//! The media node: threads with sockets and timers that drive the rooms and shards of [`fermata_sfu`], and the usage
//! log.
//!
//! [`Node::start`] binds the sockets (UDP, and TCP beside it), replays what an earlier run left in its usage log, and starts the media threads
//! (one for each shard, no async runtime, no lock on the packet path), the rooms' thread, the log writer
//! (a thread that may wait for the disk), and the sender (a task that hands usage to the store and repeats
//! until it is acknowledged). [`NodeHandle`] is how the rest of the program talks to them.
//!
//! What it is not: it decides nothing about rooms, people or packets (that is `fermata-sfu`), speaks no HTTP
//! and signs no token.
//!
//! **Invariant:** a fact of usage leaves the node's memory only after the store has acknowledged it or the
//! log holds it on disk. **Invariant:** a media thread never waits for anything but its own poll.

mod config;
mod counters;
mod handle;
mod inbox;
mod kernel;
pub mod limits;
mod mesh;
mod node;
mod pin;
mod rooms;
pub mod seam;
mod shard;
mod socket;
pub mod streams;
pub mod usage;

pub use config::{Listen, NodeConfig, TcpListen, UsageConfig};
pub use counters::NodeStats;
pub use handle::{
    NodeEvent, NodeHandle, NodeStopped, SignalOut, SignalSink, event_channel, signal_channel,
};
pub use kernel::{Granted, UdpDrops, receive_buffer};
pub use node::{Node, StartError};
pub use seam::UsageIntake;

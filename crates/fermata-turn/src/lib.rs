//! A relay for clients that reach neither the UDP nor the TCP ports of media: TURN (RFC 8656) over UDP and over TLS,
//! to the node's own media ports.
//!
//! `core` decides (credentials, peers, bounds) and is pure; [`Turn`] owns the sockets and the clock and decides
//! nothing.
//!
//! What it is not: no relay to anybody else, so nobody can reach other machines through it, or be reached; no STUN
//! server; not on the path of packets of clients that need no relay.

pub mod core;
mod counters;
pub mod limits;
mod relays;
mod shell;
mod tls;

pub use counters::{Counters, TurnStats};
pub use shell::{Turn, TurnConfig, TurnError};
pub use tls::{TlsListen, TlsSource};

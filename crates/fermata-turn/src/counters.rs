//! Counters of the relay, read by the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is counted. Relaxed atomics: each is read alone.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        /// A reading of a relay. All fields count since its start unless they say otherwise.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct TurnStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Reads all of them.
            pub fn read(&self) -> TurnStats {
                TurnStats { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Gauge: allocations.
    allocations,
    /// Allocations made over UDP.
    allocated_udp,
    /// Allocations made over TLS.
    allocated_tls,
    /// Allocations that ended because they were not refreshed.
    allocations_expired,
    /// Messages that are none, or none that a client sends.
    malformed,
    /// Requests without right credentials; the first of each client is one.
    unauthorized,
    /// Of those, the ones that got no answer because their address had had too many.
    unanswered,
    /// Requests for a peer that is none of the node's media addresses.
    forbidden,
    /// Allocations refused because the participant or the address had as many as it may.
    refused_quota,
    /// Allocations refused because there were as many as may be, or no socket was to be had.
    refused_full,
    /// Requests refused for another reason.
    refused,
    /// Datagrams passed on to media ports.
    to_peers,
    /// Datagrams passed on to clients.
    to_clients,
    /// Datagrams of clients dropped: no allocation, no permission, or no peer.
    dropped_client,
    /// Datagrams dropped that came to a relay's socket from elsewhere.
    dropped_peer,
    /// Datagrams dropped because their allocation carries as much as it may.
    dropped_bandwidth,
    /// Datagrams dropped because a socket or a connection's queue was full.
    dropped_full,
    /// Gauge: connections over TLS.
    tls_connections,
    /// Connections over TLS closed at once because there were as many as may be, in all or of one address.
    tls_refused,
    /// Connections over TLS that failed: the handshake, or what came after was no TURN.
    tls_failed,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

//! Counters of the node, shared between its threads and read by the metrics page.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fermata_sfu::SfuStats;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What the threads count. Relaxed atomics: each is read alone.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
            pub(crate) usage_unwritable: AtomicBool,
        }

        /// A reading of a node. All fields count since its start unless they say otherwise.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct NodeStats {
            $($(#[$doc])* pub $name: u64,)*
            /// Can usage be written down now? If not, newcomers are refused.
            pub usage_writable: bool,
            /// Those of the rooms and the shards.
            pub sfu: SfuStats,
        }

        impl Counters {
            /// Reads all of them, with those of the rooms and the shards.
            pub(crate) fn read(&self, sfu: SfuStats) -> NodeStats {
                NodeStats {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    usage_writable: self.usage_writable(),
                    sfu,
                }
            }
        }
    };
}

counters! {
    /// Datagrams that the kernel did not take because its buffer was full.
    send_dropped_full,
    /// Datagrams that could not be sent for another reason (no route, no socket of that address).
    send_failed,
    /// Errors while receiving other than "nothing there".
    receive_failed,
    /// Gauge: TCP connections of media that are open.
    tcp_connections,
    /// TCP connections of media taken in.
    tcp_accepted,
    /// TCP connections of media closed at once because there were as many as may be.
    tcp_refused_full,
    /// TCP connections of media closed at once because their address had as many as one may have.
    tcp_refused_address,
    /// Failed attempts to take in a TCP connection of media (no file handle).
    tcp_accept_failed,
    /// TCP connections of media closed because they sent no frames of RFC 4571, or no ICE check first.
    tcp_closed_malformed,
    /// TCP connections of media closed because they did not prove in time to be of a participant.
    tcp_closed_unproved,
    /// TCP connections of media closed because their participant was silent on them or gone.
    tcp_closed_idle,
    /// Datagrams dropped because too much waited for their TCP connection.
    tcp_send_dropped_full,
    /// Datagrams for TCP connections that were gone.
    tcp_send_gone,
    /// Signalling connections closed because their queue was full.
    signal_queue_full,
    /// Messages for signalling connections that were gone.
    signal_dropped_gone,
    /// Joins refused here because usage could not be written.
    joins_refused_unwritable,
    /// API requests refused because too many were outstanding.
    requests_refused,
    /// Events of rooms that nobody took in time.
    events_dropped,
    /// Facts that went the slow way because the log writer's queue was full.
    usage_queue_full,
    /// Records appended to the usage log.
    usage_records,
    /// `fdatasync` calls of the usage log.
    usage_syncs,
    /// Failed attempts to write the usage log.
    usage_write_failures,
    /// Gauge: merged facts waiting to be acknowledged by the store.
    usage_pending,
    /// Reports acknowledged by the store.
    usage_reports,
    /// Failed attempts to report to the store.
    usage_report_failures,
    /// Facts lost because neither log nor store took them for too long. Must stay 0.
    usage_facts_lost,
    /// Records of an earlier run that were replayed at the start.
    usage_replayed,
    /// Torn or damaged ends of segments found at the start.
    usage_torn,
    /// Stays of an earlier run closed at its last heartbeat.
    stays_lost,
}

impl Counters {
    /// Can usage be written down now?
    pub(crate) fn usage_writable(&self) -> bool {
        !self.usage_unwritable.load(Ordering::Relaxed)
    }
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Adds several.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

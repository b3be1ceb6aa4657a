//! Counters and path quality of one connection.

use std::time::Duration;

use str0m::stats::{MediaEgressStats, MediaIngressStats, PeerStats};

/// Counters since the start and the latest view of the path, refreshed every [`crate::limits::STATS_INTERVAL`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TransportStats {
    /// RTP packets sent by the caller, without retransmissions.
    pub packets_sent: u64,
    /// Their payload, bytes.
    pub payload_bytes_sent: u64,
    /// RTP packets delivered to the caller.
    pub packets_received: u64,
    /// Their payload, bytes.
    pub payload_bytes_received: u64,
    /// Bytes of all datagrams sent.
    pub bytes_sent: u64,
    /// Bytes of all datagrams taken.
    pub bytes_received: u64,
    /// Share of our packets that the peer misses, 0 to 1: mean over sections of its latest receiver reports.
    pub loss_sent: Option<f32>,
    /// Share of the peer's packets that we miss, 0 to 1: mean over sections and layers.
    pub loss_received: Option<f32>,
    /// Round-trip time, from receiver reports or the transport-wide feedback.
    pub rtt: Option<Duration>,
    /// NACKs from the peer.
    pub nacks_received: u64,
    /// Keyframe requests from the peer.
    pub keyframe_requests_received: u64,
    /// Datagrams refused as malformed or too long.
    pub datagrams_refused: u64,
    /// Media packets dropped because their section or codec is unknown.
    pub packets_unknown: u64,
    /// Data messages dropped: too long, or on a channel that is none of ours.
    pub messages_refused: u64,
}

/// A running mean of the loss fractions in one round of reports.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f32,
    count: u16,
}

impl Mean {
    fn add(&mut self, value: f32) -> f32 {
        self.sum += value.clamp(0.0, 1.0);
        self.count = self.count.saturating_add(1);
        self.sum / f32::from(self.count)
    }
}

/// Collects the engine's reports, which come as one event for the peer and then one per stream.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    pub(crate) stats: TransportStats,
    egress: Mean,
    ingress: Mean,
    nacks: u64,
}

impl Collector {
    pub(crate) fn peer(&mut self, report: &PeerStats) {
        self.stats.bytes_sent = report.peer_bytes_tx;
        self.stats.bytes_received = report.peer_bytes_rx;
        if report.rtt.is_some() {
            self.stats.rtt = report.rtt;
        }
        self.egress = Mean::default();
        self.ingress = Mean::default();
        self.nacks = 0;
    }

    pub(crate) fn egress(&mut self, report: &MediaEgressStats) {
        if let Some(loss) = report.loss {
            self.stats.loss_sent = Some(self.egress.add(loss));
        }
        if report.rtt.is_some() {
            self.stats.rtt = report.rtt;
        }
        self.nacks += report.nacks;
        self.stats.nacks_received = self.stats.nacks_received.max(self.nacks);
    }

    pub(crate) fn ingress(&mut self, report: &MediaIngressStats) {
        if let Some(loss) = report.loss {
            self.stats.loss_received = Some(self.ingress.add(loss));
        }
    }
}

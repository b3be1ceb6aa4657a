//! Counters and path quality of one connection.

use std::collections::HashMap;
use std::time::Duration;

use str0m::media::{Mid, Rid};
use str0m::stats::{MediaEgressStats, MediaIngressStats, PeerStats};

use crate::limits::STREAM_STATS_MAX;

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

/// Feedback about one stream (a section and layer, one way), totals since its start, refreshed every
/// [`crate::limits::STATS_INTERVAL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamStats {
    /// Packets that the peer misses, as its last receiver report says; for what we send only. It may fall.
    pub lost: u64,
    /// NACKs: of the peer for what we send, ours for what it sends.
    pub nacks: u64,
    /// Interarrival jitter in ticks of the codec's clock (RFC 3550 section 6.4.1), measured where it arrives.
    pub jitter: u32,
}

/// Which way a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Sent,
    Received,
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
    streams: HashMap<(Mid, Option<Rid>, Way), StreamStats>,
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
        // Before the first report there is nothing to say, and nothing to count from.
        if let Some(remote) = &report.remote {
            let stats = StreamStats {
                lost: remote.packets_lost,
                nacks: report.nacks,
                jitter: remote.jitter,
            };
            self.remember((report.mid, report.rid, Way::Sent), stats);
        }
    }

    pub(crate) fn ingress(&mut self, report: &MediaIngressStats) {
        if let Some(loss) = report.loss {
            self.stats.loss_received = Some(self.ingress.add(loss));
        }
        let stats = StreamStats { lost: 0, nacks: report.nacks, jitter: report.jitter };
        self.remember((report.mid, report.rid, Way::Received), stats);
    }

    fn remember(&mut self, stream: (Mid, Option<Rid>, Way), stats: StreamStats) {
        if self.streams.len() >= STREAM_STATS_MAX && !self.streams.contains_key(&stream) {
            self.streams.clear();
        }
        self.streams.insert(stream, stats);
    }

    pub(crate) fn stream(&self, stream: (Mid, Option<Rid>, Way)) -> Option<StreamStats> {
        self.streams.get(&stream).copied()
    }
}

//! Counters and path quality of one connection.

use std::time::Duration;

/// Counters since the start and the latest view of the path.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TransportStats {
    /// RTP packets sent by the caller, without retransmissions.
    pub packets_sent: u64,
    /// Their payload, bytes.
    pub payload_bytes_sent: u64,
    /// Retransmissions sent.
    pub packets_sent_again: u64,
    /// Packets of padding sent to find out how much the path can take.
    pub padding_sent: u64,
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
    /// Share of our packets that did not arrive by the latest transport-wide feedback, 0 to 1.
    pub loss_feedback: Option<f32>,
    /// Round-trip time, from receiver reports or, before there are any, the transport-wide feedback.
    pub rtt: Option<Duration>,
    /// NACKs from the peer.
    pub nacks_received: u64,
    /// Keyframe requests from the peer.
    pub keyframe_requests_received: u64,
    /// Datagrams refused: malformed, too long, or from an address that passed no ICE check.
    pub datagrams_refused: u64,
    /// Media and RTCP packets dropped because they were not authentic, came twice or were too old.
    pub packets_refused: u64,
    /// Media packets dropped because their section or codec is unknown.
    pub packets_unknown: u64,
    /// Data messages dropped: too long, or on a channel that is none of ours.
    pub messages_refused: u64,
    /// Addresses of the peer forgotten because it was heard from too many.
    pub addresses_dropped: u64,
    /// ICE checks that drew no answer because too many in a short time were refused.
    pub checks_passed_over: u64,
    /// Reports and requests of ours dropped because the send buffer was full.
    pub rtcp_unsent: u64,
    /// Events dropped because [`crate::limits::EVENTS_MAX`] waited to be polled: feedback alone.
    pub events_dropped: u64,
}

/// Feedback about one stream (a section and layer, one way), totals since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamStats {
    /// Packets that the peer misses, as its last receiver report says; for what we send only. It may fall.
    pub lost: u64,
    /// NACKs: of the peer for what we send, ours for what it sends.
    pub nacks: u64,
    /// Interarrival jitter in ticks of the codec's clock (RFC 3550 section 6.4.1), measured where it arrives.
    pub jitter: u32,
}

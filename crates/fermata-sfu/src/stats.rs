//! Counters and gauges of a shard, as plain numbers. Names and exposition are the shell's business.

/// A reading of a shard. Counters only grow; gauges say what is there now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SfuStats {
    /// Gauge: rooms alive.
    pub rooms: u64,
    /// Gauge: participants in rooms, vanished ones included.
    pub participants: u64,
    /// Gauge: published tracks.
    pub tracks: u64,
    /// Gauge: (subscriber, track) pairs.
    pub subscriptions: u64,
    /// Gauge: WebRTC connections.
    pub transports: u64,
    /// Joins admitted, resumes not counted.
    pub joins_admitted: u64,
    /// Joins refused.
    pub joins_refused: u64,
    /// Stays that were resumed.
    pub resumes: u64,
    /// Resumes of participants that were not there.
    pub resumes_unknown: u64,
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Datagrams sent.
    pub datagrams_out: u64,
    /// Bytes of datagrams received.
    pub bytes_in: u64,
    /// Bytes of datagrams sent.
    pub bytes_out: u64,
    /// Datagrams that belong to no connection.
    pub datagrams_unknown: u64,
    /// Datagrams that their connection could not read.
    pub malformed_datagrams: u64,
    /// Session descriptions that could not be read or applied.
    pub malformed_sdp: u64,
    /// Candidates that could not be read.
    pub malformed_candidates: u64,
    /// Candidates of no use here: over TCP, by host name, of an unknown form, or too many.
    pub candidates_unused: u64,
    /// Data packets that could not be read.
    pub malformed_data: u64,
    /// RTP packets received from publishers.
    pub rtp_in: u64,
    /// RTP packets handed to subscribers.
    pub rtp_out: u64,
    /// RTP packets on m-lines that carry no track.
    pub rtp_dropped_unbound: u64,
    /// RTP packets that a subscriber's connection refused (not negotiated, not connected).
    pub rtp_dropped_unsendable: u64,
    /// RTP packets whose payload is none of their codec.
    pub rtp_dropped_malformed: u64,
    /// RTP packets to subscribers dropped because too many wait on their connection. Video goes on at a keyframe then.
    pub paced_dropped: u64,
    /// RTP packets whose payload was gone before they were sent: they waited longer than the publisher's last packets
    /// are kept.
    pub packets_overwritten: u64,
    /// RTP packets sent again because a subscriber missed them.
    pub retransmissions: u64,
    /// Packets asked for again that are not known any more.
    pub retransmissions_unknown: u64,
    /// Packets asked for again that were not sent: a moment after the last time, or too many.
    pub retransmissions_suppressed: u64,
    /// Datagrams dropped because the buffer for them was full.
    pub egress_dropped: u64,
    /// Keyframes asked from publishers.
    pub keyframe_requests: u64,
    /// Data messages received.
    pub data_in: u64,
    /// Data messages handed to receivers.
    pub data_out: u64,
    /// Data messages from participants without the right.
    pub data_refused: u64,
    /// Data messages that did not rise in sequence.
    pub data_duplicate: u64,
    /// Data messages dropped because a receiver's queue was full.
    pub data_dropped_full: u64,
    /// Messages of the data track channel, which this server does not forward.
    pub data_track_dropped: u64,
    /// Signal messages from clients.
    pub signals_in: u64,
    /// Signal messages to clients.
    pub signals_out: u64,
    /// Requests beyond a named limit.
    pub limited: u64,
    /// Participants closed because their connection broke inside.
    pub internal_errors: u64,
}

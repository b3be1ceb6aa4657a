//! Counters and gauges, as plain numbers. Names and exposition are the shell's business.

/// A reading of the rooms, of a shard, or the sum of them. Counters only grow; gauges say what is there now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SfuStats {
    /// Gauge: rooms alive.
    pub rooms: u64,
    /// Gauge: participants in rooms, vanished ones included.
    pub participants: u64,
    /// Gauge: those of them whose media has never connected so far.
    pub participants_connecting: u64,
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
    /// RTP packets handed to other shards.
    pub hops_out: u64,
    /// RTP packets taken from other shards.
    pub hops_in: u64,
    /// RTP packets not handed to another shard because it does not keep up.
    pub hops_dropped: u64,
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

impl SfuStats {
    /// Adds what another part of the same node read.
    pub fn add(&mut self, other: &Self) {
        let Self {
            rooms,
            participants,
            participants_connecting,
            tracks,
            subscriptions,
            transports,
            joins_admitted,
            joins_refused,
            resumes,
            resumes_unknown,
            datagrams_in,
            datagrams_out,
            bytes_in,
            bytes_out,
            datagrams_unknown,
            malformed_datagrams,
            malformed_sdp,
            malformed_candidates,
            candidates_unused,
            malformed_data,
            rtp_in,
            rtp_out,
            rtp_dropped_unbound,
            rtp_dropped_unsendable,
            rtp_dropped_malformed,
            paced_dropped,
            packets_overwritten,
            retransmissions,
            retransmissions_unknown,
            retransmissions_suppressed,
            egress_dropped,
            hops_out,
            hops_in,
            hops_dropped,
            keyframe_requests,
            data_in,
            data_out,
            data_refused,
            data_duplicate,
            data_dropped_full,
            data_track_dropped,
            signals_in,
            signals_out,
            limited,
            internal_errors,
        } = self;
        *rooms += other.rooms;
        *participants += other.participants;
        *participants_connecting += other.participants_connecting;
        *tracks += other.tracks;
        *subscriptions += other.subscriptions;
        *transports += other.transports;
        *joins_admitted += other.joins_admitted;
        *joins_refused += other.joins_refused;
        *resumes += other.resumes;
        *resumes_unknown += other.resumes_unknown;
        *datagrams_in += other.datagrams_in;
        *datagrams_out += other.datagrams_out;
        *bytes_in += other.bytes_in;
        *bytes_out += other.bytes_out;
        *datagrams_unknown += other.datagrams_unknown;
        *malformed_datagrams += other.malformed_datagrams;
        *malformed_sdp += other.malformed_sdp;
        *malformed_candidates += other.malformed_candidates;
        *candidates_unused += other.candidates_unused;
        *malformed_data += other.malformed_data;
        *rtp_in += other.rtp_in;
        *rtp_out += other.rtp_out;
        *rtp_dropped_unbound += other.rtp_dropped_unbound;
        *rtp_dropped_unsendable += other.rtp_dropped_unsendable;
        *rtp_dropped_malformed += other.rtp_dropped_malformed;
        *paced_dropped += other.paced_dropped;
        *packets_overwritten += other.packets_overwritten;
        *retransmissions += other.retransmissions;
        *retransmissions_unknown += other.retransmissions_unknown;
        *retransmissions_suppressed += other.retransmissions_suppressed;
        *egress_dropped += other.egress_dropped;
        *hops_out += other.hops_out;
        *hops_in += other.hops_in;
        *hops_dropped += other.hops_dropped;
        *keyframe_requests += other.keyframe_requests;
        *data_in += other.data_in;
        *data_out += other.data_out;
        *data_refused += other.data_refused;
        *data_duplicate += other.data_duplicate;
        *data_dropped_full += other.data_dropped_full;
        *data_track_dropped += other.data_track_dropped;
        *signals_in += other.signals_in;
        *signals_out += other.signals_out;
        *limited += other.limited;
        *internal_errors += other.internal_errors;
    }
}

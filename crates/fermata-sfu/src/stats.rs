//! Counters and gauges, as plain numbers. Names and exposition are the shell's business.

use fermata_transport::TransportStats;

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A reading of the rooms, of a shard, or the sum of them. Counters only grow; gauges say what is there now.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct SfuStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl SfuStats {
            /// Adds what another part of the same node read.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

stats! {
    /// Gauge: rooms alive.
    rooms,
    /// Gauge: participants in rooms, vanished ones included.
    participants,
    /// Gauge: those of them whose media has never connected so far.
    participants_connecting,
    /// Gauge: those whose path has no room for all that they want.
    participants_constrained,
    /// Gauge: published tracks.
    tracks,
    /// Gauge: (subscriber, track) pairs.
    subscriptions,
    /// Gauge: WebRTC connections.
    transports,
    /// Gauge: those of them whose media goes over UDP.
    transports_udp,
    /// Gauge: those of them whose media goes over TCP.
    transports_tcp,
    /// Joins admitted, resumes not counted.
    joins_admitted,
    /// Joins refused.
    joins_refused,
    /// Stays that were resumed.
    resumes,
    /// Resumes of participants that were not there.
    resumes_unknown,
    /// Datagrams received.
    datagrams_in,
    /// Datagrams sent.
    datagrams_out,
    /// Bytes of datagrams received.
    bytes_in,
    /// Bytes of datagrams sent.
    bytes_out,
    /// Datagrams that belong to no connection.
    datagrams_unknown,
    /// Datagrams that their connection could not read.
    malformed_datagrams,
    /// Session descriptions that could not be read or applied.
    malformed_sdp,
    /// Candidates that could not be read.
    malformed_candidates,
    /// Candidates of no use here: over TCP, by host name, of an unknown form, or too many.
    candidates_unused,
    /// Data packets that could not be read.
    malformed_data,
    /// RTP packets received from publishers.
    rtp_in,
    /// RTP packets handed to subscribers.
    rtp_out,
    /// RTP packets on m-lines that carry no track.
    rtp_dropped_unbound,
    /// RTP packets that a subscriber's connection refused (not negotiated, not connected).
    rtp_dropped_unsendable,
    /// RTP packets whose payload is none of their codec.
    rtp_dropped_malformed,
    /// RTP packets to subscribers dropped because too many wait on their connection. Video goes on at a keyframe then.
    paced_dropped,
    /// RTP packets whose payload was gone before they were sent: they waited longer than the publisher's last packets
    /// are kept.
    packets_overwritten,
    /// RTP packets sent again because a subscriber missed them.
    retransmissions,
    /// Packets asked for again that are not known any more.
    retransmissions_unknown,
    /// Packets asked for again that were not sent: a moment after the last time, or too many.
    retransmissions_suppressed,
    /// Datagrams dropped because the buffer for them was full.
    egress_dropped,
    /// RTP packets handed to other shards.
    hops_out,
    /// RTP packets taken from other shards.
    hops_in,
    /// RTP packets not handed to another shard because it does not keep up.
    hops_dropped,
    /// Keyframes asked from publishers.
    keyframe_requests,
    /// Data messages received.
    data_in,
    /// Data messages handed to receivers.
    data_out,
    /// Data messages from participants without the right.
    data_refused,
    /// Data messages that did not rise in sequence.
    data_duplicate,
    /// Data messages dropped because a receiver's queue was full.
    data_dropped_full,
    /// Messages of the data track channel, which this server does not forward.
    data_track_dropped,
    /// Signal messages from clients.
    signals_in,
    /// Signal messages to clients.
    signals_out,
    /// Requests beyond a named limit.
    limited,
    /// Participants closed because their connection broke inside.
    internal_errors,
    /// Media and RTCP packets of connections that were not authentic, came twice or were too old.
    packets_refused,
    /// Media packets of connections whose section or codec is unknown.
    packets_unknown,
    /// Reports of packets that receivers miss (NACK).
    nacks_in,
    /// Keyframes that receivers asked for.
    keyframe_requests_in,
    /// Messages on data channels that were too long, or on a channel that is none of ours.
    messages_refused,
    /// Packets of padding sent to find out how much paths can take.
    padding_out,
    /// ICE checks that drew no answer because too many in a short time were refused.
    checks_passed_over,
    /// Addresses of peers forgotten because they were heard from too many.
    addresses_dropped,
    /// Reports and requests to peers dropped because the buffer for them was full.
    rtcp_unsent,
    /// Feedback of peers dropped because too much of it waited.
    feedback_dropped,
}

impl SfuStats {
    /// Adds what a connection counted.
    pub(crate) fn add_link(&mut self, link: &TransportStats) {
        self.packets_refused += link.packets_refused;
        self.packets_unknown += link.packets_unknown;
        self.nacks_in += link.nacks_received;
        self.keyframe_requests_in += link.keyframe_requests_received;
        self.messages_refused += link.messages_refused;
        self.padding_out += link.padding_sent;
        self.checks_passed_over += link.checks_passed_over;
        self.addresses_dropped += link.addresses_dropped;
        self.rtcp_unsent += link.rtcp_unsent;
        self.feedback_dropped += link.events_dropped;
    }
}

//! Every bound of this crate. What exceeds one is refused with an error naming it; nothing is truncated silently.

use std::time::Duration;

/// Longest SDP text taken from a peer, bytes. The same as the signalling frame limit; a subscriber's answer
/// with [`SDP_SECTIONS_MAX`] video sections stays below it.
pub const SDP_LEN_MAX: usize = 2 * 1024 * 1024;

/// Most m-lines in one SDP: a camera and a microphone of 300 others, data, and a little air.
pub const SDP_SECTIONS_MAX: usize = 2 * 300 + 8;

/// Most `a=ssrc` lines in one SDP. Each distinct SSRC becomes a receive stream with buffers of its own.
pub const SDP_SSRC_LINES_MAX: usize = 1_024;

/// Most simulcast layers (`a=rid`) in one section; the field uses three.
pub const SDP_RIDS_MAX: usize = 8;

/// Most remote candidates over the life of one connection, trickled; those in SDP are not read.
/// We are ICE-lite: they only speed up the first packet.
pub const REMOTE_CANDIDATES_MAX: usize = 64;

/// Longest candidate line, bytes.
pub const CANDIDATE_LEN_MAX: usize = 512;

/// Errors in a row that answer forged ICE checks on one connection; what comes beyond is passed over in silence
/// and counted, because its source address may be somebody else's.
pub const CHECK_REFUSALS_BURST: u32 = 10;

/// After this time there may be one more of them: five in a second.
pub const CHECK_REFUSAL_INTERVAL: Duration = Duration::from_millis(200);

/// Most sections that can be staged and not yet offered on a subscriber connection.
pub const STAGED_TRACKS_MAX: usize = SDP_SECTIONS_MAX;

/// Longest datagram taken from or given to the network, bytes.
pub const DATAGRAM_LEN_MAX: usize = 2_000;

/// Longest RTP payload to send, bytes: what an Ethernet frame can hold.
pub const RTP_PAYLOAD_LEN_MAX: usize = 1_500;

/// Smallest value that `TransportConfig::data_message_len_max` is raised to, bytes.
/// Clients close the channel at messages above the peer's `max-message-size` (they send up to 64 KiB chunks).
pub const DATA_MESSAGE_LEN_MIN: usize = 256 * 1024;

/// Unacknowledged data-channel bytes held per connection; above it [`crate::SendError::Full`].
pub const DATA_BUFFERED_MAX: usize = 1024 * 1024;

/// Length of a `stream_id` or `track_id` in `a=msid` (RFC 8830 section 2).
pub const MSID_TOKEN_LEN_MAX: usize = 64;

/// Received streams (SSRCs) remembered, retransmissions counted; the one not heard for longest makes room.
pub const INBOUND_STREAMS_MAX: usize = 256;

/// Sections with their layers of which something was received; packets of others are dropped.
pub const INBOUND_LAYERS_MAX: usize = 1_024;

/// Senders of RTCP whose numbers are remembered against repetition; the one not heard for longest makes room.
pub const RTCP_SENDERS_MAX: usize = 64;

/// Receivers of one connection whose reference times wait to be answered; the oldest makes room, and learns its
/// round trip later. Clients have one or two.
pub const REFERENCE_TIMES_MAX: usize = 8;

/// Packets of a section behind the highest for which is remembered whether they were sent.
pub const SENT_WINDOW: u64 = 1_024;

/// What may be sent before anything is known of the path, bits per second. Nothing is held back until something says
/// that the path is full, so it only says where looking begins.
pub const BANDWIDTH_START_BPS: u64 = 1_000_000;

/// Least estimate, bits per second: one voice.
pub const BANDWIDTH_MIN_BPS: u64 = 30_000;

/// Greatest estimate, bits per second: nobody receives more.
pub const BANDWIDTH_MAX_BPS: u64 = 100_000_000;

/// Packets go out at this percentage of what the path can take. A little more, so that a larger picture is gone before
/// the next; much more, and a keyframe would fill the queue of the path, in which sound waits, too.
pub(crate) const PACE_PERCENT: u64 = 110;
/// An estimate that moves by less is not told, hundredths of what was told last.
pub const BANDWIDTH_TOLD_PERCENT: u64 = 3;

/// First look at the estimate after the first packet.
pub const BANDWIDTH_FIRST: Duration = Duration::from_millis(100);

/// Time between packets of padding, at least; more than one go out at a time if the rate is higher.
pub const PROBE_TICK: Duration = Duration::from_millis(1);

/// Packets whose time of sending is remembered for transport-wide feedback; a power of two.
pub const SENT_TIMES_MAX: usize = 1_024;

/// Events that wait to be polled; feedback is dropped above it, all else is kept.
pub const EVENTS_MAX: usize = 1_024;

/// From the first packet sent or received to the first report.
pub const REPORT_FIRST: Duration = Duration::from_millis(200);

/// Time between two reports, about.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Round-trip time as long as it is not known.
pub const RTT_UNKNOWN: Duration = Duration::from_millis(100);

/// Longest RTCP datagram that we write, bytes, before encryption.
pub const RTCP_LEN_MAX: usize = 1_150;

/// Deadline answered by a connection that is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_hours(1);

/// Longest datagram that DTLS makes on its own account (handshake), bytes; below every path's limit.
pub const DTLS_DATAGRAM_LEN: usize = 1_200;

/// Longest message given to DTLS, bytes: what fits [`DATAGRAM_LEN_MAX`] with the record around it.
pub const DTLS_DATA_LEN_MAX: usize = DATAGRAM_LEN_MAX - 64;

/// Handshake datagrams of a peer kept until the ones before them come; the connection fails above it.
/// A flight of a browser has six or fewer.
pub const DTLS_QUEUE_IN_MAX: usize = 16;

/// Datagrams waiting inside the DTLS engine; it is emptied after every call.
pub const DTLS_QUEUE_OUT_MAX: usize = 8;

/// Datagrams and messages of DTLS waiting to be polled; the newest are dropped above it.
pub const DTLS_OUTPUTS_MAX: usize = 256;

/// A handshake flight that is not answered is sent again after this; the time doubles with every turn.
pub const DTLS_RESEND_AFTER: Duration = Duration::from_millis(250);

/// How often a flight is sent again.
pub const DTLS_RESENDS_MAX: usize = 7;

/// A handshake that takes longer has failed.
pub const DTLS_HANDSHAKE_MAX: Duration = Duration::from_secs(30);

/// Timers of DTLS further away than this mean "never".
pub const DTLS_TIMER_MAX: Duration = Duration::from_mins(2);

/// Most `a=fingerprint` lines of an SDP that are read.
pub const FINGERPRINTS_MAX: usize = 8;

/// SCTP streams announced, so the numbers that there are; clients number their channels from 0.
pub const SCTP_STREAMS_MAX: u16 = 1_024;

/// SCTP streams that exist at one time, those of channels and those whose end is not confirmed yet.
/// A peer that uses more loses its data channels: each costs memory, and honest ones need three.
pub const SCTP_STREAMS_LIVE_MAX: usize = 256;

/// Longest piece of a message in one SCTP packet, bytes: with all headers around it 1,200 or a little less.
pub const SCTP_PAYLOAD_LEN: u32 = 1_120;

/// Data channels open or opening at one time, with those of unknown labels; more are reset at once.
pub const DATA_CHANNELS_MAX: usize = 16;

/// Smallest receive window of an association, bytes; also what a peer can make us hold, unless messages may
/// be longer than that.
pub const SCTP_WINDOW_MIN: u32 = 1024 * 1024;

/// An unanswered SCTP packet is sent again after this at first, milliseconds.
pub const SCTP_RTO_INITIAL_MS: u64 = 1_000;

/// And after this at the earliest, once the round trip is known, milliseconds.
pub const SCTP_RTO_MIN_MS: u64 = 400;

/// And after this at the latest, milliseconds: an outage that ICE survives must not stop data for a minute.
pub const SCTP_RTO_MAX_MS: u64 = 5_000;

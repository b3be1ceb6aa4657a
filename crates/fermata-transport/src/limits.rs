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

/// SSRC to section mappings remembered on the receive path; forgotten all at once when exceeded.
pub const SSRC_CACHE_MAX: usize = 1_024;

/// Sender reports remembered, one per section and layer; forgotten all at once when exceeded.
pub const SENDER_REPORTS_MAX: usize = 1_024;

/// Streams whose feedback is remembered, one per section, layer and direction; forgotten all at once when exceeded.
pub const STREAM_STATS_MAX: usize = 4_096;

/// How often loss, round-trip time and byte counts are refreshed.
pub const STATS_INTERVAL: Duration = Duration::from_secs(2);

/// Deadline answered by a connection that is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_hours(1);

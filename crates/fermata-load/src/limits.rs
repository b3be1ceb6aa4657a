//! Every bound of the load command.

use std::time::Duration;

/// Most clients in one run.
pub const CLIENTS_MAX: u32 = 1_000;
/// Longest measured time, and longest hold after it, seconds.
pub const SECONDS_MAX: u64 = 600;
/// Most frames a second of a published video.
pub const FPS_MAX: u32 = 60;
/// Most bits a second of a published video.
pub const BITRATE_MAX: u64 = 20_000_000;
/// Most bytes of a published audio packet, and of a data message.
pub const PACKET_LEN_MAX: usize = 1_000;
/// Most data messages a second of one publisher.
pub const MESSAGES_MAX: u32 = 1_000;

/// Streams that one receiver counts; packets of more are counted as unknown.
pub(crate) const STREAMS_MAX: usize = 4_096;
/// How long receivers let packets gather before they read; delays are measured by the kernel's time of arrival.
pub(crate) const GATHER: Duration = Duration::from_millis(1);
/// How often receivers look whether feedback is due.
pub(crate) const FEEDBACK_LOOK: Duration = Duration::from_millis(10);
/// How often a receiver reports (RFC 3550).
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Report blocks of one receiver report (RFC 3550 section 6.4.2).
pub(crate) const REPORT_BLOCKS_MAX: usize = 31;
/// How often a keyframe is asked for until one has come, and how often in all.
pub(crate) const KEYFRAME_AGAIN: Duration = Duration::from_millis(500);
/// See [`KEYFRAME_AGAIN`].
pub(crate) const KEYFRAME_ASKS_MAX: u8 = 20;
/// Round trip assumed for asking again; everything is on one machine.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(20);
/// One packet in so many is decrypted and its delay read.
pub(crate) const SAMPLE_EVERY: u64 = 16;
/// Receive buffer of a receiver's socket, bytes, if the system grants it.
pub(crate) const SOCKET_BUFFER: usize = 4 << 20;
/// Longest feedback datagram before it is sealed, bytes.
pub(crate) const FEEDBACK_LEN_MAX: usize = 1_100;
/// Complaints of clients that a report keeps.
pub(crate) const COMPLAINTS_MAX: usize = 8;
/// Length of one complaint, characters.
pub(crate) const COMPLAINT_LEN_MAX: usize = 300;

//! Every bound of this crate. What exceeds one is refused or given up as its line says, and counted where it
//! is kept.

use std::time::Duration;

/// Longest payload that a ring keeps, bytes. Longer ones are refused; no path takes them in one datagram.
pub const RING_PAYLOAD_LEN_MAX: usize = 1_500;

/// Packets that a ring of a video layer remembers; a power of two.
pub const RING_VIDEO_SLOTS: usize = 512;

/// Packets that a ring of an audio track remembers; a power of two.
pub const RING_AUDIO_SLOTS: usize = 64;

/// First and greatest size of the byte store of a video ring; powers of two. 512 packets of the greatest length
/// fit into half of it.
pub const RING_VIDEO_BYTES: (usize, usize) = (64 * 1024, 2 * 1024 * 1024);

/// First and greatest size of the byte store of an audio ring; powers of two. 64 packets of the greatest
/// length fit.
pub const RING_AUDIO_BYTES: (usize, usize) = (8 * 1024, 128 * 1024);

/// Payloads younger than this are not overwritten while the byte store of their ring may still grow.
pub const RING_KEPT_MIN: Duration = Duration::from_secs(1);

/// Most missing packets of one stream that are asked for at a time; the oldest is given up for a new one.
pub const NACK_OPEN_MAX: usize = 500;

/// How often one packet is asked for before it is given up.
pub const NACK_TRIES_MAX: u8 = 10;

/// How long a missing packet may still be on its way by another path before it is asked for.
pub const NACK_REORDER_DELAY: Duration = Duration::from_millis(10);

/// Shortest wait before the same packet is asked for again; a longer round trip makes it longer.
pub const NACK_AGAIN_MIN: Duration = Duration::from_millis(20);

/// A packet that is missing for so long is given up.
pub const NACK_AGE_MAX: Duration = Duration::from_secs(2);

/// A forward step of more sequence numbers is a new start and not a loss; what is further behind is given up.
pub const NACK_STEP_MAX: u64 = 1_000;

/// Most FCI entries in one generic NACK packet that we write; more lost packets make more NACK packets.
pub const NACK_ENTRIES_MAX: usize = 250;

/// Sequence numbers that an arrival log remembers; a power of two. Older ones are not reported any more.
pub const TWCC_LOG_LEN: usize = 1_024;

/// Most packets in one transport-wide feedback that we write: at most 1,052 bytes.
pub const TWCC_STATUSES_OUT_MAX: usize = 450;

/// Most packets in one transport-wide feedback that we read: what a peer reports later than this is of no
/// use, and a small packet could claim 65,535.
pub const TWCC_STATUSES_IN_MAX: usize = 8_192;

/// Packets so far behind the log that, one after the other, they mean that the sender began anew.
pub const TWCC_OLD_RUN_MAX: u32 = 64;

/// Waiting arrivals that make feedback due at [`TWCC_INTERVAL_MIN`] instead of [`TWCC_INTERVAL_MAX`].
pub const TWCC_PROMPT_COUNT: usize = 10;

/// Shortest time from an arrival to the feedback that reports it.
pub const TWCC_INTERVAL_MIN: Duration = Duration::from_millis(50);

/// Longest time from an arrival to the feedback that reports it.
pub const TWCC_INTERVAL_MAX: Duration = Duration::from_millis(100);

/// Most report blocks in one sender or receiver report, and SSRCs in one goodbye (5 bits on the wire).
pub const RTCP_COUNT_MAX: usize = 31;

/// Most receivers told of in one extended report that we write (a block has room for 21,845); the rest is told
/// nothing.
pub const EXTENDED_DELAYS_MAX: usize = 50;

/// A forward step of more sequence numbers is a new start in the statistics (RFC 3550 A.1, `MAX_DROPOUT`).
pub const RECEIVER_STEP_MAX: u64 = 3_000;

/// A change of transit time beyond this is a new start of the sender's clock and not jitter.
pub const JITTER_STEP_MAX: Duration = Duration::from_secs(5);

/// Most templates in the structure of a dependency descriptor (6 bits on the wire).
pub const DEPENDENCY_TEMPLATES_MAX: usize = 64;

/// Spatial layers of a structure lie below this; one with more is not understood. Encoders have three.
pub const DEPENDENCY_SPATIAL_MAX: u8 = 4;

/// Temporal layers of a structure lie below this; one with more is not understood. Encoders have three.
pub const DEPENDENCY_TEMPORAL_MAX: u8 = 8;

/// Most frames that one frame refers to; a descriptor that names more is not understood. AV1 has seven references.
pub const DEPENDENCY_DIFFERENCES_MAX: usize = 8;

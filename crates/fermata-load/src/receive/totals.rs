//! Sums over receivers.

use crate::figures::Histogram;
use crate::spacing::Deviations;

/// What receivers have counted since they began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// Media packets, each once, repaired ones included.
    pub(crate) packets: u64,
    /// Bytes of their datagrams.
    pub(crate) bytes: u64,
    /// Packets that are still missing between the first and the last of their streams.
    pub(crate) lost: u64,
    /// Packets that came again on their own stream.
    pub(crate) duplicates: u64,
    /// Packets behind a later one.
    pub(crate) reordered: u64,
    /// Packets that came by retransmission alone.
    pub(crate) repaired: u64,
    /// Retransmitted packets, needed or not.
    pub(crate) retransmissions: u64,
    /// Packets without a payload.
    pub(crate) padding: u64,
    /// Packets asked for again, as often as they were.
    pub(crate) asked: u64,
    /// Keyframes asked for.
    pub(crate) keyframes_asked: u64,
    /// Sampled packets that could not be decrypted.
    pub(crate) unopened: u64,
    /// Packets of streams that no description told of.
    pub(crate) unknown: u64,
    /// Feedback datagrams sent.
    pub(crate) feedback: u64,
    /// Tracks of which packets came.
    pub(crate) tracks: usize,
    /// One-way delays since the measuring began.
    pub(crate) delays: Histogram,
    /// How evenly packets arrived since then.
    pub(crate) deviations: Deviations,
    /// From the beginning, or from when it was told, to the first whole frame of each track, microseconds.
    pub(crate) first_frames: Vec<u64>,
    /// The same to the first packet.
    pub(crate) first_packets: Vec<u64>,
}

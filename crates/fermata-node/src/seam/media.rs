//! Media hand-off: a publisher's packets on their way to another shard that has subscribers of them.
//! One machine with one shard: there is none.

use fermata_types::TrackSid;
use serde::{Deserialize, Serialize};

/// One RTP packet, decrypted and parsed once by the publisher's shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaPacket {
    /// The track it belongs to.
    pub track: TrackSid,
    /// The simulcast layer, 0 is the lowest.
    pub layer: u8,
    /// Extended sequence number.
    pub seq: u64,
    /// RTP time, ticks of the codec's clock.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// Codec payload.
    pub payload: Vec<u8>,
}

/// The way to another shard.
pub trait HandOff: Send + std::fmt::Debug {
    /// Hands a packet over; false if the way is full and the packet was dropped.
    fn hand_over(&mut self, packet: MediaPacket) -> bool;
}

/// The hand-off of a single shard: there is no other, so nothing is ever taken.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOtherShard;

impl HandOff for NoOtherShard {
    fn hand_over(&mut self, _packet: MediaPacket) -> bool {
        false
    }
}

//! What comes out of a connection, and the two shapes of an RTP packet.

use std::time::{Instant, SystemTime};

use fermata_rtp::Codec;
use fermata_rtp::dependency::Rewrite;
use fermata_rtp::vp8::Numbers;

use crate::config::Channel;
use crate::id::{Mid, Rid};

/// Something that happened on a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// ICE and DTLS are up, for the first time or again after [`Event::Disconnected`].
    Connected,
    /// The peer's ICE checks stopped coming. It may come back, with or without an ICE restart.
    Disconnected,
    /// The connection ended: by the peer, by [`crate::Transport::close`] or by a failure. The last event.
    Closed,
    /// The peer asks for a keyframe on a section we send (PLI or FIR).
    KeyframeRequested {
        /// The section.
        mid: Mid,
    },
    /// The peer misses packets of a section we send; [`crate::Transport::send_rtx`] sends them again.
    Nack {
        /// The section.
        mid: Mid,
        /// Which ones.
        lost: Lost,
    },
    /// A data channel can be written to.
    ChannelOpened(Channel),
    /// A message on one of the known channels. Messages on others are dropped.
    Data {
        /// On which channel.
        channel: Channel,
        /// Binary or text.
        binary: bool,
        /// The message, at most `data_message_len_max` bytes.
        data: Vec<u8>,
    },
    /// How much the path to the peer can take has changed.
    BandwidthEstimate(Estimate),
}

/// How much the path to the peer can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// What it can take, bits per second on the wire.
    pub bps: u64,
    /// How fast packets should go out, bits per second on the wire, once the path was found to be narrow; `None`: as
    /// fast as they come.
    pub pace_bps: Option<u64>,
    /// Something says that no more gets through: delays that grow, loss, the peer, or its silence. If not, `bps` is
    /// only what was tried so far.
    pub limited: bool,
    /// How many of a hundred packets are lost whatever is sent, 0 to 20.
    pub inherent_loss_percent: u8,
}

/// 1 to 64 extended sequence numbers, as given to [`crate::Transport::send_rtp`], within a run of 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The lowest.
    first: u64,
    /// Bit `n`: `first + n` is one of them.
    bits: u64,
}

impl Lost {
    /// One number.
    pub fn new(seq: u64) -> Self {
        Self { first: seq, bits: 1 }
    }

    /// Adds a number; false, with nothing changed, if it is below the lowest or too far above it.
    pub fn add(&mut self, seq: u64) -> bool {
        let Some(distance @ 0..=63) = seq.checked_sub(self.first) else { return false };
        self.bits |= 1 << distance;
        true
    }

    /// The numbers, rising.
    pub fn iter(&self) -> impl Iterator<Item = u64> + use<> {
        let Self { first, mut bits } = *self;
        std::iter::from_fn(move || {
            let lowest = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(first.wrapping_add(u64::from(lowest)))
        })
    }

    /// How many there are, 1 to 64.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.bits.count_ones() as usize
    }
}

/// A media packet from the peer: decrypted, not reordered, a retransmission already put back in its place.
#[derive(Debug, Clone, Copy)]
pub struct RtpIn<'d> {
    /// Section it belongs to.
    pub mid: Mid,
    /// Simulcast layer; `None` without simulcast.
    pub rid: Option<Rid>,
    /// What the payload holds, by its payload type.
    pub codec: Codec,
    /// Sequence number extended beyond 16 bits; grows per section and layer, also when the layer goes on under
    /// another SSRC; may arrive out of order, never twice.
    pub seq: u64,
    /// RTP timestamp in ticks of the codec's clock.
    pub timestamp: u32,
    /// Marker bit: last packet of a frame for video, first of a talk spurt for audio.
    pub marker: bool,
    /// Payload without header and padding. Empty: padding alone, sent to probe the path.
    pub payload: &'d [u8],
    /// Its dependency descriptor; never with VP8, which says everything in its payload.
    pub dependency: Option<&'d [u8]>,
    /// When the datagram arrived.
    pub arrived: Instant,
    /// Audio level, -127 to 0 dBov (RFC 6464).
    pub audio_level_db: Option<i8>,
    /// The sender's voice activity flag (RFC 6464).
    pub voice_activity: Option<bool>,
}

/// A media packet to the peer.
#[derive(Debug, Clone, Copy)]
pub struct RtpOut<'a> {
    /// What the payload holds; chooses the payload type.
    pub codec: Codec,
    /// Extended sequence number: the low 16 bits go on the wire, bits 16 to 47 are the rollover counter.
    /// The first of a section must be below 65,536; goes on across m-line reuse.
    pub seq: u64,
    /// RTP timestamp; goes on across m-line reuse.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// At most [`crate::limits::RTP_PAYLOAD_LEN_MAX`] bytes.
    pub payload: &'a [u8],
    /// What goes into the VP8 payload descriptor in the place of what is there.
    pub vp8: Option<Numbers>,
    /// Its dependency descriptor; left out where that was not agreed.
    pub dependency: Option<DependencyOut<'a>>,
    /// Audio level, -127 to 0 dBov (RFC 6464).
    pub audio_level_db: Option<i8>,
    /// Voice activity flag (RFC 6464).
    pub voice_activity: Option<bool>,
    /// The moment `timestamp` stands for, on our clock; goes into sender reports.
    pub at: Instant,
}

/// A dependency descriptor on its way out.
#[derive(Debug, Clone, Copy)]
pub struct DependencyOut<'a> {
    /// As it came, at most [`fermata_rtp::dependency::DESCRIPTOR_LEN_MAX`] bytes.
    pub descriptor: &'a [u8],
    /// How many decode targets its stream has, 1 to 32.
    pub targets: u8,
    /// What is changed.
    pub rewrite: Rewrite,
}

/// Dense name of a sending section of one connection; see [`crate::Transport::send_slot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SendSlot(pub(crate) u16);

impl SendSlot {
    /// Its number, counted from 0 and below [`crate::limits::SDP_SECTIONS_MAX`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The peer's latest sender report of a section and layer: a point on its RTP clock and on its wall clock.
/// Two layers of one track share the wall clock, which aligns their timestamps (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// RTP timestamp of the point.
    pub rtp_time: u32,
    /// The same point on the peer's wall clock, which may be far from ours.
    pub ntp: SystemTime,
    /// When the report arrived here.
    pub received: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_numbers_keep_their_order() {
        let mut lost = Lost::new(1_000);
        for (seq, taken) in [(999, false), (1_063, true), (1_064, false), (1_001, true)] {
            assert_eq!(lost.add(seq), taken, "{seq}");
        }
        assert_eq!(lost.iter().collect::<Vec<_>>(), [1_000, 1_001, 1_063]);
        assert_eq!(lost.len(), 3);
    }
}

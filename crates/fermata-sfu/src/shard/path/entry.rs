//! One packet as it goes out to one receiver, in 16 bytes.

use fermata_rtp::dependency::Rewrite;
use fermata_rtp::vp8::Numbers;
use fermata_transport::Codec;

use crate::forward::{LayerIndex, Sending};

/// Bits of `marks`.
const LAYER_BITS: u16 = 0b11;
const MARKER: u16 = 1 << 2;
const PRIMARY: u16 = 1 << 3;
const CODEC_SHIFT: u32 = 4;
const CODEC_BITS: u16 = 0b1111;
const USED: u16 = 1 << 8;
const ROUND_SHIFT: u32 = 9;

/// How a packet of a ring goes out, but for its sequence number, which says where the entry is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    /// Low bits of the number under which it came.
    source: u32,
    /// Outgoing RTP time.
    timestamp: u32,
    /// Outgoing VP8 picture number, or frame number of the dependency descriptor.
    picture: u16,
    /// Outgoing VP8 TL0PICIDX and KEYIDX, or decode targets that are sent.
    others: [u8; 2],
    /// Layer, marker, codec, whether the entry is one, and in which round of the history.
    marks: u16,
    /// When it was sent again, milliseconds of the shard's clock; 0 = never.
    again_ms: u16,
}

impl Entry {
    /// The decision about the packet that came as `source`. `primary`: only the plain block of redundant audio goes
    /// out.
    pub(crate) fn new(
        source: u64,
        layer: LayerIndex,
        codec: Codec,
        primary: bool,
        sending: &Sending,
    ) -> Self {
        // Where the payload has no such field, what stands here is not used.
        let (picture, others) = match (sending.vp8, sending.dependency) {
            (Some(numbers), _) => {
                let others = [numbers.tl0_pic_idx.unwrap_or(0), numbers.key_idx.unwrap_or(0)];
                (numbers.picture_id.unwrap_or(0), others)
            }
            (None, Some(Rewrite { number, active })) => {
                (number, u16::try_from(active).unwrap_or(0).to_be_bytes())
            }
            (None, None) => (0, [0; 2]),
        };
        let marks = u16::from(layer.0) & LAYER_BITS
            | if sending.marker { MARKER } else { 0 }
            | if primary { PRIMARY } else { 0 }
            | (codec as u16) << CODEC_SHIFT
            | USED;
        #[expect(clippy::cast_possible_truncation, reason = "low bits are meant")]
        let source = source as u32;
        Self { source, timestamp: sending.timestamp, picture, others, marks, again_ms: 0 }
    }

    /// Low bits of the number under which the packet came.
    pub(crate) fn source(&self) -> u32 {
        self.source
    }

    /// The layer in whose ring it is.
    pub(crate) fn layer(&self) -> LayerIndex {
        LayerIndex((self.marks & LAYER_BITS) as u8)
    }

    /// Outgoing RTP time.
    pub(crate) fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Marker bit.
    pub(crate) fn marker(&self) -> bool {
        self.marks & MARKER != 0
    }

    /// Only the plain block of redundant audio goes out.
    pub(crate) fn primary(&self) -> bool {
        self.marks & PRIMARY != 0
    }

    /// In which codec.
    pub(crate) fn codec(&self) -> Codec {
        let place = usize::from(self.marks >> CODEC_SHIFT & CODEC_BITS);
        Codec::ALL.get(place).copied().unwrap_or(Codec::Opus)
    }

    /// Outgoing numbers of a VP8 picture.
    pub(crate) fn vp8(&self) -> Option<Numbers> {
        let Self { picture, others: [tl0_pic_idx, key_idx], .. } = *self;
        (self.codec() == Codec::Vp8).then_some(Numbers {
            picture_id: Some(picture),
            tl0_pic_idx: Some(tl0_pic_idx),
            key_idx: Some(key_idx),
        })
    }

    /// What changes in the dependency descriptor of a packet that has one.
    pub(crate) fn dependency(&self) -> Rewrite {
        Rewrite { number: self.picture, active: u16::from_be_bytes(self.others).into() }
    }

    /// The same in a round of the history.
    pub(super) fn in_round(self, round: u16) -> Self {
        Self { marks: self.marks & !(u16::MAX << ROUND_SHIFT) | round << ROUND_SHIFT, ..self }
    }

    /// Is it one, of this round of the history?
    pub(super) fn is_of_round(&self, round: u16) -> bool {
        self.marks & USED != 0 && self.marks >> ROUND_SHIFT == round & (u16::MAX >> ROUND_SHIFT)
    }

    /// Was it sent again less than `pause_ms` ago? Forgotten after a minute.
    pub(super) fn sent_again_within(&self, now_ms: u16, pause_ms: u16) -> bool {
        self.again_ms != 0 && now_ms.wrapping_sub(self.again_ms) < pause_ms
    }

    /// It is sent again now.
    pub(super) fn note_again(&mut self, now_ms: u16) {
        self.again_ms = now_ms.max(1);
    }
}

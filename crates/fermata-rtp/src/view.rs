//! What forwarding must know about one video payload, whatever the codec.

use crate::{Codec, av1, h264, h265, vp8, vp9};

/// Width and height of a picture in pixels, as the bitstream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameSize {
    /// 1 to 65,536.
    pub width: u32,
    /// 1 to 65,536.
    pub height: u32,
}

impl FrameSize {
    /// A size, unless one side is zero or beyond 65,536 (the largest that AV1 can write).
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let good = 1..=65_536;
        (good.contains(&width) && good.contains(&height)).then_some(Self { width, height })
    }

    /// Pixels.
    pub fn area(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Most spatial layers that a payload can tell apart (3 bits in VP9).
pub const SPATIAL_LAYERS_MAX: usize = 8;

/// What one video payload shows without decoding. For audio everything is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent marks of the wire formats")]
pub struct View {
    /// The payload is one of its codec, as far as was looked. Others must not be forwarded.
    pub understood: bool,
    /// A decoder that knows nothing of the stream can begin with this packet.
    /// True only for the first packet of such a picture (for H264 and H265: its parameter sets).
    pub keyframe: bool,
    /// This packet begins a picture (VP9: a layer's frame).
    pub frame_start: bool,
    /// This packet ends a layer's frame, where the payload says so (VP9).
    pub frame_end: bool,
    /// Size of the picture; of the highest spatial layer if there are several.
    pub size: Option<FrameSize>,
    /// Sizes of spatial layers, where the payload tells them apart (VP9 scalability structure).
    pub spatial_sizes: [Option<FrameSize>; SPATIAL_LAYERS_MAX],
    /// Spatial layer, 0 to 7 (VP9).
    pub spatial: Option<u8>,
    /// Temporal layer, 0 to 7 (VP8, VP9, H265).
    pub temporal: Option<u8>,
    /// A receiver of lower temporal layers may begin to take this one here (VP8 Y, VP9 U).
    pub switch_up: bool,
}

impl View {
    /// Looks at a payload. Anything that cannot be understood gives a view with nothing in it.
    pub fn of(codec: Codec, payload: &[u8]) -> Self {
        match codec {
            Codec::Opus | Codec::Red | Codec::Pcmu | Codec::Pcma => {
                Self { understood: !payload.is_empty(), ..Self::default() }
            }
            Codec::Vp8 => vp8::view(payload),
            Codec::Vp9 => vp9::view(payload),
            Codec::H264 => h264::view(payload),
            Codec::H265 => h265::view(payload),
            Codec::Av1 => av1::view(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for codec in Codec::ALL {
                let view = View::of(*codec, &bytes);
                prop_assert!(view.understood || view == View::default());
                prop_assert!(!view.keyframe || view.frame_start);
                let spatial = view.spatial.unwrap_or(0);
                prop_assert!(usize::from(spatial) < SPATIAL_LAYERS_MAX);
            }
        }

        /// Random bytes are seldom parameter sets; these are steered to where the parsers go deep.
        #[test]
        fn steered_bytes_are_taken(
            head in prop::sample::select(
                &[0x67_u8, 0x78, 0x7c, 0x42, 0x60, 0x62, 0x18, 0x08, 0x90, 0xaa][..],
            ),
            bytes in prop::collection::vec(
                prop::sample::select(&[0_u8, 1, 3, 7, 8, 0x10, 0x42, 0x64, 0x80, 0xff][..]),
                0..120,
            ),
        ) {
            let payload = [&[head][..], &bytes].concat();
            for codec in Codec::ALL {
                let view = View::of(*codec, &payload);
                prop_assert!(!view.keyframe || view.understood);
            }
        }
    }
}

//! VP9 payloads (RFC 9628): the descriptor with its scalability structure, and the keyframe header.

use crate::bits::Bits;
use crate::{FrameSize, SPATIAL_LAYERS_MAX, View};

/// Most reference differences in a descriptor (RFC 9628 section 4.2).
const REFERENCES_MAX: usize = 3;

/// A cursor over whole bytes.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn side(&mut self) -> Option<u32> {
        Some(u32::from(u16::from_be_bytes([self.byte()?, self.byte()?])))
    }
}

/// Looks at a VP9 payload. The descriptor is never encrypted; the frame header may be, then there is
/// no size but that of a scalability structure.
pub(crate) fn view(payload: &[u8]) -> View {
    parse(payload).unwrap_or_default()
}

fn parse(payload: &[u8]) -> Option<View> {
    let mut bytes = Bytes(payload);
    let flags = bytes.byte()?;
    let has = |bit: u8| flags & bit != 0;
    let (picture_id, inter_picture, layered, flexible) =
        (has(0x80), has(0x40), has(0x20), has(0x10));
    let mut view =
        View { understood: true, frame_start: has(0x08), frame_end: has(0x04), ..View::default() };
    if picture_id && bytes.byte()? & 0x80 != 0 {
        bytes.byte()?;
    }
    if layered {
        let layer = bytes.byte()?;
        view.temporal = Some(layer >> 5);
        view.switch_up = layer & 0x10 != 0;
        view.spatial = Some(layer >> 1 & 0x07);
        if !flexible {
            bytes.byte()?; // TL0PICIDX
        }
    }
    if flexible && inter_picture {
        for _ in 0..REFERENCES_MAX {
            if bytes.byte()? & 0x01 == 0 {
                break;
            }
        }
    }
    if has(0x02) {
        scalability_structure(&mut bytes, &mut view)?;
    }
    if bytes.0.is_empty() {
        return None;
    }
    view.keyframe = view.frame_start && !inter_picture && view.spatial.unwrap_or(0) == 0;
    if view.keyframe && view.size.is_none() {
        view.size = keyframe_size(bytes.0);
    }
    Some(view)
}

/// RFC 9628 section 4.2.1. Picture groups are passed over.
fn scalability_structure(bytes: &mut Bytes<'_>, view: &mut View) -> Option<()> {
    let head = bytes.byte()?;
    if head & 0x10 != 0 {
        let layers = usize::from(head >> 5) + 1;
        for slot in view.spatial_sizes.iter_mut().take(layers.min(SPATIAL_LAYERS_MAX)) {
            *slot = FrameSize::new(bytes.side()?, bytes.side()?);
            if slot.is_some() {
                view.size = *slot;
            }
        }
    }
    if head & 0x08 != 0 {
        for _ in 0..bytes.byte()? {
            let references = bytes.byte()? >> 2 & 0x03;
            for _ in 0..references {
                bytes.byte()?;
            }
        }
    }
    Some(())
}

/// Size in a keyframe's uncompressed header (VP9 bitstream specification, section 6.2).
fn keyframe_size(frame: &[u8]) -> Option<FrameSize> {
    const SYNC_CODE: u32 = 0x0049_8342;
    const COLOR_SPACE_RGB: u32 = 7;
    let mut bits = Bits::new(frame);
    if bits.number(2)? != 2 {
        return None;
    }
    let profile = bits.number(1)? | bits.number(1)? << 1;
    if profile == 3 {
        bits.skip(1);
    }
    let shows_existing = bits.flag()?;
    let inter = bits.flag()?;
    bits.skip(2);
    if shows_existing || inter || bits.number(24)? != SYNC_CODE {
        return None;
    }
    if profile >= 2 {
        bits.skip(1);
    }
    let subsampling_told = profile == 1 || profile == 3;
    match (bits.number(3)? == COLOR_SPACE_RGB, subsampling_told) {
        (true, false) => return None,
        (false, true) => bits.skip(4),
        (true, true) | (false, false) => bits.skip(1),
    }
    FrameSize::new(bits.number(16)? + 1, bits.number(16)? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    /// Profile 0 keyframe header of 640x360 as libvpx writes it: marker, sync code, BT.601, size.
    /// The size begins at bit 36: 0x27f and 0x167 in 16 bits each.
    const HEADER_640X360: [u8; 9] = [0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70];

    #[test]
    fn keyframe_header_without_layers() {
        let payload = [&[0x8c, 0x81, 0x23][..], &HEADER_640X360].concat();
        let view = View::of(Codec::Vp9, &payload);
        assert!(view.understood && view.keyframe && view.frame_start && view.frame_end);
        assert_eq!(view.size, FrameSize::new(640, 360));
        assert_eq!((view.spatial, view.temporal), (None, None));
        let encrypted = View::of(Codec::Vp9, &[0x8c, 0x81, 0x23, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(encrypted.keyframe && encrypted.size.is_none());
    }

    #[test]
    fn scalability_structure_of_three_layers() {
        // I L B V, sid 0; three sizes and a group of two pictures, as libwebrtc sends with L3T2.
        let mut payload = vec![0xaa, 0x81, 0x23, 0x00, 0x05, 0x58];
        for (width, height) in [(320_u16, 180_u16), (640, 360), (1280, 720)] {
            payload.extend(width.to_be_bytes());
            payload.extend(height.to_be_bytes());
        }
        payload.extend([0x02, 0x00, 0x34, 0x01, 0xee]);
        let view = View::of(Codec::Vp9, &payload);
        assert!(view.keyframe);
        assert_eq!(view.size, FrameSize::new(1280, 720));
        assert_eq!(view.spatial_sizes[0], FrameSize::new(320, 180));
        assert_eq!(view.spatial_sizes[1], FrameSize::new(640, 360));
        assert_eq!(view.spatial_sizes[3], None);
        for len in 0..payload.len() {
            assert!(!View::of(Codec::Vp9, &payload[..len]).understood, "{len}");
        }
    }

    #[test]
    fn layers_of_delta_frames() {
        // I P L F B E Z: flexible mode, tid 1, U, sid 2, D, one reference with one more behind it.
        let view = View::of(Codec::Vp9, &[0xfd, 0x05, 0x35, 0x03, 0x04, 0xee]);
        assert!(view.understood && !view.keyframe);
        assert_eq!((view.spatial, view.temporal), (Some(2), Some(1)));
        assert!(view.switch_up);
        assert!(view.frame_end);
        // An upper layer of a keyframe picture is not where a decoder may begin.
        assert!(!View::of(Codec::Vp9, &[0xa8, 0x05, 0x03, 0x00, 0xee]).keyframe);
    }
}

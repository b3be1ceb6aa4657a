//! H.264 payloads (RFC 6184): where parameter sets come, and the size in them.

use crate::bits::{Bits, Unescaped};
use crate::{FrameSize, View};

const NAL_SPS: u8 = 7;
const NAL_STAP_A: u8 = 24;
const NAL_FU_A: u8 = 28;
/// Most units of one aggregation packet that are looked at.
const AGGREGATED_MAX: usize = 32;

/// Looks at an H.264 payload. A keyframe begins with its sequence parameter set.
/// LiveKit's frame encryption leaves parameter sets in the clear.
pub(crate) fn view(payload: &[u8]) -> View {
    let Some((&first, rest)) = payload.split_first() else { return View::default() };
    let mut view = View { understood: true, ..View::default() };
    match first & 0x1f {
        NAL_SPS => found(&mut view, rest),
        NAL_STAP_A => {
            let mut rest = rest;
            for _ in 0..AGGREGATED_MAX {
                let Some((unit, behind)) = sized(rest) else { break };
                if let Some((&header, body)) = unit.split_first()
                    && header & 0x1f == NAL_SPS
                {
                    found(&mut view, body);
                    break;
                }
                rest = behind;
            }
        }
        NAL_FU_A => {
            // Start bit and the type of the unit; the rest of the fragment is the unit's body.
            if let Some((&header, body)) = rest.split_first()
                && header & 0x80 != 0
                && header & 0x1f == NAL_SPS
            {
                found(&mut view, body);
            }
        }
        _ => {}
    }
    view
}

fn found(view: &mut View, sps: &[u8]) {
    view.keyframe = true;
    view.frame_start = true;
    view.size = sps_size(sps);
}

/// A unit behind its 16-bit size, and what follows it.
pub(crate) fn sized(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = data.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*size)))
}

/// Size in a sequence parameter set without its header byte (H.264 section 7.3.2.1.1).
fn sps_size(sps: &[u8]) -> Option<FrameSize> {
    let unescaped = Unescaped::new(sps);
    let mut bits = unescaped.bits();
    let profile = bits.number(8)?;
    bits.skip(16);
    bits.exp_golomb()?;
    let mut chroma = 1;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma = high_profile(&mut bits)?;
    }
    bits.exp_golomb()?;
    picture_order(&mut bits)?;
    bits.exp_golomb()?;
    bits.skip(1);
    let width = (bits.exp_golomb()? + 1) * 16;
    let map_units = (bits.exp_golomb()? + 1) * 16;
    let frames_only = bits.flag()?;
    let fields = if frames_only { 1 } else { 2 };
    if !frames_only {
        bits.skip(1);
    }
    bits.skip(1);
    let height = map_units * fields;
    if !bits.flag()? {
        return FrameSize::new(width, height);
    }
    let (crop_x, crop_y) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let horizontal = (bits.exp_golomb()? + bits.exp_golomb()?) * crop_x;
    let vertical = (bits.exp_golomb()? + bits.exp_golomb()?) * crop_y * fields;
    FrameSize::new(width.checked_sub(horizontal)?, height.checked_sub(vertical)?)
}

/// The extra fields of the high profiles; returns the chroma format.
fn high_profile(bits: &mut Bits<'_>) -> Option<u32> {
    let chroma = bits.exp_golomb()?;
    let mut separate_planes = false;
    if chroma == 3 {
        separate_planes = bits.flag()?;
    }
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    bits.skip(1);
    if bits.flag()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.flag()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(if separate_planes { 0 } else { chroma })
}

/// Passes over a scaling list (H.264 section 7.3.2.1.1.1).
fn scaling_list(bits: &mut Bits<'_>, len: usize) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..len {
        if next != 0 {
            next = (last + bits.exp_golomb_signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// Passes over the picture order count.
fn picture_order(bits: &mut Bits<'_>) -> Option<()> {
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?;
        }
        1 => {
            bits.skip(1);
            bits.exp_golomb_signed()?;
            bits.exp_golomb_signed()?;
            let frames = bits.exp_golomb()?;
            if frames > 255 {
                return None;
            }
            for _ in 0..frames {
                bits.exp_golomb_signed()?;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    /// Constrained baseline, 640x360 (cropped from 640x368), from x264.
    const BASELINE_640X360: &[u8] =
        &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03];
    /// High, 1920x1080 (cropped from 1920x1088), from x264.
    const HIGH_1080P: &[u8] =
        &[0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00];

    fn check(payload: &[u8], keyframe: bool, size: Option<(u32, u32)>) {
        let view = View::of(Codec::H264, payload);
        assert_eq!(view.keyframe, keyframe, "{payload:02x?}");
        assert_eq!(view.size, size.and_then(|(w, h)| FrameSize::new(w, h)), "{payload:02x?}");
    }

    #[test]
    fn parameter_sets_wherever_they_come() {
        check(BASELINE_640X360, true, Some((640, 360)));
        check(HIGH_1080P, true, Some((1920, 1080)));
        let pps = [0x68, 0xce, 0x3c, 0x80];
        let mut stap = vec![0x78, 0, 4];
        stap.extend(pps);
        check(&stap, false, None);
        stap.extend([0, u8::try_from(HIGH_1080P.len()).expect("short")]);
        stap.extend(HIGH_1080P);
        check(&stap, true, Some((1920, 1080)));
        let fragment = [&[0x7c, 0x87][..], &BASELINE_640X360[1..]].concat();
        check(&fragment, true, Some((640, 360)));
        let second = [&[0x7c, 0x07][..], &BASELINE_640X360[1..]].concat();
        check(&second, false, None);
        check(&[0x65, 0x88], false, None);
        check(&[0x41, 0x9a], false, None);
        check(&BASELINE_640X360[..5], true, None);
        assert!(!View::of(Codec::H264, &[]).understood);
    }
}

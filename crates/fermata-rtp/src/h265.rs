//! H.265 payloads (RFC 7798): where parameter sets come, the size in them, and the temporal layer.

use crate::bits::{Bits, Unescaped};
use crate::h264::sized;
use crate::{FrameSize, View};

const NAL_VPS: u8 = 32;
const NAL_SPS: u8 = 33;
const NAL_AGGREGATION: u8 = 48;
const NAL_FRAGMENT: u8 = 49;
/// Most units of one aggregation packet that are looked at.
const AGGREGATED_MAX: usize = 32;

/// Looks at an H.265 payload. A keyframe begins with its parameter sets.
pub(crate) fn view(payload: &[u8]) -> View {
    let Some((header, rest)) = payload.split_first_chunk::<2>() else { return View::default() };
    let mut view =
        View { understood: true, temporal: (header[1] & 0x07).checked_sub(1), ..View::default() };
    match nal_type(header[0]) {
        kind @ (NAL_VPS | NAL_SPS) => found(&mut view, kind, rest),
        NAL_AGGREGATION => {
            let mut rest = rest;
            for _ in 0..AGGREGATED_MAX {
                let Some((unit, behind)) = sized(rest) else { break };
                if let Some((header, body)) = unit.split_first_chunk::<2>() {
                    found(&mut view, nal_type(header[0]), body);
                }
                rest = behind;
            }
        }
        NAL_FRAGMENT => {
            if let Some((&fragment, body)) = rest.split_first()
                && fragment & 0x80 != 0
            {
                found(&mut view, fragment & 0x3f, body);
            }
        }
        _ => {}
    }
    view
}

fn nal_type(byte: u8) -> u8 {
    byte >> 1 & 0x3f
}

fn found(view: &mut View, kind: u8, body: &[u8]) {
    if !matches!(kind, NAL_VPS | NAL_SPS) {
        return;
    }
    view.keyframe = true;
    view.frame_start = true;
    if kind == NAL_SPS {
        view.size = sps_size(body);
    }
}

/// Size in a sequence parameter set without its two header bytes (H.265 section 7.3.2.2.1).
fn sps_size(sps: &[u8]) -> Option<FrameSize> {
    let unescaped = Unescaped::new(sps);
    let mut bits = unescaped.bits();
    bits.skip(4);
    let sub_layers = bits.number(3)?;
    bits.skip(1);
    profile_tier_level(&mut bits, sub_layers)?;
    bits.exp_golomb()?;
    let chroma = bits.exp_golomb()?;
    let separate_planes = chroma == 3 && bits.flag()?;
    let width = bits.exp_golomb()?;
    let height = bits.exp_golomb()?;
    if !bits.flag()? {
        return FrameSize::new(width, height);
    }
    let (crop_x, crop_y) = match (chroma, separate_planes) {
        (1, false) => (2, 2),
        (2, false) => (2, 1),
        _ => (1, 1),
    };
    let horizontal = (bits.exp_golomb()? + bits.exp_golomb()?) * crop_x;
    let vertical = (bits.exp_golomb()? + bits.exp_golomb()?) * crop_y;
    FrameSize::new(width.checked_sub(horizontal)?, height.checked_sub(vertical)?)
}

/// Passes over profile, tier and level (H.265 section 7.3.3).
fn profile_tier_level(bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    bits.skip(96);
    let (mut profiles, mut levels) = (0_usize, 0_usize);
    for _ in 0..sub_layers {
        profiles += usize::from(bits.flag()?);
        levels += usize::from(bits.flag()?);
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - usize::try_from(sub_layers).ok()?));
    }
    bits.skip(profiles * 88 + levels * 8);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    /// Main profile, 1280x720, from x265.
    const SPS_720P: &[u8] = &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0xa4, 0x93,
    ];

    #[test]
    fn parameter_sets_wherever_they_come() {
        let check = |payload: &[u8], keyframe: bool, size: Option<(u32, u32)>| {
            let view = View::of(Codec::H265, payload);
            assert_eq!(view.keyframe, keyframe, "{payload:02x?}");
            assert_eq!(view.size, size.and_then(|(w, h)| FrameSize::new(w, h)), "{payload:02x?}");
        };
        check(SPS_720P, true, Some((1280, 720)));
        check(&[0x40, 0x01, 0x0c], true, None);
        check(&[0x26, 0x01, 0xaf], false, None);
        check(&[0x02, 0x01, 0xd0], false, None);
        let mut aggregated = vec![0x60, 0x01, 0, 3, 0x40, 0x01, 0x0c, 0];
        aggregated.push(u8::try_from(SPS_720P.len()).expect("short"));
        aggregated.extend(SPS_720P);
        check(&aggregated, true, Some((1280, 720)));
        let fragment = [&[0x62, 0x01, 0xa1][..], &SPS_720P[2..]].concat();
        check(&fragment, true, Some((1280, 720)));
        check(&[&[0x62, 0x01, 0x21][..], &SPS_720P[2..]].concat(), false, None);
        check(&[0x42], false, None);
        assert_eq!(View::of(Codec::H265, &[0x02, 0x02, 0xd0]).temporal, Some(1));
    }
}

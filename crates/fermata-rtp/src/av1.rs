//! AV1 payloads ("RTP Payload Format For AV1" 1.0): aggregation header and sequence header.

use crate::bits::Bits;
use crate::{FrameSize, View};

const OBU_SEQUENCE_HEADER: u8 = 1;
/// Most elements of one packet that are looked at; a sequence header comes first or second.
const ELEMENTS_MAX: usize = 8;

/// Looks at an AV1 payload. A new coded video sequence (N bit) is where a decoder may begin.
pub(crate) fn view(payload: &[u8]) -> View {
    let Some((&aggregation, rest)) = payload.split_first() else { return View::default() };
    if rest.is_empty() {
        return View::default();
    }
    let continues = aggregation & 0x80 != 0;
    let count = usize::from(aggregation >> 4 & 0x03);
    let new_sequence = aggregation & 0x08 != 0 && !continues;
    View {
        understood: true,
        keyframe: new_sequence,
        frame_start: new_sequence,
        size: if new_sequence {
            sequence_header(rest, count).and_then(sequence_size)
        } else {
            None
        },
        ..View::default()
    }
}

/// Finds the sequence header among the elements. `count` of 0 means that each has its length in front;
/// otherwise the last one has none (sections 4.3 and 4.4).
fn sequence_header(mut rest: &[u8], count: usize) -> Option<&[u8]> {
    for index in 0..ELEMENTS_MAX {
        if count != 0 && index >= count {
            return None;
        }
        let element = if count != 0 && index + 1 == count {
            std::mem::take(&mut rest)
        } else {
            let (len, behind) = leb128(rest)?;
            let (element, behind) = behind.split_at_checked(len)?;
            rest = behind;
            element
        };
        if let Some(body) = sequence_header_body(element) {
            return Some(body);
        }
    }
    None
}

/// The body of a sequence header OBU (AV1 specification, section 5.3.2).
fn sequence_header_body(element: &[u8]) -> Option<&[u8]> {
    let (&header, mut rest) = element.split_first()?;
    if header >> 3 & 0x0f != OBU_SEQUENCE_HEADER {
        return None;
    }
    if header & 0x04 != 0 {
        rest = rest.get(1..)?;
    }
    if header & 0x02 != 0 {
        let (len, behind) = leb128(rest)?;
        rest = behind.get(..len)?;
    }
    Some(rest)
}

/// A length in LEB128, at most four bytes of it (268 million is beyond any packet).
fn leb128(data: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, byte) in data.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, data.get(index + 1..)?));
        }
    }
    None
}

/// Largest picture of the sequence (AV1 specification, section 5.5.1).
fn sequence_size(body: &[u8]) -> Option<FrameSize> {
    let mut bits = Bits::new(body);
    bits.skip(4);
    if bits.flag()? {
        bits.skip(5); // reduced still picture: one level only
    } else {
        operating_points(&mut bits)?;
    }
    let width_bits = bits.number(4)? + 1;
    let height_bits = bits.number(4)? + 1;
    FrameSize::new(bits.number(width_bits)? + 1, bits.number(height_bits)? + 1)
}

/// Passes over timing, decoder model and operating points.
fn operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64);
        if bits.flag()? {
            bits.exp_golomb()?;
        }
        if bits.flag()? {
            delay_bits = Some(usize::try_from(bits.number(5)? + 1).ok()?);
            bits.skip(32 + 5 + 5);
        }
    }
    let display_delay = bits.flag()?;
    let points = bits.number(5)? + 1;
    for _ in 0..points {
        bits.skip(12);
        if bits.number(5)? > 7 {
            bits.skip(1);
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1);
        }
        if display_delay && bits.flag()? {
            bits.skip(4);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    /// Bit fields of (value, width), filled up with zeros to a byte.
    fn pack(fields: &[(u32, u32)]) -> Vec<u8> {
        let mut bits: Vec<u8> = Vec::new();
        for (value, width) in fields {
            bits.extend((0..*width).rev().map(|bit| u8::from(value >> bit & 1 == 1)));
        }
        bits.chunks(8)
            .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, bit)| byte | bit << (7 - at)))
            .collect()
    }

    /// Sequence header OBU body of 1280x720 as libaom writes it for real time: profile 0, no timing,
    /// no display delay, one operating point of level 5, 11 and 10 bits of size.
    fn body() -> Vec<u8> {
        let head = [(0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (5, 5)];
        pack(&[&head[..], &[(10, 4), (9, 4), (1279, 11), (719, 10)]].concat())
    }

    #[test]
    fn sequence_header_in_all_packings() {
        let body = body();
        let len = u8::try_from(body.len()).expect("short");
        let expected = FrameSize::new(1280, 720);
        let check = |payload: &[u8], keyframe: bool, size: Option<FrameSize>| {
            let view = View::of(Codec::Av1, payload);
            assert_eq!((view.keyframe, view.size), (keyframe, size), "{payload:02x?}");
        };
        // W = 1: the only element without length; W = 2 with a frame behind; W = 0 all with lengths.
        check(&[&[0x18, 0x08][..], &body].concat(), true, expected);
        check(&[&[0x28, len + 1, 0x08][..], &body, &[0x30, 1, 2]].concat(), true, expected);
        check(&[&[0x08, len + 1, 0x08][..], &body, &[3, 0x30, 1, 2]].concat(), true, expected);
        // With extension and size field of its own.
        check(&[&[0x18, 0x0e, 0x00, len][..], &body].concat(), true, expected);
        // Behind a temporal delimiter.
        check(&[&[0x28, 1, 0x10, 0x08][..], &body].concat(), true, expected);
        check(&[&[0x10, 0x08][..], &body].concat(), false, None);
        check(&[&[0x98, 0x08][..], &body].concat(), false, None);
        check(&[0x18, 0x08, 0], true, None);
        check(&[0x18], false, None);
        check(&[], false, None);
    }

    #[test]
    fn timing_and_decoder_model_are_passed_over() {
        let body = pack(&[
            (0, 3),
            (0, 1),
            (0, 1),
            (1, 1), // timing
            (1, 32),
            (30, 32),
            (1, 1),
            (1, 1), // one tick a picture: uvlc 0
            (1, 1), // decoder model
            (4, 5), // delays in five bits
            (90, 32),
            (9, 5),
            (9, 5),
            (1, 1), // display delay
            (1, 5), // two points
            (0x103, 12),
            (9, 5),
            (1, 1),
            (1, 1),
            (3, 5),
            (3, 5),
            (0, 1),
            (1, 1),
            (2, 4),
            (0x101, 12),
            (3, 5),
            (0, 1),
            (0, 1),
            (15, 4),
            (15, 4),
            (3839, 16),
            (2159, 16),
        ]);
        let view = View::of(Codec::Av1, &[&[0x18, 0x08][..], &body].concat());
        assert_eq!(view.size, FrameSize::new(3840, 2160));
    }
}

//! VP8 payloads (RFC 7741): the descriptor, its rewriting, and the keyframe header.

use crate::{FrameSize, View};

/// Longest descriptor, bytes.
pub const DESCRIPTOR_LEN_MAX: usize = 6;

/// Picture number of a descriptor, with its width on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    /// 7 or 15 bits.
    pub value: u16,
    /// Written in 15 bits (M bit).
    pub long: bool,
}

/// VP8 payload descriptor, RFC 7741 section 4.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// N: no other picture refers to this one.
    pub non_reference: bool,
    /// S: a partition starts here.
    pub partition_start: bool,
    /// PID: partition, 0 to 7.
    pub partition: u8,
    /// I.
    pub picture_id: Option<PictureId>,
    /// L: running number of pictures of temporal layer 0.
    pub tl0_pic_idx: Option<u8>,
    /// T: temporal layer, 0 to 3, and Y: it depends on layer 0 only.
    pub temporal: Option<(u8, bool)>,
    /// K: running number of keyframes, 5 bits.
    pub key_idx: Option<u8>,
    /// X is set although nothing is extended (kept, so that the length stays).
    pub extended: bool,
}

/// The running numbers of a descriptor; `None` where it has none, or where none is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Numbers {
    /// Picture number; cut to 7 or 15 bits, as the descriptor has it.
    pub picture_id: Option<u16>,
    /// Running number of pictures of temporal layer 0.
    pub tl0_pic_idx: Option<u8>,
    /// Running number of keyframes; cut to 5 bits.
    pub key_idx: Option<u8>,
}

impl Descriptor {
    /// Reads the descriptor and its length; `None` if it is cut off or nothing follows it.
    pub fn parse(payload: &[u8]) -> Option<(Self, usize)> {
        let mut at = 0;
        let mut next = || {
            let byte = payload.get(at).copied();
            at += 1;
            byte
        };
        let first = next()?;
        let mut this = Self {
            non_reference: first & 0x20 != 0,
            partition_start: first & 0x10 != 0,
            partition: first & 0x07,
            ..Self::default()
        };
        if first & 0x80 != 0 {
            this.extended = true;
            let has = next()?;
            if has & 0x80 != 0 {
                let high = next()?;
                this.picture_id = Some(if high & 0x80 == 0 {
                    PictureId { value: u16::from(high), long: false }
                } else {
                    PictureId { value: u16::from_be_bytes([high & 0x7f, next()?]), long: true }
                });
            }
            if has & 0x40 != 0 {
                this.tl0_pic_idx = Some(next()?);
            }
            if has & 0x30 != 0 {
                let byte = next()?;
                if has & 0x20 != 0 {
                    this.temporal = Some((byte >> 6, byte & 0x20 != 0));
                }
                if has & 0x10 != 0 {
                    this.key_idx = Some(byte & 0x1f);
                }
            }
        }
        (at < payload.len()).then_some((this, at))
    }

    /// Writes the descriptor to the front of `out` and returns its length; `None` if it does not fit.
    /// Fields are cut to their widths. A descriptor that was read has the same length when written.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut bytes = [0_u8; DESCRIPTOR_LEN_MAX];
        let mut len = 0;
        let mut put = |byte: u8| {
            if let Some(slot) = bytes.get_mut(len) {
                *slot = byte;
                len += 1;
            }
        };
        let layered = self.temporal.is_some() || self.key_idx.is_some();
        let extended =
            self.extended || self.picture_id.is_some() || self.tl0_pic_idx.is_some() || layered;
        put(u8::from(extended) << 7
            | u8::from(self.non_reference) << 5
            | u8::from(self.partition_start) << 4
            | self.partition & 0x07);
        if extended {
            put(u8::from(self.picture_id.is_some()) << 7
                | u8::from(self.tl0_pic_idx.is_some()) << 6
                | u8::from(self.temporal.is_some()) << 5
                | u8::from(self.key_idx.is_some()) << 4);
        }
        if let Some(PictureId { value, long }) = self.picture_id {
            let [high, low] = value.to_be_bytes();
            if long {
                put(high | 0x80);
                put(low);
            } else {
                put(low & 0x7f);
            }
        }
        if let Some(index) = self.tl0_pic_idx {
            put(index);
        }
        if layered {
            let (temporal, sync) = self.temporal.unwrap_or_default();
            put(temporal << 6 | u8::from(sync) << 5 | self.key_idx.unwrap_or(0) & 0x1f);
        }
        out.get_mut(..len)?.copy_from_slice(bytes.get(..len)?);
        Some(len)
    }

    /// The running numbers in it.
    pub fn numbers(&self) -> Numbers {
        Numbers {
            picture_id: self.picture_id.map(|id| id.value),
            tl0_pic_idx: self.tl0_pic_idx,
            key_idx: self.key_idx,
        }
    }

    /// The first packet of a picture.
    pub fn starts_picture(&self) -> bool {
        self.partition_start && self.partition == 0
    }
}

/// Overwrites the numbers in a payload's descriptor, where it has such a field and `numbers` a value for it;
/// the length stays. False, with nothing changed, if the descriptor is cut off.
pub fn patch(payload: &mut [u8], numbers: &Numbers) -> bool {
    let Some((descriptor, len)) = Descriptor::parse(payload) else { return false };
    // The fields stand behind the two bytes that say which of them there are.
    let Some(mut fields) = payload.get_mut(2.min(len)..len) else { return false };
    if let Some(PictureId { long, .. }) = descriptor.picture_id {
        let Some((field, rest)) = fields.split_at_mut_checked(if long { 2 } else { 1 }) else {
            return false;
        };
        if let Some(id) = numbers.picture_id {
            match field {
                [high, low] => [*high, *low] = (id | 0x8000).to_be_bytes(),
                [short] => [_, *short] = (id & 0x7f).to_be_bytes(),
                _ => {}
            }
        }
        fields = rest;
    }
    if descriptor.tl0_pic_idx.is_some() {
        let Some((field, rest)) = fields.split_first_mut() else { return false };
        *field = numbers.tl0_pic_idx.unwrap_or(*field);
        fields = rest;
    }
    if let (Some(_), Some(index), Some(field)) =
        (descriptor.key_idx, numbers.key_idx, fields.first_mut())
    {
        *field = *field & 0xe0 | index & 0x1f;
    }
    true
}

/// Looks at a VP8 payload. LiveKit's frame encryption leaves all bytes that are read here in the clear.
pub(crate) fn view(payload: &[u8]) -> View {
    let Some((descriptor, len)) = Descriptor::parse(payload) else { return View::default() };
    let frame = payload.get(len..).unwrap_or_default();
    let mut view = View {
        understood: true,
        frame_start: descriptor.starts_picture(),
        temporal: descriptor.temporal.map(|(temporal, _)| temporal),
        switch_up: descriptor.temporal.is_some_and(|(_, sync)| sync),
        ..View::default()
    };
    // RFC 6386 section 9.1: the P bit of the frame tag is 0 for keyframes.
    if view.frame_start && frame.first().is_some_and(|tag| tag & 1 == 0) {
        view.keyframe = true;
        view.size = keyframe_size(frame);
    }
    view
}

/// Size in a keyframe's header: tag, start code, then 14 bits each (the top two are the scale).
fn keyframe_size(frame: &[u8]) -> Option<FrameSize> {
    let &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = frame.first_chunk::<10>()? else {
        return None;
    };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    FrameSize::new(side(w0, w1), side(h0, h1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Codec;

    #[test]
    fn descriptors_of_the_rfc() {
        let check = |bytes: &[u8], expected: Option<(Descriptor, usize)>| {
            assert_eq!(Descriptor::parse(bytes), expected, "{bytes:02x?}");
        };
        check(&[], None);
        check(&[0x10], None);
        let plain = Descriptor { partition_start: true, ..Descriptor::default() };
        check(&[0x10, 0xaa], Some((plain, 1)));
        // Everything there, long picture id: as libwebrtc sends it with temporal layers.
        let full = Descriptor {
            extended: true,
            picture_id: Some(PictureId { value: 0x1234, long: true }),
            tl0_pic_idx: Some(7),
            temporal: Some((2, true)),
            key_idx: Some(3),
            ..plain
        };
        check(&[0x90, 0xf0, 0x92, 0x34, 7, 0xa3, 0xaa], Some((full, 6)));
        check(&[0x90, 0xf0, 0x92, 0x34, 7, 0xa3], None);
        let short = Descriptor {
            extended: true,
            non_reference: true,
            picture_id: Some(PictureId { value: 0x11, long: false }),
            ..Descriptor::default()
        };
        check(&[0xa0, 0x80, 0x11, 0xaa], Some((short, 3)));
    }

    #[test]
    fn keyframe_and_size() {
        // 1280x720 keyframe as an encoder writes it, then a delta frame, then a later partition.
        let key =
            [0x90, 0x80, 0x81, 0x01, 0x50, 0x42, 0x01, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02];
        let view = View::of(Codec::Vp8, &key);
        assert!(view.keyframe && view.frame_start);
        assert_eq!(view.size, FrameSize::new(1280, 720));
        let delta = View::of(Codec::Vp8, &[0x90, 0x80, 0x05, 0x51, 1, 2]);
        assert!(!delta.keyframe && delta.frame_start && delta.size.is_none());
        let later = View::of(Codec::Vp8, &[0x80, 0x80, 0x05, 0x50, 1, 2]);
        assert!(!later.keyframe && !later.frame_start);
        assert!(!View::of(Codec::Vp8, &[0x80]).understood);
    }

    #[test]
    fn numbers_are_patched_where_they_are() {
        let numbers =
            Numbers { picture_id: Some(0x7abc), tl0_pic_idx: Some(0xee), key_idx: Some(0xff) };
        let rows: &[(&[u8], &[u8])] = &[
            // All fields, long; T and Y stay; 31 is all that fits.
            (&[0x90, 0xf0, 0x92, 0x34, 7, 0xa3, 9], &[0x90, 0xf0, 0xfa, 0xbc, 0xee, 0xbf, 9]),
            // Short picture number.
            (&[0xa0, 0x80, 0x11, 9], &[0xa0, 0x80, 0x3c, 9]),
            // TID without KEYIDX: its bits stay, whatever they are.
            (&[0x80, 0x60, 7, 0x85, 9], &[0x80, 0x60, 0xee, 0x85, 9]),
            // KEYIDX alone: the bits of TID and Y stay.
            (&[0x80, 0x10, 0xe1, 9], &[0x80, 0x10, 0xff, 9]),
            // Nothing to patch.
            (&[0x10, 9], &[0x10, 9]),
            (&[0x90, 0x00, 9], &[0x90, 0x00, 9]),
        ];
        for (before, after) in rows {
            let mut payload = before.to_vec();
            assert!(patch(&mut payload, &numbers));
            assert_eq!(payload, *after, "{before:02x?}");
            // None leaves a number alone.
            assert!(patch(&mut payload, &Numbers::default()));
            assert_eq!(payload, *after, "{before:02x?}");
        }
        let mut cut = [0x90, 0xf0, 0x92, 0x34, 7, 0xa3];
        assert!(!patch(&mut cut, &numbers));
        assert_eq!(cut, [0x90, 0xf0, 0x92, 0x34, 7, 0xa3]);
    }

    prop_compose! {
        fn descriptor()(
            bits in any::<[bool; 3]>(),
            partition in 0_u8..8,
            picture in prop::option::of((0_u16..0x8000, any::<bool>())),
            tl0_pic_idx in any::<Option<u8>>(),
            temporal in prop::option::of((0_u8..4, any::<bool>())),
            key_idx in prop::option::of(0_u8..32),
        ) -> Descriptor {
            let picture_id = picture.map(|(value, long)| PictureId {
                value: if long { value } else { value & 0x7f },
                long,
            });
            let extended = bits[2]
                || picture_id.is_some()
                || tl0_pic_idx.is_some()
                || temporal.is_some()
                || key_idx.is_some();
            Descriptor {
                non_reference: bits[0],
                partition_start: bits[1],
                partition,
                picture_id,
                tl0_pic_idx,
                temporal,
                key_idx,
                extended,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(descriptor in descriptor()) {
            let mut out = [0xff_u8; DESCRIPTOR_LEN_MAX + 1];
            let len = descriptor.write(&mut out).expect("fits");
            prop_assert_eq!(Descriptor::parse(&out), Some((descriptor, len)));
            prop_assert_eq!(descriptor.write(&mut out[..len - 1]), None);
        }

        #[test]
        fn patched_numbers_read_back(
            descriptor in descriptor(),
            picture in any::<u16>(),
            tl0 in any::<u8>(),
            key in any::<u8>(),
        ) {
            let mut payload = [0xff_u8; DESCRIPTOR_LEN_MAX + 1];
            let len = descriptor.write(&mut payload).expect("fits");
            let numbers =
                Numbers { picture_id: Some(picture), tl0_pic_idx: Some(tl0), key_idx: Some(key) };
            prop_assert!(patch(&mut payload, &numbers));
            let (read, read_len) = Descriptor::parse(&payload).expect("still one");
            prop_assert_eq!(read_len, len);
            let mut expected = descriptor;
            if let Some(id) = expected.picture_id.as_mut() {
                id.value = picture & if id.long { 0x7fff } else { 0x7f };
            }
            expected.tl0_pic_idx = expected.tl0_pic_idx.map(|_| tl0);
            expected.key_idx = expected.key_idx.map(|_| key & 0x1f);
            prop_assert_eq!(read, expected);
            prop_assert_eq!(read.numbers(), expected.numbers());
            prop_assert!(payload[len..].iter().all(|byte| *byte == 0xff));
        }

        #[test]
        fn a_rewritten_descriptor_keeps_its_length(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Some((descriptor, len)) = Descriptor::parse(&bytes) {
                let mut out = [0; DESCRIPTOR_LEN_MAX];
                prop_assert_eq!(descriptor.write(&mut out), Some(len));
                let again = [&out[..len], &[0]].concat();
                prop_assert_eq!(Descriptor::parse(&again), Some((descriptor, len)));
            }
        }
    }
}

//! Renumbering of VP8 pictures: receivers expect picture ids, TL0PICIDX and KEYIDX to go on without a
//! break when the layer changes or pictures are left out.

use fermata_rtp::unwrap::Unwrapper;
use fermata_rtp::vp8::{Descriptor, PictureId};

use super::numbering::Offsets;

/// Last numbers given out on an m-line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LastPicture {
    picture: u64,
    tl0_pic_idx: u8,
    key_idx: u8,
}

/// Numbers of one source.
#[derive(Debug, Clone)]
pub(super) struct Pictures {
    /// Of 15-bit numbers; 7-bit ones are widened first.
    long: Unwrapper<15>,
    short: Unwrapper<7>,
    offsets: Option<Offsets>,
    /// What is added to the source's.
    tl0_offset: u8,
    key_offset: u8,
    /// The newest picture is sent (all its packets have the same fate).
    newest_kept: bool,
    last: LastPicture,
}

impl Pictures {
    /// Begins with the keyframe to which this descriptor belongs, going on from `last` if there is one.
    pub(super) fn anchored(first: &Descriptor, last: Option<LastPicture>) -> Self {
        let mut this = Self {
            long: Unwrapper::new(),
            short: Unwrapper::new(),
            offsets: None,
            tl0_offset: 0,
            key_offset: 0,
            newest_kept: true,
            last: last.unwrap_or_default(),
        };
        let picture = first.picture_id.map(|id| this.unwrap(id));
        if let Some(last) = last {
            let next = |value: u8| value.wrapping_add(1);
            this.tl0_offset = next(last.tl0_pic_idx).wrapping_sub(first.tl0_pic_idx.unwrap_or(0));
            this.key_offset = next(last.key_idx).wrapping_sub(first.key_idx.unwrap_or(0));
        }
        this.last.tl0_pic_idx = first.tl0_pic_idx.unwrap_or(0).wrapping_add(this.tl0_offset);
        this.last.key_idx = first.key_idx.unwrap_or(0).wrapping_add(this.key_offset) & 0x1f;
        if let Some(input) = picture {
            let output = last.map_or(input, |last| last.picture.wrapping_add(1));
            this.offsets = Some(Offsets::anchored(input, output));
            this.last.picture = output;
        }
        this
    }

    /// Decides on the picture of a packet once: `keep` is asked of its first packet only. Pictures older
    /// than the newest are asked anew.
    pub(super) fn keep(&mut self, descriptor: &Descriptor, keep: bool) -> bool {
        let Some(id) = descriptor.picture_id else { return keep };
        let input = self.unwrap(id);
        let Some(offsets) = self.offsets.as_mut() else { return keep };
        if input == offsets.highest() {
            return self.newest_kept;
        }
        if input > offsets.highest() {
            offsets.advance(input, !keep);
            self.newest_kept = keep;
        }
        keep
    }

    /// Whether a packet belongs to a picture newer than all before it.
    pub(super) fn is_new(&mut self, descriptor: &Descriptor) -> bool {
        let Some(id) = descriptor.picture_id else { return descriptor.starts_picture() };
        let input = self.unwrap(id);
        self.offsets.as_ref().is_none_or(|offsets| input > offsets.highest())
    }

    /// Puts outgoing numbers in the place of incoming ones.
    pub(super) fn rewrite(&mut self, descriptor: &mut Descriptor) {
        if let Some(id) = descriptor.picture_id {
            let input = self.unwrap(id);
            let output = self.offsets.as_ref().and_then(|offsets| offsets.map(input));
            let output = output.unwrap_or(input);
            self.last.picture = self.last.picture.max(output);
            let mask = if id.long { 0x7fff } else { 0x7f };
            let value = u16::try_from(output & mask).unwrap_or(0);
            descriptor.picture_id = Some(PictureId { value, long: id.long });
        }
        if let Some(index) = descriptor.tl0_pic_idx.as_mut() {
            *index = index.wrapping_add(self.tl0_offset);
            self.last.tl0_pic_idx = newer(self.last.tl0_pic_idx, *index, 0xff);
        }
        if let Some(index) = descriptor.key_idx.as_mut() {
            *index = index.wrapping_add(self.key_offset) & 0x1f;
            self.last.key_idx = newer(self.last.key_idx, *index, 0x1f);
        }
    }

    /// Last numbers given out.
    pub(super) fn last(&self) -> LastPicture {
        self.last
    }

    fn unwrap(&mut self, id: PictureId) -> u64 {
        let value = u32::from(id.value);
        if id.long { self.long.unwrap(value) } else { self.short.unwrap(value) }
    }
}

/// The later of two wrapping numbers.
fn newer(old: u8, new: u8, mask: u8) -> u8 {
    if new.wrapping_sub(old) & mask <= mask / 2 { new } else { old }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(picture: u16, tl0: u8, tid: u8, key: u8) -> Descriptor {
        Descriptor {
            extended: true,
            partition_start: true,
            picture_id: Some(PictureId { value: picture & 0x7fff, long: true }),
            tl0_pic_idx: Some(tl0),
            temporal: Some((tid, false)),
            key_idx: Some(key),
            ..Descriptor::default()
        }
    }

    /// (picture, tl0, key) that come out, or nothing if dropped.
    fn pass(pictures: &mut Pictures, mut input: Descriptor, keep: bool) -> Option<(u16, u8, u8)> {
        if !pictures.keep(&input, keep) {
            return None;
        }
        pictures.rewrite(&mut input);
        Some((input.picture_id?.value, input.tl0_pic_idx?, input.key_idx?))
    }

    #[test]
    fn numbers_go_on_across_sources_wraps_and_left_out_pictures() {
        let first = descriptor(0x7ffe, 254, 0, 30);
        let mut one = Pictures::anchored(&first, None);
        assert_eq!(pass(&mut one, first, true), Some((0x7ffe, 254, 30)));
        assert_eq!(pass(&mut one, descriptor(0x7fff, 254, 1, 30), false), None);
        assert_eq!(pass(&mut one, descriptor(0x7fff, 254, 1, 30), true), None, "decided before");
        assert_eq!(pass(&mut one, descriptor(0, 255, 0, 30), true), Some((0x7fff, 255, 30)));
        // A lost picture keeps its number, and has it when it comes late.
        assert_eq!(pass(&mut one, descriptor(2, 0, 0, 31), true), Some((1, 0, 31)));
        assert_eq!(pass(&mut one, descriptor(1, 255, 1, 30), true), Some((0, 255, 30)));

        let first = descriptor(900, 77, 0, 3);
        let mut two = Pictures::anchored(&first, Some(one.last()));
        assert_eq!(pass(&mut two, first, true), Some((2, 1, 0)));
        assert_eq!(pass(&mut two, descriptor(901, 78, 0, 3), true), Some((3, 2, 0)));
        assert_eq!(pass(&mut two, descriptor(902, 79, 0, 4), true), Some((4, 3, 1)));
    }

    #[test]
    fn short_ids_and_none() {
        let mut first = descriptor(0, 0, 0, 0);
        first.picture_id = Some(PictureId { value: 127, long: false });
        let mut one = Pictures::anchored(&first, None);
        assert_eq!(pass(&mut one, first, true), Some((127, 0, 0)));
        first.picture_id = Some(PictureId { value: 0, long: false });
        assert_eq!(pass(&mut one, first, true), Some((0, 0, 0)));
        let bare = Descriptor { partition_start: true, ..Descriptor::default() };
        let mut none = Pictures::anchored(&bare, Some(one.last()));
        assert!(none.keep(&bare, true) && !none.keep(&bare, false));
        let mut out = bare;
        none.rewrite(&mut out);
        assert_eq!(out, bare);
    }
}

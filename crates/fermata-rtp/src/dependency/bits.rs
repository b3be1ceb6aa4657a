//! Bit fields of the descriptor beyond those of [`crate::bits`], and writing them.

use crate::bits::Bits;

/// A non-symmetric number below `n`, `ns(n)` of the AV1 specification, section 4.10.7. `n` is 1 to 64.
pub(super) fn non_symmetric(bits: &mut Bits<'_>, n: u32) -> Option<u32> {
    let width = n.checked_ilog2()? + 1;
    let short = (1 << width) - n;
    let value = bits.number(width - 1)?;
    if value < short {
        return Some(value);
    }
    Some((value << 1 | bits.number(1)?) - short)
}

/// Writes bits behind each other, most significant first, into a buffer.
pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    position: usize,
}

impl<'a> BitWriter<'a> {
    /// At the first bit of `out`.
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, position: 0 }
    }

    /// One bit; `None` if there is no room.
    pub(super) fn flag(&mut self, set: bool) -> Option<()> {
        let byte = self.out.get_mut(self.position / 8)?;
        let bit = 0x80 >> (self.position % 8);
        *byte = if set { *byte | bit } else { *byte & !bit };
        self.position += 1;
        Some(())
    }

    /// The lowest `width` bits of a number.
    pub(super) fn number(&mut self, value: u32, width: u32) -> Option<()> {
        (0..width).rev().try_for_each(|bit| self.flag(value >> bit & 1 == 1))
    }

    /// As many bits as `from` has left, or `count` of them.
    pub(super) fn copy(&mut self, from: &mut Bits<'_>, count: usize) -> Option<()> {
        (0..count).try_for_each(|_| self.flag(from.flag()?))
    }

    /// Fills up the byte with zeros; bytes written.
    pub(super) fn finish(mut self) -> Option<usize> {
        while !self.position.is_multiple_of(8) {
            self.flag(false)?;
        }
        Some(self.position / 8)
    }
}

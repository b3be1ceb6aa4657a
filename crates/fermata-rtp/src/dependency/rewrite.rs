//! What a server changes in a descriptor on its way to a receiver.

use super::bits::BitWriter;
use super::frame::Head;
use super::structure::Structure;
use super::{DESCRIPTOR_LEN_MAX, MANDATORY_LEN};
use crate::bits::Bits;

/// Bits of the mandatory fields before the frame number.
const BEFORE_NUMBER: u32 = 8;

/// What goes into a descriptor in the place of what is there.
///
/// The numbers of frames that were left out stay free: what a frame refers to is said by differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rewrite {
    /// Frame number.
    pub number: u16,
    /// Decode targets that are sent, one bit for each, the first one lowest; 0: what is there stays.
    pub active: u32,
}

impl Rewrite {
    /// Bytes of a descriptor after [`Self::write`], which takes no notice of those beyond
    /// [`DESCRIPTOR_LEN_MAX`]. `targets`: how many decode targets its stream has.
    pub fn len(&self, descriptor: &[u8], targets: u8) -> usize {
        let grown = usize::from(targets);
        match descriptor.get(MANDATORY_LEN) {
            _ if self.active == 0 => descriptor.len(),
            None => MANDATORY_LEN + (5 + grown).div_ceil(8),
            Some(flags) if flags & 0x40 != 0 => descriptor.len(),
            Some(_) => descriptor.len() + grown.div_ceil(8),
        }
    }

    /// Writes a descriptor that [`super::Reader::read`] took, changed, to the front of `out`; answers its length,
    /// which is that of [`Self::len`]. `None`, with `out` perhaps partly written, if it is broken or does not fit.
    pub fn write(&self, descriptor: &[u8], targets: u8, out: &mut [u8]) -> Option<usize> {
        let len = self.len(descriptor, targets);
        if len > DESCRIPTOR_LEN_MAX {
            return None;
        }
        let out = out.get_mut(..len)?;
        if self.active == 0 {
            out.copy_from_slice(descriptor);
            *out.get_mut(1..)?.first_chunk_mut()? = self.number.to_be_bytes();
            return Some(len);
        }
        out.fill(0);
        let mut writer = BitWriter::new(out);
        let mut bits = Bits::new(descriptor);
        let extended = descriptor.len() > MANDATORY_LEN;
        let head = Head::read(&mut bits.clone(), extended)?;
        writer.number(bits.number(BEFORE_NUMBER)?, BEFORE_NUMBER)?;
        bits.skip(16);
        writer.number(self.number.into(), 16)?;
        let mut left = 0;
        if extended {
            writer.flag(bits.flag()?)?;
            bits.skip(1);
            writer.flag(true)?;
            writer.copy(&mut bits, 3)?;
            if head.structure {
                let len = structure_bits(&bits)?;
                writer.copy(&mut bits, len)?;
            }
            if head.active {
                bits.skip(targets.into());
            }
            left = (8 * descriptor.len()).checked_sub(bits.position())?;
        } else {
            writer.number(0b01000, 5)?;
        }
        writer.number(self.active, targets.into())?;
        writer.copy(&mut bits, left)?;
        let written = writer.finish()?;
        (written <= len).then_some(len)
    }
}

/// Bits of the structure that comes next.
fn structure_bits(bits: &Bits<'_>) -> Option<usize> {
    let mut end = bits.clone();
    Structure::read(&mut end)?;
    end.position().checked_sub(bits.position())
}

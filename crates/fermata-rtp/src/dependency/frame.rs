//! Descriptors read against the structure of their stream.

use super::structure::{Structure, indications};
use super::{DESCRIPTOR_LEN_MAX, MANDATORY_LEN};
use crate::bits::Bits;
use crate::limits::DEPENDENCY_DIFFERENCES_MAX;

/// What a frame is to a decode target (appendix A.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indication {
    /// Not part of it.
    NotPresent,
    /// Part of it, and nothing of it refers to the frame.
    Discardable,
    /// Part of it; who can decode this frame can decode all that come after it.
    Switch,
    /// Part of it, and others refer to the frame.
    Required,
}

impl Indication {
    /// That of a target out of two bits for each.
    pub(super) fn at(all: u64, target: usize) -> Self {
        let shift = u32::try_from(2 * target).unwrap_or(u32::MAX);
        match all.checked_shr(shift).unwrap_or(0) & 3 {
            0 => Self::NotPresent,
            1 => Self::Discardable,
            2 => Self::Switch,
            _ => Self::Required,
        }
    }
}

/// How far back the frames are that a frame refers to, in frame numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Differences {
    list: [u16; DEPENDENCY_DIFFERENCES_MAX],
    len: u8,
}

impl Differences {
    /// 1 to 4096 each.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.list.into_iter().take(usize::from(self.len))
    }

    fn push(&mut self, difference: u32) -> Option<()> {
        *self.list.get_mut(usize::from(self.len))? = u16::try_from(difference).ok()?;
        self.len += 1;
        Some(())
    }

    /// Of a template (appendix A.8.3, `template_fdiffs()`).
    pub(super) fn read_template(bits: &mut Bits<'_>) -> Option<Self> {
        let mut this = Self::default();
        while bits.flag()? {
            this.push(bits.number(4)? + 1)?;
        }
        Some(this)
    }

    /// Of one frame (appendix A.8.4, `frame_fdiffs()`).
    fn read_custom(bits: &mut Bits<'_>) -> Option<Self> {
        let mut this = Self::default();
        loop {
            let size = bits.number(2)?;
            if size == 0 {
                return Some(this);
            }
            this.push(bits.number(4 * size)? + 1)?;
        }
    }
}

/// What the descriptor of a packet says of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The first packet of the frame.
    pub start: bool,
    /// The last packet of the frame.
    pub end: bool,
    /// Runs on from frame to frame over all layers; wraps.
    pub number: u16,
    /// Spatial layer, below [`crate::limits::DEPENDENCY_SPATIAL_MAX`].
    pub spatial: u8,
    /// Temporal layer, below [`crate::limits::DEPENDENCY_TEMPORAL_MAX`].
    pub temporal: u8,
    /// The frames that it refers to.
    pub differences: Differences,
    /// A structure came with it: a receiver that knows nothing can begin here.
    pub begins: bool,
    /// How many decode targets there are, 1 to 32.
    pub target_count: u8,
    /// Two bits for each decode target.
    indications: u64,
}

impl Frame {
    /// What it is to a decode target.
    pub fn indication(&self, target: usize) -> Indication {
        Indication::at(self.indications, target)
    }

    /// Is it part of what a receiver of this target gets?
    pub fn serves(&self, target: usize) -> bool {
        self.indication(target) != Indication::NotPresent
    }
}

/// Reads the descriptors of one stream.
///
/// Memory: a structure at the first one that comes; later ones take its place.
#[derive(Debug, Default)]
pub struct Reader {
    structure: Option<Box<Structure>>,
    /// Number of the frame it came with.
    since: u16,
    active: u32,
}

impl Reader {
    /// Reads a descriptor. `None` if it is cut off, contradicts itself or a limit, or refers to a structure that
    /// did not come (yet); then nothing is changed.
    ///
    /// `newest`: no later packet of the stream came before it. Only then a structure is taken over.
    pub fn read(&mut self, descriptor: &[u8], newest: bool) -> Option<Frame> {
        if descriptor.len() > DESCRIPTOR_LEN_MAX {
            return None;
        }
        let mut bits = Bits::new(descriptor);
        let head = Head::read(&mut bits, descriptor.len() > MANDATORY_LEN)?;
        let came = if head.structure { Some(Structure::read(&mut bits)?) } else { None };
        let structure = came.as_ref().or(self.structure.as_deref())?;
        let mut active = came.as_ref().map(Structure::all_active);
        if head.active {
            active = Some(bits.number(structure.target_count().into())?);
        }
        let frame = head.frame(&mut bits, structure, came.is_some())?;
        if newest {
            if let Some(came) = came {
                self.since = frame.number;
                match &mut self.structure {
                    Some(place) => **place = came,
                    None => self.structure = Some(Box::new(came)),
                }
            }
            if let Some(active) = active {
                self.active = active;
            }
        }
        Some(frame)
    }

    /// The structure of the stream, once there is one.
    pub fn structure(&self) -> Option<&Structure> {
        self.structure.as_deref()
    }

    /// Decode targets that the sender sends at present, one bit for each, the first one lowest.
    pub fn active(&self) -> u32 {
        self.active
    }

    /// Number of the frame with which the structure came.
    pub fn since(&self) -> u16 {
        self.since
    }
}

/// Everything before the structure.
#[expect(clippy::struct_excessive_bools, reason = "they are flags of the wire format")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    start: bool,
    end: bool,
    template: u8,
    number: u16,
    pub(super) structure: bool,
    pub(super) active: bool,
    indications: bool,
    differences: bool,
    chains: bool,
}

impl Head {
    /// Appendix A.8.2; `extended`: there is more than the mandatory fields.
    pub(super) fn read(bits: &mut Bits<'_>, extended: bool) -> Option<Self> {
        let (start, end) = (bits.flag()?, bits.flag()?);
        let template = u8::try_from(bits.number(6)?).ok()?;
        let number = u16::try_from(bits.number(16)?).ok()?;
        let mut flags = [false; 5];
        if extended {
            for flag in &mut flags {
                *flag = bits.flag()?;
            }
        }
        let [structure, active, indications, differences, chains] = flags;
        // A structure comes with the first packet of a frame or not at all.
        (start || !structure).then_some(Self {
            start,
            end,
            template,
            number,
            structure,
            active,
            indications,
            differences,
            chains,
        })
    }

    /// Appendix A.8.4.
    fn frame(&self, bits: &mut Bits<'_>, structure: &Structure, begins: bool) -> Option<Frame> {
        let template = structure.template(self.template)?;
        let mut frame = Frame {
            start: self.start,
            end: self.end,
            number: self.number,
            spatial: template.spatial,
            temporal: template.temporal,
            differences: template.differences,
            begins,
            target_count: structure.target_count(),
            indications: template.indications,
        };
        if self.indications {
            frame.indications = indications(bits, structure.target_count().into())?;
        }
        if self.differences {
            frame.differences = Differences::read_custom(bits)?;
        }
        if self.chains {
            for _ in 0..structure.chain_count() {
                bits.number(8)?;
            }
        }
        Some(frame)
    }
}

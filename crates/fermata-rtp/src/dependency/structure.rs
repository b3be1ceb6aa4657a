//! The template structure of a stream (appendix A.8.3): which kinds of frames there are, which targets they serve.

use super::bits::non_symmetric;
use super::frame::{Differences, Indication};
use crate::bits::Bits;
use crate::limits::{DEPENDENCY_SPATIAL_MAX, DEPENDENCY_TEMPLATES_MAX, DEPENDENCY_TEMPORAL_MAX};
use crate::{FrameSize, SPATIAL_LAYERS_MAX};

/// Most decode targets (5 bits on the wire).
const TARGETS_MAX: usize = 32;

/// A kind of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Template {
    pub(super) spatial: u8,
    pub(super) temporal: u8,
    /// Two bits for each decode target, the first one lowest.
    pub(super) indications: u64,
    pub(super) differences: Differences,
}

/// A decode target: what a receiver gets that takes all of its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// Highest spatial layer.
    pub spatial: u8,
    /// Highest temporal layer.
    pub temporal: u8,
}

/// What the descriptors of a stream refer to, until it sends another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Id of the first template.
    offset: u8,
    templates: [Template; DEPENDENCY_TEMPLATES_MAX],
    template_count: usize,
    targets: [Target; TARGETS_MAX],
    target_count: usize,
    chain_count: u32,
    spatial_count: u8,
    /// Whether sizes were told.
    sized: bool,
    sizes: [Option<FrameSize>; SPATIAL_LAYERS_MAX],
}

impl Structure {
    /// Reads `template_dependency_structure()`; `None` if it is cut off or beyond a limit.
    pub(super) fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let offset = u8::try_from(bits.number(6)?).ok()?;
        let target_count = usize::try_from(bits.number(5)? + 1).ok()?;
        let mut this = Self {
            offset,
            templates: [Template::default(); DEPENDENCY_TEMPLATES_MAX],
            template_count: 0,
            targets: [Target::default(); TARGETS_MAX],
            target_count,
            chain_count: 0,
            spatial_count: 1,
            sized: false,
            sizes: [None; SPATIAL_LAYERS_MAX],
        };
        this.read_layers(bits)?;
        for template in this.templates.iter_mut().take(this.template_count) {
            template.indications = indications(bits, target_count)?;
        }
        for template in this.templates.iter_mut().take(this.template_count) {
            template.differences = Differences::read_template(bits)?;
        }
        this.read_chains(bits)?;
        this.find_targets();
        this.sized = bits.flag()?;
        if this.sized {
            for size in this.sizes.iter_mut().take(usize::from(this.spatial_count)) {
                *size = FrameSize::new(bits.number(16)? + 1, bits.number(16)? + 1);
            }
        }
        Some(this)
    }

    /// Appendix A.8.3, `template_layers()`.
    fn read_layers(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let (mut spatial, mut temporal) = (0, 0);
        loop {
            let template = self.templates.get_mut(self.template_count)?;
            (template.spatial, template.temporal) = (spatial, temporal);
            self.template_count += 1;
            match bits.number(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => break,
            }
            if spatial >= DEPENDENCY_SPATIAL_MAX || temporal >= DEPENDENCY_TEMPORAL_MAX {
                return None;
            }
        }
        self.spatial_count = spatial + 1;
        Some(())
    }

    /// Passes over `template_chains()`, keeping how many there are.
    fn read_chains(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let targets = u32::try_from(self.target_count).ok()?;
        self.chain_count = non_symmetric(bits, targets + 1)?;
        if self.chain_count == 0 {
            return Some(());
        }
        for _ in 0..targets {
            non_symmetric(bits, self.chain_count)?;
        }
        let chains = usize::try_from(self.chain_count).ok()?;
        bits.skip(4 * chains * self.template_count);
        Some(())
    }

    /// Appendix A.8.3, `decode_target_layers()`.
    fn find_targets(&mut self) {
        let Self { templates, template_count, targets, target_count, .. } = self;
        for (place, target) in targets.iter_mut().enumerate().take(*target_count) {
            let of = |template: &&Template| {
                Indication::at(template.indications, place) != Indication::NotPresent
            };
            for template in templates.iter().take(*template_count).filter(of) {
                target.spatial = target.spatial.max(template.spatial);
                target.temporal = target.temporal.max(template.temporal);
            }
        }
    }

    /// The template of an id, 0 to 63.
    pub(super) fn template(&self, id: u8) -> Option<&Template> {
        let place = usize::from(id.wrapping_sub(self.offset) & 0x3f);
        self.templates.get(..self.template_count)?.get(place)
    }

    /// Chains; each frame with chains of its own has one number for each.
    pub(super) fn chain_count(&self) -> u32 {
        self.chain_count
    }

    /// Decode targets in their order on the wire, 1 to 32.
    pub fn targets(&self) -> &[Target] {
        self.targets.get(..self.target_count).unwrap_or_default()
    }

    /// How many decode targets there are, 1 to 32.
    pub fn target_count(&self) -> u8 {
        u8::try_from(self.target_count).unwrap_or(0)
    }

    /// How many spatial layers there are, 1 to [`DEPENDENCY_SPATIAL_MAX`].
    pub fn spatial_count(&self) -> u8 {
        self.spatial_count
    }

    /// Sizes of the spatial layers, if they were told.
    pub fn sizes(&self) -> Option<&[Option<FrameSize>; SPATIAL_LAYERS_MAX]> {
        self.sized.then_some(&self.sizes)
    }

    /// Does who gets all frames of one decode target get all of another one with them?
    pub fn includes(&self, whole: usize, part: usize) -> bool {
        let of = |template: &Template, target| {
            Indication::at(template.indications, target) != Indication::NotPresent
        };
        let mut templates = self.templates.iter().take(self.template_count);
        templates.all(|template| of(template, whole) || !of(template, part))
    }

    /// One bit for each decode target, the first one lowest.
    pub fn all_active(&self) -> u32 {
        u32::MAX >> (TARGETS_MAX.saturating_sub(self.target_count))
    }
}

/// Two bits for each decode target.
pub(super) fn indications(bits: &mut Bits<'_>, targets: usize) -> Option<u64> {
    let mut all = 0;
    for place in 0..targets {
        all |= u64::from(bits.number(2)?) << (2 * place);
    }
    Some(all)
}

//! Which frames of a stream with dependency descriptors a subscriber gets, and how their descriptors are changed.
//!
//! A decode target is left for another one at a keyframe, or at a frame that says that the other one can be taken up
//! there, if this subscriber was sent everything that the frame refers to; or, where everything of the other one is
//! sent already, at the next picture.
//!
//! What it is not: it chooses no target; that is [`super::select`].

use fermata_rtp::dependency::{Frame, Indication, Rewrite, Structure, Target};
use fermata_rtp::unwrap::Unwrapper;

use super::limits::FRAME_WINDOW;

/// Frame masks are remembered in so many bits; of streams with more decode targets none is told.
const MASK_TARGETS_MAX: u8 = 16;

const WORDS: usize = (FRAME_WINDOW / 64) as usize;

/// A structure as it stands at the publisher's side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) structure: &'a Structure,
    /// Decode targets that the publisher sends, one bit for each.
    pub(super) active: u32,
    /// Number of the frame with which the structure came.
    pub(super) since: u16,
}

impl Known<'_> {
    /// The decode target for the highest wanted layers: the highest active one that is not above them, else the
    /// lowest active one.
    pub(super) fn best(&self, spatial: u8, temporal: u8) -> Option<usize> {
        let targets = self.structure.targets().iter().enumerate();
        let active = targets.filter(|(place, _)| self.active >> place & 1 == 1);
        let order = |target: &Target| (target.spatial, target.temporal);
        let fits = |target: &Target| target.spatial <= spatial && target.temporal <= temporal;
        let best = active.clone().filter(|(_, target)| fits(target));
        let best = best.max_by_key(|(_, target)| order(target));
        let found = best.or_else(|| active.min_by_key(|(_, target)| order(target)));
        found.map(|(place, _)| place)
    }

    /// How many spatial layers the publisher sends, 1 or more.
    pub(super) fn spatial_count(&self) -> u8 {
        let targets = self.structure.targets().iter().enumerate();
        let active = targets.filter(|(place, _)| self.active >> place & 1 == 1);
        active.map(|(_, target)| target.spatial + 1).max().unwrap_or(1)
    }

    /// Decode targets of which everything is sent with this one, as far as the publisher sends them.
    fn mask(&self, target: usize) -> u32 {
        let count = self.structure.targets().len();
        let included = (0..count).filter(|part| self.structure.includes(target, *part));
        included.fold(0, |mask, part| mask | 1 << part) & self.active
    }
}

/// One subscriber's place in such a stream.
#[derive(Debug, Clone)]
pub(super) struct Dependent {
    numbers: Unwrapper<16>,
    /// Newest frame number.
    highest: u64,
    /// One bit for each of the last frames, at its number modulo the window: its fate is decided; it is sent.
    decided: [u64; WORDS],
    sent: [u64; WORDS],
    /// `outgoing number = incoming + offset`.
    offset: u16,
    /// Highest number given out.
    last: u16,
    /// The decode target being sent, and the structure to which it belongs.
    target: usize,
    since: u16,
    /// The one that is wanted.
    wanted: usize,
    /// It can be taken up at a keyframe only.
    awaits_keyframe: bool,
    /// What is told of the targets being sent.
    mask: u32,
    /// Not all were sent since the structure came, so receivers have to be told.
    tells: bool,
}

impl Dependent {
    /// Begins with a frame that brings a structure; numbers go on from `last`.
    pub(super) fn anchored(
        frame: &Frame,
        last: Option<u16>,
        known: Known<'_>,
        wanted: usize,
    ) -> Self {
        let first = last.map_or(frame.number, |last| last.wrapping_add(1));
        let mut numbers = Unwrapper::new();
        // So that a frame that comes late is not taken for one of the next round.
        let highest = numbers.unwrap(frame.number.into());
        let mut this = Self {
            numbers,
            highest: highest.wrapping_sub(1),
            decided: [0; WORDS],
            sent: [0; WORDS],
            offset: first.wrapping_sub(frame.number),
            last: first,
            target: wanted,
            since: frame.number,
            wanted,
            awaits_keyframe: false,
            mask: 0,
            tells: false,
        };
        this.aim(Some(known), wanted);
        this.begin(frame, known);
        this
    }

    /// Something else is wanted, or the publisher sends something else.
    pub(super) fn aim(&mut self, known: Option<Known<'_>>, wanted: usize) {
        self.wanted = wanted;
        let Some(known) = known.filter(|known| known.since == self.since) else { return };
        self.set_mask(known);
        let layers = |place: usize| known.structure.targets().get(place).map(|t| t.spatial);
        self.awaits_keyframe =
            layers(wanted) != layers(self.target) && !known.structure.includes(self.target, wanted);
    }

    /// Only a keyframe leads to what is wanted.
    pub(super) fn awaits_keyframe(&self) -> bool {
        self.awaits_keyframe
    }

    /// The layers of the decode target being sent.
    pub(super) fn layers(&self, known: Option<Known<'_>>) -> Option<Target> {
        known?.structure.targets().get(self.target).copied()
    }

    /// Highest frame number given out.
    pub(super) fn last(&self) -> u16 {
        self.last
    }

    /// Decides on a frame, at the first packet of it that comes; all others share its fate. `new_picture`: its
    /// picture is not that of the packet before.
    pub(super) fn keep(
        &mut self,
        frame: &Frame,
        known: Option<Known<'_>>,
        new_picture: bool,
    ) -> bool {
        let number = self.numbers.unwrap(frame.number.into());
        if number.wrapping_sub(self.highest).cast_signed() > 0 {
            self.advance(number);
            if frame.start
                && let Some(known) = known
            {
                self.retarget(number, frame, known, new_picture);
            }
        } else if self.highest.wrapping_sub(number) >= FRAME_WINDOW {
            return false;
        } else if is_set(&self.decided, number) {
            return is_set(&self.sent, number);
        }
        let keep = frame.serves(self.target);
        set(&mut self.decided, number, true);
        set(&mut self.sent, number, keep);
        keep
    }

    /// What is changed in the descriptor of a packet that is sent.
    pub(super) fn rewrite(&mut self, frame: &Frame) -> Rewrite {
        let number = frame.number.wrapping_add(self.offset);
        if number.wrapping_sub(self.last).cast_signed() > 0 {
            self.last = number;
        }
        let tells = frame.start && self.tells && frame.target_count <= MASK_TARGETS_MAX;
        Rewrite { number, active: if tells { self.mask } else { 0 } }
    }

    /// Frames up to this number are not decided.
    fn advance(&mut self, number: u64) {
        let step = number.wrapping_sub(self.highest);
        if step >= FRAME_WINDOW {
            (self.decided, self.sent) = ([0; WORDS], [0; WORDS]);
        } else {
            for between in 1..=step {
                let number = self.highest.wrapping_add(between);
                set(&mut self.decided, number, false);
                set(&mut self.sent, number, false);
            }
        }
        self.highest = number;
    }

    /// Takes up what is wanted, if it can be at this frame.
    fn retarget(&mut self, number: u64, frame: &Frame, known: Known<'_>, new_picture: bool) {
        if frame.begins {
            // A newer structure may have come in the same batch of packets; then its own frame is next.
            self.begin(frame, known);
            return;
        }
        if self.target == self.wanted || known.since != self.since {
            return;
        }
        let mut needs = frame.differences.iter();
        let switches = frame.indication(self.wanted) == Indication::Switch
            && needs.all(|back| self.was_sent(number, back.into()));
        if switches || new_picture && known.structure.includes(self.target, self.wanted) {
            self.target = self.wanted;
            self.awaits_keyframe = false;
            self.set_mask(known);
        }
    }

    fn begin(&mut self, frame: &Frame, known: Known<'_>) {
        self.since = frame.number;
        self.target = self.wanted;
        self.awaits_keyframe = false;
        self.tells = false;
        self.set_mask(known);
    }

    fn set_mask(&mut self, known: Known<'_>) {
        self.mask = known.mask(self.target);
        self.tells |= self.mask != known.structure.all_active();
    }

    fn was_sent(&self, number: u64, back: u64) -> bool {
        back < FRAME_WINDOW && number >= back && is_set(&self.sent, number - back)
    }
}

fn place(number: u64) -> (usize, u64) {
    let place = number % FRAME_WINDOW;
    (usize::try_from(place / 64).unwrap_or(0), 1 << (place % 64))
}

fn is_set(words: &[u64; WORDS], number: u64) -> bool {
    let (word, bit) = place(number);
    words.get(word).is_some_and(|word| word & bit != 0)
}

fn set(words: &mut [u64; WORDS], number: u64, on: bool) {
    let (word, bit) = place(number);
    if let Some(word) = words.get_mut(word) {
        *word = if on { *word | bit } else { *word & !bit };
    }
}

#[cfg(test)]
mod tests;

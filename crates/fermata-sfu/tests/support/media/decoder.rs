//! A receiver's decoder as far as packets matter: it takes frames in order, waits for what is missing, and when that
//! takes too long it asks for a keyframe, where it begins anew.

use std::collections::BTreeMap;

use super::Ms;
use super::source::Mark;

/// Between two requests.
const ASK_AGAIN: Ms = 500;
/// Packets kept ahead of a hole.
const AHEAD_MAX: usize = 2_000;

#[derive(Debug, Default)]
pub struct Decoder {
    /// So long a missing packet may come again.
    patience: Ms,
    /// By outgoing number: which packet, and whether it begins a keyframe.
    waiting: BTreeMap<u64, (Mark, bool)>,
    next: Option<u64>,
    stuck_since: Option<Ms>,
    asked_at: Option<Ms>,
    /// First request of those that led to the next keyframe.
    first_asked_at: Option<Ms>,
    /// Frames decoded, with when.
    pub decoded: Vec<(Ms, Mark)>,
    /// Requests made.
    pub asked: u64,
    /// From a request to the keyframe, whole.
    pub answered_after: Vec<Ms>,
}

impl Decoder {
    /// One that waits so long for a missing packet.
    pub fn new(patience: Ms) -> Self {
        Self { patience, ..Self::default() }
    }

    pub fn packet(&mut self, now: Ms, seq: u64, mark: Mark, begins_keyframe: bool) {
        if self.next.is_some_and(|next| seq < next) {
            return;
        }
        self.waiting.insert(seq, (mark, begins_keyframe));
        if self.waiting.len() > AHEAD_MAX {
            self.waiting.pop_first();
        }
        self.decode(now);
    }

    /// True if a keyframe is to be asked for.
    pub fn time(&mut self, now: Ms) -> bool {
        let due = self.stuck_since.is_some_and(|since| now >= since + self.patience)
            && self.asked_at.is_none_or(|at| now >= at + ASK_AGAIN);
        if due {
            self.asked_at = Some(now);
            self.first_asked_at.get_or_insert(now);
            self.asked += 1;
        }
        due
    }

    fn decode(&mut self, now: Ms) {
        let before = self.next;
        while let Some(first) = self.next.filter(|next| self.is_whole(*next)) {
            self.take(now, first);
        }
        // A keyframe behind the hole.
        let mut begins =
            self.waiting.iter().filter(|(_, (_, begins))| *begins).map(|(seq, _)| *seq);
        let later = begins.rfind(|seq| self.is_whole(*seq));
        if let Some(first) = later {
            self.take(now, first);
            self.decode(now);
            return;
        }
        if self.waiting.is_empty() {
            self.stuck_since = None;
        } else if before != self.next || self.stuck_since.is_none() {
            self.stuck_since = Some(now);
        }
    }

    /// Are all packets of the frame there that begins here?
    fn is_whole(&self, first: u64) -> bool {
        let Some((mark, _)) = self.waiting.get(&first) else { return false };
        let rest = (first..).zip(0..mark.count);
        mark.index == 0
            && rest.into_iter().all(|(seq, index)| {
                let there = self.waiting.get(&seq);
                there.is_some_and(|(other, _)| *other == Mark { index, ..*mark })
            })
    }

    fn take(&mut self, now: Ms, first: u64) {
        let (mark, keyframe) = self.waiting[&first];
        let next = first + u64::from(mark.count);
        self.waiting = self.waiting.split_off(&next);
        self.next = Some(next);
        self.decoded.push((now, mark));
        self.stuck_since = None;
        if keyframe {
            self.asked_at = None;
            self.answered_after.extend(self.first_asked_at.take().map(|asked| now - asked));
        }
    }
}

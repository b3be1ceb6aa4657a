//! Facts merged by their keys: what is waiting, in the least space.

use std::collections::BTreeMap;

use fermata_sfu::io::UsageFact;
use fermata_types::{NodeId, ParticipantSid, Sku, StayClosed, StayOpened, UsageBatch, UsageWindow};
use jiff::{SignedDuration, Timestamp};

/// A set of facts. Adding one twice changes nothing; windows are merged by `max`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    opened: BTreeMap<ParticipantSid, StayOpened>,
    windows: BTreeMap<(Timestamp, ParticipantSid, Sku), u32>,
    closed: BTreeMap<ParticipantSid, StayClosed>,
}

impl Merged {
    pub(crate) fn add(&mut self, fact: UsageFact) {
        match fact {
            UsageFact::Opened(fact) => {
                self.opened.entry(fact.stay.clone()).or_insert(fact);
            }
            UsageFact::Window(fact) => {
                let seconds =
                    self.windows.entry((fact.window_start, fact.stay, fact.sku)).or_default();
                *seconds = fact.seconds.max(*seconds);
            }
            UsageFact::Closed(fact) => {
                self.closed.entry(fact.stay.clone()).or_insert(fact);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.opened.len() + self.windows.len() + self.closed.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes one fact out: openings first, closings last.
    pub(crate) fn pop(&mut self) -> Option<UsageFact> {
        if let Some((_, fact)) = self.opened.pop_first() {
            return Some(UsageFact::Opened(fact));
        }
        if let Some(((window_start, stay, sku), seconds)) = self.windows.pop_first() {
            return Some(UsageFact::Window(UsageWindow { stay, sku, window_start, seconds }));
        }
        self.closed.pop_first().map(|(_, fact)| UsageFact::Closed(fact))
    }

    /// Takes at most `limit` facts out, as a batch.
    pub(crate) fn take(&mut self, limit: usize, node: NodeId, watermark: Timestamp) -> UsageBatch {
        let (opened, windows, closed) = (Vec::new(), Vec::new(), Vec::new());
        let mut batch = UsageBatch { node, opened, windows, closed, watermark };
        for _ in 0..limit {
            match self.pop() {
                None => break,
                Some(UsageFact::Opened(fact)) => batch.opened.push(fact),
                Some(UsageFact::Window(fact)) => batch.windows.push(fact),
                Some(UsageFact::Closed(fact)) => batch.closed.push(fact),
            }
        }
        batch
    }

    /// Drops what a batch says at least as well.
    pub(crate) fn forget(&mut self, batch: &UsageBatch) {
        for fact in &batch.opened {
            self.opened.remove(&fact.stay);
        }
        for fact in &batch.windows {
            let key = (fact.window_start, fact.stay.clone(), fact.sku);
            if self.windows.get(&key).is_some_and(|seconds| *seconds <= fact.seconds) {
                self.windows.remove(&key);
            }
        }
        for fact in &batch.closed {
            self.closed.remove(&fact.stay);
        }
    }

    /// The facts, without taking them.
    pub(crate) fn facts(&self) -> impl Iterator<Item = UsageFact> {
        self.clone().drain()
    }

    /// The facts, one after the other.
    pub(crate) fn drain(mut self) -> impl Iterator<Item = UsageFact> {
        std::iter::from_fn(move || self.pop())
    }

    /// The latest moment that any fact speaks of: the node was alive then.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        let window = |((start, _, _), seconds): (&(Timestamp, ParticipantSid, Sku), &u32)| {
            start.saturating_add(SignedDuration::from_secs(i64::from(*seconds))).unwrap_or(*start)
        };
        let opened = self.opened.values().map(|fact| fact.entered_at);
        let closed = self.closed.values().map(|fact| fact.ended_at);
        opened.chain(closed).chain(self.windows.iter().map(window)).max()
    }
}

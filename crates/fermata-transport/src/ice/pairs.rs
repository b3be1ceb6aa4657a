//! The pairs of addresses that passed a check, and the one among them that media goes over.
//!
//! What it is not: it does not know who may check; it is told of authenticated checks alone.
//!
//! # Selection
//! The peer is controlling and says with USE-CANDIDATE which pair it wants. Some peers nominate once, some
//! nominate every pair that works and expect the best of them to be used (RFC 5245 section 8.1.1.2), and some
//! change their mind without a restart and nominate the new one with every check. So a pair that is nominated
//! takes the place of the selected one if that is of lower priority, of an earlier session or was not nominated;
//! and one that was nominated and is no worse yields if the peer has stopped nominating it. Before anything is
//! nominated the best pair is selected, because peers begin DTLS on a pair that works.
//!
//! Priority is that of a pair (RFC 8445 section 6.1.2.3), of the PRIORITY attribute and of ours. Ours are less for TCP,
//! so that UDP is preferred also to a TCP of which the peer thinks no less.

use std::time::Instant;

use super::{NOMINATION_HOLDS, PAIRS_MAX, SILENCE_MAX};
use crate::egress::Path;

/// An authenticated check.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    /// Which way the answer goes.
    pub(super) path: Path,
    /// PRIORITY.
    pub(super) priority: u32,
    /// The priority of our candidate that it came to.
    pub(super) ours: u32,
    /// USE-CANDIDATE.
    pub(super) nominates: bool,
    /// Session of our credentials that it used.
    pub(super) session: u32,
    /// A checksum of the peer's fragment in its user name.
    pub(super) remote_tag: u32,
}

impl Check {
    /// Priority of its pair, the peer controlling (RFC 8445 section 6.1.2.3).
    fn rank(&self) -> u64 {
        let (low, high) = (self.priority.min(self.ours), self.priority.max(self.ours));
        (u64::from(low) << 32) + 2 * u64::from(high) + u64::from(self.priority > self.ours)
    }
}

/// A pair that passed.
#[derive(Debug, Clone, Copy)]
struct Pair {
    latest: Check,
    heard_at: Instant,
    /// When the peer nominated it last, in this session.
    nominated_at: Option<Instant>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Pairs {
    pairs: Vec<Pair>,
    selected: Option<usize>,
    dropped: u64,
}

impl Pairs {
    /// Nothing is allocated later.
    pub(super) fn new() -> Self {
        Self { pairs: Vec::with_capacity(PAIRS_MAX), selected: None, dropped: 0 }
    }

    /// The selected one.
    pub(super) fn selected(&self) -> Option<Path> {
        self.selected_pair().map(|pair| pair.latest.path)
    }

    fn selected_pair(&self) -> Option<&Pair> {
        self.pairs.get(self.selected?)
    }

    /// When the selected one is given up if nothing is heard on it.
    pub(super) fn selected_until(&self) -> Option<Instant> {
        self.selected_pair().map(|pair| pair.heard_at + SILENCE_MAX)
    }

    /// Pairs dropped for want of room, since the beginning.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Did it pass a check?
    pub(super) fn contains(&self, path: Path) -> bool {
        self.position(path).is_some()
    }

    /// The priority of its latest check.
    pub(super) fn priority(&self, path: Path) -> Option<u32> {
        Some(self.pairs.get(self.position(path)?)?.latest.priority)
    }

    fn position(&self, path: Path) -> Option<usize> {
        self.pairs.iter().position(|pair| pair.latest.path == path)
    }

    /// Takes a check. True if another pair is selected now.
    pub(super) fn on_check(&mut self, now: Instant, check: Check) -> bool {
        let at = self.position(check.path).unwrap_or_else(|| self.make_room(now, check));
        let Some(pair) = self.pairs.get_mut(at) else { return false };
        // Only a nomination of this session counts.
        let known = pair.nominated_at.filter(|_| pair.latest.session == check.session);
        let newly = check.nominates && !(known.is_some() && pair.latest.nominates);
        pair.nominated_at = if check.nominates { Some(now) } else { known };
        pair.latest = check;
        pair.heard_at = now;
        let changes = self.selected != Some(at)
            && self.selected_pair().is_none_or(|selected| replaces(now, selected, &check, newly));
        if changes {
            self.selected = Some(at);
        }
        changes
    }

    /// A place for a new pair.
    fn make_room(&mut self, now: Instant, check: Check) -> usize {
        let pair = Pair { latest: check, heard_at: now, nominated_at: None };
        if self.pairs.len() < PAIRS_MAX {
            self.pairs.push(pair);
            return self.pairs.len() - 1;
        }
        let unselected = |(at, _): &(usize, &Pair)| self.selected != Some(*at);
        let oldest = self.pairs.iter().enumerate().filter(unselected).min_by_key(|(_, pair)| {
            // Those of an earlier session are of no more use.
            (pair.latest.session == check.session, pair.heard_at)
        });
        let at = oldest.map_or(0, |(at, _)| at);
        if let Some(place) = self.pairs.get_mut(at) {
            *place = pair;
            self.dropped += 1;
        }
        at
    }

    /// Forgets what was not heard for long. True if another pair is selected now.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        self.retain(|pair| now.saturating_duration_since(pair.heard_at) < SILENCE_MAX)
    }

    /// Forgets pairs of a session that another peer checked. True if another pair is selected now, or none.
    pub(super) fn keep_only(&mut self, session: u32, remote_tag: u32) -> bool {
        self.retain(|pair| pair.latest.session != session || pair.latest.remote_tag == remote_tag)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.selected = None;
    }

    fn retain(&mut self, keep: impl Fn(&Pair) -> bool) -> bool {
        let before = self.selected();
        self.pairs.retain(keep);
        self.selected = before.and_then(|path| self.position(path)).or_else(|| self.best());
        self.selected() != before
    }

    /// Where to go when the selected pair is gone.
    fn best(&self) -> Option<usize> {
        let rank = |pair: &Pair| {
            (pair.latest.session, pair.nominated_at.is_some(), pair.latest.rank(), pair.heard_at)
        };
        let best = self.pairs.iter().enumerate().max_by_key(|(_, pair)| rank(pair));
        best.map(|(at, _)| at)
    }
}

/// Does a check on another pair, nominated by it for the first time or not, take the selected one's place?
fn replaces(now: Instant, selected: &Pair, check: &Check, newly: bool) -> bool {
    let silent = now.saturating_duration_since(selected.heard_at) >= NOMINATION_HOLDS;
    let is_earlier = selected.latest.session != check.session;
    let better = check.rank() > selected.latest.rank();
    if !check.nominates {
        // After a restart media stays on the old pair until a new one is nominated (RFC 8445 section 9).
        return match selected.nominated_at {
            None => silent || (better && !is_earlier),
            Some(_) => silent && is_earlier,
        };
    }
    let Some(nominated_at) = selected.nominated_at.filter(|_| !is_earlier) else { return true };
    let equal = check.rank() == selected.latest.rank();
    // Two of equal priority that are nominated by turns would change places with every check.
    let yields = !selected.latest.nominates
        || now.saturating_duration_since(nominated_at) >= NOMINATION_HOLDS;
    better || (equal && newly) || yields
}

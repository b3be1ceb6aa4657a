//! Which connections have something to send, now and at the next tick of the shard.
//!
//! There is one deadline for all of them: packets that have to wait, wait for the same tick.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Outgoing;
use crate::key::LinkId;
use crate::limits::PACE_TICK;

/// The two lists.
#[derive(Debug)]
pub(crate) struct Pacer {
    epoch: Instant,
    ready: VecDeque<LinkId>,
    later: Vec<LinkId>,
    /// The end of the tick that those wait for.
    later_at: Instant,
}

impl Pacer {
    /// Nobody waits.
    pub(crate) fn new(now: Instant) -> Self {
        Self { epoch: now, ready: VecDeque::new(), later: Vec::new(), later_at: now }
    }

    /// Something was queued at a connection.
    pub(super) fn list(&mut self, id: LinkId, queue: &mut Outgoing) {
        if !queue.ready {
            queue.ready = true;
            self.ready.push_back(id);
        }
    }

    /// The tick it is; who waited for it to begin is ready. [`PACE_TICK`] is less than a second and more than nothing.
    pub(super) fn begin(&mut self, now: Instant) -> u64 {
        if !self.later.is_empty() && now >= self.later_at {
            self.ready.extend(self.later.drain(..));
        }
        self.tick(now)
    }

    /// Who is to be served next.
    pub(super) fn next(&self) -> Option<LinkId> {
        self.ready.front().copied()
    }

    /// That one is not there any more.
    pub(super) fn skip(&mut self) {
        self.ready.pop_front();
    }

    /// That one was served; `waits` if something is left.
    pub(super) fn served(&mut self, tick: u64, queue: &mut Outgoing, waits: bool) {
        let Some(id) = self.ready.pop_front() else { return };
        queue.ready = false;
        // Who has been listed in this tick still is.
        if waits && queue.waits_for != Some(tick) {
            queue.waits_for = Some(tick);
            self.later.push(id);
            let micros = (tick + 1) * u64::from(PACE_TICK.subsec_micros());
            self.later_at = self.epoch + Duration::from_micros(micros);
        }
    }

    /// When somebody is to be served; nothing if nobody waits.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if !self.ready.is_empty() {
            return Some(now);
        }
        (!self.later.is_empty()).then_some(self.later_at)
    }

    /// Milliseconds since the shard began, low bits.
    pub(super) fn millis(&self, now: Instant) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "low bits are meant")]
        let low = now.saturating_duration_since(self.epoch).as_millis() as u16;
        low
    }

    /// Connections in both lists.
    pub(crate) fn len(&self) -> usize {
        self.ready.len() + self.later.len()
    }

    fn tick(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch);
        // In 64 bits: this is asked for all the time.
        let micros = since.as_secs() * 1_000_000 + u64::from(since.subsec_micros());
        micros / u64::from(PACE_TICK.subsec_micros())
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;
    use crate::key::{ParticipantId, Side};

    #[test]
    fn who_waits_is_served_at_the_next_tick_once() {
        let t0 = Now::read().instant;
        let us = |us| t0 + Duration::from_micros(us);
        let id = |n| LinkId { participant: ParticipantId(n), side: Side::Down };
        let mut pacer = Pacer::new(t0);
        let [mut one, mut two] = [(); 2].map(|()| Outgoing::default());
        assert_eq!(pacer.due(us(0)), None);
        pacer.list(id(1), &mut one);
        pacer.list(id(1), &mut one);
        pacer.list(id(2), &mut two);
        assert_eq!((pacer.len(), pacer.due(us(5_300))), (2, Some(us(5_300))));
        let tick = pacer.begin(us(5_300));
        assert_eq!((tick, pacer.next()), (5, Some(id(1))));
        pacer.served(tick, &mut one, true);
        assert_eq!(pacer.next(), Some(id(2)));
        pacer.served(tick, &mut two, false);
        assert_eq!((pacer.next(), pacer.due(us(5_300))), (None, Some(us(6_000))));
        // Audio in between does not put it on the list twice.
        pacer.list(id(1), &mut one);
        assert_eq!(pacer.begin(us(5_900)), 5);
        pacer.served(5, &mut one, true);
        assert_eq!((pacer.len(), pacer.begin(us(5_999)), pacer.next()), (1, 5, None));
        assert_eq!((pacer.begin(us(6_000)), pacer.next()), (6, Some(id(1))));
        pacer.served(6, &mut one, true);
        assert_eq!(pacer.due(us(6_000)), Some(us(7_000)));
        pacer.begin(us(9_100));
        pacer.skip();
        assert_eq!((pacer.len(), pacer.due(us(9_100)), pacer.millis(us(9_100))), (0, None, 9));
    }
}

//! Deadlines, each with a name; arming one again moves it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;
use std::time::Instant;

use rustc_hash::FxHashMap;

use crate::key::{CallId, ParticipantId, RoomId, TrackId};

/// Moved deadlines that may be in the heap beside as many as there are deadlines.
const SLACK: usize = 64;

/// What is to be done at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// Media must have connected by now.
    JoinDeadline(ParticipantId),
    /// May have vanished.
    Vanish(ParticipantId),
    /// A token is due.
    Refresh(ParticipantId),
    /// Usage is reported.
    Meter(ParticipantId),
    /// An offer was not answered.
    Negotiation(ParticipantId),
    /// Who speaks.
    Speakers(RoomId),
    /// How good connections are.
    Quality(RoomId),
    /// Quality samples are taken.
    Samples(RoomId),
    /// Waiting participant news go out.
    Updates(RoomId),
    /// Room numbers go out.
    RoomUpdate(RoomId),
    /// An empty room closes.
    RoomClose(RoomId),
    /// A publisher may be told that less of a track is wanted.
    Dynacast(TrackId),
    /// A remote procedure call has waited long enough.
    Call(CallId),
}

/// All deadlines, soonest first.
///
/// A heap in which moved deadlines stay until they come up or are too many: setting one allocates nothing once the
/// heap has grown.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    heap: BinaryHeap<Reverse<(Instant, T)>>,
    at: FxHashMap<T, Instant>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), at: FxHashMap::default() }
    }
}

impl<T: Copy + Ord + Hash> Timers<T> {
    /// Sets the deadline, wherever it was.
    pub(crate) fn arm(&mut self, timer: T, at: Instant) {
        if self.at.insert(timer, at) == Some(at) {
            return;
        }
        if self.heap.len() > 2 * self.at.len() + SLACK {
            let Self { heap, at } = self;
            heap.retain(|Reverse((moment, timer))| at.get(timer) == Some(moment));
        }
        self.heap.push(Reverse((at, timer)));
    }

    /// Sets the deadline unless an earlier one stands.
    pub(crate) fn arm_earlier(&mut self, timer: T, at: Instant) {
        if self.at.get(&timer).is_none_or(|old| at < *old) {
            self.arm(timer, at);
        }
    }

    /// Forgets the deadline.
    pub(crate) fn disarm(&mut self, timer: T) {
        self.at.remove(&timer);
    }

    /// Whether the deadline is set.
    pub(crate) fn is_armed(&self, timer: T) -> bool {
        self.at.contains_key(&timer)
    }

    /// Takes the soonest deadline that has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, timer)) = self.heap.pop()?;
        self.at.remove(&timer);
        Some(timer)
    }

    /// The soonest deadline.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        loop {
            let Reverse((at, timer)) = self.heap.peek()?;
            if self.at.get(timer) == Some(at) {
                return Some(*at);
            }
            self.heap.pop();
        }
    }

    /// How many are set.
    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fermata_types::Now;

    use super::*;

    #[test]
    fn deadlines_move_and_come_in_order() {
        let t0 = Now::read().instant;
        let ms = |n| t0 + Duration::from_millis(n);
        let (a, b) = (Timer::Vanish(ParticipantId(1)), Timer::Vanish(ParticipantId(2)));
        let mut timers = Timers::default();
        timers.arm(a, ms(10));
        timers.arm(b, ms(5));
        timers.arm_earlier(b, ms(7));
        assert_eq!(timers.next(), Some(ms(5)));
        timers.arm(b, ms(20));
        assert_eq!(timers.pop_due(ms(9)), None);
        assert_eq!(timers.pop_due(ms(30)), Some(a));
        assert_eq!(timers.pop_due(ms(30)), Some(b));
        assert_eq!(timers.len(), 0);
        timers.arm(a, ms(1));
        timers.disarm(a);
        assert_eq!((timers.next(), timers.is_armed(a)), (None, false));
    }

    #[test]
    fn a_deadline_that_is_moved_all_the_time_fires_once_and_takes_no_room() {
        let t0 = Now::read().instant;
        let ms = |n| t0 + Duration::from_millis(n);
        let (a, b) = (Timer::Vanish(ParticipantId(1)), Timer::Vanish(ParticipantId(2)));
        let mut timers = Timers::default();
        timers.arm(b, ms(20_000));
        for n in 0..10_000 {
            timers.arm(a, ms(10_000 + n));
            timers.arm(a, ms(5_000));
            assert!(timers.heap.len() < 100 + SLACK);
        }
        assert_eq!((timers.len(), timers.next()), (2, Some(ms(5_000))));
        assert_eq!(timers.pop_due(ms(19_000)), Some(a));
        assert_eq!(timers.pop_due(ms(19_000)), None);
        assert_eq!((timers.pop_due(ms(20_000)), timers.heap.len()), (Some(b), 0));
    }
}

//! Deadlines, each with a name; arming one again moves it.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::key::{CallId, LinkId, ParticipantId, RoomId, TrackId};

/// What is to be done at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// A connection wants to be driven.
    Link(LinkId),
    /// Media must have connected by now.
    JoinDeadline(ParticipantId),
    /// May have vanished.
    Vanish(ParticipantId),
    /// A token is due.
    Refresh(ParticipantId),
    /// Usage is reported, lapsed video is noticed.
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
    /// Layers and keyframes of a track.
    Track(TrackId),
    /// A remote procedure call has waited long enough.
    Call(CallId),
}

/// All deadlines of a shard, soonest first.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    order: BTreeSet<(Instant, Timer)>,
    at: HashMap<Timer, Instant>,
}

impl Timers {
    /// Sets the deadline, wherever it was.
    pub(crate) fn arm(&mut self, timer: Timer, at: Instant) {
        if let Some(old) = self.at.insert(timer, at) {
            if old == at {
                return;
            }
            self.order.remove(&(old, timer));
        }
        self.order.insert((at, timer));
    }

    /// Sets the deadline unless an earlier one stands.
    pub(crate) fn arm_earlier(&mut self, timer: Timer, at: Instant) {
        if self.at.get(&timer).is_none_or(|old| at < *old) {
            self.arm(timer, at);
        }
    }

    /// Moves the deadline to `at` if it is set to an earlier moment.
    pub(crate) fn postpone(&mut self, timer: Timer, at: Instant) {
        if self.at.get(&timer).is_some_and(|old| *old < at) {
            self.arm(timer, at);
        }
    }

    /// Forgets the deadline.
    pub(crate) fn disarm(&mut self, timer: Timer) {
        if let Some(old) = self.at.remove(&timer) {
            self.order.remove(&(old, timer));
        }
    }

    /// Whether the deadline is set.
    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    /// Takes the soonest deadline that has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.order.remove(&(at, timer));
        self.at.remove(&timer);
        Some(timer)
    }

    /// The soonest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
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
}

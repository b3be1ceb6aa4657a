//! Packets that were sent together, and how differently two groups of them travelled (GCC section 5.2).
//!
//! What it is not: no judgement; see [`crate::trend`].

use crate::limits::{
    BURST_GAP_US, BURST_US_MAX, DELAY_JUMP_US, GROUP_SENT_US, REORDERED_GROUPS_MAX,
};
use crate::num::since_us;

/// From one group to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Between their sending, microseconds.
    pub(crate) sent_us: u64,
    /// Between their arrival, microseconds; not negative.
    pub(crate) arrived_us: u64,
    /// When the later one arrived, on the peer's clock.
    pub(crate) at_us: u64,
}

/// What an arrival showed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen {
    /// Nothing yet.
    Nothing,
    /// A group is whole, and so is the one before it.
    Step(Step),
    /// The peer's clock was set: all that is known of delays is void.
    Restart,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent_us: u64,
    last_sent_us: u64,
    first_arrived_us: u64,
    last_arrived_us: u64,
}

/// The group that is being filled, and the one before it.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    current: Option<Group>,
    before: Option<Group>,
    reordered: u8,
}

impl Groups {
    /// A packet arrived. Packets come in the order of their sending.
    pub(crate) fn on_arrival(&mut self, sent_us: u64, arrived_us: u64) -> Seen {
        let opened = Group {
            first_sent_us: sent_us,
            last_sent_us: sent_us,
            first_arrived_us: arrived_us,
            last_arrived_us: arrived_us,
        };
        let Some(mut group) = self.current else {
            self.current = Some(opened);
            return Seen::Nothing;
        };
        let arrived_step = since_us(arrived_us, group.last_arrived_us);
        let sent_step = since_us(sent_us, group.last_sent_us);
        let slower = arrived_step.saturating_sub(sent_step);
        if slower.unsigned_abs() > DELAY_JUMP_US.unsigned_abs() {
            *self = Self { current: Some(opened), ..Self::default() };
            return Seen::Restart;
        }
        let together = sent_us.saturating_sub(group.first_sent_us) <= GROUP_SENT_US;
        let burst = slower < 0
            && arrived_step <= BURST_GAP_US
            && since_us(arrived_us, group.first_arrived_us) < BURST_US_MAX;
        if together || burst {
            group.last_sent_us = sent_us;
            if arrived_step > 0 {
                group.last_arrived_us = arrived_us;
            }
            self.current = Some(group);
            return Seen::Nothing;
        }
        self.current = Some(opened);
        match self.before.replace(group) {
            Some(before) => self.step(&before, &group),
            None => Seen::Nothing,
        }
    }

    fn step(&mut self, before: &Group, group: &Group) -> Seen {
        let arrived = since_us(group.last_arrived_us, before.last_arrived_us);
        let Ok(arrived_us) = u64::try_from(arrived) else {
            self.reordered = self.reordered.saturating_add(1);
            if self.reordered < REORDERED_GROUPS_MAX {
                return Seen::Nothing;
            }
            *self = Self { current: self.current, ..Self::default() };
            return Seen::Restart;
        };
        self.reordered = 0;
        Seen::Step(Step {
            sent_us: group.last_sent_us.saturating_sub(before.last_sent_us),
            arrived_us,
            at_us: group.last_arrived_us,
        })
    }
}

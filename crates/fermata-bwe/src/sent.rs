//! How much is sent: the fastest of late, and whether the application uses what it may.
//!
//! What it is not: no list of packets; the transport keeps what was sent when.

use crate::limits::{
    SENT_SLOT_US, SENT_SLOTS, SENT_SLOTS_RECENT, UNUSED_PERCENT, UNUSED_US, USED_PERCENT,
};
use crate::num::{bytes_in, percent, rate_bps};

/// Bytes by slots of time, and the room that was not used.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    slots: [u32; SENT_SLOTS],
    /// Number of the slot that is being filled, since the clock's zero.
    slot: u64,
    last_us: u64,
    unused_bytes: u64,
    limited: bool,
}

impl Sent {
    /// A packet went out while `target_bps` was allowed.
    pub(crate) fn on_sent(&mut self, now_us: u64, len_bytes: u16, target_bps: u64) {
        self.advance(now_us);
        if let Some(slot) = self.slots.get_mut(place(self.slot)) {
            *slot = slot.saturating_add(len_bytes.into());
        }
        self.refill(now_us, target_bps);
        self.unused_bytes = self.unused_bytes.saturating_sub(len_bytes.into());
    }

    /// Whether the application sends less than it may.
    pub(crate) fn is_app_limited(&mut self, now_us: u64, target_bps: u64) -> bool {
        self.refill(now_us, target_bps);
        let full = unused_max(target_bps);
        let (enters, leaves) = UNUSED_PERCENT;
        if self.unused_bytes >= percent(full, enters) {
            self.limited = true;
        } else if self.unused_bytes < percent(full, leaves) {
            self.limited = false;
        }
        self.limited
    }

    /// Rate of the fastest slot, bits per second.
    pub(crate) fn peak_bps(&self) -> u64 {
        let bytes = self.slots.iter().copied().max().unwrap_or_default();
        rate_bps(bytes.into(), SENT_SLOT_US).unwrap_or_default()
    }

    /// Rate of late, bits per second.
    pub(crate) fn recent_bps(&self) -> u64 {
        let slots = (1..=SENT_SLOTS_RECENT)
            .filter_map(|behind| self.slots.get(place(self.slot.checked_sub(behind)?)));
        let bytes = slots.map(|bytes| u64::from(*bytes)).sum();
        rate_bps(bytes, SENT_SLOT_US * SENT_SLOTS_RECENT).unwrap_or_default()
    }

    fn advance(&mut self, now_us: u64) {
        let now = now_us / SENT_SLOT_US;
        let passed = now.saturating_sub(self.slot);
        for ahead in 1..=passed.min(SENT_SLOTS as u64) {
            if let Some(slot) = self.slots.get_mut(place(self.slot.saturating_add(ahead))) {
                *slot = 0;
            }
        }
        self.slot = self.slot.max(now);
    }

    /// Room that came since the last time. It is reckoned with the target of now, so a target that rose does not
    /// look unused at once.
    fn refill(&mut self, now_us: u64, target_bps: u64) {
        let passed = now_us.saturating_sub(self.last_us).min(UNUSED_US);
        self.last_us = self.last_us.max(now_us);
        let room = bytes_in(percent(target_bps, USED_PERCENT), passed);
        self.unused_bytes = self.unused_bytes.saturating_add(room).min(unused_max(target_bps));
    }
}

fn unused_max(target_bps: u64) -> u64 {
    bytes_in(percent(target_bps, USED_PERCENT), UNUSED_US)
}

fn place(slot: u64) -> usize {
    usize::try_from(slot % SENT_SLOTS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `bps` in packets of 500 bytes from `from_us` on for a second.
    fn send(sent: &mut Sent, from_us: u64, bps: u64, target_bps: u64) -> bool {
        let gap_us = 500 * 8_000_000 / bps;
        for index in 0..1_000_000 / gap_us {
            sent.on_sent(from_us + index * gap_us, 500, target_bps);
        }
        sent.is_app_limited(from_us + 1_000_000, target_bps)
    }

    #[test]
    fn who_sends_much_less_is_limited_by_the_application() {
        let mut sent = Sent::default();
        assert!(!send(&mut sent, 1_000_000, 1_000_000, 1_000_000));
        assert!(send(&mut sent, 2_000_000, 200_000, 1_000_000));
        assert!(!send(&mut sent, 3_000_000, 1_000_000, 1_000_000));
        // A target that has just risen is not unused yet.
        assert!(!sent.is_app_limited(4_000_000, 5_000_000));
        assert!(send(&mut sent, 4_000_000, 1_000_000, 5_000_000));
    }

    #[test]
    fn the_fastest_is_forgotten_after_two_seconds() {
        let mut sent = Sent::default();
        send(&mut sent, 1_000_000, 4_000_000, 1_000_000);
        assert_eq!(sent.peak_bps(), 4_000_000);
        for second in 2..5 {
            send(&mut sent, second * 1_000_000, 1_000_000, 1_000_000);
        }
        assert_eq!(sent.peak_bps(), 1_000_000);
    }
}

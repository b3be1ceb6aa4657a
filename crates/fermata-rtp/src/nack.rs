//! Which packets of a received stream to ask for again (generic NACK, RFC 4585 section 6.2.1).
//!
//! What it is not: it writes no RTCP, and does not know what a packet holds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits::{
    NACK_AGAIN_MIN, NACK_AGE_MAX, NACK_OPEN_MAX, NACK_REORDER_DELAY, NACK_STEP_MAX, NACK_TRIES_MAX,
};
use crate::wire;

/// A packet that has not come.
#[derive(Debug, Clone, Copy)]
struct Missing {
    seq: u64,
    found: Instant,
    ask_at: Instant,
    tries: u8,
}

/// The missing packets of one stream.
#[derive(Debug, Default)]
pub struct Generator {
    highest: Option<u64>,
    /// By sequence number, growing.
    open: VecDeque<Missing>,
    /// Not later than the earliest `ask_at`.
    next: Option<Instant>,
    asked: u64,
    given_up: u64,
    resets: u64,
}

impl Generator {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet came: media, padding alone, or a retransmission put back into its place. `seq` is extended.
    pub fn on_packet(&mut self, seq: u64, now: Instant) {
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            return;
        };
        if seq <= highest {
            // What is far behind was given up long ago; it must not take the numbering back with it.
            if let Ok(place) = self.open.binary_search_by_key(&seq, |missing| missing.seq) {
                self.open.remove(place);
            }
            return;
        }
        if seq - highest > NACK_STEP_MAX {
            self.restart(seq);
            return;
        }
        self.highest = Some(seq);
        if seq - highest > 1 {
            self.open_gap(highest + 1, seq, now);
        }
        self.give_up_behind(seq);
    }

    /// Appends the low 16 bits of all sequence numbers to ask for now, growing; `rtt` is the round-trip time
    /// as far as known. Each is not asked for again before that has passed.
    pub fn due(&mut self, now: Instant, rtt: Duration, out: &mut Vec<u16>) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        let again = now + rtt.max(NACK_AGAIN_MIN);
        let before = self.open.len();
        self.open.retain(|missing| {
            let waits = missing.ask_at > now;
            let old = now.saturating_duration_since(missing.found) >= NACK_AGE_MAX;
            waits || (missing.tries < NACK_TRIES_MAX && !old)
        });
        self.given_up += (before - self.open.len()) as u64;
        self.next = None;
        for missing in &mut self.open {
            if missing.ask_at <= now {
                missing.tries += 1;
                missing.ask_at = again;
                self.asked += 1;
                out.push(wire::low16(missing.seq));
            }
            self.next = Some(self.next.map_or(missing.ask_at, |next| next.min(missing.ask_at)));
        }
    }

    /// When [`Self::due`] has something to say, or a little before; `None` while nothing is missing.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| !self.open.is_empty())
    }

    /// Packets missing now.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Requests since the beginning: each packet counts as often as it was asked for.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Packets given up since the beginning: too old, too often asked for, or too many.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Steps too large to be losses, since the beginning.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    /// Forgets all that is missing; the next packets are counted from `seq` on.
    fn restart(&mut self, seq: u64) {
        self.given_up += self.open.len() as u64;
        self.open.clear();
        self.next = None;
        self.highest = Some(seq);
        self.resets += 1;
    }

    /// All of `from..until` is missing.
    fn open_gap(&mut self, from: u64, until: u64, now: Instant) {
        let ask_at = now + NACK_REORDER_DELAY;
        for seq in from..until {
            if self.open.len() >= NACK_OPEN_MAX {
                self.open.pop_front();
                self.given_up += 1;
            }
            self.open.push_back(Missing { seq, found: now, ask_at, tries: 0 });
        }
        self.next = Some(self.next.map_or(ask_at, |next| next.min(ask_at)));
    }

    /// Gives up what the stream has left far behind.
    fn give_up_behind(&mut self, highest: u64) {
        while self.open.front().is_some_and(|oldest| highest - oldest.seq > NACK_STEP_MAX) {
            self.open.pop_front();
            self.given_up += 1;
        }
    }
}

#[cfg(test)]
mod tests;

//! The log of arrivals, and the feedback made of it.

use std::time::Instant;

use super::{REFERENCE_TICKS, TICK_US};
use crate::limits::{
    TWCC_INTERVAL_MAX, TWCC_INTERVAL_MIN, TWCC_LOG_LEN, TWCC_OLD_RUN_MAX, TWCC_PROMPT_COUNT,
    TWCC_STATUSES_OUT_MAX,
};
use crate::rtcp::{packet_type, write};
use crate::wire;

/// Far above zero, so that what comes before the first packet does not fall below it.
const ORIGIN: u64 = 1 << 40;

const NOT_RECEIVED: u8 = 0;
const SMALL: u8 = 1;
const LARGE: u8 = 2;

/// Longest run that one chunk can tell.
const RUN_MAX: usize = 0x1fff;

/// When the packets of one connection arrived, by transport-wide sequence number.
#[derive(Debug, Default)]
pub struct ArrivalLog {
    /// Arrival in ticks since `epoch`, plus one; 0: not there. By sequence number; empty before the first packet.
    ticks: Vec<u64>,
    epoch: Option<Instant>,
    /// First sequence number to report on.
    start: u64,
    /// Behind the highest.
    end: u64,
    /// First arrival that is not reported yet.
    waiting_since: Option<Instant>,
    waiting: usize,
    feedback_count: u8,
    old_run: u32,
    unreported: u64,
    statuses: Vec<u8>,
}

impl ArrivalLog {
    /// Nothing arrived yet; takes its memory (9 KiB) with the first packet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet arrived. Duplicates, and packets too far behind, are left out.
    pub fn record(&mut self, seq: u16, now: Instant) {
        let Some(epoch) = self.epoch else {
            self.begin(seq, now);
            return;
        };
        let last = self.end - 1;
        let step = seq.wrapping_sub(wire::low16(last)).cast_signed();
        let seq_extended = last.saturating_add_signed(i64::from(step));
        let log_len = TWCC_LOG_LEN as u64;
        if seq_extended >= self.end {
            let cleared_from = self.end.max((seq_extended + 1).saturating_sub(log_len));
            for unseen in cleared_from..=seq_extended {
                self.put(unseen, 0);
            }
            self.end = seq_extended + 1;
            let kept_from = self.end.saturating_sub(log_len);
            if self.start < kept_from {
                self.unreported += kept_from - self.start;
                self.start = kept_from;
            }
        } else if seq_extended + log_len < self.end {
            self.unreported += 1;
            self.old_run += 1;
            if self.old_run > TWCC_OLD_RUN_MAX {
                self.begin(seq, now);
            }
            return;
        } else if self.at(seq_extended).is_some() {
            return;
        }
        self.old_run = 0;
        self.start = self.start.min(seq_extended);
        let elapsed = now.saturating_duration_since(epoch).as_micros() / u128::from(TICK_US);
        self.put(seq_extended, u64::try_from(elapsed).unwrap_or(0) + 1);
        self.waiting_since.get_or_insert(now);
        self.waiting += 1;
    }

    /// When feedback is due: 100 ms after the first arrival that it will report, 50 ms if there are many.
    pub fn next_timeout(&self) -> Option<Instant> {
        let prompt = self.waiting >= TWCC_PROMPT_COUNT;
        let interval = if prompt { TWCC_INTERVAL_MIN } else { TWCC_INTERVAL_MAX };
        self.waiting_since.map(|since| since + interval)
    }

    /// Appends one feedback packet, of at most 1,052 bytes, on what arrived since the last one. False if
    /// nothing did. To be called when [`Self::next_timeout`] has passed, and until it answers false: what
    /// does not fit into one packet goes into another.
    pub fn feedback(&mut self, sender: u32, media: u32, out: &mut Vec<u8>) -> bool {
        let first = (self.start..self.end).find_map(|seq| self.at(seq));
        let Some(first) = first.filter(|_| self.waiting_since.is_some()) else { return false };
        let reference = first / REFERENCE_TICKS;
        let end = self.end.min(self.start + TWCC_STATUSES_OUT_MAX as u64);
        let end = self.collect(end, reference * REFERENCE_TICKS);
        let start = self.start;
        let place = write::begin_feedback(out, packet_type::TRANSPORT_FEEDBACK, 15, sender, media);
        out.extend_from_slice(&wire::low16(start).to_be_bytes());
        out.extend_from_slice(&wire::low16(end - start).to_be_bytes());
        out.extend_from_slice(&(wire::low32(reference) << 8).to_be_bytes());
        if let Some(count) = out.last_mut() {
            *count = self.feedback_count;
        }
        chunks(&self.statuses, out);
        self.deltas(end, reference * REFERENCE_TICKS, out);
        write::end(out, place);
        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.start = end;
        if self.start == self.end {
            self.waiting_since = None;
            self.waiting = 0;
        }
        true
    }

    /// Packets that are in no feedback, since the beginning: they came too late, or feedback was not written
    /// for too long. Lost ones among them count too.
    pub fn unreported(&self) -> u64 {
        self.unreported
    }

    fn begin(&mut self, seq: u16, now: Instant) {
        self.ticks.clear();
        self.ticks.resize(TWCC_LOG_LEN, 0);
        self.statuses.reserve(TWCC_STATUSES_OUT_MAX);
        let epoch = *self.epoch.get_or_insert(now);
        self.start = ORIGIN + u64::from(seq);
        self.end = self.start + 1;
        self.old_run = 0;
        self.waiting_since = Some(now);
        self.waiting = 1;
        let elapsed = now.saturating_duration_since(epoch).as_micros() / u128::from(TICK_US);
        self.put(self.start, u64::try_from(elapsed).unwrap_or(0) + 1);
    }

    fn put(&mut self, seq: u64, value: u64) {
        let index = usize::try_from(seq % TWCC_LOG_LEN as u64).unwrap_or(0);
        if let Some(place) = self.ticks.get_mut(index) {
            *place = value;
        }
    }

    /// Arrival of a packet that is in the log.
    fn at(&self, seq: u64) -> Option<u64> {
        let index = usize::try_from(seq % TWCC_LOG_LEN as u64).unwrap_or(0);
        self.ticks.get(index)?.checked_sub(1)
    }

    /// Fills in the statuses from the start on; answers where they end: at `end`, or before the first packet
    /// whose difference has no room in 16 bits.
    fn collect(&mut self, end: u64, mut ticks: u64) -> u64 {
        self.statuses.clear();
        for seq in self.start..end {
            let Some(arrived) = self.at(seq) else {
                self.statuses.push(NOT_RECEIVED);
                continue;
            };
            let delta = arrived.wrapping_sub(ticks).cast_signed();
            match delta {
                0..=0xff => self.statuses.push(SMALL),
                -0x8000..=0x7fff => self.statuses.push(LARGE),
                _ => return seq,
            }
            ticks = arrived;
        }
        end
    }

    fn deltas(&self, end: u64, mut ticks: u64, out: &mut Vec<u8>) {
        for (seq, status) in (self.start..end).zip(&self.statuses) {
            let arrived = self.at(seq).unwrap_or(ticks);
            let [.., high, low] = arrived.wrapping_sub(ticks).to_be_bytes();
            match *status {
                SMALL => out.push(low),
                LARGE => out.extend_from_slice(&[high, low]),
                _ => continue,
            }
            ticks = arrived;
        }
    }
}

/// Packet status chunks, section 3.1.3 and 3.1.4: each takes the form that tells most. Every chunk but the
/// last tells at least seven.
fn chunks(statuses: &[u8], out: &mut Vec<u8>) {
    let mut rest = statuses;
    while let Some(&first) = rest.first() {
        let run = rest.iter().take(RUN_MAX).take_while(|status| **status == first).count();
        let narrow = rest.iter().take(14).all(|status| *status < LARGE);
        let (chunk, len) = if run == rest.len() || run >= 14 || (run >= 7 && !narrow) {
            (u16::from(first) << 13 | u16::try_from(run).unwrap_or(0), run)
        } else if narrow {
            (0x8000 | vector(rest, 14, 1), 14)
        } else {
            (0xc000 | vector(rest, 7, 2), 7)
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        rest = rest.get(len..).unwrap_or_default();
    }
}

/// The first `count` statuses, `width` bits each, filled up with zeros.
fn vector(statuses: &[u8], count: usize, width: u32) -> u16 {
    let filled = statuses.iter().copied().chain(std::iter::repeat(NOT_RECEIVED)).take(count);
    filled.fold(0, |bits, status| bits << width | u16::from(status))
}

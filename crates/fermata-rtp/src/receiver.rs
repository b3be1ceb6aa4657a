//! Statistics of one received stream, and the report block made of them (RFC 3550 sections 6.4.1, A.1, A.3, A.8).
//!
//! What it is not: sequence numbers come extended and authenticated, so there is no probation of new sources.

use std::time::{Duration, Instant};

use crate::limits::{JITTER_STEP_MAX, RECEIVER_STEP_MAX};
use crate::ntp::{self, NtpTime};
use crate::rtcp::ReportBlock;
use crate::unwrap::rtp_time_delta;
use crate::wire;

/// Sums since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Packets that came, duplicates included.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that should have come, less those that did: negative if there are more duplicates than losses.
    pub lost: i64,
    /// Variation of the transit time.
    pub jitter: Duration,
}

/// Counters of one stream.
#[derive(Debug, Clone)]
pub struct Receiver {
    ssrc: u32,
    clock_rate_hz: u32,
    /// First and highest sequence number; the first moves over steps that are no losses.
    range: Option<(u64, u64)>,
    packets: u64,
    bytes: u64,
    /// At the last report.
    expected_before: u64,
    packets_before: u64,
    /// When the first packet came, and the transit time of the last one, in ticks.
    transit: Option<(Instant, u32)>,
    /// Times 16, in ticks.
    jitter_16: u64,
    sender_report: Option<(NtpTime, Instant)>,
}

impl Receiver {
    /// Nothing received yet on this stream.
    pub fn new(ssrc: u32, clock_rate_hz: u32) -> Self {
        Self {
            ssrc,
            clock_rate_hz: clock_rate_hz.max(1),
            range: None,
            packets: 0,
            bytes: 0,
            expected_before: 0,
            packets_before: 0,
            transit: None,
            jitter_16: 0,
            sender_report: None,
        }
    }

    /// A packet came on the stream itself (retransmissions on their own stream do not count here).
    /// `seq` is extended: the low 16 bits are on the wire.
    pub fn on_packet(&mut self, seq: u64, timestamp: u32, payload_len: usize, now: Instant) {
        self.packets += 1;
        self.bytes += payload_len as u64;
        self.range = Some(match self.range {
            None => (seq, seq),
            Some((base, highest)) if seq > highest => {
                let step = seq - highest;
                let skipped = if step > RECEIVER_STEP_MAX { step - 1 } else { 0 };
                (base + skipped, seq)
            }
            // Late ones, even from a little before the first.
            Some((base, highest)) if base.saturating_sub(seq) <= RECEIVER_STEP_MAX => {
                (base.min(seq), highest)
            }
            Some(unchanged) => unchanged,
        });
        self.on_transit(timestamp, now);
    }

    /// A sender report of the stream came.
    pub fn on_sender_report(&mut self, sent: NtpTime, now: Instant) {
        self.sender_report = Some((sent, now));
    }

    /// The report on the time since the last report. `None` before the first packet.
    pub fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        let (_, highest) = self.range?;
        let expected = self.expected();
        let expected_now = expected.saturating_sub(self.expected_before);
        let packets_now = self.packets.saturating_sub(self.packets_before);
        let lost_now = expected_now.saturating_sub(packets_now);
        self.expected_before = expected;
        self.packets_before = self.packets;
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0);
        let (last_sender_report, delay) = self.sender_report.map_or((0, 0), |(sent, at)| {
            (sent.compact(), ntp::compact_duration(now.saturating_duration_since(at)))
        });
        Some(ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: i32::try_from(self.lost()).unwrap_or(i32::MAX),
            highest_seq: wire::low32(highest),
            jitter: u32::try_from(self.jitter_16 >> 4).unwrap_or(u32::MAX),
            last_sender_report,
            delay,
        })
    }

    /// Sums since the beginning.
    pub fn totals(&self) -> Totals {
        let ticks = self.jitter_16 >> 4;
        Totals {
            packets: self.packets,
            bytes: self.bytes,
            lost: self.lost(),
            jitter: Duration::from_nanos(ticks * 1_000_000_000 / u64::from(self.clock_rate_hz)),
        }
    }

    /// The stream.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The last sender report and when it came.
    pub fn last_sender_report(&self) -> Option<(NtpTime, Instant)> {
        self.sender_report
    }

    fn expected(&self) -> u64 {
        self.range.map_or(0, |(base, highest)| highest - base + 1)
    }

    fn lost(&self) -> i64 {
        self.expected().cast_signed() - self.packets.cast_signed()
    }

    /// RFC 3550 A.8, with whole numbers.
    fn on_transit(&mut self, timestamp: u32, now: Instant) {
        let (first, before) = self.transit.map_or((now, None), |(at, ticks)| (at, Some(ticks)));
        let rate = u128::from(self.clock_rate_hz);
        let arrived = now.saturating_duration_since(first).as_nanos() * rate / 1_000_000_000;
        let arrived = wire::low32(u64::try_from(arrived).unwrap_or(0));
        let transit = arrived.wrapping_sub(timestamp);
        self.transit = Some((first, transit));
        let Some(before) = before else { return };
        let difference = u64::from(rtp_time_delta(before, transit).unsigned_abs());
        if difference <= JITTER_STEP_MAX.as_secs() * u64::from(self.clock_rate_hz) {
            self.jitter_16 = self.jitter_16 + difference - ((self.jitter_16 + 8) >> 4);
        }
    }
}

#[cfg(test)]
mod tests;

//! RTP times of an outgoing stream that is put together from several incoming ones.
//!
//! Within one source the times are those of the source, moved by an offset. At a change of source the
//! offset is chosen so that the same moment keeps the same time: by the sender reports of both layers,
//! or, if one is missing or they make no sense, by the moments of arrival.

use std::time::{Duration, Instant};

use fermata_rtp::unwrap::rtp_time_delta;

use super::limits::ALIGN_TOLERANCE;
use super::up::SenderReport;

/// Longest pause that is written into the times; after longer ones it is as if it had been this long
/// (a jump of more than half the range would go backwards).
const PAUSE_MAX: Duration = Duration::from_hours(1);

/// Last packet of the outgoing stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    /// Its outgoing time.
    pub(super) timestamp: u32,
    /// When it arrived here.
    pub(super) arrived: Instant,
}

/// A source of which the offset is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    /// `outgoing = incoming - offset`.
    pub(super) offset: u32,
    /// Its last sender report.
    pub(super) report: Option<SenderReport>,
}

/// First packet of the next source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    pub(super) timestamp: u32,
    pub(super) arrived: Instant,
    pub(super) report: Option<SenderReport>,
    pub(super) clock_rate_hz: u32,
}

/// Outgoing time of the first packet of a source. `from` is the source before it, if it is of the same
/// track (their reports are of one clock).
pub(super) fn align(last: Sent, from: Option<Source>, next: Next) -> u32 {
    let rate = next.clock_rate_hz;
    let elapsed = next.arrived.saturating_duration_since(last.arrived).min(PAUSE_MAX);
    let by_arrival = last.timestamp.wrapping_add(ticks(elapsed, rate));
    let aligned = from.and_then(|from| by_reports(from, next)).filter(|candidate| {
        rtp_time_delta(by_arrival, *candidate).unsigned_abs() <= ticks(ALIGN_TOLERANCE, rate)
    });
    let candidate = aligned.unwrap_or(by_arrival);
    // Receivers take equal times for one picture and lower ones for late packets.
    let step = (rate / 1000).max(1).cast_signed();
    if rtp_time_delta(last.timestamp, candidate) < step {
        return last.timestamp.wrapping_add(step.cast_unsigned());
    }
    candidate
}

/// The time that the old source would have given to the moment of the new packet, moved by its offset.
fn by_reports(from: Source, next: Next) -> Option<u32> {
    let (old, new) = (from.report?, next.report?);
    let between = if new.ntp >= old.ntp {
        ticks(new.ntp.duration_since(old.ntp).min(PAUSE_MAX), next.clock_rate_hz)
    } else {
        let back = old.ntp.duration_since(new.ntp).min(PAUSE_MAX);
        0_u32.wrapping_sub(ticks(back, next.clock_rate_hz))
    };
    let since_report = next.timestamp.wrapping_sub(new.rtp_time);
    let in_old = old.rtp_time.wrapping_add(between).wrapping_add(since_report);
    Some(in_old.wrapping_sub(from.offset))
}

/// A duration in ticks. An hour at 90 kHz is 2^28.3, so nothing is cut off below [`PAUSE_MAX`].
fn ticks(duration: Duration, clock_rate_hz: u32) -> u32 {
    let nanos = duration.as_nanos() * u128::from(clock_rate_hz);
    u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;

    #[test]
    fn by_reports_within_reason_else_by_arrival_and_always_forward() {
        let earlier = Now::read().instant;
        let start = earlier + Duration::from_millis(20);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let last = Sent { timestamp: 1_000_000, arrived: at(0) };
        // The old source is 500,000 ahead of what goes out; both clocks were reported at the same moment.
        let report = |rtp_time| Some(SenderReport { rtp_time, ntp: at(0) });
        let from = Some(Source { offset: 500_000, report: report(1_500_000) });
        let next =
            |timestamp, report| Next { timestamp, arrived: at(100), report, clock_rate_hz: 90_000 };
        let rows = [
            // 40 ms after the report in both clocks, though it arrived 100 ms later.
            (from, next(7_003_600, report(7_000_000)), 1_003_600),
            // No report on one side, another track: by arrival.
            (from, next(7_003_600, None), 1_009_000),
            (None, next(7_003_600, report(7_000_000)), 1_009_000),
            // Reports that make no sense.
            (from, next(9_999_999, report(7_000_000)), 1_009_000),
            // Captured before what was sent last: one step on.
            (from, next(6_996_400, report(7_000_000)), 1_000_090),
        ];
        for (from, next, expected) in rows {
            assert_eq!(align(last, from, next), expected, "{next:?}");
        }
        let skewed = SenderReport { rtp_time: 7_000_000, ntp: at(20) };
        assert_eq!(align(last, from, next(7_003_600, Some(skewed))), 1_005_400);
        let skewed = SenderReport { rtp_time: 7_000_000, ntp: earlier };
        assert_eq!(align(last, from, next(7_003_600, Some(skewed))), 1_001_800);
        let wrap = Sent { timestamp: u32::MAX, arrived: at(0) };
        assert_eq!(align(wrap, None, next(5, None)), 8_999);
        let much_later = Next { arrived: start + Duration::from_secs(999_999), ..next(5, None) };
        assert_eq!(align(last, None, much_later), 1_000_000 + 3_600 * 90_000);
    }
}

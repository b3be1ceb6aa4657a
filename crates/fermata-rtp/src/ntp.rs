//! NTP times as RTCP carries them (RFC 3550 section 4), and their place on the monotonic clock.

use std::time::{Duration, Instant};

use crate::wire;

/// Seconds from the beginning of NTP's era (1900) to that of Unix.
const UNIX_EPOCH_S: u64 = 2_208_988_800;

/// By so much a round trip may be below nothing: a millisecond, in units of 1/65,536 s.
const ROUNDING_MAX: u32 = 66;

/// Longer round trips are mistakes.
const ROUND_TRIP_MAX: Duration = Duration::from_mins(1);

/// A moment: seconds since 1900 in the upper 32 bits, their fraction in the lower. Wraps in 2036, as the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The moment so long after 1970.
    pub fn from_unix(since_epoch: Duration) -> Self {
        Self(UNIX_EPOCH_S << 32).plus(since_epoch)
    }

    /// So much later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.wrapping_add(fixed(by)))
    }

    /// So much earlier.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.wrapping_sub(fixed(by)))
    }

    /// The middle 32 bits, as LSR has them: units of 1/65,536 s; wraps after 18 hours.
    pub fn compact(self) -> u32 {
        wire::low32(self.0 >> 16)
    }

    /// Content of the absolute send time extension: 24 bits, 6 of them seconds; wraps after 64 s.
    pub fn abs_send_time(self) -> [u8; 3] {
        let [_, a, b, c] = wire::low32(self.0 >> 14).to_be_bytes();
        [a, b, c]
    }
}

/// 32.32 fixed point, rounded down; wraps after 136 years.
fn fixed(duration: Duration) -> u64 {
    let fraction = (u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000;
    duration.as_secs() << 32 | fraction
}

/// A duration in units of 1/65,536 s, as DLSR has it; the longest that can be written if it is longer.
pub fn compact_duration(duration: Duration) -> u32 {
    let units = (duration.as_nanos() << 16) / 1_000_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// A duration read from units of 1/65,536 s.
pub fn from_compact_duration(units: u32) -> Duration {
    Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16)
}

/// Round-trip time that a report block tells (RFC 3550 section 6.4.1): `arrived` is when it came, as
/// [`NtpTime::compact`]. `None` if the peer has seen no sender report, or says what cannot be.
pub fn round_trip(arrived: u32, last_sender_report: u32, delay: u32) -> Option<Duration> {
    if last_sender_report == 0 {
        return None;
    }
    let units = arrived.wrapping_sub(last_sender_report).wrapping_sub(delay);
    // Rounding on both sides can make it a little less than nothing.
    let units = if units > u32::MAX - ROUNDING_MAX { 0 } else { units };
    Some(from_compact_duration(units)).filter(|rtt| *rtt <= ROUND_TRIP_MAX)
}

/// One moment on both clocks; maps all others, so that steps of the wall clock do no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    instant: Instant,
    ntp: NtpTime,
}

impl Mapping {
    /// These two are the same moment.
    pub fn new(instant: Instant, ntp: NtpTime) -> Self {
        Self { instant, ntp }
    }

    /// How long after the moment it was made of; nothing if before it.
    pub fn since(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.instant)
    }

    /// NTP time so long after the moment it was made of; see [`Self::since`].
    pub fn ntp_after(&self, since: Duration) -> NtpTime {
        self.ntp.plus(since)
    }

    /// NTP time of a moment.
    pub fn ntp(&self, instant: Instant) -> NtpTime {
        match instant.checked_duration_since(self.instant) {
            Some(later) => self.ntp.plus(later),
            None => self.ntp.minus(self.instant.saturating_duration_since(instant)),
        }
    }

    /// The moment of an NTP time at most 68 years away; `None` if the monotonic clock does not reach it.
    pub fn instant(&self, ntp: NtpTime) -> Option<Instant> {
        let difference = ntp.0.wrapping_sub(self.ntp.0).cast_signed();
        let magnitude = difference.unsigned_abs();
        // Rounded up, because writing rounded down: there and back is the same microsecond.
        let fraction = (magnitude & u64::from(u32::MAX)) * 1_000_000_000;
        let by =
            Duration::from_secs(magnitude >> 32) + Duration::from_nanos(fraction.div_ceil(1 << 32));
        if difference < 0 { self.instant.checked_sub(by) } else { self.instant.checked_add(by) }
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 3550 section 6.4.1, figure 2: A - LSR - DLSR = 0xb710:8000 - 0xb705:2000 - 0x0005:4000.
        let rtt = round_trip(0xb710_8000, 0xb705_2000, 0x0005_4000);
        assert_eq!(rtt, Some(Duration::from_millis(6_125)));
        let sent = NtpTime(0xb44d_b705_2000_0000);
        assert_eq!(sent.compact(), 0xb705_2000);
        assert_eq!(compact_duration(Duration::from_millis(5_250)), 0x0005_4000);
        assert_eq!(from_compact_duration(0x0005_4000), Duration::from_millis(5_250));
    }

    #[test]
    fn round_trips_that_cannot_be() {
        let rows = [
            (100, 0, 10, None),
            (0x10_0000, 0x10_0000, 0, Some(Duration::ZERO)),
            (0x10_0000, 0x10_0000, 60, Some(Duration::ZERO)),
            (0x10_0000, 0x10_0000, 600, None),
            (0x80_0000, 0x10_0000, 0, None),
            // The compact clock wraps between.
            (0x8000, 0xffff_8000, 0x8000, Some(Duration::from_millis(500))),
        ];
        for (arrived, last, delay, expected) in rows {
            assert_eq!(
                round_trip(arrived, last, delay),
                expected,
                "{arrived:x} {last:x} {delay:x}"
            );
        }
    }

    #[test]
    fn moments_in_all_forms() {
        let half = NtpTime::from_unix(Duration::from_millis(1_500));
        assert_eq!(half.0, 0x83aa_7e81_8000_0000);
        assert_eq!(half.compact(), 0x7e81_8000);
        // 6 bits of seconds (0x01), then the fraction.
        assert_eq!(half.abs_send_time(), [0x06, 0x00, 0x00]);
        assert_eq!(compact_duration(Duration::MAX), u32::MAX);
        assert_eq!(NtpTime(5).minus(Duration::from_secs(1)).plus(Duration::from_secs(1)).0, 5);
    }

    proptest! {
        #[test]
        fn both_clocks_agree(away_us in -1_000_000_000_i64..1_000_000_000, ntp in any::<u64>()) {
            // Far from the zero of the monotonic clock, so that there is room before it.
            let zero = Now::read().instant + Duration::from_secs(10_000);
            let mapping = Mapping::new(zero, NtpTime(ntp));
            let by = Duration::from_micros(away_us.unsigned_abs());
            let before = zero.checked_sub(by).expect("far from its zero");
            let moment = if away_us < 0 { before } else { zero + by };
            prop_assert_eq!(mapping.instant(mapping.ntp(moment)), Some(moment));
        }

        #[test]
        fn durations_are_kept_to_the_unit(units in any::<u32>()) {
            let read = from_compact_duration(units);
            prop_assert!(units - compact_duration(read) <= 1);
        }
    }
}

//! Unwrapping of counters that wrap: the value nearest to the last one.

/// Unwraps a counter of `BITS` bits (1 to 32) to 64 bits.
///
/// The first value is placed far above zero, so that late ones do not fall below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unwrapper<const BITS: u32> {
    last: Option<u64>,
}

impl<const BITS: u32> Unwrapper<BITS> {
    const MASK: u64 = (1 << BITS) - 1;
    /// A multiple of every modulus.
    const ORIGIN: u64 = 1 << 40;

    /// Nothing seen yet.
    pub fn new() -> Self {
        Self { last: None }
    }

    /// The unwrapped value; bits above `BITS` are ignored. Differences of more than half the range go
    /// backwards.
    pub fn unwrap(&mut self, value: u32) -> u64 {
        let value = u64::from(value) & Self::MASK;
        let unwrapped = match self.last {
            None => Self::ORIGIN + value,
            Some(last) => {
                let ahead = value.wrapping_sub(last) & Self::MASK;
                if ahead > Self::MASK / 2 {
                    last.wrapping_sub(Self::MASK + 1 - ahead)
                } else {
                    last.wrapping_add(ahead)
                }
            }
        };
        self.last = Some(unwrapped);
        unwrapped
    }
}

/// Signed difference `to - from` of two RTP times (RFC 3550 section 5.1), ticks.
pub fn rtp_time_delta(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn across_the_wrap_and_back() {
        let mut unwrapper = Unwrapper::<16>::new();
        let base = unwrapper.unwrap(65_534);
        assert_eq!(unwrapper.unwrap(1), base + 3);
        assert_eq!(unwrapper.unwrap(65_535), base + 1);
        assert_eq!(unwrapper.unwrap(2), base + 4);
        assert_eq!(rtp_time_delta(u32::MAX, 1), 2);
        assert_eq!(rtp_time_delta(1, u32::MAX), -2);
    }

    proptest! {
        #[test]
        fn small_steps_are_followed(
            start in any::<u32>(),
            steps in prop::collection::vec(-8_000_i64..8_000, 1..200),
        ) {
            let mut unwrapper = Unwrapper::<15>::new();
            let mut truth = i64::from(start & 0x7fff);
            let mut before = unwrapper.unwrap(start);
            prop_assert_eq!(before & 0x7fff, u64::from(start & 0x7fff));
            for step in steps {
                truth += step;
                let after = unwrapper.unwrap(u32::try_from(truth & 0x7fff).expect("15 bits"));
                prop_assert_eq!(after.wrapping_sub(before).cast_signed(), step);
                before = after;
            }
        }
    }
}

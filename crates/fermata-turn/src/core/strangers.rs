//! How many answers an address gets that has proved nothing: its source address may be somebody else's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::bucket::Bucket;
use super::household;
use crate::limits::{STRANGER_BURST, STRANGER_FORGOTTEN, STRANGER_RATE, STRANGERS_MAX};

/// Those heard lately.
#[derive(Debug, Default)]
pub(super) struct Strangers(HashMap<IpAddr, Bucket>);

impl Strangers {
    /// One answer for an address; false if it has had enough, or if there are too many others.
    pub(super) fn take(&mut self, now: Instant, ip: IpAddr) -> bool {
        let ip = household(ip);
        if self.0.len() >= STRANGERS_MAX && !self.0.contains_key(&ip) {
            return false;
        }
        let bucket = self.0.entry(ip).or_insert_with(|| Bucket::new(now));
        bucket.take(now, 1, STRANGER_RATE.into(), STRANGER_BURST.into())
    }

    /// Forgets those that were quiet for long.
    pub(super) fn forget(&mut self, now: Instant) {
        self.0.retain(|_, bucket| bucket.full_for(now) < STRANGER_FORGOTTEN);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn answers_are_few_and_so_are_those_remembered() {
        let now = fermata_types::Now::read().instant;
        let mut strangers = Strangers::default();
        let one: IpAddr = [192, 0, 2, 1].into();
        let granted = (0..1_000).filter(|_| strangers.take(now, one)).count();
        assert_eq!(granted, usize::try_from(STRANGER_BURST).unwrap());
        for number in 0..20_000_u32 {
            strangers.take(now, Ipv4Addr::from_bits(number).into());
        }
        assert_eq!(strangers.0.len(), STRANGERS_MAX);
        assert!(!strangers.take(now, [203, 0, 113, 9].into()));
        let later = now + STRANGER_FORGOTTEN * 2;
        strangers.forget(later);
        assert!(strangers.0.is_empty() && strangers.take(later, one));
    }
}

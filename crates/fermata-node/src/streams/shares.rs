//! How many TCP connections each address has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// The counts; none is zero.
#[derive(Debug, Default)]
pub(super) struct Shares(HashMap<IpAddr, usize>);

impl Shares {
    /// One more of an address. False, with nothing counted, if it has `max`.
    pub(super) fn take(&mut self, ip: IpAddr, max: usize) -> bool {
        let count = self.0.entry(household(ip)).or_default();
        let granted = *count < max;
        *count += usize::from(granted);
        if *count == 0 {
            self.0.remove(&household(ip));
        }
        granted
    }

    /// One less.
    pub(super) fn give_back(&mut self, ip: IpAddr) {
        if let Some(count) = self.0.get_mut(&household(ip)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(&household(ip));
            }
        }
    }
}

/// What one customer of a provider has: an IPv4 address, or the 64 bits before as many addresses of IPv6 as he likes.
fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_nobody_is_remembered_for_nothing() {
        let mut shares = Shares::default();
        let ip = |text: &str| text.parse().unwrap();
        assert!(!shares.take(ip("192.0.2.1"), 0) && shares.0.is_empty());
        assert!(shares.take(ip("192.0.2.1"), 1) && !shares.take(ip("192.0.2.1"), 1));
        assert!(shares.take(ip("2001:db8::1"), 1) && !shares.take(ip("2001:db8::2"), 1));
        assert!(shares.take(ip("2001:db8:0:1::1"), 1));
        for address in ["192.0.2.1", "2001:db8::7", "2001:db8:0:1::1"] {
            shares.give_back(ip(address));
        }
        assert!(shares.0.is_empty());
    }
}

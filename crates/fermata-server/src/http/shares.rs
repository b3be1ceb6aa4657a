//! How many of the connections one address may hold, so that none holds them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Cidr;

/// What every address holds. An address is forgotten with its last connection, so there are never more of them
/// than connections.
#[derive(Debug)]
pub struct Shares {
    max: usize,
    /// Their connections are those of many.
    trusted: Vec<Cidr>,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's part of its address's share; gives it back when dropped.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    /// `None`: of an address that is not counted.
    address: Option<IpAddr>,
}

impl Shares {
    /// Each address may hold `max` connections. This machine and `trusted` proxies may hold any number: behind them
    /// are many, and nobody else can have their addresses.
    pub fn new(max: usize, trusted: Vec<Cidr>) -> Self {
        Self { max, trusted, held: Mutex::default() }
    }

    /// One more connection of an address; `None` if it holds as many as it may.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let address = address.to_canonical();
        let exempt =
            address.is_loopback() || self.trusted.iter().any(|network| network.contains(address));
        if exempt {
            return Some(Share { shares: Arc::clone(self), address: None });
        }
        let address = household(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Share { shares: Arc::clone(self), address: Some(address) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut held = self.shares.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&address);
            }
        }
    }
}

/// What one customer of a provider has: an IPv4 address, or the 64 bits before as many addresses of IPv6 as he likes.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(max: usize, trusted: &[&str]) -> Arc<Shares> {
        let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Arc::new(Shares::new(max, trusted))
    }

    fn take(shares: &Arc<Shares>, address: &str) -> Option<Share> {
        shares.take(address.parse().unwrap())
    }

    #[test]
    fn an_address_holds_its_share_and_no_more() {
        let shares = shares(3, &[]);
        let mut held: Vec<_> = (0..3).map(|_| take(&shares, "192.0.2.1").unwrap()).collect();
        assert!(take(&shares, "192.0.2.1").is_none());
        assert!(take(&shares, "::ffff:192.0.2.1").is_none(), "the same, as IPv6 sockets say it");
        let other = take(&shares, "192.0.2.2");
        assert!(other.is_some(), "others have shares of their own");
        held.pop();
        held.push(take(&shares, "192.0.2.1").unwrap());
        assert!(take(&shares, "192.0.2.1").is_none());
        drop((held, other));
        assert!(shares.held.lock().unwrap().is_empty(), "nobody is remembered for nothing");
    }

    #[test]
    fn addresses_of_one_household_share() {
        let shares = shares(2, &[]);
        let held = [take(&shares, "2001:db8::1"), take(&shares, "2001:db8::2:0:0:1")];
        assert!(held.iter().all(Option::is_some));
        assert!(take(&shares, "2001:db8::ffff").is_none());
        assert!(take(&shares, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn this_machine_and_trusted_proxies_are_not_counted() {
        let shares = shares(1, &["198.51.100.0/24"]);
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.9", "198.51.100.7"] {
            let held: Vec<_> = (0..10).map(|_| take(&shares, address)).collect();
            assert!(held.iter().all(Option::is_some), "{address}");
        }
    }
}

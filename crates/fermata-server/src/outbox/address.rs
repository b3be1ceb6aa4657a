//! Which addresses a webhook may reach, so that nobody asks private networks for things through us.
//!
//! The address is judged, not the name: a name is resolved first, and the connection then goes to an address
//! that was judged, so a name that answers differently the second time gains nothing.
//! What it is not: no rule about mail; its server is named by the operator.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far webhooks reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses only.
    Public,
    /// Those, and this machine itself: development mode.
    PublicAndLoopback,
    /// Every address that is one machine's, private networks and this machine included
    /// (`webhook_private_networks`).
    Unicast,
}

impl Reach {
    /// May a webhook connect to `address`?
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::PublicAndLoopback => address.to_canonical().is_loopback() || is_public(address),
            Self::Unicast => is_unicast(address.to_canonical()),
        }
    }
}

fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_multicast() && v4.octets()[0] < 240,
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}

/// Is it a globally reachable unicast address (the IANA special-purpose registries, RFC 6890)?
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// IPv4 networks that are not public: network and length.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    // This network (RFC 791); Linux takes 0.0.0.0 for itself.
    (Ipv4Addr::UNSPECIFIED, 8),
    // Private (RFC 1918).
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared behind carrier NAT (RFC 6598).
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback (RFC 1122).
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local (RFC 3927), where clouds keep their metadata.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Private (RFC 1918).
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments (RFC 6890).
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation (RFC 5737).
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays of 6to4 (RFC 7526).
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Private (RFC 1918).
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Benchmarks (RFC 2544).
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Documentation (RFC 5737).
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast (RFC 5771), reserved (RFC 1112) and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !SPECIAL_V4.iter().any(|(network, length)| {
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        bits & mask == u32::from(*network)
    })
}

/// Networks inside `2000::/3` that are not public: network and length.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    // Protocol assignments (RFC 2928): Teredo, ORCHID, benchmarks.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation (RFC 3849, RFC 9637).
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Only `2000::/3` is global unicast (RFC 4291); addresses that carry an IPv4 address are judged by that.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    let inside = |network: Ipv6Addr, length: u32| {
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        bits & mask == u128::from(network)
    };
    let embedded = |shift: u32| {
        let low = (bits >> shift) & u128::from(u32::MAX);
        Ipv4Addr::from(u32::try_from(low).unwrap_or(0))
    };
    // NAT64's well-known prefix (RFC 6052).
    if inside(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        return is_public_v4(embedded(0));
    }
    // 6to4 (RFC 3056): the IPv4 address follows the first 16 bits.
    if inside(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16) {
        return is_public_v4(embedded(80));
    }
    inside(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !SPECIAL_V6.iter().any(|(network, length)| inside(*network, *length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, public: bool, with_loopback: bool, unicast: bool) {
        let parsed: IpAddr = address.parse().unwrap();
        let reach = [Reach::Public, Reach::PublicAndLoopback, Reach::Unicast];
        let got = reach.map(|reach| reach.allows(parsed));
        assert_eq!(got, [public, with_loopback, unicast], "{address}");
    }

    #[test]
    fn private_networks_are_found_in_every_disguise() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2003::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            check(public, true, true, true);
        }
        for loopback in ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"] {
            check(loopback, false, true, true);
        }
        for private in [
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::101:101",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "100::1",
            "5f00::1",
        ] {
            check(private, false, false, true);
        }
        for nobody in
            ["0.0.0.0", "::", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "ff02::1"]
        {
            check(nobody, false, false, false);
        }
    }
}

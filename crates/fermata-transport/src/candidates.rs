//! Our host candidates: which addresses we receive at, over which protocol, and which of them we prefer.
//!
//! What it is not: it opens no socket. Whoever owns the sockets sees to it that no address stands for UDP and for
//! TCP at once, so that the address alone says over which of them a path goes.

use std::net::SocketAddr;

/// What datagrams of a path travel in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP, each datagram with its length before it (RFC 6544, RFC 4571).
    Tcp,
}

/// Type preference of host candidates over UDP (RFC 8445 section 5.1.2.2).
const UDP_PREFERENCE: u32 = 126;

/// Type preference of those over TCP: below every kind over UDP but relays (RFC 6544 section 4.2).
const TCP_PREFERENCE: u32 = 90;

/// Direction preference of passive host candidates (RFC 6544 section 4.2).
const PASSIVE_PREFERENCE: u32 = 4;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostCandidate {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
    /// RFC 8445 section 5.1.2.1.
    pub(crate) priority: u32,
}

/// All of them, those over UDP first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HostCandidates(Vec<HostCandidate>);

impl HostCandidates {
    /// Those that are usable, in the order of preference within each protocol. Unspecified and multicast addresses
    /// and port 0 are left out.
    pub(crate) fn new(udp: &[SocketAddr], tcp: &[SocketAddr]) -> Self {
        let usable = |address: &&SocketAddr| {
            let ip = address.ip();
            !ip.is_unspecified() && !ip.is_multicast() && address.port() != 0
        };
        let over = |protocol, list: &[SocketAddr]| {
            let list: Vec<SocketAddr> = list.iter().filter(usable).copied().collect();
            (0..).zip(list).map(move |(place, address)| HostCandidate {
                address,
                protocol,
                priority: priority(protocol, place),
            })
        };
        Self(over(Protocol::Udp, udp).chain(over(Protocol::Tcp, tcp)).collect())
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, HostCandidate> {
        self.0.iter()
    }

    /// Is there none?
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one of an address.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<&HostCandidate> {
        self.0.iter().find(|candidate| candidate.address == address)
    }
}

/// Of the `place`th candidate of a protocol, with one component.
fn priority(protocol: Protocol, place: u32) -> u32 {
    let (kind, local) = match protocol {
        Protocol::Udp => (UDP_PREFERENCE, 0xffff - place.min(0xffff)),
        Protocol::Tcp => {
            (TCP_PREFERENCE, (PASSIVE_PREFERENCE << 13) | (0x1fff - place.min(0x1fff)))
        }
    };
    (kind << 24) | (local << 8) | 255
}

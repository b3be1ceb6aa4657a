//! Whom the relay relays to: the node's own media addresses over UDP, and nobody else.
//!
//! Clients name a peer by the address that they were told; the relay reaches it at the one where the socket is bound.

use std::net::{IpAddr, SocketAddr};

/// One media address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// As clients know it.
    pub told: SocketAddr,
    /// Where it is reached from this machine.
    pub actual: SocketAddr,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Peers(Vec<Peer>);

impl Peers {
    /// Of these.
    pub fn new(peers: Vec<Peer>) -> Self {
        Self(peers)
    }

    /// Is it the IP address of one of them? Permissions are for those (RFC 8656 section 9).
    pub(super) fn has_ip(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|peer| peer.told.ip() == ip.to_canonical())
    }

    /// Where the peer is reached that a client knows by this address; `None`: it is none of ours.
    pub(super) fn actual(&self, told: SocketAddr) -> Option<SocketAddr> {
        let told = SocketAddr::new(told.ip().to_canonical(), told.port());
        self.0.iter().find(|peer| peer.told == told).map(|peer| peer.actual)
    }

    /// The IP address that clients are told as that of a relay: that of the first of the family.
    pub(super) fn relay_ip(&self, ipv6: bool) -> Option<IpAddr> {
        self.0.iter().map(|peer| peer.told.ip()).find(|ip| ip.is_ipv6() == ipv6)
    }
}

//! Finds the connection of a datagram: by the address it comes from, and for STUN by the user name in it.
//!
//! What it is not: it verifies nothing; the connection itself does (message integrity, SRTP, DTLS).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::key::LinkId;
use crate::limits::{ADDRESS_HELD, ADDRESSES_MAX};

/// From where to where: the sender, and the port of ours. The same sender over UDP and over TCP may be two clients of
/// one network, and comes to two ports.
type Way = (SocketAddr, u16);

/// Who is behind an address.
#[derive(Debug, Clone, Copy)]
struct Owner {
    link: LinkId,
    heard_at: Instant,
}

/// The two maps.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    addresses: HashMap<Way, Owner>,
    ufrags: HashMap<String, LinkId>,
    of_link: HashMap<LinkId, Vec<Way>>,
}

impl Demux {
    /// The connection that was last heard from `source` at `destination`, an address of ours.
    pub(crate) fn by_address(&self, source: SocketAddr, destination: SocketAddr) -> Option<LinkId> {
        self.addresses.get(&(source, destination.port())).map(|owner| owner.link)
    }

    /// That connection accepted something from there.
    pub(crate) fn note_heard(&mut self, source: SocketAddr, destination: SocketAddr, now: Instant) {
        if let Some(owner) = self.addresses.get_mut(&(source, destination.port())) {
            owner.heard_at = now;
        }
    }

    /// The connection whose user name fragment this is.
    pub(crate) fn by_ufrag(&self, ufrag: &str) -> Option<LinkId> {
        self.ufrags.get(ufrag).copied()
    }

    /// A connection is reached under this user name fragment, instead of `old`.
    pub(crate) fn set_ufrag(&mut self, link: LinkId, old: &str, new: &str) {
        if self.ufrags.get(old) == Some(&link) {
            self.ufrags.remove(old);
        }
        self.ufrags.insert(new.to_owned(), link);
    }

    /// A connection accepted a STUN message from `source`. An address that another connection was
    /// heard from a moment ago stays with that one, so that nobody takes it over by a forged source.
    pub(crate) fn learn(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        link: LinkId,
        now: Instant,
    ) {
        let way = (source, destination.port());
        if let Some(owner) = self.addresses.get_mut(&way) {
            if owner.link == link {
                owner.heard_at = now;
                return;
            }
            if now.saturating_duration_since(owner.heard_at) < ADDRESS_HELD {
                return;
            }
            let old = owner.link;
            if let Some(list) = self.of_link.get_mut(&old) {
                list.retain(|other| *other != way);
            }
        }
        self.addresses.insert(way, Owner { link, heard_at: now });
        let list = self.of_link.entry(link).or_default();
        if list.len() >= ADDRESSES_MAX {
            let oldest = list.remove(0);
            self.addresses.remove(&oldest);
        }
        list.push(way);
    }

    /// A connection is gone.
    pub(crate) fn remove(&mut self, link: LinkId, ufrag: &str) {
        if self.ufrags.get(ufrag) == Some(&link) {
            self.ufrags.remove(ufrag);
        }
        for address in self.of_link.remove(&link).unwrap_or_default() {
            self.addresses.remove(&address);
        }
    }

    /// Entries of all maps, for the leak test.
    pub(crate) fn len(&self) -> usize {
        self.addresses.len() + self.ufrags.len() + self.of_link.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fermata_types::Now;

    use super::*;
    use crate::key::{ParticipantId, Side};

    #[test]
    fn an_address_in_use_is_not_taken_over() {
        let t0 = Now::read().instant;
        let link = |n| LinkId { participant: ParticipantId(n), side: Side::Up };
        let address: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let mut demux = Demux::default();
        let (udp, tcp) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        demux.learn(address, udp, link(1), t0);
        demux.learn(address, udp, link(2), t0 + Duration::from_secs(1));
        assert_eq!(demux.by_address(address, udp), Some(link(1)));
        demux.learn(address, udp, link(2), t0 + Duration::from_secs(20));
        assert_eq!(demux.by_address(address, udp), Some(link(2)));
        // Over the other protocol it is somebody else.
        demux.learn(address, tcp, link(1), t0 + Duration::from_secs(20));
        assert_eq!(demux.by_address(address, tcp), Some(link(1)));
        assert_eq!(demux.by_address(address, udp), Some(link(2)));
        demux.remove(link(1), "");
        demux.remove(link(2), "");
        assert_eq!(demux.len(), 0);
    }
}

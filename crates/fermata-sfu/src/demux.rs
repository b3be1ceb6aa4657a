//! Finds the connection of a datagram: by the address it comes from, and for STUN by the user name in it.
//!
//! What it is not: it verifies nothing; the connection itself does (message integrity, SRTP, DTLS).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::key::LinkId;
use crate::limits::{ADDRESS_HELD, ADDRESSES_MAX};

/// STUN's magic cookie, RFC 8489 section 5.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// Attribute USERNAME, RFC 8489 section 14.3.
const USERNAME: u16 = 0x0006;
/// STUN header, bytes.
const HEADER_LEN: usize = 20;

/// Who is behind an address.
#[derive(Debug, Clone, Copy)]
struct Owner {
    link: LinkId,
    heard_at: Instant,
}

/// The two maps.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    addresses: HashMap<SocketAddr, Owner>,
    ufrags: HashMap<String, LinkId>,
    of_link: HashMap<LinkId, Vec<SocketAddr>>,
}

impl Demux {
    /// The connection that was last heard from `source`; hearing is noted.
    pub(crate) fn by_address(&mut self, source: SocketAddr, now: Instant) -> Option<LinkId> {
        let owner = self.addresses.get_mut(&source)?;
        owner.heard_at = now;
        Some(owner.link)
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
    pub(crate) fn learn(&mut self, source: SocketAddr, link: LinkId, now: Instant) {
        if let Some(owner) = self.addresses.get_mut(&source) {
            if owner.link == link {
                owner.heard_at = now;
                return;
            }
            if now.saturating_duration_since(owner.heard_at) < ADDRESS_HELD {
                return;
            }
            let old = owner.link;
            if let Some(list) = self.of_link.get_mut(&old) {
                list.retain(|address| *address != source);
            }
        }
        self.addresses.insert(source, Owner { link, heard_at: now });
        let list = self.of_link.entry(link).or_default();
        if list.len() >= ADDRESSES_MAX {
            let oldest = list.remove(0);
            self.addresses.remove(&oldest);
        }
        list.push(source);
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

/// The first half of USERNAME of a STUN binding request: the receiver's fragment (RFC 8445 section 7.2.2).
/// `None` for everything else.
pub(crate) fn stun_ufrag(data: &[u8]) -> Option<&str> {
    let header = data.get(..HEADER_LEN)?;
    // A binding request: two zero bits, class request, method binding.
    if header.get(..2)? != [0x00, 0x01] || header.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    let mut rest = data.get(HEADER_LEN..)?;
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let kind = u16::from_be_bytes([*head.first()?, *head.get(1)?]);
        let len = usize::from(u16::from_be_bytes([*head.get(2)?, *head.get(3)?]));
        let value = tail.get(..len)?;
        if kind == USERNAME {
            return std::str::from_utf8(value).ok()?.split(':').next();
        }
        rest = tail.get(len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fermata_types::Now;
    use proptest::prelude::*;

    use super::*;
    use crate::key::{ParticipantId, Side};

    fn request(username: &str) -> Vec<u8> {
        let mut data = vec![0, 1, 0, 0];
        data.extend(MAGIC_COOKIE);
        data.extend([7; 12]);
        data.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]);
        data.extend(USERNAME.to_be_bytes());
        data.extend(u16::try_from(username.len()).unwrap().to_be_bytes());
        data.extend(username.as_bytes());
        data.resize(data.len().next_multiple_of(4), 0);
        data
    }

    #[test]
    fn reads_the_receivers_half_of_the_user_name() {
        assert_eq!(stun_ufrag(&request("ours:theirs")), Some("ours"));
        assert_eq!(stun_ufrag(&request("ours")), Some("ours"));
        let mut response = request("ours:theirs");
        response[0] = 1;
        assert_eq!(stun_ufrag(&response), None);
        assert_eq!(stun_ufrag(&request("ours:theirs")[..30]), None);
    }

    proptest! {
        #[test]
        fn garbage_is_no_request(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = stun_ufrag(&data);
            let mut framed = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
            framed.extend(&data);
            let _ = stun_ufrag(&framed);
        }
    }

    #[test]
    fn an_address_in_use_is_not_taken_over() {
        let t0 = Now::read().instant;
        let link = |n| LinkId { participant: ParticipantId(n), side: Side::Up };
        let address: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let mut demux = Demux::default();
        demux.learn(address, link(1), t0);
        demux.learn(address, link(2), t0 + Duration::from_secs(1));
        assert_eq!(demux.by_address(address, t0 + Duration::from_secs(2)), Some(link(1)));
        demux.learn(address, link(2), t0 + Duration::from_secs(20));
        assert_eq!(demux.by_address(address, t0 + Duration::from_secs(20)), Some(link(2)));
        demux.remove(link(1), "");
        demux.remove(link(2), "");
        assert_eq!(demux.len(), 0);
    }
}

//! One allocation: whom it may send to, under which numbers, and until when.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use fermata_transport::stun::TRANSACTION_LEN;

use super::RelayId;
use super::bucket::Bucket;
use crate::limits::{CHANNEL_LIFETIME, CHANNELS_MAX, PERMISSION_LIFETIME};

/// A channel (RFC 8656 section 12).
#[derive(Debug, Clone, Copy)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    until: Instant,
}

/// An allocation.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) relay: RelayId,
    /// User name that made it; others may not touch it.
    pub(super) username: String,
    pub(super) participant: String,
    /// The request that made it: it may come again if our answer was lost.
    pub(super) transaction: [u8; TRANSACTION_LEN],
    pub(super) relayed: SocketAddr,
    pub(super) expires_at: Instant,
    pub(super) up: Bucket,
    pub(super) down: Bucket,
    permissions: Vec<(IpAddr, Instant)>,
    channels: Vec<Channel>,
    /// Where it has sent: the address as the client knows it, and the one it is.
    sent: Vec<(SocketAddr, SocketAddr)>,
}

impl Allocation {
    pub(super) fn new(
        relay: RelayId,
        (username, participant): (String, String),
        transaction: [u8; TRANSACTION_LEN],
        relayed: SocketAddr,
        (now, expires_at): (Instant, Instant),
    ) -> Self {
        Self {
            relay,
            username,
            participant,
            transaction,
            relayed,
            expires_at,
            up: Bucket::new(now),
            down: Bucket::new(now),
            permissions: Vec::new(),
            channels: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// May it exchange datagrams with that IP address?
    pub(super) fn permits(&self, now: Instant, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.permissions.iter().any(|(permitted, until)| *permitted == ip && *until > now)
    }

    /// Permits it. Only addresses of peers come here, so there are few.
    pub(super) fn permit(&mut self, now: Instant, ip: IpAddr) {
        let ip = ip.to_canonical();
        self.permissions.retain(|(permitted, until)| *permitted != ip && *until > now);
        self.permissions.push((ip, now + PERMISSION_LIFETIME));
    }

    /// Gives a peer a number, or keeps it. False if the number or the peer has another, or if there are too many.
    pub(super) fn bind(&mut self, now: Instant, number: u16, peer: SocketAddr) -> bool {
        self.channels.retain(|channel| channel.until > now);
        let same = |channel: &&mut Channel| channel.number == number || channel.peer == peer;
        let until = now + CHANNEL_LIFETIME;
        if let Some(channel) = self.channels.iter_mut().find(same) {
            let right = channel.number == number && channel.peer == peer;
            if right {
                channel.until = until;
            }
            return right;
        }
        if self.channels.len() >= CHANNELS_MAX {
            return false;
        }
        self.channels.push(Channel { number, peer, until });
        true
    }

    /// The peer of a channel, if it may be sent to.
    pub(super) fn channel_peer(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        let channel = self.channels.iter().find(|channel| channel.number == number)?;
        (channel.until > now && self.permits(now, channel.peer.ip())).then_some(channel.peer)
    }

    /// The channel of a peer.
    pub(super) fn channel_to(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        let found = |channel: &&Channel| channel.peer == peer && channel.until > now;
        self.channels.iter().find(found).map(|channel| channel.number)
    }

    /// Something goes to a peer; the latest is the first. False if it has sent to too many.
    pub(super) fn note_sent(&mut self, told: SocketAddr, actual: SocketAddr) -> bool {
        match self.sent.iter().position(|way| *way == (told, actual)) {
            Some(0) => {}
            Some(place) => {
                if let Some(before) = self.sent.get_mut(..=place) {
                    before.rotate_right(1);
                }
            }
            None if self.sent.len() < CHANNELS_MAX => self.sent.insert(0, (told, actual)),
            None => return false,
        }
        true
    }

    /// The address under which the client knows who sent this, if it has sent there and may hear from there.
    pub(super) fn told(&self, now: Instant, from: SocketAddr) -> Option<SocketAddr> {
        let (told, _) = self.sent.iter().find(|(_, actual)| *actual == from)?;
        self.permits(now, told.ip()).then_some(*told)
    }
}

//! The relay without sockets (RFC 8656): messages of clients and datagrams of peers in, answers and what is to be
//! passed on out.
//!
//! What it is not: it opens no socket and reads no clock. It relays to the node's own media addresses over UDP alone
//! ([`Peers`]); there is no switch for more. It answers no Binding request, keeps no list of users, and offers no
//! reservations, no TCP towards peers and no mobility.

mod allocation;
mod auth;
mod bucket;
pub mod framing;
mod peers;
mod permit;
mod reply;
mod strangers;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fermata_transport::stun::{Class, Message};
use fermata_transport::turn::TurnSecret;
use fermata_types::Now;

use self::allocation::Allocation;
use self::auth::Nonces;
use self::strangers::Strangers;
use crate::counters::{Counters, count};
use crate::limits;

pub use self::peers::{Peer, Peers};

/// A client's way to us, by which its allocation is known (RFC 8656 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Over TLS; else over UDP.
    pub tls: bool,
    /// The client's address.
    pub client: SocketAddr,
}

/// Name of an allocation's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelayId(pub u64);

/// Bounds that an operator may set; the defaults are those of [`crate::limits`].
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Allocations in all.
    pub allocations_max: usize,
    /// Allocations of one participant.
    pub per_participant_max: usize,
    /// Allocations of one IPv4 address or one IPv6 network of 64 bits.
    pub per_address_max: usize,
    /// Longest lifetime without a refresh.
    pub lifetime_max: Duration,
    /// Bits a second of one allocation, each way.
    pub bandwidth_max_bps: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            allocations_max: limits::ALLOCATIONS_MAX,
            per_participant_max: limits::ALLOCATIONS_PER_PARTICIPANT_MAX,
            per_address_max: limits::ALLOCATIONS_PER_ADDRESS_MAX,
            lifetime_max: limits::LIFETIME_MAX,
            bandwidth_max_bps: limits::BANDWIDTH_MAX_BPS,
        }
    }
}

/// What follows from something that a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Nothing; what was dropped is counted.
    Nothing,
    /// An answer to the client.
    Answer(Vec<u8>),
    /// A datagram from a relay's socket to a media socket.
    Relay {
        /// Which relay.
        relay: RelayId,
        /// Where the media socket is.
        to: SocketAddr,
        /// The datagram.
        data: &'a [u8],
    },
}

/// Opens the socket of a relay, of IPv6 or not; its port. `None`: there is none to be had.
pub type Open<'a> = &'a mut dyn FnMut(RelayId, bool) -> Option<u16>;

/// All allocations.
#[derive(Debug)]
pub struct Core {
    bounds: Bounds,
    secret: TurnSecret,
    nonces: Nonces,
    peers: Peers,
    allocations: HashMap<Flow, Allocation>,
    relays: HashMap<RelayId, Flow>,
    /// How many each participant and each address has; none with zero.
    participants: HashMap<String, usize>,
    households: HashMap<IpAddr, usize>,
    strangers: Strangers,
    /// Relays whose sockets are to be closed.
    ended: VecDeque<RelayId>,
    next_relay: u64,
    counters: Arc<Counters>,
}

impl Core {
    /// Without any allocation. `nonce_key` is random.
    pub fn new(
        bounds: Bounds,
        secret: TurnSecret,
        nonce_key: &[u8; 32],
        peers: Peers,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            bounds,
            secret,
            nonces: Nonces::new(nonce_key),
            peers,
            allocations: HashMap::new(),
            relays: HashMap::new(),
            participants: HashMap::new(),
            households: HashMap::new(),
            strangers: Strangers::default(),
            ended: VecDeque::new(),
            next_relay: 0,
            counters,
        }
    }

    /// Whom it relays to from now on.
    pub fn set_peers(&mut self, peers: Peers) {
        self.peers = peers;
    }

    /// Takes one message or channel data of a client.
    pub fn handle_client<'a>(
        &mut self,
        now: Now,
        flow: Flow,
        bytes: &'a [u8],
        open: Open<'_>,
    ) -> Action<'a> {
        if bytes.first().is_some_and(|first| first >> 6 == 1) {
            return self.on_channel_data(now.instant, flow, bytes);
        }
        let Ok(message) = Message::parse(bytes) else {
            count(&self.counters.malformed);
            return Action::Nothing;
        };
        match message.class {
            Class::Request => {
                let answer = self.on_request(now, flow, &message, open);
                answer.map_or(Action::Nothing, Action::Answer)
            }
            Class::Indication => self.on_indication(now.instant, flow, &message),
            Class::Success | Class::Error => {
                count(&self.counters.malformed);
                Action::Nothing
            }
        }
    }

    /// Takes a datagram that came to a relay's socket. Writes what goes to the client; to whom it goes, if it may.
    pub fn handle_peer(
        &mut self,
        now: Instant,
        relay: RelayId,
        from: SocketAddr,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Flow> {
        let flow = *self.relays.get(&relay)?;
        let allocation = self.allocations.get_mut(&flow)?;
        let bandwidth = self.bounds.bandwidth_max_bps;
        let Some(told) = allocation.told(now, from) else {
            count(&self.counters.dropped_peer);
            return None;
        };
        if !allocation.down.take(now, bits(data), bandwidth, bandwidth) {
            count(&self.counters.dropped_bandwidth);
            return None;
        }
        out.clear();
        match allocation.channel_to(now, told) {
            Some(number) => reply::channel_data(out, number, data, flow.tls),
            None => reply::data_indication(out, told, data),
        }?;
        count(&self.counters.to_clients);
        Some(flow)
    }

    /// Ends allocations whose time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let over = |(flow, allocation): (&Flow, &Allocation)| {
            (allocation.expires_at <= now).then_some(*flow)
        };
        let over: Vec<Flow> = self.allocations.iter().filter_map(over).collect();
        for flow in over {
            count(&self.counters.allocations_expired);
            self.end(flow);
        }
        self.strangers.forget(now);
    }

    /// A relay whose socket is to be closed.
    pub fn poll_ended(&mut self) -> Option<RelayId> {
        self.ended.pop_front()
    }

    /// Has this client an allocation?
    pub fn has(&self, flow: Flow) -> bool {
        self.allocations.contains_key(&flow)
    }

    /// Ends an allocation, if there is one: its connection is gone.
    pub fn end(&mut self, flow: Flow) {
        let Some(allocation) = self.allocations.remove(&flow) else { return };
        self.relays.remove(&allocation.relay);
        self.ended.push_back(allocation.relay);
        give_back(&mut self.participants, &allocation.participant);
        give_back(&mut self.households, &household(flow.client.ip()));
        self.counters.allocations.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// What must be empty when nobody is there. For leak tests.
    pub fn entries(&self) -> usize {
        self.allocations.len() + self.relays.len() + self.participants.len() + self.households.len()
    }

    fn on_channel_data<'a>(&mut self, now: Instant, flow: Flow, bytes: &'a [u8]) -> Action<'a> {
        let found = bytes.split_first_chunk::<4>().and_then(|(header, behind)| {
            let [number @ .., high, low] = *header;
            let data = behind.get(..usize::from(u16::from_be_bytes([high, low])))?;
            Some((u16::from_be_bytes(number), data))
        });
        let Some((number, data)) = found else {
            count(&self.counters.malformed);
            return Action::Nothing;
        };
        let told = self.allocations.get(&flow).and_then(|it| it.channel_peer(now, number));
        self.relay(now, flow, told, data)
    }

    fn on_indication<'a>(&mut self, now: Instant, flow: Flow, message: &Message<'a>) -> Action<'a> {
        let value = |kind| message.attributes().find(|(it, _)| *it == kind).map(|(_, value)| value);
        let told = value(reply::XOR_PEER_ADDRESS).and_then(|value| message.xor_address(value));
        let (Some(told), Some(data), reply::SEND) = (told, value(reply::DATA), message.method)
        else {
            count(&self.counters.malformed);
            return Action::Nothing;
        };
        let allocation = self.allocations.get(&flow);
        let permitted = allocation.is_some_and(|it| it.permits(now, told.ip()));
        self.relay(now, flow, Some(told).filter(|_| permitted), data)
    }

    fn relay<'a>(
        &mut self,
        now: Instant,
        flow: Flow,
        told: Option<SocketAddr>,
        data: &'a [u8],
    ) -> Action<'a> {
        let way = told.and_then(|told| Some((told, self.peers.actual(told)?)));
        let allocation = self.allocations.get_mut(&flow);
        let (Some((told, to)), Some(allocation)) = (way, allocation) else {
            count(&self.counters.dropped_client);
            return Action::Nothing;
        };
        let bandwidth = self.bounds.bandwidth_max_bps;
        if !allocation.up.take(now, bits(data), bandwidth, bandwidth) {
            count(&self.counters.dropped_bandwidth);
            return Action::Nothing;
        }
        if !allocation.note_sent(told, to) {
            count(&self.counters.dropped_client);
            return Action::Nothing;
        }
        count(&self.counters.to_peers);
        Action::Relay { relay: allocation.relay, to, data }
    }
}

fn bits(data: &[u8]) -> u64 {
    8 * data.len() as u64
}

/// What one customer of a provider has: an IPv4 address, or the 64 bits before as many addresses of IPv6 as he likes.
pub(crate) fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
    }
}

fn give_back<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

//! Requests: who asks, and what is granted.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use fermata_transport::stun::Message;
use fermata_transport::turn::parse_username;
use fermata_types::Now;

use super::allocation::Allocation;
use super::reply::{self, Granted, Refusal};
use super::{Core, Flow, Open, RelayId, auth, household};
use crate::counters::count;
use crate::limits::LIFETIME_DEFAULT;

/// The number of UDP in REQUESTED-TRANSPORT.
const UDP: u8 = 17;

/// IPv4 and IPv6 in REQUESTED-ADDRESS-FAMILY.
const IPV4: u8 = 1;
const IPV6: u8 = 2;

/// Who asks, once that is proved.
#[derive(Debug)]
struct Asker {
    username: String,
    participant: String,
    key: hmac::Key,
    /// Its credentials are over; what it has, it may keep.
    expired: bool,
}

impl Core {
    /// The answer to a request; `None` for those who get none.
    pub(super) fn on_request(
        &mut self,
        now: Now,
        flow: Flow,
        message: &Message<'_>,
        open: Open<'_>,
    ) -> Option<Vec<u8>> {
        if !is_of_turn(message.method) {
            count(&self.counters.malformed);
            return None;
        }
        let asker = match self.authenticate(now, flow, message) {
            Ok(asker) => asker,
            Err(refusal) => {
                count(&self.counters.unauthorized);
                if !self.strangers.take(now.instant, flow.client.ip()) {
                    count(&self.counters.unanswered);
                    return None;
                }
                return reply::refusal(message, &refusal, None);
            }
        };
        let granted = match message.method {
            reply::ALLOCATE => self.allocate(now, flow, message, &asker, open),
            _ => self.change(now.instant, flow, message, &asker),
        };
        match granted {
            Ok(granted) => reply::success(message, granted, &asker.key),
            Err(refusal) => {
                self.count_refusal(&refusal);
                reply::refusal(message, &refusal, Some(&asker.key))
            }
        }
    }

    fn count_refusal(&self, refusal: &Refusal) {
        count(match refusal {
            Refusal::Forbidden => &self.counters.forbidden,
            Refusal::Quota => &self.counters.refused_quota,
            Refusal::Capacity => &self.counters.refused_full,
            _ => &self.counters.refused,
        });
    }

    /// RFC 8489 section 9.2.4.
    fn authenticate(&self, now: Now, flow: Flow, message: &Message<'_>) -> Result<Asker, Refusal> {
        let now_s = now.wall.as_second();
        let unauthorized = || Refusal::Unauthorized(self.nonces.give(now_s, flow));
        if !message.has_integrity() {
            return Err(unauthorized());
        }
        let nonce = value(message, reply::NONCE).ok_or(Refusal::BadRequest)?;
        let username = value(message, reply::USERNAME).ok_or(Refusal::BadRequest)?;
        if !self.nonces.is_good(nonce, now_s, flow) {
            return Err(Refusal::StaleNonce(self.nonces.give(now_s, flow)));
        }
        let username = std::str::from_utf8(username).map_err(|_| unauthorized())?;
        let (expires_at, participant) = parse_username(username).ok_or_else(unauthorized)?;
        let key = auth::key_of(&self.secret, username);
        if !message.verify(&key) {
            return Err(unauthorized());
        }
        let expired = expires_at < now_s;
        if expired && !self.allocations.contains_key(&flow) {
            return Err(unauthorized());
        }
        let (username, participant) = (username.to_owned(), participant.to_owned());
        Ok(Asker { username, participant, key, expired })
    }

    /// RFC 8656 section 7.2.
    fn allocate(
        &mut self,
        now: Now,
        flow: Flow,
        message: &Message<'_>,
        asker: &Asker,
        open: Open<'_>,
    ) -> Result<Granted, Refusal> {
        let lifetime = self.lifetime(message)?;
        if let Some(allocation) = self.allocations.get(&flow) {
            if allocation.transaction != message.transaction || asker.expired {
                return Err(Refusal::Mismatch);
            }
            let left = allocation.expires_at.saturating_duration_since(now.instant);
            return Ok(granted(flow, allocation.relayed, left));
        }
        understood(message)?;
        let protocol = value(message, reply::REQUESTED_TRANSPORT).ok_or(Refusal::BadRequest)?;
        match protocol {
            [UDP, _, _, _] => {}
            [_, _, _, _] => return Err(Refusal::Transport),
            _ => return Err(Refusal::BadRequest),
        }
        let ipv6 = match value(message, reply::REQUESTED_ADDRESS_FAMILY) {
            None | Some([IPV4, _, _, _]) => false,
            Some([IPV6, _, _, _]) => true,
            Some([_, _, _, _]) => return Err(Refusal::Family),
            Some(_) => return Err(Refusal::BadRequest),
        };
        let told_ip = self.peers.relay_ip(ipv6).ok_or(Refusal::Family)?;
        let house = household(flow.client.ip());
        let has = |count: Option<&usize>, max: usize| count.is_some_and(|count| *count >= max);
        if has(self.participants.get(&asker.participant), self.bounds.per_participant_max)
            || has(self.households.get(&house), self.bounds.per_address_max)
        {
            return Err(Refusal::Quota);
        }
        if self.allocations.len() >= self.bounds.allocations_max {
            return Err(Refusal::Capacity);
        }
        let relay = RelayId(self.next_relay);
        self.next_relay += 1;
        let port = open(relay, ipv6).ok_or(Refusal::Capacity)?;
        let relayed = SocketAddr::new(told_ip, port);
        let who = (asker.username.clone(), asker.participant.clone());
        let times = (now.instant, now.instant + lifetime);
        let allocation = Allocation::new(relay, who, message.transaction, relayed, times);
        self.allocations.insert(flow, allocation);
        self.relays.insert(relay, flow);
        *self.participants.entry(asker.participant.clone()).or_default() += 1;
        *self.households.entry(house).or_default() += 1;
        count(&self.counters.allocations);
        count(if flow.tls { &self.counters.allocated_tls } else { &self.counters.allocated_udp });
        Ok(granted(flow, relayed, lifetime))
    }

    /// `Refresh`, `CreatePermission`, `ChannelBind` (RFC 8656 sections 8.2, 10.2 and 12.2).
    fn change(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        asker: &Asker,
    ) -> Result<Granted, Refusal> {
        let lifetime = self.lifetime(message)?;
        let allocation = self.allocations.get_mut(&flow).ok_or(Refusal::Mismatch)?;
        if allocation.username != asker.username {
            return Err(Refusal::WrongCredentials);
        }
        understood(message)?;
        if message.method == reply::REFRESH {
            allocation.expires_at = now + lifetime;
            if lifetime.is_zero() {
                self.end(flow);
            }
            let lifetime_s = u32::try_from(lifetime.as_secs()).ok();
            return Ok(Granted { lifetime_s, ..Granted::default() });
        }
        let ipv6 = allocation.relayed.is_ipv6();
        let peers = &self.peers;
        let named = message.attributes().filter(|(kind, _)| *kind == reply::XOR_PEER_ADDRESS);
        let named: Option<Vec<SocketAddr>> =
            named.map(|(_, value)| message.xor_address(value)).collect();
        let named = named.filter(|named| !named.is_empty()).ok_or(Refusal::BadRequest)?;
        if named.iter().any(|peer| peer.is_ipv6() != ipv6) {
            return Err(Refusal::PeerFamily);
        }
        // All or none of them (RFC 8656 section 10.2).
        if !named.iter().all(|peer| peers.has_ip(peer.ip())) {
            return Err(Refusal::Forbidden);
        }
        if message.method == reply::CHANNEL_BIND {
            let number = value(message, reply::CHANNEL_NUMBER).ok_or(Refusal::BadRequest)?;
            let ([high, low, _, _], [peer]) = (number, named.as_slice()) else {
                return Err(Refusal::BadRequest);
            };
            let number = u16::from_be_bytes([*high, *low]);
            peers.actual(*peer).ok_or(Refusal::Forbidden)?;
            if !(0x4000..=0x4fff).contains(&number) || !allocation.bind(now, number, *peer) {
                return Err(Refusal::BadRequest);
            }
        }
        for peer in named {
            allocation.permit(now, peer.ip());
        }
        Ok(Granted::default())
    }

    /// What is asked for within what is allowed; 0 stays 0, for it ends an allocation.
    fn lifetime(&self, message: &Message<'_>) -> Result<Duration, Refusal> {
        let max = self.bounds.lifetime_max;
        let least = LIFETIME_DEFAULT.min(max);
        let Some(value) = value(message, reply::LIFETIME) else { return Ok(least) };
        let asked = u32::from_be_bytes(value.try_into().map_err(|_| Refusal::BadRequest)?);
        let asked = Duration::from_secs(asked.into());
        Ok(if asked.is_zero() && message.method == reply::REFRESH {
            Duration::ZERO
        } else {
            asked.clamp(least, max)
        })
    }
}

fn granted(flow: Flow, relayed: SocketAddr, lifetime: Duration) -> Granted {
    let lifetime_s = u32::try_from(lifetime.as_secs()).ok();
    Granted { relayed: Some(relayed), mapped: Some(flow.client), lifetime_s }
}

fn is_of_turn(method: u16) -> bool {
    [reply::ALLOCATE, reply::REFRESH, reply::CREATE_PERMISSION, reply::CHANNEL_BIND]
        .contains(&method)
}

/// The value of the first attribute of a kind.
fn value<'a>(message: &Message<'a>, kind: u16) -> Option<&'a [u8]> {
    message.attributes().find(|(it, _)| *it == kind).map(|(_, value)| value)
}

/// Does the client insist on nothing that we do not know?
fn understood(message: &Message<'_>) -> Result<(), Refusal> {
    let unknown =
        |(kind, _): (u16, &[u8])| (kind < 0x8000 && !reply::KNOWN.contains(&kind)).then_some(kind);
    let unknown: Vec<u16> = message.attributes().filter_map(unknown).collect();
    if unknown.is_empty() { Ok(()) } else { Err(Refusal::UnknownAttributes(unknown)) }
}

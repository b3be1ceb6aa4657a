//! The relay (TURN) under messages of clients, with and without good credentials, and of whoever finds its sockets.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use fermata_transport::stun::{Message, Writer};
use fermata_transport::turn::TurnSecret;
use fermata_turn::Counters;
use fermata_turn::core::{Action, Bounds, Core, Flow, Peer, Peers, RelayId, framing};
use fermata_turn::limits::{LIFETIME_MAX, MESSAGE_LEN_MAX};
use fermata_types::Now;
use md5::{Digest as _, Md5};

/// Bounds so narrow that a short script meets them.
const ALLOCATIONS_MAX: usize = 6;
const PER_PARTICIPANT_MAX: usize = 2;
/// Entries that the relay keeps of an allocation: itself, its socket, its participant, its address.
const ENTRIES_PER_ALLOCATION: usize = 4;

/// Methods that a client with credentials asks with, the last one known to nobody.
const METHODS: [u16; 5] = [ALLOCATE, 4, 8, 9, 0x77];
const ALLOCATE: u16 = 3;
/// Attributes that it asks with, the last one known to nobody.
const ATTRIBUTES: [u16; 8] = [0x0C, 0x0D, 0x12, 0x13, 0x17, 0x19, 0x1A, 0x7F];
const USERNAME: u16 = 0x06;
const REALM: u16 = 0x14;
const NONCE: u16 = 0x15;

/// Several turns, each with what happens in its first byte and the length of its data in two: a client's bytes as they
/// are; a client's request with good credentials; a datagram to a relay's socket; time that passes.
pub(crate) fn turn(data: &[u8]) {
    let mut world = World::new();
    let mut rest = data;
    while let [what, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (bytes, behind) = tail.split_at(len);
        rest = behind;
        let flow = flow(*what);
        match what >> 6 {
            0 => world.client(flow, bytes),
            1 => world.client_with_credentials(flow, bytes),
            2 => world.peer(bytes),
            _ => world.wait(Duration::from_secs(u64::from(*what & 63) * 7)),
        }
        let bound = ALLOCATIONS_MAX * ENTRIES_PER_ALLOCATION;
        assert!(world.core.entries() <= bound, "{} entries", world.core.entries());
    }
    world.wait(LIFETIME_MAX);
    assert_eq!(world.core.entries(), 0, "what is not refreshed is kept");
}

/// Bytes of a connection over TLS: how they are cut into messages.
pub(crate) fn turn_stream(data: &[u8]) {
    let mut world = World::new();
    let mut rest = data;
    while let Ok(Some((len, taken))) = framing::first_message(rest) {
        assert!(len <= taken && taken <= MESSAGE_LEN_MAX && taken > 0, "{len} {taken}");
        let (message, behind) = rest.split_at(taken);
        rest = behind;
        world.client(flow(1), message.get(..len).unwrap_or_default());
    }
}

/// One of a few ways to the relay.
fn flow(what: u8) -> Flow {
    let host = 1 + (what >> 1 & 1);
    let port = 1_000 + u16::from(what >> 2 & 3);
    Flow { tls: what & 1 == 1, client: ([198, 51, 100, host], port).into() }
}

fn media() -> Peer {
    Peer { told: ([203, 0, 113, 1], 7_882).into(), actual: ([127, 0, 0, 1], 7_882).into() }
}

/// A relay with what a client knows of it.
struct World {
    core: Core,
    now: Now,
    secret: TurnSecret,
    /// Until when credentials are good, seconds since 1970: longer than a script lasts.
    until: i64,
    /// Requests with credentials so far; each is another transaction.
    asked: u8,
}

impl World {
    fn new() -> Self {
        static NOW: OnceLock<Now> = OnceLock::new();
        let bounds = Bounds {
            allocations_max: ALLOCATIONS_MAX,
            per_participant_max: PER_PARTICIPANT_MAX,
            ..Bounds::default()
        };
        let peers = Peers::new(vec![media()]);
        let secret = || TurnSecret::new(&[7; 32]);
        let core = Core::new(bounds, secret(), &[1; 32], peers, Arc::new(Counters::default()));
        let now = *NOW.get_or_init(Now::read);
        let until = now.wall.as_second() + 1_000_000_000;
        Self { core, now, secret: secret(), until, asked: 0 }
    }

    fn wait(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.wall += time;
        self.core.handle_timeout(self.now.instant);
        while self.core.poll_ended().is_some() {}
    }

    fn client(&mut self, flow: Flow, bytes: &[u8]) {
        let _ = self.take(flow, bytes);
    }

    /// What it answers, which can be read.
    fn take(&mut self, flow: Flow, bytes: &[u8]) -> Option<Vec<u8>> {
        let action = self
            .core
            .handle_client(self.now, flow, bytes, &mut |_, ipv6| (!ipv6).then_some(50_000));
        match action {
            Action::Nothing => None,
            Action::Answer(answer) => {
                assert!(Message::parse(&answer).is_ok(), "an answer that is no message");
                Some(answer)
            }
            Action::Relay { to, data, .. } => {
                assert_eq!(to, media().actual, "nobody else is ever sent to");
                assert!(data.len() <= bytes.len(), "more goes out than came in");
                None
            }
        }
    }

    /// The first byte says who asks for what, then attributes, each with its kind and length in a byte each.
    fn client_with_credentials(&mut self, flow: Flow, bytes: &[u8]) {
        let Some((what, mut rest)) = bytes.split_first() else { return };
        let Some((realm, nonce)) = self.challenge(flow) else { return };
        let participant = if what & 8 == 0 { "PA_anna" } else { "PA_ben" };
        let (username, password) = self.secret.grant(self.until, participant);
        let method = METHODS.get(usize::from(what & 7) % METHODS.len()).copied();
        self.asked = self.asked.wrapping_add(1);
        let mut transaction = *b"transaction.";
        transaction[0] = self.asked;
        let mut out = vec![0; MESSAGE_LEN_MAX];
        let writer = Writer::new(&mut out, method.unwrap_or(ALLOCATE), &transaction);
        let Some(mut writer) = writer else { return };
        while let [kind, len, tail @ ..] = rest {
            let (value, behind) = tail.split_at(usize::from(*len).min(tail.len()));
            rest = behind;
            let kind = ATTRIBUTES.get(usize::from(*kind) % ATTRIBUTES.len()).copied();
            if writer.attribute(kind.unwrap_or(0), &[value]).is_none() {
                return;
            }
        }
        let credentials =
            [(USERNAME, username.as_bytes()), (REALM, realm.as_bytes()), (NONCE, &nonce[..])];
        for (kind, value) in credentials {
            if writer.attribute(kind, &[value]).is_none() {
                return;
            }
        }
        let key = Md5::digest(format!("{username}:{realm}:{password}"));
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
        if writer.integrity(&key).is_none() {
            return;
        }
        let len = writer.finish();
        let answer = self.take(flow, out.get(..len).unwrap_or_default());
        let Some(answer) = answer else { return };
        let Ok(answer) = Message::parse(&answer) else { return };
        assert_eq!(answer.transaction, transaction, "the answer to another question");
        assert_ne!(answer.error, Some(401), "good credentials are refused");
    }

    /// Realm and nonce, as every client learns them first. None if too many were asked for.
    fn challenge(&mut self, flow: Flow) -> Option<(String, Vec<u8>)> {
        let mut out = [0; 64];
        let len = Writer::new(&mut out, ALLOCATE, b"a challenge.")?.finish();
        let answer = self.take(flow, out.get(..len)?)?;
        let answer = Message::parse(&answer).ok()?;
        let value = |kind| answer.attributes().find(|(it, _)| *it == kind).map(|(_, value)| value);
        let realm = std::str::from_utf8(value(REALM)?).ok()?;
        Some((realm.to_owned(), value(NONCE)?.to_vec()))
    }

    /// The first byte says whose socket it comes to, and from where.
    fn peer(&mut self, bytes: &[u8]) {
        let Some((what, data)) = bytes.split_first() else { return };
        let other: SocketAddr = ([127, 0, 0, 1], 9).into();
        let from = if what & 1 == 0 { media().actual } else { other };
        let mut out = Vec::new();
        let relay = RelayId(u64::from(what >> 1));
        let told = self.core.handle_peer(self.now.instant, relay, from, data, &mut out);
        if told.is_some() {
            assert_eq!(from, media().actual, "nobody else is passed on");
            assert!(out.len() > data.len(), "what came is not whole");
        }
    }
}

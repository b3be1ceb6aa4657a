//! The agent against a full agent by other hands, over a network that is two vectors.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fermata_types::Now;
use str0m::ice::{IceAgent, IceAgentEvent, IceCreds, StunMessage, StunPacket};
use str0m::net::Protocol;
use str0m::{Candidate, IceConnectionState};

use super::credentials::generate;
use super::{IceEvent, IceLite};
use crate::candidates::HostCandidates;
use crate::egress::Egress;
use crate::parts::Credentials;

const STEP: Duration = Duration::from_millis(10);

struct Pair {
    lite: IceLite,
    full: IceAgent,
    now: Instant,
    out: Egress,
    /// Addresses of the full agent whose network has gone.
    dead: HashSet<SocketAddr>,
    events: Vec<IceEvent>,
}

fn server() -> SocketAddr {
    "192.0.2.1:7882".parse().unwrap()
}

fn wifi() -> SocketAddr {
    "198.51.100.5:5000".parse().unwrap()
}

fn mobile() -> SocketAddr {
    "203.0.113.9:6000".parse().unwrap()
}

fn theirs(local: &Credentials) -> IceCreds {
    IceCreds { ufrag: local.ufrag.clone(), pass: local.pwd.clone() }
}

fn ours(remote: &IceCreds) -> Credentials {
    Credentials { ufrag: remote.ufrag.clone(), pwd: remote.pass.clone() }
}

impl Pair {
    fn new(controlling: bool) -> Self {
        let lite = IceLite::new(generate(&[7; 32]), HostCandidates::new(&[server()], &[]));
        let provider = str0m::crypto::from_feature_flags().sha1_hmac_provider;
        let mut full = IceAgent::with_hmac(IceCreds::new(), provider);
        full.set_controlling(controlling);
        full.set_remote_credentials(theirs(lite.local()));
        for address in [wifi(), mobile()] {
            full.add_local_candidate(Candidate::host(address, "udp").unwrap());
        }
        full.add_remote_candidate(Candidate::host(server(), "udp").unwrap());
        let out = Egress::new(100_000, 100);
        let (dead, events) = (HashSet::new(), Vec::new());
        Self { lite, full, now: Now::read().instant, out, dead, events }
    }

    /// Both descriptions have arrived.
    fn described(controlling: bool) -> Self {
        let mut pair = Self::new(controlling);
        let remote = ours(pair.full.local_credentials());
        pair.lite.set_remote(remote);
        pair
    }

    fn step(&mut self) {
        self.now += STEP;
        if self.lite.next_timeout().is_some_and(|due| due <= self.now) {
            self.events.extend(self.lite.handle_timeout(self.now));
        }
        self.full.handle_timeout(self.now);
        while let Some(sent) = self.full.poll_transmit() {
            if self.dead.contains(&sent.source) || sent.destination != server() {
                continue;
            }
            let event = self.lite.handle(
                self.now,
                sent.source,
                sent.destination,
                &sent.contents,
                &mut self.out,
            );
            self.events.extend(event.ok().filter(|event| *event != IceEvent::Unchanged));
        }
        for (path, data) in self.out.datagrams() {
            let message = StunMessage::parse(data).unwrap();
            if self.dead.contains(&path.destination) || !self.full.accepts_message(&message) {
                continue;
            }
            let (source, destination) = (path.source, path.destination);
            let packet = StunPacket { proto: Protocol::Udp, source, destination, message };
            self.full.handle_packet(self.now, packet);
        }
        self.out.clear();
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 100 {
            self.step();
        }
    }

    /// Where the full agent sends to us from.
    fn nominated(&mut self) -> Option<SocketAddr> {
        let mut nominated = None;
        while let Some(event) = self.full.poll_event() {
            if let IceAgentEvent::NominatedSend { source, .. } = event {
                nominated = Some(source);
            }
        }
        nominated
    }

    fn selected(&self) -> Option<SocketAddr> {
        self.lite.selected().map(|path| path.destination)
    }

    fn is_up(&self) -> bool {
        let full = self.full.state();
        matches!(full, IceConnectionState::Connected | IceConnectionState::Completed)
            && self.lite.is_heard(self.now)
    }
}

#[test]
fn both_ends_choose_the_same_path() {
    let mut pair = Pair::described(true);
    pair.run(3);
    assert!(pair.is_up());
    assert!(pair.selected().is_some());
    assert_eq!(pair.nominated(), pair.selected());
    pair.run(120);
    assert!(pair.is_up());
    assert!(!pair.events.contains(&IceEvent::Disconnected));
    assert_eq!(pair.lite.counters().refused, 0);
    assert_eq!(pair.lite.counters().not_authenticated, 0);
}

#[test]
fn a_peer_that_checks_before_its_description_is_answered() {
    let mut pair = Pair::new(true);
    pair.run(1);
    assert!(pair.is_up(), "without knowing the peer's fragment");
    let remote = ours(pair.full.local_credentials());
    pair.lite.set_remote(remote);
    pair.run(1);
    assert!(pair.is_up());
    assert_eq!(pair.nominated(), pair.selected());
}

#[test]
fn a_peer_that_takes_itself_for_controlled_is_put_right() {
    let mut pair = Pair::described(false);
    pair.run(5);
    assert!(pair.full.controlling());
    assert!(pair.is_up());
    assert_eq!(pair.nominated(), pair.selected());
    assert!(pair.lite.counters().refused > 0);
}

#[test]
fn a_peer_that_leaves_its_network_takes_us_along() {
    let mut pair = Pair::described(true);
    pair.run(3);
    let first = pair.selected().unwrap();
    pair.dead.insert(first);
    pair.run(30);
    let second = pair.selected().unwrap();
    assert_ne!(second, first);
    assert!(pair.is_up());
    assert_eq!(pair.nominated(), Some(second));
    assert!(!pair.events.contains(&IceEvent::Disconnected));
}

#[test]
fn silence_and_return() {
    let mut pair = Pair::described(true);
    pair.run(3);
    pair.dead.extend([wifi(), mobile()]);
    // The latest check was up to 3 s old.
    pair.run(11);
    assert!(!pair.events.contains(&IceEvent::Disconnected));
    pair.run(5);
    assert_eq!(pair.events.last(), Some(&IceEvent::Disconnected));
    assert_eq!(pair.selected(), None);
    pair.dead.clear();
    pair.run(10);
    assert_eq!(pair.events.iter().filter(|event| **event == IceEvent::Connected).count(), 2);
    assert!(pair.selected().is_some());
}

#[test]
fn a_restart_by_either_end_changes_everything_but_the_path() {
    let mut pair = Pair::described(true);
    pair.run(3);
    for round in 0..3 {
        let path = pair.selected();
        pair.lite.restart(generate(&[round; 32]));
        // The new description takes its time; checks go on.
        pair.run(2);
        assert_eq!((pair.selected(), pair.lite.remote()), (path, None));
        pair.full.ice_restart(IceCreds::new(), true);
        pair.full.set_remote_credentials(theirs(pair.lite.local()));
        pair.full.add_remote_candidate(Candidate::host(server(), "udp").unwrap());
        pair.run(1);
        let remote = ours(pair.full.local_credentials());
        pair.lite.set_remote(remote);
        pair.run(3);
        assert!(pair.is_up(), "round {round}");
        assert!(pair.lite.remote().is_some());
        assert!(pair.selected().is_some());
    }
    assert!(!pair.events.contains(&IceEvent::Disconnected));
}

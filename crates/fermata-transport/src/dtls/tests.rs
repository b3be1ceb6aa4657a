//! Whole handshakes in memory, under a virtual clock.
#![expect(clippy::cast_possible_truncation, reason = "lengths and numbers of tests are small")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use dimpl::{Config, DtlsCertificate};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::certificate::FingerprintError;
use super::*;

/// A client by other hands: the engine with its own settings and its own cryptography.
struct Client {
    engine: dimpl::Dtls,
    pair: DtlsCertificate,
    deadline: Option<Instant>,
    out: Vec<Vec<u8>>,
    keys: Option<(Vec<u8>, SrtpProfile)>,
    data: Vec<Vec<u8>>,
    closed: bool,
    /// The engine may not be called again after an error.
    broken: bool,
}

impl Client {
    fn new(now: Instant, mtu: usize) -> Self {
        let pair = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let config = Config::builder().mtu(mtu).flight_start_rto(Duration::from_millis(200));
        let config = config.flight_retries(12).build().unwrap();
        let mut engine = dimpl::Dtls::new_12(Arc::new(config), pair.clone(), now);
        engine.set_active(true);
        let (out, data) = (Vec::new(), Vec::new());
        Self {
            engine,
            pair,
            deadline: Some(now),
            out,
            keys: None,
            data,
            closed: false,
            broken: false,
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        format!("SHA-256 {}", self.pair.fingerprint_str().to_lowercase()).parse().unwrap()
    }

    fn drain(&mut self) {
        if self.broken {
            self.deadline = None;
            return;
        }
        let mut scratch = [0; 4_096];
        loop {
            match self.engine.poll_output(&mut scratch) {
                Engine::Packet(packet) => self.out.push(packet.to_vec()),
                Engine::KeyingMaterial(material, profile) => {
                    self.keys = Some((material.to_vec(), profile));
                }
                Engine::ApplicationData(data) => self.data.push(data.to_vec()),
                Engine::CloseNotify => self.closed = true,
                Engine::Timeout(at) => {
                    self.deadline = Some(at);
                    return;
                }
                _ => {}
            }
        }
    }
}

/// What the tests want of an end.
trait End {
    fn feed(&mut self, now: Instant, datagram: &[u8]);
    fn tick(&mut self, now: Instant);
    fn due(&self) -> Option<Instant>;
    fn sent(&mut self) -> Vec<Vec<u8>>;
    fn done(&self) -> bool;
}

impl End for Client {
    fn feed(&mut self, now: Instant, datagram: &[u8]) {
        let engine = &mut self.engine;
        self.broken = self.broken || engine.handle_timeout(now).is_err();
        self.broken = self.broken || engine.handle_packet(datagram).is_err();
        self.drain();
    }
    fn tick(&mut self, now: Instant) {
        self.broken = self.broken || self.engine.handle_timeout(now).is_err();
        self.drain();
    }
    fn due(&self) -> Option<Instant> {
        self.deadline
    }
    fn sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.out)
    }
    fn done(&self) -> bool {
        self.keys.is_some() && !self.broken
    }
}

/// Ours, with everything that came out of it.
struct Ours {
    dtls: Dtls,
    out: Vec<Vec<u8>>,
    keys: Option<Keys>,
    data: Vec<Vec<u8>>,
    closed: Option<DtlsClosed>,
}

impl Ours {
    fn new(certificate: &Certificate, role: Role) -> Self {
        let dtls = Dtls::new(certificate, role);
        Self { dtls, out: Vec::new(), keys: None, data: Vec::new(), closed: None }
    }

    fn drain(&mut self) {
        while let Some(output) = self.dtls.poll() {
            assert!(self.closed.is_none(), "nothing comes after the end");
            match output {
                DtlsOutput::Datagram(datagram) => {
                    assert!(datagram.len() <= limits::DATAGRAM_LEN_MAX);
                    self.out.push(datagram);
                }
                DtlsOutput::Keys(keys) => {
                    assert_eq!(keys.material.len(), keys.profile.keying_material_len());
                    assert!(self.keys.replace(keys).is_none(), "keys come once");
                }
                DtlsOutput::Data(data) => self.data.push(data),
                DtlsOutput::Closed(reason) => self.closed = Some(reason),
            }
        }
    }
}

impl End for Ours {
    fn feed(&mut self, now: Instant, datagram: &[u8]) {
        self.dtls.handle(now, datagram);
        self.drain();
    }
    fn tick(&mut self, now: Instant) {
        self.dtls.start(now);
        self.dtls.handle_timeout(now);
        self.drain();
    }
    fn due(&self) -> Option<Instant> {
        self.dtls.next_timeout()
    }
    fn sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.out)
    }
    fn done(&self) -> bool {
        self.keys.is_some()
    }
}

/// By arrival: when, number, to the first end?, bytes.
type Flying = (Instant, u64, bool, Vec<u8>);

/// A bad network: what it does to each datagram follows from the seed.
struct Network {
    now: Instant,
    rng: StdRng,
    loss: f64,
    /// Nothing is lost from then on.
    lossless_at: Instant,
    twice: f64,
    delay_ms: (u64, u64),
    flying: BinaryHeap<Reverse<Flying>>,
    sent: u64,
}

impl Network {
    fn new(seed: u64) -> Self {
        let now = fermata_types::Now::read().instant;
        Self {
            now,
            rng: StdRng::seed_from_u64(seed),
            loss: 0.0,
            lossless_at: now,
            twice: 0.0,
            delay_ms: (10, 10),
            flying: BinaryHeap::new(),
            sent: 0,
        }
    }

    /// Loses for a while, doubles and reorders for ever. Were there loss for ever, chance would decide how long a
    /// handshake takes: each attempt waits twice as long as the one before.
    fn bad(seed: u64, loss: f64) -> Self {
        let good = Self::new(seed);
        let lossless_at = good.now + LOSING;
        Self { loss, lossless_at, twice: 0.1, delay_ms: (1, 60), ..good }
    }

    fn take(&mut self, to_first: bool, datagrams: Vec<Vec<u8>>) {
        for datagram in datagrams {
            let copies = 1 + u32::from(self.rng.random_bool(self.twice));
            for _ in 0..copies {
                if self.now < self.lossless_at && self.rng.random_bool(self.loss) {
                    continue;
                }
                let delay = self.rng.random_range(self.delay_ms.0..=self.delay_ms.1);
                let at = self.now + Duration::from_millis(delay);
                self.sent += 1;
                self.flying.push(Reverse((at, self.sent, to_first, datagram.clone())));
            }
        }
    }

    /// Runs until both are done, or for `limit`. Says whether both were done.
    fn run(&mut self, first: &mut dyn End, second: &mut dyn End, limit: Duration) -> bool {
        let end = self.now + limit;
        first.tick(self.now);
        second.tick(self.now);
        loop {
            self.take(false, first.sent());
            self.take(true, second.sent());
            let arrival = self.flying.peek().map(|Reverse(next)| next.0);
            if arrival.is_none() && first.done() && second.done() {
                return true;
            }
            let next = [arrival, first.due(), second.due()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return first.done() && second.done();
            };
            self.now = self.now.max(next);
            if arrival.is_some_and(|arrival| arrival <= self.now) {
                let Some(Reverse((_, _, to_first, bytes))) = self.flying.pop() else { continue };
                let end: &mut dyn End = if to_first { first } else { second };
                end.feed(self.now, &bytes);
            } else {
                first.tick(self.now);
                second.tick(self.now);
            }
        }
    }
}

const LONG: Duration = Duration::from_secs(29);

/// Six attempts or so; the next one is at most 16 s later.
const LOSING: Duration = Duration::from_secs(5);

fn connected(network: &mut Network, certificate: &Certificate, mtu: usize) -> (Client, Ours) {
    let mut client = Client::new(network.now, mtu);
    let mut server = Ours::new(certificate, Role::Passive);
    server.dtls.set_remote_fingerprints(network.now, &[client.fingerprint()]);
    let done = network.run(&mut client, &mut server, LONG);
    assert!(done, "{:?} {:?}", server.dtls, server.closed);
    (client, server)
}

#[test]
fn the_server_chooses_aes_128_gcm_and_both_get_the_same_keys() {
    let certificate = Certificate::generate().unwrap();
    let (client, server) = connected(&mut Network::new(1), &certificate, 1_200);
    let (material, profile) = client.keys.unwrap();
    let keys = server.keys.unwrap();
    assert_eq!(profile, SrtpProfile::AEAD_AES_128_GCM);
    assert_eq!(keys.profile, Profile::AeadAes128Gcm);
    assert_eq!(keys.material, material);
    assert!(!keys.is_client);
    assert!(server.dtls.is_connected() && !server.dtls.is_closed());
    assert_eq!(server.dtls.stats(), DtlsStats::default());
    assert_eq!(server.dtls.next_timeout(), None, "nothing is left to be timed");
}

#[test]
fn handshakes_of_any_fragmentation_succeed() {
    let certificate = Certificate::generate().unwrap();
    let mut chosen = Vec::new();
    for mtu in (90..400).step_by(7) {
        let (client, server) = connected(&mut Network::new(1), &certificate, mtu);
        let (material, profile) = client.keys.unwrap();
        assert_eq!(server.keys.unwrap().material, material);
        chosen.push(profile);
    }
    // Nearly always whole; where the list is cut, the other GCM.
    let small = chosen.iter().filter(|one| **one == SrtpProfile::AEAD_AES_128_GCM).count();
    assert!(small * 4 > chosen.len() * 3, "{chosen:?}");
    assert!(!chosen.contains(&SrtpProfile::AES128_CM_SHA1_80));
}

#[test]
fn we_can_be_the_client() {
    let (ours, theirs) = (Certificate::generate().unwrap(), Certificate::generate().unwrap());
    let mut network = Network::new(2);
    let mut client = Ours::new(&ours, Role::Active);
    let mut server = Ours::new(&theirs, Role::Passive);
    client.dtls.set_remote_fingerprints(network.now, &[theirs.fingerprint().parse().unwrap()]);
    server.dtls.set_remote_fingerprints(network.now, &[ours.fingerprint().parse().unwrap()]);
    assert!(network.run(&mut client, &mut server, LONG));
    let (client, server) = (client.keys.unwrap(), server.keys.unwrap());
    assert_eq!(client.material, server.material);
    assert_eq!(client.profile, Profile::AeadAes128Gcm);
    assert!(client.is_client && !server.is_client);
}

#[test]
fn a_certificate_that_the_sdp_does_not_name_closes() {
    let certificate = Certificate::generate().unwrap();
    let mut network = Network::new(3);
    let mut client = Client::new(network.now, 1_200);
    let mut server = Ours::new(&certificate, Role::Passive);
    let other = Certificate::generate().unwrap();
    let announced: [Fingerprint; 2] =
        [other.fingerprint().parse().unwrap(), certificate.fingerprint().parse().unwrap()];
    server.dtls.set_remote_fingerprints(network.now, &announced);
    assert!(!network.run(&mut client, &mut server, Duration::from_secs(2)));
    let closed = server.closed.unwrap();
    assert_eq!(closed, DtlsClosed::Fingerprint { announced: 2 });
    assert_eq!(
        closed.to_string(),
        "the peer's certificate has none of the 2 fingerprints of its SDP"
    );
    assert!(server.keys.is_none() && server.dtls.is_closed());
    assert_eq!(server.dtls.send(network.now, b"x"), Err(DtlsSendError::NotConnected));
}

#[test]
fn an_sdp_that_comes_later_releases_the_keys_or_closes() {
    let certificate = Certificate::generate().unwrap();
    for right in [true, false] {
        let mut network = Network::new(4);
        let mut client = Client::new(network.now, 1_200);
        let mut server = Ours::new(&certificate, Role::Passive);
        assert!(!network.run(&mut client, &mut server, Duration::from_secs(1)));
        // Data of a peer that nobody vouched for goes nowhere.
        client.engine.send_application_data(b"early").unwrap();
        client.drain();
        network.run(&mut client, &mut server, Duration::from_secs(1));
        assert!(server.keys.is_none() && !server.dtls.is_connected());
        assert_eq!(server.dtls.send(network.now, b"x"), Err(DtlsSendError::NotConnected));
        let known =
            if right { client.fingerprint() } else { certificate.fingerprint().parse().unwrap() };
        server.dtls.set_remote_fingerprints(network.now, &[known]);
        server.drain();
        assert_eq!(server.keys.is_some(), right);
        assert_eq!(server.dtls.is_connected(), right);
        assert_eq!(server.closed.is_some(), !right);
        assert!(server.data.is_empty());
    }
}

#[test]
fn data_goes_both_ways_and_is_bounded() {
    let certificate = Certificate::generate().unwrap();
    let mut network = Network::new(5);
    let (mut client, mut server) = connected(&mut network, &certificate, 1_200);
    let long = vec![7; limits::DTLS_DATA_LEN_MAX];
    for number in 0..40_u8 {
        client.engine.send_application_data(&[number; 1_100]).unwrap();
        client.drain();
        server.dtls.send(network.now, &long).unwrap();
    }
    server.drain();
    network.run(&mut client, &mut server, Duration::from_secs(1));
    assert_eq!(server.data, (0..40).map(|number| vec![number; 1_100]).collect::<Vec<_>>());
    assert_eq!(client.data, vec![long.clone(); 40]);

    let len = limits::DTLS_DATA_LEN_MAX + 1;
    let refused = server.dtls.send(network.now, &vec![0; len]);
    assert_eq!(refused, Err(DtlsSendError::TooLong { len }));
    // Whoever does not poll loses the newest, and no memory.
    for _ in 0..limits::DTLS_OUTPUTS_MAX + 10 {
        server.dtls.send(network.now, b"x").unwrap();
    }
    assert_eq!(server.dtls.stats().dropped, 10);
}

#[test]
fn goodbye_is_said_and_heard() {
    let certificate = Certificate::generate().unwrap();
    let mut network = Network::new(6);
    let (mut client, mut server) = connected(&mut network, &certificate, 1_200);
    server.dtls.close(network.now);
    server.drain();
    assert_eq!(server.closed, Some(DtlsClosed::ByUs));
    network.run(&mut client, &mut server, Duration::from_secs(1));
    assert!(client.closed);

    let mut network = Network::new(7);
    let (mut client, mut server) = connected(&mut network, &certificate, 1_200);
    client.engine.close().unwrap();
    client.drain();
    network.run(&mut client, &mut server, Duration::from_secs(1));
    assert_eq!(server.closed, Some(DtlsClosed::ByPeer));
    assert!(server.dtls.engine.is_none(), "the engine is dropped");
    assert_eq!(server.dtls.next_timeout(), None);

    // Before anything began there is nobody to say it to.
    let mut fresh = Ours::new(&certificate, Role::Passive);
    fresh.dtls.close(network.now);
    fresh.dtls.close(network.now);
    fresh.drain();
    assert!(fresh.out.is_empty());
    assert_eq!(fresh.closed, Some(DtlsClosed::ByUs));
}

#[test]
fn a_peer_that_falls_silent_ends_the_handshake() {
    let certificate = Certificate::generate().unwrap();
    let mut network = Network::new(8);
    let mut client = Client::new(network.now, 1_200);
    let mut server = Ours::new(&certificate, Role::Passive);
    client.tick(network.now);
    for datagram in client.sent() {
        server.feed(network.now, &datagram);
    }
    let mut sent = server.sent().len();
    while let Some(at) = server.due() {
        network.now = at;
        server.tick(at);
        sent += server.sent().len();
    }
    assert!(matches!(server.closed, Some(DtlsClosed::Failed { .. })), "{:?}", server.closed);
    assert!((3..=30).contains(&sent), "{sent} datagrams");
}

#[test]
fn junk_is_counted_and_harmless() {
    let certificate = Certificate::generate().unwrap();
    let mut network = Network::new(9);
    let mut server = Ours::new(&certificate, Role::Passive);
    let junk: [&[u8]; 7] = [
        b"",
        b"\x16",
        &[0; 100],
        &[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // Application data and a Finished before anything else.
        &[23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4],
        &[22; 2_001],
        // A record that says it is longer than the datagram.
        &[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 40, 1, 0],
    ];
    for bytes in junk {
        server.feed(network.now, bytes);
    }
    assert_eq!(server.dtls.stats().refused, 7);
    assert!(server.dtls.engine.is_none(), "nothing is made for junk");
    let mut client = Client::new(network.now, 1_200);
    server.dtls.set_remote_fingerprints(network.now, &[client.fingerprint()]);
    assert!(network.run(&mut client, &mut server, LONG));
    for bytes in junk {
        server.feed(network.now, bytes);
    }
    // One of them looks like a record; the engine finds that it is not the peer's.
    assert_eq!(server.dtls.stats().refused, 13);
    assert!(server.dtls.is_connected() && server.data.is_empty());
}

#[test]
fn fingerprints_are_read_strictly() {
    let certificate = Certificate::generate().unwrap();
    let der = certificate.pair().certificate;
    for (name, algorithm) in [
        ("sha-256", &aws_lc_rs::digest::SHA256),
        ("Sha-384", &aws_lc_rs::digest::SHA384),
        ("SHA-512", &aws_lc_rs::digest::SHA512),
    ] {
        let digest = aws_lc_rs::digest::digest(algorithm, &der);
        let digits: Vec<_> = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{name} {}", digits.join(":"));
        let fingerprint: Fingerprint = text.parse().unwrap();
        assert!(fingerprint.matches(&der));
        assert!(!fingerprint.matches(&der[1..]));
        for wrong in [&text[..text.len() - 1], &text[..text.len() - 3], &format!("{text}:00")] {
            assert!(matches!(
                wrong.parse::<Fingerprint>(),
                Err(FingerprintError::Digest { bytes }) if bytes == algorithm.output_len()
            ));
        }
    }
    for wrong in ["", "sha-256", "sha-1 00:11", "md5 00", "AA:BB"] {
        assert_eq!(wrong.parse::<Fingerprint>(), Err(FingerprintError::Hash), "{wrong}");
    }
    let signs = format!("sha-256 {}", ["+1"; 32].join(":"));
    assert_eq!(signs.parse::<Fingerprint>(), Err(FingerprintError::Digest { bytes: 32 }));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    let bytes = digest.as_ref().try_into().unwrap();
    assert_eq!(certificate.fingerprint().parse(), Ok(Fingerprint::sha_256(bytes)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Loss, doubling and reordering only cost time.
    #[test]
    fn bad_networks_only_delay(seed in any::<u64>(), loss in 0.0..0.9_f64, mtu in 200..1_200_usize) {
        let certificate = Certificate::generate().unwrap();
        let (client, server) = connected(&mut Network::bad(seed, loss), &certificate, mtu);
        prop_assert_eq!(server.keys.unwrap().material, client.keys.unwrap().0);
    }

    /// Any bytes at any time: no panic, and nothing grows.
    #[test]
    fn any_bytes_do_no_harm(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..40),
        content in 20..24_u8,
        epoch in 0..2_u8,
        handshake in 0..21_u8,
    ) {
        let certificate = Certificate::generate().unwrap();
        let now = fermata_types::Now::read().instant;
        let mut client = Client::new(now, 1_200);
        client.tick(now);
        let hello = client.sent();
        let mut server = Ours::new(&certificate, Role::Passive);
        for (index, body) in datagrams.iter().enumerate() {
            if index == datagrams.len() / 2 {
                server.feed(now, &hello[0]);
            }
            server.feed(now, body);
            let mut record = vec![content, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, index as u8];
            record.extend_from_slice(&(body.len() as u16 + 1).to_be_bytes());
            record.push(handshake);
            record.extend_from_slice(body);
            server.feed(now, &record);
        }
        prop_assert!(server.keys.is_none());
    }

    /// Handshake datagrams with a few bytes changed, before the true ones: the handshake may fail, no more.
    #[test]
    fn changed_handshakes_do_no_harm(
        changes in prop::collection::vec((0..700_usize, any::<u8>()), 1..6),
        mtu in 150..1_200_usize,
        which in 1..12_usize,
    ) {
        let certificate = Certificate::generate().unwrap();
        let mut network = Network::new(1);
        let mut client = Client::new(network.now, mtu);
        let mut server = Ours::new(&certificate, Role::Passive);
        server.dtls.set_remote_fingerprints(network.now, &[client.fingerprint()]);
        for _ in 0..12 {
            for (index, datagram) in client.sent().into_iter().enumerate() {
                if index % which == 0 {
                    let mut changed = datagram.clone();
                    for (at, value) in &changes {
                        if let Some(byte) = changed.get_mut(*at) {
                            *byte ^= value;
                        }
                    }
                    server.feed(network.now, &changed);
                }
                server.feed(network.now, &datagram);
            }
            for datagram in server.sent() {
                client.feed(network.now, &datagram);
            }
            network.now += Duration::from_millis(300);
            client.tick(network.now);
            server.tick(network.now);
        }
        if let (Some(ours), Some((theirs, _))) = (&server.keys, &client.keys) {
            prop_assert_eq!(&ours.material, theirs);
        }
    }

    /// What is hidden from the engine is put back exactly, whatever else the list holds.
    #[test]
    fn the_hidden_profile_is_put_back(
        list in prop::collection::vec(prop::sample::select(vec![1_u16, 2, 5, 6, 7, 8, 9, 0x0A0A]), 1..12),
        before in prop::collection::vec(any::<u8>(), 0..60),
        after in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut hello = vec![1];
        hello.extend_from_slice(&before);
        hello.extend_from_slice(&[0x00, 0x0E]);
        hello.extend_from_slice(&(list.len() as u16 * 2 + 3).to_be_bytes());
        hello.extend_from_slice(&(list.len() as u16 * 2).to_be_bytes());
        hello.extend(list.iter().flat_map(|number| number.to_be_bytes()));
        hello.push(0);
        hello.extend_from_slice(&after);
        let shown = profile::prefer_aes_128(&hello);
        prop_assert_eq!(shown.is_some(), list.contains(&7) && list.contains(&8));
        if let Some(shown) = shown {
            prop_assert_eq!(shown.len(), hello.len());
            prop_assert_eq!(profile::restored(&shown), Some(hello));
        } else {
            prop_assert_eq!(profile::restored(&hello), None);
        }
    }
}

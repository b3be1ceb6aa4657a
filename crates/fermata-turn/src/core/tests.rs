use super::*;
use aws_lc_rs::hmac;
use fermata_transport::stun::Writer;

const MEDIA: &str = "203.0.113.1:7882";
const ACTUAL: &str = "127.0.0.1:7882";
const TRANSACTION: [u8; 12] = *b"transaction.";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

struct World {
    core: Core,
    now: Now,
    counters: Arc<Counters>,
    next: u8,
}

/// A client with what it was told.
#[derive(Clone)]
struct Client {
    flow: Flow,
    username: String,
    password: String,
    nonce: Vec<u8>,
}

impl World {
    fn new(bounds: Bounds) -> Self {
        let counters = Arc::new(Counters::default());
        let peers = Peers::new(vec![Peer { told: at(MEDIA), actual: at(ACTUAL) }]);
        let secret = TurnSecret::new(&[7; 32]);
        let core = Core::new(bounds, secret, &[1; 32], peers, Arc::clone(&counters));
        Self { core, now: Now::read(), counters, next: 0 }
    }

    fn wait(&mut self, seconds: u64) {
        self.now.instant += Duration::from_secs(seconds);
        self.now.wall += Duration::from_secs(seconds);
        self.core.handle_timeout(self.now.instant);
    }

    /// Credentials for a participant, good for an hour from now.
    fn client(&self, address: &str, participant: &str) -> Client {
        let until = self.now.wall.as_second() + 3_600;
        let (username, password) = TurnSecret::new(&[7; 32]).grant(until, participant);
        let flow = Flow { tls: false, client: at(address) };
        Client { flow, username, password, nonce: Vec::new() }
    }

    fn take(&mut self, flow: Flow, bytes: &[u8]) -> Option<Vec<u8>> {
        let action = self.core.handle_client(self.now, flow, bytes, &mut |_, _| Some(50_000));
        match action {
            Action::Answer(answer) => Some(answer),
            _ => None,
        }
    }

    /// Asks with credentials, after the nonce was learnt; the error code, 0 for a success.
    fn ask(&mut self, client: &mut Client, method: u16, attributes: &[(u16, Vec<u8>)]) -> u16 {
        if client.nonce.is_empty() {
            let answer = self.take(client.flow, &message(reply::ALLOCATE, &[], TRANSACTION));
            let answer = answer.expect("a stranger's first request is answered");
            let parsed = Message::parse(&answer).unwrap();
            assert_eq!(parsed.error, Some(401));
            let nonce = parsed.attributes().find(|(kind, _)| *kind == reply::NONCE);
            client.nonce = nonce.unwrap().1.to_vec();
        }
        self.next += 1;
        let mut transaction = TRANSACTION;
        transaction[0] = self.next;
        let bytes = client.message(method, attributes, transaction);
        let Some(answer) = self.take(client.flow, &bytes) else { return u16::MAX };
        let answer = Message::parse(&answer).unwrap();
        assert_eq!(answer.transaction, transaction);
        match answer.class {
            Class::Success => {
                assert!(answer.verify(&client.key()));
                0
            }
            _ => answer.error.unwrap(),
        }
    }

    fn allocate(&mut self, client: &mut Client) -> u16 {
        self.ask(client, reply::ALLOCATE, &[(reply::REQUESTED_TRANSPORT, vec![17, 0, 0, 0])])
    }

    fn permit(&mut self, client: &mut Client, peer: &str) -> u16 {
        self.ask(client, reply::CREATE_PERMISSION, &[(reply::XOR_PEER_ADDRESS, xored(at(peer)))])
    }

    fn bind(&mut self, client: &mut Client, number: u16, peer: &str) -> u16 {
        let number = [&number.to_be_bytes()[..], &[0, 0]].concat();
        let named = (reply::XOR_PEER_ADDRESS, xored(at(peer)));
        self.ask(client, reply::CHANNEL_BIND, &[(reply::CHANNEL_NUMBER, number), named])
    }

    /// Sends through a channel; what reaches the media socket.
    fn channel(&mut self, client: &Client, number: u16, data: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        reply::channel_data(&mut bytes, number, data, false).unwrap();
        self.relayed(client, &bytes)
    }

    fn send(&mut self, client: &Client, peer: &str, data: &[u8]) -> Option<Vec<u8>> {
        let attributes = [(reply::XOR_PEER_ADDRESS, xored(at(peer))), (reply::DATA, data.to_vec())];
        let bytes = message(0x0010 | reply::SEND, &attributes, TRANSACTION);
        self.relayed(client, &bytes)
    }

    fn relayed(&mut self, client: &Client, bytes: &[u8]) -> Option<Vec<u8>> {
        let action = self.core.handle_client(self.now, client.flow, bytes, &mut |_, _| None);
        match action {
            Action::Relay { to, data, .. } => {
                assert_eq!(to, at(ACTUAL), "nobody else is ever sent to");
                Some(data.to_vec())
            }
            _ => None,
        }
    }

    fn comes_from(&mut self, relay: u64, from: &str, data: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let flow =
            self.core.handle_peer(self.now.instant, RelayId(relay), at(from), data, &mut out);
        flow.map(|_| out)
    }
}

impl Client {
    fn key(&self) -> hmac::Key {
        use md5::{Digest as _, Md5};
        let text = format!("{}:{}:{}", self.username, auth::REALM, self.password);
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &Md5::digest(text))
    }

    fn message(
        &self,
        method: u16,
        attributes: &[(u16, Vec<u8>)],
        transaction: [u8; 12],
    ) -> Vec<u8> {
        let mut all = attributes.to_vec();
        all.push((reply::USERNAME, self.username.clone().into_bytes()));
        all.push((reply::REALM_NAME, auth::REALM.into()));
        all.push((reply::NONCE, self.nonce.clone()));
        let mut out = vec![0; 2_000];
        let mut writer = Writer::new(&mut out, method, &transaction).unwrap();
        for (kind, value) in &all {
            writer.attribute(*kind, &[value]).unwrap();
        }
        writer.integrity(&self.key()).unwrap();
        let len = writer.finish();
        out.truncate(len);
        out
    }
}

fn message(kind: u16, attributes: &[(u16, Vec<u8>)], transaction: [u8; 12]) -> Vec<u8> {
    let mut out = vec![0; 3_000];
    let mut writer = Writer::new(&mut out, kind, &transaction).unwrap();
    for (kind, value) in attributes {
        writer.attribute(*kind, &[value]).unwrap();
    }
    let len = writer.finish();
    out.truncate(len);
    out
}

/// IPv4 in the form of XOR-MAPPED-ADDRESS, or IPv6 for the transaction whose first byte is not looked at here.
fn xored(address: SocketAddr) -> Vec<u8> {
    let port = (address.port() ^ 0x2112).to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => {
            let ip = (ip.to_bits() ^ 0x2112_a442).to_be_bytes();
            [&[0, 1], &port[..], &ip[..]].concat()
        }
        IpAddr::V6(ip) => [&[0, 2], &port[..], &ip.octets()[..]].concat(),
    }
}

#[test]
fn a_client_with_credentials_reaches_the_media_port_both_ways() {
    let mut world = World::new(Bounds::default());
    let mut anna = world.client("198.51.100.1:1000", "PA_anna");
    assert_eq!(world.allocate(&mut anna), 0);
    assert_eq!(world.send(&anna, MEDIA, b"early"), None, "no permission yet");
    assert_eq!(world.permit(&mut anna, MEDIA), 0);
    assert_eq!(world.comes_from(0, ACTUAL, b"x"), None, "it has sent nothing there");
    assert_eq!(world.send(&anna, MEDIA, b"one").as_deref(), Some(&b"one"[..]));
    let indication = world.comes_from(0, ACTUAL, b"two").unwrap();
    let indication = Message::parse(&indication).unwrap();
    let data = indication.attributes().find(|(kind, _)| *kind == reply::DATA).unwrap().1;
    assert_eq!((indication.class, indication.method, data), (Class::Indication, 7, &b"two"[..]));
    let peer = indication.attributes().find(|(kind, _)| *kind == reply::XOR_PEER_ADDRESS).unwrap();
    assert_eq!(indication.xor_address(peer.1), Some(at(MEDIA)), "as the client knows it");
    assert_eq!(world.bind(&mut anna, 0x4001, MEDIA), 0);
    assert_eq!(world.channel(&anna, 0x4001, b"three").as_deref(), Some(&b"three"[..]));
    assert_eq!(world.comes_from(0, ACTUAL, b"four").unwrap(), b"\x40\x01\0\x04four");
    assert_eq!(world.comes_from(0, "127.0.0.1:9", b"x"), None);
    assert_eq!(world.channel(&anna, 0x4002, b"x"), None);
    // Not renewed, the permission ends, then the allocation, and all that was kept of it.
    world.wait(301);
    assert_eq!(world.channel(&anna, 0x4001, b"x"), None);
    assert_eq!(world.comes_from(0, ACTUAL, b"x"), None);
    world.wait(300);
    assert_eq!((world.core.entries(), world.core.poll_ended()), (0, Some(RelayId(0))));
    assert_eq!(world.permit(&mut anna, MEDIA), 437);
    assert_eq!(world.counters.read().allocations, 0);
}

#[test]
fn credentials_are_needed_and_must_be_right_and_not_over() {
    let mut world = World::new(Bounds::default());
    let good = world.client("198.51.100.1:1000", "PA_anna");
    let mut wrong = Client { password: "guessed".to_owned(), ..good.clone() };
    assert_eq!(world.allocate(&mut wrong), 401);
    let mut other = Client { username: good.username.replace("anna", "eve"), ..good.clone() };
    assert_eq!(world.allocate(&mut other), 401, "for somebody else");
    let mut longer = good.clone();
    longer.username = format!("9{}", good.username);
    assert_eq!(world.allocate(&mut longer), 401, "for longer");
    let mut nonce = Client { nonce: vec![b'0'; 48], ..good.clone() };
    assert_eq!(world.allocate(&mut nonce), 438);
    let mut anna = good.clone();
    assert_eq!(world.allocate(&mut anna), 0);
    let mut late = Client { flow: Flow { tls: false, client: at("198.51.100.1:2000") }, ..good };
    world.ask(&mut late, reply::REFRESH, &[]);
    // Who has an allocation keeps it, so that nobody is thrown out of a call; a new one needs new credentials.
    for _ in 0..9 {
        world.wait(500);
        let refreshed = world.ask(&mut anna, reply::REFRESH, &[]);
        if refreshed == 438 {
            anna.nonce.clear();
            assert_eq!(world.ask(&mut anna, reply::REFRESH, &[]), 0);
        } else {
            assert_eq!(refreshed, 0);
        }
    }
    late.nonce.clear();
    assert_eq!(world.allocate(&mut late), 401, "over");
    assert_eq!(world.core.allocations.len(), 1);
    // Nobody else may touch it.
    let mut eve = world.client("198.51.100.1:1000", "PA_eve");
    assert_eq!(world.ask(&mut eve, reply::REFRESH, &[(reply::LIFETIME, vec![0; 4])]), 441);
    anna.nonce.clear();
    assert_eq!(world.ask(&mut anna, reply::REFRESH, &[(reply::LIFETIME, vec![0; 4])]), 0);
    assert_eq!(world.core.entries(), 0);
}

#[test]
fn nobody_but_the_node_s_media_addresses_is_a_peer() {
    let mut world = World::new(Bounds::default());
    let mut anna = world.client("198.51.100.1:1000", "PA_anna");
    assert_eq!(world.allocate(&mut anna), 0);
    let denied = [
        "0.0.0.0:1",
        "127.0.0.1:7880",
        ACTUAL,
        "10.0.0.1:1",
        "172.16.0.1:1",
        "192.168.0.1:1",
        "169.254.169.254:80",
        "100.64.0.1:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "192.0.2.1:1",
        "198.18.0.1:1",
        "240.0.0.1:1",
        "8.8.8.8:53",
        "203.0.113.2:7882",
    ];
    for peer in denied {
        assert_eq!(world.permit(&mut anna, peer), 403, "{peer}");
        assert_eq!(world.bind(&mut anna, 0x4000, peer), 403, "{peer}");
        assert_eq!(world.send(&anna, peer, b"x"), None, "{peer}");
    }
    for peer in ["[::1]:7882", "[fc00::1]:1", "[fe80::1]:1", "[64:ff9b::1]:1", "[2002::1]:1"] {
        assert_eq!(world.permit(&mut anna, peer), 443, "{peer}");
    }
    // The right address with another port: a permission is for addresses (RFC 8656 section 9), but nothing is sent.
    assert_eq!(world.permit(&mut anna, "203.0.113.1:22"), 0);
    assert_eq!(world.bind(&mut anna, 0x4000, "203.0.113.1:22"), 403);
    assert_eq!(world.send(&anna, "203.0.113.1:22", b"x"), None);
    // One wrong peer among right ones.
    let both = [MEDIA, "8.8.8.8:53"].map(|peer| (reply::XOR_PEER_ADDRESS, xored(at(peer))));
    assert_eq!(world.ask(&mut anna, reply::CREATE_PERMISSION, &both), 403);
    assert_eq!(world.counters.read().forbidden, 2 * denied.len() as u64 + 2);
}

#[test]
fn every_bound_is_kept() {
    let bounds = Bounds {
        allocations_max: 5,
        per_participant_max: 2,
        per_address_max: 3,
        lifetime_max: Duration::from_secs(20),
        bandwidth_max_bps: 80_000,
    };
    let mut world = World::new(bounds);
    let allocate = |world: &mut World, address: &str, participant: &str| {
        let mut client = world.client(address, participant);
        world.allocate(&mut client)
    };
    assert_eq!(allocate(&mut world, "198.51.100.1:1", "PA_a"), 0);
    assert_eq!(allocate(&mut world, "198.51.100.1:2", "PA_a"), 0);
    assert_eq!(allocate(&mut world, "198.51.100.2:3", "PA_a"), 486, "of one participant");
    assert_eq!(allocate(&mut world, "198.51.100.1:3", "PA_b"), 0);
    assert_eq!(allocate(&mut world, "198.51.100.1:4", "PA_c"), 486, "of one address");
    assert_eq!(allocate(&mut world, "198.51.100.2:1", "PA_d"), 0);
    assert_eq!(allocate(&mut world, "198.51.100.3:1", "PA_e"), 0);
    assert_eq!(allocate(&mut world, "198.51.100.4:1", "PA_f"), 508, "in all");
    let stats = world.counters.read();
    assert_eq!((stats.refused_quota, stats.refused_full, stats.allocations), (2, 1, 5));
    // However long a lifetime is asked for.
    world.wait(21);
    assert_eq!(world.core.entries(), 0);
    assert_eq!(world.counters.read().allocations_expired, 5);
    // A second's worth at once, then its rate.
    let mut anna = world.client("198.51.100.1:9", "PA_a");
    let day = (reply::LIFETIME, 86_400_u32.to_be_bytes().to_vec());
    let udp = (reply::REQUESTED_TRANSPORT, vec![17, 0, 0, 0]);
    assert_eq!(world.ask(&mut anna, reply::ALLOCATE, &[udp, day]), 0);
    assert_eq!(world.bind(&mut anna, 0x4000, MEDIA), 0);
    let sent = |world: &mut World| {
        (0..50).filter(|_| world.channel(&anna, 0x4000, &[0; 1_000]).is_some()).count()
    };
    assert_eq!(sent(&mut world), 10);
    world.wait(1);
    assert_eq!(sent(&mut world), 10);
    let back = (0..50).filter(|_| world.comes_from(5, ACTUAL, &[0; 1_000]).is_some()).count();
    assert_eq!(back, 10);
    assert_eq!(world.counters.read().dropped_bandwidth, 120);
}

#[test]
fn strangers_get_few_answers_and_garbage_gets_none() {
    let mut world = World::new(Bounds::default());
    let flow = Flow { tls: false, client: at("198.51.100.1:1") };
    let request = message(reply::ALLOCATE, &[], TRANSACTION);
    let answered = (0..1_000).filter(|_| world.take(flow, &request).is_some()).count();
    assert_eq!(answered, usize::try_from(limits::STRANGER_BURST).unwrap());
    assert_eq!(world.counters.read().unanswered, 900);
    let other = Flow { client: at("198.51.100.2:1"), ..flow };
    for bytes in [
        message(0x0001, &[], TRANSACTION),
        message(0x0101, &[], TRANSACTION),
        message(0x0017, &[], TRANSACTION),
        vec![],
        vec![0xff; 100],
        vec![0x40, 0, 0xff, 0xff],
        vec![0x40],
    ] {
        assert_eq!(world.take(other, &bytes), None, "{bytes:?}");
    }
    assert!(world.take(other, &request).is_some());
}

#[test]
fn what_is_not_offered_is_refused_by_name() {
    let mut world = World::new(Bounds::default());
    let mut anna = world.client("198.51.100.1:1000", "PA_anna");
    let udp = (reply::REQUESTED_TRANSPORT, vec![17, 0, 0, 0]);
    for (attributes, code) in [
        (vec![], 400),
        (vec![(reply::REQUESTED_TRANSPORT, vec![6, 0, 0, 0])], 442),
        (vec![udp.clone(), (reply::REQUESTED_ADDRESS_FAMILY, vec![2, 0, 0, 0])], 440),
        (vec![udp.clone(), (0x001a, vec![])], 420),
        (vec![udp.clone(), (0x0018, vec![0x80])], 420),
        (vec![udp, (reply::LIFETIME, vec![1])], 400),
    ] {
        assert_eq!(world.ask(&mut anna, reply::ALLOCATE, &attributes), code, "{attributes:?}");
    }
    assert_eq!(world.permit(&mut anna, MEDIA), 437);
    assert_eq!(world.allocate(&mut anna), 0);
    assert_eq!(world.allocate(&mut anna), 437, "another request on the same way");
    for number in [0x3fff, 0x5000] {
        assert_eq!(world.bind(&mut anna, number, MEDIA), 400);
    }
    assert_eq!(world.bind(&mut anna, 0x4000, MEDIA), 0);
    assert_eq!(world.bind(&mut anna, 0x4001, MEDIA), 400, "it has a number");
}

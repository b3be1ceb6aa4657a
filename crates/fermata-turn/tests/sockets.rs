//! A whole relay with real sockets on the loopback: over UDP and over TLS to something that stands for a media port.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail that way")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use fermata_transport::stun::{Class, Message, Writer};
use fermata_transport::turn::TurnSecret;
use fermata_turn::core::{Bounds, Peer, Peers};
use fermata_turn::{TlsListen, TlsSource, Turn, TurnConfig};
use fermata_types::Now;
use md5::{Digest as _, Md5};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const TOLD: &str = "203.0.113.1:7882";

/// A server's and a client's view of one certificate.
fn certificate() -> (Arc<ServerConfig>, TlsConnector) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["turn.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    // As some clients do; a web server would end the handshake here.
    client.alpn_protocols = vec![b"stun.turn".to_vec()];
    (Arc::new(server), TlsConnector::from(Arc::new(client)))
}

struct World {
    turn: Turn,
    media: UdpSocket,
    secret: TurnSecret,
    connector: TlsConnector,
}

async fn world(bounds: Bounds) -> World {
    let media = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let secret = TurnSecret::new(&[3; 32]);
    let (server, connector) = certificate();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let source = TlsSource::new(move || Arc::clone(&server));
    let config = TurnConfig {
        udp: Some(any),
        tls: Some(TlsListen { bind: any, source }),
        relay_ip: any.ip(),
        secret: secret.clone(),
        bounds,
    };
    let turn = Turn::start(config).await.unwrap();
    let actual = media.local_addr().unwrap();
    turn.set_peers(Peers::new(vec![Peer { told: TOLD.parse().unwrap(), actual }]));
    World { turn, media, secret, connector }
}

/// A client's end.
enum Wire {
    Udp(UdpSocket),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    async fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Udp(socket) => _ = socket.send(bytes).await.unwrap(),
            Self::Tls(stream) => stream.write_all(bytes).await.unwrap(),
        }
    }

    /// The next message or channel data.
    async fn next(&mut self) -> Vec<u8> {
        let wait = async {
            match self {
                Self::Udp(socket) => {
                    let mut bytes = vec![0; 3_000];
                    let len = socket.recv(&mut bytes).await.unwrap();
                    bytes.truncate(len);
                    bytes
                }
                Self::Tls(stream) => {
                    let mut bytes = vec![0; 4];
                    stream.read_exact(&mut bytes).await.unwrap();
                    let told = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                    let more = if bytes[0] < 0x40 { 16 + told } else { told.next_multiple_of(4) };
                    bytes.resize(4 + more, 0);
                    stream.read_exact(&mut bytes[4..]).await.unwrap();
                    bytes
                }
            }
        };
        timeout(Duration::from_secs(10), wait).await.expect("nothing came")
    }

    /// Asks, with what a client of long-term credentials says; the error code, 0 for a success, and the nonce.
    async fn ask(
        &mut self,
        method: u16,
        attributes: &[(u16, &[u8])],
        who: Option<(&str, &str, &[u8])>,
    ) -> (u16, Vec<u8>) {
        let mut out = vec![0; 2_000];
        let mut writer = Writer::new(&mut out, method, b"transaction.").unwrap();
        for (kind, value) in attributes {
            writer.attribute(*kind, &[value]).unwrap();
        }
        if let Some((username, password, nonce)) = who {
            writer.attribute(0x0006, &[username.as_bytes()]).unwrap();
            writer.attribute(0x0014, &[b"fermata"]).unwrap();
            writer.attribute(0x0015, &[nonce]).unwrap();
            let digest = Md5::digest(format!("{username}:fermata:{password}"));
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest);
            writer.integrity(&key).unwrap();
        }
        let len = writer.finish();
        self.send(&out[..len]).await;
        let answer = self.next().await;
        let answer = Message::parse(&answer).unwrap();
        let nonce = answer.attributes().find(|(kind, _)| *kind == 0x0015);
        let nonce = nonce.map(|(_, value)| value.to_vec()).unwrap_or_default();
        (if answer.class == Class::Success { 0 } else { answer.error.unwrap() }, nonce)
    }
}

impl World {
    async fn wire(&self, tls: bool) -> Wire {
        if tls {
            let tcp = TcpStream::connect(self.turn.tls_address().unwrap()).await.unwrap();
            let name = ServerName::try_from("turn.test").unwrap();
            Wire::Tls(Box::new(self.connector.connect(name, tcp).await.unwrap()))
        } else {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            socket.connect(self.turn.udp_address().unwrap()).await.unwrap();
            Wire::Udp(socket)
        }
    }

    /// Allocates and binds channel 0x4000 to the media port.
    async fn relayed(&self, tls: bool, participant: &str) -> Wire {
        let mut wire = self.wire(tls).await;
        let (username, password) =
            self.secret.grant(Now::read().wall.as_second() + 60, participant);
        let udp: (u16, &[u8]) = (0x0019, &[17, 0, 0, 0]);
        let (code, nonce) = wire.ask(3, &[udp], None).await;
        assert_eq!(code, 401);
        let wrong = Some((username.as_str(), "guessed", nonce.as_slice()));
        assert_eq!(wire.ask(3, &[udp], wrong).await.0, 401);
        let who = Some((username.as_str(), password.as_str(), nonce.as_slice()));
        assert_eq!(wire.ask(3, &[udp], who).await.0, 0);
        let denied = (0x0012, xored("169.254.169.254:80"));
        assert_eq!(wire.ask(8, &[(denied.0, &denied.1)], who).await.0, 403);
        let media = xored(TOLD);
        let channel: [(u16, &[u8]); 2] = [(0x000C, &[0x40, 0, 0, 0]), (0x0012, &media)];
        assert_eq!(wire.ask(9, &channel, who).await.0, 0);
        wire
    }
}

fn xored(address: &str) -> Vec<u8> {
    let SocketAddr::V4(address) = address.parse().unwrap() else { return Vec::new() };
    let port = (address.port() ^ 0x2112).to_be_bytes();
    let ip = (address.ip().to_bits() ^ 0x2112_a442).to_be_bytes();
    [&[0, 1], &port[..], &ip[..]].concat()
}

#[tokio::test]
async fn datagrams_go_both_ways_over_udp_and_over_tls() {
    let world = world(Bounds::default()).await;
    let mut relays = Vec::new();
    for tls in [false, true] {
        let mut wire = world.relayed(tls, "PA_anna").await;
        let mut from = None;
        for round in 1..4_u8 {
            wire.send(&[&[0x40, 0, 0, 5][..], &[round; 5], &[0; 3]].concat()).await;
            let mut bytes = [0; 100];
            let wait = world.media.recv_from(&mut bytes);
            let (len, relay) = timeout(Duration::from_secs(10), wait).await.unwrap().unwrap();
            assert_eq!(bytes[..len], [round; 5]);
            from = Some(relay);
            world.media.send_to(&[round; 6], relay).await.unwrap();
            let back = wire.next().await;
            assert_eq!(back[..10], [&[0x40, 0, 0, 6][..], &[round; 6]].concat());
            assert_eq!(back.len(), if tls { 12 } else { 10 });
            // Somebody else who finds the relay's socket is not heard.
            let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            other.send_to(b"hello", relay).await.unwrap();
            assert!(!world.turn.relays_from(other.local_addr().unwrap()));
        }
        let relay = from.unwrap();
        assert!(world.turn.relays_from(relay));
        let SocketAddr::V4(v4) = relay else { panic!("{relay}") };
        let mapped = SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port());
        assert!(world.turn.relays_from(mapped), "as a socket for both versions of IP shows it");
        relays.push(relay);
    }
    // The last one was over TLS, and its connection is gone.
    until(&world, |stats| stats.allocations == 1).await;
    assert_eq!(
        relays.iter().map(|it| world.turn.relays_from(*it)).collect::<Vec<_>>(),
        [true, false]
    );
    let stats = world.turn.stats();
    assert_eq!((stats.allocated_udp, stats.allocated_tls, stats.forbidden), (1, 1, 2), "{stats:?}");
    assert_eq!((stats.to_peers, stats.to_clients), (6, 6), "{stats:?}");
    assert!(stats.dropped_peer >= 4, "{stats:?}");
    world.turn.stop().await;
}

#[tokio::test]
async fn what_is_not_refreshed_ends_and_so_does_what_comes_over_a_closed_connection() {
    let bounds = Bounds { lifetime_max: Duration::from_secs(2), ..Bounds::default() };
    let world = world(bounds).await;
    let udp = world.relayed(false, "PA_anna").await;
    let tls = world.relayed(true, "PA_anna").await;
    assert_eq!(world.turn.stats().allocations, 2);
    drop(tls);
    until(&world, |stats| stats.allocations == 1 && stats.tls_connections == 0).await;
    until(&world, |stats| stats.allocations == 0 && stats.allocations_expired == 1).await;
    drop(udp);
    world.turn.stop().await;
}

#[tokio::test]
async fn what_is_no_tls_and_no_turn_is_closed() {
    let world = world(Bounds::default()).await;
    let to = world.turn.tls_address().unwrap();
    let mut plain = TcpStream::connect(to).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(10), plain.read_to_end(&mut rest)).await.unwrap();
    let Wire::Tls(mut stream) = world.wire(true).await else { return };
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.unwrap();
    until(&world, |stats| stats.tls_failed == 2 && stats.tls_connections == 0).await;
    world.turn.stop().await;
}

async fn until(world: &World, seen: impl Fn(&fermata_turn::TurnStats) -> bool) {
    let wait = async {
        while !seen(&world.turn.stats()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.expect("not counted");
}

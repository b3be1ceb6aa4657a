//! ICE over TCP against a node with real sockets: a check that is answered, who is closed, and when.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use aws_lc_rs::hmac;
use fermata_node::{NodeStats, TcpListen};

use super::*;

fn settings() -> TcpListen {
    TcpListen {
        connections_max: 4,
        connections_per_address_max: 3,
        proof_max: Duration::from_secs(3),
        ..TcpListen::on(0)
    }
}

async fn start_over_tcp(folder: &Path, store: &Arc<dyn Store>, tcp: TcpListen) -> NodeHandle {
    let mut config = config(folder);
    config.listen = vec![Listen::on("127.0.0.1:0".parse().unwrap()).with_tcp(tcp)];
    start_with(config, store).await
}

/// Waits until the node has counted something.
async fn until(node: &NodeHandle, what: &str, seen: impl Fn(&NodeStats) -> bool) -> NodeStats {
    let began = Now::read().instant;
    loop {
        let stats = node.stats().await.unwrap();
        if seen(&stats) {
            return stats;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: {stats:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// The node closed it: the end, or a reset.
fn is_closed(mut stream: &TcpStream) -> bool {
    let mut rest = [0; 4_096];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn framed(datagram: &[u8]) -> Vec<u8> {
    let len = u16::try_from(datagram.len()).unwrap();
    [&len.to_be_bytes(), datagram].concat()
}

fn frame_from(mut stream: &TcpStream) -> Vec<u8> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    let mut frame = vec![0; usize::from(u16::from_be_bytes(header))];
    stream.read_exact(&mut frame).unwrap();
    frame
}

/// An ICE check (RFC 8445 section 7.2.2), by hand.
fn check(ufrag: &str, pwd: &str) -> Vec<u8> {
    let mut message = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"transaction."].concat();
    let put = |message: &mut Vec<u8>, kind: u16, value: &[u8]| {
        let len = u16::try_from(value.len()).unwrap();
        message.extend([kind.to_be_bytes(), len.to_be_bytes()].concat());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0);
    };
    put(&mut message, 0x0006, format!("{ufrag}:them").as_bytes());
    put(&mut message, 0x0024, &100_u32.to_be_bytes());
    put(&mut message, 0x802a, &[1; 8]);
    put(&mut message, 0x0025, &[]);
    let told = |message: &mut Vec<u8>, more: usize| {
        let len = u16::try_from(message.len() - 20 + more).unwrap();
        message[2..4].copy_from_slice(&len.to_be_bytes());
    };
    told(&mut message, 24);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes());
    let tag = hmac::sign(&key, &message);
    put(&mut message, 0x0008, tag.as_ref());
    told(&mut message, 8);
    let print = crc32(&message) ^ 0x5354_554e;
    put(&mut message, 0x8028, &print.to_be_bytes());
    message
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Enters; the description that the node offers.
async fn offer(node: &NodeHandle) -> (String, Receiver<SignalOut>) {
    let (sink, mut queue) = signal_channel();
    node.join(join(node, "ann"), sink).await.unwrap();
    let offer = next(&mut queue, |m| if let Response::Offer(o) = m { Some(o.sdp) } else { None });
    (offer.await, queue)
}

fn line<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_over_tcp_is_answered_and_its_connection_lives_as_long_as_it_is_counted_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let node = start_over_tcp(folder.path(), &store, settings()).await;
    let (udp, tcp) = (node.candidates()[0], node.tcp_candidates()[0]);
    assert!(udp.port() != tcp.port() && udp.ip() == tcp.ip());
    let (sdp, _queue) = offer(&node).await;
    let told = format!(" tcp 1520435199 {} {} typ host tcptype passive", tcp.ip(), tcp.port());
    assert_eq!(sdp.matches(&told).count(), 1, "{sdp}");
    let (ufrag, pwd) = (line(&sdp, "a=ice-ufrag:"), line(&sdp, "a=ice-pwd:"));

    let stream = connect(tcp);
    let bytes = framed(&check(ufrag, pwd));
    // In pieces, then several at once.
    for piece in bytes.chunks(7) {
        (&stream).write_all(piece).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (&stream).write_all(&bytes.repeat(3)).unwrap();
    for _ in 0..4 {
        let answer = frame_from(&stream);
        assert_eq!((&answer[..2], &answer[8..20]), (&[1, 1][..], &b"transaction."[..]));
    }
    // A refusal is answered too, as over UDP.
    (&stream).write_all(&framed(&check(ufrag, "0123456789012345678901"))).unwrap();
    assert_eq!(frame_from(&stream)[..2], [1, 0x11]);
    // It outlives the time for a proof, garbage in good frames included.
    (&stream).write_all(&framed(&[0x80; 40])).unwrap();
    let began = Now::read().instant;
    while began.elapsed() < Duration::from_secs(6) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (&stream).write_all(&bytes).unwrap();
        assert_eq!(frame_from(&stream)[..2], [1, 1]);
    }
    let stats = node.stats().await.unwrap();
    assert_eq!((stats.tcp_connections, stats.tcp_accepted), (1, 1), "{stats:?}");
    assert_eq!((stats.tcp_closed_unproved, stats.tcp_closed_idle), (0, 0));
    // Silence ends it.
    assert!(is_closed(&stream));
    until(&node, "idle", |stats| stats.tcp_closed_idle == 1 && stats.tcp_connections == 0).await;
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_prove_nothing_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let mut tcp = settings();
    (tcp.connections_max, tcp.connections_per_address_max) = (100, 100);
    let node = start_over_tcp(folder.path(), &store, tcp).await;
    let (to, udp) = (node.tcp_candidates()[0], node.candidates()[0]);
    let (sdp, mut queue) = offer(&node).await;
    let (ufrag, pwd) = (line(&sdp, "a=ice-ufrag:"), line(&sdp, "a=ice-pwd:"));
    let forged = framed(&check(ufrag, "0123456789012345678901"));

    // Closed at once: no frames, a frame too long, frames that are no checks.
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 3_000],
        framed(&[0x80; 100]),
        [forged.clone(), framed(&[22, 254, 253, 0, 0])].concat(),
    ] {
        let stream = connect(to);
        let began = Now::read().instant;
        let _ = (&stream).write_all(&bytes);
        assert!(is_closed(&stream) && began.elapsed() < Duration::from_secs(2), "{bytes:?}");
    }
    let stats = until(&node, "garbage", |stats| stats.tcp_connections == 0).await;
    assert_eq!((stats.tcp_closed_malformed, stats.tcp_accepted), (4, 4), "{stats:?}");

    // Closed in time: silent, half a frame, a byte now and then, forged checks.
    let began = Now::read().instant;
    let silent = connect(to);
    let half = connect(to);
    (&half).write_all(&framed(&check(ufrag, pwd))[..50]).unwrap();
    let (slow, forger) = (connect(to), connect(to));
    let trickle = {
        let bytes = framed(&vec![0; 1_900]);
        let slow = slow.try_clone().unwrap();
        tokio::spawn(async move {
            for byte in bytes {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if (&slow).write_all(&[byte]).is_err() {
                    return;
                }
            }
        })
    };
    (&forger).write_all(&forged.repeat(50)).unwrap();
    // Meanwhile others are served, over UDP and TCP.
    let good = connect(to);
    (&good).write_all(&framed(&check(ufrag, pwd))).unwrap();
    assert_eq!(frame_from(&good)[..2], [1, 1]);
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.send_to(&check(ufrag, pwd), udp).unwrap();
    let mut answer = [0; 100];
    datagrams.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    datagrams.recv(&mut answer).unwrap();
    for stream in [&silent, &half, &slow, &forger] {
        assert!(is_closed(stream));
    }
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(3) && waited < Duration::from_secs(8), "{waited:?}");
    let stats = until(&node, "unproved", |stats| stats.tcp_closed_unproved == 4).await;
    assert_eq!(stats.tcp_connections, 1, "{stats:?}");
    trickle.await.unwrap();
    // When its participant leaves, so does its connection.
    queue.close();
    drop(queue);
    drop(good);
    until(&node, "gone", |stats| stats.tcp_connections == 0).await;
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded_in_all_and_for_each_address() {
    let folder = tempfile::tempdir().unwrap();
    let store = store().await;
    let node = start_over_tcp(folder.path(), &store, settings()).await;
    let to = node.tcp_candidates()[0];
    let from = |ip: &str| {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let local: SocketAddr = format!("{ip}:0").parse().unwrap();
        socket.bind(&local.into()).unwrap();
        socket.connect(&to.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        stream
    };
    let held: Vec<_> = (0..3).map(|_| from("127.0.0.2")).collect();
    let began = Now::read().instant;
    assert!(is_closed(&from("127.0.0.2")), "the fourth of an address");
    let other = from("127.0.0.3");
    assert!(is_closed(&from("127.0.0.4")), "the fifth in all");
    assert!(began.elapsed() < Duration::from_secs(2), "at once");
    let stats = until(&node, "refused", |stats| stats.tcp_refused_full == 1).await;
    assert_eq!((stats.tcp_refused_address, stats.tcp_connections), (1, 4), "{stats:?}");
    assert!(!is_closed(&other));
    drop((held, other));
    until(&node, "closed", |stats| stats.tcp_connections == 0).await;
    let again = from("127.0.0.2");
    until(&node, "again", |stats| stats.tcp_connections == 1).await;
    drop(again);
    node.shutdown().await;
}

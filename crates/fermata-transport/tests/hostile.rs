//! Whatever a peer sends, the connection answers with an error or silence, never with a panic.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod common;

use common::{Pair, add_channels, certificate, seed};
use fermata_transport::egress::Egress;
use fermata_transport::{PeerKind, SdpError, Transport, TransportConfig};
use proptest::prelude::*;
use str0m::media::{Direction, MediaKind};

fn drain(transport: &mut Transport) {
    let mut out = Egress::new(64 * 1024, 64);
    transport.flush(fermata_types::Now::read().instant, &mut out);
    for _ in 0..1_000 {
        if transport.poll_event().is_none() {
            return;
        }
    }
    panic!("polling never ends");
}

/// One offer for all: only its text matters here.
fn offer() -> String {
    static OFFER: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    OFFER.get_or_init(make_offer).clone()
}

fn make_offer() -> String {
    let mut pair = Pair::new(PeerKind::Single);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
    api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
    api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    api.apply().unwrap().0.to_sdp_string()
}

fn transport(kind: PeerKind) -> Transport {
    let config = TransportConfig {
        candidates: vec!["192.0.2.1:1".parse().unwrap()],
        certificate: Some(certificate()),
        ..Default::default()
    };
    Transport::new(fermata_types::Now::read().instant, kind, &config, seed())
}

/// Takes an offer and, if it is accepted, everything that may follow.
fn swallow(text: &str) -> Result<(), SdpError> {
    let mut transport = transport(PeerKind::Single);
    let result = transport.accept_offer(text);
    drain(&mut transport);
    if result.is_ok() {
        transport.answer(&[]).unwrap();
        drain(&mut transport);
        let _ = transport.accept_offer(text);
        drain(&mut transport);
    }
    result.map(|_| ())
}

#[test]
fn broken_offers_are_errors() {
    let good = offer();
    assert_eq!(swallow(&good), Ok(()));
    for (what, text) in [
        ("empty", String::new()),
        ("words", "hello".to_owned()),
        ("no sections", good.split("m=").next().unwrap().to_owned()),
        ("no mids", good.replace("a=mid:", "a=x:")),
        ("no group", good.replace("a=group:", "a=x:")),
        ("no fingerprint", good.replace("a=fingerprint:", "a=x:")),
        ("no credentials", good.replace("a=ice-ufrag:", "a=x:")),
        ("lite against lite", good.replace("a=group:", "a=ice-lite\r\na=group:")),
        ("doubled", format!("{good}{good}")),
        ("other line ends", good.replace("\r\n", "\r")),
    ] {
        assert!(swallow(&text).is_err(), "{what}");
    }
    for end in (0..good.len()).step_by(23) {
        let _ = swallow(&good[..end]);
    }
}

#[test]
fn lines_lost_or_doubled_never_panic() {
    let good = offer();
    let lines: Vec<&str> = good.lines().collect();
    for index in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(index);
        let _ = swallow(&(without.join("\r\n") + "\r\n"));
        let mut twice = lines.clone();
        twice.insert(index, lines[index]);
        let _ = swallow(&(twice.join("\r\n") + "\r\n"));
        let mut odd = lines.clone();
        let cut = odd[index].replace(|c: char| c.is_ascii_digit(), "99999999999999999999");
        odd[index] = &cut;
        let _ = swallow(&(odd.join("\r\n") + "\r\n"));
    }
}

#[test]
fn candidates_are_bounded_and_junk_is_refused() {
    let mut transport = transport(PeerKind::Publisher);
    for junk in [
        "",
        "candidate:",
        "candidate:1 1 udp 1 abc.local 5000 typ host",
        "candidate:1 1 tcp 1 192.0.2.9 9 typ host tcptype active",
        "candidate:1 1 udp 99999999999 192.0.2.9 9 typ host",
        &format!("candidate:{} 1 udp 1 192.0.2.9 9 typ host", "x".repeat(600)),
    ] {
        assert_eq!(transport.add_remote_candidate(junk), Err(SdpError::Candidate), "{junk}");
    }
    for port in 1..=fermata_transport::limits::REMOTE_CANDIDATES_MAX {
        let candidate = format!("candidate:{port} 1 udp 1 192.0.2.9 {port} typ host generation 0");
        assert_eq!(transport.add_remote_candidate(&candidate), Ok(()), "{candidate}");
        drain(&mut transport);
    }
    let more = transport.add_remote_candidate("candidate:1 1 udp 1 192.0.2.9 9 typ host");
    assert_eq!(more, Err(SdpError::TooManyCandidates));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC{0,300}") {
        let _ = swallow(&text);
        let mut subscriber = transport(PeerKind::Subscriber);
        let _ = subscriber.create_offer(false);
        drain(&mut subscriber);
        let _ = subscriber.accept_answer(&text);
        let _ = subscriber.add_remote_candidate(&text);
        drain(&mut subscriber);
    }

    #[test]
    fn spoilt_offers_are_taken_or_refused(spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = offer().into_bytes();
        for (index, value) in spots {
            let len = bytes.len();
            bytes[index.index(len)] = value;
        }
        let _ = swallow(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn numbers_and_lines_moved_about_are_taken_or_refused(
        moves in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..4, 0_u16..300),
            1..6,
        ),
    ) {
        let good = offer();
        let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
        for (at, other, what, number) in moves {
            let (at, other) = (at.index(lines.len()), other.index(lines.len()));
            match what {
                0 => lines.swap(at, other),
                1 => lines.insert(at, lines[other].clone()),
                2 => {
                    lines.remove(at);
                }
                _ => {
                    // The first number of the line becomes another.
                    let line = &lines[at];
                    let digits = |c: char| c.is_ascii_digit();
                    if let Some(start) = line.find(digits) {
                        let end = line[start..].find(|c| !digits(c)).map_or(line.len(), |n| start + n);
                        lines[at] = format!("{}{number}{}", &line[..start], &line[end..]);
                    }
                }
            }
        }
        let text = lines.join("\r\n") + "\r\n";
        let _ = swallow(&text);
        // The same after a good offer, on a connection that knows the sections.
        let mut transport = transport(PeerKind::Single);
        transport.accept_offer(&good).unwrap();
        drain(&mut transport);
        let _ = transport.accept_offer(&text);
        drain(&mut transport);
        let _ = transport.answer(&[]);
    }

    #[test]
    fn spoilt_answers_are_taken_or_refused(
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut pair = Pair::new(PeerKind::Subscriber);
        pair.server.add_track(fermata_transport::MediaKind::Audio, "s", "TR_1");
        pair.server.add_track(fermata_transport::MediaKind::Video, "s", "TR_2");
        let offer = pair.server.create_offer(false).unwrap();
        drain(&mut pair.server);
        let mut bytes = pair.answer(&offer).into_bytes();
        for (index, value) in spots {
            let len = bytes.len();
            bytes[index.index(len)] = value;
        }
        let _ = pair.server.accept_answer(&String::from_utf8_lossy(&bytes));
        drain(&mut pair.server);
        pair.server.add_track(fermata_transport::MediaKind::Video, "s", "TR_3");
        let _ = pair.server.create_offer(true);
        drain(&mut pair.server);
    }

    #[test]
    fn any_datagram_is_taken_or_refused(
        kind in prop::sample::select(vec![0_u8, 1, 20, 22, 23, 25, 63, 64, 128, 144, 200, 255]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut pair = Pair::new(PeerKind::Subscriber);
        pair.renegotiate();
        let mut data = vec![kind];
        data.extend(rest);
        let _ = fermata_transport::stun_username_ufrag(&data);
        let (from, to) = (pair.client_at, pair.server_at);
        let _ = pair.server.handle_datagram(pair.now, from, to, &mut data, &mut pair.egress);
        drain(&mut pair.server);
    }
}

#[test]
fn spoilt_datagrams_do_not_break_a_connection() {
    let mut pair = Pair::new(PeerKind::Subscriber);
    pair.renegotiate();
    pair.connect();
    let mut seed = 1_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33).to_le_bytes()[0]
    };
    for kind in [0_u8, 20, 21, 22, 23, 127, 128, 129, 144, 200, 201, 205, 206] {
        for len in [0, 1, 4, 11, 12, 13, 20, 60, 1_200] {
            let mut data = vec![kind];
            data.extend((0..len).map(|_| random()));
            pair.carry_up(data);
        }
    }
    let (from, to) = (pair.client_at, pair.server_at);
    for len in [0, fermata_transport::limits::DATAGRAM_LEN_MAX + 1] {
        let mut data = vec![128; len];
        let taken = pair.server.handle_datagram(pair.now, from, to, &mut data, &mut pair.egress);
        assert!(taken.is_err(), "{len}");
    }
    assert!(pair.server.stats().datagrams_refused >= 2);
    for _ in 0..10 {
        pair.step();
    }
    assert!(pair.server.is_connected());
}

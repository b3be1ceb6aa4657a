//! Connections that end, are lost and come back, and peers that are not who they say.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::time::Duration;

use common::{Pair, add_channels};
use fermata_transport::{
    Channel, Codec, Event, MediaKind, Mid, PeerKind, SendError, Transport, TransportConfig,
};
use str0m::format::Codec as ClientCodec;
use str0m::media::{Direction, MediaKind as ClientKind};

fn count(pair: &Pair, wanted: impl Fn(&Event) -> bool) -> usize {
    pair.events.iter().filter(|event| wanted(event)).count()
}

fn publishing() -> (Pair, str0m::media::Mid) {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    let audio = api.add_media(ClientKind::Audio, Direction::SendOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    (pair, audio)
}

#[test]
fn a_peer_that_comes_back_is_connected_again() {
    let (mut pair, audio) = publishing();
    pair.client_mute = true;
    for _ in 0..2_000 {
        pair.step();
    }
    assert_eq!(count(&pair, |event| matches!(event, Event::Disconnected)), 1);
    assert!(!pair.server.is_connected() && pair.server.is_alive());
    assert_eq!(count(&pair, |event| matches!(event, Event::Connected)), 1);
    pair.client_mute = false;
    // The client begins anew, as clients do.
    let mut api = pair.client.sdp_api();
    api.ice_restart(true);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.until("connected again", |pair| pair.server.is_connected());
    assert_eq!(count(&pair, |event| matches!(event, Event::Connected)), 2);
    pair.client_sends(audio, None, ClientCodec::Opus, 1, b"sound");
    pair.until("sound", |pair| pair.got.len() == 1);
}

#[test]
fn a_peer_may_move_to_another_address() {
    let (mut pair, audio) = publishing();
    pair.client_sends(audio, None, ClientCodec::Opus, 1, b"sound");
    pair.until("sound", |pair| pair.got.len() == 1);
    // A network address translator forgets, and gives another port: nothing but checks is taken from there.
    pair.client_at = "198.51.100.7:50000".parse().unwrap();
    pair.client_sends(audio, None, ClientCodec::Opus, 2, b"sound");
    pair.client_waits(Duration::from_millis(1));
    for data in pair.sent_by_client() {
        pair.carry_up(data);
    }
    assert_eq!(pair.got.len(), 1);
    assert!(pair.server.stats().datagrams_refused > 0);
    for seq in 3..1_000 {
        pair.client_sends(audio, None, ClientCodec::Opus, seq, b"sound");
        pair.step();
    }
    assert!(pair.got.len() > 100, "{}", pair.got.len());
    assert!(pair.server.is_connected());
    pair.server.send_data(Channel::Lossy, true, b"here").unwrap();
    pair.until("data at the new address", |pair| !pair.seen.data.is_empty());
}

#[test]
fn a_goodbye_of_the_peer_ends_it() {
    let (mut pair, _) = publishing();
    pair.client.close().unwrap();
    pair.poll_client();
    for data in pair.sent_by_client() {
        pair.carry_up(data);
    }
    assert!(!pair.server.is_alive());
    assert_eq!(count(&pair, |event| matches!(event, Event::Closed)), 1);
    assert!(pair.server.poll_event().is_none());
    assert!(pair.server.next_timeout() > pair.now + Duration::from_mins(1));
    assert!(!pair.server.channel_open(Channel::Reliable));
    assert_eq!(pair.server.send_data(Channel::Reliable, true, b"x"), Err(SendError::NotOpen));
}

#[test]
fn our_goodbye_reaches_the_peer() {
    let mut pair = Pair::new(PeerKind::Subscriber);
    let video = pair.server.add_track(MediaKind::Video, "s", "TR_1");
    pair.renegotiate();
    pair.connect();
    pair.server.close();
    assert!(!pair.server.is_alive());
    assert_eq!(pair.put(video, Codec::Vp8, 1, b"x", 0), Err(SendError::NotConnected));
    assert!(pair.server.poll_event().is_none_or(|event| !matches!(event, Event::Closed)));
    pair.sizes.clear();
    pair.poll_server();
    assert!(!pair.sizes.is_empty(), "something was said");
    assert_eq!(count(&pair, |event| matches!(event, Event::Closed)), 1);
    pair.server.close();
    pair.poll_server();
    assert_eq!(count(&pair, |event| matches!(event, Event::Closed)), 1);
    pair.until("the peer hears of it", |pair| pair.seen.closed);
}

#[test]
fn somebody_else_at_the_other_end_ends_it() {
    let mut pair = Pair::new(PeerKind::Subscriber);
    let offer = pair.server.create_offer(false).unwrap();
    pair.poll_server();
    let answer = pair.answer(&offer);
    let fingerprint = answer.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap();
    let (start, end) = fingerprint.split_at(fingerprint.len() - 2);
    let other = if end == "00" { "01" } else { "00" };
    let answer = answer.replace(fingerprint, &format!("{start}{other}"));
    pair.server.accept_answer(&answer).unwrap();
    pair.poll_server();
    for _ in 0..100 {
        pair.step();
    }
    assert!(!pair.server.is_alive());
    assert_eq!(count(&pair, |event| matches!(event, Event::Connected)), 0);
    assert_eq!(count(&pair, |event| matches!(event, Event::Closed)), 1);
}

#[test]
fn the_handshake_may_come_before_the_answer() {
    let mut pair = Pair::new(PeerKind::Subscriber);
    let video = pair.server.add_track(MediaKind::Video, "s", "TR_1");
    let offer = pair.server.create_offer(false).unwrap();
    pair.poll_server();
    let answer = pair.answer(&offer);
    for _ in 0..50 {
        pair.step();
    }
    assert!(!pair.server.is_connected());
    pair.server.accept_answer(&answer).unwrap();
    pair.poll_server();
    pair.connect();
    pair.send(video, Codec::Vp8, 1, b"\x10x");
    pair.until("media", |pair| pair.seen.rtp.len() == 1);
}

#[test]
fn a_section_may_begin_anew() {
    let config = TransportConfig { reuse_sections: true, ..Default::default() };
    let mut pair = Pair::with(PeerKind::Subscriber, &config);
    let video = pair.server.add_track(MediaKind::Video, "s", "TR_1");
    pair.renegotiate();
    pair.connect();
    for seq in [60_000, 70_000] {
        pair.send(video, Codec::Vp8, seq, b"\x10first");
    }
    let slot = pair.server.send_slot(video);
    pair.server.stop_track(video);
    pair.renegotiate();
    assert_eq!(pair.server.send_slot(video), None);
    assert_eq!(pair.server.wire_len(slot.unwrap(), 1), 0);
    pair.server.reset_sender(video);
    assert_eq!(pair.server.add_track(MediaKind::Video, "s", "TR_2"), video);
    pair.renegotiate();
    assert_eq!(pair.server.send_slot(video), slot);
    let error = SendError::FirstSeq { seq: 70_001 };
    assert_eq!(pair.put(video, Codec::Vp8, 70_001, b"\x10x", 0), Err(error));
    pair.send(video, Codec::Vp8, 5, b"\x10again");
    pair.until("both", |pair| pair.seen.rtp.len() == 3);
    let [first, .., last] = pair.seen.rtp.as_slice() else { panic!("three") };
    assert_ne!(first.header.ssrc, last.header.ssrc);
    assert_eq!(*last.seq_no, 5);
}

#[test]
fn without_a_certificate_it_makes_its_own() {
    let now = fermata_types::Now::read().instant;
    let config = TransportConfig::default();
    let offer = || {
        let mut transport = Transport::new(now, PeerKind::Subscriber, &config, common::seed());
        transport.create_offer(false).unwrap()
    };
    let fingerprint = |offer: &str| {
        let mut lines = offer.lines();
        lines.find(|line| line.starts_with("a=fingerprint:sha-256 ")).unwrap().to_owned()
    };
    let (one, two) = (offer(), offer());
    assert_ne!(fingerprint(&one), fingerprint(&two));
    assert_eq!(fingerprint(&one).len(), "a=fingerprint:sha-256 ".len() + 32 * 3 - 1);
    assert_eq!(Mid::from("x").as_str(), "x");
}

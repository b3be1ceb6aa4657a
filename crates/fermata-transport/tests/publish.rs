//! Media and data from a client that offers: what its offer says, what arrives, what goes back.

mod common;

use common::{Pair, add_channels, add_placeholder, section};
use fermata_transport::{AudioTuning, Channel, Codec, Event, MediaKind, PeerKind, Rid, SdpError};
use str0m::format::Codec as ClientCodec;
use str0m::media::{Direction, MediaKind as ClientKind, Simulcast, SimulcastLayer};

#[test]
fn an_offer_tells_its_tracks_and_media_arrives_by_codec() {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    let id = |text: &str| Some(text.to_owned());
    let audio =
        api.add_media(ClientKind::Audio, Direction::SendOnly, id("stream"), id("cid-a"), None);
    let video =
        api.add_media(ClientKind::Video, Direction::SendOnly, id("stream"), id("cid-v"), None);
    let free = add_placeholder(&mut api, ClientKind::Audio);
    let (offer, pending) = api.apply().unwrap();

    let text = offer.to_sdp_string();
    let line = text.lines().find(|line| line.starts_with("m=audio ")).unwrap();
    assert!(line.ends_with(" 63 111"), "the client prefers redundant audio: {line}");
    let offered = pair.server.accept_offer(&text).unwrap();
    let told: Vec<_> = offered
        .sections
        .iter()
        .map(|s| (s.kind, s.sends, s.placeholder, s.track_id.as_str()))
        .collect();
    assert_eq!(told[0], (MediaKind::Audio, true, false, "cid-a"));
    assert_eq!(told[1], (MediaKind::Video, true, false, "cid-v"));
    assert_eq!((told[2].1, told[2].2), (false, true));
    assert_eq!(offered.sections[0].codecs, [Codec::Red, Codec::Opus], "in its order");
    assert!(offered.sections[1].codecs.contains(&Codec::Vp8));

    // The Rust clients leave placeholders on a connection where nothing can be received.
    let answer = pair.server.answer(&[]).unwrap();
    let lines = section(&answer, &free);
    assert!(lines.contains(&"a=inactive"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("a=ssrc") || line.starts_with("a=msid")));
    assert!(section(&answer, &audio).iter().any(|line| line.contains("usedtx=1")));
    pair.take_answer(pending, &answer);
    pair.connect();

    pair.client_sends(audio, None, ClientCodec::Opus, 1, b"sound");
    pair.step();
    for seq in 65_534..65_538 {
        pair.client_sends(video, None, ClientCodec::Vp8, seq, b"\x10picture");
        pair.step();
    }
    pair.until("five packets", |pair| pair.rtp().len() == 5);
    let rtp = pair.rtp();
    assert_eq!((rtp[0].codec, rtp[0].payload.as_slice()), (Codec::Opus, &b"sound"[..]));
    assert_eq!(rtp[0].mid, offered.sections[0].mid);
    let seqs: Vec<u64> = rtp[1..].iter().map(|packet| packet.seq).collect();
    assert_eq!(seqs, [65_534, 65_535, 65_536, 65_537]);
    assert_eq!(rtp[1].codec, Codec::Vp8);

    pair.server.request_keyframe(offered.sections[1].mid, None);
    pair.poll_server();
    pair.until("a keyframe request", |pair| pair.seen.keyframe_requests == [(video, None)]);
    // Reports come every second or so and show with the packet after them.
    for seq in 65_538..65_738 {
        pair.client_sends(video, None, ClientCodec::Vp8, seq, b"\x10picture");
        pair.step();
    }
    let report = pair.server.sender_report(offered.sections[1].mid, None).expect("a sender report");
    assert!(report.rtp_time >= 65_534 * 960, "{report:?}");
    assert_eq!(pair.server.sender_report(offered.sections[2].mid, None), None);
    let stats = pair.server.stats();
    assert_eq!(stats.packets_received, 205);
    assert!(stats.bytes_received > stats.payload_bytes_received);
    assert_eq!(stats.packets_unknown, 0);
}

#[test]
fn three_layers_are_told_apart_and_asked_for_one_by_one() {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    let rids = ["q", "h", "f"];
    let simulcast =
        Simulcast { send: rids.iter().map(|rid| SimulcastLayer::new(rid)).collect(), recv: vec![] };
    let video = api.add_media(ClientKind::Video, Direction::SendOnly, None, None, Some(simulcast));
    let (offer, pending) = api.apply().unwrap();
    let offered = pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    assert_eq!(offered.sections[0].rids, rids.map(Rid::from));
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();

    for seq in 1..=10 {
        for rid in rids {
            let payload = format!("\x10{rid}");
            pair.client_sends(video, Some(rid.into()), ClientCodec::Vp8, seq, payload.as_bytes());
        }
        pair.step();
    }
    pair.until("30 packets", |pair| pair.rtp().len() == 30);
    for packet in pair.rtp() {
        let rid = packet.rid.expect("a layer").to_string();
        assert_eq!(&packet.payload[1..], rid.as_bytes());
    }
    pair.server.request_keyframe(offered.sections[0].mid, Some(Rid::from("h")));
    pair.poll_server();
    pair.until("a request for h", |pair| {
        pair.seen.keyframe_requests == [(video, Some("h".into()))]
    });
}

#[test]
fn redundant_audio_passes_as_it_is() {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    let audio = api.add_media(ClientKind::Audio, Direction::SendOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    let params = *pair.client.codec_config().params().iter().find(|p| p.red().is_some()).unwrap();
    let now = pair.now;
    let write = str0m::rtp::RtpWrite::new(params.red().unwrap(), 7.into(), 960, now, *b"\x6fred");
    pair.client.direct_api().stream_tx_by_mid(audio, None).unwrap().write_rtp(write);
    pair.poll_client();
    pair.until("it arrives", |pair| !pair.rtp().is_empty());
    let rtp = pair.rtp();
    assert_eq!((rtp[0].codec, rtp[0].payload.as_slice()), (Codec::Red, &b"\x6fred"[..]));
}

#[test]
fn opus_is_tuned_on_request() {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    let audio = api.add_media(ClientKind::Audio, Direction::SendOnly, None, None, None);
    let (offer, _pending) = api.apply().unwrap();
    let offered = pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    pair.server.tune_audio(offered.sections[0].mid, AudioTuning { dtx: false, stereo: true });
    let answer = pair.server.answer(&[]).unwrap();
    let lines = section(&answer, &audio);
    let fmtp = lines.iter().find(|line| line.starts_with("a=fmtp:111")).unwrap();
    assert!(fmtp.contains("stereo=1") && fmtp.contains("maxaveragebitrate=510000"), "{fmtp}");
    assert!(!fmtp.contains("usedtx"), "{fmtp}");
}

#[test]
fn data_goes_both_ways_and_unknown_channels_are_closed() {
    let mut pair = Pair::new(PeerKind::Single);
    let mut api = pair.client.sdp_api();
    let ids = add_channels(&mut api);
    let odd = api.add_channel("odd".to_owned());
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    pair.until("channels", |pair| Channel::ALL.iter().all(|c| pair.server.channel_open(*c)));
    pair.until("client's channels", |pair| pair.seen.channels.len() >= 3);
    for (id, text) in ids.iter().zip(["one", "two", "three"]) {
        assert!(pair.client.channel(*id).unwrap().write(true, text.as_bytes()).unwrap());
        pair.poll_client();
    }
    pair.until("three messages", |pair| pair.data().len() == 3);
    let expected = [
        (Channel::Reliable, true, &b"one"[..]),
        (Channel::Lossy, true, b"two"),
        (Channel::DataTrack, true, b"three"),
    ];
    let mut got = pair.data();
    got.sort();
    assert_eq!(got, expected);
    pair.server.send_data(Channel::Lossy, false, b"back").unwrap();
    pair.poll_server();
    pair.until("an answer", |pair| pair.seen.data == [(ids[1], false, b"back".to_vec())]);

    // A large one, in pieces on the wire.
    let large = vec![7; 200_000];
    pair.server.send_data(Channel::Reliable, true, &large).unwrap();
    pair.poll_server();
    pair.until("the large one", |pair| pair.seen.data.iter().any(|(_, _, d)| *d == large));
    if let Some(mut channel) = pair.client.channel(odd) {
        let _ = channel.write(true, b"nobody");
    }
    pair.poll_client();
    for _ in 0..20 {
        pair.step();
    }
    assert_eq!(pair.data().len(), 3, "nothing from a channel that is none of ours");
}

#[test]
fn a_client_restarts_ice_with_a_new_offer() {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    let audio = api.add_media(ClientKind::Audio, Direction::SendOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    let before = pair.server.local_ufrag();
    let mut api = pair.client.sdp_api();
    api.ice_restart(true);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    assert_ne!(pair.server.local_ufrag(), before);
    assert!(answer.contains(&pair.server.local_ufrag()));
    pair.take_answer(pending, &answer);
    for _ in 0..100 {
        pair.step();
    }
    pair.client_sends(audio, None, ClientCodec::Opus, 9, b"after");
    pair.until("media after the restart", |pair| !pair.rtp().is_empty());
}

#[test]
fn roles_are_kept_apart() {
    let mut pair = Pair::new(PeerKind::Publisher);
    assert_eq!(pair.server.create_offer(true), None);
    assert_eq!(pair.server.accept_answer("v=0"), Err(SdpError::WrongRole));
    assert_eq!(pair.server.answer(&[]), Err(SdpError::NothingOutstanding));
    let mut subscriber = Pair::new(PeerKind::Subscriber);
    assert_eq!(subscriber.server.accept_offer("v=0"), Err(SdpError::WrongRole));
}

#[test]
fn an_end_is_told_once() {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    pair.server.close();
    pair.poll_server();
    for _ in 0..50 {
        pair.step();
    }
    assert!(!pair.server.is_alive() && !pair.server.is_connected());
    let ends = pair.events.iter().filter(|event| matches!(event, Event::Closed)).count();
    assert_eq!(ends, 1);
    assert_eq!(pair.server.accept_offer("v=0"), Err(SdpError::Closed));
}

#[test]
fn silence_is_told_and_so_is_the_return() {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    pair.client_mute = true;
    let lost = |pair: &Pair| pair.events.iter().any(|event| matches!(event, Event::Disconnected));
    for _ in 0..6 {
        if lost(&pair) {
            break;
        }
        for _ in 0..1_000 {
            pair.step();
        }
    }
    assert!(lost(&pair), "a silent peer is noticed within a minute");
    assert!(!pair.server.is_connected());
}

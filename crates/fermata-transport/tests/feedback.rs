//! What the two ends tell each other of lost, late and arrived packets, over a network that loses and mixes them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Dice, Pair, Weather, add_channels, client_config};
use fermata_transport::{
    Codec, Event, MediaKind, Mid, PeerKind, Rid, SendError, TransportConfig, TransportError,
};
use str0m::bwe::Bitrate;
use str0m::format::Codec as ClientCodec;
use str0m::media::{Direction, MediaKind as ClientKind, Simulcast, SimulcastLayer};

/// A subscriber connection with one video track.
fn watching() -> (Pair, Mid) {
    let mut pair = Pair::new(PeerKind::Subscriber);
    let video = pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_v");
    pair.renegotiate();
    pair.connect();
    (pair, video)
}

/// A publisher connection with one video track.
fn publishing() -> (Pair, str0m::media::Mid, Mid) {
    publishing_by(client_config())
}

fn publishing_by(client: str0m::RtcConfig) -> (Pair, str0m::media::Mid, Mid) {
    let mut pair = Pair::with_client(PeerKind::Publisher, &TransportConfig::default(), client);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    let video = api.add_media(ClientKind::Video, Direction::SendOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    let offered = pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    (pair, video, offered.sections[0].mid)
}

#[test]
fn what_the_peer_misses_is_told_and_sent_again_on_its_own_stream() {
    let (mut pair, video) = watching();
    for seq in 1..=60_u64 {
        pair.put(video, Codec::Vp8, seq, b"\x10frame", 0).unwrap();
        if (20..25).contains(&seq) {
            pair.poll_server_losing();
        } else {
            pair.poll_server();
        }
        pair.step();
    }
    pair.until("all 60", |pair| pair.seen.rtp.len() == 60);
    let mut told: Vec<u64> = pair
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Nack { mid, lost } if *mid == video => Some(lost.iter()),
            _ => None,
        })
        .flatten()
        .collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, [20, 21, 22, 23, 24]);
    let stats = pair.server.stats();
    assert_eq!((stats.packets_sent, stats.packets_sent_again), (60, 5));
    assert!(stats.nacks_received >= 1);
    pair.until("a report", |pair| pair.server.sent_stats(video).is_some());
    assert!(pair.server.sent_stats(video).unwrap().nacks >= 1);
}

#[test]
fn a_client_that_sends_nothing_learns_its_round_trip() {
    let every = std::time::Duration::from_secs(1);
    let client = client_config().set_stats_interval(Some(every));
    let config = TransportConfig::default();
    let mut pair = Pair::with_client(PeerKind::Subscriber, &config, client);
    let video = pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_v");
    pair.renegotiate();
    pair.connect();
    for seq in 1..=500_u64 {
        pair.send(video, Codec::Vp8, seq, b"\x10frame");
    }
    let told = &pair.seen.round_trips;
    assert!(!told.is_empty(), "no round trip was told");
    // The network takes no time, the two ends look at their clocks every 10 ms.
    assert!(told.iter().all(|rtt| *rtt <= 2 * common::STEP), "{told:?}");
}

#[test]
fn nothing_is_encrypted_twice_under_one_number() {
    let (mut pair, video) = watching();
    assert_eq!(pair.server.send_slot(Mid::from("none")), None);
    for seq in [10, 12, 11, 2_000] {
        assert_eq!(pair.put(video, Codec::Vp8, seq, b"\x10x", 0), Ok(()), "{seq}");
    }
    for seq in [10, 11, 2_000, 13, 976] {
        let error = SendError::Reused { seq };
        assert_eq!(pair.put(video, Codec::Vp8, seq, b"\x10y", 0), Err(error), "{seq}");
    }
    assert_eq!(pair.put(video, Codec::Vp8, 977, b"\x10y", 0), Ok(()));
    // What was never sent is not sent again, and neither is audio.
    let slot = pair.server.send_slot(video).unwrap();
    let packet = common::packet(pair.now, Codec::Vp8, 978, 0, b"\x10y");
    let again = pair.server.send_rtx(pair.now, slot, &packet, &mut pair.egress);
    assert_eq!(again, Err(SendError::NotAgain));
}

#[test]
fn arrivals_are_told_both_ways() {
    let (mut pair, video) = watching();
    for seq in 1..=200_u64 {
        pair.put(video, Codec::Vp8, seq, b"\x10frame", 0).unwrap();
        if seq == 150 {
            pair.poll_server_losing();
        } else {
            pair.poll_server();
        }
        pair.step();
        if seq == 100 {
            assert_eq!(pair.server.stats().loss_feedback, Some(0.0));
        }
    }
    assert!(pair.server.stats().rtt.is_some());

    // The client's own estimate lives on our feedback.
    let client = client_config().enable_bwe(Some(Bitrate::kbps(300)));
    let (mut pair, video, _) = publishing_by(client);
    pair.client.bwe().set_bitrate(Bitrate::kbps(300), Bitrate::kbps(5_000));
    for seq in 1..=300 {
        pair.client_sends(video, None, ClientCodec::Vp8, seq, &[0x10; 1_000]);
        pair.step();
    }
    assert!(pair.seen.estimates > 0, "no estimate without feedback");
}

#[test]
fn the_peer_is_asked_for_what_we_miss() {
    let (mut pair, video, mid) = publishing();
    pair.weather = Weather { lost: 100, doubled: 50, late: 50 };
    for seq in 1..=500_u64 {
        let payload = [0x10, seq.to_le_bytes()[0], seq.to_le_bytes()[1]];
        pair.client_sends(video, None, ClientCodec::Vp8, seq, &payload);
        pair.step();
    }
    pair.weather = Weather::default();
    // The end can only be missed if something comes behind it.
    for seq in 501..=520_u64 {
        pair.client_sends(video, None, ClientCodec::Vp8, seq, &[0x10, 0, 0]);
        pair.step();
    }
    pair.until("all 520", |pair| pair.got.len() >= 520);
    let mut seen = BTreeMap::new();
    for packet in pair.rtp() {
        assert_eq!(packet.mid, mid);
        let before = seen.insert(packet.seq, packet.payload.clone());
        assert_eq!(before, None, "{} twice", packet.seq);
    }
    let first = *seen.keys().next().unwrap();
    for (seq, payload) in seen {
        let number = seq - first + 1;
        if number <= 500 {
            assert_eq!(payload[1..], number.to_le_bytes()[..2], "{number}");
        }
    }
    let stats = pair.server.received_stats(mid, None).unwrap();
    assert!(stats.nacks > 10, "{stats:?}");
    assert!(pair.server.stats().loss_received.is_some());
    assert!(pair.server.stats().packets_refused > 0, "doubled ones are refused");
}

#[test]
fn a_bad_network_takes_nothing_but_time() {
    for seed in 1..=4 {
        let (mut pair, video) = watching();
        pair.dice = Dice(seed);
        pair.weather = Weather { lost: 50 * seed, doubled: 20, late: 100 };
        let mut dice = Dice(seed);
        for seq in 65_000..66_000_u64 {
            let payload = vec![0x10; 20 + usize::try_from(dice.below(1_100)).unwrap()];
            // The first of a section is below the first rollover of its numbers.
            pair.put(video, Codec::Vp8, seq, &payload, 0).unwrap();
            pair.poll_server();
            pair.step();
        }
        pair.weather = Weather::default();
        for seq in 66_000..66_020 {
            pair.send(video, Codec::Vp8, seq, b"\x10end");
        }
        for _ in 0..200 {
            pair.step();
        }
        let mut seen: Vec<u64> = pair.seen.rtp.iter().map(|packet| *packet.seq_no).collect();
        seen.sort_unstable();
        seen.dedup();
        // The client begins with the first that came.
        let missing = 66_020 - seen[0] - seen.len() as u64;
        assert!(missing <= 2, "{missing} missing, seed {seed}");
        assert!(seen[0] < 65_010, "seed {seed}");
        let stats = pair.server.stats();
        assert!(stats.packets_sent_again > 0 && stats.rtt.is_some(), "{stats:?}");
    }
}

#[test]
fn packets_can_be_made_equally_long() {
    let (mut pair, video) = watching();
    let slot = pair.server.send_slot(video).unwrap();
    pair.sizes.clear();
    let longest = pair.server.wire_len(slot, 1_000);
    for (seq, len) in [(1, 1_000), (2, 999), (3, 800), (4, 745), (5, 700)] {
        pair.put(video, Codec::Vp8, seq, &vec![0x10; len], longest).unwrap();
    }
    pair.poll_server();
    let sizes = std::mem::take(&mut pair.sizes);
    // 255 bytes of padding are the most; else there are none.
    let shorter = pair.server.wire_len(slot, 700);
    assert_eq!(sizes, [longest, longest, longest, longest, shorter]);
    pair.until("all", |pair| pair.seen.rtp.len() == 5);
    let lens: Vec<usize> = pair.seen.rtp.iter().map(|packet| packet.payload.len()).collect();
    assert_eq!(lens, [1_000, 999, 800, 745, 700]);
}

#[test]
fn sections_are_named_until_the_peer_reports() {
    let (mut pair, video) = watching();
    let slot = pair.server.send_slot(video).unwrap();
    let named = pair.server.wire_len(slot, 100);
    for seq in 1..=300 {
        pair.put(video, Codec::Vp8, seq, &[0x10; 100], 0).unwrap();
        pair.poll_server();
        pair.step();
    }
    let later = pair.server.wire_len(slot, 100);
    assert!(later < named, "{later} < {named}");
    pair.sizes.clear();
    pair.put(video, Codec::Vp8, 301, &[0x10; 100], 0).unwrap();
    pair.poll_server();
    assert!(pair.sizes.contains(&later));
    let names: Vec<bool> =
        pair.seen.rtp.iter().map(|packet| packet.header.ext_vals.mid.is_some()).collect();
    assert!(names[0] && !names[299]);
}

#[test]
fn levels_of_sound_go_both_ways() {
    let mut pair = Pair::new(PeerKind::Subscriber);
    let audio = pair.server.add_track(MediaKind::Audio, "PA_1|camera", "TR_a");
    pair.renegotiate();
    pair.connect();
    let slot = pair.server.send_slot(audio).unwrap();
    let now = pair.now;
    let packet = fermata_transport::RtpOut {
        audio_level_db: Some(-42),
        voice_activity: Some(true),
        ..common::packet(now, Codec::Opus, 1, 960, b"sound")
    };
    let len = pair.server.wire_len(slot, 5);
    pair.sizes.clear();
    pair.server.send_rtp(now, slot, &packet, 0, &mut pair.egress).unwrap();
    let again = pair.server.send_rtx(now, slot, &packet, &mut pair.egress);
    assert_eq!(again, Err(SendError::NotAgain));
    pair.poll_server();
    assert!(pair.sizes.contains(&len));
    pair.until("sound", |pair| pair.seen.rtp.len() == 1);
    let values = &pair.seen.rtp[0].header.ext_vals;
    assert_eq!((values.audio_level, values.voice_activity), (Some(-42), Some(true)));

    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    let audio = api.add_media(ClientKind::Audio, Direction::SendOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    let params = *pair
        .client
        .codec_config()
        .params()
        .iter()
        .find(|p| p.spec().codec == ClientCodec::Opus)
        .unwrap();
    let values = str0m::rtp::ExtensionValues {
        audio_level: Some(-17),
        voice_activity: Some(false),
        ..Default::default()
    };
    let write = str0m::rtp::RtpWrite::new(params.pt(), 1.into(), 960, pair.now, *b"sound");
    let mut api = pair.client.direct_api();
    api.stream_tx_by_mid(audio, None).unwrap().write_rtp(write.ext_vals(values));
    pair.poll_client();
    pair.until("sound", |pair| pair.got.len() == 1);
    let got = &pair.got[0];
    assert_eq!((got.audio_level_db, got.voice_activity), (Some(-17), Some(false)));
}

#[test]
fn layers_of_a_bad_network_keep_their_numbers() {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    let rids = ["q", "h", "f"];
    let simulcast =
        Simulcast { send: rids.iter().map(|rid| SimulcastLayer::new(rid)).collect(), recv: vec![] };
    let video = api.add_media(ClientKind::Video, Direction::SendOnly, None, None, Some(simulcast));
    let (offer, pending) = api.apply().unwrap();
    let offered = pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    pair.connect();
    pair.weather = Weather { lost: 80, doubled: 0, late: 30 };
    for seq in 65_400..65_800_u64 {
        for rid in rids {
            let payload = format!("\x10{rid}{seq}");
            pair.client_sends(video, Some(rid.into()), ClientCodec::Vp8, seq, payload.as_bytes());
        }
        pair.step();
    }
    pair.weather = Weather::default();
    for seq in 65_800..65_820_u64 {
        for rid in rids {
            let payload = format!("\x10{rid}{seq}");
            pair.client_sends(video, Some(rid.into()), ClientCodec::Vp8, seq, payload.as_bytes());
        }
        pair.step();
    }
    for _ in 0..50 {
        pair.step();
    }
    let mid = offered.sections[0].mid;
    for rid in rids {
        let rid = Rid::from(rid);
        let mut seen = BTreeSet::new();
        for packet in pair.rtp().iter().filter(|packet| packet.rid == Some(rid)) {
            let expected = format!("\x10{rid}{}", packet.seq);
            assert_eq!(packet.payload, expected.as_bytes());
            assert!(seen.insert(packet.seq), "twice");
        }
        let first = *seen.first().unwrap();
        assert!(first < 65_410, "{first}");
        assert_eq!(seen.len() as u64, 65_820 - first, "{rid}");
        assert!(pair.server.received_stats(mid, Some(rid)).unwrap().nacks > 0);
    }
}

#[test]
fn strangers_are_not_heard() {
    let (mut pair, video, _) = publishing();
    pair.client_sends(video, None, ClientCodec::Vp8, 1, b"\x10x");
    pair.step();
    let stranger = "203.0.113.9:1".parse().unwrap();
    let (now, to) = (pair.now, pair.server_at);
    let before = pair.server.stats();
    for first in [22_u8, 23, 128, 150] {
        let mut data = vec![first; 100];
        let taken = pair.server.handle_datagram(now, stranger, to, &mut data, &mut pair.egress);
        assert!(matches!(taken, Err(TransportError::UnknownAddress)), "{first}: {taken:?}");
    }
    // A check without our password.
    let mut other = Pair::new(PeerKind::Subscriber);
    other.renegotiate();
    let mut check = other.first_from_client();
    let taken = pair.server.handle_datagram(now, stranger, to, &mut check, &mut pair.egress);
    assert!(matches!(taken, Err(TransportError::Check { .. })), "{taken:?}");
    // The answer to that is not longer than the question.
    assert!(pair.egress.bytes_len() <= check.len());
    pair.egress.clear();
    let after = pair.server.stats();
    assert_eq!(after.datagrams_refused - before.datagrams_refused, 5);
    assert_eq!(after.bytes_received, before.bytes_received);
    // Forged media from the right address is counted and changes nothing.
    pair.carry_up(vec![128; 100]);
    assert!(pair.server.stats().packets_unknown + pair.server.stats().packets_refused > 0);
    pair.client_sends(video, None, ClientCodec::Vp8, 2, b"\x10x");
    pair.until("media goes on", |pair| pair.got.len() == 2);
}

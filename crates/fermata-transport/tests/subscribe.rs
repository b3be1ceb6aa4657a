//! Media and data to a client that answers: offers one at a time, tracks that come, go and come again.

mod common;

use common::{Pair, section};
use fermata_transport::{
    AudioTuning, Channel, Codec, Event, MediaKind, Mid, PeerKind, SdpError, SendError,
    TransportConfig,
};
use str0m::media::KeyframeRequestKind;

/// A subscriber connection with its channels negotiated and connected.
fn connected() -> Pair {
    let mut pair = Pair::new(PeerKind::Subscriber);
    pair.renegotiate();
    pair.connect();
    pair
}

fn msid_lines(offer: &str) -> Vec<&str> {
    offer.lines().filter(|line| line.starts_with("a=msid:")).collect()
}

#[test]
fn the_first_offer_opens_the_channels_and_data_goes_down() {
    let mut pair = Pair::new(PeerKind::Subscriber);
    assert!(pair.server.needs_offer());
    let video = pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_1");
    let offer = pair.renegotiate();
    assert!(!pair.server.needs_offer());
    let first = offer.lines().find(|line| line.starts_with("m=")).unwrap();
    assert!(first.starts_with("m=application"), "{first}");
    assert_eq!(msid_lines(&offer), ["a=msid:PA_1|camera TR_1"]);
    for needed in ["a=ice-lite", "a=setup:actpass", "a=max-message-size:262144", "192.0.2.1 7882"] {
        assert!(offer.contains(needed), "{needed}");
    }
    assert_eq!(pair.put(video, Codec::Vp8, 1, b"x", 0), Err(SendError::NotConnected));
    pair.connect();
    pair.until("channels", |pair| {
        pair.seen.channels.len() == 3 && Channel::ALL.iter().all(|c| pair.server.channel_open(*c))
    });
    for (channel, text) in Channel::ALL.into_iter().zip(["one", "two", "three"]) {
        pair.server.send_data(channel, true, text.as_bytes()).unwrap();
        pair.poll_server();
    }
    pair.until("three messages", |pair| pair.seen.data.len() == 3);
    for (id, label) in pair.seen.channels.clone() {
        let expected = match label.as_str() {
            "_reliable" => "one",
            "_lossy" => "two",
            "_data_track" => "three",
            other => panic!("{other}"),
        };
        assert!(pair.seen.data.contains(&(id, true, expected.into())), "{label}");
    }
}

#[test]
fn media_goes_down_and_keyframe_requests_come_up() {
    let mut pair = connected();
    let audio = pair.server.add_track(MediaKind::Audio, "PA_1|camera", "TR_a");
    let video = pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_v");
    assert!(!pair.server.sends(video, Codec::Vp8), "not before the answer");
    pair.renegotiate();
    for (mid, codec, can) in [
        (audio, Codec::Opus, true),
        (audio, Codec::Red, true),
        (audio, Codec::Vp8, false),
        (video, Codec::Vp8, true),
        (video, Codec::H264, true),
        (video, Codec::Opus, false),
        (Mid::from("none"), Codec::Opus, false),
    ] {
        assert_eq!(pair.server.sends(mid, codec), can, "{mid} {codec:?}");
    }
    for (codec, seq, len, error) in [
        (Codec::Vp8, 65_536, 1, SendError::FirstSeq { seq: 65_536 }),
        (Codec::Opus, 1, 1, SendError::CodecNotNegotiated),
        (Codec::Vp8, 1, 1_501, SendError::TooLong { len: 1_501 }),
    ] {
        assert_eq!(pair.put(video, codec, seq, &vec![0; len], 0), Err(error));
    }
    pair.send(audio, Codec::Opus, 100, b"sound");
    pair.send(audio, Codec::Red, 101, b"\x6fsound");
    for seq in 65_530..65_545 {
        pair.send(video, Codec::Vp8, seq, &[0x10; 1_500]);
    }
    pair.until("17 packets", |pair| pair.seen.rtp.len() == 17);
    let last = pair.seen.rtp.last().unwrap();
    assert_eq!((*last.seq_no, last.payload.len()), (65_544, 1_500));
    let ssrc = last.header.ssrc;
    let mut api = pair.client.direct_api();
    api.stream_rx(&ssrc).unwrap().request_keyframe(KeyframeRequestKind::Pli);
    pair.poll_client();
    pair.until("a keyframe request", |pair| {
        pair.events.iter().any(|e| matches!(e, Event::KeyframeRequested { mid } if *mid == video))
    });
    for seq in 65_545..66_400 {
        pair.send(video, Codec::Vp8, seq, &[0x10; 100]);
    }
    let stats = pair.server.stats();
    assert_eq!(stats.packets_sent, 872);
    assert_eq!(stats.keyframe_requests_received, 1);
    assert!(stats.loss_sent.is_some_and(|loss| loss < 0.01), "{stats:?}");
    assert!(stats.rtt.is_some(), "{stats:?}");
}

#[test]
fn a_lost_packet_is_sent_again() {
    let mut pair = connected();
    let video = pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_v");
    pair.renegotiate();
    for seq in 1..=40_u64 {
        pair.put(video, Codec::Vp8, seq, b"\x10frame", 0).unwrap();
        if seq == 20 {
            pair.poll_server_losing();
        } else {
            pair.poll_server();
        }
        pair.step();
    }
    pair.until("all 40", |pair| pair.seen.rtp.len() == 40);
    assert!(pair.seen.rtp.iter().any(|packet| *packet.seq_no == 20));
}

#[test]
fn one_offer_at_a_time_and_wrong_answers_are_errors() {
    let mut pair = connected();
    let video = pair.server.add_track(MediaKind::Video, "s", "TR_1");
    let offer = pair.server.create_offer(false).unwrap();
    pair.poll_server();
    assert!(pair.server.has_pending_offer());
    let later = pair.server.add_track(MediaKind::Video, "s", "TR_2");
    assert_eq!(pair.server.create_offer(false), None);
    assert_eq!(pair.server.create_offer(true), None);
    let answer = pair.answer(&offer);
    // Junk leaves the offer outstanding.
    assert!(matches!(pair.server.accept_answer("junk"), Err(SdpError::Malformed { .. })));
    assert!(pair.server.has_pending_offer());
    pair.server.accept_answer(&answer).unwrap();
    pair.poll_server();
    assert_eq!(pair.server.accept_answer(&answer), Err(SdpError::NothingOutstanding));
    assert!(pair.server.sends(video, Codec::Vp8) && !pair.server.sends(later, Codec::Vp8));
    pair.renegotiate();
    assert!(pair.server.sends(later, Codec::Vp8));
    assert_eq!(pair.server.create_offer(false), None, "nothing staged");
}

#[test]
fn a_refused_answer_leaves_its_tracks_to_the_next_offer() {
    let mut pair = connected();
    let first = pair.server.add_track(MediaKind::Audio, "s", "TR_1");
    let second = pair.server.add_track(MediaKind::Video, "s", "TR_2");
    let offer = pair.server.create_offer(false).unwrap();
    pair.poll_server();
    // An answer with the sections of another negotiation.
    let only_data: String = {
        let mut other = Pair::new(PeerKind::Subscriber);
        let offer = other.server.create_offer(false).unwrap();
        other.answer(&offer)
    };
    assert!(matches!(pair.server.accept_answer(&only_data), Err(SdpError::Refused { .. })));
    assert!(!pair.server.has_pending_offer() && pair.server.needs_offer());
    drop(offer);
    let offer = pair.server.create_offer(false).unwrap();
    pair.poll_server();
    assert_eq!(msid_lines(&offer), ["a=msid:s TR_1", "a=msid:s TR_2"]);
    let answer = pair.answer(&offer);
    pair.server.accept_answer(&answer).unwrap();
    assert!(pair.server.sends(first, Codec::Opus) && pair.server.sends(second, Codec::Vp8));
}

#[test]
fn a_stopped_section_is_left_alone_by_default() {
    let mut pair = connected();
    let first = pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_1");
    pair.renegotiate();
    pair.server.stop_track(first);
    pair.renegotiate();
    let second = pair.server.add_track(MediaKind::Video, "PA_2|camera", "TR_2");
    assert_ne!(second, first);
    let offer = pair.renegotiate();
    assert_eq!(msid_lines(&offer), ["a=msid:PA_2|camera TR_2"]);
    assert_eq!(offer.matches("m=video").count(), 2);
}

#[test]
fn sections_run_out_and_are_then_reused() {
    let max = fermata_transport::limits::SDP_SECTIONS_MAX;
    let mut pair = connected();
    let tracks: Vec<Mid> = (0..max - 1)
        .map(|n| pair.server.add_track(MediaKind::Audio, "s", &format!("TR_{n}")))
        .collect();
    let beyond = pair.server.add_track(MediaKind::Audio, "s", "TR_beyond");
    let offer = pair.renegotiate();
    assert_eq!(offer.matches("m=").count(), max);
    assert!(!offer.contains("TR_beyond") && !pair.server.sends(beyond, Codec::Opus));
    pair.server.stop_track(tracks[7]);
    pair.renegotiate();
    let again = pair.server.add_track(MediaKind::Audio, "PA_9|camera", "TR_again");
    assert_eq!(again, tracks[7]);
    assert!(msid_lines(&pair.renegotiate()).contains(&"a=msid:PA_9|TR_again TR_again"));
    assert!(pair.server.sends(again, Codec::Opus));
}

#[test]
fn a_stopped_section_carries_the_next_track_of_its_kind_if_asked() {
    let config = TransportConfig { reuse_sections: true, ..Default::default() };
    let mut pair = Pair::with(PeerKind::Subscriber, &config);
    pair.renegotiate();
    pair.connect();
    let first = pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_1");
    let offer = pair.renegotiate();
    let sections = offer.matches("m=").count();
    for seq in 1..=5 {
        pair.send(first, Codec::Vp8, seq, b"\x10first");
    }
    pair.server.stop_track(first);
    let offer = pair.renegotiate();
    assert!(msid_lines(&offer).is_empty(), "{offer}");
    assert!(!pair.server.sends(first, Codec::Vp8));
    let audio = pair.server.add_track(MediaKind::Audio, "PA_2|camera", "TR_2");
    let second = pair.server.add_track(MediaKind::Video, "PA_2|camera", "TR_3");
    assert_eq!(second, first, "same section, same name");
    assert_ne!(audio, first);
    let offer = pair.renegotiate();
    assert_eq!(offer.matches("m=").count(), sections + 1, "only audio is new");
    assert_eq!(msid_lines(&offer), ["a=msid:PA_2|TR_3 TR_3", "a=msid:PA_2|camera TR_2"]);
    assert!(!offer.contains("msid:PA_1"));
    for seq in 6..=10 {
        pair.send(second, Codec::Vp8, seq, b"\x10second");
    }
    pair.until("ten packets", |pair| pair.seen.rtp.len() == 10);
}

#[test]
fn a_track_stopped_before_it_is_offered_never_shows() {
    let mut pair = connected();
    let track = pair.server.add_track(MediaKind::Video, "s", "TR_1");
    pair.server.stop_track(track);
    assert_eq!(pair.server.create_offer(false), None);
    // Stopped while its offer is outstanding: the next one ends it.
    let track = pair.server.add_track(MediaKind::Video, "s", "TR_2");
    let offer = pair.server.create_offer(false).unwrap();
    pair.poll_server();
    pair.server.stop_track(track);
    pair.server.stop_track(track);
    let answer = pair.answer(&offer);
    pair.server.accept_answer(&answer).unwrap();
    pair.poll_server();
    let offer = pair.renegotiate();
    assert!(msid_lines(&offer).is_empty() && offer.contains("a=inactive"));
    pair.server.stop_track(track);
    assert_eq!(pair.server.create_offer(false), None);
}

#[test]
fn a_section_that_the_client_switches_off_is_not_used_again() {
    let mut pair = connected();
    let track = pair.server.add_track(MediaKind::Video, "s", "TR_1");
    let offer = pair.server.create_offer(false).unwrap();
    pair.poll_server();
    // As a client without any codec of ours would answer: port 0, out of the bundle.
    let answer = pair.answer(&offer);
    let wire = answer.rsplit("a=mid:").next().unwrap().lines().next().unwrap().to_owned();
    let answer =
        answer.replace("m=video 9 ", "m=video 0 ").replace(&format!(" {wire}\r\n"), "\r\n");
    assert!(section(&answer, &wire)[0].starts_with("video 0"));
    pair.server.accept_answer(&answer).unwrap();
    pair.poll_server();
    assert!(!pair.server.sends(track, Codec::Vp8));
    pair.server.stop_track(track);
    let _ = pair.server.create_offer(false);
    assert_ne!(pair.server.add_track(MediaKind::Video, "s", "TR_2"), track);
}

#[test]
fn we_restart_ice_on_request() {
    let mut pair = connected();
    let video = pair.server.add_track(MediaKind::Video, "s", "TR_1");
    pair.renegotiate();
    let before = pair.server.local_ufrag();
    let offer = pair.server.create_offer(true).unwrap();
    pair.poll_server();
    assert!(!offer.contains(&format!("a=ice-ufrag:{before}\r\n")));
    let answer = pair.answer(&offer);
    pair.server.accept_answer(&answer).unwrap();
    pair.poll_server();
    assert!(offer.contains(&pair.server.local_ufrag()));
    for _ in 0..100 {
        pair.step();
    }
    pair.send(video, Codec::Vp8, 1, b"\x10after");
    pair.until("media after the restart", |pair| !pair.seen.rtp.is_empty());
}

#[test]
fn stereo_is_said_in_the_offer() {
    let mut pair = connected();
    let track = pair.server.add_track(MediaKind::Audio, "s", "TR_1");
    pair.server.tune_audio(track, AudioTuning { dtx: true, stereo: true });
    let mono = pair.server.add_track(MediaKind::Audio, "s", "TR_2");
    let offer = pair.renegotiate();
    assert_eq!(offer.matches("sprop-stereo=1").count(), 1);
    assert_ne!(track, mono);
}

#[test]
fn a_stun_request_names_its_connection() {
    let mut pair = Pair::new(PeerKind::Subscriber);
    pair.renegotiate();
    let request = pair.first_from_client();
    let ufrag = fermata_transport::stun_username_ufrag(&request);
    assert_eq!(ufrag, Some(pair.server.local_ufrag().as_str()));
    let other = Pair::new(PeerKind::Subscriber);
    assert_ne!(ufrag, Some(other.server.local_ufrag().as_str()));
}

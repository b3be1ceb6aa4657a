//! One connection for both ways, where the client always offers and keeps places for tracks.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{Pair, add_channels, add_placeholder, section};
use fermata_transport::{Assignment, Codec, MediaKind, Mid, PeerKind, SdpError};
use str0m::format::Codec as ClientCodec;
use str0m::media::{Direction, MediaKind as ClientKind};

/// A client with a microphone and places for one audio and two video tracks, connected.
struct Ends {
    pair: Pair,
    microphone: str0m::media::Mid,
    places: [str0m::media::Mid; 3],
}

fn assign(place: str0m::media::Mid, track_id: &str) -> Assignment<'_> {
    Assignment { mid: Mid::from(&*place), stream_id: "PA_1|camera", track_id }
}

fn ends() -> Ends {
    let mut pair = Pair::new(PeerKind::Single);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    let places = [ClientKind::Audio, ClientKind::Video, ClientKind::Video]
        .map(|kind| add_placeholder(&mut api, kind));
    let microphone = api.add_media(
        ClientKind::Audio,
        Direction::SendOnly,
        Some("stream".to_owned()),
        Some("cid".to_owned()),
        None,
    );
    let (offer, pending) = api.apply().unwrap();
    let offered = pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let kinds: Vec<_> = offered.sections.iter().map(|s| (s.kind, s.placeholder)).collect();
    assert_eq!(
        kinds,
        [
            (MediaKind::Audio, true),
            (MediaKind::Video, true),
            (MediaKind::Video, true),
            (MediaKind::Audio, false)
        ]
    );
    let answer = pair.server.answer(&[]).unwrap();
    for place in places {
        assert!(section(&answer, &place).contains(&"a=inactive"));
    }
    assert!(section(&answer, &microphone).contains(&"a=recvonly"));
    pair.take_answer(pending, &answer);
    pair.connect();
    Ends { pair, microphone, places }
}

/// The client offers its places again; returns our answer to `assignments`.
fn offer_again(ends: &mut Ends, assignments: &[Assignment<'_>]) -> String {
    let pair = &mut ends.pair;
    let mut api = pair.client.sdp_api();
    for place in ends.places {
        // A browser keeps the wish to receive; this client forgets it with an inactive answer.
        api.set_direction(place, Direction::Inactive);
        api.set_direction(place, Direction::RecvOnly);
    }
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    pair.poll_server();
    let answer = pair.server.answer(assignments).unwrap();
    pair.take_answer(pending, &answer);
    answer
}

fn send(pair: &mut Pair, mid: Mid, seq: u64) {
    pair.send(mid, Codec::Vp8, seq, b"\x10frame");
}

#[test]
fn places_are_filled_emptied_and_filled_again() {
    let mut ends = ends();
    let [audio, video, other] = ends.places;
    let answer = offer_again(&mut ends, &[assign(video, "TR_1")]);
    let lines = section(&answer, &video);
    assert!(
        lines.contains(&"a=sendonly") && lines.contains(&"a=msid:PA_1|camera TR_1"),
        "{lines:?}"
    );
    let ssrcs: Vec<String> = lines
        .iter()
        .filter(|line| line.starts_with("a=ssrc:"))
        .map(|line| line.split([':', ' ']).nth(1).unwrap_or_default().to_owned())
        .collect();
    assert!(!ssrcs.is_empty());
    for place in [audio, other] {
        assert!(section(&answer, &place).contains(&"a=inactive"));
    }
    let mid = Mid::from(&*video);
    for seq in 1..=5 {
        send(&mut ends.pair, mid, seq);
    }
    ends.pair.until("five packets", |pair| pair.seen.rtp.len() == 5);
    assert_eq!(ends.pair.seen.rtp[0].header.ssrc.to_string(), ssrcs[0]);

    // The track goes; another comes to the same place under the same SSRC, numbers going on.
    let answer = offer_again(&mut ends, &[]);
    assert!(section(&answer, &video).contains(&"a=inactive"));
    let answer = offer_again(&mut ends, &[assign(video, "TR_2"), assign(audio, "TR_3")]);
    assert!(section(&answer, &video).contains(&"a=msid:PA_1|camera TR_2"));
    assert!(section(&answer, &audio).contains(&"a=msid:PA_1|camera TR_3"));
    assert!(section(&answer, &video).iter().any(|line| line.contains(&ssrcs[0])));
    for seq in 6..=10 {
        send(&mut ends.pair, mid, seq);
    }
    ends.pair.until("ten packets", |pair| pair.seen.rtp.len() == 10);

    // What the client sends goes on meanwhile.
    ends.pair.client_sends(ends.microphone, None, ClientCodec::Opus, 1, b"sound");
    ends.pair.until("sound", |pair| pair.rtp().len() == 1);
}

#[test]
fn only_placeholders_are_filled() {
    let mut ends = ends();
    let stranger = Assignment { mid: Mid::from("nope"), stream_id: "s", track_id: "t" };
    for wrong in [assign(ends.microphone, "TR_1"), stranger] {
        let error = SdpError::NotAPlaceholder { mid: wrong.mid };
        assert_eq!(ends.pair.server.answer(&[wrong]), Err(error));
    }
    let answer = ends.pair.server.answer(&[]).unwrap();
    assert_eq!(answer, ends.pair.server.answer(&[]).unwrap());
}

#[test]
fn both_directions_on_one_section_come_down_to_receiving() {
    let mut pair = Pair::new(PeerKind::Single);
    let mut api = pair.client.sdp_api();
    let both = api.add_media(ClientKind::Audio, Direction::SendRecv, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    let offered = pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    assert!(offered.sections[0].sends && !offered.sections[0].placeholder);
    let answer = pair.server.answer(&[]).unwrap();
    let lines = section(&answer, &both);
    assert!(lines.contains(&"a=recvonly"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("a=msid")));
    pair.take_answer(pending, &answer);
    pair.connect();
    pair.client_sends(both, None, ClientCodec::Opus, 1, b"sound");
    pair.until("sound", |pair| pair.rtp().len() == 1);
}

#[test]
fn payload_types_of_the_offer_are_echoed() {
    let mut pair = Pair::new(PeerKind::Single);
    let mut api = pair.client.sdp_api();
    let place = add_placeholder(&mut api, ClientKind::Audio);
    let (offer, _pending) = api.apply().unwrap();
    // As Firefox numbers them.
    let offer = offer.to_sdp_string().replace("111", "109");
    pair.server.accept_offer(&offer).unwrap();
    for assignments in [&[][..], &[assign(place, "TR_1")]] {
        let answer = pair.server.answer(assignments).unwrap();
        let lines = section(&answer, &place);
        assert!(lines[0].contains(" 109"), "{lines:?}");
        assert!(lines.contains(&"a=rtpmap:109 opus/48000/2"), "{lines:?}");
    }
}

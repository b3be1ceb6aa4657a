//! Where we offer.

use super::*;

#[test]
fn our_restart_counts_once_it_is_answered() {
    let (mut ours, mut client) = (end(PeerKind::Subscriber), client());
    renegotiate(&mut ours, &mut client);
    assert!(!ours.can_offer(false) && ours.can_offer(true));
    let offer = ours.create_offer(Some(credentials("next"))).unwrap();
    assert!(offer.contains("a=ice-ufrag:next\r\n") && !offer.contains("a=ice-ufrag:ours"));
    assert_eq!(ours.local_ufrag(), "ours");
    assert!(!ours.can_offer(true));
    let before = ours.negotiated().remote.clone();
    let answer = answered(&mut client, &offer);
    ours.accept_answer(&answer).unwrap();
    assert_eq!(ours.local_ufrag(), "next");
    assert_ne!(ours.negotiated().remote, before);
    // Changed credentials in an answer to an offer without.
    ours.add_track(MediaKind::Audio, "s", "TR_1");
    let offer = ours.create_offer(None).unwrap();
    assert!(offer.contains("a=ice-ufrag:next\r\n"));
    let answer = answered(&mut client, &offer).replace("a=ice-ufrag:", "a=ice-ufrag:x");
    assert!(matches!(ours.accept_answer(&answer), Err(SdpError::Refused { .. })));
}

#[test]
fn the_first_offer_opens_the_channels() {
    let (mut ours, mut client) = (end(PeerKind::Subscriber), client());
    assert!(ours.needs_offer() && !ours.has_pending_offer());
    let audio = ours.add_track(MediaKind::Audio, "PA_1|camera", "TR_a");
    let video = ours.add_track(MediaKind::Video, "PA_1|camera", "TR_v");
    let offer = renegotiate(&mut ours, &mut client);
    assert!(!ours.needs_offer());
    assert!(parse(&offer).is_ok_and(|offer| offer.check_bundle() == Ok(())));
    assert!(offer.contains(&format!("a=group:BUNDLE data {audio} {video}\r\n")), "{offer}");
    assert_eq!(msids(&offer), ["a=msid:PA_1|camera TR_a", "a=msid:PA_1|camera TR_v"]);
    for needed in ["a=ice-lite\r\n", "a=setup:actpass\r\n", "a=max-message-size:262144\r\n"] {
        assert!(offer.contains(needed), "{needed}");
    }
    let lines = section(&offer, audio.as_str());
    assert!(lines[0].ends_with(" 63 111 0 8"), "{}", lines[0]);
    let lines = section(&offer, video.as_str());
    assert!(lines.contains(&"a=sendonly") && lines.contains(&"a=fmtp:97 apt=96"));
    assert!(lines.contains(&"a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid"));
    assert!(!offer.contains("rtp-stream-id"), "one layer goes out");
    for (mid, codec, can) in [
        (audio, Codec::Opus, true),
        (audio, Codec::Red, true),
        (audio, Codec::Vp8, false),
        (video, Codec::Vp8, true),
        (video, Codec::H264, true),
        (Mid::from("none"), Codec::Opus, false),
    ] {
        assert_eq!(sends(&ours, mid, codec), can, "{mid} {codec:?}");
    }
    let line = ours.negotiated().line(video).unwrap();
    assert_eq!(
        line.payload(Codec::H264),
        Some(Payload { codec: Codec::H264, pt: 108, rtx: Some(109) })
    );
    assert_eq!(line.extensions.transport_cc, Some(3));
    assert!(line.feedback.transport_cc && line.feedback.nack && line.local_rtx_ssrc.is_some());
    let negotiated = ours.negotiated();
    assert!(negotiated.sctp.is_some() && negotiated.line(audio).unwrap().local_ssrc.is_some());
}

#[test]
fn one_offer_at_a_time_and_wrong_answers_are_errors() {
    let (mut ours, mut client) = (end(PeerKind::Subscriber), client());
    let first = ours.add_track(MediaKind::Video, "s", "TR_1");
    let offer = ours.create_offer(None).unwrap();
    let later = ours.add_track(MediaKind::Video, "s", "TR_2");
    assert_eq!(ours.create_offer(None), None);
    let answer = answered(&mut client, &offer);
    assert!(matches!(ours.accept_answer("junk"), Err(SdpError::Malformed { .. })));
    assert!(ours.has_pending_offer() && !sends(&ours, first, Codec::Vp8));
    ours.accept_answer(&answer).unwrap();
    assert_eq!(ours.accept_answer(&answer), Err(SdpError::NothingOutstanding));
    assert!(sends(&ours, first, Codec::Vp8) && !sends(&ours, later, Codec::Vp8));
    assert_eq!(ours.accept_offer("v=0").err(), Some(SdpError::WrongRole));
    renegotiate(&mut ours, &mut client);
    assert!(sends(&ours, later, Codec::Vp8));
    assert_eq!(ours.create_offer(None), None, "nothing staged");
    let mut publisher = end(PeerKind::Publisher);
    assert_eq!(publisher.accept_answer("v=0"), Err(SdpError::WrongRole));
    assert_eq!(publisher.create_offer(Some(credentials("x"))), None);
    publisher.add_track(MediaKind::Audio, "s", "t");
    assert!(!publisher.needs_offer());
}

#[test]
fn a_refused_answer_leaves_its_tracks_to_the_next_offer() {
    let mut ours = end(PeerKind::Subscriber);
    let other = {
        let mut other = end(PeerKind::Subscriber);
        let offer = other.create_offer(None).unwrap();
        answered(&mut client(), &offer)
    };
    let first = ours.add_track(MediaKind::Audio, "s", "TR_1");
    let gone = ours.add_track(MediaKind::Audio, "s", "TR_x");
    let second = ours.add_track(MediaKind::Video, "s", "TR_2");
    ours.create_offer(None).unwrap();
    ours.stop_track(gone);
    assert!(matches!(ours.accept_answer(&other), Err(SdpError::Refused { .. })));
    assert!(!ours.has_pending_offer() && ours.needs_offer());
    let mut client = client();
    let offer = renegotiate(&mut ours, &mut client);
    assert_eq!(msids(&offer), ["a=msid:s TR_1", "a=msid:s TR_2"]);
    assert!(sends(&ours, first, Codec::Opus) && sends(&ours, second, Codec::Vp8));
    assert!(!sends(&ours, gone, Codec::Opus) && !ours.needs_offer());
}

#[test]
fn sections_run_out_and_are_then_reused() {
    let (mut ours, mut client) = (end(PeerKind::Subscriber), client());
    let max = limits::SDP_SECTIONS_MAX;
    let tracks: Vec<Mid> =
        (1..max).map(|n| ours.add_track(MediaKind::Audio, "s", &format!("TR_{n}"))).collect();
    let beyond = ours.add_track(MediaKind::Audio, "s", "TR_beyond");
    let offer = renegotiate(&mut ours, &mut client);
    assert_eq!(offer.matches("\r\nm=").count(), max);
    assert!(!offer.contains("TR_beyond") && !sends(&ours, beyond, Codec::Opus));
    ours.stop_track(tracks[7]);
    let offer = renegotiate(&mut ours, &mut client);
    assert!(!sends(&ours, tracks[7], Codec::Opus));
    assert!(section(&offer, tracks[7].as_str()).contains(&"a=inactive"));
    assert_eq!(ours.add_track(MediaKind::Audio, "PA_9|camera", "TR_again"), tracks[7]);
    let offer = renegotiate(&mut ours, &mut client);
    assert!(msids(&offer).contains(&"a=msid:PA_9|TR_again TR_again"));
    assert!(sends(&ours, tracks[7], Codec::Opus));
}

#[test]
fn sections_are_reused_if_asked_under_the_same_ssrc() {
    let mut client = client();
    let mut ours = Negotiation::new(NegotiationConfig {
        reuse_sections: true,
        ..config(PeerKind::Subscriber)
    });
    let first = ours.add_track(MediaKind::Video, "PA_1|camera", "TR_1");
    renegotiate(&mut ours, &mut client);
    let ssrc = ours.negotiated().line(first).unwrap().local_ssrc;
    ours.stop_track(first);
    ours.stop_track(first);
    assert!(msids(&renegotiate(&mut ours, &mut client)).is_empty());
    assert_ne!(ours.add_track(MediaKind::Audio, "PA_2|camera", "TR_2"), first);
    assert_eq!(ours.add_track(MediaKind::Video, "PA_2|camera", "TR_3"), first);
    // Taken back before it is offered: idle again.
    ours.stop_track(first);
    assert_eq!(ours.add_track(MediaKind::Video, "PA_2|camera", "TR_4"), first);
    let offer = renegotiate(&mut ours, &mut client);
    assert_eq!(msids(&offer), ["a=msid:PA_2|TR_4 TR_4", "a=msid:PA_2|camera TR_2"]);
    assert_eq!(ours.negotiated().line(first).unwrap().local_ssrc, ssrc);
    assert!(sends(&ours, first, Codec::Vp8));
}

#[test]
fn a_section_that_the_client_switches_off_is_not_used_again() {
    let mut client = client();
    let mut ours = Negotiation::new(NegotiationConfig {
        reuse_sections: true,
        ..config(PeerKind::Subscriber)
    });
    let track = ours.add_track(MediaKind::Video, "s", "TR_1");
    let offer = ours.create_offer(None).unwrap();
    let answer = answered(&mut client, &offer);
    let off = answer.replace("m=video 9 ", "m=video 0 ").replace(&format!(" {track}\r\n"), "\r\n");
    ours.accept_answer(&off).unwrap();
    assert!(!sends(&ours, track, Codec::Vp8));
    ours.stop_track(track);
    assert_eq!(ours.create_offer(None), None);
    assert_ne!(ours.add_track(MediaKind::Video, "s", "TR_2"), track);
    let offer = ours.create_offer(None).unwrap();
    assert!(section(&offer, track.as_str())[0].starts_with("video 0 "));
    assert!(offer.contains("a=group:BUNDLE data s2\r\n"));
}

#[test]
fn a_track_stopped_before_it_is_offered_never_shows() {
    let (mut ours, mut client) = (end(PeerKind::Subscriber), client());
    renegotiate(&mut ours, &mut client);
    let track = ours.add_track(MediaKind::Video, "s", "TR_1");
    ours.stop_track(track);
    assert_eq!(ours.create_offer(None), None);
    let track = ours.add_track(MediaKind::Video, "s", "TR_2");
    let offer = ours.create_offer(None).unwrap();
    ours.stop_track(track);
    let answer = answered(&mut client, &offer);
    ours.accept_answer(&answer).unwrap();
    let offer = renegotiate(&mut ours, &mut client);
    assert!(msids(&offer).is_empty() && offer.contains("a=inactive"));
    ours.stop_track(track);
    assert_eq!(ours.create_offer(None), None);
}

//! Where the client offers.

use super::*;

#[test]
fn offers_of_real_clients_are_answered_in_their_terms() {
    for offer in CORPUS {
        for kind in [PeerKind::Publisher, PeerKind::Single] {
            let mut ours = end(kind);
            let accepted = ours.accept_offer(offer).unwrap();
            assert!(!accepted.ice_restart);
            let answer = ours.answer(&[]).unwrap();
            check_answer(offer, &answer);
            assert!(SdpAnswer::from_sdp_string(&answer).is_ok(), "{answer}");
            assert_eq!(answer, ours.answer(&[]).unwrap(), "the same when asked again");
            for needed in [
                "a=ice-lite\r\n",
                "a=setup:passive\r\n",
                "a=ice-ufrag:ours\r\n",
                "a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host\r\n",
                "a=candidate:2 1 udp 2130706175 2001:db8::1 7882 typ host\r\n",
                "a=candidate:1 1 udp 2130705919 192.0.2.1 7883 typ host\r\n",
                "a=candidate:4 1 tcp 1520435199 192.0.2.1 7881 typ host tcptype passive\r\n",
                "a=candidate:5 1 tcp 1520434943 2001:db8::1 7881 typ host tcptype passive\r\na=end-of-candidates\r\n",
                "a=fingerprint:sha-256 AB:AB:",
                "a=sctp-port:5000\r\na=max-message-size:262144\r\n",
            ] {
                assert!(answer.contains(needed), "{needed} in {answer}");
            }
            assert_eq!(answer.matches("typ host").count(), 5, "in one section alone");
            assert!(!answer.contains("a=msid:") && !answer.contains("a=ssrc"));
            for lost in ["video-orientation", "playout-delay", "sctp-init", "G722", "ulpfec"] {
                assert!(!answer.contains(lost), "{lost}");
            }
            // The same offer again changes nothing but the description's version.
            ours.accept_offer(offer).unwrap();
            let again = ours.answer(&[]).unwrap();
            assert_eq!(again.replacen(" 2 IN IP4", " 1 IN IP4", 1), answer);
        }
    }
}

#[test]
fn a_preferred_codec_stands_first_in_the_answer() {
    let mut ours = end(PeerKind::Publisher);
    let offered = ours.accept_offer(CORPUS[2]).unwrap().offered;
    let first = |answer: &str| {
        let line = answer.lines().find(|line| line.starts_with("m=video")).unwrap();
        let pt = line.split(' ').nth(3).unwrap().to_owned();
        let map = format!("a=rtpmap:{pt} ");
        answer.lines().find_map(|line| line.strip_prefix(&map).map(str::to_owned)).unwrap()
    };
    assert_eq!(first(&ours.answer(&[]).unwrap()), "VP8/90000");
    for (codec, name) in [(Codec::Vp9, "VP9/90000"), (Codec::H264, "H264/90000")] {
        ours.prefer_codec(offered.sections[1].mid, codec);
        let answer = ours.answer(&[]).unwrap();
        assert_eq!(first(&answer), name);
        check_answer(CORPUS[2], &answer);
    }
    ours.prefer_codec(offered.sections[1].mid, Codec::H265);
    assert_eq!(first(&ours.answer(&[]).unwrap()), "VP8/90000", "it was not offered");
}

#[test]
fn dependency_descriptors_are_agreed_where_they_are_offered() {
    let uri = fermata_rtp::dependency::URI;
    let lines = CORPUS[2].lines().filter(|line| !line.contains(uri));
    let offer: String = lines.flat_map(|line| [line.trim_end(), "\r\n"]).collect();
    let extmap = format!("a=mid:1\r\na=extmap:20 {uri}\r\n");
    let offer = offer.replace("a=mid:1\r\n", &extmap);
    for mixed in [true, false] {
        let offer =
            if mixed { offer.clone() } else { offer.replace("a=extmap-allow-mixed\r\n", "") };
        let mut ours = end(PeerKind::Publisher);
        let offered = ours.accept_offer(&offer).unwrap().offered;
        let agreed = |ours: &mut Negotiation| {
            ours.answer(&[]).unwrap().contains(&format!("a=extmap:20 {uri}\r\n"))
        };
        assert!(!agreed(&mut ours), "VP8 is sent, and tells its layers itself");
        ours.prefer_codec(offered.sections[1].mid, Codec::Vp9);
        assert!(agreed(&mut ours));
        let line = ours.negotiated().line(offered.sections[1].mid).unwrap();
        assert_eq!((line.extensions.dependency, line.mixed), (Some(20), mixed));
    }
}

#[test]
fn simulcast_and_numbers_of_a_browser_are_taken_over() {
    let mut ours = end(PeerKind::Publisher);
    let offered = ours.accept_offer(CORPUS[2]).unwrap().offered;
    let layers = ["q", "h", "f"].map(Rid::from);
    assert_eq!(offered.sections[1].rids, layers);
    assert_eq!(offered.sections[1].codecs, [Codec::Vp8, Codec::Vp9, Codec::H264]);
    let negotiated = ours.negotiated();
    let video = negotiated.line(Mid::from("1")).unwrap();
    assert!(video.receiving && !video.sending && video.remote_ssrcs.is_empty());
    assert_eq!(video.rids, layers);
    let ids = &video.extensions;
    assert_eq!(
        (ids.mid, ids.rid, ids.repaired_rid, ids.transport_cc),
        (Some(3), Some(8), Some(9), Some(7))
    );
    assert!(ids.abs_send_time.is_some(), "agreed for the day when media goes the other way");
    assert!(video.feedback.nack && video.feedback.pli && video.feedback.transport_cc);
    assert_eq!(
        video.payload(Codec::H264),
        Some(Payload { codec: Codec::H264, pt: 126, rtx: Some(127) })
    );
    let audio = negotiated.line(Mid::from("0")).unwrap();
    assert_eq!(audio.remote_ssrcs, [crate::parts::RemoteSsrc { ssrc: 3_000_001, rtx: None }]);
    assert!(!audio.feedback.nack && !audio.feedback.transport_cc);
    assert_eq!(negotiated.sctp.unwrap().remote_message_len_max, 1_073_741_823);
    assert_eq!(negotiated.remote.as_ref().unwrap().our_role, Role::Passive);
    let answer = ours.answer(&[]).unwrap();
    let lines = section(&answer, "1");
    for needed in [
        "a=recvonly",
        "a=rid:f recv",
        "a=simulcast:recv q;h;f",
        "a=extmap:8 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        "a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
        "a=rtcp-rsize",
    ] {
        assert!(lines.contains(&needed), "{needed} in {lines:?}");
    }
    assert!(lines[0].ends_with(" 120 124 121 125 126 127 97 98"), "{}", lines[0]);
    let lines = section(&answer, "0");
    assert!(lines.contains(&"a=fmtp:109 minptime=10;useinbandfec=1;usedtx=1"), "{lines:?}");
}

#[test]
fn redundant_audio_is_answered_before_opus() {
    let mut ours = end(PeerKind::Publisher);
    let offered = ours.accept_offer(CORPUS[0]).unwrap().offered;
    assert_eq!(offered.sections[4].codecs[..2], [Codec::Opus, Codec::Red], "as the client prefers");
    let answer = ours.answer(&[]).unwrap();
    let lines = section(&answer, "4");
    assert!(lines[0].contains(" 63 111 "), "{}", lines[0]);
    assert!(lines.contains(&"a=fmtp:63 111/111"));
}

#[test]
fn a_client_of_another_make_takes_our_answers() {
    for kind in [PeerKind::Publisher, PeerKind::Single] {
        let (mut ours, mut client) = (end(kind), client());
        let mut api = client.sdp_api();
        api.add_channel("_reliable".to_owned());
        let rids = ["q", "h"].map(SimulcastLayer::new).to_vec();
        let simulcast = Some(Simulcast { send: rids, recv: vec![] });
        let id = |text: &str| Some(text.to_owned());
        let video = api.add_media(
            ClientKind::Video,
            ClientDirection::SendOnly,
            id("s"),
            id("cid"),
            simulcast,
        );
        let both = api.add_media(ClientKind::Audio, ClientDirection::SendRecv, None, None, None);
        let place = api.add_media(ClientKind::Video, ClientDirection::RecvOnly, None, None, None);
        let (offer, pending) = api.apply().unwrap();
        let offer = offer.to_sdp_string();
        let offered = ours.accept_offer(&offer).unwrap().offered;
        assert_eq!(offered.sections[0].track_id, "cid");
        assert!(!offered.sections[1].placeholder && offered.sections[1].sends);
        assert!(offered.sections[2].placeholder);
        let place = Mid::from(&*place);
        let assignment = Assignment { mid: place, stream_id: "PA_1|camera", track_id: "TR_1" };
        let answer = if kind == PeerKind::Single {
            ours.answer(&[assignment]).unwrap()
        } else {
            assert_eq!(ours.answer(&[assignment]), Err(SdpError::NotAPlaceholder { mid: place }));
            ours.answer(&[]).unwrap()
        };
        check_answer(&offer, &answer);
        client_takes(&mut client, pending, &answer);
        assert!(section(&answer, &both).contains(&"a=recvonly"));
        assert!(section(&answer, &video).contains(&"a=simulcast:recv q;h"));
        assert_eq!(sends(&ours, place, Codec::Vp8), kind == PeerKind::Single);
        assert!(!sends(&ours, Mid::from(&*both), Codec::Opus), "we only receive there");
    }
}

#[test]
fn places_are_filled_emptied_and_filled_again() {
    let (mut ours, mut client) = (end(PeerKind::Single), client());
    let mut api = client.sdp_api();
    let place = api.add_media(ClientKind::Video, ClientDirection::RecvOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    let offer = offer.to_sdp_string();
    ours.accept_offer(&offer).unwrap();
    let free = ours.answer(&[]).unwrap();
    assert!(section(&free, &place).contains(&"a=inactive") && msids(&free).is_empty());
    let mid = Mid::from(&*place);
    let assign = |track_id| Assignment { mid, stream_id: "PA 1|camera", track_id };
    let filled = ours.answer(&[assign("TR_1")]).unwrap();
    assert!(section(&filled, &place).contains(&"a=sendonly"));
    assert_eq!(msids(&filled), ["a=msid:PA_1|camera TR_1"]);
    let line = ours.negotiated().line(mid).unwrap().clone();
    let (ssrc, rtx) = (line.local_ssrc.unwrap(), line.local_rtx_ssrc.unwrap());
    for needed in [
        format!("a=ssrc:{ssrc} cname:{}", ours.negotiated().cname),
        format!("a=ssrc:{rtx} msid:PA_1|camera TR_1"),
        format!("a=ssrc-group:FID {ssrc} {rtx}"),
    ] {
        assert!(section(&filled, &place).contains(&needed.as_str()), "{needed} in {filled}");
    }
    client_takes(&mut client, pending, &filled);
    let version = ours.negotiated().version;
    ours.accept_offer(&offer).unwrap();
    ours.answer(&[]).unwrap();
    assert!(!sends(&ours, mid, Codec::Vp8) && ours.negotiated().version > version);
    let again = ours.answer(&[assign("TR_2")]).unwrap();
    assert!(again.contains(&format!("a=ssrc-group:FID {ssrc} {rtx}")), "numbers go on");
    ours.reset_sender(mid);
    let anew = ours.negotiated().line(mid).unwrap().local_ssrc.unwrap();
    assert_ne!(anew, ssrc);
    assert!(ours.answer(&[assign("TR_2")]).unwrap().contains(&format!("a=ssrc:{anew} ")));
}

#[test]
fn sections_keep_their_places_and_unknown_ones_are_refused() {
    let offer = CORPUS[2];
    let swapped = {
        let (head, rest) = offer.split_once("m=audio").unwrap();
        let (audio, rest) = rest.split_once("m=video").unwrap();
        let (video, data) = rest.split_once("m=application").unwrap();
        format!("{head}m=video{video}m=audio{audio}m=application{data}")
    };
    let missing =
        offer.split("m=application").next().unwrap().replace("BUNDLE 0 1 2", "BUNDLE 0 1");
    let lite = offer.replacen("a=group", "a=ice-lite\r\na=group", 1);
    let no_group = offer.replace("a=group", "a=x");
    let no_print = offer.replace("a=fingerprint", "a=x");
    let no_ufrag = offer.replace("a=ice-ufrag", "a=x");
    let other_print = offer.replace("sha-256 03:", "sha-256 04:");
    assert_ne!(other_print, offer);
    let hold = offer.replace("a=setup:actpass", "a=setup:holdconn");
    let none = offer.split("m=").next().unwrap();
    let mut fresh = end(PeerKind::Single);
    for text in [&lite, &no_group, &no_print, &no_ufrag, &hold, none] {
        assert!(matches!(fresh.accept_offer(text), Err(SdpError::Refused { .. })), "{text}");
        assert_eq!(fresh.answer(&[]), Err(SdpError::NothingOutstanding));
    }
    let mut known = end(PeerKind::Single);
    known.accept_offer(offer).unwrap();
    let before = known.negotiated().clone();
    for text in [&swapped, &missing, &other_print] {
        assert!(matches!(known.accept_offer(text), Err(SdpError::Refused { .. })), "{text}");
    }
    let taken = offer.replace("109 opus/48000/2", "109 PCMA/8000");
    assert_eq!(known.accept_offer(&taken).err(), Some(SdpError::PayloadType { pt: 109 }));
    assert_eq!(*known.negotiated(), before, "nothing changed");

    let more = offer.replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 t d c")
        + "m=text 9 UDP/TLS/RTP/SAVPF 98 99\r\na=mid:t\r\n\
           m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n\
           m=audio 9 UDP/TLS/RTP/SAVPF 9\r\na=mid:c\r\na=rtpmap:9 G722/8000/1\r\n";
    let offered = known.accept_offer(&more).unwrap().offered;
    assert_eq!(offered.sections.len(), 2, "without those that cannot be");
    let answer = known.answer(&[]).unwrap();
    check_answer(&more, &answer);
    assert!(answer.contains("a=group:BUNDLE 0 1 2\r\n"));
    for refused in [
        "m=text 0 UDP/TLS/RTP/SAVPF 98\r\n",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n",
        "m=audio 0 UDP/TLS/RTP/SAVPF 9\r\n",
    ] {
        assert!(answer.contains(refused), "{refused} in {answer}");
    }
    // The place of one that was refused may be taken by another.
    let recycled = more
        .replace(
            "m=text 9 UDP/TLS/RTP/SAVPF 98 99\r\na=mid:t\r\n",
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:new\r\na=sendonly\r\n",
        )
        .replace(" t d c", " new d c");
    known.accept_offer(&recycled).unwrap();
    let line = known.negotiated().line(Mid::from("new")).unwrap();
    assert!(line.receiving && line.payload(Codec::Pcmu).is_some());
}

#[test]
fn a_section_switched_off_by_the_client_stays_off() {
    let mut ours = end(PeerKind::Publisher);
    ours.accept_offer(CORPUS[0]).unwrap();
    let off = CORPUS[0].replacen("m=audio 9", "m=audio 0", 1).replacen("BUNDLE 0 1", "BUNDLE 1", 1);
    let offered = ours.accept_offer(&off).unwrap().offered;
    assert!(offered.sections.iter().all(|section| section.mid != Mid::from("0")));
    let line = ours.negotiated().line(Mid::from("0")).unwrap();
    assert!(line.rejected && !line.receiving);
    let answer = ours.answer(&[]).unwrap();
    assert!(section(&answer, "0")[0].starts_with("audio 0 "));
    assert!(section(&answer, "1").iter().any(|line| line.contains("typ host")), "the first in use");
}

#[test]
fn a_client_restarts_ice_and_so_do_we() {
    let mut ours = end(PeerKind::Publisher);
    ours.accept_offer(CORPUS[0]).unwrap();
    assert!(!ours.accept_offer(CORPUS[0]).unwrap().ice_restart);
    let restart = CORPUS[0].replace("a=ice-ufrag:uf01", "a=ice-ufrag:new1");
    assert!(ours.accept_offer(&restart).unwrap().ice_restart);
    assert_eq!(ours.negotiated().remote.as_ref().unwrap().credentials.ufrag, "new1");
    ours.set_local_credentials(credentials("next"));
    assert_eq!(ours.local_ufrag(), "next");
    assert!(ours.answer(&[]).unwrap().contains("a=ice-ufrag:next\r\n"));
}

#[test]
fn opus_is_tuned_on_request() {
    let (mut ours, mut client) = (end(PeerKind::Subscriber), client());
    let stereo = ours.add_track(MediaKind::Audio, "s", "TR_1");
    ours.tune_audio(stereo, AudioTuning { dtx: true, stereo: true });
    ours.add_track(MediaKind::Audio, "s", "TR_2");
    let offer = renegotiate(&mut ours, &mut client);
    assert_eq!(offer.matches("sprop-stereo=1").count(), 1);

    let mut publisher = end(PeerKind::Publisher);
    publisher.accept_offer(CORPUS[0]).unwrap();
    publisher.tune_audio(Mid::from("4"), AudioTuning { dtx: false, stereo: true });
    let answer = publisher.answer(&[]).unwrap();
    let tuned = "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;maxaveragebitrate=510000";
    assert!(section(&answer, "4").contains(&tuned), "{answer}");
    assert!(section(&answer, "0").contains(&"a=fmtp:111 minptime=10;useinbandfec=1"));
}

#[test]
fn the_peer_may_begin_the_handshake_or_leave_it_to_us() {
    for (said, role, answered) in [
        ("actpass", Role::Passive, "a=setup:passive\r\n"),
        ("active", Role::Passive, "a=setup:passive\r\n"),
        ("passive", Role::Active, "a=setup:active\r\n"),
    ] {
        let mut ours = end(PeerKind::Publisher);
        ours.accept_offer(&CORPUS[1].replace("a=setup:actpass", &format!("a=setup:{said}")))
            .unwrap();
        assert_eq!(ours.negotiated().remote.as_ref().unwrap().our_role, role);
        // Fixed with the first offer.
        ours.accept_offer(CORPUS[1]).unwrap();
        assert_eq!(ours.negotiated().remote.as_ref().unwrap().our_role, role);
        assert!(ours.answer(&[]).unwrap().contains(answered));
    }
}

#[test]
fn an_extension_number_means_one_thing_on_the_whole_connection() {
    let mid = "urn:ietf:params:rtp-hdrext:sdes:mid";
    let mixed = CORPUS[2].replacen(&format!("a=extmap:3 {mid}"), &format!("a=extmap:7 {mid}"), 1);
    let mut ours = end(PeerKind::Publisher);
    ours.accept_offer(&mixed).unwrap();
    let negotiated = ours.negotiated();
    assert_eq!(negotiated.extensions.mid, Some(7), "the first meaning counts");
    let ids = negotiated.line(Mid::from("1")).unwrap().extensions;
    assert_eq!((ids.mid, ids.transport_cc), (None, None), "both would be another");
    assert!(!negotiated.line(Mid::from("1")).unwrap().feedback.transport_cc);
}

#[test]
fn candidates_are_bounded() {
    let mut ours = end(PeerKind::Publisher);
    assert_eq!(ours.add_remote_candidate("junk"), Err(SdpError::Candidate));
    let text = "candidate:1 1 udp 1 192.0.2.9 9 typ host";
    for _ in 0..limits::REMOTE_CANDIDATES_MAX {
        assert_eq!(ours.add_remote_candidate(text), Ok("192.0.2.9:9".parse().unwrap()));
    }
    assert_eq!(ours.add_remote_candidate(text), Err(SdpError::TooManyCandidates));
}

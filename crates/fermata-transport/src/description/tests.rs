use super::*;
use fermata_rtp::Codec::{self, Av1, H264, Opus, Pcma, Pcmu, Red, Vp8, Vp9};
use proptest::prelude::*;

/// Offers of real clients.
pub(crate) const CORPUS: [(&str, &str); 3] = [
    ("chromium", include_str!("../../tests/sdp/chromium.sdp")),
    ("native", include_str!("../../tests/sdp/native.sdp")),
    ("firefox", include_str!("../../tests/sdp/firefox.sdp")),
];

const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

const OFFER: &str = "a=group:BUNDLE 0 1 2 3\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=recvonly\r\na=mid:1\r\n\
    m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=msid:s cid-7\r\na=sendonly\r\n\
    a=rid:q send\r\na=rid:h send\r\na=rid:x recv\r\na=simulcast:recv x send q;h\r\n\
    m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:gone\r\na=inactive\r\n\
    m=text 9 UDP/TLS/RTP/SAVPF 99\r\na=mid:3\r\n";

fn read(text: &str) -> Result<usize, SdpError> {
    parse(text).map(|description| description.sections.len())
}

#[test]
fn reads_what_binds_sections_to_tracks() {
    let text = format!("{HEAD}{OFFER}");
    let sections = parse(&text).unwrap().sections;
    assert_eq!(sections.len(), 5);
    assert_eq!((sections[0].media, sections[0].mid.as_str()), (Media::Data, "0"));
    assert_eq!(sections[1].direction, Direction::RecvOnly);
    assert_eq!((sections[2].stream_id, sections[2].track_id), ("s", "cid-7"));
    assert_eq!(sections[2].rids, [Rid::from("q"), Rid::from("h")]);
    assert!(sections[2].simulcast && !sections[2].rejected, "bundled");
    assert!(sections[3].rejected);
    assert_eq!((sections[4].media, sections[4].direction), (Media::Other, Direction::SendRecv));
}

#[test]
fn bounds_come_before_everything() {
    let section = |index: usize| format!("m=audio 9 X/RTP/X 0\r\na=mid:{index}\r\n");
    let many = |count: usize| HEAD.to_owned() + &(0..count).map(section).collect::<String>();
    assert_eq!(read(&many(limits::SDP_SECTIONS_MAX)), Ok(limits::SDP_SECTIONS_MAX));
    let ssrc = |count: usize| many(1) + &"a=ssrc:1 cname:x\r\n".repeat(count);
    assert!(read(&ssrc(limits::SDP_SSRC_LINES_MAX)).is_ok());
    let rids = |count: usize| many(1) + &"a=rid:q send\r\n".repeat(count);
    assert!(read(&rids(limits::SDP_RIDS_MAX)).is_ok());
    assert!(read(&(many(1) + &"a=candidate:1\r\n".repeat(5_000))).is_ok());
    let named = |mid: &str| format!("{HEAD}m=audio 9 X 0\r\na=mid:{mid}\r\n");
    let len = limits::SDP_LEN_MAX + 1;
    for (text, error) in [
        ("x".repeat(len), SdpError::TooLong { len }),
        (many(limits::SDP_SECTIONS_MAX + 1), SdpError::TooManySections),
        (ssrc(limits::SDP_SSRC_LINES_MAX + 1), SdpError::TooManyStreams),
        (rids(limits::SDP_RIDS_MAX + 1), SdpError::TooManyStreams),
        (many(2) + &section(1), SdpError::Mid { index: 2 }),
        (format!("{HEAD}m=audio 9 X 0\r\n"), SdpError::Mid { index: 0 }),
        (named("a-b"), SdpError::Mid { index: 0 }),
        (named("0123456789abcdefg"), SdpError::Mid { index: 0 }),
    ] {
        assert_eq!(read(&text), Err(error));
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let said =
        |line: &str| format!("{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n{line}\r\n");
    let long = "x".repeat(257);
    for (text, detail) in [
        (String::new(), "does not begin with v=0"),
        ("hello".to_owned(), "does not begin with v=0"),
        (HEAD.replace("\r\n", "\r"), "does not begin with v=0"),
        (format!("{HEAD}a=x\ry\r\n"), "line end"),
        (format!("{HEAD}nonsense\r\n"), "line without a type"),
        (format!("{HEAD}M=audio 9 X 0\r\n"), "line without a type"),
        (format!("{HEAD}ä\r\n"), "line without a type"),
        (format!("{HEAD}m=audio 9\r\n"), "m-line of less than three words"),
        (format!("{HEAD}m=audio 9 \u{1} 0\r\n"), "m-line of other than visible ASCII"),
        (format!("{HEAD}m=audio 99999 X 0\r\n"), "port"),
        (format!("{HEAD}m=audio 9 X 128\r\n"), "payload type"),
        (said("a=rtpmap:300 opus/48000/2"), "payload type"),
        (said("a=setup:maybe"), "setup is none of active, passive, actpass, holdconn"),
        (said("a=ice-ufrag:"), "ICE credentials"),
        (said("a=ice-ufrag:a:b"), "ICE credentials"),
        (said(&format!("a=ice-pwd:{long}")), "ICE credentials"),
        (said("a=fingerprint:sha-256"), "fingerprint"),
        (said("a=fingerprint:sha-256 AA:BB"), "fingerprint is not of 32 bytes"),
        (said("a=sendonly\r\na=recvonly"), "two directions of one section"),
        (said("a=mid:1"), "two names of one section"),
    ] {
        assert_eq!(read(&text), Err(malformed(detail)), "{text}");
    }
    for line in
        ["a=extmap:x y", "a=ssrc:x", "a=rtcp-fb:111 made-up", "a=candidate:junk", "b=AS:1", ""]
    {
        assert_eq!(read(&said(line)), Ok(1), "{line}");
    }
}

#[test]
fn the_transport_is_that_of_the_first_section_in_use() {
    let print = [7_u8; 32];
    let text = format!(
        "{HEAD}a=group:BUNDLE 1\r\na=ice-ufrag:sess\r\na=ice-pwd:session\r\na=setup:actpass\r\n\
         m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:gone\r\na=ice-pwd:gone\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=ice-ufrag:here\r\na=ice-pwd:pass\r\n\
         a=fingerprint:sha-1 AA\r\na=fingerprint:{}\r\na=setup:active\r\n",
        fingerprint_text(&print).to_lowercase()
    );
    let description = parse(&text).unwrap();
    let credentials = description.credentials().unwrap();
    assert_eq!((credentials.ufrag.as_str(), credentials.pwd.as_str()), ("here", "pass"));
    assert_eq!(description.fingerprint(), Some(print));
    assert_eq!(description.setup(), Some(Setup::Active));
    assert_eq!(description.check_bundle(), Ok(()));
    for (group, wrong) in [
        ("a=group:LS 1", true),
        ("a=group:BUNDLE 0", true),
        ("a=group:BUNDLE 1 5", true),
        ("a=group:BUNDLE 1 0", false),
    ] {
        let text = text.replace("a=group:BUNDLE 1", group);
        assert_eq!(parse(&text).unwrap().check_bundle().is_err(), wrong, "{group}");
    }
}

#[test]
fn offers_of_real_clients_are_read() {
    for (client, text) in CORPUS {
        let description = parse(text).unwrap();
        assert_eq!(description.check_bundle(), Ok(()), "{client}");
        assert_eq!(description.setup(), Some(Setup::ActPass), "{client}");
        assert!(
            description.credentials().is_some() && description.fingerprint().is_some(),
            "{client}"
        );
        assert!(description.sections.iter().all(|section| !section.rejected), "{client}");
        let data = description.sections.last().unwrap();
        assert_eq!((data.media, data.sctp_port), (Media::Data, Some(5_000)), "{client}");
    }
}

#[test]
fn codecs_of_real_clients_are_known_with_their_retransmissions() {
    let numbers = |text: &str, at: usize| -> Vec<(Codec, u8, Option<u8>)> {
        let description = parse(text).unwrap();
        let known = description.sections[at].known();
        let ranked = known.iter().filter(|known| known.format.rank().is_some());
        ranked.map(|known| (known.format.codec(), known.pt, known.rtx)).collect()
    };
    let [(_, chromium), (_, native), (_, firefox)] = CORPUS;
    let audio = [(Opus, 111, None), (Red, 63, None), (Pcmu, 0, None), (Pcma, 8, None)];
    assert_eq!(numbers(chromium, 0), audio);
    assert_eq!(numbers(native, 0), audio);
    let audio = [(Opus, 109, None), (Pcmu, 0, None), (Pcma, 8, None)];
    assert_eq!(numbers(firefox, 0), audio);
    let video = numbers(firefox, 1);
    let expected = [
        (Vp8, 120, Some(124)),
        (Vp9, 121, Some(125)),
        (H264, 126, Some(127)),
        (H264, 97, Some(98)),
    ];
    assert_eq!(video, expected);
    for (text, at) in [(chromium, 5), (native, 4)] {
        let video = numbers(text, at);
        assert_eq!(video[0], (Vp8, 96, Some(97)));
        for codec in [Vp9, H264, Av1] {
            assert!(
                video.iter().any(|(known, _, rtx)| *known == codec && rtx.is_some()),
                "{codec:?}"
            );
        }
    }
}

#[test]
fn redundant_audio_is_known_only_around_opus() {
    let red = |lines: &str| {
        let text = format!(
            "{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF 63 111 9\r\na=mid:0\r\na=rtpmap:63 red/48000/2\r\n{lines}"
        );
        let known = parse(&text).unwrap().sections[0].known();
        known.iter().any(|known| known.format == Format::Red)
    };
    assert!(red("a=rtpmap:111 opus/48000/2\r\na=fmtp:63 111/111\r\n"));
    assert!(red("a=rtpmap:111 opus/48000/2\r\n"));
    assert!(!red("a=rtpmap:111 opus/48000/2\r\na=fmtp:63 9/9\r\n"));
    assert!(!red("a=rtpmap:9 G722/8000\r\na=fmtp:63 111/111\r\n"));
}

#[test]
fn announced_streams_are_paired_with_their_retransmissions() {
    let text = format!(
        "{HEAD}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ssrc-group:FID 1 2\r\na=ssrc:1 cname:c\r\n\
         a=ssrc:1 msid:a b\r\na=ssrc:2 cname:c\r\na=ssrc:3 cname:c\r\na=ssrc-group:SIM 1 3\r\n"
    );
    let streams = parse(&text).unwrap().sections[0].streams();
    let expected = [RemoteSsrc { ssrc: 1, rtx: Some(2) }, RemoteSsrc { ssrc: 3, rtx: None }];
    assert_eq!(streams, expected);
    let layered = format!("{text}a=rid:q send\r\n");
    assert_eq!(parse(&layered).unwrap().sections[0].streams(), []);
}

#[test]
fn tokens_are_clean() {
    for (text, token) in [
        ("PA_1|camera", "PA_1|camera"),
        ("my stream/ü:1", "my_stream___1"),
        ("", "_"),
        ("a\r\nb", "a__b"),
    ] {
        assert_eq!(sanitise_token(text), token);
    }
    assert_eq!(sanitise_token(&"x".repeat(99)).len(), limits::MSID_TOKEN_LEN_MAX);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}", lines in prop::collection::vec("[a-z]=\\PC{0,40}", 0..20)) {
        let _ = read(&text);
        let _ = read(&format!("v=0\r\n{}", lines.join("\r\n")));
        let _ = candidate::parse(&text);
        let _ = Extension::read(&text);
        let _ = Format::read(&text, &text);
    }

    #[test]
    fn fingerprints_read_back(print in any::<[u8; 32]>()) {
        let text = format!("{HEAD}a=fingerprint:{}\r\n", fingerprint_text(&print));
        prop_assert_eq!(parse(&text).unwrap().fingerprint(), Some(print));
    }
}

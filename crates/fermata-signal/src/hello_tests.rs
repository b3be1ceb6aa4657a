//! Requests as the SDKs write them, damaged ones, and compression bombs.

use std::io::Write as _;

use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn read(endpoint: Endpoint, query: &[(&str, &str)]) -> Result<Hello, Refusal> {
    Hello::read(endpoint, query.iter().copied(), "192.0.2.7:5000")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn request() -> lk::JoinRequest {
    lk::JoinRequest {
        client_info: Some(lk::ClientInfo {
            sdk: lk::client_info::Sdk::Js.into(),
            version: "2.23.0".to_owned(),
            protocol: 17,
            ..Default::default()
        }),
        connection_settings: Some(lk::ConnectionSettings {
            auto_subscribe: true,
            adaptive_stream: true,
            ..Default::default()
        }),
        metadata: "m".to_owned(),
        participant_attributes: [("k".to_owned(), "v".to_owned())].into(),
        add_track_requests: vec![lk::AddTrackRequest { cid: "c".to_owned(), ..Default::default() }],
        publisher_offer: Some(lk::SessionDescription {
            r#type: "offer".to_owned(),
            sdp: "v=0".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn wrap(compression: i32, join_request: Vec<u8>) -> Vec<u8> {
    lk::WrappedJoinRequest { compression, join_request }.encode_to_vec()
}

#[test]
fn parameters_of_the_javascript_sdk() {
    let hello = read(
        Endpoint::Rtc,
        &[
            ("access_token", "a.b.c"),
            ("auto_subscribe", "1"),
            ("sdk", "js"),
            ("version", "2.23.0"),
            ("protocol", "17"),
            ("client_protocol", "2"),
            ("something_new", "1"),
        ],
    )
    .unwrap();
    let client = &hello.client;
    assert!(client.auto_subscribe && !client.adaptive_stream && !client.single_connection);
    assert_eq!(client.info.sdk(), lk::client_info::Sdk::Js);
    assert_eq!((client.protocol, client.info.client_protocol), (17, 2));
    assert_eq!(client.address, "192.0.2.7:5000");
    assert_eq!(hello.access_token, "a.b.c");
    assert!(client.resume.is_none());
}

#[test]
fn parameters_of_the_python_sdk() {
    let attributes = URL_SAFE.encode(br#"{"team":"red"}"#);
    let hello = read(
        Endpoint::Rtc,
        &[
            ("sdk", "python"),
            ("protocol", "18"),
            ("os", "linux"),
            ("auto_subscribe", "0"),
            ("adaptive_stream", "true"),
            ("capabilities", "CAP_PACKET_TRAILER,CAP_COMPRESSION_DEFLATE_RAW,CAP_OF_TOMORROW"),
            ("attributes", &attributes),
            ("reconnect", "1"),
            ("sid", "PA_x"),
            ("reconnect_reason", "1"),
        ],
    )
    .unwrap();
    assert!(!hello.client.auto_subscribe && hello.client.adaptive_stream);
    assert_eq!(hello.client.info.capabilities, [1, 2]);
    assert_eq!(hello.attributes.get("team").map(String::as_str), Some("red"));
    let resume = hello.client.resume.unwrap();
    assert_eq!((resume.participant.as_str(), resume.reason), ("PA_x", 1));
}

#[test]
fn a_join_request_is_read_in_every_dress() {
    let plain = request().encode_to_vec();
    let forms = [
        URL_SAFE.encode(wrap(0, plain.clone())),
        URL_SAFE_NO_PAD.encode(wrap(0, plain.clone())),
        URL_SAFE.encode(wrap(1, gzip(&plain))),
        URL_SAFE_NO_PAD.encode(wrap(1, gzip(&plain))),
    ];
    for form in &forms {
        for endpoint in [Endpoint::RtcV1, Endpoint::Rtc, Endpoint::ValidateV1] {
            let hello = read(endpoint, &[("join_request", form)]).unwrap();
            assert!(hello.client.single_connection && hello.client.adaptive_stream);
            assert_eq!(hello.client.protocol, 17);
            assert_eq!(hello.client.publisher_offer, request().publisher_offer);
            assert_eq!(hello.client.add_tracks, request().add_track_requests);
            assert_eq!(hello.metadata, "m");
            assert_eq!(hello.attributes.len(), 1);
        }
    }
}

#[test]
fn a_resume_by_join_request_carries_what_the_client_has() {
    let mut request = request();
    request.reconnect = true;
    request.participant_sid = "PA_y".to_owned();
    request.sync_state = Some(lk::SyncState::default());
    let text = URL_SAFE.encode(wrap(0, request.encode_to_vec()));
    let resume = read(Endpoint::RtcV1, &[("join_request", &text)]).unwrap().client.resume.unwrap();
    assert_eq!(resume.participant, "PA_y");
    assert!(resume.sync_state.is_some());
}

#[test]
fn wrong_ones_are_refused_by_name() {
    let check = |endpoint, name: &str, value: &str, word: &str| {
        let refusal = read(endpoint, &[(name, value)]).unwrap_err();
        assert_eq!(refusal.status(), 400);
        assert!(refusal.to_string().contains(word), "{refusal} lacks {word:?}");
    };
    check(Endpoint::RtcV1, "other", "1", "join_request is missing");
    check(Endpoint::RtcV1, "join_request", "%%", "not base64url");
    check(Endpoint::RtcV1, "join_request", "AAAA", "join_request");
    check(Endpoint::RtcV1, "join_request", &URL_SAFE.encode(wrap(1, vec![1, 2])), "not gzip");
    check(
        Endpoint::RtcV1,
        "join_request",
        &URL_SAFE.encode(wrap(9, vec![])),
        "unknown compression",
    );
    let bomb = gzip(&vec![0; 8 * 1024 * 1024]);
    assert!(bomb.len() < 20_000);
    check(Endpoint::RtcV1, "join_request", &URL_SAFE.encode(wrap(1, bomb)), "inflates to more");
    let many = lk::JoinRequest {
        add_track_requests: vec![lk::AddTrackRequest::default(); ADD_TRACKS_MAX + 1],
        ..Default::default()
    };
    let many = URL_SAFE.encode(wrap(0, many.encode_to_vec()));
    check(Endpoint::RtcV1, "join_request", &many, "65 tracks");
    let long = "A".repeat(JOIN_REQUEST_TEXT_LEN_MAX + 1);
    check(Endpoint::Rtc, "join_request", &long, "bytes");
    check(Endpoint::Rtc, "attributes", "!", "not base64url");
    check(Endpoint::Rtc, "attributes", &URL_SAFE.encode(b"[1]"), "JSON object");
    let long = "A".repeat(ATTRIBUTES_TEXT_LEN_MAX + 1);
    check(Endpoint::Rtc, "attributes", &long, "attributes_too_large");
}

#[test]
fn long_properties_are_cut_at_a_character() {
    let long = "é".repeat(CLIENT_TEXT_LEN_MAX);
    let hello = read(Endpoint::Rtc, &[("device_model", &long)]).unwrap();
    assert_eq!(hello.client.info.device_model.len(), CLIENT_TEXT_LEN_MAX);
    let request = lk::JoinRequest {
        client_info: Some(lk::ClientInfo { os: "x".repeat(10_000), ..Default::default() }),
        ..Default::default()
    };
    let text = URL_SAFE.encode(wrap(0, request.encode_to_vec()));
    let hello = read(Endpoint::RtcV1, &[("join_request", &text)]).unwrap();
    assert_eq!(hello.client.info.os.len(), CLIENT_TEXT_LEN_MAX);
    assert!(hello.client.auto_subscribe, "no settings at all mean the defaults");
}

proptest! {
    #[test]
    fn garbage_never_panics(text in "[A-Za-z0-9_=-]{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(Endpoint::RtcV1, &[("join_request", &text)]);
        let _ = read(Endpoint::Rtc, &[("attributes", &text), ("capabilities", &text), ("sdk", &text)]);
        let _ = read(Endpoint::RtcV1, &[("join_request", &URL_SAFE.encode(&bytes))]);
        let _ = read(Endpoint::RtcV1, &[("join_request", &URL_SAFE.encode(wrap(0, bytes.clone())))]);
        let _ = read(Endpoint::RtcV1, &[("join_request", &URL_SAFE.encode(wrap(1, gzip(&bytes))))]);
    }
}

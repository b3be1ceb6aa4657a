//! Everybody is told in which codec a track is really sent, whatever was announced;
//! and the candidates of ordinary clients count as nothing bad.

mod support;

use std::time::Duration;

use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use str0m::format::Codec;
use support::{World, description, join, single};

/// The offer with the payload types of a codec first on every `m=video` line.
fn prefer(sdp: &str, codec: &str) -> String {
    let maps = sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:"));
    let maps = maps.filter_map(|map| map.split_once(' '));
    let pts: Vec<&str> =
        maps.filter(|(_, name)| name.starts_with(codec)).map(|(pt, _)| pt).collect();
    assert!(!pts.is_empty(), "{codec} is in {sdp}");
    let mut out = String::new();
    for line in sdp.lines() {
        if line.starts_with("m=video ") {
            let (head, rest): (Vec<_>, Vec<_>) =
                line.split(' ').enumerate().partition(|(n, _)| *n < 3);
            let (mut first, last): (Vec<_>, Vec<_>) =
                rest.iter().map(|(_, pt)| *pt).partition(|pt| pts.contains(pt));
            first.extend(last);
            let head: Vec<_> = head.iter().map(|(_, word)| *word).collect();
            out.push_str(&[head, first].concat().join(" "));
        } else {
            out.push_str(line);
        }
        out.push_str("\r\n");
    }
    out
}

fn offer(world: &mut World, client: usize, codec: &str) {
    let Some(sdp) = world.clients[client].up.offer() else { return };
    let sdp = prefer(&sdp, codec);
    world.send(client, Request::Offer(description("offer", sdp)));
    world.run(Duration::from_millis(200));
}

/// What the publisher was told when its track was taken.
fn taken(world: &World, client: usize, cid: &str) -> Option<lk::TrackInfo> {
    let mut inbox = world.clients[client].inbox.iter();
    inbox.find_map(|message| match message {
        Response::TrackPublished(published) if published.cid == cid => published.track.clone(),
        _ => None,
    })
}

#[test]
fn the_offer_says_the_codec_where_the_announcement_does_not() {
    for (codec, mime) in
        [("VP8", "video/VP8"), ("H264", "video/H264"), ("VP9", "video/VP9"), ("AV1", "video/AV1")]
    {
        for offer_first in [false, true] {
            let mut world = World::new();
            let ann = world.arrive(join("ann"));
            let bob = world.arrive(join("bob"));
            if !offer_first {
                world.add_track(ann, lk::TrackType::Video, "cam");
            }
            world.clients[ann].up.add_track(lk::TrackType::Video, "cam");
            offer(&mut world, ann, codec);
            if offer_first {
                world.add_track(ann, lk::TrackType::Video, "cam");
                world.run(Duration::from_millis(200));
                assert_eq!(taken(&world, ann, "cam").unwrap().mime_type, mime);
            }
            let seen = world.clients[bob].sees("ann").unwrap();
            assert_eq!(seen.tracks[0].mime_type, mime, "offer first: {offer_first}");
        }
    }
}

#[test]
fn what_comes_in_corrects_what_was_said() {
    for ann in [join("ann"), single(join("ann"))] {
        let mut world = World::new();
        let ann = world.arrive(ann);
        let bob = world.arrive(join("bob"));
        let request = lk::AddTrackRequest {
            cid: "cam".to_owned(),
            r#type: lk::TrackType::Video.into(),
            source: lk::TrackSource::Camera.into(),
            simulcast_codecs: vec![lk::SimulcastCodec {
                codec: "vp9".to_owned(),
                cid: "cam".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        world.send(ann, Request::AddTrack(request));
        world.clients[ann].up.add_track(lk::TrackType::Video, "cam");
        world.offer(ann);
        world.run(Duration::from_millis(200));
        let before = world.clients[bob].sees("ann").unwrap().clone();
        assert_eq!(before.tracks[0].mime_type, "video/VP9", "what was announced");
        world.clients[ann].up.video = Codec::H264;
        world.stream(ann, "cam", 5);
        let after = world.clients[bob].sees("ann").unwrap().clone();
        assert_eq!(after.tracks[0].mime_type, "video/H264");
        assert_eq!(after.tracks[0].codecs[0].mime_type, "video/H264");
        assert!(after.version > before.version);
        world.stream(ann, "cam", 100);
        assert_eq!(world.clients[bob].sees("ann").unwrap().version, after.version, "told once");
    }
}

#[test]
fn audio_is_opus_and_stays_so() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    world.publish(ann, lk::TrackType::Audio, "mic");
    assert_eq!(taken(&world, ann, "mic").unwrap().mime_type, "audio/opus");
    let before = world.clients[bob].sees("ann").unwrap().version;
    world.stream(ann, "mic", 10);
    let seen = world.clients[bob].sees("ann").unwrap();
    assert_eq!((seen.tracks[0].mime_type.as_str(), seen.version), ("audio/opus", before));
}

#[test]
fn candidates_of_ordinary_clients_are_not_malformed() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    for candidate in [
        "candidate:1 1 tcp 1518280447 10.0.0.2 9 typ host tcptype active generation 0",
        "candidate:2 1 udp 2113937151 4a8b3c1e-0c5f-4a3e-9a77-000000000000.local 50000 typ host",
        "candidate:3 1 udp 2113937151 10.0.0.3 50000 typ host",
        "",
    ] {
        let candidate_init = format!(r#"{{"candidate":"{candidate}","sdpMid":"0"}}"#);
        let trickle = lk::TrickleRequest { candidate_init, ..Default::default() };
        world.send(ann, Request::Trickle(trickle));
    }
    let stats = world.sfu.stats();
    assert_eq!((stats.malformed_candidates, stats.candidates_unused), (0, 2));
}

#[test]
fn speakers_are_told_to_those_who_hear_them() {
    for bob in [join("bob"), single(join("bob"))] {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        let bob = world.arrive(bob);
        world.publish(ann, lk::TrackType::Audio, "mic");
        world.stream(ann, "mic", 100);
        let mut inbox = world.clients[bob].inbox.iter();
        let told = inbox.any(|message| {
            matches!(message, Response::SpeakersChanged(c)
                if c.speakers.iter().any(|s| s.active && s.sid == world.clients[ann].sid))
        });
        assert!(told);
    }
}

#[test]
fn who_comes_back_is_told_everybodys_quality() {
    for bob in [join("bob"), single(join("bob"))] {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        world.publish(ann, lk::TrackType::Audio, "mic");
        for _ in 0..2 {
            let bob = world.arrive(bob.clone());
            world.stream(ann, "mic", 600);
            let mut inbox = world.clients[bob].inbox.iter();
            let told = inbox.any(|message| {
                matches!(message, Response::ConnectionQuality(q)
                    if q.updates.iter().any(|u| u.participant_sid == world.clients[ann].sid))
            });
            assert!(told);
            world.send(bob, Request::Leave(lk::LeaveRequest::default()));
            world.run(Duration::from_millis(100));
        }
    }
}

//! A second codec for those who cannot decode the first: asked for when somebody needs it, and sent to them alone.

mod support;

use std::time::Duration;

use fermata_sfu::io::Join;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use str0m::format::Codec;
use support::{World, join, single};

/// Somebody publishes H264, with VP8 as a backup or without; the track's sid.
fn publish(world: &mut World, ann: usize, backup: bool) -> String {
    let codec = |codec: &str, cid: &str| lk::SimulcastCodec {
        codec: codec.to_owned(),
        cid: cid.to_owned(),
        ..Default::default()
    };
    let mut simulcast_codecs = vec![codec("h264", "cam")];
    simulcast_codecs.extend(backup.then(|| codec("vp8", "")));
    let request = lk::AddTrackRequest {
        cid: "cam".to_owned(),
        r#type: lk::TrackType::Video.into(),
        source: lk::TrackSource::Camera.into(),
        simulcast_codecs,
        ..Default::default()
    };
    world.send(ann, Request::AddTrack(request));
    world.clients[ann].up.add_track(lk::TrackType::Video, "cam");
    world.offer(ann);
    world.run(Duration::from_millis(200));
    world.clients[ann].up.video = Codec::H264;
    world.published(ann, "cam").unwrap_or_default()
}

/// The backup's stream, as LiveKit's client announces it: under the name of the first codec.
fn publish_backup(world: &mut World, ann: usize, sid: &str) {
    let request = lk::AddTrackRequest {
        cid: "cam-vp8".to_owned(),
        sid: sid.to_owned(),
        r#type: lk::TrackType::Video.into(),
        source: lk::TrackSource::Camera.into(),
        simulcast_codecs: vec![lk::SimulcastCodec {
            codec: "h264".to_owned(),
            cid: "cam-vp8".to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    };
    world.send(ann, Request::AddTrack(request));
    world.clients[ann].up.add_track(lk::TrackType::Video, "cam-vp8");
    world.offer(ann);
    world.run(Duration::from_millis(200));
}

/// Both codecs for a while, in turns.
fn stream(world: &mut World, ann: usize, packets: usize) {
    for _ in 0..packets {
        world.clients[ann].up.video = Codec::H264;
        world.stream(ann, "cam", 1);
        world.clients[ann].up.video = Codec::Vp8;
        world.stream(ann, "cam-vp8", 1);
    }
}

/// Which codecs the publisher was told last that somebody wants, and how many of their qualities.
fn asked(world: &World, ann: usize) -> Vec<(String, usize)> {
    let inbox = world.clients[ann].inbox.iter().rev();
    let told = inbox.into_iter().find_map(|message| match message {
        Response::SubscribedQualityUpdate(update) => Some(update),
        _ => None,
    });
    let codecs = told.map(|update| update.subscribed_codecs.clone()).unwrap_or_default();
    let enabled =
        |codec: &lk::SubscribedCodec| codec.qualities.iter().filter(|q| q.enabled).count();
    codecs.iter().map(|codec| (codec.codec.clone(), enabled(codec))).collect()
}

fn unsupported(world: &World, client: usize, sid: &str) -> usize {
    let inbox = world.clients[client].inbox.iter();
    inbox
        .filter(|message| {
            matches!(message, Response::SubscriptionResponse(r) if r.track_sid == sid
                && r.err == i32::from(lk::SubscriptionError::SeCodecUnsupported))
        })
        .count()
}

fn vp8_only(world: &mut World, join: Join) -> usize {
    world.vp8_only = true;
    let client = world.arrive(join);
    world.vp8_only = false;
    client
}

fn each_gets_what_it_can_decode(bob: Join, cid: Join) {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let cid = world.arrive(cid);
    let sid = publish(&mut world, ann, true);
    world.stream(ann, "cam", 10);
    assert_eq!(world.clients[cid].heard(&sid).len(), 10);
    assert!(asked(&world, ann).iter().all(|(codec, on)| codec != "vp8" || *on == 0));
    let bob = vp8_only(&mut world, bob);
    world.stream(ann, "cam", 10);
    assert_eq!(world.clients[bob].heard(&sid).len(), 0);
    let both = [("h264".to_owned(), 3), ("vp8".to_owned(), 3)];
    assert_eq!(asked(&world, ann), both, "somebody needs the backup");
    assert_eq!(unsupported(&world, bob, &sid), 0);
    publish_backup(&mut world, ann, &sid);
    let (bobs, cids) = (world.clients[bob].heard(&sid).len(), world.clients[cid].heard(&sid).len());
    stream(&mut world, ann, 50);
    assert!(world.clients[bob].heard(&sid).len() >= bobs + 48, "the backup");
    assert_eq!(world.clients[cid].heard(&sid).len(), cids + 50, "the first codec alone");
    assert!(world.clients[cid].heard(&sid).iter().all(|packet| packet.payload[0] == 0x67));
    let seen = world.clients[bob].sees("ann").unwrap_or_default();
    assert_eq!(seen.tracks.len(), 1, "one track in two codecs");
    let mimes: Vec<_> = seen.tracks[0].codecs.iter().map(|codec| &codec.mime_type[..]).collect();
    assert_eq!(mimes, ["video/H264", "video/VP8"]);
    assert_eq!(world.sfu.stats().tracks, 1);
    // Settings and pauses reach the backup too.
    let settings = |disabled| {
        let track_sids = vec![sid.clone()];
        Request::TrackSetting(lk::UpdateTrackSettings {
            track_sids,
            disabled,
            quality: 2,
            ..Default::default()
        })
    };
    world.send(bob, settings(true));
    world.run(Duration::from_millis(200));
    let before = world.clients[bob].heard(&sid).len();
    stream(&mut world, ann, 300);
    assert_eq!(world.clients[bob].heard(&sid).len(), before);
    assert_eq!(asked(&world, ann), [("h264".to_owned(), 3), ("vp8".to_owned(), 0)]);
    world.send(bob, settings(false));
    stream(&mut world, ann, 60);
    assert_eq!(asked(&world, ann), both);
    assert!(world.clients[bob].heard(&sid).len() > before + 10);
    // Without the backup it waits again.
    world.clients[ann].up.stop_track("cam-vp8");
    world.offer(ann);
    world.run(Duration::from_millis(200));
    let before = world.clients[bob].heard(&sid).len();
    world.clients[ann].up.video = Codec::H264;
    world.stream(ann, "cam", 10);
    assert_eq!(world.clients[bob].heard(&sid).len(), before);
    assert_eq!(world.clients[bob].sees("ann").unwrap_or_default().tracks.len(), 1);
}

#[test]
fn the_backup_is_asked_for_and_sent_where_it_is_needed() {
    each_gets_what_it_can_decode(join("bob"), join("cid"));
    each_gets_what_it_can_decode(single(join("bob")), single(join("cid")));
}

#[test]
fn who_can_decode_neither_is_told_once() {
    for bob in [join("bob"), single(join("bob"))] {
        let mut world = World::new();
        let ann = world.arrive(join("ann"));
        let sid = publish(&mut world, ann, false);
        let bob = vp8_only(&mut world, bob);
        world.stream(ann, "cam", 20);
        assert_eq!(unsupported(&world, bob, &sid), 1);
        let ben = world.arrive(join("ben"));
        world.stream(ann, "cam", 20);
        assert_eq!(unsupported(&world, ben, &sid), 0);
        assert_eq!(world.clients[bob].heard(&sid).len(), 0);
        assert_eq!(unsupported(&world, bob, &sid), 1, "once");
    }
}

#[test]
fn nothing_is_left_of_a_track_with_a_backup() {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let sid = publish(&mut world, ann, true);
    let bob = vp8_only(&mut world, join("bob"));
    publish_backup(&mut world, ann, &sid);
    stream(&mut world, ann, 20);
    for client in [ann, bob] {
        world.send(client, Request::Leave(lk::LeaveRequest::default()));
    }
    world.run(Duration::from_secs(30));
    let stats = world.sfu.stats();
    assert_eq!((stats.tracks, stats.subscriptions), (0, 0));
}

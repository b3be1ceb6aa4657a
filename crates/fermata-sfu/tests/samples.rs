//! Quality samples: when they come, what is in them, what freezes.

mod support;

use std::time::Duration;

use fermata_sfu::io::{Command, Input, Join};
use fermata_types::{Media, StaySample, TrackSample};
use jiff::Timestamp;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use support::{APP, World, join, room, single};

/// Two people; `ann` has a microphone and a camera, and both have streamed.
struct Talk {
    world: World,
    ann: usize,
    bob: usize,
    mic: String,
    cam: String,
}

/// A world whose wall clock stands so many milliseconds after a whole sample.
fn world(phase_ms: i64) -> World {
    let mut world = World::new();
    let wall = Timestamp::from_millisecond(1_800_000_000_000 + phase_ms);
    world.now.wall = wall.unwrap_or(Timestamp::UNIX_EPOCH);
    world
}

impl Talk {
    fn new(ann: Join, bob: Join) -> Self {
        Self::at(1_300, ann, bob)
    }

    fn at(phase_ms: i64, ann: Join, bob: Join) -> Self {
        let mut world = world(phase_ms);
        let ann = world.arrive(ann);
        let bob = world.arrive(bob);
        let mic = world.publish(ann, lk::TrackType::Audio, "mic");
        let cam = world.publish(ann, lk::TrackType::Video, "cam");
        Self { world, ann, bob, mic, cam }
    }

    /// Both tracks, 25 packets a second each.
    fn stream(&mut self, seconds: usize) {
        for _ in 0..seconds * 25 {
            self.world.stream(self.ann, "mic", 1);
            self.world.stream(self.ann, "cam", 1);
        }
    }

    fn of(&self, client: usize, track: &str) -> Vec<&TrackSample> {
        let sid = &self.world.clients[client].sid;
        let samples = self.world.samples.iter().filter(|sample| sample.stay.as_str() == sid);
        let tracks = samples.flat_map(|sample| &sample.tracks);
        tracks.filter(|sample| sample.track.as_str() == track).collect()
    }

    fn sum(&self, client: usize, track: &str, of: fn(&TrackSample) -> u32) -> u32 {
        self.of(client, track).into_iter().map(of).sum()
    }
}

fn check_times(samples: &[StaySample]) {
    for sample in samples {
        assert_eq!(sample.at.as_second() % 5, 0);
        assert_eq!(sample.at.subsec_nanosecond(), 0);
        let earlier = samples.iter().filter(|s| s.stay == sample.stay && s.at == sample.at);
        assert_eq!(earlier.count(), 1, "one sample a stay and time");
        for track in &sample.tracks {
            assert!(track.freeze_ms <= sample.span_ms, "{sample:?}");
        }
    }
}

fn talk(mut talk: Talk) {
    talk.stream(30);
    let samples = &talk.world.samples;
    check_times(samples);
    assert!((12..=14).contains(&samples.len()), "{}", samples.len());
    let (ann, bob) = (talk.ann, talk.bob);
    // What is left out is what came since the last sample.
    for (client, track) in [(ann, &talk.mic), (bob, &talk.mic), (ann, &talk.cam), (bob, &talk.cam)]
    {
        let packets = talk.sum(client, track, |sample| sample.packets);
        assert!((600..=751).contains(&packets), "{packets}");
        assert_eq!(talk.sum(client, track, |sample| sample.lost), 0);
        let freeze = talk.sum(client, track, |sample| sample.freeze_ms);
        assert!(freeze < 100, "{freeze}");
        let own = client == ann;
        for sample in talk.of(client, track) {
            assert_eq!(sample.from.is_none(), own);
        }
    }
    let (sent, received) = (talk.of(ann, &talk.cam), talk.of(bob, &talk.cam));
    for sample in sent.iter().chain(&received).filter(|sample| sample.packets > 0) {
        assert_eq!((sample.media, sample.width, sample.height), (Media::Video, 320, 180));
        assert_eq!(sample.frames, sample.packets, "a packet is a picture");
    }
    let from = received[2].from.as_ref().map(ToString::to_string);
    assert_eq!(from.as_ref(), Some(&talk.world.clients[ann].sid));
    assert_eq!(received[2].frames, 125);
    let sound = talk.of(bob, &talk.mic)[2];
    assert_eq!(
        (sound.media, sound.packets, sound.bytes, sound.frames),
        (Media::Audio, 125, 500, 0)
    );
    let spans: Vec<_> = samples.iter().map(|sample| sample.span_ms).collect();
    assert!(spans[2..].iter().all(|span| (4_990..=5_010).contains(span)), "{spans:?}");
    assert!(samples.iter().any(|sample| sample.rtt_ms.is_some()));
    talk.world.command(Command::DismissRoom { app: APP, room: room("r") });
    assert_eq!(talk.world.sfu.entries(), 0);
}

#[test]
fn a_talk_with_two_connections_each() {
    for phase_ms in [0, 1, 1_234, 3_000, 4_999] {
        talk(Talk::at(phase_ms, join("ann"), join("bob")));
    }
}

#[test]
fn a_talk_with_a_single_connection_each() {
    talk(Talk::new(single(join("ann")), single(join("bob"))));
}

#[test]
fn a_camera_that_stops_freezes_until_it_is_muted_and_sound_does_not() {
    let mut talk = Talk::new(join("ann"), join("bob"));
    talk.stream(10);
    talk.world.samples.clear();
    talk.world.run(Duration::from_secs(10));
    let (ann, bob) = (talk.ann, talk.bob);
    for client in [ann, bob] {
        let frozen = talk.sum(client, &talk.cam, |sample| sample.freeze_ms);
        assert!((4_500..=10_000).contains(&frozen), "{frozen}");
        assert_eq!(talk.sum(client, &talk.mic, |sample| sample.freeze_ms), 0);
    }
    let nothing = talk.of(ann, &talk.mic);
    assert!(nothing.last().is_some_and(|sample| sample.packets == 0), "something should come");
    for sid in [talk.cam.clone(), talk.mic.clone()] {
        talk.world.send(ann, Request::Mute(lk::MuteTrackRequest { sid, muted: true }));
    }
    talk.world.run(Duration::from_secs(6));
    talk.world.samples.clear();
    talk.world.run(Duration::from_secs(10));
    assert!(talk.world.samples.len() >= 4);
    assert!(talk.world.samples.iter().all(|sample| sample.tracks.is_empty()), "muted");
    for sid in [talk.cam.clone(), talk.mic.clone()] {
        talk.world.send(ann, Request::Mute(lk::MuteTrackRequest { sid, muted: false }));
    }
    talk.stream(10);
    assert_eq!(talk.sum(bob, &talk.cam, |sample| sample.freeze_ms), 0, "no freeze while muted");
}

#[test]
fn what_a_receiver_turned_off_does_not_freeze() {
    let mut talk = Talk::new(join("ann"), join("bob"));
    talk.stream(10);
    let off = lk::UpdateTrackSettings {
        track_sids: vec![talk.cam.clone()],
        disabled: true,
        ..Default::default()
    };
    talk.world.send(talk.bob, Request::TrackSetting(off));
    talk.stream(6);
    talk.world.samples.clear();
    talk.stream(10);
    assert!(talk.of(talk.bob, &talk.cam).is_empty());
    assert!(talk.sum(talk.ann, &talk.cam, |sample| sample.packets) > 0);
}

#[test]
fn a_camera_that_nobody_wants_need_not_send() {
    let mut world = world(2_000);
    let ann = world.arrive(join("ann"));
    world.publish(ann, lk::TrackType::Video, "cam");
    world.stream(ann, "cam", 350);
    world.run(Duration::from_secs(12));
    world.stream(ann, "cam", 50);
    world.run(Duration::from_secs(6));
    let tracks: Vec<_> = world.samples.iter().flat_map(|sample| &sample.tracks).collect();
    assert!((2..=4).contains(&tracks.len()), "{tracks:?}");
    assert!(tracks.iter().all(|track| track.packets > 0 && track.freeze_ms == 0), "{tracks:?}");
}

#[test]
fn losses_are_counted_where_they_happen_and_reported_by_the_receiver() {
    let mut talk = Talk::new(join("ann"), join("bob"));
    talk.stream(15);
    for _ in 0..20 {
        talk.world.lose(talk.ann, "mic", 2);
        talk.stream(1);
    }
    talk.stream(15);
    let lost = talk.sum(talk.ann, &talk.mic, |sample| sample.lost);
    assert_eq!(lost, 40);
    assert_eq!(talk.sum(talk.ann, &talk.mic, |sample| sample.freeze_ms), 40 * 20);
    let reported = talk.sum(talk.bob, &talk.mic, |sample| sample.lost);
    assert!((30..=41).contains(&reported), "{reported}");
    let frozen = talk.sum(talk.bob, &talk.mic, |sample| sample.freeze_ms);
    assert!((600..=1_700).contains(&frozen), "{frozen}");
}

#[test]
fn who_is_not_connected_is_not_sampled() {
    let mut talk = Talk::new(join("ann"), join("bob"));
    let waits = talk.world.enter(join("cid"));
    talk.world.clients[waits].dead = true;
    talk.stream(10);
    let sid = talk.world.clients[waits].sid.clone();
    assert!(talk.world.samples.iter().all(|sample| sample.stay.as_str() != sid));
    let bob = talk.world.clients[talk.bob].sid.clone();
    talk.world.clients[talk.bob].dead = true;
    let connection = talk.world.clients[talk.bob].connection;
    talk.world.input(Input::SignalClosed(connection));
    talk.world.run(Duration::from_secs(40));
    talk.world.samples.clear();
    talk.world.run(Duration::from_secs(15));
    assert!(talk.world.samples.iter().all(|sample| sample.stay.as_str() != bob), "vanished");
    assert!(talk.world.samples.len() >= 2);
}

#[test]
fn a_stepping_wall_clock_makes_no_second_sample_of_a_time() {
    for seconds in [-3_600, -5, -3, -1, 1, 4, 7, 3_600] {
        let mut talk = Talk::new(join("ann"), join("bob"));
        talk.world.run(Duration::from_secs(20));
        talk.world.now.wall += jiff::SignedDuration::from_secs(seconds);
        talk.world.run(Duration::from_secs(30));
        check_times(&talk.world.samples);
        assert!(talk.world.samples.len() >= 14, "{seconds}: {}", talk.world.samples.len());
    }
}

#[test]
fn a_large_room_is_sampled_in_steps_and_whole() {
    let mut world = world(700);
    let clients: Vec<_> = (0..24).map(|n| world.arrive(join(&format!("u{n:02}")))).collect();
    for &client in &clients {
        for cid in ["a", "b"] {
            world.publish(client, lk::TrackType::Audio, cid);
        }
    }
    world.run(Duration::from_secs(5));
    world.samples.clear();
    world.run(Duration::from_secs(10));
    check_times(&world.samples);
    assert_eq!(world.samples.len(), 2 * 24);
    let spans: Vec<_> = world.samples.iter().map(|sample| sample.span_ms).collect();
    assert!(spans.iter().all(|span| (4_990..=5_010).contains(span)), "{spans:?}");
}

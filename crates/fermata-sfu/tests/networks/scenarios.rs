//! Single scenes: layers within one stream, who gives way, and what is said of it.

use std::time::Duration;

use fermata_emulator::{Conditions, Step};
use fermata_testkit::synth::{self, Stamp, Vp8Frame};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use str0m::format::Codec;

use crate::meeting::{GOOD_MS, Kind, Meeting};
use crate::support::media::Ms;
use crate::support::media::source::Due;
use crate::support::{self, Way, World, description, join, single};

/// Pictures of a track a second.
const PICTURES: u64 = 25;
/// Longest payload.
const LEN_MAX: usize = 1_100;
/// Bytes of a picture for each spatial layer of VP9: 150, 350 and 1,000 kb/s.
const SPATIAL_LEN: [usize; 3] = [750, 1_750, 5_000];

fn world() -> World {
    let mut config = support::config();
    config.limits.congestion_control = true;
    World::with(config)
}

/// A way of 20 ms to where a client receives.
fn lay_way(world: &mut World, client: usize) {
    let address = world.clients[client].receiver().address;
    world.ways.insert(address, Way::new(world.now.instant, 1, GOOD_MS));
}

/// From now on the way to a client lets so much through; 0: everything.
fn narrow(world: &mut World, client: usize, kbps: u64) {
    let address = world.clients[client].receiver().address;
    let rate_bps = kbps * 1_000;
    let conditions = Conditions { rate_bps, delay_ms: GOOD_MS, ..Conditions::default() };
    let way = world.ways.get_mut(&address).unwrap();
    let us = way.us(world.now.instant);
    way.down.change(us, vec![Step { at_ms: 0, conditions }]);
}

/// What a client was told of a track: paused, or going on.
fn told(world: &World, client: usize, track: &str) -> Vec<lk::StreamState> {
    let inbox = world.clients[client].inbox.iter();
    let updates = inbox.filter_map(|message| match message {
        Response::StreamStateUpdate(update) => Some(&update.stream_states),
        _ => None,
    });
    let states = updates.flatten().filter(|state| state.track_sid == track);
    states.map(lk::StreamStateInfo::state).collect()
}

/// One who sends pictures of so many bytes, in one layer.
struct Sender {
    client: usize,
    cid: &'static str,
    len: usize,
    pictures: u16,
    seq: u64,
    keyframes: u8,
}

impl Sender {
    fn new(client: usize, cid: &'static str, len: usize) -> Self {
        Self { client, cid, len, pictures: 0, seq: 100, keyframes: 0 }
    }

    fn picture(&mut self, world: &mut World, keyframe: bool) {
        let now = world.now.instant;
        self.pictures += 1;
        self.keyframes = (self.keyframes + u8::from(keyframe)) & 0x1f;
        let frame = Vp8Frame {
            keyframe: keyframe.then_some((640, 360)),
            picture_id: self.pictures,
            tl0_pic_idx: self.pictures.to_be_bytes()[1],
            key_idx: self.keyframes,
        };
        let count = self.len.div_ceil(LEN_MAX);
        for index in 0..count {
            self.seq += 1;
            let stamp = Stamp { counter: self.pictures.into(), sent_us: 0 };
            let due = Due {
                layer: Some(0),
                seq: self.seq,
                timestamp: u32::from(self.pictures) * 3_600,
                marker: index + 1 == count,
                payload: synth::vp8(&frame, index, stamp, self.len / count),
            };
            world.clients[self.client].up.send_due(now, self.cid, None, Codec::Vp8, due);
        }
    }
}

/// All senders send for so long; a keyframe of all of them whenever one is asked for.
fn send(world: &mut World, senders: &mut [Sender], seconds: u64) {
    for _ in 0..seconds * PICTURES {
        let who = senders[0].client;
        let asked = !std::mem::take(&mut world.clients[who].up.layers_asked).is_empty();
        for sender in &mut *senders {
            let keyframe = asked || sender.pictures == 0;
            sender.picture(world, keyframe);
        }
        world.run(Duration::from_millis(1_000 / PICTURES));
    }
}

fn publish_screen(world: &mut World, client: usize) -> String {
    let request = lk::AddTrackRequest {
        cid: "screen".to_owned(),
        r#type: lk::TrackType::Video.into(),
        source: lk::TrackSource::ScreenShare.into(),
        width: 640,
        height: 360,
        ..Default::default()
    };
    world.send(client, Request::AddTrack(request));
    world.clients[client].up.add_track(lk::TrackType::Video, "screen");
    world.offer(client);
    world.run(Duration::from_millis(500));
    world.published(client, "screen").unwrap()
}

#[test]
fn a_screen_goes_before_a_camera() {
    for screen_first in [false, true] {
        let mut world = world();
        let ann = world.arrive(join("ann"));
        let bob = world.arrive(join("bob"));
        lay_way(&mut world, bob);
        let (mut camera, mut screen) = (String::new(), String::new());
        for of_screen in [screen_first, !screen_first] {
            if of_screen {
                screen = publish_screen(&mut world, ann);
            } else {
                camera = world.publish(ann, lk::TrackType::Video, "cam");
            }
        }
        // 400 kb/s each.
        let mut senders = [Sender::new(ann, "cam", 2_000), Sender::new(ann, "screen", 2_000)];
        send(&mut world, &mut senders, 5);
        assert!(told(&world, bob, &camera).is_empty() && told(&world, bob, &screen).is_empty());
        narrow(&mut world, bob, 650);
        send(&mut world, &mut senders, 8);
        let before = world.clients[bob].heard(&screen).len();
        send(&mut world, &mut senders, 8);
        let came = world.clients[bob].heard(&screen).len() - before;
        println!(
            "screen: {came} packets; {:?} {:?}",
            told(&world, bob, &camera),
            told(&world, bob, &screen)
        );
        assert_eq!(told(&world, bob, &camera).last(), Some(&lk::StreamState::Paused));
        assert_ne!(told(&world, bob, &screen).last(), Some(&lk::StreamState::Paused));
        assert!(came >= 8 * 25 * 2 * 9 / 10, "{came} packets of the screen");
        narrow(&mut world, bob, 0);
        send(&mut world, &mut senders, 15);
        assert_eq!(told(&world, bob, &camera).last(), Some(&lk::StreamState::Active));
    }
}

#[test]
fn who_is_paused_is_told_so_and_told_when_it_goes_on() {
    for bob in [join("bob"), single(join("bob"))] {
        let mut world = world();
        let ann = world.arrive(join("ann"));
        let bob = world.arrive(bob);
        lay_way(&mut world, bob);
        let camera = world.publish(ann, lk::TrackType::Video, "cam");
        let mut senders = [Sender::new(ann, "cam", 2_000)];
        send(&mut world, &mut senders, 5);
        assert_eq!(told(&world, bob, &camera), []);
        narrow(&mut world, bob, 150);
        send(&mut world, &mut senders, 10);
        assert_eq!(told(&world, bob, &camera), [lk::StreamState::Paused]);
        narrow(&mut world, bob, 0);
        send(&mut world, &mut senders, 15);
        assert_eq!(told(&world, bob, &camera), [lk::StreamState::Paused, lk::StreamState::Active]);
        let before = world.clients[bob].heard(&camera).len();
        send(&mut world, &mut senders, 4);
        assert_eq!(world.clients[bob].heard(&camera).len() - before, 4 * 25 * 2);
    }
}

#[test]
fn sound_waits_for_no_picture() {
    for seed in 0..3 {
        let mut meeting = Meeting::new(Kind { seed, ..Kind::default() });
        meeting.run(4_000);
        let conditions =
            Conditions { rate_bps: 1_000_000, delay_ms: GOOD_MS, ..Conditions::default() };
        let good = Conditions { delay_ms: GOOD_MS, ..Conditions::default() };
        let step = |conditions| vec![Step { at_ms: 0, conditions }];
        meeting.turn(step(conditions), step(good));
        meeting.run(8_000);
        let from = meeting.now();
        for _ in 0..12 {
            // For whoever else came.
            for layer in 0..3 {
                meeting.source.request(meeting.now(), layer);
            }
            meeting.run(1_000);
        }
        // Beside the good ways here and there, and the time between two looks.
        let sounds = meeting.bob.sounds.iter().filter(|(_, sent)| *sent >= from);
        let mut waits: Vec<Ms> = sounds.map(|(at, sent)| at - sent - 40).collect();
        waits.sort_unstable();
        let (middle, late) = (waits[waits.len() / 2], waits[waits.len() * 19 / 20]);
        println!(
            "sound waits {seed}: {middle}, {late} ms at 95 of 100, {:?} at most",
            waits.last()
        );
        assert!(late <= 50, "{late} ms");
    }
}

/// A description without transport-wide numbers and feedback.
fn without_numbers(sdp: &str) -> String {
    let lines = sdp
        .lines()
        .filter(|line| !line.contains("transport-cc") && !line.contains("transport-wide"));
    lines.flat_map(|line| [line, "\r\n"]).collect()
}

/// Answers the last offer as one who knows no transport-wide numbers.
fn answer_without_numbers(world: &mut World, client: usize) {
    let inbox = world.clients[client].inbox.iter();
    let mut offers = inbox.rev().filter_map(|message| match message {
        Response::Offer(offer) => Some(offer.clone()),
        _ => None,
    });
    let offer = offers.next().unwrap();
    let down = world.clients[client].down.as_mut().unwrap();
    let sdp = without_numbers(&down.answer(&without_numbers(&offer.sdp)));
    let answer = lk::SessionDescription { id: offer.id, ..description("answer", sdp) };
    world.send(client, Request::Answer(answer));
    world.run(Duration::from_secs(1));
}

#[test]
fn who_only_says_how_much_it_can_take_gets_no_more() {
    let mut world = world();
    let ann = world.arrive(join("ann"));
    let bob = world.enter(join("bob"));
    world.clients[bob].holds_offers = true;
    world.offer(bob);
    world.run(Duration::from_millis(200));
    let camera = world.publish(ann, lk::TrackType::Video, "cam");
    let screen = publish_screen(&mut world, ann);
    answer_without_numbers(&mut world, bob);
    assert!(world.clients[bob].is_connected());
    // 800 kb/s each.
    let mut senders = [Sender::new(ann, "cam", 4_000), Sender::new(ann, "screen", 4_000)];
    let mut phase = |world: &mut World, kbps: Option<u64>| {
        for _ in 0..6 {
            let section = world.clients[bob].receiver().received.last().map(|p| p.mid.clone());
            if let Some((section, kbps)) = section.zip(kbps) {
                let now = world.now.instant;
                world.clients[bob].down.as_mut().unwrap().say_remb(now, &section, kbps * 1_000);
            }
            send(world, &mut senders, 1);
        }
        [&camera, &screen]
            .map(|track| told(world, bob, track).last() == Some(&lk::StreamState::Paused))
    };
    assert_eq!(phase(&mut world, None), [false, false], "nothing is known");
    assert_eq!(phase(&mut world, Some(3_000)), [false, false], "there is room");
    assert_eq!(phase(&mut world, Some(1_000)), [true, false], "room for one");
}

/// One VP9 stream with three spatial layers in each picture (RFC 9628 section 4.2, non-flexible mode).
struct Svc {
    seq: u64,
    pictures: u64,
}

impl Svc {
    fn picture(&mut self, world: &mut World, client: usize, keyframe: bool) {
        let now = world.now.instant;
        self.pictures += 1;
        for (spatial, len) in (0_u8..).zip(SPATIAL_LEN) {
            let len = if keyframe { len * 4 } else { len };
            let count = len.div_ceil(LEN_MAX);
            for index in 0..count {
                self.seq += 1;
                let due = Due {
                    layer: Some(0),
                    seq: self.seq,
                    timestamp: u32::try_from(self.pictures).unwrap() * 3_600,
                    marker: spatial == 2 && index + 1 == count,
                    payload: self.payload(keyframe, spatial, (index, count), len / count),
                };
                world.clients[client].up.send_due(now, "cam", None, Codec::Vp9, due);
            }
        }
    }

    fn payload(
        &self,
        keyframe: bool,
        spatial: u8,
        (index, count): (usize, usize),
        len: usize,
    ) -> Vec<u8> {
        let structure = keyframe && spatial == 0 && index == 0;
        // I, L; P; B; E; V.
        let mut flags = 0x80 | 0x20 | u8::from(!keyframe) << 6 | u8::from(structure) << 1;
        flags |= u8::from(index == 0) << 3 | u8::from(index + 1 == count) << 2;
        let [high, low] = u16::try_from(self.pictures & 0x7fff).unwrap().to_be_bytes();
        let inter_layer = u8::from(spatial > 0);
        let lowest = self.pictures.to_be_bytes()[7];
        let mut payload = vec![flags, 0x80 | high, low, spatial << 1 | inter_layer, lowest];
        if structure {
            payload.push(2 << 5 | 0x10);
            for (width, height) in [(320_u16, 180_u16), (640, 360), (1_280, 720)] {
                payload.extend(width.to_be_bytes());
                payload.extend(height.to_be_bytes());
            }
        }
        payload.resize(len, 0xee);
        payload
    }
}

/// Of each picture that came, in order of time: the highest spatial layer.
fn tops(packets: &[support::Received]) -> Vec<u8> {
    let pictures = packets.chunk_by(|one, next| one.timestamp == next.timestamp);
    let top = |packets: &[support::Received]| {
        packets.iter().map(|packet| packet.payload[3] >> 1 & 7).max()
    };
    pictures.filter_map(top).collect()
}

#[test]
fn spatial_layers_are_given_up_and_come_back() {
    for kind in [join("bob"), single(join("bob"))] {
        let mut world = world();
        let ann = world.arrive(join("ann"));
        let bob = world.arrive(kind);
        lay_way(&mut world, bob);
        let announced = lk::SimulcastCodec {
            codec: "vp9".to_owned(),
            cid: "cam".to_owned(),
            ..Default::default()
        };
        let request = lk::AddTrackRequest {
            cid: "cam".to_owned(),
            r#type: lk::TrackType::Video.into(),
            source: lk::TrackSource::Camera.into(),
            width: 1_280,
            height: 720,
            simulcast_codecs: vec![announced],
            ..Default::default()
        };
        world.send(ann, Request::AddTrack(request));
        world.clients[ann].up.add_track(lk::TrackType::Video, "cam");
        world.offer(ann);
        world.run(Duration::from_secs(1));
        let mut svc = Svc { seq: 100, pictures: 0 };
        let mut go_on = |world: &mut World, seconds: u64| {
            let place = world.clients[bob].receiver().received.len();
            for _ in 0..seconds * PICTURES {
                let asked = !std::mem::take(&mut world.clients[ann].up.layers_asked).is_empty();
                let keyframe = asked || svc.pictures == 0;
                svc.picture(world, ann, keyframe);
                world.run(Duration::from_millis(1_000 / PICTURES));
            }
            tops(&world.clients[bob].receiver().received[place..])
        };
        let share = |tops: &[u8], top: u8| {
            tops.iter().map(|seen| usize::from(*seen == top)).sum::<usize>() * 100
                / tops.len().max(1)
        };
        let before = go_on(&mut world, 5);
        println!("wide: {} pictures, {} % whole", before.len(), share(&before, 2));
        assert!(share(&before, 2) >= 98, "{before:?}");
        narrow(&mut world, bob, 800);
        let first = go_on(&mut world, 6);
        let then = go_on(&mut world, 10);
        println!(
            "narrow: {} and {} pictures, {} % of two",
            first.len(),
            then.len(),
            share(&then, 1)
        );
        assert!(then.len() >= 245, "{} of 250 pictures", then.len());
        assert!(share(&then, 1) >= 80 && share(&then, 2) <= 10, "{then:?}");
        narrow(&mut world, bob, 0);
        go_on(&mut world, 10);
        let after = go_on(&mut world, 5);
        println!("wide again: {} pictures, {} % whole", after.len(), share(&after, 2));
        assert!(share(&after, 2) >= 98, "{after:?}");
    }
}

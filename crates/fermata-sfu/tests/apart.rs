//! Rooms and shards that hear each other late: everything they tell each other takes up to half a second, each message
//! its own time. Whoever should see somebody sees them in the end.

#![expect(clippy::unwrap_used, clippy::panic, reason = "only tests are here")]

mod support;

use std::time::Duration;

use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use support::{Vp8Packet, World, join, single};

const DELAY_MAX: Duration = Duration::from_millis(500);

/// Somebody with a microphone, and with a camera whose encoder makes a keyframe when it is asked and at the beginning.
struct Camera {
    client: usize,
    track: String,
    pictures: u16,
    keyframes: usize,
}

impl Camera {
    const CID: &str = "cam";
    const MIC: &str = "mic";

    fn begin(world: &mut World, client: usize) -> Self {
        for (kind, cid) in [(lk::TrackType::Video, Self::CID), (lk::TrackType::Audio, Self::MIC)] {
            world.add_track(client, kind, cid);
            world.clients[client].up.add_track(kind, cid);
        }
        world.offer(client);
        Self { client, track: String::new(), pictures: 0, keyframes: 0 }
    }

    fn picture(&mut self, world: &mut World) {
        if self.track.is_empty() {
            self.track = world.published(self.client, Self::CID).unwrap_or_default();
        }
        let who = &mut world.clients[self.client];
        if !who.up.connected || !who.up.sends(Self::CID) {
            return;
        }
        let asked = who.up.keyframes_asked;
        let keyframe = self.pictures == 0 || asked > self.keyframes;
        self.keyframes = asked;
        self.pictures += 1;
        who.up.send_media(world.now.instant, Self::MIC, self.pictures.into());
        let seq = 1_000 + u64::from(self.pictures) * 2;
        for packet in Vp8Packet::picture(seq, self.pictures, keyframe, &[700; 2]) {
            who.up.send_vp8(world.now.instant, Self::CID, &packet);
        }
    }
}

/// Lets so many pictures go by, of everybody.
fn film(world: &mut World, cameras: &mut [Camera], pictures: usize) {
    for _ in 0..pictures {
        for camera in &mut *cameras {
            camera.picture(world);
        }
        world.run(Duration::from_millis(40));
    }
}

/// Everybody but its owner has seen a picture of the camera that began with a keyframe, and the last one.
fn check(world: &World, cameras: &[Camera], clients: &[usize], seed: u8) {
    for camera in cameras {
        let newest = 1_000 + u64::from(camera.pictures) * 2 + 1;
        for client in clients.iter().filter(|client| **client != camera.client) {
            let heard = world.clients[*client].heard(&camera.track);
            let whose = format!("seed {seed}: {} of {}", client, camera.client);
            let first = heard.first().unwrap_or_else(|| panic!("{whose}: nothing"));
            assert_eq!(first.payload[4] & 1, 0, "{whose} begins with a keyframe");
            let last = heard.last().unwrap();
            let mark = last.payload[at_mark(last)..][..8].try_into().unwrap();
            assert_eq!(u64::from_be_bytes(mark), newest, "{whose}: the last picture");
        }
    }
}

/// Where a packet says which it is.
fn at_mark(packet: &support::Received) -> usize {
    if packet.payload[0] & 0x10 == 0 { 4 } else { 14 }
}

#[test]
fn everybody_sees_everybody_however_late_parts_hear_of_each_other() {
    for seed in 0..12_u8 {
        let mut world = World::delayed(2 + u16::from(seed % 3), [seed; 32], DELAY_MAX);
        let mut clients = Vec::new();
        let mut cameras = Vec::new();
        for (n, name) in ["ann", "bob", "cid"].into_iter().enumerate() {
            let alone = (seed >> n) & 1 == 1;
            let client = world.enter(if alone { single(join(name)) } else { join(name) });
            if seed % 2 == 0 {
                world.run(Duration::from_secs(2));
            }
            if !alone {
                world.offer(client);
            }
            clients.push(client);
            cameras.push(Camera::begin(&mut world, client));
            film(&mut world, &mut cameras, 20);
        }
        film(&mut world, &mut cameras, 200);
        let asked = world.sfu.stats().keyframe_requests;
        film(&mut world, &mut cameras, 50);
        assert_eq!(
            world.sfu.stats().keyframe_requests,
            asked,
            "seed {seed}: none is needed any more"
        );
        world.run(Duration::from_secs(2));
        check(&world, &cameras, &clients, seed);

        // Some do without, and want it again before anybody has heard of that.
        for (n, pause) in [(0, 0), (1, 100), (2, 700)] {
            for subscribe in [false, true] {
                let wish = lk::UpdateSubscription {
                    track_sids: cameras.iter().map(|camera| camera.track.clone()).collect(),
                    subscribe,
                    ..Default::default()
                };
                world.send(clients[n], Request::Subscription(wish));
                world.run(Duration::from_millis(pause));
            }
        }
        film(&mut world, &mut cameras, 200);
        world.run(Duration::from_secs(2));
        check(&world, &cameras, &clients, seed);

        for client in clients {
            world.send(client, Request::Leave(lk::LeaveRequest::default()));
        }
        world.run(Duration::from_secs(3));
        assert_eq!(world.sfu.entries(), 0, "seed {seed}");
    }
}

//! The way of packets allocates nothing once everything has grown to its size.

mod support;

use std::time::Duration;

use fermata_sfu::Datagrams;
use fermata_sfu::io::{Input, Output};
use livekit_protocol as lk;
use support::{Vp8Packet, World, is_media, join};

/// Packets of one picture, and pictures a second.
const PACKETS: usize = 5;
const STEP: Duration = Duration::from_millis(33);

#[test]
fn forwarded_packets_allocate_nothing() {
    let mut config = support::config();
    config.limits.congestion_control = true;
    let mut world = World::with(config);
    let ann = world.arrive(join("ann"));
    for name in ["bob", "cid", "dan"] {
        world.arrive(join(name));
    }
    world.publish(ann, lk::TrackType::Video, "cam");
    world.publish(ann, lk::TrackType::Audio, "mic");
    world.run(Duration::from_secs(1));
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8])));
    assert_eq!(counted.count_total, 1, "allocations are counted");
    let mut feed = Feed { world, ann, picture: 0 };
    for _ in 0..400 {
        feed.picture();
    }
    let before = feed.world.sfu.stats();
    let mut allocated = 0;
    for _ in 0..700 {
        allocated += feed.picture();
    }
    let after = feed.world.sfu.stats();
    assert!(after.rtp_out - before.rtp_out >= 10_000, "{after:?}");
    assert_eq!(allocated, 0, "allocations");
    assert_eq!((after.paced_dropped, after.egress_dropped), (0, 0));
}

struct Feed {
    world: World,
    ann: usize,
    picture: u16,
}

impl Feed {
    /// A picture and a packet of audio go through; how many allocations that took.
    fn picture(&mut self) -> u64 {
        let Self { world, ann, .. } = self;
        world.run(STEP);
        let now = world.now.instant;
        let up = &mut world.clients[*ann].up;
        let source = up.address;
        let seq = 1_000 + u64::from(self.picture) * PACKETS as u64;
        let keyframe = self.picture == 0;
        for packet in Vp8Packet::picture(seq, self.picture, keyframe, &[1_000; PACKETS]) {
            up.send_vp8(now, "cam", &packet);
        }
        up.send_media(now, "mic", 1_000 + u64::from(self.picture));
        self.picture += 1;
        let out: Vec<_> = up.outgoing().into_iter().map(|(_, to, data)| (to, data)).collect();
        let Some(destination) = out.first().map(|(to, _)| *to) else { return 0 };
        let out = out.into_iter().map(|(_, data)| data);
        let (media, other): (Vec<_>, Vec<_>) = out.partition(|data| is_media(data));
        for mut data in other {
            world.datagrams(source, destination, &mut data, 0);
        }
        // What is due anyway is not what is measured here.
        world.input(Input::Timeout);
        let mut allocated = 0;
        for run in media.chunk_by(|one, two| one.len() == two.len()) {
            let segment_len = run[0].len();
            let mut data = run.concat();
            let data = &mut data[..];
            allocated += measured(world, Datagrams { source, destination, data, segment_len });
        }
        allocated
    }
}

/// Allocations of one input and of all that is sent at once because of it. What is sent arrives afterwards.
fn measured(world: &mut World, datagrams: Datagrams<'_>) -> u64 {
    let World { sfu, now, clients, .. } = world;
    let mut bytes = Vec::with_capacity(1 << 20);
    let mut sent = Vec::with_capacity(1_000);
    let room = (bytes.capacity(), sent.capacity());
    let info = allocation_counter::measure(|| {
        sfu.handle_datagrams(*now, datagrams);
        while let Some(egress) = sfu.poll_egress(*now) {
            for (path, data) in egress.datagrams() {
                sent.push((path, data.len()));
                bytes.extend_from_slice(data);
            }
        }
        assert!(matches!(sfu.poll_output(), Output::Timeout(_)));
    });
    assert_eq!((bytes.capacity(), sent.capacity()), room);
    assert!(!sent.is_empty());
    let mut rest = &bytes[..];
    for (path, len) in sent {
        let (data, tail) = rest.split_at(len);
        rest = tail;
        let mut peers = clients
            .iter_mut()
            .flat_map(|client| std::iter::once(&mut client.up).chain(client.down.as_mut()));
        if let Some(peer) = peers.find(|peer| peer.address == path.destination) {
            peer.receive(now.instant, path.source, data);
        }
    }
    info.count_total
}

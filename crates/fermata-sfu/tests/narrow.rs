//! A path that has not room for everything: sound goes on, pictures give way, others notice nothing, and when there is
//! room again everything comes back.

#![expect(clippy::unwrap_used, reason = "only tests are here")]

mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fermata_types::{Downlink, Via};
use livekit_protocol as lk;
use lk::signal_response::Message as Response;
use support::{Client, Vp8Packet, World, join, single};

/// A path that lets so much through and drops the rest.
struct Policer {
    bps: f64,
    credit_bytes: f64,
    at: Instant,
    dropped: usize,
}

impl Policer {
    /// What it takes at once: so much, or what comes in 50 ms.
    const BURST_BYTES: f64 = 6_000.0;

    fn takes(&mut self, len: usize) -> bool {
        let len = f64::from(u32::try_from(len).unwrap());
        let room = self.credit_bytes >= len;
        if room {
            self.credit_bytes -= len;
        } else {
            self.dropped += 1;
        }
        room
    }

    fn pass(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        let most = Self::BURST_BYTES.max(self.bps / 8.0 * 0.05);
        self.credit_bytes = (self.credit_bytes + passed * self.bps / 8.0).min(most);
    }
}

/// Packets of a picture.
const PACKETS: usize = 8;

/// A talk of so many seconds: a picture of 6,400 bytes every 40 ms, and sound.
struct Talk {
    ann: usize,
    pictures: u16,
    asked: usize,
}

impl Talk {
    fn go_on(&mut self, world: &mut World, policer: &RefCell<Policer>, seconds: usize) {
        for _ in 0..seconds * 25 {
            let who = &mut world.clients[self.ann];
            let asked = who.up.keyframes_asked;
            let keyframe = self.pictures == 0 || asked > self.asked;
            self.asked = asked;
            self.pictures += 1;
            let seq = 1_000 + u64::from(self.pictures) * PACKETS as u64;
            let now = world.now.instant;
            for packet in Vp8Packet::picture(seq, self.pictures, keyframe, &[800; PACKETS]) {
                who.up.send_vp8(now, "cam", &packet);
            }
            for _ in 0..2 {
                world.stream(self.ann, "mic", 1);
                policer.borrow_mut().pass(world.now.instant);
            }
        }
    }
}

fn stream_states(client: &Client) -> Vec<lk::StreamState> {
    let updates = client.inbox.iter().filter_map(|message| match message {
        Response::StreamStateUpdate(update) => Some(&update.stream_states),
        _ => None,
    });
    updates.flatten().map(lk::StreamStateInfo::state).collect()
}

/// The latest sample of somebody says of the way to it.
fn downlink(world: &World, client: usize) -> Downlink {
    let sid = &world.clients[client].sid;
    world.samples.iter().rfind(|sample| sample.stay.as_str() == sid).unwrap().downlink
}

#[test]
fn sound_goes_on_pictures_give_way_and_come_back() {
    for alone in [false, true] {
        let mut config = support::config();
        config.limits.congestion_control = true;
        let mut world = World::with(config);
        let ann = world.arrive(join("ann"));
        let bob = world.arrive(if alone { single(join("bob")) } else { join("bob") });
        let eve = world.arrive(join("eve"));
        let mic = world.publish(ann, lk::TrackType::Audio, "mic");
        let cam = world.publish(ann, lk::TrackType::Video, "cam");
        world.run(Duration::from_secs(1));
        let to = world.clients[bob].receiver().address;
        let policer = Rc::new(RefCell::new(Policer {
            bps: 1e9,
            credit_bytes: 1e6,
            at: world.now.instant,
            dropped: 0,
        }));
        let lossy = Rc::clone(&policer);
        world.loses =
            Box::new(move |address, data| address == to && !lossy.borrow_mut().takes(data.len()));
        let mut talk = Talk { ann, pictures: 0, asked: 0 };
        talk.go_on(&mut world, &policer, 5);
        assert_eq!(stream_states(&world.clients[bob]), []);
        assert_eq!(world.sfu.stats().participants_constrained, 0);
        assert!(world.sfu.stats().padding_out > 0, "room is looked for");
        let wide = downlink(&world, bob);
        assert_eq!((wide.tracks_limited, wide.tracks_paused), (0, 0));
        assert_eq!(wide.via, Some(Via::Udp));
        assert!(wide.estimate_bps.is_some());
        assert_eq!(downlink(&world, ann).estimate_bps, None, "nothing goes to her");

        // Room for sound, and not for half of the picture.
        policer.borrow_mut().bps = 150_000.0;
        talk.go_on(&mut world, &policer, 8);
        assert_eq!(stream_states(&world.clients[bob]).last(), Some(&lk::StreamState::Paused));
        assert_eq!(world.sfu.stats().participants_constrained, 1);
        let narrow = downlink(&world, bob);
        assert_eq!((narrow.tracks_limited, narrow.tracks_paused), (0, 1));
        let heard = world.clients[bob].heard(&mic).len();
        policer.borrow_mut().dropped = 0;
        talk.go_on(&mut world, &policer, 4);
        let dropped = policer.borrow().dropped;
        assert!(world.clients[bob].heard(&mic).len() - heard >= 198, "{dropped} dropped");
        // How much is not said here: bursts of padding pass what polices.
        assert!(downlink(&world, bob).estimate_bps.is_some());

        policer.borrow_mut().bps = 1e9;
        talk.go_on(&mut world, &policer, 20);
        assert_eq!(stream_states(&world.clients[bob]).last(), Some(&lk::StreamState::Active));
        assert_eq!(world.sfu.stats().participants_constrained, 0);
        let back = downlink(&world, bob);
        assert_eq!((back.tracks_limited, back.tracks_paused), (0, 0));
        assert!(back.estimate_bps.unwrap() > 1_300_000, "all that is sent: {back:?}");
        let seen = world.clients[bob].heard(&cam).len();
        talk.go_on(&mut world, &policer, 4);
        assert_eq!(world.clients[bob].heard(&cam).len() - seen, 100 * PACKETS);

        // Nobody else noticed.
        assert_eq!(world.clients[eve].heard(&mic).len(), 2_050);
        assert_eq!(world.clients[eve].heard(&cam).len(), usize::from(talk.pictures) * PACKETS);
        assert_eq!(stream_states(&world.clients[eve]), []);
        let eves = world.samples.iter().filter(|it| it.stay.as_str() == world.clients[eve].sid);
        let held = eves.map(|it| it.downlink.tracks_limited + it.downlink.tracks_paused);
        assert_eq!(held.sum::<u32>(), 0);
    }
}

//! Ann publishes, Bob is behind the bad network, Eve behind a good one.

use std::time::{Duration, Instant};

use fermata_emulator::Step;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use str0m::format::Codec;

use crate::support::media::Ms;
use crate::support::media::source::{Encoder, RIDS, SIZES, Source};
use crate::support::{self, Way, World, join, single};
use crate::viewer::Viewer;

/// What the camera's layers take, kilobits per second.
pub(crate) const LAYERS_KBPS: [u32; 3] = [150, 500, 1_500];
/// Time that a good way takes, milliseconds.
pub(crate) const GOOD_MS: u32 = 20;
/// Between two looks at what came.
const STEP: Ms = 5;

/// What differs between meetings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kind {
    pub(crate) seed: u64,
    /// Bob has one connection for both directions.
    pub(crate) single: bool,
    /// Sound takes as much as with redundancy.
    pub(crate) red: bool,
}

pub(crate) struct Meeting {
    pub(crate) world: World,
    began: Instant,
    ann: usize,
    pub(crate) source: Source,
    pub(crate) bob: Viewer,
    pub(crate) eve: Viewer,
}

impl Meeting {
    /// Everybody is there, over good ways, and media flows.
    pub(crate) fn new(kind: Kind) -> Self {
        let mut config = support::config();
        config.limits.congestion_control = true;
        let mut world = World::with(config);
        let began = world.now.instant;
        let ann = world.arrive(join("ann"));
        let bob = world.arrive(if kind.single { single(join("bob")) } else { join("bob") });
        let eve = world.arrive(join("eve"));
        let addresses = [
            world.clients[ann].up.address,
            world.clients[bob].receiver().address,
            world.clients[eve].receiver().address,
        ];
        for (seed, address) in (kind.seed * 10..).zip(addresses) {
            world.ways.insert(address, Way::new(began, seed, GOOD_MS));
        }
        world.publish(ann, lk::TrackType::Audio, "mic");
        announce(&mut world, ann);
        world.clients[ann].up.add_simulcast("cam", &RIDS);
        world.offer(ann);
        world.run(Duration::from_secs(1));
        let camera = world.published(ann, "cam").unwrap();
        let mut source = Source::new(kind.seed, Encoder::Rates(LAYERS_KBPS));
        if kind.red {
            source.sound_len = support::media::source::RED_LEN;
        }
        let (bob, eve) = (Viewer::new(bob, &camera), Viewer::new(eve, &camera));
        Self { world, began, ann, source, bob, eve }
    }

    /// Milliseconds since it began.
    pub(crate) fn now(&self) -> Ms {
        let passed = self.world.now.instant - self.began;
        passed.as_millis().try_into().unwrap()
    }

    /// Bob's way.
    pub(crate) fn way(&mut self) -> &mut Way {
        let address = self.world.clients[self.bob.client].receiver().address;
        self.world.ways.get_mut(&address).unwrap()
    }

    /// From now on Bob's way is like this: to him, and from him.
    pub(crate) fn turn(&mut self, down: Vec<Step>, up: Vec<Step>) {
        let now = self.world.now.instant;
        let way = self.way();
        let us = way.us(now);
        way.down.change(us, down);
        way.up.change(us, up);
    }

    /// Lets it go on.
    pub(crate) fn run(&mut self, ms: Ms) {
        let end = self.now() + ms;
        let mut next = (self.now() / STEP + 1) * STEP;
        while next <= end {
            let until = self.began + Duration::from_millis(next);
            self.world.run(until.saturating_duration_since(self.world.now.instant));
            self.step(next);
            next += STEP;
        }
    }

    fn step(&mut self, now: Ms) {
        let instant = self.world.now.instant;
        let up = &mut self.world.clients[self.ann].up;
        for rid in std::mem::take(&mut up.layers_asked) {
            let layer = RIDS.iter().position(|known| rid.as_deref() == Some(known));
            self.source.request(now, layer.unwrap());
        }
        for due in self.source.due(now) {
            let rid = due.layer.map(|layer| RIDS[layer]);
            let (cid, codec) =
                if rid.is_some() { ("cam", Codec::Vp8) } else { ("mic", Codec::Opus) };
            up.send_due(instant, cid, rid, codec, due);
        }
        self.bob.listen(&mut self.world, now);
        self.eve.listen(&mut self.world, now);
    }

    /// What Bob was told of the camera: paused, or going on.
    pub(crate) fn told(&self) -> Vec<lk::StreamState> {
        let inbox = self.world.clients[self.bob.client].inbox.iter();
        let updates = inbox.filter_map(|message| match message {
            Response::StreamStateUpdate(update) => Some(&update.stream_states),
            _ => None,
        });
        updates.flatten().map(lk::StreamStateInfo::state).collect()
    }
}

fn announce(world: &mut World, ann: usize) {
    let layers = RIDS.iter().zip(SIZES).zip(0..).map(|((rid, (width, height)), quality)| {
        let (width, height, rid) = (width.into(), height.into(), (*rid).to_owned());
        lk::VideoLayer { quality, width, height, rid, ..Default::default() }
    });
    let layers: Vec<_> = layers.collect();
    let codec = lk::SimulcastCodec {
        codec: "vp8".to_owned(),
        cid: "cam".to_owned(),
        layers: layers.clone(),
        ..Default::default()
    };
    let picture = lk::AddTrackRequest {
        cid: "cam".to_owned(),
        r#type: lk::TrackType::Video.into(),
        source: lk::TrackSource::Camera.into(),
        width: SIZES[2].0.into(),
        height: SIZES[2].1.into(),
        layers,
        simulcast_codecs: vec![codec],
        ..Default::default()
    };
    world.send(ann, Request::AddTrack(picture));
}

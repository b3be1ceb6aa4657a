//! Memory of idle connections: `cargo run --release -p fermata-transport --example connection_cost`.
//!
//! Connects both kinds of connections of many participants in memory, lets the clients go, and prints what is left:
//! by the process's resident set, which counts everything, and by the allocator, which does not see what the
//! cryptography takes from C.
#![expect(clippy::unwrap_used, reason = "a program for measuring fails as tests do")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write as _;
use std::time::Duration;

use allocation_counter::measure;
use common::{Pair, add_channels};
use fermata_transport::{Channel, MediaKind, PeerKind, Transport};
use str0m::media::{Direction, MediaKind as ClientKind};

/// Participants.
const COUNT: usize = 200;

fn settle(mut pair: Pair) -> Transport {
    pair.connect();
    pair.until("channels", |pair| Channel::ALL.iter().all(|c| pair.server.channel_open(*c)));
    let end = pair.now + Duration::from_secs(2);
    while pair.now < end {
        pair.step();
    }
    pair.server
}

/// A camera and a microphone that are not used.
fn publisher() -> Transport {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    for kind in [ClientKind::Audio, ClientKind::Video] {
        api.add_media(kind, Direction::SendOnly, None, None, None);
    }
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    settle(pair)
}

/// Two tracks that are silent.
fn subscriber() -> Transport {
    let mut pair = Pair::new(PeerKind::Subscriber);
    pair.server.add_track(MediaKind::Audio, "PA_1|camera", "TR_a");
    pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_v");
    pair.renegotiate();
    settle(pair)
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn main() {
    // What is made once is not counted.
    let first = (publisher(), subscriber());
    let mut all = Vec::with_capacity(COUNT);
    let before = resident();
    let counted = measure(|| {
        for _ in 0..COUNT {
            all.push((publisher(), subscriber()));
        }
    });
    let after = resident();
    let each = |bytes: u64| bytes / COUNT as u64 / 1_024;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{COUNT} participants of two idle connections: {} KiB resident each, {} KiB of them by the allocator",
        each(after.saturating_sub(before)),
        each(u64::try_from(counted.bytes_current).unwrap_or(0)),
    )
    .unwrap();
    drop((first, all));
}

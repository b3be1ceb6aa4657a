//! What a packet to a receiver costs the shard alone: no sockets, no kernel, no signalling.
//!
//! Real clients connect in memory, and publishers' packets are sealed ahead of time; measured is what happens from
//! the datagrams of a publisher to the datagrams for everybody. Receivers get nothing but what keeps them connected.
//!
//! `alone` is what receiving costs: as many publishers as in the meeting, and nobody who wants anything.
//!
//! `cargo run --release -p fermata-sfu --example fanout_rate [live|meeting|alone] [seconds]`
#![expect(clippy::print_stdout, reason = "this is what it is for")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use fermata_sfu::Datagrams;
use fermata_sfu::io::{Input, Output};
use livekit_protocol as lk;
use support::{Vp8Packet, World, is_media, join, server};

/// Virtual seconds that are prepared and measured at a time.
const CHUNK: Duration = Duration::from_secs(1);

/// Who is there and what is sent.
#[derive(Debug, Clone, Copy)]
struct Shape {
    name: &'static str,
    publishers: usize,
    /// Who only receive.
    audience: usize,
    /// Does anybody receive anything?
    wanted: bool,
    /// Lengths of a picture's packets; 30 pictures a second.
    picture: &'static [usize],
}

const SHAPES: [Shape; 3] = [
    // 1.2 Mb/s.
    Shape { name: "live", publishers: 1, audience: 100, wanted: true, picture: &[1_000; 5] },
    // 0.5 Mb/s each.
    Shape { name: "meeting", publishers: 10, audience: 0, wanted: true, picture: &[1_000; 2] },
    Shape { name: "alone", publishers: 10, audience: 0, wanted: false, picture: &[1_000; 2] },
];

/// Datagrams of one publisher that arrive together.
struct Arriving {
    at: Instant,
    publisher: usize,
    data: Vec<u8>,
    segment_len: usize,
}

/// What was measured.
#[derive(Debug, Default)]
struct Measured {
    spent: Duration,
    batches_out: usize,
    /// Nanoseconds per packet out in the best second: what is left when the machine does other things beside.
    best: Option<u128>,
}

/// The clock of the machine. [`Now`] reads two, and that would be measured too.
#[expect(clippy::disallowed_methods, reason = "what is measured must not hide behind how")]
fn clock() -> Instant {
    Instant::now()
}

fn per_packet(spent: Duration, packets: u64) -> u128 {
    spent.as_nanos() / u128::from(packets.max(1))
}

fn main() {
    let mut words = std::env::args().skip(1);
    let only = words.next();
    let seconds = words.next().and_then(|word| word.parse().ok()).unwrap_or(20);
    for shape in SHAPES {
        if only.as_ref().is_none_or(|name| name == shape.name) {
            run(shape, seconds);
        }
    }
}

fn run(shape: Shape, seconds: u32) {
    let mut world = World::new();
    let publishers: Vec<usize> = (0..shape.publishers)
        .map(|n| {
            let mut join = join(&format!("p{n}"));
            join.client.auto_subscribe = shape.wanted;
            world.arrive(join)
        })
        .collect();
    for n in 0..shape.audience {
        world.arrive(join(&format!("a{n}")));
    }
    for client in &publishers {
        world.publish(*client, lk::TrackType::Video, "cam");
        world.publish(*client, lk::TrackType::Audio, "mic");
    }
    world.run(Duration::from_secs(1));
    // The first chunk brings everything to its size.
    chunk(&mut world, &publishers, shape, 0);
    let before = world.sfu.stats();
    let mut measured = Measured::default();
    for second in 1..=seconds {
        let done = counted(&world, shape);
        let one = chunk(&mut world, &publishers, shape, second);
        measured.spent += one.spent;
        measured.batches_out += one.batches_out;
        let each = per_packet(one.spent, counted(&world, shape) - done);
        measured.best = Some(measured.best.map_or(each, |best| best.min(each)));
    }
    let after = world.sfu.stats();
    let (rtp_in, rtp_out) = (after.rtp_in - before.rtp_in, after.rtp_out - before.rtp_out);
    let (counted, way) = if shape.wanted { (rtp_out, "out") } else { (rtp_in, "in") };
    let (mean, best) = (per_packet(measured.spent, counted), measured.best.unwrap_or_default());
    println!(
        "{}: {} publishers, {} others, {rtp_in} packets in, {rtp_out} out in {} batches, {mean} ns per packet {way}, \
         {best} in the best second",
        shape.name, shape.publishers, shape.audience, measured.batches_out,
    );
    let lost = after.paced_dropped + after.packets_overwritten + after.egress_dropped;
    println!("  lost on the way: {lost}, retransmissions: {}", after.retransmissions);
}

/// Packets by which the cost is told: those to receivers, or those that came if there are none.
fn counted(world: &World, shape: Shape) -> u64 {
    let stats = world.sfu.stats();
    if shape.wanted { stats.rtp_out } else { stats.rtp_in }
}

/// A second of virtual time.
fn chunk(world: &mut World, publishers: &[usize], shape: Shape, second: u32) -> Measured {
    let start = world.now;
    let mut arriving = Vec::new();
    for (place, client) in publishers.iter().enumerate() {
        prepare(world, (place, *client), shape, second, &mut arriving);
    }
    arriving.sort_by_key(|arriving| arriving.at);
    let mut measured = Measured::default();
    let mut control = Vec::new();
    let mut due = start.instant;
    for arriving in &mut arriving {
        // What waits for a tick goes out in between.
        while due < arriving.at {
            world.now = world.now.plus(due.saturating_duration_since(world.now.instant));
            due = step(world, None, &mut measured, &mut control);
        }
        world.now = world.now.plus(arriving.at.saturating_duration_since(world.now.instant));
        let (source, segment_len) =
            (world.clients[arriving.publisher].up.address, arriving.segment_len);
        let (data, destination) = (&mut arriving.data[..], server());
        let datagrams = Datagrams { source, destination, data, segment_len };
        due = step(world, Some(datagrams), &mut measured, &mut control);
    }
    // Some publishers are a little behind.
    let whole = CHUNK + Duration::from_millis(20);
    let rest = whole.saturating_sub(world.now.instant - start.instant);
    world.now = world.now.plus(rest);
    settle(world, &control);
    measured
}

/// One input and what goes out because of it; when the shard wants to go on.
fn step(
    world: &mut World,
    datagrams: Option<Datagrams<'_>>,
    measured: &mut Measured,
    control: &mut Vec<(std::net::SocketAddr, std::net::SocketAddr, Vec<u8>)>,
) -> Instant {
    let World { sfu, now, .. } = world;
    let begin = clock();
    match datagrams {
        Some(datagrams) => sfu.handle_datagrams(*now, datagrams),
        None => sfu.handle_input(*now, Input::Timeout),
    }
    while let Some(egress) = sfu.poll_egress(*now) {
        for batch in egress.batches() {
            measured.batches_out += 1;
            if !is_media(batch.bytes) {
                for data in batch.bytes.chunks(batch.segment_len) {
                    control.push((batch.path.source, batch.path.destination, data.to_vec()));
                }
            }
        }
    }
    let due = loop {
        if let Output::Timeout(at) = sfu.poll_output() {
            break at;
        }
    };
    measured.spent += clock() - begin;
    // Deadlines that have passed come at the next input.
    due.max(now.instant + Duration::from_micros(100))
}

/// Seals a second of media of one publisher.
fn prepare(
    world: &mut World,
    (place, client): (usize, usize),
    shape: Shape,
    second: u32,
    arriving: &mut Vec<Arriving>,
) {
    let start = world.now.instant;
    let up = &mut world.clients[client].up;
    // Publishers are not in step.
    let offset = Duration::from_micros(1_300 * place as u64);
    for tick in 0..300 {
        let at = start + offset + CHUNK * tick / 300;
        if tick % 10 == 0 {
            let picture = second * 30 + tick / 10;
            let seq = 1_000 + u64::from(picture) * shape.picture.len() as u64;
            let number = u16::try_from(picture % 0x8000).unwrap_or(0);
            for packet in Vp8Packet::picture(seq, number, picture == 0, shape.picture) {
                up.send_vp8(at, "cam", &packet);
            }
        }
        if tick % 6 == 0 {
            up.send_media(at, "mic", 1_000 + u64::from(second * 50 + tick / 6));
        }
        let out: Vec<Vec<u8>> = up.outgoing().into_iter().map(|(_, _, data)| data).collect();
        for run in out.chunk_by(|one, two| one.len() == two.len()) {
            let (data, segment_len) = (run.concat(), run[0].len());
            arriving.push(Arriving { at, publisher: client, data, segment_len });
        }
    }
}

/// Keeps everybody connected; not measured.
fn settle(world: &mut World, control: &[(std::net::SocketAddr, std::net::SocketAddr, Vec<u8>)]) {
    let now = world.now.instant;
    for (source, destination, data) in control {
        let clients = world.clients.iter_mut();
        let mut peers = clients.flat_map(|c| std::iter::once(&mut c.up).chain(c.down.as_mut()));
        if let Some(peer) = peers.find(|peer| peer.address == *destination) {
            peer.receive(now, *source, data);
        }
    }
    for client in &mut world.clients {
        for peer in std::iter::once(&mut client.up).chain(client.down.as_mut()) {
            peer.timeout(now);
        }
    }
    world.run(Duration::from_millis(1));
}

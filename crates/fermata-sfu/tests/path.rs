//! The way of packets: batches in, pacing, runs of one length, retransmissions, and what happens when it is too much.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use fermata_sfu::Datagrams;
use fermata_transport::egress::SEGMENTS_MAX;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use support::{Peer, Received, Vp8Packet, World, is_media, join};

const MS: Duration = Duration::from_millis(1);

/// A publisher with tracks and a receiver of them; their sids.
fn call(cids: &[(lk::TrackType, &str)]) -> (World, usize, usize, Vec<String>) {
    let mut world = World::new();
    let ann = world.arrive(join("ann"));
    let bob = world.arrive(join("bob"));
    let sids = cids.iter().map(|(kind, cid)| world.publish(ann, *kind, cid)).collect();
    world.run(Duration::from_secs(1));
    (world, ann, bob, sids)
}

fn address(world: &World, client: usize) -> SocketAddr {
    world.clients[client].receiver().address
}

/// Sends packets, all at this moment.
fn send(world: &mut World, client: usize, cid: &str, packets: &[Vp8Packet]) {
    let now = world.now.instant;
    for packet in packets {
        world.clients[client].up.send_vp8(now, cid, packet);
    }
    world.run(Duration::ZERO);
}

/// The media that a client sends now, and from where to where.
#[expect(clippy::panic, reason = "only tests are here")]
fn outgoing_media(up: &mut Peer) -> ((SocketAddr, SocketAddr), Vec<Vec<u8>>) {
    let out = up.outgoing();
    let path = out.first().map(|(source, destination, _)| (*source, *destination));
    let Some(path) = path else { panic!("the client sends nothing") };
    (path, out.into_iter().map(|(_, _, data)| data).filter(|data| is_media(data)).collect())
}

/// Picture number on the wire, and the number with which the packet came from its publisher.
fn numbers(packet: &Received) -> (u16, u64) {
    let payload = &packet.payload;
    let picture = u16::from_be_bytes([payload[2], payload[3]]) & 0x7fff;
    let first = payload[0] & 0x10 != 0;
    let at = if first { 14 } else { 4 };
    let number = payload[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    (picture, number)
}

#[test]
fn what_a_receiver_misses_comes_again_with_its_numbers() {
    let (mut world, ann, bob, sids) = call(&[(lk::TrackType::Video, "cam")]);
    let theirs = address(&world, bob);
    let mut seq = 1_000;
    let mut picture = 0;
    let mut pictures = |world: &mut World, count: u32| {
        for _ in 0..count {
            let packets = Vp8Packet::picture(seq, picture, picture % 10 == 0, &[900, 900, 500]);
            seq += 3;
            picture += 1;
            send(world, ann, "cam", &packets);
            world.run(33 * MS);
        }
    };
    pictures(&mut world, 5);
    // While it is switched off numbers go on at the publisher and not at the receiver.
    let settings = |disabled| {
        Request::TrackSetting(lk::UpdateTrackSettings {
            track_sids: vec![sids[0].clone()],
            disabled,
            quality: 2,
            ..Default::default()
        })
    };
    world.send(bob, settings(true));
    pictures(&mut world, 5);
    world.send(bob, settings(false));
    pictures(&mut world, 10);
    let before = world.clients[bob].heard(&sids[0]).len();
    assert_eq!(before, 3 * 15);

    let mut count = 0;
    world.loses = Box::new(move |to, data| {
        let media = to == theirs && is_media(data);
        count += u32::from(media);
        media && count % 7 == 3
    });
    pictures(&mut world, 40);
    world.loses = Box::new(|_, _| false);
    pictures(&mut world, 5);
    world.run(Duration::from_millis(500));

    let mut heard = world.clients[bob].heard(&sids[0]);
    heard.sort_by_key(|packet| packet.seq);
    heard.dedup_by_key(|packet| packet.seq);
    let heard = &heard[before..];
    assert_eq!(heard.len(), 3 * 45, "{:?}", world.sfu.stats());
    let offset = |packet: &Received| numbers(packet).1 - packet.seq;
    for pair in heard.windows(2) {
        assert_eq!(pair[0].seq + 1, pair[1].seq);
        assert_eq!(offset(pair[0]), offset(pair[1]), "the payload is that of its number");
        let step = numbers(pair[1]).0.wrapping_sub(numbers(pair[0]).0);
        assert_eq!(u32::from(step) * 3_000, pair[1].timestamp.wrapping_sub(pair[0].timestamp));
    }
    // 15 packets and 5 pictures were left out.
    let (picture, number) = numbers(heard[0]);
    assert_eq!((number - 1_000) / 3, u64::from(picture) + 5);
    let stats = world.sfu.stats();
    assert!((15..40).contains(&stats.retransmissions), "{stats:?}");
    assert_eq!((stats.retransmissions_unknown, stats.packets_overwritten), (0, 0));
}

#[test]
fn a_large_keyframe_is_spread_over_ticks_and_nothing_is_lost() {
    let (mut world, ann, bob, sids) = call(&[(lk::TrackType::Video, "cam")]);
    let theirs = address(&world, bob);
    world.batches.clear();
    let start = world.now.instant;
    send(&mut world, ann, "cam", &Vp8Packet::picture(1_000, 1, true, &[1_000; 40]));
    let sent: usize = media(&world, theirs).iter().map(|(_, count)| count).sum();
    assert_eq!(sent, SEGMENTS_MAX, "the first at once");
    world.run(10 * MS);
    let mut ticks = std::collections::BTreeMap::new();
    for (at, count) in media(&world, theirs) {
        *ticks.entry((at - start).as_micros() / 1_000).or_insert(0) += count;
    }
    // The ticks are those of the shard, so that two may lie within one millisecond of ours.
    assert!(ticks.values().all(|count| *count <= 2 * SEGMENTS_MAX), "{ticks:?}");
    assert!(ticks.len() >= 4 && ticks.values().sum::<usize>() == 40, "{ticks:?}");
    let heard = world.clients[bob].heard(&sids[0]);
    assert_eq!(heard.len(), 40);
    assert!(heard.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    assert_eq!(world.sfu.stats().paced_dropped, 0);
}

/// When and how many media packets went to an address.
fn media(world: &World, to: SocketAddr) -> Vec<(std::time::Instant, usize)> {
    let sent = world.batches.iter().filter(|sent| sent.media && sent.to == to);
    sent.map(|sent| (sent.at, sent.count)).collect()
}

#[test]
fn audio_does_not_wait_behind_video() {
    let (mut world, ann, bob, sids) =
        call(&[(lk::TrackType::Video, "cam"), (lk::TrackType::Audio, "mic")]);
    send(&mut world, ann, "cam", &Vp8Packet::picture(1_000, 1, true, &[1_000; 60]));
    world.stream(ann, "mic", 1);
    world.run(20 * MS);
    let received = &world.clients[bob].receiver().received;
    let place = |track: &str| received.iter().rposition(|packet| packet.track == *track);
    let (video, audio) = (place(&sids[0]).expect("video"), place(&sids[1]).expect("audio"));
    assert!(audio < video, "audio is packet {audio}, the last of the picture {video}");
    assert_eq!(world.clients[bob].heard(&sids[0]).len(), 60);
}

#[test]
fn a_batch_that_came_as_one_goes_out_as_one() {
    let (mut world, ann, bob, sids) = call(&[(lk::TrackType::Video, "cam")]);
    let theirs = address(&world, bob);
    let now = world.now.instant;
    let before = world.sfu.stats();
    world.batches.clear();
    // Of one length, and the last one shorter, as an encoder cuts pictures.
    let up = &mut world.clients[ann].up;
    for packet in Vp8Packet::picture(1_000, 1, true, &[1_000, 1_000, 1_000, 1_000, 1_000, 700]) {
        up.send_vp8(now, "cam", &packet);
    }
    let (path, datagrams) = outgoing_media(up);
    world.receive_batch(path, &datagrams);
    let stats = world.sfu.stats();
    assert_eq!(stats.datagrams_in - before.datagrams_in, 6);
    assert_eq!((stats.rtp_in - before.rtp_in, stats.rtp_out - before.rtp_out), (6, 6));
    let sent: Vec<_> = world.batches.iter().filter(|s| s.media && s.to == theirs).collect();
    assert_eq!(sent.iter().map(|sent| sent.count).collect::<Vec<_>>(), [6], "{sent:?}");
    assert_eq!(world.clients[bob].heard(&sids[0]).len(), 6);

    // Nearly of one length: made so, and the payloads come out as they were. All of them are at the shard before
    // it is asked for what to send.
    world.run(20 * MS);
    world.batches.clear();
    let lens = [980, 1_000, 990, 975, 400, 390];
    let now = world.now;
    let up = &mut world.clients[ann].up;
    for packet in Vp8Packet::picture(1_006, 2, false, &lens) {
        up.send_vp8(now.instant, "cam", &packet);
    }
    for (source, destination, mut data) in up.outgoing() {
        let data = &mut data[..];
        let datagrams = Datagrams { source, destination, data, segment_len: 0 };
        world.sfu.handle_datagrams(now, datagrams);
    }
    world.run(20 * MS);
    let heard = world.clients[bob].heard(&sids[0]);
    assert_eq!(heard[6..].iter().map(|packet| packet.payload.len()).collect::<Vec<_>>(), lens);
    let sent = world.batches.iter().filter(|s| s.media && s.to == theirs);
    // 975 need not be made longer, as it is the last of its run.
    assert_eq!(sent.map(|sent| sent.count).collect::<Vec<_>>(), [4, 2]);
}

#[test]
fn too_much_video_is_dropped_up_to_a_keyframe_that_is_asked_for() {
    let cids: Vec<String> = (0..3).map(|n| format!("cam{n}")).collect();
    let kinds: Vec<_> = cids.iter().map(|cid| (lk::TrackType::Video, cid.as_str())).collect();
    let (mut world, ann, bob, sids) = call(&kinds);
    for cid in &cids {
        send(&mut world, ann, cid, &Vp8Packet::picture(1_000, 1, true, &[200]));
    }
    world.run(Duration::from_secs(1));
    let asked = world.clients[ann].up.keyframes_asked;
    for cid in &cids {
        send(&mut world, ann, cid, &Vp8Packet::picture(1_001, 2, false, &[200; 400]));
    }
    let stats = world.sfu.stats();
    assert!((100..400).contains(&stats.paced_dropped), "{stats:?}");
    world.run(Duration::from_secs(1));
    assert!(world.clients[ann].up.keyframes_asked > asked, "a keyframe is asked for");
    assert_eq!(world.clients[bob].heard(&sids[0]).len(), 401);
    let before = world.clients[bob].heard(&sids[2]).len();
    assert!((1..401).contains(&before), "{before}");
    // A delta picture is of no use now; the keyframe is, and nothing is missing before it.
    send(&mut world, ann, &cids[2], &Vp8Packet::picture(1_401, 3, false, &[200; 2]));
    world.run(20 * MS);
    assert_eq!(world.clients[bob].heard(&sids[2]).len(), before);
    send(&mut world, ann, &cids[2], &Vp8Packet::picture(1_403, 4, true, &[200; 3]));
    world.run(20 * MS);
    let heard = world.clients[bob].heard(&sids[2]);
    assert_eq!(heard.len(), before + 3);
    assert!(heard.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    assert_eq!(world.sfu.stats().packets_overwritten, 0);
}

#[test]
fn what_the_network_gives_twice_goes_out_once() {
    let (mut world, ann, bob, sids) = call(&[(lk::TrackType::Video, "cam")]);
    let datagrams = |world: &mut World, packets: &[Vp8Packet]| {
        let now = world.now.instant;
        let up = &mut world.clients[ann].up;
        for packet in packets {
            up.send_vp8(now, "cam", packet);
        }
        outgoing_media(up)
    };
    let (path, first) = datagrams(&mut world, &Vp8Packet::picture(1_000, 1, true, &[300; 4]));
    // The network gives them twice, in one batch and in another.
    let twice = [&first[..], &first[..]].concat();
    world.receive_batch(path, &twice);
    world.receive_batch(path, &first);
    world.run(20 * MS);
    assert_eq!(world.clients[bob].heard(&sids[0]).len(), 4);
    assert_eq!(world.sfu.stats().internal_errors, 0);
}

//! The packet path does not allocate, once the first packets are through: counted by the allocator, on this thread.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::time::{Duration, Instant};

use allocation_counter::measure;
use common::{Pair, add_channels};
use fermata_transport::egress::Egress;
use fermata_transport::{Channel, MediaKind, PeerKind, RtpOut, SendSlot, Transport};
use str0m::format::Codec as ClientCodec;
use str0m::media::{Direction, MediaKind as ClientKind};

/// Time between two packets.
const GAP: Duration = Duration::from_micros(500);

/// A connection that sends.
struct Watcher {
    transport: Transport,
    slot: SendSlot,
}

/// Until the data channels are open and have nothing more to say: they are no part of the packet path.
fn settle(pair: &mut Pair) {
    pair.connect();
    pair.until("channels", |pair| Channel::ALL.iter().all(|c| pair.server.channel_open(*c)));
    for _ in 0..50 {
        pair.step();
    }
}

/// One that a client publishes on: what it sent, and when.
fn published(packets: u64) -> (Pair, Vec<(Instant, Vec<u8>)>) {
    let mut pair = Pair::new(PeerKind::Publisher);
    let mut api = pair.client.sdp_api();
    add_channels(&mut api);
    let video = api.add_media(ClientKind::Video, Direction::SendOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    pair.server.accept_offer(&offer.to_sdp_string()).unwrap();
    let answer = pair.server.answer(&[]).unwrap();
    pair.take_answer(pending, &answer);
    settle(&mut pair);
    let mut sent = Vec::new();
    for seq in 65_000..65_000 + packets {
        pair.client_sends(video, None, ClientCodec::Vp8, seq, &[0x10; 1_100]);
        pair.client_waits(GAP);
        let now = pair.now;
        sent.extend(pair.sent_by_client().into_iter().map(|data| (now, data)));
    }
    (pair, sent)
}

fn watcher(start: Instant) -> Watcher {
    let mut pair = Pair::new(PeerKind::Subscriber);
    let video = pair.server.add_track(MediaKind::Video, "PA_1|camera", "TR_v");
    pair.renegotiate();
    settle(&mut pair);
    assert!(pair.now < start + Duration::from_secs(10));
    let slot = pair.server.send_slot(video).unwrap();
    Watcher { transport: pair.server, slot }
}

/// Takes every packet and sends it to everybody; how many there were.
fn forward(
    from: &mut Pair,
    watchers: &mut [Watcher],
    sent: &mut [(Instant, Vec<u8>)],
    out: &mut Egress,
) -> u64 {
    let mut count = 0;
    let (client, server) = (from.client_at, from.server_at);
    for (now, data) in sent {
        let now = *now;
        let taken = from.server.handle_datagram(now, client, server, data, out);
        if let Ok(Some(packet)) = taken {
            count += 1;
            for Watcher { transport, slot } in &mut *watchers {
                let packet = RtpOut {
                    codec: packet.codec,
                    seq: packet.seq,
                    timestamp: packet.timestamp,
                    marker: packet.marker,
                    payload: packet.payload,
                    vp8: None,
                    dependency: None,
                    audio_level_db: None,
                    voice_activity: None,
                    at: now,
                };
                transport.send_rtp(now, *slot, &packet, 0, out).unwrap();
                if count % 10 == 0 {
                    transport.send_rtx(now, *slot, &packet, out).unwrap();
                }
            }
        }
        let all = watchers.iter_mut().map(|watcher| &mut watcher.transport);
        for transport in all.chain([&mut from.server]) {
            if transport.next_timeout() <= now {
                transport.handle_timeout(now, out);
            }
            while transport.poll_event().is_some() {}
        }
        out.clear();
    }
    count
}

#[test]
fn receiving_and_sending_do_not_allocate() {
    let (mut from, mut sent) = published(12_000);
    let start = sent[0].0;
    let mut watchers: Vec<Watcher> = (0..3).map(|_| watcher(start)).collect();
    let mut out = Egress::new(1 << 20, 1_024);
    let (first, rest) = sent.split_at_mut(2_000);
    forward(&mut from, &mut watchers, first, &mut out);
    let mut count = 0;
    let counted = measure(|| count = forward(&mut from, &mut watchers, rest, &mut out));
    assert!(count >= 9_900, "{count}");
    assert_eq!(counted.count_total, 0, "{counted:?}");
    for watcher in &watchers {
        let stats = watcher.transport.stats();
        assert!(stats.packets_sent >= 11_900 && stats.packets_sent_again >= 1_000, "{stats:?}");
    }
    assert_eq!(out.dropped(), 0);
}

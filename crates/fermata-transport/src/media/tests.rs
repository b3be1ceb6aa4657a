//! Two ends in memory, one sending and one receiving, under every protection profile.

use std::time::Duration;

use fermata_rtp::rtcp::{self, Delay, ExtendedBlock, Packet, write};
use fermata_rtp::vp8::Numbers;
use fermata_srtp::Profile;
use fermata_types::MediaKind;

use super::*;
use crate::event::{Event, RtpIn};
use crate::events::Events;
use crate::limits::{INBOUND_STREAMS_MAX, REFERENCE_TIMES_MAX, RTCP_SENDERS_MAX};
use crate::parts::{ExtensionIds, Feedback, LineConfig, Payload, RemoteSsrc};

const EXTENSIONS: ExtensionIds = ExtensionIds {
    mid: Some(1),
    rid: Some(2),
    repaired_rid: Some(3),
    transport_cc: Some(4),
    abs_send_time: Some(5),
    audio_level: Some(6),
    dependency: Some(7),
};

/// One video section called `v` with this SSRC and one more for retransmissions, from either end.
fn negotiated(ssrc: u32, sending: bool, rtx: bool) -> Negotiated {
    let line = LineConfig {
        mid: Mid::from("v"),
        kind: MediaKind::Video,
        sending,
        receiving: !sending,
        rejected: false,
        payloads: vec![
            Payload { codec: Codec::Vp8, pt: 96, rtx: rtx.then_some(97) },
            Payload { codec: Codec::Av1, pt: 35, rtx: rtx.then_some(36) },
        ],
        extensions: EXTENSIONS,
        mixed: true,
        feedback: Feedback { nack: true, pli: true, fir: true, transport_cc: true, remb: true },
        rids: Vec::new(),
        remote_ssrcs: Vec::new(),
        local_ssrc: sending.then_some(ssrc),
        local_rtx_ssrc: (sending && rtx).then_some(ssrc + 1),
    };
    Negotiated {
        version: 1,
        lines: vec![line],
        extensions: EXTENSIONS,
        cname: "name".to_owned(),
        ..Negotiated::default()
    }
}

/// A sender, a receiver, and what lies between.
struct Ends {
    now: Instant,
    from: Media,
    to: Media,
    out: Egress,
    events: Events,
}

fn path() -> Path {
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    Path { source: any, destination: any }
}

fn keys(profile: Profile, byte: u8) -> (Vec<u8>, Vec<u8>) {
    (vec![byte; profile.key_len()], vec![byte; profile.salt_len()])
}

impl Ends {
    fn new(profile: Profile, rtx: bool) -> Self {
        Self::with(profile, rtx, false)
    }

    fn with(profile: Profile, rtx: bool, estimate: bool) -> Self {
        let now = fermata_types::Now::read().instant;
        let mut from = Media::new(now, [1; 8], estimate);
        let mut to = Media::new(now, [2; 8], false);
        let (ours, theirs) = (keys(profile, 1), keys(profile, 2));
        let sealer = |(key, salt): &(Vec<u8>, Vec<u8>)| Sealer::new(profile, key, salt).unwrap();
        let opener = |(key, salt): &(Vec<u8>, Vec<u8>)| Opener::new(profile, key, salt).unwrap();
        from.set_keys(sealer(&ours), opener(&theirs));
        to.set_keys(sealer(&theirs), opener(&ours));
        from.configure(&negotiated(1_000, true, rtx));
        to.configure(&negotiated(0, false, rtx));
        Self { now, from, to, out: Egress::new(200_000, 1_000), events: Events::default() }
    }

    fn packet<'a>(&self, seq: u64, payload: &'a [u8]) -> RtpOut<'a> {
        RtpOut {
            codec: Codec::Vp8,
            seq,
            timestamp: u32::try_from(seq & 0xffff_ffff).unwrap().wrapping_mul(3_000),
            marker: true,
            payload,
            vp8: None,
            dependency: None,
            audio_level_db: None,
            voice_activity: None,
            at: self.now,
        }
    }

    fn slot(&self) -> SendSlot {
        self.from.slot(Mid::from("v")).unwrap()
    }

    fn send(&mut self, seq: u64, payload: &[u8]) -> Vec<u8> {
        let (now, slot, packet) = (self.now, self.slot(), self.packet(seq, payload));
        self.from.send(now, path(), slot, &packet, 0, &mut self.out).unwrap();
        self.taken().pop().unwrap()
    }

    fn again(&mut self, seq: u64, payload: &[u8]) -> Vec<u8> {
        let (now, slot, packet) = (self.now, self.slot(), self.packet(seq, payload));
        self.from.send_again(now, path(), slot, &packet, &mut self.out).unwrap();
        self.taken().pop().unwrap()
    }

    fn taken(&mut self) -> Vec<Vec<u8>> {
        let all = self.out.datagrams().map(|(_, data)| data.to_vec()).collect();
        self.out.clear();
        all
    }

    /// Sequence number and payload of what comes of it.
    fn receive(&mut self, mut data: Vec<u8>) -> Option<(u64, Vec<u8>)> {
        let packet: RtpIn<'_> = self.to.receive(self.now, &mut data)?;
        assert_eq!((packet.mid, packet.codec), (Mid::from("v"), Codec::Vp8));
        Some((packet.seq, packet.payload.to_vec()))
    }

    /// Time goes on; what each end has to report goes to the other.
    fn pass(&mut self, by: Duration) {
        self.now += by;
        self.from.handle_timeout(self.now, path(), &mut self.out, &mut Events::default());
        let sent = self.taken();
        self.to.handle_timeout(self.now, path(), &mut self.out, &mut Events::default());
        let back = self.taken();
        for mut data in sent {
            self.to.receive_rtcp(self.now, &mut data, &mut Events::default());
        }
        for mut data in back {
            self.from.receive_rtcp(self.now, &mut data, &mut self.events);
        }
    }

    fn lost(&mut self) -> Vec<u64> {
        let mut all = Vec::new();
        while let Some(event) = self.events.pop() {
            if let Event::Nack { lost, .. } = event {
                all.extend(lost.iter());
            }
        }
        all
    }
}

#[test]
fn every_profile_carries_media_and_feedback() {
    for profile in Profile::ALL {
        let mut ends = Ends::new(profile, true);
        let payload = vec![0x10; 1_200];
        for seq in 65_500_u64..65_600 {
            let data = ends.send(seq, &payload);
            assert_eq!(data.len(), ends.from.wire_len(ends.slot(), 1_200, None));
            if seq != 65_540 {
                assert_eq!(ends.receive(data), Some((seq, payload.clone())), "{profile}");
            }
            ends.pass(Duration::from_millis(10));
        }
        assert_eq!(ends.lost()[0], 65_540, "{profile}");
        let data = ends.again(65_540, &payload);
        assert_eq!(ends.receive(data), Some((65_540, payload.clone())), "{profile}");
        assert_eq!(ends.lost(), []);
        ends.to.request_keyframe(Mid::from("v"), None);
        ends.to.request_keyframe(Mid::from("v"), Some(Rid::from("q")));
        ends.pass(Duration::from_millis(10));
        let event = ends.events.pop();
        assert!(matches!(event, Some(Event::KeyframeRequested { .. })), "{profile}: {event:?}");
        assert!(ends.events.pop().is_none());
        ends.pass(Duration::from_secs(1));
        ends.pass(Duration::from_secs(1));
        assert!(ends.from.rtt().is_some_and(|rtt| rtt < Duration::from_millis(1)), "{profile}");
        assert!(ends.from.sent_stats(Mid::from("v")).is_some_and(|stats| stats.nacks > 0));
        assert!(ends.from.loss_sent().is_some() && ends.from.loss_feedback().is_some());
        let report = ends.to.sender_report(Mid::from("v"), None).unwrap();
        // The year 2000: the clock of a connection, not of the wall.
        assert!(
            report.ntp < std::time::SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 31)
        );
        let counters = ends.to.counters;
        assert_eq!((counters.packets_received, counters.refused, counters.unknown), (100, 0, 0));
    }
}

#[test]
fn a_packet_comes_once_however_it_came() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let mut kept = Vec::new();
    for seq in 1..=10_u64 {
        kept.push(ends.send(seq, &[0x10, seq.to_le_bytes()[0]]));
    }
    for place in [0, 1, 4, 9] {
        assert!(ends.receive(kept[place].clone()).is_some());
        assert_eq!(ends.receive(kept[place].clone()), None, "twice");
    }
    // The retransmission first, then the original; then both ways with the next.
    let again = ends.again(4, &[0x10, 4]);
    assert_eq!(ends.receive(again.clone()), Some((4, vec![0x10, 4])));
    assert_eq!(ends.receive(again), None);
    assert_eq!(ends.receive(kept[3].clone()), None);
    assert!(ends.receive(kept[5].clone()).is_some());
    let again = ends.again(6, &[0x10, 6]);
    assert_eq!(ends.receive(again), None);
    let mut forged = kept[6].clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(ends.receive(forged), None);
    assert!(ends.receive(kept[6].clone()).is_some());
    assert_eq!(ends.to.counters.refused, 8);
    // Two payload types that are agreed on nothing.
    let mut strange = kept[7].clone();
    strange[1] = 98;
    assert_eq!(ends.receive(strange), None);
    assert_eq!(ends.to.counters.unknown, 1);
}

#[test]
fn numbers_of_a_layer_grow_over_its_streams() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let mut highest = 0;
    for round in 0..u32::try_from(INBOUND_STREAMS_MAX).unwrap() {
        ends.from.configure(&negotiated(10_000 + 10 * round, true, true));
        for seq in [40_000_u64, 40_002, 40_001] {
            let data = ends.send(seq, b"\x10x");
            let (got, _) = ends.receive(data).unwrap();
            assert_eq!(got & 0xffff, seq & 0xffff);
            assert!(got + 2 > highest, "{got} after {highest}");
            highest = highest.max(got);
        }
        let data = ends.again(40_000, b"\x10x");
        assert_eq!(ends.receive(data), None, "came already");
        assert!(ends.to.inbound.streams.len() <= INBOUND_STREAMS_MAX);
        ends.pass(Duration::from_millis(1));
    }
    assert_eq!(ends.to.inbound.streams.len(), INBOUND_STREAMS_MAX);
    assert_eq!(ends.to.inbound.layers.len(), 1);
}

#[test]
fn a_stream_may_move_to_another_section() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let data = ends.send(1, b"\x10x");
    assert!(ends.receive(data).is_some());
    let two = |ssrc, sending| {
        let mut all = negotiated(ssrc, sending, true);
        let mut other = all.lines[0].clone();
        other.mid = Mid::from("w");
        all.lines[0].local_ssrc = None;
        all.lines[0].sending = false;
        all.lines.push(other);
        all
    };
    ends.from.configure(&two(1_000, true));
    ends.to.configure(&two(0, false));
    let slot = ends.from.slot(Mid::from("w")).unwrap();
    let packet = ends.packet(2, b"\x10y");
    ends.from.send(ends.now, path(), slot, &packet, 0, &mut ends.out).unwrap();
    let mut data = ends.taken().pop().unwrap();
    let got = ends.to.receive(ends.now, &mut data).unwrap();
    assert_eq!((got.mid, got.seq), (Mid::from("w"), 2));
    // Its section is gone: so is everything known of it.
    ends.to.configure(&negotiated(0, false, true));
    assert!(ends.to.inbound.streams.is_empty() || ends.to.inbound.layers.len() == 1);
    let packet = ends.packet(3, b"\x10z");
    ends.from.send(ends.now, path(), slot, &packet, 0, &mut ends.out).unwrap();
    let mut data = ends.taken().pop().unwrap();
    assert!(ends.to.receive(ends.now, &mut data).is_none());
}

#[test]
fn announced_streams_need_no_name() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let mut from = negotiated(1_000, true, true);
    from.lines[0].extensions = ExtensionIds::default();
    ends.from.configure(&from);
    let data = ends.send(1, b"\x10x");
    assert_eq!(ends.receive(data), None);
    assert_eq!(ends.to.counters.unknown, 1);
    let mut to = negotiated(0, false, true);
    to.lines[0].remote_ssrcs = vec![RemoteSsrc { ssrc: 1_000, rtx: Some(1_001) }];
    ends.to.configure(&to);
    for seq in [2_u64, 4] {
        let data = ends.send(seq, b"\x10x");
        assert_eq!(ends.receive(data), Some((seq, b"\x10x".to_vec())));
    }
    ends.send(3, b"\x10x");
    let data = ends.again(3, b"\x10x");
    assert_eq!(ends.receive(data), Some((3, b"\x10x".to_vec())));
}

#[test]
fn without_a_stream_for_them_retransmissions_are_the_same_to_the_bit() {
    for profile in Profile::ALL {
        let mut ends = Ends::new(profile, false);
        let first = ends.send(7, b"\x10x");
        let slot = ends.slot();
        assert_eq!(first.len(), ends.from.wire_len(slot, 2, None));
        ends.pass(Duration::from_millis(500));
        assert_eq!(ends.again(7, b"\x10x"), first);
        assert!(ends.receive(first.clone()).is_some());
        assert_eq!(ends.receive(first), None);
        // Padding would make a difference.
        let packet = ends.packet(8, b"\x10x");
        ends.from.send(ends.now, path(), slot, &packet, 200, &mut ends.out).unwrap();
        assert_eq!(ends.taken()[0].len(), ends.from.wire_len(slot, 2, None));
    }
}

#[test]
fn padding_alone_and_new_numbers_in_a_descriptor() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let slot = ends.slot();
    let packet = ends.packet(1, b"");
    let len = ends.from.wire_len(slot, 0, None) + 100;
    ends.from.send(ends.now, path(), slot, &packet, len, &mut ends.out).unwrap();
    let data = ends.taken().pop().unwrap();
    assert_eq!(data.len(), len);
    assert_eq!(ends.receive(data), Some((1, Vec::new())));

    let payload = [0x90, 0xf0, 0x92, 0x34, 7, 0xa3, 0xaa, 0xbb];
    let numbers = Numbers { picture_id: Some(0x0102), tl0_pic_idx: Some(9), key_idx: Some(1) };
    let packet = RtpOut { vp8: Some(numbers), ..ends.packet(2, &payload) };
    let expected = vec![0x90, 0xf0, 0x81, 0x02, 9, 0xa1, 0xaa, 0xbb];
    ends.from.send(ends.now, path(), slot, &packet, 0, &mut ends.out).unwrap();
    ends.from.send_again(ends.now, path(), slot, &packet, &mut ends.out).unwrap();
    let [first, again] = <[Vec<u8>; 2]>::try_from(ends.taken()).unwrap();
    assert_eq!(ends.receive(again), Some((2, expected)));
    assert_eq!(ends.receive(first), None, "came already");
}

#[test]
fn reports_come_once_and_senders_of_them_are_bounded() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let data = ends.send(1, b"\x10x");
    ends.receive(data);
    ends.now += Duration::from_secs(1);
    ends.to.handle_timeout(ends.now, path(), &mut ends.out, &mut Events::default());
    let reports = ends.taken();
    assert!(!reports.is_empty());
    for (turn, refused) in [(0, 0), (1, reports.len() as u64)] {
        for report in &reports {
            ends.from.receive_rtcp(ends.now, &mut report.clone(), &mut ends.events);
        }
        assert_eq!(ends.from.counters.refused, refused, "turn {turn}");
    }
    let mut senders = RtcpSenders::default();
    for ssrc in 0..1_000 {
        ends.now += Duration::from_millis(1);
        assert!(senders.is_new(ssrc, 5, ends.now));
        assert!(!senders.is_new(ssrc, 5, ends.now));
        assert!(senders.is_new(ssrc, 4, ends.now));
    }
    assert!(senders.len() <= RTCP_SENDERS_MAX);
}

#[test]
fn who_only_receives_learns_the_round_trip() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let data = ends.send(1, b"\x10x");
    ends.receive(data);
    // Many more tell their time than are answered; the latest of each counts.
    for index in 0..100 {
        let mut data = Vec::new();
        let ssrc = 7_000 + index % 50;
        write::reference_time(&mut data, ssrc, NtpTime(u64::from(index) << 32));
        ends.to.sealer.as_ref().unwrap().seal_rtcp(&mut data, index).unwrap();
        ends.from.receive_rtcp(ends.now, &mut data, &mut ends.events);
    }
    assert_eq!(ends.from.counters.refused, 0);
    ends.now += Duration::from_millis(250);
    let mut told = Vec::new();
    for seq in 2..4 {
        ends.from.handle_timeout(ends.now, path(), &mut ends.out, &mut Events::default());
        for mut datagram in ends.taken() {
            let (len, _) = ends.to.opener.as_ref().unwrap().open_rtcp(&mut datagram).unwrap();
            for packet in rtcp::parse(&datagram[..len]) {
                let Packet::ExtendedReport { ssrc, blocks } = packet else { continue };
                assert_eq!(ssrc, 1_000, "of the stream that is received");
                for block in blocks {
                    if let ExtendedBlock::Delays(delays) = block {
                        told.extend(delays);
                    }
                }
            }
        }
        // What was answered is not answered again.
        let data = ends.send(seq, b"\x10x");
        ends.receive(data);
        ends.now += Duration::from_secs(2);
    }
    assert_eq!(told.len(), REFERENCE_TIMES_MAX);
    for Delay { ssrc, last_reference, delay } in told {
        assert_eq!(last_reference, (ssrc - 7_000 + 50) << 16);
        assert_eq!(delay, 1 << 14, "a quarter of a second");
    }
}

#[test]
fn slots_stay_and_are_used_again() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let of = |mids: &[&str]| {
        let mut all = negotiated(0, true, true);
        let line = all.lines.remove(0);
        for (index, mid) in (0..).zip(mids) {
            let ssrc = 1_000 + 10 * index;
            let mid = Mid::from(*mid);
            let (local_ssrc, local_rtx_ssrc) = (Some(ssrc), Some(ssrc + 1));
            all.lines.push(LineConfig { mid, local_ssrc, local_rtx_ssrc, ..line.clone() });
        }
        all
    };
    ends.from.configure(&of(&["a", "b", "c"]));
    let slot = |ends: &Ends, mid: &str| ends.from.slot(Mid::from(mid)).map(SendSlot::index);
    let before: Vec<_> = ["a", "b", "c"].map(|mid| slot(&ends, mid)).to_vec();
    let mut stopped = of(&["a", "b", "c"]);
    stopped.lines[1].sending = false;
    ends.from.configure(&stopped);
    assert_eq!(slot(&ends, "b"), None);
    assert_eq!(slot(&ends, "c"), before[2]);
    ends.from.configure(&of(&["a", "b", "c"]));
    assert_eq!(slot(&ends, "b"), before[1]);
    ends.from.configure(&of(&["a", "c", "d"]));
    assert_eq!((slot(&ends, "a"), slot(&ends, "b")), (before[0], None));
    assert!(slot(&ends, "d").is_some_and(|slot| slot < 4), "a place that was given up");
}

#[test]
fn room_is_looked_for_with_padding_that_nobody_takes_for_media() {
    for rtx in [true, false] {
        let mut ends = Ends::with(Profile::AeadAes128Gcm, rtx, true);
        let mut padding = 0;
        for ms in 0..1_000_u64 {
            ends.now += Duration::from_millis(1);
            if ms % 10 == 0 {
                let media = ends.send(100 + ms / 10, &[7; 500]);
                assert!(ends.receive(media).is_some());
                ends.from.set_wanted(ends.now, 5_000_000);
            }
            ends.from.handle_timeout(ends.now, path(), &mut ends.out, &mut ends.events);
            for mut data in ends.taken() {
                if fermata_rtp::header::is_rtcp(&data) {
                    ends.to.receive_rtcp(ends.now, &mut data, &mut Events::default());
                } else {
                    assert!(ends.to.receive(ends.now, &mut data).is_none());
                    padding += 1;
                }
            }
            ends.to.handle_timeout(ends.now, path(), &mut ends.out, &mut Events::default());
            for mut data in ends.taken() {
                ends.from.receive_rtcp(ends.now, &mut data, &mut ends.events);
            }
        }
        assert_eq!(ends.from.counters.padding_sent, padding);
        assert_eq!((ends.to.counters.packets_received, ends.to.counters.refused), (100, 0));
        // Without a stream for retransmissions packets have no transport-wide numbers, and padding no place.
        let estimate = ends.from.estimate();
        assert_eq!((estimate.is_some(), padding > 20), (rtx, rtx), "{padding}");
        if let Some(estimate) = estimate {
            assert!(!estimate.limited && estimate.bps > 3_000_000, "{estimate:?}");
        }
    }
}

/// What a receiver gets of a packet with a descriptor of that many bytes: the descriptor, the payload, bytes on the
/// wire, the first time and, sent again, the second.
fn with_dependency(ends: &mut Ends, seq: u64, len: usize, codec: Codec) -> Vec<(Vec<u8>, usize)> {
    let slot = ends.slot();
    let descriptor: Vec<u8> = (0..len).map(|byte| u8::try_from(byte).unwrap()).collect();
    let rewrite = fermata_rtp::dependency::Rewrite { number: 0xabcd, active: 0 };
    let dependency = DependencyOut { descriptor: &descriptor, targets: 9, rewrite };
    let packet = RtpOut { codec, dependency: Some(dependency), ..ends.packet(seq, &[0x10, 5, 6]) };
    let (now, mut seen) = (ends.now, Vec::new());
    ends.from.send(now, path(), slot, &packet, 0, &mut ends.out).unwrap();
    let first = ends.taken().pop().unwrap();
    ends.from.send_again(now, path(), slot, &packet, &mut ends.out).unwrap();
    let second = ends.taken().pop().unwrap();
    for mut data in [second, first] {
        let len = data.len();
        // The first is a repetition once it came again.
        if let Some(read) = ends.to.receive(now, &mut data) {
            assert_eq!((read.payload, read.codec), (&[0x10, 5, 6][..], codec));
            seen.push((read.dependency.unwrap_or_default().to_vec(), len));
        } else {
            seen.push((Vec::new(), len));
        }
    }
    seen
}

#[test]
fn dependency_descriptors_go_out_in_the_form_that_holds_them() {
    for rtx in [false, true] {
        let mut ends = Ends::new(Profile::AeadAes128Gcm, rtx);
        let (now, mut known) = (ends.now, ends.send(0, &[0x10, 1, 2]));
        assert!(ends.to.receive(now, &mut known).is_some());
        for (seq, len) in [(1, 3), (2, 16), (3, 17), (4, 255), (5, 3)] {
            let mut expected: Vec<u8> = (0..len).map(|b| u8::try_from(b).unwrap()).collect();
            expected[1..3].copy_from_slice(&[0xab, 0xcd]);
            let slot = ends.slot();
            let rewrite = fermata_rtp::dependency::Rewrite { number: 0, active: 0 };
            let dependency = DependencyOut { descriptor: &expected.clone(), targets: 9, rewrite };
            let told = ends.from.wire_len(slot, 3, Some(&dependency));
            let seen = with_dependency(&mut ends, seq, len, Codec::Av1);
            assert_eq!(seen[0].0, expected, "{len} {rtx}");
            assert_eq!(seen[1].1, told, "{len} {rtx}");
        }
        let vp8 = with_dependency(&mut ends, 6, 3, Codec::Vp8);
        assert!(vp8[0].0.is_empty(), "VP8 has none");
    }
}

#[test]
fn a_receiver_of_one_form_gets_no_dependency_descriptors() {
    let mut ends = Ends::new(Profile::AeadAes128Gcm, true);
    let mut plain = negotiated(1_000, true, true);
    plain.lines[0].mixed = false;
    ends.from.configure(&plain);
    for (seq, len) in [(1, 3), (2, 40)] {
        let seen = with_dependency(&mut ends, seq, len, Codec::Av1);
        assert!(seen[0].0.is_empty(), "{len}");
    }
}

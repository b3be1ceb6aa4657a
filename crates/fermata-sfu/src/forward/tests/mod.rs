//! A publisher made of hand-written packets, one or two subscribers, and what comes out.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fermata_rtp::unwrap::rtp_time_delta;
use fermata_rtp::vp8::{Descriptor, PictureId, patch};
use fermata_rtp::{Codec, FrameSize};
use fermata_types::Now;
use proptest::prelude::*;

use super::*;

mod steps;

fn spec(quality: Quality, rid: &str, width: u32, height: u32) -> LayerSpec {
    let size = FrameSize::new(width, height);
    LayerSpec { quality, rid: rid.to_owned(), size, bitrate_bps: 0 }
}

fn simulcast() -> [LayerSpec; 3] {
    [
        spec(Quality::High, "", 1280, 720),
        spec(Quality::Low, "", 320, 180),
        spec(Quality::Medium, "", 640, 360),
    ]
}

/// One VP8 stream as libwebrtc sends it: two temporal layers, two packets a picture.
struct Vp8Stream {
    rid: &'static str,
    size: (u16, u16),
    seq: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
    key: u8,
}

/// A packet with its bytes.
#[derive(Debug, Clone)]
struct Made {
    rid: Option<&'static str>,
    seq: u64,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

impl Made {
    fn packet(&self, arrived: Instant) -> PacketIn<'_> {
        let Self { rid, seq, timestamp, marker, ref payload } = *self;
        PacketIn { rid, seq, timestamp, marker, payload, dependency: None, arrived }
    }
}

impl Vp8Stream {
    fn new(rid: &'static str, size: (u16, u16), seed: u16) -> Self {
        let (seq, timestamp) = (u64::from(seed) * 91, u32::from(seed).wrapping_mul(77_777));
        Self { rid, size, seq, timestamp, picture: seed.wrapping_mul(7) & 0x7fff, tl0: 200, key: 5 }
    }

    fn three() -> [Self; 3] {
        [
            Self::new("q", (320, 180), 1_000),
            Self::new("h", (640, 360), 2_000),
            Self::new("f", (1280, 720), 3_000),
        ]
    }

    /// The packets of the next picture, 33 ms after the last.
    fn picture(&mut self, keyframe: bool) -> Vec<Made> {
        self.timestamp = self.timestamp.wrapping_add(3_000);
        self.picture = (self.picture + 1) & 0x7fff;
        let tid = if keyframe { 0 } else { u8::from(self.picture % 2 == 1) };
        self.tl0 = self.tl0.wrapping_add(u8::from(tid == 0));
        self.key = (self.key + u8::from(keyframe)) & 0x1f;
        let mut packets = Vec::new();
        for part in 0..2 {
            let descriptor = Descriptor {
                partition_start: part == 0,
                picture_id: Some(PictureId { value: self.picture, long: true }),
                tl0_pic_idx: Some(self.tl0),
                temporal: Some((tid, tid == 1)),
                key_idx: Some(self.key),
                extended: true,
                ..Descriptor::default()
            };
            let mut payload = vec![0; 6];
            descriptor.write(&mut payload).expect("six bytes");
            if part == 0 {
                let ([w0, w1], [h0, h1]) = (self.size.0.to_le_bytes(), self.size.1.to_le_bytes());
                payload.extend([u8::from(!keyframe), 0, 0, 0x9d, 1, 0x2a, w0, w1, h0, h1]);
            }
            payload.extend(self.seq.to_be_bytes());
            self.seq += 1;
            let (seq, timestamp) = (self.seq, self.timestamp);
            packets.push(Made { rid: Some(self.rid), seq, timestamp, marker: part == 1, payload });
        }
        packets
    }
}

/// What went out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    seq: u64,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

struct Bench {
    now: Instant,
    up: UpTrack,
    down: DownTrack,
    sent: Vec<Sent>,
}

impl Bench {
    fn new(codec: Codec, rids: &[&str], declared: &[LayerSpec], encrypted: bool) -> Self {
        Self {
            now: Now::read().instant + Duration::from_secs(1_000),
            up: UpTrack::new(codec, rids, declared, encrypted),
            down: DownTrack::new(Continuation::default()),
            sent: Vec::new(),
        }
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn pass(&mut self, made: &Made) -> Result<Sent, Dropped> {
        let view = self.up.receive(&made.packet(self.now)).expect("a known stream");
        match self.down.forward(self.now, &self.up, &view) {
            Forward::Send(sending) => {
                let Sending { seq, timestamp, marker, vp8, .. } = sending;
                let mut payload = made.payload.clone();
                assert!(vp8.is_none_or(|numbers| patch(&mut payload, &numbers)));
                let sent = Sent { seq, timestamp, marker, payload };
                self.sent.push(sent.clone());
                Ok(sent)
            }
            Forward::Drop(dropped) => Err(dropped),
        }
    }

    /// A picture of each stream; the one of `key` is a keyframe.
    fn pictures(&mut self, streams: &mut [Vp8Stream], key: &[&str]) {
        self.wait(33);
        for stream in streams {
            for packet in stream.picture(key.contains(&stream.rid)) {
                let _ = self.pass(&packet);
            }
        }
    }

    fn area(&self) -> u64 {
        self.down.area(self.now, &self.up)
    }

    /// Everything sent is as a receiver wants it.
    fn check_vp8(&self) {
        for pair in self.sent.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq + 1);
            let step = rtp_time_delta(pair[0].timestamp, pair[1].timestamp);
            assert!((0..270_000).contains(&step), "time {step}");
            let [one, two] = [0, 1].map(|index: usize| {
                Descriptor::parse(&pair[index].payload).expect("a descriptor").0
            });
            let picture = |descriptor: &Descriptor| descriptor.picture_id.expect("there").value;
            let advance = u16::from(step > 0);
            assert_eq!(picture(&two), (picture(&one) + advance) & 0x7fff);
            let tl0 = |descriptor: &Descriptor| descriptor.tl0_pic_idx.expect("there");
            assert!(tl0(&two).wrapping_sub(tl0(&one)) <= 1);
        }
    }
}

fn settings(quality: Quality) -> Settings {
    Settings { quality, ..Settings::default() }
}

#[test]
fn simulcast_layers_change_at_keyframes_without_a_seam() {
    let mut streams = Vp8Stream::three();
    let mut bench = Bench::new(Codec::Vp8, &["f", "h", "q"], &simulcast(), false);
    bench.down.set_settings(settings(Quality::Low));
    bench.pictures(&mut streams, &[]);
    assert_eq!(bench.down.needs_keyframe(), Some(LayerIndex(0)));
    assert!(bench.sent.is_empty() && bench.area() == 0);
    bench.pictures(&mut streams, &["q"]);
    assert_eq!((bench.down.needs_keyframe(), bench.area()), (None, 320 * 180));
    for _ in 0..9 {
        bench.pictures(&mut streams, &[]);
    }
    bench.down.set_settings(settings(Quality::High));
    for _ in 0..5 {
        bench.pictures(&mut streams, &["h"]);
        assert_eq!(bench.down.needs_keyframe(), Some(LayerIndex(2)));
        assert_eq!(bench.area(), 320 * 180, "the old layer until the new one begins");
    }
    bench.pictures(&mut streams, &["f"]);
    assert_eq!((bench.down.current_layer(), bench.area()), (Some(LayerIndex(2)), 1280 * 720));
    for _ in 0..9 {
        bench.pictures(&mut streams, &[]);
    }
    assert_eq!(bench.sent.len(), 2 * (1 + 9 + 5 + 1 + 9) + 2);
    bench.check_vp8();
    // The time of the picture is that of the change, plus or minus the 33 ms between pictures.
    let whole = rtp_time_delta(bench.sent[0].timestamp, bench.sent[51].timestamp);
    assert!((24 * 2_970..=26 * 3_030).contains(&whole), "{whole}");

    bench.down.set_settings(Settings { disabled: true, ..settings(Quality::High) });
    assert_eq!(bench.area(), 0, "at once");
    let before = bench.sent.len();
    bench.pictures(&mut streams, &["f"]);
    assert_eq!((bench.sent.len(), bench.down.needs_keyframe()), (before, None));
    assert_eq!(bench.down.wanted_quality(&bench.up), None);
    bench.down.set_settings(settings(Quality::Medium));
    bench.pictures(&mut streams, &["f"]);
    bench.pictures(&mut streams, &["h"]);
    assert_eq!((bench.sent.len(), bench.area()), (before + 2, 640 * 360));
    bench.check_vp8();
}

#[test]
fn a_layer_that_stops_is_left_and_taken_up_again() {
    let mut streams = Vp8Stream::three();
    let mut bench = Bench::new(Codec::Vp8, &["q", "h", "f"], &simulcast(), false);
    bench.pictures(&mut streams, &["q", "h", "f"]);
    // The first packet is of q, and nothing else lives yet.
    assert_eq!(bench.down.current_layer(), Some(LayerIndex(2)));
    for _ in 0..60 {
        bench.pictures(&mut streams[..2], &["h"]);
    }
    assert_eq!(bench.down.current_layer(), Some(LayerIndex(1)));
    assert!(bench.up.is_alive(LayerIndex(1)) && !bench.up.is_alive(LayerIndex(2)));
    bench.pictures(&mut streams, &["f"]);
    assert_eq!(bench.down.current_layer(), Some(LayerIndex(2)));
    bench.check_vp8();
    // A still screen stops all of them; nothing is dead by that.
    bench.wait(60_000);
    bench.pictures(&mut streams, &[]);
    assert_eq!(bench.down.current_layer(), Some(LayerIndex(2)));
}

#[test]
fn temporal_layers_are_left_out_by_picture_rate() {
    let mut streams = [Vp8Stream::new("q", (640, 360), 9)];
    let mut bench = Bench::new(Codec::Vp8, &["q"], &[], false);
    bench.pictures(&mut streams, &["q"]);
    for _ in 0..90 {
        bench.pictures(&mut streams, &[]);
    }
    assert!((bench.up.fps(LayerIndex(0)) - 30.0).abs() < 2.0);
    assert!(bench.up.bitrate_bps(LayerIndex(0)) > 0);
    bench.down.set_settings(Settings { fps: 15, ..settings(Quality::High) });
    let before = bench.sent.len();
    for _ in 0..60 {
        bench.pictures(&mut streams, &[]);
    }
    assert!((60..=64).contains(&(bench.sent.len() - before)), "half of 120");
    bench.down.set_settings(settings(Quality::High));
    let before = bench.sent.len();
    for _ in 0..60 {
        bench.pictures(&mut streams, &[]);
    }
    assert!(bench.sent.len() - before >= 116, "all again from the next switching point");
    bench.check_vp8();
}

/// A packet of a VP9 stream with three spatial layers; `parts` packets for each, size structure in keyframes.
fn vp9_picture(seq: &mut u64, timestamp: u32, keyframe: bool, layers: u8) -> Vec<Made> {
    let mut packets = Vec::new();
    for spatial in 0..layers {
        for part in 0..2_u8 {
            let structure = keyframe && spatial == 0 && part == 0;
            let mut flags = 0x20 | u8::from(!keyframe) << 6 | u8::from(structure) << 1;
            flags |= if part == 0 { 0x08 } else { 0x04 };
            let inter_layer = u8::from(keyframe && spatial > 0);
            let mut payload = vec![flags, spatial << 1 | inter_layer, 0];
            if structure {
                payload.push((layers - 1) << 5 | 0x10);
                for (width, height) in
                    [(320_u16, 180_u16), (640, 360), (1280, 720)].iter().take(usize::from(layers))
                {
                    payload.extend(width.to_be_bytes());
                    payload.extend(height.to_be_bytes());
                }
            }
            payload.push(0xee);
            *seq += 1;
            let marker = spatial + 1 == layers && part == 1;
            packets.push(Made { rid: None, seq: *seq, timestamp, marker, payload });
        }
    }
    packets
}

#[test]
fn spatial_layers_are_left_out_and_the_picture_still_ends() {
    let mut bench = Bench::new(Codec::Vp9, &[], &simulcast(), false);
    let (mut seq, mut timestamp) = (70_000, 5);
    let mut picture = |bench: &mut Bench, keyframe, layers| {
        timestamp += 3_000;
        bench.wait(33);
        let packets = vp9_picture(&mut seq, timestamp, keyframe, layers);
        packets.iter().filter_map(|made| bench.pass(made).ok()).collect::<Vec<_>>()
    };
    let check = |sent: &[Sent], count: usize| {
        assert_eq!(sent.len(), count);
        let markers: Vec<_> = sent.iter().map(|sent| sent.marker).collect();
        assert!(markers[count - 1] && !markers[..count - 1].contains(&true), "{markers:?}");
    };
    assert!(picture(&mut bench, false, 3).is_empty());
    check(&picture(&mut bench, true, 3), 6);
    assert_eq!(bench.sent[0].seq, 70_007 % 0x8000, "fits what SRTP receivers assume");
    check(&picture(&mut bench, false, 3), 6);
    assert_eq!(bench.area(), 1280 * 720);

    bench.down.set_settings(settings(Quality::Low));
    check(&picture(&mut bench, false, 3), 2);
    assert_eq!((bench.area(), bench.down.needs_keyframe()), (320 * 180, None));

    // By visible size: the middle layer covers it, but begins only at a keyframe.
    let size = FrameSize::new(600, 340);
    bench.down.set_settings(Settings { size, ..settings(Quality::Low) });
    check(&picture(&mut bench, false, 3), 2);
    assert_eq!(bench.down.needs_keyframe(), Some(LayerIndex(0)));
    check(&picture(&mut bench, true, 3), 4);
    assert_eq!((bench.area(), bench.down.needs_keyframe()), (640 * 360, None));

    // The publisher leaves layers out: what is there is sent and counted.
    bench.down.set_settings(settings(Quality::High));
    check(&picture(&mut bench, true, 1), 2);
    for _ in 0..40 {
        check(&picture(&mut bench, false, 1), 2);
    }
    assert_eq!((bench.area(), bench.down.needs_keyframe()), (320 * 180, None));
    assert!(bench.sent.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
}

#[test]
fn encrypted_spatial_layers_count_by_declaration() {
    let check = |declared: &[LayerSpec], expected: u64| {
        let mut bench = Bench::new(Codec::Vp9, &[], declared, true);
        bench.down.set_settings(settings(Quality::Low));
        for made in vp9_picture(&mut 7, 90, true, 3) {
            let _ = bench.pass(&made);
        }
        assert_eq!(bench.area(), expected);
    };
    check(&simulcast(), 320 * 180);
    check(&[spec(Quality::High, "", 1920, 1080)], 480 * 270);
    check(&[], 1280 * 720);
}

#[test]
fn padding_leaves_no_gap() {
    let mut bench = Bench::new(Codec::H264, &[], &[], false);
    let made = |seq, payload: &[u8]| Made {
        rid: None,
        seq,
        timestamp: 9,
        marker: true,
        payload: payload.to_vec(),
    };
    assert_eq!(bench.pass(&made(1, &[0x41, 1])), Err(Dropped::AwaitingKeyframe));
    assert_eq!(bench.pass(&made(2, &[0x67, 1])).map(|sent| sent.seq), Ok(2));
    assert_eq!(bench.pass(&made(3, &[])), Err(Dropped::Malformed));
    assert_eq!(bench.pass(&made(4, &[])), Err(Dropped::Malformed));
    assert_eq!(bench.pass(&made(5, &[0x65, 1])).map(|sent| sent.seq), Ok(3));
}

#[test]
fn a_keyframe_of_which_the_rest_was_missed_is_no_beginning() {
    let mut stream = Vp8Stream::new("q", (320, 180), 5);
    let mut bench = Bench::new(Codec::Vp8, &["q"], &[], false);
    let keyframe = stream.picture(true);
    assert_eq!(bench.pass(&keyframe[1]), Err(Dropped::AwaitingKeyframe));
    assert_eq!(bench.pass(&keyframe[0]), Err(Dropped::AwaitingKeyframe), "sent again, too late");
    assert_eq!(bench.down.needs_keyframe(), Some(LayerIndex(0)));
    assert!(stream.picture(true).iter().all(|made| bench.pass(made).is_ok()));
}

#[test]
fn after_an_interruption_it_goes_on_at_a_keyframe_without_a_gap() {
    let mut streams = [Vp8Stream::new("q", (320, 180), 5)];
    let mut bench = Bench::new(Codec::Vp8, &["q"], &[], false);
    bench.pictures(&mut streams, &["q"]);
    bench.pictures(&mut streams, &[]);
    bench.down.interrupt();
    assert_eq!((bench.down.needs_keyframe(), bench.area()), (Some(LayerIndex(0)), 0));
    bench.pictures(&mut streams, &[]);
    assert_eq!(bench.sent.len(), 4);
    bench.pictures(&mut streams, &["q"]);
    bench.pictures(&mut streams, &[]);
    assert_eq!((bench.sent.len(), bench.down.needs_keyframe()), (8, None));
    bench.check_vp8();
}

#[test]
fn an_m_line_goes_on_with_another_track() {
    let mut one = [Vp8Stream::new("q", (320, 180), 5)];
    let mut bench = Bench::new(Codec::Vp8, &["q"], &[], false);
    bench.pictures(&mut one, &["q"]);
    bench.pictures(&mut one, &[]);
    bench.wait(10_000);
    bench.down = DownTrack::new(bench.down.continuation());
    bench.up = UpTrack::new(Codec::Vp8, &["f"], &[], false);
    let mut two = [Vp8Stream::new("f", (640, 360), 31_000)];
    bench.pictures(&mut two, &[]);
    bench.pictures(&mut two, &["f"]);
    bench.down.set_paused(true);
    bench.pictures(&mut two, &[]);
    bench.down.set_paused(false);
    bench.pictures(&mut two, &["f"]);
    let times: Vec<_> = bench
        .sent
        .windows(2)
        .map(|pair| rtp_time_delta(pair[0].timestamp, pair[1].timestamp))
        .collect();
    assert_eq!(times, [0, 3_000, 0, (10_000 + 66) * 90, 0, 6_000, 0]);
    let seqs: Vec<_> = bench.sent.iter().map(|sent| sent.seq - bench.sent[0].seq).collect();
    assert_eq!(seqs, (0..8).collect::<Vec<_>>());
}

#[test]
fn sender_reports_align_layers() {
    let mut streams = Vp8Stream::three();
    let mut bench = Bench::new(Codec::Vp8, &["q", "h", "f"], &simulcast(), false);
    bench.down.set_settings(settings(Quality::Low));
    bench.pictures(&mut streams, &["q"]);
    for stream in &streams {
        let report = SenderReport { rtp_time: stream.timestamp, ntp: bench.now };
        bench.up.set_sender_report(Some(stream.rid), report);
    }
    bench.down.set_settings(settings(Quality::High));
    bench.pictures(&mut streams, &[]);
    // The network is late by 300 ms; the picture is still 33 ms after the last one.
    bench.wait(300);
    bench.pictures(&mut streams[2..], &["f"]);
    let sent: Vec<_> = bench.sent.iter().map(|sent| sent.timestamp).collect();
    assert_eq!(rtp_time_delta(sent[sent.len() - 3], sent[sent.len() - 1]), 3_000);
    assert_eq!(bench.down.current_layer(), Some(LayerIndex(2)));
}

#[test]
fn keyframe_requests_are_coalesced_repeated_and_cleared() {
    let mut streams = Vp8Stream::three();
    let mut bench = Bench::new(Codec::Vp8, &["q", "h", "f"], &simulcast(), false);
    let asked = |bench: &mut Bench| {
        let mut rids = Vec::new();
        while let Some(rid) = bench.up.poll_keyframe(bench.now) {
            rids.push(rid.expect("simulcast").to_owned());
        }
        rids
    };
    bench.up.request_keyframe(LayerIndex(2));
    assert_eq!(asked(&mut bench), [""; 0], "it never sent anything");
    bench.pictures(&mut streams, &[]);
    for _ in 0..9 {
        bench.up.request_keyframe(LayerIndex(2));
        bench.up.request_keyframe(LayerIndex(0));
    }
    assert_eq!(asked(&mut bench), ["q", "f"]);
    let mut count = 0;
    for _ in 0..60 {
        bench.pictures(&mut streams, &["q", "h"]);
        bench.up.request_keyframe(LayerIndex(2));
        let rids = asked(&mut bench);
        assert!(rids.iter().all(|rid| rid == "f"), "only that layer's keyframe clears it");
        count += rids.len();
    }
    assert_eq!(count, 3, "two seconds, half a second apart");
    assert!(bench.up.next_timeout(bench.now).is_some_and(|at| at > bench.now));
    bench.up.set_muted(true);
    bench.wait(5_000);
    assert_eq!((asked(&mut bench), bench.up.next_timeout(bench.now)), (Vec::new(), None));
    bench.up.set_muted(false);
    bench.pictures(&mut streams, &["f"]);
    assert_eq!((asked(&mut bench), bench.up.next_timeout(bench.now)), (Vec::new(), None));
    bench.up.request_keyframe(LayerIndex(9));
    assert_eq!(asked(&mut bench), [""; 0]);
}

#[test]
fn area_counts_while_packets_go_out() {
    let mut streams = [Vp8Stream::new("q", (640, 360), 9)];
    let mut bench = Bench::new(Codec::Vp8, &["q"], &[], false);
    assert_eq!((bench.area(), bench.down.area_lapses_at()), (0, None));
    bench.pictures(&mut streams, &["q"]);
    assert_eq!(bench.area(), 640 * 360);
    let lapses = bench.down.area_lapses_at().expect("sending");
    let before = bench.now + Duration::from_millis(999);
    assert_eq!(bench.down.area(before, &bench.up), 640 * 360);
    assert_eq!(lapses, bench.now + Duration::from_secs(1));
    assert_eq!(bench.down.area(lapses, &bench.up), 0);
    bench.wait(5_000);
    bench.pictures(&mut streams, &[]);
    assert_eq!(bench.area(), 640 * 360);
    streams[0].size = (1920, 1080);
    bench.pictures(&mut streams, &["q"]);
    assert_eq!(bench.area(), 1920 * 1080, "the new size from its keyframe on");
    bench.down.set_paused(true);
    assert_eq!(bench.area(), 0);
}

#[test]
fn encrypted_pictures_count_by_declaration_unless_contradicted() {
    let mut streams = [Vp8Stream::new("q", (1920, 1080), 9)];
    let declared = [spec(Quality::High, "q", 320, 180)];
    let mut bench = Bench::new(Codec::Vp8, &["q"], &declared, true);
    bench.pictures(&mut streams, &["q"]);
    assert_eq!(bench.area(), 320 * 180);
    for _ in 0..60 {
        bench.pictures(&mut streams, &[]);
    }
    assert_eq!(bench.area(), 320 * 180);
    assert!(!bench.up.take_contradicted());
    for _ in 0..120 {
        bench.wait(33);
        for mut packet in streams[0].picture(false) {
            packet.payload.resize(12_000, 0);
            bench.pass(&packet).expect("sent");
        }
    }
    assert_eq!(bench.area(), 921_601, "5.8 Mb/s are no 320x180");
    assert!(bench.up.take_contradicted());
    assert!(!bench.up.take_contradicted(), "told once");
}

#[test]
fn rids_and_qualities() {
    let check = |rids: &[&str], declared: &[LayerSpec], expected: &[(&str, Quality)]| {
        let mut bench = Bench::new(Codec::Vp8, rids, declared, false);
        for (index, (rid, quality)) in expected.iter().enumerate() {
            let stream = Vp8Stream::new("q", (320, 180), 1).picture(true);
            let packet = PacketIn { rid: Some(rid), ..stream[0].packet(bench.now) };
            let layer = bench.up.receive(&packet).expect("known").layer;
            assert_eq!(usize::from(layer.0), index, "{rid}");
            assert_eq!(bench.up.quality(layer), *quality, "{rid}");
        }
        let stream = Vp8Stream::new("q", (320, 180), 1).picture(true);
        let stranger = PacketIn { rid: Some("x"), ..stream[0].packet(bench.now) };
        assert!(bench.up.receive(&stranger).is_none());
    };
    let (low, medium, high) = (Quality::Low, Quality::Medium, Quality::High);
    check(&["f", "q", "h"], &[], &[("q", low), ("h", medium), ("f", high)]);
    check(&["0", "1", "2"], &simulcast(), &[("2", low), ("1", medium), ("0", high)]);
    check(&["q", "h"], &[], &[("q", low), ("h", medium)]);
    let two = [spec(low, "", 640, 360), spec(high, "", 1280, 720)];
    check(&["q", "h"], &two, &[("q", low), ("h", high)]);
    let named = [spec(high, "a", 0, 0), spec(low, "b", 0, 0)];
    check(&["a", "b"], &named, &[("b", low), ("a", high)]);
    check(&["q"], &[], &[("q", high)]);
    check(&[], &[], &[("q", high)]);
    check(&["a", "b", "c", "d"], &[], &[("a", low), ("b", medium), ("c", high)]);
}

#[test]
fn wanted_quality_of_sizes() {
    let up = UpTrack::new(Codec::Vp8, &["q", "h", "f"], &simulcast(), false);
    let bare = UpTrack::new(Codec::Vp8, &["q", "h", "f"], &[], false);
    let rows = [
        (320, 180, Quality::Low),
        (180, 320, Quality::Low),
        (340, 199, Quality::Low),
        (400, 300, Quality::Medium),
        (640, 400, Quality::Medium),
        (800, 600, Quality::High),
        (4_000, 3_000, Quality::High),
    ];
    for (width, height, expected) in rows {
        let mut down = DownTrack::new(Continuation::default());
        let size = FrameSize::new(width, height);
        down.set_settings(Settings { size, ..settings(Quality::Low) });
        assert_eq!(down.wanted_quality(&up), Some(expected), "{width}x{height}");
        assert_eq!(down.wanted_quality(&bare), Some(expected), "{width}x{height}");
        // What there is no room for is wanted all the same, and is not sent.
        down.set_allowed(Some(Allowed { quality: Quality::Low, ..Allowed::ALL }));
        assert_eq!(down.wanted_quality(&up), Some(expected));
        down.select(Now::read().instant, &up);
        assert_eq!(down.wanted_layer(), Some(LayerIndex(0)));
        down.set_allowed(None);
        down.select(Now::read().instant, &up);
        assert_eq!((down.wanted_quality(&up), down.wanted_layer()), (Some(expected), None));
    }
}

#[test]
fn audio_passes_as_it_is_and_goes_on_after_a_pause() {
    let mut bench = Bench::new(Codec::Opus, &[], &[], false);
    let made = |seq: u64| Made {
        rid: None,
        seq,
        timestamp: u32::try_from(seq).expect("small") * 960,
        marker: false,
        payload: vec![0xfc, 1],
    };
    for seq in [400, 401, 403, 402, 403] {
        let _ = bench.pass(&made(seq));
        bench.wait(20);
    }
    let sent: Vec<_> = bench.sent.iter().map(|sent| (sent.seq, sent.timestamp / 960)).collect();
    assert_eq!(sent, [(400, 400), (401, 401), (403, 403), (402, 402)]);
    assert_eq!((bench.area(), bench.down.needs_keyframe()), (0, None));
    bench.down.set_settings(Settings { disabled: true, ..Settings::default() });
    assert_eq!(bench.pass(&made(404)), Err(Dropped::Off));
    bench.wait(2_000);
    bench.down.set_settings(Settings::default());
    // Nobody has heard it again yet, and still nothing is asked for: there are no keyframes.
    bench.up.request_keyframe(LayerIndex(0));
    bench.up.request_keyframe_of(None);
    assert_eq!(bench.up.poll_keyframe(bench.now), None);
    assert_eq!(bench.up.next_timeout(bench.now), None);
    let again = bench.pass(&made(505)).expect("sent");
    assert_eq!((again.seq, again.timestamp), (404, 505 * 960));
    assert_eq!(bench.pass(&Made { payload: Vec::new(), ..made(506) }), Err(Dropped::Malformed));
}

#[derive(Debug, Clone)]
enum Op {
    /// A picture of every stream; keyframes by bits; the packets' fates: lost, late, twice.
    Picture(u8, Vec<u8>),
    Settings(Quality, bool),
    Pause(bool),
    NewTrack,
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0_u8..8, prop::collection::vec(0_u8..12, 6)).prop_map(|(keys, fates)| Op::Picture(keys, fates)),
        1 => (prop::sample::select(&Quality::ALL[..]), prop::bool::weighted(0.2))
            .prop_map(|(quality, disabled)| Op::Settings(quality, disabled)),
        1 => any::<bool>().prop_map(Op::Pause),
        1 => Just(Op::NewTrack),
        1 => (0_u64..3_000).prop_map(Op::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever happens: no number is given twice; in the order of numbers, times and pictures do not go
    /// back; packets of one picture share both; payloads behind the descriptor are untouched.
    #[test]
    fn what_goes_out_is_always_one_stream(ops in prop::collection::vec(op(), 1..120)) {
        let mut streams = Vp8Stream::three();
        let mut bench = Bench::new(Codec::Vp8, &["q", "h", "f"], &simulcast(), false);
        let mut late: Vec<Made> = Vec::new();
        for op in ops {
            match op {
                Op::Picture(keys, fates) => {
                    bench.wait(33);
                    let mut packets = Vec::new();
                    for (index, stream) in streams.iter_mut().enumerate() {
                        packets.extend(stream.picture(keys >> index & 1 == 1));
                    }
                    let before = std::mem::take(&mut late);
                    for (made, fate) in packets.into_iter().zip(fates) {
                        match fate {
                            0 => {}
                            1 => late.push(made),
                            2 => {
                                let _ = bench.pass(&made);
                                prop_assert!(bench.pass(&made).is_err(), "twice");
                            }
                            _ => drop(bench.pass(&made)),
                        }
                    }
                    for made in before {
                        let _ = bench.pass(&made);
                    }
                }
                Op::Settings(quality, disabled) => {
                    bench.down.set_settings(Settings { disabled, ..settings(quality) });
                }
                Op::Pause(paused) => bench.down.set_paused(paused),
                Op::NewTrack => {
                    bench.down = DownTrack::new(bench.down.continuation());
                    bench.up = UpTrack::new(Codec::Vp8, &["q", "h", "f"], &simulcast(), false);
                    late.clear();
                }
                Op::Wait(ms) => bench.wait(ms),
            }
        }
        let seqs: BTreeSet<_> = bench.sent.iter().map(|sent| sent.seq).collect();
        prop_assert_eq!(seqs.len(), bench.sent.len());
        let mut sent = bench.sent.clone();
        sent.sort_by_key(|sent| sent.seq);
        for pair in sent.windows(2) {
            let step = rtp_time_delta(pair[0].timestamp, pair[1].timestamp);
            prop_assert!(step >= 0);
            let [one, two] =
                [0, 1].map(|index: usize| Descriptor::parse(&pair[index].payload).expect("one").0);
            let picture = |descriptor: &Descriptor| descriptor.picture_id.expect("there").value;
            let advance = picture(&two).wrapping_sub(picture(&one)) & 0x7fff;
            prop_assert!(advance < 0x4000, "pictures go back");
            prop_assert_eq!(advance == 0, step == 0);
        }
    }

    #[test]
    fn any_bytes_from_a_publisher_are_taken(
        packets in prop::collection::vec(
            (any::<u64>(), any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..40), 0_u8..4),
            1..60,
        ),
        codec in prop::sample::select(Codec::ALL),
    ) {
        let rids = ["q", "h", "f"];
        let mut bench = Bench::new(codec, &rids, &[], false);
        for (seq, timestamp, marker, payload, rid) in packets {
            let rid = rids.get(usize::from(rid)).copied();
            let made = Made { rid, seq, timestamp, marker, payload };
            bench.wait(u64::from(timestamp % 700));
            if let Some(view) = bench.up.receive(&made.packet(bench.now)) {
                let _ = bench.down.forward(bench.now, &bench.up, &view);
            }
            let _ = (bench.area(), bench.down.needs_keyframe(), bench.up.poll_keyframe(bench.now));
        }
    }
}

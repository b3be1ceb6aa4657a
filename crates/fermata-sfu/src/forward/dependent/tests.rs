//! Streams with dependency descriptors as encoders make them, a subscriber that changes its mind, and a receiver that
//! takes nothing of which it misses something.

#![expect(clippy::format_push_string, reason = "bits as text are written here and there")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fermata_rtp::dependency::{DESCRIPTOR_LEN_MAX, Reader};
use fermata_rtp::unwrap::Unwrapper;
use fermata_rtp::{Codec, FrameSize};
use fermata_types::Now;
use proptest::prelude::*;

use crate::forward::{
    Continuation, DownTrack, Dropped, Forward, LayerIndex, PacketIn, Quality, Settings, UpTrack,
};

/// Bits as text, packed.
fn pack(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text.bytes().collect();
    let byte = |bits: &[u8]| {
        bits.iter().enumerate().fold(0, |byte, (place, bit)| byte | (bit - b'0') << (7 - place))
    };
    bits.chunks(8).map(byte).collect()
}

/// One kind of frame: spatial and temporal layer, indications, differences.
type Template = (u8, u8, &'static str, &'static [u16]);

/// How an encoder arranges its frames: templates, and for each picture of a cycle those of its frames. The first
/// picture is the one that begins.
struct Mode {
    templates: &'static [Template],
    begins: &'static [usize],
    cycle: &'static [&'static [usize]],
    sizes: &'static [(u32, u32)],
}

/// One spatial layer, three temporal ones.
const L1T3: Mode = Mode {
    templates: &[(0, 0, "SSS", &[]), (0, 0, "SSS", &[4]), (0, 1, "-DS", &[2]), (0, 2, "--D", &[1])],
    begins: &[0],
    cycle: &[&[3], &[2], &[3], &[1]],
    sizes: &[],
};

/// Three spatial layers that build on each other in pictures that begin, and then no more.
const L3T1_KEY: Mode = Mode {
    templates: &[
        (0, 0, "SSS", &[]),
        (0, 0, "S--", &[3]),
        (1, 0, "-SS", &[1]),
        (1, 0, "-S-", &[3]),
        (2, 0, "--S", &[1]),
        (2, 0, "--S", &[3]),
    ],
    begins: &[0, 2, 4],
    cycle: &[&[1, 3, 5]],
    sizes: &[(160, 90), (320, 180), (640, 360)],
};

/// Two spatial layers that always build on each other, two temporal ones.
const L2T2: Mode = Mode {
    // Targets: S0T0, S0T1, S1T0, S1T1.
    templates: &[
        (0, 0, "SSSS", &[]),
        (0, 0, "SSRR", &[4]),
        (0, 1, "-D-R", &[2]),
        (1, 0, "--SS", &[1]),
        (1, 0, "--RR", &[4, 1]),
        (1, 1, "---D", &[2, 1]),
    ],
    begins: &[0, 3],
    cycle: &[&[2, 5], &[1, 4]],
    sizes: &[(320, 180), (640, 360)],
};

/// A packet as it comes: one for each frame.
struct Made {
    seq: u64,
    timestamp: u32,
    marker: bool,
    begins: bool,
    descriptor: Vec<u8>,
}

struct Encoder {
    mode: &'static Mode,
    seq: u64,
    frame: u16,
    timestamp: u32,
    /// Where in the cycle.
    at: usize,
    /// Decode targets that are sent, told with the next frame.
    active: Option<u32>,
}

impl Encoder {
    fn new(mode: &'static Mode, seed: u16) -> Self {
        Self { mode, seq: seed.into(), frame: seed, timestamp: 7, at: 0, active: None }
    }

    fn structure(&self) -> String {
        let Mode { templates, sizes, .. } = self.mode;
        let targets = templates[0].2.len();
        let mut text = format!("000101{:05b}", targets - 1);
        for pair in templates.windows(2) {
            let ((s0, t0, ..), (s1, t1, ..)) = (pair[0], pair[1]);
            text += if s1 > s0 {
                "10"
            } else if t1 > t0 {
                "01"
            } else {
                "00"
            };
        }
        text += "11";
        for (_, _, indications, _) in *templates {
            for letter in indications.chars() {
                text += match letter {
                    '-' => "00",
                    'D' => "01",
                    'S' => "10",
                    _ => "11",
                };
            }
        }
        for (.., differences) in *templates {
            differences.iter().for_each(|back| text += &format!("1{:04b}", back - 1));
            text += "0";
        }
        // No chains: ns(targets + 1) of 0.
        text += &"0".repeat((targets + 1).ilog2() as usize);
        text += if sizes.is_empty() { "0" } else { "1" };
        for (width, height) in *sizes {
            text += &format!("{:016b}{:016b}", width - 1, height - 1);
        }
        text
    }

    /// The frames of the next picture.
    fn picture(&mut self, begins: bool) -> Vec<Made> {
        self.timestamp = self.timestamp.wrapping_add(3_000);
        let kinds = if begins {
            self.at = 0;
            self.mode.begins
        } else {
            self.at += 1;
            self.mode.cycle[(self.at - 1) % self.mode.cycle.len()]
        };
        let mut made = Vec::new();
        for (place, kind) in kinds.iter().enumerate() {
            let (seq, number) = (self.seq, self.frame);
            self.seq += 1;
            self.frame = self.frame.wrapping_add(1);
            let first = begins && place == 0;
            let mut text = format!("11{:06b}{number:016b}", kind + 5);
            let targets = self.mode.templates[0].2.len();
            let active = self.active.take();
            if first || active.is_some() {
                text += &format!("{}{}000", u8::from(first), u8::from(active.is_some()));
            }
            if first {
                text += &self.structure();
            }
            if let Some(active) = active {
                text += &format!("{active:0targets$b}");
            }
            let (timestamp, marker) = (self.timestamp, place + 1 == kinds.len());
            made.push(Made { seq, timestamp, marker, begins: first, descriptor: pack(&text) });
        }
        made
    }
}

impl Encoder {
    /// A picture without its highest layer, of which nothing is sent.
    fn picture_of_two(&mut self, begins: bool) -> Vec<Made> {
        let mut made = self.picture(begins);
        made.truncate(2);
        self.seq -= 1;
        made[1].marker = true;
        made
    }
}

/// Takes what was sent as libwebrtc does: by numbers and differences alone.
#[derive(Default)]
struct Receiver {
    reader: Reader,
    numbers: Unwrapper<16>,
    decoded: BTreeSet<u64>,
    /// Layers of the frames of the last pictures with their times, and whether they ended them.
    seen: Vec<(u32, u8, u8, bool)>,
    next_seq: Option<u64>,
}

struct Bench {
    now: Instant,
    up: UpTrack,
    down: DownTrack,
    receiver: Receiver,
}

impl Bench {
    fn new(codec: Codec) -> Self {
        let now = Now::read().instant + Duration::from_secs(9);
        let (up, down) =
            (UpTrack::new(codec, &[], &[], false), DownTrack::new(Continuation::default()));
        Self { now, up, down, receiver: Receiver::default() }
    }

    fn want(&mut self, quality: Quality, fps: u32) {
        self.down.set_settings(Settings { quality, fps, ..Settings::default() });
        self.down.select(self.now, &self.up);
    }

    /// Lets a picture through.
    fn pass(&mut self, picture: &[Made]) {
        self.now += Duration::from_millis(33);
        for made in picture {
            let packet = PacketIn {
                rid: None,
                seq: made.seq,
                timestamp: made.timestamp,
                marker: made.marker,
                payload: &[0x10, 1, 2, 3],
                dependency: Some(&made.descriptor),
                arrived: self.now,
            };
            let view = self.up.receive(&packet).expect("the only stream");
            assert_eq!(view.view.keyframe, made.begins);
            let Forward::Send(sending) = self.down.forward(self.now, &self.up, &view) else {
                continue;
            };
            let frame = view.dependency.expect("it has one");
            let rewrite = sending.dependency.expect("it has a descriptor");
            let mut out = [0; DESCRIPTOR_LEN_MAX];
            let len =
                rewrite.write(&made.descriptor, frame.target_count, &mut out).expect("it fits");
            self.receiver.take(&out[..len], sending.seq, sending.timestamp, sending.marker);
        }
    }
}

impl Receiver {
    fn take(&mut self, descriptor: &[u8], seq: u64, timestamp: u32, marker: bool) {
        assert!(self.next_seq.is_none_or(|next| next == seq), "numbers go on");
        self.next_seq = Some(seq + 1);
        let frame = self.reader.read(descriptor, true).expect("its structure came before");
        let number = self.numbers.unwrap(frame.number.into());
        assert!(self.decoded.last().is_none_or(|last| *last < number), "frames go on");
        for back in frame.differences.iter() {
            assert!(self.decoded.contains(&(number - u64::from(back))), "{number} misses {back}");
        }
        self.decoded.insert(number);
        self.seen.push((timestamp, frame.spatial, frame.temporal, marker));
    }

    /// Spatial and temporal layers of what came since last asked; each picture ended with its last frame.
    fn layers(&mut self) -> (BTreeSet<u8>, BTreeSet<u8>) {
        let seen = std::mem::take(&mut self.seen);
        for picture in seen.chunk_by(|one, two| one.0 == two.0) {
            let markers: Vec<bool> = picture.iter().map(|frame| frame.3).collect();
            let (last, others) = markers.split_last().expect("a frame at least");
            assert!(*last && !others.contains(&true), "{markers:?}");
        }
        (seen.iter().map(|frame| frame.1).collect(), seen.iter().map(|frame| frame.2).collect())
    }
}

fn set(layers: &[u8]) -> BTreeSet<u8> {
    layers.iter().copied().collect()
}

#[test]
fn spatial_layers_of_a_key_stream_change_at_keyframes() {
    let (mut bench, mut encoder) = (Bench::new(Codec::Av1), Encoder::new(&L3T1_KEY, 65_530));
    bench.pass(&encoder.picture(true));
    assert_eq!(bench.receiver.layers().0, set(&[0, 1, 2]), "the beginning has all");
    bench.pass(&encoder.picture(false));
    assert_eq!(bench.receiver.layers().0, set(&[2]));
    assert_eq!(bench.down.area(bench.now, &bench.up), 640 * 360);
    for (quality, spatial, area) in [
        (Quality::Low, 0_u8, 160 * 90),
        (Quality::Medium, 1, 320 * 180),
        (Quality::High, 2, 640 * 360),
        (Quality::Low, 0, 160 * 90),
    ] {
        bench.want(quality, 0);
        assert_eq!(bench.down.needs_keyframe(), Some(LayerIndex(0)), "{quality:?}");
        bench.pass(&encoder.picture(false));
        assert_ne!(bench.receiver.layers().0, set(&[spatial]), "not yet");
        bench.pass(&encoder.picture(true));
        assert_eq!(bench.down.needs_keyframe(), None);
        assert_eq!(bench.receiver.layers().0, (0..=spatial).collect());
        for _ in 0..40 {
            bench.pass(&encoder.picture(false));
        }
        assert_eq!(bench.receiver.layers().0, set(&[spatial]));
        assert_eq!(bench.down.area(bench.now, &bench.up), area, "what was forwarded counts");
        assert_eq!(bench.receiver.reader.active(), 1 << spatial, "receivers are told");
    }
}

#[test]
fn spatial_layers_that_always_build_on_each_other_go_at_once() {
    let (mut bench, mut encoder) = (Bench::new(Codec::Vp9), Encoder::new(&L2T2, 3));
    bench.pass(&encoder.picture(true));
    bench.pass(&encoder.picture(false));
    assert_eq!(bench.receiver.layers(), (set(&[0, 1]), set(&[0, 1])));
    bench.want(Quality::Low, 0);
    assert_eq!(bench.down.needs_keyframe(), None);
    bench.pass(&encoder.picture(false));
    assert_eq!(bench.receiver.layers(), (set(&[0]), set(&[0])));
    assert_eq!(bench.receiver.reader.active(), 0b0011);
    bench.want(Quality::High, 0);
    assert!(bench.down.needs_keyframe().is_some(), "what the upper layer refers to was not sent");
    bench.pass(&encoder.picture(false));
    assert_eq!(bench.receiver.layers().0, set(&[0]));
    bench.pass(&encoder.picture(true));
    assert_eq!(bench.receiver.layers().0, set(&[0, 1]));
    assert_eq!(bench.receiver.reader.active(), 0b1111);
}

#[test]
fn temporal_layers_go_at_once_and_come_where_they_can() {
    for codec in [Codec::Av1, Codec::H264] {
        let (mut bench, mut encoder) = (Bench::new(codec), Encoder::new(&L1T3, 9));
        bench.pass(&encoder.picture(true));
        // The rates of the layers are known after a second: 30 pictures, of which 15 are of the highest layer.
        for _ in 0..64 {
            bench.pass(&encoder.picture(false));
        }
        assert_eq!(bench.receiver.layers().1, set(&[0, 1, 2]));
        for (fps, layers) in [(8, &[0][..]), (15, &[0, 1]), (8, &[0]), (30, &[0, 1, 2])] {
            bench.want(Quality::High, fps);
            assert_eq!(bench.down.needs_keyframe(), None);
            let down = layers.len() == 1;
            for _ in 0..if down { 0 } else { 4 } {
                bench.pass(&encoder.picture(false));
            }
            bench.receiver.seen.clear();
            for _ in 0..8 {
                bench.pass(&encoder.picture(false));
            }
            assert_eq!(bench.receiver.layers().1, set(layers), "{codec:?} {fps}");
        }
    }
}

#[test]
fn what_the_publisher_stops_is_not_waited_for() {
    let (mut bench, mut encoder) = (Bench::new(Codec::Av1), Encoder::new(&L3T1_KEY, 3));
    bench.pass(&encoder.picture(true));
    bench.pass(&encoder.picture(false));
    encoder.active = Some(0b011);
    bench.pass(&encoder.picture_of_two(false));
    assert!(bench.down.needs_keyframe().is_some(), "the next lower layer was not sent");
    encoder.active = Some(0b011);
    bench.pass(&encoder.picture_of_two(true));
    bench.receiver.seen.clear();
    bench.pass(&encoder.picture_of_two(false));
    assert_eq!(bench.receiver.layers().0, set(&[1]));
    assert_eq!(bench.down.area(bench.now, &bench.up), 320 * 180);
    bench.pass(&encoder.picture(true));
    bench.receiver.seen.clear();
    bench.pass(&encoder.picture(false));
    assert_eq!(bench.receiver.layers().0, set(&[2]));
}

#[test]
fn frames_are_numbered_on_where_another_track_takes_the_place() {
    let (mut bench, mut encoder) = (Bench::new(Codec::Av1), Encoder::new(&L1T3, 40_000));
    bench.pass(&encoder.picture(true));
    bench.pass(&encoder.picture(false));
    for seed in [100, 60_000] {
        let from = bench.down.continuation();
        bench.down = DownTrack::new(from);
        bench.up = UpTrack::new(Codec::Av1, &[], &[], false);
        let mut other = Encoder::new(&L1T3, seed);
        for place in 0..5 {
            bench.pass(&other.picture(place == 0));
        }
    }
    assert_eq!(bench.receiver.decoded.len(), 12);
    let first = *bench.receiver.decoded.first().expect("some");
    assert!(bench.receiver.decoded.iter().copied().eq(first..first + 12), "without a gap");
}

#[test]
fn a_descriptor_without_its_structure_is_not_sent() {
    let (mut bench, mut encoder) = (Bench::new(Codec::Av1), Encoder::new(&L1T3, 3));
    encoder.picture(true);
    let made = encoder.picture(false);
    let packet = PacketIn {
        rid: None,
        seq: 5,
        timestamp: 1,
        marker: true,
        payload: &[0x18, 1, 2, 3],
        dependency: Some(&made[0].descriptor),
        arrived: bench.now,
    };
    let view = bench.up.receive(&packet).expect("the only stream");
    let dropped = bench.down.forward(bench.now, &bench.up, &view);
    assert_eq!(dropped, Forward::Drop(Dropped::Malformed));
}

#[test]
fn each_step_has_its_rate() {
    let (mut bench, mut encoder) = (Bench::new(Codec::Av1), Encoder::new(&L3T1_KEY, 3));
    bench.pass(&encoder.picture(true));
    for _ in 0..120 {
        bench.pass(&encoder.picture(false));
    }
    let step = |spatial| bench.up.step_bps(LayerIndex(0), spatial, 7);
    let whole = bench.up.bitrate_bps(LayerIndex(0));
    for spatial in 0..3 {
        // A third of all each.
        let off = step(spatial).abs_diff(whole / 3);
        assert!(off < whole / 20, "{spatial}: {} of {whole}", step(spatial));
    }
    assert_eq!(step(7), step(2), "beyond the highest is the highest");
    let (mut bench, mut encoder) = (Bench::new(Codec::Av1), Encoder::new(&L1T3, 3));
    bench.pass(&encoder.picture(true));
    for _ in 0..120 {
        bench.pass(&encoder.picture(false));
    }
    let step = |temporal| bench.up.step_bps(LayerIndex(0), 0, temporal);
    assert!(step(0) < step(1) && step(1) < step(2), "{} {} {}", step(0), step(1), step(2));
    let whole = bench.up.bitrate_bps(LayerIndex(0));
    assert!(step(2).abs_diff(whole) < whole / 20, "{} of {whole}", step(2));
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Pictures(u8),
    Keyframe,
    Want(u8, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        4 => (1_u8..9).prop_map(Step::Pictures),
        1 => Just(Step::Keyframe),
        3 => (0_u8..3, prop::sample::select(&[0_u32, 5, 8, 16][..])).prop_map(|(q, f)| Step::Want(q, f)),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever is wanted when: nothing is sent of which something is missing, and nothing is held back for ever.
    #[test]
    fn what_is_sent_can_be_decoded(
        steps in steps(),
        mode in prop::sample::select(&[0_usize, 1, 2][..]),
        seed in any::<u16>(),
    ) {
        let mode = [&L1T3, &L3T1_KEY, &L2T2][mode];
        let (mut bench, mut encoder) = (Bench::new(Codec::Av1), Encoder::new(mode, seed));
        bench.pass(&encoder.picture(true));
        for step in steps {
            match step {
                Step::Pictures(count) => {
                    for _ in 0..count {
                        bench.pass(&encoder.picture(false));
                    }
                }
                Step::Keyframe => bench.pass(&encoder.picture(true)),
                Step::Want(quality, fps) => bench.want(Quality::ALL[usize::from(quality)], fps),
            }
        }
        bench.receiver.layers();
        bench.want(Quality::High, 0);
        bench.pass(&encoder.picture(true));
        prop_assert_eq!(bench.down.needs_keyframe(), None);
        bench.receiver.layers();
        for _ in 0..8 {
            bench.pass(&encoder.picture(false));
        }
        let highest = mode.templates.iter().map(|template| template.0).max();
        let size = mode.sizes.last().and_then(|(width, height)| FrameSize::new(*width, *height));
        prop_assert_eq!(bench.up.size(LayerIndex(0)), size);
        prop_assert_eq!(bench.receiver.layers().0.last().copied(), highest);
    }
}

//! What a publisher sends: sound, and three sizes of a picture that say which packet of which frame they are.

use fermata_testkit::synth::{self, Stamp, Vp8Frame};

use super::Ms;
use super::dice::{part, unit};

/// Names of the layers, smallest first.
pub const RIDS: [&str; 3] = ["q", "h", "f"];
/// Their sizes.
pub const SIZES: [(u16, u16); 3] = [(320, 180), (640, 360), (1_280, 720)];
/// Between two pictures.
pub const FRAME_TIME: Ms = 40;
const AUDIO_TIME: Ms = 20;
/// Bytes of sound that lasts 20 ms, at 32 kb/s.
const SOUND_LEN: usize = 80;
/// Packets of a keyframe, and of another, of [`Encoder::Few`].
const PACKETS: [(u8, u8); 3] = [(2, 1), (5, 2), (12, 4)];
/// Temporal layers of [`Encoder::Rates`] from a keyframe on, with whether only the lowest is needed for it, and the
/// hundredths of the four's bytes.
const TEMPORAL: [(u8, bool, u32); 4] =
    [(0, false, 40), (2, true, 20), (1, true, 20), (2, false, 20)];
/// A keyframe of it is so many times as long as others are on average.
const KEYFRAME_FACTOR: u32 = 5;
/// Longest payload of it.
const LEN_MAX: u32 = 1_150;
/// Where the packets of [`synth::vp8`] say their temporal layer (RFC 7741 section 4.2).
const TEMPORAL_AT: usize = 5;

/// How the encoders encode.
#[derive(Debug, Clone, Copy)]
pub enum Encoder {
    /// A few packets of nearly one length for each picture, all of one temporal layer.
    Few,
    /// So many kilobits per second in three temporal layers, and keyframes as long as real ones.
    Rates([u32; 3]),
}

/// Sound as long as it is with what went before in it (RFC 2198), bytes.
pub const RED_LEN: usize = 2 * SOUND_LEN + 5;

/// Names a packet of video; it stands in the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub layer: usize,
    /// Of the layer, from 0.
    pub frame: usize,
    /// Of the frame, from 0.
    pub index: u8,
    /// Packets of the frame.
    pub count: u8,
}

impl Mark {
    fn counter(self) -> u32 {
        let (layer, frame) =
            (u32::try_from(self.layer).unwrap(), u32::try_from(self.frame).unwrap());
        layer << 30 | frame << 16 | u32::from(self.index) << 8 | u32::from(self.count)
    }

    /// The mark of a payload of ours.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let counter = Stamp::read(payload)?.counter;
        let [high, low, index, count] = counter.to_be_bytes();
        let frame = usize::from(u16::from_be_bytes([high & 0x3f, low]));
        Some(Self { layer: usize::from(high >> 6), frame, index, count })
    }
}

/// A picture that was sent.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub at: Ms,
    pub keyframe: bool,
    /// Packets of the layer before it.
    pub first: u64,
}

/// A packet to send.
pub struct Due {
    /// None: sound.
    pub layer: Option<usize>,
    pub seq: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
}

/// Three encoders and a microphone.
pub struct Source {
    seed: u64,
    encoder: Encoder,
    /// Bytes of a packet of sound.
    pub sound_len: usize,
    pub frames: [Vec<Frame>; 3],
    packets: [u64; 3],
    keyframes: [u8; 3],
    /// Pictures since the keyframe.
    since: [usize; 3],
    /// Pictures of the lowest temporal layer.
    lowest: [u8; 3],
    keyframe_due: [bool; 3],
    pub sounds: u64,
    /// Requests that came for each layer, by time.
    pub requests: [Vec<Ms>; 3],
}

impl Source {
    pub fn new(seed: u64, encoder: Encoder) -> Self {
        Self {
            seed,
            encoder,
            sound_len: SOUND_LEN,
            since: [0; 3],
            lowest: [0; 3],
            frames: Default::default(),
            packets: [0; 3],
            keyframes: [0; 3],
            keyframe_due: [true; 3],
            sounds: 0,
            requests: Default::default(),
        }
    }

    /// Somebody asks for a keyframe.
    pub fn request(&mut self, now: Ms, layer: usize) {
        self.requests[layer].push(now);
        self.keyframe_due[layer] = true;
    }

    /// What is to be sent at this millisecond.
    pub fn due(&mut self, now: Ms) -> Vec<Due> {
        let mut due = Vec::new();
        if now.is_multiple_of(AUDIO_TIME) {
            let stamp =
                Stamp { counter: u32::try_from(self.sounds).unwrap(), sent_us: now * 1_000 };
            due.push(Due {
                layer: None,
                seq: 100 + self.sounds,
                timestamp: ticks(now, 48),
                marker: self.sounds == 0,
                payload: synth::opus(stamp, self.sound_len),
            });
            self.sounds += 1;
        }
        if now.is_multiple_of(FRAME_TIME) {
            for layer in 0..RIDS.len() {
                self.frame(now, layer, &mut due);
            }
        }
        due
    }

    fn frame(&mut self, now: Ms, layer: usize, due: &mut Vec<Due>) {
        let keyframe = std::mem::take(&mut self.keyframe_due[layer]);
        let frame = self.frames[layer].len();
        self.frames[layer].push(Frame { at: now, keyframe, first: self.packets[layer] });
        self.keyframes[layer] = (self.keyframes[layer] + u8::from(keyframe)) & 0x1f;
        self.since[layer] = if keyframe { 0 } else { self.since[layer] + 1 };
        // Encoders start their numbers anywhere.
        let picture = u16::try_from(frame + 1_000 * (layer + 1)).unwrap() & 0x7fff;
        let (temporal, sync, _) = self.temporal(layer);
        self.lowest[layer] = self.lowest[layer].wrapping_add(u8::from(temporal == 0));
        let tl0_pic_idx = match self.encoder {
            Encoder::Few => picture.to_be_bytes()[1],
            Encoder::Rates(_) => self.lowest[layer],
        };
        let shared = Vp8Frame {
            keyframe: keyframe.then_some(SIZES[layer]),
            picture_id: picture,
            tl0_pic_idx,
            key_idx: self.keyframes[layer],
        };
        let lens = self.lens(layer, frame, keyframe);
        let count = u8::try_from(lens.len()).unwrap();
        for (index, len) in (0..count).zip(lens) {
            let mark = Mark { layer, frame, index, count };
            let stamp = Stamp { counter: mark.counter(), sent_us: now * 1_000 };
            let mut payload = synth::vp8(&shared, usize::from(index), stamp, len);
            if temporal > 0 {
                let number = payload[TEMPORAL_AT] & 0x1f;
                payload[TEMPORAL_AT] = temporal << 6 | u8::from(sync) << 5 | number;
            }
            due.push(Due {
                layer: Some(layer),
                seq: 100 + self.packets[layer],
                timestamp: ticks(now, 90).wrapping_add(u32::try_from(layer * 7_000_000).unwrap()),
                marker: index + 1 == count,
                payload,
            });
            self.packets[layer] += 1;
        }
    }

    /// See [`TEMPORAL`].
    fn temporal(&self, layer: usize) -> (u8, bool, u32) {
        match self.encoder {
            Encoder::Few => (0, false, 0),
            Encoder::Rates(_) => TEMPORAL[self.since[layer] % TEMPORAL.len()],
        }
    }

    /// How long each packet of a picture is.
    fn lens(&self, layer: usize, frame: usize, keyframe: bool) -> Vec<usize> {
        let chance = unit(self.seed, [20, layer as u64, frame as u64, 0]);
        let Encoder::Rates(kbps) = self.encoder else {
            let count = if keyframe { PACKETS[layer].0 } else { PACKETS[layer].1 };
            let count = usize::from(count) + usize::from(chance < 0.1);
            // Packets of one frame are of nearly one length.
            let len = |index: usize| 700 + 100 * layer + frame % 40 + index % 2;
            return (0..count).map(len).collect();
        };
        let mean = kbps[layer] * u32::try_from(FRAME_TIME).unwrap() / 8;
        let (.., percent) = self.temporal(layer);
        let bytes = if keyframe { mean * KEYFRAME_FACTOR } else { mean * 4 * percent / 100 };
        // A fifth more or less.
        let bytes = bytes * (80 + u32::try_from(part(chance, 40)).unwrap()) / 100;
        let count = bytes.div_ceil(LEN_MAX).max(1);
        vec![usize::try_from(bytes / count).unwrap(); usize::try_from(count).unwrap()]
    }
}

fn ticks(now: Ms, per_ms: u64) -> u32 {
    u32::try_from(now * per_ms + 90_000).unwrap()
}

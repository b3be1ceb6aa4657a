//! What the publisher sends: sound, and three sizes of a picture that say which packet of which frame they are.

use fermata_testkit::synth::{self, Stamp, Vp8Frame};

use crate::dice::unit;
use crate::net::Ms;

/// Names of the layers, smallest first.
pub(crate) const RIDS: [&str; 3] = ["q", "h", "f"];
/// Their sizes.
pub(crate) const SIZES: [(u16, u16); 3] = [(320, 180), (640, 360), (1_280, 720)];
/// Between two pictures.
pub(crate) const FRAME_TIME: Ms = 40;
const AUDIO_TIME: Ms = 20;
/// Packets of a keyframe, and of another.
const PACKETS: [(u8, u8); 3] = [(2, 1), (5, 2), (12, 4)];

/// Names a packet of video; it stands in the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) layer: usize,
    /// Of the layer, from 0.
    pub(crate) frame: usize,
    /// Of the frame, from 0.
    pub(crate) index: u8,
    /// Packets of the frame.
    pub(crate) count: u8,
}

impl Mark {
    fn counter(self) -> u32 {
        let (layer, frame) =
            (u32::try_from(self.layer).unwrap(), u32::try_from(self.frame).unwrap());
        layer << 30 | frame << 16 | u32::from(self.index) << 8 | u32::from(self.count)
    }

    /// The mark of a payload of ours.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let counter = Stamp::read(payload)?.counter;
        let [high, low, index, count] = counter.to_be_bytes();
        let frame = usize::from(u16::from_be_bytes([high & 0x3f, low]));
        Some(Self { layer: usize::from(high >> 6), frame, index, count })
    }
}

/// A picture that was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) at: Ms,
    pub(crate) keyframe: bool,
    /// Packets of the layer before it.
    pub(crate) first: u64,
}

/// A packet to send.
pub(crate) struct Due {
    /// None: sound.
    pub(crate) layer: Option<usize>,
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Vec<u8>,
}

/// Three encoders and a microphone.
pub(crate) struct Source {
    seed: u64,
    pub(crate) frames: [Vec<Frame>; 3],
    packets: [u64; 3],
    keyframes: [u8; 3],
    keyframe_due: [bool; 3],
    pub(crate) sounds: u64,
    /// Requests that came for each layer, by time.
    pub(crate) requests: [Vec<Ms>; 3],
}

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            frames: Default::default(),
            packets: [0; 3],
            keyframes: [0; 3],
            keyframe_due: [true; 3],
            sounds: 0,
            requests: Default::default(),
        }
    }

    /// Somebody asks for a keyframe.
    pub(crate) fn request(&mut self, now: Ms, layer: usize) {
        self.requests[layer].push(now);
        self.keyframe_due[layer] = true;
    }

    /// What is to be sent at this millisecond.
    pub(crate) fn due(&mut self, now: Ms) -> Vec<Due> {
        let mut due = Vec::new();
        if now.is_multiple_of(AUDIO_TIME) {
            let stamp =
                Stamp { counter: u32::try_from(self.sounds).unwrap(), sent_us: now * 1_000 };
            due.push(Due {
                layer: None,
                seq: 100 + self.sounds,
                timestamp: ticks(now, 48),
                marker: self.sounds == 0,
                payload: synth::opus(stamp, 80),
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
        // Encoders start their numbers anywhere.
        let picture = u16::try_from(frame + 1_000 * (layer + 1)).unwrap() & 0x7fff;
        let shared = Vp8Frame {
            keyframe: keyframe.then_some(SIZES[layer]),
            picture_id: picture,
            tl0_pic_idx: picture.to_be_bytes()[1],
            key_idx: self.keyframes[layer],
        };
        let count = if keyframe { PACKETS[layer].0 } else { PACKETS[layer].1 };
        let seldom = unit(self.seed, [20, layer as u64, frame as u64, 0]) < 0.1;
        let count = count + u8::from(seldom);
        for index in 0..count {
            let mark = Mark { layer, frame, index, count };
            let stamp = Stamp { counter: mark.counter(), sent_us: now * 1_000 };
            // Packets of one frame are of nearly one length.
            let len = 700 + 100 * layer + frame % 40 + usize::from(index % 2);
            due.push(Due {
                layer: Some(layer),
                seq: 100 + self.packets[layer],
                timestamp: ticks(now, 90).wrapping_add(u32::try_from(layer * 7_000_000).unwrap()),
                marker: index + 1 == count,
                payload: synth::vp8(&shared, usize::from(index), stamp, len),
            });
            self.packets[layer] += 1;
        }
    }
}

fn ticks(now: Ms, per_ms: u64) -> u32 {
    u32::try_from(now * per_ms + 90_000).unwrap()
}

//! Counts of what passes, for quality samples, and how long pictures stood still.
//!
//! What it is not: usage. And it decides nothing.
//!
//! The rules of freezing, exactly:
//! - Camera: a gap between the beginnings of two pictures freezes if it is longer than both
//!   [`FREEZE_MIN`] and [`FREEZE_FACTOR`] usual intervals. The freeze begins one usual interval after the last
//!   picture and ends with the next; one that lasts is counted as far as it has come.
//!   The usual interval is the mean of the last second or so; gaps of [`GAP_MAX`] and more do not go into it, so
//!   that a slow camera is soon known as slow, and one that hangs is not taken for slow.
//! - Shared screen: gaps are no freeze, since a still screen sends nothing.
//! - Sound: each packet that is missing freezes for as long as a packet lasts.
//! - On the way to a receiver, packets it reports as lost freeze too: sound as above; pictures for the same share
//!   of the time as of the packets.
//! - While a track is muted, disabled or taken away nothing freezes ([`UpTally::rest`], [`DownTally::rest`]).
//!
//! Cost of a packet: two additions and a comparison, for the newest another; of a picture: a subtraction of two
//! moments that are at hand. Nothing is allocated and no clock is read.

use std::time::{Duration, Instant};

use super::layers::LayerIndex;
use super::limits::{LAYERS_MAX, SEQUENCE_JUMP_MAX};

/// Shorter gaps are no freeze.
pub const FREEZE_MIN: Duration = Duration::from_millis(200);
/// Gaps of up to so many usual intervals are no freeze.
pub const FREEZE_FACTOR: u32 = 3;
/// Gaps from this on say nothing about the usual interval.
const GAP_MAX: Duration = Duration::from_secs(1);
/// Taken for usual before anything is known.
const FIRST_INTERVAL: Duration = Duration::from_millis(66);
/// Over how long the usual interval is measured.
const WINDOW: Duration = Duration::from_secs(1);
/// How long a packet of sound lasts before anything is known, ticks of 48 kHz.
const FIRST_TICKS: u32 = 960;
/// A packet of sound does not last longer (120 ms of 48 kHz); what is longer is a pause.
const TICKS_MAX: u32 = 5_760;

/// What kind of gaps a track may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Sound.
    Sound,
    /// Pictures that follow each other.
    Camera,
    /// Pictures that may stand still.
    Screen,
}

/// Counts of one stream of packets since it was asked last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets.
    pub packets: u32,
    /// Their payload, bytes.
    pub bytes: u32,
    /// Packets missing in the numbering. One that comes after it was counted here is not taken back.
    pub missing: u32,
    /// Pictures begun.
    pub frames: u32,
}

/// One stream of numbered packets. Totals only grow; what was told before is taken off when asked.
#[derive(Debug, Default)]
struct Stream {
    packets: u64,
    bytes: u64,
    frames: u64,
    /// First and highest number; what lies between should have come.
    range: Option<(u64, u64)>,
    /// Numbers in it that nobody sent: the numbering jumped.
    skipped: u64,
    timestamp: u32,
    /// How long a packet lasts.
    ticks: u32,
    told: (u64, u64, u64, u64),
}

impl Stream {
    /// Counts a packet; true if it begins a picture.
    fn packet(&mut self, seq: u64, timestamp: u32, len: usize) -> bool {
        self.packets += 1;
        self.bytes += len as u64;
        let Some((_, highest)) = &mut self.range else {
            self.range = Some((seq, seq));
            (self.timestamp, self.frames) = (timestamp, self.frames + 1);
            return true;
        };
        if seq <= *highest {
            return false;
        }
        let step = seq - *highest;
        *highest = seq;
        if step > SEQUENCE_JUMP_MAX {
            self.skipped += step - 1;
        }
        if timestamp == self.timestamp {
            return false;
        }
        if step == 1 {
            let ticks = timestamp.wrapping_sub(self.timestamp);
            self.ticks = if ticks <= TICKS_MAX { ticks } else { self.ticks };
        }
        (self.timestamp, self.frames) = (timestamp, self.frames + 1);
        true
    }

    fn take(&mut self) -> Counts {
        let range = self.range.map_or(0, |(first, highest)| highest - first + 1);
        let missing = range.saturating_sub(self.skipped).saturating_sub(self.packets);
        let now = (self.packets, self.bytes, missing, self.frames);
        let told = std::mem::replace(&mut self.told, now);
        let since = |now: u64, told: u64| narrow(now.saturating_sub(told));
        Counts {
            packets: since(now.0, told.0),
            bytes: since(now.1, told.1),
            missing: since(now.2, told.2),
            frames: since(now.3, told.3),
        }
    }

    fn ticks(&self) -> u32 {
        if self.ticks == 0 { FIRST_TICKS } else { self.ticks }
    }
}

/// How pictures follow each other.
#[derive(Debug)]
struct Motion {
    last: Option<Instant>,
    /// What is before this was counted.
    counted: Option<Instant>,
    interval: Duration,
    window: Option<Instant>,
    frames: u32,
    frozen: Duration,
}

impl Motion {
    fn new() -> Self {
        Self {
            last: None,
            counted: None,
            interval: FIRST_INTERVAL,
            window: None,
            frames: 0,
            frozen: Duration::ZERO,
        }
    }

    /// A picture begins.
    fn frame(&mut self, now: Instant) {
        self.frozen += self.frozen_until(now);
        self.counted = None;
        let Some(last) = self.last.replace(now) else {
            (self.window, self.frames) = (Some(now), 0);
            return;
        };
        let gap = now.saturating_duration_since(last);
        let window = self.window.get_or_insert(last);
        if gap >= GAP_MAX {
            *window += gap;
            return;
        }
        self.frames += 1;
        let elapsed = now.saturating_duration_since(*window);
        if elapsed >= WINDOW {
            self.interval = elapsed / self.frames;
            (*window, self.frames) = (now, 0);
        }
    }

    /// The freeze that has not been counted yet, if the next picture comes now.
    fn frozen_until(&self, now: Instant) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let gap = now.saturating_duration_since(last);
        if gap <= FREEZE_MIN.max(self.interval * FREEZE_FACTOR) {
            return Duration::ZERO;
        }
        let begin = last + self.interval;
        now.saturating_duration_since(self.counted.map_or(begin, |counted| counted.max(begin)))
    }

    fn take(&mut self, now: Instant) -> Duration {
        let frozen = self.frozen_until(now);
        if frozen > Duration::ZERO {
            self.counted = Some(now);
        }
        std::mem::take(&mut self.frozen) + frozen
    }

    /// Nothing is expected until the next picture.
    fn rest(&mut self) {
        self.last = None;
        self.counted = None;
    }
}

/// What came of a published track since it was asked last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpTaken {
    /// Of all layers; pictures of the largest layer that had any.
    pub counts: Counts,
    /// The largest layer of which something came.
    pub layer: LayerIndex,
    /// Without picture or sound, milliseconds.
    pub freeze_ms: u32,
    /// Keyframes asked for.
    pub keyframes: u32,
}

/// Counts what comes of a published track.
#[derive(Debug)]
pub struct UpTally {
    flow: Flow,
    layers: [Stream; LAYERS_MAX],
    motion: Motion,
    keyframes: u32,
}

impl UpTally {
    /// A track of which nothing came yet.
    pub fn new(flow: Flow) -> Self {
        Self { flow, layers: Default::default(), motion: Motion::new(), keyframes: 0 }
    }

    /// A packet came.
    pub fn packet(
        &mut self,
        now: Instant,
        layer: LayerIndex,
        seq: u64,
        timestamp: u32,
        len: usize,
    ) {
        let Some(stream) = self.layers.get_mut(usize::from(layer.0)) else { return };
        if stream.packet(seq, timestamp, len) && self.flow == Flow::Camera {
            self.motion.frame(now);
        }
    }

    /// A keyframe was asked for.
    pub fn keyframe_asked(&mut self) {
        self.keyframes = self.keyframes.saturating_add(1);
    }

    /// Nothing is expected until something comes: muted.
    pub fn rest(&mut self) {
        self.motion.rest();
    }

    /// Counts since the last call. `clock_rate_hz` is that of the codec.
    pub fn take(&mut self, now: Instant, clock_rate_hz: u32) -> UpTaken {
        let mut taken =
            UpTaken { keyframes: std::mem::take(&mut self.keyframes), ..UpTaken::default() };
        let mut ticks = FIRST_TICKS;
        for (index, stream) in (0..).map(LayerIndex).zip(&mut self.layers) {
            let counts = stream.take();
            taken.counts.packets = taken.counts.packets.saturating_add(counts.packets);
            taken.counts.bytes = taken.counts.bytes.saturating_add(counts.bytes);
            taken.counts.missing = taken.counts.missing.saturating_add(counts.missing);
            if counts.packets > 0 {
                (taken.layer, taken.counts.frames) = (index, counts.frames);
                ticks = stream.ticks();
            }
        }
        taken.freeze_ms = match self.flow {
            Flow::Sound => lasting_ms(taken.counts.missing, ticks, clock_rate_hz),
            Flow::Camera => millis(self.motion.take(now)),
            Flow::Screen => 0,
        };
        if self.flow == Flow::Sound {
            taken.counts.frames = 0;
        }
        taken
    }
}

/// What a receiver reports about what it gets on one section, since the beginning of the section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Packets lost.
    pub lost: u64,
    /// Packets asked for again.
    pub nacks: u64,
}

/// What went out of a track to one receiver since it was asked last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DownTaken {
    /// What went out; `missing` is what had not come to us.
    pub counts: Counts,
    /// Packets lost, as the receiver says (with those that had not come to us), at most as many as went out.
    pub lost: u32,
    /// Without picture or sound, milliseconds.
    pub freeze_ms: u32,
    /// Keyframes that the receiver asked for.
    pub keyframes: u32,
    /// Packets that it asked for again.
    pub nacks: u32,
}

/// Counts what goes out of a track to one receiver.
#[derive(Debug)]
pub struct DownTally {
    flow: Flow,
    stream: Stream,
    motion: Motion,
    keyframes: u32,
    /// What the receiver had reported before. The first report only says where it stands, since the section may
    /// have carried another track.
    told: Option<Feedback>,
}

impl DownTally {
    /// A track of which nothing went out yet.
    pub fn new(flow: Flow) -> Self {
        Self { flow, stream: Stream::default(), motion: Motion::new(), keyframes: 0, told: None }
    }

    /// A packet goes out.
    pub fn packet(&mut self, now: Instant, seq: u64, timestamp: u32, len: usize) {
        if self.stream.packet(seq, timestamp, len) && self.flow == Flow::Camera {
            self.motion.frame(now);
        }
    }

    /// The receiver asked for a keyframe.
    pub fn keyframe_asked(&mut self) {
        self.keyframes = self.keyframes.saturating_add(1);
    }

    /// Nothing is expected until something goes out: muted, disabled.
    pub fn rest(&mut self) {
        self.motion.rest();
    }

    /// Counts since the last call, `span` ago. `feedback` is what the receiver said so far, if anything.
    pub fn take(
        &mut self,
        now: Instant,
        span: Duration,
        clock_rate_hz: u32,
        feedback: Option<Feedback>,
    ) -> DownTaken {
        let mut counts = self.stream.take();
        let (mut lost, mut nacks) = (0, 0);
        if let Some(said) = feedback {
            let told = self.told.replace(said).unwrap_or(said);
            // It may say anything.
            lost = narrow(said.lost.saturating_sub(told.lost)).min(counts.packets);
            nacks = narrow(said.nacks.saturating_sub(told.nacks));
        }
        let freeze_ms = match self.flow {
            Flow::Sound => lasting_ms(lost.max(counts.missing), self.stream.ticks(), clock_rate_hz),
            Flow::Camera | Flow::Screen => {
                let stood =
                    if self.flow == Flow::Camera { self.motion.take(now) } else { Duration::ZERO };
                let lost_ms = u64::from(millis(span)) * u64::from(lost);
                let lost_ms = lost_ms.checked_div(counts.packets.into()).unwrap_or(0);
                millis(stood).saturating_add(narrow(lost_ms))
            }
        };
        if self.flow == Flow::Sound {
            counts.frames = 0;
        }
        DownTaken {
            counts,
            lost,
            freeze_ms: freeze_ms.min(millis(span)),
            keyframes: std::mem::take(&mut self.keyframes),
            nacks,
        }
    }
}

/// How long so many packets of sound last.
fn lasting_ms(packets: u32, ticks: u32, clock_rate_hz: u32) -> u32 {
    let ms = u64::from(packets) * u64::from(ticks) * 1_000;
    narrow(ms.checked_div(clock_rate_hz.into()).unwrap_or(0))
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

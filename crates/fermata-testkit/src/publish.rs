//! A published track: what it is and which packets are due.

use std::time::{Duration, Instant};

use fermata_types::Now;
use livekit_protocol as lk;
use str0m::format::Codec;
use str0m::media::{Mid, Rid, Simulcast, SimulcastLayer};

use crate::limits;
use crate::statistics::Sent;
use crate::synth::{self, Stamp, Vp8Frame};

/// Bytes of one audio packet: 48 kbit/s at 20 ms.
const AUDIO_LEN: usize = 120;
/// A keyframe is this many times the size of the others.
const KEYFRAME_FACTOR: usize = 4;
/// Rids from the smallest layer to the largest, as the field names them.
const RIDS: [&str; 3] = ["q", "h", "f"];

/// How to publish audio.
#[derive(Debug, Clone)]
pub struct AudioOptions {
    /// Name of the track.
    pub name: String,
    /// What it comes from.
    pub source: lk::TrackSource,
    /// Level announced with every packet, -127 to 0 dBov; above about -35 the speaker counts as active.
    pub level_db: i8,
    /// Stereo is announced.
    pub stereo: bool,
    /// Stream name; empty for the default by source.
    pub stream: String,
    /// Bytes of one packet.
    pub packet_len: usize,
    /// Time of one packet, whole milliseconds: 10 to 120.
    pub packet_time: Duration,
}

impl Default for AudioOptions {
    fn default() -> Self {
        Self {
            name: "microphone".to_owned(),
            source: lk::TrackSource::Microphone,
            level_db: -20,
            stereo: false,
            stream: String::new(),
            packet_len: AUDIO_LEN,
            packet_time: limits::AUDIO_PACKET_TIME,
        }
    }
}

/// How to publish VP8 video.
#[derive(Debug, Clone)]
pub struct VideoOptions {
    /// Name of the track.
    pub name: String,
    /// What it comes from.
    pub source: lk::TrackSource,
    /// Width of the largest layer, pixels, 16 to 16,383.
    pub width: u16,
    /// Its height.
    pub height: u16,
    /// Frames a second, 1 to 60.
    pub fps: u32,
    /// Bits a second of the largest layer; a layer below has a third.
    pub bitrate_bps: u64,
    /// Three layers, each half the size of the next, instead of one.
    pub simulcast: bool,
    /// Stream name; empty for the default by source.
    pub stream: String,
}

impl Default for VideoOptions {
    fn default() -> Self {
        Self {
            name: "camera".to_owned(),
            source: lk::TrackSource::Camera,
            width: 1_280,
            height: 720,
            fps: 25,
            bitrate_bps: 1_500_000,
            simulcast: false,
            stream: String::new(),
        }
    }
}

/// One packet to send.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) rid: Option<Rid>,
    pub(crate) codec: Codec,
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) level_db: Option<i8>,
    pub(crate) payload: Vec<u8>,
}

#[derive(Debug)]
struct Layer {
    rid: Option<Rid>,
    size: (u16, u16),
    bitrate_bps: u64,
    seq: u64,
    counter: u32,
    picture_id: u16,
    tl0_pic_idx: u8,
    key_idx: u8,
    keyframe_due: bool,
}

#[derive(Debug)]
enum Content {
    Audio(AudioOptions),
    Video(VideoOptions),
}

/// A track that this client publishes.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) cid: String,
    pub(crate) sid: Option<String>,
    /// Set once the section is in an offer.
    pub(crate) mid: Option<Mid>,
    pub(crate) muted: bool,
    pub(crate) sent: Sent,
    content: Content,
    layers: Vec<Layer>,
    interval: Duration,
    next_at: Option<Instant>,
    timestamp: u32,
    timestamp_step: u32,
}

impl Published {
    pub(crate) fn audio(cid: String, options: AudioOptions) -> Self {
        let layer = Layer::new(None, (0, 0), 0, 0);
        let ms = u32::try_from(options.packet_time.as_millis()).unwrap_or(u32::MAX).clamp(10, 120);
        let interval = Duration::from_millis(ms.into());
        Self::new(cid, Content::Audio(options), vec![layer], interval, 48 * ms)
    }

    pub(crate) fn video(cid: String, options: VideoOptions) -> Self {
        let fps = options.fps.clamp(1, 60);
        let size = (options.width.clamp(16, 16_383), options.height.clamp(16, 16_383));
        let layers = if options.simulcast {
            let layer = |(index, rid): (usize, &&str)| {
                let shift = RIDS.len() - 1 - index;
                let bitrate = options.bitrate_bps / [1, 3, 9].get(shift).copied().unwrap_or(1);
                let size = (size.0 >> shift, size.1 >> shift);
                Layer::new(Some((*rid).into()), size, bitrate, first_picture_id(index))
            };
            RIDS.iter().enumerate().map(layer).collect()
        } else {
            vec![Layer::new(None, size, options.bitrate_bps, 500)]
        };
        let interval = Duration::from_secs(1) / fps;
        Self::new(cid, Content::Video(options), layers, interval, 90_000 / fps)
    }

    fn new(
        cid: String,
        content: Content,
        layers: Vec<Layer>,
        interval: Duration,
        step: u32,
    ) -> Self {
        Self {
            cid,
            sid: None,
            mid: None,
            muted: false,
            sent: Sent::default(),
            content,
            layers,
            interval,
            next_at: None,
            timestamp: 90_000,
            timestamp_step: step,
        }
    }

    pub(crate) fn is_audio(&self) -> bool {
        matches!(self.content, Content::Audio(_))
    }

    /// For the offer; `None` without simulcast.
    pub(crate) fn simulcast(&self) -> Option<Simulcast> {
        let rids: Vec<Rid> = self.layers.iter().filter_map(|layer| layer.rid).collect();
        (!rids.is_empty()).then(|| Simulcast {
            send: rids.iter().map(|rid| SimulcastLayer::new(rid)).collect(),
            recv: Vec::new(),
        })
    }

    /// The request that announces it.
    pub(crate) fn request(&self) -> lk::AddTrackRequest {
        match &self.content {
            Content::Audio(options) => {
                let stereo = options.stereo.then(|| lk::AudioTrackFeature::TfStereo.into());
                let mut request = lk::AddTrackRequest {
                    cid: self.cid.clone(),
                    name: options.name.clone(),
                    r#type: lk::TrackType::Audio.into(),
                    source: options.source.into(),
                    audio_features: stereo.into_iter().collect(),
                    disable_red: true,
                    stream: options.stream.clone(),
                    ..Default::default()
                };
                #[expect(deprecated, reason = "clients still send both")]
                {
                    request.stereo = options.stereo;
                }
                request
            }
            Content::Video(options) => {
                let layers = self.layer_infos();
                let codec = lk::SimulcastCodec {
                    codec: "vp8".to_owned(),
                    cid: self.cid.clone(),
                    layers: layers.clone(),
                    ..Default::default()
                };
                lk::AddTrackRequest {
                    cid: self.cid.clone(),
                    name: options.name.clone(),
                    r#type: lk::TrackType::Video.into(),
                    source: options.source.into(),
                    width: options.width.into(),
                    height: options.height.into(),
                    layers,
                    simulcast_codecs: vec![codec],
                    stream: options.stream.clone(),
                    ..Default::default()
                }
            }
        }
    }

    fn layer_infos(&self) -> Vec<lk::VideoLayer> {
        let single = self.layers.len() == 1;
        let infos = self.layers.iter().enumerate().map(|(index, layer)| lk::VideoLayer {
            // One layer alone is announced as the best there is.
            quality: if single { 2 } else { i32::try_from(index).unwrap_or(0) },
            width: layer.size.0.into(),
            height: layer.size.1.into(),
            bitrate: u32::try_from(layer.bitrate_bps).unwrap_or(u32::MAX),
            rid: layer.rid.map(|rid| rid.to_string()).unwrap_or_default(),
            ..Default::default()
        });
        infos.collect()
    }

    /// The server asks for a keyframe of a layer, or of all.
    pub(crate) fn keyframe(&mut self, rid: Option<Rid>) {
        self.sent.keyframe_requests += 1;
        for layer in &mut self.layers {
            if rid.is_none() || layer.rid == rid {
                layer.keyframe_due = true;
            }
        }
    }

    /// When the next packets are due; `None` before the first call of [`Published::due`].
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_at.filter(|_| !self.muted)
    }

    /// Packets due by now. Time that was missed beyond [`limits::CATCH_UP_MAX`] is skipped.
    pub(crate) fn due(&mut self, now: Now) -> Vec<Due> {
        let mut at = self.next_at.unwrap_or(now.instant);
        if self.muted {
            self.next_at = Some(now.instant);
            return Vec::new();
        }
        if now.instant.saturating_duration_since(at) > limits::CATCH_UP_MAX {
            at = now.instant;
            self.sent.skipped += 1;
        }
        let mut due = Vec::new();
        while at <= now.instant {
            self.tick(now, &mut due);
            at += self.interval;
        }
        self.next_at = Some(at);
        self.sent.packets += due.len() as u64;
        self.sent.bytes += due.iter().map(|due| due.payload.len() as u64).sum::<u64>();
        due
    }

    fn tick(&mut self, now: Now, due: &mut Vec<Due>) {
        let sent_us = u64::try_from(now.wall.as_microsecond()).unwrap_or_default();
        self.timestamp = self.timestamp.wrapping_add(self.timestamp_step);
        for layer in &mut self.layers {
            match &self.content {
                Content::Audio(options) => {
                    let payload = synth::opus(
                        layer.stamp(sent_us),
                        options.packet_len.min(limits::VIDEO_PAYLOAD_LEN_MAX),
                    );
                    due.push(Due {
                        rid: None,
                        codec: Codec::Opus,
                        seq: layer.next_seq(),
                        timestamp: self.timestamp,
                        marker: layer.counter == 1,
                        level_db: Some(options.level_db),
                        payload,
                    });
                }
                Content::Video(_) => {
                    self.sent.keyframes += u64::from(layer.keyframe_due);
                    let seconds = self.interval.as_micros();
                    layer.frame(self.timestamp, seconds, sent_us, due);
                }
            }
        }
    }
}

/// Encoders start the picture ids of their layers anywhere.
fn first_picture_id(layer: usize) -> u16 {
    [1_000, 2_000, 3_000].get(layer).copied().unwrap_or(500)
}

impl Layer {
    fn new(rid: Option<Rid>, size: (u16, u16), bitrate_bps: u64, picture_id: u16) -> Self {
        Self {
            rid,
            size,
            bitrate_bps,
            seq: 100,
            counter: 0,
            picture_id,
            tl0_pic_idx: picture_id.to_be_bytes()[1],
            key_idx: 0,
            keyframe_due: true,
        }
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn stamp(&mut self, sent_us: u64) -> Stamp {
        let counter = self.counter;
        self.counter = self.counter.wrapping_add(1);
        Stamp { counter, sent_us }
    }

    fn frame(&mut self, timestamp: u32, interval_us: u128, sent_us: u64, due: &mut Vec<Due>) {
        let keyframe = std::mem::take(&mut self.keyframe_due);
        self.picture_id = (self.picture_id + 1) & 0x7FFF;
        self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        self.key_idx = (self.key_idx + u8::from(keyframe)) & 0x1F;
        let frame = Vp8Frame {
            keyframe: keyframe.then_some(self.size),
            picture_id: self.picture_id,
            tl0_pic_idx: self.tl0_pic_idx,
            key_idx: self.key_idx,
        };
        let len = u128::from(self.bitrate_bps) * interval_us / 8_000_000;
        let factor = if keyframe { KEYFRAME_FACTOR } else { 1 };
        let longest = limits::FRAME_PACKETS_MAX * limits::VIDEO_PAYLOAD_LEN_MAX;
        let len = usize::try_from(len).unwrap_or(longest).saturating_mul(factor).clamp(1, longest);
        let packets = len.div_ceil(limits::VIDEO_PAYLOAD_LEN_MAX);
        for index in 0..packets {
            let len = (len / packets).clamp(synth::VP8_LEN_MIN, limits::VIDEO_PAYLOAD_LEN_MAX);
            let payload = synth::vp8(&frame, index, self.stamp(sent_us), len);
            due.push(Due {
                rid: self.rid,
                codec: Codec::Vp8,
                seq: self.next_seq(),
                timestamp,
                marker: index + 1 == packets,
                level_db: None,
                payload,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_video_has_its_frames_and_bits() {
        let options = VideoOptions { simulcast: true, ..VideoOptions::default() };
        let mut track = Published::video("cid".to_owned(), options);
        let start = Now::read();
        let mut due = Vec::new();
        for ms in 0..1_000 {
            due.extend(track.due(start.plus(Duration::from_millis(ms))));
        }
        for (rid, size) in [("q", (320, 180)), ("h", (640, 360)), ("f", (1_280, 720))] {
            let layer: Vec<&Due> = due.iter().filter(|due| due.rid == Some(rid.into())).collect();
            assert_eq!(layer.iter().filter(|due| due.marker).count(), 25, "{rid}");
            let first = synth::read_vp8(&layer[0].payload).unwrap();
            assert_eq!(first.keyframe, Some(size));
            assert!(layer.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
        }
        let bits: usize = due.iter().map(|due| due.payload.len() * 8).sum();
        assert!((2_000_000..2_800_000).contains(&bits), "{bits}");
        assert_eq!(track.sent.keyframes, 3);
        track.keyframe(Some("h".into()));
        let next = track.due(start.plus(Duration::from_millis(1_010)));
        let key =
            |due: &&Due| synth::read_vp8(&due.payload).is_some_and(|vp8| vp8.keyframe.is_some());
        let keys: Vec<_> = next.iter().filter(key).map(|due| due.rid).collect();
        assert_eq!(keys, [Some("h".into())]);
    }

    #[test]
    fn sleep_is_not_caught_up() {
        let mut track = Published::audio("cid".to_owned(), AudioOptions::default());
        let start = Now::read();
        assert_eq!(track.due(start).len(), 1);
        assert_eq!(track.due(start.plus(Duration::from_mins(1))).len(), 1);
        track.muted = true;
        assert!(track.due(start.plus(Duration::from_mins(2))).is_empty());
        assert_eq!(track.next_at(), None);
    }
}

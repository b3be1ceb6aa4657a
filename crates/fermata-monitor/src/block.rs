//! Many samples of one stay in a few bytes.
//!
//! Layout, all numbers as [`crate::varint`] has them: version (1), number of samples, time of the first in
//! units of [`SAMPLE_SECONDS`], number of tracks, the tracks (id, publisher, media), then the samples. A sample
//! says how many units later it is, its span, round trip and CPU, which numbers of the way to the client differ from
//! the last sample and by how much, and for each track which one it is, which fields differ from the track's last
//! sample, and by how much. Publishers are written once and then counted.
//! Whose stay it is stands beside the block, not in it.
//!
//! The newest layout is written, and every older one is read, for blocks are kept for two weeks:
//!
//! | layout | differs |
//! | --- | --- |
//! | 1 | without the way to the client ([`Downlink`]) |
//! | 2 | as above |

use fermata_types::{
    Downlink, Media, ParticipantSid, RoomSid, SAMPLE_SECONDS, SdkAppId, StaySample, TrackSample,
    TrackSid, Via,
};
use jiff::Timestamp;

use crate::limits::{BLOCK_BYTES_MAX, BLOCK_ID_LEN_MAX, BLOCK_SAMPLES_MAX, BLOCK_TRACKS_MAX};
use crate::varint::{Reader, put, put_signed};

/// First byte of every block that is written.
const VERSION: u8 = 2;
/// The oldest layout that is read.
const VERSION_MIN: u8 = 1;
/// The first layout that tells of the way to the client.
const VERSION_DOWNLINK: u8 = 2;
/// Usual span, to which spans are told as differences.
const SPAN_MS: u32 = SAMPLE_SECONDS * 1_000;
/// Numbers of one track in one sample.
const FIELDS: usize = 10;

/// Numbers of the way to the client in one sample.
const DOWNLINK_FIELDS: usize = 4;

/// Numbers of a track; absent ones are 0, others one more, where a number may be absent.
type Fields = [u64; FIELDS];
/// Numbers of the way to the client, in the same way.
type DownlinkFields = [u64; DOWNLINK_FIELDS];

/// Whose samples a block holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockKey {
    /// Application.
    pub app: SdkAppId,
    /// The room's life.
    pub room_sid: RoomSid,
    /// The stay.
    pub stay: ParticipantSid,
}

impl BlockKey {
    /// The key of the block that a sample belongs into.
    pub fn of(sample: &StaySample) -> Self {
        Self { app: sample.app, room_sid: sample.room_sid.clone(), stay: sample.stay.clone() }
    }

    fn holds(&self, sample: &StaySample) -> bool {
        self.app == sample.app && self.room_sid == sample.room_sid && self.stay == sample.stay
    }
}

/// Samples of a stay, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Whose.
    pub key: BlockKey,
    /// Time of the first sample.
    pub first: Timestamp,
    /// Time of the last sample.
    pub last: Timestamp,
    /// How many samples, 1 to [`BLOCK_SAMPLES_MAX`].
    pub samples: usize,
    /// The samples, for [`decode`]; at most [`BLOCK_BYTES_MAX`].
    pub bytes: Vec<u8>,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the block. Tracks beyond the limit may have been left out; see [`BlockBuilder::dropped`].
    Added,
    /// The block is full: finish it and begin another with this sample.
    Full,
    /// Its time is no multiple of [`SAMPLE_SECONDS`], or not later than the last one; it was left out.
    OutOfOrder,
    /// It is of another stay; it was left out.
    Foreign,
}

/// Why bytes are no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Longer than any block.
    #[error("the block is longer than {BLOCK_BYTES_MAX} bytes")]
    TooLong,
    /// Written by a later program, or no block at all.
    #[error("the block has layout {0}, this program reads {VERSION_MIN} to {VERSION}")]
    Version(u8),
    /// It ends in the middle.
    #[error("the block is cut off")]
    CutOff,
    /// A number in it is beyond what a block may have.
    #[error("{0} of the block is out of range")]
    OutOfRange(&'static str),
    /// There is more behind its end.
    #[error("the block has bytes behind its end")]
    Trailing,
}

/// A track that the block knows, and its last numbers.
#[derive(Debug)]
struct Known {
    track: TrackSid,
    from: Option<ParticipantSid>,
    media: Media,
    last: Fields,
}

/// Packs samples of one stay, oldest first.
#[derive(Debug)]
pub struct BlockBuilder {
    key: BlockKey,
    first: i64,
    last: i64,
    samples: usize,
    tracks: Vec<Known>,
    /// The way to the client as of the last sample.
    downlink: DownlinkFields,
    dropped: u64,
    body: Vec<u8>,
}

impl BlockBuilder {
    /// An empty block for a stay.
    pub fn new(key: BlockKey) -> Self {
        Self {
            key,
            first: 0,
            last: 0,
            samples: 0,
            tracks: Vec::new(),
            downlink: [0; DOWNLINK_FIELDS],
            dropped: 0,
            body: Vec::new(),
        }
    }

    /// Whose samples it takes.
    pub fn key(&self) -> &BlockKey {
        &self.key
    }

    /// How many samples it has.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Does it take no more?
    pub fn is_full(&self) -> bool {
        self.samples >= BLOCK_SAMPLES_MAX
    }

    /// Time of its first sample.
    pub fn first(&self) -> Option<Timestamp> {
        (self.samples > 0).then(|| time_of(self.first)).flatten()
    }

    /// Track samples left out because of a limit; to be counted in a metric.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes held at the moment, about as many as the block will have.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Has it no sample yet?
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// Takes a sample.
    pub fn push(&mut self, sample: &StaySample) -> Pushed {
        if !self.key.holds(sample) {
            return Pushed::Foreign;
        }
        if self.is_full() {
            return Pushed::Full;
        }
        let Some(unit) = unit_of(sample.at) else { return Pushed::OutOfOrder };
        if self.samples == 0 {
            (self.first, self.last) = (unit, unit);
        } else if unit <= self.last {
            return Pushed::OutOfOrder;
        }
        put(&mut self.body, (unit - self.last).cast_unsigned());
        self.last = unit;
        self.samples += 1;
        put_signed(&mut self.body, i64::from(sample.span_ms) - i64::from(SPAN_MS));
        put(&mut self.body, or_none(sample.rtt_ms));
        put(&mut self.body, or_none(sample.cpu_percent));
        let downlink = downlink_fields(&sample.downlink);
        put_fields(&mut self.body, &self.downlink, &downlink);
        self.downlink = downlink;
        let mut known = Vec::with_capacity(sample.tracks.len().min(BLOCK_TRACKS_MAX));
        for track in &sample.tracks {
            match self.know(track).filter(|_| known.len() < BLOCK_TRACKS_MAX) {
                Some(index) => known.push((index, track)),
                None => self.dropped += 1,
            }
        }
        put(&mut self.body, known.len() as u64);
        let mut expected = 0;
        for (index, track) in known {
            put_signed(&mut self.body, difference(index as u64, expected));
            expected = index as u64 + 1;
            if let Some(known) = self.tracks.get_mut(index) {
                let fields = fields_of(track);
                put_fields(&mut self.body, &known.last, &fields);
                known.last = fields;
            }
        }
        Pushed::Added
    }

    /// Place of a track among the known ones; takes it up if there is room.
    fn know(&mut self, sample: &TrackSample) -> Option<usize> {
        let same = |known: &Known| {
            known.track == sample.track && known.from == sample.from && known.media == sample.media
        };
        if let Some(index) = self.tracks.iter().position(same) {
            return Some(index);
        }
        let ids = [Some(sample.track.as_str()), sample.from.as_ref().map(ParticipantSid::as_str)];
        let too_long = ids.iter().flatten().any(|id| id.len() > BLOCK_ID_LEN_MAX);
        if too_long || self.tracks.len() >= BLOCK_TRACKS_MAX {
            return None;
        }
        self.tracks.push(Known {
            track: sample.track.clone(),
            from: sample.from.clone(),
            media: sample.media,
            last: [0; FIELDS],
        });
        Some(self.tracks.len() - 1)
    }

    /// The block, if there is a sample in it.
    pub fn finish(self) -> Option<Block> {
        let (first, last) = (self.first()?, time_of(self.last)?);
        let mut bytes = vec![VERSION];
        put(&mut bytes, self.samples as u64);
        put_signed(&mut bytes, self.first);
        put(&mut bytes, self.tracks.len() as u64);
        let mut peers: Vec<&ParticipantSid> = Vec::new();
        for known in &self.tracks {
            put_text(&mut bytes, known.track.as_str());
            match &known.from {
                None => put(&mut bytes, 0),
                Some(from) => {
                    let place = peers.iter().position(|peer| *peer == from);
                    put(&mut bytes, place.unwrap_or(peers.len()) as u64 + 1);
                    if place.is_none() {
                        peers.push(from);
                        put_text(&mut bytes, from.as_str());
                    }
                }
            }
            let media = Media::ALL.iter().position(|media| *media == known.media);
            put(&mut bytes, media.unwrap_or(0) as u64);
        }
        bytes.extend_from_slice(&self.body);
        Some(Block { key: self.key, first, last, samples: self.samples, bytes })
    }
}

/// The samples of a block. Bounded in time and memory whatever the bytes are: at most [`BLOCK_SAMPLES_MAX`]
/// samples of [`BLOCK_TRACKS_MAX`] tracks.
///
/// # Errors
/// [`BlockError`] for bytes that no [`BlockBuilder`] made.
pub fn decode(key: &BlockKey, bytes: &[u8]) -> Result<Vec<StaySample>, BlockError> {
    use BlockError::{CutOff, OutOfRange, TooLong, Trailing, Version};
    if bytes.len() > BLOCK_BYTES_MAX {
        return Err(TooLong);
    }
    let (version, rest) = bytes.split_first().ok_or(CutOff)?;
    if !(VERSION_MIN..=VERSION).contains(version) {
        return Err(Version(*version));
    }
    let mut reader = Reader(rest);
    let count = limited(&mut reader, BLOCK_SAMPLES_MAX, "the number of samples")?;
    if count == 0 {
        return Err(OutOfRange("the number of samples"));
    }
    let mut unit = reader.take_signed().ok_or(CutOff)?;
    let mut tracks = read_tracks(&mut reader)?;
    let mut downlink = [0; DOWNLINK_FIELDS];
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let later =
            i64::try_from(reader.take().ok_or(CutOff)?).map_err(|_| OutOfRange("a time"))?;
        unit = unit.checked_add(later).ok_or(OutOfRange("a time"))?;
        let at = time_of(unit).ok_or(OutOfRange("a time"))?;
        let span = reader.take_signed().ok_or(CutOff)?.checked_add(i64::from(SPAN_MS));
        let span = span.and_then(|span| u32::try_from(span).ok());
        samples.push(StaySample {
            app: key.app,
            room_sid: key.room_sid.clone(),
            stay: key.stay.clone(),
            at,
            span_ms: span.ok_or(OutOfRange("a span"))?,
            rtt_ms: read_or_none(reader.take().ok_or(CutOff)?, "a round trip")?,
            cpu_percent: read_or_none(reader.take().ok_or(CutOff)?, "a CPU load")?,
            downlink: if *version >= VERSION_DOWNLINK {
                read_fields(&mut reader, &mut downlink)?;
                read_downlink(&downlink)?
            } else {
                Downlink::default()
            },
            peer: None,
            tracks: read_sample_tracks(&mut reader, &mut tracks)?,
        });
    }
    if reader.0.is_empty() { Ok(samples) } else { Err(Trailing) }
}

fn read_tracks(reader: &mut Reader<'_>) -> Result<Vec<Known>, BlockError> {
    use BlockError::{CutOff, OutOfRange};
    let count = limited(reader, BLOCK_TRACKS_MAX, "the number of tracks")?;
    let mut tracks = Vec::with_capacity(count);
    let mut peers: Vec<ParticipantSid> = Vec::new();
    for _ in 0..count {
        let track = TrackSid::from_text(read_text(reader)?);
        let place = limited(reader, peers.len() + 1, "a publisher")?;
        let from = match place.checked_sub(1) {
            None => None,
            Some(place) => {
                if place == peers.len() {
                    peers.push(ParticipantSid::from_text(read_text(reader)?));
                }
                peers.get(place).cloned()
            }
        };
        let media = usize::try_from(reader.take().ok_or(CutOff)?).unwrap_or(usize::MAX);
        let media = *Media::ALL.get(media).ok_or(OutOfRange("a kind of media"))?;
        tracks.push(Known { track, from, media, last: [0; FIELDS] });
    }
    Ok(tracks)
}

fn read_sample_tracks(
    reader: &mut Reader<'_>,
    tracks: &mut [Known],
) -> Result<Vec<TrackSample>, BlockError> {
    use BlockError::{CutOff, OutOfRange};
    let count = limited(reader, BLOCK_TRACKS_MAX, "the number of tracks in a sample")?;
    let mut samples = Vec::with_capacity(count);
    let mut expected = 0_i64;
    for _ in 0..count {
        let index = reader.take_signed().ok_or(CutOff)?.checked_add(expected);
        let index = index.and_then(|index| usize::try_from(index).ok());
        let index = index.ok_or(OutOfRange("a track"))?;
        let known = tracks.get_mut(index).ok_or(OutOfRange("a track"))?;
        expected = i64::try_from(index).map_or(i64::MAX, |index| index.saturating_add(1));
        read_fields(reader, &mut known.last)?;
        samples.push(track_sample(known)?);
    }
    Ok(samples)
}

fn downlink_fields(downlink: &Downlink) -> DownlinkFields {
    [
        or_none(downlink.estimate_bps),
        downlink.tracks_limited.into(),
        downlink.tracks_paused.into(),
        downlink.via.map_or(0, |via| via.number().into()),
    ]
}

fn read_downlink(fields: &DownlinkFields) -> Result<Downlink, BlockError> {
    let [estimate, limited, paused, via] = *fields;
    let known = Via::from_number(via);
    if via != 0 && known.is_none() {
        return Err(BlockError::OutOfRange("a way of media"));
    }
    Ok(Downlink {
        estimate_bps: read_or_none(estimate, "an estimate")?,
        tracks_limited: number(limited)?,
        tracks_paused: number(paused)?,
        via: known,
    })
}

fn fields_of(track: &TrackSample) -> Fields {
    [
        track.packets.into(),
        track.bytes.into(),
        track.lost.into(),
        track.frames.into(),
        track.width.into(),
        track.height.into(),
        track.freeze_ms.into(),
        or_none(track.jitter_ms),
        track.keyframe_requests.into(),
        track.nacks.into(),
    ]
}

fn track_sample(known: &Known) -> Result<TrackSample, BlockError> {
    let [packets, bytes, lost, frames, width, height, freeze, jitter, keyframes, nacks] =
        known.last;
    Ok(TrackSample {
        track: known.track.clone(),
        from: known.from.clone(),
        media: known.media,
        packets: number(packets)?,
        bytes: number(bytes)?,
        lost: number(lost)?,
        frames: number(frames)?,
        width: number(width)?,
        height: number(height)?,
        freeze_ms: number(freeze)?,
        jitter_ms: read_or_none(jitter, "a jitter")?,
        keyframe_requests: number(keyframes)?,
        nacks: number(nacks)?,
    })
}

fn number(value: u64) -> Result<u32, BlockError> {
    u32::try_from(value).map_err(|_| BlockError::OutOfRange("a number"))
}

/// Which numbers have changed, and by how much.
fn put_fields(out: &mut Vec<u8>, last: &[u64], fields: &[u64]) {
    let pairs = || last.iter().zip(fields);
    let changed = pairs().enumerate().filter(|(_, (last, now))| last != now);
    put(out, changed.map(|(n, _)| 1 << n).sum());
    for (last, now) in pairs().filter(|(last, now)| last != now) {
        put_signed(out, difference(*now, *last));
    }
}

/// Changes numbers by what [`put_fields`] wrote; at most 63 of them.
fn read_fields(reader: &mut Reader<'_>, fields: &mut [u64]) -> Result<(), BlockError> {
    use BlockError::{CutOff, OutOfRange};
    let changed = reader.take().ok_or(CutOff)?;
    if changed >> fields.len() != 0 {
        return Err(OutOfRange("a set of fields"));
    }
    for (n, field) in fields.iter_mut().enumerate() {
        if changed & (1 << n) != 0 {
            let by = reader.take_signed().ok_or(CutOff)?;
            *field = field.checked_add_signed(by).ok_or(OutOfRange("a number"))?;
        }
    }
    Ok(())
}

/// Both come of 32 bits.
fn difference(now: u64, last: u64) -> i64 {
    now.cast_signed().wrapping_sub(last.cast_signed())
}

/// A number that may be absent.
fn or_none(value: Option<u32>) -> u64 {
    value.map_or(0, |value| u64::from(value) + 1)
}

fn read_or_none(value: u64, what: &'static str) -> Result<Option<u32>, BlockError> {
    let value = value.checked_sub(1).map(u32::try_from).transpose();
    value.map_err(|_| BlockError::OutOfRange(what))
}

fn limited(reader: &mut Reader<'_>, max: usize, what: &'static str) -> Result<usize, BlockError> {
    let value = reader.take().ok_or(BlockError::CutOff)?;
    let value = usize::try_from(value).ok().filter(|value| *value <= max);
    value.ok_or(BlockError::OutOfRange(what))
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn read_text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, BlockError> {
    let len = limited(reader, BLOCK_ID_LEN_MAX, "the length of an id")?;
    let bytes = reader.bytes(len).ok_or(BlockError::CutOff)?;
    std::str::from_utf8(bytes).map_err(|_| BlockError::OutOfRange("an id"))
}

/// Number of the moment in units of [`SAMPLE_SECONDS`], if it is a whole one.
fn unit_of(at: Timestamp) -> Option<i64> {
    let seconds = i64::from(SAMPLE_SECONDS);
    let whole = at.subsec_nanosecond() == 0 && at.as_second() % seconds == 0;
    whole.then(|| at.as_second() / seconds)
}

fn time_of(unit: i64) -> Option<Timestamp> {
    Timestamp::from_second(unit.checked_mul(i64::from(SAMPLE_SECONDS))?).ok()
}

#[cfg(test)]
mod tests;

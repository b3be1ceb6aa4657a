//! What rooms and shards tell each other, and shards among themselves: plain values, in order, each way.
//!
//! The rooms ([`crate::Sfu`]) decide who is there, what is published and who receives it; shards
//! ([`crate::Shard`]) hold the connections and move the packets. They share nothing: everything here is owned, and
//! nothing waits for an answer, so that a shard may be another thread, and later another machine. To shells it is
//! opaque; they carry it.
//!
//! Invariants:
//! - what one side tells another arrives once, in the order in which it was told; between shards media may be lost;
//! - who is told about something that is gone by then ignores it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fermata_transport::{Agreement, Channel, Codec, MediaKind, Mid, Rid};
use fermata_types::{Media, ParticipantSid, RoomSid, SdkAppId, StaySample, TrackSid};
use jiff::Timestamp;

use crate::forward::{LayerSpec, Quality, SenderReport, Settings};
use crate::key::{LinkId, ParticipantId, TrackId};

/// A shard, by its place in [`crate::SfuConfig::shards`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u8);

impl ShardId {
    /// Its place.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// From the rooms to a shard.
#[derive(Debug)]
pub struct ShardOrder(pub(crate) Order);

/// From a shard to the rooms.
#[derive(Debug)]
pub struct ShardReport(pub(crate) Report);

/// From a shard to another.
#[derive(Debug)]
pub struct ShardHop(pub(crate) Hop);

/// What a shard is to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Somebody is served here from now on; connections follow.
    Enter(Box<PeerSpec>),
    /// Everything of that one ends, with a word of goodbye.
    Leave(ParticipantId),
    /// A connection, the `nth` under this id.
    Open { link: LinkId, nth: u32, ufrag: String, agreement: Box<Agreement> },
    /// It ends, with a word of goodbye.
    Close(LinkId),
    /// More was negotiated on it.
    Agree { link: LinkId, ufrag: String, agreement: Box<Agreement> },
    /// A track comes in on a section of its publisher, who is served here.
    Publish(Box<TrackSpec>),
    /// The same for one that is received here and comes in at another shard.
    Mirror(Box<TrackSpec>),
    /// Packets of a track that comes in here go to another shard too, or do not any more.
    Feed { track: TrackId, to: ShardId, on: bool },
    /// The track is gone, here at least. Who receives it was unsubscribed before.
    Unpublish(TrackId),
    /// What was said about a track has changed.
    Change(TrackId, Box<TrackState>),
    /// Nothing is expected of the track until something comes of it.
    Rest(TrackId),
    /// Somebody receives a track, on that section once there is one.
    Subscribe { peer: ParticipantId, track: TrackId, mid: Option<Mid> },
    /// Not any more.
    Unsubscribe { peer: ParticipantId, track: TrackId },
    /// It goes out on another section from now on, or waits for one.
    Move { peer: ParticipantId, track: TrackId, mid: Option<Mid> },
    /// How somebody wants to see a track.
    Settings { peer: ParticipantId, track: TrackId, settings: Settings },
    /// The numbering of a section starts anew.
    Renumber { peer: ParticipantId, mid: Mid },
    /// Everything that somebody should see and does not yet is asked for.
    Refresh(ParticipantId),
    /// A message for some.
    Data { peers: Vec<ParticipantId>, message: Message },
    /// Somebody came back and has all messages up to these numbers, by sender.
    Replay { peer: ParticipantId, has: Vec<(String, u32)> },
    /// How these fared since the last sample.
    Sample { peers: Vec<ParticipantId>, at: Timestamp },
}

/// What a shard noticed.
#[derive(Debug)]
pub(crate) enum Report {
    /// ICE and DTLS are up.
    Connected(LinkId, u32),
    /// The peer's checks stopped.
    Disconnected(LinkId, u32),
    /// It ended.
    Closed(LinkId, u32),
    /// It failed inside and is not used any more.
    Broken(LinkId, u32),
    /// A sign of life, about once a second while there are some, with the state of the path.
    Heard(ParticipantId, Health),
    /// The summed pixels of the video that somebody receives, since that moment.
    Area(ParticipantId, u64, Instant),
    /// A message of a client.
    Data { link: LinkId, channel: Channel, binary: bool, data: Vec<u8> },
    /// A track comes in this codec.
    Codec(TrackId, Codec),
    /// The highest quality that somebody served at this shard wants of a track; `None`: nothing.
    Wanted { track: TrackId, at: ShardId, wanted: Option<Quality> },
    /// A track is not sent to somebody at the moment because there is no room for it, or is again.
    Paused { peer: ParticipantId, track: TrackId, paused: bool },
    /// How loud audio packets were.
    Levels(Vec<Level>),
    /// Samples of stays.
    Samples(Vec<StaySample>),
}

/// What shards hand to each other.
#[derive(Debug)]
pub(crate) enum Hop {
    /// Packets of tracks that come in at the sender.
    Media(Batch),
    /// A batch that was read, to be filled again.
    Return(Batch),
    /// The clock of a layer.
    SenderReport { track: TrackId, rid: Rid, report: SenderReport },
    /// A keyframe of a layer is needed.
    Keyframe { track: TrackId, rid: Option<Rid> },
}

/// Somebody to be served.
#[derive(Debug, Clone)]
pub(crate) struct PeerSpec {
    pub(crate) id: ParticipantId,
    /// One connection for both directions.
    pub(crate) single: bool,
    /// For samples: whose stay, where.
    pub(crate) sid: ParticipantSid,
    pub(crate) app: SdkAppId,
    pub(crate) room_sid: RoomSid,
}

/// A track as shards know it.
#[derive(Debug, Clone)]
pub(crate) struct TrackSpec {
    pub(crate) id: TrackId,
    pub(crate) sid: TrackSid,
    pub(crate) publisher: ParticipantId,
    pub(crate) publisher_sid: ParticipantSid,
    /// Where it comes in.
    pub(crate) origin: ShardId,
    /// The publisher's section.
    pub(crate) mid: Mid,
    pub(crate) kind: MediaKind,
    pub(crate) media: Media,
    pub(crate) rids: Vec<Rid>,
    /// Its payloads are encrypted end to end.
    pub(crate) encrypted: bool,
    pub(crate) state: TrackState,
}

/// What of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrackState {
    pub(crate) muted: bool,
    /// Its user is blocked: nothing of it is forwarded.
    pub(crate) blocked: bool,
    /// Somebody wants it.
    pub(crate) awaited: bool,
    /// Layers as announced.
    pub(crate) declared: Vec<LayerSpec>,
}

/// A data message, encoded once for all who get it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) channel: Channel,
    pub(crate) binary: bool,
    pub(crate) data: Arc<[u8]>,
    /// Sender's sid and sequence, of reliable messages that have one.
    pub(crate) origin: Option<(Arc<str>, u32)>,
}

/// When somebody was last heard on a media connection, and how the path is: the worse of both connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Health {
    pub(crate) at: Instant,
    /// 0 to 1.
    pub(crate) loss: f32,
    pub(crate) rtt: Option<Duration>,
}

/// Loudness of one packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) track: TrackId,
    pub(crate) at: Instant,
    /// -127 to 0 dBov (RFC 6464).
    pub(crate) dbov: i8,
}

/// Media packets one behind the other. Its buffers go back to where they came from.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) packets: Vec<Packet>,
}

/// One of them; the next bytes are its dependency descriptor, then its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) track: TrackId,
    pub(crate) rid: Option<Rid>,
    pub(crate) codec: Codec,
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) arrived: Instant,
    pub(crate) audio_level_db: Option<i8>,
    pub(crate) voice_activity: Option<bool>,
    /// Bytes of its dependency descriptor; 0 if it has none.
    pub(crate) dependency_len: usize,
    /// Bytes of its payload.
    pub(crate) len: usize,
}

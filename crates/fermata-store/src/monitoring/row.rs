//! What is written down and what is read: rows in the words of monitoring.

use fermata_types::{Media, ParticipantSid, Role, RoomName, RoomSid, SdkAppId, StayEnd};
use jiff::Timestamp;

/// What happened since the last batch, in any order of stays. Repeating it adds nothing but to `tallies`.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Rooms that came into being.
    pub lives: Vec<LifeBegun>,
    /// Rooms that are gone, and when.
    pub lives_ended: Vec<(RoomSid, Timestamp)>,
    /// Users who entered.
    pub stays: Vec<StayBegun>,
    /// Stays whose media connected for the first time, and when.
    pub connected: Vec<(ParticipantSid, Timestamp)>,
    /// Users who left.
    pub stays_ended: Vec<StayOver>,
    /// What users did and what became of them.
    pub events: Vec<EventRow>,
    /// What went badly.
    pub unusual: Vec<UnusualRow>,
    /// Samples.
    pub blocks: Vec<Block>,
    /// Parts of totals; sums are added to what is there, peaks are compared.
    pub tallies: Vec<Tally>,
}

impl Batch {
    /// Rows in it.
    pub fn len(&self) -> usize {
        self.lives.len()
            + self.lives_ended.len()
            + self.stays.len()
            + self.connected.len()
            + self.stays_ended.len()
            + self.events.len()
            + self.unusual.len()
            + self.blocks.len()
            + self.tallies.len()
    }

    /// Has it none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A room came into being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeBegun {
    /// This life of it.
    pub room_sid: RoomSid,
    /// Application.
    pub app: SdkAppId,
    /// Room.
    pub room: RoomName,
    /// When.
    pub at: Timestamp,
    /// Who entered first; empty if an API made it.
    pub creator: String,
}

/// A user entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StayBegun {
    /// The stay.
    pub stay: ParticipantSid,
    /// The room's life.
    pub room_sid: RoomSid,
    /// Application.
    pub app: SdkAppId,
    /// Who.
    pub identity: String,
    /// With what.
    pub client: Client,
    /// When.
    pub at: Timestamp,
}

/// What a client says of itself, and where it is. Each text is cut to
/// [`crate::limits::MONITORING_TEXT_CHARS_MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Model of the device or name of the browser.
    pub device: String,
    /// Operating system with its version.
    pub os: String,
    /// Name of the SDK.
    pub sdk: String,
    /// Version of the SDK.
    pub version: String,
    /// Address.
    pub address: String,
}

/// A user left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StayOver {
    /// The stay.
    pub stay: ParticipantSid,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub end: StayEnd,
}

/// Something that a user did, or that became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Application.
    pub app: SdkAppId,
    /// The room's life.
    pub room_sid: RoomSid,
    /// The stay.
    pub stay: ParticipantSid,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// What a user did, or what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Entered.
    Entered,
    /// Media connected for the first time.
    Connected,
    /// Came back over a new connection.
    Resumed,
    /// Became this.
    RoleChanged(Role),
    /// Began to publish.
    TrackOn(Media),
    /// Ceased to publish.
    TrackOff(Media),
    /// Muted a track.
    Muted(Media),
    /// Unmuted a track.
    Unmuted(Media),
    /// Left, and why.
    Left(StayEnd),
}

/// Something that went badly for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusualRow {
    /// Application.
    pub app: SdkAppId,
    /// The room's life.
    pub room_sid: RoomSid,
    /// The stay.
    pub stay: ParticipantSid,
    /// When.
    pub at: Timestamp,
    /// What the user met: the id of a rule of `fermata-monitor`.
    pub experience: u32,
    /// What may have been the cause: ids of rules, each with the stay it came from, if another.
    pub causes: Vec<(u32, Option<ParticipantSid>)>,
}

/// An [`UnusualRow`] as it is answered: ids of stays are names of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusual {
    /// Who met it.
    pub identity: String,
    /// Where.
    pub room: RoomName,
    /// When.
    pub at: Timestamp,
    /// The id of a rule of `fermata-monitor`.
    pub experience: u32,
    /// Ids of rules, each with the other user it came from; empty: none.
    pub causes: Vec<(u32, String)>,
}

/// Samples of one stay, packed by `fermata-monitor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Application.
    pub app: SdkAppId,
    /// The stay.
    pub stay: ParticipantSid,
    /// Moment of the first sample.
    pub from: Timestamp,
    /// Moment of the last one.
    pub to: Timestamp,
    /// The samples.
    pub blob: Vec<u8>,
}

/// A part of the totals of one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Application.
    pub app: SdkAppId,
    /// A room's life; none: the whole application.
    pub room_sid: Option<RoomSid>,
    /// Where the minute begins.
    pub minute: Timestamp,
    /// What is added.
    pub sums: Sums,
    /// Most users at a time.
    pub users: u32,
    /// Most rooms at a time.
    pub rooms: u32,
}

/// Figures that are added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Entries that came to an end: connected or given up.
    pub joins: u64,
    /// Those that connected.
    pub joined: u64,
    /// Those that connected within five seconds.
    pub joined_soon: u64,
    /// Milliseconds of received audio.
    pub audio_ms: u64,
    /// Milliseconds of it that were missing.
    pub audio_freeze_ms: u64,
    /// Milliseconds of received video.
    pub video_ms: u64,
    /// Milliseconds of it in which it stood still.
    pub video_freeze_ms: u64,
    /// Round trips, milliseconds, added up.
    pub delay_ms: u64,
    /// How many.
    pub delays: u64,
}

impl Sums {
    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.joins += other.joins;
        self.joined += other.joined;
        self.joined_soon += other.joined_soon;
        self.audio_ms += other.audio_ms;
        self.audio_freeze_ms += other.audio_freeze_ms;
        self.video_ms += other.video_ms;
        self.video_freeze_ms += other.video_freeze_ms;
        self.delay_ms += other.delay_ms;
        self.delays += other.delays;
    }
}

/// A page of a list.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Rows before it.
    pub skip: u64,
    /// Rows of it at most, up to [`crate::limits::MONITORING_PAGE_MAX`].
    pub len: u32,
}

/// Part of a list.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// Rows of the whole list.
    pub total: u64,
    /// Rows of the page.
    pub rows: Vec<T>,
}

/// One life of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomLife {
    /// Its id.
    pub room_sid: RoomSid,
    /// Application.
    pub app: SdkAppId,
    /// Room.
    pub room: RoomName,
    /// The last part of its `CommId`: the second of its beginning, or, if an earlier life of a room of that
    /// text has that second already, the first one after it that is free.
    pub comm_second: i64,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who entered first; empty if an API made it.
    pub creator: String,
}

/// One stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StayRow {
    /// Its id.
    pub stay: ParticipantSid,
    /// Who.
    pub identity: String,
    /// With what.
    pub client: Client,
    /// When it entered.
    pub entered: Timestamp,
    /// When media connected for the first time.
    pub connected: Option<Timestamp>,
    /// When and why it left.
    pub left: Option<(Timestamp, StayEnd)>,
}

/// Length of a total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A minute, kept for [`crate::limits::MONITORING_MINUTES_KEPT`].
    Minute,
    /// An hour.
    Hour,
    /// A day in UTC.
    Day,
}

/// Totals of a minute, an hour or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Where it begins.
    pub from: Timestamp,
    /// Figures that were added up.
    pub sums: Sums,
    /// Most users at a time.
    pub peak_users: u64,
    /// Most rooms at a time.
    pub peak_rooms: u64,
    /// Who was there; 0 in minutes.
    pub scale: Scale,
}

/// How many there were in an hour or a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scale {
    /// Different users who were in any room.
    pub users: u64,
    /// Different pairs of user and room.
    pub room_users: u64,
    /// Entries.
    pub entries: u64,
    /// Lives of rooms in which somebody was.
    pub rooms: u64,
}

/// What one step of sweeping did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that were too old.
    pub expired: u64,
    /// Rows that had to go because the file was too large.
    pub evicted: u64,
    /// Bytes in use now.
    pub bytes: u64,
    /// There is more to do; call again.
    pub more: bool,
}

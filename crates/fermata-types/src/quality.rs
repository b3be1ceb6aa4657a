//! How a stay fared during a few seconds: what monitoring stores.
//!
//! What it is not: usage. A lost sample costs a point in a chart and no money.

use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ParticipantSid, RoomSid, SdkAppId, TrackSid};

/// Seconds between two samples of a stay.
pub const SAMPLE_SECONDS: u32 = 5;

/// How one stay fared since its last sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaySample {
    /// Application.
    pub app: SdkAppId,
    /// The room's life.
    pub room_sid: RoomSid,
    /// The stay.
    pub stay: ParticipantSid,
    /// Wall time, a multiple of [`SAMPLE_SECONDS`].
    pub at: Timestamp,
    /// Milliseconds that the numbers below cover; about five thousand, less for the first.
    pub span_ms: u32,
    /// Round trip to the client, milliseconds.
    pub rtt_ms: Option<u32>,
    /// CPU of the client, percent of all cores, where the client reports it.
    pub cpu_percent: Option<u32>,
    /// The way from us to the client, as it is now.
    pub downlink: Downlink,
    /// The client's end of that way. Not kept: it only tells [`Via::Relay`] from [`Via::Udp`].
    pub peer: Option<SocketAddr>,
    /// Its tracks, published and received.
    pub tracks: Vec<TrackSample>,
}

/// The way from us to a client at the moment of a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downlink {
    /// What the way can take as congestion control estimates it, bits per second on the wire; at most [`u32::MAX`].
    /// Absent before the client's first feedback, where it gives none, and where congestion control is off.
    pub estimate_bps: Option<u32>,
    /// Videos of which less goes out than the client wants, because there is not room for more.
    pub tracks_limited: u32,
    /// Videos of which nothing goes out, because there is not room for the least of them. None of them is limited.
    pub tracks_paused: u32,
    /// Over what media goes; absent while the client is lost.
    pub via: Option<Via>,
}

/// Over what media goes between a client and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// UDP to a media port.
    Udp,
    /// A TCP connection to a media port (RFC 4571, RFC 6544).
    Tcp,
    /// The node's own relay (TURN, RFC 8656), whatever the client reaches that over.
    Relay,
}

impl Via {
    /// Every way. Blocks and charts number them in this order, from 1: add new ones at the end.
    pub const ALL: &'static [Self] = &[Self::Udp, Self::Tcp, Self::Relay];

    /// Its place in [`Self::ALL`], from 1.
    pub const fn number(self) -> u8 {
        match self {
            Self::Udp => 1,
            Self::Tcp => 2,
            Self::Relay => 3,
        }
    }

    /// The way of a number of [`Self::number`].
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|via| u64::from(via.number()) == number)
    }
}

/// How one track fared on the way from its publisher to us, or from us to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackSample {
    /// The track.
    pub track: TrackSid,
    /// Whose track the stay receives; none: it publishes the track.
    pub from: Option<ParticipantSid>,
    /// What it carries.
    pub media: Media,
    /// RTP packets that came (published), or went out (received by the stay).
    pub packets: u32,
    /// Payload bytes of them.
    pub bytes: u32,
    /// Packets lost on the way: our count upstream, the receiver's report downstream.
    pub lost: u32,
    /// Video frames begun.
    pub frames: u32,
    /// Width of the layer, pixels; 0 for audio or unknown.
    pub width: u32,
    /// Height of the layer.
    pub height: u32,
    /// Milliseconds of the span in which the picture stood still or the sound was missing although the track was
    /// neither muted nor paused; see the guide's monitoring page for the rule.
    pub freeze_ms: u32,
    /// Interarrival jitter, milliseconds.
    pub jitter_ms: Option<u32>,
    /// Keyframes asked for by the receiver, or by us from the publisher.
    pub keyframe_requests: u32,
    /// Packets asked for again.
    pub nacks: u32,
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Microphone.
    Audio,
    /// Camera.
    Video,
    /// A shared screen or a second video.
    Screen,
    /// Sound of a shared screen.
    ScreenAudio,
}

impl Media {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Audio, Self::Video, Self::Screen, Self::ScreenAudio];

    /// Is it moving pictures?
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Video | Self::Screen)
    }
}

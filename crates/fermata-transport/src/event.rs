//! What comes out of a connection, and the two shapes of an RTP packet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use fermata_rtp::Codec;

use crate::config::Channel;
use crate::id::{Mid, Rid};

/// One result of [`crate::Transport::poll`].
#[derive(Debug)]
pub enum Poll {
    /// A datagram to put on the network.
    Transmit(Transmit),
    /// Something happened.
    Event(Event),
    /// Nothing more until a datagram arrives or this moment, when `handle_timeout` is due.
    Timeout(Instant),
}

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Our candidate it leaves from.
    pub source: SocketAddr,
    /// The peer's address.
    pub destination: SocketAddr,
    /// The bytes, at most [`crate::limits::DATAGRAM_LEN_MAX`].
    pub data: Vec<u8>,
}

/// Something that happened on a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// ICE and DTLS are up, for the first time or again after [`Event::Disconnected`].
    Connected,
    /// The peer's ICE checks stopped coming. It may come back, with or without an ICE restart.
    Disconnected,
    /// The connection ended: by the peer, by [`crate::Transport::close`] or by a failure. The last event.
    Closed,
    /// A section offered by the client is set up; media may come in on it or can be sent.
    MediaAdded(Mid),
    /// A media packet, decrypted, not reordered, retransmissions already put back in place.
    Rtp(RtpIn),
    /// The peer asks for a keyframe on a section we send (PLI or FIR).
    KeyframeRequested {
        /// The section.
        mid: Mid,
    },
    /// A data channel can be written to.
    ChannelOpened(Channel),
    /// A message on one of the known channels. Messages on others are dropped.
    Data {
        /// On which channel.
        channel: Channel,
        /// Binary or text.
        binary: bool,
        /// The message, at most `data_message_len_max` bytes.
        data: Vec<u8>,
    },
    /// How much the path to the peer can take: our own estimate if it is on, else the peer's REMB.
    BandwidthEstimate {
        /// Bits per second.
        bps: u64,
    },
}

/// A media packet from the peer.
#[derive(Debug, Clone)]
pub struct RtpIn {
    /// Section it belongs to.
    pub mid: Mid,
    /// Simulcast layer; `None` without simulcast.
    pub rid: Option<Rid>,
    /// What the payload holds, by its payload type.
    pub codec: Codec,
    /// Sequence number extended beyond 16 bits; grows per section and layer, may arrive out of order.
    pub seq: u64,
    /// RTP timestamp in ticks of the codec's clock.
    pub timestamp: u32,
    /// Marker bit: last packet of a frame for video, first of a talk spurt for audio.
    pub marker: bool,
    /// Payload without header and padding. Empty: padding alone, sent to probe the path.
    pub payload: Arc<[u8]>,
    /// When the datagram arrived.
    pub arrived: Instant,
    /// Audio level, -127 to 0 dBov (RFC 6464).
    pub audio_level_db: Option<i8>,
    /// The sender's voice activity flag (RFC 6464).
    pub voice_activity: Option<bool>,
}

/// A media packet to the peer.
#[derive(Debug, Clone, Copy)]
pub struct RtpOut<'a> {
    /// What the payload holds; chooses the payload type.
    pub codec: Codec,
    /// Extended sequence number. The first of a section must be below 65,536; goes on across m-line reuse.
    pub seq: u64,
    /// RTP timestamp; goes on across m-line reuse.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// At most [`crate::limits::RTP_PAYLOAD_LEN_MAX`] bytes.
    pub payload: &'a [u8],
    /// The moment `timestamp` stands for, on our clock; goes into sender reports.
    pub at: Instant,
    /// Audio level, -127 to 0 dBov (RFC 6464).
    pub audio_level_db: Option<i8>,
    /// Voice activity flag (RFC 6464).
    pub voice_activity: Option<bool>,
    /// Keep it for retransmission on NACK. Only for codecs with RTX, thus video.
    pub nackable: bool,
}

/// The peer's latest sender report of a section and layer: a point on its RTP clock and on its wall clock.
/// Two layers of one track share the wall clock, which aligns their timestamps (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// RTP timestamp of the point.
    pub rtp_time: u32,
    /// The same point on the peer's wall clock, which may be far from ours.
    pub ntp: SystemTime,
    /// When the first packet after the report arrived here.
    pub received: Instant,
}

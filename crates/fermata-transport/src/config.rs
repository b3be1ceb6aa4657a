//! What a connection is for and how it is set up.

use std::net::SocketAddr;

use crate::dtls::Certificate;
use crate::limits;

/// Which end offers, and which way media goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerKind {
    /// Two-connection dialect: the client offers, media comes in, the client opens the data channels.
    Publisher,
    /// Two-connection dialect: we offer, media goes out, we open the data channels in the first offer.
    Subscriber,
    /// One-connection dialect: the client always offers, media goes both ways, the client opens the channels.
    Single,
}

impl PeerKind {
    /// Do we make the offers?
    pub fn offers(self) -> bool {
        self == Self::Subscriber
    }
}

/// The data channels that clients of this protocol use, by their labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// `_reliable`: ordered, retransmitted.
    Reliable,
    /// `_lossy`: unordered, never retransmitted.
    Lossy,
    /// `_data_track`: unordered, never retransmitted.
    DataTrack,
}

impl Channel {
    /// All of them, in the order in which they are opened.
    pub const ALL: [Self; 3] = [Self::Reliable, Self::Lossy, Self::DataTrack];

    /// The DCEP label (RFC 8832 section 5.1).
    pub fn label(self) -> &'static str {
        match self {
            Self::Reliable => "_reliable",
            Self::Lossy => "_lossy",
            Self::DataTrack => "_data_track",
        }
    }

    /// The channel of a label; `None` for others.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.label() == label)
    }
}

/// How to build a connection.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// Host candidates over UDP that we announce: addresses at which the shell receives for this connection.
    pub candidates: Vec<SocketAddr>,
    /// Passive host candidates over TCP (RFC 6544): addresses at which the shell takes connections in and cuts their
    /// bytes into datagrams (RFC 4571). None of them is in `candidates` too, port included.
    pub tcp_candidates: Vec<SocketAddr>,
    /// Our DTLS certificate, shared by all connections. `None`: the connection makes its own, which takes time.
    pub certificate: Option<Certificate>,
    /// Largest data-channel message accepted and announced (`a=max-message-size`), bytes.
    /// Raised to [`limits::DATA_MESSAGE_LEN_MIN`] if below.
    pub data_message_len_max: usize,
    /// Where we offer, put a new track on a section that has gone idle, instead of only when
    /// [`limits::SDP_SECTIONS_MAX`] is reached.
    ///
    /// Keeps the SDP short, but a client's track object keeps the id of the section's *first* track for ever
    /// (the receiver is made once). Clients that know a track by that id lose the later ones; those that read
    /// the stream id find the track there.
    pub reuse_sections: bool,
    /// Estimate how much the path to the peer can take ([`crate::Event::BandwidthEstimate`]), with padding to find out
    /// more where that is wanted.
    pub estimate_bandwidth: bool,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            candidates: Vec::new(),
            tcp_candidates: Vec::new(),
            certificate: None,
            data_message_len_max: limits::DATA_MESSAGE_LEN_MIN,
            reuse_sections: false,
            estimate_bandwidth: false,
        }
    }
}

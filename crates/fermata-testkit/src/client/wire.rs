//! Words that the parts of the client share: datagrams and data channels.

use std::net::SocketAddr;

/// A datagram to put on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Which of our addresses it leaves from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// The data channels that clients of the protocol open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Channel {
    /// Ordered, retransmitted.
    Reliable,
    /// Unordered, never retransmitted.
    Lossy,
    /// Unordered, never retransmitted.
    DataTrack,
}

impl Channel {
    /// All of them, in the order in which they are opened.
    pub(super) const ALL: [Self; 3] = [Self::Reliable, Self::Lossy, Self::DataTrack];

    /// The label by which both sides know it (RFC 8832 section 5.1).
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Reliable => "_reliable",
            Self::Lossy => "_lossy",
            Self::DataTrack => "_data_track",
        }
    }

    /// The channel of a label; `None` for others.
    pub(super) fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.label() == label)
    }
}

//! What can go wrong, by family of calls.

use crate::id::Mid;
use crate::limits;

/// A datagram was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Longer than [`limits::DATAGRAM_LEN_MAX`].
    #[error("datagram of {len} bytes is too long")]
    TooLong {
        /// Its length, bytes.
        len: usize,
    },
    /// Neither STUN, DTLS, RTP nor RTCP, or a broken one. The connection is unharmed.
    #[error("datagram is none of STUN, DTLS, RTP, RTCP")]
    Malformed,
    /// Not STUN, and from an address that no ICE check of this peer came from. The connection is unharmed.
    #[error("datagram from an address that passed no ICE check")]
    UnknownAddress,
    /// A STUN message that is no check by this connection's peer, or one that cannot be granted.
    /// The connection is unharmed.
    #[error("STUN message refused: {detail}")]
    Check {
        /// Why.
        detail: String,
    },
    /// SRTP, SRTCP or DTLS that does not authenticate, came before, or cannot be read. The connection is unharmed,
    /// and the peer was not heard.
    #[error("packet does not authenticate, or came before")]
    Refused,
    /// The peer broke the rules so that we cannot go on. The connection is closed.
    #[error("connection failed: {detail}")]
    Failed {
        /// What happened.
        detail: String,
    },
}

/// An SDP text or a candidate was not taken, or none can be made. Unless said otherwise nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Longer than [`limits::SDP_LEN_MAX`].
    #[error("SDP of {len} bytes is too long")]
    TooLong {
        /// Its length, bytes.
        len: usize,
    },
    /// More than [`limits::SDP_SECTIONS_MAX`] m-lines.
    #[error("SDP has more than {max} sections", max = limits::SDP_SECTIONS_MAX)]
    TooManySections,
    /// More than [`limits::SDP_SSRC_LINES_MAX`] `a=ssrc` lines, or [`limits::SDP_RIDS_MAX`] `a=rid` lines in a section.
    #[error("SDP announces too many streams")]
    TooManyStreams,
    /// More than [`limits::REMOTE_CANDIDATES_MAX`] candidates over the life of the connection.
    #[error("more than {max} candidates", max = limits::REMOTE_CANDIDATES_MAX)]
    TooManyCandidates,
    /// A section without `a=mid`, with one that is not a short name, or with one used twice.
    #[error("section {index} has no usable mid")]
    Mid {
        /// Position of the section, from 0.
        index: usize,
    },
    /// A payload type stands for two things, in this SDP or against an earlier one.
    #[error("payload type {pt} is used twice")]
    PayloadType {
        /// The number.
        pt: u8,
    },
    /// The text could not be read.
    #[error("malformed SDP: {detail}")]
    Malformed {
        /// The parser's words, shortened.
        detail: String,
    },
    /// The text was read but does not fit this connection (roles, fingerprint, order of sections).
    /// The connection may be half changed and should be closed by the caller, or negotiated anew.
    #[error("SDP refused: {detail}")]
    Refused {
        /// The engine's words, shortened.
        detail: String,
    },
    /// An offer to a connection on which we offer, or an answer to one on which we answer.
    #[error("this end of the connection does not take that")]
    WrongRole,
    /// An answer without an outstanding offer, or `answer` without an accepted offer.
    #[error("nothing is outstanding")]
    NothingOutstanding,
    /// A section named in an assignment is not a placeholder of the accepted offer, or is of the other direction.
    #[error("section {mid} is not a placeholder")]
    NotAPlaceholder {
        /// The section.
        mid: Mid,
    },
    /// Not a candidate of an IP address over UDP: mDNS names, TCP, junk.
    #[error("unusable candidate")]
    Candidate,
    /// The connection is closed.
    #[error("connection is closed")]
    Closed,
}

/// A packet or message was not sent; the caller drops it or keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// ICE and DTLS are not up, or the connection is closed.
    #[error("not connected")]
    NotConnected,
    /// No such section, or it is not negotiated for sending (any more).
    #[error("section is not sending")]
    NotSending,
    /// The peer did not agree to this codec on this section.
    #[error("codec is not negotiated")]
    CodecNotNegotiated,
    /// Payload longer than [`limits::RTP_PAYLOAD_LEN_MAX`], or message longer than configured.
    #[error("{len} bytes are too long")]
    TooLong {
        /// Its length, bytes.
        len: usize,
    },
    /// The first packet of a section must have an extended sequence number below 65,536:
    /// the receiver guesses the rollover counter as 0 (RFC 3711 section 3.3.1).
    #[error("first sequence number {seq} is past the first rollover")]
    FirstSeq {
        /// The number given.
        seq: u64,
    },
    /// This number was sent before, or may have been: it is more than [`limits::SENT_WINDOW`] behind the highest.
    /// Nothing is encrypted twice under one number; what was lost goes out again by [`crate::Transport::send_rtx`].
    #[error("sequence number {seq} was used")]
    Reused {
        /// The number given.
        seq: u64,
    },
    /// Nothing is sent again on this section: it is audio, or the number was never sent.
    #[error("packet cannot be sent again")]
    NotAgain,
    /// The send buffer has no room; the packet is dropped.
    #[error("send buffer is full")]
    NoRoom,
    /// The data channel is not open (yet).
    #[error("data channel is not open")]
    NotOpen,
    /// More than [`limits::DATA_BUFFERED_MAX`] bytes are unacknowledged; nothing was queued.
    #[error("data channel is full")]
    Full,
}

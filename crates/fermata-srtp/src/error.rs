//! What can be wrong with keys, packets and indices.

use thiserror::Error;

use crate::limits::{MAX_PACKET_LEN, MAX_RTCP_INDEX, REPLAY_WINDOW};
use crate::profile::Profile;

/// Why keys were not taken, or a packet was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(
    clippy::error_impl_error,
    reason = "read as `fermata_srtp::Error`; the crate has one error for keys and packets"
)]
pub enum Error {
    /// The master key has the wrong length for the profile.
    #[error("master key of {got} bytes; {profile} takes {want}")]
    KeyLength {
        /// The profile asked for.
        profile: Profile,
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        want: usize,
    },
    /// The master salt has the wrong length for the profile.
    #[error("master salt of {got} bytes; {profile} takes {want}")]
    SaltLength {
        /// The profile asked for.
        profile: Profile,
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        want: usize,
    },
    /// The exported keying material has the wrong length for the profile.
    #[error("keying material of {got} bytes; {profile} takes {want}")]
    MaterialLength {
        /// The profile asked for.
        profile: Profile,
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        want: usize,
    },
    /// The crypto library refused a key of the right length; not seen in practice.
    #[error("the crypto library refused the key")]
    KeyRefused,
    /// The packet is shorter than its fixed header and its tag.
    #[error("packet of {got} bytes; at least {want} are needed")]
    TooShort {
        /// Bytes given.
        got: usize,
        /// Bytes needed.
        want: usize,
    },
    /// The packet is longer than a datagram can be.
    #[error("packet of {got} bytes; at most {MAX_PACKET_LEN} are allowed")]
    TooLong {
        /// Bytes given.
        got: usize,
    },
    /// The RTP header does not lie between its fixed part and the tag.
    #[error("RTP header of {got} bytes; {min} to {max} fit this packet")]
    HeaderLength {
        /// Bytes given.
        got: usize,
        /// Bytes of the fixed header.
        min: usize,
        /// Bytes of the packet without the tag.
        max: usize,
    },
    /// The SRTCP index does not fit 31 bits: the keys are used up.
    #[error("SRTCP index {got}; at most {MAX_RTCP_INDEX} is allowed under one key")]
    IndexExhausted {
        /// Index given.
        got: u32,
    },
    /// The tag does not belong to this packet under these keys and this rollover counter.
    #[error("the packet's authentication tag is wrong")]
    NotAuthentic,
    /// The crypto library refused to encrypt; not seen in practice.
    #[error("the crypto library refused to encrypt")]
    SealRefused,
}

/// Why an index is not accepted (RFC 3711 sections 3.3.1 and 3.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Replayed {
    /// A packet with this index was accepted before.
    #[error("index {index} was received before")]
    Seen {
        /// The packet's index.
        index: u64,
    },
    /// The index is so old that it is not known whether it was accepted before.
    #[error("index {index} is {REPLAY_WINDOW} or more behind the highest, {highest}")]
    TooOld {
        /// The packet's index.
        index: u64,
        /// Highest index accepted so far.
        highest: u64,
    },
    /// The sequence number can only be from before the rollover counter was zero.
    #[error("sequence number {sequence_number} is from before the stream's first packet")]
    BeforeStart {
        /// The packet's sequence number.
        sequence_number: u16,
    },
    /// The 48 bits of the index are used up.
    #[error("sequence number {sequence_number} is past the last index of these keys")]
    Exhausted {
        /// The packet's sequence number.
        sequence_number: u16,
    },
}

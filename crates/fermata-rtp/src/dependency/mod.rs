//! The dependency descriptor: which frame a packet belongs to, what that frame needs, and who needs it ("RTP
//! Payload Format For AV1" 1.0, appendix A).
//!
//! What it is: a reader of descriptors that keeps the template structure of their stream ([`Reader`], [`Frame`]),
//! and a rewriter of what a server changes that leaves frames out ([`Rewrite`]).
//! What it is not: it decides nothing; which frames are sent to whom is forwarding's.
//!
//! The descriptor is a header extension and as such never encrypted end to end, so that layers can be told apart
//! where the payload cannot be read.
//!
//! Chains are passed over: whether a receiver has what a frame needs is known here by what it was sent.

mod bits;
mod frame;
mod rewrite;
mod structure;
#[cfg(test)]
mod tests;

pub use frame::{Differences, Frame, Indication, Reader};
pub use rewrite::Rewrite;
pub use structure::{Structure, Target};

/// URI of the extension.
pub const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// Bytes of a descriptor with nothing but its mandatory fields.
const MANDATORY_LEN: usize = 3;

/// Longest descriptor, bytes: what the two-byte form of a header extension holds (RFC 8285 section 4.3).
pub const DESCRIPTOR_LEN_MAX: usize = 255;

//! ICE-lite (RFC 8445 with section 6.1.1 and appendix A; RFC 7675): the peer checks, we answer.
//!
//! What it is: which addresses the peer proved to be at, which of them it wants media on, and whether it is
//! still there. Always controlled, as a lite agent facing a full one is.
//!
//! What it is not: it gathers nothing, sends no checks of its own, opens no socket, and makes no difference
//! between datagrams of UDP, of TCP (RFC 6544) and of a relay but in what it prefers. Candidates of the peer are not
//! needed: its checks show its addresses.

mod agent;
mod allowance;
pub(crate) mod credentials;
#[cfg(test)]
mod interop;
mod pairs;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use agent::IceLite;

use crate::stun::Malformed;

/// Most pairs of addresses remembered of a peer. A phone with two networks, both IP versions and relays has
/// about ten. The one not heard for longest, never the selected one, makes room.
pub(crate) const PAIRS_MAX: usize = 16;

/// A peer not heard for this long is lost, and so is one of its pairs. Clients check a quiet path every 2.5 s to
/// 6 s; RFC 7675 section 5.1 sets 30 s as the longest.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How long the selected pair keeps its place without being nominated again when the peer nominates one of
/// lower priority. Longer than the race of pairs when a connection begins, short for a phone whose network has gone.
pub(crate) const NOMINATION_HOLDS: Duration = Duration::from_secs(2);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IceEvent {
    /// Nothing that anyone has to do something about.
    Unchanged,
    /// Another pair is selected from now on.
    PathChanged,
    /// The peer was heard for the first time, or again after it was lost; a pair is selected.
    Connected,
    /// The peer was silent for [`SILENCE_MAX`]. Nothing may be sent to it any more (RFC 7675 section 5.1).
    Disconnected,
}

/// Why a message had no effect on us. The connection is unharmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// No STUN message.
    #[error("malformed STUN message: {0}")]
    Malformed(#[from] Malformed),
    /// A lite agent asks nothing, so it waits for no answer; indications have none.
    #[error("not a Binding request")]
    NotARequest,
    /// Without FINGERPRINT, or with a wrong one.
    #[error("no or wrong fingerprint")]
    Fingerprint,
    /// Without USERNAME or MESSAGE-INTEGRITY.
    #[error("check without user name or integrity")]
    NoCredentials,
    /// Not our fragment before the colon of USERNAME.
    #[error("check for somebody else")]
    UserName,
    /// Not the fragment of the peer's description behind the colon of USERNAME.
    #[error("check by somebody else")]
    PeerName,
    /// Not signed with our password.
    #[error("check with wrong integrity")]
    Integrity,
    /// Insists on attributes that we do not know.
    #[error("check with an attribute that is not known and may not be ignored")]
    UnknownAttribute,
    /// The peer takes itself for controlled too.
    #[error("check by a controlled peer, which has to be controlling")]
    RoleConflict,
    /// From a new address and without PRIORITY.
    #[error("check without priority")]
    NoPriority,
}

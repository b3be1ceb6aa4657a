//! SRTP and SRTCP (RFC 3711, RFC 7714): sealing, opening, replay; pure.
//!
//! A [`Sealer`] protects what one side of a connection sends, an [`Opener`] undoes what the other side sent; both
//! work in place, take `&self` and do not allocate per media packet. Which packet of a stream comes next is not their
//! business: the sender counts its own sequence numbers, the receiver keeps a [`ReplayWindow`] per SSRC and tells
//! the [`Opener`] the rollover counter that the window estimated.
//!
//! Not here: RTP and RTCP syntax beyond the fixed fields that the ciphers need, the key exchange (DTLS), MKI,
//! re-keying by key derivation rate (RFC 5764 fixes the rate at zero), and the profiles without encryption.

mod cm;
mod context;
mod error;
mod gcm;
mod kdf;
mod limits;
mod profile;
mod replay;
mod wire;

pub use context::{Opener, Sealer};
pub use error::{Error, Replayed};
pub use limits::{MAX_PACKET_LEN, MAX_RTCP_INDEX, REPLAY_WINDOW};
pub use profile::{KeyingMaterial, Profile};
pub use replay::ReplayWindow;

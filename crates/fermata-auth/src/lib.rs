//! Who may enter: reading and making the credentials that people and programs show.
//!
//! Three kinds: `LiveKit` access tokens ([`livekit`]), the vendor's `UserSig` with its optional
//! `PrivateMapKey` ([`usersig`], [`private_map`]), and tokens of the operator API ([`api_token`]).
//! Each `verify` takes the secret and `now`, and answers with what the credential says or with a
//! [`fermata_types::Refusal`] that names what was wrong, never a secret.
//!
//! What it is not: it looks up no key, knows no application and admits nobody; admission is in the SFU.
//!
//! **Invariant:** nothing of a credential is believed before its signature was compared in constant time.

pub mod api_token;
pub mod limits;
pub mod livekit;
mod livekit_wire;
pub mod names;
pub mod private_map;
pub mod usersig;

pub use livekit::{Claims, RoomConfig, Source, VideoGrant, decode_unverified_key, sign, verify};
pub use private_map::{PrivateMap, Privileges};
pub use usersig::UserSig;

//! Who may enter: reading and making the credentials that people and programs show.
//!
//! Five kinds: `LiveKit` access tokens ([`livekit`]), the vendor's `UserSig` with its optional
//! `PrivateMapKey` ([`usersig`], [`private_map`]), signatures of the vendor's server API ([`tc3`],
//! [`tc_legacy`], [`tc_nonce`]), tokens of the operator API ([`api_token`]), and what people sign in to the console
//! with ([`password`], [`totp`], [`console_session`]).
//! Each `verify` takes the secret and `now`, and answers with what the credential says or with a
//! [`fermata_types::Refusal`] (signatures: with a [`tc3::Tc3Error`]) that names what was wrong, never a secret.
//!
//! What it is not: it looks up no key, knows no application and admits nobody; admission is in the SFU.
//!
//! **Invariant:** nothing of a credential is believed before its signature was compared in constant time.

pub mod api_token;
pub mod console_session;
pub mod limits;
pub mod livekit;
pub mod livekit_webhook;
mod livekit_wire;
pub mod names;
pub mod password;
pub mod private_map;
pub mod tc3;
pub mod tc_legacy;
pub mod tc_nonce;
pub mod totp;
pub mod usersig;

pub use livekit::{
    AgentWish, Claims, RoomConfig, Source, VideoGrant, decode_unverified_key, sign, verify,
};
pub use private_map::{PrivateMap, Privileges};
pub use usersig::UserSig;

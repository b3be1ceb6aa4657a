//! The registry of typed identifiers. String ids carry LiveKit's prefixes (`RM_`, `PA_`, `TR_`, `ND_`).

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

/// Alphabet of the random part: digits and both cases, as LiveKit's clients expect (no `_`, no `|`).
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random characters behind a prefix: 62^12, about 71 bits.
const RANDOM_LEN: usize = 12;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes a new id from `rng`; 71 random bits, so never checked for collisions.
            pub fn random(rng: &mut impl rand::Rng) -> Self {
                let mut text = String::with_capacity($prefix.len() + RANDOM_LEN);
                text.push_str($prefix);
                for _ in 0..RANDOM_LEN {
                    text.push(char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
                }
                Self(text.into())
            }

            /// Takes over an id that was made earlier; the text is not checked.
            pub fn from_text(text: &str) -> Self {
                Self(text.into())
            }

            /// The id as text, with its prefix.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_id!(
    /// The party that pays.
    AccountId, "AC_"
);
string_id!(
    /// Somebody who signs in to the console (the name of the record, not what is typed to sign in).
    ConsoleUserId, "CU_"
);
string_id!(
    /// A machine of the media plane.
    NodeId, "ND_"
);
string_id!(
    /// One participant in one room from entry to exit: the name of a stay, the unit of metering.
    /// A resume keeps it; a reload or a rejoin makes a new one.
    ParticipantSid, "PA_"
);
string_id!(
    /// One life of a room, from its first entry to its closing.
    RoomSid, "RM_"
);
string_id!(
    /// An API token of the operator API (the name of it, not its secret).
    TokenId, "TK_"
);
string_id!(
    /// A published track.
    TrackSid, "TR_"
);

/// An application's number: the namespace of its rooms. Vendor range: 1 to `u32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SdkAppId(pub u32);

impl std::fmt::Display for SdkAppId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

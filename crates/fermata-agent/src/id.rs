//! Names of workers, jobs and dispatches, with `LiveKit`'s prefixes.

use rand::{Rng, RngExt as _};

/// Alphabet of the random part.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random characters behind a prefix: about 71 bits, so never checked for collisions.
const RANDOM_LEN: usize = 12;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            pub(crate) fn random(rng: &mut impl Rng) -> Self {
                let mut text = String::from($prefix);
                for _ in 0..RANDOM_LEN {
                    let letter = ALPHABET.get(rng.random_range(0..ALPHABET.len())).copied();
                    text.push(char::from(letter.unwrap_or(b'0')));
                }
                Self(text.into())
            }

            /// As text, with its prefix.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes over an id that was made earlier; the text is not checked.
            pub fn from_text(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_id!(
    /// A dispatch: the wish that agents of one name serve a room.
    DispatchId, "AD_"
);
string_id!(
    /// A job: one agent for one room, publisher or participant.
    JobId, "AJ_"
);
string_id!(
    /// A connection of a worker.
    WorkerId, "AW_"
);

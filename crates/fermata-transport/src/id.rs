//! Names of sections and simulcast layers.

use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub(crate) $inner);

        impl $name {
            /// The name as it stands in SDP.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Is `text` a name that survives being stored: ASCII letters, digits and `_`, at most this many?
            pub(crate) fn is_exact(text: &str) -> bool {
                !text.is_empty()
                    && text.len() <= $len
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            }
        }

        impl From<&str> for $name {
            /// Characters other than ASCII letters and digits become `_`; what is too long is cut.
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }
    };
}

text_id!(
    /// Name of one section (m-line) of a connection, `a=mid` (RFC 5888). At most 16 characters.
    ///
    /// On a connection where we offer ([`crate::PeerKind::Subscriber`]) it is a handle given by
    /// [`crate::Transport::add_track`], stable for the life of the section; the name in the SDP differs.
    Mid,
    str0m::media::Mid,
    16
);

text_id!(
    /// Name of one simulcast layer, `a=rid` (RFC 8852). At most 8 characters.
    Rid,
    str0m::media::Rid,
    8
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_or_refused_beforehand() {
        for (text, exact) in [
            ("0", true),
            ("audio_1", true),
            ("a-b", false),
            ("", false),
            ("0123456789abcdef", true),
            ("0123456789abcdefg", false),
            ("ä", false),
        ] {
            assert_eq!(Mid::is_exact(text), exact, "{text}");
            assert_eq!(Mid::from(text).as_str() == text && !text.is_empty(), exact, "{text}");
        }
        assert_eq!(Rid::from("q").to_string(), "q");
    }
}

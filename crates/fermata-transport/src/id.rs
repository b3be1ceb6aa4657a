//! Names of sections and simulcast layers, stored in place: no allocation to copy, compare or hash them.

use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        // What is behind the length is always zero, so that equal names are equal bytes.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            bytes: [u8; $len],
            len: u8,
        }

        impl $name {
            /// The name as it stands in SDP.
            pub fn as_str(&self) -> &str {
                let name = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
                // Only ASCII is ever stored.
                std::str::from_utf8(name).unwrap_or_default()
            }

            /// Is `text` a name that survives being stored: ASCII letters, digits and `_`, at most this many?
            pub(crate) fn is_exact(text: &str) -> bool {
                !text.is_empty()
                    && text.len() <= $len
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            }

            /// A name read from a packet; `None` for one that no description can have.
            pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let text = std::str::from_utf8(bytes).ok()?;
                Self::is_exact(text).then(|| Self::from(text))
            }
        }

        impl From<&str> for $name {
            /// Characters other than ASCII letters and digits become `_`; what is too long is cut.
            fn from(text: &str) -> Self {
                let mut name = Self { bytes: [0; $len], len: 0 };
                for (place, c) in name.bytes.iter_mut().zip(text.chars()) {
                    let byte = u8::try_from(c).ok().filter(u8::is_ascii_alphanumeric);
                    *place = byte.unwrap_or(b'_');
                    name.len += 1;
                }
                name
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
    /// On a connection where we offer ([`crate::PeerKind::Subscriber`]) it is given by
    /// [`crate::Transport::add_track`]. Stable for the life of the section.
    Mid,
    16
);

text_id!(
    /// Name of one simulcast layer, `a=rid` (RFC 8852). At most 8 characters.
    Rid,
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
            let read = Mid::from_bytes(text.as_bytes());
            assert_eq!(read, exact.then(|| Mid::from(text)), "{text}");
        }
        assert_eq!(Rid::from("q").to_string(), "q");
        assert_eq!(Mid::from("a-ü 1").as_str(), "a___1");
        assert_eq!(Rid::from("0123456789"), Rid::from("01234567"));
        assert_eq!(Rid::from_bytes(&[0xff]), None);
        assert!(Mid::from("a") < Mid::from("ab") && Mid::from("ab") < Mid::from("b"));
    }
}

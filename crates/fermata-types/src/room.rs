//! How rooms are named, and what kinds of rooms and users there are.

use serde::{Deserialize, Serialize};

/// Prefix with which an integer room is written where names are strings only (LiveKit tokens).
/// Reserved: no vendor string room can contain a slash.
const INTEGER_PREFIX: &str = "int/";

/// A room's name inside its application. Integer room 123 and string room "123" are two rooms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum RoomName {
    /// Vendor integer room, 1 to 4294967295; written `int/123` in LiveKit's names.
    Integer(u32),
    /// Any other name, 1 to [`RoomName::LEN_MAX`] bytes.
    Text(Box<str>),
}

impl RoomName {
    /// Longest name through a LiveKit token, bytes. Through `UserSig` it is 64 (the vendor's rule).
    pub const LEN_MAX: usize = 256;

    /// Reads a name as LiveKit's clients write it.
    ///
    /// # Errors
    /// [`RoomNameError`] for an empty or overlong name, or `int/` with anything but 1 to 4294967295
    /// in plain decimal behind it.
    pub fn parse(text: &str) -> Result<Self, RoomNameError> {
        if text.is_empty() {
            return Err(RoomNameError::Empty);
        }
        if text.len() > Self::LEN_MAX {
            return Err(RoomNameError::TooLong { len: text.len() });
        }
        let Some(digits) = text.strip_prefix(INTEGER_PREFIX) else {
            return Ok(Self::Text(text.into()));
        };
        match digits.parse::<u32>() {
            Ok(number) if number > 0 && digits == number.to_string() => Ok(Self::Integer(number)),
            _ => Err(RoomNameError::NotAnInteger { text: text.to_owned() }),
        }
    }
}

impl std::fmt::Display for RoomName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{INTEGER_PREFIX}{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<RoomName> for String {
    fn from(name: RoomName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for RoomName {
    type Error = RoomNameError;
    fn try_from(text: String) -> Result<Self, RoomNameError> {
        Self::parse(&text)
    }
}

/// Why a text is no room name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomNameError {
    /// No name at all.
    #[error("the room name is empty")]
    Empty,
    /// More than [`RoomName::LEN_MAX`] bytes.
    #[error("the room name has {len} bytes; at most {} are allowed", RoomName::LEN_MAX)]
    TooLong {
        /// Bytes it has.
        len: usize,
    },
    /// `int/` is reserved for integer rooms.
    #[error("{text:?} is no integer room: int/ takes a number from 1 to 4294967295")]
    NotAnInteger {
        /// The name as given.
        text: String,
    },
}

/// What kind of room it is (vendor's scenes, reduced to what differs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scene {
    /// Everybody is an anchor; at most 300 users, 50 of them publishing.
    Call,
    /// Anchors publish, audience only subscribes; as many as the server's limit allows.
    Live,
}

/// What a user is in a room. Decides the price of its minutes in [`Scene::Live`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May publish (vendor role 20).
    Anchor,
    /// Only subscribes (vendor role 21).
    Audience,
}

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures, camera or screen.
    Video,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_and_text_rooms_differ() {
        assert_eq!(RoomName::parse("int/123"), Ok(RoomName::Integer(123)));
        assert_eq!(RoomName::parse("123"), Ok(RoomName::Text("123".into())));
        for bad in ["int/0", "int/", "int/-1", "int/007", "int/4294967296", "int/1x"] {
            assert!(
                matches!(RoomName::parse(bad), Err(RoomNameError::NotAnInteger { .. })),
                "{bad}"
            );
        }
        assert_eq!(RoomName::parse(""), Err(RoomNameError::Empty));
        assert_eq!(RoomName::parse(&"x".repeat(257)), Err(RoomNameError::TooLong { len: 257 }));
    }

    #[test]
    fn names_survive_being_written() {
        for text in ["int/4294967295", "standup", "a/b", "Int/3"] {
            assert_eq!(RoomName::parse(text).map(|n| n.to_string()).as_deref(), Ok(text));
        }
    }
}

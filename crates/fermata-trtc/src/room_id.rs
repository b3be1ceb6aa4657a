//! The vendor's room ids as names of rooms: integers and strings, which are different rooms.

use fermata_types::RoomName;

use crate::code::{ApiError, Code, of_parameter, shown};
use crate::limits::STRING_ROOM_LEN_MAX;

/// Marks that a string room may have beside letters and digits (the vendor's rule).
const MARKS: &str = " !#$%&()+-:;<=.>?@[]^_{}|~,";

/// The integer room of a number.
///
/// # Errors
/// `InvalidParameterValue.RoomId` unless it is within 1 and 4294967295.
pub fn integer(number: i64) -> Result<RoomName, ApiError> {
    match u32::try_from(number) {
        Ok(number) if number > 0 => Ok(RoomName::Integer(number)),
        _ => Err(bad(format!("RoomId is {number}; it must be within 1 and {}.", u32::MAX))),
    }
}

/// The string room of a text.
///
/// # Errors
/// `InvalidParameterValue.RoomId` unless it has 1 to 64 bytes of letters, digits, spaces and the vendor's marks.
pub fn string(text: &str) -> Result<RoomName, ApiError> {
    if text.is_empty() || text.len() > STRING_ROOM_LEN_MAX {
        return Err(bad(format!(
            "The room {:?} has {} bytes; 1 to {STRING_ROOM_LEN_MAX} are allowed.",
            shown(text),
            text.len()
        )));
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !MARKS.contains(*c)) {
        Some(strange) => Err(bad(format!(
            "The room {:?} has a {strange:?}; letters, digits, spaces and {} are allowed.",
            shown(text),
            MARKS.trim()
        ))),
        None => Ok(RoomName::Text(text.into())),
    }
}

fn bad(message: String) -> ApiError {
    ApiError::new(of_parameter(Code::INVALID_PARAMETER_VALUE, "RoomId"), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_strings_are_different_rooms() {
        assert_eq!(integer(123), Ok(RoomName::Integer(123)));
        assert_eq!(string("123"), Ok(RoomName::Text("123".into())));
        assert_eq!(integer(123).unwrap().to_string(), "int/123");
        assert_eq!(integer(i64::from(u32::MAX)), Ok(RoomName::Integer(u32::MAX)));
    }

    #[test]
    fn what_is_no_room_is_named() {
        for bad in [0, -1, i64::from(u32::MAX) + 1] {
            let error = integer(bad).unwrap_err();
            assert_eq!(error.code.as_str(), "InvalidParameterValue.RoomId");
            assert!(error.message.contains(&bad.to_string()), "{error}");
        }
        assert!(string(&"x".repeat(64)).is_ok());
        assert!(string(&format!("aZ9{MARKS}")).is_ok());
        for (bad, word) in [
            ("", "0 bytes"),
            (&*"x".repeat(65), "65 bytes"),
            ("int/5", "'/'"),
            ("a\"b", "'\"'"),
            ("ü", "'ü'"),
            ("a\nb", "'\\n'"),
        ] {
            let error = string(bad).unwrap_err();
            assert_eq!(error.code.as_str(), "InvalidParameterValue.RoomId");
            assert!(error.message.contains(word), "{error} lacks {word:?}");
        }
    }

    proptest::proptest! {
        /// No string room can be taken for an integer room, whatever its name.
        #[test]
        fn no_string_room_is_an_integer_room(text in ".{0,70}") {
            if let Ok(room) = string(&text) {
                proptest::prop_assert_eq!(RoomName::parse(&room.to_string()), Ok(RoomName::Text(text.into())));
            }
        }
    }
}

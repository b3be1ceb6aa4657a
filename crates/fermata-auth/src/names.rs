//! The vendor's rules for names that come through `UserSig`.
//!
//! `LiveKit` tokens have wider ones, which admission checks.

use fermata_types::{Reason, Refusal, RoomName};

use crate::limits::{USER_ID_LEN_MAX, USERSIG_ROOM_LEN_MAX};

/// Punctuation that a string room may have besides letters, digits and the space.
const ROOM_PUNCTUATION: &str = "!#$%&()+-:;<=.>?@[]^_{}|~,";

/// Checks a user name: 1 to 32 bytes of letters, digits, `_` and `-`.
///
/// # Errors
/// `IdentityMissing`, `IdentityTooLong`, or `RequestInvalid` with the first character that is not allowed.
pub fn check_user_id(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Reason::IdentityMissing.into());
    }
    if text.len() > USER_ID_LEN_MAX {
        let detail = format!("it has {} bytes, {USER_ID_LEN_MAX} are allowed", text.len());
        return Err(Refusal::with_detail(Reason::IdentityTooLong, detail));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match text.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(bad) => Err(Refusal::with_detail(
            Reason::RequestInvalid,
            format!("user name: {bad:?} is not allowed; letters, digits, _ and - are"),
        )),
    }
}

/// Checks a room that a vendor's client asks for: an integer, or 1 to 64 bytes of the vendor's characters.
///
/// # Errors
/// `RoomNameInvalid` saying which rule is broken.
pub fn check_room(room: &RoomName) -> Result<(), Refusal> {
    let RoomName::Text(text) = room else { return Ok(()) };
    let invalid = |detail: String| Err(Refusal::with_detail(Reason::RoomNameInvalid, detail));
    if text.is_empty() || text.len() > USERSIG_ROOM_LEN_MAX {
        return invalid(format!(
            "it has {} bytes, 1 to {USERSIG_ROOM_LEN_MAX} are allowed",
            text.len()
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == ' ' || ROOM_PUNCTUATION.contains(c);
    match text.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(bad) => invalid(format!("{bad:?} is not allowed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids() {
        let long = "x".repeat(33);
        let rows: &[(&str, Option<Reason>)] = &[
            ("xiaojun", None),
            ("A-b_9", None),
            ("-", None),
            (&long[..32], None),
            (&long, Some(Reason::IdentityTooLong)),
            ("", Some(Reason::IdentityMissing)),
            ("a b", Some(Reason::RequestInvalid)),
            ("a\n", Some(Reason::RequestInvalid)),
            ("é", Some(Reason::RequestInvalid)),
            ("a:b", Some(Reason::RequestInvalid)),
        ];
        for (text, expected) in rows {
            assert_eq!(check_user_id(text).err().map(|r| r.reason()), *expected, "{text:?}");
        }
    }

    #[test]
    fn rooms() {
        let long = "r".repeat(65);
        let rows: &[(&str, bool)] = &[
            ("int/7", true),
            ("room 1", true),
            ("a!#$%&()+-:;<=.>?@[]^_{}|~,", true),
            (&long[..64], true),
            (&long, false),
            ("a/b", false),
            ("a\"b", false),
            ("ü", false),
        ];
        for (text, expected) in rows {
            let room = RoomName::parse(text).unwrap();
            assert_eq!(check_room(&room).is_ok(), *expected, "{text:?}");
        }
    }
}

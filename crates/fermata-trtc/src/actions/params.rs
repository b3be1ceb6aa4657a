//! Parameters that several actions have.

use crate::code::Code;
use crate::param::{Kind, Param};

/// Longest name of a user, bytes: those of LiveKit tokens; the vendor's have 32.
const USER_ID_LEN_MAX: usize = 256;

/// Longest name of a call: application, room and time, joined by `_`.
const COMM_ID_LEN_MAX: usize = 320;

/// Last second of the calendar, in the year 9999.
const SECOND_MAX: i64 = 253_402_207_200;

/// A number that is at least 1 and fits into 32 bits.
pub(super) const NUMBER: Kind = Kind::Integer { min: 1, max: u32::MAX as i64 };

/// Texts whose form is not looked at closer.
pub(super) const TEXT: Kind = Kind::Text { max_bytes: 256 };

/// Seconds since 1970.
const SECOND: Kind = Kind::Integer { min: 0, max: SECOND_MAX };

const USER: Kind = Kind::Text { max_bytes: USER_ID_LEN_MAX };

/// An application.
pub(super) const APP: Param = Param::required("SdkAppId", NUMBER);

/// An application; left away, all of the account.
pub(super) const ANY_APP: Param = Param::optional("SdkAppId", NUMBER);

/// An application, as text.
pub(super) const APP_TEXT: Param =
    Param::required("SdkAppId", Kind::Digits { min: 1, max: u32::MAX as i64 });

/// An integer room.
pub(super) const INTEGER_ROOM: Param = Param::required("RoomId", NUMBER);

/// A string room; its characters are looked at by `room_id`.
pub(super) const STRING_ROOM: Param =
    Param::required("RoomId", Kind::Text { max_bytes: crate::limits::STRING_ROOM_LEN_MAX });

/// A room of either kind, in a query.
pub(super) const ROOM_TEXT: Param = Param::required("RoomId", TEXT);

/// A room of either kind, in a query; left away, all.
pub(super) const ANY_ROOM_TEXT: Param = Param::optional("RoomId", TEXT);

/// A user.
pub(super) const USER_ID: Param = Param::required("UserId", USER);

/// Users to remove.
pub(super) const TEN_USERS: Param = Param::required("UserIds", Kind::List { of: &USER, max: 10 });

/// Users to look at; left away, the first.
pub(super) const HUNDRED_USERS: Param =
    Param::optional("UserIds", Kind::List { of: &USER, max: 100 });

/// A call.
pub(super) const COMM_ID: Param =
    Param::required("CommId", Kind::Text { max_bytes: COMM_ID_LEN_MAX });

/// Start of a window, seconds.
pub(super) const START: Param = Param::required("StartTime", SECOND).coded("StartTs");

/// End of a window, seconds.
pub(super) const END: Param = Param::required("EndTime", SECOND).coded("EndTs");

/// First day of a window.
pub(super) const START_DAY: Param = Param::required("StartTime", Kind::Date);

/// Last day of a window.
pub(super) const END_DAY: Param = Param::required("EndTime", Kind::Date);

/// Start of a window, civil.
pub(super) const START_MOMENT: Param = Param::required("StartTime", Kind::DateTime);

/// End of a window, civil.
pub(super) const END_MOMENT: Param = Param::required("EndTime", Kind::DateTime);

/// A page, counted from 0.
pub(super) const PAGE_NUMBER: Param =
    Param::optional("PageNumber", Kind::Integer { min: 0, max: 1_000_000 }).or(0);

/// How many rows a page has.
const PAGE_SIZE: Param =
    Param::optional("PageSize", Kind::Integer { min: 1, max: 100 }).above(Code::PAGE_SIZE_OVERSIZE);

/// Pages of 10 rows.
pub(super) const PAGE_OF_10: Param = PAGE_SIZE.or(10);

/// Pages of 6 rows.
pub(super) const PAGE_OF_6: Param = PAGE_SIZE.or(6);

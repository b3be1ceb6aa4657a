//! Codes are distinct and worded; messages have a language.

use std::collections::BTreeSet;

use super::*;

#[test]
fn codes_are_distinct_and_worded() {
    let texts: BTreeSet<&str> = CODES.iter().map(|row| row.code.as_str()).collect();
    assert_eq!(texts.len(), CODES.len());
    for row in CODES {
        assert!(row.english.ends_with('.') && row.chinese.ends_with('。'), "{}", row.code);
        assert_eq!(row.code.sentence(), row.english);
    }
    for code in PARAMETER_CODES {
        let family = code.as_str().split('.').next().unwrap_or_default();
        assert!(texts.contains(family), "{code}");
    }
    assert_eq!(Code::other("X.Y").sentence(), "");
}

#[test]
fn parameters_have_codes_where_the_vendor_has_them() {
    for (family, name, expected) in [
        (Code::MISSING_PARAMETER, "RoomId", "MissingParameter.RoomId"),
        (Code::MISSING_PARAMETER, "IsMute", "MissingParameter"),
        (Code::MISSING_PARAMETER, "StrRoomId", "MissingParameter"),
        (Code::INVALID_PARAMETER, "StrRoomId", "InvalidParameter.StrRoomId"),
        (Code::INVALID_PARAMETER_VALUE, "RoomId", "InvalidParameterValue.RoomId"),
        (Code::INVALID_PARAMETER_VALUE, "SdkAppId", "InvalidParameterValue"),
    ] {
        assert_eq!(of_parameter(family, name).as_str(), expected);
    }
}

#[test]
fn chinese_comes_before_the_detail() {
    let error = ApiError::new(Code::ROOM_NOT_EXIST, "room 5 is not live");
    assert_eq!(error.message_in(Language::English), "room 5 is not live");
    assert_eq!(error.message_in(Language::Chinese), "房间不存在。 (room 5 is not live)");
    let of_family = ApiError::new(Code::other("MissingParameter.RoomId"), "gone");
    assert_eq!(of_family.message_in(Language::Chinese), "缺少参数。 (gone)");
    let unknown = ApiError::new(Code::other("X.Y"), "gone");
    assert_eq!(unknown.message_in(Language::Chinese), "gone");
    for (header, language) in [
        (None, Language::English),
        (Some("en-US"), Language::English),
        (Some("zh-CN"), Language::Chinese),
        (Some("ZH-cn"), Language::Chinese),
        (Some("fr"), Language::English),
    ] {
        assert_eq!(Language::of(header), language);
    }
}

#[test]
fn long_texts_are_cut() {
    assert_eq!(shown("abc"), "abc");
    assert_eq!(shown(&"ü".repeat(SHOWN_LEN_MAX + 1)).chars().count(), SHOWN_LEN_MAX + 1);
}

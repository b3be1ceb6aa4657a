//! One `check(action, body, expected)` and many rows; then the same through form encoding.

use fermata_billing::effect::OperationClass;
use jiff::civil::{date, datetime};
use serde_json::{Value, json};

use super::*;
use crate::action::{Category, Editions, Rate, Service, Status, find};

fn action(name: &str) -> &'static Action {
    let service = if name.contains("Bill") || name.contains("Account") || name.contains("Voucher") {
        Service::Billing
    } else {
        Service::Trtc
    };
    find(service, name).unwrap()
}

fn read(name: &str, body: Value) -> Result<Params, ApiError> {
    parse(action(name), body)
}

fn check(name: &str, body: Value, code: &str, words: &[&str]) {
    let shown = body.to_string();
    let error = read(name, body).expect_err(&shown);
    assert_eq!(error.code.as_str(), code, "{shown}: {error}");
    for word in words {
        assert!(error.message.contains(word), "{shown}: {error} lacks {word:?}");
    }
}

#[test]
fn what_is_missing_is_named() {
    check("DismissRoom", Value::Null, "MissingParameter.SdkAppId", &["SdkAppId is missing"]);
    check("DismissRoom", json!({"SdkAppId": 1}), "MissingParameter.RoomId", &["RoomId"]);
    check("DismissRoom", json!({"SdkAppId": null, "RoomId": 1}), "MissingParameter.SdkAppId", &[]);
    check("RemoveUser", json!({"SdkAppId": 1, "RoomId": 1}), "MissingParameter.UserIds", &[]);
    let no_mute = json!({"SdkAppId": 1, "RoomId": 1, "UserId": "a"});
    check("SetUserBlocked", no_mute, "MissingParameter", &["IsMute is missing"]);
    check("DescribeRoomInfo", json!({"SdkAppId": 1}), "MissingParameter.StartTs", &["StartTime"]);
    check("DescribeTrtcRoomUsage", json!({}), "MissingParameter.SdkAppId", &["SdkAppid"]);
    check("DescribeUserInfo", json!({}), "MissingParameter.CommId", &[]);
}

#[test]
fn wrong_types_are_named() {
    let with_room = |room: Value| json!({"SdkAppId": 1, "RoomId": room});
    let code = "InvalidParameter.RoomId";
    check("DismissRoom", with_room(json!("5")), code, &["RoomId is a string", "1 and 4294967295"]);
    check("DismissRoom", with_room(json!(1.5)), code, &["1.5", "integer"]);
    check("DismissRoom", with_room(json!(1e3)), code, &["integer"]);
    check("DismissRoom", with_room(json!([1])), code, &["a list"]);
    check("DismissRoom", with_room(json!({})), code, &["an object"]);
    check("DismissRoom", with_room(json!(true)), code, &["a boolean"]);
    check("DismissRoomByStrRoomId", with_room(json!(5)), code, &["a number", "a string"]);
    let users = |users: Value| json!({"SdkAppId": 1, "RoomId": 1, "UserIds": users});
    check("RemoveUser", users(json!("a")), "InvalidParameter.UserIds", &["a list of at most 10"]);
    check("RemoveUser", users(json!(["a", 1])), "InvalidParameter.UserIds", &["UserIds.1"]);
    let day = |day: &str| json!({"StartTime": day, "EndTime": "2026-01-02"});
    for bad in ["2026-1-2", "2026-02-30", "20260101", "2026-01-01 00:00:00", "", "٢٠٢٦-01-01"] {
        check("DescribeTrtcUsage", day(bad), "InvalidParameter", &["StartTime", "YYYY-MM-DD"]);
    }
    let moment = |text: &str| json!({"SdkAppid": 1, "StartTime": text, "EndTime": "2026-01-02"});
    for bad in ["2026-01-01 24:00", "2026-01-01T00:00", "2026-01-01 1:00", "2026-13"] {
        check("DescribeTrtcRoomUsage", moment(bad), "InvalidParameter", &["hh:mm:ss"]);
    }
    check("DescribeAccountBalance", json!([]), "InvalidRequest", &["a list", "JSON object"]);
    check("DescribeAccountBalance", json!({"TempCredit": 1}), "InvalidParameter", &["a boolean"]);
    let real_time = |app: Value| json!({"SdkAppId": app, "StartTime": 1, "EndTime": 2});
    let name = "DescribeTRTCRealTimeScaleData";
    check(name, real_time(json!("14x")), "InvalidParameter.SdkAppId", &["text of digits"]);
    check(name, real_time(json!("0")), "InvalidParameter.SdkAppId", &["within 1 and"]);
    assert_eq!(read(name, real_time(json!("1400"))).unwrap().opt_u32("SdkAppId"), Some(1400));
    assert_eq!(read(name, real_time(json!(1400))).unwrap().opt_u32("SdkAppId"), Some(1400));
}

#[test]
fn values_that_are_not_allowed_are_named() {
    let with_room = |room: Value| json!({"SdkAppId": 1, "RoomId": room});
    for bad in [json!(0), json!(-1), json!(4_294_967_296_u64), json!(u64::MAX)] {
        check("DismissRoom", with_room(bad), "InvalidParameterValue.RoomId", &["1 and 4294967295"]);
    }
    check("DismissRoom", json!({"SdkAppId": 0, "RoomId": 1}), "InvalidParameter.SdkAppId", &[]);
    let long = with_room(json!("x".repeat(65)));
    check(
        "DismissRoomByStrRoomId",
        long,
        "InvalidParameterValue.RoomId",
        &["65 bytes", "64 bytes"],
    );
    check(
        "DismissRoomByStrRoomId",
        with_room(json!("")),
        "InvalidParameterValue.RoomId",
        &["empty"],
    );
    let users = |users: Value| json!({"SdkAppId": 1, "RoomId": 1, "UserIds": users});
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    check("RemoveUser", users(json!(eleven)), "InvalidParameter.UserIds", &["11", "10 elements"]);
    check("RemoveUser", users(json!([])), "InvalidParameter.UserIds", &["empty list"]);
    check("RemoveUser", users(json!([""])), "InvalidParameter.UserIds", &["UserIds.0", "empty"]);
    let mute = json!({"SdkAppId": 1, "RoomId": 1, "UserId": "a", "IsMute": 4});
    check("SetUserBlocked", mute, "InvalidParameterValue", &["IsMute is 4", "0 and 3"]);
    let page = |size: i64| json!({"SdkAppId": 1, "StartTime": 1, "EndTime": 2, "PageSize": size});
    check("DescribeRoomInfo", page(101), "InvalidParameter.PageSizeOversize", &["1 and 100"]);
    check("DescribeRoomInfo", page(0), "InvalidParameter.PageSize", &["1 and 100"]);
    let mix = json!({"StartTime": "2026-01-01", "EndTime": "2026-01-01", "MixType": "both"});
    check("DescribeRecordingUsage", mix, "InvalidParameterValue", &["\"both\"", "single, multi"]);
    let limit = json!({"Offset": 0, "Limit": 301});
    check("DescribeBillDetail", limit, "InvalidParameterValue", &["Limit is 301", "1 and 300"]);
}

#[test]
fn what_is_unknown_is_named() {
    let body = json!({"SdkAppId": 1, "RoomId": 1, "roomId": 2});
    check("DismissRoom", body, "UnknownParameter", &["roomId", "SdkAppId, RoomId"]);
    check("DescribeAccountWarning", json!({"A": 1}), "UnknownParameter", &["there are none"]);
    let long = json!({"x".repeat(5000): 1});
    let error = read("DescribeAccountWarning", long).unwrap_err();
    assert!(error.message.len() < 300, "{}", error.message.len());
}

#[test]
fn good_ones_come_out_typed() {
    let params = read(
        "DescribeCallDetailInfo",
        json!({"CommId": "1_2_3", "StartTime": 5, "EndTime": 6, "SdkAppId": 7, "UserIds": ["a", "b"], "DataType": ["rtt"]}),
    )
    .unwrap();
    assert_eq!(params.text("CommId"), Ok("1_2_3"));
    assert_eq!((params.int("StartTime"), params.u32("SdkAppId")), (Ok(5), Ok(7)));
    assert_eq!(params.texts("UserIds"), ["a", "b"]);
    assert_eq!(params.texts("DataType"), ["rtt"]);
    assert_eq!((params.int("PageNumber"), params.int("PageSize")), (Ok(0), Ok(6)));
    let bare = read(
        "DescribeCallDetailInfo",
        json!({"CommId": "1_2_3", "StartTime": 5, "EndTime": 6, "SdkAppId": 7, "DataType": null}),
    )
    .unwrap();
    assert!(bare.get("DataType").is_none() && bare.texts("UserIds").is_empty());
    assert_eq!(bare.text("DataType").unwrap_err().code, Code::MISSING_PARAMETER);

    let usage = json!({"StartTime": "2026-02-01", "EndTime": "2026-02-28"});
    let usage = read("DescribeTrtcUsage", usage).unwrap();
    assert_eq!(usage.date("EndTime"), Ok(date(2026, 2, 28)));
    assert_eq!(usage.opt_u32("SdkAppId"), None);

    for (text, expected) in [
        ("2026-02-01 10:20:30", datetime(2026, 2, 1, 10, 20, 30, 0)),
        ("2026-02-01 10:20", datetime(2026, 2, 1, 10, 20, 0, 0)),
        ("2026-02-01", datetime(2026, 2, 1, 0, 0, 0, 0)),
        ("2026-02", datetime(2026, 2, 1, 0, 0, 0, 0)),
    ] {
        let body = json!({"SdkAppid": 1, "StartTime": text, "EndTime": "2026-03-01"});
        let params = read("DescribeTrtcRoomUsage", body).unwrap();
        assert_eq!(params.date_time("StartTime"), Ok(expected), "{text}");
    }
    let month = json!({"Month": "2026-02", "GroupType": "business"});
    let month = read("DescribeBillSummary", month).unwrap();
    assert_eq!(month.date("Month"), Ok(date(2026, 2, 1)));
    let last = json!({"SdkAppId": 1, "RoomId": 4_294_967_295_u64});
    assert_eq!(read("DismissRoom", last).unwrap().u32("RoomId"), Ok(u32::MAX));
}

fn flat(name: &str, pairs: &[(&str, &str)]) -> Result<Value, ApiError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    from_flat(action(name), &pairs.iter().map(owned).collect::<Vec<_>>())
}

#[test]
fn flat_pairs_become_json_by_the_schema() {
    let remove = [("SdkAppId", "1"), ("RoomId", "5"), ("UserIds.1", "7"), ("UserIds.0", "a")];
    let value = flat("RemoveUser", &remove).unwrap();
    assert_eq!(value, json!({"SdkAppId": 1, "RoomId": 5, "UserIds": ["a", "7"]}));
    assert!(parse(action("RemoveUser"), value).is_ok());
    let text = flat("DismissRoomByStrRoomId", &[("SdkAppId", "1"), ("RoomId", "5")]).unwrap();
    assert_eq!(text, json!({"SdkAppId": 1, "RoomId": "5"}), "a string room stays a text");
    for (written, yes) in
        [("true", true), ("True", true), ("1", true), ("False", false), ("0", false)]
    {
        let value = flat("DescribeAccountBalance", &[("TempCredit", written)]).unwrap();
        assert_eq!(value, json!({"TempCredit": yes}), "{written}");
    }
    assert_eq!(flat("DescribeAccountBalance", &[]).unwrap(), json!({}));
}

#[test]
fn flat_pairs_that_fit_nothing_are_named() {
    let refused = |name: &str, pairs: &[(&str, &str)]| {
        flat(name, pairs).and_then(|value| parse(action(name), value).map(|_| ())).unwrap_err()
    };
    let app = ("SdkAppId", "1");
    for (pairs, code, word) in [
        (vec![app, ("RoomId", "x")], "InvalidParameter.RoomId", "a string"),
        (vec![app, ("RoomId", "+5")], "InvalidParameter.RoomId", "a string"),
        (vec![app, ("RoomId", "-5")], "InvalidParameterValue.RoomId", "within 1"),
        (vec![app, ("RoomId", "99999999999999999999")], "InvalidParameterValue.RoomId", "within"),
        (vec![app, ("RoomId", "5"), ("RoomId", "5")], "InvalidParameter.RoomId", "twice"),
        (vec![app, ("RoomId", "5"), ("RoomId.0", "5")], "InvalidParameter.RoomId", "two forms"),
        (vec![app, ("RoomId", "5"), ("UserIds", "a")], "InvalidParameter.UserIds", "a string"),
        (vec![app, ("RoomId", "5"), ("UserIds.a", "a")], "InvalidParameter.UserIds", "number"),
        (vec![app, ("RoomId", "5"), ("UserIds.999", "a")], "InvalidParameter.UserIds", "255"),
        (vec![app, ("UserIds.1", "a"), ("UserIds.01", "a")], "InvalidParameter.UserIds", "twice"),
        (vec![app, ("RoomId", "5"), ("UserIds.0.x", "a")], "InvalidParameter.UserIds", "object"),
        (vec![("a.b.c.d.e.f.g.h.i", "1")], "InvalidParameter", "too many parts"),
        (
            vec![app, ("RoomId", "5"), ("UserIds.0", "a"), ("Zone.0", "a")],
            "UnknownParameter",
            "Zone",
        ),
    ] {
        let error = refused("RemoveUser", &pairs);
        assert_eq!(error.code.as_str(), code, "{pairs:?}: {error}");
        assert!(error.message.contains(word), "{error} lacks {word:?}");
    }
}

/// Objects and fractions, which no built action takes yet.
const NESTED: Action = Action {
    service: Service::Trtc,
    name: "Nested",
    category: Category::Mix,
    editions: Editions::Both,
    class: OperationClass::Join,
    mutates: true,
    rate: Rate::Default,
    status: Status::Built,
    params: &[Param::required(
        "Layout",
        Kind::List {
            of: &Kind::Object(&[
                Param::required("Width", Kind::Integer { min: 0, max: 1920 }),
                Param::optional("Tempo", Kind::Double),
            ]),
            max: 2,
        },
    )],
};

#[test]
fn objects_in_lists_are_read_both_ways() {
    let body = json!({"Layout": [{"Width": 5, "Tempo": 0.5}, {"Width": 6}]});
    let pairs = [("Layout.0.Width", "5"), ("Layout.0.Tempo", "0.5"), ("Layout.1.Width", "6")];
    let pairs: Vec<_> = pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
    assert_eq!(from_flat(&NESTED, &pairs).as_ref(), Ok(&body));
    let params = parse(&NESTED, body).unwrap();
    let [Given::Object(first), Given::Object(second)] = params.list("Layout") else {
        panic!("{params:?}")
    };
    assert_eq!((first.int("Width"), first.opt_double("Tempo")), (Ok(5), Some(0.5)));
    assert_eq!((second.int("Width"), second.opt_double("Tempo")), (Ok(6), None));
    let error = parse(&NESTED, json!({"Layout": [{"Width": 5}, {"Width": 2000}]})).unwrap_err();
    assert!(error.message.contains("Layout.1.Width is 2000"), "{error}");
    let error = parse(&NESTED, json!({"Layout": [{"Width": 5, "Height": 1}]})).unwrap_err();
    assert!(error.message.contains("Layout.0.Height is not known"), "{error}");
}

proptest::proptest! {
    /// Whatever a body holds, it is read or refused; and what is read satisfies its schema.
    #[test]
    fn any_body_is_read_or_refused(
        room in proptest::prelude::any::<i64>(),
        users in proptest::collection::vec(".{0,40}", 0..12),
    ) {
        let body = json!({"SdkAppId": 1, "RoomId": room, "UserIds": users});
        match read("RemoveUser", body) {
            Ok(params) => {
                proptest::prop_assert_eq!(i64::from(params.u32("RoomId").unwrap()), room);
                proptest::prop_assert_eq!(params.texts("UserIds"), users);
            }
            Err(error) => {
                let bad_room = u32::try_from(room).map_or(true, |room| room == 0);
                let bad_users = users.is_empty() || users.len() > 10
                    || users.iter().any(|user| user.is_empty() || user.len() > 256);
                proptest::prop_assert!(bad_room || bad_users, "{}", error);
            }
        }
    }

    /// Form encoding and JSON say the same.
    #[test]
    fn flat_is_json(room in 1u32.., users in proptest::collection::vec("[ -~]{1,20}", 1..10)) {
        let mut pairs = vec![("SdkAppId".to_owned(), "1".to_owned()), ("RoomId".to_owned(), room.to_string())];
        pairs.extend(users.iter().enumerate().map(|(n, user)| (format!("UserIds.{n}"), user.clone())));
        let value = from_flat(action("RemoveUser"), &pairs).unwrap();
        proptest::prop_assert_eq!(value, json!({"SdkAppId": 1, "RoomId": room, "UserIds": users}));
    }

    #[test]
    fn any_pairs_are_read_or_refused(pairs in proptest::collection::vec(("[A-Za-z0-9.]{0,12}", ".{0,8}"), 0..8)) {
        if let Ok(value) = from_flat(action("RemoveUser"), &pairs) {
            let _ = parse(action("RemoveUser"), value);
        }
    }
}

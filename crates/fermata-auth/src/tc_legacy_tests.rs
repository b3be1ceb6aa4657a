//! Vectors were made once with the vendor's Python SDK, offline, at a fixed time and with a fixed nonce.

use jiff::Timestamp;

use super::*;
use crate::limits::SKEW_S;
use crate::tc_nonce::NonceMemory;

const SECRET: &str = "dev-secret-key";
const SIGNED_AT: i64 = 1_700_000_000;
const HOST: &str = "127.0.0.1:7880";

/// What the SDK sends, but for how it signed.
fn sent(method: &str, signature: &str) -> String {
    format!(
        "SdkAppId=1400000001&RoomId=1234&UserIds.0=a+b&UserIds.1=%C3%BC%26%3D%2B~%2F&UserIds.2=x.y_z\
         &Action=RemoveUser&RequestClient=SDK_PYTHON_3.1.195&Nonce=8234567890123456789&Timestamp=1700000000\
         &Version=2019-07-22&Region=ap-guangzhou&SecretId=AKIDdev&SignatureMethod={method}&Language=zh-CN\
         &Signature={signature}"
    )
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn good() -> Vec<(String, String)> {
    decode_form(&sent("HmacSHA1", "rGZBYJS2CfFArN445Eha33PgN9o%3D")).unwrap()
}

/// The parameters with one changed, or taken out.
fn with(name: &str, value: Option<&str>) -> Vec<(String, String)> {
    let mut params = good();
    params.retain(|(given, _)| given != name);
    params.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    params
}

#[test]
fn requests_of_the_sdk_verify() {
    for (method, host, algorithm, signature) in [
        ("GET", HOST, "HmacSHA1", "rGZBYJS2CfFArN445Eha33PgN9o%3D"),
        ("POST", HOST, "HmacSHA1", "D%2B0p%2BIlEqcLS2ulZb8IciuS%2BDKo%3D"),
        ("GET", HOST, "HmacSHA256", "jJ2b5v0jGfSebScUFWrruBpLtDshgk05Nc16HBm5sD0%3D"),
        (
            "POST",
            "trtc.example.com",
            "HmacSHA256",
            "%2FvY%2FeA2tZFYX8wWvd0KAKRwMJVE6gvbO3zqTaAoxOoY%3D",
        ),
    ] {
        let params = decode_form(&sent(algorithm, signature)).unwrap();
        assert!(is_signed(&params));
        let presented = parse(method, host, "/", &params).unwrap();
        assert_eq!(presented.secret_id(), "AKIDdev");
        assert_eq!(presented.nonce(), 8_234_567_890_123_456_789);
        assert_eq!(presented.timestamp(), SIGNED_AT);
        assert_eq!(presented.verify(SECRET, at(SIGNED_AT + 10)), Ok(()), "{method} {algorithm}");
        let other = presented.verify("another", at(SIGNED_AT)).unwrap_err();
        assert_eq!(other.code(), "AuthFailure.SignatureFailure");
        for (method, host, path) in
            [("PUT", host, "/"), (method, "other:1", "/"), (method, host, "/x")]
        {
            let moved = parse(method, host, path, &params).unwrap();
            assert!(moved.verify(SECRET, at(SIGNED_AT)).is_err(), "{method} {host} {path}");
        }
    }
}

#[test]
fn what_is_signed_verifies_also_without_the_port() {
    let unsigned = with("Signature", None);
    for host in [HOST, "127.0.0.1"] {
        let made = sign(SECRET, Method::HmacSha1, "GET", host, "/", &unsigned).unwrap();
        let presented = parse("GET", HOST, "/", &with("Signature", Some(&made))).unwrap();
        assert_eq!(presented.verify(SECRET, at(SIGNED_AT)), Ok(()), "{host}");
    }
}

#[test]
fn sha_1_is_the_default() {
    let unsigned: Vec<_> =
        good().into_iter().filter(|(name, _)| !name.starts_with("Signature")).collect();
    let made = sign(SECRET, Method::HmacSha1, "GET", HOST, "/", &unsigned).unwrap();
    let params: Vec<_> = unsigned.into_iter().chain([("Signature".to_owned(), made)]).collect();
    let presented = parse("GET", HOST, "/", &params).unwrap();
    assert_eq!(presented.method(), Method::HmacSha1);
    assert_eq!(presented.verify(SECRET, at(SIGNED_AT)), Ok(()));
}

#[test]
fn five_minutes_of_skew_are_allowed_both_ways() {
    let presented = parse("GET", HOST, "/", &good()).unwrap();
    for (now, fine) in [(-301, false), (-300, true), (300, true), (301, false)] {
        let result = presented.verify(SECRET, at(SIGNED_AT + now));
        assert_eq!(result.is_ok(), fine, "{now}");
        assert!(result.is_ok() || result.unwrap_err().code() == "AuthFailure.SignatureExpire");
    }
}

#[test]
fn broken_ones_are_refused_by_name() {
    let invalid = "AuthFailure.InvalidAuthorization";
    let mut twice = good();
    twice.push(("Room_Id".to_owned(), "1".to_owned()));
    twice.push(("Room.Id".to_owned(), "2".to_owned()));
    for (params, code, word) in [
        (with("Signature", None), invalid, "Signature is missing"),
        (with("Signature", Some("%")), invalid, "base64"),
        (with("SecretId", None), invalid, "SecretId is missing"),
        (with("SecretId", Some("a/b")), "AuthFailure.InvalidSecretId", "SecretId"),
        (with("Timestamp", None), invalid, "Timestamp is missing"),
        (with("Timestamp", Some("1e9")), invalid, "\"1e9\""),
        (with("Nonce", None), invalid, "Nonce is missing"),
        (with("Nonce", Some("-1")), invalid, "\"-1\""),
        (with("Nonce", Some("")), invalid, "digits"),
        (with("Nonce", Some("99999999999999999999")), invalid, "64 bits"),
        (with("SignatureMethod", Some("MD5")), invalid, "\"MD5\""),
        (with("Token", Some("t")), "AuthFailure.TokenFailure", "secret pair"),
        (twice, invalid, "\"Room.Id\" is there twice"),
    ] {
        let error = parse("GET", HOST, "/", &params).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(word), "{error} lacks {word:?}");
    }
    let changed = parse("GET", HOST, "/", &with("RoomId", Some("1235"))).unwrap();
    assert!(changed.verify(SECRET, at(SIGNED_AT)).is_err());
}

#[test]
fn forms_are_decoded_and_bounded() {
    let pairs = decode_form("a=1&&b&c=%C3%BC+%2B&d==").unwrap();
    let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("a", "1"), ("b", ""), ("c", "ü +"), ("d", "=")]);
    for bad in ["a=%", "a=%4", "a=%zz", "%ff=1", "a=%c3%28"] {
        assert_eq!(
            decode_form(bad).unwrap_err().code(),
            "AuthFailure.InvalidAuthorization",
            "{bad}"
        );
    }
    assert!(decode_form(&"a&".repeat(FORM_PAIRS_MAX)).is_ok());
    assert!(decode_form(&"a&".repeat(FORM_PAIRS_MAX + 1)).is_err());
}

#[test]
fn a_request_is_believed_once() {
    let mut memory = NonceMemory::default();
    let presented = parse("GET", HOST, "/", &good()).unwrap();
    assert_eq!(memory.admit(&presented, at(SIGNED_AT)), Ok(()));
    let replay = memory.admit(&presented, at(SIGNED_AT + SKEW_S)).unwrap_err();
    assert_eq!(replay.code(), "AuthFailure.SignatureExpire");
    assert_eq!(memory.remember("AKIDdev", 1, SIGNED_AT, at(SIGNED_AT)), Ok(()));
    assert_eq!(memory.remember("AKIDdev", 1, SIGNED_AT + 1, at(SIGNED_AT)), Ok(()));
    assert_eq!(memory.remember("AKIDother", 1, SIGNED_AT, at(SIGNED_AT)), Ok(()));
    assert_eq!(memory.len(), 4);
    // Past the window its time alone refuses it, so it need not be remembered.
    let late = SIGNED_AT + SKEW_S + 1;
    assert!(presented.verify(SECRET, at(late)).is_err());
    assert_eq!(memory.remember("AKIDdev", 2, late, at(late)), Ok(()));
    assert_eq!(
        memory.len(),
        3,
        "one of SIGNED_AT + 1 is still remembered, and that of the other pair"
    );
}

#[test]
fn a_full_memory_refuses_and_forgets_nothing() {
    let mut memory = NonceMemory::new(2, 3);
    let now = at(SIGNED_AT);
    assert!(memory.is_empty());
    for nonce in [1, 2] {
        assert_eq!(memory.remember("a", nonce, SIGNED_AT, now), Ok(()));
    }
    let full = memory.remember("a", 3, SIGNED_AT, now).unwrap_err();
    assert_eq!(full.code(), "RequestLimitExceeded");
    assert_eq!(memory.remember("b", 1, SIGNED_AT, now), Ok(()));
    assert_eq!(memory.remember("c", 1, SIGNED_AT, now).unwrap_err().code(), "RequestLimitExceeded");
    for (secret, nonce) in [("a", 1), ("a", 2), ("b", 1)] {
        let replay = memory.remember(secret, nonce, SIGNED_AT, now).unwrap_err();
        assert_eq!(replay.code(), "AuthFailure.SignatureExpire", "{secret} {nonce}");
    }
    let later = at(SIGNED_AT + SKEW_S + 1);
    assert_eq!(memory.remember("c", 1, SIGNED_AT + SKEW_S, later), Ok(()));
    assert_eq!(memory.len(), 1, "room is made by what is past");
}

#[test]
fn pairs_that_ask_without_end_leave_room_for_others() {
    let mut memory = NonceMemory::new(40, 100);
    let now = at(SIGNED_AT);
    for nonce in 0..100 {
        for greedy in ["a", "b", "c", "d"] {
            let _ = memory.remember(greedy, nonce, SIGNED_AT, now);
        }
    }
    for nonce in 0..8 {
        assert_eq!(memory.remember("quiet", nonce, SIGNED_AT, now), Ok(()), "{nonce}");
    }
    // What is past makes room again, also that of other pairs.
    let later = at(SIGNED_AT + SKEW_S + 1);
    for nonce in 0..40 {
        assert_eq!(memory.remember("late", nonce, SIGNED_AT + SKEW_S, later), Ok(()), "{nonce}");
    }
    assert!(memory.remember("late", 40, SIGNED_AT + SKEW_S, later).is_err());
}

proptest::proptest! {
    /// Against a list of all that was ever admitted: nothing that would still be believed passes twice.
    #[test]
    fn nothing_believed_passes_twice(
        requests in proptest::collection::vec((0u64..4, 0i64..900, 0i64..40), 1..200)
    ) {
        let mut memory = NonceMemory::new(5, 8);
        let mut seen = Vec::new();
        let mut now = SIGNED_AT;
        for (nonce, ahead, step) in requests {
            now += step;
            let timestamp = now - 450 + ahead;
            if (now - timestamp).abs() > SKEW_S {
                continue;
            }
            let key = (nonce, timestamp);
            let result = memory.remember("a", nonce, timestamp, at(now));
            proptest::prop_assert!(!(result.is_ok() && seen.contains(&key)));
            proptest::prop_assert!(memory.len() <= 5);
            if result.is_ok() {
                seen.push(key);
            }
        }
    }

    #[test]
    fn any_form_is_read_or_refused(text in "[ -~]{0,100}") {
        if let Ok(params) = decode_form(&text) {
            let _ = parse("GET", HOST, "/", &params);
        }
    }
}

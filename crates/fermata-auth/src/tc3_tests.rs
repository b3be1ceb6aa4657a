//! Vectors were made once with the vendor's Python SDK, offline, at a fixed time; the first with its published rules.

use jiff::Timestamp;

use super::*;

const SECRET: &str = "dev-secret-key";
const SIGNED_AT: i64 = 1_700_000_000;
const HOST: &str = "127.0.0.1:7880";
const BODY: &str =
    r#"{"SdkAppId": 1400000001, "RoomId": 1234, "UserIds": ["a b", "\u00fc&=+~/", "x.y_z"]}"#;
const QUERY: &str =
    "SdkAppId=1400000001&RoomId=1234&UserIds.0=a+b&UserIds.1=%C3%BC%26%3D%2B~%2F&UserIds.2=x.y_z";
const FORM: &str = "application/x-www-form-urlencoded";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn authorization(service: &str, signature: &str) -> String {
    format!(
        "TC3-HMAC-SHA256 Credential=AKIDdev/2023-11-14/{service}/tc3_request, \
         SignedHeaders=content-type;host, Signature={signature}"
    )
}

/// A request of the SDK; names of headers as it writes them.
struct Sample {
    method: &'static str,
    query: &'static str,
    body: &'static str,
    headers: Vec<(&'static str, String)>,
}

impl Sample {
    fn new(method: &'static str, content_type: &str, host: &str, authorization: String) -> Self {
        let headers = vec![
            ("Content-Type", content_type.to_owned()),
            ("Host", host.to_owned()),
            ("X-TC-Timestamp", SIGNED_AT.to_string()),
            ("X-TC-Version", "2019-07-22".to_owned()),
            ("Authorization", authorization),
        ];
        let (query, body) = if method == "GET" { (QUERY, "") } else { ("", BODY) };
        Self { method, query, body, headers }
    }

    fn post() -> Self {
        let signature = "7d59d861bf5871c74cf5170f8f8f5d3a69e7c99e6a315bd1a917d1b817bce8fb";
        Self::new("POST", "application/json", HOST, authorization("trtc", signature))
    }

    fn get() -> Self {
        let signature = "92c9ae8dc608e881c85e52720b34b52ed14ed22c4b4683eca80e5449b8b6ad36";
        Self::new("GET", FORM, HOST, authorization("trtc", signature))
    }

    fn unsigned() -> Self {
        let signature = "7d909cebc8eb537f35096631d98ca40d2f3c8e8507bd19684568da03d0d7dbde";
        let mut sample = Self::new(
            "POST",
            "application/json",
            "trtc.example.com",
            authorization("trtc", signature),
        );
        sample.headers.push(("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD".to_owned()));
        sample
    }

    fn billing() -> Self {
        let signature = "68e6c1582c940158c227cd2190ea2e3640615b9790f107e53d2ce19d7b4a01e1";
        let mut sample =
            Self::new("POST", "application/json", HOST, authorization("billing", signature));
        sample.body = "{}";
        sample
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self.headers.push((name, value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    fn with<T>(&self, run: impl FnOnce(&RequestParts<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        run(&RequestParts {
            method: self.method,
            path: "/",
            query: self.query,
            headers: &headers,
            body: self.body.as_bytes(),
        })
    }

    fn check(&self) -> Result<(), Tc3Error> {
        self.with(parse)?.verify(SECRET, at(SIGNED_AT + 10))
    }
}

#[test]
fn the_vector_of_the_rules_comes_out() {
    let headers = [("content-type", "application/json"), ("host", "trtc.tencentcloudapi.com")];
    let parts = RequestParts {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: br#"{"SdkAppId": 1400000001, "RoomId": 1234}"#,
    };
    let made =
        sign("AKIDx", "SecretKeyExample", "trtc", SIGNED_AT, &["content-type", "host"], &parts);
    assert_eq!(
        made.as_deref(),
        Ok("TC3-HMAC-SHA256 Credential=AKIDx/2023-11-14/trtc/tc3_request, \
            SignedHeaders=content-type;host, \
            Signature=73d4e0d8feef02dbbfe92e9b51ba02934803baf6c4fce1886d08251b35964a92")
    );
    let text =
        strings_to_sign(&parts, "trtc", SIGNED_AT, "2023-11-14", "content-type;host").unwrap();
    assert!(text[0].ends_with("63cf47bd04cf4d944cc06e811cba8987fbc78ff945f3b5080bad9e7229d13919"));
}

#[test]
fn requests_of_the_sdk_verify() {
    for (name, sample, service) in [
        ("post", Sample::post(), "trtc"),
        ("get", Sample::get(), "trtc"),
        ("unsigned", Sample::unsigned(), "trtc"),
        ("billing", Sample::billing(), "billing"),
    ] {
        let presented = sample.with(parse).unwrap();
        assert_eq!(presented.secret_id(), "AKIDdev", "{name}");
        assert_eq!(presented.service(), service, "{name}");
        assert_eq!(presented.timestamp(), SIGNED_AT, "{name}");
        assert_eq!(presented.verify(SECRET, at(SIGNED_AT + 10)), Ok(()), "{name}");
        let other = presented.verify("another", at(SIGNED_AT + 10)).unwrap_err();
        assert_eq!(other.code(), "AuthFailure.SignatureFailure", "{name}");
    }
}

#[test]
fn an_unsigned_body_may_be_any_other_may_not() {
    let mut sample = Sample::unsigned();
    sample.body = "anything";
    assert_eq!(sample.check(), Ok(()));
    let mut sample = Sample::post();
    sample.body = "{}";
    assert_eq!(sample.check().unwrap_err().code(), "AuthFailure.SignatureFailure");
    let mut sample = Sample::get();
    sample.query = "SdkAppId=1400000002";
    assert_eq!(sample.check().unwrap_err().code(), "AuthFailure.SignatureFailure");
}

#[test]
fn five_minutes_of_skew_are_allowed_both_ways() {
    let presented = Sample::post().with(parse).unwrap();
    for (now, fine) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let result = presented.verify(SECRET, at(SIGNED_AT + now));
        assert_eq!(result.is_ok(), fine, "{now}");
        if let Err(error) = result {
            assert_eq!(error.code(), "AuthFailure.SignatureExpire");
            assert!(error.to_string().contains("301 s"), "{error}");
        }
    }
}

#[test]
fn some_clients_sign_the_host_without_its_port_and_values_in_lower_case() {
    let signed = ["content-type", "host", "x-tc-action"];
    for (host, action) in [(HOST, "DismissRoom"), ("127.0.0.1", "dismissroom")] {
        let unsigned = Sample::post().set("Host", host).set("X-TC-Action", action);
        let made = unsigned.with(|parts| sign("A-1", SECRET, "trtc", SIGNED_AT, &signed, parts));
        let sent = unsigned
            .set("Host", HOST)
            .set("X-TC-Action", "DismissRoom")
            .set("Authorization", made.as_deref().unwrap());
        assert_eq!(sent.check(), Ok(()), "{host} {action}");
        let other = sent.set("X-TC-Action", "RemoveUser");
        assert_eq!(other.check().unwrap_err().code(), "AuthFailure.SignatureFailure");
    }
}

#[test]
fn hosts_lose_only_a_port() {
    for (host, bare) in
        [("a:1", "a"), ("a", "a"), ("[::1]:7880", "[::1]"), ("[::1]", "[::1]"), ("a:b", "a:b")]
    {
        assert_eq!(without_port(host), bare);
    }
}

#[test]
fn broken_ones_are_refused_by_name() {
    let header = |value: &str| Sample::post().set("Authorization", value);
    let good = authorization("trtc", &"a".repeat(64));
    let invalid = "AuthFailure.InvalidAuthorization";
    let many: Vec<String> = (0..40).map(|n| format!("x-{n}")).collect();
    let many = good.replace("content-type;host", &many.join(";"));
    for (sample, code, word) in [
        (Sample::post().without("Authorization"), invalid, "Authorization is missing"),
        (header("SKIP"), invalid, "must begin with TC3-HMAC-SHA256"),
        (header("Bearer x"), invalid, "must begin with TC3-HMAC-SHA256"),
        (header("TC3-HMAC-SHA256 "), invalid, "a field \"\""),
        (header("TC3-HMAC-SHA256 Credential=a"), invalid, "Credential must be"),
        (header(&good.replace("Signature=", "Sign=")), invalid, "a field \"Sign\""),
        (header(&format!("{good}, Signature=b")), invalid, "Signature twice"),
        (header(&good.replace(", Signature", ", SignedHeaders")), invalid, "SignedHeaders twice"),
        (header(&good.replace("aaaa", "AAAA")), invalid, "64 hexadecimal digits"),
        (header(&good.replace("tc3_request", "tc4_request")), invalid, "tc3_request"),
        (header(&good.replace("tc3_request", "tc3_request/x")), invalid, "Credential must be"),
        (header(&good.replace("11-14", "11-15")), invalid, "is on 2023-11-14 (UTC)"),
        (header(&good.replace(";host", "")), invalid, "must contain host"),
        (header(&good.replace("content-type;", "")), invalid, "must contain content-type"),
        (header(&good.replace(";host", ";Host")), invalid, "lower case"),
        (header(&good.replace(";host", ";host;host")), invalid, "each once"),
        (header(&many), invalid, "40 names"),
        (header(&format!("{good}{}", "a".repeat(5000))), invalid, "bytes, 4096 are allowed"),
        (header(&good.replace(";host", ";host;x-none")), "AuthFailure.SignatureFailure", "x-none"),
        (header(&good.replace("AKIDdev", "")), "AuthFailure.InvalidSecretId", "SecretId"),
        (header(&good.replace("AKIDdev", "a b")), "AuthFailure.InvalidSecretId", "SecretId"),
        (Sample::post().without("X-TC-Timestamp"), invalid, "X-TC-Timestamp is missing"),
        (Sample::post().set("X-TC-Timestamp", "now"), invalid, "\"now\""),
        (Sample::post().set("X-TC-Timestamp", "-5"), invalid, "seconds since 1970"),
        (Sample::post().set("X-TC-Timestamp", "999999999999"), invalid, "seconds since 1970"),
        (Sample::post().set("X-TC-Token", "t"), "AuthFailure.TokenFailure", "secret pair"),
        (Sample::post().set("Host", "other:7880"), "AuthFailure.SignatureFailure", "verify"),
    ] {
        let error = sample.check().unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(word), "{error} lacks {word:?}");
        assert!(!error.to_string().contains(SECRET));
    }
    assert_eq!(Sample::post().set("X-TC-Token", "").check(), Ok(()), "an empty token is none");
}

proptest::proptest! {
    #[test]
    fn any_header_is_refused_not_fatal(header in "(TC3-HMAC-SHA256 )?[ -~]{0,200}", time in "[0-9]{0,12}") {
        let sample = Sample::post().set("Authorization", &header).set("X-TC-Timestamp", &time);
        proptest::prop_assert!(sample.check().is_err());
    }

    #[test]
    fn what_is_signed_verifies(key in "[!-~]{1,64}", body in proptest::collection::vec(0u8.., 0..64), time in 0i64..4_000_000_000) {
        let text = time.to_string();
        let base = [("content-type", "text/x"), ("host", "h:1"), ("x-tc-timestamp", text.as_str())];
        let parts = RequestParts { method: "POST", path: "/", query: "", headers: &base, body: &body };
        let made = sign("A", &key, "trtc", time, &["content-type", "host", "x-tc-timestamp"], &parts).unwrap();
        let headers = [base[0], base[1], base[2], ("authorization", made.as_str())];
        let presented = parse(&RequestParts { headers: &headers, ..parts }).unwrap();
        proptest::prop_assert_eq!(presented.verify(&key, at(time)), Ok(()));
        let other = key + "x";
        proptest::prop_assert!(presented.verify(&other, at(time)).is_err());
    }
}

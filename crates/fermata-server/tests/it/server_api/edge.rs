//! Signatures, checks in their order, rooms, secret pairs, rates, standing.

use super::*;

#[tokio::test]
async fn the_root_page_stays_and_unsigned_calls_are_refused() {
    let server = InProcess::start(&[]).await;
    let root = server.ask("GET /", &[], None).await;
    assert_eq!((root.status, root.text.as_str()), (200, "OK"));
    for (request, headers) in [
        ("POST /", &[][..]),
        ("POST /", &[("x-tc-action", "DismissRoom")]),
        ("GET /?Action=DismissRoom", &[]),
        ("GET /", &[("x-tc-action", "DismissRoom")]),
        ("POST /", &[("authorization", "Bearer x")]),
        ("POST /", &[("authorization", "TC3-HMAC-SHA256 Credential=a/b")]),
    ] {
        let answer = response(&server.ask(request, headers, Some(&json!({}))).await);
        assert_eq!(
            code(&answer),
            "AuthFailure.InvalidAuthorization",
            "{request} {headers:?}: {answer}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn signatures_times_and_nonces_are_checked() {
    let server = InProcess::start(&[("server_api_usage_rate", "1000")]).await;
    let ann = Caller::dev(&server);
    let app = dev::SDK_APP_ID.0;
    let body = json!({"SdkAppId": app, "StartTime": today(), "EndTime": today()});
    let ask = async |caller: &Caller<'_>, twist: Twist| {
        caller.twisted(TRTC, "DescribeTrtcUsage", body.to_string(), twist).await
    };
    assert_eq!(code(&ask(&ann, Twist::default()).await), "OK");
    assert_eq!(code(&ask(&ann, Twist { unsigned: true, ..Twist::default() }).await), "OK");
    for (skew, expected) in [
        (-290, "OK"),
        (290, "OK"),
        (-310, "AuthFailure.SignatureExpire"),
        (310, "AuthFailure.SignatureExpire"),
    ] {
        assert_eq!(code(&ask(&ann, Twist { skew, ..Twist::default() }).await), expected, "{skew}");
    }
    let forged = Caller { server: &server, id: ann.id.clone(), key: "another".to_owned() };
    assert_eq!(code(&ask(&forged, Twist::default()).await), "AuthFailure.SignatureFailure");
    let unknown = Caller { server: &server, id: "AKIDnobody".to_owned(), key: "x".to_owned() };
    assert_eq!(code(&ask(&unknown, Twist::default()).await), "AuthFailure.SecretIdNotFound");

    let own = [("SdkAppId", app.to_string()), ("StartTime", today()), ("EndTime", today())];
    let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for (method, nonce) in [("POST", 1), ("GET", 2)] {
        let first = ann.legacy(method, "DescribeTrtcUsage", nonce, &own).await;
        assert_eq!(code(&first), "OK", "{method}: {first}");
        let again = ann.legacy(method, "DescribeTrtcUsage", nonce, &own).await;
        assert_eq!(code(&again), "AuthFailure.SignatureExpire", "{method}: {again}");
    }
    let answer = forged.legacy("POST", "DescribeTrtcUsage", 3, &own).await;
    assert_eq!(code(&answer), "AuthFailure.SignatureFailure");
    server.stop().await;
}

#[tokio::test]
async fn services_versions_and_actions_are_looked_up() {
    let server = InProcess::start(&[("server_api_rate", "1000")]).await;
    let ann = Caller::dev(&server);
    let ask = async |service: (&str, &str), action: &str| {
        code(&ann.twisted(service, action, "{}".to_owned(), Twist::default()).await)
    };
    assert_eq!(ask(("cvm", "2017-03-12"), "DescribeInstances").await, "NoSuchProduct");
    assert_eq!(ask(("trtc", "2018-07-09"), "DismissRoom").await, "NoSuchVersion");
    assert_eq!(ask(TRTC, "Dismiss").await, "InvalidAction");
    assert_eq!(ask(TRTC, "").await, "InvalidAction");
    assert_eq!(ask(TRTC, "DescribeAccountBalance").await, "InvalidAction");
    for service in Service::ALL {
        for action in service.actions() {
            let expected = match action.status {
                Status::Built => continue,
                Status::NotYet(_) => "UnsupportedOperation",
                Status::Offline => "ActionOffline",
            };
            let service = (service.code(), service.version());
            assert_eq!(ask(service, action.name).await, expected, "{}", action.name);
        }
    }
    let chinese = Twist { language: "zh-CN", ..Twist::default() };
    let answer = ann.twisted(TRTC, "Dismiss", "{}".to_owned(), chinese).await;
    assert!(!message(&answer).is_ascii(), "{answer}");
    let metrics = server.ask("GET /metrics", &[], None).await.text;
    let line = "fermata_server_api_calls_total{action=\"unknown\",code=\"NoSuchProduct\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn bodies_are_json_and_not_too_large() {
    let server = InProcess::start(&[]).await;
    let ann = Caller::dev(&server);
    for (body, expected) in [
        ("", "MissingParameter.SdkAppId"),
        ("null", "MissingParameter.SdkAppId"),
        ("{", "InvalidRequest"),
        ("[]", "InvalidRequest"),
        ("\"x\"", "InvalidRequest"),
    ] {
        let answer = ann.twisted(TRTC, "DismissRoom", body.to_owned(), Twist::default()).await;
        assert_eq!(code(&answer), expected, "{body:?}: {answer}");
    }
    // Nobody's JSON is read before it is known whose it is.
    for (id, key, expected) in [
        ("AKIDnobody", dev::SECRET_KEY, "AuthFailure.SecretIdNotFound"),
        (dev::SECRET_ID, "another-key-0123456789", "AuthFailure.SignatureFailure"),
    ] {
        let stranger = Caller { server: &server, id: id.to_owned(), key: key.to_owned() };
        let answer = stranger.twisted(TRTC, "DismissRoom", "{".to_owned(), Twist::default()).await;
        assert_eq!(code(&answer), expected, "{answer}");
    }
    // The last hours of the calendar are no moment.
    let last = json!({"StartTime": "9999-12-31 23:00:00", "EndTime": "9999-12-31 23:59:59", "Offset": 0, "Limit": 9});
    assert_eq!(ann.code("DescribeBillList", last).await, "InvalidParameterValue");
    let padded = |len: usize| format!("{{}}{}", " ".repeat(len - 2));
    let largest = ann.twisted(TRTC, "DismissRoom", padded(10 << 20), Twist::default()).await;
    assert_eq!(code(&largest), "MissingParameter.SdkAppId");
    let larger = ann.twisted(TRTC, "DismissRoom", padded((10 << 20) + 1), Twist::default()).await;
    assert_eq!(code(&larger), "RequestSizeLimitExceeded", "{larger}");
    server.stop().await;
}

#[tokio::test]
async fn parameters_are_checked_and_rooms_are_managed() {
    let server = InProcess::start(&[("server_api_rate", "1000")]).await;
    let ann = Caller::dev(&server);
    let app = dev::SDK_APP_ID.0;
    let users: Vec<_> = (0..11).map(|n| format!("u{n}")).collect();
    for (action, params, expected) in [
        ("DismissRoom", json!({"RoomId": 7}), "MissingParameter.SdkAppId"),
        ("DismissRoom", json!({"SdkAppId": app}), "MissingParameter.RoomId"),
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": null}), "MissingParameter.RoomId"),
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": "x"}), "InvalidParameter.RoomId"),
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": 0}), "InvalidParameterValue.RoomId"),
        (
            "DismissRoom",
            json!({"SdkAppId": app, "RoomId": 1u64 << 32}),
            "InvalidParameterValue.RoomId",
        ),
        ("DismissRoom", json!({"SdkAppId": "x", "RoomId": 7}), "InvalidParameter.SdkAppId"),
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": 7, "Room": 1}), "UnknownParameter"),
        (
            "DismissRoomByStrRoomId",
            json!({"SdkAppId": app, "RoomId": "a/b"}),
            "InvalidParameterValue.RoomId",
        ),
        ("RemoveUser", json!({"SdkAppId": app, "RoomId": 7}), "MissingParameter.UserIds"),
        (
            "RemoveUser",
            json!({"SdkAppId": app, "RoomId": 7, "UserIds": "x"}),
            "InvalidParameter.UserIds",
        ),
        (
            "SetUserBlocked",
            json!({"SdkAppId": app, "RoomId": 7, "UserId": "u"}),
            "MissingParameter",
        ),
        (
            "SetUserBlocked",
            json!({"SdkAppId": app, "RoomId": 7, "UserId": "u", "IsMute": 4}),
            "InvalidParameterValue",
        ),
        (
            "DescribeTrtcUsage",
            json!({"StartTime": "2026-1-1x", "EndTime": today()}),
            "InvalidParameter",
        ),
        // Of rooms and users that are not there.
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": 7}), "FailedOperation.RoomNotExist"),
        (
            "RemoveUser",
            json!({"SdkAppId": app, "RoomId": 7, "UserIds": ["u"]}),
            "FailedOperation.RoomNotExist",
        ),
        // Applications of others, and none.
        ("DismissRoom", json!({"SdkAppId": 1, "RoomId": 7}), "UnauthorizedOperation.SdkAppId"),
    ] {
        let answer = ann.call(action, params.clone()).await;
        let found = code(&answer);
        let same = found == expected
            || (expected == "InvalidParameter" && found.starts_with("InvalidParameter"));
        assert!(same, "{action} {params}: {answer} instead of {expected}");
    }
    let many = json!({"SdkAppId": app, "RoomId": 7, "UserIds": users});
    assert!(ann.code("RemoveUser", many).await.starts_with("InvalidParameter"));

    let _kept = [
        enter(&server, "ann", "int/7").await,
        enter(&server, "bob", "int/7").await,
        enter(&server, "ann", "7").await,
        enter(&server, "eve", "lobby").await,
    ];
    let room = |room: Value, more: Value| {
        let mut params = json!({"SdkAppId": app, "RoomId": room});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    assert_eq!(
        ann.code("RemoveUser", room(json!(7), json!({"UserIds": ["nobody"]}))).await,
        "FailedOperation.UserNotExist"
    );
    assert_eq!(
        ann.code("RemoveUser", room(json!(7), json!({"UserIds": ["bob", "nobody"]}))).await,
        "OK"
    );
    assert_eq!(
        ann.code("RemoveUser", room(json!(7), json!({"UserIds": ["bob"]}))).await,
        "FailedOperation.UserNotExist"
    );
    for mute in 0..4 {
        let more = json!({"UserId": "ann", "IsMute": mute});
        assert_eq!(ann.code("SetUserBlocked", room(json!(7), more)).await, "OK", "{mute}");
    }
    let string = json!({"SdkAppId": app, "StrRoomId": "lobby", "UserId": "eve", "IsMute": 1});
    assert_eq!(ann.code("SetUserBlockedByStrRoomId", string).await, "OK");
    assert_eq!(ann.code("DismissRoom", room(json!(7), json!({}))).await, "OK");
    assert_eq!(
        rooms(&server).await,
        BTreeSet::from(["7".to_owned(), "lobby".to_owned()]),
        "only the integer room"
    );
    assert_eq!(ann.code("DismissRoomByStrRoomId", room(json!("7"), json!({}))).await, "OK");
    let query = format!("SdkAppId={app}&RoomId=lobby&UserIds.0=eve");
    let get = Twist { method: "GET", ..Twist::default() };
    let answer = ann.twisted(TRTC, "RemoveUserByStrRoomId", query, get).await;
    assert_eq!(code(&answer), "OK", "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn secrets_do_what_their_policy_says() {
    let server = InProcess::start(&[]).await;
    let (one, app) = account(&server, json!({"name": "One"})).await;
    let second = did(&server, &format!("POST /accounts/{one}/apps"), json!({"name": "B"})).await;
    let second = u32::try_from(second["sdk_app_id"].as_u64().unwrap()).unwrap();
    let (_, foreign) = account(&server, json!({"name": "Two"})).await;
    let full = Caller::new(&server, &one, SecretPolicy::Full, &[]).await;
    let reads = Caller::new(&server, &one, SecretPolicy::ReadOnly, &[]).await;
    let narrow = Caller::new(&server, &one, SecretPolicy::Full, &[app]).await;
    let usage = |app: Value| json!({"SdkAppId": app, "StartTime": today(), "EndTime": today()});
    let dismiss = |app: u32| json!({"SdkAppId": app, "RoomId": 7});
    let (foreign_app, auth) =
        ("UnauthorizedOperation.SdkAppId", "AuthFailure.UnauthorizedOperation");
    for (who, caller, action, params, expected) in [
        ("full", &full, "DismissRoom", dismiss(app), "FailedOperation.RoomNotExist"),
        ("full", &full, "DismissRoom", dismiss(foreign), foreign_app),
        ("full", &full, "DismissRoom", dismiss(4_000_000_000), foreign_app),
        ("full", &full, "DescribeTrtcUsage", usage(Value::Null), "OK"),
        ("reads", &reads, "DismissRoom", dismiss(app), auth),
        ("reads", &reads, "DescribeTrtcUsage", usage(app.into()), "OK"),
        ("reads", &reads, "DescribeAccountBalance", json!({}), "OK"),
        ("narrow", &narrow, "DismissRoom", dismiss(app), "FailedOperation.RoomNotExist"),
        ("narrow", &narrow, "DismissRoom", dismiss(second), foreign_app),
        ("narrow", &narrow, "DescribeTrtcUsage", usage(Value::Null), foreign_app),
        ("narrow", &narrow, "DescribeAccountBalance", json!({}), auth),
    ] {
        assert_eq!(caller.code(action, params.clone()).await, expected, "{who} {action} {params}");
    }
    let unknown = full.call("DismissRoom", dismiss(4_000_000_000)).await;
    let others = full.call("DismissRoom", dismiss(foreign)).await;
    let words = |answer: &Value, app: u32| message(answer).replace(&app.to_string(), "N");
    assert_eq!(
        words(&unknown, 4_000_000_000),
        words(&others, foreign),
        "nobody learns which numbers exist"
    );
    server.shared.directory.drop_secret(&reads.id);
    assert_eq!(
        reads.code("DescribeAccountBalance", json!({})).await,
        "AuthFailure.SecretIdNotFound"
    );
    server.stop().await;
}

#[tokio::test]
async fn rates_are_counted_by_account_and_action() {
    let flags = [("server_api_rate", "3"), ("server_api_usage_rate", "1")];
    let server = InProcess::start(&flags).await;
    let (one, app) = account(&server, json!({"name": "One"})).await;
    let (two, _) = account(&server, json!({"name": "Two"})).await;
    let full = Caller::new(&server, &one, SecretPolicy::Full, &[]).await;
    let same = Caller::new(&server, &one, SecretPolicy::ReadOnly, &[]).await;
    let other = Caller::new(&server, &two, SecretPolicy::Full, &[]).await;
    let mut codes = Vec::new();
    for _ in 0..20 {
        codes.push(full.code("DescribeAccountBalance", json!({})).await);
    }
    let limited = codes.iter().filter(|code| *code == "RequestLimitExceeded").count();
    assert!(codes.starts_with(&["OK".to_owned(), "OK".to_owned(), "OK".to_owned()]), "{codes:?}");
    assert!(limited > 0, "{codes:?}");
    assert_eq!(other.code("DescribeAccountBalance", json!({})).await, "OK");
    assert_eq!(same.code("DescribeAccountWarning", json!({})).await, "OK");
    let body = json!({"SdkAppid": app, "StartTime": format!("{} 00:00", today()), "EndTime": format!("{} 23:59", today())});
    let first = full.call("DescribeTrtcRoomUsage", body.clone()).await;
    assert_eq!(first["Data"], "RoomId,Audio,SD,hd,FullHD,2K,4K\n", "{first}");
    assert_eq!(same.code("DescribeTrtcRoomUsage", body).await, "RequestLimitExceeded");
    server.stop().await;
}

#[tokio::test]
async fn suspension_leaves_open_what_lowers_harm_and_names_every_reason() {
    let server =
        InProcess::start(&[("server_api_rate", "1000"), ("server_api_usage_rate", "1000")]).await;
    let (id, app) = account(&server, json!({"name": "A", "sandbox": true})).await;
    let ann = Caller::new(&server, &id, SecretPolicy::Full, &[]).await;
    let usage = json!({"SdkAppId": app, "StartTime": today(), "EndTime": today()});
    assert_eq!(ann.code("DescribeTrtcUsage", usage.clone()).await, "OK");
    did(
        &server,
        &format!("POST /accounts/{id}/adjustments"),
        json!({"amount": "-5", "reason": "debt"}),
    )
    .await;
    assert_eq!(ann.code("DescribeTrtcUsage", usage.clone()).await, "OK", "within the grace");
    did(&server, &format!("POST /accounts/{id}/clock"), json!({"advance": "PT25H"})).await;
    did(&server, &format!("POST /apps/{app}/disable"), json!({})).await;
    let refused = ann.call("DescribeTrtcUsage", usage.clone()).await;
    assert_eq!(code(&refused), "FailedOperation.ServiceSuspended");
    for word in ["[arrears] of the account", &format!("[manual] of application {app}"), "since"] {
        assert!(message(&refused).contains(word), "{refused} lacks {word}");
    }
    for (action, params, expected) in [
        ("DismissRoom", json!({"SdkAppId": app, "RoomId": 7}), "FailedOperation.RoomNotExist"),
        (
            "RemoveUser",
            json!({"SdkAppId": app, "RoomId": 7, "UserIds": ["u"]}),
            "FailedOperation.RoomNotExist",
        ),
        (
            "SetUserBlocked",
            json!({"SdkAppId": app, "RoomId": 7, "UserId": "u", "IsMute": 2}),
            "FailedOperation.RoomNotExist",
        ),
        (
            "SetUserBlocked",
            json!({"SdkAppId": app, "RoomId": 7, "UserId": "u", "IsMute": 0}),
            "FailedOperation.ServiceSuspended",
        ),
        ("DescribeAccountBalance", json!({}), "OK"),
        (
            "DescribeTRTCRealTimeScaleData",
            json!({"SdkAppId": app.to_string(), "StartTime": 1, "EndTime": 2}),
            "FailedOperation.ServiceSuspended",
        ),
    ] {
        assert_eq!(ann.code(action, params).await, expected, "{action}");
    }
    let all = json!({"StartTime": today(), "EndTime": today()});
    assert_eq!(
        ann.code("DescribeTrtcUsage", all.clone()).await,
        "FailedOperation.ServiceSuspended"
    );
    did(
        &server,
        &format!("POST /accounts/{id}/payments"),
        json!({"amount": "10", "provider_ref": "p1"}),
    )
    .await;
    assert_eq!(ann.code("DescribeTrtcUsage", all).await, "OK", "the account is paid");
    let still = ann.call("DescribeTrtcUsage", usage.clone()).await;
    assert!(
        message(&still).contains("[manual]") && !message(&still).contains("arrears"),
        "{still}"
    );
    did(&server, &format!("POST /apps/{app}/enable"), json!({})).await;
    assert_eq!(ann.code("DescribeTrtcUsage", usage).await, "OK");
    server.stop().await;
}

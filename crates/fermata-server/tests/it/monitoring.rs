//! Real clients in a room, and what monitoring tells of them.

use std::net::SocketAddr;
use std::time::Duration;

use fermata_server::dev;
use fermata_server::monitoring::answers::{
    self, AnswerError, CallDetailInfo, Market, Page, RealTime, RoomInfo, ScaleInfo, Span,
    UnusualEvent, UserEvent, UserInfo,
};
use fermata_store::monitoring::{Batch, LifeBegun};
use fermata_testkit::client::{Session, SessionOptions};
use fermata_testkit::{AudioOptions, VideoOptions};
use fermata_types::{Now, RoomName, RoomSid, SdkAppId};
use serde_json::Value;

use crate::common::{InProcess, dev_token};

const PATIENCE: Duration = Duration::from_secs(30);

/// How often the answer is looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A server that is reached over a socket.
async fn serve(server: &InProcess) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = server.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    format!("ws://{address}")
}

async fn enter(url: &str, identity: &str, room: &str) -> Session {
    Session::connect(SessionOptions::new(url, &dev_token(identity, room))).await.unwrap()
}

/// From a minute ago to now.
fn span() -> Span {
    let now = Now::read().wall.as_second();
    Span { start: now - 60, end: now + 1 }
}

/// Asks until the answer is as wanted.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                // Samples come every five seconds: asking all the time would only slow the clients down.
                None => tokio::time::sleep(LOOK_INTERVAL).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{what}"))
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

async fn rooms(server: &InProcess, room: Option<&str>) -> Value {
    let room = room.map(str::to_owned);
    let ask = RoomInfo { span: span(), room, page: Page::default() };
    answers::describe_room_info(&server.shared, dev::SDK_APP_ID, &ask).await.unwrap()
}

async fn details(server: &InProcess, comm: &str, users: &[&str], data: &[&str]) -> Value {
    let ask = CallDetailInfo {
        comm: comm.to_owned(),
        span: span(),
        users: users.iter().map(|user| (*user).to_owned()).collect(),
        data: Some(data.iter().map(|name| (*name).to_owned()).collect()),
        page: Page::default(),
    };
    answers::describe_call_detail_info(&server.shared, dev::SDK_APP_ID, &ask).await.unwrap()
}

async fn events(server: &InProcess, comm: &str, user: &str) -> Vec<(i64, i64, i64)> {
    let ask = UserEvent {
        comm: comm.to_owned(),
        span: span(),
        user: user.to_owned(),
        room: "quality".to_owned(),
    };
    let answer = answers::describe_user_event(&server.shared, dev::SDK_APP_ID, &ask).await.unwrap();
    let lists = list(&answer["Data"]);
    let content = lists.iter().flat_map(|events| list(&events["Content"]));
    let number = |event: &Value, name: &str| event[name].as_i64().unwrap();
    content
        .map(|event| (number(event, "EventId"), number(event, "Type"), number(event, "ParamOne")))
        .collect()
}

/// Mean of the values of the first line of a user and a peer.
fn mean(answer: &Value, user: &str, peer: &str, name: &str) -> Option<f64> {
    let line = list(&answer["Data"]).iter().find(|line| {
        line["UserId"] == user && line["PeerId"] == peer && line["DataType"] == name
    })?;
    let values: Vec<_> =
        list(&line["Content"]).iter().map(|point| point["Value"].as_f64().unwrap()).collect();
    // The first sample may cover a moment only.
    let count = u32::try_from(values.len()).unwrap();
    (count >= 2).then(|| values[1..].iter().sum::<f64>() / f64::from(count - 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_shows_rooms_users_events_and_series() {
    let server = InProcess::start(&[]).await;
    let url = serve(&server).await;
    let ann = enter(&url, "ann", "quality").await;
    let bob = enter(&url, "bob", "quality").await;
    let microphone = ann.publish_audio(AudioOptions::default()).await.unwrap();
    let camera = VideoOptions {
        width: 640,
        height: 360,
        fps: 15,
        bitrate_bps: 300_000,
        simulcast: false,
        ..VideoOptions::default()
    };
    let camera = ann.publish_video(camera).await.unwrap();

    // Rooms.
    let answer = until("no room came", async || {
        let answer = rooms(&server, Some("quality")).await;
        (answer["Total"] == 1).then_some(answer)
    })
    .await;
    let room = &answer["RoomList"][0];
    let comm = room["CommId"].as_str().unwrap().to_owned();
    let created = room["CreateTime"].as_i64().unwrap();
    assert_eq!(comm, format!("{}_quality_{created}", dev::SDK_APP_ID));
    assert_eq!((room["IsFinished"].as_bool(), room["UserId"].as_str()), (Some(false), Some("ann")));
    assert_eq!(rooms(&server, Some("other")).await["Total"], 0);

    users(&server, &comm, created).await;
    series(&server, &comm).await;

    // Events.
    ann.mute(&microphone, true).await.unwrap();
    ann.unpublish(&camera).await.unwrap();
    let muted = until("no mute came", async || {
        let events = events(&server, &comm, "ann").await;
        let both = events.iter().any(|event| event.0 == 32_772)
            && events.iter().any(|event| event.0 == 32_770);
        both.then_some(events)
    })
    .await;
    assert_eq!(muted[0], (7_000, 0, 0), "{muted:?}");
    for expected in [(32_793, 0, -1), (32_769, 0, -1), (32_768, 2, -1), (32_770, 2, -1)] {
        assert!(muted.contains(&expected), "{expected:?} {muted:?}");
    }
    ann.leave().await;
    bob.leave().await;
    until("nobody left", async || {
        let events = events(&server, &comm, "bob").await;
        (events.last() == Some(&(7_001, 0, 0))).then_some(())
    })
    .await;
    assert_eq!(events(&server, &comm, "nobody").await, []);

    totals(&server).await;
    server.stop().await;
}

/// Who is in the room.
async fn users(server: &InProcess, comm: &str, created: i64) {
    let ask =
        UserInfo { comm: comm.to_owned(), span: span(), users: Vec::new(), page: Page::default() };
    let answer = until("no users came", async || {
        let asked = answers::describe_user_info(&server.shared, dev::SDK_APP_ID, &ask);
        asked.await.ok().filter(|answer| answer["Total"] == 2)
    })
    .await;
    let user = &answer["UserList"][0];
    assert_eq!((user["UserId"].as_str(), user["RoomStr"].as_str()), (Some("ann"), Some("quality")));
    assert_eq!(
        (user["Finished"].as_bool(), user["ClientIp"].as_str()),
        (Some(false), Some("127.0.0.1"))
    );
    assert!(user["JoinTs"].as_i64().unwrap() >= created);
    let other = SdkAppId(1);
    let error = answers::describe_user_info(&server.shared, other, &ask).await.unwrap_err();
    assert_eq!(error.code(), "InvalidParameter.SdkAppId");
}

/// How they fare, once two samples have come.
async fn series(server: &InProcess, comm: &str) {
    let names = ["aBit", "bigvBit", "bigvDecFps", "bigvEncFps", "bigvWidth", "rtt", "bigvBlock"];
    let answer = until("no series came", async || {
        let answer = details(server, comm, &[], &names).await;
        let enough = mean(&answer, "bob", "ann", "bigvBit").is_some()
            && mean(&answer, "ann", "", "bigvBit").is_some()
            && mean(&answer, "bob", "ann", "aBit").is_some();
        enough.then_some(answer)
    })
    .await;
    let value = |user: &str, peer: &str, name: &str| {
        mean(&answer, user, peer, name).unwrap_or_else(|| panic!("{user} {peer} {name}: {answer}"))
    };
    let near = |value: f64, least: f64, most: f64| {
        assert!(
            (least..=most).contains(&value),
            "{value} is not within {least} and {most}: {answer}"
        );
    };
    near(value("ann", "", "bigvBit"), 150_000.0, 600_000.0);
    near(value("bob", "ann", "bigvBit"), 150_000.0, 600_000.0);
    near(value("bob", "ann", "aBit"), 10_000.0, 100_000.0);
    near(value("bob", "ann", "bigvDecFps"), 8.0, 22.0);
    near(value("ann", "", "bigvEncFps"), 8.0, 22.0);
    near(value("bob", "ann", "bigvWidth"), 640.0, 640.0);
    // The way to whoever receives, and none to whoever only sends.
    let names = ["downEstimate", "downLimited", "downPaused", "downVia"];
    let answer = until("nothing came of the way to bob", async || {
        let answer = details(server, comm, &[], &names).await;
        mean(&answer, "bob", "", "downEstimate").is_some().then_some(answer)
    })
    .await;
    let value = |name: &str| mean(&answer, "bob", "", name);
    let estimate = value("downEstimate").unwrap();
    assert!((300_000.0..1e9).contains(&estimate), "{answer}");
    let rest = ["downLimited", "downPaused", "downVia"].map(value);
    assert_eq!(rest, [Some(0.0), Some(0.0), Some(1.0)], "all of it, over UDP: {answer}");
    assert_eq!(mean(&answer, "ann", "", "downEstimate"), None, "{answer}");
    let one = details(server, comm, &["bob"], &["aBit"]).await;
    assert!(list(&one["Data"]).iter().all(|line| line["UserId"] == "bob"), "{one}");
    assert_eq!(one["Total"], 1);
}

/// What is told of the whole application after the meeting.
async fn totals(server: &InProcess) {
    let (shared, app) = (&server.shared, dev::SDK_APP_ID);
    let real = RealTime { span: span(), room: None };
    let answer = answers::describe_trtc_real_time_scale_data(shared, app, &real).await.unwrap();
    let series = &answer["Data"]["Series"][0];
    assert_eq!(series["Columns"], serde_json::json!(["time", "userCount", "roomCount"]));
    let most = list(&series["Values"]).iter().map(|row| row["RowValue"][1].as_u64().unwrap()).max();
    assert_eq!(most, Some(2), "{answer}");
    let of_room = RealTime { room: Some("quality".to_owned()), ..real.clone() };
    let answer =
        answers::describe_trtc_real_time_quality_data(shared, app, &of_room).await.unwrap();
    assert!(!list(&answer["Data"]["Series"][0]["Values"]).is_empty(), "{answer}");
    let nowhere = RealTime { room: Some("nowhere".to_owned()), ..real };
    let answer = answers::describe_trtc_real_time_scale_data(shared, app, &nowhere).await.unwrap();
    assert!(list(&answer["Data"]["Series"][0]["Values"]).is_empty(), "{answer}");

    let now = Now::read().wall;
    let day = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    let start = day(now - jiff::SignedDuration::from_mins(2));
    let market =
        |period: &str| Market { start: start.clone(), end: day(now), period: period.to_owned() };
    let answer = answers::describe_trtc_market_scale_data(shared, app, &market("d")).await.unwrap();
    let row = list(&answer["Data"]["Series"][0]["Values"])[0]["RowValue"].clone();
    assert_eq!((&row[1], &row[2], &row[3], &row[4]), (&2.into(), &1.into(), &2.into(), &1.into()));
    let answer =
        answers::describe_trtc_market_quality_data(shared, app, &market("h")).await.unwrap();
    let columns = list(&answer["Data"]["Series"][0]["Columns"]);
    let joined = columns.iter().position(|name| name == "joinSuccessRate").unwrap();
    let row = &list(&answer["Data"]["Series"][0]["Values"])[0];
    assert_eq!(row["RowValue"][joined], 100, "{answer}");
    assert_eq!(row["RowValueFloat"][joined], 100.0);

    let ask = ScaleInfo { span: span() };
    let answer = answers::describe_scale_info(shared, app, &ask).await.unwrap();
    let today = &answer["ScaleList"][0];
    assert_eq!((&today["UserNumber"], &today["UserCount"]), (&2.into(), &2.into()), "{answer}");
    assert_eq!((&today["RoomNumbers"], today["Time"].as_i64().unwrap() % 86_400), (&1.into(), 0));

    let ask = UnusualEvent { span: span(), room: None };
    let answer = answers::describe_unusual_event(shared, app, &ask).await.unwrap();
    assert!(answer["Total"].as_u64().unwrap() <= 20, "{answer}");
    assert_eq!(answer["Total"], list(&answer["AbnormalExperienceList"]).len(), "{answer}");
}

#[tokio::test]
async fn what_is_asked_for_is_judged_before_it_is_looked_up() {
    let server = InProcess::start(&[]).await;
    let (shared, app) = (&server.shared, dev::SDK_APP_ID);
    let now = Now::read().wall.as_second();
    let ago = |hours: i64| Span { start: now - hours * 3_600, end: now };
    let room = |span, size| RoomInfo { span, room: None, page: Page { number: Some(0), size } };
    for (ask, code) in [
        (room(ago(25), None), "InvalidParameter.QueryScaleOversize"),
        (room(ago(15 * 24), None), "InvalidParameter.StartTimeExpire"),
        (room(Span { start: now, end: now - 1 }, None), "InvalidParameter.EndTs"),
        (room(ago(24), Some(101)), "InvalidParameter.PageSizeOversize"),
    ] {
        let error = answers::describe_room_info(shared, app, &ask).await.unwrap_err();
        assert_eq!(error.code(), code, "{ask:?}");
    }
    let detail = |hours, users: usize, data: Option<&str>| CallDetailInfo {
        comm: format!("{app}_x_1"),
        span: ago(hours),
        users: vec!["u".to_owned(); users],
        data: data.map(|name| vec![name.to_owned()]),
        page: Page::default(),
    };
    for (ask, code) in [
        (detail(1, 6, Some("all")), None),
        (detail(4, 100, None), None),
        (detail(2, 0, Some("all")), Some("InvalidParameter.QueryScaleOversize")),
        (detail(5, 0, None), Some("InvalidParameter.QueryScaleOversize")),
        (detail(1, 7, Some("all")), Some("InvalidParameter.UserIdsMorethanSix")),
        (detail(1, 0, Some("mood")), Some("InvalidParameter")),
    ] {
        let answer = answers::describe_call_detail_info(shared, app, &ask).await;
        assert_eq!(answer.as_ref().err().map(AnswerError::code), code, "{ask:?}");
        if let Ok(answer) = answer {
            assert_eq!(answer, serde_json::json!({ "Total": 0, "UserList": [], "Data": [] }));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn t21_clearing_takes_the_records_of_an_account_and_of_no_other() {
    let server = InProcess::start(&[]).await;
    let mut parties = Vec::new();
    for _ in 0..2 {
        let body = serde_json::json!({ "name": "Party", "sandbox": true });
        let made = server.api("POST /accounts", Some(&body)).await.json();
        let account = made["id"].as_str().unwrap().to_owned();
        let body = serde_json::json!({ "name": "App" });
        let app = server.api(&format!("POST /accounts/{account}/apps"), Some(&body)).await.json();
        let app = SdkAppId(app["sdk_app_id"].as_u64().unwrap().try_into().unwrap());
        let room = LifeBegun {
            room_sid: RoomSid::from_text(&format!("RM_{app}")),
            app,
            room: RoomName::Integer(7),
            at: Now::read().wall,
            creator: "ann".to_owned(),
        };
        let batch = Batch { lives: vec![room], ..Batch::default() };
        server.shared.monitoring.append(batch).await.unwrap();
        parties.push((account, app));
    }
    let total = async |app| {
        let ask = RoomInfo { span: span(), room: Some("7".to_owned()), page: Page::default() };
        answers::describe_room_info(&server.shared, app, &ask).await.unwrap()["Total"].clone()
    };
    let [(account, app), (_, other)] = &parties[..] else { panic!("{parties:?}") };
    assert_eq!((total(*app).await, total(*other).await), (1.into(), 1.into()));
    let debt = serde_json::json!({ "amount": "-5.00", "reason": "test" });
    let adjusted = server.api(&format!("POST /accounts/{account}/adjustments"), Some(&debt)).await;
    assert_eq!(adjusted.status, 201, "{adjusted:?}");
    let moved = serde_json::json!({ "advance": "PT1536H" });
    let moved = server.api(&format!("POST /accounts/{account}/clock"), Some(&moved)).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    until("nothing was cleared", async || (total(*app).await == 0).then_some(())).await;
    assert_eq!(total(*other).await, 1);
    server.stop().await;
}

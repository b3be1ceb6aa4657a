//! What every store must do. One suite, run on the in-memory model and on SQLite.

use crate::common::{
    account, api_key, app, at, batch, closed, create_app, days, digest, minute, node, open_account,
    opened, operator, populate, sid, terms, token, wall, window,
};
use fermata_store::limits::{
    API_KEYS_PER_APP_MAX, BATCH_FACTS_MAX, PAGE_LEN_MAX, QUARANTINE_ROWS_MAX,
};
use fermata_store::{AppChange, DayUsage, MemoryStore, QuarantineReason as Why, Store, StoreError};
use fermata_types::{AccountId, RoomName, Scene, SdkAppId, Sku, StayEnd, TokenId, UsageBatch};
use jiff::Timestamp;

macro_rules! suite {
    ($($name:ident)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test] async fn $name() { super::$name(&MemoryStore::new()).await; })*
        }
        mod sqlite {
            use super::*;
            $(#[tokio::test] async fn $name() {
                let dir = tempfile::tempdir().expect("folder");
                let store = crate::common::open(&dir);
                super::$name(&store).await;
                if let Ok(report) = store.check().await {
                    assert_eq!(report.problems, Vec::<String>::new());
                }
                store.close().await.expect("closes");
            })*
        }
    };
}

suite! {
    accounts_are_made_once
    accounts_are_listed_in_pages
    values_outside_their_bounds_are_refused
    applications_are_made_once
    changes_raise_the_epoch
    api_keys_come_and_go
    operator_tokens_are_revoked_once
    settings_are_set_once
    seconds_come_back_by_day_room_and_stay
    days_are_the_account_s
    windows_merge_by_max
    windows_wait_for_their_opening
    an_end_may_come_first
    p25_a_window_that_is_too_full_is_not_counted
    impossible_facts_go_to_the_quarantine
    the_quarantine_is_bounded
    a_bad_fact_does_not_stop_the_others
    lost_stays_end_at_the_watermark
    a_stepped_clock_does_not_stretch_lost_stays
    stays_are_listed_in_pages
    odd_texts_survive
    a_closed_store_says_so
}

fn is_invalid<T>(result: &Result<T, StoreError>, field: &str) -> bool {
    matches!(result, Err(StoreError::Invalid { field: found, .. }) if *found == field)
}

async fn accounts_are_made_once(store: &dyn Store) {
    let first = account("AC_1");
    for _ in 0..2 {
        assert_eq!(open_account(store, first.clone()).await.expect("made"), first);
    }
    let mut other = first.clone();
    other.name = "Other".to_owned();
    assert!(matches!(open_account(store, other).await, Err(StoreError::Exists { .. })));
    assert_eq!(store.account(first.id.clone()).await.expect("there"), first);
    let missing = AccountId::from_text("AC_2");
    assert!(matches!(store.account(missing).await, Err(StoreError::NotFound { .. })));

    let mut fine = account("AC_3");
    fine.created_at = Timestamp::from_nanosecond(1_500_000_000_123_456_789).expect("in range");
    let kept = open_account(store, fine.clone()).await.expect("made");
    assert_eq!(kept.created_at.as_nanosecond(), 1_500_000_000_123_456_000, "microseconds are kept");
    assert_eq!(open_account(store, fine).await.expect("again"), kept);
}

async fn accounts_are_listed_in_pages(store: &dyn Store) {
    for id in ["AC_b", "AC_a", "AC_c"] {
        open_account(store, account(id)).await.expect("made");
    }
    let mut seen = vec![];
    let mut after = None;
    loop {
        let page = store.list_accounts(after.clone(), 2).await.expect("page");
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|row| row.id.to_string()));
    }
    assert_eq!(seen, ["AC_a", "AC_b", "AC_c"]);
    for limit in [0, PAGE_LEN_MAX + 1] {
        assert!(is_invalid(&store.list_accounts(None, limit).await, "limit"));
    }
}

async fn values_outside_their_bounds_are_refused(store: &dyn Store) {
    populate(store).await;
    let id = SdkAppId(1);
    for name in ["", &"é".repeat(129)] {
        let mut bad = account("AC_9");
        bad.name = name.to_owned();
        assert!(is_invalid(&open_account(store, bad).await, "name"));
        let change = AppChange { name: Some(name.to_owned()), ..AppChange::default() };
        assert!(is_invalid(&store.change_app(id, change).await, "name"));
    }
    let mut lost = terms(&AccountId::from_text("AC_9"));
    lost.zone = "Europe/Atlantis".to_owned();
    let opened = store.open_account(account("AC_9"), lost, wall(), operator(), None).await;
    assert!(matches!(opened, Err(StoreError::Refused(_))), "{opened:?}");
    let other = terms(&AccountId::from_text("AC_8"));
    let opened = store.open_account(account("AC_9"), other, wall(), operator(), None).await;
    assert!(is_invalid(&opened, "account_id"));
    assert!(store.account(AccountId::from_text("AC_9")).await.is_err(), "nothing of it was kept");
    assert!(is_invalid(&open_account(store, account("")).await, "account_id"));
    assert!(is_invalid(&open_account(store, account(&"x".repeat(65))).await, "account_id"));

    assert!(is_invalid(&create_app(store, app(0, "AC_1")).await, "sdk_app_id"));
    for timeout in [4, 301] {
        let mut bad = app(9, "AC_1");
        bad.app.disconnect_timeout_s = timeout;
        assert!(is_invalid(&create_app(store, bad).await, "disconnect_timeout_s"));
        let change = AppChange { disconnect_timeout_s: Some(timeout), ..AppChange::default() };
        assert!(is_invalid(&store.change_app(id, change).await, "disconnect_timeout_s"));
    }
    let mut keyless = app(9, "AC_1");
    keyless.api_keys.clear();
    assert!(is_invalid(&create_app(store, keyless).await, "api_keys"));
    let mut twins = app(9, "AC_1");
    twins.api_keys.push(twins.api_keys[0].clone());
    assert!(is_invalid(&create_app(store, twins).await, "api_keys"));
    assert!(is_invalid(&store.set_usersig_key(id, String::new()).await, "usersig_key"));
    assert!(is_invalid(&store.set_setting_once("node", "x".repeat(4_097)).await, "value"));

    let (from, to) = days();
    assert!(is_invalid(&store.usage_by_day(id, to, from).await, "from"));
    let far = from.saturating_add(jiff::Span::new().days(400));
    assert!(is_invalid(&store.usage_by_day(id, from, far).await, "to"));
    assert!(is_invalid(&store.usage_by_room(id, at(1), at(0)).await, "from"));
    assert!(is_invalid(&store.list_stays(id, None, at(1), at(0), None, 1).await, "from"));

    let mut large = batch("ND_1");
    large.windows = vec![window("PA_1", Sku::Audio, 0, 1); BATCH_FACTS_MAX + 1];
    assert!(is_invalid(&store.intake(large, wall()).await, "batch"));
    assert!(is_invalid(&store.intake(batch(""), wall()).await, "node"));
    assert!(store.app(SdkAppId(9)).await.is_err(), "nothing of it was kept");
}

async fn applications_are_made_once(store: &dyn Store) {
    let orphan = create_app(store, app(7, "AC_1")).await;
    assert!(matches!(orphan, Err(StoreError::NotFound { what: "account", .. })));
    populate(store).await;
    assert_eq!(create_app(store, app(1, "AC_1")).await.expect("again").epoch, 1);
    let mut other = app(1, "AC_1");
    other.usersig_key = "another".to_owned();
    let taken = create_app(store, other).await;
    assert!(matches!(taken, Err(StoreError::Exists { what: "application", .. })));
    let mut thief = app(3, "AC_2");
    thief.api_keys = vec![api_key("fresh"), api_key("key1")];
    let taken = create_app(store, thief).await;
    assert!(matches!(taken, Err(StoreError::Exists { what: "API key", .. })));
    assert!(matches!(store.app(SdkAppId(3)).await, Err(StoreError::NotFound { .. })));

    let first = AccountId::from_text("AC_1");
    let numbers: Vec<_> =
        store.list_apps(first).await.expect("apps").iter().map(|app| app.sdk_app_id.0).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(store.list_apps(AccountId::from_text("AC_2")).await.expect("apps").is_empty());
    assert!(store.list_apps(AccountId::from_text("AC_9")).await.is_err());
    assert!(store.load_apps().await.expect("apps") == [app(1, "AC_1"), app(2, "AC_1")]);
    assert!(store.app_with_keys(SdkAppId(2)).await.expect("app") == app(2, "AC_1"));
}

async fn changes_raise_the_epoch(store: &dyn Store) {
    populate(store).await;
    let id = SdkAppId(1);
    let change = AppChange {
        name: Some("New".to_owned()),
        default_scene: Some(Scene::Live),
        disconnect_timeout_s: Some(300),
        private_map_required: Some(true),
    };
    for _ in 0..2 {
        let now = store.change_app(id, change.clone()).await.expect("changed");
        assert_eq!((now.epoch, now.default_scene, now.disconnect_timeout_s), (2, Scene::Live, 300));
        assert_eq!(store.app(id).await.expect("app"), now);
    }
    assert_eq!(store.change_app(id, AppChange::default()).await.expect("same").epoch, 2);
    for _ in 0..2 {
        assert_eq!(store.set_usersig_key(id, "k2".to_owned()).await.expect("set").epoch, 3);
    }
    assert_eq!(store.app_with_keys(id).await.expect("app").usersig_key, "k2");
    assert!(store.change_app(SdkAppId(9), change).await.is_err());
}

async fn api_keys_come_and_go(store: &dyn Store) {
    populate(store).await;
    let id = SdkAppId(1);
    let last = store.remove_api_key(id, "key1".to_owned()).await;
    assert!(is_invalid(&last, "api_key"), "the last one stays");
    for _ in 0..2 {
        assert_eq!(store.add_api_key(id, api_key("b")).await.expect("added").epoch, 2);
    }
    let other_secret = fermata_store::ApiKey { secret: "x".to_owned(), ..api_key("b") };
    assert!(matches!(store.add_api_key(id, other_secret).await, Err(StoreError::Exists { .. })));
    let foreign = store.add_api_key(SdkAppId(2), api_key("b")).await;
    assert!(matches!(foreign, Err(StoreError::Exists { .. })));
    let foreign = store.remove_api_key(SdkAppId(2), "b".to_owned()).await;
    assert!(matches!(foreign, Err(StoreError::NotFound { .. })));
    assert_eq!(store.remove_api_key(id, "key1".to_owned()).await.expect("removed").epoch, 3);
    assert!(store.app_with_keys(id).await.expect("app").api_keys == [api_key("b")]);

    for n in 1..API_KEYS_PER_APP_MAX {
        store.add_api_key(id, api_key(&format!("k{n}"))).await.expect("added");
    }
    assert!(is_invalid(&store.add_api_key(id, api_key("one more")).await, "api_keys"));
}

async fn operator_tokens_are_revoked_once(store: &dyn Store) {
    for _ in 0..2 {
        assert_eq!(store.create_api_token(token("TK_1", 1)).await.expect("made"), token("TK_1", 1));
    }
    for other in [token("TK_1", 2), token("TK_2", 1)] {
        assert!(matches!(store.create_api_token(other).await, Err(StoreError::Exists { .. })));
    }
    store.create_api_token(token("TK_0", 3)).await.expect("made");
    let id = TokenId::from_text("TK_1");
    for second in [5, 9] {
        let revoked = store.revoke_api_token(id.clone(), at(second)).await.expect("revoked");
        assert_eq!(revoked.revoked_at, Some(at(5)));
    }
    let again = store.create_api_token(token("TK_1", 1)).await.expect("known");
    assert_eq!(again.revoked_at, Some(at(5)), "making it again does not bring it back");
    let listed: Vec<_> = store.list_api_tokens().await.expect("tokens");
    assert_eq!(listed.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["TK_0", "TK_1"]);
    assert_eq!(listed[1].hash, [1; 32]);
    assert!(store.revoke_api_token(TokenId::from_text("TK_9"), at(1)).await.is_err());
}

async fn settings_are_set_once(store: &dyn Store) {
    assert_eq!(store.setting("node").await.expect("read"), None);
    for value in ["a", "b"] {
        let kept = store.set_setting_once("node", value.to_owned()).await.expect("set");
        assert_eq!(kept, "a");
    }
    assert_eq!(store.setting("node").await.expect("read").as_deref(), Some("a"));
    store.probe(at(0)).await.expect("writable");
}

async fn seconds(store: &dyn Store) -> Vec<(String, Sku, u64)> {
    let (from, to) = days();
    let rows = store.usage_by_day(SdkAppId(1), from, to).await.expect("days");
    rows.into_iter().map(|row| (row.day.to_string(), row.sku, row.seconds)).collect()
}

async fn seconds_come_back_by_day_room_and_stay(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    report.opened = vec![
        opened("PA_1", 1, "int/7", 10),
        opened("PA_2", 1, "hall", 20),
        opened("PA_3", 2, "hall", 20),
    ];
    report.windows = vec![
        window("PA_1", Sku::Audio, 0, 20),
        window("PA_1", Sku::VideoHd, 0, 30),
        window("PA_1", Sku::Audio, 1, 60),
        window("PA_2", Sku::Audio, 0, 40),
        window("PA_3", Sku::Audio, 0, 7),
    ];
    report.closed = vec![closed("PA_1", 119, StayEnd::Left)];
    store.intake(report, wall()).await.expect("taken");

    let day = "2026-03-28".to_owned();
    assert_eq!(seconds(store).await, [(day.clone(), Sku::Audio, 120), (day, Sku::VideoHd, 30)]);
    let rooms = store.usage_by_room(SdkAppId(1), at(0), at(100)).await.expect("rooms");
    let rooms: Vec<_> =
        rooms.iter().map(|row| (row.room.to_string(), row.sku, row.seconds)).collect();
    let expected =
        [("int/7", Sku::Audio, 80), ("int/7", Sku::VideoHd, 30), ("hall", Sku::Audio, 40)];
    assert_eq!(rooms, expected.map(|(room, sku, seconds)| (room.to_owned(), sku, seconds)));
    let late = store.usage_by_room(SdkAppId(1), at(11), at(20)).await.expect("rooms");
    assert!(late.is_empty(), "`to` is exclusive: {late:?}");

    let hall = Some(RoomName::parse("hall").expect("a name"));
    let stays = store.list_stays(SdkAppId(1), hall, at(0), at(100), None, 9).await.expect("stays");
    assert_eq!(stays.len(), 1);
    assert_eq!(stays[0].seconds, [(Sku::Audio, 40)]);
    assert_eq!((stays[0].ended_at, stays[0].end), (None, None));
    let all = store.list_stays(SdkAppId(1), None, at(0), at(100), None, 9).await.expect("stays");
    assert_eq!((all[0].ended_at, all[0].end), (Some(at(119)), Some(StayEnd::Left)));
    assert!(store.usage_by_room(SdkAppId(9), at(0), at(1)).await.is_err());
}

async fn days_are_the_account_s(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    report.opened = vec![opened("PA_1", 1, "hall", 0)];
    // Minutes 0 and 1 are the last of the 28th in Berlin. The 29th has 23 hours there.
    let next_midnight = 2 + 23 * 60;
    report.windows = [0, 1, 2, next_midnight - 1, next_midnight]
        .into_iter()
        .zip(1_u32..)
        .map(|(start, n)| window("PA_1", Sku::Audio, start, n))
        .collect();
    store.intake(report, wall()).await.expect("taken");
    let expected = [("2026-03-28", 1 + 2), ("2026-03-29", 3 + 4), ("2026-03-30", 5)];
    assert_eq!(
        seconds(store).await,
        expected.map(|(day, seconds)| (day.to_owned(), Sku::Audio, seconds))
    );
    let one = store
        .usage_by_day(
            SdkAppId(1),
            "2026-03-29".parse().expect("d"),
            "2026-03-29".parse().expect("d"),
        )
        .await
        .expect("day");
    assert_eq!(one.iter().map(DayUsage::minutes).collect::<Vec<_>>(), [1], "7 s round up");
}

async fn windows_merge_by_max(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    report.opened = vec![opened("PA_1", 1, "hall", 0)];
    store.intake(report.clone(), wall()).await.expect("taken");
    for reported in [10, 30, 20, 30] {
        report.windows = vec![window("PA_1", Sku::Audio, 0, reported)];
        store.intake(report.clone(), wall()).await.expect("taken");
    }
    assert_eq!(seconds(store).await[0].2, 30);
}

async fn windows_wait_for_their_opening(store: &dyn Store) {
    populate(store).await;
    let mut early = batch("ND_1");
    early.windows = vec![window("PA_1", Sku::Audio, 0, 10), window("PA_1", Sku::Audio, 1, 20)];
    store.intake(early, wall()).await.expect("taken");
    assert!(seconds(store).await.is_empty());
    let mut late = batch("ND_1");
    late.opened = vec![opened("PA_1", 1, "hall", 0)];
    late.windows = vec![window("PA_1", Sku::Audio, 1, 25)];
    store.intake(late, wall()).await.expect("taken");
    assert_eq!(seconds(store).await[0].2, 35);
}

async fn end_of(store: &dyn Store, stay: &str) -> Option<(Timestamp, StayEnd)> {
    let all = store.list_stays(SdkAppId(1), None, at(-9), at(999), None, 99).await.expect("stays");
    let found = all.into_iter().find(|row| row.stay == sid(stay)).expect("there");
    found.ended_at.zip(found.end)
}

async fn an_end_may_come_first(store: &dyn Store) {
    populate(store).await;
    for (second, end) in [(70, StayEnd::TimedOut), (60, StayEnd::Left), (65, StayEnd::Removed)] {
        let mut early = batch("ND_1");
        early.closed = vec![closed("PA_1", second, end)];
        store.intake(early, wall()).await.expect("taken");
    }
    let mut late = batch("ND_1");
    late.opened = vec![opened("PA_1", 1, "hall", 0)];
    store.intake(late, wall()).await.expect("taken");
    assert_eq!(end_of(store, "PA_1").await, Some((at(60), StayEnd::Left)), "the earliest holds");
}

async fn p25_a_window_that_is_too_full_is_not_counted(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    report.opened = vec![opened("PA_1", 1, "hall", 0)];
    report.windows = vec![
        window("PA_1", Sku::Audio, 0, 60),
        window("PA_1", Sku::Audio, 1, 30),
        window("PA_1", Sku::VideoHd, 1, 30),
    ];
    store.intake(report.clone(), wall()).await.expect("taken");
    assert_eq!(seconds(store).await.iter().map(|row| row.2).sum::<u64>(), 120, "60 s fit");
    assert!(store.list_quarantine(9).await.expect("rows").is_empty());

    report.windows = vec![window("PA_1", Sku::VideoHd, 1, 31)];
    for _ in 0..2 {
        store.intake(report.clone(), wall()).await.expect("taken");
    }
    assert_eq!(seconds(store).await, [("2026-03-28".to_owned(), Sku::Audio, 60)]);
    let rows = store.list_quarantine(9).await.expect("rows");
    assert_eq!(rows.len(), 1);
    let found = (&rows[0].stay, rows[0].at, rows[0].reason, rows[0].seconds);
    assert_eq!(found, (&sid("PA_1"), minute(1), Why::WindowOverfull, 61));
}

async fn impossible_facts_go_to_the_quarantine(store: &dyn Store) {
    populate(store).await;
    let mut crooked = window("PA_1", Sku::Audio, 0, 9);
    crooked.window_start = at(1);
    let mut nameless = opened("PA_4", 1, "hall", 0);
    nameless.identity.clear();
    let mut roomless = opened("PA_5", 1, "hall", 0);
    roomless.room = RoomName::Text("int/x".into());
    let mut ancient = closed("PA_1", 0, StayEnd::Left);
    ancient.ended_at = Timestamp::from_second(-1).expect("in range");
    let report = UsageBatch {
        opened: vec![
            opened("PA_1", 1, "hall", 0),
            opened("PA_1", 2, "hall", 0),
            opened("PA_3", 77, "hall", 0),
            nameless,
            roomless,
        ],
        windows: vec![
            crooked,
            window("PA_1", Sku::Audio, 1, 0),
            window("PA_1", Sku::Audio, 2, u32::MAX),
        ],
        closed: vec![ancient],
        ..batch("ND_1")
    };
    for _ in 0..2 {
        store.intake(report.clone(), wall()).await.expect("taken");
    }
    let rows = store.list_quarantine(99).await.expect("rows");
    let found: Vec<_> = rows.iter().map(|row| (row.stay.as_str(), row.reason)).collect();
    assert_eq!(
        found,
        [
            ("PA_1", Why::TimeOutOfRange),
            ("PA_1", Why::OpeningContradicts),
            ("PA_1", Why::WindowMisaligned),
            ("PA_1", Why::SecondsOutOfRange),
            ("PA_1", Why::SecondsOutOfRange),
            ("PA_3", Why::AppUnknown),
            ("PA_4", Why::IdInvalid),
            ("PA_5", Why::IdInvalid),
        ]
    );
    assert!(seconds(store).await.is_empty());
    assert_eq!(end_of(store, "PA_1").await, None);
}

async fn the_quarantine_is_bounded(store: &dyn Store) {
    populate(store).await;
    let bound = i64::try_from(QUARANTINE_ROWS_MAX).expect("fits");
    for (minutes, rows) in [(0..bound, bound), (bound..bound + 5, bound), (0..5, bound)] {
        let mut report = batch("ND_1");
        report.opened = vec![opened("PA_1", 1, "hall", 0)];
        report.windows = minutes.map(|start| window("PA_1", Sku::Audio, start, 61)).collect();
        store.intake(report, wall()).await.expect("taken");
        let kept = store.check().await.expect("checked").quarantined;
        assert_eq!(i64::try_from(kept), Ok(rows));
    }
    assert!(seconds(store).await.is_empty(), "what is not kept is not counted either");
}

async fn a_bad_fact_does_not_stop_the_others(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    report.opened = vec![opened("PA_1", 99, "hall", 0), opened("PA_2", 1, "hall", 0)];
    report.windows = vec![window("PA_2", Sku::Audio, 0, 61), window("PA_2", Sku::Audio, 1, 5)];
    store.intake(report.clone(), wall()).await.expect("taken");
    assert_eq!(seconds(store).await[0].2, 5);
    // Once the application exists, the same report counts.
    create_app(store, app(99, "AC_1")).await.expect("app");
    store.intake(report, wall()).await.expect("taken");
    let stays = store.list_stays(SdkAppId(99), None, at(0), at(1), None, 9).await.expect("stays");
    assert_eq!(stays.len(), 1);
}

async fn lost_stays_end_at_the_watermark(store: &dyn Store) {
    populate(store).await;
    assert_eq!(store.close_lost_stays(node("ND_1")).await.expect("none"), 0);
    let mut report = batch("ND_1");
    report.opened = ["PA_1", "PA_2", "PA_3"].map(|stay| opened(stay, 1, "hall", 0)).into();
    report.opened.push(opened("PA_4", 1, "hall", 500));
    report.closed = vec![closed("PA_3", 30, StayEnd::Left)];
    report.windows = vec![window("PA_1", Sku::Audio, 0, 60), window("PA_1", Sku::Audio, 1, 40)];
    report.watermark = at(100);
    store.intake(report, wall()).await.expect("taken");
    let mut other = batch("ND_2");
    other.opened = vec![opened("PA_5", 1, "hall", 0)];
    other.watermark = at(900);
    store.intake(other, wall()).await.expect("taken");
    // An older watermark that arrives late changes nothing.
    store.intake(UsageBatch { watermark: at(50), ..batch("ND_1") }, wall()).await.expect("taken");

    assert_eq!(store.close_lost_stays(node("ND_1")).await.expect("closed"), 3);
    assert_eq!(store.close_lost_stays(node("ND_1")).await.expect("again"), 0);
    assert_eq!(end_of(store, "PA_1").await, Some((at(100), StayEnd::Lost)));
    assert_eq!(end_of(store, "PA_3").await, Some((at(30), StayEnd::Left)));
    assert_eq!(end_of(store, "PA_4").await, Some((at(500), StayEnd::Lost)), "never before entry");
    assert_eq!(end_of(store, "PA_5").await, None, "another node's");
    // The node was not lost after all: its own word holds.
    let mut back = batch("ND_1");
    back.closed = vec![closed("PA_1", 160, StayEnd::Left)];
    store.intake(back, wall()).await.expect("taken");
    assert_eq!(end_of(store, "PA_1").await, Some((at(160), StayEnd::Left)));
}

async fn a_stepped_clock_does_not_stretch_lost_stays(store: &dyn Store) {
    populate(store).await;
    // What was entered and counted (second of entry, minute of the last window), the watermark, the end.
    let day = 86_400;
    let rows = [
        ("a day ahead", 10, Some(2), 130 + day, 240),
        ("a day ahead, nothing counted", 10, None, 10 + day, 70),
        ("true", 10, Some(2), 150, 150),
        ("a little behind the last window", 10, Some(2), 200, 200),
        ("stepped back during the stay", 100, Some(2), 100, 120),
        ("before the entry", 100, None, 20, 100),
    ];
    for (number, (what, entered, last, watermark, expected)) in rows.into_iter().enumerate() {
        let (by, stay) = (format!("ND_{number}"), format!("PA_{number}"));
        let mut report = batch(&by);
        report.opened = vec![opened(&stay, 1, "hall", entered)];
        report.windows =
            last.map(|minute| window(&stay, Sku::Audio, minute, 7)).into_iter().collect();
        report.watermark = at(watermark);
        let counted = seconds(store).await;
        store.intake(report.clone(), wall()).await.expect("taken");
        let with_it = seconds(store).await;
        assert_eq!(with_it == counted, last.is_none(), "{what}");
        assert_eq!(store.close_lost_stays(node(&by)).await.expect("closed"), 1, "{what}");
        assert_eq!(end_of(store, &stay).await, Some((at(expected), StayEnd::Lost)), "{what}");
        // The clock is right again, and the same is reported once more: nothing opens, nothing is added.
        store.intake(UsageBatch { watermark: at(50), ..report }, wall()).await.expect("taken");
        assert_eq!(store.close_lost_stays(node(&by)).await.expect("none"), 0, "{what}");
        assert_eq!(end_of(store, &stay).await, Some((at(expected), StayEnd::Lost)), "{what}");
        assert_eq!(seconds(store).await, with_it, "{what}");
    }
}

async fn stays_are_listed_in_pages(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    let entries = [("PA_b", 5), ("PA_a", 5), ("PA_c", 5), ("PA_d", 1), ("PA_e", 9), ("PA_f", 10)];
    report.opened = entries.map(|(stay, second)| opened(stay, 1, "hall", second)).into();
    store.intake(report, wall()).await.expect("taken");
    let mut seen = vec![];
    let mut after = None;
    loop {
        let page = store.list_stays(SdkAppId(1), None, at(1), at(10), after.clone(), 2);
        let page = page.await.expect("page");
        let Some(last) = page.last() else { break };
        after = Some((last.entered_at, last.stay.clone()));
        seen.extend(page.into_iter().map(|row| row.stay.to_string()));
    }
    assert_eq!(seen, ["PA_d", "PA_a", "PA_b", "PA_c", "PA_e"]);
}

async fn odd_texts_survive(store: &dyn Store) {
    let mut odd = account("AC_\u{0}'\"%");
    odd.name = "\u{0}; DROP TABLE accounts; -- ☃".to_owned();
    open_account(store, odd.clone()).await.expect("made");
    assert_eq!(store.account(odd.id.clone()).await.expect("there"), odd);
    create_app(store, app(1, odd.id.as_str())).await.expect("app");
    let mut report = batch("ND_\u{0}");
    let mut stay = opened("PA_\u{0}", 1, "\u{0}'; --", 0);
    stay.identity = "\u{0}a\u{202e}".to_owned();
    report.opened = vec![stay.clone()];
    report.windows = vec![window("PA_\u{0}", Sku::Audio, 0, 1)];
    store.intake(report, wall()).await.expect("taken");
    let stays = store.list_stays(SdkAppId(1), Some(stay.room.clone()), at(0), at(1), None, 9);
    let stays = stays.await.expect("stays");
    assert_eq!((&stays[0].identity, &stays[0].stay), (&stay.identity, &stay.stay));
    assert!(digest(store).await.contains("☃"));
}

async fn a_closed_store_says_so(store: &dyn Store) {
    populate(store).await;
    store.close().await.expect("closes");
    store.close().await.expect("twice");
    assert!(matches!(open_account(store, account("AC_1")).await, Err(StoreError::Closed)));
    assert!(matches!(store.load_apps().await, Err(StoreError::Closed)));
    assert!(matches!(store.check().await, Err(StoreError::Closed)));
}

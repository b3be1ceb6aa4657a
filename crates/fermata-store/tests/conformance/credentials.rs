//! What every store must do with secret pairs, callback settings and usage by span. One suite, run on both backends.

use fermata_store::limits::{
    APPS_PER_SECRET_MAX, CALLBACK_URL_LEN_MAX, SECRETS_IN_FORCE_MAX, SECRETS_PER_ACCOUNT_MAX,
    WEBHOOKS_PER_APP_MAX,
};
use fermata_store::{
    ApiSecret, AppCallbacks, MemoryStore, SecretPolicy, SpanUsage, Store, StoreError, Webhook,
};
use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::Timestamp;

use crate::common::{
    api_key, app, at, batch, callback, create_app, minute, opened, populate, secret, wall, webhook,
    window,
};

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
                let report = store.check().await.expect("checked");
                assert_eq!(report.problems, Vec::<String>::new());
                store.close().await.expect("closes");
            })*
        }
    };
}

suite! {
    secrets_are_made_once
    secrets_are_revoked_once_and_only_by_their_account
    bad_secrets_are_refused
    secrets_are_bounded
    callbacks_are_replaced
    bad_callbacks_are_refused
    seconds_come_back_by_span
    bad_spans_are_refused
}

fn is_invalid<T>(result: &Result<T, StoreError>, field: &str) -> bool {
    matches!(result, Err(StoreError::Invalid { field: found, .. }) if *found == field)
}

fn id(text: &str) -> AccountId {
    AccountId::from_text(text)
}

fn ids(secrets: &[ApiSecret]) -> Vec<&str> {
    secrets.iter().map(|secret| secret.secret_id.as_str()).collect()
}

async fn secrets_are_made_once(store: &dyn Store) {
    let orphan = store.create_secret(secret("AKIDa", "AC_1")).await;
    assert!(matches!(orphan, Err(StoreError::NotFound { what: "account", .. })), "{orphan:?}");
    populate(store).await;
    let mut new = secret("AKIDa", "AC_1");
    new.apps = vec![SdkAppId(2), SdkAppId(1)];
    new.created_at = Timestamp::from_nanosecond(1_500_000_000_123_456_789).expect("in range");
    let kept = store.create_secret(new.clone()).await.expect("made");
    assert_eq!(kept.apps, [SdkAppId(1), SdkAppId(2)], "ascending");
    assert_eq!(kept.created_at.as_nanosecond(), 1_500_000_000_123_456_000, "microseconds are kept");
    assert!(store.create_secret(new).await.expect("again") == kept);
    for other in [secret("AKIDa", "AC_1"), secret("AKIDa", "AC_2")] {
        let taken = store.create_secret(other).await;
        assert!(matches!(taken, Err(StoreError::Exists { what: "secret", .. })), "{taken:?}");
    }
    let mut reader = secret("AKIDb", "AC_2");
    reader.policy = SecretPolicy::ReadOnly;
    store.create_secret(reader.clone()).await.expect("made");
    assert!(store.list_secrets(id("AC_1")).await.expect("secrets") == [kept.clone()]);
    assert!(store.list_secrets(id("AC_2")).await.expect("secrets") == [reader.clone()]);
    assert!(store.load_secrets().await.expect("secrets") == [kept, reader]);
    assert!(store.list_secrets(id("AC_9")).await.is_err());
}

async fn secrets_are_revoked_once_and_only_by_their_account(store: &dyn Store) {
    populate(store).await;
    store.create_secret(secret("AKIDa", "AC_1")).await.expect("made");
    let foreign = store.revoke_secret(id("AC_2"), "AKIDa".to_owned(), at(1)).await;
    assert!(matches!(foreign, Err(StoreError::NotFound { what: "secret", .. })), "{foreign:?}");
    assert_eq!(ids(&store.load_secrets().await.expect("secrets")), ["AKIDa"], "still in force");
    for second in [5, 9] {
        let revoked = store.revoke_secret(id("AC_1"), "AKIDa".to_owned(), at(second)).await;
        assert_eq!(revoked.expect("revoked").revoked_at, Some(at(5)));
    }
    let again = store.create_secret(secret("AKIDa", "AC_1")).await.expect("known");
    assert_eq!(again.revoked_at, Some(at(5)), "making it again does not bring it back");
    assert!(store.load_secrets().await.expect("secrets").is_empty());
    assert_eq!(ids(&store.list_secrets(id("AC_1")).await.expect("secrets")), ["AKIDa"]);
    assert!(store.revoke_secret(id("AC_1"), "AKIDz".to_owned(), at(1)).await.is_err());
    assert!(store.revoke_secret(id("AC_9"), "AKIDa".to_owned(), at(1)).await.is_err());
}

type Bend = fn(&mut ApiSecret);

async fn bad_secrets_are_refused(store: &dyn Store) {
    populate(store).await;
    create_app(store, app(3, "AC_2")).await.expect("app");
    let rows: [(&str, Bend); 12] = [
        ("secret_id", |s| s.secret_id = "abc".to_owned()),
        ("secret_id", |s| s.secret_id = "x".repeat(65)),
        ("secret_id", |s| s.secret_id = "AKID-1".to_owned()),
        ("name", |s| s.name = String::new()),
        ("name", |s| s.name = "é".repeat(129)),
        ("secret_key", |s| s.secret_key = "x".repeat(15)),
        ("secret_key", |s| s.secret_key = "x".repeat(129)),
        ("secret_key", |s| s.secret_key = "with a space in it".to_owned()),
        ("apps", |s| s.apps = vec![SdkAppId(3)]),
        ("apps", |s| s.apps = vec![SdkAppId(1), SdkAppId(9)]),
        ("apps", |s| s.apps = vec![SdkAppId(1), SdkAppId(1)]),
        ("apps", |s| s.apps = (1_u32..).take(APPS_PER_SECRET_MAX + 1).map(SdkAppId).collect()),
    ];
    for (n, (field, bend)) in rows.into_iter().enumerate() {
        let mut bad = secret("AKIDa", "AC_1");
        bend(&mut bad);
        assert!(is_invalid(&store.create_secret(bad).await, field), "{n}: {field}");
    }
    let mut revoked = secret("AKIDa", "AC_1");
    revoked.revoked_at = Some(at(1));
    assert!(is_invalid(&store.create_secret(revoked).await, "revoked_at"));
    assert!(store.list_secrets(id("AC_1")).await.expect("secrets").is_empty());
}

async fn secrets_are_bounded(store: &dyn Store) {
    populate(store).await;
    let name = |n: usize| format!("AKID{n:05}");
    for n in 0..SECRETS_IN_FORCE_MAX {
        store.create_secret(secret(&name(n), "AC_1")).await.expect("made");
    }
    let more = || store.create_secret(secret("AKIDmore", "AC_1"));
    assert!(is_invalid(&more().await, "secrets"));
    store.create_secret(secret("AKIDother", "AC_2")).await.expect("another account's");
    for n in SECRETS_IN_FORCE_MAX..SECRETS_PER_ACCOUNT_MAX {
        let oldest = name(n - SECRETS_IN_FORCE_MAX);
        store.revoke_secret(id("AC_1"), oldest, at(1)).await.expect("revoked");
        store.create_secret(secret(&name(n), "AC_1")).await.expect("made");
    }
    let last = name(SECRETS_PER_ACCOUNT_MAX - 1);
    store.revoke_secret(id("AC_1"), last, at(1)).await.expect("revoked");
    assert!(is_invalid(&more().await, "secrets"), "revoked ones stay in the list");
}

async fn callbacks_are_replaced(store: &dyn Store) {
    populate(store).await;
    let first = SdkAppId(1);
    assert_eq!(store.callbacks(first).await.expect("none"), AppCallbacks::default());
    assert!(store.callbacks(SdkAppId(9)).await.is_err());
    assert!(store.set_callbacks(SdkAppId(9), AppCallbacks::default()).await.is_err());
    let mut all = AppCallbacks {
        callback: Some(callback("https://example.com/c")),
        webhooks: vec![
            webhook("http://b.example", Some("key1")),
            webhook("http://a.example", None),
        ],
    };
    for _ in 0..2 {
        assert_eq!(store.set_callbacks(first, all.clone()).await.expect("set"), all);
        assert_eq!(store.callbacks(first).await.expect("callbacks"), all, "order is kept");
        assert_eq!(store.load_callbacks().await.expect("callbacks"), [(first, all.clone())]);
    }
    let mut other = callback("https://other.example");
    other.key = "k".to_owned();
    other.groups = vec![1, 11];
    let other = AppCallbacks { callback: Some(other), webhooks: Vec::new() };
    store.set_callbacks(SdkAppId(2), other.clone()).await.expect("set");
    all.callback = None;
    all.webhooks.remove(0);
    store.set_callbacks(first, all.clone()).await.expect("replaced");
    let loaded = store.load_callbacks().await.expect("callbacks");
    assert_eq!(loaded, [(first, all), (SdkAppId(2), other)]);
    store.set_callbacks(first, AppCallbacks::default()).await.expect("emptied");
    assert_eq!(store.load_callbacks().await.expect("callbacks").len(), 1);

    // A key that a webhook names may be removed; the name stays.
    store.add_api_key(first, api_key("fresh")).await.expect("added");
    let named = AppCallbacks { callback: None, webhooks: vec![webhook("http://a", Some("fresh"))] };
    store.set_callbacks(first, named.clone()).await.expect("set");
    store.remove_api_key(first, "fresh".to_owned()).await.expect("removed");
    assert_eq!(store.callbacks(first).await.expect("callbacks"), named);
}

async fn bad_callbacks_are_refused(store: &dyn Store) {
    populate(store).await;
    let app = SdkAppId(1);
    let long = format!("https://example.com/{}", "x".repeat(CALLBACK_URL_LEN_MAX));
    for url in
        ["", "example.com", "ftp://example.com", "http://", "http://a b", "http://u@h", &long]
    {
        let all = AppCallbacks { callback: Some(callback(url)), webhooks: Vec::new() };
        assert!(is_invalid(&store.set_callbacks(app, all).await, "callback.url"), "{url}");
        let all = AppCallbacks { callback: None, webhooks: vec![webhook(url, None)] };
        assert!(is_invalid(&store.set_callbacks(app, all).await, "webhooks"), "{url}");
    }
    for key in ["", &"x".repeat(33), "a-b", "ключ"] {
        let mut bad = callback("https://example.com");
        bad.key = key.to_owned();
        let all = AppCallbacks { callback: Some(bad), webhooks: Vec::new() };
        assert!(is_invalid(&store.set_callbacks(app, all).await, "callback.key"), "{key}");
    }
    for groups in [&[][..], &[0], &[12], &[2, 1], &[1, 1]] {
        let mut bad = callback("https://example.com");
        bad.groups = groups.to_vec();
        let all = AppCallbacks { callback: Some(bad), webhooks: Vec::new() };
        assert!(is_invalid(&store.set_callbacks(app, all).await, "callback.groups"), "{groups:?}");
    }
    let many = |count: usize| AppCallbacks {
        callback: None,
        webhooks: (0..count).map(|n| webhook(&format!("http://h{n}"), None)).collect(),
    };
    assert!(is_invalid(
        &store.set_callbacks(app, many(WEBHOOKS_PER_APP_MAX + 1)).await,
        "webhooks"
    ));
    let twins: Vec<Webhook> = vec![webhook("http://a", None), webhook("http://a", Some("key1"))];
    let twins = AppCallbacks { callback: None, webhooks: twins };
    assert!(is_invalid(&store.set_callbacks(app, twins).await, "webhooks"));
    for key in ["", "key2"] {
        let foreign =
            AppCallbacks { callback: None, webhooks: vec![webhook("http://a", Some(key))] };
        let set = store.set_callbacks(app, foreign).await;
        assert!(is_invalid(&set, "webhooks.api_key"), "{set:?}");
    }
    assert_eq!(store.load_callbacks().await.expect("callbacks"), [], "nothing of it was kept");
    store.set_callbacks(app, many(WEBHOOKS_PER_APP_MAX)).await.expect("as many as are allowed");
}

async fn seconds_come_back_by_span(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    report.opened = vec![opened("PA_1", 1, "hall", 0), opened("PA_2", 2, "hall", 0)];
    report.windows = vec![
        window("PA_1", Sku::VideoHd, 0, 10),
        window("PA_1", Sku::Audio, 0, 20),
        window("PA_1", Sku::Audio, 4, 30),
        window("PA_1", Sku::Audio, 5, 40),
        window("PA_1", Sku::Audio, 12, 50),
        // More than a minute in a minute, another application, a stay that was never opened.
        window("PA_1", Sku::Audio, 6, 60),
        window("PA_1", Sku::VideoHd, 6, 1),
        window("PA_2", Sku::Audio, 0, 7),
        window("PA_3", Sku::Audio, 0, 7),
    ];
    store.intake(report, wall()).await.expect("taken");
    let spans = async |from: Timestamp, to: Timestamp, span_s: u32| {
        let found = store.usage_by_span(SdkAppId(1), from, to, span_s).await.expect("spans");
        let row = |SpanUsage { start, sku, seconds }| {
            (start.duration_since(minute(0)).as_secs(), sku, seconds)
        };
        found.into_iter().map(row).collect::<Vec<_>>()
    };
    let five = [(0, Sku::Audio, 50), (0, Sku::VideoHd, 10), (300, Sku::Audio, 40)];
    let mut whole = five.to_vec();
    whole.push((600, Sku::Audio, 50));
    assert_eq!(spans(minute(0), minute(13), 300).await, whole);
    assert_eq!(spans(minute(0), minute(12), 300).await, five, "`to` is exclusive");
    let later = [(120, Sku::Audio, 70), (720, Sku::Audio, 50)];
    assert_eq!(spans(minute(2), minute(20), 600).await, later, "spans begin at `from`");
    let odd = [(-30, Sku::Audio, 20), (-30, Sku::VideoHd, 10)];
    assert_eq!(spans(at(-30), minute(4), 60).await, odd, "wherever that is");
    let day = [(0, Sku::Audio, 140), (0, Sku::VideoHd, 10)];
    assert_eq!(spans(minute(0), at(31 * 86_400), 86_400).await, day);
    assert_eq!(spans(minute(0), minute(0), 60).await, []);
    assert_eq!(spans(at(-86_400), minute(0), 60).await, []);
}

async fn bad_spans_are_refused(store: &dyn Store) {
    populate(store).await;
    let ask = |from, to, span_s| store.usage_by_span(SdkAppId(1), at(from), at(to), span_s);
    for span_s in [0, 59, 61, 90, 86_460, u32::MAX] {
        assert!(is_invalid(&ask(0, 60, span_s).await, "span_s"), "{span_s}");
    }
    assert!(is_invalid(&ask(60, 0, 60).await, "from"));
    // The longest month with the hour that a change of clocks adds.
    assert!(ask(0, 31 * 86_400 + 3_600, 86_400).await.is_ok());
    assert!(is_invalid(&ask(0, 31 * 86_400 + 3_601, 86_400).await, "to"));
    assert!(store.usage_by_span(SdkAppId(9), at(0), at(60), 60).await.is_err());
    let ends = store.usage_by_span(SdkAppId(1), Timestamp::MIN, Timestamp::MAX, 60).await;
    assert!(is_invalid(&ends, "to"));
}

//! Data that is older than books: its accounts get books, and nothing of it is lost.

use fermata_billing::hold::HoldKind;
use fermata_billing::journal::{PostingKind, Record};
use fermata_billing::state::BillingMode;
use fermata_store::{AppCallbacks, SqliteStore, Store};
use fermata_types::{AccountId, SdkAppId, Sku};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::{
    at, batch, callback, console_user, days, digest, options, secret, wall, webhook, window,
};

/// The first schema, as it was released.
const FIRST: &str = include_str!("../../src/sqlite/migrations/0001_start.sql");

/// The second one, as it was released.
const SECOND: &str = include_str!("../../src/sqlite/migrations/0002_books.sql");

/// The third one, as it was released.
const THIRD: &str = include_str!("../../src/sqlite/migrations/0003_server_apis.sql");

/// The fourth one, as it was released.
const FOURTH: &str = include_str!("../../src/sqlite/migrations/0004_postings.sql");

/// What a file consists of.
fn objects(conn: &Connection) -> Vec<(String, Option<String>)> {
    let sql = "SELECT name, sql FROM sqlite_schema ORDER BY name";
    let mut statement = conn.prepare(sql).expect("schema");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

/// Takes out of a grown file what came after a schema, so that opening adds it again.
fn go_back(dir: &TempDir, sql: &str, schema: &str) {
    let raw = Connection::open(dir.path().join("s.db")).expect("opens");
    raw.execute_batch(sql).expect("back");
    let released = Connection::open_in_memory().expect("opens");
    released.execute_batch(schema).expect("written");
    assert_eq!(objects(&raw), objects(&released), "it is that schema");
}

/// A file of the first schema with two accounts, one disabled application and some use.
fn old_file(dir: &TempDir) {
    let start_us = at(0).as_microsecond();
    let conn = Connection::open(dir.path().join("s.db")).expect("opens");
    conn.execute_batch(&format!(
        "BEGIN; {FIRST}
         PRAGMA application_id = {}; PRAGMA user_version = 1;
         INSERT INTO accounts VALUES ('AC_1', 'Choir', 'Europe/Berlin', {start_us}),
             ('AC_2', 'Band', 'Asia/Kathmandu', {start_us});
         INSERT INTO apps VALUES (1, 'AC_1', 'One', 1, 'call', 90, 0, {start_us}, 1, x'00'),
             (2, 'AC_1', 'Two', 0, 'live', 60, 1, {start_us}, 4, x'00');
         INSERT INTO stays VALUES ('PA_1', 1, 'ND_1', 'hall', 'RM_1', 'ann', 'call', 'anchor',
             {start_us}, NULL, NULL);
         INSERT INTO usage_windows VALUES ('PA_1', {start_us}, 'audio', 30);
         INSERT INTO stay_totals VALUES ('PA_1', 'audio', 30);
         INSERT INTO minute_totals VALUES (1, {start_us}, 'audio', 30);
         INSERT INTO node_watermarks VALUES ('ND_1', {start_us});
         COMMIT;",
        0x4652_4d54
    ))
    .expect("written");
}

#[tokio::test]
async fn accounts_without_books_get_them_on_opening() {
    let dir = tempfile::tempdir().expect("folder");
    old_file(&dir);
    for _ in 0..2 {
        let store = SqliteStore::open(options(&dir)).expect("migrates");
        let books = store.books(AccountId::from_text("AC_1"), wall()).await.expect("books");
        let profile = books.state.profile.expect("open");
        // Daily: a grown installation must not be suspended when its free minutes are used.
        assert_eq!((profile.billing, profile.opened_at), (BillingMode::Daily, at(0)));
        assert_eq!(profile.calendar.eras()[0].zone, "Europe/Berlin");
        let holds: Vec<_> = books
            .state
            .holds
            .values()
            .map(|hold| (hold.kind, hold.scope.covers(SdkAppId(2))))
            .collect();
        assert_eq!(holds, [(HoldKind::Manual, true)], "the disabled application stays disabled");
        let other = store.books(AccountId::from_text("AC_2"), wall()).await.expect("books");
        assert_eq!(other.state.profile.expect("open").calendar.eras()[0].zone, "Asia/Kathmandu");
        let two = store.app(SdkAppId(2)).await.expect("app");
        assert_eq!((two.name.as_str(), two.epoch, two.disconnect_timeout_s), ("Two", 4, 60));
        let (from, to) = days();
        let days = store.usage_by_day(SdkAppId(1), from, to).await.expect("days");
        assert_eq!(days.iter().map(|row| row.seconds).collect::<Vec<_>>(), [30]);
        assert_eq!(store.verify().await.expect("verified").problems, Vec::<String>::new());
        store.close().await.expect("closes");
    }

    // Old use is not billed; what comes on top is.
    let store = SqliteStore::open(options(&dir)).expect("opens");
    let mut report = batch("ND_1");
    report.windows = vec![window("PA_1", Sku::Audio, 0, 45)];
    store.intake(report, wall()).await.expect("taken");
    let (from, to) = days();
    let uses = store.day_uses(AccountId::from_text("AC_1"), from, to).await.expect("days");
    assert_eq!(uses.iter().map(|day| day.seconds).collect::<Vec<_>>(), [15]);
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_file_of_the_second_schema_keeps_its_rows_and_takes_secrets() {
    let dir = tempfile::tempdir().expect("folder");
    let store = SqliteStore::open(options(&dir)).expect("opens");
    crate::common::populate(&store).await;
    let mut report = batch("ND_1");
    report.opened = vec![crate::common::opened("PA_1", 1, "hall", 0)];
    report.windows = vec![window("PA_1", Sku::Audio, 0, 45)];
    store.intake(report, wall()).await.expect("taken");
    let before = digest(&store).await;
    store.close().await.expect("closes");
    let later = "DROP TABLE console_sessions; DROP TABLE console_users;
         DROP INDEX journal_by_posting; DROP TABLE api_secrets; DROP TABLE app_callbacks;
         DROP TABLE app_webhooks; PRAGMA user_version = 2;";
    go_back(&dir, later, &format!("{FIRST} {SECOND}"));

    let store = SqliteStore::open(options(&dir)).expect("migrates");
    assert_eq!(digest(&store).await, before);
    store.create_secret(secret("AKID1", "AC_1")).await.expect("secret");
    let all = AppCallbacks {
        callback: Some(callback("https://example.com")),
        webhooks: vec![webhook("https://example.com", Some("key1"))],
    };
    store.set_callbacks(SdkAppId(1), all).await.expect("callbacks");
    let report = store.check().await.expect("checked");
    assert_eq!((report.schema_version, report.problems), (5, Vec::<String>::new()));
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_file_of_the_third_schema_finds_its_postings() {
    let dir = tempfile::tempdir().expect("folder");
    let store = SqliteStore::open(options(&dir)).expect("opens");
    crate::common::populate(&store).await;
    let before = digest(&store).await;
    store.close().await.expect("closes");
    let later = "DROP TABLE console_sessions; DROP TABLE console_users;
         DROP INDEX journal_by_posting; PRAGMA user_version = 3;";
    go_back(&dir, later, &format!("{FIRST} {SECOND} {THIRD}"));

    let store = SqliteStore::open(options(&dir)).expect("migrates");
    assert_eq!(digest(&store).await, before);
    let account = AccountId::from_text("AC_1");
    let rows = store.journal(account, &[], &[PostingKind::Grant], 0, 9).await.expect("rows");
    let kinds: Vec<_> = rows
        .iter()
        .map(|row| if let Record::Txn(txn) = &row.record { Some(txn.kind) } else { None })
        .collect();
    assert_eq!(kinds, [Some(PostingKind::Grant)], "the free minutes");
    let report = store.check().await.expect("checked");
    assert_eq!((report.schema_version, report.problems), (5, Vec::<String>::new()));
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_file_of_the_fourth_schema_takes_users_of_the_console() {
    let dir = tempfile::tempdir().expect("folder");
    let store = SqliteStore::open(options(&dir)).expect("opens");
    crate::common::populate(&store).await;
    let before = digest(&store).await;
    store.close().await.expect("closes");
    let later = "DROP TABLE console_sessions; DROP TABLE console_users; PRAGMA user_version = 4;";
    go_back(&dir, later, &format!("{FIRST} {SECOND} {THIRD} {FOURTH}"));

    let store = SqliteStore::open(options(&dir)).expect("migrates");
    assert_eq!(digest(&store).await, before);
    store.create_console_user(console_user("CU_1", "ann")).await.expect("user");
    let report = store.check().await.expect("checked");
    assert_eq!((report.schema_version, report.problems), (5, Vec::<String>::new()));
    store.close().await.expect("closes");
}

#[tokio::test]
async fn usage_waits_while_books_are_broken() {
    let dir = tempfile::tempdir().expect("folder");
    let store = SqliteStore::open(options(&dir)).expect("opens");
    crate::common::populate(&store).await;
    store.close().await.expect("closes");
    let raw = Connection::open(dir.path().join("s.db")).expect("opens");
    let hide = "UPDATE account_items SET account_id = 'AC_2', key = 'hidden'
        WHERE kind = 'profile' AND account_id = 'AC_1'";
    raw.execute(hide, []).expect("hidden");
    drop(raw);

    let store = SqliteStore::open(options(&dir)).expect("opens");
    let mut report = batch("ND_1");
    report.opened = vec![crate::common::opened("PA_1", 1, "hall", 0)];
    report.windows = vec![window("PA_1", Sku::Audio, 0, 45)];
    store.intake(report, wall()).await.expect("taken all the same");
    store.close().await.expect("closes");
    let raw = Connection::open(dir.path().join("s.db")).expect("opens");
    let show = "UPDATE account_items SET account_id = 'AC_1', key = '' WHERE key = 'hidden'";
    raw.execute(show, []).expect("back");
    drop(raw);

    let store = SqliteStore::open(options(&dir)).expect("opens");
    store.fire_due(wall(), 10).await.expect("fired");
    let (from, to) = days();
    let uses = store.day_uses(AccountId::from_text("AC_1"), from, to).await.expect("days");
    assert_eq!(uses.iter().map(|day| day.seconds).collect::<Vec<_>>(), [45]);
    assert_eq!(store.check().await.expect("checked").problems, Vec::<String>::new());
    store.close().await.expect("closes");
}

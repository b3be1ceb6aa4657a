//! What holds when disks fill, keys are wrong, files are foreign and programs run twice.

use std::time::Duration;

use fermata_store::{
    AppCallbacks, ConsoleTotp, DATABASE_FILE, KEY_FILE, SecretKey, SqliteOptions, SqliteStore,
    Store, StoreError, copy_key, restore, verify_backup,
};
use fermata_types::{SdkAppId, Sku, UsageBatch};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::{
    account, app, at, batch, callback, console_session, console_user, digest, open, open_account,
    opened, options, populate, secret, token, wall, webhook, window,
};

async fn fresh() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(&dir);
    populate(&store).await;
    (dir, store)
}

/// A secret pair of each account, and callbacks of each application.
async fn server_apis(store: &SqliteStore) {
    for n in ["1", "2"] {
        let mut new = secret(&format!("AKID{n}"), &format!("AC_{n}"));
        new.apps = if n == "1" { vec![SdkAppId(1), SdkAppId(2)] } else { Vec::new() };
        store.create_secret(new).await.expect("secret");
    }
    for n in [1, 2] {
        let all = AppCallbacks {
            callback: Some(callback("https://example.com")),
            webhooks: vec![webhook("https://example.com", Some(&format!("key{n}")))],
        };
        store.set_callbacks(SdkAppId(n), all).await.expect("callbacks");
    }
}

/// Opens the data of a closed store past the store's back.
fn raw(dir: &TempDir) -> Connection {
    Connection::open(dir.path().join("s.db")).expect("opens")
}

/// One stay with a window in each of `minutes` minutes.
fn long_stay(stay: &str, minutes: i64) -> UsageBatch {
    let mut report = batch("ND_1");
    report.opened = vec![opened(stay, 1, "hall", 0)];
    report.windows = (0..minutes).map(|start| window(stay, Sku::Audio, start, 60)).collect();
    report
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let (dir, store) = fresh().await;
    store.create_api_token(token("TK_1", 1)).await.expect("token");
    server_apis(&store).await;
    let mut user = console_user("CU_1", "ann");
    user.totp = Some(ConsoleTotp { secret: vec![1, 2, 3], last_step: Some(7) });
    store.create_console_user(user).await.expect("user");
    store.create_console_session(console_session(1, "CU_1", 0)).await.expect("session");
    store.intake(long_stay("PA_1", 90), wall()).await.expect("taken");
    let before = digest(&store).await;
    store.close().await.expect("closes");
    let store = open(&dir);
    assert_eq!(digest(&store).await, before);
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_call_is_carried_out_even_if_nobody_waits_for_it() {
    let (dir, store) = fresh().await;
    drop(open_account(&store, account("AC_dropped")));
    store.close().await.expect("closes");
    let store = open(&dir);
    store.account(account("AC_dropped").id).await.expect("it is there");
    store.close().await.expect("closes");
}

#[tokio::test]
async fn commands_share_commits() {
    let (_dir, store) = fresh().await;
    let before = store.stats();
    let calls: Vec<_> =
        (0..200).map(|n| open_account(&store, account(&format!("AC_many{n}")))).collect();
    for call in calls {
        call.await.expect("made");
    }
    let after = store.stats();
    assert_eq!(after.commands - before.commands, 200);
    assert!(after.commits - before.commits < 100, "{after:?}");
    assert_eq!((after.queue_depth, after.failures), (0, 0));
    store.close().await.expect("closes");
}

#[tokio::test]
async fn one_failing_command_does_not_harm_its_neighbours() {
    let dir = tempfile::tempdir().expect("folder");
    let mut options = options(&dir);
    // Long enough that the three below are one group.
    options.batch_wait = Duration::from_millis(200);
    let store = SqliteStore::open(options).expect("opens");
    let mut twin = account("AC_1");
    twin.name = "Twin".to_owned();
    let first = open_account(&store, account("AC_1"));
    let second = open_account(&store, twin);
    let third = open_account(&store, account("AC_2"));
    first.await.expect("made");
    assert!(matches!(second.await, Err(StoreError::Exists { .. })));
    third.await.expect("made");
    assert_eq!(store.stats().batches, 1);
    assert_eq!(store.list_accounts(None, 9).await.expect("accounts").len(), 2);
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let (dir, store) = fresh().await;
    store.close().await.expect("closes");
    let mut limited = options(&dir);
    limited.pages_max = Some(200);
    let store = SqliteStore::open(limited).expect("opens");
    let mut taken = 0;
    let error = loop {
        match store.intake(long_stay(&format!("PA_{taken}"), 500), wall()).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 1_000, "the quota is never reached");
    };
    assert!(matches!(error, StoreError::NotWritable(_)), "{error}");
    assert!(store.stats().not_writable > 0);

    // What was acknowledged is there, nothing else is, and reading goes on.
    let stays = store.list_stays(SdkAppId(1), None, at(0), at(1), None, 1_000).await.expect("read");
    assert_eq!(stays.len(), taken);
    assert!(stays.iter().all(|stay| stay.seconds == [(Sku::Audio, 30_000)]));

    store.set_pages_max(100_000).await.expect("room");
    store.probe(at(1)).await.expect("writable again");
    store.intake(long_stay(&format!("PA_{taken}"), 500), wall()).await.expect("taken");
    assert_eq!(store.check().await.expect("checked").problems, Vec::<String>::new());
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_full_queue_refuses_and_loses_nothing() {
    let (dir, store) = fresh().await;
    store.close().await.expect("closes");
    let mut short = options(&dir);
    short.write_queue_len = 2;
    let store = SqliteStore::open(short).expect("opens");
    // Somebody else writes to the file, so the writer has to wait.
    let other = raw(&dir);
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let mut waiting = vec![];
    let refused = loop {
        let id = format!("AC_q{}", waiting.len());
        let mut call = open_account(&store, account(&id));
        match futures_poll(&mut call).await {
            Some(Err(error)) => break error,
            Some(Ok(_)) => panic!("written past the lock"),
            None => waiting.push(call),
        }
        assert!(waiting.len() < 10_000, "the queue never fills");
    };
    assert!(matches!(refused, StoreError::Busy { waiting: 2 }), "{refused}");
    assert_eq!(store.stats().refused, 1);
    other.execute_batch("COMMIT").expect("unlocked");
    for call in waiting {
        call.await.expect("what was accepted is done");
    }
    assert_eq!(store.stats().queue_depth, 0);
    store.close().await.expect("closes");
}

/// Looks at a future once: its result, or none if it is not ready.
async fn futures_poll<T>(
    call: &mut fermata_store::StoreFuture<'_, T>,
) -> Option<Result<T, StoreError>> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match call.as_mut().poll(context) {
            std::task::Poll::Ready(result) => Some(result),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn the_data_is_open_once_only() {
    let (dir, store) = fresh().await;
    let second = SqliteStore::open(options(&dir)).expect_err("refused");
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    assert!(second.to_string().contains("s.db.lock"), "{second}");
    store.close().await.expect("closes");
    open(&dir).close().await.expect("free again at once");
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_named() {
    let dir = tempfile::tempdir().expect("folder");
    let data = dir.path().join("data");
    let store = SqliteStore::open(SqliteOptions::in_dir(&data).expect("made")).expect("opens");
    populate(&store).await;
    store.close().await.expect("closes");

    let key = data.join(KEY_FILE);
    std::fs::rename(&key, data.join("old")).expect("moved");
    let missing = SqliteOptions::in_dir(&data).expect_err("no new key beside old data");
    assert!(missing.to_string().contains(KEY_FILE), "{missing}");
    SecretKey::load_or_create(&key).expect("another key");
    let wrong = SqliteStore::open(SqliteOptions::in_dir(&data).expect("readable"));
    let wrong = wrong.expect_err("another key");
    assert!(matches!(&wrong, StoreError::Key { path, .. } if *path == key), "{wrong}");

    std::fs::rename(data.join("old"), &key).expect("moved back");
    let store = SqliteStore::open(SqliteOptions::in_dir(&data).expect("there")).expect("opens");
    assert!(store.app_with_keys(SdkAppId(1)).await.expect("app") == app(1, "AC_1"));
    store.close().await.expect("closes");
}

#[tokio::test]
async fn newer_and_foreign_files_are_left_alone() {
    let (dir, store) = fresh().await;
    store.close().await.expect("closes");
    let path = dir.path().join("s.db");
    raw(&dir).pragma_update(None, "user_version", 99).expect("newer");
    let before = std::fs::read(&path).expect("read");
    let error = SqliteStore::open(options(&dir)).expect_err("newer");
    assert!(matches!(error, StoreError::SchemaTooNew { found: 99, .. }), "{error}");
    assert!(matches!(verify_backup(&path), Err(StoreError::SchemaTooNew { .. })));
    assert_eq!(std::fs::read(&path).expect("read"), before);

    for foreign in ["sqlite", "text"] {
        std::fs::remove_file(&path).expect("removed");
        if foreign == "sqlite" {
            raw(&dir).execute_batch("CREATE TABLE songs (title TEXT)").expect("table");
        } else {
            std::fs::write(&path, "not a database, but long enough to be read as one".repeat(40))
                .expect("written");
        }
        let before = std::fs::read(&path).expect("read");
        let error = SqliteStore::open(options(&dir)).expect_err("foreign");
        assert!(matches!(error, StoreError::NotAStore { .. }), "{foreign}: {error}");
        assert_eq!(std::fs::read(&path).expect("read"), before, "{foreign}");
    }
}

#[tokio::test]
async fn secrets_are_not_readable_on_disk_and_stay_in_their_row() {
    let (dir, store) = fresh().await;
    server_apis(&store).await;
    for (id, name) in [("CU_1", "ann"), ("CU_2", "bea")] {
        let mut user = console_user(id, name);
        user.totp = Some(ConsoleTotp { secret: b"secret of codes".to_vec(), last_step: None });
        store.create_console_user(user).await.expect("user");
    }
    for file in std::fs::read_dir(dir.path()).expect("folder") {
        let bytes = std::fs::read(file.expect("file").path()).expect("read");
        for secret in [
            "usersig secret of 1",
            "secret of key1",
            "secretkeyof",
            "callbackkey",
            "secret of codes",
        ] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }
    }
    store.close().await.expect("closes");
    raw(&dir)
        .execute_batch(
            "UPDATE apps SET usersig_key_sealed =
                 (SELECT usersig_key_sealed FROM apps WHERE sdk_app_id = 2) WHERE sdk_app_id = 1;
             UPDATE app_callbacks SET key_sealed =
                 (SELECT key_sealed FROM app_callbacks WHERE sdk_app_id = 2) WHERE sdk_app_id = 1;
             UPDATE api_secrets SET account_id = 'AC_1' WHERE secret_id = 'AKID2';
             UPDATE console_users SET totp_secret_sealed =
                 (SELECT totp_secret_sealed FROM console_users WHERE user_id = 'CU_2')
             WHERE user_id = 'CU_1'",
        )
        .expect("moved");
    let store = open(&dir);
    let moved = store.app_with_keys(SdkAppId(1)).await;
    assert!(matches!(moved, Err(StoreError::Key { .. })));
    store.app_with_keys(SdkAppId(2)).await.expect("the other one opens");
    assert!(matches!(store.callbacks(SdkAppId(1)).await, Err(StoreError::Key { .. })));
    store.callbacks(SdkAppId(2)).await.expect("the other one opens");
    assert!(matches!(store.load_secrets().await, Err(StoreError::Key { .. })));
    let moved = store.console_user_named("ann".to_owned()).await;
    assert!(matches!(moved, Err(StoreError::Key { .. })));
    store.console_user_named("bea".to_owned()).await.expect("the other one opens");
    let problems = store.check().await.expect("checked").problems;
    assert_eq!(problems.len(), 4, "{problems:?}");
    let expected =
        ["Application 1", "Secret AKID2", "Callbacks of application 1", "Console user CU_1"];
    for expected in expected {
        assert!(problems.iter().any(|text| text.starts_with(expected)), "{problems:?}");
    }
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_check_finds_what_was_bent() {
    let rows = [
        ("UPDATE stay_totals SET seconds = seconds + 1", "in its total"),
        ("UPDATE minute_totals SET seconds = 0 WHERE window_start_us % 120000000 = 0", "minute"),
        ("DELETE FROM usage_windows", "in its windows"),
        ("UPDATE stays SET ended_at_us = 0, end_reason = 'left'", "ends before"),
        ("UPDATE stays SET entered_at_us = entered_at_us + 600000000", "before its entry"),
        ("DELETE FROM api_keys WHERE sdk_app_id = 2", "no API key"),
        (
            "UPDATE account_items SET body = replace(body, 'Europe/Berlin', 'Mars/Base')
             WHERE kind = 'profile'",
            "no time zone",
        ),
        ("DELETE FROM account_items WHERE kind = 'profile'", "no books"),
        ("DELETE FROM account_items WHERE kind = 'app'", "not in the books"),
        (
            "UPDATE account_items SET body = json_set(body, '$.is[1]', 7)
             WHERE kind = 'balance' AND key = 'units_issued'",
            "its entries sum to",
        ),
        ("UPDATE account_due SET wall_due_us = NULL", "has timers"),
        ("DROP TRIGGER journal_stays; DELETE FROM journal WHERE seq = 1", "but its last is number"),
        (
            "DROP TRIGGER ledger_entries_are_final; UPDATE ledger_entries SET amount = amount + 1
             WHERE line = 1",
            "out of balance",
        ),
        ("UPDATE stays SET sdk_app_id = 44", "refers to a missing one"),
        (
            "UPDATE api_secrets SET apps = '[1,9]' WHERE secret_id = 'AKID1'",
            "limited to application 9",
        ),
        ("UPDATE api_secrets SET apps = '[\"x\"]'", "no list of numbers"),
        ("UPDATE api_secrets SET secret_key_sealed = x'00'", "Secret AKID1"),
        ("UPDATE app_callbacks SET key_sealed = x'00'", "Callbacks of application 1"),
        ("UPDATE app_callbacks SET event_groups = '[2,1]'", "ascending"),
        ("UPDATE app_webhooks SET url = 'nowhere'", "Callbacks of application 2"),
        ("UPDATE app_webhooks SET sdk_app_id = 44 WHERE sdk_app_id = 2", "refers to a missing one"),
        ("UPDATE usage_windows SET sku = 'smell' WHERE seconds = 60", "no SKU"),
    ];
    for (sql, expected) in rows {
        let (dir, store) = fresh().await;
        server_apis(&store).await;
        store.intake(long_stay("PA_1", 3), wall()).await.expect("taken");
        store.close().await.expect("closes");
        let other = raw(&dir);
        other.pragma_update(None, "foreign_keys", false).expect("off");
        other.execute_batch(sql).expect("bent");
        drop(other);
        let store = open(&dir);
        let report = store.check().await.expect("checked");
        assert!(report.problems.iter().any(|text| text.contains(expected)), "{sql}: {report:?}");
        store.close().await.expect("closes");
    }
}

#[tokio::test]
async fn a_backup_taken_while_writing_can_be_restored() {
    let dir = tempfile::tempdir().expect("folder");
    let data = dir.path().join("data");
    let store = SqliteStore::open(SqliteOptions::in_dir(&data).expect("made")).expect("opens");
    populate(&store).await;
    server_apis(&store).await;
    for n in 0..50 {
        store.intake(long_stay(&format!("PA_before{n}"), 60), wall()).await.expect("taken");
    }
    let copy = dir.path().join("copy.db");
    let taken = store.backup(&copy);
    let during: Vec<_> =
        (0..50).map(|n| store.intake(long_stay(&format!("PA_during{n}"), 60), wall())).collect();
    taken.await.expect("backed up");
    for call in during {
        call.await.expect("taken");
    }
    let again = store.backup(&copy).await.expect_err("never overwritten");
    assert!(matches!(again, StoreError::Exists { what: "file", .. }), "{again}");
    let nowhere = store.backup(&dir.path().join("missing/copy.db")).await;
    assert!(matches!(nowhere, Err(StoreError::NotWritable(_))));
    store.close().await.expect("closes");

    let report = verify_backup(&copy).expect("readable");
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.rows > 50 * 60);
    let files: Vec<_> = std::fs::read_dir(dir.path()).expect("folder").collect();
    assert_eq!(files.len(), 2, "nothing else is left: {files:?}");

    assert!(matches!(restore(&copy, &data), Err(StoreError::Exists { .. })), "not over live data");
    let new = dir.path().join("new/data");
    restore(&copy, &new).expect("restored");
    assert!(SqliteOptions::in_dir(&new).is_err(), "the key is not part of a backup");
    copy_key(&data, &new.join(KEY_FILE)).expect("copied");
    assert!(copy_key(&data, &new.join(KEY_FILE)).is_err(), "never overwritten");
    let store = SqliteStore::open(SqliteOptions::in_dir(&new).expect("there")).expect("opens");
    let stays =
        store.list_stays(SdkAppId(1), None, at(0), at(1), None, 1_000).await.expect("stays");
    let before = stays.iter().filter(|stay| stay.stay.as_str().starts_with("PA_before"));
    assert_eq!(before.count(), 50);
    assert!(stays.iter().all(|stay| stay.seconds == [(Sku::Audio, 3_600)]), "whole batches only");
    assert!(store.load_apps().await.expect("apps") == [app(1, "AC_1"), app(2, "AC_1")]);
    let keys = store.load_secrets().await.expect("secrets");
    assert_eq!(keys[1].secret_key, secret("AKID2", "AC_2").secret_key);
    assert_eq!(store.load_callbacks().await.expect("callbacks").len(), 2);
    assert_eq!(store.check().await.expect("checked").problems, Vec::<String>::new());
    store.close().await.expect("closes");
}

#[tokio::test]
async fn what_is_no_backup_is_not_restored() {
    let (dir, store) = fresh().await;
    store.intake(long_stay("PA_1", 3), wall()).await.expect("taken");
    store.close().await.expect("closes");
    let new = dir.path().join("new");
    let path = dir.path().join("s.db");
    assert!(matches!(restore(&dir.path().join("no"), &new), Err(StoreError::NotFound { .. })));
    std::fs::write(dir.path().join("empty"), "").expect("written");
    let empty = restore(&dir.path().join("empty"), &new);
    assert!(matches!(empty, Err(StoreError::NotAStore { .. })));
    raw(&dir).execute_batch("UPDATE stay_totals SET seconds = 1").expect("bent");
    assert!(matches!(restore(&path, &new), Err(StoreError::Invalid { field: "backup", .. })));
    assert!(!new.join(DATABASE_FILE).exists());
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("folder");
    let data = dir.path().join("data");
    let store = SqliteStore::open(SqliteOptions::in_dir(&data).expect("made")).expect("opens");
    populate(&store).await;
    store.backup(&data.join("copy.db")).await.expect("backed up");
    for name in [DATABASE_FILE, KEY_FILE, "copy.db", "fermata.db-wal"] {
        let mode = data.join(name).metadata().expect(name).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
    store.close().await.expect("closes");
}

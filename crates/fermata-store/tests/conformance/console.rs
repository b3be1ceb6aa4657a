//! What every store must do with users of the console and their sessions. One suite, run on both backends.

use fermata_store::limits::{CONSOLE_SESSIONS_PER_USER_MAX, CONSOLE_USERS_MAX};
use fermata_store::{
    ConsoleTotp, ConsoleUser, ConsoleUserChange, MemoryStore, Store, StoreError, TokenRole,
};
use fermata_types::{AccountId, ConsoleUserId};
use jiff::Timestamp;

use crate::common::{at, console_session, console_user};

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
    users_are_made_once_and_found_by_name_whatever_its_case
    bad_users_are_refused
    users_are_bounded
    users_change_and_go
    sessions_are_found_until_they_expire_or_end
    the_oldest_session_gives_way
    a_new_password_and_disabling_end_sessions
}

fn is_invalid<T>(result: &Result<T, StoreError>, field: &str) -> bool {
    matches!(result, Err(StoreError::Invalid { field: found, .. }) if *found == field)
}

fn id(text: &str) -> ConsoleUserId {
    ConsoleUserId::from_text(text)
}

async fn users_are_made_once_and_found_by_name_whatever_its_case(store: &dyn Store) {
    let mut new = console_user("CU_1", "Ännchen");
    new.created_at = Timestamp::from_nanosecond(1_500_000_000_123_456_789).expect("in range");
    new.role = TokenRole::Customer { account: AccountId::from_text("AC_1") };
    new.read_only = true;
    new.totp = Some(ConsoleTotp { secret: vec![0, 7, 255], last_step: Some(59_000_000) });
    let kept = store.create_console_user(new.clone()).await.expect("made");
    assert_eq!(kept.created_at.as_nanosecond(), 1_500_000_000_123_456_000, "microseconds are kept");
    assert!(store.create_console_user(new.clone()).await.expect("again") == kept);
    assert!(store.console_user(id("CU_1")).await.expect("there") == kept, "all of it is kept");
    for other in [console_user("CU_1", "other"), console_user("CU_2", "äNNCHEN")] {
        let taken = store.create_console_user(other).await;
        let exists = matches!(taken, Err(StoreError::Exists { what: "console user", .. }));
        assert!(exists, "{taken:?}");
    }
    for name in ["Ännchen", "ÄNNCHEN", "ännchen"] {
        let found = store.console_user_named(name.to_owned()).await.expect("asked");
        assert!(found.as_ref() == Some(&kept), "{name}");
    }
    assert!(store.console_user_named("annchen".to_owned()).await.expect("asked").is_none());
    let older = console_user("CU_0", "bea");
    store.create_console_user(older.clone()).await.expect("made");
    let listed = store.list_console_users().await.expect("users");
    assert!(listed == [kept, older], "by creation");
    let unknown = store.console_user(id("CU_9")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "console user", .. })));
}

type Bend = fn(&mut ConsoleUser);

async fn bad_users_are_refused(store: &dyn Store) {
    let rows: [(&str, Bend); 12] = [
        ("console_user_id", |u| u.id = id("")),
        ("console_user_id", |u| u.id = id(&"x".repeat(65))),
        ("name", |u| u.name = String::new()),
        ("name", |u| u.name = "é".repeat(129)),
        ("name", |u| u.name = " ann".to_owned()),
        ("name", |u| u.name = "ann\u{a0}".to_owned()),
        ("name", |u| u.name = "a\nb".to_owned()),
        ("password_hash", |u| u.password_hash = String::new()),
        ("password_hash", |u| u.password_hash = "x".repeat(257)),
        ("totp.secret", |u| u.totp = Some(ConsoleTotp { secret: vec![], last_step: None })),
        ("totp.secret", |u| u.totp = Some(ConsoleTotp { secret: vec![1; 65], last_step: None })),
        ("totp.last_step", |u| {
            u.totp = Some(ConsoleTotp { secret: vec![1], last_step: Some(u64::MAX) });
        }),
    ];
    for (n, (field, bend)) in rows.into_iter().enumerate() {
        let mut bad = console_user("CU_1", "ann");
        bend(&mut bad);
        assert!(is_invalid(&store.create_console_user(bad).await, field), "{n}: {field}");
    }
    assert!(store.list_console_users().await.expect("users").is_empty());
    let mut longest = console_user("CU_1", &"é".repeat(128));
    longest.password_hash = "x".repeat(256);
    store.create_console_user(longest).await.expect("as long as is allowed");
    let totp = Some(Some(ConsoleTotp { secret: vec![], last_step: None }));
    let change = ConsoleUserChange { totp, ..ConsoleUserChange::default() };
    assert!(is_invalid(&store.change_console_user(id("CU_1"), change).await, "totp.secret"));
    let password = Some((String::new(), at(1)));
    let change = ConsoleUserChange { password, ..ConsoleUserChange::default() };
    assert!(is_invalid(&store.change_console_user(id("CU_1"), change).await, "password_hash"));
}

async fn users_are_bounded(store: &dyn Store) {
    let calls: Vec<_> = (0..CONSOLE_USERS_MAX)
        .map(|n| console_user(&format!("CU_{n}"), &format!("user {n}")))
        .collect();
    // In parts, because only so many calls may wait.
    for part in calls.chunks(1_000) {
        let made: Vec<_> =
            part.iter().map(|user| store.create_console_user(user.clone())).collect();
        for user in made {
            user.await.expect("made");
        }
    }
    let more = || store.create_console_user(console_user("CU_more", "one more"));
    assert!(is_invalid(&more().await, "console_user_id"));
    store.remove_console_user(id("CU_7")).await.expect("removed");
    more().await.expect("there is room again");
}

async fn users_change_and_go(store: &dyn Store) {
    store.create_console_user(console_user("CU_1", "ann")).await.expect("made");
    let change = async |change: ConsoleUserChange| {
        store.change_console_user(id("CU_1"), change).await.expect("changed")
    };
    let unchanged = change(ConsoleUserChange::default()).await;
    assert!(unchanged == console_user("CU_1", "ann"));
    let totp = Some(ConsoleTotp { secret: vec![1, 2], last_step: None });
    let all = ConsoleUserChange {
        password: Some(("other hash".to_owned(), at(5))),
        read_only: Some(true),
        disabled: Some(Some(at(6))),
        totp: Some(totp.clone()),
        keep_session: None,
    };
    let changed = change(all.clone()).await;
    assert_eq!(
        (changed.password_hash.as_str(), changed.password_changed_at),
        ("other hash", at(5))
    );
    assert!(changed.read_only && changed.totp == totp);
    let later = ConsoleUserChange { disabled: Some(Some(at(9))), ..all };
    assert_eq!(change(later).await.disabled_at, Some(at(6)), "the first time is kept");
    let back = ConsoleUserChange {
        disabled: Some(None),
        totp: Some(None),
        ..ConsoleUserChange::default()
    };
    let back = change(back).await;
    assert!(back.disabled_at.is_none() && back.totp.is_none() && back.read_only);
    assert!(store.console_user(id("CU_1")).await.expect("there") == back);
    let unknown = store.change_console_user(id("CU_9"), ConsoleUserChange::default()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "console user", .. })));

    store.create_console_session(console_session(1, "CU_1", 0)).await.expect("made");
    store.remove_console_user(id("CU_1")).await.expect("removed");
    assert!(store.console_session([1; 32], at(1)).await.expect("asked").is_none());
    let again = store.remove_console_user(id("CU_1")).await;
    assert!(matches!(again, Err(StoreError::NotFound { what: "console user", .. })));
    store.create_console_user(console_user("CU_2", "ann")).await.expect("the name is free again");
}

async fn sessions_are_found_until_they_expire_or_end(store: &dyn Store) {
    let orphan = store.create_console_session(console_session(1, "CU_1", 0)).await;
    assert!(matches!(orphan, Err(StoreError::NotFound { what: "console user", .. })), "{orphan:?}");
    store.create_console_user(console_user("CU_1", "ann")).await.expect("made");
    store.create_console_user(console_user("CU_2", "bea")).await.expect("made");
    let one = console_session(1, "CU_1", 0);
    for _ in 0..2 {
        assert_eq!(store.create_console_session(one.clone()).await.expect("made"), one);
    }
    let other = store.create_console_session(console_session(1, "CU_2", 0)).await;
    assert!(matches!(other, Err(StoreError::Exists { .. })), "{other:?}");
    let mut ended = console_session(2, "CU_1", 5);
    ended.expires_at = at(5);
    assert!(is_invalid(&store.create_console_session(ended).await, "expires_at"));

    let expected = Some((one.clone(), console_user("CU_1", "ann")));
    let find = async |hash, second| store.console_session(hash, at(second)).await.expect("asked");
    assert!(find([1; 32], 0).await == expected);
    assert!(find([1; 32], 99).await == expected);
    assert!(find([1; 32], 100).await.is_none(), "the moment it expires it is none");
    assert!(find([2; 32], 0).await.is_none());

    // Expired sessions of all are removed when one is made.
    store.create_console_session(console_session(3, "CU_2", 100)).await.expect("made");
    assert!(find([1; 32], 0).await.is_none(), "it is gone, and not only late");
    assert!(find([3; 32], 100).await.is_some());
    for _ in 0..2 {
        store.end_console_session([3; 32]).await.expect("ended");
        assert!(find([3; 32], 100).await.is_none());
    }
}

async fn the_oldest_session_gives_way(store: &dyn Store) {
    store.create_console_user(console_user("CU_1", "ann")).await.expect("made");
    store.create_console_user(console_user("CU_2", "bea")).await.expect("made");
    store.create_console_session(console_session(200, "CU_2", 0)).await.expect("made");
    let most = u8::try_from(CONSOLE_SESSIONS_PER_USER_MAX).expect("few");
    let there =
        async |n: u8| store.console_session([n; 32], at(50)).await.expect("asked").is_some();
    for n in 0..most {
        // The one with the highest hash is the oldest.
        let begins = i64::from(most - n);
        store.create_console_session(console_session(n, "CU_1", begins)).await.expect("made");
    }
    for n in 0..most {
        assert!(there(n).await, "{n}");
    }
    store.create_console_session(console_session(100, "CU_1", 40)).await.expect("made");
    assert!(!there(most - 1).await && there(most - 2).await && there(0).await && there(100).await);
    // One whose clock is behind is kept all the same: it is what was asked for.
    store.create_console_session(console_session(101, "CU_1", -5)).await.expect("made");
    assert!(there(101).await && !there(most - 2).await && there(most - 3).await);
    assert!(there(200).await, "another user's");
}

async fn a_new_password_and_disabling_end_sessions(store: &dyn Store) {
    store.create_console_user(console_user("CU_1", "ann")).await.expect("made");
    store.create_console_user(console_user("CU_2", "bea")).await.expect("made");
    let begin = async |n, user| {
        store.create_console_session(console_session(n, user, 0)).await.expect("made");
    };
    let there = async || {
        let mut there = Vec::new();
        for n in 1..6 {
            if store.console_session([n; 32], at(1)).await.expect("asked").is_some() {
                there.push(n);
            }
        }
        there
    };
    for n in 1..4 {
        begin(n, "CU_1").await;
    }
    begin(4, "CU_2").await;
    let change = async |change: ConsoleUserChange| {
        store.change_console_user(id("CU_1"), change).await.expect("changed");
    };
    let password = || Some(("other hash".to_owned(), at(5)));
    change(ConsoleUserChange { read_only: Some(true), ..ConsoleUserChange::default() }).await;
    let keep = ConsoleUserChange { keep_session: Some([2; 32]), ..ConsoleUserChange::default() };
    change(keep.clone()).await;
    assert_eq!(there().await, [1, 2, 3, 4], "neither touches them");
    change(ConsoleUserChange { password: password(), ..keep.clone() }).await;
    assert_eq!(there().await, [2, 4]);
    begin(1, "CU_1").await;
    change(ConsoleUserChange { password: password(), ..ConsoleUserChange::default() }).await;
    assert_eq!(there().await, [4]);
    begin(1, "CU_1").await;
    begin(2, "CU_1").await;
    change(ConsoleUserChange { disabled: Some(Some(at(7))), ..keep }).await;
    assert_eq!(there().await, [4], "disabling keeps none");
    change(ConsoleUserChange { disabled: Some(None), ..ConsoleUserChange::default() }).await;
    assert_eq!(there().await, [4], "nor does it give any back");
}

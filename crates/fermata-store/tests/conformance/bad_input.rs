//! Books on bad days: a disk that is full in the middle of a bill, and a wall clock that goes backwards.

use fermata_billing::command::{Answer, Command};
use fermata_billing::hold::HoldKind;
use fermata_billing::journal::{LedgerAccount, Record, RecordKind};
use fermata_billing::money::Money;
use fermata_billing::timer::TimerKind;
use fermata_store::{
    Billed, BillingCall, MemoryStore, Once, SqliteStore, Store, StoreError, StoreFuture,
};
use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::{SignedDuration, Timestamp};

use crate::common::{
    account, app, at, batch, create_app, digest, open, open_account, opened, operator, populate,
    window,
};

/// Accounts whose day is closed: together they write far more than the pages in use have room for.
const ACCOUNTS: u32 = 60;
/// Quota with room for everything, pages.
const ROOM: u32 = 100_000;

fn id(number: u32) -> AccountId {
    AccountId::from_text(&format!("AC_{number}"))
}

fn hours(count: i64) -> Timestamp {
    at(600 + count * 3_600)
}

/// The first day has ended, its bills are due, and those of the next are not.
fn closing() -> Timestamp {
    hours(24)
}

fn pay(store: &dyn Store, number: u32, units: i64, wall: Timestamp) -> StoreFuture<'_, Billed> {
    let amount = Money::from_micros(units * 1_000_000);
    let command = Command::Pay { amount, provider_ref: format!("ref-{number}-{units}") };
    store.bill(BillingCall { account: id(number), command, actor: operator(), wall, once: None })
}

/// Accounts with a little use of two SKUs, one of which costs money, on their first day.
async fn used(store: &dyn Store) {
    let mut report = batch("ND_1");
    for number in 1..=ACCOUNTS {
        open_account(store, account(&format!("AC_{number}"))).await.expect("account");
        create_app(store, app(number, &format!("AC_{number}"))).await.expect("app");
        pay(store, number, 1, hours(0)).await.expect("paid");
        let stay = format!("PA_{number}");
        report.opened.push(opened(&stay, number, "hall", -600));
        report.windows.push(window(&stay, Sku::Audio, -10, 60));
        for minute in -9..-2 {
            report.windows.push(window(&stay, Sku::Relay, minute, 60));
        }
    }
    report.watermark = hours(24);
    store.intake(report, hours(0)).await.expect("taken");
}

async fn bills(store: &dyn Store, number: u32) -> Vec<fermata_billing::journal::Bill> {
    let rows = store.journal(id(number), &[RecordKind::Bill], &[], 0, 100).await.expect("rows");
    let bill = |record| match record {
        Record::Bill(bill) => bill,
        other => panic!("{other:?}"),
    };
    rows.into_iter().map(|row| bill(row.record)).collect()
}

async fn proven(store: &dyn Store) {
    for report in [store.check().await, store.verify().await] {
        assert_eq!(report.expect("checked").problems, Vec::<String>::new());
    }
}

fn is_full<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotWritable(_)))
}

/// Fires on a disk that has no page left; nothing may have come of it.
async fn close_in_vain(store: &SqliteStore) {
    store.set_pages_max(1).await.expect("nothing may grow");
    let before = digest(store).await;
    let since = *store.changes().borrow();
    // Twice: what is held in memory must not have gone ahead of the disk.
    for _ in 0..2 {
        let fired = store.fire_due(closing(), 20_000).await;
        assert!(is_full(&fired), "{fired:?}");
        assert!(digest(store).await == before, "something was left half done");
    }
    assert_eq!(*store.changes().borrow(), since, "nobody is told of what did not happen");
    for number in 1..=ACCOUNTS {
        assert_eq!(bills(store, number).await, []);
    }
    proven(store).await;
}

/// Fires with room; every account has its one bill, whatever went before.
async fn close_once(store: &SqliteStore) {
    let fired = store.fire_due(closing(), 20_000).await.expect("fired");
    let closes = fired.iter().filter(|one| matches!(one.timer, TimerKind::DayClose(_)));
    assert_eq!(closes.count(), ACCOUNTS as usize);
    assert_eq!(store.fire_due(closing(), 20_000).await.expect("nothing more"), []);
    for number in 1..=ACCOUNTS {
        let bills = bills(store, number).await;
        assert_eq!(bills.len(), 1, "account {number}: {bills:?}");
        // Seven minutes of relay at 2.99 for 1,000.
        assert_eq!(bills[0].total, Money::from_micros(20_000));
        let books = store.books(id(number), closing()).await.expect("books");
        let customer = books.state.balances.get(&LedgerAccount::Customer).copied();
        assert_eq!(customer, Some(1_000_000 - 20_000), "debited once");
    }
    proven(store).await;
}

#[tokio::test]
async fn p20_a_disk_full_in_mid_bill_leaves_nothing_half_done_and_each_bill_is_issued_once() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(&dir);
    used(&store).await;
    close_in_vain(&store).await;
    store.set_pages_max(ROOM).await.expect("room");
    close_once(&store).await;
    store.close().await.expect("closes");
}

#[tokio::test]
async fn p20_a_restart_after_a_full_disk_issues_each_bill_once() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(&dir);
    used(&store).await;
    close_in_vain(&store).await;
    store.close().await.expect("closes");
    let store = open(&dir);
    close_once(&store).await;
    store.close().await.expect("closes");
}

fn buy(key: u32) -> BillingCall {
    let once = Once {
        scope: "TK_1".to_owned(),
        key: format!("key {key}"),
        request_hash: [u8::try_from(key % 250).expect("small"); 32],
    };
    BillingCall {
        account: id(1),
        command: Command::BuyPackage { type_code: "minutes_25k".to_owned(), app: None },
        actor: operator(),
        wall: hours(1),
        once: Some(once),
    }
}

/// What the account may spend, and how many packages it holds.
async fn worth(store: &dyn Store) -> (i64, usize) {
    let books = store.books(id(1), hours(1)).await.expect("books");
    (books.state.balances[&LedgerAccount::Customer], books.state.packages.len())
}

#[tokio::test]
async fn p12_a_purchase_on_a_full_disk_costs_nothing_and_its_key_still_buys_once() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(&dir);
    populate(&store).await;
    pay(&store, 1, 100_000, hours(0)).await.expect("paid");
    store.set_pages_max(1).await.expect("nothing may grow");
    let mut bought = 0;
    let (error, before) = loop {
        let before = (worth(&store).await, digest(&store).await);
        match store.bill(buy(bought)).await {
            Ok(billed) => assert!(!billed.replayed),
            Err(error) => break (error, before),
        }
        bought += 1;
        assert!(bought < 200, "the disk never fills");
    };
    assert!(matches!(error, StoreError::NotWritable(_)), "{error}");
    assert!(error.to_string().contains("cannot be written"), "{error}");
    let (price, packages) = (24_000_000, before.0.1);
    assert_eq!(before.0, (100_000_000_000 - i64::from(bought) * price, packages));
    assert_eq!(packages, bought as usize + 1, "the free minutes, and what was bought");
    assert_eq!(worth(&store).await, before.0);
    assert!(digest(&store).await == before.1, "something was left half done");
    proven(&store).await;

    store.set_pages_max(ROOM).await.expect("room");
    let first = store.bill(buy(bought)).await.expect("bought");
    assert!(!first.replayed, "the failed call was not remembered");
    assert!(matches!(first.answer, Answer::Package(_)), "{first:?}");
    let second = store.bill(buy(bought)).await.expect("known");
    assert_eq!((second.answer, second.replayed), (first.answer, true));
    assert_eq!(worth(&store).await, (before.0.0 - price, packages + 1));
    proven(&store).await;
    store.close().await.expect("closes");
}

#[tokio::test]
async fn i10_a_wall_clock_that_goes_backwards_repeats_nothing_in_memory() {
    let store = MemoryStore::new();
    a_clock_that_goes_backwards(&store).await;
    assert_eq!(store.verify().await.expect("verified").problems, Vec::<String>::new());
}

#[tokio::test]
async fn i10_a_wall_clock_that_goes_backwards_repeats_nothing_in_sqlite() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(&dir);
    a_clock_that_goes_backwards(&store).await;
    proven(&store).await;
    store.close().await.expect("closes");
}

async fn adjust(store: &dyn Store, units: i64, wall: Timestamp) {
    let amount = Money::from_micros(units * 1_000_000);
    let command = Command::Adjust { amount, reason: "test".to_owned() };
    let call = BillingCall { account: id(1), command, actor: operator(), wall, once: None };
    store.bill(call).await.expect("adjusted");
}

/// When the account is to be suspended, if that is near, and whether it is.
async fn suspension(store: &dyn Store, wall: Timestamp) -> (Option<Timestamp>, bool) {
    let books = store.books(id(1), wall).await.expect("books");
    let due = books.state.timers.get(&TimerKind::Suspend).copied();
    (due, books.state.holds.values().any(|hold| hold.kind == HoldKind::Arrears))
}

async fn a_clock_that_goes_backwards(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    report.opened = vec![opened("PA_1", 1, "hall", -600)];
    report.windows = (-10..-3).map(|start| window("PA_1", Sku::Relay, start, 60)).collect();
    report.watermark = hours(24);
    store.intake(report.clone(), hours(0)).await.expect("taken");
    adjust(store, -5, hours(1)).await;
    assert_eq!(suspension(store, hours(1)).await, (Some(hours(25)), false));

    // An hour later the clock is set back by a day: what is due stays due when it was.
    assert_eq!(store.fire_due(hours(-22), 100).await.expect("fired"), []);
    adjust(store, -1, hours(-22)).await;
    assert_eq!(suspension(store, hours(-22)).await, (Some(hours(25)), false), "I2: absolute");

    // Forward again: closed, billed, suspended; and back again: nothing of it happens twice or is taken back.
    let fired = store.fire_due(hours(26), 100).await.expect("fired");
    for expected in ["day_close", "suspend"] {
        let count = fired.iter().filter(|one| one.timer.code().starts_with(expected)).count();
        assert!(count >= 1, "{expected} in {fired:?}");
    }
    assert_eq!(suspension(store, hours(26)).await, (None, true));
    assert_eq!(bills(store, 1).await.len(), 1);
    for wall in [hours(26), hours(2), hours(-22), at(-10_000_000)] {
        assert_eq!(store.fire_due(wall, 100).await.expect("fired"), [], "at {wall}");
        store.intake(report.clone(), wall).await.expect("taken");
        assert_eq!(suspension(store, wall).await, (None, true), "at {wall}");
        assert_eq!(bills(store, 1).await.len(), 1, "at {wall}");
    }

    // A payment counts, whatever the clock says; the next episode begins when its debit came.
    let paid = pay(store, 1, 7, hours(2)).await.expect("paid");
    assert!(paid.epoch_changed);
    assert_eq!(suspension(store, hours(2)).await, (None, false), "I5");
    adjust(store, -9, hours(3)).await;
    assert_eq!(suspension(store, hours(3)).await, (Some(hours(27)), false));
    store.fire_due(hours(3) + SignedDuration::from_hours(24), 100).await.expect("fired");
    assert_eq!(suspension(store, hours(27)).await, (None, true));
    assert_eq!(bills(store, 1).await.len(), 1);
    let uses = store.usage_by_day(SdkAppId(1), crate::common::days().0, crate::common::days().1);
    let seconds: u64 = uses.await.expect("days").iter().map(|row| row.seconds).sum();
    assert_eq!(seconds, 420, "counted once");
}

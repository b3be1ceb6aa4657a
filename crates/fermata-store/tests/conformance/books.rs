//! What every store must do with the books of accounts. One suite, run on both backends.

use std::time::Duration;

use fermata_billing::command::{Actor, ActorRole, Answer, Command, Refusal, UsageDelta};
use fermata_billing::hold::{HoldCause, HoldKind, Scope};
use fermata_billing::id::PartnerId;
use fermata_billing::journal::{JournalRow, PostingKind, Record, RecordKind};
use fermata_billing::money::Money;
use fermata_billing::notice::Contact;
use fermata_billing::policy::Policy;
use fermata_billing::state::{BillingMode, Reclaim};
use fermata_billing::timer::TimerKind;
use fermata_store::{
    AppCallbacks, Billed, BillingCall, ClockTarget, MemoryStore, Once, Partner, Store, StoreError,
    TokenRole,
};
use fermata_types::{AccountId, SdkAppId, Sku, StayEnd};
use jiff::{SignedDuration, Timestamp};

use crate::common::{
    account, app, at, batch, callback, closed, console_session, console_user, create_app, days,
    open_account, opened, operator, populate, secret, terms, wall, webhook, window,
};

macro_rules! suite {
    ($($name:ident)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test] async fn $name() {
                let store = MemoryStore::new();
                super::$name(&store).await;
                assert_eq!(store.verify().await.expect("verified").problems, Vec::<String>::new());
            })*
        }
        mod sqlite {
            use super::*;
            $(#[tokio::test] async fn $name() {
                let dir = tempfile::tempdir().expect("folder");
                let store = crate::common::open(&dir);
                super::$name(&store).await;
                for report in [store.check().await, store.verify().await] {
                    assert_eq!(report.expect("checked").problems, Vec::<String>::new());
                }
                store.close().await.expect("closes");
            })*
        }
    };
}

suite! {
    books_come_with_the_account
    a_journal_is_read_by_kinds_and_postings
    p12_a_repeated_call_is_answered_as_before
    a_refusal_is_not_remembered
    one_reference_is_one_payment_everywhere
    usage_reaches_the_books_at_once
    t8_suspension_fires_when_due_and_is_told
    what_is_due_fires_before_a_command
    p22_a_sandbox_clock_fires_what_lies_on_its_way
    s1_a_sandbox_app_s_days_are_its_own_clock_s
    t17_a_new_agreement_moves_the_timers
    deliveries_are_leased_retried_and_given_up
    the_catalog_grows_by_versions
    t21_clearing_takes_logs_and_keys
    some_commands_have_their_own_methods
}

fn id(text: &str) -> AccountId {
    AccountId::from_text(text)
}

fn usd(units: i64) -> Money {
    Money::from_micros(units * 1_000_000)
}

fn call(account: &str, command: Command, wall: Timestamp) -> BillingCall {
    BillingCall { account: id(account), command, actor: operator(), wall, once: None }
}

fn pay(units: i64, provider_ref: &str) -> Command {
    Command::Pay { amount: usd(units), provider_ref: provider_ref.to_owned() }
}

fn adjust(units: i64) -> Command {
    Command::Adjust { amount: usd(units), reason: "test".to_owned() }
}

fn once(key: &str, request: u8) -> Once {
    Once { scope: "TK_1".to_owned(), key: key.to_owned(), request_hash: [request; 32] }
}

async fn bill(store: &dyn Store, account: &str, command: Command, wall: Timestamp) -> Billed {
    store.bill(call(account, command, wall)).await.expect("billed")
}

fn hours(count: i64) -> Timestamp {
    at(600 + count * 3_600)
}

async fn sandbox(store: &dyn Store, text: &str) {
    let mut own = terms(&id(text));
    own.sandbox = true;
    store.open_account(account(text), own, wall(), operator(), None).await.expect("account");
}

fn is_refused<T>(result: &Result<T, StoreError>, expected: fn(&Refusal) -> bool) -> bool {
    matches!(result, Err(StoreError::Refused(refusal)) if expected(refusal))
}

async fn books_come_with_the_account(store: &dyn Store) {
    populate(store).await;
    let books = store.books(id("AC_1"), wall()).await.expect("books");
    let profile = books.state.profile.as_ref().expect("open");
    assert_eq!((profile.billing, profile.sandbox), (BillingMode::Daily, false));
    assert_eq!((books.now, &books.policy), (wall(), &Policy::default()));
    assert_eq!(books.state.apps.len(), 2);
    assert_eq!(books.state.packages.len(), 1, "the free minutes");
    let (_, due) = books.state.next_timer().expect("a timer");
    assert_eq!(store.next_due().await.expect("due"), Some(due));
    let standings = store.load_standings(wall()).await.expect("standings");
    assert_eq!(standings.len(), 2);
    assert_eq!(standings[0], store.standing(id("AC_1"), wall()).await.expect("standing"));
    assert_eq!(standings[0].apps, [SdkAppId(1), SdkAppId(2)]);

    let rows = store.journal(id("AC_1"), &[], &[], 0, 1_000).await.expect("rows");
    assert!(rows.iter().zip(1..).all(|(row, seq)| row.seq == seq));
    let txns = store.journal(id("AC_1"), &[RecordKind::Txn], &[], 0, 1_000).await.expect("rows");
    let Some(Record::Txn(txn)) = txns.first().map(|row| &row.record) else { panic!("{txns:?}") };
    let found = store.record(id("AC_1"), RecordKind::Txn, txn.id.to_string()).await.expect("read");
    assert_eq!(found, Some(Record::Txn(txn.clone())));
    let rest = store.journal(id("AC_1"), &[], &[], rows[0].seq, 1).await.expect("rows");
    assert_eq!(rest, rows[1..2]);
    let missing = store.books(id("AC_9"), wall()).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
    assert!(matches!(
        store.bill(call("AC_9", pay(1, "r"), wall())).await,
        Err(StoreError::NotFound { .. })
    ));
}

/// An account with every document, and far more bookings of mere consumption: late minutes one by one.
async fn busy(store: &dyn Store) {
    sandbox(store, "AC_s").await;
    create_app(store, app(9, "AC_s")).await.expect("app");
    let did = async |command| bill(store, "AC_s", command, wall()).await.answer;
    let used = async |sku, minutes: i64| {
        let delta = UsageDelta { app: SdkAppId(9), sku, at: wall(), seconds: minutes * 60 };
        did(Command::Usage { deltas: vec![delta] }).await;
    };
    let buy = async |code: &str, app| {
        let bought = did(Command::BuyPackage { type_code: code.to_owned(), app }).await;
        let Answer::Package(package) = bought else { panic!("{bought:?}") };
        package.id
    };
    did(pay(200, "r")).await;
    buy("minutes_25k", None).await;
    let package = buy("monthly_starter", Some(SdkAppId(9))).await;
    did(Command::RefundPackage { package }).await;
    let (amount, reason) = (usd(1), "test".to_owned());
    did(Command::GrantVoucher { amount, expires_at: hours(240), reason }).await;
    used(Sku::Relay, 1_000).await;
    used(Sku::Audio, 1).await;
    let two_days = ClockTarget::By(SignedDuration::from_hours(48));
    store.advance_clock(id("AC_s"), two_days, wall(), operator(), None).await.expect("moved");
    let bills = store.journal(id("AC_s"), &[RecordKind::Bill], &[], 0, 9).await.expect("rows");
    let paid = bills.into_iter().find_map(|row| match row.record {
        Record::Bill(bill) if bill.txn.is_some() => Some(bill.id),
        _ => None,
    });
    let (bill, amount, reason) = (paid.expect("a bill"), usd(1), "test".to_owned());
    did(Command::IssueCreditNote { bill, amount, reason }).await;
    for _ in 0..60 {
        used(Sku::Audio, 1).await;
    }
    did(adjust(-1)).await;
}

async fn a_journal_is_read_by_kinds_and_postings(store: &dyn Store) {
    use PostingKind as P;
    use RecordKind as K;
    populate(store).await;
    busy(store).await;
    let read = async |kinds: &[K], postings: &[P], after, limit| {
        store.journal(id("AC_s"), kinds, postings, after, limit).await.expect("rows")
    };
    let all = read(&[], &[], 0, 1_000).await;
    let of = |posting| {
        let is = |row: &&JournalRow| matches!(&row.record, Record::Txn(t) if t.kind == posting);
        all.iter().filter(is).count()
    };
    assert!(of(P::Consumption) > 60, "{}", of(P::Consumption));
    for posting in [P::Payment, P::Bill, P::Purchase, P::Refund, P::VoucherGrant, P::CreditNote] {
        assert!((1..4).contains(&of(posting)), "{posting:?}: {}", of(posting));
    }
    let mut cases: Vec<(Vec<K>, Vec<P>)> = vec![
        (vec![K::Bill], vec![P::Bill, P::Purchase, P::Refund, P::CreditNote]),
        (vec![K::Bill, K::Bill], vec![P::Purchase, P::Purchase]),
        (vec![K::Voucher], vec![P::VoucherExpiry]),
        (vec![K::Txn, K::Bill], vec![]),
        (vec![K::Txn], vec![P::Purchase]),
        (vec![], P::ALL.to_vec()),
    ];
    cases.extend(P::ALL.iter().map(|posting| (vec![], vec![*posting])));
    for (kinds, postings) in cases {
        let wanted = |row: &&JournalRow| {
            kinds.contains(&row.record.kind())
                || matches!(&row.record, Record::Txn(txn) if postings.contains(&txn.kind))
        };
        let expected: Vec<_> = all.iter().filter(wanted).cloned().collect();
        assert_eq!(read(&kinds, &postings, 0, 1_000).await, expected, "{kinds:?} {postings:?}");
        let (mut pages, mut after) = (Vec::new(), 0);
        while let Some(last) = read(&kinds, &postings, after, 7).await.last().map(|row| row.seq) {
            pages.extend(read(&kinds, &postings, after, 7).await);
            after = last;
        }
        assert_eq!(pages, expected, "{kinds:?} {postings:?}");
    }
    let items = [P::Bill, P::Purchase, P::Refund, P::CreditNote];
    assert!(read(&[K::Bill], &items, 0, 1_000).await.len() < 20);
    assert_eq!(read(&[K::Bill], &items, all.len() as u64, 1_000).await, []);
    assert_eq!(read(&[K::Bill], &items, u64::MAX, 1_000).await, []);
    let missing = store.journal(id("AC_9"), &[], &items, 0, 9).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
    for limit in [0, 1_001] {
        let refused = store.journal(id("AC_s"), &[], &items, 0, limit).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })));
    }
}

async fn p12_a_repeated_call_is_answered_as_before(store: &dyn Store) {
    populate(store).await;
    let once_call = |request| BillingCall {
        once: Some(once("k", request)),
        ..call("AC_1", pay(10, &format!("ref{request}")), wall())
    };
    let first = store.bill(once_call(1)).await.expect("paid");
    assert!(!first.replayed);
    let again = store.bill(once_call(1)).await.expect("paid");
    assert!(again.replayed && again.fired.is_empty());
    assert_eq!((again.answer, again.transitions), (first.answer, first.transitions));
    assert!(matches!(store.bill(once_call(2)).await, Err(StoreError::OnceReused)));
    let paid = store.journal(id("AC_1"), &[RecordKind::Payment], &[], 0, 9).await.expect("rows");
    assert_eq!(paid.len(), 1);

    for _ in 0..2 {
        let made = store.create_app(app(7, "AC_2"), wall(), operator(), Some(once("a", 1))).await;
        assert_eq!(made.expect("made").sdk_app_id, SdkAppId(7));
        // A repeated request brings fresh keys and numbers with it; what was made first holds.
        let again = store.create_app(app(8, "AC_2"), wall(), operator(), Some(once("a", 1))).await;
        assert_eq!(again.expect("known").sdk_app_id, SdkAppId(7));
        let again = store
            .open_account(
                account("AC_5"),
                terms(&id("AC_5")),
                wall(),
                operator(),
                Some(once("o", 1)),
            )
            .await;
        assert_eq!(again.expect("made").id, id("AC_5"));
        let again = store
            .open_account(
                account("AC_6"),
                terms(&id("AC_6")),
                wall(),
                operator(),
                Some(once("o", 1)),
            )
            .await;
        assert_eq!(again.expect("known").id, id("AC_5"));
    }
    assert!(store.app(SdkAppId(8)).await.is_err());
    assert!(store.account(id("AC_6")).await.is_err());

    let whole = once("w", 1);
    assert_eq!(store.kept_answer(whole.clone()).await.expect("read"), None);
    store.keep_answer(whole.clone(), b"{}".to_vec(), wall()).await.expect("kept");
    assert_eq!(store.kept_answer(whole.clone()).await.expect("read"), Some(b"{}".to_vec()));
    let other = Once { request_hash: [2; 32], ..whole };
    assert!(matches!(store.kept_answer(other).await, Err(StoreError::OnceReused)));
}

async fn a_refusal_is_not_remembered(store: &dyn Store) {
    populate(store).await;
    let buy = || BillingCall {
        once: Some(once("buy", 1)),
        ..call(
            "AC_1",
            Command::BuyPackage { type_code: "minutes_25k".to_owned(), app: None },
            wall(),
        )
    };
    let refused = store.bill(buy()).await;
    assert!(is_refused(&refused, |why| matches!(why, Refusal::InsufficientBalance { .. })));
    bill(store, "AC_1", pay(100, "r1"), wall()).await;
    let bought = store.bill(buy()).await.expect("bought");
    assert!(matches!(&bought.answer, Answer::Package(package) if !package.free));
    let again = store.bill(buy()).await.expect("known");
    assert_eq!((again.answer, again.replayed), (bought.answer, true));
}

async fn one_reference_is_one_payment_everywhere(store: &dyn Store) {
    populate(store).await;
    bill(store, "AC_1", pay(5, "r"), wall()).await;
    bill(store, "AC_1", pay(5, "r"), wall()).await;
    let elsewhere = store.bill(call("AC_2", pay(5, "r"), wall())).await;
    assert!(is_refused(&elsewhere, |why| matches!(why, Refusal::RefReused { .. })));
    let rows = store.journal(id("AC_1"), &[RecordKind::Payment], &[], 0, 9).await.expect("rows");
    assert_eq!(rows.len(), 1);
}

async fn usage_reaches_the_books_at_once(store: &dyn Store) {
    populate(store).await;
    let mut report = batch("ND_1");
    report.opened = vec![opened("PA_1", 1, "hall", 0)];
    report.windows = vec![window("PA_1", Sku::Audio, 0, 40), window("PA_1", Sku::Audio, 1, 30)];
    for _ in 0..2 {
        store.intake(report.clone(), wall()).await.expect("taken");
    }
    let (from, to) = days();
    let uses = store.day_uses(id("AC_1"), from, to).await.expect("days");
    assert_eq!(uses.len(), 1);
    assert_eq!((uses[0].seconds, uses[0].minutes(), uses[0].covered()), (70, 2, 2));
    let books = store.books(id("AC_1"), wall()).await.expect("books");
    let free = books.state.packages.values().next().expect("free minutes");
    assert_eq!(free.left.thousandths(), free.units.thousandths() - 2_000);
    // The day closes once the node has said everything of it.
    report.watermark = hours(24);
    store.intake(report, hours(20)).await.expect("taken");
    store.fire_due(hours(20), 100).await.expect("fired");
    let books = store.books(id("AC_1"), hours(20)).await.expect("books");
    assert_eq!(books.state.profile.expect("open").open_day.to_string(), "2026-03-29");
    assert_eq!(store.day_uses(id("AC_1"), from, to).await.expect("days").len(), 1, "still there");
    let bills = store.journal(id("AC_1"), &[RecordKind::Bill], &[], 0, 9).await.expect("rows");
    assert_eq!(bills.len(), 1);
}

async fn t8_suspension_fires_when_due_and_is_told(store: &dyn Store) {
    populate(store).await;
    let bell = store.changes();
    let since = *bell.borrow();
    let fell = bill(store, "AC_1", adjust(-5), wall()).await;
    assert!(!fell.epoch_changed);
    assert_eq!(*bell.borrow(), since);
    let before = store.fire_due(hours(23), 20_000).await.expect("fired");
    assert!(!before.iter().any(|fired| fired.timer == TimerKind::Suspend));
    let fired = store.fire_due(hours(30), 20_000).await.expect("fired");
    let suspended = fired.iter().find(|fired| fired.timer == TimerKind::Suspend).expect("fired");
    assert_eq!((suspended.due, suspended.applied), (hours(24), hours(30)));
    assert!(suspended.epoch_changed);
    let told = store.changed_since(since);
    assert_eq!(told.accounts, Some([id("AC_1")].into()));
    assert_eq!(told.upto, *bell.borrow());
    let standing = store.standing(id("AC_1"), hours(30)).await.expect("standing");
    assert_eq!(
        standing.holds.iter().map(|hold| hold.kind).collect::<Vec<_>>(),
        [HoldKind::Arrears]
    );

    let paid = bill(store, "AC_1", pay(5, "r"), hours(31)).await;
    assert!(paid.epoch_changed);
    assert_eq!(store.changed_since(told.upto).accounts, Some([id("AC_1")].into()));
    assert_eq!(store.fire_due(hours(31), 1).await.expect("fired"), []);
}

async fn what_is_due_fires_before_a_command(store: &dyn Store) {
    populate(store).await;
    bill(store, "AC_1", adjust(-5), wall()).await;
    // The payment comes an hour after the deadline: suspended first, then restored.
    let paid = bill(store, "AC_1", pay(5, "r"), hours(25)).await;
    assert!(paid.fired.iter().any(|fired| fired.timer == TimerKind::Suspend));
    assert!(paid.epoch_changed);
    // A refused command leaves what was due fired.
    bill(store, "AC_1", adjust(-5), hours(26)).await;
    let buy = Command::BuyPackage { type_code: "nothing".to_owned(), app: None };
    assert!(store.bill(call("AC_1", buy, hours(51))).await.is_err());
    let standing = store.standing(id("AC_1"), hours(51)).await.expect("standing");
    assert_eq!(standing.holds.len(), 1, "{standing:?}");
}

async fn p22_a_sandbox_clock_fires_what_lies_on_its_way(store: &dyn Store) {
    populate(store).await;
    sandbox(store, "AC_s").await;
    bill(store, "AC_s", adjust(-5), wall()).await;
    let by = |hours| ClockTarget::By(SignedDuration::from_hours(hours));
    let go =
        |account, target, key| store.advance_clock(id(account), target, wall(), operator(), key);
    assert!(is_refused(&go("AC_1", by(1), None).await, |why| *why == Refusal::NotSandbox));
    for target in [by(-1), by(401 * 24), ClockTarget::To(at(0))] {
        assert!(is_refused(&go("AC_s", target, None).await, |why| {
            matches!(why, Refusal::Clock { .. })
        }));
    }
    let day = go("AC_s", by(24), Some(once("day", 1))).await.expect("moved");
    assert_eq!(day.now, hours(24));
    let suspended = day.fired.iter().find(|fired| fired.timer == TimerKind::Suspend);
    let suspended = suspended.expect("fired");
    assert_eq!((suspended.due, suspended.applied), (hours(24), hours(24)));
    let again = go("AC_s", by(24), Some(once("day", 1))).await.expect("known");
    assert_eq!((again.now, again.fired.len()), (hours(24), 0));
    let books = store.books(id("AC_s"), wall()).await.expect("books");
    assert_eq!(books.now, hours(24));
    assert_eq!(store.books(id("AC_1"), wall()).await.expect("books").now, wall());

    // Sixty days later it may be cleared, after the notices; sandboxes are swept always (A28).
    let far = go("AC_s", by(100 * 24), None).await.expect("moved");
    let warned =
        far.fired.iter().filter(|fired| matches!(fired.timer, TimerKind::ReclaimNotice(_)));
    assert_eq!(warned.count(), 3);
    let dues: Vec<_> = far.fired.iter().map(|fired| fired.due).collect();
    assert!(dues.is_sorted());
    let books = store.books(id("AC_s"), wall()).await.expect("books");
    assert!(matches!(books.state.reclaim, Reclaim::Cleared { .. }), "{:?}", books.state.reclaim);
    // Time passes on its clock as on the wall.
    let later = store.books(id("AC_s"), hours(1)).await.expect("books");
    assert_eq!(later.now, hours(24 + 100 * 24 + 1));
}

async fn s1_a_sandbox_app_s_days_are_its_own_clock_s(store: &dyn Store) {
    populate(store).await;
    sandbox(store, "AC_s").await;
    create_app(store, app(9, "AC_s")).await.expect("app");
    let ahead = ClockTarget::By(SignedDuration::from_hours(72));
    store.advance_clock(id("AC_s"), ahead, wall(), operator(), None).await.expect("moved");
    let mut report = batch("ND_1");
    // Nodes stamp account time.
    report.opened = vec![opened("PA_9", 9, "hall", 72 * 3_600)];
    report.windows = vec![window("PA_9", Sku::Audio, 72 * 60 + 8, 40)];
    store.intake(report, wall()).await.expect("taken");
    let (from, to) = days();
    let rows = store.usage_by_day(SdkAppId(9), from, to).await.expect("days");
    let rows: Vec<_> = rows.iter().map(|row| (row.day.to_string(), row.seconds)).collect();
    assert_eq!(rows, [("2026-04-01".to_owned(), 40)]);
}

async fn t17_a_new_agreement_moves_the_timers(store: &dyn Store) {
    let partner = PartnerId("acme".to_owned());
    let unknown =
        store.put_agreement(partner.clone(), Policy::default(), None, wall(), operator()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "partner", .. })));
    for name in ["Acme", "Acme Ltd"] {
        let new = Partner { id: partner.clone(), name: name.to_owned(), created_at: at(0) };
        assert_eq!(store.put_partner(new.clone()).await.expect("put"), new);
        assert_eq!(store.partners().await.expect("partners"), [new]);
    }
    let mut resold = terms(&id("AC_p"));
    resold.partner = Some(partner.clone());
    store.open_account(account("AC_p"), resold, wall(), operator(), None).await.expect("opened");
    bill(store, "AC_p", adjust(-5), wall()).await;
    let suspend = || async {
        let books = store.books(id("AC_p"), wall()).await.expect("books");
        books.state.timers.get(&TimerKind::Suspend).copied()
    };
    assert_eq!(suspend().await, Some(hours(24)));
    let grace = |hours| Policy { grace_hours: hours, ..Policy::default() };
    let put = |hours, from, wall| {
        store.put_agreement(partner.clone(), grace(hours), from, wall, operator())
    };
    assert_eq!(put(48, None, hours(1)).await.expect("put").version, 1);
    assert_eq!(suspend().await, Some(hours(48)));
    // The next version comes into force later; what is due says so.
    assert_eq!(put(72, Some(hours(3)), hours(2)).await.expect("put").version, 2);
    assert_eq!(suspend().await, Some(hours(48)));
    assert_eq!(store.next_due().await.expect("due"), Some(hours(3)));
    store.fire_due(hours(3), 10).await.expect("fired");
    assert_eq!(suspend().await, Some(hours(72)));
    assert!(put(24, Some(hours(1)), hours(4)).await.is_err(), "not in the past");
    assert_eq!(store.agreement(partner.clone()).await.expect("agreement").versions.len(), 2);
}

async fn deliveries_are_leased_retried_and_given_up(store: &dyn Store) {
    populate(store).await;
    let email = Some("owner@example.com".to_owned());
    let owner = Contact { name: "owner".to_owned(), email, webhook: None };
    bill(store, "AC_1", Command::PutContact(owner), wall()).await;
    bill(store, "AC_1", adjust(-5), wall()).await;
    let waiting = store.outbox_len().await.expect("len").waiting;
    assert!(waiting >= 1);
    let lease = Duration::from_mins(1);
    let claimed = store.outbox_claim(at(700), 1_000, lease).await.expect("claimed");
    assert_eq!(claimed.len() as u64, waiting);
    assert_eq!((&claimed[0].account, claimed[0].attempts), (&id("AC_1"), 1));
    assert_eq!(claimed[0].id, claimed[0].delivery.id);
    assert!(store.outbox_claim(at(759), 1_000, lease).await.expect("none").is_empty());
    let again = store.outbox_claim(at(760), 1, lease).await.expect("claimed");
    assert_eq!((again.len(), again[0].attempts), (1, 2), "the lease has ended");
    let delivery = &again[0].id;
    let failed = |retry| store.outbox_failed(delivery.clone(), "down".repeat(1_000), retry);
    failed(Some(at(9_000))).await.expect("kept");
    for item in claimed.iter().filter(|item| item.id != *delivery) {
        store.outbox_done(item.id.clone()).await.expect("gone");
    }
    assert!(store.outbox_claim(at(8_999), 9, lease).await.expect("none").is_empty());
    assert_eq!(store.outbox_claim(at(9_000), 9, lease).await.expect("due").len(), 1);
    failed(None).await.expect("given up");
    let len = store.outbox_len().await.expect("len");
    assert_eq!((len.waiting, len.dead), (0, 1));
    assert!(store.outbox_claim(at(99_000), 9, lease).await.expect("none").is_empty());
    store.outbox_done(delivery.clone()).await.expect("gone");
    assert_eq!(store.outbox_len().await.expect("len").dead, 0);
}

async fn the_catalog_grows_by_versions(store: &dyn Store) {
    let catalog = store.catalog().await.expect("catalog");
    let first = catalog.latest().expect("the default").clone();
    assert_eq!(catalog.versions().len(), 1);
    let draft =
        fermata_billing::catalog::CatalogDraft { effective_from: Some(hours(1)), ..first.draft() };
    let past =
        fermata_billing::catalog::CatalogDraft { effective_from: Some(at(0)), ..first.draft() };
    let added = store.add_catalog_version(draft, wall(), operator()).await.expect("added");
    assert_eq!((added.version, added.effective_from), (2, hours(1)));
    let refused = store.add_catalog_version(past, wall(), operator()).await;
    assert!(is_refused(&refused, |why| matches!(why, Refusal::Catalog(_))));
    assert_eq!(store.catalog().await.expect("catalog").versions(), [first, added]);
}

async fn t21_clearing_takes_logs_and_keys(store: &dyn Store) {
    populate(store).await;
    sandbox(store, "AC_s").await;
    create_app(store, app(9, "AC_s")).await.expect("app");
    for (number, account) in [(9, "AC_s"), (1, "AC_1")] {
        store.create_secret(secret(&format!("AKID{number}"), account)).await.expect("secret");
        let all = AppCallbacks {
            callback: Some(callback("https://example.com")),
            webhooks: vec![webhook("https://example.com", None)],
        };
        store.set_callbacks(SdkAppId(number), all).await.expect("callbacks");
        let mut user = console_user(&format!("CU_{number}"), account);
        user.role = TokenRole::Customer { account: id(account) };
        store.create_console_user(user).await.expect("user");
        let session =
            console_session(number.try_into().expect("small"), &format!("CU_{number}"), 0);
        store.create_console_session(session).await.expect("session");
    }
    let mut report = batch("ND_1");
    for (stay, number) in [("PA_9", 9), ("PA_1", 1)] {
        report.opened.push(opened(stay, number, "hall", 0));
        report.windows.push(window(stay, Sku::Audio, 1, 40));
        report.closed.push(closed(stay, 120, StayEnd::Left));
    }
    store.intake(report, wall()).await.expect("taken");
    let raise = Command::RaiseHold {
        kind: HoldKind::Violation,
        scope: Scope::Account,
        cause: Some(HoldCause::Content),
        reason: "spam".to_owned(),
        evidence: "case 1".to_owned(),
    };
    let proposed = bill(store, "AC_s", raise, wall()).await;
    let Answer::Hold(hold) = proposed.answer else { panic!("{proposed:?}") };
    let second = Actor { role: ActorRole::Operator, name: "second".to_owned() };
    let approve = call("AC_s", Command::ApproveHold { hold: hold.id }, wall());
    store.bill(BillingCall { actor: second, ..approve }).await.expect("approved");
    let since = *store.changes().borrow();
    let far = ClockTarget::By(SignedDuration::from_hours(70 * 24));
    store.advance_clock(id("AC_s"), far, wall(), operator(), None).await.expect("moved");
    assert_eq!(store.changed_since(since).accounts, Some([id("AC_s")].into()));

    let gone = store.app_with_keys(SdkAppId(9)).await.expect("the row stays");
    assert!(gone.api_keys.is_empty());
    assert_ne!(gone.usersig_key, app(9, "AC_s").usersig_key);
    assert!(gone.usersig_key.len() >= 32, "not a key that anyone could guess");
    assert!(store.list_secrets(id("AC_s")).await.expect("secrets").is_empty());
    assert_eq!(store.list_secrets(id("AC_1")).await.expect("secrets").len(), 1);
    let users = store.list_console_users().await.expect("users");
    assert_eq!(users.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ["CU_1"]);
    assert!(store.console_session([9; 32], at(1)).await.expect("asked").is_none());
    assert!(store.console_session([1; 32], at(1)).await.expect("asked").is_some());
    assert_eq!(store.callbacks(SdkAppId(9)).await.expect("app"), AppCallbacks::default());
    assert_eq!(store.load_callbacks().await.expect("callbacks").len(), 1, "another account's");
    let stays = |number| store.list_stays(SdkAppId(number), None, at(0), at(100), None, 9);
    assert!(stays(9).await.expect("stays").is_empty());
    assert_eq!(stays(1).await.expect("stays").len(), 1, "another account's");
    assert_eq!(store.app_with_keys(SdkAppId(1)).await.expect("app").api_keys.len(), 1);
    let (from, to) = days();
    assert_eq!(store.day_uses(id("AC_s"), from, to).await.expect("books stay").len(), 1);
}

async fn some_commands_have_their_own_methods(store: &dyn Store) {
    populate(store).await;
    let own = [
        Command::Open(terms(&id("AC_1"))),
        Command::CreateApp { app: SdkAppId(3) },
        Command::Fire { timer: TimerKind::Suspend },
        Command::MoveClock { to: hours(1), wall: wall() },
    ];
    for command in own {
        let refused = store.bill(call("AC_1", command, wall())).await;
        assert!(matches!(refused, Err(StoreError::Invalid { field: "command", .. })));
    }
    let usage = store.bill(call("AC_1", Command::Usage { deltas: vec![] }, wall())).await;
    assert!(is_refused(&usage, |why| *why == Refusal::NotSandbox));
    for limit in [0, 20_001] {
        assert!(store.fire_due(wall(), limit).await.is_err());
    }
    store.set_switch("reclaim_sweep", true).await.expect("set");
    assert!(store.switch("reclaim_sweep").await.expect("read"));
    assert!(!store.switch("other").await.expect("read"));
    open_account(store, account("AC_1")).await.expect("known");
}

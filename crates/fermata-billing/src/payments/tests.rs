//! Payments, reversals, vouchers and corrections, driven through `step`.

use fermata_types::Sku;
use jiff::Timestamp;

use crate::command::{Actor, ActorRole, Answer, Command, Meta, Refusal};
use crate::journal::{LedgerAccount, Record, RecordKind};
use crate::limits::{TEXT_CHARS_MAX, VOUCHERS_LIVE_MAX};
use crate::money::{Money, MoneyError};
use crate::state::{BillingMode, Change, Item, ItemKey, Reclaim};
use crate::testing::{APP, Bench, History, at, money};
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::{Env, ReadError, Reads};

const NOON: &str = "2026-11-23T12:00:00Z";

fn pay(amount: &str, provider_ref: &str) -> Command {
    Command::Pay { amount: money(amount), provider_ref: provider_ref.to_owned() }
}

fn reverse(provider_ref: &str) -> Command {
    Command::ReversePayment {
        provider_ref: provider_ref.to_owned(),
        reason: "chargeback".to_owned(),
    }
}

fn voucher(amount: &str, expires_at: &str) -> Command {
    let (amount, expires_at) = (money(amount), at(expires_at));
    Command::GrantVoucher { amount, expires_at, reason: "welcome".to_owned() }
}

fn adjust(amount: &str) -> Command {
    Command::Adjust { amount: money(amount), reason: "correction".to_owned() }
}

/// Balance, vouchers and cash that came in, in micro-units.
fn money_of(bench: &Bench) -> [i64; 3] {
    [LedgerAccount::Customer, LedgerAccount::Vouchers, LedgerAccount::CashClearing]
        .map(|account| bench.balance(&account))
}

/// History in which every reference is taken by somebody else.
struct Elsewhere<'a>(&'a History);

impl Reads for Elsewhere<'_> {
    fn item(&self, key: &ItemKey) -> Result<Option<Item>, ReadError> {
        self.0.item(key)
    }
    fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, ReadError> {
        self.0.record(kind, id)
    }
    fn payment_elsewhere(&self, _: &str) -> Result<bool, ReadError> {
        Ok(true)
    }
    fn watermark(&self) -> Result<Timestamp, ReadError> {
        Ok(Timestamp::MAX)
    }
}

/// A command on a copy of the account, by anybody, with some history.
fn by(bench: &Bench, role: ActorRole, command: &Command, reads: &dyn Reads) -> Option<Refusal> {
    let mut state = bench.state.clone();
    let actor = Actor { role, name: "somebody".to_owned() };
    let meta = Meta { now: bench.now, applied: bench.now, actor };
    let (catalog, policy) = (&bench.catalog, &bench.policy);
    let env = Env { catalog, policy, reclaim_on: true, reads };
    let refused = crate::step(&mut state, command, &meta, env).err();
    assert!(refused.is_none() || state == bench.state, "a refusal leaves nothing behind");
    refused
}

#[test]
fn p12_one_reference_is_one_credit() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    let first = bench.run(pay("25.00", "stripe-1")).expect("booked");
    let rows = bench.history.rows.len();
    let again = bench.run(pay("25.00", "stripe-1")).expect("known");
    assert_eq!(first, again);
    assert_eq!(bench.history.rows.len(), rows, "nothing is written the second time");
    assert_eq!(money_of(&bench), [25_000_000, 0, -25_000_000]);
    let reused = Refusal::RefReused { provider_ref: "stripe-1".to_owned() };
    assert_eq!(bench.run(pay("26.00", "stripe-1")).expect_err("other amount"), reused);
    let elsewhere = Elsewhere(&bench.history);
    let refused = by(&bench, ActorRole::Operator, &pay("1", "stripe-2"), &elsewhere);
    assert_eq!(refused, Some(Refusal::RefReused { provider_ref: "stripe-2".to_owned() }));
    let known = by(&bench, ActorRole::Operator, &pay("25.00", "stripe-1"), &elsewhere);
    assert_eq!(known, None, "one's own is known whatever others have");
}

#[test]
fn payments_refuse_what_cannot_be() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    let long = "x".repeat(129);
    let rows = [
        ("0", "r", "amount"),
        ("-1", "r", "amount"),
        ("1000000000.000001", "r", "amount"),
        ("1", "", "provider_ref"),
        ("1", long.as_str(), "provider_ref"),
        ("1", "line\nbreak", "provider_ref"),
        ("1", "caf\u{e9}", "provider_ref"),
    ];
    for (amount, provider_ref, expected) in rows {
        match bench.run(pay(amount, provider_ref)) {
            Err(Refusal::Invalid { field, problem }) => {
                assert_eq!(field, expected);
                assert!(problem.contains("allowed"), "{problem}");
            }
            other => panic!("{amount} {provider_ref:?}: {other:?}"),
        }
    }
    let longest = "x".repeat(128);
    bench.run(pay("1000000000", &longest)).expect("at the bounds");
}

#[test]
fn p13_reversing_restores_all_balances_and_links_back() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    bench.pay("3", "p0");
    let before = bench.state.balances.clone();
    let Answer::Payment(payment) = bench.run(pay("25", "p1")).expect("booked") else {
        panic!("a payment")
    };
    let first = bench.run(reverse("p1")).expect("reversed");
    assert_eq!(bench.state.balances, before);
    let reverses = bench.history.rows.iter().rev().find_map(|row| match &row.record {
        Record::Txn(txn) => Some(txn.reverses.clone()),
        _ => None,
    });
    assert_eq!(reverses, Some(Some(payment.txn)));
    assert!(bench.took().contains(&Transition::T27));
    assert_eq!(bench.run(reverse("p1")).expect("known"), first, "idempotent");
    assert_eq!(bench.state.balances, before);
    let unknown = Refusal::Unknown { what: "payment", id: "p2".to_owned() };
    assert_eq!(bench.run(reverse("p2")).expect_err("never paid"), unknown);
    let told = |row: &crate::journal::JournalRow| matches!(&row.record, Record::Notice(notice) if notice.key.kind == crate::notice::NoticeKind::PaymentReversed);
    assert_eq!(bench.history.rows.iter().filter(|row| told(row)).count(), 1);
}

#[test]
fn t27_a_chargeback_below_zero_opens_an_episode_and_t7_the_next_payment_closes_it() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    bench.pay("10", "p1");
    bench.run(adjust("-4")).expect("debited");
    bench.run(reverse("p1")).expect("reversed");
    assert_eq!(bench.state.episode.expect("in arrears").since, at(NOON));
    bench.run(pay("3.99", "p2")).expect("partly");
    assert!(bench.state.episode.is_some(), "a partial payment does not stop the clock (A4)");
    bench.run(pay("0.01", "p3")).expect("the rest");
    assert_eq!(bench.state.episode, None);
    assert_eq!(bench.count(Transition::T7), 1);
}

#[test]
fn t24_after_the_point_of_no_return_a_payment_is_booked_and_brings_nothing_back() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    bench.run(adjust("-5")).expect("in debt");
    let stages =
        [Reclaim::Clearing { step: 1, since: at(NOON) }, Reclaim::Cleared { at: at(NOON) }];
    for (number, stage) in stages.into_iter().enumerate() {
        bench.state.apply(Change::Put(Item::Reclaim(stage.clone())));
        bench.took();
        bench.run(pay("2.50", &format!("late-{number}"))).expect("booked");
        assert!(bench.took().contains(&Transition::T24));
        assert_eq!(bench.state.reclaim, stage, "there is no way back (I9)");
    }
    assert_eq!(bench.balance(&LedgerAccount::Customer), 0);
}

#[test]
fn vouchers_pay_first_and_the_earliest_end_goes_first() {
    let mut bench = Bench::open("2026-11-01T00:00:00Z", BillingMode::Daily);
    bench.pay("100", "p1");
    bench.run(voucher("3", "2027-01-01T00:00:00Z")).expect("late");
    bench.run(voucher("2", "2026-12-01T00:00:00Z")).expect("early");
    bench.run(voucher("4", "2027-01-01T00:00:00Z")).expect("late, second");
    assert_eq!(money_of(&bench), [100_000_000, 9_000_000, -100_000_000]);
    bench.buy("minutes_25k", None).expect("24.00");
    assert_eq!(money_of(&bench), [85_000_000, 0, -100_000_000]);
    assert!(bench.state.vouchers.is_empty());
    let left = bench.state.timers.keys().any(|timer| matches!(timer, TimerKind::VoucherExpiry(_)));
    assert!(!left, "no voucher, no timer");

    bench.run(voucher("30", "2027-01-01T00:00:00Z")).expect("large");
    bench.run(voucher("1", "2026-12-01T00:00:00Z")).expect("small, early");
    bench.buy("minutes_25k", None).expect("24.00");
    let rest: Vec<_> = bench.state.vouchers.values().map(|voucher| voucher.left).collect();
    assert_eq!(rest, [money("7")]);
    assert_eq!(money_of(&bench), [85_000_000, 7_000_000, -100_000_000]);
}

#[test]
fn a_voucher_ends_with_what_is_left_and_may_leave_a_debt() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    bench.run(voucher("5", "2026-11-25T00:00:00Z")).expect("given");
    bench.run(adjust("-4")).expect("debited from the balance");
    assert_eq!(bench.state.episode, None, "vouchers count (A4)");
    bench.advance("2026-11-25T00:00:00Z");
    assert_eq!(money_of(&bench), [-4_000_000, 0, 0]);
    assert_eq!(bench.balance(&LedgerAccount::AbsorbedCost), 4_000_000);
    let episode = bench.state.episode.expect("in arrears (A22)");
    assert_eq!(episode.since, at("2026-11-25T00:00:00Z"));
}

#[test]
fn vouchers_and_corrections_are_the_operators_and_bounded() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    let given = voucher("5", "2027-01-01T00:00:00Z");
    for command in [&given, &adjust("5")] {
        let refused = by(&bench, ActorRole::Customer, command, &bench.history);
        assert!(matches!(refused, Some(Refusal::NotYours { .. })), "{refused:?}");
    }
    let reason = |reason: String| Command::Adjust { amount: money("1"), reason };
    let rows = [
        (voucher("0", "2027-01-01T00:00:00Z"), "amount"),
        (voucher("-1", "2027-01-01T00:00:00Z"), "amount"),
        (voucher("1", NOON), "expires_at"),
        (adjust("0"), "amount"),
        (adjust("-1000000000.01"), "amount"),
        (
            Command::Adjust { amount: Money::from_micros(i64::MAX), reason: "x".to_owned() },
            "amount",
        ),
        (reason("  ".to_owned()), "reason"),
        (reason("x".repeat(TEXT_CHARS_MAX + 1)), "reason"),
        (reason("bell\u{7}".to_owned()), "reason"),
    ];
    for (command, expected) in rows {
        match bench.run(command.clone()) {
            Err(Refusal::Invalid { field, .. }) => assert_eq!(field, expected),
            other => panic!("{command:?}: {other:?}"),
        }
    }
    bench.run(reason("\u{e9}".repeat(TEXT_CHARS_MAX))).expect("the longest reason");
    for _ in 0..VOUCHERS_LIVE_MAX {
        bench.run(given.clone()).expect("one more");
    }
    let most = Refusal::LimitReached { what: "vouchers", max: VOUCHERS_LIVE_MAX };
    assert_eq!(bench.run(given).expect_err("full"), most);
}

#[test]
fn p18_a_balance_that_would_not_fit_refuses_and_changes_nothing() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    bench.use_minutes(APP, Sku::Audio, "2026-11-23T11:00:00Z", 1);
    let put = |account, amount| Change::Put(Item::Balance(account, amount));
    bench.state.apply(put(LedgerAccount::Customer, i64::MAX - 10));
    bench.state.apply(put(LedgerAccount::CashClearing, 10 - i64::MAX));
    for command in [pay("1", "p1"), adjust("1"), voucher("1", "2027-01-01T00:00:00Z")] {
        let refused = by(&bench, ActorRole::Operator, &command, &bench.history);
        assert_eq!(refused, Some(Refusal::Money(MoneyError::Overflow)), "{command:?}");
    }
}

//! Closing days and months, late use and credit notes, driven through `step`, with the books recomputed after.

use fermata_types::Sku;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::balance;
use crate::catalog::CatalogDraft;
use crate::command::{Answer, ChangeAccount, Command, Refusal, UsageDelta};
use crate::id::BillId;
use crate::journal::{Bill, JournalRow, LedgerAccount, Record};
use crate::money::{Currency, Money, Price};
use crate::notice::NoticeKind;
use crate::state::{BillingMode, Change, Item, PendingLine, Reclaim};
use crate::testing::{APP, Bench, OTHER_APP, at, date, money};
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::verify::verify;

const MORNING: &str = "2026-11-02T09:00:00Z";

fn bills(bench: &Bench) -> Vec<Bill> {
    let bill = |row: &JournalRow| match &row.record {
        Record::Bill(bill) => Some(bill.clone()),
        _ => None,
    };
    bench.history.rows.iter().filter_map(bill).collect()
}

fn last(bench: &Bench) -> Bill {
    bills(bench).pop().expect("a bill")
}

/// The books add up, whatever happened.
fn check(bench: &Bench) {
    let items = || bench.history.items.values();
    let closed = items().filter_map(|item| match item {
        Item::ClosedDay(day) => Some(day.clone()),
        _ => None,
    });
    let credited = items().filter_map(|item| match item {
        Item::Credited(bill, sum) => Some((bill.clone(), *sum)),
        _ => None,
    });
    let found = verify(&bench.state, bench.history.rows.iter().cloned(), closed, credited);
    assert_eq!(found, [], "the books disagree");
}

/// Fires a timer that is armed, whenever it is due.
fn close_again(bench: &mut Bench, timer: TimerKind) {
    bench.state.apply(Change::Put(Item::Timer(timer.clone(), bench.now)));
    bench.run(Command::Fire { timer }).expect("fires");
}

fn seconds(bench: &mut Bench, when: &str, seconds: i64) {
    bench.report(&[UsageDelta { app: APP, sku: Sku::Audio, at: at(when), seconds }]);
}

#[test]
fn seconds_are_summed_and_rounded_up_on_the_running_daily_total() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    for (more, minutes) in [(30, 1), (20, 1), (40, 2)] {
        seconds(&mut bench, MORNING, more);
        assert_eq!(bench.day("2026-11-02", APP, Sku::Audio).minutes(), minutes);
    }
    bench.advance("2026-11-03T13:00:00Z");
    assert_eq!(last(&bench).lines[0].minutes, 2);
    check(&bench);
}

#[test]
fn t2_a_day_is_billed_the_next_morning_with_one_debit() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.pay("10", "p1");
    bench.use_minutes(APP, Sku::VideoHd, MORNING, 11_000);
    let view = balance(&bench.state, &bench.catalog).expect("a balance");
    assert_eq!(
        (view.available, view.cash, view.unbilled),
        (money("10"), money("10"), money("3.99"))
    );
    bench.advance("2026-11-03T08:00:00Z");
    assert_eq!(bills(&bench), [], "not before 08:00 and the account's spread");
    bench.advance("2026-11-03T12:00:00Z");
    let bill = last(&bench);
    assert_eq!((bill.total, bill.lines.len()), (money("3.99"), 1));
    let line = &bill.lines[0];
    assert_eq!((line.minutes, line.billed, line.absorbed), (11_000, 1_000, 0));
    assert_eq!((line.covered[0].minutes, line.late), (10_000, false));
    assert_eq!((bill.from_day, bill.to_day), (date("2026-11-02"), date("2026-11-02")));
    assert_eq!(bill.from, at("2026-11-02T00:00:00Z"));
    assert_eq!((bill.to, bill.zone.as_str()), (at("2026-11-03T00:00:00Z"), "UTC"));
    assert_eq!((bill.balance_before, bill.balance_after), (money("10"), money("6.01")));
    assert!(bill.issued_at >= at("2026-11-03T08:00:00Z"));
    assert!(bill.issued_at < at("2026-11-03T12:00:00Z"));
    let view = balance(&bench.state, &bench.catalog).expect("a balance");
    assert_eq!((view.available, view.unbilled), (money("6.01"), Money::ZERO));
    assert_eq!(bench.count(Transition::T2), 1);
    let told = |row: &&JournalRow| matches!(&row.record, Record::Notice(notice) if notice.key.kind == NoticeKind::BillReady);
    assert_eq!(bench.history.rows.iter().filter(told).count(), 1);
    check(&bench);
}

#[test]
fn t5_a_bill_beyond_the_balance_opens_an_episode_at_its_commit() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.use_minutes(APP, Sku::WebRecordHd, MORNING, 1_000);
    bench.advance("2026-11-03T12:00:00Z");
    let bill = last(&bench);
    assert_eq!((bill.total, bill.balance_after), (money("14"), money("-14")));
    assert_eq!(bench.state.episode.expect("in arrears").since, bill.issued_at);
    check(&bench);
}

#[test]
fn s6_without_postpaid_the_bill_still_shows_every_deduction() {
    let mut bench = Bench::open(MORNING, BillingMode::Off);
    bench.use_minutes(APP, Sku::VideoFhd, MORNING, 40);
    bench.use_minutes(APP, Sku::RecordAudio, MORNING, 100);
    bench.advance("2026-11-03T12:00:00Z");
    let bill = last(&bench);
    assert_eq!((bill.total, bill.txn.clone()), (Money::ZERO, None));
    let parts: Vec<_> =
        bill.lines.iter().map(|line| (line.minutes, line.billed, line.absorbed)).collect();
    assert_eq!(parts, [(40, 0, 0), (100, 0, 100)]);
    assert_eq!(bench.balance(&LedgerAccount::Customer), 0);
    // 100 minutes at 1.49 per 1,000 are 0.149, on the operator.
    assert_eq!(bench.balance(&LedgerAccount::AbsorbedCost), -150_000);
    assert_eq!(bench.balance(&LedgerAccount::Revenue), 150_000);
    assert_eq!(bench.balance(&LedgerAccount::UnitsConsumed), 40_000);
    check(&bench);
}

#[test]
fn p1_what_rounding_leaves_goes_to_the_rounding_account() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.pay("10", "p1");
    bench.use_minutes(APP, Sku::RecordAudio, MORNING, 9);
    bench.advance("2026-11-03T12:00:00Z");
    // 9 x 0.00149 = 0.01341.
    assert_eq!(last(&bench).total, money("0.01"));
    assert_eq!(bench.balance(&LedgerAccount::Revenue), 13_410);
    assert_eq!(bench.balance(&LedgerAccount::Rounding), -3_410);
    check(&bench);
}

#[test]
fn a17_a_day_waits_for_the_nodes_until_noon_and_then_closes_with_what_is_there() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.use_minutes(APP, Sku::Audio, MORNING, 5);
    bench.history.watermark = at("2026-11-02T23:59:59Z");
    bench.advance("2026-11-03T11:59:59Z");
    assert_eq!(bills(&bench), [], "a node still owes windows of the day");
    let armed = bench.state.timers.get(&TimerKind::DayClose(date("2026-11-02"))).copied();
    assert!(armed.is_some_and(|due| due <= at("2026-11-03T12:00:00Z")), "{armed:?}");
    let mut told = bench.clone();
    told.history.watermark = at("2026-11-03T00:00:00Z");
    told.advance("2026-11-03T12:04:59Z");
    assert_eq!(bills(&told).len(), 1);
    bench.advance("2026-11-03T12:00:00Z");
    assert_eq!(last(&bench).issued_at, at("2026-11-03T12:00:00Z"));
    check(&bench);
}

#[test]
fn a17_a_program_that_was_down_looks_once_and_not_for_every_interval_missed() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.history.watermark = Timestamp::UNIX_EPOCH;
    let timer = TimerKind::DayClose(date("2026-11-02"));
    let due = bench.state.timers[&timer];
    let late = at("2026-11-03T11:50:00Z");
    bench.run_at(&Command::Fire { timer: timer.clone() }, due, late).expect("waits");
    assert_eq!(bench.state.timers[&timer], at("2026-11-03T11:55:00Z"));
    let late = at("2026-11-03T11:58:00Z");
    let due = bench.state.timers[&timer];
    bench.run_at(&Command::Fire { timer: timer.clone() }, due, late).expect("waits");
    assert_eq!(bench.state.timers[&timer], at("2026-11-03T12:00:00Z"), "not beyond noon");
}

#[test]
fn t3_a_month_is_billed_on_the_first_to_third_of_the_next() {
    let mut bench = Bench::open(MORNING, BillingMode::Monthly);
    bench.pay("100", "p1");
    for day in ["2026-11-02", "2026-11-17", "2026-11-30"] {
        bench.advance(&format!("{day}T09:00:00Z"));
        bench.use_minutes(APP, Sku::WebRecordHd, &format!("{day}T09:00:00Z"), 1_000);
    }
    bench.advance("2026-12-01T12:00:00Z");
    bench.use_minutes(APP, Sku::WebRecordFhd, "2026-12-01T01:00:00Z", 1_000);
    assert_eq!(bills(&bench), [], "days close, the bill waits");
    let view = balance(&bench.state, &bench.catalog).expect("a balance");
    assert_eq!((view.available, view.unbilled), (money("100"), money("70")));
    bench.advance("2026-12-03T23:00:00Z");
    let bill = last(&bench);
    assert_eq!((bill.total, bill.lines.len(), bills(&bench).len()), (money("42"), 3, 1));
    assert_eq!((bill.from_day, bill.to_day), (date("2026-11-02"), date("2026-11-30")));
    assert_eq!(bill.month.map(|month| month.to_string()).as_deref(), Some("2026-11"));
    assert_eq!(bench.count(Transition::T3), 1);
    bench.advance("2027-01-03T23:00:00Z");
    let bill = last(&bench);
    assert_eq!((bill.total, bills(&bench).len()), (money("28"), 2));
    assert_eq!((bill.from_day, bill.to_day), (date("2026-12-01"), date("2026-12-31")));
    check(&bench);
}

#[test]
fn p9_switching_how_it_is_billed_leaves_no_day_out_and_bills_none_twice() {
    let mut bench = Bench::open("2026-10-30T09:00:00Z", BillingMode::Monthly);
    let one = |bench: &mut Bench, day: &str| {
        let when = format!("{day}T09:00:00Z");
        bench.advance(&when);
        bench.use_minutes(APP, Sku::WebRecordHd, &when, 1_000);
    };
    let switch = |bench: &mut Bench, billing| {
        bench.run(Command::SetBilling { billing }).expect("switched");
    };
    for day in ["2026-10-30", "2026-10-31", "2026-11-01"] {
        one(&mut bench, day);
    }
    // Before the month has closed, its lines go on the next daily bill.
    bench.advance("2026-11-01T11:59:00Z");
    switch(&mut bench, BillingMode::Daily);
    for day in ["2026-11-02", "2026-11-03", "2026-11-04"] {
        one(&mut bench, day);
    }
    switch(&mut bench, BillingMode::Monthly);
    for day in ["2026-11-05", "2026-11-30", "2026-12-01"] {
        one(&mut bench, day);
    }
    bench.advance("2026-12-20T00:00:00Z");
    switch(&mut bench, BillingMode::Off);
    bench.advance("2026-12-22T00:00:00Z");
    let periods: Vec<_> = bills(&bench)
        .iter()
        .map(|bill| (bill.from_day.to_string(), bill.to_day.to_string(), bill.lines.len()))
        .collect();
    let expected = [
        ("2026-10-30", "2026-11-01", 3),
        ("2026-11-02", "2026-11-02", 1),
        // At 09:00 of the 4th, the 3rd has not closed yet.
        ("2026-11-03", "2026-11-30", 4),
        ("2026-12-01", "2026-12-19", 1),
    ];
    let expected = expected.map(|(from, to, lines)| (from.to_owned(), to.to_owned(), lines));
    assert_eq!(periods, expected);
    check(&bench);
}

/// The periods of daily bills are contiguous, each begins at the instant at which the one before ends.
fn tiles(bench: &Bench) {
    let bills = bills(bench);
    for pair in bills.windows(2) {
        assert_eq!(pair[0].to, pair[1].from, "{} and {}", pair[0].to_day, pair[1].from_day);
        // A day without length has no use and no bill.
        assert!(pair[0].to_day < pair[1].from_day);
    }
    for bill in &bills {
        for line in &bill.lines {
            assert!(bill.from_day <= line.key.day && line.key.day <= bill.to_day);
        }
    }
}

#[test]
fn p9_daily_periods_tile_time_across_clock_changes_and_zones() {
    // Berlin's clocks change on March 29th and October 25th 2026; then the account moves about the world.
    let rows = [
        ("Europe/Berlin", "2026-03-27T10:00:00Z", &["Europe/Berlin"][..]),
        ("Europe/Berlin", "2026-10-23T10:00:00Z", &["America/New_York"][..]),
        ("Pacific/Pago_Pago", "2026-01-20T10:00:00Z", &["Pacific/Kiritimati"][..]),
        ("Pacific/Kiritimati", "2026-01-20T10:00:00Z", &["Pacific/Pago_Pago"][..]),
        ("America/New_York", "2026-02-20T10:00:00Z", &["Asia/Tokyo", "Europe/Berlin"][..]),
    ];
    for (zone, begin, moves) in rows {
        let mut bench = Bench::open_in(zone, begin, BillingMode::Daily);
        let mut now = at(begin);
        let mut used = 0_u64;
        for hour in 0..24 * 40 {
            // A change of zone is asked for once in a fortnight; the last one before the month counts.
            if hour % (24 * 14) == 0
                && let Some(zone) = moves.get(hour / (24 * 14))
            {
                let zone = Some((*zone).to_owned());
                let change = ChangeAccount { zone, ..ChangeAccount::default() };
                bench.run(Command::Change(change)).expect("changed");
            }
            bench.use_minutes(APP, Sku::Audio, &now.to_string(), 1);
            used += 1;
            now += SignedDuration::from_hours(1);
            bench.advance(&now.to_string());
        }
        let end = now + SignedDuration::from_hours(72);
        bench.advance(&end.to_string());
        tiles(&bench);
        let billed: u64 =
            bills(&bench).iter().flat_map(|bill| &bill.lines).map(|line| line.minutes).sum();
        assert_eq!(billed, used, "{zone}: every minute on one bill");
        check(&bench);
    }
}

#[test]
fn p10_closing_twice_changes_nothing() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.use_minutes(APP, Sku::WebRecordHd, MORNING, 10);
    bench.advance("2026-12-05T00:00:00Z");
    let (state, rows) = (bench.state.clone(), bench.history.rows.len());
    let month = crate::calendar::YearMonth::of(date("2026-11-01"));
    for timer in [TimerKind::DayClose(date("2026-11-02")), TimerKind::MonthClose(month)] {
        close_again(&mut bench, timer);
    }
    assert_eq!(bench.state, state);
    assert_eq!(bench.history.rows.len(), rows);
}

#[test]
fn p11_p17_late_use_goes_on_the_next_bill_once_and_the_issued_one_stays() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.use_minutes(APP, Sku::WebRecordHd, MORNING, 1_000);
    bench.advance("2026-11-03T13:00:00Z");
    let issued = last(&bench);
    let row = bench.history.rows.clone();
    bench.use_minutes(APP, Sku::WebRecordHd, "2026-11-02T23:00:00Z", 500);
    bench.use_minutes(OTHER_APP, Sku::WebRecordHd, "2026-11-02T23:00:00Z", 500);
    assert_eq!(bench.history.rows[..row.len()], row, "what is written stays");
    bench.advance("2026-11-05T13:00:00Z");
    let bills = bills(&bench);
    assert_eq!(bills.len(), 2, "{bills:?}");
    assert_eq!(bills[0], issued);
    let parts: Vec<_> = bills[1]
        .lines
        .iter()
        .map(|line| (line.key.day.to_string(), line.late, line.billed, line.amount))
        .collect();
    let late = ("2026-11-02".to_owned(), true, 500, money("7"));
    assert_eq!(parts, [late.clone(), late]);
    assert_eq!((bills[1].from_day, bills[1].total), (date("2026-11-03"), money("14")));
    check(&bench);
}

#[test]
fn p17_a_correction_takes_nothing_back_and_is_charged_only_beyond() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    let late = |bench: &mut Bench, minutes| {
        bench.use_minutes(APP, Sku::WebRecordHd, MORNING, minutes);
    };
    late(&mut bench, 10);
    bench.advance("2026-11-03T13:00:00Z");
    late(&mut bench, -4);
    late(&mut bench, 3);
    assert!(bench.state.pending.is_empty(), "9 of 10 charged minutes");
    late(&mut bench, 3);
    let waits: Vec<&PendingLine> = bench.state.pending.values().collect();
    assert_eq!((waits.len(), waits[0].minutes), (1, 2));
    bench.advance("2026-11-05T13:00:00Z");
    assert_eq!(bills(&bench).iter().map(|bill| bill.lines[0].billed).sum::<u64>(), 12);
    check(&bench);
}

#[test]
fn p14_credits_never_exceed_the_bill() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.use_minutes(APP, Sku::WebRecordHd, MORNING, 1_000);
    bench.advance("2026-11-03T13:00:00Z");
    let bill = last(&bench);
    let note = |bill: &BillId, amount: &str| Command::IssueCreditNote {
        bill: bill.clone(),
        amount: money(amount),
        reason: "goodwill".to_owned(),
    };
    let id = &bill.id;
    for amount in ["0", "-1", "14.01"] {
        let refused = bench.run(note(id, amount)).expect_err("out of range");
        assert!(matches!(refused, Refusal::Invalid { field: "amount", .. }), "{refused}");
    }
    let Answer::CreditNote(first) = bench.run(note(id, "10")).expect("credited") else {
        panic!("a credit note")
    };
    assert_eq!((first.amount, first.bill), (money("10"), id.clone()));
    let refused = bench.run(note(id, "4.000001")).expect_err("more than what is left");
    assert!(refused.to_string().contains("more than the 4 that are left"), "{refused}");
    bench.run(note(id, "4")).expect("the rest");
    bench.run(note(id, "0.000001")).expect_err("nothing is left");
    assert_eq!(bench.balance(&LedgerAccount::Customer), 0);
    assert_eq!(bench.balance(&LedgerAccount::Revenue), 0);
    assert_eq!(bench.state.episode, None, "credit notes settle debts (T7)");
    let unknown = bench.run(note(&BillId::from_text("BL_x_1"), "1")).expect_err("no such bill");
    assert!(matches!(unknown, Refusal::Unknown { what: "bill", .. }));
    assert_eq!(last(&bench), bill, "the bill stays as it is (P11)");
    check(&bench);
}

#[test]
fn a18_a_cleared_account_is_billed_for_what_comes_late_and_then_nothing_is_due() {
    for mode in [BillingMode::Daily, BillingMode::Monthly] {
        let mut bench = Bench::open(MORNING, mode);
        bench.run(Command::Adjust { amount: money("-5"), reason: "debt".to_owned() }).expect("due");
        bench.advance("2027-01-20T00:00:00Z");
        assert!(
            matches!(bench.state.reclaim, Reclaim::Cleared { .. }),
            "{:?}",
            bench.state.reclaim
        );
        assert_eq!(bench.state.timers.len(), 0, "{:?}", bench.state.timers);
        bench.use_minutes(APP, Sku::WebRecordHd, "2027-01-19T23:00:00Z", 1_000);
        bench.advance("2027-03-05T00:00:00Z");
        let bill = last(&bench);
        assert_eq!((bills(&bench).len(), bill.total), (1, money("14")));
        assert_eq!(bench.balance(&LedgerAccount::Customer), -19_000_000, "it deepens the debt");
        assert_eq!(bench.state.timers.len(), 0, "{:?}", bench.state.timers);
        check(&bench);
    }
}

#[test]
fn p16_each_day_has_the_price_of_its_own_day() {
    let mut bench = Bench::open(MORNING, BillingMode::Monthly);
    let mut draft: CatalogDraft = bench.catalog.latest().expect("a version").draft();
    let list = draft.prices.get_mut(&Currency::USD).expect("USD");
    list.insert(Sku::WebRecordHd, Price { amount: money("20"), per: 1_000 });
    draft.effective_from = Some(at("2026-11-04T00:00:00Z"));
    bench.catalog = bench.catalog.add(draft, bench.now, "operator").expect("added");
    for when in ["2026-11-03T23:00:00Z", "2026-11-04T01:00:00Z"] {
        bench.advance(when);
        bench.use_minutes(APP, Sku::WebRecordHd, when, 1_000);
    }
    bench.advance("2026-11-06T09:00:00Z");
    // Late use of a day has the price of the day, too.
    bench.use_minutes(APP, Sku::WebRecordHd, "2026-11-03T23:30:00Z", 1_000);
    bench.advance("2026-12-04T00:00:00Z");
    let lines: Vec<_> = last(&bench)
        .lines
        .iter()
        .map(|line| (line.catalog_version, line.late, line.amount))
        .collect();
    assert_eq!(lines, [(1, false, money("14")), (1, true, money("14")), (2, false, money("20"))]);
    check(&bench);
}

#[test]
fn paid_packages_earn_exactly_their_price_and_vouchers_pay_bills_first() {
    let mut bench = Bench::open(MORNING, BillingMode::Daily);
    bench.pay("30", "p1");
    let (amount, expires_at) = (money("5"), at("2027-06-01T00:00:00Z"));
    let reason = "welcome".to_owned();
    bench.buy("minutes_25k", None).expect("24.00");
    bench.run(Command::GrantVoucher { amount, expires_at, reason }).expect("given");
    for day in 2..=9 {
        let when = format!("2026-11-{day:02}T10:00:00Z");
        bench.advance(&when);
        bench.use_minutes(APP, Sku::Audio, &when, 4_567);
    }
    bench.advance("2026-11-11T00:00:00Z");
    assert_eq!(bench.balance(&LedgerAccount::DeferredRevenue), 0, "all units are burnt");
    // 36,536 minutes less 35,000 of packages are 1,536, the last day's; 0.99 per 1,000.
    assert_eq!(last(&bench).total, money("1.52"));
    assert_eq!(bench.balance(&LedgerAccount::Customer), 6_000_000);
    assert_eq!(bench.balance(&LedgerAccount::Vouchers), 3_480_000);
    assert_eq!(bench.balance(&LedgerAccount::Revenue), 24_000_000 + 1_520_640);
    check(&bench);
}

/// Something that may happen to an account, with how long after what came before.
#[derive(Debug, Clone)]
enum Happening {
    Use { hours_ago: i64, sku: usize, other_app: bool, seconds: i64 },
    Pay(i64),
    Chargeback,
    Buy(&'static str),
    Switch(BillingMode),
    Voucher { cents: i64, hours: i64 },
    Credit { cents: i64 },
    Adjust(i64),
    Zone(&'static str),
}

fn happening() -> impl Strategy<Value = Happening> {
    let mode =
        prop_oneof![Just(BillingMode::Daily), Just(BillingMode::Monthly), Just(BillingMode::Off)];
    let zone = prop_oneof![Just("Asia/Tokyo"), Just("America/New_York"), Just("Europe/Berlin")];
    prop_oneof![
        6 => (0_i64..60, 0_usize..23, any::<bool>(), -600_i64..400_000).prop_map(
            |(hours_ago, sku, other_app, seconds)| Happening::Use {
                hours_ago, sku, other_app, seconds
            }
        ),
        2 => (1_i64..10_000).prop_map(Happening::Pay),
        1 => Just(Happening::Chargeback),
        1 => prop_oneof![Just("minutes_25k"), Just("monthly_starter")].prop_map(Happening::Buy),
        1 => mode.prop_map(Happening::Switch),
        1 => (1_i64..2_000, 1_i64..2_000)
            .prop_map(|(cents, hours)| Happening::Voucher { cents, hours }),
        1 => (1_i64..500).prop_map(|cents| Happening::Credit { cents }),
        1 => (-3_000_i64..3_000).prop_map(Happening::Adjust),
        1 => zone.prop_map(Happening::Zone),
    ]
}

fn cents(cents: i64) -> Money {
    Money::from_micros(cents * 10_000)
}

/// Carries it out; what standing or balance forbid is refused and changes nothing, as the bench checks.
fn happen(bench: &mut Bench, number: usize, what: &Happening) {
    let reason = "test".to_owned();
    let command = match what {
        Happening::Use { hours_ago, sku, other_app, seconds } => {
            let at = bench.now - SignedDuration::from_hours(*hours_ago);
            let app = if *other_app { OTHER_APP } else { APP };
            let delta = UsageDelta { app, sku: Sku::ALL[*sku], at, seconds: *seconds };
            Command::Usage { deltas: vec![delta] }
        }
        Happening::Pay(amount) => {
            Command::Pay { amount: cents(*amount), provider_ref: format!("p{number}") }
        }
        Happening::Chargeback => {
            let payment = |row: &JournalRow| match &row.record {
                Record::Payment(payment) => Some(payment.provider_ref.clone()),
                _ => None,
            };
            let Some(provider_ref) = bench.history.rows.iter().rev().find_map(payment) else {
                return;
            };
            Command::ReversePayment { provider_ref, reason }
        }
        Happening::Buy(code) => {
            let app = code.starts_with("monthly").then_some(APP);
            Command::BuyPackage { type_code: (*code).to_owned(), app }
        }
        Happening::Switch(billing) => Command::SetBilling { billing: *billing },
        Happening::Voucher { cents: amount, hours } => {
            let expires_at = bench.now + SignedDuration::from_hours(*hours);
            Command::GrantVoucher { amount: cents(*amount), expires_at, reason }
        }
        Happening::Credit { cents: amount } => {
            let Some(bill) = bills(bench).pop().map(|bill| bill.id) else { return };
            Command::IssueCreditNote { bill, amount: cents(*amount), reason }
        }
        Happening::Adjust(amount) => Command::Adjust { amount: cents(*amount), reason },
        Happening::Zone(zone) => Command::Change(ChangeAccount {
            zone: Some((*zone).to_owned()),
            ..ChangeAccount::default()
        }),
    };
    let refused = bench.run(command).err();
    assert!(!matches!(refused, Some(Refusal::Corrupt(_))), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens, the books add up (P1, P2, P3, P4, P8, P14, P15, P17, P19), and periods do not overlap.
    #[test]
    fn p8_p15_p17_the_books_add_up_whatever_happens(
        mode in prop_oneof![Just(BillingMode::Daily), Just(BillingMode::Monthly)],
        story in prop::collection::vec((0_i64..40, happening()), 1..60),
    ) {
        let mut bench = Bench::open_in("Europe/Berlin", "2026-03-20T10:00:00Z", mode);
        for (number, (hours, what)) in story.iter().enumerate() {
            let to = bench.now + SignedDuration::from_hours(*hours);
            bench.advance(&to.to_string());
            happen(&mut bench, number, what);
        }
        let to = bench.now + SignedDuration::from_hours(24 * 40);
        bench.advance(&to.to_string());
        check(&bench);
    }
}

//! Usage of closed days (T25): exactly once, on the next bill, from packages of its day.

use fermata_types::Sku;

use crate::command::UsageDelta;
use crate::journal::{LedgerAccount, Record};
use crate::state::{BillingMode, DayKey, DayUse, Item, ItemKey, PendingKey, PendingLine};
use crate::testing::{APP, Bench, at, date, units};
use crate::transition::Transition;

const OPENED: &str = "2026-11-20T10:00:00Z";
const DAY: &str = "2026-11-20";
/// The day is closed, whatever the account's place in the window.
const NEXT: &str = "2026-11-21T12:30:00Z";

fn key(sku: Sku) -> DayKey {
    DayKey { day: date(DAY), app: APP, sku }
}

fn pending(bench: &Bench, sku: Sku) -> Option<&PendingLine> {
    bench.state.pending.get(&PendingKey { key: key(sku), late: true })
}

fn closed(bench: &Bench, sku: Sku) -> DayUse {
    match bench.history.items.get(&ItemKey::ClosedDay(key(sku))) {
        Some(Item::ClosedDay(day)) => day.clone(),
        other => panic!("{other:?}"),
    }
}

/// (all, covered, billed, absorbed) of the late line.
fn shares(bench: &Bench, sku: Sku) -> (u64, u64, u64, u64) {
    pending(bench, sku).map_or((0, 0, 0, 0), |line| {
        let covered = line.burns.iter().map(|burn| burn.minutes).sum();
        (line.minutes, covered, line.billed, line.absorbed)
    })
}

fn late_seconds(bench: &mut Bench, sku: Sku, seconds: i64) {
    bench.report(&[UsageDelta { app: APP, sku, at: at(OPENED), seconds }]);
}

#[test]
fn t25_late_minutes_burn_the_packages_of_their_day_and_wait_for_the_next_bill() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.use_minutes(APP, Sku::Audio, OPENED, 9_990);
    bench.advance(NEXT);
    bench.took();
    bench.use_minutes(APP, Sku::Audio, OPENED, 4);
    bench.use_minutes(APP, Sku::Audio, OPENED, 9);
    assert_eq!(shares(&bench, Sku::Audio), (13, 10, 3, 0));
    assert!(bench.free().left.is_zero());
    let day = closed(&bench, Sku::Audio);
    assert_eq!((day.minutes(), day.covered(), day.billed), (10_003, 10_000, 3));
    assert_eq!(day.burns.len(), 1, "one entry a package");
    assert_eq!(bench.count(Transition::T25), 2);
    assert_eq!(bench.count(Transition::T1), 0);
    bench.advance("2026-11-22T12:30:00Z");
    assert_eq!(pending(&bench, Sku::Audio), None, "on a bill");
    let late = bench.history.rows.iter().filter_map(|row| match &row.record {
        Record::Bill(bill) => Some(bill.lines.iter().filter(|line| line.late)),
        _ => None,
    });
    let late: Vec<_> = late.flatten().map(|line| (line.minutes, line.billed)).collect();
    assert_eq!(late, [(13, 3)], "p17: on exactly one bill, exactly once");
}

#[test]
fn t25_a_late_minute_comes_before_those_of_open_days() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.advance(NEXT);
    bench.use_minutes(APP, Sku::Audio, NEXT, 10_000);
    assert_eq!(bench.shares("2026-11-21", APP, Sku::Audio), (10_000, 0, 0));
    bench.use_minutes(APP, Sku::Audio, OPENED, 6);
    assert_eq!(bench.shares("2026-11-21", APP, Sku::Audio), (9_994, 6, 0));
    assert_eq!(shares(&bench, Sku::Audio), (6, 6, 0, 0));
    assert_eq!(bench.free().settled, units(9_994));
}

#[test]
fn t25_without_postpaid_late_minutes_beyond_packages_are_absorbed_at_their_price() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.advance(NEXT);
    bench.use_minutes(APP, Sku::Relay, OPENED, 1_000);
    assert_eq!(shares(&bench, Sku::Relay), (1_000, 0, 0, 1_000));
    assert_eq!(bench.balance(&LedgerAccount::AbsorbedCost), -2_990_000);
    assert_eq!(bench.balance(&LedgerAccount::Revenue), 2_990_000);
}

#[test]
fn t25_seconds_complete_minutes_that_were_charged() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    late_seconds(&mut bench, Sku::Relay, 30);
    bench.advance(NEXT);
    for (more, billed) in [(20, 0), (10, 0), (1, 1), (59, 1), (1, 2)] {
        late_seconds(&mut bench, Sku::Relay, more);
        assert_eq!(shares(&bench, Sku::Relay).2, billed, "{more}");
    }
    assert_eq!(closed(&bench, Sku::Relay).seconds, 121);
}

#[test]
fn p17_a_lower_total_gives_nothing_back_and_is_not_charged_twice() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.use_minutes(APP, Sku::Relay, OPENED, 10);
    bench.advance(NEXT);
    for (more, late, minutes) in [(-4, 0, 6), (3, 0, 9), (2, 1, 11), (-1, 1, 10), (2, 2, 12)] {
        bench.use_minutes(APP, Sku::Relay, OPENED, more);
        assert_eq!(shares(&bench, Sku::Relay).0, late, "{more}");
        assert_eq!(closed(&bench, Sku::Relay).minutes(), minutes, "{more}");
    }
    let day = closed(&bench, Sku::Relay);
    assert_eq!((day.billed, day.covered(), day.absorbed), (12, 0, 0));
}

#[test]
fn t25_late_minutes_burn_what_had_expired_of_their_day() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.pay("24.00", "one");
    bench.use_minutes(APP, Sku::Audio, OPENED, 9_000);
    let pack = bench.buy("minutes_25k", None).expect("buys").id;
    let free = bench.free().id.clone();
    bench.advance("2026-12-05T00:00:00Z");
    assert_eq!(bench.package(&free).settled, units(1_000));
    assert_eq!(bench.balance(&LedgerAccount::UnitsExpired), units(1_000).thousandths());
    bench.use_minutes(APP, Sku::Audio, OPENED, 1_200);
    assert_eq!(shares(&bench, Sku::Audio), (1_200, 1_200, 0, 0));
    assert!(bench.package(&free).settled.is_zero());
    assert_eq!(bench.balance(&LedgerAccount::UnitsExpired), 0);
    assert_eq!(bench.balance(&LedgerAccount::UnitsConsumed), units(10_200).thousandths());
    // The paid one is live, and earns its share: 200 of 25,000 minutes for 24.00.
    assert_eq!(bench.package(&pack).left, units(24_800));
    assert_eq!(bench.balance(&LedgerAccount::Revenue), 192_000);
    assert_eq!(bench.balance(&LedgerAccount::DeferredRevenue), 24_000_000 - 192_000);
}

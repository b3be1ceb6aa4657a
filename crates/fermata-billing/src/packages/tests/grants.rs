//! The free minutes of a month (T11, S16, A7).

use fermata_types::Sku;

use crate::command::Command;
use crate::hold::{HoldKind, Scope};
use crate::journal::LedgerAccount;
use crate::state::{BillingMode, Hold, Reclaim};
use crate::testing::{APP, Bench, at, date, units};
use crate::timer::TimerKind;
use crate::transition::Transition;

const OPENED: &str = "2026-11-20T10:00:00Z";

#[test]
fn a7_the_first_grant_is_full_and_begins_with_the_day_of_opening() {
    let bench = Bench::open(OPENED, BillingMode::Off);
    let free = bench.free();
    assert_eq!((free.units, free.left), (units(10_000), units(10_000)));
    assert_eq!((free.from, free.until), (date("2026-11-20"), date("2026-11-30")));
    assert!(free.free && free.price.is_zero() && free.app.is_none());
    let next = TimerKind::FreeGrant("2026-12".parse().expect("a month"));
    assert_eq!(bench.state.timers.get(&next), Some(&at("2026-12-01T00:00:00Z")));
    assert_eq!(bench.count(Transition::T11), 1);
}

#[test]
fn t11_a_month_begins_in_the_accounts_zone() {
    let mut bench = Bench::open_in("America/New_York", OPENED, BillingMode::Off);
    bench.advance("2026-12-01T04:59:59Z");
    assert_eq!(bench.count(Transition::T11), 1);
    bench.advance("2026-12-01T05:00:00Z");
    assert_eq!(bench.count(Transition::T11), 2);
}

#[test]
fn s16_free_minutes_come_every_month_and_do_not_roll_over() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.use_minutes(APP, Sku::Audio, OPENED, 1_000);
    for (month, first, last) in [
        ("2026-12-01T00:00:00Z", "2026-12-01", "2026-12-31"),
        ("2027-01-01T00:00:00Z", "2027-01-01", "2027-01-31"),
        ("2027-02-01T00:00:00Z", "2027-02-01", "2027-02-28"),
    ] {
        bench.advance(month);
        let new = bench.state.packages.values().find(|one| one.from == date(first));
        let new = new.expect("a new one").clone();
        assert_eq!((new.until, new.left), (date(last), units(10_000)));
        bench.advance(&(bench.now + jiff::SignedDuration::from_hours(30)).to_string());
        let usable = bench.state.packages.values().filter(|one| one.left.is_positive());
        assert_eq!(usable.count(), 1, "those of before are gone");
    }
    assert_eq!(bench.balance(&LedgerAccount::UnitsExpired), units(29_000).thousandths());
}

#[test]
fn t11_free_minutes_of_a_new_month_are_burnt_by_its_days_only() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_000);
    bench.advance("2026-12-01T01:00:00Z");
    bench.use_minutes(APP, Sku::Audio, "2026-11-30T23:00:00Z", 5);
    bench.use_minutes(APP, Sku::Audio, "2026-12-01T00:30:00Z", 7);
    assert_eq!(bench.shares("2026-11-30", APP, Sku::Audio), (0, 5, 0));
    assert_eq!(bench.shares("2026-12-01", APP, Sku::Audio), (7, 0, 0));
}

#[test]
fn a7_a_new_month_does_not_lift_unfunded_unless_the_policy_says_so() {
    for reopens in [false, true] {
        let mut bench = Bench::open(OPENED, BillingMode::Off);
        bench.policy.free_renewal_reopens = reopens;
        bench.use_minutes(APP, Sku::Audio, OPENED, 10_000);
        let unfunded =
            |bench: &Bench| bench.state.holds.values().any(|hold| hold.kind == HoldKind::Unfunded);
        assert!(unfunded(&bench));
        bench.advance("2026-12-01T00:00:00Z");
        assert_eq!(unfunded(&bench), !reopens);
        // Whoever is still inside burns the new minutes all the same.
        bench.use_minutes(APP, Sku::Audio, "2026-12-01T00:00:00Z", 5);
        assert_eq!(bench.shares("2026-12-01", APP, Sku::Audio), (5, 0, 0));
    }
}

#[test]
fn t11_a_violation_ends_the_grants_but_not_their_timer() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    let id = crate::id::HoldId::from_text("HD_violation");
    let mut hold = Hold {
        id: id.clone(),
        kind: HoldKind::Violation,
        scope: Scope::Account,
        cause: None,
        since: bench.now,
        applied_at: bench.now,
        reason: String::new(),
        evidence: String::new(),
        raised_by: "test".to_owned(),
        proposed: true,
    };
    bench.state.holds.insert(id.clone(), hold.clone());
    bench.advance("2026-12-01T00:00:00Z");
    assert_eq!(bench.count(Transition::T11), 2, "a proposal has no effect");
    hold.proposed = false;
    bench.state.holds.insert(id.clone(), hold);
    bench.advance("2027-01-01T00:00:00Z");
    assert_eq!(bench.count(Transition::T11), 2);
    // Annulled, outside of the machine (A10).
    bench.state.holds.remove(&id);
    bench.advance("2027-02-01T00:00:00Z");
    assert_eq!(bench.count(Transition::T11), 3);
}

#[test]
fn t11_a_cleared_account_gets_no_free_minutes() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.state.reclaim = Reclaim::Cleared { at: bench.now };
    let due = at("2026-12-01T00:00:00Z");
    let timer = TimerKind::FreeGrant("2026-12".parse().expect("a month"));
    bench.run_at(&Command::Fire { timer }, due, due).expect("fires");
    assert_eq!(bench.count(Transition::T11), 1);
    let armed = bench.state.timers.keys().any(|timer| matches!(timer, TimerKind::FreeGrant(_)));
    assert!(!armed, "there is no next month");
}

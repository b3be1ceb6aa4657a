//! Expiry and forfeiture: what is left, what it was worth, and when it is known.

use fermata_types::Sku;
use jiff::SignedDuration;

use crate::command::Command;
use crate::hold::HoldCause;
use crate::journal::LedgerAccount;
use crate::limits::LATE_WINDOW;
use crate::state::{BillingMode, PackageStatus};
use crate::testing::{APP, Bench, at, units};
use crate::transition::Transition;

const OPENED: &str = "2026-11-20T10:00:00Z";

/// With a monthly package of `APP` for 49.00, and no postpaid.
fn with_monthly() -> (Bench, crate::id::PackageId) {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.pay("49.00", "one");
    let id = bench.buy("monthly_starter", Some(APP)).expect("buys").id;
    (bench, id)
}

#[test]
fn p5_reports_of_the_last_day_burn_until_it_closes_and_the_rest_expires_then() {
    let (mut bench, id) = with_monthly();
    // December's free minutes are used, so that the monthly package burns.
    bench.advance("2026-12-19T12:00:00Z");
    bench.use_minutes(APP, Sku::Audio, "2026-12-19T11:00:00Z", 10_000);
    bench.advance("2026-12-20T01:00:00Z");
    assert_eq!(bench.package(&id).status, PackageStatus::Live, "its last day is open");
    assert_eq!(bench.balance(&LedgerAccount::UnitsExpired), units(10_000).thousandths());
    bench.use_minutes(APP, Sku::Audio, "2026-12-19T22:00:00Z", 20_000);
    assert_eq!(bench.shares("2026-12-19", APP, Sku::Audio), (30_000, 0, 0));
    bench.use_minutes(APP, Sku::Audio, "2026-12-20T00:30:00Z", 7);
    assert_eq!(bench.shares("2026-12-20", APP, Sku::Audio), (0, 0, 7));
    bench.advance("2026-12-20T12:30:00Z");
    let package = bench.package(&id).clone();
    assert_eq!((package.status, package.left), (PackageStatus::Expired, units(0)));
    assert_eq!(package.settled, units(30_000), "for late usage of its days");
    // 20,000 of 50,000 minutes for 49.00 are earned, the rest is breakage.
    assert_eq!(bench.balance(&LedgerAccount::Revenue), 19_600_000);
    assert_eq!(bench.balance(&LedgerAccount::Breakage), 29_400_000);
    assert_eq!(bench.balance(&LedgerAccount::DeferredRevenue), 0);
}

#[test]
fn t9_a_package_funds_nothing_from_the_end_of_its_last_day_on() {
    let (mut bench, _) = with_monthly();
    bench.advance("2026-12-01T00:00:00Z");
    bench.use_minutes(APP, Sku::Audio, "2026-12-01T00:00:00Z", 10_000);
    bench.advance("2026-12-19T23:59:59Z");
    let holds = |bench: &Bench| {
        let of_app = bench.state.holds.values().filter(|hold| hold.scope.covers(APP));
        of_app.filter_map(|hold| hold.cause).collect::<Vec<_>>()
    };
    assert_eq!(holds(&bench), []);
    bench.advance("2026-12-20T00:00:00Z");
    assert_eq!(holds(&bench), [HoldCause::PackageExpired]);
}

#[test]
fn t25_an_expired_package_is_kept_for_the_late_window_and_then_goes() {
    let (mut bench, id) = with_monthly();
    let goes = at("2026-12-20T00:00:00Z") + LATE_WINDOW;
    bench.advance(&(goes - SignedDuration::from_secs(1)).to_string());
    bench.use_minutes(APP, Sku::Audio, "2026-12-19T22:00:00Z", 10_010);
    assert_eq!(bench.package(&id).settled, units(49_990), "the rest was December's free minutes");
    bench.advance(&goes.to_string());
    assert_eq!(bench.state.packages.get(&id), None);
    assert_eq!(bench.expiry(&id), None);
    assert!(!bench.state.balances.contains_key(&LedgerAccount::Package(id)));
}

#[test]
fn t25_packages_do_not_pile_up() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.advance("2028-11-20T10:00:00Z");
    assert!(bench.state.packages.len() <= 3, "{}", bench.state.packages.len());
    let kept = bench.state.balances.keys().filter(|one| matches!(one, LedgerAccount::Package(_)));
    assert!(kept.count() <= 3);
    assert!(bench.state.timers.len() < 10, "{:?}", bench.state.timers);
}

#[test]
fn a16_a_change_of_zone_moves_the_end_of_a_package() {
    let (mut bench, id) = with_monthly();
    let zone = Some("America/New_York".to_owned());
    bench
        .run(Command::Change(crate::command::ChangeAccount { zone, ..Default::default() }))
        .expect("changes");
    assert_eq!(bench.expiry(&id), Some(at("2026-12-20T05:00:00Z")));
    bench.advance("2026-12-21T18:00:00Z");
    assert_eq!(bench.package(&id).status, PackageStatus::Expired);
}

#[test]
fn a17_the_rest_expires_only_when_its_last_day_really_closes() {
    let (mut bench, id) = with_monthly();
    bench.advance("2026-12-19T23:00:00Z");
    // A node is silent: the day waits for it until 12:00.
    bench.history.watermark = at("2026-12-19T23:00:00Z");
    bench.advance("2026-12-20T11:59:59Z");
    assert_eq!(bench.package(&id).status, PackageStatus::Live);
    bench.use_minutes(APP, Sku::Audio, "2026-12-19T23:30:00Z", 10_001);
    bench.advance("2026-12-20T12:10:00Z");
    let package = bench.package(&id);
    assert_eq!((package.status, package.settled), (PackageStatus::Expired, units(49_999)));
}

/// An account that is 60 days in arrears and more, with a year's pack of which 109 minutes are burnt.
#[test]
fn t21_clearing_forfeits_packages_but_not_what_is_burnt() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.pay("24.00", "one");
    let id = bench.buy("minutes_25k", None).expect("buys").id;
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_100);
    bench.advance("2026-11-22T00:00:00Z");
    let reason = "debt".to_owned();
    let amount = crate::testing::money("-1.00");
    bench.run(Command::Adjust { amount, reason }).expect("books");
    bench.took();
    for day in 0..90 {
        if bench.count(Transition::T22) > 0 {
            break;
        }
        let now = at("2026-11-22T06:00:00Z") + SignedDuration::from_hours(24 * day);
        bench.advance(&now.to_string());
        // Somebody inside talks on, on the free minutes of the month.
        bench.use_minutes(APP, Sku::Audio, &now.to_string(), 1);
    }
    assert_eq!(bench.count(Transition::T22), 1);
    let burnt = bench.state.days.values().flat_map(|day| &day.burns);
    let burnt: Vec<_> = burnt.map(|burn| bench.package(&burn.package).clone()).collect();
    assert!(!burnt.is_empty(), "a day is open, and what it burnt stays burnt");
    assert!(burnt.iter().all(|one| one.status == PackageStatus::Reclaimed));
    if let Some(package) = bench.state.packages.get(&id) {
        assert_eq!(package.status, PackageStatus::Reclaimed);
        assert!(package.left.is_zero());
    }
    assert_eq!(bench.balance(&LedgerAccount::Package(id)), 0);
    assert_eq!(bench.balance(&LedgerAccount::DeferredRevenue), 0);
    assert_eq!(bench.balance(&LedgerAccount::Breakage), 23_895_360);
    // A node comes back with what it had spooled: it is billed, from nobody's package (A18).
    let (late, before) = (bench.now - SignedDuration::from_hours(48), bench.count(Transition::T2));
    bench.use_minutes(APP, Sku::Audio, &late.to_string(), 3);
    bench.advance(&(bench.now + SignedDuration::from_hours(40)).to_string());
    assert!(bench.count(Transition::T2) > before);
    assert!(bench.state.days.is_empty() && bench.state.pending.is_empty());
    let reclaimed = bench.balance(&LedgerAccount::UnitsReclaimed);
    assert!(reclaimed >= units(24_900).thousandths(), "{reclaimed}");
    let kept =
        |one: (&LedgerAccount, &i64)| matches!(one.0, LedgerAccount::Package(_)) && *one.1 != 0;
    assert!(!bench.state.balances.iter().any(kept), "nothing is left in any package");
    bench.verify();
}

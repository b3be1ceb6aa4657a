//! Buying a package (T10, A5).

use fermata_types::{SdkAppId, Sku};

use crate::catalog::CatalogError;
use crate::command::{Command, Refusal};
use crate::hold::HoldKind;
use crate::journal::LedgerAccount;
use crate::limits::PACKAGES_LIVE_MAX;
use crate::packages::usable;
use crate::state::{BillingMode, Package};
use crate::testing::{APP, Bench, OTHER_APP, at, date, money, units};
use crate::transition::Transition;

const OPENED: &str = "2026-11-20T10:00:00Z";

fn rich(now: &str, billing: BillingMode) -> Bench {
    let mut bench = Bench::open(now, billing);
    bench.pay("100000.00", "one");
    bench
}

#[test]
fn t10_a_purchase_moves_the_price_and_issues_the_units() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.pay("60.00", "one");
    bench.took();
    let package = bench.buy("monthly_starter", Some(APP)).expect("buys");
    assert_eq!(package.price, money("49.00"));
    assert_eq!((package.units, package.left), (units(50_000), units(50_000)));
    assert_eq!((package.from, package.until), (date("2026-11-20"), date("2026-12-19")));
    assert_eq!(bench.balance(&LedgerAccount::Customer), 11_000_000);
    assert_eq!(bench.balance(&LedgerAccount::DeferredRevenue), 49_000_000);
    let account = LedgerAccount::Package(package.id.clone());
    assert_eq!(bench.balance(&account), units(50_000).thousandths());
    assert_eq!(bench.expiry(&package.id), Some(at("2026-12-20T00:00:00Z")));
    assert!(bench.took().contains(&Transition::T10));
}

#[test]
fn t10_vouchers_pay_first() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.pay("60.00", "one");
    let command = Command::GrantVoucher {
        amount: money("20.00"),
        expires_at: at("2027-01-01T00:00:00Z"),
        reason: "welcome".to_owned(),
    };
    bench.run(command).expect("grants");
    bench.buy("monthly_starter", Some(APP)).expect("buys");
    assert_eq!(bench.balance(&LedgerAccount::Vouchers), 0);
    assert_eq!(bench.balance(&LedgerAccount::Customer), 31_000_000);
}

#[test]
fn a5_a_purchase_needs_its_price_and_opens_no_episode() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.pay("23.99", "one");
    let refusal = bench.buy("minutes_25k", None).expect_err("a cent is missing");
    let (available, price) = (money("23.99"), money("24.00"));
    assert_eq!(refusal, Refusal::InsufficientBalance { available, price });
    bench.pay("0.01", "two");
    bench.buy("minutes_25k", None).expect("zero is fine");
    assert_eq!(bench.balance(&LedgerAccount::Customer), 0);
    assert_eq!(bench.state.episode, None);
}

#[test]
fn a5_a_debt_is_settled_before_a_package_is_bought() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench
        .run(Command::Adjust { amount: money("-10.00"), reason: "debt".to_owned() })
        .expect("books");
    assert!(bench.state.episode.is_some());
    bench.pay("30.00", "one");
    let refusal = bench.buy("minutes_25k", None).expect_err("20.00 are left");
    assert!(matches!(refusal, Refusal::InsufficientBalance { .. }), "{refusal}");
}

#[test]
fn t10_what_cannot_be_bought_says_why() {
    let mut bench = rich(OPENED, BillingMode::Off);
    let rows = [
        ("monthly_starter", None, "belongs to one application"),
        ("monthly_starter", Some(SdkAppId(9)), "no app 9"),
        ("minutes_25k", Some(APP), "name no application"),
        ("free_monthly", None, "not sold"),
        ("gold", None, "gold"),
    ];
    for (code, app, why) in rows {
        let refusal = bench.buy(code, app).expect_err(code);
        assert!(refusal.to_string().contains(why), "{refusal}");
    }
    let refusal = bench.buy("gold", None).expect_err("unknown");
    assert!(matches!(refusal, Refusal::Catalog(CatalogError::NoPackageType { .. })), "{refusal:?}");
}

#[test]
fn t10_a_package_that_does_not_stack_is_held_once_at_a_time_and_application() {
    let mut bench = rich(OPENED, BillingMode::Off);
    bench.buy("monthly_starter", Some(APP)).expect("the first");
    let refusal = bench.buy("monthly_starter", Some(APP)).expect_err("the second");
    assert!(matches!(&refusal, Refusal::Conflict(why) if why.contains("2026-12-19")), "{refusal}");
    bench.buy("monthly_starter", Some(OTHER_APP)).expect("another application's");
    bench.buy("monthly_standard", Some(APP)).expect("another type");
    bench.buy("minutes_25k", None).expect("a pack");
    bench.buy("minutes_25k", None).expect("packs stack");
    bench.advance("2026-12-19T23:59:59Z");
    bench.buy("monthly_starter", Some(APP)).expect_err("its last second");
    bench.advance("2026-12-20T00:00:00Z");
    bench.buy("monthly_starter", Some(APP)).expect("its days are over");
}

#[test]
fn s17_a_used_up_package_does_not_keep_its_owner_from_the_next() {
    let mut bench = rich(OPENED, BillingMode::Off);
    bench.buy("monthly_starter", Some(APP)).expect("the first");
    bench.use_minutes(APP, Sku::Audio, OPENED, 60_000);
    let unfunded = |bench: &Bench| {
        bench.state.holds.values().filter(|hold| hold.kind == HoldKind::Unfunded).count()
    };
    assert_eq!(unfunded(&bench), 2);
    bench.buy("monthly_starter", Some(APP)).expect("the second");
    assert_eq!(unfunded(&bench), 1, "the other application has bought nothing");
}

#[test]
fn t10_live_packages_are_bounded() {
    let mut bench = rich(OPENED, BillingMode::Off);
    for _ in 1..PACKAGES_LIVE_MAX {
        bench.buy("minutes_25k", None).expect("within the bound");
    }
    let refusal = bench.buy("minutes_25k", None).expect_err("one too many");
    assert!(matches!(refusal, Refusal::LimitReached { max: PACKAGES_LIVE_MAX, .. }), "{refusal}");
}

#[test]
fn t10_days_of_a_package_end_as_its_type_says() {
    let rows = [
        ("2026-01-31T12:00:00Z", "monthly_starter", "2026-02-27"),
        ("2028-01-31T12:00:00Z", "monthly_starter", "2028-02-28"),
        ("2026-02-28T12:00:00Z", "monthly_starter", "2026-03-27"),
        ("2026-12-15T00:00:00Z", "monthly_starter", "2027-01-14"),
        ("2026-11-20T10:00:00Z", "minutes_25k", "2027-11-19"),
        ("2028-02-29T10:00:00Z", "minutes_25k", "2029-02-27"),
    ];
    for (now, code, until) in rows {
        let mut bench = rich(now, BillingMode::Off);
        let package = bench.buy(code, code.starts_with("monthly").then_some(APP)).expect("buys");
        assert_eq!(package.until, date(until), "{code} on {now}");
        assert_eq!(package.from, bench.now.to_zoned(jiff::tz::TimeZone::UTC).date());
    }
}

#[test]
fn a7_a_package_funds_an_application_only_on_its_days_with_minutes_left() {
    let mut bench = rich(OPENED, BillingMode::Off);
    let package = bench.buy("monthly_starter", Some(APP)).expect("buys");
    let empty = Package { left: units(0), ..package.clone() };
    let refunded = Package { status: crate::state::PackageStatus::Refunded, ..package.clone() };
    let rows = [
        (&package, "2026-11-20", APP, true),
        (&package, "2026-12-19", APP, true),
        (&package, "2026-12-20", APP, false),
        (&package, "2026-11-19", APP, false),
        (&package, "2026-11-20", OTHER_APP, false),
        (&empty, "2026-11-20", APP, false),
        (&refunded, "2026-11-20", APP, false),
        (bench.free(), "2026-11-20", OTHER_APP, true),
    ];
    for (package, day, app, funds) in rows {
        assert_eq!(usable(package, date(day), app), funds, "{day} {app} {package:?}");
    }
}

#[test]
fn t10_a_suspended_account_may_not_buy_where_the_matrix_says_no() {
    let mut bench = rich(OPENED, BillingMode::Off);
    bench.run(Command::DisableApp { app: APP }).expect("disables");
    bench.buy("monthly_starter", Some(APP)).expect("manual does not forbid it");
    let hold = bench.state.holds.values().next().expect("manual").clone();
    bench.state.holds.insert(
        hold.id.clone(),
        crate::state::Hold {
            kind: HoldKind::Violation,
            scope: crate::hold::Scope::Account,
            ..hold
        },
    );
    let refusal = bench.buy("minutes_25k", None).expect_err("a violation does");
    assert!(matches!(refusal, Refusal::Suspended { .. }), "{refusal}");
}

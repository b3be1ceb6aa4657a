//! One rule a test, driven through the whole step.

use fermata_types::{SdkAppId, Sku};
use jiff::Timestamp;

use crate::command::{Command, UsageDelta};
use crate::hold::{HoldKind, Scope};
use crate::id::{HoldId, PackageId};
use crate::journal::Record;
use crate::limits::DAY_SECONDS_MAX;
use crate::metering::intake;
use crate::notice::NoticeKind;
use crate::state::{BillingMode, Hold};
use crate::testing::{APP, Bench, OTHER_APP, at, date, units};
use crate::transition::Transition;

const OPENED: &str = "2026-11-20T10:00:00Z";
const TODAY: &str = "2026-11-20";

fn seconds(bench: &mut Bench, when: &str, seconds: i64) {
    bench.report(&[UsageDelta { app: APP, sku: Sku::Audio, at: at(when), seconds }]);
}

#[test]
fn t1_seconds_become_minutes_on_the_running_daily_total() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    for (more, minutes) in [(30, 1), (20, 1), (40, 2), (30, 2), (1, 3), (0, 3), (-1, 2)] {
        seconds(&mut bench, OPENED, more);
        assert_eq!(bench.day(TODAY, APP, Sku::Audio).minutes(), minutes);
        assert_eq!(bench.free().left, units(10_000 - minutes));
    }
    assert_eq!(bench.count(Transition::T1), 6, "a report of nothing is none");
}

#[test]
fn t1_minutes_beyond_packages_go_to_money_with_postpaid_and_to_nobody_without() {
    for (billing, shares) in [
        (BillingMode::Daily, (10_000, 50, 0)),
        (BillingMode::Monthly, (10_000, 50, 0)),
        (BillingMode::Off, (10_000, 0, 50)),
    ] {
        let mut bench = Bench::open(OPENED, billing);
        bench.use_minutes(APP, Sku::VideoHd, OPENED, 10_050);
        assert_eq!(bench.shares(TODAY, APP, Sku::VideoHd), shares, "{billing:?}");
        assert!(bench.free().left.is_zero());
    }
}

#[test]
fn a8_the_policy_may_bill_what_nothing_funds() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.policy.unfunded_billed = true;
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_050);
    assert_eq!(bench.shares(TODAY, APP, Sku::Audio), (10_000, 50, 0));
}

#[test]
fn t1_no_package_covers_minutes_of_tasks() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.use_minutes(APP, Sku::Relay, OPENED, 7);
    assert_eq!(bench.shares(TODAY, APP, Sku::Relay), (0, 7, 0));
    assert_eq!(bench.free().left, units(10_000));
}

#[test]
fn t1_a_day_is_one_of_the_accounts_zone() {
    let mut bench = Bench::open_in("Asia/Tokyo", OPENED, BillingMode::Daily);
    bench.advance("2026-11-20T15:10:00Z");
    bench.use_minutes(APP, Sku::Audio, "2026-11-20T14:59:59Z", 3);
    bench.use_minutes(APP, Sku::Audio, "2026-11-20T15:00:00Z", 4);
    assert_eq!(bench.day(TODAY, APP, Sku::Audio).minutes(), 3);
    assert_eq!(bench.day("2026-11-21", APP, Sku::Audio).minutes(), 4);
}

#[test]
fn p16_a_day_has_the_price_list_that_held_as_it_began() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    let mut draft = bench.catalog.latest().expect("one").draft();
    draft.effective_from = Some(at("2026-11-20T12:00:00Z"));
    bench.catalog = bench.catalog.add(draft, bench.now, "tester").expect("is added");
    bench.advance("2026-11-21T01:00:00Z");
    bench.use_minutes(APP, Sku::Audio, "2026-11-20T13:00:00Z", 1);
    bench.use_minutes(APP, Sku::Audio, "2026-11-21T00:30:00Z", 1);
    assert_eq!(bench.day(TODAY, APP, Sku::Audio).catalog_version, 1);
    assert_eq!(bench.day("2026-11-21", APP, Sku::Audio).catalog_version, 2);
}

#[test]
fn a8_absorbed_minutes_stay_absorbed_when_postpaid_comes() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_100);
    bench.run(Command::SetBilling { billing: BillingMode::Daily }).expect("switches");
    assert_eq!(bench.shares(TODAY, APP, Sku::Audio), (10_000, 0, 100));
    bench.use_minutes(APP, Sku::Audio, OPENED, 30);
    assert_eq!(bench.shares(TODAY, APP, Sku::Audio), (10_000, 30, 100));
    // A correction lowers what packages and the customer pay; what is absorbed is a floor.
    bench.use_minutes(APP, Sku::Audio, OPENED, -10_000);
    assert_eq!(bench.shares(TODAY, APP, Sku::Audio), (30, 0, 100));
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_000);
    assert_eq!(bench.shares(TODAY, APP, Sku::Audio), (10_000, 30, 100), "and leaves no trace");
}

#[test]
fn a25_billed_minutes_stay_billed_when_postpaid_goes() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_100);
    bench.run(Command::SetBilling { billing: BillingMode::Off }).expect("switches");
    assert_eq!(bench.shares(TODAY, APP, Sku::Audio), (10_000, 100, 0));
    bench.use_minutes(APP, Sku::Audio, OPENED, 30);
    assert_eq!(bench.shares(TODAY, APP, Sku::Audio), (10_000, 100, 30));
    bench.pay("100.00", "one");
    bench.buy("minutes_25k", None).expect("buys");
    bench.use_minutes(APP, Sku::Audio, OPENED, 5);
    assert_eq!(bench.shares(TODAY, APP, Sku::Audio), (10_005, 100, 30));
}

#[test]
fn t10_a_package_takes_over_what_was_to_be_billed_today_but_not_what_is_absorbed() {
    for (billing, shares) in
        [(BillingMode::Daily, (10_100, 0, 0)), (BillingMode::Off, (10_000, 0, 100))]
    {
        let mut bench = Bench::open(OPENED, billing);
        bench.pay("100.00", "one");
        bench.use_minutes(APP, Sku::Audio, OPENED, 10_100);
        let package = bench.buy("minutes_25k", None).expect("buys");
        assert_eq!(bench.shares(TODAY, APP, Sku::Audio), shares, "{billing:?}");
        assert_eq!(package.left, units(25_000 - (shares.0 - 10_000)));
    }
}

fn suspend(bench: &mut Bench) -> HoldId {
    let id = HoldId::from_text("HD_arrears");
    let hold = Hold {
        id: id.clone(),
        kind: HoldKind::Arrears,
        scope: Scope::Account,
        cause: None,
        since: bench.now,
        applied_at: bench.now,
        reason: String::new(),
        evidence: String::new(),
        raised_by: "test".to_owned(),
        proposed: false,
    };
    bench.state.holds.insert(id.clone(), hold);
    id
}

#[test]
fn a3_live_calls_burn_packages_while_suspended_unless_the_agreement_pauses_them() {
    for (burns, shares, after) in
        [(true, (30, 0, 0), (37, 0, 0)), (false, (10, 20, 0), (17, 20, 0))]
    {
        let mut bench = Bench::open(OPENED, BillingMode::Daily);
        bench.policy.burn_while_suspended = burns;
        bench.use_minutes(APP, Sku::Audio, OPENED, 10);
        let hold = suspend(&mut bench);
        bench.use_minutes(APP, Sku::Audio, OPENED, 15);
        bench.use_minutes(APP, Sku::Audio, OPENED, 5);
        assert_eq!(bench.shares(TODAY, APP, Sku::Audio), shares);
        assert_eq!(bench.free().left, units(10_000 - shares.0));
        bench.state.holds.remove(&hold);
        bench.use_minutes(APP, Sku::Audio, OPENED, 7);
        assert_eq!(bench.shares(TODAY, APP, Sku::Audio), after, "minutes of the pause stay billed");
    }
}

#[test]
fn t26_what_cannot_be_counted_is_set_aside_and_the_rest_counts() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.advance("2026-12-31T10:00:00Z");
    let good = UsageDelta { app: APP, sku: Sku::Audio, at: bench.now, seconds: 60 };
    let rows = [
        (UsageDelta { app: SdkAppId(7), ..good }, intake::UNKNOWN_APP),
        (UsageDelta { at: at("2026-12-31T10:05:01Z"), ..good }, intake::FUTURE),
        (UsageDelta { at: Timestamp::MAX, ..good }, intake::NO_DAY),
        (UsageDelta { at: at("2026-11-19T23:59:59Z"), ..good }, intake::BEFORE_OPENING),
        (UsageDelta { at: Timestamp::MIN, ..good }, intake::NO_DAY),
        (UsageDelta { at: at("2026-11-25T12:00:00Z"), ..good }, intake::TOO_LATE),
        (UsageDelta { seconds: DAY_SECONDS_MAX + 1, ..good }, intake::TOO_MUCH),
        (UsageDelta { seconds: i64::MIN, ..good }, intake::TOO_MUCH),
        (UsageDelta { seconds: i64::MAX, ..good }, intake::TOO_MUCH),
    ];
    for (delta, reason) in rows {
        let before = bench.history.rows.len();
        bench.took();
        bench.report(&[delta, good]);
        let alerts = bench.state.sent.iter().filter(|key| key.kind == NoticeKind::OperatorAlert);
        assert_eq!(alerts.count(), 1, "one alert a day");
        let new: Vec<_> = bench.history.rows[before..].iter().map(|row| &row.record).collect();
        let aside = new.iter().find_map(|record| match record {
            Record::Quarantined(aside) => Some((aside.seconds, aside.reason.as_str())),
            _ => None,
        });
        assert_eq!(aside, Some((delta.seconds, reason)), "{delta:?}");
        assert_eq!(bench.took(), [Transition::T1, Transition::T26]);
    }
    assert_eq!(bench.day("2026-12-31", APP, Sku::Audio).minutes(), 9);
}

#[test]
fn t26_the_edges_of_time_count() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    // 35 days after the end of November 20 is December 26, 00:00.
    bench.advance("2026-12-25T23:59:59Z");
    bench.use_minutes(APP, Sku::Audio, "2026-11-20T00:00:00Z", 1);
    bench.use_minutes(APP, Sku::Audio, "2026-12-26T00:04:59Z", 1);
    assert_eq!(bench.count(Transition::T26), 0);
    assert_eq!((bench.count(Transition::T25), bench.count(Transition::T1)), (1, 1));
    bench.advance("2026-12-26T00:00:00Z");
    bench.use_minutes(APP, Sku::Audio, "2026-11-20T00:00:00Z", 1);
    assert_eq!(bench.count(Transition::T26), 1);
}

#[test]
fn p18_totals_stay_within_what_a_day_can_have() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    for _ in 0..3 {
        seconds(&mut bench, OPENED, DAY_SECONDS_MAX);
    }
    assert_eq!(bench.day(TODAY, APP, Sku::Audio).seconds, DAY_SECONDS_MAX);
    assert_eq!(bench.count(Transition::T26), 2);
    for _ in 0..3 {
        seconds(&mut bench, OPENED, -DAY_SECONDS_MAX);
    }
    assert_eq!(bench.day(TODAY, APP, Sku::Audio).seconds, -DAY_SECONDS_MAX);
    assert_eq!(bench.day(TODAY, APP, Sku::Audio).minutes(), 0);
}

#[test]
fn p18_the_most_use_of_every_sku_can_be_closed_and_billed() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    for sku in Sku::ALL {
        for app in [APP, OTHER_APP] {
            let delta = UsageDelta { app, sku: *sku, at: bench.now, seconds: DAY_SECONDS_MAX };
            bench.report(&[delta]);
        }
    }
    bench.advance("2026-11-21T13:00:00Z");
    assert_eq!(bench.count(Transition::T2), 1);
    assert!(bench.state.days.is_empty());
}

#[test]
fn p6_packages_burn_free_first_then_the_applications_then_what_expires_first() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.pay("1000.00", "one");
    let pack = bench.buy("minutes_25k", None).expect("buys").id;
    let monthly = bench.buy("monthly_starter", Some(APP)).expect("buys").id;
    let later = bench.buy("minutes_250k", None).expect("buys").id;
    let free = bench.free().id.clone();
    let order = |app| {
        let order = crate::packages::burn_order;
        order(&bench.state, &bench.catalog, date(TODAY), app, Sku::Audio).expect("an order")
    };
    assert_eq!(order(APP), [free.clone(), monthly, pack.clone(), later.clone()]);
    assert_eq!(order(OTHER_APP), [free, pack, later]);
    let relay = crate::packages::burn_order;
    let relay = relay(&bench.state, &bench.catalog, date(TODAY), APP, Sku::Relay);
    assert_eq!(relay, Ok(Vec::<PackageId>::new()));
}

#[test]
fn t1_the_last_units_of_a_package_cover_a_whole_minute() {
    let mut bench = Bench::open(OPENED, BillingMode::Daily);
    bench.pay("24.00", "one");
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_000);
    let pack = bench.buy("minutes_25k", None).expect("buys").id;
    // 2,777 minutes at 9 units leave 7; the next minute takes those.
    bench.use_minutes(APP, Sku::VideoFhd, OPENED, 2_780);
    assert_eq!(bench.shares(TODAY, APP, Sku::VideoFhd), (2_778, 2, 0));
    assert!(bench.package(&pack).left.is_zero());
}

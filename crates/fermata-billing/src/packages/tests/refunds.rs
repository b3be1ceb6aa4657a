//! Giving an unused monthly package back.

use fermata_types::Sku;

use crate::command::{Answer, Command, Refusal};
use crate::id::PackageId;
use crate::journal::{LedgerAccount, Record};
use crate::state::{BillingMode, PackageStatus};
use crate::testing::{APP, Bench, money, units};
use crate::transition::Transition;

const OPENED: &str = "2026-11-20T10:00:00Z";

fn refund(bench: &mut Bench, package: &PackageId) -> Result<Answer, Refusal> {
    bench.run(Command::RefundPackage { package: package.clone() })
}

#[test]
fn p14_a_refund_is_prorated_by_the_whole_days_that_remain() {
    // Bought on November 20 for 49.00, valid for 30 days, to December 19.
    let rows = [
        ("2026-11-20T10:00:00Z", "47.37"),
        ("2026-11-20T23:59:59Z", "47.37"),
        ("2026-11-21T00:00:00Z", "45.73"),
        ("2026-11-25T10:00:00Z", "39.20"),
    ];
    for (now, amount) in rows {
        let mut bench = Bench::open(OPENED, BillingMode::Off);
        bench.pay("50.00", "one");
        let id = bench.buy("monthly_starter", Some(APP)).expect("buys").id;
        bench.advance(now);
        let answer = refund(&mut bench, &id);
        let Ok(Answer::Refund(refund)) = answer else { panic!("{answer:?}") };
        assert_eq!((refund.amount, &refund.package), (money(amount), &id), "{now}");
        let back = money(amount).micros();
        assert_eq!(bench.balance(&LedgerAccount::Customer), 1_000_000 + back);
        assert_eq!(bench.balance(&LedgerAccount::Revenue), 49_000_000 - back);
        assert_eq!(bench.balance(&LedgerAccount::DeferredRevenue), 0);
        assert_eq!(bench.balance(&LedgerAccount::UnitsRefunded), units(50_000).thousandths());
        let package = bench.package(&id);
        assert_eq!((package.status, package.left), (PackageStatus::Refunded, units(0)));
        let kept =
            bench.history.rows.iter().any(|row| row.record == Record::Refund(refund.clone()));
        assert!(kept);
    }
}

#[test]
fn p14_what_is_not_taken_back_says_why() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.pay("1000.00", "one");
    let starter = bench.buy("monthly_starter", Some(APP)).expect("buys").id;
    let standard = bench.buy("monthly_standard", Some(APP)).expect("buys").id;
    let pack = bench.buy("minutes_25k", None).expect("buys").id;
    let free = bench.free().id.clone();
    let unknown = PackageId::from_text("PK_none");
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_001);
    let rows = [
        (&starter, "minutes of it are used"),
        (&pack, "not taken back"),
        (&free, "not taken back"),
        (&unknown, "no package PK_none"),
    ];
    for (id, why) in rows {
        let refusal = refund(&mut bench, id).expect_err(why);
        assert!(refusal.to_string().contains(why), "{refusal}");
    }
    refund(&mut bench, &standard).expect("unused");
    let refusal = refund(&mut bench, &standard).expect_err("twice");
    assert!(refusal.to_string().contains("already"), "{refusal}");
}

#[test]
fn p14_a_package_is_taken_back_within_five_times_24_hours() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.pay("49.00", "one");
    let id = bench.buy("monthly_starter", Some(APP)).expect("buys").id;
    bench.advance("2026-11-25T10:00:01Z");
    let refusal = refund(&mut bench, &id).expect_err("too late");
    assert!(refusal.to_string().contains("within 5 days"), "{refusal}");
}

#[test]
fn t9_a_refund_may_leave_an_application_without_funding() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.pay("1000.00", "one");
    bench.use_minutes(APP, Sku::Audio, OPENED, 10_000);
    let starter = bench.buy("monthly_starter", Some(APP)).expect("buys").id;
    let restricted = |bench: &Bench| bench.state.holds.values().any(|hold| hold.scope.covers(APP));
    assert!(!restricted(&bench), "the purchase reopened it");
    bench.took();
    refund(&mut bench, &starter).expect("unused");
    assert!(restricted(&bench));
    assert!(bench.took().contains(&Transition::T9));
}

#[test]
fn p14_a_refunded_package_goes_like_any_other() {
    let mut bench = Bench::open(OPENED, BillingMode::Off);
    bench.pay("49.00", "one");
    let id = bench.buy("monthly_starter", Some(APP)).expect("buys").id;
    refund(&mut bench, &id).expect("unused");
    bench.advance("2027-02-01T00:00:00Z");
    assert_eq!(bench.state.packages.get(&id), None);
    assert_eq!(bench.balance(&LedgerAccount::UnitsRefunded), units(50_000).thousandths());
    assert_eq!(bench.balance(&LedgerAccount::DeferredRevenue), 0);
}

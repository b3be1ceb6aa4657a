//! Reports in any order, split or repeated, come to the same (P5); and whatever happens, the books hold (P3).

use fermata_types::{SdkAppId, Sku};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::catalog::Catalog;
use crate::command::{Command, UsageDelta};
use crate::state::BillingMode;
use crate::testing::{APP, Bench, OTHER_APP, at, units};

const OPENED: &str = "2026-11-20T10:00:00Z";
const SKUS: [Sku; 4] = [Sku::Audio, Sku::VideoFhd, Sku::LiveAudienceAudio, Sku::Relay];

fn app(other: bool) -> SdkAppId {
    if other { OTHER_APP } else { APP }
}

fn later(hours: i64) -> Timestamp {
    at(OPENED) + SignedDuration::from_hours(hours)
}

/// Packages of few minutes, so that the reports of a case exhaust them.
fn small_packages() -> Catalog {
    let catalog = Catalog::default_catalog();
    let mut draft = catalog.latest().expect("one").draft();
    for (number, package_type) in (0..).zip(draft.package_types.values_mut()) {
        package_type.units = units(40 + 10 * number);
    }
    draft.effective_from = None;
    catalog.add(draft, at("2026-01-01T00:00:00Z"), "tester").expect("is added")
}

/// Before the first day has closed, so both days are open.
fn two_open_days(billing: BillingMode) -> Bench {
    let mut bench = Bench::open_with(small_packages(), "UTC", OPENED, billing);
    bench.pay("1000.00", "one");
    bench.buy("minutes_25k", None).expect("buys");
    bench.buy("monthly_starter", Some(APP)).expect("buys");
    bench.advance("2026-11-21T06:00:00Z");
    bench
}

fn delta() -> impl Strategy<Value = UsageDelta> {
    (any::<bool>(), 0..SKUS.len(), 0..20_i64, -600..2_400_i64).prop_map(
        |(other, sku, hours, seconds)| UsageDelta {
            app: app(other),
            sku: SKUS[sku],
            at: later(hours),
            seconds,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn p5_any_order_split_and_repetition_of_reports_comes_to_the_same(
        mut deltas in prop::collection::vec((delta(), any::<prop::sample::Index>()), 1..20),
        cuts in prop::collection::vec(1..5_usize, 20),
        postpaid in any::<bool>(),
    ) {
        let billing = if postpaid { BillingMode::Daily } else { BillingMode::Off };
        let start = two_open_days(billing);
        let mut whole = start.clone();
        whole.report(&deltas.iter().map(|(delta, _)| *delta).collect::<Vec<_>>());

        let mut parts = start;
        deltas.sort_by_key(|(_, index)| index.index(usize::MAX));
        let mut pieces = Vec::new();
        for (delta, index) in deltas {
            let first = delta.seconds / 3;
            pieces.push(UsageDelta { seconds: first, ..delta });
            // What a window that is reported again changes: nothing.
            pieces.push(UsageDelta { seconds: 0, ..delta });
            let rest = UsageDelta { seconds: delta.seconds - first, ..delta };
            pieces.insert(index.index(pieces.len()), rest);
        }
        let mut pieces = pieces.as_slice();
        for cut in cuts.into_iter().cycle() {
            if pieces.is_empty() {
                break;
            }
            let (report, rest) = pieces.split_at(cut.min(pieces.len()));
            parts.report(report);
            pieces = rest;
        }
        prop_assert_eq!(&whole.state.days, &parts.state.days);
        prop_assert_eq!(&whole.state.packages, &parts.state.packages);

        // And therefore to the same bill.
        whole.advance("2026-11-23T00:00:00Z");
        parts.advance("2026-11-23T00:00:00Z");
        prop_assert_eq!(&whole.state.balances, &parts.state.balances);
        prop_assert_eq!(&whole.state.packages, &parts.state.packages);
    }
}

/// Something that may happen to an account.
#[derive(Debug, Clone)]
enum Deed {
    Use(UsageDelta, i64),
    Buy(&'static str, Option<SdkAppId>),
    Refund(prop::sample::Index),
    Switch(BillingMode),
    Pay(u32),
    Wait(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let billing =
        prop::sample::select(vec![BillingMode::Daily, BillingMode::Monthly, BillingMode::Off]);
    let package = prop::sample::select(vec!["monthly_starter", "minutes_25k", "free_monthly"]);
    let scope = prop::sample::select(vec![None, Some(APP), Some(OTHER_APP)]);
    prop_oneof![
        6 => (delta(), -40..2_i64, 1..400_i64).prop_map(|(delta, hours, times)| {
            Deed::Use(UsageDelta { seconds: delta.seconds * times, ..delta }, hours)
        }),
        2 => (package, scope).prop_map(|(code, app)| Deed::Buy(code, app)),
        1 => any::<prop::sample::Index>().prop_map(Deed::Refund),
        1 => billing.prop_map(Deed::Switch),
        1 => (1..200_u32).prop_map(Deed::Pay),
        4 => (1..400_i64).prop_map(Deed::Wait),
    ]
}

fn carry_out(bench: &mut Bench, number: usize, deed: &Deed) {
    match deed {
        Deed::Use(delta, hours) => {
            let at = bench.now + SignedDuration::from_hours(*hours);
            bench.report(&[UsageDelta { at, ..*delta }]);
        }
        Deed::Buy(code, app) => drop(bench.buy(code, *app)),
        Deed::Refund(index) => {
            let ids: Vec<_> = bench.state.packages.keys().cloned().collect();
            if !ids.is_empty() {
                let package = index.get(&ids).clone();
                drop(bench.run(Command::RefundPackage { package }));
            }
        }
        Deed::Switch(billing) => drop(bench.run(Command::SetBilling { billing: *billing })),
        Deed::Pay(units) => bench.pay(&units.to_string(), &format!("pay-{number}")),
        Deed::Wait(hours) => {
            let to = bench.now + SignedDuration::from_hours(*hours);
            bench.advance(&to.to_string());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The bench checks after every step that transactions balance, packages are what the ledger says and never
    /// below zero, minutes are covered, billed or absorbed, and refusals leave nothing.
    #[test]
    fn p3_p4_p8_the_books_hold_whatever_happens(
        zone in prop::sample::select(vec!["UTC", "America/New_York", "Pacific/Apia"]),
        deeds in prop::collection::vec(deed(), 1..25),
    ) {
        let mut bench = Bench::open_with(small_packages(), zone, OPENED, BillingMode::Daily);
        bench.pay("200", "first");
        for (number, deed) in deeds.iter().enumerate() {
            carry_out(&mut bench, number, deed);
        }
        bench.verify();
    }
}

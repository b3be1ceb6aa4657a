//! Shares of a price over the life of a package.

use proptest::prelude::*;

use crate::command::Refusal;
use crate::money::Money;
use crate::packages::{merge, released};
use crate::state::{BillingMode, Burn, Package};
use crate::testing::Bench;
use crate::units::{PACKAGE_MINUTES_MAX, Units};

fn package(price: i64, units: i64) -> Package {
    let bench = Bench::open("2026-11-20T10:00:00Z", BillingMode::Off);
    let units = Units::from_thousandths(units);
    let price = Money::from_micros(price);
    Package { price, units, settled: units, left: units, ..bench.free().clone() }
}

#[test]
fn p18_shares_that_make_no_sense_are_refused() {
    let package = package(49_000_000, 1_000);
    let units = Units::from_thousandths;
    for (before, after) in [(500, 600), (1_001, 0), (500, -1), (i64::MAX, i64::MIN)] {
        let refusal = released(&package, units(before), units(after)).expect_err("makes no sense");
        assert!(matches!(refusal, Refusal::Corrupt(_)), "{refusal}");
    }
}

#[test]
fn p18_burns_that_do_not_fit_are_refused() {
    let id = crate::id::PackageId::from_text("PK_1");
    let burn = |minutes| Burn { package: id.clone(), minutes, units: Units::from_thousandths(1) };
    let mut burns = vec![burn(u64::MAX)];
    assert!(matches!(merge(&mut burns, &[burn(1)]), Err(Refusal::Money(_))));
}

proptest! {
    #[test]
    fn p18_shares_of_a_price_sum_to_exactly_the_price(
        price in 0..=1_000_000_000_000_000_i64,
        units in 1..=1_000 * PACKAGE_MINUTES_MAX.cast_signed(),
        mut steps in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let package = package(price, units);
        let size = usize::try_from(units).expect("64 bits");
        steps.sort_by_key(|index| std::cmp::Reverse(index.index(size)));
        let mut left = package.units;
        let mut sum = 0;
        let ends = steps.iter().map(|index| i64::try_from(index.index(size)).expect("fits"));
        for end in ends.chain([0]) {
            let end = Units::from_thousandths(end);
            let share = released(&package, left, end).expect("goes down");
            prop_assert!(share >= 0);
            (left, sum) = (end, sum + share);
        }
        prop_assert_eq!(sum, price);
    }
}

//! Versions by event time, the default list, what is refused, and the order of deduction.
//! Files have their tests in `toml`.

mod refusals;
mod toml;

use std::collections::{BTreeMap, BTreeSet};

use fermata_types::{Sku, SkuKind};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::limits::CATALOG_VERSIONS_MAX;
use crate::money::{Currency, Money, Price};
use crate::units::Ratio;

/// Default version; tests change copies of it.
fn first() -> CatalogVersion {
    Catalog::default_catalog().version(1).expect("default").clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("instant")
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("instant")
}

/// The default list with another price for audio, from an instant on.
fn draft(from: Option<Timestamp>, audio_micros: i64) -> CatalogDraft {
    let mut draft = CatalogDraft { effective_from: from, ..first().draft() };
    let price = Price { amount: Money::from_micros(audio_micros), per: 1_000 };
    draft.prices.get_mut(&Currency::USD).expect("USD").insert(Sku::Audio, price);
    draft
}

#[test]
fn p16_the_version_is_chosen_by_event_time_at_the_exact_boundary() {
    let (now, from) = (at("2026-11-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let catalog = Catalog::default_catalog();
    let catalog = catalog.add(draft(Some(from), 1_230_000), now, "op").expect("added");
    let nanosecond = SignedDuration::from_nanos(1);
    let rows = [
        (Timestamp::UNIX_EPOCH, 1, 990_000),
        (now, 1, 990_000),
        (from - nanosecond, 1, 990_000),
        (from, 2, 1_230_000),
        (from + nanosecond, 2, 1_230_000),
        (Timestamp::MAX, 2, 1_230_000),
    ];
    for (event, version, micros) in rows {
        let (found, price) = catalog.price(event, Currency::USD, Sku::Audio).expect("price");
        assert_eq!((found, price.amount.micros()), (version, micros), "{event}");
        assert_eq!(catalog.package_type(event, "free_monthly").expect("type").0, version);
        let bought = catalog.package_price(event, Currency::USD, "minutes_25k").expect("price");
        assert_eq!(bought, (version, Money::from_micros(24_000_000)));
    }
    let before = Timestamp::UNIX_EPOCH - nanosecond;
    let error = CatalogError::NotInForce { at: before };
    assert_eq!(catalog.version_at(before), Err(error.clone()));
    assert_eq!(catalog.currencies_at(before), Err(error));
}

#[test]
fn p16_a_new_version_changes_none_before_it() {
    let old = Catalog::default_catalog();
    let now = at("2026-11-01T00:00:00Z");
    let new = old.add(draft(None, 5), now, "op_1").expect("added");
    assert_eq!(old, Catalog::default_catalog());
    assert_eq!(new.versions()[..1], *old.versions());
    let added = new.latest().expect("latest");
    assert_eq!((added.version, added.effective_from, added.created_at), (2, now, now));
    assert_eq!(added.actor, "op_1");
    assert_eq!(added.draft(), draft(Some(now), 5));
    assert_eq!(new.version(2), Some(added));
    assert_eq!((new.version(0), new.version(3), new.version(u32::MAX)), (None, None, None));
}

proptest! {
    #[test]
    fn p16_the_version_is_the_last_that_is_in_force(
        steps in prop::collection::vec(1..100_i64, 0..12),
        event in -50..1_300_i64,
    ) {
        let mut catalog = Catalog::default_catalog();
        let mut from = 0;
        for step in steps {
            from += step;
            let draft = draft(Some(in_seconds(from)), from);
            catalog = catalog.add(draft, Timestamp::UNIX_EPOCH, "op").expect("added");
        }
        let event = in_seconds(event);
        let naive = catalog.versions().iter().rev().find(|one| one.effective_from <= event);
        prop_assert_eq!(catalog.version_at(event).ok(), naive);
        let json = serde_json::to_string(&catalog).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Catalog>(&json).expect("JSON"), catalog);
    }
}

#[test]
fn the_default_list_has_every_price_of_the_published_table() {
    let rows = [
        ("", ["0.99", "3.99", "8.99", "15.99", "35.99"]),
        ("live_audience_", ["0.50", "2.00", "4.50", "8.00", "18.00"]),
        ("record_", ["1.49", "5.99", "13.49", "23.99", "53.99"]),
        ("mix_", ["1.99", "5.99", "13.99", "25.99", "69.99"]),
    ];
    let tiers = ["audio", "video_hd", "video_fhd", "video_2k", "video_4k"];
    let mut expected: BTreeMap<String, &str> =
        [("web_record_hd", "14.00"), ("web_record_fhd", "28.00"), ("relay", "2.99")]
            .map(|(code, price)| (code.to_owned(), price))
            .into();
    for (prefix, prices) in rows {
        expected.extend(tiers.iter().map(|tier| format!("{prefix}{tier}")).zip(prices));
    }
    let catalog = Catalog::default_catalog();
    for sku in Sku::ALL {
        let (version, price) =
            catalog.price(Timestamp::UNIX_EPOCH, Currency::USD, *sku).expect("every SKU is priced");
        assert_eq!((version, price.per), (1, 1_000));
        let published = expected.remove(sku.code());
        let price = price.amount.to_decimal(Currency::USD);
        assert_eq!(Some(price.as_str()), published, "{}", sku.code());
    }
    assert!(expected.is_empty(), "{expected:?}");
    let currencies = catalog.currencies_at(Timestamp::UNIX_EPOCH).expect("in force");
    assert_eq!(currencies, BTreeSet::from([Currency::USD]));
}

#[test]
fn the_default_package_types_are_the_published_ones() {
    use PackageKind::{Free, Monthly, Pack};
    use PackageScope::{Account, App};
    use Validity::{CalendarMonth, Month, Years};
    let rows = [
        ("free_monthly", 10_000, "0.00", Account, CalendarMonth, Free, 0, false),
        ("monthly_starter", 50_000, "49.00", App, Month, Monthly, 5, false),
        ("monthly_standard", 250_000, "229.00", App, Month, Monthly, 5, false),
        ("monthly_pro", 1_000_000, "859.00", App, Month, Monthly, 5, false),
        ("minutes_25k", 25_000, "24.00", Account, Years(1), Pack, 0, true),
        ("minutes_250k", 250_000, "227.00", Account, Years(1), Pack, 0, true),
    ];
    let version = first();
    assert_eq!(version.package_types.len(), rows.len());
    for (code, minutes, price, scope, validity, kind, refundable_days, stackable) in rows {
        let one = version.package_type(code).expect(code);
        assert_eq!((one.code.as_str(), one.units.whole_minutes()), (code, minutes));
        let cost = one.price(Currency::USD).expect("price").to_decimal(Currency::USD);
        assert_eq!(cost, price, "{code}");
        assert_eq!((one.scope, one.validity, one.kind), (scope, validity, kind), "{code}");
        assert_eq!((one.refundable_days, one.stackable), (refundable_days, stackable), "{code}");
        assert_eq!(one.priority, 0);
    }
    let free: Vec<&str> = version.free_types().map(|one| one.code.as_str()).collect();
    assert_eq!(free, ["free_monthly"]);
}

#[test]
fn the_default_ratios_cover_rooms_and_nothing_else() {
    let paid: [u32; 5] = [1_000, 4_000, 9_000, 16_000, 36_000];
    for one in first().package_types.values() {
        let ratio = |sku: &Sku| one.ratio(*sku).map(Ratio::thousandths);
        let room: Vec<_> = Sku::ALL.iter().filter(|sku| sku.kind() == SkuKind::Room).collect();
        let expected: Vec<u32> = match one.kind {
            PackageKind::Free => vec![1_000; 10],
            PackageKind::Monthly | PackageKind::Pack => {
                paid.into_iter().chain(paid.map(|ratio| ratio / 2)).collect()
            }
        };
        let found: Vec<u32> = room.into_iter().filter_map(ratio).collect();
        assert_eq!(found, expected, "{}", one.code);
        assert_eq!(one.ratios.len(), 10, "no ratio for tasks: {}", one.code);
    }
}

#[test]
fn an_account_can_be_opened_only_where_every_sku_is_priced() {
    let now = at("2026-11-01T00:00:00Z");
    let mut partly = first().draft();
    let mut euros = partly.prices[&Currency::USD].clone();
    euros.remove(&Sku::Relay);
    partly.prices.insert(Currency::EUR, euros);
    partly.effective_from = None;
    let catalog = Catalog::default_catalog().add(partly.clone(), now, "op").expect("added");
    assert_eq!(catalog.currencies_at(now), Ok(BTreeSet::from([Currency::USD])));
    assert!(catalog.price(now, Currency::EUR, Sku::Audio).is_ok());
    let error = catalog.price(now, Currency::EUR, Sku::Relay).expect_err("no price");
    assert_eq!(error.to_string(), "the catalog has no price in EUR for `relay`");

    let later = at("2026-12-01T00:00:00Z");
    let euros = partly.prices[&Currency::USD].clone();
    partly.prices.insert(Currency::EUR, euros);
    let catalog = catalog.add(partly, later, "op").expect("added");
    let both = BTreeSet::from([Currency::EUR, Currency::USD]);
    assert_eq!(catalog.currencies_at(later), Ok(both));
    assert_eq!(catalog.currencies_at(now), Ok(BTreeSet::from([Currency::USD])));
    let again = draft(None, 1);
    let error = catalog.add(again, at("2027-01-01T00:00:00Z"), "op").expect_err("withdrawn");
    assert_eq!(error, CatalogError::CurrencyWithdrawn { currency: Currency::EUR });
}

#[test]
fn versions_are_bounded() {
    let mut versions = vec![first()];
    for number in 2..=u32::try_from(CATALOG_VERSIONS_MAX).expect("small") {
        let effective_from = in_seconds(number.into());
        versions.push(CatalogVersion { version: number, effective_from, ..first() });
    }
    let full = Catalog::from_versions(versions.clone()).expect("just fits");
    let now = at("2026-11-01T00:00:00Z");
    let error = full.add(draft(None, 1), now, "op").expect_err("full");
    assert_eq!(error, CatalogError::TooManyVersions);
    versions.push(first());
    assert_eq!(Catalog::from_versions(versions), Err(CatalogError::TooManyVersions));
}

/// A package as the order sees it.
type Burn = (PackageKind, PackageScope, i64, i32, i64, u32);

fn burn(id: u32) -> impl Strategy<Value = Burn> {
    let kinds = vec![PackageKind::Free, PackageKind::Monthly, PackageKind::Pack];
    let scopes = vec![PackageScope::Account, PackageScope::App];
    let (kind, scope) = (prop::sample::select(kinds), prop::sample::select(scopes));
    (kind, scope, 0..3_i64, -1..2_i32, 0..3_i64, Just(id))
}

proptest! {
    #[test]
    fn p6_the_key_is_the_published_order(
        packages in (0..30_u32).map(burn).collect::<Vec<_>>().prop_shuffle(),
    ) {
        let mut by_key = packages.clone();
        by_key.sort_by_key(|(kind, scope, expires, priority, created, id)| {
            let (expires, created) = (in_seconds(*expires), in_seconds(*created));
            BurnKey::new(*kind, *scope, expires, *priority, created, *id)
        });
        // The oracle: stable sorts from the least to the most significant rule.
        let mut naive = packages;
        naive.sort_by_key(|package| package.5);
        naive.sort_by_key(|package| package.4);
        naive.sort_by_key(|package| package.3);
        naive.sort_by_key(|package| package.2);
        naive.sort_by_key(|package| match package.1 {
            PackageScope::App => 1,
            PackageScope::Account => 2,
        });
        naive.sort_by_key(|package| match package.0 {
            PackageKind::Free => 1,
            PackageKind::Monthly | PackageKind::Pack => 2,
        });
        prop_assert_eq!(by_key, naive);
    }
}

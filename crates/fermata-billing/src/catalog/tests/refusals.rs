//! Every error a version or a question can meet, each with the least change that causes it.

use super::*;
use crate::limits::{
    AMOUNT_MAX_UNITS, CATALOG_ACTOR_CHARS_MAX, CATALOG_CURRENCIES_MAX, PACKAGE_CODE_LEN_MAX,
    PACKAGE_TITLE_CHARS_MAX, PACKAGE_TYPES_MAX, PRICE_PER_MAX, VALIDITY_DAYS_MAX,
    VALIDITY_YEARS_MAX,
};
use crate::money::MICROS_PER_UNIT;
use crate::units::{PACKAGE_MINUTES_MAX, Units};

type Change = fn(&mut CatalogDraft);

fn now() -> Timestamp {
    at("2026-11-01T00:00:00Z")
}

fn add(change: Change) -> Result<Catalog, CatalogError> {
    let mut draft = draft(None, 1);
    change(&mut draft);
    Catalog::default_catalog().add(draft, now(), "op")
}

fn one<'a>(draft: &'a mut CatalogDraft, code: &str) -> &'a mut PackageType {
    draft.package_types.get_mut(code).expect("a default type")
}

fn list(draft: &mut CatalogDraft) -> &mut BTreeMap<Sku, Price> {
    draft.prices.get_mut(&Currency::USD).expect("USD")
}

fn price(units: i64, per: u32) -> Price {
    Price { amount: Money::from_micros(units * MICROS_PER_UNIT), per }
}

fn renamed(draft: &mut CatalogDraft, code: &str) {
    let mut moved = draft.package_types.remove("minutes_25k").expect("a default type");
    code.clone_into(&mut moved.code);
    draft.package_types.insert(code.to_owned(), moved);
}

fn currencies(draft: &mut CatalogDraft, count: usize) {
    let list = draft.prices[&Currency::USD].clone();
    let others = Currency::all().filter(|one| *one != Currency::USD).take(count - 1);
    draft.prices.extend(others.map(|currency| (currency, list.clone())));
}

fn types(draft: &mut CatalogDraft, count: usize) {
    let pack = draft.package_types["minutes_25k"].clone();
    let mut number = 0;
    while draft.package_types.len() < count {
        let code = format!("pack_{number}");
        draft.package_types.insert(code.clone(), PackageType { code, ..pack.clone() });
        number += 1;
    }
}

#[test]
fn what_a_version_may_not_be_is_named() {
    let rows: &[(Change, &str)] = &[
        (
            |d| {
                d.prices.clear();
                d.package_types.values_mut().for_each(|one| one.prices.clear());
            },
            "no currency has a price for every SKU",
        ),
        (
            |d| {
                list(d).remove(&Sku::Relay);
            },
            "no currency has a price for every SKU",
        ),
        (|d| currencies(d, CATALOG_CURRENCIES_MAX + 1), "33 currencies have prices; at most 32"),
        (|d| types(d, PACKAGE_TYPES_MAX + 1), "65 package types; at most 64"),
        (
            |d| {
                list(d).insert(Sku::Audio, price(-1, 1));
            },
            "prices.USD.audio: the amount -1.00",
        ),
        (
            |d| {
                list(d).insert(Sku::Relay, price(AMOUNT_MAX_UNITS + 1, 1));
            },
            "prices.USD.relay: the amount 1000000001.00 is out of range: 0 to 1000000000",
        ),
        (
            |d| {
                list(d).insert(Sku::Audio, price(1, 0));
            },
            "for 1 to 1000000 minutes, not 0",
        ),
        (
            |d| {
                list(d).insert(Sku::Audio, price(1, PRICE_PER_MAX + 1));
            },
            "prices.USD.audio: a price may be for 1 to 1000000 minutes, not 1000001",
        ),
        (
            |d| {
                list(d).insert(Sku::Audio, price(100_001, 1));
            },
            "costs more than 100000",
        ),
        (|d| d.package_types.clear(), "must be of kind `free`"),
        (
            |d| {
                d.package_types.remove("free_monthly");
            },
            "must be of kind `free`",
        ),
        (|d| renamed(d, ""), "package type code ``: 1 to 64"),
        (|d| renamed(d, "Big"), "package type code `Big`"),
        (|d| renamed(d, "a.b"), "package type code `a.b`"),
        (|d| renamed(d, "a\nb"), "package type code `a?b`"),
        (|d| renamed(d, &"a".repeat(PACKAGE_CODE_LEN_MAX + 1)), "a...`: 1 to 64"),
        (
            |d| one(d, "minutes_25k").code = "other".to_owned(),
            "`other` stands under the key `minutes_25k`",
        ),
        (|d| one(d, "minutes_25k").title.clear(), "package_types.minutes_25k.title: 1 to 100"),
        (|d| one(d, "minutes_25k").title = "  ".to_owned(), "title: 1 to 100"),
        (|d| one(d, "minutes_25k").title = "a\nb".to_owned(), "none of them control"),
        (
            |d| one(d, "minutes_25k").title = "ä".repeat(PACKAGE_TITLE_CHARS_MAX + 1),
            "title: 1 to 100",
        ),
        (|d| one(d, "minutes_25k").units = Units::ZERO, "minutes_25k.minutes: 0 is out of range"),
        (
            |d| one(d, "minutes_25k").units = Units::from_thousandths(-1),
            "minutes: -0.001 is out of range",
        ),
        (
            |d| one(d, "minutes_25k").units = Units::from_thousandths(i64::MAX),
            "more than 0, at most 1000000000000",
        ),
        (
            |d| {
                one(d, "minutes_25k").prices.insert(Currency::EUR, Money::ZERO);
            },
            "package_types.minutes_25k.prices: EUR has no price list",
        ),
        (
            |d| {
                one(d, "minutes_25k").prices.insert(Currency::USD, Money::from_micros(-1));
            },
            "package_types.minutes_25k.prices.USD: the amount -0.000001 is out of range",
        ),
        (|d| one(d, "minutes_25k").ratios.clear(), "minutes_25k.ratios: at least one SKU"),
        (|d| one(d, "minutes_25k").validity = Validity::Years(0), "validity: 1 to 100 years"),
        (
            |d| one(d, "minutes_25k").validity = Validity::Years(VALIDITY_YEARS_MAX + 1),
            "validity: 1 to 100 years",
        ),
        (|d| one(d, "minutes_25k").validity = Validity::Days(0), "1 to 36500 days"),
        (
            |d| one(d, "minutes_25k").validity = Validity::Days(VALIDITY_DAYS_MAX + 1),
            "1 to 36500 days",
        ),
        (
            |d| one(d, "minutes_25k").refundable_days = VALIDITY_DAYS_MAX + 1,
            "refundable_days: 0 (never) to 36500",
        ),
        (
            |d| one(d, "free_monthly").validity = Validity::Month,
            "package_types.free_monthly: a package of kind `free` needs validity `calendar_month`",
        ),
        (|d| one(d, "free_monthly").scope = PackageScope::App, "`free` needs scope `account`"),
        (|d| one(d, "free_monthly").refundable_days = 1, "`free` needs `refundable_days` 0"),
        (
            |d| {
                one(d, "free_monthly").prices.insert(Currency::USD, Money::from_micros(1));
            },
            "`free` needs price 0, or none",
        ),
        (|d| one(d, "monthly_pro").validity = Validity::Days(30), "`monthly` needs validity"),
        (|d| one(d, "monthly_pro").scope = PackageScope::Account, "`monthly` needs scope `app`"),
        (|d| one(d, "minutes_25k").validity = Validity::CalendarMonth, "`pack` needs validity"),
    ];
    for (change, message) in rows {
        let error = add(*change).expect_err(message).to_string();
        assert!(error.contains(message), "{error} | {message}");
        assert!(!error.contains(char::is_control), "{error:?}");
        // What is refused when it is added is refused when it comes out of the store, too, except a
        // list without some SKU, which may be newer than the list.
        let mut stored = draft(None, 1);
        change(&mut stored);
        let stored = CatalogVersion {
            prices: stored.prices,
            package_types: stored.package_types,
            ..first()
        };
        let stored = Catalog::from_versions(vec![stored]).map_err(|error| error.to_string());
        if error == CatalogError::NoCompleteCurrency.to_string() {
            assert!(stored.is_ok_and(|stored| stored.currencies_at(now()) == Ok(BTreeSet::new())));
        } else {
            assert_eq!(stored, Err(error));
        }
    }
}

#[test]
fn what_lies_on_the_bounds_is_allowed() {
    let rows: &[Change] = &[
        |d| currencies(d, CATALOG_CURRENCIES_MAX),
        |d| types(d, PACKAGE_TYPES_MAX),
        |d| {
            list(d).insert(Sku::Audio, price(0, 1));
        },
        |d| {
            list(d).insert(Sku::Audio, price(100_000, 1));
        },
        |d| {
            list(d).insert(Sku::Audio, price(AMOUNT_MAX_UNITS, PRICE_PER_MAX));
        },
        |d| renamed(d, &"a".repeat(PACKAGE_CODE_LEN_MAX)),
        |d| renamed(d, "0_"),
        |d| one(d, "minutes_25k").title = "ä".repeat(PACKAGE_TITLE_CHARS_MAX),
        |d| one(d, "minutes_25k").units = Units::from_thousandths(1),
        |d| {
            let most = Units::from_minutes(PACKAGE_MINUTES_MAX).expect("the bound");
            one(d, "minutes_25k").units = most;
        },
        |d| one(d, "minutes_25k").prices.clear(),
        |d| one(d, "minutes_25k").validity = Validity::Years(VALIDITY_YEARS_MAX),
        |d| one(d, "minutes_25k").validity = Validity::Days(VALIDITY_DAYS_MAX),
        |d| one(d, "minutes_25k").validity = Validity::Month,
        |d| one(d, "minutes_25k").scope = PackageScope::App,
        |d| one(d, "minutes_25k").priority = i32::MIN,
        |d| one(d, "free_monthly").prices.clear(),
        |d| {
            d.package_types.retain(|code, _| code == "free_monthly");
        },
    ];
    for (row, change) in rows.iter().enumerate() {
        let added = add(*change);
        assert!(added.is_ok(), "row {row}: {added:?}");
    }
}

#[test]
fn p18_the_dearest_price_charges_a_busy_day_without_overflow() {
    let minutes = 60_000 * 24 * 60;
    for dearest in [price(100_000, 1), price(AMOUNT_MAX_UNITS, 10_000)] {
        assert!(add(|_| ()).is_ok());
        assert!(dearest.charge(minutes, Currency::USD).is_ok(), "{dearest:?}");
    }
}

#[test]
fn a_version_takes_effect_only_later_than_now_and_the_last() {
    let catalog = Catalog::default_catalog();
    let add =
        |catalog: &Catalog, from: Option<&str>| catalog.add(draft(from.map(at), 1), now(), "op");
    let past = add(&catalog, Some("2026-10-31T23:59:59.999999999Z")).expect_err("past");
    assert_eq!(
        past.to_string(),
        "`effective_from` is 2026-10-31T23:59:59.999999999Z, but must not lie before now \
         (2026-11-01T00:00:00Z); leave it out to take effect at once"
    );
    let catalog = add(&catalog, Some("2027-01-01T00:00:00Z")).expect("later");
    for early in [None, Some("2026-12-01T00:00:00Z"), Some("2027-01-01T00:00:00Z")] {
        let error = add(&catalog, early).expect_err("early");
        let effective_from = early.map_or(now(), at);
        let last = at("2027-01-01T00:00:00Z");
        assert_eq!(error, CatalogError::NotAfterLast { effective_from, last });
    }
    assert!(add(&catalog, Some("2027-01-01T00:00:00.000000001Z")).is_ok());
}

#[test]
fn who_adds_a_version_is_named() {
    let long = "x".repeat(CATALOG_ACTOR_CHARS_MAX + 1);
    for actor in ["", " ", "a\nb", &long] {
        let added = Catalog::default_catalog().add(draft(None, 1), now(), actor);
        assert_eq!(added, Err(CatalogError::BadActor), "{actor:?}");
    }
    assert!(Catalog::default_catalog().add(draft(None, 1), now(), &long[1..]).is_ok());
}

#[test]
fn questions_without_answer_name_what_was_asked() {
    let catalog = Catalog::default_catalog();
    let error = catalog.price(now(), Currency::JPY, Sku::MixAudio).expect_err("no yen");
    assert_eq!(error, CatalogError::NoPrice { currency: Currency::JPY, sku: Sku::MixAudio });
    let error = catalog.package_price(now(), Currency::JPY, "monthly_pro").expect_err("no yen");
    assert_eq!(error.to_string(), "package type `monthly_pro` has no price in JPY");
    let error = catalog.package_type(now(), "gold").expect_err("no gold");
    assert_eq!(
        error.to_string(),
        "the catalog has no package type `gold`; it has free_monthly, minutes_250k, minutes_25k, \
         monthly_pro, monthly_standard, monthly_starter"
    );
    let error = catalog.package_type(now(), &"\u{7}".repeat(1_000_000)).expect_err("long");
    assert!(error.to_string().len() < 300);
}

#[test]
fn a_stored_list_is_checked_when_it_is_read_back() {
    let later = |number, seconds| CatalogVersion {
        version: number,
        effective_from: in_seconds(seconds),
        ..first()
    };
    let rows = [
        (vec![], 1),
        (vec![later(2, 0)], 1),
        (vec![first(), later(3, 10)], 2),
        (vec![first(), later(2, 0)], 2),
        (vec![first(), later(2, 10), later(3, 9)], 3),
    ];
    for (versions, version) in rows {
        let error = Catalog::from_versions(versions.clone()).expect_err("disordered");
        assert_eq!(error, CatalogError::Disordered { version });
        let json = serde_json::to_string(&versions).expect("JSON");
        let read = serde_json::from_str::<Catalog>(&json).expect_err("disordered");
        assert!(read.to_string().contains(&error.to_string()), "{read}");
    }
    let actor = String::new();
    let nobody = Catalog::from_versions(vec![CatalogVersion { actor, ..first() }]);
    assert_eq!(nobody, Err(CatalogError::BadActor));
}

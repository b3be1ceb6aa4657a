//! Files: what is written reads back as the same, the guide shows what is written, and whatever else a
//! file may hold ends in an error with its line.

use std::fmt::Write;

use super::*;
use crate::limits::{
    CATALOG_CURRENCIES_MAX, CATALOG_TOML_BYTES_MAX, PACKAGE_CODE_LEN_MAX, PACKAGE_TITLE_CHARS_MAX,
    PACKAGE_TYPES_MAX, PRICE_PER_MAX,
};
use crate::money::MICROS_PER_UNIT;
use crate::units::{RATIO_MAX, Units};

/// The page that shows the default list as a file.
const GUIDE: &str = include_str!("../../../../../docs/guide/catalog.md");

#[test]
fn the_default_list_reads_back_as_itself() {
    let text = to_toml(&first());
    let read = from_toml(&text).expect("readable");
    assert_eq!(read, first().draft());
    assert_eq!(from_toml(&text.replace('\n', "\r\n")), Ok(read), "line ends of other systems");
}

#[test]
fn the_guide_shows_the_default_list() {
    let (_, block) = GUIDE.split_once("```toml\n").expect("a TOML block");
    let (block, _) = block.split_once("```").expect("its end");
    assert_eq!(block, to_toml(&first()), "docs/guide/catalog.md is stale");
}

#[test]
fn an_export_can_be_edited_and_added() {
    let text = to_toml(&first())
        .replace("effective_from = 1970-01-01T00:00:00Z\n", "")
        .replace("audio = { amount = \"0.99\", per = 1000 }", "audio = { per = 1, amount = 1 }");
    let now = at("2026-11-01T00:00:00Z");
    let catalog = Catalog::default_catalog();
    let catalog = catalog.add(from_toml(&text).expect("readable"), now, "op").expect("added");
    let (version, price) = catalog.price(now, Currency::USD, Sku::Audio).expect("price");
    assert_eq!((version, price.amount.micros(), price.per), (2, MICROS_PER_UNIT, 1));
}

#[test]
fn an_instant_may_be_written_in_every_usual_way() {
    let midnight = at("2027-01-01T00:00:00Z");
    let ways = [
        "2027-01-01T00:00:00Z",
        "2027-01-01 00:00:00Z",
        "2027-01-01T08:00:00+08:00",
        "\"2027-01-01T00:00:00Z\"",
        "\"2026-12-31T19:00:00-05:00\"",
    ];
    for way in ways {
        let text = to_toml(&first()).replace("1970-01-01T00:00:00Z", way);
        assert_eq!(from_toml(&text).expect(way).effective_from, Some(midnight), "{way}");
    }
}

#[test]
fn whatever_is_wrong_is_named_with_line_and_field() {
    let good = to_toml(&first());
    let audio = "audio = { amount = \"0.99\", per = 1000 }";
    let rows = [
        (audio, "audio = \"0.99\"", "line 5, prices.USD.audio: a table is expected"),
        (audio, "audio = { amount = 0.99, per = 1000 }", "line 5, prices.USD.audio.amount: a dec"),
        (audio, "audio = { amount = nan, per = 1000 }", "amount: a decimal number in quotes"),
        (audio, "audio = { amount = \"NaN\", per = 1000 }", "\"NaN\" is no amount"),
        (audio, "audio = { amount = \"1e3\", per = 1000 }", "\"1e3\" is no amount"),
        (audio, "audio = { amount = \"\", per = 1000 }", "\"\" is no amount"),
        (audio, "audio = { amount = \"0,99\", per = 1000 }", "line 5, prices.USD.audio.amount: "),
        (audio, "audio = { amount = \"0.0000001\", per = 1 }", "too many digits after the point"),
        (
            audio,
            "audio = { amount = \"-0.99\", per = 1000 }",
            "the amount -0.99 is out of range: 0 to 1",
        ),
        (
            audio,
            "audio = { amount = -1, per = 1000 }",
            "line 5: prices.USD.audio: the amount -1.00",
        ),
        (audio, "audio = { amount = \"9999999999\", per = 1 }", "prices.USD.audio: the amount 99"),
        (audio, "audio = { amount = \"99999999999999\", per = 1 }", "too large"),
        (audio, "audio = { amount = 99999999999999999999999, per = 1 }", "line 5"),
        (audio, "audio = { amount = 0xff, per = 1000 }", "amount: a decimal number in quotes"),
        (
            audio,
            "audio = { amount = \"0.99\", per = 0 }",
            "line 5: prices.USD.audio: a price may be",
        ),
        (audio, "audio = { amount = \"0.99\", per = -1 }", "per: a whole number from 0 to"),
        (audio, "audio = { amount = \"0.99\", per = 4294967296 }", "per: a whole number from 0"),
        (audio, "audio = { amount = \"0.99\", per = 1000001 }", "for 1 to 1000000 minutes"),
        (audio, "audio = { amount = \"0.99\", per = 1.5 }", "per: a whole number"),
        (audio, "audio = { amount = \"0.99\" }", "line 5, prices.USD.audio.per: the field is mis"),
        (audio, "audio = { amount = \"1\", per = 1, tax = 3 }", "audio.tax: no such field; there"),
        (audio, "sound = { amount = \"1\", per = 1 }", "line 5, prices.USD.sound: no such SKU"),
        (audio, "audio = { amount = \"1\", per = 1 }\naudio = 1", "line 6: duplicate key"),
        (audio, "audio = ", "line 5: "),
        (audio, "", "line 4: no currency has a price for every SKU"),
        ("[prices.USD]", "[prices.usd]", "line 4, prices.usd: \"usd\" is no currency"),
        ("[prices.USD]", "[prices.USD]\n[prices.USD]", "line 5: duplicate key"),
        ("[prices.USD]", "[prices]", "line 5, prices.audio: \"audio\" is no currency"),
        ("effective_from", "effective_form", "line 2, effective_form: no such field; there are e"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00", "line 2, effective_from: an instant wit"),
        ("1970-01-01T00:00:00Z", "1970-01-01", "effective_from: an instant with offset"),
        ("1970-01-01T00:00:00Z", "0", "effective_from: an instant with offset"),
        ("1970-01-01T00:00:00Z", "\"soon\"", "effective_from: an instant with offset"),
        ("1970-01-01T00:00:00Z", "1970-13-01T00:00:00Z", "line 2"),
        (
            "kind = \"free\"",
            "kind = \"gratis\"",
            "kind: \"free\" or \"monthly\" or \"pack\" is exp",
        ),
        ("kind = \"free\"", "kind = 1", "package_types.free_monthly.kind: "),
        ("kind = \"free\"", "kind = \"monthly\"", "package_types.free_monthly: a package of kind"),
        ("kind = \"free\"\n", "", "package_types.free_monthly.kind: the field is missing"),
        ("scope = \"app\"", "scope = \"room\"", ".scope: \"account\" or \"app\" is expected"),
        ("{ years = 1 }", "{ years = 0 }", "validity: 1 to 100 years"),
        ("{ years = 1 }", "{ years = 1, days = 1 }", "validity: either years or days is expected"),
        ("{ years = 1 }", "{}", "validity: either years or days is expected"),
        ("{ years = 1 }", "{ weeks = 1 }", "validity.weeks: no such field; there are years, days"),
        ("{ years = 1 }", "{ years = -1 }", "validity.years: a whole number"),
        ("{ years = 1 }", "\"year\"", "validity: \"calendar_month\", \"month\", { years = 1 }"),
        ("{ years = 1 }", "[1]", "validity: \"calendar_month\", \"month\", { years = 1 }"),
        ("minutes = \"10000\"", "minutes = \"0\"", "package_types.free_monthly.minutes: 0 is out"),
        ("minutes = \"10000\"", "minutes = -5", "minutes: -5 is out of range"),
        ("minutes = \"10000\"", "minutes = \"0.0001\"", "with at most 3 digits after the point"),
        ("minutes = \"10000\"", "minutes = inf", "minutes: a decimal number in quotes"),
        ("minutes = \"10000\"", "minutes = \"9999999999999\"", "is too large"),
        ("audio = \"0.5\"", "audio = \"0\"", "ratios.live_audience_audio: more than 0, at most 1"),
        ("audio = \"0.5\"", "audio = \"-1\"", "ratios.live_audience_audio: more than 0, at most "),
        ("audio = \"0.5\"", "audio = \"1000.001\"", "more than 0, at most 1000 is expected"),
        ("audio = \"0.5\"", "audio = 0.5", "line 73, package_types.minutes_250k.ratios.live_aud"),
        ("priority = 0", "priority = 2147483648", "priority: a whole number from -2147483648 to"),
        ("priority = 0", "priority = true", "priority: a whole number"),
        ("stackable = true", "stackable = 1", "stackable: true or false is expected"),
        ("refundable_days = 5", "refundable_days = -5", "refundable_days: a whole number from 0"),
        ("title = \"Free minutes\"", "title = 5", "free_monthly.title: a string is expected"),
        ("title = \"Free minutes\"", "title = \"\"", "free_monthly.title: 1 to 100 characters"),
        ("title = \"Free minutes\"", "title = \"a\\nb\"", "none of them control characters"),
        ("USD = \"49.00\"", "EUR = \"49.00\"", "monthly_starter.prices: EUR has no price list"),
        ("USD = \"49.00\"", "USD = \"free\"", "package_types.monthly_starter.prices.USD: "),
        (
            "[package_types.free_monthly]",
            "[package_types.\"a b\"]",
            "line 29, package_types.\"a b\".",
        ),
        ("package_types.minutes_25k", "package_types.\"a.b\"", "package type code `a.b`"),
        ("package_types.minutes_25k", "package_types.\"a\\u0000\"", "package type code `a?`"),
    ];
    for (from, to, message) in rows {
        assert!(good.contains(from), "{from}");
        let error = from_toml(&good.replacen(from, to, usize::MAX)).expect_err(to).to_string();
        assert!(error.contains(message), "{error} | {message}");
        assert!(error.len() < 1_000 && !error.contains(char::is_control), "{error:?}");
    }
}

#[test]
fn hostile_files_are_refused_without_harm() {
    let deep = |open: &str, close: &str| {
        let count = CATALOG_TOML_BYTES_MAX / (open.len() + close.len()) - 8;
        format!("x = {}1{}", open.repeat(count), close.repeat(count))
    };
    let mut many = String::new();
    while many.len() < CATALOG_TOML_BYTES_MAX - 64 {
        let _ = writeln!(many, "[package_types.p{}]", many.len());
    }
    let dotted = format!("{}a = 1", "a.".repeat(CATALOG_TOML_BYTES_MAX / 2 - 4));
    let files = [
        String::new(),
        " ".repeat(CATALOG_TOML_BYTES_MAX),
        "\u{0}".to_owned(),
        "\u{feff}".to_owned(),
        "prices = 1".to_owned(),
        "prices = []\npackage_types = []".to_owned(),
        "prices = {}\npackage_types = {}".to_owned(),
        "[[prices]]\n[[package_types]]".to_owned(),
        "\"\" = 1".to_owned(),
        deep("[", "]"),
        deep("{a=", "}"),
        deep("{a.a.a.a.a.a.a.a=", "}"),
        deep("[", ""),
        deep("\n[", ""),
        dotted,
        format!("[{}a]", "a.".repeat(1_000)),
        many,
        "\"".repeat(CATALOG_TOML_BYTES_MAX),
        format!("effective_from = {}", "9".repeat(CATALOG_TOML_BYTES_MAX / 2)),
        format!("{} = 1", "k".repeat(CATALOG_TOML_BYTES_MAX / 2)),
        format!("[prices]\n\"{}\" = 1\n[package_types]", "\\u0007".repeat(10_000)),
    ];
    for file in files {
        assert!(file.len() <= CATALOG_TOML_BYTES_MAX);
        let error = from_toml(&file).expect_err("hostile").to_string();
        assert!(error.len() < 1_000, "{error}");
    }
    let bytes = CATALOG_TOML_BYTES_MAX + 1;
    let error = from_toml(&"#".repeat(bytes)).expect_err("too long");
    assert_eq!(error, CatalogError::TextTooLong { bytes });
}

/// Every limit reached at once.
fn largest() -> CatalogVersion {
    let mut version = first();
    let price = Price { amount: Money::from_micros(99_999_999_999_999), per: PRICE_PER_MAX };
    let ratio = Ratio::new(RATIO_MAX - 1).expect("in range");
    let list: BTreeMap<Sku, Price> = Sku::ALL.iter().map(|sku| (*sku, price)).collect();
    let others = Currency::all().filter(|one| *one != Currency::USD);
    let currencies = [Currency::USD].into_iter().chain(others).take(CATALOG_CURRENCIES_MAX);
    version.prices = currencies.map(|currency| (currency, list.clone())).collect();
    let pack = PackageType {
        title: "\u{1d54f}".repeat(PACKAGE_TITLE_CHARS_MAX),
        units: Units::from_thousandths(999_999_999_999_999),
        prices: version.prices.keys().map(|currency| (*currency, price.amount)).collect(),
        ratios: Sku::ALL.iter().map(|sku| (*sku, ratio)).collect(),
        priority: i32::MIN,
        ..version.package_types["minutes_25k"].clone()
    };
    for number in 1..PACKAGE_TYPES_MAX {
        let code = format!("{number:0PACKAGE_CODE_LEN_MAX$}");
        version.package_types.insert(code.clone(), PackageType { code, ..pack.clone() });
    }
    version
        .package_types
        .retain(|code, one| code.len() == PACKAGE_CODE_LEN_MAX || one.kind == PackageKind::Free);
    version
}

#[test]
fn the_largest_version_fits_in_a_file() {
    let largest = largest();
    assert_eq!(largest.package_types.len(), PACKAGE_TYPES_MAX);
    let text = to_toml(&largest);
    assert!(text.len() <= CATALOG_TOML_BYTES_MAX, "{}", text.len());
    assert_eq!(from_toml(&text), Ok(largest.draft()));
}

fn any_price() -> impl Strategy<Value = Price> {
    (0..1_000_000_000_i64, 1..=PRICE_PER_MAX)
        .prop_map(|(micros, per)| Price { amount: Money::from_micros(micros), per })
}

fn any_list(least: usize) -> impl Strategy<Value = BTreeMap<Sku, Price>> {
    let all = Sku::ALL.len();
    (Just(Sku::ALL.to_vec()).prop_shuffle(), prop::collection::vec(any_price(), least..=all))
        .prop_map(|(skus, prices)| skus.into_iter().zip(prices).collect())
}

fn any_pack() -> impl Strategy<Value = PackageType> {
    let validity = prop_oneof![
        Just(Validity::Month),
        (1..=100_u32).prop_map(Validity::Years),
        (1..=36_500_u32).prop_map(Validity::Days),
    ];
    let scope = prop_oneof![Just(PackageScope::Account), Just(PackageScope::App)];
    let ratio = (prop::sample::select(Sku::ALL), 1..=RATIO_MAX)
        .prop_map(|(sku, ratio)| (sku, Ratio::new(ratio).expect("in range")));
    let currency = prop::sample::select(vec![Currency::USD, Currency::JPY]);
    let price = (0..1_000_000_000_000_i64).prop_map(Money::from_micros);
    (
        ("[a-z0-9_]{1,64}", "[^\\p{Cc}]{0,90}[\"\\\\a]"),
        1..1_000_000_000_000_000_i64,
        prop::collection::btree_map(currency, price, 0..3),
        (scope, validity, any::<i32>(), any::<bool>(), 0..=36_500_u32),
        prop::collection::vec(ratio, 1..23),
    )
        .prop_map(|((code, title), units, prices, rest, ratios)| {
            let (scope, validity, priority, stackable, refundable_days) = rest;
            PackageType {
                code,
                title,
                units: Units::from_thousandths(units),
                prices,
                scope,
                validity,
                ratios: ratios.into_iter().collect(),
                priority,
                stackable,
                refundable_days,
                kind: PackageKind::Pack,
            }
        })
}

fn any_version() -> impl Strategy<Value = CatalogVersion> {
    let all = Sku::ALL.len();
    let packs = prop::collection::vec(any_pack(), 0..6);
    (any_list(all), any_list(0), packs, 0..4_000_000_000_i64, 0..1_000_000_000_i32, "\\PC{1,40}a")
        .prop_map(|(dollars, yen, packs, second, nanosecond, actor)| {
            let mut version = first();
            version.actor = actor;
            version.effective_from = Timestamp::new(second, nanosecond).expect("instant");
            version.prices = [(Currency::USD, dollars), (Currency::JPY, yen)].into();
            let packs = packs.into_iter().map(|pack| (pack.code.clone(), pack));
            version.package_types.extend(packs);
            version
        })
}

proptest! {
    #[test]
    fn every_version_reads_back_as_itself(version in any_version()) {
        prop_assert!(Catalog::from_versions(vec![version.clone()]).is_ok());
        let text = to_toml(&version);
        prop_assert_eq!(from_toml(&text).map_err(|error| error.to_string()), Ok(version.draft()));
        let json = serde_json::to_string(&version).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<CatalogVersion>(&json).expect("JSON"), version);
    }

    #[test]
    fn no_text_does_harm(text in any::<String>()) {
        let _ = from_toml(&text);
    }

    #[test]
    fn no_slip_of_the_pen_does_harm(
        at in any::<prop::sample::Index>(),
        cut in 0..40_usize,
        put in "[\\PC\n\"{}\\[\\]=.#]{0,6}",
    ) {
        let mut text: Vec<char> = to_toml(&first()).chars().collect();
        let from = at.index(text.len());
        let to = text.len().min(from + cut);
        text.splice(from..to, put.chars());
        let text: String = text.into_iter().collect();
        // What is still a catalog can be written and read again.
        if let Ok(draft) = from_toml(&text) {
            let version = CatalogVersion {
                effective_from: draft.effective_from.unwrap_or_default(),
                prices: draft.prices,
                package_types: draft.package_types,
                ..first()
            };
            prop_assert_eq!(from_toml(&to_toml(&version)), Ok(version.draft()));
        }
    }
}

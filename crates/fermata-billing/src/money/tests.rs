//! Amounts and prices: written forms both ways, exact sums, one rounding, no overflow (P18).

use proptest::prelude::*;

use super::*;

fn money(text: &str) -> Money {
    Money::parse_decimal(text).expect(text)
}

fn price(amount: &str, per: u32) -> Price {
    Price::new(money(amount), per).expect("price")
}

#[test]
fn written_amounts_are_read() {
    let rows = [
        ("0", 0),
        ("-0", 0),
        ("0.0", 0),
        ("1", 1_000_000),
        ("49.00", 49_000_000),
        ("-12.34", -12_340_000),
        ("0.000001", 1),
        ("-0.000001", -1),
        ("0.0399", 39_900),
        ("007", 7_000_000),
        ("1000000000000", MONEY_MAX),
        ("-1000000000000.000000", -MONEY_MAX),
    ];
    for (text, micros) in rows {
        assert_eq!(money(text).micros(), micros, "{text}");
    }
}

#[test]
fn malformed_amounts_are_refused_by_name() {
    let rows = [
        "",
        " ",
        "-",
        "+1",
        "--1",
        "1.",
        ".5",
        "-.5",
        "1..2",
        "1.2.3",
        "1e3",
        "1E3",
        "0x10",
        "1,000",
        "1_000",
        " 1",
        "1 ",
        "1.0000001",
        "NaN",
        "inf",
        "-inf",
        "\u{661}",
        "1.-2",
        "1.+2",
        "$1",
        "1\0",
        "-1-",
    ];
    for text in rows {
        let error = Money::parse_decimal(text).expect_err(text);
        assert!(matches!(error, MoneyError::Malformed { .. }), "{text:?}: {error}");
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
    let long = "9".repeat(1_000_000);
    assert!(Money::parse_decimal(&long).expect_err("long").to_string().len() < 300);
}

#[test]
fn p18_amounts_beyond_the_limit_are_refused() {
    let rows = [
        "1000000000000.000001",
        "-1000000000000.000001",
        "1000000000001",
        "9223372036854.775808",
        "9999999999999999999999999",
        "-9999999999999999999999999999999",
        "99999999999999999999999999.99999",
    ];
    for text in rows {
        let error = Money::parse_decimal(text).expect_err(text);
        assert!(matches!(error, MoneyError::TooLarge { .. }), "{text}: {error}");
    }
}

#[test]
fn amounts_are_written_to_the_scale_of_the_currency() {
    let clf = Currency::parse("CLF").expect("known");
    let kwd = Currency::parse("KWD").expect("known");
    let rows = [
        (0, Currency::USD, "0.00"),
        (49_000_000, Currency::USD, "49.00"),
        (49_000_000, Currency::JPY, "49"),
        (49_000_000, kwd, "49.000"),
        (49_000_000, clf, "49.0000"),
        (39_900, Currency::USD, "0.0399"),
        (100_000, Currency::USD, "0.10"),
        (500_000, Currency::JPY, "0.5"),
        (-1, Currency::USD, "-0.000001"),
        (-12_340_000, Currency::USD, "-12.34"),
        (i64::MAX, Currency::USD, "9223372036854.775807"),
        (i64::MIN, Currency::USD, "-9223372036854.775808"),
    ];
    for (micros, currency, text) in rows {
        assert_eq!(Money::from_micros(micros).to_decimal(currency), text, "{micros} {currency}");
    }
    let shown = [(0, "0"), (12_500_000, "12.5"), (-39_900, "-0.0399"), (49_000_000, "49")];
    for (micros, text) in shown {
        assert_eq!(Money::from_micros(micros).to_string(), text);
    }
}

#[test]
fn amounts_are_rounded_half_away_from_zero() {
    let rows = [
        ("0.004999", Currency::USD, "0.00"),
        ("0.005", Currency::USD, "0.01"),
        ("-0.005", Currency::USD, "-0.01"),
        ("-0.004999", Currency::USD, "0.00"),
        ("1.015", Currency::USD, "1.02"),
        ("1.025", Currency::USD, "1.03"),
        ("0.5", Currency::JPY, "1"),
        ("-1.5", Currency::JPY, "-2"),
        ("1.499999", Currency::JPY, "1"),
    ];
    for (before, currency, after) in rows {
        assert_eq!(money(before).rounded(currency).to_decimal(currency), after, "{before}");
    }
}

#[test]
fn p18_rounding_at_the_very_edge_goes_towards_zero() {
    let rows = [(i64::MAX, 9_223_372_036_854_770_000), (i64::MIN, -9_223_372_036_854_770_000)];
    for (micros, rounded) in rows {
        assert_eq!(Money::from_micros(micros).rounded(Currency::USD).micros(), rounded);
    }
}

#[test]
fn p18_sums_that_do_not_fit_are_refused() {
    let (least, most) = (Money::from_micros(i64::MIN), Money::from_micros(i64::MAX));
    let one = Money::from_micros(1);
    assert_eq!(most.checked_add(one), Err(MoneyError::Overflow));
    assert_eq!(least.checked_sub(one), Err(MoneyError::Overflow));
    assert_eq!(least.checked_neg(), Err(MoneyError::Overflow));
    assert_eq!(most.checked_neg().map(Money::micros), Ok(-i64::MAX));
    assert_eq!(Money::try_sum([most, one]), Err(MoneyError::Overflow));
    // Only the result counts, not the way to it.
    assert_eq!(Money::try_sum([most, most, least, least]), Ok(Money::from_micros(-2)));
    assert_eq!(Money::try_sum([]), Ok(Money::ZERO));
    assert!(one.is_positive() && least.is_negative() && Money::ZERO.is_zero());
}

#[test]
fn a_bill_line_is_rounded_once() {
    let rows = [
        // 1,000 minutes of HD at the example price, and one minute of it.
        ("3.99", 1_000, 1_000, Currency::USD, "3.99", "3.99"),
        ("3.99", 1_000, 1, Currency::USD, "0.00", "0.00399"),
        ("3.99", 1_000, 2, Currency::USD, "0.01", "0.00798"),
        ("0.99", 1_000, 10, Currency::USD, "0.01", "0.0099"),
        ("0.50", 1_000, 10, Currency::USD, "0.01", "0.005"),
        ("0.50", 1_000, 9, Currency::USD, "0.00", "0.0045"),
        ("0.99", 1_000, 0, Currency::USD, "0.00", "0.00"),
        ("1", 3, 1, Currency::USD, "0.33", "0.333333"),
        ("1", 3, 2, Currency::USD, "0.67", "0.666667"),
        ("1", 2, 1, Currency::JPY, "1", "0.5"),
        ("150", 1_000, 10, Currency::JPY, "2", "1.5"),
        ("0.000001", 2, 1, Currency::USD, "0.00", "0.000001"),
    ];
    for (amount, per, minutes, currency, billed, exact) in rows {
        let price = price(amount, per);
        let charged = price.charge(minutes, currency).expect("fits");
        assert_eq!(charged.to_decimal(currency), billed, "{price:?} {minutes}");
        let charged = price.charge_exact(minutes).expect("fits");
        assert_eq!(charged.to_decimal(currency), exact, "{price:?} {minutes}");
    }
}

#[test]
fn one_rounding_is_not_two() {
    // 0.004999500 for a minute: to micro-units it is 0.005, which to cents would be 0.01.
    let price = price("4.9995", 1_000);
    let exact = price.charge_exact(1).expect("fits");
    assert_eq!(exact.micros(), 5_000);
    assert_eq!(exact.rounded(Currency::USD).micros(), 10_000);
    assert_eq!(price.charge(1, Currency::USD).expect("fits"), Money::ZERO);
}

#[test]
fn prices_below_nothing_or_for_nothing_are_refused() {
    let negative = Price::new(Money::from_micros(-1), 1);
    assert_eq!(negative, Err(MoneyError::NegativePrice { micros: -1 }));
    assert_eq!(Price::new(Money::ZERO, 0), Err(MoneyError::ZeroPer));
    let made = Price { amount: Money::ZERO, per: 0 };
    assert_eq!(made.charge(1, Currency::USD), Err(MoneyError::ZeroPer));
    assert_eq!(made.charge_exact(1), Err(MoneyError::ZeroPer));
}

#[test]
fn p18_charges_that_do_not_fit_are_refused() {
    for micros in [i64::MIN, -MONEY_MAX, MONEY_MAX, i64::MAX] {
        let price = Price { amount: Money::from_micros(micros), per: 1 };
        assert_eq!(price.charge(u64::MAX, Currency::JPY), Err(MoneyError::Overflow));
        assert_eq!(price.charge_exact(u64::MAX), Err(MoneyError::Overflow));
        assert_eq!(price.charge_exact(1), Ok(Money::from_micros(micros)));
    }
}

#[test]
fn in_json_an_amount_is_an_integer() {
    let text = serde_json::to_string(&money("-12.34")).expect("json");
    assert_eq!(text, "-12340000");
    assert_eq!(serde_json::from_str::<Money>(&text).expect("json"), money("-12.34"));
    assert!(serde_json::from_str::<Money>("1.5").is_err());
    assert!(serde_json::from_str::<Money>("9223372036854775808").is_err());
    let text = serde_json::to_string(&price("3.99", 1_000)).expect("json");
    assert_eq!(text, r#"{"amount":3990000,"per":1000}"#);
}

fn any_currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(Currency::all().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(micros in -MONEY_MAX..=MONEY_MAX, currency in any_currency()) {
        let amount = Money::from_micros(micros);
        prop_assert_eq!(Money::parse_decimal(&amount.to_decimal(currency)), Ok(amount));
        prop_assert_eq!(Money::parse_decimal(&amount.to_string()), Ok(amount));
    }

    #[test]
    fn p18_no_text_makes_the_reader_panic(text in ".*", number in "-?[0-9.]{0,40}") {
        let _ = Money::parse_decimal(&text);
        let _ = Money::parse_decimal(&number);
        let _ = Currency::parse(&text);
    }

    #[test]
    fn p18_no_charge_panics_and_rounding_is_near(
        micros in any::<i64>(), per in 1_u32.., minutes in any::<u64>(), currency in any_currency(),
    ) {
        let price = Price { amount: Money::from_micros(micros), per };
        let unit = i128::from(currency.minor_unit_micros());
        for (charged, unit) in [(price.charge(minutes, currency), unit), (price.charge_exact(minutes), 1)] {
            let true_cost = i128::from(micros) * i128::from(minutes);
            let Ok(charged) = charged else {
                prop_assert!((true_cost / i128::from(per)).abs() > i128::from(i64::MAX) - unit);
                continue;
            };
            // At most half a unit off, compared without dividing; exact halves go away from zero.
            let doubled = (i128::from(charged.micros()) * i128::from(per) - true_cost) * 2;
            let allowed = unit * i128::from(per);
            prop_assert_eq!(i128::from(charged.micros()) % unit, 0);
            prop_assert!(doubled.abs() <= allowed, "{} {}", doubled, allowed);
            if doubled.abs() == allowed {
                prop_assert_eq!(doubled.signum(), true_cost.signum());
            }
        }
    }

    #[test]
    fn more_minutes_never_cost_less(
        micros in 0..=MONEY_MAX, per in 1_u32.., minutes in 0..1_000_000_u64, more in 0..1_000_000_u64,
    ) {
        let price = Price { amount: Money::from_micros(micros), per };
        if let Ok(all) = price.charge(minutes + more, Currency::USD) {
            prop_assert!(price.charge(minutes, Currency::USD).expect("less") <= all);
        }
    }

    #[test]
    fn rounding_twice_is_rounding_once(micros in any::<i64>(), currency in any_currency()) {
        let rounded = Money::from_micros(micros).rounded(currency);
        prop_assert_eq!(rounded.rounded(currency), rounded);
        prop_assert_eq!(rounded.micros() % currency.minor_unit_micros(), 0);
        prop_assert!(rounded.micros().abs_diff(micros) < currency.minor_unit_micros().unsigned_abs());
    }

    #[test]
    fn sums_are_those_of_the_integers(amounts in prop::collection::vec(any::<i64>(), 0..20)) {
        let sum: i128 = amounts.iter().map(|micros| i128::from(*micros)).sum();
        let expected = i64::try_from(sum).map(Money::from_micros).map_err(|_| MoneyError::Overflow);
        prop_assert_eq!(Money::try_sum(amounts.iter().copied().map(Money::from_micros)), expected);
    }
}

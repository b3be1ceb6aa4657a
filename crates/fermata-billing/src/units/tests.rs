//! Package minutes: covering equals the loop that says what it means (P3), nothing overflows (P18).

use proptest::prelude::*;

use super::*;

fn ratio(thousandths: u32) -> Ratio {
    Ratio::new(thousandths).expect("within bounds")
}

/// What [`cover`] says it equals, minute by minute.
fn naive(left: i64, ratio: Ratio, minutes: u64) -> (u64, i64) {
    let (mut left_now, mut minutes_now, mut covered) = (left, minutes, 0);
    while minutes_now > 0 && left_now > 0 {
        left_now -= left_now.min(i64::from(ratio.thousandths()));
        minutes_now -= 1;
        covered += 1;
    }
    (covered, left - left_now)
}

#[test]
fn p3_the_last_units_cover_a_whole_minute() {
    let rows = [
        (0, 1_000, 5, (0, 0)),
        (5_000, 1_000, 0, (0, 0)),
        (5_000, 1_000, 3, (3, 3_000)),
        (5_000, 1_000, 9, (5, 5_000)),
        // 10 units at 4 for a minute: two minutes take 8, the third what is left.
        (10_000, 4_000, 9, (3, 10_000)),
        (10_000, 4_000, 2, (2, 8_000)),
        (1, 36_000, 9, (1, 1)),
        (10_000, 500, 100, (20, 10_000)),
        (-1, 1_000, 5, (0, 0)),
        (i64::MIN, 1, u64::MAX, (0, 0)),
        (i64::MAX, 1, u64::MAX, (i64::MAX as u64, i64::MAX)),
        (i64::MAX, RATIO_MAX, u64::MAX, ((i64::MAX as u64).div_ceil(1_000_000), i64::MAX)),
    ];
    for (left, thousandths, minutes, (covered, taken)) in rows {
        let answer = cover(Units(left), ratio(thousandths), minutes);
        assert_eq!(answer, (covered, Units(taken)), "{left} {thousandths} {minutes}");
    }
}

#[test]
fn p18_units_are_bounded() {
    let most = Units::from_minutes(PACKAGE_MINUTES_MAX).expect("allowed");
    assert_eq!(most.whole_minutes().unsigned_abs(), PACKAGE_MINUTES_MAX);
    for minutes in [PACKAGE_MINUTES_MAX + 1, u64::MAX] {
        assert_eq!(Units::from_minutes(minutes), Err(UnitsError::TooMany { minutes }));
    }
    for thousandths in [0, RATIO_MAX + 1, u32::MAX] {
        let error = Ratio::new(thousandths).expect_err("beyond");
        assert!(error.to_string().contains(&thousandths.to_string()), "{error}");
        assert!(serde_json::from_str::<Ratio>(&thousandths.to_string()).is_err());
    }
    assert_eq!((ratio(1).thousandths(), ratio(RATIO_MAX).thousandths()), (1, RATIO_MAX));
}

#[test]
fn p18_sums_that_do_not_fit_are_refused() {
    let (least, most, one) = (Units(i64::MIN), Units(i64::MAX), Units(1));
    assert_eq!(most.checked_add(one), Err(UnitsError::Overflow));
    assert_eq!(least.checked_sub(one), Err(UnitsError::Overflow));
    assert_eq!(least.checked_neg(), Err(UnitsError::Overflow));
    assert_eq!(Units::try_sum([most, one]), Err(UnitsError::Overflow));
    assert_eq!(Units::try_sum([most, one, least]), Ok(Units::ZERO));
}

#[test]
fn units_and_ratios_are_written_for_people() {
    let rows = [
        (0, "0"),
        (12_500, "12.5"),
        (12_000, "12"),
        (100_000, "100"),
        (1, "0.001"),
        (-500, "-0.5"),
        (-1_010, "-1.01"),
        (i64::MIN, "-9223372036854775.808"),
    ];
    for (thousandths, text) in rows {
        assert_eq!(Units(thousandths).to_string(), text);
    }
    assert_eq!((ratio(500).to_string(), Ratio::ONE.to_string()), ("0.5".into(), "1".into()));
    assert_eq!(serde_json::to_string(&(Units(-500), ratio(500))).expect("json"), "[-500,500]");
    assert_eq!((Units(12_999).whole_minutes(), Units(-12_999).whole_minutes()), (12, -12));
}

#[test]
fn written_units_and_ratios_are_read() {
    let rows = [("0", 0), ("12.5", 12_500), ("-0.001", -1), ("10000", 10_000_000)];
    for (text, thousandths) in rows {
        assert_eq!(Units::parse_decimal(text), Ok(Units(thousandths)), "{text}");
    }
    for text in ["", "-", "1.", ".5", "1.0001", "+1", "1e3", " 1", "1 000"] {
        let error = Units::parse_decimal(text).expect_err(text);
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        assert!(Ratio::parse_decimal(text).is_err(), "{text}");
    }
    assert_eq!(Units::parse_decimal("9999999999999999999999"), Err(UnitsError::Overflow));
    for (text, thousandths) in [("0.5", 500), ("1", 1_000), ("36", 36_000), ("1000", RATIO_MAX)] {
        assert_eq!(Ratio::parse_decimal(text), Ok(ratio(thousandths)), "{text}");
    }
    for text in ["0", "-1", "1000.001", "4294968.296", "9000000000000000"] {
        let error = Ratio::parse_decimal(text).expect_err(text);
        assert!(matches!(error, UnitsError::Ratio { .. }), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn p3_covering_equals_going_minute_by_minute(
        left in -10_000..200_000_i64, thousandths in 1..40_000_u32, minutes in 0..1_000_u64,
    ) {
        let (covered, taken) = cover(Units(left), ratio(thousandths), minutes);
        prop_assert_eq!((covered, taken.thousandths()), naive(left, ratio(thousandths), minutes));
    }

    #[test]
    fn p3_never_takes_more_than_is_left(
        left in any::<i64>(), thousandths in 1..=RATIO_MAX, minutes in any::<u64>(),
    ) {
        let (covered, taken) = cover(Units(left), ratio(thousandths), minutes);
        prop_assert!(covered <= minutes);
        prop_assert!(taken >= Units::ZERO && taken.thousandths() <= left.max(0));
        // Minutes stay uncovered only when the package is used up.
        prop_assert!(covered == minutes || left <= 0 || taken.thousandths() == left);
    }

    #[test]
    fn p5_covering_in_two_parts_equals_covering_at_once(
        left in 0..1_000_000_i64, thousandths in 1..40_000_u32, a in 0..1_000_u64, b in 0..1_000_u64,
    ) {
        let ratio = ratio(thousandths);
        let (all, taken) = cover(Units(left), ratio, a + b);
        let (first, taken_first) = cover(Units(left), ratio, a);
        let rest = Units(left).checked_sub(taken_first).expect("fits");
        let (second, taken_second) = cover(rest, ratio, b);
        prop_assert_eq!(all, first + second);
        prop_assert_eq!(Ok(taken), taken_first.checked_add(taken_second));
    }
}

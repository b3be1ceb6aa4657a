//! Days and months tile time (P9) in every zone of the database, across changes of clocks and of zones;
//! bill windows lie where the policy puts them (S4, S5, A17).

use jiff::{SignedDuration, civil::date};
use proptest::prelude::*;

use super::*;

/// Zones where something is unusual: skipped dates, half hours, changes at midnight, both ends of the line.
const UNUSUAL: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Pacific/Kwajalein",
    "Australia/Lord_Howe",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Asia/Tehran",
    "Africa/Cairo",
    "America/Nuuk",
    "Antarctica/Troll",
    "Etc/GMT+12",
];

fn calendar(zone: &str) -> Calendar {
    Calendar::new(zone).expect(zone)
}

fn month(text: &str) -> YearMonth {
    text.parse().expect(text)
}

fn instant(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn moved(from: &str, to: &str, first: &str) -> Calendar {
    let first = Some(month(first));
    let eras = [Era { zone: from.into(), from: None }, Era { zone: to.into(), from: first }];
    Calendar::from_eras(eras.into()).expect("rising")
}

fn hours(calendar: &Calendar, day: Date) -> i64 {
    let start = calendar.day_start(day).expect("in range");
    calendar.day_end(day).expect("in range").duration_since(start).as_hours()
}

/// All that P9 says about one day, and about the month it is in.
fn check_tiling(calendar: &Calendar, day: Date) {
    let start = calendar.day_start(day).expect("in range");
    let end = calendar.day_end(day).expect("in range");
    let next = day.tomorrow().expect("in range");
    assert_eq!(
        calendar.day_start(next),
        Ok(end),
        "{calendar:?} {day}: the next day begins elsewhere"
    );
    assert!(start <= end, "{calendar:?} {day}: it ends before it begins");
    if start < end {
        let length = end.duration_since(start);
        let last = end - SignedDuration::from_nanos(1);
        // The first and the last two hours closely, because that is where midnights come twice.
        let early = (1..8).map(|quarter| start + SignedDuration::from_mins(15 * quarter));
        let late = (1..8).map(|quarter| last - SignedDuration::from_mins(15 * quarter));
        let inside = early.chain(late).filter(|at| start <= *at && *at <= last);
        for at in inside.chain([start, start + length / 3, start + length / 2, last]) {
            assert_eq!(calendar.day_of(at), Ok(day), "{calendar:?} {at}");
            assert_eq!(calendar.month_of(at), Ok(YearMonth::of(day)));
        }
    }
    let month = YearMonth::of(day);
    let month_start = calendar.month_start(month).expect("in range");
    let month_end = calendar.month_end(month).expect("in range");
    assert!(month_start <= start && end <= month_end, "{calendar:?} {day}: outside its month");
    assert_eq!(calendar.month_start(month.next().expect("in range")), Ok(month_end));
}

fn any_zone() -> impl Strategy<Value = String> {
    let all: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .filter(|name| Calendar::new(name).is_ok())
        .collect();
    assert!(all.len() > 400, "{} zones", all.len());
    prop_oneof![
        prop::sample::select(all),
        prop::sample::select(UNUSUAL).prop_map(str::to_owned),
        prop::sample::select(FAR_APART).prop_map(str::to_owned),
    ]
}

/// Moves between these are across the whole world, so that days without length and of two come up.
const FAR_APART: &[&str] = &["Etc/GMT+12", "Etc/GMT-14", "Pacific/Pago_Pago", "Pacific/Kiritimati"];

/// A month from 1890 to 2099, when zones had odd rules or none.
fn any_month() -> impl Strategy<Value = YearMonth> {
    (1890_i16..2100, 1_i8..=12)
        .prop_map(|(year, month)| YearMonth::new(year, month).expect("is one"))
}

/// Up to five eras, often of a single month.
fn any_calendar() -> impl Strategy<Value = Calendar> {
    let changes = prop::collection::btree_map(
        (0_i32..60).prop_map(|months| months.min(months % 7)),
        any_zone(),
        0..5,
    );
    (any_zone(), any_month(), changes).prop_map(|(zone, first, changes)| {
        let later = changes.into_iter().map(|(months, zone)| {
            let first = add_months_clamped(first.first_day(), months).expect("in range");
            Era { zone, from: Some(YearMonth::of(first)) }
        });
        let since_ever = Era { zone, from: None };
        Calendar::from_eras(std::iter::once(since_ever).chain(later).collect()).expect("rising")
    })
}

/// Days from the beginning of an era, mostly close to it.
fn offsets() -> impl Strategy<Value = i32> {
    prop_oneof![3 => -7_i32..2, 1 => -40_i32..40]
}

/// A day near the beginning of one of the calendar's eras, or any day.
fn day_near(calendar: &Calendar, pick: usize, offset: i32, otherwise: YearMonth) -> Date {
    let eras = calendar.eras();
    let from = eras.get(pick % (eras.len() + 1)).and_then(|era| era.from).unwrap_or(otherwise);
    from.first_day().checked_add(jiff::Span::new().days(offset)).expect("in range")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn p9_days_and_months_tile_time_across_changes_of_zone(
        calendar in any_calendar(), pick in 0_usize..6, offset in offsets(), otherwise in any_month(),
    ) {
        let mut day = day_near(&calendar, pick, offset, otherwise);
        for _ in 0..6 {
            check_tiling(&calendar, day);
            day = day.tomorrow().expect("in range");
        }
    }

    #[test]
    fn p9_every_instant_lies_in_exactly_the_day_that_is_named(
        calendar in any_calendar(), pick in 0_usize..6, offset in -4_i32..4, otherwise in any_month(),
        seconds in -200_000_i64..200_000, nanos in 0_i64..1_000_000_000,
    ) {
        let near = calendar.day_start(day_near(&calendar, pick, offset, otherwise)).expect("in range");
        let at = near + SignedDuration::from_secs(seconds) + SignedDuration::from_nanos(nanos);
        let day = calendar.day_of(at).expect("in range");
        prop_assert!(calendar.day_start(day).expect("in range") <= at, "{day} begins after {at}");
        prop_assert!(at < calendar.day_end(day).expect("in range"), "{day} ends before {at}");
        // Days do not run backwards, so no other day can hold it: its neighbours do not.
        prop_assert!(calendar.day_end(day.yesterday().expect("in range")).expect("in range") <= at);
        prop_assert!(calendar.day_start(day.tomorrow().expect("in range")).expect("in range") > at);
    }

    #[test]
    fn p9_a_change_of_zone_moves_nothing_before_the_next_month(
        calendar in any_calendar(), zone in any_zone(), before in any_month(), seconds in 0_i64..2_600_000,
        back in 0_i32..70, spread in 0_u32..SPREAD_S_MAX,
    ) {
        let now = calendar.month_start(before).expect("in range") + SignedDuration::from_secs(seconds);
        let current = calendar.month_of(now).expect("in range");
        let after = calendar.change_zone(&zone, now).expect("few eras");
        let next = current.next().expect("in range");
        prop_assert_eq!(after.zone_of(next.first_day()), known_name(&zone).expect("known"));
        prop_assert_eq!(after.month_start(next), calendar.month_start(next));
        let day = current.last_day().checked_sub(jiff::Span::new().days(back)).expect("in range");
        prop_assert_eq!(after.day_start(day), calendar.day_start(day));
        prop_assert_eq!(after.day_end(day), calendar.day_end(day));
        prop_assert_eq!(after.zone_of(day), calendar.zone_of(day));
        prop_assert_eq!(after.daily_close(day, spread), calendar.daily_close(day, spread));
        prop_assert_eq!(after.monthly_close(current, spread), calendar.monthly_close(current, spread));
        prop_assert_eq!(after.day_of(now), calendar.day_of(now));
        // The same wish again changes nothing.
        prop_assert_eq!(after.change_zone(&zone, now), Ok(after));
    }

    #[test]
    fn s4_s5_windows_follow_what_they_bill(
        calendar in any_calendar(), pick in 0_usize..6, offset in -40_i32..40,
        year in 1970_i16..2100, number in 1_i8..=12, spread in any::<u32>(), small in 0..=SPREAD_S_MAX,
    ) {
        let otherwise = YearMonth::new(year, number).expect("is one");
        let day = day_near(&calendar, pick, offset, otherwise);
        for spread in [spread, small] {
            let close = calendar.daily_close(day, spread).expect("in range");
            let latest = calendar.daily_latest(day).expect("in range");
            prop_assert!(calendar.day_end(day).expect("in range") < close);
            prop_assert!(close <= latest);
            let month = YearMonth::of(day);
            let last_daily = calendar.daily_latest(month.last_day()).expect("in range");
            let close = calendar.monthly_close(month, spread).expect("in range");
            let latest = calendar.monthly_latest(month).expect("in range");
            prop_assert!(last_daily < close && close <= latest);
        }
    }

    #[test]
    fn stored_calendars_are_read_back(calendar in any_calendar()) {
        let text = serde_json::to_string(&calendar).expect("json");
        prop_assert_eq!(serde_json::from_str::<Calendar>(&text).expect("json"), calendar);
    }

    #[test]
    fn p9_in_one_zone_the_day_is_the_date_on_the_wall(
        // In these years no zone of the list repeats a midnight.
        name in prop::sample::select(UNUSUAL), second in 1_325_376_000_i64..2_114_380_800,
    ) {
        let at = Timestamp::from_second(second).expect("in range");
        let wall = TimeZone::get(name).expect(name).to_datetime(at).date();
        prop_assert_eq!(calendar(name).day_of(at), Ok(wall));
    }

    #[test]
    fn p18_no_instant_and_no_date_makes_the_calendar_panic(
        calendar in any_calendar(), second in -377_705_023_201_i64..=253_402_207_200,
        year in -9_999_i16..=9_999, number in 1_i8..=12, day in 1_i8..=28, hour in any::<i8>(),
        months in any::<i32>(), text in ".*",
    ) {
        let at = Timestamp::from_second(second).expect("in range");
        let day = Date::new(year, number, day).expect("is one");
        let _ = (calendar.day_of(at), calendar.month_of(at), calendar.change_zone("UTC", at));
        let _ = (calendar.day_start(day), calendar.day_end(day), calendar.at(day, hour));
        let _ = (add_months_clamped(day, months), monthly_valid_until(day));
        let _ = (Calendar::new(&text), YearMonth::parse(&text), spread_s(&text));
    }
}

#[test]
fn p9_unusual_days_have_the_length_they_had() {
    let rows = [
        ("UTC", date(2026, 3, 29), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        // Midnight itself is skipped or comes twice.
        ("America/Santiago", date(2026, 9, 6), 23),
        ("America/Santiago", date(2026, 4, 4), 25),
        ("America/St_Johns", date(2006, 10, 29), 25),
        // From 23:30 to 00:30: the last half hour of the day already has the next date.
        ("America/Toronto", date(1919, 3, 30), 24),
        ("America/Toronto", date(1919, 3, 31), 23),
        // The date that Samoa left out when it crossed the date line.
        ("Pacific/Apia", date(2011, 12, 29), 24),
        ("Pacific/Apia", date(2011, 12, 30), 0),
        ("Pacific/Apia", date(2011, 12, 31), 24),
    ];
    for (zone, day, length) in rows {
        let calendar = calendar(zone);
        assert_eq!(hours(&calendar, day), length, "{zone} {day}");
        check_tiling(&calendar, day);
    }
}

#[test]
fn p9_years_of_unusual_zones_tile() {
    for (zone, year) in
        UNUSUAL.iter().flat_map(|zone| [1969, 1993, 2006, 2011, 2026].map(|y| (zone, y)))
    {
        let mut day = date(year, 1, 1);
        while day.year() == year {
            check_tiling(&calendar(zone), day);
            day = day.tomorrow().expect("in range");
        }
    }
}

#[test]
fn a16_an_era_begins_where_the_old_zone_ends_its_month() {
    // From the last place on earth to the first: the 1st is over there before it begins, and gets nothing.
    let ahead = moved("Pacific/Pago_Pago", "Pacific/Kiritimati", "2026-12");
    let begins = instant("2026-12-01T11:00:00Z");
    assert_eq!(ahead.day_end(date(2026, 11, 30)), Ok(begins));
    assert_eq!(ahead.day_of(begins), Ok(date(2026, 12, 2)));
    let lengths = [(date(2026, 11, 30), 24), (date(2026, 12, 1), 0), (date(2026, 12, 2), 23)];
    for (day, length) in lengths {
        assert_eq!(hours(&ahead, day), length, "{day}");
    }
    // And the other way: the 1st lasts until it is over there.
    let behind = moved("Pacific/Kiritimati", "Pacific/Pago_Pago", "2026-12");
    let begins = instant("2026-11-30T10:00:00Z");
    assert_eq!(behind.month_start(month("2026-12")), Ok(begins));
    assert_eq!(behind.day_of(begins), Ok(date(2026, 12, 1)));
    let lengths = [(date(2026, 11, 30), 24), (date(2026, 12, 1), 49), (date(2026, 12, 2), 24)];
    for (day, length) in lengths {
        assert_eq!(hours(&behind, day), length, "{day}");
    }
    assert_eq!(behind.zone_of(date(2026, 11, 30)), "Pacific/Kiritimati");
    assert_eq!(behind.zone_of(date(2026, 12, 1)), "Pacific/Pago_Pago");
}

#[test]
fn a16_a_change_takes_effect_with_the_next_month_of_the_account() {
    let old = calendar("Pacific/Kiritimati");
    // Still November in Greenwich, December in Kiritimati: effective in January.
    let now = instant("2026-11-30T10:00:00Z");
    let new = old.change_zone("europe/berlin", now).expect("allowed");
    let from = Some(month("2027-01"));
    let berlin = Era { zone: "Europe/Berlin".into(), from };
    let eras = vec![Era { zone: "Pacific/Kiritimati".into(), from: None }, berlin];
    assert_eq!(new.eras(), eras);
    // Another wish replaces it as long as it has not begun, and the old zone takes it back.
    let other = new.change_zone("UTC", now).expect("allowed");
    assert_eq!(other.eras().last(), Some(&Era { zone: "UTC".into(), from }));
    assert_eq!(new.change_zone("Pacific/Kiritimati", now), Ok(old));
    // Once it has begun it stays.
    let begun = new.month_start(month("2027-01")).expect("in range");
    let third = new.change_zone("UTC", begun).expect("allowed");
    assert_eq!(third.eras().len(), 3);
    let earlier = begun - SignedDuration::from_nanos(1);
    assert_eq!(new.change_zone("UTC", earlier).expect("allowed").eras().len(), 2);
}

#[test]
fn the_number_of_eras_is_bounded() {
    let mut calendar = calendar("UTC");
    let mut first = date(2026, 1, 1);
    for number in 1..ERAS_MAX {
        let now = calendar.day_start(first).expect("in range");
        let zone = if number % 2 == 0 { "UTC" } else { "Asia/Tokyo" };
        calendar = calendar.change_zone(zone, now).expect("within the bound");
        first = add_months_clamped(first, 1).expect("in range");
    }
    assert_eq!(calendar.eras().len(), ERAS_MAX);
    let now = calendar.day_start(first).expect("in range");
    assert_eq!(calendar.change_zone("Asia/Kolkata", now), Err(CalendarError::TooManyEras));
    let mut eras = calendar.eras();
    eras.push(Era { zone: "UTC".into(), from: Some(month("2999-01")) });
    assert_eq!(Calendar::from_eras(eras), Err(CalendarError::TooManyEras));
}

#[test]
fn unknown_zones_are_named_in_the_error() {
    for name in [
        "",
        " ",
        "Berlin",
        "Europe/berlinn",
        "Etc/Unknown",
        "+02:00",
        "../UTC",
        "UTC\0",
        "EST5EDT4",
    ] {
        let error = Calendar::new(name).expect_err(name);
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    let long = "A/".repeat(1_000_000);
    assert!(Calendar::new(&long).expect_err("long").to_string().len() < 200);
}

#[test]
fn stored_calendars_are_checked_but_their_zones_are_not_looked_up() {
    let text = r#"{"eras":[{"zone":"UTC"},{"zone":"Europe/Berlin","from":"2026-12"}]}"#;
    let calendar: Calendar = serde_json::from_str(text).expect("json");
    assert_eq!(calendar, moved("UTC", "Europe/Berlin", "2026-12"));
    assert_eq!(serde_json::to_string(&calendar).expect("json"), text);
    let rows = [
        (r#"{"eras":[]}"#, "there are none"),
        (r#"{"eras":[{"zone":"UTC","from":"2026-12"}]}"#, "the first has"),
        (r#"{"eras":[{"zone":"UTC"},{"zone":"UTC"}]}"#, "no first month"),
        (r#"{"eras":[{"zone":""}]}"#, "empty"),
        (
            r#"{"eras":[{"zone":"UTC"},{"zone":"UTC","from":"2026-12"},{"zone":"UTC","from":"2026-12"}]}"#,
            "do not rise",
        ),
    ];
    for (text, problem) in rows {
        let error = serde_json::from_str::<Calendar>(text).expect_err(text).to_string();
        assert!(error.contains(problem), "{error}");
    }
    let lost: Calendar = serde_json::from_str(r#"{"eras":[{"zone":"Mars/Base"}]}"#).expect("json");
    let unknown = Err(CalendarError::UnknownZone { zone: "Mars/Base".into() });
    assert_eq!(lost.day_start(date(2026, 1, 1)), unknown);
}

#[test]
fn s4_a_day_is_billed_from_8_to_half_past_11_of_the_next() {
    let rows = [
        ("UTC", date(2026, 11, 23), 0, "2026-11-24T08:00:00Z", "2026-11-24T12:00:00Z"),
        ("UTC", date(2026, 11, 23), 12_599, "2026-11-24T11:29:59Z", "2026-11-24T12:00:00Z"),
        ("UTC", date(2026, 11, 23), u32::MAX, "2026-11-24T11:30:00Z", "2026-11-24T12:00:00Z"),
        ("Europe/Berlin", date(2026, 3, 28), 60, "2026-03-29T06:01:00Z", "2026-03-29T10:00:00Z"),
        ("Europe/Berlin", date(2026, 10, 24), 60, "2026-10-25T07:01:00Z", "2026-10-25T11:00:00Z"),
        ("Asia/Kathmandu", date(2026, 12, 31), 0, "2027-01-01T02:15:00Z", "2027-01-01T06:15:00Z"),
        // The next civil day of these two is the same one.
        ("Pacific/Apia", date(2011, 12, 29), 0, "2011-12-30T18:00:00Z", "2011-12-30T22:00:00Z"),
        ("Pacific/Apia", date(2011, 12, 30), 0, "2011-12-30T18:00:00Z", "2011-12-30T22:00:00Z"),
    ];
    for (zone, day, spread, close, latest) in rows {
        let calendar = calendar(zone);
        assert_eq!(calendar.daily_close(day, spread), Ok(instant(close)), "{zone} {day} {spread}");
        assert_eq!(calendar.daily_latest(day), Ok(instant(latest)), "{zone} {day}");
    }
}

#[test]
fn s5_a_month_is_billed_from_the_1st_to_the_3rd_of_the_next() {
    let rows = [
        ("UTC", "2026-11", 0, "2026-12-01T12:01:00Z"),
        ("UTC", "2026-11", 6_300, "2026-12-02T12:00:00Z"),
        ("UTC", "2026-12", SPREAD_S_MAX, "2027-01-03T11:59:00Z"),
        ("UTC", "2026-12", u32::MAX, "2027-01-03T11:59:00Z"),
        ("Asia/Kathmandu", "2026-11", 0, "2026-12-01T06:16:00Z"),
    ];
    for (zone, text, spread, close) in rows {
        let close_is = calendar(zone).monthly_close(month(text), spread);
        assert_eq!(close_is, Ok(instant(close)), "{zone} {text} {spread}");
    }
    let latest = calendar("Europe/Berlin").monthly_latest(month("2026-11"));
    assert_eq!(latest, Ok(instant("2026-12-03T22:00:00Z")));
}

#[test]
fn a16_windows_stay_in_the_zone_of_what_they_bill() {
    let calendar = moved("Pacific/Pago_Pago", "Pacific/Kiritimati", "2026-12");
    let close = calendar.daily_close(date(2026, 11, 30), 0);
    assert_eq!(close, Ok(instant("2026-12-01T19:00:00Z")));
    let close = calendar.monthly_close(month("2026-11"), 0);
    assert_eq!(close, Ok(instant("2026-12-01T23:01:00Z")));
    let close = calendar.daily_close(date(2026, 12, 2), 0);
    assert_eq!(close, Ok(instant("2026-12-02T18:00:00Z")));
}

#[test]
fn a17_the_spread_is_stable_and_spreads() {
    // Of the published test vectors of the hash: "" and "foobar".
    let vectors = [("", 0xcbf2_9ce4_8422_2325_u64), ("foobar", 0x8594_4171_f739_67e8)];
    for (id, hash) in vectors {
        assert_eq!(u64::from(spread_s(id)), hash % u64::from(SPREAD_S_MAX));
    }
    let mut quarters = [0_u32; 4];
    for number in 0..10_000_u32 {
        let spread = spread_s(&format!("acct_{number}"));
        assert!(spread < SPREAD_S_MAX);
        quarters[usize::try_from(spread * 4 / SPREAD_S_MAX).expect("small")] += 1;
    }
    assert!(quarters.iter().all(|count| (2_300..2_700).contains(count)), "{quarters:?}");
}

#[test]
fn hours_are_civil_and_never_outside_their_day() {
    let rows = [
        ("Europe/Berlin", date(2026, 7, 1), 12, "2026-07-01T10:00:00Z"),
        // Skipped: as far after three as it would have been after two. Twice: the first.
        ("Europe/Berlin", date(2026, 3, 29), 2, "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", date(2026, 10, 25), 2, "2026-10-25T00:00:00Z"),
        ("Pacific/Apia", date(2011, 12, 30), 9, "2011-12-30T10:00:00Z"),
    ];
    for (zone, day, hour, at) in rows {
        assert_eq!(calendar(zone).at(day, hour), Ok(instant(at)), "{zone} {day} {hour}");
    }
    let cut = moved("Pacific/Pago_Pago", "Pacific/Kiritimati", "2026-12");
    assert_eq!(cut.at(date(2026, 12, 1), 12), Ok(instant("2026-12-01T11:00:00Z")));
    for hour in [-1, 24, i8::MIN, i8::MAX] {
        assert_eq!(cut.at(date(2026, 12, 5), hour), Err(CalendarError::Hour { hour }));
    }
}

#[test]
fn p18_the_ends_of_the_calendar_are_errors() {
    let calendar = calendar("Asia/Tokyo");
    for day in [Date::MIN, Date::MAX] {
        assert!(calendar.day_start(day).is_err() || calendar.day_end(day).is_err(), "{day}");
    }
    assert!(calendar.day_of(Timestamp::MIN).is_err());
    assert_eq!(calendar.day_of(Timestamp::MAX), Ok(date(9999, 12, 31)));
    assert!(month("9999-12").next().is_err());
    assert!(YearMonth::of(Date::MIN).previous().is_err());
    assert!(monthly_valid_until(Date::MAX).is_err());
    assert!(add_months_clamped(date(2026, 1, 1), i32::MAX).is_err());
    assert!(calendar.monthly_close(month("9999-12"), 0).is_err());
    assert!(calendar.change_zone("UTC", Timestamp::MAX).is_err());
}

#[test]
fn months_are_written_and_read() {
    for text in ["2026-11", "0001-01", "9999-12", "2024-02"] {
        assert_eq!(month(text).to_string(), text);
    }
    for text in [
        "",
        "2026",
        "2026-0",
        "2026-00",
        "2026-13",
        "26-11",
        "+026-11",
        "2026-+1",
        "-2026-11",
        "2026-11-01",
        "2026/11",
    ] {
        let error = YearMonth::parse(text).expect_err(text);
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
    let feb = month("2024-02");
    assert_eq!((feb.year(), feb.month()), (2024, 2));
    assert_eq!((feb.first_day(), feb.last_day()), (date(2024, 2, 1), date(2024, 2, 29)));
    assert_eq!((feb.previous(), feb.next()), (Ok(month("2024-01")), Ok(month("2024-03"))));
    assert_eq!(month("2026-12").next(), Ok(month("2027-01")));
    assert!(month("2026-12") < month("2027-01") && feb < month("2024-10"));
    assert_eq!(serde_json::to_string(&feb).expect("json"), r#""2024-02""#);
    assert!(YearMonth::new(2026, 13).is_err() && YearMonth::new(2026, 0).is_err());
}

#[test]
fn monthly_packages_end_the_day_before_the_same_date() {
    let rows = [
        (date(2026, 11, 23), date(2026, 12, 22)),
        (date(2026, 12, 1), date(2026, 12, 31)),
        (date(2026, 12, 31), date(2027, 1, 30)),
        (date(2026, 1, 28), date(2026, 2, 27)),
        (date(2026, 1, 29), date(2026, 2, 27)),
        (date(2026, 1, 31), date(2026, 2, 27)),
        (date(2024, 1, 31), date(2024, 2, 28)),
        (date(2026, 2, 28), date(2026, 3, 27)),
        (date(2026, 3, 31), date(2026, 4, 29)),
    ];
    for (bought, until) in rows {
        assert_eq!(monthly_valid_until(bought), Ok(until), "{bought}");
    }
    let rows =
        [(date(2024, 2, 29), 12, date(2025, 2, 28)), (date(2026, 3, 31), -1, date(2026, 2, 28))];
    for (day, months, later) in rows {
        assert_eq!(add_months_clamped(day, months), Ok(later));
    }
}

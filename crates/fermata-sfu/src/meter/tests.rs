//! The meter against a naive count of the same history, whatever the moments of reporting.

use std::collections::BTreeMap;
use std::time::Duration;

use fermata_types::Now;
use proptest::prelude::*;

use super::*;

/// An instant to count from; its value does not matter.
fn origin() -> Instant {
    Now::read().instant
}

fn stay() -> ParticipantSid {
    ParticipantSid::from_text("PA_meter")
}

/// What happens during a stay.
#[derive(Debug, Clone, Copy)]
enum Event {
    Area(u64),
    Role(Role),
    Drain,
}

type Totals = BTreeMap<(Timestamp, Sku), u32>;

fn merge(totals: &mut Totals, windows: Vec<UsageWindow>) {
    for window in windows {
        let seconds = totals.entry((window.window_start, window.sku)).or_default();
        assert!(window.seconds > *seconds, "reported without a change, or fallen");
        *seconds = (*seconds).max(window.seconds);
    }
}

/// Plays a history of (milliseconds since entry, event), sorted, and closes at the end.
fn play(scene: Scene, entered_at: Timestamp, end_ms: u64, events: &[(u64, Event)]) -> Totals {
    let start = origin();
    let at = |ms| start + Duration::from_millis(ms);
    let mut meter = StayMeter::open(start, entered_at, stay(), scene, Role::Audience);
    let mut totals = Totals::new();
    for &(ms, event) in events {
        match event {
            Event::Area(pixels) => meter.set_area(at(ms), pixels),
            Event::Role(role) => meter.set_role(at(ms), role),
            Event::Drain => merge(&mut totals, meter.drain(at(ms))),
        }
    }
    let (windows, ended_at) = meter.close(at(end_ms));
    merge(&mut totals, windows);
    assert_eq!(ended_at, entered_at + Duration::from_millis(end_ms));
    totals
}

/// The same by brute force: each millisecond has one state; each second takes the most of its own.
fn naive(scene: Scene, entered_at: Timestamp, end_ms: u64, events: &[(u64, Event)]) -> Totals {
    let (mut tier, mut role) = (Tier::Audio, Role::Audience);
    let mut states = Vec::new();
    let mut pending = events.iter().peekable();
    for ms in 0..end_ms {
        while let Some((_, event)) = pending.next_if(|(at, _)| *at <= ms) {
            match event {
                Event::Area(pixels) => tier = Tier::of_area(*pixels),
                Event::Role(new) => role = *new,
                Event::Drain => {}
            }
        }
        states.push((tier, role));
    }
    let mut totals = Totals::new();
    for (index, second) in states.chunks(1000).enumerate() {
        let tier = second.iter().map(|(tier, _)| *tier).max().expect("not empty");
        let anchor = second.iter().any(|(_, role)| *role == Role::Anchor);
        let role = if anchor { Role::Anchor } else { Role::Audience };
        let start = entered_at + Duration::from_secs(u64::try_from(index).expect("small"));
        let minute = start.as_millisecond().div_euclid(60_000) * 60;
        let window = Timestamp::from_second(minute).expect("in range");
        *totals.entry((window, Sku::of(scene, role, tier))).or_default() += 1;
    }
    totals
}

#[test]
fn a_scripted_stay() {
    let noon: Timestamp = "2026-03-01T12:00:50.5Z".parse().expect("a time");
    let totals = play(
        Scene::Call,
        noon,
        20_001,
        &[
            (3_500, Event::Area(1280 * 720)),
            (4_000, Event::Drain),
            (7_000, Event::Area(1280 * 720 + 1)), // from second 7 on, not in second 6
            (8_999, Event::Area(0)),
            (9_000, Event::Area(u64::MAX)), // never in force
            (9_000, Event::Area(1)),
            (10_000, Event::Area(0)),
        ],
    );
    let get = |minute: &str, sku| {
        let window: Timestamp = minute.parse().expect("a time");
        totals.get(&(window, sku)).copied().unwrap_or(0)
    };
    // Seconds 0 to 9 start at 12:00:50.5 to 12:00:59.5, the other eleven in the next minute.
    assert_eq!(get("2026-03-01T12:00:00Z", Sku::Audio), 3);
    assert_eq!(get("2026-03-01T12:00:00Z", Sku::VideoHd), 5);
    assert_eq!(get("2026-03-01T12:00:00Z", Sku::VideoFhd), 2);
    assert_eq!(get("2026-03-01T12:01:00Z", Sku::Audio), 11);
    assert_eq!(totals.len(), 4);
}

#[test]
fn nothing_for_no_time_and_one_for_any() {
    let entered: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    assert!(play(Scene::Live, entered, 0, &[(0, Event::Area(9))]).is_empty());
    let totals = play(Scene::Live, entered, 1, &[(0, Event::Area(9)), (0, Event::Drain)]);
    assert_eq!(totals.into_iter().collect::<Vec<_>>(), [((entered, Sku::LiveAudienceVideoHd), 1)]);
}

#[test]
fn a_long_silence_is_cheap_and_exact_and_forgotten() {
    let start = origin();
    let entered: Timestamp = "1969-12-31T23:59:30.25Z".parse().expect("a time");
    let mut meter = StayMeter::open(start, entered, stay(), Scene::Call, Role::Anchor);
    let day = Duration::from_hours(24);
    let windows = meter.drain(start + day);
    assert_eq!(windows.len(), 1441);
    assert_eq!(windows[0].window_start, "1969-12-31T23:59:00Z".parse().expect("a time"));
    assert_eq!(windows[0].seconds, 30);
    assert!(windows[1..1440].iter().all(|window| window.seconds == 60));
    assert_eq!(windows[1440].seconds, 30);
    assert_eq!(meter.counts.len(), 1, "only the window being filled is kept");
    assert!(meter.drain(start).is_empty(), "time does not go backwards");
}

#[test]
fn a_moved_clock_moves_what_follows_and_adds_nothing() {
    let start = origin();
    let at = |ms| start + Duration::from_millis(ms);
    let entered: Timestamp = "2026-03-01T12:00:00.5Z".parse().expect("a time");
    let mut meter = StayMeter::open(start, entered, stay(), Scene::Call, Role::Anchor);
    let mut totals = Totals::new();
    merge(&mut totals, meter.drain(at(10_000)));
    // In the middle of second 10, which still belongs to where it started.
    meter.move_account_time(at(10_400), SignedDuration::from_hours(24));
    meter.move_account_time(at(10_500), SignedDuration::from_hours(-1));
    merge(&mut totals, meter.drain(at(12_000)));
    let (windows, ended_at) = meter.close(at(15_000));
    merge(&mut totals, windows);
    let days: Vec<_> = totals.values().copied().collect();
    assert_eq!(days, [11, 4], "fifteen seconds passed, whatever the clock showed");
    assert_eq!(ended_at, "2026-03-02T12:00:15.5Z".parse::<Timestamp>().expect("a time"));
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop::sample::select(&[0_u64, 1, 921_600, 921_601, 2_073_601, 9_000_000][..])
            .prop_map(Event::Area),
        prop::sample::select(&[Role::Anchor, Role::Audience][..]).prop_map(Event::Role),
        Just(Event::Drain),
    ]
}

/// Moments that often fall on whole seconds and on each other.
fn moment(end_ms: u64) -> impl Strategy<Value = u64> {
    prop_oneof![0..=end_ms, (0..=end_ms / 1000).prop_map(|second| second * 1000)]
}

fn history() -> impl Strategy<Value = (u64, Vec<(u64, Event)>)> {
    prop_oneof![1_u64..400_000, (0_u64..400).prop_map(|second| second * 1000)].prop_flat_map(
        |end| {
            let events = prop::collection::vec((moment(end), event()), 0..60);
            (Just(end), events).prop_map(|(end, mut events)| {
                events.sort_by_key(|(ms, _)| *ms);
                (end, events)
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn totals_are_those_of_the_naive_count(
        (end_ms, events) in history(),
        entered_ms in -100_000_i64..1_800_000_000_000,
        live in any::<bool>(),
    ) {
        let scene = if live { Scene::Live } else { Scene::Call };
        let entered_at = Timestamp::from_millisecond(entered_ms).expect("in range");
        let totals = play(scene, entered_at, end_ms, &events);
        prop_assert_eq!(&totals, &naive(scene, entered_at, end_ms, &events));

        let mut by_window = BTreeMap::<Timestamp, u32>::new();
        for ((window, _), seconds) in &totals {
            *by_window.entry(*window).or_default() += seconds;
        }
        prop_assert!(by_window.values().all(|seconds| *seconds <= WINDOW_SECONDS));
        let sum: u64 = totals.values().map(|seconds| u64::from(*seconds)).sum();
        prop_assert_eq!(sum, end_ms.div_ceil(1000));
    }

    #[test]
    fn moments_of_reporting_change_nothing(
        (end_ms, events) in history(),
        drains in prop::collection::vec(0_u64..400_000, 0..40),
    ) {
        let entered_at = Timestamp::from_millisecond(1_700_000_012_345).expect("in range");
        let without: Vec<_> =
            events.iter().copied().filter(|(_, event)| !matches!(event, Event::Drain)).collect();
        let mut with = without.clone();
        with.extend(drains.iter().map(|ms| (*ms.min(&end_ms), Event::Drain)));
        with.sort_by_key(|(ms, _)| *ms);
        prop_assert_eq!(
            play(Scene::Live, entered_at, end_ms, &with),
            play(Scene::Live, entered_at, end_ms, &without)
        );
    }
}

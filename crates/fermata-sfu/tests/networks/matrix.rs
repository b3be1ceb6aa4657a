//! The networks, and what has to hold in each.

use fermata_emulator::{Conditions, Step};

use crate::meeting::{GOOD_MS, Kind, Meeting};
use crate::outcome::{Outcome, Span, largest_after, largest_missed};
use crate::support::media::Ms;

const SEEDS: u64 = 3;
/// Everything has become steady.
const WARM: Ms = 4_000;
/// What was sent last comes, or comes again.
const AFTER: Ms = 1_000;

/// A network that Bob is behind.
#[derive(Debug, Clone, Copy)]
struct Shape<'a> {
    name: &'static str,
    /// To him: from when, and how.
    steps: &'a [(Ms, Conditions)],
    /// From him the same, and not a good way.
    both: bool,
    /// So from the beginning, and not only when everything has become steady.
    always: bool,
    /// Seconds that it lasts.
    seconds: u64,
}

const GOOD: Conditions = Conditions {
    rate_bps: 0,
    queue_ms: 250,
    delay_ms: GOOD_MS,
    jitter_ms: 0,
    loss_percent: 0.0,
    loss_burst: 1.0,
    reorder_percent: 0.0,
    reorder_ms: 20,
};

const fn loss(loss_percent: f64) -> Conditions {
    Conditions { loss_percent, ..GOOD }
}

const fn rate(kbps: u64) -> Conditions {
    Conditions { rate_bps: kbps * 1_000, ..GOOD }
}

const fn steady<'a>(name: &'static str, steps: &'a [(Ms, Conditions)]) -> Shape<'a> {
    Shape { name, steps, both: false, always: false, seconds: 15 }
}

/// One run.
#[derive(Debug)]
struct Run {
    seed: u64,
    bob: Outcome,
    /// Pictures of the largest layer that were sent and that Bob never saw.
    bob_missed: usize,
    eve: Outcome,
    eve_missed: usize,
    /// Sent in all.
    sent: usize,
    /// Kilobits per second that came to Bob, and hundredths of what his way could take, if that has a bound.
    kbps: u64,
    used: Option<u64>,
    /// Until he saw the largest layer again after the way became wide again.
    back: Option<Ms>,
    /// How often he was told that the camera is paused, or goes on.
    told: usize,
    /// He saw the largest layer at last.
    largest_last: bool,
}

fn run(shape: &Shape<'_>, kind: Kind) -> Run {
    let mut meeting = Meeting::new(kind);
    let step =
        |(at_ms, conditions): &(Ms, Conditions)| Step { at_ms: *at_ms, conditions: *conditions };
    let steps: Vec<Step> = shape.steps.iter().map(step).collect();
    let good = vec![Step { at_ms: 0, conditions: GOOD }];
    if !shape.always {
        meeting.run(WARM);
    }
    meeting.turn(steps.clone(), if shape.both { steps } else { good });
    if shape.always {
        meeting.run(WARM);
    }
    let from = meeting.now();
    let asked = [&meeting.bob, &meeting.eve].map(|viewer| viewer.decoder.asked);
    let before = meeting.way().down.counts().delivered_bytes;
    meeting.run(shape.seconds * 1_000);
    let came = meeting.way().down.counts().delivered_bytes - before;
    let span = (from, meeting.now());
    meeting.run(AFTER);
    let kbps = came * 8 / (span.1 - span.0);
    let capacity = capacity_kbit(shape);
    let wide = shape.steps.last().filter(|(at, _)| *at > 0).map(|(at, _)| from + at);
    Run {
        seed: kind.seed,
        bob: Outcome::of(&meeting.bob, span, asked[0]),
        bob_missed: largest_missed(&meeting, &meeting.bob, span),
        eve: Outcome::of(&meeting.eve, span, asked[1]),
        eve_missed: largest_missed(&meeting, &meeting.eve, span),
        sent: sent(&meeting, span),
        kbps,
        used: capacity.map(|capacity| came * 8 / 10 / capacity),
        back: wide.and_then(|at| largest_after(&meeting.bob, at)),
        told: meeting.told().len(),
        largest_last: meeting.bob.decoder.decoded.last().is_some_and(|(_, mark)| mark.layer == 2),
    }
}

fn sent(meeting: &Meeting, (from, until): Span) -> usize {
    let frames = meeting.source.frames[2].iter();
    frames.filter(|frame| (from..until).contains(&frame.at)).count()
}

/// What the way could take in all, kilobits.
fn capacity_kbit(shape: &Shape<'_>) -> Option<u64> {
    let ends = shape.steps.iter().skip(1).map(|(at, _)| *at).chain([shape.seconds * 1_000]);
    let all: u64 = shape
        .steps
        .iter()
        .zip(ends)
        .map(|((at, conditions), end)| conditions.rate_bps / 1_000 * (end - at) / 1_000)
        .sum();
    (all > 0).then_some(all)
}

/// Runs it with every seed, prints a line for each, and looks at what no network excuses: whoever is not behind it
/// sees and hears everything.
fn check(shape: &Shape<'_>) -> Vec<Run> {
    let mut runs = Vec::new();
    for seed in 0..SEEDS {
        let kind = Kind { seed, single: seed % 2 == 1, red: seed == 2 };
        let run = run(shape, kind);
        print(shape.name, seed, &run);
        runs.push(run);
    }
    for run in &runs {
        assert_eq!(run.eve_missed, 0, "{}: Eve sees every picture", shape.name);
        assert_eq!(run.eve.sounds_lost, 0, "{}: Eve hears everything", shape.name);
        assert_eq!((run.eve.asked, run.eve.frozen), (0, 0), "{}: Eve", shape.name);
        assert!(run.eve.longest <= 120, "{}: Eve waited {} ms", shape.name, run.eve.longest);
    }
    runs
}

fn print(name: &str, seed: u64, run: &Run) {
    let (bob, eve) = (&run.bob, &run.eve);
    let used = run.used.map_or_else(|| "-".to_owned(), |used| format!("{used} %"));
    let back = run.back.map_or_else(|| "-".to_owned(), |back| format!("{back} ms"));
    println!(
        "{name:>28} {seed} | {:>4} kb/s {used:>5} | longest {:>5} frozen {:>5} ms | pictures {:>3} {:>3} {:>3} of {} | asked {} \
         | sound lost {:>4.1} % | told {} | back {back} | Eve {:?} {}",
        run.kbps,
        bob.longest,
        bob.frozen,
        bob.pictures[0],
        bob.pictures[1],
        bob.pictures[2],
        run.sent,
        bob.asked,
        bob.sound_lost_percent(),
        run.told,
        eve.pictures,
        eve.longest,
    );
}

/// Bounds of what Bob has to bear.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Longest time without a picture, milliseconds.
    longest: Ms,
    /// All freezes together, milliseconds.
    frozen: Ms,
    /// Sound that never comes, hundredths.
    sound_lost: f64,
    /// Keyframes that he asks for.
    asked: u64,
}

/// What whoever gives up nothing has to bear.
const NOTHING: Bounds = Bounds { longest: 400, frozen: 0, sound_lost: 0.0, asked: 0 };

impl Bounds {
    fn hold(&self, shape: &Shape<'_>, run: &Run) {
        let (name, seed, bob) = (shape.name, run.seed, &run.bob);
        assert!(bob.longest <= self.longest, "{name} {seed}: {} ms without a picture", bob.longest);
        assert!(bob.frozen <= self.frozen, "{name} {seed}: frozen for {} ms", bob.frozen);
        let lost = bob.sound_lost_percent();
        assert!(lost <= self.sound_lost, "{name} {seed}: {lost} % of the sound lost");
        assert!(bob.asked <= self.asked, "{name} {seed}: asked for {} keyframes", bob.asked);
    }
}

#[test]
fn a_little_loss_gives_up_no_layer() {
    let burst = Conditions { loss_burst: 4.0, ..loss(5.0) };
    for (name, conditions, sound_lost) in [
        ("good", GOOD, 0.0),
        ("loss 1 %", loss(1.0), 3.0),
        ("loss 5 %", loss(5.0), 9.0),
        ("loss 5 % in bursts of 4", burst, 11.0),
        ("reordered 5 %", Conditions { reorder_percent: 5.0, ..GOOD }, 0.0),
        ("delay 100 ms", Conditions { delay_ms: 100, ..GOOD }, 0.0),
    ] {
        let steps = [(0, conditions)];
        let shape = Shape { always: conditions.delay_ms > GOOD_MS, ..steady(name, &steps) };
        for run in check(&shape) {
            Bounds { sound_lost, ..NOTHING }.hold(&shape, &run);
            assert_eq!(run.bob.pictures[..2], [0, 0], "{name} {}: no layer is given up", run.seed);
            // Who waits for the last retransmission of a burst may see the picture after the next.
            assert!(
                run.bob_missed <= run.sent / 50,
                "{name} {}: {} missed",
                run.seed,
                run.bob_missed
            );
            assert_eq!(run.told, 0, "{name} {}", run.seed);
        }
    }
}

#[test]
fn much_loss_takes_sound_and_leaves_pictures() {
    for (name, percent, both) in [
        ("loss 10 %", 10.0, false),
        ("loss 10 % both ways", 10.0, true),
        ("loss 20 %", 20.0, false),
    ] {
        let steps = [(0, loss(percent))];
        let shape = Shape { both, ..steady(name, &steps) };
        for run in check(&shape) {
            let bounds =
                Bounds { longest: 2_500, frozen: 4_000, sound_lost: percent + 6.0, asked: 4 };
            bounds.hold(&shape, &run);
            assert!(run.bob.pictures[2] >= run.sent * 3 / 4, "{name} {}: {:?}", run.seed, run.bob);
        }
    }
}

#[test]
fn a_long_way_is_no_narrow_one() {
    let far = Conditions { delay_ms: 300, ..GOOD };
    let steps = [(0, far)];
    let shape = Shape { always: true, ..steady("delay 300 ms", &steps) };
    for run in check(&shape) {
        NOTHING.hold(&shape, &run);
        assert!(run.bob_missed <= 20, "{}: {} missed", run.seed, run.bob_missed);
    }
    // A way that becomes longer looks like a queue that grows, for a while.
    let shape = steady("delay from 20 to 300 ms", &steps);
    for run in check(&shape) {
        NOTHING.hold(&shape, &run);
        assert!(run.bob.pictures[2] >= run.sent / 2, "{}: {:?}", run.seed, run.bob);
        assert!(run.largest_last, "{}: {:?}", run.seed, run.bob);
    }
    let steps = [(0, Conditions { jitter_ms: 30, ..GOOD })];
    let shape = steady("jitter 30 ms", &steps);
    for run in check(&shape) {
        NOTHING.hold(&shape, &run);
        assert_eq!(run.bob.pictures[..2], [0, 0], "{}: no layer is given up", run.seed);
        // Now and then jitter is taken for a queue, and half of the largest pictures give way for a while.
        assert!(run.bob_missed <= run.sent / 3, "{}: {} missed", run.seed, run.bob_missed);
    }
}

#[test]
fn a_narrow_way_is_used_and_pictures_go_on() {
    // Name, way, whether sound may be as long as with redundancy, the least share used, the longest freeze, all freezes,
    // and the layer of most pictures.
    let short = Conditions { queue_ms: 40, ..rate(1_000) };
    for (name, conditions, used, longest, frozen, layer) in [
        ("1 Mb/s", rate(1_000), 55, 500, 0, 1),
        ("1 Mb/s, short queue", short, 50, 1_500, 3_000, 1),
        ("300 kb/s", rate(300), 65, 1_200, 2_000, 0),
    ] {
        let steps = [(0, conditions)];
        let shape = steady(name, &steps);
        for run in check(&shape) {
            Bounds { longest, frozen, sound_lost: 2.0, asked: 1 }.hold(&shape, &run);
            let of_layer = run.bob.pictures[layer];
            assert!(of_layer >= run.sent / 2, "{name} {}: {:?}", run.seed, run.bob);
            assert!(run.used >= Some(used), "{name} {}: {:?} % used", run.seed, run.used);
            assert_eq!(run.told, 0, "{name} {}", run.seed);
        }
    }
}

#[test]
fn where_hardly_sound_fits_sound_goes_on() {
    let steps = [(0, rate(150))];
    let shape = steady("150 kb/s", &steps);
    for run in check(&shape) {
        let lost = run.bob.sound_lost_percent();
        assert!(lost <= 4.0, "{}: {lost} % of the sound lost", run.seed);
        // Beside sound that is sent twice nothing fits.
        if run.seed < 2 {
            let Outcome { pictures, longest, .. } = &run.bob;
            assert!(pictures[0] >= 60, "{}: {pictures:?}", run.seed);
            assert!(*longest <= 2_000, "{}: {longest} ms without a picture", run.seed);
        }
    }
}

#[test]
fn what_was_given_up_comes_back() {
    let steps = [(0, rate(3_000)), (3_000, rate(300)), (18_000, rate(3_000))];
    let shape = Shape { seconds: 33, ..steady("3 Mb/s, 300 kb/s, 3 Mb/s", &steps) };
    for run in check(&shape) {
        Bounds { longest: 1_200, frozen: 2_000, sound_lost: 1.5, asked: 1 }.hold(&shape, &run);
        assert!(
            run.back.is_some_and(|ms| ms <= 8_000),
            "{}: back after {:?} ms",
            run.seed,
            run.back
        );
        assert!(run.largest_last, "{}: {:?}", run.seed, run.bob);
    }
    let steps = [
        (0, rate(1_000)),
        (6_000, rate(200)),
        (12_000, rate(600)),
        (18_000, rate(150)),
        (24_000, rate(3_000)),
    ];
    let shape = Shape { seconds: 37, ..steady("1,000, 200, 600, 150, 3,000 kb/s", &steps) };
    for run in check(&shape) {
        let lost = run.bob.sound_lost_percent();
        assert!(lost <= 2.5, "{}: {lost} % of the sound lost", run.seed);
        assert!(
            run.back.is_some_and(|ms| ms <= 8_000),
            "{}: back after {:?} ms",
            run.seed,
            run.back
        );
        assert!(run.largest_last, "{}: {:?}", run.seed, run.bob);
    }
}

#[test]
fn who_joins_on_a_narrow_way_sees_something_soon() {
    for kbps in [150, 300, 1_000] {
        let steps = [(0, rate(kbps))];
        let name = format!("{kbps} kb/s from the beginning");
        let shape = Shape { always: true, ..steady("joins on a narrow way", &steps) };
        for seed in 0..2 {
            let run = run(&shape, Kind { seed, single: seed % 2 == 1, red: false });
            print(&name, seed, &run);
            let Outcome { longest, .. } = run.bob;
            assert!(longest <= 5_000, "{name} {seed}: {longest} ms without a picture");
        }
    }
}

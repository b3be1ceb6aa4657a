//! Both forwarders side by side, over all seeds: a table, and what is worse than it may be.

use std::fmt::Write as _;

use crate::dice::fraction;
use crate::measure::Outcome;
use crate::net::Ms;
use crate::world::CHANGING;

/// Which packets of media get lost is the same for both, but not which feedback: that differs with the moments at which
/// each sends it. Two series of the reference differ, too, most where much is lost. So a mean is worse only if it is by
/// more than so many standard errors of the difference, beside the tolerance. Without loss that is nothing.
const CHANCE: f64 = 3.0;

/// Fewest runs of each with a figure, for their means to be compared: of one or two values no standard error is known.
/// With little loss hardly a receiver asks for a keyframe, and how long the one that did had to wait says nothing; how
/// many asked is a figure of its own.
const VALUES_MIN: usize = 8;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Higher,
    Lower,
}

/// One figure of a run. Shares are between 0 and 1, times in milliseconds.
struct Figure {
    name: &'static str,
    better: Better,
    /// By so much ours may be worse in the mean over all seeds, beyond what chance explains ([`CHANCE`]).
    tolerance: f64,
    of: fn(&Outcome) -> Option<f64>,
}

const fn share(name: &'static str, of: fn(&Outcome) -> Option<f64>) -> Figure {
    Figure { name, better: Better::Higher, tolerance: 0.01, of }
}

const fn time(name: &'static str, of: fn(&Outcome) -> Option<f64>) -> Figure {
    Figure { name, better: Better::Lower, tolerance: 40.0, of }
}

const fn count(name: &'static str, tolerance: f64, of: fn(&Outcome) -> Option<f64>) -> Figure {
    Figure { name, better: Better::Lower, tolerance, of }
}

/// Receivers are: 0 on a clean link, 1 on a bad one, 2 on a bad one and changing its layer.
const FIGURES: [Figure; 24] = [
    share("packets of f, clean link", |run| run.seen[0].packets[2]),
    share("packets of f, bad link", |run| run.seen[1].packets[2]),
    share("packets of q, changing", |run| run.seen[2].packets[0]),
    share("packets of h, changing", |run| run.seen[2].packets[1]),
    share("packets of f, changing", |run| run.seen[2].packets[2]),
    share("whole frames, clean link", |run| Some(run.seen[0].whole)),
    share("whole frames, bad link", |run| Some(run.seen[1].whole)),
    share("whole frames, changing", |run| Some(run.seen[2].whole)),
    Figure { tolerance: 0.03, ..share("decoded, clean link", |run| Some(run.seen[0].decoded)) },
    Figure { tolerance: 0.03, ..share("decoded, bad link", |run| Some(run.seen[1].decoded)) },
    Figure { tolerance: 0.03, ..share("decoded, changing", |run| Some(run.seen[2].decoded)) },
    Figure { tolerance: 0.003, ..share("sound, clean link", |run| Some(run.seen[0].sound)) },
    Figure { tolerance: 0.003, ..share("sound, bad link", |run| Some(run.seen[1].sound)) },
    // Packets sent again, for each packet of video. str0m sends no more than 15 % of its bytes again and then forgets
    // what it was asked for; ours may send one for two. So where much is lost ours sends more, and more is decoded.
    count("sent again to clean link", 0.02, |run| Some(run.seen[0].again)),
    count("sent again to bad link", 0.03, |run| Some(run.seen[1].again)),
    count("sent again to changing", 0.03, |run| Some(run.seen[2].again)),
    // Ours asks 10 ms after a gap was seen, str0m every 33 ms: of packets that only come late ours asks for more.
    count("sent again by publisher", 0.03, |run| Some(run.again)),
    // Both tell receivers their round trip (RFC 3611 section 4.5), so these ask again in time; ours sends again what
    // str0m forgets, so fewer of them lose patience.
    count("keyframes asked by receivers", 0.0, |run| {
        Some(float(run.seen.iter().map(|seen| seen.asked).sum()))
    }),
    count("keyframes asked of publisher", 1.0, |run| Some(float(run.requests))),
    time("asked to keyframe, ms", |run| {
        middle(run.seen.iter().flat_map(|seen| &seen.answered_after).map(|after| float(*after)))
    }),
    time("wish to new layer, ms", |run| middle(changes(run).map(|change| float(change.after)))),
    Figure {
        tolerance: 0.03,
        ..share("changes that came", |run| {
            let changes = &run.seen[CHANGING].changes;
            let came = changes.iter().flatten().count();
            Some(fraction(came as u64, changes.len() as u64))
        })
    },
    Figure {
        tolerance: 0.05,
        ..share("changes at the first keyframe", |run| {
            let first = changes(run).filter(|change| change.keyframe <= 1).count();
            Some(fraction(first as u64, changes(run).count() as u64))
        })
    },
    Figure {
        tolerance: 0.03,
        ..share("changes by the second keyframe", |run| {
            let first = changes(run).filter(|change| change.keyframe <= 2).count();
            Some(fraction(first as u64, changes(run).count() as u64))
        })
    },
];

fn changes(run: &Outcome) -> impl Iterator<Item = &crate::measure::Change> {
    run.seen[CHANGING].changes.iter().flatten()
}

fn float(value: u64) -> f64 {
    fraction(value, 1)
}

/// The median; `None` of nothing.
fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A mean and its standard error.
struct Spread {
    mean: f64,
    error: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let count = float(values.len() as u64);
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let error = (square / (count - 1.0).max(1.0) / count).sqrt();
        (!values.is_empty()).then_some(Self { mean, error })
    }
}

fn text(values: [Option<f64>; 2]) -> String {
    let [own, other] =
        values.map(|value| value.map_or("-".to_owned(), |value| format!("{value:.3}")));
    format!("{own:>9} {other:>9}")
}

/// The table of one shape, and what of it is not as it should be.
pub(crate) fn compare(
    name: &str,
    ours: &[Outcome],
    reference: &[Outcome],
) -> (String, Vec<String>) {
    let mut table = String::new();
    let mut findings = Vec::new();
    writeln!(table, "{name:<32} median: ours reference  mean: ours reference").unwrap();
    for figure in FIGURES {
        let values = |runs: &[Outcome]| runs.iter().filter_map(figure.of).collect::<Vec<f64>>();
        let (own, other) = (values(ours), values(reference));
        let median = text([&own, &other].map(|values| middle(values.iter().copied())));
        let mean = text([&own, &other].map(|values| Spread::of(values).map(|spread| spread.mean)));
        writeln!(table, "  {:<34}{median}       {mean}", figure.name).unwrap();
        if own.len().min(other.len()) < VALUES_MIN {
            continue;
        }
        let Some((own, other)) = Spread::of(&own).zip(Spread::of(&other)) else { continue };
        let worse = match figure.better {
            Better::Higher => other.mean - own.mean,
            Better::Lower => own.mean - other.mean,
        };
        let chance = CHANCE * own.error.hypot(other.error);
        if worse > figure.tolerance + chance {
            let (own, other) = (own.mean, other.mean);
            findings
                .push(format!("{name}: {}: {own:.3}, not {other:.3} ± {chance:.3}", figure.name));
        }
    }
    for (whose, runs) in [("ours", ours), ("reference", reference)] {
        for (seed, run) in runs.iter().enumerate() {
            let faults = run.faults.iter().take(3);
            findings.extend(faults.map(|fault| format!("{name}, {whose}, seed {seed}: {fault}")));
        }
    }
    (table, findings)
}

/// Without loss, each change comes with the same keyframe and at the same time, but for one picture.
pub(crate) fn compare_changes(ours: &Outcome, reference: &Outcome, frame_time: Ms) -> Vec<String> {
    let pairs = ours.seen[CHANGING].changes.iter().zip(&reference.seen[CHANGING].changes);
    let differs = pairs.enumerate().filter(|(_, pair)| match pair {
        (Some(own), Some(other)) => {
            own.keyframe != other.keyframe || own.after > other.after + frame_time
        }
        _ => true,
    });
    differs.map(|(number, pair)| format!("change {number}: {pair:?}")).collect()
}

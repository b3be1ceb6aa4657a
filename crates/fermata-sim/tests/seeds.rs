//! The fixed seeds: no divergence, everything reached, the same history in other ways, and faults that are caught.

use std::collections::BTreeMap;
use std::path::Path;

use fermata_sim::{
    Coverage, Fault, Options, Polling, crash_or_not, late_or_not, parse_kept, replayed, run,
    run_kept, shrink,
};

/// Seeds that every run of the tests lives through.
const SEEDS: std::ops::Range<u64> = 1..37;
/// Runs that shrinking a failure may take here.
const TRIES: usize = 200;

fn options(seed: u64) -> Options {
    let polling = if seed.is_multiple_of(3) { Polling::Exact } else { Polling::Random };
    Options { polling, ..Options::default() }
}

#[test]
fn fixed_seeds_agree_with_the_oracle_and_reach_t1_to_t28_and_every_crash_point() {
    let mut total = Coverage::default();
    for seed in SEEDS {
        match run(seed, &options(seed), None) {
            Ok(coverage) => total.add(&coverage),
            Err(found) => panic!("{}", shrink(&found, &options(seed), None, TRIES)),
        }
    }
    assert_eq!(total.missing_transitions(), [], "never taken");
    assert_eq!(total.missing_crashes(), [], "never reached");
    assert!(total.account_days > 20_000, "{}", total.account_days);
    assert!(total.bills > 1_000 && total.comparisons > 50_000, "{total:?}");
}

#[test]
fn kept_seeds_agree_with_the_oracle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of kept seeds") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let kept =
            parse_kept(&text).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        if let Err(found) = run_kept(&kept) {
            panic!("{}: {found}", path.display());
        }
        count += 1;
    }
    assert!(count > 0, "there are kept seeds");
}

#[test]
fn i10_lazy_polling_makes_notices_only_later_and_never_more() {
    let mut compared = 0;
    for seed in 100..116 {
        compared +=
            late_or_not(seed, &Options::default()).unwrap_or_else(|problem| panic!("{problem}"));
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn p7_a_replay_of_the_commands_gives_the_same_books() {
    for seed in 200..206 {
        let steps = replayed(seed, &options(seed)).unwrap_or_else(|problem| panic!("{problem}"));
        assert!(steps > 1_000, "{steps}");
    }
}

#[test]
fn p20_crashes_and_restarts_change_nothing() {
    for seed in 300..306 {
        crash_or_not(seed, &options(seed)).unwrap_or_else(|problem| panic!("{problem}"));
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let one = run(7, &options(7), None).expect("agrees");
    let other = run(7, &options(7), None).expect("agrees");
    let figures = |coverage: &Coverage| {
        (coverage.steps, coverage.events, coverage.bills, coverage.transitions.clone())
    };
    assert_eq!(figures(&one), figures(&other));
}

/// What the first divergence under each fault must speak of.
fn symptoms() -> BTreeMap<Fault, &'static [&'static str]> {
    BTreeMap::from([
        (Fault::ClockRestarted, &["I2", "arrears since"][..]),
        (Fault::HoldClearedOnEnable, &["I13", "holds", "remain"][..]),
        (Fault::PackageShields, &["holds"][..]),
        (Fault::DoublePosting, &["the customer's money", "P12"][..]),
        (Fault::SixtyDaysReached, &["I8", "reclamation"][..]),
        (Fault::LateChargedTwice, &["waiting"][..]),
    ])
}

#[test]
fn deliberate_faults_i2_a9_s10_p20_a12_p17_are_caught() {
    let symptoms = symptoms();
    for fault in Fault::ALL {
        let expected = symptoms.get(fault).expect("a symptom");
        let found = (1..40).find_map(|seed| run(seed, &options(seed), Some(*fault)).err());
        let found = found.unwrap_or_else(|| panic!("{fault:?} is not caught"));
        let known = expected.iter().any(|word| found.problem.contains(word));
        assert!(known, "{fault:?} is caught by something else: {}", found.problem);
    }
}

#[test]
fn a_failure_is_shrunk_to_a_few_events_that_still_fail() {
    let fault = Some(Fault::HoldClearedOnEnable);
    let (seed, found) = (1..40)
        .find_map(|seed| run(seed, &options(seed), fault).err().map(|found| (seed, found)))
        .expect("caught");
    let short = shrink(&found, &options(seed), fault, 400);
    assert!(short.events.len() <= 12, "{short}");
    assert!(short.history.iter().any(|line| line.contains("Enable")), "{short}");
}

#[test]
fn kept_files_with_mistakes_are_refused_by_line() {
    for bad in ["", "days = 3", "seed = x", "seed = 1\nwhat = 2", "seed = 1\npolling = often"] {
        assert!(parse_kept(bad).is_err(), "{bad:?}");
    }
    let kept = parse_kept("# a note\nseed = 7\ndays = 90\nevents = 1 2 3\n").expect("reads");
    assert_eq!((kept.seed, kept.options.days, kept.events), (7, 90, Some(vec![1, 2, 3])));
}

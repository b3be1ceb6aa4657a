//! `cargo xtask sim`: sweeps seeds, shows how far it got, and shrinks what diverges.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use fermata_sim::{Coverage, Options, Polling, run, shrink};
use fermata_types::Now;

/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(5);
/// Divergences after which a sweep stops.
const DIVERGENCES_MAX: usize = 5;
/// Runs that shrinking one divergence may take.
const SHRINK_TRIES: usize = 600;

const HELP: &str = "\
fermata-sim --seeds N [--from S] [--days D] [--accounts A]

  --seeds N     how many seeds, 1 to 10000000
  --from S      the first seed (default 1)
  --days D      civil days of each world (default 120)
  --accounts A  accounts of each world (default 6)";

struct Sweep {
    seeds: u64,
    from: u64,
    options: Options,
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: there is nobody to tell either.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match parse(&args) {
        Ok(asked) => sweep(&asked),
        Err(problem) => {
            say(&format!("{problem}\n\n{HELP}"));
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[String]) -> Result<Sweep, String> {
    let mut sweep = Sweep { seeds: 0, from: 1, options: Options::default() };
    let mut args = args.iter();
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a number"))?;
        let number: u64 = value.parse().map_err(|_| format!("{name} {value}: not a number"))?;
        let bounded = |most: u64| {
            let fine = (1..=most).contains(&number);
            if fine { Ok(number) } else { Err(format!("{name} {number}: 1 to {most} is allowed")) }
        };
        match name.as_str() {
            "--seeds" => sweep.seeds = bounded(10_000_000)?,
            "--from" => sweep.from = number,
            "--days" => sweep.options.days = u32::try_from(bounded(2_000)?).unwrap_or(1),
            "--accounts" => sweep.options.accounts = usize::try_from(bounded(64)?).unwrap_or(1),
            other => return Err(format!("there is no option {other}")),
        }
    }
    if sweep.seeds == 0 { Err("--seeds is needed".to_owned()) } else { Ok(sweep) }
}

/// Every third seed has its timers looked at exactly.
fn options_of(seed: u64, base: &Options) -> Options {
    let polling = if seed.is_multiple_of(3) { Polling::Exact } else { Polling::Random };
    Options { polling, ..base.clone() }
}

fn sweep(asked: &Sweep) -> ExitCode {
    let began = Now::read().instant;
    let mut shown = began;
    let mut total = Coverage::default();
    let mut divergences = 0;
    for done in 0..asked.seeds {
        let seed = asked.from.wrapping_add(done);
        let options = options_of(seed, &asked.options);
        match run(seed, &options, None) {
            Ok(coverage) => total.add(&coverage),
            Err(found) => {
                divergences += 1;
                say(&format!("divergence, seed {seed}: {}", found.problem));
                say(&shrink(&found, &options, None, SHRINK_TRIES).to_string());
                if divergences >= DIVERGENCES_MAX {
                    break;
                }
            }
        }
        let now = Now::read().instant;
        if now.duration_since(shown) >= SHOWN_EVERY {
            shown = now;
            say(&line(done + 1, &total, divergences, now.duration_since(began)));
        }
    }
    let took = Now::read().instant.duration_since(began);
    say(&line(asked.seeds, &total, divergences, took));
    say(&format!(
        "{} steps, {} events, {} comparisons, {} bills",
        total.steps, total.events, total.comparisons, total.bills
    ));
    for transition in total.missing_transitions() {
        say(&format!("never reached: {}", transition.id()));
    }
    for point in total.missing_crashes() {
        say(&format!("never reached: {point:?}"));
    }
    if divergences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(seeds: u64, total: &Coverage, divergences: usize, took: Duration) -> String {
    let days = total.account_days;
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = days.saturating_mul(1_000) / millis;
    format!(
        "{seeds} seeds, {days} account-days, {rate} a second, {divergences} divergences, {} s",
        took.as_secs()
    )
}

//! `cargo xtask test`: every check and test, in an order in which cheap ones fail first.
//!
//! The steps are one table. A step's output goes to a log of its own and is shown when it fails.

mod report;
mod steps;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::console::say;
use crate::counts::{self, Counts};
use crate::launch::{self, End};
use crate::paths;
use report::{Outcome, Record};
use steps::{STEPS, Step, Work};

/// What the person asked for.
#[derive(Debug, Default)]
struct Options {
    /// Only these steps; all if empty.
    only: BTreeSet<String>,
    /// Go on after a failure.
    keep_going: bool,
    /// Only name the steps.
    list: bool,
}

/// Runs the steps asked for. Exit code 1 if any failed.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let options = parse(args)?;
    if options.list {
        for step in STEPS {
            say(&format!("{:<12} {}", step.name, step.what));
        }
        return Ok(ExitCode::SUCCESS);
    }
    run_steps(&options)
}

/// `cargo xtask check`: the steps that need no test.
pub(crate) fn run_check(args: &[String]) -> Result<ExitCode> {
    if let Some(extra) = args.first() {
        bail!("`check` takes no argument, but got `{extra}`");
    }
    let only = STEPS.iter().filter(|step| step.quick).map(|step| step.name.to_owned()).collect();
    run_steps(&Options { only, keep_going: true, list: false })
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--list" => options.list = true,
            "--keep-going" => options.keep_going = true,
            "--only" => {
                let name = args.next().context("--only needs the name of a step (see --list)")?;
                if !STEPS.iter().any(|step| step.name == name) {
                    bail!("there is no step `{name}`; see --list");
                }
                options.only.insert(name.clone());
            }
            other => {
                bail!("unknown option `{other}`; there are --list, --only STEP and --keep-going")
            }
        }
    }
    Ok(options)
}

fn run_steps(options: &Options) -> Result<ExitCode> {
    std::fs::create_dir_all(paths::logs())?;
    std::fs::create_dir_all(paths::artifacts())?;
    let mut records = Vec::new();
    let mut failed = false;
    for step in STEPS {
        if !options.only.is_empty() && !options.only.contains(step.name) {
            continue;
        }
        let record = if failed && !options.keep_going {
            Record::not_run(step.name)
        } else {
            run_step(step)?
        };
        failed |= record.outcome == Outcome::Failed;
        records.push(record);
    }
    report::summary(&records);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run_step(step: &Step) -> Result<Record> {
    let log = paths::logs().join(format!("{}.log", step.name));
    std::fs::write(&log, "")?;
    say(&format!(":: {:<12} {}", step.name, step.what));
    let started = launch::now();
    let problem = match &step.work {
        Work::Here(check) => check().err().map(|error| format!("{error:#}")),
        Work::Commands(commands) => match commands() {
            Ok(commands) => run_commands(commands, &log, step.limit)?,
            Err(error) => Some(format!("{error:#}")),
        },
    };
    let took = launch::now() - started;
    for line in launch::sweep()? {
        say(&format!("   still running after the step, ended: {line}"));
    }
    // Lossy: a test may print anything.
    let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
    let counts = counts_of(counts::read(&text), problem.is_some());
    if let Some(problem) = &problem {
        report::failure(step.name, problem, &text, &log);
    }
    let outcome = if problem.is_some() { Outcome::Failed } else { Outcome::Passed };
    let record = Record { name: step.name, outcome, took, counts };
    say(&format!("   {}", record.line()));
    Ok(record)
}

/// Runs commands one after the other, up to the first that fails. Returns what went wrong.
fn run_commands(
    commands: Vec<std::process::Command>,
    log: &std::path::Path,
    limit: Duration,
) -> Result<Option<String>> {
    let deadline = launch::now() + limit;
    for mut command in commands {
        let left = deadline.saturating_duration_since(launch::now());
        let shown = launch::describe(&command);
        match launch::run_logged(&mut command, log, left)? {
            End::Ok => {}
            End::Failed => return Ok(Some(format!("`{shown}` failed"))),
            End::TimedOut => {
                return Ok(Some(format!(
                    "`{shown}` still ran after {} minutes",
                    limit.as_secs() / 60
                )));
            }
        }
    }
    Ok(None)
}

/// A step that counts no tests is one check. A failed one fails at least once, whatever it counted.
fn counts_of(counted: Counts, failed: bool) -> Counts {
    match (counted, failed) {
        (Counts { passed: 0, failed: 0 }, false) => Counts { passed: 1, failed: 0 },
        (Counts { passed, failed: 0 }, true) => Counts { passed, failed: 1 },
        (counted, _) => counted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let options = parse(&words("--keep-going --only tidy --only fmt")).unwrap();
        assert!(options.keep_going && !options.list && options.only.len() == 2);
        assert!(parse(&words("--list")).unwrap().list);
        for bad in ["--only", "--only nonsense", "--fast"] {
            assert!(parse(&words(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn step_names_are_unique() {
        let names: BTreeSet<_> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn every_step_counts_something() {
        let none = Counts::default();
        assert_eq!(counts_of(none, false), Counts { passed: 1, failed: 0 });
        assert_eq!(counts_of(none, true), Counts { passed: 0, failed: 1 });
        assert_eq!(
            counts_of(Counts { passed: 7, failed: 0 }, true),
            Counts { passed: 7, failed: 1 }
        );
        assert_eq!(
            counts_of(Counts { passed: 7, failed: 2 }, true),
            Counts { passed: 7, failed: 2 }
        );
    }
}

//! What the person sees of the steps: failures with their output, and the table at the end.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::console::say;
use crate::counts::Counts;

/// How many lines of a failed step's output are shown; the log has all of them.
const LINES_SHOWN: usize = 250;

/// How many lines that name a failure are shown from before those.
const FAILURES_SHOWN: usize = 60;

/// Does a line of a test runner's output name a failure?
fn names_failure(line: &str) -> bool {
    const WORDS: [&str; 5] = ["... FAILED", "panicked at", "FAILED ", "not ok ", "error: "];
    WORDS.iter().any(|word| line.contains(word))
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All well.
    Passed,
    /// Not so.
    Failed,
    /// An earlier step failed.
    NotRun,
}

/// One row of the summary.
#[derive(Debug)]
pub(super) struct Record {
    /// The step.
    pub(super) name: &'static str,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// How long it took.
    pub(super) took: Duration,
    /// Its tests.
    pub(super) counts: Counts,
}

impl Record {
    /// A step that was left out because an earlier one failed.
    pub(super) fn not_run(name: &'static str) -> Self {
        Self { name, outcome: Outcome::NotRun, took: Duration::ZERO, counts: Counts::default() }
    }

    /// The row as text.
    pub(super) fn line(&self) -> String {
        let outcome = match self.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::NotRun => return format!("{:<12} not run", self.name),
        };
        let Counts { passed, failed } = self.counts;
        format!(
            "{:<12} {outcome:<7} {:>7.1} s {passed:>6} passed {failed:>4} failed",
            self.name,
            self.took.as_secs_f64()
        )
    }
}

/// Shows why a step failed.
pub(super) fn failure(name: &str, problem: &str, output: &str, log: &Path) {
    let lines: Vec<&str> = output.lines().collect();
    let skipped = lines.len().saturating_sub(LINES_SHOWN);
    let mut text = format!("---- {name}: end of {} ", log.display());
    if skipped > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, "(after {skipped} lines more) ");
    }
    text.push_str("----");
    // The end alone need not say what failed: other tests go on after it.
    let before = lines.iter().take(skipped).enumerate();
    let named = before.filter(|(_, line)| names_failure(line)).take(FAILURES_SHOWN);
    for (at, line) in named {
        let _ = write!(text, "\nline {}: {line}", at + 1);
        if let Some(next) = line.contains("panicked at").then(|| lines.get(at + 1)).flatten() {
            let _ = write!(text, "\n    {next}");
        }
    }
    for line in lines.iter().skip(skipped) {
        text.push('\n');
        text.push_str(line);
    }
    say(&format!("{text}\n---- {name} failed: {problem} ----"));
}

/// Prints the table and, as the last line, the sums.
pub(super) fn summary(records: &[Record]) {
    let total = records.iter().fold(Counts::default(), |sum, record| sum.plus(record.counts));
    let took: Duration = records.iter().map(|record| record.took).sum();
    say("\nSummary");
    for record in records {
        say(&format!("  {}", record.line()));
    }
    say(&format!("  {:<12} {:>15.1} s\n", "together", took.as_secs_f64()));
    say(&format!("{} passed, {} failed", total.passed, total.failed));
}

//! What the tour prints: steps with what was asked and seen, for people or as lines of JSON.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::time::Instant;

use fermata_billing::clause::ClauseId;
use fermata_types::Now;
use serde::Serialize;

use super::super::print;

/// Columns of a line for people.
const COLUMNS: usize = 100;

/// Columns before the text of a line.
const INDENT: usize = 12;

/// One step, as its line of JSON.
#[derive(Debug, Serialize)]
struct Step {
    step: u32,
    heading: &'static str,
    /// Clauses of the policy that it shows.
    clauses: Vec<&'static str>,
    /// Calls that change something, in their order.
    asked: Vec<String>,
    seen: Vec<String>,
    /// What was not as told; empty if all was well.
    differed: Vec<String>,
    ok: bool,
    milliseconds: u64,
}

/// The last line of JSON.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    summary: bool,
    ok: bool,
    steps: u32,
    milliseconds: u64,
    /// From the answer to the payment to the newcomer's entry; null if it did not come to that.
    restored_milliseconds: Option<u64>,
    /// The server, if it goes on after the tour.
    server: Option<&'a str>,
    accounts: &'a [String],
}

/// Something was not as told. Which was told already.
#[derive(Debug, thiserror::Error)]
#[error("step {0} differed")]
pub(super) struct Differed(u32);

/// Tells the tour.
pub(super) struct Teller {
    json: bool,
    steps: u32,
    began: Instant,
    step_began: Instant,
    step: Option<Step>,
    ok: bool,
    accounts: Vec<String>,
    restored_ms: Option<u64>,
}

impl Teller {
    pub(super) fn new(json: bool) -> Self {
        let now = Now::read().instant;
        Self {
            json,
            steps: 0,
            began: now,
            step_began: now,
            step: None,
            ok: true,
            accounts: Vec::new(),
            restored_ms: None,
        }
    }

    /// Before the first step.
    pub(super) fn opening(&self, server: &str, own: bool) -> io::Result<()> {
        let whose = if own { "a server of its own" } else { "the server" };
        self.say(&format!(
            "A tour of the standing policy, on {whose} at {server}.\n\
             Rooms, clients, bills and refusals are real; the time is that of sandbox accounts.\n"
        ))
    }

    /// A step begins.
    pub(super) fn begin(&mut self, heading: &'static str, clauses: &[ClauseId]) -> io::Result<()> {
        self.steps += 1;
        self.step_began = Now::read().instant;
        let clauses: Vec<_> = clauses.iter().map(|clause| clause.id()).collect();
        self.say(&format!("\n{:>2}. {heading}  [{}]\n", self.steps, clauses.join(" ")))?;
        self.step = Some(Step {
            step: self.steps,
            heading,
            clauses,
            asked: Vec::new(),
            seen: Vec::new(),
            differed: Vec::new(),
            ok: true,
            milliseconds: 0,
        });
        Ok(())
    }

    /// A call that changes something.
    pub(super) fn asked(&mut self, text: String) -> io::Result<()> {
        self.line("asked", &text)?;
        if let Some(step) = &mut self.step {
            step.asked.push(text);
        }
        Ok(())
    }

    /// What was seen.
    pub(super) fn seen(&mut self, text: impl Display) -> io::Result<()> {
        let text = text.to_string();
        self.line("seen", &text)?;
        if let Some(step) = &mut self.step {
            step.seen.push(text);
        }
        Ok(())
    }

    /// Told is `what`; it is a difference unless `is_so`.
    pub(super) fn check(&mut self, is_so: bool, what: impl Display) -> io::Result<()> {
        if is_so { self.seen(what) } else { self.differs(&format!("this is not so: {what}")) }
    }

    fn differs(&mut self, text: &str) -> io::Result<()> {
        self.ok = false;
        self.line("DIFFERS", text)?;
        if let Some(step) = &mut self.step {
            step.ok = false;
            step.differed.push(text.to_owned());
        }
        Ok(())
    }

    /// The step is over.
    ///
    /// # Errors
    /// [`Differed`] if something in it was not as told: what follows would be told in vain.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut step) = self.step.take() else { return Ok(()) };
        step.milliseconds = millis(self.step_began);
        if self.json {
            print(&format!("{}\n", serde_json::to_string(&step)?))?;
        }
        if step.ok { Ok(()) } else { Err(Differed(step.step).into()) }
    }

    /// The tour cannot go on.
    pub(super) fn broken(&mut self, error: &anyhow::Error) -> anyhow::Result<()> {
        self.ok = false;
        if error.is::<Differed>() {
            return Ok(());
        }
        self.differs(&format!("{error:#}"))?;
        // The difference is told; only the line of JSON is missing.
        let _ = self.end();
        Ok(())
    }

    /// Remembers an account for the summary.
    pub(super) fn account(&mut self, id: &str) {
        self.accounts.push(id.to_owned());
    }

    /// Remembers how long service took to come back.
    pub(super) fn restored(&mut self, milliseconds: u64) {
        self.restored_ms = Some(milliseconds);
    }

    /// After the last step.
    pub(super) fn closing(&self, server: &str, own: bool) -> anyhow::Result<()> {
        let took = millis(self.began);
        let server = (!own).then_some(server);
        if self.json {
            let summary = Summary {
                summary: true,
                ok: self.ok,
                steps: self.steps,
                milliseconds: took,
                restored_milliseconds: self.restored_ms,
                server,
                accounts: &self.accounts,
            };
            return print(&format!("{}\n", serde_json::to_string(&summary)?));
        }
        let verdict = if self.ok { "all as told" } else { "not all as told" };
        let (whole, tenths) = (took / 1_000, took % 1_000 / 100);
        let mut text = format!("\n{} steps in {whole}.{tenths} s, {verdict}.\n", self.steps);
        if let Some(ms) = self.restored_ms {
            let _ =
                writeln!(text, "From the answer to the payment to the newcomer's entry: {ms} ms.");
        }
        text.push_str(&self.further(server));
        print(&text)
    }

    /// Where to look further.
    fn further(&self, server: Option<&str>) -> String {
        let (Some(server), Some(first)) = (server, self.accounts.first()) else {
            return "\nTo look around afterwards, start `fermata serve --dev` and take the tour there:\n\n    \
                    fermata tour --server http://127.0.0.1:7880\n\n\
                    The clauses are in docs/guide/policy.md.\n"
                .to_owned();
        };
        let last = self.accounts.last().unwrap_or(first);
        format!(
            "\nThe accounts stay to be looked at:\n\n    \
             fermata admin --server {server} standing {first}\n    \
             fermata admin --server {server} bills list {first}\n    \
             fermata admin --server {server} notices {first}\n    \
             fermata admin --server {server} reclaim receipts {last}\n\n\
             The clauses are in docs/guide/policy.md.\n"
        )
    }

    /// A line of a step, broken at spaces.
    fn line(&self, word: &str, text: &str) -> io::Result<()> {
        let lines: Vec<_> = text.lines().flat_map(|line| wrap(line, COLUMNS - INDENT)).collect();
        let indent = " ".repeat(INDENT);
        self.say(&format!("    {word:<8}{}\n", lines.join(&format!("\n{indent}"))))
    }

    fn say(&self, text: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

fn millis(since: Instant) -> u64 {
    let elapsed = Now::read().instant.saturating_duration_since(since);
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Breaks a line at spaces, where there are any, into parts of so many characters.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(last) = lines.last_mut() else { break };
        let used = last.chars().count();
        if used > 0 && used + 1 + word.chars().count() > columns {
            lines.push(word.to_owned());
            continue;
        }
        if used > 0 {
            last.push(' ');
        }
        last.push_str(word);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_broken_at_spaces_and_never_within_words() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("ab cd ef", 5), ["ab cd", "ef"]);
        assert_eq!(wrap("abcdefgh ij", 5), ["abcdefgh", "ij"]);
        assert_eq!(wrap("äöü äöü", 7), ["äöü äöü"]);
    }
}

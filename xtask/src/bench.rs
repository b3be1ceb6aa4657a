//! `cargo xtask bench billing`: how fast money and standing are, on this machine; `cargo xtask bench api`: how
//! server APIs and media stand each other.
//!
//! What it is not: a check; a slow machine fails nothing. The programs measured are examples of the crates they
//! measure and can be run by themselves.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::console::say;
use crate::{launch, paths, setup};

/// One bench: its name, what it runs, and what of it is shown.
struct Bench {
    name: &'static str,
    programs: &'static [Program],
    rows: &'static [Row],
    /// It runs the program itself, as a child.
    needs_binary: bool,
}

const BENCHES: [Bench; 2] = [
    Bench { name: "billing", programs: &BILLING, rows: &BILLING_ROWS, needs_binary: false },
    Bench { name: "api", programs: &API, rows: &API_ROWS, needs_binary: true },
];

/// A program that measures, and prints one object of JSON.
struct Program {
    /// Its crate.
    package: &'static str,
    /// Its name, and that of its figures in the file.
    example: &'static str,
    /// What it does, for a person.
    what: &'static str,
}

const BILLING: [Program; 3] = [
    Program {
        package: "fermata-store",
        example: "intake_rate",
        what: "taking in usage for 5 s, at batches of 512, every commit on the disk",
    },
    Program {
        package: "fermata-store",
        example: "close_rate",
        what: "closing and billing a day of 10,000 accounts x 5 SKUs",
    },
    Program {
        package: "fermata-server",
        example: "standing_rate",
        what: "asking who may enter, suspending and restoring, on a whole server",
    },
];

/// How a figure is shown, and when it is as good as it should be.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// So many a second, or more.
    PerSecond(u64),
    /// So many milliseconds, or less; the figure is in milliseconds.
    Millis(u64),
    /// So many microseconds, or less; the figure is in nanoseconds.
    Micros(u64),
}

/// A row of the table.
struct Row {
    name: &'static str,
    /// Where the figure is in the file.
    pointer: &'static str,
    aim: Aim,
}

const BILLING_ROWS: [Row; 6] = [
    Row {
        name: "usage windows",
        pointer: "/intake_rate/windows_per_second",
        aim: Aim::PerSecond(30_000),
    },
    Row {
        name: "10,000 accounts closed",
        pointer: "/close_rate/elapsed_ms",
        aim: Aim::Millis(60_000),
    },
    Row { name: "admit, p99", pointer: "/standing_rate/admit/p99_ns", aim: Aim::Micros(100) },
    Row {
        name: "suspension at the door, p99",
        pointer: "/standing_rate/suspension/p99_ns",
        aim: Aim::Micros(1_000_000),
    },
    Row {
        name: "restoration at the door, p99",
        pointer: "/standing_rate/restoration/p99_ns",
        aim: Aim::Micros(1_000_000),
    },
    Row {
        name: "payment call, p99",
        pointer: "/standing_rate/payment_call/p99_ns",
        aim: Aim::Micros(1_000_000),
    },
];

const API: [Program; 1] = [Program {
    package: "fermata-server",
    example: "api_rate",
    what: "200 calls a second of 20 accounts beside 50 live rooms",
}];

const API_ROWS: [Row; 1] =
    [Row { name: "call, p99", pointer: "/api_rate/p99_ns", aim: Aim::Micros(50_000) }];

/// Builds what measures, runs it, one after the other, and leaves the figures in `target/bench/NAME.json`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let names: Vec<_> =
        BENCHES.iter().map(|one| format!("`cargo xtask bench {}`", one.name)).collect();
    let names = names.join(" and ");
    let bench = match args {
        [] => bail!("which one? There is {names}"),
        [name] => BENCHES.iter().find(|one| one.name == name.as_str()),
        [..] => None,
    };
    let Some(bench) = bench else {
        bail!("there is no bench `{}`; there is {names}", args.join(" "));
    };
    setup::compiler()?;
    if bench.needs_binary {
        let build = ["build", "--locked", "--release", "-p", "fermata-server"];
        launch::run(&mut launch::cargo(&build))?;
    }
    for Program { package, example, .. } in bench.programs {
        let build = ["build", "--locked", "--release", "-p", package, "--example", example];
        launch::run(&mut launch::cargo(&build))?;
    }
    // Beside the build, not in a folder for temporary files: that may be memory, which has nothing to wait for.
    let folder = paths::target().join("bench");
    std::fs::create_dir_all(&folder)?;
    let mut figures = Map::new();
    for program in bench.programs {
        say(&format!(":: {}", program.what));
        figures.insert(program.example.to_owned(), measure(program, &folder)?);
    }
    figures.insert("machine".to_owned(), machine());
    let figures = Value::Object(figures);
    let path = folder.join(format!("{}.json", bench.name));
    std::fs::write(&path, format!("{figures:#}\n"))?;
    for row in bench.rows {
        say(&row.line(&figures));
    }
    say(&format!("all figures: {}", path.display()));
    Ok(())
}

/// Runs one, with its progress on our terminal; answers what it measured.
fn measure(program: &Program, folder: &std::path::Path) -> Result<Value> {
    let binary = paths::target().join("release/examples").join(program.example);
    let mut command = launch::command(&binary);
    command.arg("--json").arg(folder).stdin(Stdio::null()).stdout(Stdio::piped());
    let shown = launch::describe(&command);
    let child = command.spawn().with_context(|| format!("could not start `{shown}`"))?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        std::io::stderr().write_all(&output.stdout)?;
        bail!("`{shown}` failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`{shown}` wrote something else than JSON"))
}

/// What the figures are of.
fn machine() -> Value {
    let commit = launch::output(launch::command("git").args(["rev-parse", "HEAD"]));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    json!({"commit": commit.ok().map(|text| text.trim().to_owned()), "cores": cores,
        "os": std::env::consts::OS, "arch": std::env::consts::ARCH})
}

impl Row {
    /// Name, figure, aim, and whether it is reached.
    fn line(&self, figures: &Value) -> String {
        let Some(figure) = figures.pointer(self.pointer).and_then(Value::as_u64) else {
            return format!("{:<30} not measured", self.name);
        };
        let (shown, aim, reached) = match self.aim {
            Aim::PerSecond(aim) => {
                (format!("{figure}/s"), format!("{aim}/s or more"), figure >= aim)
            }
            Aim::Millis(aim) => {
                (format!("{figure} ms"), format!("{aim} ms or less"), figure <= aim)
            }
            Aim::Micros(aim) => {
                let micros = figure.div_ceil(1_000);
                (format!("{micros} us"), format!("{aim} us or less"), micros <= aim)
            }
        };
        let verdict = if reached { "reached" } else { "not reached" };
        format!("{:<30} {shown:>12}   aim {aim:<18} {verdict}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_of_a_program_and_says_if_it_is_reached() {
        for bench in &BENCHES {
            for row in bench.rows {
                let program = row.pointer.split('/').nth(1).unwrap();
                assert!(bench.programs.iter().any(|one| one.example == program), "{}", row.pointer);
                assert!(row.line(&json!({})).contains("not measured"));
            }
        }
        let figures = json!({"intake_rate": {"windows_per_second": 30_000},
            "standing_rate": {"admit": {"p99_ns": 100_001}}});
        assert!(
            BILLING_ROWS[0].line(&figures).ends_with("  reached"),
            "{}",
            BILLING_ROWS[0].line(&figures)
        );
        assert!(
            BILLING_ROWS[2].line(&figures).contains("101 us"),
            "{}",
            BILLING_ROWS[2].line(&figures)
        );
        assert!(BILLING_ROWS[2].line(&figures).ends_with("not reached"));
    }

    #[test]
    fn unknown_names_are_told_apart() {
        for (args, words) in [(vec![], "which one"), (vec!["money".to_owned()], "no bench `money`")]
        {
            assert!(run(&args).unwrap_err().to_string().contains(words));
        }
    }
}

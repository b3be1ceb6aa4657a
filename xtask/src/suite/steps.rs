//! The table of steps: what each one runs, and for how long at most.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{build, generated, launch, paths, setup, tidy, web};

/// One step of `cargo xtask test`.
pub(super) struct Step {
    /// Its name for `--only` and for its log.
    pub(super) name: &'static str,
    /// What it does, for a person.
    pub(super) what: &'static str,
    /// Longest time it may take, on a machine that compiles everything anew.
    pub(super) limit: Duration,
    /// Belongs to `cargo xtask check` as well.
    pub(super) quick: bool,
    /// What it does.
    pub(super) work: Work,
}

/// How a step does its work.
pub(super) enum Work {
    /// In this process.
    Here(fn() -> Result<()>),
    /// By commands, one after the other; preparing them may install what is missing.
    Commands(fn() -> Result<Vec<Command>>),
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// All steps, in order. The page comes before what compiles it in.
pub(super) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        what: "Rust sources are formatted",
        limit: minutes(2),
        quick: true,
        work: Work::Commands(|| Ok(vec![launch::cargo(&["fmt", "--all", "--check"])])),
    },
    Step {
        name: "tidy",
        what: "lengths, crate arrows, words, links",
        limit: minutes(1),
        quick: true,
        work: Work::Here(tidy::run),
    },
    Step {
        name: "web",
        what: "page: types, lint, unit tests, build",
        limit: minutes(10),
        quick: false,
        work: Work::Commands(web_commands),
    },
    Step {
        name: "clippy",
        what: "lints, warnings are errors",
        limit: minutes(20),
        quick: true,
        work: Work::Commands(|| {
            setup::compiler()?;
            let args =
                ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
            Ok(vec![launch::cargo(&args)])
        }),
    },
    Step {
        name: "cargo",
        what: "unit, property, integration and documentation tests (dev profile)",
        limit: minutes(30),
        quick: false,
        work: Work::Commands(|| {
            setup::compiler()?;
            // The same rooms once more, each served by several shards.
            let mut spread = launch::cargo(&["test", "--locked", "-p", "fermata-sfu", "--tests"]);
            spread.env("FERMATA_TEST_SHARDS", "2");
            let all = launch::cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]);
            Ok(vec![all, spread])
        }),
    },
    Step {
        name: "generated",
        what: "the binary (dev profile, as the tests), and files generated from it are fresh",
        limit: minutes(30),
        quick: true,
        work: Work::Commands(|| {
            setup::compiler()?;
            generated::check_commands()
        }),
    },
    Step {
        name: "e2e-python",
        what: "the binary with LiveKit's Python clients and the vendor's Python SDKs",
        limit: minutes(20),
        quick: false,
        work: Work::Commands(python_commands),
    },
    Step {
        name: "e2e-node",
        what: "the binary with LiveKit's and the vendor's server SDKs for Node",
        limit: minutes(10),
        quick: false,
        work: Work::Commands(node_commands),
    },
    Step {
        name: "e2e-browser",
        what: "the binary with its page in Chromium",
        limit: minutes(10),
        quick: false,
        work: Work::Commands(browser_commands),
    },
];

fn web_commands() -> Result<Vec<Command>> {
    setup::node_modules(&paths::web())?;
    let names = web::scripts(&["check", "lint", "typecheck", "test"])?;
    let mut commands: Vec<Command> = names.into_iter().map(web::script).collect();
    commands.push(launch::itself("web")?);
    Ok(commands)
}

fn python_commands() -> Result<Vec<Command>> {
    setup::compiler()?;
    let python = setup::venv()?;
    setup::networks()?;
    let mut tests = end_to_end(&python);
    tests.current_dir(paths::e2e_python()).arg("run.py").env("PYTHON_APART", setup::venv_apart()?);
    Ok(vec![build::test_binary(), build::emulator(), tests])
}

fn node_commands() -> Result<Vec<Command>> {
    setup::compiler()?;
    setup::node_modules(&paths::e2e_node())?;
    let mut tests = end_to_end("npm".as_ref());
    tests.current_dir(paths::e2e_node()).args(["test", "--silent"]);
    Ok(vec![build::test_binary(), tests])
}

fn browser_commands() -> Result<Vec<Command>> {
    setup::compiler()?;
    let chromium = setup::chromium()?;
    setup::openssl()?;
    setup::node_modules(&paths::e2e_browser())?;
    web::build()?;
    let mut tests = end_to_end("npm".as_ref());
    tests.current_dir(paths::e2e_browser()).args(["test", "--silent"]).env("CHROMIUM", chromium);
    Ok(vec![build::test_binary(), tests])
}

/// A command that finds the binary and a place for what it leaves to look at.
fn end_to_end(program: &std::path::Path) -> Command {
    let mut command = launch::command(program);
    command
        .env("FERMATA_BIN", paths::test_binary())
        .env("FERMATA_E2E_ARTIFACTS", paths::artifacts());
    // Leftovers of an earlier run of Python must not decide this one.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

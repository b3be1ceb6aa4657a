//! The project's commands. `cargo xtask up` and `cargo xtask test` are the two a newcomer needs.
//!
//! Not part of the program: nothing here is shipped.

mod bench;
mod bench_flood;
mod bench_media;
mod build;
mod console;
mod counts;
mod dist;
mod fuzz;
mod generated;
mod launch;
mod paths;
mod setup;
mod sim;
mod suite;
mod tidy;
mod up;
mod web;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::console::say;

const HELP: &str = "\
cargo xtask COMMAND

  up [ARGS]     build the page and the release binary and serve in development mode; Ctrl-C stops it
                ARGS go to `fermata serve --dev` (see `fermata serve --help`)
  test          install what is missing, then run every check and test; the last line counts them
    --list         name the steps
    --only STEP    run this step only (may be repeated)
    --keep-going   go on after a failed step
  sim --seeds N [--from S] [--days D]
                sweep seeds of the simulator (release build); shows account-days and divergences as it goes
  bench billing how fast money and standing are on this machine (release build); figures also as JSON
  bench flood   what a small meeting notices while the server is flooded (release build); figures also as JSON
    --seconds N    measured time beside each flood [20]
    --shape SHAPE, --clients N    the meeting, as in `fermata load` [meeting, 6]
    --server PROGRAM, --tool PROGRAM    other builds of the server, and of `fermata load` and `fermata flood`
  bench media   forwarded packets for each second of a server's CPU, beside Janus (release build); also as JSON
    --baseline PROGRAM    another build of the server, measured in turns with this one
    --seconds N, --rounds N, --shape TEXT    measured time [10], how often all of it [1], only shapes with that in their name
    --no-janus, --janus-address IP    leave Janus out; an address for its media instead of an interface made for it
    --server PROGRAM, --tool PROGRAM    other builds of the server and of the load
  fuzz [--seconds N] [--jobs N] [NAME...]
                let the fuzzers look for bytes that a reader cannot take (nightly compiler; all of them, a minute each)
  check         the quick half: format, clippy, tidy, generated files
  tidy          what the compiler does not look at: lengths, crate arrows, words, links
  gen           rewrite generated files (API description, configuration reference, ...)
  web           build the page if its sources changed
  dist          build the page and the release binary; fails if the page is missing from it";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = args.split_first() else {
        bail!("which command?\n\n{HELP}");
    };
    match command.as_str() {
        "up" => return up::run(rest),
        "test" => return suite::run(rest),
        "check" => return suite::run_check(rest),
        "sim" => sim::run(rest)?,
        "bench" if rest.first().is_some_and(|name| name == "media") => {
            bench_media::run(rest.get(1..).unwrap_or_default())?;
        }
        "bench" if rest.first().is_some_and(|name| name == "flood") => {
            bench_flood::run(rest.get(1..).unwrap_or_default())?;
        }
        "bench" => bench::run(rest)?,
        "fuzz" => fuzz::run(rest)?,
        "help" | "--help" | "-h" => say(HELP),
        name => {
            if let Some(extra) = rest.first() {
                bail!("`{name}` takes no argument, but got `{extra}`");
            }
            match name {
                "tidy" => tidy::run()?,
                "gen" => generated::rewrite()?,
                // Half of the `generated` step, which builds the binary first.
                "gen-check" => generated::check()?,
                "web" => web::build()?,
                "dist" => dist::run()?,
                other => bail!("there is no command `{other}`\n\n{HELP}"),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

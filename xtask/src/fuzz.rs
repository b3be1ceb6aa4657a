//! `cargo xtask fuzz`: lets the fuzzers look for bytes that a reader cannot take.
//!
//! What it is not: a test; what the fuzzers kept is replayed by the tests of `fermata-fuzz`.

use anyhow::{Context as _, Result, bail};

use crate::console::say;
use crate::{launch, paths, setup};

/// How long each fuzzer runs if nothing is said, seconds.
const SECONDS: u64 = 60;
/// Longest input, bytes: a jumbo datagram; session descriptions of interest are shorter.
const LEN_MAX: usize = 8_192;
/// Where the compiler that the fuzzers need comes from.
const TOOLCHAIN: &str = "nightly";

/// Runs the fuzzers that were named, or all, one after the other.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut seconds = SECONDS;
    let mut names = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--seconds" => {
                let value = rest.next().context("`--seconds` wants a number")?;
                seconds = value.parse().context("`--seconds` wants a number")?;
            }
            name if name.starts_with('-') => bail!("there is no option `{name}`"),
            name => names.push(name.to_owned()),
        }
    }
    setup::compiler()?;
    install()?;
    let all = targets()?;
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzzer `{unknown}`; there are {}", all.join(", "));
    }
    let chosen = if names.is_empty() { all } else { names };
    for name in &chosen {
        say(&format!("{name}: {seconds} s"));
        let mut command = cargo_fuzz();
        command.args(["run", name, "--", "-close_fd_mask=1", "-print_final_stats=1"]);
        command.args([format!("-max_total_time={seconds}"), format!("-max_len={LEN_MAX}")]);
        launch::run(&mut command).with_context(|| format!("the fuzzer {name} found something"))?;
    }
    say(&format!("{} fuzzers found nothing in {seconds} s each", chosen.len()));
    Ok(())
}

/// The fuzzers there are, by their files.
fn targets() -> Result<Vec<String>> {
    let folder = paths::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).context("the folder of fuzzers is missing")? {
        let path = entry?.path();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// `cargo fuzz` with the compiler it needs, in a target folder of its own.
fn cargo_fuzz() -> std::process::Command {
    let mut command = launch::command("cargo");
    // Inside cargo, its name stands for the compiler of this workspace.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    command.args([&format!("+{TOOLCHAIN}"), "fuzz"]);
    command
}

/// Gets the fuzzer's driver and compiler where they are missing.
fn install() -> Result<()> {
    let mut toolchains = launch::command("rustup");
    let listed = toolchains.args(["toolchain", "list"]).output().context("rustup is missing")?;
    if !String::from_utf8_lossy(&listed.stdout).contains(TOOLCHAIN) {
        let mut command = launch::command("rustup");
        command.args(["toolchain", "install", TOOLCHAIN, "--profile", "minimal"]);
        launch::run(&mut command)?;
    }
    let known = cargo_fuzz().arg("--version").output().is_ok_and(|output| output.status.success());
    if !known {
        launch::run(&mut launch::cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    Ok(())
}

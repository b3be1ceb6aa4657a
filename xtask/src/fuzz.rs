//! `cargo xtask fuzz`: lets the fuzzers look for bytes that a reader cannot take.
//!
//! What it is not: a test; what the fuzzers kept is replayed by the tests of `fermata-fuzz`.
//!
//! What a fuzzer learns goes to a folder of its own beside the build ([`paths::fuzz_learned`]), so that the corpus
//! that is replayed stays as small as somebody made it; both are read at the start.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::console::say;
use crate::{launch, paths, setup};

/// How long each fuzzer runs if nothing is said, seconds.
const SECONDS: u64 = 60;
/// Longest input, bytes: a jumbo datagram; session descriptions of interest are shorter.
const LEN_MAX: usize = 8_192;
/// An input that takes longer is a finding, seconds; generous, because a busy machine is none.
const HANG_SECONDS: u64 = 25;
/// Memory of one fuzzer beyond which the input is a finding, MiB; what it learned and freed memory under watch count.
const MEMORY_MAX: u64 = 2_048;
/// How often a fuzzer says how far it is.
const PULSE: Duration = Duration::from_secs(15);
/// Where the compiler that the fuzzers need comes from.
const TOOLCHAIN: &str = "nightly";

/// What was asked for.
#[derive(Debug)]
struct Plan {
    seconds: u64,
    jobs: usize,
    names: Vec<String>,
}

/// How the run of one fuzzer ended.
#[derive(Debug)]
struct Outcome {
    name: String,
    /// Inputs tried.
    tried: Option<u64>,
    /// The fuzzer's last word on how much of the code it reached.
    reached: Option<String>,
    /// What it found; nothing if it ran to its end.
    finding: Option<Finding>,
}

/// Bytes that a reader could not take.
#[derive(Debug, Default)]
struct Finding {
    /// The panic, or what the sanitizer called it.
    what: Option<String>,
    /// Where the bytes are.
    input: Option<String>,
}

/// Runs the fuzzers that were named, or all, `--jobs` of them at a time.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut plan = plan(args)?;
    setup::compiler()?;
    install()?;
    let all = targets()?;
    if let Some(unknown) = plan.names.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzzer `{unknown}`; there are {}", all.join(", "));
    }
    if plan.names.is_empty() {
        plan.names = all;
    }
    build(&plan.names)?;
    let outcomes = run_all(&plan)?;
    report(&plan, &outcomes)
}

fn plan(args: &[String]) -> Result<Plan> {
    let mut plan = Plan { seconds: SECONDS, jobs: 1, names: Vec::new() };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--seconds" => plan.seconds = number(arg, rest.next())?,
            "--jobs" => plan.jobs = usize::try_from(number(arg, rest.next())?)?,
            name if name.starts_with('-') => bail!("there is no option `{name}`"),
            name => plan.names.push(name.to_owned()),
        }
    }
    Ok(plan)
}

/// The value of an option. Zero would be a fuzzer without an end, or none at all.
fn number(option: &str, value: Option<&String>) -> Result<u64> {
    value
        .and_then(|value| value.parse().ok())
        .filter(|number| *number > 0)
        .with_context(|| format!("`{option}` wants a number from 1"))
}

/// The fuzzers there are, by their files.
fn targets() -> Result<Vec<String>> {
    let folder = paths::fuzz().join("fuzz_targets");
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

/// Builds what will run, apart from running it, so that a build that fails is not taken for a finding.
fn build(names: &[String]) -> Result<()> {
    let (ours, theirs) = (paths::root().join("Cargo.lock"), paths::fuzz().join("Cargo.lock"));
    // What is tried is what the program is built of: the same versions. Cargo adds those of the fuzzer's runtime.
    if modified(&theirs).is_none_or(|theirs| modified(&ours).is_none_or(|ours| ours > theirs)) {
        std::fs::copy(&ours, &theirs).context("could not copy Cargo.lock to the fuzzers")?;
    }
    // One alone is built alone; cargo-fuzz knows no other choice.
    let one = if let [name] = names { Some(name) } else { None };
    say("building; the first time takes minutes");
    launch::run(cargo_fuzz("build").args(one)).context("the fuzzers do not build")
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// As many threads as jobs, each taking the next fuzzer from one queue; the outcomes by name.
fn run_all(plan: &Plan) -> Result<Vec<Outcome>> {
    let queue = Mutex::new(plan.names.iter().collect::<VecDeque<_>>());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.min(plan.names.len()) {
            scope.spawn(|| {
                while let Some(name) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) {
                    let outcome = run_one(name, plan.seconds);
                    if let Ok(mut done) = done.lock() {
                        done.push(outcome);
                    }
                }
            });
        }
    });
    let outcomes = done.into_inner().ok().context("a fuzzer's thread panicked")?;
    let mut outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    outcomes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(outcomes)
}

/// Runs one fuzzer to its end or its first finding. All it says goes to a log; now and then a line to the person.
fn run_one(name: &str, seconds: u64) -> Result<Outcome> {
    let (learned, kept) = (paths::fuzz_learned(name), paths::fuzz().join("corpus").join(name));
    std::fs::create_dir_all(&learned)?;
    std::fs::create_dir_all(paths::logs())?;
    let path = paths::logs().join(format!("fuzz-{name}.log"));
    let mut log = File::create(&path).context("could not create a log")?;
    say(&format!("{name}: {seconds} s; the log is {}", path.display()));

    let mut command = cargo_fuzz("run");
    command.arg(name).args([&learned, &kept]);
    command.args(["--", "-close_fd_mask=1", "-print_final_stats=1"]);
    command.args([format!("-max_total_time={seconds}"), format!("-max_len={LEN_MAX}")]);
    command.args([format!("-timeout={HANG_SECONDS}"), format!("-rss_limit_mb={MEMORY_MAX}")]);
    if let Some(words) = dictionary(name) {
        command.arg(format!("-dict={}", words.display()));
    }
    let shown = launch::describe(&command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{shown}`"))?;
    let mut outcome = Outcome { name: name.to_owned(), tried: None, reached: None, finding: None };
    let mut found = Finding::default();
    let mut said = launch::now();
    for line in BufReader::new(child.stderr.take().context("a fuzzer without output")?).split(b'\n')
    {
        let line = line?;
        log.write_all(&line)?;
        log.write_all(b"\n")?;
        let line = String::from_utf8_lossy(&line);
        read(&line, &mut outcome, &mut found);
        if line.starts_with('#') && launch::now().duration_since(said) >= PULSE {
            say(&format!("{name}: {}", summary(&outcome)));
            said = launch::now();
        }
    }
    if !child.wait()?.success() {
        outcome.finding = Some(found);
    }
    say(&describe(&outcome));
    Ok(outcome)
}

/// Words that inputs of a kind are made of, where there are any: `sdp` for `sdp_offer` and `sdp_answer`.
fn dictionary(name: &str) -> Option<PathBuf> {
    let family = name.split('_').next().unwrap_or(name);
    Some(paths::fuzz().join("dictionaries").join(family)).filter(|path| path.exists())
}

/// What a line of the fuzzer's output says that is worth keeping.
fn read(line: &str, outcome: &mut Outcome, found: &mut Finding) {
    // A panic says where on one line, and what on the next.
    if let Some(what) = found.what.as_mut().filter(|what| what.ends_with(':')) {
        what.push(' ');
        what.push_str(line.trim());
    }
    // `#4096  NEW    cov: 98 ft: 150 corp: 42/1543b lim: 611 exec/s: 8192 rss: 65Mb ...`
    if let Some((count, rest)) = line.strip_prefix('#').and_then(|line| line.split_once('\t')) {
        outcome.tried = count.parse().ok().or(outcome.tried);
        if let Some((_, rest)) = rest.split_once("cov: ") {
            outcome.reached = rest.split_whitespace().next().map(str::to_owned);
        }
    } else if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
        outcome.tried = count.trim().parse().ok().or(outcome.tried);
    } else if let Some((_, path)) = line.split_once("Test unit written to ") {
        found.input = Some(path.trim().to_owned());
    } else if line.contains("panicked at") || line.contains("ERROR: ") {
        // The first is the cause; that the fuzzer then died of a signal is not news.
        found.what.get_or_insert_with(|| line.trim().to_owned());
    }
}

/// How far a fuzzer is.
fn summary(outcome: &Outcome) -> String {
    let tried = outcome.tried.map_or_else(|| "an unknown number of".into(), |n| n.to_string());
    let reached = outcome.reached.as_deref().unwrap_or("unknown");
    format!("{tried} inputs, coverage {reached}")
}

/// How a fuzzer ended, and where to go on from there.
fn describe(outcome: &Outcome) -> String {
    let Outcome { name, .. } = outcome;
    let Some(finding) = &outcome.finding else {
        return format!("{name}: nothing found; {}", summary(outcome));
    };
    let what = finding.what.as_deref().unwrap_or("it ended early; the log says why");
    let again = finding.input.as_ref().map_or_else(String::new, |input| {
        format!(
            "\n  the input: {input}\n  again:     cargo +{TOOLCHAIN} fuzz run {name} {input}\n  smaller:   cargo \
             +{TOOLCHAIN} fuzz tmin {name} {input}\n  once mended, keep it in fuzz/corpus/{name}"
        )
    });
    format!("{name}: FOUND after {}: {what}{again}", summary(outcome))
}

/// The end of it all: every finding once more, and an error if there is one.
fn report(plan: &Plan, outcomes: &[Outcome]) -> Result<()> {
    let found = outcomes.iter().filter(|outcome| outcome.finding.is_some());
    let found = found.inspect(|outcome| say(&describe(outcome))).count();
    let tried: u64 = outcomes.iter().filter_map(|outcome| outcome.tried).sum();
    if found > 0 {
        bail!("{found} of {} fuzzers found something", outcomes.len());
    }
    let (count, seconds) = (outcomes.len(), plan.seconds);
    say(&format!("fuzzers that found nothing in {seconds} s each: {count}; inputs: {tried}"));
    Ok(())
}

/// `cargo fuzz` with the compiler it needs, in a target folder of its own.
fn cargo_fuzz(subcommand: &str) -> Command {
    let mut command = launch::command("cargo");
    // Inside cargo, its name stands for the compiler of this workspace.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    command.args([&format!("+{TOOLCHAIN}"), "fuzz", subcommand]);
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
    let known = cargo_fuzz("--version").output().is_ok_and(|output| output.status.success());
    if !known {
        launch::run(&mut launch::cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    Ok(())
}

//! Starting other programs, waiting for them with a bound, and leaving none behind.
//!
//! Children stay in our process group, so that Ctrl-C at the terminal reaches them too. Those that leave it
//! (browsers do) are found by a mark in their environment that every descendant inherits.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::paths;

/// Environment variable that every process we start carries, with our process id in it.
const MARK: &str = "FERMATA_XTASK_RUN";
/// How long processes may take to end by themselves after their step has ended.
const LEFTOVER_GRACE: Duration = Duration::from_secs(3);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Exit code 0.
    Ok,
    /// Another exit code, or a signal.
    Failed,
    /// Still running at its limit; it was killed.
    TimedOut,
}

/// A command to run in the repository's root, without what cargo told us about ourselves.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(paths::root()).env(MARK, mark());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let about_us = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_PRIMARY_"];
        if about_us.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// A cargo command. `Cargo.lock` is law.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = command(paths::cargo());
    command.args(args);
    command
}

/// One of our own commands, as a process of its own, so that its output can go to a log.
pub(crate) fn itself(name: &str) -> Result<Command> {
    let mut command = command(std::env::current_exe().context("this program cannot find itself")?);
    command.arg(name);
    Ok(command)
}

/// Runs to the end with our own terminal; a failure is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = describe(command);
    let status = command.status().with_context(|| format!("could not start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs to the end and returns what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{shown}`"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed ({}): {}", output.status, stderr.trim());
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{shown}` wrote something else than text"))
}

/// Runs with everything it says appended to `log`, for `limit` at most.
pub(crate) fn run_logged(command: &mut Command, log: &Path, limit: Duration) -> Result<End> {
    let shown = describe(command);
    let mut out = File::options().create(true).append(true).open(log)?;
    std::io::Write::write_all(&mut out, format!("$ {shown}\n").as_bytes())?;
    let errors = out.try_clone()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .spawn()
        .with_context(|| format!("could not start `{shown}`"))?;
    let id = child.id();
    let (ended, end) = mpsc::channel::<std::io::Result<ExitStatus>>();
    std::thread::spawn(move || ended.send(child.wait()));
    if let Ok(status) = end.recv_timeout(limit) {
        return Ok(if status?.success() { End::Ok } else { End::Failed });
    }
    kill(&[id], "TERM")?;
    if end.recv_timeout(LEFTOVER_GRACE).is_err() {
        kill(&[id], "KILL")?;
    }
    Ok(End::TimedOut)
}

/// Ends every process that descends from this run and still lives. Returns their command lines.
pub(crate) fn sweep() -> Result<Vec<String>> {
    let deadline = now() + LEFTOVER_GRACE;
    let mut left = marked();
    while !left.is_empty() && now() < deadline {
        wait(Duration::from_millis(100));
        left = marked();
    }
    let ids: Vec<u32> = left.iter().map(|(id, _)| *id).collect();
    kill(&ids, "KILL")?;
    Ok(left.into_iter().map(|(_, name)| name).collect())
}

/// Processes with our mark, this one excepted. Empty where there is no `/proc`.
fn marked() -> Vec<(u32, String)> {
    let own = std::process::id();
    let mark = format!("{MARK}={}", mark());
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Gone meanwhile, or somebody else's: not ours to end.
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        if id != own && environment.split(|byte| *byte == 0).any(|pair| pair == mark.as_bytes()) {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            found.push((id, line.chars().take(120).collect()));
        }
    }
    found
}

/// The run that this process belongs to: its own, or that of the xtask that started it.
fn mark() -> String {
    std::env::var_os(MARK)
        .and_then(|mark| mark.into_string().ok())
        .unwrap_or_else(|| std::process::id().to_string())
}

fn kill(ids: &[u32], signal: &str) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    // A process that ended in between makes `kill` complain, which does not matter.
    Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$@\" 2>/dev/null || true", signal])
        .args(ids.iter().map(ToString::to_string))
        .status()
        .context("could not run `sh` to end processes")?;
    Ok(())
}

/// The command as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Wall-clock durations of steps are the one thing measured here.
#[expect(clippy::disallowed_methods, reason = "a command-line tool that times its steps")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Pauses between two looks at `/proc`, for which the system sends no event.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no event for the end of a process that is not a child"
)]
fn wait(pause: Duration) {
    std::thread::sleep(pause);
}

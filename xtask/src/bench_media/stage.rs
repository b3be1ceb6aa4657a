//! Processes of the bench: pinned to their cores, started, asked where they listen, ended.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{launch, paths};

/// The core of servers.
const SERVER_CORE: usize = 0;
/// How long a server may take until it listens.
const READY_MAX: Duration = Duration::from_secs(30);
/// How long it may take to end.
const END_MAX: Duration = Duration::from_secs(15);
/// Joining, settling and leaving of the largest load.
const AROUND_MAX: Duration = Duration::from_mins(3);

/// How many cores there are, and which one loads get.
pub(super) fn cores() -> Result<(usize, usize)> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cores < 2 {
        bail!("this bench wants two cores: one for the server, one for the load");
    }
    if paths::which(&["taskset"]).is_none() {
        bail!(
            "this bench pins processes with `taskset`, which is not there (Debian: apt-get install util-linux)"
        );
    }
    Ok((cores, SERVER_CORE + 1))
}

/// A command that runs on one core only.
pub(super) fn pinned(core: usize, program: &Path) -> Command {
    let mut command = launch::command("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// How long a load may take in all.
pub(super) fn load_limit(seconds: u64) -> Duration {
    AROUND_MAX + Duration::from_secs(seconds)
}

/// A server that listens; ended when dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// Where the load connects.
    pub(super) url: String,
    /// What else the load must be told.
    pub(super) load_args: Vec<String>,
}

impl Server {
    /// A server of ours with data of its own, on free ports of loopback.
    pub(super) fn fermata(name: &str, program: &Path, folder: &Path) -> Result<Self> {
        let mut command = pinned(SERVER_CORE, program);
        command.args(["serve", "--dev", "--http-port", "0", "--udp-port", "0", "--tcp-port", "0"]);
        let log = File::create(folder.join(format!("server-{name}.log")))?;
        let mut server = Self::start(&mut command, Stdio::piped(), &log)?;
        let ready = server.wait_for_line(log, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line.get("ready")?;
            Some(line.get("http")?.as_str()?.replacen("http://", "ws://", 1))
        })?;
        server.url = ready;
        Ok(server)
    }

    /// Any other server, on the same core; `url` is where it is going to listen.
    pub(super) fn other(
        program: &Path,
        args: &[String],
        log: &Path,
        url: String,
        load_args: Vec<String>,
    ) -> Result<Self> {
        let mut command = pinned(SERVER_CORE, program);
        command.args(args);
        let log = File::create(log)?;
        let output = Stdio::from(log.try_clone()?);
        let mut server = Self::start(&mut command, output, &log)?;
        server.url = url;
        server.load_args = load_args;
        Ok(server)
    }

    fn start(command: &mut Command, output: Stdio, log: &File) -> Result<Self> {
        let shown = launch::describe(command);
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(log.try_clone()?)
            .spawn()
            .with_context(|| format!("could not start `{shown}`"))?;
        Ok(Self { child, url: String::new(), load_args: Vec::new() })
    }

    /// Reads what it writes into `log`, until `pick` takes a line; goes on reading until it ends.
    fn wait_for_line(
        &mut self,
        mut log: File,
        pick: impl Fn(&str) -> Option<String> + Send + 'static,
    ) -> Result<String> {
        let output = self.child.stdout.take().context("the server's output is not ours")?;
        let (found, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(picked) = pick(&line) {
                    // Nobody may wait any more.
                    let _ = found.send(picked);
                }
                let _ = writeln!(log, "{line}");
            }
        });
        lines.recv_timeout(READY_MAX).context("the server did not say that it is ready")
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Is it still there?
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it in order, or else by force.
    pub(super) fn end(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        asked.context("could not run `kill`")?;
        let deadline = launch::now() + END_MAX;
        while self.is_alive() {
            if launch::now() >= deadline {
                self.child.kill()?;
                self.child.wait()?;
                return Ok(());
            }
            pause();
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Between two looks at something that sends no event.
#[expect(
    clippy::disallowed_methods,
    reason = "a server that is not ours does not say when it is ready"
)]
pub(super) fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

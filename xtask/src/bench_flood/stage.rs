//! The programs of the bench: started on their cores, watched, and ended by us alone.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{launch, paths};

/// How long the server may take to forget a flood before its memory is read.
pub(super) const REST: Duration = Duration::from_secs(6);
/// How often its memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a program may take to end after it was asked to, with its report.
const END_MAX: Duration = Duration::from_secs(40);
/// Longest wait for an answer of the server.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Clock ticks a second in `/proc/PID/stat`.
const TICKS_PER_SECOND: f64 = 100.0;
/// Lets a program have as many file descriptors as the system allows.
const RAISED: &str = "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"";

/// What runs where.
#[derive(Debug)]
pub(super) struct Tools {
    server: PathBuf,
    tool: PathBuf,
    taskset: PathBuf,
    /// Cores of the server, the meeting and the flood.
    cores: [String; 3],
}

impl Tools {
    /// Finds what is needed to give each its core.
    pub(super) fn find(server: PathBuf, tool: PathBuf) -> Result<Self> {
        let taskset = paths::which(&["taskset"]).context("`taskset` (util-linux) is needed")?;
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = match count {
            1 => bail!("the bench needs two cores: one is the server's alone"),
            2 => ["0", "1", "1"],
            _ => ["0", "1", "2"],
        };
        Ok(Self { server, tool, taskset, cores: cores.map(str::to_owned) })
    }

    fn on(&self, place: usize) -> Command {
        let mut command = launch::command("sh");
        command.args(["-c", RAISED]).arg(&self.taskset).arg("-c");
        command.args(self.cores.get(place));
        command
    }

    /// The meeting's program.
    pub(super) fn meeting(&self) -> Command {
        let mut command = self.on(1);
        command.arg(&self.tool);
        command
    }

    /// The flood's program. It yields its core to the meeting: what the meeting notices is to be the server's doing.
    pub(super) fn attacker(&self) -> Command {
        let mut command = self.on(2);
        command.args(["nice", "-n", "19"]).arg(&self.tool);
        command
    }
}

/// A child that does not outlive us.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Running {
    /// Starts it, silent but for its complaints.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let shown = launch::describe(command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        child.map(Self).with_context(|| format!("could not start `{shown}`"))
    }

    /// Waits for its end.
    pub(super) fn finish(mut self, what: &str) -> Result<()> {
        super::judge(&mut self.0, what)
    }

    /// Asks it to end and waits; it is killed if it takes too long.
    pub(super) fn end(mut self, what: &str) -> Result<()> {
        terminate(&self.0)?;
        let deadline = launch::now() + END_MAX;
        while self.0.try_wait()?.is_none() {
            if launch::now() >= deadline {
                bail!("{what} did not end when asked to");
            }
            pause(LOOK);
        }
        super::judge(&mut self.0, what)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, in most cases.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks our own child to end.
fn terminate(child: &Child) -> Result<()> {
    let status = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    status.context("could not run `kill`")?;
    Ok(())
}

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    running: Running,
    /// Where it is reached.
    pub(super) url: String,
    udp_port: u16,
    /// Kept open: it may have more to say.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts one on ports of its own choice.
    pub(super) fn start(tools: &Tools) -> Result<Self> {
        let mut command = tools.on(0);
        command.arg(&tools.server);
        command.args(["serve", "--dev", "--http-port", "0", "--udp-port", "0", "--tcp-port", "0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running(command.spawn().context("could not start the server")?);
        let stdout = running.0.stdout.take().context("the server has no output")?;
        let mut stdout = BufReader::new(stdout);
        let ready = loop {
            let mut line = String::new();
            if stdout.read_line(&mut line)? == 0 {
                bail!("the server ended before it was ready");
            }
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if value["ready"] == true {
                break value;
            }
        };
        let url = ready["http"].as_str().context("the server named no address")?.to_owned();
        let udp = ready["udp"].as_str().unwrap_or_default();
        let udp_port = udp.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
        Ok(Self { running, url, udp_port, _stdout: stdout })
    }

    fn id(&self) -> u32 {
        self.running.0.id()
    }

    /// Resident memory.
    pub(super) fn memory_kib(&self) -> Result<u64> {
        memory_kib(self.id()).context("the server is gone")
    }

    /// User and system time so far, seconds.
    pub(super) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
        let ticks: f64 = fields.skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
        ticks / TICKS_PER_SECOND
    }

    /// Datagrams that the kernel dropped because the server did not read its media port in time.
    pub(super) fn kernel_drops(&self) -> u64 {
        let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
        drops(&table, self.udp_port)
    }

    /// Follows its memory.
    pub(super) fn watch(&self) -> Watch {
        let (end, ended) = mpsc::channel();
        let id = self.id();
        let thread = std::thread::spawn(move || {
            let mut top = 0;
            while ended.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
                top = memory_kib(id).unwrap_or(0).max(top);
            }
            top
        });
        Watch { end, thread }
    }

    /// All counters.
    pub(super) fn counters(&self) -> Result<BTreeMap<String, u64>> {
        let authority = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(authority).context("the server does not answer")?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        // The older version, which knows no chunks.
        stream
            .write_all(format!("GET /metrics HTTP/1.0\r\nHost: {authority}\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text).context("the server's counters")?;
        Ok(counters(&text))
    }

    /// Ends it.
    pub(super) fn end(self) -> Result<()> {
        self.running.end("the server")
    }
}

/// A look at memory now and then.
#[derive(Debug)]
pub(super) struct Watch {
    end: mpsc::Sender<()>,
    thread: JoinHandle<u64>,
}

impl Watch {
    /// The most that was seen.
    pub(super) fn top(self) -> u64 {
        drop(self.end);
        self.thread.join().unwrap_or(0)
    }
}

fn memory_kib(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The last column of the line with this local port.
fn drops(table: &str, port: u16) -> u64 {
    let ending = format!(":{port:04X}");
    let of_port = |line: &&str| {
        line.split_ascii_whitespace().nth(1).is_some_and(|local| local.ends_with(&ending))
    };
    let last = |line: &str| line.split_ascii_whitespace().last()?.parse::<u64>().ok();
    table.lines().filter(of_port).filter_map(last).sum()
}

/// Counters with their labels; gauges are left out.
fn counters(text: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        let counter = name.split('{').next()?.ends_with("_total");
        (counter && name.starts_with("fermata_"))
            .then(|| Some((name.to_owned(), value.parse().ok()?)))?
    };
    text.lines().filter_map(line).collect()
}

/// A measured pause: there is no event to wait for.
#[expect(clippy::disallowed_methods, reason = "between two looks at programs that say nothing")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_gauges_left_out() {
        let text = "HTTP/1.0 200 OK\r\n\r\n# TYPE x counter\nfermata_a_total 5\nfermata_rooms 2\n\
            fermata_b_total{route=\"/rtc\",status=\"200\"} 7\n";
        let counters = counters(text);
        assert_eq!(counters["fermata_a_total"], 5);
        assert_eq!(counters["fermata_b_total{route=\"/rtc\",status=\"200\"}"], 7);
        assert_eq!(counters.len(), 2);
    }

    #[test]
    fn drops_are_those_of_the_port() {
        let table = "  sl  local_address rem_address   st ... drops\n\
              1: 0100007F:1F90 00000000:0000 07 0:0 0:0 0 0 0 1 2 0000000000000000 12\n\
              2: 0100007F:1F91 00000000:0000 07 0:0 0:0 0 0 0 1 2 0000000000000000 99\n";
        assert_eq!(drops(table, 8_080), 12);
        assert_eq!(drops(table, 1), 0);
    }
}

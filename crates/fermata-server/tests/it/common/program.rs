//! The real program, started and asked over sockets.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use fermata_server::config::FREE_PORTS;
use serde_json::Value;

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running `fermata serve`; killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) ready: Value,
    stderr: mpsc::Receiver<String>,
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// The same with variables in its environment.
pub(crate) fn run_with(args: &[&str], variables: &[(&str, &str)]) -> Output {
    command(args).envs(variables.iter().copied()).output().unwrap()
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fermata"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FERMATA_") {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    /// Starts `serve` on free ports of loopback and waits for the ready line.
    pub(crate) fn serve(args: &[&str]) -> Self {
        let mut all = vec!["serve", "--udp-address", "127.0.0.1"];
        all.extend(FREE_PORTS);
        all.extend_from_slice(args);
        let mut child = command(&all).spawn().unwrap();
        let (sender, stderr) = mpsc::channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let (sender, line) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let Ok(line) = line.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let log: Vec<_> = stderr.iter().collect();
            panic!("no ready line; the log: {log:#?}");
        };
        let ready = serde_json::from_str(&line).unwrap();
        Self { child, ready, stderr }
    }

    /// `host:port` of HTTP.
    pub(crate) fn address(&self) -> &str {
        let url = self.ready["http"].as_str().unwrap();
        url.split_once("://").unwrap().1
    }

    /// Asks; answers status and body.
    pub(crate) fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let stream = TcpStream::connect(self.address()).unwrap();
        exchange(stream, self.address(), request, headers, body)
    }

    /// A line of the log that contains `words`; waits for it.
    pub(crate) fn log_line(&self, words: &str) -> String {
        loop {
            let line = self
                .stderr
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no line with {words:?}"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Resident memory, KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_ascii_whitespace().next().unwrap().parse().unwrap()
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request over a connection of its own.
pub(crate) fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let mut text =
        format!("{request} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        let _ = write!(text, "Host: {host}\r\n");
    }
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// `true` if a file is there that only its owner may read.
pub(crate) fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode().trailing_zeros() >= 6)
}

//! A development server of the tour's own: a child process on free ports of loopback, in a temporary folder.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::config::FREE_PORTS;

/// Longest time that it may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// Bytes of its log that are shown when it does not start.
const LOG_SHOWN_MAX: usize = 2_000;

/// The running server. Dropping it ends it, and its folder goes with it.
pub(super) struct OwnServer {
    child: Child,
    http: String,
    _folder: tempfile::TempDir,
}

impl OwnServer {
    /// Starts it, and waits until it serves.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("fermata-tour-").tempdir()?;
        let log = folder.path().join("server.log");
        let mut command = Command::new(std::env::current_exe()?);
        // What configures the servers of this machine is not meant for this one.
        command
            .env_clear()
            .args(["serve", "--dev", "--http-address", "127.0.0.1", "--udp-address", "127.0.0.1"])
            .args(FREE_PORTS)
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?);
        let mut child = command.spawn()?;
        let Some(stdout) = child.stdout.take() else { bail!("its output cannot be read") };
        let mut own = Self { child, http: String::new(), _folder: folder };
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line)
        });
        let line = match tokio::time::timeout(START_MAX, line).await {
            Ok(line) => line??,
            Err(_) => bail!("it was not ready after {} seconds", START_MAX.as_secs()),
        };
        let ready: Value = serde_json::from_str(&line)
            .with_context(|| format!("it ended at once; its log: {}", tail(&log)))?;
        let Some(http) = ready["http"].as_str() else { bail!("it does not say where it is") };
        http.clone_into(&mut own.http);
        Ok(own)
    }

    /// Its address, `http://127.0.0.1:PORT`.
    pub(super) fn http(&self) -> &str {
        &self.http
    }

    /// Ends it and waits for its end. Its data is not wanted any more, so it is not asked first.
    pub(super) async fn stop(self) {
        // Waiting for a killed child takes no time worth telling; the runtime is not held up by it.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let skipped = text.chars().count().saturating_sub(LOG_SHOWN_MAX);
    text.chars().skip(skipped).collect()
}

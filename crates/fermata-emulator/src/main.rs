//! Puts bad networks between network namespaces: `fermata-emulator`, a tool of the tests and measurements.
//!
//! What it is: for each path a pair of network interfaces (TUN), one in the namespace that the program runs in, where
//! the server is, and one in the namespace of a client; what one side sends reaches the other through a link of its
//! own for each direction.
//! What it is not: it decides nothing about packets ([`fermata_emulator::Link`] does), and does not make namespaces.
//!
//! The first line of standard input is the [`Request`], as JSON. When everything is there a line `{"ready":true}` comes
//! out; every further line of input lets the times of all links begin again, and its end ends the program. Each second
//! a line tells what happened on every path.

#![expect(clippy::print_stdout, reason = "what it tells is what it is for")]

mod paths;
mod tun;

use std::io::{BufRead as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fermata_emulator::Step;
use fermata_types::Now;
use serde::Deserialize;

/// What is to be built.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// Address that clients reach the server at; given to the loopback interface here.
    pub(crate) server: std::net::Ipv4Addr,
    /// The paths, 250 at most.
    pub(crate) paths: Vec<PathRequest>,
}

/// One path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathRequest {
    /// Its name in what is told.
    pub(crate) name: String,
    /// The client's namespace, by its name.
    pub(crate) netns: String,
    /// The client's addresses on the way there; each has an interface of its own, the first is the default.
    pub(crate) address: std::net::Ipv4Addr,
    /// Of both links.
    pub(crate) seed: u64,
    /// Towards the client.
    #[serde(default)]
    pub(crate) down: Vec<Step>,
    /// From the client.
    #[serde(default)]
    pub(crate) up: Vec<Step>,
}

fn main() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let first =
        lines.next().context("standard input is empty; its first line says what to build")??;
    let request: Request = serde_json::from_str(&first).context("the first line is no request")?;
    let mut paths = paths::Paths::build(&request)?;
    drop(lines);
    let restarts = Arc::new(AtomicU64::new(0));
    let (ended, end) = channel::<()>();
    let counter = Arc::clone(&restarts);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() {
                break;
            }
            counter.fetch_add(1, Ordering::Relaxed);
        }
        drop(ended);
    });
    tell(r#"{"ready":true}"#)?;
    let began = Now::read().instant;
    let mut told = began;
    let mut restarted = 0;
    while !matches!(end.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
        let wanted = restarts.load(Ordering::Relaxed);
        if wanted != restarted {
            restarted = wanted;
            paths.restart();
        }
        paths.turn()?;
        let now = Now::read().instant;
        if now.saturating_duration_since(told) >= Duration::from_secs(1) {
            told = now;
            tell(&paths.report(now.saturating_duration_since(began))?)?;
        }
    }
    Ok(())
}

fn tell(line: &str) -> Result<()> {
    println!("{line}");
    Ok(std::io::stdout().flush()?)
}

//! What a flood was, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use serde::Serialize;

use crate::figures::Percentiles;

/// One flood.
#[derive(Debug, Clone, Serialize)]
pub struct FloodReport {
    /// `garbage`, `handshakes` or `overrate`.
    pub kind: &'static str,
    /// From the first datagram or join to the last, seconds.
    pub seconds: f64,
    /// Where datagrams went: the server's media port, or a socket of our own.
    pub media: String,
    /// CPU time of this process in that time, seconds.
    pub own_cpu_seconds: f64,
    /// What the server's process was, if its id was given.
    pub server: Option<ServerMemory>,
    /// A flood of garbage.
    pub garbage: Option<Garbage>,
    /// A flood of handshakes.
    pub handshakes: Option<Handshakes>,
    /// A flood of media.
    pub overrate: Option<Overrate>,
}

/// The server's process.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ServerMemory {
    /// User and system time while the flood lasted, seconds.
    pub cpu_seconds: f64,
    /// Resident memory before, KiB.
    pub before_kib: u64,
    /// The most that was seen, KiB.
    pub top_kib: u64,
    /// Some seconds after the flood was over, KiB.
    pub after_kib: u64,
}

/// Datagrams that belong to nobody.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Garbage {
    /// Datagrams that the kernel took.
    pub sent: u64,
    /// Datagrams that it did not take.
    pub not_taken: u64,
    /// Sent, a second.
    pub per_second: f64,
    /// Bytes sent.
    pub bytes: u64,
    /// Ports that they came from.
    pub ports: u32,
    /// Sent from a port whose path the server had checked.
    pub from_inside: u64,
    /// Datagrams in one call to the kernel, at most.
    pub run: u32,
    /// Sent, by what they pretended to be.
    pub by_disguise: BTreeMap<&'static str, u64>,
    /// Datagrams that came back; a server that answers garbage can be made to flood others.
    pub answers: u64,
    /// Their bytes.
    pub answer_bytes: u64,
}

/// Handshakes that never end.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Handshakes {
    /// The server's media address.
    pub address: Option<SocketAddr>,
    /// Asked for.
    pub asked: u32,
    /// Not tried, for want of file descriptors.
    pub beyond_descriptors: u32,
    /// File descriptors that this process may have.
    pub descriptors: u64,
    /// Joins that the server took.
    pub joins: u32,
    /// Joins that it did not take, or that broke before a connection was described.
    pub joins_failed: u32,
    /// What the first of them said.
    pub first_failure: Option<String>,
    /// Connections that the server described.
    pub connections: u32,
    /// Path checks that it answered.
    pub checks_answered: u32,
    /// Connections on which it asked for the hello again with a cookie.
    pub cookies: u32,
    /// Connections on which it sent its part of the handshake and now waits.
    pub half_open: u32,
    /// From the first join to the last, seconds.
    pub opening_seconds: f64,
    /// From the request to the join answer.
    pub join: Percentiles,
    /// Signalling connections that the server closed while the handshakes stayed.
    pub closed_by_server: u32,
    /// Hellos sent from addresses without a path.
    pub hellos_without_path: u32,
    /// How many of them the server answered.
    pub hellos_without_path_answered: u32,
}

/// Publishers that send more than they announced.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Overrate {
    /// Publishers that sent media.
    pub publishers: u32,
    /// Publishers that did not get in.
    pub failed: u32,
    /// How many of them send audio as well.
    pub with_audio: u32,
    /// Times the announced rate.
    pub factor: u32,
    /// Announced by each, video, bits a second.
    pub announced_bps: u64,
    /// Media datagrams sent.
    pub datagrams: u64,
    /// Sent, a second.
    pub per_second: f64,
    /// Bits a second, all of them together.
    pub bps: f64,
    /// Datagrams that the kernel did not take.
    pub not_taken: u64,
    /// Publishers that the server cut off.
    pub cut_off: u32,
}

impl FloodReport {
    /// A table for a terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<28} {value}");
        };
        row("flood", format!("{} for {:.1} s to {}", self.kind, self.seconds, self.media));
        if let Some(garbage) = &self.garbage {
            garbage.rows(&mut row);
        }
        if let Some(handshakes) = &self.handshakes {
            handshakes.rows(&mut row);
        }
        if let Some(overrate) = &self.overrate {
            overrate.rows(&mut row);
        }
        if let Some(server) = &self.server {
            let ServerMemory { cpu_seconds, before_kib, top_kib, after_kib } = server;
            row("server CPU", format!("{cpu_seconds:.2} s"));
            row(
                "server memory",
                format!("{before_kib} -> {top_kib} -> {after_kib} KiB (before, top, after)"),
            );
        }
        row("flood's own CPU", format!("{:.2} s", self.own_cpu_seconds));
        text
    }
}

type RowOut<'a> = dyn FnMut(&str, String) + 'a;

impl Garbage {
    fn rows(&self, row: &mut RowOut<'_>) {
        row("sent", format!("{} datagrams, {:.0} /s", self.sent, self.per_second));
        row("not taken by the kernel", self.not_taken.to_string());
        for (name, count) in &self.by_disguise {
            row(&format!("  {name}"), count.to_string());
        }
        row("  from a checked path", self.from_inside.to_string());
        row("answers", format!("{} datagrams, {} bytes", self.answers, self.answer_bytes));
    }
}

impl Handshakes {
    fn rows(&self, row: &mut RowOut<'_>) {
        let left_out = match self.beyond_descriptors {
            0 => String::new(),
            count => format!(", {count} left out: {} descriptors are allowed", self.descriptors),
        };
        row("handshakes asked for", format!("{}{left_out}", self.asked));
        row("joins", format!("{} in {:.1} s", self.joins, self.opening_seconds));
        let why = self.first_failure.as_deref().unwrap_or_default();
        row("joins that failed", format!("{} {why}", self.joins_failed));
        let join = self.join;
        row(
            "join",
            format!("p50 {:.1}  p99 {:.1}  max {:.1} ms", join.p50_ms, join.p99_ms, join.max_ms),
        );
        row("connections", self.connections.to_string());
        row("path checks answered", self.checks_answered.to_string());
        row("half open", format!("{} ({} with a cookie)", self.half_open, self.cookies));
        row("signalling closed by server", self.closed_by_server.to_string());
        let (sent, answered) = (self.hellos_without_path, self.hellos_without_path_answered);
        row("hellos without a path", format!("{sent}, {answered} answered"));
    }
}

impl Overrate {
    fn rows(&self, row: &mut RowOut<'_>) {
        let Self { publishers, with_audio, factor, .. } = self;
        row("publishers", format!("{publishers}, {with_audio} of them with audio, {factor} x"));
        row("publishers that failed", self.failed.to_string());
        let (per_second, mbps) = (self.per_second, self.bps / 1e6);
        row("sent", format!("{} datagrams, {per_second:.0} /s, {mbps:.1} Mbit/s", self.datagrams));
        row("not taken by the kernel", self.not_taken.to_string());
        row("cut off by the server", self.cut_off.to_string());
    }
}

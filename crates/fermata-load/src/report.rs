//! What a run measured, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::figures::Percentiles;

/// Everything one run measured. Rates are over the measured time, after all clients were in.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Who published what.
    pub shape: &'static str,
    /// Rooms alike.
    pub rooms: u32,
    /// Clients that were in each room.
    pub clients: u32,
    /// How many of them published.
    pub publishers: u32,
    /// `dual` (`/rtc`) or `single` (`/rtc/v1`).
    pub dialect: &'static str,
    /// Three layers were published.
    pub simulcast: bool,
    /// Measured time, seconds.
    pub seconds: f64,
    /// From the request to the join answer.
    pub join: Percentiles,
    /// From the request to the first media packet, for clients that received any.
    pub first_media: Percentiles,
    /// One-way delay of media packets, publisher's write to subscriber's read.
    pub latency: Percentiles,
    /// Packets that clients sent to the server, a second.
    pub packets_in_per_second: f64,
    /// Packets that clients received from the server, a second.
    pub packets_out_per_second: f64,
    /// Payload received, megabits a second.
    pub megabits_out_per_second: f64,
    /// Packets missing among those received, share of 1.
    pub loss: f64,
    /// Tracks that should have arrived, over all clients.
    pub tracks_expected: usize,
    /// Tracks of which packets arrived.
    pub tracks_received: usize,
    /// What the server's process cost, if its id was given.
    pub server: Option<ServerCost>,
    /// CPU time of this process in the measured time, seconds.
    pub load_cpu_seconds: f64,
}

/// What the server's process cost in the measured time.
#[derive(Debug, Clone, Serialize)]
pub struct ServerCost {
    /// User and system time, seconds.
    pub cpu_seconds: f64,
    /// Packets received by clients for each second of the server's CPU.
    pub packets_out_per_cpu_second: f64,
    /// Resident memory before the first client, KiB.
    pub resident_kib_before: u64,
    /// With all clients in, at the end of the measured time, KiB.
    pub resident_kib: u64,
    /// Some seconds after all have left, KiB.
    pub resident_kib_after: u64,
    /// Open file descriptors before, with all in, and after.
    pub descriptors: [u64; 3],
}

impl Report {
    /// A table for a terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<28} {value}");
        };
        let layers = if self.simulcast { ", simulcast" } else { "" };
        let rooms = if self.rooms == 1 { String::new() } else { format!("{} rooms, ", self.rooms) };
        let shape = format!("{rooms}{} x {} ({}{layers})", self.shape, self.clients, self.dialect);
        row("shape", shape);
        row("measured", format!("{:.1} s", self.seconds));
        row("tracks", format!("{} of {} arrived", self.tracks_received, self.tracks_expected));
        for (name, p) in
            [("join", self.join), ("first media", self.first_media), ("latency", self.latency)]
        {
            let value = format!(
                "p50 {:.1}  p95 {:.1}  p99 {:.1}  max {:.1} ms",
                p.p50_ms, p.p95_ms, p.p99_ms, p.max_ms
            );
            row(name, value);
        }
        row("packets in", format!("{:.0} /s", self.packets_in_per_second));
        row(
            "packets out",
            format!(
                "{:.0} /s, {:.1} Mbit/s",
                self.packets_out_per_second, self.megabits_out_per_second
            ),
        );
        row("loss", format!("{:.4} %", self.loss * 100.0));
        if let Some(server) = &self.server {
            row("server CPU", format!("{:.2} s", server.cpu_seconds));
            row("packets out / CPU second", format!("{:.0}", server.packets_out_per_cpu_second));
            row(
                "server memory",
                format!(
                    "{} -> {} -> {} KiB (before, all in, after)",
                    server.resident_kib_before, server.resident_kib, server.resident_kib_after
                ),
            );
            let [before, during, after] = server.descriptors;
            row("server descriptors", format!("{before} -> {during} -> {after}"));
        }
        row("load's own CPU", format!("{:.2} s", self.load_cpu_seconds));
        text
    }
}

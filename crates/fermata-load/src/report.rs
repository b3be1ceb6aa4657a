//! What a run measured, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::figures::Percentiles;
use crate::spacing::Jitter;

/// Everything one run measured. Rates are over the measured time, after all clients were in.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Who published what.
    pub shape: &'static str,
    /// Rooms alike.
    pub rooms: u32,
    /// Clients that were in each room.
    pub clients: u32,
    /// How many of them published.
    pub publishers: u32,
    /// `dual` (`/rtc`), `single` (`/rtc/v1`) or `janus`.
    pub dialect: &'static str,
    /// Three layers were published.
    pub simulcast: bool,
    /// `all`, or how many video tracks each client watched.
    pub layout: String,
    /// Receivers did not decrypt everything.
    pub light: bool,
    /// Measured time, seconds.
    pub seconds: f64,
    /// From the request to the join answer.
    pub join: Percentiles,
    /// From the request, or from when the track was told if that came later, to its first packet.
    pub first_media: Percentiles,
    /// The same to its first whole frame.
    pub first_frame: Percentiles,
    /// One-way delay of media packets, publisher's write to the receiver's network; of messages for data.
    pub latency: Percentiles,
    /// How evenly media packets arrived, of those that light receivers looked into; else nothing.
    pub jitter: Jitter,
    /// Delay of datagrams from socket to socket of the load, without a server, at the same time.
    pub control_latency: Percentiles,
    /// How evenly those arrived.
    pub control_jitter: Jitter,
    /// Packets (or messages) that clients sent to the server, a second.
    pub packets_in_per_second: f64,
    /// Packets (or messages) that clients received from the server, a second.
    pub packets_out_per_second: f64,
    /// Received, megabits a second.
    pub megabits_out_per_second: f64,
    /// Packets missing among those received, after retransmission, share of 1.
    pub loss: f64,
    /// What was lost on the way and how it was repaired, in the measured time.
    pub repair: Repair,
    /// Tracks that should have arrived, over all clients.
    pub tracks_expected: usize,
    /// Tracks of which packets arrived.
    pub tracks_received: usize,
    /// What the server's process cost, if its id was given.
    pub server: Option<ServerCost>,
    /// CPU time of this process in the measured time, seconds.
    pub load_cpu_seconds: f64,
    /// What made the load itself the limit; empty if nothing did.
    pub load_limits: Vec<String>,
    /// Figures of the time after the measured one.
    pub held: Vec<Held>,
    /// What clients complained of, the first few.
    pub complaints: Vec<String>,
}

/// Packets, in the measured time.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Repair {
    /// Behind a later one.
    pub reordered: u64,
    /// Came again on their own stream.
    pub duplicates: u64,
    /// Asked for again, as often as they were.
    pub asked: u64,
    /// Came by retransmission alone.
    pub repaired: u64,
    /// Retransmitted, needed or not.
    pub retransmissions: u64,
    /// Could not be decrypted, of those that were sampled.
    pub unopened: u64,
    /// Of streams that no description told of.
    pub unknown: u64,
    /// Keyframes asked for by receivers, since the beginning.
    pub keyframes_asked: u64,
}

/// What the server's process cost in the measured time, all its threads together.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ServerCost {
    /// User and system time, seconds.
    pub cpu_seconds: f64,
    /// The same as a share of one core.
    pub cpu_share: f64,
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
    /// Datagrams that the system dropped because the server did not read them in time.
    pub datagrams_dropped: u64,
}

/// A look at a held load.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Held {
    /// Since the measured time ended, seconds.
    pub at_seconds: f64,
    /// Packets that clients received since the last look, a second.
    pub packets_out_per_second: f64,
    /// Missing among them.
    pub lost: u64,
    /// The server's resident memory, KiB; 0 if its id was not given.
    pub resident_kib: u64,
    /// The server's share of one core since the last look.
    pub cpu_share: f64,
}

impl ServerCost {
    fn rows(&self, row: &mut impl FnMut(&str, String)) {
        row(
            "server CPU",
            format!("{:.2} s ({:.0} % of a core)", self.cpu_seconds, self.cpu_share * 100.0),
        );
        row("packets out / CPU second", format!("{:.0}", self.packets_out_per_cpu_second));
        row(
            "server memory",
            format!(
                "{} -> {} -> {} KiB (before, all in, after)",
                self.resident_kib_before, self.resident_kib, self.resident_kib_after
            ),
        );
        let [before, during, after] = self.descriptors;
        row("server descriptors", format!("{before} -> {during} -> {after}"));
        row("server's unread datagrams", self.datagrams_dropped.to_string());
    }
}

impl Report {
    /// A table for a terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<28} {value}");
        };
        row("shape", self.title());
        row("measured", format!("{:.1} s", self.seconds));
        row("tracks", format!("{} of {} arrived", self.tracks_received, self.tracks_expected));
        for (name, p) in [
            ("join", self.join),
            ("first media", self.first_media),
            ("first frame", self.first_frame),
            ("latency", self.latency),
            ("deviation of spacing", self.jitter.deviation),
            ("latency without a server", self.control_latency),
            ("its deviation of spacing", self.control_jitter.deviation),
        ] {
            let value = format!(
                "p50 {:.2}  p95 {:.2}  p99 {:.2}  max {:.2} ms",
                p.p50_ms, p.p95_ms, p.p99_ms, p.max_ms
            );
            row(name, value);
        }
        row("jitter (RFC 3550)", self.jitters());
        row("packets in", format!("{:.0} /s", self.packets_in_per_second));
        row(
            "packets out",
            format!(
                "{:.0} /s, {:.1} Mbit/s",
                self.packets_out_per_second, self.megabits_out_per_second
            ),
        );
        row("loss", format!("{:.4} %", self.loss * 100.0));
        let repair = &self.repair;
        row(
            "repair",
            format!(
                "{} asked, {} repaired, {} duplicates, {} reordered",
                repair.asked, repair.repaired, repair.duplicates, repair.reordered
            ),
        );
        if repair.unopened + repair.unknown > 0 {
            let value = format!("{} not opened, {} unknown", repair.unopened, repair.unknown);
            row("strange packets", value);
        }
        if let Some(server) = &self.server {
            server.rows(&mut row);
        }
        row("load's own CPU", format!("{:.2} s", self.load_cpu_seconds));
        for limit in &self.load_limits {
            row("THE LOAD WAS THE LIMIT", limit.clone());
        }
        for held in &self.held {
            row(
                "held",
                format!(
                    "{:.0} s: {:.0} /s out, {} lost, server {:.0} %, {} KiB",
                    held.at_seconds,
                    held.packets_out_per_second,
                    held.lost,
                    held.cpu_share * 100.0,
                    held.resident_kib
                ),
            );
        }
        for complaint in &self.complaints {
            row("complaint", complaint.clone());
        }
        text
    }

    fn jitters(&self) -> String {
        let Jitter { mean_ms, max_ms, .. } = self.jitter;
        let control_ms = self.control_jitter.mean_ms;
        format!(
            "mean {mean_ms:.2}  worst stream {max_ms:.2} ms; without a server {control_ms:.2} ms"
        )
    }

    fn title(&self) -> String {
        let rooms = if self.rooms == 1 { String::new() } else { format!("{} rooms, ", self.rooms) };
        let layers = if self.simulcast { ", simulcast" } else { "" };
        format!(
            "{rooms}{} {} -> {} ({}{layers}, layout {})",
            self.shape, self.publishers, self.clients, self.dialect, self.layout
        )
    }
}

//! `fermata flood`: a bounded flood of a server on this machine.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fermata_load::flood::{self, FloodOptions, Kind, options};
use tokio::signal::unix::{SignalKind, signal};

use super::{block_on, print};

pub(super) fn build(command: Command) -> Command {
    let text = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TEXT").default_value(default).help(help)
    };
    command
        .about("Flood a server of this machine with garbage, handshakes or too much media")
        .long_about(
            "Shows what a server stands: run a load beside it and see whether the load suffers. Bounded in \
             rate, count and time; servers on loopback only. Ctrl-C ends it early, with its report.",
        )
        .arg(text("url", "ws://127.0.0.1:7880", "Server, a loopback address"))
        .arg(text("key", "devkey", "API key"))
        .arg(text("secret", "secret", "Its secret"))
        .arg(text("room", "flood", "Room of the publishers; stem of the names of other rooms"))
        .arg(
            Arg::new("kind")
                .long("kind")
                .value_name("KIND")
                .required(true)
                .value_parser(Kind::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>())
                .help(
                    "garbage: datagrams that belong to nobody; handshakes: joins and DTLS that begin and never \
                     end; overrate: publishers that send more than they announced",
                ),
        )
        .arg(
            Arg::new("rate")
                .long("rate")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Datagrams a second [100000], joins a second [250], or times the announced rate [10]"),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Source ports [256], handshakes [10000], or publishers [2]"),
        )
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .value_name("S")
                .default_value("20")
                .value_parser(value_parser!(u64).range(1..=options::SECONDS_MAX))
                .help(format!("How long, 1 to {}", options::SECONDS_MAX)),
        )
        .arg(
            Arg::new("run")
                .long("run")
                .value_name("N")
                .default_value("8")
                .value_parser(value_parser!(u32).range(1..=i64::from(options::RUN_MAX)))
                .help("Datagrams of garbage in one call to the kernel"),
        )
        .args(beside())
}

/// What does not change the flood itself.
fn beside() -> [Arg; 3] {
    [
        Arg::new("server-pid")
            .long("server-pid")
            .value_name("PID")
            .value_parser(value_parser!(u32))
            .help("The server's process, to read its memory"),
        Arg::new("elsewhere")
            .long("elsewhere")
            .action(ArgAction::SetTrue)
            .help("Garbage goes to a port that nobody reads: what sending alone costs"),
        Arg::new("json")
            .long("json")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Write the result as JSON too"),
    ]
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let options = options(matches);
    let report = block_on(async { Ok(flood::run(&options, enough()?, progress).await?) })?;
    if let Some(path) = matches.get_one::<PathBuf>("json") {
        write(path, &report)?;
    }
    print(&report.table())
}

fn write(path: &Path, report: &flood::FloodReport) -> anyhow::Result<()> {
    let text = format!("{}\n", serde_json::to_string_pretty(report)?);
    std::fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

fn options(matches: &ArgMatches) -> FloodOptions {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let kind = text("kind");
    let kind = Kind::NAMES.iter().find(|(name, _)| *name == kind);
    let kind = kind.map_or(Kind::Garbage, |(_, kind)| *kind);
    FloodOptions {
        url: text("url"),
        key: text("key"),
        secret: text("secret"),
        room: text("room"),
        kind,
        rate: matches.get_one("rate").copied().unwrap_or(kind.default_rate()),
        count: matches.get_one("count").copied().unwrap_or(kind.default_count()),
        seconds: matches.get_one("seconds").copied().unwrap_or(1),
        run: matches.get_one("run").copied().unwrap_or(1),
        elsewhere: matches.get_flag("elsewhere"),
        server_pid: matches.get_one("server-pid").copied(),
    }
}

/// Ready at Ctrl-C, or when asked to end.
fn enough() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Progress is for people who look: only on a terminal.
fn progress(line: &dyn Display) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = writeln!(stderr, "{line}");
    }
}

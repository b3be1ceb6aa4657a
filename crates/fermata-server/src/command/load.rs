//! `fermata load`: a measured load of in-process clients on a server of this machine.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fermata_load::options::{CLIENTS_MAX, SECONDS_MAX};
use fermata_load::{Options, Shape};

use super::{block_on, print};

pub(super) fn build(command: Command) -> Command {
    let text = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TEXT").default_value(default).help(help)
    };
    command
        .about("Put a measured load on a server of this machine")
        .long_about(
            "Lets in-process clients enter a room, publish synthetic audio and video, and count what \
             arrives. Prints join time, delay, loss and, given the server's process id, forwarded packets \
             for each second of its CPU. Bounded in clients and time; servers on loopback only.",
        )
        .arg(text("url", "ws://127.0.0.1:7880", "Server, a loopback address"))
        .arg(text("key", "devkey", "API key"))
        .arg(text("secret", "secret", "Its secret"))
        .arg(text("room", "load", "Room"))
        .arg(
            Arg::new("rooms")
                .long("rooms")
                .value_name("N")
                .default_value("1")
                .value_parser(value_parser!(u32).range(1..=i64::from(CLIENTS_MAX)))
                .help("Rooms alike at the same time; the clients are in each of them"),
        )
        .arg(
            Arg::new("shape")
                .long("shape")
                .value_name("SHAPE")
                .default_value("meeting")
                .value_parser(Shape::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>())
                .help("meeting: all publish both; live: one publishes both; audio: ten publish audio"),
        )
        .arg(
            Arg::new("clients")
                .long("clients")
                .value_name("N")
                .default_value("10")
                .value_parser(value_parser!(u32).range(1..=i64::from(CLIENTS_MAX)))
                .help(format!("Clients, 1 to {CLIENTS_MAX}")),
        )
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .value_name("S")
                .default_value("10")
                .value_parser(value_parser!(u64).range(1..=SECONDS_MAX))
                .help(format!("Measured time, 1 to {SECONDS_MAX}")),
        )
        .arg(
            Arg::new("server-pid")
                .long("server-pid")
                .value_name("PID")
                .value_parser(value_parser!(u32))
                .help("The server's process, to read what it costs"),
        )
        .arg(flag("single", "One connection (/rtc/v1) instead of two"))
        .arg(flag("simulcast", "Publish video in three layers"))
        .arg(flag("json", "Print the result as JSON"))
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let options = options(matches);
    let report = block_on(async { Ok(fermata_load::run(&options, progress).await?) })?;
    if matches.get_flag("json") {
        print(&format!("{}\n", serde_json::to_string_pretty(&report)?))
    } else {
        print(&report.table())
    }
}

fn options(matches: &ArgMatches) -> Options {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let shape = text("shape");
    let shape = Shape::NAMES.iter().find(|(name, _)| *name == shape);
    Options {
        url: text("url"),
        key: text("key"),
        secret: text("secret"),
        room: text("room"),
        rooms: matches.get_one("rooms").copied().unwrap_or(1),
        shape: shape.map_or(Shape::Meeting, |(_, shape)| *shape),
        clients: matches.get_one("clients").copied().unwrap_or(1),
        seconds: matches.get_one("seconds").copied().unwrap_or(1),
        single_connection: matches.get_flag("single"),
        simulcast: matches.get_flag("simulcast"),
        server_pid: matches.get_one("server-pid").copied(),
    }
}

/// Progress is for people who look: only on a terminal.
fn progress(line: &dyn Display) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = writeln!(stderr, "{line}");
    }
}

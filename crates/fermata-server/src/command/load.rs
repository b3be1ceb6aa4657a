//! `fermata load`: a measured load of in-process clients on a server of this machine.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fermata_load::options::{CLIENTS_MAX, Media, SECONDS_MAX};
use fermata_load::{Options, Shape};
use fermata_testkit::client::Layout;

use super::print;

/// Names of the layouts.
const LAYOUTS: [(&str, Layout); 3] =
    [("all", Layout::All), ("3x3", Layout::Grid(9)), ("5x5", Layout::Grid(25))];
/// What `--json` without a file means.
const STDOUT: &str = "-";

pub(super) fn build(command: Command) -> Command {
    let command = command
        .about("Put a measured load on a server of this machine")
        .long_about(
            "Lets in-process clients enter a room, publish synthetic audio and video, and count what arrives. \
             Receivers are light: every packet is counted and answered with feedback, one in sixteen decrypted. \
             Prints join time, delay, loss and, given the server's process id, forwarded packets for each second \
             of its CPU; says so if the load itself was the limit. Bounded in clients and time; servers on \
             loopback only.",
        )
        .arg(text("url", "ws://127.0.0.1:7880", "Server, a loopback address"))
        .arg(
            Arg::new("janus")
                .long("janus")
                .value_name("URL")
                .conflicts_with("url")
                .help("Janus with its VideoRoom instead: its WebSocket, a loopback address"),
        )
        .arg(
            Arg::new("bind")
                .long("bind")
                .value_name("IP")
                .default_value("127.0.0.1")
                .value_parser(value_parser!(IpAddr))
                .help("Own address that media leaves from; for Janus, which refuses loopback addresses, its own"),
        )
        .arg(text("key", "devkey", "API key"))
        .arg(text("secret", "secret", "Its secret"))
        .arg(text("room", "load", "Room"));
    let command = shape(command);
    media(command)
        .arg(
            Arg::new("server-pid")
                .long("server-pid")
                .value_name("PID")
                .value_parser(value_parser!(u32))
                .help("The server's process, to read what it costs"),
        )
        .arg(flag("single", "One connection (/rtc/v1) instead of two; receivers are whole clients"))
        .arg(flag(
            "whole-receivers",
            "Receivers are whole clients, which cost more than most servers",
        ))
        .arg(
            Arg::new("json")
                .long("json")
                .value_name("FILE")
                .num_args(0..=1)
                .default_missing_value(STDOUT)
                .help("Write the result as JSON to a file, or print it as JSON if none is named"),
        )
}

/// Who publishes, who receives, for how long.
fn shape(command: Command) -> Command {
    command
        .arg(number("rooms", "N", "1", "Rooms alike at the same time; the clients are in each of them"))
        .arg(
            Arg::new("shape")
                .long("shape")
                .value_name("SHAPE")
                .default_value("meeting")
                .value_parser(Shape::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>())
                .help(
                    "meeting: all publish both; live: one publishes both; audio: ten publish audio; \
                     data: ten send messages",
                ),
        )
        .arg(
            number("clients", "N", "10", "Clients of a room, publishers included")
                .value_parser(value_parser!(u64).range(1..=u64::from(CLIENTS_MAX))),
        )
        .arg(
            Arg::new("publishers")
                .long("publishers")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=i64::from(CLIENTS_MAX)))
                .help("How many of them publish, if not as many as the shape says"),
        )
        .arg(
            number("seconds", "S", "10", "Measured time")
                .value_parser(value_parser!(u64).range(1..=SECONDS_MAX)),
        )
        .arg(
            number("hold", "S", "0", "How long to stay after that, with figures every five seconds")
                .value_parser(value_parser!(u64).range(0..=SECONDS_MAX)),
        )
}

/// What is published and watched.
fn media(command: Command) -> Command {
    command
        .arg(flag("simulcast", "Publish video in three layers"))
        .arg(
            Arg::new("layout")
                .long("layout")
                .value_name("LAYOUT")
                .default_value("all")
                .value_parser(LAYOUTS.map(|(name, _)| name))
                .help("all: every track in full; grids: the first track large, the others small, the rest hidden"),
        )
        .arg(number("fps", "N", "25", "Frames a second"))
        .arg(number("bitrate", "BPS", "1500000", "Bits a second of the largest layer; a layer below has a third"))
        .arg(number("audio-len", "BYTES", "120", "Bytes of an audio packet"))
        .arg(number("audio-ms", "MS", "20", "Milliseconds of an audio packet"))
        .arg(number("messages", "N", "20", "Data messages a second of each publisher"))
        .arg(number("message-len", "BYTES", "200", "Bytes of a data message"))
}

fn text(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("TEXT").default_value(default).help(help)
}

fn number(name: &'static str, of: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(of)
        .default_value(default)
        .value_parser(value_parser!(u64))
        .help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let options = options(matches);
    // One thread: the clients' work is small beside that of passing it between threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(fermata_load::run(&options, progress))?;
    let json = || serde_json::to_string_pretty(&report).map(|text| format!("{text}\n"));
    match matches.get_one::<String>("json").map(String::as_str) {
        Some(STDOUT) => return print(&json()?),
        Some(file) => {
            let file = PathBuf::from(file);
            std::fs::write(&file, json()?)
                .with_context(|| format!("could not write {}", file.display()))?;
        }
        None => {}
    }
    print(&report.table())
}

fn options(matches: &ArgMatches) -> Options {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    // What is too large for the field is too large for its bound, which names the option.
    let small = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
    let bytes = |name: &str| usize::try_from(number(name)).unwrap_or(usize::MAX);
    let shape = text("shape");
    let shape = Shape::NAMES.iter().find(|(name, _)| *name == shape);
    let layout = text("layout");
    let layout = LAYOUTS.iter().find(|(name, _)| *name == layout);
    let janus = matches.get_one::<String>("janus");
    let mut options = Options::new(&janus.cloned().unwrap_or_else(|| text("url")));
    options.janus = janus.is_some();
    if let Some(bind) = matches.get_one("bind") {
        options.bind = *bind;
    }
    options.key = text("key");
    options.secret = text("secret");
    options.room = text("room");
    options.rooms = small("rooms");
    options.shape = shape.map_or(Shape::Meeting, |(_, shape)| *shape);
    options.clients = small("clients");
    options.publishers = matches.get_one("publishers").copied();
    options.seconds = number("seconds");
    options.hold_seconds = number("hold");
    options.single_connection = matches.get_flag("single");
    options.whole_receivers = matches.get_flag("whole-receivers");
    options.simulcast = matches.get_flag("simulcast");
    options.layout = layout.map_or(Layout::All, |(_, layout)| *layout);
    options.media = Media {
        fps: small("fps"),
        bitrate_bps: number("bitrate"),
        audio_len: bytes("audio-len"),
        audio_ms: small("audio-ms"),
        messages_per_second: small("messages"),
        message_len: bytes("message-len"),
    };
    options.server_pid = matches.get_one("server-pid").copied();
    options
}

/// Progress is for people who look: only on a terminal.
fn progress(line: &dyn Display) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = writeln!(stderr, "{line}");
    }
}

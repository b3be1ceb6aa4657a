//! The load without the server around it: `load URL name=value...`, the names of `fermata load`'s options.

use std::io::{self, Write as _};

use fermata_load::{Options, Shape};
use fermata_testkit::client::Layout;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let url = words.next().ok_or("usage: load URL name=value...")?;
    let mut options = Options::new(&url);
    let mut file = None;
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((&word, "true"));
        if name == "json" {
            file = Some(value.to_owned());
        } else {
            set(&mut options, name, value)?;
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(fermata_load::run(&options, |line| {
        let _ = writeln!(io::stderr(), "{line}");
    }))?;
    io::stdout().write_all(report.table().as_bytes())?;
    if let Some(file) = file {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), Failure> {
    match name {
        "shape" => {
            let known = Shape::NAMES.iter().find(|(known, _)| *known == value);
            options.shape = known.ok_or("no such shape")?.1;
        }
        "layout" => {
            options.layout = match value {
                "all" => Layout::All,
                "3x3" => Layout::Grid(9),
                "5x5" => Layout::Grid(25),
                other => Layout::Grid(other.parse()?),
            };
        }
        "clients" => options.clients = value.parse()?,
        "publishers" => options.publishers = Some(value.parse()?),
        "rooms" => options.rooms = value.parse()?,
        "room" => value.clone_into(&mut options.room),
        "seconds" => options.seconds = value.parse()?,
        "hold" => options.hold_seconds = value.parse()?,
        "fps" => options.media.fps = value.parse()?,
        "bitrate" => options.media.bitrate_bps = value.parse()?,
        "audio-len" => options.media.audio_len = value.parse()?,
        "audio-ms" => options.media.audio_ms = value.parse()?,
        "messages" => options.media.messages_per_second = value.parse()?,
        "message-len" => options.media.message_len = value.parse()?,
        "server-pid" => options.server_pid = Some(value.parse()?),
        "simulcast" => options.simulcast = value.parse()?,
        "single" => options.single_connection = value.parse()?,
        "whole" => options.whole_receivers = value.parse()?,
        "bind" => options.bind = value.parse()?,
        "janus" => options.janus = value.parse()?,
        other => return Err(format!("no option `{other}`").into()),
    }
    Ok(())
}

//! `cargo xtask up`: from a fresh clone to a page to click on.

use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::{build, launch, paths, setup, web};

/// Port of the page when nothing else is asked for; the server's own default.
const HTTP_PORT: &str = "7880";

/// Builds what is needed and becomes the server, so that Ctrl-C is the server's own orderly stop.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    setup::compiler()?;
    setup::node()?;
    web::build()?;
    say("Building the program (release profile; the first time takes some minutes).");
    launch::run(&mut build::release_binary())?;
    match page_port(args) {
        Some(port) => say(&format!(
            "\nOpen http://127.0.0.1:{port}/meet/ once the line with \"ready\":true is there. Ctrl-C stops the server.\n"
        )),
        None => say(
            "\nThe line with \"ready\":true says where; open its address + /meet/. Ctrl-C stops the server.\n",
        ),
    }
    // Cargo became us, we become the server: signals reach it directly, and its exit code is ours.
    let binary = paths::release_binary();
    let error = launch::command(&binary).args(["serve", "--dev"]).args(args).exec();
    Err(error).with_context(|| format!("could not start {}", binary.display()))
}

/// The port the page will be on; `None` if the system chooses it.
fn page_port(args: &[String]) -> Option<&str> {
    let mut port = HTTP_PORT;
    for (i, arg) in args.iter().enumerate() {
        if let Some(value) = arg.strip_prefix("--http-port=") {
            port = value;
        } else if arg == "--http-port" {
            port = args.get(i + 1).map_or(port, String::as_str);
        }
    }
    (port != "0").then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_the_one_asked_for() {
        let rows: [(&[&str], Option<&str>); 4] = [
            (&[], Some("7880")),
            (&["--http-port", "8000", "--udp-port", "0"], Some("8000")),
            (&["--http-port=9000"], Some("9000")),
            (&["--http-port", "0"], None),
        ];
        for (args, port) in rows {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            assert_eq!(page_port(&args), port, "{args:?}");
        }
    }
}

//! Subcommands: a file each. To add one, write its file and a row in [`COMMANDS`].

mod admin;
mod backup;
mod check;
mod config;
mod control;
mod docs;
mod flood;
mod load;
mod openapi;
mod relay;
mod restore;
mod serve;
mod tour;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use crate::config::{ConfigError, Layers, Settings};

/// A subcommand.
struct Row {
    name: &'static str,
    /// Its help and flags.
    build: fn(Command) -> Command,
    /// Does it.
    run: fn(&ArgMatches) -> anyhow::Result<()>,
}

/// All subcommands, in the order of the help.
const COMMANDS: &[Row] = &[
    Row { name: "serve", build: serve::build, run: serve::run },
    Row { name: "config", build: config::build, run: config::run },
    Row { name: "backup", build: backup::build, run: backup::run },
    Row { name: "restore", build: restore::build, run: restore::run },
    Row { name: "check", build: check::build, run: check::run },
    Row { name: "verify", build: verify::build, run: verify::run },
    Row { name: "tour", build: tour::build, run: tour::run },
    Row { name: "admin", build: admin::build, run: admin::run },
    Row { name: "load", build: load::build, run: load::run },
    Row { name: "flood", build: flood::build, run: flood::run },
    Row { name: "openapi", build: openapi::build, run: openapi::run },
    Row { name: "docs", build: docs::build, run: docs::run },
];

/// Status of a configuration or command line that cannot be used.
const EXIT_CONFIG: u8 = 2;

/// The command line.
fn command_line() -> Command {
    let mut command = Command::new("fermata")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Self-hosted voice and video rooms with exact minutes")
        .long_about(
            "Fermata serves voice and video rooms to LiveKit clients and counts every minute.\n\n\
             To try it:       fermata serve --dev\n\
             For real use:    fermata serve --config /etc/fermata/fermata.toml\n\n\
             Every configuration key is a flag, a variable FERMATA_KEY and a line of the file; \
             `fermata config` prints all of them with the values that count.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true);
    for row in COMMANDS {
        command = command.subcommand((row.build)(Command::new(row.name)));
    }
    command
}

/// Reads the command line and does what it says. Status 0: done; 1: failed; 2: the configuration or the
/// command line cannot be used.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command_line().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are asked for: standard output, status 0. The rest is on standard error.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) };
        }
    };
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::from(EXIT_CONFIG) };
    let Some(row) = COMMANDS.iter().find(|row| row.name == name) else {
        return ExitCode::from(EXIT_CONFIG);
    };
    match (row.run)(matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "fermata: {error:#}");
            let config = error.chain().any(<dyn std::error::Error>::is::<ConfigError>);
            ExitCode::from(if config { EXIT_CONFIG } else { 1 })
        }
    }
}

/// Adds the flags of all configuration keys.
fn with_config(command: Command) -> Command {
    command.args(Layers::args())
}

/// Reads the configuration.
fn settings(matches: &ArgMatches) -> Result<Settings, ConfigError> {
    Settings::new(&Layers::read(matches)?)
}

/// The data folder of the configuration, for commands that need one that stays.
fn data_dir(settings: &Settings) -> anyhow::Result<std::path::PathBuf> {
    settings.data_dir.clone().ok_or_else(|| {
        anyhow::Error::new(ConfigError::Conflict {
            key: "data_dir",
            value: String::new(),
            problem: "this command takes a folder; a temporary one holds nothing".to_owned(),
        })
    })
}

/// Prints to standard output; a closed pipe is an error like any other.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Runs a future on a small runtime.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command_line().debug_assert();
    }
}

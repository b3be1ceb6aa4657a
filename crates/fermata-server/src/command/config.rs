//! `fermata config`: every key with the value that counts.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{print, with_config};
use crate::config::{Layers, Settings, markdown, table};

pub(super) fn build(command: Command) -> Command {
    with_config(
        command
            .about("Print every configuration key with its value, default and source")
            .long_about(
                "Prints a configuration file with every key: the value that counts, where it came from, its \
                 default and what it does. Checks the configuration on the way.",
            )
            .arg(
                Arg::new("markdown")
                    .long("markdown")
                    .action(ArgAction::SetTrue)
                    .help("Print the reference page of the guide instead"),
            ),
    )
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    if matches.get_flag("markdown") {
        return print(&markdown());
    }
    let layers = Layers::read(matches)?;
    Settings::new(&layers)?;
    print(&table(&layers))
}

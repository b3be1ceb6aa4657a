//! `fermata restore`: a backup into a data folder.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Arg, ArgMatches, Command, value_parser};
use fermata_store::{KEY_FILE, SecretKey};

use super::{data_dir, print, settings, with_config};

pub(super) fn build(command: Command) -> Command {
    with_config(
        command
            .about("Put a backup into a new data folder")
            .long_about(
                "Checks a backup and puts it into the data folder, which must not exist or hold nothing but a key \
                 file, so that nothing is ever overwritten. The key file that the backup was made with belongs \
                 beside it (--key), or the server cannot read the secrets.",
            )
            .arg(
                Arg::new("from")
                    .long("from")
                    .value_name("FILE")
                    .required(true)
                    .value_parser(value_parser!(PathBuf))
                    .help("The backup"),
            )
            .arg(
                Arg::new("key")
                    .long("key")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("Copy of the key file, to put beside it"),
            ),
    )
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = settings(matches)?;
    let data_dir = data_dir(&settings)?;
    let from = matches.get_one::<PathBuf>("from").context("--from is missing")?;
    fermata_store::restore(from, &data_dir).context("the backup was not restored")?;
    let key_file = data_dir.join(KEY_FILE);
    match matches.get_one::<PathBuf>("key") {
        Some(key) => {
            SecretKey::load(key)?.save_new(&key_file).context("the key was not restored")?;
        }
        None if key_file.exists() => {}
        None => {
            let mut stderr = std::io::stderr().lock();
            writeln!(
                stderr,
                "fermata: put the key file of the backup at {} before serving",
                key_file.display()
            )?;
        }
    }
    print(&format!("restored {} into {}\n", from.display(), data_dir.display()))
}

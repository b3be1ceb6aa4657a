//! `fermata check`: recomputes what can be recomputed in a database or a backup.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Arg, ArgMatches, Command, value_parser};
use fermata_store::{CheckReport, SqliteOptions, SqliteStore, Store as _, verify_backup};

use super::{block_on, data_dir, print, settings, with_config};

pub(super) fn build(command: Command) -> Command {
    with_config(
        command
            .about("Check the database of the data folder, or a backup")
            .long_about(
                "Checks the integrity of a database and recomputes its totals. Prints what it found as JSON; \
                 status 1 if anything is wrong. For the data folder itself the server must be stopped; check a \
                 backup while it runs. `fermata verify` proves the books.",
            )
            .arg(
                Arg::new("backup")
                    .long("backup")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("Check this backup instead of the data folder"),
            ),
    )
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = settings(matches)?;
    let report = match matches.get_one::<PathBuf>("backup") {
        Some(file) => verify_backup(file)?,
        None => check(&data_dir(&settings)?)?,
    };
    print(&format!("{}\n", serde_json::to_string(&report)?))?;
    if !report.problems.is_empty() {
        bail!("{} problems were found", report.problems.len());
    }
    Ok(())
}

fn check(data_dir: &std::path::Path) -> anyhow::Result<CheckReport> {
    let database = data_dir.join(fermata_store::DATABASE_FILE);
    if !database.exists() {
        bail!("there is no database {}", database.display());
    }
    let store = SqliteStore::open(SqliteOptions::in_dir(data_dir)?)?;
    block_on(async {
        let report = store.check().await?;
        store.close().await?;
        Ok(report)
    })
}

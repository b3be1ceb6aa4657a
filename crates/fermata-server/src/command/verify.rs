//! `fermata verify`: proves the books from their journals.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;
use clap::{Arg, ArgAction, ArgMatches, Command};
use fermata_store::{CheckReport, DATABASE_FILE, SqliteOptions, SqliteStore, Store as _};

use super::{block_on, data_dir, print, settings, with_config};

pub(super) fn build(command: Command) -> Command {
    with_config(
        command
            .about("Prove the books of all accounts from their journals")
            .long_about(
                "Recomputes every balance, package and document of every account from its journal, follows the \
                 chain of hashes through it, and does what `fermata check` does besides. Prints each disagreement \
                 with its row, a line each. Status 1 if there is one.\n\n\
                 The server must be stopped; while it runs, restore a backup into another folder and prove that.",
            )
            .arg(
                Arg::new("json")
                    .long("json")
                    .action(ArgAction::SetTrue)
                    .help("Print the report as JSON"),
            ),
    )
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = settings(matches)?;
    let report = verify(&data_dir(&settings)?)?;
    if matches.get_flag("json") {
        print(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        print(&text(&report))?;
    }
    if !report.problems.is_empty() {
        bail!("{} disagreements were found", report.problems.len());
    }
    Ok(())
}

fn text(report: &CheckReport) -> String {
    let mut text = String::new();
    for problem in &report.problems {
        let _ = writeln!(text, "{problem}");
    }
    let _ = writeln!(text, "{} rows, {} disagreements", report.rows, report.problems.len());
    text
}

fn verify(data_dir: &Path) -> anyhow::Result<CheckReport> {
    let database = data_dir.join(DATABASE_FILE);
    if !database.exists() {
        bail!("there is no database {}", database.display());
    }
    let store = SqliteStore::open(SqliteOptions::in_dir(data_dir)?)?;
    block_on(async {
        // Tables that repeat the journals, such as the ledger's entries, are compared by the check.
        let mut report = store.check().await?;
        let books = store.verify().await?;
        store.close().await?;
        report.rows += books.rows;
        report.problems.extend(books.problems);
        Ok(report)
    })
}

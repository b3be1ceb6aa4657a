//! `fermata backup`: a consistent copy of the database, while serving or not.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use fermata_store::{SqliteOptions, SqliteStore, Store as _, copy_key};
use fermata_types::Now;

use super::{block_on, control, data_dir, print, settings, with_config};
use crate::v1::backup::CreatedBackup;

pub(super) fn build(command: Command) -> Command {
    with_config(
        command
            .about("Make a consistent copy of the database, while serving or not")
            .long_about(
                "Makes a consistent copy of the database and prints its path. A running server makes the copy \
                 itself (it is asked through the control socket in the data folder); otherwise the data folder \
                 is opened directly.\n\n\
                 The secrets in the copy are encrypted with the key file of the data folder. Keep a copy of \
                 that key too (--key-to), apart from the backups: without it the secrets are lost.",
            )
            .arg(
                Arg::new("to")
                    .long("to")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("Where to put it; a new file. Default: a new file in `backups` of the data folder"),
            )
            .arg(
                Arg::new("key_to")
                    .long("key-to")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("Copy the key file of the data folder there too; a new file"),
            ),
    )
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = settings(matches)?;
    let data_dir = data_dir(&settings)?;
    let to = matches.get_one::<PathBuf>("to");
    if let Some(to) = to
        && to.exists()
    {
        bail!("{} exists already; a backup is a new file", to.display());
    }
    let made = match ask_server(&data_dir)? {
        Some(made) => made,
        None => open_and_copy(&data_dir)?,
    };
    let path = match to {
        Some(to) => move_to(&made, to)?,
        None => made,
    };
    if let Some(key_to) = matches.get_one::<PathBuf>("key_to") {
        copy_key(&data_dir, key_to).context("the key file cannot be copied")?;
    }
    print(&format!("{}\n", path.display()))
}

fn ask_server(data_dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    let answer =
        control::post(data_dir, "/api/v1/backup", "{}").context("the server cannot be asked")?;
    let Some((status, body)) = answer else { return Ok(None) };
    if status != 201 {
        bail!("the server did not make the backup: {body}");
    }
    let made: CreatedBackup =
        serde_json::from_str(&body).context("the server's answer cannot be read")?;
    Ok(Some(PathBuf::from(made.path)))
}

fn open_and_copy(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let database = data_dir.join(fermata_store::DATABASE_FILE);
    if !database.exists() {
        bail!("there is no database {}", database.display());
    }
    let store = SqliteStore::open(SqliteOptions::in_dir(data_dir)?)?;
    let folder = data_dir.join("backups");
    std::fs::create_dir_all(&folder)?;
    let name = Now::read().wall.strftime("fermata-%Y%m%dT%H%M%S%3fZ.db").to_string();
    let path = folder.join(name);
    block_on(async {
        store.backup(&path).await?;
        store.close().await?;
        Ok(())
    })?;
    Ok(path)
}

/// Moves the copy, also to another disk. The target appears only when it is complete.
fn move_to(made: &Path, to: &Path) -> anyhow::Result<PathBuf> {
    if std::fs::rename(made, to).is_err() {
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = to.with_file_name(name);
        std::fs::copy(made, &part)
            .with_context(|| format!("{} cannot be written", part.display()))?;
        std::fs::File::open(&part)?.sync_all()?;
        std::fs::rename(&part, to)?;
        std::fs::remove_file(made)?;
    }
    Ok(to.to_owned())
}

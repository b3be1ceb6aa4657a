//! Copies of the data: taken while serving, looked over, put back.
//!
//! A backup is one SQLite file with everything but the master key: secrets in it stay sealed, so it
//! is of use together with the key file only. The key is kept apart on purpose ([`copy_key`]).

use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::fault::Outcome;
use super::{DATABASE_FILE, KEY_FILE, check, open};
use crate::rules::{exists, invalid};
use crate::seal::{private_file, sync_parent};
use crate::{CheckReport, SecretKey, StoreError};

/// Writes a consistent copy to the new file `to`, readable for its owner only.
///
/// The name is reserved first and the finished copy is renamed over it, so nothing is ever
/// overwritten and whatever has the name and is not empty is complete.
pub(super) fn backup(conn: &Connection, to: &Path) -> Outcome<()> {
    reserve(to)?;
    let partial = partial_path(to);
    let outcome = vacuum_into(conn, &partial).and_then(|()| {
        std::fs::rename(&partial, to)
            .and_then(|()| sync_parent(to))
            .map_err(|e| disk(to, &e).into())
    });
    if outcome.is_err() {
        // Leave nothing behind that could be taken for a backup.
        let _ = std::fs::remove_file(&partial);
        let _ = std::fs::remove_file(to);
    }
    outcome
}

fn vacuum_into(conn: &Connection, partial: &Path) -> Outcome<()> {
    match std::fs::remove_file(partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(disk(partial, &error).into());
        }
        _ => {}
    }
    // An empty file is what SQLite accepts as a target; made here, it has the right mode.
    private_file(partial).map_err(|error| disk(partial, &error))?;
    let name = partial.to_str().ok_or_else(|| invalid("to", "the path is not UTF-8"))?;
    conn.execute("VACUUM INTO ?1", [name])?;
    File::open(partial).and_then(|file| file.sync_all()).map_err(|error| disk(partial, &error))?;
    Ok(())
}

/// Looks over a backup (or any data file that nobody has open) without changing it.
///
/// Works without the key: sealed secrets are not opened. Blocks; not for the async runtime's threads.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::NotAStore`], [`StoreError::SchemaTooNew`], or
/// [`StoreError::Backend`] if it cannot be read.
pub fn verify_backup(path: &Path) -> Result<CheckReport, StoreError> {
    if !path.is_file() {
        return Err(StoreError::NotFound { what: "file", id: path.display().to_string() });
    }
    let conn = open::inspector(path)?;
    if open::is_ours(&conn, path)? == 0 {
        let problem = "it is empty".to_owned();
        return Err(StoreError::NotAStore { path: path.to_owned(), problem });
    }
    Ok(check::check(&conn, None)?)
}

/// Puts a backup into a data folder, which must not exist or hold nothing but a key file.
///
/// The key is not part of a backup: put the key file beside the data as [`KEY_FILE`] before opening.
/// Blocks; not for the async runtime's threads.
///
/// # Errors
/// As [`verify_backup`]; [`StoreError::Invalid`] if the backup has problems;
/// [`StoreError::Exists`] if the folder holds anything else; [`StoreError::NotWritable`].
pub fn restore(from: &Path, to_data_dir: &Path) -> Result<(), StoreError> {
    let report = verify_backup(from)?;
    if let Some(problem) = report.problems.first() {
        let count = report.problems.len();
        return Err(invalid("backup", format!("it has {count} problems; the first: {problem}")));
    }
    create_private_dir(to_data_dir).map_err(|error| disk(to_data_dir, &error))?;
    // A lock file may be left from an attempt that failed.
    let database = to_data_dir.join(DATABASE_FILE);
    let lock_file = open::lock_path(&database);
    let entries = std::fs::read_dir(to_data_dir).map_err(|error| disk(to_data_dir, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| disk(to_data_dir, &error))?;
        if entry.file_name() != KEY_FILE && entry.path() != lock_file {
            return Err(exists("file", &entry.path().display()));
        }
    }
    let _lock = open::lock(&database)?;
    // The copy gets its name when it is complete: half of one must never be opened as a new store.
    let partial = partial_path(&database);
    let copied = private_file(&partial)
        .and_then(|mut target| {
            std::io::copy(&mut File::open(from)?, &mut target)?;
            target.sync_all()
        })
        .and_then(|()| std::fs::rename(&partial, &database))
        .and_then(|()| sync_parent(&database));
    copied.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        disk(&database, &error)
    })
}

/// Copies the key of a data folder to the new file `to`, readable for its owner only.
///
/// Whoever has this file and a backup has the secrets: keep the two apart.
///
/// # Errors
/// [`StoreError::Key`] if there is no key, or if `to` exists or cannot be written.
pub fn copy_key(data_dir: &Path, to: &Path) -> Result<(), StoreError> {
    SecretKey::load(&data_dir.join(KEY_FILE))?.save_new(to)
}

/// Makes a folder that only its owner may enter, unless it is there.
pub(super) fn create_private_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn reserve(path: &Path) -> Result<(), StoreError> {
    match private_file(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(exists("file", &path.display()))
        }
        Err(error) => Err(disk(path, &error)),
    }
}

fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn disk(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::NotWritable(format!("{}: {error}", path.display()))
}

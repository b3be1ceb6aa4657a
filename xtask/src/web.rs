//! The page: when its sources changed, install its packages and build it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::{launch, paths, setup};

/// Folders that are made from the others.
const MADE: [&str; 3] = ["dist", "node_modules", "coverage"];

/// Builds the page unless what is there was built from the same sources.
pub(crate) fn build() -> Result<()> {
    if is_fresh()? {
        return Ok(());
    }
    say("Building the page.");
    setup::node_modules(&paths::web())?;
    launch::run(&mut script("build"))?;
    note_built()
}

/// `npm run NAME` of the page.
pub(crate) fn script(name: &str) -> Command {
    let mut command = launch::command("npm");
    command.current_dir(paths::web()).args(["run", "--silent", name]);
    command
}

/// Is the page built, and from these very sources?
fn is_fresh() -> Result<bool> {
    let noted = std::fs::read_to_string(stamp()).unwrap_or_default();
    Ok(paths::web().join("dist/index.html").is_file() && noted == fingerprint(&paths::web())?)
}

/// Notes that the page was built from the sources as they are now.
fn note_built() -> Result<()> {
    std::fs::create_dir_all(paths::stamps())?;
    std::fs::write(stamp(), fingerprint(&paths::web())?)?;
    Ok(())
}

/// Which of `names` the page's manifest has as scripts, in the order asked for.
pub(crate) fn scripts<'a>(names: &[&'a str]) -> Result<Vec<&'a str>> {
    let path = paths::web().join("package.json");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))?;
    let manifest: serde_json::Value = serde_json::from_str(&text)?;
    Ok(names.iter().copied().filter(|name| manifest["scripts"][name].is_string()).collect())
}

fn stamp() -> PathBuf {
    paths::stamps().join("meet.stamp")
}

/// A number that changes with any name or content under `folder`.
fn fingerprint(folder: &Path) -> Result<String> {
    let mut files = BTreeMap::new();
    collect(folder, &mut files)?;
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if MADE.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else {
            let content = std::fs::read(&path)?;
            files.insert(path, content);
        }
    }
    Ok(())
}

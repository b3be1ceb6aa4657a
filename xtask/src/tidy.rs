//! What the compiler and clippy do not look at: lengths, arrows between crates, words, links.

mod arrows;
mod lengths;
mod links;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::paths;

/// Folders with nothing of ours in them.
const SKIPPED: [&str; 8] =
    [".git", "target", "node_modules", "dist", ".venv", "__pycache__", ".pytest_cache", "corpus"];

/// A text file of the repository.
#[derive(Debug)]
struct Source {
    /// Path from the root, with forward slashes.
    path: String,
    /// Its text.
    text: String,
}

/// Looks at everything and fails with all findings at once.
pub(crate) fn run() -> Result<()> {
    let mut sources = Vec::new();
    collect(&paths::root(), &paths::root(), &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let mut findings = Vec::new();
    lengths::check(&sources, &mut findings);
    words::check(&sources, &mut findings);
    links::check(&sources, &mut findings);
    arrows::check(&mut findings)?;
    if !findings.is_empty() {
        bail!("{} findings\n  {}", findings.len(), findings.join("\n  "));
    }
    Ok(())
}

/// Every text file under `folder`. Binary files (not UTF-8) are left out.
fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path: PathBuf = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                collect(root, &path, sources)?;
            }
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(std::fs::read(&path)?)
        {
            let path = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

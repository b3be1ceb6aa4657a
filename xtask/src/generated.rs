//! Files that the program writes about itself: rewritten by `gen`, compared by `check`.
//!
//! One table says which command of the binary writes which file.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::console::say;
use crate::{build, launch, paths};

/// (file, arguments of the binary that print it)
const FILES: &[(&str, &[&str])] = &[
    ("docs/openapi.json", &["openapi"]),
    ("docs/guide/configuration.md", &["docs", "configuration"]),
    ("docs/guide/errors.md", &["docs", "errors"]),
    ("docs/guide/metrics.md", &["docs", "metrics"]),
    ("docs/guide/policy.md", &["docs", "policy"]),
    ("docs/guide/server-apis.md", &["docs", "server-apis"]),
];

/// Rewrites every generated file that changed.
pub(crate) fn rewrite() -> Result<()> {
    launch::run(&mut build::test_binary())?;
    for (path, fresh) in fresh()? {
        if std::fs::read_to_string(&path).is_ok_and(|old| old == fresh) {
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, fresh)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Builds the binary, then compares what it says with what is committed.
pub(crate) fn check_commands() -> Result<Vec<Command>> {
    Ok(vec![build::test_binary(), launch::itself("gen-check")?])
}

/// Fails, naming them, if generated files are stale. Expects the binary to be there.
pub(crate) fn check() -> Result<()> {
    let mut stale = Vec::new();
    for (path, fresh) in fresh()? {
        if !std::fs::read_to_string(&path).is_ok_and(|old| old == fresh) {
            stale.push(path.display().to_string());
        }
    }
    if !stale.is_empty() {
        bail!("stale, run `cargo xtask gen`: {}", stale.join(", "));
    }
    say(&format!("{} generated files are fresh", FILES.len()));
    Ok(())
}

/// What every generated file should contain now.
fn fresh() -> Result<Vec<(PathBuf, String)>> {
    FILES
        .iter()
        .map(|(file, args)| {
            let text = launch::output(launch::command(paths::test_binary()).args(*args))?;
            Ok((paths::root().join(file), text))
        })
        .collect()
}

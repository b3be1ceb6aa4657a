//! Where things are. Every path of the repository that commands use has its function here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Cargo's output folder; also holds the Python environment, logs and stamps of these commands.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Logs of the test steps, one file a step.
pub(crate) fn logs() -> PathBuf {
    target().join("test-logs")
}

/// What tests leave to look at: screenshots, logs of the servers they started.
pub(crate) fn artifacts() -> PathBuf {
    target().join("test-artifacts")
}

/// The fuzzers: a workspace of their own, with their corpora.
pub(crate) fn fuzz() -> PathBuf {
    root().join("fuzz")
}

/// What one fuzzer learned by itself, for its next run.
pub(crate) fn fuzz_learned(name: &str) -> PathBuf {
    target().join("fuzz-learned").join(name)
}

/// Notes of what was built from what.
pub(crate) fn stamps() -> PathBuf {
    target().join("xtask")
}

/// The page to talk in: sources.
pub(crate) fn web() -> PathBuf {
    root().join("web/meet")
}

/// End-to-end tests in Python.
pub(crate) fn e2e_python() -> PathBuf {
    root().join("tests/e2e/python")
}

/// End-to-end tests in Node.
pub(crate) fn e2e_node() -> PathBuf {
    root().join("tests/e2e/node")
}

/// End-to-end tests in Chromium.
pub(crate) fn e2e_browser() -> PathBuf {
    root().join("tests/e2e/browser")
}

/// The Python environment of the end-to-end tests.
pub(crate) fn venv() -> PathBuf {
    target().join("venv")
}

/// The Python environment of what cannot live beside it.
pub(crate) fn venv_apart() -> PathBuf {
    target().join("venv-apart")
}

/// The binary that tests run (dev profile).
pub(crate) fn test_binary() -> PathBuf {
    target().join("debug/fermata")
}

/// The binary for people (release profile).
pub(crate) fn release_binary() -> PathBuf {
    target().join("release/fermata")
}

/// The cargo that started us, so that the toolchain stays the same.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The first of `names` found in `PATH`.
pub(crate) fn which(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .find_map(|name| folders.iter().map(|dir| dir.join(name)).find(|file| file.is_file()))
}

//! What the commands need on a machine: looked for, installed where that is allowed, else named.
//!
//! System packages are installed only by root on a system with apt; otherwise the error says what to type.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::console::say;
use crate::{launch, paths};

/// Oldest Node that the page's tools run on.
const NODE_MIN: (u32, u32) = (20, 19);
/// Oldest Python that the pinned packages run on.
const PYTHON_MIN: (u32, u32) = (3, 10);

/// A C compiler, for SQLite and the crypto library.
pub(crate) fn compiler() -> Result<()> {
    if paths::which(&["cc", "gcc", "clang"]).is_none() {
        apt("a C compiler", &["build-essential"])?;
    }
    Ok(())
}

/// Node and npm, new enough.
pub(crate) fn node() -> Result<()> {
    if paths::which(&["node"]).is_none() || paths::which(&["npm"]).is_none() {
        bail!(
            "Node.js with npm is missing; install version {}.{} or later",
            NODE_MIN.0,
            NODE_MIN.1
        );
    }
    let version = launch::output(launch::command("node").arg("--version"))?;
    at_least("Node.js", &version, NODE_MIN)
}

/// Chromium, for the tests of the page. Returns where it is.
pub(crate) fn chromium() -> Result<PathBuf> {
    const NAMES: [&str; 2] = ["chromium", "chromium-browser"];
    if paths::which(&NAMES).is_none() {
        apt("Chromium", &["chromium", "fonts-liberation"])?;
    }
    paths::which(&NAMES).context("Chromium was installed but is not in PATH")
}

/// `openssl`, for certificates of tests.
pub(crate) fn openssl() -> Result<()> {
    if paths::which(&["openssl"]).is_none() {
        apt("openssl", &["openssl"])?;
    }
    Ok(())
}

/// `ip` and `iptables`, for tests in network namespaces. Who may not use them has those tests skipped, saying why.
pub(crate) fn networks() -> Result<()> {
    for (program, package) in [("ip", "iproute2"), ("iptables", "iptables")] {
        if paths::which(&[program]).is_none() && is_root() {
            apt(program, &[package])?;
        }
    }
    Ok(())
}

/// The npm packages of `folder`, exactly those of its lock file.
pub(crate) fn node_modules(folder: &Path) -> Result<()> {
    let lock = std::fs::read_to_string(folder.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    node()?;
    launch::run(launch::command("npm").current_dir(folder).args([
        "ci",
        "--no-audit",
        "--no-fund",
    ]))?;
    // A project without dependencies gets no folder.
    std::fs::create_dir_all(folder.join("node_modules"))?;
    std::fs::write(stamp, lock)?;
    Ok(())
}

/// The Python environment of the end-to-end tests. Returns its interpreter.
pub(crate) fn venv() -> Result<PathBuf> {
    python_environment(&paths::venv(), &paths::e2e_python().join("requirements.txt"))
}

/// The Python environment of what cannot live beside those. Returns its interpreter.
pub(crate) fn venv_apart() -> Result<PathBuf> {
    python_environment(&paths::venv_apart(), &paths::e2e_python().join("requirements-apart.txt"))
}

/// An environment in `folder` with exactly the packages of `requirements`. Returns its interpreter.
fn python_environment(folder: &Path, requirements: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(requirements)?;
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    let ready = std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted);
    if ready && python.is_file() {
        return Ok(python);
    }
    let system = paths::which(&["python3"]).context("Python 3 is missing; install it")?;
    let version = launch::output(launch::command(&system).arg("--version"))?;
    at_least("Python", version.trim_start_matches("Python "), PYTHON_MIN)?;
    if launch::output(launch::command(&system).args(["-c", "import ensurepip, venv"])).is_err() {
        apt("Python's venv", &["python3-venv"])?;
    }
    launch::run(launch::command(&system).args(["-m", "venv", "--clear"]).arg(folder))?;
    launch::run(
        launch::command(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(requirements),
    )?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

fn is_root() -> bool {
    launch::output(launch::command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Installs Debian packages if we may, else says how.
fn apt(what: &str, packages: &[&str]) -> Result<()> {
    let by_hand = format!(
        "apt-get update && apt-get install --no-install-recommends --yes {}",
        packages.join(" ")
    );
    if !is_root() || paths::which(&["apt-get"]).is_none() {
        bail!("{what} is missing and may not be installed from here; run as root:\n  {by_hand}");
    }
    say(&format!("Installing {what}: {by_hand}"));
    let quiet = |args: &[&str]| {
        let mut command = launch::command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["--quiet", "--quiet"]).args(args);
        command
    };
    launch::output(&mut quiet(&["update"]))?;
    let mut install = quiet(&["install", "--no-install-recommends", "--yes"]);
    launch::output(install.args(packages))?;
    Ok(())
}

fn at_least(what: &str, version: &str, (major, minor): (u32, u32)) -> Result<()> {
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    let (Some(Ok(have_major)), Some(Ok(have_minor))) = (numbers.next(), numbers.next()) else {
        bail!("{what} says its version is {version:?}, which is no version");
    };
    if (have_major, have_minor) < (major, minor) {
        bail!("{what} {} is too old; {major}.{minor} or later is needed", version.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let rows = [
            ("v20.20.2\n", true),
            ("v20.9.0", false),
            ("v9.20.0", false),
            ("22.0.0", true),
            ("new", false),
        ];
        for (version, fine) in rows {
            assert_eq!(at_least("Node.js", version, NODE_MIN).is_ok(), fine, "{version}");
        }
    }
}

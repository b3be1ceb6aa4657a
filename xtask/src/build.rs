//! Cargo builds that several commands need.

use std::process::Command;

use crate::launch;

/// The binary of the tests, in the dev profile.
///
/// One profile for unit tests, the binary under test and development means that everything is compiled once.
/// That profile optimises dependencies (see the root manifest), without which media code is too slow to judge.
pub(crate) fn test_binary() -> Command {
    launch::cargo(&["build", "--locked", "--package", "fermata-server", "--bin", "fermata"])
}

/// What puts bad networks between clients and the server, in the dev profile.
pub(crate) fn emulator() -> Command {
    launch::cargo(&["build", "--locked", "--package", "fermata-emulator"])
}

/// The binary for people, in the release profile.
pub(crate) fn release_binary() -> Command {
    launch::cargo(&[
        "build",
        "--locked",
        "--release",
        "--package",
        "fermata-server",
        "--bin",
        "fermata",
    ])
}

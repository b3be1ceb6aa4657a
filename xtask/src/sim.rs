//! `cargo xtask sim`: the simulator's sweep, built for speed.
//!
//! What it is not: the gate; a fixed set of seeds runs with the tests.

use anyhow::Result;

use crate::{launch, setup};

/// Builds the simulator and hands it what the person asked for.
pub(crate) fn run(args: &[String]) -> Result<()> {
    setup::compiler()?;
    let mut command =
        launch::cargo(&["run", "--locked", "--release", "--quiet", "-p", "fermata-sim", "--"]);
    command.args(args);
    launch::run(&mut command)
}

//! `cargo xtask dist`: the release binary with the page in it.

use anyhow::{Result, bail};

use crate::console::say;
use crate::{build, launch, paths, setup, web};

/// Builds the page, then the binary around it.
pub(crate) fn run() -> Result<()> {
    setup::compiler()?;
    setup::node()?;
    web::build()?;
    let index = paths::web().join("dist/index.html");
    if !index.is_file() {
        bail!("{} is missing: the binary would have no page", index.display());
    }
    launch::run(&mut build::release_binary())?;
    let binary = paths::release_binary();
    // The page's script has a name made from its contents, so finding that name means this build is inside.
    let script = std::fs::read_to_string(&index)?
        .split('"')
        .find_map(|word| word.strip_prefix("/meet/assets/").map(str::to_owned));
    let Some(script) = script else {
        bail!("{} names no script under /meet/assets/", index.display())
    };
    let bytes = std::fs::read(&binary)?;
    if !bytes.windows(script.len()).any(|window| window == script.as_bytes()) {
        bail!("{} does not contain the page just built ({script})", binary.display());
    }
    say(&format!("{} ({} MiB, page included)", binary.display(), bytes.len() >> 20));
    Ok(())
}

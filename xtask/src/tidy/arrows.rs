//! Which crate may depend on which. The arrows run bin -> shell -> core -> types; the table is the law.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::launch;

/// (crate, what it may depend on). A crate that is not here fails the check, so it gets its place on purpose.
const ALLOWED: &[(&str, &[&str])] = &[
    // Types: words that everybody shares.
    ("fermata-types", &[]),
    // Cores: pure, no sockets, no clocks, no stores.
    ("fermata-auth", &["fermata-types"]),
    ("fermata-billing", &["fermata-types"]),
    ("fermata-bwe", &[]),
    ("fermata-rtp", &["fermata-types"]),
    ("fermata-srtp", &[]),
    ("fermata-transport", &["fermata-bwe", "fermata-rtp", "fermata-srtp", "fermata-types"]),
    ("fermata-sfu", &["fermata-bwe", "fermata-rtp", "fermata-transport", "fermata-types"]),
    ("fermata-monitor", &["fermata-types"]),
    ("fermata-agent", &["fermata-types"]),
    ("fermata-trtc", &["fermata-billing", "fermata-types"]),
    ("fermata-callback", &["fermata-auth", "fermata-sfu", "fermata-types"]),
    ("fermata-signal", &["fermata-auth", "fermata-sfu", "fermata-types"]),
    // Shells: sockets, threads, files.
    ("fermata-store", &["fermata-billing", "fermata-monitor", "fermata-types"]),
    ("fermata-node", &["fermata-sfu", "fermata-store", "fermata-transport", "fermata-types"]),
    ("fermata-turn", &["fermata-transport", "fermata-types"]),
    ("fermata-testkit", &["fermata-rtp", "fermata-transport", "fermata-types"]),
    ("fermata-load", &["fermata-rtp", "fermata-srtp", "fermata-testkit", "fermata-types"]),
    (
        "fermata-fuzz",
        &[
            "fermata-node",
            "fermata-rtp",
            "fermata-sfu",
            "fermata-signal",
            "fermata-transport",
            "fermata-turn",
            "fermata-types",
        ],
    ),
    ("fermata-sim", &["fermata-billing", "fermata-store", "fermata-types"]),
    ("fermata-emulator", &["fermata-types"]),
    // Binaries.
    (
        "fermata-server",
        &[
            "fermata-agent",
            "fermata-auth",
            "fermata-billing",
            "fermata-callback",
            "fermata-load",
            "fermata-monitor",
            "fermata-node",
            "fermata-sfu",
            "fermata-signal",
            "fermata-store",
            "fermata-testkit",
            "fermata-transport",
            "fermata-trtc",
            "fermata-turn",
            "fermata-types",
        ],
    ),
    ("xtask", &[]),
];

/// Crates of others that only some of ours may use: (their crate, our crates).
const GUARDED: &[(&str, &[&str])] = &[
    // The media stack stays behind one seam; the test clients are the other end of the wire.
    ("str0m", &["fermata-transport", "fermata-testkit"]),
    // No async runtime in cores.
    (
        "tokio",
        &[
            "fermata-load",
            "fermata-node",
            "fermata-server",
            "fermata-sim",
            "fermata-store",
            "fermata-testkit",
            "fermata-turn",
        ],
    ),
    // One store.
    ("rusqlite", &["fermata-store"]),
    // HTTP ends in the binary.
    ("axum", &["fermata-server"]),
    // Errors of libraries are typed.
    ("anyhow", &["fermata-emulator", "fermata-server", "xtask"]),
];

/// What tests may use beside that: (the crate used, whose tests).
const FOR_TESTS: &[(&str, &[&str])] = &[
    ("fermata-emulator", &["fermata-sfu"]),
    ("fermata-testkit", &["fermata-sfu", "fermata-node", "fermata-load", "fermata-server"]),
    // Reading the clock, to measure.
    ("fermata-types", &["fermata-srtp"]),
    // A store whose usage counts has an account with books in it.
    ("fermata-billing", &["fermata-node"]),
];

/// Compares the workspace's manifests with the tables.
pub(super) fn check(findings: &mut Vec<String>) -> Result<()> {
    let args = ["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"];
    let metadata: Value = serde_json::from_str(&launch::output(&mut launch::cargo(&args))?)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    for package in packages {
        let name = package["name"].as_str().context("a package without a name")?;
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            findings.push(format!("{name}: give it a place in xtask/src/tidy/arrows.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"] == "dev";
            findings.extend(judge(name, allowed, on, for_tests));
        }
    }
    Ok(())
}

fn judge(name: &str, allowed: &[&str], on: &str, for_tests: bool) -> Option<String> {
    if on.starts_with("fermata-") {
        let of_tests = FOR_TESTS.iter().any(|(used, by)| *used == on && by.contains(&name));
        let fine = allowed.contains(&on) || (for_tests && of_tests);
        return (!fine)
            .then(|| format!("{name} may not depend on {on} (xtask/src/tidy/arrows.rs)"));
    }
    let (_, users) = GUARDED.iter().find(|(guarded, _)| *guarded == on)?;
    let fine = for_tests || users.contains(&name);
    (!fine).then(|| format!("{name} may not use {on}; only {} may", users.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_one_way() {
        let rows = [
            ("fermata-rtp", "fermata-types", false, true),
            ("fermata-rtp", "fermata-sfu", false, false),
            ("fermata-sfu", "fermata-testkit", true, true),
            ("fermata-sfu", "fermata-testkit", false, false),
            ("fermata-node", "fermata-billing", true, true),
            ("fermata-node", "fermata-billing", false, false),
            ("fermata-sfu", "tokio", false, false),
            ("fermata-sfu", "tokio", true, true),
            ("fermata-transport", "str0m", false, true),
            ("fermata-node", "str0m", false, false),
            ("fermata-node", "thiserror", false, true),
        ];
        for (name, on, for_tests, fine) in rows {
            let (_, allowed) = ALLOWED.iter().find(|(known, _)| *known == name).unwrap();
            assert_eq!(judge(name, allowed, on, for_tests).is_none(), fine, "{name} -> {on}");
        }
    }

    #[test]
    fn the_table_has_no_circle() {
        // Rows stand below all they may use, so no chain of arrows can come back.
        let place = |name: &str| ALLOWED.iter().position(|(known, _)| *known == name).unwrap();
        for (name, allowed) in ALLOWED {
            assert!(allowed.iter().all(|on| place(on) < place(name)), "{name}");
        }
    }
}

//! Words that do not belong in the repository: addresses of package registries, paths of one person's machine,
//! tests that are switched off without a reason, unfinished business.

use super::Source;

/// (word, files it matters in: a suffix, why not). Written in halves, so that this file does not contain them.
const BANNED: &[(&str, &str, &str)] = &[
    (
        concat!("registry.", "npmjs.org"),
        "",
        "lock files keep names and hashes, not where they were fetched from",
    ),
    (
        concat!("registry.", "yarnpkg.com"),
        "",
        "lock files keep names and hashes, not where they were fetched from",
    ),
    (concat!("files.", "pythonhosted.org"), "", "the person's own package index is used"),
    (concat!("--index", "-url"), "", "the person's own package index is used"),
    (concat!("static.", "crates.io"), "", "the person's own registry settings are used"),
    (
        concat!("\"resolved\": ", "\"http"),
        "package-lock.json",
        "set omit-lockfile-registry-resolved in .npmrc",
    ),
    (concat!("/ro", "ot/"), "", "a path of one machine"),
    (concat!("/ho", "me/"), "", "a path of one machine"),
    (concat!("\"/wo", "rk/"), "", "a path of one machine"),
    (concat!(" /wo", "rk/"), "", "a path of one machine"),
    (concat!("#[ign", "ore]"), ".rs", "say why, and where it does run"),
    (concat!("FIX", "ME"), "", "finish it or write it down as an issue"),
    (concat!("XX", "X:"), "", "finish it or write it down as an issue"),
    (concat!("<<<<<", "<< "), "", "an unfinished merge"),
];

/// Looks for every banned word in every file.
pub(super) fn check(sources: &[Source], findings: &mut Vec<String>) {
    for source in sources {
        for (word, suffix, why) in BANNED {
            if !source.path.ends_with(suffix) || !source.text.contains(word) {
                continue;
            }
            for (at, line) in
                source.text.lines().enumerate().filter(|(_, line)| line.contains(word))
            {
                let shown: String = line.trim().chars().take(80).collect();
                findings.push(format!("{}:{}: {word:?}: {why}: {shown}", source.path, at + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_words_are_found_where_they_matter() {
        let word = concat!("#[ign", "ore]");
        let rows = [("crates/a/src/lib.rs", 1), ("docs/testing.md", 0)];
        for (path, count) in rows {
            let mut findings = Vec::new();
            check(
                &[Source { path: path.to_owned(), text: format!("a\n{word}\nb\n") }],
                &mut findings,
            );
            assert_eq!(findings.len(), count, "{path}");
        }
    }
}

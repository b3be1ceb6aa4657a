//! Relative links in Markdown must lead somewhere.

use std::path::Path;

use super::Source;
use crate::paths;

/// Looks at every `](target)` of every Markdown file.
pub(super) fn check(sources: &[Source], findings: &mut Vec<String>) {
    for source in sources {
        let path = Path::new(&source.path);
        if path.extension() != Some("md".as_ref()) {
            continue;
        }
        let folder = paths::root().join(path.parent().unwrap_or(Path::new("")));
        for target in relative_targets(&source.text) {
            if !folder.join(target).exists() {
                findings.push(format!("{}: the link to {target} leads nowhere", source.path));
            }
        }
    }
}

/// Targets of links that are neither addresses nor places on the same page. Code blocks are left out.
fn relative_targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let Some((target, _)) = rest.split_once(')') else { continue };
            let target = target.split(['#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found() {
        let text = "[a](docs/a.md) and [b](../b.md#part), ![c](c.svg \"t\") [d](https://example.org/x) [e](#e)\n\
                    ```\nlet x = a[0](b);\n```\n[f](f/)\n";
        assert_eq!(relative_targets(text), ["docs/a.md", "../b.md", "c.svg", "f/"]);
    }

    #[test]
    fn dead_links_are_findings() {
        let source = |text: &str| Source { path: "docs/page.md".to_owned(), text: text.to_owned() };
        let mut findings = Vec::new();
        check(&[source("[root](../Cargo.toml)")], &mut findings);
        assert!(findings.is_empty(), "{findings:?}");
        check(&[source("[nowhere](no-such-file.md)")], &mut findings);
        assert_eq!(findings.len(), 1);
    }
}

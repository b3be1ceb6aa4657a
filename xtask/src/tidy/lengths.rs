//! Files and functions that grew too long to read in one sitting.

use std::path::Path;

use super::Source;

/// Most lines of a source file that is not a test.
const FILE_LINES_MAX: usize = 800;
/// Most lines of a function, its signature included.
const FUNCTION_LINES_MAX: usize = 70;

/// Longer files that are meant to be: (path, reason).
const LONG_FILES: &[(&str, &str)] = &[];
/// Longer functions that are meant to be: (path, name, reason).
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[
    ("crates/fermata-types/src/refusal.rs", "row", "a table, one line a reason"),
    ("crates/fermata-sim/src/actors.rs", "command", "a table, one arm a kind of act"),
    ("crates/fermata-sim/src/actors.rs", "predict", "a table, one arm a kind of command"),
];

/// Extensions of hand-written sources.
const SOURCES: [&str; 6] = [".rs", ".ts", ".tsx", ".mjs", ".py", ".css"];

/// Looks at every hand-written file.
pub(super) fn check(sources: &[Source], findings: &mut Vec<String>) {
    for source in sources {
        let path = source.path.as_str();
        if !SOURCES.iter().any(|extension| path.ends_with(extension))
            || is_test(path)
            || is_generated(path)
        {
            continue;
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX && !LONG_FILES.iter().any(|(known, _)| *known == path) {
            findings.push(format!("{path}: {lines} lines, more than {FILE_LINES_MAX}"));
        }
        if Path::new(path).extension() != Some("rs".as_ref()) {
            continue;
        }
        for (name, line, length) in long_functions(&source.text) {
            if !LONG_FUNCTIONS.iter().any(|(file, known, _)| *file == path && *known == name) {
                findings.push(format!(
                    "{path}:{line}: `{name}` has {length} lines, more than {FUNCTION_LINES_MAX}"
                ));
            }
        }
    }
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/")
        || path.starts_with("tests/")
        || path.ends_with("/tests.rs")
        || path.contains(".test.")
        || path.contains("/benches/")
}

fn is_generated(path: &str) -> bool {
    path.contains(".gen.") || path.contains("/generated/")
}

/// Functions longer than allowed, as (name, line, length), in formatted Rust source. Tests at the foot are left out.
///
/// Formatting makes this easy: a function ends at the first `}` with the indent of its `fn`.
fn long_functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with("mod tests {") {
            break;
        }
        let Some(name) = function_name(line) else { continue };
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let close = format!("{indent}}}");
        let declared = format!("{indent})");
        for (length, later) in lines.iter().skip(at).enumerate().map(|(i, line)| (i + 1, *line)) {
            let ends_here = length == 1 && (later.ends_with('}') || later.ends_with(';'));
            let no_body = later.starts_with(&declared) && later.ends_with(';');
            if ends_here || no_body {
                break;
            }
            if later == close {
                if length > FUNCTION_LINES_MAX {
                    found.push((name.to_owned(), at + 1, length));
                }
                break;
            }
        }
    }
    found
}

/// The name behind `fn`, if the line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let begins = before.split_whitespace().all(|word| {
        matches!(word, "pub" | "const" | "async" | "unsafe" | "extern")
            || word.starts_with("pub(")
            || word.ends_with(')')
    });
    let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (begins && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_functions_are_found_and_short_ones_are_not() {
        let body = "        work();\n".repeat(80);
        let text = format!(
            "impl X {{\n    pub(crate) const fn long(\n        a: u8,\n    ) -> u8 {{\n{body}    }}\n\
             \n    fn short(&self) -> u8 {{\n        1\n    }}\n\n    fn declared(\n        a: u8,\n    ) -> u8;\n}}\n\
             \nmod tests {{\n    fn long_test() {{\n{body}    }}\n}}\n"
        );
        assert_eq!(long_functions(&text), [("long".to_owned(), 2, 84)]);
    }

    #[test]
    fn tests_and_generated_files_are_exempt() {
        let text = "x\n".repeat(FILE_LINES_MAX + 1);
        let rows = [
            ("crates/a/src/lib.rs", 1),
            ("crates/a/src/room/tests.rs", 0),
            ("crates/a/tests/calls.rs", 0),
            ("web/meet/src/api/schema.gen.ts", 0),
            ("web/meet/src/app.tsx", 1),
            ("web/meet/src/app.test.tsx", 0),
            ("docs/long.md", 0),
        ];
        for (path, count) in rows {
            let mut findings = Vec::new();
            check(&[Source { path: path.to_owned(), text: text.clone() }], &mut findings);
            assert_eq!(findings.len(), count, "{path}");
        }
    }
}

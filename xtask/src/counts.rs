//! Reads how many tests passed and failed from what test runners print.

/// Tests of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Passed.
    pub(crate) passed: u64,
    /// Failed, errors included.
    pub(crate) failed: u64,
}

impl Counts {
    /// Counts of both.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// Adds up the closing lines of cargo test, pytest, Vitest and node's runner found in `log`.
/// Colours are ignored. A log without such a line counts nothing.
pub(crate) fn read(log: &str) -> Counts {
    log.lines().map(|line| read_line(&plain(line))).fold(Counts::default(), Counts::plus)
}

fn read_line(line: &str) -> Counts {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("test result: ") {
        return words(rest, &[';', '.']);
    }
    // Vitest, not its line of test files.
    if let Some(rest) = line.strip_prefix("Tests ") {
        return words(rest, &['|', '(']);
    }
    // node's runner, TAP and spec reporters.
    for sign in ["# ", "\u{2139} "] {
        if let Some(count) = line.strip_prefix(sign).and_then(|rest| rest.strip_prefix("pass ")) {
            return Counts { passed: count.parse().unwrap_or(0), failed: 0 };
        }
        if let Some(count) = line.strip_prefix(sign).and_then(|rest| rest.strip_prefix("fail ")) {
            return Counts { passed: 0, failed: count.parse().unwrap_or(0) };
        }
    }
    // pytest: `2 failed, 10 passed, 1 error in 3.21s`, with or without `=` around it.
    let bare = line.trim_matches('=').trim();
    if bare.contains(" in ") && bare.starts_with(|c: char| c.is_ascii_digit()) {
        return words(bare.split(" in ").next().unwrap_or_default(), &[',']);
    }
    Counts::default()
}

/// Reads `3 passed`, `1 failed`, `2 errors` between separators; everything else counts nothing.
fn words(text: &str, separators: &[char]) -> Counts {
    let mut counts = Counts::default();
    for part in text.split(separators) {
        let mut parts = part.split_whitespace();
        let (Some(number), Some(word)) = (parts.next(), parts.next()) else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match word {
            "passed" => counts.passed += number,
            "failed" | "error" | "errors" => counts.failed += number,
            _ => {}
        }
    }
    counts
}

/// The line without terminal colours.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            for c in chars.by_ref() {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        let rows = [
            ("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", 12, 0),
            ("test result: FAILED. 3 passed; 2 failed; 0 ignored; finished in 0.01s", 3, 2),
            ("===== 2 failed, 10 passed, 1 skipped, 1 error in 3.21s =====", 10, 3),
            ("7 passed in 65.00s (0:01:05)", 7, 0),
            ("      Tests  1 failed | 11 passed (12)", 11, 1),
            ("\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[32m4 passed\u{1b}[39m (4)", 4, 0),
            (" Test Files  2 passed (2)", 0, 0),
            ("# pass 5", 5, 0),
            ("\u{2139} fail 2", 0, 2),
            ("12 files checked in 3 s", 0, 0),
            ("nothing of the kind", 0, 0),
        ];
        for (line, passed, failed) in rows {
            assert_eq!(read(line), Counts { passed, failed }, "{line}");
        }
    }

    #[test]
    fn lines_add_up() {
        let log =
            "test result: ok. 1 passed; 0 failed\nnoise\ntest result: ok. 2 passed; 1 failed\n";
        assert_eq!(read(log), Counts { passed: 3, failed: 1 });
    }
}

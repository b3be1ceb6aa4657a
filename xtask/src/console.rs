//! Writing to the person at the terminal. A closed terminal is no error.

use std::io::Write as _;

/// Prints one text and a newline, at once.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: there is nobody to tell either.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

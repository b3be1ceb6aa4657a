//! Plain decimal numbers, read into integers without a float in between.

/// Bytes that a written number can have; the longest sensible one has 21.
pub(crate) const DECIMAL_LEN_MAX: usize = 32;

/// Why a text is no such number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecimalProblem {
    /// It is written otherwise; says how.
    Malformed(&'static str),
    /// It is a number that does not fit.
    TooLarge,
}

/// Reads an optional minus, digits, and optionally a point with 1 to `digits_max` digits, and gives the
/// number in units of the last of those digits: `-12.34` with 6 is -12,340,000.
///
/// No plus, no exponent, no spaces, no grouping.
pub(crate) fn fixed_point(text: &str, digits_max: usize) -> Result<i64, DecimalProblem> {
    let malformed = |problem| Err(DecimalProblem::Malformed(problem));
    if text.len() > DECIMAL_LEN_MAX {
        return malformed("it is too long");
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return malformed("no digit follows the point"),
        Some(parts) => parts,
        None => (digits, ""),
    };
    if whole.is_empty() {
        return malformed("it has no digit before the point");
    }
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return malformed("it has a character that is no digit");
    }
    if fraction.len() > digits_max {
        return malformed("it has too many digits after the point");
    }
    let padding = "0".repeat(digits_max.saturating_sub(fraction.len()));
    format!("{sign}{whole}{fraction}{padding}").parse().map_err(|_| DecimalProblem::TooLarge)
}

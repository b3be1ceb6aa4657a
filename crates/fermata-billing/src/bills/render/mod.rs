//! A bill as a spreadsheet and as a page to print. Both say the same lines; neither calculates anything.

mod csv;
mod html;

pub use csv::csv;
pub use html::html;

use crate::journal::BillLine;
use crate::state::Burn;

/// Minutes of a line that packages covered.
fn covered(line: &BillLine) -> u64 {
    line.covered.iter().map(|burn| burn.minutes).fold(0, u64::saturating_add)
}

/// Which packages covered how many minutes, such as `PK_1: 40, PK_2: 2`.
fn packages(burns: &[Burn]) -> String {
    let parts: Vec<_> =
        burns.iter().map(|burn| format!("{}: {}", burn.package, burn.minutes)).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests;

//! Recomputing everything that is stored twice, and saying which row disagrees (P1, P2, P3, P8, P11, P14, P15, P19).
//!
//! One pass over the journal of one account, oldest row first; then the balances, packages, open days and
//! closed days that are stored are held against what the rows add up to.
//! What it is not: a repair. It changes nothing, and stored facts that contradict each other are an answer, not
//! an error.

mod documents;
mod end;
mod pass;
#[cfg(test)]
mod tests;

use crate::id::BillId;
use crate::journal::JournalRow;
use crate::limits::DISAGREEMENTS_MAX;
use crate::money::Money;
use crate::state::{DayUse, State};

/// Something that is stored and does not follow from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// What should hold, with the property it belongs to, such as `P2 a balance is the sum of its entries`.
    pub what: &'static str,
    /// Which row, item or balance.
    pub row: String,
    /// What it says.
    pub stored: String,
    /// What the rest says it should be.
    pub computed: String,
}

/// What was found so far; no more than [`DISAGREEMENTS_MAX`] are kept, since a broken book says the same a
/// million times.
#[derive(Debug, Default)]
struct Findings(Vec<Disagreement>);

impl Findings {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "names and numbers, owned or not, are alike here"
    )]
    fn add(
        &mut self,
        what: &'static str,
        row: impl ToString,
        stored: impl ToString,
        computed: impl ToString,
    ) {
        if self.0.len() < DISAGREEMENTS_MAX {
            self.0.push(Disagreement {
                what,
                row: row.to_string(),
                stored: stored.to_string(),
                computed: computed.to_string(),
            });
        }
    }

    /// Adds a finding unless the two are equal.
    fn same<T: PartialEq + ToString>(
        &mut self,
        what: &'static str,
        row: impl ToString,
        stored: &T,
        computed: &T,
    ) {
        if stored != computed {
            self.add(what, row, stored.to_string(), computed.to_string());
        }
    }
}

/// Recomputes the books of one account.
///
/// `journal` are all its rows in order, `closed_days` and `credited` the items of these kinds that are stored
/// (they are not part of `state`). Reads each once. Answers what disagrees, at most [`DISAGREEMENTS_MAX`];
/// nothing, if the books are right.
pub fn verify(
    state: &State,
    journal: impl Iterator<Item = JournalRow>,
    closed_days: impl Iterator<Item = DayUse>,
    credited: impl Iterator<Item = (BillId, Money)>,
) -> Vec<Disagreement> {
    let mut pass = pass::Pass::default();
    for row in journal {
        pass.row(&row);
    }
    end::check(pass, state, closed_days, credited)
}

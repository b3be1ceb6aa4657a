//! Making a failing history short: events are left out, many at once and then one by one, while it still fails.

use crate::faults::Fault;
use crate::history::draw;
use crate::options::Options;
use crate::run::{Divergence, attempt, divergence};

/// Shrinks a divergence. `tries` bounds how many runs that may take.
///
/// What counts as the same failure is that the same kind of fact differs; which account and which figures may
/// change.
pub fn shrink(
    found: &Divergence,
    options: &Options,
    fault: Option<Fault>,
    tries: usize,
) -> Divergence {
    let Ok(history) = draw(found.seed, options) else { return found.clone() };
    let mut keep: Vec<bool> =
        (0..history.events.len()).map(|number| found.events.contains(&number)).collect();
    let mut problem = found.problem.clone();
    let mut left = tries;
    let mut chunk = keep.len().div_ceil(2).max(1);
    loop {
        let mut progress = false;
        let mut start = 0;
        while start < keep.len() && left > 0 {
            let end = (start + chunk).min(keep.len());
            let some = keep.get(start..end).is_some_and(|part| part.contains(&true));
            if some {
                let mut fewer = keep.clone();
                if let Some(part) = fewer.get_mut(start..end) {
                    part.fill(false);
                }
                left -= 1;
                if let Err(simpler) = attempt(&history, options, fault, &fewer)
                    && fact(&simpler) == fact(&found.problem)
                {
                    (keep, problem, progress) = (fewer, simpler, true);
                }
            }
            start = end;
        }
        if left == 0 || (chunk == 1 && !progress) {
            return divergence(found.seed, problem, &history, &keep);
        }
        chunk = if chunk == 1 { 1 } else { chunk.div_ceil(2) };
    }
}

/// The kind of fact: the words before the figures.
fn fact(problem: &str) -> String {
    let words = problem.split(": it is").next().unwrap_or(problem);
    words.chars().filter(|one| one.is_alphabetic() || *one == ' ').take(80).collect()
}

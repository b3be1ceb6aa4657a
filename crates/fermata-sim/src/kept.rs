//! Failing seeds that are kept: a small text file each, read by the tests.
//!
//! Lines of `name = value`; `#` begins a comment. `seed` is needed; `days`, `accounts`, `polling` (`exact` or
//! `random`) are those of the options; `events` are numbers of the events that are kept, all if absent.
//! Numbers mean the events that the generator draws today: who changes what it draws finds the case anew.

use crate::options::{Options, Polling};

/// One kept run.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its seed.
    pub seed: u64,
    /// Its options.
    pub options: Options,
    /// Numbers of the events that are kept; all if none is named.
    pub events: Option<Vec<usize>>,
}

/// Reads a kept run.
///
/// # Errors
/// A sentence that names the line.
pub fn parse_kept(text: &str) -> Result<Kept, String> {
    let mut kept = Kept { seed: 0, options: Options::default(), events: None };
    let mut seeded = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || format!("this line is not understood: {line}");
        let (name, value) = line.split_once('=').ok_or_else(wrong)?;
        let value = value.trim();
        match name.trim() {
            "seed" => {
                kept.seed = value.parse().map_err(|_| wrong())?;
                seeded = true;
            }
            "days" => kept.options.days = value.parse().map_err(|_| wrong())?,
            "accounts" => kept.options.accounts = value.parse().map_err(|_| wrong())?,
            "polling" => {
                kept.options.polling = match value {
                    "exact" => Polling::Exact,
                    "random" => Polling::Random,
                    _ => return Err(wrong()),
                }
            }
            "events" => {
                let numbers: Result<Vec<usize>, _> =
                    value.split_whitespace().map(str::parse).collect();
                kept.events = Some(numbers.map_err(|_| wrong())?);
            }
            _ => return Err(wrong()),
        }
    }
    if seeded { Ok(kept) } else { Err("there is no line with the seed".to_owned()) }
}

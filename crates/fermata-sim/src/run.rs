//! Running worlds: once, twice in different ways, and replays of what the core was asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use fermata_billing::notice::NoticeKind;
use jiff::Timestamp;

use crate::Fallible;
use crate::actors::shown;
use crate::coverage::Coverage;
use crate::driver::{Direct, Driver, Stored, replay};
use crate::faults::Fault;
use crate::history::{History, NODES, draw};
use crate::kept::Kept;
use crate::options::{Options, Polling};
use crate::terms::{catalog, policy};
use crate::world::{World, first_variant};

/// A run that did not end as it should.
#[derive(Debug, Clone)]
pub struct Divergence {
    /// Its seed.
    pub seed: u64,
    /// The first fact that differs.
    pub problem: String,
    /// The events that are needed for it, one a line; all of them before shrinking.
    pub history: Vec<String>,
    /// Their numbers.
    pub events: Vec<usize>,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.problem)?;
        for line in &self.history {
            writeln!(f, "  {line}")?;
        }
        let numbers: Vec<String> = self.events.iter().map(ToString::to_string).collect();
        write!(f, "  events = {}", numbers.join(" "))
    }
}

/// When notices went out, by account and kind.
pub type Notices = BTreeMap<(usize, NoticeKind), Vec<Timestamp>>;

type Ran<'a> = World<'a, Direct>;

fn direct(history: &History, options: &Options, fault: Option<Fault>) -> Fallible<Direct> {
    let mark = if options.watermarks { history.start } else { Timestamp::MAX };
    let mut direct = Direct::new(Arc::new(catalog(history.start)?), NODES, mark, fault);
    for (number, person) in history.people.iter().enumerate() {
        let variant = person.partner.map_or(0, first_variant);
        direct.add(number, person.partner, policy(variant));
    }
    Ok(direct)
}

fn ran<'a>(
    history: &'a History,
    options: &'a Options,
    fault: Option<Fault>,
    keep: &[bool],
    log: bool,
) -> Fallible<Ran<'a>> {
    let mut driver = direct(history, options, fault)?;
    driver.log = log.then(Vec::new);
    let catalog = Arc::new(catalog(history.start)?);
    let mut world = World::new(driver, catalog, options, history);
    world.live(history, keep)?;
    Ok(world)
}

/// Runs some of the events of a history; answers what it reached, or the problem.
pub(crate) fn attempt(
    history: &History,
    options: &Options,
    fault: Option<Fault>,
    keep: &[bool],
) -> Fallible<Coverage> {
    ran(history, options, fault, keep, false).map(|mut world| world.driver.coverage().clone())
}

pub(crate) fn divergence(
    seed: u64,
    problem: String,
    history: &History,
    keep: &[bool],
) -> Divergence {
    let kept = history.events.iter().enumerate().zip(keep).filter(|(_, kept)| **kept);
    let (mut lines, mut events) = (Vec::new(), Vec::new());
    for ((number, event), _) in kept {
        let crash = event.crash.map(|crash| format!(", {crash:?}")).unwrap_or_default();
        lines.push(format!(
            "{number}: account {}, {}{crash}",
            event.account,
            shown(event.at, &event.what)
        ));
        events.push(number);
    }
    let people = history.people.iter().enumerate();
    let people = people.map(|(number, person)| format!("account {number}: {person:?}"));
    let history = people.chain(lines).collect();
    Divergence { seed, problem, history, events }
}

fn drawn(seed: u64, options: &Options) -> Result<History, Divergence> {
    draw(seed, options).map_err(|problem| Divergence {
        seed,
        problem,
        history: Vec::new(),
        events: Vec::new(),
    })
}

/// Runs one seed.
///
/// # Errors
/// The divergence, not shrunk.
pub fn run(
    seed: u64,
    options: &Options,
    fault: Option<Fault>,
) -> Result<Coverage, Box<Divergence>> {
    let history = drawn(seed, options)?;
    let keep = vec![true; history.events.len()];
    attempt(&history, options, fault, &keep)
        .map_err(|problem| Box::new(divergence(seed, problem, &history, &keep)))
}

/// Runs a kept one.
///
/// # Errors
/// As [`run`].
pub fn run_kept(kept: &Kept) -> Result<Coverage, Box<Divergence>> {
    let history = drawn(kept.seed, &kept.options)?;
    let wanted = |number: &usize| kept.events.as_ref().is_none_or(|events| events.contains(number));
    let keep: Vec<bool> = (0..history.events.len()).map(|number| wanted(&number)).collect();
    attempt(&history, &kept.options, None, &keep)
        .map_err(|problem| Box::new(divergence(kept.seed, problem, &history, &keep)))
}

/// Runs a seed and replays everything that the core was asked on empty books: do both end alike (P7)?
///
/// # Errors
/// Where they differ, in words.
pub fn replayed(seed: u64, options: &Options) -> Result<usize, String> {
    let history = draw(seed, options)?;
    let keep = vec![true; history.events.len()];
    let mut world = ran(&history, options, None, &keep, true)?;
    let log = world.driver.log.take().unwrap_or_default();
    let again = replay(&log, &world.catalog)?;
    if again == world.driver.digests() {
        Ok(log.len())
    } else {
        Err(format!("P7: seed {seed} replays to other books"))
    }
}

/// Runs a seed with its crashes and without: do both end alike (P20)?
///
/// # Errors
/// Where they differ, in words.
pub fn crash_or_not(seed: u64, options: &Options) -> Result<(), String> {
    let history = draw(seed, options)?;
    let keep = vec![true; history.events.len()];
    let crashing = Options { crashes: true, ..options.clone() };
    let calm = Options { crashes: false, ..options.clone() };
    let one = ran(&history, &crashing, None, &keep, false)?.driver.digests();
    let other = ran(&history, &calm, None, &keep, false)?.driver.digests();
    if one == other { Ok(()) } else { Err(format!("P20: seed {seed} ends otherwise with crashes")) }
}

/// Runs a seed with timers looked at exactly and lazily: are notices and suspensions of the lazy run never earlier
/// and never more (I10)?
///
/// # Errors
/// Where they are, in words.
pub fn late_or_not(seed: u64, options: &Options) -> Result<usize, String> {
    let base = Options { ungated: true, watermarks: false, crashes: false, ..options.clone() };
    let of = |polling| Options { polling, ..base.clone() };
    let (exact, lazy) = (of(Polling::Exact), of(Polling::Random));
    let history = draw(seed, &lazy)?;
    let keep = vec![true; history.events.len()];
    let early = notices(&ran(&history, &exact, None, &keep, false)?);
    let late = notices(&ran(&history, &lazy, None, &keep, false)?);
    let mut compared = 0;
    for ((account, kind), late) in &late {
        let known = early.get(&(*account, *kind)).map(Vec::as_slice).unwrap_or_default();
        for (number, at) in late.iter().enumerate() {
            compared += 1;
            let Some(first) = known.get(number) else {
                return Err(format!(
                    "I10: seed {seed}, account {account}: more {} when lazy",
                    kind.code()
                ));
            };
            if at < first {
                return Err(format!(
                    "I10: seed {seed}, account {account}: {} number {number} at {at} when lazy, at {first} when exact",
                    kind.code()
                ));
            }
        }
    }
    Ok(compared)
}

const STANDING: &[NoticeKind] = &[
    NoticeKind::ArrearsReminder,
    NoticeKind::ArrearsWarning,
    NoticeKind::Suspended,
    NoticeKind::ArrearsCleared,
    NoticeKind::ReclaimNotice,
    NoticeKind::ReclaimFinal,
    NoticeKind::Cleared,
    NoticeKind::BillReady,
    NoticeKind::Unfunded,
];

fn notices(world: &Ran<'_>) -> Notices {
    let mut notices = Notices::new();
    for (account, truth) in &world.truths {
        for (kind, times) in &truth.observed.times {
            if STANDING.contains(kind) {
                notices.insert((*account, *kind), times.clone());
            }
        }
    }
    notices
}

/// A store that a seed is run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend<'a> {
    /// The model in memory.
    Memory,
    /// SQLite in an empty folder; the process dies at crash points.
    Sqlite(&'a std::path::Path),
}

/// Runs one seed on a store's own books (P21, P20). No day waits for nodes, since whom a store waits for is a rule
/// of its own.
///
/// # Errors
/// The divergence, not shrunk.
pub fn run_on(
    seed: u64,
    options: &Options,
    backend: Backend<'_>,
) -> Result<Coverage, Box<Divergence>> {
    let options = Options { watermarks: false, nodes_only: true, ..options.clone() };
    let history = drawn(seed, &options)?;
    let keep = vec![true; history.events.len()];
    let lived = || -> Fallible<Coverage> {
        let catalog = Arc::new(catalog(history.start)?);
        let folder = match backend {
            Backend::Memory => None,
            Backend::Sqlite(folder) => Some(folder),
        };
        let driver = Stored::new(folder, &catalog, history.start)?;
        let mut world = World::new(driver, catalog, &options, &history);
        world.live(&history, &keep)?;
        Ok(world.driver.coverage().clone())
    };
    lived().map_err(|problem| Box::new(divergence(seed, problem, &history, &keep)))
}

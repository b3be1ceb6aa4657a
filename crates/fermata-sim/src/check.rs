//! What must hold after every step (I1 to I14, P1 to P4), and what a deliberate fault does to a state.
//!
//! What it is not: the oracle. These look at one step and need no history.

use std::collections::BTreeMap;

use fermata_billing::Outcome;
use fermata_billing::command::{Command, Meta};
use fermata_billing::effect::OperationClass;
use fermata_billing::hold::HoldKind;
use fermata_billing::id::HoldId;
use fermata_billing::journal::{LedgerAccount, LedgerUnit, Record};
use fermata_billing::policy::Policy;
use fermata_billing::standing::{allows, effective, verdicts};
use fermata_billing::state::{Change, Episode, Hold, Item, ItemKey, PackageStatus, Reclaim, State};
use fermata_billing::timer::TimerKind;
use fermata_billing::transition::Transition;
use jiff::SignedDuration;

use crate::Fallible;
use crate::faults::Fault;

/// What is remembered of a state before a step.
#[derive(Debug)]
pub(crate) struct Before {
    episode: Option<Episode>,
    reclaim: Reclaim,
    epoch: u64,
    holds: BTreeMap<HoldId, Hold>,
    confirm_due: Option<jiff::Timestamp>,
}

impl Before {
    pub(crate) fn of(state: &State) -> Self {
        Self {
            episode: state.episode,
            reclaim: state.reclaim.clone(),
            epoch: state.head.epoch,
            holds: state.holds.clone(),
            confirm_due: state.ticket.as_ref().map(|ticket| ticket.confirm_due),
        }
    }
}

fn ensure(holds: bool, problem: impl FnOnce() -> String) -> Fallible<()> {
    if holds { Ok(()) } else { Err(problem()) }
}

fn counts(hold: &Hold, policy: &Policy) -> bool {
    let kind = hold.kind;
    let frozen = kind == HoldKind::PartnerFreeze && policy.freeze_reclaims;
    !hold.proposed && (matches!(kind, HoldKind::Arrears | HoldKind::Violation) || frozen)
}

/// Everything that one step must leave true.
pub(crate) fn step(
    before: &Before,
    state: &State,
    outcome: &Outcome,
    meta: &Meta,
    policy: &Policy,
) -> Fallible<()> {
    standing(before, state, outcome, policy)?;
    reclaim(before, state, meta, policy)?;
    money(state, outcome)
}

fn standing(before: &Before, state: &State, outcome: &Outcome, policy: &Policy) -> Fallible<()> {
    if let (Some(old), Some(new)) = (before.episode, state.episode)
        && old.number == new.number
    {
        ensure(old.since == new.since, || format!("I2: {} became {}", old.since, new.since))?;
    }
    for hold in before.holds.values() {
        let final_one = hold.kind == HoldKind::Violation && !hold.proposed;
        ensure(!final_one || state.holds.get(&hold.id) == Some(hold), || {
            format!("I4: the violation {} is not what it was", hold.id)
        })?;
    }
    if before.holds != state.holds {
        ensure(outcome.epoch_changed && state.head.epoch > before.epoch, || {
            "I13: holds changed without a new epoch".to_owned()
        })?;
        let audits: Vec<_> = outcome
            .journal
            .iter()
            .filter_map(|row| match &row.record {
                Record::Audit(audit) => audit.details.get("hold"),
                _ => None,
            })
            .collect();
        let ids = before.holds.keys().chain(state.holds.keys());
        for id in ids.filter(|id| before.holds.get(*id) != state.holds.get(*id)) {
            let audited = audits.iter().any(|known| known.as_str() == id.as_str());
            ensure(audited, || format!("I13: {id} changed without an audit row"))?;
        }
        if outcome.transitions.contains(&Transition::T7) {
            for hold in before.holds.values().filter(|hold| hold.kind != HoldKind::Arrears) {
                ensure(state.holds.get(&hold.id) == Some(hold), || format!("I5: {}", hold.id))?;
            }
        }
    }
    if before.holds != state.holds || before.reclaim != state.reclaim {
        doors(state, policy)?;
    }
    Ok(())
}

/// I6, I7, I12, I14.
fn doors(state: &State, policy: &Policy) -> Fallible<()> {
    for verdict in verdicts(state, policy) {
        let holds = effective(state, Some(verdict.app));
        let cleared = state.reclaim.is_irreversible();
        let none = holds.is_empty() && !cleared;
        ensure(verdict.enter == none, || format!("I6: {verdict:?}"))?;
        let same = holds.iter().all(|hold| verdict.holds.contains(&hold.kind))
            && verdict.holds.iter().all(|kind| holds.iter().any(|hold| hold.kind == *kind));
        ensure(same, || format!("I14: {verdict:?}"))?;
        let ends = [HoldKind::Violation, HoldKind::Closure];
        let dismissed = cleared || verdict.holds.iter().any(|kind| ends.contains(kind));
        ensure(verdict.dismiss == dismissed, || format!("I12: {verdict:?}"))?;
        let blocks = [HoldKind::Arrears, HoldKind::Violation, HoldKind::Closure];
        let blocked = cleared || verdict.holds.iter().any(|kind| blocks.contains(kind));
        let readable = allows(state, policy, OperationClass::Recordings, Some(verdict.app));
        ensure(readable != blocked, || format!("I7: {verdict:?}"))?;
        let dismissable = allows(state, policy, OperationClass::Dismiss, Some(verdict.app));
        ensure(dismissable, || format!("A2: rooms of {} cannot be dismissed", verdict.app))?;
    }
    Ok(())
}

fn reclaim(before: &Before, state: &State, meta: &Meta, policy: &Policy) -> Fallible<()> {
    let was = before.reclaim.is_irreversible();
    let is = state.reclaim.is_irreversible();
    ensure(!was || is, || "I9: the stage went back".to_owned())?;
    if matches!(before.reclaim, Reclaim::Cleared { .. }) {
        ensure(before.reclaim == state.reclaim, || "I9: cleared twice".to_owned())?;
    }
    if is && !was {
        let term = policy.reclaim_after_hours.map(|hours| SignedDuration::from_hours(hours.into()));
        let long = |hold: &&Hold| {
            let from = hold.since.max(hold.applied_at);
            term.is_some_and(|term| meta.now.duration_since(from) > term)
        };
        let by_time =
            before.holds.values().filter(|hold| counts(hold, policy)).any(|hold| long(&hold));
        let by_consent = before.confirm_due.is_some_and(|due| due <= meta.now)
            && before.holds.values().any(|hold| hold.kind == HoldKind::Closure);
        ensure(by_time || by_consent, || "I8: clearing began too early".to_owned())?;
    }
    if !is {
        let eligible = state.holds.values().any(|hold| counts(hold, policy));
        let armed = state.timers.contains_key(&TimerKind::ReclaimDue);
        ensure(eligible || !armed, || {
            "I3: a timer of reclamation without an eligible hold".to_owned()
        })?;
    }
    Ok(())
}

/// P1 to P4.
fn money(state: &State, outcome: &Outcome) -> Fallible<()> {
    let mut posted = false;
    for row in &outcome.journal {
        match &row.record {
            Record::Txn(txn) => {
                posted = true;
                for unit in [LedgerUnit::Money, LedgerUnit::Minutes] {
                    let of_unit = txn.entries.iter().filter(|entry| entry.account.unit() == unit);
                    let sum: i128 = of_unit.map(|entry| i128::from(entry.amount)).sum();
                    ensure(sum == 0, || format!("P1: {} is out by {sum}", txn.id))?;
                }
            }
            Record::Bill(bill) => {
                let after = bill.balance_before.micros() - bill.total.micros();
                ensure(after == bill.balance_after.micros(), || format!("P15: {}", bill.id))?;
            }
            _ => {}
        }
    }
    if posted {
        for unit in [LedgerUnit::Money, LedgerUnit::Minutes] {
            let of_unit = state.balances.iter().filter(|(account, _)| account.unit() == unit);
            let sum: i128 = of_unit.map(|(_, amount)| i128::from(*amount)).sum();
            ensure(sum == 0, || format!("P2: {unit:?} sums to {sum}"))?;
        }
    }
    for package in state.packages.values() {
        ensure(!package.left.is_negative() && !package.settled.is_negative(), || {
            format!("P3: {package:?}")
        })?;
    }
    for day in state.days.values() {
        let shared = day.covered() + day.billed + day.absorbed;
        ensure(day.minutes() == shared, || format!("P4: {day:?}"))?;
    }
    Ok(())
}

/// What a fault does after a step, as changes.
pub(crate) fn faulty(
    fault: Fault,
    state: &State,
    command: &Command,
    meta: &Meta,
    outcome: &Outcome,
) -> Vec<Change> {
    let took = |transition| outcome.transitions.contains(&transition);
    match fault {
        Fault::ClockRestarted => match (state.episode, took(Transition::T6)) {
            (Some(episode), true) if state.timers.contains_key(&TimerKind::Suspend) => {
                let due = meta.applied.saturating_add(SignedDuration::from_hours(24));
                let due = due.unwrap_or(meta.applied);
                let since = meta.applied;
                let restarted = Episode { since, suspend_due: Some(due), ..episode };
                vec![
                    Change::Put(Item::Episode(restarted)),
                    Change::Put(Item::Timer(TimerKind::Suspend, due)),
                ]
            }
            _ => Vec::new(),
        },
        Fault::HoldClearedOnEnable => match command {
            Command::EnableApp { app } => {
                let own = state
                    .holds
                    .values()
                    .filter(|hold| hold.scope == fermata_billing::hold::Scope::App(*app));
                own.map(|hold| Change::Drop(ItemKey::Hold(hold.id.clone()))).collect()
            }
            _ => Vec::new(),
        },
        Fault::PackageShields => {
            let live = |status| status == PackageStatus::Live;
            let minutes =
                state.packages.values().any(|one| live(one.status) && one.left.is_positive());
            let held = state.holds.values().find(|hold| hold.kind == HoldKind::Arrears);
            match held {
                Some(hold) if minutes && took(Transition::T8) => {
                    let timers = state.timers.keys().filter(|timer| {
                        matches!(timer, TimerKind::ReclaimDue | TimerKind::ReclaimNotice(_))
                    });
                    let timers = timers.map(|timer| Change::Drop(ItemKey::Timer(timer.clone())));
                    let hold = Change::Drop(ItemKey::Hold(hold.id.clone()));
                    timers.chain([hold, Change::Put(Item::Reclaim(Reclaim::None))]).collect()
                }
                _ => Vec::new(),
            }
        }
        Fault::SixtyDaysReached => sixty_days(state, command, meta),
        Fault::LateChargedTwice => {
            let late = state.pending.values().find(|line| line.key.late && line.billed > 0);
            match late {
                Some(line) if took(Transition::T25) => {
                    let mut line = line.clone();
                    line.billed += 1;
                    line.minutes += 1;
                    vec![Change::Put(Item::Pending(line))]
                }
                _ => Vec::new(),
            }
        }
        Fault::DoublePosting => Vec::new(),
    }
}

/// The sweep is armed for the very moment, and begins then.
fn sixty_days(state: &State, command: &Command, meta: &Meta) -> Vec<Change> {
    let Reclaim::Due { at } = state.reclaim else { return Vec::new() };
    let sweep = state.timers.get(&TimerKind::ReclaimDue).copied();
    if matches!(command, Command::Fire { timer: TimerKind::ReclaimDue }) && meta.now == at {
        let clearing = Reclaim::Clearing { step: 0, since: meta.applied };
        return vec![
            Change::Put(Item::Reclaim(clearing)),
            Change::Drop(ItemKey::Timer(TimerKind::ReclaimDue)),
            Change::Put(Item::Timer(TimerKind::ReclaimStep, meta.now)),
        ];
    }
    if sweep
        .is_some_and(|sweep| sweep > at && sweep.duration_since(at) == SignedDuration::from_secs(1))
    {
        return vec![Change::Put(Item::Timer(TimerKind::ReclaimDue, at))];
    }
    Vec::new()
}

/// A balance of the ledger, micro-units or thousandths.
pub(crate) fn balance(state: &State, account: &LedgerAccount) -> i64 {
    state.balances.get(account).copied().unwrap_or(0)
}

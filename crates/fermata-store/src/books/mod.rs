//! Carrying the core's commands out on any backend: load the state, ask the core, save what it says.
//!
//! What it is not: it decides nothing about money or standing, and it knows no SQL. A backend is a [`Shelf`];
//! each function here runs within one transaction of it.

mod advance;
mod bill;
pub(crate) mod changes;
mod due;
mod parties;
mod usage;

use std::sync::Arc;

use fermata_billing::catalog::Catalog;
use fermata_billing::command::{Actor, Command, Meta, Refusal, UsageDelta};
use fermata_billing::id::PartnerId;
use fermata_billing::journal::{Record, RecordKind};
use fermata_billing::limits::FIRED_PER_CALL_MAX;
use fermata_billing::policy::{Agreement, Policy, policy_at};
use fermata_billing::state::{Item, ItemKey, Profile, State};
use fermata_billing::transition::Transition;
use fermata_billing::{Env, Outcome, ReadError, Reads, step};
use fermata_types::AccountId;
use jiff::{SignedDuration, Timestamp};

pub(crate) use self::advance::advance;
pub(crate) use self::bill::{bill, keep_answer, kept_answer};
pub(crate) use self::due::fire_due;
pub(crate) use self::parties::{
    add_catalog_version, create_app, open_account, put_agreement, reevaluate_due,
};
pub(crate) use self::usage::{Minutes, usage};
use crate::{Account, AppWithKeys, Fired, Once, RECLAIM_SWEEP, StoreError};

/// The finest difference of two moments, as they are stored.
const MOMENT: SignedDuration = SignedDuration::from_micros(1);

/// Outer error: the whole call is undone. Inner error: refused, but what happened before it stays,
/// such as timers that were due.
pub(crate) type Judged<T> = Result<Result<T, StoreError>, StoreError>;

/// The hash of a request, and the answer it got.
pub(crate) type KeptAnswer = ([u8; 32], Vec<u8>);

/// What is left to do after an agreement's version came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reevaluation {
    pub(crate) partner: PartnerId,
    pub(crate) version: u32,
    /// Accounts up to this id are done.
    pub(crate) after: Option<AccountId>,
    /// Wall time.
    pub(crate) due: Timestamp,
}

/// A backend, within one transaction.
pub(crate) trait Shelf {
    /// Takes the working set of an account out; an empty one if it has no books.
    fn take(&mut self, account: &AccountId) -> Result<State, StoreError>;
    /// Puts it back for the next call.
    fn put_back(&mut self, account: &AccountId, state: State);
    /// Writes down what a step did; `state` is as it is after it. `due`: wall time of the next timer.
    fn save(
        &mut self,
        account: &AccountId,
        state: &State,
        outcome: &Outcome,
        wall: Timestamp,
    ) -> Result<(), StoreError>;
    /// The account whose timer is due first, if one is due at `wall`.
    fn first_due(&self, wall: Timestamp) -> Result<Option<AccountId>, StoreError>;
    /// Overrules when an account is looked at next; the next [`Shelf::save`] overrules it again.
    fn set_due(
        &mut self,
        account: &AccountId,
        wall_due: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    fn catalog(&mut self) -> Result<Arc<Catalog>, StoreError>;
    fn put_catalog(&mut self, catalog: Catalog) -> Result<(), StoreError>;
    /// The agreement with a partner; one without versions if there is none.
    fn agreement(&mut self, partner: &PartnerId) -> Result<Arc<Agreement>, StoreError>;
    /// Keeps the last version of it, which is new.
    fn put_agreement(&mut self, agreement: Agreement) -> Result<(), StoreError>;
    fn has_partner(&self, partner: &PartnerId) -> Result<bool, StoreError>;
    /// Accounts of a partner by id, after `after`.
    fn accounts_of(
        &self,
        partner: &PartnerId,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, StoreError>;
    fn reevaluation(&self, wall: Timestamp) -> Result<Option<Reevaluation>, StoreError>;
    fn put_reevaluation(&mut self, work: Reevaluation) -> Result<(), StoreError>;
    fn drop_reevaluation(&mut self, work: &Reevaluation) -> Result<(), StoreError>;
    fn switch(&mut self, name: &'static str) -> Result<bool, StoreError>;

    fn item(&self, account: &AccountId, key: &ItemKey) -> Result<Option<Item>, StoreError>;
    fn record(
        &self,
        account: &AccountId,
        kind: RecordKind,
        id: &str,
    ) -> Result<Option<Record>, StoreError>;
    fn payment_elsewhere(
        &self,
        account: &AccountId,
        provider_ref: &str,
    ) -> Result<bool, StoreError>;
    /// Wall time before which all windows have arrived.
    fn watermark(&self, wall: Timestamp) -> Result<Timestamp, StoreError>;

    fn recall(&self, once: &Once) -> Result<Option<KeptAnswer>, StoreError>;
    fn remember(&mut self, once: &Once, answer: &[u8], wall: Timestamp) -> Result<(), StoreError>;

    /// Usage that could not be booked; taken out.
    fn take_waiting(&mut self, account: &AccountId) -> Result<Vec<UsageDelta>, StoreError>;
    fn keep_waiting(
        &mut self,
        account: &AccountId,
        deltas: &[UsageDelta],
    ) -> Result<(), StoreError>;
    /// Some accounts with usage that waits.
    fn accounts_waiting(&self, limit: usize) -> Result<Vec<AccountId>, StoreError>;

    fn account_row(&self, id: &AccountId) -> Result<Option<Account>, StoreError>;
    fn insert_account(&mut self, account: &Account) -> Result<(), StoreError>;
    /// The application, if it is there with the same contents; an error if it cannot be added.
    fn app_known(&self, app: &AppWithKeys) -> Result<bool, StoreError>;
    fn insert_app(&mut self, app: &AppWithKeys) -> Result<(), StoreError>;
}

/// Account time at a moment of wall time.
pub(crate) fn account_now(state: &State, wall: Timestamp) -> Timestamp {
    wall.saturating_add(clock_offset(state)).unwrap_or(Timestamp::MAX)
}

/// Account time less wall time; zero for live accounts.
pub(crate) fn clock_offset(state: &State) -> SignedDuration {
    let sandbox = state.profile.as_ref().is_some_and(|profile| profile.sandbox);
    SignedDuration::from_micros(if sandbox { state.head.clock_offset_us } else { 0 })
}

/// Wall time at which the account's first timer is due.
pub(crate) fn wall_due(state: &State) -> Option<Timestamp> {
    let (_, due) = state.next_timer()?;
    Some(due.saturating_sub(clock_offset(state)).unwrap_or(due))
}

/// Account time before which an account's service logs may be cleared: where its first open day begins.
/// What is younger may still be reported again, and would be counted again.
pub(crate) fn logs_end(profile: &Profile) -> Result<Timestamp, StoreError> {
    Ok(profile.calendar.day_start(profile.open_day).map_err(Refusal::from)?)
}

/// One account's books, taken out for the time of a call.
struct Desk<'a, S: Shelf> {
    shelf: &'a mut S,
    account: &'a AccountId,
    state: State,
    wall: Timestamp,
}

/// What fired, and why it stopped.
struct CaughtUp {
    fired: Vec<Fired>,
    /// A timer that the core refused to fire; nothing may happen in the account before it.
    refused: Option<StoreError>,
    /// More is due than one call may fire.
    more: bool,
}

impl CaughtUp {
    /// Why nothing more can happen in the account now, if so.
    fn obstacle(&mut self) -> Option<StoreError> {
        let more = self.more.then(|| {
            let text = "more timers are due than one call may fire; call again".to_owned();
            Refusal::Conflict(text).into()
        });
        self.refused.take().or(more)
    }
}

/// Takes an account's books out, works on them, and puts them back.
fn at_desk<S: Shelf, T>(
    shelf: &mut S,
    account: &AccountId,
    wall: Timestamp,
    work: impl FnOnce(&mut Desk<'_, S>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let state = shelf.take(account)?;
    let mut desk = Desk { shelf, account, state, wall };
    let outcome = work(&mut desk);
    let Desk { shelf, state, .. } = desk;
    shelf.put_back(account, state);
    outcome
}

impl<S: Shelf> Desk<'_, S> {
    fn now(&self) -> Timestamp {
        account_now(&self.state, self.wall)
    }

    fn policy(&mut self, at: Timestamp) -> Result<Policy, StoreError> {
        let partner = self.state.profile.as_ref().and_then(|profile| profile.partner.clone());
        match partner {
            Some(partner) => Ok(policy_at(Some(&*self.shelf.agreement(&partner)?), at)),
            None => Ok(Policy::default()),
        }
    }

    /// One step, saved. The inner error leaves everything as it was.
    fn run(&mut self, command: &Command, meta: &Meta) -> Judged<Outcome> {
        let catalog = self.shelf.catalog()?;
        let policy = self.policy(meta.now)?;
        let sandbox = self.state.profile.as_ref().is_some_and(|profile| profile.sandbox);
        let reclaim_on = sandbox || self.shelf.switch(RECLAIM_SWEEP)?;
        let shift =
            if sandbox { meta.applied.duration_since(self.wall) } else { SignedDuration::ZERO };
        let reads =
            BookReads { shelf: &*self.shelf, account: self.account, wall: self.wall, shift };
        let env = Env { catalog: &catalog, policy: &policy, reclaim_on, reads: &reads };
        match step(&mut self.state, command, meta, env) {
            Ok(outcome) => {
                self.shelf.save(self.account, &self.state, &outcome, self.wall)?;
                if outcome.transitions.contains(&Transition::T26) {
                    let account = self.account;
                    tracing::warn!(%account, "Usage cannot be billed and is set aside (T26).");
                }
                Ok(Ok(outcome))
            }
            Err(Refusal::Reads(text)) => Err(StoreError::Backend(text)),
            Err(refusal) => Ok(Err(refusal.into())),
        }
    }

    /// Fires what is due by `until`, in order. `jump`: the clock is moved along, nothing is late.
    fn catch_up(
        &mut self,
        until: Timestamp,
        jump: bool,
        limit: usize,
    ) -> Result<CaughtUp, StoreError> {
        let began = self.now();
        let mut caught = CaughtUp { fired: Vec::new(), refused: None, more: false };
        while let Some((timer, due)) = self.state.next_timer().filter(|(_, due)| *due <= until) {
            if caught.fired.len() >= limit {
                caught.more = true;
                break;
            }
            let applied = if jump { due.max(began) } else { until };
            let meta = Meta { now: due, applied, actor: Actor::system() };
            match self.run(&Command::Fire { timer: timer.clone() }, &meta)? {
                // A clearing step arms the next one for the same moment, but it leaves a receipt.
                Ok(outcome)
                    if self.state.timers.get(&timer) != Some(&due)
                        || !outcome.journal.is_empty() =>
                {
                    caught.fired.push(Fired {
                        account: self.account.clone(),
                        timer,
                        due,
                        applied,
                        transitions: outcome.transitions,
                        epoch_changed: outcome.epoch_changed,
                    });
                }
                Ok(_) => {
                    let text = format!("timer {} stays armed when it fires", timer.code());
                    caught.refused = Some(Refusal::Corrupt(text).into());
                    break;
                }
                Err(refused) => {
                    caught.refused = Some(refused);
                    break;
                }
            }
        }
        Ok(caught)
    }

    /// Fires what was due before now, before a command. What is due at this very moment comes after the
    /// command: a credit at the deadline wins (policy A19).
    fn catch_up_before_now(&mut self) -> Result<CaughtUp, StoreError> {
        let now = self.now();
        let before = now.saturating_sub(MOMENT).unwrap_or(now);
        self.catch_up(before, false, FIRED_PER_CALL_MAX)
    }
}

/// What the core looks up, of one account.
struct BookReads<'a, S> {
    shelf: &'a S,
    account: &'a AccountId,
    wall: Timestamp,
    /// Account time less wall time in this step.
    shift: SignedDuration,
}

fn failed(error: &StoreError) -> ReadError {
    ReadError(error.to_string())
}

impl<S: Shelf> Reads for BookReads<'_, S> {
    fn item(&self, key: &ItemKey) -> Result<Option<Item>, ReadError> {
        self.shelf.item(self.account, key).map_err(|error| failed(&error))
    }

    fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, ReadError> {
        self.shelf.record(self.account, kind, id).map_err(|error| failed(&error))
    }

    fn payment_elsewhere(&self, provider_ref: &str) -> Result<bool, ReadError> {
        self.shelf.payment_elsewhere(self.account, provider_ref).map_err(|error| failed(&error))
    }

    fn watermark(&self) -> Result<Timestamp, ReadError> {
        let mark = self.shelf.watermark(self.wall).map_err(|error| failed(&error))?;
        Ok(mark.saturating_add(self.shift).unwrap_or(Timestamp::MAX))
    }
}

/// Runs commands of one account one after the other as of one moment; any refusal is the error of all.
pub(crate) fn in_turn<S: Shelf>(
    shelf: &mut S,
    account: &AccountId,
    commands: &[Command],
    at: Timestamp,
    actor: &Actor,
) -> Result<(), StoreError> {
    at_desk(shelf, account, at, |desk| {
        for command in commands {
            desk.run(command, &Meta { now: at, applied: at, actor: actor.clone() })??;
        }
        Ok(())
    })
}

//! The step in progress: the one way to read and change the state, so that a refusal can take everything back.

use std::collections::BTreeMap;

use fermata_types::AccountId;
use jiff::Timestamp;

use super::{Env, Outcome, ReadError};
use crate::chain;
use crate::clause::ClauseId;
use crate::command::{Answer, Meta, Refusal};
use crate::journal::{AuditRow, DataClass, JournalRow, Record};
use crate::notice::Delivery;
use crate::state::{Change, Head, Item, ItemKey, Profile, State};
use crate::timer::TimerKind;
use crate::transition::Transition;

/// One step in progress.
#[derive(Debug)]
pub struct Step<'a> {
    state: &'a mut State,
    meta: &'a Meta,
    env: Env<'a>,
    undo: Vec<Change>,
    changed: BTreeMap<ItemKey, Option<Item>>,
    journal: Vec<JournalRow>,
    outbox: Vec<Delivery>,
    deletions: Vec<DataClass>,
    transitions: Vec<Transition>,
    epoch_before: u64,
}

impl<'a> Step<'a> {
    pub(crate) fn new(state: &'a mut State, meta: &'a Meta, env: Env<'a>) -> Self {
        let epoch_before = state.head.epoch;
        Self {
            state,
            meta,
            env,
            undo: Vec::new(),
            changed: BTreeMap::new(),
            journal: Vec::new(),
            outbox: Vec::new(),
            deletions: Vec::new(),
            transitions: Vec::new(),
            epoch_before,
        }
    }

    /// The account as it is now, in the middle of the step.
    pub(crate) fn state(&self) -> &State {
        self.state
    }

    /// What the step reads beside the state.
    pub(crate) fn env(&self) -> Env<'a> {
        self.env
    }

    /// The moment it counts from; of a timer its due instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.meta.now
    }

    /// Account time of the commit.
    pub(crate) fn applied(&self) -> Timestamp {
        self.meta.applied
    }

    /// Who asks.
    pub(crate) fn actor(&self) -> &'a crate::command::Actor {
        &self.meta.actor
    }

    /// The profile.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`].
    pub(crate) fn profile(&self) -> Result<&Profile, Refusal> {
        self.state.profile.as_ref().ok_or(Refusal::NotOpen)
    }

    /// The account's id.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`].
    pub(crate) fn account(&self) -> Result<AccountId, Refusal> {
        Ok(self.profile()?.account.clone())
    }

    /// Adds or replaces an item.
    pub(crate) fn put(&mut self, item: Item) {
        self.change(Change::Put(item));
    }

    /// Removes an item.
    pub(crate) fn remove(&mut self, key: ItemKey) {
        self.change(Change::Drop(key));
    }

    fn change(&mut self, change: Change) {
        let kept = match &change {
            Change::Put(item) => Some(item.clone()),
            Change::Drop(_) => None,
        };
        self.changed.insert(change.key(), kept);
        let back = self.state.apply(change);
        self.undo.push(back);
    }

    /// An item that is not in the working set, with what this step did to it.
    ///
    /// # Errors
    /// [`Refusal::Reads`].
    pub(crate) fn lookup(&self, key: &ItemKey) -> Result<Option<Item>, Refusal> {
        if let Some(kept) = self.changed.get(key) {
            return Ok(kept.clone());
        }
        Ok(self.env.reads.item(key)?)
    }

    /// Changes the profile.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`].
    pub(crate) fn edit_profile(&mut self, edit: impl FnOnce(&mut Profile)) -> Result<(), Refusal> {
        let mut profile = self.profile()?.clone();
        edit(&mut profile);
        self.put(Item::Profile(profile));
        Ok(())
    }

    /// Arms a timer for an absolute moment, in place of an earlier one of its kind.
    pub(crate) fn arm(&mut self, timer: TimerKind, due: Timestamp) {
        self.put(Item::Timer(timer, due));
    }

    /// Takes a timer off.
    pub(crate) fn disarm(&mut self, timer: &TimerKind) {
        if self.state.timers.contains_key(timer) {
            self.remove(ItemKey::Timer(timer.clone()));
        }
    }

    /// The next number for an id.
    pub(crate) fn serial(&mut self) -> u64 {
        let head = Head { serial: self.state.head.serial + 1, ..self.state.head };
        self.put(Item::Head(head));
        head.serial
    }

    /// What is allowed changes: nodes must be told (I13).
    pub(crate) fn bump_epoch(&mut self) {
        let head = Head { epoch: self.state.head.epoch + 1, ..self.state.head };
        self.put(Item::Head(head));
    }

    /// Moves the sandbox clock's offset, which only grows; nodes stamp usage by it, so they are told.
    pub(crate) fn set_clock_offset_us(&mut self, offset_us: i64) {
        self.put(Item::Head(Head { clock_offset_us: offset_us, ..self.state.head }));
        self.bump_epoch();
    }

    /// Appends a row to the journal, chained to the one before.
    ///
    /// # Errors
    /// [`Refusal::Corrupt`] if the row cannot be written down.
    pub(crate) fn record(&mut self, cause: ClauseId, record: Record) -> Result<(), Refusal> {
        let head = self.state.head;
        let mut row = JournalRow {
            seq: head.journal_seq + 1,
            at: self.meta.now,
            created_at: self.meta.applied,
            actor: self.meta.actor.text(),
            cause,
            record,
            prev_hash: head.journal_hash,
            hash: [0; 32],
        };
        row.hash = chain::hash(&row).map_err(Refusal::Corrupt)?;
        self.put(Item::Head(Head { journal_seq: row.seq, journal_hash: row.hash, ..head }));
        self.journal.push(row);
        Ok(())
    }

    /// Appends an audit row.
    ///
    /// # Errors
    /// As [`Step::record`].
    pub(crate) fn audit(
        &mut self,
        cause: ClauseId,
        action: &str,
        details: &[(&str, String)],
    ) -> Result<(), Refusal> {
        let details = details.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let row = AuditRow { action: action.to_owned(), app: None, details: details.collect() };
        self.record(cause, Record::Audit(row))
    }

    /// Puts a delivery into the outbox.
    pub(crate) fn deliver(&mut self, delivery: Delivery) {
        self.outbox.push(delivery);
    }

    /// Has a class of the account's data deleted with this step (T21).
    pub(crate) fn delete(&mut self, class: DataClass) {
        self.deletions.push(class);
    }

    /// Notes that a transition was taken.
    pub(crate) fn took(&mut self, transition: Transition) {
        self.transitions.push(transition);
    }

    pub(super) fn finish(self, answer: Answer) -> Outcome {
        let changes = self.changed.into_iter().map(|(key, item)| match item {
            Some(item) => Change::Put(item),
            None => Change::Drop(key),
        });
        Outcome {
            answer,
            changes: changes.collect(),
            journal: self.journal,
            outbox: self.outbox,
            deletions: self.deletions,
            transitions: self.transitions,
            epoch_changed: self.state.head.epoch != self.epoch_before,
        }
    }

    /// Takes everything back.
    pub(super) fn undo(self) {
        for change in self.undo.into_iter().rev() {
            self.state.apply(change);
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Reads(error.0)
    }
}

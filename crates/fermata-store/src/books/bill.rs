//! Ordinary commands, and answering a repeated call as it was answered the first time.

use fermata_billing::clause::ClauseId;
use fermata_billing::command::{Answer, Command, Meta, Refusal};
use fermata_billing::transition::Transition;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Judged, Shelf, at_desk};
use crate::rules::{self, invalid, stored};
use crate::{Billed, BillingCall, Once, StoreError};

/// What is kept of an answer.
#[derive(Serialize, Deserialize)]
struct Kept {
    answer: Answer,
    transitions: Vec<ClauseId>,
    epoch_changed: bool,
}

/// The answer of the earlier call with the same key, if there was one.
///
/// # Errors
/// [`StoreError::OnceReused`] if that was another request.
pub(super) fn recall<S: Shelf, T: DeserializeOwned>(
    shelf: &S,
    once: Option<&Once>,
) -> Result<Option<T>, StoreError> {
    let Some(once) = once else { return Ok(None) };
    rules::once(once)?;
    let Some((hash, answer)) = shelf.recall(once)? else { return Ok(None) };
    if hash != once.request_hash {
        return Err(StoreError::OnceReused);
    }
    let unreadable = |error| StoreError::Backend(format!("a kept answer: {error}"));
    serde_json::from_slice(&answer).map(Some).map_err(unreadable)
}

/// Keeps an answer for the next call with the same key.
pub(super) fn remember<S: Shelf>(
    shelf: &mut S,
    once: Option<&Once>,
    answer: &impl Serialize,
    wall: Timestamp,
) -> Result<(), StoreError> {
    let Some(once) = once else { return Ok(()) };
    let text =
        serde_json::to_vec(answer).map_err(|error| StoreError::Backend(error.to_string()))?;
    shelf.remember(once, &text, wall)
}

/// A key of whole answers: apart from those of commands, whose answers are kept in another form.
fn whole(once: &Once) -> Result<Once, StoreError> {
    rules::once(once)?;
    Ok(Once { scope: format!("{}/whole", once.scope), ..once.clone() })
}

/// The whole answer that was kept for a call.
pub(crate) fn kept_answer<S: Shelf>(shelf: &S, once: &Once) -> Result<Option<Vec<u8>>, StoreError> {
    match shelf.recall(&whole(once)?)? {
        Some((hash, _)) if hash != once.request_hash => Err(StoreError::OnceReused),
        kept => Ok(kept.map(|(_, answer)| answer)),
    }
}

/// Keeps the whole answer to a call.
pub(crate) fn keep_answer<S: Shelf>(
    shelf: &mut S,
    once: &Once,
    answer: &[u8],
    wall: Timestamp,
) -> Result<(), StoreError> {
    let once = whole(once)?;
    if shelf.recall(&once)?.is_some() {
        return Ok(());
    }
    shelf.remember(&once, answer, stored(wall))
}

/// Carries a call out; what is due fires first.
pub(crate) fn bill<S: Shelf>(shelf: &mut S, call: BillingCall) -> Judged<Billed> {
    let BillingCall { account, command, actor, wall, once } = call;
    let wall = stored(wall);
    let command = proper(command)?;
    if let Some(Kept { answer, transitions, epoch_changed }) = recall(shelf, once.as_ref())? {
        let transitions = transitions.into_iter().filter_map(Transition::from_clause).collect();
        let fired = Vec::new();
        return Ok(Ok(Billed { answer, fired, transitions, epoch_changed, replayed: true }));
    }
    if shelf.account_row(&account)?.is_none() {
        return Err(rules::no_account(&account));
    }
    let billed = at_desk(shelf, &account, wall, |desk| {
        let own_usage = matches!(command, Command::Usage { .. });
        if own_usage && !desk.state.profile.as_ref().is_some_and(|profile| profile.sandbox) {
            return Ok(Err(Refusal::NotSandbox.into()));
        }
        let mut caught = desk.catch_up_before_now()?;
        if let Some(obstacle) = caught.obstacle() {
            return Ok(Err(obstacle));
        }
        let now = desk.now();
        let meta = Meta { now, applied: now, actor };
        Ok(desk.run(&command, &meta)?.map(|outcome| Billed {
            answer: outcome.answer,
            fired: caught.fired,
            transitions: outcome.transitions,
            epoch_changed: outcome.epoch_changed,
            replayed: false,
        }))
    })?;
    if let Ok(billed) = &billed {
        let kept = Kept {
            answer: billed.answer.clone(),
            transitions: billed.transitions.iter().map(|taken| taken.clause()).collect(),
            epoch_changed: billed.epoch_changed,
        };
        remember(shelf, once.as_ref(), &kept, wall)?;
    }
    Ok(billed)
}

/// The command with its moments as they are stored, if it may come this way.
fn proper(command: Command) -> Result<Command, StoreError> {
    match command {
        Command::Open(_)
        | Command::CreateApp { .. }
        | Command::Fire { .. }
        | Command::MoveClock { .. } => {
            Err(invalid("command", "this one has a method of its own in the store"))
        }
        Command::GrantVoucher { amount, expires_at, reason } => {
            Ok(Command::GrantVoucher { amount, expires_at: stored(expires_at), reason })
        }
        Command::Usage { mut deltas } => {
            for delta in &mut deltas {
                delta.at = stored(delta.at);
            }
            Ok(Command::Usage { deltas })
        }
        other => Ok(other),
    }
}

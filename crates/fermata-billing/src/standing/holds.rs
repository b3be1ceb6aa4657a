//! The two ways in which a hold changes: it is put, or it is removed; each with its audit row and a new epoch
//! (I13).

use std::collections::BTreeMap;

use super::holds_on;
use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::hold::{HoldKind, Scope};
use crate::id::HoldId;
use crate::journal::{AuditRow, Record};
use crate::state::{Hold, Item, ItemKey};
use crate::step::Step;

/// A hold of `kind` from now on, raised by whoever asks; not put yet.
///
/// # Errors
/// [`Refusal::NotOpen`].
pub(crate) fn new_hold(step: &mut Step<'_>, kind: HoldKind, scope: Scope) -> Result<Hold, Refusal> {
    let account = step.account()?;
    Ok(Hold {
        id: HoldId::nth(&account, step.serial()),
        kind,
        scope,
        cause: None,
        since: step.now(),
        applied_at: step.applied(),
        reason: String::new(),
        evidence: String::new(),
        raised_by: step.actor().text(),
        proposed: false,
    })
}

/// Puts a hold, new or changed.
///
/// # Errors
/// [`Refusal::Corrupt`] if the audit row cannot be written down.
pub(crate) fn put_hold(
    step: &mut Step<'_>,
    hold: &Hold,
    action: &str,
    cause: ClauseId,
) -> Result<(), Refusal> {
    step.put(Item::Hold(hold.clone()));
    note(step, hold, action, cause)
}

/// Removes a hold.
///
/// # Errors
/// [`Refusal::Corrupt`] if the audit row cannot be written down.
pub(crate) fn remove_hold(
    step: &mut Step<'_>,
    hold: &Hold,
    action: &str,
    cause: ClauseId,
) -> Result<(), Refusal> {
    step.remove(ItemKey::Hold(hold.id.clone()));
    note(step, hold, action, cause)
}

fn note(step: &mut Step<'_>, hold: &Hold, action: &str, cause: ClauseId) -> Result<(), Refusal> {
    step.bump_epoch();
    let mut details = BTreeMap::from([
        ("hold".to_owned(), hold.id.to_string()),
        ("kind".to_owned(), hold.kind.code().to_owned()),
        ("scope".to_owned(), hold.scope.to_string()),
        ("since".to_owned(), hold.since.to_string()),
    ]);
    let finer = hold.cause.map(|cause| cause.code().to_owned());
    for (name, value) in [
        ("cause", finer.unwrap_or_default()),
        ("reason", hold.reason.clone()),
        ("evidence", hold.evidence.clone()),
    ] {
        if !value.is_empty() {
            details.insert(name.to_owned(), value);
        }
    }
    let app = match hold.scope {
        Scope::Account => None,
        Scope::App(app) => Some(app),
    };
    step.record(cause, Record::Audit(AuditRow { action: action.to_owned(), app, details }))
}

/// The holds in force on `scope`, the earliest first: what remains after a change.
pub(crate) fn remaining(step: &Step<'_>, scope: Scope) -> Vec<Hold> {
    holds_on(step.state(), scope)
}

/// The key of a notice about a hold.
pub(crate) fn told(kind: crate::notice::NoticeKind, hold: &Hold) -> crate::notice::NoticeKey {
    crate::notice::NoticeKey { kind, of: hold.id.to_string(), threshold: 0 }
}

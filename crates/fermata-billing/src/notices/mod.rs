//! Who is told what, once: every notice is written down, and goes to those who are to know of it.
//!
//! Standing (arrears, suspension, holds, reclamation) is told to the contact named `owner` in any case; all else
//! only to those who subscribed. Whom nobody is told of stands in the journal all the same.
//! What it is not: delivery. A notice in the outbox counts as sent (A28); a shell carries it.

mod alerts;
mod contacts;
mod credit;
#[cfg(test)]
mod tests;
pub(crate) mod texts;

use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::id::NoticeId;
use crate::journal::Record;
use crate::limits::OPERATOR_ALERTS_KEPT;
use crate::notice::{Contact, Delivery, Notice, NoticeKey, NoticeKind, OWNER, PARTNER};
use crate::state::{Item, ItemKey};
use crate::step::Step;

pub(crate) use alerts::{balance_alert_again, balance_moved, package_moved};
pub use contacts::check_url;
pub(crate) use contacts::{drop_contact, put_contact, remove_contact, subscribe, unsubscribe};

/// Title, text and clauses of a notice.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) clauses: &'static [ClauseId],
}

impl NoticeKind {
    /// Is it about the standing, so that the owner is told without a subscription?
    pub fn is_standing(self) -> bool {
        match self {
            Self::ArrearsReminder
            | Self::ArrearsWarning
            | Self::Suspended
            | Self::ArrearsCleared
            | Self::Restored
            | Self::Unfunded
            | Self::Violation
            | Self::PartnerFreeze
            | Self::Admin
            | Self::Closure
            | Self::ReclaimNotice
            | Self::ReclaimFinal
            | Self::Cleared
            | Self::PaymentReversed => true,
            Self::BalanceLow
            | Self::CreditUsed
            | Self::PackageUsed
            | Self::PackageAlarm
            | Self::BillReady
            | Self::OperatorAlert => false,
        }
    }

    /// Could the same fact ask for it twice? Then its key is remembered until [`forget`]. The others are asked
    /// for by the transaction that makes the fact, which happens once, and need no memory.
    fn is_remembered(self) -> bool {
        match self {
            Self::BalanceLow
            | Self::CreditUsed
            | Self::PackageUsed
            | Self::PackageAlarm
            | Self::ArrearsReminder
            | Self::ArrearsWarning
            | Self::Suspended
            | Self::ReclaimNotice
            | Self::ReclaimFinal
            | Self::OperatorAlert => true,
            Self::BillReady
            | Self::ArrearsCleared
            | Self::Restored
            | Self::Unfunded
            | Self::Violation
            | Self::PartnerFreeze
            | Self::Admin
            | Self::Closure
            | Self::Cleared
            | Self::PaymentReversed => false,
        }
    }
}

/// Tells people, unless a notice with this key was sent before (I11).
///
/// # Errors
/// [`Refusal::Corrupt`] if the record cannot be written down.
pub(crate) fn notify(
    step: &mut Step<'_>,
    key: NoticeKey,
    title: String,
    text: String,
    clauses: &[ClauseId],
) -> Result<(), Refusal> {
    let to = recipients(step, key.kind);
    send(step, key, title, text, clauses, to)
}

/// As [`notify`], with words made here.
pub(crate) fn tell(step: &mut Step<'_>, key: NoticeKey, words: Words) -> Result<(), Refusal> {
    notify(step, key, words.title, words.text, words.clauses)
}

/// Writes the notice down and delivers it to `to`, unless one with this key was sent before (I11).
fn send(
    step: &mut Step<'_>,
    key: NoticeKey,
    title: String,
    text: String,
    clauses: &[ClauseId],
    to: Vec<Contact>,
) -> Result<(), Refusal> {
    if step.state().sent.contains(&key) {
        return Ok(());
    }
    if key.kind.is_remembered() {
        remember(step, key.clone());
    }
    let account = step.account()?;
    let notice = Notice {
        id: NoticeId::nth(&account, step.serial()),
        key,
        at: step.applied(),
        title,
        text,
        clauses: clauses.to_vec(),
    };
    let cause = clauses.first().copied().unwrap_or(ClauseId::S11);
    step.record(cause, Record::Notice(notice.clone()))?;
    for contact in to {
        let id = format!("{}/{}", notice.id, contact.name);
        step.deliver(Delivery { id, notice: notice.clone(), contact });
    }
    Ok(())
}

fn remember(step: &mut Step<'_>, key: NoticeKey) {
    let kind = key.kind;
    step.put(Item::Sent(key));
    if kind == NoticeKind::OperatorAlert {
        // These belong to days and nothing ends them, so only the last ones are kept.
        let alerts = step.state().sent.iter().filter(|key| key.kind == kind);
        let old: Vec<_> = alerts.rev().skip(OPERATOR_ALERTS_KEPT).cloned().collect();
        for key in old {
            step.remove(ItemKey::Sent(key));
        }
    }
}

/// Who is told of `kind`: the owner and, by agreement, the partner of standing, and whoever subscribed; each once.
fn recipients(step: &Step<'_>, kind: NoticeKind) -> Vec<Contact> {
    let state = step.state();
    let both_told = kind == NoticeKind::PartnerFreeze || step.env().policy.partner_notified;
    let named = |name: &str| {
        kind.is_standing() && (name == OWNER || (name == PARTNER && both_told))
            || state.subscriptions.values().any(|one| one.kind == kind && one.contact == name)
    };
    state.contacts.values().filter(|contact| named(&contact.name)).cloned().collect()
}

/// Forgets what was sent about `of` (and what belongs to it, named `of/...`): it has ended, and what comes
/// after it is something new.
pub(crate) fn forget(step: &mut Step<'_>, kinds: &[NoticeKind], of: &str) {
    let ended = |key: &&NoticeKey| {
        let rest = key.of.strip_prefix(of);
        kinds.contains(&key.kind)
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let keys: Vec<_> = step.state().sent.iter().filter(ended).cloned().collect();
    for key in keys {
        step.remove(ItemKey::Sent(key));
    }
}

//! Reclamation: its clock, its notices and its sweep (T19, T20, T23; S20 to S22).
//!
//! The clock is a fact, not a counter: 60 days after the later of effective and applied time of one eligible
//! hold (A12), computed anew whenever holds or terms change. The sweep fires strictly after it.
//!
//! Before it every notice must have gone out, 30, 7 and 1 day ahead, as far as the term is long enough for it; so
//! the sweep waits for at least a day after a notice that could only be sent late (a term cut short by T17).
//! Notices do not ask for the operator's switch, as a later switch must not clear what nobody was warned of;
//! the sweep does, and looks again each day.

mod clear;
mod closure;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::hold::{HoldKind, ReclaimClock};
use crate::notice::{NoticeKey, NoticeKind};
use crate::notices::{self, texts};
use crate::policy::Policy;
use crate::standing::{hours_later, later};
use crate::state::{Hold, Item, ItemKey, Reclaim, State};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;

pub(crate) use clear::clear_next;
pub(crate) use closure::{
    cancel_ticket, confirm_due, confirm_ticket, open_ticket, take_back_closure,
};

/// Days before reclamation at which it is announced (T19).
const NOTICE_DAYS: &[u32] = &[30, 7, 1];
/// Announcements of reclamation that are remembered.
const ANNOUNCED_MAX: usize = 60;
/// The sweep fires this much after the term: it must be exceeded, not reached (A12).
const BEYOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Does a hold of this kind let the 60 days run (A11)?
fn counts(kind: HoldKind, policy: &Policy) -> bool {
    match kind.rule().reclaim_clock {
        ReclaimClock::Yes => true,
        ReclaimClock::ByAgreement => policy.freeze_reclaims,
        ReclaimClock::No | ReclaimClock::Consent => false,
    }
}

/// The eligible hold whose term ends first, and when it does: clearing may begin only after that. None if the
/// account is exempt, the terms never reclaim, or no eligible hold stands.
pub(crate) fn due<'a>(state: &'a State, policy: &Policy) -> Option<(&'a Hold, Timestamp)> {
    let hours = policy.reclaim_after_hours?;
    if state.profile.as_ref().is_none_or(|profile| profile.reclaim_exempt) {
        return None;
    }
    state
        .holds
        .values()
        .filter(|hold| !hold.proposed && counts(hold.kind, policy))
        .map(|hold| (hold, hours_later(hold.since.max(hold.applied_at), hours)))
        .min_by(|a, b| (a.1, &a.0.id).cmp(&(b.1, &b.0.id)))
}

/// When clearing may begin at the earliest, for notices.
pub(crate) fn due_at(step: &Step<'_>) -> Option<Timestamp> {
    due(step.state(), step.env().policy).map(|(_, at)| at)
}

/// Sets stage and timers anew from the holds, the exemption and the terms; to be called after each of them
/// changes. Past the point of no return it does nothing (I9).
///
/// # Errors
/// [`Refusal::Corrupt`] if the audit row cannot be written down.
pub(crate) fn recompute(step: &mut Step<'_>) -> Result<(), Refusal> {
    let now_due = due_at(step);
    match (&step.state().reclaim, now_due) {
        (Reclaim::Clearing { .. } | Reclaim::Cleared { .. }, _) | (Reclaim::None, None) => {
            return Ok(());
        }
        (Reclaim::Due { at: known }, Some(at)) if *known == at && is_armed(step) => return Ok(()),
        (Reclaim::Due { .. }, _) => {
            disarm(step);
            forget_oldest(step);
        }
        (Reclaim::None, Some(_)) => {}
    }
    if let Some(at) = now_due {
        schedule(step, at);
        step.audit(ClauseId::S21, "reclaim_due", &[("after", at.to_string())])
    } else {
        step.put(Item::Reclaim(Reclaim::None));
        step.audit(ClauseId::S21, "reclaim_off", &[])
    }
}

fn is_armed(step: &Step<'_>) -> bool {
    step.state().timers.contains_key(&TimerKind::ReclaimDue)
}

/// What was announced is remembered also after the term is gone: a term that comes back to the same moment is the
/// same one, and is not announced twice (I11). Of more than [`ANNOUNCED_MAX`], the earliest terms are forgotten.
fn forget_oldest(step: &mut Step<'_>) {
    let sent = step.state().sent.iter().filter(|key| key.kind == NoticeKind::ReclaimNotice);
    let sent: Vec<_> = sent.cloned().collect();
    // Keys are in the order of their terms, whose text begins with the year.
    let over = sent.len().saturating_sub(ANNOUNCED_MAX);
    for key in sent.into_iter().take(over) {
        step.remove(ItemKey::Sent(key));
    }
}

/// What the notices of one term belong to. Another term is announced anew.
fn announcement(at: Timestamp) -> String {
    format!("reclaim-{at}")
}

fn key(at: Timestamp, days: u32) -> NoticeKey {
    NoticeKey { kind: NoticeKind::ReclaimNotice, of: announcement(at), threshold: i64::from(days) }
}

/// The notices that must precede clearing: those for which the term is long enough.
fn required(policy: &Policy) -> impl Iterator<Item = u32> {
    let hours = policy.reclaim_after_hours.unwrap_or(0);
    NOTICE_DAYS.iter().copied().filter(move |days| days * 24 <= hours)
}

fn schedule(step: &mut Step<'_>, at: Timestamp) {
    let now = step.now();
    step.put(Item::Reclaim(Reclaim::Due { at }));
    let mut sweep = later(at, BEYOND);
    for days in required(step.env().policy) {
        let ahead = SignedDuration::from_hours(i64::from(days) * 24);
        let planned = at.checked_sub(ahead).unwrap_or(Timestamp::MIN);
        if planned < now {
            sweep = sweep.max(later(now, DAY + BEYOND));
        }
        step.arm(TimerKind::ReclaimNotice(days), planned.max(now));
    }
    step.arm(TimerKind::ReclaimDue, sweep);
}

/// Takes all timers of reclamation off that lead to T20.
fn disarm(step: &mut Step<'_>) {
    let timers = step.state().timers.keys();
    let own: Vec<_> = timers
        .filter(|timer| matches!(timer, TimerKind::ReclaimDue | TimerKind::ReclaimNotice(_)))
        .cloned()
        .collect();
    for timer in own {
        step.remove(ItemKey::Timer(timer));
    }
}

/// Announces reclamation so many days ahead, if the hold that counts still stands (T19).
///
/// # Errors
/// What writing a notice down may answer.
pub(crate) fn notice(step: &mut Step<'_>, days: u32) -> Result<(), Refusal> {
    if step.state().reclaim.is_irreversible() {
        return Ok(());
    }
    let Some((hold, at)) = due(step.state(), step.env().policy) else { return Ok(()) };
    // The sweep may have to wait for a day after the notices (see above); people are told the real moment.
    let sweep = step.state().timers.get(&TimerKind::ReclaimDue);
    let after = sweep.and_then(|sweep| sweep.checked_sub(BEYOND).ok()).unwrap_or(at).max(at);
    let words = texts::reclaim_notice(after, step.now(), hold);
    step.took(Transition::T19);
    notices::tell(step, key(at, days), words)
}

/// The sweep of one account (T20). Looks at everything again: an eligible hold for longer than the term, no
/// exemption, the operator's switch, and every notice.
///
/// # Errors
/// What writing records down may answer.
pub(crate) fn sweep(step: &mut Step<'_>) -> Result<(), Refusal> {
    if step.state().reclaim.is_irreversible() {
        return Ok(());
    }
    let Some(at) = due_at(step) else { return recompute(step) };
    if step.now() <= at {
        step.arm(TimerKind::ReclaimDue, later(at, BEYOND));
        return Ok(());
    }
    if !step.env().reclaim_on {
        step.arm(TimerKind::ReclaimDue, later(step.now(), DAY));
        return Ok(());
    }
    let missing: Vec<_> = required(step.env().policy)
        .filter(|days| !step.state().sent.contains(&key(at, *days)))
        .collect();
    if missing.is_empty() {
        return clear::begin(step, false);
    }
    step.arm(TimerKind::ReclaimDue, later(step.applied(), DAY + BEYOND));
    for days in missing {
        step.disarm(&TimerKind::ReclaimNotice(days));
        notice(step, days)?;
    }
    Ok(())
}

//! The arrears episode: opened and closed by postings alone, suspended by its timer (T5 to T8, T17).

use super::{available, hours_later, new_hold, put_hold, remaining, remove_hold};
use crate::clause::ClauseId;
use crate::command::{Answer, Refusal};
use crate::hold::{HoldKind, Scope};
use crate::ledger::overflow;
use crate::money::Money;
use crate::notice::{NoticeKey, NoticeKind};
use crate::notices::{self, Words, texts};
use crate::state::{Episode, Hold, Item, ItemKey, Reclaim};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::{metering, reclaim};

/// Kinds of notices whose keys belong to an episode.
const OF_EPISODE: &[NoticeKind] =
    &[NoticeKind::ArrearsReminder, NoticeKind::ArrearsWarning, NoticeKind::Suspended];

/// Judges the account after its balance, vouchers or credit limit changed; `before` was available before
/// (T4 to T7, T23).
///
/// # Errors
/// [`Refusal::Money`] on overflow; what writing records down may answer.
pub(crate) fn after_posting(step: &mut Step<'_>, before: Money) -> Result<(), Refusal> {
    let after = available(step.state()).ok_or_else(overflow)?;
    if !step.state().reclaim.is_irreversible() {
        notices::balance_moved(step, before, after)?;
    }
    match (step.state().episode, after.is_negative()) {
        (None, true) if step.state().reclaim.is_irreversible() => Ok(()),
        (None, true) => open(step, after),
        (Some(_), true) => {
            if after < before {
                step.took(Transition::T6);
            }
            Ok(())
        }
        (Some(episode), false) => close(step, &episode, after),
        (None, false) => Ok(()),
    }
}

/// Text that notices of an episode belong to.
fn of(episode: &Episode) -> String {
    format!("episode-{}", episode.number)
}

/// T5.
fn open(step: &mut Step<'_>, after: Money) -> Result<(), Refusal> {
    let since = step.applied();
    let policy = step.env().policy;
    let suspend_due = (!policy.non_stop).then(|| hours_later(since, policy.grace_hours));
    let episode = Episode { number: step.serial(), since, suspend_due };
    step.put(Item::Episode(episode));
    let due = suspend_due.map_or_else(|| "never".to_owned(), |due| due.to_string());
    let details = [
        ("episode", episode.number.to_string()),
        ("since", since.to_string()),
        ("suspend_due", due),
    ];
    step.audit(ClauseId::T5, "arrears_began", &details)?;
    arm(step, &episode);
    step.took(Transition::T5);
    let key = NoticeKey { kind: NoticeKind::ArrearsReminder, of: of(&episode), threshold: 0 };
    let currency = step.profile()?.currency;
    notices::tell(step, key, texts::arrears_reminder(currency, after, suspend_due))
}

/// Sets the timers of an episode that is not suspended yet; moments that are past already fire at once, but
/// warnings that were due before are not made up for.
fn arm(step: &mut Step<'_>, episode: &Episode) {
    let Some(due) = episode.suspend_due else { return };
    let now = step.now();
    step.arm(TimerKind::Suspend, due.max(now));
    let policy = step.env().policy;
    for hours in policy.warn_hours.iter().copied().filter(|hours| *hours < policy.grace_hours) {
        let at = hours_later(episode.since, hours);
        if at >= now {
            step.arm(TimerKind::ArrearsWarning(hours), at);
        }
    }
}

fn disarm(step: &mut Step<'_>) {
    step.disarm(&TimerKind::Suspend);
    let warnings: Vec<_> = step
        .state()
        .timers
        .keys()
        .filter(|timer| matches!(timer, TimerKind::ArrearsWarning(_)))
        .cloned()
        .collect();
    for timer in warnings {
        step.disarm(&timer);
    }
}

/// The hold for arrears, if it stands.
fn held(step: &Step<'_>) -> Option<Hold> {
    step.state().holds.values().find(|hold| hold.kind == HoldKind::Arrears).cloned()
}

/// T7, and T23 where the account was to be reclaimed for it.
fn close(step: &mut Step<'_>, episode: &Episode, after: Money) -> Result<(), Refusal> {
    step.remove(ItemKey::Episode);
    let details = [("episode", episode.number.to_string()), ("since", episode.since.to_string())];
    step.audit(ClauseId::T7, "arrears_ended", &details)?;
    disarm(step);
    let hold = held(step);
    if let Some(hold) = &hold {
        lift(step, hold, ClauseId::T7)?;
    }
    step.took(Transition::T7);
    if step.state().reclaim.is_irreversible() {
        // Booked, but nothing comes back, and there is nothing to announce (T24).
        notices::forget(step, OF_EPISODE, &of(episode));
        return Ok(());
    }
    let was_due = matches!(step.state().reclaim, Reclaim::Due { .. });
    reclaim::recompute(step)?;
    if was_due && step.state().reclaim == Reclaim::None {
        step.took(Transition::T23);
    }
    let left = remaining(step, Scope::Account);
    let currency = step.profile()?.currency;
    let key = NoticeKey { kind: NoticeKind::ArrearsCleared, of: of(episode), threshold: 0 };
    notices::tell(step, key, texts::arrears_cleared(currency, after, &left))?;
    if hold.is_some() && left.is_empty() {
        let key = NoticeKey { kind: NoticeKind::Restored, of: of(episode), threshold: 0 };
        let words = restored(step, &[ClauseId::T7, ClauseId::S9]);
        notices::tell(step, key, words)?;
    }
    notices::forget(step, OF_EPISODE, &of(episode));
    Ok(())
}

fn restored(step: &Step<'_>, clauses: &'static [ClauseId]) -> Words {
    let holds = step.state().holds.values();
    let still_held = holds.filter(|hold| !hold.proposed).count();
    texts::restored("the account", still_held, clauses)
}

/// Raises or removes the hold for arrears. Where packages rest while it stands, minutes change hands with it:
/// what was used until now keeps whoever pays for it (A3).
fn lift(step: &mut Step<'_>, hold: &Hold, cause: ClauseId) -> Result<(), Refusal> {
    let pause = !step.env().policy.burn_while_suspended;
    if pause {
        metering::freeze_floors(step)?;
    }
    remove_hold(step, hold, "hold_dropped", cause)?;
    if pause {
        metering::reallocate(step)?;
    }
    Ok(())
}

fn raise(step: &mut Step<'_>, hold: &Hold) -> Result<(), Refusal> {
    let pause = !step.env().policy.burn_while_suspended;
    if pause {
        metering::freeze_floors(step)?;
    }
    put_hold(step, hold, "hold_raised", ClauseId::T8)?;
    if pause {
        metering::reallocate(step)?;
    }
    Ok(())
}

/// So many hours of the grace are over: a warning, if the account still is in arrears (S11).
///
/// # Errors
/// What writing a notice down may answer.
pub(crate) fn warn(step: &mut Step<'_>, hours: u32) -> Result<(), Refusal> {
    let Some(episode) = step.state().episode else { return Ok(()) };
    let Some(due) = episode.suspend_due else { return Ok(()) };
    let available = available(step.state()).ok_or_else(overflow)?;
    if !available.is_negative() || step.env().policy.non_stop || held(step).is_some() {
        return Ok(());
    }
    let key = NoticeKey {
        kind: NoticeKind::ArrearsWarning,
        of: of(&episode),
        threshold: i64::from(hours),
    };
    let currency = step.profile()?.currency;
    notices::tell(step, key, texts::arrears_warning(currency, available, due))
}

/// The grace is over (T8). A credit that was committed before, at the same moment at the latest, has closed the
/// episode and wins (A19).
///
/// # Errors
/// What writing records down may answer.
pub(crate) fn suspend(step: &mut Step<'_>) -> Result<(), Refusal> {
    let Some(episode) = step.state().episode else { return Ok(()) };
    let available = available(step.state()).ok_or_else(overflow)?;
    let due = episode.suspend_due.filter(|_| !step.env().policy.non_stop);
    let Some(due) = due.filter(|_| available.is_negative() && held(step).is_none()) else {
        return Ok(());
    };
    if due > step.now() {
        step.arm(TimerKind::Suspend, due);
        return Ok(());
    }
    let mut hold = new_hold(step, HoldKind::Arrears, Scope::Account)?;
    hold.reason = format!("in arrears since {}", texts::moment(episode.since));
    raise(step, &hold)?;
    step.took(Transition::T8);
    reclaim::recompute(step)?;
    let reclaim_at = reclaim::due_at(step);
    // By hold, since terms that change may end a suspension and bring it again within one episode (T17).
    let of = format!("{}/{}", of(&episode), hold.id);
    let key = NoticeKey { kind: NoticeKind::Suspended, of, threshold: 0 };
    let currency = step.profile()?.currency;
    notices::tell(step, key, texts::suspended(currency, available, hold.since, reclaim_at))
}

/// The terms changed (T17): what was derived from facts is derived from them again. A suspension that would not
/// have come under the new terms ends; one that would have come earlier comes now.
///
/// # Errors
/// What writing records down may answer.
pub(crate) fn reevaluate(step: &mut Step<'_>) -> Result<Answer, Refusal> {
    step.took(Transition::T17);
    step.audit(ClauseId::T17, "terms_changed", &[])?;
    // Minutes used until now keep whoever pays for them (A8).
    metering::freeze_floors(step)?;
    metering::reallocate(step)?;
    if step.state().reclaim.is_irreversible() {
        return Ok(Answer::Done);
    }
    let frozen = step.state().holds.values().any(|hold| hold.kind == HoldKind::PartnerFreeze);
    if frozen {
        // What a freeze leaves allowed is part of the terms.
        step.bump_epoch();
    }
    if let Some(episode) = step.state().episode {
        let policy = step.env().policy;
        let suspend_due =
            (!policy.non_stop).then(|| hours_later(episode.since, policy.grace_hours));
        let episode = Episode { suspend_due, ..episode };
        step.put(Item::Episode(episode));
        disarm(step);
        match (held(step), suspend_due.is_some_and(|due| due <= step.now())) {
            (Some(_), true) => {}
            (None, _) => arm(step, &episode),
            (Some(hold), false) => {
                lift(step, &hold, ClauseId::T17)?;
                arm(step, &episode);
                if remaining(step, Scope::Account).is_empty() {
                    let key = super::told(NoticeKind::Restored, &hold);
                    let words = restored(step, &[ClauseId::T17, ClauseId::A15]);
                    notices::tell(step, key, words)?;
                }
            }
        }
    }
    reclaim::recompute(step)?;
    Ok(Answer::Done)
}

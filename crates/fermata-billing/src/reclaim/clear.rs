//! Clearing: from the point of no return to the last receipt (T20 to T22, S22, A14, A26).
//!
//! One class of data a step, each in a transaction of its own that deletes, writes the receipt and counts the
//! step; a crash between two of them resumes with the next.

use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::hold::HoldKind;
use crate::id::PackageId;
use crate::journal::{DataClass, Receipt, Record};
use crate::notice::{NoticeKey, NoticeKind, OWNER};
use crate::notices::{self, texts};
use crate::packages;
use crate::state::{BillingMode, Item, ItemKey, PackageStatus, Reclaim, State};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;

/// The point of no return (T20), by the sweep or by the customer's consent (T28).
///
/// An episode that was not suspended yet ends here: there is nothing left to suspend, and the debt stands in the
/// ledger. One that was stays with its hold until the debt is paid (I1).
///
/// # Errors
/// What writing records down may answer.
pub(super) fn begin(step: &mut Step<'_>, consented: bool) -> Result<(), Refusal> {
    let cause = if consented { ClauseId::T28 } else { ClauseId::T20 };
    let since = step.applied();
    step.put(Item::Reclaim(Reclaim::Clearing { step: 0, since }));
    step.bump_epoch();
    let by = if consented { "consent" } else { "sweep" };
    step.audit(cause, "clearing_began", &[("by", by.to_owned())])?;
    let in_arrears = step.state().holds.values().any(|hold| hold.kind == HoldKind::Arrears);
    if step.state().episode.is_some() && !in_arrears {
        step.remove(ItemKey::Episode);
    }
    let standing: Vec<_> =
        step.state().timers.keys().filter(|timer| is_of_standing(timer)).cloned().collect();
    for timer in standing {
        step.disarm(&timer);
    }
    step.arm(TimerKind::ReclaimStep, step.now());
    step.took(Transition::T20);
    notices::tell(step, key(NoticeKind::ReclaimFinal), texts::reclaim_final(consented))
}

fn key(kind: NoticeKind) -> NoticeKey {
    NoticeKey { kind, of: "reclaim".to_owned(), threshold: 0 }
}

fn is_of_standing(timer: &TimerKind) -> bool {
    match timer {
        TimerKind::ArrearsWarning(_)
        | TimerKind::Suspend
        | TimerKind::ReclaimNotice(_)
        | TimerKind::ReclaimDue
        | TimerKind::ReclaimStep
        | TimerKind::ClosureConfirm
        | TimerKind::BalanceAlert => true,
        TimerKind::FreeGrant(_)
        | TimerKind::PackageExpiry(_)
        | TimerKind::VoucherExpiry(_)
        | TimerKind::DayClose(_)
        | TimerKind::MonthClose(_) => false,
    }
}

/// Clears one class of data (T21), and after the last one says so (T22). Nothing happens if no clearing goes on.
///
/// # Errors
/// What forfeiting packages or writing records down may answer.
pub(crate) fn clear_next(step: &mut Step<'_>) -> Result<(), Refusal> {
    let Reclaim::Clearing { step: number, since } = step.state().reclaim else { return Ok(()) };
    let Some(class) = usize::try_from(number).ok().and_then(|number| DataClass::ALL.get(number))
    else {
        return finish(step);
    };
    match class {
        DataClass::Packages => packages::forfeit_all(step)?,
        DataClass::Configuration => drop_contacts(step),
        // Not kept here: the store deletes them with this step.
        DataClass::ServiceLogs | DataClass::Authorisations | DataClass::Recordings => {}
    }
    step.delete(*class);
    let receipt = Receipt { step: number, class: *class, at: step.applied() };
    step.record(ClauseId::T21, Record::Receipt(receipt))?;
    step.took(Transition::T21);
    let next = number.saturating_add(1);
    step.put(Item::Reclaim(Reclaim::Clearing { step: next, since }));
    if usize::try_from(next).is_ok_and(|next| next < DataClass::ALL.len()) {
        step.arm(TimerKind::ReclaimStep, step.now());
        return Ok(());
    }
    finish(step)
}

/// Contacts and subscriptions are configuration too. The owner's contact stays until the end is told.
fn drop_contacts(step: &mut Step<'_>) {
    let others: Vec<_> =
        step.state().contacts.keys().filter(|name| *name != OWNER).cloned().collect();
    for name in others {
        notices::remove_contact(step, &name);
    }
    let subscriptions: Vec<_> = step.state().subscriptions.keys().cloned().collect();
    for name in subscriptions {
        step.remove(ItemKey::Subscription(name));
    }
}

/// Has a forfeited package minutes that its open days may have burnt? Its timer settles them once these close.
fn unsettled(state: &State, id: &PackageId) -> bool {
    state.packages.get(id).is_some_and(|package| {
        package.status == PackageStatus::Reclaimed && package.settled.is_positive()
    })
}

/// T22. Ledger, bills and audit remain, with the account's row; days and months whose use is not billed yet still
/// close (A18), and then nothing is due any more.
fn finish(step: &mut Step<'_>) -> Result<(), Refusal> {
    let at = step.applied();
    step.put(Item::Reclaim(Reclaim::Cleared { at }));
    step.bump_epoch();
    step.audit(ClauseId::T22, "cleared", &[])?;
    step.took(Transition::T22);
    let violation =
        step.state().holds.values().any(|hold| hold.kind == HoldKind::Violation && !hold.proposed);
    notices::tell(step, key(NoticeKind::Cleared), texts::cleared(violation))?;
    notices::remove_contact(step, OWNER);
    if step.state().ticket.is_some() {
        step.remove(ItemKey::Ticket);
    }
    let owing = !step.state().days.is_empty() || !step.state().pending.is_empty();
    let monthly = step.profile()?.billing == BillingMode::Monthly;
    let done: Vec<_> = step
        .state()
        .timers
        .keys()
        .filter(|timer| match timer {
            TimerKind::DayClose(_) => !owing,
            TimerKind::PackageExpiry(id) => !unsettled(step.state(), id),
            TimerKind::MonthClose(_) => !(owing && monthly),
            // A voucher ends when it says, whatever became of the account.
            TimerKind::VoucherExpiry(_) => false,
            _ => true,
        })
        .cloned()
        .collect();
    for timer in done {
        step.disarm(&timer);
    }
    let sent: Vec<_> = step.state().sent.iter().cloned().collect();
    for key in sent {
        step.remove(ItemKey::Sent(key));
    }
    Ok(())
}

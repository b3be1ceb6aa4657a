//! The end of service at the customer's wish (S23, T28): a ticket, days to think again, and consent.
//!
//! The ticket closes the account at once: whoever opens it holds the account's credential, which is how the
//! owner is verified, or is the operator who verified the owner. Data is cleared only once it is confirmed.

use jiff::SignedDuration;

use crate::clause::ClauseId;
use crate::command::{ActorRole, Answer, Refusal};
use crate::hold::{HoldKind, Scope};
use crate::id::TicketId;
use crate::notice::{NoticeKey, NoticeKind};
use crate::notices::{self, texts};
use crate::standing::{self, later, new_hold, not_cleared, put_hold, remaining, remove_hold};
use crate::state::{Hold, Item, ItemKey, Ticket};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;

/// Time to think again between ticket and confirmation (T28).
const THINK_AGAIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Opens the ticket: raises `closure`, unless an operator did before, and begins the days to think again.
///
/// # Errors
/// [`Refusal::NotYours`] but for customer and operator; [`Refusal::Conflict`] if one is open or the account is
/// being cleared.
pub(crate) fn open_ticket(step: &mut Step<'_>) -> Result<Answer, Refusal> {
    owner_or_operator(step)?;
    not_cleared(step)?;
    if let Some(open) = &step.state().ticket {
        let text = format!(
            "the ticket {} is open already; it can be confirmed from {} on, or cancelled",
            open.id, open.confirm_due
        );
        return Err(Refusal::Conflict(text));
    }
    let known = step.state().holds.values().find(|hold| hold.kind == HoldKind::Closure).cloned();
    let hold = if let Some(hold) = known {
        hold
    } else {
        let hold = new_hold(step, HoldKind::Closure, Scope::Account)?;
        put_hold(step, &hold, "hold_raised", ClauseId::T28)?;
        hold
    };
    let account = step.account()?;
    let ticket = Ticket {
        id: TicketId::nth(&account, step.serial()),
        opened_at: step.now(),
        confirm_due: later(step.now(), THINK_AGAIN),
        hold: Some(hold.id),
    };
    step.put(Item::Ticket(ticket.clone()));
    step.arm(TimerKind::ClosureConfirm, ticket.confirm_due);
    let details =
        [("ticket", ticket.id.to_string()), ("confirm_due", ticket.confirm_due.to_string())];
    step.audit(ClauseId::T28, "closure_asked_for", &details)?;
    step.took(Transition::T28);
    let words = texts::closure_opened(Some(ticket.confirm_due));
    notices::tell(step, key(&ticket, 0), words)?;
    Ok(Answer::Ticket(ticket))
}

/// The days to think again are over: says so, and does nothing else.
///
/// # Errors
/// What writing a notice down may answer.
pub(crate) fn confirm_due(step: &mut Step<'_>) -> Result<(), Refusal> {
    let Some(ticket) = step.state().ticket.clone() else { return Ok(()) };
    if step.state().reclaim.is_irreversible() {
        return Ok(());
    }
    notices::tell(step, key(&ticket, 1), texts::closure_may_be_confirmed())
}

/// Confirms the closure: the clearing begins by consent (T20). Confirmed already: the ticket as it is.
///
/// # Errors
/// [`Refusal::NotYours`]; [`Refusal::Unknown`]; [`Refusal::Conflict`] before the days to think again are over or
/// while the account is exempt from clearing for legal reasons (A13).
pub(crate) fn confirm_ticket(step: &mut Step<'_>, id: &TicketId) -> Result<Answer, Refusal> {
    owner_or_operator(step)?;
    let ticket = open(step, id)?;
    if step.state().reclaim.is_irreversible() {
        return Ok(Answer::Ticket(ticket));
    }
    if step.now() < ticket.confirm_due {
        let text = format!(
            "the closure can be confirmed from {} on; until then there is time to think again",
            ticket.confirm_due
        );
        return Err(Refusal::Conflict(text));
    }
    if step.profile()?.reclaim_exempt {
        let text = "the account is exempt from clearing for legal reasons (A13); ask the operator";
        return Err(Refusal::Conflict(text.to_owned()));
    }
    let details = [("ticket", ticket.id.to_string())];
    step.audit(ClauseId::T28, "closure_confirmed", &details)?;
    super::clear::begin(step, true)?;
    Ok(Answer::Ticket(ticket))
}

/// Takes the closure back, until clearing starts: everything is as before.
///
/// # Errors
/// [`Refusal::NotYours`]; [`Refusal::Unknown`]; [`Refusal::Conflict`] once the clearing has begun.
pub(crate) fn cancel_ticket(step: &mut Step<'_>, id: &TicketId) -> Result<Answer, Refusal> {
    owner_or_operator(step)?;
    let ticket = open(step, id)?;
    not_cleared(step)?;
    let hold = ticket.hold.as_ref().and_then(|id| step.state().holds.get(id)).cloned();
    if let Some(hold) = hold {
        remove_hold(step, &hold, "hold_dropped", ClauseId::T28)?;
    }
    end(step, &ticket)?;
    Ok(Answer::Ticket(ticket))
}

/// The operator drops the hold `closure`, and with it the ticket that asked for it, if there is one.
///
/// # Errors
/// What writing records down may answer.
pub(crate) fn take_back_closure(step: &mut Step<'_>, hold: &Hold) -> Result<Answer, Refusal> {
    remove_hold(step, hold, "hold_dropped", ClauseId::T28)?;
    if let Some(ticket) = step.state().ticket.clone() {
        end(step, &ticket)?;
    } else {
        let left = remaining(step, Scope::Account);
        let key = NoticeKey { threshold: 2, ..standing::told(NoticeKind::Closure, hold) };
        notices::tell(step, key, texts::closure_cancelled(&left))?;
    }
    Ok(Answer::Done)
}

fn end(step: &mut Step<'_>, ticket: &Ticket) -> Result<(), Refusal> {
    step.remove(ItemKey::Ticket);
    step.disarm(&TimerKind::ClosureConfirm);
    let details = [("ticket", ticket.id.to_string())];
    step.audit(ClauseId::T28, "closure_cancelled", &details)?;
    let left = remaining(step, Scope::Account);
    notices::tell(step, key(ticket, 2), texts::closure_cancelled(&left))
}

/// 0 when it is opened, 1 when it can be confirmed, 2 when it is cancelled.
fn key(ticket: &Ticket, threshold: i64) -> NoticeKey {
    NoticeKey { kind: NoticeKind::Closure, of: ticket.id.to_string(), threshold }
}

fn open(step: &Step<'_>, id: &TicketId) -> Result<Ticket, Refusal> {
    let ticket = step.state().ticket.clone().filter(|ticket| ticket.id == *id);
    ticket.ok_or_else(|| Refusal::unknown("ticket", crate::money::excerpt(id.as_str())))
}

fn owner_or_operator(step: &Step<'_>) -> Result<(), Refusal> {
    match step.actor().role {
        ActorRole::Customer | ActorRole::Operator => Ok(()),
        ActorRole::System | ActorRole::Partner(_) => {
            Err(Refusal::NotYours { who: "the account's owner or an operator" })
        }
    }
}

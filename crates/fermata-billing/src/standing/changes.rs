//! What people change: applications on and off, violations, freezes, the operator's holds (T12 to T16).

use fermata_types::SdkAppId;

use super::{new_hold, put_hold, remaining, remove_hold, require, scope_text, told};
use crate::clause::ClauseId;
use crate::command::{Actor, ActorRole, Answer, Refusal};
use crate::effect::OperationClass;
use crate::hold::{HoldCause, HoldKind, Scope};
use crate::id::HoldId;
use crate::limits::{HOLDS_MAX, TEXT_CHARS_MAX};
use crate::notice::NoticeKind;
use crate::notices::{self, texts};
use crate::reclaim;
use crate::state::Hold;
use crate::step::Step;
use crate::transition::Transition;

/// Disables an application (T12). Disabled already: nothing happens.
///
/// # Errors
/// [`Refusal::Unknown`]; [`Refusal::Suspended`] where holds close this class; [`Refusal::LimitReached`].
pub(crate) fn disable_app(step: &mut Step<'_>, app: SdkAppId) -> Result<Answer, Refusal> {
    known_app(step, app)?;
    require(step, OperationClass::EnableApp, Some(app))?;
    if find(step, HoldKind::Manual, Scope::App(app)).is_none() {
        room_for_one(step)?;
        let hold = new_hold(step, HoldKind::Manual, Scope::App(app))?;
        put_hold(step, &hold, "hold_raised", ClauseId::T12)?;
        step.took(Transition::T12);
    }
    Ok(Answer::Done)
}

/// Enables an application (T13): drops `manual` and nothing else (A9). Answers the kinds of holds that remain on
/// it, the earliest first. Enabled already: the answer only.
///
/// # Errors
/// [`Refusal::Unknown`]; [`Refusal::Suspended`] where holds close this class.
pub(crate) fn enable_app(step: &mut Step<'_>, app: SdkAppId) -> Result<Answer, Refusal> {
    known_app(step, app)?;
    require(step, OperationClass::EnableApp, Some(app))?;
    if let Some(hold) = find(step, HoldKind::Manual, Scope::App(app)) {
        remove_hold(step, &hold, "hold_dropped", ClauseId::T13)?;
        step.took(Transition::T13);
    }
    let mut kinds: Vec<HoldKind> = Vec::new();
    for hold in remaining(step, Scope::App(app)) {
        if !kinds.contains(&hold.kind) {
            kinds.push(hold.kind);
        }
    }
    Ok(Answer::Remaining(kinds))
}

/// Raises `admin`, `closure` (operator) or `partner_freeze` (the account's partner, T16) at once; only proposes
/// a `violation` (operator), which takes effect by [`approve_hold`].
///
/// # Errors
/// [`Refusal::Invalid`] for kind, scope, cause, reason or evidence; [`Refusal::NotYours`];
/// [`Refusal::Conflict`] if such a hold stands already or the account is being cleared;
/// [`Refusal::LimitReached`].
pub(crate) fn raise_hold(
    step: &mut Step<'_>,
    kind: HoldKind,
    scope: Scope,
    cause: Option<HoldCause>,
    reason: &str,
    evidence: &str,
) -> Result<Answer, Refusal> {
    may_raise(step, kind)?;
    check_fields(step, kind, scope, cause, reason, evidence)?;
    not_cleared(step)?;
    if let Some(known) = find(step, kind, scope) {
        let state = if known.proposed { "is proposed" } else { "stands" };
        let text = format!("{kind} {state} already on {}: {}", scope_text(scope), known.id);
        return Err(Refusal::Conflict(text));
    }
    room_for_one(step)?;
    let mut hold = new_hold(step, kind, scope)?;
    hold.cause = cause;
    reason.clone_into(&mut hold.reason);
    evidence.clone_into(&mut hold.evidence);
    hold.proposed = kind == HoldKind::Violation;
    if hold.proposed {
        put_hold(step, &hold, "hold_proposed", ClauseId::T14)?;
        return Ok(Answer::Hold(hold));
    }
    let clause = clause_of(kind);
    put_hold(step, &hold, "hold_raised", clause)?;
    reclaim::recompute(step)?;
    let (notice, words) = match kind {
        HoldKind::PartnerFreeze => {
            step.took(Transition::T16);
            (NoticeKind::PartnerFreeze, texts::partner_freeze(true, reason, &[]))
        }
        HoldKind::Closure => {
            step.took(Transition::T28);
            (NoticeKind::Closure, texts::closure_opened(None))
        }
        _ => (NoticeKind::Admin, texts::admin(true, &scope_text(scope), reason, &[])),
    };
    notices::tell(step, told(notice, &hold), words)?;
    Ok(Answer::Hold(hold))
}

/// Approves a violation that another operator proposed (T14). Approved already: the hold as it is.
///
/// # Errors
/// [`Refusal::Unknown`]; [`Refusal::NotYours`] but for operators; [`Refusal::SamePerson`];
/// [`Refusal::Conflict`] for holds that need no approval or if the account is being cleared.
pub(crate) fn approve_hold(step: &mut Step<'_>, id: &HoldId) -> Result<Answer, Refusal> {
    if step.actor().role != ActorRole::Operator {
        return Err(Refusal::NotYours { who: "an operator" });
    }
    let mut hold = by_id(step, id)?;
    if hold.kind != HoldKind::Violation {
        let text = format!("{} needs no approval; only a proposed violation does", hold.kind);
        return Err(Refusal::Conflict(text));
    }
    if !hold.proposed {
        return Ok(Answer::Hold(hold));
    }
    if hold.raised_by == step.actor().text() {
        return Err(Refusal::SamePerson);
    }
    not_cleared(step)?;
    hold.proposed = false;
    hold.since = step.now();
    hold.applied_at = step.applied();
    put_hold(step, &hold, "hold_raised", ClauseId::T14)?;
    step.took(Transition::T14);
    reclaim::recompute(step)?;
    let words = texts::violation(&hold, reclaim::due_at(step));
    notices::tell(step, told(NoticeKind::Violation, &hold), words)?;
    Ok(Answer::Hold(hold))
}

/// Drops a hold where the table allows it. A violation is never dropped (T15); one that is only proposed may be
/// withdrawn by an operator, since it was never in effect.
///
/// # Errors
/// [`Refusal::Unknown`]; [`Refusal::Final`]; [`Refusal::NotYours`]; [`Refusal::Conflict`] for holds that something
/// else clears, and once the clearing has begun.
pub(crate) fn drop_hold(step: &mut Step<'_>, id: &HoldId) -> Result<Answer, Refusal> {
    let hold = by_id(step, id)?;
    if hold.kind == HoldKind::Violation && !hold.proposed {
        return Err(Refusal::Final);
    }
    let other_way = match hold.kind {
        HoldKind::Arrears => Some("a payment that brings the balance to zero or above"),
        HoldKind::Unfunded => Some("a package that covers the application, or postpaid"),
        HoldKind::Manual => Some("enabling the application"),
        _ => None,
    };
    if let Some(way) = other_way {
        return Err(Refusal::Conflict(format!("{} is cleared by {way}, not by hand", hold.kind)));
    }
    may_drop(step, hold.kind)?;
    not_cleared(step)?;
    if hold.kind == HoldKind::Closure {
        return reclaim::take_back_closure(step, &hold);
    }
    if hold.proposed {
        remove_hold(step, &hold, "proposal_withdrawn", ClauseId::T14)?;
        return Ok(Answer::Done);
    }
    remove_hold(step, &hold, "hold_dropped", clause_of(hold.kind))?;
    reclaim::recompute(step)?;
    let left = remaining(step, hold.scope);
    if hold.kind == HoldKind::PartnerFreeze {
        step.took(Transition::T16);
        let key =
            crate::notice::NoticeKey { threshold: 1, ..told(NoticeKind::PartnerFreeze, &hold) };
        notices::tell(step, key, texts::partner_freeze(false, "", &left))?;
    } else {
        let words = texts::admin(false, &scope_text(hold.scope), "", &left);
        let key = crate::notice::NoticeKey { threshold: 1, ..told(NoticeKind::Admin, &hold) };
        notices::tell(step, key, words)?;
    }
    Ok(Answer::Done)
}

fn clause_of(kind: HoldKind) -> ClauseId {
    match kind {
        HoldKind::PartnerFreeze => ClauseId::T16,
        HoldKind::Closure => ClauseId::T28,
        HoldKind::Arrears
        | HoldKind::Unfunded
        | HoldKind::Manual
        | HoldKind::Violation
        | HoldKind::Admin => ClauseId::S20,
    }
}

fn known_app(step: &Step<'_>, app: SdkAppId) -> Result<(), Refusal> {
    if step.state().apps.contains_key(&app) {
        return Ok(());
    }
    Err(Refusal::unknown("application", app))
}

fn find(step: &Step<'_>, kind: HoldKind, scope: Scope) -> Option<Hold> {
    let holds = step.state().holds.values();
    holds
        .filter(|hold| hold.kind == kind && hold.scope == scope)
        .min_by_key(|hold| hold.proposed)
        .cloned()
}

fn by_id(step: &Step<'_>, id: &HoldId) -> Result<Hold, Refusal> {
    let hold = step.state().holds.get(id).cloned();
    hold.ok_or_else(|| Refusal::unknown("hold", crate::money::excerpt(id.as_str())))
}

fn room_for_one(step: &Step<'_>) -> Result<(), Refusal> {
    if step.state().holds.len() >= HOLDS_MAX {
        return Err(Refusal::LimitReached { what: "holds", max: HOLDS_MAX });
    }
    Ok(())
}

/// Nothing about holds changes by hand once the clearing has begun (I9).
pub(crate) fn not_cleared(step: &Step<'_>) -> Result<(), Refusal> {
    if step.state().reclaim.is_irreversible() {
        let text = "the account's data is being cleared or was, and there is no way back (I9)";
        return Err(Refusal::Conflict(text.to_owned()));
    }
    Ok(())
}

fn is_own_partner(step: &Step<'_>, actor: &Actor) -> Result<bool, Refusal> {
    let own = step.profile()?.partner.as_ref();
    Ok(matches!(&actor.role, ActorRole::Partner(partner) if own == Some(partner)))
}

fn may_raise(step: &Step<'_>, kind: HoldKind) -> Result<(), Refusal> {
    match kind {
        HoldKind::Arrears | HoldKind::Unfunded | HoldKind::Manual => {
            let problem = format!(
                "{kind} is not raised by hand; violation, admin, partner_freeze and closure are"
            );
            Err(Refusal::invalid("kind", problem))
        }
        HoldKind::PartnerFreeze => {
            if !is_own_partner(step, step.actor())? {
                return Err(Refusal::NotYours { who: "the account's partner" });
            }
            if !step.env().policy.partner_may_freeze {
                let who = "a partner whose agreement allows freezing";
                return Err(Refusal::NotYours { who });
            }
            Ok(())
        }
        HoldKind::Violation | HoldKind::Admin | HoldKind::Closure => operator(step),
    }
}

/// Lifting a freeze stays possible when the agreement no longer allows to freeze.
fn may_drop(step: &Step<'_>, kind: HoldKind) -> Result<(), Refusal> {
    if kind != HoldKind::PartnerFreeze {
        return operator(step);
    }
    if is_own_partner(step, step.actor())? {
        return Ok(());
    }
    Err(Refusal::NotYours { who: "the partner who froze the account" })
}

fn operator(step: &Step<'_>) -> Result<(), Refusal> {
    if step.actor().role == ActorRole::Operator {
        return Ok(());
    }
    Err(Refusal::NotYours { who: "an operator" })
}

fn check_fields(
    step: &Step<'_>,
    kind: HoldKind,
    scope: Scope,
    cause: Option<HoldCause>,
    reason: &str,
    evidence: &str,
) -> Result<(), Refusal> {
    if !kind.allows_scope(scope) {
        let problem = format!("{kind} is about the account, not about one application");
        return Err(Refusal::invalid("scope", problem));
    }
    if let Scope::App(app) = scope {
        known_app(step, app)?;
    }
    if let Some(cause) = cause
        && (cause.kind() != kind || kind != HoldKind::Violation)
    {
        let problem = format!(
            "{} is no cause of {kind}; content and agreement are causes of a violation",
            cause.code()
        );
        return Err(Refusal::invalid("cause", problem));
    }
    check_text("reason", reason)?;
    check_text("evidence", evidence)?;
    if kind == HoldKind::Violation {
        for (field, text) in [("reason", reason), ("evidence", evidence)] {
            if text.trim().is_empty() {
                return Err(Refusal::invalid(field, "a violation needs it"));
            }
        }
    }
    Ok(())
}

fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    let chars = text.chars().count();
    if chars > TEXT_CHARS_MAX {
        let problem = format!("{chars} characters are too many; {TEXT_CHARS_MAX} are allowed");
        return Err(Refusal::invalid(field, problem));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Refusal::invalid(field, "control characters are not allowed"));
    }
    Ok(())
}

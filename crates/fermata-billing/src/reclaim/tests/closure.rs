//! T28: the end of service at the customer's wish.

use crate::command::{Answer, ChangeAccount, Command, Refusal};
use crate::effect::OperationClass as Class;
use crate::hold::{HoldKind, Label, Scope};
use crate::id::TicketId;
use crate::notice::NoticeKind as N;
use crate::standing::world::{World, customer, hours, operator, partner};
use crate::state::{Reclaim, Ticket};
use crate::timer::TimerKind;
use crate::transition::Transition as T;

fn open(world: &mut World) -> Ticket {
    match world.run_as(customer(), Command::OpenTicket) {
        Ok(Answer::Ticket(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

fn confirm(ticket: &Ticket) -> Command {
    Command::ConfirmTicket { ticket: ticket.id.clone() }
}

fn cancel(ticket: &Ticket) -> Command {
    Command::CancelTicket { ticket: ticket.id.clone() }
}

#[test]
fn t28_a_ticket_closes_the_account_and_leaves_a_week_to_think() {
    let mut world = World::new();
    let outsider = world.run_as(partner("acme"), Command::OpenTicket);
    assert!(matches!(outsider, Err(Refusal::NotYours { .. })));
    let ticket = open(&mut world);
    assert_eq!(ticket.confirm_due, world.now + hours(7 * 24));
    assert_eq!(world.label(), Label::Closure);
    assert!(!world.allows(Class::MediaOfStay) && !world.allows(Class::Recordings));
    assert!(world.allows(Class::Billing));
    assert_eq!(world.state.reclaim, Reclaim::None, "not the 60 days");
    let again = world.run_as(customer(), Command::OpenTicket);
    assert!(matches!(again, Err(Refusal::Conflict(text)) if text.contains(ticket.id.as_str())));
    let early = world.run_as(customer(), confirm(&ticket));
    let Err(Refusal::Conflict(text)) = early else { panic!("{early:?}") };
    assert!(text.contains("2026-03-09T10:00:00Z"), "{text}");
    world.pass(hours(24 * 100));
    assert_eq!(world.state.reclaim, Reclaim::None, "nothing without the customer's word (I8)");
    assert_eq!(world.who(N::Closure), ["owner", "owner"], "opened; can be confirmed");
}

#[test]
fn t28_i8_confirmed_it_clears_by_consent() {
    let mut world = World::new();
    let ticket = open(&mut world);
    world.now = ticket.confirm_due;
    assert_eq!(world.run_as(customer(), confirm(&ticket)), Ok(Answer::Ticket(ticket.clone())));
    assert_eq!(world.run_as(customer(), confirm(&ticket)), Ok(Answer::Ticket(ticket.clone())));
    assert_eq!((world.count(T::T20), world.timer(&TimerKind::ClosureConfirm)), (1, None));
    let late = world.run_as(customer(), cancel(&ticket));
    assert!(matches!(late, Err(Refusal::Conflict(_))), "irreversible");
    // By consent, so neither the switch nor 60 days are asked for.
    world.reclaim_on = false;
    world.pass(hours(1));
    assert_eq!(world.label(), Label::Cleared);
    assert_eq!(world.state.ticket, None);
}

#[test]
fn t28_cancelled_everything_is_as_before() {
    let mut world = World::new();
    let ticket = open(&mut world);
    world.pass(hours(24 * 8));
    let other = Command::CancelTicket { ticket: TicketId::from_text("TI_other") };
    assert!(matches!(world.run_as(customer(), other), Err(Refusal::Unknown { .. })));
    assert_eq!(world.run_as(customer(), cancel(&ticket)), Ok(Answer::Ticket(ticket.clone())));
    assert_eq!((world.label(), world.state.ticket.clone()), (Label::Active, None));
    let gone = world.run_as(customer(), confirm(&ticket));
    assert!(matches!(gone, Err(Refusal::Unknown { what: "ticket", .. })));
    let next = open(&mut world);
    assert_ne!(next.id, ticket.id);
}

#[test]
fn t28_an_operator_closes_directly_and_a_ticket_takes_that_hold_over() {
    let mut world = World::new();
    let hold = world.raise(operator("ann"), HoldKind::Closure, Scope::Account).unwrap();
    let ticket = open(&mut world);
    assert_eq!(ticket.hold, Some(hold.id.clone()));
    let dropped = world.run_as(customer(), Command::DropHold { hold: hold.id.clone() });
    assert!(matches!(dropped, Err(Refusal::NotYours { .. })));
    world.run(Command::DropHold { hold: hold.id });
    assert_eq!((world.label(), world.state.ticket.clone()), (Label::Active, None));
    assert_eq!(world.timer(&TimerKind::ClosureConfirm), None);
    let alone = world.raise(operator("ann"), HoldKind::Closure, Scope::Account).unwrap();
    world.run(Command::DropHold { hold: alone.id });
    assert_eq!(world.label(), Label::Active);
}

#[test]
fn a13_a_legal_exemption_outweighs_consent() {
    let mut world = World::new();
    let ticket = open(&mut world);
    let reclaim_exempt = Some(true);
    world.run(Command::Change(ChangeAccount { reclaim_exempt, ..ChangeAccount::default() }));
    world.pass(hours(24 * 8));
    let refused = world.run_as(customer(), confirm(&ticket));
    assert!(matches!(refused, Err(Refusal::Conflict(text)) if text.contains("legal")));
    assert_eq!(world.state.reclaim, Reclaim::None);
}

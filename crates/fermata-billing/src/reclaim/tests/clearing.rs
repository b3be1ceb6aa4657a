//! T20 to T22 and T24: what clearing deletes, what remains, and that nothing brings it back.

use jiff::SignedDuration;

use crate::command::{Command, Refusal};
use crate::effect::OperationClass as Class;
use crate::hold::{HoldKind, Label};
use crate::journal::{DataClass, LedgerAccount, Record};
use crate::notice::{NoticeKind as N, Subscription};
use crate::standing::verdicts;
use crate::standing::world::{World, contact, customer, hours, operator};
use crate::state::{PackageStatus, Reclaim};
use crate::testing::APP;
use crate::timer::TimerKind;
use crate::transition::Transition as T;

/// Suspended, with the sweep one second away.
fn on_the_brink() -> World {
    let mut world = World::new();
    world.run(Command::PutContact(contact("desk")));
    world.run(Command::Subscribe(Subscription {
        name: "ready".to_owned(),
        contact: "desk".to_owned(),
        kind: N::BillReady,
        below: None,
        percent: None,
    }));
    world.suspend();
    world.pass(hours(60 * 24));
    world
}

fn cleared() -> World {
    let mut world = on_the_brink();
    world.pass(SignedDuration::from_secs(1));
    world
}

/// Fires one timer, which must be this one.
fn fire(world: &mut World, timer: TimerKind) {
    world.now += SignedDuration::from_secs(i64::from(timer == TimerKind::ReclaimDue));
    world.run_as(crate::command::Actor::system(), Command::Fire { timer }).unwrap();
}

#[test]
fn t21_each_step_is_a_transaction_of_its_own_and_can_be_repeated() {
    let mut world = on_the_brink();
    let epoch = world.state.head.epoch;
    fire(&mut world, TimerKind::ReclaimDue);
    assert!(matches!(world.state.reclaim, Reclaim::Clearing { step: 0, .. }));
    assert!(world.state.head.epoch > epoch, "nodes must end what goes on");
    assert!(world.deletions.is_empty(), "the point of no return deletes nothing yet");
    assert_eq!(world.label(), Label::Clearing);
    for (number, class) in DataClass::ALL.iter().enumerate() {
        assert_eq!(world.deletions.len(), number);
        fire(&mut world, TimerKind::ReclaimStep);
        assert_eq!(world.deletions.last(), Some(class));
        // A firing that nothing armed for changes nothing.
        fire(&mut world, TimerKind::ReclaimDue);
    }
    fire(&mut world, TimerKind::ReclaimStep);
    assert_eq!(world.deletions, DataClass::ALL);
    let receipts: Vec<_> = world
        .history
        .rows
        .iter()
        .filter_map(|row| match &row.record {
            Record::Receipt(receipt) => Some((receipt.step, receipt.class)),
            _ => None,
        })
        .collect();
    let expected: Vec<_> = (0..).zip(DataClass::ALL.iter().copied()).collect();
    assert_eq!(receipts, expected);
    assert_eq!((world.count(T::T20), world.count(T::T21), world.count(T::T22)), (1, 5, 1));
}

#[test]
fn t22_account_ledger_and_audit_remain_and_nothing_else() {
    let world = cleared();
    assert!(world.state.profile.is_some() && world.state.apps.contains_key(&APP));
    assert!(world.state.balances[&LedgerAccount::Customer] < 0, "the debt stands");
    assert!(world.history.rows.iter().any(|row| matches!(row.record, Record::Txn(_))), "A26");
    assert!(world.state.contacts.is_empty() && world.state.subscriptions.is_empty());
    assert!(world.state.sent.is_empty());
    let live = |status| status == PackageStatus::Live;
    assert!(!world.state.packages.values().any(|package| live(package.status)));
    assert_eq!(world.state.timers.len(), 0, "{:?}", world.state.timers);
    assert_eq!(world.label(), Label::Cleared);
    let verdict = &verdicts(&world.state, &world.policy)[0];
    assert!(verdict.cleared && !verdict.enter && verdict.dismiss);
    for class in [Class::Join, Class::Api, Class::Recordings, Class::BuyPackage, Class::EnableApp] {
        assert!(!world.allows(class), "{}", class.code());
    }
    assert!(world.allows(Class::Billing) && world.allows(Class::Usage));
}

#[test]
fn t22_the_owner_is_told_to_the_end_and_others_no_longer() {
    let world = cleared();
    assert_eq!(world.who(N::ReclaimFinal), ["owner"]);
    assert_eq!(world.who(N::Cleared), ["owner"]);
}

#[test]
fn t24_a_payment_after_the_clearing_is_booked_and_brings_nothing_back() {
    let mut world = cleared();
    let before = world.told().len();
    world.pay("50");
    assert_eq!(world.state.balances[&LedgerAccount::Customer], 40_000_000);
    assert_eq!(world.count(T::T24), 1);
    assert_eq!((world.state.episode, world.has(HoldKind::Arrears)), (None, false), "I1");
    assert!(matches!(world.state.reclaim, Reclaim::Cleared { .. }), "I9");
    assert!(!world.allows(Class::Join));
    assert_eq!(world.told().len(), before, "nothing is restored, so nothing is announced");
    assert_eq!(world.label(), Label::Cleared);
}

#[test]
fn a18_a_debit_after_the_clearing_opens_no_episode() {
    let mut world = cleared();
    world.pay("10");
    world.adjust("-5");
    assert_eq!(world.state.episode, None);
    assert_eq!(world.timer(&TimerKind::Suspend), None);
}

#[test]
fn i9_nothing_changes_holds_once_the_clearing_began() {
    let mut world = on_the_brink();
    fire(&mut world, TimerKind::ReclaimDue);
    world.pay("50");
    assert!(matches!(world.state.reclaim, Reclaim::Clearing { .. }), "too late (A14)");
    let refused = world.raise(operator("ann"), HoldKind::Admin, crate::hold::Scope::Account);
    assert!(matches!(refused, Err(Refusal::Conflict(_))));
    let ticket = world.run_as(customer(), Command::OpenTicket);
    assert!(matches!(ticket, Err(Refusal::Conflict(_))));
    world.policy.reclaim_after_hours = None;
    world.run(Command::Reevaluate);
    world.pass(hours(1));
    assert!(matches!(world.state.reclaim, Reclaim::Cleared { .. }), "resumed to the end");
}

#[test]
fn i4_a_violation_outlives_the_clearing() {
    let mut world = World::new();
    world.violate();
    world.pass(hours(60 * 24 + 1));
    assert!(matches!(world.state.reclaim, Reclaim::Cleared { .. }));
    assert!(world.has(HoldKind::Violation));
    let last = world.notices().last().unwrap();
    assert!(!last.text.contains("welcome"), "no new account after a violation (T24)");
}

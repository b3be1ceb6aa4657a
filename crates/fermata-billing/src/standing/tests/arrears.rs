//! T4 to T8, T17 and what the answers say about them, one account at a time.

use fermata_types::Sku;
use jiff::SignedDuration;

use super::{World, hours};
use crate::command::{ChangeAccount, Command, UsageDelta};
use crate::hold::{HoldKind, Label, Scope};
use crate::notice::NoticeKind as N;
use crate::policy::Policy;
use crate::state::Reclaim;
use crate::testing::{APP, money};
use crate::timer::TimerKind;
use crate::transition::Transition as T;

#[test]
fn t5_a_debit_below_zero_opens_an_episode_with_its_deadline_and_warnings() {
    let mut world = World::new();
    world.adjust("5");
    world.adjust("-5");
    assert_eq!(world.state.episode, None, "zero is fine (A4)");
    world.adjust("-0.01");
    let episode = world.state.episode.unwrap();
    assert_eq!(episode.since, world.now);
    assert_eq!(episode.suspend_due, Some(world.now + hours(24)));
    assert_eq!(world.timer(&TimerKind::Suspend), episode.suspend_due);
    assert_eq!(world.timer(&TimerKind::ArrearsWarning(12)), Some(world.now + hours(12)));
    assert_eq!(world.timer(&TimerKind::ArrearsWarning(23)), Some(world.now + hours(23)));
    assert_eq!(world.who(N::ArrearsReminder), ["owner"], "without a subscription");
    assert_eq!(world.label(), Label::Grace);
    assert!(world.kinds().is_empty(), "nothing is blocked yet (A1)");
    let text = &world.notices().last().unwrap().text;
    assert!(text.contains("-0.01 USD") && text.contains("2026-03-03T10:00:00Z"), "{text}");
}

#[test]
fn t6_second_debit_does_not_move_since() {
    let mut world = World::new();
    world.adjust("-1");
    let first = world.state.episode;
    world.pass(hours(20));
    world.adjust("-1");
    assert_eq!(world.state.episode, first, "I2");
    assert_eq!(world.count(T::T6), 1);
    world.pass(hours(4));
    assert!(world.has(HoldKind::Arrears));
}

#[test]
fn a4_a_partial_payment_stops_no_clock_and_a_new_episode_has_its_own() {
    let mut world = World::new();
    world.adjust("-10");
    world.pass(hours(23));
    world.pay("9.99");
    assert_eq!(world.count(T::T7), 0);
    world.pay("0.01");
    assert_eq!(world.count(T::T7), 1);
    assert_eq!(world.timer(&TimerKind::Suspend), None);
    assert_eq!(world.timer(&TimerKind::ArrearsWarning(23)), None);
    assert!(!world.told().contains(&N::Restored), "it was not suspended");
    world.adjust("-1");
    assert_eq!(world.timer(&TimerKind::Suspend), Some(world.now + hours(24)));
    assert_eq!(world.times_told(N::ArrearsReminder), 2, "one an episode");
}

#[test]
fn t8_suspends_at_the_deadline_and_not_before() {
    let mut world = World::new();
    world.adjust("-10");
    let due = world.now + hours(24);
    world.pass_to(due - SignedDuration::from_secs(1));
    assert!(!world.has(HoldKind::Arrears));
    assert_eq!(world.times_told(N::ArrearsWarning), 2, "after 12 and 23 hours (S11)");
    let epoch = world.state.head.epoch;
    world.pass_to(due);
    let hold = world.hold(HoldKind::Arrears).unwrap();
    assert_eq!((hold.since, hold.applied_at, hold.scope), (due, due, Scope::Account));
    assert!(world.state.head.epoch > epoch);
    assert_eq!(world.who(N::Suspended), ["owner"]);
    assert_eq!(world.state.reclaim, Reclaim::Due { at: due + hours(60 * 24) });
}

#[test]
fn t8_a_late_program_writes_down_both_times() {
    let mut world = World::new();
    world.adjust("-10");
    let due = world.now + hours(24);
    world.pass_late(hours(30));
    let hold = world.hold(HoldKind::Arrears).unwrap();
    assert_eq!((hold.since, hold.applied_at), (due, world.now));
    let clock = Reclaim::Due { at: world.now + hours(60 * 24) };
    assert_eq!(world.state.reclaim, clock, "counted from the later one (A12)");
}

#[test]
fn a19_a_credit_at_the_deadline_wins() {
    let mut world = World::new();
    world.adjust("-10");
    world.now += hours(24);
    world.pay("10");
    world.pass(hours(1));
    assert!(!world.has(HoldKind::Arrears));
    assert_eq!(world.count(T::T8), 0);
}

#[test]
fn t7_payment_restores_at_once_and_i5_touches_no_other_hold() {
    let mut world = World::new();
    world.run(Command::DisableApp { app: APP });
    world.raise(super::operator("ann"), HoldKind::Admin, Scope::App(APP)).unwrap();
    world.suspend();
    let epoch = world.state.head.epoch;
    world.pay("10");
    assert!(!world.has(HoldKind::Arrears));
    assert_eq!(world.kinds(), [HoldKind::Manual, HoldKind::Admin], "I5, A9");
    assert!(world.state.head.epoch > epoch);
    assert_eq!(world.state.reclaim, Reclaim::None);
    assert_eq!(world.count(T::T23), 1, "rescued");
    assert!(!world.state.timers.keys().any(|t| matches!(t, TimerKind::ReclaimNotice(_))));
    assert_eq!(world.told()[world.told().len() - 2..], [N::ArrearsCleared, N::Restored]);
    assert!(world.state.sent.iter().all(|key| !key.of.starts_with("episode")), "forgotten");
}

#[test]
fn t7_says_what_still_stands_instead_of_restored() {
    let mut world = World::new();
    world.suspend();
    world.raise(super::operator("ann"), HoldKind::Admin, Scope::Account).unwrap();
    world.pay("10");
    assert_eq!(world.told().last(), Some(&N::ArrearsCleared));
    let text = &world.notices().last().unwrap().text;
    assert!(text.contains("admin (since"), "{text}");
}

#[test]
fn t23_a_violation_keeps_the_clock_running_after_payment() {
    let mut world = World::new();
    world.suspend();
    world.pass(hours(24));
    world.violate();
    let violated = world.now;
    world.pay("10");
    assert_eq!(world.count(T::T23), 0);
    assert_eq!(world.state.reclaim, Reclaim::Due { at: violated + hours(60 * 24) });
}

#[test]
fn a22_a_cut_of_the_credit_limit_opens_an_episode_and_a_raise_closes_it() {
    let mut world = World::new();
    let limit = |text| {
        let credit_limit = Some(money(text));
        Command::Change(ChangeAccount { credit_limit, ..ChangeAccount::default() })
    };
    world.run(limit("100"));
    world.adjust("-60");
    assert_eq!(world.state.episode, None);
    world.run(limit("50"));
    assert!(world.state.episode.is_some());
    world.pass(hours(24));
    assert!(world.has(HoldKind::Arrears));
    world.run(limit("60"));
    assert!(!world.has(HoldKind::Arrears));
}

#[test]
fn a15_an_agreement_without_suspension_reminds_and_no_more() {
    let mut world = World::new();
    world.policy.non_stop = true;
    world.adjust("-10");
    assert_eq!(world.timer(&TimerKind::Suspend), None);
    world.pass(hours(24 * 90));
    assert!(world.kinds().is_empty());
    assert_eq!(world.told(), [N::ArrearsReminder]);
    world.pay("10");
    assert_eq!(world.state.episode, None);
}

#[test]
fn t17_new_terms_are_counted_from_the_old_facts() {
    let mut world = World::new();
    world.adjust("-10");
    let since = world.now;
    world.pass(hours(6));
    world.policy = Policy { grace_hours: 72, ..Policy::default() };
    world.run(Command::Reevaluate);
    assert_eq!(world.timer(&TimerKind::Suspend), Some(since + hours(72)));
    world.pass(hours(42));
    assert_eq!(world.times_told(N::ArrearsWarning), 2, "12 and 23 hours, once each");
    // Cut short to a moment that is past: it comes now, not yesterday.
    world.policy = Policy::default();
    world.run(Command::Reevaluate);
    world.pass(hours(0));
    assert_eq!(world.hold(HoldKind::Arrears).unwrap().since, since + hours(48));
    assert_eq!(world.times_told(N::ArrearsWarning), 2, "what is past is not made up for");
    // Longer again: the suspension would not have come, so it ends, and comes when it is due.
    world.policy = Policy { grace_hours: 72, ..Policy::default() };
    world.run(Command::Reevaluate);
    assert!(!world.has(HoldKind::Arrears));
    assert_eq!(world.state.reclaim, Reclaim::None);
    assert_eq!(world.told().last(), Some(&N::Restored));
    world.pass_to(since + hours(72));
    assert_eq!(world.hold(HoldKind::Arrears).unwrap().since, since + hours(72));
    assert_eq!(world.times_told(N::Suspended), 2);
    // Never suspended at all.
    world.policy.non_stop = true;
    world.run(Command::Reevaluate);
    assert!(!world.has(HoldKind::Arrears));
    assert_eq!(world.state.episode.unwrap().suspend_due, None);
    assert_eq!(world.count(T::T17), 4);
}

#[test]
fn s10_minutes_left_do_not_prevent_suspension() {
    let mut world = World::new();
    let free = world.state.packages.values().any(|package| package.left.is_positive());
    assert!(free, "free minutes are there");
    world.suspend();
    assert_eq!(world.label(), Label::Arrears);
}

#[test]
fn a3_an_agreement_may_let_packages_rest_while_suspended() {
    let mut world = World::new();
    world.policy.burn_while_suspended = false;
    let talk = |world: &mut World, minutes: i64| {
        let (at, seconds) = (world.now, minutes * 60);
        let delta = UsageDelta { app: APP, sku: Sku::Audio, at, seconds };
        world.run(Command::Usage { deltas: vec![delta] });
        let uses = world.state.days.values();
        uses.map(|one| (one.covered(), one.billed)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    world.adjust("-10");
    // Late enough that the suspension and all use fall into one civil day.
    world.pass(hours(23));
    assert_eq!(talk(&mut world, 30), (30, 0));
    world.pass(hours(1));
    assert!(world.has(HoldKind::Arrears));
    assert_eq!(talk(&mut world, 5), (30, 5), "new minutes go to money");
    world.pay("10");
    assert_eq!(talk(&mut world, 7), (37, 5), "and packages burn again after the payment");
}

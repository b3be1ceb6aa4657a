//! T19, T20 and T23: when reclamation is due, how it is announced, and what keeps it away.

use jiff::{SignedDuration, Timestamp};

use crate::command::{ChangeAccount, Command};
use crate::hold::{HoldKind, Scope};
use crate::notice::{Contact, NoticeKind as N, Webhook};
use crate::standing::world::{World, hours, operator};
use crate::state::Reclaim;
use crate::testing::APP;
use crate::timer::TimerKind;
use crate::transition::Transition as T;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Suspended for arrears just now, and when 60 days are over.
fn suspended() -> (World, Timestamp) {
    let mut world = World::new();
    world.suspend();
    let over = world.now + hours(60 * 24);
    (world, over)
}

fn notices(world: &World) -> Vec<(i64, Timestamp)> {
    let of_kind = world.notices().filter(|notice| notice.key.kind == N::ReclaimNotice);
    of_kind.map(|notice| (notice.key.threshold, notice.at)).collect()
}

#[test]
fn a12_i8_exactly_60_days_do_not_clear_and_one_second_more_does() {
    let (mut world, over) = suspended();
    world.pass_to(over);
    assert_eq!(world.state.reclaim, Reclaim::Due { at: over });
    world.pass_to(over + SECOND);
    assert!(matches!(world.state.reclaim, Reclaim::Cleared { .. }));
    assert_eq!(world.count(T::T20), 1);
}

#[test]
fn a12_a_late_program_never_destroys_earlier() {
    let mut world = World::new();
    world.adjust("-10");
    world.pass_late(hours(24 * 59));
    let applied = world.now;
    world.pass_to(applied + hours(60 * 24));
    assert_eq!(world.state.reclaim, Reclaim::Due { at: world.now });
    world.pass(SECOND);
    assert!(world.state.reclaim.is_irreversible());
}

#[test]
fn a12_an_interrupted_hold_begins_anew() {
    let (mut world, over) = suspended();
    world.pass_to(over - hours(1));
    world.pay("10");
    assert_eq!(world.state.reclaim, Reclaim::None);
    world.suspend();
    world.pass(hours(24 * 59));
    assert!(!world.state.reclaim.is_irreversible(), "120 days with a break are not 60");
}

#[test]
fn t19_notices_go_out_30_7_and_1_day_before() {
    let (mut world, over) = suspended();
    world.pass_to(over);
    let days = |days: i64| over - hours(days * 24);
    assert_eq!(notices(&world), [(30, days(30)), (7, days(7)), (1, days(1))]);
    assert_eq!(world.count(T::T19), 3);
    assert_eq!(world.who(N::ReclaimNotice), ["owner"; 3]);
    let titles: Vec<_> = world
        .notices()
        .filter(|notice| notice.key.kind == N::ReclaimNotice)
        .map(|notice| notice.title.clone())
        .collect();
    assert!(titles[0].contains("30 days") && titles[2].contains("1 day"), "{titles:?}");
}

#[test]
fn t23_payment_before_the_sweep_saves_the_account() {
    let (mut world, over) = suspended();
    world.pass_to(over);
    world.pay("10");
    assert_eq!((world.count(T::T23), world.count(T::T20)), (1, 0));
    assert_eq!(world.timer(&TimerKind::ReclaimDue), None);
    world.pass(hours(24 * 100));
    assert_eq!(world.state.reclaim, Reclaim::None);
}

#[test]
fn a13_the_switch_keeps_the_sweep_away_and_it_looks_again_daily() {
    let (mut world, over) = suspended();
    world.reclaim_on = false;
    world.pass_to(over + hours(24 * 10));
    assert_eq!(world.state.reclaim, Reclaim::Due { at: over });
    assert_eq!(notices(&world).len(), 3, "announced all the same");
    world.reclaim_on = true;
    world.pass(hours(24));
    assert!(world.state.reclaim.is_irreversible());
}

#[test]
fn a13_an_exempt_account_is_passed_by() {
    let (mut world, over) = suspended();
    let exempt = |exempt| {
        let reclaim_exempt = Some(exempt);
        Command::Change(ChangeAccount { reclaim_exempt, ..ChangeAccount::default() })
    };
    world.run(exempt(true));
    assert_eq!(world.state.reclaim, Reclaim::None);
    world.pass_to(over + hours(24));
    assert_eq!(notices(&world), []);
    // Exempt no longer: the term is over since long, but nobody was warned, so each is warned first.
    world.run(exempt(false));
    world.pass(SignedDuration::ZERO);
    assert_eq!(notices(&world).len(), 3);
    world.pass(hours(24));
    assert!(!world.state.reclaim.is_irreversible(), "a day after the notices at the earliest");
    world.pass(SECOND);
    assert!(world.state.reclaim.is_irreversible());
}

#[test]
fn a11_unfunded_manual_and_admin_never_count_beside_one_that_does() {
    let mut world = World::new();
    world.run(Command::DisableApp { app: APP });
    world.raise(operator("ann"), HoldKind::Admin, Scope::Account).unwrap();
    world.pass(hours(24 * 80));
    assert_eq!(world.state.reclaim, Reclaim::None, "I3");
    world.suspend();
    world.pass(hours(24 * 60) + SECOND);
    assert!(world.state.reclaim.is_irreversible(), "one eligible hold is enough");
}

#[test]
fn t17_a_term_cut_short_is_announced_anew_and_not_swept_at_once() {
    let (mut world, over) = suspended();
    world.pass(hours(24 * 40));
    assert_eq!(notices(&world).len(), 1);
    world.policy.reclaim_after_hours = Some(48);
    world.run(Command::Reevaluate);
    world.pass(SignedDuration::ZERO);
    let told = notices(&world);
    assert_eq!(told.len(), 2, "30 and 7 days do not fit into two");
    assert_eq!(told[1], (1, world.now));
    world.pass(hours(24));
    assert!(!world.state.reclaim.is_irreversible());
    world.policy.reclaim_after_hours = None;
    world.run(Command::Reevaluate);
    assert_eq!(world.state.reclaim, Reclaim::None);
    world.policy.reclaim_after_hours = Some(60 * 24);
    world.run(Command::Reevaluate);
    assert_eq!(world.state.reclaim, Reclaim::Due { at: over });
}

#[test]
fn t20_a_missing_notice_is_sent_and_waited_for() {
    let (mut world, over) = suspended();
    world.pass_to(over);
    let keys: Vec<_> =
        world.state.sent.iter().filter(|key| key.kind == N::ReclaimNotice).cloned().collect();
    assert_eq!(keys.len(), 3);
    // As if it had never been sent: the journal forgets it too, or I11 would rightly complain.
    let key = keys[0].clone();
    world.state.sent.remove(&key);
    world.history.rows.retain(
        |row| !matches!(&row.record, crate::journal::Record::Notice(notice) if notice.key == key),
    );
    world.pass(hours(24));
    assert!(!world.state.reclaim.is_irreversible());
    assert_eq!(notices(&world).len(), 3);
    world.pass(hours(2));
    assert!(world.state.reclaim.is_irreversible());
}

#[test]
fn a28_a_notice_counts_as_sent_when_it_is_queued() {
    let (mut world, over) = suspended();
    let webhook = Webhook { url: "https://example.org/x".to_owned(), secret: "k".to_owned() };
    world.run(Command::PutContact(Contact {
        name: "owner".to_owned(),
        email: None,
        webhook: Some(webhook.clone()),
    }));
    world.pass_to(over + SECOND);
    let told = world.outbox.iter().filter(|one| one.notice.key.kind == N::ReclaimNotice);
    assert!(
        told.clone().count() == 3
            && told.clone().all(|d| d.contact.webhook == Some(webhook.clone()))
    );
    assert!(world.state.reclaim.is_irreversible(), "nothing is asked of the delivery");
}

//! Who is told what, once (I11, S11, T4, billing section 8).

use jiff::SignedDuration;

use super::{forget, notify, package_moved};
use crate::catalog::{PackageScope, Validity};
use crate::clause::ClauseId;
use crate::command::{Answer, ChangeAccount, Command};
use crate::id::PackageId;
use crate::limits::OPERATOR_ALERTS_KEPT;
use crate::money::Money;
use crate::notice::{NoticeKey, NoticeKind as N, Subscription};
use crate::standing::world::{World, contact, hours};
use crate::state::{Package, PackageStatus};
use crate::testing::{at, date, money, units};
use crate::timer::TimerKind;
use crate::transition::Transition as T;

fn subscribe(world: &mut World, name: &str, kind: N, below: Option<&str>, percent: Option<u8>) {
    world.run(Command::PutContact(contact("desk")));
    world.run(Command::Subscribe(Subscription {
        name: name.to_owned(),
        contact: "desk".to_owned(),
        kind,
        below: below.map(money),
        percent,
    }));
}

fn say(world: &mut World, kind: N, of: &str, threshold: i64) {
    let key = NoticeKey { kind, of: of.to_owned(), threshold };
    world
        .tell(|step| {
            notify(step, key, "title".to_owned(), "text".to_owned(), &[ClauseId::S11])
                .map(|()| Answer::Done)
        })
        .unwrap();
}

#[test]
fn i11_the_same_key_is_told_once_until_it_is_forgotten() {
    let mut world = World::new();
    for _ in 0..3 {
        say(&mut world, N::ArrearsReminder, "episode-7", 0);
    }
    assert_eq!(world.who(N::ArrearsReminder), ["owner"]);
    say(&mut world, N::ArrearsReminder, "episode-70", 0);
    say(&mut world, N::ArrearsWarning, "episode-7/x", 12);
    assert_eq!(world.state.sent.len(), 3);
    let kinds = [N::ArrearsReminder, N::ArrearsWarning];
    world
        .tell(|step| {
            forget(step, &kinds, "episode-7");
            Ok(Answer::Done)
        })
        .unwrap();
    let left: Vec<_> = world.state.sent.iter().map(|key| key.of.as_str()).collect();
    assert_eq!(left, ["episode-70"], "what begins alike is not what belongs to it");
}

#[test]
fn s11_standing_goes_to_the_owner_and_the_rest_to_subscribers_each_once() {
    let mut world = World::new();
    subscribe(&mut world, "a", N::BillReady, None, None);
    subscribe(&mut world, "b", N::BillReady, None, None);
    subscribe(&mut world, "c", N::Suspended, None, None);
    say(&mut world, N::BillReady, "BL_1", 0);
    assert_eq!(world.who(N::BillReady), ["desk"]);
    say(&mut world, N::Suspended, "x", 0);
    assert_eq!(world.who(N::Suspended), ["desk", "owner"]);
    say(&mut world, N::CreditUsed, "x", 70);
    assert_eq!(world.who(N::CreditUsed), Vec::<&str>::new());
    assert_eq!(world.times_told(N::CreditUsed), 1, "it stands among the notices all the same");
    let notice = world.notices().last().unwrap();
    assert!(notice.id.as_str().starts_with("NT_"));
}

#[test]
fn a15_the_partner_is_told_of_standing_where_the_agreement_says_so() {
    let mut world = World::new();
    world.run(Command::PutContact(contact("partner")));
    world.adjust("-1");
    assert_eq!(world.who(N::ArrearsReminder), ["owner"]);
    world.pay("1");
    world.policy.partner_notified = true;
    world.adjust("-1");
    assert_eq!(world.who(N::ArrearsReminder), ["owner", "owner", "partner"]);
}

#[test]
fn t26_operator_alerts_go_to_nobody_and_only_the_last_days_are_remembered() {
    let mut world = World::new();
    for day in 10..30 {
        say(&mut world, N::OperatorAlert, &format!("2026-03-{day}"), 0);
        say(&mut world, N::OperatorAlert, &format!("2026-03-{day}"), 0);
    }
    assert_eq!(world.times_told(N::OperatorAlert), 20);
    assert_eq!(world.who(N::OperatorAlert), Vec::<&str>::new());
    assert_eq!(world.state.sent.len(), OPERATOR_ALERTS_KEPT);
}

#[test]
fn t4_an_alert_fires_on_the_way_down_and_never_by_a_credit() {
    let mut world = World::new();
    subscribe(&mut world, "low", N::BalanceLow, Some("5"), None);
    world.pay("3");
    assert_eq!(world.count(T::T4), 0, "below, but on the way up");
    world.pay("7");
    world.adjust("-5");
    assert_eq!(world.count(T::T4), 0, "exactly the threshold is not below it");
    world.adjust("-0.01");
    assert_eq!((world.count(T::T4), world.who(N::BalanceLow)), (1, vec!["desk"]));
    let text = &world.notices().last().unwrap().text;
    assert!(text.contains("4.99 USD") && text.contains("5.00 USD"), "{text}");
}

#[test]
fn t4_at_most_one_alert_a_day_and_five_in_a_row() {
    let mut world = World::new();
    world.pay("10");
    subscribe(&mut world, "low", N::BalanceLow, Some("5"), None);
    world.adjust("-6");
    world.adjust("-1");
    assert_eq!(world.times_told(N::BalanceLow), 1);
    assert_eq!(world.timer(&TimerKind::BalanceAlert), Some(world.now + hours(24)));
    world.pass(hours(24 * 20));
    assert_eq!(world.times_told(N::BalanceLow), 5);
    assert_eq!(world.timer(&TimerKind::BalanceAlert), None, "silent until it recovers");
    world.adjust("-1");
    assert_eq!(world.times_told(N::BalanceLow), 5);
    world.pay("10");
    assert!(world.state.sent.is_empty());
    world.adjust("-10");
    assert_eq!(world.times_told(N::BalanceLow), 6);
}

#[test]
fn t4_a_flickering_balance_sends_no_more_than_one_a_day() {
    let mut world = World::new();
    world.pay("5");
    subscribe(&mut world, "low", N::BalanceLow, Some("5"), None);
    for _ in 0..6 {
        world.adjust("-1");
        world.pay("1");
        world.pass(hours(1));
    }
    assert_eq!(world.times_told(N::BalanceLow), 1);
    world.pass(hours(24));
    assert_eq!(world.times_told(N::BalanceLow), 1, "it has recovered");
    assert!(world.state.sent.is_empty() && world.timer(&TimerKind::BalanceAlert).is_none());
}

#[test]
fn t4_each_subscription_has_its_own_threshold_and_goes_with_it() {
    let mut world = World::new();
    world.pay("100");
    subscribe(&mut world, "high", N::BalanceLow, Some("50"), None);
    subscribe(&mut world, "low", N::BalanceLow, Some("5"), None);
    world.adjust("-60");
    assert_eq!(world.times_told(N::BalanceLow), 1);
    world.run(Command::Unsubscribe { name: "high".to_owned() });
    assert!(world.state.sent.is_empty() && world.timer(&TimerKind::BalanceAlert).is_none());
    world.adjust("-36");
    assert_eq!(world.times_told(N::BalanceLow), 2);
}

#[test]
fn credit_use_is_told_from_70_percent_in_steps_of_10() {
    let mut world = World::new();
    subscribe(&mut world, "credit", N::CreditUsed, None, None);
    let limit = |text| {
        let credit_limit = Some(money(text));
        Command::Change(ChangeAccount { credit_limit, ..ChangeAccount::default() })
    };
    world.run(limit("100"));
    let steps = |world: &World| -> Vec<i64> {
        let of_kind = world.notices().filter(|notice| notice.key.kind == N::CreditUsed);
        of_kind.map(|notice| notice.key.threshold).collect()
    };
    world.adjust("-69.99");
    assert!(steps(&world).is_empty());
    world.adjust("-0.01");
    world.adjust("-5");
    assert_eq!(steps(&world), [70]);
    world.adjust("-17");
    assert_eq!(steps(&world), [70, 90], "the highest only");
    world.pay("15");
    world.adjust("-15");
    assert_eq!(steps(&world), [70, 90], "not again before it has fallen below 70 %");
    world.pay("60");
    world.pass(SignedDuration::from_secs(1));
    world.adjust("-60");
    assert_eq!(steps(&world), [70, 90, 90]);
    world.run(limit("90"));
    assert_eq!(steps(&world), [70, 90, 90, 100], "a cut limit is used to more (A22)");
}

fn package(left: u64) -> Package {
    Package {
        id: PackageId::from_text("PK_1"),
        type_code: "monthly_starter".to_owned(),
        catalog_version: 1,
        scope: PackageScope::Account,
        app: None,
        free: false,
        validity: Validity::Month,
        from: date("2026-03-02"),
        until: date("2026-04-01"),
        priority: 0,
        created_at: at("2026-03-02T10:00:00Z"),
        price: Money::ZERO,
        units: units(1_000),
        settled: units(1_000),
        left: units(left),
        status: PackageStatus::Live,
    }
}

fn burn(world: &mut World, from: u64, to: u64) {
    let (before, after) = (package(from), package(to));
    world.tell(|step| package_moved(step, &before, &after).map(|()| Answer::Done)).unwrap();
}

fn levels(world: &World, kind: N) -> Vec<i64> {
    let of_kind = world.notices().filter(|notice| notice.key.kind == kind);
    of_kind.map(|notice| notice.key.threshold).collect()
}

#[test]
fn t1_a_package_is_told_at_80_90_and_100_percent_once_each() {
    let mut world = World::new();
    burn(&mut world, 1_000, 201);
    assert!(levels(&world, N::PackageUsed).is_empty());
    burn(&mut world, 201, 200);
    burn(&mut world, 200, 400);
    burn(&mut world, 400, 150);
    assert_eq!(levels(&world, N::PackageUsed), [80], "counted anew, it is not told anew");
    burn(&mut world, 150, 0);
    assert_eq!(levels(&world, N::PackageUsed), [80, 90, 100]);
}

#[test]
fn t1_an_alarm_goes_off_at_the_subscribed_share_left() {
    let mut world = World::new();
    subscribe(&mut world, "half", N::PackageAlarm, None, Some(50));
    subscribe(&mut world, "none", N::PackageAlarm, None, Some(0));
    burn(&mut world, 1_000, 501);
    assert!(levels(&world, N::PackageAlarm).is_empty());
    burn(&mut world, 501, 500);
    burn(&mut world, 500, 1);
    assert_eq!(levels(&world, N::PackageAlarm), [50]);
    burn(&mut world, 1, 0);
    assert_eq!(levels(&world, N::PackageAlarm), [50, 0]);
    assert_eq!(world.who(N::PackageAlarm), ["desk", "desk"]);
    world
        .tell(|step| {
            forget(step, &[N::PackageUsed, N::PackageAlarm], "PK_1");
            Ok(Answer::Done)
        })
        .unwrap();
    assert!(world.state.sent.is_empty(), "nothing is kept of a package that has ended");
}

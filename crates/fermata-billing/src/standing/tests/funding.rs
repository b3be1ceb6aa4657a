//! T9 and T10: what pays for an application's minutes, with packages put as they are meant.

use super::World;
use crate::catalog::{PackageScope, Validity};
use crate::command::{Answer, Command};
use crate::hold::{HoldCause, HoldKind, Label, Scope};
use crate::id::PackageId;
use crate::money::Money;
use crate::notice::NoticeKind as N;
use crate::standing::{check_funding, lift_unfunded};
use crate::state::{BillingMode, Item, Package, PackageStatus};
use crate::testing::{APP, OTHER_APP, date, units};
use crate::transition::Transition as T;

/// A bought package of the application (or of the account) that covers today.
fn bought(app: Option<fermata_types::SdkAppId>, left: u64) -> Package {
    Package {
        id: PackageId::from_text("PK_test_1"),
        type_code: "monthly_starter".to_owned(),
        catalog_version: 1,
        scope: if app.is_some() { PackageScope::App } else { PackageScope::Account },
        app,
        free: false,
        validity: Validity::Month,
        from: date("2026-03-01"),
        until: date("2026-03-31"),
        priority: 0,
        created_at: crate::testing::at(super::super::world::START),
        price: Money::ZERO,
        units: units(100),
        settled: units(left),
        left: units(left),
        status: PackageStatus::Live,
    }
}

/// An account without postpaid whose free minutes are used.
fn dry() -> World {
    let mut world = World::with(BillingMode::Off);
    let mut free = world.state.packages.values().next().unwrap().clone();
    (free.settled, free.left) = (units(0), units(0));
    world.put(Item::Package(free));
    world
}

fn judge(world: &mut World) -> Vec<Scope> {
    world.tell(|step| check_funding(step).map(|()| Answer::Done)).unwrap();
    let unfunded = world.state.holds.values().filter(|hold| hold.kind == HoldKind::Unfunded);
    unfunded.map(|hold| hold.scope).collect()
}

fn lift(world: &mut World) {
    world.tell(|step| lift_unfunded(step).map(|()| Answer::Done)).unwrap();
}

#[test]
fn t9_free_minutes_fund_every_application() {
    let mut world = World::with(BillingMode::Off);
    assert_eq!(judge(&mut world), []);
}

#[test]
fn t9_without_anything_that_pays_every_application_is_held() {
    let mut world = dry();
    let scopes = judge(&mut world);
    assert_eq!(scopes.len(), 2);
    assert!(world.state.holds.values().all(|hold| hold.cause == Some(HoldCause::FreeUsed)));
    assert_eq!(world.label(), Label::Unfunded);
    assert_eq!(judge(&mut world).len(), 2, "once an application");
}

#[test]
fn t9_postpaid_funds_everything_and_its_end_does_not() {
    let mut world = dry();
    world.run(Command::SetBilling { billing: BillingMode::Daily });
    assert_eq!(judge(&mut world), []);
    world.run(Command::SetBilling { billing: BillingMode::Off });
    assert_eq!(world.count(T::T9), 2);
    assert_eq!(world.times_told(N::Unfunded), 1, "one notice for all applications");
    assert_eq!(world.who(N::Unfunded), ["owner"]);
    let text = &world.notices().last().unwrap().text;
    assert!(text.contains("1400000001, 1400000002"), "{text}");
    world.run(Command::SetBilling { billing: BillingMode::Monthly });
    assert_eq!(world.count(T::T10), 2);
    assert_eq!(world.label(), Label::Active);
}

#[test]
fn a6_a_monthly_package_funds_its_application_and_a_minute_pack_the_account() {
    let mut world = dry();
    world.put(Item::Package(bought(Some(APP), 1)));
    assert_eq!(judge(&mut world), [Scope::App(OTHER_APP)]);
    lift(&mut world);
    assert_eq!(world.kinds(), []);
    assert_eq!(world.state.holds.len(), 1, "the other application stays held");
    world.put(Item::Package(bought(None, 1)));
    lift(&mut world);
    assert!(world.state.holds.is_empty());
}

#[test]
fn t9_the_cause_says_what_ended_last() {
    let cases: [(Package, HoldCause); 4] = [
        (bought(Some(APP), 0), HoldCause::PackageUsed),
        (
            Package {
                until: date("2026-03-01"),
                status: PackageStatus::Expired,
                ..bought(Some(APP), 5)
            },
            HoldCause::PackageExpired,
        ),
        (Package { from: date("2026-03-20"), ..bought(None, 5) }, HoldCause::PackageExpired),
        (Package { status: PackageStatus::Refunded, ..bought(Some(APP), 5) }, HoldCause::FreeUsed),
    ];
    for (package, cause) in cases {
        let mut world = dry();
        world.put(Item::Package(package));
        judge(&mut world);
        let hold = world.state.holds.values().find(|hold| hold.scope == Scope::App(APP)).unwrap();
        assert_eq!(hold.cause, Some(cause));
    }
}

#[test]
fn a7_new_free_minutes_do_not_reopen_unless_the_terms_say_so() {
    let mut world = dry();
    judge(&mut world);
    let free = Package { free: true, ..bought(None, 50) };
    world.put(Item::Package(free));
    lift(&mut world);
    assert_eq!(world.state.holds.len(), 2);
    world.policy.free_renewal_reopens = true;
    lift(&mut world);
    assert!(world.state.holds.is_empty());
}

#[test]
fn t10_says_restored_only_where_no_other_hold_stands() {
    let mut world = dry();
    world.run(Command::DisableApp { app: APP });
    world.run(Command::SetBilling { billing: BillingMode::Daily });
    world.run(Command::SetBilling { billing: BillingMode::Off });
    world.run(Command::SetBilling { billing: BillingMode::Daily });
    let notice = world.notices().find(|notice| notice.key.kind == N::Restored).unwrap();
    assert!(notice.title.contains("1400000002") && !notice.title.contains("1400000001"));
    assert_eq!(world.kinds(), [HoldKind::Manual]);
}

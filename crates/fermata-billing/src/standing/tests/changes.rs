//! T12 to T16: what people change, and what they may not.

use super::{World, customer, hours, operator, partner};
use crate::command::{Answer, Command, Refusal};
use crate::effect::{FreezePolicy, OperationClass as Class};
use crate::hold::{HoldCause, HoldKind, Label, Scope};
use crate::id::HoldId;
use crate::notice::NoticeKind as N;
use crate::state::Reclaim;
use crate::testing::{APP, OTHER_APP};
use crate::transition::Transition as T;

fn raise(kind: HoldKind, reason: &str, evidence: &str) -> Command {
    Command::RaiseHold {
        kind,
        scope: Scope::Account,
        cause: None,
        reason: reason.to_owned(),
        evidence: evidence.to_owned(),
    }
}

#[test]
fn t12_t13_disabling_and_enabling_are_idempotent_and_about_one_application() {
    let mut world = World::new();
    let epoch = world.state.head.epoch;
    for _ in 0..2 {
        assert_eq!(world.run(Command::DisableApp { app: APP }), Answer::Done);
    }
    assert_eq!((world.count(T::T12), world.state.head.epoch), (1, epoch + 1));
    let enter: Vec<_> =
        crate::standing::verdicts(&world.state, &world.policy).iter().map(|v| v.enter).collect();
    assert_eq!(enter, [false, true]);
    for _ in 0..2 {
        assert_eq!(world.run(Command::EnableApp { app: APP }), Answer::Remaining(vec![]));
    }
    assert_eq!((world.count(T::T13), world.state.head.epoch), (1, epoch + 2));
}

#[test]
fn t13_enabling_answers_what_remains_and_drops_only_manual() {
    let mut world = World::new();
    world.run(Command::DisableApp { app: APP });
    world.suspend();
    world.raise(operator("ann"), HoldKind::Admin, Scope::App(APP)).unwrap();
    world.raise(operator("ann"), HoldKind::Admin, Scope::App(OTHER_APP)).unwrap();
    let left = world.run(Command::EnableApp { app: APP });
    assert_eq!(left, Answer::Remaining(vec![HoldKind::Arrears, HoldKind::Admin]), "A9");
    assert!(!world.allows(Class::Join));
}

#[test]
fn t12_unknown_applications_and_closed_accounts_are_refused() {
    let mut world = World::new();
    let app = fermata_types::SdkAppId(7);
    let unknown = world.run_as(customer(), Command::DisableApp { app });
    assert!(matches!(unknown, Err(Refusal::Unknown { what: "application", .. })));
    world.violate();
    let refused = world.run_as(customer(), Command::EnableApp { app: APP });
    let Err(Refusal::Suspended { class: Class::EnableApp, holds, cleared: false }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(holds[0].kind, HoldKind::Violation);
}

#[test]
fn t14_a_violation_takes_two_persons_and_evidence() {
    let mut world = World::new();
    for (reason, evidence, field) in [("", "E", "reason"), ("R", " ", "evidence")] {
        let refused = world.run_as(operator("ann"), raise(HoldKind::Violation, reason, evidence));
        assert!(matches!(refused, Err(Refusal::Invalid { field: f, .. }) if f == field));
    }
    let hold = world.raise(operator("ann"), HoldKind::Violation, Scope::Account).unwrap();
    assert!(hold.proposed && world.kinds().is_empty() && world.allows(Class::Join));
    assert_eq!(world.state.reclaim, Reclaim::None);
    assert_eq!(world.label(), Label::Active);
    let approve = || Command::ApproveHold { hold: hold.id.clone() };
    assert_eq!(world.run_as(operator("ann"), approve()), Err(Refusal::SamePerson));
    let outsider = world.run_as(customer(), approve());
    assert!(matches!(outsider, Err(Refusal::NotYours { .. })));
    world.pass(hours(5));
    let Ok(Answer::Hold(raised)) = world.run_as(operator("bob"), approve()) else { panic!() };
    assert_eq!((raised.since, raised.proposed), (world.now, false), "from the approval on");
    assert_eq!(world.count(T::T14), 1);
    assert_eq!(world.run_as(operator("bob"), approve()), Ok(Answer::Hold(raised)), "again");
    assert_eq!(world.count(T::T14), 1);
    assert_eq!(world.state.reclaim, Reclaim::Due { at: world.now + hours(60 * 24) });
    assert_eq!(world.who(N::Violation), ["owner"]);
    assert!(world.notices().last().unwrap().text.contains("seen"), "with the reason");
    let verdict = &crate::standing::verdicts(&world.state, &world.policy)[0];
    assert!(verdict.dismiss && !verdict.resume && !verdict.enter, "I12");
}

#[test]
fn t15_a_violation_is_final_and_a_proposal_can_be_withdrawn() {
    let mut world = World::new();
    let proposed = world.raise(operator("ann"), HoldKind::Violation, Scope::Account).unwrap();
    let drop = |id: &HoldId| Command::DropHold { hold: id.clone() };
    let outsider = world.run_as(customer(), drop(&proposed.id));
    assert!(matches!(outsider, Err(Refusal::NotYours { .. })));
    world.run(drop(&proposed.id));
    assert!(world.state.holds.is_empty());
    let id = world.violate();
    for actor in [operator("ann"), operator("bob"), customer(), partner("acme")] {
        assert_eq!(world.run_as(actor, drop(&id)), Err(Refusal::Final), "I4");
    }
    world.pay("1000");
    assert!(world.has(HoldKind::Violation), "money does not help");
}

#[test]
fn t16_only_the_accounts_own_partner_freezes_and_unfreezes() {
    let mut world = World::new();
    let freeze =
        |world: &mut World, actor| world.raise(actor, HoldKind::PartnerFreeze, Scope::Account);
    for actor in [operator("ann"), customer(), partner("other")] {
        assert!(matches!(freeze(&mut world, actor), Err(Refusal::NotYours { .. })));
    }
    world.policy.partner_may_freeze = false;
    assert!(matches!(freeze(&mut world, partner("acme")), Err(Refusal::NotYours { .. })));
    world.policy.partner_may_freeze = true;
    world.run(Command::PutContact(super::super::world::contact("partner")));
    let hold = freeze(&mut world, partner("acme")).unwrap();
    assert_eq!(world.who(N::PartnerFreeze), ["owner", "partner"], "both are told");
    assert_eq!(world.state.reclaim, Reclaim::None, "unless the agreement says so");
    assert!(world.allows(Class::Recordings) && !world.allows(Class::Join));
    let drop = || Command::DropHold { hold: hold.id.clone() };
    for actor in [operator("ann"), customer(), partner("other")] {
        assert!(matches!(world.run_as(actor, drop()), Err(Refusal::NotYours { .. })));
    }
    world.policy.partner_may_freeze = false;
    assert_eq!(world.run_as(partner("acme"), drop()), Ok(Answer::Done), "lifting always may");
    assert_eq!(world.count(T::T16), 2);
    assert!(world.allows(Class::Join));
}

#[test]
fn t16_the_agreement_decides_what_a_freeze_does() {
    let mut world = World::new();
    world.policy.freeze_reclaims = true;
    world.policy.freeze =
        FreezePolicy { ongoing_continue: false, recordings_open: false, blocked: None };
    world.raise(partner("acme"), HoldKind::PartnerFreeze, Scope::Account).unwrap();
    assert_eq!(world.state.reclaim, Reclaim::Due { at: world.now + hours(60 * 24) });
    assert!(crate::standing::verdicts(&world.state, &world.policy)[0].dismiss);
    let epoch = world.state.head.epoch;
    world.policy.freeze_reclaims = false;
    world.policy.freeze = FreezePolicy::default();
    world.run(Command::Reevaluate);
    assert_eq!(world.state.reclaim, Reclaim::None, "T17");
    assert!(world.state.head.epoch > epoch, "nodes must learn that calls may go on");
}

#[test]
fn the_operator_holds_account_or_application_and_lifts_it() {
    let mut world = World::new();
    let hold = world.raise(operator("ann"), HoldKind::Admin, Scope::App(APP)).unwrap();
    let again = world.raise(operator("bob"), HoldKind::Admin, Scope::App(APP));
    let Err(Refusal::Conflict(text)) = again else { panic!("{again:?}") };
    assert!(text.contains(hold.id.as_str()), "{text}");
    world.raise(operator("bob"), HoldKind::Admin, Scope::Account).unwrap();
    world.pass(hours(24 * 100));
    assert_eq!(world.state.reclaim, Reclaim::None, "A11");
    let dropped = world.run_as(customer(), Command::DropHold { hold: hold.id.clone() });
    assert!(matches!(dropped, Err(Refusal::NotYours { .. })));
    world.run(Command::DropHold { hold: hold.id });
    assert_eq!(world.kinds(), [HoldKind::Admin]);
}

#[test]
fn holds_that_something_else_clears_say_what() {
    let mut world = World::new();
    world.run(Command::DisableApp { app: APP });
    world.suspend();
    for (kind, word) in [(HoldKind::Manual, "enabling"), (HoldKind::Arrears, "payment")] {
        let hold = world.hold(kind).unwrap().id.clone();
        let refused = world.run_as(operator("ann"), Command::DropHold { hold });
        assert!(matches!(refused, Err(Refusal::Conflict(text)) if text.contains(word)));
    }
}

#[test]
fn what_is_asked_for_wrongly_is_refused_by_name() {
    let mut world = World::new();
    let long = "x".repeat(1_001);
    let with = |kind, scope, cause, reason: &str| Command::RaiseHold {
        kind,
        scope,
        cause,
        reason: reason.to_owned(),
        evidence: "E".to_owned(),
    };
    let unknown = Scope::App(fermata_types::SdkAppId(9));
    let cases = [
        (with(HoldKind::Arrears, Scope::Account, None, "r"), "kind"),
        (with(HoldKind::Manual, Scope::App(APP), None, "r"), "kind"),
        (with(HoldKind::Violation, Scope::App(APP), None, "r"), "scope"),
        (with(HoldKind::Admin, unknown, None, "r"), "application"),
        (with(HoldKind::Admin, Scope::Account, Some(HoldCause::Content), "r"), "cause"),
        (with(HoldKind::Violation, Scope::Account, Some(HoldCause::FreeUsed), "r"), "cause"),
        (with(HoldKind::Admin, Scope::Account, None, &long), "reason"),
        (with(HoldKind::Admin, Scope::Account, None, "a\u{7}b"), "reason"),
        (Command::DropHold { hold: HoldId::from_text("HD_none") }, "HD_none"),
        (Command::ApproveHold { hold: HoldId::from_text("HD_none") }, "HD_none"),
    ];
    for (command, word) in cases {
        let refusal = world.run_as(operator("ann"), command).unwrap_err().to_string();
        assert!(refusal.contains(word), "{refusal}");
    }
}

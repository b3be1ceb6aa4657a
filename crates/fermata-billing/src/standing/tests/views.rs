//! What is answered to doors, programs and people (I14, A2, A6).

use serde_json::json;

use super::{World, hours, operator};
use crate::command::{Answer, Command, Refusal};
use crate::effect::OperationClass as Class;
use crate::hold::{HoldKind, Label, Scope};
use crate::standing::{effective, require, verdicts, view};
use crate::testing::{APP, OTHER_APP};

#[test]
fn i14_a_refusal_names_all_holds_the_earliest_first() {
    let mut world = World::new();
    world.suspend();
    world.pass(hours(1));
    world.run(Command::DisableApp { app: APP });
    world.raise(operator("ann"), HoldKind::Violation, Scope::Account).unwrap();
    for (app, expected) in [
        (Some(APP), vec![HoldKind::Arrears, HoldKind::Manual]),
        (Some(OTHER_APP), vec![HoldKind::Arrears]),
        (None, vec![HoldKind::Arrears]),
    ] {
        let refused = world.tell(|step| require(step, Class::Api, app).map(|()| Answer::Done));
        let Err(Refusal::Suspended { class: Class::Api, holds, cleared: false }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(holds.iter().map(|hold| hold.kind).collect::<Vec<_>>(), expected);
        assert_eq!(holds.iter().collect::<Vec<_>>(), effective(&world.state, app));
    }
    for class in [Class::Dismiss, Class::Billing, Class::BuyPackage, Class::Resume] {
        let asked = world.tell(|step| require(step, class, Some(APP)).map(|()| Answer::Done));
        assert_eq!(asked, Ok(Answer::Done), "{} stays open (A2)", class.code());
    }
}

#[test]
fn i6_verdicts_name_kinds_once_and_carry_the_epoch() {
    let mut world = World::new();
    world.raise(operator("ann"), HoldKind::Admin, Scope::Account).unwrap();
    world.raise(operator("ann"), HoldKind::Admin, Scope::App(APP)).unwrap();
    let found = verdicts(&world.state, &world.policy);
    let expected: serde_json::Value = serde_json::from_str(
        r#"{"holds": ["admin"], "cleared": false, "enter": false, "resume": true, "dismiss": false}"#,
    )
    .unwrap();
    for (verdict, app) in found.iter().zip([APP, OTHER_APP]) {
        let mut shown = serde_json::to_value(verdict).unwrap();
        let shown = shown.as_object_mut().unwrap();
        assert_eq!(shown.remove("app"), Some(json!(app.0)));
        assert_eq!(shown.remove("epoch"), Some(json!(world.state.head.epoch)));
        assert_eq!(serde_json::Value::Object(shown.clone()), expected);
    }
}

#[test]
fn the_view_of_an_account_in_good_standing_and_in_arrears() {
    let mut world = World::new();
    let shown = serde_json::to_value(view(&world.state, &world.policy, world.now)).unwrap();
    assert_eq!(shown["label"], "active");
    assert!(shown["allows"].as_object().unwrap().values().all(|allowed| *allowed == json!(true)));
    assert_eq!(shown["arrears"], json!(null));
    assert_eq!(
        shown["reclaim"],
        json!({"stage": "none", "at": null, "step": null, "exempt": false})
    );
    assert_eq!(shown["apps"][1]["sdk_app_id"], json!(OTHER_APP.0));
    assert_eq!(shown["now"], "2026-03-02T10:00:00Z");

    world.suspend();
    let shown = serde_json::to_value(view(&world.state, &world.policy, world.now)).unwrap();
    assert_eq!(shown["label"], "arrears");
    for (class, allowed) in [
        ("join", false),
        ("resume", true),
        ("media_of_stay", true),
        ("running_task", true),
        ("dismiss", true),
        ("api", false),
        ("recordings", false),
        ("billing", true),
        ("buy_package", true),
        ("enable_app", true),
        ("usage", true),
    ] {
        assert_eq!(shown["allows"][class], json!(allowed), "{class}");
        assert_eq!(shown["apps"][0]["allows"][class], json!(allowed), "{class}");
    }
    let arrears = json!({"since": "2026-03-02T10:00:00Z", "suspend_due": "2026-03-03T10:00:00Z"});
    assert_eq!(shown["arrears"], arrears);
    let hold = &shown["holds"][0];
    assert_eq!((&hold["kind"], &hold["scope"]), (&json!("arrears"), &json!("account")));
    assert_eq!(
        (&hold["since"], &hold["proposed"]),
        (&json!("2026-03-03T10:00:00Z"), &json!(false))
    );
    assert!(hold["remedy"].as_str().unwrap().contains("Recharge"));
    assert!(hold["clauses"].as_array().unwrap().contains(&json!("S10")));
    assert_eq!(shown["reclaim"]["stage"], "due");
    assert_eq!(shown["reclaim"]["at"], "2026-05-02T10:00:00Z");
    let timers = shown["timers"].as_array().unwrap();
    assert!(timers.contains(&json!({"kind": "reclaim_due", "due": "2026-05-02T10:00:01Z"})));
    assert!(timers.is_sorted_by_key(|timer| timer["due"].as_str().unwrap().to_owned()));
}

#[test]
fn a6_the_account_can_do_what_one_of_its_applications_can() {
    let mut world = World::new();
    world.run(Command::DisableApp { app: APP });
    let one = view(&world.state, &world.policy, world.now);
    assert_eq!((one.label, one.allows["join"]), (Label::Active, true));
    assert_eq!((one.apps[0].label, one.apps[0].allows["join"]), (Label::Manual, false));
    world.run(Command::DisableApp { app: OTHER_APP });
    let both = view(&world.state, &world.policy, world.now);
    assert_eq!((both.label, both.allows["join"]), (Label::Manual, false));
    world.raise(operator("ann"), HoldKind::Violation, Scope::Account).unwrap();
    let proposed = view(&world.state, &world.policy, world.now);
    assert_eq!(proposed.label, Label::Manual);
    assert!(proposed.holds.iter().any(|hold| hold.proposed));
    assert!(proposed.apps[0].holds.iter().all(|hold| !hold.proposed));
}

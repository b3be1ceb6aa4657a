use super::*;

use proptest::prelude::*;

/// The matrix as people read it, written a second time by hand.
/// Columns: active, unfunded, manual, arrears, violation, cleared.
/// `y` yes, `n` no, `g` gone, `-` nothing left, `e` yes without effect, `a` new activation only, `l` late only.
const PRINTED: &str = "
join          y n n n n n
resume        y y y y n n
media_of_stay y y y y n -
running_task  y y y y n -
dismiss       y y y y y -
api           y n n n n n
recordings    y y y n n g
billing       y y y y y y
buy_package   y y y y n a
enable_app    y y y e n n
usage         y y y y y l
";

const CLOSED_BY_STAGE: bool = true;

fn holds() -> impl Strategy<Value = Vec<HoldKind>> {
    prop::sample::subsequence(HoldKind::ALL.to_vec(), 0..=HoldKind::ALL.len())
}

fn class() -> impl Strategy<Value = OperationClass> {
    prop::sample::select(OperationClass::ALL)
}

fn freeze() -> impl Strategy<Value = FreezePolicy> {
    let classes =
        prop::sample::subsequence(OperationClass::ALL.to_vec(), 0..=OperationClass::ALL.len());
    (any::<bool>(), any::<bool>(), prop::option::of(classes)).prop_map(
        |(ongoing_continue, recordings_open, blocked)| FreezePolicy {
            ongoing_continue,
            recordings_open,
            blocked,
        },
    )
}

#[test]
fn every_cell_is_the_printed_one() {
    let rows: Vec<_> = PRINTED.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(rows.len(), MATRIX.len());
    for ((row, class), (own, cells)) in rows.iter().zip(OperationClass::ALL).zip(MATRIX) {
        assert_eq!(class, own);
        let mut words = row.split_whitespace();
        assert_eq!(words.next(), Some(class.code()));
        let expected: Vec<_> = words
            .map(|cell| match cell {
                "y" => Effect::Yes,
                "n" => Effect::No,
                "g" => Effect::Gone,
                "-" => Effect::NotApplicable,
                "e" => Effect::YesWithoutEffect,
                "a" => Effect::NewActivationOnly,
                "l" => Effect::LateOnly,
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(cells.as_slice(), expected, "{class:?}");
        for (column, cell) in Column::ALL.iter().zip(cells) {
            assert_eq!(effect(*class, *column), *cell);
        }
    }
}

/// What one hold alone, or the stage alone, leaves open, by the printed matrix.
#[test]
fn one_hold_answers_as_its_column() {
    let columns = [
        (HoldKind::Arrears, 3),
        (HoldKind::Unfunded, 1),
        (HoldKind::Manual, 2),
        (HoldKind::Violation, 4),
        (HoldKind::PartnerFreeze, 1),
        (HoldKind::Admin, 1),
        (HoldKind::Closure, 4),
    ];
    for (row, class) in PRINTED.lines().filter(|l| !l.is_empty()).zip(OperationClass::ALL) {
        let cells: Vec<_> = row.split_whitespace().skip(1).collect();
        let open = |n: usize| match cells[n] {
            "y" | "e" | "l" => true,
            // Dismissing is open in every state (A2, T18), also where nothing is left.
            "-" => class.code() == "dismiss",
            _ => false,
        };
        for (kind, n) in columns {
            assert_eq!(allows(*class, [kind], false, None), open(n), "{class:?} under {kind}");
        }
        assert!(allows(*class, [], false, None), "{class:?}");
        assert_eq!(allows(*class, [], CLOSED_BY_STAGE, None), open(5), "{class:?} cleared");
    }
}

#[test]
fn a2_what_lowers_harm_and_lets_people_pay_is_open_in_every_state() {
    let everything = HoldKind::ALL.iter().copied();
    let harsh = FreezePolicy {
        ongoing_continue: false,
        recordings_open: false,
        blocked: Some(OperationClass::ALL.to_vec()),
    };
    for class in OperationClass::ALL {
        let open = matches!(
            class,
            OperationClass::Dismiss | OperationClass::Billing | OperationClass::Usage
        );
        assert_eq!(allows(*class, everything.clone(), true, Some(&harsh)), open, "{class:?}");
    }
}

#[test]
fn a15_an_agreement_changes_what_a_freeze_does() {
    let frozen = |class, policy: &FreezePolicy| {
        allows(class, [HoldKind::PartnerFreeze], false, Some(policy))
    };
    let ending = FreezePolicy { ongoing_continue: false, ..FreezePolicy::default() };
    assert!(!frozen(OperationClass::MediaOfStay, &ending));
    assert!(!frozen(OperationClass::Resume, &ending));
    assert!(!frozen(OperationClass::RunningTask, &ending));
    assert!(frozen(OperationClass::Recordings, &ending));
    let sealed = FreezePolicy { recordings_open: false, ..FreezePolicy::default() };
    assert!(!frozen(OperationClass::Recordings, &sealed));
    assert!(frozen(OperationClass::MediaOfStay, &sealed));
    let mild = FreezePolicy {
        blocked: Some(vec![OperationClass::BuyPackage, OperationClass::Billing]),
        ..FreezePolicy::default()
    };
    assert!(frozen(OperationClass::Api, &mild));
    assert!(!frozen(OperationClass::BuyPackage, &mild));
    assert!(frozen(OperationClass::Billing, &mild), "nobody could pay");
    assert!(!frozen(OperationClass::Join, &mild), "a freeze always refuses newcomers");
    // It is about the freeze alone.
    assert!(!allows(OperationClass::Api, [HoldKind::Admin], false, Some(&mild)));
}

#[test]
fn a_freeze_policy_is_read_strictly() {
    let policy: FreezePolicy =
        serde_json::from_str(r#"{"recordings_open":false,"blocked":["api","enable_app"]}"#)
            .unwrap();
    assert!(policy.ongoing_continue && !policy.recordings_open);
    let blocked = policy.blocked.as_deref().unwrap();
    assert_eq!(blocked, [OperationClass::Api, OperationClass::EnableApp]);
    let back: FreezePolicy =
        serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
    assert_eq!(back, policy);
    assert_eq!(serde_json::from_str::<FreezePolicy>("{}").unwrap(), FreezePolicy::default());
    assert!(serde_json::from_str::<FreezePolicy>(r#"{"recording":true}"#).is_err());
    assert!(serde_json::from_str::<FreezePolicy>(r#"{"blocked":["everything"]}"#).is_err());
}

#[test]
fn codes_are_the_serialised_names() {
    for class in OperationClass::ALL {
        assert_eq!(serde_json::to_value(class).unwrap(), class.code());
        assert!(class.sentence().ends_with('.'), "{class:?}");
    }
}

proptest! {
    #[test]
    fn i6_a_new_entry_is_allowed_exactly_without_hold_and_stage(
        holds in holds(),
        stage in any::<bool>(),
        freeze in prop::option::of(freeze()),
    ) {
        let open = allows(OperationClass::Join, holds.iter().copied(), stage, freeze.as_ref());
        prop_assert_eq!(open, holds.is_empty() && !stage);
    }

    #[test]
    fn i7_recordings_are_readable_exactly_unless_blocked(
        holds in holds(),
        stage in any::<bool>(),
        freeze in prop::option::of(freeze()),
    ) {
        let open =
            allows(OperationClass::Recordings, holds.iter().copied(), stage, freeze.as_ref());
        let has = |kind| holds.contains(&kind);
        let frozen_shut = has(HoldKind::PartnerFreeze)
            && freeze.as_ref().is_some_and(|policy| {
                let listed = |list: &Vec<_>| list.contains(&OperationClass::Recordings);
                !policy.recordings_open || policy.blocked.as_ref().is_some_and(listed)
            });
        let shut = has(HoldKind::Arrears) || has(HoldKind::Violation) || has(HoldKind::Closure);
        prop_assert_eq!(open, !shut && !frozen_shut && !stage);
    }

    #[test]
    fn i12_only_violation_closure_or_a_hard_freeze_ends_a_stay(
        holds in holds(),
        freeze in prop::option::of(freeze()),
    ) {
        let media =
            allows(OperationClass::MediaOfStay, holds.iter().copied(), false, freeze.as_ref());
        let ends = |kind: &HoldKind| match kind {
            HoldKind::Violation | HoldKind::Closure => true,
            HoldKind::PartnerFreeze => {
                freeze.as_ref().is_some_and(|policy| !policy.permits(OperationClass::MediaOfStay))
            }
            _ => false,
        };
        prop_assert_eq!(media, !holds.iter().any(ends));
    }

    /// One more hold never opens anything, and the order of holds does not matter.
    #[test]
    fn a9_holds_only_restrict_whatever_their_order(
        class in class(),
        holds in holds(),
        more in prop::sample::select(HoldKind::ALL),
        stage in any::<bool>(),
        freeze in prop::option::of(freeze()),
    ) {
        let ask = |kinds: Vec<HoldKind>, stage| allows(class, kinds, stage, freeze.as_ref());
        let before = ask(holds.clone(), stage);
        let mut with = holds.clone();
        with.push(more);
        prop_assert!(before || !ask(with.clone(), stage));
        prop_assert!(before || !ask(holds, true));
        let reversed: Vec<_> = with.iter().rev().copied().collect();
        prop_assert_eq!(ask(with, stage), ask(reversed, stage));
    }

    #[test]
    fn a15_the_default_agreement_acts_as_unfunded(class in class(), holds in holds(), stage in any::<bool>()) {
        let standard = FreezePolicy::default();
        prop_assert_eq!(
            allows(class, holds.iter().copied(), stage, Some(&standard)),
            allows(class, holds.iter().copied(), stage, None)
        );
    }
}

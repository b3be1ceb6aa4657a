use super::*;

use std::collections::BTreeSet;

use fermata_types::SdkAppId;

#[test]
fn the_table_has_one_row_per_kind_in_order() {
    assert_eq!(HOLDS.len(), HoldKind::ALL.len());
    for (kind, row) in HoldKind::ALL.iter().zip(HOLDS) {
        assert_eq!(row.kind, *kind);
        assert_eq!(kind.rule(), row);
        assert!(!row.scopes.is_empty());
        assert!(row.remedy.ends_with('.') && !row.remedy.contains(". "), "{kind}");
        assert!(!row.raised_by.ends_with('.') && !row.cleared_by.ends_with('.'), "{kind}");
    }
}

/// The facts of the table, written a second time by hand.
#[test]
fn the_facts_of_each_hold_are_the_promised_ones() {
    use {Ongoing as O, ReclaimClock as C, Recordings as R, Restorable as B, ScopeKind as S};
    type Facts = (HoldKind, &'static [S], O, R, C, B, &'static str);
    let rows: [Facts; 7] = [
        (
            HoldKind::Arrears,
            &[S::Account],
            O::Continue,
            R::Blocked,
            C::Yes,
            B::Yes,
            "suspended_arrears",
        ),
        (
            HoldKind::Unfunded,
            &[S::App],
            O::ContinueAbsorbed,
            R::Open,
            C::No,
            B::Yes,
            "suspended_unfunded",
        ),
        (HoldKind::Manual, &[S::App], O::Continue, R::Open, C::No, B::Yes, "app_disabled"),
        (
            HoldKind::Violation,
            &[S::Account],
            O::Dismiss,
            R::Blocked,
            C::Yes,
            B::No,
            "suspended_violation",
        ),
        (
            HoldKind::PartnerFreeze,
            &[S::Account],
            O::ByAgreement,
            R::ByAgreement,
            C::ByAgreement,
            B::Yes,
            "suspended_partner_freeze",
        ),
        (
            HoldKind::Admin,
            &[S::Account, S::App],
            O::Continue,
            R::Open,
            C::No,
            B::Yes,
            "suspended_admin",
        ),
        (
            HoldKind::Closure,
            &[S::Account],
            O::Dismiss,
            R::Blocked,
            C::Consent,
            B::UntilCleared,
            "suspended_closure",
        ),
    ];
    for (kind, scopes, ongoing, recordings, clock, restorable, code) in rows {
        let rule = kind.rule();
        assert_eq!(rule.scopes, scopes, "{kind}");
        assert_eq!((rule.ongoing, rule.recordings), (ongoing, recordings), "{kind}");
        assert_eq!((rule.reclaim_clock, rule.restorable), (clock, restorable), "{kind}");
        assert_eq!((rule.reason.code(), rule.reason.status()), (code, 403), "{kind}");
    }
}

#[test]
fn i3_and_a11_only_arrears_and_violation_run_the_60_days() {
    let eligible: Vec<_> = HoldKind::ALL
        .iter()
        .filter(|kind| kind.rule().reclaim_clock == ReclaimClock::Yes)
        .copied()
        .collect();
    assert_eq!(eligible, [HoldKind::Arrears, HoldKind::Violation]);
}

#[test]
fn every_clause_of_a_hold_exists_once() {
    for rule in HOLDS {
        let mut seen = BTreeSet::new();
        for clause in rule.clauses {
            assert!(ClauseId::ALL.contains(clause), "{clause}");
            assert!(seen.insert(clause), "{}: {clause} twice", rule.kind);
        }
        assert!(!seen.is_empty(), "{}", rule.kind);
    }
}

#[test]
fn every_hold_has_its_own_reason_and_code() {
    let reasons: BTreeSet<_> = HOLDS.iter().map(|rule| rule.reason.code()).collect();
    assert_eq!(reasons.len(), HOLDS.len());
    for kind in HoldKind::ALL {
        assert_eq!(HoldKind::parse(kind.code()), Some(*kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.code());
    }
    assert_eq!(HoldKind::parse("frozen"), None);
    for cause in HoldCause::ALL {
        assert_eq!(serde_json::to_value(cause).unwrap(), cause.code());
    }
    for label in Label::ALL {
        assert_eq!(serde_json::to_value(label).unwrap(), label.code());
        assert!(label.sentence().ends_with('.'), "{label}");
    }
}

#[test]
fn a_scope_is_account_or_a_number() {
    let app = Scope::App(SdkAppId(1_400_000_001));
    for (scope, json) in [(Scope::Account, "\"account\""), (app, "1400000001")] {
        assert_eq!(serde_json::to_string(&scope).unwrap(), json);
        assert_eq!(serde_json::from_str::<Scope>(json).unwrap(), scope);
    }
    for wrong in ["\"app\"", "4294967296", "-1", "1.5", "null", "{}", "\"1400000001\""] {
        let error = serde_json::from_str::<Scope>(wrong).unwrap_err().to_string();
        assert!(error.contains("`account` or the number"), "{wrong}: {error}");
    }
    assert!(Scope::Account < app);
    assert!(Scope::Account.covers(SdkAppId(7)));
    assert!(app.covers(SdkAppId(1_400_000_001)) && !app.covers(SdkAppId(7)));
}

#[test]
fn a6_a_hold_has_only_the_scopes_of_its_row() {
    let app = Scope::App(SdkAppId(7));
    let rows = [
        (HoldKind::Arrears, true, false),
        (HoldKind::Unfunded, false, true),
        (HoldKind::Manual, false, true),
        (HoldKind::Violation, true, false),
        (HoldKind::PartnerFreeze, true, false),
        (HoldKind::Admin, true, true),
        (HoldKind::Closure, true, false),
    ];
    for (kind, account, own) in rows {
        assert_eq!(kind.allows_scope(Scope::Account), account, "{kind}");
        assert_eq!(kind.allows_scope(app), own, "{kind}");
    }
}

/// Every set of holds, stage and episode: the label is the first of the written order that applies.
#[test]
fn the_first_label_of_the_precedence_wins() {
    let order = [
        "cleared",
        "clearing",
        "violation",
        "closure",
        "arrears",
        "partner_freeze",
        "admin",
        "unfunded",
        "manual",
        "grace",
        "active",
    ];
    for set in 0..1_u32 << (HoldKind::ALL.len() + 3) {
        let bit = |n: usize| set >> n & 1 == 1;
        let kinds: Vec<_> =
            (0..HoldKind::ALL.len()).filter(|n| bit(*n)).map(|n| HoldKind::ALL[n]).collect();
        let (clearing, cleared, open) = (bit(7), bit(8), bit(9));
        let mut present: Vec<_> = kinds.iter().map(|kind| kind.code()).collect();
        present.extend(cleared.then_some("cleared"));
        present.extend(clearing.then_some("clearing"));
        present.extend(open.then_some("grace"));
        present.push("active");
        let expected = order.into_iter().find(|code| present.contains(code)).unwrap();
        let label = label(clearing, cleared, kinds.into_iter(), open);
        assert_eq!(label.code(), expected, "{present:?}");
    }
}

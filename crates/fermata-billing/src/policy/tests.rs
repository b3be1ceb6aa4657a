use super::*;
use crate::effect::FreezePolicy;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn terms(edit: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::default();
    edit(&mut policy);
    policy
}

const NOW: &str = "2026-03-01T00:00:00Z";

fn empty() -> Agreement {
    Agreement::new(PartnerId("acme".to_owned()))
}

#[test]
fn s1_without_an_agreement_and_before_its_first_version_the_policy_holds() {
    let long = terms(|policy| policy.grace_hours = 72);
    let agreement = empty()
        .add(long.clone(), Some(at("2026-04-01T00:00:00Z")), at(NOW), "operator:ann")
        .unwrap();
    // The policy's own terms, but for the freeze, which needs an agreement in force (T16).
    let own = terms(|policy| policy.partner_may_freeze = false);
    assert_eq!(policy_at(None, at(NOW)), Policy::default());
    assert_eq!(policy_at(Some(&agreement), at("2026-03-31T23:59:59Z")), own);
    assert_eq!(policy_at(Some(&agreement), at("2026-04-01T00:00:00Z")), long);
}

#[test]
fn a15_the_version_in_force_is_the_last_that_took_effect() {
    let one = terms(|policy| policy.grace_hours = 48);
    let two = terms(|policy| policy.non_stop = true);
    let first = empty().add(one.clone(), None, at(NOW), "ann").unwrap();
    let both = first.add(two.clone(), Some(at("2026-05-01T00:00:00Z")), at(NOW), "ann").unwrap();
    assert_eq!(first.versions.len(), 1, "the old value stays as it was");
    assert_eq!(both.versions[1].version, 2);
    assert_eq!(policy_at(Some(&both), at("2026-04-30T23:59:59Z")), one);
    assert_eq!(policy_at(Some(&both), at("2026-05-01T00:00:00Z")), two);
    assert_eq!(both.next_change(at(NOW)), Some(at("2026-05-01T00:00:00Z")));
    assert_eq!(both.next_change(at("2026-05-01T00:00:00Z")), None);
}

#[test]
fn a15_moments_and_names_are_checked() {
    let first = empty().add(Policy::default(), None, at(NOW), "ann").unwrap();
    let past = first.add(Policy::default(), Some(at("2026-02-28T23:59:59Z")), at(NOW), "ann");
    assert!(matches!(past, Err(PolicyError::InThePast { .. })));
    let same = first.add(Policy::default(), None, at(NOW), "ann");
    assert!(matches!(same, Err(PolicyError::NotAfterLast { .. })));
    let nobody = first.add(Policy::default(), Some(at("2026-03-02T00:00:00Z")), at(NOW), "");
    assert_eq!(nobody, Err(PolicyError::BadActor { chars: 0 }));
}

#[test]
fn a15_terms_outside_their_bounds_are_refused_by_name() {
    type Edit = fn(&mut Policy);
    let cases: &[(Edit, &str, &str)] = &[
        (|p| p.grace_hours = 8_761, "grace_hours", "8761"),
        (|p| p.warn_hours = vec![24], "warn_hours", "24"),
        (|p| p.warn_hours = vec![0], "warn_hours", "0"),
        (|p| p.warn_hours = vec![3, 3], "warn_hours", "twice"),
        (|p| p.warn_hours = (1..=17).collect(), "warn_hours", "17"),
        (|p| p.grace_hours = 12, "warn_hours", "12"),
        (|p| p.grace_hours = 0, "warn_hours", "empty"),
        (|p| p.reclaim_after_hours = Some(23), "reclaim_after_hours", "23"),
        (|p| p.reclaim_after_hours = Some(87_601), "reclaim_after_hours", "87601"),
        (
            |p| p.freeze.blocked = Some(vec![OperationClass::Api, OperationClass::Billing]),
            "freeze.blocked",
            "billing",
        ),
    ];
    for (edit, field, word) in cases {
        let error = terms(edit).check().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(field) && text.contains(word), "{text}");
    }
    let fine: &[Edit] = &[
        |_| (),
        |p| p.grace_hours = 8_760,
        |p| p.reclaim_after_hours = None,
        |p| p.reclaim_after_hours = Some(24),
        |p| (p.grace_hours, p.warn_hours) = (0, vec![]),
        |p| (p.grace_hours, p.warn_hours) = (2, vec![1]),
    ];
    for edit in fine {
        terms(edit).check().unwrap();
    }
}

#[test]
fn a15_differences_name_each_field_in_words() {
    let old = Policy::default();
    let new = terms(|policy| {
        policy.grace_hours = 72;
        policy.non_stop = true;
        policy.warn_hours = vec![];
        policy.reclaim_after_hours = None;
        policy.freeze =
            FreezePolicy { blocked: Some(vec![OperationClass::Api]), ..FreezePolicy::default() };
    });
    let lines: Vec<_> = differences(&old, &new)
        .into_iter()
        .map(|one| format!("{}: {} -> {}", one.field, one.old, one.new))
        .collect();
    let expected = [
        "freeze.blocked: as the policy says -> api",
        "grace_hours: 24 -> 72",
        "non_stop: no -> yes",
        "reclaim_after_hours: 1440 -> none",
        "warn_hours: 12, 23 -> none",
    ];
    assert_eq!(lines, expected);
    assert_eq!(differences(&new, &new), vec![]);
}

#[test]
fn a15_unknown_fields_of_terms_are_refused_and_missing_ones_are_the_policys() {
    let policy: Policy = serde_json::from_str(r#"{"non_stop": true}"#).unwrap();
    assert_eq!(policy, terms(|policy| policy.non_stop = true));
    let error = serde_json::from_str::<Policy>(r#"{"grace": 3}"#).unwrap_err();
    assert!(error.to_string().contains("grace"), "{error}");
}

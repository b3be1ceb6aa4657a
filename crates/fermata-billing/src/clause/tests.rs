use super::*;

#[test]
fn ids_are_complete_and_in_order() {
    let expected: Vec<String> = [("S", 23), ("A", 28), ("T", 28), ("I", 14), ("P", 25)]
        .into_iter()
        .flat_map(|(letter, last)| (1..=last).map(move |n| format!("{letter}{n}")))
        .collect();
    let ids: Vec<_> = ClauseId::ALL.iter().map(|clause| clause.id()).collect();
    assert_eq!(ids, expected);
    assert!(ClauseId::ALL.is_sorted());
}

#[test]
fn a_family_is_the_letter_of_its_ids() {
    let rows = [
        (Family::Promise, 'S', 23),
        (Family::Answer, 'A', 28),
        (Family::Transition, 'T', 28),
        (Family::Invariant, 'I', 14),
        (Family::Property, 'P', 25),
    ];
    for (family, letter, count) in rows {
        assert_eq!(ClauseId::of(family).count(), count, "{family:?}");
        assert!(ClauseId::of(family).all(|clause| clause.id().starts_with(letter)), "{family:?}");
    }
}

#[test]
fn every_clause_is_one_plain_sentence_of_its_own() {
    let mut sentences: Vec<_> = ClauseId::ALL.iter().map(|clause| clause.sentence()).collect();
    for sentence in &sentences {
        assert!(sentence.ends_with('.') && !sentence.contains(". "), "{sentence}");
        assert!(sentence.len() > 20 && sentence.starts_with(char::is_uppercase), "{sentence}");
        assert!(!sentence.contains("  "), "{sentence}");
    }
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!(sentences.len(), ClauseId::ALL.len());
}

#[test]
fn ids_come_back_from_text_and_json() {
    for clause in ClauseId::ALL {
        assert_eq!(ClauseId::parse(clause.id()), Some(*clause));
        let json = serde_json::to_string(clause).unwrap();
        assert_eq!(json, format!("\"{clause}\""));
        assert_eq!(serde_json::from_str::<ClauseId>(&json).unwrap(), *clause);
    }
    for wrong in ["", "S", "S0", "S24", "s1", "S01", " S1", "T29", "X1", "S1 "] {
        assert_eq!(ClauseId::parse(wrong), None, "{wrong:?}");
    }
    let error = serde_json::from_str::<ClauseId>("\"S24\"").unwrap_err().to_string();
    assert!(error.contains("S24") && error.contains("S10"), "{error}");
}

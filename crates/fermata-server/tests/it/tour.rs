//! `fermata tour` is green, and is not when it ought not to be.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::program::{Program, run};

/// The lines of JSON that it printed.
fn lines(stdout: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn s7_s8_s9_s10_s12_s13_s17_s21_s22_a21_the_tour_sees_what_it_tells() {
    let output = run(&["tour", "--json"]);
    let told = lines(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{told:#?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (summary, steps) = told.split_last().unwrap();
    assert_eq!((&summary["ok"], &summary["server"]), (&Value::Bool(true), &Value::Null));
    assert!(summary["restored_milliseconds"].as_u64().is_some(), "{summary}");
    assert_eq!(summary["accounts"].as_array().unwrap().len(), 2);
    let mut clauses = BTreeSet::new();
    for step in steps {
        assert_eq!(step["ok"], true, "{step:#}");
        assert!(!step["seen"].as_array().unwrap().is_empty(), "{step:#}");
        clauses.extend(step["clauses"].as_array().unwrap().iter().filter_map(Value::as_str));
    }
    for clause in [
        "S3", "S4", "S6", "S7", "S8", "S9", "S10", "S12", "S13", "S14", "S15", "S16", "S17", "S18",
        "S21", "S22", "A21",
    ] {
        assert!(clauses.contains(clause), "{clause} is not shown");
    }
}

#[test]
fn the_tour_leaves_its_accounts_on_a_running_server() {
    let program = Program::serve(&["--dev"]);
    let server = program.ready["http"].as_str().unwrap();
    let output = run(&["tour", "--server", server]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("all as told"), "{text}");
    // The commands that it names can be run as they stand.
    let named: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("    fermata ")).collect();
    assert_eq!(named.len(), 4, "{text}");
    for command in named {
        let shown = run(&command.split_whitespace().collect::<Vec<_>>());
        assert_eq!(shown.status.code(), Some(0), "{command}: {shown:?}");
        assert!(shown.stdout.len() > 100, "{command}: {shown:?}");
    }
}

#[test]
fn a_tour_that_sees_something_else_ends_with_status_1_and_says_what() {
    let program = Program::serve(&["--dev"]);
    let server = program.ready["http"].as_str().unwrap();
    let output = run(&["tour", "--server", server, "--token", "none", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = lines(&output.stdout);
    assert_eq!((told.len(), &told[0]["ok"], &told[1]["ok"]), (2, &false.into(), &false.into()));
    let differed = told[0]["differed"][0].as_str().unwrap();
    assert!(differed.contains("401") && differed.contains("POST /accounts"), "{differed}");
}

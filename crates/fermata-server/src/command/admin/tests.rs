//! The rows against the OpenAPI document, and requests against what was typed.

use std::collections::BTreeSet;

use clap::Command;
use serde_json::{Value, json};

use super::call::{Field, Place};
use super::calls::{CALLS, NOUNS, OF_SESSIONS};
use super::{request, typed};

fn document() -> Value {
    serde_json::from_str(&crate::v1::openapi_json()).unwrap()
}

/// The operation of a row: its method, path and description.
fn operation<'a>(document: &'a Value, id: &str) -> (String, String, &'a Value) {
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if operation["operationId"] == id {
                return (method.to_uppercase(), path.clone(), operation);
            }
        }
    }
    panic!("no operation {id}");
}

#[test]
fn every_operation_has_its_command() {
    let document = document();
    let methods = document["paths"].as_object().unwrap().values();
    let operations: BTreeSet<_> = methods
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let commands: BTreeSet<_> =
        CALLS.iter().map(|call| call.operation).chain(OF_SESSIONS.iter().copied()).collect();
    assert_eq!(operations, commands, "rows of command/admin/calls.rs");
    for call in CALLS {
        let (method, path, _) = operation(&document, call.operation);
        assert_eq!(
            (method, path),
            (call.method.to_owned(), format!("/api/v1{}", call.path)),
            "{call:?}"
        );
    }
}

#[test]
fn fields_are_those_of_the_document() {
    let document = document();
    for call in CALLS {
        let (_, _, operation) = operation(&document, call.operation);
        let of = |place: Place| -> Vec<&Field> {
            call.fields.iter().filter(|field| field.place == place).collect()
        };
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_query: Vec<_> = parameters.iter().filter(|p| p["in"] == "query").collect();
        for parameter in &in_query {
            let name = parameter["name"].as_str().unwrap();
            if ["after", "limit"].contains(&name) {
                assert!(call.paged, "{call:?}");
                continue;
            }
            let field = of(Place::Query).into_iter().find(|field| field.name == name);
            let field = field.unwrap_or_else(|| panic!("{name} of {call:?}"));
            assert_eq!(Value::Bool(field.required), parameter["required"], "{name} of {call:?}");
        }
        let paged = in_query.iter().any(|parameter| parameter["name"] == "after");
        assert_eq!(
            (of(Place::Query).len(), call.paged),
            (in_query.len() - 2 * usize::from(paged), paged)
        );
        for field in of(Place::Path) {
            assert!(call.path.contains(&format!("{{{}}}", field.name)), "{field:?} of {call:?}");
        }
        assert_eq!(of(Place::Path).len(), call.path.matches('{').count(), "{call:?}");
        if call.fixed.is_empty() && !call.fields.iter().any(|f| matches!(f.place, Place::Whole(_)))
        {
            let fields = of(Place::Body);
            let names: BTreeSet<_> = fields.iter().map(|field| field.name).collect();
            let (known, required) = properties(&document, operation);
            assert_eq!(names, known.iter().map(String::as_str).collect(), "{call:?}");
            for field in fields {
                assert_eq!(field.required, required.contains(field.name), "{field:?} of {call:?}");
            }
        }
    }
}

/// Names in the JSON body of an operation, and the required ones.
fn properties(document: &Value, operation: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let one_of =
        schema["oneOf"].as_array().into_iter().flatten().find(|one| one["$ref"].is_string());
    let reference = one_of.unwrap_or(schema)["$ref"].as_str().unwrap_or_default();
    let name = reference.rsplit('/').next().unwrap();
    let schema = &document["components"]["schemas"][name];
    let known =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let required = schema["required"].as_array().into_iter().flatten();
    (known.collect(), required.map(|name| name.as_str().unwrap().to_owned()).collect())
}

#[test]
fn words_are_unique_and_nouns_are_told() {
    let mut words: Vec<_> = CALLS.iter().map(|call| call.words).collect();
    words.sort_unstable();
    words.windows(2).for_each(|pair| assert_ne!(pair[0], pair[1]));
    let with_verbs: BTreeSet<_> =
        CALLS.iter().filter(|call| call.words.len() == 2).map(|call| call.words[0]).collect();
    assert_eq!(with_verbs, NOUNS.iter().map(|(noun, _)| *noun).collect());
    super::build(Command::new("admin")).debug_assert();
}

#[test]
fn requests_say_what_was_typed() {
    let rows: &[(&[&str], &str, Option<Value>)] = &[
        (&["standing", "AC_1"], "GET /api/v1/accounts/AC_1/standing", None),
        (&["standing", "../a b"], "GET /api/v1/accounts/..%2Fa%20b/standing", None),
        (
            &["pay", "AC_1", "49.00", "--ref", "p1"],
            "POST /api/v1/accounts/AC_1/payments",
            Some(json!({"amount": "49.00", "provider_ref": "p1"})),
        ),
        (
            &["adjust", "AC_1", "-5.00", "--reason", "-"],
            "POST /api/v1/accounts/AC_1/adjustments",
            Some(json!({"amount": "-5.00", "reason": "-"})),
        ),
        (
            &["apps", "disable", "7", "--dismiss-rooms"],
            "POST /api/v1/apps/7/disable",
            Some(json!({"dismiss_rooms": true})),
        ),
        (&["reclaim", "off"], "PUT /api/v1/reclaim", Some(json!({"sweep": false}))),
        (&["catalog", "show"], "GET /api/v1/catalog/current", None),
        (&["tickets", "open", "AC_1"], "POST /api/v1/accounts/AC_1/tickets", None),
        (
            &["ledger", "AC_1", "--limit", "5", "--after", "a b"],
            "GET /api/v1/accounts/AC_1/ledger?after=a%20b&limit=5",
            None,
        ),
        (
            &["agreements", "create", "p", "--terms", r#"{"grace_hours": 72}"#],
            "POST /api/v1/agreements",
            Some(json!({"partner": "p", "terms": {"grace_hours": 72}})),
        ),
        (
            &["accounts", "change", "AC_1", "--reclaim-exempt", "false"],
            "PATCH /api/v1/accounts/AC_1",
            Some(json!({"reclaim_exempt": false})),
        ),
    ];
    for (words, expected, body) in rows {
        let mut command = super::build(Command::new("admin"));
        let matches = command
            .try_get_matches_from_mut([&["admin"], *words].concat())
            .unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let (call, typed) = typed(&matches).unwrap();
        let (ask, _) = request::request(call, typed, None);
        assert_eq!(format!("{} {}", ask.method, ask.path), *expected);
        let sent = ask.body.map(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).unwrap());
        assert_eq!(sent, *body, "{words:?}");
    }
}

#[test]
fn passwords_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("correct horse\n", "correct horse"),
        ("correct horse\r\n", "correct horse"),
        (" correct horse", " correct horse"),
        ("two\n\n", "two\n"),
    ] {
        let path = folder.path().join("password");
        std::fs::write(&path, text).unwrap();
        let mut command = super::build(Command::new("admin"));
        let words = ["admin", "users", "create", "ann", "--password-file", path.to_str().unwrap()];
        let matches = command.try_get_matches_from_mut(words).unwrap();
        let (call, typed) = typed(&matches).unwrap();
        let (ask, _) = request::request(call, typed, None);
        let sent: Value = serde_json::from_slice(&ask.body.unwrap().1).unwrap();
        assert_eq!(sent, json!({"name": "ann", "password": expected}));
    }
}

#[test]
fn what_cannot_be_meant_is_refused_before_it_is_asked() {
    for words in [
        &["standing"][..],
        &["use", "AC_1", "seven", "audio", "1"],
        &["postpaid", "AC_1", "weekly"],
        &["agreements", "create", "p", "--terms", "{"],
        &["catalog", "import", "/nonexistent.toml"],
        &["pay", "AC_1", "1.00"],
        &["ledger", "AC_1", "--all", "--after", "1"],
        &["users", "create", "ann"],
        &["users", "create", "ann", "--password-file", "/nonexistent"],
        &["dance"],
    ] {
        let mut command = super::build(Command::new("admin"));
        assert!(
            command.try_get_matches_from_mut([&["admin"], words].concat()).is_err(),
            "{words:?}"
        );
    }
}

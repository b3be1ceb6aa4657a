//! `fermata admin` against the real program.

use std::process::Output;

use serde_json::Value;

use crate::common::program::{Program, run, run_with};

/// Runs a command of `fermata admin` against the program.
fn admin(program: &Program, words: &[&str]) -> Output {
    let server = program.ready["http"].as_str().unwrap();
    run(&[&["admin", "--server", server], words].concat())
}

/// What it printed, after it ended with status 0.
fn done(program: &Program, words: &[&str]) -> String {
    let output = admin(program, words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn done_json(program: &Program, words: &[&str]) -> Value {
    serde_json::from_str(&done(program, &[words, &["--json"]].concat())).unwrap()
}

/// What it said on standard error, after it ended with this status.
fn failed(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The row of a table that begins with these words.
fn row<'a>(table: &'a str, begin: &str) -> Vec<&'a str> {
    let row = table.lines().find(|line| line.starts_with(begin));
    row.unwrap_or_else(|| panic!("{begin:?} is not in\n{table}")).split_whitespace().collect()
}

#[test]
fn an_account_is_run_from_the_command_line() {
    let program = Program::serve(&["--dev"]);
    let made = done_json(
        &program,
        &["accounts", "create", "Krämer & Söhne", "--sandbox", "--billing", "off"],
    );
    let account = made["id"].as_str().unwrap().to_owned();
    let account = account.as_str();
    let app = done_json(&program, &["apps", "create", account, "App"])["sdk_app_id"].to_string();
    let list = done(&program, &["accounts", "list"]);
    assert!(list.starts_with("ID "), "{list}");
    assert_eq!(row(&list, account)[1..5], ["Krämer", "&", "Söhne", "active"]);

    done(&program, &["use", account, &app, "audio", "10000"]);
    let holds = done(&program, &["holds", "list", account]);
    assert!(holds.contains("unfunded") && holds.contains("Buy a package"), "{holds}");
    let poor = admin(&program, &["packages", "buy", account, "monthly_starter", "--app", &app]);
    let text = failed(&poor, 1);
    assert!(text.contains("InsufficientBalance") && text.contains("49.00"), "{text}");
    let paid = done(&program, &["pay", account, "60.00", "--ref", "r1"]);
    assert_eq!(row(&paid, "amount"), ["amount", "60.00"]);
    done(&program, &["packages", "buy", account, "monthly_starter", "--app", &app]);
    assert_eq!(row(&done(&program, &["balance", account]), "available"), ["available", "11.00"]);
    done(&program, &["adjust", account, "-20", "--reason", "a mistake of ours"]);
    done(&program, &["clock", account, "--advance", "PT25H"]);
    let standing = done(&program, &["standing", account]);
    assert_eq!(row(&standing, "label"), ["label", "arrears"]);
    assert_eq!(row(&standing, "arrears.since").len(), 3, "a short time: {standing}");
    let ledger = done_json(&program, &["ledger", account, "--all"]);
    assert!(ledger["items"].as_array().unwrap().len() > 3, "{ledger}");
    let first = admin(&program, &["ledger", account, "--limit", "1"]);
    assert!(failed(&first, 0).contains("--after"), "{first:?}");

    let hidden = admin(&program, &["balance", account, "--token", "none"]);
    assert!(failed(&hidden, 1).contains("unauthorized"), "{hidden:?}");
    let token =
        done_json(&program, &["tokens", "create", "c", "--role", "customer", "--account", account]);
    let token = token["token"].as_str().unwrap();
    let server = program.ready["http"].as_str().unwrap();
    let words = ["admin", "--server", server, "keys", "list", &app];
    let refused = run_with(&words, &[("FERMATA_TOKEN", token)]);
    let text = failed(&refused, 1);
    for word in ["ServiceSuspended", "arrears since", "Recharge", "S10"] {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
    let raw = run_with(&[words.as_slice(), &["--json"]].concat(), &[("FERMATA_TOKEN", token)]);
    assert_eq!(raw.status.code(), Some(1));
    let raw: Value = serde_json::from_slice(&raw.stdout).unwrap();
    assert_eq!(raw["error"]["code"], "ServiceSuspended");
    done(&program, &["pay", account, "9.00", "--ref", "r2"]);
    assert_eq!(row(&done(&program, &["standing", account]), "label"), ["label", "active"]);
}

#[test]
fn bills_and_catalogs_are_printed_as_they_come() {
    let program = Program::serve(&["--dev"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.toml");
    let exported = done(&program, &["catalog", "export"]);
    assert!(exported.contains("[package_types"), "{exported}");
    // Without a moment it is in force at once.
    let lines = exported.lines().filter(|line| !line.starts_with("effective_from"));
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let imported = done_json(&program, &["catalog", "import", file.to_str().unwrap()]);
    assert_eq!(imported["version"], 2, "{imported}");

    let made = done_json(&program, &["accounts", "create", "Bills", "--sandbox"]);
    let account = made["id"].as_str().unwrap().to_owned();
    let account = account.as_str();
    let app = done_json(&program, &["apps", "create", account, "App"])["sdk_app_id"].to_string();
    done(&program, &["use", account, &app, "audio", "20000"]);
    done(&program, &["clock", account, "--advance", "P2D"]);
    let bills = done_json(&program, &["bills", "list", account]);
    let bill = bills["items"][0]["id"].as_str().unwrap();
    let csv = done(&program, &["bills", "show", account, bill, "--csv"]);
    assert!(csv.contains(',') && csv.contains("audio"), "{csv}");
    let html = done(&program, &["bills", "show", account, bill, "--html"]);
    assert!(html.contains("<html"), "{html}");
    let text = done(&program, &["bills", "show", account, bill]);
    assert_eq!(row(&text, "total"), ["total", "9.90"]);

    done(&program, &["reclaim", "off"]);
    assert!(done(&program, &["reclaim", "status"]).starts_with("sweep: false\n"));
    let unknown = admin(&program, &["standing", "AC_nobody"]);
    assert!(failed(&unknown, 1).contains("not_found"), "{unknown:?}");
}

#[test]
fn a_command_line_that_cannot_be_used_ends_with_status_2_and_a_silent_server_with_1() {
    for words in [
        &["admin"][..],
        &["admin", "accounts"],
        &["admin", "dance"],
        &["admin", "pay", "AC_1", "1.00"],
        &["admin", "--server", "ftp://localhost", "accounts", "list"],
        &["admin", "--server", "http//localhost", "accounts", "list"],
        &["tour", "--server", "http://192.0.2.1:7880"],
        &["tour", "--server", "https://127.0.0.1:7880"],
    ] {
        assert_eq!(run(words).status.code(), Some(2), "{words:?}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = format!("http://{closed}");
    let silent = run(&["admin", "--server", &server, "accounts", "list"]);
    assert!(failed(&silent, 1).contains("cannot be connected to"), "{silent:?}");
    let no_token = run(&["admin", "--server", "https://fermata.invalid", "accounts", "list"]);
    assert!(failed(&no_token, 1).contains("FERMATA_TOKEN"), "{no_token:?}");
}

//! The catalog, partners and their agreements through the API.

use serde_json::{Value, json};

use crate::billing_api::send;
use crate::common::InProcess;

async fn file(server: &InProcess, version: &str) -> String {
    let headers = [("authorization", "Bearer dev-operator"), ("accept", "application/toml")];
    let answer = server.ask(&format!("GET /api/v1/catalog/{version}"), &headers, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/toml"));
    answer.text
}

#[tokio::test]
async fn p16_the_catalog_grows_by_versions_from_files_and_json() {
    let server = InProcess::start_sqlite().await;
    let list = server.api("GET /catalog", None).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&list["items"][0]["version"], &list["items"][0]["in_force"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(list["items"][0]["currencies"], json!(["USD"]));
    let first = server.api("GET /catalog/current", None).await.json();
    assert_eq!(first["content"]["prices"]["USD"]["video_hd"]["amount"], "3.99");

    // As a file, edited and sent back, to take effect in 2100.
    let text = file(&server, "1").await;
    let line = text.lines().find(|line| line.starts_with("effective_from")).unwrap();
    let edited = text
        .replace(line, "effective_from = 2100-01-01T00:00:00Z")
        .replace("video_hd = { amount = \"3.99\"", "video_hd = { amount = \"4.49\"");
    let wrong = edited.replace("amount = \"4.49\"", "amount = \"cheap\"");
    let refused = send(&server, "/catalog", "application/toml", wrong).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "invalid"), "{refused:?}");
    assert!(refused.text.contains("line") && refused.text.contains("video_hd"), "{refused:?}");
    let added = send(&server, "/catalog", "application/toml; charset=utf-8", edited.clone()).await;
    assert_eq!(added.status, 201, "{added:?}");
    let added = added.json();
    assert_eq!((&added["version"], &added["in_force"]), (&json!(2), &json!(false)));
    assert_eq!(added["content"]["prices"]["USD"]["video_hd"]["amount"], "4.49");
    assert_eq!(added["actor"], "operator:TK_dev-operator");
    assert_eq!(server.api("GET /catalog/current", None).await.json()["version"], 1);
    let again = send(&server, "/catalog", "application/toml", edited).await;
    assert_eq!(again.status, 400, "not after the last: {again:?}");

    // As JSON, read and sent back.
    let mut content = added["content"].clone();
    content["effective_from"] = json!("2101-01-01T00:00:00Z");
    content["prices"]["USD"]["audio"] = json!({"amount": "1.00", "per": 1000});
    let third = server.api("POST /catalog", Some(&content)).await;
    assert_eq!(third.status, 201, "{third:?}");
    assert_eq!(third.json()["content"], content);
    assert!(file(&server, "3").await.contains("audio = { amount = \"1.00\", per = 1000 }"));
    let part = server.api("GET /catalog?limit=2", None).await.json();
    assert_eq!(part["next"], "2");
    let rest = server.api("GET /catalog?limit=2&after=2", None).await.json();
    assert_eq!((&rest["items"][0]["version"], &rest["next"]), (&json!(3), &Value::Null));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_catalog_is_told() {
    let server = InProcess::start_sqlite().await;
    let good = server.api("GET /catalog/1", None).await.json()["content"].clone();
    let check = async |pointer: &str, value: Value, words: &str| {
        let mut content = good.clone();
        content["effective_from"] = json!("2100-01-01T00:00:00Z");
        *content.pointer_mut(pointer).unwrap() = value;
        let answer = server.api("POST /catalog", Some(&content)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{answer:?}");
        assert!(answer.text.contains(words), "{answer:?} lacks {words}");
    };
    check("/effective_from", json!("2001-01-01T00:00:00Z"), "effective_from").await;
    check("/prices/USD/audio/amount", json!("-1"), "audio").await;
    check("/prices/USD/audio/per", json!(0), "audio").await;
    check("/prices/USD/audio/amount", json!("99999999999"), "audio").await;
    check("/prices/USD", json!({}), "currency").await;
    check("/package_types/monthly_pro/title", json!(""), "monthly_pro").await;
    check("/package_types/monthly_pro/validity", json!({"days": 0}), "monthly_pro").await;
    check("/package_types/monthly_pro", json!({"name": "x"}), "name").await;
    let kind = send(&server, "/catalog", "text/plain", String::new()).await;
    assert_eq!((kind.status, kind.code().as_str()), (415, "not_json"));
    let large = send(&server, "/catalog", "application/toml", "#".repeat(600_000)).await;
    assert_eq!((large.status, large.code().as_str()), (400, "invalid"), "{large:?}");
    let large = send(&server, "/catalog", "application/toml", "#".repeat(100_000)).await;
    assert!(large.text.contains("missing"), "{large:?}");
    for none in ["0", "2", "x", "-1", "99999999999"] {
        let answer = server.api(&format!("GET /catalog/{none}"), None).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{none}");
    }
    // A customer reads prices, and not who made them.
    let body = json!({"name": "c", "role": "customer", "account": "AC_development"});
    let token = server.api("POST /tokens", Some(&body)).await.json();
    let token = format!("Bearer {}", token["token"].as_str().unwrap());
    let read = server.ask("GET /api/v1/catalog/1", &[("authorization", &token)], None).await;
    assert_eq!((read.status, &read.json()["actor"]), (200, &Value::Null));
    server.stop().await;
}

#[tokio::test]
async fn s1_partners_are_added_once_and_keep_their_names() {
    let server = InProcess::start_sqlite().await;
    let post =
        async |path: &str, body: Value| server.api(&format!("POST {path}"), Some(&body)).await;
    let get = async |path: &str| server.api(&format!("GET {path}"), None).await;
    assert_eq!(post("/partners", json!({"id": "acme", "name": "Acme"})).await.status, 201);
    assert_eq!(post("/partners", json!({"id": "acme", "name": "Acme"})).await.status, 201);
    let other = post("/partners", json!({"id": "acme", "name": "Other"})).await;
    assert_eq!((other.status, other.code().as_str()), (409, "exists"));
    for (body, words) in [
        (json!({"id": "a/b", "name": "x"}), "id"),
        (json!({"id": "", "name": "x"}), "id"),
        (json!({"id": "x", "name": ""}), "name"),
        (json!({"name": "x"}), "id"),
    ] {
        let answer = post("/partners", body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text.contains(words), "{answer:?}");
    }
    assert_eq!(get("/partners/acme").await.json()["name"], "Acme");
    assert_eq!(get("/partners/none").await.status, 404);
    assert_eq!(get("/partners").await.json()["items"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a15_t17_agreements_have_versions_that_hold_for_the_partners_accounts() {
    let server = InProcess::start_sqlite().await;
    let post =
        async |path: &str, body: Value| server.api(&format!("POST {path}"), Some(&body)).await;
    let get = async |path: &str| server.api(&format!("GET {path}"), None).await;
    assert_eq!(post("/partners", json!({"id": "acme", "name": "Acme"})).await.status, 201);
    assert_eq!(get("/agreements/acme").await.json()["items"], json!([]));
    assert_eq!(get("/agreements").await.json()["items"], json!([]));
    let none = post("/agreements", json!({"partner": "none"})).await;
    assert_eq!(none.status, 404, "{none:?}");
    for (body, words) in [
        (json!({"partner": "acme", "terms": {"grace_hours": 9_000}}), "terms.grace_hours"),
        (json!({"partner": "acme", "terms": {"grace": 1}}), "grace"),
        (json!({"partner": "acme", "effective_from": "2001-01-01T00:00:00Z"}), "effective_from"),
        (json!({"partner": "acme", "effective_from": "soon"}), "effective_from"),
    ] {
        let answer = post("/agreements", body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{answer:?}");
        assert!(answer.text.contains(words), "{answer:?}");
    }
    // An account of the partner falls into arrears under the policy's terms, and gets more time by agreement.
    let account = json!({"name": "A", "sandbox": true, "partner": "acme"});
    let account = post("/accounts", account).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/accounts/{account}");
    let debt =
        post(&format!("{path}/adjustments"), json!({"amount": "-1", "reason": "debt"})).await;
    assert_eq!(debt.status, 201, "{debt:?}");
    let due = async || {
        let arrears = get(&format!("{path}/standing")).await.json()["arrears"].clone();
        let at = |field: &str| arrears[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        at("suspend_due").duration_since(at("since")).as_hours()
    };
    assert_eq!(due().await, 24);
    let terms = json!({"grace_hours": 72, "warn_hours": [48]});
    let made = post("/agreements", json!({"partner": "acme", "terms": terms})).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        (&made.json()["version"], &made.json()["terms"]["grace_hours"]),
        (&json!(1), &json!(72))
    );
    assert_eq!(due().await, 72, "timers are computed anew (T17)");
    let later = json!({"partner": "acme", "effective_from": "2100-01-01T00:00:00Z",
        "terms": {"grace_hours": 72, "warn_hours": [48], "non_stop": true}});
    assert_eq!(post("/agreements", later).await.json()["version"], 2);
    assert_eq!(get("/agreements").await.json()["items"][0]["version"], 1, "in force");
    assert_eq!(get("/agreements/acme").await.json()["items"].as_array().unwrap().len(), 2);
    let diff = get("/agreements/acme/diff").await.json();
    assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)));
    assert_eq!(diff["items"], json!([{"term": "non_stop", "old": "no", "new": "yes"}]));
    let diff = get("/agreements/acme/diff?from=0&to=1").await.json();
    let terms: Vec<_> = diff["items"].as_array().unwrap().iter().map(|one| &one["term"]).collect();
    assert_eq!(terms, ["grace_hours", "warn_hours"]);
    assert_eq!(get("/agreements/acme/diff?to=9").await.status, 404);
    assert_eq!(get("/agreements/none/diff").await.status, 404);
    server.stop().await;
}

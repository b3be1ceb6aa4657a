//! Holds, tickets, the sandbox clock, and calls that happen once: through the API.

use aws_lc_rs::digest;
use fermata_billing::command::{Actor, ActorRole, Answer, Command};
use fermata_billing::hold::{HoldKind, Scope};
use fermata_store::{BillingCall, Once};
use fermata_types::{AccountId, Now};
use serde_json::{Value, json};

use crate::common::{self, InProcess};

const ONE: &str = "Bearer dev-operator";
const TWO: &str = "Bearer dev-operator-2";

async fn ask(
    server: &InProcess,
    token: &str,
    request: &str,
    body: Option<Value>,
) -> common::Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let request = format!("{method} /api/v1{path}");
    server.ask(&request, &[("authorization", token)], body.as_ref()).await
}

async fn once(server: &InProcess, key: &str, request: &str, body: &Value) -> common::Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let headers = [("authorization", ONE), ("idempotency-key", key)];
    server.ask(&format!("{method} /api/v1{path}"), &headers, Some(body)).await
}

/// A new account; answers its id.
async fn account(server: &InProcess, body: Value) -> String {
    let made = server.api("POST /accounts", Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_str().unwrap().to_owned()
}

/// A new application; answers the whole answer.
async fn app(server: &InProcess, account: &str) -> Value {
    let body = json!({"name": "App"});
    let made = server.api(&format!("POST /accounts/{account}/apps"), Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

/// May somebody enter with a token of this application? Status and body.
async fn enter(server: &InProcess, app: &Value) -> (u16, String) {
    let (key, secret) = (app["api_key"].as_str().unwrap(), app["api_secret"].as_str().unwrap());
    let token = fermata_auth::sign(&common::claims("ann", "r"), key, secret);
    let answer = server.ask(&format!("GET /rtc/validate?access_token={token}"), &[], None).await;
    (answer.status, answer.text)
}

#[tokio::test]
async fn accounts_say_how_they_are_run() {
    let server = InProcess::start(&[]).await;
    let plain = account(&server, json!({"name": "Plain"})).await;
    let read = server.api(&format!("GET /accounts/{plain}"), None).await.json();
    for (field, value) in [
        ("currency", json!("USD")),
        ("time_zone", json!("UTC")),
        ("billing", json!("daily")),
        ("sandbox", json!(false)),
        ("partner", Value::Null),
        ("credit_limit", json!("0.00")),
        ("reclaim_exempt", json!(false)),
        ("label", json!("active")),
    ] {
        assert_eq!(read[field], value, "{field} of {read}");
    }
    let body = json!({"name": "Full", "currency": "USD", "time_zone": "Asia/Shanghai", "billing": "off",
        "sandbox": true, "credit_limit": "12.5"});
    let full = server.api("POST /accounts", Some(&body)).await.json();
    assert_eq!((&full["time_zone"], &full["billing"]), (&json!("Asia/Shanghai"), &json!("off")));
    assert_eq!((&full["sandbox"], &full["credit_limit"]), (&json!(true), &json!("12.50")));
    for (body, words) in [
        (json!({"name": "x", "currency": "XXX"}), "currency"),
        (json!({"name": "x", "currency": "CHF"}), "currency"),
        (json!({"name": "x", "time_zone": "Mars/Olympus"}), "time_zone"),
        (json!({"name": "x", "billing": "weekly"}), "weekly"),
        (json!({"name": "x", "credit_limit": "-1"}), "credit_limit"),
        (json!({"name": "x", "credit_limit": "1e3"}), "credit_limit"),
        (json!({"name": "x", "credit_limit": "9999999999999999999999"}), "credit_limit"),
        (json!({"name": "x", "partner": "none"}), "partner"),
    ] {
        let answer = server.api("POST /accounts", Some(&body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{body}: {answer:?}");
        assert!(answer.text.contains(words), "{body}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn accounts_are_changed_as_a_whole_or_not_at_all() {
    let server = InProcess::start(&[]).await;
    let id = account(&server, json!({"name": "A"})).await;
    let path = format!("PATCH /accounts/{id}");
    let body = json!({"credit_limit": "5", "reclaim_exempt": true, "time_zone": "Europe/Berlin", "contacts": [
        {"name": "owner", "email": "ann@example.org"},
        {"name": "ops", "webhook": {"url": "https://example.org/hook", "secret": "s3cret"}},
    ]});
    let changed = server.api(&path, Some(&body)).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert!(!changed.text.contains("s3cret"), "keys of webhooks are not shown");
    let view = changed.json();
    assert_eq!((&view["credit_limit"], &view["reclaim_exempt"]), (&json!("5.00"), &json!(true)));
    assert_eq!(view["time_zone"], "Europe/Berlin");
    assert_eq!(view["contacts"].as_array().unwrap().len(), 2);
    let bad = json!({"credit_limit": "7", "contacts": [{"name": "ops", "email": "nonsense"}]});
    assert_eq!(server.api(&path, Some(&bad)).await.status, 400);
    let read = server.api(&format!("GET /accounts/{id}"), None).await.json();
    assert_eq!(read["credit_limit"], "5.00", "nothing half done");
    // The key of a webhook stays if it is not given again; who is not named goes, but for the owner.
    let kept =
        json!({"contacts": [{"name": "ops", "webhook": {"url": "https://example.org/new"}}]});
    assert_eq!(server.api(&path, Some(&kept)).await.status, 200);
    let gone = server.api(&path, Some(&json!({"contacts": []}))).await.json();
    assert_eq!(gone["contacts"].as_array().unwrap().len(), 1, "{gone}");
    let unkeyed =
        json!({"contacts": [{"name": "ops", "webhook": {"url": "https://example.org/new"}}]});
    assert_eq!(server.api(&path, Some(&unkeyed)).await.status, 400);

    let body = json!({"name": "c", "role": "customer", "account": id});
    let token = server.api("POST /tokens", Some(&body)).await.json();
    let token = format!("Bearer {}", token["token"].as_str().unwrap());
    for (body, status) in [
        (json!({"credit_limit": "1000000"}), 403),
        (json!({"reclaim_exempt": false}), 403),
        (json!({"time_zone": "UTC"}), 200),
    ] {
        let answer = ask(&server, &token, &path, Some(body.clone())).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn s18_disabling_an_application_is_in_force_when_the_answer_comes() {
    let server = InProcess::start(&[]).await;
    let account = account(&server, json!({"name": "A"})).await;
    let app = app(&server, &account).await;
    let path = format!("/apps/{}", app["sdk_app_id"]);
    for body in [None, Some(json!({})), Some(json!({"dismiss_rooms": true}))] {
        assert_eq!(enter(&server, &app).await, (200, "success".to_owned()));
        let off = ask(&server, ONE, &format!("POST {path}/disable"), body).await;
        assert_eq!(off.status, 200, "{off:?}");
        assert_eq!(off.json()["holds"][0]["kind"], "manual");
        let (status, text) = enter(&server, &app).await;
        assert_eq!(status, 403);
        assert!(text.starts_with("app_disabled: "), "{text}");
        let on = ask(&server, ONE, &format!("POST {path}/enable"), None).await;
        assert_eq!((on.status, &on.json()["holds"]), (200, &json!([])), "{on:?}");
    }
    let wrong =
        ask(&server, ONE, &format!("POST {path}/disable"), Some(json!({"dismis": 1}))).await;
    assert_eq!(wrong.status, 400);
    server.stop().await;
}

#[tokio::test]
async fn a9_enabling_answers_with_the_holds_that_remain_and_i14_errors_name_them_all() {
    let server = InProcess::start(&[]).await;
    let id = account(&server, json!({"name": "A"})).await;
    let app = app(&server, &id).await;
    let path = format!("/apps/{}", app["sdk_app_id"]);
    let hold = json!({"kind": "admin", "reason": "review"});
    let hold = ask(&server, ONE, &format!("POST /accounts/{id}/holds"), Some(hold)).await;
    assert_eq!(hold.status, 201, "{hold:?}");
    ask(&server, ONE, &format!("POST {path}/disable"), None).await;
    let body = json!({"name": "c", "role": "customer", "account": id});
    let token = server.api("POST /tokens", Some(&body)).await.json();
    let token = format!("Bearer {}", token["token"].as_str().unwrap());
    let refused = ask(&server, &token, &format!("GET {path}/keys"), None).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "ServiceSuspended"), "{refused:?}");
    let reasons = refused.json()["error"]["reasons"].clone();
    let kinds: Vec<_> = reasons.as_array().unwrap().iter().map(|row| row["kind"].clone()).collect();
    assert_eq!(kinds, [json!("admin"), json!("manual")]);
    assert_eq!(
        (&reasons[0]["scope"], &reasons[1]["scope"]),
        (&json!("account"), &app["sdk_app_id"])
    );
    for reason in reasons.as_array().unwrap() {
        assert!(reason["remedy"].is_string() && reason["since"].is_string(), "{reason}");
        assert!(!reason["clauses"].as_array().unwrap().is_empty(), "{reason}");
    }
    // What lowers cost and harm stays open, and so does paying; the operator is not refused (A2).
    for open in [format!("GET {path}/rooms"), format!("GET /accounts/{id}/standing")] {
        assert_eq!(ask(&server, &token, &open, None).await.status, 200, "{open}");
    }
    assert_eq!(ask(&server, ONE, &format!("GET {path}/keys"), None).await.status, 200);
    let on = ask(&server, &token, &format!("POST {path}/enable"), None).await.json();
    assert_eq!(on["holds"].as_array().unwrap().len(), 1, "{on}");
    assert_eq!(on["holds"][0]["kind"], "admin");
    let (status, text) = enter(&server, &app).await;
    assert_eq!(status, 403, "{text}");
    let hold = hold.json()["id"].as_str().unwrap().to_owned();
    let path = format!("DELETE /accounts/{id}/holds/{hold}");
    assert_eq!(ask(&server, &token, &path, None).await.status, 403, "the operator lifts it");
    let left = ask(&server, TWO, &path, None).await;
    assert_eq!((left.status, &left.json()["holds"]), (200, &json!([])));
    assert_eq!(enter(&server, &app).await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn t14_a_violation_takes_two_and_t15_is_final() {
    let server = InProcess::start(&[]).await;
    let id = account(&server, json!({"name": "A"})).await;
    let app = app(&server, &id).await;
    let holds = format!("/accounts/{id}/holds");
    let bare =
        ask(&server, ONE, &format!("POST {holds}"), Some(json!({"kind": "violation"}))).await;
    assert_eq!((bare.status, bare.code().as_str()), (400, "invalid"), "{bare:?}");
    let body =
        json!({"kind": "violation", "reason": "spam", "evidence": "case 7", "cause": "content"});
    let proposed = ask(&server, ONE, &format!("POST {holds}"), Some(body)).await;
    assert_eq!(
        (proposed.status, &proposed.json()["proposed"]),
        (201, &json!(true)),
        "{proposed:?}"
    );
    assert_eq!(enter(&server, &app).await.0, 200, "without effect until it is approved");
    let hold = proposed.json()["id"].as_str().unwrap().to_owned();

    let token = json!({"name": "c", "role": "customer", "account": id});
    let token = server.api("POST /tokens", Some(&token)).await.json();
    let token = format!("Bearer {}", token["token"].as_str().unwrap());
    let standing = format!("GET /accounts/{id}/standing");
    assert_eq!(ask(&server, &token, &standing, None).await.json()["holds"], json!([]));
    assert_eq!(ask(&server, ONE, &standing, None).await.json()["holds"][0]["proposed"], true);

    let approve = format!("POST {holds}/{hold}/approve");
    let same = ask(&server, ONE, &approve, None).await;
    assert_eq!((same.status, same.code().as_str()), (403, "same_person"), "{same:?}");
    let approved = ask(&server, TWO, &approve, Some(json!({}))).await;
    assert_eq!(
        (approved.status, &approved.json()["proposed"]),
        (200, &json!(false)),
        "{approved:?}"
    );
    let (status, text) = enter(&server, &app).await;
    assert_eq!(status, 403);
    assert!(text.starts_with("suspended_violation: "), "{text}");
    for operator in [ONE, TWO] {
        let refused = ask(&server, operator, &format!("DELETE {holds}/{hold}"), None).await;
        assert_eq!((refused.status, refused.code().as_str()), (409, "Final"), "{refused:?}");
    }
    let label = ask(&server, ONE, &standing, None).await.json()["label"].clone();
    assert_eq!(label, "violation");
    let none = ask(&server, ONE, &format!("DELETE {holds}/HD_none"), None).await;
    assert_eq!((none.status, none.code().as_str()), (404, "not_found"));
    server.stop().await;
}

#[tokio::test]
async fn t16_only_the_own_partner_freezes_and_lifts() {
    let server = InProcess::start(&[]).await;
    let mut tokens = Vec::new();
    for partner in ["p1", "p2"] {
        server.api("POST /partners", Some(&json!({"id": partner, "name": partner}))).await;
        let body = json!({"name": partner, "role": "partner", "partner": partner});
        let token = server.api("POST /tokens", Some(&body)).await.json();
        tokens.push(format!("Bearer {}", token["token"].as_str().unwrap()));
    }
    let id = account(&server, json!({"name": "A", "partner": "p1"})).await;
    let app = app(&server, &id).await;
    let path = format!("POST /accounts/{id}/holds");
    let freeze = Some(json!({"kind": "partner_freeze", "reason": "unpaid"}));
    assert_eq!(ask(&server, ONE, &path, freeze.clone()).await.status, 403, "not the operator");
    assert_eq!(
        ask(&server, &tokens[1], &path, freeze.clone()).await.status,
        404,
        "not another partner"
    );
    let early = ask(&server, &tokens[0], &path, freeze.clone()).await;
    assert_eq!(early.status, 403, "not without an agreement in force");
    let terms = json!({"partner": "p1", "terms": {"partner_may_freeze": true}});
    assert_eq!(ask(&server, ONE, "POST /agreements", Some(terms)).await.status, 201);
    let frozen = ask(&server, &tokens[0], &path, freeze).await;
    assert_eq!(frozen.status, 201, "{frozen:?}");
    assert_eq!(enter(&server, &app).await.0, 403);
    let drop = format!("DELETE /accounts/{id}/holds/{}", frozen.json()["id"].as_str().unwrap());
    assert_eq!(ask(&server, ONE, &drop, None).await.status, 403);
    assert_eq!(ask(&server, &tokens[0], &drop, None).await.status, 200);
    assert_eq!(enter(&server, &app).await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn t28_a_ticket_closes_after_days_to_think_again() {
    let server = InProcess::start(&[]).await;
    let id = account(&server, json!({"name": "A", "sandbox": true})).await;
    let tickets = format!("/accounts/{id}/tickets");
    let opened = ask(&server, ONE, &format!("POST {tickets}"), None).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let ticket = opened.json()["id"].as_str().unwrap().to_owned();
    let early = ask(&server, ONE, &format!("POST {tickets}/{ticket}/confirm"), None).await;
    assert_eq!((early.status, early.code().as_str()), (409, "conflict"), "{early:?}");
    let back = ask(&server, ONE, &format!("POST {tickets}/{ticket}/cancel"), None).await;
    assert_eq!(back.status, 200, "{back:?}");
    let standing = format!("GET /accounts/{id}/standing");
    assert_eq!(ask(&server, ONE, &standing, None).await.json()["label"], "active");

    let again = ask(&server, ONE, &format!("POST {tickets}"), Some(json!({}))).await.json();
    let ticket = again["id"].as_str().unwrap();
    let clock = format!("POST /accounts/{id}/clock");
    let moved = ask(&server, ONE, &clock, Some(json!({"advance": "P7DT1S"}))).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let done = ask(&server, ONE, &format!("POST {tickets}/{ticket}/confirm"), None).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("confirmed")), "{done:?}");
    let stage = ask(&server, ONE, &standing, None).await.json()["reclaim"]["stage"].clone();
    assert!(["clearing", "cleared"].contains(&stage.as_str().unwrap()), "{stage}");
    server.stop().await;
}

#[tokio::test]
async fn p22_only_sandbox_clocks_move_and_only_forward() {
    let server = InProcess::start(&[]).await;
    let id = account(&server, json!({"name": "A", "sandbox": true})).await;
    let clock = format!("POST /accounts/{id}/clock");
    let moved = ask(&server, ONE, &clock, Some(json!({"advance": "P40D"}))).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let fired = moved.json()["fired"].as_array().unwrap().clone();
    let dues: Vec<jiff::Timestamp> =
        fired.iter().map(|row| row["due"].as_str().unwrap().parse().unwrap()).collect();
    assert!(dues.len() > 40 && dues.is_sorted(), "{moved:?}");
    let standing = ask(&server, ONE, &format!("GET /accounts/{id}/standing"), None).await.json();
    let now: jiff::Timestamp = standing["now"].as_str().unwrap().parse().unwrap();
    let far = now.duration_since(Now::read().wall);
    assert_eq!(far.as_hours() / 24, 39, "forty days less this moment");
    for (body, code) in [
        (json!({"to": "2020-01-01T00:00:00Z"}), "clock"),
        (json!({"advance": "-P1D"}), "clock"),
        (json!({"advance": "P401D"}), "clock"),
        (json!({"advance": "P1M"}), "invalid"),
        (json!({"advance": "1 day"}), "invalid"),
        (json!({}), "invalid"),
    ] {
        let answer = ask(&server, ONE, &clock, Some(body.clone())).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}: {answer:?}");
    }
    let live = account(&server, json!({"name": "B"})).await;
    let body = Some(json!({"advance": "PT1H"}));
    let refused = ask(&server, ONE, &format!("POST /accounts/{live}/clock"), body).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "not_sandbox"), "{refused:?}");
    server.stop().await;
}

#[tokio::test]
async fn p12_the_same_key_is_answered_the_same_and_happens_once() {
    let server = InProcess::start(&[]).await;
    let id = account(&server, json!({"name": "A", "sandbox": true})).await;
    let rows = [
        ("POST /accounts".to_owned(), json!({"name": "Again"})),
        (format!("POST /accounts/{id}/apps"), json!({"name": "App"})),
        ("POST /tokens".to_owned(), json!({"name": "t"})),
        ("POST /apps/1400000001/keys".to_owned(), json!({})),
        ("POST /apps/1400000001/disable".to_owned(), json!({})),
        ("POST /apps/1400000001/enable".to_owned(), json!({})),
        (format!("POST /accounts/{id}/clock"), json!({"advance": "P3D"})),
        (format!("POST /accounts/{id}/holds"), json!({"kind": "admin", "reason": "r"})),
        (format!("POST /accounts/{id}/tickets"), json!({})),
    ];
    for (number, (request, body)) in rows.iter().enumerate() {
        let key = format!("key-{number}");
        let first = once(&server, &key, request, body).await;
        assert!(first.status < 300, "{request}: {first:?}");
        let second = once(&server, &key, request, body).await;
        assert_eq!((second.status, &second.text), (first.status, &first.text), "{request}");
        assert_eq!(second.headers["content-type"], first.headers["content-type"]);
        let other = once(&server, &key, request, &json!({"name": "Other"})).await;
        assert_eq!(
            (other.status, other.code().as_str()),
            (409, "idempotency_key_reused"),
            "{request}"
        );
        let elsewhere = once(&server, &key, "POST /partners", body).await;
        assert_eq!(elsewhere.status, 409, "{request}");
    }
    let named = server.api("GET /accounts", None).await.json();
    let again = named["items"].as_array().unwrap().iter().filter(|row| row["name"] == "Again");
    assert_eq!(again.count(), 1);
    let keys = server.api("GET /apps/1400000001/keys", None).await.json();
    assert_eq!(keys["items"].as_array().unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn p20_a_call_whose_answer_was_lost_in_a_crash_happens_once() {
    let server = InProcess::start(&[]).await;
    let id = account(&server, json!({"name": "A"})).await;
    let app = app(&server, &id).await;
    let (path, body) =
        (format!("/api/v1/accounts/{id}/holds"), json!({"kind": "admin", "reason": "r"}));
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in ["POST", &path, &body.to_string()] {
        hash.update(&part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    // The program dies after the commit: neither the doors nor the caller were told.
    let command = Command::RaiseHold {
        kind: HoldKind::Admin,
        scope: Scope::Account,
        cause: None,
        reason: "r".to_owned(),
        evidence: String::new(),
    };
    let request_hash = hash.finish().as_ref().try_into().unwrap();
    let actor = Actor { role: ActorRole::Operator, name: "TK_dev-operator".to_owned() };
    let once_only = Once { scope: actor.name.clone(), key: "k".to_owned(), request_hash };
    let account = AccountId::from_text(&id);
    let (wall, once_only) = (Now::read().wall, Some(once_only));
    let call = BillingCall { account, command, actor, wall, once: once_only };
    let Answer::Hold(hold) = server.shared.store.bill(call).await.unwrap().answer else {
        panic!("a hold")
    };
    let again = once(&server, "k", &format!("POST /accounts/{id}/holds"), &body).await;
    assert_eq!(
        (again.status, &again.json()["id"]),
        (201, &json!(hold.id.to_string())),
        "{again:?}"
    );
    let standing = server.api(&format!("GET /accounts/{id}/standing"), None).await.json();
    assert_eq!(standing["holds"].as_array().unwrap().len(), 1);
    assert_eq!(enter(&server, &app).await.0, 403, "the doors are told now");
    server.stop().await;
}

#[tokio::test]
async fn p12_keys_are_each_tokens_own_and_refusals_are_not_kept() {
    let server = InProcess::start(&[]).await;
    let body = json!({"name": "Mine"});
    let first = once(&server, "k", "POST /accounts", &body).await.json();
    let headers = [("authorization", TWO), ("idempotency-key", "k")];
    let other = server.ask("POST /api/v1/accounts", &headers, Some(&body)).await.json();
    assert_ne!(first["id"], other["id"]);
    let id = first["id"].as_str().unwrap();
    let path = format!("POST /accounts/{id}/holds");
    let hold = json!({"kind": "admin", "reason": "r"});
    let standing = server.api(&path, Some(&hold)).await;
    let refused = once(&server, "hold", &path, &hold).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "conflict"), "{refused:?}");
    let drop = format!("DELETE /accounts/{id}/holds/{}", standing.json()["id"].as_str().unwrap());
    assert_eq!(server.api(&drop, None).await.status, 200);
    assert_eq!(once(&server, "hold", &path, &hold).await.status, 201, "now it can be done");
    for key in ["", "a b", &"x".repeat(129)] {
        let answer = once(&server, key, "POST /accounts", &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{key:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn p12_concurrent_calls_with_one_key_happen_once() {
    let server = InProcess::start(&[]).await;
    let body = json!({"name": "Once"});
    let calls = (0..16).map(|_| once(&server, "same", "POST /tokens", &body));
    let answers = futures_util::future::join_all(calls).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (201, &answers[0].text));
    }
    let tokens = server.api("GET /tokens", None).await.json();
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn s11_subscriptions_are_made_listed_and_removed() {
    let server = InProcess::start(&[]).await;
    let id = account(&server, json!({"name": "A"})).await;
    let path = "/notice-subscriptions";
    let body = json!({"account": id, "kind": "balance_low", "below": "10"});
    let made = server.api(&format!("POST {path}"), Some(&body)).await;
    assert_eq!((made.status, &made.json()["below"]), (201, &json!("10.00")), "{made:?}");
    let alarm = json!({"account": id, "kind": "package_alarm", "percent": 20, "name": "alarm"});
    assert_eq!(server.api(&format!("POST {path}"), Some(&alarm)).await.status, 201);
    let list = format!("GET {path}?account={id}");
    let listed = server.api(&list, None).await.json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["next"]), (2, &Value::Null));
    for (body, status) in [
        (json!({"account": id, "kind": "nonsense"}), 400),
        (json!({"account": id, "kind": "balance_low"}), 400),
        (json!({"account": id, "kind": "suspended", "below": "1"}), 400),
        (json!({"account": id, "kind": "package_alarm", "percent": 100}), 400),
        (json!({"account": id, "kind": "suspended", "contact": "nobody"}), 404),
        (json!({"account": "AC_none", "kind": "suspended"}), 404),
        (json!({"kind": "suspended"}), 400),
    ] {
        let answer = server.api(&format!("POST {path}"), Some(&body)).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    let gone = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(server.api(&format!("DELETE {path}/{gone}"), None).await.status, 204);
    assert_eq!(server.api(&format!("DELETE {path}/{gone}"), None).await.status, 404);
    assert_eq!(server.api(&format!("DELETE {path}/none"), None).await.status, 404);
    assert_eq!(server.api(&list, None).await.json()["items"].as_array().unwrap().len(), 1);
    server.stop().await;
}

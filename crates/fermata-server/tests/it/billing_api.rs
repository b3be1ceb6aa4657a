//! Money through the API, over SQLite, on sandbox accounts: payments, packages, usage, bills and what shows them.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use fermata_billing::money::Money;
use serde_json::{Value, json};

use crate::common::{Answer, InProcess};

/// A sandbox account with one application, and what is asked of it.
struct Account<'a> {
    server: &'a InProcess,
    id: String,
    app: u64,
    /// Public name and secret of the application's key.
    key: (String, String),
}

impl<'a> Account<'a> {
    async fn new(server: &'a InProcess, billing: &str) -> Self {
        let body = json!({"name": "Ann & Co", "sandbox": true, "billing": billing});
        let account = server.api("POST /accounts", Some(&body)).await;
        assert_eq!(account.status, 201, "{account:?}");
        let id = account.json()["id"].as_str().unwrap().to_owned();
        let apps = format!("POST /accounts/{id}/apps");
        let app = server.api(&apps, Some(&json!({"name": "App"}))).await;
        assert_eq!(app.status, 201, "{app:?}");
        let app = app.json();
        let text = |field: &str| app[field].as_str().unwrap().to_owned();
        let key = (text("api_key"), text("api_secret"));
        Self { app: app["sdk_app_id"].as_u64().unwrap(), key, id, server }
    }

    /// The status that somebody new gets at the door.
    async fn enter(&self) -> u16 {
        let claims = crate::common::claims("newcomer", "r");
        let token = fermata_auth::sign(&claims, &self.key.0, &self.key.1);
        self.server.ask(&format!("GET /rtc/validate?access_token={token}"), &[], None).await.status
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.server.api(&format!("POST /accounts/{}{path}", self.id), Some(&body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.server.api(&format!("GET /accounts/{}{path}", self.id), None).await
    }

    /// The answer to a call that must not fail.
    async fn did(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body).await;
        assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
        answer.json()
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()["items"].as_array().unwrap().clone()
    }

    /// Status and code of a call that must fail, and that its message names `words`.
    async fn refused(&self, path: &str, body: Value, status: u16, code: &str, words: &str) {
        let answer = self.post(path, body.clone()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{path} {body}: {answer:?}"
        );
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{path} {body}: {message:?} lacks {words:?}");
    }

    async fn available(&self) -> String {
        self.get("/balance").await.json()["available"].as_str().unwrap().to_owned()
    }

    async fn pay(&self, amount: &str, provider_ref: &str) {
        self.did("/payments", json!({"amount": amount, "provider_ref": provider_ref})).await;
    }

    async fn advance(&self, by: &str) {
        self.did("/clock", json!({"advance": by})).await;
    }

    async fn bill(&self, id: &str, accept: &str) -> Answer {
        let request = format!("GET /api/v1/accounts/{}/bills/{id}", self.id);
        let headers = [("authorization", "Bearer dev-operator"), ("accept", accept)];
        self.server.ask(&request, &headers, None).await
    }
}

fn money(value: &Value) -> Money {
    Money::parse_decimal(value.as_str().unwrap()).unwrap()
}

/// Makes a token and answers the header that carries it.
async fn token(server: &InProcess, body: Value) -> String {
    let made = server.api("POST /tokens", Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    format!("Bearer {}", made.json()["token"].as_str().unwrap())
}

#[tokio::test]
async fn t7_a_reference_credits_once_and_what_is_wrong_is_refused() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "daily").await;
    let body = json!({"amount": "100.50", "provider_ref": "pay/1"});
    let first = ann.did("/payments", body.clone()).await;
    let second = ann.did("/payments", body).await;
    assert_eq!(first, second);
    assert_eq!((&first["amount"], &first["currency"]), (&json!("100.50"), &json!("USD")));
    assert_eq!(ann.available().await, "100.50");

    let other = json!({"amount": "1", "provider_ref": "pay/1"});
    ann.refused("/payments", other.clone(), 409, "ref_reused", "pay/1").await;
    let bob = Account::new(&server, "daily").await;
    let same = json!({"amount": "100.50", "provider_ref": "pay/1"});
    bob.refused("/payments", same, 409, "ref_reused", "pay/1").await;
    for (amount, words) in [
        ("0", "more than 0"),
        ("-5", "more than 0"),
        ("0.001", "2 digits"),
        ("0.0000001", "too many digits"),
        ("1000000001", "1000000000"),
        ("99999999999999999999", "too large"),
        ("9223372036854775807", "too large"),
        ("1e3", "no digit"),
        ("1,50", "no digit"),
        ("NaN", "no digit"),
        ("", "no digit"),
        (" 1", "no digit"),
    ] {
        let body = json!({"amount": amount, "provider_ref": "pay/2"});
        ann.refused("/payments", body, 400, "invalid", words).await;
    }
    for (body, words) in [
        (json!({"amount": 5, "provider_ref": "pay/2"}), "string"),
        (json!({"amount": "5"}), "provider_ref"),
        (json!({"amount": "5", "provider_ref": ""}), "provider_ref"),
        (json!({"amount": "5", "provider_ref": "x".repeat(129)}), "provider_ref"),
        (json!({"amount": "5", "provider_ref": "p\u{e4}y"}), "provider_ref"),
        (json!({"amount": "5", "provider_ref": "p", "currency": "EUR"}), "currency"),
    ] {
        ann.refused("/payments", body, 400, "invalid", words).await;
    }
    assert_eq!(ann.available().await, "100.50", "nothing half done");

    let reverse = "/payments/pay%2F1/reverse";
    ann.refused(reverse, json!({"reason": ""}), 400, "invalid", "reason").await;
    let none = "/payments/pay%2F9/reverse";
    ann.refused(none, json!({"reason": "chargeback"}), 404, "not_found", "pay/9").await;
    let taken = ann.did(reverse, json!({"reason": "chargeback"})).await;
    assert_eq!(ann.did(reverse, json!({"reason": "chargeback"})).await, taken);
    assert_eq!(ann.available().await, "0.00");
    let rows = ann.list("/payments").await;
    let kinds: Vec<_> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["payment", "reversal"]);
    let nobody = server.api("GET /accounts/AC_none/balance", None).await;
    assert_eq!((nobody.status, nobody.code().as_str()), (404, "not_found"));
    server.stop().await;
}

#[tokio::test]
async fn p12_a_payment_with_a_key_is_answered_twice_and_made_once() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "daily").await;
    let ask = async |body: &Value| {
        let headers = [("authorization", "Bearer dev-operator"), ("idempotency-key", "k-1")];
        let request = format!("POST /api/v1/accounts/{}/packages", ann.id);
        ann.server.ask(&request, &headers, Some(body)).await
    };
    let body = json!({"type": "minutes_25k"});
    assert_eq!(ask(&body).await.status, 402, "a refusal is not kept");
    ann.pay("100", "p").await;
    let (first, second) = (ask(&body).await, ask(&body).await);
    assert_eq!((first.status, second.status), (201, 201), "{first:?}");
    assert_eq!(first.text, second.text);
    assert_eq!(ann.available().await, "76.00", "bought once");
    let other = ask(&json!({"type": "minutes_250k"})).await;
    assert_eq!((other.status, other.code().as_str()), (409, "idempotency_key_reused"));
    server.stop().await;
}

#[tokio::test]
async fn a5_packages_are_bought_from_what_is_available_and_given_back_unused() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "daily").await;
    let starter = json!({"type": "monthly_starter", "app": ann.app});
    let poor = ann.post("/packages", starter.clone()).await;
    assert_eq!((poor.status, poor.code().as_str()), (402, "InsufficientBalance"), "{poor:?}");
    let error = &poor.json()["error"];
    assert_eq!((&error["available"], &error["price"]), (&json!("0.00"), &json!("49.00")));

    ann.pay("100", "p").await;
    for (body, status, code, words) in [
        (json!({"type": "nothing"}), 400, "invalid", "nothing"),
        (json!({"type": "monthly_starter"}), 400, "invalid", "app"),
        (json!({"type": "monthly_starter", "app": 0}), 400, "invalid", "app"),
        (json!({"type": "monthly_starter", "app": 7}), 404, "not_found", "7"),
        (json!({"type": "minutes_25k", "app": ann.app}), 400, "invalid", "app"),
        (json!({"type": "free_monthly"}), 400, "invalid", "not sold"),
        (json!({}), 400, "invalid", "type"),
    ] {
        ann.refused("/packages", body, status, code, words).await;
    }
    let bought = ann.did("/packages", starter.clone()).await;
    assert_eq!(
        (&bought["type"], &bought["price"], &bought["left"], &bought["status"]),
        (&json!("monthly_starter"), &json!("49.00"), &json!("50000"), &json!("live"))
    );
    assert_eq!(ann.available().await, "51.00");
    ann.refused("/packages", starter, 409, "conflict", "twice").await;
    let types: Vec<_> = ann.list("/packages").await.iter().map(|one| one["type"].clone()).collect();
    assert_eq!(types, ["free_monthly", "monthly_starter"]);

    let days = |field: &str| bought[field].as_str().unwrap().parse::<jiff::civil::Date>().unwrap();
    let remaining = (days("until") - days("from")).get_days();
    let all = remaining + 1;
    let cents = (4900 * i64::from(remaining) * 2 + i64::from(all)) / (2 * i64::from(all));
    let refund = format!("/packages/{}/refund", bought["id"].as_str().unwrap());
    let refunded = ann.did(&refund, Value::Null).await;
    assert_eq!(money(&refunded["amount"]), Money::from_micros(cents * 10_000));
    ann.refused(&refund, Value::Null, 409, "conflict", "already").await;
    let none = "/packages/PK_none/refund";
    ann.refused(none, Value::Null, 404, "not_found", "PK_none").await;
    let pack = ann.did("/packages", json!({"type": "minutes_25k"})).await;
    assert_eq!((&pack["scope"], &pack["app"]), (&json!("account"), &Value::Null));
    let refund = format!("/packages/{}/refund", pack["id"].as_str().unwrap());
    ann.refused(&refund, Value::Null, 409, "conflict", "not taken back").await;
    server.stop().await;
}

#[tokio::test]
async fn s4_s6_a_day_of_use_is_billed_to_the_cent_and_shown_in_every_form() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "daily").await;
    ann.pay("10", "p").await;
    let body = json!({"app": ann.app, "sku": "video_hd", "minutes": 12_000});
    let used = ann.did("/usage", body).await;
    assert_eq!((&used["quarantined"], &used["minutes"]), (&json!(false), &json!(12_000)));
    ann.did("/usage", json!({"app": ann.app, "sku": "relay", "minutes": 500})).await;
    let balance = ann.get("/balance").await.json();
    // 2,000 minutes at 3.99 and 500 at 2.99 for 1,000.
    assert_eq!((&balance["unbilled"], &balance["available"]), (&json!("9.475"), &json!("10.00")));
    let usage = ann.list("/usage").await;
    let hd = usage.iter().find(|one| one["sku"] == "video_hd").unwrap();
    assert_eq!(
        (&hd["minutes"], &hd["covered"], &hd["billed"], &hd["absorbed"], &hd["closed"]),
        (&json!(12_000), &json!(10_000), &json!(2_000), &json!(0), &json!(false))
    );
    assert_eq!(hd["packages"][0]["units"], "10000");

    ann.advance("P2D").await;
    let bills = ann.list("/bills").await;
    assert_eq!(bills.len(), 1, "{bills:?}");
    let id = bills[0]["id"].as_str().unwrap();
    let bill = ann.bill(id, "application/json").await;
    assert_eq!(bill.headers["vary"], "accept");
    let bill = bill.json();
    // Each line is rounded once: 7.98 and 1.495 to 1.50.
    assert_eq!((&bill["total"], &bill["currency"]), (&json!("9.48"), &json!("USD")));
    assert_eq!(
        (&bill["balance_before"], &bill["balance_after"]),
        (&json!("10.00"), &json!("0.52"))
    );
    assert_eq!(bill["period"]["from_day"], usage[0]["day"]);
    let amounts: BTreeMap<_, _> = bill["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["sku"].as_str().unwrap(), line["amount"].as_str().unwrap()))
        .collect();
    assert_eq!(amounts, BTreeMap::from([("relay", "1.50"), ("video_hd", "7.98")]));
    assert_eq!(ann.available().await, "0.52");
    assert!(ann.list("/usage").await.iter().all(|one| one["closed"] == true));

    let csv = ann.bill(id, "text/csv").await;
    assert!(csv.headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert!(csv.headers["content-disposition"].to_str().unwrap().contains(id));
    assert!(
        csv.text.starts_with("bill,from,to,") && csv.text.contains(",video_hd,"),
        "{}",
        csv.text
    );
    assert_eq!(csv.text.lines().count(), 4);
    let html = ann.bill(id, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8").await;
    assert!(html.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    let may = html.headers["content-security-policy"].to_str().unwrap();
    assert!(may.starts_with("default-src 'none'"), "{may}");
    assert!(html.text.contains("Ann &amp; Co") && html.text.contains("9.48"), "{}", html.text);
    assert_eq!(ann.bill("BL_none", "text/csv").await.status, 404);

    p1_the_ledger_sums_to_zero(&ann).await;
    credit_notes(&ann, id).await;
    let notices = ann.list("/notices").await;
    let ready = notices.iter().find(|one| one["kind"] == "bill_ready").unwrap();
    assert_eq!(ready["of"], id);
    assert!(ready["text"].as_str().unwrap().contains("9.48 USD"), "{ready}");
    server.stop().await;
}

#[tokio::test]
async fn s5_a_month_of_use_is_one_bill() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "monthly").await;
    ann.did("/usage", json!({"app": ann.app, "sku": "audio", "minutes": 11_000})).await;
    let day = ann.list("/usage").await[0]["day"].as_str().unwrap().to_owned();
    ann.advance("P2D").await;
    // On the last days of a month, two days may reach its bill.
    assert!(ann.list("/bills").await.len() <= 1);
    ann.advance("P35D").await;
    let bills = ann.list("/bills").await;
    assert_eq!(bills.len(), 1, "{bills:?}");
    assert_eq!((&bills[0]["total"], &bills[0]["balance_after"]), (&json!("0.99"), &json!("-0.99")));
    assert_eq!(bills[0]["period"]["month"], day[..7]);
    assert!(bills[0]["txn"].as_str().unwrap().starts_with("TX_"));
    server.stop().await;
}

/// Read in parts of two rows, and summed.
async fn p1_the_ledger_sums_to_zero(ann: &Account<'_>) {
    let (mut after, mut seen, mut sums) = (String::new(), Vec::new(), BTreeMap::new());
    loop {
        let part = ann.get(&format!("/ledger?limit=2{after}")).await.json();
        for txn in part["items"].as_array().unwrap() {
            seen.push(txn["kind"].as_str().unwrap().to_owned());
            for entry in txn["entries"].as_array().unwrap() {
                let unit = entry["unit"].as_str().unwrap().to_owned();
                *sums.entry(unit).or_insert(0) += money(&entry["amount"]).micros();
            }
        }
        let Some(next) = part["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(sums, BTreeMap::from([("USD".to_owned(), 0), ("minutes".to_owned(), 0)]));
    for kind in ["payment", "grant", "consumption", "bill"] {
        assert!(seen.iter().any(|one| one == kind), "{kind} in {seen:?}");
    }
    for wrong in ["?after=x", "?limit=0", "?limit=1001", "?page=2"] {
        assert_eq!(ann.get(&format!("/ledger{wrong}")).await.status, 400, "{wrong}");
    }
}

async fn credit_notes(ann: &Account<'_>, bill: &str) {
    let note =
        |amount: &str, bill: &str| json!({"bill": bill, "amount": amount, "reason": "outage"});
    let issued = ann.did("/credit-notes", note("2.00", bill)).await;
    assert_eq!((&issued["amount"], &issued["bill"]), (&json!("2.00"), &json!(bill)));
    assert_eq!(issued["actor"], "operator:TK_dev-operator");
    assert_eq!(ann.available().await, "2.52");
    // P14: 7.48 are left of the bill.
    ann.refused("/credit-notes", note("7.49", bill), 400, "invalid", "7.48").await;
    ann.refused("/credit-notes", note("1", "BL_none"), 404, "not_found", "BL_none").await;
    ann.refused("/credit-notes", note("-1", bill), 400, "invalid", "amount").await;
    let audit = ann.list("/audit").await;
    let row = audit.iter().find(|one| one["action"] == "credit_note_issued").unwrap();
    assert_eq!((&row["details"]["reason"], &row["cause"]), (&json!("outage"), &json!("P14")));
    assert_eq!(row["actor"], "operator:TK_dev-operator");
}

#[tokio::test]
async fn a22_vouchers_and_corrections_need_a_reason_and_name_who_made_them() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "daily").await;
    let now = ann.get("/balance").await.json()["now"].as_str().unwrap().to_owned();
    let now: jiff::Timestamp = now.parse().unwrap();
    let tomorrow = now + jiff::SignedDuration::from_hours(24);
    let voucher = |amount: &str, until: &str, reason: &str| json!({"amount": amount, "expires_at": until, "reason": reason});
    let until = tomorrow.to_string();
    let given = ann.did("/vouchers", voucher("5", &until, "welcome")).await;
    assert_eq!((&given["amount"], &given["reason"]), (&json!("5.00"), &json!("welcome")));
    assert_eq!(given["actor"], "operator:TK_dev-operator");
    let balance = ann.get("/balance").await.json();
    assert_eq!((&balance["vouchers"], &balance["cash"]), (&json!("5.00"), &json!("0.00")));
    for (body, words) in [
        (voucher("5", "2001-01-01T00:00:00Z", "x"), "expires_at"),
        (voucher("5", "tomorrow", "x"), "expires_at"),
        (voucher("5", &until, " "), "reason"),
        (voucher("5", &until, &"x".repeat(1_001)), "reason"),
        (voucher("-5", &until, "x"), "amount"),
        (voucher("0.005", &until, "x"), "amount"),
    ] {
        ann.refused("/vouchers", body, 400, "invalid", words).await;
    }
    let adjust = |amount: &str, reason: &str| json!({"amount": amount, "reason": reason});
    let up = ann.did("/adjustments", adjust("0.25", "goodwill")).await;
    assert_eq!((&up["balance"]["available"], &up["amount"]), (&json!("5.25"), &json!("0.25")));
    for (body, words) in [
        (adjust("0", "x"), "amount"),
        (adjust("1000000000.01", "x"), "amount"),
        (adjust("-9223372036854", "x"), "amount"),
        (adjust("1", ""), "reason"),
    ] {
        ann.refused("/adjustments", body, 400, "invalid", words).await;
    }
    let down = ann.did("/adjustments", adjust("-6.25", "found later")).await;
    assert_eq!(down["balance"]["available"], "-1.00");
    let standing = ann.get("/standing").await.json();
    assert!(standing["arrears"]["suspend_due"].is_string(), "{standing}");
    ann.advance("PT25H").await;
    let balance = ann.get("/balance").await.json();
    assert_eq!((&balance["vouchers"], &balance["available"]), (&json!("0.00"), &json!("-6.00")));
    server.stop().await;
}

#[tokio::test]
async fn t1_pretended_usage_is_of_sandbox_accounts_alone() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "off").await;
    let use_of =
        |app: u64, sku: &str, minutes: Value| json!({"app": app, "sku": sku, "minutes": minutes});
    for (body, status, words) in [
        (use_of(ann.app, "smell", json!(1)), 400, "audio"),
        (use_of(ann.app, "audio", json!(0)), 400, "minutes"),
        (use_of(ann.app, "audio", json!(-1)), 400, "minutes"),
        (use_of(ann.app, "audio", json!(1.5)), 400, "body"),
        (use_of(ann.app, "audio", json!(u64::MAX)), 400, "minutes"),
        (use_of(1_400_000_001, "audio", json!(1)), 404, "1400000001"),
        (use_of(0, "audio", json!(1)), 400, "app"),
    ] {
        let code = if status == 404 { "not_found" } else { "invalid" };
        ann.refused("/usage", body, status, code, words).await;
    }
    let future =
        json!({"app": ann.app, "sku": "audio", "minutes": 1, "at": "2999-01-01T00:00:00Z"});
    assert_eq!(ann.did("/usage", future).await["quarantined"], true, "T26");
    let used = ann.did("/usage", use_of(ann.app, "audio", json!(9_999))).await;
    assert!(used["at"].as_str().unwrap().ends_with(":00Z"), "{used}");
    let allowed = ann.get("/standing").await.json();
    assert_eq!(allowed["allows"]["join"], true, "{allowed}");
    ann.did("/usage", use_of(ann.app, "audio", json!(1))).await;
    let held = ann.get("/standing").await.json();
    assert_eq!(held["allows"]["join"], false, "S17: {held}");
    assert_eq!(held["holds"][0]["kind"], "unfunded");
    let day = ann.list("/usage").await;
    assert_eq!((&day[0]["minutes"], &day[0]["covered"]), (&json!(10_000), &json!(10_000)));
    for wrong in ["?from=x", "?from=2026-02-01&to=2026-01-01", "?from=2024-01-01&to=2026-01-01"] {
        assert_eq!(ann.get(&format!("/usage{wrong}")).await.status, 400, "{wrong}");
    }
    // Postpaid is a source of money: service is back with the answer.
    let on = ann.did("/postpaid", json!({"billing": "monthly"})).await;
    assert_eq!(on, json!({"billing": "monthly"}));
    assert_eq!(ann.get("/standing").await.json()["allows"]["join"], true, "T10");
    ann.refused("/postpaid", json!({"billing": "weekly"}), 400, "invalid", "weekly").await;

    let body = json!({"app": 1_400_000_001, "sku": "audio", "minutes": 1});
    let live = server.api("POST /accounts/AC_development/usage", Some(&body)).await;
    assert_eq!((live.status, live.code().as_str()), (409, "not_sandbox"), "{live:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_customer_sees_and_buys_for_its_own_account_alone() {
    let server = InProcess::start_sqlite().await;
    let (ann, bob) = (Account::new(&server, "daily").await, Account::new(&server, "daily").await);
    ann.pay("100", "p").await;
    let own = token(&server, json!({"name": "a", "role": "customer", "account": ann.id})).await;
    let body = json!({"name": "r", "role": "customer", "account": ann.id, "read_only": true});
    let reader = token(&server, body).await;
    let ask = async |token: &str, method: &str, of: &Account<'_>, path: &str, body: Value| {
        let request = format!("{method} /api/v1/accounts/{}{path}", of.id);
        let answer = server.ask(&request, &[("authorization", token)], Some(&body)).await;
        (answer.status, answer.code())
    };
    let reads =
        ["/balance", "/packages", "/bills", "/ledger", "/notices", "/audit", "/usage", "/receipts"];
    for path in reads {
        assert_eq!(ask(&own, "GET", &ann, path, Value::Null).await.0, 200, "{path}");
        assert_eq!(ask(&reader, "GET", &ann, path, Value::Null).await.0, 200, "{path}");
        let foreign = ask(&own, "GET", &bob, path, Value::Null).await;
        assert_eq!(foreign, (404, "not_found".to_owned()), "{path}");
    }
    let payment = json!({"amount": "5", "provider_ref": "x"});
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(ask(&own, "POST", &ann, "/payments", payment).await, forbidden);
    let correction = json!({"amount": "5", "reason": "x"});
    assert_eq!(ask(&own, "POST", &ann, "/adjustments", correction).await, forbidden);
    let pack = json!({"type": "minutes_25k"});
    assert_eq!(ask(&reader, "POST", &ann, "/packages", pack.clone()).await, forbidden);
    assert_eq!(ask(&own, "POST", &bob, "/packages", pack.clone()).await.0, 404);
    assert_eq!(ask(&own, "POST", &ann, "/packages", pack).await.0, 201);
    assert_eq!(ann.available().await, "76.00");
    server.stop().await;
}

#[tokio::test]
async fn s9_s10_debts_close_the_door_after_a_day_and_a_payment_opens_it_with_its_answer() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "daily").await;
    let own = token(&server, json!({"name": "a", "role": "customer", "account": ann.id})).await;
    let ask = async |request: &str, body: Value| {
        let (method, path) = request.split_once(' ').unwrap();
        let request = format!("{method} /api/v1/accounts/{}{path}", ann.id);
        server.ask(&request, &[("authorization", &own)], Some(&body)).await
    };
    ann.pay("5", "p-1").await;
    ann.did("/payments/p-1/reverse", json!({"reason": "chargeback"})).await;
    assert_eq!(ann.enter().await, 200, "nothing is owed yet");
    ann.did("/adjustments", json!({"amount": "-5", "reason": "debt"})).await;
    ann.advance("PT23H59M").await;
    assert_eq!(ann.enter().await, 200, "nothing is blocked within the grace (A1)");
    ann.advance("PT2M").await;
    assert_eq!(ann.enter().await, 403, "although free minutes are left (S10)");
    for open in ["/balance", "/bills", "/ledger", "/notices", "/packages", "/usage"] {
        assert_eq!(ask(&format!("GET {open}"), Value::Null).await.status, 200, "{open} (A2)");
    }
    let buy = ask("POST /packages", json!({"type": "minutes_25k"})).await;
    assert_eq!((buy.status, buy.code().as_str()), (402, "InsufficientBalance"), "A5: {buy:?}");
    ann.pay("4.99", "p-2").await;
    assert_eq!(ann.enter().await, 403, "a part does not do (A4)");
    ann.pay("0.01", "p-3").await;
    assert_eq!(ann.enter().await, 200, "service is back with the answer (T7)");
    let kinds: Vec<_> = ann.list("/notices").await.iter().map(|one| one["kind"].clone()).collect();
    for kind in ["arrears_reminder", "arrears_warning", "suspended", "arrears_cleared", "restored"]
    {
        assert!(kinds.contains(&json!(kind)), "{kind} in {kinds:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn s21_s22_the_queue_shows_who_is_due_and_receipts_what_was_cleared() {
    let server = InProcess::start_sqlite().await;
    let ann = Account::new(&server, "daily").await;
    let switch = async |on: bool| {
        let answer = server.api("PUT /reclaim", Some(&json!({"sweep": on}))).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"sweep": on})));
    };
    switch(true).await;
    assert_eq!(server.api("GET /reclaim", None).await.json()["sweep"], true);
    switch(false).await;
    ann.did("/adjustments", json!({"amount": "-1", "reason": "debt"})).await;
    ann.advance("PT25H").await;
    let queue = server.api("GET /reclaim?limit=5", None).await.json();
    assert_eq!((&queue["sweep"], &queue["next"]), (&json!(false), &Value::Null));
    let items = queue["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{queue}");
    assert_eq!(
        (&items[0]["account"], &items[0]["stage"], &items[0]["sandbox"]),
        (&json!(ann.id), &json!("due"), &json!(true))
    );
    assert_eq!(ann.list("/receipts").await, Vec::<Value>::new());
    ann.advance("P61D").await;
    let receipts = ann.list("/receipts").await;
    let classes: Vec<_> = receipts.iter().map(|one| one["class"].as_str().unwrap()).collect();
    let all = ["configuration", "service_logs", "authorisations", "recordings", "packages"];
    assert_eq!(classes, all);
    assert_eq!(receipts[0]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(server.api("GET /reclaim", None).await.json()["items"], json!([]));
    // A payment for a cleared account is booked and brings nothing back (T24).
    ann.pay("5", "late").await;
    assert_eq!(ann.available().await, "4.00");
    assert_eq!(ann.get("/standing").await.json()["allows"]["join"], false);
    let buy = ann.post("/packages", json!({"type": "minutes_25k"})).await;
    assert_eq!((buy.status, buy.code().as_str()), (403, "ServiceSuspended"), "{buy:?}");
    server.stop().await;
}

/// A body that is not JSON.
pub(crate) async fn send(server: &InProcess, path: &str, kind: &str, body: String) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/api/v1{path}"))
        .header("host", "localhost:7880")
        .header("authorization", "Bearer dev-operator")
        .header("content-type", kind);
    server.send(request.body(Body::from(body)).unwrap()).await
}

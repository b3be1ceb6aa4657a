//! Every endpoint of the OpenAPI document with every kind of credential.

use std::collections::BTreeSet;

use fermata_server::v1::openapi_json;
use serde_json::{Value, json};

use crate::common::{Answer, InProcess};

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Only operators.
    Operators,
    /// Customer and partner of the account in the path, too; to others it does not exist.
    Owners,
    /// The customer, too, but not the partner.
    Customer,
    /// Every token.
    Everybody,
    /// Every session of the console, which tokens are not.
    Sessions,
    /// Also nobody.
    Anybody,
}

/// The expectation, written apart from the table of the program. An endpoint without a row fails the test.
const ROWS: &[(&str, Who)] = &[
    ("POST /accounts", Who::Operators),
    ("GET /accounts", Who::Everybody),
    ("GET /accounts/{account}", Who::Owners),
    ("PATCH /accounts/{account}", Who::Owners),
    ("GET /accounts/{account}/standing", Who::Owners),
    ("POST /accounts/{account}/apps", Who::Owners),
    ("GET /accounts/{account}/apps", Who::Owners),
    ("POST /accounts/{account}/secrets", Who::Owners),
    ("GET /accounts/{account}/secrets", Who::Owners),
    ("DELETE /accounts/{account}/secrets/{secret}", Who::Owners),
    ("POST /accounts/{account}/holds", Who::Owners),
    ("POST /accounts/{account}/holds/{hold}/approve", Who::Operators),
    ("DELETE /accounts/{account}/holds/{hold}", Who::Owners),
    ("POST /accounts/{account}/tickets", Who::Customer),
    ("POST /accounts/{account}/tickets/{ticket}/confirm", Who::Customer),
    ("POST /accounts/{account}/tickets/{ticket}/cancel", Who::Customer),
    ("POST /accounts/{account}/clock", Who::Owners),
    ("POST /accounts/{account}/payments", Who::Operators),
    ("GET /accounts/{account}/payments", Who::Owners),
    ("POST /accounts/{account}/payments/{ref}/reverse", Who::Operators),
    ("GET /accounts/{account}/balance", Who::Owners),
    ("POST /accounts/{account}/packages", Who::Owners),
    ("GET /accounts/{account}/packages", Who::Owners),
    ("POST /accounts/{account}/packages/{package}/refund", Who::Owners),
    ("POST /accounts/{account}/postpaid", Who::Owners),
    ("POST /accounts/{account}/vouchers", Who::Operators),
    ("POST /accounts/{account}/credit-notes", Who::Operators),
    ("POST /accounts/{account}/adjustments", Who::Operators),
    ("GET /accounts/{account}/bills", Who::Owners),
    ("GET /accounts/{account}/bills/{bill}", Who::Owners),
    ("GET /accounts/{account}/ledger", Who::Owners),
    ("GET /accounts/{account}/notices", Who::Owners),
    ("GET /accounts/{account}/audit", Who::Owners),
    ("POST /accounts/{account}/usage", Who::Owners),
    ("GET /accounts/{account}/usage", Who::Owners),
    ("GET /accounts/{account}/receipts", Who::Owners),
    ("GET /apps/{sdk_app_id}", Who::Owners),
    ("PATCH /apps/{sdk_app_id}", Who::Owners),
    ("POST /apps/{sdk_app_id}/disable", Who::Owners),
    ("POST /apps/{sdk_app_id}/enable", Who::Owners),
    ("POST /apps/{sdk_app_id}/keys", Who::Owners),
    ("GET /apps/{sdk_app_id}/keys", Who::Owners),
    ("DELETE /apps/{sdk_app_id}/keys/{key}", Who::Owners),
    ("POST /apps/{sdk_app_id}/usersig-key", Who::Owners),
    ("GET /apps/{sdk_app_id}/callbacks", Who::Owners),
    ("PUT /apps/{sdk_app_id}/callbacks", Who::Owners),
    ("POST /apps/{sdk_app_id}/callbacks/test", Who::Owners),
    ("GET /apps/{sdk_app_id}/deliveries", Who::Owners),
    ("GET /apps/{sdk_app_id}/deliveries/{delivery}", Who::Owners),
    ("POST /apps/{sdk_app_id}/deliveries/{delivery}/replay", Who::Owners),
    ("GET /apps/{sdk_app_id}/rooms", Who::Owners),
    ("DELETE /apps/{sdk_app_id}/rooms/{room}", Who::Owners),
    ("GET /apps/{sdk_app_id}/rooms/{room}/participants", Who::Owners),
    ("DELETE /apps/{sdk_app_id}/rooms/{room}/participants/{identity}", Who::Owners),
    ("GET /apps/{sdk_app_id}/usage", Who::Owners),
    ("GET /apps/{sdk_app_id}/usage/rooms", Who::Owners),
    ("GET /apps/{sdk_app_id}/stays", Who::Owners),
    ("POST /tokens", Who::Operators),
    ("GET /tokens", Who::Operators),
    ("DELETE /tokens/{token}", Who::Operators),
    ("POST /console-session", Who::Anybody),
    ("GET /console-session", Who::Everybody),
    ("DELETE /console-session", Who::Sessions),
    ("POST /console-session/password", Who::Sessions),
    ("POST /console-session/totp", Who::Sessions),
    ("PUT /console-session/totp", Who::Sessions),
    ("DELETE /console-session/totp", Who::Sessions),
    ("POST /console-users", Who::Operators),
    ("GET /console-users", Who::Operators),
    ("PATCH /console-users/{user}", Who::Operators),
    ("DELETE /console-users/{user}", Who::Operators),
    ("GET /notice-subscriptions", Who::Everybody),
    ("POST /notice-subscriptions", Who::Everybody),
    ("DELETE /notice-subscriptions/{subscription}", Who::Everybody),
    ("GET /catalog", Who::Everybody),
    ("GET /catalog/{version}", Who::Everybody),
    ("POST /catalog", Who::Operators),
    ("GET /partners", Who::Operators),
    ("POST /partners", Who::Operators),
    ("GET /partners/{partner}", Who::Operators),
    ("GET /agreements", Who::Operators),
    ("POST /agreements", Who::Operators),
    ("GET /agreements/{partner}", Who::Operators),
    ("GET /agreements/{partner}/diff", Who::Operators),
    ("GET /reclaim", Who::Operators),
    ("PUT /reclaim", Who::Operators),
    ("POST /backup", Who::Operators),
];

/// Every operation of the OpenAPI document, as `METHOD /path/{parameter}`.
fn operations() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let path = path.strip_prefix("/api/v1").unwrap();
            operations.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    operations
}

/// An account with one application.
struct Party {
    account: String,
    app: u64,
}

impl Party {
    async fn new(server: &InProcess, partner: Option<&str>) -> Self {
        let body = json!({"name": "Party", "partner": partner});
        let account = server.api("POST /accounts", Some(&body)).await;
        assert_eq!(account.status, 201, "{account:?}");
        let account = account.json()["id"].as_str().unwrap().to_owned();
        let app = format!("POST /accounts/{account}/apps");
        let app = server.api(&app, Some(&json!({"name": "App"}))).await;
        assert_eq!(app.status, 201, "{app:?}");
        Self { app: app.json()["sdk_app_id"].as_u64().unwrap(), account }
    }

    /// The operation with this party's ids; other parameters name nothing that exists.
    fn path(&self, operation: &str) -> String {
        operation
            .replacen(" /", " /api/v1/", 1)
            .replace("{account}", &self.account)
            .replace("{sdk_app_id}", &self.app.to_string())
            .replace("{subscription}", &format!("{}.nothing", self.account))
            .replace("{room}", "int%2F7")
            .replace("{token}", "TK_none")
            .replace("{user}", "CU_none")
            .replace("{partner}", "p1")
            .replace("{version}", "1")
            .replace(['{', '}'], "")
    }
}

async fn token(server: &InProcess, body: Value) -> String {
    let answer = server.api("POST /tokens", Some(&body)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    format!("Bearer {}", answer.json()["token"].as_str().unwrap())
}

async fn customer(server: &InProcess, party: &Party, read_only: bool) -> String {
    let body =
        json!({"name": "c", "role": "customer", "account": party.account, "read_only": read_only});
    token(server, body).await
}

async fn partner(server: &InProcess, id: &str) -> String {
    let made = server.api("POST /partners", Some(&json!({"id": id, "name": id}))).await;
    assert!(made.status < 300, "{made:?}");
    token(server, json!({"name": id, "role": "partner", "partner": id})).await
}

/// Was it let through to the call itself?
fn let_through(answer: &Answer) -> bool {
    let hidden = answer.status == 404 && {
        let text = answer.text.as_str();
        text.contains("There is no account") || text.contains("There is no application")
    };
    !hidden && ![401, 403, 405].contains(&answer.status) && answer.status < 500
}

#[test]
fn every_endpoint_has_its_row() {
    let rows: BTreeSet<_> = ROWS.iter().map(|(operation, _)| (*operation).to_owned()).collect();
    assert_eq!(rows.len(), ROWS.len());
    let operations = operations();
    assert_eq!(operations.difference(&rows).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(rows.difference(&operations).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn every_endpoint_with_every_credential() {
    let server = InProcess::start(&[]).await;
    let revoked = token(&server, json!({"name": "short-lived"})).await;
    let listed = server.api("GET /tokens", None).await.json();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(server.api(&format!("DELETE /tokens/{id}"), None).await.status, 200);
    let own_partner = partner(&server, "p1").await;
    let foreign_partner = partner(&server, "p2").await;
    let foreign = Party::new(&server, None).await;
    let foreign_customer = customer(&server, &foreign, false).await;
    let reader = token(&server, json!({"name": "auditor", "read_only": true})).await;
    for (operation, who) in ROWS {
        // A party of its own for each, since some calls change what later ones may do.
        let party = Party::new(&server, Some("p1")).await;
        let own_customer = customer(&server, &party, false).await;
        let own_reader = customer(&server, &party, true).await;
        let (path, body) = (party.path(operation), json!({}));
        let ask =
            async |token: &str| server.ask(&path, &[("authorization", token)], Some(&body)).await;
        let nobody = server.ask(&path, &[], Some(&body)).await;
        if *who == Who::Anybody {
            for answer in [nobody, ask("Bearer wrong").await, ask(&reader).await] {
                let seen = (answer.status, answer.code());
                assert_eq!(seen, (400, "invalid".to_owned()), "{operation}: {answer:?}");
            }
            continue;
        }
        for answer in [nobody, ask("Bearer wrong").await, ask("Bearer ").await, ask(&revoked).await]
        {
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "unauthorized"),
                "{operation}"
            );
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        let refused = async |token: &str, whose: &str, status: u16, code: &str| {
            let answer = ask(token).await;
            let seen = (answer.status, answer.code());
            assert_eq!(seen, (status, code.to_owned()), "{operation} by {whose}: {answer:?}");
        };
        let passes = async |token: &str, whose: &str| {
            let answer = ask(token).await;
            assert!(let_through(&answer), "{operation} by {whose}: {answer:?}");
        };
        if *who == Who::Sessions {
            for token in [&reader, &own_reader, &own_customer, &own_partner] {
                refused(token, "a token", 409, "conflict").await;
            }
            continue;
        }
        if operation.starts_with("GET ") {
            passes(&reader, "a reading operator").await;
        } else {
            refused(&reader, "a reading operator", 403, "forbidden").await;
            refused(&own_reader, "a reading customer", 403, "forbidden").await;
        }
        match who {
            Who::Operators => {
                for token in [&own_customer, &own_partner, &foreign_customer, &foreign_partner] {
                    refused(token, "no operator", 403, "forbidden").await;
                }
            }
            Who::Owners | Who::Customer => {
                refused(&foreign_customer, "a foreign customer", 404, "not_found").await;
                refused(&foreign_partner, "a foreign partner", 404, "not_found").await;
                if *who == Who::Owners {
                    passes(&own_partner, "its partner").await;
                } else {
                    refused(&own_partner, "its partner", 403, "forbidden").await;
                }
                passes(&own_customer, "its customer").await;
            }
            Who::Everybody | Who::Sessions | Who::Anybody => {
                for token in [&own_customer, &own_partner, &foreign_customer, &foreign_partner] {
                    let answer = ask(token).await;
                    assert!(![401, 403].contains(&answer.status), "{operation}: {answer:?}");
                }
            }
        }
        for operator in ["Bearer dev-operator", "bearer dev-operator-2"] {
            passes(operator, "an operator").await;
        }
    }
    for nowhere in ["GET /api/v1/nothing", "GET /api/v2/accounts", "PUT /api/v1/accounts"] {
        assert_eq!(server.ask(nowhere, &[], None).await.status, 401, "{nowhere}");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_role_is_shown_its_own() {
    let server = InProcess::start(&[]).await;
    let p1 = partner(&server, "p1").await;
    let p2 = partner(&server, "p2").await;
    let (one, two) = (Party::new(&server, Some("p1")).await, Party::new(&server, Some("p1")).await);
    let other = Party::new(&server, None).await;
    let list = async |token: &str, query: &str| {
        let path = format!("GET /api/v1/accounts{query}");
        let answer = server.ask(&path, &[("authorization", token)], None).await.json();
        let ids = answer["items"].as_array().unwrap().iter();
        let mut ids: Vec<_> = ids.map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        (ids, answer["next"].clone())
    };
    let mut own = vec![one.account.clone(), two.account.clone()];
    own.sort();
    assert_eq!(list(&p1, "").await, (own.clone(), Value::Null));
    let (first, next) = list(&p1, "?limit=1").await;
    assert_eq!((&first, next.as_str()), (&vec![own[0].clone()], Some(own[0].as_str())));
    let (second, next) = list(&p1, &format!("?limit=1&after={}", own[0])).await;
    assert_eq!(second, vec![own[1].clone()]);
    let (third, next) = list(&p1, &format!("?after={}", next.as_str().unwrap())).await;
    assert_eq!((third, next), (vec![], Value::Null));
    assert_eq!(list(&p2, "").await.0, Vec::<String>::new());
    let customer = customer(&server, &other, true).await;
    assert_eq!(list(&customer, "").await, (vec![other.account.clone()], Value::Null));
    assert_eq!(list("Bearer dev-operator", "").await.0.len(), 4, "development's own, too");

    // Subscriptions name their account in body and query.
    let body = json!({"account": one.account, "kind": "suspended"});
    let path = "POST /api/v1/notice-subscriptions";
    let foreign = server.ask(path, &[("authorization", &p2)], Some(&body)).await;
    assert_eq!((foreign.status, foreign.code().as_str()), (404, "not_found"), "{foreign:?}");
    let made = server.ask(path, &[("authorization", &p1)], Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("DELETE /api/v1/notice-subscriptions/{id}");
    assert_eq!(server.ask(&path, &[("authorization", &p2)], None).await.status, 404);
    assert_eq!(server.ask(&path, &[("authorization", &p1)], None).await.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn tokens_are_tied_to_what_exists() {
    let server = InProcess::start(&[]).await;
    let rows = [
        json!({"name": "x", "role": "customer"}),
        json!({"name": "x", "role": "customer", "account": "AC_none"}),
        json!({"name": "x", "role": "customer", "account": "AC_development", "partner": "p"}),
        json!({"name": "x", "role": "partner"}),
        json!({"name": "x", "role": "partner", "partner": "none"}),
        json!({"name": "x", "role": "operator", "account": "AC_development"}),
        json!({"name": "x", "role": "root"}),
    ];
    for body in rows {
        let answer = server.api("POST /tokens", Some(&body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{body}: {answer:?}");
    }
    let body =
        json!({"name": "x", "role": "customer", "account": "AC_development", "read_only": true});
    let made = server.api("POST /tokens", Some(&body)).await.json();
    assert_eq!((&made["role"], &made["account"]), (&json!("customer"), &json!("AC_development")));
    assert_eq!(made["read_only"], true);
    // Not even to metrics from afar does a customer's token open what is the operator's.
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let afar = [("host", "rtc.example"), ("authorization", bearer.as_str())];
    assert_ne!(server.ask("GET /metrics", &afar, None).await.status, 200);
    server.stop().await;
}

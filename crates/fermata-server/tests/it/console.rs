//! Signing in to the console, in this process: what only shows where the server is told who is before it, and what the
//! tests with real clients cannot see.

use fermata_types::{ConsoleUserId, Now};
use serde_json::{Value, json};

use crate::common::{Answer, InProcess};

const PASSWORD: &str = "correct horse battery";
const SESSION: &str = "/api/v1/console-session";

/// Makes a user; its id.
async fn user(server: &InProcess, name: &str, more: Value) -> String {
    let mut body = json!({"name": name, "password": PASSWORD});
    let more = more.as_object().cloned().unwrap_or_default();
    body.as_object_mut().unwrap().extend(more);
    let made = server.api("POST /console-users", Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(!made.text.contains("argon2") && !made.text.contains(PASSWORD), "{made:?}");
    made.json()["id"].as_str().unwrap().to_owned()
}

async fn sign_in(server: &InProcess, headers: &[(&str, &str)], name: &str) -> Answer {
    let body = json!({"name": name, "password": PASSWORD});
    server.ask(&format!("POST {SESSION}"), headers, Some(&body)).await
}

/// The cookie and the word of a new session.
async fn session(server: &InProcess, name: &str) -> (String, String) {
    let answer = sign_in(server, &[], name).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    (cookie.to_owned(), answer.json()["csrf_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn cookies_are_secure_where_the_client_came_over_https() {
    let flags = [("dev", "false"), ("data_dir", "/nonexistent"), ("trusted_proxies", "127.0.0.1")];
    let server = InProcess::start(&flags).await;
    user(&server, "ann", json!({})).await;
    for (proto, secure) in [("http", false), ("https", true)] {
        let answer = sign_in(&server, &[("x-forwarded-proto", proto)], "ann").await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert_eq!(cookie.ends_with("; Secure"), secure, "{cookie}");
    }
    // Development's user is nobody here, not even with a session that was stored elsewhere.
    let answer = server.ask(&format!("POST {SESSION}"), &[], Some(&json!({"dev": true}))).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{answer:?}");
    assert!(answer.text.contains("dev: "), "{answer:?}");
    let store = &server.shared.store;
    store.create_console_user(fermata_server::dev::console_user()).await.unwrap();
    let token = fermata_auth::console_session::generate([7; 32]);
    let now = Now::read().wall;
    let stored = fermata_store::ConsoleSession {
        hash: fermata_auth::api_token::hash(&token),
        user: ConsoleUserId::from_text(fermata_server::dev::CONSOLE_USER_ID),
        created_at: now,
        expires_at: now + jiff::SignedDuration::from_hours(1),
    };
    store.create_console_session(stored).await.unwrap();
    let cookie = format!("fermata_session={token}");
    let answer = server.ask(&format!("GET {SESSION}"), &[("cookie", &cookie)], None).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_session_may_what_its_role_may() {
    let server = InProcess::start(&[]).await;
    let customer = json!({"role": "customer", "account": "AC_development"});
    let other = server.api("POST /accounts", Some(&json!({"name": "Other"}))).await.json();
    let other = other["id"].as_str().unwrap().to_owned();
    user(&server, "operator", json!({})).await;
    user(&server, "customer", customer).await;
    user(&server, "reader", json!({"read_only": true})).await;
    let own = "GET /accounts/AC_development".to_owned();
    let foreign = format!("GET /accounts/{other}");
    let make = "POST /partners".to_owned();
    let rows = [
        ("operator", &own, 200),
        ("operator", &foreign, 200),
        ("operator", &make, 201),
        ("customer", &own, 200),
        ("customer", &foreign, 404),
        ("customer", &make, 403),
        ("reader", &foreign, 200),
        ("reader", &make, 403),
    ];
    for (name, call, status) in rows {
        let (cookie, word) = session(&server, name).await;
        let headers = [("cookie", cookie.as_str()), ("x-csrf-token", word.as_str())];
        let call = call.replacen(" /", " /api/v1/", 1);
        let body = call.starts_with("POST").then(|| json!({"id": "p", "name": "P"}));
        let answer = server.ask(&call, &headers, body.as_ref()).await;
        assert_eq!(answer.status, status, "{name}: {call}: {answer:?}");
        // A reader changes its own sign-in all the same.
        let answer = server.ask(&format!("DELETE {SESSION}"), &headers, None).await;
        assert_eq!(answer.status, 204, "{name}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_goes_before_a_cookie_and_keys_are_the_users_own() {
    let server = InProcess::start(&[]).await;
    let id = user(&server, "ann", json!({})).await;
    let (cookie, word) = session(&server, "ann").await;
    let wrong = [("cookie", cookie.as_str()), ("authorization", "Bearer wrong")];
    assert_eq!(server.ask("GET /api/v1/accounts", &wrong, None).await.status, 401);
    let both = [("cookie", cookie.as_str()), ("authorization", "Bearer dev-operator")];
    let told = server.ask(&format!("GET {SESSION}"), &both, None).await.json();
    assert_eq!(told["user"]["id"], "TK_dev-operator");
    assert_eq!((told.get("csrf_token"), told["user"]["role"].as_str()), (None, Some("operator")));

    // The same key of a session and of a token are two.
    let key = ("idempotency-key", "k1");
    let own = [("cookie", cookie.as_str()), ("x-csrf-token", word.as_str()), key];
    let body = json!({"name": "Once"});
    let make = async |headers: &[(&str, &str)]| {
        let answer = server.ask("POST /api/v1/accounts", headers, Some(&body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    };
    let first = make(&own).await;
    assert_eq!(make(&own).await, first);
    assert_ne!(make(&[("authorization", "Bearer dev-operator"), key]).await, first);
    let audit = format!("GET /accounts/{first}/audit");
    assert!(server.api(&audit, None).await.text.contains(&id), "the audit names the user");

    // Signing in twice with one key begins two sessions.
    let (one, two) = (sign_in(&server, &[key], "ann").await, sign_in(&server, &[key], "ann").await);
    assert_ne!(one.headers["set-cookie"], two.headers["set-cookie"]);
    server.stop().await;
}

#[tokio::test]
async fn bad_users_are_refused_by_name() {
    let server = InProcess::start(&[]).await;
    let id = user(&server, "ann", json!({})).await;
    let rows = [
        (json!({"name": "bea"}), 400, "password"),
        (json!({"name": "bea", "password": "elevenchars"}), 400, "password: it has 11 characters"),
        (json!({"name": "bea", "password": "x".repeat(257)}), 400, "12 to 256"),
        (json!({"name": "", "password": PASSWORD}), 400, "name: "),
        (json!({"name": " bea", "password": PASSWORD}), 400, "name: "),
        (json!({"name": "bea", "password": PASSWORD, "role": "customer"}), 400, "account: "),
        (json!({"name": "bea", "password": PASSWORD, "admin": true}), 400, "admin"),
        (json!({"name": "ANN", "password": PASSWORD}), 409, "ANN"),
    ];
    for (body, status, word) in rows {
        let answer = server.api("POST /console-users", Some(&body)).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.text.contains(word), "{body}: {answer:?}");
    }
    let change = format!("PATCH /console-users/{id}");
    let answer = server.api(&change, Some(&json!({"password": "short"}))).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{answer:?}");
    let listed = server.api("GET /console-users", None).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    for (call, body) in
        [("PATCH /console-users/CU_none", Some(json!({}))), ("DELETE /console-users/CU_none", None)]
    {
        let answer = server.api(call, body.as_ref()).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{answer:?}");
    }
    assert_eq!(server.api(&format!("DELETE /console-users/{id}"), None).await.status, 204);
    assert_eq!(sign_in(&server, &[], "ann").await.code(), "sign_in_failed");
    server.stop().await;
}

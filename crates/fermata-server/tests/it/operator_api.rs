//! The API in process: what is wrong is told, and the lives of accounts, applications and keys.

use crate::common::InProcess;
use fermata_server::v1::openapi_json;
use serde_json::{Value, json};

#[tokio::test]
async fn the_api_is_never_open_to_other_origins() {
    let server = InProcess::start(&[("dev", "false"), ("data_dir", "/nonexistent")]).await;
    let origin = ("origin", "https://evil.example");
    let answer = server
        .ask("GET /api/v1/accounts", &[origin, ("authorization", "Bearer dev-operator")], None)
        .await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    let preflight = [origin, ("access-control-request-method", "GET")];
    let answer = server.ask("OPTIONS /api/v1/accounts", &preflight, None).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    assert_eq!(answer.status, 401);
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let server = InProcess::start(&[]).await;
    let check = async |request: &str, body: Option<Value>, status: u16, words: &str| {
        let answer = server.api(request, body.as_ref()).await;
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{request}: {message:?} lacks {words:?}");
    };
    let app = "/apps/1400000001";
    check("POST /accounts", Some(json!({"name": "x", "zoen": "UTC"})), 400, "unknown field `zoen`")
        .await;
    check("POST /accounts", Some(json!({})), 400, "name").await;
    check("POST /accounts", Some(json!({"name": "x", "zone": "Mars/Olympus"})), 400, "zone").await;
    check("POST /accounts", Some(json!({"name": ""})), 400, "name").await;
    check("GET /accounts?limti=3", None, 400, "limti").await;
    check("GET /accounts?limit=0", None, 400, "limit").await;
    check("GET /accounts/AC_none", None, 404, "AC_none").await;
    check("GET /apps/x", None, 400, "path").await;
    check("GET /apps/0", None, 400, "sdk_app_id").await;
    check("GET /apps/7", None, 404, "7").await;
    check("GET /apps/7/rooms", None, 404, "7").await;
    check(&format!("PATCH {app}"), Some(json!({"enabled": false})), 400, "enabled").await;
    check(
        &format!("PATCH {app}"),
        Some(json!({"disconnect_timeout_s": 4})),
        400,
        "disconnect_timeout_s",
    )
    .await;
    check(&format!("PATCH {app}"), Some(json!({"default_scene": "party"})), 400, "party").await;
    check(&format!("GET {app}/usage?from=2026-01-01"), None, 400, "to").await;
    check(&format!("GET {app}/usage?from=2026-01-02&to=2026-01-01"), None, 400, "before").await;
    check(&format!("GET {app}/usage?from=2026-01-01&to=2028-01-01"), None, 400, "400 days").await;
    check(&format!("GET {app}/usage?from=yesterday&to=2026-01-01"), None, 400, "from").await;
    check(&format!("GET {app}/stays?from=1&to=2"), None, 400, "from").await;
    check(&format!("GET {app}/rooms/none/participants"), None, 404, "none").await;
    check(&format!("GET {app}/rooms/int%2F0/participants"), None, 400, "room").await;
    check(&format!("DELETE {app}/rooms/int%2F9"), None, 404, "int/9").await;
    check(&format!("DELETE {app}/keys/devkey"), None, 400, "").await;
    check("DELETE /tokens/TK_none", None, 404, "TK_none").await;
    check("POST /backup", Some(json!({"name": "../x"})), 400, "name").await;
    check("GET /nothing", None, 404, "path").await;
    check("PUT /accounts", None, 405, "method").await;
    let plain = server
        .ask("POST /api/v1/accounts", &[("authorization", "Bearer dev-operator")], None)
        .await;
    assert_eq!((plain.status, plain.code().as_str()), (415, "not_json"));
    let large = json!({"name": "x".repeat(70_000)});
    check("POST /accounts", Some(large), 413, "larger").await;
    server.stop().await;
}

#[tokio::test]
async fn accounts_applications_and_keys_have_their_lives() {
    let server = InProcess::start(&[]).await;
    let account =
        server.api("POST /accounts", Some(&json!({"name": "A", "zone": "Europe/Berlin"}))).await;
    assert_eq!(account.status, 201, "{account:?}");
    let account = account.json()["id"].as_str().unwrap().to_owned();
    let read = server.api(&format!("GET /accounts/{account}"), None).await.json();
    assert_eq!((&read["name"], &read["time_zone"]), (&json!("A"), &json!("Europe/Berlin")));
    let page = server.api("GET /accounts?limit=1", None).await.json();
    let next = page["next"].as_str().unwrap();
    let second = server.api(&format!("GET /accounts?limit=1&after={next}"), None).await.json();
    assert_ne!(page["items"][0]["id"], second["items"][0]["id"]);

    let body = json!({"name": "App", "sdk_app_id": 1_500_000_000, "default_scene": "live"});
    let created = server.api(&format!("POST /accounts/{account}/apps"), Some(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let created = created.json();
    assert_eq!(created["app"]["default_scene"], "live");
    assert_eq!(created["sdk_app_id"], 1_500_000_000);
    assert!(created["api_secret"].as_str().unwrap().len() >= 32);
    assert!(created["api_key"].as_str().unwrap().starts_with("API"));
    assert_eq!(created["secret_key"].as_str().unwrap().len(), 64);
    assert_eq!(created["usersig_key"], created["secret_key"]);
    let again = server.api(&format!("POST /accounts/{account}/apps"), Some(&body)).await;
    assert_eq!((again.status, again.code().as_str()), (409, "exists"));
    let list = server.api(&format!("GET /accounts/{account}/apps"), None).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    let keys = "/apps/1500000000/keys";
    let added = server.api(&format!("POST {keys}"), Some(&json!({}))).await.json();
    let (key, secret) = (added["key"].as_str().unwrap(), added["secret"].as_str().unwrap());
    let listed = server.api(&format!("GET {keys}"), None).await;
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 2);
    assert!(!listed.text.contains(secret), "secrets are shown once");
    let token = fermata_auth::sign(&crate::common::claims("ann", "r"), key, secret);
    let validate =
        async || server.ask(&format!("GET /rtc/validate?access_token={token}"), &[], None).await;
    assert_eq!(validate().await.status, 200);
    assert_eq!(server.api(&format!("DELETE {keys}/{key}"), None).await.status, 200);
    let refused = validate().await;
    assert_eq!((refused.status, refused.text.split(':').next().unwrap()), (401, "key_unknown"));
    server.stop().await;
}

#[tokio::test]
async fn secrets_shorter_than_32_bytes_are_refused_outside_of_development() {
    let server = InProcess::start(&[("dev", "false"), ("data_dir", "/nonexistent")]).await;
    let keys = "POST /apps/1400000001/keys";
    let short = server.api(keys, Some(&json!({"key": "k", "secret": "x".repeat(31)}))).await;
    assert_eq!((short.status, short.code().as_str()), (400, "invalid"), "{short:?}");
    assert!(!short.text.contains("xxx"), "a secret is not repeated");
    let long = server.api(keys, Some(&json!({"key": "k", "secret": "x".repeat(32)}))).await;
    assert_eq!(long.status, 201, "{long:?}");
    let body = json!({"usersig_key": "short"});
    let usersig = server.api("POST /apps/1400000001/usersig-key", Some(&body)).await;
    assert_eq!(usersig.status, 400);
    server.stop().await;
}

#[test]
fn the_committed_document_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(committed, openapi_json(), "run: fermata openapi > docs/openapi.json");
}

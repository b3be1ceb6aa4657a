//! Secret pairs of the server APIs and callback settings, over the API.

use std::sync::{Arc, Mutex};

use fermata_server::dev;
use fermata_store::limits::SECRETS_IN_FORCE_MAX;
use fermata_store::{Callback, SecretPolicy};
use fermata_types::SdkAppId;
use serde_json::{Value, json};

use crate::common::{Answer, InProcess};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An account with an application.
struct Party {
    account: String,
    app: u32,
    /// A customer's token.
    token: String,
    /// A customer's token for reading only.
    reader: String,
}

impl Party {
    async fn new(server: &InProcess) -> Self {
        let made =
            server.api("POST /accounts", Some(&json!({"name": "Party", "sandbox": true}))).await;
        let account = made.json()["id"].as_str().unwrap().to_owned();
        let app = format!("POST /accounts/{account}/apps");
        let app = server.api(&app, Some(&json!({"name": "App"}))).await.json();
        let token = async |read_only: bool| {
            let body = json!({
                "name": "c", "role": "customer", "account": account, "read_only": read_only
            });
            let made = server.api("POST /tokens", Some(&body)).await.json();
            format!("Bearer {}", made["token"].as_str().unwrap())
        };
        let (token, reader) = (token(false).await, token(true).await);
        Self {
            app: app["sdk_app_id"].as_u64().unwrap().try_into().unwrap(),
            token,
            reader,
            account,
        }
    }

    fn secrets(&self) -> String {
        format!("/api/v1/accounts/{}/secrets", self.account)
    }

    fn callbacks(&self) -> String {
        format!("/api/v1/apps/{}/callbacks", self.app)
    }
}

async fn ask(server: &InProcess, token: &str, request: &str, body: Option<Value>) -> Answer {
    server.ask(request, &[("authorization", token)], body.as_ref()).await
}

/// Makes a secret pair; answers its id and key.
async fn secret(server: &InProcess, party: &Party, body: Value) -> (String, String) {
    let request = format!("POST {}", party.secrets());
    let made = ask(server, &party.token, &request, Some(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("secret_id"), text("secret_key"))
}

fn both() -> Value {
    json!({
        "callback": {"url": "https://example.com/c", "key": "callbackkey1", "groups": [1, 2, 3]},
        "webhooks": [{"url": "http://a.example/w", "api_key": null}],
    })
}

#[tokio::test]
async fn a_secret_is_shown_once_and_in_force_until_it_is_revoked() {
    let server = InProcess::start(&[]).await;
    let party = Party::new(&server).await;
    let (id, key) = secret(&server, &party, json!({"name": "backend", "apps": [party.app]})).await;
    assert!(id.starts_with("AKID") && id.len() == 32, "{id}");
    assert!(id.chars().chain(key.chars()).all(|c| c.is_ascii_alphanumeric()));
    assert!(key.len() >= 32);
    let known = server.shared.directory.secret(&id).unwrap();
    assert_eq!(known.secret_key, key);
    assert_eq!(
        (known.policy, known.apps.as_slice()),
        (SecretPolicy::Full, &[SdkAppId(party.app)][..])
    );
    let (reader, _) = secret(&server, &party, json!({"name": "r", "policy": "read_only"})).await;
    let policy = server.shared.directory.secret(&reader).unwrap().policy;
    assert_eq!(policy, SecretPolicy::ReadOnly);

    let list = ask(&server, &party.reader, &format!("GET {}", party.secrets()), None).await;
    assert_eq!(list.status, 200, "{list:?}");
    let items = list.json()["items"].as_array().unwrap().clone();
    let of = |id: &str| items.iter().find(|item| item["secret_id"] == id).unwrap().clone();
    assert_eq!(items.len(), 2);
    let shown = (of(&id)["name"].clone(), of(&id)["apps"].clone(), of(&reader)["policy"].clone());
    assert_eq!(shown, (json!("backend"), json!([party.app]), json!("read_only")));
    assert!(!list.text.contains(&key) && !list.text.contains("secret_key"), "{list:?}");

    let one = format!("DELETE {}/{id}", party.secrets());
    let revoked = ask(&server, &party.token, &one, None).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    assert!(server.shared.directory.secret(&id).is_none(), "in force when the answer comes");
    let again = ask(&server, &party.token, &one, None).await;
    assert_eq!(again.json()["revoked_at"], revoked.json()["revoked_at"]);
    let missing = format!("DELETE {}/AKIDnone", party.secrets());
    assert_eq!(ask(&server, &party.token, &missing, None).await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn other_customers_neither_see_nor_touch_them_and_readers_only_read() {
    let server = InProcess::start(&[]).await;
    let (own, other) = (Party::new(&server).await, Party::new(&server).await);
    let (id, _) = secret(&server, &own, json!({"name": "own"})).await;
    let put = format!("PUT {}", own.callbacks());
    assert_eq!(ask(&server, &own.token, &put, Some(both())).await.status, 200);
    let new = json!({"name": "x"});
    let (secrets, callbacks) = (own.secrets(), own.callbacks());
    let calls = [
        (format!("GET {secrets}"), None),
        (format!("POST {secrets}"), Some(&new)),
        (format!("DELETE {secrets}/{id}"), None),
        (format!("GET {callbacks}"), None),
        (put.clone(), Some(&new)),
    ];
    for (request, body) in calls {
        let foreign = ask(&server, &other.token, &request, body.cloned()).await;
        assert_eq!((foreign.status, foreign.code().as_str()), (404, "not_found"), "{request}");
        let read = ask(&server, &own.reader, &request, body.cloned()).await;
        let expected = if request.starts_with("GET") { 200 } else { 403 };
        assert_eq!(read.status, expected, "{request}: {read:?}");
    }
    // Through their own account they do not reach it either.
    let detour = format!("DELETE {}/{id}", other.secrets());
    assert_eq!(ask(&server, &other.token, &detour, None).await.status, 404);
    assert!(server.shared.directory.secret(&id).is_some());
    let foreign_app = json!({"name": "x", "apps": [own.app]});
    let request = format!("POST {}", other.secrets());
    let refused = ask(&server, &other.token, &request, Some(foreign_app)).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "invalid"), "{refused:?}");
    server.stop().await;
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let server = InProcess::start(&[]).await;
    let party = Party::new(&server).await;
    let post = format!("POST {}", party.secrets());
    let put = format!("PUT {}", party.callbacks());
    let callback = |field: &str, value: Value| {
        let mut body = both();
        body["callback"][field] = value;
        body
    };
    let webhook = |webhook: Value| json!({"webhooks": [webhook]});
    let rows = [
        (&post, json!({}), "name"),
        (&post, json!({"name": ""}), "name"),
        (&post, json!({"name": "x", "policy": "all"}), "policy"),
        (&post, json!({"name": "x", "apps": [0]}), "sdk_app_id"),
        (&post, json!({"name": "x", "apps": [7]}), "apps"),
        (&post, json!({"name": "x", "secret_key": "mine"}), "secret_key"),
        (&put, callback("url", json!("ftp://example.com")), "callback.url"),
        (&put, callback("url", json!(format!("https://a/{}", "x".repeat(2_083)))), "callback.url"),
        (&put, callback("key", json!("with-hyphen")), "callback.key"),
        (&put, callback("key", json!("x".repeat(33))), "callback.key"),
        (&put, callback("key", Value::Null), "callback.key"),
        (&put, callback("groups", json!([])), "callback.groups"),
        (&put, callback("groups", json!([2, 1])), "callback.groups"),
        (&put, callback("groups", json!([12])), "callback.groups"),
        (&put, webhook(json!({"url": "http://u:p@example.com"})), "webhooks"),
        (&put, webhook(json!({"url": "http://a", "api_key": "devkey"})), "webhooks.api_key"),
        (&put, json!({"webhook": []}), "webhook"),
        (
            &put,
            json!({"webhooks": (0..9).map(|n| json!({"url": format!("http://h{n}")})).collect::<Vec<_>>()}),
            "webhooks",
        ),
    ];
    for (request, body, field) in rows {
        let answer = ask(&server, &party.token, request, Some(body.clone())).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{body}: {answer:?}");
        assert!(answer.text.contains(field), "{body}: {answer:?}");
        assert!(!answer.text.contains("callbackkey1"), "{answer:?}");
    }
    assert!(server.shared.directory.callbacks(SdkAppId(party.app)).is_none());
    server.stop().await;
}

#[tokio::test]
async fn there_are_twenty_secrets_in_force_at_most() {
    let server = InProcess::start(&[]).await;
    let party = Party::new(&server).await;
    let (first, _) = secret(&server, &party, json!({"name": "0"})).await;
    for n in 1..SECRETS_IN_FORCE_MAX {
        secret(&server, &party, json!({"name": n.to_string()})).await;
    }
    let post = format!("POST {}", party.secrets());
    let more = ask(&server, &party.token, &post, Some(json!({"name": "more"}))).await;
    assert_eq!((more.status, more.code().as_str()), (409, "limit"), "{more:?}");
    ask(&server, &party.token, &format!("DELETE {}/{first}", party.secrets()), None).await;
    secret(&server, &party, json!({"name": "more"})).await;
    server.stop().await;
}

#[tokio::test]
async fn p12_a_repeated_post_answers_the_same_pair() {
    let server = InProcess::start(&[]).await;
    let party = Party::new(&server).await;
    let headers = [("authorization", party.token.as_str()), ("idempotency-key", "one")];
    let request = format!("POST {}", party.secrets());
    let body = json!({"name": "once"});
    let first = server.ask(&request, &headers, Some(&body)).await;
    assert_eq!(first.status, 201, "{first:?}");
    let second = server.ask(&request, &headers, Some(&body)).await;
    assert_eq!((second.status, &second.text), (201, &first.text));
    let list = ask(&server, &party.token, &format!("GET {}", party.secrets()), None).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn callbacks_are_replaced_as_a_whole_and_keep_their_key() {
    let server = InProcess::start(&[]).await;
    let party = Party::new(&server).await;
    let app = SdkAppId(party.app);
    let (get, put) = (format!("GET {}", party.callbacks()), format!("PUT {}", party.callbacks()));
    let none = ask(&server, &party.token, &get, None).await.json();
    assert_eq!(none, json!({"callback": null, "webhooks": []}));
    let expected = json!({
        "callback": {"url": "https://example.com/c", "groups": [1, 2, 3]},
        "webhooks": [{"url": "http://a.example/w", "api_key": null}],
    });
    let set = ask(&server, &party.token, &put, Some(both())).await;
    assert_eq!((set.status, set.json()), (200, expected.clone()), "no key in it");
    assert_eq!(ask(&server, &party.token, &get, None).await.json(), expected);
    let known = server.shared.directory.callbacks(app).unwrap();
    assert_eq!(known.callback.as_ref().unwrap().key, "callbackkey1");
    assert_eq!(known.webhooks[0].url, "http://a.example/w");

    let moved = json!({"callback": {"url": "https://example.com/d"}});
    let set = ask(&server, &party.token, &put, Some(moved)).await;
    assert_eq!(set.status, 200, "{set:?}");
    let known = server.shared.directory.callbacks(app).unwrap();
    let expected = Callback {
        url: "https://example.com/d".to_owned(),
        key: "callbackkey1".to_owned(),
        groups: vec![1, 2],
    };
    assert_eq!((known.callback.as_ref(), known.webhooks.len()), (Some(&expected), 0));
    let emptied = ask(&server, &party.token, &put, Some(json!({}))).await;
    assert_eq!((emptied.status, emptied.json()), (200, none));
    assert!(server.shared.directory.callbacks(app).is_none());
    server.stop().await;
}

#[tokio::test]
async fn keys_are_not_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let server = InProcess::start(&[]).await;
    let party = Party::new(&server).await;
    let (id, key) = secret(&server, &party, json!({"name": "backend"})).await;
    let put = format!("PUT {}", party.callbacks());
    assert_eq!(ask(&server, &party.token, &put, Some(both())).await.status, 200);
    let secret = server.shared.directory.secret(&id).unwrap();
    let all = server.shared.directory.callbacks(SdkAppId(party.app)).unwrap();
    tracing::info!(?secret, ?all, "Shown for debugging.");
    ask(&server, &party.token, &format!("DELETE {}/{id}", party.secrets()), None).await;
    server.stop().await;
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains(&id) && text.contains("Set callbacks"), "{text}");
    assert!(!text.contains(&key) && !text.contains("callbackkey1"), "{text}");
}

#[tokio::test]
async fn t21_clearing_takes_them_out_of_store_and_directory() {
    let server = InProcess::start(&[]).await;
    let (party, other) = (Party::new(&server).await, Party::new(&server).await);
    let mut ids = Vec::new();
    for party in [&party, &other] {
        ids.push(secret(&server, party, json!({"name": "backend"})).await.0);
        let put = format!("PUT {}", party.callbacks());
        assert_eq!(ask(&server, &party.token, &put, Some(both())).await.status, 200);
    }
    let account = &party.account;
    let debt = json!({"amount": "-5.00", "reason": "test"});
    let adjusted = server.api(&format!("POST /accounts/{account}/adjustments"), Some(&debt)).await;
    assert_eq!(adjusted.status, 201, "{adjusted:?}");
    let moved = json!({"advance": "PT1536H"});
    let moved = server.api(&format!("POST /accounts/{account}/clock"), Some(&moved)).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let directory = &server.shared.directory;
    assert!(directory.secret(&ids[0]).is_none() && directory.secret(&ids[1]).is_some());
    assert!(directory.callbacks(SdkAppId(party.app)).is_none());
    assert!(directory.callbacks(SdkAppId(other.app)).is_some());
    assert!(directory.secret(dev::SECRET_ID).is_some());
    let list = server.api(&format!("GET /accounts/{account}/secrets"), None).await.json();
    assert_eq!(list["items"], json!([]));
    let app = server.api(&format!("GET /apps/{}/callbacks", party.app), None).await.json();
    assert_eq!(app, json!({"callback": null, "webhooks": []}));
    server.stop().await;
}

#[tokio::test]
async fn development_mode_has_a_secret_that_is_not_stored() {
    let server = InProcess::start(&[]).await;
    let built_in = server.shared.directory.secret("AKIDdev").unwrap();
    assert_eq!(built_in.secret_key, "dev-secret-key");
    assert_eq!((built_in.account.as_str(), built_in.policy), (dev::ACCOUNT, SecretPolicy::Full));
    assert!(built_in.apps.is_empty());
    let list = server.api(&format!("GET /accounts/{}/secrets", dev::ACCOUNT), None).await.json();
    assert_eq!(list["items"], json!([]));
    let info = server.ask("GET /dev/info", &[], None).await.json();
    assert_eq!(
        (&info["secret_id"], &info["secret_key"]),
        (&json!("AKIDdev"), &json!("dev-secret-key"))
    );
    server.stop().await;
}

#[tokio::test]
async fn everything_is_in_the_directory_after_a_restart() {
    let server = InProcess::start_sqlite().await;
    let party = Party::new(&server).await;
    let (id, key) = secret(&server, &party, json!({"name": "backend"})).await;
    let (gone, _) = secret(&server, &party, json!({"name": "gone"})).await;
    ask(&server, &party.token, &format!("DELETE {}/{gone}", party.secrets()), None).await;
    let put = format!("PUT {}", party.callbacks());
    assert_eq!(ask(&server, &party.token, &put, Some(both())).await.status, 200);
    let store = &*server.shared.store;
    let again = fermata_server::directory::Directory::load(store, dev::built_in()).await.unwrap();
    assert_eq!(again.secret(&id).unwrap().secret_key, key);
    assert!(again.secret(&gone).is_none() && again.secret(dev::SECRET_ID).is_some());
    let app = SdkAppId(party.app);
    assert_eq!(again.callbacks(app), server.shared.directory.callbacks(app));
    assert!(again.callbacks(app).is_some());
    server.stop().await;
}

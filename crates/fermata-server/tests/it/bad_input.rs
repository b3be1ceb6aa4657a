//! What goes wrong is said, and nothing is half done: a disk that is full, and changes that make no sense.

use std::path::Path;
use std::sync::Arc;

use fermata_store::{SqliteOptions, SqliteStore, Store};
use serde_json::{Value, json};

use crate::common::{Answer, InProcess, dev_token};

/// What a package of 25,000 minutes costs, micro-units.
const PRICE: i64 = 24_000_000;
const PAID: i64 = 100_000_000_000;

async fn buy(server: &InProcess, account: &str, key: &str) -> Answer {
    let request = format!("POST /api/v1/accounts/{account}/packages");
    let headers = [("authorization", "Bearer dev-operator"), ("idempotency-key", key)];
    server.ask(&request, &headers, Some(&json!({"type": "minutes_25k"}))).await
}

/// What the account may spend, and how many packages it bought.
async fn worth(server: &InProcess, account: &str) -> (i64, i64) {
    let balance = server.api(&format!("GET /accounts/{account}/balance"), None).await.json();
    let available = balance["available"].as_str().unwrap();
    let available = fermata_billing::money::Money::parse_decimal(available).unwrap().micros();
    let packages = server.api(&format!("GET /accounts/{account}/packages"), None).await.json();
    let bought = packages["items"].as_array().unwrap().iter();
    (available, i64::try_from(bought.filter(|one| one["type"] == "minutes_25k").count()).unwrap())
}

#[tokio::test]
async fn p12_a_full_disk_is_said_and_a_repeated_purchase_is_made_once() {
    let mut kept = None;
    let open = |folder: &Path| -> Arc<dyn Store> {
        let sqlite = SqliteStore::open(SqliteOptions::in_dir(folder).unwrap()).unwrap();
        kept.insert(Arc::new(sqlite)).clone()
    };
    let server = InProcess::start_on(&[], open).await;
    let disk = kept.unwrap();
    let body = json!({"name": "Ann", "sandbox": true});
    let account = server.api("POST /accounts", Some(&body)).await.json();
    let account = account["id"].as_str().unwrap().to_owned();
    let body = json!({"amount": "100000", "provider_ref": "p"});
    let paid = server.api(&format!("POST /accounts/{account}/payments"), Some(&body)).await;
    assert_eq!(paid.status, 201, "{paid:?}");

    disk.set_pages_max(1).await.unwrap();
    let mut asked = 0;
    let refused = loop {
        let answer = buy(&server, &account, &format!("key-{asked}")).await;
        asked += 1;
        if answer.status != 201 {
            break answer;
        }
        assert!(asked < 200, "the disk never fills");
    };
    assert_eq!((refused.status, refused.code().as_str()), (503, "not_writable"), "{refused:?}");
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("disk"), "it says what is wrong: {message}");
    // The last one was made or was not, but not in half; the door and everything that reads go on.
    let (available, bought) = worth(&server, &account).await;
    assert_eq!(available, PAID - bought * PRICE);
    assert!(bought == asked || bought == asked - 1, "{bought} of {asked}");
    let token = dev_token("ann", "r");
    let door = server.ask(&format!("GET /rtc/validate?access_token={token}"), &[], None).await;
    assert_eq!(door.status, 200, "{door:?}");

    disk.set_pages_max(100_000).await.unwrap();
    let last = format!("key-{}", asked - 1);
    let made = buy(&server, &account, &last).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(buy(&server, &account, &last).await.text, made.text);
    assert_eq!(worth(&server, &account).await, (PAID - asked * PRICE, asked));
    let report = disk.verify().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    server.stop().await;
}

#[tokio::test]
async fn a16_what_is_wrong_with_a_change_of_an_account_is_named_and_nothing_is_changed() {
    let server = InProcess::start(&[]).await;
    let account = server.api("POST /accounts", Some(&json!({"name": "Ann"}))).await.json();
    let path = format!("/accounts/{}", account["id"].as_str().unwrap());
    let (read, change) = (format!("GET {path}"), format!("PATCH {path}"));
    let before = server.api(&read, None).await.json();
    for (body, words) in [
        (json!({"time_zone": "Mars/Olympus"}), "Mars/Olympus"),
        (json!({"time_zone": ""}), "time_zone"),
        (json!({"time_zone": "x".repeat(10_000)}), "time_zone"),
        (json!({"credit_limit": "-0.01"}), "credit_limit"),
        (json!({"credit_limit": "0.0000001"}), "credit_limit"),
        (json!({"credit_limit": "9223372036854775807"}), "credit_limit"),
        (json!({"credit_limit": 5}), "string"),
        (json!({"currency": "EUR"}), "currency"),
        (json!({"credit_limit": "1", "time_zone": "Nowhere"}), "Nowhere"),
        (json!({"reclaim_exempt": Value::Null, "balance": "1"}), "balance"),
    ] {
        let answer = server.api(&change, Some(&body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{body}: {answer:?}");
        assert!(answer.text.contains(words), "{body}: {answer:?}");
        assert_eq!(server.api(&read, None).await.json(), before, "{body}");
    }
    server.stop().await;
}

//! Notices from the books to a real receiver: signed, retried, with an id that stays.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use fermata_billing::command::{Actor, ActorRole, Command};
use fermata_billing::money::Money;
use fermata_billing::notice::{Contact, Webhook};
use fermata_server::dev;
use fermata_server::metrics::Metric;
use fermata_server::outbox::webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature};
use fermata_store::BillingCall;
use fermata_types::{AccountId, Now};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

use super::common::InProcess;

const SECRET: &str = "a secret of the receiver";

/// What a receiver got.
type Got = (HeaderMap, Bytes);

struct Receiver {
    url: String,
    got: mpsc::UnboundedReceiver<Got>,
}

struct Script {
    answers: Mutex<VecDeque<u16>>,
    sender: mpsc::UnboundedSender<Got>,
}

/// Answers in this order, and 200 after that.
async fn receiver(answers: &[u16]) -> Receiver {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, got) = mpsc::unbounded_channel();
    let script = Script { answers: Mutex::new(answers.iter().copied().collect()), sender };
    let router = Router::new().route("/hook", post(take)).with_state(std::sync::Arc::new(script));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Receiver { url, got }
}

async fn take(
    State(script): State<std::sync::Arc<Script>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let answer = script.answers.lock().await.pop_front().unwrap_or(200);
    let _ = script.sender.send((headers, body));
    StatusCode::from_u16(answer).unwrap()
}

impl Receiver {
    async fn next(&mut self) -> Got {
        tokio::time::timeout(Duration::from_secs(10), self.got.recv()).await.unwrap().unwrap()
    }
}

async fn bill(server: &InProcess, command: Command) {
    let call = BillingCall {
        account: AccountId::from_text(dev::ACCOUNT),
        command,
        actor: Actor { role: ActorRole::Operator, name: "ann".to_owned() },
        wall: Now::read().wall,
        once: None,
    };
    server.shared.store.bill(call).await.unwrap();
}

/// Makes `url` the webhook of the owner, and the account fall into arrears, of which the owner is told (T5).
async fn fall_into_arrears(server: &InProcess, url: &str, email: Option<&str>) {
    let webhook = Some(Webhook { url: url.to_owned(), secret: SECRET.to_owned() });
    let email = email.map(str::to_owned);
    let contact = Contact { name: "owner".to_owned(), email, webhook };
    bill(server, Command::PutContact(contact)).await;
    let amount = Money::from_micros(-1_000_000);
    bill(server, Command::Adjust { amount, reason: "test".to_owned() }).await;
}

async fn wait_for(server: &InProcess, metric: Metric, at_least: u64) {
    let waiting = async {
        while server.shared.metrics.get(metric) < at_least {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
}

#[tokio::test]
async fn a_notice_is_signed_and_tried_again_under_the_same_id() {
    let server = InProcess::start(&[]).await;
    let mut receiver = receiver(&[500, 503]).await;
    fall_into_arrears(&server, &receiver.url, None).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (headers, body) = receiver.next().await;
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let timestamp: i64 = header(TIMESTAMP_HEADER).parse().unwrap();
        assert_eq!(header(SIGNATURE_HEADER), signature(SECRET, timestamp, &body));
        let json: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["id"], header(ID_HEADER));
        assert_eq!(json["kind"], "arrears_reminder");
        assert_eq!(json["account"], dev::ACCOUNT);
        assert!(!String::from_utf8_lossy(&body).contains(SECRET));
        ids.push((header(ID_HEADER), body));
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    wait_for(&server, Metric::NoticesDelivered, 1).await;
    assert_eq!(server.shared.metrics.get(Metric::NoticeAttemptsFailed), 2);
    assert_eq!(server.shared.store.outbox_len().await.unwrap().waiting, 0);
    assert!(receiver.got.try_recv().is_err(), "it was told once more");
    server.stop().await;
}

#[tokio::test]
async fn a_channel_that_took_it_is_not_bothered_again_and_missing_mail_is_said() {
    let server = InProcess::start(&[]).await;
    let mut receiver = receiver(&[]).await;
    fall_into_arrears(&server, &receiver.url, Some("ann@example.org")).await;
    receiver.next().await;
    wait_for(&server, Metric::NoticesGivenUp, 1).await;
    assert!(receiver.got.try_recv().is_err());
    server.stop().await;
}

#[tokio::test]
async fn outside_of_development_mode_this_machine_is_not_reached() {
    // `InProcess` prepares development's account in any mode.
    let flags = [("dev", "false"), ("data_dir", "/nonexistent"), ("udp_address", "127.0.0.1")];
    let server = InProcess::start(&flags).await;
    let mut receiver = receiver(&[]).await;
    let url = receiver.url.replace("127.0.0.1", "localhost");
    fall_into_arrears(&server, &url, None).await;
    wait_for(&server, Metric::WebhooksRefused, 2).await;
    assert!(receiver.got.try_recv().is_err());
    assert_eq!(server.shared.metrics.get(Metric::NoticesDelivered), 0);
    server.stop().await;
}

//! Standings at the doors: through the store, a real node and the tasks of a running server.

use std::time::Duration;

use fermata_billing::command::{Actor, ActorRole, Command, OpenAccount, Refusal};
use fermata_billing::effect::OperationClass;
use fermata_billing::hold::{HoldCause, HoldKind, Scope};
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_node::signal_channel;
use fermata_server::dev;
use fermata_server::metrics::Metric;
use fermata_sfu::io::Join;
use fermata_store::{Account, ApiKey, App, AppWithKeys, Billed, BillingCall, ClockTarget};
use fermata_types::{AccountId, Now, Reason, Scene, SdkAppId};
use jiff::SignedDuration;

use super::common::{InProcess, join};

const APP: SdkAppId = SdkAppId(1_400_000_077);

fn account() -> AccountId {
    AccountId::from_text("AC_sandbox")
}

fn operator(name: &str) -> Actor {
    Actor { role: ActorRole::Operator, name: name.to_owned() }
}

/// A sandbox account with one application and daily postpaid; known to the directory, not yet enforced.
async fn sandbox(server: &InProcess) {
    let wall = Now::read().wall;
    let record = Account { id: account(), name: "Sandbox".to_owned(), created_at: wall };
    let terms = OpenAccount {
        account: account(),
        currency: Currency::USD,
        zone: "UTC".to_owned(),
        billing: BillingMode::Daily,
        sandbox: true,
        partner: None,
        credit_limit: Money::ZERO,
    };
    let store = &server.shared.store;
    store.open_account(record, terms, wall, Actor::system(), None).await.unwrap();
    let app = App {
        sdk_app_id: APP,
        account: account(),
        name: "Sandbox".to_owned(),
        default_scene: Scene::Live,
        disconnect_timeout_s: 90,
        private_map_required: false,
        created_at: wall,
        epoch: 1,
    };
    let key = ApiKey { key: "sandboxkey".to_owned(), secret: "s".repeat(32), created_at: wall };
    let with_keys = AppWithKeys { app, usersig_key: "u".repeat(64), api_keys: vec![key] };
    store.create_app(with_keys, wall, Actor::system(), None).await.unwrap();
    server.shared.apply(APP).await.unwrap();
}

async fn bill(server: &InProcess, command: Command, actor: Actor) -> Billed {
    let wall = Now::read().wall;
    let call = BillingCall { account: account(), command, actor, wall, once: None };
    server.shared.store.bill(call).await.unwrap()
}

fn dollars(amount: i64) -> Money {
    Money::from_micros(amount * 1_000_000)
}

async fn advance(server: &InProcess, hours: i64) {
    let target = ClockTarget::By(SignedDuration::from_hours(hours));
    let store = &server.shared.store;
    store.advance_clock(account(), target, Now::read().wall, operator("ann"), None).await.unwrap();
}

/// Asks the real node, without entering.
async fn reasons(server: &InProcess) -> Vec<Reason> {
    let (sink, _receiver) = signal_channel();
    let join = Join { app: APP, probe: true, ..join(&server.shared.node, "newcomer", "room") };
    match server.shared.node.join(join, sink).await {
        Ok(_) => Vec::new(),
        Err(refusal) => refusal.reasons().to_vec(),
    }
}

/// Waits until the node answers so, by its own means; the tasks have to bring it there.
async fn wait_for(server: &InProcess, expected: &[Reason]) {
    let waiting = async {
        while reasons(server).await != expected {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(in_time.is_ok(), "the node answers {:?}", reasons(server).await);
}

#[tokio::test]
async fn t8_and_t7_reach_the_node_by_themselves_and_by_enforce() {
    let server = InProcess::start(&[]).await;
    sandbox(&server).await;
    assert_eq!(reasons(&server).await, []);
    let adjust = Command::Adjust { amount: dollars(-5), reason: "test".to_owned() };
    bill(&server, adjust, operator("ann")).await;
    server.shared.enforce(&account()).await.unwrap();
    assert_eq!(reasons(&server).await, [], "nothing is blocked within the grace (A1)");

    // Nobody calls `enforce`: the task has to hear of it.
    advance(&server, 25).await;
    wait_for(&server, &[Reason::Arrears]).await;
    let refused = server.shared.allows(&account(), Some(APP), OperationClass::Api).unwrap_err();
    let Refusal::Suspended { class: OperationClass::Api, holds, cleared: false } = refused else {
        panic!("{refused}")
    };
    assert_eq!(holds.iter().map(|hold| hold.kind).collect::<Vec<_>>(), [HoldKind::Arrears]);
    for class in [OperationClass::Dismiss, OperationClass::Billing, OperationClass::Resume] {
        assert_eq!(server.shared.allows(&account(), Some(APP), class), Ok(()));
    }

    bill(&server, Command::DisableApp { app: APP }, operator("ann")).await;
    server.shared.enforce(&account()).await.unwrap();
    assert_eq!(reasons(&server).await, [Reason::Arrears, Reason::AppDisabled], "A9, I14");
    texts_name_every_reason_and_remedy(&server).await;
    let pay = Command::Pay { amount: dollars(5), provider_ref: "p1".to_owned() };
    assert!(bill(&server, pay, operator("ann")).await.epoch_changed);
    server.shared.enforce(&account()).await.unwrap();
    assert_eq!(reasons(&server).await, [Reason::AppDisabled], "I5");
    bill(&server, Command::EnableApp { app: APP }, operator("ann")).await;
    server.shared.enforce(&account()).await.unwrap();
    assert_eq!(reasons(&server).await, []);
    assert_eq!(server.shared.allows(&account(), Some(APP), OperationClass::Api), Ok(()));
    server.stop().await;
}

/// Nobody enforces and nobody waits: each question comes right behind the commit.
#[tokio::test]
async fn a20_a_join_asked_for_after_the_commit_is_judged_by_it() {
    let server = InProcess::start(&[]).await;
    sandbox(&server).await;
    let claims = super::common::claims("newcomer", "room");
    let token = fermata_auth::sign(&claims, "sandboxkey", &"s".repeat(32));
    let door = format!("GET /rtc/v1/validate?access_token={token}");
    for round in 0..25 {
        bill(&server, Command::DisableApp { app: APP }, operator("ann")).await;
        assert_eq!(server.ask(&door, &[], None).await.status, 403, "round {round}");
        bill(&server, Command::EnableApp { app: APP }, operator("ann")).await;
        assert_eq!(server.ask(&door, &[], None).await.status, 200, "round {round}");
    }
    server.stop().await;
}

#[tokio::test]
async fn i12_a_violation_dismisses_those_inside_and_arrears_do_not() {
    let server = InProcess::start(&[]).await;
    sandbox(&server).await;
    let (sink, mut receiver) = signal_channel();
    let inside = Join { app: APP, ..join(&server.shared.node, "ann", "room") };
    server.shared.node.join(inside, sink).await.unwrap();
    let adjust = Command::Adjust { amount: dollars(-5), reason: "test".to_owned() };
    bill(&server, adjust, operator("ann")).await;
    advance(&server, 25).await;
    server.shared.enforce(&account()).await.unwrap();
    assert_eq!(rooms(&server).await, 1, "S12");

    let raise = Command::RaiseHold {
        kind: HoldKind::Violation,
        scope: Scope::Account,
        cause: Some(HoldCause::Content),
        reason: "spam".to_owned(),
        evidence: "case 7".to_owned(),
    };
    bill(&server, raise, operator("ann")).await;
    server.shared.enforce(&account()).await.unwrap();
    assert_eq!(reasons(&server).await, [Reason::Arrears], "a proposal has no effect (T14)");
    let proposed = server.shared.store.standing(account(), Now::read().wall).await.unwrap();
    let hold = proposed.holds.iter().find(|hold| hold.proposed).unwrap().id.clone();
    bill(&server, Command::ApproveHold { hold }, operator("bob")).await;
    server.shared.enforce(&account()).await.unwrap();
    assert_eq!(rooms(&server).await, 0);
    assert_eq!(reasons(&server).await, [Reason::Arrears, Reason::Violation]);
    while receiver.recv().await.is_some() {}
    server.stop().await;
}

/// What a client is shown, as text and as JSON.
async fn texts_name_every_reason_and_remedy(server: &InProcess) {
    let claims = super::common::claims("newcomer", "room");
    let token = fermata_auth::sign(&claims, "sandboxkey", &"s".repeat(32));
    for path in ["/rtc/validate", "/rtc/v1/validate"] {
        let request = format!("GET {path}?access_token={token}");
        let text = server.ask(&request, &[], None).await;
        assert_eq!(text.status, 403, "{path}: {}", text.text);
        for words in ["suspended_arrears: ", "recharges", "app_disabled: ", "enable it again"] {
            assert!(text.text.contains(words), "{path}: {}", text.text);
        }
        let json = server.ask(&request, &[("accept", "application/json")], None).await.json();
        let codes: Vec<_> =
            json["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
        assert_eq!(codes, ["suspended_arrears", "app_disabled"]);
        assert_eq!(json["code"], "suspended_arrears");
        assert!(json["reasons"][1]["message"].as_str().unwrap().contains("enable it again"));
    }
}

async fn rooms(server: &InProcess) -> u64 {
    server.shared.node.stats().await.unwrap().sfu.rooms
}

#[tokio::test]
async fn allows_answers_for_accounts_it_knows_and_in_no_time() {
    let server = InProcess::start(&[]).await;
    let unknown = AccountId::from_text("AC_nobody");
    let answer = server.shared.allows(&unknown, None, OperationClass::Billing);
    assert_eq!(answer, Err(Refusal::NotOpen));
    let dev = AccountId::from_text(dev::ACCOUNT);
    let began = Now::read().instant;
    for _ in 0..10_000 {
        let app = Some(dev::SDK_APP_ID);
        assert_eq!(server.shared.allows(&dev, app, OperationClass::Join), Ok(()));
    }
    // 100 us each is the aim; a map read takes far less, also on a busy machine.
    assert!(Now::read().instant - began < Duration::from_secs(1));
    server.stop().await;
}

#[tokio::test]
async fn the_scheduler_fires_what_is_due_by_itself() {
    let server = InProcess::start(&[]).await;
    let wall = Now::read().wall;
    let expires_at = wall + SignedDuration::from_millis(500);
    let command =
        Command::GrantVoucher { amount: dollars(1), expires_at, reason: "test".to_owned() };
    let account = AccountId::from_text(dev::ACCOUNT);
    let call = BillingCall { account, command, actor: operator("ann"), wall, once: None };
    server.shared.store.bill(call).await.unwrap();
    let waiting = async {
        while server.shared.metrics.get(Metric::TimersFired) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
    assert!(Now::read().wall >= expires_at);
    assert_eq!(server.shared.metrics.get(Metric::SchedulerFailures), 0);
    server.stop().await;
}

#[tokio::test]
async fn t21_clearing_takes_the_keys_out_of_the_directory() {
    let server = InProcess::start(&[]).await;
    sandbox(&server).await;
    assert!(server.shared.directory.app_of_key("sandboxkey").is_some());
    let adjust = Command::Adjust { amount: dollars(-5), reason: "test".to_owned() };
    bill(&server, adjust, operator("ann")).await;
    advance(&server, 24 * 64).await;
    server.shared.enforce(&account()).await.unwrap();
    assert!(server.shared.directory.app_of_key("sandboxkey").is_none());
    assert_eq!(reasons(&server).await.first(), Some(&Reason::Cleared));
    server.stop().await;
}

#[tokio::test]
async fn repeated_enforcement_tells_the_node_nothing_new() {
    let server = InProcess::start(&[]).await;
    sandbox(&server).await;
    let told = server.shared.metrics.get(Metric::VerdictsTold);
    for _ in 0..3 {
        server.shared.enforce(&account()).await.unwrap();
    }
    assert_eq!(server.shared.metrics.get(Metric::VerdictsTold), told);
    server.stop().await;
}

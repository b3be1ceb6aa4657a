//! The SQLite store and the in-memory model, fed the same: random command logs must give the same
//! answers and the same contents, and usage must not depend on the order it arrives in.

use std::time::Duration;

use fermata_billing::command::Command as Billing;
use fermata_billing::hold::{HoldKind, Scope};
use fermata_billing::id::PartnerId;
use fermata_billing::money::Money;
use fermata_billing::notice::Contact;
use fermata_billing::policy::Policy;
use fermata_billing::state::BillingMode;
use fermata_store::{
    AppCallbacks, AppChange, BillingCall, ClockTarget, ConsoleTotp, ConsoleUserChange, MemoryStore,
    Once, Partner, SqliteStore, Store,
};
use fermata_types::{
    AccountId, ConsoleUserId, RoomSid, Scene, SdkAppId, Sku, StayEnd, TokenId, UsageBatch,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::common::{
    account, api_key, app, at, batch, callback, closed, console_session, console_user, digest,
    node, open, opened, operator, populate, secret, sid, terms, token, wall, webhook, window,
};

#[derive(Debug, Clone)]
enum Command {
    CreateAccount { id: u8, name: u8 },
    CreateApp { id: u32, account: u8, key: u8, secret: u8 },
    ChangeApp { id: u32, change: AppChange },
    AddKey { id: u32, key: u8, secret: u8 },
    RemoveKey { id: u32, key: u8 },
    SetUserSigKey { id: u32, key: u8 },
    CreateToken { id: u8, hash: u8 },
    RevokeToken { id: u8, second: i64 },
    CreateSecret { id: u8, account: u8, app: Option<u32> },
    RevokeSecret { id: u8, account: u8, second: i64 },
    SetCallbacks { id: u32, callback: bool, key: Option<u8> },
    CreateConsoleUser { id: u8, name: u8 },
    ChangeConsoleUser { id: u8, change: ConsoleUserChange },
    RemoveConsoleUser { id: u8 },
    CreateConsoleSession { hash: u8, user: u8, second: i64 },
    EndConsoleSession { hash: u8 },
    SetSetting { value: u8 },
    Intake(UsageBatch),
    CloseLost { node: u8 },
    ListStays { app: u32, from: i64, to: i64, after: Option<(i64, u8)>, limit: u32 },
    Bill { account: u8, command: Billing, once: Option<u8> },
    FireDue { limit: u32 },
    Advance { account: u8, hours: i64 },
    PutAgreement { grace_hours: u32 },
    Claim,
}

/// Commands for the books that random accounts may be asked for.
fn billing() -> impl Strategy<Value = Billing> {
    let money = |units: i64| Money::from_micros(units * 1_000_000);
    let app = || (0..4_u32).prop_map(SdkAppId);
    let modes = [BillingMode::Daily, BillingMode::Monthly, BillingMode::Off];
    prop_oneof![
        (1..60_i64, 0..5_u8).prop_map(move |(units, n)| {
            Billing::Pay { amount: money(units), provider_ref: format!("ref{n}") }
        }),
        (0..5_u8).prop_map(|n| Billing::ReversePayment {
            provider_ref: format!("ref{n}"),
            reason: "taken back".to_owned()
        }),
        (-30..30_i64).prop_map(move |units| Billing::Adjust {
            amount: money(units),
            reason: "corrected".to_owned()
        }),
        (select(&["minutes_25k", "monthly_starter"][..]), prop::option::of(app()))
            .prop_map(|(code, app)| Billing::BuyPackage { type_code: code.to_owned(), app }),
        select(modes.to_vec()).prop_map(|billing| Billing::SetBilling { billing }),
        app().prop_map(|app| Billing::DisableApp { app }),
        app().prop_map(|app| Billing::EnableApp { app }),
        (1..400_i64).prop_map(move |hours| Billing::GrantVoucher {
            amount: money(7),
            expires_at: at(hours * 3_600),
            reason: "goodwill".to_owned()
        }),
        Just(Billing::RaiseHold {
            kind: HoldKind::Admin,
            scope: Scope::Account,
            cause: None,
            reason: "review".to_owned(),
            evidence: String::new()
        }),
        Just(Billing::PutContact(Contact {
            name: "owner".to_owned(),
            email: Some("owner@example.com".to_owned()),
            webhook: None
        })),
        Just(Billing::OpenTicket),
    ]
}

impl Command {
    /// Carries it out; the answer as text, errors included.
    async fn run(&self, store: &dyn Store, wall: Timestamp) -> String {
        let key = |key: &u8, secret: &u8| {
            let mut made = api_key(&format!("k{key}"));
            made.secret = format!("secret {secret}");
            made
        };
        match self {
            Self::CreateAccount { id, name } => {
                let mut new = account(&format!("AC_{id}"));
                new.name = "n".repeat(usize::from(*name));
                let mut own = terms(&new.id);
                // The last one has a clock of its own, the first a partner.
                own.sandbox = *id == 2;
                own.partner = (*id == 0).then(partner);
                format!("{:?}", store.open_account(new, own, wall, operator(), None).await)
            }
            Self::CreateApp { id, account, key: name, secret } => {
                let mut new = app(*id, &format!("AC_{account}"));
                new.api_keys = vec![key(name, secret)];
                format!("{:?}", store.create_app(new, wall, operator(), None).await)
            }
            Self::ChangeApp { id, change } => {
                format!("{:?}", store.change_app(SdkAppId(*id), change.clone()).await)
            }
            Self::AddKey { id, key: name, secret } => {
                format!("{:?}", store.add_api_key(SdkAppId(*id), key(name, secret)).await)
            }
            Self::RemoveKey { id, key } => {
                format!("{:?}", store.remove_api_key(SdkAppId(*id), format!("k{key}")).await)
            }
            Self::SetUserSigKey { id, key } => {
                format!("{:?}", store.set_usersig_key(SdkAppId(*id), format!("u{key}")).await)
            }
            Self::CreateToken { id, hash } => {
                format!("{:?}", store.create_api_token(token(&format!("TK_{id}"), *hash)).await)
            }
            Self::RevokeToken { id, second } => {
                let id = TokenId::from_text(&format!("TK_{id}"));
                format!("{:?}", store.revoke_api_token(id, at(*second)).await)
            }
            Self::CreateSecret { id, account, app } => {
                let mut new = secret(&format!("AKID{id}"), &format!("AC_{account}"));
                new.apps = app.iter().copied().map(SdkAppId).collect();
                format!("{:?}", store.create_secret(new).await)
            }
            Self::RevokeSecret { id, account, second } => {
                let (id, account) = (format!("AKID{id}"), format!("AC_{account}"));
                let account = AccountId::from_text(&account);
                format!("{:?}", store.revoke_secret(account, id, at(*second)).await)
            }
            Self::SetCallbacks { id, callback: own, key } => {
                let key = key.map(|key| format!("k{key}"));
                let all = AppCallbacks {
                    callback: own.then(|| callback("https://example.com")),
                    webhooks: vec![webhook("https://example.com", key.as_deref())],
                };
                format!("{:?}", store.set_callbacks(SdkAppId(*id), all).await)
            }
            Self::CreateConsoleUser { id, name } => {
                let name = ["ann", "Ann", "bea", "", " ann"].get(usize::from(*name));
                let mut new = console_user(&format!("CU_{id}"), name.unwrap_or(&"cle"));
                new.role = token("TK_1", *id).role;
                format!("{:?}", store.create_console_user(new).await)
            }
            Self::ChangeConsoleUser { id, change } => {
                let id = ConsoleUserId::from_text(&format!("CU_{id}"));
                format!("{:?}", store.change_console_user(id, change.clone()).await)
            }
            Self::RemoveConsoleUser { id } => {
                let id = ConsoleUserId::from_text(&format!("CU_{id}"));
                format!("{:?}", store.remove_console_user(id).await)
            }
            Self::CreateConsoleSession { hash, user, second } => {
                let new = console_session(*hash, &format!("CU_{user}"), *second);
                format!("{:?}", store.create_console_session(new).await)
            }
            Self::EndConsoleSession { hash } => {
                format!("{:?}", store.end_console_session([*hash; 32]).await)
            }
            Self::SetSetting { value } => {
                format!("{:?}", store.set_setting_once("node", value.to_string()).await)
            }
            Self::Intake(report) => format!("{:?}", store.intake(report.clone(), wall).await),
            Self::CloseLost { node: id } => {
                format!("{:?}", store.close_lost_stays(node(&format!("ND_{id}"))).await)
            }
            Self::ListStays { app, from, to, after, limit } => {
                let after = after.map(|(second, stay)| (at(second), sid(&format!("PA_{stay}"))));
                let id = SdkAppId(*app);
                let page = store.list_stays(id, None, at(*from), at(*to), after, *limit).await;
                format!("{page:?}")
            }
            Self::Bill { account, command, once } => {
                let once = once.map(|key| Once {
                    scope: "TK_1".to_owned(),
                    key: key.to_string(),
                    request_hash: [*account; 32],
                });
                let account = AccountId::from_text(&format!("AC_{account}"));
                let (command, actor) = (command.clone(), operator());
                format!(
                    "{:?}",
                    store.bill(BillingCall { account, command, actor, wall, once }).await
                )
            }
            Self::FireDue { limit } => format!("{:?}", store.fire_due(wall, *limit).await),
            Self::Advance { account, hours } => {
                let account = AccountId::from_text(&format!("AC_{account}"));
                let by = ClockTarget::By(SignedDuration::from_hours(*hours));
                format!("{:?}", store.advance_clock(account, by, wall, operator(), None).await)
            }
            Self::PutAgreement { grace_hours } => {
                let terms = Policy { grace_hours: *grace_hours, ..Policy::default() };
                let put = store.put_agreement(partner(), terms, None, wall, operator()).await;
                format!("{put:?}")
            }
            Self::Claim => {
                let lease = Duration::from_hours(1);
                format!("{:?}", store.outbox_claim(wall, 3, lease).await)
            }
        }
    }
}

fn partner() -> PartnerId {
    PartnerId("acme".to_owned())
}

async fn put_partner(store: &dyn Store) {
    let new = Partner { id: partner(), name: "Acme".to_owned(), created_at: at(0) };
    store.put_partner(new).await.expect("partner");
}

const ENDS: &[StayEnd] = &[StayEnd::Left, StayEnd::TimedOut, StayEnd::Lost, StayEnd::Removed];

/// One fact about a stay; openings of one stay agree unless `contradict`.
fn fact(contradict: bool) -> impl Strategy<Value = UsageBatch> {
    let open = (0..6_u32, 0..10_u32).prop_map(move |(stay, other)| {
        let mut report = batch("ND_0");
        let mut fact = opened(&format!("PA_{stay}"), 1 + stay % 3, "hall", i64::from(stay));
        if contradict && other == 0 {
            fact.room_sid = RoomSid::from_text("RM_other");
        }
        report.opened = vec![fact];
        report
    });
    // Minutes 0 and 1 lie before midnight in Berlin, 2 and 3 behind it.
    let seconds = prop_oneof![20 => 1..=40_u32, 1 => select(&[0, 60, 61][..])];
    let count =
        (0..6_u32, select(Sku::ALL), 0..4_i64, seconds).prop_map(|(stay, sku, minute, seconds)| {
            let mut report = batch("ND_0");
            report.windows = vec![window(&format!("PA_{stay}"), sku, minute, seconds)];
            report
        });
    let close = (0..6_u32, 0..300_i64, select(ENDS)).prop_map(|(stay, second, end)| {
        let mut report = batch("ND_0");
        report.closed = vec![closed(&format!("PA_{stay}"), second, end)];
        report
    });
    let mark = (0..300_i64).prop_map(|s| UsageBatch { watermark: at(s), ..batch("ND_0") });
    prop_oneof![3 => open, 8 => count, 2 => close, 1 => mark]
}

fn join(facts: Vec<UsageBatch>) -> UsageBatch {
    facts.into_iter().fold(batch("ND_0"), |mut all, fact| {
        all.opened.extend(fact.opened);
        all.windows.extend(fact.windows);
        all.closed.extend(fact.closed);
        all.watermark = all.watermark.max(fact.watermark);
        all
    })
}

fn reports() -> impl Strategy<Value = UsageBatch> {
    let facts = prop::collection::vec(fact(true), 0..12);
    (facts, 0..3_u8)
        .prop_map(|(facts, by)| UsageBatch { node: node(&format!("ND_{by}")), ..join(facts) })
}

fn change() -> impl Strategy<Value = AppChange> {
    let scene = select(&[Scene::Call, Scene::Live][..]);
    let texts = prop::option::of(select(&["", "a", "b"][..]));
    let flag = prop::option::of(any::<bool>());
    let timeout = prop::option::of(select(&[4, 5, 90, 300, 301][..]));
    (texts, flag, prop::option::of(scene), timeout).prop_map(
        |(name, private_map_required, default_scene, disconnect_timeout_s)| AppChange {
            name: name.map(str::to_owned),
            default_scene,
            disconnect_timeout_s,
            private_map_required,
        },
    )
}

fn console_change() -> impl Strategy<Value = ConsoleUserChange> {
    let totp = prop::option::of(0..4_u64).prop_map(|last_step| {
        let secret = if last_step == Some(3) { Vec::new() } else { vec![1, 2] };
        ConsoleTotp { secret, last_step }
    });
    (
        prop::option::of((select(&["", "h1", "h2"][..]), 0..9_i64)),
        prop::option::of(any::<bool>()),
        prop::option::of(prop::option::of(0..9_i64)),
        prop::option::of(prop::option::of(totp)),
        prop::option::of(0..8_u8),
    )
        .prop_map(|(password, read_only, disabled, totp, keep)| ConsoleUserChange {
            password: password.map(|(hash, second)| (hash.to_owned(), at(second))),
            read_only,
            disabled: disabled.map(|second| second.map(at)),
            totp,
            keep_session: keep.map(|hash| [hash; 32]),
        })
}

/// Commands about who signs in to the console.
fn console() -> impl Strategy<Value = Command> {
    let id = || 0..3_u8;
    prop_oneof![
        2 => (id(), 0..6_u8).prop_map(|(id, name)| Command::CreateConsoleUser { id, name }),
        1 => (id(), console_change()).prop_map(|(id, change)| {
            Command::ChangeConsoleUser { id, change }
        }),
        1 => id().prop_map(|id| Command::RemoveConsoleUser { id }),
        4 => (0..8_u8, id(), 0..300_i64).prop_map(|(hash, user, second)| {
            Command::CreateConsoleSession { hash, user, second }
        }),
        1 => (0..8_u8).prop_map(|hash| Command::EndConsoleSession { hash }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let id = || 0..4_u32;
    let small = || 0..3_u8;
    let after = prop::option::of((0..6_i64, 0..6_u8));
    prop_oneof![
        1 => (small(), 0..3_u8).prop_map(|(id, name)| Command::CreateAccount { id, name }),
        1 => (id(), small(), 0..5_u8, 0..2_u8).prop_map(|(id, account, key, secret)| {
            Command::CreateApp { id, account, key, secret }
        }),
        1 => (id(), change()).prop_map(|(id, change)| Command::ChangeApp { id, change }),
        1 => (id(), 0..5_u8, 0..2_u8).prop_map(|(id, key, secret)| Command::AddKey { id, key, secret }),
        1 => (id(), 0..5_u8).prop_map(|(id, key)| Command::RemoveKey { id, key }),
        1 => (id(), small()).prop_map(|(id, key)| Command::SetUserSigKey { id, key }),
        1 => (small(), 0..4_u8).prop_map(|(id, hash)| Command::CreateToken { id, hash }),
        1 => (small(), 0..9_i64).prop_map(|(id, second)| Command::RevokeToken { id, second }),
        1 => (small(), small(), prop::option::of(id())).prop_map(|(id, account, app)| {
            Command::CreateSecret { id, account, app }
        }),
        1 => (small(), small(), 0..9_i64).prop_map(|(id, account, second)| {
            Command::RevokeSecret { id, account, second }
        }),
        1 => (id(), any::<bool>(), prop::option::of(0..5_u8)).prop_map(|(id, callback, key)| {
            Command::SetCallbacks { id, callback, key }
        }),
        6 => console(),
        1 => small().prop_map(|value| Command::SetSetting { value }),
        6 => reports().prop_map(Command::Intake),
        1 => small().prop_map(|node| Command::CloseLost { node }),
        8 => (small(), billing(), prop::option::of(0..3_u8)).prop_map(|(account, command, once)| {
            Command::Bill { account, command, once }
        }),
        3 => (1..40_u32).prop_map(|limit| Command::FireDue { limit }),
        2 => (small(), -2..2_000_i64).prop_map(|(account, hours)| Command::Advance { account, hours }),
        1 => (13..90_u32).prop_map(|grace_hours| Command::PutAgreement { grace_hours }),
        1 => Just(Command::Claim),
        1 => (id(), 0..6_i64, 0..6_i64, after, 0..4_u32).prop_map(|(app, from, to, after, limit)| {
            Command::ListStays { app, from, to, after, limit }
        }),
    ]
}

struct Bench {
    runtime: Runtime,
    sqlite: SqliteStore,
    /// Last, so that the folder goes after the store.
    _dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().build().expect("runtime");
        let dir = tempfile::tempdir().expect("folder");
        Self { runtime, sqlite: open(&dir), _dir: dir }
    }

    /// Sums that were kept equal sums that are recomputed.
    fn finish(self) {
        self.runtime.block_on(async {
            let report = self.sqlite.check().await.expect("checked");
            let sums: Vec<_> =
                report.problems.iter().filter(|text| text.contains("total")).collect();
            assert!(sums.is_empty(), "{sums:?}");
            self.sqlite.close().await.expect("closes");
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same log on both gives the same answers, and the same contents at the end: rows, books, journals
    /// and what waits to be delivered (P21). Hours pass between the commands.
    #[test]
    fn p21_backends_agree(log in prop::collection::vec(command(), 1..40), ready in any::<bool>()) {
        let bench = Bench::new();
        let model = MemoryStore::new();
        bench.runtime.block_on(async {
            put_partner(&model).await;
            put_partner(&bench.sqlite).await;
            if ready {
                populate(&model).await;
                populate(&bench.sqlite).await;
            }
            for (command, n) in log.iter().zip(1..) {
                let wall = at(n * 5 * 3_600);
                let expected = command.run(&model, wall).await;
                assert_eq!(expected, command.run(&bench.sqlite, wall).await, "{command:?}");
            }
            assert_eq!(digest(&model).await, digest(&bench.sqlite).await);
            let (far, lease) = (at(100_000_000), Duration::from_secs(1));
            let claimed = model.outbox_claim(far, 1_000, lease).await.expect("claimed");
            assert_eq!(claimed, bench.sqlite.outbox_claim(far, 1_000, lease).await.expect("claimed"));
            let proof = bench.sqlite.verify().await.expect("verified");
            assert_eq!(proof.problems, Vec::<String>::new());
        });
        bench.finish();
    }

    /// Facts taken in one by one, or shuffled, repeated and split anyhow: the store is the same.
    #[test]
    fn order_and_repetition_of_usage_change_nothing(
        facts in prop::collection::vec(fact(false), 1..40),
        order in prop::collection::vec(any::<Index>(), 0..40),
        sizes in prop::collection::vec(1..9_usize, 1..9),
    ) {
        let bench = Bench::new();
        let model = MemoryStore::new();
        bench.runtime.block_on(async {
            populate(&model).await;
            populate(&bench.sqlite).await;
            for fact in &facts {
                model.intake(fact.clone(), wall()).await.expect("taken");
            }
            // Some facts at random, then all of them backwards: every fact at least once.
            let mut shuffled: Vec<_> = order.iter().map(|at| at.get(&facts).clone()).collect();
            shuffled.extend(facts.iter().rev().cloned());
            let mut sizes = sizes.iter().cycle();
            while !shuffled.is_empty() {
                let size = sizes.next().copied().unwrap_or(1).min(shuffled.len());
                let part = join(shuffled.drain(..size).collect());
                bench.sqlite.intake(part, wall()).await.expect("taken");
            }
            assert_eq!(digest(&model).await, digest(&bench.sqlite).await);
        });
        bench.finish();
    }
}

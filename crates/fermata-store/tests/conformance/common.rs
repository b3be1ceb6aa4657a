//! Samples, and a digest of everything that can be read from a store.

use std::fmt::Write as _;
use std::time::Duration;

use fermata_billing::command::{Actor, ActorRole, OpenAccount};
use fermata_billing::id::PartnerId;
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_store::{
    Account, ApiKey, ApiSecret, ApiToken, App, AppWithKeys, Callback, ConsoleSession, ConsoleUser,
    SecretKey, SecretPolicy, SqliteOptions, SqliteStore, Store, StoreFuture, TokenRole, Webhook,
};
use fermata_types::{
    AccountId, ConsoleUserId, NodeId, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId,
    Sku, StayClosed, StayEnd, StayOpened, TokenId, UsageBatch, UsageWindow,
};
use jiff::{Timestamp, civil::Date};
use tempfile::TempDir;

/// Two minutes before midnight in Berlin, the night before its clocks go forward.
pub(crate) const START_S: i64 = 1_774_738_680;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START_S + seconds).expect("in range")
}

/// Start of window `minute`, counted from [`START_S`].
pub(crate) fn minute(minute: i64) -> Timestamp {
    at(minute * 60)
}

pub(crate) fn account(id: &str) -> Account {
    Account { id: AccountId::from_text(id), name: "Choir".to_owned(), created_at: at(0) }
}

/// Wall time of calls that do not care.
pub(crate) fn wall() -> Timestamp {
    at(600)
}

pub(crate) fn operator() -> Actor {
    Actor { role: ActorRole::Operator, name: "olga".to_owned() }
}

pub(crate) fn terms(account: &AccountId) -> OpenAccount {
    OpenAccount {
        account: account.clone(),
        currency: Currency::USD,
        zone: "Europe/Berlin".to_owned(),
        billing: BillingMode::Daily,
        sandbox: false,
        partner: None,
        credit_limit: Money::ZERO,
    }
}

/// Opens an account with the usual terms.
pub(crate) fn open_account(store: &dyn Store, account: Account) -> StoreFuture<'_, Account> {
    let terms = terms(&account.id);
    store.open_account(account, terms, wall(), operator(), None)
}

pub(crate) fn create_app(store: &dyn Store, app: AppWithKeys) -> StoreFuture<'_, App> {
    store.create_app(app, wall(), operator(), None)
}

pub(crate) fn api_key(name: &str) -> ApiKey {
    ApiKey { key: name.to_owned(), secret: format!("secret of {name}"), created_at: at(0) }
}

pub(crate) fn app(id: u32, account: &str) -> AppWithKeys {
    AppWithKeys {
        app: App {
            sdk_app_id: SdkAppId(id),
            account: AccountId::from_text(account),
            name: format!("App {id}"),
            default_scene: Scene::Call,
            disconnect_timeout_s: 90,
            private_map_required: false,
            created_at: at(0),
            epoch: 1,
        },
        usersig_key: format!("usersig secret of {id}"),
        api_keys: vec![api_key(&format!("key{id}"))],
    }
}

pub(crate) fn token(id: &str, hash: u8) -> ApiToken {
    ApiToken {
        id: TokenId::from_text(id),
        name: "console".to_owned(),
        hash: [hash; 32],
        role: match hash % 3 {
            0 => TokenRole::Operator,
            1 => TokenRole::Customer { account: AccountId::from_text("AC_1") },
            _ => TokenRole::Partner { partner: PartnerId("acme".to_owned()) },
        },
        read_only: hash.is_multiple_of(2),
        created_at: at(0),
        revoked_at: None,
    }
}

pub(crate) fn console_user(id: &str, name: &str) -> ConsoleUser {
    ConsoleUser {
        id: ConsoleUserId::from_text(id),
        name: name.to_owned(),
        password_hash: format!("hash of {name}"),
        role: TokenRole::Operator,
        read_only: false,
        totp: None,
        created_at: at(0),
        password_changed_at: at(0),
        disabled_at: None,
    }
}

/// A session of a hundred seconds.
pub(crate) fn console_session(hash: u8, user: &str, second: i64) -> ConsoleSession {
    ConsoleSession {
        hash: [hash; 32],
        user: ConsoleUserId::from_text(user),
        created_at: at(second),
        expires_at: at(second + 100),
    }
}

pub(crate) fn secret(id: &str, account: &str) -> ApiSecret {
    ApiSecret {
        secret_id: id.to_owned(),
        account: AccountId::from_text(account),
        name: "console".to_owned(),
        policy: SecretPolicy::Full,
        apps: Vec::new(),
        secret_key: format!("secretkeyof{id}"),
        created_at: at(0),
        revoked_at: None,
    }
}

pub(crate) fn callback(url: &str) -> Callback {
    Callback { url: url.to_owned(), key: "callbackkey1".to_owned(), groups: vec![1, 2] }
}

pub(crate) fn webhook(url: &str, api_key: Option<&str>) -> Webhook {
    Webhook { url: url.to_owned(), api_key: api_key.map(str::to_owned) }
}

pub(crate) fn sid(stay: &str) -> ParticipantSid {
    ParticipantSid::from_text(stay)
}

pub(crate) fn node(id: &str) -> NodeId {
    NodeId::from_text(id)
}

pub(crate) fn opened(stay: &str, app: u32, room: &str, entered_s: i64) -> StayOpened {
    StayOpened {
        stay: sid(stay),
        app: SdkAppId(app),
        room: RoomName::parse(room).expect("a name"),
        room_sid: RoomSid::from_text(&format!("RM_{room}")),
        identity: format!("user {stay}"),
        scene: Scene::Live,
        role: Role::Audience,
        entered_at: at(entered_s),
    }
}

pub(crate) fn window(stay: &str, sku: Sku, start_minute: i64, seconds: u32) -> UsageWindow {
    UsageWindow { stay: sid(stay), sku, window_start: minute(start_minute), seconds }
}

pub(crate) fn closed(stay: &str, ended_s: i64, end: StayEnd) -> StayClosed {
    StayClosed { stay: sid(stay), ended_at: at(ended_s), end }
}

pub(crate) fn batch(by: &str) -> UsageBatch {
    UsageBatch {
        node: node(by),
        opened: vec![],
        windows: vec![],
        closed: vec![],
        watermark: Timestamp::UNIX_EPOCH,
    }
}

/// Options that do not wait for company, so that one command after another is quick.
pub(crate) fn options(dir: &TempDir) -> SqliteOptions {
    let mut options = SqliteOptions::new(dir.path().join("s.db"), SecretKey::from_bytes([9; 32]));
    options.batch_wait = Duration::ZERO;
    options
}

pub(crate) fn open(dir: &TempDir) -> SqliteStore {
    SqliteStore::open(options(dir)).expect("the store opens")
}

/// A store with accounts `AC_1`, `AC_2` and applications 1 and 2 of the first.
pub(crate) async fn populate(store: &dyn Store) {
    for id in ["AC_1", "AC_2"] {
        open_account(store, account(id)).await.expect("account");
    }
    for id in [1, 2] {
        create_app(store, app(id, "AC_1")).await.expect("app");
    }
}

pub(crate) fn days() -> (Date, Date) {
    (Date::constant(2026, 3, 20), Date::constant(2026, 4, 10))
}

/// Everything that can be read, as text. Two stores with the same digest hold the same.
pub(crate) async fn digest(store: &dyn Store) -> String {
    let mut text = String::new();
    let (from, to) = days();
    let (early, late) = (at(-1_000_000), at(1_000_000));
    let accounts = store.list_accounts(None, 1_000).await.expect("accounts");
    for account in accounts {
        let apps = store.list_apps(account.id.clone()).await.expect("apps");
        writeln!(text, "{account:?} {apps:?}").expect("text");
        let mut books = store.books(account.id.clone(), wall()).await.expect("books");
        // Use that was taken back leaves an empty row, where it was booked before.
        books.state.days.retain(|_, day| day.seconds > 0);
        let rows = store.journal(account.id.clone(), &[], &[], 0, 1_000).await.expect("journal");
        let mut uses = store.day_uses(account.id.clone(), from, to).await.expect("days");
        uses.retain(|day| day.seconds > 0);
        let standing = store.standing(account.id, wall()).await.expect("standing");
        writeln!(text, "{books:?} {rows:?} {uses:?} {standing:?}").expect("text");
        for secret in store.list_secrets(standing.account).await.expect("secrets") {
            let ApiSecret { name, policy, apps, secret_key, created_at, revoked_at, .. } = &secret;
            let rest = (name, policy, apps, secret_key, created_at, revoked_at);
            writeln!(text, "{secret:?} {rest:?}").expect("text");
        }
    }
    let due = store.next_due().await.expect("due");
    writeln!(text, "{due:?} {:?}", store.outbox_len().await.expect("outbox")).expect("text");
    for app in store.load_apps().await.expect("apps") {
        let id = app.app.sdk_app_id;
        writeln!(text, "{app:?} {:?}", app.usersig_key).expect("text");
        for key in &app.api_keys {
            writeln!(text, "{key:?} {:?} {:?}", key.secret, key.created_at).expect("text");
        }
        let days = store.usage_by_day(id, from, to).await.expect("days");
        let rooms = store.usage_by_room(id, early, late).await.expect("rooms");
        let stays = store.list_stays(id, None, early, late, None, 1_000).await.expect("stays");
        let spans = store.usage_by_span(id, at(-90), at(86_400), 120).await.expect("spans");
        writeln!(text, "{days:#?} {rooms:#?} {stays:#?} {spans:#?}").expect("text");
        let callbacks = store.callbacks(id).await.expect("callbacks");
        let key = callbacks.callback.as_ref().map(|callback| &callback.key);
        writeln!(text, "{callbacks:?} {key:?}").expect("text");
    }
    let tokens = store.list_api_tokens().await.expect("tokens");
    let quarantine = store.list_quarantine(1_000).await.expect("quarantine");
    writeln!(text, "{tokens:?} {quarantine:#?}").expect("text");
    for user in store.list_console_users().await.expect("users") {
        let totp = user.totp.as_ref().map(|totp| (&totp.secret, totp.last_step));
        let rest = (&user.password_hash, totp, user.created_at, user.password_changed_at);
        writeln!(text, "{user:?} {rest:?}").expect("text");
    }
    for hash in 0..8 {
        let session = store.console_session([hash; 32], at(0)).await.expect("session");
        writeln!(text, "{session:?}").expect("text");
    }
    for name in ["node", "other"] {
        writeln!(text, "{:?}", store.setting(name).await.expect("setting")).expect("text");
    }
    text
}

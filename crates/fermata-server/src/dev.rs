//! Development mode's fixed credentials: public, documented in `docs/guide/development-mode.md`, and refused
//! everywhere else.

use fermata_auth::{api_token, password};
use fermata_billing::command::{Actor, OpenAccount};
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_store::{
    Account, ApiKey, ApiSecret, ApiToken, App, AppWithKeys, ConsoleUser, RECLAIM_SWEEP,
    SecretPolicy, Store, StoreError, TokenRole,
};
use fermata_types::{AccountId, ConsoleUserId, Now, Scene, SdkAppId, TokenId};
use jiff::Timestamp;

use crate::directory::BuiltIn;
use crate::v1::apps::DISCONNECT_TIMEOUT_S;

/// The account.
pub const ACCOUNT: &str = "AC_development";

/// The application.
pub const SDK_APP_ID: SdkAppId = SdkAppId(1_400_000_001);

/// Public name of its `LiveKit` key pair.
pub const API_KEY: &str = "devkey";

/// Secret of it.
pub const API_SECRET: &str = "secret";

/// The secret behind its `UserSig`.
pub const USERSIG_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Operator tokens. Not stored: they exist while the server runs in development mode.
pub const OPERATOR_TOKENS: [&str; 2] = ["dev-operator", "dev-operator-2"];

/// Public name of the account's secret pair of the server APIs. Not stored either.
pub const SECRET_ID: &str = "AKIDdev";

/// The key of it.
pub const SECRET_KEY: &str = "dev-secret-key";

/// Id of the operator who signs in to the console without a password. Nobody can sign in as this user, and none of
/// its sessions is in force, where the server does not run in development mode.
pub const CONSOLE_USER_ID: &str = "CU_development";

/// Sign-in name of that user.
pub const CONSOLE_USER_NAME: &str = "development";

/// That user; it is stored when it signs in first. No password fits.
pub fn console_user() -> ConsoleUser {
    ConsoleUser {
        id: ConsoleUserId::from_text(CONSOLE_USER_ID),
        name: CONSOLE_USER_NAME.to_owned(),
        password_hash: password::dummy(),
        role: TokenRole::Operator,
        read_only: false,
        totp: None,
        created_at: Timestamp::UNIX_EPOCH,
        password_changed_at: Timestamp::UNIX_EPOCH,
        disabled_at: None,
    }
}

/// What is not stored: operator tokens and the secret pair.
pub fn built_in() -> BuiltIn {
    let secret = ApiSecret {
        secret_id: SECRET_ID.to_owned(),
        account: AccountId::from_text(ACCOUNT),
        name: "Development".to_owned(),
        policy: SecretPolicy::Full,
        apps: Vec::new(),
        secret_key: SECRET_KEY.to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        revoked_at: None,
    };
    BuiltIn { tokens: operator_tokens(), secrets: vec![secret] }
}

/// The operator tokens as records.
pub fn operator_tokens() -> Vec<ApiToken> {
    let record = |text: &&str| ApiToken {
        id: TokenId::from_text(&format!("TK_{text}")),
        name: (*text).to_owned(),
        hash: api_token::hash(text),
        role: TokenRole::Operator,
        read_only: false,
        created_at: Timestamp::UNIX_EPOCH,
        revoked_at: None,
    };
    OPERATOR_TOKENS.iter().map(record).collect()
}

/// Makes the account and the application if they are not there yet, and turns the reclaim sweep on (policy A28).
///
/// The account pays in USD, is billed daily and has no credit: its free minutes suffice for trying things.
///
/// # Errors
/// [`StoreError`].
pub async fn prepare(store: &dyn Store) -> Result<(), StoreError> {
    let now = Now::read().wall;
    store.set_switch(RECLAIM_SWEEP, true).await?;
    let account = AccountId::from_text(ACCOUNT);
    match store.account(account.clone()).await {
        Err(StoreError::NotFound { .. }) => open_account(store, account.clone(), now).await?,
        other => drop(other?),
    }
    match store.app(SDK_APP_ID).await {
        Err(StoreError::NotFound { .. }) => create_app(store, account, now).await,
        other => other.map(drop),
    }
}

async fn open_account(store: &dyn Store, id: AccountId, now: Timestamp) -> Result<(), StoreError> {
    let account = Account { id: id.clone(), name: "Development".to_owned(), created_at: now };
    let terms = OpenAccount {
        account: id,
        currency: Currency::USD,
        zone: "UTC".to_owned(),
        billing: BillingMode::Daily,
        sandbox: false,
        partner: None,
        credit_limit: Money::ZERO,
    };
    store.open_account(account, terms, now, Actor::system(), None).await.map(drop)
}

async fn create_app(
    store: &dyn Store,
    account: AccountId,
    created_at: Timestamp,
) -> Result<(), StoreError> {
    let app = App {
        sdk_app_id: SDK_APP_ID,
        account,
        name: "Development".to_owned(),
        default_scene: Scene::Live,
        disconnect_timeout_s: DISCONNECT_TIMEOUT_S,
        private_map_required: false,
        created_at,
        epoch: 1,
    };
    let key = ApiKey { key: API_KEY.to_owned(), secret: API_SECRET.to_owned(), created_at };
    let with_keys = AppWithKeys { app, usersig_key: USERSIG_KEY.to_owned(), api_keys: vec![key] };
    store.create_app(with_keys, created_at, Actor::system(), None).await.map(drop)
}

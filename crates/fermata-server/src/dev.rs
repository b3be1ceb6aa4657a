//! Development mode's fixed credentials: public, documented in `docs/guide/development-mode.md`, and refused
//! everywhere else.

use fermata_auth::api_token;
use fermata_store::{Account, ApiKey, ApiToken, App, AppWithKeys, Store, StoreError};
use fermata_types::{AccountId, Scene, SdkAppId, TokenId};
use jiff::Timestamp;

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

/// The operator tokens as records.
pub fn operator_tokens() -> Vec<ApiToken> {
    let record = |text: &&str| ApiToken {
        id: TokenId::from_text(&format!("TK_{text}")),
        name: (*text).to_owned(),
        hash: api_token::hash(text),
        created_at: Timestamp::UNIX_EPOCH,
        revoked_at: None,
    };
    OPERATOR_TOKENS.iter().map(record).collect()
}

/// Makes the account and the application if they are not there yet.
///
/// # Errors
/// [`StoreError`].
pub async fn prepare(store: &dyn Store) -> Result<(), StoreError> {
    let created_at = Timestamp::UNIX_EPOCH;
    let account = AccountId::from_text(ACCOUNT);
    match store.account(account.clone()).await {
        Err(StoreError::NotFound { .. }) => {
            let (name, zone) = ("Development".to_owned(), "UTC".to_owned());
            store.create_account(Account { id: account.clone(), name, zone, created_at }).await?;
        }
        other => drop(other?),
    }
    match store.app(SDK_APP_ID).await {
        Err(StoreError::NotFound { .. }) => {}
        other => return other.map(drop),
    }
    let app = App {
        sdk_app_id: SDK_APP_ID,
        account,
        name: "Development".to_owned(),
        enabled: true,
        default_scene: Scene::Live,
        disconnect_timeout_s: DISCONNECT_TIMEOUT_S,
        private_map_required: false,
        created_at,
        epoch: 1,
    };
    let key = ApiKey { key: API_KEY.to_owned(), secret: API_SECRET.to_owned(), created_at };
    let with_keys = AppWithKeys { app, usersig_key: USERSIG_KEY.to_owned(), api_keys: vec![key] };
    store.create_app(with_keys).await.map(drop)
}

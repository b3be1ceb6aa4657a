//! The application directory: what tokens are checked against, in memory.
//!
//! Admission never touches the database: it reads this map. The map is changed only after the store has
//! committed, under [`Directory::changing`], so that it never runs ahead of what is durable.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use fermata_auth::api_token;
use fermata_store::{ApiSecret, ApiToken, AppCallbacks, AppWithKeys, Store, StoreError, TokenRole};
use fermata_types::{AccountId, SdkAppId, TokenId};
use tokio::sync::{Mutex, MutexGuard};

/// Applications by number, and whose each API key is.
#[derive(Debug, Clone, Default)]
struct Apps {
    by_id: HashMap<SdkAppId, Arc<AppWithKeys>>,
    by_key: HashMap<String, SdkAppId>,
}

impl Apps {
    /// An older record does not replace a newer one.
    fn put(&mut self, app: AppWithKeys) {
        let id = app.app.sdk_app_id;
        if self.by_id.get(&id).is_some_and(|known| known.app.epoch > app.app.epoch) {
            return;
        }
        self.by_key.retain(|_, owner| *owner != id);
        for key in &app.api_keys {
            self.by_key.insert(key.key.clone(), id);
        }
        self.by_id.insert(id, Arc::new(app));
    }
}

/// Credentials that are not stored (those of development mode).
#[derive(Debug, Default)]
pub struct BuiltIn {
    /// Operator tokens.
    pub tokens: Vec<ApiToken>,
    /// Secret pairs of the server APIs.
    pub secrets: Vec<ApiSecret>,
}

/// Applications, credentials of APIs and where events go; read on every request, written rarely.
#[derive(Debug)]
pub struct Directory {
    apps: ArcSwap<Apps>,
    tokens: ArcSwap<Vec<ApiToken>>,
    secrets: ArcSwap<HashMap<String, Arc<ApiSecret>>>,
    callbacks: ArcSwap<HashMap<SdkAppId, Arc<AppCallbacks>>>,
    changing: Mutex<()>,
}

impl Directory {
    /// Reads everything from the store, and takes in what is built in.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn load(store: &dyn Store, built_in: BuiltIn) -> Result<Self, StoreError> {
        let mut apps = Apps::default();
        for app in store.load_apps().await? {
            apps.put(app);
        }
        let mut tokens = built_in.tokens;
        tokens
            .extend(store.list_api_tokens().await?.into_iter().filter(|t| t.revoked_at.is_none()));
        let secrets = store.load_secrets().await?.into_iter().chain(built_in.secrets);
        let secrets = secrets.map(|secret| (secret.secret_id.clone(), Arc::new(secret))).collect();
        let callbacks = store.load_callbacks().await?.into_iter();
        let callbacks = callbacks.map(|(app, all)| (app, Arc::new(all))).collect();
        Ok(Self {
            apps: ArcSwap::from_pointee(apps),
            tokens: ArcSwap::from_pointee(tokens),
            secrets: ArcSwap::from_pointee(secrets),
            callbacks: ArcSwap::from_pointee(callbacks),
            changing: Mutex::new(()),
        })
    }

    /// Held from before a change is committed until it is in the directory, so that changes of one
    /// record reach it in the order of their commits.
    pub async fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// An application with its secrets.
    pub fn app(&self, id: SdkAppId) -> Option<Arc<AppWithKeys>> {
        self.apps.load().by_id.get(&id).cloned()
    }

    /// The application that an API key belongs to.
    pub fn app_of_key(&self, key: &str) -> Option<Arc<AppWithKeys>> {
        let apps = self.apps.load();
        apps.by_id.get(apps.by_key.get(key)?).cloned()
    }

    /// All applications.
    pub fn apps(&self) -> Vec<Arc<AppWithKeys>> {
        self.apps.load().by_id.values().cloned().collect()
    }

    /// Puts an application in, or in place of its earlier record.
    pub fn put_app(&self, app: &AppWithKeys) {
        self.apps.rcu(|apps| {
            let mut apps = Apps::clone(apps);
            apps.put(app.clone());
            apps
        });
    }

    /// Takes an application out, with its keys and callbacks.
    pub fn drop_app(&self, id: SdkAppId) {
        self.put_callbacks(id, AppCallbacks::default());
        self.apps.rcu(|apps| {
            let mut apps = Apps::clone(apps);
            apps.by_key.retain(|_, owner| *owner != id);
            apps.by_id.remove(&id);
            apps
        });
    }

    /// Puts an operator token in.
    pub fn put_token(&self, token: &ApiToken) {
        self.tokens.rcu(|tokens| {
            let mut tokens = Vec::clone(tokens);
            tokens.retain(|known| known.id != token.id);
            tokens.push(token.clone());
            tokens
        });
    }

    /// Takes a revoked operator token out.
    pub fn drop_token(&self, id: &TokenId) {
        self.tokens.rcu(|tokens| {
            let mut tokens = Vec::clone(tokens);
            tokens.retain(|known| known.id != *id);
            tokens
        });
    }

    /// Takes the tokens of an account's customer out that are not to be kept.
    pub fn keep_tokens(&self, account: &AccountId, keep: impl Fn(&TokenId) -> bool) {
        self.tokens.rcu(|tokens| {
            let mut tokens = Vec::clone(tokens);
            tokens.retain(|token| token.role.of() != Some(account.as_str()) || keep(&token.id));
            tokens
        });
    }

    /// The secret pair of the server APIs with this id, if it is in force.
    pub fn secret(&self, secret_id: &str) -> Option<Arc<ApiSecret>> {
        self.secrets.load().get(secret_id).cloned()
    }

    /// Puts a secret pair in.
    pub fn put_secret(&self, secret: &ApiSecret) {
        let secret = Arc::new(secret.clone());
        self.secrets.rcu(|secrets| {
            let mut secrets = HashMap::clone(secrets);
            secrets.insert(secret.secret_id.clone(), secret.clone());
            secrets
        });
    }

    /// Takes a revoked secret pair out.
    pub fn drop_secret(&self, secret_id: &str) {
        self.secrets.rcu(|secrets| {
            let mut secrets = HashMap::clone(secrets);
            secrets.remove(secret_id);
            secrets
        });
    }

    /// Takes the secret pairs of an account out that are not to be kept.
    pub fn keep_secrets(&self, account: &AccountId, keep: impl Fn(&str) -> bool) {
        self.secrets.rcu(|secrets| {
            let mut secrets = HashMap::clone(secrets);
            secrets.retain(|id, secret| secret.account != *account || keep(id));
            secrets
        });
    }

    /// Where events of an application go; none if nowhere.
    pub fn callbacks(&self, id: SdkAppId) -> Option<Arc<AppCallbacks>> {
        self.callbacks.load().get(&id).cloned()
    }

    /// Puts in where events of an application go, in place of what was known; nowhere takes it out.
    pub fn put_callbacks(&self, id: SdkAppId, callbacks: AppCallbacks) {
        let nowhere = callbacks == AppCallbacks::default();
        let callbacks = Arc::new(callbacks);
        if nowhere && !self.callbacks.load().contains_key(&id) {
            return;
        }
        self.callbacks.rcu(|known| {
            let mut known = HashMap::clone(known);
            if nowhere {
                known.remove(&id);
            } else {
                known.insert(id, callbacks.clone());
            }
            known
        });
    }

    /// What a token that is in force is for.
    pub fn token_name(&self, id: &TokenId) -> Option<String> {
        let tokens = self.tokens.load();
        tokens.iter().find(|token| token.id == *id).map(|token| token.name.clone())
    }

    /// Is there a token that can make others?
    pub fn has_operator(&self) -> bool {
        let tokens = self.tokens.load();
        tokens.iter().any(|token| token.role == TokenRole::Operator && !token.read_only)
    }

    /// How many tokens are in force.
    pub fn tokens_len(&self) -> usize {
        self.tokens.load().len()
    }

    /// Whose token is it? Compares the hash with every one in force, each in constant time.
    pub fn token(&self, presented: &str) -> Option<ApiToken> {
        let mut found = None;
        for token in self.tokens.load().iter() {
            if api_token::matches(presented, &token.hash) {
                found = Some(token.clone());
            }
        }
        found
    }
}

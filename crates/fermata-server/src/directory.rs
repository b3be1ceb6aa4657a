//! The application directory: what tokens are checked against, in memory.
//!
//! Admission never touches the database: it reads this map. The map is changed only after the store has
//! committed, under [`Directory::changing`], so that it never runs ahead of what is durable.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use fermata_auth::api_token;
use fermata_store::{ApiToken, AppWithKeys, Store, StoreError, TokenRole};
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

/// Applications and API tokens, read on every request, written rarely.
#[derive(Debug)]
pub struct Directory {
    apps: ArcSwap<Apps>,
    tokens: ArcSwap<Vec<ApiToken>>,
    changing: Mutex<()>,
}

impl Directory {
    /// Reads everything from the store. `built_in` are operator tokens that are not stored
    /// (those of development mode).
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn load(store: &dyn Store, built_in: Vec<ApiToken>) -> Result<Self, StoreError> {
        let mut apps = Apps::default();
        for app in store.load_apps().await? {
            apps.put(app);
        }
        let mut tokens = built_in;
        tokens
            .extend(store.list_api_tokens().await?.into_iter().filter(|t| t.revoked_at.is_none()));
        Ok(Self {
            apps: ArcSwap::from_pointee(apps),
            tokens: ArcSwap::from_pointee(tokens),
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

    /// Takes an application out, with its keys.
    pub fn drop_app(&self, id: SdkAppId) {
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

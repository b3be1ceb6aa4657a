//! The application directory: what tokens are checked against, in memory.
//!
//! Admission never touches the database: it reads this map. The map is changed only after the store has
//! committed, under [`Directory::changing`], so that it never runs ahead of what is durable.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use fermata_auth::api_token;
use fermata_sfu::io::Verdict;
use fermata_store::{ApiToken, App, AppWithKeys, Store, StoreError};
use fermata_types::{Reason, SdkAppId, TokenId};
use tokio::sync::{Mutex, MutexGuard};

/// Applications by number, and whose each API key is.
#[derive(Debug, Clone, Default)]
struct Apps {
    by_id: HashMap<SdkAppId, Arc<AppWithKeys>>,
    by_key: HashMap<String, SdkAppId>,
}

impl Apps {
    fn put(&mut self, app: AppWithKeys) {
        let id = app.app.sdk_app_id;
        self.by_key.retain(|_, owner| *owner != id);
        for key in &app.api_keys {
            self.by_key.insert(key.key.clone(), id);
        }
        self.by_id.insert(id, Arc::new(app));
    }
}

/// Applications and operator tokens, read on every request, written rarely.
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

    /// How many operator tokens are in force.
    pub fn tokens_len(&self) -> usize {
        self.tokens.load().len()
    }

    /// Whose token is it? Compares the hash with every one in force, each in constant time.
    pub fn operator(&self, presented: &str) -> Option<TokenId> {
        let mut found = None;
        for token in self.tokens.load().iter() {
            if api_token::matches(presented, &token.hash) {
                found = Some(token.id.clone());
            }
        }
        found
    }
}

/// What the media plane must know of an application.
pub fn verdict(app: &App) -> Verdict {
    Verdict {
        epoch: app.epoch,
        refused: if app.enabled { Vec::new() } else { vec![Reason::AppDisabled] },
        default_scene: app.default_scene,
        disconnect_timeout: Duration::from_secs(u64::from(app.disconnect_timeout_s)),
    }
}

//! The in-memory model: the same commands over plain maps, everything recomputed on every read.
//!
//! It is what the SQLite store is checked against, and a store for tests of other crates.
//! What it is not: durable, or fast with much data.

mod state;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fermata_types::{AccountId, NodeId, ParticipantSid, RoomName, SdkAppId, TokenId, UsageBatch};
use jiff::{Timestamp, civil::Date};

use self::state::State;
use crate::rules::{self, exists, invalid, no_account, no_token};
use crate::{
    Account, ApiKey, ApiToken, App, AppChange, AppWithKeys, CheckReport, DayUsage, Quarantined,
    RoomUsage, Stay, Store, StoreError, StoreFuture,
};

type Outcome<T> = Result<T, StoreError>;

/// A store that is gone with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Outcome<T>,
    ) -> StoreFuture<'_, T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = if state.closed { Err(StoreError::Closed) } else { work(&mut state) };
        Box::pin(std::future::ready(outcome))
    }
}

impl Store for MemoryStore {
    fn create_account(&self, account: Account) -> StoreFuture<'_, Account> {
        self.with(|state| {
            let new = rules::account(account)?;
            match state.accounts.get(&new.id) {
                Some(old) if *old == new => Ok(new),
                Some(_) => Err(exists("account", &new.id)),
                None => {
                    state.accounts.insert(new.id.clone(), new.clone());
                    Ok(new)
                }
            }
        })
    }

    fn account(&self, id: AccountId) -> StoreFuture<'_, Account> {
        self.with(|state| state.accounts.get(&id).cloned().ok_or_else(|| no_account(&id)))
    }

    fn list_accounts(&self, after: Option<AccountId>, limit: u32) -> StoreFuture<'_, Vec<Account>> {
        self.with(|state| {
            rules::page(limit)?;
            let rest = state.accounts.values().filter(|row| Some(&row.id) > after.as_ref());
            Ok(rest.take(limit as usize).cloned().collect())
        })
    }

    fn create_app(&self, app: AppWithKeys) -> StoreFuture<'_, App> {
        self.with(|state| state.create_app(rules::app(app)?))
    }

    fn app(&self, id: SdkAppId) -> StoreFuture<'_, App> {
        self.with(|state| Ok(state.app(id)?.app.clone()))
    }

    fn list_apps(&self, account: AccountId) -> StoreFuture<'_, Vec<App>> {
        self.with(|state| {
            if !state.accounts.contains_key(&account) {
                return Err(no_account(&account));
            }
            let apps = state.apps.values().map(|row| &row.app);
            Ok(apps.filter(|app| app.account == account).cloned().collect())
        })
    }

    fn load_apps(&self) -> StoreFuture<'_, Vec<AppWithKeys>> {
        self.with(|state| Ok(state.apps.values().cloned().collect()))
    }

    fn app_with_keys(&self, id: SdkAppId) -> StoreFuture<'_, AppWithKeys> {
        self.with(|state| state.app(id).cloned())
    }

    fn change_app(&self, id: SdkAppId, change: AppChange) -> StoreFuture<'_, App> {
        self.with(|state| {
            let row = state.app(id)?;
            row.app = rules::changed(&row.app, change)?;
            Ok(row.app.clone())
        })
    }

    fn add_api_key(&self, id: SdkAppId, key: ApiKey) -> StoreFuture<'_, App> {
        self.with(|state| state.add_api_key(id, rules::api_key(key)?))
    }

    fn remove_api_key(&self, id: SdkAppId, key: String) -> StoreFuture<'_, App> {
        self.with(|state| state.remove_api_key(id, &key))
    }

    fn set_usersig_key(&self, id: SdkAppId, key: String) -> StoreFuture<'_, App> {
        self.with(|state| {
            rules::usersig_key(&key)?;
            let row = state.app(id)?;
            if row.usersig_key != key {
                row.usersig_key = key;
                row.app.epoch += 1;
            }
            Ok(row.app.clone())
        })
    }

    fn create_api_token(&self, token: ApiToken) -> StoreFuture<'_, ApiToken> {
        self.with(|state| state.create_token(rules::api_token(token)?))
    }

    fn list_api_tokens(&self) -> StoreFuture<'_, Vec<ApiToken>> {
        self.with(|state| {
            let mut tokens: Vec<_> = state.tokens.values().cloned().collect();
            tokens.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
            Ok(tokens)
        })
    }

    fn revoke_api_token(&self, id: TokenId, at: Timestamp) -> StoreFuture<'_, ApiToken> {
        self.with(|state| {
            let token = state.tokens.get_mut(&id).ok_or_else(|| no_token(&id))?;
            token.revoked_at.get_or_insert(rules::stored(at));
            Ok(token.clone())
        })
    }

    fn intake(&self, batch: UsageBatch) -> StoreFuture<'_, ()> {
        self.with(|state| state.intake(batch))
    }

    fn close_lost_stays(&self, node: NodeId) -> StoreFuture<'_, u64> {
        self.with(|state| {
            rules::node(&node)?;
            Ok(state.close_lost(&node))
        })
    }

    fn usage_by_day(&self, id: SdkAppId, from: Date, to: Date) -> StoreFuture<'_, Vec<DayUsage>> {
        self.with(|state| {
            rules::day_range(from, to)?;
            state.by_day(id, from, to)
        })
    }

    fn usage_by_room(
        &self,
        id: SdkAppId,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<RoomUsage>> {
        self.with(|state| {
            let (from, to) = rules::range(from, to)?;
            state.by_room(id, from, to)
        })
    }

    fn list_stays(
        &self,
        id: SdkAppId,
        room: Option<RoomName>,
        from: Timestamp,
        to: Timestamp,
        after: Option<(Timestamp, ParticipantSid)>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<Stay>> {
        self.with(|state| {
            rules::page(limit)?;
            let (from, to) = rules::range(from, to)?;
            let after = after.map(|(at, stay)| (rules::stored(at), stay));
            state.app(id)?;
            let mut found: Vec<_> = state
                .stays
                .values()
                .map(|(_, opened)| opened)
                .filter(|row| row.app == id && (from..to).contains(&row.entered_at))
                .filter(|row| room.as_ref().is_none_or(|room| *room == row.room))
                .filter(|row| Some((row.entered_at, row.stay.clone())) > after)
                .collect();
            found.sort_by(|a, b| (a.entered_at, &a.stay).cmp(&(b.entered_at, &b.stay)));
            Ok(found.into_iter().take(limit as usize).map(|row| state.stay(row)).collect())
        })
    }

    fn list_quarantine(&self, limit: u32) -> StoreFuture<'_, Vec<Quarantined>> {
        self.with(|state| {
            rules::page(limit)?;
            let mut rows: Vec<_> = state
                .quarantine
                .iter()
                .map(|((node, stay, at, reason), seconds)| Quarantined {
                    node: node.clone(),
                    stay: stay.clone(),
                    at: *at,
                    reason: *reason,
                    seconds: *seconds,
                })
                .collect();
            rows.sort_by(|a, b| order(a).cmp(&order(b)));
            rows.truncate(limit as usize);
            Ok(rows)
        })
    }

    fn setting(&self, name: &'static str) -> StoreFuture<'_, Option<String>> {
        self.with(|state| {
            rules::setting_name(name)?;
            Ok(state.settings.get(name).cloned())
        })
    }

    fn set_setting_once(&self, name: &'static str, value: String) -> StoreFuture<'_, String> {
        self.with(|state| {
            rules::setting(name, &value)?;
            Ok(state.settings.entry(name).or_insert(value).clone())
        })
    }

    fn probe(&self, _now: Timestamp) -> StoreFuture<'_, ()> {
        self.with(|_| Ok(()))
    }

    /// Always `Invalid`: there is no file to copy.
    fn backup(&self, _to: &Path) -> StoreFuture<'_, ()> {
        self.with(|_| Err(invalid("backup", "the in-memory store has no file to copy")))
    }

    fn check(&self) -> StoreFuture<'_, CheckReport> {
        self.with(|state| {
            let facts = state.windows.values().map(BTreeMap::len).sum::<usize>();
            let parties = state.accounts.len() + state.apps.len() + state.tokens.len();
            Ok(CheckReport {
                schema_version: 0,
                rows: (parties + state.stays.len() + facts) as u64,
                quarantined: state.quarantine.len() as u64,
                problems: Vec::new(),
            })
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The order of the quarantine's rows: reasons by their codes, as in tables.
fn order(row: &Quarantined) -> (&NodeId, &ParticipantSid, Timestamp, &'static str) {
    (&row.node, &row.stay, row.at, row.reason.code())
}

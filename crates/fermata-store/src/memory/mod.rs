//! The in-memory model: the same commands over plain maps, everything recomputed on every read.
//!
//! It is what the SQLite store is checked against, and a store for tests of other crates.
//! What it is not: durable, or fast with much data.

mod console;
mod shelf;
mod state;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fermata_billing::catalog::{Catalog, CatalogDraft, CatalogVersion};
use fermata_billing::command::{Actor, OpenAccount};
use fermata_billing::id::PartnerId;
use fermata_billing::journal::{JournalRow, PostingKind, Record, RecordKind};
use fermata_billing::policy::{Agreement, AgreementVersion, Policy, policy_at};
use fermata_billing::state::DayUse;
use fermata_billing::verify::verify;
use fermata_types::{
    AccountId, ConsoleUserId, NodeId, ParticipantSid, RoomName, SdkAppId, TokenId, UsageBatch,
};
use jiff::{Timestamp, civil::Date};
use tokio::sync::watch;

use self::shelf::Book;
use self::state::State;
use crate::books::changes::Changes;
use crate::books::{self as engine, Shelf};
use crate::rules::{self, invalid, no_account, no_secret, no_token};
use crate::{
    Account, Advanced, ApiKey, ApiSecret, ApiToken, App, AppCallbacks, AppChange, AppWithKeys,
    Billed, BillingCall, Books, Changed, CheckReport, ClockTarget, ConsoleSession, ConsoleUser,
    ConsoleUserChange, DayUsage, Fired, Once, OutboxItem, OutboxLen, Partner, Quarantined,
    RoomUsage, SpanUsage, Standing, Stay, Store, StoreError, StoreFuture, Taken,
};

type Outcome<T> = Result<T, StoreError>;

/// A store that is gone with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    changes: Changes,
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
        self.changes.publish(std::mem::take(&mut state.library.changed));
        Box::pin(std::future::ready(outcome))
    }
}

fn book<'a>(state: &'a State, account: &AccountId) -> Outcome<Option<&'a Book>> {
    if !state.accounts.contains_key(account) {
        return Err(no_account(account));
    }
    Ok(state.library.books.get(account))
}

fn books(state: &State, account: &AccountId, wall: Timestamp) -> Outcome<Books> {
    let books = book(state, account)?.map(|book| book.state.clone()).unwrap_or_default();
    let now = engine::account_now(&books, rules::stored(wall));
    let partner = books.profile.as_ref().and_then(|profile| profile.partner.as_ref());
    let agreement = partner.map(|partner| {
        let known = state.library.agreements.get(partner);
        known.map_or_else(|| Agreement::new(partner.clone()), |known| Agreement::clone(known))
    });
    let policy = policy_at(agreement.as_ref(), now);
    Ok(Books { state: books, now, policy })
}

fn standing(state: &State, account: &AccountId, wall: Timestamp) -> Outcome<Standing> {
    Ok(rules::standing(account, books(state, account, wall)?))
}

impl Store for MemoryStore {
    fn open_account(
        &self,
        account: Account,
        terms: OpenAccount,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, Account> {
        self.with(|state| engine::open_account(state, account, &terms, wall, actor, once.as_ref()))
    }

    fn create_app(
        &self,
        app: AppWithKeys,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, App> {
        self.with(|state| engine::create_app(state, app, wall, actor, once.as_ref())?)
    }

    fn intake(&self, batch: UsageBatch, wall: Timestamp) -> StoreFuture<'_, Taken> {
        self.with(|state| state.intake(batch, wall))
    }

    fn bill(&self, call: BillingCall) -> StoreFuture<'_, Billed> {
        self.with(|state| engine::bill(state, call)?)
    }

    fn kept_answer(&self, once: Once) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.with(|state| engine::kept_answer(state, &once))
    }

    fn keep_answer(&self, once: Once, answer: Vec<u8>, wall: Timestamp) -> StoreFuture<'_, ()> {
        self.with(|state| engine::keep_answer(state, &once, &answer, wall))
    }

    fn fire_due(&self, wall: Timestamp, limit: u32) -> StoreFuture<'_, Vec<Fired>> {
        self.with(|state| engine::fire_due(state, wall, rules::fire_limit(limit)?))
    }

    fn next_due(&self) -> StoreFuture<'_, Option<Timestamp>> {
        self.with(|state| Ok(state.library.next_due()))
    }

    fn advance_clock(
        &self,
        account: AccountId,
        target: ClockTarget,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, Advanced> {
        self.with(|state| engine::advance(state, &account, target, wall, actor, once.as_ref())?)
    }

    fn books(&self, account: AccountId, wall: Timestamp) -> StoreFuture<'_, Books> {
        self.with(|state| books(state, &account, wall))
    }

    fn journal(
        &self,
        account: AccountId,
        kinds: &[RecordKind],
        postings: &[PostingKind],
        after_seq: u64,
        limit: u32,
    ) -> StoreFuture<'_, Vec<JournalRow>> {
        self.with(|state| {
            rules::page(limit)?;
            let wanted = |record: &Record| {
                (kinds.is_empty() && postings.is_empty())
                    || kinds.contains(&record.kind())
                    || matches!(record, Record::Txn(txn) if postings.contains(&txn.kind))
            };
            let rows = book(state, &account)?.into_iter().flat_map(|book| &book.journal);
            let rows = rows.filter(|row| row.seq > after_seq && wanted(&row.record));
            Ok(rows.take(limit as usize).cloned().collect())
        })
    }

    fn record(
        &self,
        account: AccountId,
        kind: RecordKind,
        id: String,
    ) -> StoreFuture<'_, Option<Record>> {
        self.with(|state| Shelf::record(state, &account, kind, &id))
    }

    fn day_uses(&self, account: AccountId, from: Date, to: Date) -> StoreFuture<'_, Vec<DayUse>> {
        self.with(|state| {
            rules::day_range(from, to)?;
            book(state, &account)?;
            state.day_uses(&account, from, to)
        })
    }

    fn standing(&self, account: AccountId, wall: Timestamp) -> StoreFuture<'_, Standing> {
        self.with(|state| standing(state, &account, wall))
    }

    fn load_standings(&self, wall: Timestamp) -> StoreFuture<'_, Vec<Standing>> {
        self.with(|state| {
            let ids = state.library.books.keys();
            ids.map(|id| standing(state, id, wall)).collect()
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed_since(&self, since: u64) -> Changed {
        self.changes.since(since)
    }

    fn outbox_claim(
        &self,
        wall: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> StoreFuture<'_, Vec<OutboxItem>> {
        self.with(|state| {
            rules::page(limit)?;
            Ok(state.library.claim(wall, limit, lease))
        })
    }

    fn outbox_done(&self, id: String) -> StoreFuture<'_, ()> {
        self.with(|state| {
            state.library.delivered(&id);
            Ok(())
        })
    }

    fn outbox_failed(
        &self,
        id: String,
        error: String,
        retry_at: Option<Timestamp>,
    ) -> StoreFuture<'_, ()> {
        self.with(|state| {
            drop(error);
            state.library.failed(&id, retry_at);
            Ok(())
        })
    }

    fn outbox_len(&self) -> StoreFuture<'_, OutboxLen> {
        self.with(|state| Ok(state.library.len()))
    }

    fn catalog(&self) -> StoreFuture<'_, Arc<Catalog>> {
        self.with(Shelf::catalog)
    }

    fn add_catalog_version(
        &self,
        draft: CatalogDraft,
        wall: Timestamp,
        actor: Actor,
    ) -> StoreFuture<'_, CatalogVersion> {
        self.with(|state| engine::add_catalog_version(state, draft, wall, &actor))
    }

    fn put_partner(&self, partner: Partner) -> StoreFuture<'_, Partner> {
        self.with(|state| {
            let partner = rules::partner(partner)?;
            let partners = &mut state.library.partners;
            let known = usize::from(partners.contains_key(&partner.id));
            rules::room_for_partner(partners.len() - known)?;
            partners.insert(partner.id.clone(), partner.clone());
            Ok(partner)
        })
    }

    fn partners(&self) -> StoreFuture<'_, Vec<Partner>> {
        self.with(|state| Ok(state.library.partners.values().cloned().collect()))
    }

    fn put_agreement(
        &self,
        partner: PartnerId,
        policy: Policy,
        effective_from: Option<Timestamp>,
        wall: Timestamp,
        actor: Actor,
    ) -> StoreFuture<'_, AgreementVersion> {
        self.with(|state| {
            engine::put_agreement(state, partner, policy, effective_from, wall, &actor)
        })
    }

    fn agreement(&self, partner: PartnerId) -> StoreFuture<'_, Agreement> {
        self.with(|state| Ok(Arc::unwrap_or_clone(Shelf::agreement(state, &partner)?)))
    }

    fn set_switch(&self, name: &'static str, on: bool) -> StoreFuture<'_, ()> {
        self.with(|state| {
            rules::setting_name(name)?;
            state.library.switches.insert(name, on);
            Ok(())
        })
    }

    fn switch(&self, name: &'static str) -> StoreFuture<'_, bool> {
        self.with(|state| Shelf::switch(state, name))
    }

    fn verify(&self) -> StoreFuture<'_, CheckReport> {
        self.with(|state| {
            let mut report =
                CheckReport { schema_version: 0, rows: 0, quarantined: 0, problems: Vec::new() };
            for (id, book) in &state.library.books {
                report.rows += book.journal.len() as u64;
                let rows = book.journal.iter().cloned();
                let found = verify(&book.state, rows, book.closed_days(), book.credited());
                report.problems.extend(found.iter().map(|one| rules::disagreement(id, one)));
            }
            Ok(report)
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

    fn create_console_user(&self, user: ConsoleUser) -> StoreFuture<'_, ConsoleUser> {
        self.with(|state| state.create_console_user(rules::console_user(user)?))
    }

    fn console_user(&self, id: ConsoleUserId) -> StoreFuture<'_, ConsoleUser> {
        self.with(|state| state.console_user(&id))
    }

    fn console_user_named(&self, name: String) -> StoreFuture<'_, Option<ConsoleUser>> {
        self.with(|state| Ok(state.console_user_named(&name)))
    }

    fn list_console_users(&self) -> StoreFuture<'_, Vec<ConsoleUser>> {
        self.with(|state| {
            let mut users: Vec<_> = state.console_users.values().cloned().collect();
            users.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
            Ok(users)
        })
    }

    fn change_console_user(
        &self,
        id: ConsoleUserId,
        change: ConsoleUserChange,
    ) -> StoreFuture<'_, ConsoleUser> {
        self.with(|state| state.change_console_user(&id, &change))
    }

    fn remove_console_user(&self, id: ConsoleUserId) -> StoreFuture<'_, ()> {
        self.with(|state| state.remove_console_user(&id))
    }

    fn create_console_session(&self, session: ConsoleSession) -> StoreFuture<'_, ConsoleSession> {
        self.with(|state| state.create_console_session(rules::console_session(session)?))
    }

    fn console_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> StoreFuture<'_, Option<(ConsoleSession, ConsoleUser)>> {
        self.with(|state| state.console_session(hash, now))
    }

    fn end_console_session(&self, hash: [u8; 32]) -> StoreFuture<'_, ()> {
        self.with(|state| {
            state.console_sessions.remove(&hash);
            Ok(())
        })
    }

    fn create_secret(&self, secret: ApiSecret) -> StoreFuture<'_, ApiSecret> {
        self.with(|state| state.create_secret(rules::secret(secret)?))
    }

    fn load_secrets(&self) -> StoreFuture<'_, Vec<ApiSecret>> {
        self.with(|state| Ok(state.secrets(|secret| secret.revoked_at.is_none())))
    }

    fn list_secrets(&self, account: AccountId) -> StoreFuture<'_, Vec<ApiSecret>> {
        self.with(|state| {
            book(state, &account)?;
            Ok(state.secrets(|secret| secret.account == account))
        })
    }

    fn revoke_secret(
        &self,
        account: AccountId,
        secret_id: String,
        at: Timestamp,
    ) -> StoreFuture<'_, ApiSecret> {
        self.with(|state| {
            book(state, &account)?;
            let own = state.secrets.get_mut(&secret_id).filter(|known| known.account == account);
            let secret = own.ok_or_else(|| no_secret(&secret_id))?;
            secret.revoked_at.get_or_insert(rules::stored(at));
            Ok(secret.clone())
        })
    }

    fn callbacks(&self, id: SdkAppId) -> StoreFuture<'_, AppCallbacks> {
        self.with(|state| {
            state.app(id)?;
            Ok(state.callbacks.get(&id).cloned().unwrap_or_default())
        })
    }

    fn load_callbacks(&self) -> StoreFuture<'_, Vec<(SdkAppId, AppCallbacks)>> {
        self.with(|state| Ok(state.callbacks.clone().into_iter().collect()))
    }

    fn set_callbacks(
        &self,
        id: SdkAppId,
        callbacks: AppCallbacks,
    ) -> StoreFuture<'_, AppCallbacks> {
        self.with(|state| {
            let callbacks = rules::callbacks(callbacks)?;
            rules::own_keys(&callbacks, state.app(id)?)?;
            if callbacks == AppCallbacks::default() {
                state.callbacks.remove(&id);
            } else {
                state.callbacks.insert(id, callbacks.clone());
            }
            Ok(callbacks)
        })
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

    fn usage_by_span(
        &self,
        id: SdkAppId,
        from: Timestamp,
        to: Timestamp,
        span_s: u32,
    ) -> StoreFuture<'_, Vec<SpanUsage>> {
        self.with(|state| state.by_span(id, rules::spans(from, to, span_s)?))
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
            let parties =
                state.accounts.len() + state.apps.len() + state.tokens.len() + state.secrets.len();
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

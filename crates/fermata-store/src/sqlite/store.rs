//! The commands of the trait, each handed to the thread it belongs to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fermata_billing::catalog::{Catalog, CatalogDraft, CatalogVersion};
use fermata_billing::command::{Actor, OpenAccount};
use fermata_billing::id::PartnerId;
use fermata_billing::journal::{JournalRow, PostingKind, Record, RecordKind};
use fermata_billing::policy::{Agreement, AgreementVersion, Policy};
use fermata_billing::state::DayUse;
use fermata_types::{
    AccountId, ConsoleUserId, NodeId, ParticipantSid, RoomName, SdkAppId, TokenId, UsageBatch,
};
use jiff::{Timestamp, civil::Date};
use tokio::sync::watch;

use super::usage_out::StayQuery;
use super::{
    SqliteStore, apps, backup, books, check, console, credentials, parties, usage_in, usage_out,
    worker,
};
use crate::books as engine;
use crate::{
    Account, Advanced, ApiKey, ApiSecret, ApiToken, App, AppCallbacks, AppChange, AppWithKeys,
    Billed, BillingCall, Books, Changed, CheckReport, ClockTarget, ConsoleSession, ConsoleUser,
    ConsoleUserChange, DayUsage, Fired, Once, OutboxItem, OutboxLen, Partner, Quarantined,
    RoomUsage, SpanUsage, Standing, Stay, Store, StoreFuture, Taken, rules,
};

impl Store for SqliteStore {
    fn open_account(
        &self,
        account: Account,
        terms: OpenAccount,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, Account> {
        self.judge(move |shelf| {
            engine::open_account(shelf, account, &terms, wall, actor, once.as_ref()).map(Ok)
        })
    }

    fn account(&self, id: AccountId) -> StoreFuture<'_, Account> {
        self.read(move |conn| parties::account(conn, &id))
    }

    fn list_accounts(&self, after: Option<AccountId>, limit: u32) -> StoreFuture<'_, Vec<Account>> {
        self.read(move |conn| {
            rules::page(limit)?;
            parties::list_accounts(conn, after.as_ref(), limit)
        })
    }

    fn create_app(
        &self,
        app: AppWithKeys,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, App> {
        self.judge(move |shelf| engine::create_app(shelf, app, wall, actor, once.as_ref()))
    }

    fn app(&self, id: SdkAppId) -> StoreFuture<'_, App> {
        self.read(move |conn| apps::app(conn, id))
    }

    fn list_apps(&self, account: AccountId) -> StoreFuture<'_, Vec<App>> {
        self.read(move |conn| apps::list(conn, &account))
    }

    fn load_apps(&self) -> StoreFuture<'_, Vec<AppWithKeys>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| apps::load(conn, &key))
    }

    fn app_with_keys(&self, id: SdkAppId) -> StoreFuture<'_, AppWithKeys> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| apps::app_with_keys(conn, &key, id))
    }

    fn change_app(&self, id: SdkAppId, change: AppChange) -> StoreFuture<'_, App> {
        self.write(move |conn| apps::change(conn, id, change))
    }

    fn add_api_key(&self, id: SdkAppId, new: ApiKey) -> StoreFuture<'_, App> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| apps::add_api_key(conn, &key, id, &rules::api_key(new)?))
    }

    fn remove_api_key(&self, id: SdkAppId, name: String) -> StoreFuture<'_, App> {
        self.write(move |conn| apps::remove_api_key(conn, id, &name))
    }

    fn set_usersig_key(&self, id: SdkAppId, new: String) -> StoreFuture<'_, App> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| {
            rules::usersig_key(&new)?;
            apps::set_usersig_key(conn, &key, id, &new)
        })
    }

    fn create_api_token(&self, token: ApiToken) -> StoreFuture<'_, ApiToken> {
        self.write(move |conn| parties::create_token(conn, rules::api_token(token)?))
    }

    fn list_api_tokens(&self) -> StoreFuture<'_, Vec<ApiToken>> {
        self.read(parties::list_tokens)
    }

    fn revoke_api_token(&self, id: TokenId, at: Timestamp) -> StoreFuture<'_, ApiToken> {
        self.write(move |conn| parties::revoke_token(conn, &id, at))
    }

    fn create_console_user(&self, user: ConsoleUser) -> StoreFuture<'_, ConsoleUser> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| console::create(conn, &key, rules::console_user(user)?))
    }

    fn console_user(&self, id: ConsoleUserId) -> StoreFuture<'_, ConsoleUser> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| console::user(conn, &key, &id))
    }

    fn console_user_named(&self, name: String) -> StoreFuture<'_, Option<ConsoleUser>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| console::named(conn, &key, &name))
    }

    fn list_console_users(&self) -> StoreFuture<'_, Vec<ConsoleUser>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| console::list(conn, &key))
    }

    fn change_console_user(
        &self,
        id: ConsoleUserId,
        change: ConsoleUserChange,
    ) -> StoreFuture<'_, ConsoleUser> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| console::change(conn, &key, &id, &change))
    }

    fn remove_console_user(&self, id: ConsoleUserId) -> StoreFuture<'_, ()> {
        self.write(move |conn| console::remove(conn, &id))
    }

    fn create_console_session(&self, session: ConsoleSession) -> StoreFuture<'_, ConsoleSession> {
        self.write(move |conn| console::create_session(conn, rules::console_session(session)?))
    }

    fn console_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> StoreFuture<'_, Option<(ConsoleSession, ConsoleUser)>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| console::session(conn, &key, hash, now))
    }

    fn end_console_session(&self, hash: [u8; 32]) -> StoreFuture<'_, ()> {
        self.write(move |conn| console::end_session(conn, hash))
    }

    fn create_secret(&self, secret: ApiSecret) -> StoreFuture<'_, ApiSecret> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| credentials::create_secret(conn, &key, rules::secret(secret)?))
    }

    fn load_secrets(&self) -> StoreFuture<'_, Vec<ApiSecret>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| credentials::load_secrets(conn, &key))
    }

    fn list_secrets(&self, account: AccountId) -> StoreFuture<'_, Vec<ApiSecret>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| credentials::list_secrets(conn, &key, &account))
    }

    fn revoke_secret(
        &self,
        account: AccountId,
        secret_id: String,
        at: Timestamp,
    ) -> StoreFuture<'_, ApiSecret> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| credentials::revoke_secret(conn, &key, &account, &secret_id, at))
    }

    fn callbacks(&self, id: SdkAppId) -> StoreFuture<'_, AppCallbacks> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| credentials::callbacks(conn, &key, id))
    }

    fn load_callbacks(&self) -> StoreFuture<'_, Vec<(SdkAppId, AppCallbacks)>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| credentials::load_callbacks(conn, &key))
    }

    fn set_callbacks(
        &self,
        id: SdkAppId,
        callbacks: AppCallbacks,
    ) -> StoreFuture<'_, AppCallbacks> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| {
            credentials::set_callbacks(conn, &key, id, rules::callbacks(callbacks)?)
        })
    }

    fn intake(&self, batch: UsageBatch, wall: Timestamp) -> StoreFuture<'_, Taken> {
        let counters = Arc::clone(&self.counters);
        let books = Arc::clone(&self.books);
        self.write(move |conn| {
            let batch = crate::intake::sift(batch, wall)?;
            let (node, watermark) = (batch.node.clone(), batch.watermark);
            let accounts = usage_in::intake(conn, batch, &counters)?;
            let epoch_changed = books.work(conn, |shelf| engine::usage(shelf, accounts, wall))?;
            usage_in::raise_watermark(conn, &node, watermark, wall)?;
            Ok(Taken { epoch_changed })
        })
    }

    fn close_lost_stays(&self, node: NodeId) -> StoreFuture<'_, u64> {
        self.write(move |conn| {
            rules::node(&node)?;
            usage_in::close_lost(conn, &node)
        })
    }

    fn usage_by_day(&self, id: SdkAppId, from: Date, to: Date) -> StoreFuture<'_, Vec<DayUsage>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| {
            rules::day_range(from, to)?;
            usage_out::by_day(conn, &key, id, from, to)
        })
    }

    fn usage_by_span(
        &self,
        id: SdkAppId,
        from: Timestamp,
        to: Timestamp,
        span_s: u32,
    ) -> StoreFuture<'_, Vec<SpanUsage>> {
        self.read(move |conn| usage_out::by_span(conn, id, rules::spans(from, to, span_s)?))
    }

    fn usage_by_room(
        &self,
        id: SdkAppId,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<RoomUsage>> {
        self.read(move |conn| {
            let (from, to) = rules::range(from, to)?;
            usage_out::by_room(conn, id, from, to)
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
        self.read(move |conn| {
            rules::page(limit)?;
            let (from, to) = rules::range(from, to)?;
            usage_out::list_stays(conn, &StayQuery { app: id, room, from, to, after, limit })
        })
    }

    fn bill(&self, call: BillingCall) -> StoreFuture<'_, Billed> {
        self.judge(move |shelf| engine::bill(shelf, call))
    }

    fn kept_answer(&self, once: Once) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.judge(move |shelf| engine::kept_answer(shelf, &once).map(Ok))
    }

    fn keep_answer(&self, once: Once, answer: Vec<u8>, wall: Timestamp) -> StoreFuture<'_, ()> {
        self.judge(move |shelf| engine::keep_answer(shelf, &once, &answer, wall).map(Ok))
    }

    fn fire_due(&self, wall: Timestamp, limit: u32) -> StoreFuture<'_, Vec<Fired>> {
        self.judge(move |shelf| {
            let limit = rules::fire_limit(limit)?;
            engine::fire_due(shelf, wall, limit).map(Ok)
        })
    }

    fn next_due(&self) -> StoreFuture<'_, Option<Timestamp>> {
        self.read(books::next_due)
    }

    fn advance_clock(
        &self,
        account: AccountId,
        target: ClockTarget,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, Advanced> {
        self.judge(move |shelf| {
            engine::advance(shelf, &account, target, wall, actor, once.as_ref())
        })
    }

    fn books(&self, account: AccountId, wall: Timestamp) -> StoreFuture<'_, Books> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| books::books(conn, &key, &account, wall))
    }

    fn journal(
        &self,
        account: AccountId,
        kinds: &[RecordKind],
        postings: &[PostingKind],
        after_seq: u64,
        limit: u32,
    ) -> StoreFuture<'_, Vec<JournalRow>> {
        let (kinds, postings) = (kinds.to_vec(), postings.to_vec());
        self.read(move |conn| {
            rules::page(limit)?;
            books::journal(conn, &account, (&kinds, &postings), after_seq, limit)
        })
    }

    fn record(
        &self,
        account: AccountId,
        kind: RecordKind,
        id: String,
    ) -> StoreFuture<'_, Option<Record>> {
        self.read(move |conn| books::record(conn, &account, kind, &id))
    }

    fn day_uses(&self, account: AccountId, from: Date, to: Date) -> StoreFuture<'_, Vec<DayUse>> {
        self.read(move |conn| {
            rules::day_range(from, to)?;
            books::day_uses(conn, &account, from, to)
        })
    }

    fn standing(&self, account: AccountId, wall: Timestamp) -> StoreFuture<'_, Standing> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| books::standing(conn, &key, &account, wall))
    }

    fn load_standings(&self, wall: Timestamp) -> StoreFuture<'_, Vec<Standing>> {
        let key = Arc::clone(&self.key);
        self.read(move |conn| books::standings(conn, &key, wall))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.books.changes.subscribe()
    }

    fn changed_since(&self, since: u64) -> Changed {
        self.books.changes.since(since)
    }

    fn outbox_claim(
        &self,
        wall: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> StoreFuture<'_, Vec<OutboxItem>> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| {
            rules::page(limit)?;
            books::outbox_claim(conn, &key, wall, limit, lease)
        })
    }

    fn outbox_done(&self, id: String) -> StoreFuture<'_, ()> {
        self.write(move |conn| books::outbox_done(conn, &id))
    }

    fn outbox_failed(
        &self,
        id: String,
        error: String,
        retry_at: Option<Timestamp>,
    ) -> StoreFuture<'_, ()> {
        self.write(move |conn| books::outbox_failed(conn, &id, &error, retry_at))
    }

    fn outbox_len(&self) -> StoreFuture<'_, OutboxLen> {
        self.read(books::outbox_len)
    }

    fn catalog(&self) -> StoreFuture<'_, Arc<Catalog>> {
        self.read(books::catalog)
    }

    fn add_catalog_version(
        &self,
        draft: CatalogDraft,
        wall: Timestamp,
        actor: Actor,
    ) -> StoreFuture<'_, CatalogVersion> {
        self.judge(move |shelf| engine::add_catalog_version(shelf, draft, wall, &actor).map(Ok))
    }

    fn put_partner(&self, partner: Partner) -> StoreFuture<'_, Partner> {
        self.write(move |conn| books::put_partner(conn, partner))
    }

    fn partners(&self) -> StoreFuture<'_, Vec<Partner>> {
        self.read(books::partners)
    }

    fn put_agreement(
        &self,
        partner: PartnerId,
        policy: Policy,
        effective_from: Option<Timestamp>,
        wall: Timestamp,
        actor: Actor,
    ) -> StoreFuture<'_, AgreementVersion> {
        self.judge(move |shelf| {
            engine::put_agreement(shelf, partner, policy, effective_from, wall, &actor).map(Ok)
        })
    }

    fn agreement(&self, partner: PartnerId) -> StoreFuture<'_, Agreement> {
        self.read(move |conn| books::agreement(conn, &partner))
    }

    fn set_switch(&self, name: &'static str, on: bool) -> StoreFuture<'_, ()> {
        let books = Arc::clone(&self.books);
        self.write(move |conn| {
            rules::setting_name(name)?;
            books::set_switch(conn, name, on)?;
            books.forget_switches();
            Ok(())
        })
    }

    fn switch(&self, name: &'static str) -> StoreFuture<'_, bool> {
        self.read(move |conn| books::switch(conn, name))
    }

    /// Runs on the same thread as backups, on one snapshot.
    fn verify(&self) -> StoreFuture<'_, CheckReport> {
        let key = Arc::clone(&self.key);
        worker::read(&self.maintenance, &self.counters, move |conn| {
            worker::snapshot(conn, |conn| books::verify(conn, &key))
        })
    }

    fn list_quarantine(&self, limit: u32) -> StoreFuture<'_, Vec<Quarantined>> {
        self.read(move |conn| {
            rules::page(limit)?;
            usage_out::list_quarantine(conn, limit)
        })
    }

    fn setting(&self, name: &'static str) -> StoreFuture<'_, Option<String>> {
        self.read(move |conn| {
            rules::setting_name(name)?;
            parties::setting(conn, name)
        })
    }

    fn set_setting_once(&self, name: &'static str, value: String) -> StoreFuture<'_, String> {
        self.write(move |conn| {
            rules::setting(name, &value)?;
            parties::set_setting_once(conn, name, value)
        })
    }

    fn probe(&self, now: Timestamp) -> StoreFuture<'_, ()> {
        self.write(move |conn| parties::probe(conn, now))
    }

    /// The master key is not part of it. Runs on a thread of its own, one at a time.
    fn backup(&self, to: &Path) -> StoreFuture<'_, ()> {
        let to = to.to_owned();
        worker::read(&self.maintenance, &self.counters, move |conn| backup::backup(conn, &to))
    }

    /// Runs on the same thread as backups, on one snapshot.
    fn check(&self) -> StoreFuture<'_, CheckReport> {
        let key = Arc::clone(&self.key);
        worker::read(&self.maintenance, &self.counters, move |conn| {
            worker::snapshot(conn, |conn| check::check(conn, Some(&key)))
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.writes.close();
        self.reads.close();
        self.maintenance.close();
        let mut ended = self.ended.clone();
        Box::pin(async move {
            // Nothing is ever sent; the error says that the last thread has ended.
            while ended.changed().await.is_ok() {}
            Ok(())
        })
    }
}

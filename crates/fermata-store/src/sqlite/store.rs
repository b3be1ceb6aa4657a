//! The commands of the trait, each handed to the thread it belongs to.

use std::path::Path;
use std::sync::Arc;

use fermata_types::{AccountId, NodeId, ParticipantSid, RoomName, SdkAppId, TokenId, UsageBatch};
use jiff::{Timestamp, civil::Date};

use super::usage_out::StayQuery;
use super::{SqliteStore, apps, backup, check, parties, usage_in, usage_out, worker};
use crate::{
    Account, ApiKey, ApiToken, App, AppChange, AppWithKeys, CheckReport, DayUsage, Quarantined,
    RoomUsage, Stay, Store, StoreFuture, rules,
};

impl Store for SqliteStore {
    fn create_account(&self, account: Account) -> StoreFuture<'_, Account> {
        self.write(move |conn| parties::create_account(conn, rules::account(account)?))
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

    fn create_app(&self, app: AppWithKeys) -> StoreFuture<'_, App> {
        let key = Arc::clone(&self.key);
        self.write(move |conn| apps::create(conn, &key, rules::app(app)?))
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

    fn intake(&self, batch: UsageBatch) -> StoreFuture<'_, ()> {
        let counters = Arc::clone(&self.counters);
        self.write(move |conn| usage_in::intake(conn, crate::intake::sift(batch)?, &counters))
    }

    fn close_lost_stays(&self, node: NodeId) -> StoreFuture<'_, u64> {
        self.write(move |conn| {
            rules::node(&node)?;
            usage_in::close_lost(conn, &node)
        })
    }

    fn usage_by_day(&self, id: SdkAppId, from: Date, to: Date) -> StoreFuture<'_, Vec<DayUsage>> {
        self.read(move |conn| {
            rules::day_range(from, to)?;
            usage_out::by_day(conn, id, from, to)
        })
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

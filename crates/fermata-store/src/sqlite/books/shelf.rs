//! The backend that [`crate::books`] works on, in one transaction of the writer.

use std::sync::Arc;

use fermata_billing::Outcome as Done;
use fermata_billing::catalog::Catalog;
use fermata_billing::command::UsageDelta;
use fermata_billing::id::PartnerId;
use fermata_billing::journal::{Record, RecordKind};
use fermata_billing::policy::Agreement;
use fermata_billing::state::{Item, ItemKey, State};
use fermata_types::{AccountId, SdkAppId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::fault::{Fault, Outcome};
use super::super::parties::moment;
use super::super::usage_out::sku_of;
use super::super::{apps, parties};
use super::cache::Cache;
use super::rows::json;
use super::{clear, out, outbox, rows};
use crate::books::{KeptAnswer, Reevaluation, Shelf, wall_due};
use crate::limits::{NODE_QUIET_MAX, ONCE_KEPT, ONCE_PER_SCOPE_MAX};
use crate::rules::to_us;
use crate::seal::Cell;
use crate::{Account, AppWithKeys, Once, SecretKey, StoreError};

/// The writer's connection with what is at hand.
#[derive(Debug)]
pub(in super::super) struct SqlShelf<'a> {
    pub(super) conn: &'a Connection,
    pub(super) key: &'a SecretKey,
    pub(super) cache: &'a mut Cache,
}

type Kept<T = ()> = Result<T, StoreError>;

fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn once_row(once: &Once) -> String {
    format!("{}/{}", once.scope, once.key)
}

fn once_cell(row: &str) -> Cell<'_> {
    Cell { table: "once", column: "answer_sealed", row }
}

impl SqlShelf<'_> {
    fn write_down(
        &mut self,
        account: &AccountId,
        state: &State,
        done: &Done,
        wall: Timestamp,
    ) -> Outcome<()> {
        rows::write_changes(self.conn, self.key, account, &done.changes)?;
        rows::append(self.conn, account, &done.journal)?;
        for delivery in &done.outbox {
            outbox::put(self.conn, self.key, account, delivery, wall)?;
        }
        let partner = state.profile.as_ref().and_then(|profile| profile.partner.as_ref());
        self.conn.execute(
            "INSERT INTO account_due (account_id, wall_due_us, partner) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET wall_due_us = excluded.wall_due_us, partner = excluded.partner
             WHERE wall_due_us IS NOT excluded.wall_due_us OR partner IS NOT excluded.partner",
            params![
                account.as_str(),
                wall_due(state).map(to_us),
                partner.map(|partner| &partner.0)
            ],
        )?;
        for class in &done.deletions {
            clear::clear(self.conn, self.key, account, state, *class)?;
        }
        if done.epoch_changed || !done.deletions.is_empty() {
            self.cache.changed(account);
        }
        Ok(())
    }

    fn min_watermark(&self, wall: Timestamp) -> Outcome<Timestamp> {
        let quiet = wall.saturating_sub(NODE_QUIET_MAX).unwrap_or(Timestamp::MIN);
        let sql = "SELECT min(watermark_us) FROM node_watermarks n WHERE reported_at_us >= ?1
             OR EXISTS (SELECT 1 FROM stays s WHERE s.node = n.node AND s.ended_at_us IS NULL)";
        let mark: Option<i64> = self.conn.query_row(sql, [to_us(quiet)], |row| row.get(0))?;
        mark.map_or(Ok(Timestamp::MAX), moment)
    }

    fn recall_sealed(&self, once: &Once) -> Outcome<Option<KeptAnswer>> {
        let sql = "SELECT request_hash, answer_sealed FROM once WHERE scope = ?1 AND key = ?2";
        let found: Option<KeptAnswer> = self
            .conn
            .query_row(sql, [&once.scope, &once.key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((hash, sealed)) = found else { return Ok(None) };
        Ok(Some((hash, self.key.open(&once_cell(&once_row(once)), &sealed)?)))
    }

    fn remember_sealed(&self, once: &Once, answer: &[u8], wall: Timestamp) -> Outcome<()> {
        let oldest = wall.saturating_sub(ONCE_KEPT).unwrap_or(Timestamp::MIN);
        self.conn.execute("DELETE FROM once WHERE created_at_us < ?1", [to_us(oldest)])?;
        let sql = "SELECT count(*) FROM once WHERE scope = ?1";
        let kept: u32 = self.conn.query_row(sql, [&once.scope], |row| row.get(0))?;
        if kept as usize >= ONCE_PER_SCOPE_MAX {
            self.conn.execute(
                "DELETE FROM once WHERE (scope, key) IN (SELECT scope, key FROM once
                     WHERE scope = ?1 ORDER BY created_at_us, key LIMIT 1)",
                [&once.scope],
            )?;
        }
        let sealed = self.key.seal(&once_cell(&once_row(once)), answer)?;
        self.conn.execute(
            "INSERT INTO once (scope, key, request_hash, answer_sealed, created_at_us)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![once.scope, once.key, once.request_hash, sealed, to_us(wall)],
        )?;
        Ok(())
    }

    fn waiting_out(&self, account: &AccountId) -> Outcome<Vec<UsageDelta>> {
        let mut statement = self.conn.prepare(
            "DELETE FROM usage_waiting WHERE account_id = ?1
             RETURNING sdk_app_id, sku, at_us, seconds",
        )?;
        let mut rows = statement.query([account.as_str()])?;
        let mut deltas = Vec::new();
        while let Some(row) = rows.next()? {
            deltas.push(UsageDelta {
                app: SdkAppId(row.get(0)?),
                sku: sku_of(&row.get::<_, String>(1)?)?,
                at: moment(row.get(2)?)?,
                seconds: row.get(3)?,
            });
        }
        deltas.sort_by_key(|delta| (delta.app, delta.sku, delta.at));
        Ok(deltas)
    }

    fn waiting_in(&self, account: &AccountId, deltas: &[UsageDelta]) -> Outcome<()> {
        let mut insert = self.conn.prepare(
            "INSERT INTO usage_waiting (account_id, sdk_app_id, sku, at_us, seconds)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
        )?;
        for delta in deltas {
            let (app, sku) = (delta.app.0, delta.sku.code());
            insert.execute(params![account.as_str(), app, sku, to_us(delta.at), delta.seconds])?;
        }
        Ok(())
    }

    fn ids(&self, sql: &str, params: impl rusqlite::Params) -> Outcome<Vec<AccountId>> {
        let mut statement = self.conn.prepare(sql)?;
        let rows = statement.query_map(params, |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(AccountId::from_text(&row?))).collect()
    }

    fn next_reevaluation(&self, wall: Timestamp) -> Outcome<Option<Reevaluation>> {
        type Found = (String, u32, Option<String>, i64);
        let found: Option<Found> = self
            .conn
            .query_row(
                "SELECT partner, version, after_account, wall_due_us FROM reevaluations
                 WHERE wall_due_us <= ?1 ORDER BY wall_due_us, partner, version LIMIT 1",
                [to_us(wall)],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .optional()?;
        let Some((partner, version, after, due)) = found else { return Ok(None) };
        Ok(Some(Reevaluation {
            partner: PartnerId(partner),
            version,
            after: after.as_deref().map(AccountId::from_text),
            due: moment(due)?,
        }))
    }
}

fn done<T>(outcome: Outcome<T>) -> Kept<T> {
    outcome.map_err(Into::into)
}

fn sqlite<T>(outcome: rusqlite::Result<T>) -> Kept<T> {
    outcome.map_err(|error| Fault::from(error).into())
}

impl Shelf for SqlShelf<'_> {
    fn take(&mut self, account: &AccountId) -> Kept<State> {
        match self.cache.take(account) {
            Some(state) => Ok(state),
            None => done(rows::load(self.conn, self.key, account)),
        }
    }

    fn put_back(&mut self, account: &AccountId, state: State) {
        self.cache.put(account, state);
    }

    fn save(&mut self, account: &AccountId, state: &State, step: &Done, wall: Timestamp) -> Kept {
        done(self.write_down(account, state, step, wall))
    }

    fn first_due(&self, wall: Timestamp) -> Kept<Option<AccountId>> {
        let sql = "SELECT account_id FROM account_due WHERE wall_due_us <= ?1
             ORDER BY wall_due_us, account_id LIMIT 1";
        done(self.ids(sql, [to_us(wall)])).map(|ids| ids.into_iter().next())
    }

    fn set_due(&mut self, account: &AccountId, wall_due: Option<Timestamp>) -> Kept {
        let sql = "UPDATE account_due SET wall_due_us = ?2 WHERE account_id = ?1";
        sqlite(self.conn.execute(sql, params![account.as_str(), wall_due.map(to_us)])).map(drop)
    }

    fn catalog(&mut self) -> Kept<Arc<Catalog>> {
        if let Some(catalog) = &self.cache.catalog {
            return Ok(Arc::clone(catalog));
        }
        let catalog = done(out::catalog(self.conn))?;
        self.cache.catalog = Some(Arc::clone(&catalog));
        Ok(catalog)
    }

    fn put_catalog(&mut self, catalog: Catalog) -> Kept {
        if let Some(latest) = catalog.latest() {
            done(out::put_document(
                self.conn,
                "catalog",
                "",
                latest.version,
                &done(json(latest))?,
            ))?;
        }
        self.cache.catalog = Some(Arc::new(catalog));
        Ok(())
    }

    fn agreement(&mut self, partner: &PartnerId) -> Kept<Arc<Agreement>> {
        if let Some(known) = self.cache.agreements.get(partner) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(done(out::agreement(self.conn, partner))?);
        self.cache.agreements.insert(partner.clone(), Arc::clone(&found));
        Ok(found)
    }

    fn put_agreement(&mut self, agreement: Agreement) -> Kept {
        self.cache.agreements.remove(&agreement.partner);
        let Some(last) = agreement.versions.last() else { return Ok(()) };
        let id = &agreement.partner.0;
        done(out::put_document(self.conn, "agreement", id, last.version, &done(json(last))?))
    }

    fn has_partner(&self, partner: &PartnerId) -> Kept<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM documents WHERE kind = 'partner' AND id = ?1)";
        sqlite(self.conn.query_row(sql, [&partner.0], |row| row.get(0)))
    }

    fn accounts_of(
        &self,
        partner: &PartnerId,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Kept<Vec<AccountId>> {
        let after = after.map_or("", AccountId::as_str);
        let sql = "SELECT account_id FROM account_due WHERE partner = ?1 AND account_id > ?2
             ORDER BY account_id LIMIT ?3";
        done(self.ids(sql, params![partner.0, after, number(limit)]))
    }

    fn reevaluation(&self, wall: Timestamp) -> Kept<Option<Reevaluation>> {
        done(self.next_reevaluation(wall))
    }

    fn put_reevaluation(&mut self, work: Reevaluation) -> Kept {
        let after = work.after.as_ref().map(AccountId::as_str);
        sqlite(self.conn.execute(
            "INSERT OR REPLACE INTO reevaluations (partner, version, after_account, wall_due_us)
             VALUES (?1, ?2, ?3, ?4)",
            params![work.partner.0, work.version, after, to_us(work.due)],
        ))
        .map(drop)
    }

    fn drop_reevaluation(&mut self, work: &Reevaluation) -> Kept {
        let sql = "DELETE FROM reevaluations WHERE partner = ?1 AND version = ?2";
        sqlite(self.conn.execute(sql, params![work.partner.0, work.version])).map(drop)
    }

    fn switch(&mut self, name: &'static str) -> Kept<bool> {
        if let Some(on) = self.cache.switches.get(name) {
            return Ok(*on);
        }
        let on = done(out::switch(self.conn, name))?;
        self.cache.switches.insert(name, on);
        Ok(on)
    }

    fn item(&self, account: &AccountId, key: &ItemKey) -> Kept<Option<Item>> {
        done(rows::item(self.conn, self.key, account, key))
    }

    fn record(&self, account: &AccountId, kind: RecordKind, id: &str) -> Kept<Option<Record>> {
        done(out::record(self.conn, account, kind, id))
    }

    fn payment_elsewhere(&self, account: &AccountId, provider_ref: &str) -> Kept<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM journal
             WHERE kind = 'payment' AND id = ?1 AND account_id <> ?2)";
        sqlite(self.conn.query_row(sql, [provider_ref, account.as_str()], |row| row.get(0)))
    }

    fn watermark(&self, wall: Timestamp) -> Kept<Timestamp> {
        done(self.min_watermark(wall))
    }

    fn recall(&self, once: &Once) -> Kept<Option<KeptAnswer>> {
        done(self.recall_sealed(once))
    }

    fn remember(&mut self, once: &Once, answer: &[u8], wall: Timestamp) -> Kept {
        done(self.remember_sealed(once, answer, wall))
    }

    fn take_waiting(&mut self, account: &AccountId) -> Kept<Vec<UsageDelta>> {
        done(self.waiting_out(account))
    }

    fn keep_waiting(&mut self, account: &AccountId, deltas: &[UsageDelta]) -> Kept {
        done(self.waiting_in(account, deltas))
    }

    fn accounts_waiting(&self, limit: usize) -> Kept<Vec<AccountId>> {
        let sql = "SELECT DISTINCT account_id FROM usage_waiting ORDER BY account_id LIMIT ?1";
        done(self.ids(sql, [number(limit)]))
    }

    fn account_row(&self, id: &AccountId) -> Kept<Option<Account>> {
        done(parties::find_account(self.conn, id))
    }

    fn insert_account(&mut self, account: &Account) -> Kept {
        done(parties::insert_account(self.conn, account))
    }

    fn app_known(&self, app: &AppWithKeys) -> Kept<bool> {
        done(apps::known(self.conn, self.key, app))
    }

    fn insert_app(&mut self, app: &AppWithKeys) -> Kept {
        done(apps::insert(self.conn, self.key, app))
    }
}

//! Questions about books and documents, on a snapshot.

use std::sync::Arc;

use fermata_billing::catalog::{Catalog, CatalogVersion};
use fermata_billing::id::PartnerId;
use fermata_billing::journal::{Record, RecordKind};
use fermata_billing::policy::{Agreement, Policy, policy_at};
use fermata_billing::state::{DayUse, Item, ItemKey, Profile, State};
use fermata_types::AccountId;
use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::fault::{Outcome, corrupt};
use super::super::parties::{account as account_row, moment};
use super::rows::{from_json, item, items_by_key, json, load};
use crate::books::account_now;
use crate::limits::DAY_USES_MAX;
use crate::rules;
use crate::{Books, Partner, SecretKey, Standing};

/// How an account is run; none if it has no books.
pub(in super::super) fn profile(
    conn: &Connection,
    key: &SecretKey,
    account: &AccountId,
) -> Outcome<Option<Profile>> {
    match item(conn, key, account, &ItemKey::Profile)? {
        Some(Item::Profile(profile)) => Ok(Some(profile)),
        Some(_) => Err(corrupt("profile", account)),
        None => Ok(None),
    }
}

fn terms(conn: &Connection, state: &State, at: Timestamp) -> Outcome<Policy> {
    match state.profile.as_ref().and_then(|profile| profile.partner.as_ref()) {
        Some(partner) => Ok(policy_at(Some(&agreement(conn, partner)?), at)),
        None => Ok(Policy::default()),
    }
}

pub(in super::super) fn books(
    conn: &Connection,
    key: &SecretKey,
    account: &AccountId,
    wall: Timestamp,
) -> Outcome<Books> {
    account_row(conn, account)?;
    let state = load(conn, key, account)?;
    let now = account_now(&state, rules::stored(wall));
    let policy = terms(conn, &state, now)?;
    Ok(Books { state, now, policy })
}

pub(in super::super) fn standing(
    conn: &Connection,
    key: &SecretKey,
    account: &AccountId,
    wall: Timestamp,
) -> Outcome<Standing> {
    Ok(rules::standing(account, books(conn, key, account, wall)?))
}

pub(in super::super) fn standings(
    conn: &Connection,
    key: &SecretKey,
    wall: Timestamp,
) -> Outcome<Vec<Standing>> {
    let sql = "SELECT account_id FROM account_items WHERE kind = 'profile' AND account_id = ?1";
    let mut has_books = conn.prepare(sql)?;
    let mut ids = conn.prepare("SELECT account_id FROM accounts ORDER BY account_id")?;
    let mut rows = ids.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        if has_books.exists([&id])? {
            found.push(standing(conn, key, &AccountId::from_text(&id), wall)?);
        }
    }
    Ok(found)
}

pub(in super::super) fn record(
    conn: &Connection,
    account: &AccountId,
    kind: RecordKind,
    id: &str,
) -> Outcome<Option<Record>> {
    let sql = "SELECT body FROM journal WHERE account_id = ?1 AND kind = ?2 AND id = ?3";
    let body: Option<String> = conn
        .query_row(sql, params![account.as_str(), kind.code(), id], |row| row.get(0))
        .optional()?;
    body.map(|body| from_json("record", &body)).transpose()
}

pub(in super::super) fn day_uses(
    conn: &Connection,
    account: &AccountId,
    from: Date,
    to: Date,
) -> Outcome<Vec<DayUse>> {
    account_row(conn, account)?;
    // Keys begin with the day, so a day's keys lie between it and the next day.
    let beyond = to.tomorrow().map_or_else(|_| "~".to_owned(), |day| day.to_string());
    let mut uses = Vec::new();
    for kind in ["closed_day", "day"] {
        let range = (&*from.to_string(), &*beyond);
        for item in items_by_key(conn, account, kind, range, DAY_USES_MAX + 1)? {
            match item {
                Item::Day(day) | Item::ClosedDay(day) => uses.push(day),
                _ => return Err(corrupt("use of a day", &kind)),
            }
        }
    }
    rules::day_rows(uses.len())?;
    uses.sort_by_key(|day| day.key);
    Ok(uses)
}

pub(in super::super) fn next_due(conn: &Connection) -> Outcome<Option<Timestamp>> {
    let sql = "SELECT min(due) FROM (
         SELECT min(wall_due_us) AS due FROM account_due WHERE wall_due_us IS NOT NULL
         UNION ALL SELECT min(wall_due_us) FROM reevaluations)";
    let due: Option<i64> = conn.query_row(sql, [], |row| row.get(0))?;
    due.map(moment).transpose()
}

fn documents<T: serde::de::DeserializeOwned>(
    conn: &Connection,
    kind: &'static str,
    id: Option<&str>,
) -> Outcome<Vec<T>> {
    let mut statement = conn.prepare(
        "SELECT body FROM documents WHERE kind = ?1 AND (?2 IS NULL OR id = ?2)
         ORDER BY id, version",
    )?;
    let mut rows = statement.query(params![kind, id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_json(kind, row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

/// Adds a version of a document, or replaces it.
pub(super) fn put_document(
    conn: &Connection,
    kind: &'static str,
    id: &str,
    version: u32,
    body: &str,
) -> Outcome<()> {
    conn.execute(
        "INSERT INTO documents (kind, id, version, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET body = excluded.body",
        params![kind, id, version, body],
    )?;
    Ok(())
}

pub(in super::super) fn catalog(conn: &Connection) -> Outcome<Arc<Catalog>> {
    let versions: Vec<CatalogVersion> = documents(conn, "catalog", None)?;
    let catalog = Catalog::from_versions(versions);
    catalog.map(Arc::new).map_err(|error| corrupt("catalog", &error))
}

pub(in super::super) fn put_partner(conn: &Connection, partner: Partner) -> Outcome<Partner> {
    let partner = rules::partner(partner)?;
    let sql = "SELECT count(*) FROM documents WHERE kind = 'partner' AND id <> ?1";
    let others: u32 = conn.query_row(sql, [&partner.id.0], |row| row.get(0))?;
    rules::room_for_partner(others as usize)?;
    put_document(conn, "partner", &partner.id.0, 1, &json(&partner)?)?;
    Ok(partner)
}

pub(in super::super) fn partners(conn: &Connection) -> Outcome<Vec<Partner>> {
    documents(conn, "partner", None)
}

pub(in super::super) fn agreement(conn: &Connection, partner: &PartnerId) -> Outcome<Agreement> {
    let versions = documents(conn, "agreement", Some(&partner.0))?;
    Ok(Agreement { partner: partner.clone(), versions })
}

pub(in super::super) fn set_switch(conn: &Connection, name: &str, on: bool) -> Outcome<()> {
    put_document(conn, "switch", name, 1, if on { "true" } else { "false" })
}

pub(in super::super) fn switch(conn: &Connection, name: &str) -> Outcome<bool> {
    let set: Vec<bool> = documents(conn, "switch", Some(name))?;
    Ok(set.first().copied().unwrap_or(false))
}

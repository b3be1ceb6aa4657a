//! Rows of items and of the journal, from and to their values.

use fermata_billing::clause::ClauseId;
use fermata_billing::journal::{JournalRow, LedgerUnit, Record};
use fermata_billing::state::{Change, Item, ItemKey, NOT_LOADED, State};
use fermata_types::AccountId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::fault::{Outcome, corrupt};
use super::super::parties::moment;
use crate::SecretKey;
use crate::rules::to_us;
use crate::seal::{Cell, from_hex_text, hex_text};

/// Items whose bodies are sealed, because they hold secrets of customers.
const SEALED_KINDS: &[&str] = &["contact"];
/// What a sealed body begins with; no JSON does.
pub(super) const SEALED: &str = "sealed:";

fn cell_row(account: &AccountId, kind: &str, key: &str) -> String {
    format!("{account}/{kind}/{key}")
}

fn cell(row: &str) -> Cell<'_> {
    Cell { table: "account_items", column: "body", row }
}

pub(super) fn json(value: &impl serde::Serialize) -> Outcome<String> {
    Ok(serde_json::to_string(value)
        .map_err(|error| crate::StoreError::Backend(error.to_string()))?)
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Outcome<T> {
    serde_json::from_str(text).map_err(|error| corrupt(what, &error))
}

fn open_item(
    secret: &SecretKey,
    account: &AccountId,
    kind: &str,
    key: &str,
    body: &str,
) -> Outcome<Item> {
    let Some(sealed) = body.strip_prefix(SEALED) else { return from_json("item", body) };
    let sealed = from_hex_text(sealed).ok_or_else(|| corrupt("sealed item", &key))?;
    let row = cell_row(account, kind, key);
    let plain = secret.open(&cell(&row), &sealed)?;
    serde_json::from_slice(&plain).map_err(|error| corrupt("item", &error))
}

/// Items of an account with kinds strictly between two texts.
fn items_between(
    conn: &Connection,
    secret: &SecretKey,
    account: &AccountId,
    (above, below): (&str, &str),
    mut each: impl FnMut(Item),
) -> Outcome<()> {
    let mut statement = conn.prepare(
        "SELECT kind, key, body FROM account_items
         WHERE account_id = ?1 AND kind > ?2 AND kind < ?3",
    )?;
    let mut rows = statement.query(params![account.as_str(), above, below])?;
    while let Some(row) = rows.next()? {
        let text = |column| -> rusqlite::Result<&str> { Ok(row.get_ref(column)?.as_str()?) };
        each(open_item(secret, account, text(0)?, text(1)?, text(2)?)?);
    }
    Ok(())
}

/// The working set of an account; an empty one if it has no books.
pub(super) fn load(conn: &Connection, secret: &SecretKey, account: &AccountId) -> Outcome<State> {
    let mut state = State::default();
    // Closed days are many, so the kinds that are not loaded are left out by range.
    let mut edges: Vec<&str> = NOT_LOADED.to_vec();
    edges.sort_unstable();
    edges.insert(0, "");
    edges.push("\u{10ffff}");
    for pair in edges.windows(2) {
        let [above, below] = pair else { continue };
        items_between(conn, secret, account, (above, below), |item| {
            state.apply(Change::Put(item));
        })?;
    }
    Ok(state)
}

pub(super) fn item(
    conn: &Connection,
    secret: &SecretKey,
    account: &AccountId,
    key: &ItemKey,
) -> Outcome<Option<Item>> {
    let (kind, key) = key.text();
    let sql = "SELECT body FROM account_items WHERE account_id = ?1 AND kind = ?2 AND key = ?3";
    let body: Option<String> =
        conn.query_row(sql, params![account.as_str(), kind, key], |row| row.get(0)).optional()?;
    body.map(|body| open_item(secret, account, kind, &key, &body)).transpose()
}

/// Items of one kind with keys in `from..to`.
pub(super) fn items_by_key(
    conn: &Connection,
    account: &AccountId,
    kind: &str,
    (from, to): (&str, &str),
    limit: usize,
) -> Outcome<Vec<Item>> {
    let mut statement = conn.prepare(
        "SELECT body FROM account_items
         WHERE account_id = ?1 AND kind = ?2 AND key >= ?3 AND key < ?4 LIMIT ?5",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![account.as_str(), kind, from, to, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_json("item", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

pub(super) fn write_changes(
    conn: &Connection,
    secret: &SecretKey,
    account: &AccountId,
    changes: &[Change],
) -> Outcome<()> {
    let mut put = conn.prepare(
        "INSERT INTO account_items (account_id, kind, key, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET body = excluded.body",
    )?;
    let mut drop =
        conn.prepare("DELETE FROM account_items WHERE account_id = ?1 AND kind = ?2 AND key = ?3")?;
    for change in changes {
        let (kind, key) = change.key().text();
        match change {
            Change::Put(item) => {
                let mut body = json(item)?;
                if SEALED_KINDS.contains(&kind) {
                    let row = cell_row(account, kind, &key);
                    let sealed = secret.seal(&cell(&row), body.as_bytes())?;
                    body = format!("{SEALED}{}", hex_text(&sealed));
                }
                put.execute(params![account.as_str(), kind, key, body])?;
            }
            Change::Drop(_) => {
                drop.execute(params![account.as_str(), kind, key])?;
            }
        }
    }
    Ok(())
}

pub(super) fn append(conn: &Connection, account: &AccountId, rows: &[JournalRow]) -> Outcome<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = conn.prepare(
        "INSERT INTO journal (account_id, seq, kind, id, at_us, created_at_us, actor, cause, body,
             prev_hash, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let mut entry = conn.prepare(
        "INSERT INTO ledger_entries (account_id, txn, line, ledger_account, unit, amount)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for row in rows {
        insert.execute(params![
            account.as_str(),
            i64::try_from(row.seq).map_err(|_| corrupt("number", &row.seq))?,
            row.record.kind().code(),
            row.record.id(),
            to_us(row.at),
            to_us(row.created_at),
            row.actor,
            row.cause.id(),
            json(&row.record)?,
            row.prev_hash,
            row.hash
        ])?;
        let Record::Txn(txn) = &row.record else { continue };
        for (line, posted) in (1_i64..).zip(&txn.entries) {
            entry.execute(params![
                account.as_str(),
                txn.id.as_str(),
                line,
                posted.account.code(),
                unit_code(posted.account.unit()),
                posted.amount
            ])?;
        }
    }
    Ok(())
}

fn unit_code(unit: LedgerUnit) -> &'static str {
    match unit {
        LedgerUnit::Money => "money",
        LedgerUnit::Minutes => "minutes",
    }
}

/// The columns that [`to_row`] reads.
pub(super) const JOURNAL: &str =
    "SELECT seq, at_us, created_at_us, actor, cause, body, prev_hash, hash FROM journal";

pub(super) fn to_row(row: &Row<'_>) -> Outcome<JournalRow> {
    let seq: i64 = row.get(0)?;
    let cause: String = row.get(4)?;
    let body: String = row.get(5)?;
    Ok(JournalRow {
        seq: u64::try_from(seq).map_err(|_| corrupt("number", &seq))?,
        at: moment(row.get(1)?)?,
        created_at: moment(row.get(2)?)?,
        actor: row.get(3)?,
        cause: ClauseId::parse(&cause).ok_or_else(|| corrupt("clause", &cause))?,
        record: from_json("record", &body)?,
        prev_hash: row.get(6)?,
        hash: row.get(7)?,
    })
}

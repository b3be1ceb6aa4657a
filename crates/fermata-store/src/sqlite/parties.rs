//! Accounts, operator tokens, settings and the probe, in SQL.

use fermata_types::{AccountId, TokenId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::{Outcome, corrupt};
use crate::rules::{self, exists, no_account, no_token, to_us};
use crate::{Account, ApiToken, TokenRole};

/// A moment of a `_us` column.
pub(super) fn moment(us: i64) -> Outcome<Timestamp> {
    rules::from_us(us).ok_or_else(|| corrupt("moment", &us))
}

const ACCOUNT: &str = "SELECT account_id, name, created_at_us FROM accounts";

type AccountRow = (String, String, i64);

fn account_row(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn to_account((id, name, created_at_us): AccountRow) -> Outcome<Account> {
    let id = AccountId::from_text(&id);
    Ok(Account { id, name, created_at: moment(created_at_us)? })
}

pub(super) fn find_account(conn: &Connection, id: &AccountId) -> Outcome<Option<Account>> {
    let sql = format!("{ACCOUNT} WHERE account_id = ?1");
    let row = conn.query_row(&sql, [id.as_str()], account_row).optional()?;
    row.map(to_account).transpose()
}

pub(super) fn account(conn: &Connection, id: &AccountId) -> Outcome<Account> {
    Ok(find_account(conn, id)?.ok_or_else(|| no_account(id))?)
}

pub(super) fn insert_account(conn: &Connection, new: &Account) -> Outcome<()> {
    conn.execute(
        "INSERT INTO accounts (account_id, name, created_at_us) VALUES (?1, ?2, ?3)",
        params![new.id.as_str(), new.name, to_us(new.created_at)],
    )?;
    Ok(())
}

pub(super) fn list_accounts(
    conn: &Connection,
    after: Option<&AccountId>,
    limit: u32,
) -> Outcome<Vec<Account>> {
    // No id is empty, so the empty text stands before them all.
    let after = after.map_or("", AccountId::as_str);
    let sql = format!("{ACCOUNT} WHERE account_id > ?1 ORDER BY account_id LIMIT ?2");
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map(params![after, limit], account_row)?;
    rows.map(|row| to_account(row?)).collect()
}

const TOKEN: &str =
    "SELECT token_id, name, hash, role, role_of, read_only, created_at_us, revoked_at_us
    FROM api_tokens";

type TokenRow = (String, String, [u8; 32], (String, Option<String>, bool), i64, Option<i64>);

fn token_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    let role = (row.get(3)?, row.get(4)?, row.get(5)?);
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, role, row.get(6)?, row.get(7)?))
}

fn to_token((id, name, hash, role, created_at_us, revoked_at_us): TokenRow) -> Outcome<ApiToken> {
    let (code, of, read_only) = role;
    let role = TokenRole::from_parts(&code, of).ok_or_else(|| corrupt("role", &code))?;
    Ok(ApiToken {
        id: TokenId::from_text(&id),
        name,
        hash,
        role,
        read_only,
        created_at: moment(created_at_us)?,
        revoked_at: revoked_at_us.map(moment).transpose()?,
    })
}

fn find_token(conn: &Connection, id: &TokenId) -> Outcome<Option<ApiToken>> {
    let sql = format!("{TOKEN} WHERE token_id = ?1");
    let row = conn.query_row(&sql, [id.as_str()], token_row).optional()?;
    row.map(to_token).transpose()
}

pub(super) fn create_token(conn: &Connection, new: ApiToken) -> Outcome<ApiToken> {
    if let Some(old) = find_token(conn, &new.id)? {
        let same = rules::same_token(&old, &new);
        return if same { Ok(old) } else { Err(exists("API token", &new.id).into()) };
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM api_tokens WHERE hash = ?1)";
    if conn.query_row(sql, [new.hash], |row| row.get(0))? {
        return Err(exists("API token", &new.id).into());
    }
    let tokens: u32 = conn.query_row("SELECT count(*) FROM api_tokens", [], |row| row.get(0))?;
    rules::room_for_token(tokens as usize)?;
    conn.execute(
        "INSERT INTO api_tokens
             (token_id, name, hash, role, role_of, read_only, created_at_us, revoked_at_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            new.id.as_str(),
            new.name,
            new.hash,
            new.role.code(),
            new.role.of(),
            new.read_only,
            to_us(new.created_at),
            new.revoked_at.map(to_us)
        ],
    )?;
    Ok(new)
}

pub(super) fn list_tokens(conn: &Connection) -> Outcome<Vec<ApiToken>> {
    let mut statement = conn.prepare(&format!("{TOKEN} ORDER BY created_at_us, token_id"))?;
    let rows = statement.query_map([], token_row)?;
    rows.map(|row| to_token(row?)).collect()
}

pub(super) fn revoke_token(conn: &Connection, id: &TokenId, at: Timestamp) -> Outcome<ApiToken> {
    conn.execute(
        "UPDATE api_tokens SET revoked_at_us = ?2 WHERE token_id = ?1 AND revoked_at_us IS NULL",
        params![id.as_str(), to_us(at)],
    )?;
    Ok(find_token(conn, id)?.ok_or_else(|| no_token(id))?)
}

pub(super) fn setting(conn: &Connection, name: &str) -> Outcome<Option<String>> {
    let sql = "SELECT value FROM settings WHERE name = ?1";
    Ok(conn.query_row(sql, [name], |row| row.get(0)).optional()?)
}

pub(super) fn set_setting_once(conn: &Connection, name: &str, value: String) -> Outcome<String> {
    conn.execute(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![name, value],
    )?;
    Ok(setting(conn, name)?.unwrap_or(value))
}

pub(super) fn probe(conn: &Connection, now: Timestamp) -> Outcome<()> {
    let written = to_us(now);
    conn.execute(
        "INSERT INTO probe (id, at_us) VALUES (1, ?1)
         ON CONFLICT (id) DO UPDATE SET at_us = excluded.at_us",
        [written],
    )?;
    let read: i64 = conn.query_row("SELECT at_us FROM probe", [], |row| row.get(0))?;
    if read == written { Ok(()) } else { Err(corrupt("moment that was just written", &read)) }
}

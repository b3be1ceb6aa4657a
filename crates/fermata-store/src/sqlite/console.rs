//! Users of the console and their sessions, in SQL. Secrets of one-time codes are sealed.

use fermata_types::{AccountId, ConsoleUserId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::{Fault, Outcome, corrupt};
use super::parties::moment;
use crate::limits::CONSOLE_SESSIONS_PER_USER_MAX;
use crate::rules::{self, exists, no_console_user, to_us};
use crate::seal::Cell;
use crate::{
    ConsoleSession, ConsoleTotp, ConsoleUser, ConsoleUserChange, SecretKey, StoreError, TokenRole,
};

const USER: &str = "SELECT user_id, name, password_hash, role, role_of, read_only,
    totp_secret_sealed, totp_last_step, created_at_us, password_changed_at_us, disabled_at_us
    FROM console_users";

fn totp_cell(row: &str) -> Cell<'_> {
    Cell { table: "console_users", column: "totp_secret_sealed", row }
}

fn to_totp(key: &SecretKey, id: &str, row: &Row<'_>) -> Outcome<Option<ConsoleTotp>> {
    let Some(sealed) = row.get::<_, Option<Vec<u8>>>(6)? else { return Ok(None) };
    let secret = key.open(&totp_cell(id), &sealed)?;
    let last_step: Option<i64> = row.get(7)?;
    let step = |step| u64::try_from(step).map_err(|_| corrupt("step", &step));
    Ok(Some(ConsoleTotp { secret, last_step: last_step.map(step).transpose()? }))
}

fn to_user(key: &SecretKey, row: &Row<'_>) -> Outcome<ConsoleUser> {
    let id: String = row.get(0)?;
    let code: String = row.get(3)?;
    let role = TokenRole::from_parts(&code, row.get(4)?).ok_or_else(|| corrupt("role", &code))?;
    let disabled_at_us: Option<i64> = row.get(10)?;
    Ok(ConsoleUser {
        name: row.get(1)?,
        password_hash: row.get(2)?,
        role,
        read_only: row.get(5)?,
        totp: to_totp(key, &id, row)?,
        created_at: moment(row.get(8)?)?,
        password_changed_at: moment(row.get(9)?)?,
        disabled_at: disabled_at_us.map(moment).transpose()?,
        id: ConsoleUserId::from_text(&id),
    })
}

fn find(
    conn: &Connection,
    key: &SecretKey,
    filter: &str,
    text: &str,
) -> Outcome<Option<ConsoleUser>> {
    let mut statement = conn.prepare(&format!("{USER} WHERE {filter} = ?1"))?;
    let mut rows = statement.query([text])?;
    rows.next()?.map(|row| to_user(key, row)).transpose()
}

pub(super) fn user(conn: &Connection, key: &SecretKey, id: &ConsoleUserId) -> Outcome<ConsoleUser> {
    Ok(find(conn, key, "user_id", id.as_str())?.ok_or_else(|| no_console_user(id))?)
}

pub(super) fn named(
    conn: &Connection,
    key: &SecretKey,
    name: &str,
) -> Outcome<Option<ConsoleUser>> {
    find(conn, key, "name_lower", &rules::name_lower(name))
}

pub(super) fn list(conn: &Connection, key: &SecretKey) -> Outcome<Vec<ConsoleUser>> {
    let mut statement = conn.prepare(&format!("{USER} ORDER BY created_at_us, user_id"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(to_user(key, row)?);
    }
    Ok(found)
}

fn sealed(
    key: &SecretKey,
    id: &ConsoleUserId,
    totp: Option<&ConsoleTotp>,
) -> Outcome<(Option<Vec<u8>>, Option<i64>)> {
    let Some(totp) = totp else { return Ok((None, None)) };
    let step = totp.last_step.map(|step| i64::try_from(step).unwrap_or(i64::MAX));
    Ok((Some(key.seal(&totp_cell(id.as_str()), &totp.secret)?), step))
}

pub(super) fn create(conn: &Connection, key: &SecretKey, new: ConsoleUser) -> Outcome<ConsoleUser> {
    if let Some(old) = find(conn, key, "user_id", new.id.as_str())? {
        let same = rules::same_console_user(&old, &new);
        return if same { Ok(old) } else { Err(exists("console user", &new.id).into()) };
    }
    if named(conn, key, &new.name)?.is_some() {
        return Err(exists("console user", &new.name).into());
    }
    let users: u32 = conn.query_row("SELECT count(*) FROM console_users", [], |row| row.get(0))?;
    rules::room_for_console_user(users as usize)?;
    let (secret, last_step) = sealed(key, &new.id, new.totp.as_ref())?;
    conn.execute(
        "INSERT INTO console_users (user_id, name, name_lower, password_hash, role, role_of,
             read_only, totp_secret_sealed, totp_last_step, created_at_us,
             password_changed_at_us, disabled_at_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            new.id.as_str(),
            new.name,
            rules::name_lower(&new.name),
            new.password_hash,
            new.role.code(),
            new.role.of(),
            new.read_only,
            secret,
            last_step,
            to_us(new.created_at),
            to_us(new.password_changed_at),
            new.disabled_at.map(to_us)
        ],
    )?;
    Ok(new)
}

pub(super) fn change(
    conn: &Connection,
    key: &SecretKey,
    id: &ConsoleUserId,
    change: &ConsoleUserChange,
) -> Outcome<ConsoleUser> {
    let old = user(conn, key, id)?;
    let new = rules::changed_console_user(&old, change)?;
    let (secret, last_step) = sealed(key, id, new.totp.as_ref())?;
    conn.execute(
        "UPDATE console_users SET password_hash = ?2, read_only = ?3, totp_secret_sealed = ?4,
             totp_last_step = ?5, password_changed_at_us = ?6, disabled_at_us = ?7
         WHERE user_id = ?1",
        params![
            id.as_str(),
            new.password_hash,
            new.read_only,
            secret,
            last_step,
            to_us(new.password_changed_at),
            new.disabled_at.map(to_us)
        ],
    )?;
    if rules::ends_console_sessions(change) {
        let kept = rules::kept_console_session(change);
        // No hash is empty, so the empty one keeps none.
        let kept = kept.as_ref().map_or(&[][..], |hash| &hash[..]);
        let sql = "DELETE FROM console_sessions WHERE user_id = ?1 AND hash <> ?2";
        conn.execute(sql, params![id.as_str(), kept])?;
    }
    Ok(new)
}

/// Sessions go with their user.
pub(super) fn remove(conn: &Connection, id: &ConsoleUserId) -> Outcome<()> {
    let gone = conn.execute("DELETE FROM console_users WHERE user_id = ?1", [id.as_str()])?;
    if gone == 0 { Err(no_console_user(id).into()) } else { Ok(()) }
}

const SESSION: &str =
    "SELECT hash, user_id, created_at_us, expires_at_us FROM console_sessions WHERE hash = ?1";

fn find_session(conn: &Connection, hash: [u8; 32]) -> Outcome<Option<ConsoleSession>> {
    let row: Option<([u8; 32], String, i64, i64)> = conn
        .query_row(SESSION, [hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((hash, user, created_at_us, expires_at_us)) = row else { return Ok(None) };
    Ok(Some(ConsoleSession {
        hash,
        user: ConsoleUserId::from_text(&user),
        created_at: moment(created_at_us)?,
        expires_at: moment(expires_at_us)?,
    }))
}

pub(super) fn create_session(conn: &Connection, new: ConsoleSession) -> Outcome<ConsoleSession> {
    if let Some(old) = find_session(conn, new.hash)? {
        let error = || exists("console session", &"with this token");
        return if old == new { Ok(old) } else { Err(error().into()) };
    }
    let known = "SELECT EXISTS (SELECT 1 FROM console_users WHERE user_id = ?1)";
    if !conn.query_row(known, [new.user.as_str()], |row| row.get(0))? {
        return Err(no_console_user(&new.user).into());
    }
    let expired = "DELETE FROM console_sessions WHERE expires_at_us <= ?1";
    conn.execute(expired, [to_us(new.created_at)])?;
    conn.execute(
        "INSERT INTO console_sessions (hash, user_id, created_at_us, expires_at_us)
         VALUES (?1, ?2, ?3, ?4)",
        params![new.hash, new.user.as_str(), to_us(new.created_at), to_us(new.expires_at)],
    )?;
    conn.execute(
        "DELETE FROM console_sessions WHERE user_id = ?1 AND hash <> ?2 AND hash NOT IN (
             SELECT hash FROM console_sessions WHERE user_id = ?1 AND hash <> ?2
             ORDER BY created_at_us DESC, hash DESC LIMIT ?3)",
        params![new.user.as_str(), new.hash, CONSOLE_SESSIONS_PER_USER_MAX - 1],
    )?;
    Ok(new)
}

pub(super) fn session(
    conn: &Connection,
    key: &SecretKey,
    hash: [u8; 32],
    now: Timestamp,
) -> Outcome<Option<(ConsoleSession, ConsoleUser)>> {
    let found = find_session(conn, hash)?.filter(|session| session.expires_at > now);
    let Some(session) = found else { return Ok(None) };
    let user = user(conn, key, &session.user)?;
    Ok(Some((session, user)))
}

pub(super) fn end_session(conn: &Connection, hash: [u8; 32]) -> Outcome<()> {
    conn.execute("DELETE FROM console_sessions WHERE hash = ?1", [hash])?;
    Ok(())
}

/// Takes the users of an account's customer out, with their sessions.
pub(super) fn delete_of_customer(conn: &Connection, account: &AccountId) -> Outcome<()> {
    let sql = "DELETE FROM console_users WHERE role = 'customer' AND role_of = ?1";
    conn.execute(sql, [account.as_str()])?;
    Ok(())
}

/// Tells of every user that this program could not read.
pub(super) fn problems(
    conn: &Connection,
    key: &SecretKey,
    mut tell: impl FnMut(String),
) -> Outcome<()> {
    let mut statement = conn.prepare(&format!("{USER} ORDER BY user_id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        match to_user(key, row) {
            Ok(_) => {}
            Err(Fault::Store(error @ (StoreError::Key { .. } | StoreError::Backend(_)))) => {
                tell(format!("Console user {id}: {error}."));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

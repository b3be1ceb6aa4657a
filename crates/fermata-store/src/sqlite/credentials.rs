//! Secret pairs of the server APIs and callback settings, in SQL. Their keys are sealed.

use fermata_types::{AccountId, SdkAppId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::apps::{app, app_with_keys};
use super::fault::{Fault, Outcome, corrupt};
use super::parties::{account, moment};
use crate::rules::{self, exists, no_secret, to_us};
use crate::seal::Cell;
use crate::{ApiSecret, AppCallbacks, Callback, SecretKey, SecretPolicy, StoreError, Webhook};

const SECRET: &str = "SELECT secret_id, account_id, name, policy, apps, secret_key_sealed,
    created_at_us, revoked_at_us FROM api_secrets";

fn policy_code(policy: SecretPolicy) -> &'static str {
    match policy {
        SecretPolicy::Full => "full",
        SecretPolicy::ReadOnly => "read_only",
    }
}

fn policy(code: &str) -> Outcome<SecretPolicy> {
    match code {
        "full" => Ok(SecretPolicy::Full),
        "read_only" => Ok(SecretPolicy::ReadOnly),
        _ => Err(corrupt("policy", &code)),
    }
}

fn json<T: Serialize>(value: &T) -> Outcome<String> {
    Ok(serde_json::to_string(value).map_err(|error| StoreError::Backend(error.to_string()))?)
}

fn numbers<T: DeserializeOwned>(text: &str) -> Outcome<Vec<T>> {
    serde_json::from_str(text).map_err(|_| corrupt("list of numbers", &text))
}

/// The owner is part of it, so that a key moved to another account does not open.
fn secret_row(account: &AccountId, secret_id: &str) -> String {
    format!("{account}/{secret_id}")
}

fn secret_cell(row: &str) -> Cell<'_> {
    Cell { table: "api_secrets", column: "secret_key_sealed", row }
}

fn callback_cell(row: &str) -> Cell<'_> {
    Cell { table: "app_callbacks", column: "key_sealed", row }
}

fn open(key: &SecretKey, cell: &Cell<'_>, sealed: &[u8]) -> Outcome<String> {
    String::from_utf8(key.open(cell, sealed)?).map_err(|_| corrupt("text", &"a secret"))
}

fn to_secret(key: &SecretKey, row: &Row<'_>) -> Outcome<ApiSecret> {
    let secret_id: String = row.get(0)?;
    let account = AccountId::from_text(&row.get::<_, String>(1)?);
    let sealed: Vec<u8> = row.get(5)?;
    let name = secret_row(&account, &secret_id);
    let revoked_at_us: Option<i64> = row.get(7)?;
    Ok(ApiSecret {
        name: row.get(2)?,
        policy: policy(&row.get::<_, String>(3)?)?,
        apps: numbers(&row.get::<_, String>(4)?)?.into_iter().map(SdkAppId).collect(),
        secret_key: open(key, &secret_cell(&name), &sealed)?,
        created_at: moment(row.get(6)?)?,
        revoked_at: revoked_at_us.map(moment).transpose()?,
        secret_id,
        account,
    })
}

fn find(conn: &Connection, key: &SecretKey, secret_id: &str) -> Outcome<Option<ApiSecret>> {
    let mut statement = conn.prepare(&format!("{SECRET} WHERE secret_id = ?1"))?;
    let mut rows = statement.query([secret_id])?;
    rows.next()?.map(|row| to_secret(key, row)).transpose()
}

pub(super) fn create_secret(
    conn: &Connection,
    key: &SecretKey,
    new: ApiSecret,
) -> Outcome<ApiSecret> {
    if let Some(old) = find(conn, key, &new.secret_id)? {
        let same = rules::same_secret(&old, &new);
        return if same { Ok(old) } else { Err(exists("secret", &new.secret_id).into()) };
    }
    account(conn, &new.account)?;
    for id in &new.apps {
        let owner = "SELECT EXISTS (SELECT 1 FROM apps WHERE sdk_app_id = ?1 AND account_id = ?2)";
        let own = conn.query_row(owner, params![id.0, new.account.as_str()], |row| row.get(0))?;
        rules::own_app(*id, own)?;
    }
    let count = "SELECT count(*), count(*) FILTER (WHERE revoked_at_us IS NULL) FROM api_secrets
         WHERE account_id = ?1";
    let (all, in_force): (u32, u32) =
        conn.query_row(count, [new.account.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rules::room_for_secret(all as usize, in_force as usize)?;
    let row = secret_row(&new.account, &new.secret_id);
    let numbers: Vec<_> = new.apps.iter().map(|id| id.0).collect();
    conn.execute(
        "INSERT INTO api_secrets (secret_id, account_id, name, policy, apps, secret_key_sealed,
             created_at_us, revoked_at_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL)",
        params![
            new.secret_id,
            new.account.as_str(),
            new.name,
            policy_code(new.policy),
            json(&numbers)?,
            key.seal(&secret_cell(&row), new.secret_key.as_bytes())?,
            to_us(new.created_at)
        ],
    )?;
    Ok(new)
}

fn secrets(
    conn: &Connection,
    key: &SecretKey,
    filter: &str,
    of: Option<&str>,
) -> Outcome<Vec<ApiSecret>> {
    let sql = format!("{SECRET} WHERE {filter} ORDER BY created_at_us, secret_id");
    let mut statement = conn.prepare(&sql)?;
    let mut rows = match of {
        Some(account) => statement.query([account])?,
        None => statement.query([])?,
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(to_secret(key, row)?);
    }
    Ok(found)
}

pub(super) fn load_secrets(conn: &Connection, key: &SecretKey) -> Outcome<Vec<ApiSecret>> {
    secrets(conn, key, "revoked_at_us IS NULL", None)
}

pub(super) fn list_secrets(
    conn: &Connection,
    key: &SecretKey,
    of: &AccountId,
) -> Outcome<Vec<ApiSecret>> {
    account(conn, of)?;
    secrets(conn, key, "account_id = ?1", Some(of.as_str()))
}

pub(super) fn revoke_secret(
    conn: &Connection,
    key: &SecretKey,
    of: &AccountId,
    secret_id: &str,
    at: Timestamp,
) -> Outcome<ApiSecret> {
    account(conn, of)?;
    conn.execute(
        "UPDATE api_secrets SET revoked_at_us = ?3
         WHERE secret_id = ?1 AND account_id = ?2 AND revoked_at_us IS NULL",
        params![secret_id, of.as_str(), to_us(at)],
    )?;
    let found = find(conn, key, secret_id)?.filter(|secret| secret.account == *of);
    Ok(found.ok_or_else(|| no_secret(secret_id))?)
}

fn to_callback(conn: &Connection, key: &SecretKey, id: SdkAppId) -> Outcome<Option<Callback>> {
    let sql = "SELECT url, key_sealed, event_groups FROM app_callbacks WHERE sdk_app_id = ?1";
    let row: Option<(String, Vec<u8>, String)> = conn
        .query_row(sql, [id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((url, sealed, groups)) = row else { return Ok(None) };
    let key = open(key, &callback_cell(&id.to_string()), &sealed)?;
    Ok(Some(Callback { url, key, groups: numbers(&groups)? }))
}

fn read(conn: &Connection, key: &SecretKey, id: SdkAppId) -> Outcome<AppCallbacks> {
    let mut statement =
        conn.prepare("SELECT url, api_key FROM app_webhooks WHERE sdk_app_id = ?1 ORDER BY place")?;
    let rows = statement
        .query_map([id.0], |row| Ok(Webhook { url: row.get(0)?, api_key: row.get(1)? }))?;
    let webhooks = rows.collect::<rusqlite::Result<_>>()?;
    Ok(AppCallbacks { callback: to_callback(conn, key, id)?, webhooks })
}

pub(super) fn callbacks(conn: &Connection, key: &SecretKey, id: SdkAppId) -> Outcome<AppCallbacks> {
    app(conn, id)?;
    read(conn, key, id)
}

fn with_callbacks(conn: &Connection) -> Outcome<Vec<SdkAppId>> {
    let sql = "SELECT sdk_app_id FROM app_callbacks UNION SELECT sdk_app_id FROM app_webhooks
        ORDER BY 1";
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get(0).map(SdkAppId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn load_callbacks(
    conn: &Connection,
    key: &SecretKey,
) -> Outcome<Vec<(SdkAppId, AppCallbacks)>> {
    let ids = with_callbacks(conn)?.into_iter();
    ids.map(|id| Ok((id, read(conn, key, id)?))).collect()
}

pub(super) fn set_callbacks(
    conn: &Connection,
    key: &SecretKey,
    id: SdkAppId,
    new: AppCallbacks,
) -> Outcome<AppCallbacks> {
    rules::own_keys(&new, &app_with_keys(conn, key, id)?)?;
    delete_callbacks(conn, id)?;
    if let Some(callback) = &new.callback {
        let row = id.to_string();
        let sealed = key.seal(&callback_cell(&row), callback.key.as_bytes())?;
        conn.execute(
            "INSERT INTO app_callbacks (sdk_app_id, url, key_sealed, event_groups)
             VALUES (?1, ?2, ?3, ?4)",
            params![id.0, callback.url, sealed, json(&callback.groups)?],
        )?;
    }
    for (place, webhook) in (0_u32..).zip(&new.webhooks) {
        conn.execute(
            "INSERT INTO app_webhooks (sdk_app_id, place, url, api_key) VALUES (?1, ?2, ?3, ?4)",
            params![id.0, place, webhook.url, webhook.api_key],
        )?;
    }
    Ok(new)
}

/// Takes everything out that says where events of an application go.
pub(super) fn delete_callbacks(conn: &Connection, id: SdkAppId) -> Outcome<()> {
    conn.execute("DELETE FROM app_callbacks WHERE sdk_app_id = ?1", [id.0])?;
    conn.execute("DELETE FROM app_webhooks WHERE sdk_app_id = ?1", [id.0])?;
    Ok(())
}

/// Takes all secret pairs of an account out.
pub(super) fn delete_secrets(conn: &Connection, of: &AccountId) -> Outcome<()> {
    conn.execute("DELETE FROM api_secrets WHERE account_id = ?1", [of.as_str()])?;
    Ok(())
}

/// Tells of every row that this program could not read.
pub(super) fn problems(
    conn: &Connection,
    key: &SecretKey,
    mut tell: impl FnMut(String),
) -> Outcome<()> {
    let mut told = |what: String, result: Outcome<()>| match result {
        Ok(()) => Ok(()),
        Err(Fault::Store(error @ (StoreError::Key { .. } | StoreError::Backend(_)))) => {
            tell(format!("{what}: {error}."));
            Ok(())
        }
        Err(fault) => Err(fault),
    };
    let mut statement = conn.prepare(&format!("{SECRET} ORDER BY secret_id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        told(format!("Secret {id}"), to_secret(key, row).map(drop))?;
    }
    for id in with_callbacks(conn)? {
        let readable = read(conn, key, id).and_then(|all| {
            let problem = |error: StoreError| StoreError::Backend(error.to_string());
            Ok(rules::callbacks(all).map(drop).map_err(problem)?)
        });
        told(format!("Callbacks of application {id}"), readable)?;
    }
    Ok(())
}

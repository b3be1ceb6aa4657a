//! Applications and their sealed secrets, in SQL.

use fermata_types::{AccountId, Role, Scene, SdkAppId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::{Outcome, corrupt};
use super::parties::{account, moment};
use crate::rules::{self, exists, no_api_key, no_app, to_us};
use crate::seal::Cell;
use crate::{ApiKey, App, AppChange, AppWithKeys, SecretKey};

const APP: &str = "SELECT sdk_app_id, account_id, name, default_scene,
    disconnect_timeout_s, private_map_required, created_at_us, epoch FROM apps";

pub(super) fn scene_code(scene: Scene) -> &'static str {
    match scene {
        Scene::Call => "call",
        Scene::Live => "live",
    }
}

pub(super) fn scene(code: &str) -> Outcome<Scene> {
    match code {
        "call" => Ok(Scene::Call),
        "live" => Ok(Scene::Live),
        _ => Err(corrupt("scene", &code)),
    }
}

pub(super) fn role_code(role: Role) -> &'static str {
    match role {
        Role::Anchor => "anchor",
        Role::Audience => "audience",
    }
}

pub(super) fn role(code: &str) -> Outcome<Role> {
    match code {
        "anchor" => Ok(Role::Anchor),
        "audience" => Ok(Role::Audience),
        _ => Err(corrupt("role", &code)),
    }
}

fn to_app(row: &Row<'_>) -> Outcome<App> {
    let epoch: i64 = row.get(7)?;
    Ok(App {
        sdk_app_id: SdkAppId(row.get(0)?),
        account: AccountId::from_text(&row.get::<_, String>(1)?),
        name: row.get(2)?,
        default_scene: scene(&row.get::<_, String>(3)?)?,
        disconnect_timeout_s: row.get(4)?,
        private_map_required: row.get(5)?,
        created_at: moment(row.get(6)?)?,
        epoch: u64::try_from(epoch).map_err(|_| corrupt("epoch", &epoch))?,
    })
}

fn apps(conn: &Connection, tail: &str, of: Option<&str>) -> Outcome<Vec<App>> {
    let mut statement = conn.prepare(&format!("{APP} {tail} ORDER BY sdk_app_id"))?;
    let mut rows = match of {
        Some(account) => statement.query([account])?,
        None => statement.query([])?,
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(to_app(row)?);
    }
    Ok(found)
}

pub(super) fn list(conn: &Connection, of: &AccountId) -> Outcome<Vec<App>> {
    account(conn, of)?;
    apps(conn, "WHERE account_id = ?1", Some(of.as_str()))
}

fn find(conn: &Connection, id: SdkAppId) -> Outcome<Option<App>> {
    let mut statement = conn.prepare(&format!("{APP} WHERE sdk_app_id = ?1"))?;
    let mut rows = statement.query([id.0])?;
    rows.next()?.map(to_app).transpose()
}

pub(super) fn app(conn: &Connection, id: SdkAppId) -> Outcome<App> {
    Ok(find(conn, id)?.ok_or_else(|| no_app(id))?)
}

fn open(key: &SecretKey, cell: &Cell<'_>, sealed: &[u8]) -> Outcome<String> {
    let plain = key.open(cell, sealed)?;
    String::from_utf8(plain).map_err(|_| corrupt("text", &"a secret"))
}

fn usersig_row(id: SdkAppId) -> String {
    id.to_string()
}

fn secret_row(id: SdkAppId, name: &str) -> String {
    // The owner is part of it, so that a secret moved to another application does not open.
    format!("{id}/{name}")
}

fn usersig_cell(row: &str) -> Cell<'_> {
    Cell { table: "apps", column: "usersig_key_sealed", row }
}

fn secret_cell(row: &str) -> Cell<'_> {
    Cell { table: "api_keys", column: "secret_sealed", row }
}

fn with_keys(conn: &Connection, key: &SecretKey, app: App) -> Outcome<AppWithKeys> {
    let id = app.sdk_app_id;
    let sql = "SELECT usersig_key_sealed FROM apps WHERE sdk_app_id = ?1";
    let sealed: Vec<u8> = conn.query_row(sql, [id.0], |row| row.get(0))?;
    let usersig_key = open(key, &usersig_cell(&usersig_row(id)), &sealed)?;
    let mut statement = conn.prepare(
        "SELECT api_key, secret_sealed, created_at_us FROM api_keys
         WHERE sdk_app_id = ?1 ORDER BY created_at_us, api_key",
    )?;
    let mut rows = statement.query([id.0])?;
    let mut api_keys = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let sealed: Vec<u8> = row.get(1)?;
        let secret = open(key, &secret_cell(&secret_row(id, &name)), &sealed)?;
        api_keys.push(ApiKey { key: name, secret, created_at: moment(row.get(2)?)? });
    }
    Ok(AppWithKeys { app, usersig_key, api_keys })
}

pub(super) fn app_with_keys(
    conn: &Connection,
    key: &SecretKey,
    id: SdkAppId,
) -> Outcome<AppWithKeys> {
    with_keys(conn, key, app(conn, id)?)
}

pub(super) fn load(conn: &Connection, key: &SecretKey) -> Outcome<Vec<AppWithKeys>> {
    apps(conn, "", None)?.into_iter().map(|app| with_keys(conn, key, app)).collect()
}

fn key_owner(conn: &Connection, name: &str) -> Outcome<Option<SdkAppId>> {
    let sql = "SELECT sdk_app_id FROM api_keys WHERE api_key = ?1";
    Ok(conn.query_row(sql, [name], |row| row.get(0)).optional()?.map(SdkAppId))
}

fn count(conn: &Connection, sql: &str, of: &dyn rusqlite::ToSql) -> Outcome<usize> {
    let rows: u32 = conn.query_row(sql, [of], |row| row.get(0))?;
    Ok(rows as usize)
}

/// Is it there already, with the same contents? An error if it cannot be added.
pub(super) fn known(conn: &Connection, key: &SecretKey, new: &AppWithKeys) -> Outcome<bool> {
    let id = new.app.sdk_app_id;
    if let Some(old) = find(conn, id)? {
        let same = with_keys(conn, key, old)? == *new;
        return if same { Ok(true) } else { Err(exists("application", &id).into()) };
    }
    account(conn, &new.app.account)?;
    let sql = "SELECT count(*) FROM apps WHERE account_id = ?1";
    rules::room_for_app(count(conn, sql, &new.app.account.as_str())?)?;
    for api_key in &new.api_keys {
        if key_owner(conn, &api_key.key)?.is_some() {
            return Err(exists("API key", &api_key.key).into());
        }
    }
    Ok(false)
}

/// Adds an application that is not there.
pub(super) fn insert(conn: &Connection, key: &SecretKey, new: &AppWithKeys) -> Outcome<()> {
    let app = &new.app;
    let id = app.sdk_app_id;
    conn.execute(
        "INSERT INTO apps (sdk_app_id, account_id, name, default_scene,
             disconnect_timeout_s, private_map_required, created_at_us, epoch, usersig_key_sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            id.0,
            app.account.as_str(),
            app.name,
            scene_code(app.default_scene),
            app.disconnect_timeout_s,
            app.private_map_required,
            to_us(app.created_at),
            epoch(app),
            key.seal(&usersig_cell(&usersig_row(id)), new.usersig_key.as_bytes())?
        ],
    )?;
    for api_key in &new.api_keys {
        insert_key(conn, key, id, api_key)?;
    }
    Ok(())
}

fn insert_key(conn: &Connection, key: &SecretKey, id: SdkAppId, new: &ApiKey) -> Outcome<()> {
    let row = secret_row(id, &new.key);
    let sealed = key.seal(&secret_cell(&row), new.secret.as_bytes())?;
    conn.execute(
        "INSERT INTO api_keys (api_key, sdk_app_id, secret_sealed, created_at_us)
         VALUES (?1, ?2, ?3, ?4)",
        params![new.key, id.0, sealed, to_us(new.created_at)],
    )?;
    Ok(())
}

/// Epochs start low and rise by one a change, so they never leave 63 bits.
fn epoch(app: &App) -> i64 {
    i64::try_from(app.epoch).unwrap_or(i64::MAX)
}

pub(super) fn store(conn: &Connection, app: &App) -> Outcome<()> {
    conn.execute(
        "UPDATE apps SET name = ?2, default_scene = ?3, disconnect_timeout_s = ?4,
             private_map_required = ?5, epoch = ?6 WHERE sdk_app_id = ?1",
        params![
            app.sdk_app_id.0,
            app.name,
            scene_code(app.default_scene),
            app.disconnect_timeout_s,
            app.private_map_required,
            epoch(app)
        ],
    )?;
    Ok(())
}

/// Raises the epoch, because something that belongs to the application changed.
fn raise_epoch(conn: &Connection, mut app: App) -> Outcome<App> {
    app.epoch += 1;
    store(conn, &app)?;
    Ok(app)
}

pub(super) fn change(conn: &Connection, id: SdkAppId, change: AppChange) -> Outcome<App> {
    let old = app(conn, id)?;
    let new = rules::changed(&old, change)?;
    if new != old {
        store(conn, &new)?;
    }
    Ok(new)
}

pub(super) fn add_api_key(
    conn: &Connection,
    key: &SecretKey,
    id: SdkAppId,
    new: &ApiKey,
) -> Outcome<App> {
    let app = app(conn, id)?;
    if let Some(owner) = key_owner(conn, &new.key)? {
        let same = owner == id && with_keys(conn, key, app.clone())?.api_keys.contains(new);
        return if same { Ok(app) } else { Err(exists("API key", &new.key).into()) };
    }
    rules::room_for_key(count(
        conn,
        "SELECT count(*) FROM api_keys WHERE sdk_app_id = ?1",
        &id.0,
    )?)?;
    insert_key(conn, key, id, new)?;
    raise_epoch(conn, app)
}

pub(super) fn remove_api_key(conn: &Connection, id: SdkAppId, name: &str) -> Outcome<App> {
    let app = app(conn, id)?;
    if key_owner(conn, name)? != Some(id) {
        return Err(no_api_key(name).into());
    }
    rules::key_can_go(count(conn, "SELECT count(*) FROM api_keys WHERE sdk_app_id = ?1", &id.0)?)?;
    conn.execute("DELETE FROM api_keys WHERE api_key = ?1", [name])?;
    raise_epoch(conn, app)
}

pub(super) fn set_usersig_key(
    conn: &Connection,
    key: &SecretKey,
    id: SdkAppId,
    new: &str,
) -> Outcome<App> {
    let app = app(conn, id)?;
    if with_keys(conn, key, app.clone())?.usersig_key == new {
        return Ok(app);
    }
    let sealed = key.seal(&usersig_cell(&usersig_row(id)), new.as_bytes())?;
    conn.execute(
        "UPDATE apps SET usersig_key_sealed = ?2 WHERE sdk_app_id = ?1",
        params![id.0, sealed],
    )?;
    raise_epoch(conn, app)
}

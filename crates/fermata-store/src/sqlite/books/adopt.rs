//! Books for accounts that are older than books are, and the catalog of a fresh installation.

use fermata_billing::catalog::Catalog;
use fermata_billing::command::{Actor, Command, OpenAccount};
use fermata_billing::money::{Currency, Money};
use fermata_billing::state::BillingMode;
use fermata_types::{AccountId, SdkAppId};
use rusqlite::Connection;

use super::super::fault::Outcome;
use super::super::{apps, parties};
use super::rows::json;
use super::{BookKeeper, out};
use crate::StoreError;

/// Puts the default catalog in place if there is none.
pub(in super::super) fn ready_catalog(conn: &Connection) -> Outcome<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM documents WHERE kind = 'catalog')";
    if conn.query_row(sql, [], |row| row.get(0))? {
        return Ok(());
    }
    for version in Catalog::default_catalog().versions() {
        out::put_document(conn, "catalog", "", version.version, &json(version)?)?;
    }
    Ok(())
}

/// Opens the books that are still to be opened, each account in one transaction, as of its creation.
///
/// They are billed daily: an installation that grew without books must not be suspended when its free
/// minutes are used. Usage of the time before is not billed; nobody had agreed to a price then.
pub(in super::super) fn adopt(conn: &Connection, keeper: &BookKeeper) -> Outcome<()> {
    let mut statement = conn.prepare("SELECT account_id, zone FROM books_to_open")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (id, zone) in rows.collect::<rusqlite::Result<Vec<(String, String)>>>()? {
        let account = AccountId::from_text(&id);
        conn.execute_batch("BEGIN IMMEDIATE")?;
        let opened = open_books(conn, keeper, &account, &zone);
        conn.execute_batch(if opened.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        keeper.command_ended(opened.is_ok());
        keeper.group_ended(opened.is_ok());
        match opened.map_err(StoreError::from) {
            Ok(()) => tracing::info!(%account, "The account has books now."),
            // It stays in the list; the rest of the program works without its books.
            Err(StoreError::Refused(error)) => {
                tracing::error!(%account, %error, "The books of the account cannot be opened.");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn open_books(
    conn: &Connection,
    keeper: &BookKeeper,
    account: &AccountId,
    zone: &str,
) -> Outcome<()> {
    let at = parties::account(conn, account)?.created_at;
    let terms = OpenAccount {
        account: account.clone(),
        currency: Currency::USD,
        zone: zone.to_owned(),
        billing: BillingMode::Daily,
        sandbox: false,
        partner: None,
        credit_limit: Money::ZERO,
    };
    let mut commands = vec![Command::Open(terms)];
    let mut disabled = conn.prepare("SELECT 1 FROM apps_to_disable WHERE sdk_app_id = ?1")?;
    for app in apps::list(conn, account)? {
        let app: SdkAppId = app.sdk_app_id;
        commands.push(Command::CreateApp { app });
        if disabled.exists([app.0])? {
            commands.push(Command::DisableApp { app });
        }
    }
    keeper.work(conn, |shelf| {
        crate::books::in_turn(shelf, account, &commands, at, &Actor::system())
    })?;
    conn.execute("DELETE FROM books_to_open WHERE account_id = ?1", [account.as_str()])?;
    conn.execute(
        "DELETE FROM apps_to_disable
         WHERE sdk_app_id IN (SELECT sdk_app_id FROM apps WHERE account_id = ?1)",
        [account.as_str()],
    )?;
    Ok(())
}

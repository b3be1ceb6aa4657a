//! Proving all books from their journals, and opening what is sealed.

use fermata_billing::state::Item;
use fermata_types::AccountId;
use rusqlite::Connection;

use super::super::fault::{Fault, Outcome};
use super::rows::{JOURNAL, SEALED, items_by_key, load, to_row};
use crate::limits::PROBLEMS_MAX;
use crate::{CheckReport, SecretKey, StoreError, rules};

fn accounts(conn: &Connection) -> Outcome<Vec<AccountId>> {
    let mut statement = conn.prepare("SELECT account_id FROM accounts ORDER BY account_id")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|row| Ok(AccountId::from_text(&row?))).collect()
}

pub(in super::super) fn verify(conn: &Connection, key: &SecretKey) -> Outcome<CheckReport> {
    let schema_version: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut report = CheckReport { schema_version, rows: 0, quarantined: 0, problems: Vec::new() };
    for account in accounts(conn)? {
        let (rows, problems) = verify_one(conn, key, &account)?;
        report.rows += rows;
        report.problems.extend(problems);
        if report.problems.len() > PROBLEMS_MAX {
            report.problems.truncate(PROBLEMS_MAX);
            report.problems.push("There are more problems.".to_owned());
            break;
        }
    }
    Ok(report)
}

/// Rows looked at, and what is wrong with one account.
fn verify_one(
    conn: &Connection,
    key: &SecretKey,
    account: &AccountId,
) -> Outcome<(u64, Vec<String>)> {
    let state = load(conn, key, account)?;
    let looked_up = |kind| items_by_key(conn, account, kind, ("", "\u{10ffff}"), usize::MAX);
    let closed_days = looked_up("closed_day")?.into_iter().filter_map(|item| match item {
        Item::ClosedDay(day) => Some(day),
        _ => None,
    });
    let credited = looked_up("credited")?.into_iter().filter_map(|item| match item {
        Item::Credited(bill, amount) => Some((bill, amount)),
        _ => None,
    });
    let mut journal = conn.prepare(&format!("{JOURNAL} WHERE account_id = ?1 ORDER BY seq"))?;
    let mut rows = journal.query([account.as_str()])?;
    let mut count = 0;
    let mut unreadable = None;
    // A row that cannot be read ends the journal there; what follows it is not looked at.
    let journal = std::iter::from_fn(|| {
        let row = rows.next().map_err(Fault::from).and_then(|row| row.map(to_row).transpose());
        match row {
            Ok(row) => {
                count += u64::from(row.is_some());
                row
            }
            Err(fault) => {
                unreadable = Some(StoreError::from(fault));
                None
            }
        }
    });
    let found = fermata_billing::verify::verify(&state, journal, closed_days, credited);
    let mut problems: Vec<_> = found.iter().map(|one| rules::disagreement(account, one)).collect();
    problems.extend(unreadable.map(|error| format!("Account {account}: {error}.")));
    Ok((count, problems))
}

/// Accounts whose items cannot be read back, a sentence each.
pub(in super::super) fn sealed_problems(
    conn: &Connection,
    key: &SecretKey,
    mut each: impl FnMut(String),
) -> Outcome<()> {
    let mut statement = conn.prepare(&format!(
        "SELECT DISTINCT account_id FROM account_items WHERE body LIKE '{SEALED}%'"
    ))?;
    let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
    for id in ids.collect::<rusqlite::Result<Vec<_>>>()? {
        match load(conn, key, &AccountId::from_text(&id)) {
            Ok(_) => {}
            Err(Fault::Store(error @ (StoreError::Key { .. } | StoreError::Backend(_)))) => {
                each(format!("Account {id}: {error}."));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

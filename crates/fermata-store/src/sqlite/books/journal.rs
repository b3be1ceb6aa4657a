//! Reading an account's journal by kinds of rows and by postings of ledger transactions.
//!
//! What it is not: the writing of rows, and how a row becomes a value ([`super::rows`]).

use std::collections::BTreeSet;

use fermata_billing::journal::{JournalRow, PostingKind, RecordKind};
use fermata_types::AccountId;
use rusqlite::{Connection, params};

use super::super::fault::Outcome;
use super::super::parties::account as account_row;
use super::rows::{JOURNAL, to_row};

/// Which rows: kinds, and postings of ledger transactions. All, if both are empty.
type Wanted<'a> = (&'a [RecordKind], &'a [PostingKind]);

pub(in super::super) fn journal(
    conn: &Connection,
    account: &AccountId,
    wanted: Wanted<'_>,
    after_seq: u64,
    limit: u32,
) -> Outcome<Vec<JournalRow>> {
    account_row(conn, account)?;
    let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
    let mut statement = conn.prepare(&question(wanted))?;
    let mut rows = statement.query(params![account.as_str(), after, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(to_row(row)?);
    }
    Ok(found)
}

/// The question in SQL: of account `?1`, after row `?2`, `?3` rows at most.
///
/// Asked for several kinds at once, SQLite walks all rows of the account and skips what is not wanted. So each kind
/// is asked for alone, in the index that has its rows in order; SQLite merges the answers and stops at the limit. The
/// indexes are named because without statistics it would walk all the same. No two parts have a row in common.
fn question((kinds, postings): Wanted<'_>) -> String {
    let part = |index: &str, only: &str| {
        format!("{JOURNAL} {index} WHERE account_id = ?1 AND seq > ?2 {only}")
    };
    let kinds: BTreeSet<_> = kinds.iter().collect();
    // Whoever wants every ledger transaction has those of each posting already.
    let named = if kinds.contains(&RecordKind::Txn) { &[] } else { postings };
    let postings: BTreeSet<_> = named.iter().collect();
    let of_kind = |kind: &&RecordKind| {
        part("INDEXED BY journal_by_kind", &format!("AND kind = '{}'", kind.code()))
    };
    let of_posting = |posting: &&PostingKind| {
        let only = format!("AND kind = 'txn' AND body ->> '$.is.kind' = '{}'", posting.code());
        part("INDEXED BY journal_by_posting", &only)
    };
    let mut parts: Vec<String> =
        kinds.iter().map(of_kind).chain(postings.iter().map(of_posting)).collect();
    if parts.is_empty() {
        parts.push(part("", ""));
    }
    format!("{} ORDER BY seq LIMIT ?3", parts.join(" UNION ALL "))
}

#[cfg(test)]
mod tests {
    use super::super::super::open::{MIGRATIONS, migrate};
    use super::*;

    /// However few rows are wanted, each is found by an index: no row is skipped, none is sorted.
    #[test]
    fn only_wanted_rows_are_read_and_they_come_in_order() {
        use PostingKind::{Bill, Consumption, Purchase};
        let all: Vec<_> = PostingKind::ALL.to_vec();
        let cases: &[(Wanted<'_>, usize, &str)] = &[
            ((&[], &[]), 1, "PRIMARY KEY (account_id=? AND seq>?)"),
            ((&[RecordKind::Bill], &[]), 1, "journal_by_kind (account_id=? AND kind=? AND seq>?)"),
            ((&[RecordKind::Bill, RecordKind::Txn, RecordKind::Bill], &[]), 2, "journal_by_kind ("),
            ((&[], &[Consumption]), 1, "journal_by_posting (account_id=? AND <expr>=? AND seq>?)"),
            ((&[], &[Purchase, Bill, Purchase]), 2, "journal_by_posting ("),
            ((&[RecordKind::Txn], &[Purchase]), 1, "journal_by_kind ("),
            ((&[RecordKind::Voucher], &all), 1 + all.len(), "journal_by_"),
        ];
        let conn = Connection::open_in_memory().expect("opens");
        migrate(&conn, MIGRATIONS).expect("migrates");
        for (wanted, parts, index) in cases {
            let sql = format!("EXPLAIN QUERY PLAN {}", question(*wanted));
            let mut statement = conn.prepare(&sql).expect("prepared");
            let rows = statement.query_map(params!["AC_1", 0, 9], |row| row.get(3)).expect("plan");
            let plan: Vec<String> = rows.collect::<Result<_, _>>().expect("plan");
            let searches = plan.iter().filter(|step| step.contains("SEARCH journal USING"));
            assert_eq!(searches.clone().count(), *parts, "{wanted:?}: {plan:?}");
            assert!(searches.clone().all(|step| step.contains(index)), "{wanted:?}: {plan:?}");
            let bad = |step: &String| step.contains("SCAN") || step.contains("TEMP B-TREE");
            assert!(!plan.iter().any(bad), "{wanted:?}: {plan:?}");
        }
    }
}

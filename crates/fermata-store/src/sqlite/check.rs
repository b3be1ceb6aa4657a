//! Looking over all the data: what SQLite can check, what can be recomputed, what can be read back.

use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::fault::{Fault, Outcome};
use super::open::MIGRATIONS;
use super::{apps, console, credentials};
use crate::limits::PROBLEMS_MAX;
use crate::rules::END_CODES;
use crate::{CheckReport, SecretKey, StoreError};
use fermata_types::Sku;

/// Tables whose rows are counted; all of them.
const TABLES: &[&str] = &[
    "key_check",
    "settings",
    "probe",
    "accounts",
    "apps",
    "api_keys",
    "api_tokens",
    "stays",
    "early_ends",
    "usage_windows",
    "stay_totals",
    "minute_totals",
    "node_watermarks",
    "usage_quarantine",
    "books_to_open",
    "apps_to_disable",
    "account_items",
    "journal",
    "ledger_entries",
    "account_due",
    "outbox",
    "once",
    "documents",
    "reevaluations",
    "usage_waiting",
    "api_secrets",
    "app_callbacks",
    "app_webhooks",
    "console_users",
    "console_sessions",
];

/// Questions that must have no answer. Each row of an answer is one problem, as a sentence.
const QUESTIONS: &[&str] = &[
    "SELECT 'Application ' || sdk_app_id || ' has no API key.' FROM apps
     WHERE NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.sdk_app_id = apps.sdk_app_id)
         AND NOT EXISTS (SELECT 1 FROM account_items i WHERE i.account_id = apps.account_id
             AND i.kind = 'reclaim' AND body ->> '$.is.stage' IN ('clearing', 'cleared'))",
    "SELECT 'Account ' || account_id || ' has no books.' FROM accounts
     WHERE NOT EXISTS (SELECT 1 FROM account_items i
         WHERE i.account_id = accounts.account_id AND i.kind = 'profile')",
    "SELECT 'Application ' || sdk_app_id || ' is not in the books of ' || account_id || '.' FROM apps
     WHERE NOT EXISTS (SELECT 1 FROM account_items i WHERE i.account_id = apps.account_id
         AND i.kind = 'app' AND i.key = CAST(apps.sdk_app_id AS TEXT))",
    "SELECT 'Secret ' || secret_id || ' is limited to application ' || value
         || ', which is not of its account.'
     FROM api_secrets, json_each(api_secrets.apps) WHERE NOT EXISTS (SELECT 1 FROM apps
         WHERE apps.sdk_app_id = value AND apps.account_id = api_secrets.account_id)",
    "SELECT 'The journal of ' || account_id || ' has ' || count(*) || ' rows, but its last is number '
         || max(seq) || '.' FROM journal GROUP BY account_id HAVING count(*) <> max(seq)",
    "SELECT 'The head of ' || account_id || ' is at row ' || (body ->> '$.is.journal_seq')
         || ' of the journal, which ends elsewhere.'
     FROM account_items h WHERE kind = 'head' AND (body ->> '$.is.journal_seq')
         <> (SELECT ifnull(max(seq), 0) FROM journal j WHERE j.account_id = h.account_id)",
    "SELECT 'Transaction ' || txn || ' of ' || account_id || ' is out of balance by ' || sum(amount)
         || ' (' || unit || ').'
     FROM ledger_entries GROUP BY account_id, txn, unit HAVING sum(amount) <> 0",
    "WITH again AS (SELECT account_id, ledger_account, sum(amount) AS amount
         FROM ledger_entries GROUP BY 1, 2),
     kept AS (SELECT account_id, key AS ledger_account, body ->> '$.is[1]' AS amount
         FROM account_items WHERE kind = 'balance')
     SELECT 'Account ' || account_id || ' shows ' || ifnull(kept.amount, 0) || ' on ' || ledger_account
         || ', but its entries sum to ' || ifnull(again.amount, 0) || '.'
     FROM again FULL JOIN kept USING (account_id, ledger_account)
     WHERE ifnull(kept.amount, 0) <> ifnull(again.amount, 0)",
    "SELECT 'Account ' || account_id || ' has timers, but nothing says when to look at it.'
     FROM account_items t WHERE kind = 'timer' AND NOT EXISTS (SELECT 1 FROM account_due d
         WHERE d.account_id = t.account_id AND d.wall_due_us IS NOT NULL) GROUP BY account_id",
    "SELECT 'Stay ' || stay || ' ends before it begins.' FROM stays
     WHERE ended_at_us < entered_at_us",
    "SELECT 'The end of stay ' || stay || ' waits, though the stay was opened.'
     FROM early_ends JOIN stays USING (stay)",
    "SELECT 'Stay ' || w.stay || ' has seconds in the window at ' || w.window_start_us
         || ' us, before its entry.'
     FROM usage_windows w JOIN stays s USING (stay)
     WHERE w.window_start_us + 60000000 <= s.entered_at_us",
    "SELECT 'Stay ' || w.stay || ' has seconds in the window at ' || w.window_start_us
         || ' us, after its end.'
     FROM usage_windows w JOIN stays s USING (stay)
     WHERE w.window_start_us > s.ended_at_us",
    "WITH counted AS (
         SELECT stay, sku, seconds,
             sum(seconds) OVER (PARTITION BY stay, window_start_us) AS total
         FROM usage_windows),
     again AS (SELECT stay, sku, sum(seconds) AS seconds FROM counted WHERE total <= 60 GROUP BY 1, 2)
     SELECT 'Stay ' || stay || ' has ' || ifnull(kept.seconds, 0) || ' s of ' || sku
         || ' in its total, but ' || ifnull(again.seconds, 0) || ' s in its windows.'
     FROM again FULL JOIN stay_totals kept USING (stay, sku)
     WHERE ifnull(kept.seconds, 0) <> ifnull(again.seconds, 0)",
    "WITH counted AS (
         SELECT stay, window_start_us, sku, seconds,
             sum(seconds) OVER (PARTITION BY stay, window_start_us) AS total
         FROM usage_windows),
     again AS (
         SELECT s.sdk_app_id, c.window_start_us, c.sku, sum(c.seconds) AS seconds
         FROM counted c JOIN stays s USING (stay) WHERE c.total <= 60 GROUP BY 1, 2, 3)
     SELECT 'Application ' || sdk_app_id || ' has ' || ifnull(kept.seconds, 0) || ' s of ' || sku
         || ' in its total of the minute at ' || window_start_us || ' us, but '
         || ifnull(again.seconds, 0) || ' s in its windows.'
     FROM again FULL JOIN minute_totals kept USING (sdk_app_id, window_start_us, sku)
     WHERE ifnull(kept.seconds, 0) <> ifnull(again.seconds, 0)",
];

/// Problems so far; beyond the limit they are only counted.
#[derive(Debug, Default)]
struct Problems {
    told: Vec<String>,
    untold: usize,
}

impl Problems {
    fn push(&mut self, problem: String) {
        if self.told.len() < PROBLEMS_MAX {
            self.told.push(problem);
        } else {
            self.untold += 1;
        }
    }

    fn into_sentences(mut self) -> Vec<String> {
        if self.untold > 0 {
            self.told.push(format!("There are {} more problems.", self.untold));
        }
        self.told
    }
}

/// Checks all the data. Without a key, sealed secrets are not opened.
pub(super) fn check(conn: &Connection, key: Option<&SecretKey>) -> Outcome<CheckReport> {
    let mut problems = Problems::default();
    let schema_version: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    each_text(conn, "PRAGMA integrity_check", |text| {
        if text != "ok" {
            problems.push(format!("SQLite: {text}."));
        }
    })?;
    let dangling =
        "SELECT 'A row of ' || \"table\" || ' refers to a missing one of ' || parent || '.'
        FROM pragma_foreign_key_check";
    each_text(conn, dangling, |text| problems.push(text))?;
    // The questions are asked in the words of the newest schema; older data is migrated first.
    if schema_version as usize != MIGRATIONS.len() {
        let problems = problems.into_sentences();
        return Ok(CheckReport { schema_version, rows: 0, quarantined: 0, problems });
    }
    for question in QUESTIONS {
        each_text(conn, question, |text| problems.push(text))?;
    }
    unknown_words(conn, &mut problems)?;
    if let Some(key) = key {
        unopened_secrets(conn, key, &mut problems)?;
        credentials::problems(conn, key, |text| problems.push(text))?;
        console::problems(conn, key, |text| problems.push(text))?;
        super::books::sealed_problems(conn, key, |text| problems.push(text))?;
    }
    let mut rows = 0;
    for table in TABLES {
        rows += count(conn, table)?;
    }
    let quarantined = count(conn, "usage_quarantine")?;
    Ok(CheckReport { schema_version, rows, quarantined, problems: problems.into_sentences() })
}

fn each_text(conn: &Connection, sql: &str, mut each: impl FnMut(String)) -> Outcome<()> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get(0)?);
    }
    Ok(())
}

fn count(conn: &Connection, table: &str) -> Outcome<u64> {
    let rows: i64 =
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Words that this program would refuse when reading: SKUs, ends, zones.
fn unknown_words(conn: &Connection, problems: &mut Problems) -> Outcome<()> {
    each_text(conn, "SELECT DISTINCT sku FROM usage_windows", |code| {
        if Sku::from_code(&code).is_none() {
            problems.push(format!("{code:?} is no SKU."));
        }
    })?;
    let ends = "SELECT end_reason FROM stays WHERE end_reason IS NOT NULL
        UNION SELECT end_reason FROM early_ends";
    each_text(conn, ends, |code| {
        if !END_CODES.iter().any(|(_, known)| *known == code) {
            problems.push(format!("{code:?} is no end of a stay."));
        }
    })?;
    let zones = "SELECT DISTINCT era.value ->> '$.zone' FROM account_items,
             json_each(body, '$.is.calendar.eras') AS era WHERE kind = 'profile'";
    each_text(conn, zones, |zone| {
        if TimeZone::get(&zone).is_err() {
            problems.push(format!("{zone:?} is no time zone."));
        }
    })
}

fn unopened_secrets(conn: &Connection, key: &SecretKey, problems: &mut Problems) -> Outcome<()> {
    let mut statement = conn.prepare("SELECT sdk_app_id FROM apps ORDER BY sdk_app_id")?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
    for id in ids {
        match apps::app_with_keys(conn, key, fermata_types::SdkAppId(id)) {
            Ok(_) => {}
            Err(Fault::Store(error @ (StoreError::Key { .. } | StoreError::Backend(_)))) => {
                problems.push(format!("Application {id}: {error}."));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

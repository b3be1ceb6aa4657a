//! Deleting classes of an account's data for good (T21). Books, bills and rows of the parties remain.

use fermata_billing::journal::DataClass;
use fermata_billing::state::State;
use fermata_types::{AccountId, SdkAppId};
use rusqlite::{Connection, params};

use super::super::fault::Outcome;
use super::super::{apps, console, credentials};
use crate::SecretKey;
use crate::books::logs_end;
use crate::rules::{cleared, to_us};

pub(super) fn clear(
    conn: &Connection,
    key: &SecretKey,
    account: &AccountId,
    state: &State,
    class: DataClass,
) -> Outcome<()> {
    match class {
        DataClass::Configuration => {
            for app in apps::list(conn, account)? {
                credentials::delete_callbacks(conn, app.sdk_app_id)?;
                apps::store(conn, &cleared(app))?;
            }
            conn.execute(
                "DELETE FROM api_tokens WHERE role = 'customer' AND role_of = ?1",
                [account.as_str()],
            )?;
            console::delete_of_customer(conn, account)
        }
        DataClass::ServiceLogs => service_logs(conn, state),
        DataClass::Authorisations => {
            credentials::delete_secrets(conn, account)?;
            for app in apps::list(conn, account)? {
                let useless = SecretKey::generate()?.to_text();
                conn.execute("DELETE FROM api_keys WHERE sdk_app_id = ?1", [app.sdk_app_id.0])?;
                apps::set_usersig_key(conn, key, app.sdk_app_id, &useless)?;
            }
            Ok(())
        }
        // Recordings are not kept by this program yet; packages are forfeited in the ledger.
        DataClass::Recordings | DataClass::Packages => Ok(()),
    }
}

/// Stays that ended before the first open day, with all that was reported of them.
fn service_logs(conn: &Connection, state: &State) -> Outcome<()> {
    let Some(profile) = &state.profile else { return Ok(()) };
    let before = logs_end(profile)?;
    for app in state.apps.keys() {
        of_app(conn, *app, to_us(before))?;
    }
    Ok(())
}

fn of_app(conn: &Connection, app: SdkAppId, before_us: i64) -> Outcome<()> {
    let range = params![app.0, before_us];
    // Named first: who goes is asked of the windows, and those go too.
    conn.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS doomed (stay TEXT PRIMARY KEY) STRICT;
         DELETE FROM temp.doomed;",
    )?;
    conn.execute(
        "INSERT INTO temp.doomed
         SELECT stay FROM stays WHERE sdk_app_id = ?1 AND ended_at_us < ?2
             AND NOT EXISTS (SELECT 1 FROM usage_windows w
                 WHERE w.stay = stays.stay AND w.window_start_us >= ?2)",
        range,
    )?;
    for table in ["usage_quarantine", "usage_windows", "stay_totals", "stays"] {
        let sql = format!("DELETE FROM {table} WHERE stay IN (SELECT stay FROM temp.doomed)");
        conn.execute(&sql, [])?;
    }
    // The minutes' totals are those of the windows that are left.
    conn.execute(
        "DELETE FROM minute_totals WHERE sdk_app_id = ?1 AND window_start_us < ?2",
        range,
    )?;
    conn.execute(
        "INSERT INTO minute_totals (sdk_app_id, window_start_us, sku, seconds)
         WITH counted AS (
             SELECT w.window_start_us, w.sku, w.seconds,
                 sum(w.seconds) OVER (PARTITION BY w.stay, w.window_start_us) AS total
             FROM usage_windows w JOIN stays s USING (stay)
             WHERE s.sdk_app_id = ?1 AND w.window_start_us < ?2)
         SELECT ?1, window_start_us, sku, sum(seconds) FROM counted WHERE total <= 60 GROUP BY 2, 3",
        range,
    )?;
    Ok(())
}

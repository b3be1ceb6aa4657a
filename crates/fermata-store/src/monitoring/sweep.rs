//! Forgetting in small steps: what is too old, what is too much; and counting hours and days that are over.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::row::{Period, Swept};
use super::scale::scale_of;
use super::{OPEN, ms};
use crate::limits::{
    MONITORING_COUNT_AFTER, MONITORING_KEPT, MONITORING_MINUTES_KEPT, MONITORING_SWEEP_PAGES,
    MONITORING_SWEEP_ROWS, MONITORING_TOTALS_KEPT,
};
use crate::sqlite::fault::Outcome;

pub(super) fn step(conn: &Connection, now: Timestamp, bytes_max: u64) -> Outcome<Swept> {
    let uncounted = count_one(conn, now)?;
    let expired = expire(conn, now)?;
    let mut swept = Swept { expired, bytes: bytes(conn)?, ..Swept::default() };
    if swept.bytes > bytes_max {
        swept.evicted = evict(conn)?;
        swept.bytes = bytes(conn)?;
    }
    shrink(conn)?;
    let full = swept.bytes > bytes_max && swept.evicted > 0;
    swept.more = uncounted || full || expired >= u64::from(MONITORING_SWEEP_ROWS);
    Ok(swept)
}

fn pragma(conn: &Connection, name: &str) -> Outcome<u64> {
    let value: i64 = conn.pragma_query_value(None, name, |row| row.get(0))?;
    Ok(u64::try_from(value).unwrap_or(0))
}

/// Bytes of pages that hold something.
fn bytes(conn: &Connection) -> Outcome<u64> {
    let used = pragma(conn, "page_count")?.saturating_sub(pragma(conn, "freelist_count")?);
    Ok(used.saturating_mul(pragma(conn, "page_size")?))
}

/// Tables whose rows come about in the order of their moments, with the column of the moment.
const LOGS: [(&str, &str); 3] = [("block", "ended"), ("event", "at"), ("unusual", "at")];

fn expire(conn: &Connection, now: Timestamp) -> Outcome<u64> {
    let before = |kept: SignedDuration| ms(now.checked_sub(kept).unwrap_or(Timestamp::MIN));
    let cutoff = before(MONITORING_KEPT);
    let mut gone = 0;
    for (table, column) in LOGS {
        // Rows come in the order of time, so the first one tells whether there is anything to do.
        let oldest: Option<i64> = conn
            .prepare(&format!("SELECT {column} FROM {table} ORDER BY id LIMIT 1"))?
            .query_row([], |row| row.get(0))
            .optional()?;
        if oldest.is_some_and(|oldest| oldest < cutoff) {
            let sql = format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM
                     (SELECT id, {column} FROM {table} ORDER BY id LIMIT ?2) WHERE {column} < ?1)"
            );
            gone += conn.prepare(&sql)?.execute(params![cutoff, MONITORING_SWEEP_ROWS])?;
        }
    }
    for table in ["stay", "life"] {
        let sql = format!(
            "DELETE FROM {table} WHERE id IN
                 (SELECT id FROM {table} WHERE ended < ?1 ORDER BY ended LIMIT ?2)"
        );
        gone += conn.prepare(&sql)?.execute(params![cutoff, MONITORING_SWEEP_ROWS])?;
    }
    for (period, kept) in [
        (Period::Minute, MONITORING_MINUTES_KEPT),
        (Period::Hour, MONITORING_TOTALS_KEPT),
        (Period::Day, MONITORING_TOTALS_KEPT),
    ] {
        gone += conn
            .prepare(
                "DELETE FROM total WHERE (app, period, room_sid, began) IN
                     (SELECT app, period, room_sid, began FROM total
                      WHERE period = ?1 AND began < ?2 LIMIT ?3)",
            )?
            .execute(params![period.ms(), before(kept), MONITORING_SWEEP_ROWS])?;
    }
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

/// Takes the oldest rows of the first kind that has any: samples first, which are most of the bytes, then what is
/// told of users and rooms that are gone.
fn evict(conn: &Connection) -> Outcome<u64> {
    for (table, _) in LOGS {
        let sql = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id LIMIT ?1)"
        );
        let gone = conn.prepare(&sql)?.execute([MONITORING_SWEEP_ROWS / 4])?;
        if gone > 0 {
            return Ok(u64::try_from(gone).unwrap_or(u64::MAX));
        }
    }
    for table in ["stay", "life"] {
        let sql = format!(
            "DELETE FROM {table} WHERE id IN
                 (SELECT id FROM {table} WHERE ended < ?1 ORDER BY ended LIMIT ?2)"
        );
        let gone = conn.prepare(&sql)?.execute(params![OPEN, MONITORING_SWEEP_ROWS])?;
        if gone > 0 {
            return Ok(u64::try_from(gone).unwrap_or(u64::MAX));
        }
    }
    Ok(0)
}

/// Counts one hour or day that is over. True: there may be another.
fn count_one(conn: &Connection, now: Timestamp) -> Outcome<bool> {
    for period in [Period::Hour, Period::Day] {
        let late = MONITORING_COUNT_AFTER + SignedDuration::from_millis(period.ms());
        let before = ms(now.checked_sub(late).unwrap_or(Timestamp::MIN));
        let found: Option<(u32, i64)> = conn
            .prepare(
                "SELECT app, began FROM total
                 WHERE counted = 0 AND period > 60000 AND period = ?1 AND began < ?2
                 ORDER BY began LIMIT 1",
            )?
            .query_row(params![period.ms(), before], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((app, began)) = found else { continue };
        let scale = scale_of(conn, app, began, began + period.ms())?;
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        conn.prepare(
            "UPDATE total SET counted = 1, users = ?4, room_users = ?5, entries = ?6, rooms = ?7
             WHERE app = ?1 AND period = ?2 AND room_sid = '' AND began = ?3",
        )?
        .execute(params![
            app,
            period.ms(),
            began,
            number(scale.users),
            number(scale.room_users),
            number(scale.entries),
            number(scale.rooms),
        ])?;
        return Ok(true);
    }
    Ok(false)
}

/// Gives free pages back to the disk, some at a time; a few are kept for what comes next.
fn shrink(conn: &Connection) -> Outcome<()> {
    if pragma(conn, "freelist_count")? <= u64::from(MONITORING_SWEEP_PAGES) * 4 {
        return Ok(());
    }
    let sql = format!("PRAGMA incremental_vacuum({MONITORING_SWEEP_PAGES})");
    let mut query = conn.prepare(&sql)?;
    // It takes a page with each row.
    let mut pages = query.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

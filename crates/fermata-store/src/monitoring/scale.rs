//! Totals of applications by minute, hour and day, and the counting of users and rooms.

use fermata_types::SdkAppId;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::read::count;
use super::row::{Period, Scale, Sums, Totals};
use super::{DAY_MS, HOUR_MS, MINUTE_MS, moment, ms};
use crate::sqlite::fault::Outcome;

const SUMS: [&str; 9] = [
    "joins",
    "joined",
    "joined_soon",
    "audio_ms",
    "audio_freeze_ms",
    "video_ms",
    "video_freeze_ms",
    "delay_ms",
    "delays",
];

impl Period {
    /// Its length, milliseconds.
    pub(super) const fn ms(self) -> i64 {
        match self {
            Self::Minute => MINUTE_MS,
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }
}

/// Reads the columns of [`SUMS`] from column `at` on.
fn sums(row: &Row<'_>, at: usize) -> rusqlite::Result<Sums> {
    let number = |column: usize| row.get(at + column).map(count);
    Ok(Sums {
        joins: number(0)?,
        joined: number(1)?,
        joined_soon: number(2)?,
        audio_ms: number(3)?,
        audio_freeze_ms: number(4)?,
        video_ms: number(5)?,
        video_freeze_ms: number(6)?,
        delay_ms: number(7)?,
        delays: number(8)?,
    })
}

pub(super) fn totals(
    conn: &Connection,
    app: SdkAppId,
    period: Period,
    from: Timestamp,
    to: Timestamp,
) -> Outcome<Vec<Totals>> {
    let mut query = conn.prepare(&format!(
        "SELECT began, peak_users, peak_rooms, counted, users, room_users, entries, rooms, {}
         FROM total WHERE app = ?1 AND period = ?2 AND room_sid = '' AND began >= ?3 AND began < ?4
         ORDER BY began",
        SUMS.join(", ")
    ))?;
    let mut found = query.query(params![app.0, period.ms(), ms(from), ms(to)])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let began: i64 = row.get(0)?;
        // What is not over yet is counted now.
        let scale = if row.get(3)? {
            Scale {
                users: count(row.get(4)?),
                room_users: count(row.get(5)?),
                entries: count(row.get(6)?),
                rooms: count(row.get(7)?),
            }
        } else if period == Period::Minute {
            Scale::default()
        } else {
            scale_of(conn, app.0, began, began + period.ms())?
        };
        rows.push(Totals {
            from: moment(began),
            sums: sums(row, 8)?,
            peak_users: count(row.get(1)?),
            peak_rooms: count(row.get(2)?),
            scale,
        });
    }
    Ok(rows)
}

/// Minutes of all rooms of a text.
pub(super) fn room_minutes(
    conn: &Connection,
    app: SdkAppId,
    from: Timestamp,
    to: Timestamp,
    room: &str,
) -> Outcome<Vec<Totals>> {
    let columns: Vec<_> = SUMS.iter().map(|name| format!("sum(t.{name})")).collect();
    let rows = conn
        .prepare(&format!(
            "SELECT t.began, sum(t.peak_users), sum(t.peak_rooms), {}
             FROM life l JOIN total t
                 ON t.app = l.app AND t.period = {MINUTE_MS} AND t.room_sid = l.room_sid
             WHERE l.app = ?1 AND l.text = ?4 AND l.ended >= ?2 AND l.began < ?3
                 AND t.began >= ?2 AND t.began < ?3
             GROUP BY t.began ORDER BY t.began",
            columns.join(", ")
        ))?
        .query_map(params![app.0, ms(from), ms(to), room], |row| {
            Ok(Totals {
                from: moment(row.get(0)?),
                sums: sums(row, 3)?,
                peak_users: count(row.get(1)?),
                peak_rooms: count(row.get(2)?),
                scale: Scale::default(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

/// Counts who was there from `from` to before `to`.
pub(super) fn scale_of(conn: &Connection, app: u32, from: i64, to: i64) -> Outcome<Scale> {
    let (users, rooms, entries) = conn
        .prepare(
            "SELECT count(DISTINCT identity), count(DISTINCT room_sid), count(*) FILTER (WHERE entered >= ?2)
             FROM stay WHERE app = ?1 AND ended >= ?2 AND entered < ?3",
        )?
        .query_row(params![app, from, to], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let room_users = conn
        .prepare(
            "SELECT count(*) FROM (SELECT DISTINCT l.room, s.identity
                 FROM stay s JOIN life l ON l.room_sid = s.room_sid
                 WHERE s.app = ?1 AND s.ended >= ?2 AND s.entered < ?3)",
        )?
        .query_row(params![app, from, to], |row| row.get(0))?;
    let [users, room_users, entries, rooms] = [users, room_users, entries, rooms].map(count);
    Ok(Scale { users, room_users, entries, rooms })
}

//! Writing: batches, and forgetting an application.

use fermata_types::RoomName;
use rusqlite::{Connection, named_params, params};
use serde::Serialize;

use super::row::{
    Batch, Block, Client, EventKind, EventRow, LifeBegun, StayBegun, StayOver, Tally, UnusualRow,
};
use super::{DAY_MS, HOUR_MS, MINUTE_MS, OPEN, ms};
use crate::limits::{MONITORING_SWEEP_ROWS, MONITORING_TEXT_CHARS_MAX};
use crate::sqlite::fault::{Outcome, corrupt};

/// One statement a kind of row: a batch has many rows of few kinds.
pub(super) fn append(conn: &Connection, batch: &Batch) -> Outcome<()> {
    lives(conn, &batch.lives)?;
    stays(conn, &batch.stays)?;
    let mut connected =
        conn.prepare("UPDATE stay SET connected = ?2 WHERE stay = ?1 AND connected IS NULL")?;
    for (stay, at) in &batch.connected {
        connected.execute(params![stay.as_str(), ms(*at)])?;
    }
    events(conn, &batch.events)?;
    unusual(conn, &batch.unusual)?;
    blocks(conn, &batch.blocks)?;
    stays_over(conn, &batch.stays_ended)?;
    let mut ended =
        conn.prepare("UPDATE life SET ended = max(began, ?2) WHERE room_sid = ?1 AND ended = ?3")?;
    for (room_sid, at) in &batch.lives_ended {
        ended.execute(params![room_sid.as_str(), ms(*at), OPEN])?;
    }
    tallies(conn, &batch.tallies)
}

/// A room as the vendor writes it: integer rooms are plain digits.
fn text_of(room: &RoomName) -> String {
    match room {
        RoomName::Integer(number) => number.to_string(),
        RoomName::Text(text) => text.to_string(),
    }
}

/// A room whose second is taken by another life of a room of the same text (123 and "123" are two rooms, and a
/// room can end and begin again within a second) gets the next second that is free, in its `CommId` only.
fn lives(conn: &Connection, rows: &[LifeBegun]) -> Outcome<()> {
    let mut insert = conn.prepare(
        "INSERT OR IGNORE INTO life (room_sid, app, room, text, comm_second, began, ended, creator)
         VALUES (:sid, :app, :room, :text, coalesce((
             SELECT min(a.comm_second) + 1 FROM life a
             WHERE a.app = :app AND a.text = :text AND a.comm_second >= :second
               AND EXISTS (SELECT 1 FROM life c
                   WHERE c.app = :app AND c.text = :text AND c.comm_second = :second)
               AND NOT EXISTS (SELECT 1 FROM life b
                   WHERE b.app = :app AND b.text = :text AND b.comm_second = a.comm_second + 1)
         ), :second), :began, :open, :creator)",
    )?;
    for row in rows {
        insert.execute(named_params! {
            ":sid": row.room_sid.as_str(),
            ":app": row.app.0,
            ":room": row.room.to_string(),
            ":text": text_of(&row.room),
            ":second": row.at.as_second(),
            ":began": ms(row.at),
            ":open": OPEN,
            ":creator": row.creator,
        })?;
    }
    Ok(())
}

fn stays(conn: &Connection, rows: &[StayBegun]) -> Outcome<()> {
    let mut insert = conn.prepare(
        "INSERT OR IGNORE INTO stay
             (stay, room_sid, app, identity, device, os, sdk, version, address, entered, ended)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for row in rows {
        let Client { device, os, sdk, version, address } = &row.client;
        insert.execute(params![
            row.stay.as_str(),
            row.room_sid.as_str(),
            row.app.0,
            row.identity,
            cut(device),
            cut(os),
            cut(sdk),
            cut(version),
            cut(address),
            ms(row.at),
            OPEN,
        ])?;
    }
    Ok(())
}

/// At most so many characters of a text that a client chose.
fn cut(text: &str) -> &str {
    match text.char_indices().nth(MONITORING_TEXT_CHARS_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

fn stays_over(conn: &Connection, rows: &[StayOver]) -> Outcome<()> {
    let mut insert = conn.prepare(
        "UPDATE stay SET ended = max(entered, ?2), end = ?3 WHERE stay = ?1 AND ended = ?4",
    )?;
    for row in rows {
        insert.execute(params![row.stay.as_str(), ms(row.at), word(row.end)?, OPEN])?;
    }
    Ok(())
}

/// How an enumeration is written: as its one word in JSON.
fn word(value: impl Serialize) -> Outcome<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        other => Err(corrupt("word", &format!("{other:?}"))),
    }
}

fn events(conn: &Connection, rows: &[EventRow]) -> Outcome<()> {
    let mut insert = conn.prepare(
        "INSERT INTO event (app, room_sid, stay, at, kind, param) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for row in rows {
        let (kind, param) = match row.kind {
            EventKind::Entered => ("entered", None),
            EventKind::Connected => ("connected", None),
            EventKind::Resumed => ("resumed", None),
            EventKind::RoleChanged(role) => ("role", Some(word(role)?)),
            EventKind::TrackOn(media) => ("on", Some(word(media)?)),
            EventKind::TrackOff(media) => ("off", Some(word(media)?)),
            EventKind::Muted(media) => ("muted", Some(word(media)?)),
            EventKind::Unmuted(media) => ("unmuted", Some(word(media)?)),
            EventKind::Left(end) => ("left", Some(word(end)?)),
        };
        insert.execute(params![
            row.app.0,
            row.room_sid.as_str(),
            row.stay.as_str(),
            ms(row.at),
            kind,
            param
        ])?;
    }
    Ok(())
}

fn unusual(conn: &Connection, rows: &[UnusualRow]) -> Outcome<()> {
    let mut insert = conn.prepare(
        "INSERT INTO unusual (app, room_sid, stay, at, experience, causes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for row in rows {
        let causes = serde_json::to_string(&row.causes)
            .map_err(|error| corrupt("list of causes", &error))?;
        insert.execute(params![
            row.app.0,
            row.room_sid.as_str(),
            row.stay.as_str(),
            ms(row.at),
            row.experience,
            causes,
        ])?;
    }
    Ok(())
}

fn blocks(conn: &Connection, rows: &[Block]) -> Outcome<()> {
    let mut insert = conn.prepare(
        "INSERT OR IGNORE INTO block (app, stay, began, ended, samples) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for row in rows {
        insert.execute(params![
            row.app.0,
            row.stay.as_str(),
            ms(row.from),
            ms(row.to),
            row.blob
        ])?;
    }
    Ok(())
}

/// Minutes of an application are part of its hour and its day; minutes of a room stay minutes.
fn tallies(conn: &Connection, rows: &[Tally]) -> Outcome<()> {
    let mut insert = conn.prepare(
            "INSERT INTO total (app, period, room_sid, began, joins, joined, joined_soon, audio_ms,
                 audio_freeze_ms, video_ms, video_freeze_ms, delay_ms, delays, peak_users, peak_rooms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT DO UPDATE SET
                 joins = joins + excluded.joins,
                 joined = joined + excluded.joined,
                 joined_soon = joined_soon + excluded.joined_soon,
                 audio_ms = audio_ms + excluded.audio_ms,
                 audio_freeze_ms = audio_freeze_ms + excluded.audio_freeze_ms,
                 video_ms = video_ms + excluded.video_ms,
                 video_freeze_ms = video_freeze_ms + excluded.video_freeze_ms,
                 delay_ms = delay_ms + excluded.delay_ms,
                 delays = delays + excluded.delays,
                 peak_users = max(peak_users, excluded.peak_users),
                 peak_rooms = max(peak_rooms, excluded.peak_rooms)",
    )?;
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    for row in rows {
        let periods: &[i64] =
            if row.room_sid.is_some() { &[MINUTE_MS] } else { &[MINUTE_MS, HOUR_MS, DAY_MS] };
        let room_sid = row.room_sid.as_ref().map_or("", |sid| sid.as_str());
        let (at, sums) = (ms(row.minute), &row.sums);
        for period in periods {
            insert.execute(params![
                row.app.0,
                period,
                room_sid,
                at - at.rem_euclid(*period),
                number(sums.joins),
                number(sums.joined),
                number(sums.joined_soon),
                number(sums.audio_ms),
                number(sums.audio_freeze_ms),
                number(sums.video_ms),
                number(sums.video_freeze_ms),
                number(sums.delay_ms),
                number(sums.delays),
                row.users,
                row.rooms,
            ])?;
        }
    }
    Ok(())
}

/// Forgets some rows of an application; true: there may be more.
pub(super) fn forget_some(conn: &Connection, app: fermata_types::SdkAppId) -> Outcome<bool> {
    for table in ["block", "event", "unusual", "stay", "life"] {
        let gone = conn.execute(
            &format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE app = ?1 LIMIT ?2)"
            ),
            params![app.0, MONITORING_SWEEP_ROWS],
        )?;
        if gone > 0 {
            return Ok(true);
        }
    }
    conn.execute("DELETE FROM total WHERE app = ?1", [app.0])?;
    Ok(false)
}

//! Reading rooms, stays, events and samples.

use fermata_types::{ParticipantSid, RoomName, RoomSid, SdkAppId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use serde::de::DeserializeOwned;

use super::row::{Block, Client, EventKind, EventRow, Listed, Page, RoomLife, StayRow, Unusual};
use super::{OPEN, moment, ms};
use crate::StoreError;
use crate::limits::{MONITORING_EVENTS_MAX, MONITORING_PAGE_MAX, MONITORING_SAMPLES_BYTES_MAX};
use crate::sqlite::fault::{Outcome, corrupt};

/// From, to.
type Window = (Timestamp, Timestamp);

const LIFE: &str = "room_sid, app, room, comm_second, began, ended, creator";

fn read_life(row: &Row<'_>) -> rusqlite::Result<Outcome<RoomLife>> {
    let room: String = row.get(2)?;
    let Ok(room) = RoomName::parse(&room) else { return Ok(Err(corrupt("room", &room))) };
    let ended: i64 = row.get(5)?;
    Ok(Ok(RoomLife {
        room_sid: RoomSid::from_text(&row.get::<_, String>(0)?),
        app: SdkAppId(row.get(1)?),
        room,
        comm_second: row.get(3)?,
        began: moment(row.get(4)?),
        ended: (ended != OPEN).then(|| moment(ended)),
        creator: row.get(6)?,
    }))
}

pub(super) fn lives(
    conn: &Connection,
    app: SdkAppId,
    (from, to): Window,
    room: Option<&str>,
    page: Page,
) -> Outcome<Listed<RoomLife>> {
    let room_is = if room.is_some() { "text = :room" } else { ":room IS NULL" };
    let which = format!("app = :app AND ended >= :from AND began <= :to AND {room_is}");
    let (from, to) = (ms(from), ms(to));
    let total: i64 = conn.prepare(&format!("SELECT count(*) FROM life WHERE {which}"))?.query_row(
        named_params! { ":app": app.0, ":from": from, ":to": to, ":room": room },
        |row| row.get(0),
    )?;
    let (len, skip) = limits(page);
    let rows = conn
        .prepare(&format!(
            "SELECT {LIFE} FROM life WHERE {which} ORDER BY began DESC, id DESC
             LIMIT :len OFFSET :skip"
        ))?
        .query_map(
            named_params! {
                ":app": app.0, ":from": from, ":to": to, ":room": room, ":len": len, ":skip": skip
            },
            read_life,
        )?
        .map(|row| row?)
        .collect::<Outcome<_>>()?;
    Ok(Listed { total: count(total), rows })
}

fn limits(page: Page) -> (u32, i64) {
    (page.len.min(MONITORING_PAGE_MAX), i64::try_from(page.skip).unwrap_or(i64::MAX))
}

pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn life(
    conn: &Connection,
    app: SdkAppId,
    room: &str,
    comm_second: i64,
) -> Outcome<Option<RoomLife>> {
    conn.prepare(&format!(
        "SELECT {LIFE} FROM life WHERE app = ?1 AND text = ?2 AND comm_second = ?3"
    ))?
    .query_row(params![app.0, room, comm_second], read_life)
    .optional()?
    .transpose()
}

pub(super) fn stays(
    conn: &Connection,
    room_sid: &RoomSid,
    (from, to): Window,
    users: &[String],
    page: Page,
) -> Outcome<Listed<StayRow>> {
    let users_are = if users.is_empty() {
        ":users IS NOT NULL"
    } else {
        "identity IN (SELECT value FROM json_each(:users))"
    };
    let which = format!("room_sid = :room AND ended >= :from AND entered <= :to AND {users_are}");
    let users = json(users)?;
    let (room_sid, from, to) = (room_sid.as_str(), ms(from), ms(to));
    let total: i64 = conn.prepare(&format!("SELECT count(*) FROM stay WHERE {which}"))?.query_row(
        named_params! { ":room": room_sid, ":from": from, ":to": to, ":users": users },
        |row| row.get(0),
    )?;
    let (len, skip) = limits(page);
    let rows = conn
        .prepare(&format!(
            "SELECT stay, identity, device, os, sdk, version, address, entered, connected, ended, end
             FROM stay WHERE {which} ORDER BY entered, id LIMIT :len OFFSET :skip"
        ))?
        .query_map(
            named_params! {
                ":room": room_sid, ":from": from, ":to": to, ":users": users, ":len": len,
                ":skip": skip
            },
            read_stay,
        )?
        .map(|row| row?)
        .collect::<Outcome<_>>()?;
    Ok(Listed { total: count(total), rows })
}

fn json(texts: &[String]) -> Outcome<String> {
    serde_json::to_string(texts).map_err(|error| corrupt("list of texts", &error))
}

fn sids(stays: &[ParticipantSid]) -> Outcome<String> {
    serde_json::to_string(stays).map_err(|error| corrupt("list of stays", &error))
}

fn read_stay(row: &Row<'_>) -> rusqlite::Result<Outcome<StayRow>> {
    let (ended, end): (i64, Option<String>) = (row.get(9)?, row.get(10)?);
    let left = match (ended, end) {
        (OPEN, _) => None,
        (ended, end) => match from_word("end of a stay", end.as_deref().unwrap_or_default()) {
            Ok(end) => Some((moment(ended), end)),
            Err(fault) => return Ok(Err(fault)),
        },
    };
    Ok(Ok(StayRow {
        stay: ParticipantSid::from_text(&row.get::<_, String>(0)?),
        identity: row.get(1)?,
        client: Client {
            device: row.get(2)?,
            os: row.get(3)?,
            sdk: row.get(4)?,
            version: row.get(5)?,
            address: row.get(6)?,
        },
        entered: moment(row.get(7)?),
        connected: row.get::<_, Option<i64>>(8)?.map(moment),
        left,
    }))
}

/// Reads what [`super::write`] wrote as one word.
fn from_word<T: DeserializeOwned>(what: &'static str, word: &str) -> Outcome<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|_| corrupt(what, &word))
}

pub(super) fn identities(
    conn: &Connection,
    stays: &[ParticipantSid],
) -> Outcome<Vec<(ParticipantSid, String)>> {
    let rows = conn
        .prepare("SELECT stay, identity FROM stay WHERE stay IN (SELECT value FROM json_each(?1))")?
        .query_map([sids(stays)?], |row| {
            Ok((ParticipantSid::from_text(&row.get::<_, String>(0)?), row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

pub(super) fn blocks(
    conn: &Connection,
    stays: &[ParticipantSid],
    from: Timestamp,
    to: Timestamp,
) -> Outcome<Vec<Block>> {
    let stays = sids(stays)?;
    let (from, to) = (ms(from), ms(to));
    let which = "stay IN (SELECT value FROM json_each(?1)) AND began <= ?3 AND ended >= ?2";
    let bytes: i64 = conn
        .prepare(&format!("SELECT coalesce(sum(length(samples)), 0) FROM block WHERE {which}"))?
        .query_row(params![stays, from, to], |row| row.get(0))?;
    if count(bytes) > MONITORING_SAMPLES_BYTES_MAX {
        let problem = format!(
            "{bytes} bytes of samples were asked for; {MONITORING_SAMPLES_BYTES_MAX} are allowed. \
             Ask for fewer users or a shorter time"
        );
        return Err(StoreError::Invalid { field: "series", problem }.into());
    }
    let rows = conn
        .prepare(&format!(
            "SELECT app, stay, began, ended, samples FROM block WHERE {which} ORDER BY stay, began"
        ))?
        .query_map(params![stays, from, to], |row| {
            Ok(Block {
                app: SdkAppId(row.get(0)?),
                stay: ParticipantSid::from_text(&row.get::<_, String>(1)?),
                from: moment(row.get(2)?),
                to: moment(row.get(3)?),
                blob: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

pub(super) fn events(
    conn: &Connection,
    room_sid: &RoomSid,
    identity: &str,
    from: Timestamp,
    to: Timestamp,
) -> Outcome<Vec<EventRow>> {
    conn.prepare(
        "SELECT e.app, e.room_sid, e.stay, e.at, e.kind, e.param
         FROM stay s JOIN event e ON e.stay = s.stay
         WHERE s.room_sid = ?1 AND s.identity = ?2 AND e.at >= ?3 AND e.at <= ?4
         ORDER BY e.at, e.id LIMIT ?5",
    )?
    .query_map(
        params![room_sid.as_str(), identity, ms(from), ms(to), MONITORING_EVENTS_MAX],
        read_event,
    )?
    .map(|row| row?)
    .collect()
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<Outcome<EventRow>> {
    let (kind, param): (String, Option<String>) = (row.get(4)?, row.get(5)?);
    let kind = match event_kind(&kind, param.as_deref().unwrap_or_default()) {
        Ok(kind) => kind,
        Err(fault) => return Ok(Err(fault)),
    };
    Ok(Ok(EventRow {
        app: SdkAppId(row.get(0)?),
        room_sid: RoomSid::from_text(&row.get::<_, String>(1)?),
        stay: ParticipantSid::from_text(&row.get::<_, String>(2)?),
        at: moment(row.get(3)?),
        kind,
    }))
}

fn event_kind(kind: &str, param: &str) -> Outcome<EventKind> {
    Ok(match kind {
        "entered" => EventKind::Entered,
        "connected" => EventKind::Connected,
        "resumed" => EventKind::Resumed,
        "role" => EventKind::RoleChanged(from_word("role", param)?),
        "on" => EventKind::TrackOn(from_word("kind of media", param)?),
        "off" => EventKind::TrackOff(from_word("kind of media", param)?),
        "muted" => EventKind::Muted(from_word("kind of media", param)?),
        "unmuted" => EventKind::Unmuted(from_word("kind of media", param)?),
        "left" => EventKind::Left(from_word("end of a stay", param)?),
        _ => return Err(corrupt("kind of event", &kind)),
    })
}

pub(super) fn unusual(
    conn: &Connection,
    app: SdkAppId,
    (from, to): Window,
    room: Option<&str>,
    experiences: &[u32],
    page: Page,
) -> Outcome<Listed<Unusual>> {
    let room_is = if room.is_some() { "l.text = :room" } else { ":room IS NULL" };
    let which = format!(
        "FROM unusual u JOIN stay s ON s.stay = u.stay JOIN life l ON l.room_sid = u.room_sid
         WHERE u.app = :app AND u.at >= :from AND u.at <= :to AND {room_is}
             AND u.experience IN (SELECT value FROM json_each(:ids))"
    );
    let ids = serde_json::to_string(experiences).map_err(|error| corrupt("list of ids", &error))?;
    let (from, to) = (ms(from), ms(to));
    let total: i64 = conn.prepare(&format!("SELECT count(*) {which}"))?.query_row(
        named_params! { ":app": app.0, ":from": from, ":to": to, ":room": room, ":ids": ids },
        |row| row.get(0),
    )?;
    let (len, skip) = limits(page);
    let mut query = conn.prepare(&format!(
        "SELECT s.identity, l.room, u.at, u.experience, u.causes {which}
         ORDER BY u.at DESC, u.id DESC LIMIT :len OFFSET :skip"
    ))?;
    let mut found = query.query(named_params! {
        ":app": app.0, ":from": from, ":to": to, ":room": room, ":ids": ids, ":len": len, ":skip": skip
    })?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let (room, causes): (String, String) = (row.get(1)?, row.get(4)?);
        rows.push(Unusual {
            identity: row.get(0)?,
            room: RoomName::parse(&room).map_err(|_| corrupt("room", &room))?,
            at: moment(row.get(2)?),
            experience: row.get(3)?,
            causes: named(conn, &causes)?,
        });
    }
    Ok(Listed { total: count(total), rows })
}

/// Names of the stays that causes come from; one that is forgotten is nobody.
fn named(conn: &Connection, causes: &str) -> Outcome<Vec<(u32, String)>> {
    let causes: Vec<(u32, Option<ParticipantSid>)> =
        serde_json::from_str(causes).map_err(|_| corrupt("list of causes", &causes))?;
    let mut query = conn.prepare("SELECT identity FROM stay WHERE stay = ?1")?;
    let mut named = Vec::with_capacity(causes.len());
    for (event, stay) in causes {
        let name: Option<String> = match stay {
            Some(stay) => query.query_row([stay.as_str()], |row| row.get(0)).optional()?,
            None => None,
        };
        named.push((event, name.unwrap_or_default()));
    }
    Ok(named)
}

//! Reading usage back: days, rooms, stays, the quarantine.

use std::collections::BTreeMap;

use fermata_billing::calendar::Calendar;
use fermata_billing::state::DayUse;
use fermata_types::{
    NodeId, ParticipantSid, RoomName, RoomSid, SdkAppId, Sku, StayEnd, StayOpened,
};
use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, Row, params};

use super::apps::{app, role, scene};
use super::books::{day_uses, profile};
use super::fault::{Outcome, corrupt};
use super::parties::moment;
use crate::limits::ROOM_USAGE_ROWS_MAX;
use crate::rules::{END_CODES, days, room_rows, to_us};
use crate::{DayUsage, QuarantineReason, Quarantined, RoomUsage, SecretKey, SpanUsage, Stay};

pub(super) fn sku_of(code: &str) -> Outcome<Sku> {
    Sku::from_code(code).ok_or_else(|| corrupt("SKU", &code))
}

pub(super) fn end_of(code: &str) -> Outcome<StayEnd> {
    let found = END_CODES.iter().find(|(_, known)| *known == code);
    found.map(|(end, _)| *end).ok_or_else(|| corrupt("end of a stay", &code))
}

fn reason_of(code: &str) -> Outcome<QuarantineReason> {
    let found = QuarantineReason::ALL.iter().find(|known| known.code() == code);
    found.copied().ok_or_else(|| corrupt("reason", &code))
}

fn room_of(text: &str) -> Outcome<RoomName> {
    RoomName::parse(text).map_err(|_| corrupt("room name", &text))
}

fn sum(seconds: i64) -> Outcome<u64> {
    u64::try_from(seconds).map_err(|_| corrupt("sum", &seconds))
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Outcome<&'a str> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

pub(super) fn by_day(
    conn: &Connection,
    key: &SecretKey,
    id: SdkAppId,
    from: Date,
    to: Date,
) -> Outcome<Vec<DayUsage>> {
    let account = app(conn, id)?.account;
    let profile = profile(conn, key, &account)?;
    if profile.as_ref().is_some_and(|profile| profile.sandbox) {
        // Its days are those of its own clock, and some of its use was never reported by a node.
        let uses = day_uses(conn, &account, from, to)?.into_iter();
        let uses = uses.filter(|day| day.key.app == id && day.seconds > 0);
        return uses
            .map(|DayUse { key, seconds, .. }| {
                Ok(DayUsage { day: key.day, sku: key.sku, seconds: sum(seconds)? })
            })
            .collect();
    }
    let calendar = match profile {
        Some(profile) => profile.calendar,
        None => Calendar::new("UTC").map_err(|error| corrupt("time zone", &error))?,
    };
    let mut statement = conn.prepare(
        "SELECT sku, sum(seconds) FROM minute_totals
         WHERE sdk_app_id = ?1 AND window_start_us >= ?2 AND window_start_us < ?3 GROUP BY sku",
    )?;
    let mut found = Vec::new();
    for (day, starts, ends) in days(&calendar, from, to)? {
        let mut sums = BTreeMap::new();
        let mut rows = statement.query(params![id.0, to_us(starts), to_us(ends)])?;
        while let Some(row) = rows.next()? {
            sums.insert(sku_of(text(row, 0)?)?, sum(row.get(1)?)?);
        }
        let sums = sums.into_iter().filter(|(_, seconds)| *seconds > 0);
        found.extend(sums.map(|(sku, seconds)| DayUsage { day, sku, seconds }));
    }
    Ok(found)
}

pub(super) fn by_room(
    conn: &Connection,
    id: SdkAppId,
    from: Timestamp,
    to: Timestamp,
) -> Outcome<Vec<RoomUsage>> {
    app(conn, id)?;
    let mut statement = conn.prepare(
        "SELECT s.room, s.room_sid, t.sku, sum(t.seconds) AS total
         FROM stays s JOIN stay_totals t USING (stay)
         WHERE s.sdk_app_id = ?1 AND s.entered_at_us >= ?2 AND s.entered_at_us < ?3
         GROUP BY s.room, s.room_sid, t.sku HAVING total > 0 LIMIT ?4",
    )?;
    // One more than allowed, to tell that there are more.
    let limit = u32::try_from(ROOM_USAGE_ROWS_MAX + 1).unwrap_or(u32::MAX);
    let mut rows = statement.query(params![id.0, to_us(from), to_us(to), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(RoomUsage {
            room: room_of(text(row, 0)?)?,
            room_sid: RoomSid::from_text(text(row, 1)?),
            sku: sku_of(text(row, 2)?)?,
            seconds: sum(row.get(3)?)?,
        });
    }
    room_rows(found.len())?;
    found.sort_by(|a, b| (&a.room, &a.room_sid, a.sku).cmp(&(&b.room, &b.room_sid, b.sku)));
    Ok(found)
}

/// `spans`: from, to and length in microseconds.
pub(super) fn by_span(
    conn: &Connection,
    id: SdkAppId,
    spans: (i64, i64, i64),
) -> Outcome<Vec<SpanUsage>> {
    app(conn, id)?;
    let (from, to, span) = spans;
    let mut statement = conn.prepare(
        "SELECT window_start_us - (window_start_us - ?2) % ?4 AS begins, sku, sum(seconds) AS total
         FROM minute_totals WHERE sdk_app_id = ?1 AND window_start_us >= ?2 AND window_start_us < ?3
         GROUP BY 1, 2 HAVING total > 0 LIMIT ?5",
    )?;
    // One more than allowed, to tell that there are more.
    let limit = u32::try_from(ROOM_USAGE_ROWS_MAX + 1).unwrap_or(u32::MAX);
    let mut rows = statement.query(params![id.0, from, to, span, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let start = moment(row.get(0)?)?;
        found.push(SpanUsage { start, sku: sku_of(text(row, 1)?)?, seconds: sum(row.get(2)?)? });
    }
    room_rows(found.len())?;
    found.sort_by_key(|row| (row.start, row.sku));
    Ok(found)
}

const STAY: &str = "SELECT stay, sdk_app_id, room, room_sid, identity, scene, role, entered_at_us,
    ended_at_us, end_reason, node FROM stays";

fn to_opened(row: &Row<'_>) -> Outcome<StayOpened> {
    Ok(StayOpened {
        stay: ParticipantSid::from_text(text(row, 0)?),
        app: SdkAppId(row.get(1)?),
        room: room_of(text(row, 2)?)?,
        room_sid: RoomSid::from_text(text(row, 3)?),
        identity: row.get(4)?,
        scene: scene(text(row, 5)?)?,
        role: role(text(row, 6)?)?,
        entered_at: moment(row.get(7)?)?,
    })
}

/// The opening of a stay and who reported it, if it was reported.
pub(super) fn stay_opened(
    conn: &Connection,
    stay: &ParticipantSid,
) -> Outcome<Option<(NodeId, StayOpened)>> {
    let mut statement = conn.prepare(&format!("{STAY} WHERE stay = ?1"))?;
    let mut rows = statement.query([stay.as_str()])?;
    let row = rows.next()?;
    row.map(|row| Ok((NodeId::from_text(text(row, 10)?), to_opened(row)?))).transpose()
}

/// Which stays to list.
#[derive(Debug)]
pub(super) struct StayQuery {
    pub(super) app: SdkAppId,
    pub(super) room: Option<RoomName>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) after: Option<(Timestamp, ParticipantSid)>,
    pub(super) limit: u32,
}

pub(super) fn list_stays(conn: &Connection, query: &StayQuery) -> Outcome<Vec<Stay>> {
    app(conn, query.app)?;
    // The page begins behind `after`, or at `from` if that is later; no stay's id is empty.
    let from_us = to_us(query.from);
    let (after_us, after) = match &query.after {
        Some((at, stay)) if to_us(*at) >= from_us => (to_us(*at), stay.as_str()),
        _ => (from_us, ""),
    };
    let only = if query.room.is_some() { "AND room = ?6" } else { "AND ?6 IS NULL" };
    let sql = format!(
        "{STAY} WHERE sdk_app_id = ?1 AND (entered_at_us, stay) > (?2, ?3) AND entered_at_us < ?4
         {only} ORDER BY entered_at_us, stay LIMIT ?5"
    );
    let mut statement = conn.prepare(&sql)?;
    let mut totals =
        conn.prepare("SELECT sku, seconds FROM stay_totals WHERE stay = ?1 AND seconds > 0")?;
    let room = query.room.as_ref().map(ToString::to_string);
    let mut rows = statement.query(params![
        query.app.0,
        after_us,
        after,
        to_us(query.to),
        query.limit,
        room
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let opened = to_opened(row)?;
        let ended_at: Option<i64> = row.get(8)?;
        let end: Option<String> = row.get(9)?;
        let mut seconds = BTreeMap::new();
        let mut of_stay = totals.query([opened.stay.as_str()])?;
        while let Some(row) = of_stay.next()? {
            seconds.insert(sku_of(text(row, 0)?)?, sum(row.get(1)?)?);
        }
        found.push(Stay {
            stay: opened.stay,
            app: opened.app,
            room: opened.room,
            room_sid: opened.room_sid,
            identity: opened.identity,
            scene: opened.scene,
            role: opened.role,
            entered_at: opened.entered_at,
            ended_at: ended_at.map(moment).transpose()?,
            end: end.as_deref().map(end_of).transpose()?,
            seconds: seconds.into_iter().collect(),
        });
    }
    Ok(found)
}

pub(super) fn list_quarantine(conn: &Connection, limit: u32) -> Outcome<Vec<Quarantined>> {
    let mut statement = conn.prepare(
        "SELECT node, stay, at_us, reason, seconds FROM usage_quarantine
         ORDER BY node, stay, at_us, reason LIMIT ?1",
    )?;
    let mut rows = statement.query([limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Quarantined {
            node: NodeId::from_text(text(row, 0)?),
            stay: ParticipantSid::from_text(text(row, 1)?),
            at: moment(row.get(2)?)?,
            reason: reason_of(text(row, 3)?)?,
            seconds: sum(row.get(4)?)?,
        });
    }
    Ok(found)
}

//! The one table, in SQL.

use fermata_types::{RoomName, SdkAppId};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::limits::{
    DELIVERED_KEPT, ERROR_BYTES_MAX, FAILED_KEPT, PRUNED_PER_CALL, SETTLED_BYTES_MAX,
    SETTLED_ROWS_MAX,
};
use super::{
    Delivery, DeliveryAttempt, DeliveryCounts, DeliveryFilter, DeliveryReceiver, DeliveryState,
    NewDelivery, Outgoing, Pruned, WaitingDelivery,
};
use crate::StoreError;
use crate::sqlite::fault::{Outcome, corrupt};

/// What the writer knows without counting.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) counts: DeliveryCounts,
    /// Bytes of bodies of settled deliveries.
    bytes: u64,
    last_turn: u64,
}

impl Tally {
    /// Counts what is there.
    pub(super) fn read(conn: &Connection) -> Outcome<Self> {
        let mut tally = Self::default();
        let mut rows = conn.prepare(
            "SELECT state, count(*), total(length(body)) FROM deliveries GROUP BY state",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (state, count): (String, i64) = (row.get(0)?, row.get(1)?);
            let bytes: f64 = row.get(2)?;
            let state = read_state(&state)?;
            *tally.of(state) = unsigned(count)?;
            if state != DeliveryState::Waiting {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a sum of lengths, far below 2^53"
                )]
                let bytes = bytes as u64;
                tally.bytes += bytes;
            }
        }
        let last: Option<i64> =
            conn.query_row("SELECT max(turn) FROM deliveries", [], |row| row.get(0))?;
        tally.last_turn = unsigned(last.unwrap_or(0))?;
        Ok(tally)
    }

    fn of(&mut self, state: DeliveryState) -> &mut u64 {
        match state {
            DeliveryState::Waiting => &mut self.counts.waiting,
            DeliveryState::Delivered => &mut self.counts.delivered,
            DeliveryState::Failed => &mut self.counts.failed,
        }
    }

    fn add(&mut self, state: DeliveryState, bytes: u64) {
        *self.of(state) += 1;
        if state != DeliveryState::Waiting {
            self.bytes += bytes;
        }
    }

    fn take(&mut self, state: DeliveryState, bytes: u64) {
        let count = self.of(state);
        *count = count.saturating_sub(1);
        if state != DeliveryState::Waiting {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }

    fn turn(&mut self) -> u64 {
        self.last_turn += 1;
        self.last_turn
    }
}

fn unsigned(number: i64) -> Outcome<u64> {
    u64::try_from(number).map_err(|_| corrupt("count", &number))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn moment(us: i64) -> Outcome<Timestamp> {
    Timestamp::from_microsecond(us).map_err(|_| corrupt("moment", &us))
}

fn read_state(word: &str) -> Outcome<DeliveryState> {
    [DeliveryState::Waiting, DeliveryState::Delivered, DeliveryState::Failed]
        .into_iter()
        .find(|state| state.word() == word)
        .ok_or_else(|| corrupt("state of a delivery", &word))
}

fn read_receiver(word: &str) -> Outcome<DeliveryReceiver> {
    [DeliveryReceiver::Callback, DeliveryReceiver::Webhook]
        .into_iter()
        .find(|receiver| receiver.word() == word)
        .ok_or_else(|| corrupt("receiver of a delivery", &word))
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(ERROR_BYTES_MAX)).unwrap_or(text)
}

/// Keeps deliveries, in this order; answers with their turns, none for an id that is there already.
pub(super) fn append(
    conn: &Connection,
    tally: &mut Tally,
    batch: &[NewDelivery],
) -> Outcome<Vec<Option<u64>>> {
    let mut insert = conn.prepare(
        "INSERT INTO deliveries (id, sdk_app_id, receiver, url, room, event, state, turn, created_at_us, due_at_us,
             attempts, replays, settled_at_us, error, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 0, 0, ?10, ?11, ?12)
         ON CONFLICT (id) DO NOTHING",
    )?;
    let mut turns = Vec::with_capacity(batch.len());
    for new in batch {
        let failed = new.failed.as_deref().map(cut);
        let state = if failed.is_some() { DeliveryState::Failed } else { DeliveryState::Waiting };
        let created = new.created_at.as_microsecond();
        let turn = tally.turn();
        let inserted = insert.execute(params![
            new.id,
            new.app.0,
            new.receiver.word(),
            new.url,
            new.room.to_string(),
            new.event,
            state.word(),
            signed(turn),
            created,
            failed.map(|_| created),
            failed,
            new.body,
        ])?;
        if inserted > 0 {
            tally.add(state, new.body.len() as u64);
        }
        turns.push((inserted > 0).then_some(turn));
    }
    Ok(turns)
}

/// All that wait, in order; those above `most` are given up.
pub(super) fn take_up(
    conn: &Connection,
    tally: &mut Tally,
    most: u32,
    now: Timestamp,
) -> Outcome<Vec<WaitingDelivery>> {
    let mut select = conn.prepare(
        "SELECT turn, sdk_app_id, receiver, url, room, due_at_us, length(body) FROM deliveries
         WHERE state = 'waiting' ORDER BY turn LIMIT ?1",
    )?;
    let mut rows = select.query([most])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(waiting(row)?);
    }
    if all.len() < most as usize {
        return Ok(all);
    }
    let last = all.last().map_or(0, |last| signed(last.turn));
    let mut update = conn.prepare(
        "UPDATE deliveries SET state = 'failed', settled_at_us = ?2, error = 'too many deliveries waited'
         WHERE state = 'waiting' AND turn > ?1 RETURNING length(body)",
    )?;
    let mut rows = update.query(params![last, now.as_microsecond()])?;
    while let Some(row) = rows.next()? {
        let bytes = unsigned(row.get(0)?)?;
        tally.take(DeliveryState::Waiting, bytes);
        tally.add(DeliveryState::Failed, bytes);
    }
    Ok(all)
}

fn waiting(row: &Row<'_>) -> Outcome<WaitingDelivery> {
    let (receiver, room): (String, String) = (row.get(2)?, row.get(4)?);
    Ok(WaitingDelivery {
        turn: unsigned(row.get(0)?)?,
        app: SdkAppId(row.get(1)?),
        receiver: read_receiver(&receiver)?,
        url: row.get(3)?,
        room: RoomName::parse(&room).map_err(|_| corrupt("room name", &room))?,
        due_at: moment(row.get(5)?)?,
        bytes: unsigned(row.get(6)?)?,
    })
}

/// What an attempt needs; none if it does not wait any more.
pub(super) fn outgoing(conn: &Connection, turn: u64) -> Outcome<Option<Outgoing>> {
    let mut select = conn.prepare(
        "SELECT id, sdk_app_id, receiver, url, body FROM deliveries WHERE turn = ?1 AND state = 'waiting'",
    )?;
    let mut rows = select.query([signed(turn)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let receiver: String = row.get(2)?;
    Ok(Some(Outgoing {
        id: row.get(0)?,
        app: SdkAppId(row.get(1)?),
        receiver: read_receiver(&receiver)?,
        url: row.get(3)?,
        body: row.get(4)?,
    }))
}

/// Writes an attempt down, and what came of it.
pub(super) fn attempted(
    conn: &Connection,
    tally: &mut Tally,
    turn: u64,
    attempt: &DeliveryAttempt,
    state: DeliveryState,
) -> Outcome<()> {
    let took = i64::try_from(attempt.took_ms).unwrap_or(i64::MAX);
    let ended = attempt.at.as_microsecond().saturating_add(took.saturating_mul(1_000));
    let settled = (state != DeliveryState::Waiting).then_some(ended);
    let mut update = conn.prepare(
        "UPDATE deliveries SET state = ?2, settled_at_us = ?3, attempts = attempts + 1, tried_at_us = ?4,
             took_ms = ?5, status = ?6, error = ?7
         WHERE turn = ?1 AND state = 'waiting' RETURNING length(body)",
    )?;
    let error = attempt.error.as_deref().map(cut);
    let bytes: Option<i64> = update
        .query_row(
            params![
                signed(turn),
                state.word(),
                settled,
                attempt.at.as_microsecond(),
                took,
                attempt.status,
                error
            ],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(bytes) = bytes {
        let bytes = unsigned(bytes)?;
        tally.take(DeliveryState::Waiting, bytes);
        tally.add(state, bytes);
    }
    Ok(())
}

const COLUMNS: &str = "n, id, sdk_app_id, receiver, url, room, event, state, created_at_us, attempts, replays, \
                       settled_at_us, tried_at_us, took_ms, status, error";

fn delivery(row: &Row<'_>) -> Outcome<Delivery> {
    let (receiver, room): (String, String) = (row.get(3)?, row.get(5)?);
    let state: String = row.get(7)?;
    let settled: Option<i64> = row.get(11)?;
    let (tried, error): (Option<i64>, Option<String>) = (row.get(12)?, row.get(15)?);
    let (last, problem) = match tried {
        Some(at) => {
            let attempt = DeliveryAttempt {
                at: moment(at)?,
                took_ms: unsigned(row.get::<_, Option<i64>>(13)?.unwrap_or(0))?,
                status: row.get(14)?,
                error,
            };
            (Some(attempt), None)
        }
        None => (None, error),
    };
    Ok(Delivery {
        n: unsigned(row.get(0)?)?,
        id: row.get(1)?,
        app: SdkAppId(row.get(2)?),
        receiver: read_receiver(&receiver)?,
        url: row.get(4)?,
        room: RoomName::parse(&room).map_err(|_| corrupt("room name", &room))?,
        event: row.get(6)?,
        state: read_state(&state)?,
        created_at: moment(row.get(8)?)?,
        attempts: unsigned(row.get(9)?)?,
        replays: unsigned(row.get(10)?)?,
        settled_at: settled.map(moment).transpose()?,
        last,
        problem,
    })
}

/// Deliveries of an application below row `before`, the newest first.
pub(super) fn list(
    conn: &Connection,
    app: SdkAppId,
    filter: &DeliveryFilter,
    before: Option<u64>,
    limit: u32,
) -> Outcome<Vec<Delivery>> {
    let mut sql = format!("SELECT {COLUMNS} FROM deliveries WHERE sdk_app_id = ?");
    let mut values = vec![Value::from(i64::from(app.0))];
    let mut add = |condition: &str, value: Value| {
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(state) = filter.state {
        add(" AND state = ?", Value::from(state.word().to_owned()));
    }
    if let Some(room) = &filter.room {
        add(" AND room = ?", Value::from(room.to_string()));
    }
    if let Some(event) = &filter.event {
        add(" AND event = ?", Value::from(event.clone()));
    }
    if let Some(before) = before {
        add(" AND n < ?", Value::from(signed(before)));
    }
    add(" ORDER BY n DESC LIMIT ?", Value::from(i64::from(limit)));
    let mut select = conn.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(delivery(row)?);
    }
    Ok(all)
}

/// One delivery with its body.
pub(super) fn get(conn: &Connection, app: SdkAppId, id: &str) -> Outcome<(Delivery, Vec<u8>)> {
    let sql = format!("SELECT {COLUMNS}, body FROM deliveries WHERE id = ?1 AND sdk_app_id = ?2");
    let mut select = conn.prepare(&sql)?;
    let mut rows = select.query(params![id, app.0])?;
    let Some(row) = rows.next()? else { return Err(unknown(id).into()) };
    Ok((delivery(row)?, row.get(16)?))
}

fn unknown(id: &str) -> StoreError {
    StoreError::NotFound { what: "delivery", id: id.chars().take(80).collect() }
}

/// Lets a settled delivery wait once more, behind all others.
pub(super) fn replay(
    conn: &Connection,
    tally: &mut Tally,
    app: SdkAppId,
    id: &str,
    now: Timestamp,
) -> Outcome<WaitingDelivery> {
    let (delivery, body) = get(conn, app, id)?;
    if delivery.state == DeliveryState::Waiting {
        let problem = "it is waiting already".to_owned();
        return Err(StoreError::Invalid { field: "delivery", problem }.into());
    }
    let turn = tally.turn();
    conn.execute(
        "UPDATE deliveries SET state = 'waiting', settled_at_us = NULL, turn = ?2, due_at_us = ?3, replays = replays + 1
         WHERE n = ?1",
        params![signed(delivery.n), signed(turn), now.as_microsecond()],
    )?;
    tally.take(delivery.state, body.len() as u64);
    tally.add(DeliveryState::Waiting, 0);
    let Delivery { app, receiver, url, room, .. } = delivery;
    let bytes = body.len() as u64;
    Ok(WaitingDelivery { turn, app, receiver, url, room, due_at: now, bytes })
}

/// Removes settled deliveries that are too old or too many, the oldest first.
pub(super) fn prune(conn: &Connection, tally: &mut Tally, now: Timestamp) -> Outcome<Pruned> {
    let mut removed = 0;
    for (state, kept) in
        [(DeliveryState::Delivered, DELIVERED_KEPT), (DeliveryState::Failed, FAILED_KEPT)]
    {
        let before = now.saturating_sub(kept).unwrap_or(Timestamp::MIN).as_microsecond();
        let sql = "SELECT n FROM deliveries WHERE state <> 'waiting' AND state = ?1 AND settled_at_us < ?2
                   ORDER BY settled_at_us LIMIT ?3";
        let values = [
            Value::from(state.word().to_owned()),
            Value::from(before),
            Value::from(i64::from(PRUNED_PER_CALL)),
        ];
        removed += remove(conn, tally, sql, values.to_vec())?;
    }
    let settled = tally.counts.delivered + tally.counts.failed;
    let mut surplus = settled.saturating_sub(SETTLED_ROWS_MAX).min(u64::from(PRUNED_PER_CALL));
    let heavy = tally.bytes > SETTLED_BYTES_MAX;
    if heavy {
        surplus = surplus.max(u64::from(PRUNED_PER_CALL / 10));
    }
    if surplus > 0 {
        let oldest = |state: DeliveryState| {
            format!(
                "SELECT * FROM (SELECT n, settled_at_us FROM deliveries WHERE state <> 'waiting' AND state = '{}'
                 ORDER BY settled_at_us LIMIT ?1)",
                state.word()
            )
        };
        let sql = format!(
            "SELECT n FROM ({} UNION ALL {}) ORDER BY settled_at_us LIMIT ?1",
            oldest(DeliveryState::Delivered),
            oldest(DeliveryState::Failed)
        );
        removed += remove(conn, tally, &sql, vec![Value::from(signed(surplus))])?;
    }
    let settled = tally.counts.delivered + tally.counts.failed;
    let more = removed >= u64::from(PRUNED_PER_CALL)
        || settled > SETTLED_ROWS_MAX
        || (tally.bytes > SETTLED_BYTES_MAX && removed > 0);
    Ok(Pruned { removed, more })
}

/// Removes some of an application's deliveries, whatever their state.
pub(super) fn forget_app(conn: &Connection, tally: &mut Tally, app: SdkAppId) -> Outcome<Pruned> {
    let sql = "SELECT n FROM deliveries WHERE sdk_app_id = ?1 LIMIT ?2";
    let values = vec![Value::from(i64::from(app.0)), Value::from(i64::from(PRUNED_PER_CALL))];
    let removed = remove(conn, tally, sql, values)?;
    Ok(Pruned { removed, more: removed >= u64::from(PRUNED_PER_CALL) })
}

/// Removes the rows that a query names.
fn remove(conn: &Connection, tally: &mut Tally, which: &str, values: Vec<Value>) -> Outcome<u64> {
    let sql = format!("DELETE FROM deliveries WHERE n IN ({which}) RETURNING state, length(body)");
    let mut delete = conn.prepare(&sql)?;
    let mut rows = delete.query(params_from_iter(values))?;
    let mut removed = 0;
    while let Some(row) = rows.next()? {
        let state: String = row.get(0)?;
        tally.take(read_state(&state)?, unsigned(row.get(1)?)?);
        removed += 1;
    }
    Ok(removed)
}

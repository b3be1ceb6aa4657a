//! Deliveries that wait to leave the program. Whole bodies are sealed: they name people and hold keys.

use std::time::Duration;

use fermata_billing::notice::Delivery;
use fermata_types::AccountId;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::fault::{Outcome, corrupt};
use super::rows::json;
use crate::limits::OUTBOX_DEAD_MAX;
use crate::rules::{outbox_error, to_us};
use crate::seal::Cell;
use crate::{OutboxItem, OutboxLen, SecretKey};

fn cell(row: &str) -> Cell<'_> {
    Cell { table: "outbox", column: "body_sealed", row }
}

pub(super) fn put(
    conn: &Connection,
    key: &SecretKey,
    account: &AccountId,
    delivery: &Delivery,
    wall: Timestamp,
) -> Outcome<()> {
    let sealed = key.seal(&cell(&delivery.id), json(delivery)?.as_bytes())?;
    conn.execute(
        "INSERT INTO outbox (id, account_id, body_sealed, created_at_us, due_us, attempts, state)
         VALUES (?1, ?2, ?3, ?4, ?4, 0, 'waiting') ON CONFLICT DO NOTHING",
        params![delivery.id, account.as_str(), sealed, to_us(wall)],
    )?;
    Ok(())
}

pub(in super::super) fn outbox_claim(
    conn: &Connection,
    key: &SecretKey,
    wall: Timestamp,
    limit: u32,
    lease: Duration,
) -> Outcome<Vec<OutboxItem>> {
    let until = wall.saturating_add(lease).unwrap_or(Timestamp::MAX);
    let mut find = conn.prepare(
        "SELECT id, account_id, body_sealed, attempts + 1 FROM outbox
         WHERE state = 'waiting' AND due_us <= ?1 ORDER BY due_us, id LIMIT ?2",
    )?;
    let mut claim =
        conn.prepare("UPDATE outbox SET due_us = ?2, attempts = attempts + 1 WHERE id = ?1")?;
    let rows = find.query_map(params![to_us(wall), limit], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let rows: Vec<(String, String, Vec<u8>, u32)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut items = Vec::with_capacity(rows.len());
    for (id, account, sealed, attempts) in rows {
        let plain = key.open(&cell(&id), &sealed)?;
        let delivery =
            serde_json::from_slice(&plain).map_err(|error| corrupt("delivery", &error))?;
        claim.execute(params![id, to_us(until)])?;
        items.push(OutboxItem { id, account: AccountId::from_text(&account), delivery, attempts });
    }
    Ok(items)
}

pub(in super::super) fn outbox_done(conn: &Connection, id: &str) -> Outcome<()> {
    conn.execute("DELETE FROM outbox WHERE id = ?1", [id])?;
    Ok(())
}

pub(in super::super) fn outbox_failed(
    conn: &Connection,
    id: &str,
    error: &str,
    retry_at: Option<Timestamp>,
) -> Outcome<()> {
    let error = outbox_error(error);
    if let Some(at) = retry_at {
        conn.execute(
            "UPDATE outbox SET due_us = ?2, error = ?3 WHERE id = ?1 AND state = 'waiting'",
            params![id, to_us(at), error],
        )?;
        return Ok(());
    }
    conn.execute("UPDATE outbox SET state = 'dead', error = ?2 WHERE id = ?1", [id, &error])?;
    conn.execute(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'dead'
             ORDER BY due_us DESC, id DESC LIMIT -1 OFFSET ?1)",
        [OUTBOX_DEAD_MAX],
    )?;
    Ok(())
}

pub(in super::super) fn outbox_len(conn: &Connection) -> Outcome<OutboxLen> {
    let count = |state: &str| -> Outcome<u64> {
        let sql = "SELECT count(*) FROM outbox WHERE state = ?1";
        Ok(conn.query_row(sql, [state], |row| row.get::<_, u32>(0))?.into())
    };
    Ok(OutboxLen { waiting: count("waiting")?, dead: count("dead")? })
}

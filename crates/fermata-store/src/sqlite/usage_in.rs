//! Taking usage in: stays, windows merged by max, and the totals derived from them.
//!
//! The windows are the truth and only ever grow; whether a window counts is a function of the merged
//! values alone (is their sum over the SKUs within the window's length?), so the totals come out the
//! same for any order, repetition and split of what nodes report.

use std::collections::BTreeMap;

use fermata_types::{
    AccountId, NodeId, ParticipantSid, SdkAppId, Sku, StayClosed, StayEnd, StayOpened, UsageWindow,
    WINDOW_SECONDS,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::apps::{role_code, scene_code};
use super::fault::{Outcome, corrupt};
use super::parties::moment;
use super::usage_out::{end_of, sku_of, stay_opened};
use crate::books::Minutes;
use crate::intake::Sifted;
use crate::limits::QUARANTINE_ROWS_MAX;
use crate::rules::{end_code, end_that_holds, end_when_lost, to_us};
use crate::stats::Counters;
use crate::{QuarantineReason, Quarantined};

// The schema and the checks have the window's length written into them.
const _: () = assert!(WINDOW_SECONDS == 60);

/// Seconds by SKU of one stay and window.
type Group = BTreeMap<Sku, u32>;

/// What a group adds to the totals: nothing if it claims more seconds than the window has.
fn counted(group: &Group) -> impl Iterator<Item = (Sku, i64)> {
    let full = overfull(group);
    group.iter().filter(move |_| !full).map(|(sku, seconds)| (*sku, i64::from(*seconds)))
}

fn overfull(group: &Group) -> bool {
    group.values().sum::<u32>() > WINDOW_SECONDS
}

/// Takes a batch in, all but its watermark, and says what it changed by account. The watermark is to be
/// raised ([`raise_watermark`]) once that is in the books: until then it would promise too much.
pub(super) fn intake(
    conn: &Connection,
    batch: Sifted,
    counters: &Counters,
) -> Outcome<BTreeMap<AccountId, Minutes>> {
    let mut intake = Intake {
        conn,
        node: batch.node,
        counters,
        apps: BTreeMap::new(),
        stay_totals: BTreeMap::new(),
        minute_totals: BTreeMap::new(),
        quarantine_rows: None,
        accused: 0,
    };
    for row in &batch.rejected {
        intake.accuse(row)?;
    }
    for opened in &batch.opened {
        intake.open(opened)?;
    }
    counters.windows.add(batch.windows.len() as u64);
    intake.windows(batch.windows)?;
    for closed in &batch.closed {
        intake.close(closed)?;
    }
    intake.write_totals()?;
    if intake.accused > 0 {
        let (node, facts) = (&intake.node, intake.accused);
        tracing::warn!(%node, facts, "Reported usage cannot be true and is not counted.");
    }
    intake.by_account()
}

/// Says that a node was heard of at `wall`, and has sent every window before `watermark`.
pub(super) fn raise_watermark(
    conn: &Connection,
    node: &NodeId,
    watermark: Timestamp,
    wall: Timestamp,
) -> Outcome<()> {
    conn.execute(
        "INSERT INTO node_watermarks (node, watermark_us, reported_at_us) VALUES (?1, ?2, ?3)
         ON CONFLICT (node) DO UPDATE SET
             watermark_us = max(watermark_us, excluded.watermark_us),
             reported_at_us = max(reported_at_us, excluded.reported_at_us)",
        params![node.as_str(), to_us(watermark), to_us(wall)],
    )?;
    Ok(())
}

/// One batch on its way in. Changes of totals are summed here first and written once.
struct Intake<'a> {
    conn: &'a Connection,
    node: NodeId,
    counters: &'a Counters,
    /// The application of each stay met so far; none: not opened yet.
    apps: BTreeMap<ParticipantSid, Option<SdkAppId>>,
    stay_totals: BTreeMap<(ParticipantSid, Sku), i64>,
    minute_totals: BTreeMap<(SdkAppId, i64, Sku), i64>,
    /// Rows of the quarantine, once they had to be counted.
    quarantine_rows: Option<u64>,
    /// Rows this batch added to it.
    accused: u32,
}

impl Intake<'_> {
    fn open(&mut self, opened: &StayOpened) -> Outcome<()> {
        if let Some((node, old)) = stay_opened(self.conn, &opened.stay)? {
            if node == self.node && old == *opened {
                return Ok(());
            }
            return self.accuse_opening(opened, QuarantineReason::OpeningContradicts);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM apps WHERE sdk_app_id = ?1)";
        if !self.conn.query_row(sql, [opened.app.0], |row| row.get(0))? {
            return self.accuse_opening(opened, QuarantineReason::AppUnknown);
        }
        let early = self.early_end(&opened.stay)?;
        self.conn.execute(
            "INSERT INTO stays (stay, sdk_app_id, node, room, room_sid, identity, scene, role,
                 entered_at_us, ended_at_us, end_reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                opened.stay.as_str(),
                opened.app.0,
                self.node.as_str(),
                opened.room.to_string(),
                opened.room_sid.as_str(),
                opened.identity,
                scene_code(opened.scene),
                role_code(opened.role),
                to_us(opened.entered_at),
                early.map(|(at, _)| to_us(at)),
                early.map(|(_, end)| end_code(end))
            ],
        )?;
        self.apps.insert(opened.stay.clone(), Some(opened.app));
        self.count_early_windows(&opened.stay, opened.app)
    }

    /// Takes out the end that was kept for a stay that had not been opened.
    fn early_end(&self, stay: &ParticipantSid) -> Outcome<Option<(Timestamp, StayEnd)>> {
        let sql = "DELETE FROM early_ends WHERE stay = ?1 RETURNING ended_at_us, end_reason";
        let row: Option<(i64, String)> = self
            .conn
            .query_row(sql, [stay.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        row.map(|(at, end)| Ok((moment(at)?, end_of(&end)?))).transpose()
    }

    /// Windows that waited for their stay's opening now count for its application.
    fn count_early_windows(&mut self, stay: &ParticipantSid, app: SdkAppId) -> Outcome<()> {
        let mut groups = BTreeMap::<i64, Group>::new();
        let mut statement = self
            .conn
            .prepare("SELECT window_start_us, sku, seconds FROM usage_windows WHERE stay = ?1")?;
        let mut rows = statement.query([stay.as_str()])?;
        while let Some(row) = rows.next()? {
            let sku = sku_of(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
            groups.entry(row.get(0)?).or_default().insert(sku, row.get(2)?);
        }
        for (start_us, group) in groups {
            for (sku, seconds) in counted(&group) {
                *self.minute_totals.entry((app, start_us, sku)).or_default() += seconds;
            }
        }
        Ok(())
    }

    fn windows(&mut self, windows: Vec<UsageWindow>) -> Outcome<()> {
        let mut groups = BTreeMap::<(ParticipantSid, Timestamp), Group>::new();
        for window in windows {
            let group = groups.entry((window.stay, window.window_start)).or_default();
            let merged = group.entry(window.sku).or_default();
            *merged = window.seconds.max(*merged);
        }
        let mut find = self.conn.prepare(
            "SELECT sku, seconds FROM usage_windows WHERE stay = ?1 AND window_start_us = ?2",
        )?;
        let mut merge = self.conn.prepare(
            "INSERT INTO usage_windows (stay, window_start_us, sku, seconds) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET seconds = max(seconds, excluded.seconds)",
        )?;
        for ((stay, start), reported) in groups {
            let app = self.app_of(&stay)?;
            let start_us = to_us(start);
            let before = group(&mut find, &stay, start_us)?;
            let mut after = before.clone();
            for (sku, seconds) in reported {
                let old = before.get(&sku).copied().unwrap_or(0);
                if seconds > old {
                    after.insert(sku, seconds);
                    merge.execute(params![stay.as_str(), start_us, sku.code(), seconds])?;
                }
            }
            if overfull(&after) {
                self.accuse(&Quarantined {
                    node: self.node.clone(),
                    stay: stay.clone(),
                    at: start,
                    reason: QuarantineReason::WindowOverfull,
                    seconds: after.values().copied().map(u64::from).sum(),
                })?;
            }
            let minus = counted(&before).map(|(sku, seconds)| (sku, -seconds));
            for (sku, change) in minus.chain(counted(&after)) {
                *self.stay_totals.entry((stay.clone(), sku)).or_default() += change;
                if let Some(app) = app {
                    *self.minute_totals.entry((app, start_us, sku)).or_default() += change;
                }
            }
        }
        Ok(())
    }

    fn app_of(&mut self, stay: &ParticipantSid) -> Outcome<Option<SdkAppId>> {
        if let Some(app) = self.apps.get(stay) {
            return Ok(*app);
        }
        let sql = "SELECT sdk_app_id FROM stays WHERE stay = ?1";
        let app = self.conn.query_row(sql, [stay.as_str()], |row| row.get(0)).optional()?;
        let app = app.map(SdkAppId);
        self.apps.insert(stay.clone(), app);
        Ok(app)
    }

    fn close(&self, closed: &StayClosed) -> Outcome<()> {
        let new = (closed.ended_at, closed.end);
        let stay = closed.stay.as_str();
        let sql = "SELECT ended_at_us, end_reason FROM stays WHERE stay = ?1";
        let opened: Option<(Option<i64>, Option<String>)> =
            self.conn.query_row(sql, [stay], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (old, write) = match opened {
            Some((Some(at), Some(end))) => (
                Some((moment(at)?, end_of(&end)?)),
                "UPDATE stays SET ended_at_us = ?2, end_reason = ?3 WHERE stay = ?1",
            ),
            Some(_) => (None, "UPDATE stays SET ended_at_us = ?2, end_reason = ?3 WHERE stay = ?1"),
            None => (
                self.early_end(&closed.stay)?,
                "INSERT INTO early_ends (stay, ended_at_us, end_reason) VALUES (?1, ?2, ?3)",
            ),
        };
        let (at, end) = old.map_or(new, |old| end_that_holds(old, new));
        self.conn.execute(write, params![stay, to_us(at), end_code(end)])?;
        Ok(())
    }

    fn accuse_opening(&mut self, opened: &StayOpened, reason: QuarantineReason) -> Outcome<()> {
        self.accuse(&Quarantined {
            node: self.node.clone(),
            stay: opened.stay.clone(),
            at: opened.entered_at,
            reason,
            seconds: 0,
        })
    }

    fn accuse(&mut self, row: &Quarantined) -> Outcome<()> {
        self.counters.quarantined.add(1);
        let seconds = i64::try_from(row.seconds).map_err(|_| corrupt("sum", &row.seconds))?;
        let key = params![
            row.node.as_str(),
            row.stay.as_str(),
            to_us(row.at),
            row.reason.code(),
            seconds
        ];
        let known = self.conn.execute(
            "UPDATE usage_quarantine SET seconds = max(seconds, ?5)
             WHERE node = ?1 AND stay = ?2 AND at_us = ?3 AND reason = ?4",
            key,
        )?;
        if known > 0 {
            return Ok(());
        }
        let rows = if let Some(rows) = self.quarantine_rows {
            rows
        } else {
            let sql = "SELECT count(*) FROM usage_quarantine";
            self.conn.query_row(sql, [], |row| row.get::<_, u32>(0))?.into()
        };
        self.quarantine_rows = Some(rows);
        if rows >= QUARANTINE_ROWS_MAX {
            self.counters.quarantine_dropped.add(1);
            return Ok(());
        }
        self.accused += 1;
        self.conn.execute(
            "INSERT INTO usage_quarantine (node, stay, at_us, reason, seconds)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            key,
        )?;
        self.quarantine_rows = Some(rows + 1);
        Ok(())
    }

    /// The changes of the minutes' totals, by the account that pays for them.
    fn by_account(&self) -> Outcome<BTreeMap<AccountId, Minutes>> {
        let mut owner = self.conn.prepare("SELECT account_id FROM apps WHERE sdk_app_id = ?1")?;
        let mut owners = BTreeMap::<SdkAppId, AccountId>::new();
        let mut accounts = BTreeMap::<AccountId, Minutes>::new();
        for ((app, start_us, sku), change) in &self.minute_totals {
            if *change == 0 {
                continue;
            }
            let account = if let Some(account) = owners.get(app) {
                account.clone()
            } else {
                let id: String = owner.query_row([app.0], |row| row.get(0))?;
                let account = AccountId::from_text(&id);
                owners.insert(*app, account.clone());
                account
            };
            let minute = (*app, moment(*start_us)?, *sku, *change);
            accounts.entry(account).or_default().push(minute);
        }
        Ok(accounts)
    }

    fn write_totals(&self) -> Outcome<()> {
        let mut raise = self.conn.prepare(
            "INSERT INTO stay_totals (stay, sku, seconds) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
        )?;
        let mut lower = self.conn.prepare(
            "UPDATE stay_totals SET seconds = seconds + ?3 WHERE stay = ?1 AND sku = ?2",
        )?;
        for ((stay, sku), change) in &self.stay_totals {
            // Both are needed: a CHECK judges the row to insert before it looks for the old one.
            let statement = if *change > 0 { &mut raise } else { &mut lower };
            if *change != 0 {
                statement.execute(params![stay.as_str(), sku.code(), change])?;
            }
        }
        let mut raise = self.conn.prepare(
            "INSERT INTO minute_totals (sdk_app_id, window_start_us, sku, seconds)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
        )?;
        let mut lower = self.conn.prepare(
            "UPDATE minute_totals SET seconds = seconds + ?4
             WHERE sdk_app_id = ?1 AND window_start_us = ?2 AND sku = ?3",
        )?;
        for ((app, start_us, sku), change) in &self.minute_totals {
            let statement = if *change > 0 { &mut raise } else { &mut lower };
            if *change != 0 {
                statement.execute(params![app.0, start_us, sku.code(), change])?;
            }
        }
        Ok(())
    }
}

fn group(find: &mut Statement<'_>, stay: &ParticipantSid, start_us: i64) -> Outcome<Group> {
    let mut rows = find.query(params![stay.as_str(), start_us])?;
    let mut group = Group::new();
    while let Some(row) = rows.next()? {
        let sku = sku_of(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        group.insert(sku, row.get(1)?);
    }
    Ok(group)
}

pub(super) fn close_lost(conn: &Connection, node: &NodeId) -> Outcome<u64> {
    let sql = "SELECT watermark_us FROM node_watermarks WHERE node = ?1";
    let watermark: Option<i64> =
        conn.query_row(sql, [node.as_str()], |row| row.get(0)).optional()?;
    let Some(watermark) = watermark else { return Ok(0) };
    let mut open = conn.prepare(
        "SELECT stay, entered_at_us,
             (SELECT max(window_start_us) FROM usage_windows WHERE usage_windows.stay = stays.stay)
         FROM stays WHERE node = ?1 AND ended_at_us IS NULL",
    )?;
    let mut end =
        conn.prepare("UPDATE stays SET end_reason = 'lost', ended_at_us = ?2 WHERE stay = ?1")?;
    let rows = open.query_map([node.as_str()], |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
    })?;
    let mut lost = 0;
    for row in rows.collect::<Result<Vec<(String, i64, Option<i64>)>, _>>()? {
        let (stay, entered_at, last_window) = row;
        let window = last_window.map(moment).transpose()?;
        let at = end_when_lost(moment(entered_at)?, window, moment(watermark)?);
        end.execute(params![stay, to_us(at)])?;
        lost += 1;
    }
    Ok(lost)
}

//! The maps of the model, and the commands that are more than one line.

use std::collections::BTreeMap;

use fermata_billing::command::Refusal;
use fermata_billing::state::DayUse;
use fermata_types::{
    AccountId, ConsoleUserId, NodeId, ParticipantSid, SdkAppId, Sku, StayEnd, StayOpened, TokenId,
    UsageBatch, WINDOW_SECONDS,
};
use jiff::{Timestamp, civil::Date};

use super::Outcome;
use super::shelf::Library;
use crate::books::{Minutes, usage};
use crate::limits::QUARANTINE_ROWS_MAX;
use crate::rules::{self, exists, no_account, no_api_key, no_app, to_us};
use crate::{
    Account, ApiKey, ApiSecret, ApiToken, App, AppCallbacks, AppWithKeys, ConsoleSession,
    ConsoleUser, DayUsage, QuarantineReason, Quarantined, RoomUsage, SpanUsage, Stay, Taken,
};

/// Everything the store knows. Sums are never kept, always recomputed.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) closed: bool,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) apps: BTreeMap<SdkAppId, AppWithKeys>,
    pub(super) tokens: BTreeMap<TokenId, ApiToken>,
    pub(super) secrets: BTreeMap<String, ApiSecret>,
    pub(super) console_users: BTreeMap<ConsoleUserId, ConsoleUser>,
    pub(super) console_sessions: BTreeMap<[u8; 32], ConsoleSession>,
    pub(super) callbacks: BTreeMap<SdkAppId, AppCallbacks>,
    pub(super) stays: BTreeMap<ParticipantSid, (NodeId, StayOpened)>,
    pub(super) ends: BTreeMap<ParticipantSid, (Timestamp, StayEnd)>,
    pub(super) windows: BTreeMap<(ParticipantSid, Timestamp), BTreeMap<Sku, u32>>,
    pub(super) watermarks: BTreeMap<NodeId, Timestamp>,
    /// When each node was heard of last, wall time.
    pub(super) reported: BTreeMap<NodeId, Timestamp>,
    pub(super) quarantine: BTreeMap<(NodeId, ParticipantSid, Timestamp, QuarantineReason), u64>,
    pub(super) settings: BTreeMap<&'static str, String>,
    pub(super) library: Library,
}

impl State {
    pub(super) fn app(&mut self, id: SdkAppId) -> Outcome<&mut AppWithKeys> {
        self.apps.get_mut(&id).ok_or_else(|| no_app(id))
    }

    fn key_owner(&self, key: &str) -> Option<(SdkAppId, &ApiKey)> {
        self.apps.values().find_map(|app| {
            let found = app.api_keys.iter().find(|old| old.key == key)?;
            Some((app.app.sdk_app_id, found))
        })
    }

    /// Is it there already, with the same contents? An error if it cannot be added.
    pub(super) fn known_app(&self, new: &AppWithKeys) -> Outcome<bool> {
        let id = new.app.sdk_app_id;
        if let Some(old) = self.apps.get(&id) {
            return if old == new { Ok(true) } else { Err(exists("application", &id)) };
        }
        let account = &new.app.account;
        if !self.accounts.contains_key(account) {
            return Err(no_account(account));
        }
        rules::room_for_app(self.apps.values().filter(|old| old.app.account == *account).count())?;
        if let Some(key) = new.api_keys.iter().find(|key| self.key_owner(&key.key).is_some()) {
            return Err(exists("API key", &key.key));
        }
        Ok(false)
    }

    pub(super) fn add_api_key(&mut self, id: SdkAppId, key: ApiKey) -> Outcome<App> {
        let app = self.app(id)?.app.clone();
        match self.key_owner(&key.key) {
            Some((owner, old)) if owner == id && *old == key => return Ok(app),
            Some(_) => return Err(exists("API key", &key.key)),
            None => {}
        }
        let app = self.app(id)?;
        rules::room_for_key(app.api_keys.len())?;
        app.api_keys.push(key);
        app.api_keys.sort_by(|a, b| rules::key_order(a).cmp(&rules::key_order(b)));
        app.app.epoch += 1;
        Ok(app.app.clone())
    }

    pub(super) fn remove_api_key(&mut self, id: SdkAppId, key: &str) -> Outcome<App> {
        let app = self.app(id)?;
        let at = app.api_keys.iter().position(|old| old.key == key);
        let at = at.ok_or_else(|| no_api_key(key))?;
        rules::key_can_go(app.api_keys.len())?;
        app.api_keys.remove(at);
        app.app.epoch += 1;
        Ok(app.app.clone())
    }

    pub(super) fn create_token(&mut self, new: ApiToken) -> Outcome<ApiToken> {
        if let Some(old) = self.tokens.get(&new.id) {
            let same = rules::same_token(old, &new);
            return if same { Ok(old.clone()) } else { Err(exists("API token", &new.id)) };
        }
        if self.tokens.values().any(|old| old.hash == new.hash) {
            return Err(exists("API token", &new.id));
        }
        rules::room_for_token(self.tokens.len())?;
        self.tokens.insert(new.id.clone(), new.clone());
        Ok(new)
    }

    pub(super) fn create_secret(&mut self, new: ApiSecret) -> Outcome<ApiSecret> {
        if let Some(old) = self.secrets.get(&new.secret_id) {
            let same = rules::same_secret(old, &new);
            return if same { Ok(old.clone()) } else { Err(exists("secret", &new.secret_id)) };
        }
        if !self.accounts.contains_key(&new.account) {
            return Err(no_account(&new.account));
        }
        for id in &new.apps {
            let own = self.apps.get(id).is_some_and(|app| app.app.account == new.account);
            rules::own_app(*id, own)?;
        }
        let of_account = self.secrets(|secret| secret.account == new.account);
        let in_force = of_account.iter().filter(|secret| secret.revoked_at.is_none()).count();
        rules::room_for_secret(of_account.len(), in_force)?;
        self.secrets.insert(new.secret_id.clone(), new.clone());
        Ok(new)
    }

    /// Secret pairs that `which` picks, by creation.
    pub(super) fn secrets(&self, which: impl Fn(&ApiSecret) -> bool) -> Vec<ApiSecret> {
        let mut found: Vec<_> =
            self.secrets.values().filter(|secret| which(secret)).cloned().collect();
        found.sort_by(|a, b| (a.created_at, &a.secret_id).cmp(&(b.created_at, &b.secret_id)));
        found
    }

    pub(super) fn intake(&mut self, batch: UsageBatch, wall: Timestamp) -> Outcome<Taken> {
        let batch = crate::intake::sift(batch, wall)?;
        let before = self.minutes();
        for row in batch.rejected {
            self.accuse(row);
        }
        for opened in batch.opened {
            self.open(&batch.node, opened);
        }
        for window in batch.windows {
            let (stay, at) = (window.stay, window.window_start);
            let group = self.windows.entry((stay.clone(), at)).or_default();
            let merged = group.entry(window.sku).or_default();
            *merged = window.seconds.max(*merged);
            let total: u32 = group.values().sum();
            if total > WINDOW_SECONDS {
                let reason = QuarantineReason::WindowOverfull;
                let (node, seconds) = (batch.node.clone(), total.into());
                self.accuse(Quarantined { node, stay, at, reason, seconds });
            }
        }
        for closed in batch.closed {
            let new = (closed.ended_at, closed.end);
            let end = self.ends.entry(closed.stay).or_insert(new);
            *end = rules::end_that_holds(*end, new);
        }
        let mut changes = self.minutes();
        for (key, seconds) in before {
            *changes.entry(key).or_default() -= seconds;
        }
        let mut accounts = BTreeMap::<AccountId, Minutes>::new();
        for ((app, start, sku), seconds) in changes {
            if seconds != 0 {
                let account = self.app(app)?.app.account.clone();
                accounts.entry(account).or_default().push((app, start, sku, seconds));
            }
        }
        let epoch_changed = usage(self, accounts, wall)?;
        let reported = self.reported.entry(batch.node.clone()).or_insert(wall);
        *reported = wall.max(*reported);
        let watermark = self.watermarks.entry(batch.node).or_insert(batch.watermark);
        *watermark = batch.watermark.max(*watermark);
        Ok(Taken { epoch_changed })
    }

    /// Seconds by application, minute and SKU, of opened stays.
    fn minutes(&self) -> BTreeMap<(SdkAppId, Timestamp, Sku), i64> {
        let mut sums = BTreeMap::new();
        for (stay, start, sku, seconds) in self.counted() {
            if let Some((_, opened)) = self.stays.get(stay) {
                let sum = sums.entry((opened.app, start, sku)).or_insert(0);
                *sum += i64::try_from(seconds).unwrap_or(0);
            }
        }
        sums
    }

    /// Use by day of an account's books, open and closed days.
    pub(super) fn day_uses(&self, id: &AccountId, from: Date, to: Date) -> Outcome<Vec<DayUse>> {
        let mut uses = Vec::new();
        if let Some(book) = self.library.books.get(id) {
            uses.extend(book.state.days.values().cloned());
            uses.extend(book.closed_days());
        }
        uses.retain(|day| (from..=to).contains(&day.key.day));
        rules::day_rows(uses.len())?;
        uses.sort_by_key(|day| day.key);
        Ok(uses)
    }

    fn open(&mut self, node: &NodeId, opened: StayOpened) {
        let reason = match self.stays.get(&opened.stay) {
            Some((by, old)) if by == node && *old == opened => return,
            Some(_) => QuarantineReason::OpeningContradicts,
            None if self.apps.contains_key(&opened.app) => {
                self.stays.insert(opened.stay.clone(), (node.clone(), opened));
                return;
            }
            None => QuarantineReason::AppUnknown,
        };
        let (stay, at) = (opened.stay, opened.entered_at);
        self.accuse(Quarantined { node: node.clone(), stay, at, reason, seconds: 0 });
    }

    fn accuse(&mut self, row: Quarantined) {
        let key = (row.node, row.stay, row.at, row.reason);
        if let Some(seconds) = self.quarantine.get_mut(&key) {
            *seconds = row.seconds.max(*seconds);
        } else if (self.quarantine.len() as u64) < QUARANTINE_ROWS_MAX {
            self.quarantine.insert(key, row.seconds);
        }
    }

    pub(super) fn close_lost(&mut self, node: &NodeId) -> u64 {
        let Some(watermark) = self.watermarks.get(node).copied() else { return 0 };
        let mut lost = 0;
        for (stay, (by, opened)) in &self.stays {
            if by == node && !self.ends.contains_key(stay) {
                let of_stay = (stay.clone(), Timestamp::MIN)..=(stay.clone(), Timestamp::MAX);
                let window = self.windows.range(of_stay).next_back().map(|((_, start), _)| *start);
                let at = rules::end_when_lost(opened.entered_at, window, watermark);
                self.ends.insert(stay.clone(), (at, StayEnd::Lost));
                lost += 1;
            }
        }
        lost
    }

    /// Every window that counts: those of groups that are not overfull.
    fn counted(&self) -> impl Iterator<Item = (&ParticipantSid, Timestamp, Sku, u64)> {
        self.windows
            .iter()
            .filter(|(_, group)| group.values().sum::<u32>() <= WINDOW_SECONDS)
            .flat_map(|((stay, start), group)| {
                group.iter().map(move |(sku, seconds)| (stay, *start, *sku, u64::from(*seconds)))
            })
    }

    pub(super) fn by_day(&mut self, id: SdkAppId, from: Date, to: Date) -> Outcome<Vec<DayUsage>> {
        let account = self.app(id)?.app.account.clone();
        let book = self.library.books.get(&account).ok_or_else(|| no_account(&account))?;
        let profile = book.state.profile.as_ref().ok_or_else(|| no_account(&account))?;
        if profile.sandbox {
            // As in the other backend: its days are those of its own clock.
            let uses = self.day_uses(&account, from, to)?.into_iter();
            let uses = uses.filter(|day| day.key.app == id && day.seconds > 0);
            return Ok(uses
                .map(|day| DayUsage {
                    day: day.key.day,
                    sku: day.key.sku,
                    seconds: day.seconds.unsigned_abs(),
                })
                .collect());
        }
        let calendar = profile.calendar.clone();
        let mut sums = BTreeMap::<_, u64>::new();
        for (stay, start, sku, seconds) in self.counted() {
            let day = calendar.day_of(start).map_err(Refusal::from)?;
            let ours = self.stays.get(stay).is_some_and(|(_, opened)| opened.app == id);
            if ours && (from..=to).contains(&day) {
                *sums.entry((day, sku)).or_default() += seconds;
            }
        }
        let rows = sums.into_iter();
        Ok(rows.map(|((day, sku), seconds)| DayUsage { day, sku, seconds }).collect())
    }

    pub(super) fn by_room(
        &mut self,
        id: SdkAppId,
        from: Timestamp,
        to: Timestamp,
    ) -> Outcome<Vec<RoomUsage>> {
        self.app(id)?;
        let mut sums = BTreeMap::<_, u64>::new();
        for (stay, _, sku, seconds) in self.counted() {
            let Some((_, opened)) = self.stays.get(stay) else { continue };
            if opened.app == id && (from..to).contains(&opened.entered_at) {
                let key = (opened.room.clone(), opened.room_sid.clone(), sku);
                *sums.entry(key).or_default() += seconds;
            }
        }
        rules::room_rows(sums.len())?;
        let rows = sums.into_iter();
        Ok(rows
            .map(|((room, room_sid, sku), seconds)| RoomUsage { room, room_sid, sku, seconds })
            .collect())
    }

    /// `spans`: from, to and length in microseconds.
    pub(super) fn by_span(
        &mut self,
        id: SdkAppId,
        spans: (i64, i64, i64),
    ) -> Outcome<Vec<SpanUsage>> {
        self.app(id)?;
        let (from, to, span) = spans;
        let mut sums = BTreeMap::<_, u64>::new();
        for (stay, start, sku, seconds) in self.counted() {
            let ours = self.stays.get(stay).is_some_and(|(_, opened)| opened.app == id);
            let start = to_us(start);
            if ours && (from..to).contains(&start) {
                let begins = rules::from_us(start - (start - from) % span);
                let begins = begins.ok_or_else(|| rules::invalid("from", "it is out of range"))?;
                *sums.entry((begins, sku)).or_default() += seconds;
            }
        }
        rules::room_rows(sums.len())?;
        let rows = sums.into_iter().filter(|(_, seconds)| *seconds > 0);
        Ok(rows.map(|((start, sku), seconds)| SpanUsage { start, sku, seconds }).collect())
    }

    pub(super) fn stay(&self, opened: &StayOpened) -> Stay {
        let mut sums = BTreeMap::<_, u64>::new();
        for (_, _, sku, seconds) in self.counted().filter(|(stay, ..)| **stay == opened.stay) {
            *sums.entry(sku).or_default() += seconds;
        }
        let end = self.ends.get(&opened.stay).copied();
        Stay {
            stay: opened.stay.clone(),
            app: opened.app,
            room: opened.room.clone(),
            room_sid: opened.room_sid.clone(),
            identity: opened.identity.clone(),
            scene: opened.scene,
            role: opened.role,
            entered_at: opened.entered_at,
            ended_at: end.map(|(at, _)| at),
            end: end.map(|(_, end)| end),
            seconds: sums.into_iter().collect(),
        }
    }
}

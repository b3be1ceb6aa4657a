//! The stays that are open, in memory: what was told of them becomes rows to be written. Pure.

use std::collections::{BTreeSet, HashMap};

use fermata_monitor::{
    Block, BlockBuilder, BlockKey, Pushed, StayFacts, decode, detect, experiences,
};
use fermata_store::monitoring::{
    Batch, Block as BlockRow, EventKind, EventRow, LifeBegun, StayBegun, StayOver, UnusualRow,
};
use fermata_types::{ParticipantSid, RoomName, RoomSid, SdkAppId, StayEnd, StaySample};
use jiff::Timestamp;

use super::happening::{Did, Happening, What, Who};
use super::tally::{Key, Tallies, minute};
use crate::limits::{
    MONITORED_RESUMES_MAX, MONITORED_ROOMS_MAX, MONITORED_SILENCE_MAX, MONITORED_STAYS_MAX,
    MONITORING_BLOCK_EVERY,
};

/// Everything that is watched.
#[derive(Debug, Default)]
pub(super) struct Watch {
    apps: HashMap<SdkAppId, Crowd>,
    lives: HashMap<RoomSid, Life>,
    stays: HashMap<ParticipantSid, Open>,
    tallies: Tallies,
    batch: Batch,
    /// The last minute for which everybody was counted.
    minute: i64,
    dropped: u64,
}

/// How many are in an application's rooms.
#[derive(Debug, Default)]
struct Crowd {
    users: u32,
    /// Rooms with somebody in them.
    rooms: u32,
}

/// A room.
#[derive(Debug)]
struct Life {
    app: SdkAppId,
    room: RoomName,
    stays: BTreeSet<ParticipantSid>,
    /// When samples were last packed.
    packed_at: Timestamp,
    /// When it was last known to be there; looked at while nobody is in it.
    heard_at: Timestamp,
}

/// A stay.
#[derive(Debug)]
struct Open {
    app: SdkAppId,
    room_sid: RoomSid,
    entered_at: Timestamp,
    connected_at: Option<Timestamp>,
    /// How it joined was looked at.
    judged: bool,
    resumed_at: Vec<Timestamp>,
    samples: Option<BlockBuilder>,
    heard_at: Timestamp,
}

impl Life {
    fn is_deserted(&self, now: Timestamp) -> bool {
        self.stays.is_empty() && now.duration_since(self.heard_at) > MONITORED_SILENCE_MAX
    }
}

impl Watch {
    /// Stays that are watched.
    pub(super) fn stays(&self) -> usize {
        self.stays.len()
    }

    /// Rows that wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.batch.len()
    }

    /// What was left out since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    pub(super) fn take_batch(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// Puts the parts of totals into the batch.
    pub(super) fn sum_up(&mut self) {
        self.batch.tallies.extend(self.tallies.take());
    }

    /// Takes in what happened.
    pub(super) fn happened(&mut self, happening: Happening) {
        let Happening { app, room, room_sid, at, what } = happening;
        match what {
            What::RoomStarted { creator } => {
                self.begin_life(app, &room, &room_sid, at, &creator);
            }
            What::RoomFinished => self.end_life(&room_sid, at),
            What::User(who, did) => {
                let creator = if matches!(did, Did::Entered) { who.identity.as_str() } else { "" };
                let watched = self.begin_life(app, &room, &room_sid, at, creator)
                    && self.begin_stay(app, &room_sid, &who);
                if watched {
                    self.did(app, room_sid, who, did, at);
                } else {
                    self.dropped += 1;
                }
            }
        }
    }

    fn did(&mut self, app: SdkAppId, room_sid: RoomSid, who: Who, did: Did, at: Timestamp) {
        let stay = who.stay;
        let keys = [(app, None), (app, Some(room_sid.clone()))];
        let kind = match did {
            Did::Entered => EventKind::Entered,
            Did::Connected => EventKind::Connected,
            Did::Left { end, .. } => EventKind::Left(end),
            Did::Other(kind) => kind,
        };
        self.batch.events.push(EventRow { app, room_sid, stay: stay.clone(), at, kind });
        let Some(open) = self.stays.get_mut(&stay) else { return };
        open.heard_at = at;
        match did {
            Did::Connected if open.connected_at.is_none() => {
                open.connected_at = Some(at);
                let took = at.as_millisecond() - open.entered_at.as_millisecond();
                self.batch.connected.push((stay, at));
                for key in keys {
                    self.tallies.joined(key, at, Some(took));
                }
            }
            Did::Other(EventKind::Resumed) if open.resumed_at.len() < MONITORED_RESUMES_MAX => {
                open.resumed_at.push(at);
            }
            Did::Left { end, was_active } => {
                // Who leaves before media connected did not wait for it.
                let failed =
                    matches!(end, StayEnd::NeverConnected | StayEnd::Failed | StayEnd::TimedOut);
                if !was_active && failed {
                    for key in keys {
                        self.tallies.joined(key, at, None);
                    }
                }
                self.end_stay(&stay, at, end);
            }
            _ => {}
        }
    }

    /// False: there are as many as may be.
    fn begin_life(
        &mut self,
        app: SdkAppId,
        room: &RoomName,
        room_sid: &RoomSid,
        at: Timestamp,
        creator: &str,
    ) -> bool {
        if self.lives.contains_key(room_sid) {
            return true;
        }
        if self.lives.len() >= MONITORED_ROOMS_MAX {
            return false;
        }
        let life =
            Life { app, room: room.clone(), stays: BTreeSet::new(), packed_at: at, heard_at: at };
        self.lives.insert(room_sid.clone(), life);
        self.batch.lives.push(LifeBegun {
            room_sid: room_sid.clone(),
            app,
            room: room.clone(),
            at,
            creator: creator.to_owned(),
        });
        true
    }

    /// False: there are as many as may be.
    fn begin_stay(&mut self, app: SdkAppId, room_sid: &RoomSid, who: &Who) -> bool {
        if self.stays.contains_key(&who.stay) {
            return true;
        }
        if self.stays.len() >= MONITORED_STAYS_MAX {
            return false;
        }
        let Some(life) = self.lives.get_mut(room_sid) else { return false };
        let crowd = self.apps.entry(app).or_default();
        crowd.users += 1;
        crowd.rooms += u32::from(life.stays.is_empty());
        life.stays.insert(who.stay.clone());
        self.batch.stays.push(StayBegun {
            stay: who.stay.clone(),
            room_sid: room_sid.clone(),
            app,
            identity: who.identity.clone(),
            client: who.client.clone(),
            at: who.entered_at,
        });
        let open = Open {
            app,
            room_sid: room_sid.clone(),
            entered_at: who.entered_at,
            connected_at: None,
            judged: false,
            resumed_at: Vec::new(),
            samples: None,
            heard_at: who.entered_at,
        };
        self.stays.insert(who.stay.clone(), open);
        self.count(app, room_sid, who.entered_at);
        true
    }

    /// Notes who is there.
    fn count(&mut self, app: SdkAppId, room_sid: &RoomSid, at: Timestamp) {
        if let Some(crowd) = self.apps.get(&app) {
            self.tallies.present((app, None), at, crowd.users, crowd.rooms);
        }
        if let Some(life) = self.lives.get(room_sid).filter(|life| !life.stays.is_empty()) {
            let users = u32::try_from(life.stays.len()).unwrap_or(u32::MAX);
            self.tallies.present((app, Some(room_sid.clone())), at, users, 1);
        }
    }

    fn end_stay(&mut self, stay: &ParticipantSid, at: Timestamp, end: StayEnd) {
        let found = self.pack_stay(stay, Some((at, end)));
        self.tell_unusual(&found);
        let Some(open) = self.stays.remove(stay) else { return };
        self.batch.stays_ended.push(StayOver { stay: stay.clone(), at, end });
        let empty = self.lives.get_mut(&open.room_sid).is_some_and(|life| {
            life.stays.remove(stay);
            life.heard_at = life.heard_at.max(at);
            life.stays.is_empty()
        });
        if let Some(crowd) = self.apps.get_mut(&open.app) {
            crowd.users = crowd.users.saturating_sub(1);
            crowd.rooms = crowd.rooms.saturating_sub(u32::from(empty));
            if crowd.users == 0 {
                self.apps.remove(&open.app);
            }
        }
    }

    fn end_life(&mut self, room_sid: &RoomSid, at: Timestamp) {
        let left: Vec<_> =
            self.lives.get(room_sid).into_iter().flat_map(|life| life.stays.clone()).collect();
        // Their leaving was among what was dropped.
        for stay in left {
            self.end_stay(&stay, at, StayEnd::Lost);
        }
        if self.lives.remove(room_sid).is_some() {
            self.batch.lives_ended.push((room_sid.clone(), at));
        }
    }

    /// Takes in how a stay fared.
    pub(super) fn sampled(&mut self, sample: &StaySample) {
        let Some(open) = self.stays.get_mut(&sample.stay) else {
            // Mostly one that has just left.
            return;
        };
        open.heard_at = open.heard_at.max(sample.at);
        let keys: [Key; 2] = [(sample.app, None), (sample.app, Some(sample.room_sid.clone()))];
        for key in keys {
            self.tallies.sampled(key, sample);
        }
        let builder = open.samples.get_or_insert_with(|| BlockBuilder::new(BlockKey::of(sample)));
        match builder.push(sample) {
            Pushed::Added => {}
            Pushed::Full => {
                let found = self.pack_stay(&sample.stay, None);
                self.tell_unusual(&found);
                let mut fresh = BlockBuilder::new(BlockKey::of(sample));
                fresh.push(sample);
                if let Some(open) = self.stays.get_mut(&sample.stay) {
                    open.samples = Some(fresh);
                }
            }
            Pushed::OutOfOrder | Pushed::Foreign => self.dropped += 1,
        }
    }

    /// Packs the samples of everybody in a room, and looks for what was unusual.
    pub(super) fn pack(&mut self, room_sid: &RoomSid) {
        let Some(life) = self.lives.get(room_sid) else { return };
        let stays = life.stays.clone();
        let mut found = Vec::new();
        for stay in &stays {
            found.extend(self.pack_stay(stay, None));
        }
        self.tell_unusual(&found);
    }

    /// Packs the samples of a stay; says what was unusual in them.
    fn pack_stay(
        &mut self,
        stay: &ParticipantSid,
        ended: Option<(Timestamp, StayEnd)>,
    ) -> Vec<fermata_monitor::Unusual> {
        let Some(open) = self.stays.get_mut(stay) else { return Vec::new() };
        let builder = open.samples.take();
        self.dropped += builder.as_ref().map_or(0, BlockBuilder::dropped);
        let block = builder.and_then(BlockBuilder::finish);
        let samples = block.as_ref().and_then(|block| decode(&block.key, &block.bytes).ok());
        // How it joined is looked at once: when it has, or when it is gone.
        let judge = !open.judged && (open.connected_at.is_some() || ended.is_some());
        open.judged |= judge;
        let facts = StayFacts {
            entered_at: open.entered_at,
            active_at: if judge { open.connected_at } else { Some(open.entered_at) },
            resumed_at: std::mem::take(&mut open.resumed_at),
            ended,
        };
        let found = detect(stay, &samples.unwrap_or_default(), &facts);
        if let Some(Block { key, first, last, bytes, .. }) = block {
            let (app, stay) = (key.app, key.stay);
            self.batch.blocks.push(BlockRow { app, stay, from: first, to: last, blob: bytes });
        }
        found
    }

    fn tell_unusual(&mut self, found: &[fermata_monitor::Unusual]) {
        for experience in experiences(found) {
            let unusual = experience.unusual;
            let Some(open) = self.stays.get(&unusual.stay) else { continue };
            self.batch.unusual.push(UnusualRow {
                app: open.app,
                room_sid: open.room_sid.clone(),
                stay: unusual.stay,
                at: unusual.at,
                experience: unusual.rule.id,
                causes: experience.causes.iter().map(|c| (c.rule.id, c.peer.clone())).collect(),
            });
        }
    }

    /// Time passes: counts everybody at the beginning of a minute, and packs what is due.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if minute(now) != self.minute {
            self.minute = minute(now);
            let lives: Vec<_> =
                self.lives.iter().map(|(sid, life)| (life.app, sid.clone())).collect();
            for (app, room_sid) in lives {
                self.count(app, &room_sid, now);
            }
        }
        let due = |life: &Life| now.duration_since(life.packed_at) >= MONITORING_BLOCK_EVERY;
        let due: Vec<_> = self
            .lives
            .iter_mut()
            .filter(|(_, life)| due(life))
            .map(|(sid, life)| {
                life.packed_at = now;
                sid.clone()
            })
            .collect();
        for room_sid in due {
            self.pack(&room_sid);
        }
        self.sum_up();
    }

    /// A room with a stay of which nothing was heard for long.
    pub(super) fn silent_room(&self, now: Timestamp) -> Option<(SdkAppId, (RoomSid, RoomName))> {
        let room_sid = self.silent(now).next()?.room_sid.clone();
        let life = self.lives.get(&room_sid)?;
        Some((life.app, (room_sid, life.room.clone())))
    }

    fn silent(&self, now: Timestamp) -> impl Iterator<Item = &Open> {
        self.stays
            .values()
            .filter(move |open| now.duration_since(open.heard_at) > MONITORED_SILENCE_MAX)
    }

    /// An application with a room that has long been empty: its end may be among what was dropped.
    pub(super) fn deserted(&self, now: Timestamp) -> Option<SdkAppId> {
        self.lives.values().find(|life| life.is_deserted(now)).map(|life| life.app)
    }

    /// Ends the rooms of an application that have long been empty and are not among those that are `there`.
    pub(super) fn keep_rooms(&mut self, app: SdkAppId, there: &BTreeSet<RoomSid>, now: Timestamp) {
        let mut gone = Vec::new();
        let lives = self.lives.iter_mut().filter(|(_, life)| life.app == app);
        for (room_sid, life) in lives.filter(|(_, life)| life.is_deserted(now)) {
            if there.contains(room_sid) {
                life.heard_at = now;
            } else {
                gone.push((room_sid.clone(), life.heard_at));
            }
        }
        for (room_sid, at) in gone {
            self.end_life(&room_sid, at);
        }
    }

    /// Ends the stays of a room that are not among those who are `there`, and the room if nobody is.
    pub(super) fn keep(
        &mut self,
        room_sid: &RoomSid,
        there: &BTreeSet<ParticipantSid>,
        now: Timestamp,
    ) {
        let Some(life) = self.lives.get(room_sid) else { return };
        let stays = life.stays.clone();
        for stay in stays.difference(there) {
            let at = self.stays.get(stay).map_or(now, |open| open.heard_at);
            self.end_stay(stay, at, StayEnd::Lost);
        }
        for stay in stays.intersection(there) {
            if let Some(open) = self.stays.get_mut(stay) {
                open.heard_at = now;
            }
        }
        if there.is_empty() {
            self.end_life(room_sid, now);
        }
    }
}

#[cfg(test)]
mod tests;

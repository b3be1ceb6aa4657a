//! News of rooms, and calls of APIs about their dispatches.

use std::sync::Arc;

use fermata_types::{Now, RoomName, SdkAppId};
use livekit_protocol as lk;

use crate::dispatch::{Dispatch, DispatchError, NewDispatch, check};
use crate::dispatcher::{Dispatcher, RoomKey, nanoseconds};
use crate::id::DispatchId;
use crate::job::Phase;
use crate::limits::{DISPATCHES_PER_ROOM_MAX, LEFT_TIME_MAX, ROOMS_MAX};
use crate::room::{Room, RoomNews, What, is_dependent};

impl Dispatcher {
    /// Something happened in a room. News of rooms that are not known, or of an earlier life, change nothing.
    pub fn room_news(&mut self, now: Now, news: RoomNews) {
        let RoomNews { app, room, sid, info, may_dispatch, what } = news;
        let key = (app, room);
        if let What::Started(wishes) = what {
            self.room_started(now, &key, &sid, &info, wishes, may_dispatch);
            return;
        }
        if self.rooms.get(&key).is_none_or(|room| room.sid != sid) {
            return;
        }
        match what {
            What::Started(_) => {}
            What::Finished => self.room_finished(now, &key),
            What::Entered(who) => {
                self.agent_entered(now, &key, &who);
                if may_dispatch {
                    self.launch_for(now, &key, lk::JobType::JtParticipant, &info, &Arc::new(*who));
                }
            }
            What::Published(who) => {
                if may_dispatch {
                    self.launch_for(now, &key, lk::JobType::JtPublisher, &info, &Arc::new(*who));
                }
            }
            What::Left { identity, stay } => self.left(now, &key, &identity, &stay),
        }
    }

    fn room_started(
        &mut self,
        now: Now,
        key: &RoomKey,
        sid: &str,
        info: &Arc<lk::Room>,
        mut wishes: Vec<lk::RoomAgentDispatch>,
        may_dispatch: bool,
    ) {
        let room = self.room(now, key, sid);
        if room.announced {
            return;
        }
        room.announced = true;
        if wishes.is_empty() {
            // Nobody was named: agents without a name serve every room.
            wishes.push(lk::RoomAgentDispatch::default());
        }
        let mut fresh = Vec::new();
        for wish in wishes {
            // What its maker wrote was checked where it came in, if at all; here it is left out.
            match self.add_dispatch(now, key, wish) {
                Ok(id) => fresh.push(id),
                Err(_) => self.stats.limited += 1,
            }
        }
        for id in fresh {
            if may_dispatch {
                self.launch(now, key, &id, lk::JobType::JtRoom, info, None);
            }
        }
    }

    /// The room of this life; an earlier life of it has ended unnoticed.
    fn room(&mut self, now: Now, key: &RoomKey, sid: &str) -> &mut Room {
        if self.rooms.get(key).is_some_and(|room| room.sid != sid) {
            self.room_finished(now, key);
        }
        if !self.rooms.contains_key(key) && self.rooms.len() >= ROOMS_MAX {
            self.stats.limited += 1;
            if let Some(oldest) = self.rooms_by_age.values().next().cloned() {
                self.room_finished(now, &oldest);
            }
        }
        let nth = self.rooms_by_age.last_key_value().map_or(0, |(nth, _)| nth + 1);
        let by_age = &mut self.rooms_by_age;
        self.rooms.entry(key.clone()).or_insert_with(|| {
            by_age.insert(nth, key.clone());
            Room::new(sid, nth)
        })
    }

    fn room_finished(&mut self, now: Now, key: &RoomKey) {
        let Some(room) = self.rooms.remove(key) else { return };
        self.rooms_by_age.remove(&room.nth);
        for id in room.jobs {
            match self.jobs.get(&id).map(|job| &job.phase) {
                Some(Phase::Running(_)) => {
                    self.terminate(now, &id, lk::JobStatus::JsSuccess, "");
                }
                _ => self.drop_job(now, &id),
            }
        }
    }

    fn add_dispatch(
        &mut self,
        now: Now,
        key: &RoomKey,
        wish: lk::RoomAgentDispatch,
    ) -> Result<DispatchId, DispatchError> {
        check(&wish).map_err(DispatchError::Invalid)?;
        let id = DispatchId::random(&mut self.rng);
        let room = self.rooms.get_mut(key).ok_or(DispatchError::NoSuchRoom)?;
        if room.dispatches.len() >= DISPATCHES_PER_ROOM_MAX {
            return Err(DispatchError::Full);
        }
        room.dispatches.insert(id.clone(), Dispatch::new(wish, nanoseconds(now)));
        Ok(id)
    }

    /// Sends agents for a publisher or participant, for each dispatch of the room.
    fn launch_for(
        &mut self,
        now: Now,
        key: &RoomKey,
        kind: lk::JobType,
        info: &Arc<lk::Room>,
        who: &Arc<lk::ParticipantInfo>,
    ) {
        if is_dependent(who) {
            return;
        }
        let Some(room) = self.rooms.get(key) else { return };
        for id in room.dispatches.keys().cloned().collect::<Vec<_>>() {
            self.launch(now, key, &id, kind, info, Some(who));
        }
    }

    fn agent_entered(&mut self, now: Now, key: &RoomKey, who: &lk::ParticipantInfo) {
        let room = self.rooms.get(key);
        let Some(id) = room.and_then(|room| room.agents.get(&who.identity)).cloned() else {
            return;
        };
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.stay = Some(who.sid.clone());
        if matches!(job.phase, Phase::Running(_)) {
            self.set_timer(now, &id, None);
        }
    }

    fn left(&mut self, now: Now, key: &RoomKey, identity: &str, stay: &str) {
        let Some(room) = self.rooms.get_mut(key) else { return };
        for dispatch in room.dispatches.values_mut() {
            dispatch.targets.retain(|(_, target)| target != stay);
        }
        let Some(id) = room.agents.get(identity).cloned() else { return };
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.stay.as_deref() != Some(stay) {
            return;
        }
        job.stay = None;
        if job.phase == Phase::Leaving {
            self.drop_job(now, &id);
        } else {
            self.set_timer(now, &id, Some(LEFT_TIME_MAX));
        }
    }

    /// Adds a dispatch to a room and sends its agents, for those who are in the room already too.
    ///
    /// # Errors
    /// [`DispatchError::Invalid`], [`DispatchError::Full`].
    pub fn create_dispatch(
        &mut self,
        now: Now,
        new: NewDispatch,
    ) -> Result<lk::AgentDispatch, DispatchError> {
        let NewDispatch { app, room, info, participants, wish, may_dispatch } = new;
        check(&wish).map_err(DispatchError::Invalid)?;
        let (key, info) = ((app, room), Arc::new(info));
        // The room's beginning may not have been told yet.
        self.room(now, &key, &info.sid);
        let id = self.add_dispatch(now, &key, wish)?;
        if may_dispatch {
            self.launch(now, &key, &id, lk::JobType::JtRoom, &info, None);
            for who in participants.into_iter().filter(|who| !is_dependent(who)) {
                let who = Arc::new(who);
                if !who.tracks.is_empty() {
                    self.launch(now, &key, &id, lk::JobType::JtPublisher, &info, Some(&who));
                }
                self.launch(now, &key, &id, lk::JobType::JtParticipant, &info, Some(&who));
            }
        }
        self.record(&key, &id, 0)
    }

    /// Deletes a dispatch: its jobs end, and its agents that have not left after a moment are removed.
    ///
    /// # Errors
    /// [`DispatchError::NoSuchRoom`], [`DispatchError::NoSuchDispatch`].
    pub fn delete_dispatch(
        &mut self,
        now: Now,
        app: SdkAppId,
        room: &RoomName,
        id: &DispatchId,
    ) -> Result<lk::AgentDispatch, DispatchError> {
        let key = (app, room.clone());
        let found = self.rooms.get_mut(&key).ok_or(DispatchError::NoSuchRoom)?;
        let dispatch = found.dispatches.remove(id).ok_or(DispatchError::NoSuchDispatch)?;
        let of_it = |job: &crate::job::Job| job.dispatch.as_ref() == Some(id);
        let jobs = found.jobs.iter().filter(|job| self.jobs.get(*job).is_some_and(of_it));
        let jobs: Vec<_> = jobs.cloned().collect();
        let ended = jobs.iter().filter_map(|job| self.withdraw(now, job)).collect();
        Ok(dispatch.record(id, room, ended, nanoseconds(now)))
    }

    /// Dispatches of a room, the one of `id` or all.
    ///
    /// # Errors
    /// [`DispatchError::NoSuchRoom`] if the room is not known, or its beginning was not told yet.
    pub fn list_dispatches(
        &self,
        app: SdkAppId,
        room: &RoomName,
        id: Option<&DispatchId>,
    ) -> Result<Vec<lk::AgentDispatch>, DispatchError> {
        let key = (app, room.clone());
        let found = self.rooms.get(&key).filter(|room| room.announced);
        let found = found.ok_or(DispatchError::NoSuchRoom)?;
        let mut ids: Vec<_> = found.dispatches.iter().collect();
        ids.sort_by_key(|(_, dispatch)| dispatch.created_at);
        let wanted = ids.into_iter().filter(|(each, _)| id.is_none_or(|id| id == *each));
        Ok(wanted.filter_map(|(each, _)| self.record(&key, each, 0).ok()).collect())
    }

    fn record(
        &self,
        key: &RoomKey,
        id: &DispatchId,
        deleted_at: i64,
    ) -> Result<lk::AgentDispatch, DispatchError> {
        let room = self.rooms.get(key).ok_or(DispatchError::NoSuchRoom)?;
        let dispatch = room.dispatches.get(id).ok_or(DispatchError::NoSuchDispatch)?;
        let running = room.jobs.iter().filter_map(|job_id| {
            let job = self.jobs.get(job_id)?;
            let runs = matches!(job.phase, Phase::Running(_)) && job.dispatch.as_ref() == Some(id);
            runs.then(|| job.record(job_id))
        });
        Ok(dispatch.record(id, &key.1, running.collect(), deleted_at))
    }
}

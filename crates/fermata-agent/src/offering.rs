//! Jobs on their way: made, offered, assigned, ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fermata_types::{Now, SdkAppId};
use livekit_protocol as lk;
use lk::server_message::Message as ToWorker;
use rand::RngExt as _;

use crate::dispatch::{check_attributes, check_metadata, check_name};
use crate::dispatcher::{Dispatcher, Output, RoomKey, nanoseconds};
use crate::id::{DispatchId, JobId, WorkerId};
use crate::job::{Assignment, Job, Phase};
use crate::limits::{
    ANSWER_TIME_MAX, ATTEMPTS_MAX, JOBS_MAX, JOBS_PER_APP_MAX, JOBS_PER_ROOM_MAX, LEAVE_TIME_MAX,
    ORPHAN_TIME_MAX,
};

/// Attribute of agents that names what they run, as `LiveKit`'s clients look for it.
const AGENT_NAME_ATTRIBUTE: &str = "lk.agent_name";

/// What workers that could take a job have in common.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    key: &'a RoomKey,
    wish: &'a lk::RoomAgentDispatch,
    kind: lk::JobType,
}

/// May an application have another job?
fn has_place(
    jobs: &BTreeMap<JobId, Job>,
    jobs_of: &BTreeMap<SdkAppId, usize>,
    app: SdkAppId,
) -> bool {
    jobs.len() < JOBS_MAX && jobs_of.get(&app).is_none_or(|jobs| *jobs < JOBS_PER_APP_MAX)
}

impl Dispatcher {
    /// Makes jobs of one kind for a dispatch: one in each namespace that workers of its name registered in.
    /// For a publisher or participant only if none was made for this stay before.
    pub(crate) fn launch(
        &mut self,
        now: Now,
        key: &RoomKey,
        dispatch: &DispatchId,
        kind: lk::JobType,
        info: &Arc<lk::Room>,
        participant: Option<&Arc<lk::ParticipantInfo>>,
    ) {
        let Some(room) = self.rooms.get(key) else { return };
        let Some(found) = room.dispatches.get(dispatch) else { return };
        let target = participant.map(|info| (i32::from(kind), info.sid.clone()));
        if target.as_ref().is_some_and(|target| found.targets.contains(target)) {
            return;
        }
        let wish = Arc::new(found.wish.clone());
        let mut is_asked = false;
        for namespace in self.namespaces(Call { key, wish: &wish, kind }) {
            let Some(room) = self.rooms.get_mut(key) else { return };
            if room.jobs.len() >= JOBS_PER_ROOM_MAX || !has_place(&self.jobs, &self.jobs_of, key.0)
            {
                self.stats.limited += 1;
                break;
            }
            let id = JobId::random(&mut self.rng);
            room.jobs.insert(id.clone());
            let job = Job {
                app: key.0,
                room: key.1.clone(),
                dispatch: Some(dispatch.clone()),
                kind,
                namespace,
                wish: Arc::clone(&wish),
                info: Arc::clone(info),
                participant: participant.cloned(),
                state: lk::JobState::default(),
                // Nobody of this name is connected; the first one is asked at once.
                phase: Phase::Asking { worker: WorkerId::from_text(""), tried: BTreeSet::new() },
                due: None,
                stay: None,
            };
            self.add_job(id.clone(), job);
            self.ask(now, &id, BTreeSet::new());
            is_asked |= self.jobs.contains_key(&id);
        }
        let room = self.rooms.get_mut(key).filter(|_| is_asked);
        let found = room.and_then(|room| room.dispatches.get_mut(dispatch));
        if let (Some(target), Some(found)) = (target, found) {
            found.targets.insert(target);
        }
    }

    /// A worker tries its agent: a job for itself alone.
    pub(crate) fn simulate(&mut self, now: Now, id: &WorkerId, request: lk::SimulateJobRequest) {
        let Some(worker) = self.workers.get(id) else { return };
        let Some(offer) = worker.offer.clone() else { return };
        let info = request.room.unwrap_or_default();
        let Ok(room) = fermata_types::RoomName::parse(&info.name) else { return };
        if worker.weight() <= 0.0 || !has_place(&self.jobs, &self.jobs_of, worker.app) {
            self.stats.limited += 1;
            return;
        }
        let key = (worker.app, room);
        let kind = if request.participant.is_some() {
            lk::JobType::JtPublisher
        } else {
            lk::JobType::JtRoom
        };
        let job_id = JobId::random(&mut self.rng);
        if let Some(room) = self.rooms.get_mut(&key) {
            room.jobs.insert(job_id.clone());
        }
        let wish = lk::RoomAgentDispatch {
            agent_name: offer.agent_name,
            deployment: offer.deployment,
            ..Default::default()
        };
        let job = Job {
            app: key.0,
            room: key.1,
            dispatch: None,
            kind,
            namespace: offer.namespace,
            wish: Arc::new(wish),
            info: Arc::new(info),
            participant: request.participant.map(Arc::new),
            state: lk::JobState::default(),
            phase: Phase::Asking { worker: id.clone(), tried: BTreeSet::new() },
            due: None,
            stay: None,
        };
        self.add_job(job_id.clone(), job);
        self.ask_worker(now, &job_id, id, BTreeSet::new());
    }

    fn namespaces(&self, call: Call<'_>) -> BTreeSet<String> {
        let offers = self.workers.values().filter(|worker| worker.app == call.key.0);
        let offers = offers.filter_map(|worker| worker.offer.as_ref());
        let fitting = offers.filter(|offer| {
            offer.kind == call.kind
                && offer.agent_name == call.wish.agent_name
                && offer.deployment == call.wish.deployment
        });
        fitting.map(|offer| offer.namespace.clone()).collect()
    }

    /// Offers a job to a worker that was not asked yet; without one the job is over.
    fn ask(&mut self, now: Now, id: &JobId, tried: BTreeSet<WorkerId>) {
        let Some(job) = self.jobs.get(id) else { return };
        let simulated = job.dispatch.is_none();
        if tried.len() < ATTEMPTS_MAX
            && !simulated
            && let Some(worker) = self.choose(id, &tried)
        {
            self.ask_worker(now, id, &worker, tried);
            return;
        }
        self.stats.untaken += 1;
        let was_asked = !tried.is_empty();
        self.close_job(now, id, lk::JobStatus::JsFailed, "no worker took the job", was_asked);
    }

    fn ask_worker(&mut self, now: Now, id: &JobId, worker: &WorkerId, tried: BTreeSet<WorkerId>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let at = nanoseconds(now);
        job.state = lk::JobState {
            status: lk::JobStatus::JsRunning.into(),
            started_at: at,
            updated_at: at,
            worker_id: worker.to_string(),
            ..Default::default()
        };
        let request = lk::AvailabilityRequest { job: Some(job.record(id)), resuming: false };
        job.phase = Phase::Asking { worker: worker.clone(), tried };
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.jobs.insert(id.clone());
        }
        self.send(worker, ToWorker::Availability(request));
        self.set_timer(now, id, Some(ANSWER_TIME_MAX));
    }

    /// One of the workers that could take a job, likelier the less loaded it is.
    fn choose(&mut self, id: &JobId, tried: &BTreeSet<WorkerId>) -> Option<WorkerId> {
        let job = self.jobs.get(id)?;
        let fits = |worker: &crate::worker::Worker| {
            worker.app == job.app
                && worker.offer.as_ref().is_some_and(|offer| {
                    offer.kind == job.kind
                        && offer.agent_name == job.wish.agent_name
                        && offer.namespace == job.namespace
                        && offer.deployment == job.wish.deployment
                })
        };
        let candidates: Vec<(&WorkerId, f32)> = self
            .workers
            .iter()
            .filter(|(id, worker)| !tried.contains(*id) && fits(worker))
            .map(|(id, worker)| (id, worker.weight()))
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        let mut point =
            self.rng.random::<f32>() * candidates.iter().map(|(_, weight)| weight).sum::<f32>();
        for (id, weight) in &candidates {
            point -= weight;
            if point <= 0.0 {
                return Some((*id).clone());
            }
        }
        // Rounding can leave a little; the last one is as good as any.
        candidates.last().map(|(id, _)| (*id).clone())
    }

    /// The worker that is asked does not take it.
    fn pass_on(&mut self, now: Now, id: &JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let Phase::Asking { worker, tried } = &job.phase else { return };
        let (worker, mut tried) = (worker.clone(), tried.clone());
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.jobs.remove(id);
        }
        tried.insert(worker);
        self.ask(now, id, tried);
    }

    /// A worker says whether it takes a job.
    pub(crate) fn on_answer(
        &mut self,
        now: Now,
        worker: &WorkerId,
        answer: lk::AvailabilityResponse,
    ) {
        let id = JobId::from_text(&answer.job_id);
        // Answers that come too late, and those to what somebody else was asked.
        let asked = self.jobs.get(&id).is_some_and(
            |job| matches!(&job.phase, Phase::Asking { worker: asked, .. } if asked == worker),
        );
        if !asked {
            return;
        }
        if answer.terminate {
            self.close_job(now, &id, lk::JobStatus::JsSuccess, "", true);
            return;
        }
        let usable = check_name("identity", &answer.participant_identity)
            .and_then(|()| check_name("name", &answer.participant_name))
            .and_then(|()| check_metadata(&answer.participant_metadata))
            .and_then(|()| check_attributes(&answer.participant_attributes));
        if !answer.available || usable.is_err() {
            self.stats.declined += 1;
            self.pass_on(now, &id);
            return;
        }
        self.assign(now, worker, &id, answer);
    }

    fn assign(
        &mut self,
        now: Now,
        worker: &WorkerId,
        id: &JobId,
        answer: lk::AvailabilityResponse,
    ) {
        let Some(worker_key) = self.workers.get(worker).map(|worker| worker.key.clone()) else {
            return;
        };
        let offer = self.workers.get(worker).and_then(|worker| worker.offer.clone());
        let Some(permission) = offer.map(|offer| offer.permission) else { return };
        self.set_timer(now, id, None);
        let Some(job) = self.jobs.get_mut(id) else { return };
        let identity = if answer.participant_identity.is_empty() {
            format!("agent-{id}")
        } else {
            answer.participant_identity
        };
        job.state.participant_identity.clone_from(&identity);
        job.phase = Phase::Running(Some(worker.clone()));
        let mut attributes: BTreeMap<_, _> = answer.participant_attributes.into_iter().collect();
        attributes.insert(AGENT_NAME_ATTRIBUTE.to_owned(), job.wish.agent_name.clone());
        let assignment = Assignment {
            worker: worker.clone(),
            job: job.record(id),
            app: job.app,
            key: worker_key,
            room: job.room.clone(),
            identity: identity.clone(),
            name: answer.participant_name,
            metadata: answer.participant_metadata,
            attributes,
            permission,
            may_create: job.dispatch.is_none(),
        };
        job.slim();
        let key = (job.app, job.room.clone());
        if let Some(room) = self.rooms.get_mut(&key) {
            room.agents.insert(identity, id.clone());
            // A simulated job may be older than its room.
            room.jobs.insert(id.clone());
        }
        self.stats.assigned += 1;
        self.out.push_back(Output::Assign(Box::new(assignment)));
    }

    /// A worker tells how a job of its fares.
    pub(crate) fn on_job_update(
        &mut self,
        now: Now,
        worker: &WorkerId,
        update: &lk::UpdateJobStatus,
    ) {
        let id = JobId::from_text(&update.job_id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.phase != Phase::Running(Some(worker.clone())) {
            return;
        }
        job.state.updated_at = nanoseconds(now);
        match lk::JobStatus::try_from(update.status) {
            Ok(status @ (lk::JobStatus::JsSuccess | lk::JobStatus::JsFailed)) => {
                self.close_job(now, &id, status, &update.error, true);
            }
            Ok(lk::JobStatus::JsPending | lk::JobStatus::JsRunning) | Err(_) => {}
        }
    }

    /// The worker's connection is gone.
    pub(crate) fn job_lost_worker(&mut self, now: Now, id: &JobId, worker: &WorkerId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        match &job.phase {
            Phase::Asking { worker: asked, .. } if asked == worker => self.pass_on(now, id),
            Phase::Running(Some(runs)) if runs == worker => {
                job.phase = Phase::Running(None);
                if job.stay.is_none() {
                    self.set_timer(now, id, Some(ORPHAN_TIME_MAX));
                }
            }
            Phase::Asking { .. } | Phase::Running(_) | Phase::Leaving => {}
        }
    }

    /// A job's timer fired.
    pub(crate) fn job_due(&mut self, now: Now, id: &JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.due = None;
        match &job.phase {
            Phase::Asking { .. } => {
                self.stats.unanswered += 1;
                self.pass_on(now, id);
            }
            Phase::Running(Some(_)) => {
                self.terminate(now, id, lk::JobStatus::JsFailed, "the agent left the room");
            }
            Phase::Running(None) => {
                let error = "the worker's connection is gone, and its agent is not in the room";
                self.terminate(now, id, lk::JobStatus::JsFailed, error);
            }
            Phase::Leaving => {
                let (app, room) = (job.app, job.room.clone());
                let identity = job.state.participant_identity.clone();
                self.out.push_back(Output::Remove { app, room, identity });
                self.drop_job(now, id);
            }
        }
    }

    /// Tells the worker to stop a job, and ends it.
    pub(crate) fn terminate(&mut self, now: Now, id: &JobId, status: lk::JobStatus, error: &str) {
        let Some(job) = self.jobs.get(id) else { return };
        if let Phase::Running(Some(worker)) = &job.phase {
            let worker = worker.clone();
            let termination = lk::JobTermination { job_id: id.to_string() };
            self.send(&worker, ToWorker::Termination(termination));
        }
        self.close_job(now, id, status, error, true);
    }

    /// A dispatch is deleted: its job ends, and its agent has a moment to leave.
    pub(crate) fn withdraw(&mut self, now: Now, id: &JobId) -> Option<lk::Job> {
        let job = self.jobs.get_mut(id)?;
        let Phase::Running(worker) = &job.phase else {
            self.drop_job(now, id);
            return None;
        };
        let worker = worker.clone();
        let at = nanoseconds(now);
        job.state.status = lk::JobStatus::JsSuccess.into();
        (job.state.updated_at, job.state.ended_at) = (at, at);
        job.phase = Phase::Leaving;
        let record = job.record(id);
        if let Some(worker) = worker {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.jobs.remove(id);
            }
            let termination = lk::JobTermination { job_id: id.to_string() };
            self.send(&worker, ToWorker::Termination(termination));
        }
        self.stats.ended += 1;
        self.out.push_back(Output::Ended(Box::new(record.clone())));
        self.set_timer(now, id, Some(LEAVE_TIME_MAX));
        Some(record)
    }

    /// A job is over. `keep` writes it down with its dispatch.
    fn close_job(&mut self, now: Now, id: &JobId, status: lk::JobStatus, error: &str, keep: bool) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let at = nanoseconds(now);
        job.state.status = status.into();
        error.clone_into(&mut job.state.error);
        job.state.error.truncate(error.floor_char_boundary(crate::limits::NAME_LEN_MAX));
        (job.state.updated_at, job.state.ended_at) = (at, at);
        job.slim();
        let (was_assigned, record) = (matches!(job.phase, Phase::Running(_)), job.record(id));
        let (key, dispatch) = ((job.app, job.room.clone()), job.dispatch.clone());
        if was_assigned {
            self.stats.ended += 1;
            self.stats.failed += u64::from(status == lk::JobStatus::JsFailed);
            self.out.push_back(Output::Ended(Box::new(record.clone())));
        }
        let room = self.rooms.get_mut(&key);
        let dispatch = room.zip(dispatch).and_then(|(room, id)| room.dispatches.get_mut(&id));
        if let (true, Some(dispatch)) = (keep, dispatch) {
            dispatch.remember(record);
        }
        self.drop_job(now, id);
    }

    fn add_job(&mut self, id: JobId, job: Job) {
        *self.jobs_of.entry(job.app).or_default() += 1;
        self.jobs.insert(id, job);
    }

    /// Forgets a job, its timer, and where it is noted.
    pub(crate) fn drop_job(&mut self, now: Now, id: &JobId) {
        self.set_timer(now, id, None);
        let Some(job) = self.jobs.remove(id) else { return };
        if let Some(jobs) = self.jobs_of.get_mut(&job.app) {
            *jobs = jobs.saturating_sub(1);
            if *jobs == 0 {
                self.jobs_of.remove(&job.app);
            }
        }
        let worker = match job.phase {
            Phase::Asking { worker, .. } | Phase::Running(Some(worker)) => Some(worker),
            Phase::Running(None) | Phase::Leaving => None,
        };
        if let Some(worker) = worker.and_then(|worker| self.workers.get_mut(&worker)) {
            worker.jobs.remove(id);
        }
        if let Some(room) = self.rooms.get_mut(&(job.app, job.room)) {
            room.jobs.remove(id);
            let identity = &job.state.participant_identity;
            if room.agents.get(identity) == Some(id) {
                room.agents.remove(identity);
            }
        }
    }
}

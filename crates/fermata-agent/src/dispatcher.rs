//! The machine: what it knows, what goes in and what comes out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use fermata_types::{Now, RoomName, SdkAppId};
use livekit_protocol as lk;
use lk::server_message::Message as ToWorker;
use lk::worker_message::Message as FromWorker;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::id::{JobId, WorkerId};
use crate::job::{Assignment, Job};
use crate::limits::{REGISTER_TIME_MAX, WORKERS_MAX, WORKERS_PER_APP_MAX};
use crate::room::Room;
use crate::worker::{Offer, Worker, WorkersFull};

/// A room's key: rooms of one name in two applications are two rooms.
pub(crate) type RoomKey = (SdkAppId, RoomName);

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a worker a message.
    Send(WorkerId, Box<ToWorker>),
    /// Sign a token and send it with the job.
    Assign(Box<Assignment>),
    /// Close a worker's connection, for this reason. It is forgotten already.
    Close(WorkerId, String),
    /// Remove an agent from its room.
    Remove {
        /// Namespace.
        app: SdkAppId,
        /// Room.
        room: RoomName,
        /// The agent.
        identity: String,
    },
    /// A job that a worker had taken has ended; its state says how.
    Ended(Box<lk::Job>),
}

/// Counters and gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Workers that are connected and registered.
    pub workers: u64,
    /// Jobs that have not ended.
    pub jobs: u64,
    /// Rooms that are known.
    pub rooms: u64,
    /// Jobs that were given to a worker.
    pub assigned: u64,
    /// Jobs that ended after a worker had them, well or badly.
    pub ended: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Times that a worker declined a job.
    pub declined: u64,
    /// Times that a worker gave no answer in time.
    pub unanswered: u64,
    /// Jobs that no worker took.
    pub untaken: u64,
    /// Workers, dispatches, jobs and rooms beyond a named limit.
    pub limited: u64,
}

/// What a timer is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Worker(WorkerId),
    Job(JobId),
}

/// Workers, dispatches and jobs of all applications.
#[derive(Debug)]
pub struct Dispatcher {
    pub(crate) rng: StdRng,
    server: lk::ServerInfo,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    pub(crate) rooms: BTreeMap<RoomKey, Room>,
    /// The same rooms by the order of their making.
    pub(crate) rooms_by_age: BTreeMap<u64, RoomKey>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// How many of them each application has.
    pub(crate) jobs_of: BTreeMap<SdkAppId, usize>,
    pub(crate) timers: BTreeSet<(Instant, Timer)>,
    pub(crate) out: VecDeque<Output>,
    pub(crate) stats: Stats,
}

impl Dispatcher {
    /// Nobody and nothing. `server` is what registered workers are told about this server; `seed` feeds ids and
    /// the choice among workers: fresh randomness, or a constant in tests.
    pub fn new(server: lk::ServerInfo, seed: [u8; 32]) -> Self {
        Self {
            rng: StdRng::from_seed(seed),
            server,
            workers: BTreeMap::new(),
            rooms: BTreeMap::new(),
            rooms_by_age: BTreeMap::new(),
            jobs: BTreeMap::new(),
            jobs_of: BTreeMap::new(),
            timers: BTreeSet::new(),
            out: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// What is to be done next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Dispatcher::handle_timeout`] is to be called.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Stats {
        let len = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let registered = self.workers.values().filter(|worker| worker.offer.is_some()).count();
        Stats {
            workers: len(registered),
            jobs: len(self.jobs.len()),
            rooms: len(self.rooms.len()),
            ..self.stats
        }
    }

    /// A worker connected with an API key of an application. It has [`REGISTER_TIME_MAX`] to register.
    ///
    /// # Errors
    /// [`WorkersFull`].
    pub fn open_worker(
        &mut self,
        now: Now,
        app: SdkAppId,
        key: String,
    ) -> Result<WorkerId, WorkersFull> {
        let of_app = self.workers.values().filter(|worker| worker.app == app).count();
        if self.workers.len() >= WORKERS_MAX || of_app >= WORKERS_PER_APP_MAX {
            self.stats.limited += 1;
            return Err(WorkersFull);
        }
        let id = WorkerId::random(&mut self.rng);
        self.workers.insert(id.clone(), Worker::new(app, key));
        self.timers.insert((now.instant + REGISTER_TIME_MAX, Timer::Worker(id.clone())));
        Ok(id)
    }

    /// A worker's message. `may_dispatch` says whether the application's standing allows new jobs.
    pub fn worker_message(
        &mut self,
        now: Now,
        id: &WorkerId,
        message: FromWorker,
        may_dispatch: bool,
    ) {
        let Some(worker) = self.workers.get_mut(id) else { return };
        match message {
            FromWorker::Ping(ping) => {
                let pong = lk::WorkerPong {
                    last_timestamp: ping.timestamp,
                    timestamp: now.wall.as_millisecond(),
                };
                self.send(id, ToWorker::Pong(pong));
            }
            FromWorker::Register(request) => self.register(id, request),
            _ if worker.offer.is_none() => {
                self.close_worker(now, id, "the first message must be a registration");
            }
            FromWorker::UpdateWorker(update) => worker.update(&update),
            FromWorker::Availability(answer) => self.on_answer(now, id, answer),
            FromWorker::UpdateJob(update) => self.on_job_update(now, id, &update),
            FromWorker::SimulateJob(request) => {
                if may_dispatch {
                    self.simulate(now, id, request);
                }
            }
            // It tells which jobs it ran before it connected anew; they go on without being looked after.
            FromWorker::MigrateJob(_) => {}
        }
    }

    fn register(&mut self, id: &WorkerId, request: lk::RegisterWorkerRequest) {
        let Some(worker) = self.workers.get_mut(id) else { return };
        // The first registration holds as long as the connection.
        if worker.offer.is_none() {
            match Offer::read(request) {
                Ok(offer) => {
                    worker.offer = Some(offer);
                    self.forget_timer(&Timer::Worker(id.clone()));
                }
                Err(problem) => {
                    self.workers.remove(id);
                    self.forget_timer(&Timer::Worker(id.clone()));
                    self.out.push_back(Output::Close(id.clone(), problem));
                    return;
                }
            }
        }
        let response = lk::RegisterWorkerResponse {
            worker_id: id.to_string(),
            server_info: Some(self.server.clone()),
            endpoint_settings: None,
        };
        self.send(id, ToWorker::Register(response));
    }

    fn forget_timer(&mut self, timer: &Timer) {
        self.timers.retain(|(_, other)| other != timer);
    }

    fn close_worker(&mut self, now: Now, id: &WorkerId, reason: &str) {
        self.out.push_back(Output::Close(id.clone(), reason.to_owned()));
        self.worker_gone(now, id);
    }

    /// A worker's connection is gone. What it was asked about is offered to others; what its agents do in rooms
    /// goes on.
    pub fn worker_gone(&mut self, now: Now, id: &WorkerId) {
        self.forget_timer(&Timer::Worker(id.clone()));
        let Some(worker) = self.workers.remove(id) else { return };
        for job in worker.jobs {
            self.job_lost_worker(now, &job, id);
        }
    }

    /// Timers that are due fire.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((due, timer)) = self.timers.first().cloned() {
            if due > now.instant {
                return;
            }
            self.timers.pop_first();
            match timer {
                Timer::Worker(id) => self.close_worker(now, &id, "no registration came in time"),
                Timer::Job(id) => self.job_due(now, &id),
            }
        }
    }

    pub(crate) fn send(&mut self, worker: &WorkerId, message: ToWorker) {
        self.out.push_back(Output::Send(worker.clone(), Box::new(message)));
    }

    /// Sets a job's timer anew, or takes it away.
    pub(crate) fn set_timer(&mut self, now: Now, id: &JobId, after: Option<Duration>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        if let Some(due) = job.due.take() {
            self.timers.remove(&(due, Timer::Job(id.clone())));
        }
        if let Some(after) = after {
            let due = now.instant + after;
            job.due = Some(due);
            self.timers.insert((due, Timer::Job(id.clone())));
        }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn nanoseconds(now: Now) -> i64 {
    i64::try_from(now.wall.as_nanosecond()).unwrap_or(i64::MAX)
}

//! Whatever happens in whatever order: every job is assigned at most once and ends at most once, nothing grows, and
//! once all workers and rooms are gone nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fermata_agent::limits::{DISPATCHES_PER_ROOM_MAX, ORPHAN_TIME_MAX};
use fermata_agent::{DispatchId, Dispatcher, NewDispatch, Output, RoomNews, What, WorkerId};
use fermata_types::{Now, RoomName, SdkAppId};
use livekit_protocol as lk;
use lk::server_message::Message as ToWorker;
use lk::worker_message::Message as FromWorker;
use proptest::prelude::*;

const APPS: u32 = 2;
const ROOMS: u32 = 3;

#[derive(Debug, Clone)]
enum Step {
    Connect {
        app: u32,
        named: bool,
        kind: i32,
    },
    Disconnect(usize),
    Status {
        worker: usize,
        load: u8,
        full: bool,
    },
    /// Answers the oldest question that is open, as this worker.
    Answer {
        worker: usize,
        question: usize,
        available: bool,
        terminate: bool,
    },
    Update {
        worker: usize,
        job: usize,
        status: i32,
    },
    Simulate(usize),
    Start {
        app: u32,
        room: u32,
        life: u8,
        named: bool,
    },
    Finish {
        app: u32,
        room: u32,
        life: u8,
    },
    Enter {
        app: u32,
        room: u32,
        life: u8,
        who: u8,
    },
    Publish {
        app: u32,
        room: u32,
        life: u8,
        who: u8,
    },
    Leave {
        app: u32,
        room: u32,
        life: u8,
        who: u8,
    },
    /// The agent of an assignment enters or leaves.
    Agent {
        assignment: usize,
        enters: bool,
    },
    Create {
        app: u32,
        room: u32,
        life: u8,
        named: bool,
    },
    Delete {
        app: u32,
        room: u32,
        dispatch: usize,
    },
    Pass(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..APPS, 0..ROOMS, 0u8..2);
    prop_oneof![
        1 => (0..APPS, any::<bool>(), 0..3).prop_map(|(app, named, kind)| Step::Connect { app, named, kind }),
        1 => any::<usize>().prop_map(Step::Disconnect),
        1 => (any::<usize>(), any::<u8>(), any::<bool>())
            .prop_map(|(worker, load, full)| Step::Status { worker, load, full }),
        4 => (any::<usize>(), any::<usize>(), prop::bool::weighted(0.7), prop::bool::weighted(0.1))
            .prop_map(|(worker, question, available, terminate)| Step::Answer { worker, question, available, terminate }),
        2 => (any::<usize>(), any::<usize>(), 0..5)
            .prop_map(|(worker, job, status)| Step::Update { worker, job, status }),
        1 => any::<usize>().prop_map(Step::Simulate),
        2 => (place(), any::<bool>())
            .prop_map(|((app, room, life), named)| Step::Start { app, room, life, named }),
        1 => place().prop_map(|(app, room, life)| Step::Finish { app, room, life }),
        2 => (place(), 0u8..3).prop_map(|((app, room, life), who)| Step::Enter { app, room, life, who }),
        2 => (place(), 0u8..3).prop_map(|((app, room, life), who)| Step::Publish { app, room, life, who }),
        1 => (place(), 0u8..3).prop_map(|((app, room, life), who)| Step::Leave { app, room, life, who }),
        2 => (any::<usize>(), any::<bool>())
            .prop_map(|(assignment, enters)| Step::Agent { assignment, enters }),
        1 => (place(), any::<bool>())
            .prop_map(|((app, room, life), named)| Step::Create { app, room, life, named }),
        1 => (0..APPS, 0..ROOMS, any::<usize>())
            .prop_map(|(app, room, dispatch)| Step::Delete { app, room, dispatch }),
        2 => (0u8..15).prop_map(Step::Pass),
    ]
}

fn app(n: u32) -> SdkAppId {
    SdkAppId(n + 1)
}

fn room(n: u32) -> RoomName {
    RoomName::parse(&format!("r{n}")).unwrap()
}

fn wishes(named: bool) -> Vec<lk::RoomAgentDispatch> {
    let named = named
        .then(|| lk::RoomAgentDispatch { agent_name: "echo".to_owned(), ..Default::default() });
    named.into_iter().collect()
}

fn person(who: u8, life: u8) -> lk::ParticipantInfo {
    let (identity, sid) = (format!("p{who}"), format!("PA_{who}_{life}"));
    lk::ParticipantInfo { identity, sid, ..Default::default() }
}

/// The machine and what it has said.
struct World {
    dispatcher: Dispatcher,
    now: Now,
    workers: Vec<(WorkerId, SdkAppId)>,
    connected: BTreeSet<WorkerId>,
    /// Jobs in the order in which they were offered first, and whose they are.
    jobs: Vec<(String, SdkAppId)>,
    assigned: BTreeMap<String, (SdkAppId, RoomName, String)>,
    ended: BTreeSet<String>,
}

impl World {
    fn check_outputs(&mut self) {
        while let Some(output) = self.dispatcher.poll_output() {
            match output {
                Output::Send(worker, message) => {
                    assert!(self.connected.contains(&worker), "{worker} is gone");
                    if let ToWorker::Availability(request) = *message {
                        self.note_job(&worker, &request.job.unwrap());
                    }
                }
                Output::Assign(assignment) => {
                    let of = (assignment.app, assignment.room, assignment.identity);
                    let before = self.assigned.insert(assignment.job.id.clone(), of);
                    assert!(before.is_none(), "{} is assigned twice", assignment.job.id);
                    assert!(!self.ended.contains(&assignment.job.id));
                }
                Output::Ended(job) => {
                    assert!(self.assigned.contains_key(&job.id), "{} was never assigned", job.id);
                    let status = job.state.unwrap().status();
                    assert!(matches!(status, lk::JobStatus::JsSuccess | lk::JobStatus::JsFailed));
                    assert!(self.ended.insert(job.id.clone()), "{} ended twice", job.id);
                }
                Output::Close(worker, _) => {
                    self.connected.remove(&worker);
                }
                Output::Remove { .. } => {}
            }
        }
        let stats = self.dispatcher.stats();
        assert_eq!(stats.assigned, u64::try_from(self.assigned.len()).unwrap());
        assert_eq!(stats.ended, u64::try_from(self.ended.len()).unwrap());
        assert!(stats.rooms <= u64::from(APPS * ROOMS));
    }

    fn note_job(&mut self, worker: &WorkerId, job: &lk::Job) {
        let of = self.workers.iter().find(|(id, _)| id == worker).unwrap().1;
        match self.jobs.iter().find(|(id, _)| *id == job.id) {
            Some((_, app)) => assert_eq!(*app, of, "a job is offered to another application"),
            None => self.jobs.push((job.id.clone(), of)),
        }
        assert!(
            !self.assigned.contains_key(&job.id),
            "{} is offered after it was assigned",
            job.id
        );
    }

    fn news(&mut self, n: u32, of: u32, life: u8, what: What) {
        let news = RoomNews {
            app: app(n),
            room: room(of),
            sid: format!("RM_{life}"),
            info: Arc::new(lk::Room { sid: format!("RM_{life}"), ..Default::default() }),
            may_dispatch: true,
            what,
        };
        self.dispatcher.room_news(self.now, news);
    }

    fn say(&mut self, worker: usize, message: FromWorker) {
        if self.workers.is_empty() {
            return;
        }
        let (id, _) = self.workers[worker % self.workers.len()].clone();
        self.dispatcher.worker_message(self.now, &id, message, true);
    }

    fn job(&self, n: usize) -> Option<String> {
        // Mostly one of the last, since those are not decided yet.
        let n = self.jobs.len().checked_sub(1 + n % 8)?;
        self.jobs.get(n).map(|(id, _)| id.clone())
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Connect { app: n, named, kind } => {
                let id = self.dispatcher.open_worker(self.now, app(n), String::new()).unwrap();
                self.workers.push((id.clone(), app(n)));
                self.connected.insert(id);
                let agent_name = if named { "echo".to_owned() } else { String::new() };
                let request =
                    lk::RegisterWorkerRequest { r#type: kind, agent_name, ..Default::default() };
                let last = self.workers.len() - 1;
                self.say(last, FromWorker::Register(request));
            }
            Step::Disconnect(n) if !self.workers.is_empty() => {
                let (id, _) = self.workers[n % self.workers.len()].clone();
                self.connected.remove(&id);
                self.dispatcher.worker_gone(self.now, &id);
            }
            Step::Disconnect(_) => {}
            Step::Status { worker, load, full } => {
                let (status, load) = (Some(i32::from(full)), f32::from(load) / 255.0);
                let update = lk::UpdateWorkerStatus { status, load, ..Default::default() };
                self.say(worker, FromWorker::UpdateWorker(update));
            }
            Step::Answer { worker, question, available, terminate } => {
                let Some(job_id) = self.job(question) else { return };
                let answer =
                    lk::AvailabilityResponse { job_id, available, terminate, ..Default::default() };
                self.say(worker, FromWorker::Availability(answer));
            }
            Step::Update { worker, job, status } => {
                let Some(job_id) = self.job(job) else { return };
                let update = lk::UpdateJobStatus { job_id, status, error: String::new() };
                self.say(worker, FromWorker::UpdateJob(update));
            }
            Step::Simulate(worker) => {
                let room = Some(lk::Room { name: "r0".to_owned(), ..Default::default() });
                let request = lk::SimulateJobRequest { room, ..Default::default() };
                self.say(worker, FromWorker::SimulateJob(request));
            }
            Step::Start { app, room, life, named } => {
                self.news(app, room, life, What::Started(wishes(named)));
            }
            Step::Finish { app, room, life } => self.news(app, room, life, What::Finished),
            Step::Enter { app, room, life, who } => {
                self.news(app, room, life, What::Entered(Box::new(person(who, life))));
            }
            Step::Publish { app, room, life, who } => {
                self.news(app, room, life, What::Published(Box::new(person(who, life))));
            }
            Step::Leave { app, room, life, who } => {
                let info = person(who, life);
                self.news(app, room, life, What::Left { identity: info.identity, stay: info.sid });
            }
            Step::Agent { assignment, enters } => self.move_agent(assignment, enters),
            Step::Create { app: n, room: of, life, named } => {
                let new = NewDispatch {
                    app: app(n),
                    room: room(of),
                    info: lk::Room { sid: format!("RM_{life}"), ..Default::default() },
                    participants: vec![person(0, life)],
                    wish: wishes(named).pop().unwrap_or_default(),
                    may_dispatch: true,
                };
                let _ = self.dispatcher.create_dispatch(self.now, new);
            }
            Step::Delete { app: n, room: of, dispatch } => {
                let listed = self.dispatcher.list_dispatches(app(n), &room(of), None);
                let listed = listed.unwrap_or_default();
                assert!(listed.len() <= DISPATCHES_PER_ROOM_MAX);
                if !listed.is_empty() {
                    let id = DispatchId::from_text(&listed[dispatch % listed.len()].id);
                    self.dispatcher.delete_dispatch(self.now, app(n), &room(of), &id).unwrap();
                }
            }
            Step::Pass(seconds) => {
                self.now = self.now.plus(Duration::from_secs(seconds.into()));
                self.dispatcher.handle_timeout(self.now);
            }
        }
    }

    fn move_agent(&mut self, n: usize, enters: bool) {
        if self.assigned.is_empty() {
            return;
        }
        let of = self.assigned.values().nth(n % self.assigned.len()).cloned();
        let Some((app, room, identity)) = of else { return };
        for life in 0..2 {
            let stay = format!("PA_{identity}");
            let info = lk::ParticipantInfo {
                identity: identity.clone(),
                sid: stay.clone(),
                kind: lk::participant_info::Kind::Agent.into(),
                ..Default::default()
            };
            let what = if enters {
                What::Entered(Box::new(info))
            } else {
                What::Left { identity: identity.clone(), stay }
            };
            let news = RoomNews {
                app,
                room: room.clone(),
                sid: format!("RM_{life}"),
                info: Arc::new(lk::Room::default()),
                may_dispatch: true,
                what,
            };
            self.dispatcher.room_news(self.now, news);
        }
    }
}

proptest! {
    #[test]
    fn every_job_is_assigned_at_most_once_and_ends_once(steps in prop::collection::vec(step(), 0..150)) {
        let mut world = World {
            dispatcher: Dispatcher::new(lk::ServerInfo::default(), [1; 32]),
            now: Now::read(),
            workers: Vec::new(),
            connected: BTreeSet::new(),
            jobs: Vec::new(),
            assigned: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        for step in steps {
            world.take(&step);
            world.check_outputs();
        }
        for (app, room) in (0..APPS).flat_map(|app| (0..ROOMS).map(move |room| (app, room))) {
            for life in 0..2 {
                world.news(app, room, life, What::Finished);
            }
        }
        world.check_outputs();
        for worker in 0..world.workers.len() {
            world.take(&Step::Disconnect(worker));
            world.check_outputs();
        }
        world.now = world.now.plus(ORPHAN_TIME_MAX);
        world.dispatcher.handle_timeout(world.now);
        world.check_outputs();
        let stats = world.dispatcher.stats();
        prop_assert_eq!((stats.workers, stats.jobs, stats.rooms), (0, 0, 0));
        prop_assert_eq!(world.dispatcher.next_timeout(), None);
        prop_assert_eq!(world.assigned.len(), world.ended.len());
    }
}

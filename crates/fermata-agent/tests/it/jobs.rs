//! Workers, rooms and dispatches as the shell brings them, step by step, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use fermata_agent::limits::{
    ANSWER_TIME_MAX, DISPATCHES_PER_ROOM_MAX, ENDED_JOBS_MAX, JOBS_PER_APP_MAX,
    JOBS_PER_WORKER_MAX, LEAVE_TIME_MAX, LEFT_TIME_MAX, ORPHAN_TIME_MAX, REGISTER_TIME_MAX,
    WORKERS_PER_APP_MAX,
};
use fermata_agent::{
    Assignment, DispatchError, DispatchId, Dispatcher, NewDispatch, Output, RoomNews, What,
    WorkerId,
};
use fermata_types::{Now, RoomName, SdkAppId};
use livekit_protocol as lk;
use lk::participant_info::Kind;
use lk::server_message::Message as ToWorker;
use lk::worker_message::Message as FromWorker;

const APP: SdkAppId = SdkAppId(7);

/// The machine, a clock, and what came out last.
struct World {
    dispatcher: Dispatcher,
    now: Now,
}

impl World {
    fn new() -> Self {
        let server = lk::ServerInfo { version: "1.2.3".to_owned(), ..Default::default() };
        Self { dispatcher: Dispatcher::new(server, [7; 32]), now: Now::read() }
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.dispatcher.poll_output()).collect()
    }

    /// Lets time pass, and fires what is due.
    fn pass(&mut self, by: Duration) -> Vec<Output> {
        self.now = self.now.plus(by);
        self.dispatcher.handle_timeout(self.now);
        self.outputs()
    }

    fn worker_of(&mut self, app: SdkAppId, request: lk::RegisterWorkerRequest) -> WorkerId {
        let id = self.dispatcher.open_worker(self.now, app, "key".to_owned()).unwrap();
        let out = self.say(&id, FromWorker::Register(request));
        let [Output::Send(to, message)] = out.as_slice() else { panic!("{out:?}") };
        let ToWorker::Register(response) = &**message else { panic!("{message:?}") };
        assert_eq!((to, response.worker_id.as_str()), (&id, id.as_str()));
        assert!(response.worker_id.starts_with("AW_"));
        assert_eq!(response.server_info.as_ref().unwrap().version, "1.2.3");
        id
    }

    fn worker(&mut self, name: &str, kind: lk::JobType) -> WorkerId {
        self.worker_of(APP, offer(name, kind))
    }

    fn say(&mut self, worker: &WorkerId, message: FromWorker) -> Vec<Output> {
        self.dispatcher.worker_message(self.now, worker, message, true);
        self.outputs()
    }

    fn load(&mut self, worker: &WorkerId, load: f32, status: lk::WorkerStatus) {
        let status = Some(status.into());
        let update = lk::UpdateWorkerStatus { load, status, ..Default::default() };
        assert_eq!(self.say(worker, FromWorker::UpdateWorker(update)), []);
    }

    fn news(&mut self, room: &str, what: What) -> Vec<Output> {
        self.news_of(APP, room, "RM_1", what, true)
    }

    fn news_of(
        &mut self,
        app: SdkAppId,
        room: &str,
        sid: &str,
        what: What,
        may: bool,
    ) -> Vec<Output> {
        let news = RoomNews {
            app,
            room: RoomName::parse(room).unwrap(),
            sid: sid.to_owned(),
            info: Arc::new(record(room, sid)),
            may_dispatch: may,
            what,
        };
        self.dispatcher.room_news(self.now, news);
        self.outputs()
    }

    fn start(&mut self, room: &str, names: &[&str]) -> Vec<Output> {
        self.news(room, What::Started(names.iter().map(|name| wish(name)).collect()))
    }

    fn create(
        &mut self,
        room: &str,
        name: &str,
        people: Vec<lk::ParticipantInfo>,
    ) -> lk::AgentDispatch {
        let new = NewDispatch {
            app: APP,
            room: RoomName::parse(room).unwrap(),
            info: record(room, "RM_1"),
            participants: people,
            wish: wish(name),
            may_dispatch: true,
        };
        self.dispatcher.create_dispatch(self.now, new).unwrap()
    }

    fn delete(&mut self, room: &str, id: &str) -> Result<lk::AgentDispatch, DispatchError> {
        let room = RoomName::parse(room).unwrap();
        self.dispatcher.delete_dispatch(self.now, APP, &room, &DispatchId::from_text(id))
    }

    fn list(&self, room: &str) -> Vec<lk::AgentDispatch> {
        self.dispatcher.list_dispatches(APP, &RoomName::parse(room).unwrap(), None).unwrap()
    }

    /// The worker takes the job; the assignment that follows.
    fn accept(&mut self, worker: &WorkerId, job: &str) -> Assignment {
        let out = self.say(worker, FromWorker::Availability(yes(job)));
        let [Output::Assign(assignment)] = out.as_slice() else { panic!("{out:?}") };
        (**assignment).clone()
    }

    /// A room with one agent that runs, in the room.
    fn running(&mut self) -> (WorkerId, Assignment) {
        let worker = self.worker("echo", lk::JobType::JtRoom);
        let (_, job) = asked(&self.start("r", &["echo"]));
        let assignment = self.accept(&worker, &job.id);
        assert_eq!(self.news("r", What::Entered(agent(&assignment.identity, "PA_agent"))), []);
        (worker, assignment)
    }
}

fn record(room: &str, sid: &str) -> lk::Room {
    lk::Room {
        name: room.to_owned(),
        sid: sid.to_owned(),
        metadata: "m".to_owned(),
        ..Default::default()
    }
}

fn offer(name: &str, kind: lk::JobType) -> lk::RegisterWorkerRequest {
    lk::RegisterWorkerRequest {
        agent_name: name.to_owned(),
        r#type: kind.into(),
        ..Default::default()
    }
}

fn wish(name: &str) -> lk::RoomAgentDispatch {
    lk::RoomAgentDispatch {
        agent_name: name.to_owned(),
        metadata: "why".to_owned(),
        ..Default::default()
    }
}

fn person(identity: &str, stay: &str) -> Box<lk::ParticipantInfo> {
    Box::new(lk::ParticipantInfo {
        identity: identity.to_owned(),
        sid: stay.to_owned(),
        ..Default::default()
    })
}

fn agent(identity: &str, stay: &str) -> Box<lk::ParticipantInfo> {
    Box::new(lk::ParticipantInfo { kind: Kind::Agent.into(), ..*person(identity, stay) })
}

fn left(identity: &str, stay: &str) -> What {
    What::Left { identity: identity.to_owned(), stay: stay.to_owned() }
}

fn yes(job: &str) -> lk::AvailabilityResponse {
    lk::AvailabilityResponse { job_id: job.to_owned(), available: true, ..Default::default() }
}

fn no(job: &str) -> FromWorker {
    FromWorker::Availability(lk::AvailabilityResponse { available: false, ..yes(job) })
}

fn update(job: &str, status: lk::JobStatus) -> FromWorker {
    FromWorker::UpdateJob(lk::UpdateJobStatus {
        job_id: job.to_owned(),
        status: status.into(),
        error: String::new(),
    })
}

/// All that were asked, and about which job.
fn all_asked(out: &[Output]) -> Vec<(WorkerId, lk::Job)> {
    let asked = |output: &Output| match output {
        Output::Send(worker, message) => match &**message {
            ToWorker::Availability(request) => Some((worker.clone(), request.job.clone().unwrap())),
            _ => None,
        },
        _ => None,
    };
    out.iter().filter_map(asked).collect()
}

/// The one that was asked.
fn asked(out: &[Output]) -> (WorkerId, lk::Job) {
    let mut all = all_asked(out);
    assert_eq!(all.len(), 1, "{out:?}");
    all.remove(0)
}

fn terminated(output: &Output) -> Option<&str> {
    match output {
        Output::Send(_, message) => match &**message {
            ToWorker::Termination(termination) => Some(&termination.job_id),
            _ => None,
        },
        _ => None,
    }
}

fn ended(out: &[Output]) -> Vec<lk::JobStatus> {
    let status = |output: &Output| match output {
        Output::Ended(job) => Some(job.state.as_ref().unwrap().status()),
        _ => None,
    };
    out.iter().filter_map(status).collect()
}

#[test]
fn which_rooms_a_worker_is_sent_to() {
    let rows: [(&str, &[&str], bool); 5] = [
        ("", &[], true),
        ("", &["echo"], false),
        ("echo", &[], false),
        ("echo", &["other", "echo"], true),
        ("echo", &["Echo"], false),
    ];
    for (name, wishes, expected) in rows {
        let mut world = World::new();
        world.worker(name, lk::JobType::JtRoom);
        let out = world.start("r", wishes);
        assert_eq!(all_asked(&out).len(), usize::from(expected), "{name:?} {wishes:?}");
        let names: Vec<_> = world.list("r").into_iter().map(|d| d.agent_name).collect();
        let expected: &[&str] = if wishes.is_empty() { &[""] } else { wishes };
        assert_eq!(names.len(), expected.len());
        assert!(expected.iter().all(|name| names.iter().any(|each| each == name)), "{names:?}");
    }
}

#[test]
fn a_job_is_offered_taken_and_ends() {
    let mut world = World::new();
    let worker = world.worker("echo", lk::JobType::JtRoom);
    let (to, job) = asked(&world.start("r", &["echo"]));
    assert_eq!(to, worker);
    assert!(job.id.starts_with("AJ_") && job.dispatch_id.starts_with("AD_"));
    assert_eq!((job.agent_name.as_str(), job.metadata.as_str()), ("echo", "why"));
    assert_eq!(job.room.as_ref().unwrap().metadata, "m");
    assert!(world.list("r")[0].state.as_ref().unwrap().jobs.is_empty());

    let mut answer = yes(&job.id);
    answer.participant_name = "Echo".to_owned();
    answer.participant_attributes = [("a".to_owned(), "1".to_owned())].into();
    let out = world.say(&worker, FromWorker::Availability(answer));
    let [Output::Assign(assignment)] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(assignment.identity, format!("agent-{}", job.id));
    assert_eq!((assignment.name.as_str(), assignment.key.as_str()), ("Echo", "key"));
    assert_eq!(assignment.attributes["lk.agent_name"], "echo");
    assert!(assignment.permission.can_publish && !assignment.may_create);
    let jobs = world.list("r")[0].state.clone().unwrap().jobs;
    assert_eq!(jobs[0].state.as_ref().unwrap().participant_identity, assignment.identity);
    assert_eq!(jobs[0].room.as_ref().unwrap().metadata, "");
    assert_eq!(world.dispatcher.stats().jobs, 1);

    // Said twice, and by somebody else: nothing.
    assert_eq!(world.say(&worker, FromWorker::Availability(yes(&job.id))), []);
    let other = world.worker("echo", lk::JobType::JtRoom);
    assert_eq!(world.say(&other, update(&job.id, lk::JobStatus::JsFailed)), []);
    assert_eq!(world.say(&worker, update(&job.id, lk::JobStatus::JsRunning)), []);
    let out = world.say(&worker, update(&job.id, lk::JobStatus::JsSuccess));
    assert_eq!(ended(&out), [lk::JobStatus::JsSuccess]);
    assert_eq!(world.say(&worker, update(&job.id, lk::JobStatus::JsFailed)), []);
    let state = world.list("r")[0].state.clone().unwrap();
    assert_eq!(state.jobs[0].state.as_ref().unwrap().status(), lk::JobStatus::JsSuccess);
    assert!(state.jobs[0].state.as_ref().unwrap().ended_at > 0);
    assert_eq!(world.dispatcher.next_timeout(), None);
    assert_eq!(world.dispatcher.stats().jobs, 0);
}

#[test]
fn who_declines_or_is_silent_or_goes_is_passed_over() {
    let mut world = World::new();
    let all: Vec<_> = (0..4).map(|_| world.worker("echo", lk::JobType::JtRoom)).collect();
    let (first, job) = asked(&world.start("r", &["echo"]));
    let (second, same) = asked(&world.say(&first, no(&job.id)));
    assert_eq!(same.id, job.id);
    let (third, _) = asked(&world.pass(ANSWER_TIME_MAX));
    // Too late.
    assert_eq!(world.say(&second, FromWorker::Availability(yes(&job.id))), []);
    world.dispatcher.worker_gone(world.now, &third);
    let (fourth, _) = asked(&world.outputs());
    let mut each = vec![&first, &second, &third, &fourth];
    each.sort();
    each.dedup();
    assert_eq!(each.len(), all.len());
    let mut bad = yes(&job.id);
    bad.participant_identity = "x".repeat(257);
    assert_eq!(world.say(&fourth, FromWorker::Availability(bad)), []);
    let state = world.list("r")[0].state.clone().unwrap();
    assert_eq!(state.jobs[0].state.as_ref().unwrap().error, "no worker took the job");
    let stats = world.dispatcher.stats();
    assert_eq!((stats.jobs, stats.untaken, stats.declined, stats.unanswered), (0, 1, 2, 1));
    assert_eq!(world.dispatcher.next_timeout(), None);
}

#[test]
fn a_worker_may_say_that_the_job_is_done_already() {
    let mut world = World::new();
    let worker = world.worker("echo", lk::JobType::JtRoom);
    let (_, job) = asked(&world.start("r", &["echo"]));
    let mut answer = yes(&job.id);
    (answer.available, answer.terminate) = (false, true);
    assert_eq!(world.say(&worker, FromWorker::Availability(answer)), []);
    let state = world.list("r")[0].state.clone().unwrap();
    assert_eq!(state.jobs[0].state.as_ref().unwrap().status(), lk::JobStatus::JsSuccess);
}

#[test]
fn the_full_and_the_draining_are_not_asked() {
    let mut world = World::new();
    let full = world.worker("echo", lk::JobType::JtRoom);
    let busy = world.worker("echo", lk::JobType::JtRoom);
    let nan = world.worker("echo", lk::JobType::JtRoom);
    let drain = world.worker("echo", lk::JobType::JtRoom);
    world.load(&full, 0.1, lk::WorkerStatus::WsFull);
    world.load(&busy, 1.0, lk::WorkerStatus::WsAvailable);
    world.load(&nan, f32::NAN, lk::WorkerStatus::WsAvailable);
    let draining = lk::UpdateWorkerStatus { draining: true, seq: 5, ..Default::default() };
    world.say(&drain, FromWorker::UpdateWorker(draining));
    // Overtaken by the one before.
    let late = lk::UpdateWorkerStatus { status: Some(0), seq: 4, ..Default::default() };
    world.say(&drain, FromWorker::UpdateWorker(late));
    assert_eq!(world.start("r", &["echo"]), []);
    world.load(&full, 0.1, lk::WorkerStatus::WsAvailable);
    world.create("r", "echo", Vec::new());
    assert_eq!(asked(&world.outputs()).0, full);
}

#[test]
fn the_less_loaded_are_asked_more_often() {
    let mut world = World::new();
    let idle = world.worker("echo", lk::JobType::JtRoom);
    let loaded = world.worker("echo", lk::JobType::JtRoom);
    world.load(&loaded, 0.9, lk::WorkerStatus::WsAvailable);
    let mut to_idle = 0;
    for n in 0..200 {
        let room = format!("r{n}");
        let (to, _) = asked(&world.news(&room, What::Started(vec![wish("echo")])));
        to_idle += i32::from(to == idle);
    }
    assert!((150..200).contains(&to_idle), "{to_idle}");
}

#[test]
fn publishers_and_participants_get_one_job_each_and_agents_none() {
    for kind in [lk::JobType::JtPublisher, lk::JobType::JtParticipant] {
        let mut world = World::new();
        let worker = world.worker("", kind);
        assert_eq!(world.start("r", &[]), []);
        let news = |info| match kind {
            lk::JobType::JtPublisher => What::Published(info),
            _ => What::Entered(info),
        };
        let (_, job) = asked(&world.news("r", news(person("ann", "PA_1"))));
        assert_eq!(job.participant.as_ref().unwrap().identity, "ann");
        assert_eq!(world.news("r", news(person("ann", "PA_1"))), []);
        assert_eq!(all_asked(&world.news("r", news(person("ben", "PA_2")))).len(), 1);
        let assignment = world.accept(&worker, &job.id);
        assert_eq!(world.news("r", news(agent(&assignment.identity, "PA_3"))), []);
        // Another stay of the same person is another target.
        world.news("r", left("ann", "PA_1"));
        assert_eq!(all_asked(&world.news("r", news(person("ann", "PA_4")))).len(), 1);
    }
}

#[test]
fn a_target_without_a_worker_is_looked_at_again() {
    let mut world = World::new();
    assert_eq!(world.start("r", &[]), []);
    assert_eq!(world.news("r", What::Published(person("ann", "PA_1"))), []);
    let worker = world.worker("", lk::JobType::JtPublisher);
    world.load(&worker, 0.0, lk::WorkerStatus::WsFull);
    assert_eq!(world.news("r", What::Published(person("ann", "PA_1"))), []);
    world.load(&worker, 0.0, lk::WorkerStatus::WsAvailable);
    assert_eq!(all_asked(&world.news("r", What::Published(person("ann", "PA_1")))).len(), 1);
}

#[test]
fn applications_deployments_and_namespaces_do_not_meet() {
    let mut world = World::new();
    let other = SdkAppId(8);
    world.worker_of(other, offer("echo", lk::JobType::JtRoom));
    let staging = lk::RegisterWorkerRequest {
        deployment: "staging".to_owned(),
        ..offer("echo", lk::JobType::JtRoom)
    };
    world.worker_of(APP, staging);
    assert_eq!(world.start("r", &["echo"]), []);
    assert_eq!(world.list("r").len(), 1);
    let unknown = RoomName::parse("r").unwrap();
    assert_eq!(
        world.dispatcher.list_dispatches(other, &unknown, None),
        Err(DispatchError::NoSuchRoom)
    );
    for namespace in ["a", "b", "b"] {
        let namespace = Some(namespace.to_owned());
        world.worker_of(
            APP,
            lk::RegisterWorkerRequest { namespace, ..offer("ns", lk::JobType::JtRoom) },
        );
    }
    world.create("r", "ns", Vec::new());
    let out = world.outputs();
    #[expect(deprecated, reason = "workers still register in namespaces")]
    let mut namespaces: Vec<_> =
        all_asked(&out).into_iter().map(|(_, job)| job.namespace).collect();
    namespaces.sort();
    assert_eq!(namespaces, ["a", "b"]);
}

#[test]
fn a_suspended_application_gets_no_agents_and_keeps_those_it_has() {
    let mut world = World::new();
    let (worker, assignment) = world.running();
    world.worker("", lk::JobType::JtPublisher);
    let out = world.news_of(APP, "r2", "RM_2", What::Started(vec![wish("echo")]), false);
    assert_eq!(out, []);
    assert_eq!(world.list("r2").len(), 1);
    let published = What::Published(person("ann", "PA_1"));
    assert_eq!(world.news_of(APP, "r2", "RM_2", published, false), []);
    let room = Some(record("r3", ""));
    let simulate = FromWorker::SimulateJob(lk::SimulateJobRequest { room, ..Default::default() });
    world.dispatcher.worker_message(world.now, &worker, simulate, false);
    assert_eq!(world.outputs(), []);
    let out = world.say(&worker, update(&assignment.job.id, lk::JobStatus::JsSuccess));
    assert_eq!(ended(&out), [lk::JobStatus::JsSuccess]);
}

#[test]
fn a_dispatch_that_is_added_reaches_those_who_are_there() {
    let mut world = World::new();
    world.worker("echo", lk::JobType::JtPublisher);
    world.worker("echo", lk::JobType::JtParticipant);
    world.worker("echo", lk::JobType::JtRoom);
    let mut publisher = person("ann", "PA_1");
    publisher.tracks.push(lk::TrackInfo::default());
    let people = vec![*publisher, *person("ben", "PA_2"), *agent("x", "PA_3")];
    // An API may know of the room before its beginning is told.
    let dispatch = world.create("r", "echo", people);
    let mut kinds: Vec<_> = all_asked(&world.outputs())
        .into_iter()
        .map(|(_, job)| (job.r#type, job.dispatch_id))
        .collect();
    kinds.sort();
    let id = dispatch.id;
    assert_eq!(kinds, [(0, id.clone()), (1, id.clone()), (2, id.clone()), (2, id)]);
    // Its beginning comes, and does not do it again.
    assert_eq!(world.start("r", &[]), []);
    assert_eq!(world.list("r").len(), 2);
    let mut publisher = person("ann", "PA_1");
    publisher.tracks.push(lk::TrackInfo::default());
    assert_eq!(world.news("r", What::Published(publisher)), []);
}

#[test]
fn a_deleted_dispatch_ends_its_job_and_its_agent_is_removed_if_it_stays() {
    for leaves in [true, false] {
        let mut world = World::new();
        let (_, assignment) = world.running();
        let dispatch = assignment.job.dispatch_id.clone();
        let deleted = world.delete("r", &dispatch).unwrap();
        let state = deleted.state.unwrap();
        assert!(state.deleted_at > 0);
        assert_eq!(state.jobs[0].state.as_ref().unwrap().status(), lk::JobStatus::JsSuccess);
        let out = world.outputs();
        assert_eq!(terminated(&out[0]), Some(assignment.job.id.as_str()), "{out:?}");
        assert_eq!(ended(&out), [lk::JobStatus::JsSuccess]);
        assert_eq!(world.delete("r", &dispatch), Err(DispatchError::NoSuchDispatch));
        if leaves {
            assert_eq!(world.news("r", left(&assignment.identity, "PA_agent")), []);
        }
        let out = world.pass(LEAVE_TIME_MAX);
        let removal = Output::Remove {
            app: APP,
            room: RoomName::parse("r").unwrap(),
            identity: assignment.identity.clone(),
        };
        assert_eq!(out, if leaves { vec![] } else { vec![removal] });
        assert_eq!(world.dispatcher.stats().jobs, 0);
        assert_eq!(world.list("r"), []);
    }
}

#[test]
fn an_agent_that_left_has_a_moment() {
    // Its worker reports in time.
    let mut world = World::new();
    let (worker, assignment) = world.running();
    assert_eq!(world.news("r", left(&assignment.identity, "PA_agent")), []);
    let out = world.say(&worker, update(&assignment.job.id, lk::JobStatus::JsSuccess));
    assert_eq!(ended(&out), [lk::JobStatus::JsSuccess]);
    assert_eq!(world.pass(LEFT_TIME_MAX), []);

    // It comes back.
    let mut world = World::new();
    let (_, assignment) = world.running();
    world.news("r", left(&assignment.identity, "PA_agent"));
    world.news("r", What::Entered(agent(&assignment.identity, "PA_again")));
    assert_eq!(world.pass(LEFT_TIME_MAX), []);
    // The end of an earlier stay that is told late is not the end of this one.
    world.news("r", left(&assignment.identity, "PA_agent"));
    assert_eq!(world.dispatcher.next_timeout(), None);

    // Neither.
    world.news("r", left(&assignment.identity, "PA_again"));
    let out = world.pass(LEFT_TIME_MAX);
    assert_eq!(terminated(&out[0]), Some(assignment.job.id.as_str()));
    assert_eq!(ended(&out), [lk::JobStatus::JsFailed]);
    let jobs = world.list("r")[0].state.clone().unwrap().jobs;
    assert_eq!(jobs[0].state.as_ref().unwrap().error, "the agent left the room");
}

#[test]
fn the_end_of_a_room_ends_its_jobs() {
    let mut world = World::new();
    let (_, assignment) = world.running();
    world.create("r", "echo", Vec::new());
    asked(&world.outputs());
    let out = world.news("r", What::Finished);
    assert_eq!(terminated(&out[0]), Some(assignment.job.id.as_str()));
    assert_eq!(ended(&out), [lk::JobStatus::JsSuccess]);
    let stats = world.dispatcher.stats();
    assert_eq!((stats.rooms, stats.jobs), (0, 0));
    assert_eq!(world.dispatcher.next_timeout(), None);
    // Another life of it, whose predecessor's late news count for nothing.
    world.news_of(APP, "r", "RM_2", What::Started(vec![]), true);
    assert_eq!(world.news("r", What::Finished), []);
    assert_eq!(world.dispatcher.stats().rooms, 1);
    // A beginning without the end before it.
    world.news_of(APP, "r", "RM_3", What::Started(vec![]), true);
    assert_eq!(world.dispatcher.stats().rooms, 1);
}

#[test]
fn a_job_outlives_its_workers_connection() {
    let mut world = World::new();
    let (worker, assignment) = world.running();
    world.dispatcher.worker_gone(world.now, &worker);
    assert_eq!(world.pass(ORPHAN_TIME_MAX), []);
    assert_eq!(world.dispatcher.stats().jobs, 1);
    // What a worker says about jobs of an earlier connection is ignored.
    let again = world.worker("echo", lk::JobType::JtRoom);
    let migrate = lk::MigrateJobRequest { job_ids: vec![assignment.job.id.clone()] };
    assert_eq!(world.say(&again, FromWorker::MigrateJob(migrate)), []);
    assert_eq!(world.say(&again, update(&assignment.job.id, lk::JobStatus::JsFailed)), []);
    world.news("r", left(&assignment.identity, "PA_agent"));
    assert_eq!(ended(&world.pass(LEFT_TIME_MAX)), [lk::JobStatus::JsFailed]);
}

#[test]
fn a_job_without_worker_and_agent_fails() {
    let mut world = World::new();
    let worker = world.worker("echo", lk::JobType::JtRoom);
    let (_, job) = asked(&world.start("r", &["echo"]));
    world.accept(&worker, &job.id);
    world.dispatcher.worker_gone(world.now, &worker);
    assert_eq!(ended(&world.pass(ORPHAN_TIME_MAX)), [lk::JobStatus::JsFailed]);
}

#[test]
fn registrations_that_cannot_be_used() {
    let long = "x".repeat(257);
    let rows = [
        (offer(&long, lk::JobType::JtRoom), "agent_name has 257 bytes; at most 256 are allowed"),
        (
            lk::RegisterWorkerRequest { r#type: 9, ..Default::default() },
            "job type 9 is none of 0 (room), 1 (publisher), 2 (participant)",
        ),
        (
            lk::RegisterWorkerRequest { deployment: "a_b".to_owned(), ..Default::default() },
            "deployment contains '_'; underscores, spaces and control characters are not allowed",
        ),
    ];
    for (request, expected) in rows {
        let mut world = World::new();
        let id = world.dispatcher.open_worker(world.now, APP, String::new()).unwrap();
        let out = world.say(&id, FromWorker::Register(request));
        assert_eq!(out, [Output::Close(id, expected.to_owned())]);
        assert_eq!(world.dispatcher.next_timeout(), None);
    }
}

#[test]
fn whoever_does_not_register_is_closed() {
    let mut world = World::new();
    let id = world.dispatcher.open_worker(world.now, APP, String::new()).unwrap();
    let out = world.say(&id, FromWorker::Ping(lk::WorkerPing { timestamp: 5 }));
    let [Output::Send(_, message)] = out.as_slice() else { panic!("{out:?}") };
    assert!(
        matches!(&**message, ToWorker::Pong(pong) if pong.last_timestamp == 5 && pong.timestamp > 0)
    );
    let reason = "no registration came in time".to_owned();
    assert_eq!(world.pass(REGISTER_TIME_MAX), [Output::Close(id, reason)]);
    let id = world.dispatcher.open_worker(world.now, APP, String::new()).unwrap();
    let out = world.say(&id, update("AJ_x", lk::JobStatus::JsSuccess));
    assert_eq!(
        out,
        [Output::Close(id.clone(), "the first message must be a registration".to_owned())]
    );
    assert_eq!(world.say(&id, FromWorker::Register(offer("", lk::JobType::JtRoom))), []);
}

#[test]
fn a_simulated_job_is_for_its_worker_alone() {
    let mut world = World::new();
    let worker = world.worker("echo", lk::JobType::JtRoom);
    world.worker("echo", lk::JobType::JtRoom);
    let simulate = |room: &str| {
        let room = Some(record(room, ""));
        FromWorker::SimulateJob(lk::SimulateJobRequest { room, ..Default::default() })
    };
    assert_eq!(world.say(&worker, simulate("")), []);
    let (to, job) = asked(&world.say(&worker, simulate("fake")));
    assert_eq!((&to, job.dispatch_id.as_str()), (&worker, ""));
    assert!(world.accept(&worker, &job.id).may_create);
    let out = world.say(&worker, update(&job.id, lk::JobStatus::JsFailed));
    assert_eq!(ended(&out), [lk::JobStatus::JsFailed]);
    let (_, job) = asked(&world.say(&worker, simulate("fake")));
    assert_eq!(world.say(&worker, no(&job.id)), []);
    assert_eq!(world.dispatcher.stats().jobs, 0);
}

#[test]
fn one_application_does_not_take_all_places() {
    let mut world = World::new();
    let simulate = || {
        let room = Some(record("fake", ""));
        FromWorker::SimulateJob(lk::SimulateJobRequest { room, ..Default::default() })
    };
    let mut jobs = Vec::new();
    for _ in 0..JOBS_PER_APP_MAX / JOBS_PER_WORKER_MAX {
        let worker = world.worker("echo", lk::JobType::JtRoom);
        for _ in 0..JOBS_PER_WORKER_MAX {
            let (_, job) = asked(&world.say(&worker, simulate()));
            world.accept(&worker, &job.id);
            jobs.push((worker.clone(), job.id));
        }
    }
    let another = world.worker("echo", lk::JobType::JtRoom);
    assert_eq!(world.say(&another, simulate()), []);
    assert_eq!(world.start("r", &["echo"]), []);
    assert_eq!(world.dispatcher.stats().limited, 2);
    let other = world.worker_of(SdkAppId(8), offer("echo", lk::JobType::JtRoom));
    let started = What::Started(vec![wish("echo")]);
    let (asked_worker, _) = asked(&world.news_of(SdkAppId(8), "r", "RM_2", started, true));
    assert_eq!(asked_worker, other);
    let (worker, job) = jobs.pop().unwrap();
    world.say(&worker, update(&job, lk::JobStatus::JsSuccess));
    asked(&world.say(&another, simulate()));
}

#[test]
fn limits_hold() {
    let mut world = World::new();
    for _ in 0..WORKERS_PER_APP_MAX {
        world.dispatcher.open_worker(world.now, APP, String::new()).unwrap();
    }
    assert!(world.dispatcher.open_worker(world.now, APP, String::new()).is_err());
    assert!(world.dispatcher.open_worker(world.now, SdkAppId(8), String::new()).is_ok());

    let mut world = World::new();
    world.start("r", &vec!["echo"; DISPATCHES_PER_ROOM_MAX + 1]);
    assert_eq!(world.list("r").len(), DISPATCHES_PER_ROOM_MAX);
    assert_eq!(world.dispatcher.stats().limited, 1);
    let new = |wish| NewDispatch {
        app: APP,
        room: RoomName::parse("r").unwrap(),
        info: record("r", "RM_1"),
        participants: Vec::new(),
        wish,
        may_dispatch: true,
    };
    let refused = world.dispatcher.create_dispatch(world.now, new(wish("echo")));
    assert_eq!(refused, Err(DispatchError::Full));
    let large = lk::RoomAgentDispatch { metadata: "x".repeat(512 * 1024 + 1), ..wish("echo") };
    let refused = world.dispatcher.create_dispatch(world.now, new(large));
    assert!(
        matches!(refused, Err(DispatchError::Invalid(text)) if text.starts_with("metadata has 524289 bytes"))
    );

    let mut world = World::new();
    let worker = world.worker("", lk::JobType::JtParticipant);
    world.start("r", &[]);
    for n in 0..=ENDED_JOBS_MAX {
        let (_, job) = asked(&world.news("r", What::Entered(person("ann", &format!("PA_{n}")))));
        world.accept(&worker, &job.id);
        world.say(&worker, update(&job.id, lk::JobStatus::JsSuccess));
    }
    assert_eq!(world.list("r")[0].state.as_ref().unwrap().jobs.len(), ENDED_JOBS_MAX);
}

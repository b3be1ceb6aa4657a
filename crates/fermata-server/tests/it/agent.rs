//! Agent workers against the real program: registration, dispatch, the agent in its room, termination.

use std::time::Duration;

use fermata_auth::{AgentWish, RoomConfig, VideoGrant};
use fermata_server::dev::{API_KEY, API_SECRET};
use fermata_testkit::client::{ClientEvent, Session, SessionOptions};
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as lk;
use lk::server_message::Message as ToWorker;
use lk::signal_response::Message as Signal;
use lk::worker_message::Message as FromWorker;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::common::program::Program;
use crate::common::{claims, dev_token};
use crate::twirp::{call_program, token};

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker: the other end of `/agent`.
struct Worker {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    id: String,
    as_text: bool,
}

fn worker_token() -> String {
    token(VideoGrant { agent: true, ..VideoGrant::default() })
}

async fn connect(
    program: &Program,
    token: &str,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, tungstenite::Error> {
    let mut request =
        format!("ws://{}/agent?protocol=1", program.address()).into_client_request()?;
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

impl Worker {
    async fn register(program: &Program, name: &str, kind: lk::JobType, as_text: bool) -> Self {
        let socket = connect(program, &worker_token()).await.unwrap();
        let mut worker = Self { socket, id: String::new(), as_text };
        let request = lk::RegisterWorkerRequest {
            agent_name: name.to_owned(),
            r#type: kind.into(),
            version: "1.8.9".to_owned(),
            ..Default::default()
        };
        worker.say(FromWorker::Register(request)).await;
        let ToWorker::Register(response) = worker.next().await else { panic!("no registration") };
        assert!(response.worker_id.starts_with("AW_"));
        assert_eq!(response.server_info.unwrap().agent_protocol, 1);
        worker.id = response.worker_id;
        worker
    }

    async fn say(&mut self, message: FromWorker) {
        let message = lk::WorkerMessage { message: Some(message) };
        let frame = if self.as_text {
            Message::Text(serde_json::to_string(&message).unwrap().into())
        } else {
            Message::Binary(message.encode_to_vec().into())
        };
        self.socket.send(frame).await.unwrap();
    }

    async fn next(&mut self) -> ToWorker {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message: lk::ServerMessage = match frame.expect("the server says nothing") {
                Some(Ok(Message::Binary(bytes))) if !self.as_text => {
                    lk::ServerMessage::decode(bytes).unwrap()
                }
                Some(Ok(Message::Text(text))) if self.as_text => {
                    serde_json::from_str(&text).unwrap()
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                other => panic!("{other:?}"),
            };
            return message.message.unwrap();
        }
    }

    async fn asked(&mut self) -> lk::Job {
        let ToWorker::Availability(request) = self.next().await else { panic!("not asked") };
        let job = request.job.unwrap();
        assert_eq!(job.state.as_ref().unwrap().worker_id, self.id);
        job
    }

    /// Takes a job; the token of its agent.
    async fn accept(&mut self, job: &lk::Job) -> String {
        let answer = lk::AvailabilityResponse {
            job_id: job.id.clone(),
            available: true,
            participant_name: "Echo".to_owned(),
            ..Default::default()
        };
        self.say(FromWorker::Availability(answer)).await;
        let ToWorker::Assignment(assignment) = self.next().await else { panic!("not assigned") };
        assert_eq!(assignment.job.unwrap().id, job.id);
        assignment.token
    }

    async fn update(&mut self, job: &lk::Job, status: lk::JobStatus) {
        let update = lk::UpdateJobStatus {
            job_id: job.id.clone(),
            status: status.into(),
            error: String::new(),
        };
        self.say(FromWorker::UpdateJob(update)).await;
    }
}

async fn enter(program: &Program, token: &str) -> Session {
    let url = format!("ws://{}", program.address());
    let mut session = Session::connect(SessionOptions::new(&url, token)).await.unwrap();
    let connected = |event: &ClientEvent| matches!(event, ClientEvent::Connected(_)).then_some(());
    session.wait_for(PATIENCE, connected).await.unwrap();
    session
}

/// Jobs of the room's only dispatch.
fn jobs(program: &Program, room: &str) -> Vec<lk::Job> {
    let (status, listed) =
        call_program(program, "AgentDispatchService/ListDispatch", room, &json!({"room": room}));
    assert_eq!(status, 200, "{listed}");
    let listed: lk::ListAgentDispatchResponse = serde_json::from_value(listed).unwrap();
    assert_eq!(listed.agent_dispatches.len(), 1, "{listed:?}");
    listed.agent_dispatches[0].state.clone().unwrap().jobs
}

/// Waits until a look at the server shows what is wanted.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let seen = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("never: {what}"))
}

#[tokio::test]
async fn only_workers_with_the_grant_come_in() {
    let program = Program::serve(&["--dev"]);
    let (status, _) = program.ask("GET /agent", &[], "");
    assert_eq!(status, 404);
    let rows = [
        (String::new(), "token_missing: "),
        ("x.y.z".to_owned(), "token_invalid: "),
        (dev_token("ann", "r"), "agent_not_granted: "),
        (fermata_auth::sign(&claims("a", "r"), "nokey", API_SECRET), "key_unknown: "),
    ];
    for (token, words) in rows {
        let Err(tungstenite::Error::Http(response)) = connect(&program, &token).await else {
            panic!("{words}: not refused");
        };
        let body = String::from_utf8(response.body().clone().unwrap_or_default()).unwrap();
        assert!(response.status() == 401 && body.starts_with(words), "{body}");
    }
}

#[tokio::test]
async fn a_nameless_worker_is_sent_to_each_new_room_and_its_agent_joins() {
    for as_text in [false, true] {
        let program = Program::serve(&["--dev"]);
        let mut worker = Worker::register(&program, "", lk::JobType::JtRoom, as_text).await;
        let mut ann = enter(&program, &dev_token("ann", "int/7")).await;
        let job = worker.asked().await;
        assert_eq!((job.room.as_ref().unwrap().name.as_str(), job.r#type), ("int/7", 0));
        let token = worker.accept(&job).await;
        worker.update(&job, lk::JobStatus::JsRunning).await;
        let agent = enter(&program, &token).await;
        let me = agent.join_response().participant.clone().unwrap();
        assert_eq!((me.identity, me.name.as_str()), (format!("agent-{}", job.id), "Echo"));
        assert_eq!(me.kind, i32::from(lk::participant_info::Kind::Agent));
        assert_eq!(me.attributes["lk.agent_name"], "");
        let seen = |event: &ClientEvent| match event {
            ClientEvent::Signal(signal) => match &**signal {
                Signal::Update(update) => {
                    update.participants.iter().find(|p| p.name == "Echo").map(|p| p.kind)
                }
                _ => None,
            },
            _ => None,
        };
        assert_eq!(ann.wait_for(PATIENCE, seen).await, Some(me.kind));
        assert_eq!(jobs(&program, "int/7")[0].state.as_ref().unwrap().worker_id, worker.id);
        agent.leave().await;
        worker.update(&job, lk::JobStatus::JsSuccess).await;
        let status = || jobs(&program, "int/7").first().map(|job| job.state.clone().unwrap());
        until("success", || status().filter(|state| state.status() == lk::JobStatus::JsSuccess))
            .await;
        ann.leave().await;
    }
}

#[tokio::test]
async fn named_agents_are_asked_for_by_token_and_by_call() {
    let program = Program::serve(&["--dev"]);
    let mut echo = Worker::register(&program, "echo", lk::JobType::JtRoom, false).await;
    let mut other = Worker::register(&program, "other", lk::JobType::JtPublisher, false).await;
    let mut wishing = claims("ann", "r");
    wishing.room_config = Some(RoomConfig {
        agents: vec![AgentWish {
            agent_name: "echo".to_owned(),
            metadata: "from the token".to_owned(),
            ..AgentWish::default()
        }],
        ..RoomConfig::default()
    });
    let ann = enter(&program, &fermata_auth::sign(&wishing, API_KEY, API_SECRET)).await;
    let job = echo.asked().await;
    assert_eq!(job.metadata, "from the token");
    // Whoever makes a room asks too.
    let body =
        json!({"name": "made", "agents": [{"agent_name": "echo", "metadata": "from the call"}]});
    assert_eq!(call_program(&program, "RoomService/CreateRoom", "", &body).0, 200);
    assert_eq!(echo.asked().await.metadata, "from the call");
    assert!(jobs(&program, "made").is_empty());

    ann.publish_audio(fermata_testkit::AudioOptions::default()).await.unwrap();
    let published = || {
        let body = json!({"room": "r", "identity": "ann"});
        let (_, info) = call_program(&program, "RoomService/GetParticipant", "r", &body);
        info["tracks"].as_array().is_some_and(|tracks| !tracks.is_empty()).then_some(())
    };
    until("ann publishes", published).await;
    let body = json!({"room": "r", "agentName": "other", "metadata": "later"});
    let (status, made) = call_program(&program, "AgentDispatchService/CreateDispatch", "r", &body);
    assert_eq!(
        (status, &made["agentName"], &made["metadata"]),
        (200, &json!("other"), &json!("later"))
    );
    let job = other.asked().await;
    assert_eq!(job.participant.unwrap().identity, "ann");
    assert_eq!(json!(job.dispatch_id), made["id"]);
    let body = json!({"room": "r", "deployment": "a b"});
    let (status, error) = call_program(&program, "AgentDispatchService/CreateDispatch", "r", &body);
    assert_eq!((status, &error["code"]), (400, &json!("invalid_argument")), "{error}");
    let body = json!({"room": "nowhere"});
    let (status, error) =
        call_program(&program, "AgentDispatchService/ListDispatch", "nowhere", &body);
    assert_eq!((status, &error["code"]), (404, &json!("not_found")), "{error}");
    ann.leave().await;
}

#[tokio::test]
async fn a_deleted_dispatch_and_a_closed_room_end_jobs() {
    let program = Program::serve(&["--dev"]);
    let mut echo = Worker::register(&program, "echo", lk::JobType::JtRoom, false).await;
    let body = json!({"room": "r", "agentName": "echo"});
    let (_, made) = call_program(&program, "AgentDispatchService/CreateDispatch", "r", &body);
    let job = echo.asked().await;
    let token = echo.accept(&job).await;
    let mut agent = enter(&program, &token).await;
    let delete = json!({"room": "r", "dispatchId": made["id"]});
    let path = "AgentDispatchService/DeleteDispatch";
    let (status, deleted) = call_program(&program, path, "r", &delete);
    assert_eq!(status, 200, "{deleted}");
    assert_eq!(call_program(&program, path, "r", &delete).0, 404);
    let ToWorker::Termination(termination) = echo.next().await else { panic!("not terminated") };
    assert_eq!(termination.job_id, job.id);
    // The agent stays, and is removed.
    let removed = |event: &ClientEvent| match event {
        ClientEvent::Signal(signal) => match &**signal {
            Signal::Leave(leave) => Some(leave.reason),
            _ => None,
        },
        _ => None,
    };
    let reason = agent.wait_for(PATIENCE, removed).await;
    assert_eq!(reason, Some(lk::DisconnectReason::ParticipantRemoved.into()));

    let body = json!({"name": "s", "agents": [{"agentName": "echo"}]});
    assert_eq!(call_program(&program, "RoomService/CreateRoom", "", &body).0, 200);
    let job = echo.asked().await;
    let token = echo.accept(&job).await;
    let body = json!({"room": "s"});
    assert_eq!(call_program(&program, "RoomService/DeleteRoom", "", &body).0, 200);
    let ToWorker::Termination(termination) = echo.next().await else { panic!("not terminated") };
    assert_eq!(termination.job_id, job.id);
    // An agent that comes too late does not make its room anew.
    let url = format!("ws://{}", program.address());
    let late = Session::connect(SessionOptions::new(&url, &token)).await;
    assert!(late.is_err(), "{late:?}");
}

#[tokio::test]
async fn what_workers_do_wrong_ends_their_connection() {
    let program = Program::serve(&["--dev"]);
    let closed = async |messages: Vec<Message>| {
        let mut socket = connect(&program, &worker_token()).await.unwrap();
        for message in messages {
            let _ = socket.send(message).await;
        }
        loop {
            match tokio::time::timeout(PATIENCE, socket.next()).await.expect("it stays open") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    };
    let update =
        lk::WorkerMessage { message: Some(FromWorker::UpdateJob(lk::UpdateJobStatus::default())) };
    assert_eq!(closed(vec![Message::Binary(update.encode_to_vec().into())]).await, Some(1008));
    let garbage = Message::Binary(vec![0xff; 8].into());
    assert_eq!(closed(vec![garbage; 17]).await, Some(1007));
    let ping =
        lk::WorkerMessage { message: Some(FromWorker::Ping(lk::WorkerPing { timestamp: 1 })) };
    let flood = vec![Message::Binary(ping.encode_to_vec().into()); 1_000];
    assert_eq!(closed(flood).await, Some(1008));
}

#[tokio::test]
async fn a_stopping_server_lets_its_workers_go() {
    let program = Program::serve(&["--dev"]);
    let mut worker = Worker::register(&program, "echo", lk::JobType::JtRoom, false).await;
    let ending = tokio::task::spawn_blocking(move || program.terminate());
    let closed = async {
        loop {
            match worker.socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, closed).await, Ok(Some(1001)));
    drop(worker);
    assert!(ending.await.unwrap().success());
}

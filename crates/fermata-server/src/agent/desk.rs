//! The task that owns the machine: orders in, messages to workers and removals out.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use fermata_agent::{Assignment, Dispatcher, Output, RoomNews, Stats, What, WorkerId};
use fermata_sfu::io::Command;
use fermata_types::Now;
use livekit_protocol as lk;
use lk::server_message::Message;

use super::{Order, ToWorker, token};
use crate::metrics::Metric;
use crate::server::Shared;

/// `LiveKit`'s server version whose behaviour towards workers this is; they log it.
const SERVER_VERSION: &str = "1.9.2";

/// Protocol versions that workers are told: of clients, and of workers.
const PROTOCOLS: (i32, i32) = (17, 1);

/// The machine and the connections of its workers.
struct Desk {
    shared: Shared,
    dispatcher: Dispatcher,
    sinks: HashMap<WorkerId, ToWorker>,
    told: Stats,
}

/// Runs until the server stops.
pub async fn run(shared: Shared) {
    let Some(mut inbox) = shared.agents.inbox.lock().await.take() else { return };
    let server = lk::ServerInfo {
        edition: lk::server_info::Edition::Standard.into(),
        version: SERVER_VERSION.to_owned(),
        protocol: PROTOCOLS.0,
        agent_protocol: PROTOCOLS.1,
        ..Default::default()
    };
    let seed = shared.fresh(rand::RngExt::random::<[u8; 32]>);
    let mut desk = Desk {
        dispatcher: Dispatcher::new(server, seed),
        shared: shared.clone(),
        sinks: HashMap::new(),
        told: Stats::default(),
    };
    loop {
        let due = desk.dispatcher.next_timeout();
        let timeout = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = timeout => desk.dispatcher.handle_timeout(Now::read()),
            news = inbox.news.recv() => match news {
                Some(news) => desk.room_news(news),
                None => return,
            },
            order = inbox.orders.recv() => match order {
                Some(order) => desk.handle(order),
                None => return,
            },
        }
        desk.carry_out();
    }
}

impl Desk {
    fn handle(&mut self, order: Order) {
        let now = Now::read();
        match order {
            Order::Open { app, key, sink, answer } => {
                let opened = self.dispatcher.open_worker(now, app, key);
                if let Ok(id) = &opened {
                    self.sinks.insert(id.clone(), sink);
                }
                // Whoever asked has gone away meanwhile.
                if let Err(Ok(id)) = answer.send(opened) {
                    self.gone(now, &id);
                }
            }
            Order::Message(id, message, may_dispatch) => {
                self.dispatcher.worker_message(now, &id, *message, may_dispatch);
            }
            Order::Gone(id) => self.gone(now, &id),
            Order::Create(new, answer) => {
                let _ = answer.send(self.dispatcher.create_dispatch(now, *new));
            }
            Order::Delete(app, room, id, answer) => {
                let _ = answer.send(self.dispatcher.delete_dispatch(now, app, &room, &id));
            }
            Order::List(app, room, id, answer) => {
                let _ = answer.send(self.dispatcher.list_dispatches(app, &room, id.as_ref()));
            }
        }
    }

    fn room_news(&mut self, news: RoomNews) {
        let is_started = matches!(news.what, What::Started(_));
        self.dispatcher.room_news(Now::read(), news);
        if is_started {
            self.shared.agents.room_bell.notify_waiters();
        }
    }

    fn gone(&mut self, now: Now, id: &WorkerId) {
        self.sinks.remove(id);
        self.dispatcher.worker_gone(now, id);
    }

    /// Does what the machine says, which may lead to more.
    fn carry_out(&mut self) {
        while let Some(output) = self.dispatcher.poll_output() {
            match output {
                Output::Send(worker, message) => self.send(&worker, *message),
                Output::Assign(assignment) => self.assign(*assignment),
                Output::Close(worker, reason) => {
                    tracing::info!(%worker, reason, "Disconnected an agent worker.");
                    self.sinks.remove(&worker);
                }
                Output::Remove { app, room, identity } => {
                    let shared = self.shared.clone();
                    // The answer does not matter: who is not there has left.
                    tokio::spawn(async move {
                        let command = Command::RemoveParticipant { app, room, identity };
                        let _ = shared.command(command).await;
                    });
                }
                Output::Ended(job) => {
                    let state = job.state.unwrap_or_default();
                    let status = state.status().as_str_name();
                    tracing::info!(
                        job = job.id,
                        status,
                        error = state.error,
                        "An agent's job ended."
                    );
                }
            }
        }
        self.tell_metrics();
    }

    fn send(&mut self, worker: &WorkerId, message: Message) {
        let Some(sink) = self.sinks.get(worker) else { return };
        if sink.try_send(message).is_err() {
            self.shared.metrics.add(Metric::AgentWorkersSlow, 1);
            self.gone(Now::read(), worker);
        }
    }

    fn assign(&mut self, assignment: Assignment) {
        let worker = assignment.worker.clone();
        tracing::info!(job = assignment.job.id, %worker, room = %assignment.room, "Assigned a job to an agent worker.");
        let Some(token) = token::sign(&self.shared, &assignment, Now::read()) else {
            // Its key was taken away: the worker may go on with what it has, and gets nothing new.
            tracing::warn!(%worker, "An agent worker's API key does not exist any more.");
            self.gone(Now::read(), &worker);
            return;
        };
        let assigned = lk::JobAssignment { job: Some(assignment.job), url: None, token };
        self.send(&worker, Message::Assignment(assigned));
    }

    fn tell_metrics(&mut self) {
        let stats = self.dispatcher.stats();
        if stats == self.told {
            return;
        }
        self.told = stats;
        self.shared.agents.workers.store(stats.workers, Ordering::Relaxed);
        let metrics = &self.shared.metrics;
        metrics.set(Metric::AgentWorkers, stats.workers);
        metrics.set(Metric::AgentJobs, stats.jobs);
        metrics.set(Metric::AgentJobsAssigned, stats.assigned);
        metrics.set(Metric::AgentJobsEnded, stats.ended);
        metrics.set(Metric::AgentJobsFailed, stats.failed);
        metrics.set(Metric::AgentJobsUntaken, stats.untaken);
        metrics.set(Metric::AgentUnanswered, stats.unanswered);
        metrics.set(Metric::AgentLimited, stats.limited);
    }
}

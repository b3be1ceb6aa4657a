//! `LiveKit` Agents workers: their WebSocket (`/agent`), and the jobs that rooms give them.
//!
//! The rules are a machine of `fermata-agent`. One task owns it: it takes news of rooms, messages of workers and
//! calls of APIs from two bounded queues, and carries out what the machine says.
//! What it is not: agents in rooms are users like any others; nothing here knows their media or their minutes.

mod desk;
mod socket;
mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::any;
use fermata_agent::{
    DispatchError, DispatchId, NewDispatch, RoomNews, What, WorkerId, WorkersFull,
};
use fermata_billing::effect::OperationClass;
use fermata_sfu::io::{RoomEvent, RoomEventKind};
use fermata_types::{RoomName, SdkAppId};
use livekit_protocol as lk;
use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};

use crate::limits::{AGENT_QUEUE_LEN, AGENT_WORKER_QUEUE_LEN, DISPATCH_ROOM_WAIT_MAX};
use crate::metrics::Metric;
use crate::server::{Server, Shared};

pub use desk::run;

/// Why something about agents could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentsError {
    /// The machine refuses it.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// The server is stopping.
    #[error("the server cannot do this now; try again later")]
    Unavailable,
}

/// What a worker's connection is told.
type ToWorker = mpsc::Sender<lk::server_message::Message>;

/// Something for the machine.
#[derive(Debug)]
enum Order {
    /// A worker connected.
    Open { app: SdkAppId, key: String, sink: ToWorker, answer: oneshot::Sender<Opened> },
    /// A worker's message, and whether its application may be sent agents.
    Message(WorkerId, Box<lk::worker_message::Message>, bool),
    /// A worker's connection is gone.
    Gone(WorkerId),
    /// `CreateDispatch`.
    Create(Box<NewDispatch>, oneshot::Sender<Result<lk::AgentDispatch, DispatchError>>),
    /// `DeleteDispatch`.
    Delete(
        SdkAppId,
        RoomName,
        DispatchId,
        oneshot::Sender<Result<lk::AgentDispatch, DispatchError>>,
    ),
    /// `ListDispatch`.
    List(
        SdkAppId,
        RoomName,
        Option<DispatchId>,
        oneshot::Sender<Result<Vec<lk::AgentDispatch>, DispatchError>>,
    ),
}

/// The far ends of both queues.
#[derive(Debug)]
struct Inbox {
    orders: mpsc::Receiver<Order>,
    news: mpsc::Receiver<RoomNews>,
}

type Opened = Result<WorkerId, WorkersFull>;

/// The way to the workers, dispatches and jobs.
#[derive(Debug)]
pub struct Agents {
    orders: mpsc::Sender<Order>,
    /// What happened in rooms. Apart from the orders and before them: what workers flood costs no room its agents.
    news: mpsc::Sender<RoomNews>,
    /// Taken once, by the task that owns the machine.
    inbox: Mutex<Option<Inbox>>,
    /// Workers that are connected: without any, most news of rooms need not be told.
    workers: AtomicU64,
    /// Rung when the beginning of a room was told.
    room_bell: Notify,
    /// Turns true when the server begins to stop.
    stopping: watch::Sender<bool>,
}

impl Default for Agents {
    fn default() -> Self {
        let (orders, orders_in) = mpsc::channel(AGENT_QUEUE_LEN);
        let (news, news_in) = mpsc::channel(AGENT_QUEUE_LEN);
        let inbox = Mutex::new(Some(Inbox { orders: orders_in, news: news_in }));
        let (workers, stopping) = (AtomicU64::new(0), watch::Sender::new(false));
        Self { orders, news, inbox, workers, room_bell: Notify::new(), stopping }
    }
}

impl Agents {
    /// Lets all workers go: the server stops.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, AgentsError> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(order(answer)).await.map_err(|_| AgentsError::Unavailable)?;
        answered.await.map_err(|_| AgentsError::Unavailable)
    }

    /// Adds a dispatch and sends its agents.
    ///
    /// # Errors
    /// [`AgentsError`].
    pub async fn create_dispatch(
        &self,
        new: NewDispatch,
    ) -> Result<lk::AgentDispatch, AgentsError> {
        Ok(self.ask(|answer| Order::Create(Box::new(new), answer)).await??)
    }

    /// Deletes a dispatch and ends its jobs.
    ///
    /// # Errors
    /// [`AgentsError`].
    pub async fn delete_dispatch(
        &self,
        app: SdkAppId,
        room: RoomName,
        id: DispatchId,
    ) -> Result<lk::AgentDispatch, AgentsError> {
        Ok(self.ask(|answer| Order::Delete(app, room, id, answer)).await??)
    }

    /// Dispatches of a room that lives. Its beginning may still be on its way: that is waited for.
    ///
    /// # Errors
    /// [`AgentsError`].
    pub async fn list_dispatches(
        &self,
        app: SdkAppId,
        room: RoomName,
        id: Option<DispatchId>,
    ) -> Result<Vec<lk::AgentDispatch>, AgentsError> {
        let until_known = async {
            loop {
                let told = self.room_bell.notified();
                let (room, id) = (room.clone(), id.clone());
                match self.ask(|answer| Order::List(app, room, id, answer)).await? {
                    Err(DispatchError::NoSuchRoom) => told.await,
                    other => return Ok(other?),
                }
            }
        };
        let listed = tokio::time::timeout(DISPATCH_ROOM_WAIT_MAX, until_known).await;
        listed.unwrap_or(Err(AgentsError::Dispatch(DispatchError::NoSuchRoom)))
    }

    async fn open(
        &self,
        app: SdkAppId,
        key: String,
    ) -> Result<(Opened, mpsc::Receiver<lk::server_message::Message>), AgentsError> {
        let (sink, messages) = mpsc::channel(AGENT_WORKER_QUEUE_LEN);
        let opened = self.ask(|answer| Order::Open { app, key, sink, answer }).await?;
        Ok((opened, messages))
    }
}

/// Its routes.
pub fn router() -> Router<Shared> {
    Router::new().route("/agent", any(socket::connect)).layer(crate::http::cors())
}

/// May agents be sent to rooms of an application now?
fn may_dispatch(shared: &Server, app: SdkAppId) -> bool {
    let Some(found) = shared.directory.app(app) else { return false };
    shared.allows(&found.app.account, Some(app), OperationClass::Join).is_ok()
}

/// Something happened in a room. Never waits.
pub fn on_event(shared: &Shared, event: &RoomEvent) {
    let agents = &shared.agents;
    let someone = agents.workers.load(Ordering::Relaxed) > 0;
    let what = match &event.kind {
        RoomEventKind::RoomStarted { agents, .. } => What::Started(agents.clone()),
        RoomEventKind::RoomFinished { .. } => What::Finished,
        RoomEventKind::Entered(occupant) if someone => {
            What::Entered(Box::new(occupant.info.clone()))
        }
        RoomEventKind::TrackPublished { occupant, .. } if someone => {
            What::Published(Box::new(occupant.info.clone()))
        }
        RoomEventKind::Left { occupant, .. } => {
            What::Left { identity: occupant.info.identity.clone(), stay: occupant.stay.to_string() }
        }
        _ => return,
    };
    let needs_record = someone && !matches!(what, What::Left { .. } | What::Finished);
    let news = RoomNews {
        app: event.app,
        room: event.room.clone(),
        sid: event.room_sid.to_string(),
        info: Arc::new(if needs_record { event.info.clone() } else { lk::Room::default() }),
        may_dispatch: needs_record && may_dispatch(shared, event.app),
        what,
    };
    if agents.news.try_send(news).is_err() {
        shared.metrics.add(Metric::AgentEventsDropped, 1);
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::RoomName;

    use super::*;

    #[test]
    fn news_of_rooms_find_a_place_beside_a_flood_of_workers() {
        let agents = Agents::default();
        while agents.orders.try_send(Order::Gone(WorkerId::from_text("AW_1"))).is_ok() {}
        let news = RoomNews {
            app: SdkAppId(1),
            room: RoomName::Integer(1),
            sid: String::new(),
            info: Arc::default(),
            may_dispatch: true,
            what: What::Finished,
        };
        assert!(agents.news.try_send(news).is_ok());
    }
}

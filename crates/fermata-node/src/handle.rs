//! How the rest of the program talks to a node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fermata_sfu::io::{
    Admitted, Command, ConnectionId, Join, Reply, RoomEvent, TokenOrder, Verdict,
};
use fermata_types::{Reason, Refusal, SdkAppId, StaySample};
use livekit_protocol as lk;
use tokio::sync::{mpsc, oneshot};

use crate::counters::{Counters, NodeStats, count};
use crate::limits::{EVENT_QUEUE_LEN, SIGNAL_QUEUE_LEN};
use crate::mesh::ToShard;
use crate::node::Running;
use crate::rooms::Order;

/// What a node sends to a client's signalling connection.
#[derive(Debug)]
pub enum SignalOut {
    /// A message for the client.
    Message(Box<lk::SignalResponse>),
    /// Sign a token with these rights and hand it back through [`NodeHandle::refresh_token`].
    RefreshToken(Box<TokenOrder>),
    /// Close the connection (WebSocket 1000) once what came before has been sent.
    Close,
}

/// Where a client's messages go. When it is full, the node closes the connection by dropping its end:
/// the receiver then ends after what is queued, without a [`SignalOut::Close`].
pub type SignalSink = mpsc::Sender<SignalOut>;

/// What a node tells about its rooms, in the order in which it happened.
#[derive(Debug)]
pub enum NodeEvent {
    /// Something happened in a room.
    Room(Box<RoomEvent>),
    /// How the stays of a room fared.
    Samples(Vec<StaySample>),
}

/// A queue for [`NodeEvent`]s, of the size that [`crate::limits`] names. When it is full, events are dropped and
/// counted: media never waits for those who watch.
pub fn event_channel() -> (mpsc::Sender<NodeEvent>, mpsc::Receiver<NodeEvent>) {
    mpsc::channel(EVENT_QUEUE_LEN)
}

/// A queue for one signalling connection, of the size that [`crate::limits`] names.
pub fn signal_channel() -> (SignalSink, mpsc::Receiver<SignalOut>) {
    mpsc::channel(SIGNAL_QUEUE_LEN)
}

/// The node has stopped, or has too much to do to take the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the media node has stopped or is overloaded")]
pub struct NodeStopped;

/// A running node. Cheap to clone; the node runs until [`NodeHandle::shutdown`].
#[derive(Debug, Clone)]
pub struct NodeHandle {
    pub(crate) shared: Arc<Shared>,
}

/// What the clones share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) waker: Arc<mio::Waker>,
    pub(crate) shards: Vec<ToShard>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) candidates: Vec<SocketAddr>,
    pub(crate) tcp_candidates: Vec<SocketAddr>,
    pub(crate) connections: AtomicU64,
    pub(crate) running: tokio::sync::Mutex<Option<Running>>,
}

impl NodeHandle {
    /// A name for a new signalling connection, never given before by this node.
    pub fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.shared.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// Addresses that clients reach the UDP sockets of media at.
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.shared.candidates
    }

    /// Addresses that clients reach the TCP listeners of media at; empty where there are none.
    pub fn tcp_candidates(&self) -> &[SocketAddr] {
        &self.shared.tcp_candidates
    }

    /// Do the threads run? False after [`NodeHandle::shutdown`] or if one failed.
    pub fn is_running(&self) -> bool {
        !self.shared.orders.is_closed()
    }

    /// Can usage be written down now? Part of readiness: newcomers are refused while it is false.
    pub fn usage_writable(&self) -> bool {
        self.shared.counters.usage_writable()
    }

    /// Asks to enter, or to resume. Everything for the client then goes to `sink`.
    ///
    /// If the caller gives up (drops this future or the sink's receiver), the connection counts as lost.
    /// A probe ([`Join::probe`]) only asks; its sink gets nothing.
    ///
    /// # Errors
    /// The admission's refusal; `Unavailable` when usage cannot be written or the node has stopped.
    pub async fn join(&self, join: Join, sink: SignalSink) -> Result<Admitted, Refusal> {
        if !self.usage_writable() && join.client.resume.is_none() {
            count(&self.shared.counters.joins_refused_unwritable);
            return Err(Refusal::with_detail(Reason::Unavailable, "usage cannot be written down"));
        }
        let stopped = |_| Refusal::with_detail(Reason::Unavailable, "the media node has stopped");
        let (answer, answered) = oneshot::channel();
        let order = Order::Join { join: Box::new(join), sink, answer };
        self.send(order).await.map_err(stopped)?;
        answered.await.map_err(|_| stopped(NodeStopped))?
    }

    /// Hands over a client's message. Waits while the rooms are behind, which slows the client down.
    ///
    /// # Errors
    /// [`NodeStopped`].
    pub async fn signal(
        &self,
        connection: ConnectionId,
        message: lk::signal_request::Message,
    ) -> Result<(), NodeStopped> {
        self.send(Order::Signal(connection, Box::new(message))).await
    }

    /// Says that a client's signalling connection is gone. Not a leave: it may resume.
    ///
    /// # Errors
    /// [`NodeStopped`].
    pub async fn signal_closed(&self, connection: ConnectionId) -> Result<(), NodeStopped> {
        self.send(Order::SignalClosed(connection)).await
    }

    /// Answers [`SignalOut::RefreshToken`] with the signed token.
    ///
    /// # Errors
    /// [`NodeStopped`].
    pub async fn refresh_token(
        &self,
        connection: ConnectionId,
        token: String,
    ) -> Result<(), NodeStopped> {
        self.send(Order::RefreshToken(connection, token)).await
    }

    /// Asks something of the live rooms.
    ///
    /// # Errors
    /// [`NodeStopped`], also when too many requests are outstanding.
    pub async fn command(&self, command: Command) -> Result<Reply, NodeStopped> {
        let (answer, answered) = oneshot::channel();
        self.send(Order::Command(command, answer)).await?;
        answered.await.map_err(|_| NodeStopped)
    }

    /// Says whether an application's people may enter, and its rooms' defaults. In force for every
    /// join asked for after this returns.
    ///
    /// # Errors
    /// [`NodeStopped`].
    pub async fn set_verdict(&self, app: SdkAppId, verdict: Verdict) -> Result<(), NodeStopped> {
        self.send(Order::Verdict(app, verdict)).await
    }

    /// Counters and gauges as of now.
    ///
    /// # Errors
    /// [`NodeStopped`].
    pub async fn stats(&self) -> Result<NodeStats, NodeStopped> {
        let (answer, answered) = oneshot::channel();
        self.send(Order::Stats(answer)).await?;
        let shards: Vec<_> = self.shared.shards.iter().map(ToShard::ask_stats).collect();
        let mut sfu = answered.await.map_err(|_| NodeStopped)?;
        for shard in shards {
            let answered = shard.ok_or(NodeStopped)?;
            sfu.add(&answered.await.map_err(|_| NodeStopped)?);
        }
        Ok(self.shared.counters.read(sfu))
    }

    /// Stops the node: leave messages to clients, stays closed, usage on disk and, if the store answers in
    /// time, there. Later calls answer [`NodeStopped`]; calling it again does nothing.
    pub async fn shutdown(&self) {
        let Some(running) = self.shared.running.lock().await.take() else { return };
        let (answer, answered) = oneshot::channel();
        if self.send(Order::Shutdown(answer)).await.is_ok() {
            let _ = answered.await;
        }
        running.stop().await;
    }

    async fn send(&self, order: Order) -> Result<(), NodeStopped> {
        self.shared.orders.send(order).await.map_err(|_| NodeStopped)?;
        // A failed wake-up delays the order until the rooms' next one, at most `SLEEP_MAX`.
        let _ = self.shared.waker.wake();
        Ok(())
    }
}

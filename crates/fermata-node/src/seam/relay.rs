//! Signalling relay: a client's connection ends on one machine, its room lives on another.
//! One machine: the node's own queue.

use std::future::Future;

use fermata_sfu::io::{Admitted, ConnectionId, Join};
use fermata_types::Refusal;
use livekit_protocol as lk;

use crate::handle::{NodeHandle, NodeStopped, SignalSink};

/// The way from a client's connection to its room and back.
pub trait SignalRelay: Send + Sync + std::fmt::Debug {
    /// Asks to enter; what the room says goes to `sink`.
    fn join(
        &self,
        join: Join,
        sink: SignalSink,
    ) -> impl Future<Output = Result<Admitted, Refusal>> + Send;
    /// Carries a client's message to the room.
    fn signal(
        &self,
        connection: ConnectionId,
        message: lk::signal_request::Message,
    ) -> impl Future<Output = Result<(), NodeStopped>> + Send;
    /// Says that the client's connection is gone.
    fn signal_closed(
        &self,
        connection: ConnectionId,
    ) -> impl Future<Output = Result<(), NodeStopped>> + Send;
}

impl SignalRelay for NodeHandle {
    async fn join(&self, join: Join, sink: SignalSink) -> Result<Admitted, Refusal> {
        Self::join(self, join, sink).await
    }

    async fn signal(
        &self,
        connection: ConnectionId,
        message: lk::signal_request::Message,
    ) -> Result<(), NodeStopped> {
        Self::signal(self, connection, message).await
    }

    async fn signal_closed(&self, connection: ConnectionId) -> Result<(), NodeStopped> {
        Self::signal_closed(self, connection).await
    }
}

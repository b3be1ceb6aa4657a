//! Usage intake: batches of usage on their way into the store. One machine: the store itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use fermata_store::{Store, StoreError};
use fermata_types::{NodeId, Now, UsageBatch};

/// What an intake returns.
pub type IntakeFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, IntakeError>> + Send + 'a>>;

/// The intake could not take a batch; it will be sent again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the usage intake failed: {0}")]
pub struct IntakeError(pub String);

/// Takes usage and acknowledges it once it is durable. Repetition and reordering are harmless.
pub trait UsageIntake: Send + Sync + std::fmt::Debug {
    /// Takes a batch.
    fn intake(&self, batch: UsageBatch) -> IntakeFuture<'_, ()>;
    /// Closes the stays that `node` left open, at its last watermark; returns how many.
    fn close_lost_stays(&self, node: NodeId) -> IntakeFuture<'_, u64>;
}

impl UsageIntake for Arc<dyn Store> {
    fn intake(&self, batch: UsageBatch) -> IntakeFuture<'_, ()> {
        let wall = Now::read().wall;
        Box::pin(async move {
            Store::intake(&**self, batch, wall).await.map(drop).map_err(|e| failed(&e))
        })
    }

    fn close_lost_stays(&self, node: NodeId) -> IntakeFuture<'_, u64> {
        Box::pin(
            async move { Store::close_lost_stays(&**self, node).await.map_err(|e| failed(&e)) },
        )
    }
}

fn failed(error: &StoreError) -> IntakeError {
    IntakeError(error.to_string())
}

//! The sender: reports to the store what the writer holds, and repeats each report until it is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::writer::{Ask, Taken};
use crate::counters::{Counters, count};
use crate::limits::{
    USAGE_DRAIN_MAX, USAGE_IDLE_REPORT_INTERVAL, USAGE_RETRY_MAX, USAGE_RETRY_MIN,
};
use crate::seam::{IntakeError, UsageIntake};

/// The sender's parts.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) intake: Arc<dyn UsageIntake>,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) interval: Duration,
    /// Turns true, or closes, when the node stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Sender {
    /// Reports until the node stops, then what is left, then lets the writer end.
    pub(crate) async fn run(mut self) {
        let (mut idle, mut pause) = (Duration::ZERO, self.interval);
        let mut taken_all = true;
        while !self.stopped() {
            self.wait(pause).await;
            let Some(taken) = self.take().await else { return };
            idle += pause;
            pause = if taken.more { Duration::ZERO } else { self.interval };
            // Nothing happened and nobody is there: a report only now and then.
            if taken.is_empty() && !taken.stays_open && idle < USAGE_IDLE_REPORT_INTERVAL {
                continue;
            }
            idle = Duration::ZERO;
            if let Some(rest) = self.report(taken).await {
                // What comes after a report that failed must wait in the log behind it.
                taken_all = self.last_report(rest).await;
                break;
            }
        }
        if taken_all {
            self.drain().await;
        }
        let (answer, answered) = oneshot::channel();
        if self.asks.send(Ask::Stop(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }

    /// Reports until acknowledged; gives the report back if the node stops before.
    async fn report(&mut self, taken: Taken) -> Option<Taken> {
        let mut pause = USAGE_RETRY_MIN;
        loop {
            match self.intake.intake(taken.batch.clone()).await {
                Ok(()) => {
                    self.acknowledge(taken).await;
                    return None;
                }
                Err(error) => self.failed(&error),
            }
            if self.stopped() {
                return Some(taken);
            }
            self.wait(pause).await;
            pause = (pause * 2).min(USAGE_RETRY_MAX);
        }
    }

    /// Everything that is left, as long as the store takes it and not longer than [`USAGE_DRAIN_MAX`].
    async fn drain(&mut self) {
        let all = async {
            loop {
                let Some(taken) = self.take().await else { return };
                let last = !taken.more;
                if !self.last_report(taken).await || last {
                    return;
                }
            }
        };
        if tokio::time::timeout(USAGE_DRAIN_MAX, all).await.is_err() {
            tracing::warn!("The store did not take the last usage in time.");
        }
    }

    /// One attempt.
    async fn last_report(&self, taken: Taken) -> bool {
        match self.intake.intake(taken.batch.clone()).await {
            Ok(()) => {
                self.acknowledge(taken).await;
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    async fn take(&self) -> Option<Taken> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Take(answer)).await.ok()?;
        answered.await.ok()
    }

    async fn acknowledge(&self, taken: Taken) {
        count(&self.counters.usage_reports);
        let _ = self.asks.send(Ask::Acked(taken)).await;
    }

    fn failed(&self, error: &IntakeError) {
        count(&self.counters.usage_report_failures);
        tracing::warn!(%error, "A report of usage was not taken; it will be repeated.");
    }

    /// Waits, or less if the node stops.
    async fn wait(&mut self, time: Duration) {
        let stopping = self.stopping.wait_for(|stopping| *stopping);
        let _ = tokio::time::timeout(time, stopping).await;
    }

    fn stopped(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }
}

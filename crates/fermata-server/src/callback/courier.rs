//! Carries deliveries: begins what may begin, and writes down what came of it.

use fermata_callback::schedule::{Attempt, Outcome, Pace};
use fermata_store::deliveries::{DeliveryAttempt, DeliveryState};
use fermata_types::Now;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::send::{self, Sent};
use super::{intake, lock};
use crate::limits::{CALLBACK_MARKS_MAX, CALLBACK_STORE_PAUSE};
use crate::metrics::Metric;
use crate::outbox::webhook::Webhooks;
use crate::server::Shared;

/// Carries, for ever.
pub(super) async fn run(shared: &Shared, webhooks: &Webhooks, pace: Pace) {
    let mut under_way = JoinSet::new();
    loop {
        begin(shared, webhooks, pace, &mut under_way);
        let wake = lock(&shared.callbacks.queue).wake();
        let at = wake.map(tokio::time::Instant::from_std);
        tokio::select! {
            () = shared.callbacks.bell.notified() => {}
            Some(ended) = under_way.join_next(), if !under_way.is_empty() => finish(shared, ended),
            () = async { if let Some(at) = at { sleep_until(at).await } }, if at.is_some() => {}
        }
        while let Some(ended) = under_way.try_join_next() {
            finish(shared, ended);
        }
    }
}

fn begin(
    shared: &Shared,
    webhooks: &Webhooks,
    pace: Pace,
    under_way: &mut JoinSet<(Attempt, Outcome)>,
) {
    let mut queue = lock(&shared.callbacks.queue);
    while let Some(attempt) = queue.take(Now::read().instant) {
        under_way.spawn(carry(shared.clone(), webhooks.clone(), pace, attempt));
    }
    shared.metrics.set(Metric::CallbacksWaiting, queue.waiting() as u64);
    shared.metrics.set(Metric::CallbacksUnderWay, queue.running() as u64);
}

fn finish(shared: &Shared, ended: Result<(Attempt, Outcome), tokio::task::JoinError>) {
    match ended {
        Ok((attempt, outcome)) => {
            let mut queue = lock(&shared.callbacks.queue);
            queue.finished(&attempt, outcome, Now::read().instant);
            shared.metrics.set(Metric::CallbacksWaiting, queue.waiting() as u64);
        }
        // Its room's deliveries wait for the next start then; an attempt has nothing that panics.
        Err(error) => tracing::error!(%error, "An attempt of a callback ended without a word."),
    }
}

/// One attempt of one delivery.
async fn carry(
    shared: Shared,
    webhooks: Webhooks,
    pace: Pace,
    attempt: Attempt,
) -> (Attempt, Outcome) {
    let out = match shared.deliveries.outgoing(attempt.turn).await {
        Ok(Some(out)) => out,
        // Somebody settled it, or it is gone.
        Ok(None) => return (attempt, Outcome::Delivered),
        Err(error) => {
            intake::failed(&shared, &error);
            return (attempt, Outcome::Again(Now::read().instant + CALLBACK_STORE_PAUSE));
        }
    };
    let (id, app) = (out.id.clone(), out.app);
    let began = Now::read();
    let sent = send::send(&shared, &webhooks, out, pace.time).await;
    let ended = Now::read().instant;
    let outcome = match &sent {
        Sent { error: None, .. } => Outcome::Delivered,
        Sent { hopeless: true, .. } => Outcome::Failed,
        Sent { .. } => attempt.next(pace, ended).map_or(Outcome::Failed, Outcome::Again),
    };
    let state = match outcome {
        Outcome::Delivered => DeliveryState::Delivered,
        Outcome::Again(_) => DeliveryState::Waiting,
        Outcome::Failed => DeliveryState::Failed,
    };
    if let Some(error) = &sent.error {
        tracing::debug!(id, sdk_app_id = %app, tries = attempt.tries, error, "A callback was not delivered.");
    }
    let took = ended.saturating_duration_since(began.instant).as_millis();
    let record = DeliveryAttempt {
        at: began.wall,
        took_ms: u64::try_from(took).unwrap_or(u64::MAX),
        status: sent.status,
        error: sent.error,
    };
    write_down(&shared, attempt.turn, record, state).await;
    count(&shared, state);
    (attempt, outcome)
}

fn count(shared: &Shared, state: DeliveryState) {
    match state {
        DeliveryState::Delivered => shared.metrics.add(Metric::CallbacksDelivered, 1),
        DeliveryState::Waiting => shared.metrics.add(Metric::CallbackAttemptsFailed, 1),
        DeliveryState::Failed => {
            shared.metrics.add(Metric::CallbackAttemptsFailed, 1);
            shared.metrics.add(Metric::CallbacksFailed, 1);
        }
    }
}

/// What is settled is written down before the next one's turn. If that cannot be done, it is sent once more by the
/// next run.
async fn write_down(shared: &Shared, turn: u64, record: DeliveryAttempt, state: DeliveryState) {
    let tries = if state == DeliveryState::Waiting { 1 } else { CALLBACK_MARKS_MAX };
    for n in 1..=tries {
        match shared.deliveries.attempted(turn, record.clone(), state).await {
            Ok(()) => return,
            Err(error) => intake::failed(shared, &error),
        }
        if n < tries {
            sleep(CALLBACK_STORE_PAUSE).await;
        }
    }
}

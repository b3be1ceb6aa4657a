//! Into the outbox: what is kept before it is tried, what an earlier run left, and what becomes too old.

use std::sync::Arc;

use fermata_callback::limits::WAITING_MAX;
use fermata_store::StoreError;
use fermata_store::deliveries::NewDelivery;
use fermata_types::Now;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::draft::Draft;
use super::{lane, lock};
use crate::limits::{CALLBACK_BATCH_MAX, CALLBACK_PRUNE_EVERY, CALLBACK_STORE_PAUSE};
use crate::metrics::Metric;
use crate::server::Shared;

/// Keeps what comes, for ever. While the outbox cannot be written, it is tried again and the rest waits outside.
pub(super) async fn run(shared: &Shared, mut drafts: mpsc::Receiver<Draft>) {
    let mut batch = Vec::new();
    while drafts.recv_many(&mut batch, CALLBACK_BATCH_MAX).await > 0 {
        let (count, bytes) = (batch.len(), batch.iter().map(|draft| draft.bytes).sum());
        let (places, batch) = places(shared, std::mem::take(&mut batch));
        while let Err(error) = commit(shared, &places, &batch).await {
            failed(shared, &error);
            sleep(CALLBACK_STORE_PAUSE).await;
        }
        shared.callbacks.kept(count, bytes);
    }
}

/// Keeps these, or says why not.
pub(super) async fn keep(shared: &Shared, drafts: Vec<Draft>) -> Result<(), StoreError> {
    let (places, batch) = places(shared, drafts);
    let kept = commit(shared, &places, &batch).await;
    if kept.is_err() {
        let mut queue = lock(&shared.callbacks.queue);
        for place in places.iter().flatten() {
            queue.release(&place.0, place.1);
        }
    }
    kept
}

/// The places that were reserved, one a delivery, and for how many bytes.
type Places = Vec<Option<(fermata_callback::schedule::Lane, u64)>>;

/// Reserves a place for each; those without are given up before they are tried.
fn places(shared: &Shared, drafts: Vec<Draft>) -> (Places, Arc<[NewDelivery]>) {
    let callbacks = &shared.callbacks;
    let mut places = Vec::with_capacity(drafts.len());
    let mut batch = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let (lane, key) = (draft.lane.clone(), (draft.lane.app, draft.lane.receiver));
        let bytes = draft.bytes as u64;
        let reserved = lock(&callbacks.queue).reserve(&lane, bytes);
        match reserved {
            Ok(()) => {
                batch.push(draft.into_delivery(callbacks.take_missed(key), None));
                places.push(Some((lane, bytes)));
            }
            Err(full) => {
                callbacks.miss(key);
                shared.metrics.add(Metric::CallbacksOverLimit, 1);
                batch.push(draft.into_delivery(0, Some(full.to_string())));
                places.push(None);
            }
        }
    }
    (places, batch.into())
}

/// Writes them down, and lets them be tried.
async fn commit(
    shared: &Shared,
    places: &Places,
    batch: &Arc<[NewDelivery]>,
) -> Result<(), StoreError> {
    let turns = shared.deliveries.append(Arc::clone(batch)).await?;
    let now = Now::read().instant;
    let mut queue = lock(&shared.callbacks.queue);
    for (place, turn) in places.iter().zip(turns) {
        match (place, turn) {
            (Some((lane, bytes)), Some(turn)) => queue.push(lane, turn, *bytes, now, now),
            // It was told before.
            (Some((lane, bytes)), None) => queue.release(lane, *bytes),
            (None, _) => {}
        }
    }
    drop(queue);
    shared.callbacks.bell.notify_one();
    Ok(())
}

/// Puts what an earlier run left into the order; each has its first attempts again.
pub(super) async fn take_up(shared: &Shared) {
    let most = u32::try_from(WAITING_MAX).unwrap_or(u32::MAX);
    let waiting = loop {
        match shared.deliveries.take_up(most, Now::read().wall).await {
            Ok(waiting) => break waiting,
            Err(error) => failed(shared, &error),
        }
        sleep(CALLBACK_STORE_PAUSE).await;
    };
    if waiting.is_empty() {
        return;
    }
    tracing::info!(waiting = waiting.len(), "Callbacks of an earlier run are taken up.");
    let now = Now::read();
    let mut queue = lock(&shared.callbacks.queue);
    for delivery in waiting {
        let lane = lane(delivery.app, delivery.receiver, &delivery.url, &delivery.room);
        // How long ago it was due; a wall clock that stepped back makes it due now.
        let age = now.wall.duration_since(delivery.due_at);
        let age = std::time::Duration::try_from(age).unwrap_or_default();
        let due = now.instant.checked_sub(age).unwrap_or(now.instant);
        // It had its place before: there is none to be refused.
        queue.restore(&lane, delivery.turn, delivery.bytes, due, now.instant);
    }
    drop(queue);
    shared.callbacks.bell.notify_one();
}

/// Removes what is too old or too much, for ever, and what is to be forgotten.
pub(super) async fn prune(shared: &Shared) {
    let mut ticks = interval(CALLBACK_PRUNE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.callbacks.forget_bell.notified() => ticks.reset(),
        }
        if let Err(error) = forget(shared).await {
            failed(shared, &error);
        }
        loop {
            match shared.deliveries.prune(Now::read().wall).await {
                Ok(pruned) if pruned.more => tokio::task::yield_now().await,
                Ok(_) => break,
                Err(error) => {
                    failed(shared, &error);
                    break;
                }
            }
        }
    }
}

async fn forget(shared: &Shared) -> Result<(), StoreError> {
    let apps: Vec<_> = lock(&shared.callbacks.forget).keys().copied().collect();
    for app in apps {
        while shared.deliveries.forget_app(app).await?.more {
            tokio::task::yield_now().await;
        }
        let mut rounds = lock(&shared.callbacks.forget);
        if let Some(left) = rounds.get_mut(&app) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                rounds.remove(&app);
            }
        }
    }
    Ok(())
}

pub(super) fn failed(shared: &Shared, error: &StoreError) {
    shared.metrics.add(Metric::CallbackStoreFailures, 1);
    tracing::warn!(%error, "The outbox of callbacks cannot be read or written.");
}

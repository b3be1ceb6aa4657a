//! Callbacks and webhooks of applications: from events of rooms into the outbox, and from there to receivers.
//!
//! [`on_event`] turns an event into drafts, one a receiver, and never waits. [`intake`] writes them down in the
//! outbox, group by group; only then [`courier`] tries them, in the order of each receiver and room, at the pace and
//! within the limits of `fermata_callback::schedule`. Bodies lie in the outbox: in memory there are the drafts of a
//! moment, the attempts under way, and a number for each delivery that waits.
//!
//! Where they go and the keys that sign are looked up when something is sent, so a corrected address or key counts
//! for what waits and for what is replayed. A suspended application is told all the same: these are facts of calls
//! that run.
//!
//! What it is not: notices to people (`outbox`), whose checks of addresses it shares.

mod courier;
mod draft;
mod intake;
mod send;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fermata_callback::follow::Follower;
use fermata_callback::schedule::{Full, Lane, Pace, Queue};
use fermata_sfu::io::RoomEvent;
use fermata_store::deliveries::{DeliveryReceiver, DeliveryState};
use fermata_types::{Now, RoomName, SdkAppId};
use tokio::sync::{Notify, mpsc};

use self::draft::Draft;
use crate::limits::{
    CALLBACK_FORGET_ROUNDS, CALLBACK_INTAKE_BYTES_MAX, CALLBACK_INTAKE_LEN, CALLBACK_MISSED_MAX,
};
use crate::metrics::Metric;
use crate::outbox::webhook::Webhooks;
use crate::server::Shared;
use crate::v1::error::ApiError;

/// What callbacks have in memory.
#[derive(Debug)]
pub struct Callbacks {
    follower: Mutex<Follower>,
    queue: Mutex<Queue>,
    /// Rung when something more can be tried.
    bell: Notify,
    drafts: mpsc::Sender<Draft>,
    /// The other end, until [`run`] takes it.
    taken_in: Mutex<Option<mpsc::Receiver<Draft>>>,
    /// Drafts that are not in the outbox yet, and their bytes.
    pending: AtomicUsize,
    pending_bytes: AtomicUsize,
    /// Deliveries of a receiver that were not even tried, since the last that was.
    missed: Mutex<BTreeMap<(SdkAppId, u64), u32>>,
    /// Applications whose deliveries are to be forgotten, and how often yet; of those that the books know.
    forget: Mutex<BTreeMap<SdkAppId, u32>>,
    forget_bell: Notify,
}

impl Default for Callbacks {
    fn default() -> Self {
        let (drafts, taken_in) = mpsc::channel(CALLBACK_INTAKE_LEN);
        Self {
            follower: Mutex::default(),
            queue: Mutex::default(),
            bell: Notify::new(),
            drafts,
            taken_in: Mutex::new(Some(taken_in)),
            pending: AtomicUsize::new(0),
            pending_bytes: AtomicUsize::new(0),
            missed: Mutex::default(),
            forget: Mutex::default(),
            forget_bell: Notify::new(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Callbacks {
    /// Is all that was told in the outbox?
    pub fn is_kept(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    /// Has all deliveries of these applications forgotten, soon and for good; it is tried again until it is done.
    pub fn forget(&self, apps: impl IntoIterator<Item = SdkAppId>) {
        lock(&self.forget).extend(apps.into_iter().map(|app| (app, CALLBACK_FORGET_ROUNDS)));
        self.forget_bell.notify_one();
    }

    /// Takes a draft in, or counts it as dropped.
    fn offer(&self, shared: &Shared, draft: Draft) {
        let (bytes, key) = (draft.bytes, (draft.lane.app, draft.lane.receiver));
        self.pending.fetch_add(1, Ordering::AcqRel);
        let before = self.pending_bytes.fetch_add(bytes, Ordering::AcqRel);
        if before + bytes <= CALLBACK_INTAKE_BYTES_MAX && self.drafts.try_send(draft).is_ok() {
            return;
        }
        self.kept(1, bytes);
        self.miss(key);
        shared.metrics.add(Metric::CallbacksDropped, 1);
    }

    /// So many drafts left the intake.
    fn kept(&self, drafts: usize, bytes: usize) {
        self.pending_bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.pending.fetch_sub(drafts, Ordering::AcqRel);
    }

    fn miss(&self, key: (SdkAppId, u64)) {
        let mut missed = lock(&self.missed);
        if missed.len() < CALLBACK_MISSED_MAX || missed.contains_key(&key) {
            let count = missed.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn take_missed(&self, key: (SdkAppId, u64)) -> u32 {
        lock(&self.missed).remove(&key).unwrap_or(0)
    }
}

/// The lane of a delivery. Callbacks have one a room, whatever their URL is at the time.
fn lane(app: SdkAppId, receiver: DeliveryReceiver, url: &str, room: &RoomName) -> Lane {
    let receiver = match receiver {
        DeliveryReceiver::Callback => 0,
        DeliveryReceiver::Webhook => {
            let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, url.as_bytes());
            // Two URLs of one hash would only wait for each other.
            hash.as_ref()
                .iter()
                .take(8)
                .fold(0, |number, byte| number << 8 | u64::from(*byte))
                .max(1)
        }
    };
    Lane { app, receiver, room: room.clone() }
}

/// Something happened in a room. Never waits.
pub fn on_event(shared: &Shared, event: &RoomEvent) {
    let callbacks = &shared.callbacks;
    let (change, overflows) = {
        let mut follower = lock(&callbacks.follower);
        (follower.follow(event), follower.overflows())
    };
    shared.metrics.set(Metric::CallbackTracksForgotten, overflows);
    let Some(settings) = shared.directory.callbacks(event.app) else { return };
    let now = Now::read().wall;
    for draft in draft::of_event(event, &change, &settings, now) {
        callbacks.offer(shared, draft);
    }
}

/// Keeps and carries deliveries, for ever; first those that an earlier run left.
pub async fn run(shared: Shared, (webhooks, pace): (Webhooks, Pace)) {
    let Some(drafts) = lock(&shared.callbacks.taken_in).take() else { return };
    intake::take_up(&shared).await;
    let kept = intake::run(&shared, drafts);
    let carried = courier::run(&shared, &webhooks, pace);
    let pruned = intake::prune(&shared);
    tokio::join!(kept, carried, pruned);
}

/// Lets a settled delivery be tried once more, behind those that wait for the same receiver and room.
///
/// # Errors
/// [`ApiError::NotFound`]; [`ApiError::Conflict`] if it waits; [`ApiError::Limit`] if too many wait; what the outbox
/// says.
pub async fn replay(shared: &Shared, app: SdkAppId, id: &str) -> Result<(), ApiError> {
    let (delivery, body) = shared.deliveries.get(app, id).await?;
    if delivery.state == DeliveryState::Waiting {
        return Err(ApiError::Conflict(format!("Delivery {id} waits already; it is being tried.")));
    }
    let lane = lane(app, delivery.receiver, &delivery.url, &delivery.room);
    let callbacks = &shared.callbacks;
    let bytes = body.len() as u64;
    lock(&callbacks.queue).reserve(&lane, bytes).map_err(full)?;
    let now = Now::read();
    match shared.deliveries.replay(app, id, now.wall).await {
        Ok(waiting) => {
            lock(&callbacks.queue).push(&lane, waiting.turn, bytes, now.instant, now.instant);
            callbacks.bell.notify_one();
            Ok(())
        }
        Err(error) => {
            lock(&callbacks.queue).release(&lane, bytes);
            Err(error.into())
        }
    }
}

fn full(full: Full) -> ApiError {
    ApiError::Limit(format!("Cannot be delivered now: {full}."))
}

/// Sends an event of a room that does not exist to every receiver of an application, and answers with the ids of the
/// deliveries.
///
/// # Errors
/// [`ApiError::Conflict`] if the application has no receiver; what the outbox says.
pub async fn test(shared: &Shared, app: SdkAppId) -> Result<Vec<String>, ApiError> {
    let none =
        || ApiError::Conflict(format!("Application {app} has neither callback nor webhook."));
    let settings = shared.directory.callbacks(app).ok_or_else(none)?;
    let life = shared.fresh(fermata_types::RoomSid::random);
    let drafts = draft::of_test(app, life, &settings, Now::read().wall);
    let ids = drafts.iter().map(|draft| draft.id.clone()).collect();
    intake::keep(shared, drafts).await?;
    Ok(ids)
}

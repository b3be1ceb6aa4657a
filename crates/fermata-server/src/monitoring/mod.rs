//! Call quality: events and samples on their way into the monitoring database, and the answers made of it.
//!
//! [`on_event`] and [`on_samples`] put what the node tells into one bounded queue; [`run`] keeps the stays that are
//! open in memory ([`watch::Watch`]), packs their samples, and writes a batch a second. Who asks waits until what
//! was told before the question is written. What does not fit is dropped and counted: the media never waits.
//!
//! What it is not: usage. Nothing here costs anybody a cent.

pub mod answers;
mod happening;
mod tally;
mod watch;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fermata_sfu::io::{Command, Reply, RoomEvent};
use fermata_types::{Now, ParticipantSid, RoomSid, SdkAppId, StaySample, Via};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use self::happening::Happening;
use self::watch::Watch;
use crate::limits::{
    MONITORED_SILENCE_MAX, MONITORING_BATCH_ROWS, MONITORING_CHECK_EVERY, MONITORING_QUEUE_LEN,
    MONITORING_SETTLE_MAX, MONITORING_SWEEP_EVERY, MONITORING_SWEEP_STEPS, MONITORING_WRITE_EVERY,
};
use crate::metrics::Metric;
use crate::server::Shared;

/// What is told to the recorder.
#[derive(Debug)]
enum Told {
    Happening(Box<Happening>),
    Samples(Vec<StaySample>),
    /// Somebody asks: write everything told before, with the samples of this room's life, and say when.
    Settle(Option<RoomSid>, oneshot::Sender<()>),
}

/// The way into the monitoring database.
#[derive(Debug)]
pub struct Recorder {
    told: mpsc::Sender<Told>,
    /// Taken once, by [`run`].
    inbox: Mutex<Option<mpsc::Receiver<Told>>>,
    /// Applications whose data is to be forgotten; they leave when it is.
    forget: Mutex<BTreeSet<SdkAppId>>,
    forget_bell: Notify,
}

impl Default for Recorder {
    fn default() -> Self {
        let (told, inbox) = mpsc::channel(MONITORING_QUEUE_LEN);
        let (forget, forget_bell) = (Mutex::default(), Notify::new());
        Self { told, inbox: Mutex::new(Some(inbox)), forget, forget_bell }
    }
}

impl Recorder {
    /// Has everything about these applications forgotten, soon and for good; it is tried again until it is done.
    pub fn forget(&self, apps: impl IntoIterator<Item = SdkAppId>) {
        self.forget.lock().unwrap_or_else(PoisonError::into_inner).extend(apps);
        self.forget_bell.notify_one();
    }

    fn to_forget(&self) -> Vec<SdkAppId> {
        self.forget.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn forgotten(&self, app: SdkAppId) {
        self.forget.lock().unwrap_or_else(PoisonError::into_inner).remove(&app);
    }
}

/// Something happened in a room. Never waits.
pub fn on_event(shared: &Shared, event: &RoomEvent) {
    tell(shared, Told::Happening(Box::new(Happening::of(event))), 1);
}

/// How stays fared. Never waits.
pub fn on_samples(shared: &Shared, mut samples: Vec<StaySample>) {
    let len = samples.len();
    if let Some(relay) = shared.relay.get() {
        name_relayed(&mut samples, |source| relay.relays_from(source));
    }
    tell(shared, Told::Samples(samples), len);
}

/// The media threads see UDP from an address; which addresses are the relay's, only this process as a whole knows.
fn name_relayed(samples: &mut [StaySample], relays_from: impl Fn(SocketAddr) -> bool) {
    for sample in samples {
        if sample.downlink.via == Some(Via::Udp) && sample.peer.is_some_and(&relays_from) {
            sample.downlink.via = Some(Via::Relay);
        }
    }
}

fn tell(shared: &Shared, told: Told, len: usize) {
    if shared.recorder.told.try_send(told).is_err() {
        shared.metrics.add(Metric::MonitoringDropped, len as u64);
    }
}

/// Waits until what was told before is in the database, with the samples of `room`. If that takes too long, what
/// is there has to do.
async fn settle(shared: &Shared, room: Option<RoomSid>) {
    let (done, answer) = oneshot::channel();
    let asked = async {
        let sent = shared.recorder.told.send(Told::Settle(room, done)).await;
        sent.is_ok() && answer.await.is_ok()
    };
    if timeout(MONITORING_SETTLE_MAX, asked).await != Ok(true) {
        shared.metrics.add(Metric::MonitoringUnsettled, 1);
    }
}

/// Writes what came, and forgets what is too old, for ever.
pub async fn run(shared: Shared) {
    let inbox = shared.recorder.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(inbox) = inbox else { return };
    let mut writer = Writer { shared: shared.clone(), watch: Watch::default(), failing: false };
    tokio::join!(writer.run(inbox), sweep(&shared));
}

struct Writer {
    shared: Shared,
    watch: Watch,
    /// The last batch could not be written: told once when it begins and once when it is over.
    failing: bool,
}

impl Writer {
    async fn run(&mut self, mut inbox: mpsc::Receiver<Told>) {
        let mut ticks = interval(MONITORING_WRITE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checks = interval(MONITORING_CHECK_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut doubt = Doubt::default();
        loop {
            tokio::select! {
                told = inbox.recv() => match told {
                    Some(told) => self.take(told).await,
                    None => return,
                },
                _ = ticks.tick() => {
                    self.watch.tick(Now::read().wall);
                    self.write().await;
                }
                _ = checks.tick() => self.check(&mut doubt).await,
            }
        }
    }

    async fn take(&mut self, told: Told) {
        match told {
            Told::Happening(happening) => self.watch.happened(*happening),
            Told::Samples(samples) => {
                for sample in &samples {
                    self.watch.sampled(sample);
                }
            }
            Told::Settle(room, done) => {
                if let Some(room) = room {
                    self.watch.pack(&room);
                }
                self.watch.sum_up();
                self.write().await;
                // Who asked may have given up.
                let _ = done.send(());
            }
        }
        // A stopping server may have no later chance.
        if self.watch.waiting() >= MONITORING_BATCH_ROWS || self.shared.is_stopping() {
            self.watch.sum_up();
            self.write().await;
        }
    }

    async fn write(&mut self) {
        let metrics = &self.shared.metrics;
        metrics.set(Metric::MonitoringStays, self.watch.stays() as u64);
        metrics.add(Metric::MonitoringDropped, self.watch.take_dropped());
        let batch = self.watch.take_batch();
        if batch.is_empty() {
            return;
        }
        let rows = batch.len() as u64;
        match self.shared.monitoring.append(batch).await {
            Ok(()) => {
                if std::mem::replace(&mut self.failing, false) {
                    tracing::info!("The monitoring database can be written again.");
                }
            }
            Err(error) => {
                metrics.add(Metric::MonitoringRowsLost, rows);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "The monitoring database cannot be written; what happens is not recorded.");
                }
            }
        }
    }

    /// After something was dropped, the end of a stay or of a room may be among it: the node knows who and what is
    /// still there.
    async fn check(&mut self, doubt: &mut Doubt) {
        let Ok(stats) = self.shared.node.stats().await else { return };
        let own = self.shared.metrics.get(Metric::MonitoringDropped);
        let Now { instant, wall: now } = Now::read();
        if !doubt.lasts(own + stats.events_dropped, instant) {
            return;
        }
        if let Some((app, room)) = self.watch.silent_room(now) {
            let asked = Command::ListParticipants { app, room: room.1 };
            let there: BTreeSet<ParticipantSid> = match self.shared.command(asked).await {
                Ok(Reply::Participants(list)) => {
                    list.iter().map(|one| ParticipantSid::from_text(&one.info.sid)).collect()
                }
                Ok(_) => BTreeSet::new(),
                Err(_) => return,
            };
            self.watch.keep(&room.0, &there, now);
        } else if let Some(app) = self.watch.deserted(now) {
            let asked = Command::ListRooms { app };
            let Ok(Reply::Rooms(rooms)) = self.shared.command(asked).await else { return };
            let there = rooms.iter().map(|room| RoomSid::from_text(&room.info.sid)).collect();
            self.watch.keep_rooms(app, &there, now);
        }
        if self.watch.silent_room(now).is_some() || self.watch.deserted(now).is_some() {
            doubt.prolong(instant);
        }
    }
}

/// Whether something that was dropped may be missed.
#[derive(Debug, Default)]
struct Doubt {
    /// How much was dropped so far.
    dropped: u64,
    until: Option<Instant>,
}

impl Doubt {
    /// So much was dropped by now: is there reason to look? Longer than silence is waited for, since not everything
    /// that was lost falls silent at once.
    fn lasts(&mut self, dropped: u64, now: Instant) -> bool {
        if self.dropped != dropped {
            self.dropped = dropped;
            self.prolong(now);
        }
        self.until.is_some_and(|until| now <= until)
    }

    fn prolong(&mut self, now: Instant) {
        self.until = Some(now + MONITORED_SILENCE_MAX.unsigned_abs() * 2);
    }
}

/// Sweeps the database, for ever; forgets applications when it is asked to.
async fn sweep(shared: &Shared) {
    loop {
        tokio::select! {
            () = sleep(MONITORING_SWEEP_EVERY) => {}
            () = shared.recorder.forget_bell.notified() => {}
        }
        for app in shared.recorder.to_forget() {
            match shared.monitoring.forget_app(app).await {
                Ok(()) => shared.recorder.forgotten(app),
                Err(error) => {
                    tracing::warn!(%app, %error, "Monitoring of an application cannot be cleared; it is tried again.");
                }
            }
        }
        for _ in 0..MONITORING_SWEEP_STEPS {
            match shared.monitoring.sweep(Now::read().wall).await {
                Ok(swept) => {
                    shared.metrics.add(Metric::MonitoringEvicted, swept.evicted);
                    shared.metrics.set(Metric::MonitoringBytes, swept.bytes);
                    if !swept.more {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "The monitoring database cannot be swept; it is tried again.");
                    break;
                }
            }
            // Lets batches in between.
            sleep(Duration::from_millis(1)).await;
        }
        shared.metrics.set(Metric::MonitoringRenewed, shared.monitoring.renewed());
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Downlink;

    use super::*;

    #[test]
    fn only_udp_from_a_socket_of_the_relay_is_relayed() {
        let relay: SocketAddr = "127.0.0.1:50000".parse().unwrap();
        let other = SocketAddr::new(relay.ip(), 50_001);
        let rows = [
            (Some(Via::Udp), Some(relay), Some(Via::Relay)),
            (Some(Via::Udp), Some(other), Some(Via::Udp)),
            (Some(Via::Udp), None, Some(Via::Udp)),
            (Some(Via::Tcp), Some(relay), Some(Via::Tcp)),
            (None, Some(relay), None),
        ];
        let sample = |(via, peer)| StaySample {
            app: SdkAppId(1),
            room_sid: RoomSid::from_text("RM_1"),
            stay: ParticipantSid::from_text("PA_1"),
            at: jiff::Timestamp::UNIX_EPOCH,
            span_ms: 5_000,
            rtt_ms: None,
            cpu_percent: None,
            downlink: Downlink { via, ..Downlink::default() },
            peer,
            tracks: Vec::new(),
        };
        let mut samples: Vec<_> = rows.iter().map(|row| sample((row.0, row.1))).collect();
        name_relayed(&mut samples, |source| source == relay);
        let named: Vec<_> = samples.iter().map(|sample| sample.downlink.via).collect();
        assert_eq!(named, rows.map(|row| row.2));
    }

    #[test]
    fn what_was_dropped_is_looked_for_until_all_of_it_is_silent() {
        let start = Now::read().instant;
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut doubt = Doubt::default();
        assert!(!doubt.lasts(0, start));
        // Something else that was found meanwhile does not end the search.
        let silence = MONITORED_SILENCE_MAX.unsigned_abs().as_secs();
        for seconds in [0, silence - 5, silence + 5, 2 * silence] {
            assert!(doubt.lasts(3, later(seconds)), "{seconds}");
        }
        assert!(!doubt.lasts(3, later(2 * silence + 1)));
        assert!(doubt.lasts(4, later(2 * silence + 2)));
    }
}
